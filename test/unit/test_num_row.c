/* test_num_row.c - sums over 32 lanes, RMSNorm, rotation, softmax of a chunk and the algebra of
 * attention states, against a second formulation with equal bits or against long double.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "num/num.h"

enum { MAX = 800 };

static void fill(slx_rng *r, float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] = (float)ldexp(slx_rng_f64(r) - 0.5, (int)slx_rng_below(r, 12));
}

/* Lane l of width w: the sum of lanes l and l + w of width 2w; width 32 folds the row. */
static float lane(const float *x, uint32_t n, uint32_t l, uint32_t w, bool square)
{
    if (w < 32) return lane(x, n, l, 2 * w, square) + lane(x, n, l + w, 2 * w, square);
    float acc = 0;
    for (uint32_t i = l; i < n; i += 32) acc = square ? fmaf(x[i], x[i], acc) : acc + x[i];
    return acc;
}

static void test_sums(void **state)
{
    (void)state;
    slx_rng r = {1};
    float x[MAX], sum;
    for (uint32_t n = 0; n < MAX; n++) {
        fill(&r, x, n);
        long double exact = 0, mag = 0;
        for (uint32_t i = 0; i < n; i++) exact += x[i], mag += fabsf(x[i]);
        assert_true(slx_row_sum(x, n, &sum));
        assert_int_equal(slx_f32_bits(sum), slx_f32_bits(lane(x, n, 0, 1, false)));
        assert_true(fabsl(sum - exact) <= mag * (n / 32 + 6) * 0x1p-24L);
        assert_true(slx_row_sumsq(x, n, &sum));
        assert_int_equal(slx_f32_bits(sum), slx_f32_bits(lane(x, n, 0, 1, true)));
    }
    float big[64] = {[3] = FLT_MAX, [35] = FLT_MAX};
    assert_false(slx_row_sum(big, 64, &sum));
    assert_false(slx_row_sumsq(big, 64, &sum));
}

static void test_extremes(void **state)
{
    (void)state;
    float x[] = {-3, -0.0f, -1, -0.0f}, y[] = {-7, 2, 5, 5, -9};
    assert_int_equal(slx_f32_bits(slx_row_max(x, 4)), 0);
    assert_int_equal(slx_row_argmax(x, 4), 1);
    assert_true(slx_row_amax(x, 4) == 3);
    assert_true(slx_row_max(y, 5) == 5 && slx_row_amax(y, 5) == 9);
    assert_int_equal(slx_row_argmax(y, 5), 2);
    float z[] = {-0.0f, 0};
    assert_int_equal(slx_row_argmax(z, 2), 0); /* -0 = +0 */
}

static void test_layernorm(void **state)
{
    (void)state;
    slx_rng r = {31};
    for (uint32_t n = 1; n < 300; n += 7) {
        float x[300], w[300], y[300], in_place[300];
        long double mean = 0, var = 0;
        for (uint32_t i = 0; i < n; i++) {
            x[i] = (float)(slx_rng_f64(&r) * 4 - 1), w[i] = (float)(slx_rng_f64(&r) + 0.5);
            mean += x[i];
        }
        mean /= n;
        for (uint32_t i = 0; i < n; i++) var += (x[i] - mean) * (x[i] - mean);
        assert_true(slx_layernorm(x, w, 1e-5f, n, y));
        for (uint32_t i = 0; i < n; i++) {
            long double want = (x[i] - mean) / sqrtl(var / n + 1e-5L) * w[i];
            assert_true(fabsl(y[i] - want) < 4e-6L);
        }
        memcpy(in_place, x, sizeof x);
        assert_true(slx_layernorm(in_place, w, 1e-5f, n, in_place));
        assert_memory_equal(in_place, y, n * sizeof *y);
    }
    /* by hand: 1 and 3 have mean 2 and variance 1 */
    const float two[2] = {1, 3}, w[2] = {1, 10}, same[3] = {5, 5, 5}, one[3] = {1, 1, 1};
    float y[3];
    assert_true(slx_layernorm(two, w, 0, 2, y) && y[0] == -1 && y[1] == 10);
    assert_false(slx_layernorm(same, one, 0, 3, y)); /* 1/0 */
    assert_true(slx_layernorm(same, one, 1e-5f, 3, y) && y[0] == 0);
}

static void test_rmsnorm(void **state)
{
    (void)state;
    slx_rng r = {2};
    float x[MAX], w[MAX], y[MAX];
    for (uint32_t n = 1; n < MAX; n += 7) {
        fill(&r, x, n), fill(&r, w, n);
        assert_true(slx_rmsnorm(x, w, 1e-5f, n, y));
        long double sumsq = 0;
        for (uint32_t i = 0; i < n; i++) sumsq += (long double)x[i] * x[i];
        for (uint32_t i = 0; i < n; i++) {
            long double want = x[i] / sqrtl(sumsq / n + 1e-5f) * w[i];
            assert_true(fabsl(y[i] - want) <= fabsl(want) * (n / 32 + 12) * 0x1p-24L);
        }
    }
    float zero[8] = {0};
    assert_true(slx_rmsnorm(zero, w, 1e-5f, 8, y) && y[0] == 0);
    assert_false(slx_rmsnorm(zero, w, 0, 8, y));     /* 1/0 */
    assert_false(slx_rmsnorm(zero, w, -1e-5f, 8, y)); /* root of a negative */
    x[0] = FLT_MAX;
    assert_false(slx_rmsnorm(x, w, 1e-5f, 8, y));
}

static void test_rope_row(void **state)
{
    (void)state;
    slx_rng r = {3};
    float x[96], cs[64], y[96];
    for (int t = 0; t < 500; t++) {
        uint32_t n_rot = 2 * slx_rng_below(&r, 33), n = n_rot + slx_rng_below(&r, 30), half = n_rot / 2;
        bool inter = t % 2;
        fill(&r, x, n);
        for (uint32_t i = 0; i < half; i++) {
            double a = slx_rng_f64(&r) * 7;
            cs[2 * i] = (float)cos(a), cs[2 * i + 1] = (float)sin(a);
        }
        assert_true(slx_rope_row(x, cs, n, n_rot, inter, y));
        for (uint32_t i = 0; i < half; i++) {
            uint32_t p = inter ? 2 * i : i, q = inter ? 2 * i + 1 : i + half;
            float bs = x[q] * cs[2 * i + 1], bc = x[q] * cs[2 * i];
            assert_true(y[p] == fmaf(x[p], cs[2 * i], -bs));
            assert_true(y[q] == fmaf(x[p], cs[2 * i + 1], bc));
        }
        for (uint32_t i = n_rot; i < n; i++) assert_true(y[i] == x[i]);
        assert_true(slx_rope_row(x, cs, n, n_rot, inter, x)); /* in place */
        assert_memory_equal(x, y, n * sizeof *x);
    }
}

static void test_softmax_chunk(void **state)
{
    (void)state;
    slx_rng r = {4};
    float t[128], p[128], y;
    slx_attn_state st;
    for (int k = 0; k < 3000; k++) {
        uint32_t n = 1 + slx_rng_below(&r, 128), lo = slx_rng_below(&r, n), hi = lo + 1 + slx_rng_below(&r, n);
        fill(&r, t, n);
        assert_true(slx_softmax_chunk(t, n, lo, hi, p, &st));
        double top = -1e30;
        for (uint32_t j = lo; j < hi && j < n; j++) top = t[j] > top ? t[j] : top;
        assert_true(st.m == ceil(top) && !signbit(st.m == 0 ? st.m : 0));
        for (uint32_t j = 0; j < n; j++) {
            y = 0;
            if (j >= lo && j < hi) assert_true(slx_exp2(t[j] - st.m, &y));
            assert_int_equal(slx_f32_bits(p[j]), slx_f32_bits(y));
        }
        assert_int_equal(slx_f32_bits(st.l), slx_f32_bits(lane(p, n, 0, 1, false)));
        assert_true(st.l > 0.49f);
    }
    assert_true(slx_softmax_chunk(t, 16, 3, 3, p, &st) && st.m == -0x1p30f && slx_f32_bits(st.l) == 0);
    for (int j = 0; j < 16; j++) assert_int_equal(slx_f32_bits(p[j]), 0);
    t[0] = -0.25f, t[1] = NAN; /* excluded columns are not looked at */
    assert_true(slx_softmax_chunk(t, 2, 0, 1, p, &st) && slx_f32_bits(st.m) == 0);
    assert_false(slx_softmax_chunk(t, 2, 0, 2, p, &st));
    t[0] = 0x1p22f;
    assert_true(slx_softmax_chunk(t, 1, 0, 1, p, &st));
    t[0] = 0x1p22f + 1;
    assert_false(slx_softmax_chunk(t, 1, 0, 1, p, &st));
    t[0] = -0x1p22f - 1;
    assert_false(slx_softmax_chunk(t, 1, 0, 1, p, &st));
}

static float power(float x) /* 2^x; nothing below 2^-126 */
{
    return x < -126 ? 0 : exp2f(x);
}

/* Chunks merged one after another give softmax-weighted values; empty ones change no bit. */
static void test_merge(void **state)
{
    (void)state;
    enum { D = 8, CHUNKS = 5, C = 128 };
    slx_rng r = {5};
    for (int k = 0; k < 200; k++) {
        static float t[CHUNKS * C], v[CHUNKS * C][D];
        fill(&r, t, CHUNKS * C), fill(&r, v[0], CHUNKS * C * D);
        if (k % 3 == 0) /* rising scores: every merge rescales */
            for (int j = 0; j < CHUNKS * C; j++) t[j] = (float)j * 0.3f;
        slx_attn_state st, st2, empty;
        float o[D], o2[D], zero[D], p[C];
        slx_attn_empty(&st, o, D), slx_attn_empty(&empty, zero, D);
        assert_true(slx_attn_final(&st, o, D) && o[0] == 0);
        for (int c = 0; c < CHUNKS; c++) {
            assert_true(slx_softmax_chunk(t + c * C, C, 0, C, p, &st2));
            for (int i = 0; i < D; i++) {
                o2[i] = 0;
                for (int j = 0; j < C; j++) o2[i] = fmaf(p[j], v[c * C + j][i], o2[i]);
            }
            slx_attn_state before = st;
            float was[D];
            memcpy(was, o, sizeof o);
            assert_true(slx_attn_merge(&st, o, &st2, o2, D));
            float m = before.m > st2.m ? before.m : st2.m;
            float w1 = power(before.m - m), w2 = power(st2.m - m);
            assert_true(st.m == m && st.l == fmaf(before.l, w1, st2.l * w2));
            for (int i = 0; i < D; i++) assert_true(o[i] == fmaf(was[i], w1, o2[i] * w2));
            memcpy(was, o, sizeof o);
            before = st;
            assert_true(slx_attn_merge(&st, o, &empty, zero, D));
            assert_memory_equal(was, o, sizeof o);
            assert_memory_equal(&before, &st, sizeof st);
        }
        assert_true(slx_attn_final(&st, o, D));
        long double top = -1e30L, sum = 0, want[D] = {0}, mag[D] = {0};
        for (int j = 0; j < CHUNKS * C; j++) top = t[j] > top ? t[j] : top;
        for (int j = 0; j < CHUNKS * C; j++) {
            long double w = exp2l(t[j] - top);
            sum += w;
            for (int i = 0; i < D; i++) want[i] += w * v[j][i], mag[i] += w * fabsf(v[j][i]);
        }
        for (int i = 0; i < D; i++) assert_true(fabsl(o[i] - want[i] / sum) <= mag[i] / sum * 2e-5L);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),     cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_layernorm), cmocka_unit_test(test_rmsnorm),  cmocka_unit_test(test_rope_row),
        cmocka_unit_test(test_softmax_chunk), cmocka_unit_test(test_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
