/* contract.c - contracts with suppliers in one future: what is taken of what was committed, what is paid for the rest,
 * and the equity that vests with deliveries.
 *
 * Of all that is due by a quarter, what was neither taken nor paid for before is paid for now, at the price of the
 * contract; what was paid for is gone. Warrants are shares of the supplier: they make deliveries cheaper. What the
 * supplier invests in the buyer is cash for shares of equal worth: it pays bills and changes no cost.
 */
#include "fleet/model_int.h"

double slx_fleet_vested(double gw, double all_gw, double step_gw)
{
    gw = fmin(gw, all_gw);
    return step_gw > 0 ? floor(gw / step_gw + 1e-6) * step_gw : gw;
}

static void take(slx_fleet_state *s, int k, int q, slx_fleet_contract_cell *x)
{
    const slx_fleet_contract *a = &s->c->contract[k];
    bool gw = s->c->in[a->base + SLX_F_CONTRACT_commit].unit == SLX_FLEET_GW;
    for (int i = 0; i < a->n_options; i++) {
        int o = a->options[i];
        double delivered_gw = s->r->cell[o][q].delivered * s->w[o] / 1e9;
        x->gw += delivered_gw;
        x->taken += gw ? delivered_gw : s->taken_usd[o];
    }
}

/* Where one supplier delivers everything, the others' contracts were never signed. */
static bool signed_at_all(const slx_fleet_state *s, const slx_fleet_contract *a)
{
    bool any = s->f->single < 0;
    for (int i = 0; i < a->n_options && !any; i++)
        any = a->options[i] == s->f->single || s->c->option[a->options[i]].route == SLX_FLEET_RENT;
    return any;
}

static void settle(slx_fleet_state *s, int k, int q, slx_fleet_contract_cell *x)
{
    int commit = s->c->contract[k].base + SLX_F_CONTRACT_commit;
    const double *v = s->v + s->c->contract[k].base;
    int due = q - (int)floor(v[SLX_F_CONTRACT_grace_quarters] + 0.5);
    if (!slx_fleet_has(s->c, commit) || due < 0) return;
    x->due += slx_fleet_at(s->c, s->v, commit, due);
    double missing = fmax(0, x->due - x->taken - x->short_paid);
    double usd = missing * v[SLX_F_CONTRACT_shortfall_usd];
    x->short_paid += missing;
    x->shortfall_usd += usd;
    s->r->total[q].shortfall_usd += usd;
}

static void vest(slx_fleet_state *s, int k, int q, slx_fleet_contract_cell *x)
{
    const double *v = s->v + s->c->contract[k].base;
    double all = v[SLX_F_CONTRACT_equity_gw], before = x->vested_gw;
    if (!slx_fleet_has(s->c, s->c->contract[k].base + SLX_F_CONTRACT_equity_gw)) return;
    x->vested_gw = slx_fleet_vested(x->gw, all, v[SLX_F_CONTRACT_equity_step_gw]);
    double part = (x->vested_gw - before) / all;
    double warrants = part * slx_fleet_warrants_usd(v), cash = part * v[SLX_F_CONTRACT_invest_usd];
    x->warrants_usd += warrants;
    x->investment_usd += cash;
    s->r->total[q].warrants_usd += warrants;
    s->r->total[q].investment_usd += cash;
}

double slx_fleet_warrants_usd(const double *contract)
{
    return contract[SLX_F_CONTRACT_warrant_shares] * contract[SLX_F_CONTRACT_share_usd] *
           contract[SLX_F_CONTRACT_vest_share];
}

void slx_fleet_run_contracts(slx_fleet_state *s, int q)
{
    for (int k = 0; k < s->c->n_contracts; k++) {
        slx_fleet_contract_cell *x = &s->r->contract[k][q];
        if (!signed_at_all(s, &s->c->contract[k])) continue;
        if (q) *x = x[-1];
        take(s, k, q, x);
        settle(s, k, q, x);
        vest(s, k, q, x);
        /* what was due was taken or paid for, and no more equity vested than there is */
        SLX_ASSERT(x->due - x->taken - x->short_paid <= 1e-9 * (1 + x->due));
        SLX_ASSERT(x->vested_gw <=
                   x->gw +
                       1e-6 * (1 + s->v[s->c->contract[k].base + SLX_F_CONTRACT_equity_step_gw]));
    }
}
