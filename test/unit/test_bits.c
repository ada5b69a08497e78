/* One answer, bit for bit: SIMD levels, threads, chunks of the prompt, company in a batch, the whole-tensor reference
 * and the strict machine, on generated models. Logits and KV pages are compared by digest. */
#include "bits.h"

#include "compile/template.h"

enum { LENGTH = 141 }; /* two pages */

static bits_text text_of(const bits_model *m, uint32_t n)
{
    return (bits_text){bits_tokens(n, m->spec.vocab, m->spec.seed), n};
}

/* For each model in turn; want is what one thread of the best level gives, 64 rows a step. */
static void each(void (*check)(const bits_model *m, const char *path, bits_text t,
                               bits_digest want))
{
    static bits_digest want[BITS_N_MODELS];
    static bool known[BITS_N_MODELS];
    for (int i = 0; i < BITS_N_MODELS; i++) {
        const bits_model *m = &bits_models[i];
        const char *path = bits_write(m, 400);
        bits_text t = text_of(m, LENGTH);
        bits_how how = {.chip = m->chip, .threads = 1};
        if (!known[i]) want[i] = bits_alone(path, &how, t, 64);
        known[i] = true;
        check(m, path, t, want[i]);
        free((void *)t.tokens);
        unlink(path);
    }
}

/* The whole text in several chunks, on one engine. */
static void in_chunks(const char *path, const bits_how *how, bits_text t, const uint32_t *chunk,
                      uint32_t n, bits_digest want, const char *what)
{
    bits_text same[BITS_MAX_SEQS];
    bits_digest got[BITS_MAX_SEQS];
    for (uint32_t i = 0; i < n; i++) same[i] = t;
    bits_alone_each(path, how, same, chunk, n, got);
    for (uint32_t i = 0; i < n; i++) BITS_EQUAL(got[i], want, "%s, %u rows a step", what, chunk[i]);
}

static void check_golden(const bits_model *m, const char *path, bits_text t, bits_digest want)
{
    if (bits_golden(path, m->chip, t) != want.logits)
        fail_msg("%s: differs from the reference", m->name);
}

static void check_levels(const bits_model *m, const char *path, bits_text t, bits_digest want)
{
    char what[96];
    for (int l = 0; l < SLX_N_CPU; l++) {
        bits_how h = {.chip = m->chip, .threads = 1, .kern = slx_kern_at((slx_cpu)l)};
        snprintf(what, sizeof what, "%s: level %s", m->name, slx_cpu_names[l]);
        if (h.kern) in_chunks(path, &h, t, (const uint32_t[]){64, 3}, 2, want, what);
    }
}

static void check_threads(const bits_model *m, const char *path, bits_text t, bits_digest want)
{
    char what[96];
    for (int n = 2; n <= 3; n++) {
        bits_how h = {.chip = m->chip, .threads = n};
        snprintf(what, sizeof what, "%s: %d threads", m->name, n);
        in_chunks(path, &h, t, (const uint32_t[]){64, 5}, 2, want, what);
    }
}

static void check_chunks(const bits_model *m, const char *path, bits_text t, bits_digest want)
{
    bits_how h = {.chip = m->chip, .threads = 1};
    in_chunks(path, &h, t, (const uint32_t[]){1, 7, 64, 512}, 4, want, m->name);
}

static void check_batch(const bits_model *m, const char *path, bits_text t, bits_digest want)
{
    bits_how one = {.chip = m->chip, .threads = 1}, two = {.chip = m->chip, .threads = 2};
    bits_text seqs[BITS_MAX_SEQS];
    bits_digest got[BITS_MAX_SEQS], alone[BITS_MAX_SEQS];
    uint32_t chunk[BITS_MAX_SEQS];
    slx_rng r = {m->spec.seed};
    for (uint32_t i = 0; i < BITS_MAX_SEQS; i++) {
        seqs[i] = (bits_text){t.tokens, i ? 1 + slx_rng_below(&r, i % 2 ? LENGTH : 20) : LENGTH};
        chunk[i] = 64;
    }
    bits_together(path, &two, seqs, BITS_MAX_SEQS, m->spec.seed, got);
    bits_alone_each(path, &one, seqs, chunk, BITS_MAX_SEQS, alone);
    BITS_EQUAL(alone[0], want, "%s", m->name);
    for (uint32_t i = 0; i < BITS_MAX_SEQS; i++)
        BITS_EQUAL(got[i], alone[i], "%s: sequence %u of a batch", m->name, i);
}

static void test_reference(void **state)
{
    (void)state;
    each(check_golden);
}

static void test_levels(void **state)
{
    (void)state;
    each(check_levels);
}

static void test_threads(void **state)
{
    (void)state;
    each(check_threads);
}

static void test_chunks(void **state)
{
    (void)state;
    each(check_chunks);
}

static void test_batches(void **state)
{
    (void)state;
    each(check_batch);
}

/* Every model on its chip. */
static void test_strict(void **state)
{
    (void)state;
    for (int i = 0; i < BITS_N_MODELS; i++) {
        const bits_model *m = &bits_models[i];
        const char *path = bits_write(m, 400);
        bits_text t = text_of(m, 12);
        bits_how fast = {.chip = m->chip, .threads = 2},
                 strict = {.chip = m->chip, .kind = SLX_MACHINE_STRICT};
        bits_digest want = bits_alone(path, &fast, t, 5);
        BITS_EQUAL(bits_alone(path, &strict, t, 5), want, "%s: strict on %s", m->name, m->chip);
        free((void *)t.tokens);
        unlink(path);
    }
}

/* silex-etched with 32 KiB of scratchpad: long contractions are done in pieces. Path of its file. */
static const char *small_etched(void)
{
    static char path[64];
    static const char key[] = "spm_kib: 512";
    slx_err err = {0};
    slx_buf text = {0};
    assert_int_equal(slx_read_file(&text, "chips/silex-etched.yaml", &err), SLX_OK);
    slx_buf_add(&text, "", 1);
    char *at = strstr((char *)text.ptr, key);
    assert_non_null(at);
    memcpy(at, "spm_kib: 32 ", sizeof key - 1);
    snprintf(path, sizeof path, "/tmp/slx-etched-%d.yaml", (int)getpid());
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text.ptr, 1, text.len - 1, f), text.len - 1);
    fclose(f);
    slx_buf_free(&text);
    return path;
}

/* Most pieces of a product of the program that `how` compiles. */
static uint64_t most_pieces(const char *path, const bits_how *how)
{
    slx_engine *e = bits_open(path, how, 12, 1);
    const slx_program *p = slx_engine_program(e);
    uint64_t most = 0;
    for (uint32_t i = 0; i < p->n_spans; i++) {
        const slx_span *s = &p->spans[i];
        uint64_t n = s->tmpl == SLX_TMPL_LINEAR   ? s->param[SLX_LINEAR_pieces]
                     : s->tmpl == SLX_TMPL_GATEUP ? s->param[SLX_GATEUP_pieces]
                     : s->tmpl == SLX_TMPL_LMHEAD ? s->param[SLX_LMHEAD_pieces]
                                                  : 0;
        most = n > most ? n : most;
    }
    slx_engine_close(e);
    return most;
}

/* Weights beside the tensor engines change no bit: every model with them in ROM or SRAM against silex-1. The strict
 * machine reads what the program's addresses name; the fast one packs what they name. */
static void test_weights_in_place(void **state)
{
    (void)state;
    const char *small = small_etched();
    const bits_how how[] = {
        {.chip = "silex-etched", .threads = 2},
        {.chip = "silex-sram", .threads = 1},
        {.chip = "silex-etched", .kind = SLX_MACHINE_STRICT},
        {.chip = "silex-sram", .kind = SLX_MACHINE_STRICT},
        {.chip = small, .threads = 1},
        {.chip = small, .kind = SLX_MACHINE_STRICT},
    };
    uint64_t pieces = 0;
    for (int i = 0; i < BITS_N_MODELS; i++) {
        const bits_model *m = &bits_models[i];
        const char *path = bits_write(m, 400);
        bits_text t = text_of(m, 12);
        bits_how plain = {.chip = "silex-1", .threads = 1};
        bool wide = m->spec.d_model > 1000 || m->spec.d_ff > 2000;
        bits_digest want = bits_alone(path, &plain, t, 5);
        for (size_t k = 0; k < (wide ? 6 : i < 2 ? 4 : 3); k++)
            BITS_EQUAL(bits_alone(path, &how[k], t, 5), want, "%s: case %zu on %s", m->name, k,
                       how[k].chip);
        if (wide) pieces += most_pieces(path, &how[4]) > 1;
        free((void *)t.tokens);
        unlink(path);
    }
    assert_true(pieces > 0); /* a contraction too long for it even with few rows */
    unlink(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_threads),          cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_batches),          cmocka_unit_test(test_strict),
        cmocka_unit_test(test_weights_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
