/* load.c - what the racks in service do in a quarter of one future: train, serve the case's own users, serve others.
 *
 *   racks in service --as much as the training needs--> train
 *         '--> write tokens --up to the peak of own users--> served
 *                    '--what is idle, up to a share--> sold
 *
 * Racks that serve read prompts and write answers, in turn: their tokens/s are of tokens written, with what reading
 * takes.
 * Training comes first: it goes to the options that give up the fewest tokens for it. Without a training load, sales
 * or batch work all racks serve.
 */
#include "fleet/model_int.h"

static const double QUARTER_S = 365.25 / 4 * 86400;

/* Mean tokens written a second, batch work included. */
static double asked_tok_s(const slx_fleet_case *c, const double *v, int q)
{
    return c->demand == SLX_FLEET_NONE
               ? 0
               : slx_fleet_queries_day(c, v, q) / 86400 * v[c->demand + SLX_F_DEMAND_tokens_out];
}

double slx_fleet_need_tok_s(const slx_fleet_case *c, const double *v, int q)
{
    const double *d = v + c->demand;
    if (c->demand == SLX_FLEET_NONE) return 0;
    /* batch work waits for the valley of the day: it adds to the need only where the valley is too small for it */
    double busiest = fmax(1, (1 - d[SLX_F_DEMAND_batch_share]) * d[SLX_F_DEMAND_peak]);
    return asked_tok_s(c, v, q) * busiest * (1 + d[SLX_F_DEMAND_reserve]) /
           (1 - d[SLX_F_DEMAND_training_share]);
}

double slx_fleet_need_flop_s(const slx_fleet_case *c, const double *v, int q)
{
    if (c->research == SLX_FLEET_NONE) return 0;
    return slx_fleet_at(c, v, c->research + SLX_F_RESEARCH_flop, q) / QUARTER_S;
}

/* A chip shares its time: of each token written, 1 / tok_s seconds to write it, and what reading its part of the prompt
 * takes. */
double slx_fleet_both_tok_s(double write_tok_s, double read_tok_s, double tokens_in,
                            double tokens_out)
{
    return 1 / (1 / write_tok_s + tokens_in / tokens_out / read_tok_s);
}

double slx_fleet_rack_tok_s(const slx_fleet_case *c, const double *v, int option)
{
    const double *o = v + c->option[option].base;
    double tok_s = o[SLX_F_OPTION_tok_s];
    if (!slx_fleet_has(c, c->option[option].base + SLX_F_OPTION_tok_s)) return 0;
    if (slx_fleet_has(c, c->option[option].base + SLX_F_OPTION_read_tok_s))
        tok_s = slx_fleet_both_tok_s(tok_s, o[SLX_F_OPTION_read_tok_s],
                                     v[c->demand + SLX_F_DEMAND_tokens_in],
                                     v[c->demand + SLX_F_DEMAND_tokens_out]);
    return o[SLX_F_OPTION_chips_rack] * tok_s * o[SLX_F_OPTION_use];
}

double slx_fleet_rack_flop_s(const slx_fleet_case *c, const double *v, int option)
{
    const double *o = v + c->option[option].base;
    if (!slx_fleet_has(c, c->option[option].base + SLX_F_OPTION_flop_s)) return 0;
    return o[SLX_F_OPTION_chips_rack] * o[SLX_F_OPTION_flop_s];
}

/* The option not yet taken that trains most for each token it does not write; -1 when none is left. */
static int next_trainer(const slx_fleet_state *s, const bool *taken)
{
    int best = -1;
    double best_tok = 0, best_flop = 0;
    for (int i = 0; i < s->c->n_options; i++) {
        double tok = slx_fleet_rack_tok_s(s->c, s->v, i),
               flop = slx_fleet_rack_flop_s(s->c, s->v, i);
        if (taken[i] || !(flop > 0)) continue;
        if (best >= 0 && !(flop * best_tok > best_flop * tok)) continue;
        best = i;
        best_tok = tok;
        best_flop = flop;
    }
    return best;
}

static void train(slx_fleet_state *s, int q)
{
    slx_fleet_total *t = &s->r->total[q];
    bool taken[SLX_FLEET_OPTIONS] = {false};
    double left = t->need_flop_s = slx_fleet_need_flop_s(s->c, s->v, q);
    for (int i; left > 0 && (i = next_trainer(s, taken)) >= 0; taken[i] = true) {
        slx_fleet_cell *x = &s->r->cell[i][q];
        double rack = slx_fleet_rack_flop_s(s->c, s->v, i);
        x->training_racks = fmin(x->racks, left / rack);
        t->training_flop_s += x->training_racks * rack;
        left -= x->training_racks * rack;
    }
}

static void sell(slx_fleet_state *s, int q, double gw)
{
    const slx_fleet_case *c = s->c;
    slx_fleet_total *t = &s->r->total[q];
    if (c->sales == SLX_FLEET_NONE || q < (int)s->v[c->sales + SLX_F_SALES_from_quarters]) return;
    const double *v = s->v + c->sales;
    int target = c->limits + SLX_F_LIMITS_target_gw;
    double part = v[SLX_F_SALES_share], price = v[SLX_F_SALES_price];
    if (c->in[c->sales + SLX_F_SALES_price].unit == SLX_FLEET_USD_MTOK) {
        double idle = fmax(0, t->capacity_tok_s - t->need_tok_s);
        t->tokens_sold = fmin(part * t->capacity_tok_s, idle) * v[SLX_F_SALES_sold] * QUARTER_S;
        t->sales_usd += t->tokens_sold / 1e6 * price;
    } else {
        bool own = c->limits != SLX_FLEET_NONE && slx_fleet_has(c, target);
        double idle = fmax(0, gw - (own ? slx_fleet_at(c, s->v, target, q) : 0));
        t->gw_sold = fmin(part * gw, idle) * v[SLX_F_SALES_sold];
        t->sales_usd += t->gw_sold * price / 4;
    }
}

void slx_fleet_share_out(slx_fleet_state *s, int q)
{
    const slx_fleet_case *c = s->c;
    slx_fleet_total *t = &s->r->total[q];
    train(s, q);
    for (int i = 0; i < c->n_options; i++) {
        const slx_fleet_cell *x = &s->r->cell[i][q];
        t->capacity_tok_s += (x->racks - x->training_racks) * slx_fleet_rack_tok_s(c, s->v, i);
        t->facility_w += x->facility_w;
        t->it_w += x->racks * s->v[c->option[i].base + SLX_F_OPTION_rack_kw] * 1e3;
        SLX_ASSERT(x->training_racks <= x->racks);
    }
    t->tokens_asked = asked_tok_s(c, s->v, q) * QUARTER_S;
    t->tokens_served =
        t->need_tok_s > 0 ? t->tokens_asked * fmin(1, t->capacity_tok_s / t->need_tok_s) : 0;
    sell(s, q, t->facility_w / 1e9);
}
