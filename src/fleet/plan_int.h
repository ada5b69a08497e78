/* plan_int.h - the program a case becomes, between plan.c, plan_load.c and plan_contract.c, which
 * build it, plan_solve.c, and plan_why.c, which explains.
 */
#ifndef SLX_FLEET_PLAN_INT_H
#define SLX_FLEET_PLAN_INT_H

#include "fleet/fleet_int.h"
#include "fleet/plan.h"

enum {
    SLX_FLEET_ROWS_MAX =
        SLX_FLEET_QUARTERS * (4 + SLX_FLEET_SITES + 3 * SLX_FLEET_OPTIONS + SLX_FLEET_POOLS)
};

typedef struct {
    slx_fleet_limit_kind kind;
    int of, q, row;
    double unit; /* one unit of the row, in units of the limit */
} slx_fleet_row;

typedef struct {
    const slx_fleet_case *c;
    slx_milp *m;
    double v[SLX_F_COUNT * (SLX_FLEET_OPTIONS + 4)];
    slx_fleet_run *base;                              /* without what is chosen */
    int x[SLX_FLEET_OPTIONS][SLX_FLEET_QUARTERS];     /* columns: lots delivered; -1 = cannot */
    int y[SLX_FLEET_OPTIONS];                         /* signed; -1 = costs nothing to sign */
    int link[SLX_FLEET_OPTIONS][SLX_FLEET_QUARTERS];  /* rows: no lots where not signed */
    int hall[SLX_FLEET_SITES][SLX_FLEET_QUARTERS];    /* MW built; -1 = no such */
    int train[SLX_FLEET_OPTIONS][SLX_FLEET_QUARTERS]; /* racks that train; -1 = none */
    int shortage[SLX_FLEET_QUARTERS];                 /* M tokens/s; -1 = not allowed */
    int draw[SLX_FLEET_QUARTERS]; /* GUSD of suppliers' investment spent; -1 = none */
    int missing[SLX_FLEET_CONTRACTS]
               [SLX_FLEET_QUARTERS]; /* paid for, not taken; -1 = no commitment */
    int steps[SLX_FLEET_CONTRACTS][SLX_FLEET_QUARTERS];      /* of equity, vested; -1 = no equity */
    double rack_cost[SLX_FLEET_OPTIONS][SLX_FLEET_QUARTERS]; /* GUSD of the price alone, a lot */
    slx_fleet_row row[SLX_FLEET_ROWS_MAX];
    int n_rows;
} slx_fleet_program;

/* The program of a case; the caller's to free. */
slx_fleet_program *slx_fleet_program_new(const slx_fleet_case *c);
void slx_fleet_program_free(slx_fleet_program *g);
/* GUSD of a MW of hall built in q, less what is left of it at the end. MW of halls that stand at the start. */
double slx_fleet_hall_cost(const slx_fleet_program *g, int site, int q);
double slx_fleet_stands_mw(const slx_fleet_program *g, int site);

/* What plan.c knows of a case, for plan_contract.c and plan_load.c. Amounts in GUSD and MW, as in plan.c. */
bool slx_fleet_is_chosen(const slx_fleet_program *g, int option);
double slx_fleet_plan_mw(const slx_fleet_program *g, int option);
double slx_fleet_plan_price(const slx_fleet_program *g, int option, int q);
double slx_fleet_discount(const slx_fleet_program *g, int q);
/* Puts factor x what is in service of an option in q. */
void slx_fleet_put_service(slx_fleet_program *g, int row, int option, int q, double factor);

int slx_fleet_add_row(slx_fleet_program *g, slx_fleet_limit_kind kind, int of, int q, double low,
                      double high, double unit);

/* Columns and rows of what the fleet must do in q; after the options' columns. */
void slx_fleet_add_loads(slx_fleet_program *g, int q);
/* Columns and rows of the contracts about options that are chosen; before the budgets' rows. */
void slx_fleet_add_contracts(slx_fleet_program *g);
/* Steps in which the equity of a contract vests. */
double slx_fleet_most_steps(const slx_fleet_program *g, int contract);
/* Their part of the base's cost, which the program counts itself, GUSD. */
double slx_fleet_contracts_base(const slx_fleet_program *g);
/* GUSD by which the warrants of a run are worth more than those of the solution: of a solution that is only near the
 * best, not every step that could have vested has. */
double slx_fleet_contracts_gain(const slx_fleet_program *g, const slx_milp_result *r,
                                const slx_fleet_run *run);

void slx_fleet_explain(slx_fleet_program *g, const slx_milp_result *best, slx_fleet_plan *p);
void slx_fleet_widen(slx_fleet_program *g);
/* The message that names a smallest set of limits which cannot all hold. */
slx_status slx_fleet_clash(slx_fleet_program *g, const slx_milp_limits *l, slx_err *err);

#endif
