/* template.h - the schedule templates: pure functions from parameters to instruction words.
 *
 * A program is a list of spans, each the expansion of one template. The compiler writes (template, parameters) beside
 * the words; fast expands again and compares before it trusts a fused kernel. Phases of one step on T tiles:
 *
 *   prologue
 *   branch: a short step   tables | embed | prefetch BAR | LOOP layers: the phases below | lmhead | jump to the end
 *   any other              embed BAR | LOOP layers: linear q k v BAR | rope BAR | attention merge BAR [rowq BAR] | linear o BAR
 *                          | rows (x += o; norm; quantise) BAR | gateup BAR | linear down BAR
 *                          | rows (x += down; next norm) BAR | lmhead
 *   end
 *
 * Between phases everything lies in the EXCHANGE region of HBM; a phase ends with BAR, after which LDQ may read.
 * Programs of several chips (meet, chips): where products, codes of gate and up or attention are parts of a whole, NET
 * stands between the engine that made them and STQ; what is stored is then the same on every chip. With meet the output
 * of a product has two buffers y_step apart, used in turn; GATHER: behind each its rows from all chips.
 *
 * push: 0, or the most rows of a short step, no more than there are tiles. In a short step nothing but queries and KV pages
 * goes through HBM: a phase MOVs what it makes into the scratchpads of those who read it, x stays with the tile that has the
 * row, and LDQ brings weights ahead of time (prefetch), each slice to a place of its own (home); ready 0: they pass through
 * the ring. What is an address of HBM without push (a_codes, a_scales, out, out_codes, out_scales) is one of the scratchpad
 * then, the same on all tiles.
 *
 * Registers with one meaning all through: r4 rows of the step, r5 samples, r6 first row of this tile, r7 rows of this
 * tile, r8 layer, r9 HBM address of this layer's weights, r10 of this layer's KV, r19 offset in the ring of the
 * weights in use. r11..r18, r20..r31 belong to the template that runs.
 *
 * Weights pass through a ring in the scratchpad: `slots` slots of `slot` bytes from `ring` on; a piece of a slice takes one
 * slot, in the order in which pieces are used. slots 0: there is none. The matrices lie in ROM at the same places of the
 * WEIGHTS region and MM reads them there; the head's too is in slices then, and off_scale and off_m are 0.
 *
 * ways, grain: slices are woven over so many stacks of the memory (slx_slices of program.h); ways 0: they are not. grid_x:
 * tiles in a row of the chip, and slices fall to tiles by place (e_slices of tmpl_int.h); 0: by number.
 */
#ifndef SLX_TEMPLATE_H
#define SLX_TEMPLATE_H

#include "isa/program.h"

/* Who waits for a BAR: an engine, by an instruction without work right behind it; or LDQ, by one that comes later. */
enum { SLX_TO_LDQ, SLX_TO_TEN, SLX_TO_VEC, SLX_TO_LDQ_LATER };
/* In a short step the tile's span of items stands so far behind spm_item. */
enum { SLX_SPAN_AT = 32 };

/* Groups of tiles that share rows are fewer than this. */
enum { SLX_SHARE_GROUPS = 64 };
/* Rows behind a row tile's mr that bounds of addresses need where tiles share rows (groups > 0): a tile's part of it. */
uint64_t slx_share_slack(uint64_t tiles, uint64_t groups, uint64_t mr);

/* Parameters by name: X(name), in the order of slx_span.param. Addresses are HBM (absolute) unless spm_/off_; off_w is
 * relative to r9. *_stride in bytes. */
#define SLX_TP_PROLOGUE(X) X(tiles) X(max_rows) X(max_samples) X(rows_cap) X(spm_header) X(slots) X(buffers) \
    X(merges) X(tok_credit_mask) X(weights) X(kv)
/* to: the engine that waits for it (SLX_TO_*). */
#define SLX_TP_BARRIER(X) X(group) X(to)
/* A step of more than `rows` rows goes on `words` words behind; JUMP: every step. */
#define SLX_TP_BRANCH(X) X(rows) X(words)
#define SLX_TP_JUMP(X) X(words)
/* What the layers of a short step share: indices and rotations of the tile's row, numbers of the sampled rows, the
 * tile's share of attention items, the first of them and its pages; of merges, where items are split. */
#define SLX_TP_TABLES(X) X(off_position) X(off_kcode) X(off_kscale) X(off_vscale) X(rope) X(n_rot) X(push) X(spm_idx) \
    X(idx_stride) X(spm_tab) X(off_sample) X(max_samples) X(spm_sample) X(off_span) X(max_items) X(spm_item) \
    X(off_item) X(off_pages) X(max_list) X(max_chunks) X(spm_pages) \
    X(off_merge_span) X(off_merge) X(max_merges) X(spm_header) X(spm_merge)
/* Weights of up to three matrices into their places in the scratchpad, slice after slice, as LINEAR will read them. next: of
 * the next layer, none behind the last; ready: token LDQ -> TEN that says they are there, ready + 1 that their places are free. */
#define SLX_TP_PREFETCH(X) X(off_w) X(off_w1) X(off_w2) X(fmt) X(fmt1) X(fmt2) X(slices) X(slices1) X(slices2) X(rot) X(rot1) X(rot2) \
    X(home) X(home1) X(home2) X(kblk) X(pieces) X(ns) X(tiles) X(ready) X(next) X(weights) X(layer_stride) X(n_layers) \
    X(ways) X(grain) X(grid_x)
/* A norm's weight at r9 + off_norm for a tile with a row. */
#define SLX_TP_NORMLD(X) X(off_norm) X(d) X(spm_w)
/* tile's rows: token ids -> x; norm with the first layer's weight; quantise. layer 1: layer norms, each weight [d] followed
 * at the next 64 bytes by its bias [d]; and rows of the table at `pos`, fp32 [position][d], are added to x. */
#define SLX_TP_EMBED(X) X(off_token) X(emb_codes) X(emb_scales) X(emb_m) X(emb_fmt) X(kblk) X(d) X(x) X(a_codes) X(a_scales) \
    X(norm_w) X(eps) X(mr) X(spm_idx) X(spm_codes) X(spm_scales) X(spm_x) X(spm_n) X(spm_w) X(spm_q) X(spm_qs) X(rows_cap) \
    X(layer) X(pos) X(off_position) X(spm_pidx) X(spm_pos) X(push)
#define SLX_TP_LOOP_BEGIN(X) X(n_layers) X(body) X(weights) X(layer_stride) X(kv) X(kv_layer_stride)
enum { SLX_LINEAR_PARTS = 3 };
/* out[row][col0 + slice*ns ..] := A * W^T; fp32. piece sizes follow from kblk and pieces. Up to three matrices read the
 * same A: off_w, fmt, slices, rot and out of each; no slices: there is none. a_ld: blocks from row to row of A.
 * meet SUM: RED of the parts; GATHER: slice s of chip r is slice s*chips + r of the output.
 * whole 1: a row tile's activations lie in the scratchpad with all their blocks, also where weights come in pieces. groups > 0
 * (then whole, or one piece): rows are shared among up to so many groups of tiles, and multicast to them, as tmpl_share.c says;
 * the program's first groups are then ALL, its halves, its quarters .. ; row_cap: most rows of a step. */
#define SLX_TP_LINEAR(X) X(off_w) X(off_w1) X(off_w2) X(fmt) X(fmt1) X(fmt2) X(slices) X(slices1) X(slices2) X(rot) X(rot1) X(rot2) \
    X(out) X(out1) X(out2) X(out_stride) X(kblk) X(log2g) X(pieces) X(ns) X(tiles) X(a_codes) X(a_scales) \
    X(mr) X(spm_a) X(spm_as) X(spm_y) X(ring) X(slot) X(slots) X(a_ld) X(meet) X(chips) X(y_step) \
    X(push) X(ready) X(home) X(home1) X(home2) X(whole) X(groups) X(row_cap) X(ways) X(grain) X(grid_x)
/* bias 1: the biases of q, k, v, [heads + 2 kv_heads][hd] at r9 + off_bias, are added first; norm 1: then every head of q
 * and of k is normed, weights [hd] of q and [hd] of k at r9 + off_norm. */
#define SLX_TP_ROPE(X) X(qkv) X(qkv_stride) X(off_k) X(off_v) X(heads) X(kv_heads) X(hd) X(hdp) X(n_rot) X(style) X(rope) \
    X(off_position) X(off_kcode) X(off_kscale) X(off_vscale) X(q_codes) X(q_scales) X(kv_head_stride) X(mr) X(rows_cap) \
    X(spm_idx) X(spm_tab) X(spm_q) X(spm_k) X(spm_v) X(spm_r) X(spm_qc) X(spm_qs) X(spm_kc) X(spm_ks) X(spm_vc) X(spm_vs) X(idx_stride) \
    X(bias) X(off_bias) X(spm_bias) X(norm) X(off_norm) X(spm_norm) X(eps) X(push) X(pages)
/* out_cols: columns of a row of the output. chips > 1: KV head h of chip r is head h*chips + r of the output, gathered; else the chip's own
 * heads (there out_cols is heads*hd). out_codes != 0: quantised heads (hd % 32 == 0); else fp32 rows [row][heads*hd] to out. Pages take
 * turns in `buffers` buffers, page_step apart: a power of two; without push 1 or 2. Items may be parts: then they keep states at `states`,
 * below max_states: a record of G o rows [hd] and G (m, l) a number, where a state of several rows takes as many numbers, with all its o
 * first. The states of odd groups are then made in sts, os, as far behind stt, ot one as the other. */
#define SLX_TP_ATTENTION(X) X(off_span) X(off_item) X(off_lim) X(off_pages) X(max_items) X(item_rows) X(max_rows) X(max_list) \
    X(max_chunks) X(heads) X(kv_heads) X(hd) X(hdp) X(q_codes) X(q_scales) X(scale_bits) X(page_stride) X(kv_head_stride) \
    X(out_codes) X(out_scales) X(out) X(spm_item) X(spm_q) X(spm_qs) X(spm_lim) X(spm_pages) X(spm_page) X(page_step) X(spm_t) X(spm_p) \
    X(spm_pc) X(spm_ps) X(spm_st2) X(spm_o2) X(spm_stt) X(spm_ot) X(spm_sts) X(spm_os) X(spm_oc) X(spm_ocs) \
    X(chips) X(out_cols) X(spm_goc) X(spm_gocs) X(push) X(buffers) X(states) X(max_states)
/* What attention's parts kept, merged in order; heads go where ATTENTION would put them. Nothing, and no barrier, where the header
 * at spm_header says that no item is split. Records take turns in `buffers` buffers (a power of two), step apart. push: TABLES brought
 * the tile's span and the first of its merges. */
#define SLX_TP_MERGE(X) X(spm_header) X(off_span) X(off_merge) X(max_merges) X(max_rows) X(item_rows) X(max_chunks) X(max_states) \
    X(heads) X(kv_heads) X(hd) X(states) X(spm_item) X(spm_kept) X(step) X(buffers) \
    X(spm_stt) X(spm_ot) X(spm_sts) X(spm_os) X(spm_oc) X(spm_ocs) X(out_codes) X(out_scales) X(out) X(chips) X(out_cols) \
    X(spm_goc) X(spm_gocs) X(push)
/* quantise fp32 rows (head_dim not a multiple of 32). */
#define SLX_TP_ROWQ(X) X(src) X(src_stride) X(cols) X(a_codes) X(a_scales) X(mr) X(spm_x) X(spm_q) X(spm_qs) X(rows_cap)
/* x += y; norm with the weight at r9 + off_norm; quantise. layer 1: a layer norm as in EMBED, and y has a bias [d] at
 * r9 + off_bias. */
#define SLX_TP_ROWS(X) X(x) X(y) X(y_stride) X(d) X(off_norm) X(eps) X(a_codes) X(a_scales) X(mr) X(spm_x) X(spm_y) X(spm_w) \
    X(spm_q) X(spm_qs) X(rows_cap) X(layer) X(off_bias) X(spm_bias) X(push)
/* chips > 1: block s of chip r is block s*chips + r of the output, gathered. gelu 1: there is no
 * gate; gelu(up + bias) with the bias [slices * 32] at r9 + off_bias. */
#define SLX_TP_GATEUP(X) X(off_gate) X(off_up) X(fmt_gate) X(fmt_up) X(kblk) X(log2g) X(pieces) X(slices) X(tiles) X(a_codes) \
    X(a_scales) X(out_codes) X(out_scales) X(out_kblk) X(mr) X(spm_a) X(spm_as) X(spm_g) X(spm_u) X(spm_q) X(spm_qs) \
    X(ring) X(slot) X(slots) X(chips) X(spm_gq) X(spm_gqs) \
    X(gelu) X(off_bias) X(spm_bias) X(push) X(ready) X(ready1) X(home) X(home1) X(whole) X(groups) X(row_cap) \
    X(ways) X(grain) X(grid_x)
/* turns 1: the planes are those of all chips, slice s of chip r is their slice s*chips + r. */
#define SLX_TP_LMHEAD(X) X(w) X(off_scale) X(off_m) X(fmt) X(kblk) X(log2g) X(pieces) X(ns) X(slices) X(tiles) X(a_codes) \
    X(a_scales) X(off_sample) X(logits) X(logits_stride) X(mr) X(spm_idx) X(spm_a) X(spm_as) X(spm_y) X(ring) X(slot) X(slots) \
    X(meet) X(chips) X(y_step) X(turns) X(push) X(ready)
#define SLX_TP_END(X) X(zero)

#define SLX_TEMPLATES(X)                                                                           \
    X(PROLOGUE) X(BARRIER) X(BRANCH) X(JUMP) X(TABLES) X(PREFETCH) X(NORMLD) X(EMBED) X(LOOP_BEGIN) X(LINEAR) \
    X(ROPE) X(ATTENTION) X(MERGE) X(ROWQ) X(ROWS) X(GATEUP) X(LMHEAD) X(END)

typedef enum {
#define X(n) SLX_TMPL_##n,
    SLX_TEMPLATES(X)
#undef X
    SLX_N_TEMPLATES
} slx_template_id;

/* Parameter indices: SLX_LINEAR_off_w ... */
#define SLX_TP_DECL(T) typedef enum { SLX_TP_##T(SLX_TP_NAME_##T) SLX_##T##_n_params } slx_tp_##T;
#define SLX_TP_NAME_PROLOGUE(p) SLX_PROLOGUE_##p,
#define SLX_TP_NAME_BARRIER(p) SLX_BARRIER_##p,
#define SLX_TP_NAME_BRANCH(p) SLX_BRANCH_##p,
#define SLX_TP_NAME_JUMP(p) SLX_JUMP_##p,
#define SLX_TP_NAME_TABLES(p) SLX_TABLES_##p,
#define SLX_TP_NAME_PREFETCH(p) SLX_PREFETCH_##p,
#define SLX_TP_NAME_NORMLD(p) SLX_NORMLD_##p,
#define SLX_TP_NAME_EMBED(p) SLX_EMBED_##p,
#define SLX_TP_NAME_LOOP_BEGIN(p) SLX_LOOP_BEGIN_##p,
#define SLX_TP_NAME_LINEAR(p) SLX_LINEAR_##p,
#define SLX_TP_NAME_ROPE(p) SLX_ROPE_##p,
#define SLX_TP_NAME_ATTENTION(p) SLX_ATTENTION_##p,
#define SLX_TP_NAME_MERGE(p) SLX_MERGE_##p,
#define SLX_TP_NAME_ROWQ(p) SLX_ROWQ_##p,
#define SLX_TP_NAME_ROWS(p) SLX_ROWS_##p,
#define SLX_TP_NAME_GATEUP(p) SLX_GATEUP_##p,
#define SLX_TP_NAME_LMHEAD(p) SLX_LMHEAD_##p,
#define SLX_TP_NAME_END(p) SLX_END_##p,
SLX_TEMPLATES(SLX_TP_DECL)

const char *slx_template_name(uint32_t id);             /* "linear"; NULL */
uint32_t slx_template_n_params(uint32_t id);
const char *slx_template_param_name(uint32_t id, uint32_t i);

/* Expands into out (slx_buf of slx_insn, appended). A pure function of id and param; false when the parameters cannot
 * be expressed (fields too small), with out unchanged. pc0 is the stream index of the first word (branch targets). */
bool slx_template_expand(uint32_t id, const uint64_t *param, uint32_t pc0, slx_buf *out);

#endif
