/* test_chipclock.c - what the clock says of a step against the same step timed directly: equal at its points, near
 * between them and for steps of both kinds; and that it says nothing before it knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tiny_engine.h"
#include "isa/step.h"
#include "run/chipclock.h"

/* n sequences that decode `positions` deep, beside rows > 0 of a prompt behind `before` others. */
typedef struct {
    uint32_t n, positions, rows, before;
    double off;
} step;

enum { MOST = 9 };

static uint32_t sequences(const step *s, slx_memo_seq seq[MOST])
{
    uint32_t n = 0;
    for (; n < s->n; n++) seq[n] = (slx_memo_seq){.rows = 1, .before = s->positions, .samples = 1};
    if (s->rows) seq[n++] = (slx_memo_seq){.rows = s->rows, .before = s->before, .samples = 1};
    return n;
}

static double direct(slx_engine *e, const step *s)
{
    static const uint32_t tokens[256];
    uint32_t pages[64], used = 0;
    const slx_program *p = slx_engine_program(e);
    slx_memo_seq seq[MOST];
    slx_step_seq in[MOST];
    uint32_t n = sequences(s, seq);
    for (uint32_t i = 0; i < 64; i++) pages[i] = i;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t each = (seq[i].before + seq[i].rows + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK;
        in[i] = (slx_step_seq){.tokens = tokens,
                               .n = seq[i].rows,
                               .pos0 = seq[i].before,
                               .n_samples = 1,
                               .pages = pages + used,
                               .n_pages = each};
        used += each;
    }
    uint8_t *desc = slx_xcalloc(1, p->info.desc.bytes);
    slx_time_result r;
    assert_int_equal(slx_step_build(&p->info, desc, in, n, NULL), SLX_OK);
    assert_int_equal(slx_time_step(p, slx_engine_chip(e), desc, &(slx_time_options){.folded = true}, &r, NULL), SLX_OK);
    free(desc);
    double seconds = r.seconds;
    slx_time_result_free(&r);
    return seconds;
}

static double clocked(slx_chip_clock *k, const step *s)
{
    slx_memo_seq seq[MOST];
    double seconds, joules;
    assert_true(slx_chip_clock_at(k, seq, sequences(s, seq), &seconds, &joules));
    assert_true(joules > 0);
    return seconds;
}

static void against_the_step_itself(void **state)
{
    (void)state;
    /* how far off it may be: points of the table, between points, both kinds in one step */
    static const step rows[] = {{1, 0, 0, 0, 1e-9},   {8, 128, 0, 0, 0.01},   {0, 0, 64, 0, 0.01},
                                {0, 0, 256, 0, 0.01}, {3, 100, 0, 0, 0.03},   {6, 200, 0, 0, 0.03},
                                {8, 600, 0, 0, 0.03}, {0, 0, 40, 100, 0.05},  {0, 0, 200, 300, 0.05},
                                {2, 100, 64, 0, 0.1}, {7, 300, 64, 256, 0.1}};
    slx_engine *e = open_engine();
    slx_chip_clock *k = slx_chip_clock_open(slx_engine_program(e), slx_engine_chip(e));
    slx_chip_clock_wait(k);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double want = direct(e, &rows[i]), got = clocked(k, &rows[i]);
        if (getenv("SLX_TEST_VERBOSE")) printf("row %zu: off by %.2f %%\n", i, 100 * (got / want - 1));
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
    const slx_memo_seq s = {.rows = 1, .before = 10, .samples = 1};
    double seconds = -1, joules = -1;
    if (!slx_chip_clock_at(k, &s, 1, &seconds, &joules)) assert_true(seconds == -1 && joules == -1);
    slx_chip_clock_wait(k);
    assert_true(slx_chip_clock_at(k, &s, 1, &seconds, &joules));
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
