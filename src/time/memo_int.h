/* memo_int.h - inside the table of steps: memo_attention.c computes what attention takes, memo_alone.c measures what it
 * needs for that, memo.c has the points, memo_axis.c says which, memo_measure.c how far off they are. */
#ifndef SLX_MEMO_INT_H
#define SLX_MEMO_INT_H

#include "isa/step_share.h"
#include "time/memo.h"

/* ------------------------------------------------------------------ memo.c */

static inline uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Pages that a sequence of so many tokens has. */
static inline uint32_t slx_memo_pages(uint64_t tokens) {
    return (uint32_t)((tokens + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK);
}

/* Items of so many rows of a sequence, for one head. */
static inline uint32_t slx_memo_pieces(uint32_t item_rows, uint32_t rows) {
    return rows <= item_rows ? 1 : (uint32_t)(((uint64_t)rows + item_rows - 1) / item_rows);
}

typedef struct {
    double seconds, joules, watts; /* joules: without what goes by time, which is watts */
    double attention_s; /* of the seconds, on the critical path */
} slx_memo_parts;

/* The step itself, folded. */
slx_status slx_memo_simulate(slx_memo *m, const slx_memo_seq *seq, uint32_t n, slx_memo_parts *out, slx_err *err);
const slx_program_info *slx_memo_info(const slx_memo *m);

/* ------------------------------------------------------------------ memo_attention.c */

enum { SLX_MEMO_SIZES = 13 }; /* items of up to 2^12 rows */

/* An item alone. */
typedef struct {
    double item_s;         /* beside its pages: start-up, and what its rows take once */
    double page_s, page_j; /* each of its pages */
} slx_memo_alone;

/* All of a step's layers together. Two kinds of step: [0] long, [1] short. */
typedef struct {
    const slx_program_info *info;            /* of the program, borrowed */
    uint32_t tiles, heads, item_rows, sizes; /* sizes: of items of 1, 2, 4, .. rows, the last of item_rows, is known */
    slx_memo_alone alone[2][SLX_MEMO_SIZES]; /* what one takes that has memory to itself */
    double page_memory_s, page_cut_s[4];     /* that a page keeps memory busy; a lane of a cut, in slx_tm_mem's order */
    double append_row_s;                     /* that a row's keys and values keep the page they are stored to busy */
    double append_free;                      /* rows of one page that are stored in the time that all rows take anyway */
    double full_s;                           /* of a page while all tiles ask for them: who takes longer is not held up */
    double weights_s;                        /* that a tile's link is busy with its weights, in a short step */
    uint32_t columns;                        /* lanes of a cut between rows of the grid */
    uint32_t lanes, padded;                  /* lanes and tiles, made whole for loops of several at once */
    float *lane_s, *is_right;                /* [lanes] page_cut_s of it; 1: reads through cut 0 and not 1 */
    float *crossing;                         /* [padded] of its weights through its lane, while they come: pages a second */
    int32_t *lane;                           /* [padded] its column, or columns + it: through cut 2, or 3 */
    uint32_t *bound, *before;                /* [tiles + 1] of slx_share_out */
    slx_share_seq *seq;                      /* [max_seqs + 1] scratch */
    /* scratch */
    float *ends, *part, *loaded, *on;        /* [stretches][lanes] three times, [lanes] */
    float *page_n, *busy_s;                  /* [padded] pages; seconds alone */
    float *more_s, *stiff_s;                 /* [padded] of them beyond those of items of one row; that do not dilate */
    float *rate, *into;                      /* [padded] pages a second, later seconds together; share of the last stretch */
    int32_t *at;                             /* [padded] last stretch and lane */
} slx_memo_attention;

/* `alone` and append_free are 0 and a page until the caller puts them there. */
slx_status slx_memo_attention_init(slx_memo_attention *k, const slx_program *p, const slx_chip *c, slx_err *err);
void slx_memo_attention_deinit(slx_memo_attention *k);
/* Rows of size i. */
uint32_t slx_memo_attention_rows(const slx_memo_attention *k, uint32_t i);
typedef struct {
    double seconds; /* from the first item's start to the last one's end */
    double pages;   /* read through the lane that has most of them, in one layer */
    double joules;  /* of the pages, what goes by time apart */
    double append_s; /* beside: rows that are stored to one page wait for one another */
} slx_memo_load;
/* Most rows of the step that lie in one page. */
uint32_t slx_memo_attention_page_rows(const slx_memo_seq *seq, uint32_t n);
slx_memo_load slx_memo_attention_of(slx_memo_attention *k, bool is_short, const slx_memo_seq *seq, uint32_t n);

/* ------------------------------------------------------------------ memo_alone.c */

/* k->alone of long or of short steps, those of long ones first; and k->append_free. Counts the steps it simulates. */
slx_status slx_memo_alone_measure(slx_memo *m, slx_memo_attention *k, uint32_t short_rows, bool small,
                                  uint32_t *simulated, slx_err *err);

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

#endif
