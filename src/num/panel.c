/* panel.c - packing weights and activations into the layouts of panel_impl.h, and the choice of the
 * kernel.
 *
 * Nothing here is on the path of a token but slx_act_put, which runs once for every row a layer
 * reads.
 */
#include "num/panel.h"

#include <string.h>

#include "num/panel_impl.h"

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

void slx_panels_init(slx_panels *p, slx_num_fmt fmt, slx_cpu level, uint32_t n, uint32_t kblk,
                     unsigned log2g)
{
    SLX_ASSERT(log2g <= SLX_PANEL_MAX_LOG2G);
    SLX_ASSERT(level < SLX_N_CPU);
    uint32_t n_panels = n / SLX_PANEL_ROWS + (n % SLX_PANEL_ROWS != 0);
    *p = (slx_panels){
        .fmt = fmt, .level = level, .n = n, .kblk = kblk, .log2g = log2g, .n_panels = n_panels};
    p->vnni = level == SLX_CPU_AVX2 && slx_panel_has_avx_vnni();
    p->panel_bytes = round_up(slx_mul_size(slx_panel_shape_of(fmt).block_bytes, kblk), 64);
    p->data = slx_aalloc(slx_mul_size(p->panel_bytes, n_panels));
}

void slx_panels_deinit(slx_panels *p)
{
    slx_afree(p->data, p->panel_bytes * p->n_panels);
    *p = (slx_panels){0};
}

void slx_panels_put(slx_panels *p, uint32_t n, const uint8_t *codes, const void *scales,
                    const uint16_t *m)
{
    SLX_ASSERT(n < p->n);
    slx_panel_shape sh = slx_panel_shape_of(p->fmt);
    bool is4 = slx_panel_is4(p->fmt);
    uint8_t flip = p->level == SLX_CPU_AVX512 ? 0x80 : 0;
    uint32_t r = n % SLX_PANEL_ROWS;
    uint8_t *at = p->data + n / SLX_PANEL_ROWS * p->panel_bytes;
    const uint8_t *s8 = scales;
    for (uint32_t b = 0; b < p->kblk; b++, at += sh.block_bytes) {
        if (is4) {
            const uint8_t *c = codes + (size_t)b * 16;
            for (uint32_t i = 0; i < 16; i += 2) { /* elements i, i+1 and i+16, i+17 */
                uint8_t lo = c[i / 2], hi = c[8 + i / 2];
                uint8_t *to = at + i / 4 * 64 + r * 4 + i % 4;
                to[0] = (uint8_t)((lo & 15) | (hi & 15) << 4);
                to[1] = (uint8_t)(lo >> 4 | (hi & 0xf0));
            }
        } else {
            const uint8_t *c = codes + (size_t)b * 32;
            for (uint32_t i = 0; i < 32; i++) at[i / 4 * 64 + r * 4 + i % 4] = c[i] ^ flip;
        }
        if (p->fmt == SLX_NF_MXINT8)
            at[sh.scale_offset + r] = s8[b] > 6 ? (uint8_t)(s8[b] - 6) : 0;
        else
            memcpy(at + sh.scale_offset + r * 2, s8 + (size_t)b * 2, 2);
        if (sh.m_offset) memcpy(at + sh.m_offset + r * 2, &m[b], 2);
    }
}

size_t slx_act_bytes(slx_cpu level, uint32_t rows, uint32_t kblk)
{
    (void)level;
    return round_up(slx_mul_size(slx_mul_size(rows, kblk), SLX_ACT_BLOCK), 64);
}

void slx_act_put(slx_act *a, uint32_t first, uint32_t count, const int8_t *codes,
                 const uint8_t *scales)
{
    for (uint32_t row = first; row < first + count; row++) {
        slx_act_place pl = slx_act_at(a, row);
        size_t stride = (size_t)pl.rows * SLX_ACT_BLOCK;
        uint8_t *to = pl.base + (size_t)pl.at * 32;
        uint8_t *meta = pl.base + (size_t)pl.rows * 32 + pl.at * 4;
        for (uint32_t b = 0; b < a->kblk;
             b++, codes += 32, scales++, to += stride, meta += stride) {
            memcpy(to, codes, 32);
            int32_t sum = 0;
            for (int i = 0; i < 32; i++) sum += codes[i];
            float sa = *scales > 6 ? slx_f32_from((uint32_t)(*scales - 6) << 23) : 0.0f;
            float v[5];
            v[SLX_ACT_SA] = sa;
            v[SLX_ACT_SUM] = (float)sum * sa;
            v[SLX_ACT_NC0] = -(SLX_MAGIC * sa);
            v[SLX_ACT_NC8] = -((float)(12582912 + 8 * sum) * sa);
            v[SLX_ACT_NC128] = -((float)(12582912 + 128 * sum) * sa);
            for (uint32_t i = 0; i < 5; i++) memcpy(meta + (size_t)i * pl.rows * 4, &v[i], 4);
        }
    }
}

static uint32_t *cuts_of(uint32_t lo, uint32_t hi, unsigned log2g, uint32_t *to)
{
    if (log2g == 0) {
        *to = hi;
        return to + 1;
    }
    uint32_t mid = lo + (hi - lo) / 2;
    return cuts_of(mid, hi, log2g - 1, cuts_of(lo, mid, log2g - 1, to));
}

void slx_panel_cuts(uint32_t kblk, unsigned log2g, uint32_t cut[SLX_PANEL_MAX_SEG + 1])
{
    cut[0] = 0;
    cuts_of(0, kblk, log2g, cut + 1);
}

void slx_panel_all_rows(slx_panel_job *t, const slx_act *a, uint32_t first,
                        slx_panel_kernel *const *kernels, uint32_t step, float *out)
{
    for (uint32_t row = first; row < a->rows;) {
        slx_act_place pl = slx_act_at(a, row);
        uint32_t n = pl.rows - pl.at < step ? pl.rows - pl.at : step;
        t->a = pl.base + (size_t)pl.at * 32;
        t->meta = pl.base + (size_t)pl.rows * 32 + pl.at * 4;
        t->group_rows = pl.rows;
        t->out = out + row * t->ldo;
        kernels[n - 1](t);
        row += n;
    }
}

size_t slx_panel_scratch_bytes(const slx_panels *p, uint32_t rows)
{
    return rows > 1 ? slx_mul_size(2 * SLX_UNPACKED_BLOCK, p->kblk) : 64;
}

void slx_panel_mul(const slx_panels *p, const slx_act *a, uint32_t first_panel, uint32_t count,
                   float *out, size_t ldo, void *scratch)
{
    static slx_panel_mul_fn *const by_level[SLX_N_CPU] = {
        [SLX_CPU_SCALAR] = slx_panel_mul_scalar,
        [SLX_CPU_AVX2] = slx_panel_mul_avx2,
        [SLX_CPU_AVX512] = slx_panel_mul_avx512,
    };
    SLX_ASSERT(a->level == p->level && a->kblk == p->kblk);
    SLX_ASSERT(first_panel <= p->n_panels && count <= p->n_panels - first_panel);
    if (a->rows) by_level[p->level](p, a, first_panel, count, out, ldo, scratch);
}
