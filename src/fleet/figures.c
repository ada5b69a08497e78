/* figures.c - published figures beside ours, and what moves an output: each input alone to its low and its high. */
#include "fleet/fleet_int.h"

#include <stdlib.h>
#include <string.h>

static const double QUARTER_S = 365.25 / 4 * 86400;

typedef struct {
    const slx_fleet_case *c;
    const slx_fleet_orders *orders;
    slx_fleet_output of;
    int option;
    double *v;
    slx_fleet_run *run, *plan; /* plan: of the mids */
} probe;

static double price_of(const slx_fleet_case *c, const double *v, int key)
{
    int in = c->limits + key;
    return c->limits != SLX_FLEET_NONE && slx_fleet_has(c, in) ? v[in] : 0;
}

double slx_fleet_penalty(const slx_fleet_case *c, const double *v, const slx_fleet_run *plan,
                         const slx_fleet_run *r, double *late_gw_years)
{
    double rate = c->money == SLX_FLEET_NONE ? 0 : v[c->money + SLX_F_MONEY_discount_year];
    double step = 1 / sqrt(sqrt(1 + rate)), now = 1, late = 0, usd = 0;
    double late_usd = price_of(c, v, SLX_F_LIMITS_late_usd_gw_year);
    double flop_usd = price_of(c, v, SLX_F_LIMITS_untrained_usd_flop) * QUARTER_S;
    double short_usd = price_of(c, v, SLX_F_LIMITS_shortage_usd_mtok) / 1e6;
    bool planned = true;
    for (int i = 0; i < c->n_options; i++) planned &= c->option[i].deploy != SLX_FLEET_DEMAND;
    for (int q = 0; q < c->quarters; q++, now *= step) {
        const slx_fleet_total *t = &r->total[q];
        double gw = planned ? fmax(0, plan->total[q].facility_w - t->facility_w) / 1e9 : 0;
        late += gw / 4;
        usd += now * (gw / 4 * late_usd + short_usd * (t->tokens_asked - t->tokens_served) +
                      flop_usd * (t->need_flop_s - t->training_flop_s));
    }
    *late_gw_years = planned ? late : NAN;
    return usd;
}

static double value(const probe *p)
{
    slx_fleet_eval(p->c, &(slx_fleet_future){.v = p->v, .orders = p->orders, .single = -1}, p->run);
    double late;
    if (p->option < 0 && p->of == SLX_FO_cost_usd)
        return p->run->out[p->of] + slx_fleet_penalty(p->c, p->v, p->plan, p->run, &late);
    return p->option < 0 ? p->run->out[p->of] : p->run->option_out[p->option][p->of];
}

static double reach(const slx_fleet_mover *m, double ours)
{
    double a = fabs(m->at_low - ours), b = fabs(m->at_high - ours);
    return isnan(a) || isnan(b) ? INFINITY : fmax(a, b);
}

/* Keeps the strongest, in order; of equals the first of the file stays first. */
static void keep(slx_fleet_answer *a, slx_fleet_mover m)
{
    int at = a->n_movers;
    while (at && reach(&a->mover[at - 1], a->ours) < reach(&m, a->ours)) at--;
    if (at == SLX_FLEET_MOVERS) return;
    if (a->n_movers < SLX_FLEET_MOVERS) a->n_movers++;
    for (int i = a->n_movers - 1; i > at; i--) a->mover[i] = a->mover[i - 1];
    a->mover[at] = m;
}

void slx_fleet_movers(const slx_fleet_case *c, const slx_fleet_orders *orders, slx_fleet_output o,
                      int option, slx_fleet_answer *a)
{
    probe p = {c,
               orders,
               o,
               option,
               slx_xcalloc((size_t)c->n_in, sizeof(double)),
               slx_xcalloc(1, sizeof(slx_fleet_run)),
               slx_xcalloc(1, sizeof(slx_fleet_run))};
    slx_fleet_eval(c, &(slx_fleet_future){.orders = orders, .single = -1}, p.plan);
    for (int i = 0; i < c->n_in; i++) p.v[i] = c->in[i].mid;
    *a = (slx_fleet_answer){.error = NAN};
    a->ours = value(&p);
    for (int i = 0; i < c->n_in; i++) {
        const slx_fleet_input *in = &c->in[i];
        if (!in->given || in->low == in->high) continue;
        slx_fleet_mover m = {.in = i, .low = in->low, .high = in->high, .free = in->free};
        p.v[i] = in->low;
        m.at_low = value(&p);
        p.v[i] = in->high;
        m.at_high = value(&p);
        p.v[i] = in->mid;
        if (!(reach(&m, a->ours) > 1e-12 * fabs(a->ours))) continue;
        keep(a, m);
        if (in->free && a->n_free < SLX_FLEET_MOVERS) a->free_in[a->n_free++] = i;
    }
    free(p.v);
    free(p.run);
    free(p.plan);
}

slx_status slx_fleet_answer_figure(slx_fleet_case *c, int i, const slx_fleet_orders *orders,
                                   slx_fleet_answer *a)
{
    const slx_fleet_public *p = &c->figure[i];
    size_t bytes = sizeof *c->in * (size_t)c->n_in;
    slx_fleet_input *kept = slx_xmalloc(bytes);
    memcpy(kept, c->in, bytes);
    slx_status s =
        p->variant < 0 ? SLX_OK : slx_fleet_use_variant(c, c->variant[p->variant].name, NULL);
    if (!s) {
        slx_fleet_movers(c, orders, p->of, p->option, a);
        a->error = a->ours / p->published - 1;
    }
    memcpy(c->in, kept, bytes);
    free(kept);
    return s;
}
