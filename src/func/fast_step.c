/* fast_step.c - one step, phase by phase, over a thread team.
 *
 * Threads own disjoint outputs and there are no reductions between them, so their number changes no bit. They meet six
 * times a layer (small steps): after q k v, after rope, after attention, after o, after gate and up, after down.
 * What is cheap and wanted by all (residual add, norm, quantise) every thread of a small step repeats for itself on
 * its own copy of the rows; a large step shares the rows and meets once more.
 */
#include "func/fast_int.h"

#include <string.h>

static bool is_small(const slx_fast_run *r)
{
    return r->rows <= SLX_FAST_SMALL_ROWS;
}

/* Prepares rows of codes [rows][32*kblk] that all threads can see: small steps each for itself, large ones shared. */
static const slx_act *prepared(const slx_fast_run *r, slx_fast_thread *th, int i, int n, uint32_t rows,
                               uint32_t kblk, const int8_t *codes, const uint8_t *scales)
{
    slx_fast *f = r->f;
    if (rows <= SLX_FAST_SMALL_ROWS) {
        th->act.kblk = kblk;
        th->act.rows = rows;
        slx_act_put(&th->act, 0, rows, codes, scales);
        return &th->act;
    }
    uint32_t lo, hi;
    slx_share(rows, 8, i, n, &lo, &hi);
    if (i == 0) {
        f->act.kblk = kblk;
        f->act.rows = rows;
    }
    slx_team_meet(f->team); /* everyone has left the previous product, and sees the shape */
    if (hi > lo)
        slx_act_put(&f->act, lo, hi - lo, codes + (size_t)lo * kblk * 32, scales + (size_t)lo * kblk);
    slx_team_meet(f->team);
    return &f->act;
}

/* This thread's share of the panels of one matrix, counted in units of `unit` panels. */
static void product(slx_fast_thread *th, int i, int n, const slx_panels *p, const slx_act *act, float *out,
                    size_t ldo)
{
    uint32_t lo, hi;
    slx_share(p->n_panels, 1, i, n, &lo, &hi);
    if (hi > lo) slx_panel_mul(p, act, lo, hi - lo, out + (size_t)lo * SLX_PANEL_ROWS, ldo, th->scratch);
}

/* q, k and v as one run of panels, so that few panels still divide well. */
static void product_qkv(const slx_fast_run *r, slx_fast_thread *th, int i, int n, const slx_fast_layer *y,
                        const slx_act *act)
{
    const slx_panels *m[3] = {&y->q, &y->k, &y->v};
    const uint32_t at[3] = {0, r->f->off_k, r->f->off_v};
    uint32_t total = m[0]->n_panels + m[1]->n_panels + m[2]->n_panels, lo, hi, first = 0;
    slx_share(total, 1, i, n, &lo, &hi);
    for (int k = 0; k < 3; k++) {
        uint32_t a = lo > first ? lo - first : 0, end = first + m[k]->n_panels;
        uint32_t b = hi < end ? (hi > first ? hi - first : 0) : m[k]->n_panels;
        if (b > a)
            slx_panel_mul(m[k], act, a, b - a, r->f->qkv + at[k] + (size_t)a * SLX_PANEL_ROWS, r->f->qkv_cols,
                          th->scratch);
        first = end;
    }
}

/* gate and up of the same 32 columns by one thread, then silu, product and quantisation while they are warm. */
static bool product_gateup(const slx_fast_run *r, slx_fast_thread *th, int i, int n, const slx_fast_layer *y,
                           const slx_act *act)
{
    slx_fast *f = r->f;
    uint32_t lo, hi, slices = f->ff_pad / 32;
    bool ok = true;
    slx_share(slices, 1, i, n, &lo, &hi);
    for (uint32_t s = lo; s < hi; s++) {
        slx_panel_mul(&y->gate, act, s * 2, 2, th->g, 32, th->scratch);
        slx_panel_mul(&y->up, act, s * 2, 2, th->u, 32, th->scratch);
        for (uint32_t k = 0; k < r->rows; k++) {
            float *g = th->g + (size_t)k * 32;
            ok &= f->kern->silu_mul(g, th->u + (size_t)k * 32, 32, g);
            ok &= f->kern->quantise_one(g, 32, f->f_codes + (size_t)k * f->ff_pad + s * 32,
                                        f->f_scales + (size_t)k * f->kblk_f + s);
        }
    }
    return ok;
}

/* x := y + x, norm, quantise, for rows [lo, hi) of the given copy of x. codes and scales are the copy's too. */
static bool residual_norm(const slx_fast *f, slx_fast_thread *th, float *x, const float *y, size_t y_stride,
                          const float *w, float eps, uint32_t lo, uint32_t hi, int8_t *codes, uint8_t *scales)
{
    bool ok = true;
    for (uint32_t k = lo; k < hi; k++) {
        float *row = x + (size_t)k * f->d;
        if (y) ok &= f->kern->add(row, y + k * y_stride, f->d, row);
        ok &= f->kern->rmsnorm(row, w, eps, f->d, th->y);
        ok &= f->kern->quantise_row(th->y, f->d, codes + (size_t)k * f->kblk_d * 32,
                                    scales + (size_t)k * f->kblk_d);
    }
    return ok;
}

/* The residual phase in both ways; gives the prepared input of the next product. */
static const slx_act *residual_phase(const slx_fast_run *r, slx_fast_thread *th, int i, int n, const float *y,
                                     size_t y_stride, const float *w, float eps)
{
    slx_fast *f = r->f;
    if (is_small(r)) {
        th->faulted |= !residual_norm(f, th, th->x, y, y_stride, w, eps, 0, r->rows, th->codes, th->scales);
        return prepared(r, th, i, n, r->rows, f->kblk_d, th->codes, th->scales);
    }
    uint32_t lo, hi;
    slx_share(r->rows, 8, i, n, &lo, &hi);
    th->faulted |= !residual_norm(f, th, f->x, y, y_stride, w, eps, lo, hi, f->codes, f->scales);
    return prepared(r, th, i, n, r->rows, f->kblk_d, f->codes, f->scales);
}

/* Uses the thread's rows of codes, which a step needs only after this. */
static bool embed_row(const slx_fast_run *r, slx_fast_thread *th, uint32_t row, float *x)
{
    const slx_fast *f = r->f;
    const slx_weight *w = f->emb;
    uint32_t token = slx_desc_u32(r->desc, f->prog->info.desc.off_token, row);
    uint8_t *codes = (uint8_t *)th->codes, *scales = th->scales, *m = scales + 2 * (size_t)w->kblk;
    uint16_t *m16 = w->fmt == SLX_FMT_q4sm ? (uint16_t *)(void *)m : NULL;
    return slx_import_rows(f->model, w, SLX_ALONE, token, 1, codes, scales, m16, NULL) == SLX_OK &&
           slx_block_values(w->fmt, codes, scales, m16 ? m : NULL, f->d, x);
}

static const slx_act *embed_phase(const slx_fast_run *r, slx_fast_thread *th, int i, int n)
{
    slx_fast *f = r->f;
    uint32_t lo = 0, hi = r->rows;
    if (!is_small(r)) slx_share(r->rows, 8, i, n, &lo, &hi);
    float *x = is_small(r) ? th->x : f->x;
    for (uint32_t k = lo; k < hi; k++) th->faulted |= !embed_row(r, th, k, x + (size_t)k * f->d);
    return residual_phase(r, th, i, n, NULL, 0, f->layers[0].attn_norm, f->eps_embed);
}

/* Heads that are not whole blocks: quantised as rows once all heads are there. */
static void rowq_phase(const slx_fast_run *r, slx_fast_thread *th, int i, int n)
{
    slx_fast *f = r->f;
    uint32_t lo, hi;
    slx_share(r->rows, 1, i, n, &lo, &hi);
    for (uint32_t k = lo; k < hi; k++)
        th->faulted |=
            !f->kern->quantise_row(f->attn_f32 + (size_t)k * f->o_cols, f->o_cols,
                                   f->codes + (size_t)k * f->kblk_a * 32, f->scales + (size_t)k * f->kblk_a);
    slx_team_meet(f->team);
}

static void layer(const slx_fast_run *r, slx_fast_thread *th, int i, int n, uint32_t l, const slx_act *in,
                  const slx_act **out)
{
    slx_fast *f = r->f;
    const slx_fast_layer *y = &f->layers[l];
    size_t ldo = (size_t)f->kblk_d * 32;
    uint32_t lo, hi;

    product_qkv(r, th, i, n, y, in);
    slx_team_meet(f->team);

    slx_share(r->rows * (f->heads + f->kv_heads), 1, i, n, &lo, &hi);
    slx_fast_rope_rows(r, th, l, lo, hi);
    slx_team_meet(f->team);

    slx_share(slx_fast_attn_units(r), 1, i, n, &lo, &hi);
    for (uint32_t u = lo; u < hi; u++) slx_fast_attn_unit(r, th, l, u);
    slx_team_meet(f->team);
    if (f->s.rowq) rowq_phase(r, th, i, n);

    in = prepared(r, th, i, n, r->rows, f->kblk_a, f->codes, f->scales);
    product(th, i, n, &y->o, in, f->out, ldo);
    slx_team_meet(f->team);

    in = residual_phase(r, th, i, n, f->out, ldo, y->ffn_norm, f->eps1);
    th->faulted |= !product_gateup(r, th, i, n, y, in);
    slx_team_meet(f->team);

    in = prepared(r, th, i, n, r->rows, f->kblk_f, f->f_codes, f->f_scales);
    product(th, i, n, &y->down, in, f->out, ldo);
    slx_team_meet(f->team);

    bool last = l + 1 == f->prog->info.n_layers;
    *out =
        residual_phase(r, th, i, n, f->out, ldo, last ? f->output_norm : f->layers[l + 1].attn_norm, f->eps2);
}

/* Logits of the sampled rows. Small steps have every row's codes in the thread, large ones in the shared rows. */
static void head_phase(const slx_fast_run *r, slx_fast_thread *th, int i, int n)
{
    slx_fast *f = r->f;
    const slx_program_info *in = &f->prog->info;
    const int8_t *codes = is_small(r) ? th->codes : f->codes;
    const uint8_t *scales = is_small(r) ? th->scales : f->scales;
    int kind = slx_hbm_kind(f->hbm, SLX_REGION_LOGITS);
    float *logits = (float *)(void *)f->hbm->mem[kind];
    for (uint32_t s0 = 0; s0 < r->samples; s0 += SLX_FAST_SMALL_ROWS) {
        uint32_t count = r->samples - s0 < SLX_FAST_SMALL_ROWS ? r->samples - s0 : SLX_FAST_SMALL_ROWS;
        th->act.kblk = f->kblk_d;
        th->act.rows = count;
        for (uint32_t k = 0; k < count; k++) {
            uint32_t row = slx_desc_u32(r->desc, in->desc.off_sample, s0 + k);
            memcpy(th->head_codes + (size_t)k * f->kblk_d * 32, codes + (size_t)row * f->kblk_d * 32,
                   f->kblk_d * 32);
            memcpy(th->head_scales + (size_t)k * f->kblk_d, scales + (size_t)row * f->kblk_d, f->kblk_d);
        }
        slx_act_put(&th->act, 0, count, th->head_codes, th->head_scales);
        uint32_t lo, hi;
        slx_share(f->head.n_panels, 2, i, n, &lo, &hi);
        if (hi == lo) continue;
        float *out = logits + (size_t)s0 * in->vocab_pad + (size_t)lo * SLX_PANEL_ROWS;
        slx_panel_mul(&f->head, &th->act, lo, hi - lo, out, in->vocab_pad, th->scratch);
        for (uint32_t k = 0; k < count; k++)
            th->faulted |= !slx_finite_all(out + (size_t)k * in->vocab_pad, (size_t)(hi - lo) * SLX_PANEL_ROWS);
    }
}

static void run_thread(void *arg, int i, int n)
{
    const slx_fast_run *r = arg;
    slx_fast *f = r->f;
    slx_fast_thread *th = &f->th[i];
    th->faulted = th->unsure = false;
    const slx_act *act = embed_phase(r, th, i, n);
    for (uint32_t l = 0; l < f->prog->info.n_layers; l++) layer(r, th, i, n, l, act, &act);
    head_phase(r, th, i, n);
}

slx_status slx_fast_step(slx_fast *f)
{
    slx_fast_run r = {.f = f};
    bool faulted = false;
    if (!slx_fast_desc(&r)) return SLX_EUNSUPPORTED;
    if (r.rows == 0) return SLX_OK;
    slx_team_run(f->team, run_thread, &r);
    for (int i = 0; i < f->n_threads; i++) {
        if (f->th[i].unsure) return SLX_EUNSUPPORTED;
        faulted |= f->th[i].faulted;
    }
    return faulted ? SLX_EFAULT : SLX_OK;
}
