/* spm.c - a tile's scratchpad, which its engines share: what they ask of the banks together.
 *
 *   spm_banks banks serve bank_bytes_clk a clock each; neighbouring units of that size lie in neighbouring banks, so
 *   whoever goes through his bytes goes round all of them, and two who do are out of step after their first meeting
 *
 * So engines that run at once slow each other down where together they want more than all banks give. Time is cut in
 * windows. An instruction takes its bytes out of the windows it runs in, evenly; what a window has no room for goes
 * into the next ones, and the instruction ends with the last of it. Who is evaluated first is served first: engines of
 * a tile run ahead of one another (sim.c), so windows a while back are kept.
 *
 * A unit that finds its bank taken waits a clock; engines are taken to have buffers for that. */
#include "time/time_int.h"

enum { CLOCKS = SLX_TM_SPM_CLOCKS, KEPT = SLX_TM_SPM_KEPT, BITS = SLX_TM_SPM_BITS };

static uint64_t taken(uint64_t window, uint64_t w)
{
    return window >> BITS == w ? window & ((UINT64_C(1) << BITS) - 1) : 0;
}

/* Up to `want` bytes of window w, of which `all` can be had by who comes first. One that is so far back that nobody
 * knows any more gives them. */
static uint64_t take(slx_tm_spm *s, uint64_t w, uint64_t want, uint64_t all)
{
    uint64_t *k = &s->window[w % KEPT];
    if (*k >> BITS > w) return want < all ? want : all;
    if (*k >> BITS < w) *k = w << BITS;
    uint64_t gone = taken(*k, w) + (s->common ? taken(s->common->window[w % KEPT], w) : 0);
    uint64_t room = all > gone ? all - gone : 0;
    if (want > room) want = room;
    *k += want;
    return want;
}

uint64_t slx_tm_spm_book(slx_tm_spm *s, uint64_t start, uint64_t cycles, uint64_t bytes)
{
    uint64_t end = start + cycles, w = start / CLOCKS, all = (uint64_t)CLOCKS * s->bytes_clk, done = 0;
    uint64_t last = end ? (end - 1) / CLOCKS : 0;
    if (w < last) { /* all windows but the last: as far as it has come by their ends, in 2^-20 bytes a clock */
        uint64_t rate = (bytes << 20) / cycles;
        for (; w < last; w++) {
            uint64_t due = ((w + 1) * CLOCKS - start) * rate >> 20;
            done += take(s, w, due - done, all);
        }
    }
    for (; done < bytes; w++) {
        uint64_t part = take(s, w, bytes - done, all);
        done += part;
        uint64_t least = w * CLOCKS + (part + s->bytes_clk - 1) / s->bytes_clk; /* they come one after another */
        if (w > last && least > end) end = least;
    }
    return end;
}
