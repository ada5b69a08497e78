/* Programs of several chips changed on purpose, in a word or in a span's parameters with the words that follow: strict,
 * which runs every chip, and fast, which runs them as one, give the same values or the same FAULT. On tiny models that
 * sum, gather, and take turns in the head. */
#include "change.h"

static const struct {
    uint32_t tp;
    struct slx_test_model_spec spec;
} cases[] = {
    {2,
     {.d_model = 64,
      .d_ff = 256,
      .n_heads = 8,
      .n_kv_heads = 4,
      .head_dim = 32,
      .vocab = 70,
      BITS_TYPES(Q4_1, Q8_0, Q4_1, Q4_0, Q4_1, Q8_0),
      .seed = 311}},
    {4,
     {.d_model = 96,
      .d_ff = 96,
      .n_heads = 4,
      .n_kv_heads = 4,
      .head_dim = 16,
      .vocab = 45,
      .tied = true,
      BITS_TYPES(Q4_0, Q4_0, Q8_0, F16, Q4_0, Q4_1),
      .seed = 312}},
    {2,
     {.arch = "qwen2",
      .d_model = 64,
      .d_ff = 70,
      .n_heads = 4,
      .n_kv_heads = 2,
      .head_dim = 32,
      .vocab = 33,
      BITS_TYPES(F16, F16, Q4_0, Q4_0, BF16, F16),
      .seed = 313}},
};
enum { CASES = sizeof cases / sizeof *cases, WORDS = 250, PARAMS = 700 };

static void one(int i)
{
    slx_err err = {0};
    slx_chip *chip;
    slx_model *model;
    slx_program prog;
    slx_compile_options o = {.max_rows = 32,
                             .max_samples = 4,
                             .max_seqs = 2,
                             .max_pages = 2,
                             .max_context = 256,
                             .tp = cases[i].tp};
    assert_true(slx_test_write_model(bits_path(), &cases[i].spec));
    if (slx_chip_load(&chip, "silex-mini", &err) != SLX_OK) fail_msg("%s", err.msg);
    chip->net.ports = 4;
    chip->net.gbps = 100;
    if (slx_model_open(&model, bits_path(), &err) != SLX_OK ||
        slx_compile(&prog, model, chip, &o, NULL, NULL, &err) != SLX_OK)
        fail_msg("%s", err.msg);
    change_case c = {.model = model, .chip = chip, .prompt = 9, .decode = true};
    change_result before = change_run(&prog, &c, SLX_MACHINE_STRICT),
                  fast = change_run(&prog, &c, SLX_MACHINE_FAST);
    assert_true(before.status == SLX_OK && fast.fused);
    assert_true(fast.logits == before.logits && fast.kv == before.kv);
    change_counts n = {0};
    slx_rng r = {(uint64_t)i + 1};
    uint32_t bad = 0;
    while (n.verified - n.illegal < WORDS && n.tried < 20000)
        bad += !change_word(&prog, &r, &c, &before, &n);
    assert_true(n.ran >= WORDS / 2 && n.differed >= 20);
    change_counts k = {0};
    for (uint32_t t = 0; t < PARAMS; t++) {
        uint32_t s = slx_rng_below(&r, prog.n_spans), n_param = prog.spans[s].n_param;
        if (!n_param) continue;
        uint32_t j = slx_rng_below(&r, n_param);
        bad += !change_param(&prog, s, j, change_value(prog.spans[s].param[j], &prog.spans[s], &r),
                             &c, &before, &k);
    }
    print_message("words %u ran %u differed %u faulted; parameters %u ran %u differed %u fused\n",
                  n.ran, n.differed, n.faulted, k.ran, k.differed, k.fused);
    assert_true(k.ran >= 20);
    slx_program_free(&prog);
    slx_model_close(model);
    slx_chip_free(chip);
    unlink(bits_path());
    assert_int_equal(bad, 0);
}

static void sums(void **state)
{
    (void)state;
    one(0);
}
static void gathers(void **state)
{
    (void)state;
    one(1);
}
static void both(void **state)
{
    (void)state;
    one(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums),
        cmocka_unit_test(gathers),
        cmocka_unit_test(both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
