/* case_rules.c - what the figures of a case must be to each other. */
#include "fleet/fleet_int.h"
#include "fleet/rates.h"

#include <stdlib.h>
#include <string.h>

static slx_status need_inputs(const slx_fleet_reader *r)
{
    const slx_fleet_case *c = r->c;
    for (int i = 0; i < c->n_in; i++)
        if (isinf(slx_fleet_keys[c->in[i].key].dflt) && !c->in[i].given)
            return slx_fleet_fail(r, c->in[i].path, "missing, expected a figure in %s: %s",
                                  slx_fleet_keys[c->in[i].key].unit,
                                  slx_fleet_keys[c->in[i].key].doc);
    return SLX_OK;
}

static slx_status check_demand(const slx_fleet_reader *r)
{
    const slx_fleet_case *c = r->c;
    if (c->demand == SLX_FLEET_NONE) return SLX_OK;
    bool users = slx_fleet_has(c, c->demand + SLX_F_DEMAND_users),
         each = slx_fleet_has(c, c->demand + SLX_F_DEMAND_queries_user_day),
         day = slx_fleet_has(c, c->demand + SLX_F_DEMAND_queries_day);
    if (users != each)
        return slx_fleet_fail(r, users ? "demand.queries_user_day" : "demand.users",
                              "missing beside demand.%s", users ? "users" : "queries_user_day");
    if (users == day)
        return slx_fleet_fail(r, "demand.queries_day",
                              day ? "found beside demand.users, expected one of the two"
                                  : "missing, expected it or users and queries_user_day");
    return SLX_OK;
}

static slx_status check_option(const slx_fleet_reader *r, const slx_fleet_option *o)
{
    const slx_fleet_case *c = r->c;
    char path[160];
#define PATH(key)  (snprintf(path, sizeof path, "options.%s.%s", o->name, key), path)
#define GIVEN(key) slx_fleet_has(c, o->base + SLX_F_OPTION_##key)
    bool plan = GIVEN(plan), rent = o->route == SLX_FLEET_RENT;
    if (plan != (o->deploy == SLX_FLEET_PLAN))
        return slx_fleet_fail(r, PATH("plan"),
                              plan ? "found beside another deploy, expected deploy: plan"
                                   : "missing, expected the deliveries that deploy: plan follows");
    bool rated = GIVEN(tok_s) || slx_fleet_rates_wanted(c, o); /* or will be */
    if (o->deploy == SLX_FLEET_DEMAND && (c->demand == SLX_FLEET_NONE || !rated))
        return slx_fleet_fail(r, c->demand == SLX_FLEET_NONE ? "demand" : PATH("tok_s"),
                              "missing, expected it where an option has deploy: demand");
    if (o->deploy == SLX_FLEET_DEMAND && rent)
        return slx_fleet_fail(r, PATH("route"),
                              "found rent with deploy: demand, expected plan or choose");
    if (o->deploy == SLX_FLEET_CHOOSE && c->limits == SLX_FLEET_NONE)
        return slx_fleet_fail(r, "limits",
                              "missing, expected it where an option has deploy: choose");
    if (o->deploy == SLX_FLEET_CHOOSE && !slx_fleet_has(c, c->limits + SLX_F_LIMITS_target_gw) &&
        (c->demand == SLX_FLEET_NONE || !rated))
        return slx_fleet_fail(
            r, PATH("tok_s"),
            "missing, expected it and a demand, or limits.target_gw, where deploy is choose");
    bool reads =
        c->demand != SLX_FLEET_NONE && slx_fleet_has(c, c->demand + SLX_F_DEMAND_tokens_in);
    if (GIVEN(tok_s) && reads != GIVEN(read_tok_s))
        return slx_fleet_fail(r, reads ? PATH("read_tok_s") : "demand.tokens_in",
                              reads ? "missing beside demand.tokens_in, expected both, or none "
                                      "where tok_s includes reading"
                                    : "missing, expected it where an option has read_tok_s");
    if (GIVEN(read_tok_s) && !GIVEN(tok_s))
        return slx_fleet_fail(r, PATH("tok_s"), "missing beside read_tok_s");
    if (rent != GIVEN(rent_usd_gw_year))
        return slx_fleet_fail(r, PATH("rent_usd_gw_year"),
                              rent ? "missing, expected it where route is rent"
                                   : "found without route: rent, expected both or none");
    bool price = GIVEN(chip_usd) || GIVEN(rack_usd) || GIVEN(network_usd);
    if (rent == price)
        return slx_fleet_fail(
            r, PATH(rent ? "rack_usd" : "chip_usd"),
            rent ? "found a price beside route: rent, expected rent_usd_gw_year alone"
                 : "missing, expected a price of chips or racks");
    const slx_fleet_input *in = c->in + o->base;
    if (GIVEN(base_age_years) &&
        in[SLX_F_OPTION_base_age_years].mid > in[SLX_F_OPTION_life_years].mid)
        return slx_fleet_fail(r, PATH("base_age_years"),
                              "found a mean age of %g years, expected at most life_years, %g",
                              in[SLX_F_OPTION_base_age_years].mid, in[SLX_F_OPTION_life_years].mid);
    if ((in[SLX_F_OPTION_sell_share].mid > 0) != GIVEN(sell_usd))
        return slx_fleet_fail(r, PATH(GIVEN(sell_usd) ? "sell_share" : "sell_usd"),
                              GIVEN(sell_usd) ? "missing or 0 beside sell_usd"
                                              : "missing, expected what others pay for a rack");
    if (GIVEN(sell_usd) && in[SLX_F_OPTION_sell_share].high > 0.99 && o->deploy != SLX_FLEET_PLAN)
        return slx_fleet_fail(r, PATH("sell_share"),
                              "found up to %g, expected at most 0.99 where racks serve the demand",
                              in[SLX_F_OPTION_sell_share].high);
    if (GIVEN(sell_usd) && rent)
        return slx_fleet_fail(r, PATH("sell_usd"),
                              "found beside route: rent, expected racks of one's own");
    if (plan && in[SLX_F_OPTION_plan].unit == SLX_FLEET_USD &&
        !(in[SLX_F_OPTION_chip_usd].low + in[SLX_F_OPTION_rack_usd].low +
              in[SLX_F_OPTION_network_usd].low >
          0))
        return slx_fleet_fail(r, PATH("rack_usd"),
                              "found prices of 0, expected more where the plan is in dollars");
    for (int i = 0; i < o->n_pools; i++) {
        int unit = c->in[c->pool[o->pools[i]].base + SLX_F_POOL_capacity].unit;
        if (unit == SLX_POOL_WAFERS && !GIVEN(good_dies_wafer))
            return slx_fleet_fail(r, PATH("good_dies_wafer"),
                                  "missing, expected it beside a pool of wafers");
        if (unit == SLX_POOL_GIB && !GIVEN(hbm_gib))
            return slx_fleet_fail(r, PATH("hbm_gib"),
                                  "missing, expected it beside a pool of memory");
        if (unit == SLX_POOL_MM2 && !GIVEN(package_mm2))
            return slx_fleet_fail(r, PATH("package_mm2"),
                                  "missing, expected it beside a pool of packages");
    }
#undef PATH
#undef GIVEN
    return SLX_OK;
}

/* What racks do beside serving: training needs racks that can, sales a price in the unit of what the fleet is for. */
static slx_status check_loads(const slx_fleet_reader *r)
{
    const slx_fleet_case *c = r->c;
    bool can_train = c->research == SLX_FLEET_NONE, demand = c->demand != SLX_FLEET_NONE;
    for (int i = 0; i < c->n_options; i++)
        can_train |= slx_fleet_has(c, c->option[i].base + SLX_F_OPTION_flop_s);
    if (!can_train)
        return slx_fleet_fail(r, "research.flop",
                              "found no option with flop_s, expected one that can train");
    if (c->sales == SLX_FLEET_NONE) return SLX_OK;
    const slx_fleet_input *in = c->in + c->sales, *price = &in[SLX_F_SALES_price];
    if ((price->unit == SLX_FLEET_USD_MTOK) != demand)
        return slx_fleet_fail(r, price->path, "found %s %s a demand, expected %s",
                              slx_fleet_unit(price), demand ? "beside" : "without",
                              demand ? "USD/Mtoken" : "USD/GW/year");
    int shortage = c->limits + SLX_F_LIMITS_shortage_usd_mtok;
    if (!demand || c->limits == SLX_FLEET_NONE || !slx_fleet_has(c, shortage)) return SLX_OK;
    const slx_fleet_input *d = c->in + c->demand;
    double at_peak = fmax(1, (1 - d[SLX_F_DEMAND_batch_share].mid) * d[SLX_F_DEMAND_peak].mid) *
                     (1 + d[SLX_F_DEMAND_reserve].mid) / (1 - d[SLX_F_DEMAND_training_share].mid);
    double least = price->mid * in[SLX_F_SALES_sold].mid * at_peak;
    if (least > c->in[shortage].mid)
        return slx_fleet_fail(r, price->path,
                              "found a price at which buyers come before own users, expected "
                              "limits.shortage_usd_mtok of at least %.4g (price x sold x need at "
                              "the peak against the mean)",
                              least);
    return SLX_OK;
}

/* Formats are of sizes that chips have. */
static slx_status check_own(const slx_fleet_reader *r)
{
    const slx_fleet_case *c = r->c;
    if (c->own == SLX_FLEET_NONE) return SLX_OK;
    double weights = c->in[c->own + SLX_F_OWN_weight_bits].mid,
           kv = c->in[c->own + SLX_F_OWN_kv_bits].mid;
    if (weights != 16 && weights != 8 && weights != 4)
        return slx_fleet_fail(r, "own.weight_bits", "found %g, expected 16, 8 or 4", weights);
    if (kv != 16 && kv != 8)
        return slx_fleet_fail(r, "own.kv_bits", "found %g, expected 16 or 8", kv);
    return SLX_OK;
}

/* Racks of the start fit into their site. */
static slx_status check_base(const slx_fleet_reader *r)
{
    const slx_fleet_case *c = r->c;
    for (int s = 0; s < c->n_sites; s++) {
        int gw = c->site[s].base + SLX_F_SITE_gw;
        double used = 0, room = slx_fleet_has(c, gw) ? c->in[gw].mid : INFINITY;
        if (c->in[gw].series) room *= c->in[gw].series[0];
        for (int i = 0; i < c->n_options; i++) {
            const slx_fleet_input *in = c->in + c->option[i].base;
            if (c->option[i].site != s || c->option[i].route == SLX_FLEET_RENT) continue;
            used += in[SLX_F_OPTION_base_racks].mid * in[SLX_F_OPTION_rack_kw].mid / 1e6 *
                    c->in[c->site[s].base + SLX_F_SITE_pue].mid;
        }
        if (used > room * (1 + 1e-9))
            return slx_fleet_fail(r, c->in[gw].path,
                                  "found %.4g GW of power for the %.4g GW of racks that are there "
                                  "at the start (base_racks)",
                                  room, used);
    }
    return SLX_OK;
}

/* The terms of a contract: each with what it is measured by. */
static slx_status check_contract(const slx_fleet_reader *r, const slx_fleet_contract *a)
{
    const slx_fleet_case *c = r->c;
    const slx_fleet_input *in = c->in + a->base;
    char path[160];
#define PATH(key)  (snprintf(path, sizeof path, "contracts.%s.%s", a->name, key), path)
#define GIVEN(key) in[SLX_F_CONTRACT_##key].given
    bool commit = GIVEN(commit), equity = GIVEN(warrant_shares) || GIVEN(invest_usd);
    double all = in[SLX_F_CONTRACT_equity_gw].mid, step = in[SLX_F_CONTRACT_equity_step_gw].mid;
    if (commit != GIVEN(shortfall_usd))
        return slx_fleet_fail(r, PATH(commit ? "shortfall_usd" : "commit"),
                              "missing beside contracts.%s.%s", a->name,
                              commit ? "commit" : "shortfall_usd");
    if (commit && in[SLX_F_CONTRACT_commit].unit != in[SLX_F_CONTRACT_shortfall_usd].unit)
        return slx_fleet_fail(r, PATH("shortfall_usd"), "found %s beside a commitment in %s",
                              slx_fleet_unit(&in[SLX_F_CONTRACT_shortfall_usd]),
                              slx_fleet_unit(&in[SLX_F_CONTRACT_commit]));
    if (equity != GIVEN(equity_gw))
        return slx_fleet_fail(
            r, PATH(equity ? "equity_gw" : "warrant_shares"),
            equity ? "missing, expected the deliveries with which all of it has vested"
                   : "missing, expected it or invest_usd beside equity_gw");
    if (GIVEN(warrant_shares) != GIVEN(share_usd))
        return slx_fleet_fail(r, PATH(GIVEN(share_usd) ? "warrant_shares" : "share_usd"),
                              "missing beside contracts.%s.%s", a->name,
                              GIVEN(share_usd) ? "share_usd" : "warrant_shares");
    if (equity && step > 0 && fabs(all / step - floor(all / step + 0.5)) > 1e-6)
        return slx_fleet_fail(
            r, PATH("equity_step_gw"),
            "found %g GW, expected a whole number of steps in the %g of equity_gw", step, all);
    if (!commit && !equity)
        return slx_fleet_fail(r, PATH("commit"), "missing, expected it or equity_gw");
#undef PATH
#undef GIVEN
    return SLX_OK;
}

/* Shares of the options that follow demand add up to all of it. */
static slx_status check_shares(const slx_fleet_reader *r)
{
    const slx_fleet_case *c = r->c;
    double sum = 0;
    int n = 0;
    for (int i = 0; i < c->n_options; i++)
        if (c->option[i].deploy == SLX_FLEET_DEMAND) {
            sum += c->in[c->option[i].base + SLX_F_OPTION_share].mid;
            n++;
        }
    for (int i = 0; i < c->n_options; i++)
        if (n && c->option[i].deploy == SLX_FLEET_CHOOSE)
            return slx_fleet_fail(
                r, "options",
                "found deploy: demand beside deploy: choose, expected one of the two");
    if (n && fabs(sum - 1) > 1e-6)
        return slx_fleet_fail(
            r, "options",
            "found shares of the demand that add up to %g, expected 1 over the options with "
            "deploy: demand",
            sum);
    return SLX_OK;
}

static slx_status check_levels(const slx_fleet_reader *r)
{
    const slx_fleet_case *c = r->c;
    for (int i = 0; i < c->n_in; i++) {
        const slx_fleet_input *in = &c->in[i];
        if ((in->key != SLX_F_SITE_gw && in->key != SLX_F_LIMITS_target_gw) || !in->series)
            continue;
        for (int q = 1; q < c->quarters; q++)
            if (in->series[q] < in->series[q - 1]) {
                char name[16];
                return slx_fleet_fail(r, in->path,
                                      "found a level that falls from %g to %g in %s, expected one "
                                      "that only rises",
                                      in->series[q - 1], in->series[q],
                                      slx_fleet_quarter(name, c, q));
            }
    }
    return SLX_OK;
}

slx_status slx_fleet_check(const slx_fleet_reader *r)
{
    SLX_TRY(need_inputs(r));
    SLX_TRY(check_demand(r));
    for (int i = 0; i < r->c->n_options; i++) SLX_TRY(check_option(r, &r->c->option[i]));
    for (int k = 0; k < r->c->n_contracts; k++) SLX_TRY(check_contract(r, &r->c->contract[k]));
    SLX_TRY(check_loads(r));
    SLX_TRY(check_own(r));
    SLX_TRY(check_base(r));
    SLX_TRY(check_shares(r));
    return check_levels(r);
}

slx_status slx_fleet_check_variants(const slx_fleet_reader *r)
{
    slx_fleet_case *c = r->c;
    size_t bytes = sizeof *c->in * (size_t)c->n_in;
    slx_fleet_input *kept = slx_xmalloc(bytes);
    slx_status s = SLX_OK;
    memcpy(kept, c->in, bytes);
    for (int i = 0; i < c->n_variants && !s; i++) {
        char within[160];
        snprintf(within, sizeof within, "variants.%.140s.", c->variant[i].name);
        s = slx_fleet_use_variant(c, c->variant[i].name, NULL);
        if (!s) s = slx_fleet_check(&(slx_fleet_reader){r->t, c, within});
        memcpy(c->in, kept, bytes);
    }
    free(kept);
    return s;
}

slx_status slx_fleet_recheck(slx_fleet_case *c, const char *what, slx_err *err)
{
    slx_err unwanted;
    slx_yaml t = {.path = what, .err = err ? err : &unwanted};
    return slx_fleet_check(&(slx_fleet_reader){&t, c, ""});
}
