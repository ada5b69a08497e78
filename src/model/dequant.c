/* dequant.c - blocks of quantised weights to float: the values a file means, for the reference and for repacking.
 *
 * Contract: f32, one rounding a written operation, in the order written here (no FMA: the build sets
 * -ffp-contract=off), so the result is the same bits everywhere and equal to what GGUF tools print.
 * lo/hi are the two nibbles of a byte; in 32-element blocks element j is the low nibble of byte j, j+16 the high one.
 */
#include "model/model_int.h"

#include <math.h>

static uint32_t lo(uint8_t b)
{
    return b & 15u;
}
static uint32_t hi(uint8_t b)
{
    return b >> 4;
}

static float bits_f32(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}

float slx_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, e = (h >> 10) & 31u, m = h & 0x3ffu;
    if (e == 31) return bits_f32(sign | 0x7f800000u | m << 13);
    if (e) return bits_f32(sign | (e + 112) << 23 | m << 13);
    float f = (float)m * 0x1p-24f; /* subnormal: exact */
    return sign ? -f : f;
}

static float f16_at(const uint8_t *p)
{
    return slx_f16_to_f32(slx_le16(p));
}

/* E2M1 doubled, and the non-linear table of the IQ4 types. */
static const int8_t e2m1_x2[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
static const int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};

/* ------------------------------------------------------------------ 1 element */

static void one_F32(const uint8_t *p, float *y)
{
    *y = slx_le_f32(p);
}
static void one_F16(const uint8_t *p, float *y)
{
    *y = f16_at(p);
}
static void one_BF16(const uint8_t *p, float *y)
{
    *y = bits_f32((uint32_t)slx_le16(p) << 16);
}

/* ------------------------------------------------------------------ 32 elements */

static void one_Q4_0(const uint8_t *p, float *y)
{
    float d = f16_at(p);
    for (int j = 0; j < 16; j++) {
        y[j] = (float)((int)lo(p[2 + j]) - 8) * d;
        y[j + 16] = (float)((int)hi(p[2 + j]) - 8) * d;
    }
}

static void one_Q4_1(const uint8_t *p, float *y)
{
    float d = f16_at(p), m = f16_at(p + 2);
    for (int j = 0; j < 16; j++) {
        y[j] = (float)lo(p[4 + j]) * d + m;
        y[j + 16] = (float)hi(p[4 + j]) * d + m;
    }
}

/* The fifth bit of element i is bit i of qh. */
static void five_bits(const uint8_t *qs, uint32_t qh, int q[32])
{
    for (int j = 0; j < 16; j++) {
        q[j] = (int)(lo(qs[j]) | (qh >> j & 1u) << 4);
        q[j + 16] = (int)(hi(qs[j]) | (qh >> (j + 16) & 1u) << 4);
    }
}

static void one_Q5_0(const uint8_t *p, float *y)
{
    int q[32];
    float d = f16_at(p);
    five_bits(p + 6, slx_le32(p + 2), q);
    for (int j = 0; j < 32; j++) y[j] = (float)(q[j] - 16) * d;
}

static void one_Q5_1(const uint8_t *p, float *y)
{
    int q[32];
    float d = f16_at(p), m = f16_at(p + 2);
    five_bits(p + 8, slx_le32(p + 4), q);
    for (int j = 0; j < 32; j++) y[j] = (float)q[j] * d + m;
}

static void one_Q8_0(const uint8_t *p, float *y)
{
    float d = f16_at(p);
    for (int j = 0; j < 32; j++) y[j] = (float)(int8_t)p[2 + j] * d;
}

static void iq4_block(const uint8_t *qs, float d, float *y)
{
    for (int j = 0; j < 16; j++) {
        y[j] = d * (float)iq4_values[lo(qs[j])];
        y[j + 16] = d * (float)iq4_values[hi(qs[j])];
    }
}

static void one_IQ4_NL(const uint8_t *p, float *y)
{
    iq4_block(p + 2, f16_at(p), y);
}

/* The scale is 2^(e-128), half of E8M0's 2^(e-127), as the table is doubled; e = 255 means NaN for the whole block. */
static void one_MXFP4(const uint8_t *p, float *y)
{
    float s = p[0] == 255 ? NAN
              : p[0] < 2  ? bits_f32(0x200000u << p[0])
                          : bits_f32((uint32_t)(p[0] - 1) << 23);
    for (int j = 0; j < 16; j++) {
        y[j] = (float)e2m1_x2[lo(p[1 + j])] * s;
        y[j + 16] = (float)e2m1_x2[hi(p[1 + j])] * s;
    }
}

/* ------------------------------------------------------------------ 64 elements */

/* Half of an unsigned E4M3 scale: again because the table is doubled. */
static float nvfp4_scale(uint8_t x)
{
    if (x == 0 || x == 0x7f) return 0.0f;
    uint32_t e = x >> 3 & 15u, m = x & 7u;
    float v = e ? (1.0f + (float)m / 8.0f) * bits_f32((e + 120) << 23) : (float)m * 0x1p-9f;
    return v * 0.5f;
}

static void one_NVFP4(const uint8_t *p, float *y)
{
    const uint8_t *qs = p + 4;
    for (int s = 0; s < 4; s++) {
        float u = nvfp4_scale(p[s]);
        for (int j = 0; j < 8; j++) {
            y[16 * s + j] = (float)e2m1_x2[lo(qs[8 * s + j])] * u;
            y[16 * s + 8 + j] = (float)e2m1_x2[hi(qs[8 * s + j])] * u;
        }
    }
}

/* ------------------------------------------------------------------ 256 elements */

static void one_Q2_K(const uint8_t *p, float *y)
{
    const uint8_t *sc = p, *qs = p + 16;
    float d = f16_at(p + 80), dmin = f16_at(p + 82);
    for (int n = 0; n < 2; n++)
        for (int j = 0; j < 4; j++)
            for (int h = 0; h < 2; h++) {
                uint8_t s = sc[8 * n + 2 * j + h];
                float dl = d * (float)lo(s), ml = dmin * (float)hi(s);
                for (int l = 0; l < 16; l++)
                    y[128 * n + 32 * j + 16 * h + l] =
                        dl * (float)(qs[32 * n + 16 * h + l] >> (2 * j) & 3) - ml;
            }
}

/* Sixteen 6-bit scales in 12 bytes: four low bits in sc[0..7], two high bits in sc[8..11]. */
static int q3_scale(const uint8_t *sc, int i)
{
    uint32_t low = i < 8 ? lo(sc[i]) : hi(sc[i - 8]);
    uint32_t high = (uint32_t)sc[8 + (i & 3)] >> (2 * (i >> 2)) & 3u;
    return (int)(low | high << 4);
}

static void one_Q3_K(const uint8_t *p, float *y)
{
    const uint8_t *hm = p, *qs = p + 32, *sc = p + 96;
    float d = f16_at(p + 108);
    for (int n = 0; n < 2; n++)
        for (int j = 0; j < 4; j++)
            for (int h = 0; h < 2; h++) {
                float dl = d * (float)(q3_scale(sc, 8 * n + 2 * j + h) - 32);
                for (int l = 0; l < 16; l++) {
                    int q = qs[32 * n + 16 * h + l] >> (2 * j) & 3;
                    y[128 * n + 32 * j + 16 * h + l] =
                        dl * (float)(q - (hm[16 * h + l] >> (4 * n + j) & 1 ? 0 : 4));
                }
            }
}

/* Eight 6-bit scales and eight 6-bit minima in 12 bytes (Q4_K, Q5_K). */
static void k4_scale(const uint8_t *sc, int i, float *s, float *m)
{
    if (i < 4) {
        *s = (float)(sc[i] & 63);
        *m = (float)(sc[i + 4] & 63);
    } else {
        *s = (float)(lo(sc[i + 4]) | (uint32_t)(sc[i - 4] >> 6) << 4);
        *m = (float)(hi(sc[i + 4]) | (uint32_t)(sc[i] >> 6) << 4);
    }
}

/* qh is NULL for Q4_K. */
static void k4_block(const uint8_t *p, const uint8_t *qh, const uint8_t *qs, float *y)
{
    float d = f16_at(p), dmin = f16_at(p + 2);
    for (int half = 0; half < 8; half++) {
        float s, m;
        k4_scale(p + 4, half, &s, &m);
        float dl = d * s, ml = dmin * m;
        for (int l = 0; l < 32; l++) {
            uint8_t b = qs[32 * (half / 2) + l];
            uint32_t q = half & 1 ? hi(b) : lo(b);
            if (qh && (qh[l] >> half & 1)) q += 16;
            y[32 * half + l] = dl * (float)q - ml;
        }
    }
}

static void one_Q4_K(const uint8_t *p, float *y)
{
    k4_block(p, NULL, p + 16, y);
}
static void one_Q5_K(const uint8_t *p, float *y)
{
    k4_block(p, p + 16, p + 48, y);
}

static void one_Q6_K(const uint8_t *p, float *y)
{
    float d = f16_at(p + 208);
    for (int n = 0; n < 2; n++) {
        const uint8_t *ql = p + 64 * n, *qh = p + 128 + 32 * n;
        const int8_t *sc = (const int8_t *)(p + 192) + 8 * n;
        for (int quarter = 0; quarter < 4; quarter++)
            for (int l = 0; l < 32; l++) {
                uint8_t b = ql[l + (quarter & 1 ? 32 : 0)];
                uint32_t q = (quarter < 2 ? lo(b) : hi(b)) | ((uint32_t)qh[l] >> (2 * quarter) & 3u)
                                                                 << 4;
                y[128 * n + 32 * quarter + l] =
                    d * (float)sc[2 * quarter + l / 16] * (float)((int)q - 32);
            }
    }
}

static void one_IQ4_XS(const uint8_t *p, float *y)
{
    float d = f16_at(p);
    uint32_t high = slx_le16(p + 2);
    for (int b = 0; b < 8; b++) {
        uint32_t ls = ((uint32_t)p[4 + b / 2] >> (4 * (b & 1)) & 15u) | (high >> (2 * b) & 3u) << 4;
        iq4_block(p + 8 + 16 * b, d * (float)((int)ls - 32), y + 32 * b);
    }
}

/* ------------------------------------------------------------------ ternary, 256 elements */

/* Five ternary digits in a byte as a fraction of 256: multiplying by 3^n brings digit n to the top. */
static const uint8_t pow3[5] = {1, 3, 9, 27, 81};

static float ternary(uint8_t b, int n, float d)
{
    uint8_t q = (uint8_t)(b * pow3[n]);
    return (float)((q * 3 >> 8) - 1) * d;
}

/* Bytes 0..31 hold 5 x 32 elements, 32..47 hold 5 x 16, 48..51 hold 4 x 4; digit n of all bytes comes together. */
static void one_TQ1_0(const uint8_t *p, float *y)
{
    float d = f16_at(p + 52);
    for (int n = 0; n < 5; n++) {
        for (int m = 0; m < 32; m++) y[32 * n + m] = ternary(p[m], n, d);
        for (int m = 0; m < 16; m++) y[160 + 16 * n + m] = ternary(p[32 + m], n, d);
        for (int m = 0; m < 4 && n < 4; m++) y[240 + 4 * n + m] = ternary(p[48 + m], n, d);
    }
}

static void one_TQ2_0(const uint8_t *p, float *y)
{
    float d = f16_at(p + 64);
    for (int half = 0; half < 2; half++)
        for (int l = 0; l < 4; l++)
            for (int m = 0; m < 32; m++)
                y[128 * half + 32 * l + m] = (float)((p[32 * half + m] >> (2 * l) & 3) - 1) * d;
}

/* ------------------------------------------------------------------ any type */

typedef void (*one_block)(const uint8_t *p, float *y);

/* The last column of the table says whether one_NAME exists: 1 names it, 0 gives NULL. */
#define PICK_1(name)    one_##name
#define PICK_0(name)    NULL
#define PICK(name, deq) PICK_##deq(name)

bool slx_dequant(uint32_t type, const void *src, float *dst, size_t n)
{
    one_block f = NULL;
    uint32_t elems = 1, bytes = 0;
    switch (type) {
#define X(name, id, e, b, deq)                                                                     \
    case id:                                                                                       \
        f = PICK(name, deq);                                                                       \
        elems = e;                                                                                 \
        bytes = b;                                                                                 \
        break;
        SLX_TENSOR_TYPES(X)
#undef X
    default: break;
    }
    if (!f) return false;
    const uint8_t *p = src;
    size_t whole = n / elems;
    for (size_t i = 0; i < whole; i++) f(p + i * bytes, dst + i * elems);
    size_t rest = n - whole * elems;
    if (rest) {
        float last[256];
        f(p + whole * bytes, last);
        memcpy(dst + whole * elems, last, rest * sizeof *dst);
    }
    return true;
}
