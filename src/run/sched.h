/* sched.h - many requests on one engine: which rows go into the next step.
 *
 *   submit --> waiting, a queue a user --admit--> running: prefill in chunks, then one token a step --> end
 *                   ^                                  |
 *                   '--- preempted: pages ran out -----'   recomputed later, to the same bits
 *
 *   step    every running sequence that decodes gives one row; the rest of the step is prompt rows, at most `chunk` of
 *           them while somebody decodes, so that a long prompt does not hold the others up
 *   fair    a user's turn is counted in rows computed; who has had least goes first. A user who comes back starts where
 *           the least served active one stands, so nobody saves up turns
 *   pages   128 positions; a full page is shared through the prefix cache (prefix.h), a hit gives the very bits
 *   out of  pages nobody uses but the cache go first, the oldest; then the sequence admitted last is preempted. The one
 *   pages   admitted first always goes on, so there is always progress
 *
 * Invariant: the tokens of a job are those of slx_generate with the same options, whatever runs beside it. One thread
 * uses a scheduler; callbacks run inside slx_sched_step and slx_sched_cancel and must not call the scheduler.
 */
#ifndef SLX_RUN_SCHED_H
#define SLX_RUN_SCHED_H

#include "run/draw.h"
#include "time/memo.h"

typedef struct slx_sched slx_sched;
typedef struct slx_job slx_job;

typedef enum { SLX_END_STOP, SLX_END_LENGTH, SLX_END_CANCELLED, SLX_END_FAULT } slx_end;

/* What a finished job took. */
typedef struct {
    uint32_t prompt_tokens, cached_tokens, new_tokens, preemptions;
    double queue_s, first_token_s, total_s; /* host clock, from submission */
    /* the same steps on the chip (slx_sched_options.clock): first and last token from submission, and this job's share of
     * its steps by rows */
    double chip_first_s, chip_last_s, chip_share_s, chip_j;
    bool chip_known;
} slx_job_usage;

typedef struct {
    slx_draw_options draw;
    uint32_t max_new;
    uint64_t user; /* who it counts for */
    /* One token; false ends the answer here. The token that ends a turn is not given. */
    bool (*on_token)(void *arg, const slx_drawn *t);
    /* The last call for this job, which is gone afterwards. why: of a fault. */
    void (*on_end)(void *arg, slx_end end, const slx_job_usage *u, const slx_err *why);
    void *arg;
} slx_job_options;

typedef struct {
    uint32_t chunk; /* prompt rows of a step while somebody decodes; 0 = 64 */
    uint32_t slots; /* sequences at once; 0 = what the program takes */
    uint32_t pages; /* KV pages to use; 0 = all (tests) */
    bool no_prefix_cache;
    /* What a step of these n sequences takes on the chip; false when not known. NULL: no chip clock. */
    bool (*clock)(void *arg, const slx_memo_seq *seq, uint32_t n, double *seconds, double *joules);
    void *clock_arg;
} slx_sched_options;

typedef struct {
    uint32_t waiting, running, slots;
    uint32_t pages, pages_used, pages_cached; /* used: by sequences; cached: by the prefix cache alone */
    uint64_t steps, rows, prompt_rows, cached_tokens, prompt_tokens, preemptions, jobs;
    double step_s, own_s; /* in engine steps; in the scheduler itself, drawing included */
    double draw_s;        /* of own_s: drawing and callbacks */
    double chip_s, chip_j; /* what the steps would have taken on the chip, of those whose time is known */
    uint32_t last_sequences, last_positions; /* of the last step: how many, and the most positions one of them has; 0 = none yet */
} slx_sched_stats;

slx_sched *slx_sched_open(slx_engine *e, const slx_sched_options *opt);
void slx_sched_close(slx_sched *s); /* cancels what is left */
/* Copies prompt, and borrows nothing of opt but bias and grammar, which live until on_end. Refuses what can never run: no token,
 * a prompt that does not leave room for one new token. */
slx_status slx_sched_submit(slx_sched *s, const uint32_t *prompt, uint32_t n, const slx_job_options *opt, slx_job **out,
                            slx_err *err);
void slx_sched_cancel(slx_sched *s, slx_job *j);
/* One step; false when there was nothing to do. */
bool slx_sched_step(slx_sched *s);
void slx_sched_get_stats(const slx_sched *s, slx_sched_stats *out);
/* Positions a sequence may have here: the program's context, or fewer when the pages do not hold it. */
uint32_t slx_sched_context(const slx_sched *s);

#endif
