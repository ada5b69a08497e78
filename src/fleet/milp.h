/* milp.h - a linear program with whole numbers, built row by row and solved by Cbc; milp.c alone knows Cbc and Clp.
 *
 *   slx_milp *m = slx_milp_new();
 *   int x = slx_milp_col(m, 0, 10, 3.0, true);        minimise 3 x, x whole
 *   int r = slx_milp_row(m, 2.5, SLX_MILP_INF);       2.5 <= x
 *   slx_milp_put(m, r, x, 1);
 *   slx_milp_solve(m, &(slx_milp_limits){.gap = 0.005, .seconds = 10}, &s);   s.x[0] is 3
 */
#ifndef SLX_FLEET_MILP_H
#define SLX_FLEET_MILP_H

#include "base/base.h"

#define SLX_MILP_INF 1e30

typedef struct slx_milp slx_milp;

slx_milp *slx_milp_new(void);
void slx_milp_free(slx_milp *m); /* NULL is fine */
int slx_milp_col(slx_milp *m, double low, double high, double cost, bool whole);
int slx_milp_row(slx_milp *m, double low, double high);
/* Adds to an element; several of one place are summed. */
void slx_milp_put(slx_milp *m, int row, int col, double v);
int slx_milp_cols(const slx_milp *m);
int slx_milp_rows(const slx_milp *m);
double slx_milp_row_low(const slx_milp *m, int row);
double slx_milp_row_high(const slx_milp *m, int row);
void slx_milp_free_row(slx_milp *m, int row); /* no bound any more */
void slx_milp_bound_row(slx_milp *m, int row, double low, double high);
void slx_milp_bound_col(slx_milp *m, int col, double low, double high);
/* A row: the cost is at least `low`. It tells the solver a bound that is known: it may stop as soon as it is near. */
int slx_milp_cost_row(slx_milp *m, double low);
/* Must it be a whole number? */
void slx_milp_whole(slx_milp *m, int col, bool whole);
void slx_milp_cost(slx_milp *m, int col, double cost);

typedef struct {
    double gap;          /* relative, between what is found and what is proved */
    double seconds;      /* of wall time */
    int nodes;           /* of the search; 0 = any number */
    const double *start; /* [cols] a solution to begin with; NULL = none */
} slx_milp_limits;

typedef enum { SLX_MILP_OPTIMAL, SLX_MILP_INFEASIBLE, SLX_MILP_TIME } slx_milp_state;

/* Arrays are malloc'ed: slx_milp_result_free. */
typedef struct {
    slx_milp_state state; /* TIME: x may be the best so far, or NULL */
    double cost, bound;   /* bound: no solution is cheaper */
    double *x;            /* [cols]; NULL when there is none */
    double
        *row_price; /* [rows], of an LP: what one more of the bound adds to the cost; else NULL */
    double *col_price; /* [cols], of an LP: reduced costs; else NULL */
    double seconds;
} slx_milp_result;

void slx_milp_solve(const slx_milp *m, const slx_milp_limits *l, slx_milp_result *out);
/* Without whole numbers. */
void slx_milp_relax(const slx_milp *m, slx_milp_result *out);
void slx_milp_result_free(slx_milp_result *r);

#endif
