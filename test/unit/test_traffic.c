/* test_traffic.c - a server under requests over time: what queues and memory must do whatever the passes take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shapes.h"

enum { MANY = 300 };

static slx_predictor *predictor;
static slx_chip *chip;
static slx_shape *shape;

static int start(void **state)
{
    (void)state;
    open_chip(&predictor, &chip, "h100");
    shape = open_shape("llama-3.1-8b");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    slx_predictor_close(predictor);
    slx_chip_free(chip);
    slx_shape_free(shape);
    return 0;
}

/* n requests of isl and osl tokens, one every gap_s. */
static slx_request *every(double gap_s, int n, uint32_t isl, uint32_t osl)
{
    slx_request *r = calloc((size_t)n, sizeof *r);
    assert_non_null(r);
    for (int i = 0; i < n; i++) r[i] = (slx_request){i * gap_s, isl, osl, 0};
    return r;
}

static slx_traffic_cost run(const slx_traffic_ask *a)
{
    slx_err err = {0};
    slx_traffic_cost c;
    if (slx_predict_traffic(predictor, chip, a, &c, &err)) fail_msg("%s", err.msg);
    const slx_spread *s[] = {&c.ttft_s, &c.tpot_s, &c.e2e_s};
    for (int i = 0; i < 3; i++)
        assert_true(s[i]->p50 <= s[i]->p90 && s[i]->p90 <= s[i]->p95 && s[i]->p95 <= s[i]->p99);
    assert_true(c.ttft_s.mean > 0 && c.e2e_s.mean > c.ttft_s.mean);
    assert_true(c.power_w > 0 && c.power_w <= 700);
    return c;
}

static double pass_s(bool decode, uint32_t batch, uint32_t context)
{
    slx_err err = {0};
    slx_forward_cost c;
    slx_forward f = {.model = shape, .decode = decode, .batch = batch, .context = context};
    assert_int_equal(slx_predict_pass(predictor, chip, &f, &c, &err), SLX_OK);
    return c.seconds.mid;
}

/* The grid between whose points times are straight lines is 1.5 wide: 10 % are left for that. */
/* One at a time: its prefill, its steps, nothing else; the framework's front and host time on top. */
static void test_alone(void **state)
{
    (void)state;
    slx_request *r = every(100, 3, 1000, 101);
    slx_traffic_ask a = {.on = {.model = shape}, .request = r, .n = 3};
    slx_traffic_cost c = run(&a);
    near_to(c.ttft_s.mean, pass_s(false, 1, 1000), 0.1);
    near_to(c.tpot_s.mean, pass_s(true, 1, 1050), 0.1);
    near_to(c.e2e_s.mean, c.ttft_s.mean + 100 * c.tpot_s.mean, 1e-9);
    near_to(c.output_tok_s, 303 / c.seconds, 1e-9);
    near_to(c.ttft_s.p99, c.ttft_s.p50, 1e-9);
    a.stretch = 2;
    near_to(run(&a).tpot_s.mean, 2 * c.tpot_s.mean, 1e-9);
    a.stretch = 0,
    r[0].cached = r[1].cached = r[2].cached = 900; /* a tenth of the prompt is left */
    assert_true(run(&a).ttft_s.mean < 0.6 * c.ttft_s.mean);
    near_to(run(&a).tpot_s.mean, pass_s(true, 1, 150), 0.1); /* others have read its keys: they lie in the cache */
    free(r);
}

/* A prefix that all share is held once: memory for three of them apart holds twenty of ten own tokens each. */
static void test_shared_prefix(void **state)
{
    (void)state;
    slx_request *r = every(0, 20, 1000, 11);
    slx_traffic_ask a = {.on = {.model = shape}, .request = r, .n = 20, .kv_tokens = 3500};
    assert_true(run(&a).running < 4);
    for (int i = 0; i < 20; i++) r[i].cached = 980;
    assert_true(run(&a).running > 15);
    free(r);
}

/* Prompts longer than a step are read in pieces: no less work, and others' tokens come between. */
static void test_pieces(void **state)
{
    (void)state;
    slx_request *r = every(100, 2, 8000, 11);
    slx_traffic_ask a = {.on = {.model = shape}, .request = r, .n = 2};
    double whole = run(&a).ttft_s.mean;
    a.max_step_tokens = 500;
    double pieces = run(&a).ttft_s.mean;
    assert_true(pieces > whole && pieces < 2 * whole);
    free(r);
}

/* Twice what the server can do: it makes what it can, and the last waits for as long as the arrivals take again. */
static void test_overload(void **state)
{
    (void)state;
    slx_request *r = every(0, MANY, 500, 200);
    slx_traffic_ask a = {.on = {.model = shape}, .request = r, .n = MANY, .max_seqs = 32};
    slx_traffic_cost all = run(&a); /* all at once: its capacity */
    double apart = all.seconds / MANY;
    for (int i = 0; i < MANY; i++) r[i].arrival_s = i * apart / 2;
    slx_traffic_cost twice = run(&a);
    for (int i = 0; i < MANY; i++) r[i].arrival_s = i * apart * 4;
    slx_traffic_cost light = run(&a);
    near_to(twice.output_tok_s, all.output_tok_s,
         0.1); /* a burst reads its first prompts before anybody answers */
    /* The last of all: the end, less when it came and what its own answer took. */
    near_to(twice.ttft_s.p99, twice.seconds - (MANY - 1) * apart / 2 - 199 * twice.tpot_s.mean, 0.1);
    assert_true(twice.running > 28 && twice.running <= 32);
    assert_true(light.ttft_s.p99 < 0.02 * twice.ttft_s.p99 &&
                light.tpot_s.mean < twice.tpot_s.mean);
    /* Two replicas do twice as much. */
    for (int i = 0; i < MANY; i++) r[i].arrival_s = 0;
    a.replicas = 2;
    near_to(run(&a).output_tok_s, 2 * all.output_tok_s, 0.05);
    free(r);
}

/* Room for few sequences: some are put back and read again, all end, and it takes longer. */
static void test_memory(void **state)
{
    (void)state;
    slx_request *r = every(0.01, 100, 500, 500);
    slx_traffic_ask a = {.on = {.model = shape}, .request = r, .n = 100};
    slx_traffic_cost room = run(&a);
    a.kv_tokens = 9000; /* nine of 1000 */
    slx_traffic_cost none = run(&a);
    assert_true(none.seconds > 2 * room.seconds && none.running < 18);
    a.kv_tokens = 600; /* not even one to its end: it has the server to itself, and ends */
    assert_true(run(&a).seconds > none.seconds);
    free(r);
}

/* A number of requests in flight: Little's law, and the steady state of serving.c within what bursts differ. */
static void test_closed(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_request *r = every(0, MANY, 1000, 200);
    slx_traffic_ask a = {.on = {.model = shape}, .request = r, .n = MANY, .concurrency = 16};
    slx_traffic_cost c = run(&a);
    near_to(MANY * c.e2e_s.mean / c.seconds, 16, 0.05);
    slx_serving_cost steady;
    slx_serving_ask s = {.on = {.model = shape, .tp = 1}, .concurrency = 16, .isl = 1000, .osl = 200};
    assert_int_equal(slx_predict_serving(predictor, chip, &s, &steady, &err), SLX_OK);
    near_to(c.tpot_s.mean, steady.tpot_s.mid, 0.15);
    near_to(c.output_tok_s, steady.output_tok_s.mid, 0.15);
    slx_traffic_cost again = run(&a);
    assert_memory_equal(&again, &c, sizeof c);
    free(r);
}

static void test_refused(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_traffic_cost c;
    slx_request *r = every(1, 2, 10, 10);
    slx_traffic_ask a = {.on = {.model = shape}, .request = r, .n = 0};
    assert_int_equal(slx_predict_traffic(predictor, chip, &a, &c, &err), SLX_EINPUT);
    a.n = 2, r[1].arrival_s = -1;
    assert_int_equal(slx_predict_traffic(predictor, chip, &a, &c, &err), SLX_EINPUT);
    r[1].arrival_s = 1, a.framework = "nobody's";
    assert_int_equal(slx_predict_traffic(predictor, chip, &a, &c, &err), SLX_EUNSUPPORTED);
    slx_shape *big;
    assert_int_equal(slx_shape_open(&big, "llama-3-70b", &err), SLX_OK);
    a.framework = NULL, a.on.model = big;
    assert_int_equal(slx_predict_traffic(predictor, chip, &a, &c, &err), SLX_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "GB of weights"));
    slx_shape_free(big);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),    cmocka_unit_test(test_shared_prefix), cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_overload), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_closed),   cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, start, stop);
}
