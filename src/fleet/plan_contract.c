/* plan_contract.c - contracts in the plan's program: the same arithmetic as contract.c.
 *
 *   taken[q]    GW, or GUSD, since the start: taken[q-1] + deliveries of q (a column, so that rows stay short)
 *   missing[q]  paid for in q and not taken:   taken[q] + sum of missing up to q >= what is due by q
 *   steps[q]    of equity vested, whole where it vests in steps:   steps[q] x step <= GW taken by q, never falls
 *   draw[q]     of the suppliers' investment spent in q:   sum of draw up to q <= what is vested by q
 *
 * A missing unit costs the contract's price; a step is worth its warrants when it vests. Investment is cash alone: it
 * adds to the budget, and what is not spent is kept.
 */
#include "fleet/plan_int.h"

static double term(const slx_fleet_program *g, int k, int key)
{
    return g->v[g->c->contract[k].base + key];
}

static bool is_about_choice(const slx_fleet_program *g, int k)
{
    const slx_fleet_contract *a = &g->c->contract[k];
    for (int i = 0; i < a->n_options; i++)
        if (slx_fleet_is_chosen(g, a->options[i])) return true;
    return false;
}

static bool gives(const slx_fleet_program *g, int k, int key)
{
    return slx_fleet_has(g->c, g->c->contract[k].base + key);
}

/* GUSD of a delivered rack; one that is sold on has no spares. */
static double paid(const slx_fleet_program *g, int o, int q)
{
    double kept = slx_fleet_kept(g->c, g->v, o, q);
    return kept * slx_fleet_plan_price(g, o, q) +
           (1 - kept) * slx_fleet_rack_usd(g->c, g->v, o, q) / 1e9;
}

/* A column for what is taken by each quarter; in GW or in GUSD. */
static void add_taken(slx_fleet_program *g, int k, bool gw, int taken[SLX_FLEET_QUARTERS])
{
    const slx_fleet_contract *a = &g->c->contract[k];
    for (int q = 0; q < g->c->quarters; q++) {
        const slx_fleet_contract_cell *x = &g->base->contract[k][q];
        double fixed = gw ? x->gw - (q ? x[-1].gw : 0) : (x->taken - (q ? x[-1].taken : 0)) / 1e9;
        int row = slx_milp_row(g->m, fixed, fixed);
        taken[q] = slx_milp_col(g->m, 0, SLX_MILP_INF, 0, false);
        slx_milp_put(g->m, row, taken[q], 1);
        if (q) slx_milp_put(g->m, row, taken[q - 1], -1);
        for (int i = 0; i < a->n_options; i++) {
            int o = a->options[i], base = g->c->option[o].base;
            double lot = g->v[base + SLX_F_OPTION_lot], mw = slx_fleet_plan_mw(g, o);
            if (!slx_fleet_is_chosen(g, o)) continue;
            if (!gw && g->c->option[o].route == SLX_FLEET_RENT)
                slx_fleet_put_service(
                    g, row, o, q, -mw / 1e3 * g->v[base + SLX_F_OPTION_rent_usd_gw_year] / 4 / 1e9);
            if (g->x[o][q] >= 0)
                slx_milp_put(g->m, row, g->x[o][q], -lot * (gw ? mw / 1e3 : paid(g, o, q)));
        }
    }
}

static void add_commitment(slx_fleet_program *g, int k, bool gw, const int *taken)
{
    int commit = g->c->contract[k].base + SLX_F_CONTRACT_commit;
    int grace = (int)floor(term(g, k, SLX_F_CONTRACT_grace_quarters) + 0.5);
    double price = term(g, k, SLX_F_CONTRACT_shortfall_usd) / (gw ? 1e9 : 1), due = 0;
    for (int q = 0; q < g->c->quarters; q++) {
        g->missing[k][q] =
            slx_milp_col(g->m, 0, SLX_MILP_INF, price * slx_fleet_discount(g, q), false);
        if (q < grace) continue;
        due += slx_fleet_at(g->c, g->v, commit, q - grace) / (gw ? 1 : 1e9);
        int row = slx_milp_row(g->m, due, SLX_MILP_INF);
        slx_milp_put(g->m, row, taken[q], 1);
        for (int s = 0; s <= q; s++) slx_milp_put(g->m, row, g->missing[k][s], 1);
    }
}

/* GW of a step; where equity vests in proportion, of the whole. */
static double step_gw(const slx_fleet_program *g, int k)
{
    double step = term(g, k, SLX_F_CONTRACT_equity_step_gw);
    return step > 0 ? step : term(g, k, SLX_F_CONTRACT_equity_gw);
}

double slx_fleet_most_steps(const slx_fleet_program *g, int k)
{
    return floor(term(g, k, SLX_F_CONTRACT_equity_gw) / step_gw(g, k) + 0.5);
}

static void add_equity(slx_fleet_program *g, int k, const int *taken)
{
    bool whole = term(g, k, SLX_F_CONTRACT_equity_step_gw) > 0;
    double all = term(g, k, SLX_F_CONTRACT_equity_gw), step = step_gw(g, k);
    double worth = slx_fleet_warrants_usd(g->v + g->c->contract[k].base) * step / all / 1e9;
    for (int q = 0; q < g->c->quarters; q++) {
        /* steps[q] is worth something as steps[q] - steps[q-1] */
        double later = q + 1 < g->c->quarters ? slx_fleet_discount(g, q + 1) : 0;
        g->steps[k][q] = slx_milp_col(g->m, 0, slx_fleet_most_steps(g, k),
                                      worth * (later - slx_fleet_discount(g, q)), whole);
        int row = slx_milp_row(g->m, 0, SLX_MILP_INF);
        slx_milp_put(g->m, row, taken[q], 1);
        slx_milp_put(g->m, row, g->steps[k][q], -step);
        if (!q) continue;
        row = slx_milp_row(g->m, 0, SLX_MILP_INF);
        slx_milp_put(g->m, row, g->steps[k][q], 1);
        slx_milp_put(g->m, row, g->steps[k][q - 1], -1);
    }
}

/* Cash that suppliers have invested by q and that was not spent before. */
static void add_fund(slx_fleet_program *g, int q)
{
    double fixed = 0;
    bool any = false;
    for (int k = 0; k < g->c->n_contracts; k++) {
        any |= term(g, k, SLX_F_CONTRACT_invest_usd) > 0;
        if (g->steps[k][q] < 0) fixed += g->base->contract[k][q].investment_usd / 1e9;
    }
    g->draw[q] = any ? slx_milp_col(g->m, 0, SLX_MILP_INF, 0, false) : -1;
    if (!any) return;
    int row = slx_milp_row(g->m, -SLX_MILP_INF, fixed);
    for (int s = 0; s <= q; s++) slx_milp_put(g->m, row, g->draw[s], 1);
    for (int k = 0; k < g->c->n_contracts; k++)
        if (g->steps[k][q] >= 0)
            slx_milp_put(g->m, row, g->steps[k][q],
                         -term(g, k, SLX_F_CONTRACT_invest_usd) / 1e9 * step_gw(g, k) /
                             term(g, k, SLX_F_CONTRACT_equity_gw));
}

void slx_fleet_add_contracts(slx_fleet_program *g)
{
    const slx_fleet_case *c = g->c;
    int gw[SLX_FLEET_QUARTERS], usd[SLX_FLEET_QUARTERS];
    for (int k = 0; k < c->n_contracts; k++) {
        bool commit = gives(g, k, SLX_F_CONTRACT_commit);
        bool equity = gives(g, k, SLX_F_CONTRACT_equity_gw);
        bool in_gw = c->in[c->contract[k].base + SLX_F_CONTRACT_commit].unit == SLX_FLEET_GW;
        for (int q = 0; q < c->quarters; q++) g->missing[k][q] = g->steps[k][q] = -1;
        if (!is_about_choice(g, k)) continue;
        if (equity || (commit && in_gw)) add_taken(g, k, true, gw);
        if (commit && !in_gw) add_taken(g, k, false, usd);
        if (commit) add_commitment(g, k, in_gw, in_gw ? gw : usd);
        if (equity) add_equity(g, k, gw);
    }
    for (int q = 0; q < c->quarters; q++) add_fund(g, q);
}

double slx_fleet_contracts_gain(const slx_fleet_program *g, const slx_milp_result *r,
                                const slx_fleet_run *run)
{
    double gain = 0;
    for (int k = 0; k < g->c->n_contracts; k++) {
        double all = term(g, k, SLX_F_CONTRACT_equity_gw);
        double worth = slx_fleet_warrants_usd(g->v + g->c->contract[k].base) / all / 1e9;
        for (int q = 0; q < g->c->quarters && g->steps[k][q] >= 0; q++) {
            const slx_fleet_contract_cell *x = &run->contract[k][q];
            double real = x->vested_gw - (q ? x[-1].vested_gw : 0);
            double ours = r->x[g->steps[k][q]] - (q ? r->x[g->steps[k][q - 1]] : 0);
            gain += slx_fleet_discount(g, q) * worth * (real - ours * step_gw(g, k));
        }
    }
    return gain;
}

double slx_fleet_contracts_base(const slx_fleet_program *g)
{
    double sum = 0;
    for (int k = 0; k < g->c->n_contracts; k++)
        for (int q = 0; q < g->c->quarters && is_about_choice(g, k); q++) {
            const slx_fleet_contract_cell *x = &g->base->contract[k][q];
            double now = x->shortfall_usd - x->warrants_usd;
            double before = q ? x[-1].shortfall_usd - x[-1].warrants_usd : 0;
            sum += slx_fleet_discount(g, q) * (now - before) / 1e9;
        }
    return sum;
}
