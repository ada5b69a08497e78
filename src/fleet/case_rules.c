/* case_rules.c - what the figures of a case must be to each other. */
#include "fleet/fleet_int.h"

#include <string.h>

static slx_status need_inputs(const slx_fleet_reader *r)
{
    const slx_fleet_case *c = r->c;
    for (int i = 0; i < c->n_in; i++)
        if (isinf(slx_fleet_keys[c->in[i].key].dflt) && !c->in[i].given)
            return slx_fleet_fail(r->t, c->in[i].path, "missing, expected a figure in %s: %s",
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
        return slx_fleet_fail(r->t, users ? "demand.queries_user_day" : "demand.users",
                              "missing beside demand.%s", users ? "users" : "queries_user_day");
    if (users == day)
        return slx_fleet_fail(r->t, "demand.queries_day",
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
        return slx_fleet_fail(r->t, PATH("plan"),
                              plan ? "found beside another deploy, expected deploy: plan"
                                   : "missing, expected the deliveries that deploy: plan follows");
    if (o->deploy == SLX_FLEET_DEMAND && (c->demand == SLX_FLEET_NONE || !GIVEN(tok_s)))
        return slx_fleet_fail(r->t, c->demand == SLX_FLEET_NONE ? "demand" : PATH("tok_s"),
                              "missing, expected it where an option has deploy: demand");
    if (o->deploy == SLX_FLEET_DEMAND && rent)
        return slx_fleet_fail(r->t, PATH("route"),
                              "found rent with deploy: demand, expected plan or choose");
    if (o->deploy == SLX_FLEET_CHOOSE && c->limits == SLX_FLEET_NONE)
        return slx_fleet_fail(r->t, "limits",
                              "missing, expected it where an option has deploy: choose");
    if (o->deploy == SLX_FLEET_CHOOSE && !slx_fleet_has(c, c->limits + SLX_F_LIMITS_target_gw) &&
        (c->demand == SLX_FLEET_NONE || !GIVEN(tok_s)))
        return slx_fleet_fail(
            r->t, PATH("tok_s"),
            "missing, expected it and a demand, or limits.target_gw, where deploy is choose");
    if (rent != GIVEN(rent_usd_gw_year))
        return slx_fleet_fail(r->t, PATH("rent_usd_gw_year"),
                              rent ? "missing, expected it where route is rent"
                                   : "found without route: rent, expected both or none");
    bool price = GIVEN(chip_usd) || GIVEN(rack_usd) || GIVEN(network_usd);
    if (rent == price)
        return slx_fleet_fail(
            r->t, PATH(rent ? "rack_usd" : "chip_usd"),
            rent ? "found a price beside route: rent, expected rent_usd_gw_year alone"
                 : "missing, expected a price of chips or racks");
    const slx_fleet_input *in = c->in + o->base;
    if (plan && in[SLX_F_OPTION_plan].unit == SLX_FLEET_USD &&
        !(in[SLX_F_OPTION_chip_usd].low + in[SLX_F_OPTION_rack_usd].low +
              in[SLX_F_OPTION_network_usd].low >
          0))
        return slx_fleet_fail(r->t, PATH("rack_usd"),
                              "found prices of 0, expected more where the plan is in dollars");
    for (int i = 0; i < o->n_pools; i++) {
        int unit = c->in[c->pool[o->pools[i]].base + SLX_F_POOL_capacity].unit;
        if (unit == SLX_POOL_WAFERS && !GIVEN(good_dies_wafer))
            return slx_fleet_fail(r->t, PATH("good_dies_wafer"),
                                  "missing, expected it beside a pool of wafers");
        if (unit == SLX_POOL_GIB && !GIVEN(hbm_gib))
            return slx_fleet_fail(r->t, PATH("hbm_gib"),
                                  "missing, expected it beside a pool of memory");
        if (unit == SLX_POOL_MM2 && !GIVEN(package_mm2))
            return slx_fleet_fail(r->t, PATH("package_mm2"),
                                  "missing, expected it beside a pool of packages");
    }
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
                r->t, "options",
                "found deploy: demand beside deploy: choose, expected one of the two");
    if (n && fabs(sum - 1) > 1e-6)
        return slx_fleet_fail(
            r->t, "options",
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
                return slx_fleet_fail(r->t, in->path,
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
    SLX_TRY(check_shares(r));
    return check_levels(r);
}
