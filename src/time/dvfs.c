/* dvfs.c - the clock of a step whose power would be above what the package is rated for.
 *
 *   point i of dvfs.points: voltage evenly between dvfs.min_vdd and process.vdd
 *   clock     f0 (V - vth)^alpha / V  over the same at vdd, in whole MHz        (alpha-power law, source in the chip
 *   file)
 *   energies  of the compute die (V / vdd)^2; memory and links keep theirs
 *   leakage   leak_share V / vdd;  clock tree (1 - leak_share) (V / vdd)^2 f / f0
 *
 * The step runs at the fastest point at which its mean power, everything included, is within package.tdp_w. Power grows
 * with the point, so a search by halves finds it. Where even the slowest draws too much the clock stands for a part of
 * the time, as clock modulation does: events take their energy all the same, leakage, clock tree and links their watts
 * for longer, until the mean is package.tdp_w. Where those alone draw as much there is no such time, and the step is
 * refused. A chip without dvfs.min_vdd has one point. */
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

/* Seconds in which events of so many joules and what goes by time draw `limit` watts. Collectives (net_j, a part of
 * events_j) are in what the links draw by time, as long as that is more. 0: never. */
static double seconds_at(double limit, double events_j, double net_j, const slx_time_watts *watts)
{
    double links_off = limit - watts->leak, left = links_off - watts->io, s = (events_j - net_j) / left;
    if (!(left > 0)) return 0;
    return watts->io * s >= net_j ? s : events_j / links_off;
}

/* Where the point that was found, the slowest, draws more than the package is rated for. watts: of the file. */
static slx_status stand(const slx_chip *c, uint32_t point, slx_time_watts watts, slx_time_result *out, slx_err *err)
{
    slx_chip chip;
    if (!(c->package.tdp_w > 0) || out->power_w <= c->package.tdp_w) return SLX_OK;
    slx_time_at_point(c, point, &chip, &watts);
    /* two femtojoules and a trillionth more: what goes by time is rounded, and the limit holds all the same */
    double events_j = (double)(out->energy_fj - out->static_fj + 2) * 1e-15, ran = out->seconds;
    double net_j = (double)out->wire_fj[SLX_TIME_WIRE_NET] * 1e-15;
    out->seconds = seconds_at(c->package.tdp_w, events_j, net_j, &watts) * (1 + 1e-12);
    if (!(out->seconds > 0))
        return slx_chip_fail_key(c, "package.tdp_w", err,
                                 "found %g W, expected more than %.4g: leakage and clock (%.4g W) and links to other "
                                 "chips (%.4g W) at %.3g V, without any work",
                                 c->package.tdp_w, watts.leak + watts.io, watts.leak, watts.io, out->vdd_v);
    out->paused = 1 - ran / out->seconds;
    slx_tm_by_time(out, &watts);
    out->power_w = (double)out->energy_fj * 1e-15 / out->seconds;
    return SLX_OK;
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
    out->unlimited_s = unlimited_s;
    out->power_limited = over;
    slx_status st = stand(c, have, watts, out, err);
    if (st != SLX_OK) slx_time_result_free(out);
    return st;
}
