/* plan.h - what the compiler decides before it writes a word: formats, sizes, tilings, places. Plain data, printable.
 *
 * Scratchpad of a tile
 *   0        header of the descriptor (64 bytes)
 *   ring     slots of weights
 *   common   areas of the phase that runs, laid out anew for every phase
 * With weights in ROM there is no ring, and the WEIGHTS region begins at SLX_ROM_BASE instead of in HBM.
 * HBM: the regions of program.h in the order WEIGHTS, ROPE, DESC, KV, EXCHANGE, LOGITS
 *   WEIGHTS  layer 0 | layer 1 | ... | tail | planes       layers and tail layer_stride bytes apart; tail is output_norm
 *            where a layer has attn_norm, so that "the next layer's norm" is one address for every layer
 *   EXCHANGE rows_pad rows a buffer: max_rows and one row tile more, so that intervals of addresses stay inside
 */
#ifndef SLX_PLAN_H
#define SLX_PLAN_H

#include "compile/compile.h"

/* Matrices of a layer, in the order they lie in memory; the head is apart. */
#define SLX_MATS(X) X(Q, "q") X(K, "k") X(V, "v") X(O, "o") X(GATE, "gate") X(UP, "up") X(DOWN, "down") X(HEAD, "head")
typedef enum {
#define X(n, t) SLX_MAT_##n,
    SLX_MATS(X)
#undef X
    SLX_N_MATS
} slx_mat_id;

/* What becomes of a product between chips (shard.c). */
typedef enum { SLX_MEET_NONE, SLX_MEET_SUM, SLX_MEET_GATHER } slx_meet;

/* One chip's part. */
typedef struct {
    uint32_t n, k, n_pad, kblk, slices, ns;
    uint32_t fmt, log2g, pieces, rot;
    uint32_t shard_rows, shard_k, ways, grain; /* as in slx_weight */
    slx_meet meet;
    uint64_t slice_bytes, off_w;  /* off_w: from the layer's base; head: from the region's base */
    const char *why;              /* why this format, for people */
} slx_mat_plan;

/* Scratchpad maps: every address by name. */
/* With other chips: y_step between two buffers of y, gathered rows behind each (template.h); gq, gqs, goc, gocs: gathered. */
/* whole: a row of A with all its blocks, not a piece's; groups: of tiles that share the rows of a long step (tmpl_share.c), 0: none. */
typedef struct { uint64_t a, as, y, y_step, end; uint32_t mr, groups; bool whole; } slx_map_linear;
typedef struct { uint64_t a, as, g, u, q, qs, gq, gqs, b, end; uint32_t mr, groups; bool whole; } slx_map_gateup;
typedef struct { uint64_t idx, a, as, y, y_step, end; uint32_t mr; } slx_map_head;
typedef struct { uint64_t idx, codes, scales, x, n, w, q, qs, pidx, pos, end; uint32_t mr; } slx_map_embed;
typedef struct { uint64_t x, y, w, q, qs, b, end; uint32_t mr; } slx_map_rows;
typedef struct { uint64_t idx, idx_stride, tab, q, k, v, r, qc, qs, kc, ks, vc, vs, b, nw, end; uint32_t mr; } slx_map_rope;
/* Where an item's rows end: a group's state and that of all (m and l, then o); heads quantised, and gathered. */
typedef struct { uint64_t stt, ot, sts, os, oc, ocs, goc, gocs; } slx_map_states;
typedef struct {
    slx_map_states s;
    uint64_t item, q, qs, lim, pages, page, page_step, t, p, pc, ps, st2, o2, end;
    uint32_t item_rows, buffers; /* of pages */
} slx_map_attn;
/* kept: buffers of kept states, step apart. */
typedef struct { slx_map_states s; uint64_t item, kept, step, end; } slx_map_merge;

/* Short steps: one map for all phases. A row of x, y, q, k, v lies on the tile that has it; a and a4 hold all rows, on every
 * tile; home: places of the tile's slices of a matrix, all at once (resident). */
typedef struct {
    uint32_t rows; /* most of a short step; 0: the program has none */
    bool resident;
    uint64_t a, as, a4, a4s, y, norm_ffn, norm_attn, sample, home[SLX_MAT_HEAD], end;
    slx_map_embed embed;
    slx_map_rope rope;
    slx_map_attn attn;
    slx_map_merge merge;
    slx_map_linear lin;
    slx_map_gateup gateup;
    slx_map_head head;
} slx_map_short;

typedef struct {
    const slx_model *model;
    const slx_chip *chip;
    slx_compile_options opt;         /* resolved */
    uint32_t tiles, spm_bytes, acc_cells, max_m, rows_cap;
    uint32_t hdp, group, kblk_d, vocab_pad, max_chunks;
    uint32_t grid_x;                 /* tiles in a row of the chip, where slices are dealt out by place; 0: by number */
    /* shard.c: of one chip */
    uint32_t chips, heads, kv_heads, kv_unit;
    bool sum_o, sum_down;            /* SUM, else GATHER */
    uint32_t attn_cols, kblk_a;      /* contraction of o */
    uint32_t ff_rows, kblk_ff;       /* rows of gate and up; contraction of down */
    uint32_t ld_ff;                  /* blocks from row to row of down's input */
    bool heads_quantised;            /* head_dim % 32 == 0 */
    bool too_large;                  /* it failed for want of memory alone: check_rom, check_hbm */
    bool in_rom;                     /* WEIGHTS lies in ROM, MM reads matrices there: no ring */

    slx_mat_plan mat[SLX_N_MATS];
    uint32_t embd_fmt;
    const char *embd_why;
    uint32_t slot, slots;            /* ring of weights: bytes of a slot, how many; none where weights lie in ROM */
    uint64_t ring;
    slx_map_linear lin_qkv, lin_o, lin_down;
    slx_map_gateup gateup;
    slx_map_head head;
    slx_map_embed embed;
    slx_map_rows rows, rowq;
    slx_map_rope rope;
    slx_map_attn attn;
    slx_map_merge merge;
    uint32_t merge_buffers;          /* of states, in steps of both kinds; 0: items are never split */
    slx_map_short brief;

    slx_region region[SLX_N_REGION_KINDS];
    uint64_t hbm_end; /* of all regions in HBM */
    uint64_t off_attn_norm, off_ffn_norm, layer_stride;
    uint64_t off_o_bias, off_up_bias, off_down_bias, pos_addr; /* gpt; pos_addr absolute */
    uint64_t off_qkv_bias, off_qk_norm; /* biases of q, k, v in a row; norms of q and k; where the model has them */
    uint64_t embd_addr, embd_bytes, embd_off_scale, embd_off_m;
    uint64_t head_bytes, head_off_scale, head_off_m; /* == embd's when tied; slices in ROM: no planes */
    slx_desc_layout desc;
    uint64_t page_stride, kv_head_stride, kv_layer_stride;
    uint32_t rows_pad;
    /* EXCHANGE, absolute addresses; strides in bytes */
    uint64_t x, x_stride, a1c, a1s, qkv, qkv_stride, off_k, off_v, qc, qs, attn_out, attn_out_stride, a2c, a2s, y,
        y_stride, a4c, a4s, states;
} slx_plan;

slx_status slx_plan_make(slx_plan *p, const slx_model *m, const slx_chip *c, const slx_compile_options *opt,
                         slx_err *err);
void slx_plan_print(const slx_plan *p, FILE *out);
const char *slx_mat_name(slx_mat_id id);

/* room.c: adds to the refusal in err of a plan that was too large what would fit; all of it was tried. opt: as asked for. */
void slx_plan_advise(const slx_plan *p, const slx_compile_options *opt, slx_err *err);

/* shard.c: the division over opt.tp chips, or why there is none; then one matrix of it (n, k, log2g, shard, meet). */
slx_status slx_plan_shard(slx_plan *p, slx_err *err);
void slx_plan_shard_mat(const slx_plan *p, slx_mat_id id, slx_mat_plan *m);

/* plan_spm.c: pieces, row tiles and scratchpad maps for the formats already chosen. */
slx_status slx_plan_spm(slx_plan *p, slx_err *err);

/* plan_attn.c: how much may be split (of desc; off the other capacities), and the maps of merges; then what attention takes of a
 * tile, about (attn_*_ps of the header). */
void slx_plan_attn_split(slx_plan *p);
void slx_plan_attn_times(const slx_plan *p, slx_program_info *out);

/* Words, spans and recipe of a plan. out is initialised. dump: "schedule" prints the spans. */
slx_status slx_emit_program(slx_program *out, const slx_plan *p, slx_err *err);
/* emit_header.c: the header, regions, groups and recipe of an emitted program. */
void slx_emit_header(slx_program *out, const slx_plan *p);
void slx_schedule_print(const slx_program *p, FILE *out);

#endif
