/* kern_avx2.c - row functions with AVX2 and FMA: eight lanes do what the definitions do one at a
 * time. Attention is in kern_attn_avx2.c.
 *
 * Invariant: the same bits as num_*.c for every input, the same answer on FAULT. Vector width never
 * shows: sums keep the 32 virtual lanes in four registers, and a missing element is a +0, which
 * changes no lane (a lane is never -0).
 */
#include "num/kern_impl.h"
#include "num/vec_avx2.h"

#include <float.h>
#include <string.h>

/* ------------------------------------------------------------------ quantise */

static bool quantise_row(const float *x, uint32_t n, int8_t *q, uint8_t *s)
{
    uint32_t i = 0;
    for (; i + 32 <= n; i += 32, q += 32, s++)
        if (!v8_quantise32(_mm256_loadu_ps(x + i), _mm256_loadu_ps(x + i + 8),
                           _mm256_loadu_ps(x + i + 16), _mm256_loadu_ps(x + i + 24), q, s))
            return false;
    return i == n || slx_quantise_row(x + i, n - i, q, s);
}

static bool quantise_one(const float *x, uint32_t n, int8_t *q, uint8_t *s)
{
    __m256i m = _mm256_setzero_si256();
    for (uint32_t i = 0; i < n; i += 8)
        m = _mm256_max_epu32(m, v8_mag(v8_load_part(x + i, n - i)));
    uint32_t e = (v8_hmax_u32(m) + 0x00010000) >> 23, i = 0;
    if (e > SLX_SCALE_MAX) return false;
    bool zero = e < SLX_SCALE_MIN;
    *s = zero ? 127 : (uint8_t)e;
    __m256 up = v8_bits(zero ? 0 : (260 - e) << 23);
    for (; i + 32 <= n; i += 32)
        _mm256_storeu_si256((__m256i *)(void *)(q + i),
                            v8_codes(_mm256_loadu_ps(x + i), _mm256_loadu_ps(x + i + 8),
                                     _mm256_loadu_ps(x + i + 16), _mm256_loadu_ps(x + i + 24), up));
    if (i < n) {
        float last[32] = {0};
        int8_t codes[32];
        memcpy(last, x + i, (n - i) * sizeof *x);
        _mm256_storeu_si256((__m256i *)(void *)codes,
                            v8_codes(_mm256_loadu_ps(last), _mm256_loadu_ps(last + 8),
                                     _mm256_loadu_ps(last + 16), _mm256_loadu_ps(last + 24), up));
        memcpy(q + i, codes, n - i);
    }
    return true;
}

/* 2^(sv-133) of eight codes; below 7 it is subnormal. */
static __m256 steps8(const uint8_t *sv)
{
    __m256i code = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)sv));
    __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(code, _mm256_set1_epi32(6)), 23);
    __m256i tiny = _mm256_sllv_epi32(_mm256_set1_epi32(1),
                                     _mm256_add_epi32(code, _mm256_set1_epi32(16)));
    __m256i is_normal = _mm256_cmpgt_epi32(code, _mm256_set1_epi32(6));
    return _mm256_castsi256_ps(_mm256_blendv_epi8(tiny, normal, is_normal));
}

static bool quantise_col(const float *p, const uint8_t *sv, uint32_t n, int8_t *q, uint8_t *s)
{
    uint32_t i = 0;
    for (; i + 32 <= n; i += 32, q += 32, s++)
        if (!v8_quantise32(_mm256_mul_ps(_mm256_loadu_ps(p + i), steps8(sv + i)),
                           _mm256_mul_ps(_mm256_loadu_ps(p + i + 8), steps8(sv + i + 8)),
                           _mm256_mul_ps(_mm256_loadu_ps(p + i + 16), steps8(sv + i + 16)),
                           _mm256_mul_ps(_mm256_loadu_ps(p + i + 24), steps8(sv + i + 24)), q, s))
            return false;
    if (i == n) return true;
    float x[32];
    for (uint32_t j = i; j < n; j++) x[j - i] = p[j] * slx_scale_step(sv[j]);
    return slx_quantise_row(x, n - i, q, s);
}

/* ------------------------------------------------------------------ rows */

static bool rmsnorm(const float *x, const float *w, float eps, uint32_t n, float *y)
{
    __m256 lane[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                      _mm256_setzero_ps()};
    uint32_t i = 0;
    for (; i + 32 <= n; i += 32)
        for (int k = 0; k < 4; k++) {
            __m256 v = _mm256_loadu_ps(x + i + 8 * k);
            lane[k] = _mm256_fmadd_ps(v, v, lane[k]);
        }
    for (int k = 0; i < n; i += 8, k++) {
        __m256 v = v8_load_part(x + i, n - i);
        lane[k] = _mm256_fmadd_ps(v, v, lane[k]);
    }
    float sumsq = v8_join(lane);
    if (!slx_f32_finite(sumsq)) return false;
    float r = 1 / slx_sqrt(slx_fma(sumsq, slx_const_recip(n), eps));
    if (!slx_f32_finite(r)) return false;
    __m256 rv = _mm256_set1_ps(r);
    __m256i bad = _mm256_setzero_si256();
    for (i = 0; i < n; i += 8) {
        __m256 v = _mm256_mul_ps(v8_load_part(x + i, n - i), rv);
        v = _mm256_mul_ps(v, v8_load_part(w + i, n - i));
        bad = v8_bad(bad, v);
        v8_store_part(y + i, n - i, v);
    }
    return v8_none(bad);
}

static bool silu_mul(const float *g, const float *u, uint32_t n, float *y)
{
    __m256i bad = _mm256_setzero_si256();
    for (uint32_t i = 0; i < n; i += 8) {
        __m256 v = v8_silu(v8_load_part(g + i, n - i));
        bad = v8_bad(bad, v); /* an infinite g shows here even when u is 0 */
        v = _mm256_mul_ps(v, v8_load_part(u + i, n - i));
        bad = v8_bad(bad, v);
        v8_store_part(y + i, n - i, v);
    }
    return v8_none(bad);
}

static bool add(const float *a, const float *b, uint32_t n, float *y)
{
    __m256i bad = _mm256_setzero_si256();
    for (uint32_t i = 0; i < n; i += 8) {
        __m256 v = _mm256_add_ps(v8_load_part(a + i, n - i), v8_load_part(b + i, n - i));
        bad = v8_bad(bad, v);
        v8_store_part(y + i, n - i, v);
    }
    return v8_none(bad);
}

/* ------------------------------------------------------------------ rotation */

/* One pair by the definition, for what is left over of a row. */
static bool rotate_pair(float a, float b, const float *cs, float *ya, float *yb)
{
    float p = slx_fma(a, cs[0], -(b * cs[1])), q = slx_fma(a, cs[1], b * cs[0]);
    *ya = p;
    *yb = q;
    return slx_f32_finite(p) && slx_f32_finite(q);
}

static bool rotate_half(const float *x, const float *cs, uint32_t half, float *y)
{
    __m256i bad = _mm256_setzero_si256();
    bool ok = true;
    uint32_t i = 0;
    for (; i + 8 <= half; i += 8) {
        __m256 t0 = _mm256_loadu_ps(cs + 2 * i), t1 = _mm256_loadu_ps(cs + 2 * i + 8);
        __m256d even = _mm256_castps_pd(_mm256_shuffle_ps(t0, t1, 0x88));
        __m256d odd = _mm256_castps_pd(_mm256_shuffle_ps(t0, t1, 0xdd));
        __m256 c = _mm256_castpd_ps(_mm256_permute4x64_pd(even, 0xd8));
        __m256 s = _mm256_castpd_ps(_mm256_permute4x64_pd(odd, 0xd8));
        __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + half);
        __m256 p = _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s));
        __m256 q = _mm256_fmadd_ps(a, s, _mm256_mul_ps(b, c));
        bad = v8_bad(v8_bad(bad, p), q);
        _mm256_storeu_ps(y + i, p);
        _mm256_storeu_ps(y + i + half, q);
    }
    for (; i < half; i++)
        ok &= rotate_pair(x[i], x[i + half], cs + 2 * i, y + i, y + i + half);
    return ok && v8_none(bad);
}

static bool rotate_interleaved(const float *x, const float *cs, uint32_t half, float *y)
{
    __m256i bad = _mm256_setzero_si256();
    bool ok = true;
    uint32_t i = 0;
    for (; i + 4 <= half; i += 4) {
        __m256 t = _mm256_loadu_ps(cs + 2 * i), v = _mm256_loadu_ps(x + 2 * i);
        __m256 c = _mm256_moveldup_ps(t), s = _mm256_movehdup_ps(t);
        __m256 a = _mm256_moveldup_ps(v), b = _mm256_movehdup_ps(v);
        __m256 p = _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s));
        __m256 q = _mm256_fmadd_ps(a, s, _mm256_mul_ps(b, c));
        __m256 z = _mm256_blend_ps(p, q, 0xaa);
        bad = v8_bad(bad, z);
        _mm256_storeu_ps(y + 2 * i, z);
    }
    for (; i < half; i++)
        ok &= rotate_pair(x[2 * i], x[2 * i + 1], cs + 2 * i, y + 2 * i, y + 2 * i + 1);
    return ok && v8_none(bad);
}

static bool rope_row(const float *x, const float *cs, uint32_t n, uint32_t n_rot, bool interleaved,
                     float *y)
{
    bool ok = interleaved ? rotate_interleaved(x, cs, n_rot / 2, y)
                          : rotate_half(x, cs, n_rot / 2, y);
    if (y != x) memcpy(y + n_rot, x + n_rot, (size_t)(n - n_rot) * sizeof *y);
    return ok;
}

/* ------------------------------------------------------------------ the largest */

/* Four registers of running maxima and where they were found; only a larger value replaces one, so
 * each lane keeps its lowest index. */
static void topk1(const float *x, uint32_t n, float *val, uint32_t *idx)
{
    if (!n) {
        *val = -FLT_MAX;
        *idx = UINT32_MAX;
        return;
    }
    __m256 best[4];
    __m256i at[4];
    for (int k = 0; k < 4; k++) {
        best[k] = _mm256_set1_ps(x[0]);
        at[k] = _mm256_setzero_si256();
    }
    uint32_t i = 0;
    __m256i now = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    for (; i + 32 <= n; i += 32)
        for (int k = 0; k < 4; k++) {
            __m256 v = _mm256_loadu_ps(x + i + 8 * k);
            __m256 up = _mm256_cmp_ps(v, best[k], _CMP_GT_OQ);
            best[k] = _mm256_blendv_ps(best[k], v, up);
            at[k] = _mm256_blendv_epi8(at[k], now, _mm256_castps_si256(up));
            now = _mm256_add_epi32(now, _mm256_set1_epi32(8));
        }
    float v[32], top = x[0];
    uint32_t a[32], where = 0;
    for (int k = 0; k < 4; k++) {
        _mm256_storeu_ps(v + 8 * k, best[k]);
        _mm256_storeu_si256((__m256i *)(void *)(a + 8 * k), at[k]);
    }
    for (int k = 0; k < 32; k++)
        if (v[k] > top || (v[k] == top && a[k] < where)) {
            top = v[k];
            where = a[k];
        }
    for (; i < n; i++)
        if (x[i] > top) {
            top = x[i];
            where = i;
        }
    *val = x[where];
    *idx = where;
}

void slx_kern_fill_avx2(slx_kern *k)
{
    k->level = SLX_CPU_AVX2;
    k->quantise_row = quantise_row;
    k->quantise_one = quantise_one;
    k->quantise_col = quantise_col;
    k->rmsnorm = rmsnorm;
    k->silu_mul = silu_mul;
    k->add = add;
    k->rope_row = rope_row;
    k->topk1 = topk1;
    slx_kern_fill_attn_avx2(k);
}
