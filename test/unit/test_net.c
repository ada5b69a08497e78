/* Chips that run one program together, by hand-written programs: what RED and GAT leave on every chip, in any legal
 * order; that every chip keeps its own memory; what is refused before and reported while it runs. */
#include "func/func_int.h"
#include "verify/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { TILES = 2 };

typedef struct {
    slx_program p;
    slx_strict s[SLX_MAX_CHIPS];
    slx_fault f;
    uint32_t n;
} rig;

static void assemble(slx_program *p, uint32_t chips, const char *body)
{
    slx_err err = {0};
    slx_buf b = {0};
    slx_buf_addf(&b,
                 ".info n_tiles=%d spm_bytes=65536 acc_cells=1024 max_m=32 token_max=3 n_chips=%u\n"
                 ".region name=\"in\" kind=exchange base=0x10000 bytes=0x10000\n"
                 ".region name=\"out\" kind=logits base=0x40000 bytes=0x10000\n"
                 ".group name=\"ALL\" first=0 count=%d\n%s\nSYS.halt\n",
                 TILES, chips, TILES, body);
    if (slx_asm(p, b.ptr, b.len, "test.s", &err) != SLX_OK) fail_msg("%d: %s", err.line, err.msg);
    slx_buf_free(&b);
}

static void start(rig *g, uint32_t chips, const char *body)
{
    slx_err err = {0};
    memset(g, 0, sizeof *g);
    assemble(&g->p, chips, body);
    g->n = chips;
    for (uint32_t c = 0; c < chips; c++) {
        slx_strict_init(&g->s[c], &g->p, NULL, c);
        assert_int_equal(slx_strict_load(&g->s[c], NULL, &err), SLX_OK);
    }
}

static void stop(rig *g)
{
    for (uint32_t c = 0; c < g->n; c++) slx_strict_deinit(&g->s[c]);
    slx_program_free(&g->p);
}

static float *in(rig *g, uint32_t chip)
{
    return (float *)(void *)g->s[chip].hbm.mem[0];
}
static const float *out(rig *g, uint32_t chip)
{
    return (const float *)(const void *)g->s[chip].hbm.mem[1];
}

static void run(rig *g)
{
    if (slx_strict_step(g->s, g->n, &g->f) != SLX_OK)
        fail_msg("%s: chip %u tile %u pc %u: %s", slx_fault_text(g->f.cause), g->f.chip, g->f.tile,
                 g->f.pc, g->f.detail);
}

/* Tile t works at 0x100 * t of both regions: loads n values, adds them up over the chips, stores the sums. */
#define RED_OF(dst)                                                                                \
    "ALU.mul r5, r1, 0x100\nALU.add r6, r5, in\nALU.add r7, r5, out\n"                             \
    "LD [0x80], [r6], 64, 1, 0, 0 post=t1\n"                                                       \
    "RED.sum [" dst "], [0x80], 16, ALL wait=t1 post=t2\n"                                         \
    "ST [r7], [" dst "], 64, 1, 0, 0 wait=t2\n"

/* The sums of 2 to 8 chips, where the order of additions shows: 2^24 + 1 + 1 + ... in fp32. */
static void test_red(void **state)
{
    (void)state;
    static const char *const body[] = {RED_OF("0x400"), RED_OF("0x80")};
    for (uint32_t n = 2; n <= 8; n++)
        for (int place = 0; place < 2; place++)
            for (uint64_t seed = 0; seed < 4; seed++) {
                rig g;
                slx_rng r = {n};
                start(&g, n, body[place]);
                float x[8][TILES][16];
                for (uint32_t c = 0; c < n; c++)
                    for (int t = 0; t < TILES; t++)
                        for (int k = 0; k < 16; k++) {
                            x[c][t][k] =
                                c == (uint32_t)k % n ? 16777216.0f : (float)slx_rng_below(&r, 3);
                            in(&g, c)[t * 64 + k] = x[c][t][k];
                        }
                g.s[0].shuffle = seed;
                run(&g);
                for (int t = 0; t < TILES; t++)
                    for (int k = 0; k < 16; k++) {
                        /* written out by hand for each number of chips */
#define X(c) x[c][t][k]
                        float a = X(0) + X(1), want = 0;
                        switch (n) {
                        case 2: want = a; break;
                        case 3: want = X(0) + (X(1) + X(2)); break;
                        case 4: want = a + (X(2) + X(3)); break;
                        case 5: want = a + (X(2) + (X(3) + X(4))); break;
                        case 6: want = (X(0) + (X(1) + X(2))) + (X(3) + (X(4) + X(5))); break;
                        case 7:
                            want = (X(0) + (X(1) + X(2))) + ((X(3) + X(4)) + (X(5) + X(6)));
                            break;
                        default: want = (a + (X(2) + X(3))) + ((X(4) + X(5)) + (X(6) + X(7)));
                        }
#undef X
                        for (uint32_t c = 0; c < n; c++)
                            if (slx_f32_bits(out(&g, c)[t * 64 + k]) != slx_f32_bits(want))
                                fail_msg("%u chips, chip %u tile %d value %d: %a, expected %a", n,
                                         c, t, k, (double)out(&g, c)[t * 64 + k], (double)want);
                    }
                stop(&g);
            }
}

/* Three rows of 5 bytes: row i of chip r at place (i, r). */
static void test_gat(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        rig g;
        start(&g, 3,
              "ALU.mul r5, r1, 0x100\nALU.add r6, r5, in\nALU.add r7, r5, out\n"
              "LD [0], [r6], 15, 1, 0, 0 post=t1\nGAT [0x203], [0], 5, 3, ALL wait=t1 post=t2\n"
              "ST [r7], [0x203], 45, 1, 0, 0 wait=t2\n");
        for (uint32_t c = 0; c < 3; c++)
            for (int i = 0; i < 512; i++)
                ((uint8_t *)in(&g, c))[i] = (uint8_t)(c * 100 + (uint32_t)i % 256 * 7);
        g.s[0].shuffle = seed;
        run(&g);
        for (uint32_t c = 0; c < 3; c++)
            for (uint32_t t = 0; t < TILES; t++)
                for (uint32_t i = 0; i < 3; i++)
                    for (uint32_t r = 0; r < 3; r++)
                        for (uint32_t k = 0; k < 5; k++)
                            assert_int_equal(
                                ((const uint8_t *)out(&g, c))[t * 256 + (i * 3 + r) * 5 + k],
                                (uint8_t)(r * 100 + (t * 256 + i * 5 + k) % 256 * 7));
        stop(&g);
    }
}

/* Chips go their own way between events: loops of events, BARs in between, memory apart, r2. */
static void test_together(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        rig g;
        start(&g, 2,
              "TOK t4, 1\nALU.add r8, r2, 1\nALU.shl r9, r8, 23\nALU.add r9, r9, 0x3f000000\n"
              "VUN.fill [0], (1,16), <0,0,0>, r9 post=t1\n" /* 1.0 and 2.0 */
              "RED.sum [0x40], [0], 0, ALL wait=t1\n"
              "LOOP 3, e\n"
              "RED.sum [0], [0], 16, ALL wait=t4 post=t2\n"
              "BAR ALL wait=t2 post=t3\n"
              "VUN.copy [0x80], [0], (1,16), <0,0,0> wait=t3 post=t4\n"
              "e: ALU.mul r5, r1, 64\nALU.add r5, r5, out\n"
              "ALU.mul r6, r2, 0x100\nALU.add r5, r5, r6\nBAR ALL wait=t4\n"
              "ST [r5], [0x80], 64, 1, 0, 0\n");
        g.s[0].shuffle = seed;
        run(&g);
        for (uint32_t c = 0; c < 2; c++)
            for (int i = 0; i < 16 * TILES; i++) {
                assert_float_equal(out(&g, c)[c * 64 + i], 12, 0); /* 3, 6, 12 */
                assert_float_equal(out(&g, c)[(1 - c) * 64 + i], 0, 0);
            }
        stop(&g);
    }
}

static void expect_fault(const char *body, slx_fault_cause cause, const char *detail, uint64_t seed,
                         float first, float second)
{
    rig g;
    start(&g, 2, body);
    in(&g, 0)[0] = first;
    in(&g, 1)[0] = second;
    g.s[0].shuffle = seed;
    assert_int_equal(slx_strict_step(g.s, 2, &g.f), SLX_EFAULT);
    if (g.f.cause != cause || !strstr(g.f.detail, detail))
        fail_msg("%s: %s", slx_fault_text(g.f.cause), g.f.detail);
    stop(&g);
}

static void test_faults(void **state)
{
    (void)state;
    const float big = 3e38f;
    for (uint64_t seed = 0; seed < 3; seed++) {
        expect_fault(RED_OF("0x400"), SLX_FAULT_NONFINITE, "value 0", seed, big, big);
        expect_fault("VUN.fill [0], (1,16), <0,0,0>, 1.0 post=t1\n"
                     "ALU.add r5, r2, 8\nRED.sum [64], [0], r5, ALL wait=t1\n",
                     SLX_FAULT_ORDER, "chip 1 is at pc 2 with 9, chip 0 here with 8", seed, 0, 0);
        expect_fault("RED.sum [64], [0xfffc], 2, ALL\n", SLX_FAULT_ADDRESS, "SPM 0xfffc", seed, 0,
                     0);
        expect_fault("GAT [0xffc0], [0], 33, 1, ALL\n", SLX_FAULT_UNWRITTEN, "SPM 0x0", seed, 0, 0);
        /* control flow that follows from what one chip alone has in memory */
        expect_fault("LD [0], [in], 64, 1, 0, 0 post=t1\nLDS.u32 r5, [0], 0x7fffffff wait=t1 "
                     "post=t2\nRED.sum [64], [0], 16, ALL wait=t2\n",
                     SLX_FAULT_ORDER, "LDS has read other values than on chip 0", seed, 1, 2);
        expect_fault("BR.eq r2, 0, e\nVUN.fill [0], (1,16), <0,0,0>, 1.0 post=t1\n"
                     "RED.sum [64], [0], 16, ALL wait=t1\ne: SYS.nop\n",
                     SLX_FAULT_ORDER, seed ? "nothing can go on" : "not every chip comes to it",
                     seed, 0, 0);
    }
}

/* One chip of several counted: what it brings and what it gets. */
static void test_counts(void **state)
{
    (void)state;
    slx_program p;
    slx_step_counts n;
    slx_err err;
    assemble(&p, 4,
             "VUN.fill [0], (1,16), <0,0,0>, 1.0 post=t1\nRED.sum [64], [0], 10, ALL wait=t1\n"
             "GAT [128], [0], 6, 3, ALL\n");
    assert_int_equal(slx_func_count(&p, NULL, &n, &err), SLX_OK);
    assert_int_equal(n.insns[SLX_ENG_NET], 2 * TILES);
    assert_int_equal(n.net_bytes, (40 + 18) * TILES);
    assert_int_equal(n.spm_read_bytes, (40 + 18) * TILES);
    assert_int_equal(n.spm_write_bytes, (64 + 40 + 18 * 4) * TILES);
    slx_program_free(&p);
}

static void verify(uint32_t chips, const char *chip_name, const char *body, const char *want)
{
    slx_program p;
    slx_chip *c;
    slx_err err = {0};
    assert_int_equal(slx_chip_load(&c, chip_name, &err), SLX_OK);
    assemble(&p, chips, body);
    slx_status st = slx_verify(&p, c, "test.s", &err);
    if (want && st == SLX_OK) fail_msg("accepted, want %s:\n%s", want, body);
    if (!want && st != SLX_OK) fail_msg("refused: %s\n%s", err.msg, body);
    if (want && !strstr(err.msg, want)) fail_msg("said %s\nwant %s\n%s", err.msg, want, body);
    slx_program_free(&p);
    slx_chip_free(c);
}

static void test_verified(void **state)
{
    (void)state;
    verify(8, "silex-1", RED_OF("0x400"), NULL);
    verify(1, "silex-1", RED_OF("0x400"), "RED in a program of one chip");
    verify(2, "silex-mini", "SYS.nop\n", "chip silex-mini has no links to others");
    slx_err err = {0};
    slx_program p;
    const char nine[] = ".info n_tiles=1 n_chips=9\n.group name=\"ALL\" count=1\nSYS.halt\n";
    assert_int_equal(slx_asm(&p, nine, strlen(nine), "t", &err), SLX_EINPUT);
    assert_non_null(strstr(err.msg, "n_chips is 9, expected at most 8"));
    /* bounds, at the upper end of what registers may hold */
    verify(2, "silex-1", "RED.sum [0], [0xff00], 64, ALL\n", NULL);
    verify(2, "silex-1", "RED.sum [0], [0xff00], 65, ALL\n", "RED reads SPM 0xff00..0x10003");
    verify(2, "silex-1", "RED.sum [0xff04], [0], 64, ALL\n", "RED writes SPM 0xff04..0x10003");
    verify(2, "silex-1", "RED.sum [0x02], [0], 4, ALL\n", "not a multiple of 4");
    verify(2, "silex-1", "GAT [0xff00], [0], 32, 4, ALL\n", NULL);
    verify(4, "silex-1", "GAT [0xff00], [0], 32, 4, ALL\n", "GAT writes SPM 0xff00..0x100ff");
    verify(4, "silex-1", "ALU.mul r5, r2, 0x5555\nRED.sum [0], [r5], 1, ALL\n", "RED reads SPM");
    /* the same events on every chip: neither count, branch nor size from r2, whatever it went through */
    const char *no = "follows from r2";
    verify(4, "silex-1", "ALU.add r5, r2, 1\nLOOP r5, e\nSYS.nop\ne: RED.sum [0], [0], 1, ALL\n",
           no);
    verify(4, "silex-1", "ALU.add r5, r2, 1\nLOOP r5, e\nSYS.nop\ne: SYS.nop\n", NULL);
    verify(4, "silex-1", "BR.eq r2, 1, e\nSYS.nop\ne: RED.sum [0], [0], 1, ALL\n", no);
    verify(4, "silex-1", "BR.eq 1, r2, e\nSYS.nop\ne: RED.sum [0], [0], 1, ALL\n", no);
    verify(4, "silex-1", "RED.sum [0], [0], r2, ALL\n", no);
    verify(4, "silex-1", "GAT [0], [0], r2+1, 1, ALL\n", no);
    verify(4, "silex-1", "GAT [0], [0], 1, r2+1, ALL\n", no);
    verify(4, "silex-1",
           "ALU.min r5, r2, 2\nALU.sel r6, 4, r5, r1\nLDS.u8 r7, [r6], 9\nLOOP r7, "
           "e\nRED.sum [0], [0], 1, ALL\ne: SYS.nop\n",
           no);
    /* a register that a loop moves by the rank */
    verify(4, "silex-1",
           "LOOP 3, e\nALU.add r5, r5, r2\ne: LOOP r5, f\nRED.sum [0], [0], 1, ALL\nf: SYS.nop\n",
           no);
    verify(4, "silex-1",
           "LOOP 3, e\nALU.add r6, r5, 1\nALU.add r5, r2, 0\ne: LOOP r6, f\nRED.sum [0], [0], 1, "
           "ALL\nf: SYS.nop\n",
           no);
    /* r1 may decide: tile i is tile i everywhere */
    verify(4, "silex-1", "LOOP r1, e\nRED.sum [0], [0], 1, ALL\ne: SYS.nop\n", NULL);
    verify(4, "silex-1", "LDS.u32 r5, [0], 9\nLOOP r5, e\nRED.sum [0], [0], 1, ALL\ne: SYS.nop\n",
           NULL);
}

static void test_kv_place(void **state)
{
    (void)state;
    slx_program_info one = {.n_kv_heads = 3}, runs = {.n_chips = 2, .kv_unit = 4},
                     turns = {.n_chips = 4, .kv_unit = 1};
    for (uint32_t g = 0; g < 8; g++) {
        slx_kv_place a = slx_program_kv_head(&one, g), b = slx_program_kv_head(&runs, g),
                     c = slx_program_kv_head(&turns, g);
        assert_true(a.chip == 0 && a.head == g);
        assert_true(b.chip == g / 4 && b.head == g % 4);
        assert_true(c.chip == g % 4 && c.head == g / 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_red),      cmocka_unit_test(test_gat),
        cmocka_unit_test(test_together), cmocka_unit_test(test_faults),
        cmocka_unit_test(test_counts),   cmocka_unit_test(test_verified),
        cmocka_unit_test(test_kv_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
