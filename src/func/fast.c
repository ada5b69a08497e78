/* fast.c - opening the fast machine: prove, find the weights the program addresses, pack them for this host. */
#include "func/fast_int.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define P(span, T, name) ((span)->param[SLX_##T##_##name])

static bool refuse(slx_fast *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(f->why_text, sizeof f->why_text, fmt, ap);
    va_end(ap);
    f->why = f->why_text;
    return false;
}

/* The recipe entry at an address, in the layout and shape its reader asks for. */
static const slx_weight *weight_at(slx_fast *f, uint64_t addr, slx_weight_layout layout)
{
    for (uint32_t i = 0; i < f->prog->n_weights; i++) {
        const slx_weight *w = &f->prog->weights[i];
        if (w->addr == addr && w->layout == (uint32_t)layout) return w;
    }
    refuse(f, "no weight starts at 0x%llx", (unsigned long long)addr);
    return NULL;
}

static uint64_t layer_base(const slx_fast *f, uint32_t layer)
{
    return P(f->s.loop, LOOP_BEGIN, weights) + layer * P(f->s.loop, LOOP_BEGIN, layer_stride);
}

/* What one product of the program needs of its weight: of all chips together. */
typedef struct {
    slx_weight w;
    slx_panels *p;
    unsigned log2g;
} pack_job;

/* How the chips share a matrix, and its rows in one panel matrix. */
typedef struct {
    uint64_t rows;  /* slx_weight.shard_rows; 0 for one chip */
    uint32_t k;     /* shard_k */
    uint32_t n_pad; /* whole */
} share;

static uint32_t up32(uint32_t n)
{
    return (n + 31) / 32 * 32;
}

static unsigned log2u(uint32_t v)
{
    unsigned n = 0;
    while (v >> (n + 1)) n++;
    return n;
}

/* How slices lie in memory, as its reader's parameters have it. */
typedef struct {
    uint64_t pieces, ways, grain;
} cut;

static bool want(slx_fast *f, pack_job *j, slx_panels *p, share s, uint64_t addr,
                 slx_weight_layout layout, uint64_t fmt, uint64_t kblk, uint64_t log2g,
                 uint64_t n_pad, cut c)
{
    const slx_weight *w = weight_at(f, addr, layout);
    if (!w) return false;
    if (w->fmt != fmt || w->kblk != kblk || w->n_pad != n_pad || w->shard_rows != s.rows ||
        w->shard_k != s.k ||
        (layout == SLX_LAYOUT_SLICES &&
         (w->ns != 32 || w->pieces != c.pieces || w->ways != c.ways || w->grain != c.grain)))
        return refuse(f, "weight %s is not in the shape its reader expects", w->tensor);
    const slx_tensor *t = slx_gguf_find(f->model->gguf, w->tensor);
    if (!t) return refuse(f, "no tensor %s", w->tensor);
    *j = (pack_job){*w, p, (unsigned)log2g + (s.k ? log2u(f->chips) : 0)};
    if (f->chips > 1) j->w = slx_weight_whole(w, t, s.n_pad);
    return true;
}

/* KV heads in turns of kv_unit, with the query heads and columns that belong to one. */
static share heads_share(const slx_fast *f, uint32_t cols_a_head)
{
    uint64_t unit = (uint64_t)f->prog->info.kv_unit * cols_a_head;
    return (share){f->chips > 1 ? unit : 0, 0, up32(f->kv_heads * cols_a_head)};
}

/* Output rows of o or down: on every chip, or slices in turns. */
static share rows_share(const slx_fast *f, const slx_span *l)
{
    bool sum = P(l, LINEAR, meet) == 1, gather = P(l, LINEAR, meet) == 2;
    return (share){gather ? 32 : 0, sum, up32(f->d)};
}

static share ff_share(const slx_fast *f)
{
    if (f->chips == 1) return (share){0, 0, f->ff_pad};
    bool gather = P(f->s.gateup, GATEUP, chips) > 1;
    return (share){gather ? 32 : f->prog->info.d_ff / f->chips, 0, f->ff_pad};
}

/* Matrix `part` of a linear span. */
static bool want_linear(slx_fast *f, pack_job *j, slx_panels *p, share s, const slx_span *l,
                        int part, uint32_t layer)
{
    return want(f, j, p, s, layer_base(f, layer) + l->param[SLX_LINEAR_off_w + part],
                SLX_LAYOUT_SLICES, l->param[SLX_LINEAR_fmt + part], P(l, LINEAR, kblk),
                P(l, LINEAR, log2g), l->param[SLX_LINEAR_slices + part] * P(l, LINEAR, ns),
                (cut){P(l, LINEAR, pieces), P(l, LINEAR, ways), P(l, LINEAR, grain)});
}

/* n values at an address of the WEIGHTS region, to out: those of all chips where they are divided. */
static bool vector_to(slx_fast *f, float *out, uint32_t n, uint64_t shard, uint64_t addr,
                      slx_status *st, slx_err *err)
{
    const slx_weight *w = weight_at(f, addr, SLX_LAYOUT_VECTOR);
    if (!w) return false;
    const slx_tensor *t = slx_gguf_find(f->model->gguf, w->tensor);
    if (!t) return refuse(f, "no tensor %s", w->tensor);
    if (w->shard_rows != shard)
        return refuse(f, "vector %s is not divided as its rows are", w->tensor);
    slx_weight all = f->chips > 1 ? slx_weight_whole(w, t, 1) : *w;
    if ((uint64_t)all.n * all.k != n)
        return refuse(f, "vector %s is not of %u values", w->tensor, n);
    *st = slx_import_vector(f->model, &all, SLX_ALONE, out, err);
    return *st == SLX_OK;
}

static bool want_vector(slx_fast *f, float **out, uint64_t addr, slx_status *st, slx_err *err)
{
    *out = slx_new(&f->arena, float, (f->d + 31) & ~15u);
    return vector_to(f, *out, f->d, 0, addr, st, err);
}

/* Biases of q, k and v, norms of their heads, where the program has them. */
static bool want_heads(slx_fast *f, slx_fast_layer *y, uint64_t base, slx_status *st, slx_err *err)
{
    const slx_span *r = f->s.rope;
    uint32_t q = f->heads * f->hd, kv = f->kv_heads * f->hd;
    uint64_t own_q = 4ull * q / f->chips, own_kv = 4ull * kv / f->chips;
    if (P(r, ROPE, bias)) {
        uint64_t at = base + P(r, ROPE, off_bias), of_q = heads_share(f, f->group * f->hd).rows,
                 of_kv = heads_share(f, f->hd).rows;
        y->qkv_bias = slx_new(&f->arena, float, q + 2 * kv);
        if (!vector_to(f, y->qkv_bias, q, of_q, at, st, err) ||
            !vector_to(f, y->qkv_bias + q, kv, of_kv, at + own_q, st, err) ||
            !vector_to(f, y->qkv_bias + q + kv, kv, of_kv, at + own_q + own_kv, st, err))
            return false;
    }
    if (P(r, ROPE, norm)) {
        uint64_t at = base + P(r, ROPE, off_norm);
        y->qk_norm = slx_new(&f->arena, float, 2 * f->hd);
        if (!vector_to(f, y->qk_norm, f->hd, 0, at, st, err) ||
            !vector_to(f, y->qk_norm + f->hd, f->hd, 0, at + 4ull * f->hd, st, err))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ packing, in parallel over groups of 16 rows */

typedef struct {
    slx_fast *f;
    pack_job *jobs;
    uint32_t n_jobs;
    uint32_t next; /* taken by atomic add: job index */
    slx_status status[SLX_FAST_MAX_THREADS];
    slx_err err[SLX_FAST_MAX_THREADS];
} packing;

static slx_status pack_rows(const slx_fast *f, const pack_job *j, uint32_t row0, uint32_t rows,
                            uint8_t *buf, slx_err *err)
{
    const slx_weight *w = &j->w;
    size_t cb = (size_t)w->kblk * slx_fmt_code_bytes(w->fmt),
           sb = (size_t)w->kblk * slx_fmt_scale_bytes(w->fmt);
    uint8_t *codes = buf, *scales = buf + rows * cb;
    uint16_t *m = w->fmt == SLX_FMT_q4sm ? (uint16_t *)(void *)(scales + rows * sb) : NULL;
    SLX_TRY(slx_import_rows(f->model, w, SLX_ALONE, row0, rows, codes, scales, m, err));
    if (w->fmt == SLX_FMT_mxfp4) { /* panels have it as MXINT8, with the same products */
        int8_t *as8 = (int8_t *)buf + (size_t)rows * w->kblk * 17;
        uint8_t *s8 = (uint8_t *)as8 + 32 * (size_t)w->kblk;
        for (uint32_t r = 0; r < rows; r++) {
            for (uint32_t b = 0; b < w->kblk; b++)
                s8[b] = slx_mxfp4_block(codes + r * cb + 16 * (size_t)b, scales[r * sb + b],
                                        as8 + 32 * (size_t)b);
            slx_panels_put(j->p, row0 + r, (const uint8_t *)as8, s8, NULL);
        }
        return SLX_OK;
    }
    for (uint32_t r = 0; r < rows; r++)
        slx_panels_put(j->p, row0 + r, codes + r * cb, scales + r * sb,
                       m ? m + r * (sb / 2) : NULL);
    return SLX_OK;
}

static void pack_thread(void *arg, int i, int n)
{
    packing *k = arg;
    (void)n;
    for (;;) {
        uint32_t at = __atomic_fetch_add(&k->next, 1, __ATOMIC_RELAXED);
        if (at >= k->n_jobs || k->status[i] != SLX_OK) return;
        const pack_job *j = &k->jobs[at];
        uint32_t step = 64;
        uint8_t *buf = slx_xmalloc((size_t)step * j->w.kblk * 40);
        for (uint32_t r = 0; r < j->w.n && k->status[i] == SLX_OK; r += step)
            k->status[i] =
                pack_rows(k->f, j, r, j->w.n - r < step ? j->w.n - r : step, buf, &k->err[i]);
        free(buf);
        const slx_tensor *t = slx_model_tensor(k->f->model, j->w.tensor);
        if (t) slx_model_release(k->f->model, t);
    }
}

static slx_status pack_all(slx_fast *f, pack_job *jobs, uint32_t n, slx_err *err)
{
    packing k = {.f = f, .jobs = jobs, .n_jobs = n};
    for (uint32_t i = 0; i < n; i++)
        slx_panels_init(jobs[i].p,
                        jobs[i].w.fmt == SLX_FMT_mxfp4 ? SLX_NF_MXINT8 : (slx_num_fmt)jobs[i].w.fmt,
                        f->kern->level, jobs[i].w.n_pad, jobs[i].w.kblk, jobs[i].log2g);
    slx_team_run(f->team, pack_thread, &k);
    for (int i = 0; i < f->n_threads; i++)
        if (k.status[i] != SLX_OK) {
            if (err) *err = k.err[i];
            return k.status[i];
        }
    return SLX_OK;
}

/* ------------------------------------------------------------------ buffers */

static void *aligned(slx_arena *a, size_t bytes)
{
    return slx_push(a, bytes + 64, 64);
}

static void act_init(slx_fast *f, slx_act *a, uint32_t rows, uint32_t kblk)
{
    a->level = f->kern->level;
    a->rows = rows;
    a->kblk = kblk;
    a->bytes = slx_act_bytes(a->level, rows, kblk);
    a->data = aligned(&f->arena, a->bytes);
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void alloc_thread(slx_fast *f, slx_fast_thread *th)
{
    uint32_t wide = (uint32_t)most(most(f->kblk_d, f->kblk_a), f->kblk_f);
    th->x = aligned(&f->arena, (size_t)SLX_FAST_SMALL_ROWS * f->d * 4);
    th->y = aligned(&f->arena, most(f->d, f->o_cols) * 4 + 128);
    th->codes = aligned(&f->arena, (size_t)SLX_FAST_SMALL_ROWS * wide * 32);
    th->scales = aligned(&f->arena, (size_t)SLX_FAST_SMALL_ROWS * wide);
    th->head_codes = aligned(&f->arena, (size_t)SLX_FAST_SMALL_ROWS * f->kblk_d * 32);
    th->head_scales = aligned(&f->arena, (size_t)SLX_FAST_SMALL_ROWS * f->kblk_d);
    act_init(f, &th->act, SLX_FAST_SMALL_ROWS, wide);
    th->g = aligned(&f->arena, (size_t)f->max_rows * 32 * 4);
    th->u = aligned(&f->arena, (size_t)f->max_rows * 32 * 4);
    const slx_panels *ps[] = {
        &f->layers[0].q,    &f->layers[0].k,  &f->layers[0].v,    &f->layers[0].o,
        &f->layers[0].gate, &f->layers[0].up, &f->layers[0].down, &f->head};
    uint32_t rows = (uint32_t)most(f->max_rows, f->prog->info.desc.max_samples);
    for (size_t i = 0; i < sizeof ps / sizeof *ps; i++)
        th->scratch_bytes = most(th->scratch_bytes, slx_panel_scratch_bytes(ps[i], rows));
    slx_fast_attn_init(f, th);
    th->scratch = aligned(&f->arena, th->scratch_bytes);
}

static void alloc(slx_fast *f)
{
    size_t rows = most(f->max_rows, f->prog->info.desc.max_samples);
    uint32_t wide = (uint32_t)most(most(f->kblk_d, f->kblk_a), f->kblk_f);
    f->x = aligned(&f->arena, rows * f->d * 4);
    f->qkv = aligned(&f->arena, rows * f->qkv_cols * 4);
    f->out = aligned(&f->arena, rows * ((f->d + 31) / 32 * 32) * 4);
    if (f->s.rowq) f->attn_f32 = aligned(&f->arena, rows * f->o_cols * 4);
    f->codes = aligned(&f->arena, rows * wide * 32);
    f->scales = aligned(&f->arena, rows * wide);
    f->q_codes = aligned(&f->arena, rows * f->heads * f->hdp);
    f->q_scales = aligned(&f->arena, rows * f->heads * f->hdp / 32);
    f->f_codes = aligned(&f->arena, rows * f->ff_pad);
    f->f_scales = aligned(&f->arena, rows * f->ff_pad / 32);
    act_init(f, &f->act, (uint32_t)rows, wide);
    f->block_rows = slx_fast_block_rows(f);
    f->items = slx_new(&f->arena, slx_fast_item,
                       ((size_t)f->prog->info.desc.max_items + f->prog->info.desc.max_merges) * f->chips);
    f->slots = slx_new(&f->arena, uint32_t, rows);
    f->covered = slx_new(&f->arena, uint8_t, rows * f->kv_heads);
    f->used = slx_new(&f->arena, uint8_t, (size_t)f->prog->info.desc.max_items + f->prog->info.desc.max_merges + 1);
    for (int i = 0; i < f->n_threads; i++) alloc_thread(f, &f->th[i]);
}

/* ------------------------------------------------------------------ open */

/* A score is at most 2^(s - 127 + 1 + 64) * d, d <= 4096, times the scale c: a key's scale code is 190 at most. */
static uint32_t q_scale_max(float c)
{
    int exponent = (int)(slx_f32_bits(c) >> 23 & 255) - 127; /* c < 2^(exponent + 1) */
    int most = 127 + 126 - 1 - 64 - 12 - (exponent < -1 ? 0 : exponent + 1);
    return most < 0 ? 0 : (uint32_t)most;
}

static void read_shapes(slx_fast *f)
{
    const slx_program_info *in = &f->prog->info;
    const slx_fast_spans *s = &f->s;
    f->d = in->d_model;
    f->heads = in->n_heads * f->chips;
    f->kv_heads = in->n_kv_heads * f->chips;
    f->group = in->n_heads / in->n_kv_heads;
    f->hd = in->head_dim;
    f->hdp = in->head_dim_pad;
    f->o_cols = f->heads * f->hd;
    f->kblk_d = (f->d + 31) / 32;
    f->kblk_a = (f->o_cols + 31) / 32;
    f->ff_pad = (in->d_ff + 31) / 32 * 32;
    f->kblk_f = f->ff_pad / 32;
    f->max_rows = in->desc.max_rows;
    f->off_k = (uint32_t)(P(s->rope, ROPE, off_k) / 4);
    f->off_v = (uint32_t)(P(s->rope, ROPE, off_v) / 4);
    f->qkv_cols = (uint32_t)(P(s->qkv, LINEAR, out_stride) / 4);
    if (f->chips > 1) { /* the buffer of no chip */
        f->off_k = up32(f->o_cols);
        f->off_v = f->off_k + up32(f->kv_heads * f->hd);
        f->qkv_cols = f->off_v + up32(f->kv_heads * f->hd);
    }
    f->eps_embed = slx_f32_from((uint32_t)P(s->embed, EMBED, eps));
    f->eps1 = slx_f32_from((uint32_t)P(s->rows1, ROWS, eps));
    f->eps2 = slx_f32_from((uint32_t)P(s->rows2, ROWS, eps));
    f->eps_heads = slx_f32_from((uint32_t)P(s->rope, ROPE, eps));
    f->interleaved = P(s->rope, ROPE, style) == 0;
    uint32_t scale = (uint32_t)P(s->attn, ATTENTION, scale_bits);
    f->attn_scale = scale ? slx_f32_from(scale) : 1.0f; /* AOUT by +0: as it is */
    f->q_scale_max = q_scale_max(f->attn_scale);
}

static bool prepare(slx_fast *f, slx_status *st, slx_err *err)
{
    const slx_fast_spans *s = &f->s;
    uint32_t n = f->prog->info.n_layers;
    f->layers = slx_new(&f->arena, slx_fast_layer, n);
    pack_job *jobs = slx_new(&f->arena, pack_job, (size_t)n * 7 + 1), *j = jobs;
    *st = SLX_OK;
    uint64_t ns = P(s->gateup, GATEUP, slices) * 32;
    const cut gu = {P(s->gateup, GATEUP, pieces), P(s->gateup, GATEUP, ways), P(s->gateup, GATEUP, grain)};
    for (uint32_t l = 0; l < n; l++) {
        slx_fast_layer *y = &f->layers[l];
        const slx_span *g = s->gateup;
        uint64_t base = layer_base(f, l), next = base + P(s->rows2, ROWS, off_norm);
        share q = heads_share(f, f->group * f->hd), kv = heads_share(f, f->hd), ff = ff_share(f);
        if (!want_linear(f, j++, &y->q, q, s->qkv, 0, l) ||
            !want_linear(f, j++, &y->k, kv, s->qkv, 1, l) ||
            !want_linear(f, j++, &y->v, kv, s->qkv, 2, l) ||
            !want_linear(f, j++, &y->o, rows_share(f, s->o), s->o, 0, l) ||
            !want(f, j++, &y->gate, ff, base + P(g, GATEUP, off_gate), SLX_LAYOUT_SLICES,
                  P(g, GATEUP, fmt_gate), P(g, GATEUP, kblk), P(g, GATEUP, log2g), ns, gu) ||
            !want(f, j++, &y->up, ff, base + P(g, GATEUP, off_up), SLX_LAYOUT_SLICES,
                  P(g, GATEUP, fmt_up), P(g, GATEUP, kblk), P(g, GATEUP, log2g), ns, gu) ||
            !want_linear(f, j++, &y->down, rows_share(f, s->down), s->down, 0, l))
            return false;
        if (!want_vector(f, l + 1 < n ? &f->layers[l + 1].attn_norm : &f->output_norm, next, st,
                         err) ||
            !want_vector(f, &y->ffn_norm, base + P(s->rows1, ROWS, off_norm), st, err) ||
            !want_heads(f, y, base, st, err))
            return false;
    }
    if (!want_vector(f, &f->layers[0].attn_norm, P(s->embed, EMBED, norm_w), st, err)) return false;
    f->emb = weight_at(f, P(s->embed, EMBED, emb_codes), SLX_LAYOUT_PLANES);
    if (!f->emb) return false;
    if (f->emb->fmt != P(s->embed, EMBED, emb_fmt) || f->emb->kblk != f->kblk_d ||
        f->emb->addr + f->emb->off_scale != P(s->embed, EMBED, emb_scales) ||
        (f->emb->off_m && f->emb->addr + f->emb->off_m != P(s->embed, EMBED, emb_m)))
        return refuse(f, "the embedding is not in the shape its reader expects");
    const slx_span *h = s->head;
    /* MM reads weights in place only as slices; loads make them of planes */
    slx_weight_layout layout = P(h, LMHEAD, slots) ? SLX_LAYOUT_PLANES : SLX_LAYOUT_SLICES;
    uint32_t vocab = f->prog->info.vocab_pad;
    bool divided = f->chips > 1 && !P(h, LMHEAD, turns);
    share hs = {divided ? 32 : 0, 0, vocab};
    if (!want(f, j++, &f->head, hs, P(h, LMHEAD, w), layout, P(h, LMHEAD, fmt), P(h, LMHEAD, kblk),
              P(h, LMHEAD, log2g), divided ? vocab / f->chips : vocab, (cut){P(h, LMHEAD, pieces), 0, 0}))
        return false;
    const slx_weight *hw = &j[-1].w;
    if (hw->off_scale != P(h, LMHEAD, off_scale) || hw->off_m != P(h, LMHEAD, off_m))
        return refuse(f, "weight %s has its scales elsewhere", hw->tensor);
    *st = pack_all(f, jobs, (uint32_t)(j - jobs), err);
    return *st == SLX_OK;
}

slx_status slx_fast_open(slx_fast **out, slx_strict *ranks, const slx_program *p, const slx_chip *c,
                         const slx_model *m, const slx_machine_options *opt, slx_err *err)
{
    (void)c;
    slx_fast *f = slx_xcalloc(1, sizeof *f);
    slx_arena_init(&f->arena);
    f->prog = p;
    f->model = m;
    slx_hbm *hbm = f->hbm = &ranks[0].hbm;
    f->chips = slx_program_chips(&p->info);
    f->kern = opt->kern ? opt->kern : slx_kern_get();
    *out = f;
    f->why = slx_fast_prove(p, &f->s, &f->fused, f->why_text);
    if (!f->why && opt->unfused) f->why = "asked for";
    if (!f->why && !m) f->why = "there is no model whose weights could be packed";
    if (f->why) return SLX_OK;
    f->n_threads = opt->threads > 0 ? opt->threads : slx_host_threads();
    if (f->n_threads > SLX_FAST_MAX_THREADS) f->n_threads = SLX_FAST_MAX_THREADS;
    f->team = slx_team_open(f->n_threads);
    slx_status st;
    read_shapes(f);
    if (!prepare(f, &st, err)) return f->why ? SLX_OK : st;
    int rope = slx_hbm_kind(hbm, SLX_REGION_ROPE);
    slx_hbm_alloc(hbm, (uint32_t)rope);
    f->rope = (float *)(void *)hbm->mem[rope];
    slx_import_rope(p, m, f->rope);
    alloc(f);
    f->kv = slx_new(&f->arena, uint8_t *, f->kv_heads);
    for (uint32_t h = 0; h < f->kv_heads; h++) {
        slx_kv_place at = slx_program_kv_head(&p->info, h);
        f->kv[h] = ranks[at.chip].hbm.mem[slx_hbm_kind(hbm, SLX_REGION_KV)] +
                   at.head * p->info.kv_head_stride;
    }
    return SLX_OK;
}

void slx_fast_close(slx_fast *f)
{
    if (!f) return;
    for (uint32_t l = 0; f->layers && l < f->prog->info.n_layers; l++) {
        slx_fast_layer *y = &f->layers[l];
        slx_panels *ps[] = {&y->q, &y->k, &y->v, &y->o, &y->gate, &y->up, &y->down};
        for (int i = 0; i < 7; i++) slx_panels_deinit(ps[i]);
    }
    slx_panels_deinit(&f->head);
    for (int i = 0; i < f->n_threads; i++) slx_fast_attn_deinit(&f->th[i]);
    if (f->team) slx_team_close(f->team);
    slx_arena_deinit(&f->arena);
    free(f);
}

const char *slx_fast_refusal(const slx_fast *f)
{
    return f->why;
}

void slx_fast_counts(const slx_fast *f, uint32_t *fused, uint32_t *spans)
{
    *fused = f->why ? 0 : f->fused;
    *spans = f->prog->n_spans;
}
