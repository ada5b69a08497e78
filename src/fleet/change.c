/* change.c - see change.h. */
#include "fleet/change.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double WORTH_TELLING_GW =
    0.01; /* less is the rounding of lots and the gap of the proof */

static void try_value(slx_fleet_case *c, const slx_fleet_run *run, const slx_milp_limits *l,
                      slx_fleet_change *x)
{
    slx_fleet_input *in = &c->in[x->in], kept = *in;
    slx_fleet_plan *p = slx_fleet_plan_new();
    slx_err e = {0};
    in->low = in->mid = in->high = x->value;
    x->feasible = !slx_fleet_plan_solve(c, l, p, &e);
    if (x->feasible) {
        slx_fleet_run *r = slx_xcalloc(1, sizeof *r);
        slx_fleet_eval(c, &(slx_fleet_future){.orders = &p->orders, .single = -1}, r);
        x->cost_usd = p->cost_usd;
        for (int i = 0; i < c->n_options; i++) {
            x->gw[i] = r->option_out[i][SLX_FO_gw];
            x->moved_gw += fabs(x->gw[i] - run->option_out[i][SLX_FO_gw]) / 2;
        }
        free(r);
    } else {
        snprintf(x->why, sizeof x->why, "%.300s", e.msg);
    }
    *in = kept;
    slx_fleet_plan_free(p);
}

/* No plan at all first, then the largest; of equals the first of the file stays first. */
static int by_weight(const void *a, const void *b)
{
    const slx_fleet_change *x = a, *y = b;
    if (x->feasible != y->feasible) return x->feasible ? 1 : -1;
    if (x->moved_gw != y->moved_gw) return x->moved_gw < y->moved_gw ? 1 : -1;
    return x->in != y->in ? x->in - y->in : x->high - y->high;
}

slx_fleet_changes *slx_fleet_changes_run(slx_fleet_case *c, const slx_fleet_run *run,
                                         const slx_milp_limits *l)
{
    slx_progress progress;
    if (!slx_fleet_must_plan(c)) return NULL;
    slx_fleet_changes *all = slx_xcalloc(1, sizeof *all);
    all->change = slx_xcalloc((size_t)c->n_in * 2, sizeof *all->change);
    slx_progress_start(&progress, "changes of the plan");
    for (int i = 0; i < c->n_in; i++) {
        const slx_fleet_input *in = &c->in[i];
        slx_progress_at(&progress, (double)i / c->n_in);
        for (int high = 0; high < 2 && in->given && in->low < in->high; high++) {
            slx_fleet_change *x = &all->change[all->n];
            *x = (slx_fleet_change){.in = i, .value = high ? in->high : in->low, .high = high};
            if (x->value == in->mid) continue;
            try_value(c, run, l, x);
            all->tried++;
            all->n += !x->feasible || x->moved_gw > WORTH_TELLING_GW;
        }
    }
    slx_progress_end(&progress);
    qsort(all->change, (size_t)all->n, sizeof *all->change, by_weight);
    return all;
}

void slx_fleet_changes_free(slx_fleet_changes *x)
{
    if (!x) return;
    free(x->change);
    free(x);
}
