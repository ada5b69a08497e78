/* dvfs.c - the clock of a step whose power would be above what the package is rated for.
 *
 *   point i of dvfs.points: voltage evenly between dvfs.min_vdd and process.vdd
 *   clock     f0 (V - vth)^alpha / V  over the same at vdd, in whole MHz        (alpha-power law, source in the chip
 *   file)
 *   energies  of the compute die (V / vdd)^2; memory and links keep theirs
 *   leakage   leak_share V / vdd;  clock tree (1 - leak_share) (V / vdd)^2 f / f0
 *
 * The step runs at the fastest point at which its mean power, everything included, is within package.tdp_w; at the
 * slowest where none is. Power grows with the point, so a search by halves finds it. A chip without dvfs.min_vdd or
 * tdp_w runs at its one clock. */
#include "time/time_int.h"

#include <math.h>
#include <string.h>

static double speed(const slx_chip *c, double v)
{
    return pow(v - c->dvfs.vth_v, c->dvfs.alpha) / v;
}

static uint32_t points(const slx_chip *c)
{
    return c->dvfs.min_vdd_v > 0 && c->package.tdp_w > 0 ? c->dvfs.points : 1;
}

void slx_time_at_point(const slx_chip *c, uint32_t point, slx_chip *out, slx_time_watts *watts)
{
    uint32_t last = points(c) - 1;
    *out = *c;
    if (point >= last) return;
    double vdd = c->process.vdd_v, v = c->dvfs.min_vdd_v + (vdd - c->dvfs.min_vdd_v) * point / last;
    /* In whole MHz, so that the last bit of a host's pow does not show. */
    double ghz = fmax(1, round(c->grid.clock_ghz * speed(c, v) / speed(c, vdd) * 1e3)) / 1e3;
    double f = ghz / c->grid.clock_ghz, square = v * v / (vdd * vdd);
    out->process.vdd_v = v;
    out->grid.clock_ghz = ghz;
    double *e[] = {
        &out->energy.w4a8_fj,     &out->energy.w8a8_fj,      &out->energy.fp32_add_pj,
        &out->energy.fp32_fma_pj, &out->energy.sram_rd_pj_b, &out->energy.sram_wr_pj_b,
        &out->energy.rom_pj_b,    &out->energy.noc_pj_b_mm,  &out->energy.noc_pj_b_router};
    for (size_t i = 0; i < sizeof e / sizeof *e; i++) *e[i] *= square;
    watts->leak *= c->dvfs.leak_share * v / vdd + (1 - c->dvfs.leak_share) * square * f;
}

static slx_status at(const slx_program *p, const slx_chip *c, const uint8_t *desc,
                     const slx_time_options *opt, const slx_time_watts *watts, uint32_t point,
                     slx_time_result *out, slx_err *err)
{
    slx_chip chip; /* borrows everything but figures */
    slx_time_watts w = *watts;
    slx_time_options o = *opt;
    slx_time_at_point(c, point, &chip, &w);
    o.watts = &w;
    SLX_TRY(slx_tm_step(p, &chip, desc, &o, out, err));
    out->clock_ghz = chip.grid.clock_ghz;
    out->vdd_v = chip.process.vdd_v;
    out->power_w = (double)out->energy_fj * 1e-15 / out->seconds;
    return SLX_OK;
}

slx_status slx_time_step(const slx_program *p, const slx_chip *c, const uint8_t *desc,
                         const slx_time_options *opt, slx_time_result *out, slx_err *err)
{
    slx_time_watts watts;
    slx_time_options quiet = *opt;
    quiet.event = NULL;
    memset(out, 0, sizeof *out);
    if (opt->watts)
        watts = *opt->watts;
    else
        SLX_TRY(slx_time_get_watts(&watts, c, err));
    uint32_t n = points(c), low = 0, high = n - 1, have = n - 1; /* the answer is in low..high */
    SLX_TRY(at(p, c, desc, &quiet, &watts, have, out, err));
    double unlimited_s = out->seconds;
    bool over = c->package.tdp_w > 0 && out->power_w > c->package.tdp_w;
    if (over && high) high--;
    while (over && (low < high || have != low)) {
        uint32_t mid = high - (high - low) / 2;
        slx_time_result_free(out);
        SLX_TRY(at(p, c, desc, &quiet, &watts, mid, out, err));
        have = mid;
        if (out->power_w <= c->package.tdp_w)
            low = mid;
        else if (mid > low)
            high = mid - 1;
    }
    if (opt->event) { /* events show every layer, results may come from fewer */
        slx_time_result shown;
        slx_status st = at(p, c, desc, opt, &watts, have, &shown, err);
        if (st != SLX_OK) {
            slx_time_result_free(out);
            return st;
        }
        slx_time_result_free(&shown);
    }
    out->power_limited = have < n - 1;
    out->unlimited_s = unlimited_s;
    return SLX_OK;
}
