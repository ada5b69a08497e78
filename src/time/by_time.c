/* by_time.c - energy that goes by time and not by events: leakage and clock of all dies, links to other chips.
 *
 * Spans take it by their share of the step's cycles. Layers take what the spans of the layer loop have, all alike: they
 * do equal work, and which of them a cycle of the critical path fell to is not kept. Engines have no share of it: all
 * leak whichever runs. In whole femtojoules, so that every split sums to the total. */
#include "time/time_int.h"

#include <math.h>

__extension__ typedef unsigned __int128 wide;

/* What the shares up to `upto` of `all` have of a total, rounded down: differences of it sum exactly. */
static uint64_t until(uint64_t total, uint64_t upto, uint64_t all)
{
    return all ? (uint64_t)((wide)total * upto / all) : 0;
}

static void share_out(slx_time_result *r)
{
    uint64_t at = 0, given = 0, in_layers = 0;
    uint32_t layers = r->n_layers - 1;
    for (uint32_t i = 0; i < r->n_spans; i++) {
        slx_time_span *s = &r->spans[i];
        at += s->cycles;
        s->static_fj = until(r->static_fj, at, r->cycles) - given;
        given += s->static_fj;
        if (s->in_layers) in_layers += s->static_fj;
    }
    if (!layers) in_layers = 0;
    r->layer_static_fj[0] = r->static_fj - in_layers;
    for (uint32_t l = 0; l < layers; l++)
        r->layer_static_fj[1 + l] = until(in_layers, l + 1, layers) - until(in_layers, l, layers);
}

void slx_tm_by_time(slx_time_result *r, const slx_time_watts *watts)
{
    r->wire_fj[SLX_TIME_WIRE_LEAK] = (uint64_t)llround(watts->leak * r->seconds * 1e15);
    /* links draw their watts whatever they carry: what the meetings took of it is not counted twice */
    uint64_t io = (uint64_t)llround(watts->io * r->seconds * 1e15), used = r->wire_fj[SLX_TIME_WIRE_NET];
    r->wire_fj[SLX_TIME_WIRE_IO] = io > used ? io - used : 0;
    r->static_fj = r->wire_fj[SLX_TIME_WIRE_LEAK] + r->wire_fj[SLX_TIME_WIRE_IO];
    r->energy_fj = 0;
    for (int k = 0; k < SLX_N_TIME_WIRES; k++) r->energy_fj += r->wire_fj[k];
    share_out(r);
}
