/* kern_avx512.c - attention of one query row with AVX-512 and VNNI; all else stays with AVX2, which
 * is bound by memory or latency there already.
 *
 * Invariant: as in kern_attn_avx2.c, only the integers inside a block are summed differently.
 */
#include <immintrin.h>

#include "num/kern_impl.h"

#include <string.h>

/* ------------------------------------------------------------------ scores */

/* One zmm holds two blocks of a key. Codes of keys become unsigned by adding 128, and each sum
 * starts from -128 * (its part of the sum of q): what is added comes out again, exactly. */
static inline __m512i offset_start(__m512i q)
{
    __m512i plus = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8((char)0x80), q);
    return _mm512_sub_epi32(_mm512_setzero_si512(), plus);
}

static inline __m512i add_pairs32(__m512i a, __m512i b)
{
    return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}
static inline __m512i add_pairs64(__m512i a, __m512i b)
{
    return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

/* r[i]: eight partial sums of block b, then eight of block b+1, for key i. The result has the sums
 * of keys 0..7 for b, then for b+1. */
static inline __m512i sum_each(const __m512i r[8])
{
    __m512i lo = add_pairs64(add_pairs32(r[0], r[1]), add_pairs32(r[2], r[3])); /* keys 0..3 */
    __m512i hi = add_pairs64(add_pairs32(r[4], r[5]), add_pairs32(r[6], r[7]));
    __m512i s = _mm512_add_epi32(_mm512_shuffle_i32x4(lo, hi, 0x88), /* quarters 0, 2 of both */
                                 _mm512_shuffle_i32x4(lo, hi, 0xdd)); /* 1, 3 */
    return _mm512_shuffle_i32x4(s, s, 0xd8);
}

/* Scale codes b and b+1 of eight keys: eight of b, then eight of b+1. With nb 2 or 4 a key's codes are
 * one element of a register. */
static inline __m128i key_codes(const uint8_t *ks, uint32_t nb, uint32_t b)
{
    const __m128i apart = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    if (nb == 2) return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)ks), apart);
    if (nb == 4) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)ks);
        v = _mm256_srl_epi32(v, _mm_cvtsi32_si128((int)b * 8));
        return _mm_shuffle_epi8(_mm256_cvtepi32_epi16(v), apart);
    }
    uint8_t code[16];
    for (uint32_t i = 0; i < 8; i++) {
        code[i] = ks[i * nb + b];
        code[8 + i] = ks[i * nb + b + 1];
    }
    return _mm_loadu_si128((const __m128i *)(const void *)code);
}

/* slx_scale_mx in 16 lanes: eight keys against ea0, then against ea1. */
static inline __m512 mx_scales(__m128i codes, uint8_t ea0, uint8_t ea1)
{
    __m512i ek = _mm512_cvtepu8_epi32(codes);
    __m512i ea = _mm512_inserti64x4(_mm512_set1_epi32(ea0), _mm256_set1_epi32(ea1), 1);
    __m512i e = _mm512_add_epi32(_mm512_add_epi32(ek, ea), _mm512_set1_epi32(127 - 266));
    e = _mm512_max_epi32(e, _mm512_setzero_si512());
    e = _mm512_min_epi32(e, _mm512_set1_epi32(255));
    __mmask16 used = _mm512_test_epi32_mask(ek, ek) & _mm512_test_epi32_mask(ea, ea);
    return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(used, e, 23));
}

static void qk(const int8_t *q, const uint8_t *qs, const int8_t *k, const uint8_t *ks, uint32_t n,
               uint32_t nb, float c, float *t)
{
    uint32_t j = 0;
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    for (; nb % 2 == 0 && j + 8 <= n; j += 8, k += (size_t)8 * nb * 32, ks += (size_t)8 * nb) {
        __m256 acc = _mm256_setzero_ps();
        for (uint32_t b = 0; b < nb; b += 2) {
            __m512i qv = _mm512_loadu_si512(q + (size_t)b * 32), start = offset_start(qv), r[8];
            for (uint32_t i = 0; i < 8; i++) {
                __m512i kv = _mm512_loadu_si512(k + ((size_t)i * nb + b) * 32);
                r[i] = _mm512_dpbusd_epi32(start, _mm512_xor_si512(kv, flip), qv);
            }
            __m512 sum = _mm512_cvtepi32_ps(sum_each(r));
            __m512 scale = mx_scales(key_codes(ks, nb, b), qs[b], qs[b + 1]);
            acc = _mm256_fmadd_ps(_mm512_castps512_ps256(sum), _mm512_castps512_ps256(scale), acc);
            acc = _mm256_fmadd_ps(_mm512_extractf32x8_ps(sum, 1), _mm512_extractf32x8_ps(scale, 1),
                                  acc);
        }
        _mm256_storeu_ps(t + j, _mm256_mul_ps(_mm256_set1_ps(c), acc));
    }
    if (j < n) slx_qk_avx2(q, qs, k, ks, n - j, nb, c, t + j);
}

/* ------------------------------------------------------------------ values */

/* 64 columns, as pv32 of AVX2: quarter L of sum i holds columns 16L + 4i .. 16L + 4i + 3. */
static void pv64(const int8_t *p, const uint8_t *ps, const int8_t *v, uint32_t nblk, uint32_t d,
                 float *o)
{
    __m512 acc[4];
    for (int i = 0; i < 4; i++) acc[i] = _mm512_setzero_ps();
    for (uint32_t b = 0; b < nblk; b++, p += 32, v += (size_t)32 * d) {
        __m512i sum[4];
        for (int i = 0; i < 4; i++) sum[i] = _mm512_setzero_si512();
        for (uint32_t k = 0; k < 32; k += 4) {
            int32_t four;
            memcpy(&four, p + k, 4);
            if (!four) continue;
            const int8_t *row = v + (size_t)k * d;
            __m512i pq = _mm512_set1_epi32(four);
            __m512i r0 = _mm512_loadu_si512(row), r1 = _mm512_loadu_si512(row + d);
            __m512i r2 = _mm512_loadu_si512(row + (size_t)2 * d);
            __m512i r3 = _mm512_loadu_si512(row + (size_t)3 * d);
            __m512i a = _mm512_unpacklo_epi8(r0, r1), e = _mm512_unpackhi_epi8(r0, r1);
            __m512i c = _mm512_unpacklo_epi8(r2, r3), g = _mm512_unpackhi_epi8(r2, r3);
            sum[0] = _mm512_dpbusd_epi32(sum[0], pq, _mm512_unpacklo_epi16(a, c));
            sum[1] = _mm512_dpbusd_epi32(sum[1], pq, _mm512_unpackhi_epi16(a, c));
            sum[2] = _mm512_dpbusd_epi32(sum[2], pq, _mm512_unpacklo_epi16(e, g));
            sum[3] = _mm512_dpbusd_epi32(sum[3], pq, _mm512_unpackhi_epi16(e, g));
        }
        __m512 s = _mm512_set1_ps(ps[b] ? slx_scale_step(ps[b]) : 0);
        for (int i = 0; i < 4; i++)
            acc[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[i]), s, acc[i]);
    }
    /* A 4 x 4 transposition of quarters. */
    __m512 a = _mm512_shuffle_f32x4(acc[0], acc[1], 0x44), b = _mm512_shuffle_f32x4(acc[0], acc[1], 0xee);
    __m512 c = _mm512_shuffle_f32x4(acc[2], acc[3], 0x44), e = _mm512_shuffle_f32x4(acc[2], acc[3], 0xee);
    _mm512_storeu_ps(o, _mm512_shuffle_f32x4(a, c, 0x88));
    _mm512_storeu_ps(o + 16, _mm512_shuffle_f32x4(a, c, 0xdd));
    _mm512_storeu_ps(o + 32, _mm512_shuffle_f32x4(b, e, 0x88));
    _mm512_storeu_ps(o + 48, _mm512_shuffle_f32x4(b, e, 0xdd));
}

static void pv(const int8_t *p, const uint8_t *ps, const int8_t *v, uint32_t nblk, uint32_t d,
               float *o)
{
    if (d % 64) {
        slx_pv_avx2(p, ps, v, nblk, d, o);
        return;
    }
    for (uint32_t c = 0; c < d; c += 64) pv64(p, ps, v + c, nblk, d, o + c);
}

void slx_kern_fill_avx512(slx_kern *k)
{
    k->level = SLX_CPU_AVX512;
    k->qk = qk;
    k->pv = pv;
}
