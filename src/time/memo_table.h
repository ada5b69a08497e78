/* memo_table.h - the points of the table of steps: memo.c says what a step is made of, memo_lines.c has the lines,
 * memo_samples.c what rows that are sampled take, memo_fill.c simulates all of it. */
#ifndef SLX_MEMO_TABLE_H
#define SLX_MEMO_TABLE_H

#include "time/memo_int.h"

enum { LENGTHS = 27 }; /* of 2^i pages, so many that no 32-bit position is beyond */

typedef struct {
    bool known;
    uint32_t pages;
    slx_memo_load load; /* by the law */
    slx_memo_parts is;  /* joules: without those of pages */
} slx_memo_point;

/* Steps of one number of rows, longer and longer. */
typedef struct {
    uint32_t n;
    slx_memo_point p[LENGTHS];
} slx_memo_line;

/* What a number of rows takes beyond what lies straight between its neighbours. */
typedef struct {
    bool known;
    slx_memo_parts more;
} slx_memo_apart;

typedef enum { EQUAL, EVEN, ONE_LONG, PROMPT, N_SHAPES } slx_memo_shape;

struct slx_memo {
    slx_memo_lab lab;
    slx_memo_attention law;
    bool measured[2];        /* law's pages, of long and of short steps */
    slx_memo_axis axis;
    uint32_t most_decode;    /* rows of a step that only decodes */
    slx_memo_line **lines[N_SHAPES];  /* [rows] NULL: not asked for yet */
    slx_memo_apart *apart[2];         /* [rows] of pieces of prompts, of steps that decode */
    slx_memo_point *samples[2];       /* [max_samples + 1] of long and of short steps */
};

/* So much of the way from low to high. */
static inline double slx_memo_between_of(double low, double high, double share)
{
    return low + (high - low) * share;
}

static inline void slx_memo_mix(slx_memo_parts *a, const slx_memo_parts *b, double share)
{
    a->seconds = slx_memo_between_of(a->seconds, b->seconds, share);
    a->joules = slx_memo_between_of(a->joules, b->joules, share);
    a->watts = slx_memo_between_of(a->watts, b->watts, share);
}

/* ------------------------------------------------------------------ memo_lines.c */

bool slx_memo_is_short(const slx_memo *m, uint32_t rows);
/* Sequences that a prompt of so many rows is: one, where it fits a context. */
uint32_t slx_memo_prompt_sequences(const slx_memo *m, uint32_t rows);
/* Its sequences into seq, evenly; the last rows of each are sampled, as many as there are. Returns how many. */
uint32_t slx_memo_prompt(const slx_memo *m, uint32_t rows, uint32_t before, uint32_t samples, slx_memo_seq *seq);
/* Most rows of a prompt. */
uint32_t slx_memo_most_rows(const slx_memo *m);
/* The law's measured figures, for long or short steps. */
slx_status slx_memo_law_ready(slx_memo *m, bool small, slx_err *err);
/* What is there of it, or made; the points are simulated by slx_memo_point_get. */
slx_status slx_memo_line_get(slx_memo *m, slx_memo_shape s, uint32_t rows, slx_memo_line **out, slx_err *err);
slx_status slx_memo_point_get(slx_memo *m, slx_memo_shape s, uint32_t rows, slx_memo_point *p, slx_err *err);
/* What a number of rows between the two of b takes beyond what lies straight between them. */
slx_status slx_memo_apart_get(slx_memo *m, bool decode, uint32_t rows, const slx_memo_between *b, slx_memo_apart **out,
                              slx_err *err);
/* A step of so many rows whose attention is as the law says. */
slx_status slx_memo_rows_at(slx_memo *m, bool decode, uint32_t rows, const slx_memo_load *load,
                            slx_memo_parts *out, slx_err *err);

/* ------------------------------------------------------------------ memo_samples.c */

/* Rows of the steps that are compared for it. */
uint32_t slx_memo_sampled_rows(const slx_memo *m, bool small);
slx_status slx_memo_sample_point(slx_memo *m, bool small, uint32_t samples, const slx_memo_parts **out,
                                 slx_err *err);
/* What a step with so many rows sampled takes beyond one with one of them. */
slx_status slx_memo_samples_add(slx_memo *m, bool small, uint32_t samples, slx_memo_parts *to,
                                slx_err *err);

#endif
