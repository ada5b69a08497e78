/* broken.c - see broken.h. */
#include "fleet/broken.h"

#include <stdlib.h>
#include <string.h>

#include "fleet/fleet_int.h"

typedef struct {
    const slx_fleet_case *c;
    const slx_fleet_run *r;
    slx_fleet_broken *out;
    int n;
} search;

/* Relative miss of a limit: of a need what is short of it, of the others what is beyond it. */
static double miss(slx_fleet_limit_kind kind, double found, double limit)
{
    return (kind <= SLX_FL_TRAINING ? limit - found : found - limit) / fmax(fabs(limit), 1e-12);
}

static void check(search *s, slx_fleet_limit_kind kind, int of, int q, double found, double limit)
{
    int i = 0;
    double by = miss(kind, found, limit);
    if (!(by > 1e-6)) return;
    while (i < s->n && (s->out[i].l.kind != kind || s->out[i].l.of != of)) i++;
    if (i == SLX_FLEET_LIMITS) return; /* of the kinds here, never so many */
    if (i == s->n) s->out[s->n++] = (slx_fleet_broken){.l = {kind, of, q, q, 0, 0}, .worst = -1};
    slx_fleet_broken *b = &s->out[i];
    b->l.last = q;
    b->l.quarters++;
    if (b->worst >= 0 && by <= miss(kind, b->found, b->limit)) return;
    b->worst = q;
    b->found = found;
    b->limit = limit;
}

static bool given(const slx_fleet_case *c, int base, int key)
{
    return base != SLX_FLEET_NONE && slx_fleet_has(c, base + key);
}

static void check_needs(search *s, const double *v, int q)
{
    const slx_fleet_case *c = s->c;
    const slx_fleet_total *t = &s->r->total[q];
    bool must = c->limits != SLX_FLEET_NONE &&
                !given(c, c->limits, SLX_F_LIMITS_shortage_usd_mtok) && t->need_tok_s > 0;
    if (must) check(s, SLX_FL_DEMAND, 0, q, t->capacity_tok_s, t->need_tok_s);
    if (given(c, c->limits, SLX_F_LIMITS_target_gw))
        check(s, SLX_FL_TARGET, 0, q, t->facility_w / 1e9,
              slx_fleet_at(c, v, c->limits + SLX_F_LIMITS_target_gw, q));
    if (t->need_flop_s > 0)
        check(s, SLX_FL_TRAINING, 0, q, t->training_flop_s / 1e15, t->need_flop_s / 1e15);
}

/* What suppliers invest and was not spent before comes on top of a quarter's budget. */
static void check_budget(search *s, const double *v, int q, double *invested_usd)
{
    const slx_fleet_total *t = &s->r->total[q];
    if (!given(s->c, s->c->money, SLX_F_MONEY_budget)) return;
    double budget = slx_fleet_at(s->c, v, s->c->money + SLX_F_MONEY_budget, q);
    *invested_usd += t->investment_usd;
    check(s, SLX_FL_BUDGET, 0, q, slx_fleet_capex(t), budget + *invested_usd);
    *invested_usd -= fmin(*invested_usd, fmax(0, slx_fleet_capex(t) - budget));
}

static void check_shares(search *s, const double *v, int q)
{
    const slx_fleet_case *c = s->c;
    if (c->limits == SLX_FLEET_NONE || q < v[c->limits + SLX_F_LIMITS_share_from]) return;
    double share = v[c->limits + SLX_F_LIMITS_supplier_share];
    for (int i = 0; i < c->n_options && share < 1; i++) {
        double w = 0;
        bool first = true;
        for (int k = 0; k < c->n_options; k++) {
            if (strcmp(c->option[k].supplier, c->option[i].supplier)) continue;
            first &= k >= i;
            w += s->r->cell[k][q].facility_w;
        }
        if (first && w > 0) check(s, SLX_FL_SHARE, i, q, w / s->r->total[q].facility_w, share);
    }
}

int slx_fleet_broken_limits(const slx_fleet_case *c, const slx_fleet_run *r,
                            slx_fleet_broken out[SLX_FLEET_LIMITS])
{
    search s = {c, r, out, 0};
    double *v = slx_xcalloc((size_t)c->n_in, sizeof *v), invested_usd = 0;
    for (int i = 0; i < c->n_in; i++) v[i] = c->in[i].mid;
    for (int q = 0; q < c->quarters; q++) {
        check_needs(&s, v, q);
        check_budget(&s, v, q, &invested_usd);
        check_shares(&s, v, q);
    }
    free(v);
    return s.n;
}
