/* test_chipclock.c - what the clock says of a step against the same step timed directly: equal at its points, near
 * between them and for steps of both kinds; and that it says nothing before it knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <unistd.h>

#include "gguf_make.h"
#include "run/chipclock.h"

static slx_engine *open_engine(void)
{
    static const struct slx_test_model_spec spec = {.n_layers = 2,
                                                    .d_model = 64,
                                                    .d_ff = 96,
                                                    .n_heads = 4,
                                                    .n_kv_heads = 2,
                                                    .vocab = 288,
                                                    .context = 1024,
                                                    .tied = true,
                                                    .tokenizer = true,
                                                    .seed = 4};
    char path[] = "/tmp/silex-clock-XXXXXX";
    int fd = mkstemp(path);
    slx_engine *e = NULL;
    assert_true(fd >= 0);
    close(fd);
    assert_true(slx_test_write_model(path, &spec));
    slx_engine_options o = {
        .model_path = path,
        .chip = "silex-mini",
        .threads = 1,
        .compile = {.max_seqs = 8, .max_samples = 8, .max_rows = 256, .max_pages = 64}};
    assert_int_equal(slx_engine_open(&e, &o, NULL), SLX_OK);
    unlink(path);
    return e;
}

static double direct(slx_engine *e, uint32_t n, uint32_t positions, uint32_t rows, uint32_t before)
{
    slx_time_result r;
    assert_int_equal(slx_chip_step_time(&r, slx_engine_program(e), slx_engine_chip(e), n, positions,
                                        rows, before, NULL),
                     SLX_OK);
    double s = r.seconds;
    slx_time_result_free(&r);
    return s;
}

static double clocked(slx_chip_clock *k, uint32_t n, uint32_t positions, uint32_t rows,
                      uint32_t before)
{
    slx_step_shape s = {.n_decode = n,
                        .decode_positions = (uint64_t)n * positions,
                        .n_prefill = rows > 0,
                        .prefill_rows = rows,
                        .prefill_positions = before};
    double seconds, joules;
    assert_true(slx_chip_clock_at(k, &s, &seconds, &joules));
    assert_true(joules > 0);
    return seconds;
}

static void against_the_step_itself(void **state)
{
    (void)state;
    /* n, positions, rows, before; how far off it may be: grid points, between points, both kinds in one step */
    static const struct {
        uint32_t n, positions, rows, before;
        double off;
    } rows[] = {{1, 0, 0, 0, 1e-9},    {8, 256, 0, 0, 1e-9},   {0, 0, 64, 0, 1e-9},
                {0, 0, 256, 0, 1e-9},  {3, 100, 0, 0, 0.15},   {6, 200, 0, 0, 0.15},
                {8, 600, 0, 0, 0.15},  {0, 0, 40, 100, 0.15},  {0, 0, 200, 300, 0.15},
                {2, 100, 64, 0, 0.25}, {7, 300, 64, 256, 0.25}};
    slx_engine *e = open_engine();
    slx_chip_clock *k = slx_chip_clock_open(slx_engine_program(e), slx_engine_chip(e));
    slx_chip_clock_wait(k);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double want = direct(e, rows[i].n, rows[i].positions, rows[i].rows, rows[i].before),
               got = clocked(k, rows[i].n, rows[i].positions, rows[i].rows, rows[i].before);
        if (fabs(got / want - 1) > rows[i].off) fail_msg("row %zu: %g s, timed %g s", i, got, want);
    }
    slx_chip_clock_close(k);
    slx_engine_close(e);
}

static void nothing_before_it_knows(void **state)
{
    (void)state;
    slx_engine *e = open_engine();
    slx_chip_clock *k = slx_chip_clock_open(slx_engine_program(e), slx_engine_chip(e));
    slx_step_shape s = {.n_decode = 1, .decode_positions = 10};
    double seconds = -1, joules = -1;
    if (!slx_chip_clock_at(k, &s, &seconds, &joules)) assert_true(seconds == -1 && joules == -1);
    slx_chip_clock_wait(k);
    assert_true(slx_chip_clock_at(k, &s, &seconds, &joules));
    assert_true(seconds > 0);
    slx_chip_clock_close(k);
    slx_engine_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_the_step_itself),
        cmocka_unit_test(nothing_before_it_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
