/* test_run.c - the session layer on small random models: the same bits for a sequence however its prompt is cut and
 * whatever runs beside it, refusals that change nothing, pages that come back, and perplexity by its written rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <unistd.h>

#include "gguf_make.h"
#include "run/run.h"

enum { CONTEXT = 400, VOCAB = 288 };
static const struct slx_test_model_spec spec = {.n_layers = 2,
                                                .d_model = 64,
                                                .d_ff = 96,
                                                .n_heads = 4,
                                                .n_kv_heads = 2,
                                                .vocab = VOCAB,
                                                .context = CONTEXT,
                                                .t_qkv = SLX_T_Q4_1,
                                                .t_gate_up = SLX_T_Q4_1,
                                                .t_embd = SLX_T_Q8_0,
                                                .tied = true,
                                                .tokenizer = true,
                                                .seed = 11};

static slx_engine *open_engine(slx_machine_kind kind, int threads, slx_compile_options limits)
{
    char path[] = "/tmp/silex-run-XXXXXX";
    int fd = mkstemp(path);
    slx_engine *e = NULL;
    slx_err err = {0};
    assert_true(fd >= 0);
    close(fd);
    assert_true(slx_test_write_model(path, &spec));
    slx_engine_options o = {.model_path = path,
                            .chip = "silex-mini",
                            .kind = kind,
                            .threads = threads,
                            .compile = limits};
    slx_status st = slx_engine_open(&e, &o, &err);
    unlink(path); /* the map stays */
    if (st != SLX_OK) slx_err_print(&err, stderr);
    assert_int_equal(st, SLX_OK);
    return e;
}

static slx_engine *fast(void)
{
    return open_engine(SLX_MACHINE_FAST, 2, (slx_compile_options){0});
}

static void draw_tokens(uint32_t *t, uint32_t n, uint64_t seed)
{
    slx_rng r = {seed};
    for (uint32_t i = 0; i < n; i++) t[i] = slx_rng_below(&r, VOCAB);
}

/* Digest of a prompt's last logits and of 3 more tokens fed one at a time. */
static uint64_t alone(slx_engine *e, const uint32_t *t, uint32_t n, uint32_t chunk)
{
    slx_seq *s = slx_seq_new(e);
    const float *logits;
    assert_int_equal(slx_seq_prefill(s, t, n, chunk, &logits, NULL), SLX_OK);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(slx_seq_prefill(s, &t[i], 1, 0, &logits, NULL), SLX_OK);
    uint64_t hash = slx_seq_hash(s);
    assert_int_equal(slx_seq_length(s), n + 3);
    slx_seq_free(s);
    return hash;
}

/* ------------------------------------------------------------------ one hash */

static void cuts_of_a_prompt(void **state)
{
    (void)state;
    static const uint32_t chunks[] = {1, 7, 64, 130, 512};
    uint32_t t[150];
    draw_tokens(t, 150, 1);
    slx_engine *e = fast();
    uint64_t want = alone(e, t, 150, 0);
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        assert_true(alone(e, t, 150, chunks[i]) == want);
    t[20] = (t[20] + 1) % VOCAB;
    assert_true(alone(e, t, 150, 0) != want);
    slx_engine_close(e);
}

static void machines_and_threads(void **state)
{
    (void)state;
    uint32_t t[21];
    draw_tokens(t, 21, 2);
    slx_engine *one = open_engine(SLX_MACHINE_FAST, 1, (slx_compile_options){0}), *two = fast(),
               *strict = open_engine(SLX_MACHINE_STRICT, 0, (slx_compile_options){0});
    uint64_t want = alone(one, t, 21, 0);
    assert_true(alone(two, t, 21, 0) == want);
    assert_true(alone(strict, t, 21, 0) == want);
    slx_engine_close(one);
    slx_engine_close(two);
    slx_engine_close(strict);
}

/* Sequences of mixed lengths in shared steps: prompts beside tokens, each with the digest it has alone. */
static void batch_of_sequences(void **state)
{
    (void)state;
    enum { N = 5 };
    static const uint32_t lengths[N] = {1, 2, 33, 7, 60};
    uint32_t t[N][64];
    slx_engine *e = fast();
    slx_seq *s[N];
    slx_batch_entry b[N];
    for (uint32_t i = 0; i < N; i++) {
        draw_tokens(t[i], 64, 100 + i);
        s[i] = slx_seq_new(e);
        b[i] = (slx_batch_entry){.seq = s[i], .tokens = t[i], .n = lengths[i], .n_logits = 1};
    }
    assert_int_equal(slx_engine_step(e, b, 3, NULL), SLX_OK);
    /* the first three go on, one token each, while the prompts of the others arrive */
    for (uint32_t i = 0; i < 3; i++) b[i].n = 1;
    assert_int_equal(slx_engine_step(e, b, N, NULL), SLX_OK);
    for (uint32_t i = 3; i < N; i++) b[i].n = 1;
    for (uint32_t step = 1; step < 3; step++) {
        for (uint32_t i = 0; i < N; i++) b[i].tokens = t[i] + (i < 3 ? step : step - 1);
        assert_int_equal(slx_engine_step(e, b, N, NULL), SLX_OK);
    }
    for (uint32_t i = 3; i < N; i++) b[i].tokens = t[i] + 2;
    assert_int_equal(slx_engine_step(e, b + 3, N - 3, NULL), SLX_OK);
    for (uint32_t i = 0; i < N; i++) {
        assert_true(slx_seq_hash(s[i]) == alone(e, t[i], lengths[i], 0));
        slx_seq_free(s[i]);
    }
    slx_engine_close(e);
}

/* ------------------------------------------------------------------ refusals, pages */

static void refusals_change_nothing(void **state)
{
    (void)state;
    slx_engine *e = open_engine(
        SLX_MACHINE_FAST, 1,
        (slx_compile_options){.max_rows = 16, .max_samples = 2, .max_seqs = 2, .max_pages = 3});
    uint32_t t[CONTEXT + 1];
    draw_tokens(t, CONTEXT + 1, 3);
    slx_seq *a = slx_seq_new(e), *b = slx_seq_new(e), *c = slx_seq_new(e);
    const float *logits;
    slx_err err;
    assert_int_equal(slx_engine_free_pages(e), 3);
    assert_int_equal(slx_seq_prefill(a, t, 130, 0, &logits, NULL), SLX_OK); /* two pages */
    assert_int_equal(slx_engine_free_pages(e), 1);
    uint64_t hash = slx_seq_hash(a);

    slx_batch_entry rows = {.seq = b, .tokens = t, .n = 17, .n_logits = 1};
    assert_int_equal(slx_engine_step(e, &rows, 1, &err), SLX_EINPUT);
    slx_batch_entry samples = {.seq = b, .tokens = t, .n = 3, .n_logits = 3};
    assert_int_equal(slx_engine_step(e, &samples, 1, &err), SLX_EINPUT);
    slx_batch_entry more_logits_than_rows = {.seq = b, .tokens = t, .n = 1, .n_logits = 2};
    assert_int_equal(slx_engine_step(e, &more_logits_than_rows, 1, &err), SLX_EINPUT);
    slx_batch_entry nothing = {.seq = b, .tokens = t, .n = 0};
    assert_int_equal(slx_engine_step(e, &nothing, 1, &err), SLX_EINPUT);
    slx_batch_entry unknown = {.seq = b, .tokens = &(uint32_t){VOCAB}, .n = 1};
    assert_int_equal(slx_engine_step(e, &unknown, 1, &err), SLX_EINPUT);
    slx_batch_entry three[3] = {{.seq = a, .tokens = t, .n = 1},
                                {.seq = b, .tokens = t, .n = 1},
                                {.seq = c, .tokens = t, .n = 1}};
    assert_int_equal(slx_engine_step(e, three, 3, &err), SLX_EINPUT);
    slx_batch_entry twice[2] = {{.seq = b, .tokens = t, .n = 1}, {.seq = b, .tokens = t, .n = 1}};
    assert_int_equal(slx_engine_step(e, twice, 2, &err), SLX_EINPUT);
    assert_non_null(strstr(err.msg, "twice"));
    /* one page is left: two new sequences do not fit */
    slx_batch_entry two[2] = {{.seq = b, .tokens = t, .n = 1}, {.seq = c, .tokens = t, .n = 1}};
    assert_int_equal(slx_engine_step(e, two, 2, &err), SLX_EINPUT);
    assert_non_null(strstr(err.msg, "page"));

    assert_int_equal(slx_engine_free_pages(e), 1);
    assert_int_equal(slx_seq_length(a), 130);
    assert_int_equal(slx_seq_length(b), 0);
    assert_true(slx_seq_hash(a) == hash);
    /* b runs alone, then a's pages come back and c fits too */
    assert_int_equal(slx_engine_step(e, two, 1, NULL), SLX_OK);
    assert_int_equal(slx_engine_free_pages(e), 0);
    slx_seq_free(a);
    assert_int_equal(slx_engine_free_pages(e), 2);
    assert_int_equal(slx_engine_step(e, two + 1, 1, NULL), SLX_OK);
    slx_seq_free(b);
    slx_seq_free(c);
    assert_int_equal(slx_engine_free_pages(e), 3);
    slx_engine_close(e);
}

static void other_files(void **state)
{
    (void)state;
    slx_engine *e = NULL;
    slx_err err = {0};
    slx_engine_options o = {.model_path = "chips/silex-1.yaml", .chip = "silex-mini"};
    assert_int_equal(slx_engine_open(&e, &o, &err), SLX_EINPUT);
    assert_string_equal(err.file, "chips/silex-1.yaml");
    o.chip = "examples/hello.s";
    assert_int_equal(slx_engine_open(&e, &o, &err), SLX_EINPUT);
    assert_string_equal(err.file, "examples/hello.s");
    assert_null(e);
}

/* A program's header says which shapes its tables and rows have: they are the model's, or it does not run. */
static void program_of_another_shape(void **state)
{
    (void)state;
    char model[] = "/tmp/silex-run-XXXXXX", path[] = "/tmp/silex-run-XXXXXX";
    int fd[2] = {mkstemp(model), mkstemp(path)};
    assert_true(fd[0] >= 0 && fd[1] >= 0);
    close(fd[0]);
    close(fd[1]);
    assert_true(slx_test_write_model(model, &spec));
    slx_engine *e = NULL;
    slx_err err = {0};
    slx_engine_options o = {.model_path = model, .chip = "silex-mini"};
    assert_int_equal(slx_engine_open(&e, &o, NULL), SLX_OK);
    o.program_path = path;
    for (int i = 0; i < 4; i++) {
        slx_program p = *slx_engine_program(e);
        uint32_t *field[] = {&p.info.n_rot, &p.info.vocab, &p.info.n_heads, &p.info.max_context};
        *field[i] -= 2;
        assert_int_equal(slx_program_write(&p, path, NULL), SLX_OK);
        slx_engine *other = NULL;
        slx_status st = slx_engine_open(&other, &o, &err);
        slx_engine_close(other);
        assert_int_equal(st, i < 3 ? SLX_EINPUT : SLX_OK); /* the context is the program's own */
        if (st) assert_non_null(strstr(err.msg, "the model has"));
    }
    slx_engine_close(e);
    unlink(model);
    unlink(path);
}

/* ------------------------------------------------------------------ generation */

static void collect(void *arg, const char *text, size_t len)
{
    slx_buf_add(arg, text, len);
}

/* Greedy: each token is the first largest logit of the step before, found here by a plain loop. */
static void greedy(void **state)
{
    (void)state;
    uint32_t t[9], made[6], n = 0;
    slx_engine *e = fast();
    const slx_tokenizer *tok = slx_engine_model(e)->tok;
    draw_tokens(t, 9, 4);
    slx_seq *s = slx_seq_new(e);
    const float *x;
    assert_int_equal(slx_seq_prefill(s, t, 9, 0, &x, NULL), SLX_OK);
    while (n < 6) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < VOCAB; i++)
            if (x[i] > x[best]) best = i;
        if (slx_tok_is_eog(tok, best)) break;
        made[n++] = best;
        if (n < 6) assert_int_equal(slx_seq_prefill(s, &best, 1, 0, &x, NULL), SLX_OK);
    }
    uint64_t hash = slx_seq_hash(s);
    slx_seq_free(s);

    slx_buf text = {0}, ids = {0};
    slx_generation g;
    s = slx_seq_new(e);
    assert_int_equal(
        slx_generate(s, t, 9, 6, 2, &(slx_sampling){.top_p = 1}, collect, &text, &ids, &g, NULL),
        SLX_OK);
    assert_int_equal(g.new_tokens, n);
    assert_int_equal(ids.len, n * sizeof *made);
    if (n) assert_memory_equal(ids.ptr, made, ids.len);
    assert_true(g.hash == hash);
    assert_int_equal(g.prompt_tokens, 9);
    assert_string_equal(g.finish_reason, n == 6 ? "length" : "stop");
    assert_true(slx_utf8_valid(text.len ? text.ptr : "", text.len));
    slx_buf_free(&text);
    slx_buf_free(&ids);
    slx_seq_free(s);
    slx_engine_close(e);
}

static void ends_with_the_context(void **state)
{
    (void)state;
    uint32_t t[21];
    slx_engine *e = open_engine(SLX_MACHINE_FAST, 1, (slx_compile_options){.max_context = 20});
    slx_seq *s = slx_seq_new(e);
    slx_buf ids = {0};
    slx_generation g;
    slx_err err;
    slx_sampling p = {.top_p = 1, .temperature = 2, .seed = 5};
    draw_tokens(t, 21, 6);
    assert_int_equal(slx_generate(s, t, 21, 9, 0, &p, NULL, NULL, &ids, &g, &err), SLX_EINPUT);
    assert_string_equal(err.file, "prompt");
    assert_int_equal(slx_seq_length(s), 0);
    assert_int_equal(slx_generate(s, t, 18, 9, 0, &p, NULL, NULL, &ids, &g, &err), SLX_OK);
    /* drawn at positions 17, 18 and 19; the third is not fed any more */
    if (!strcmp(g.finish_reason, "length")) assert_int_equal(g.new_tokens, 3);
    slx_buf_free(&ids);
    slx_seq_free(s);
    slx_engine_close(e);
}

/* ------------------------------------------------------------------ perplexity */

/* The rule written out: windows of ctx, positions ctx/2 .. ctx-2 score the tokens after them. */
static void perplexity_rule(void **state)
{
    (void)state;
    enum { CTX = 20, TOKENS = 47 };
    uint32_t t[TOKENS];
    double nll = 0, sum_lp = 0;
    uint32_t scored = 0;
    draw_tokens(t, TOKENS, 7);
    slx_engine *e = open_engine(SLX_MACHINE_FAST, 2, (slx_compile_options){.max_samples = 4});
    slx_perplexity r;
    assert_int_equal(slx_perplexity_run(e, t, TOKENS, CTX, &r, NULL), SLX_OK);
    for (uint32_t w = 0; w + CTX <= TOKENS; w += CTX) {
        slx_seq *s = slx_seq_new(e);
        for (uint32_t i = 0; i + 1 < CTX; i++) {
            const float *x;
            long double sum = 0;
            assert_int_equal(slx_seq_prefill(s, &t[w + i], 1, 0, &x, NULL), SLX_OK);
            if (i < CTX / 2) continue;
            for (uint32_t k = 0; k < VOCAB; k++) sum += expl((long double)x[k]);
            nll -= (double)((long double)x[t[w + i + 1]] - logl(sum));
            scored++;
        }
        slx_seq_free(s);
    }
    assert_int_equal(scored, 2 * 9);
    assert_int_equal(r.tokens, scored);
    assert_int_equal(r.logprobs.len, scored * sizeof(double));
    assert_true(fabs(r.nll - nll / scored) < 1e-9);
    assert_true(fabs(r.perplexity - exp(nll / scored)) < 1e-6);
    for (uint32_t i = 0; i < scored; i++)
        sum_lp += ((const double *)(const void *)r.logprobs.ptr)[i];
    assert_true(fabs(sum_lp + nll) < 1e-9);
    slx_buf_free(&r.logprobs);

    slx_err err;
    assert_int_equal(slx_perplexity_run(e, t, TOKENS, TOKENS + 1, &r, &err), SLX_EINPUT);
    assert_int_equal(slx_perplexity_run(e, t, TOKENS, 3, &r, &err), SLX_EINPUT);
    assert_int_equal(slx_perplexity_run(e, t, TOKENS, CONTEXT + 1, &r, &err), SLX_EINPUT);
    slx_engine_close(e);
}

static void bench(void **state)
{
    (void)state;
    slx_engine *e = fast();
    slx_bench_result r[2];
    uint32_t pages = slx_engine_free_pages(e);
    assert_int_equal(slx_bench_run(e, 32, 4, 2, r, NULL), SLX_OK);
    assert_true(r[0].tok_s > 0 && r[1].tok_s > 0 && r[0].tok_s_stddev >= 0);
    assert_int_equal(slx_bench_run(e, 0, 4, 2, r, NULL), SLX_OK);
    assert_true(r[0].tok_s == 0 && r[1].tok_s > 0);
    slx_err err;
    assert_int_equal(slx_bench_run(e, CONTEXT + 1, 0, 1, r, &err), SLX_EINPUT);
    assert_int_equal(slx_engine_free_pages(e), pages);
    slx_engine_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_of_a_prompt),
        cmocka_unit_test(machines_and_threads),
        cmocka_unit_test(batch_of_sequences),
        cmocka_unit_test(refusals_change_nothing),
        cmocka_unit_test(other_files),
        cmocka_unit_test(program_of_another_shape),
        cmocka_unit_test(greedy),
        cmocka_unit_test(ends_with_the_context),
        cmocka_unit_test(perplexity_rule),
        cmocka_unit_test(bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
