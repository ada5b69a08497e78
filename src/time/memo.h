/* memo.h - what steps take, from a table that fills as it is asked: for studies that ask for millions of them.
 *
 *   slx_memo *m;
 *   slx_memo_open(&m, &program, chip, NULL, &err);
 *   slx_memo_decode(m, batch, sum, longest, &cost, &err);   sum, longest: tokens before the step
 *   slx_memo_prefill(m, rows, before, &cost, &err);
 *   slx_memo_close(m);
 *
 * Between points of the table costs are interpolated; a point is simulated (folded) when it is first needed, so a
 * call takes milliseconds or, once its points are there, less than a microsecond. docs/timing.md says which points
 * and how far off. One thread at a time. */
#ifndef SLX_MEMO_H
#define SLX_MEMO_H

#include "time/time.h"

typedef struct slx_memo slx_memo;

typedef struct {
    double seconds, energy_j;
} slx_memo_cost;

/* Borrows program and chip until the close. watts: as in slx_time_options. */
slx_status slx_memo_open(slx_memo **out, const slx_program *p, const slx_chip *c, const slx_time_watts *watts,
                         slx_err *err);
void slx_memo_close(slx_memo *m); /* NULL is fine */

/* A step of `batch` sequences, one new token each. longest <= sum <= batch * longest; 0 tokens are fine. Refuses what
 * the program's descriptor has no room for. */
slx_status slx_memo_decode(slx_memo *m, uint32_t batch, uint64_t sum, uint32_t longest, slx_memo_cost *out,
                           slx_err *err);
/* A step of one sequence with `rows` new tokens, the last one's logits wanted. */
slx_status slx_memo_prefill(slx_memo *m, uint32_t rows, uint32_t before, slx_memo_cost *out, slx_err *err);

/* How many points the table has. */
uint32_t slx_memo_points(const slx_memo *m);

/* Random steps of up to `batch` sequences of up to `context` tokens, drawn alike for alike seeds: each looked up and
 * simulated. */
typedef struct {
    uint32_t tries;
    double mean, worst;         /* |looked up / simulated - 1| of the seconds */
    double energy_mean, energy_worst;
} slx_memo_error;
slx_status slx_memo_measure(slx_memo *m, uint32_t tries, uint32_t batch, uint32_t context, uint64_t seed,
                            slx_memo_error *out, slx_err *err);

#endif
