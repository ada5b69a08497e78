/* plan_why.c - a plan in words: which limits bind and what they cost, what would change it, and which limits clash. */
#include "fleet/plan_int.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ names */

const char *slx_fleet_limit_name(char out[96], const slx_fleet_case *c, const slx_fleet_limit *l)
{
    switch (l->kind) {
    case SLX_FL_DEMAND: return "tokens that must be served";
    case SLX_FL_TARGET: return "power that must be in service";
    case SLX_FL_TRAINING: return "training that must be done";
    case SLX_FL_BUDGET: return "budget";
    case SLX_FL_POWER: snprintf(out, 96, "power of site %.60s", c->site[l->of].name); return out;
    case SLX_FL_SUPPLY: snprintf(out, 96, "supply of %.60s", c->option[l->of].name); return out;
    case SLX_FL_POOL: snprintf(out, 96, "pool %.60s", c->pool[l->of].name); return out;
    case SLX_FL_SHARE:
        snprintf(out, 96, "share of supplier %.60s", c->option[l->of].supplier);
        return out;
    case SLX_FL_KINDS: break;
    }
    SLX_BUG("limit kind %d", (int)l->kind);
}

const char *slx_fleet_limit_unit(const slx_fleet_case *c, const slx_fleet_limit *l)
{
    static const char *const pool[] = {"wafer", "GiB", "mm2", "chip", "rack", "substrate"};
    switch (l->kind) {
    case SLX_FL_DEMAND: return "token/s";
    case SLX_FL_TRAINING: return "PFLOP/s";
    case SLX_FL_BUDGET: return "USD";
    case SLX_FL_SUPPLY: return "rack";
    case SLX_FL_POOL: return pool[c->in[c->pool[l->of].base + SLX_F_POOL_capacity].unit];
    default: return "GW";
    }
}

/* ------------------------------------------------------------------ what binds */

typedef struct {
    slx_fleet_limit l;
    double weight;
} bound;

static int by_weight(const void *a, const void *b)
{
    double x = ((const bound *)a)->weight, y = ((const bound *)b)->weight;
    return (x < y) - (x > y);
}

static int add_limit(bound *b, int n, const slx_fleet_row *r, double price, double weight)
{
    int i = 0;
    while (i < n && (b[i].l.kind != r->kind || b[i].l.of != r->of)) i++;
    if (i == n) b[n++] = (bound){{r->kind, r->of, r->q, r->q, 0, 0}, 0};
    b[i].l.first = r->q < b[i].l.first ? r->q : b[i].l.first;
    b[i].l.last = r->q > b[i].l.last ? r->q : b[i].l.last;
    b[i].l.quarters++;
    b[i].l.price_usd += price;
    b[i].weight += weight;
    return n;
}

static int keep_limits(bound *b, int n, slx_fleet_limit *out)
{
    qsort(b, (size_t)n, sizeof *b, by_weight);
    if (n > SLX_FLEET_LIMITS) n = SLX_FLEET_LIMITS; /* of the kinds there are, never more */
    for (int i = 0; i < n; i++) out[i] = b[i].l;
    return n;
}

static bool is_used(const slx_fleet_program *g, const slx_milp_result *best, int i)
{
    for (int q = 0; q < g->c->quarters; q++)
        if (g->x[i][q] >= 0 && best->x[g->x[i][q]] > 0.5) return true;
    return false;
}

void slx_fleet_explain(slx_fleet_program *g, const slx_milp_result *best, slx_fleet_plan *p)
{
    const slx_fleet_case *c = g->c;
    bound b[SLX_FLEET_LIMITS + 1];
    slx_milp_result lp;
    int n = 0;
    slx_fleet_widen(g); /* else a bound that follows from a limit takes its price */
    for (int i = 0; i < c->n_options; i++) {
        p->cheaper[i] = NAN;
        /* options that are not signed are opened, to see what their racks alone would have to cost */
        if (c->option[i].deploy == SLX_FLEET_CHOOSE && g->y[i] >= 0)
            slx_milp_bound_col(g->m, g->y[i], is_used(g, best, i) ? best->x[g->y[i]] : 1,
                               is_used(g, best, i) ? best->x[g->y[i]] : 1);
    }
    slx_milp_relax(g->m, &lp);
    for (int k = 0; k < g->n_rows && lp.row_price; k++) {
        const slx_fleet_row *r = &g->row[k];
        double price = fabs(lp.row_price[r->row]) * 1e9 / r->unit,
               rhs = slx_milp_row_high(g->m, r->row);
        if (rhs >= SLX_MILP_INF) rhs = slx_milp_row_low(g->m, r->row);
        if (fabs(lp.row_price[r->row]) < 1e-9 || n >= SLX_FLEET_LIMITS) continue;
        n = add_limit(b, n, r, price, fabs(lp.row_price[r->row] * rhs));
    }
    p->n_binding = keep_limits(b, n, p->binding);
    for (int i = 0; i < c->n_options && lp.col_price; i++) {
        if (c->option[i].deploy != SLX_FLEET_CHOOSE || is_used(g, best, i)) continue;
        for (int q = 0; q < c->quarters; q++) {
            if (g->x[i][q] < 0 || !(g->rack_cost[i][q] > 0)) continue;
            double cut = fmax(0, lp.col_price[g->x[i][q]]) / g->rack_cost[i][q];
            if (!(p->cheaper[i] <= cut)) p->cheaper[i] = cut;
        }
    }
    slx_milp_result_free(&lp);
}

/* ------------------------------------------------------------------ what clashes */

typedef struct {
    slx_fleet_program *g;
    const slx_milp_limits *l;
    bool relaxed; /* the relaxation is infeasible already: it is enough to look at */
    double *low, *high;
    bool *gone;
} clash;

static bool infeasible(const clash *k)
{
    slx_milp_result r;
    if (k->relaxed)
        slx_milp_relax(k->g->m, &r);
    else
        slx_milp_solve(k->g->m, k->l, &r);
    bool no = r.state == SLX_MILP_INFEASIBLE;
    slx_milp_result_free(&r);
    return no;
}

/* Frees rows a..b of one limit; puts them back when the clash needs them. */
static void try_without(clash *k, slx_fleet_limit_kind kind, int of, int q)
{
    slx_fleet_program *g = k->g;
    bool any = false;
    for (int i = 0; i < g->n_rows; i++)
        if (g->row[i].kind == kind && g->row[i].of == of && (q < 0 || g->row[i].q == q) &&
            !k->gone[i]) {
            slx_milp_free_row(g->m, g->row[i].row);
            any = true;
        }
    bool not_needed = any && infeasible(k);
    for (int i = 0; i < g->n_rows && any; i++)
        if (g->row[i].kind == kind && g->row[i].of == of && (q < 0 || g->row[i].q == q) &&
            !k->gone[i]) {
            if (not_needed)
                k->gone[i] = true;
            else
                slx_milp_bound_row(g->m, g->row[i].row, k->low[i], k->high[i]);
        }
}

/* Share of all needs that all other limits allow, NAN when they clash among themselves; and the limits that allow no
 * more: they need not be those of the smallest clash. */
static double most_demand(clash *k, bound *b, int *n)
{
    slx_fleet_program *g = k->g;
    slx_milp_result r;
    *n = 0;
    for (int i = 0; i < g->n_rows; i++)
        slx_milp_bound_row(g->m, g->row[i].row, k->low[i], k->high[i]);
    for (int i = 0; i < slx_milp_cols(g->m); i++) slx_milp_cost(g->m, i, 0);
    int missing = slx_milp_col(g->m, 0, 1, 1, false);
    for (int i = 0; i < g->n_rows; i++)
        if (g->row[i].kind <= SLX_FL_TRAINING)
            slx_milp_put(g->m, g->row[i].row, missing, fmax(0, k->low[i]));
    slx_milp_relax(g->m, &r);
    double most = r.x ? 1 - r.x[missing] : NAN;
    for (int i = 0; i < g->n_rows; i++) {
        k->gone[i] = false;
        if (r.row_price && fabs(r.row_price[g->row[i].row]) > 1e-9 && *n < SLX_FLEET_LIMITS)
            *n = add_limit(b, *n, &g->row[i], 0, 0);
    }
    slx_milp_result_free(&r);
    return most;
}

static void say_bound(slx_buf *b, const clash *k, const slx_fleet_limit *l)
{
    char name[96], first[16], last[16];
    const slx_fleet_case *c = k->g->c;
    slx_buf_addf(b, "%s%s in %s", b->len ? "; " : "", slx_fleet_limit_name(name, c, l),
                 slx_fleet_quarter(first, c, l->first));
    if (l->last > l->first) slx_buf_addf(b, " to %s", slx_fleet_quarter(last, c, l->last));
    for (int i = 0; i < k->g->n_rows; i++) {
        const slx_fleet_row *r = &k->g->row[i];
        if (k->gone[i] || r->kind != l->kind || r->of != l->of || r->q != l->last) continue;
        double v = (k->high[i] < SLX_MILP_INF ? k->high[i] : k->low[i]) * r->unit;
        if (l->kind == SLX_FL_SHARE)
            slx_buf_addf(b, " (%g)", k->g->v[c->limits + SLX_F_LIMITS_supplier_share]);
        else
            slx_buf_addf(b, " (%.4g %s%s)", v, slx_fleet_limit_unit(c, l),
                         l->kind >= SLX_FL_SUPPLY ? "s" : "");
    }
}

slx_status slx_fleet_clash(slx_fleet_program *g, const slx_milp_limits *l, slx_err *err)
{
    size_t n = (size_t)g->n_rows + 1;
    clash k = {g,
               l,
               true,
               slx_xcalloc(n, sizeof(double)),
               slx_xcalloc(n, sizeof(double)),
               slx_xcalloc(n, sizeof(bool))};
    bound b[SLX_FLEET_LIMITS + 1];
    slx_fleet_limit limits[SLX_FLEET_LIMITS];
    slx_buf text = {0};
    int found = 0;
    for (int i = 0; i < g->n_rows; i++) {
        k.low[i] = slx_milp_row_low(g->m, g->row[i].row);
        k.high[i] = slx_milp_row_high(g->m, g->row[i].row);
    }
    slx_fleet_widen(g);
    k.relaxed = infeasible(&k);
    for (int i = 0; i < g->n_rows;
         i++) /* whole limits first, then their quarters, the last ones first */
        if (!k.gone[i]) try_without(&k, g->row[i].kind, g->row[i].of, -1);
    for (int i = g->n_rows; i--;)
        if (!k.gone[i]) try_without(&k, g->row[i].kind, g->row[i].of, g->row[i].q);
    for (int i = 0; i < g->n_rows; i++)
        if (!k.gone[i] && found < SLX_FLEET_LIMITS) found = add_limit(b, found, &g->row[i], 0, 0);
    found = keep_limits(b, found, limits);
    for (int i = 0; i < found; i++) say_bound(&text, &k, &limits[i]);
    int n_most = 0;
    double most = most_demand(&k, b, &n_most);
    n_most = keep_limits(b, n_most, limits);
    slx_buf by = {0};
    for (int i = 0; i < n_most; i++) say_bound(&by, &k, &limits[i]);
    slx_status s =
        slx_fail(err, SLX_EINPUT, g->c->path, 0, 0, "these limits cannot all hold: %.380s",
                 text.len ? text.ptr : "none that has a name");
    if (err && most > 0 && most < 1)
        snprintf(err->msg + strlen(err->msg), sizeof err->msg - strlen(err->msg),
                 ". At most %.1f %% of what must be served can be, because of %.270s", 100 * most,
                 by.len ? by.ptr : "these");
    slx_buf_free(&text);
    slx_buf_free(&by);
    free(k.low);
    free(k.high);
    free(k.gone);
    return s;
}
