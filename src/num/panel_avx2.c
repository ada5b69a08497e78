/* panel_avx2.c - the panel product with AVX2 and FMA: 8 outputs in the lanes of a register, two
 * halves to a panel.
 *
 * 4-bit codes 0..15 against int8: maddubs sums pairs, |pair| <= 2*15*127 = 3810, and 8 of them stay
 * below 2^15, so a block is summed in int16 and widened once. 8-bit codes straight from the panel:
 * |w| * (a with the sign of w), pair <= 32512, widened each time. For many rows a panel of 4 bits
 * is first unpacked to bytes in scratch, which stays in L1 for all of them.
 *
 * Processors with AVX-VNNI but without AVX-512 have vpdpbusd for 8 lanes: the same loops, with the
 * int32 sums started from M's bits and nothing to widen.
 *
 * Up to ROWS rows share each load of weights. All sums of a block are exact, so nothing of this
 * shows in the bits.
 */
#include "num/panel_impl.h"

#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

enum {
    ROWS = 4,         /* that share a load of weights: 8 sums and 8 chains fill the registers */
    UNPACK_ROWS = 12, /* from here on unpacking first is faster */
};
#define INLINE static inline __attribute__((always_inline))

/* Where the weights of a block come from. */
typedef enum { PACKED4, PACKED8, UNPACKED4 } source;

INLINE __m256i load(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}
INLINE __m256 load_f32(const uint8_t *p)
{
    return _mm256_loadu_ps((const float *)p);
}
INLINE __m256 load_fp16(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
INLINE __m256 load_e(const uint8_t *p)
{
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)), 23));
}
INLINE __m256i bcast4(const uint8_t *p)
{
    int32_t x;
    memcpy(&x, p, 4);
    return _mm256_set1_epi32(x);
}
INLINE __m256 bcast_f32(const uint8_t *p)
{
    float x;
    memcpy(&x, p, 4);
    return _mm256_set1_ps(x);
}

INLINE void prefetch_block(const uint8_t *w, const int block_bytes)
{
    for (int i = 0; i < block_bytes; i += 64)
        _mm_prefetch((const char *)w + SLX_PREFETCH_BYTES + i, _MM_HINT_T0);
}

/* Sums in the order they are written: left alone, the compiler turns a chain into a tree and keeps
 * all products of a block alive, most of them on the stack. */
INLINE __m256i add16(__m256i a, __m256i b)
{
    __m256i s = _mm256_add_epi16(a, b);
    __asm__("" : "+x"(s));
    return s;
}
INLINE __m256i add32(__m256i a, __m256i b)
{
    __m256i s = _mm256_add_epi32(a, b);
    __asm__("" : "+x"(s));
    return s;
}

/* vpdpbusd in its VEX form: sum + 4 products of uint8 w and int8 a in each lane. As assembly, since
 * only these kernels may use it, and only when the processor has it. */
INLINE __m256i dp(__m256i sum, __m256i w, __m256i a)
{
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(w), "x"(a));
    return sum;
}

/* Integer sums of one block, J with M's bits, for R rows (at a, 32 bytes each) and both halves. */
INLINE void sums_packed4(const uint8_t *w, const uint8_t *a, const int R, const bool vnni,
                         __m256i j[ROWS][2])
{
    const __m256i low = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1),
                  magic = _mm256_set1_epi32(SLX_MAGIC_BITS);
    __m256i s[ROWS][2];
#pragma GCC unroll 8
    for (int g = 0; g < 4; g++) {
#pragma GCC unroll 8
        for (int h = 0; h < 2; h++) {
            __m256i v = load(w + g * 64 + h * 32);
            __m256i lo = _mm256_and_si256(v, low),
                    hi = _mm256_and_si256(_mm256_srli_epi16(v, 4), low);
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) {
                __m256i al = bcast4(a + r * 32 + g * 4), ah = bcast4(a + r * 32 + g * 4 + 16);
                if (vnni) {
                    j[r][h] = dp(dp(g ? j[r][h] : magic, lo, al), hi, ah);
                    continue;
                }
                __m256i x = _mm256_maddubs_epi16(lo, al), y = _mm256_maddubs_epi16(hi, ah);
                s[r][h] = add16(g ? add16(s[r][h], x) : x, y);
            }
        }
    }
    if (vnni) return;
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (int h = 0; h < 2; h++)
            j[r][h] = _mm256_add_epi32(_mm256_madd_epi16(s[r][h], ones), magic);
    }
}

INLINE void sums_unpacked4(const uint8_t *w, const uint8_t *a, const int R, const bool vnni,
                           __m256i j[ROWS][2])
{
    const __m256i ones = _mm256_set1_epi16(1), magic = _mm256_set1_epi32(SLX_MAGIC_BITS);
    __m256i s[ROWS][2];
#pragma GCC unroll 8
    for (int g = 0; g < 8; g++) {
        __m256i w0 = load(w + g * 64), w1 = load(w + g * 64 + 32);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            __m256i ar = bcast4(a + r * 32 + g * 4);
            if (vnni) {
                j[r][0] = dp(g ? j[r][0] : magic, w0, ar);
                j[r][1] = dp(g ? j[r][1] : magic, w1, ar);
                continue;
            }
            __m256i x = _mm256_maddubs_epi16(w0, ar), y = _mm256_maddubs_epi16(w1, ar);
            s[r][0] = g ? add16(s[r][0], x) : x;
            s[r][1] = g ? add16(s[r][1], y) : y;
        }
    }
    if (vnni) return;
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (int h = 0; h < 2; h++)
            j[r][h] = _mm256_add_epi32(_mm256_madd_epi16(s[r][h], ones), magic);
    }
}

INLINE void sums_packed8(const uint8_t *w, const uint8_t *a, const int R, const bool vnni,
                         __m256i j[ROWS][2])
{
    const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) j[r][0] = j[r][1] = _mm256_set1_epi32(SLX_MAGIC_BITS);
#pragma GCC unroll 8
    for (int g = 0; g < 8; g++) {
#pragma GCC unroll 8
        for (int h = 0; h < 2; h++) {
            __m256i v = load(w + g * 64 + h * 32),
                    mag = _mm256_abs_epi8(v); /* 128 stays 128 as uint8 */
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) {
                __m256i ar = _mm256_sign_epi8(bcast4(a + r * 32 + g * 4), v);
                j[r][h] =
                    vnni ? dp(j[r][h], mag, ar)
                         : add32(j[r][h], _mm256_madd_epi16(_mm256_maddubs_epi16(mag, ar), ones));
            }
        }
    }
}

/* R <= ROWS rows against one panel: 16 outputs a row to out. */
INLINE void rows_by_panel(const slx_panel_job *t, const source src, const bool with_m,
                          const bool vnni, const int R)
{
    __m256 open[SLX_PANEL_MAX_LOG2G + 1][ROWS][2];
    uint32_t depth = 0;
    const uint8_t *w = t->w, *a = t->a, *meta = t->meta;
    const size_t a_stride = (size_t)t->group_rows * SLX_ACT_BLOCK,
                 field = (size_t)t->group_rows * 4;
    const bool mx = t->fmt == SLX_NF_MXINT8;
    const int w_stride = src == PACKED4     ? (with_m ? 320 : 288)
                         : src == UNPACKED4 ? SLX_UNPACKED_BLOCK
                                            : (mx ? 528 : 544);
    const size_t nc = field * (src == PACKED8 || with_m ? SLX_ACT_NC0 : SLX_ACT_NC8);
    for (uint32_t s = 0; s < 1u << t->log2g; s++) {
        __m256 acc[ROWS][2];
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) acc[r][0] = acc[r][1] = _mm256_setzero_ps();
        for (uint32_t n = t->cut[s + 1] - t->cut[s]; n;
             n--, w += w_stride, a += a_stride, meta += a_stride) {
            __m256i j[ROWS][2];
            __m256 d[2], m[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
            if (src != UNPACKED4) prefetch_block(w, w_stride);
            if (src == PACKED4) {
                sums_packed4(w, a, R, vnni, j);
            } else if (src == UNPACKED4) {
                sums_unpacked4(w, a, R, vnni, j);
            } else {
                sums_packed8(w, a, R, vnni, j);
            }
#pragma GCC unroll 8
            for (int h = 0; h < 2; h++) {
                if (src == PACKED4) {
                    d[h] = load_fp16(w + 256 + h * 16);
                    if (with_m) m[h] = load_fp16(w + 288 + h * 16);
                } else if (src == UNPACKED4) {
                    d[h] = load_f32(w + 512 + h * 32);
                    if (with_m) m[h] = load_f32(w + 576 + h * 32);
                } else {
                    d[h] = mx ? load_e(w + 512 + h * 8) : load_fp16(w + 512 + h * 16);
                }
            }
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) {
                __m256 sa = bcast_f32(meta + r * 4), ncr = bcast_f32(meta + nc + r * 4);
#pragma GCC unroll 8
                for (int h = 0; h < 2; h++)
                    acc[r][h] = _mm256_fmadd_ps(
                        _mm256_fmadd_ps(_mm256_castsi256_ps(j[r][h]), sa, ncr), d[h], acc[r][h]);
                if (with_m) {
                    __m256 asum = bcast_f32(meta + field * SLX_ACT_SUM + r * 4);
#pragma GCC unroll 8
                    for (int h = 0; h < 2; h++) acc[r][h] = _mm256_fmadd_ps(asum, m[h], acc[r][h]);
                }
            }
        }
        for (uint32_t up = s; up & 1; up >>= 1) {
            depth--;
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) {
#pragma GCC unroll 8
                for (int h = 0; h < 2; h++) acc[r][h] = _mm256_add_ps(open[depth][r][h], acc[r][h]);
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
#pragma GCC unroll 8
        for (int h = 0; h < 2; h++) _mm256_storeu_ps(t->out + r * t->ldo + h * 8, open[0][r][h]);
    }
}

#define KERNEL(name, src, m, vnni, R)                                                              \
    static void name##_##R(const slx_panel_job *t)                                                 \
    {                                                                                              \
        rows_by_panel(t, src, m, vnni, R);                                                         \
    }
#define KERNELS(name, src, m, vnni)                                                                \
    KERNEL(name, src, m, vnni, 1)                                                                  \
    KERNEL(name, src, m, vnni, 2)                                                                  \
    KERNEL(name, src, m, vnni, 3)                                                                  \
    KERNEL(name, src, m, vnni, 4)                                                                  \
    static slx_panel_kernel *const name[ROWS] = {name##_1, name##_2, name##_3, name##_4};
KERNELS(packed4m, PACKED4, true, false)
KERNELS(packed4, PACKED4, false, false)
KERNELS(packed8, PACKED8, false, false)
KERNELS(unpacked4m, UNPACKED4, true, false)
KERNELS(unpacked4, UNPACKED4, false, false)
KERNELS(packed4m_vnni, PACKED4, true, true)
KERNELS(packed4_vnni, PACKED4, false, true)
KERNELS(packed8_vnni, PACKED8, false, true)
KERNELS(unpacked4m_vnni, UNPACKED4, true, true)
KERNELS(unpacked4_vnni, UNPACKED4, false, true)

/* [vnni][format: Q4SM, Q4S, 8 bits][unpacked] */
static slx_panel_kernel *const *const table[2][3][2] = {
    {{packed4m, unpacked4m}, {packed4, unpacked4}, {packed8, packed8}},
    {{packed4m_vnni, unpacked4m_vnni},
     {packed4_vnni, unpacked4_vnni},
     {packed8_vnni, packed8_vnni}},
};

bool slx_panel_has_avx_vnni(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4);
}

static void unpack4(const uint8_t *w, uint32_t kblk, slx_panel_shape sh, uint8_t *to)
{
    const __m256i low = _mm256_set1_epi8(15);
    for (uint32_t b = 0; b < kblk; b++, w += sh.block_bytes, to += SLX_UNPACKED_BLOCK) {
        prefetch_block(w, (int)sh.block_bytes);
        for (int i = 0; i < 256; i += 32) {
            __m256i v = load(w + i);
            _mm256_store_si256((__m256i *)(to + i), _mm256_and_si256(v, low));
            _mm256_store_si256((__m256i *)(to + 256 + i),
                               _mm256_and_si256(_mm256_srli_epi16(v, 4), low));
        }
        for (int h = 0; h < 2; h++) {
            _mm256_store_ps((float *)(to + 512 + h * 32), load_fp16(w + sh.scale_offset + h * 16));
            if (sh.m_offset)
                _mm256_store_ps((float *)(to + 576 + h * 32), load_fp16(w + sh.m_offset + h * 16));
        }
    }
}

void slx_panel_mul_avx2(const slx_panels *p, const slx_act *a, uint32_t first_panel, uint32_t count,
                        float *out, size_t ldo, void *scratch)
{
    slx_panel_shape sh = slx_panel_shape_of(p->fmt);
    uint32_t cut[SLX_PANEL_MAX_SEG + 1];
    slx_panel_cuts(p->kblk, p->log2g, cut);
    bool unpack = a->rows >= UNPACK_ROWS && slx_panel_is4(p->fmt);
    int f = p->fmt == SLX_NF_Q4SM ? 0 : p->fmt == SLX_NF_Q4S ? 1 : 2;
    slx_panel_kernel *const *kernels = table[p->vnni][f][unpack];
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
