/* figures.c - published figures beside ours, and what moves an output: each input alone to its low and its high. */
#include "fleet/fleet_int.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const slx_fleet_case *c;
    const slx_fleet_orders *orders;
    slx_fleet_output of;
    int option;
    double *v;
    slx_fleet_run *run;
} probe;

static double value(const probe *p)
{
    slx_fleet_eval(p->c, &(slx_fleet_future){.v = p->v, .orders = p->orders, .single = -1}, p->run);
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
               slx_xcalloc(1, sizeof(slx_fleet_run))};
    for (int i = 0; i < c->n_in; i++) p.v[i] = c->in[i].mid;
    *a = (slx_fleet_answer){.error = NAN};
    a->ours = value(&p);
    for (int i = 0; i < c->n_in; i++) {
        const slx_fleet_input *in = &c->in[i];
        if (!in->given || in->low == in->high) continue;
        slx_fleet_mover m = {.in = i};
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
