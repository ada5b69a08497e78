/* num_impl.h - what the files of num share and nobody else sees: fma, the polynomial of exp2, steps
 * of scale codes.
 *
 * slx_fma_soft is the exact emulation behind slx_fma on hosts without the instruction; it is
 * declared here so that a test can hold it against the hardware.
 */
#ifndef SLX_NUM_IMPL_H
#define SLX_NUM_IMPL_H

#include "num/num.h"

float slx_fma_soft(float a, float b, float c);
/* One answer for the whole run; the bits do not depend on it. */
static inline bool slx_has_fma(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

/* exp2 on [-1/2, 1/2], c6 first (chip.md 4.4). Part of the ISA. */
#define SLX_EXP2_C6 0x39222000u
#define SLX_EXP2_C5 0x3aafa460u
#define SLX_EXP2_C4 0x3c1d950eu
#define SLX_EXP2_C3 0x3d635766u
#define SLX_EXP2_C2 0x3e75fdf0u
#define SLX_EXP2_C1 0x3f317218u
#define SLX_EXP2_C0 0x3f800000u
#define SLX_EXP_L 0x3fb8aa3bu  /* log2(e), rounded */
#define SLX_EXP_L2 0x32a57060u /* what is left of it */
/* gelu: 2 sqrt(2/pi) and 0.044715 of it, each rounded once from its real value */
#define SLX_GELU_LINE 0x3fcc422au
#define SLX_GELU_CUBE 0x3d922279u

enum {
    SLX_SCALE_MIN = 70,
    SLX_SCALE_MAX = 190,
    SLX_EMPTY_M_LOG2 = 30, /* m of an empty attention state is -2^30 */
    SLX_SOFTMAX_M_LOG2 = 22
};

/* 2^(code - 133): the value of one step of an MXINT8 element. Exact; subnormal below code 7. */
static inline float slx_scale_step(uint8_t code)
{
    return slx_f32_from(code >= 7 ? (uint32_t)(code - 6) << 23 : UINT32_C(1) << (code + 16));
}

/* S_b of two MX codes: 2^(ea + ew - 266), +0 when either is 0. Codes in use are 70..190 and give a
 * normal number; others, which only a program outside the rules can bring, end at +0 or infinity. */
static inline float slx_scale_mx(uint8_t ea, uint8_t ew)
{
    int e = (int)ea + (int)ew - 266 + 127;
    if (!ea || !ew || e < 0) e = 0;
    return slx_f32_from((uint32_t)(e > 255 ? 255 : e) << 23);
}

static inline float slx_sqrt(float x) { return __builtin_sqrtf(x); } /* IEEE; an instruction */

#endif
