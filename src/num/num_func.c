/* num_func.c - exp2, exp, sigmoid, silu, gelu, tanh (chip.md 4.4).
 *
 * Invariant: the order of operations written here is the definition; polynomials by Horner, each
 * step one fma. false = FAULT, and then nothing is stored.
 */
#include "num/num_impl.h"

/* 2^f for |f| <= 1/2 (a little more in exp). */
static float poly(float f)
{
    float p = slx_f32_from(SLX_EXP2_C6);
    p = slx_fma(p, f, slx_f32_from(SLX_EXP2_C5));
    p = slx_fma(p, f, slx_f32_from(SLX_EXP2_C4));
    p = slx_fma(p, f, slx_f32_from(SLX_EXP2_C3));
    p = slx_fma(p, f, slx_f32_from(SLX_EXP2_C2));
    p = slx_fma(p, f, slx_f32_from(SLX_EXP2_C1));
    return slx_fma(p, f, slx_f32_from(SLX_EXP2_C0));
}

/* p * 2^n by the exponent field alone. */
static float add_exponent(float p, float n)
{
    return slx_f32_from(slx_f32_bits(p) + ((uint32_t)(int32_t)n << 23));
}

bool slx_exp2(float x, float *out)
{
    if (!(x < 128)) return false;
    if (x < -126) {
        *out = 0;
        return true;
    }
    float n = slx_rne_int(x);
    *out = add_exponent(poly(x - n), n);
    return true;
}

/* h = RNE(x * L) is given, -126 <= h < 128. */
static float exp_from(float x, float h)
{
    float l = slx_fma(x, slx_f32_from(SLX_EXP_L), -h);
    l = slx_fma(x, slx_f32_from(SLX_EXP_L2), l);
    float n = slx_rne_int(h);
    return add_exponent(poly((h - n) + l), n);
}

bool slx_exp(float x, float *out)
{
    float h = x * slx_f32_from(SLX_EXP_L);
    if (!(h < 128)) return false;
    *out = h < -126 ? 0 : exp_from(x, h);
    return true;
}

/* e = exp(-x) for sigmoid and silu: held at 2^127 where it would leave the range, so both are total. */
static float exp_neg_held(float x)
{
    float h = -x * slx_f32_from(SLX_EXP_L);
    if (h > 127) return 0x1p127f;
    return h < -126 ? 0 : exp_from(-x, h);
}

bool slx_sigmoid(float x, float *out)
{
    if (!slx_f32_finite(x)) return false;
    *out = 1 / (1 + exp_neg_held(x));
    return true;
}

bool slx_silu(float x, float *out)
{
    if (!slx_f32_finite(x)) return false;
    *out = x / (1 + exp_neg_held(x));
    return true;
}

/* Beyond 16 the factor is 1 or, in fp32, 0: no square overflows. */
bool slx_gelu(float x, float *out)
{
    if (!slx_f32_finite(x)) return false;
    float y = x > 0 ? x : 0;
    if (x >= -16 && x <= 16) {
        float u = x * slx_fma(x * x, slx_f32_from(SLX_GELU_CUBE), slx_f32_from(SLX_GELU_LINE));
        y = x / (1 + exp_neg_held(u));
    }
    *out = y;
    return true;
}

bool slx_tanh(float x, float *out)
{
    if (!slx_f32_finite(x)) return false;
    uint32_t sign = slx_f32_bits(x) & 0x80000000;
    float a = slx_f32_from(slx_f32_bits(x) & 0x7fffffff), e, y = 1;
    if (a <= 9) {
        if (!slx_exp(2 * a, &e)) return false;
        y = 1 - 2 / (e + 1);
    }
    *out = slx_f32_from(slx_f32_bits(y) | sign);
    return true;
}
