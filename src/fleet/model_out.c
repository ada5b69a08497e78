/* model_out.c - what a run gives in all: the outputs of fleet_outputs.def, of each option and of the fleet. */
#include "fleet/model_int.h"

static const double QUARTER_S = 365.25 / 4 * 86400;

static double ratio(double a, double b)
{
    return b > 0 ? a / b : NAN;
}

void slx_fleet_option_outputs(slx_fleet_state *s, int i)
{
    const slx_fleet_case *c = s->c;
    const double *v = s->v + c->option[i].base;
    double *o = s->r->option_out[i], racks = 0;
    double gw_rack = s->w[i] / 1e9;
    for (int q = 0; q < c->quarters; q++) racks = fmax(racks, s->r->cell[i][q].racks);
    bool chip_price = slx_fleet_has(c, c->option[i].base + SLX_F_OPTION_chip_usd);
    o[SLX_FO_racks] = racks;
    o[SLX_FO_chips] = racks * v[SLX_F_OPTION_chips_rack];
    o[SLX_FO_gw] = racks * gw_rack;
    o[SLX_FO_chips_usd] = chip_price ? s->chips_usd[i] : NAN;
    o[SLX_FO_racks_usd] = s->racks_usd[i];
    o[SLX_FO_capex_usd] = s->racks_usd[i] + s->halls_usd[i] + s->other_usd[i];
    o[SLX_FO_racks_usd_gw] = ratio(s->racks_usd[i], o[SLX_FO_gw]);
    o[SLX_FO_chips_usd_gw] = ratio(o[SLX_FO_chips_usd], o[SLX_FO_gw]);
    o[SLX_FO_halls_usd_gw] = ratio(s->halls_usd[i], o[SLX_FO_gw]);
    o[SLX_FO_racks_halls_usd_gw] = o[SLX_FO_racks_usd_gw] + o[SLX_FO_halls_usd_gw];
    bool rented = c->option[i].route == SLX_FLEET_RENT;
    if (s->base_racks[i] > 0 ||
        rented) /* what was paid is for a part of the gigawatts, or for none */
        o[SLX_FO_racks_usd_gw] = o[SLX_FO_chips_usd_gw] = o[SLX_FO_halls_usd_gw] =
            o[SLX_FO_racks_halls_usd_gw] = NAN;
    o[SLX_FO_racks_gw] = 1 / gw_rack;
    o[SLX_FO_chips_gw] = v[SLX_F_OPTION_chips_rack] / gw_rack;
    o[SLX_FO_renewal_chips_usd_year] =
        chip_price && c->quarters > 1 ? 4 * s->renewal_chips_usd[i] / (c->quarters - 1) : NAN;
}

/* Of a quarter: the share of its racks that train in money and in energy. Racks count by what one of their kind costs
 * a quarter; where the demand keeps a share of the fleet for training, that share of those that serve trains too. */
static void training_share(const slx_fleet_state *s, const double *rack_usd, int q, double *usd,
                           double *energy)
{
    const slx_fleet_case *c = s->c;
    double kept = c->demand == SLX_FLEET_NONE ? 0 : s->v[c->demand + SLX_F_DEMAND_training_share];
    double trains_usd = 0, all_usd = 0, trains_kwh = 0, all_kwh = 0;
    *usd = *energy = 0;
    if (c->research == SLX_FLEET_NONE && !(kept > 0)) return;
    for (int i = 0; i < c->n_options; i++) {
        const slx_fleet_cell *x = &s->r->cell[i][q];
        double trains = x->training_racks + kept * (x->racks - x->training_racks);
        double kwh = slx_fleet_cost_of_rack(c, s->v, i, 1).energy_kwh;
        trains_usd += trains * rack_usd[i];
        all_usd += x->racks * rack_usd[i];
        trains_kwh += trains * kwh;
        all_kwh += x->racks * kwh;
    }
    if (all_usd > 0) *usd = trains_usd / all_usd;
    if (all_kwh > 0) *energy = trains_kwh / all_kwh;
}

/* Hall power of racks that are not rented. */
static double own_w(const slx_fleet_state *s, int q)
{
    double w = 0;
    for (int i = 0; i < s->c->n_options; i++)
        if (s->c->option[i].route != SLX_FLEET_RENT) w += s->r->cell[i][q].facility_w;
    return w;
}

void slx_fleet_outputs(slx_fleet_state *s)
{
    const slx_fleet_case *c = s->c;
    double *o = s->r->out, asked = 0, served = 0, could = 0, energy = 0, opex = 0, capex = 0,
           cost = 0, spent = 0, shortfall = 0, warrants = 0, sales = 0, sold = 0, trained = 0,
           planned = 0, investment = 0, training_usd = 0, training_j = 0, own_gw = 0;
    double rack_usd[SLX_FLEET_OPTIONS], racks_usd = 0, halls_usd = 0, chips_usd = 0, renewal = 0,
                                        base = 0;
    double discount = c->money == SLX_FLEET_NONE ? 0 : s->v[c->money + SLX_F_MONEY_discount_year];
    double step = 1 / sqrt(sqrt(1 + discount)), now = 1;
    for (int i = 0; i < c->n_options; i++) rack_usd[i] = slx_fleet_quarter_usd(c, s->v, i);
    for (int q = 0; q < c->quarters; q++, now *= step) {
        const slx_fleet_total *t = &s->r->total[q];
        double racks = 0, chips = 0, part_usd, part_j;
        for (int i = 0; i < c->n_options; i++) {
            racks += s->r->cell[i][q].racks;
            chips += s->r->cell[i][q].racks * s->v[c->option[i].base + SLX_F_OPTION_chips_rack];
        }
        o[SLX_FO_racks] = fmax(q ? o[SLX_FO_racks] : 0, racks);
        o[SLX_FO_chips] = fmax(q ? o[SLX_FO_chips] : 0, chips);
        o[SLX_FO_gw] = fmax(q ? o[SLX_FO_gw] : 0, t->facility_w / 1e9);
        asked += t->tokens_asked;
        served += t->tokens_served;
        could += t->capacity_tok_s * QUARTER_S;
        energy += t->energy_j;
        opex += slx_fleet_opex(t);
        capex += slx_fleet_capex(t);
        double spent_usd = t->depreciation_usd + slx_fleet_opex(t) - t->goods_usd;
        training_share(s, rack_usd, q, &part_usd, &part_j);
        training_usd += part_usd * spent_usd;
        training_j += part_j * t->energy_j;
        own_gw = fmax(own_gw, own_w(s, q) / 1e9);
        spent += spent_usd;
        shortfall += t->shortfall_usd;
        warrants += t->warrants_usd;
        sales += t->sales_usd;
        sold += t->tokens_sold;
        trained += t->training_flop_s;
        planned += t->need_flop_s;
        investment += t->investment_usd;
        cost += now * (slx_fleet_capex(t) + slx_fleet_opex(t) - t->warrants_usd - t->sales_usd);
    }
    for (int i = 0; i < c->n_options; i++) {
        racks_usd += s->racks_usd[i];
        halls_usd += s->halls_usd[i];
        chips_usd += s->r->option_out[i][SLX_FO_chips_usd]; /* NAN when one of them is not known */
        renewal += s->r->option_out[i][SLX_FO_renewal_chips_usd_year];
    }
    for (int i = 0; i < c->n_options; i++) base += s->base_racks[i];
    o[SLX_FO_chips_usd] = chips_usd;
    o[SLX_FO_racks_usd] = racks_usd;
    o[SLX_FO_capex_usd] = capex;
    o[SLX_FO_racks_usd_gw] = ratio(racks_usd, own_gw);
    o[SLX_FO_chips_usd_gw] = ratio(chips_usd, own_gw);
    o[SLX_FO_halls_usd_gw] = ratio(halls_usd, own_gw);
    o[SLX_FO_racks_halls_usd_gw] = o[SLX_FO_racks_usd_gw] + o[SLX_FO_halls_usd_gw];
    if (base > 0)
        o[SLX_FO_racks_usd_gw] = o[SLX_FO_halls_usd_gw] = o[SLX_FO_chips_usd_gw] =
            o[SLX_FO_racks_halls_usd_gw] = NAN;
    o[SLX_FO_racks_gw] = ratio(o[SLX_FO_racks], o[SLX_FO_gw]);
    o[SLX_FO_chips_gw] = ratio(o[SLX_FO_chips], o[SLX_FO_gw]);
    o[SLX_FO_renewal_chips_usd_year] = renewal;
    o[SLX_FO_queries_s] =
        c->demand == SLX_FLEET_NONE ? NAN : slx_fleet_queries_day(c, s->v, 0) / 86400;
    o[SLX_FO_renewal_usd_query] = ratio(renewal, o[SLX_FO_queries_s] * 365.25 * 86400);
    o[SLX_FO_opex_usd] = opex;
    bool agreed = c->n_contracts > 0;
    o[SLX_FO_shortfall_usd] = agreed ? shortfall : NAN;
    o[SLX_FO_warrants_usd] = agreed ? warrants : NAN;
    o[SLX_FO_investment_usd] = agreed ? investment : NAN;
    o[SLX_FO_sales_usd] = c->sales != SLX_FLEET_NONE || sales > 0 ? sales : NAN;
    o[SLX_FO_trained] = ratio(trained, planned);
    /* spending counts at the start of its quarter, what is left on the books at the end of the last */
    o[SLX_FO_cost_usd] = cost - now * s->r->total[c->quarters - 1].book_usd;
    bool trains = c->research != SLX_FLEET_NONE || training_usd > 0;
    o[SLX_FO_training_usd] = trains ? training_usd : NAN;
    o[SLX_FO_training_j] = trains ? training_j : NAN;
    o[SLX_FO_usd_mtok] = ratio((spent - training_usd) * 1e6, served + sold);
    o[SLX_FO_j_token] = ratio(energy - training_j, served + sold);
    o[SLX_FO_served] = ratio(served, asked);
    o[SLX_FO_utilisation] = ratio(served, could);
    if (c->training == SLX_FLEET_NONE) return;
    const double *t = s->v + c->training;
    double chips = s->r->option_out[0][SLX_FO_chips];
    double seconds = ratio(t[SLX_F_TRAINING_flop], t[SLX_F_TRAINING_flop_s_chip] * chips);
    o[SLX_FO_training_days] = seconds / 86400;
    o[SLX_FO_training_mwh] = chips * t[SLX_F_TRAINING_chip_w] * seconds / 3.6e9 *
                             s->v[c->site[c->option[0].site].base + SLX_F_SITE_pue];
}
