/* test_rank.c - chips stand in the order in which they were measured: settings of servers that were measured on two of
 * them, and the passes behind, which `silex compare` shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "validate/validate.h"

enum { MOST = 400 };

typedef struct {
    slx_chip *chip;
    slx_rows rows;
} measured;

static measured open_set(const char *name)
{
    measured m;
    slx_err err = {0};
    const slx_set *s = slx_set_find(name);
    assert_non_null(s);
    if (slx_chip_load_any(&m.chip, s->chip, &err) || slx_rows_read(&m.rows, s, NULL, SLX_HALF_TEST, &err))
        fail_msg("%s: %s", name, err.msg);
    return m;
}

static void close_set(measured *m)
{
    slx_rows_free(&m->rows);
    slx_chip_free(m->chip);
}

static bool same_setting(const slx_serving_ask *a, const slx_serving_ask *b)
{
    return !strcmp(a->on.model->name, b->on.model->name) && !strcmp(a->framework, b->framework) &&
           a->concurrency == b->concurrency && a->isl == b->isl && a->osl == b->osl && a->on.tp == b->on.tp &&
           a->on.attention_dp == b->on.attention_dp && a->on.moe_ep == b->on.moe_ep &&
           !strcmp(a->on.dtype, b->on.dtype) && !strcmp(a->on.moe_dtype, b->on.moe_dtype) &&
           !strcmp(a->on.kv_dtype, b->on.kv_dtype);
}

static int up(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, up);
    return v[n / 2];
}

static double predicted(const measured *m, const slx_row *r)
{
    slx_guess g;
    slx_err err = {0};
    if (slx_ask_answer(m->chip, &r->ask, &g, &err)) fail_msg("line %d: %s", r->line, err.msg);
    return g.value;
}

/* A decode step of that setting without a framework. */
static double step(const measured *m, const slx_row *r)
{
    const slx_serving_ask *a = &r->ask.serving.of;
    slx_forward_cost cost;
    slx_err err = {0};
    slx_forward f = {.model = a->on.model,
                     .decode = true,
                     .batch = (uint32_t)a->concurrency,
                     .context = a->isl + a->osl / 2,
                     .tp = a->on.tp,
                     .attention_dp = a->on.attention_dp,
                     .moe_ep = a->on.moe_ep,
                     .dtype = a->on.dtype,
                     .moe_dtype = a->on.moe_dtype,
                     .kv_dtype = a->on.kv_dtype};
    if (slx_predict_pass(r->ask.predictor, m->chip, &f, &cost, &err)) fail_msg("line %d: %s", r->line, err.msg);
    return cost.seconds.mid;
}

/* Of every setting that was measured on H200 and on B200 (the half that no number was fitted on) B200 is faster, by
 * servers and by passes alone, and about as much faster as measured: within a fifth in the middle, of all and of those
 * whose products are in 8 bits. */
static void test_b200_beside_h200(void **state)
{
    (void)state;
    measured old = open_set("serving-tpot-h200"), new = open_set("serving-tpot-b200");
    double told[2][MOST], seen[2][MOST]; /* B200 over H200: of all, of fp8 */
    int n[2] = {0};
    for (int i = 0; i < old.rows.n; i++)
        for (int k = 0; k < new.rows.n; k++) {
            const slx_row *a = &old.rows.row[i], *b = &new.rows.row[k];
            if (!same_setting(&a->ask.serving.of, &b->ask.serving.of) || n[0] == MOST) continue;
            double t = predicted(&new, b) / predicted(&old, a), s = b->measured / a->measured;
            if ((t < 1) != (s < 1)) fail_msg("lines %d and %d: %.3f, measured %.3f", a->line, b->line, t, s);
            bool step_as = (step(&new, b) < step(&old, a)) == (s < 1);
            if (!step_as) fail_msg("a step of lines %d and %d", a->line, b->line);
            bool fp8 = !strcmp(a->ask.serving.of.on.dtype, "fp8");
            for (int g = 0; g <= fp8; g++) told[g][n[g]] = t, seen[g][n[g]++] = s;
        }
    for (int g = 0; g < 2; g++) {
        assert_in_range(n[g], 30, MOST - 1);
        double t = median(told[g], n[g]), s = median(seen[g], n[g]);
        if (fabs(log(t / s)) > 0.2) fail_msg("%s: told %.3f, measured %.3f", g ? "fp8" : "all", t, s);
    }
    close_set(&old);
    close_set(&new);
}

/* Half the bytes are never slower where a chip multiplies them as they are, and its launches were measured: Llama 3.1
 * 8B alone, and 70B on eight. */
static void test_formats_in_order(void **state)
{
    static const char *const chips[] = {"h100", "h200", "b200", "b300", "gb300", "l40s"};
    static const struct {
        const char *model;
        uint32_t tp;
    } models[] = {{"llama-3.1-8b", 1}, {"llama-3.1-70b", 8}};
    (void)state;
    slx_predictor *p;
    slx_predictor_open(&p);
    for (size_t i = 0; i < sizeof chips / sizeof *chips; i++)
        for (size_t k = 0; k < 2; k++) {
            slx_chip *c;
            slx_shape *m;
            slx_forward_cost wide, narrow;
            slx_err err = {0};
            assert_int_equal(slx_chip_load_any(&c, chips[i], &err), SLX_OK);
            assert_int_equal(slx_shape_open(&m, models[k].model, &err), SLX_OK);
            slx_forward f = {.model = m, .decode = true, .batch = 1, .context = 2048, .tp = models[k].tp};
            assert_int_equal(slx_predict_pass(p, c, &f, &wide, &err), SLX_OK);
            f.dtype = "fp8";
            assert_int_equal(slx_predict_pass(p, c, &f, &narrow, &err), SLX_OK);
            if (!(narrow.seconds.mid < wide.seconds.mid))
                fail_msg("%s %s: fp8 %g s, bf16 %g s", chips[i], models[k].model, narrow.seconds.mid, wide.seconds.mid);
            slx_shape_free(m);
            slx_chip_free(c);
        }
    slx_predictor_close(p);
}

/* What a chip makes a second, s for a step of b sequences on tp chips; 0 where it takes too long or does not fit. */
static double rate(slx_predictor *p, const slx_chip *c, const slx_best_ask *a, uint32_t tp, uint32_t b)
{
    slx_forward f = {.model = a->model, .decode = true, .batch = b, .context = a->context, .tp = tp, .dtype = a->dtype};
    slx_predict_memory m;
    slx_forward_cost cost;
    slx_err err;
    assert_int_equal(slx_predict_fits(c, &f, &m, &err), SLX_OK);
    if (m.weights + m.kv > m.usable) return 0;
    assert_int_equal(slx_predict_pass(p, c, &f, &cost, &err), SLX_OK);
    return cost.seconds.mid > a->tpot_s ? 0 : b / cost.seconds.mid / tp;
}

/* The best batch is the best: no multiple of eight, and none of a few odd ones, makes more; nor does a larger range of
 * batches ever make less. */
static void test_best_is_a_maximum(void **state)
{
    static const char *const chips[] = {"a100", "h200", "b200", "mi355x", "tpu-v6e"};
    static const struct {
        const char *model, *dtype;
        double tpot_s;
    } asks[] = {{"llama-3.1-8b", "fp8", 0.008}, {"llama-3.1-8b", "bf16", 0.02}, {"llama-3.1-70b", "bf16", 0.03}};
    (void)state;
    slx_predictor *p;
    slx_predictor_open(&p);
    for (size_t i = 0; i < sizeof chips / sizeof *chips; i++)
        for (size_t k = 0; k < sizeof asks / sizeof *asks; k++) {
            slx_chip *c;
            slx_shape *m;
            slx_best few, many;
            slx_err err = {0};
            assert_int_equal(slx_chip_load_any(&c, chips[i], &err), SLX_OK);
            assert_int_equal(slx_shape_open(&m, asks[k].model, &err), SLX_OK);
            slx_best_ask a = {.model = m, .context = 2048, .tpot_s = asks[k].tpot_s, .dtype = asks[k].dtype};
            if (slx_predict_best(p, c, &a, &few, &err)) fail_msg("%s: %s", chips[i], err.msg);
            a.max_batch = 4096;
            if (slx_predict_best(p, c, &a, &many, &err)) fail_msg("%s: %s", chips[i], err.msg);
            if (many.tok_s_chip < few.tok_s_chip * (1 - 1e-9))
                fail_msg("%s %s: %.1f up to 4096, %.1f up to 512", chips[i], asks[k].model, many.tok_s_chip,
                         few.tok_s_chip);
            assert_true(few.pass.seconds.mid <= a.tpot_s && few.batch <= 512);
            for (uint32_t tp = 1; tp <= 8; tp *= 2)
                for (uint32_t b = 1; b <= 512; b += b == 1 ? 7 : b % 104 == 0 ? 1 : 8 - b % 8)
                    if (rate(p, c, &a, tp, b) > few.tok_s_chip * 1.001)
                        fail_msg("%s %s: %.1f, but %.1f of batch %u on %u", chips[i], asks[k].model, few.tok_s_chip,
                                 rate(p, c, &a, tp, b), b, tp);
            slx_shape_free(m);
            slx_chip_free(c);
        }
    slx_predictor_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_b200_beside_h200),
                                       cmocka_unit_test(test_formats_in_order),
                                       cmocka_unit_test(test_best_is_a_maximum)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
