/* panel_scalar.c - the panel product in plain C: for hosts without AVX2, and to compare the others
 * with.
 *
 * One output at a time; the chain and the tree are those of slx_dot, on the panel's layout.
 */
#include "num/panel_impl.h"

#include <string.h>

static float load_f32(const uint8_t *p)
{
    float x;
    memcpy(&x, p, 4);
    return x;
}

static float load_fp16(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return slx_fp16_to_f32(h);
}

/* sum(a * w) of row r of the panel's block at w. */
static int32_t block_sum(slx_num_fmt fmt, const uint8_t *w, uint32_t r, const int8_t *a)
{
    int32_t sum = 0;
    if (slx_panel_is4(fmt)) {
        int32_t off = fmt == SLX_NF_Q4S ? 8 : 0;
        for (uint32_t k = 0; k < 16; k++) {
            uint8_t byte = w[k / 4 * 64 + r * 4 + k % 4];
            sum += a[k] * ((byte & 15) - off) + a[16 + k] * ((byte >> 4) - off);
        }
    } else {
        for (uint32_t k = 0; k < 32; k++) sum += a[k] * (int8_t)w[k / 4 * 64 + r * 4 + k % 4];
    }
    return sum;
}

void slx_panel_mul_scalar(const slx_panels *p, const slx_act *a, uint32_t first_panel,
                          uint32_t count, float *out, size_t ldo, void *scratch)
{
    (void)scratch;
    slx_panel_shape sh = slx_panel_shape_of(p->fmt);
    uint32_t cut[SLX_PANEL_MAX_SEG + 1];
    slx_panel_cuts(p->kblk, p->log2g, cut);
    for (uint32_t row = 0; row < a->rows; row++) {
        slx_act_place pl = slx_act_at(a, row);
        size_t stride = (size_t)pl.rows * SLX_ACT_BLOCK;
        const uint8_t *codes = pl.base + (size_t)pl.at * 32,
                      *meta = pl.base + (size_t)pl.rows * 32 + pl.at * 4;
        for (uint32_t n = 0; n < count * SLX_PANEL_ROWS; n++) {
            const uint8_t *w = p->data + (first_panel + n / SLX_PANEL_ROWS) * p->panel_bytes;
            uint32_t r = n % SLX_PANEL_ROWS, depth = 0;
            float open[SLX_PANEL_MAX_LOG2G +
                       1]; /* results of nodes whose right sibling is still to come */
            for (uint32_t s = 0; s < 1u << p->log2g; s++) {
                float acc = 0;
                for (uint32_t b = cut[s]; b < cut[s + 1]; b++) {
                    const uint8_t *wb = w + (size_t)b * sh.block_bytes, *mb = meta + b * stride;
                    int8_t ab[32];
                    memcpy(ab, codes + b * stride, 32);
                    float sa = load_f32(mb);
                    float d = p->fmt == SLX_NF_MXINT8
                                  ? slx_f32_from((uint32_t)wb[sh.scale_offset + r] << 23)
                                  : load_fp16(wb + sh.scale_offset + r * 2);
                    acc = slx_fma((float)block_sum(p->fmt, wb, r, ab), d * sa, acc);
                    if (sh.m_offset) {
                        float asum = load_f32(mb + (size_t)SLX_ACT_SUM * pl.rows * 4);
                        acc = slx_fma(asum, load_fp16(wb + sh.m_offset + r * 2), acc);
                    }
                }
                for (uint32_t t = s; t & 1; t >>= 1) acc = open[--depth] + acc;
                open[depth++] = acc;
            }
            out[row * ldo + n] = open[0];
        }
    }
}
