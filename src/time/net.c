/* net.c - what a meeting of chips takes: alpha and beta.
 *
 *   alpha  one message: net.alpha_ns at both ends together, and one switch, net.switch_ns
 *   beta   all ports of the chip together, net.ports * net.gbps each way; every chip sends as much as it receives
 *
 *   GAT, and RED in one shot    every chip sends what it has to each of the others       1 alpha, (P-1) n bytes out
 *   RED in two                  each adds up its P-th part and sends that to the others  2 alpha, 2 (P-1)/P n bytes out
 *
 * Both leave the adding in the tree's order to the chip that has all parts, so the bits are those of RED; a ring would
 * not. RED takes the way that ends sooner when every tile of the chip meets with as much at once: small messages go in
 * one shot. Sums and landing pass the scratchpad of the tile at its full width.
 *
 * All chips run one program on steps of one shape, so they come to a meeting at the same time: one chip is simulated
 * and waits for no other. What differs between them are addresses alone. */
#include "time/time_int.h"

#include <math.h>

void slx_tm_net_init(slx_tm_net *n, const slx_chip *c, const slx_program *p)
{
    double hz = c->grid.clock_ghz * 1e9;
    *n = (slx_tm_net){.chips = slx_program_chips(&p->info), .tiles = p->info.n_tiles};
    if (n->chips < 2 || !c->net.ports) return;
    n->byte_ticks = hz * SLX_TM_TICKS / slx_chip_get_peaks(c).net_bytes_s;
    n->alpha_ticks =
        (uint64_t)ceil((c->net.alpha_ns + c->net.switch_ns) * c->grid.clock_ghz * SLX_TM_TICKS);
}

slx_tm_meeting slx_tm_net_meeting(const slx_tm_net *n, bool sum, uint64_t bytes)
{
    double p = n->chips, one = (p - 1) * (double)bytes, two = 2 * (p - 1) / p * (double)bytes,
           all = n->tiles * n->byte_ticks, alpha = (double)n->alpha_ticks;
    if (!sum || alpha + one * all <= 2 * alpha + two * all)
        return (slx_tm_meeting){1, (uint64_t)one};
    return (slx_tm_meeting){2, (uint64_t)ceil(two)};
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t slx_tm_net_book(slx_tm_net *n, const slx_tm_rec *r, uint32_t copies, bool folded,
                         uint64_t start, uint64_t *least, uint64_t *tail)
{
    uint64_t at = start * SLX_TM_TICKS,
             ticks = (uint64_t)ceil((double)r->link_bytes * n->byte_ticks),
             after = r->rows * n->alpha_ticks + (uint64_t)r->busy * SLX_TM_TICKS;
    n->free = later(at, n->free) + ticks;
    uint64_t end = (n->free + after + SLX_TM_TICKS - 1) / SLX_TM_TICKS;
    *least = (ticks + after + SLX_TM_TICKS - 1) / SLX_TM_TICKS;
    n->free += ticks * (copies - 1);
    *tail = folded ? (n->free + after + SLX_TM_TICKS - 1) / SLX_TM_TICKS : 0;
    return end;
}
