/* plan.c - see plan.h. The same arithmetic as model.c, as a linear program:
 *
 *   x[i][q]   lots of option i delivered in q, whole     y[i]   option i is signed, 0 or 1
 *   hall[s][q]  MW of hall built at site s by q          shortage[q]  what a limit's miss costs
 *
 *   in service:  f[i][q] = sum over s of x[i][s] that are not worn out in q
 *   demand:      sum tokens/s of f + shortage >= need          target:  sum GW of f >= target
 *   power:       hall[s][q] <= GW of the site                  hall[s][q] >= MW of f at s, and never falls
 *   budget:      price of x, growth of hall, development <= budget
 *   supply, pools:  x within what its supplier and the pools it shares can deliver
 *   share:       GW of f of one supplier <= its share of all
 *   contracts:   plan_contract.c
 *
 * Cost: all spending, at the start of its quarter, discounted, less the book value left at the end of the last. Amounts
 * are in GUSD, MW, Mtokens/s, so that the numbers are of one size.
 */
#include "fleet/plan_int.h"

#include <stdlib.h>
#include <string.h>

static double value(const slx_fleet_program *g, int base, int key)
{
    return g->v[base + key];
}

#define OPT(i, key)  value(g, g->c->option[i].base, SLX_F_OPTION_##key)
#define SITE(s, key) value(g, g->c->site[s].base, SLX_F_SITE_##key)

bool slx_fleet_is_chosen(const slx_fleet_program *g, int i)
{
    return g->c->option[i].deploy == SLX_FLEET_CHOOSE;
}

/* What is in service in q of one rack delivered in s. */
static double alive(const slx_fleet_program *g, int i, int s, int q)
{
    int life = slx_fleet_quarters_of(OPT(i, life_years));
    double left = 1;
    if (q < s) return 0;
    if (!g->c->rolling) return q - s < life ? 1 : 0;
    for (; s < q; s++) left *= 1 - 1. / life;
    return left;
}

/* Share of its price that is on the books at the end. */
static double left_on_books(const slx_fleet_program *g, int i, int s)
{
    int last = g->c->quarters - 1, life = slx_fleet_quarters_of(OPT(i, life_years));
    return g->c->rolling ? alive(g, i, s, last) : fmax(0, 1 - (double)(last - s + 1) / life);
}

double slx_fleet_plan_mw(const slx_fleet_program *g, int i)
{
    return slx_fleet_hall_w(g->c, g->v, i) / 1e6;
}

double slx_fleet_discount(const slx_fleet_program *g, int q)
{
    double rate =
        g->c->money == SLX_FLEET_NONE ? 0 : value(g, g->c->money, SLX_F_MONEY_discount_year);
    double step = 1 / sqrt(sqrt(1 + rate)), d = 1;
    for (; q; q--) d *= step;
    return d;
}

static slx_fleet_rack_costs cost_of(const slx_fleet_program *g, int i, int q)
{
    return slx_fleet_cost_of_rack(g->c, g->v, i, slx_fleet_price(g->c, g->v, i, q));
}

/* GUSD of a rack with its spares. */
double slx_fleet_plan_price(const slx_fleet_program *g, int i, int q)
{
    slx_fleet_rack_costs m = cost_of(g, i, q);
    return (m.rack_usd + m.spares_usd) / 1e9;
}

/* GUSD of a rack in service for the quarter. */
static double running(const slx_fleet_program *g, int i, int q)
{
    slx_fleet_rack_costs m = cost_of(g, i, q);
    return slx_fleet_running_usd(&m) / 1e9;
}

double slx_fleet_hall_cost(const slx_fleet_program *g, int s, int q)
{
    int last = g->c->quarters - 1, life = slx_fleet_quarters_of(SITE(s, hall_life_years));
    double left = fmax(0, 1 - (double)(last - q + 1) / life);
    return SITE(s, hall_usd_w) * 1e6 / 1e9 *
           (slx_fleet_discount(g, q) - slx_fleet_discount(g, last + 1) * left);
}

int slx_fleet_add_row(slx_fleet_program *g, slx_fleet_limit_kind kind, int of, int q, double low,
                      double high, double unit)
{
    int row = slx_milp_row(g->m, low, high);
    SLX_ASSERT(g->n_rows < SLX_FLEET_ROWS_MAX);
    g->row[g->n_rows++] = (slx_fleet_row){kind, of, q, row, unit};
    return row;
}

/* GUSD that a rack delivered in q costs once: what is kept goes on the books, what is sold on is paid and sold. */
static double once(const slx_fleet_program *g, int i, int q, double end)
{
    double kept = slx_fleet_kept(g->c, g->v, i, q);
    double margin = OPT(i, sell_usd) - slx_fleet_rack_usd(g->c, g->v, i, q);
    return kept * slx_fleet_plan_price(g, i, q) *
               (slx_fleet_discount(g, q) - end * left_on_books(g, i, q)) -
           (1 - kept) * margin / 1e9 * slx_fleet_discount(g, q);
}

/* Puts factor x what is in service of option i in q. */
void slx_fleet_put_service(slx_fleet_program *g, int row, int i, int q, double factor)
{
    for (int s = 0; s <= q; s++)
        if (g->x[i][s] >= 0)
            slx_milp_put(g->m, row, g->x[i][s],
                         factor * OPT(i, lot) * alive(g, i, s, q) *
                             slx_fleet_kept(g->c, g->v, i, s));
}

/* ------------------------------------------------------------------ columns */

/* Racks with which an option alone meets all its contracts. */
static double useful_to_contracts(const slx_fleet_program *g, int i)
{
    const slx_fleet_case *c = g->c;
    double most = 0;
    for (int k = 0; k < c->n_contracts; k++) {
        const slx_fleet_contract *a = &c->contract[k];
        int commit = a->base + SLX_F_CONTRACT_commit, equity = a->base + SLX_F_CONTRACT_equity_gw;
        double due = 0, about = 0;
        for (int n = 0; n < a->n_options; n++) about += a->options[n] == i;
        for (int q = 0; q < c->quarters && slx_fleet_has(c, commit); q++)
            due += slx_fleet_at(c, g->v, commit, q);
        double gw = slx_fleet_has(c, equity) ? g->v[equity] : 0;
        double racks = fmax(gw, due) * 1e3 / slx_fleet_plan_mw(g, i);
        if (c->in[commit].unit == SLX_FLEET_USD)
            racks = fmax(gw * 1e3 / slx_fleet_plan_mw(g, i),
                         due / 1e9 / fmax(1e-12, slx_fleet_plan_price(g, i, c->quarters - 1)));
        most = fmax(most, about * racks);
    }
    return most;
}

/* Racks that can be of use in one quarter: twice all that is ever needed, from this option alone. */
static double useful_racks(const slx_fleet_program *g, int i)
{
    const slx_fleet_case *c = g->c;
    double most = 0, trains = 0, committed = useful_to_contracts(g, i);
    for (int q = 0; q < c->quarters; q++) {
        double tok_s = slx_fleet_rack_tok_s(c, g->v, i), flop_s = slx_fleet_rack_flop_s(c, g->v, i);
        if (tok_s > 0) most = fmax(most, g->base->total[q].need_tok_s / tok_s);
        if (flop_s > 0) trains = fmax(trains, slx_fleet_need_flop_s(c, g->v, q) / flop_s);
        if (slx_fleet_has(c, c->limits + SLX_F_LIMITS_target_gw))
            most = fmax(most, slx_fleet_at(c, g->v, c->limits + SLX_F_LIMITS_target_gw, q) * 1e3 /
                                  slx_fleet_plan_mw(g, i));
    }
    most = 2 * (most + trains) / (1 - fmin(0.99, OPT(i, sell_share)));
    if (c->sales != SLX_FLEET_NONE) most /= 1 - fmin(0.99, value(g, c->sales, SLX_F_SALES_share));
    return fmin(fmax(most, committed), 1e9);
}

static double useful_lots(const slx_fleet_program *g, int i)
{
    return floor(useful_racks(g, i) / OPT(i, lot)) + 2;
}

/* And those that its limits allow: the tighter, the sooner Cbc proves its bound. */
static double most_lots(const slx_fleet_program *g, int i, int q)
{
    const slx_fleet_case *c = g->c;
    const slx_fleet_option *o = &c->option[i];
    int supply = o->base + SLX_F_OPTION_supply, gw = c->site[o->site].base + SLX_F_SITE_gw;
    double lot = OPT(i, lot), most = useful_lots(g, i) * lot;
    if (slx_fleet_has(c, supply)) most = fmin(most, slx_fleet_at(c, g->v, supply, q));
    for (int k = 0; k < o->n_pools; k++)
        most =
            fmin(most, slx_fleet_at(c, g->v, c->pool[o->pools[k]].base + SLX_F_POOL_capacity, q) /
                           fmax(1e-12, slx_fleet_pool_use(c, g->v, i, o->pools[k], q)));
    if (c->money != SLX_FLEET_NONE && slx_fleet_has(c, c->money + SLX_F_MONEY_budget))
        most = fmin(most, slx_fleet_at(c, g->v, c->money + SLX_F_MONEY_budget, q) / 1e9 /
                              fmax(1e-12, slx_fleet_plan_price(g, i, q)));
    if (slx_fleet_has(c, gw) && o->route != SLX_FLEET_RENT)
        most = fmin(most, slx_fleet_at(c, g->v, gw, q) * 1e3 / slx_fleet_plan_mw(g, i));
    return floor(most / lot + 1e-9);
}

/* A clash is sought among the limits alone: bounds that follow from them give way to what is of use. */
void slx_fleet_widen(slx_fleet_program *g)
{
    for (int i = 0; i < g->c->n_options; i++)
        for (int q = 0; q < g->c->quarters && slx_fleet_is_chosen(g, i); q++) {
            if (g->x[i][q] < 0) continue;
            slx_milp_bound_col(g->m, g->x[i][q], 0, useful_lots(g, i));
            if (g->y[i] >= 0)
                slx_milp_put(g->m, g->link[i][q], g->y[i], most_lots(g, i, q) - useful_lots(g, i));
        }
}

static void add_option(slx_fleet_program *g, int i)
{
    const slx_fleet_case *c = g->c;
    double lot = OPT(i, lot), end = slx_fleet_discount(g, c->quarters);
    /* a lot of ten times all that is of use is never bought, and its coefficients are beyond the solver's scale */
    bool too_large = lot > 10 * (useful_racks(g, i) + 1);
    int ready = slx_fleet_ready(c, g->v, i) + (int)floor(OPT(i, slip_quarters) + 0.5);
    for (int s = 0; s < c->quarters; s++) {
        double cost = once(g, i, s, end), kept = slx_fleet_kept(c, g->v, i, s);
        g->rack_cost[i][s] = lot * slx_fleet_plan_price(g, i, s) *
                             (slx_fleet_discount(g, s) - end * left_on_books(g, i, s));
        for (int q = s; q < c->quarters; q++)
            cost += kept * slx_fleet_discount(g, q) * alive(g, i, s, q) * running(g, i, q);
        g->x[i][s] = s < ready || too_large
                         ? -1
                         : slx_milp_col(g->m, 0, most_lots(g, i, s), lot * cost, true);
    }
    double sign = OPT(i, nre_usd) / 1e9;
    g->y[i] =
        sign > 0 ? slx_milp_col(g->m, 0, 1, sign * (1 - end * left_on_books(g, i, 0)), true) : -1;
    for (int q = 0; q < c->quarters && g->y[i] >= 0; q++)
        if (g->x[i][q] >= 0) {
            int row = g->link[i][q] = slx_milp_row(g->m, -SLX_MILP_INF, 0);
            slx_milp_put(g->m, row, g->x[i][q], 1);
            slx_milp_put(g->m, row, g->y[i], -most_lots(g, i, q));
        }
}

/* MW of halls that the racks of the start are in. */
double slx_fleet_stands_mw(const slx_fleet_program *g, int s)
{
    double mw = 0;
    for (int i = 0; i < g->c->n_options; i++)
        if (g->c->option[i].site == s && g->c->option[i].route != SLX_FLEET_RENT)
            mw += OPT(i, base_racks) * slx_fleet_plan_mw(g, i);
    return mw;
}

static void add_halls(slx_fleet_program *g, int s)
{
    const slx_fleet_case *c = g->c;
    for (int q = 0; q < c->quarters; q++) {
        /* hall[q] is paid as hall[q] - hall[q-1] */
        double cost = slx_fleet_hall_cost(g, s, q) -
                      (q + 1 < c->quarters ? slx_fleet_hall_cost(g, s, q + 1) : 0);
        g->hall[s][q] = slx_milp_col(g->m, slx_fleet_stands_mw(g, s), SLX_MILP_INF, cost, false);
    }
    for (int q = 0; q < c->quarters; q++) {
        int need = slx_milp_row(g->m, g->base->total[q].site_w[s] / 1e6, SLX_MILP_INF);
        slx_milp_put(g->m, need, g->hall[s][q], 1);
        for (int i = 0; i < c->n_options; i++)
            if (slx_fleet_is_chosen(g, i) && c->option[i].site == s &&
                c->option[i].route != SLX_FLEET_RENT)
                slx_fleet_put_service(g, need, i, q, -slx_fleet_plan_mw(g, i));
        if (q) {
            int rises = slx_milp_row(g->m, 0, SLX_MILP_INF);
            slx_milp_put(g->m, rises, g->hall[s][q], 1);
            slx_milp_put(g->m, rises, g->hall[s][q - 1], -1);
        }
        if (slx_fleet_has(c, c->site[s].base + SLX_F_SITE_gw)) {
            double gw = slx_fleet_at(c, g->v, c->site[s].base + SLX_F_SITE_gw, q);
            slx_milp_put(g->m,
                         slx_fleet_add_row(g, SLX_FL_POWER, s, q, -SLX_MILP_INF, 1e3 * gw, 1e-3),
                         g->hall[s][q], 1);
        }
    }
}

/* ------------------------------------------------------------------ rows */

static void add_budget(slx_fleet_program *g, int q)
{
    const slx_fleet_case *c = g->c;
    int in = c->money + SLX_F_MONEY_budget;
    if (c->money == SLX_FLEET_NONE || !slx_fleet_has(c, in)) return;
    const slx_fleet_total *t = &g->base->total[q];
    double fixed = t->racks_usd + t->spares_usd + t->nre_usd;
    for (int s = 0; s < c->n_sites && !q; s++) /* halls that stand are in hall[0] */
        fixed -= slx_fleet_stands_mw(g, s) * 1e6 * SITE(s, hall_usd_w);
    int row = slx_fleet_add_row(g, SLX_FL_BUDGET, 0, q, -SLX_MILP_INF,
                                (slx_fleet_at(c, g->v, in, q) - fixed) / 1e9, 1e9);
    for (int i = 0; i < c->n_options; i++) {
        if (!slx_fleet_is_chosen(g, i)) continue;
        if (g->x[i][q] >= 0)
            slx_milp_put(g->m, row, g->x[i][q],
                         OPT(i, lot) * slx_fleet_plan_price(g, i, q) *
                             slx_fleet_kept(c, g->v, i, q));
        if (!q && g->y[i] >= 0) slx_milp_put(g->m, row, g->y[i], OPT(i, nre_usd) / 1e9);
    }
    for (int s = 0; s < c->n_sites; s++) {
        slx_milp_put(g->m, row, g->hall[s][q], SITE(s, hall_usd_w) / 1e3);
        if (q) slx_milp_put(g->m, row, g->hall[s][q - 1], -SITE(s, hall_usd_w) / 1e3);
    }
    if (g->draw[q] >= 0) slx_milp_put(g->m, row, g->draw[q], -1);
}

static void add_supply(slx_fleet_program *g, int i, int q)
{
    const slx_fleet_case *c = g->c;
    int in = c->option[i].base + SLX_F_OPTION_supply;
    if (g->x[i][q] < 0 || !slx_fleet_has(c, in)) return;
    int row =
        slx_fleet_add_row(g, SLX_FL_SUPPLY, i, q, -SLX_MILP_INF, slx_fleet_at(c, g->v, in, q), 1);
    slx_milp_put(g->m, row, g->x[i][q], OPT(i, lot));
}

static void add_pool(slx_fleet_program *g, int p, int q)
{
    const slx_fleet_case *c = g->c;
    double room = slx_fleet_at(c, g->v, c->pool[p].base + SLX_F_POOL_capacity, q),
           scale = fmax(1, room);
    int row = slx_fleet_add_row(g, SLX_FL_POOL, p, q, -SLX_MILP_INF,
                                (room - g->base->total[q].pool[p]) / scale, scale);
    for (int i = 0; i < c->n_options; i++) {
        const slx_fleet_option *o = &c->option[i];
        for (int k = 0; k < o->n_pools; k++)
            if (o->pools[k] == p && slx_fleet_is_chosen(g, i) && g->x[i][q] >= 0)
                slx_milp_put(g->m, row, g->x[i][q],
                             OPT(i, lot) * slx_fleet_pool_use(c, g->v, i, p, q) / scale);
    }
}

/* power of the supplier's racks - share x power of all <= 0, for each supplier with something to choose */
static void add_share(slx_fleet_program *g, int q)
{
    const slx_fleet_case *c = g->c;
    double share = value(g, c->limits, SLX_F_LIMITS_supplier_share),
           fixed_all = g->base->total[q].facility_w / 1e6;
    if (share >= 1 || q < value(g, c->limits, SLX_F_LIMITS_share_from)) return;
    for (int i = 0; i < c->n_options; i++) {
        double fixed = 0;
        bool first = slx_fleet_is_chosen(g, i);
        for (int k = 0; k < i; k++)
            first &=
                !slx_fleet_is_chosen(g, k) || strcmp(c->option[k].supplier, c->option[i].supplier);
        if (!first) continue;
        for (int k = 0; k < c->n_options; k++)
            if (!strcmp(c->option[k].supplier, c->option[i].supplier))
                fixed += g->base->cell[k][q].facility_w / 1e6;
        int row = slx_fleet_add_row(g, SLX_FL_SHARE, i, q, -SLX_MILP_INF, share * fixed_all - fixed,
                                    1e-3);
        for (int k = 0; k < c->n_options; k++)
            if (slx_fleet_is_chosen(g, k))
                slx_fleet_put_service(
                    g, row, k, q,
                    slx_fleet_plan_mw(g, k) *
                        ((strcmp(c->option[k].supplier, c->option[i].supplier) ? 0 : 1) - share));
    }
}

slx_fleet_program *slx_fleet_program_new(const slx_fleet_case *c)
{
    slx_fleet_program *g = slx_xcalloc(1, sizeof *g);
    g->c = c;
    g->m = slx_milp_new();
    g->base = slx_xcalloc(1, sizeof *g->base);
    for (int i = 0; i < c->n_in; i++) g->v[i] = c->in[i].mid;
    slx_fleet_eval(c, &(slx_fleet_future){.v = g->v, .single = -1}, g->base);
    for (int i = 0; i < c->n_options; i++)
        if (slx_fleet_is_chosen(g, i)) add_option(g, i);
    for (int s = 0; s < c->n_sites; s++) add_halls(g, s);
    slx_fleet_add_contracts(g);
    for (int q = 0; q < c->quarters; q++) {
        slx_fleet_add_loads(g, q);
        add_budget(g, q);
        for (int i = 0; i < c->n_options; i++)
            if (slx_fleet_is_chosen(g, i)) add_supply(g, i, q);
        for (int p = 0; p < c->n_pools; p++) add_pool(g, p, q);
        add_share(g, q);
    }
    return g;
}

void slx_fleet_program_free(slx_fleet_program *g)
{
    slx_milp_free(g->m);
    free(g->base);
    free(g);
}
