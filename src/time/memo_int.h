/* memo_int.h - inside the table of steps: memo_lab.c simulates, memo_watch.c looks at single tiles meanwhile; memo_share.c
 * and memo_attention.c compute what attention takes, memo_alone.c and memo_loads.c measure what they need for that;
 * memo_table.h has the points, memo_axis.c says which, memo_measure.c how far off they are. */
#ifndef SLX_MEMO_INT_H
#define SLX_MEMO_INT_H

#include "isa/step_share.h"
#include "time/memo.h"

/* ------------------------------------------------------------------ memo_lab.c */

/* What steps are simulated with. */
typedef struct {
    const slx_program *p;
    const slx_chip *c;
    slx_time_watts watts;
    uint32_t short_rows; /* most rows of a short step, 0: there is none */
    bool *attends;       /* [n_spans] spans of the program that attention is */
    uint8_t *desc;
    uint32_t points;     /* simulated for the table */
    bool whole;          /* now as if the program split no items, on tiles in their own order: by `without` */
    slx_program_info without;
} slx_memo_lab;

void slx_memo_lab_init(slx_memo_lab *l, const slx_program *p, const slx_chip *c, const slx_time_watts *watts);
void slx_memo_lab_deinit(slx_memo_lab *l);

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

/* A step as opt says, its watts apart, which are the lab's. The caller frees the result. */
slx_status slx_memo_run(slx_memo_lab *l, const slx_memo_seq *seq, uint32_t n, slx_time_options opt,
                        slx_time_result *out, slx_err *err);
/* The step itself, folded. */
slx_status slx_memo_try(slx_memo_lab *l, const slx_memo_seq *seq, uint32_t n, slx_memo_parts *out, slx_err *err);
slx_status slx_memo_simulate(slx_memo *m, const slx_memo_seq *seq, uint32_t n, slx_memo_parts *out, slx_err *err);
const slx_program_info *slx_memo_info(const slx_memo *m);

/* ------------------------------------------------------------------ memo_watch.c */

/* Of a tile, in clocks. */
typedef struct {
    uint32_t pages;
    uint64_t first_page, last_page; /* their softmax is done */
    uint64_t items_end;             /* the last result of its items; 0: it has none */
    uint64_t last_load;             /* of attention, begun */
} slx_memo_watched;
typedef struct {
    uint32_t tile, pc, stack; /* stack: as in slx_time_event */
    uint64_t start, finish, bytes;
} slx_memo_watched_load;
typedef struct {
    const slx_memo_lab *lab;
    int32_t layer;
    uint32_t behind;        /* pc of the last instruction of attention */
    uint64_t begin, end;    /* of attention */
    slx_memo_watched *tile; /* [n_tiles]; of a folded step, of its first tiles of classes */
    slx_buf loads;          /* of this layer: slx_memo_watched_load */
} slx_memo_watch;
/* Simulates a step and looks at its second layer. On SLX_OK the caller frees w. */
slx_status slx_memo_watch_run(slx_memo_watch *w, slx_memo_lab *l, const slx_memo_seq *seq, uint32_t n, bool folded,
                              slx_err *err);
void slx_memo_watch_free(slx_memo_watch *w);

/* ------------------------------------------------------------------ memo_attention.c */

enum { SLX_MEMO_SIZES = 13 }; /* items of up to 2^12 rows */

/* An item alone. */
typedef struct {
    double item_s;         /* beside its pages: start-up, and what its rows take once */
    double page_s, page_j; /* each of its pages */
} slx_memo_alone;

/* What a tile of a short step loads of weights while others are at attention, of one layer. */
typedef struct {
    double bytes, lane_bytes; /* lane_bytes: through its lane; of bytes from all stacks alike it would be all */
    double link_s, gated_s;   /* of all layers: on its link, as soon as its pages are asked for; when its items have ended */
    double queued_s;          /* of link_s, most at a time */
    double window_bytes;      /* asked for at a time, at most */
} slx_memo_weights;

/* All of a step's layers together. Two kinds of step: [0] long, [1] short. */
typedef struct {
    const slx_program_info *info;            /* of the program, borrowed */
    uint32_t tiles, heads, item_rows, sizes; /* sizes: of items of 1, 2, 4, .. rows, the last of item_rows, is known */
    slx_memo_alone alone[2][SLX_MEMO_SIZES]; /* what one takes that has memory to itself */
    double later_s[2], first_s[2];           /* an item behind another on its tile, beside its pages; what the first of
                                                several takes beyond an only one */
    double page_memory_s, page_cut_s[4];     /* that a page keeps memory busy; a lane of a cut, in slx_tm_mem's order */
    double append_row_s;                     /* that a row's keys and values keep the page they are stored to busy */
    double append_free;                      /* rows of one page that are stored in the time that all rows take anyway */
    double full_s;                           /* of a page while all tiles ask for them: who takes longer is not held up */
    double tick_s, layers, page_bytes;       /* page_bytes: in all layers */
    float *link_s, *gated_s, *queued_s;      /* [padded] as in weights */
    double start_s;                          /* of an item, until its first page is done, alone */
    double page_window;                      /* pages that a tile asks for at a time, in a short step */
    double lead_s;                           /* that a tile's weights come before its items' end */
    slx_memo_weights *weights;               /* [tiles] in a short step */
    uint32_t columns;                        /* lanes of a cut between rows of the grid */
    uint32_t lanes, padded;                  /* lanes and tiles, made whole for loops of several at once */
    float *lane_s, *is_right;                /* [lanes] page_cut_s of it; 1: reads through cut 0 and not 1 */
    float *load_s, *crossing, *asking;       /* [padded] of its weights: seconds on its link; while they come, in pages a
                                                second, through its lane and of memory */
    float *lane_rate, all_rate, all_work;    /* of all tiles' weights: [2][lanes] pages a second, and pages; of memory */
    int32_t *lane;                           /* [padded] its column, or columns + it: through cut 2, or 3 */
    slx_share_cut cut;                       /* of the last step's items */
    uint32_t *bound, *before;                /* [tiles + 1] of slx_share_out */
    uint32_t *down, *across;                 /* [tiles] orders of the tiles: down the columns, and as they are counted */
    const uint32_t *order;                   /* one of them, of the last step */
    slx_share_seq *seq;                      /* [max_seqs + 1] scratch */
    /* scratch */
    float *ends, *part, *loaded;             /* [stretches][lanes]; loaded: and one more */
    float *asked, *on;                       /* [stretches + 1], [2][lanes] */
    float *page_n, *items_n, *busy_s;        /* [padded] pages; items and parts; seconds alone */
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

/* After k->weights are known. */
void slx_memo_attention_loads(slx_memo_attention *k);

/* ------------------------------------------------------------------ memo_share.c */

/* Pages of every tile, and its seconds beyond those of items of one row; joules of the pages. */
void slx_memo_share_out(slx_memo_attention *k, bool is_short, const slx_memo_seq *seq, uint32_t n, slx_memo_load *out);

/* ------------------------------------------------------------------ memo_alone.c, memo_loads.c */

/* k->alone of long or of short steps, those of long ones first; and k->append_free. */
slx_status slx_memo_alone_measure(slx_memo_lab *l, slx_memo_attention *k, bool small, slx_err *err);
/* k->later_s and first_s from a step as it went. */
void slx_memo_watch_items(const slx_memo_watch *w, slx_memo_attention *k, bool small, const slx_memo_seq *seq, uint32_t n);
/* k->weights, of a program that has short steps. */
slx_status slx_memo_loads_measure(slx_memo_lab *l, slx_memo_attention *k, slx_err *err);

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
