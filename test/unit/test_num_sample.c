/* test_num_sample.c - philox against its authors' published answers, top-k against sorting, draws
 * against the distribution they stand for.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "num/num.h"

static void test_philox(void **state)
{
    (void)state;
    /* Known answers of philox4x32-10 in Random123: counter, key, result. */
    static const struct { uint32_t ctr[4], key[2], want[4]; } kat[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof kat / sizeof *kat; i++) {
        uint32_t out[4];
        slx_philox4x32_10(kat[i].key, kat[i].ctr, out);
        assert_memory_equal(out, kat[i].want, sizeof out);
    }
}

typedef struct { float v; uint32_t i; } item;

static int larger_first(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->v != y->v) return x->v > y->v ? -1 : 1;
    return x->i < y->i ? -1 : x->i > y->i;
}

static void test_topk(void **state)
{
    (void)state;
    enum { MAX = 300 };
    slx_rng r = {1};
    float x[MAX], val[MAX];
    item it[MAX];
    uint32_t idx[MAX];
    for (int t = 0; t < 5000; t++) {
        uint32_t n = slx_rng_below(&r, MAX), k = slx_rng_below(&r, t % 3 ? 20 : MAX), base = (uint32_t)t;
        for (uint32_t i = 0; i < n; i++) {
            x[i] = t % 2 ? (float)slx_rng_below(&r, 7) - 3 : (float)slx_rng_f64(&r);
            if (x[i] == 0 && slx_rng_below(&r, 2)) x[i] = -0.0f;
            it[i] = (item){x[i], i};
        }
        qsort(it, n, sizeof *it, larger_first);
        slx_topk(x, n, k, base, val, idx);
        for (uint32_t i = 0; i < k; i++) {
            assert_int_equal(idx[i], i < n ? base + it[i].i : UINT32_MAX);
            assert_int_equal(slx_f32_bits(val[i]), slx_f32_bits(i < n ? x[it[i].i] : -FLT_MAX));
        }
    }
}

enum { N = 6 };
static const float logits[N] = {3, 2.5f, 2.5f, 1, 0, -4};

static void draw(slx_sample_params p, long count[N], long draws)
{
    memset(count, 0, N * sizeof *count);
    for (long i = 0; i < draws; i++) {
        uint32_t c = 99;
        p.position = (uint32_t)i;
        assert_true(slx_sample(logits, N, &p, &c));
        assert_in_range(c, 0, N - 1);
        count[c]++;
    }
}

/* softmax(logits / 0.8) over the first `kept`; five standard deviations. */
static void fits(const long count[N], int kept, long draws)
{
    double w[N], sum = 0;
    for (int i = 0; i < kept; i++) sum += w[i] = exp((logits[i] - logits[0]) / 0.8);
    for (int i = 0; i < N; i++) {
        double p = i < kept ? w[i] / sum : 0, sd = sqrt(draws * p * (1 - p));
        if (fabs((double)count[i] - draws * p) > 5 * sd + 1e-9)
            fail_msg("candidate %d drawn %ld times, expected %.0f +- %.0f", i, count[i], draws * p, sd);
    }
}

static void test_draws(void **state)
{
    (void)state;
    const long n = 200000;
    long count[N];
    slx_sample_params p = {.seed = 12345, .c = (float)(1.4426950408889634 / 0.8), .top_p = 1};
    draw(p, count, n), fits(count, 6, n);
    p.top_k = 3;
    draw(p, count, n), fits(count, 3, n);
    p.top_k = 0, p.min_p = 0.05f; /* w: 1, .535, .535, .082, .0235, .0002 */
    draw(p, count, n), fits(count, 4, n);
    p.min_p = 0, p.top_p = 0.9f; /* of 2.176: the first three make 2.070, two 1.535 */
    draw(p, count, n), fits(count, 3, n);
    p.top_p = 1e-6f;
    draw(p, count, 1000);
    assert_int_equal(count[0], 1000);
    p.top_p = 1, p.top_k = 1;
    draw(p, count, 1000);
    assert_int_equal(count[0], 1000);
}

/* One draw worked out by hand: zeros in key and counter give word 0x6627e8d5, u = 0.39904. */
static void test_one_draw(void **state)
{
    (void)state;
    float two[] = {1, 1}, five[] = {0, 0, 0, 0, 0};
    slx_sample_params p = {.c = 1, .top_p = 1};
    uint32_t c;
    assert_true(slx_sample(two, 2, &p, &c) && c == 0);  /* 0.798 of 2 */
    assert_true(slx_sample(five, 5, &p, &c) && c == 1); /* 1.995 of 5 */
}

/* Limits that are met exactly: weights 1, 1/2, 1/2, 1/4. */
static void test_ties(void **state)
{
    (void)state;
    float v[] = {0, -1, -1, -2};
    uint32_t c, top = 0, top_p = 0;
    for (uint32_t i = 0; i < 500; i++) {
        slx_sample_params p = {.seed = 3, .position = i, .c = 1, .top_p = 1, .min_p = 0.5f};
        assert_true(slx_sample(v, 4, &p, &c));
        top = c > top ? c : top;
        p.min_p = 0, p.top_k = 3, p.top_p = 0.75f; /* 1 + 1/2 is three quarters of 2 */
        assert_true(slx_sample(v, 4, &p, &c));
        top_p = c > top_p ? c : top_p;
    }
    assert_int_equal(top, 2);
    assert_int_equal(top_p, 1);
}

static void test_edges(void **state)
{
    (void)state;
    float v[] = {20, 19, -FLT_MAX, -FLT_MAX};
    slx_sample_params p = {.seed = 9, .c = 100, .top_p = 1};
    uint32_t c, other = 0;
    for (uint32_t i = 0; i < 1000; i++) { /* a missing candidate is never drawn, at any temperature */
        p.position = i;
        p.c = i % 2 ? 100 : 0.01f;
        assert_true(slx_sample(v, 4, &p, &c));
        assert_true(c < 2);
        other += c;
    }
    assert_true(other > 100);
    assert_false(slx_sample(v, 0, &p, &c));
    slx_sample_params q = {.seed = 1, .stream = 1, .c = 1, .top_p = 1}, s = q;
    s.stream = 2;
    uint32_t differ = 0, again;
    for (uint32_t i = 0; i < 100; i++) {
        q.position = s.position = i;
        assert_true(slx_sample(logits, N, &q, &c) && slx_sample(logits, N, &q, &again) && c == again);
        assert_true(slx_sample(logits, N, &s, &again));
        differ += c != again;
    }
    assert_true(differ > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_philox),   cmocka_unit_test(test_topk), cmocka_unit_test(test_draws),
        cmocka_unit_test(test_one_draw), cmocka_unit_test(test_edges), cmocka_unit_test(test_ties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
