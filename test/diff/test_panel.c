/* test_panel.c - panels at every level the host has, against the chain and tree of chip.md 4.2, bit
 * for bit, and the definition slx_dot as well.
 *
 * The reference here reads the ISA's own layout and is written from the specification, with fma of
 * the C library, so it shares nothing with the panels. SLX_KERN_N: number of outputs to compare for
 * each level (default 40000).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "num/panel.h"

enum { GUARD = 64, GUARD_BYTE = 0xa5 };

static bool host_has(slx_cpu level)
{
    return slx_kern_at(level) != NULL;
}

/* ------------------------------------------------------------------ reference */

static float half_value(uint16_t h)
{
    int e = h >> 10 & 31;
    double x = e ? ldexp(1024 + (h & 1023), e - 25) : ldexp(h & 1023, -24);
    return (float)(h & 0x8000 ? -x : x);
}

typedef struct {
    slx_num_fmt fmt;
    uint32_t n, kblk;
    uint8_t *codes;  /* [n][16 or 32 * kblk] */
    uint8_t *e;      /* [n][kblk], MXINT8 */
    uint16_t *d, *m; /* [n][kblk] */
} weights;

static size_t code_bytes(slx_num_fmt f)
{
    return f == SLX_NF_Q4S || f == SLX_NF_Q4SM ? 16 : 32;
}

static int element(const weights *w, uint32_t n, uint32_t b, int k)
{
    const uint8_t *c = w->codes + ((size_t)n * w->kblk + b) * code_bytes(w->fmt);
    switch (w->fmt) {
    case SLX_NF_Q4SM: return c[k / 2] >> (k % 2 * 4) & 15;
    case SLX_NF_Q4S: return (c[k / 2] >> (k % 2 * 4) & 15) - 8;
    default: return (int8_t)c[k];
    }
}

static float node(const weights *w, uint32_t n, const int8_t *a, const uint8_t *as, uint32_t lo,
                  uint32_t hi, unsigned g)
{
    if (g > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        float left = node(w, n, a, as, lo, mid, g / 2);
        return left + node(w, n, a, as, mid, hi, g / 2);
    }
    float acc = 0;
    for (uint32_t b = lo; b < hi; b++) {
        size_t at = (size_t)n * w->kblk + b;
        int sum = 0, asum = 0;
        for (int k = 0; k < 32; k++) {
            sum += a[b * 32 + k] * element(w, n, b, k);
            asum += a[b * 32 + k];
        }
        float sa = as[b] ? ldexpf(1, as[b] - 133) : 0, s;
        if (w->fmt == SLX_NF_MXINT8)
            s = as[b] && w->e[at] ? ldexpf(1, as[b] + w->e[at] - 266) : 0;
        else
            s = half_value(w->d[at]) * sa;
        acc = fmaf((float)sum, s, acc);
        if (w->fmt == SLX_NF_Q4SM) acc = fmaf((float)asum, half_value(w->m[at]) * sa, acc);
    }
    return acc;
}

/* ------------------------------------------------------------------ data */

static uint16_t random_half(slx_rng *r)
{
    static const uint16_t edge[] = {0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x7bff, 0xfbff, 0x3c00};
    if (slx_rng_below(r, 4) == 0) return edge[slx_rng_below(r, sizeof edge / sizeof *edge)];
    uint16_t h = (uint16_t)slx_rng_below(r, 0x10000);
    return (h & 0x7c00) == 0x7c00 ? (uint16_t)(h & 0xbfff) : h;
}

/* Scale codes 0 and 70..top; two factors of 190 would leave the range of floats. */
static uint8_t random_e(slx_rng *r, uint32_t top)
{
    uint32_t k = slx_rng_below(r, 16);
    if (k < 3) return (uint8_t)(k == 0 ? 0 : k == 1 ? 70 : top);
    return (uint8_t)(k < 6 ? 70 + slx_rng_below(r, top - 69) : 120 + slx_rng_below(r, 14));
}

/* Largest sums must not wrap anywhere: whole rows of extreme codes are as frequent as random ones.
 * */
static void random_codes(slx_rng *r, uint8_t *c, size_t n, size_t block)
{
    static const uint8_t edge[] = {0x80, 0x7f, 0x81, 0xff, 0x00, 0x0f, 0xf0};
    for (size_t i = 0; i < n; i += block) {
        uint32_t kind = slx_rng_below(r, 3);
        uint8_t fill = edge[slx_rng_below(r, sizeof edge)];
        for (size_t j = 0; j < block; j++)
            c[i + j] = kind == 0   ? fill
                       : kind == 1 ? edge[slx_rng_below(r, sizeof edge)]
                                   : (uint8_t)slx_rng_u64(r);
    }
}

static void *bytes(size_t n)
{
    return slx_xcalloc(n ? n : 1, 1);
}

static weights random_weights(slx_rng *r, slx_num_fmt fmt, uint32_t n, uint32_t kblk)
{
    size_t blocks = (size_t)n * kblk;
    weights w = {fmt,
                 n,
                 kblk,
                 bytes(blocks * code_bytes(fmt)),
                 bytes(blocks),
                 bytes(blocks * 2),
                 bytes(blocks * 2)};
    random_codes(r, w.codes, blocks * code_bytes(fmt), code_bytes(fmt));
    if (fmt == SLX_NF_MXINT8)
        for (size_t i = 0; i < blocks * 32; i++)
            w.codes[i] = w.codes[i] == 0x80 ? 0x81 : w.codes[i];
    for (size_t i = 0; i < blocks; i++) {
        w.e[i] = random_e(r, 150);
        w.d[i] = random_half(r);
        w.m[i] = random_half(r);
    }
    return w;
}

static void free_weights(weights *w)
{
    free(w->codes);
    free(w->e);
    free(w->d);
    free(w->m);
}

/* ------------------------------------------------------------------ comparison */

static void guard(uint8_t *p)
{
    memset(p, GUARD_BYTE, GUARD);
}
static void check_guard(const uint8_t *p)
{
    for (int i = 0; i < GUARD; i++) assert_int_equal(p[i], GUARD_BYTE);
}

/* Products of all panels in two calls of several panels each, rows put in two calls; guards round
 * every buffer. */
static void compare_with(slx_cpu level, bool extension, const weights *w, unsigned log2g,
                         const int8_t *a, const uint8_t *as, uint32_t rows, const float *want)
{
    slx_panels p;
    slx_panels_init(&p, w->fmt, level, w->n, w->kblk, log2g);
    p.vnni = p.vnni && extension;
    assert_int_equal((uintptr_t)p.data % 64, 0);
    assert_int_equal(p.panel_bytes % 64, 0);
    for (uint32_t i = 0; i < w->n; i++) {
        size_t at = (size_t)i * w->kblk;
        const void *scales = w->fmt == SLX_NF_MXINT8 ? (const void *)(w->e + at) : w->d + at;
        slx_panels_put(&p, i, w->codes + at * code_bytes(w->fmt), scales,
                       w->fmt == SLX_NF_Q4SM ? w->m + at : NULL);
    }
    size_t act_bytes = slx_act_bytes(level, rows, w->kblk),
           scratch_bytes = slx_panel_scratch_bytes(&p, rows);
    uint8_t *act_mem = slx_aalloc(act_bytes + 2 * GUARD),
            *scratch = slx_aalloc(scratch_bytes + 2 * GUARD);
    guard(act_mem);
    guard(act_mem + GUARD + act_bytes);
    guard(scratch);
    guard(scratch + GUARD + scratch_bytes);
    slx_act act = {level, rows, w->kblk, act_bytes, act_mem + GUARD};
    uint32_t first = rows > 8 ? rows / 2 / 8 * 8 + 8 : 0;
    if (first >= rows) first = 0;
    slx_act_put(&act, first, rows - first, a + (size_t)first * w->kblk * 32,
                as + (size_t)first * w->kblk);
    if (first) slx_act_put(&act, 0, first, a, as);

    size_t ldo = p.n_panels * SLX_PANEL_ROWS + 3;
    float *out = bytes((rows * ldo + 8) * 4);
    for (size_t i = 0; i < rows * ldo + 8; i++) out[i] = -12345.0f;
    float *o = out + 4;
    uint32_t half = p.n_panels / 2;
    if (half) slx_panel_mul(&p, &act, 0, half, o, ldo, scratch + GUARD);
    slx_panel_mul(&p, &act, half, p.n_panels - half, o + half * SLX_PANEL_ROWS, ldo,
                  scratch + GUARD);

    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t i = 0; i < ldo; i++) {
            float got = o[r * ldo + i];
            float exp = i < w->n                          ? want[(size_t)r * w->n + i]
                        : i < p.n_panels * SLX_PANEL_ROWS ? 0.0f
                                                          : -12345.0f;
            if (slx_f32_bits(got) != slx_f32_bits(exp))
                fail_msg("level %d format %d n %u kblk %u log2g %u rows %u: row %u output %u: %a, "
                         "expected %a",
                         (int)level, (int)w->fmt, w->n, w->kblk, log2g, rows, r, i, (double)got,
                         (double)exp);
        }
    }
    for (int i = 0; i < 4; i++) {
        assert_true(out[i] == -12345.0f);
        assert_true(out[4 + rows * ldo + i] == -12345.0f);
    }
    check_guard(act_mem);
    check_guard(act_mem + GUARD + act_bytes);
    check_guard(scratch);
    check_guard(scratch + GUARD + scratch_bytes);
    free(out);
    slx_afree(act_mem, act_bytes + 2 * GUARD);
    slx_afree(scratch, scratch_bytes + 2 * GUARD);
    slx_panels_deinit(&p);
}

/* Level AVX2 has two sets of kernels. */
static void compare(slx_cpu level, const weights *w, unsigned log2g, const int8_t *a,
                    const uint8_t *as, uint32_t rows, const float *want)
{
    compare_with(level, true, w, log2g, a, as, rows, want);
    if (level == SLX_CPU_AVX2) compare_with(level, false, w, log2g, a, as, rows, want);
}

/* One random matrix and batch, all levels. Returns the number of outputs. */
static size_t round_of(slx_rng *r, slx_num_fmt fmt, uint32_t n, uint32_t kblk, unsigned log2g,
                       uint32_t rows)
{
    weights w = random_weights(r, fmt, n, kblk);
    size_t blocks = (size_t)rows * kblk;
    int8_t *a = bytes(blocks * 32);
    uint8_t *as = bytes(blocks);
    random_codes(r, (uint8_t *)a, blocks * 32, 32);
    for (size_t i = 0; i < blocks * 32; i++) a[i] = a[i] == -128 ? -127 : a[i];
    for (size_t i = 0; i < blocks; i++) as[i] = random_e(r, 190);
    float *want = bytes((size_t)rows * n * 4);
    for (uint32_t i = 0; i < rows; i++) {
        for (uint32_t j = 0; j < n; j++) {
            want[(size_t)i * n + j] =
                node(&w, j, a + (size_t)i * kblk * 32, as + (size_t)i * kblk, 0, kblk, 1u << log2g);
            size_t at = (size_t)j * kblk;
            const void *scales = fmt == SLX_NF_MXINT8 ? (const void *)(w.e + at) : w.d + at;
            float dot = slx_dot(fmt, a + (size_t)i * kblk * 32, as + (size_t)i * kblk,
                                w.codes + at * code_bytes(fmt), scales,
                                fmt == SLX_NF_Q4SM ? w.m + at : NULL, kblk, log2g, NULL);
            if (slx_f32_bits(dot) != slx_f32_bits(want[(size_t)i * n + j]))
                fail_msg("slx_dot, format %d kblk %u log2g %u: %a, expected %a", (int)fmt, kblk,
                         log2g, (double)dot, (double)want[(size_t)i * n + j]);
        }
    }
    for (int level = 0; level < SLX_N_CPU; level++)
        if (host_has((slx_cpu)level)) compare((slx_cpu)level, &w, log2g, a, as, rows, want);
    free(want);
    free(a);
    free(as);
    free_weights(&w);
    return (size_t)rows * n;
}

static const slx_num_fmt formats[] = {SLX_NF_MXINT8, SLX_NF_Q4S, SLX_NF_Q4SM, SLX_NF_Q8S};

static void every_row_count(void **state)
{
    (void)state;
    slx_rng r = {1};
    for (int f = 0; f < 4; f++)
        for (uint32_t rows = 1; rows <= 40; rows++) round_of(&r, formats[f], 85, 5, rows % 4, rows);
}

static void every_block_count(void **state)
{
    (void)state;
    slx_rng r = {2};
    for (int f = 0; f < 4; f++)
        for (uint32_t kblk = 1; kblk <= 60; kblk++)
            round_of(&r, formats[f], 1 + slx_rng_below(&r, 18), kblk, slx_rng_below(&r, 4),
                     1 + slx_rng_below(&r, 19));
}

static void every_tree(void **state)
{
    (void)state;
    slx_rng r = {3};
    for (int f = 0; f < 4; f++)
        for (unsigned log2g = 0; log2g <= 6; log2g++)
            for (uint32_t rows = 1; rows <= 17; rows += 4) {
                round_of(&r, formats[f], 16, 48, log2g, rows);
                round_of(&r, formats[f], 16, 7, log2g, rows);
            }
}

static void random_shapes(void **state)
{
    (void)state;
    slx_rng r = {4};
    const char *s = getenv("SLX_KERN_N");
    int64_t want = 40000;
    if (s) assert_true(slx_parse_i64(s, 1, INT64_C(1) << 40, &want));
    for (int64_t done = 0; done < want;) {
        slx_num_fmt f = formats[slx_rng_below(&r, 4)];
        uint32_t n = 1 + slx_rng_below(&r, 70), kblk = 1 + slx_rng_below(&r, 60),
                 rows = 1 + slx_rng_below(&r, 40);
        done += (int64_t)round_of(&r, f, n, kblk, slx_rng_below(&r, 4), rows);
    }
}

/* The largest block sums by hand: 32 * 127 * 15 = 60960, 32 * 127 * 128 = 520192; d = 1, scales
 * 2^0. */
static void extreme_sums(void **state)
{
    (void)state;
    static const struct {
        slx_num_fmt fmt;
        uint8_t code;
        int8_t a;
        float want;
    } cases[] = {
        {SLX_NF_Q4SM, 0xff, 127, 60960 + 4064},
        {SLX_NF_Q4SM, 0xff, -127, -60960 - 4064},
        {SLX_NF_Q4S, 0x00, 127, -32512},
        {SLX_NF_Q4S, 0xff, 127, 28448},
        {SLX_NF_Q4S, 0x00, -127, 32512},
        {SLX_NF_Q8S, 0x80, 127, -520192},
        {SLX_NF_Q8S, 0x80, -127, 520192},
        {SLX_NF_Q8S, 0x7f, 127, 516128},
        {SLX_NF_MXINT8, 0x7f, -127, -516128},
        {SLX_NF_MXINT8, 0x81, -127, 516128},
        {SLX_NF_Q8S, 0x00, 127, 0},
        {SLX_NF_Q4S, 0x88, 127, 0},
    };
    enum { N = 40, ROWS = 34 };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        uint8_t codes[N * 32], e[N], as[ROWS];
        uint16_t one[N];
        int8_t a[ROWS * 32];
        float want[ROWS * N];
        memset(codes, cases[c].code, sizeof codes);
        memset(a, cases[c].a, sizeof a);
        memset(as, 133, sizeof as);
        memset(e, 133, sizeof e);
        for (int i = 0; i < N; i++) one[i] = 0x3c00;
        for (int i = 0; i < ROWS * N; i++) want[i] = cases[c].want;
        weights w = {cases[c].fmt, N, 1, codes, e, one, one};
        for (int level = 0; level < SLX_N_CPU; level++)
            for (uint32_t rows = 1; rows <= ROWS; rows++)
                if (host_has((slx_cpu)level)) compare((slx_cpu)level, &w, 0, a, as, rows, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extreme_sums),      cmocka_unit_test(every_row_count),
        cmocka_unit_test(every_block_count), cmocka_unit_test(every_tree),
        cmocka_unit_test(random_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
