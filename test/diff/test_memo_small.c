/* test_memo_small.c - tables of steps of programs that have little room: few sequences, rows, pages or positions, where
 * many of the steps that a table would like to simulate do not exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "compile/compile.h"
#include "time/memo.h"

typedef struct {
    const char *model, *chip;
    uint32_t rows, seqs, pages, context;
} room;

static void fill(const room *r, bool coarse)
{
    slx_err err = {0};
    slx_chip *c;
    slx_model *m;
    slx_program p;
    slx_memo *t;
    slx_memo_error off;
    bool done = false;
    assert_int_equal(slx_chip_load(&c, r->chip, &err), SLX_OK);
    assert_int_equal(slx_model_open(&m, r->model, &err), SLX_OK);
    slx_compile_options o = {.max_rows = r->rows,
                             .max_seqs = r->seqs,
                             .max_samples = r->seqs,
                             .max_pages = r->pages,
                             .max_context = r->context};
    if (slx_compile(&p, m, c, &o, NULL, NULL, &err) != SLX_OK) fail_msg("%s", err.msg);
    assert_int_equal(slx_memo_open(&t, &p, c, &(slx_memo_options){.coarse = coarse}, &err), SLX_OK);
    assert_int_equal(slx_memo_fill(t, NULL, NULL, &done, &err), SLX_OK);
    assert_true(done);
    assert_int_equal(slx_memo_measure(t, 24, r->seqs, r->context, 3, &off, &err), SLX_OK);
    print_message("%s on %s, %u rows, %u sequences, %u pages of %u: mean %.3f worst %.3f, with "
                  "pieces %.3f %.3f\n",
                  r->model, r->chip, r->rows, r->seqs, r->pages, r->context, off.mean, off.worst,
                  off.mixed_mean, off.mixed_worst);
    assert_true(off.mean < 0.03 && off.worst < 0.1 && off.mixed_mean < 0.06 &&
                off.mixed_worst < 0.12);
    slx_memo_close(t);
    slx_program_free(&p);
    slx_model_close(m);
    slx_chip_free(c);
}

static void test_little_room(void **state)
{
    (void)state;
    static const room rooms[] = {{"smollm2-135m", "silex-1", 512, 2, 20, 512},
                                 {"smollm2-135m", "silex-1", 16, 1, 1, 128},
                                 {"smollm2-135m", "silex-1", 64, 3, 3, 256},
                                 {"smollm2-135m", "silex-one", 96, 5, 9, 300}};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) fill(&rooms[i], i % 2 == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_little_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
