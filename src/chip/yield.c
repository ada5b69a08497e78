/* yield.c - how many dies a wafer gives, and how many of them are good.
 *
 * Defects are Poisson in area at a density that differs from die to die as a gamma distribution of mean d0 and shape
 * alpha; averaging exp(-d A) over it gives the negative binomial (1 + A d0 / alpha)^-alpha. With spare tiles a die of
 * density d is good when what is not spared has no defect and at most `spares` tiles have one:
 *
 *   Y = E_d [ exp(-d A_rest) * P(binomial(tiles, 1 - exp(-d A_tile)) <= spares) ]
 *
 * The mean over d is a sum over equal steps, divided by the same sum of the density itself.
 */
#include "chip/silicon_int.h"

#define CONST(name) slx_constants_at(k, SLX_S_##name)

enum { STEPS = 2000 };

double slx_gross_dies(double die_mm2, double wafer_mm, double edge_mm, double scribe_mm)
{
    double d = wafer_mm - 2 * edge_mm, side = sqrt(die_mm2) + scribe_mm, area = side * side;
    double n = acos(-1) * d * (d / (4 * area) - 1 / sqrt(2 * area));
    return n < 0 ? 0 : n;
}

/* P(at most s of n parts fail), each with probability p. */
static double at_most(double n, double s, double p)
{
    double term = pow(1 - p, n), sum = term;
    if (p >= 1) return s >= n;
    for (double i = 1; i <= s && i <= n; i++) {
        term *= (n - i + 1) / i * p / (1 - p);
        sum += term;
        if (i > n * p && term < 1e-17 * sum) break; /* all further ones are smaller still */
    }
    return sum < 1 ? sum : 1;
}

double slx_die_yield(double die_mm2, double spared_mm2, double tiles, double spares, double d0,
                     double alpha)
{
    double cm2 = die_mm2 / 100, spared = spared_mm2 / 100;
    if (!(tiles >= 1) || !(spares >= 1) || !(spared > 0)) return pow(1 + cm2 * d0 / alpha, -alpha);
    double most = d0 * (1 + 12 / sqrt(alpha) + 24 / alpha), sum = 0, all = 0;
    for (int i = 1; i <= STEPS; i++) {
        double d = most * (i - 0.5) / STEPS;
        double weight = exp((alpha - 1) * log(d / d0) - alpha * (d / d0 - 1));
        double part = -expm1(-d * spared / tiles);
        all += weight;
        sum += weight * exp(-d * (cm2 - spared)) * at_most(tiles, spares, part);
    }
    return sum / all;
}

/* ------------------------------------------------------------------ the dies of a chip */

static slx_band die_mm2(const slx_chip *c, const slx_area *a, bool io)
{
    if (io && c->library) return slx_chip_figure(c, "part.io_die_mm2");
    if (io) return a->io.total;
    if (c->library && !isnan(c->part.die_mm2)) return slx_chip_figure(c, "part.die_mm2");
    return a->die.total;
}

/* Tiles and spares of one compute die. */
static void count_tiles(slx_die *out, const slx_chip *c)
{
    double dies = c->package.compute_dies;
    double drawn = c->library ? c->part.units_drawn : (double)c->grid.x * c->grid.y;
    double enabled = c->library ? c->part.units : c->grid.enabled;
    out->tiles = floor(drawn / dies);
    out->spares = floor((drawn - enabled) / dies);
}

slx_status slx_die_get(slx_die *out, const slx_chip *c, const slx_area *a, bool io,
                       const slx_constants *k, slx_err *err)
{
    const char *key = io && *c->package.io_node ? "package.io_node" : "process.node";
    slx_band d0, wafer, alpha = CONST(yield_alpha), gain = CONST(harvest_gain);
    double y[3], perfect[3], gross[3];
    *out = (slx_die){.node = io && *c->package.io_node ? c->package.io_node : c->process.node};
    SLX_TRY(slx_constants_need(&d0, k, "defects_cm2", out->node, c, key, err));
    SLX_TRY(slx_constants_need(&wafer, k, "wafer_usd", out->node, c, key, err));
    out->mm2 = die_mm2(c, a, io);
    if (!io) count_tiles(out, c);
    /* [0] all that lowers the yield and the count, [2] all that raises them. */
    double area[3] = {out->mm2.high, out->mm2.mid, out->mm2.low};
    double density[3] = {d0.high, d0.mid, d0.low}, shape[3] = {alpha.high, alpha.mid, alpha.low};
    double harvest[3] = {gain.low, gain.mid, gain.high};
    double street[3] = {CONST(scribe_mm).high, CONST(scribe_mm).mid, CONST(scribe_mm).low};
    double edge[3] = {CONST(edge_mm).high, CONST(edge_mm).mid, CONST(edge_mm).low};
    double spared = io || isnan(a->die.total.mid) ? 0 : a->spared_mm2.mid / a->die.total.mid;
    bool known = io || (!isnan(out->tiles) && !isnan(out->spares));
    for (int i = 0; i < 3; i++) {
        gross[i] = slx_gross_dies(area[i], CONST(wafer_mm).mid, edge[i], street[i]);
        perfect[i] = slx_die_yield(area[i], 0, 0, 0, density[i], shape[i]);
        y[i] = known ? slx_die_yield(area[i], area[i] * spared, out->tiles, out->spares, density[i],
                                     shape[i])
                     : perfect[i] + (1 - perfect[i]) * harvest[i];
    }
    out->gross_dies = band(gross[0], gross[1], gross[2]);
    out->perfect = band(perfect[0], perfect[1], perfect[2]);
    out->yield = band(y[0], y[1], y[2]);
    out->good_dies = band_mul(out->gross_dies, out->yield);
    out->usd = band_div(wafer, out->good_dies);
    if (!(out->gross_dies.low > 0)) out->usd = band_exact(NAN); /* a die of a whole wafer */
    out->over_reticle = !c->library && out->mm2.mid > c->process.reticle_mm2;
    if (out->over_reticle) /* no scanner prints it */
        out->gross_dies = out->perfect = out->yield = out->good_dies = out->usd = band_exact(NAN);
    return SLX_OK;
}
