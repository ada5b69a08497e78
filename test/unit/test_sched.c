/* test_sched.c - many jobs on one engine, small random models: whatever runs beside a job, however its prompt is cut,
 * whether its pages come from the cache or were taken away in between, its tokens are those it has alone. Fairness,
 * cancelling and the books of pages are counted here independently. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "gguf_make.h"
#include "run/prefix.h"
#include "run/sched.h"

enum { CONTEXT = 500, VOCAB = 288, JOBS = 14, LONGEST = 420 };
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
                                                .seed = 12};

static slx_engine *open_engine(slx_compile_options limits)
{
    char path[] = "/tmp/silex-sched-XXXXXX";
    int fd = mkstemp(path);
    slx_engine *e = NULL;
    slx_err err = {0};
    assert_true(fd >= 0);
    close(fd);
    assert_true(slx_test_write_model(path, &spec));
    slx_engine_options o = {
        .model_path = path, .chip = "silex-mini", .threads = 1, .compile = limits};
    slx_status st = slx_engine_open(&e, &o, &err);
    unlink(path);
    if (st != SLX_OK) slx_err_print(&err, stderr);
    assert_int_equal(st, SLX_OK);
    return e;
}

/* ------------------------------------------------------------------ jobs that remember what they got */

typedef struct {
    uint32_t prompt[LONGEST], n, max_new;
    slx_sampling sampling;
    uint64_t user;
    uint32_t want[64], n_want; /* alone */
    const char *want_end;
    uint32_t got[64], n_got;
    bool done;
    slx_end end;
    slx_job_usage usage;
    slx_job *job;
    uint32_t stop_after; /* the callback ends it; 0 = never */
} job;

static bool on_token(void *arg, const slx_drawn *t)
{
    job *j = arg;
    assert_false(j->done);
    assert_true(j->n_got < 64);
    j->got[j->n_got++] = t->token;
    return j->n_got != j->stop_after;
}

static void on_end(void *arg, slx_end end, const slx_job_usage *u, const slx_err *why)
{
    job *j = arg;
    assert_false(j->done);
    assert_null(why);
    j->done = true;
    j->end = end;
    j->usage = *u;
    j->job = NULL;
}

static void submit(slx_sched *s, job *j)
{
    slx_job_options o = {.draw.sampling = j->sampling,
                         .max_new = j->max_new,
                         .user = j->user,
                         .on_token = on_token,
                         .on_end = on_end,
                         .arg = j};
    j->n_got = 0;
    j->done = false;
    assert_int_equal(slx_sched_submit(s, j->prompt, j->n, &o, &j->job, NULL), SLX_OK);
}

static void alone(slx_engine *e, job *j)
{
    slx_seq *s = slx_seq_new(e);
    slx_buf ids = {0};
    slx_generation g;
    assert_int_equal(
        slx_generate(s, j->prompt, j->n, j->max_new, 0, &j->sampling, NULL, NULL, &ids, &g, NULL),
        SLX_OK);
    j->n_want = (uint32_t)(ids.len / 4);
    j->want_end = g.finish_reason;
    if (ids.len) memcpy(j->want, ids.ptr, ids.len);
    slx_buf_free(&ids);
    slx_seq_free(s);
}

/* Prompts of all lengths; some begin alike, by whole pages and by less. */
static void make_jobs(slx_engine *e, job *j, uint32_t n, uint64_t seed)
{
    slx_rng r = {seed};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t common = i % 3 && i ? 40 + 110 * (i % 3) : 0;
        memset(&j[i], 0, sizeof j[i]);
        j[i].n = common + 1 + slx_rng_below(&r, LONGEST - common);
        if (i % 5 == 0) j[i].n = 1 + slx_rng_below(&r, 20);
        if (common > j[i].n) common = j[i].n;
        for (uint32_t k = 0; k < j[i].n; k++) j[i].prompt[k] = slx_rng_below(&r, VOCAB);
        memcpy(j[i].prompt, j[0].prompt, (common < j[0].n ? common : j[0].n) * 4);
        if (i)
            memcpy(j[i].prompt, j[i - 1].prompt, (common < j[i - 1].n ? common : j[i - 1].n) * 4);
        j[i].max_new = 1 + slx_rng_below(&r, 40);
        j[i].sampling = (slx_sampling){.temperature = i % 2 ? 1.5f : 0, .top_p = 1, .seed = i};
        j[i].user = i % 4;
        alone(e, &j[i]);
    }
}

static void check(const job *j)
{
    assert_true(j->done);
    assert_int_equal(j->n_got, j->n_want);
    assert_memory_equal(j->got, j->want, j->n_want * 4);
    assert_int_equal(j->end, strcmp(j->want_end, "stop") ? SLX_END_LENGTH : SLX_END_STOP);
    assert_int_equal(j->usage.new_tokens, j->n_want);
    assert_int_equal(j->usage.prompt_tokens, j->n);
}

static void pages_balance(slx_sched *s)
{
    slx_sched_stats st;
    slx_sched_get_stats(s, &st);
    assert_int_equal(st.running, 0);
    assert_int_equal(st.waiting, 0);
    assert_int_equal(st.pages_used, 0);
}

/* ------------------------------------------------------------------ the solo answer */

static void every_interleaving(void **state)
{
    (void)state;
    static job j[JOBS];
    static const slx_sched_options configs[] = {
        {0},
        {.no_prefix_cache = true},
        {.chunk = 1, .slots = 3},
        {.pages = 6}, /* one sequence takes up to four */
        {.pages = 5, .no_prefix_cache = true},
        {.pages = 4, .chunk = 128},
    };
    slx_engine *e = open_engine((slx_compile_options){.max_rows = 160, .max_pages = 40});
    make_jobs(e, j, JOBS, 5);
    uint32_t free_before = slx_engine_free_pages(e);
    for (uint32_t c = 0; c < sizeof configs / sizeof *configs; c++) {
        slx_sched *s = slx_sched_open(e, &configs[c]);
        slx_rng r = {100 + c};
        slx_sched_stats st;
        /* twice: the second time much of it is in the cache */
        for (int round = 0; round < 2; round++) {
            for (uint32_t i = 0; i < JOBS; i++) {
                submit(s, &j[i]);
                for (uint32_t k = slx_rng_below(&r, 4); k; k--) slx_sched_step(s);
            }
            while (slx_sched_step(s)) {}
            for (uint32_t i = 0; i < JOBS; i++) check(&j[i]);
            pages_balance(s);
        }
        slx_sched_get_stats(s, &st);
        if (configs[c].no_prefix_cache)
            assert_int_equal(st.cached_tokens, 0);
        else if (!configs[c].pages)
            assert_true(st.cached_tokens > 1000);
        if (configs[c].pages == 5) assert_true(st.preemptions > 0);
        if (!configs[c].pages) assert_int_equal(st.preemptions, 0);
        slx_sched_close(s);
        assert_int_equal(slx_engine_free_pages(e), free_before);
    }
    slx_engine_close(e);
}

/* Prompts that share pages: as many pages as the pool has, named by more sequences than its page list has room for. */
static void shared_pages_fill_the_list(void **state)
{
    (void)state;
    static job j[6];
    slx_engine *e = open_engine((slx_compile_options){.max_rows = 160, .max_pages = 8});
    slx_sched *s = slx_sched_open(e, &(slx_sched_options){0});
    for (uint32_t i = 0; i < 6; i++) {
        memset(&j[i], 0, sizeof j[i]);
        j[i].n = 257 + i; /* two pages alike, and one of its own */
        for (uint32_t k = 0; k < j[i].n; k++) j[i].prompt[k] = k < 256 ? (k * 7 + 3) % VOCAB : i + 1;
        j[i].max_new = 30;
        j[i].sampling = (slx_sampling){.temperature = 1, .top_p = 1, .seed = i};
        j[i].user = i % 2;
        alone(e, &j[i]);
    }
    submit(s, &j[0]);
    while (slx_sched_step(s)) {}
    check(&j[0]);
    for (uint32_t i = 1; i < 6; i++) submit(s, &j[i]);
    while (slx_sched_step(s)) {}
    for (uint32_t i = 1; i < 6; i++) {
        check(&j[i]);
        assert_int_equal(j[i].usage.cached_tokens, 256);
    }
    pages_balance(s);
    slx_sched_close(s);
    slx_engine_close(e);
}

static void cancelled_in_between(void **state)
{
    (void)state;
    static job j[JOBS];
    slx_engine *e = open_engine((slx_compile_options){.max_rows = 160, .max_pages = 40});
    make_jobs(e, j, JOBS, 6);
    slx_sched *s = slx_sched_open(e, &(slx_sched_options){.pages = 8, .slots = 4});
    slx_rng r = {7};
    for (uint32_t i = 0; i < JOBS; i++) {
        if (i == 4) j[i].stop_after = 2;
        submit(s, &j[i]);
        for (uint32_t k = slx_rng_below(&r, 4); k; k--) slx_sched_step(s);
        if (i % 3 == 2 && j[i - 1].job) slx_sched_cancel(s, j[i - 1].job);
    }
    while (slx_sched_step(s)) {}
    for (uint32_t i = 0; i < JOBS; i++) {
        assert_true(j[i].done);
        if (j[i].end == SLX_END_CANCELLED) {
            assert_true(j[i].n_got <= j[i].n_want);
            assert_memory_equal(j[i].got, j[i].want, j[i].n_got * 4);
        } else if (i == 4 && j[i].n_want >= 2) {
            assert_int_equal(j[i].n_got, 2);
            assert_int_equal(j[i].end, SLX_END_STOP);
        } else {
            check(&j[i]);
        }
    }
    pages_balance(s);
    slx_sched_close(s);
    slx_engine_close(e);
}

/* ------------------------------------------------------------------ cache */

/* A prompt of n tokens may reuse floor((n - 1) / 128) pages: its last token must give logits. */
static void hits_by_whole_pages(void **state)
{
    (void)state;
    static job j;
    static const uint32_t lengths[] = {127, 128, 129, 256, 257, 300},
                          hit[] = {0, 0, 128, 128, 256, 256};
    slx_engine *e = open_engine((slx_compile_options){0});
    slx_sched *s = slx_sched_open(e, &(slx_sched_options){0});
    for (uint32_t i = 0; i < LONGEST; i++) j.prompt[i] = (i * 7 + 3) % VOCAB;
    j.sampling.top_p = 1;
    j.max_new = 1;
    j.n = 400;
    submit(s, &j);
    while (slx_sched_step(s)) {}
    assert_int_equal(j.usage.cached_tokens, 0);
    for (uint32_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        j.n = lengths[i];
        alone(e, &j);
        submit(s, &j);
        while (slx_sched_step(s)) {}
        check(&j);
        assert_int_equal(j.usage.cached_tokens, hit[i]);
    }
    j.prompt[0]++; /* another first token: nothing of the chain fits */
    j.n = 300;
    submit(s, &j);
    while (slx_sched_step(s)) {}
    assert_int_equal(j.usage.cached_tokens, 0);
    slx_sched_close(s);
    slx_engine_close(e);
}

/* ------------------------------------------------------------------ fairness */

/* One slot. User 1 asks for eight answers, then user 2 for one: it comes second, not ninth. */
static void users_take_turns(void **state)
{
    (void)state;
    static job j[9];
    slx_engine *e = open_engine((slx_compile_options){0});
    slx_sched *s = slx_sched_open(e, &(slx_sched_options){.slots = 1});
    for (uint32_t i = 0; i < 9; i++) {
        j[i] = (job){.n = 10, .max_new = 5, .sampling.top_p = 1, .user = i < 8 ? 1 : 2};
        for (uint32_t k = 0; k < j[i].n; k++) j[i].prompt[k] = 100 + i;
        submit(s, &j[i]);
    }
    while (!j[8].done) assert_true(slx_sched_step(s));
    uint32_t before = 0;
    for (uint32_t i = 0; i < 8; i++) before += j[i].done;
    assert_true(before <= 1);
    while (slx_sched_step(s)) {}
    /* and user 2, back after a long while, has not saved up turns: the users alternate */
    for (uint32_t i = 0; i < 8; i++) {
        j[i].user = i < 4 ? 1 : 2;
        submit(s, &j[i]);
    }
    while (!j[5].done) assert_true(slx_sched_step(s));
    assert_true(j[0].done);
    slx_sched_close(s);
    slx_engine_close(e);
}

/* While somebody decodes, a long prompt enters by `chunk` rows: the gap between two tokens is bounded in rows. */
static void long_prompts_do_not_hold_up(void **state)
{
    (void)state;
    static job j[2];
    slx_sched_stats st;
    slx_engine *e = open_engine((slx_compile_options){0});
    slx_sched *s = slx_sched_open(e, &(slx_sched_options){.chunk = 16});
    j[0] = (job){.n = 3, .max_new = 30, .sampling.top_p = 1, .prompt = {5, 6, 7}};
    j[1] = (job){.n = 400, .max_new = 2, .sampling.top_p = 1, .user = 1};
    alone(e, &j[0]);
    assert_true(j[0].n_want > 8); /* else the test says nothing */
    submit(s, &j[0]);
    slx_sched_step(s);
    submit(s, &j[1]);
    for (uint32_t i = 2; i <= 8; i++) {
        slx_sched_get_stats(s, &st);
        uint64_t before = st.rows;
        slx_sched_step(s);
        slx_sched_get_stats(s, &st);
        assert_int_equal(j[0].n_got, i); /* a token every step */
        assert_int_equal(st.rows - before, 17);
    }
    while (slx_sched_step(s)) {}
    slx_sched_close(s);
    slx_engine_close(e);
}

static void refusals(void **state)
{
    (void)state;
    slx_engine *e = open_engine((slx_compile_options){0});
    slx_sched *s = slx_sched_open(e, &(slx_sched_options){.pages = 2});
    slx_err err;
    uint32_t t[300] = {0};
    slx_job_options o = {.max_new = 1, .on_token = on_token, .on_end = on_end};
    assert_int_equal(slx_sched_context(s), 256);
    assert_int_equal(slx_sched_submit(s, t, 0, &o, NULL, &err), SLX_EINPUT);
    assert_int_equal(slx_sched_submit(s, t, 257, &o, NULL, &err), SLX_EINPUT);
    t[2] = VOCAB;
    assert_int_equal(slx_sched_submit(s, t, 3, &o, NULL, &err), SLX_EINPUT);
    assert_false(slx_sched_step(s));
    /* what fits to the last position ends there */
    static job j;
    j = (job){.n = 255, .max_new = 40, .sampling = {.temperature = 5, .top_p = 1, .seed = 9}};
    submit(s, &j);
    while (slx_sched_step(s)) {}
    assert_true(j.done);
    assert_true(j.n_got <= 2);
    slx_sched_close(s);
    slx_engine_close(e);
}

/* ------------------------------------------------------------------ draws */

/* Log probabilities against a plain sum, and the order of the alternatives; bias and penalties decide the draw. */
static void drawing(void **state)
{
    (void)state;
    slx_engine *e = open_engine((slx_compile_options){0});
    slx_seq *s = slx_seq_new(e);
    const float *x;
    float *scratch = slx_xmalloc(4 * (VOCAB + 512));
    slx_drawn d;
    assert_int_equal(slx_seq_prefill(s, (uint32_t[]){9, 8, 7}, 3, 0, &x, NULL), SLX_OK);
    slx_draw_options o = {.sampling.top_p = 1, .logprobs = true, .n_top = 5};
    assert_int_equal(slx_draw(e, x, 3, &o, NULL, 0, scratch, &d, NULL), SLX_OK);
    double sum = 0;
    uint32_t best = 0;
    for (uint32_t i = 0; i < VOCAB; i++) {
        sum += exp((double)x[i]);
        if (x[i] > x[best]) best = i;
    }
    assert_int_equal(d.token, best);
    assert_int_equal(d.n_top, 5);
    assert_int_equal(d.top[0].token, best);
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(fabs(d.top[i].logprob - log(exp((double)x[d.top[i].token]) / sum)) < 1e-9);
        if (i) assert_true(d.top[i].logprob <= d.top[i - 1].logprob);
    }
    assert_true(d.logprob == d.top[0].logprob);
    uint32_t second = d.top[1].token;
    slx_logit_bias away = {best, -100};
    o.bias = &away;
    o.n_bias = 1;
    assert_int_equal(slx_draw(e, x, 3, &o, NULL, 0, scratch, &d, NULL), SLX_OK);
    assert_int_equal(d.token, second);
    assert_int_equal(d.top[0].token, best); /* what is reported is the model's own */
    o.n_bias = 0;
    /* made twice: pays the frequency twice and the presence once */
    double gap = (double)x[best] - x[second];
    o.frequency = (float)(gap * 0.4);
    o.presence = (float)(gap * 0.1);
    assert_int_equal(slx_draw(e, x, 3, &o, (uint32_t[]){best, best}, 2, scratch, &d, NULL), SLX_OK);
    assert_int_equal(d.token, best);
    o.presence = (float)(gap * 0.3);
    assert_int_equal(slx_draw(e, x, 3, &o, (uint32_t[]){best, best}, 2, scratch, &d, NULL), SLX_OK);
    assert_int_equal(d.token, second);
    free(scratch);
    slx_seq_free(s);
    slx_engine_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_interleaving),
        cmocka_unit_test(shared_pages_fill_the_list),
        cmocka_unit_test(cancelled_in_between),
        cmocka_unit_test(hits_by_whole_pages),
        cmocka_unit_test(users_take_turns),
        cmocka_unit_test(long_prompts_do_not_hold_up),
        cmocka_unit_test(refusals),
        cmocka_unit_test(drawing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
