/* memo_int.h - inside the table of steps: memo_attention.c computes what attention takes, memo.c has the
 * points, memo_axis.c says which, memo_measure.c how far off they are. */
#ifndef SLX_MEMO_INT_H
#define SLX_MEMO_INT_H

#include "time/memo.h"

/* ------------------------------------------------------------------ memo_attention.c */

enum { SLX_MEMO_SIZES = 13 }; /* items of up to 2^12 rows */

/* All of a step's layers together. Two kinds of step: [0] long, [1] short. */
typedef struct {
    uint32_t tiles, heads, item_rows, sizes; /* sizes: page_s is known of items of 1, 2, 4, .. rows, the last of item_rows */
    double item_s;                           /* start-up of an item */
    double page_s[2][SLX_MEMO_SIZES], page_j[2][SLX_MEMO_SIZES]; /* of a page that has memory to itself */
    double page_memory_s, page_cut_s[4];     /* that a page keeps memory busy; a lane of a cut, in slx_tm_mem's order */
    uint32_t columns;                        /* lanes of the cuts between rows */
    uint16_t *lane;                          /* [tiles] its column, or columns + it: through cut 2, or 3 */
    uint8_t *right;                          /* [tiles] 1: reads through cut 0 and not 1 */
    double *ends, *part, *on, *last, *time;  /* scratch of the integral: [stretches][lanes] twice, [lanes] three times */
    double *page_n, *busy_s;                 /* [tiles] scratch: pages, seconds alone */
} slx_memo_attention;

/* page_s and page_j are 0 until the caller puts them there. */
slx_status slx_memo_attention_init(slx_memo_attention *k, const slx_program *p, const slx_chip *c, slx_err *err);
void slx_memo_attention_deinit(slx_memo_attention *k);
/* Rows of size i. */
uint32_t slx_memo_attention_rows(const slx_memo_attention *k, uint32_t i);
typedef struct {
    double seconds; /* from the first item's start to the last one's end */
    double pages;   /* read through the lane that has most of them, in one layer */
    double joules;  /* of the pages, what goes by time apart */
} slx_memo_load;
slx_memo_load slx_memo_attention_of(const slx_memo_attention *k, bool is_short, const slx_memo_seq *seq, uint32_t n);

/* ------------------------------------------------------------------ memo_axis.c */

typedef struct {
    uint32_t short_rows;   /* most rows of a short step, 0: there is none */
    uint32_t tiles, heads;
    bool coarse;
} slx_memo_axis;

typedef struct {
    uint32_t low, high; /* neighbours, low <= n <= high */
    double share;       /* of high */
} slx_memo_between;

/* n: 1 to most (samples: from 0). */
slx_memo_between slx_memo_samples_axis(const slx_memo_axis *a, uint32_t n, uint32_t most);
slx_memo_between slx_memo_rows_axis(const slx_memo_axis *a, bool decode, uint32_t n, uint32_t most);

/* ------------------------------------------------------------------ memo.c */

static inline uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}


/* Pages that a sequence of so many tokens has. */
static inline uint32_t slx_memo_pages(uint64_t tokens) {
    return (uint32_t)((tokens + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK);
}

typedef struct {
    double seconds, joules, watts; /* joules: without what goes by time, which is watts */
} slx_memo_parts;

/* The step itself, folded. */
slx_status slx_memo_simulate(slx_memo *m, const slx_memo_seq *seq, uint32_t n, slx_memo_parts *out, slx_err *err);
const slx_program_info *slx_memo_info(const slx_memo *m);

#endif
