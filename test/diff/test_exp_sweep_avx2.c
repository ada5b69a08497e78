/* test_exp_sweep_avx2.c - exp2 and exp over every finite float, against a double-precision
 * reference, within the ulp stated in docs/numerics.md.
 *
 * 2^32 inputs a function are too many one at a time, so the eight-lane form is swept; it is held
 * against the definition on one group in sixteen on the way (test_kern does so at random). Inputs
 * whose answer is +0 or FAULT all go through the definition itself.
 *
 * At the lower end of exp the argument may round up to h = -126 though the true value is below
 * 2^-126. The polynomial is then just below 1 and the integer sum of 4.4 leaves a subnormal, with an
 * error of its own: these few inputs are counted apart.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "num/vec_avx2.h"

enum { THREADS = 2, DEGREE = 13 };

typedef struct {
    bool natural; /* exp, else exp2 */
    int member;
    double worst; /* ulp */
    uint32_t worst_at, mismatches, wrong_range;
    double worst_subnormal;
    uint32_t subnormal;
} sweep;

/* e^r, |r| <= 0.35: Taylor; what is left out is below 2^-57. */
static __m256d exp_small(__m256d r)
{
    double c[DEGREE + 1] = {1};
    for (int i = 1; i <= DEGREE; i++) c[i] = c[i - 1] / i;
    __m256d p = _mm256_set1_pd(c[DEGREE]);
    for (int i = DEGREE - 1; i >= 0; i--) p = _mm256_fmadd_pd(p, r, _mm256_set1_pd(c[i]));
    return p;
}

/* Error of y as an approximation of e^x or 2^x, in ulp of the true value. */
static __m256d error_ulp(bool natural, __m128 xf, __m128 yf)
{
    __m256d x = _mm256_cvtps_pd(xf), y = _mm256_cvtps_pd(yf), k, r;
    const int near = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    if (natural) {
        k = _mm256_round_pd(_mm256_mul_pd(x, _mm256_set1_pd(0x1.71547652b82fep0)), near);
        r = _mm256_fnmadd_pd(k, _mm256_set1_pd(0x1.62e42fefa39efp-1), x);
        r = _mm256_fnmadd_pd(k, _mm256_set1_pd(0x1.abc9e3b39803fp-56), r);
    } else {
        k = _mm256_round_pd(x, near);
        r = _mm256_mul_pd(_mm256_sub_pd(x, k), _mm256_set1_pd(0x1.62e42fefa39efp-1));
    }
    __m256d p = exp_small(r);
    __m256i e = _mm256_cvtepi32_epi64(_mm256_cvtpd_epi32(k));
    __m256i down = _mm256_slli_epi64(_mm256_sub_epi64(_mm256_set1_epi64x(1023), e), 52);
    y = _mm256_mul_pd(y, _mm256_castsi256_pd(down)); /* y / 2^k, exact */
    /* One ulp, in units of 2^k: 2^-24 below 1, but never less than the smallest subnormal. */
    __m256d small = _mm256_and_pd(_mm256_cmp_pd(p, _mm256_set1_pd(1), _CMP_LT_OQ),
                                  _mm256_cmp_pd(k, _mm256_set1_pd(-126), _CMP_GT_OQ));
    __m256d per_ulp = _mm256_blendv_pd(_mm256_set1_pd(0x1p23), _mm256_set1_pd(0x1p24), small);
    __m256d diff = _mm256_andnot_pd(_mm256_set1_pd(-0.0), _mm256_sub_pd(y, p));
    return _mm256_mul_pd(diff, per_ulp);
}

static bool define(bool natural, float x, float *y)
{
    return natural ? slx_exp(x, y) : slx_exp2(x, y);
}

static bool in_range(bool natural, float x)
{
    float h = natural ? x * slx_f32_from(SLX_EXP_L) : x;
    return h >= -126 && h < 128;
}

static void judge(sweep *s, uint32_t bits, float y, double e)
{
    if (slx_f32_bits(y) < 0x00800000) {
        s->subnormal++;
        if (!(e <= s->worst_subnormal)) s->worst_subnormal = e;
    } else if (!(e <= s->worst)) {
        s->worst = e;
        s->worst_at = bits;
    }
}

static void group(sweep *s, uint32_t bits, bool compare)
{
    __m256i b = _mm256_add_epi32(_mm256_set1_epi32((int)bits),
                                 _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    __m256 x = _mm256_castsi256_ps(b);
    __m256 y = s->natural ? v8_exp(x, _mm256_mul_ps(x, v8_bits(SLX_EXP_L))) : v8_exp2(x);
    __m256d e0 = error_ulp(s->natural, _mm256_castps256_ps128(x), _mm256_castps256_ps128(y));
    __m256d e1 = error_ulp(s->natural, _mm256_extractf128_ps(x, 1), _mm256_extractf128_ps(y, 1));
    __m256d limit = _mm256_set1_pd(s->worst);
    __m256d above = _mm256_cmp_pd(_mm256_max_pd(e0, e1), limit, _CMP_NLE_UQ);
    __m256i tiny = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x00800000), _mm256_castps_si256(y));
    if (_mm256_movemask_pd(above) || !v8_none(tiny)) {
        double e[8];
        _mm256_storeu_pd(e, e0);
        _mm256_storeu_pd(e + 4, e1);
        float v[8];
        _mm256_storeu_ps(v, y);
        for (uint32_t i = 0; i < 8; i++) judge(s, bits + i, v[i], e[i]);
    }
    if (compare) {
        float out[8], want;
        _mm256_storeu_ps(out, y);
        for (uint32_t i = 0; i < 8; i++)
            if (!define(s->natural, slx_f32_from(bits + i), &want) ||
                slx_f32_bits(want) != slx_f32_bits(out[i]))
                s->mismatches++;
    }
}

/* A group of eight neighbours is inside, or all outside, or goes one by one. */
static void *member(void *arg)
{
    sweep *s = arg;
    for (uint64_t g = (uint64_t)s->member; g < UINT64_C(1) << 29; g += THREADS) {
        uint32_t bits = (uint32_t)(g * 8);
        if ((bits & 0x7f800000) == 0x7f800000) continue;
        float first = slx_f32_from(bits), last = slx_f32_from(bits + 7), y;
        if (in_range(s->natural, first) && in_range(s->natural, last)) {
            group(s, bits, g / THREADS % 16 == 0);
            continue;
        }
        for (uint32_t i = 0; i < 8; i++) {
            float x = slx_f32_from(bits + i);
            if (in_range(s->natural, x)) {
                float e[4];
                double d[4];
                if (!define(s->natural, x, &y)) s->wrong_range++;
                e[0] = e[1] = e[2] = e[3] = x;
                _mm256_storeu_pd(d, error_ulp(s->natural, _mm_loadu_ps(e), _mm_set1_ps(y)));
                judge(s, bits + i, y, d[0]);
            } else {
                y = 1;
                bool ok = define(s->natural, x, &y);
                if (x > 0 ? ok : !ok || slx_f32_bits(y) != 0) s->wrong_range++;
            }
        }
    }
    return NULL;
}

static void run(bool natural, double stated_ulp)
{
    if (!slx_kern_at(SLX_CPU_AVX2)) skip();
    sweep s[THREADS];
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++) {
        s[i] = (sweep){.natural = natural, .member = i};
        assert_int_equal(pthread_create(&t[i], NULL, member, &s[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    uint32_t subnormal = 0;
    for (int i = 0; i < THREADS; i++) {
        print_message("%s: worst %.5f ulp at %08x; %u subnormal results, worst %.2f ulp\n",
                      natural ? "exp" : "exp2", s[i].worst, s[i].worst_at, s[i].subnormal,
                      s[i].worst_subnormal);
        assert_int_equal(s[i].mismatches, 0);
        assert_int_equal(s[i].wrong_range, 0);
        assert_true(s[i].worst <= stated_ulp);
        assert_true(s[i].worst > 0.5); /* the reference is not the function itself */
        assert_true(s[i].worst_subnormal <= 26);
        subnormal += s[i].subnormal;
    }
    assert_true(natural ? subnormal <= 1 : subnormal == 0);
}

static void test_exp2(void **state)
{
    (void)state;
    run(false, 0.993);
}

static void test_exp(void **state)
{
    (void)state;
    run(true, 1.105);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exp2), cmocka_unit_test(test_exp)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
