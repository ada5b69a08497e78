/* query_cost.c - what a server costs and draws: usd_per_mtok, tok_s_per_mw, system_power.
 *
 * Tokens are those in and out together, as the comparisons that publish such figures count them: at 25,320 of both a
 * second and B200 and 0.022 dollars a million, an hour of one costs 2.0 dollars (inferencex.semianalysis.com).
 */
#include <math.h>

#include "validate/query_int.h"

/* A chip's share of what is beside it in its rack: CPU, network, fans. From the all-in watts that
 * inferencex.semianalysis.com gives: 2170 of B200, 2180 of MI325X (1000 W each) and 1790 of MI300X (750 W) are, within
 * 2 %, what such a share makes at the losses of data/cost.csv. */
static const double beside_w = 720, beside_low = 0.6, beside_high = 1.4;

bool slx_query_usd(slx_question *q, double chips, slx_band tok_s)
{
    slx_constants *k = NULL;
    slx_area area;
    slx_power power;
    slx_cost cost = {0};
    slx_err err;
    slx_status st = slx_constants_load(&k, &err);
    if (st == SLX_OK) st = slx_chip_get_area(&area, q->chip, k, &err);
    if (st == SLX_OK) st = slx_chip_get_power(&power, q->chip, &area, k, &err);
    if (st == SLX_OK) st = slx_chip_get_cost(&cost, q->chip, &area, &power, k, &err);
    slx_constants_free(k);
    if (st) return slx_cannot(q, "%s", err.msg);
    if (isnan(cost.hour_usd.total.mid))
        return slx_cannot(q, "the price of %s is not known: %s", q->chip->name,
                          cost.hour_usd.missing ? cost.hour_usd.missing : "not published");
    return slx_query_told(q, slx_usd_per_mtok(cost.hour_usd.total, chips, tok_s), 1, "USD/Mtok");
}

bool slx_query_per_mw(slx_question *q, double chips, slx_band tok_s)
{
    slx_constants *k = NULL;
    slx_err err;
    double rated = q->chip->package.tdp_w;
    if (!(rated > 0)) return slx_cannot(q, "the rated power of %s is not published", q->chip->name);
    if (slx_constants_load(&k, &err)) return slx_cannot(q, "%s", err.msg);
    double lost = slx_constants_at(k, SLX_S_pue).mid / slx_constants_at(k, SLX_S_supply_efficiency).mid;
    slx_constants_free(k);
    double mw = chips * lost / 1e6; /* for each watt of a chip and beside it */
    slx_band each = {tok_s.low / (mw * (rated + beside_high * beside_w)), tok_s.mid / (mw * (rated + beside_w)),
                     tok_s.high / (mw * (rated + beside_low * beside_w))};
    return slx_query_told(q, each, 1, "tok/s/MW");
}

/* What the sockets of the servers give: chips at their mean power and what is beside them. */
bool slx_query_system_power(slx_question *q, double chips, slx_band chip_w)
{
    slx_band all = {chips * (chip_w.low + beside_low * beside_w), chips * (chip_w.mid + beside_w),
                    chips * (chip_w.high + beside_high * beside_w)};
    return slx_query_told(q, all, 1, "W");
}
