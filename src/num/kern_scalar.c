/* kern_scalar.c - the level every host has: the definitions themselves, one function a pointer. */
#include "num/kern_impl.h"

static bool silu_mul(const float *g, const float *u, uint32_t n, float *y)
{
    bool ok = true;
    for (uint32_t i = 0; i < n; i++) {
        float v;
        if (!slx_silu(g[i], &v)) return false;
        y[i] = v * u[i];
        ok = ok && slx_f32_finite(y[i]);
    }
    return ok;
}

static bool add(const float *a, const float *b, uint32_t n, float *y)
{
    bool ok = true;
    for (uint32_t i = 0; i < n; i++) {
        y[i] = a[i] + b[i];
        ok = ok && slx_f32_finite(y[i]);
    }
    return ok;
}

static void qk(const int8_t *q, const uint8_t *qs, const int8_t *k, const uint8_t *ks, uint32_t n,
               uint32_t nb, float c, float *t)
{
    for (uint32_t j = 0; j < n; j++)
        t[j] = c * slx_dot(SLX_NF_MXINT8, q, qs, (const uint8_t *)k + (size_t)j * nb * 32,
                           ks + (size_t)j * nb, NULL, nb, 0, NULL);
}

static void pv(const int8_t *p, const uint8_t *ps, const int8_t *v, uint32_t nblk, uint32_t d,
               float *o)
{
    for (uint32_t i = 0; i < d; i++) o[i] = slx_dot_bt(p, ps, v + i, d, nblk, NULL);
}

static bool quantise_col(const float *p, const uint8_t *sv, uint32_t n, int8_t *q, uint8_t *s)
{
    float x[32];
    for (uint32_t i = 0; i < n; i += 32, q += 32, s++) {
        uint32_t len = n - i < 32 ? n - i : 32;
        for (uint32_t j = 0; j < len; j++) x[j] = p[i + j] * slx_scale_step(sv[i + j]);
        if (!slx_quantise_row(x, len, q, s)) return false;
    }
    return true;
}

static void topk1(const float *x, uint32_t n, float *val, uint32_t *idx)
{
    slx_topk(x, n, 1, 0, val, idx);
}

void slx_kern_fill_scalar(slx_kern *k)
{
    *k = (slx_kern){
        .level = SLX_CPU_SCALAR,
        .quantise_row = slx_quantise_row,
        .quantise_one = slx_quantise_mxint8,
        .rmsnorm = slx_rmsnorm,
        .rope_row = slx_rope_row,
        .silu_mul = silu_mul,
        .add = add,
        .softmax_chunk = slx_softmax_chunk,
        .attn_merge = slx_attn_merge,
        .attn_final = slx_attn_final,
        .qk = qk,
        .pv = pv,
        .quantise_col = quantise_col,
        .topk1 = topk1,
    };
}
