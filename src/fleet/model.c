/* model.c - one future of a case, quarter by quarter.
 *
 *   demand or plan --> orders --> backlog --supplier, pools--> delivered --site's power--> in service --> worn, retired
 *                                                                 '--> sold on         ^-- the base: there at the start
 *
 * Racks are real numbers: a quarter's mean. A rack is bought when it is delivered, its spares with it; chips that fail
 * are replaced in the same quarter; a hall is built for the most power its site ever had. What was bought is written
 * off in a straight line over its life; where renewal is rolling, as it wears out. What was there at the start was paid
 * for before: not on the books, its halls stand; its energy, upkeep and repairs are counted. What racks in service
 * do is load.c, contracts are contract.c.
 * Ledgers are kept twice, as flows and as stocks, and must agree (check_ledgers).
 */
#include "fleet/model_int.h"

#include <string.h>

/* ------------------------------------------------------------------ values */

double slx_fleet_at(const slx_fleet_case *c, const double *v, int in, int q)
{
    return c->in[in].series ? c->in[in].series[q] * v[in] : v[in];
}

double slx_fleet_queries_day(const slx_fleet_case *c, const double *v, int q)
{
    const double *d = v + c->demand;
    double base = slx_fleet_has(c, c->demand + SLX_F_DEMAND_users)
                      ? d[SLX_F_DEMAND_users] * d[SLX_F_DEMAND_queries_user_day]
                      : d[SLX_F_DEMAND_queries_day];
    return base * d[SLX_F_DEMAND_share] * slx_fleet_grown(d[SLX_F_DEMAND_growth_year], q) +
           d[SLX_F_DEMAND_api_queries_day] * slx_fleet_grown(d[SLX_F_DEMAND_api_growth_year], q);
}

/* Racks of the plan in quarter q. */
static double plan_racks(const slx_fleet_case *c, const double *v, int option, int q)
{
    int in = c->option[option].base + SLX_F_OPTION_plan;
    double amount = slx_fleet_at(c, v, in, q);
    switch (c->in[in].unit) {
    case SLX_FLEET_GW: return amount * 1e9 / slx_fleet_hall_w(c, v, option);
    case SLX_FLEET_USD: return amount / slx_fleet_rack_usd(c, v, option, q);
    case SLX_FLEET_CHIPS: return amount / v[c->option[option].base + SLX_F_OPTION_chips_rack];
    default: return amount;
    }
}

double slx_fleet_planned(const slx_fleet_case *c, const double *v, int option, int q)
{
    double sum = 0;
    for (int i = 0; i <= q; i++) sum += plan_racks(c, v, option, i);
    return sum;
}

int slx_fleet_ready(const slx_fleet_case *c, const double *v, int option)
{
    const double *o = v + c->option[option].base;
    double own = o[SLX_F_OPTION_architecture_quarters] + o[SLX_F_OPTION_tapeout_quarters] +
                 o[SLX_F_OPTION_qualify_quarters];
    return (int)ceil(fmax(own, o[SLX_F_OPTION_lead_quarters]));
}

double slx_fleet_pool_use(const slx_fleet_case *c, const double *v, int option, int pool, int q)
{
    const double *o = v + c->option[option].base;
    double chips = o[SLX_F_OPTION_chips_rack] * (1 + o[SLX_F_OPTION_spares]);
    double ramp = o[SLX_F_OPTION_ramp_quarters], age = q - slx_fleet_ready(c, v, option);
    double mature = ramp > 0 && age < ramp ? fmax(0, age) / ramp : 1;
    double yield = o[SLX_F_OPTION_yield_start] + (1 - o[SLX_F_OPTION_yield_start]) * mature;
    switch (c->in[c->pool[pool].base + SLX_F_POOL_capacity].unit) {
    case SLX_POOL_WAFERS:
        return chips * o[SLX_F_OPTION_dies_chip] / (o[SLX_F_OPTION_good_dies_wafer] * yield);
    case SLX_POOL_GIB: return chips * o[SLX_F_OPTION_hbm_gib];
    case SLX_POOL_MM2: return chips * o[SLX_F_OPTION_package_mm2];
    case SLX_POOL_CHIPS: return chips;
    case SLX_POOL_SUBSTRATES: return chips * o[SLX_F_OPTION_substrates_chip];
    default: return 1;
    }
}

double slx_fleet_capex(const slx_fleet_total *t)
{
    return t->racks_usd + t->spares_usd + t->halls_usd + t->nre_usd;
}

double slx_fleet_opex(const slx_fleet_total *t)
{
    return t->energy_usd + t->maintenance_usd + t->repair_usd + t->lease_usd + t->rent_usd +
           t->shortfall_usd + t->goods_usd;
}

/* ------------------------------------------------------------------ orders, deliveries, service */

static bool follows_single(const slx_fleet_state *s, int i)
{
    return s->f->single >= 0 && s->c->option[i].route != SLX_FLEET_RENT;
}

static double ordered_by(const slx_fleet_state *s, int i, int q)
{
    const slx_fleet_option *o = &s->c->option[i];
    if (o->deploy == SLX_FLEET_PLAN) return plan_racks(s->c, s->v, i, q);
    return s->f->orders ? s->f->orders->racks[i][q] : 0;
}

/* Racks ordered for quarter q by a plan, or by a choice. A slip moves all of it. */
static double due(const slx_fleet_state *s, int i, int q)
{
    const slx_fleet_case *c = s->c;
    int at = q - s->slip[i];
    double racks = 0;
    if (at < 0) return 0;
    if (!follows_single(s, i)) return ordered_by(s, i, at);
    if (s->f->single != i) return 0;
    for (int k = 0; k < c->n_options; k++)
        if (c->option[k].route != SLX_FLEET_RENT && c->option[k].deploy != SLX_FLEET_DEMAND)
            racks += ordered_by(s, k, at) * s->w[k] / s->w[i];
    return racks;
}

static double share_of_demand(const slx_fleet_state *s, int i)
{
    if (s->f->single >= 0) return s->f->single == i ? 1 : 0;
    return s->v[s->c->option[i].base + SLX_F_OPTION_share];
}

double slx_fleet_kept(const slx_fleet_case *c, const double *v, int option, int q)
{
    const double *o = v + c->option[option].base;
    return q < (int)o[SLX_F_OPTION_sell_from_quarters] ? 1 : 1 - o[SLX_F_OPTION_sell_share];
}

/* Ages are spread evenly from 2 x mean - life, or 0, to 2 x mean, or the life. */
double slx_fleet_base_left(const slx_fleet_case *c, const double *v, int option, int q)
{
    const double *o = v + c->option[option].base;
    double life = slx_fleet_quarters_of(o[SLX_F_OPTION_life_years]);
    double mean = fmin(4 * o[SLX_F_OPTION_base_age_years], life);
    double youngest = fmax(0, 2 * mean - life), oldest = fmin(2 * mean, life);
    double limit = life - q; /* what is older at the start is gone by q */
    if (oldest - youngest < 1e-9) return limit > youngest ? o[SLX_F_OPTION_base_racks] : 0;
    return o[SLX_F_OPTION_base_racks] * fmin(1, fmax(0, (limit - youngest) / (oldest - youngest)));
}

static double in_service_before(const slx_fleet_state *s, int i, int q)
{
    return q ? s->r->cell[i][q - 1].racks : s->base_racks[i];
}

static double retired(const slx_fleet_state *s, int i, int q)
{
    const slx_fleet_cell *x = s->r->cell[i];
    double before = in_service_before(s, i, q), worn = 0;
    if (s->c->rolling) return before / s->life[i];
    if (s->base_racks[i] > 0)
        worn = (q ? slx_fleet_base_left(s->c, s->v, i, q - 1) : s->base_racks[i]) -
               slx_fleet_base_left(s->c, s->v, i, q);
    if (q >= s->life[i]) worn += x[q - s->life[i]].delivered - x[q - s->life[i]].sold;
    return fmin(before, worn);
}

/* Where orders follow the demand, training is shared like the demand, by the options that can. */
static double racks_to_train(const slx_fleet_state *s, int i, int q)
{
    double can = 0, flop_s = slx_fleet_rack_flop_s(s->c, s->v, i);
    if (s->c->research == SLX_FLEET_NONE || !(flop_s > 0)) return 0;
    for (int k = 0; k < s->c->n_options; k++)
        if (s->c->option[k].deploy == SLX_FLEET_DEMAND && slx_fleet_rack_flop_s(s->c, s->v, k) > 0)
            can += share_of_demand(s, k);
    return can > 0 ? share_of_demand(s, i) / can * slx_fleet_need_flop_s(s->c, s->v, q) / flop_s
                   : 0;
}

static double order(const slx_fleet_state *s, int i, int q)
{
    const slx_fleet_option *o = &s->c->option[i];
    const slx_fleet_cell *x = s->r->cell[i];
    if (o->deploy != SLX_FLEET_DEMAND) return due(s, i, q);
    double tok_s = slx_fleet_rack_tok_s(s->c, s->v, i); /* 0: nobody computed it yet */
    double target = (tok_s > 0 ? share_of_demand(s, i) * s->r->total[q].need_tok_s / tok_s : 0) +
                    racks_to_train(s, i, q);
    double have = in_service_before(s, i, q) + (q ? x[q - 1].waiting + x[q - 1].backlog : 0);
    return fmax(0, ceil(target - 1e-9) - (have - x[q].retired)) / slx_fleet_kept(s->c, s->v, i, q);
}

static bool out_of_order(const slx_fleet_state *s, int i, int q)
{
    const slx_fleet_events *e = s->f->events;
    return q < s->ready[i] + s->slip[i] || (e && e->option_out[i][q]);
}

/* Orders and deliveries of a quarter; what pools have left is shared in the order of the options. */
static void deliver(slx_fleet_state *s, int q)
{
    const slx_fleet_case *c = s->c;
    const slx_fleet_events *e = s->f->events;
    slx_fleet_total *t = &s->r->total[q];
    double left[SLX_FLEET_POOLS];
    for (int p = 0; p < c->n_pools; p++)
        left[p] = e && e->pool_out[p][q]
                      ? 0
                      : slx_fleet_at(c, s->v, c->pool[p].base + SLX_F_POOL_capacity, q);
    for (int i = 0; i < c->n_options; i++) {
        const slx_fleet_option *o = &c->option[i];
        slx_fleet_cell *x = &s->r->cell[i][q], *before = q ? x - 1 : NULL;
        x->retired = retired(s, i, q);
        x->ordered = order(s, i, q);
        double backlog = (before ? before->backlog : 0) + x->ordered, can = backlog;
        if (out_of_order(s, i, q)) can = 0;
        if (slx_fleet_has(c, o->base + SLX_F_OPTION_supply))
            can = fmin(can, slx_fleet_at(c, s->v, o->base + SLX_F_OPTION_supply, q));
        double use[SLX_FLEET_POOLS];
        for (int k = 0; k < o->n_pools; k++) {
            use[k] = slx_fleet_pool_use(c, s->v, i, o->pools[k], q);
            if (use[k] > 0) can = fmin(can, left[o->pools[k]] / use[k]);
        }
        for (int k = 0; k < o->n_pools; k++) {
            left[o->pools[k]] = fmax(0, left[o->pools[k]] - can * use[k]);
            t->pool[o->pools[k]] += can * use[k];
        }
        x->delivered = can;
        x->backlog = backlog - can;
        x->sold = can * (1 - slx_fleet_kept(c, s->v, i, q));
        x->renewed = o->deploy == SLX_FLEET_DEMAND ? fmin(can - x->sold, x->retired) : 0;
    }
}

/* Racks go into service as far as their site has power. */
static void energise(slx_fleet_state *s, int q)
{
    const slx_fleet_case *c = s->c;
    for (int i = 0; i < c->n_options; i++)
        if (c->option[i].route != SLX_FLEET_RENT)
            s->site_w[c->option[i].site] -= s->r->cell[i][q].retired * s->w[i];
    for (int i = 0; i < c->n_options; i++) {
        const slx_fleet_option *o = &c->option[i];
        slx_fleet_cell *x = &s->r->cell[i][q];
        int gw = c->site[o->site].base + SLX_F_SITE_gw;
        double waiting = (q ? x[-1].waiting : 0) + x->delivered - x->sold, on = waiting;
        if (o->route != SLX_FLEET_RENT) {
            if (slx_fleet_has(c, gw))
                on = fmin(on, fmax(0, slx_fleet_at(c, s->v, gw, q) * 1e9 - s->site_w[o->site]) /
                                  s->w[i]);
            s->site_w[o->site] += on * s->w[i];
        }
        x->waiting = waiting - on;
        x->racks = in_service_before(s, i, q) - x->retired + on;
        x->facility_w = x->racks * s->w[i];
    }
}

/* Bought in q, worn out evenly over `life` quarters. */
static void depreciate(slx_fleet_state *s, int q, double usd, int life)
{
    s->write_off[q] += usd / life;
    s->write_off[q + life] -= usd / life;
    if (q + life + 1 > s->write_off_end) s->write_off_end = q + life + 1;
}

static void buy(slx_fleet_state *s, int i, int q)
{
    const slx_fleet_case *c = s->c;
    const slx_fleet_option *o = &c->option[i];
    const double *v = s->v + o->base;
    slx_fleet_total *t = &s->r->total[q];
    slx_fleet_cell *x = &s->r->cell[i][q];
    slx_fleet_rack_costs m = slx_fleet_cost_of_rack(c, s->v, i, s->price[i]);
    double chips = v[SLX_F_OPTION_chips_rack];
    x->failed_chips = v[SLX_F_OPTION_failure_year] / 4 * x->racks * chips;
    x->spare_chips = v[SLX_F_OPTION_spares] * chips * (x->racks + x->waiting);
    double kept = x->delivered - x->sold;
    s->bought_chips[i] += kept * chips * (1 + v[SLX_F_OPTION_spares]) + x->failed_chips;
    s->scrapped_chips[i] += x->failed_chips + x->retired * chips * (1 + v[SLX_F_OPTION_spares]);
    double racks = kept * m.rack_usd, spares = kept * m.spares_usd;
    double goods = x->sold * m.rack_usd; /* they never are on the books */
    double nre = q || !s->begins[i] ? 0 : v[SLX_F_OPTION_nre_usd];
    if (s->f->events && s->f->events->respin[i] && s->begins[i] &&
        q == s->ready[i] - (int)v[SLX_F_OPTION_respin_quarters])
        nre += v[SLX_F_OPTION_respin_usd];
    x->capex_usd = racks + spares + nre;
    t->racks_usd += racks;
    t->spares_usd += spares;
    t->goods_usd += goods;
    t->sales_usd += x->sold * v[SLX_F_OPTION_sell_usd];
    t->nre_usd += nre;
    t->repair_usd += x->racks * m.repair_usd;
    t->maintenance_usd += x->racks * m.maintenance_usd;
    t->energy_usd += x->racks * m.energy_usd;
    t->energy_j += x->racks * m.energy_kwh * 3.6e6;
    t->lease_usd += x->racks * m.lease_usd;
    t->rent_usd += x->racks * m.rent_usd;
    s->taken_usd[i] = racks + spares + goods + x->racks * m.rent_usd;
    if (c->rolling) { /* what wears out leaves the books: a share of them every quarter, as of the racks */
        double worn = s->rolling_usd[i] / s->life[i];
        s->rolling_usd[i] += racks + spares + nre - worn;
        t->depreciation_usd += worn;
    } else {
        depreciate(s, q, racks + spares + nre, s->life[i]);
    }
    s->racks_usd[i] += (kept - x->renewed) * m.rack_usd;
    s->chips_usd[i] += (kept - x->renewed) * m.chips_usd;
    s->renewal_chips_usd[i] += x->renewed * m.chips_usd;
    s->other_usd[i] += x->renewed * m.rack_usd + spares + nre;
}

/* Halls of the sites; a site's cost goes to its options by what they add. */
static void run_sites(slx_fleet_state *s, int q)
{
    const slx_fleet_case *c = s->c;
    slx_fleet_total *t = &s->r->total[q];
    for (int k = 0; k < c->n_sites; k++) {
        const double *v = s->v + c->site[k].base;
        double more = fmax(0, s->site_w[k] - s->hall_w[k]), usd = more * v[SLX_F_SITE_hall_usd_w],
               added = 0;
        t->site_w[k] = s->site_w[k];
        s->hall_w[k] = fmax(s->hall_w[k], s->site_w[k]);
        t->halls_usd += usd;
        depreciate(s, q, usd, slx_fleet_quarters_of(v[SLX_F_SITE_hall_life_years]));
        for (int pass = 0; pass < 2; pass++)
            for (int i = 0; i < c->n_options; i++) {
                const slx_fleet_cell *x = &s->r->cell[i][q];
                double grew = fmax(0, x->facility_w - in_service_before(s, i, q) * s->w[i]);
                if (c->option[i].site != k || c->option[i].route == SLX_FLEET_RENT) continue;
                if (!pass)
                    added += grew;
                else if (added > 0)
                    s->halls_usd[i] += usd * grew / added;
            }
    }
}

/* ------------------------------------------------------------------ conservation */

/* Two ways to the same amount. scale: the largest amount that went into either. */
static void balance(const char *what, int q, double a, double b, double scale)
{
    if (!(fabs(a - b) <= 1e-9 * scale + 1e-6))
        SLX_BUG("%s do not balance in quarter %d: %.17g and %.17g", what, q, a, b);
}

/* Flows against stocks. book: by spending less depreciation, here against what is still to be written off. */
static void check_ledgers(const slx_fleet_state *s, int q, double book, double spent)
{
    const slx_fleet_case *c = s->c;
    const slx_fleet_total *t = &s->r->total[q];
    double option_w = 0, site_w = 0, built_w = 0, option_usd = 0, later = 0,
           rate = s->write_off_now;
    for (int i = 0; i < c->n_options; i++) {
        const slx_fleet_cell *x = &s->r->cell[i][q];
        const double *v = s->v + c->option[i].base;
        double chips = v[SLX_F_OPTION_chips_rack];
        balance("chips", q, s->bought_chips[i],
                (x->racks + x->waiting) * chips + x->spare_chips + s->scrapped_chips[i],
                s->bought_chips[i]);
        SLX_ASSERT(fmin(x->racks, fmin(x->waiting, x->backlog)) >=
                   -1e-9 * s->bought_chips[i] - 1e-6);
        if (c->option[i].route != SLX_FLEET_RENT)
            option_w += x->racks * v[SLX_F_OPTION_rack_kw] * 1e3 *
                        s->v[c->site[c->option[i].site].base + SLX_F_SITE_pue];
        option_usd += x->capex_usd;
        later += s->rolling_usd[i];
    }
    for (int k = 0; k < c->n_sites; k++) {
        site_w += s->site_w[k];
        built_w += s->hall_w[k];
        SLX_ASSERT(s->hall_w[k] >= s->site_w[k]);
    }
    balance("watts", q, option_w, site_w, built_w);
    balance("dollars of the quarter", q, option_usd + t->halls_usd, slx_fleet_capex(t),
            slx_fleet_capex(t));
    for (int k = q + 1; k < s->write_off_end; k++) {
        rate += s->write_off[k];
        later += rate;
    }
    balance("dollars of the books", q, book, later, spent);
}

/* ------------------------------------------------------------------ all of it */

static bool begins(const slx_fleet_state *s, int i)
{
    const slx_fleet_option *o = &s->c->option[i];
    if (follows_single(s, i)) return s->f->single == i;
    if (o->deploy == SLX_FLEET_DEMAND) return s->v[o->base + SLX_F_OPTION_share] > 0;
    for (int q = 0; q < s->c->quarters; q++)
        if (ordered_by(s, i, q) > 0) return true;
    return false;
}

static void begin(slx_fleet_state *s)
{
    const slx_fleet_case *c = s->c;
    const slx_fleet_events *e = s->f->events;
    for (int i = 0; i < c->n_options; i++) {
        const double *v = s->v + c->option[i].base;
        s->w[i] = slx_fleet_hall_w(c, s->v, i);
        s->ready[i] = slx_fleet_ready(c, s->v, i);
        s->slip[i] = e ? e->slip[i] : (int)floor(v[SLX_F_OPTION_slip_quarters] + 0.5);
        if (e && e->respin[i]) s->ready[i] += (int)v[SLX_F_OPTION_respin_quarters];
        s->life[i] = slx_fleet_quarters_of(v[SLX_F_OPTION_life_years]);
        s->price[i] = 1;
        s->begins[i] = begins(s, i);
        s->price_step[i] = sqrt(sqrt(1 + v[SLX_F_OPTION_price_year]));
        s->base_racks[i] = v[SLX_F_OPTION_base_racks];
        s->bought_chips[i] =
            s->base_racks[i] * v[SLX_F_OPTION_chips_rack] * (1 + v[SLX_F_OPTION_spares]);
        if (c->option[i].route != SLX_FLEET_RENT)
            s->site_w[c->option[i].site] += s->base_racks[i] * s->w[i];
    }
    for (int k = 0; k < c->n_sites; k++)
        s->hall_w[k] = s->site_w[k]; /* of the base: stand already */
}

void slx_fleet_eval(const slx_fleet_case *c, const slx_fleet_future *f, slx_fleet_run *r)
{
    double mids[SLX_F_COUNT * (SLX_FLEET_OPTIONS + 4)], book = 0, spent = 0;
    slx_fleet_state s = {.c = c, .f = f, .v = f->v, .r = r};
    if (!f->v) {
        for (int i = 0; i < c->n_in; i++) mids[i] = c->in[i].mid;
        s.v = mids;
    }
    for (int i = 0; i < c->n_options; i++)
        memset(r->cell[i], 0, sizeof *r->cell[i] * (size_t)c->quarters);
    for (int k = 0; k < c->n_contracts; k++)
        memset(r->contract[k], 0, sizeof *r->contract[k] * (size_t)c->quarters);
    memset(r->total, 0, sizeof *r->total * (size_t)c->quarters);
    for (int o = 0; o < SLX_FO_COUNT; o++) {
        r->out[o] = NAN;
        for (int i = 0; i < c->n_options; i++) r->option_out[i][o] = NAN;
    }
    begin(&s);
    for (int q = 0; q < c->quarters; q++) {
        slx_fleet_total *t = &r->total[q];
        t->need_tok_s = slx_fleet_need_tok_s(c, s.v, q);
        deliver(&s, q);
        energise(&s, q);
        for (int i = 0; i < c->n_options; i++) buy(&s, i, q);
        run_sites(&s, q);
        slx_fleet_run_contracts(&s, q);
        slx_fleet_share_out(&s, q);
        s.write_off_now += s.write_off[q];
        t->depreciation_usd += s.write_off_now;
        t->book_usd = book += slx_fleet_capex(t) - t->depreciation_usd;
        spent += slx_fleet_capex(t);
        check_ledgers(&s, q, book, spent);
        for (int i = 0; i < c->n_options; i++) s.price[i] *= s.price_step[i];
    }
    for (int i = 0; i < c->n_options; i++) slx_fleet_option_outputs(&s, i);
    slx_fleet_outputs(&s);
}
