/* test_num_elem.c - conversions, fma, exp2, exp and what is made of them, against other
 * implementations: the C library in double, the processor's fma, arithmetic in long double.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "num/num_impl.h"

static float any_finite(slx_rng *r)
{
    uint32_t b = (uint32_t)(slx_rng_u64(r) >> 32);
    if ((b & 0x7f800000) == 0x7f800000) b &= 0x807fffff;
    return slx_f32_from(b);
}

/* A float whose exponent is within `span` of e and whose low bits are often zeros or ones: ties. */
static float near_exponent(slx_rng *r, int e, uint32_t span)
{
    uint64_t u = slx_rng_u64(r);
    uint32_t man = (uint32_t)u & 0x7fffff, sign = (uint32_t)(u >> 63) << 31;
    uint32_t cut = (u >> 32) % 23;
    if (u >> 40 & 1) man = man >> cut << cut;
    if (u >> 41 & 1) man |= (1u << cut) - 1;
    int x = e + (int)slx_rng_below(r, 2 * span + 1) - (int)span;
    return slx_f32_from(sign | (uint32_t)(x < 0 ? 0 : x > 254 ? 254 : x) << 23 | man);
}

static void check_fma(float a, float b, float c)
{
    float want = fmaf(a, b, c), soft = slx_fma_soft(a, b, c), got = slx_fma(a, b, c);
    bool nan = want != want;
    if (nan ? !(soft != soft && got != got)
            : slx_f32_bits(soft) != slx_f32_bits(want) || slx_f32_bits(got) != slx_f32_bits(want))
        fail_msg("fma(%a, %a, %a): %a, emulated %a, expected %a", a, b, c, got, soft, want);
}

static void test_fma(void **state)
{
    (void)state;
    /* By hand: (1+2^-12)^2 - (1+2^-11) = 2^-24, which two roundings lose. */
    assert_true(slx_fma_soft(1 + 0x1p-12f, 1 + 0x1p-12f, -(1 + 0x1p-11f)) == 0x1p-24f);
    /* 1 + 2^-24 is a tie; 2^-60 more breaks it upwards, less downwards. */
    assert_true(slx_fma_soft(0x1p-12f, 0x1p-12f, 1) == 1);
    assert_true(slx_fma_soft(1 + 0x1p-20f, 0x1p-24f, 1) == 1 + 0x1p-23f);
    /* The product is the tie 1 + 2^-11 + 2^-24; c is below double's last bit and decides. */
    assert_true(slx_fma_soft(1 + 0x1p-12f, 1 + 0x1p-12f, 0x1p-60f) == 1 + 0x1p-11f + 0x1p-23f);
    assert_true(slx_fma_soft(1 + 0x1p-12f, 1 + 0x1p-12f, -0x1p-60f) == 1 + 0x1p-11f);
    assert_true(slx_fma_soft(-1 - 0x1p-12f, 1 + 0x1p-12f, 0x1p-60f) == -1 - 0x1p-11f);
    assert_true(slx_f32_bits(slx_fma_soft(-1, 0, -0.0f)) == 0x80000000);
    slx_rng r = {1};
    for (int i = 0; i < 1500000; i++) {
        check_fma(any_finite(&r), any_finite(&r), any_finite(&r));
        float a = near_exponent(&r, 127, 3), b = near_exponent(&r, 127, 3);
        check_fma(a, b, near_exponent(&r, 127, 30));
        check_fma(a, b, -(a * b)); /* what the product lost */
        a = slx_f32_from(slx_f32_bits(a) & 0xfffff800), b = slx_f32_from(slx_f32_bits(b) & 0xfffff000);
        check_fma(a, b, near_exponent(&r, 60, 20)); /* short products, often ties, and a breath */
        a = near_exponent(&r, 30, 30), b = near_exponent(&r, 80, 30);
        check_fma(a, b, near_exponent(&r, 1, 2)); /* subnormal results */
    }
}

static void test_formats(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        uint32_t e = h >> 10 & 31, f = h & 1023;
        float got = slx_fp16_to_f32((uint16_t)h);
        if (e == 31) {
            assert_true(f ? got != got : isinf(got) && (got < 0) == (h >> 15));
            continue;
        }
        double want = e ? ldexp(1024 + f, (int)e - 25) : ldexp(f, -24);
        assert_true(slx_f32_bits(got) == slx_f32_bits((float)(h >> 15 ? -want : want)));
        assert_int_equal(slx_f32_to_bf16(slx_bf16_to_f32((uint16_t)h)), h);
    }
    slx_rng r = {2};
    for (int i = 0; i < 300000; i++) { /* nearest of the two neighbours, even on a tie */
        float x = i % 2 ? any_finite(&r) : slx_f32_from((uint32_t)slx_rng_u64(&r) & 0xbf7f8000);
        uint32_t down = slx_f32_bits(x) & 0xffff0000, up = down + 0x10000;
        if ((up & 0x7f800000) == 0x7f800000) continue;
        double dd = fabs((double)x - slx_f32_from(down)), du = fabs((double)x - slx_f32_from(up));
        uint32_t want = dd < du || (dd == du && !(down & 0x10000)) ? down : up;
        assert_int_equal(slx_f32_to_bf16(x), want >> 16);
    }
    for (int e = -126; e <= 127; e++) assert_true(slx_scale_pow2(e) == ldexp(1, e));
    for (int e = -149; e < -126; e++) assert_true(slx_scale_pow2(e) == ldexp(1, e));
    for (int s = 0; s < 256; s++) assert_true(slx_scale_step((uint8_t)s) == ldexp(1, s - 133));
    assert_true(slx_mxint8_value(-3, 130) == -0.375f);
    assert_int_equal(slx_f32_bits(slx_mxint8_value(-3, 0)), 0);
}

static void test_rne_int(void **state)
{
    (void)state;
    slx_rng r = {3};
    for (int i = 0; i < 1000000; i++) {
        float x = i & 1 ? near_exponent(&r, 135, 23) : near_exponent(&r, 127, 2);
        if (i % 5 == 0) x = (float)((int)slx_rng_below(&r, 2001) - 1000) * 0.5f;
        assert_int_equal(slx_f32_bits(slx_rne_int(x)), slx_f32_bits((float)rint(x)));
    }
}

/* Error of y in ulp of the true value. */
static double ulp_error(float y, long double want)
{
    int e;
    frexpl(want, &e);
    return (double)(fabsl((long double)y - want) / ldexpl(1, e - 24 < -149 ? -149 : e - 24));
}

static void test_exp(void **state)
{
    (void)state;
    slx_rng r = {4};
    double worst2 = 0, worst = 0;
    for (uint32_t i = 0; i < 4000000; i++) {
        /* Every exponent in turn, then where the results vary. */
        float x = i & 1 ? slx_f32_from((uint32_t)(slx_rng_u64(&r) & 0x807fffff) | i % 254 << 23)
                        : (float)(slx_rng_f64(&r) * 254 - 126);
        float y = -1;
        bool ok = slx_exp2(x, &y);
        if (x >= 128) {
            assert_false(ok);
        } else if (x < -126) {
            assert_true(ok && slx_f32_bits(y) == 0);
        } else {
            assert_true(ok);
            double e = ulp_error(y, exp2(x));
            worst2 = e > worst2 ? e : worst2;
        }
        y = -1;
        ok = slx_exp(x, &y);
        if (x > 88.72283f) {
            assert_false(ok);
        } else if (x < -87.336548f) {
            assert_true(ok && slx_f32_bits(y) == 0);
        } else if (x < 88.722f && x > -87.336f) {
            assert_true(ok);
            double e = ulp_error(y, exp(x));
            worst = e > worst ? e : worst;
        }
    }
    assert_true(worst2 > 0.9 && worst2 <= 0.993);
    assert_true(worst > 0.95 && worst <= 1.105);
    float y;
    for (int n = -126; n < 128; n++) /* integers give powers of two: merges lose nothing */
        assert_true(slx_exp2((float)n, &y) && y == ldexp(1, n));
    assert_true(slx_exp2(-126, &y) && y == FLT_MIN);
    assert_true(slx_exp2(nextafterf(-126, -200), &y) && slx_f32_bits(y) == 0);
    assert_true(slx_exp2(nextafterf(128, 0), &y) && y > 3.4e38f && slx_f32_finite(y));
    assert_false(slx_exp2(128, &y));
    assert_false(slx_exp2(NAN, &y));
    assert_true(slx_exp(-FLT_MAX, &y) && slx_f32_bits(y) == 0);
    assert_false(slx_exp(FLT_MAX, &y));
    assert_true(slx_exp(0, &y) && y == 1);
}

static void test_silu_sigmoid(void **state)
{
    (void)state;
    slx_rng r = {5};
    double worst_sig = 0, worst_silu = 0;
    float y;
    for (int i = 0; i < 600000; i++) {
        float x = i & 1 ? (float)(slx_rng_f64(&r) * 170 - 85) : near_exponent(&r, 120, 12);
        if (!(fabsf(x) < 85)) continue;
        long double want = 1 / (1 + expl(-(long double)x));
        assert_true(slx_sigmoid(x, &y));
        double e = ulp_error(y, want);
        worst_sig = e > worst_sig ? e : worst_sig;
        assert_true(slx_silu(x, &y));
        e = ulp_error(y, x * want);
        worst_silu = e > worst_silu ? e : worst_silu;
    }
    print_message("sigmoid %.3f ulp, silu %.3f ulp\n", worst_sig, worst_silu);
    assert_true(worst_sig <= 2.45 && worst_silu <= 2.45);
    /* Below -88 e is held at 2^127: silu(-90) is tiny, not -90. */
    assert_true(slx_silu(-90, &y) && y == -90 / 0x1p127f);
    assert_true(slx_silu(-88.3f, &y) && y == -88.3f / 0x1p127f); /* h = 127.4 */
    assert_true(slx_sigmoid(-FLT_MAX, &y) && y == 0x1p-127f);
    assert_true(slx_sigmoid(FLT_MAX, &y) && y == 1);
    assert_true(slx_silu(FLT_MAX, &y) && y == FLT_MAX);
    assert_false(slx_silu(INFINITY, &y));
    assert_false(slx_sigmoid(NAN, &y));
}

static void test_gelu(void **state)
{
    (void)state;
    slx_rng r = {7};
    const long double pi = 3.141592653589793238462643383279502884L, line = 2 * sqrtl(2 / pi);
    double worst = 0, worst_below = 0;
    float y;
    for (int i = 0; i < 600000; i++) {
        float x = i & 1 ? (float)(slx_rng_f64(&r) * 22 - 6) : near_exponent(&r, 120, 12);
        if (!(x > -6)) continue;
        long double want = x / (1 + expl(-line * (x + 0.044715L * x * x * x)));
        assert_true(slx_gelu(x, &y));
        double e = ulp_error(y, want);
        if (x >= -1) worst = e > worst ? e : worst;
        else worst_below = e > worst_below ? e : worst_below; /* an ulp of u is many of exp(-u) */
    }
    print_message("gelu %.2f ulp from -1 on, %.1f from -6\n", worst, worst_below);
    assert_true(worst <= 4 && worst_below <= 60);
    assert_true(slx_gelu(0, &y) && y == 0);
    assert_true(slx_gelu(16, &y) && y == 16 && slx_gelu(FLT_MAX, &y) && y == FLT_MAX);
    for (float x = -6; x >= -20; x -= 0.125f) /* the tail: nothing but tiny negative numbers, then +0 */
        assert_true(slx_gelu(x, &y) && y <= 0 && y > -2e-8f);
    assert_true(slx_gelu(-FLT_MAX, &y) && slx_f32_bits(y) == 0);
    assert_true(slx_gelu(-1, &y) && fabs(y + 0.158808) < 1e-6); /* the published table of the tanh form */
    assert_false(slx_gelu(INFINITY, &y));
    assert_false(slx_gelu(NAN, &y));
}

static void test_tanh(void **state)
{
    (void)state;
    slx_rng r = {6};
    float y, z;
    for (int i = 0; i < 300000; i++) {
        float x = i & 1 ? (float)(slx_rng_f64(&r) * 20 - 10) : near_exponent(&r, 120, 12);
        assert_true(slx_tanh(x, &y) && slx_tanh(-x, &z) && y == -z);
        assert_true(fabsl(y - tanhl(x)) < 1.5e-7L);
    }
    assert_true(slx_tanh(9.5f, &y) && y == 1);
    assert_true(slx_tanh(-FLT_MAX, &y) && y == -1);
}

/* Rounded once by an arbitrary-precision library. */
static void test_constants(void **state)
{
    (void)state;
    assert_int_equal(slx_f32_bits(slx_const_recip(3)), 0x3eaaaaab);
    assert_int_equal(slx_f32_bits(slx_const_recip(576)), 0x3ae38e39);
    assert_int_equal(slx_f32_bits(slx_const_recip(49152)), 0x37aaaaab);
    assert_int_equal(slx_f32_bits(slx_const_attn_scale(64)), 0x3e38aa3b);
    assert_int_equal(slx_f32_bits(slx_const_attn_scale(80)), 0x3e252b5c);
    assert_int_equal(slx_f32_bits(slx_const_attn_scale(128)), 0x3e0293ee);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fma),          cmocka_unit_test(test_formats),
        cmocka_unit_test(test_rne_int),      cmocka_unit_test(test_exp),
        cmocka_unit_test(test_silu_sigmoid), cmocka_unit_test(test_gelu), cmocka_unit_test(test_tanh),
        cmocka_unit_test(test_constants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
