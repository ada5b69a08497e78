/* grammar_range.c - see grammar_build.h: numbers between two bounds, as automata over their digits.
 *
 * A number with p decimals is a whole number of steps of 10^-p whose digits have a point before the last p. So a range
 * becomes one of whole numbers for each p, that one becomes ranges of equal length, and of two texts of digits with the
 * same length the smaller one is smaller. A bound with more decimals than that counts as the next step inside.
 */
#include "run/grammar_build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 15, DECIMALS = 6, PLAIN_DECIMALS = 4 };
static const int64_t MOST =
    999999999999999; /* DIGITS nines: every such step is a double of its own */

/* Digits from..to of equal length n, `point` of them before the decimal point (n: there is none). */
typedef struct {
    const char *from, *to;
    int n, point;
} span;

static uint32_t digit_between(gr_builder *b, char from, char to, uint32_t next)
{
    return gr_set_node(b, gr_range((unsigned char)from, (unsigned char)to), next);
}

/* What may come from digit `at` on, when the digits before it are those of from (low), of to (high), or of neither. */
static uint32_t digits_from(gr_builder *b, const span *s, int at, bool low, bool high,
                            uint32_t next)
{
    if (at == s->n || b->failed) return next;
    char from = low ? s->from[at] : '0', to = high ? s->to[at] : '9';
    uint32_t x;
    if (from == to || (!low && !high)) {
        x = digit_between(b, from, to, digits_from(b, s, at + 1, low, high, next));
    } else {
        char inner_from = low ? (char)(from + 1) : from, inner_to = high ? (char)(to - 1) : to;
        x = SLX_GR_NONE;
        if (inner_from <= inner_to)
            x = digit_between(b, inner_from, inner_to,
                              digits_from(b, s, at + 1, false, false, next));
        if (low) {
            uint32_t edge =
                digit_between(b, from, from, digits_from(b, s, at + 1, true, false, next));
            x = x == SLX_GR_NONE ? edge : gr_either(b, edge, x);
        }
        if (high) {
            uint32_t edge = digit_between(b, to, to, digits_from(b, s, at + 1, false, true, next));
            x = x == SLX_GR_NONE ? edge : gr_either(b, edge, x);
        }
    }
    return at == s->point ? gr_text(b, ".", x) : x;
}

/* Steps low..high, none negative, with p decimals; SLX_GR_NONE when there is none. */
static uint32_t steps_between(gr_builder *b, int64_t low, int64_t high, int p, uint32_t next)
{
    uint32_t x = SLX_GR_NONE;
    int64_t least = 0; /* of n digits */
    for (int n = p + 1; n <= DIGITS && least <= high; n++) {
        int64_t most = (int64_t)(pow(10, n) + 0.5) - 1;
        int64_t from = low > least ? low : least, to = high < most ? high : most;
        least = most + 1;
        if (from > to) continue;
        char a[24], z[24];
        snprintf(a, sizeof a, "%0*lld", n, (long long)from);
        snprintf(z, sizeof z, "%0*lld", n, (long long)to);
        span s = {a, z, n, n - p};
        uint32_t one = digits_from(b, &s, 0, true, true, next);
        x = x == SLX_GR_NONE ? one : gr_either(b, x, one);
    }
    return x;
}

/* A whole number of steps of 10^-p that is this very double: a quotient is rounded as a decimal text is read. */
static bool is_step(double bound, int p)
{
    double steps = round(bound * pow(10, p));
    return fabs(steps) <= (double)MOST && steps / pow(10, p) == bound;
}

/* A bound as steps of 10^-p, away from what is out. dir 1: a lower bound, -1: an upper one. */
static int64_t steps_of(double bound, bool out, int p, int dir)
{
    double x = bound * pow(10, p);
    if (is_step(bound, p)) return (int64_t)round(x) + (out ? dir : 0);
    if (x >= (double)MOST) return dir > 0 ? MOST + 1 : MOST;
    if (x <= -(double)MOST) return dir > 0 ? -MOST : -MOST - 1;
    return (int64_t)(dir > 0 ? ceil(x) : floor(x));
}

/* Numbers with exactly p decimals; SLX_GR_NONE when there is none between the bounds. */
static uint32_t with_decimals(gr_builder *b, gr_bounds at, int p, uint32_t next)
{
    int64_t low = steps_of(at.low, at.above, p, 1), high = steps_of(at.high, at.below, p, -1);
    uint32_t x = SLX_GR_NONE, minus = SLX_GR_NONE;
    if (high >= 0) x = steps_between(b, low > 0 ? low : 0, high, p, next);
    if (low < 0) minus = steps_between(b, high < 0 ? -high : 1, -low, p, next);
    if (minus == SLX_GR_NONE) return x;
    minus = gr_text(b, "-", minus);
    return x == SLX_GR_NONE ? minus : gr_either(b, x, minus);
}

static uint32_t between(gr_builder *b, gr_bounds at, int decimals, uint32_t next)
{
    uint32_t x = SLX_GR_NONE;
    for (int p = 0; p <= decimals; p++) {
        uint32_t one = with_decimals(b, at, p, next);
        if (one != SLX_GR_NONE) x = x == SLX_GR_NONE ? one : gr_either(b, x, one);
    }
    return x == SLX_GR_NONE ? gr_fail(b, "no number is between minimum and maximum%s", "") : x;
}

uint32_t gr_integer_between(gr_builder *b, gr_bounds at, uint32_t next)
{
    return between(b, at, 0, next);
}

static int decimals_of(double bound)
{
    int p = 0;
    while (isfinite(bound) && p < DECIMALS && !is_step(bound, p)) p++;
    return p;
}

uint32_t gr_number_between(gr_builder *b, gr_bounds at, uint32_t next)
{
    int p = PLAIN_DECIMALS, low = decimals_of(at.low), high = decimals_of(at.high);
    if (low > p) p = low;
    if (high > p) p = high;
    return between(b, at, p, next);
}
