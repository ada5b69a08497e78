/* model_int.h - the state of one future, between model.c, which runs it, and model_out.c, which sums it up. */
#ifndef SLX_FLEET_MODEL_INT_H
#define SLX_FLEET_MODEL_INT_H

#include "fleet/fleet_int.h"

typedef struct {
    const slx_fleet_case *c;
    const slx_fleet_future *f;
    const double *v;
    slx_fleet_run *r;
    double price[SLX_FLEET_OPTIONS],
        price_step[SLX_FLEET_OPTIONS]; /* of this quarter, against the first */
    double w[SLX_FLEET_OPTIONS];       /* hall power of a rack */
    bool begins[SLX_FLEET_OPTIONS]; /* anything of it is ever ordered: its development is paid */
    double base_racks[SLX_FLEET_OPTIONS]; /* in service before the first quarter */
    int ready[SLX_FLEET_OPTIONS], slip[SLX_FLEET_OPTIONS], life[SLX_FLEET_OPTIONS];
    double bought_chips[SLX_FLEET_OPTIONS], scrapped_chips[SLX_FLEET_OPTIONS];
    double taken_usd[SLX_FLEET_OPTIONS]; /* of this quarter: racks, spares and rent */
    double hall_w[SLX_FLEET_SITES];      /* built */
    double site_w[SLX_FLEET_SITES];      /* kept by what is switched on and off */
    double write_off[SLX_FLEET_QUARTERS + SLX_FLEET_LIFE_MAX +
                     1]; /* change of the depreciation in each quarter */
    double write_off_now;
    int write_off_end; /* nothing changes from this quarter on */
    double rolling_usd
        [SLX_FLEET_OPTIONS]; /* book value of racks that are replaced a little every quarter */
    double chips_usd[SLX_FLEET_OPTIONS], renewal_chips_usd[SLX_FLEET_OPTIONS];
    double racks_usd[SLX_FLEET_OPTIONS], halls_usd[SLX_FLEET_OPTIONS], other_usd[SLX_FLEET_OPTIONS];
} slx_fleet_state;

/* What racks in service do in quarter q, and power of the fleet. */
void slx_fleet_share_out(slx_fleet_state *s, int q);
/* Contracts of quarter q, after its deliveries and what they cost. */
void slx_fleet_run_contracts(slx_fleet_state *s, int q);
/* Of quarter q, all streams. */
double slx_fleet_queries_day(const slx_fleet_case *c, const double *v, int q);
/* After the last quarter; the options' before the fleet's. */
void slx_fleet_option_outputs(slx_fleet_state *s, int i);
void slx_fleet_outputs(slx_fleet_state *s);

#endif
