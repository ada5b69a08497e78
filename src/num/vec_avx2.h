/* vec_avx2.h - eight floats at a time: the polynomial of exp2, sums over the 32 virtual lanes,
 * quantising a block. For files compiled with AVX2 and FMA.
 *
 * Every function does in each lane what the definition in num_*.c does, step by step.
 */
#ifndef SLX_VEC_AVX2_H
#define SLX_VEC_AVX2_H

#include <immintrin.h>

#include "num/num_impl.h"

static inline __m256 v8_bits(uint32_t b) { return _mm256_castsi256_ps(_mm256_set1_epi32((int)b)); }

/* Lanes i < left set; left may be above 8. */
static inline __m256i v8_first(uint32_t left)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(left > 8 ? 8 : (int)left), lane);
}

/* The rest of a row, +0 in the lanes behind its end. Reads nothing there. */
static inline __m256 v8_load_part(const float *p, uint32_t left)
{
    return left >= 8 ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, v8_first(left));
}
static inline void v8_store_part(float *p, uint32_t left, __m256 x)
{
    if (left >= 8) _mm256_storeu_ps(p, x);
    else _mm256_maskstore_ps(p, v8_first(left), x);
}

/* bad |= lanes of x that are not finite. */
static inline __m256i v8_bad(__m256i bad, __m256 x)
{
    __m256i mag = _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffffff));
    return _mm256_or_si256(bad, _mm256_cmpgt_epi32(mag, _mm256_set1_epi32(0x7f7fffff)));
}
static inline bool v8_none(__m256i bad) { return _mm256_testz_si256(bad, bad); }

static inline __m256 v8_poly(__m256 f)
{
    __m256 p = v8_bits(SLX_EXP2_C6);
    p = _mm256_fmadd_ps(p, f, v8_bits(SLX_EXP2_C5));
    p = _mm256_fmadd_ps(p, f, v8_bits(SLX_EXP2_C4));
    p = _mm256_fmadd_ps(p, f, v8_bits(SLX_EXP2_C3));
    p = _mm256_fmadd_ps(p, f, v8_bits(SLX_EXP2_C2));
    p = _mm256_fmadd_ps(p, f, v8_bits(SLX_EXP2_C1));
    return _mm256_fmadd_ps(p, f, v8_bits(SLX_EXP2_C0));
}

static inline __m256 v8_round(__m256 x)
{
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline __m256 v8_add_exponent(__m256 p, __m256 n)
{
    __m256i e = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), e));
}

/* slx_exp2 for x < 128; other lanes hold nothing of use. */
static inline __m256 v8_exp2(__m256 x)
{
    __m256 n = v8_round(x);
    __m256 y = v8_add_exponent(v8_poly(_mm256_sub_ps(x, n)), n);
    return _mm256_andnot_ps(_mm256_cmp_ps(x, _mm256_set1_ps(-126), _CMP_LT_OQ), y);
}

/* slx_exp for h = RNE(x * L) < 128. */
static inline __m256 v8_exp(__m256 x, __m256 h)
{
    __m256 l = _mm256_fmsub_ps(x, v8_bits(SLX_EXP_L), h);
    l = _mm256_fmadd_ps(x, v8_bits(SLX_EXP_L2), l);
    __m256 n = v8_round(h);
    __m256 y = v8_add_exponent(v8_poly(_mm256_add_ps(_mm256_sub_ps(h, n), l)), n);
    return _mm256_andnot_ps(_mm256_cmp_ps(h, _mm256_set1_ps(-126), _CMP_LT_OQ), y);
}

static inline __m256 v8_silu(__m256 x)
{
    __m256 minus = _mm256_xor_ps(x, _mm256_set1_ps(-0.0f));
    __m256 h = _mm256_mul_ps(minus, v8_bits(SLX_EXP_L));
    __m256 e = _mm256_blendv_ps(v8_exp(minus, h), _mm256_set1_ps(0x1p127f),
                                _mm256_cmp_ps(h, _mm256_set1_ps(127), _CMP_GT_OQ));
    return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1), e));
}

/* Lanes 0..7, 8..15, 16..23, 24..31 of the 32 virtual lanes, joined at distance 16, 8, 4, 2, 1. */
static inline float v8_join(const __m256 lane[4])
{
    __m256 s = _mm256_add_ps(_mm256_add_ps(lane[0], lane[2]), _mm256_add_ps(lane[1], lane[3]));
    __m128 h = _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
    h = _mm_add_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
}

static inline float v8_hmax(__m256 x)
{
    __m128 h = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    h = _mm_max_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_max_ss(h, _mm_movehdup_ps(h)));
}

static inline __m256i v8_mag(__m256 x)
{
    return _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffffff));
}

static inline uint32_t v8_hmax_u32(__m256i x)
{
    __m128i h = _mm_max_epu32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    h = _mm_max_epu32(h, _mm_shuffle_epi32(h, 0x4e));
    return (uint32_t)_mm_cvtsi128_si32(_mm_max_epu32(h, _mm_shuffle_epi32(h, 0xb1)));
}

/* 32 values and their factor 2^(133-E) -> 32 codes. The packs keep halves apart; the permutation
 * brings the groups of four back in order. */
static inline __m256i v8_codes(__m256 a, __m256 b, __m256 c, __m256 d, __m256 up)
{
    __m256i ab = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(a, up)),
                                    _mm256_cvtps_epi32(_mm256_mul_ps(b, up)));
    __m256i cd = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(c, up)),
                                    _mm256_cvtps_epi32(_mm256_mul_ps(d, up)));
    return _mm256_permutevar8x32_epi32(_mm256_packs_epi16(ab, cd),
                                       _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/* One whole block: slx_quantise_mxint8 of 32 values in registers. */
static inline bool v8_quantise32(__m256 a, __m256 b, __m256 c, __m256 d, int8_t *q, uint8_t *s)
{
    __m256i m = _mm256_max_epu32(_mm256_max_epu32(v8_mag(a), v8_mag(b)),
                                 _mm256_max_epu32(v8_mag(c), v8_mag(d)));
    uint32_t e = (v8_hmax_u32(m) + 0x00010000) >> 23;
    if (e > SLX_SCALE_MAX) return false;
    bool zero = e < SLX_SCALE_MIN;
    __m256 up = v8_bits(zero ? 0 : (260 - e) << 23); /* 2^(133-e) */
    _mm256_storeu_si256((__m256i *)(void *)q, v8_codes(a, b, c, d, up));
    *s = zero ? 127 : (uint8_t)e;
    return true;
}

#endif
