/* plan_int.h - the program a case becomes, between plan.c, which builds and solves it, and plan_why.c, which explains. */
#ifndef SLX_FLEET_PLAN_INT_H
#define SLX_FLEET_PLAN_INT_H

#include "fleet/fleet_int.h"
#include "fleet/plan.h"

enum {
    SLX_FLEET_ROWS_MAX =
        SLX_FLEET_QUARTERS * (3 + SLX_FLEET_SITES + 3 * SLX_FLEET_OPTIONS + SLX_FLEET_POOLS)
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
    slx_fleet_run *base;                             /* without what is chosen */
    int x[SLX_FLEET_OPTIONS][SLX_FLEET_QUARTERS];    /* columns: lots delivered; -1 = cannot */
    int y[SLX_FLEET_OPTIONS];                        /* signed; -1 = costs nothing to sign */
    int link[SLX_FLEET_OPTIONS][SLX_FLEET_QUARTERS]; /* rows: no lots where not signed */
    int hall[SLX_FLEET_SITES][SLX_FLEET_QUARTERS];   /* MW built; -1 = no such */
    int shortage[SLX_FLEET_QUARTERS];                /* M tokens/s; -1 = not allowed */
    int unused[SLX_FLEET_OPTIONS];                   /* GUSD; -1 = no commitment */
    double rack_cost[SLX_FLEET_OPTIONS][SLX_FLEET_QUARTERS]; /* GUSD of the price alone, a lot */
    slx_fleet_row row[SLX_FLEET_ROWS_MAX];
    int n_rows;
} slx_fleet_program;

void slx_fleet_explain(slx_fleet_program *g, const slx_milp_result *best, slx_fleet_plan *p);
void slx_fleet_widen(slx_fleet_program *g);
/* The message that names a smallest set of limits which cannot all hold. */
slx_status slx_fleet_clash(slx_fleet_program *g, const slx_milp_limits *l, slx_err *err);

#endif
