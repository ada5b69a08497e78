/* fast_int.h - inside the fast machine.
 *
 *   fast.c       open: prove the spans, find the weights, pack them; close
 *   fast_prove.c spans -> the words they claim to be; how the phases of one layer hang together
 *   fast_short.c the way of short steps computes the same
 *   fast_apart.c areas of a scratchpad and buffers of HBM that a phase uses lie apart
 *   fast_desc.c  a step's descriptor, held to the form that a host writes
 *   fast_step.c  a step: phases over a thread team          fast_attn.c  rope, KV pages, attention
 *
 * The program's exchange buffers, scratchpads and tiles do not exist here: what lies between two phases is a host
 * array, legal because the proof shows that the next phase reads what this one wrote and nothing else does.
 *
 * Chips that run a program together are one here, with the weights, heads and columns of all: GAT puts the rows that
 * each made in the order of the whole, and RED adds nodes of the segment tree in the tree's own order, so both together
 * are the product over the whole matrix, bit for bit. Only the KV pages are kept where they belong, on their chip.
 */
#ifndef SLX_FAST_INT_H
#define SLX_FAST_INT_H

#include "compile/import.h"
#include "compile/template.h"
#include "func/func_int.h"
#include "num/panel.h"

enum { SLX_FAST_MAX_THREADS = 64, SLX_FAST_SMALL_ROWS = 8 };

/* The spans of the one program shape the fused kernels know. rowq is NULL where heads are whole blocks, merge where
 * attention items are never split. */
typedef struct {
    const slx_span *prologue, *embed, *loop, *qkv, *rope, *attn, *merge, *rowq, *o, *rows1,
        *gateup, *down, *rows2, *head;
} slx_fast_spans;

/* Spans of the way that short steps take: the same phases, each with a twin above. branch is NULL where the program has
 * none. load: prefetches of q k v (first layer), o, gate, up, down, of the next layer's q k v; NULL where weights lie
 * in ROM or pass through the ring. */
typedef struct {
    const slx_span *branch, *tables, *embed, *loop, *qkv, *rope, *attn, *merge, *norm1, *norm2, *o, *rows1, *gateup,
        *down, *rows2, *head, *jump, *load[6];
} slx_fast_short;

/* A proof under way: the first reason against it, in buf. Both helpers are false when they say no. */
typedef struct {
    const slx_program *p;
    char *buf;
    const char *why;
} slx_fast_proof;
bool slx_fast_no(slx_fast_proof *pf, const slx_span *s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool slx_fast_same(slx_fast_proof *pf, const slx_span *s, const char *what, uint64_t found,
                   uint64_t expected);
/* For a program whose phases fit each other: nothing that a phase writes lies over what it still reads. */
bool slx_fast_apart(slx_fast_proof *pf, const slx_fast_spans *s);
/* MERGE m reads what attention a keeps and goes on as it does. */
bool slx_fast_merge_same(slx_fast_proof *pf, const slx_fast_spans *s, const slx_span *a, const slx_span *m);

/* Takes MERGE where the program splits attention items. */
bool slx_fast_take_merge(slx_fast_proof *pf, uint32_t *i, const slx_span **merge);
/* Takes the spans of the short way from *i on, if there are any; their order only. */
bool slx_fast_short_order(slx_fast_proof *pf, uint32_t *i, slx_fast_short *w);
/* The short way computes what its twins in s do. */
bool slx_fast_short_same(slx_fast_proof *pf, const slx_fast_spans *s, const slx_fast_short *w);
bool slx_fast_short_apart(slx_fast_proof *pf, const slx_fast_short *w);
/* The next span if it is of the wanted template, else NULL with the reason; a barrier of all tiles for `to`. */
const slx_span *slx_fast_take(slx_fast_proof *pf, uint32_t *i, slx_template_id id);
bool slx_fast_barrier(slx_fast_proof *pf, uint32_t *i, uint64_t to);
/* The LOOP of a layer span covers exactly the words up to `end`. */
bool slx_fast_loop_ends(slx_fast_proof *pf, const slx_span *loop, uint32_t end);

/* Fills *s from the program's spans; NULL when every word is proved and the phases fit each other, else the reason
 * (in buf). */
const char *slx_fast_prove(const slx_program *p, slx_fast_spans *s, uint32_t *fused, char buf[256]);

typedef struct {
    slx_panels q, k, v, o, gate, up, down;
    float *attn_norm, *ffn_norm; /* [d_model] */
    float *qkv_bias;             /* [heads + 2 kv_heads][hd], or NULL */
    float *qk_norm;              /* [2][hd] of q, of k; or NULL */
} slx_fast_layer;

/* One thread's own memory. */
typedef struct {
    float *x;           /* [SMALL_ROWS][d]: its copy of the residual rows of a small step */
    float *y;           /* [max(d, heads*hd)] one row */
    int8_t *codes;      /* [SMALL_ROWS][32*max kblk] */
    uint8_t *scales;    /* [SMALL_ROWS][max kblk] */
    int8_t *head_codes; /* [SMALL_ROWS][32*kblk_d] rows that want logits */
    uint8_t *head_scales;
    slx_act act;   /* SMALL_ROWS rows */
    float *g, *u;  /* [max_rows][32] a slice of gate and up */
    void *scratch; /* panel kernels */
    size_t scratch_bytes;
    /* attention */
    float *t, *p;                   /* [block rows][128], [128] */
    float *o2, *ot, *os;            /* [block rows][hdp] */
    slx_attn_state *st, *stt, *sts; /* of a chunk, a group, all; [block rows] */
    int8_t *pc, *qc, *vt;           /* [block rows][128], [block rows][hdp], [hdp][128] */
    uint8_t *ps, *qs, *code133;
    slx_act pact, qact;
    slx_panels kp, vp;
    bool faulted;
    bool unsure; /* strict may FAULT where this thread did not look */
} slx_fast_thread;

/* Attention work as the descriptor lists it. */
typedef struct {
    uint32_t row0, rows, kv_head, page_at, chunks;
} slx_fast_item;

struct slx_fast {
    const slx_program *prog;
    const slx_model *model;
    slx_hbm *hbm; /* of the chip of rank 0 */
    uint32_t chips;
    slx_fast_spans s;
    char why_text[256];
    const char *why;
    uint32_t fused;
    const slx_kern *kern;
    slx_team *team;
    int n_threads;
    slx_fast_layer *layers;
    float *output_norm;
    slx_panels head;
    const slx_weight *emb;
    float *rope; /* [max_context][n_rot], the ROPE region */
    /* shapes, of all chips together */
    uint32_t d, qkv_cols, off_k, off_v, heads, kv_heads, hd, hdp, group, kblk_d, kblk_a, kblk_f, ff_pad,
        max_rows, o_cols;
    float eps1, eps2, eps_embed, eps_heads, attn_scale;
    /* shared rows of a step */
    float *x, *qkv, *out, *attn_f32;
    int8_t *codes; /* [max_rows][32 * widest kblk]: quantised input of the next product */
    uint8_t *scales;
    int8_t *q_codes; /* [max_rows][heads*hdp] */
    uint8_t *q_scales;
    int8_t *f_codes; /* [max_rows][ff_pad] */
    uint8_t *f_scales;
    slx_act act; /* max_rows rows, shared, for large steps */
    slx_fast_thread th[SLX_FAST_MAX_THREADS];
    uint32_t block_rows;  /* head rows one attention block holds */
    slx_fast_item *items; /* [max_items + max_merges], of all chips */
    uint32_t *slots;      /* [max_rows] fast_desc.c: rows of pages that a step writes */
    uint8_t *covered;     /* [max_rows][kv_heads] fast_desc.c: an item has it */
    uint8_t *used;        /* [max_items + max_merges] fast_desc.c: a tile does it */
    uint8_t **kv;         /* [kv_heads] page 0 of layer 0, on the head's chip */
    uint32_t q_scale_max; /* the largest scale code of a query whose scores are always finite */
    bool interleaved;
    slx_arena arena;
};

/* The running step, read by every thread. */
typedef struct {
    slx_fast *f;
    const uint8_t *desc;
    uint32_t rows, samples, n_items;
    const slx_fast_item *items;
    bool split_heads; /* a small step: threads share the heads of an item too */
} slx_fast_run;

/* Units of a page's index space: K codes 0..127 of it are its positions (program.h). */
enum { SLX_PAGE_ROWS = 264 };

/* Reads the step's numbers and items into *r. false: the descriptor is none that slx_step_build writes, and what it then
 * means is for strict to say. */
bool slx_fast_desc(slx_fast_run *r);
uint32_t slx_fast_block_rows(const slx_fast *f);
void slx_fast_rope_rows(const slx_fast_run *r, slx_fast_thread *th, uint32_t layer, uint32_t unit0,
                        uint32_t unit1);
uint32_t slx_fast_attn_units(const slx_fast_run *r);
void slx_fast_attn_unit(const slx_fast_run *r, slx_fast_thread *th, uint32_t layer, uint32_t unit);
void slx_fast_attn_init(slx_fast *f, slx_fast_thread *th);
void slx_fast_attn_deinit(slx_fast_thread *th);

/* u32 of the descriptor at byte offset off + 4*i. */
static inline uint32_t slx_desc_u32(const uint8_t *desc, uint32_t off, uint32_t i)
{
    uint32_t v;
    __builtin_memcpy(&v, desc + off + 4ull * i, 4);
    return v;
}

static inline bool slx_finite_all(const float *x, size_t n)
{
    uint32_t worst = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t e = slx_f32_bits(x[i]) & 0x7f800000;
        worst = e > worst ? e : worst;
    }
    return worst != 0x7f800000;
}

/* [*lo, *hi) of n things is thread i's share, in whole units but for the last. */
static inline void slx_share(uint32_t n, uint32_t unit, int i, int of, uint32_t *lo, uint32_t *hi)
{
    uint32_t units = (n + unit - 1) / unit;
    uint64_t a = (uint64_t)units * (uint32_t)i / (uint32_t)of,
             b = (uint64_t)units * ((uint32_t)i + 1) / (uint32_t)of;
    *lo = (uint32_t)(a * unit < n ? a * unit : n);
    *hi = (uint32_t)(b * unit < n ? b * unit : n);
}

#endif
