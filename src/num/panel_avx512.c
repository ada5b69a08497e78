/* panel_avx512.c - the panel product with AVX-512 and VNNI: the 16 outputs of a panel in the lanes
 * of one register.
 *
 * vpdpbusd sums 4 products of a uint8 code with an int8 activation straight into int32, so the sum
 * of a block starts from M's bits and needs no widening. Codes of 8 bits lie in the panel plus 128.
 *
 * Few rows: one panel from memory against up to ROWS rows. Many rows: two panels at a time, so that
 * a load of activations serves both and the loads are not the bound; 4-bit panels are unpacked to
 * bytes in scratch first.
 */
#include "num/panel_impl.h"

#include <immintrin.h>
#include <string.h>

enum {
    ROWS = 8,          /* against one panel */
    PAIR_ROWS = 4,     /* against two: 8 sums, 8 chains */
    PAIRS_FROM_4 = 32, /* rows of a batch from which pairs are faster, 4-bit: pays for unpacking */
    PAIRS_FROM_8 = 9,  /* 8-bit */
};
#define INLINE static inline __attribute__((always_inline))

/* Where the weights of a block come from. */
typedef enum { PACKED4, PACKED8, UNPACKED4 } source;

INLINE __m512i load(const uint8_t *p)
{
    return _mm512_loadu_si512(p);
}
INLINE __m512 load_f32(const uint8_t *p)
{
    return _mm512_loadu_ps(p);
}
INLINE __m512 load_fp16(const uint8_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
INLINE __m512 load_e(const uint8_t *p)
{
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)), 23));
}
INLINE __m512i bcast4(const uint8_t *p)
{
    int32_t x;
    memcpy(&x, p, 4);
    return _mm512_set1_epi32(x);
}
INLINE __m512 bcast_f32(const uint8_t *p)
{
    float x;
    memcpy(&x, p, 4);
    return _mm512_set1_ps(x);
}

INLINE void prefetch_block(const uint8_t *w, const int block_bytes)
{
    for (int i = 0; i < block_bytes; i += 64)
        _mm_prefetch((const char *)w + SLX_PREFETCH_BYTES + i, _MM_HINT_T0);
}

/* R rows against one panel: 16 outputs a row to out. */
INLINE void rows_by_panel(const slx_panel_job *t, const source src, const bool with_m, const int R)
{
    const __m512i low = _mm512_set1_epi8(15), magic = _mm512_set1_epi32(SLX_MAGIC_BITS);
    __m512 open[SLX_PANEL_MAX_LOG2G + 1][ROWS];
    uint32_t depth = 0;
    const uint8_t *w = t->w, *a = t->a, *meta = t->meta;
    const size_t a_stride = (size_t)t->group_rows * SLX_ACT_BLOCK,
                 field = (size_t)t->group_rows * 4;
    const bool mx = t->fmt == SLX_NF_MXINT8;
    const int w_stride = src == PACKED4 ? (with_m ? 320 : 288) : mx ? 528 : 544;
    const size_t nc = field * (src == PACKED8 ? SLX_ACT_NC128 : with_m ? SLX_ACT_NC0 : SLX_ACT_NC8);
    for (uint32_t s = 0; s < 1u << t->log2g; s++) {
        __m512 acc[ROWS];
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) acc[r] = _mm512_setzero_ps();
        for (uint32_t n = t->cut[s + 1] - t->cut[s]; n;
             n--, w += w_stride, a += a_stride, meta += a_stride) {
            __m512i j[ROWS], k[ROWS];
            __m512 d, m = _mm512_setzero_ps();
            prefetch_block(w, w_stride);
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) j[r] = magic;
            if (src == PACKED4) {
                /* few rows: a second chain of sums hides the latency of the first */
#pragma GCC unroll 8
                for (int r = 0; r < R; r++) k[r] = _mm512_setzero_si512();
#pragma GCC unroll 8
                for (int g = 0; g < 4; g++) {
                    __m512i v = load(w + g * 64);
                    __m512i lo = _mm512_and_si512(v, low),
                            hi = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);
#pragma GCC unroll 8
                    for (int r = 0; r < R; r++) {
                        j[r] = _mm512_dpbusd_epi32(j[r], lo, bcast4(a + r * 32 + g * 4));
                        if (R <= 4)
                            k[r] = _mm512_dpbusd_epi32(k[r], hi, bcast4(a + r * 32 + g * 4 + 16));
                        else
                            j[r] = _mm512_dpbusd_epi32(j[r], hi, bcast4(a + r * 32 + g * 4 + 16));
                    }
                }
                if (R <= 4) {
#pragma GCC unroll 8
                    for (int r = 0; r < R; r++) j[r] = _mm512_add_epi32(j[r], k[r]);
                }
                d = load_fp16(w + 256);
                if (with_m) m = load_fp16(w + 288);
            } else {
#pragma GCC unroll 8
                for (int g = 0; g < 8; g++) {
                    __m512i v = load(w + g * 64);
#pragma GCC unroll 8
                    for (int r = 0; r < R; r++)
                        j[r] = _mm512_dpbusd_epi32(j[r], v, bcast4(a + r * 32 + g * 4));
                }
                d = mx ? load_e(w + 512) : load_fp16(w + 512);
            }
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) {
                __m512 x = _mm512_fmadd_ps(_mm512_castsi512_ps(j[r]), bcast_f32(meta + r * 4),
                                           bcast_f32(meta + nc + r * 4));
                acc[r] = _mm512_fmadd_ps(x, d, acc[r]);
                if (with_m)
                    acc[r] =
                        _mm512_fmadd_ps(m, bcast_f32(meta + field * SLX_ACT_SUM + r * 4), acc[r]);
            }
        }
        for (uint32_t up = s; up & 1; up >>= 1) {
            depth--;
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) acc[r] = _mm512_add_ps(open[depth][r], acc[r]);
        }
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) open[depth][r] = acc[r];
        depth++;
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) _mm512_storeu_ps(t->out + r * t->ldo, open[0][r]);
}

/* R rows against two panels: each load of activations serves both. */
INLINE void rows_by_two(const slx_panel_job *t, const source src, const bool with_m, const int R)
{
    const __m512i magic = _mm512_set1_epi32(SLX_MAGIC_BITS);
    __m512 open[SLX_PANEL_MAX_LOG2G + 1][PAIR_ROWS][2];
    uint32_t depth = 0;
    const uint8_t *w0 = t->w, *w1 = t->w2, *a = t->a, *meta = t->meta;
    const size_t a_stride = (size_t)t->group_rows * SLX_ACT_BLOCK,
                 field = (size_t)t->group_rows * 4;
    const bool mx = t->fmt == SLX_NF_MXINT8;
    const int w_stride = src == UNPACKED4 ? SLX_UNPACKED_BLOCK : mx ? 528 : 544;
    const size_t nc = field * (src == PACKED8 ? SLX_ACT_NC128 : with_m ? SLX_ACT_NC0 : SLX_ACT_NC8);
    for (uint32_t s = 0; s < 1u << t->log2g; s++) {
        __m512 acc[PAIR_ROWS][2];
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) acc[r][0] = acc[r][1] = _mm512_setzero_ps();
        for (uint32_t n = t->cut[s + 1] - t->cut[s]; n;
             n--, w0 += w_stride, w1 += w_stride, a += a_stride, meta += a_stride) {
            __m512i j[PAIR_ROWS][2];
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) j[r][0] = j[r][1] = magic;
#pragma GCC unroll 8
            for (int g = 0; g < 8; g++) {
                __m512i v0 = load(w0 + g * 64), v1 = load(w1 + g * 64);
#pragma GCC unroll 8
                for (int r = 0; r < R; r++) {
                    __m512i ar = bcast4(a + r * 32 + g * 4);
                    j[r][0] = _mm512_dpbusd_epi32(j[r][0], v0, ar);
                    j[r][1] = _mm512_dpbusd_epi32(j[r][1], v1, ar);
                }
            }
            __m512 d0, d1, m0 = _mm512_setzero_ps(), m1 = m0;
            if (src == UNPACKED4) {
                d0 = load_f32(w0 + 512);
                d1 = load_f32(w1 + 512);
                if (with_m) m0 = load_f32(w0 + 576);
                if (with_m) m1 = load_f32(w1 + 576);
            } else {
                d0 = mx ? load_e(w0 + 512) : load_fp16(w0 + 512);
                d1 = mx ? load_e(w1 + 512) : load_fp16(w1 + 512);
            }
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) {
                __m512 sa = bcast_f32(meta + r * 4), ncr = bcast_f32(meta + nc + r * 4);
                __m512 x = _mm512_fmadd_ps(_mm512_castsi512_ps(j[r][0]), sa, ncr);
                __m512 y = _mm512_fmadd_ps(_mm512_castsi512_ps(j[r][1]), sa, ncr);
                acc[r][0] = _mm512_fmadd_ps(x, d0, acc[r][0]);
                acc[r][1] = _mm512_fmadd_ps(y, d1, acc[r][1]);
                if (with_m) {
                    __m512 asum = bcast_f32(meta + field * SLX_ACT_SUM + r * 4);
                    acc[r][0] = _mm512_fmadd_ps(m0, asum, acc[r][0]);
                    acc[r][1] = _mm512_fmadd_ps(m1, asum, acc[r][1]);
                }
            }
        }
        for (uint32_t up = s; up & 1; up >>= 1) {
            depth--;
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) {
                acc[r][0] = _mm512_add_ps(open[depth][r][0], acc[r][0]);
                acc[r][1] = _mm512_add_ps(open[depth][r][1], acc[r][1]);
            }
        }
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            open[depth][r][0] = acc[r][0];
            open[depth][r][1] = acc[r][1];
        }
        depth++;
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
        _mm512_storeu_ps(t->out + r * t->ldo, open[0][r][0]);
        _mm512_storeu_ps(t->out + r * t->ldo + 16, open[0][r][1]);
    }
}

#define KERNEL(name, body, src, m, R)                                                              \
    static void name##_##R(const slx_panel_job *t)                                                 \
    {                                                                                              \
        body(t, src, m, R);                                                                        \
    }
#define KERNELS4(name, body, src, m)                                                               \
    KERNEL(name, body, src, m, 1)                                                                  \
    KERNEL(name, body, src, m, 2)                                                                  \
    KERNEL(name, body, src, m, 3)                                                                  \
    KERNEL(name, body, src, m, 4)
#define KERNELS(name, src, m)                                                                      \
    KERNELS4(name, rows_by_panel, src, m)                                                          \
    KERNEL(name, rows_by_panel, src, m, 5)                                                         \
    KERNEL(name, rows_by_panel, src, m, 6)                                                         \
    KERNEL(name, rows_by_panel, src, m, 7)                                                         \
    KERNEL(name, rows_by_panel, src, m, 8)                                                         \
    static slx_panel_kernel *const name[ROWS] = {name##_1, name##_2, name##_3, name##_4,           \
                                                 name##_5, name##_6, name##_7, name##_8};
#define PAIR_KERNELS(name, src, m)                                                                 \
    KERNELS4(name, rows_by_two, src, m)                                                            \
    static slx_panel_kernel *const name[PAIR_ROWS] = {name##_1, name##_2, name##_3, name##_4};
KERNELS(packed4m, PACKED4, true)
KERNELS(packed4, PACKED4, false)
KERNELS(packed8, PACKED8, false)
PAIR_KERNELS(two4m, UNPACKED4, true)
PAIR_KERNELS(two4, UNPACKED4, false)
PAIR_KERNELS(two8, PACKED8, false)

static void unpack4(const uint8_t *w, uint32_t kblk, slx_panel_shape sh, uint8_t *to)
{
    const __m512i low = _mm512_set1_epi8(15);
    for (uint32_t b = 0; b < kblk; b++, w += sh.block_bytes, to += SLX_UNPACKED_BLOCK) {
        prefetch_block(w, (int)sh.block_bytes);
        for (int i = 0; i < 256; i += 64) {
            __m512i v = load(w + i);
            _mm512_store_si512(to + i, _mm512_and_si512(v, low));
            _mm512_store_si512(to + 256 + i, _mm512_and_si512(_mm512_srli_epi16(v, 4), low));
        }
        _mm512_store_ps(to + 512, load_fp16(w + sh.scale_offset));
        if (sh.m_offset) _mm512_store_ps(to + 576, load_fp16(w + sh.m_offset));
    }
}

void slx_panel_mul_avx512(const slx_panels *p, const slx_act *a, uint32_t first_panel,
                          uint32_t count, float *out, size_t ldo, void *scratch)
{
    slx_panel_shape sh = slx_panel_shape_of(p->fmt);
    uint32_t cut[SLX_PANEL_MAX_SEG + 1];
    slx_panel_cuts(p->kblk, p->log2g, cut);
    slx_panel_kernel *const *one = p->fmt == SLX_NF_Q4SM  ? packed4m
                                   : p->fmt == SLX_NF_Q4S ? packed4
                                                          : packed8;
    slx_panel_kernel *const *two = p->fmt == SLX_NF_Q4SM  ? two4m
                                   : p->fmt == SLX_NF_Q4S ? two4
                                                          : two8;
    bool is4 = slx_panel_is4(p->fmt), pairs = a->rows >= (is4 ? PAIRS_FROM_4 : PAIRS_FROM_8);
    slx_panel_job t = {.fmt = p->fmt, .log2g = p->log2g, .cut = cut, .ldo = ldo};
    for (uint32_t i = 0; i < count;) {
        bool pair = pairs && count - i >= 2;
        float *to = out + (size_t)i * SLX_PANEL_ROWS;
        t.w = p->data + (first_panel + i) * p->panel_bytes;
        t.w2 = t.w + p->panel_bytes;
        if (pair && is4) {
            uint8_t *u = scratch, *u2 = u + (size_t)p->kblk * SLX_UNPACKED_BLOCK;
            unpack4(t.w, p->kblk, sh, u);
            unpack4(t.w2, p->kblk, sh, u2);
            t.w = u;
            t.w2 = u2;
        }
        if (pair)
            slx_panel_all_rows(&t, a, 0, two, PAIR_ROWS, to);
        else
            slx_panel_all_rows(&t, a, 0, one, ROWS, to);
        i += pair ? 2 : 1;
    }
}
