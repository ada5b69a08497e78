/* money.c - what one rack costs: once, and in each quarter in service. The model's runs and the plan's program both
 * take it from here.
 */
#include "fleet/fleet_int.h"

static const double HOURS_A_QUARTER = 365.25 * 24 / 4;

/* (1 + rate)^(q/4), by square roots and products alone: the same bits on every host. */
double slx_fleet_grown(double rate, int q)
{
    double quarter = sqrt(sqrt(1 + rate)), f = 1;
    for (; q; q--) f *= quarter;
    return f;
}

int slx_fleet_quarters_of(double years)
{
    int q = (int)floor(4 * years + 0.5);
    return q < 1 ? 1 : q > SLX_FLEET_LIFE_MAX ? SLX_FLEET_LIFE_MAX : q;
}

double slx_fleet_price(const slx_fleet_case *c, const double *v, int option, int q)
{
    return slx_fleet_grown(v[c->option[option].base + SLX_F_OPTION_price_year], q);
}

double slx_fleet_hall_w(const slx_fleet_case *c, const double *v, int option)
{
    const slx_fleet_option *o = &c->option[option];
    return 1e3 * v[o->base + SLX_F_OPTION_rack_kw] * v[c->site[o->site].base + SLX_F_SITE_pue];
}

slx_fleet_rack_costs slx_fleet_cost_of_rack(const slx_fleet_case *c, const double *v, int option,
                                            double price)
{
    const slx_fleet_option *x = &c->option[option];
    const double *o = v + x->base, *site = v + c->site[x->site].base;
    double chips = o[SLX_F_OPTION_chips_rack], chip_usd = o[SLX_F_OPTION_chip_usd] * price;
    double first_usd =
        chips * o[SLX_F_OPTION_chip_usd] + o[SLX_F_OPTION_rack_usd] + o[SLX_F_OPTION_network_usd];
    double hall_w = slx_fleet_hall_w(c, v, option);
    slx_fleet_rack_costs m = {.rack_usd = first_usd * price, .chips_usd = chips * chip_usd};
    /* a spare where chips have no price of their own */
    double part_usd = chip_usd > 0 ? chip_usd : m.rack_usd / chips;
    m.spares_usd = chips * o[SLX_F_OPTION_spares] * part_usd;
    m.repair_usd = o[SLX_F_OPTION_failure_year] / 4 * chips * part_usd;
    if (c->money != SLX_FLEET_NONE)
        m.maintenance_usd = v[c->money + SLX_F_MONEY_maintenance_year] / 4 * first_usd;
    m.rent_usd = hall_w / 1e9 * o[SLX_F_OPTION_rent_usd_gw_year] / 4;
    if (x->route == SLX_FLEET_RENT) return m; /* energy and hall are in the rent */
    m.energy_kwh = hall_w / 1e3 * site[SLX_F_SITE_load] * HOURS_A_QUARTER;
    m.energy_usd = m.energy_kwh * site[SLX_F_SITE_power_usd_kwh];
    m.lease_usd = hall_w / 1e3 * site[SLX_F_SITE_lease_usd_kw_month] * 3;
    return m;
}

double slx_fleet_running_usd(const slx_fleet_rack_costs *m)
{
    return m->repair_usd + m->maintenance_usd + m->energy_usd + m->lease_usd + m->rent_usd;
}

double slx_fleet_rack_usd(const slx_fleet_case *c, const double *v, int option, int q)
{
    return slx_fleet_cost_of_rack(c, v, option, slx_fleet_price(c, v, option, q)).rack_usd;
}

double slx_fleet_quarter_usd(const slx_fleet_case *c, const double *v, int option)
{
    const slx_fleet_option *x = &c->option[option];
    const double *site = v + c->site[x->site].base;
    slx_fleet_rack_costs m = slx_fleet_cost_of_rack(c, v, option, 1);
    double hall_usd = x->route == SLX_FLEET_RENT
                          ? 0
                          : slx_fleet_hall_w(c, v, option) * site[SLX_F_SITE_hall_usd_w];
    return slx_fleet_running_usd(&m) +
           (m.rack_usd + m.spares_usd) /
               slx_fleet_quarters_of(v[x->base + SLX_F_OPTION_life_years]) +
           hall_usd / slx_fleet_quarters_of(site[SLX_F_SITE_hall_life_years]);
}
