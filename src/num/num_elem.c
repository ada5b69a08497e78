/* num_elem.c - conversions between formats, powers of two, and fma.
 *
 * Invariant: every function is correctly rounded or exact, so its bits follow from its name.
 */
#include "num/num_impl.h"

static uint64_t f64_bits(double x)
{
    union { double d; uint64_t u; } v = {x};
    return v.u;
}

static double f64_from(uint64_t b)
{
    union { uint64_t u; double d; } v = {b};
    return v.d;
}

/* The product of two floats is exact in double. Its sum with c is rounded to odd (the last bit set
 * when anything was cut off), which keeps all that a second rounding to 24 bits or fewer must
 * know. */
float slx_fma_soft(float a, float b, float c)
{
    double p = (double)a * b;
    double s = p + c;
    if ((f64_bits(s) >> 52 & 0x7ff) == 0x7ff) return (float)s;
    double cc = s - p;
    double cut = (p - (s - cc)) + (c - cc); /* p + c - s, exact */
    if (cut != 0 && !(f64_bits(s) & 1)) {
        bool away = (cut > 0) == (s > 0);
        s = f64_from(f64_bits(s) + (away ? 1 : UINT64_MAX));
    }
    return (float)s;
}

#if defined(__x86_64__)
__attribute__((target("fma"))) static float fma_hard(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}
#else
#define fma_hard slx_fma_soft
#endif

float slx_fma(float a, float b, float c)
{
    return slx_has_fma() ? fma_hard(a, b, c) : slx_fma_soft(a, b, c);
}

float slx_fp16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, f = h & 1023;
    if (e == 0) { /* zero or subnormal: f * 2^-24, exact */
        uint32_t mag = slx_f32_bits((float)f * 0x1p-24f);
        return slx_f32_from(sign | mag);
    }
    return slx_f32_from(sign | (e == 31 ? 255 : e + 112) << 23 | f << 13);
}

uint16_t slx_f32_to_bf16(float x)
{
    uint32_t b = slx_f32_bits(x);
    return (uint16_t)((b + 0x7fff + (b >> 16 & 1)) >> 16);
}

float slx_bf16_to_f32(uint16_t b) { return slx_f32_from((uint32_t)b << 16); }

float slx_scale_pow2(int e)
{
    SLX_ASSERT(e >= -149 && e <= 127);
    return slx_f32_from(e >= -126 ? (uint32_t)(e + 127) << 23 : UINT32_C(1) << (e + 149));
}

float slx_rne_int(float x)
{
    uint32_t sign = slx_f32_bits(x) & 0x80000000, mag = slx_f32_bits(x) & 0x7fffffff;
    if (mag >= slx_f32_bits(0x1p23f)) return x; /* an integer already */
    float r = slx_f32_from(mag) + 0x1p23f;      /* the sum has no fraction bits: rounded here */
    return slx_f32_from(slx_f32_bits(r - 0x1p23f) | sign);
}

float slx_const_recip(uint32_t n) { return (float)(1.0 / n); }

float slx_const_attn_scale(uint32_t d)
{
    return (float)(0x1.71547652b82fep+0 / __builtin_sqrt((double)d));
}
