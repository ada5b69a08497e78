/* num_sample.c - the k largest values, and a draw among them (chip.md 4.7).
 *
 * Order of candidates: larger value first, equal values by lower index, -0 = +0. A draw depends on
 * (seed, stream, position) and the candidates alone, so a run can be replayed.
 */
#include "num/num_impl.h"

#include <float.h>
#include <string.h>

enum { MAX_CANDIDATES = 1024 };

void slx_topk(const float *x, uint32_t n, uint32_t k, uint32_t base, float *val, uint32_t *idx)
{
    uint32_t have = 0;
    if (!k) return;
    for (uint32_t i = 0; i < n; i++) {
        if (have == k && !(x[i] > val[k - 1])) continue;
        /* Behind everything not smaller: columns come ascending, so equal ones stay in order. */
        uint32_t lo = 0, hi = have;
        while (lo < hi) {
            uint32_t mid = (lo + hi) / 2;
            if (x[i] > val[mid]) hi = mid;
            else lo = mid + 1;
        }
        if (have < k) have++;
        memmove(val + lo + 1, val + lo, (have - 1 - lo) * sizeof *val);
        memmove(idx + lo + 1, idx + lo, (have - 1 - lo) * sizeof *idx);
        val[lo] = x[i];
        idx[lo] = base + i;
    }
    for (; have < k; have++) {
        val[have] = -FLT_MAX;
        idx[have] = UINT32_MAX;
    }
}

void slx_philox4x32_10(const uint32_t key[2], const uint32_t ctr[4], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1], c[4] = {ctr[0], ctr[1], ctr[2], ctr[3]};
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xd2511f53 * c[0], p1 = (uint64_t)0xcd9e8d57 * c[2];
        uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k0, (uint32_t)p1,
                            (uint32_t)(p0 >> 32) ^ c[3] ^ k1, (uint32_t)p0};
        memcpy(c, next, sizeof c);
        k0 += 0x9e3779b9;
        k1 += 0xbb67ae85;
    }
    memcpy(out, c, sizeof c);
}

/* Weights p_i = exp2((v_i - v_0) * c) of the first n candidates. A product that leaves the range
 * downwards (a missing candidate at a low temperature) is a weight of +0, not a FAULT. */
static bool weights(const float *val, uint32_t n, float c, float *p)
{
    for (uint32_t i = 0; i < n; i++) {
        float x = (val[i] - val[0]) * c;
        if (!slx_exp2(x, &p[i])) return false;
    }
    return true;
}

static float sum_in_order(const float *p, uint32_t n)
{
    float s = 0;
    for (uint32_t i = 0; i < n; i++) s = s + p[i];
    return s;
}

bool slx_sample(const float *val, uint32_t n, const slx_sample_params *sp, uint32_t *chosen)
{
    float p[MAX_CANDIDATES];
    if (n == 0 || n > MAX_CANDIDATES) return false;
    *chosen = 0;
    if (sp->top_k == 1) return true;
    if (sp->top_k && sp->top_k < n) n = sp->top_k;
    if (!weights(val, n, sp->c, p)) return false;

    float least = sp->min_p * p[0];
    uint32_t kept = 1; /* the first stays whatever min_p says */
    while (kept < n && p[kept] >= least) kept++;

    float total = sum_in_order(p, kept), enough = sp->top_p * total, sum = 0;
    if (!slx_f32_finite(total) || !slx_f32_finite(enough) || !slx_f32_finite(least)) return false;
    uint32_t cut = 0;
    do sum = sum + p[cut++];
    while (cut < kept && !(sum >= enough));
    total = sum; /* of what is kept in the end: a draw is always below it */

    uint32_t key[2] = {(uint32_t)sp->seed, (uint32_t)(sp->seed >> 32)};
    uint32_t ctr[4] = {sp->position, 0, sp->stream, 0}, r[4];
    slx_philox4x32_10(key, ctr, r);
    float u = (((float)(r[0] >> 9) + 0.5f) * 0x1p-23f) * total;
    sum = 0;
    for (uint32_t i = 0; i < cut; i++) {
        sum = sum + p[i];
        if (sum > u) {
            *chosen = i;
            return true;
        }
    }
    *chosen = cut - 1;
    return true;
}
