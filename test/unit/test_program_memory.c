/* test_program_memory.c - what a chip of ours is said to hold beside what its compiler puts there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "compile/compile.h"
#include "predict/predict.h"

/* The regions of weights and pages against the formula: norms, padding and the rotations are all that it leaves out. */
static void holds(const char *model, const char *chip, const char *dtype, const char *type,
                  uint32_t tp)
{
    enum { PAGES = 64 };
    slx_err err = {0};
    slx_chip *c;
    slx_model *m;
    slx_shape *s;
    slx_program p;
    slx_predict_memory mem;
    assert_int_equal(slx_chip_load(&c, chip, &err), SLX_OK);
    assert_int_equal(slx_model_open_as(&m, model, type, &err), SLX_OK);
    assert_int_equal(slx_shape_open(&s, model, &err), SLX_OK);
    slx_compile_options o = {.max_rows = 16,
                             .max_samples = 1,
                             .max_seqs = 1,
                             .max_pages = PAGES,
                             .max_context = PAGES * SLX_MAX_CHUNK,
                             .tp = tp};
    if (slx_compile(&p, m, c, &o, NULL, NULL, &err) != SLX_OK) fail_msg("%s", err.msg);
    slx_forward f = {.model = s,
                     .decode = true,
                     .batch = 1,
                     .context = PAGES * SLX_MAX_CHUNK,
                     .tp = tp,
                     .dtype = dtype};
    assert_int_equal(slx_predict_fits(c, &f, &mem, &err), SLX_OK);
    double weights = (double)slx_program_region(&p, SLX_REGION_WEIGHTS)->bytes,
           kv = (double)slx_program_region(&p, SLX_REGION_KV)->bytes;
    print_message("%s %s on %u: weights %.4g said, %.4g stored; pages %.4g said, %.4g stored\n",
                  model, type, tp, mem.weights, weights, mem.kv, kv);
    assert_true(fabs(mem.weights / weights - 1) < 0.02);
    assert_true(fabs(mem.kv / kv - 1) < 0.02);
    slx_program_free(&p);
    slx_shape_free(s);
    slx_model_close(m);
    slx_chip_free(c);
}

static void test_formats(void **state)
{
    (void)state;
    holds("llama-3-8b", "silex-1", NULL, "Q4_0", 1);
    holds("llama-3-8b", "silex-1", "int4_wo", "Q4_0", 1);
    holds("llama-3-8b", "silex-1", "int8", "Q8_0", 1);
    holds("llama-3-8b", "silex-1", "bf16", "BF16", 1);
    holds("gpt3-6.7b", "silex-1", "mxfp4", "MXFP4", 1);
}

static void test_parts(void **state)
{
    (void)state;
    holds("llama-2-7b", "silex-1", "int8", "Q8_0", 2);
    holds("llama-3-70b", "silex-1", "int4_wo", "Q4_0", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_formats),
                                       cmocka_unit_test(test_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
