/* test_num_quant.c - MXINT8 by its rule (hand-worked values), its promise (|q| <= 127, largest >=
 * 64) over every mantissa, and its error (half a step).
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "num/num.h"

static void test_by_hand(void **state)
{
    (void)state;
    /* amax = 1: E = 127, q = x * 64, ties to even. */
    float x[] = {1, -1, 0.5f, 0.0234375f, 0.0078125f, -0.0390625f, 0.01f, -0.0f};
    int8_t want[] = {64, -64, 32, 2, 0, -2, 1, 0}, q[32];
    uint8_t s;
    assert_true(slx_quantise_mxint8(x, 8, q, &s));
    assert_int_equal(s, 127);
    assert_memory_equal(q, want, 8);
    /* Up to 127.5 steps stay in the binade, from there the scale grows. */
    float top = slx_f32_from(0x3ffeffff);
    assert_true(slx_quantise_mxint8(&top, 1, q, &s) && s == 127 && q[0] == 127);
    top = slx_f32_from(0xbfff0000);
    assert_true(slx_quantise_mxint8(&top, 1, q, &s) && s == 128 && q[0] == -64);
}

static void test_range(void **state)
{
    (void)state;
    int8_t q[32];
    uint8_t s = 1;
    float x[32] = {0};
    assert_true(slx_quantise_mxint8(x, 32, q, &s) && s == 127 && q[0] == 0);
    assert_true(slx_import_mxint8(x, 32, q, &s) && s == 0);
    x[5] = -0x1p-57f; /* E = 70 */
    assert_true(slx_quantise_mxint8(x, 32, q, &s) && s == 70 && q[5] == -64);
    assert_true(slx_import_mxint8(x, 32, q, &s) && s == 70 && q[5] == -64);
    x[5] = nextafterf(0x1.fep-58f, 0); /* E = 69: nothing left */
    assert_true(slx_quantise_mxint8(x, 32, q, &s) && s == 127 && q[5] == 0);
    assert_true(slx_import_mxint8(x, 32, q, &s) && s == 0);
    x[5] = nextafterf(0x1.fep63f, 0); /* E = 190 */
    assert_true(slx_quantise_mxint8(x, 32, q, &s) && s == 190 && q[5] == 127);
    static const float bad[] = {0x1.fep63f, -FLT_MAX, INFINITY, -INFINITY, NAN};
    for (int i = 0; i < 5; i++) {
        x[5] = bad[i];
        assert_false(slx_quantise_mxint8(x, 32, q, &s));
        assert_false(slx_quantise_row(x, 32, q, &s));
        assert_false(slx_import_mxint8(x, 32, q, &s));
    }
}

/* Every mantissa as the largest of its block, at the ends and the middle of the range. */
static void test_every_amax(void **state)
{
    (void)state;
    static const uint32_t exponents[] = {70, 127, 189};
    for (int k = 0; k < 3; k++)
        for (uint32_t m = 0; m < 1u << 23; m++) {
            float x = slx_f32_from(exponents[k] << 23 | m | m << 31);
            int8_t q;
            uint8_t s;
            bool ok = slx_quantise_mxint8(&x, 1, &q, &s);
            int mag = q < 0 ? -q : q;
            if (!ok || mag > 127 || mag < 64 || s < exponents[k] || s > exponents[k] + 1)
                fail_msg("%a: code %d scale %u", x, q, s);
        }
}

static void test_error(void **state)
{
    (void)state;
    slx_rng r = {7};
    float x[77];
    for (int i = 0; i < 20000; i++) {
        uint32_t n = 1 + slx_rng_below(&r, 77), nb = (n + 31) / 32;
        int8_t q[96];
        uint8_t s[3];
        for (uint32_t k = 0; k < n; k++)
            x[k] = (float)ldexp(slx_rng_f64(&r) - 0.5, (int)slx_rng_below(&r, 20));
        memset(q, 99, sizeof q);
        assert_true(slx_quantise_row(x, n, q, s));
        for (uint32_t k = 0; k < nb * 32; k++) {
            if (k >= n) {
                assert_int_equal(q[k], 0);
                continue;
            }
            double step = ldexp(1, s[k / 32] - 133), v = slx_mxint8_value(q[k], s[k / 32]);
            assert_true(v == q[k] * step);
            assert_true(fabs(v - x[k]) <= step / 2);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_every_amax),
        cmocka_unit_test(test_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
