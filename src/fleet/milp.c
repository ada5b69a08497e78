/* milp.c - see milp.h. Cbc for whole numbers, Clp for the relaxation and its prices: both through their C interfaces,
 * silent, on one thread, so that the same program gives the same answer.
 */
#include "fleet/milp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include <Cbc_C_Interface.h>
#include <Clp_C_Interface.h>
#pragma GCC diagnostic pop

typedef struct {
    int row, col;
    double v;
} element;

struct slx_milp {
    int cols, rows, elements, cap_cols, cap_rows, cap_elements;
    double *low, *high, *cost; /* of columns */
    bool *whole;
    double *row_low, *row_high;
    element *e;
};

slx_milp *slx_milp_new(void)
{
    return slx_xcalloc(1, sizeof(slx_milp));
}

void slx_milp_free(slx_milp *m)
{
    if (!m) return;
    free(m->low);
    free(m->high);
    free(m->cost);
    free(m->whole);
    free(m->row_low);
    free(m->row_high);
    free(m->e);
    free(m);
}

static void grow(void *array, int cap, size_t bytes)
{
    void **p = array;
    *p = slx_xrealloc(*p, slx_mul_size((size_t)cap, bytes));
}

int slx_milp_col(slx_milp *m, double low, double high, double cost, bool whole)
{
    if (m->cols == m->cap_cols) {
        m->cap_cols = m->cap_cols ? 2 * m->cap_cols : 64;
        grow(&m->low, m->cap_cols, sizeof *m->low);
        grow(&m->high, m->cap_cols, sizeof *m->high);
        grow(&m->cost, m->cap_cols, sizeof *m->cost);
        grow(&m->whole, m->cap_cols, sizeof *m->whole);
    }
    m->low[m->cols] = low;
    m->high[m->cols] = high;
    m->cost[m->cols] = cost;
    m->whole[m->cols] = whole;
    return m->cols++;
}

int slx_milp_row(slx_milp *m, double low, double high)
{
    if (m->rows == m->cap_rows) {
        m->cap_rows = m->cap_rows ? 2 * m->cap_rows : 64;
        grow(&m->row_low, m->cap_rows, sizeof *m->row_low);
        grow(&m->row_high, m->cap_rows, sizeof *m->row_high);
    }
    m->row_low[m->rows] = low;
    m->row_high[m->rows] = high;
    return m->rows++;
}

void slx_milp_put(slx_milp *m, int row, int col, double v)
{
    if (v == 0) return;
    if (m->elements == m->cap_elements) {
        m->cap_elements = m->cap_elements ? 2 * m->cap_elements : 256;
        grow(&m->e, m->cap_elements, sizeof *m->e);
    }
    m->e[m->elements++] = (element){row, col, v};
}

int slx_milp_cols(const slx_milp *m)
{
    return m->cols;
}

int slx_milp_rows(const slx_milp *m)
{
    return m->rows;
}

double slx_milp_row_low(const slx_milp *m, int row)
{
    return m->row_low[row];
}

double slx_milp_row_high(const slx_milp *m, int row)
{
    return m->row_high[row];
}

void slx_milp_bound_row(slx_milp *m, int row, double low, double high)
{
    m->row_low[row] = low;
    m->row_high[row] = high;
}

void slx_milp_free_row(slx_milp *m, int row)
{
    slx_milp_bound_row(m, row, -SLX_MILP_INF, SLX_MILP_INF);
}

void slx_milp_bound_col(slx_milp *m, int col, double low, double high)
{
    m->low[col] = low;
    m->high[col] = high;
}

void slx_milp_whole(slx_milp *m, int col, bool whole)
{
    m->whole[col] = whole;
}

int slx_milp_cost_row(slx_milp *m, double low)
{
    int row = slx_milp_row(m, low, SLX_MILP_INF);
    for (int i = 0; i < m->cols; i++) slx_milp_put(m, row, i, m->cost[i]);
    return row;
}

void slx_milp_cost(slx_milp *m, int col, double cost)
{
    m->cost[col] = cost;
}

/* ------------------------------------------------------------------ columns, as the solvers want them */

typedef struct {
    int *start, *row;
    double *v;
} columns;

static int by_place(const void *a, const void *b)
{
    const element *x = a, *y = b;
    return x->col != y->col ? (x->col < y->col ? -1 : 1) : (x->row > y->row) - (x->row < y->row);
}

static columns sorted(const slx_milp *m)
{
    size_t n = (size_t)m->elements;
    element *e = slx_xmalloc((n + 1) * sizeof *e);
    columns c = {slx_xcalloc((size_t)m->cols + 1, sizeof *c.start),
                 slx_xmalloc((n + 1) * sizeof *c.row), slx_xmalloc((n + 1) * sizeof *c.v)};
    int used = 0;
    if (n) memcpy(e, m->e, n * sizeof *e);
    qsort(e, n, sizeof *e, by_place);
    for (size_t i = 0; i < n; i++) {
        bool again = i && e[i].col == e[i - 1].col && e[i].row == e[i - 1].row;
        if (again) {
            c.v[used - 1] += e[i].v;
            continue;
        }
        c.row[used] = e[i].row;
        c.v[used++] = e[i].v;
        c.start[e[i].col + 1]++;
    }
    for (int i = 0; i < m->cols; i++) c.start[i + 1] += c.start[i];
    free(e);
    return c;
}

static void drop(columns *c)
{
    free(c->start);
    free(c->row);
    free(c->v);
}

static double *copied(const double *p, int n)
{
    double *out = slx_xmalloc(((size_t)n + 1) * sizeof *out);
    memcpy(out, p, (size_t)n * sizeof *out);
    return out;
}

/* ------------------------------------------------------------------ solving */

void slx_milp_relax(const slx_milp *m, slx_milp_result *out)
{
    double start_s = slx_now_s();
    columns c = sorted(m);
    Clp_Simplex *lp = Clp_newModel();
    *out = (slx_milp_result){.state = SLX_MILP_INFEASIBLE, .cost = NAN, .bound = NAN};
    Clp_setLogLevel(lp, 0);
    Clp_loadProblem(lp, m->cols, m->rows, c.start, c.row, c.v, m->low, m->high, m->cost, m->row_low,
                    m->row_high);
    Clp_initialSolve(lp);
    if (Clp_status(lp) == 0) {
        out->state = SLX_MILP_OPTIMAL;
        out->cost = out->bound = Clp_getObjValue(lp);
        out->x = copied(Clp_getColSolution(lp), m->cols);
        out->row_price = copied(Clp_getRowPrice(lp), m->rows);
        out->col_price = copied(Clp_getReducedCost(lp), m->cols);
    }
    Clp_deleteModel(lp);
    drop(&c);
    out->seconds = slx_now_s() - start_s;
}

/* Cbc calls a number whole that is within 1e-6 of one. */
static double *rounded(const slx_milp *m, const double *x)
{
    double *out = copied(x, m->cols);
    for (int i = 0; i < m->cols; i++)
        if (m->whole[i]) out[i] = floor(out[i] + 0.5);
    return out;
}

/* Cbc gives up improvements of the cost below an absolute 1e-5: scaled so, that is a part in a billion. */
static double scale_of(const slx_milp *m)
{
    slx_milp_result r;
    slx_milp_relax(m, &r);
    double scale = r.x && fabs(r.cost) > 1e-30 ? 1e4 / fabs(r.cost) : 1;
    slx_milp_result_free(&r);
    return scale;
}

static void begin_with(Cbc_Model *mip, const slx_milp *m, const double *x)
{
    int *at = slx_xmalloc(((size_t)m->cols + 1) * sizeof *at);
    for (int i = 0; i < m->cols; i++) at[i] = i;
    Cbc_setMIPStartI(mip, m->cols, at, x);
    free(at);
}

void slx_milp_solve(const slx_milp *m, const slx_milp_limits *l, slx_milp_result *out)
{
    double start_s = slx_now_s(), scale = scale_of(m);
    columns c = sorted(m);
    double *cost = copied(m->cost, m->cols);
    for (int i = 0; i < m->cols; i++) cost[i] *= scale;
    Cbc_Model *mip = Cbc_newModel();
    char text[32];
    *out = (slx_milp_result){.state = SLX_MILP_INFEASIBLE, .cost = NAN, .bound = NAN};
    Cbc_setLogLevel(mip, 0);
    Cbc_setParameter(mip, "log", "0");
    Cbc_setParameter(mip, "slog", "0");
    snprintf(text, sizeof text, "%.9g", l->gap);
    Cbc_setParameter(mip, "ratioGap", text);
    snprintf(text, sizeof text, "%.9g", l->seconds);
    Cbc_setParameter(mip, "seconds", text);
    Cbc_setParameter(mip, "timeMode", "elapsed");
    if (l->nodes) {
        snprintf(text, sizeof text, "%d", l->nodes);
        Cbc_setParameter(mip, "maxNodes", text);
    }
    Cbc_loadProblem(mip, m->cols, m->rows, c.start, c.row, c.v, m->low, m->high, cost, m->row_low,
                    m->row_high);
    for (int i = 0; i < m->cols; i++)
        if (m->whole[i]) Cbc_setInteger(mip, i);
    if (l->start) begin_with(mip, m, l->start);
    Cbc_solve(mip);
    const double *best = Cbc_bestSolution(mip);
    bool done = Cbc_isProvenOptimal(mip);
    if (best && (done || Cbc_numberSavedSolutions(mip) > 0)) {
        out->x = rounded(m, best);
        out->cost = 0;
        for (int i = 0; i < m->cols; i++) out->cost += m->cost[i] * out->x[i];
    }
    if (!Cbc_isProvenInfeasible(mip) || out->x) {
        out->state = done && out->x ? SLX_MILP_OPTIMAL : SLX_MILP_TIME;
        out->bound = Cbc_getBestPossibleObjValue(mip) / scale;
    }
    Cbc_deleteModel(mip);
    free(cost);
    drop(&c);
    out->seconds = slx_now_s() - start_s;
}

void slx_milp_result_free(slx_milp_result *r)
{
    free(r->x);
    free(r->row_price);
    free(r->col_price);
    *r = (slx_milp_result){.state = SLX_MILP_INFEASIBLE};
}
