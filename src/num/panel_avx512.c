/* panel_avx512.c - the panel product with AVX-512 and VNNI: the 16 outputs of a panel in the lanes
 * of one register.
 *
 * vpdpbusd sums 4 products of a uint8 code with an int8 activation straight into int32, so the
 * block sum starts from M's bits and needs no widening. Codes of 8 bits lie in the panel plus 128.
 * Up to ROWS rows share each load of weights; for more rows 4-bit panels are first unpacked to
 * bytes in scratch. With AMX, 16 rows at a time go to panel_amx.c.
 */
#include "num/panel_impl.h"

#include <immintrin.h>

enum {
    ROWS = 8,             /* that share a load of weights */
    UNPACK_ROWS = 25,     /* from here on unpacking first is faster */
    PREFETCH_BYTES = 8192 /* ahead: past the page, where the hardware's own reading ahead stops */
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
    return _mm512_set1_epi32(*(const int32_t *)p);
}
INLINE __m512 bcast_f32(const uint8_t *p)
{
    return _mm512_set1_ps(*(const float *)p);
}

INLINE void prefetch_block(const uint8_t *w, const int block_bytes)
{
    for (int i = 0; i < block_bytes; i += 64)
        _mm_prefetch((const char *)w + PREFETCH_BYTES + i, _MM_HINT_T0);
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
    const int w_stride = src == PACKED4     ? (with_m ? 320 : 288)
                         : src == UNPACKED4 ? SLX_UNPACKED_BLOCK
                                            : (mx ? 528 : 544);
    const size_t nc = field * (src == PACKED8 ? SLX_ACT_NC128 : with_m ? SLX_ACT_NC0 : SLX_ACT_NC8);
    for (uint32_t s = 0; s < 1u << t->log2g; s++) {
        __m512 acc[ROWS];
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) acc[r] = _mm512_setzero_ps();
        for (uint32_t n = t->cut[s + 1] - t->cut[s]; n;
             n--, w += w_stride, a += a_stride, meta += a_stride) {
            __m512i j[ROWS], k[ROWS];
            __m512 d, m = _mm512_setzero_ps();
            if (src != UNPACKED4) prefetch_block(w, w_stride);
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
                if (src == UNPACKED4) {
                    d = load_f32(w + 512);
                    if (with_m) m = load_f32(w + 576);
                } else {
                    d = mx ? load_e(w + 512) : load_fp16(w + 512);
                }
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

#define KERNEL(name, src, m, R)                                                                    \
    static void name##_##R(const slx_panel_job *t)                                                 \
    {                                                                                              \
        rows_by_panel(t, src, m, R);                                                               \
    }
#define KERNELS(name, src, m)                                                                      \
    KERNEL(name, src, m, 1)                                                                        \
    KERNEL(name, src, m, 2)                                                                        \
    KERNEL(name, src, m, 3)                                                                        \
    KERNEL(name, src, m, 4)                                                                        \
    KERNEL(name, src, m, 5)                                                                        \
    KERNEL(name, src, m, 6)                                                                        \
    KERNEL(name, src, m, 7)                                                                        \
    KERNEL(name, src, m, 8)                                                                        \
    static slx_panel_kernel *const name[ROWS] = {name##_1, name##_2, name##_3, name##_4,           \
                                                 name##_5, name##_6, name##_7, name##_8};
KERNELS(packed4m, PACKED4, true)
KERNELS(packed4, PACKED4, false)
KERNELS(packed8, PACKED8, false)
KERNELS(unpacked4m, UNPACKED4, true)
KERNELS(unpacked4, UNPACKED4, false)

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
    bool unpack = a->rows >= UNPACK_ROWS && slx_panel_is4(p->fmt);
    slx_panel_kernel *const *kernels = p->fmt == SLX_NF_Q4SM  ? (unpack ? unpacked4m : packed4m)
                                       : p->fmt == SLX_NF_Q4S ? (unpack ? unpacked4 : packed4)
                                                              : packed8;
    slx_panel_job t = {.fmt = p->fmt, .log2g = p->log2g, .cut = cut, .ldo = ldo};
    for (uint32_t i = 0; i < count; i++) {
        t.w = p->data + (first_panel + i) * p->panel_bytes;
        if (unpack) {
            unpack4(t.w, p->kblk, sh, scratch);
            t.w = scratch;
        }
        slx_panel_all_rows(&t, a, 0, kernels, ROWS, out + (size_t)i * SLX_PANEL_ROWS);
    }
}
