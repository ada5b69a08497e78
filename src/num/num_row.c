/* num_row.c - reductions of a row, RMSNorm, rotation (chip.md 4.4, 4.5).
 *
 * Sums use 32 virtual lanes whatever the host has: lane l folds elements l, l+32, l+64 ...
 * ascending from +0, then the lanes are joined at distance 16, 8, 4, 2, 1. In a short last group
 * the lanes without an element keep what they have.
 */
#include "num/num_impl.h"

#include <string.h>

enum { LANES = 32 };

static bool join(float lane[LANES], float *out)
{
    for (int d = LANES / 2; d >= 1; d /= 2)
        for (int i = 0; i < d; i++) lane[i] = lane[i] + lane[i + d];
    *out = lane[0];
    return slx_f32_finite(lane[0]); /* an overflow on the way stays visible in the sum */
}

bool slx_row_sum(const float *x, uint32_t n, float *out)
{
    float lane[LANES] = {0};
    for (uint32_t i = 0; i < n; i++) lane[i % LANES] = lane[i % LANES] + x[i];
    return join(lane, out);
}

bool slx_row_sumsq(const float *x, uint32_t n, float *out)
{
    float lane[LANES] = {0};
    for (uint32_t i = 0; i < n; i++) lane[i % LANES] = slx_fma(x[i], x[i], lane[i % LANES]);
    return join(lane, out);
}

float slx_row_max(const float *x, uint32_t n)
{
    if (!n) return 0;
    float m = x[0];
    for (uint32_t i = 1; i < n; i++) m = x[i] > m ? x[i] : m;
    return m == 0 ? 0 : m;
}

float slx_row_amax(const float *x, uint32_t n)
{
    uint32_t m = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t b = slx_f32_bits(x[i]) & 0x7fffffff;
        m = b > m ? b : m;
    }
    return slx_f32_from(m);
}

uint32_t slx_row_argmax(const float *x, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

bool slx_rmsnorm(const float *x, const float *w, float eps, uint32_t n, float *y)
{
    float sumsq;
    if (!slx_row_sumsq(x, n, &sumsq)) return false;
    float r = 1 / slx_sqrt(slx_fma(sumsq, slx_const_recip(n), eps));
    if (!slx_f32_finite(r)) return false;
    bool ok = true;
    for (uint32_t i = 0; i < n; i++) {
        y[i] = (x[i] * r) * w[i];
        ok = ok && slx_f32_finite(y[i]);
    }
    return ok;
}

bool slx_layernorm(const float *x, const float *w, float eps, uint32_t n, float *y)
{
    float sum, sumsq, part = slx_const_recip(n);
    if (!slx_row_sum(x, n, &sum)) return false;
    float mean = sum * part;
    for (uint32_t i = 0; i < n; i++) y[i] = x[i] - mean;
    if (!slx_row_sumsq(y, n, &sumsq)) return false;
    float r = 1 / slx_sqrt(slx_fma(sumsq, part, eps));
    if (!slx_f32_finite(r)) return false;
    bool ok = true;
    for (uint32_t i = 0; i < n; i++) {
        y[i] = (y[i] * r) * w[i];
        ok = ok && slx_f32_finite(y[i]);
    }
    return ok;
}

bool slx_rope_row(const float *x, const float *cs, uint32_t n, uint32_t n_rot, bool interleaved,
                  float *y)
{
    uint32_t half = n_rot / 2, step = interleaved ? 2 : 1, gap = interleaved ? 1 : half;
    bool ok = true;
    for (uint32_t i = 0; i < half; i++) {
        float c = cs[2 * i], s = cs[2 * i + 1];
        float a = x[i * step], b = x[i * step + gap];
        float p = slx_fma(a, c, -(b * s)), q = slx_fma(a, s, b * c);
        ok = ok && slx_f32_finite(p) && slx_f32_finite(q);
        y[i * step] = p;
        y[i * step + gap] = q;
    }
    if (y != x) memcpy(y + n_rot, x + n_rot, (size_t)(n - n_rot) * sizeof *y);
    return ok;
}
