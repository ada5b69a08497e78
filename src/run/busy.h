/* busy.h - which engines and how many tiles work while each layer of a step is computed.
 *
 *   slx_busy *b = slx_busy_new(layers, tiles);
 *   slx_time_step(.., &(slx_time_options){.folded = true, .event = slx_busy_event, .event_arg = b}, &r, ..);
 *   slx_busy_share(b, r.cycles, shares);
 *
 * A layer lasts from the first product or vector of its own, on any tile, to that of the next one. Transfers for a later
 * layer that run meanwhile count where they run. Waiting in BAR is no work. CTL's work has no events: its share stays 0.
 */
#ifndef SLX_RUN_BUSY_H
#define SLX_RUN_BUSY_H

#include "time/time.h"

typedef struct {
    uint64_t cycles;               /* it lasts so long; all of them sum to the step's cycles */
    double engine[SLX_N_ENGINES];  /* of these cycles on all tiles: in which the engine works, 0 to 1 */
    double tiles;                  /* tiles on which an engine other than CTL works, on the mean of these cycles, 0 to 1 */
} slx_busy_span;

typedef struct slx_busy slx_busy;
slx_busy *slx_busy_new(uint32_t layers, uint32_t tiles);
void slx_busy_event(void *busy, const slx_time_event *e); /* as slx_time_options.event */
/* Once, after the events of a step of so many cycles. out: [layers + 2]: before the first layer, each layer, behind the
 * last. */
void slx_busy_share(slx_busy *b, uint64_t cycles, slx_busy_span *out);
void slx_busy_free(slx_busy *b);

#endif
