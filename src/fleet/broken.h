/* broken.h - limits of a case that a run does not keep. A plan that is chosen keeps them all; one that the case gives, or
 * that follows the demand, is run as it is: power of sites, supply and pools hold deliveries back, the others are only
 * told here.
 */
#ifndef SLX_FLEET_BROKEN_H
#define SLX_FLEET_BROKEN_H

#include "fleet/plan.h"

/* Of one limit: its first and last broken quarter, how many, and the worst of them. found and limit in the unit of
 * slx_fleet_limit_unit; of a share both are shares of the fleet's power. */
typedef struct {
    slx_fleet_limit l; /* without a price */
    int worst;         /* quarter */
    double found, limit;
} slx_fleet_broken;

/* Demand (where no price of shortage is given), target, training, budget and share. Returns how many. */
int slx_fleet_broken_limits(const slx_fleet_case *c, const slx_fleet_run *r,
                            slx_fleet_broken out[SLX_FLEET_LIMITS]);

#endif
