/* The compiled program on the strict machine against the whole-tensor reference: the same bits of every logit, for
 * generated models of odd sizes, on every chip, however the prompt is cut into steps and whoever shares a step. */
#include "compile/compile.h"
#include "func/func.h"
#include "gguf_make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

typedef struct slx_test_model_spec spec;

static char path[64];

static slx_model *model_of(const spec *s)
{
    slx_err err = {0};
    slx_model *m;
    snprintf(path, sizeof path, "/tmp/slx-golden-%d.gguf", (int)getpid());
    assert_true(slx_test_write_model(path, s));
    if (slx_model_open(&m, path, &err) != SLX_OK) fail_msg("%s", err.msg);
    return m;
}

typedef struct {
    slx_chip *chip;
    slx_program prog;
    slx_machine *mach;
} rig;

static void rig_open(rig *r, const slx_model *m, const char *chip, const slx_compile_options *opt)
{
    slx_err err = {0};
    slx_machine_options mo = {.kind = SLX_MACHINE_STRICT};
    if (slx_chip_load(&r->chip, chip, &err) != SLX_OK) fail_msg("%s", err.msg);
    if (slx_compile(&r->prog, m, r->chip, opt, NULL, NULL, &err) != SLX_OK)
        fail_msg("%s: %s", chip, err.msg);
    if (slx_machine_open(&r->mach, &r->prog, r->chip, m, &mo, &err) != SLX_OK)
        fail_msg("%s", err.msg);
}

static void rig_close(rig *r)
{
    slx_machine_close(r->mach);
    slx_program_free(&r->prog);
    slx_chip_free(r->chip);
}

static void step(rig *r, const slx_step_seq *seqs, uint32_t n)
{
    slx_err err = {0};
    slx_fault fault = {0};
    if (slx_step_build(&r->prog.info, slx_machine_desc(r->mach), seqs, n, &err) != SLX_OK)
        fail_msg("%s", err.msg);
    if (slx_machine_step(r->mach, &fault, &err) != SLX_OK)
        fail_msg("%s: tile %u pc %u: %s", slx_fault_text(fault.cause), fault.tile, fault.pc,
                 fault.detail);
}

/* The prompt in steps of `cut` rows on pages 3, 2, 1, 0, ..; all rows' logits equal the reference's. */
static void compare(const slx_model *m, const char *chip, const uint32_t *tokens, uint32_t n,
                    uint32_t cut)
{
    rig r;
    slx_err err = {0};
    slx_compile_options opt = {.max_rows = cut, .max_samples = cut, .max_pages = 64};
    rig_open(&r, m, chip, &opt);
    uint32_t vocab = m->hp.vocab, pages[64];
    for (uint32_t i = 0; i < 64; i++) pages[i] = i ^ 3;
    float *want = slx_xcalloc((size_t)n * vocab, sizeof *want);
    if (slx_golden(m, &r.prog, tokens, n, want, &err) != SLX_OK) fail_msg("%s", err.msg);
    for (uint32_t at = 0; at < n; at += cut) {
        uint32_t rows = n - at < cut ? n - at : cut;
        slx_step_seq s = {tokens + at, rows, at, rows, pages, (at + rows + 127) / 128};
        step(&r, &s, 1);
        for (uint32_t k = 0; k < rows; k++)
            if (memcmp(slx_machine_logits(r.mach, k), want + (size_t)(at + k) * vocab,
                       vocab * sizeof *want))
                fail_msg("%s: logits of row %u differ, %g and %g", chip, at + k,
                         (double)slx_machine_logits(r.mach, k)[0],
                         (double)want[(size_t)(at + k) * vocab]);
    }
    free(want);
    rig_close(&r);
}

static void tokens_of(uint32_t *t, uint32_t n, uint32_t vocab)
{
    slx_rng r = {n};
    for (uint32_t i = 0; i < n; i++) t[i] = slx_rng_below(&r, vocab);
}

static void run(spec s, const char *chip, uint32_t n, uint32_t cut)
{
    uint32_t *t = slx_xmalloc(n * sizeof *t);
    slx_model *m = model_of(&s);
    tokens_of(t, n, m->hp.vocab);
    compare(m, chip, t, n, cut);
    slx_model_close(m);
    unlink(path);
    free(t);
}

static const spec small = {.n_layers = 2,
                           .d_model = 64,
                           .d_ff = 96,
                           .n_heads = 4,
                           .n_kv_heads = 2,
                           .vocab = 70,
                           .context = 400,
                           .t_embd = SLX_T_Q4_1,
                           .t_output = SLX_T_Q8_0,
                           .t_qkv = SLX_T_Q4_1,
                           .t_o = SLX_T_Q4_0,
                           .t_gate_up = SLX_T_Q4_1,
                           .t_down = SLX_T_Q8_0,
                           .seed = 1};
/* nothing is a multiple of 32; head size 48 takes the path of unquantised heads */
static const spec odd = {.n_layers = 2,
                         .d_model = 80,
                         .d_ff = 112,
                         .n_heads = 6,
                         .n_kv_heads = 2,
                         .head_dim = 48,
                         .n_rot = 16,
                         .vocab = 45,
                         .context = 400,
                         .tied = true,
                         .rope_freqs = true,
                         .t_qkv = SLX_T_F16,
                         .t_down = SLX_T_BF16,
                         .seed = 2};
static const spec one_head = {.d_model = 32,
                              .d_ff = 32,
                              .head_dim = 32,
                              .vocab = 33,
                              .context = 3000,
                              .tied = true,
                              .seed = 3};
/* long contractions on a small chip: several pieces */
static const spec wide = {.d_model = 1056,
                          .d_ff = 2080,
                          .n_heads = 2,
                          .n_kv_heads = 1,
                          .head_dim = 64,
                          .vocab = 40,
                          .context = 64,
                          .t_gate_up = SLX_T_Q8_0,
                          .t_down = SLX_T_Q4_1,
                          .seed = 4};

static void test_mini(void **state)
{
    (void)state;
    run(small, "silex-mini", 150, 64);
    run(odd, "silex-mini", 140, 33);
    run(wide, "silex-mini", 5, 3);
}

static void test_one(void **state)
{
    (void)state;
    run(small, "silex-one", 20, 7);
    run(odd, "silex-one", 12, 12);
    run(wide, "silex-one", 5, 5);
}

static void test_big(void **state)
{
    (void)state;
    run(small, "silex-1", 9, 4);
    run(one_head, "silex-1", 5, 5);
}

/* Shapes drawn at random: lengths that are no multiple of anything, GQA ratios, partial rotation, every chip. */
static void test_random(void **state)
{
    (void)state;
    slx_rng r = {2024};
    static const char *const chips[] = {"silex-mini", "silex-one", "silex-1"};
    static const char *const archs[] = {"llama", "qwen2", "qwen3"};
    static const uint32_t types[] = {SLX_T_F32,  SLX_T_F16,  SLX_T_BF16,
                                     SLX_T_Q4_0, SLX_T_Q4_1, SLX_T_Q8_0, SLX_T_MXFP4};
    for (int i = 0; i < 24; i++) {
        uint32_t kv = 1 + slx_rng_below(&r, 3), group = 1 + slx_rng_below(&r, 4);
        bool blocks = slx_rng_below(&r, 2);
        spec s = {.n_layers = 1 + slx_rng_below(&r, 2),
                  .n_kv_heads = kv,
                  .n_heads = kv * group,
                  .context = 300,
                  .arch = archs[i % 3],
                  .seed = (uint64_t)i};
        s.head_dim = blocks ? 32 * (1 + slx_rng_below(&r, 3)) : 16 * (1 + slx_rng_below(&r, 8));
        s.n_rot = 16 * (1 + slx_rng_below(&r, s.head_dim / 16));
        s.d_model = blocks ? 32 * (1 + slx_rng_below(&r, 5)) : 1 + slx_rng_below(&r, 150);
        s.d_ff = blocks ? 32 * (1 + slx_rng_below(&r, 8)) : 1 + slx_rng_below(&r, 200);
        s.vocab = 2 + slx_rng_below(&r, 90);
        s.tied = slx_rng_below(&r, 2);
        s.rope_freqs = slx_rng_below(&r, 3) == 0;
        uint32_t *t[] = {&s.t_embd, &s.t_output, &s.t_qkv, &s.t_o, &s.t_gate_up, &s.t_down};
        for (int k = 0; k < 6; k++) *t[k] = types[slx_rng_below(&r, blocks ? 7 : 3)];
        uint32_t n = i == 0 ? 200 : 3 + slx_rng_below(&r, 30);
        run(s, chips[i % 8 == 7 ? 2 : i % 2], n, 1 + slx_rng_below(&r, n));
    }
}

/* Layer norms, biases, gelu, learned positions; three in one tensor. No fused kernels: strict, on every chip. */
static void test_gpt2(void **state)
{
    (void)state;
    const spec gpt = {
        .arch = "gpt2", .n_layers = 2, .d_model = 64, .n_heads = 4, .vocab = 70, .seed = 9, .tied = true};
    spec odd_sizes = {.arch = "gpt2", .d_model = 80, .d_ff = 96, .n_heads = 5, .vocab = 45, .seed = 10};
    spec blocks = {.arch = "gpt2", .d_model = 1056, .n_heads = 2, .head_dim = 64, .vocab = 33, .seed = 11};
    blocks.t_qkv = SLX_T_Q4_1;
    blocks.t_gate_up = SLX_T_Q8_0;
    run(gpt, "silex-1", 9, 4);
    run(gpt, "silex-mini", 140, 33);
    run(odd_sizes, "silex-one", 12, 5);
    run(odd_sizes, "silex-etched", 6, 6);
    run(blocks, "silex-mini", 4, 3);
}

/* More than one group of 16 chunks. */
static void test_long(void **state)
{
    (void)state;
    run(one_head, "silex-mini", 2100, 350);
}

/* Two sequences in one step give what each gives alone. */
static void test_two(void **state)
{
    (void)state;
    rig r;
    slx_err err = {0};
    slx_model *m = model_of(&small);
    slx_compile_options opt = {.max_rows = 32, .max_samples = 4};
    rig_open(&r, m, "silex-mini", &opt);
    enum { NA = 21, NB = 6 };
    uint32_t a[NA], b[NB], vocab = m->hp.vocab;
    const uint32_t pa[1] = {7}, pb[1] = {2};
    tokens_of(a, NA, vocab);
    tokens_of(b, NB, vocab);
    float *wa = slx_xcalloc((size_t)NA * vocab, 4), *wb = slx_xcalloc((size_t)NB * vocab, 4);
    assert_int_equal(slx_golden(m, &r.prog, a, NA, wa, &err), SLX_OK);
    assert_int_equal(slx_golden(m, &r.prog, b, NB, wb, &err), SLX_OK);
    slx_step_seq first[2] = {{a, 20, 0, 0, pa, 1}, {b, 5, 0, 1, pb, 1}};
    step(&r, first, 2);
    assert_memory_equal(slx_machine_logits(r.mach, 0), wb + 4 * vocab, vocab * 4);
    slx_step_seq second[2] = {{b + 5, 1, 5, 1, pb, 1}, {a + 20, 1, 20, 1, pa, 1}};
    step(&r, second, 2);
    assert_memory_equal(slx_machine_logits(r.mach, 0), wb + 5 * vocab, vocab * 4);
    assert_memory_equal(slx_machine_logits(r.mach, 1), wa + 20 * vocab, vocab * 4);
    free(wa);
    free(wb);
    rig_close(&r);
    slx_model_close(m);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mini),   cmocka_unit_test(test_one),  cmocka_unit_test(test_big),
        cmocka_unit_test(test_random), cmocka_unit_test(test_gpt2), cmocka_unit_test(test_long),
        cmocka_unit_test(test_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
