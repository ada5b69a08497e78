/* plan_solve.c - the program of plan.c solved, in steps, and its solution as orders whose run must cost the same. */
#include "fleet/plan_int.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ solving, in steps */

static void set_lots_whole(slx_fleet_program *g, bool whole)
{
    for (int i = 0; i < g->c->n_options; i++)
        for (int q = 0; q < g->c->quarters && slx_fleet_is_chosen(g, i); q++)
            if (g->x[i][q] >= 0) slx_milp_whole(g->m, g->x[i][q], whole);
}

/* Fixes the suppliers that r signed, with no more equity than r has; r NULL: all are open again. */
static void keep_choices(slx_fleet_program *g, const slx_milp_result *r)
{
    for (int i = 0; i < g->c->n_options; i++) {
        if (!slx_fleet_is_chosen(g, i) || g->y[i] < 0) continue;
        slx_milp_bound_col(g->m, g->y[i], r ? r->x[g->y[i]] : 0, r ? r->x[g->y[i]] : 1);
    }
    for (int k = 0; k < g->c->n_contracts; k++)
        for (int q = 0; q < g->c->quarters && g->steps[k][q] >= 0; q++)
            slx_milp_bound_col(g->m, g->steps[k][q], 0,
                               r ? r->x[g->steps[k][q]] : slx_fleet_most_steps(g, k));
}

enum { FINE_NODES = 200 };

/* Whole lots of the suppliers that the coarse solution signed; stops as soon as they are near its bound. */
static void solve_fine(slx_fleet_program *g, const slx_milp_limits *l,
                       const slx_milp_result *coarse, slx_milp_result *out)
{
    slx_milp_limits some = {
        .gap = l->gap, .seconds = fmax(0.1, l->seconds - coarse->seconds), .nodes = FINE_NODES};
    keep_choices(g, coarse);
    int row = slx_milp_cost_row(g->m, coarse->bound - 1e-7 * fabs(coarse->bound));
    slx_milp_solve(g->m, &some, out);
    slx_milp_free_row(g->m, row);
    keep_choices(g, NULL);
    out->bound = coarse->bound;
}

/* The whole program, which begins with what was found before and may leave it the best. `before` is taken over. */
static void solve_whole(slx_fleet_program *g, const slx_milp_limits *l, slx_milp_result *before,
                        slx_milp_result *out)
{
    double bound = before->bound;
    slx_milp_limits all = *l;
    all.start = before->x;
    slx_milp_solve(g->m, &all, out);
    bool better = before->x && (!out->x || before->cost < out->cost);
    if (!isnan(out->bound)) bound = fmax(bound, out->bound);
    if (better) {
        slx_milp_result worse = *out;
        before->state = out->state == SLX_MILP_INFEASIBLE ? SLX_MILP_TIME : out->state;
        before->seconds = out->seconds;
        *out = *before;
        *before = worse;
    }
    if (out->x) out->bound = bound;
    slx_milp_result_free(before);
}

/* Whole lots are what takes time. Without them the program gives the suppliers and a bound in a moment; whole lots of
 * these suppliers then often are near enough to that bound. Where they are not, the whole program is solved. */
static void solve(slx_fleet_program *g, const slx_milp_limits *l, slx_milp_result *out)
{
    slx_milp_result coarse, fine = {.bound = -INFINITY};
    slx_milp_limits rest = *l;
    rest.gap = l->gap / 4;
    set_lots_whole(g, false);
    slx_milp_solve(g->m, &rest, &coarse);
    set_lots_whole(g, true);
    double spent_s = coarse.seconds;
    if (coarse.state == SLX_MILP_INFEASIBLE) {
        *out = coarse;
        return;
    }
    if (coarse.state == SLX_MILP_OPTIMAL) solve_fine(g, l, &coarse, &fine);
    spent_s += fine.seconds;
    if (fine.x && fine.cost - fine.bound <= l->gap * fabs(fine.cost)) {
        fine.state = SLX_MILP_OPTIMAL;
        *out = fine;
    } else {
        rest.gap = l->gap;
        rest.seconds = fmax(0.1, l->seconds - spent_s);
        solve_whole(g, &rest, &fine, out);
        spent_s += out->seconds;
    }
    slx_milp_result_free(&coarse);
    out->seconds = spent_s;
}

/* ------------------------------------------------------------------ the answer */

static void take(const slx_fleet_program *g, const slx_milp_result *r, slx_fleet_plan *p)
{
    const slx_fleet_case *c = g->c;
    for (int i = 0; i < c->n_options; i++) {
        if (!slx_fleet_is_chosen(g, i)) continue;
        int slip = (int)floor(g->v[c->option[i].base + SLX_F_OPTION_slip_quarters] +
                              0.5); /* the model moves orders by it */
        for (int q = 0; q < c->quarters; q++)
            if (g->x[i][q] >= 0)
                p->orders.racks[i][q - slip] =
                    g->v[c->option[i].base + SLX_F_OPTION_lot] * r->x[g->x[i][q]];
    }
    for (int q = 0; q < c->quarters; q++)
        if (g->shortage[q] >= 0)
            p->short_tokens += 1e6 * r->x[g->shortage[q]] * g->base->total[q].tokens_asked /
                               g->base->total[q].need_tok_s;
}

/* The plan's cost, and the run's: that, without the price of shortage and with what was not its to choose. */
static void check_cost(const slx_fleet_program *g, const slx_milp_result *r, slx_fleet_plan *p)
{
    const slx_fleet_case *c = g->c;
    slx_fleet_run *run = slx_xcalloc(1, sizeof *run);
    double expected = r->cost, base = g->base->out[SLX_FO_cost_usd] / 1e9;
    slx_fleet_eval(c, &(slx_fleet_future){.v = g->v, .orders = &p->orders, .single = -1}, run);
    for (int q = 0; q < c->quarters; q++) {
        int shortage_in = c->limits + SLX_F_LIMITS_shortage_usd_mtok;
        if (g->shortage[q] >= 0)
            p->shortage_usd += r->x[g->shortage[q]] * slx_fleet_discount(g, q) * g->v[shortage_in] *
                               g->base->total[q].tokens_asked / g->base->total[q].need_tok_s;
        for (int s = 0; s < c->n_sites; s++) { /* halls of the base are in both */
            double built = slx_fleet_stands_mw(g, s), before = built;
            if (!q) expected -= built * slx_fleet_hall_cost(g, s, 0);
            for (int k = 0; k <= q; k++) {
                before = built;
                built = fmax(built, g->base->total[k].site_w[s] / 1e6);
            }
            base -= (built - before) * slx_fleet_hall_cost(g, s, q);
        }
    }
    double gain = slx_fleet_contracts_gain(g, r, run);
    base -= slx_fleet_contracts_base(g) + gain;
    p->cost_usd = 1e9 * (r->cost - gain);
    p->bound_usd = fmin(p->bound_usd, p->cost_usd);
    p->gap = (p->cost_usd - p->bound_usd) / fmax(fabs(p->cost_usd), 1e-3);
    double ours = run->out[SLX_FO_cost_usd] / 1e9;
    expected -= p->shortage_usd / 1e9;
    p->unchosen_usd = run->out[SLX_FO_cost_usd] - (p->cost_usd - p->shortage_usd);
    if (fabs(p->unchosen_usd) <= 1e-6 * fabs(p->cost_usd))
        p->unchosen_usd = 0; /* the digits that agree */
    if (!(fabs(ours - expected - base) <= 1e-6 * (fabs(ours) + 1e-3)))
        SLX_BUG("the plan costs %.12g GUSD by the program and %.12g by the model", expected + base,
                ours);
    free(run);
}

slx_fleet_plan *slx_fleet_plan_new(void)
{
    return slx_xcalloc(1, sizeof(slx_fleet_plan));
}

void slx_fleet_plan_free(slx_fleet_plan *p)
{
    free(p);
}

bool slx_fleet_must_plan(const slx_fleet_case *c)
{
    for (int i = 0; i < c->n_options; i++)
        if (c->option[i].deploy == SLX_FLEET_CHOOSE) return true;
    return false;
}

slx_status slx_fleet_plan_solve(const slx_fleet_case *c, const slx_milp_limits *l,
                                slx_fleet_plan *p, slx_err *err)
{
    slx_fleet_program *g = slx_fleet_program_new(c);
    slx_milp_result r;
    slx_status s = SLX_OK;
    *p = (slx_fleet_plan){.columns = slx_milp_cols(g->m), .rows = slx_milp_rows(g->m)};
    solve(g, l, &r);
    p->state = r.state;
    p->seconds = r.seconds;
    if (r.state == SLX_MILP_INFEASIBLE) {
        s = slx_fleet_clash(g, l, err);
    } else if (!r.x) {
        s = slx_fail(err, SLX_EINPUT, c->path, 0, 0,
                     "found no plan within %g s, expected more time or fewer limits", l->seconds);
    } else {
        p->bound_usd = 1e9 * fmin(r.bound, r.cost);
        take(g, &r, p);
        check_cost(g, &r, p);
        slx_fleet_explain(g, &r, p);
    }
    slx_milp_result_free(&r);
    slx_fleet_program_free(g);
    return s;
}
