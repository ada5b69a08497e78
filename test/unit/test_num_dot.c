/* test_num_dot.c - block dot, chain and tree against a second formulation: elements decoded one by
 * one into exact integers, the tree walked over a list of cuts, fma of the C library.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "num/num.h"

enum { MAX_BLOCKS = 80 };

typedef struct {
    slx_num_fmt fmt;
    uint32_t kblk;
    int8_t a[MAX_BLOCKS * 32];
    uint8_t as[MAX_BLOCKS], w[MAX_BLOCKS * 32], e[MAX_BLOCKS];
    uint16_t d[MAX_BLOCKS], m[MAX_BLOCKS];
} operands;

static double half_value(uint16_t h)
{
    int e = h >> 10 & 31;
    double x = e ? ldexp(1024 + (h & 1023), e - 25) : ldexp(h & 1023, -24);
    return h & 0x8000 ? -x : x;
}

static bool is_mx(slx_num_fmt fmt)
{
    return fmt == SLX_NF_MXINT8 || fmt == SLX_NF_MXFP4;
}

/* Twice a number of one sign, two exponent (bias 1) and one fraction bits, an integer. */
static int twice_e2m1(unsigned code)
{
    unsigned e = code >> 1 & 3, f = code & 1;
    double x = e ? ldexp(1 + f / 2.0, (int)e - 1) : f / 2.0;
    return (int)(code & 8 ? -2 * x : 2 * x);
}

static int weight(const operands *o, uint32_t k)
{
    switch (o->fmt) {
    case SLX_NF_MXFP4: return twice_e2m1(k % 2 ? o->w[k / 2] / 16 : o->w[k / 2] % 16);
    case SLX_NF_Q4S: return (k % 2 ? o->w[k / 2] / 16 : o->w[k / 2] % 16) - 8;
    case SLX_NF_Q4SM: return k % 2 ? o->w[k / 2] / 16 : o->w[k / 2] % 16;
    default: return (int8_t)o->w[k];
    }
}

static double block_scale(const operands *o, uint32_t b)
{
    if (!o->as[b]) return 0;
    if (o->fmt == SLX_NF_MXFP4) return o->e[b] ? ldexp(1, o->as[b] - 133 + o->e[b] - 128) : 0;
    if (o->fmt == SLX_NF_MXINT8) return o->e[b] ? ldexp(1, o->as[b] + o->e[b] - 266) : 0;
    return half_value(o->d[b]) * ldexp(1, o->as[b] - 133);
}

static float leaf(const operands *o, uint32_t lo, uint32_t hi, float acc)
{
    for (uint32_t b = lo; b < hi; b++) {
        long dot = 0, sum = 0;
        for (uint32_t k = 32 * b; k < 32 * b + 32; k++) {
            dot += (long)o->a[k] * weight(o, k);
            sum += o->a[k];
        }
        acc = fmaf((float)dot, (float)block_scale(o, b), acc);
        if (o->fmt == SLX_NF_Q4SM)
            acc = fmaf((float)sum,
                       (float)(o->as[b] ? half_value(o->m[b]) * ldexp(1, o->as[b] - 133) : 0), acc);
    }
    return acc;
}

/* The tree from its leaves up: cut g times in the middle, then add neighbours. */
static float want_dot(const operands *o, unsigned log2g, const float *chain_in)
{
    uint32_t cut[65] = {0, o->kblk}, n = 1;
    for (unsigned level = 0; level < log2g; level++, n *= 2)
        for (uint32_t i = n; i-- > 0;) {
            uint32_t lo = cut[i], hi = cut[i + 1];
            cut[2 * i + 2] = hi;
            cut[2 * i + 1] = lo + (hi - lo) / 2;
            cut[2 * i] = lo;
        }
    float sum[64];
    for (uint32_t i = 0; i < n; i++)
        sum[i] = leaf(o, cut[i], cut[i + 1], log2g == 0 && chain_in ? *chain_in : 0.0f);
    for (; n > 1; n /= 2)
        for (uint32_t i = 0; i < n / 2; i++) sum[i] = sum[2 * i] + sum[2 * i + 1];
    return sum[0];
}

static float got_dot(const operands *o, uint32_t lo, uint32_t hi, unsigned log2g,
                     const float *chain_in)
{
    uint32_t per =
        o->fmt == SLX_NF_MXFP4 || o->fmt == SLX_NF_Q4S || o->fmt == SLX_NF_Q4SM ? 16 : 32;
    const void *ws = is_mx(o->fmt) ? (const void *)(o->e + lo) : (const void *)(o->d + lo);
    return slx_dot(o->fmt, o->a + 32 * lo, o->as + lo, o->w + per * lo, ws,
                   o->fmt == SLX_NF_Q4SM ? o->m + lo : NULL, hi - lo, log2g, chain_in);
}

static void random_operands(operands *o, slx_rng *r, slx_num_fmt fmt, uint32_t kblk)
{
    o->fmt = fmt;
    o->kblk = kblk;
    bool extreme = slx_rng_below(r, 8) == 0;
    for (uint32_t k = 0; k < kblk * 32; k++) {
        o->a[k] = (int8_t)(extreme ? 127 : (int)slx_rng_below(r, 255) - 127);
        o->w[k] = (uint8_t)slx_rng_u64(r);
        if (extreme) o->w[k] = fmt == SLX_NF_Q8S ? 0x80 : fmt == SLX_NF_MXINT8 ? 0x81 : 0xff;
        if (fmt == SLX_NF_MXINT8 && o->w[k] == 0x80) o->w[k] = 0;
    }
    for (uint32_t b = 0; b < kblk; b++) {
        uint32_t u = slx_rng_below(r, 16);
        o->as[b] = (uint8_t)(u == 0 ? 0 : u == 1 ? 70 : 120 + slx_rng_below(r, 12));
        o->e[b] = (uint8_t)(u == 2 ? 0 : u == 3 ? 70 : 110 + slx_rng_below(r, 12));
        o->d[b] = (uint16_t)(u == 4 ? slx_rng_below(r, 1024) : slx_rng_u64(r) & 0xbfff);
        o->m[b] = (uint16_t)(u == 5 ? 0 : slx_rng_u64(r) & 0xbfff);
    }
}

static const slx_num_fmt formats[] = {SLX_NF_MXINT8, SLX_NF_Q4S, SLX_NF_Q4SM, SLX_NF_Q8S,
                                      SLX_NF_MXFP4};

static void test_dot(void **state)
{
    (void)state;
    operands *o = malloc(sizeof *o);
    assert_non_null(o);
    slx_rng r = {1};
    for (int i = 0; i < 20000; i++) {
        random_operands(o, &r, formats[i % 5],
                        i % 97 == 0 ? 0 : 1 + slx_rng_below(&r, i % 7 ? 20 : 79));
        unsigned log2g = slx_rng_below(&r, 4);
        float in = (float)(slx_rng_f64(&r) - 0.5), *chain = i % 3 ? NULL : &in;
        float want = want_dot(o, log2g, chain), got = got_dot(o, 0, o->kblk, log2g, chain);
        if (slx_f32_bits(want) != slx_f32_bits(got))
            fail_msg("format %d, %u blocks, 2^%u segments: %a, expected %a", o->fmt, o->kblk, log2g,
                     got, want);
    }
    free(o);
}

/* The tree is its own parts: a rank with half of the blocks computes one node. */
static void test_tree_splits(void **state)
{
    (void)state;
    operands *o = malloc(sizeof *o);
    assert_non_null(o);
    slx_rng r = {2};
    for (uint32_t kblk = 8; kblk < MAX_BLOCKS; kblk++) {
        random_operands(o, &r, formats[kblk % 4], kblk);
        uint32_t m = kblk / 2;
        float whole = got_dot(o, 0, kblk, 3, NULL);
        float parts = got_dot(o, 0, m, 2, NULL) + got_dot(o, m, kblk, 2, NULL);
        assert_int_equal(slx_f32_bits(whole), slx_f32_bits(parts));
    }
    free(o);
}

/* With one scale and small sums nothing is rounded: the result is the integer sum. */
static void test_exact(void **state)
{
    (void)state;
    operands *o = calloc(1, sizeof *o);
    assert_non_null(o);
    o->fmt = SLX_NF_Q4SM;
    o->kblk = 18;
    slx_rng r = {3};
    long want = 0;
    for (uint32_t b = 0; b < o->kblk; b++) {
        o->as[b] = 133;   /* one step = 1 */
        o->d[b] = 0x4000; /* 2 */
        o->m[b] = 0xc200; /* -3 */
    }
    for (uint32_t k = 0; k < o->kblk * 32; k++) {
        uint32_t nibble = slx_rng_below(&r, 16);
        o->a[k] = (int8_t)(slx_rng_below(&r, 41) - 20);
        o->w[k / 2] |= (uint8_t)(nibble << (k % 2 * 4));
        want += o->a[k] * (2 * (long)nibble - 3);
    }
    for (unsigned g = 0; g < 4; g++) assert_true(got_dot(o, 0, o->kblk, g, NULL) == (float)want);
    free(o);
}

static void test_bt(void **state)
{
    (void)state;
    enum { COLS = 40 };
    int8_t a[4 * 32], w[4 * 32 * COLS];
    uint8_t as[4];
    slx_rng r = {4};
    for (int i = 0; i < 2000; i++) {
        uint32_t kblk = slx_rng_below(&r, 5), n = slx_rng_below(&r, COLS);
        for (size_t k = 0; k < sizeof a; k++) a[k] = (int8_t)((int)slx_rng_below(&r, 255) - 127);
        for (size_t k = 0; k < sizeof w; k++) w[k] = (int8_t)slx_rng_u64(&r);
        for (int b = 0; b < 4; b++)
            as[b] = (uint8_t)(slx_rng_below(&r, 5) ? 110 + slx_rng_below(&r, 30) : 0);
        float in = (float)slx_rng_f64(&r), acc = i % 2 ? in : 0;
        for (uint32_t b = 0; b < kblk; b++) {
            long dot = 0;
            for (uint32_t k = 32 * b; k < 32 * b + 32; k++) dot += a[k] * (long)w[k * COLS + n];
            acc = fmaf((float)dot, as[b] ? ldexpf(1, as[b] - 133) : 0, acc);
        }
        float got = slx_dot_bt(a, as, w + n, COLS, kblk, i % 2 ? &in : NULL);
        assert_int_equal(slx_f32_bits(got), slx_f32_bits(acc));
    }
}

static void test_speed(void **state)
{
    (void)state;
    operands *o = malloc(sizeof *o);
    assert_non_null(o);
    slx_rng r = {5};
    for (int f = 0; f < 4; f++) {
        random_operands(o, &r, formats[f], 48);
        float sum = 0;
        double t0 = slx_now_s();
        for (int i = 0; i < 10000; i++) {
            o->a[i % 64] ^= 1;
            sum += got_dot(o, 0, 48, 3, NULL);
        }
        double s = slx_now_s() - t0;
        print_message("format %d: %.2f GMAC/s%s\n", formats[f], 48 * 32 * 1e4 / s * 1e-9,
                      sum == 42 ? "!" : "");
    }
    free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dot),   cmocka_unit_test(test_tree_splits),
        cmocka_unit_test(test_exact), cmocka_unit_test(test_bt),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
