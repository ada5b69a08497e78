/* memo_axis.c - at which numbers of rows the table of steps has points.
 *
 *   fine      decode, samples: 1, 2, 3, .. 32      pieces of prompts: 1, 2, 4, 8, 16
 *             then the ends of every stretch of 8 up to 64 (33 and 40, 41 and 48, ..), of 32 behind: programs do in
 *             pieces what they do in pieces, of 8 rows or multiples of it
 *   coarse    1, 2, 3, 4, 6, 8, 12, 16, 24, ..
 *   both      the last short step and the one behind it, which takes another way; decode: the last step in which no
 *             tile has more than so many items, and the one behind it */
#include "time/memo_int.h"

static slx_memo_between of(uint32_t low, uint32_t high, uint32_t x)
{
    if (x >= high) return (slx_memo_between){high, high, 0};
    return (slx_memo_between){low, high, (double)(x - low) / (high - low)};
}

static slx_memo_between powers(uint32_t n, bool with_thirds, uint32_t most)
{
    uint32_t low = UINT32_C(1) << (31 - __builtin_clz(n)), high = 2 * low, middle = low + low / 2;
    if (with_thirds && low > 1 && n >= middle)
        low = middle;
    else if (with_thirds && low > 1)
        high = middle;
    return n == low ? of(n, n, n) : of(low, least(high, most), n);
}

static slx_memo_between stretches(uint32_t n, uint32_t most)
{
    uint32_t k = (n - 1) / 8, first = k < 8 ? k : k / 4 * 4, last = k < 8 ? k : first + 3;
    return of(first * 8 + 1, least((last + 1) * 8, most), n);
}

/* Nothing lies between `last` and the point behind it: x is on one side. */
static void cut(slx_memo_between *b, uint32_t last, uint32_t x)
{
    if (b->low > last || b->high <= last) return;
    if (x <= last)
        b->high = last;
    else
        b->low = last + 1;
}

slx_memo_between slx_memo_samples_axis(const slx_memo_axis *a, uint32_t n, uint32_t most)
{
    if (!n) return of(0, 0, 0);
    if (a->coarse) return powers(n, true, most);
    return n <= 32 ? of(n, n, n) : stretches(n, most);
}

slx_memo_between slx_memo_rows_axis(const slx_memo_axis *a, bool decode, uint32_t n, uint32_t most)
{
    slx_memo_between b;
    if (decode || a->coarse)
        b = slx_memo_samples_axis(a, n, most);
    else
        b = n <= 16 ? powers(n, false, most) : stretches(n, most);
    cut(&b, a->short_rows, n);
    if (decode) { /* the fullest tile has ceil(n * heads / tiles) items: from which n, and up to which */
        cut(&b, (n * a->heads - 1) / a->tiles * a->tiles / a->heads, n);
        cut(&b, (n * a->heads + a->tiles - 1) / a->tiles * a->tiles / a->heads, n);
    }
    return of(b.low, b.high, n);
}
