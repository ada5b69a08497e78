/* memo.h - what steps take, from a table that fills as it is asked: for studies that ask for millions of them.
 *
 *   slx_memo *m;
 *   slx_memo_open(&m, &program, chip, NULL, &err);
 *   slx_memo_seq s[] = {{.rows = 1, .before = 700, .samples = 1}, {.rows = 64, .before = 0, .samples = 0}};
 *   slx_memo_step(m, s, 2, &cost, &err);
 *   slx_memo_close(m);
 *
 * A step is what the linear layers take for its rows, and what attention takes for the lengths. The second is computed
 * from the lengths themselves, by the rule that shares them out to the tiles (memo_attention.c); the table (memo.c) has
 * a few simulated steps for every number of rows, by which both are put to scale. A point is simulated, folded, when it
 * is first needed, so a call takes milliseconds or, once its points are there, less than a microsecond. docs/timing.md
 * says how far off. One thread at a time. */
#ifndef SLX_MEMO_H
#define SLX_MEMO_H

#include "time/time.h"

typedef struct slx_memo slx_memo;

/* A sequence of a step: `rows` new tokens behind `before` others; logits wanted of its last `samples` rows. */
typedef struct {
    uint32_t rows, before, samples;
} slx_memo_seq;

typedef struct {
    double seconds, energy_j; /* of one chip */
} slx_memo_cost;

typedef struct {
    const slx_time_watts *watts; /* as in slx_time_options */
    bool coarse; /* a quarter of the points, farther off between them: for who needs all of them before the first step */
} slx_memo_options;

/* Borrows program and chip until the close. opt NULL: the fine table. */
slx_status slx_memo_open(slx_memo **out, const slx_program *p, const slx_chip *c, const slx_memo_options *opt,
                         slx_err *err);
void slx_memo_close(slx_memo *m); /* NULL is fine */

/* A step of n sequences, in the order in which the step has them. Refuses what the program's descriptor has no room for. */
slx_status slx_memo_step(slx_memo *m, const slx_memo_seq *seq, uint32_t n, slx_memo_cost *out, slx_err *err);
/* Simulates all points, so that no later call does. go_on (NULL: always) is asked before each; *done = false when it said
 * no, and the rest is left to later calls. */
slx_status slx_memo_fill(slx_memo *m, bool (*go_on)(void *arg), void *arg, bool *done, slx_err *err);

/* How many steps were simulated. */
uint32_t slx_memo_points(const slx_memo *m);

/* Random steps, drawn alike for alike seeds, each looked up and simulated: of 1 to `batch` sequences that decode, with up
 * to `context` tokens. Their lengths are in turn spread evenly, one long beside short ones, all equal, and of two kinds.
 * mixed: a quarter as many steps that hold a piece of a prompt too. */
typedef struct {
    uint32_t tries, mixed;
    double mean, worst;         /* |looked up / simulated - 1| of the seconds */
    double energy_mean, energy_worst;
    double mixed_mean, mixed_worst;
    double look_up_s;           /* CPU time of a call, mean of the steps that decode: differs from run to run */
} slx_memo_error;
slx_status slx_memo_measure(slx_memo *m, uint32_t tries, uint32_t batch, uint32_t context, uint64_t seed,
                            slx_memo_error *out, slx_err *err);

#endif
