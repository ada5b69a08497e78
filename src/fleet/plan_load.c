/* plan_load.c - what the fleet must do in a quarter, in the plan's program: the same arithmetic as load.c.
 *
 *   train[i][q]  racks of option i that train <= those in service       sold[q]  tokens/s, or GW, sold to others
 *   training:    sum FLOP/s of train >= what is planned
 *   demand:      sum tokens/s of racks in service - of train - sold + shortage >= need at the peak
 *   target:      sum GW of racks in service - sold >= target
 *   sold <= share of the capacity
 */
#include "fleet/plan_int.h"

static double sale(const slx_fleet_program *g, int key)
{
    return g->v[g->c->sales + key];
}

static double mtok_s(const slx_fleet_program *g, int i)
{
    return slx_fleet_rack_tok_s(g->c, g->v, i) / 1e6;
}

static double pflop_s(const slx_fleet_program *g, int i)
{
    return slx_fleet_rack_flop_s(g->c, g->v, i) / 1e15;
}

/* What is sold in q: a column that is worth its price, or -1 where nothing is. */
static int add_sold(slx_fleet_program *g, int q, int unit, double usd_unit)
{
    const slx_fleet_case *c = g->c;
    bool any = c->sales != SLX_FLEET_NONE && sale(g, SLX_F_SALES_share) > 0 &&
               q >= (int)sale(g, SLX_F_SALES_from_quarters) &&
               c->in[c->sales + SLX_F_SALES_price].unit == unit;
    if (!any) return -1;
    double worth = usd_unit * sale(g, SLX_F_SALES_price) * sale(g, SLX_F_SALES_sold) / 1e9;
    return slx_milp_col(g->m, 0, SLX_MILP_INF, -worth * slx_fleet_discount(g, q), false);
}

/* Puts the capacity of racks in service, x factor, and of those that train as much less; returns what the base has. */
static double put_tokens(slx_fleet_program *g, int row, int q, double factor)
{
    double base = 0;
    for (int i = 0; i < g->c->n_options; i++) {
        base += factor * g->base->cell[i][q].racks * mtok_s(g, i);
        if (slx_fleet_is_chosen(g, i)) slx_fleet_put_service(g, row, i, q, factor * mtok_s(g, i));
        if (g->train[i][q] >= 0) slx_milp_put(g->m, row, g->train[i][q], -factor * mtok_s(g, i));
    }
    return base;
}

static void add_training(slx_fleet_program *g, int q)
{
    const slx_fleet_case *c = g->c;
    double need = slx_fleet_need_flop_s(c, g->v, q) / 1e15;
    for (int i = 0; i < c->n_options; i++) g->train[i][q] = -1;
    if (!(need > 0)) return;
    int row = slx_fleet_add_row(g, SLX_FL_TRAINING, 0, q, need, SLX_MILP_INF, 1);
    for (int i = 0; i < c->n_options; i++) {
        if (!(pflop_s(g, i) > 0)) continue;
        g->train[i][q] = slx_milp_col(g->m, 0, SLX_MILP_INF, 0, false);
        slx_milp_put(g->m, row, g->train[i][q], pflop_s(g, i));
        int racks = slx_milp_row(g->m, -g->base->cell[i][q].racks, SLX_MILP_INF);
        slx_milp_put(g->m, racks, g->train[i][q], -1);
        if (slx_fleet_is_chosen(g, i)) slx_fleet_put_service(g, racks, i, q, 1);
    }
}

static void add_demand(slx_fleet_program *g, int q)
{
    const slx_fleet_case *c = g->c;
    int shortage_in = c->limits + SLX_F_LIMITS_shortage_usd_mtok;
    double need = g->base->total[q].need_tok_s, asked = g->base->total[q].tokens_asked;
    g->shortage[q] = -1;
    if (need <= 0) return;
    int row = slx_fleet_add_row(g, SLX_FL_DEMAND, 0, q, 0, SLX_MILP_INF, 1e6);
    slx_milp_bound_row(g->m, row, need / 1e6 - put_tokens(g, row, q, 1), SLX_MILP_INF);
    int sold = add_sold(g, q, SLX_FLEET_USD_MTOK, 365.25 / 4 * 86400); /* a Mtoken/s all quarter */
    if (sold >= 0) {
        int most = slx_milp_row(g->m, 0, SLX_MILP_INF);
        slx_milp_bound_row(g->m, most, -put_tokens(g, most, q, sale(g, SLX_F_SALES_share)),
                           SLX_MILP_INF);
        slx_milp_put(g->m, most, sold, -1);
        slx_milp_put(g->m, row, sold, -1);
    }
    if (!slx_fleet_has(c, shortage_in)) return;
    /* a Mtoken/s short of the peak leaves asked x 1e6 / need tokens unserved */
    double usd = g->v[shortage_in] * asked / need;
    g->shortage[q] = slx_milp_col(g->m, 0, need / 1e6, slx_fleet_discount(g, q) * usd / 1e9, false);
    slx_milp_put(g->m, row, g->shortage[q], 1);
}

/* Puts MW of racks in service x factor; returns what the base has. */
static double put_mw(slx_fleet_program *g, int row, int q, double factor)
{
    for (int i = 0; i < g->c->n_options; i++)
        if (slx_fleet_is_chosen(g, i))
            slx_fleet_put_service(g, row, i, q, factor * slx_fleet_plan_mw(g, i));
    return factor * g->base->total[q].facility_w / 1e6;
}

static void add_target(slx_fleet_program *g, int q)
{
    const slx_fleet_case *c = g->c;
    int in = c->limits + SLX_F_LIMITS_target_gw;
    bool wanted = slx_fleet_has(c, in);
    int row = wanted ? slx_fleet_add_row(g, SLX_FL_TARGET, 0, q, 0, SLX_MILP_INF, 1e-3) : -1;
    if (wanted)
        slx_milp_bound_row(g->m, row, slx_fleet_at(c, g->v, in, q) * 1e3 - put_mw(g, row, q, 1),
                           SLX_MILP_INF);
    int sold = add_sold(g, q, SLX_FLEET_USD_GW_YEAR, 1e-3 / 4); /* a MW for a quarter */
    if (sold < 0) return;
    int most = slx_milp_row(g->m, 0, SLX_MILP_INF);
    slx_milp_bound_row(g->m, most, -put_mw(g, most, q, sale(g, SLX_F_SALES_share)), SLX_MILP_INF);
    slx_milp_put(g->m, most, sold, -1);
    if (wanted) slx_milp_put(g->m, row, sold, -1);
}

void slx_fleet_add_loads(slx_fleet_program *g, int q)
{
    add_training(g, q);
    add_demand(g, q);
    add_target(g, q);
}
