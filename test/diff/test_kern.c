/* test_kern.c - every kernel at every level the host has, against the definitions: equal bits, equal
 * answer on FAULT, nothing written outside the outputs, nothing read outside the inputs (each input
 * is its own allocation, so a sanitizer sees it).
 *
 * SLX_KERN_N: cases of each kernel and level (default 30000; make test asks for a million).
 */
#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "num/num.h"

/* ------------------------------------------------------------------ inputs */

typedef enum { PLAIN, WIDE, EDGE, BROKEN, LIMIT } kind;

static uint32_t below(slx_rng *r, uint32_t n) { return slx_rng_below(r, n); }

/* PLAIN: as in a model; WIDE: any finite float; EDGE: limits, zeros, ties of rounding; BROKEN: now
 * and then an infinity or NaN; LIMIT: a row whose largest value sits where the quantiser's scale
 * changes. */
static float value(slx_rng *r, kind k)
{
    static const uint32_t edge[] = {
        0,          0x80000000, 1,          0x80000001, 0x007fffff, 0x00800000, 0x7f7fffff,
        0xff7fffff, 0x3f800000, 0xbf800000, 0x3f000000, 0x3f7f0000, 0x3f7effff, 0x3f7f8000,
        0x42fe0000, 0x42ff0000, 0xc2fc0000, 0xc2fc0001, 0x43000000, 0xc2b00000, 0xc2b17218,
        0x42b17218, 0x22800000, 0x23000000, 0x5e800000, 0x5f000000, 0x5f7f0000, 0x4a800000,
        0x4a7fffff, 0x4b000000, 0xce800000,
    };
    uint64_t u = slx_rng_u64(r);
    if (k == BROKEN && u % 61 == 0) {
        static const uint32_t bad[] = {0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001};
        return slx_f32_from(bad[u >> 32 & 3]);
    }
    if (k == EDGE && u % 3) {
        uint32_t b = edge[(u >> 8) % (sizeof edge / sizeof *edge)];
        return slx_f32_from(b ^ (uint32_t)(u & 4 ? 0x80000000 : 0));
    }
    if (k == WIDE || k == EDGE) {
        uint32_t b = (uint32_t)(u >> 32);
        if ((b & 0x7f800000) == 0x7f800000) b &= 0x807fffff;
        return slx_f32_from(b);
    }
    uint32_t e = 115 + (uint32_t)(u & 15);
    return slx_f32_from((uint32_t)(u >> 32 & 0x807fffff) | e << 23);
}

static kind a_kind(slx_rng *r)
{
    uint32_t u = below(r, 10);
    return u < 5 ? PLAIN : u < 6 ? LIMIT : u < 7 ? WIDE : u < 9 ? EDGE : BROKEN;
}

static float *row(slx_rng *r, uint32_t n, kind k)
{
    float *x = malloc(n * sizeof *x + !n);
    assert_non_null(x);
    for (uint32_t i = 0; i < n; i++) x[i] = value(r, k == LIMIT ? PLAIN : k);
    if (k == LIMIT && n) {
        uint32_t e = below(r, 4) ? 134 : below(r, 2) ? 188 + below(r, 4) : 67 + below(r, 5);
        uint32_t top = e << 23 | (0x7effff + below(r, 2));
        if (e < 120)
            for (uint32_t i = 0; i < n; i++) x[i] = x[i] * 0x1p-70f;
        x[below(r, n)] = slx_f32_from(top | below(r, 2) << 31);
    }
    return x;
}

static uint32_t length(slx_rng *r)
{
    uint32_t u = below(r, 16);
    return u < 12 ? 1 + below(r, 72) : u < 15 ? 32 * (1 + below(r, 6)) : 1 + below(r, 700);
}

static int8_t *codes(slx_rng *r, size_t n, bool positive)
{
    int8_t *q = malloc(n + !n);
    assert_non_null(q);
    uint32_t how = below(r, 8);
    for (size_t i = 0; i < n; i++) {
        int v = how == 0 ? 127 : how == 1 ? (int)below(r, 3) * 127 - 127 : (int)below(r, 255) - 127;
        if (how == 2 && i % 32 < 24) v = 0;
        q[i] = (int8_t)(positive && v < 0 ? -v : v);
    }
    return q;
}

/* Mostly the codes of real rows; also the ends of the range, 0 and any byte. */
static uint8_t *scales(slx_rng *r, size_t n)
{
    uint8_t *s = malloc(n + !n);
    assert_non_null(s);
    uint32_t how = below(r, 8);
    for (size_t i = 0; i < n; i++) {
        uint32_t u = below(r, 16);
        s[i] = (uint8_t)(how == 0 ? below(r, 256) : 118 + below(r, 14));
        if (how && u == 0) s[i] = 0;
        if (how == 1 && u < 8) s[i] = u & 1 ? 70 : 190;
    }
    return s;
}

/* ------------------------------------------------------------------ outputs */

enum { GUARD = 64, GUARD_BYTE = 0xa5 };
typedef struct {
    uint8_t *mem, *at;
    size_t bytes;
} out;

static out out_new(slx_rng *r, size_t bytes, const void *init)
{
    out o = {.mem = malloc(bytes + 3 * GUARD), .bytes = bytes};
    assert_non_null(o.mem);
    memset(o.mem, GUARD_BYTE, bytes + 3 * GUARD);
    o.at = o.mem + GUARD + 4 * below(r, GUARD / 4); /* any alignment a row may have */
    if (init) memcpy(o.at, init, bytes);
    return o;
}

static void out_free(out *o)
{
    for (const uint8_t *p = o->mem; p < o->at; p++) assert_int_equal(*p, GUARD_BYTE);
    for (const uint8_t *p = o->at + o->bytes; p < o->mem + o->bytes + 3 * GUARD; p++)
        assert_int_equal(*p, GUARD_BYTE);
    free(o->mem);
}

static void same_f32(const float *want, const out *got, const char *what)
{
    for (size_t i = 0; i < got->bytes / 4; i++) {
        uint32_t g;
        memcpy(&g, got->at + 4 * i, 4);
        bool nans = want[i] != want[i] && (g & 0x7fffffff) > 0x7f800000;
        if (g != slx_f32_bits(want[i]) && !nans)
            fail_msg("%s: element %zu is %08x, expected %08x", what, i, g, slx_f32_bits(want[i]));
    }
}

static void same_bytes(const void *want, const out *got, const char *what)
{
    if (memcmp(want, got->at, got->bytes) != 0) fail_msg("%s: bytes differ", what);
}

/* ------------------------------------------------------------------ one case of each kernel */

static void case_quantise_row(const slx_kern *k, slx_rng *r)
{
    uint32_t n = length(r), nb = (n + 31) / 32;
    float *x = row(r, n, a_kind(r));
    int8_t *q = malloc(nb * 32);
    uint8_t *s = malloc(nb);
    out gq = out_new(r, nb * 32, NULL), gs = out_new(r, nb, NULL);
    bool want = slx_quantise_row(x, n, q, s);
    assert_int_equal(k->quantise_row(x, n, (int8_t *)gq.at, gs.at), want);
    if (want) same_bytes(q, &gq, "codes"), same_bytes(s, &gs, "scales");
    out_free(&gq), out_free(&gs);
    free(x), free(q), free(s);
}

static void case_quantise_one(const slx_kern *k, slx_rng *r)
{
    uint32_t n = length(r);
    float *x = row(r, n, a_kind(r));
    int8_t *q = malloc(n);
    uint8_t s;
    out gq = out_new(r, n, NULL), gs = out_new(r, 1, NULL);
    bool want = slx_quantise_mxint8(x, n, q, &s);
    assert_int_equal(k->quantise_one(x, n, (int8_t *)gq.at, gs.at), want);
    if (want) same_bytes(q, &gq, "codes"), same_bytes(&s, &gs, "scale");
    out_free(&gq), out_free(&gs);
    free(x), free(q);
}

static void case_quantise_col(const slx_kern *k, slx_rng *r)
{
    uint32_t n = length(r), nb = (n + 31) / 32;
    float *p = row(r, n, a_kind(r)), *x = malloc(n * sizeof *x);
    uint8_t *sv = scales(r, n), *s = malloc(nb);
    int8_t *q = malloc(nb * 32);
    if (below(r, 8) == 0) /* steps that are subnormal, with values that make up for it */
        for (uint32_t i = 0; i < n; i++) {
            sv[i] = (uint8_t)below(r, 10);
            p[i] = p[i] * 0x1p100f;
            if (!slx_f32_finite(p[i])) p[i] = 0x1p120f;
        }
    out gq = out_new(r, nb * 32, NULL), gs = out_new(r, nb, NULL);
    for (uint32_t i = 0; i < n; i++) x[i] = p[i] * slx_scale_pow2((int)sv[i] - 133);
    bool want = slx_quantise_row(x, n, q, s);
    assert_int_equal(k->quantise_col(p, sv, n, (int8_t *)gq.at, gs.at), want);
    if (want) same_bytes(q, &gq, "codes"), same_bytes(s, &gs, "scales");
    out_free(&gq), out_free(&gs);
    free(p), free(x), free(sv), free(s), free(q);
}

static void case_rmsnorm(const slx_kern *k, slx_rng *r)
{
    uint32_t n = length(r);
    kind kd = a_kind(r);
    float *x = row(r, n, kd), *w = row(r, n, kd), *y = malloc(n * sizeof *y);
    float eps = below(r, 8) ? 1e-5f : below(r, 2) ? 0 : value(r, EDGE);
    bool in_place = below(r, 2), want = slx_rmsnorm(x, w, eps, n, y);
    out g = out_new(r, n * sizeof *y, x);
    assert_int_equal(k->rmsnorm(in_place ? (float *)(void *)g.at : x, w, eps, n, (float *)(void *)g.at),
                     want);
    if (want) same_f32(y, &g, "rmsnorm");
    out_free(&g);
    free(x), free(w), free(y);
}

static void case_rope_row(const slx_kern *k, slx_rng *r)
{
    uint32_t n_rot = 2 * below(r, 65), n = n_rot + below(r, 4) * below(r, 20);
    kind kd = a_kind(r);
    float *x = row(r, n, kd), *cs = row(r, n_rot, PLAIN), *y = malloc(n * sizeof *y + 1);
    bool inter = below(r, 2), in_place = below(r, 2);
    bool want = slx_rope_row(x, cs, n, n_rot, inter, y);
    out g = out_new(r, n * sizeof *y, x);
    assert_int_equal(k->rope_row(in_place ? (float *)(void *)g.at : x, cs, n, n_rot, inter,
                                 (float *)(void *)g.at),
                     want);
    if (want) same_f32(y, &g, "rope");
    out_free(&g);
    free(x), free(cs), free(y);
}

static void case_silu_mul(const slx_kern *k, slx_rng *r)
{
    uint32_t n = length(r);
    kind kd = a_kind(r);
    float *a = row(r, n, kd), *b = row(r, n, kd), *y = malloc(n * sizeof *y);
    bool want = true;
    for (uint32_t i = 0; i < n; i++) {
        if (below(r, 8) == 0) a[i] = ((float)below(r, 20001) - 10000) * 0.0125f;
        float v = 0;
        want = slx_silu(a[i], &v) && want;
        y[i] = v * b[i];
        want = want && slx_f32_finite(y[i]);
    }
    out g = out_new(r, n * sizeof *y, NULL);
    assert_int_equal(k->silu_mul(a, b, n, (float *)(void *)g.at), want);
    if (want) same_f32(y, &g, "silu_mul");
    out_free(&g);
    free(a), free(b), free(y);
}

static void case_add(const slx_kern *k, slx_rng *r)
{
    uint32_t n = length(r);
    kind kd = a_kind(r);
    float *a = row(r, n, kd), *b = row(r, n, kd), *y = malloc(n * sizeof *y);
    bool want = true, in_place = below(r, 2);
    for (uint32_t i = 0; i < n; i++) {
        y[i] = a[i] + b[i];
        want = want && slx_f32_finite(y[i]);
    }
    out g = out_new(r, n * sizeof *y, a);
    assert_int_equal(k->add(in_place ? (float *)(void *)g.at : a, b, n, (float *)(void *)g.at), want);
    if (want) same_f32(y, &g, "add");
    out_free(&g);
    free(a), free(b), free(y);
}

static void case_softmax_chunk(const slx_kern *k, slx_rng *r)
{
    uint32_t n = 1 + below(r, 128), lo = 0, hi = n;
    kind kd = a_kind(r);
    float *t = row(r, n, kd), p[128];
    if (below(r, 2)) lo = below(r, 140), hi = below(r, 140);
    if (kd == PLAIN && below(r, 2))
        for (uint32_t i = 0; i < n; i++) t[i] = t[i] * 20;
    if (below(r, 16) == 0)
        for (uint32_t i = 0; i < n; i++) t[i] = (float)((int)below(r, 300) - 150);
    slx_attn_state st = {1, 2};
    bool want = slx_softmax_chunk(t, n, lo, hi, p, &st);
    out g = out_new(r, n * sizeof *p, NULL), gst = out_new(r, sizeof st, NULL);
    assert_int_equal(k->softmax_chunk(t, n, lo, hi, (float *)(void *)g.at,
                                      (slx_attn_state *)(void *)gst.at),
                     want);
    if (want) same_f32(p, &g, "p"), same_f32(&st.m, &gst, "state");
    out_free(&g), out_free(&gst);
    free(t);
}

static slx_attn_state a_state(slx_rng *r)
{
    uint32_t u = below(r, 8);
    if (u == 0) return (slx_attn_state){-0x1p30f, 0};
    if (u == 1) return (slx_attn_state){value(r, EDGE), value(r, EDGE)};
    return (slx_attn_state){(float)((int)below(r, 60) - 30), (float)slx_rng_f64(r) * 100};
}

static void case_attn_merge(const slx_kern *k, slx_rng *r)
{
    uint32_t d = length(r);
    kind kd = a_kind(r);
    float *o = row(r, d, kd), *o2 = row(r, d, kd);
    slx_attn_state st = a_state(r), st2 = a_state(r);
    out g = out_new(r, d * sizeof *o, o), gst = out_new(r, sizeof st, &st);
    bool want = slx_attn_merge(&st, o, &st2, o2, d);
    assert_int_equal(k->attn_merge((slx_attn_state *)(void *)gst.at, (float *)(void *)g.at, &st2, o2, d),
                     want);
    if (want) same_f32(o, &g, "o"), same_f32(&st.m, &gst, "state");
    out_free(&g), out_free(&gst);
    free(o), free(o2);
}

static void case_attn_final(const slx_kern *k, slx_rng *r)
{
    uint32_t d = length(r);
    float *o = row(r, d, a_kind(r));
    slx_attn_state st = a_state(r);
    out g = out_new(r, d * sizeof *o, o);
    bool want = slx_attn_final(&st, o, d);
    assert_int_equal(k->attn_final(&st, (float *)(void *)g.at, d), want);
    if (want) same_f32(o, &g, "final");
    out_free(&g);
    free(o);
}

static void case_qk(const slx_kern *k, slx_rng *r)
{
    uint32_t nb = 1 + below(r, below(r, 4) ? 4 : 9), n = below(r, below(r, 4) ? 28 : 129);
    int8_t *q = codes(r, nb * 32, false), *key = codes(r, (size_t)n * nb * 32, false);
    uint8_t *qs = scales(r, nb), *ks = scales(r, (size_t)n * nb);
    float *t = malloc(n * sizeof *t + 1), c = below(r, 4) ? 0.18033688f : value(r, PLAIN);
    for (uint32_t j = 0; j < n; j++)
        t[j] = c * slx_dot(SLX_NF_MXINT8, q, qs, (const uint8_t *)key + (size_t)j * nb * 32,
                           ks + (size_t)j * nb, NULL, nb, 0, NULL);
    out g = out_new(r, n * sizeof *t, NULL);
    k->qk(q, qs, key, ks, n, nb, c, (float *)(void *)g.at);
    same_f32(t, &g, "qk");
    out_free(&g);
    free(q), free(key), free(qs), free(ks), free(t);
}

static void case_pv(const slx_kern *k, slx_rng *r)
{
    uint32_t nblk = below(r, 5), d = 32 * (1 + below(r, 4));
    int8_t *p = codes(r, nblk * 32, true), *v = codes(r, (size_t)nblk * 32 * d, false);
    uint8_t *ps = scales(r, nblk);
    float *o = malloc(d * sizeof *o);
    for (uint32_t i = 0; i < d; i++) o[i] = slx_dot_bt(p, ps, v + i, d, nblk, NULL);
    out g = out_new(r, d * sizeof *o, NULL);
    k->pv(p, ps, v, nblk, d, (float *)(void *)g.at);
    same_f32(o, &g, "pv");
    out_free(&g);
    free(p), free(v), free(ps), free(o);
}

static void case_topk1(const slx_kern *k, slx_rng *r)
{
    uint32_t n = below(r, 32) ? length(r) : 0, u = below(r, 3), idx;
    float *x = row(r, n, u == 0 ? PLAIN : u == 1 ? WIDE : EDGE), val;
    if (below(r, 2)) /* many equal ones, zeros of both signs among them */
        for (uint32_t i = 0; i < n; i++)
            x[i] = below(r, 5) < 2 ? (below(r, 2) ? 0.0f : -0.0f) : -(float)below(r, 3);
    slx_topk(x, n, 1, 0, &val, &idx);
    out gv = out_new(r, 4, NULL), gi = out_new(r, 4, NULL);
    k->topk1(x, n, (float *)(void *)gv.at, (uint32_t *)(void *)gi.at);
    same_bytes(&val, &gv, "value"), same_bytes(&idx, &gi, "index");
    out_free(&gv), out_free(&gi);
    free(x);
}

/* ------------------------------------------------------------------ all of them */

#define KERNELS(X)                                                                                 \
    X(quantise_row) X(quantise_one) X(quantise_col) X(rmsnorm) X(rope_row) X(silu_mul) X(add)      \
    X(softmax_chunk) X(attn_merge) X(attn_final) X(qk) X(pv) X(topk1)

typedef void case_fn(const slx_kern *k, slx_rng *r);

/* at: place of the kernel's pointer in the table. A level that inherits it is not run again. */
static void all_levels(case_fn *f, size_t at)
{
    const char *env = getenv("SLX_KERN_N");
    long n = env ? strtol(env, NULL, 10) : 30000;
    for (int level = 0; level < SLX_N_CPU; level++) {
        const slx_kern *k = slx_kern_at((slx_cpu)level);
        if (!k) {
            print_message("no %s on this host\n", slx_cpu_names[level]);
            continue;
        }
        assert_int_equal(k->level, level);
        if (level && memcmp((const char *)k + at, (const char *)slx_kern_at((slx_cpu)(level - 1)) + at,
                            sizeof k->add) == 0)
            continue;
        slx_rng r = {.s = 20260 + (uint64_t)level};
        /* The scalar level is the definition, but for what it writes out itself. */
        for (long i = 0; i < (level ? n : n / 10 + 1); i++) f(k, &r);
    }
}

#define X(name)                                                                                    \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        all_levels(case_##name, offsetof(slx_kern, name));                                          \
    }
KERNELS(X)
#undef X

static void test_choice(void **state)
{
    (void)state;
    setenv("SLX_CPU", "scalar", 1);
    assert_int_equal(slx_kern_get()->level, SLX_CPU_SCALAR);
    unsetenv("SLX_CPU");
    const slx_kern *best = slx_kern_get();
    for (int i = best->level + 1; i < SLX_N_CPU; i++) assert_null(slx_kern_at((slx_cpu)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define X(name) cmocka_unit_test(test_##name),
        KERNELS(X)
#undef X
        cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
