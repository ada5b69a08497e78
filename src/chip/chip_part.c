/* chip_part.c - published figures that contradict each other, or physics.
 *
 * A figure may be unknown; every rule holds only between figures that are given.
 */
#include "chip/chip_int.h"

#define FAIL(path, ...) return slx_chip_fail_rule(t, path, __VA_ARGS__)

/* What no process and no cooling of our days reaches, with room to spare. */
static const double most_w_mm2 = 3, least_w_mm2 = 0.02, most_mtr_mm2 = 500, most_pin_gbps = 20;

static slx_status check_counts(const slx_chip *c, const slx_yaml *t)
{
    const struct {
        const char *path;
        double v;
    } whole[] = {{"part.units", c->part.units},
                 {"part.units_drawn", c->part.units_drawn},
                 {"part.simt", c->part.simt},
                 {"part.vec_lanes", c->part.vec_lanes},
                 {"part.stacks", c->part.stacks}};
    for (int i = 0; i < 5; i++)
        if (whole[i].v != floor(whole[i].v) && !isnan(whole[i].v))
            FAIL(whole[i].path, "found %g, expected a whole number", whole[i].v);
    if (c->part.units > c->part.units_drawn)
        FAIL("part.units", "found %g, expected at most units_drawn = %g", c->part.units,
             c->part.units_drawn);
    if (c->part.fp8_tflops > 0 && c->part.fp8_tflops < c->part.bf16_tflops)
        FAIL("part.fp8_tflops", "found %g, expected at least bf16_tflops = %g, or 0",
             c->part.fp8_tflops, c->part.bf16_tflops);
    if (c->part.fp4_tflops > 0 && c->part.fp4_tflops < c->part.fp8_tflops)
        FAIL("part.fp4_tflops", "found %g, expected at least fp8_tflops = %g, or 0",
             c->part.fp4_tflops, c->part.fp8_tflops);
    return SLX_OK;
}

static slx_status check_memory(const slx_chip *c, const slx_yaml *t)
{
    double stacks = c->part.stacks;
    if (stacks == 0 && (c->part.mem_tbs > 0 || c->part.mem_gib > 0))
        FAIL("part.stacks", "found 0, expected more for a memory of %g GiB at %g TB/s",
             c->part.mem_gib, c->part.mem_tbs);
    if (stacks > 0 && (c->part.mem_tbs == 0 || c->part.mem_gib == 0))
        FAIL(c->part.mem_tbs == 0 ? "part.mem_tbs" : "part.mem_gib",
             "found 0, expected more for %g stacks", stacks);
    double pin = c->part.mem_tbs * 8e3 / (stacks * 2048); /* at least 1024, at most 2048 bits */
    if (stacks > 0 && pin > most_pin_gbps)
        FAIL("part.mem_tbs", "found %g TB/s from %g stacks: %.3g Gb/s from each of 2048 pins",
             c->part.mem_tbs, stacks, pin);
    return SLX_OK;
}

slx_status slx_chip_check_part(const slx_chip *c, const slx_yaml *t)
{
    double mm2 = c->part.die_mm2 * c->package.compute_dies;
    double mtr = c->part.transistors_b * 1000 / mm2;
    SLX_TRY(check_counts(c, t));
    SLX_TRY(check_memory(c, t));
    if (c->process.reticle_mm2 > 0 && c->part.die_mm2 > c->process.reticle_mm2)
        FAIL("part.die_mm2", "found %g mm2, expected at most process.reticle_mm2 = %g",
             c->part.die_mm2, c->process.reticle_mm2);
    if (mtr > most_mtr_mm2)
        FAIL("part.transistors_b", "found %.4g million on a square millimetre, expected at most %g",
             mtr, most_mtr_mm2);
    double w = c->package.tdp_w / mm2;
    if (c->package.tdp_w > 0 && !c->package.io_dies && (w > most_w_mm2 || w < least_w_mm2))
        FAIL("package.tdp_w", "found %g W on %g mm2, expected between %g and %g W/mm2",
             c->package.tdp_w, mm2, least_w_mm2, most_w_mm2);
    if (c->part.logic_usd > c->part.bom_usd)
        FAIL("part.logic_usd", "found %g, expected at most bom_usd = %g", c->part.logic_usd,
             c->part.bom_usd);
    return SLX_OK;
}
