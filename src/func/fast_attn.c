/* fast_attn.c - rotary embedding, appending to the KV pages, and attention over them.
 *
 * Pages are the program's own (program.h): K codes [128][d] | K scales [128][d/32] | V codes [128][d] | V scales [128],
 * so the KV region stays equal to strict's byte for byte.
 *
 * Work comes as the descriptor's items (some rows of one sequence, one KV head, all their chunks), which the program
 * spreads over tiles and this machine over threads. Few rows go one by one through qk and pv. Many rows take the page
 * as a packed matrix: scores = q * K^T; o = p * V with scale code 133 everywhere: S = 2^(ea - 133), the BT form.
 * Chunks that admit nothing for a row leave its state unchanged, so they are not visited.
 */
#include "func/fast_int.h"

#include <string.h>

enum { BLOCK_ROWS = 192, MATRIX_ROWS = 12 };

typedef struct {
    uint8_t *k, *ks, *v, *vs;
} page_view;

static page_view page_at(const slx_fast *f, uint32_t layer, uint32_t kv_head, uint32_t page)
{
    const slx_program_info *in = &f->prog->info;
    uint8_t *p = f->kv[kv_head] + layer * in->kv_layer_stride + page * in->page_stride;
    return (page_view){p, p + 128ull * f->hdp, p + 132ull * f->hdp, p + 260ull * f->hdp};
}

uint32_t slx_fast_attn_units(const slx_fast_run *r)
{
    return r->n_items * (r->split_heads ? r->f->group : 1);
}

/* ------------------------------------------------------------------ rope, append */

/* One head of q, k or v of a row as the product made it, with its bias and norm where the model has them: in place, or
 * in th->y. col: its first column among those of q, k and v. */
static const float *head_of(const slx_fast *f, slx_fast_thread *th, const slx_fast_layer *y, const float *x,
                            uint32_t col, const float *norm, bool *ok)
{
    if (y->qkv_bias) {
        *ok &= f->kern->add(x, y->qkv_bias + col, f->hd, th->y);
        x = th->y;
    }
    if (norm) {
        *ok &= f->kern->rmsnorm(x, norm, f->eps_heads, f->hd, th->y);
        x = th->y;
    }
    return x;
}

/* Appends row's key and value of one KV head. Also in a step that faults only scales come here that
 * a quantiser makes: a product over the whole page multiplies what nobody has written since. */
static bool append_kv(const slx_fast_run *r, slx_fast_thread *th, uint32_t layer, uint32_t row, uint32_t h,
                      const float *cs)
{
    const slx_fast *f = r->f;
    const slx_program_info *in = &f->prog->info;
    const float *qkv = f->qkv + (size_t)row * f->qkv_cols;
    uint32_t nb = f->hdp / 32, at = slx_desc_u32(r->desc, in->desc.off_kcode, row), off = at % SLX_PAGE_ROWS;
    page_view v = page_at(f, layer, h, at / SLX_PAGE_ROWS);
    uint8_t *kc = v.k + (size_t)off * f->hdp, *ks = v.ks + (size_t)off * nb;
    uint8_t *vc = v.v + (size_t)off * f->hdp, *vs = v.vs + off;
    const slx_fast_layer *y = &f->layers[layer];
    const float *norm = y->qk_norm ? y->qk_norm + f->hd : NULL;
    bool ok = true;
    const float *k = head_of(f, th, y, qkv + f->off_k + h * f->hd, (f->heads + h) * f->hd, norm, &ok);
    ok &= f->kern->rope_row(k, cs, f->hd, in->n_rot, f->interleaved, th->y);
    ok &= f->kern->quantise_row(th->y, f->hd, (int8_t *)kc, ks);
    const float *x = head_of(f, th, y, qkv + f->off_v + h * f->hd, (f->heads + f->kv_heads + h) * f->hd, NULL, &ok);
    ok &= f->kern->quantise_one(x, f->hd, (int8_t *)vc, vs);
    memset(vc + f->hd, 0, f->hdp - f->hd);
    return ok;
}

/* Whether no score of this query can leave fp32, whatever a page holds. strict multiplies whole
 * pages and faults on any score that is not finite; the kernels here look at admitted ones. */
static bool small_enough(const slx_fast *f, const uint8_t *scales, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (scales[i] > f->q_scale_max) return false;
    return true;
}

void slx_fast_rope_rows(const slx_fast_run *r, slx_fast_thread *th, uint32_t layer, uint32_t unit0,
                        uint32_t unit1)
{
    slx_fast *f = r->f;
    const slx_program_info *in = &f->prog->info;
    uint32_t per_row = f->heads + f->kv_heads, nb = f->hdp / 32;
    for (uint32_t u = unit0; u < unit1; u++) {
        uint32_t row = u / per_row, h = u % per_row;
        const float *cs = f->rope + (size_t)slx_desc_u32(r->desc, in->desc.off_position, row) * in->n_rot;
        if (h >= f->heads) {
            th->faulted |= !append_kv(r, th, layer, row, h - f->heads, cs);
            continue;
        }
        const float *q = f->qkv + (size_t)row * f->qkv_cols + h * f->hd;
        size_t at = (size_t)row * f->heads + h;
        bool ok = true;
        q = head_of(f, th, &f->layers[layer], q, h * f->hd, f->layers[layer].qk_norm, &ok);
        th->faulted |= !ok;
        th->faulted |= !f->kern->rope_row(q, cs, f->hd, in->n_rot, f->interleaved, th->y);
        th->faulted |= !f->kern->quantise_row(th->y, f->hd, f->q_codes + at * f->hdp, f->q_scales + at * nb);
        th->unsure |= !small_enough(f, f->q_scales + at * nb, nb);
    }
}

/* ------------------------------------------------------------------ attention */

typedef struct {
    uint32_t lo, hi;
} limits;

static limits limits_of(const slx_fast_run *r, uint32_t row, uint32_t chunks)
{
    uint32_t off = r->f->prog->info.desc.off_lim;
    limits l = {slx_desc_u32(r->desc, off, 2 * row), slx_desc_u32(r->desc, off, 2 * row + 1)};
    if (l.hi > chunks * SLX_MAX_CHUNK) l.hi = chunks * SLX_MAX_CHUNK;
    return l;
}

/* Limits relative to a chunk, clipped to it. */
static limits in_chunk(limits l, uint32_t chunk)
{
    uint32_t pos = chunk * SLX_MAX_CHUNK, n = SLX_MAX_CHUNK;
    limits c = {l.lo <= pos      ? 0
                : l.lo - pos < n ? l.lo - pos
                                 : n,
                l.hi <= pos      ? 0
                : l.hi - pos < n ? l.hi - pos
                                 : n};
    return c;
}

/* Output of one head row, o [hdp] after the final division. */
static void put_head(const slx_fast_run *r, slx_fast_thread *th, uint32_t row, uint32_t head, const float *o)
{
    slx_fast *f = r->f;
    if (f->s.rowq) {
        memcpy(f->attn_f32 + (size_t)row * f->o_cols + head * f->hd, o, f->hd * sizeof *o);
        return;
    }
    th->faulted |= !f->kern->quantise_row(o, f->hd, f->codes + (size_t)row * f->kblk_a * 32 + head * f->hd,
                                          f->scales + (size_t)row * f->kblk_a + head * f->hd / 32);
}

/* Softmax of a scored row and its quantised probabilities. Returns the number of blocks that hold any. */
static uint32_t probabilities(const slx_fast_run *r, slx_fast_thread *th, const float *t, limits c,
                              const uint8_t *vs, slx_attn_state *st, int8_t *pc, uint8_t *ps, uint32_t blocks)
{
    const slx_kern *k = r->f->kern;
    uint32_t used = (c.hi + 31) / 32;
    if (blocks < used) blocks = used;
    th->faulted |= !slx_finite_all(t, c.hi) || !k->softmax_chunk(t, SLX_MAX_CHUNK, c.lo, c.hi, th->p, st);
    if (blocks) th->faulted |= !k->quantise_col(th->p, vs, blocks * 32, pc, ps);
    return used;
}

/* One row, one head, chunk after chunk. */
static void attend_row(const slx_fast_run *r, slx_fast_thread *th, uint32_t layer, const slx_fast_item *it,
                       uint32_t row, uint32_t head)
{
    slx_fast *f = r->f;
    const slx_kern *k = f->kern;
    limits lim = limits_of(r, row, it->chunks);
    uint32_t nb = f->hdp / 32, c0 = lim.lo / SLX_MAX_CHUNK, c1 = (lim.hi + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK;
    size_t at = (size_t)row * f->heads + head;
    slx_attn_state all, group, st;
    slx_attn_empty(&all, th->os, f->hdp);
    for (uint32_t g0 = c0 / SLX_GROUP_CHUNKS * SLX_GROUP_CHUNKS; g0 < c1; g0 += SLX_GROUP_CHUNKS) {
        slx_attn_empty(&group, th->ot, f->hdp);
        for (uint32_t c = g0 < c0 ? c0 : g0; c < c1 && c < g0 + SLX_GROUP_CHUNKS; c++) {
            uint32_t page = slx_desc_u32(r->desc, f->prog->info.desc.off_pages, it->page_at + c);
            page_view v = page_at(f, layer, it->kv_head, page);
            limits w = in_chunk(lim, c);
            k->qk(f->q_codes + at * f->hdp, f->q_scales + at * nb, (const int8_t *)v.k, v.ks, w.hi, nb,
                  f->attn_scale, th->t);
            uint32_t used = probabilities(r, th, th->t, w, v.vs, &st, th->pc, th->ps, 0);
            k->pv(th->pc, th->ps, (const int8_t *)v.v, used, f->hdp, th->o2);
            th->faulted |= !k->attn_merge(&group, th->ot, &st, th->o2, f->hdp);
        }
        th->faulted |= !k->attn_merge(&all, th->os, &group, th->ot, f->hdp);
    }
    th->faulted |= !k->attn_final(&all, th->os, f->hdp);
    put_head(r, th, row, head, th->os);
}

static void pack_page(const slx_fast *f, slx_fast_thread *th, page_view v)
{
    uint32_t nb = f->hdp / 32;
    for (uint32_t j = 0; j < SLX_MAX_CHUNK; j++)
        slx_panels_put(&th->kp, j, v.k + (size_t)j * f->hdp, v.ks + (size_t)j * nb, NULL);
    for (uint32_t j = 0; j < SLX_MAX_CHUNK; j += 8)
        for (uint32_t c = 0; c < f->hdp; c++)
            for (uint32_t i = 0; i < 8; i++)
                th->vt[(size_t)c * SLX_MAX_CHUNK + j + i] = (int8_t)v.v[(size_t)(j + i) * f->hdp + c];
    for (uint32_t c = 0; c < f->hdp; c++)
        slx_panels_put(&th->vp, c, (const uint8_t *)th->vt + (size_t)c * SLX_MAX_CHUNK, th->code133, NULL);
}

/* One chunk for all rows of a block: m = rows * group head rows, row-major as [row][head of the group]. */
static void attend_chunk(const slx_fast_run *r, slx_fast_thread *th, uint32_t layer, const slx_fast_item *it,
                         uint32_t row0, uint32_t rows, uint32_t c)
{
    slx_fast *f = r->f;
    uint32_t m = rows * f->group;
    uint32_t page = slx_desc_u32(r->desc, f->prog->info.desc.off_pages, it->page_at + c);
    page_view v = page_at(f, layer, it->kv_head, page);
    pack_page(f, th, v);
    slx_panel_mul(&th->kp, &th->qact, 0, th->kp.n_panels, th->t, SLX_MAX_CHUNK, th->scratch);
    for (size_t i = 0; i < (size_t)m * SLX_MAX_CHUNK; i++) th->t[i] = th->t[i] * f->attn_scale;
    for (uint32_t i = 0; i < m; i++) {
        limits w = in_chunk(limits_of(r, row0 + i / f->group, it->chunks), c);
        probabilities(r, th, th->t + (size_t)i * SLX_MAX_CHUNK, w, v.vs, &th->st[i],
                      th->pc + (size_t)i * SLX_MAX_CHUNK, th->ps + (size_t)i * 4, 4);
    }
    th->pact.rows = m;
    slx_act_put(&th->pact, 0, m, th->pc, th->ps);
    slx_panel_mul(&th->vp, &th->pact, 0, th->vp.n_panels, th->o2, f->hdp, th->scratch);
    for (uint32_t i = 0; i < m; i++)
        th->faulted |= !f->kern->attn_merge(&th->stt[i], th->ot + (size_t)i * f->hdp, &th->st[i],
                                            th->o2 + (size_t)i * f->hdp, f->hdp);
}

static void attend_block(const slx_fast_run *r, slx_fast_thread *th, uint32_t layer, const slx_fast_item *it,
                         uint32_t row0, uint32_t rows)
{
    slx_fast *f = r->f;
    uint32_t m = rows * f->group, nb = f->hdp / 32, c0 = UINT32_MAX, c1 = 0;
    for (uint32_t i = 0; i < rows; i++) {
        size_t at = (size_t)(row0 + i) * f->heads + (size_t)it->kv_head * f->group;
        memcpy(th->qc + (size_t)i * f->group * f->hdp, f->q_codes + at * f->hdp, (size_t)f->group * f->hdp);
        memcpy(th->qs + (size_t)i * f->group * nb, f->q_scales + at * nb, (size_t)f->group * nb);
        limits l = limits_of(r, row0 + i, it->chunks);
        uint32_t first = l.lo / SLX_MAX_CHUNK, end = (l.hi + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK;
        if (first < c0) c0 = first;
        if (end > c1) c1 = end;
    }
    th->qact.rows = m;
    slx_act_put(&th->qact, 0, m, th->qc, th->qs);
    for (uint32_t i = 0; i < m; i++) slx_attn_empty(&th->sts[i], th->os + (size_t)i * f->hdp, f->hdp);
    for (uint32_t g0 = c0 / SLX_GROUP_CHUNKS * SLX_GROUP_CHUNKS; g0 < c1; g0 += SLX_GROUP_CHUNKS) {
        for (uint32_t i = 0; i < m; i++) slx_attn_empty(&th->stt[i], th->ot + (size_t)i * f->hdp, f->hdp);
        for (uint32_t c = g0 < c0 ? c0 : g0; c < c1 && c < g0 + SLX_GROUP_CHUNKS; c++)
            attend_chunk(r, th, layer, it, row0, rows, c);
        for (uint32_t i = 0; i < m; i++)
            th->faulted |= !f->kern->attn_merge(&th->sts[i], th->os + (size_t)i * f->hdp, &th->stt[i],
                                                th->ot + (size_t)i * f->hdp, f->hdp);
    }
    for (uint32_t i = 0; i < m; i++) {
        float *o = th->os + (size_t)i * f->hdp;
        th->faulted |= !f->kern->attn_final(&th->sts[i], o, f->hdp);
        put_head(r, th, row0 + i / f->group, it->kv_head * f->group + i % f->group, o);
    }
}

void slx_fast_attn_unit(const slx_fast_run *r, slx_fast_thread *th, uint32_t layer, uint32_t unit)
{
    slx_fast *f = r->f;
    const slx_fast_item *it = &r->items[r->split_heads ? unit / f->group : unit];
    uint32_t per_block = f->block_rows / f->group;
    if (r->split_heads) {
        for (uint32_t i = 0; i < it->rows; i++)
            attend_row(r, th, layer, it, it->row0 + i, it->kv_head * f->group + unit % f->group);
        return;
    }
    for (uint32_t i = 0; i < it->rows; i += per_block) {
        uint32_t rows = it->rows - i < per_block ? it->rows - i : per_block;
        if (rows * f->group >= MATRIX_ROWS) {
            attend_block(r, th, layer, it, it->row0 + i, rows);
            continue;
        }
        for (uint32_t k = 0; k < rows * f->group; k++)
            attend_row(r, th, layer, it, it->row0 + i + k / f->group, it->kv_head * f->group + k % f->group);
    }
}

/* ------------------------------------------------------------------ memory */

uint32_t slx_fast_block_rows(const slx_fast *f)
{
    return f->group > BLOCK_ROWS ? f->group : BLOCK_ROWS;
}

void slx_fast_attn_init(slx_fast *f, slx_fast_thread *th)
{
    uint32_t m = f->block_rows, nb = f->hdp / 32;
    slx_arena *a = &f->arena;
#define NEW(T, n) (T *)slx_push(a, (size_t)(n) * sizeof(T) + 64, 64)
    th->t = NEW(float, (size_t)m *SLX_MAX_CHUNK);
    th->p = NEW(float, SLX_MAX_CHUNK);
    th->o2 = NEW(float, (size_t)m * f->hdp);
    th->ot = NEW(float, (size_t)m * f->hdp);
    th->os = NEW(float, (size_t)m * f->hdp);
    th->st = NEW(slx_attn_state, m);
    th->stt = NEW(slx_attn_state, m);
    th->sts = NEW(slx_attn_state, m);
    th->pc = NEW(int8_t, (size_t)m * SLX_MAX_CHUNK);
    th->ps = NEW(uint8_t, (size_t)m * 4);
    th->qc = NEW(int8_t, (size_t)m * f->hdp);
    th->qs = NEW(uint8_t, (size_t)m * nb);
    th->vt = NEW(int8_t, (size_t)f->hdp * SLX_MAX_CHUNK);
    th->code133 = NEW(uint8_t, 4);
    memset(th->code133, 133, 4);
#undef NEW
    slx_act *acts[] = {&th->qact, &th->pact};
    for (int i = 0; i < 2; i++) {
        acts[i]->level = f->kern->level;
        acts[i]->rows = m;
        acts[i]->kblk = i ? 4 : nb;
        acts[i]->bytes = slx_act_bytes(f->kern->level, m, acts[i]->kblk);
        acts[i]->data = slx_push(a, acts[i]->bytes + 64, 64);
    }
    slx_panels_init(&th->kp, SLX_NF_MXINT8, f->kern->level, SLX_MAX_CHUNK, nb, 0);
    slx_panels_init(&th->vp, SLX_NF_MXINT8, f->kern->level, f->hdp, 4, 0);
    size_t need[] = {slx_panel_scratch_bytes(&th->kp, m), slx_panel_scratch_bytes(&th->vp, m)};
    for (int i = 0; i < 2; i++)
        if (need[i] > th->scratch_bytes) th->scratch_bytes = need[i];
}

void slx_fast_attn_deinit(slx_fast_thread *th)
{
    slx_panels_deinit(&th->kp);
    slx_panels_deinit(&th->vp);
}
