/* fast_apart.c - why the scratchpads and the exchange buffers may be forgotten: nothing in them is overwritten
 * before its last reader has read it.
 *
 * Within a phase every area of the scratchpad lies apart from every other, at a multiple of 64, with the sizes that the
 * template's row tile gives it; p may be t, since VSMX works in place. Nothing in a scratchpad outlives its phase.
 * Between phases every buffer of HBM lies apart from every other inside the EXCHANGE region, for the most rows a step
 * has; the input of the next product and the addend of the residual may use one buffer both times of a layer.
 */
#include "func/fast_int.h"

#define P(span, T, name) ((span)->param[SLX_##T##_##name])

enum { MAX_AREAS = 80, MAX_TILE_ROWS = 4095 };

typedef struct {
    const char *name;
    uint64_t at, bytes;
} area;

typedef struct {
    slx_fast_proof *pf;
    const slx_span *span;
    uint32_t n;
    area a[MAX_AREAS];
} areas;

static uint64_t up64(uint64_t v)
{
    return (v + 63) / 64 * 64;
}

static void put(areas *l, const char *name, uint64_t at, uint64_t bytes)
{
    SLX_ASSERT(l->n < MAX_AREAS);
    l->a[l->n++] = (area){name, at, bytes};
}

static bool overlap(const area *a, const area *b)
{
    return a->bytes && b->bytes && a->at < b->at + b->bytes && b->at < a->at + a->bytes;
}

static bool lie_apart(const areas *l)
{
    for (uint32_t i = 0; i < l->n; i++) {
        if (l->a[i].at % 64)
            return slx_fast_no(l->pf, l->span, "%s at 0x%llx, not a multiple of 64", l->a[i].name,
                               (unsigned long long)l->a[i].at);
        for (uint32_t k = 0; k < i; k++)
            if (overlap(&l->a[i], &l->a[k]))
                return slx_fast_no(l->pf, l->span, "%s lies over %s", l->a[i].name, l->a[k].name);
    }
    return true;
}

/* And apart from the header of the step, which every layer looks at again. */
static bool scratchpad(areas *l, uint64_t rows)
{
    if (rows == 0 || rows > MAX_TILE_ROWS)
        return slx_fast_no(l->pf, l->span, "row tile of %llu", (unsigned long long)rows);
    put(l, "header", l->pf->p->spans[0].param[SLX_PROLOGUE_spm_header], 64); /* the first span is the prologue */
    return lie_apart(l);
}

/* ------------------------------------------------------------------ products */

static uint32_t piece_blocks(uint64_t kblk, uint64_t pieces)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < pieces; i++) {
        uint32_t n = slx_tree_cut((uint32_t)kblk, (uint32_t)pieces, i + 1) -
                     slx_tree_cut((uint32_t)kblk, (uint32_t)pieces, i);
        most = n > most ? n : most;
    }
    return most;
}

/* woven: ways and grain of a matrix in slices; NULL: of one in planes. */
static uint64_t tile_bytes(uint64_t fmt, uint64_t ns, uint32_t blocks, const uint64_t *woven)
{
    return slx_piece_bytes((unsigned)fmt, (uint32_t)ns, blocks, woven ? (uint32_t)woven[0] : 0,
                           woven ? (uint32_t)woven[1] : 0);
}

/* The ring of weights: every product goes on round it, from wherever the one before stopped, so all name the same; a
 * slot holds a piece of at most `bytes`. Products that read their weights in ROM (no slots) have none. */
static bool weight_ring(areas *l, const slx_fast_spans *s, const uint64_t *ring, uint64_t bytes)
{
    uint64_t slot = ring[1], slots = ring[2];
    if (slots == 0) return true;
    put(l, "ring of weights", ring[0], slot * slots);
    if (slots < 2 || slot % 64 || bytes > slot)
        return slx_fast_no(l->pf, l->span, "%llu slots of %llu bytes for pieces of %llu",
                           (unsigned long long)slots, (unsigned long long)slot,
                           (unsigned long long)bytes);
    return slx_fast_same(l->pf, l->span, "slots", slots, P(s->prologue, PROLOGUE, slots)) &&
           slx_fast_same(l->pf, l->span, "ring of weights", ring[0], P(s->qkv, LINEAR, ring)) &&
           slx_fast_same(l->pf, l->span, "bytes of a slot", slot, P(s->qkv, LINEAR, slot));
}

/* Output rows: one buffer, or two where chips meet, in which the rows of all chips follow. */
static bool output(areas *l, uint64_t at, uint64_t bytes, uint64_t meet, uint64_t step)
{
    uint64_t chips = slx_program_chips(&l->pf->p->info),
             all = meet == 2 ? bytes * (1 + chips) : bytes;
    put(l, "y", at, meet ? all : bytes);
    if (meet) put(l, "other y", at + step, all);
    return !meet || step % 64 == 0 ||
           slx_fast_no(l->pf, l->span, "outputs %llu apart", (unsigned long long)step);
}

static bool linear(slx_fast_proof *pf, const slx_fast_spans *s, const slx_span *x)
{
    areas l = {.pf = pf, .span = x};
    uint64_t mr = P(x, LINEAR, mr), ns = P(x, LINEAR, ns);
    uint32_t kp = piece_blocks(P(x, LINEAR, kblk), P(x, LINEAR, pieces));
    uint64_t ka = P(x, LINEAR, whole) ? P(x, LINEAR, kblk) : kp;
    uint64_t held = mr + slx_share_slack(P(x, LINEAR, tiles), P(x, LINEAR, groups), mr);
    put(&l, "a", P(x, LINEAR, spm_a), held * ka * 32);
    put(&l, "a's scales", P(x, LINEAR, spm_as), held * ka);
    uint64_t most = 0;
    for (int i = 0; i < SLX_LINEAR_PARTS; i++) {
        uint64_t n =
            x->param[SLX_LINEAR_slices + i] ? tile_bytes(x->param[SLX_LINEAR_fmt + i], ns, kp, &P(x, LINEAR, ways)) : 0;
        most = n > most ? n : most;
    }
    return output(&l, P(x, LINEAR, spm_y), mr * ns * 4, P(x, LINEAR, meet), P(x, LINEAR, y_step)) &&
           weight_ring(&l, s, &P(x, LINEAR, ring), most) && scratchpad(&l, mr);
}

static bool gateup(slx_fast_proof *pf, const slx_fast_spans *s)
{
    const slx_span *x = s->gateup;
    areas l = {.pf = pf, .span = x};
    uint64_t mr = P(x, GATEUP, mr);
    uint32_t kp = piece_blocks(P(x, GATEUP, kblk), P(x, GATEUP, pieces));
    uint64_t g = tile_bytes(P(x, GATEUP, fmt_gate), 32, kp, &P(x, GATEUP, ways)),
             u = tile_bytes(P(x, GATEUP, fmt_up), 32, kp, &P(x, GATEUP, ways));
    uint64_t ka = P(x, GATEUP, whole) ? P(x, GATEUP, kblk) : kp;
    uint64_t held = mr + slx_share_slack(P(x, GATEUP, tiles), P(x, GATEUP, groups), mr);
    put(&l, "a", P(x, GATEUP, spm_a), held * ka * 32);
    put(&l, "a's scales", P(x, GATEUP, spm_as), held * ka);
    put(&l, "gate", P(x, GATEUP, spm_g), mr * 128);
    put(&l, "up", P(x, GATEUP, spm_u), mr * 128);
    put(&l, "codes", P(x, GATEUP, spm_q), mr * 32);
    put(&l, "scales", P(x, GATEUP, spm_qs), mr);
    uint64_t chips = P(x, GATEUP, chips) > 1 ? P(x, GATEUP, chips) : 0;
    put(&l, "all chips' codes", P(x, GATEUP, spm_gq), chips * mr * 32);
    put(&l, "all chips' scales", P(x, GATEUP, spm_gqs), chips * mr);
    return weight_ring(&l, s, &P(x, GATEUP, ring), g > u ? g : u) && scratchpad(&l, mr);
}

static bool head(slx_fast_proof *pf, const slx_fast_spans *s)
{
    const slx_span *x = s->head;
    areas l = {.pf = pf, .span = x};
    uint64_t mr = P(x, LMHEAD, mr), ns = P(x, LMHEAD, ns);
    uint32_t kp = piece_blocks(P(x, LMHEAD, kblk), P(x, LMHEAD, pieces));
    put(&l, "rows", P(x, LMHEAD, spm_idx), mr * 4);
    put(&l, "a", P(x, LMHEAD, spm_a), mr * kp * 32);
    put(&l, "a's scales", P(x, LMHEAD, spm_as), mr * kp);
    return output(&l, P(x, LMHEAD, spm_y), mr * ns * 4, P(x, LMHEAD, meet), P(x, LMHEAD, y_step)) &&
           weight_ring(&l, s, &P(x, LMHEAD, ring), tile_bytes(P(x, LMHEAD, fmt), ns, kp, NULL)) &&
           scratchpad(&l, mr);
}

/* ------------------------------------------------------------------ rows */

static void areas_embed(areas *l, const slx_span *x, uint64_t mr)
{
    unsigned fmt = (unsigned)P(x, EMBED, emb_fmt);
    uint64_t d = P(x, EMBED, d), kb = mr * P(x, EMBED, kblk);
    uint64_t scales = kb * slx_fmt_scale_bytes(fmt);
    put(l, "token ids", P(x, EMBED, spm_idx), mr * 4);
    put(l, "codes of the table", P(x, EMBED, spm_codes), kb * slx_fmt_code_bytes(fmt));
    put(l, "scales of the table", P(x, EMBED, spm_scales),
        fmt == SLX_FMT_q4sm ? up64(scales) + scales : scales);
    put(l, "x", P(x, EMBED, spm_x), mr * up64(4 * d));
    put(l, "norm", P(x, EMBED, spm_n), mr * up64(4 * d));
    put(l, "weight", P(x, EMBED, spm_w), 4 * d);
    put(l, "codes", P(x, EMBED, spm_q), kb * 32);
    put(l, "scales", P(x, EMBED, spm_qs), kb);
}

static bool embed(slx_fast_proof *pf, const slx_span *x)
{
    areas l = {.pf = pf, .span = x};
    areas_embed(&l, x, P(x, EMBED, mr));
    return scratchpad(&l, P(x, EMBED, mr));
}

static bool rows(slx_fast_proof *pf, const slx_span *x)
{
    areas l = {.pf = pf, .span = x};
    uint64_t mr = P(x, ROWS, mr), d = P(x, ROWS, d), kb = mr * ((d + 31) / 32);
    put(&l, "x", P(x, ROWS, spm_x), mr * up64(4 * d));
    put(&l, "y", P(x, ROWS, spm_y), mr * up64(4 * d));
    put(&l, "weight", P(x, ROWS, spm_w), 4 * d);
    put(&l, "codes", P(x, ROWS, spm_q), kb * 32);
    put(&l, "scales", P(x, ROWS, spm_qs), kb);
    return scratchpad(&l, mr);
}

static bool rowq(slx_fast_proof *pf, const slx_span *x)
{
    areas l = {.pf = pf, .span = x};
    uint64_t mr = P(x, ROWQ, mr), cols = P(x, ROWQ, cols), kb = mr * ((cols + 31) / 32);
    put(&l, "x", P(x, ROWQ, spm_x), mr * up64(4 * cols));
    put(&l, "codes", P(x, ROWQ, spm_q), kb * 32);
    put(&l, "scales", P(x, ROWQ, spm_qs), kb);
    return scratchpad(&l, mr);
}

/* ------------------------------------------------------------------ heads */

/* Rows of a tile, KV heads whose codes are held at once. */
static void areas_rope(areas *l, const slx_span *x, uint64_t mr, uint64_t kv_held)
{
    static const char *const index[4] = {"positions", "indices of codes", "indices of K scales",
                                         "indices of V scales"};
    uint64_t hd = P(x, ROPE, hd), hdp = P(x, ROPE, hdp), heads = P(x, ROPE, heads);
    uint64_t q = mr * heads * hd * 4, kv = mr * P(x, ROPE, kv_heads) * hd * 4;
    for (uint64_t i = 0; i < 4; i++)
        put(l, index[i], P(x, ROPE, spm_idx) + i * P(x, ROPE, idx_stride), mr * 4);
    put(l, "table", P(x, ROPE, spm_tab), mr * P(x, ROPE, n_rot) * 4);
    put(l, "q", P(x, ROPE, spm_q), q);
    put(l, "k", P(x, ROPE, spm_k), kv);
    put(l, "v", P(x, ROPE, spm_v), kv);
    put(l, "rotated", P(x, ROPE, spm_r), q > kv ? q : kv);
    put(l, "q codes", P(x, ROPE, spm_qc), mr * heads * hdp);
    put(l, "q scales", P(x, ROPE, spm_qs), mr * heads * hdp / 32);
    put(l, "k codes", P(x, ROPE, spm_kc), kv_held * mr * hdp);
    put(l, "k scales", P(x, ROPE, spm_ks), kv_held * mr * hdp / 32);
    put(l, "v codes", P(x, ROPE, spm_vc), kv_held * mr * hdp);
    put(l, "v scales", P(x, ROPE, spm_vs), kv_held * mr);
    if (P(x, ROPE, bias))
        put(l, "biases", P(x, ROPE, spm_bias), (heads + 2 * P(x, ROPE, kv_heads)) * hd * 4);
    if (P(x, ROPE, norm)) put(l, "norms", P(x, ROPE, spm_norm), 2 * hd * 4);
}

static bool rope(slx_fast_proof *pf, const slx_span *x)
{
    areas l = {.pf = pf, .span = x};
    areas_rope(&l, x, P(x, ROPE, mr), 1);
    return scratchpad(&l, P(x, ROPE, mr) * P(x, ROPE, heads));
}

/* Returns the head rows of an item. */
static uint64_t areas_attention(areas *l, const slx_span *x)
{
    uint64_t hd = P(x, ATTENTION, hd), hdp = P(x, ATTENTION, hdp),
             rows_ = P(x, ATTENTION, item_rows);
    uint64_t m = rows_ * (P(x, ATTENTION, heads) / P(x, ATTENTION, kv_heads)), page = 264 * hdp;
    uint64_t at = P(x, ATTENTION, spm_page), step = P(x, ATTENTION, page_step),
             t = P(x, ATTENTION, spm_t);
    put(l, "item and span", P(x, ATTENTION, spm_item), 64);
    put(l, "q", P(x, ATTENTION, spm_q), m * hdp);
    put(l, "q scales", P(x, ATTENTION, spm_qs), m * hdp / 32);
    put(l, "limits", P(x, ATTENTION, spm_lim), rows_ * 8);
    put(l, "page list", P(x, ATTENTION, spm_pages), P(x, ATTENTION, max_chunks) * 4);
    put(l, "pages", at, step * (P(x, ATTENTION, buffers) - 1) + page);
    if (step < page && P(x, ATTENTION, buffers) > 1)
        put(l, "next page", at, page); /* refused as lying over it */
    put(l, "t", t, m * 4 * SLX_MAX_CHUNK);
    if (P(x, ATTENTION, spm_p) != t) put(l, "p", P(x, ATTENTION, spm_p), m * 4 * SLX_MAX_CHUNK);
    put(l, "p codes", P(x, ATTENTION, spm_pc), m * SLX_MAX_CHUNK);
    put(l, "p scales", P(x, ATTENTION, spm_ps), m * SLX_MAX_CHUNK / 32);
    put(l, "chunk's state", P(x, ATTENTION, spm_st2), m * 8);
    put(l, "chunk's o", P(x, ATTENTION, spm_o2), m * up64(4 * hd));
    put(l, "group's state", P(x, ATTENTION, spm_stt), m * 8);
    put(l, "group's o", P(x, ATTENTION, spm_ot), m * up64(4 * hd));
    put(l, "state", P(x, ATTENTION, spm_sts), m * 8);
    put(l, "o", P(x, ATTENTION, spm_os), m * up64(4 * hd));
    if (P(x, ATTENTION, out_codes)) {
        put(l, "o codes", P(x, ATTENTION, spm_oc), m * hd);
        put(l, "o scales", P(x, ATTENTION, spm_ocs), m * hd / 32);
    }
    uint64_t chips = P(x, ATTENTION, chips) > 1 ? P(x, ATTENTION, chips) : 0,
             codes = P(x, ATTENTION, out_codes);
    put(l, "all chips' o", P(x, ATTENTION, spm_goc), chips * m * hd * (codes ? 1 : 4));
    put(l, "all chips' o scales", P(x, ATTENTION, spm_gocs), codes ? chips * m * hd / 32 : 0);
    return m;
}

static bool attention(slx_fast_proof *pf, const slx_span *x)
{
    areas l = {.pf = pf, .span = x};
    return scratchpad(&l, areas_attention(&l, x));
}

/* Bytes of `buffers` areas, `step` apart; where they are too near, more than what is free behind the first. */
static uint64_t turns(uint64_t bytes, uint64_t step, uint64_t buffers)
{
    if (buffers > 1 && (step < bytes || step % 64)) return UINT32_MAX;
    return step * (buffers - 1) + bytes;
}

static bool merge(slx_fast_proof *pf, const slx_span *x)
{
    areas l = {.pf = pf, .span = x};
    uint64_t hd = P(x, MERGE, hd), n = P(x, MERGE, buffers), codes = P(x, MERGE, out_codes);
    uint64_t m = P(x, MERGE, item_rows) * (P(x, MERGE, heads) / P(x, MERGE, kv_heads)), o = m * hd * 4;
    put(&l, "merge and span", P(x, MERGE, spm_item), 64);
    put(&l, "kept states", P(x, MERGE, spm_kept), turns(o + m * 8, P(x, MERGE, step), n));
    put(&l, "group's state", P(x, MERGE, spm_stt), m * 8);
    put(&l, "group's o", P(x, MERGE, spm_ot), o);
    put(&l, "state", P(x, MERGE, spm_sts), m * 8);
    put(&l, "o", P(x, MERGE, spm_os), o);
    put(&l, "o codes", P(x, MERGE, spm_oc), codes ? m * hd : 0);
    put(&l, "o scales", P(x, MERGE, spm_ocs), codes ? m * hd / 32 : 0);
    uint64_t chips = P(x, MERGE, chips) > 1 ? P(x, MERGE, chips) : 0;
    put(&l, "all chips' o", P(x, MERGE, spm_goc), chips * m * hd * (codes ? 1 : 4));
    put(&l, "all chips' o scales", P(x, MERGE, spm_gocs), codes ? chips * m * hd / 32 : 0);
    return scratchpad(&l, m);
}

/* ------------------------------------------------------------------ short steps */

/* Kept states come to the places of the pages, which all tiles have read then; all else is where attention has it. */
static bool merge_over_pages(slx_fast_proof *pf, const slx_span *a, const slx_span *x)
{
    static const int twins[][2] = {{SLX_ATTENTION_spm_stt, SLX_MERGE_spm_stt}, {SLX_ATTENTION_spm_ot, SLX_MERGE_spm_ot},
                                   {SLX_ATTENTION_spm_sts, SLX_MERGE_spm_sts}, {SLX_ATTENTION_spm_os, SLX_MERGE_spm_os},
                                   {SLX_ATTENTION_spm_oc, SLX_MERGE_spm_oc},
                                   {SLX_ATTENTION_spm_ocs, SLX_MERGE_spm_ocs}};
    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++)
        if (!slx_fast_same(pf, x, "place", x->param[twins[i][1]], a->param[twins[i][0]])) return false;
    uint64_t page = P(a, ATTENTION, spm_page), end = page + P(a, ATTENTION, page_step) * P(a, ATTENTION, buffers);
    uint64_t m = P(x, MERGE, item_rows) * (P(x, MERGE, heads) / P(x, MERGE, kv_heads)), n = P(x, MERGE, buffers);
    uint64_t kept = P(x, MERGE, spm_kept), bytes = turns(m * (P(x, MERGE, hd) * 4 + 8), P(x, MERGE, step), n);
    if (kept < page || kept + bytes > end || kept % 64)
        return slx_fast_no(pf, x, "kept states do not lie in the places of the pages");
    return true;
}

/* Slices of a matrix, in places of their own. */
static void homes(areas *l, uint64_t at, uint64_t slices, uint64_t tiles, uint64_t fmt,
                  uint64_t kblk, uint64_t pieces, const uint64_t *woven)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < pieces; i++)
        bytes += tile_bytes(fmt, 32,
                            slx_tree_cut((uint32_t)kblk, (uint32_t)pieces, i + 1) -
                                slx_tree_cut((uint32_t)kblk, (uint32_t)pieces, i),
                            woven);
    put(l, "weights", at, (slices + tiles - 1) / tiles * bytes);
}

static void homes_linear(areas *l, const slx_span *x)
{
    for (int i = 0; P(x, LINEAR, ready) && i < SLX_LINEAR_PARTS; i++)
        if (x->param[SLX_LINEAR_slices + i])
            homes(l, x->param[SLX_LINEAR_home + i], x->param[SLX_LINEAR_slices + i],
                  P(x, LINEAR, tiles), x->param[SLX_LINEAR_fmt + i], P(x, LINEAR, kblk),
                  P(x, LINEAR, pieces), &P(x, LINEAR, ways));
}

/* One list for all phases: a short step lays nothing over anything. */
bool slx_fast_short_apart(slx_fast_proof *pf, const slx_fast_short *w)
{
    areas l = {.pf = pf, .span = w->branch};
    const slx_span *t = w->tables, *e = w->embed, *q = w->qkv, *r = w->rope, *g = w->gateup,
                   *h = w->head;
    const slx_program_info *in = &pf->p->info;
    uint64_t n = P(w->branch, BRANCH, rows), d = in->d_model, kd = (d + 31) / 32,
             kf = P(g, GATEUP, out_kblk);
    uint64_t ka = ((uint64_t)in->n_heads * in->head_dim + 31) / 32, k = ka > kd ? ka : kd,
             samples = P(h, LMHEAD, mr);
    put(&l, "sample rows", P(t, TABLES, spm_sample), 4ull * in->desc.max_samples);
    areas_rope(&l, r, 1, P(r, ROPE, kv_heads));
    areas_attention(&l, w->attn);
    if (w->merge) put(&l, "merge and span", P(w->merge, MERGE, spm_item), 64);
    areas_embed(&l, e, 1);
    put(&l, "a", P(e, EMBED, a_codes), n * k * 32);
    put(&l, "a's scales", P(e, EMBED, a_scales), n * k);
    put(&l, "gate and up codes", P(g, GATEUP, out_codes), n * kf * 32);
    put(&l, "gate and up scales", P(g, GATEUP, out_scales), n * kf);
    put(&l, "y", P(w->o, LINEAR, out), kd * 128);
    put(&l, "norm", P(w->norm1, NORMLD, spm_w), 4 * d);
    put(&l, "other norm", P(w->norm2, NORMLD, spm_w), 4 * d);
    if (!output(&l, P(w->o, LINEAR, spm_y), n * 128, P(w->o, LINEAR, meet),
                P(w->o, LINEAR, y_step)))
        return false;
    put(&l, "gate", P(g, GATEUP, spm_g), n * 128);
    put(&l, "up", P(g, GATEUP, spm_u), n * 128);
    put(&l, "codes of a slice", P(g, GATEUP, spm_q), n * 32);
    put(&l, "scales of a slice", P(g, GATEUP, spm_qs), n);
    put(&l, "sampled", P(h, LMHEAD, spm_a), samples * kd * 32);
    put(&l, "sampled scales", P(h, LMHEAD, spm_as), samples * kd);
    if (!output(&l, P(h, LMHEAD, spm_y), samples * P(h, LMHEAD, ns) * 4, P(h, LMHEAD, meet),
                P(h, LMHEAD, y_step)))
        return false;
    put(&l, "ring of weights", P(q, LINEAR, ring), P(q, LINEAR, slot) * P(q, LINEAR, slots));
    homes_linear(&l, q);
    homes_linear(&l, w->o);
    homes_linear(&l, w->down);
    if (P(g, GATEUP, ready))
        for (int i = 0; i < 2; i++)
            homes(&l, g->param[SLX_GATEUP_home + i], P(g, GATEUP, slices), P(g, GATEUP, tiles),
                  g->param[SLX_GATEUP_fmt_gate + i], P(g, GATEUP, kblk), P(g, GATEUP, pieces),
                  &P(g, GATEUP, ways));
    /* mr spaces the cells of pieces */
    if (P(q, LINEAR, mr) < n || P(w->o, LINEAR, mr) < n || P(w->down, LINEAR, mr) < n ||
        P(g, GATEUP, mr) < n)
        return slx_fast_no(pf, w->branch, "a row tile below the rows of a short step");
    if (w->merge && !merge_over_pages(pf, w->attn, w->merge)) return false;
    return slx_fast_same(pf, w->o, "y", P(w->o, LINEAR, spm_y), P(q, LINEAR, spm_y)) &&
           slx_fast_same(pf, w->down, "y", P(w->down, LINEAR, spm_y), P(q, LINEAR, spm_y)) &&
           slx_fast_same(pf, w->down, "other y", P(w->down, LINEAR, y_step), P(w->o, LINEAR, y_step)) &&
           scratchpad(&l, n);
}

/* ------------------------------------------------------------------ HBM */

/* Columns of q, k and v in a row of their buffer. */
static bool qkv_row(slx_fast_proof *pf, const slx_fast_spans *s)
{
    static const char *const name[3] = {"q", "k", "v"};
    const slx_span *r = s->rope, *m = s->qkv;
    uint64_t at[3] = {0, P(r, ROPE, off_k), P(r, ROPE, off_v)}, stride = P(r, ROPE, qkv_stride);
    areas l = {.pf = pf, .span = r};
    for (int i = 0; i < 3; i++) {
        put(&l, name[i], at[i], m->param[SLX_LINEAR_slices + i] * P(m, LINEAR, ns) * 4);
        if (at[i] > stride || l.a[i].bytes > stride - at[i])
            return slx_fast_no(pf, r, "%s leaves its row", name[i]);
    }
    return slx_fast_same(pf, r, "row stride modulo 64", stride % 64, 0) && lie_apart(&l);
}

static bool exchange(slx_fast_proof *pf, const slx_fast_spans *s)
{
    const slx_program_info *in = &pf->p->info;
    const slx_region *x = slx_program_region(pf->p, SLX_REGION_EXCHANGE);
    uint64_t n = in->desc.max_rows, d = in->d_model, kd = (d + 31) / 32,
             kf = P(s->gateup, GATEUP, out_kblk);
    uint64_t cols = P(s->attn, ATTENTION, out_cols), ka = (cols + 31) / 32;
    uint64_t heads = (uint64_t)in->n_heads * in->head_dim_pad;
    const slx_span *o = s->o, *dn = s->down, *g = s->gateup, *a = s->attn, *q = s->rowq;
    areas l = {.pf = pf, .span = s->embed};
    /* the first three may be used again by the three that follow them */
    put(&l, "input codes", P(s->embed, EMBED, a_codes), n * kd * 32);
    put(&l, "input scales", P(s->embed, EMBED, a_scales), n * kd);
    put(&l, "o's output", P(o, LINEAR, out), n * P(o, LINEAR, out_stride));
    put(&l, "feed-forward input codes", P(s->rows1, ROWS, a_codes), n * kd * 32);
    put(&l, "feed-forward input scales", P(s->rows1, ROWS, a_scales), n * kd);
    put(&l, "down's output", P(dn, LINEAR, out), n * P(dn, LINEAR, out_stride));
    put(&l, "x", P(s->embed, EMBED, x), n * up64(4 * d));
    put(&l, "q, k and v", P(s->rope, ROPE, qkv), n * P(s->rope, ROPE, qkv_stride));
    put(&l, "q codes", P(s->rope, ROPE, q_codes), n * heads);
    put(&l, "q scales", P(s->rope, ROPE, q_scales), n * heads / 32);
    put(&l, "attention codes", q ? P(q, ROWQ, a_codes) : P(a, ATTENTION, out_codes), n * ka * 32);
    put(&l, "attention scales", q ? P(q, ROWQ, a_scales) : P(a, ATTENTION, out_scales), n * ka);
    uint64_t states = P(a, ATTENTION, max_states) ? P(a, ATTENTION, max_states) + P(a, ATTENTION, item_rows) : 0,
             group = in->n_heads / in->n_kv_heads;
    put(&l, "kept states", P(a, ATTENTION, states), states * group * (4ull * in->head_dim + 8));
    if (q) put(&l, "attention output", P(a, ATTENTION, out), n * cols * 4);
    put(&l, "gate and up codes", P(g, GATEUP, out_codes), n * kf * 32);
    put(&l, "gate and up scales", P(g, GATEUP, out_scales), n * kf);
    const slx_span *y[2] = {o, dn};
    for (int i = 0; i < 2; i++) {
        uint64_t chips = P(y[i], LINEAR, meet) == 2 ? P(y[i], LINEAR, chips) : 1;
        if (P(y[i], LINEAR, out_stride) < P(y[i], LINEAR, slices) * 128 * chips)
            return slx_fast_no(pf, y[i], "rows of its output overlap");
    }
    for (uint32_t i = 0; i < l.n; i++) {
        const area *b = &l.a[i];
        if (!x || b->at < x->base || b->at - x->base > x->bytes ||
            b->bytes > x->bytes - (b->at - x->base))
            return slx_fast_no(pf, s->embed, "%s are not in the exchange region", b->name);
        for (uint32_t k = 0; k < i; k++)
            if (overlap(b, &l.a[k]) && !(i < 6 && i == k + 3 && b->at == l.a[k].at))
                return slx_fast_no(pf, s->embed, "%s lie over %s", b->name, l.a[k].name);
    }
    return true;
}

bool slx_fast_apart(slx_fast_proof *pf, const slx_fast_spans *s)
{
    return embed(pf, s->embed) && linear(pf, s, s->qkv) && rope(pf, s->rope) &&
           attention(pf, s->attn) && (!s->merge || merge(pf, s->merge)) && (!s->rowq || rowq(pf, s->rowq)) &&
           linear(pf, s, s->o) &&
           rows(pf, s->rows1) && gateup(pf, s) && linear(pf, s, s->down) && rows(pf, s->rows2) &&
           head(pf, s) && qkv_row(pf, s) && exchange(pf, s);
}
