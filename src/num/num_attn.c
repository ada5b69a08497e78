/* num_attn.c - softmax of one chunk of scores, and the algebra of attention states (chip.md 4.6).
 *
 * Invariant: m of a state is an integer, so that exp2(m_i - m) in a merge is a power of two or 0
 * and rescaling loses nothing. Empty = (-2^30, +0, +0); merging it changes no bit.
 */
#include "num/num_impl.h"

static const float empty_m = -0x1p30f;

static float ceiling(float x)
{
    float n = slx_rne_int(x);
    return (n < x ? n + 1 : n) + 0.0f; /* -0 becomes +0 */
}

bool slx_softmax_chunk(const float *t, uint32_t n, uint32_t lo, uint32_t hi, float *p,
                       slx_attn_state *st)
{
    if (hi > n) hi = n;
    if (lo >= hi) {
        for (uint32_t j = 0; j < n; j++) p[j] = 0;
        *st = (slx_attn_state){empty_m, 0};
        return true;
    }
    /* A score outside fp32 is a FAULT of whoever made it; fused code may find it only here. */
    for (uint32_t j = lo; j < hi; j++)
        if (!slx_f32_finite(t[j])) return false;
    float m = ceiling(slx_row_max(t + lo, hi - lo));
    if (m > 0x1p22f || m < -0x1p22f) return false;
    for (uint32_t j = 0; j < n; j++) {
        float v = 0; /* p may be t */
        if (j >= lo && j < hi && !slx_exp2(t[j] - m, &v)) return false;
        p[j] = v;
    }
    st->m = m;
    return slx_row_sum(p, n, &st->l);
}

void slx_attn_empty(slx_attn_state *st, float *o, uint32_t d)
{
    *st = (slx_attn_state){empty_m, 0};
    for (uint32_t i = 0; i < d; i++) o[i] = 0;
}

bool slx_attn_merge(slx_attn_state *st, float *o, const slx_attn_state *st2, const float *o2,
                    uint32_t d)
{
    if (st2->m == empty_m) return true;
    float m = st->m > st2->m ? st->m : st2->m, w1, w2;
    if (!slx_exp2(st->m - m, &w1) || !slx_exp2(st2->m - m, &w2)) return false;
    float l = slx_fma(st->l, w1, st2->l * w2);
    bool ok = slx_f32_finite(l);
    for (uint32_t i = 0; i < d; i++) {
        o[i] = slx_fma(o[i], w1, o2[i] * w2);
        ok = ok && slx_f32_finite(o[i]);
    }
    *st = (slx_attn_state){m, l};
    return ok;
}

bool slx_attn_final(const slx_attn_state *st, float *o, uint32_t d)
{
    bool ok = true;
    for (uint32_t i = 0; i < d; i++) {
        o[i] = st->l == 0 ? 0 : o[i] / st->l;
        ok = ok && slx_f32_finite(o[i]);
    }
    return ok;
}
