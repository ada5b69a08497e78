/* fast_prove.c - why a fused kernel may stand for a stretch of the program.
 *
 * 1. The spans cover the stream without a gap, and each expands, word for word, to what the stream holds.
 * 2. The templates stand in the one order the kernels know, for short steps in another (fast_short.c).
 * 3. Every address and count a template was given fits its neighbours: a phase reads exactly the buffer that the phase
 *    before it wrote, with the same widths; buffers lie apart, and so do the scratchpad areas of one span
 *    (fast_apart.c).
 * What remains free (eps, the score scale, weight addresses, tile shapes) the kernels read from the parameters.
 */
#include "func/fast_int.h"

#include <stdarg.h>
#include <string.h>

typedef slx_fast_proof proof;

bool slx_fast_no(proof *pf, const slx_span *s, const char *fmt, ...)
{
    char text[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!pf->why) {
        snprintf(pf->buf, 256, "span %s at pc %u: %s", s ? s->name : "?", s ? s->pc : 0, text);
        pf->why = pf->buf;
    }
    return false;
}

bool slx_fast_same(proof *pf, const slx_span *s, const char *what, uint64_t found,
                   uint64_t expected)
{
    return found == expected ||
           slx_fast_no(pf, s, "%s is 0x%llx, its neighbours say 0x%llx", what,
                       (unsigned long long)found, (unsigned long long)expected);
}
/* short names: the tables below are long */
#define no   slx_fast_no
#define same slx_fast_same

/* Step 1 for one span. */
static bool words_match(proof *pf, const slx_span *s, uint32_t pc)
{
    if (s->pc != pc) return no(pf, s, "starts at pc %u, the one before ends at %u", s->pc, pc);
    if (s->tmpl >= SLX_N_TEMPLATES || s->n_param != slx_template_n_params(s->tmpl))
        return no(pf, s, "unknown template or number of parameters");
    if (s->count > pf->p->n_insns - pc) return no(pf, s, "runs past the end of the stream");
    slx_buf b = {0};
    bool ok = slx_template_expand(s->tmpl, s->param, pc, &b);
    size_t bytes = (size_t)s->count * sizeof(slx_insn);
    if (!ok || b.len != bytes || memcmp(b.ptr, pf->p->insns + pc, bytes) != 0) {
        uint32_t at = pc;
        const slx_insn *want = (const slx_insn *)(const void *)b.ptr;
        if (ok && b.len == bytes)
            while (!memcmp(&want[at - pc], &pf->p->insns[at], sizeof(slx_insn))) at++;
        ok = no(pf, s, "the word at pc %u is not the template's", at);
    }
    slx_buf_free(&b);
    return ok;
}

/* Step 2: takes the next span if it is of the wanted template. */
const slx_span *slx_fast_take(proof *pf, uint32_t *i, slx_template_id id)
{
    const slx_span *s = *i < pf->p->n_spans ? &pf->p->spans[*i] : NULL;
    if (!s || s->tmpl != (uint32_t)id) {
        no(pf, s, "expected %s here", slx_template_name(id));
        return NULL;
    }
    ++*i;
    return s;
}

bool slx_fast_barrier(proof *pf, uint32_t *i, uint64_t to)
{
    const slx_span *s = slx_fast_take(pf, i, SLX_TMPL_BARRIER);
    if (!s) return false;
    uint64_t g = s->param[SLX_BARRIER_group];
    if (g >= pf->p->n_groups || pf->p->groups[g].first != 0 ||
        pf->p->groups[g].count != pf->p->info.n_tiles)
        return no(pf, s, "not a barrier of all tiles");
    return same(pf, s, "engine that waits", s->param[SLX_BARRIER_to], to);
}

bool slx_fast_take_merge(proof *pf, uint32_t *i, const slx_span **merge)
{
    if (!pf->p->info.desc.max_merges) return true;
    *merge = slx_fast_take(pf, i, SLX_TMPL_MERGE);
    return *merge != NULL;
}

bool slx_fast_loop_ends(proof *pf, const slx_span *loop, uint32_t end)
{
    const slx_insn *in = &pf->p->insns[loop->pc];
    uint32_t at = loop->pc;
    while (slx_insn_op(in) != SLX_OP_LOOP && at < loop->pc + loop->count) in++, at++;
    return same(pf, loop, "end of the layer loop", at + 1 + loop->param[SLX_LOOP_BEGIN_body], end);
}

static bool order(proof *pf, slx_fast_spans *s, slx_fast_short *w)
{
    uint32_t i = 0;
    const slx_program *p = pf->p;
#define TAKE(field, id)                                                                            \
    if (!(s->field = slx_fast_take(pf, &i, SLX_TMPL_##id))) return false
    TAKE(prologue, PROLOGUE);
    if (!slx_fast_short_order(pf, &i, w)) return false;
    TAKE(embed, EMBED);
    if (!slx_fast_barrier(pf, &i, SLX_TO_LDQ)) return false;
    TAKE(loop, LOOP_BEGIN);
    TAKE(qkv, LINEAR);
    if (!slx_fast_barrier(pf, &i, SLX_TO_LDQ)) return false;
    TAKE(rope, ROPE);
    if (!slx_fast_barrier(pf, &i, SLX_TO_LDQ)) return false;
    TAKE(attn, ATTENTION);
    if (!slx_fast_take_merge(pf, &i, &s->merge)) return false;
    if (!slx_fast_barrier(pf, &i, SLX_TO_LDQ)) return false;
    if (i < p->n_spans && p->spans[i].tmpl == SLX_TMPL_ROWQ) {
        TAKE(rowq, ROWQ);
        if (!slx_fast_barrier(pf, &i, SLX_TO_LDQ)) return false;
    }
    TAKE(o, LINEAR);
    if (!slx_fast_barrier(pf, &i, SLX_TO_LDQ)) return false;
    TAKE(rows1, ROWS);
    if (!slx_fast_barrier(pf, &i, SLX_TO_LDQ)) return false;
    TAKE(gateup, GATEUP);
    if (!slx_fast_barrier(pf, &i, SLX_TO_LDQ)) return false;
    TAKE(down, LINEAR);
    if (!slx_fast_barrier(pf, &i, SLX_TO_LDQ)) return false;
    TAKE(rows2, ROWS);
    if (!slx_fast_barrier(pf, &i, SLX_TO_LDQ)) return false;
    uint32_t body_end = p->spans[i - 1].pc + p->spans[i - 1].count;
    TAKE(head, LMHEAD);
    const slx_span *end = slx_fast_take(pf, &i, SLX_TMPL_END);
#undef TAKE
    if (!end) return false;
    if (i != p->n_spans || end->pc + end->count != p->n_insns)
        return no(pf, end, "something follows the end");
    if (p->entry_step != 0) return no(pf, s->prologue, "a step does not start here");
    if (w->branch &&
        (!same(pf, w->branch, "where it goes",
               w->branch->pc + w->branch->count + w->branch->param[SLX_BRANCH_words],
               s->embed->pc) ||
         !same(pf, w->jump, "where it goes",
               w->jump->pc + w->jump->count + w->jump->param[SLX_JUMP_words], end->pc)))
        return false;
    /* the LOOP spans exactly the layer's phases */
    return slx_fast_loop_ends(pf, s->loop, body_end);
}

#define P(span, T, name) ((span)->param[SLX_##T##_##name])

/* slx_meet of compile/plan.h, as templates have it. */
enum { MEET_SUM = 1, MEET_GATHER };

/* RED of equal nodes is the tree over all of them only for a power of two of chips, and at most 8 segments. */
static bool nodes(proof *pf, const slx_span *l, uint64_t chips)
{
    if (!(chips & (chips - 1)) && chips << P(l, LINEAR, log2g) <= 8) return true;
    return no(pf, l, "RED over %u chips of %u segments each", (unsigned)chips,
              1u << P(l, LINEAR, log2g));
}

/* Everything through memory, weights through the ring: what the fused kernels know of any step. */
static bool plain(proof *pf, const slx_fast_spans *s)
{
    const slx_span *linear[] = {s->qkv, s->o, s->down}, *rows[] = {s->rows1, s->rows2};
    bool ok = same(pf, s->embed, "short steps", P(s->embed, EMBED, push), 0) &&
              same(pf, s->rope, "short steps", P(s->rope, ROPE, push), 0) &&
              same(pf, s->attn, "short steps", P(s->attn, ATTENTION, push), 0) &&
              (!s->merge || same(pf, s->merge, "short steps", P(s->merge, MERGE, push), 0)) &&
              same(pf, s->gateup, "short steps", P(s->gateup, GATEUP, push), 0) &&
              same(pf, s->gateup, "token of weights", P(s->gateup, GATEUP, ready), 0) &&
              same(pf, s->head, "short steps", P(s->head, LMHEAD, push), 0);
    for (int i = 0; ok && i < 3; i++)
        ok = same(pf, linear[i], "short steps", P(linear[i], LINEAR, push), 0) &&
             same(pf, linear[i], "token of weights", P(linear[i], LINEAR, ready), 0);
    for (int i = 0; ok && i < 2; i++)
        ok = same(pf, rows[i], "short steps", P(rows[i], ROWS, push), 0);
    return ok;
}

static bool layout_prologue(proof *pf, const slx_fast_spans *s)
{
    const slx_program_info *in = &pf->p->info;
    const slx_region *w = slx_program_region(pf->p, SLX_REGION_WEIGHTS);
    return w && same(pf, s->prologue, "tiles", P(s->prologue, PROLOGUE, tiles), in->n_tiles) &&
           same(pf, s->prologue, "max_rows", P(s->prologue, PROLOGUE, max_rows),
                in->desc.max_rows) &&
           same(pf, s->prologue, "max_samples", P(s->prologue, PROLOGUE, max_samples),
                in->desc.max_samples) &&
           (P(s->prologue, PROLOGUE, rows_cap) >=
                (in->desc.max_rows + in->n_tiles - 1) / in->n_tiles ||
            no(pf, s->prologue, "a tile takes fewer rows than a step has for it")) &&
           /* loads before the loop are of its first layer */
           same(pf, s->prologue, "weights", P(s->prologue, PROLOGUE, weights), P(s->loop, LOOP_BEGIN, weights)) &&
           same(pf, s->loop, "layers", P(s->loop, LOOP_BEGIN, n_layers), in->n_layers) &&
           same(pf, s->loop, "KV stride of a layer", P(s->loop, LOOP_BEGIN, kv_layer_stride),
                in->kv_layer_stride) &&
           same(pf, s->loop, "KV base", P(s->loop, LOOP_BEGIN, kv),
                slx_program_region(pf->p, SLX_REGION_KV)->base);
}

/* What a product takes and is for. n: columns of each matrix that a later phase reads; whole slices of 32 are made.
 * n[i] 0: no such matrix. */
typedef struct {
    uint64_t a_codes, a_scales, kblk, a_ld, n[SLX_LINEAR_PARTS], meet;
} product;

/* Slices that each of the chips makes, when they do so in turns. */
static uint64_t in_turns(uint64_t n, uint64_t chips)
{
    return ((n + 31) / 32 + chips - 1) / chips;
}

/* Rows are multicast to groups that the program's header describes: each must be the tiles the template means. */
static bool shared_rows(proof *pf, const slx_span *l, uint64_t groups, uint64_t row_cap)
{
    uint32_t tiles = pf->p->info.n_tiles, g = 0;
    if (!same(pf, l, "most rows", row_cap, pf->p->info.desc.max_rows)) return false;
    if (!groups) return true;
    if (groups >= SLX_SHARE_GROUPS || 2 * groups - 1 > pf->p->n_groups)
        return no(pf, l, "the program has fewer groups of tiles than share rows");
    for (uint32_t parts = 1; parts <= groups; parts *= 2)
        for (uint32_t i = 0; i < parts; i++, g++)
            if (pf->p->groups[g].first != i * (tiles / parts) || pf->p->groups[g].count != tiles / parts)
                return no(pf, l, "a group of tiles that share rows is not their part of all tiles");
    return true;
}

static bool linear_shape(proof *pf, const slx_span *l, product x)
{
    uint64_t all = slx_program_chips(&pf->p->info), chips = x.meet == MEET_GATHER ? all : 1;
    for (int i = 0; i < SLX_LINEAR_PARTS; i++)
        if (!same(pf, l, "slices", l->param[SLX_LINEAR_slices + i], in_turns(x.n[i], chips)))
            return false;
    return same(pf, l, "rows of a slice", P(l, LINEAR, ns), 32) &&
           same(pf, l, "way to other chips", P(l, LINEAR, meet), x.meet) &&
           (!x.meet || same(pf, l, "chips", P(l, LINEAR, chips), all)) &&
           same(pf, l, "input codes", P(l, LINEAR, a_codes), x.a_codes) &&
           same(pf, l, "input scales", P(l, LINEAR, a_scales), x.a_scales) &&
           same(pf, l, "input blocks", P(l, LINEAR, kblk), x.kblk) &&
           same(pf, l, "blocks of an input row", P(l, LINEAR, a_ld), x.a_ld) &&
           same(pf, l, "tiles", P(l, LINEAR, tiles), pf->p->info.n_tiles) &&
           shared_rows(pf, l, P(l, LINEAR, groups), P(l, LINEAR, row_cap));
}

/* Whether o sums (each chip its heads) or gathers (all heads on every chip); what that asks of the heads' order. */
static bool heads_meet(proof *pf, const slx_fast_spans *s, uint64_t cols, uint64_t *meet)
{
    const slx_program_info *in = &pf->p->info;
    uint64_t chips = slx_program_chips(in), together = P(s->attn, ATTENTION, chips);
    *meet = chips == 1 ? 0 : together > 1 ? MEET_GATHER : MEET_SUM;
    if (*meet == MEET_GATHER)
        return same(pf, s->attn, "chips", together, chips) &&
               same(pf, s->attn, "output columns", P(s->attn, ATTENTION, out_cols), cols * chips) &&
               same(pf, s->attn, "KV heads of a turn", in->kv_unit, 1);
    return same(pf, s->attn, "chips", together, 1) &&
           same(pf, s->attn, "output columns", P(s->attn, ATTENTION, out_cols), cols) &&
           (chips == 1 ||
            (same(pf, s->attn, "KV heads of a run", in->kv_unit, in->n_kv_heads) &&
             same(pf, s->attn, "columns modulo 32", cols % 32, 0) && nodes(pf, s->o, chips)));
}

/* Gate and up: all columns, this chip's node of down's tree, or blocks in turns that are gathered. */
static bool ff_meet(proof *pf, const slx_fast_spans *s, product *down)
{
    const slx_program_info *in = &pf->p->info;
    const slx_span *g = s->gateup;
    uint64_t chips = slx_program_chips(in), together = P(g, GATEUP, chips),
             all = (in->d_ff + 31) / 32;
    down->meet = chips == 1 ? 0 : together > 1 ? MEET_GATHER : MEET_SUM;
    uint64_t slices = in_turns(in->d_ff, chips), ld = slices * chips;
    down->kblk = all;
    if (down->meet == MEET_GATHER) {
        if (!same(pf, g, "chips", together, chips)) return false;
    } else {
        if (!same(pf, g, "chips", together, 1)) return false;
        if (chips > 1 && (!same(pf, g, "columns modulo 32 a chip", in->d_ff % (32 * chips), 0) ||
                          !nodes(pf, s->down, chips)))
            return false;
        down->kblk = ld = slices;
    }
    down->a_ld = ld;
    return same(pf, g, "slices", P(g, GATEUP, slices), slices) &&
           same(pf, g, "output blocks", P(g, GATEUP, out_kblk), ld);
}

bool slx_fast_merge_same(proof *pf, const slx_fast_spans *s, const slx_span *a, const slx_span *m)
{
    const slx_desc_layout *dl = &pf->p->info.desc;
    if (!same(pf, a, "most states", P(a, ATTENTION, max_states), dl->max_states)) return false;
    if (!m) return same(pf, a, "most states", dl->max_states, 0);
    return same(pf, m, "header", P(m, MERGE, spm_header), P(s->prologue, PROLOGUE, spm_header)) &&
           same(pf, m, "spans", P(m, MERGE, off_span), dl->off_merge_span) &&
           same(pf, m, "merges", P(m, MERGE, off_merge), dl->off_merge) &&
           same(pf, m, "most merges", P(m, MERGE, max_merges), dl->max_merges) &&
           same(pf, m, "buffers of states", P(m, MERGE, buffers), P(s->prologue, PROLOGUE, merges)) &&
           same(pf, m, "most states", P(m, MERGE, max_states), dl->max_states) &&
           same(pf, m, "most rows", P(m, MERGE, max_rows), P(a, ATTENTION, max_rows)) &&
           same(pf, m, "rows of an item", P(m, MERGE, item_rows), P(a, ATTENTION, item_rows)) &&
           same(pf, m, "chunks", P(m, MERGE, max_chunks), P(a, ATTENTION, max_chunks)) &&
           same(pf, m, "heads", P(m, MERGE, heads), P(a, ATTENTION, heads)) &&
           same(pf, m, "KV heads", P(m, MERGE, kv_heads), P(a, ATTENTION, kv_heads)) &&
           same(pf, m, "head", P(m, MERGE, hd), P(a, ATTENTION, hd)) &&
           same(pf, m, "states", P(m, MERGE, states), P(a, ATTENTION, states)) &&
           same(pf, m, "output codes", P(m, MERGE, out_codes), P(a, ATTENTION, out_codes)) &&
           same(pf, m, "output scales", P(m, MERGE, out_scales), P(a, ATTENTION, out_scales)) &&
           same(pf, m, "output", P(m, MERGE, out), P(a, ATTENTION, out)) &&
           same(pf, m, "output columns", P(m, MERGE, out_cols), P(a, ATTENTION, out_cols)) &&
           same(pf, m, "chips", P(m, MERGE, chips), P(a, ATTENTION, chips));
}

static bool data_flow(proof *pf, const slx_fast_spans *s)
{
    const slx_program_info *in = &pf->p->info;
    const slx_desc_layout *dl = &in->desc;
    uint64_t desc = slx_program_region(pf->p, SLX_REGION_DESC)->base;
    const slx_span *e = s->embed, *r = s->rope, *a = s->attn;
    uint64_t kblk_d = P(e, EMBED, kblk), ac = P(e, EMBED, a_codes), as = P(e, EMBED, a_scales),
             x = P(e, EMBED, x);
    const slx_span *qkv = s->qkv;
    bool ok = same(pf, e, "row width", P(e, EMBED, d), in->d_model) &&
              same(pf, e, "blocks", kblk_d, (in->d_model + 31) / 32) &&
              same(pf, e, "token ids", P(e, EMBED, off_token), dl->off_token);
    uint64_t q_cols = (uint64_t)in->n_heads * in->head_dim,
             kv_cols = (uint64_t)in->n_kv_heads * in->head_dim;
    ok = ok &&
         linear_shape(pf, qkv, (product){ac, as, kblk_d, kblk_d, {q_cols, kv_cols, kv_cols}, 0});
    ok = ok && same(pf, r, "input", P(r, ROPE, qkv), P(qkv, LINEAR, out)) &&
         same(pf, r, "input stride", P(r, ROPE, qkv_stride), P(qkv, LINEAR, out_stride)) &&
         same(pf, r, "place of k", P(r, ROPE, qkv) + P(r, ROPE, off_k), P(qkv, LINEAR, out1)) &&
         same(pf, r, "place of v", P(r, ROPE, qkv) + P(r, ROPE, off_v), P(qkv, LINEAR, out2)) &&
         same(pf, r, "heads", P(r, ROPE, heads), in->n_heads) &&
         same(pf, r, "KV heads", P(r, ROPE, kv_heads), in->n_kv_heads) &&
         same(pf, r, "head", P(r, ROPE, hd), in->head_dim) &&
         same(pf, r, "padded head", P(r, ROPE, hdp), in->head_dim_pad) &&
         same(pf, r, "n_rot", P(r, ROPE, n_rot), in->n_rot) &&
         same(pf, r, "rope table", P(r, ROPE, rope),
              slx_program_region(pf->p, SLX_REGION_ROPE)->base) &&
         same(pf, r, "positions", P(r, ROPE, off_position), dl->off_position) &&
         same(pf, r, "kcode", P(r, ROPE, off_kcode), dl->off_kcode) &&
         same(pf, r, "kscale", P(r, ROPE, off_kscale), dl->off_kscale) &&
         same(pf, r, "vscale", P(r, ROPE, off_vscale), dl->off_vscale) &&
         same(pf, r, "KV head stride", P(r, ROPE, kv_head_stride), in->kv_head_stride);
    ok = ok && same(pf, a, "q codes", P(a, ATTENTION, q_codes), P(r, ROPE, q_codes)) &&
         same(pf, a, "q scales", P(a, ATTENTION, q_scales), P(r, ROPE, q_scales)) &&
         same(pf, a, "heads", P(a, ATTENTION, heads), in->n_heads) &&
         same(pf, a, "KV heads", P(a, ATTENTION, kv_heads), in->n_kv_heads) &&
         same(pf, a, "head", P(a, ATTENTION, hd), in->head_dim) &&
         same(pf, a, "padded head", P(a, ATTENTION, hdp), in->head_dim_pad) &&
         same(pf, a, "page stride", P(a, ATTENTION, page_stride), in->page_stride) &&
         same(pf, a, "KV head stride", P(a, ATTENTION, kv_head_stride), in->kv_head_stride) &&
         same(pf, a, "spans", P(a, ATTENTION, off_span), dl->off_span) &&
         same(pf, a, "items", P(a, ATTENTION, off_item), dl->off_item) &&
         same(pf, a, "limits", P(a, ATTENTION, off_lim), dl->off_lim) &&
         same(pf, a, "page list", P(a, ATTENTION, off_pages), dl->off_pages) &&
         same(pf, a, "most items", P(a, ATTENTION, max_items), dl->max_items) &&
         same(pf, a, "rows of an item", P(a, ATTENTION, item_rows), dl->item_rows) &&
         same(pf, a, "most rows", P(a, ATTENTION, max_rows), dl->max_rows) &&
         same(pf, a, "length of the page list", P(a, ATTENTION, max_list), dl->max_pages) &&
         slx_fast_merge_same(pf, s, a, s->merge);
    if (P(e, EMBED, layer) || P(s->rows1, ROWS, layer) || P(s->rows2, ROWS, layer) || P(s->gateup, GATEUP, gelu))
        return no(pf, e, "layer norms, learned positions and gelu have no fused kernels");
    uint64_t oc = P(a, ATTENTION, out_codes), os = P(a, ATTENTION, out_scales), o_meet,
             out_cols = P(a, ATTENTION, out_cols), kblk_o = (out_cols + 31) / 32;
    ok = ok && heads_meet(pf, s, q_cols, &o_meet);
    if (ok && s->rowq) {
        const slx_span *w = s->rowq;
        ok = same(pf, a, "output codes", oc, 0) &&
             same(pf, w, "input stride", P(w, ROWQ, src_stride), out_cols * 4) &&
             same(pf, w, "input", P(w, ROWQ, src), P(a, ATTENTION, out)) &&
             same(pf, w, "columns", P(w, ROWQ, cols), out_cols);
        oc = P(w, ROWQ, a_codes), os = P(w, ROWQ, a_scales);
    } else if (ok) {
        ok = same(pf, a, "head modulo 32", in->head_dim % 32, 0) &&
             (oc || no(pf, a, "its heads are not quantised"));
    }
    ok = ok && linear_shape(pf, s->o, (product){oc, os, kblk_o, kblk_o, {in->d_model}, o_meet});
    const slx_span *w1 = s->rows1, *w2 = s->rows2, *g = s->gateup;
    product down = {.a_codes = P(g, GATEUP, out_codes),
                    .a_scales = P(g, GATEUP, out_scales),
                    .n = {in->d_model}};
    ok = ok && same(pf, w1, "residual", P(w1, ROWS, x), x) &&
         same(pf, w1, "addend", P(w1, ROWS, y), P(s->o, LINEAR, out)) &&
         same(pf, w1, "addend stride", P(w1, ROWS, y_stride), P(s->o, LINEAR, out_stride)) &&
         same(pf, w1, "row width", P(w1, ROWS, d), in->d_model);
    ok = ok && same(pf, g, "input codes", P(g, GATEUP, a_codes), P(w1, ROWS, a_codes)) &&
         same(pf, g, "input scales", P(g, GATEUP, a_scales), P(w1, ROWS, a_scales)) &&
         same(pf, g, "input blocks", P(g, GATEUP, kblk), kblk_d) && ff_meet(pf, s, &down) &&
         same(pf, g, "tiles", P(g, GATEUP, tiles), in->n_tiles) &&
         shared_rows(pf, g, P(g, GATEUP, groups), P(g, GATEUP, row_cap));
    ok = ok && linear_shape(pf, s->down, down);
    ok = ok && same(pf, w2, "residual", P(w2, ROWS, x), x) &&
         same(pf, w2, "addend", P(w2, ROWS, y), P(s->down, LINEAR, out)) &&
         same(pf, w2, "addend stride", P(w2, ROWS, y_stride), P(s->down, LINEAR, out_stride)) &&
         same(pf, w2, "row width", P(w2, ROWS, d), in->d_model) &&
         same(pf, w2, "codes", P(w2, ROWS, a_codes), ac) &&
         same(pf, w2, "scales", P(w2, ROWS, a_scales), as);
    const slx_span *h = s->head;
    uint64_t chips = slx_program_chips(in);
    return ok && same(pf, h, "input codes", P(h, LMHEAD, a_codes), ac) &&
           same(pf, h, "input scales", P(h, LMHEAD, a_scales), as) &&
           same(pf, h, "input blocks", P(h, LMHEAD, kblk), kblk_d) &&
           same(pf, h, "sample rows", P(h, LMHEAD, off_sample), dl->off_sample) &&
           same(pf, h, "logits", P(h, LMHEAD, logits),
                slx_program_region(pf->p, SLX_REGION_LOGITS)->base) &&
           same(pf, h, "rows of a slice", P(h, LMHEAD, ns), 32) &&
           same(pf, h, "columns", 32 * P(h, LMHEAD, slices) * chips, in->vocab_pad) &&
           same(pf, h, "chips", P(h, LMHEAD, chips), chips) &&
           same(pf, h, "way to other chips", P(h, LMHEAD, meet), chips > 1 ? MEET_GATHER : 0) &&
           (P(h, LMHEAD, turns) <= (chips > 1) || no(pf, h, "turns of one chip")) &&
           same(pf, h, "logits stride", P(h, LMHEAD, logits_stride), in->vocab_pad * 4ull) &&
           same(pf, h, "tiles", P(h, LMHEAD, tiles), in->n_tiles) && desc;
}

const char *slx_fast_prove(const slx_program *p, slx_fast_spans *s, uint32_t *fused, char buf[256])
{
    proof pf = {.p = p, .buf = buf};
    slx_fast_short brief = {0};
    uint32_t pc = 0;
    memset(s, 0, sizeof *s);
    *fused = 0;
    for (uint32_t i = 0; i < p->n_spans; i++) {
        if (words_match(&pf, &p->spans[i], pc)) ++*fused;
        pc = p->spans[i].pc + p->spans[i].count;
    }
    if (pf.why) return pf.why;
    if (!p->n_spans) return "the program names no templates";
    if (!order(&pf, s, &brief) || !plain(&pf, s) || !layout_prologue(&pf, s) ||
        !data_flow(&pf, s) || !slx_fast_apart(&pf, s) ||
        (brief.branch && !slx_fast_short_same(&pf, s, &brief))) {
        *fused = 0;
        return pf.why ? pf.why : "the program lacks a region";
    }
    return NULL;
}
