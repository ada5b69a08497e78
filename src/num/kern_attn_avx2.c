/* kern_attn_avx2.c - attention of one query row with AVX2 and FMA: scores, softmax of a chunk,
 * weighted sum of values, and the states that join chunks.
 *
 * Invariant: outputs (keys in qk, dimensions in pv) lie across lanes, so every chain keeps its
 * order; inside a block the sums are integers, where order does not matter.
 */
#include "num/kern_impl.h"
#include "num/vec_avx2.h"

#include <string.h>

/* ------------------------------------------------------------------ scores */

/* Eight int32 lanes that add up to the block's dot product. Codes are -127..127, so |q| fits the
 * unsigned side and a pair sum (at most 32258) fits int16. */
static inline __m256i partial_dot(__m256i qmag, __m256i q, const int8_t *k)
{
    __m256i w = _mm256_sign_epi8(_mm256_loadu_si256((const __m256i *)(const void *)k), q);
    return _mm256_madd_epi16(_mm256_maddubs_epi16(qmag, w), _mm256_set1_epi16(1));
}

/* Lane i of the result = sum over lanes of r[i]. */
static inline __m256i sum_each(const __m256i r[8])
{
    __m256i a = _mm256_hadd_epi32(_mm256_hadd_epi32(r[0], r[1]), _mm256_hadd_epi32(r[2], r[3]));
    __m256i b = _mm256_hadd_epi32(_mm256_hadd_epi32(r[4], r[5]), _mm256_hadd_epi32(r[6], r[7]));
    return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
                            _mm256_permute2x128_si256(a, b, 0x31));
}

/* Scale codes of block b of eight keys, as int32. With nb a power of two up to 4 a row of scales is
 * one element of a register. */
static inline __m256i key_codes(const uint8_t *ks, uint32_t nb, uint32_t b, uint32_t last)
{
    const __m256i low = _mm256_set1_epi32(255);
    if (last < 7) {
        int32_t code[8] = {0};
        for (uint32_t i = 0; i <= last; i++) code[i] = ks[i * nb + b];
        return _mm256_loadu_si256((const __m256i *)(const void *)code);
    }
    if (nb == 1) return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)ks));
    if (nb == 2) {
        __m256i v = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)ks));
        return _mm256_and_si256(_mm256_srl_epi32(v, _mm_cvtsi32_si128((int)b * 8)), low);
    }
    if (nb == 4) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)ks);
        return _mm256_and_si256(_mm256_srl_epi32(v, _mm_cvtsi32_si128((int)b * 8)), low);
    }
    return _mm256_setr_epi32(ks[b], ks[nb + b], ks[2 * nb + b], ks[3 * nb + b], ks[4 * nb + b],
                             ks[5 * nb + b], ks[6 * nb + b], ks[7 * nb + b]);
}

/* slx_scale_mx in eight lanes. */
static inline __m256 mx_scales(__m256i ek, uint8_t ea)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i e = _mm256_add_epi32(ek, _mm256_set1_epi32((int)ea - 266 + 127));
    e = _mm256_min_epi32(_mm256_max_epi32(e, zero), _mm256_set1_epi32(255));
    __m256i none = ea ? _mm256_cmpeq_epi32(ek, zero) : _mm256_set1_epi32(-1);
    return _mm256_castsi256_ps(_mm256_andnot_si256(none, _mm256_slli_epi32(e, 23)));
}

/* Scores of eight keys; of keys 0..last when the page ends before (the others repeat the last). */
static inline __m256 qk8(const int8_t *q, const uint8_t *qs, const int8_t *k, const uint8_t *ks,
                         uint32_t nb, uint32_t last)
{
    __m256 acc = _mm256_setzero_ps();
    for (uint32_t b = 0; b < nb; b++) {
        __m256i qv = _mm256_loadu_si256((const __m256i *)(const void *)(q + (size_t)b * 32));
        __m256i qmag = _mm256_abs_epi8(qv), r[8];
        for (uint32_t i = 0; i < 8; i++)
            r[i] = partial_dot(qmag, qv, k + ((size_t)(i < last ? i : last) * nb + b) * 32);
        __m256 t = _mm256_cvtepi32_ps(sum_each(r));
        acc = _mm256_fmadd_ps(t, mx_scales(key_codes(ks, nb, b, last), qs[b]), acc);
    }
    return acc;
}

void slx_qk_avx2(const int8_t *q, const uint8_t *qs, const int8_t *k, const uint8_t *ks, uint32_t n,
                 uint32_t nb, float c, float *t)
{
    __m256 cv = _mm256_set1_ps(c);
    uint32_t j = 0;
    for (; j + 8 <= n; j += 8, k += (size_t)8 * nb * 32, ks += (size_t)8 * nb)
        _mm256_storeu_ps(t + j, _mm256_mul_ps(cv, qk8(q, qs, k, ks, nb, 7)));
    if (j < n)
        v8_store_part(t + j, n - j, _mm256_mul_ps(cv, qk8(q, qs, k, ks, nb, n - j - 1)));
}

/* ------------------------------------------------------------------ values */

/* 32 columns. Four positions at a time: their bytes are interleaved so that a column's four codes
 * lie together and meet the four p codes. Interleaving works inside the 128-bit halves, so sum i
 * holds columns 4i..4i+3 and 16+4i..16+4i+3; the last step puts them in order. */
static void pv32(const int8_t *p, const uint8_t *ps, const int8_t *v, uint32_t nblk, uint32_t d,
                 float *o)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256 acc[4];
    for (int i = 0; i < 4; i++) acc[i] = _mm256_setzero_ps();
    for (uint32_t b = 0; b < nblk; b++, p += 32, v += (size_t)32 * d) {
        __m256i sum[4];
        for (int i = 0; i < 4; i++) sum[i] = _mm256_setzero_si256();
        for (uint32_t k = 0; k < 32; k += 4) {
            int32_t four;
            memcpy(&four, p + k, 4);
            if (!four) continue;
            const int8_t *row = v + (size_t)k * d;
            __m256i pq = _mm256_set1_epi32(four);
            __m256i r0 = _mm256_loadu_si256((const __m256i *)(const void *)row);
            __m256i r1 = _mm256_loadu_si256((const __m256i *)(const void *)(row + d));
            __m256i r2 = _mm256_loadu_si256((const __m256i *)(const void *)(row + (size_t)2 * d));
            __m256i r3 = _mm256_loadu_si256((const __m256i *)(const void *)(row + (size_t)3 * d));
            __m256i a = _mm256_unpacklo_epi8(r0, r1), e = _mm256_unpackhi_epi8(r0, r1);
            __m256i c = _mm256_unpacklo_epi8(r2, r3), g = _mm256_unpackhi_epi8(r2, r3);
            __m256i quad[4] = {_mm256_unpacklo_epi16(a, c), _mm256_unpackhi_epi16(a, c),
                               _mm256_unpacklo_epi16(e, g), _mm256_unpackhi_epi16(e, g)};
            for (int i = 0; i < 4; i++) {
                __m256i pair = _mm256_maddubs_epi16(pq, quad[i]);
                sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(pair, ones));
            }
        }
        __m256 s = _mm256_set1_ps(ps[b] ? slx_scale_step(ps[b]) : 0);
        for (int i = 0; i < 4; i++)
            acc[i] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[i]), s, acc[i]);
    }
    _mm256_storeu_ps(o, _mm256_permute2f128_ps(acc[0], acc[1], 0x20));
    _mm256_storeu_ps(o + 8, _mm256_permute2f128_ps(acc[2], acc[3], 0x20));
    _mm256_storeu_ps(o + 16, _mm256_permute2f128_ps(acc[0], acc[1], 0x31));
    _mm256_storeu_ps(o + 24, _mm256_permute2f128_ps(acc[2], acc[3], 0x31));
}

void slx_pv_avx2(const int8_t *p, const uint8_t *ps, const int8_t *v, uint32_t nblk, uint32_t d,
                 float *o)
{
    for (uint32_t c = 0; c < d; c += 32) pv32(p, ps, v + c, nblk, d, o + c);
}

/* ------------------------------------------------------------------ softmax and states */

/* Lanes whose column j+i is in [lo, hi). */
static inline __m256i admitted(uint32_t j, uint32_t lo, uint32_t hi)
{
    __m256i col = _mm256_add_epi32(_mm256_set1_epi32((int)j),
                                   _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    return _mm256_andnot_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32((int)lo), col),
                               _mm256_cmpgt_epi32(_mm256_set1_epi32((int)hi), col));
}

static bool softmax_chunk(const float *t, uint32_t n, uint32_t lo, uint32_t hi, float *p,
                          slx_attn_state *st)
{
    if (hi > n) hi = n;
    if (lo >= hi) return slx_softmax_chunk(t, n, lo, hi, p, st);
    const __m256 lowest = v8_bits(0xff800000);
    __m256 best = lowest;
    __m256i bad = _mm256_setzero_si256();
    for (uint32_t j = lo & ~7u; j < hi; j += 8) {
        __m256i in = admitted(j, lo, hi);
        __m256 v = v8_load_part(t + j, n - j);
        bad = _mm256_or_si256(bad, _mm256_and_si256(in, v8_bad(_mm256_setzero_si256(), v)));
        best = _mm256_max_ps(best, _mm256_blendv_ps(lowest, v, _mm256_castsi256_ps(in)));
    }
    if (!v8_none(bad)) return false;
    float m = _mm_cvtss_f32(_mm_ceil_ss(_mm_setzero_ps(), _mm_set_ss(v8_hmax(best)))) + 0.0f;
    if (m > 0x1p22f || m < -0x1p22f) return false;

    __m256 mv = _mm256_set1_ps(m), lane[4];
    for (int k = 0; k < 4; k++) lane[k] = _mm256_setzero_ps();
    for (uint32_t j = 0; j < n; j += 8) {
        __m256 v = _mm256_setzero_ps();
        if (j + 8 > lo && j < hi) {
            __m256 in = _mm256_castsi256_ps(admitted(j, lo, hi));
            v = v8_exp2(_mm256_sub_ps(v8_load_part(t + j, n - j), mv));
            v = _mm256_and_ps(v, in);
        }
        lane[j / 8 % 4] = _mm256_add_ps(lane[j / 8 % 4], v);
        v8_store_part(p + j, n - j, v);
    }
    st->m = m;
    st->l = v8_join(lane);
    return slx_f32_finite(st->l);
}

static bool attn_merge(slx_attn_state *st, float *o, const slx_attn_state *st2, const float *o2,
                       uint32_t d)
{
    if (st2->m == -0x1p30f) return true;
    float m = st->m > st2->m ? st->m : st2->m, w1, w2;
    if (!slx_exp2(st->m - m, &w1) || !slx_exp2(st2->m - m, &w2)) return false;
    float l = slx_fma(st->l, w1, st2->l * w2);
    __m256 v1 = _mm256_set1_ps(w1), v2 = _mm256_set1_ps(w2);
    __m256i bad = _mm256_setzero_si256();
    for (uint32_t i = 0; i < d; i += 8) {
        __m256 right = _mm256_mul_ps(v8_load_part(o2 + i, d - i), v2);
        __m256 v = _mm256_fmadd_ps(v8_load_part(o + i, d - i), v1, right);
        bad = v8_bad(bad, v);
        v8_store_part(o + i, d - i, v);
    }
    *st = (slx_attn_state){m, l};
    return slx_f32_finite(l) && v8_none(bad);
}

static bool attn_final(const slx_attn_state *st, float *o, uint32_t d)
{
    if (st->l == 0) {
        memset(o, 0, d * sizeof *o);
        return true;
    }
    __m256 l = _mm256_set1_ps(st->l);
    __m256i bad = _mm256_setzero_si256();
    for (uint32_t i = 0; i < d; i += 8) {
        __m256 v = _mm256_div_ps(v8_load_part(o + i, d - i), l);
        bad = v8_bad(bad, v);
        v8_store_part(o + i, d - i, v);
    }
    return v8_none(bad);
}

void slx_kern_fill_attn_avx2(slx_kern *k)
{
    k->softmax_chunk = softmax_chunk;
    k->attn_merge = attn_merge;
    k->attn_final = attn_final;
    k->qk = slx_qk_avx2;
    k->pv = slx_pv_avx2;
}
