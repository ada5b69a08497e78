/* chip_part.c - published figures that contradict each other, or physics.
 *
 * A figure may be unknown; every rule holds only between figures that are given.
 */
#include "chip/chip_int.h"

#include <string.h>

#define FAIL(path, ...) return slx_chip_fail_rule(t, path, __VA_ARGS__)

/* What no process and no cooling of our days reaches, with room to spare. */
const double slx_chip_most_w_mm2 = 3;
static const double least_w_mm2 = 0.02, most_mtr_mm2 = 500;

/* Drawn for each core in use: 1.19 on A100, the most of chips/; half of a chip may be wanted for a what-if. */
static const double most_drawn = 10;

/* Published peaks are rounded, and quoted at a clock that is rounded, too. */
static const double peak_rounding = 0.03;

static slx_status check_counts(const slx_chip *c, const slx_yaml *t)
{
    const struct {
        const char *path;
        double v;
    } whole[] = {{"part.units", c->part.units},   {"part.units_drawn", c->part.units_drawn},
                 {"part.simt", c->part.simt},     {"part.vec_lanes", c->part.vec_lanes},
                 {"part.domain", c->part.domain}, {"part.stacks", c->part.stacks}};
    for (int i = 0; i < 6; i++)
        if (whole[i].v != floor(whole[i].v) && !isnan(whole[i].v))
            FAIL(whole[i].path, "found %g, expected a whole number", whole[i].v);
    if (c->part.units > c->part.units_drawn)
        FAIL("part.units", "found %g, expected at most units_drawn = %g", c->part.units,
             c->part.units_drawn);
    if (c->part.units_drawn > most_drawn * c->part.units)
        FAIL("part.units_drawn", "found %g, expected at most %g times units = %g: more spares than that nobody draws",
             c->part.units_drawn, most_drawn, c->part.units);
    if (c->part.fp8_tflops > 0 && c->part.fp8_tflops < c->part.bf16_tflops)
        FAIL("part.fp8_tflops", "found %g, expected at least bf16_tflops = %g, or 0",
             c->part.fp8_tflops, c->part.bf16_tflops);
    if (c->part.fp4_tflops > 0 && c->part.fp4_tflops < c->part.fp8_tflops)
        FAIL("part.fp4_tflops", "found %g, expected at least fp8_tflops = %g, or 0",
             c->part.fp4_tflops, c->part.fp8_tflops);
    return SLX_OK;
}

/* A peak is what the cores do a clock. */
static slx_status check_peak(const slx_chip *c, const slx_yaml *t)
{
    double tflops = c->part.units * c->part.unit_flop_clk * c->part.clock_ghz * 1e-3;
    if (fabs(tflops / c->part.bf16_tflops - 1) > peak_rounding)
        FAIL("part.bf16_tflops",
             "found %g, expected %.4g: units %g x unit_flop_clk %g x clock_ghz %g",
             c->part.bf16_tflops, tflops, c->part.units, c->part.unit_flop_clk, c->part.clock_ghz);
    return SLX_OK;
}

static slx_status check_pins(const slx_chip *c, const slx_yaml *t)
{
    const slx_chip_memory *m = slx_chip_memory_of(c->package.memory);
    const char *of = *m->kind ? " of " : "";
    double pin = c->part.mem_tbs * 8e3 / (c->part.stacks * m->bits), gib = c->part.mem_gib / c->part.stacks;
    if (pin > m->pin_gbps)
        FAIL(
            "part.mem_tbs",
            "found %g TB/s from %g stacks: %.3g Gb/s from each of %g pins, expected at most %g%s%s",
            c->part.mem_tbs, c->part.stacks, pin, m->bits, m->pin_gbps, of, m->kind);
    if (gib > m->gib)
        FAIL("part.mem_gib", "found %g GiB in %g stacks: %.4g in each, expected at most %g%s%s", c->part.mem_gib,
             c->part.stacks, gib, m->gib, of, m->kind);
    return SLX_OK;
}

static slx_status check_memory(const slx_chip *c, const slx_yaml *t)
{
    double stacks = c->part.stacks;
    bool on_die = slx_chip_sram_memory(c);
    if (c->part.mem_usable_gib > c->part.mem_gib)
        FAIL("part.mem_usable_gib", "found %g, expected at most mem_gib = %g",
             c->part.mem_usable_gib, c->part.mem_gib);
    if (*c->part.only_model && strcmp(c->package.memory, "ROM"))
        FAIL("part.only_model", "found %s, expected package.memory ROM beside it",
             c->part.only_model);
    if (!*c->part.only_model && !strcmp(c->package.memory, "ROM"))
        FAIL("package.memory", "found ROM, expected part.only_model beside it");
    if (on_die && stacks > 0)
        FAIL("part.stacks", "found %g, expected 0 beside package.memory SRAM", stacks);
    if (on_die && c->part.mem_gib * 1024 > c->part.sram_mib * 1.01)
        FAIL("part.mem_gib", "found %g GiB of SRAM, expected at most sram_mib = %g MiB",
             c->part.mem_gib, c->part.sram_mib);
    if (on_die) return SLX_OK;
    if (stacks == 0 && (c->part.mem_tbs > 0 || c->part.mem_gib > 0))
        FAIL("part.stacks", "found 0, expected more for a memory of %g GiB at %g TB/s",
             c->part.mem_gib, c->part.mem_tbs);
    if (stacks > 0 && (c->part.mem_tbs == 0 || c->part.mem_gib == 0))
        FAIL(c->part.mem_tbs == 0 ? "part.mem_tbs" : "part.mem_gib",
             "found 0, expected more for %g stacks", stacks);
    return stacks > 0 ? check_pins(c, t) : SLX_OK;
}

slx_status slx_chip_check_part(const slx_chip *c, const slx_yaml *t)
{
    double mm2 = c->part.die_mm2 * c->package.compute_dies;
    double mtr = c->part.transistors_b * 1000 / mm2;
    SLX_TRY(check_counts(c, t));
    SLX_TRY(check_peak(c, t));
    SLX_TRY(check_memory(c, t));
    if (c->process.reticle_mm2 > 0 && c->part.die_mm2 > c->process.reticle_mm2)
        FAIL("part.die_mm2", "found %g mm2, expected at most process.reticle_mm2 = %g",
             c->part.die_mm2, c->process.reticle_mm2);
    if (mtr > most_mtr_mm2)
        FAIL("part.transistors_b", "found %.4g million on a square millimetre, expected at most %g",
             mtr, most_mtr_mm2);
    double w = c->package.tdp_w / mm2;
    if (c->package.tdp_w > 0 && !c->package.io_dies && (w > slx_chip_most_w_mm2 || w < least_w_mm2))
        FAIL("package.tdp_w", "found %g W on %g mm2, expected between %g and %g W/mm2",
             c->package.tdp_w, mm2, least_w_mm2, slx_chip_most_w_mm2);
    if (c->part.logic_usd > c->part.bom_usd)
        FAIL("part.logic_usd", "found %g, expected at most bom_usd = %g", c->part.logic_usd,
             c->part.bom_usd);
    return SLX_OK;
}
