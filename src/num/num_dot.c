/* num_dot.c - block dot, chain, segment tree (chip.md 4.2).
 *
 * For one output: I_b = sum of 32 products, an exact integer; S_b = the scale of the block;
 * acc = fma(float(I_b), S_b, acc), b ascending from +0 in every segment; segments joined by a tree:
 *
 *   dot(lo, hi, 1) = chain over blocks lo .. hi-1
 *   dot(lo, hi, G) = dot(lo, m, G/2) + dot(m, hi, G/2),   m = lo + floor((hi - lo) / 2)
 *
 * This is the definition and what `strict` runs, so the steps are done in batches: integers for up
 * to BATCH blocks first (plain loops a compiler turns into SSE2), then the chain of fma in one of
 * two bodies with equal bits, with the host's instruction or emulated.
 */
#include "num/num_impl.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { BATCH = 32 };

/* Steps of a chain: acc = fma(t[i], s[i], acc). Q4SM has two steps a block. */
typedef struct {
    float t[2 * BATCH], s[2 * BATCH];
    uint32_t n;
} steps;

static float run_soft(const steps *st, float acc)
{
    for (uint32_t i = 0; i < st->n; i++) acc = slx_fma_soft(st->t[i], st->s[i], acc);
    return acc;
}

#if defined(__x86_64__)
__attribute__((target("fma"))) static float run_hard(const steps *st, float acc)
{
    for (uint32_t i = 0; i < st->n; i++) acc = __builtin_fmaf(st->t[i], st->s[i], acc);
    return acc;
}
#else
#define run_hard run_soft
#endif

static int32_t dot32(const int8_t *restrict a, const int8_t *restrict w)
{
    int32_t sum = 0;
    for (int k = 0; k < 32; k++) sum += (int16_t)a[k] * (int16_t)w[k];
    return sum;
}

static int32_t sum32(const int8_t *a)
{
    int32_t sum = 0;
    for (int k = 0; k < 32; k++) sum += a[k];
    return sum;
}

/* 16 bytes of nibbles, low = even element, minus off. Compilers do not find the interleaving in the
 * plain form, and half of the time of a 4-bit product would go here. */
static void unpack4(const uint8_t *restrict w, int8_t off, int8_t *restrict out)
{
#if defined(__SSE2__)
    const __m128i low = _mm_set1_epi8(15), less = _mm_set1_epi8(off);
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)w);
    __m128i even = _mm_sub_epi8(_mm_and_si128(v, low), less);
    __m128i odd = _mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(v, 4), low), less);
    _mm_storeu_si128((__m128i *)(void *)out, _mm_unpacklo_epi8(even, odd));
    _mm_storeu_si128((__m128i *)(void *)(out + 16), _mm_unpackhi_epi8(even, odd));
#else
    for (int k = 0; k < 16; k++) {
        out[2 * k] = (int8_t)((w[k] & 15) - off);
        out[2 * k + 1] = (int8_t)((w[k] >> 4) - off);
    }
#endif
}

uint8_t slx_mxfp4_block(const uint8_t codes[16], uint8_t scale, int8_t out[32])
{
    static const int8_t twice[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    for (int k = 0; k < 16; k++) {
        out[2 * k] = twice[codes[k] & 15];
        out[2 * k + 1] = twice[codes[k] >> 4];
    }
    return scale ? (uint8_t)(scale + 5) : 0;
}

typedef struct {
    slx_num_fmt fmt;
    const int8_t *a;
    const uint8_t *as, *w;
    const void *ws;
    const uint16_t *wm;
} operands;

static float half_at(const void *p, uint32_t i)
{
    uint16_t h; /* scale planes of a program image need not be aligned */
    memcpy(&h, (const uint8_t *)p + (size_t)i * 2, 2);
    return slx_fp16_to_f32(h);
}

/* fp32(d) * 2^(ea - 133), exact; +0 when the activation code is 0. */
static float scale_q(const void *d, uint32_t b, uint8_t ea)
{
    return ea ? half_at(d, b) * slx_scale_step(ea) : 0;
}

static void block_step(const operands *o, uint32_t b, steps *st)
{
    const int8_t *a = o->a + (size_t)b * 32;
    uint8_t ea = o->as[b];
    int8_t nibbles[32];
    const int8_t *w = (const int8_t *)o->w + (size_t)b * 32;
    const uint8_t *ew = (const uint8_t *)o->ws + b; /* of MX formats */
    uint8_t as_int8;
    if (o->fmt == SLX_NF_MXFP4) {
        as_int8 = slx_mxfp4_block(o->w + (size_t)b * 16, *ew, nibbles);
        ew = &as_int8;
        w = nibbles;
    }
    if (o->fmt == SLX_NF_Q4S || o->fmt == SLX_NF_Q4SM) {
        unpack4(o->w + (size_t)b * 16, o->fmt == SLX_NF_Q4S ? 8 : 0, nibbles);
        w = nibbles;
    }
    st->t[st->n] = (float)dot32(a, w);
    bool mx = o->fmt == SLX_NF_MXINT8 || o->fmt == SLX_NF_MXFP4;
    st->s[st->n++] = mx ? slx_scale_mx(ea, *ew) : scale_q(o->ws, b, ea);
    if (o->fmt == SLX_NF_Q4SM) {
        st->t[st->n] = (float)sum32(a);
        st->s[st->n++] = scale_q(o->wm, b, ea);
    }
}

static float chain(const operands *o, uint32_t lo, uint32_t hi, float acc, bool hard)
{
    steps st;
    while (lo < hi) {
        uint32_t end = hi - lo > BATCH ? lo + BATCH : hi;
        for (st.n = 0; lo < end; lo++) block_step(o, lo, &st);
        acc = hard ? run_hard(&st, acc) : run_soft(&st, acc);
    }
    return acc;
}

static float tree(const operands *o, uint32_t lo, uint32_t hi, unsigned log2g, bool hard)
{
    if (log2g == 0) return chain(o, lo, hi, 0, hard);
    uint32_t mid = lo + (hi - lo) / 2;
    float left = tree(o, lo, mid, log2g - 1, hard);
    return left + tree(o, mid, hi, log2g - 1, hard);
}

float slx_dot(slx_num_fmt fmt, const int8_t *a, const uint8_t *as, const uint8_t *w, const void *ws,
              const uint16_t *wm, uint32_t kblk, unsigned log2g, const float *chain_in)
{
    operands o = {fmt, a, as, w, ws, wm};
    bool hard = slx_has_fma();
    if (log2g == 0) return chain(&o, 0, kblk, chain_in ? *chain_in : 0, hard);
    return tree(&o, 0, kblk, log2g, hard);
}

float slx_dot_bt(const int8_t *a, const uint8_t *as, const int8_t *w, size_t row_stride,
                 uint32_t kblk, const float *chain_in)
{
    float acc = chain_in ? *chain_in : 0;
    bool hard = slx_has_fma();
    for (uint32_t b = 0; b < kblk;) {
        steps st = {.n = 0};
        for (; b < kblk && st.n < BATCH; b++) {
            const int8_t *ab = a + (size_t)b * 32, *wb = w + (size_t)b * 32 * row_stride;
            int32_t sum = 0;
            for (int k = 0; k < 32; k++) sum += ab[k] * wb[(size_t)k * row_stride];
            st.t[st.n] = (float)sum;
            st.s[st.n++] = as[b] ? slx_scale_step(as[b]) : 0;
        }
        acc = hard ? run_hard(&st, acc) : run_soft(&st, acc);
    }
    return acc;
}
