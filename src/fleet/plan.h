/* plan.h - which supplier delivers how much in each quarter: the cheapest plan that meets demand within every limit.
 *
 *   slx_fleet_plan *p = slx_fleet_plan_new();
 *   slx_fleet_plan_solve(c, &limits, p, err);        SLX_EINPUT when the limits clash: the message names them
 *   slx_fleet_eval(c, &(slx_fleet_future){.orders = &p->orders, .single = -1}, run);
 *
 * Invariant: the plan's cost and what it does not choose are the run's, to six digits: asserted. What binds has a price from
 * the relaxation in which the choice of suppliers stays and amounts may be any: what one unit of the limit, in each quarter
 * in which it binds, would save.
 */
#ifndef SLX_FLEET_PLAN_H
#define SLX_FLEET_PLAN_H

#include "fleet/fleet.h"
#include "fleet/milp.h"

typedef enum {
    SLX_FL_DEMAND,   /* tokens/s */
    SLX_FL_TARGET,   /* GW */
    SLX_FL_TRAINING, /* PFLOP/s */
    SLX_FL_POWER,    /* of a site, GW */
    SLX_FL_BUDGET,   /* USD */
    SLX_FL_SUPPLY,   /* of an option, racks */
    SLX_FL_POOL,     /* the pool's unit */
    SLX_FL_SHARE,    /* of a supplier */
    SLX_FL_KINDS
} slx_fleet_limit_kind;

enum { SLX_FLEET_LIMITS = 48 };

/* A limit that binds, or that is part of a clash, from its first to its last such quarter. */
typedef struct {
    slx_fleet_limit_kind kind;
    int of; /* site, option, pool, or the option whose supplier it is */
    int first, last, quarters;
    double price_usd; /* what one unit in each of these quarters would save at most; 0 in a clash */
} slx_fleet_limit;

typedef struct {
    slx_fleet_orders orders;
    slx_milp_state state;
    double cost_usd, bound_usd, gap; /* of what is chosen, with halls; gap: proved */
    /* The run's cost_usd is cost_usd - shortage_usd + unchosen_usd: the price of tokens not served, which nobody pays, and
     * what is not the plan's to choose (racks of the start, options with deploy: plan, their contracts). */
    double shortage_usd, unchosen_usd;
    double seconds;
    int columns, rows;
    double short_tokens; /* what is not served, at its price */
    int n_binding;
    slx_fleet_limit binding[SLX_FLEET_LIMITS]; /* the dearest first */
    double cheaper
        [SLX_FLEET_OPTIONS]; /* price cut of racks at which an unused option would be bought; NAN: is used, or never */
} slx_fleet_plan;

slx_fleet_plan *slx_fleet_plan_new(void);
void slx_fleet_plan_free(slx_fleet_plan *p);
/* Does any option wait to be chosen? */
bool slx_fleet_must_plan(const slx_fleet_case *c);
slx_status slx_fleet_plan_solve(const slx_fleet_case *c, const slx_milp_limits *l,
                                slx_fleet_plan *p, slx_err *err);
/* "power of site own" */
const char *slx_fleet_limit_name(char out[96], const slx_fleet_case *c, const slx_fleet_limit *l);
/* "GW", of its price */
const char *slx_fleet_limit_unit(const slx_fleet_case *c, const slx_fleet_limit *l);

#endif
