/* test_busy.c - shares of layers from events whose sums are known by hand, and of a real step against what the timing
 * machine counts itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "tiny_engine.h"
#include "run/chipclock.h"

static void near(double found, double expected)
{
    if (fabs(found - expected) > 1e-12) fail_msg("found %.15g, expected %.15g", found, expected);
}

/* Two layers on four tiles, of which three do the same: 0..10 before, 10..30, 30..50, 50..60 behind. */
static void by_hand(void **state)
{
    (void)state;
    static const struct {
        uint32_t tile, copies;
        uint8_t engine, op;
        int32_t layer;
        uint64_t start, finish;
    } events[] = {
        {0, 3, SLX_ENG_LDQ, SLX_OP_LD, 0, 0, 12}, /* for layer 0, mostly before it */
        {0, 3, SLX_ENG_TEN, SLX_OP_MM, 0, 10, 20},
        {0, 3, SLX_ENG_LDQ, SLX_OP_LD, 1, 12, 18},  /* for layer 1, while 0 is computed */
        {0, 3, SLX_ENG_LDQ, SLX_OP_LD, 1, 16, 24},  /* two transfers at once count once */
        {0, 3, SLX_ENG_CTL, SLX_OP_BAR, 0, 20, 30}, /* waits */
        {3, 1, SLX_ENG_VEC, SLX_OP_VUN, 0, 11, 30},
        {3, 1, SLX_ENG_CTL, SLX_OP_ALU, 1, 24, 29}, /* no work of a tile */
        {3, 1, SLX_ENG_TEN, SLX_OP_MM, 1, 30, 50},
        {0, 3, SLX_ENG_TEN, SLX_OP_MM, -1, 50, 60},
    };
    slx_busy *b = slx_busy_new(2, 4);
    for (size_t i = sizeof events / sizeof *events; i-- > 0;) /* in any order */
        slx_busy_event(b, &(slx_time_event){.tile = events[i].tile,
                                            .copies = events[i].copies,
                                            .engine = events[i].engine,
                                            .op = events[i].op,
                                            .layer = events[i].layer,
                                            .start = events[i].start,
                                            .finish = events[i].finish});
    slx_busy_span s[4];
    slx_busy_share(b, 60, s);
    slx_busy_free(b);
    static const uint64_t cycles[] = {10, 20, 20, 10};
    for (int i = 0; i < 4; i++) assert_int_equal(s[i].cycles, cycles[i]);
    near(s[0].engine[SLX_ENG_LDQ], 3 * 10 / 40.);
    near(s[0].tiles, 3 * 10 / 40.);
    near(s[1].engine[SLX_ENG_LDQ], 3 * 14 / 80.);
    near(s[1].engine[SLX_ENG_TEN], 3 * 10 / 80.);
    near(s[1].engine[SLX_ENG_VEC], 19 / 80.);
    near(s[1].engine[SLX_ENG_CTL], 5 / 80.);
    near(s[1].tiles, (3 * 14 + 19) / 80.);
    near(s[2].engine[SLX_ENG_TEN], 20 / 80.);
    near(s[2].engine[SLX_ENG_LDQ], 0);
    near(s[3].engine[SLX_ENG_TEN], 3 * 10 / 40.);
    near(s[3].tiles, 3 * 10 / 40.);
}

static void nothing_seen(void **state)
{
    (void)state;
    slx_busy *b = slx_busy_new(3, 2);
    slx_busy_span s[5];
    slx_busy_share(b, 100, s);
    slx_busy_free(b);
    uint64_t sum = 0;
    for (int i = 0; i < 5; i++) {
        sum += s[i].cycles;
        near(s[i].tiles, 0);
    }
    assert_int_equal(sum, 100);
}

/* Cycles of the parts sum to the step's; what an engine works in them is what the machine counted. */
static void of_a_step(void **state)
{
    (void)state;
    slx_engine *e = open_engine();
    const slx_program *p = slx_engine_program(e);
    uint32_t layers = p->info.n_layers;
    slx_busy *b = slx_busy_new(layers, p->info.n_tiles);
    slx_busy_span *s = slx_xcalloc(layers + 2, sizeof *s);
    slx_time_result r;
    slx_err err;
    assert_int_equal(slx_chip_step_time(&r, p, slx_engine_chip(e), 4, 300, b, &err), SLX_OK);
    slx_busy_share(b, r.cycles, s);
    uint64_t cycles = 0;
    for (uint32_t i = 0; i < layers + 2; i++) {
        assert_true(s[i].tiles >= 0 && s[i].tiles <= 1);
        assert_true(s[i].cycles > 0);
        cycles += s[i].cycles;
    }
    assert_int_equal(cycles, r.cycles);
    for (int k = 0; k < SLX_N_ENGINES; k++) {
        if (k == SLX_ENG_CTL) continue; /* has no events */
        double sum = 0, counted = (double)r.engine[k].busy;
        for (uint32_t i = 0; i < layers + 2; i++)
            sum += s[i].engine[k] * (double)s[i].cycles * p->info.n_tiles;
        if (fabs(sum - counted) > 0.01 * counted + 1)
            fail_msg("%s: %.0f cycles in the parts, counted %.0f", slx_engine_names[k], sum,
                     counted);
    }
    free(s);
    slx_busy_free(b);
    slx_time_result_free(&r);
    slx_engine_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(nothing_seen),
        cmocka_unit_test(of_a_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
