/* The default model: one digest for every SIMD level, thread count, cutting of the prompt and company in a batch; the
 * whole-tensor reference; strict on each chip. Then the generated models again where they are long: prompts of several
 * chunks of 512, and contexts of more than one group of 16 pages. Skipped without the model file. */
#include "bits.h"

static const char model[] = "models/SmolLM2-135M-Instruct.Q4_1.gguf";
enum { LONG = 700, SHORT = 12, VOCAB = 49152 };

static void need_model(void)
{
    if (access(model, R_OK)) {
        print_message("%s is not there\n", model);
        skip();
    }
}

static bits_digest want; /* of the long text, one thread of the best level, chunks of 64 */
static bits_text text;

static int set_up(void **state)
{
    (void)state;
    text = (bits_text){bits_tokens(LONG, VOCAB, 1), LONG};
    bits_how how = {.chip = "silex-1", .threads = 1};
    if (!access(model, R_OK)) want = bits_alone(model, &how, text, 64);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free((void *)text.tokens);
    return 0;
}

static void test_chunks(void **state)
{
    (void)state;
    need_model();
    static const uint32_t chunk[] = {512, 7};
    bits_how how = {.chip = "silex-1", .threads = 2};
    bits_text both[2] = {text, text}, part = {text.tokens, 200};
    bits_digest got[2], alone;
    bits_alone_each(model, &how, both, chunk, 2, got);
    for (int i = 0; i < 2; i++) BITS_EQUAL(got[i], want, "chunks of %u, two threads", chunk[i]);
    /* one row at a time */
    alone = bits_alone(model, &how, part, 64);
    BITS_EQUAL(bits_alone(model, &how, part, 1), alone, "chunks of 1");
}

static void test_levels(void **state)
{
    (void)state;
    need_model();
    bits_text part = {text.tokens, 150};
    bits_how best = {.chip = "silex-1", .threads = 2};
    bits_digest first = bits_alone(model, &best, part, 64);
    for (int l = 0; l < SLX_N_CPU; l++) {
        bits_how h = {.chip = "silex-1", .threads = 2, .kern = slx_kern_at((slx_cpu)l)};
        if (!h.kern) continue;
        BITS_EQUAL(bits_alone(model, &h, part, 140), first, "level %s", slx_cpu_names[l]);
    }
}

static void test_threads(void **state)
{
    (void)state;
    need_model();
    for (int n = 2; n <= 3; n++) {
        bits_how h = {.chip = "silex-1", .threads = n};
        BITS_EQUAL(bits_alone(model, &h, text, 200), want, "%d threads", n);
    }
}

static void test_batch(void **state)
{
    (void)state;
    need_model();
    bits_how how = {.chip = "silex-1", .threads = 2};
    bits_text t[BITS_MAX_SEQS];
    bits_digest alone[BITS_MAX_SEQS], got[BITS_MAX_SEQS];
    uint32_t chunk[BITS_MAX_SEQS];
    slx_rng r = {5};
    for (uint32_t i = 0; i < BITS_MAX_SEQS; i++) {
        t[i] = (bits_text){text.tokens + i, i % 4 ? 1 + slx_rng_below(&r, 40) : 130 + i};
        chunk[i] = 64;
    }
    bits_alone_each(model, &how, t, chunk, BITS_MAX_SEQS, alone);
    bits_together(model, &how, t, BITS_MAX_SEQS, 9, got);
    for (uint32_t i = 0; i < BITS_MAX_SEQS; i++)
        BITS_EQUAL(got[i], alone[i], "sequence %u of a batch", i);
}

static void test_reference(void **state)
{
    (void)state;
    need_model();
    bits_text part = {text.tokens, 40};
    bits_how how = {.chip = "silex-1", .threads = 2};
    assert_true(bits_alone(model, &how, part, 64).logits == bits_golden(model, "silex-1", part));
}

/* Three rows, then one at a time. */
static void on_chip(const char *chip)
{
    need_model();
    bits_text part = {text.tokens, SHORT};
    bits_how fast = {.chip = chip, .threads = 2, .max_rows = 16};
    bits_how strict = {.chip = chip, .kind = SLX_MACHINE_STRICT, .max_rows = 16};
    BITS_EQUAL(bits_alone(model, &strict, part, 3), bits_alone(model, &fast, part, 1),
               "strict on %s", chip);
}

static void test_strict_silex_1(void **state)
{
    (void)state;
    on_chip("silex-1");
}

static void test_strict_silex_mini(void **state)
{
    (void)state;
    on_chip("silex-mini");
}

static void test_strict_silex_one(void **state)
{
    (void)state;
    on_chip("silex-one");
}

/* ------------------------------------------------------------------ generated models, at length */

static bits_digest long_text(const bits_model *m, const char *path, bits_text t)
{
    static const uint32_t chunk[] = {512, 64, 300};
    bits_how one = {.chip = m->chip, .threads = 1}, two = {.chip = m->chip, .threads = 2};
    bits_text same[3] = {t, t, t};
    bits_digest got[3], first = bits_alone(path, &one, t, 512);
    bits_alone_each(path, &two, same, chunk, 3, got);
    for (int i = 0; i < 3; i++)
        BITS_EQUAL(got[i], first, "%s: chunks of %u, two threads", m->name, chunk[i]);
    bits_how scalar = {.chip = m->chip, .threads = 2, .kern = slx_kern_at(SLX_CPU_SCALAR)};
    BITS_EQUAL(bits_alone(path, &scalar, t, 512), first, "%s: scalar", m->name);
    return first;
}

static void test_generated_long(void **state)
{
    (void)state;
    for (int i = 0; i < BITS_N_MODELS; i++) {
        const bits_model *m = &bits_models[i];
        const char *path = bits_write(m, 1000);
        bits_text t = {bits_tokens(600, m->spec.vocab, 2), 600};
        bits_digest d = long_text(m, path, t);
        if (d.logits != bits_golden(path, m->chip, t))
            fail_msg("%s: differs from the reference", m->name);
        free((void *)t.tokens);
        unlink(path);
    }
}

/* 2,300 positions are two groups of 16 pages; 4,200 are three. */
static void test_groups(void **state)
{
    (void)state;
    static const bits_model models[] = {
        {"long-hd32",
         "silex-mini",
         {.d_model = 64,
          .d_ff = 64,
          .n_heads = 4,
          .n_kv_heads = 2,
          .head_dim = 32,
          .vocab = 50,
          .tied = true,
          .seed = 201}},
        {"long-hd48",
         "silex-1",
         {.d_model = 48,
          .d_ff = 64,
          .n_heads = 3,
          .n_kv_heads = 1,
          .head_dim = 48,
          .vocab = 50,
          .seed = 202}},
    };
    static const uint32_t length[] = {2300, 4200};
    for (int i = 0; i < 2; i++) {
        const char *path = bits_write(&models[i], 5000);
        bits_text t = {bits_tokens(length[i], 50, 3), length[i]};
        bits_digest d = long_text(&models[i], path, t);
        if (d.logits != bits_golden(path, models[i].chip, t))
            fail_msg("%s: differs from the reference", models[i].name);
        bits_how strict = {.chip = models[i].chip, .kind = SLX_MACHINE_STRICT};
        if (!i) BITS_EQUAL(bits_alone(path, &strict, t, 512), d, "%s: strict", models[i].name);
        free((void *)t.tokens);
        unlink(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_strict_silex_1),
        cmocka_unit_test(test_strict_silex_mini),
        cmocka_unit_test(test_strict_silex_one),
        cmocka_unit_test(test_generated_long),
        cmocka_unit_test(test_groups),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
