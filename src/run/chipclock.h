/* chipclock.h - what the steps of a served engine would take on its chip, without holding them up.
 *
 *   D(n, c)   a step of n sequences that decode, c positions behind each            } timed on grids, once, by a thread
 *   P(r, p)   a step of r prompt rows of one sequence, p positions behind them      } of low priority; between the points
 *   B(n, r)   both in one step, 256 positions behind each                           } interpolated in both directions
 *
 *   decode only: D;   prompts only: P;   both: B + (D(n, c) - D(n, 256)) + (P(r, p) - P(r, 256))
 *
 * The grid points are slx_time_step's own figures (docs/timing.md). test_chipclock.c holds what lies between against the
 * step timed directly.
 */
#ifndef SLX_RUN_CHIPCLOCK_H
#define SLX_RUN_CHIPCLOCK_H

#include "run/estimate.h"
#include "run/sched.h"

typedef struct slx_chip_clock slx_chip_clock;
/* Borrows program and chip, which nobody changes meanwhile. Starts the thread. */
slx_chip_clock *slx_chip_clock_open(const slx_program *p, const slx_chip *c);
void slx_chip_clock_close(slx_chip_clock *k); /* waits for the point under way */
/* As slx_sched_options.clock; arg is the clock. False until the grid is timed. */
bool slx_chip_clock_at(void *arg, const slx_step_shape *s, double *seconds, double *joules);
/* Dollars of a second of the chip, as slx_estimate_usd_per_mtok counts; false when the chip file does not say. */
bool slx_chip_clock_usd_per_s(const slx_chip_clock *k, double *usd);
void slx_chip_clock_wait(slx_chip_clock *k); /* until the grid is timed (tests) */

/* One step timed now, by its spans, engines and parts: n sequences that decode at `positions` each, beside rows > 0 of a
 * prompt behind `before` others. The caller frees with slx_time_result_free. Any thread. */
slx_status slx_chip_step_time(slx_time_result *out, const slx_program *p, const slx_chip *c, uint32_t n, uint32_t positions,
                              uint32_t rows, uint32_t before, slx_err *err);

#endif
