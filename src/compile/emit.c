/* emit.c - plan -> program: spans in order, and their words.
 *
 * The schedule of a step is the list of push() calls in body(): what stands there is what the chip does, in that order.
 */
#include "compile/plan.h"
#include "compile/tmpl_int.h"
#include "num/num.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    slx_program *prog;
    slx_buf words, spans; /* slx_insn, slx_span */
    bool ok;
} emitter;

static uint32_t words_now(const emitter *e)
{
    return (uint32_t)(e->words.len / sizeof(slx_insn));
}

static void push(emitter *e, uint32_t tmpl, const char *name, const uint64_t *param)
{
    slx_span s = {.tmpl = tmpl, .pc = words_now(e), .n_param = slx_template_n_params(tmpl)};
    snprintf(s.name, sizeof s.name, "%s", name);
    memcpy(s.param, param, s.n_param * sizeof *param);
    if (!slx_template_expand(tmpl, param, s.pc, &e->words)) e->ok = false;
    s.count = words_now(e) - s.pc;
    slx_buf_add(&e->spans, &s, sizeof s);
}

/* push a template with named parameters: PUSH(e, BARRIER, "barrier", P(BARRIER, group, 0)) */
#define P(T, name, value) [SLX_##T##_##name] = (value)
#define PUSH(e, T, name, ...)                                                                      \
    push((e), SLX_TMPL_##T, (name), (const uint64_t[SLX_##T##_n_params]){__VA_ARGS__})

static uint64_t f32_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static void barrier_to(emitter *e, uint64_t to)
{
    PUSH(e, BARRIER, "barrier", P(BARRIER, group, 0), P(BARRIER, to, to));
}

static void barrier(emitter *e)
{
    barrier_to(e, SLX_TO_LDQ);
}

/* A short step's rows, or 0. */
static uint64_t push_of(const slx_plan *p, bool brief)
{
    return brief ? p->brief.rows : 0;
}

/* Tokens of a phase's prefetched weights; 0: they pass through the ring, or lie in ROM. */
static uint64_t ready_of(const slx_plan *p, bool brief, unsigned token)
{
    return brief && p->brief.resident ? token : 0;
}

#define RING(T, p) P(T, ring, (p)->ring), P(T, slot, (p)->slot), P(T, slots, (p)->slots)

/* One product, or several of the same A: matrices id .. id+n-1. out[i]: where each writes. */
static void linear(emitter *e, const slx_plan *p, slx_mat_id id, int n, const char *name,
                   const slx_map_linear *map, uint64_t a_codes, uint64_t a_scales, uint64_t a_ld,
                   const uint64_t *out, uint64_t out_stride, uint64_t brief, uint64_t ready)
{
    const slx_mat_plan *m = &p->mat[id];
    uint64_t v[SLX_LINEAR_n_params] = {P(LINEAR, out_stride, out_stride),
                                       P(LINEAR, kblk, m->kblk),
                                       P(LINEAR, log2g, m->log2g),
                                       P(LINEAR, pieces, m->pieces),
                                       P(LINEAR, ns, m->ns),
                                       P(LINEAR, tiles, p->tiles),
                                       P(LINEAR, a_codes, a_codes),
                                       P(LINEAR, a_scales, a_scales),
                                       P(LINEAR, mr, map->mr),
                                       P(LINEAR, spm_a, map->a),
                                       P(LINEAR, spm_as, map->as),
                                       P(LINEAR, spm_y, map->y),
                                       RING(LINEAR, p),
                                       P(LINEAR, a_ld, a_ld),
                                       P(LINEAR, meet, m->meet),
                                       P(LINEAR, chips, m->meet ? p->chips : 1),
                                       P(LINEAR, y_step, map->y_step),
                                       P(LINEAR, push, brief),
                                       P(LINEAR, ready, ready),
                                       P(LINEAR, whole, map->whole),
                                       P(LINEAR, groups, map->groups),
                                       P(LINEAR, row_cap, brief ? 0 : p->opt.max_rows),
                                       P(LINEAR, ways, m->ways),
                                       P(LINEAR, grain, m->grain),
                                       P(LINEAR, grid_x, p->grid_x)};
    for (int i = 0; i < n; i++) {
        v[SLX_LINEAR_off_w + i] = m[i].off_w;
        v[SLX_LINEAR_fmt + i] = m[i].fmt;
        v[SLX_LINEAR_slices + i] = m[i].slices;
        v[SLX_LINEAR_rot + i] = m[i].rot;
        v[SLX_LINEAR_out + i] = out[i];
        if (ready) v[SLX_LINEAR_home + i] = p->brief.home[id + i];
    }
    push(e, SLX_TMPL_LINEAR, name, v);
}

static void rows(emitter *e, const slx_plan *p, const char *name, uint64_t off_norm,
                 uint64_t off_bias, bool brief, uint64_t norm)
{
    const slx_map_rows *m = &p->rows;
    const slx_map_short *b = &p->brief;
    PUSH(e, ROWS, name, P(ROWS, x, p->x), P(ROWS, y, p->y), P(ROWS, y_stride, p->y_stride),
         P(ROWS, d, p->model->hp.d_model), P(ROWS, off_norm, off_norm),
         P(ROWS, eps, f32_bits(p->model->hp.rms_eps)), P(ROWS, a_codes, brief ? b->a : p->a1c),
         P(ROWS, a_scales, brief ? b->as : p->a1s), P(ROWS, mr, m->mr),
         P(ROWS, spm_x, brief ? b->embed.x : m->x), P(ROWS, spm_y, brief ? b->y : m->y),
         P(ROWS, spm_w, brief ? norm : m->w), P(ROWS, spm_q, brief ? b->embed.q : m->q),
         P(ROWS, spm_qs, brief ? b->embed.qs : m->qs), P(ROWS, rows_cap, p->rows_cap),
         P(ROWS, layer, p->model->hp.gpt), P(ROWS, off_bias, off_bias), P(ROWS, spm_bias, m->b),
         P(ROWS, push, push_of(p, brief)));
}

static void prologue(emitter *e, const slx_plan *p)
{
    PUSH(e, PROLOGUE, "prologue", P(PROLOGUE, tiles, p->tiles),
         P(PROLOGUE, max_rows, p->opt.max_rows), P(PROLOGUE, max_samples, p->opt.max_samples),
         P(PROLOGUE, rows_cap, p->rows_cap), P(PROLOGUE, spm_header, 0),
         P(PROLOGUE, slots, p->slots),
         P(PROLOGUE, buffers, p->brief.rows ? p->brief.attn.buffers : 0),
         P(PROLOGUE, merges, p->desc.max_merges ? p->merge_buffers : 0),
         P(PROLOGUE, tok_credit_mask, TK_CREDITS | (p->chips > 1 ? UINT64_C(1) << TK_ZFREE : 0)),
         P(PROLOGUE, weights, p->region[SLX_REGION_WEIGHTS].base),
         P(PROLOGUE, kv, p->region[SLX_REGION_KV].base));
}

static void embed(emitter *e, const slx_plan *p, bool brief)
{
    const slx_map_embed *m = brief ? &p->brief.embed : &p->embed;
    PUSH(e, EMBED, "embed", P(EMBED, off_token, p->desc.off_token),
         P(EMBED, emb_codes, p->embd_addr), P(EMBED, emb_scales, p->embd_addr + p->embd_off_scale),
         P(EMBED, emb_m, p->embd_off_m ? p->embd_addr + p->embd_off_m : 0),
         P(EMBED, emb_fmt, p->embd_fmt), P(EMBED, kblk, p->kblk_d),
         P(EMBED, d, p->model->hp.d_model), P(EMBED, x, p->x),
         P(EMBED, a_codes, brief ? p->brief.a : p->a1c),
         P(EMBED, a_scales, brief ? p->brief.as : p->a1s),
         P(EMBED, norm_w, p->region[SLX_REGION_WEIGHTS].base + p->off_attn_norm),
         P(EMBED, eps, f32_bits(p->model->hp.rms_eps)), P(EMBED, mr, m->mr),
         P(EMBED, spm_idx, m->idx), P(EMBED, spm_codes, m->codes), P(EMBED, spm_scales, m->scales),
         P(EMBED, spm_x, m->x), P(EMBED, spm_n, m->n), P(EMBED, spm_w, m->w), P(EMBED, spm_q, m->q),
         P(EMBED, spm_qs, m->qs), P(EMBED, rows_cap, p->rows_cap),
         P(EMBED, layer, p->model->hp.gpt), P(EMBED, pos, p->model->hp.gpt ? p->pos_addr : 0),
         P(EMBED, off_position, p->desc.off_position), P(EMBED, spm_pidx, m->pidx),
         P(EMBED, spm_pos, m->pos), P(EMBED, push, push_of(p, brief)));
}

static void rope(emitter *e, const slx_plan *p, bool brief)
{
    const slx_map_rope *m = brief ? &p->brief.rope : &p->rope;
    const slx_hparams *hp = &p->model->hp;
    PUSH(e, ROPE, "rope", P(ROPE, qkv, p->qkv), P(ROPE, qkv_stride, p->qkv_stride),
         P(ROPE, off_k, p->off_k), P(ROPE, off_v, p->off_v), P(ROPE, heads, p->heads),
         P(ROPE, kv_heads, p->kv_heads), P(ROPE, hd, hp->head_dim), P(ROPE, hdp, p->hdp),
         P(ROPE, n_rot, hp->n_rot), P(ROPE, style, hp->rope_style == SLX_ROPE_HALF),
         P(ROPE, rope, p->region[SLX_REGION_ROPE].base),
         P(ROPE, off_position, p->desc.off_position), P(ROPE, off_kcode, p->desc.off_kcode),
         P(ROPE, off_kscale, p->desc.off_kscale), P(ROPE, off_vscale, p->desc.off_vscale),
         P(ROPE, q_codes, p->qc), P(ROPE, q_scales, p->qs),
         P(ROPE, kv_head_stride, p->kv_head_stride), P(ROPE, mr, m->mr),
         P(ROPE, rows_cap, p->rows_cap), P(ROPE, spm_idx, m->idx), P(ROPE, spm_tab, m->tab),
         P(ROPE, spm_q, m->q), P(ROPE, spm_k, m->k), P(ROPE, spm_v, m->v), P(ROPE, spm_r, m->r),
         P(ROPE, spm_qc, m->qc), P(ROPE, spm_qs, m->qs), P(ROPE, spm_kc, m->kc),
         P(ROPE, spm_ks, m->ks), P(ROPE, spm_vc, m->vc), P(ROPE, spm_vs, m->vs),
         P(ROPE, idx_stride, m->idx_stride), P(ROPE, bias, hp->qkv_bias),
         P(ROPE, off_bias, p->off_qkv_bias), P(ROPE, spm_bias, m->b), P(ROPE, norm, hp->qk_norm),
         P(ROPE, off_norm, p->off_qk_norm), P(ROPE, spm_norm, m->nw),
         P(ROPE, eps, f32_bits(hp->rms_eps)), P(ROPE, push, push_of(p, brief)),
         P(ROPE, pages, p->opt.max_pages));
}

/* Where attention puts quantised heads, its own or merged ones; 0: it puts them as fp32. */
static uint64_t heads_codes(const slx_plan *p, bool brief)
{
    return brief ? p->brief.a : p->heads_quantised ? p->a2c : 0;
}

static uint64_t heads_scales(const slx_plan *p, bool brief)
{
    return brief ? p->brief.as : p->heads_quantised ? p->a2s : 0;
}

static void attention(emitter *e, const slx_plan *p, bool brief)
{
    const slx_map_attn *m = brief ? &p->brief.attn : &p->attn;
    const slx_hparams *hp = &p->model->hp;
    PUSH(e, ATTENTION, "attention", P(ATTENTION, states, p->states),
         P(ATTENTION, max_states, p->desc.max_states), P(ATTENTION, off_span, p->desc.off_span),
         P(ATTENTION, off_item, p->desc.off_item), P(ATTENTION, off_lim, p->desc.off_lim),
         P(ATTENTION, off_pages, p->desc.off_pages), P(ATTENTION, max_items, p->desc.max_items),
         P(ATTENTION, item_rows, m->item_rows), P(ATTENTION, max_rows, p->opt.max_rows),
         P(ATTENTION, max_list, p->opt.max_pages), P(ATTENTION, max_chunks, p->max_chunks),
         P(ATTENTION, heads, p->heads), P(ATTENTION, kv_heads, p->kv_heads),
         P(ATTENTION, hd, hp->head_dim), P(ATTENTION, hdp, p->hdp), P(ATTENTION, q_codes, p->qc),
         P(ATTENTION, q_scales, p->qs),
         P(ATTENTION, scale_bits, f32_bits(slx_const_attn_scale(hp->head_dim))),
         P(ATTENTION, page_stride, p->page_stride), P(ATTENTION, kv_head_stride, p->kv_head_stride),
         P(ATTENTION, out_codes, heads_codes(p, brief)), P(ATTENTION, out_scales, heads_scales(p, brief)),
         P(ATTENTION, out, p->attn_out), P(ATTENTION, spm_item, m->item), P(ATTENTION, spm_q, m->q),
         P(ATTENTION, spm_qs, m->qs), P(ATTENTION, spm_lim, m->lim),
         P(ATTENTION, spm_pages, m->pages), P(ATTENTION, spm_page, m->page),
         P(ATTENTION, page_step, m->page_step), P(ATTENTION, spm_t, m->t),
         P(ATTENTION, spm_p, m->p), P(ATTENTION, spm_pc, m->pc), P(ATTENTION, spm_ps, m->ps),
         P(ATTENTION, spm_st2, m->st2), P(ATTENTION, spm_o2, m->o2), P(ATTENTION, spm_stt, m->s.stt),
         P(ATTENTION, spm_ot, m->s.ot), P(ATTENTION, spm_sts, m->s.sts), P(ATTENTION, spm_os, m->s.os),
         P(ATTENTION, spm_oc, m->s.oc), P(ATTENTION, spm_ocs, m->s.ocs),
         P(ATTENTION, chips, p->sum_o ? 1 : p->chips), P(ATTENTION, out_cols, p->attn_cols),
         P(ATTENTION, spm_goc, m->s.goc), P(ATTENTION, spm_gocs, m->s.gocs),
         P(ATTENTION, push, push_of(p, brief)), P(ATTENTION, buffers, m->buffers));
}

/* Behind attention, where its parts are merged if there are any. */
static void merge(emitter *e, const slx_plan *p, bool brief)
{
    if (!p->desc.max_merges) return;
    const slx_map_merge *m = brief ? &p->brief.merge : &p->merge;
    const slx_hparams *hp = &p->model->hp;
    uint64_t rows = brief ? p->brief.attn.item_rows : p->attn.item_rows;
    PUSH(e, MERGE, "merge", P(MERGE, spm_header, 0), P(MERGE, off_span, p->desc.off_merge_span),
         P(MERGE, off_merge, p->desc.off_merge), P(MERGE, max_merges, p->desc.max_merges),
         P(MERGE, max_rows, p->opt.max_rows), P(MERGE, item_rows, rows), P(MERGE, max_chunks, p->max_chunks),
         P(MERGE, max_states, p->desc.max_states), P(MERGE, heads, p->heads), P(MERGE, kv_heads, p->kv_heads),
         P(MERGE, hd, hp->head_dim), P(MERGE, states, p->states),
         P(MERGE, spm_item, m->item), P(MERGE, spm_kept, m->kept), P(MERGE, step, m->step),
         P(MERGE, buffers, p->merge_buffers), P(MERGE, spm_stt, m->s.stt),
         P(MERGE, spm_ot, m->s.ot), P(MERGE, spm_sts, m->s.sts), P(MERGE, spm_os, m->s.os), P(MERGE, spm_oc, m->s.oc),
         P(MERGE, spm_ocs, m->s.ocs),
         P(MERGE, out_codes, heads_codes(p, brief)), P(MERGE, out_scales, heads_scales(p, brief)),
         P(MERGE, out, p->attn_out), P(MERGE, chips, p->sum_o ? 1 : p->chips), P(MERGE, out_cols, p->attn_cols),
         P(MERGE, spm_goc, m->s.goc), P(MERGE, spm_gocs, m->s.gocs), P(MERGE, push, push_of(p, brief)));
}

static void rowq(emitter *e, const slx_plan *p)
{
    const slx_map_rows *m = &p->rowq;
    PUSH(e, ROWQ, "rowq", P(ROWQ, src, p->attn_out), P(ROWQ, src_stride, p->attn_out_stride),
         P(ROWQ, cols, p->attn_cols), P(ROWQ, a_codes, p->a2c), P(ROWQ, a_scales, p->a2s),
         P(ROWQ, mr, m->mr), P(ROWQ, spm_x, m->x), P(ROWQ, spm_q, m->q), P(ROWQ, spm_qs, m->qs),
         P(ROWQ, rows_cap, p->rows_cap));
}

static void gateup(emitter *e, const slx_plan *p, bool brief)
{
    const slx_map_gateup *m = brief ? &p->brief.gateup : &p->gateup;
    const slx_map_short *b = &p->brief;
    uint64_t ready = ready_of(p, brief, TK_GATER);
    const slx_mat_plan *g = &p->mat[SLX_MAT_GATE], *u = &p->mat[SLX_MAT_UP];
    PUSH(e, GATEUP, "gate_up", P(GATEUP, off_gate, g->off_w), P(GATEUP, off_up, u->off_w),
         P(GATEUP, fmt_gate, g->fmt), P(GATEUP, fmt_up, u->fmt), P(GATEUP, kblk, g->kblk),
         P(GATEUP, log2g, g->log2g), P(GATEUP, pieces, g->pieces), P(GATEUP, slices, u->slices),
         P(GATEUP, tiles, p->tiles), P(GATEUP, a_codes, p->a1c), P(GATEUP, a_scales, p->a1s),
         P(GATEUP, out_codes, brief ? b->a4 : p->a4c),
         P(GATEUP, out_scales, brief ? b->a4s : p->a4s), P(GATEUP, out_kblk, p->ld_ff),
         P(GATEUP, mr, m->mr), P(GATEUP, spm_a, brief ? b->a : m->a),
         P(GATEUP, spm_as, brief ? b->as : m->as), P(GATEUP, spm_g, m->g), P(GATEUP, spm_u, m->u),
         P(GATEUP, spm_q, m->q), P(GATEUP, spm_qs, m->qs), RING(GATEUP, p),
         P(GATEUP, chips, p->sum_down ? 1 : p->chips), P(GATEUP, spm_gq, m->gq),
         P(GATEUP, spm_gqs, m->gqs), P(GATEUP, gelu, p->model->hp.gpt),
         P(GATEUP, off_bias, p->off_up_bias), P(GATEUP, spm_bias, m->b),
         P(GATEUP, push, push_of(p, brief)), P(GATEUP, ready, ready),
         P(GATEUP, ready1, ready_of(p, brief, TK_UPR)),
         P(GATEUP, home, ready ? b->home[SLX_MAT_GATE] : 0),
         P(GATEUP, home1, ready ? b->home[SLX_MAT_UP] : 0), P(GATEUP, whole, m->whole),
         P(GATEUP, groups, m->groups), P(GATEUP, row_cap, brief ? 0 : p->opt.max_rows),
         P(GATEUP, ways, u->ways), P(GATEUP, grain, u->grain), P(GATEUP, grid_x, p->grid_x));
}

static void head(emitter *e, const slx_plan *p, bool brief)
{
    const slx_map_head *m = brief ? &p->brief.head : &p->head;
    const slx_mat_plan *h = &p->mat[SLX_MAT_HEAD];
    PUSH(e, LMHEAD, "head", P(LMHEAD, w, p->region[SLX_REGION_WEIGHTS].base + h->off_w),
         P(LMHEAD, off_scale, p->head_off_scale), P(LMHEAD, off_m, p->head_off_m),
         P(LMHEAD, fmt, h->fmt), P(LMHEAD, kblk, h->kblk), P(LMHEAD, log2g, h->log2g),
         P(LMHEAD, pieces, h->pieces), P(LMHEAD, ns, h->ns), P(LMHEAD, slices, h->slices),
         P(LMHEAD, tiles, p->tiles), P(LMHEAD, a_codes, brief ? p->brief.a : p->a1c),
         P(LMHEAD, a_scales, brief ? p->brief.as : p->a1s),
         P(LMHEAD, off_sample, p->desc.off_sample),
         P(LMHEAD, logits, p->region[SLX_REGION_LOGITS].base),
         P(LMHEAD, logits_stride, 4ull * p->vocab_pad), P(LMHEAD, mr, m->mr),
         P(LMHEAD, spm_idx, brief ? p->brief.sample : m->idx), P(LMHEAD, spm_a, m->a),
         P(LMHEAD, spm_as, m->as), P(LMHEAD, spm_y, m->y), RING(LMHEAD, p),
         P(LMHEAD, meet, h->meet), P(LMHEAD, chips, p->chips), P(LMHEAD, y_step, m->y_step),
         P(LMHEAD, turns, p->chips > 1 && p->model->hp.tied && !p->in_rom),
         P(LMHEAD, push, push_of(p, brief)), P(LMHEAD, ready, ready_of(p, brief, TK_QKVR)));
}

/* ------------------------------------------------------------------ short steps */

static void tables(emitter *e, const slx_plan *p)
{
    const slx_map_short *b = &p->brief;
    PUSH(e, TABLES, "tables", P(TABLES, off_position, p->desc.off_position),
         P(TABLES, off_kcode, p->desc.off_kcode), P(TABLES, off_kscale, p->desc.off_kscale),
         P(TABLES, off_vscale, p->desc.off_vscale),
         P(TABLES, rope, p->region[SLX_REGION_ROPE].base), P(TABLES, n_rot, p->model->hp.n_rot),
         P(TABLES, push, b->rows), P(TABLES, spm_idx, b->rope.idx),
         P(TABLES, idx_stride, b->rope.idx_stride), P(TABLES, spm_tab, b->rope.tab),
         P(TABLES, off_sample, p->desc.off_sample), P(TABLES, max_samples, p->opt.max_samples),
         P(TABLES, spm_sample, b->sample), P(TABLES, off_span, p->desc.off_span),
         P(TABLES, max_items, p->desc.max_items), P(TABLES, spm_item, b->attn.item),
         P(TABLES, off_item, p->desc.off_item), P(TABLES, off_pages, p->desc.off_pages),
         P(TABLES, max_list, p->opt.max_pages), P(TABLES, max_chunks, p->max_chunks),
         P(TABLES, spm_pages, b->attn.pages), P(TABLES, off_merge_span, p->desc.off_merge_span),
         P(TABLES, off_merge, p->desc.off_merge), P(TABLES, max_merges, p->desc.max_merges), P(TABLES, spm_header, 0),
         P(TABLES, spm_merge, p->desc.max_merges ? b->merge.item : 0));
}

/* Matrices id .. id+n-1 of this layer, or of the next. */
static void prefetch(emitter *e, const slx_plan *p, slx_mat_id id, int n, const char *name,
                     uint64_t ready, bool next)
{
    const slx_mat_plan *m = &p->mat[id];
    if (!p->brief.resident) return;
    uint64_t v[SLX_PREFETCH_n_params] = {P(PREFETCH, kblk, m->kblk),
                                         P(PREFETCH, pieces, m->pieces),
                                         P(PREFETCH, ns, m->ns),
                                         P(PREFETCH, tiles, p->tiles),
                                         P(PREFETCH, ready, ready),
                                         P(PREFETCH, next, next),
                                         P(PREFETCH, weights, p->region[SLX_REGION_WEIGHTS].base),
                                         P(PREFETCH, layer_stride, p->layer_stride),
                                         P(PREFETCH, n_layers, p->model->hp.n_layers),
                                         P(PREFETCH, ways, m->ways),
                                         P(PREFETCH, grain, m->grain),
                                         P(PREFETCH, grid_x, p->grid_x)};
    for (int i = 0; i < n; i++) {
        v[SLX_PREFETCH_off_w + i] = m[i].off_w;
        v[SLX_PREFETCH_fmt + i] = m[i].fmt;
        v[SLX_PREFETCH_slices + i] = m[i].slices;
        v[SLX_PREFETCH_rot + i] = m[i].rot;
        v[SLX_PREFETCH_home + i] = p->brief.home[id + i];
    }
    push(e, SLX_TMPL_PREFETCH, name, v);
}

static void norm_ahead(emitter *e, const slx_plan *p, uint64_t off_norm, uint64_t spm_w)
{
    PUSH(e, NORMLD, "norm_load", P(NORMLD, off_norm, off_norm), P(NORMLD, d, p->model->hp.d_model),
         P(NORMLD, spm_w, spm_w));
}

/* Each load stands where its place has long been free and LDQ has little before it: gate's while q, k, v are
 * multiplied and rotated, o's and up's during attention, behind its queries and pages, down's during gate and up, the
 * next layer's q, k, v behind those. So the memory always has something to do, and the queries find a short queue. */
static void short_layer(emitter *e, const slx_plan *p)
{
    const slx_map_short *b = &p->brief;
    const slx_map_linear in = {.a = b->a, .as = b->as, .y = b->lin.y, .y_step = b->lin.y_step, .mr = b->rows},
                         ff = {.a = b->a4,
                               .as = b->a4s,
                               .y = b->lin.y,
                               .y_step = b->lin.y_step,
                               .mr = b->rows};
    const uint64_t qkv[3] = {b->rope.q, b->rope.k, b->rope.v};
    linear(e, p, SLX_MAT_Q, 3, "qkv", &in, p->a1c, p->a1s, p->kblk_d, qkv, p->qkv_stride, b->rows,
           ready_of(p, true, TK_QKVR));
    barrier_to(e, SLX_TO_VEC);
    prefetch(e, p, SLX_MAT_GATE, 1, "load gate", TK_GATER, false);
    rope(e, p, true);
    barrier_to(e, SLX_TO_LDQ_LATER);
    attention(e, p, true);
    norm_ahead(e, p, p->off_ffn_norm, b->norm_ffn);
    prefetch(e, p, SLX_MAT_O, 1, "load o", TK_OR, false);
    merge(e, p, true);
    barrier_to(e, SLX_TO_TEN);
    prefetch(e, p, SLX_MAT_UP, 1, "load up", TK_UPR, false);
    norm_ahead(e, p, p->layer_stride + p->off_attn_norm, b->norm_attn);
    linear(e, p, SLX_MAT_O, 1, "o", &in, p->a2c, p->a2s, p->kblk_a, &b->y, p->y_stride, b->rows,
           ready_of(p, true, TK_OR));
    barrier_to(e, SLX_TO_VEC);
    rows(e, p, "rows_attn", p->off_ffn_norm, p->off_o_bias, true, b->norm_ffn);
    barrier_to(e, SLX_TO_TEN);
    gateup(e, p, true);
    barrier_to(e, SLX_TO_TEN);
    prefetch(e, p, SLX_MAT_DOWN, 1, "load down", TK_DOWNR, false);
    linear(e, p, SLX_MAT_DOWN, 1, "down", &ff, p->a4c, p->a4s, p->ld_ff, &b->y, p->y_stride,
           b->rows, ready_of(p, true, TK_DOWNR));
    barrier_to(e, SLX_TO_VEC);
    prefetch(e, p, SLX_MAT_Q, 3, "load qkv", TK_QKVR, true);
    rows(e, p, "rows_ffn", p->layer_stride + p->off_attn_norm, p->off_down_bias, true,
         b->norm_attn);
    barrier_to(e, SLX_TO_TEN);
}

static void layer(emitter *e, const slx_plan *p)
{
    const uint64_t qkv[3] = {p->qkv, p->qkv + p->off_k, p->qkv + p->off_v};
    linear(e, p, SLX_MAT_Q, 3, "qkv", &p->lin_qkv, p->a1c, p->a1s, p->kblk_d, qkv, p->qkv_stride, 0,
           0);
    barrier(e);
    rope(e, p, false);
    barrier(e);
    attention(e, p, false);
    merge(e, p, false);
    barrier(e);
    if (!p->heads_quantised) {
        rowq(e, p);
        barrier(e);
    }
    linear(e, p, SLX_MAT_O, 1, "o", &p->lin_o, p->a2c, p->a2s, p->kblk_a, &p->y, p->y_stride, 0, 0);
    barrier(e);
    rows(e, p, "rows_attn", p->off_ffn_norm, p->off_o_bias, false, 0);
    barrier(e);
    gateup(e, p, false);
    barrier(e);
    linear(e, p, SLX_MAT_DOWN, 1, "down", &p->lin_down, p->a4c, p->a4s, p->ld_ff, &p->y,
           p->y_stride, 0, 0);
    barrier(e);
    rows(e, p, "rows_ffn", p->layer_stride + p->off_attn_norm, p->off_down_bias, false, 0);
    barrier(e);
}

/* A span whose parameter counts words behind it: expanded again when they are known, in place. */
static size_t open_span(emitter *e)
{
    return e->spans.len;
}

static void close_span(emitter *e, size_t at_span, uint32_t param)
{
    slx_span s;
    memcpy(&s, e->spans.ptr + at_span, sizeof s);
    /* a LOOP counts from its first word on */
    s.param[param] = words_now(e) - s.pc - (s.tmpl == SLX_TMPL_LOOP_BEGIN ? 1 : s.count);
    memcpy(e->spans.ptr + at_span, &s, sizeof s);
    slx_buf again = {0};
    if (!slx_template_expand(s.tmpl, s.param, s.pc, &again) ||
        again.len != s.count * sizeof(slx_insn))
        e->ok = false;
    else
        memcpy(e->words.ptr + s.pc * sizeof(slx_insn), again.ptr, again.len);
    slx_buf_free(&again);
}

static void layers(emitter *e, const slx_plan *p, void (*body)(emitter *e, const slx_plan *p))
{
    size_t at = open_span(e);
    PUSH(e, LOOP_BEGIN, "layers", P(LOOP_BEGIN, n_layers, p->model->hp.n_layers),
         P(LOOP_BEGIN, body, 0), P(LOOP_BEGIN, weights, p->region[SLX_REGION_WEIGHTS].base),
         P(LOOP_BEGIN, layer_stride, p->layer_stride),
         P(LOOP_BEGIN, kv, p->region[SLX_REGION_KV].base),
         P(LOOP_BEGIN, kv_layer_stride, p->kv_layer_stride));
    body(e, p);
    close_span(e, at, SLX_LOOP_BEGIN_body);
}

static void step(emitter *e, const slx_plan *p)
{
    size_t jump = 0;
    prologue(e, p);
    if (p->brief.rows) {
        size_t branch = open_span(e);
        PUSH(e, BRANCH, "branch", P(BRANCH, rows, p->brief.rows), P(BRANCH, words, 0));
        tables(e, p);
        embed(e, p, true);
        prefetch(e, p, SLX_MAT_Q, 3, "load qkv", TK_QKVR, false);
        barrier_to(e, SLX_TO_TEN);
        layers(e, p, short_layer);
        head(e, p, true);
        jump = open_span(e);
        PUSH(e, JUMP, "jump", P(JUMP, words, 0));
        close_span(e, branch, SLX_BRANCH_words);
    }
    embed(e, p, false);
    barrier(e);
    layers(e, p, layer);
    head(e, p, false);
    if (p->brief.rows) close_span(e, jump, SLX_JUMP_words);
    PUSH(e, END, "end", P(END, zero, 0));
}

slx_status slx_emit_program(slx_program *out, const slx_plan *p, slx_err *err)
{
    slx_program_init(out);
    emitter e = {.prog = out, .ok = true};
    step(&e, p);
    slx_status st = SLX_OK;
    if (!e.ok) {
        st = slx_fail(err, SLX_EUNSUPPORTED, p->model->path, 0, 0,
                      "%s on %s: a size or an address does not fit its instruction field",
                      p->model->name, p->chip->name);
    } else {
        out->n_insns = words_now(&e);
        out->insns = slx_new(&out->arena, slx_insn, out->n_insns);
        memcpy(out->insns, e.words.ptr, e.words.len);
        out->n_spans = (uint32_t)(e.spans.len / sizeof(slx_span));
        out->spans = slx_new(&out->arena, slx_span, out->n_spans);
        memcpy(out->spans, e.spans.ptr, e.spans.len);
        slx_emit_header(out, p);
    }
    slx_buf_free(&e.words);
    slx_buf_free(&e.spans);
    if (st != SLX_OK) slx_program_free(out);
    return st;
}

/* ------------------------------------------------------------------ --dump schedule */

void slx_schedule_print(const slx_program *p, FILE *out)
{
    for (uint32_t i = 0; i < p->n_spans; i++) {
        const slx_span *s = &p->spans[i];
        uint64_t used = 0;
        for (uint32_t k = 0; k < s->count; k++)
            for (int t = 0; t < 4; t++)
                used |= UINT64_C(1) << (slx_insn_tok(&p->insns[s->pc + k], t) & 63);
        fprintf(out, "%5u +%-4u %-10s %s\n", s->pc, s->count, s->name, slx_template_name(s->tmpl));
        fprintf(out, "            ");
        for (uint32_t k = 0; k < s->n_param; k++) {
            const char *sep = k + 1 == s->n_param ? "\n" : k % 6 == 5 ? "\n            " : " ";
            fprintf(out, "%s=%llu%s", slx_template_param_name(s->tmpl, k),
                    (unsigned long long)s->param[k], sep);
        }
        if (used >> 1) {
            fprintf(out, "            tokens");
            for (unsigned t = 1; t < TK_END; t++)
                if (used >> t & 1) fprintf(out, " %s", slx_tmpl_token_name(t));
            fprintf(out, "\n");
        }
    }
}
