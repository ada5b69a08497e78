/* test_lib.c - kernels of vendor chips: formulas against sums worked out by hand on a chip with round figures, what a
 * chip takes from its family, what no answer may break.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "chip/chip_int.h"
#include "time/lib.h"

/* 4 units, 1e6 FLOP/us, 1e6 bytes/us; one tile, no split, every limit it does not give off. */
static const char round_chip[] =
    "name: round\n"
    "runs: library\n"
    "process: {node: N5}\n"
    "part: {units: 4, clock_ghz: 1, bf16_tflops: 1, fp8_tflops: 2, mem_tbs: 1,\n"
    "  cache_mib: 1, mem_gib: 1, links_gbs: 200}\n"
    "package: {tdp_w: 100}\n"
    "tiles: {rows: \"64\", cols: \"64\", split: 0}\n"
    "gemm: {t0_us: 1, p: 1}\n"
    "decode: {t0_us: 2, cta_us: 0.5}\n"
    "prefill: {t0_us: 3, p: 1}\n"
    "nccl: {t0_us: 1, ll_us: 1, e_ll: 0.5, mid_us: 1000, start_us: 1000}\n"
    "graph: {t0_us: 1, two_us: 2, eager_us: 50}\n"
    "op: {t0_us: 1}\n"
    "draw: {idle: 0.2, mac: 0.3, mem: 0.4, active: 0.1}\n";

static slx_chip *parse(const char *text)
{
    slx_chip *c;
    slx_err err = {0};
    if (slx_chip_parse(&c, text, strlen(text), "t.yaml", &err)) {
        slx_err_print(&err, stderr);
        fail();
    }
    return c;
}

static slx_chip *load(const char *name)
{
    slx_chip *c;
    slx_err err = {0};
    if (slx_chip_load_any(&c, name, &err)) {
        slx_err_print(&err, stderr);
        fail();
    }
    return c;
}

static void near(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-6 * fabs(expected)))
        fail_msg("found %.9g, expected %.9g", found, expected);
}

static slx_lib_time gemm(const slx_chip *c, uint64_t m, uint64_t n, uint64_t k, slx_lib_dtype d)
{
    slx_lib_time t;
    slx_err err;
    assert_int_equal(slx_lib_gemm(c, &(slx_lib_gemm_query){m, n, k, d, false}, &t, &err), SLX_OK);
    return t;
}

static void test_gemm_by_hand(void **state)
{
    (void)state;
    slx_chip *c = parse(round_chip);
    /* one tile on one of four units: 2 64^3 / 0.25e6 us; 3 matrices of 8 KiB through a memory of 1e6 bytes/us; the
     * power term has the peak of four units and adds (1/4.05)^8 / 8 */
    double t = 2.097152 + 0.024576, peak = 0.524288;
    near(gemm(c, 64, 64, 64, SLX_LIB_BF16).seconds * 1e6, 1 + t * pow(1 + pow(peak / t, 8), 0.125));
    /* five tiles are two waves */
    double two = 2 * 2.097152 + (64 * 64 + 5 * 64 * 64 + 5 * 64 * 64) * 2e-6;
    near(gemm(c, 64, 320, 64, SLX_LIB_BF16).seconds * 1e6,
         1 + two * pow(1 + pow(5 * peak / two, 8), 0.125));
    /* 65 rows pay for 128 */
    double pad = 2.097152 + (65 * 64 + 64 * 64 + 65 * 64) * 2e-6, work = 2 * 65 * 64 * 64 * 1e-6;
    near(gemm(c, 65, 64, 64, SLX_LIB_BF16).seconds * 1e6,
         1 + pad * pow(1 + pow(work / pad, 8), 0.125));
    slx_chip_free(c);
}

/* Activations that another kernel quantises: the pass is left out, and of the launches as much as a product in 16 bits
 * has is left. */
static void test_gemm_quantised_by_hand(void **state)
{
    (void)state;
    slx_chip *c = parse(round_chip);
    slx_err err;
    slx_lib_time t;
    c->given.gemm[SLX_LIB_8].p = 1, c->given.gemm[SLX_LIB_8].q_us = 10, c->given.gemm[SLX_LIB_8].q_tbs = 1;
    for (int own = 0; own <= 3; own += 3) { /* us that the product's own launch is told to take, beside 1 in 16 bits */
        c->given.gemm[SLX_LIB_8].t0_us = own;
        slx_chip_complete_library(c);
        double both = gemm(c, 64, 64, 64, SLX_LIB_FP8).seconds * 1e6;
        slx_lib_gemm_query q = {64, 64, 64, SLX_LIB_FP8, true};
        assert_int_equal(slx_lib_gemm(c, &q, &t, &err), SLX_OK);
        /* the pass reads 2 bytes of each value and writes 1, at 1e6 bytes/us */
        near(both - t.seconds * 1e6, own + 10 + 3 * 64 * 64 * 1e-6 - fmax(own, 1));
        q.dtype = SLX_LIB_BF16;
        assert_int_equal(slx_lib_gemm(c, &q, &t, &err), SLX_OK);
        near(t.seconds, gemm(c, 64, 64, 64, SLX_LIB_BF16).seconds);
    }
    /* the longest term is named: launches of 13 us over a product of 2 */
    assert_string_equal(gemm(c, 64, 64, 64, SLX_LIB_FP8).bound_by, "launch");
    c->given.gemm[SLX_LIB_8].q_row_us = 40;
    slx_chip_complete_library(c);
    assert_string_equal(gemm(c, 64, 64, 64, SLX_LIB_FP8).bound_by, "quantisation");
    slx_chip_free(c);
}

/* Results written apart, activations and weights that stay in the cache: what each adds or saves. */
static void test_gemm_memory_by_hand(void **state)
{
    (void)state;
    slx_chip *c = parse(round_chip);
    double matrix = 64 * 64 * 2, mac = 2.097152, peak = 0.524288;
    double with[3] = {0};
    for (int i = 0; i < 3; i++) {
        c->given.gemm[0].e_store = i == 0 ? 0.5 : NAN;
        c->given.gemm[0].a_res = i == 1 ? 1 : NAN;
        c->given.gemm[0].c_res = i == 2 ? 1 : NAN;
        slx_chip_complete_library(c);
        with[i] = gemm(c, 64, 64, 64, SLX_LIB_BF16).seconds * 1e6;
    }
    /* 1e6 bytes/us, results at half of it; the activations; all three, as a working set of 24 KiB stays in 1 MiB */
    double t[3] = {mac + 2 * matrix * 1e-6 + matrix * 2e-6, mac + 2 * matrix * 1e-6, mac};
    for (int i = 0; i < 3; i++) near(with[i], 1 + t[i] * pow(1 + pow(peak / t[i], 8), 0.125));
    /* 1.1 times the cache: gone, but for 1/(1 + 1.1^16) of activations and results; weights, in copies, even more */
    uint64_t m = (uint64_t)((1.1 * 1048576 - matrix) / (2 * 64 * 2));
    double work = (2 * (double)m * 64 + 64 * 64) * 2, gone = 1 - 1 / (1 + pow(1.1, 16));
    assert_true(fabs(gemm(c, m, 64, 64, SLX_LIB_BF16).bytes / work / gone - 1) < 0.01);
    slx_chip_free(c);
}

/* A library that goes by m and n takes the first tile that fits, however slow; a whole tile is written at store_gbs. */
static void test_choice_by_hand(void **state)
{
    (void)state;
    slx_chip *c = parse(round_chip);
    c->tile_choice[0] = "16/64:16x32 64:64x64 :128x64";
    c->given.gemm[0].store_gbs = 1;
    slx_chip_complete_library(c);
    const struct {
        uint64_t m, n;
        uint32_t rows, cols;
    } cases[] = {{16, 64, 16, 32}, {16, 65, 64, 64}, {17, 64, 64, 64}, {64, 4096, 64, 64}, {65, 64, 128, 64}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        slx_lib_time t = gemm(c, cases[i].m, cases[i].n, 64, SLX_LIB_BF16);
        assert_true(t.tile_m == cases[i].rows && t.tile_n == cases[i].cols);
    }
    /* 128 x 64 x 64 multiply-adds on a unit of 0.25e6 FLOP/us, and 128 x 64 results of 2 bytes at 1e3 bytes/us, then
     * the operands and results of 65 rows through the memory */
    double t = 2 * 128 * 64 * 64 / 0.25e6 + 128 * 64 * 2 / 1e3 + (65 * 64 + 64 * 64 + 65 * 64) * 2e-6;
    near(gemm(c, 65, 64, 64, SLX_LIB_BF16).seconds * 1e6, 1 + t); /* the whole chip's peak, 0.5 us, adds 1e-13 */
    slx_chip_free(c);
    static const char *const bad[] = {"16:16", "16x64", ":0x64", "16/:x", "16:16x64,32:32x64", ":a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[1024];
        slx_err err = {0};
        snprintf(text, sizeof text, "%stiles_8bit: {choice: \"%s\"}\n", round_chip, bad[i]);
        assert_int_equal(slx_chip_parse(&c, text, strlen(text), "t.yaml", &err), SLX_EINPUT);
        assert_non_null(strstr(err.msg, "M/N:ROWSxCOLS"));
    }
}

/* Scales for blocks of 128 x 128: the host's launches are a floor, by rows and by whole blocks; a long product joins
 * the floor as (T^12 + host^12)^(1/12). */
static void test_block_launch_by_hand(void **state)
{
    (void)state;
    slx_chip *c = parse(round_chip);
    const slx_lib_dtype block = SLX_LIB_FP8_BLOCK;
    c->given.gemm[SLX_LIB_BLOCK].host_us = 0; /* graphs: as 8 bits */
    slx_chip_complete_library(c);
    near(gemm(c, 64, 64, 128, block).seconds, gemm(c, 64, 64, 128, SLX_LIB_FP8).seconds);
    c->given.gemm[SLX_LIB_BLOCK].host_us = 1e4;
    slx_chip_complete_library(c);
    near(gemm(c, 1, 64, 128, block).seconds, 1e-2);
    c->given.gemm[SLX_LIB_BLOCK].host_few_us = 0.5e4;
    c->given.gemm[SLX_LIB_BLOCK].host_odd_us = 1e3;
    c->given.gemm[SLX_LIB_BLOCK].host_ragged_us = 3e4;
    slx_chip_complete_library(c);
    near(gemm(c, 31, 64, 128, block).seconds, 0.5e-2);
    near(gemm(c, 32, 64, 128, block).seconds, 1e-2);
    near(gemm(c, 33, 64, 128, block).seconds, 1.1e-2);
    near(gemm(c, 36, 64, 128, block).seconds, 1e-2);
    near(gemm(c, 36, 64, 64, block).seconds, 3e-2);  /* half a block of k */
    near(gemm(c, 36, 32, 128, block).seconds, 3e-2); /* a quarter of a block of n */
    near(gemm(c, 36, 64 * 3, 128, block).seconds, 1e-2);
    double alone = gemm(c, 4096, 1024, 4096, SLX_LIB_FP8).seconds * 1e6; /* 2^35 FLOP at 2e6 a us */
    assert_true(alone > 1.7e4);
    near(gemm(c, 4096, 1024, 4096, block).seconds * 1e6, alone * pow(1 + pow(1e4 / alone, 12), 1 / 12.0));
    assert_string_equal(gemm(c, 32, 64, 128, block).bound_by, "launch");
    slx_chip_free(c);
}

static void test_family(void **state)
{
    (void)state;
    slx_chip *c = NULL;
    slx_err err;
    slx_chip_figures f = {.name = "x",
                          .family = "nvidia-hopper",
                          .units = 66,
                          .clock_ghz = 1.83,
                          .bf16_tflops = 989,
                          .mem_tbs = 4.8};
    assert_int_equal(slx_chip_from_figures(&c, &f, &err), SLX_OK);
    assert_false(c->lib.own[SLX_LIB_OWN_GEMM]);
    /* twice the rate of a unit: twice the operands it loads; shares and launches stay */
    assert_true(c->lib.n.gemm[0].unit_gbs > 0 && c->of_family->given.gemm[0].unit_gbs > 0);
    near(c->lib.n.gemm[0].unit_gbs, 2 * c->of_family->given.gemm[0].unit_gbs);
    near(c->lib.n.gemm[0].t0_us, c->of_family->given.gemm[0].t0_us);
    near(c->lib.n.gemm[0].step_us, c->of_family->given.gemm[0].step_us / sqrt(2));
    assert_true(c->lib.fig.cache_mib == 50 && c->lib.fig.link_gbs == 450);
    /* units of twice the FLOP and of twice the memory a clock: the band is wider by 0.8 of that distance */
    near(c->lib.n.gemm[0].band_high, pow(c->of_family->given.gemm[0].band_high, 1 + 0.8 * log(2) * sqrt(2)));
    slx_chip_free(c);
    /* no family, no figure: an answer all the same */
    f = (slx_chip_figures){.name = "y", .family = "no-such"};
    assert_int_equal(slx_chip_from_figures(&c, &f, &err), SLX_OK);
    slx_lib_time t = gemm(c, 16, 4096, 4096, SLX_LIB_FP8);
    assert_true(c->lib.inferred && t.seconds > 0 && t.low_s < t.seconds && t.seconds < t.high_s);
    slx_chip_free(c);
}

/* Numbers of another chip are scaled by figures alone; the share under the power limit never passes the peak. */
static void test_unmeasured(void **state)
{
    (void)state;
    slx_chip *h100 = load("h100"), *h200 = load("h200"), *c;
    slx_err err;
    assert_int_equal(slx_chip_unmeasured(&c, h100, "h200", &err), SLX_OK);
    assert_false(c->lib.own[SLX_LIB_OWN_GEMM] || c->lib.own[SLX_LIB_OWN_DECODE]);
    assert_true(c->lib.fig.mem_tbs == h100->lib.fig.mem_tbs && h200->lib.fig.mem_tbs != h100->lib.fig.mem_tbs);
    near(c->lib.n.gemm[0].unit_gbs, h200->lib.n.gemm[0].unit_gbs); /* the same units */
    near(c->lib.n.gemm[0].e_hbm, h200->lib.n.gemm[0].e_hbm);
    slx_chip_free(c);
    /* tenfold power a FLOP */
    slx_chip_figures f = {.name = "x", .family = "nvidia-hopper", .bf16_tflops = 989, .tdp_w = 7000};
    assert_int_equal(slx_chip_from_figures(&c, &f, &err), SLX_OK);
    near(c->lib.n.gemm[0].f_thr, 1);
    slx_chip_free(c);
    f.tdp_w = 70;
    assert_int_equal(slx_chip_from_figures(&c, &f, &err), SLX_OK);
    near(c->lib.n.gemm[0].f_thr, c->of_family->given.gemm[0].f_thr * pow(0.1, 0.3));
    slx_chip_free(c);
    assert_int_not_equal(slx_chip_unmeasured(&c, h100, "no-such", &err), SLX_OK);
    assert_int_not_equal(slx_chip_unmeasured(&c, h100, "silex-1", &err), SLX_OK);
    slx_chip_free(h100);
    slx_chip_free(h200);
}

static slx_chip *of_figures(slx_chip_figures f)
{
    slx_chip *c;
    slx_err err;
    assert_int_equal(slx_chip_from_figures(&c, &f, &err), SLX_OK);
    return c;
}

/* What is not told of a chip: narrow peaks by its family's, no more cache than the family's chip, units between peak
 * and memory, and units that fill the memory however much of their tensor rate is cut off. */
static void test_inferred(void **state)
{
    (void)state;
    slx_chip *c = of_figures((slx_chip_figures){
        .name = "half", .family = "nvidia-blackwell", .bf16_tflops = 1125, .mem_tbs = 8});
    const slx_chip *fam = c->of_family;
    near(c->lib.fig.fp8_tflops, fam->part.fp8_tflops / 2);
    near(c->lib.fig.fp4_tflops, fam->part.fp4_tflops / 2);
    near(c->lib.fig.units, floor(fam->part.units * sqrt(0.5) + 0.5)); /* the memory is whole, the peak half */
    near(c->lib.fig.cache_mib, fam->part.cache_mib / 2);
    slx_chip_free(c);
    c = of_figures((slx_chip_figures){
        .name = "double", .family = "nvidia-blackwell", .bf16_tflops = 4500, .fp8_tflops = 5000, .mem_tbs = 16});
    near(c->lib.fig.cache_mib, c->of_family->part.cache_mib);
    near(c->lib.fig.units, 2 * c->of_family->part.units);
    near(c->lib.fig.fp8_tflops, 5000);
    slx_chip_free(c);
    c = of_figures((slx_chip_figures){.name = "cut", .family = "nvidia-hopper", .units = 132, .clock_ghz = 1.83,
                                       .bf16_tflops = 123.6, .mem_tbs = 4.8});
    double own = c->of_family->given.decode.unit_gbs;
    near(c->lib.n.decode.unit_gbs, fmax(own / 4, fmin(own, 1.4 * 4800 / 132))); /* 512 FLOP a clock count as 1024 */
    slx_chip_free(c);
}

/* Whatever is told of a chip, some family stands for it. Figures are published ones. */
static void test_family_choice(void **state)
{
    static const struct {
        const char *told;
        double units, clock, f16, mem;
        const char *family;
    } cases[] = {
        {"nvidia-hopper", 132, 1.83, 989, 3.35, "nvidia-hopper"},
        {"NVIDIA Ada Lovelace", 58, 2.04, 121, 0.3, "nvidia-ada"},
        {"Hopper", 0, 0, 0, 0, "nvidia-hopper"},
        {"amd_cdna3", 304, 2.1, 1307, 5.3, "amd-cdna3"},
        {"AMD", 256, 2.4, 2516, 8, "amd-cdna4"}, /* units as an MI355X has */
        {"trainium2", 0, 0, 0, 0, "aws-trainium"},
        {"intel-xe", 20, 2.4, 98.3, 0.456, "intel-xe"},
        /* small units of a generation whose large ones the family holds for: RTX PRO 6000; an H20 has marks of both */
        {"nvidia-blackwell", 188, 2.6, 467.8, 1.792, "nvidia-ada"},
        {"nvidia-blackwell", 148, 1.85, 2250, 8, "nvidia-blackwell"},
        {"nvidia-hopper", 78, 1.98, 148, 4, "nvidia-hopper"},
        {"xenon", 10, 1, 10, 1, "generic"},
        {"of-tomorrow", 0, 0, 0, 0, "generic"},
        {"sm_90a", 0, 0, 0, 0, "nvidia-hopper"},
        {"Blackwell Ultra", 0, 0, 0, 0, "nvidia-blackwell"},
        {"gfx942", 0, 0, 0, 0, "amd-cdna3"},
        {"MI300X", 0, 0, 0, 0, "amd-cdna3"},
        {"Lovelace", 0, 0, 0, 0, "nvidia-ada"},
        {"tpu", 0, 0, 0, 0, "google-tpu"},
        {"Arc", 0, 0, 0, 0, "intel-xe"},
        {"architecture", 0, 0, 0, 0, "generic"}, /* no Arc */
        {"-plain", 0, 0, 0, 0, "generic"},
        {"", 0, 0, 0, 0, "generic"},
        {NULL, 0, 0, 0, 0, "generic"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        slx_chip_figures f = {.name = "x",
                              .family = cases[i].told,
                              .units = cases[i].units,
                              .clock_ghz = cases[i].clock,
                              .bf16_tflops = cases[i].f16,
                              .mem_tbs = cases[i].mem};
        slx_chip *c;
        slx_err err;
        assert_int_equal(slx_chip_from_figures(&c, &f, &err), SLX_OK);
        if (strcmp(c->family, cases[i].family) != 0)
            fail_msg("%s: found %s, expected %s", cases[i].told ? cases[i].told : "nothing", c->family,
                     cases[i].family);
        slx_lib_time t = gemm(c, 16, 4096, 4096, SLX_LIB_BF16);
        assert_true(t.seconds > 0 && t.low_s < t.seconds && t.seconds < t.high_s);
        slx_chip_free(c);
    }
}

static void test_attention_by_hand(void **state)
{
    (void)state;
    slx_chip *c = parse(round_chip);
    slx_lib_time t;
    slx_err err;
    /* 2 sequences, 1 head: 2 units busy, one wave of 0.5 us; 2 x 2 x 64 x 128 x 2 bytes and 4 x 2 x 64 of q and out;
     * a split halves nothing (one block of keys) */
    slx_lib_attention_query q = {.decode = true,
                                 .batch = 2,
                                 .q_heads = 1,
                                 .kv_heads = 1,
                                 .head_dim = 64,
                                 .q_len = 1,
                                 .context = 128};
    assert_int_equal(slx_lib_attention(c, &q, &t, &err), SLX_OK);
    double hbm = (2 * 2 * 64 * 128 * 2 + 4 * 2 * 64) * 1e-6;
    near(t.seconds * 1e6, 2 + pow(pow(0.5, 2.5) + pow(hbm, 2.5), 0.4));
    /* 128 queries of one head: one tile of 128 x 128 on one unit, 4 128 128 64 FLOP at 0.25e6 a us; q, k, v and out */
    q = (slx_lib_attention_query){
        .batch = 1, .q_heads = 1, .kv_heads = 1, .head_dim = 64, .q_len = 128, .context = 128};
    slx_chip *keys = parse(round_chip);
    keys->given.facts.prefill_keys = 128;
    slx_chip_complete_library(keys);
    assert_int_equal(slx_lib_attention(keys, &q, &t, &err), SLX_OK);
    near(t.seconds * 1e6, 3 + 4.0 * 128 * 128 * 64 / 0.25e6 + 4 * 64 * (128 + 128) * 1e-6);
    slx_chip_free(keys);
    /* a context that is not split where every query head has keys of its own: one unit takes it all */
    c->given.facts.one_group = 1;
    c->given.decode.blk_us = 10;
    slx_chip_complete_library(c);
    slx_lib_attention_query one = {
        .decode = true, .batch = 1, .q_heads = 1, .kv_heads = 1, .head_dim = 64, .q_len = 1, .context = 1024};
    slx_lib_time whole, parts;
    slx_err e;
    assert_int_equal(slx_lib_attention(c, &one, &whole, &e), SLX_OK);
    one.q_heads = 2;
    assert_int_equal(slx_lib_attention(c, &one, &parts, &e), SLX_OK);
    assert_true(whole.split == 1 && parts.split > 1);
    assert_true(whole.seconds * 1e6 > 80 && parts.seconds * 1e6 < 80); /* eight blocks of 10 us */
    slx_chip_free(c);
}

static void test_collective_by_hand(void **state)
{
    (void)state;
    slx_chip *c = parse(round_chip);
    slx_lib_time t;
    slx_err err;
    /* 4 chips, 100 GB/s one way: all-gather 3 steps of 1 us, 3/4 MB at 0.5e5 bytes/us */
    slx_lib_collective_query q = {.op = SLX_LIB_ALL_GATHER, .n_chips = 4, .bytes = 1e6};
    assert_int_equal(slx_lib_collective(c, &q, &t, &err), SLX_OK);
    near(t.seconds * 1e6, 1 + 3 + 0.75e6 / 0.5e5);
    /* one phase 1 + 3 us MB / 1e5, two phases 1 + 2 + 1.5e6/1e5: the second */
    q = (slx_lib_collective_query){
        .op = SLX_LIB_ALL_REDUCE, .impl = SLX_LIB_GRAPH, .n_chips = 4, .bytes = 1e6};
    assert_int_equal(slx_lib_collective(c, &q, &t, &err), SLX_OK);
    near(t.seconds * 1e6, 1 + 2 + 15);
    q.impl = SLX_LIB_EAGER;
    assert_int_equal(slx_lib_collective(c, &q, &t, &err), SLX_OK);
    near(t.seconds * 1e6, 50);
    slx_chip_free(c);
}

static void test_op_and_power_by_hand(void **state)
{
    (void)state;
    slx_chip *c = parse(round_chip);
    slx_lib_time t;
    slx_lib_watts w;
    slx_err err;
    slx_lib_op_query q = {.op = SLX_LIB_GELU, .rows = 1000, .cols = 1000};
    assert_int_equal(slx_lib_op(c, &q, &t, &err), SLX_OK);
    near(t.seconds * 1e6, 1 + 4);
    /* half the peak of FLOPs, a quarter of the memory's: 20 + 15 + 10 + 10 W of 100 */
    t = (slx_lib_time){.seconds = 1, .flops = 0.5e12, .bytes = 0.25e12};
    assert_int_equal(slx_lib_power(c, &t, SLX_LIB_BF16, &w, &err), SLX_OK);
    near(w.watts, 55);
    /* of an attention with 32 KV heads of 4 query heads, the 20 W at rest go by (32/8)^0.5 and 4^-0.25 */
    c->lib.n.draw[SLX_LIB_DRAW_DECODE] = c->lib.n.draw[SLX_LIB_DRAW_GEMM];
    c->lib.n.draw[SLX_LIB_DRAW_DECODE].heads = 0.5, c->lib.n.draw[SLX_LIB_DRAW_DECODE].group = -0.25;
    t.draw = SLX_LIB_DRAW_DECODE, t.kv_heads = 32, t.group = 4;
    assert_int_equal(slx_lib_power(c, &t, SLX_LIB_BF16, &w, &err), SLX_OK);
    near(w.watts, 35 + 20 * 2 / sqrt(2));
    slx_chip_free(c);
}

/* A kernel takes the band of its size; a list that is none is refused with its place. */
static void test_bands(void **state)
{
    static const char good[] = "name: r\nruns: library\nop: {t0_us: 2, band_low: 0.5, band_high: 3}\n"
                               "nccl: {t0_us: 10, band_low: 0.7, band_high: 1.7, "
                               "bands: \"0.1 11  0.2 12  0.3 13  0.4 14  0.5 15  0.6 16\"}\n";
    static const char *const bad[] = {"0.1 11", "1.1 11 0 1 0 1 0 1 0 1 0 1", "1 1 1 1 1 1 1 1 1 1 1 1 1", "a",
                                      "0.1 0.9 0 1 0 1 0 1 0 1 0 1"};
    (void)state;
    slx_chip *c = parse(good);
    slx_lib_time t;
    slx_err err;
    slx_lib_collective_query q = {.op = SLX_LIB_SEND_RECV, .n_chips = 2};
    const double link = c->lib.fig.link_gbs * 1e3; /* bytes/us */
    for (int k = 1; k < SLX_LIB_CLASSES; k++) {
        static const double us[] = {0, 15, 50, 500, 5e3, 5e4};
        q.bytes = (us[k] - 10) * link;
        assert_int_equal(slx_lib_collective(c, &q, &t, &err), SLX_OK);
        near(t.seconds * 1e6, us[k]);
        near(t.low_s, t.seconds * (k + 1) / 10);
        near(t.high_s, t.seconds * (k + 11));
    }
    slx_lib_op_query op = {.op = SLX_LIB_GELU, .rows = 1, .cols = 1};
    assert_int_equal(slx_lib_op(c, &op, &t, &err), SLX_OK);
    near(t.low_s, t.seconds / 2);
    slx_chip_free(c);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256];
        snprintf(text, sizeof text, "name: r\nruns: library\nnccl: {t0_us: 1, bands: \"%s\"}\n", bad[i]);
        assert_int_equal(slx_chip_parse(&c, text, strlen(text), "t.yaml", &err), SLX_EINPUT);
        assert_true(err.line == 3 && strstr(err.msg, "nccl.bands: found") && strstr(err.msg, "twelve numbers"));
    }
}

/* Faster than the peak or the memory is never; more work never takes less by more than a better tile explains. */
static void test_bounds(void **state)
{
    static const char *const chips[] = {"h100", "b200"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        slx_chip *c = load(chips[i]);
        for (uint64_t m = 1; m <= 16384; m *= 4)
            for (uint64_t n = 128; n <= 16384; n *= 4)
                for (int d = 0; d < SLX_LIB_N_DTYPES; d++) {
                    slx_lib_time t = gemm(c, m, n, 4096, (slx_lib_dtype)d);
                    slx_lib_format form = t.widened ? SLX_LIB_WO : slx_lib_dtype_format((slx_lib_dtype)d);
                    double peak = slx_lib_tflops(c, (slx_lib_dtype)d) * 1e12;
                    assert_true(t.seconds >= t.flops / peak);
                    assert_true(t.seconds >= t.bytes / (c->lib.fig.mem_tbs * 1e12));
                    assert_true(
                        t.low_s < t.seconds && t.seconds < t.high_s &&
                        t.measured == c->lib.own[SLX_LIB_OWN_GEMM + form]);
                }
        slx_chip_free(c);
    }
}

/* Numbers that a chip does not multiply: never above the peak of 16 bits, as fast as the same bytes of weights alone,
 * and no narrower band than those. Peaks are NVIDIA's: A100 312 TFLOP/s in BF16, 624 TOP/s in INT8, no FP8. */
static void test_absent_formats(void **state)
{
    static const struct {
        const char *chip;
        slx_lib_dtype d;
        double tflops;
        bool widened;
    } cases[] = {{"h100", SLX_LIB_NVFP4, 989, true},     {"h100", SLX_LIB_MXFP4, 989, true},
                 {"h100", SLX_LIB_FP8, 1979, false},     {"a100", SLX_LIB_FP8, 312, true},
                 {"a100", SLX_LIB_INT8, 624, false},     {"a100", SLX_LIB_FP8_BLOCK, 312, true},
                 {"b300", SLX_LIB_INT8, 153.5, false},   {"b200", SLX_LIB_MXFP4, 9000, false},
                 {"tpu-v6e", SLX_LIB_INT8, 1836, false}, {"tpu-v4", SLX_LIB_FP8, 275, true},
                 {"mi300x", SLX_LIB_NVFP4, 1307, true}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        slx_chip *c = load(cases[i].chip);
        slx_lib_time t = gemm(c, 4096, 8192, 8192, cases[i].d);
        slx_lib_time wo = gemm(c, 4096, 8192, 8192, SLX_LIB_INT8_WO);
        double reached = t.flops / t.seconds / 1e12;
        if (t.widened != cases[i].widened || reached > cases[i].tflops)
            fail_msg("%s %s: %.0f TFLOP/s of %.0f", c->name, slx_lib_dtype_name(cases[i].d), reached,
                     cases[i].tflops);
        if (t.widened) assert_true(t.high_s / t.low_s >= 0.999 * wo.high_s / wo.low_s);
        slx_chip_free(c);
    }
    slx_chip *c = load("a100");
    assert_true(gemm(c, 4096, 8192, 8192, SLX_LIB_FP8).seconds == gemm(c, 4096, 8192, 8192, SLX_LIB_INT8_WO).seconds);
    slx_chip_free(c);
    /* left out, a format is the family's; 0 says that there is none; of no family, nobody knows */
    slx_chip_figures f = {.name = "x",
                          .family = "nvidia-hopper",
                          .units = 132,
                          .clock_ghz = 1.83,
                          .bf16_tflops = 500,
                          .mem_tbs = 4};
    c = of_figures(f);
    near(slx_lib_tflops(c, SLX_LIB_FP8), 500 * 1979 / 989.0);
    assert_true(slx_lib_widens(c, SLX_LIB_NVFP4));
    double low = gemm(c, 64, 4096, 4096, SLX_LIB_NVFP4).low_s / gemm(c, 64, 4096, 4096, SLX_LIB_NVFP4).seconds;
    slx_chip_free(c);
    f.fp8_tflops = SLX_NO_FORMAT;
    c = of_figures(f);
    assert_true(slx_lib_widens(c, SLX_LIB_FP8));
    slx_chip_free(c);
    f.family = "of-nobody";
    c = of_figures(f);
    slx_lib_time t = gemm(c, 64, 4096, 4096, SLX_LIB_NVFP4);
    assert_true(t.widened && t.low_s / t.seconds < low / 2);
    slx_chip_free(c);
}

/* One table of formats: every name is read back, another word for it too, and nothing else. */
static void test_format_names(void **state)
{
    static const char *const other[][2] = {
        {"BF16", "bf16"}, {"half", "fp16"}, {"awq", "int4_wo"}, {"w8a8", "int8"}, {"fp4", "nvfp4"}};
    slx_lib_dtype d;
    (void)state;
    for (int i = 0; i < SLX_LIB_N_DTYPES; i++) {
        const char *name = slx_lib_dtype_name((slx_lib_dtype)i);
        assert_true(slx_lib_dtype_parse(name, &d) && d == (slx_lib_dtype)i && strstr(slx_lib_dtype_list, name));
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        assert_true(slx_lib_dtype_parse(other[i][0], &d) && !strcmp(slx_lib_dtype_name(d), other[i][1]));
    assert_false(slx_lib_dtype_parse("fp3", &d));
}

/* ------------------------------------------------------------------ bands where less is known */

/* Nobody knows less of a chip than who knows no family: generic's band is no narrower than any family's own. How many
 * measurements of chips it holds of which no row was used: test_validate.c. */
static void test_generic_band(void **state)
{
    static const char *const families[] = {"nvidia-ampere", "nvidia-hopper", "nvidia-ada", "nvidia-blackwell",
                                           "amd-cdna3",     "amd-cdna4",     "intel-xe",   "intel-gaudi",
                                           "google-tpu",    "aws-trainium"};
    (void)state;
    slx_chip *all, *of;
    slx_err err;
    assert_int_equal(slx_chip_load_family(&all, "generic", &err), SLX_OK);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        assert_int_equal(slx_chip_load_family(&of, families[i], &err), SLX_OK);
        const slx_lib_numbers *a = &all->given, *o = &of->given;
        for (int f = 0; f < SLX_LIB_FORMATS; f++) {
            if (isnan(o->gemm[f].band_low)) continue;
            if (!(a->gemm[f].band_low <= o->gemm[f].band_low && a->gemm[f].band_high >= o->gemm[f].band_high))
                fail_msg("%s, format %d: generic's band is narrower", families[i], f);
        }
        assert_true(a->decode.band_low <= o->decode.band_low && a->decode.band_high >= o->decode.band_high);
        assert_true(a->prefill.band_low <= o->prefill.band_low && a->prefill.band_high >= o->prefill.band_high);
        assert_true(a->nccl.band_low <= o->nccl.band_low && a->nccl.band_high >= o->nccl.band_high);
        assert_true(a->graph.band_low <= o->graph.band_low && a->graph.band_high >= o->graph.band_high);
        assert_true(a->op.band_low <= o->op.band_low && a->op.band_high >= o->op.band_high);
        assert_true(a->draw[0].band_low <= o->draw[0].band_low && a->draw[0].band_high >= o->draw[0].band_high);
        slx_chip_free(of);
    }
    slx_chip_free(all);
}

/* High over low of a product, a sum over chips and a board's power. */
static void spreads(slx_chip_figures f, double out[3])
{
    slx_chip *c = of_figures(f);
    slx_lib_time g = gemm(c, 64, 4096, 4096, SLX_LIB_BF16), s;
    slx_lib_watts w;
    slx_err err;
    slx_lib_collective_query q = {.op = SLX_LIB_ALL_REDUCE, .n_chips = 4, .bytes = 1e6};
    assert_int_equal(slx_lib_collective(c, &q, &s, &err), SLX_OK);
    assert_int_equal(slx_lib_power(c, &g, SLX_LIB_BF16, &w, &err), SLX_OK);
    out[0] = g.high_s / g.low_s, out[1] = s.high_s / s.low_s, out[2] = w.high_w / w.low_w;
    slx_chip_free(c);
}

/* Each figure that is left out widens what rests on it, and nothing else; together they widen most. */
static void test_inferred_bands(void **state)
{
    static const slx_chip_figures whole = {.name = "x", .family = "of-nobody", .units = 132, .clock_ghz = 1.7,
                                           .bf16_tflops = 989, .mem_tbs = 3.35, .tdp_w = 700, .link_gbs = 450};
    static const struct {
        size_t at;
        int widens;
    } left_out[] = {{offsetof(slx_chip_figures, bf16_tflops), 0}, {offsetof(slx_chip_figures, mem_tbs), 0},
                    {offsetof(slx_chip_figures, units), 0},       {offsetof(slx_chip_figures, clock_ghz), 0},
                    {offsetof(slx_chip_figures, link_gbs), 1},    {offsetof(slx_chip_figures, tdp_w), 2}};
    double known[3], some[3], none[3];
    (void)state;
    spreads(whole, known);
    spreads((slx_chip_figures){.name = "x"}, none);
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++) {
        slx_chip_figures f = whole;
        *(double *)((char *)&f + left_out[i].at) = 0;
        spreads(f, some);
        for (int k = 0; k < 3; k++) {
            bool wider = some[k] > 1.05 * known[k];
            if (wider != (k == left_out[i].widens)) fail_msg("figure %zu, band %d: %g of %g", i, k, some[k], known[k]);
            assert_true(none[k] >= some[k] * 0.999);
        }
    }
}

static void test_refused(void **state)
{
    (void)state;
    slx_chip *c = load("silex-1");
    slx_lib_time t;
    slx_err err;
    assert_int_equal(slx_lib_gemm(c, &(slx_lib_gemm_query){1, 1, 1, SLX_LIB_BF16, false}, &t, &err),
                     SLX_EINPUT);
    assert_non_null(strstr(err.msg, "found program"));
    slx_chip_free(c);
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"name: t\nruns: library\nfamily: no-such\nprocess: {node: N5}\n",
         "no such name in families"},
        {"name: t\nruns: family\n", "a family is no chip"},
        {"name: t\nruns: library\nprocess: {node: N5}\ntiles: {rows: \"64 x\"}\n",
         "expected whole numbers"},
        {"name: t\nruns: library\nprocess: {node: N5}\ngemm: {t0_us: -1}\n", "between 0 and"},
        {"name: t\nruns: library\nprocess: {node: N5}\ngemm: {f_max: 1}\n", "unknown key"},
        {"name: t\nruns: family\nprocess: {node: N5}\n", "found in a family of chips"},
        {"name: t\ngemm: {t0_us: 1}\n", "found in a chip that runs programs"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_not_equal(slx_chip_parse(&c, bad[i].text, strlen(bad[i].text), "t.yaml", &err),
                             SLX_OK);
        if (!strstr(err.msg, bad[i].why))
            fail_msg("%zu: found \"%s\", expected \"%s\"", i, err.msg, bad[i].why);
        assert_null(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemm_by_hand),
        cmocka_unit_test(test_gemm_memory_by_hand),
        cmocka_unit_test(test_gemm_quantised_by_hand),
        cmocka_unit_test(test_choice_by_hand),
        cmocka_unit_test(test_block_launch_by_hand),
        cmocka_unit_test(test_family),
        cmocka_unit_test(test_unmeasured),
        cmocka_unit_test(test_inferred),
        cmocka_unit_test(test_family_choice),
        cmocka_unit_test(test_attention_by_hand),
        cmocka_unit_test(test_collective_by_hand),
        cmocka_unit_test(test_op_and_power_by_hand),
        cmocka_unit_test(test_bands),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_absent_formats), cmocka_unit_test(test_format_names),
        cmocka_unit_test(test_generic_band),   cmocka_unit_test(test_inferred_bands),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
