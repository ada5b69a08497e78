/* own.h - a case rerun with throughput we compute: what its demand takes on chips of today, at a stated latency. */
#ifndef SLX_FLEET_OWN_H
#define SLX_FLEET_OWN_H

#include "fleet/rates.h"

/* One chip and model. Figures that cannot be had are NAN, and why says which is missing. */
typedef struct {
    const char *chip, *model; /* as the case names them */
    char why[200];            /* why there is no throughput, or no price; "" = all known */
    slx_fleet_rates rates;
    double chips, mw;  /* to serve the demand of the case; mw: hall power of the chips alone */
    slx_band chip_usd;
    slx_price_basis basis; /* of chip_usd: a published price, one estimated, or what it costs to make */
    slx_band capex_usd, usd_year; /* of the chips, as the published figures count */
} slx_fleet_own_row;

typedef struct {
    int n;
    slx_fleet_own_row *row; /* (n) */
} slx_fleet_own;

/* The first option of the case that follows demand is answered with each chip and model, all with weights and caches of the
 * same size (own.weight_bits, own.kv_bits). Some programs take tens of
 * seconds to time: progress goes to standard error. SLX_EINPUT where a chip or model is not there. */
slx_status slx_fleet_own_run(const slx_fleet_case *c, slx_fleet_own **out, slx_err *err);
void slx_fleet_own_free(slx_fleet_own *o); /* NULL is fine */

#endif
