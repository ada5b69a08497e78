/* fast_short.c - why the way of short steps computes what the other way does.
 *
 * Both have the same phases. What decides values (shapes, weights, eps, scale) is equal, parameter by parameter, in a
 * phase and its twin. What differs is where things lie between phases and who waits for whom:
 *
 *   row's tile   x (embed, rows) | q, k, v (linear -> rope) | y (linear -> rows)
 *   all tiles    a (embed, rows, attention -> linear, gateup, head) | a4 (gateup -> linear down)
 *   one tile     weights of its slices (prefetch -> linear, gateup), norms (normld -> rows), tables
 *
 * A phase reads exactly what the one before it wrote, since the addresses are equal and all areas, of all phases, lie
 * apart: nothing here is ever laid over something else. Order between phases is the barriers', each for the engine that
 * reads first; a prefetch stands where its places are read for the last time, or later, and both name one pair of
 * tokens, which no other matrix uses.
 */
#include "func/fast_int.h"

#define P(span, T, name) ((span)->param[SLX_##T##_##name])
#define no               slx_fast_no
#define same             slx_fast_same

typedef slx_fast_proof proof;

enum { LOAD_QKV, LOAD_O, LOAD_GATE, LOAD_UP, LOAD_DOWN, NEXT_QKV };

bool slx_fast_short_order(proof *pf, uint32_t *i, slx_fast_short *w)
{
    const slx_program *p = pf->p;
#define TAKE(field, id)                                                                            \
    if (!(w->field = slx_fast_take(pf, i, SLX_TMPL_##id))) return false
#define LOAD(which)                                                                                \
    if (ahead && !(w->load[which] = slx_fast_take(pf, i, SLX_TMPL_PREFETCH))) return false
#define BAR(to)                                                                                    \
    if (!slx_fast_barrier(pf, i, SLX_TO_##to)) return false
    if (*i >= p->n_spans || p->spans[*i].tmpl != SLX_TMPL_BRANCH) return true;
    TAKE(branch, BRANCH);
    TAKE(tables, TABLES);
    TAKE(embed, EMBED);
    bool ahead = *i < p->n_spans && p->spans[*i].tmpl == SLX_TMPL_PREFETCH;
    LOAD(LOAD_QKV);
    BAR(TEN);
    TAKE(loop, LOOP_BEGIN);
    TAKE(qkv, LINEAR);
    BAR(VEC);
    LOAD(LOAD_GATE);
    TAKE(rope, ROPE);
    BAR(LDQ_LATER);
    TAKE(attn, ATTENTION);
    TAKE(norm1, NORMLD);
    LOAD(LOAD_O);
    if (!slx_fast_take_merge(pf, i, &w->merge)) return false;
    BAR(TEN);
    LOAD(LOAD_UP);
    TAKE(norm2, NORMLD);
    TAKE(o, LINEAR);
    BAR(VEC);
    TAKE(rows1, ROWS);
    BAR(TEN);
    TAKE(gateup, GATEUP);
    BAR(TEN);
    LOAD(LOAD_DOWN);
    TAKE(down, LINEAR);
    BAR(VEC);
    LOAD(NEXT_QKV);
    TAKE(rows2, ROWS);
    BAR(TEN);
    TAKE(head, LMHEAD);
    if (!slx_fast_loop_ends(pf, w->loop, w->head->pc)) return false;
    TAKE(jump, JUMP);
#undef TAKE
#undef LOAD
#undef BAR
    return true;
}

/* ------------------------------------------------------------------ twins */

/* The parameters of a twin that must be equal, by index. */
#define X(T, name) SLX_##T##_##name
static const int of_embed[] = {X(EMBED, off_token),  X(EMBED, emb_codes),
                               X(EMBED, emb_scales), X(EMBED, emb_m),
                               X(EMBED, emb_fmt),    X(EMBED, kblk),
                               X(EMBED, d),          X(EMBED, norm_w),
                               X(EMBED, eps),        -1};
static const int of_loop[] = {X(LOOP_BEGIN, n_layers),        X(LOOP_BEGIN, weights),
                              X(LOOP_BEGIN, layer_stride),    X(LOOP_BEGIN, kv),
                              X(LOOP_BEGIN, kv_layer_stride), -1};
static const int of_linear[] = {X(LINEAR, off_w),  X(LINEAR, off_w1),  X(LINEAR, off_w2),
                                X(LINEAR, fmt),    X(LINEAR, fmt1),    X(LINEAR, fmt2),
                                X(LINEAR, slices), X(LINEAR, slices1), X(LINEAR, slices2),
                                X(LINEAR, kblk),   X(LINEAR, log2g),   X(LINEAR, pieces),
                                X(LINEAR, ns),     X(LINEAR, tiles),   X(LINEAR, ring),
                                X(LINEAR, slot),   X(LINEAR, slots),   X(LINEAR, meet),
                                X(LINEAR, chips),  X(LINEAR, ways),    X(LINEAR, grain),
                                -1};
static const int of_rope[] = {X(ROPE, heads),    X(ROPE, kv_heads), X(ROPE, hd),
                              X(ROPE, hdp),      X(ROPE, n_rot),    X(ROPE, style),
                              X(ROPE, q_codes),  X(ROPE, q_scales), X(ROPE, kv_head_stride),
                              X(ROPE, bias),     X(ROPE, off_bias), X(ROPE, norm),
                              X(ROPE, off_norm), X(ROPE, eps),      -1};
static const int of_attention[] = {X(ATTENTION, off_item),
                                   X(ATTENTION, off_lim),
                                   X(ATTENTION, off_pages),
                                   X(ATTENTION, max_items),
                                   X(ATTENTION, max_rows),
                                   X(ATTENTION, max_list),
                                   X(ATTENTION, max_chunks),
                                   X(ATTENTION, heads),
                                   X(ATTENTION, kv_heads),
                                   X(ATTENTION, hd),
                                   X(ATTENTION, hdp),
                                   X(ATTENTION, q_codes),
                                   X(ATTENTION, q_scales),
                                   X(ATTENTION, scale_bits),
                                   X(ATTENTION, page_stride),
                                   X(ATTENTION, kv_head_stride),
                                   X(ATTENTION, chips),
                                   X(ATTENTION, out_cols),
                                   X(ATTENTION, states),
                                   -1};
static const int of_rows[] = {X(ROWS, d), X(ROWS, eps), -1};
static const int of_gateup[] = {X(GATEUP, off_gate), X(GATEUP, off_up),
                                X(GATEUP, fmt_gate), X(GATEUP, fmt_up),
                                X(GATEUP, kblk),     X(GATEUP, log2g),
                                X(GATEUP, pieces),   X(GATEUP, slices),
                                X(GATEUP, tiles),    X(GATEUP, out_kblk),
                                X(GATEUP, ring),     X(GATEUP, slot),
                                X(GATEUP, slots),    X(GATEUP, chips),
                                X(GATEUP, ways),     X(GATEUP, grain),
                                -1};
static const int of_head[] = {
    X(LMHEAD, w),      X(LMHEAD, off_scale), X(LMHEAD, off_m),  X(LMHEAD, fmt),
    X(LMHEAD, kblk),   X(LMHEAD, log2g),     X(LMHEAD, pieces), X(LMHEAD, ns),
    X(LMHEAD, slices), X(LMHEAD, tiles),     X(LMHEAD, logits), X(LMHEAD, logits_stride),
    X(LMHEAD, ring),   X(LMHEAD, slot),      X(LMHEAD, slots),  X(LMHEAD, meet),
    X(LMHEAD, chips),  X(LMHEAD, turns),     -1};
#undef X

static bool twin(proof *pf, const slx_span *a, const slx_span *b, const int *which)
{
    for (; *which >= 0; which++)
        if (!same(pf, a, slx_template_param_name(a->tmpl, (uint32_t)*which), a->param[*which],
                  b->param[*which]))
            return false;
    return true;
}

static bool twins(proof *pf, const slx_fast_spans *s, const slx_fast_short *w)
{
    return twin(pf, w->embed, s->embed, of_embed) && twin(pf, w->loop, s->loop, of_loop) &&
           twin(pf, w->qkv, s->qkv, of_linear) && twin(pf, w->rope, s->rope, of_rope) &&
           twin(pf, w->attn, s->attn, of_attention) && twin(pf, w->o, s->o, of_linear) &&
           twin(pf, w->rows1, s->rows1, of_rows) && twin(pf, w->gateup, s->gateup, of_gateup) &&
           twin(pf, w->down, s->down, of_linear) && twin(pf, w->rows2, s->rows2, of_rows) &&
           twin(pf, w->head, s->head, of_head) &&
           same(pf, w->norm1, "norm", P(w->norm1, NORMLD, off_norm), P(s->rows1, ROWS, off_norm)) &&
           same(pf, w->norm2, "norm", P(w->norm2, NORMLD, off_norm), P(s->rows2, ROWS, off_norm)) &&
           same(pf, w->norm1, "norm", P(w->norm1, NORMLD, d), P(s->rows1, ROWS, d)) &&
           same(pf, w->norm2, "norm", P(w->norm2, NORMLD, d), P(s->rows2, ROWS, d));
}

/* ------------------------------------------------------------------ from phase to phase */

/* Every span names one limit of rows, small enough for the one row that a tile has room for. */
static bool limits(proof *pf, const slx_fast_spans *s, const slx_fast_short *w, uint64_t n)
{
    const slx_program_info *in = &pf->p->info;
    uint64_t item = P(s->attn, ATTENTION, item_rows);
    if (n == 0 || n > in->n_tiles || n > in->desc.max_rows)
        return no(pf, w->branch, "short steps of %llu rows", (unsigned long long)n);
    return same(pf, w->tables, "rows", P(w->tables, TABLES, push), n) &&
           same(pf, w->embed, "rows", P(w->embed, EMBED, push), n) &&
           same(pf, w->qkv, "rows", P(w->qkv, LINEAR, push), n) &&
           same(pf, w->rope, "rows", P(w->rope, ROPE, push), n) &&
           same(pf, w->attn, "rows", P(w->attn, ATTENTION, push), n) &&
           (!w->merge || same(pf, w->merge, "rows", P(w->merge, MERGE, push), n)) &&
           slx_fast_merge_same(pf, s, w->attn, w->merge) &&
           same(pf, w->o, "rows", P(w->o, LINEAR, push), n) &&
           same(pf, w->rows1, "rows", P(w->rows1, ROWS, push), n) &&
           same(pf, w->gateup, "rows", P(w->gateup, GATEUP, push), n) &&
           same(pf, w->down, "rows", P(w->down, LINEAR, push), n) &&
           same(pf, w->rows2, "rows", P(w->rows2, ROWS, push), n) &&
           same(pf, w->head, "rows", P(w->head, LMHEAD, push), n) &&
           same(pf, w->attn, "rows of an item", P(w->attn, ATTENTION, item_rows),
                item < n ? item : n) &&
           (P(w->head, LMHEAD, mr) >= in->desc.max_samples ||
            no(pf, w->head, "it takes fewer samples than a step may have")) &&
           same(pf, s->prologue, "buffers of pages", P(s->prologue, PROLOGUE, buffers),
                P(w->attn, ATTENTION, buffers)) &&
           same(pf, w->rope, "pages", P(w->rope, ROPE, pages), in->desc.max_pages);
}

static bool flow(proof *pf, const slx_fast_short *w)
{
    const slx_desc_layout *dl = &pf->p->info.desc;
    const slx_span *t = w->tables, *e = w->embed, *q = w->qkv, *r = w->rope, *a = w->attn,
                   *g = w->gateup;
    uint64_t codes = P(e, EMBED, a_codes), scales = P(e, EMBED, a_scales), x = P(e, EMBED, spm_x);
    bool ok =
        same(pf, t, "positions", P(t, TABLES, off_position), dl->off_position) &&
        same(pf, t, "kcode", P(t, TABLES, off_kcode), dl->off_kcode) &&
        same(pf, t, "kscale", P(t, TABLES, off_kscale), dl->off_kscale) &&
        same(pf, t, "vscale", P(t, TABLES, off_vscale), dl->off_vscale) &&
        same(pf, t, "sample rows", P(t, TABLES, off_sample), dl->off_sample) &&
        same(pf, t, "spans", P(t, TABLES, off_span), dl->off_span) &&
        same(pf, t, "most items", P(t, TABLES, max_items), dl->max_items) &&
        same(pf, t, "rope table", P(t, TABLES, rope),
             slx_program_region(pf->p, SLX_REGION_ROPE)->base) &&
        same(pf, t, "n_rot", P(t, TABLES, n_rot), P(r, ROPE, n_rot)) &&
        same(pf, r, "tables", P(r, ROPE, spm_idx), P(t, TABLES, spm_idx)) &&
        same(pf, r, "tables", P(r, ROPE, idx_stride), P(t, TABLES, idx_stride)) &&
        same(pf, r, "rotations", P(r, ROPE, spm_tab), P(t, TABLES, spm_tab)) &&
        same(pf, a, "item", P(a, ATTENTION, spm_item), P(t, TABLES, spm_item)) &&
        same(pf, a, "pages", P(a, ATTENTION, spm_pages), P(t, TABLES, spm_pages)) &&
        same(pf, t, "items", P(t, TABLES, off_item), dl->off_item) &&
        same(pf, t, "page list", P(t, TABLES, off_pages), dl->off_pages) &&
        same(pf, t, "length of the page list", P(t, TABLES, max_list), dl->max_pages) &&
        same(pf, t, "chunks", P(t, TABLES, max_chunks), P(a, ATTENTION, max_chunks)) &&
        same(pf, t, "most merges", P(t, TABLES, max_merges), dl->max_merges) &&
        (!w->merge || (same(pf, t, "merges' spans", P(t, TABLES, off_merge_span), dl->off_merge_span) &&
                       same(pf, t, "merges", P(t, TABLES, off_merge), dl->off_merge) &&
                       same(pf, t, "header", P(t, TABLES, spm_header), P(w->merge, MERGE, spm_header)) &&
                       same(pf, t, "merge", P(t, TABLES, spm_merge), P(w->merge, MERGE, spm_item)))) &&
        same(pf, w->head, "sample rows", P(w->head, LMHEAD, spm_idx), P(t, TABLES, spm_sample));
    ok = ok && same(pf, q, "input codes", P(q, LINEAR, spm_a), codes) &&
         same(pf, q, "input scales", P(q, LINEAR, spm_as), scales) &&
         same(pf, r, "q", P(r, ROPE, spm_q), P(q, LINEAR, out)) &&
         same(pf, r, "k", P(r, ROPE, spm_k), P(q, LINEAR, out1)) &&
         same(pf, r, "v", P(r, ROPE, spm_v), P(q, LINEAR, out2)) &&
         same(pf, a, "output codes", P(a, ATTENTION, out_codes), codes) &&
         same(pf, a, "output scales", P(a, ATTENTION, out_scales), scales) &&
         same(pf, w->o, "input codes", P(w->o, LINEAR, spm_a), codes) &&
         same(pf, w->o, "input scales", P(w->o, LINEAR, spm_as), scales) &&
         same(pf, g, "input codes", P(g, GATEUP, spm_a), codes) &&
         same(pf, g, "input scales", P(g, GATEUP, spm_as), scales) &&
         same(pf, w->down, "input codes", P(w->down, LINEAR, spm_a), P(g, GATEUP, out_codes)) &&
         same(pf, w->down, "input scales", P(w->down, LINEAR, spm_as), P(g, GATEUP, out_scales)) &&
         same(pf, w->down, "output", P(w->down, LINEAR, out), P(w->o, LINEAR, out)) &&
         same(pf, w->head, "input codes", P(w->head, LMHEAD, a_codes), codes) &&
         same(pf, w->head, "input scales", P(w->head, LMHEAD, a_scales), scales);
    const slx_span *rows[2] = {w->rows1, w->rows2}, *norm[2] = {w->norm1, w->norm2};
    for (int k = 0; ok && k < 2; k++)
        ok = same(pf, rows[k], "residual", P(rows[k], ROWS, spm_x), x) &&
             same(pf, rows[k], "addend", P(rows[k], ROWS, spm_y), P(w->o, LINEAR, out)) &&
             same(pf, rows[k], "weight", P(rows[k], ROWS, spm_w), P(norm[k], NORMLD, spm_w)) &&
             same(pf, rows[k], "output codes", P(rows[k], ROWS, a_codes), codes) &&
             same(pf, rows[k], "output scales", P(rows[k], ROWS, a_scales), scales) &&
             same(pf, rows[k], "codes", P(rows[k], ROWS, spm_q), P(e, EMBED, spm_q)) &&
             same(pf, rows[k], "scales", P(rows[k], ROWS, spm_qs), P(e, EMBED, spm_qs));
    return ok;
}

/* A prefetch of n matrices for the product x; slices, formats, places of each as the product has them. */
static bool loads(proof *pf, const slx_fast_short *w, const slx_span *l, const slx_span *x,
                  bool next, int n, const uint64_t *off, const uint64_t *fmt,
                  const uint64_t *slices, const uint64_t *rot, const uint64_t *home, uint64_t kblk,
                  uint64_t pieces, uint64_t ready, const uint64_t woven[3])
{
    for (int i = 0; i < 3; i++) /* ways, grain, grid_x, in this order in all templates */
        if (!same(pf, l, slx_template_param_name(l->tmpl, SLX_PREFETCH_ways + (uint32_t)i),
                  l->param[SLX_PREFETCH_ways + i], woven[i]))
            return false;
    for (int i = 0; i < SLX_LINEAR_PARTS; i++) {
        bool any = i < n;
        if (!same(pf, l, "slices", l->param[SLX_PREFETCH_slices + i], any ? slices[i] : 0))
            return false;
        if (!any || !slices[i]) continue;
        if (!same(pf, l, "weights", l->param[SLX_PREFETCH_off_w + i], off[i]) ||
            !same(pf, l, "format", l->param[SLX_PREFETCH_fmt + i], fmt[i]) ||
            !same(pf, l, "first tile", l->param[SLX_PREFETCH_rot + i], rot[i]) ||
            !same(pf, l, "place", l->param[SLX_PREFETCH_home + i], home[i]))
            return false;
    }
    return same(pf, l, "blocks", P(l, PREFETCH, kblk), kblk) &&
           same(pf, l, "pieces", P(l, PREFETCH, pieces), pieces) &&
           same(pf, l, "rows of a slice", P(l, PREFETCH, ns), 32) &&
           same(pf, l, "tiles", P(l, PREFETCH, tiles), pf->p->info.n_tiles) &&
           same(pf, l, "layer", P(l, PREFETCH, next) != 0, next) &&
           same(pf, x, "token", P(l, PREFETCH, ready), ready) &&
           same(pf, l, "weights", P(l, PREFETCH, weights), P(w->loop, LOOP_BEGIN, weights)) &&
           same(pf, l, "stride of a layer", P(l, PREFETCH, layer_stride),
                P(w->loop, LOOP_BEGIN, layer_stride)) &&
           same(pf, l, "layers", P(l, PREFETCH, n_layers), P(w->loop, LOOP_BEGIN, n_layers));
}

static bool loads_linear(proof *pf, const slx_fast_short *w, int load, const slx_span *x, bool next)
{
    const uint64_t *p = x->param;
    return loads(pf, w, w->load[load], x, next, SLX_LINEAR_PARTS, p + SLX_LINEAR_off_w,
                 p + SLX_LINEAR_fmt, p + SLX_LINEAR_slices, p + SLX_LINEAR_rot, p + SLX_LINEAR_home,
                 P(x, LINEAR, kblk), P(x, LINEAR, pieces), P(x, LINEAR, ready), p + SLX_LINEAR_ways);
}

/* Matrix k of gate and up. */
static bool loads_half(proof *pf, const slx_fast_short *w, int load, int k)
{
    const uint64_t *p = w->gateup->param, rot = 0;
    return loads(pf, w, w->load[load], w->gateup, false, 1, p + SLX_GATEUP_off_gate + k,
                 p + SLX_GATEUP_fmt_gate + k, p + SLX_GATEUP_slices, &rot, p + SLX_GATEUP_home + k,
                 p[SLX_GATEUP_kblk], p[SLX_GATEUP_pieces], p[SLX_GATEUP_ready + k], p + SLX_GATEUP_ways);
}

static bool prefetches(proof *pf, const slx_fast_short *w)
{
    enum { N = 5 };
    const uint64_t ready[N] = {P(w->qkv, LINEAR, ready), P(w->o, LINEAR, ready),
                               P(w->gateup, GATEUP, ready), P(w->gateup, GATEUP, ready1),
                               P(w->down, LINEAR, ready)};
    bool ahead = w->load[0] != NULL;
    for (int i = 0; i < N; i++) {
        if ((ready[i] != 0) != ahead)
            return no(pf, w->loop, "weights that nothing waits for, or nothing loads");
        for (int k = 0; ahead && k < i; k++)
            if (ready[i] == ready[k]) return no(pf, w->loop, "two matrices share tokens");
    }
    return same(pf, w->head, "token of the next layer", P(w->head, LMHEAD, ready), ready[0]) &&
           (!ahead ||
            (loads_linear(pf, w, LOAD_QKV, w->qkv, false) &&
             loads_linear(pf, w, NEXT_QKV, w->qkv, true) &&
             loads_linear(pf, w, LOAD_O, w->o, false) && loads_half(pf, w, LOAD_GATE, 0) &&
             loads_half(pf, w, LOAD_UP, 1) && loads_linear(pf, w, LOAD_DOWN, w->down, false)));
}

bool slx_fast_short_same(proof *pf, const slx_fast_spans *s, const slx_fast_short *w)
{
    return limits(pf, s, w, P(w->branch, BRANCH, rows)) && twins(pf, s, w) && flow(pf, w) &&
           prefetches(pf, w) && slx_fast_short_apart(pf, w);
}
