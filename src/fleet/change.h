/* change.h - what would make the plan another: each input alone at its low and its high, and the plan chosen again.
 *
 * Where figures.h's movers keep the purchases and let the cost move, here the purchases may change as well.
 */
#ifndef SLX_FLEET_CHANGE_H
#define SLX_FLEET_CHANGE_H

#include "fleet/plan.h"

/* One input at one end of its band. */
typedef struct {
    int in;
    double value;                 /* of the input; of a series, the factor */
    bool high, feasible;          /* feasible false: why says which limits clash */
    double cost_usd;              /* of the plan */
    double gw[SLX_FLEET_OPTIONS]; /* of each option, in service at the most */
    double moved_gw;              /* half of what the options differ by from the case's plan */
    char why[320];
} slx_fleet_change;

typedef struct {
    int n, tried;
    slx_fleet_change
        *change; /* (n) those that move something or leave no plan: these first, then the largest */
} slx_fleet_changes;

/* Of a case with a plan and its run; inputs are as they were afterwards. Solves twice for every input with a band:
 * progress goes to standard error. NULL where nothing is chosen. */
slx_fleet_changes *slx_fleet_changes_run(slx_fleet_case *c, const slx_fleet_run *run,
                                         const slx_milp_limits *l);
void slx_fleet_changes_free(slx_fleet_changes *x); /* NULL is fine */

#endif
