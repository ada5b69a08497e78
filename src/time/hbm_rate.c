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
 *   rows        max(tRC, tRCD + (T / spread - 1) tCCD_L + tRTP + tRP) / (B T)
 *   activates   a spread / T     a = max(tRRD_S, tFAW / 4), longer by the slots that refreshes take
 *
 * A refresh hides behind the other banks until its bursts fill the queue or may be passed no more (pass_max); the rest
 * of it stops the bus. Reads and writes are served in batches that empty the queue of their kind, so a pair of turns
 * comes every Q / (w (1 - w)) bursts, at most 2 pass_max.
 *
 * Against hbm_queue.c (test_hbm_long): within 2 % for reads or writes of 1 to 16 streams, 4 % for mixes of 1 to 8. It
 * does not hold for more streams where a request is short, for mixes of many streams (up to 30 % too fast), and where
 * streams march through the same banks (starts a multiple of all banks' rows apart: up to six times too fast). */
#include "time/hbm_queue.h"

#include <math.h>

/* Bursts that one opening of its rows gives a stream. */
static double served(const slx_hbmq_params *p, double streams, uint32_t request)
{
    double row = (double)p->columns * p->spread, each = streams * p->spread / p->banks;
    if (each <= 1) return row;
    double t = floor(2.0 * p->queue * each / ((each - 1) * streams) / request) * request;
    return fmin(fmax(t, request), row);
}

double slx_hbmq_stream_share(const slx_hbmq_params *p, double streams, uint32_t request,
                             double writes)
{
    double sets = (double)p->banks / p->spread, t = served(p, streams, request);
    double act = fmax(p->trrd_s, p->tfaw / 4.0);
    if (p->trefi) act /= 1 - act * p->banks / (double)p->trefi;
    double row = p->trcd + (t / p->spread - 1) * p->tccd_l + p->trtp + p->trp;
    double clk = fmax(fmax(p->burst, act * p->spread / t), fmax(p->trc, row) / (sets * t));
    if (p->trefi) { /* of a bank's refresh, what is longer than its bursts take to fill the queue */
        double wait = (double)p->trfcpb + p->trp + p->trcd;
        double fill = fmin(p->queue * (double)p->banks, p->pass_max) * p->burst;
        double lost = fmax(0, wait - fill) * p->banks / (double)p->trefi * fmin(1, streams / sets);
        clk /= 1 - fmin(lost, 0.9);
    }
    if (writes > 0 && writes < 1) {
        double batch = fmin(p->queue / (writes * (1 - writes)), 2.0 * p->pass_max + 2);
        double to_write = p->trtw, to_read = p->tcwl + p->burst + p->twtr_l;
        clk += (to_write + to_read - 2.0 * p->burst) / batch;
    }
    return p->burst / clk;
}
