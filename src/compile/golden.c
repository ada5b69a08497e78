/* golden.c - the reference interpreter: the graph on whole tensors, all rows of one sequence at once, every value
 * from num's scalar definitions. It knows no tiles, templates, pages or instructions; what it has in common with the
 * machines is the numeric contract and the import of weights.
 */
#include "compile/compile.h"
#include "compile/graph.h"

#include "num/num.h"

#include <stdlib.h>
#include <string.h>

/* A value of the graph: floats [rows][cols], or MXINT8 codes and scales. Queries and keys: codes [row][head][hdp]. */
typedef struct {
    float *f;
    int8_t *q;
    uint8_t *s;
} value;

typedef struct {
    const slx_model *m;
    const slx_program *p;
    uint32_t rows, hdp, rows_pad; /* rows_pad: whole chunks, the rest zero as in fresh pages */
    const uint32_t *tokens;
    float *rope; /* [rows][n_rot/2]{c,s} */
    float *tmp;  /* one row of anything */
    float *logits;
    value v[SLX_N_GRAPH_VALUES];
    slx_weight w;
    slx_err *err;
} golden;

static slx_status fault(golden *g, const slx_graph_op *o, uint32_t row)
{
    return slx_fail(g->err, SLX_EFAULT, g->m->path, 0, 0,
                    "reference: layer %d, %s, row %u: value out of range", (int)o->layer,
                    o->w ? o->w->name : "operation without weights", row);
}

/* The recipe's entry, whole, until the next call. */
static const slx_weight *weight_of(golden *g, const slx_tensor *t)
{
    for (uint32_t i = 0; i < g->p->n_weights; i++)
        if (!strcmp(g->p->weights[i].tensor, t->name)) {
            g->w = slx_weight_whole(&g->p->weights[i], t, g->p->weights[i].n_pad);
            return &g->w;
        }
    SLX_BUG("no recipe for %s", t->name);
}

/* ------------------------------------------------------------------ rows of weights */

/* One row of a matrix in the chip's format. */
typedef struct {
    const slx_weight *w;
    uint8_t *codes;
    uint16_t *scales, *m;
} wrow;

static wrow wrow_open(const slx_weight *w)
{
    wrow r = {.w = w};
    r.codes = slx_xmalloc((size_t)w->kblk * 32);
    r.scales = slx_xmalloc((size_t)w->kblk * 2);
    r.m = w->fmt == SLX_FMT_q4sm ? slx_xmalloc((size_t)w->kblk * 2) : NULL;
    return r;
}

static void wrow_close(wrow *r)
{
    free(r->codes);
    free(r->scales);
    free(r->m);
}

static slx_status wrow_get(golden *g, wrow *r, uint32_t row)
{
    return slx_import_rows(g->m, r->w, SLX_ALONE, row, 1, r->codes, r->scales, r->m, g->err);
}

static float element(const wrow *r, uint32_t i)
{
    uint32_t b = i / 32;
    uint8_t nib = i % 2 ? r->codes[i / 2] >> 4 : r->codes[i / 2] & 15;
    switch (r->w->fmt) {
    case SLX_FMT_q4s: return slx_fp16_to_f32(r->scales[b]) * (float)(nib - 8);
    case SLX_FMT_q4sm:
        return slx_fma(slx_fp16_to_f32(r->scales[b]), (float)nib, slx_fp16_to_f32(r->m[b]));
    case SLX_FMT_q8s: return slx_fp16_to_f32(r->scales[b]) * (float)(int8_t)r->codes[i];
    case SLX_FMT_mxfp4: { /* straight from E2M1: sign, two bits of exponent, one of fraction; exact in fp32 */
        uint8_t s = ((const uint8_t *)(const void *)r->scales)[b];
        float v = (nib & 7) < 2
                      ? 0.5f * (float)(nib & 1)
                      : (1 + 0.5f * (float)(nib & 1)) * (float)(1 << ((nib >> 1 & 3) - 1));
        return s ? (nib & 8 ? -v : v) * slx_scale_pow2((int)s - 127) : 0;
    }
    default:
        return slx_mxint8_value((int8_t)r->codes[i], ((const uint8_t *)(const void *)r->scales)[b]);
    }
}

/* ------------------------------------------------------------------ operations */

static slx_status op_embed(golden *g, const slx_graph_op *o)
{
    wrow r = wrow_open(weight_of(g, o->w));
    slx_status st = SLX_OK;
    for (uint32_t t = 0; t < g->rows && st == SLX_OK; t++) {
        st = wrow_get(g, &r, g->tokens[t]);
        float *x = g->v[o->out].f + (size_t)t * o->n;
        for (uint32_t i = 0; i < o->n && st == SLX_OK; i++) x[i] = element(&r, i);
    }
    wrow_close(&r);
    return st;
}

static slx_status op_position(golden *g, const slx_graph_op *o)
{
    uint32_t context = g->m->hp.context;
    float *table = slx_xmalloc((size_t)context * o->n * sizeof *table);
    slx_status st = slx_import_vector(g->m, weight_of(g, o->w), SLX_ALONE, table, g->err);
    for (size_t i = 0; i < (size_t)g->rows * o->n && st == SLX_OK; i++) {
        g->v[o->out].f[i] = g->v[o->in].f[i] + table[i]; /* row t is position t */
        if (!slx_f32_finite(g->v[o->out].f[i])) st = fault(g, o, (uint32_t)(i / o->n));
    }
    free(table);
    return st;
}

/* A row of tmp := layernorm(x) * w + b. */
static bool layer_norm(golden *g, const float *x, const float *w, const float *b, uint32_t n)
{
    if (!slx_layernorm(x, w, g->m->hp.rms_eps, n, g->tmp)) return false;
    bool ok = true;
    for (uint32_t i = 0; i < n; i++) {
        g->tmp[i] = g->tmp[i] + b[i];
        ok = ok && slx_f32_finite(g->tmp[i]);
    }
    return ok;
}

/* NORM and LAYER_NORM. */
static slx_status op_norm(golden *g, const slx_graph_op *o)
{
    uint32_t nb = (o->n + 31) / 32;
    bool layer = o->op == SLX_GO_LAYER_NORM;
    float *w = slx_xmalloc(2 * (size_t)o->n * sizeof *w), *b = w + o->n;
    slx_status st = slx_import_vector(g->m, weight_of(g, o->w), SLX_ALONE, w, g->err);
    if (layer && st == SLX_OK) st = slx_import_vector(g->m, weight_of(g, o->b), SLX_ALONE, b, g->err);
    value *out = &g->v[o->out];
    for (uint32_t t = 0; t < g->rows && st == SLX_OK; t++)
        if (!(layer ? layer_norm(g, g->v[o->in].f + (size_t)t * o->n, w, b, o->n)
                    : slx_rmsnorm(g->v[o->in].f + (size_t)t * o->n, w, g->m->hp.rms_eps, o->n, g->tmp)) ||
            !slx_quantise_row(g->tmp, o->n, out->q + (size_t)t * nb * 32, out->s + (size_t)t * nb))
            st = fault(g, o, t);
    free(w);
    return st;
}

static slx_status op_linear(golden *g, const slx_graph_op *o)
{
    wrow r = wrow_open(weight_of(g, o->w));
    uint32_t kblk = r.w->kblk, log2g = 0;
    while (2u << log2g <= slx_tree_segments(kblk)) log2g++;
    float *out = o->out == SLX_GV_LOGITS ? g->logits : g->v[o->out].f;
    const value *a = &g->v[o->in];
    slx_status st = SLX_OK;
    for (uint32_t n = 0; n < o->n && st == SLX_OK; n++) {
        st = wrow_get(g, &r, n);
        for (uint32_t t = 0; t < g->rows && st == SLX_OK; t++) {
            float y = slx_dot((slx_num_fmt)r.w->fmt, a->q + (size_t)t * kblk * 32,
                              a->s + (size_t)t * kblk, r.codes, r.scales, r.m, kblk, log2g, NULL);
            if (!slx_f32_finite(y)) st = fault(g, o, t);
            out[(size_t)t * o->n + n] = y;
        }
    }
    wrow_close(&r);
    return st;
}

static slx_status op_bias(golden *g, const slx_graph_op *o)
{
    float *b = slx_xmalloc(o->n * sizeof *b), *y = g->v[o->out].f;
    slx_status st = slx_import_vector(g->m, weight_of(g, o->w), SLX_ALONE, b, g->err);
    for (uint32_t t = 0; t < g->rows && st == SLX_OK; t++)
        for (uint32_t i = 0; i < o->n && st == SLX_OK; i++) {
            size_t at = (size_t)t * o->n + i;
            y[at] = y[at] + b[i];
            if (!slx_f32_finite(y[at])) st = fault(g, o, t);
        }
    free(b);
    return st;
}

static slx_status op_head_norm(golden *g, const slx_graph_op *o)
{
    uint32_t hd = g->m->hp.head_dim, heads = o->n / hd;
    float *w = slx_xmalloc(hd * sizeof *w), *y = g->v[o->out].f;
    slx_status st = slx_import_vector(g->m, weight_of(g, o->w), SLX_ALONE, w, g->err);
    for (size_t at = 0; at < (size_t)g->rows * heads && st == SLX_OK; at++)
        if (!slx_rmsnorm(y + at * hd, w, g->m->hp.rms_eps, hd, y + at * hd))
            st = fault(g, o, (uint32_t)(at / heads));
    free(w);
    return st;
}

/* Each head rotated, then MXINT8. */
static slx_status op_rope(golden *g, const slx_graph_op *o)
{
    const slx_hparams *hp = &g->m->hp;
    uint32_t hd = hp->head_dim, heads = o->n / hd, nb = g->hdp / 32;
    value *v = &g->v[o->out];
    for (uint32_t t = 0; t < g->rows; t++)
        for (uint32_t h = 0; h < heads; h++) {
            size_t at = (size_t)t * heads + h;
            if (!slx_rope_row(v->f + at * hd, g->rope + (size_t)t * hp->n_rot, hd, hp->n_rot,
                              hp->rope_style == SLX_ROPE_INTERLEAVED, g->tmp) ||
                !slx_quantise_row(g->tmp, hd, v->q + at * g->hdp, v->s + at * nb))
                return fault(g, o, t);
        }
    return SLX_OK;
}

static slx_status op_store_v(golden *g, const slx_graph_op *o)
{
    uint32_t hd = g->m->hp.head_dim, heads = o->n / hd;
    value *v = &g->v[o->out];
    for (size_t at = 0; at < (size_t)g->rows * heads; at++)
        if (!slx_quantise_mxint8(v->f + at * hd, hd, v->q + at * g->hdp, v->s + at))
            return fault(g, o, (uint32_t)(at / heads));
    return SLX_OK;
}

/* One chunk of 128 positions for one query row and head: its state and its o[hd]. */
static bool attend_chunk(golden *g, uint32_t t, uint32_t h, uint32_t chunk, slx_attn_state *st,
                         float *o)
{
    const slx_hparams *hp = &g->m->hp;
    uint32_t hd = hp->head_dim, nb = g->hdp / 32, kvh = hp->n_kv_heads,
             kh = h / (hp->n_heads / kvh), pos0 = chunk * SLX_MAX_CHUNK;
    uint32_t hi = t + 1 - pos0 < SLX_MAX_CHUNK ? t + 1 - pos0 : SLX_MAX_CHUNK;
    const value *q = &g->v[SLX_GV_Q], *k = &g->v[SLX_GV_K], *v = &g->v[SLX_GV_V];
    size_t qat = (size_t)t * hp->n_heads + h;
    float c = slx_const_attn_scale(hd), score[SLX_MAX_CHUNK] = {0}, p[SLX_MAX_CHUNK];
    for (uint32_t j = 0; j < hi; j++) {
        size_t kat = (size_t)(pos0 + j) * kvh + kh;
        score[j] =
            slx_dot(SLX_NF_MXINT8, q->q + qat * g->hdp, q->s + qat * nb,
                    (const uint8_t *)k->q + kat * g->hdp, k->s + kat * nb, NULL, nb, 0, NULL) *
            c;
        if (!slx_f32_finite(score[j])) return false;
    }
    if (!slx_softmax_chunk(score, SLX_MAX_CHUNK, 0, hi, p, st)) return false;
    int8_t pq[SLX_MAX_CHUNK];
    uint8_t ps[SLX_MAX_CHUNK / 32];
    for (uint32_t j = 0; j < SLX_MAX_CHUNK; j++) {
        uint8_t sv = v->s[(size_t)(pos0 + j) * kvh + kh];
        p[j] = p[j] * slx_mxint8_value(1, sv);
    }
    if (!slx_quantise_row(p, SLX_MAX_CHUNK, pq, ps)) return false;
    for (uint32_t d = 0; d < hd; d++) {
        o[d] = slx_dot_bt(pq, ps, v->q + ((size_t)pos0 * kvh + kh) * g->hdp + d,
                          (size_t)kvh * g->hdp, SLX_MAX_CHUNK / 32, NULL);
        if (!slx_f32_finite(o[d])) return false;
    }
    return true;
}

static slx_status op_attention(golden *g, const slx_graph_op *op)
{
    const slx_hparams *hp = &g->m->hp;
    uint32_t hd = hp->head_dim, nb = (op->n + 31) / 32;
    float *t = slx_xmalloc(hd * sizeof *t), *o = slx_xmalloc(hd * sizeof *o);
    value *out = &g->v[op->out];
    slx_status status = SLX_OK;
    for (uint32_t r = 0; r < g->rows && status == SLX_OK; r++) {
        bool ok = true;
        uint32_t chunks = r / SLX_MAX_CHUNK + 1;
        for (uint32_t h = 0; h < hp->n_heads && ok; h++) {
            slx_attn_state s, st, sc;
            float *acc = g->tmp + (size_t)h * hd;
            slx_attn_empty(&s, acc, hd);
            for (uint32_t c0 = 0; c0 < chunks && ok; c0 += SLX_GROUP_CHUNKS) {
                slx_attn_empty(&st, t, hd);
                for (uint32_t c = c0; c < chunks && c < c0 + SLX_GROUP_CHUNKS && ok; c++)
                    ok = attend_chunk(g, r, h, c, &sc, o) && slx_attn_merge(&st, t, &sc, o, hd);
                ok = ok && slx_attn_merge(&s, acc, &st, t, hd);
            }
            ok = ok && slx_attn_final(&s, acc, hd);
        }
        ok = ok &&
             slx_quantise_row(g->tmp, op->n, out->q + (size_t)r * nb * 32, out->s + (size_t)r * nb);
        if (!ok) status = fault(g, op, r);
    }
    free(t);
    free(o);
    return status;
}

static slx_status op_add(golden *g, const slx_graph_op *o)
{
    for (size_t i = 0; i < (size_t)g->rows * o->n; i++) {
        float v = g->v[o->in].f[i] + g->v[o->in2].f[i];
        if (!slx_f32_finite(v)) return fault(g, o, (uint32_t)(i / o->n));
        g->v[o->out].f[i] = v;
    }
    return SLX_OK;
}

static slx_status op_silu_mul(golden *g, const slx_graph_op *o)
{
    uint32_t nb = (o->n + 31) / 32;
    value *out = &g->v[o->out];
    for (uint32_t t = 0; t < g->rows; t++) {
        bool ok = true;
        for (uint32_t i = 0; i < o->n && ok; i++) {
            size_t at = (size_t)t * o->n + i;
            ok = slx_silu(g->v[o->in].f[at], &g->tmp[i]);
            g->tmp[i] = g->tmp[i] * g->v[o->in2].f[at];
            ok = ok && slx_f32_finite(g->tmp[i]);
        }
        if (!ok ||
            !slx_quantise_row(g->tmp, o->n, out->q + (size_t)t * nb * 32, out->s + (size_t)t * nb))
            return fault(g, o, t);
    }
    return SLX_OK;
}

static slx_status op_gelu(golden *g, const slx_graph_op *o)
{
    uint32_t nb = (o->n + 31) / 32;
    value *out = &g->v[o->out];
    for (uint32_t t = 0; t < g->rows; t++) {
        bool ok = true;
        for (uint32_t i = 0; i < o->n && ok; i++)
            ok = slx_gelu(g->v[o->in].f[(size_t)t * o->n + i], &g->tmp[i]);
        if (!ok ||
            !slx_quantise_row(g->tmp, o->n, out->q + (size_t)t * nb * 32, out->s + (size_t)t * nb))
            return fault(g, o, t);
    }
    return SLX_OK;
}

static slx_status run_op(golden *g, const slx_graph_op *o)
{
    switch (o->op) {
    case SLX_GO_EMBED: return op_embed(g, o);
    case SLX_GO_POSITION: return op_position(g, o);
    case SLX_GO_NORM:
    case SLX_GO_LAYER_NORM: return op_norm(g, o);
    case SLX_GO_LINEAR: return op_linear(g, o);
    case SLX_GO_BIAS: return op_bias(g, o);
    case SLX_GO_HEAD_NORM: return op_head_norm(g, o);
    case SLX_GO_ROPE: return op_rope(g, o);
    case SLX_GO_STORE_V: return op_store_v(g, o);
    case SLX_GO_ATTENTION: return op_attention(g, o);
    case SLX_GO_ADD: return op_add(g, o);
    case SLX_GO_SILU_MUL: return op_silu_mul(g, o);
    case SLX_GO_GELU: return op_gelu(g, o);
    case SLX_N_GRAPH_OPS: break;
    }
    SLX_BUG("graph operation %d", (int)o->op);
}

/* ------------------------------------------------------------------ the whole */

slx_status slx_golden(const slx_model *m, const slx_program *p, const uint32_t *tokens, uint32_t n,
                      float *logits, slx_err *err)
{
    const slx_hparams *hp = &m->hp;
    SLX_TRY(slx_model_need_values(m, err));
    if (n == 0) return SLX_OK;
    if (n > hp->context)
        return slx_fail(err, SLX_EINPUT, m->path, 0, 0, "%u tokens, the model's context is %u", n,
                        hp->context);
    for (uint32_t i = 0; i < n; i++)
        if (tokens[i] >= hp->vocab)
            return slx_fail(err, SLX_EINPUT, m->path, 0, 0, "token %u, the vocabulary has %u",
                            tokens[i], hp->vocab);
    golden g = {.m = m, .p = p, .rows = n, .tokens = tokens, .logits = logits, .err = err};
    g.hdp = (hp->head_dim + 31) / 32 * 32;
    g.rows_pad = (n + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK * SLX_MAX_CHUNK;
    size_t wide = hp->d_model, heads = (size_t)hp->n_heads * g.hdp;
    if (hp->d_ff > wide) wide = hp->d_ff;
    if (heads > wide) wide = heads;
    wide = (wide + 31) / 32 * 32;
    g.tmp = slx_xmalloc(wide * sizeof *g.tmp);
    for (int i = 1; i < SLX_N_GRAPH_VALUES; i++) {
        if (i == SLX_GV_LOGITS) continue;
        g.v[i].f = slx_xcalloc((size_t)n * wide, sizeof(float));
        g.v[i].q = slx_xcalloc(g.rows_pad, wide);
        g.v[i].s = slx_xcalloc(g.rows_pad, wide / 32 + hp->n_heads);
    }
    float *div = NULL;
    if (m->rope_freqs) {
        div = slx_xmalloc(hp->n_rot / 2 * sizeof *div);
        if (!slx_dequant(m->rope_freqs->type, m->rope_freqs->data, div, hp->n_rot / 2))
            SLX_BUG("rope_freqs type");
    }
    g.rope = slx_xmalloc(((size_t)n * hp->n_rot + 1) * sizeof *g.rope);
    if (hp->n_rot) slx_rope_table(0, n, (double)hp->rope_base, hp->n_rot, div, g.rope);
    slx_arena a;
    slx_arena_init(&a);
    slx_graph graph;
    slx_graph_build(&graph, &a, m);
    slx_status st = SLX_OK;
    for (uint32_t i = 0; i < graph.n_ops && st == SLX_OK; i++) {
        st = run_op(&g, &graph.ops[i]);
        if (st == SLX_OK && slx_interrupted())
            st = slx_fail(err, SLX_EINTERRUPTED, m->path, 0, 0, "reference interpreter stopped");
    }
    slx_arena_deinit(&a);
    for (int i = 1; i < SLX_N_GRAPH_VALUES; i++) {
        free(g.v[i].f);
        free(g.v[i].q);
        free(g.v[i].s);
    }
    free(div);
    free(g.rope);
    free(g.tmp);
    return st;
}
