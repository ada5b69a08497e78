/* The table of steps against steps. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "compile/compile.h"
#include "time/memo_int.h"
#include "time/time.h"
#include "gguf_make.h"

#include <stdlib.h>
#include <unistd.h>

static bool memo_no(void *arg)
{
    (void)arg;
    return false;
}

/* The table gives a point's step, whatever its pages, others' within 3 %, from as many simulations as it has points;
 * and refuses what the program has no room for. */
static void test_memo(void **state)
{
    (void)state;
    char path[] = "/tmp/slx_time_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    slx_err err = {0};
    slx_model *model;
    slx_chip *c;
    slx_program p;
    struct slx_test_model_spec spec = {.n_layers = 13,
                                       .d_model = 128,
                                       .d_ff = 320,
                                       .n_heads = 4,
                                       .n_kv_heads = 2,
                                       .vocab = 300,
                                       .context = 300,
                                       .seed = 10};
    assert_true(slx_test_write_model(path, &spec));
    assert_int_equal(slx_model_open(&model, path, &err), SLX_OK);
    assert_int_equal(slx_chip_load(&c, "silex-1", &err), SLX_OK);
    slx_compile_options opt = {.max_rows = 64, .max_pages = 64};
    assert_int_equal(slx_compile(&p, model, c, &opt, NULL, NULL, &err), SLX_OK);
    slx_memo *m;
    slx_memo_cost a, b;
    assert_int_equal(slx_memo_open(&m, &p, c, NULL, &err), SLX_OK);
    uint8_t *desc = slx_xcalloc(1, p.info.desc.bytes);
    static const uint32_t at[][2] = {{1, 0}, {1, 128}, {4, 128}, {8, 128}, {16, 0}};
    uint32_t points = 0;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        slx_time_result r;
        slx_memo_seq alike[16];
        for (uint32_t k = 0; k < at[i][0]; k++) alike[k] = (slx_memo_seq){.rows = 1, .before = at[i][1], .samples = 1};
        assert_int_equal(slx_step_build_alike(&p.info, desc, at[i][0], 1, at[i][1], 1, &err), SLX_OK);
        assert_int_equal(slx_time_step(&p, c, desc, &(slx_time_options){.folded = true}, &r, &err), SLX_OK);
        assert_int_equal(slx_memo_step(m, alike, at[i][0], &a, &err), SLX_OK);
        assert_true(fabs(a.seconds / r.seconds - 1) < 0.01); /* pages lie elsewhere */
        assert_true(fabs(a.energy_j / ((double)r.energy_fj * 1e-15) - 1) < 0.01);
        slx_time_result_free(&r);
        points = slx_memo_points(m);
        assert_int_equal(slx_memo_step(m, alike, at[i][0], &b, &err), SLX_OK);
        assert_true(a.seconds == b.seconds && a.energy_j == b.energy_j);
        assert_int_equal(slx_memo_points(m), points); /* asked again, nothing is simulated */
    }
    /* between two numbers of rows, both known: the shortest step of these rows is simulated, once */
    slx_memo_seq piece = {.rows = 40, .samples = 1};
    assert_int_equal(slx_memo_step(m, &piece, 1, &a, &err), SLX_OK);
    piece.rows = 33;
    assert_int_equal(slx_memo_step(m, &piece, 1, &b, &err), SLX_OK);
    assert_true(b.seconds < a.seconds);
    points = slx_memo_points(m);
    double low = b.seconds, high = a.seconds;
    piece.rows = 36;
    assert_int_equal(slx_memo_step(m, &piece, 1, &b, &err), SLX_OK);
    assert_true(low <= b.seconds && b.seconds <= high);
    assert_true(slx_memo_points(m) > points); /* and what its neighbours' lines lack, if its attention takes longer */
    slx_memo_parts is;
    assert_int_equal(slx_memo_simulate(m, &piece, 1, &is, &err), SLX_OK);
    assert_true(fabs(b.seconds / is.seconds - 1) < 1e-9);
    piece.before = 64;
    assert_int_equal(slx_memo_step(m, &piece, 1, &b, &err), SLX_OK);
    points = slx_memo_points(m);
    assert_int_equal(slx_memo_step(m, &piece, 1, &b, &err), SLX_OK);
    assert_int_equal(slx_memo_points(m), points);
    slx_memo_error e;
    assert_int_equal(slx_memo_measure(m, 120, 16, 250, 3, &e, &err), SLX_OK);
    if (getenv("SLX_TEST_VERBOSE"))
        printf("memo: %u points, mean %.2f %%, worst %.2f %%, energy worst %.2f %%, %u mixed worst %.2f %%\n",
               slx_memo_points(m), 100 * e.mean, 100 * e.worst, 100 * e.energy_worst, e.mixed, 100 * e.mixed_worst);
    assert_int_equal(e.tries, 120);
    assert_true(e.worst < 0.03 && e.energy_worst < 0.03 && e.mean > 0);
    assert_true(e.mixed > 20 && e.mixed_worst < 0.06);
    /* filled, no step simulates any more */
    bool done = false;
    assert_int_equal(slx_memo_fill(m, memo_no, NULL, &done, &err), SLX_OK);
    assert_false(done);
    assert_int_equal(slx_memo_fill(m, NULL, NULL, &done, &err), SLX_OK);
    assert_true(done);
    points = slx_memo_points(m);
    assert_int_equal(slx_memo_measure(m, 40, 16, 250, 4, &e, &err), SLX_OK);
    assert_int_equal(slx_memo_points(m), points);
    static const struct {
        slx_memo_seq seq[2];
        uint32_t n;
    } no[] = {{{{0, 0, 0}}, 0}, {{{0, 10, 0}}, 1},         {{{1, 300, 1}}, 1},         {{{1, 0, 2}}, 1},
              {{{65, 0, 1}}, 1}, {{{60, 0, 1}, {5, 0, 0}}, 2}, {{{1, UINT32_MAX, 1}}, 1}};
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_int_equal(slx_memo_step(m, no[i].seq, no[i].n, &a, &err), SLX_EINPUT);
    slx_memo_seq many[17];
    for (int i = 0; i < 17; i++) many[i] = (slx_memo_seq){.rows = 1, .before = 100, .samples = 1};
    assert_int_equal(slx_memo_step(m, many, 17, &a, &err), SLX_EINPUT);
    uint32_t pages = p.info.desc.max_pages;
    p.info.desc.max_pages = 8; /* fewer than sequences */
    assert_int_equal(slx_memo_step(m, many, 12, &a, &err), SLX_EINPUT);
    p.info.desc.max_pages = pages;
    slx_memo_close(m);
    /* more rows than one sequence has positions: points are of several, too */
    uint32_t context = p.info.max_context;
    p.info.max_context = 40;
    slx_memo_seq two[2] = {{.rows = 30, .samples = 1}, {.rows = 30, .before = 10}};
    assert_int_equal(slx_memo_open(&m, &p, c, NULL, &err), SLX_OK);
    assert_int_equal(slx_memo_step(m, two, 2, &a, &err), SLX_OK);
    static const uint32_t tokens[30], page[2] = {0, 1};
    const slx_step_seq both[2] = {{tokens, 30, 0, 1, page, 1}, {tokens, 30, 10, 0, page + 1, 1}};
    slx_time_result real;
    assert_int_equal(slx_step_build(&p.info, desc, both, 2, &err), SLX_OK);
    assert_int_equal(slx_time_step(&p, c, desc, &(slx_time_options){.folded = true}, &real, &err), SLX_OK);
    assert_true(fabs(a.seconds / real.seconds - 1) < 0.03);
    slx_time_result_free(&real);
    assert_int_equal(slx_memo_fill(m, NULL, NULL, &done, &err), SLX_OK);
    p.info.max_context = context;
    slx_memo_close(m);
    free(desc);
    slx_program_free(&p);
    slx_chip_free(c);
    slx_model_close(model);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
