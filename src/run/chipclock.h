/* chipclock.h - what the steps of a served engine would take on its chip, without holding them up.
 *
 * A table of steps (time/memo.h), filled once by a thread of low priority; from then on a step of any sequences is looked
 * up. test_chipclock.c holds it against the step timed directly.
 */
#ifndef SLX_RUN_CHIPCLOCK_H
#define SLX_RUN_CHIPCLOCK_H

#include "run/busy.h"
#include "run/estimate.h"
#include "run/sched.h"

typedef struct slx_chip_clock slx_chip_clock;
/* Borrows program and chip, which nobody changes meanwhile. Starts the thread. */
slx_chip_clock *slx_chip_clock_open(const slx_program *p, const slx_chip *c);
void slx_chip_clock_close(slx_chip_clock *k); /* waits for the point under way */
/* As slx_sched_options.clock; arg is the clock. False until the table is filled. One thread at a time. */
bool slx_chip_clock_at(void *arg, const slx_memo_seq *seq, uint32_t n, double *seconds, double *joules);
/* Dollars of a second of the chip, as slx_estimate_usd_per_mtok counts; false when the chip file does not say. */
bool slx_chip_clock_usd_per_s(const slx_chip_clock *k, double *usd);
void slx_chip_clock_wait(slx_chip_clock *k); /* until the table is filled (tests) */

/* One step timed now, by its spans, engines and parts: n sequences that decode at `positions` each. The caller frees with
 * slx_time_result_free. busy (may be NULL) gets its events. Any thread. */
slx_status slx_chip_step_time(slx_time_result *out, const slx_program *p, const slx_chip *c, uint32_t n, uint32_t positions,
                              slx_busy *busy, slx_err *err);

#endif
