/* The strict machine by hand-written programs: what every class of instruction writes, against values computed here
 * from the contract with exact numbers; each cause of a FAULT with its place; diagnostics; retire records; counts;
 * other legal orders. */
#include "compile/compile.h"
#include "func/func_int.h"
#include "gguf_make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

enum { IN = 0x10000, RO = 0x30000, OUT = 0x40000, REGION = 0x10000 };

typedef struct {
    slx_program p;
    slx_strict s;
    slx_fault f;
    uint8_t *in, *out; /* the regions' memory */
    slx_retire log[512];
    uint32_t n_log;
    bool hashes_ok; /* every record's hash is that of what lies there right then */
} rig;

static void on_retire(void *arg, const slx_retire *r)
{
    rig *g = arg;
    assert_true(g->n_log < 512);
    g->log[g->n_log++] = *r;
    if (r->bytes && r->engine == SLX_ENG_VEC)
        g->hashes_ok &= r->hash == slx_hash_of(g->s.tiles[r->tile].spm + r->dst, r->bytes);
}

/* body: instructions of every tile; "halt" is added. */
static void start(rig *g, uint32_t tiles, const char *body)
{
    slx_err err = {0};
    slx_buf b = {0};
    memset(g, 0, sizeof *g);
    g->hashes_ok = true;
    slx_buf_addf(
        &b,
        ".info chip_name=\"t\" n_tiles=%u spm_bytes=65536 acc_cells=4096 max_m=64 token_max=3\n"
        ".region name=\"in\" kind=exchange base=0x10000 bytes=0x10000\n"
        ".region name=\"ro\" kind=rope base=0x30000 bytes=0x1000\n"
        ".region name=\"out\" kind=logits base=0x40000 bytes=0x10000\n"
        ".group name=\"ALL\" first=0 count=%u\n",
        tiles, tiles);
    if (tiles >= 3) slx_buf_addf(&b, ".group name=\"MID\" first=1 count=2\n");
    slx_buf_addf(&b, "%s\nSYS.halt\n", body);
    if (slx_asm(&g->p, b.ptr, b.len, "test", &err) != SLX_OK) fail_msg("%s", err.msg);
    slx_buf_free(&b);
    slx_strict_init(&g->s, &g->p, NULL, 0);
    g->s.retire = on_retire;
    g->s.retire_arg = g;
    assert_int_equal(slx_strict_load(&g->s, NULL, &err), SLX_OK);
    g->in = g->s.hbm.mem[0];
    g->out = g->s.hbm.mem[2];
}

static void stop(rig *g)
{
    slx_strict_deinit(&g->s);
    slx_program_free(&g->p);
}

static void run(rig *g)
{
    if (slx_strict_step(&g->s, 1, &g->f) != SLX_OK)
        fail_msg("%s: tile %u pc %u: %s", slx_fault_text(g->f.cause), g->f.tile, g->f.pc,
                 g->f.detail);
}

static void put_f32(rig *g, size_t at, const float *x, size_t n)
{
    memcpy(g->in + at, x, n * 4);
}

static float spm_f32(const rig *g, size_t at)
{
    float x;
    memcpy(&x, g->s.tiles[0].spm + at, 4);
    return x;
}

static uint32_t spm_u32(const rig *g, size_t at)
{
    uint32_t x;
    memcpy(&x, g->s.tiles[0].spm + at, 4);
    return x;
}

static void expect_f32(const rig *g, size_t at, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slx_f32_bits(spm_f32(g, at + 4 * i)) != slx_f32_bits(want[i]))
            fail_msg("value %zu is %g, expected %g", i, (double)spm_f32(g, at + 4 * i),
                     (double)want[i]);
}

/* ------------------------------------------------------------------ TEN */

enum { M = 3, N = 5, KB = 2, LD = 3 }; /* a's rows have three blocks, two are used */

static double pow2(int e)
{
    return ldexp(1, e);
}

/* Random small codes; a is in the program's input at 0 (codes [M][LD*32]) and 0x400 (scales [M][LD]), b at 0x800. */
static void make_operands(rig *g, unsigned fmt, double *want)
{
    slx_rng r = {fmt};
    int8_t *a = (int8_t *)g->in;
    uint8_t *as = g->in + 0x400, *b = g->in + 0x800;
    size_t off_s, off_m;
    assert_true(slx_btile_bytes(fmt, N, KB, &off_s, &off_m) <= 0x800);
    for (int i = 0; i < M * LD * 32; i++) a[i] = (int8_t)((int)slx_rng_below(&r, 15) - 7);
    for (int i = 0; i < M * LD; i++) as[i] = (uint8_t)(131 + slx_rng_below(&r, 4));
    for (int i = 0; i < M * N; i++) want[i] = 0;
    for (int n = 0; n < N; n++)
        for (int k = 0; k < KB; k++) {
            int w[32], block = n * KB + k;
            for (int e = 0; e < 32; e++) {
                w[e] = (int)slx_rng_below(&r, 16);
                if (fmt == SLX_FMT_mxint8 || fmt == SLX_FMT_q8s) {
                    w[e] -= 8;
                    b[block * 32 + e] = (uint8_t)w[e];
                } else {
                    uint8_t *c = &b[block * 16 + e / 2];
                    *c = (uint8_t)(e % 2 ? *c | w[e] << 4 : w[e]);
                    if (fmt == SLX_FMT_q4s) w[e] -= 8;
                }
            }
            double d, m = 0;
            if (fmt == SLX_FMT_mxint8) {
                uint8_t s = (uint8_t)(130 + slx_rng_below(&r, 5));
                b[off_s + (size_t)block] = s;
                d = pow2(s - 133);
            } else {
                d = (slx_rng_below(&r, 2) ? 1.0 : -1.0) * pow2((int)slx_rng_below(&r, 4) - 2);
                uint16_t h = slx_gm_f16((float)d);
                memcpy(b + off_s + 2 * block, &h, 2);
                if (fmt == SLX_FMT_q4sm) {
                    m = (double)slx_rng_below(&r, 9) - 4;
                    h = slx_gm_f16((float)m);
                    memcpy(b + off_m + 2 * block, &h, 2);
                }
            }
            for (int i = 0; i < M; i++)
                for (int e = 0; e < 32; e++)
                    want[i * N + n] +=
                        a[(i * LD + k) * 32 + e] * pow2(as[i * LD + k] - 133) * (d * w[e] + m);
        }
}

static void test_product(void **state)
{
    (void)state;
    static const struct {
        unsigned fmt;
        const char *name;
    } fmts[] = {{SLX_FMT_mxint8, "mxint8"},
                {SLX_FMT_q4s, "q4s"},
                {SLX_FMT_q4sm, "q4sm"},
                {SLX_FMT_q8s, "q8s"}};
    for (int f = 0; f < 4; f++) {
        rig g;
        char body[1000];
        double want[M * N];
        snprintf(
            body, sizeof body,
            "LD [0], [in], 4096, 1, 0, 0\n"
            "MM.%s.mxint8 acc100, [0], [0x400], [0x800], (3,5), (2,3) INIT G=2\n"
            "MM.%s.mxint8 acc200, [0], [0x400], [0x800], (3,5), (2,3) INIT\n"
            "MM.%s.mxint8 acc200, [0], [0x400], [0x800], (3,5), (2,3)\n" /* goes on from what is there */
            "AOUT.fp32 [0x2000], acc100, (3,5), 32, 0.0\n"
            "AOUT.fp32 [0x2100], acc200, (3,5), 20, 0.0\n",
            fmts[f].name, fmts[f].name, fmts[f].name);
        start(&g, 1, body);
        make_operands(&g, fmts[f].fmt, want);
        run(&g);
        for (int i = 0; i < M; i++)
            for (int n = 0; n < N; n++) {
                assert_true((double)spm_f32(&g, 0x2000 + (size_t)i * 32 + (size_t)n * 4) ==
                            want[i * N + n]);
                assert_true((double)spm_f32(&g, 0x2100 + (size_t)i * 20 + (size_t)n * 4) ==
                            2 * want[i * N + n]);
            }
        stop(&g);
    }
}

/* a [2][64] tight, b int8 [64] rows of 64 bytes of which 40 columns are used; a block of a with scale code 0 adds 0. */
static void test_product_bt(void **state)
{
    (void)state;
    rig g;
    start(&g, 1,
          "LD [0], [in], 8192, 1, 0, 0\n"
          "MM.mxint8.mxint8 acc0, [0], [0x80], [0x100], (2,40), (2,2) INIT BT\n"
          "AOUT.fp32 [0x4000], acc0, (2,40), 160, 0.0\n");
    slx_rng r = {3};
    for (int i = 0; i < 8192; i++) g.in[i] = (uint8_t)(slx_rng_below(&r, 31) - 15);
    static const uint8_t as[4] = {133, 130, 0, 136};
    memcpy(g.in + 0x80, as, 4);
    run(&g);
    for (int m = 0; m < 2; m++)
        for (int n = 0; n < 40; n++) {
            double want = 0;
            for (int k = 0; k < 64; k++) {
                uint8_t s = as[m * 2 + k / 32];
                want +=
                    s ? (int8_t)g.in[m * 64 + k] * pow2(s - 133) * (int8_t)g.in[0x100 + k * 64 + n]
                      : 0;
            }
            assert_true((double)spm_f32(&g, 0x4000 + (size_t)(m * 40 + n) * 4) == want);
        }
    stop(&g);
}

static void test_accumulators(void **state)
{
    (void)state;
    rig g;
    /* AOUT of products, AADD cell by cell, AOUT with a factor that rounds, and as bf16 */
    start(&g, 1,
          "LD [0], [in], 4096, 1, 0, 0\n"
          "MM.mxint8.mxint8 acc0, [0], [0x400], [0x800], (3,5), (2,3) INIT\n"
          "AADD acc15, acc0, acc0, 15\n"
          "AADD acc0, acc15, acc0, 15\n"
          "AOUT.fp32 [0x2000], acc0, (3,5), 20, 0x3eaaaaab\n"
          "AOUT.bf16 [0x2100], acc0, (3,5), 10, 0.0\n");
    double want[M * N];
    make_operands(&g, SLX_FMT_mxint8, want);
    run(&g);
    for (size_t i = 0; i < M * N; i++) {
        float three = (float)(3 * want[i]);
        uint16_t half;
        memcpy(&half, g.s.tiles[0].spm + 0x2100 + 2 * i, 2);
        /* a product of two floats is exact in double: rounded once */
        assert_true(spm_f32(&g, 0x2000 + 4 * i) ==
                    (float)((double)three * (double)slx_f32_from(0x3eaaaaab)));
        assert_int_equal(half, slx_gm_bf16(three));
    }
    stop(&g);
}

/* A contraction over no block, as a register may say at run time, is +0 in every format. */
static void test_empty_product(void **state)
{
    (void)state;
    rig g;
    start(&g, 1,
          "LD [0], [in], 4096, 1, 0, 0\n"
          "ALU.add r4, 0, 4096\n" /* (Kblk, ld) = (0, 1) */
          "MM.q4sm.mxint8 acc0, [0], [0x400], [0x800], (2,3), {r4} INIT\n"
          "AOUT.fp32 [0x2000], acc0, (2,3), 12, 0.0\n");
    run(&g);
    for (uint32_t i = 0; i < 6; i++) assert_true(slx_f32_bits(spm_f32(&g, 0x2000 + 4 * i)) == 0);
    stop(&g);
}

/* ------------------------------------------------------------------ VEC */

/* 4.3 by doubles. */
static void quantised(const float *x, uint32_t n, int8_t *q, uint8_t *s)
{
    uint32_t amax = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t u = slx_f32_bits(x[i]) & 0x7fffffff;
        amax = u > amax ? u : amax;
    }
    uint32_t e = (amax + 0x10000) >> 23;
    *s = (uint8_t)(e < 70 ? 127 : e);
    for (uint32_t i = 0; i < n; i++)
        q[i] = e < 70 ? 0 : (int8_t)nearbyint((double)x[i] * ldexp(1, 133 - (int)e));
}

static void test_convert(void **state)
{
    (void)state;
    rig g;
    start(
        &g, 1,
        "LD [0], [in], 0x500, 1, 0, 0\n"                             /* x [3][40], rows of 192 */
        "LD [0x800], [in+0x800], 64, 1, 0, 0\n"                      /* 40 scale codes */
        "VCVT.mxint8.f32 [0x1000], [0x1400], [0], (3,40), <0,0,0>\n" /* two blocks a row */
        "VCVT.mxint8.f32 [0x1500], [0x1900], [0], (3,40), <3,3,0>\n" /* rows of three blocks */
        "VCVT.mxint8.f32 [0x1a00], [0x1c00], [0], (3,40), <0,0,0> ROW\n" /* one scale a row */
        "VCVT.mxint8.f32 [0x1d00], [0x1f00], [0], [0x800], (3,40), <0,0,0> COL\n" /* columns scaled first */
        "VCVT.f32.mxint8 [0x2000], [0x1000], [0x1400], (3,40), <0,0,0>\n");
    slx_rng r = {4};
    float *x = (float *)(void *)g.in;
    for (int i = 0; i < 3 * 48; i++)
        x[i] = slx_gm_normal(&r) * (i < 48 ? 1 : i < 96 ? 1e-6f : 1e4f);
    for (int c = 0; c < 40; c++) g.in[0x800 + c] = (uint8_t)(120 + slx_rng_below(&r, 20));
    g.in[0x800 + 5] = 6; /* 2^-127: a subnormal factor */
    run(&g);
    const uint8_t *spm = g.s.tiles[0].spm;
    for (int i = 0; i < 3; i++) {
        int8_t q[64] = {0}, one[64] = {0}, col[64] = {0};
        uint8_t s[2], row, cs[2];
        float y[40];
        for (int c = 0; c < 40; c++)
            y[c] = (float)((double)x[i * 48 + c] * ldexp(1, g.in[0x800 + c] - 133));
        for (int k = 0; k < 2; k++) {
            quantised(x + i * 48 + 32 * k, k ? 8 : 32, q + 32 * k, &s[k]);
            quantised(y + 32 * k, k ? 8 : 32, col + 32 * k, &cs[k]);
        }
        quantised(x + i * 48, 40, one, &row);
        assert_memory_equal(spm + 0x1000 + i * 64, q, 64);
        assert_memory_equal(spm + 0x1400 + i * 2, s, 2);
        assert_memory_equal(spm + 0x1500 + i * 96, q, 64);
        assert_memory_equal(spm + 0x1900 + i * 3, s, 2);
        assert_memory_equal(spm + 0x1a00 + i * 64, one, 64);
        assert_int_equal(spm[0x1c00 + i], row);
        assert_memory_equal(spm + 0x1d00 + i * 64, col, 64);
        assert_memory_equal(spm + 0x1f00 + i * 2, cs, 2);
        for (int c = 0; c < 40; c++)
            assert_true((double)spm_f32(&g, 0x2000 + (size_t)i * 192 + (size_t)c * 4) ==
                        q[c] * ldexp(1, s[c / 32] - 133));
    }
    stop(&g);
}

/* 16-bit scales: one row of two blocks of q4sm, as an embedding row is read. */
static void test_dequantise(void **state)
{
    (void)state;
    rig g;
    start(&g, 1,
          "LD [0], [in], 0x400, 1, 0, 0\n"
          "VCVT.f32.q4sm [0x1000], [0], [0x100], (1,64), <0,0,0>\n"
          "VCVT.f32.q4s [0x1100], [0], [0x100], (1,64), <0,0,0>\n"
          "VCVT.f32.q8s [0x1200], [0x200], [0x100], (1,64), <0,0,0>\n");
    slx_rng r = {8};
    for (int i = 0; i < 0x400; i++) g.in[i] = (uint8_t)slx_rng_below(&r, 256);
    const float d[2] = {0.375f, -3}, m[2] = {-1.5f, 0.0625f};
    for (int k = 0; k < 2; k++) {
        uint16_t h = slx_gm_f16(d[k]), l = slx_gm_f16(m[k]);
        memcpy(g.in + 0x100 + 2 * k, &h, 2);
        memcpy(g.in + 0x140 + 2 * k, &l, 2);
    }
    run(&g);
    for (size_t i = 0; i < 64; i++) {
        int code = g.in[i / 2] >> (i % 2 * 4) & 15;
        assert_true(spm_f32(&g, 0x1000 + 4 * i) == d[i / 32] * (float)code + m[i / 32]);
        assert_true(spm_f32(&g, 0x1100 + 4 * i) == d[i / 32] * (float)(code - 8));
        assert_true(spm_f32(&g, 0x1200 + 4 * i) == d[i / 32] * (float)(int8_t)g.in[0x200 + i]);
    }
    stop(&g);
}

static void test_rows(void **state)
{
    (void)state;
    rig g;
    start(&g, 1,
          "LD [0], [in], 0x400, 1, 0, 0\n"
          "VBIN.add.full [0x1000], [0], [0x100], (2,3), <0,0,0>\n"
          "VBIN.mul.row [0x1080], [0], [0x100], (2,3), <0,0,0>\n"
          "VBIN.sub.col [0x1100], [0], [0x100], (2,3), <0,0,0>\n"
          "VBIN.div.scalar [0x1180], [0], [0x100], (2,3), <0,0,0>\n"
          "VBIN.max.full [0x1200], [0], [0x100], (2,3), <0,0,0>\n"
          "VFMA [0x1280], [0], [0x100], [0x200], (2,3)\n"
          "VUN.abs [0x1300], [0], (2,3), <0,0,0>\n"
          "VUN.sqrt [0x1380], [0x100], (1,3), <0,0,0>\n"
          "VRED.sum [0x1400], [0], (2,3), <0,0,0>\n"
          "VRED.argmax [0x1440], [0], (2,3), <0,0,0>\n"
          "VRED.sumsq [0x1480], [0], (2,3), <0,0,0>\n"
          "VNRM.rms [0x1500], [0x300], [0x340], 0.25, (1,4), <0,0,0>\n"
          "VSEL.range [0x1580], [0], [0x380], (2,3), 9.0, <0,0,0>\n");
    const float a[6] = {1, -2, 4, 0.5f, 8, -16}, b[6] = {4, 16, 0.25f, 2, 1, 2};
    const uint32_t lim[4] = {1, 2, 0, 9};
    for (int i = 0; i < 2; i++) {
        put_f32(&g, (size_t)i * 64, a + 3 * i, 3);
        put_f32(&g, 0x100 + (size_t)i * 64, b + 3 * i, 3);
        put_f32(&g, 0x200 + (size_t)i * 64, a + 3 * i, 3);
    }
    put_f32(&g, 0x300, (const float[]){1, 1, -1, 1}, 4); /* mean square 1 */
    put_f32(&g, 0x340, (const float[]){1, 2, 3, -4}, 4);
    memcpy(g.in + 0x380, lim, 16);
    run(&g);
    for (size_t i = 0; i < 2; i++) {
        float w[8][3];
        for (size_t c = 0; c < 3; c++) {
            float x = a[3 * i + c], y = b[3 * i + c];
            w[0][c] = x + y;
            w[1][c] = x * b[c];
            /* col: contiguous [R] */
            w[2][c] = x - b[i];
            w[3][c] = x / b[0];
            w[4][c] = x > y ? x : y;
            w[5][c] = (float)((double)x * y + x);
            w[6][c] = fabsf(x);
            w[7][c] = c >= lim[2 * i] && c < lim[2 * i + 1] ? x : 9;
        }
        for (size_t k = 0; k < 7; k++) expect_f32(&g, 0x1000 + k * 0x80 + i * 64, w[k], 3);
        expect_f32(&g, 0x1580 + i * 64, w[7], 3);
    }
    expect_f32(&g, 0x1380, (const float[]){2, 4, 0.5f}, 3);
    expect_f32(&g, 0x1400, (const float[]){3, -7.5f}, 2);
    assert_int_equal(spm_u32(&g, 0x1440), 2);
    assert_int_equal(spm_u32(&g, 0x1444), 1);
    expect_f32(&g, 0x1480, (const float[]){21, 320.25f}, 2);
    float r = 1 / sqrtf(1.25f); /* two roundings, as the contract has it */
    expect_f32(&g, 0x1500, (const float[]){r, r * 2, -r * 3, r * -4}, 4);
    stop(&g);
}

/* Four rows of two heads: rows 0, 1 turn by the first table row, 2, 3 by the second; columns 4.. are copied. */
static void test_rotate(void **state)
{
    (void)state;
    rig g;
    start(&g, 1,
          "LD [0], [in], 0x300, 1, 0, 0\n"
          "VROT.half [0x1000], [0], [0x200], (4,6), (2,4), <0,0,0>\n"
          "VROT.interleaved [0x1200], [0], [0x200], (4,6), (2,4), <0,0,0>\n");
    const float cs[2][4] = {{0.6f, 0.8f, 1, 0}, {0, 1, 0.28f, 0.96f}};
    float x[4][6];
    slx_rng r = {6};
    for (int i = 0; i < 4; i++)
        for (int c = 0; c < 6; c++) x[i][c] = slx_gm_normal(&r);
    for (size_t i = 0; i < 4; i++) put_f32(&g, i * 64, x[i], 6);
    put_f32(&g, 0x200, &cs[0][0], 8);
    run(&g);
    for (size_t i = 0; i < 4; i++) {
        float half[6], inter[6];
        memcpy(half, x[i], sizeof half);
        memcpy(inter, x[i], sizeof inter);
        for (int p = 0; p < 2; p++) {
            double c = cs[i / 2][2 * p], s = cs[i / 2][2 * p + 1];
            const int at[2][2] = {{p, p + 2}, {2 * p, 2 * p + 1}};
            float *to[2] = {half, inter};
            for (int k = 0; k < 2; k++) {
                float a = x[i][at[k][0]], b = x[i][at[k][1]];
                float bs = (float)(b * s),
                      bc = (float)(b * c); /* RNE(y*s): exact in double, rounded once */
                to[k][at[k][0]] = fmaf(a, (float)c, -bs);
                to[k][at[k][1]] = fmaf(a, (float)s, bc);
            }
        }
        expect_f32(&g, 0x1000 + i * 64, half, 6);
        expect_f32(&g, 0x1200 + i * 64, inter, 6);
    }
    stop(&g);
}

/* Scores that are whole numbers: every probability and weight is a power of two. */
static void test_attention(void **state)
{
    (void)state;
    rig g;
    start(&g, 1,
          "LD [0], [in], 0x800, 1, 0, 0\n"
          /* four rows, two a limit entry; columns are positions 128..131 */
          "VSMX [0x1000], [0x1100], [0], [0x100], (4,4), 128 H=2\n"
          "VMRG.empty [0x1200], [0x1300], (2,3)\n"
          "VMRG.merge [0x1200], [0x1300], [0x200], [0x240], (2,3)\n"
          "VMRG.merge [0x1200], [0x1300], [0x300], [0x340], (2,3)\n"
          "VMRG.final [0x1200], [0x1300], (2,3)\n");
    const float t[4][4] = {{3, 1, 2, 9}, {-1, 0, -3, 9}, {5, 5, 5, 5}, {0.5f, 1, 2, 3}};
    const uint32_t lim[4] = {0, 131, 140, 200}; /* rows 0, 1: columns 0..2; rows 2, 3: none */
    for (size_t i = 0; i < 4; i++) put_f32(&g, i * 64, t[i], 4);
    memcpy(g.in + 0x100, lim, sizeof lim);
    /* states {m, l} of two rows and their o: row 1 of the second is empty */
    put_f32(&g, 0x200, (const float[]){3, 2, 1, 4}, 4);
    put_f32(&g, 0x300, (const float[]){5, 1, -0x1p30f, 0}, 4);
    for (size_t i = 0; i < 2; i++) {
        put_f32(&g, 0x240 + 64 * i, (const float[]){8, -4, 2}, 3);
        put_f32(&g, 0x340 + 64 * i, (const float[]){1, 1, 1}, 3);
    }
    run(&g);
    expect_f32(&g, 0x1000, (const float[]){1, 0.25f, 0.5f, 0}, 4);
    expect_f32(&g, 0x1040, (const float[]){0.5f, 1, 0.125f, 0}, 4);
    expect_f32(&g, 0x1080, (const float[]){0, 0, 0, 0}, 4);
    expect_f32(&g, 0x10c0, (const float[]){0, 0, 0, 0}, 4);
    expect_f32(&g, 0x1100, (const float[]){3, 1.75f, 0, 1.625f, -0x1p30f, 0, -0x1p30f, 0}, 8);
    /* row 0: m = 5, l = 2/4 + 1, o = {8, -4, 2}/4 + 1, divided by l; row 1: unchanged by the empty state */
    expect_f32(&g, 0x1200, (const float[]){5, 1.5f, 1, 4}, 4);
    expect_f32(&g, 0x1300, (const float[]){2, 0, 1}, 3);
    expect_f32(&g, 0x1340, (const float[]){2, -1, 0.5f}, 3);
    stop(&g);
}

static void test_select(void **state)
{
    (void)state;
    rig g;
    start(&g, 1,
          "LD [0], [in], 0x400, 1, 0, 0\n"
          "VTOPK [0x1000], [0x1080], [0], (1,6), 4, 1000\n"
          "VTOPK [0x1100], [0x1180], [0], (1,2), 4, 0\n"
          "VSAMP [0x1200], [0x1000], [0x1080], [0x100], (1,4)\n"
          "VSAMP [0x1204], [0x1000], [0x1080], [0x120], (1,4)\n"
          "VTRN.b4 [0x1300], [0], (2,3)\n"
          "VTRN.b1 [0x1400], [0x200], (2,5)\n"
          "VGAT.gather [0x1600], [0x200], [0x300], 3, 5, 4\n");
    put_f32(&g, 0, (const float[]){2, 7, -1, 7, 0, 3}, 6);
    put_f32(&g, 64, (const float[]){10, 11, 12}, 3);
    struct {
        uint64_t seed;
        uint32_t stream, position, top_k;
        float c, top_p, min_p;
    } par[2] = {{1, 0, 0, 1, 1, 1, 0}, {77, 5, 9, 0, 1, 0.3f, 0}};
    memcpy(g.in + 0x100, par, sizeof par);
    for (int i = 0; i < 0x100; i++) g.in[0x200 + i] = (uint8_t)(i * 3);
    memcpy(g.in + 0x300, (const uint32_t[]){3, 0, 3}, 12);
    run(&g);
    expect_f32(&g, 0x1000, (const float[]){7, 7, 3, 2}, 4);
    const uint32_t idx[4] = {1001, 1003, 1005, 1000}, few[4] = {1, 0, UINT32_MAX, UINT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(spm_u32(&g, 0x1080 + 4 * i), idx[i]);
        assert_int_equal(spm_u32(&g, 0x1180 + 4 * i), few[i]);
    }
    expect_f32(&g, 0x1100, (const float[]){7, 2, -0x1.fffffep127f, -0x1.fffffep127f}, 4);
    assert_int_equal(spm_u32(&g, 0x1200), 1001); /* greedy */
    assert_int_equal(spm_u32(&g, 0x1204), 1001); /* the first alone has 0.3 of the weight */
    for (size_t c = 0; c < 3; c++) {
        assert_int_equal(spm_u32(&g, 0x1300 + 64 * c),
                         slx_f32_bits(((const float[]){2, 7, -1})[c]));
        assert_int_equal(spm_u32(&g, 0x1304 + 64 * c), slx_f32_bits(10 + (float)c));
    }
    const uint8_t *spm = g.s.tiles[0].spm;
    for (int c = 0; c < 5; c++) {
        assert_int_equal(spm[0x1400 + 64 * c], g.in[0x200 + c]);
        assert_int_equal(spm[0x1401 + 64 * c], g.in[0x240 + c]);
    }
    assert_memory_equal(spm + 0x1600, g.in + 0x200 + 15, 5);
    assert_memory_equal(spm + 0x1605, g.in + 0x200, 5);
    assert_memory_equal(spm + 0x160a, g.in + 0x200 + 15, 5);
    stop(&g);
}

/* ------------------------------------------------------------------ memory, tiles, control */

static void test_memory(void **state)
{
    (void)state;
    rig g;
    start(&g, 1,
          "LD [0], [in+5], 3, 4, 10, 8\n" /* four rows of three bytes */
          "LD [0x100], [in+0x400], 16, 1, 0, 0\n"
          "LD [0x120], [in+0x400], 12, 1, 0, 0\n"
          "LDX [0x200], [in+0x800], [0x100], 4, 6, 7\n"
          "ST [out+1], [0], 3, 4, 8, 5\n"
          "STX [out+0x100], [0x200], [0x120], 3, 6, 9\n");
    for (int i = 0; i < 0x1000; i++) g.in[i] = (uint8_t)(i * 7 + i / 256);
    memset(g.out, 0xee, 0x400);
    memcpy(g.in + 0x400, (const uint32_t[]){2, UINT32_MAX, 5, 2}, 16);
    run(&g);
    const uint8_t *spm = g.s.tiles[0].spm, zeros[6] = {0};
    for (int i = 0; i < 4; i++) {
        assert_memory_equal(spm + 8 * i, g.in + 5 + 10 * i, 3);
        assert_memory_equal(g.out + 1 + 5 * i, g.in + 5 + 10 * i, 3);
    }
    assert_int_equal(g.out[4], 0xee);
    assert_memory_equal(spm + 0x200, g.in + 0x800 + 14, 6);
    assert_memory_equal(spm + 0x206, zeros, 6);
    assert_memory_equal(spm + 0x20c, g.in + 0x800 + 35, 6);
    assert_memory_equal(spm + 0x212, g.in + 0x800 + 14, 6);
    assert_memory_equal(g.out + 0x100 + 18, spm + 0x200, 6);
    assert_memory_equal(g.out + 0x100 + 45, spm + 0x20c, 6);
    for (int i = 0; i < 18; i++)
        assert_int_equal(g.out[0x100 + i], 0xee); /* index ~0 wrote nothing */
    stop(&g);
}

static void test_tiles(void **state)
{
    (void)state;
    rig g;
    start(&g, 4,
          "ALU.mul r4, r1, 16\n"
          "STS.u32 [0], r1\n"
          "BR.ne r1, 0, other\n"
          "LD [0x100], [in], 8, 1, 0, 0 to=ALL\n" /* tile 0 alone: to all */
          "LD [0x140], [in+64], 8, 1, 0, 0 to=MID\n"
          "other: ALU.add r5, r1, 1\n"
          "ALU.remu r5, r5, 4\n"
          "MOV [0], r5, [0x200], 4, 1, (0,0)\n" /* own number to the next tile */
          "BR.ne r1, 3, all\n"
          "MOV [0], [0x300], 4, 1, (0,0) to=ALL\n"
          "all: BAR ALL\n"
          "ST [r4+out], [0x200], 4, 1, 0, 0\n"
          "ST [r4+out+4], [0x100], 8, 1, 0, 0\n"
          "ST [r4+out+12], [0x300], 4, 1, 0, 0\n");
    for (int i = 0; i < 128; i++) g.in[i] = (uint8_t)(i + 1);
    run(&g);
    for (uint32_t t = 0; t < 4; t++) {
        uint32_t from[4];
        memcpy(from, g.out + 16 * t, 16);
        assert_int_equal(from[0], (t + 3) % 4);
        assert_memory_equal(&from[1], g.in, 8);
        assert_int_equal(from[3], 3);
        /* the group MID is tiles 1 and 2 */
        bool mid = t == 1 || t == 2;
        assert_int_equal(g.s.tiles[t].spm_written[0x140], mid);
        if (mid) assert_memory_equal(g.s.tiles[t].spm + 0x140, g.in + 64, 8);
    }
    stop(&g);
}

static void test_control(void **state)
{
    (void)state;
    rig g;
    start(&g, 1,
          "LI r4, 0xfedcba9876543210\n"
          "STS.u64 [0], r4\n"
          "LDS.u16 r5, [2], 0xffff\n" /* 0x7654 */
          "LOOP 3, outer_end, r6\n"   /* r7 := sum of r6 * 4 + r8 over 3 x 4 rounds */
          "LOOP 4, inner_end, r8\n"
          "ALU.mul r9, r6, 4\n"
          "ALU.add r9, r9, r8\n"
          "ALU.add r7, r7, r9\n"
          "inner_end: SYS.nop\n"
          "outer_end: LOOP 0, skip_end, r10\n"
          "ALU.add r7, r7, 1000\n"
          "skip_end: ALU.sel r11, 5, 6, r7\n"
          "ALU.shl r12, 1, 65\n" /* by 1: modulo 64 */
          "ALU.sub r13, 0, 1\n"
          "ALU.ltu r14, r13, 1\n"
          "STS.u64 [8], r7\nSTS.u64 [16], r5\nSTS.u64 [24], r11\nSTS.u64 [32], r12\nSTS.u64 [40], "
          "r14\n"
          "STS.u64 [48], r8\n");
    run(&g);
    uint64_t v[7];
    memcpy(v, g.s.tiles[0].spm, sizeof v);
    assert_true(v[0] == 0xfedcba9876543210u);
    assert_int_equal(v[1], 66);
    assert_int_equal(v[2], 0x7654);
    assert_int_equal(v[3], 5);
    assert_int_equal(v[4], 2);
    assert_int_equal(v[5], 0);
    assert_int_equal(v[6], 3); /* after the loop: its last value */
    stop(&g);
}

/* ------------------------------------------------------------------ faults */

static void expect_fault(const char *body, uint32_t tiles, slx_fault_cause cause, uint32_t tile,
                         uint32_t pc, uint64_t index)
{
    rig g;
    start(&g, tiles, body);
    memcpy(g.in, (const uint32_t[]){7, 7, 0x7f000000, 0xffffff},
           16); /* an index twice; 2^127; an index far away */
    assert_int_equal(slx_strict_step(&g.s, 1, &g.f), SLX_EFAULT);
    if (g.f.cause != cause || g.f.tile != tile || g.f.pc != pc || g.f.index != index)
        fail_msg("found %s at tile %u, pc %u, index %llu (%s), expected %s at %u, %u, %llu: %s",
                 slx_fault_text(g.f.cause), g.f.tile, g.f.pc, (unsigned long long)g.f.index,
                 g.f.detail, slx_fault_text(cause), tile, pc, (unsigned long long)index, body);
    stop(&g);
}

static void test_faults(void **state)
{
    (void)state;
    expect_fault("VUN.fill [0], (1,4), <0,0,0>, 0x7f000000\n"
                 "VBIN.add.full [0], [0], [0], (1,4), <0,0,0>\n"
                 "VBIN.mul.full [0], [0], [0], (1,4), <0,0,0>\n",
                 1, SLX_FAULT_NONFINITE, 0, 1, 1);
    expect_fault("VUN.fill [0], (1,32), <0,0,0>, 0x7f000000\n"
                 "VCVT.mxint8.f32 [0x100], [0x200], [0], (1,32), <0,0,0>\n",
                 1, SLX_FAULT_SCALE, 0, 1, 1);
    expect_fault("VUN.fill [0], (1,2), <0,0,0>, 128.0\nVUN.exp2 [64], [0], (1,2), <0,0,0>\n", 1,
                 SLX_FAULT_EXP2, 0, 1, 1);
    expect_fault("LOOP 5, end, r4\nSTS.u32 [0], r4\nLDS.u32 r5, [0], 3\nend: SYS.nop\n", 1,
                 SLX_FAULT_LIMIT, 0, 2, 1 + 4 * 2 + 1);
    expect_fault("LD [0], [0x2fff0], 32, 1, 0, 0\n", 1, SLX_FAULT_ADDRESS, 0, 0, 0);
    expect_fault("LD [65530], [in], 32, 1, 0, 0\n", 1, SLX_FAULT_ADDRESS, 0, 0, 0);
    expect_fault("LD [0], [in], 32, 1, 0, 0\nST [ro], [0], 32, 1, 0, 0\n", 1, SLX_FAULT_ADDRESS, 0,
                 1, 1);
    expect_fault("LD [0], [in], 32, 1, 0, 0\nLDX [64], [in], [12], 1, 4, 4\n", 1, SLX_FAULT_ADDRESS,
                 0, 1, 1);
    expect_fault("LD [0], [in], 32, 1, 0, 0\nVUN.abs [66], [0], (1,4), <0,0,0>\n", 1,
                 SLX_FAULT_ADDRESS, 0, 1, 1);
    expect_fault("LD [0], [in], 32, 1, 0, 0\nSTX [out], [0], [0], 2, 4, 4\n", 1, SLX_FAULT_REPEATED,
                 0, 1, 1);
    expect_fault("ALU.divu r4, 1, r5\n", 1, SLX_FAULT_DIVIDE, 0, 0, 0);
    expect_fault("VUN.fill [0], (1,2), <0,0,0>, 0.0\nVUN.rcp [64], [0], (1,2), <0,0,0>\n", 1,
                 SLX_FAULT_DIVIDE, 0, 1, 1);
    expect_fault("LI r4, 0x1000001\nLOOP r4, end, r5\nSYS.nop\nend: SYS.nop\n", 1, SLX_FAULT_COUNT,
                 0, 1, 1);
    /* tile 2 of four is the first in program order whose counter differs */
    expect_fault("SYS.nop\nALU.divu r4, r1, 2\nSYS.trap r4, 0\n", 4, SLX_FAULT_TRAP, 2, 2, 2);
}

static void test_diagnostics(void **state)
{
    (void)state;
    expect_fault("LD [0], [in], 32, 1, 0, 0\nST [out], [16], 32, 1, 0, 0\n", 1, SLX_FAULT_UNWRITTEN,
                 0, 1, 1);
    expect_fault("AOUT.fp32 [0], acc8, (1,4), 16, 0.0\n", 1, SLX_FAULT_UNWRITTEN, 0, 0, 0);
    expect_fault("LD [0], [in], 32, 1, 0, 0  wait=t4\n", 1, SLX_FAULT_ORDER, 0, 0, 0);
    expect_fault("TOK t4, 2\nLOOP 2, end, r4\nLD [0], [in], 32, 1, 0, 0 post=t4\nend: SYS.nop\n", 1,
                 SLX_FAULT_ORDER, 0, 2, 3); /* token_max is 3 */
    expect_fault("BR.eq r1, 1, end\nBAR ALL\nend: SYS.nop\n", 2, SLX_FAULT_ORDER, 0, 1, 1);
    expect_fault("STS.u32 [0], r1\nLDS.u32 r4, [0], 9 UNI\n", 2, SLX_FAULT_ORDER, 1, 1, 1);
}

/* ------------------------------------------------------------------ retire records, counts */

static void test_retire(void **state)
{
    (void)state;
    rig g;
    start(&g, 2,
          "LD [0x40], [in], 64, 1, 0, 0 post=t1\n"
          "VUN.neg [0x80], [0x40], (1,16), <0,0,0> wait=t1 post=t2\n"
          "ALU.mul r4, r1, 64\n"
          "ST [r4+out], [0x80], 64, 1, 0, 0 wait=t2\n"
          "BAR ALL\n");
    for (int i = 0; i < 16; i++) put_f32(&g, 4 * (size_t)i, (const float[]){(float)i}, 1);
    uint64_t in_hash = slx_hash_of(g.in, 64);
    run(&g);
    assert_true(g.hashes_ok);
    assert_int_equal(g.n_log, 12);
    static const uint8_t ops[6] = {SLX_OP_LD, SLX_OP_VUN, SLX_OP_ALU,
                                   SLX_OP_ST, SLX_OP_BAR, SLX_OP_SYS};
    uint32_t seen[2] = {0};
    for (uint32_t i = 0; i < g.n_log; i++) {
        const slx_retire *r = &g.log[i];
        uint32_t k = seen[r->tile]++;
        assert_int_equal(r->index, k);
        assert_int_equal(r->pc, k);
        assert_int_equal(r->op, ops[k]);
        assert_int_equal(r->engine, slx_ops[ops[k]].engine);
        if (k == 0) assert_true(r->dst == 0x40 && r->bytes == 64 && r->hash == in_hash);
        if (k == 1) assert_true(r->dst == 0x80 && r->bytes == 64);
        if (k == 3)
            assert_true(r->dst == OUT + 64u * r->tile && r->bytes == 64 &&
                        r->hash == slx_hash_of(g.out, 64));
        if (k == 2 || k == 4) assert_int_equal(r->bytes, 0);
    }
    stop(&g);
}

typedef struct {
    uint64_t insns[SLX_N_ENGINES];
} engines;

static void count_retired(void *arg, const slx_retire *r)
{
    ((engines *)arg)->insns[r->engine]++;
}

/* A step's counts from control flow alone against the instructions that strict really ended, and MACs by hand. */
static void test_counts(void **state)
{
    (void)state;
    static const char *const chips[] = {"silex-one", "silex-mini"};
    for (int c = 0; c < 2; c++) {
        slx_err err = {0};
        slx_chip *chip;
        slx_model *m;
        slx_program p;
        slx_machine *mach;
        slx_step_counts n;
        slx_fault fault;
        engines got = {{0}};
        char path[64];
        enum { D = 64, FF = 96, HEADS = 2, KV = 1, HD = 32, VOCAB = 70, ROWS = 5, LAYERS = 2 };
        struct slx_test_model_spec spec = {.n_layers = LAYERS,
                                           .d_model = D,
                                           .d_ff = FF,
                                           .n_heads = HEADS,
                                           .n_kv_heads = KV,
                                           .vocab = VOCAB,
                                           .context = 256,
                                           .seed = 9};
        snprintf(path, sizeof path, "/tmp/slx-strict-%d.gguf", (int)getpid());
        assert_true(slx_test_write_model(path, &spec));
        slx_compile_options o = {.max_rows = 8, .max_samples = 2, .max_seqs = 1, .max_pages = 2};
        slx_machine_options mo = {
            .kind = SLX_MACHINE_STRICT, .retire = count_retired, .retire_arg = &got};
        if (slx_chip_load(&chip, chips[c], &err) != SLX_OK ||
            slx_model_open(&m, path, &err) != SLX_OK ||
            slx_compile(&p, m, chip, &o, NULL, NULL, &err) != SLX_OK ||
            slx_machine_open(&mach, &p, chip, m, &mo, &err) != SLX_OK)
            fail_msg("%s", err.msg);
        const uint32_t tokens[ROWS] = {1, 2, 3, 4, 5}, page = 1;
        slx_step_seq s = {tokens, ROWS, 0, 1, &page, 1};
        assert_int_equal(slx_step_build(&p.info, slx_machine_desc(mach), &s, 1, &err), SLX_OK);
        assert_int_equal(slx_func_count(&p, slx_machine_desc(mach), &n, &err), SLX_OK);
        assert_int_equal(slx_machine_step(mach, &fault, &err), SLX_OK);
        for (int e = 0; e < SLX_N_ENGINES; e++) assert_int_equal(n.insns[e], got.insns[e]);
        /* rows times matrices (K of whole blocks, N of slices of 32); scores and P*V of one chunk; one logit row */
        uint64_t linear =
            (uint64_t)ROWS * (D * (HEADS + 2 * KV) * HD + HEADS * HD * D + 3 * D * FF);
        uint64_t attention = (uint64_t)ROWS * HEADS * 2 * 128 * HD;
        assert_int_equal(n.macs, LAYERS * (linear + attention) + (uint64_t)D * p.info.vocab_pad);
        slx_machine_close(mach);
        slx_program_free(&p);
        slx_model_close(m);
        slx_chip_free(chip);
        unlink(path);
    }
}

/* Memory of a compiled program's steps is the same in any order that tokens and BARs allow. */
static void test_shuffle(void **state)
{
    (void)state;
    static const char *const chips[] = {"silex-one", "silex-mini"};
    char path[64];
    struct slx_test_model_spec spec = {.n_layers = 2,
                                       .d_model = 64,
                                       .d_ff = 96,
                                       .n_heads = 4,
                                       .n_kv_heads = 2,
                                       .head_dim = 48,
                                       .vocab = 70,
                                       .context = 400,
                                       .seed = 10};
    snprintf(path, sizeof path, "/tmp/slx-strict-%d.gguf", (int)getpid());
    for (int c = 0; c < 4; c++) {
        slx_err err = {0};
        slx_chip *chip;
        slx_model *m;
        slx_program p;
        uint64_t logits = 0, kv = 0;
        spec.head_dim = c < 2 ? 48 : 32; /* heads quantised as rows, and as heads */
        assert_true(slx_test_write_model(path, &spec));
        slx_compile_options o = {.max_rows = 32, .max_samples = 4, .max_seqs = 2, .max_pages = 4};
        if (slx_chip_load(&chip, chips[c % 2], &err) != SLX_OK ||
            slx_model_open(&m, path, &err) != SLX_OK ||
            slx_compile(&p, m, chip, &o, NULL, NULL, &err) != SLX_OK)
            fail_msg("%s", err.msg);
        for (uint64_t seed = 0; seed < 6; seed++) {
            slx_machine_options mo = {.kind = SLX_MACHINE_STRICT, .shuffle = seed};
            slx_machine *mach;
            slx_fault fault;
            slx_hash h;
            uint32_t tokens[160];
            for (uint32_t i = 0; i < 160; i++) tokens[i] = i % 70;
            const uint32_t pages[3] = {2, 0, 1};
            assert_int_equal(slx_machine_open(&mach, &p, chip, m, &mo, &err), SLX_OK);
            slx_hash_init(&h);
            for (uint32_t at = 0; at < 150; at += 30) {
                slx_step_seq s[2] = {{tokens + at, 30, at, 2, pages, (at + 30 + 127) / 128},
                                     {tokens + at / 30, 1, at / 30, 1, pages + 2, 1}};
                assert_int_equal(slx_step_build(&p.info, slx_machine_desc(mach), s, 2, &err),
                                 SLX_OK);
                if (slx_machine_step(mach, &fault, &err) != SLX_OK)
                    fail_msg("seed %u: %s", (unsigned)seed, err.msg);
                for (uint32_t k = 0; k < 3; k++)
                    slx_hash_add(&h, slx_machine_logits(mach, k), p.info.vocab_pad * 4ull);
            }
            if (!seed) logits = slx_hash_get(&h), kv = slx_machine_kv_hash(mach, pages, 3);
            assert_true(slx_hash_get(&h) == logits);
            assert_true(slx_machine_kv_hash(mach, pages, 3) == kv);
            slx_machine_close(mach);
        }
        slx_program_free(&p);
        slx_model_close(m);
        slx_chip_free(chip);
        unlink(path);
    }
}

/* One row on many tiles, in the templates of long steps (heads of 48): what tiles without rows load must not come down
 * on what the next phase casts to them. */
static void test_shuffle_tiles_without_rows(void **state)
{
    (void)state;
    const struct slx_test_model_spec spec = {.n_layers = 2, .d_model = 96, .d_ff = 96, .n_heads = 6, .n_kv_heads = 2,
                                             .head_dim = 48, .vocab = 50, .context = 256, .seed = 1};
    const uint32_t token = 3, page = 0;
    char path[64];
    slx_err err = {0};
    slx_chip *chip;
    slx_model *m;
    snprintf(path, sizeof path, "/tmp/slx-strict-%d.gguf", (int)getpid());
    assert_true(slx_test_write_model(path, &spec));
    if (slx_chip_load(&chip, "silex-1", &err) != SLX_OK || slx_model_open(&m, path, &err) != SLX_OK)
        fail_msg("%s", err.msg);
    for (uint32_t tp = 1; tp <= 2; tp++) {
        slx_program p;
        uint64_t want = 0;
        slx_compile_options o = {.max_rows = 48, .max_samples = 1, .max_seqs = 1, .max_pages = 1, .tp = tp};
        if (slx_compile(&p, m, chip, &o, NULL, NULL, &err) != SLX_OK) fail_msg("%s", err.msg);
        for (uint64_t seed = 0; seed <= 12; seed++) {
            slx_machine_options mo = {.kind = SLX_MACHINE_STRICT, .shuffle = seed};
            slx_step_seq s = {&token, 1, 0, 1, &page, 1};
            slx_machine *mach;
            slx_fault fault;
            slx_hash h;
            assert_int_equal(slx_machine_open(&mach, &p, chip, m, &mo, &err), SLX_OK);
            assert_int_equal(slx_step_build(&p.info, slx_machine_desc(mach), &s, 1, &err), SLX_OK);
            if (slx_machine_step(mach, &fault, &err) != SLX_OK)
                fail_msg("tp %u, seed %u: %s", tp, (unsigned)seed, err.msg);
            slx_hash_init(&h);
            slx_hash_add(&h, slx_machine_logits(mach, 0), p.info.vocab_pad * 4ull);
            uint64_t got = slx_hash_get(&h) ^ slx_machine_kv_hash(mach, &page, 1);
            if (!seed) want = got;
            if (got != want) fail_msg("tp %u, seed %u: other bits", tp, (unsigned)seed);
            slx_machine_close(mach);
        }
        slx_program_free(&p);
    }
    slx_model_close(m);
    slx_chip_free(chip);
    unlink(path);
}

/* Without its token a program has another outcome in some order: the shuffle does reorder. */
static void test_shuffle_reorders(void **state)
{
    (void)state;
    uint32_t early = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        rig g;
        start(&g, 1,
              "VUN.fill [0], (1,16), <0,0,0>, 1.0\n"
              "VUN.fill [64], (1,16), <0,0,0>, 0.0\n"
              "LDS.u32 r4, [0], 0x7fffffff\n"
              "STS.u32 [128], r4\n");
        g.s.shuffle = seed;
        early += slx_strict_step(&g.s, 1, &g.f) != SLX_OK && g.f.cause == SLX_FAULT_UNWRITTEN;
        stop(&g);
    }
    assert_true(early > 0 && early < 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product),      cmocka_unit_test(test_product_bt),
        cmocka_unit_test(test_accumulators), cmocka_unit_test(test_empty_product),
        cmocka_unit_test(test_convert),
        cmocka_unit_test(test_dequantise),   cmocka_unit_test(test_rows),
        cmocka_unit_test(test_rotate),       cmocka_unit_test(test_attention),
        cmocka_unit_test(test_select),       cmocka_unit_test(test_memory),
        cmocka_unit_test(test_tiles),        cmocka_unit_test(test_control),
        cmocka_unit_test(test_faults),       cmocka_unit_test(test_diagnostics),
        cmocka_unit_test(test_retire),       cmocka_unit_test(test_counts),
        cmocka_unit_test(test_shuffle),      cmocka_unit_test(test_shuffle_reorders),
        cmocka_unit_test(test_shuffle_tiles_without_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
