/* Energy of single instructions by hand from the coefficients of the chip file, and the clock that the rated power
 * allows. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "chip/silicon.h"
#include "time_small.h"
#include "time_sums.h"

/* Energy of single instructions from the coefficients of the file. */
static void test_energy(void **state)
{
    small *s = *state;
    run(s, 1, "LD [0], [w], 256, 1, 0, 0");
    assert_int_equal(s->r.wire_fj[SLX_TIME_WIRE_HBM], 256 * 8 * 4000);
    assert_int_equal(s->r.wire_fj[SLX_TIME_WIRE_NOC], 256 * 8 * 2 * (60 + 50)); /* two hops of 1 mm */
    assert_int_equal(s->r.wire_fj[SLX_TIME_WIRE_SRAM],
                     256 * 8 * 80 + 2 * 256 * 70); /* and two fetches */
    assert_int_equal(s->r.engine[SLX_ENG_LDQ].energy_fj, 256 * 8 * (4000 + 220 + 80));
    run(s, 1, "MM.q8s.mxint8 acc0, [0], [4096], [8192], (2,32), (3,3) INIT");
    assert_int_equal(s->r.macs, 2 * 32 * 96);
    assert_int_equal(s->r.wire_fj[SLX_TIME_WIRE_MAC], 2 * 32 * 96 * 45);
    assert_int_equal(s->r.wire_fj[SLX_TIME_WIRE_SUM],
                     2 * 32 * 3 * 600); /* a fused multiply-add a block */
    assert_int_equal(s->r.spm_read_bytes, 2 * 3 * 33 + 32 * 3 * 34);
    /* by time: a watt is 10^6 fJ a clock of 1 GHz; the rest as in the chip's power sheet */
    slx_constants *k;
    slx_area area;
    slx_time_watts w;
    assert_int_equal(slx_constants_load(&k, NULL), SLX_OK);
    assert_int_equal(slx_chip_get_area(&area, s->c, k, NULL), SLX_OK);
    assert_int_equal(slx_time_get_watts(&w, s->c, NULL), SLX_OK);
    assert_true(fabs(w.leak - 0.16 * area.silicon_mm2.mid) < 1e-9);
    assert_true(w.io == 0);
    run(s, 1, "VUN.fill [0], (1,32), <0,0,0>, 0.5");
    assert_true(fabs((double)s->r.wire_fj[SLX_TIME_WIRE_LEAK] - w.leak * 19e6) <= 1);
    slx_constants_free(k);
}

/* Weights in ROM, 96 blocks of 34 bytes through a port of 24: 24 + 3264/24 + 31, the tensor engine alone would take
 * 24 + 2 * (12 + 1) + 31; once more for every four rows. They cost the ROM's energy and not the scratchpad's. */
static void test_rom(void **state)
{
    small *s = *state;
    slx_time_result near, rom; /* what they point to is gone with the next run */
    s->c->rom.mib = 1, s->c->rom.bytes_clk = 24, s->c->energy.rom_pj_b = 0.05;
    run(s, 1, "MM.q8s.mxint8 acc0, [0], [4096], [8192], (2,32), (3,3) INIT");
    near = s->r;
    run(s, 1, "MM.q8s.mxint8 acc0, [0], [4096], [8192], (2,32), (3,3) INIT ROM");
    rom = s->r;
    assert_int_equal(near.cycles, 5 + 24 + 26 + 31);
    assert_int_equal(rom.cycles, 5 + 24 + 136 + 31);
    assert_int_equal(rom.spm_read_bytes, 2 * 3 * 33);
    assert_int_equal(rom.macs, near.macs);
    assert_int_equal(near.wire_fj[SLX_TIME_WIRE_SRAM] - rom.wire_fj[SLX_TIME_WIRE_SRAM], 3264 * 8 * 70);
    assert_int_equal(rom.wire_fj[SLX_TIME_WIRE_ROM], 3264 * 8 * 50);
    assert_int_equal(near.wire_fj[SLX_TIME_WIRE_ROM], 0);
    check_splits(&s->r);
    run(s, 1, "MM.q8s.mxint8 acc0, [0], [4096], [8192], (8,32), (3,3) INIT ROM");
    rom = s->r;
    assert_int_equal(rom.cycles, 5 + 24 + 2 * 136 + 30);
}

/* Point 0 of silex-1 by hand: 0.55 V; 1.5 (0.25^1.3 / 0.55) / (0.45^1.3 / 0.75) = 0.95265, in whole MHz 0.953 GHz;
 * (0.55 / 0.75)^2 = 0.53778 of an event; 0.5 * 0.73333 + 0.5 * 0.53778 * 0.953 / 1.5 = 0.53750 of leakage and clock.
 * Then a step under every rating: the fastest point that keeps it, and what that point gives. */
static void test_power_limit(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c, other;
    slx_program p;
    assert_int_equal(slx_chip_load(&c, "silex-1", &err), SLX_OK);
    slx_time_watts w = {.leak = 100, .io = 7};
    slx_time_at_point(c, 0, &other, &w);
    assert_true(other.grid.clock_ghz == 0.953);
    assert_true(fabs(other.energy.w8a8_fj / c->energy.w8a8_fj - 0.53778) < 1e-5);
    assert_true(fabs(w.leak - 53.750) < 1e-3 && w.io == 7);
    assert_true(other.energy.hbm_pj_b == c->energy.hbm_pj_b && other.energy.serdes_pj_b == c->energy.serdes_pj_b);
    slx_time_at_point(c, c->dvfs.points - 1, &other, &w);
    assert_true(other.grid.clock_ghz == c->grid.clock_ghz && fabs(w.leak - 53.750) < 1e-3);

    char text[4096];
    int n = snprintf(text, sizeof text, small_head, 1, 1);
    snprintf(text + n, sizeof text - (size_t)n,
             "LOOP 40, end, r5\nLD [0], [w], 4096, 1, 0, 0\n"
             "MM.mxint8.mxint8 acc0, [8192], [16384], [32768], (32,32), (8,8) INIT\nend: SYS.halt\n");
    assemble(&p, text);
    slx_time_watts watts = {.leak = 1, .io = 0.5};
    slx_time_result at[64], r;
    for (uint32_t i = 0; i < c->dvfs.points; i++) {
        slx_time_watts there = watts;
        slx_time_at_point(c, i, &other, &there);
        other.dvfs.min_vdd_v = 0;
        assert_int_equal(slx_time_step(&p, &other, NULL, &(slx_time_options){.watts = &there}, &at[i], &err), SLX_OK);
        assert_true(!i || at[i].power_w > at[i - 1].power_w);
        assert_true(!i || at[i].seconds < at[i - 1].seconds);
    }
    for (uint32_t i = 0; i < c->dvfs.points; i++)
        for (int above = !i; above < 2; above++) {
            c->package.tdp_w = at[i].power_w * (above ? 1.0001 : 0.9999);
            uint32_t want = above ? i : i - 1;
            assert_int_equal(slx_time_step(&p, c, NULL, &(slx_time_options){.watts = &watts}, &r, &err), SLX_OK);
            assert_true(r.seconds == at[want].seconds && r.clock_ghz == at[want].clock_ghz);
            assert_int_equal(r.energy_fj, at[want].energy_fj);
            assert_int_equal(r.power_limited, want < c->dvfs.points - 1);
            assert_true(r.unlimited_s == at[c->dvfs.points - 1].seconds);
            slx_time_result_free(&r);
        }
    /* Below the slowest point the clock stands: events take their joules, 0.5375 W of leakage and clock and 0.5 W of
     * links go on. Nothing is left for events where those alone are the limit. */
    double events_j = (double)(at[0].energy_fj - at[0].static_fj) * 1e-15, idle = 0.53750 + 0.5;
    for (int i = 1; i < 4; i++) {
        c->package.tdp_w = idle + (at[0].power_w - idle) * 0.25 * i;
        assert_int_equal(slx_time_step(&p, c, NULL, &(slx_time_options){.watts = &watts}, &r, &err), SLX_OK);
        assert_true(fabs(r.seconds / (events_j / (c->package.tdp_w - idle)) - 1) < 1e-4);
        assert_true(r.power_w <= c->package.tdp_w && r.power_w > c->package.tdp_w * 0.999999);
        assert_true(fabs(r.paused - (1 - 0.25 * i)) < 1e-4 && r.power_limited && r.cycles == at[0].cycles);
        check_splits(&r);
        slx_time_result_free(&r);
    }
    c->package.tdp_w = idle * 0.99;
    assert_int_equal(slx_time_step(&p, c, NULL, &(slx_time_options){.watts = &watts}, &r, &err), SLX_EINPUT);
    assert_non_null(strstr(err.msg, "package.tdp_w: found"));
    assert_non_null(strstr(err.msg, "without any work"));
    for (uint32_t i = 0; i < c->dvfs.points; i++) slx_time_result_free(&at[i]);
    slx_program_free(&p);
    slx_chip_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SMALL_TEST(test_energy),
        SMALL_TEST(test_rom),
        cmocka_unit_test(test_power_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
