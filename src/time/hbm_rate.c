/* hbm_rate.c - what streams reach of a pseudo-channel, from its timing parameters alone.
 *
 *   S streams, evenly over the B sets of banks, ask in turn for `request` neighbouring bursts each
 *
 * A row that is opened serves its stream's bursts until the queue holds no more of them. Of the s = S / B streams of a
 * set the queue then holds most of the one served longest ago, and while that one is served the others bring more. In
 * the steady state, with Q bursts in the queue,
 *
 *   T = 2 Q s / ((s - 1) S)      bursts an opening: whole requests, at least one; a row of each bank when s <= 1
 *
 * and the time of a burst is the longest of
 *
 *   data        burst
 *   rows        max(tRC, tRCD + (T / spread - 1) tCCD_L + close + tRP) / (banks T / spread)
 *   activates   a spread / T     a = max(tRRD_S, tFAW / 4), longer by the slots that refreshes take
 *
 * close: of the last burst until its row may be closed, tRTP of a read, tCWL + burst + tWR of a write. The queue holds
 * requests of neighbouring streams, Q / request of them, which lie in Q / (request s) sets and the one begun: no more
 * banks than theirs are at work.
 *
 * A refresh hides behind the other banks until its bursts fill the queue or may be passed no more (pass_max); the rest
 * of it stops the bus.
 *
 * That is the law of streams that only read or only write, and holds where no two of them share a bank or the data
 * bus is what they wait for. Where rows or activates come near, or reads and writes turn the bus around, order in the
 * queue decides, bank by bank: there the queue itself is asked (hbm_queue.c), for PLAYED bursts, some 45 ms. What the
 * timing machine asks for its chips, once a step, is on the law's side.
 *
 * Neither holds where streams march through the same banks (starts a multiple of all banks' rows apart: up to six
 * times too fast). */
#include "time/hbm_queue.h"

#include <math.h>
#include <stdlib.h>

enum { PLAYED = 65536 };

static double sets_of(const slx_hbmq_params *p)
{
    return (double)p->banks / p->spread;
}

/* Bursts that one opening of its rows gives a stream. */
static double served(const slx_hbmq_params *p, double streams, uint32_t request)
{
    double row = (double)p->columns * p->spread, each = streams / sets_of(p);
    if (each <= 1) return row;
    double t = floor(2.0 * p->queue * each / ((each - 1) * streams) / request) * request;
    return fmin(fmax(t, request), row);
}

/* Clocks of a burst by what its rows take and by activates. */
static double rows_clk(const slx_hbmq_params *p, double streams, uint32_t request, bool write)
{
    double t = served(p, streams, request), each = streams / sets_of(p), sets = sets_of(p);
    double close = write ? (double)p->tcwl + p->burst + p->twr : p->trtp;
    double row = p->trcd + (t / p->spread - 1) * p->tccd_l + close + p->trp;
    if (each > 1) sets = fmin(sets, 1 + p->queue / (request * each));
    return fmax(p->trc, row) / (sets * t);
}

static double activates_clk(const slx_hbmq_params *p, double streams, uint32_t request)
{
    double act = fmax(p->trrd_s, p->tfaw / 4.0);
    if (p->trefi) act /= 1 - act * p->banks / (double)p->trefi;
    return act * p->spread / served(p, streams, request);
}

double slx_hbmq_stream_law(const slx_hbmq_params *p, double streams, uint32_t request, bool write)
{
    double clk = fmax(p->burst, fmax(rows_clk(p, streams, request, write), activates_clk(p, streams, request)));
    if (p->trefi) { /* of a bank's refresh, what is longer than its bursts take to fill the queue */
        double wait = (double)p->trfcpb + p->trp + p->trcd;
        double fill = fmin(p->queue * (double)p->banks, p->pass_max) * p->burst;
        double lost = fmax(0, wait - fill) * p->banks / (double)p->trefi * fmin(1, streams / sets_of(p));
        clk /= 1 - fmin(lost, 0.9);
    }
    return p->burst / clk;
}

/* Streams evenly over the sets of banks, a request each in turn, of which so many write. */
static double played(const slx_hbmq_params *p, uint32_t streams, uint32_t request, double writes)
{
    uint64_t round = (uint64_t)p->columns * p->spread * (p->banks / p->spread), n = 0;
    uint64_t *at = slx_xcalloc(streams, sizeof *at);
    slx_rng r = {1};
    slx_hbmq *q = slx_hbmq_new(p);
    for (uint64_t j = 0; j < streams; j++) at[j] = j * round * 1000 + j * round / streams / request * request;
    while (n < PLAYED)
        for (uint32_t j = 0; j < streams; j++) {
            bool write = slx_rng_below(&r, 1u << 20) < writes * (1u << 20);
            for (uint32_t b = 0; b < request; b++, n++) slx_hbmq_push(q, at[j]++, write, 0, 0);
        }
    double share = (double)(n * p->burst) / (double)slx_hbmq_drain(q);
    slx_hbmq_free(q);
    free(at);
    return share;
}

double slx_hbmq_stream_share(const slx_hbmq_params *p, uint32_t streams, uint32_t request, double writes)
{
    bool write = writes > 0;
    bool pure = writes <= 0 || writes >= 1, apart = streams <= sets_of(p); /* no two streams in a bank */
    bool easy = rows_clk(p, streams, request, write) <= 0.5 * p->burst &&
                activates_clk(p, streams, request) <= 0.75 * p->burst;
    return pure && (apart || easy) ? slx_hbmq_stream_law(p, streams, request, write)
                                          : played(p, streams, request, writes);
}
