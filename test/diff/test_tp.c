/* Tensor parallelism changes no bit: logits and KV pages of TP 2, 4 and 8 equal those of one chip, on strict (each chip
 * by itself) and on fast, whatever the division of each product: by nodes of the segment tree or gathered. */
#include "bits.h"

static const bits_model models[] = {
    /* blocks of the contractions: d_model 11, d_ff 13, attention 4 */
    {"11-13",
     "silex-1",
     {.n_layers = 2,
      .d_model = 352,
      .d_ff = 416,
      .n_heads = 8,
      .n_kv_heads = 8,
      .head_dim = 16,
      .vocab = 131,
      BITS_TYPES(Q4_1, Q8_0, Q4_1, Q4_0, Q4_1, Q8_0),
      .seed = 301}},
    /* 13, 45, 12; heads of 48: rows are quantised apart from attention */
    {"13-45",
     "silex-1",
     {.d_model = 416,
      .d_ff = 1440,
      .n_heads = 8,
      .n_kv_heads = 8,
      .head_dim = 48,
      .n_rot = 16,
      .vocab = 70,
      .tied = true,
      BITS_TYPES(Q4_0, Q4_0, Q8_0, F16, Q4_0, Q4_1),
      .seed = 302}},
    /* 45, 11, 16; four query heads a KV head */
    {"45-11",
     "silex-1",
     {.d_model = 1440,
      .d_ff = 352,
      .n_heads = 16,
      .n_kv_heads = 8,
      .head_dim = 32,
      .vocab = 45,
      BITS_TYPES(F16, BF16, Q4_1, Q4_1, BF16, Q8_0),
      .seed = 303}},
    /* 4, 64, 32: both sums at every degree */
    {"even",
     "silex-1",
     {.n_layers = 2,
      .d_model = 128,
      .d_ff = 2048,
      .n_heads = 16,
      .n_kv_heads = 8,
      .head_dim = 64,
      .vocab = 300,
      .tied = true,
      BITS_TYPES(Q4_1, Q4_1, Q4_1, Q4_1, Q4_1, Q4_1),
      .seed = 304}},
    /* 3, 16, 16: o and down sum at 2 and 4 (four segments), gather at 8; biases */
    {"qwen2",
     "silex-1",
     {.arch = "qwen2",
      .d_model = 96,
      .d_ff = 512,
      .n_heads = 16,
      .n_kv_heads = 8,
      .head_dim = 32,
      .vocab = 97,
      BITS_TYPES(Q8_0, Q8_0, Q4_0, Q8_0, Q4_1, Q8_0),
      .seed = 305}},
    {"qwen3",
     "silex-1",
     {.arch = "qwen3",
      .d_model = 96,
      .d_ff = 70,
      .n_heads = 8,
      .n_kv_heads = 8,
      .head_dim = 16,
      .vocab = 33,
      .tied = true,
      BITS_TYPES(F32, F32, F16, BF16, F32, F16),
      .seed = 306}},
};
enum { N_MODELS = sizeof models / sizeof *models };

static char chip_path[64];

/* silex-mini with links to others: four tiles, so that slices, row tiles and pieces come in numbers. */
static int make_chip(void **state)
{
    (void)state;
    slx_buf text = {0}, linked = {0};
    slx_err err = {0};
    const char *energy = "\nenergy:\n";
    snprintf(chip_path, sizeof chip_path, "/tmp/slx-tp-%d.yaml", (int)getpid());
    if (slx_read_file(&text, "chips/silex-mini.yaml", &err) != SLX_OK) fail_msg("%s", err.msg);
    slx_buf_add(&text, "", 1);
    const char *at = strstr(text.ptr, energy);
    assert_non_null(at);
    at += strlen(energy);
    slx_buf_add(&linked, text.ptr, (size_t)(at - (const char *)text.ptr));
    slx_buf_adds(&linked, "  serdes_pj_b: 4.5\n");
    slx_buf_adds(&linked, at);
    slx_buf_adds(&linked, "\nnet: {ports: 4, gbps: 100, alpha_ns: 900, switch_ns: 600}\n");
    slx_status st = slx_write_file(chip_path, linked.ptr, linked.len, &err);
    slx_buf_free(&linked);
    slx_buf_free(&text);
    return st == SLX_OK ? 0 : -1;
}

static int remove_chip(void **state)
{
    (void)state;
    unlink(chip_path);
    return 0;
}

static void one_model(const bits_model *m, const char *chip)
{
    assert_true(slx_test_write_model(bits_path(), &m->spec));
    enum { N = 150 };
    uint32_t *tokens = bits_tokens(N, m->spec.vocab, m->spec.seed);
    bits_text t = {tokens, N};
    bits_how how = {.chip = chip, .kind = SLX_MACHINE_FAST, .threads = 2};
    bits_digest want = bits_alone(bits_path(), &how, t, 64);
    for (uint32_t tp = 2; tp <= 8; tp *= 2) {
        how = (bits_how){.chip = chip, .kind = SLX_MACHINE_FAST, .threads = 2, .tp = tp};
        BITS_EQUAL(bits_alone(bits_path(), &how, t, 64), want, "%s: fast, tp %u", m->name, tp);
        BITS_EQUAL(bits_alone(bits_path(), &how, t, 7), want, "%s: fast, tp %u, sevens", m->name,
                   tp);
        how.kind = SLX_MACHINE_STRICT;
        how.max_rows = tp == 4 ? 10 : 64;
        BITS_EQUAL(bits_alone(bits_path(), &how, t, how.max_rows), want, "%s: strict, tp %u",
                   m->name, tp);
    }
    assert_int_equal(want.logits, bits_golden(bits_path(), chip, t));
    free(tokens);
    unlink(bits_path());
}

#define CASE(i)                                                                                    \
    static void model_##i(void **state)                                                            \
    {                                                                                              \
        (void)state;                                                                               \
        one_model(&models[i], chip_path);                                                          \
    }
CASE(0)
CASE(1)
CASE(2)
CASE(3)
CASE(4)
CASE(5)

/* Has no fused kernels: strict alone, whose chips hold their share of the biases of up. d_ff of 13 blocks is gathered,
 * of 64 summed. */
static void gpt2(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct slx_test_model_spec s = {
            .arch = "gpt2", .d_model = 128, .n_heads = 8, .vocab = 70, .tied = true};
        s.d_ff = i ? 2048 : 416;
        assert_true(slx_test_write_model(bits_path(), &s));
        enum { N = 20 };
        uint32_t *tokens = bits_tokens(N, s.vocab, s.seed);
        bits_text t = {tokens, N};
        bits_how how = {.chip = chip_path, .kind = SLX_MACHINE_STRICT};
        bits_digest want = bits_alone(bits_path(), &how, t, 10);
        assert_int_equal(want.logits, bits_golden(bits_path(), chip_path, t));
        for (how.tp = 2; how.tp <= 8; how.tp *= 2)
            BITS_EQUAL(bits_alone(bits_path(), &how, t, 10), want, "gpt2, d_ff %u, tp %u", s.d_ff,
                       how.tp);
        free(tokens);
        unlink(bits_path());
    }
}

/* The large chip, whose tiles outnumber the slices. */
static void large_chip(void **state)
{
    (void)state;
    one_model(&models[0], "silex-1");
}

/* Weights in the ROM of each chip: the head is in slices there, tied or not. */
static void etched(void **state)
{
    (void)state;
    one_model(&models[3], "silex-etched");
    one_model(&models[0], "silex-sram");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_0),    cmocka_unit_test(model_1), cmocka_unit_test(model_2),
        cmocka_unit_test(model_3),    cmocka_unit_test(model_4), cmocka_unit_test(model_5),
        cmocka_unit_test(gpt2),       cmocka_unit_test(large_chip), cmocka_unit_test(etched),
    };
    return cmocka_run_group_tests(tests, make_chip, remove_chip);
}
