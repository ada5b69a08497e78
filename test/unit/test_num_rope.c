/* test_num_rope.c - tables of cos and sin: correctly rounded by an arbitrary-precision library's
 * word (test/vectors/rope), and the quick table equal to its rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "num/num.h"

static void test_vectors(void **state)
{
    (void)state;
    FILE *f = fopen("test/vectors/rope/rope_cases.jsonl", "r");
    assert_non_null(f);
    char line[512];
    int n = 0;
    while (fgets(line, sizeof line, f)) {
        double base, divisor;
        unsigned n_rot, i, pos, c, s;
        assert_int_equal(sscanf(line,
                                "{\"base\": %lf, \"n_rot\": %u, \"i\": %u, \"pos\": %u, "
                                "\"divisor\": \"%lf\", \"cos\": \"%x\", \"sin\": \"%x\"}",
                                &base, &n_rot, &i, &pos, &divisor, &c, &s),
                         7);
        float div[64], row[128];
        for (unsigned k = 0; k < 64; k++) div[k] = k == i ? (float)divisor : 1;
        slx_rope_table_row(pos, base, n_rot, divisor == 1 ? NULL : div, row);
        if (slx_f32_bits(row[2 * i]) != c || slx_f32_bits(row[2 * i + 1]) != s)
            fail_msg("base %g n_rot %u i %u pos %u: %08x %08x, expected %08x %08x", base, n_rot, i,
                     pos, slx_f32_bits(row[2 * i]), slx_f32_bits(row[2 * i + 1]), c, s);
        n++;
    }
    fclose(f);
    assert_int_equal(n, 2007);
}

static void compare_table(uint64_t first, uint32_t count, double base, uint32_t n_rot,
                          const float *div)
{
    size_t floats = (size_t)count * n_rot;
    float *t = calloc(floats + 8, sizeof *t), row[128];
    assert_non_null(t);
    for (size_t k = floats; k < floats + 8; k++) t[k] = 42;
    slx_rope_table(first, count, base, n_rot, div, t);
    for (size_t k = floats; k < floats + 8; k++) assert_true(t[k] == 42);
    for (uint32_t p = 0; p < count; p++) {
        slx_rope_table_row(first + p, base, n_rot, div, row);
        assert_memory_equal(row, t + (size_t)p * n_rot, n_rot * sizeof *row);
    }
    free(t);
}

static void test_table_equals_rows(void **state)
{
    (void)state;
    float div[32];
    for (int i = 0; i < 32; i++) div[i] = i < 8 ? 1 : i < 20 ? 1 + (float)i * 0.37f : 8;
    compare_table(0, 1500, 100000, 64, NULL);
    compare_table(0, 200, 10000, 128, NULL);
    compare_table(130900, 172, 500000, 64, div);
    compare_table(77, 1, 1e6, 16, NULL);
    compare_table(UINT64_C(1048500), 130, 1e6, 18, NULL);
    compare_table(5, 0, 10000, 32, NULL);
    /* Blocks of 64 with an entry so near a tie that the short cut alone would miss it. */
    compare_table(54400, 64, 100000, 128, NULL);
    compare_table(97344, 64, 2e6, 64, NULL);
    compare_table(108864, 64, 2e6, 64, NULL);
    compare_table(30336, 64, 1e7, 96, NULL);
    compare_table(37696, 64, 25000, 64, NULL);
    compare_table(107200, 64, 50000, 64, NULL);
}

/* The table of the default model is made at every start. */
static void test_speed(void **state)
{
    (void)state;
    float *t = malloc((size_t)8192 * 64 * sizeof *t);
    assert_non_null(t);
    double best = 1e9;
    for (int i = 0; i < 3; i++) {
        double t0 = slx_now_s();
        slx_rope_table(0, 8192, 100000, 64, NULL, t);
        double s = slx_now_s() - t0;
        if (s < best) best = s;
    }
    free(t);
    print_message("table of 8192 positions x 32 pairs: %.1f ms\n", best * 1e3);
    assert_true(best < 1.0); /* a guard against the long way for every entry, not a benchmark */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_table_equals_rows),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
