/* risk.c - see risk.h. */
#include "fleet/risk.h"

#include <stdlib.h>
#include <string.h>

#include "fleet/fleet_int.h"
#include "num/num.h"

const double slx_fleet_percentiles[SLX_FLEET_PERCENTILES] = {5, 25, 50, 75, 95};

static const struct {
    const char *name, *unit;
} names[SLX_FR_COUNT] = {{"cost_usd", "USD"},
                         {"capex_usd", "USD"},
                         {"late_gw_years", "GW years"},
                         {"served", "1"},
                         {"usd_mtok", "USD/Mtoken"}};

const char *slx_fleet_risk_name(slx_fleet_risk_output o)
{
    return names[o].name;
}

const char *slx_fleet_risk_unit(slx_fleet_risk_output o)
{
    return names[o].unit;
}

/* ------------------------------------------------------------------ draws */

/* Streams of a future, the last word of Philox's counter. */
enum { FROM_INPUT, FROM_RESPIN, FROM_OPTION, FROM_POOL };

typedef struct {
    uint32_t key[2], n; /* n: the future */
} dice;

/* Two uniform numbers of [0, 1). */
static void roll(const dice *d, uint32_t stream, uint32_t block, double u[2])
{
    uint32_t ctr[4] = {d->n, 0, block, stream}, x[4];
    slx_philox4x32_10(d->key, ctr, x);
    for (int i = 0; i < 2; i++)
        u[i] = (double)((uint64_t)x[2 * i] << 21 | x[2 * i + 1] >> 11) * 0x1p-53;
}

/* Triangular from low to high with its top at mid, by square roots alone. */
static double triangle(const slx_fleet_input *in, double u)
{
    double all = in->high - in->low, rise = in->mid - in->low;
    if (!(all > 0)) return in->mid;
    return u * all < rise ? in->low + sqrt(u * all * rise)
                          : in->high - sqrt((1 - u) * all * (in->high - in->mid));
}

/* An outage begins in a quarter with the chance that makes `year` of them a year, and lasts. */
static void draw_outages(const dice *d, uint32_t stream, int of, double year, double quarters,
                         int n, bool out[SLX_FLEET_QUARTERS])
{
    int lasts = (int)floor(quarters + 0.5);
    double chance = year / 4, u[2];
    if (!(year > 0) || !lasts) return;
    for (int q = 0; q < n; q++) {
        if (!(q & 1)) roll(d, stream, (uint32_t)(of * SLX_FLEET_QUARTERS + q) / 2, u);
        for (int k = q; u[q & 1] < chance && k < n && k < q + lasts; k++) out[k] = true;
    }
}

static void draw(const slx_fleet_case *c, const dice *d, double *v, slx_fleet_events *e)
{
    double u[2];
    for (int i = 0; i < c->n_in; i++) {
        v[i] = c->in[i].mid;
        if (!c->in[i].given || c->in[i].low == c->in[i].high) continue;
        roll(d, FROM_INPUT, (uint32_t)i, u);
        v[i] = triangle(&c->in[i], u[0]);
    }
    memset(e, 0, sizeof *e);
    for (int i = 0; i < c->n_options; i++) {
        const double *o = v + c->option[i].base;
        roll(d, FROM_RESPIN, (uint32_t)i, u);
        e->respin[i] = u[0] < o[SLX_F_OPTION_respin_probability];
        e->slip[i] = (int)floor(o[SLX_F_OPTION_slip_quarters] + 0.5);
        draw_outages(d, FROM_OPTION, i, o[SLX_F_OPTION_outage_year],
                     o[SLX_F_OPTION_outage_quarters], c->quarters, e->option_out[i]);
    }
    for (int p = 0; p < c->n_pools; p++) {
        const double *o = v + c->pool[p].base;
        draw_outages(d, FROM_POOL, p, o[SLX_F_POOL_outage_year], o[SLX_F_POOL_outage_quarters],
                     c->quarters, e->pool_out[p]);
    }
}

/* ------------------------------------------------------------------ one future, many futures */

typedef struct {
    const slx_fleet_case *c;
    const slx_fleet_orders *orders;
    const slx_fleet_run *plan; /* of the mids, without chance */
    uint64_t seed;
    int n, single;
    double *out;                /* [SLX_FR_COUNT][n] */
    float *gw, *spent, *served; /* [quarters][n]; NULL = not asked for */
} job;

static void judge(const job *j, int n, const double *v, const slx_fleet_run *r)
{
    double late, penalty = slx_fleet_penalty(j->c, v, j->plan, r, &late), spent = 0;
    for (int q = 0; q < j->c->quarters && j->gw; q++) {
        const slx_fleet_total *t = &r->total[q];
        size_t at = (size_t)q * (size_t)j->n + (size_t)n;
        spent += slx_fleet_capex(t) + slx_fleet_opex(t);
        j->gw[at] = (float)(t->facility_w / 1e9);
        j->spent[at] = (float)spent;
        j->served[at] = t->tokens_asked > 0 ? (float)(t->tokens_served / t->tokens_asked) : NAN;
    }
    const double out[SLX_FR_COUNT] = {r->out[SLX_FO_cost_usd] + penalty, r->out[SLX_FO_capex_usd],
                                      late, r->out[SLX_FO_served], r->out[SLX_FO_usd_mtok]};
    for (int o = 0; o < SLX_FR_COUNT; o++) j->out[(size_t)o * (size_t)j->n + (size_t)n] = out[o];
}

static void work(void *arg, int member, int members)
{
    const job *j = arg;
    const slx_fleet_case *c = j->c;
    double *v = slx_xcalloc((size_t)c->n_in, sizeof *v);
    slx_fleet_events *e = slx_xcalloc(1, sizeof *e);
    slx_fleet_run *r = slx_xcalloc(1, sizeof *r);
    int from = (int)((int64_t)j->n * member / members),
        to = (int)((int64_t)j->n * (member + 1) / members);
    for (int n = from; n < to; n++) {
        draw(c, &(dice){{(uint32_t)j->seed, (uint32_t)(j->seed >> 32)}, (uint32_t)n}, v, e);
        slx_fleet_eval(
            c, &(slx_fleet_future){.v = v, .orders = j->orders, .events = e, .single = j->single},
            r);
        judge(j, n, v, r);
    }
    free(r);
    free(e);
    free(v);
}

/* ------------------------------------------------------------------ what they have in common */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts v. A percentile is the value of nearest rank. */
static slx_fleet_spread spread(double *v, int n)
{
    slx_fleet_spread s = {.mean = 0};
    for (int i = 0; i < n; i++) s.mean += v[i] / n;
    if (isnan(s.mean)) {
        for (int p = 0; p < SLX_FLEET_PERCENTILES; p++) s.p[p] = NAN;
        return s;
    }
    qsort(v, (size_t)n, sizeof *v, by_value);
    for (int p = 0; p < SLX_FLEET_PERCENTILES; p++) {
        int at = (int)ceil(slx_fleet_percentiles[p] / 100 * n) - 1;
        s.p[p] = v[at < 0 ? 0 : at];
    }
    return s;
}

typedef struct {
    const job *j;
    slx_fleet_risk *r;
} summary;

static void summarise(void *arg, int member, int members)
{
    const summary *s = arg;
    const job *j = s->j;
    double *v = slx_xcalloc((size_t)j->n, sizeof *v);
    for (int k = member; k < 3 * s->r->quarters; k += members) {
        int q = k / 3;
        const float *from = (k % 3 == 0   ? j->gw
                             : k % 3 == 1 ? j->spent
                                          : j->served) +
                            (size_t)q * (size_t)j->n;
        slx_fleet_spread *to = k % 3 == 0   ? &s->r->gw[q]
                               : k % 3 == 1 ? &s->r->spent[q]
                                            : &s->r->served[q];
        for (int i = 0; i < j->n; i++) v[i] = from[i];
        *to = spread(v, j->n);
    }
    free(v);
}

static double mean_of(const job *j, slx_fleet_risk_output o, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += j->out[(size_t)o * (size_t)j->n + (size_t)i] / n;
    return sum;
}

static slx_fleet_spread unknown_spread(void)
{
    slx_fleet_spread s = {.mean = NAN};
    for (int p = 0; p < SLX_FLEET_PERCENTILES; p++) s.p[p] = NAN;
    return s;
}

/* Cost of one against that of the mix, in the same futures; its mean is that of the differences. */
static slx_fleet_spread against(const job *one, const job *mix, int n)
{
    const double *a = one->out + (size_t)SLX_FR_COST * (size_t)n;
    const double *b = mix->out + (size_t)SLX_FR_COST * (size_t)mix->n;
    double *d = slx_xcalloc((size_t)n, sizeof *d);
    for (int i = 0; i < n; i++) d[i] = a[i] - b[i];
    slx_fleet_spread s = spread(d, n);
    free(d);
    return s;
}

/* Share of the training that one option's racks do when they take what all were to deliver, all as planned. */
static double trained_alone(const job *j, int option)
{
    slx_fleet_run *r = slx_xcalloc(1, sizeof *r);
    slx_fleet_eval(j->c, &(slx_fleet_future){.orders = j->orders, .single = option}, r);
    double trained = r->out[SLX_FO_trained];
    free(r);
    return trained;
}

/* Where all racks are planned or chosen, and from more than one: each alone, in the same futures. */
static void compare_singles(job *j, slx_team *team, slx_fleet_risk *r)
{
    const slx_fleet_case *c = j->c;
    int racks = 0;
    for (int i = 0; i < c->n_options; i++) {
        if (c->option[i].deploy == SLX_FLEET_DEMAND) return;
        racks += c->option[i].route != SLX_FLEET_RENT;
    }
    if (racks < 2) return;
    int n = r->single_futures = j->n < 2000 ? j->n : 2000;
    double best = INFINITY;
    r->mix_cost = mean_of(j, SLX_FR_COST, n);
    job one = *j;
    one.n = n;
    one.gw = NULL;
    one.out = slx_xcalloc((size_t)n * SLX_FR_COUNT, sizeof *one.out);
    for (int i = 0; i < c->n_options; i++) {
        if (c->option[i].route == SLX_FLEET_RENT) continue;
        one.single = i;
        double trained = trained_alone(j, i);
        bool priced = c->limits != SLX_FLEET_NONE &&
                      slx_fleet_has(c, c->limits + SLX_F_LIMITS_untrained_usd_flop);
        if (!priced && trained < j->plan->out[SLX_FO_trained] * (1 - 1e-9)) {
            r->refused[r->n_refused++] = (slx_fleet_refused){i, trained};
            continue;
        }
        slx_team_run(team, work, &one);
        slx_fleet_single *s = &r->single[r->n_single++];
        s->against = against(&one, j, n); /* before spread() sorts what it needs */
        s->option = i;
        s->trained = trained;
        s->cost = spread(one.out + (size_t)SLX_FR_COST * (size_t)n, n);
        s->late = spread(one.out + (size_t)SLX_FR_LATE * (size_t)n, n);
        if (s->cost.mean < best) r->second_source = s->against;
        best = fmin(best, s->cost.mean);
    }
    free(one.out);
}

slx_fleet_risk *slx_fleet_risk_run(const slx_fleet_case *c, const slx_fleet_orders *orders,
                                   const slx_fleet_risk_options *o)
{
    size_t n = (size_t)o->futures, cells = n * (size_t)c->quarters;
    slx_fleet_risk *r = slx_xcalloc(1, sizeof *r);
    slx_fleet_run *plan = slx_xcalloc(1, sizeof *plan);
    slx_team *team = slx_team_open(o->threads ? o->threads : slx_host_threads());
    job j = {.c = c,
             .orders = orders,
             .plan = plan,
             .seed = o->seed,
             .n = o->futures,
             .single = -1,
             .out = slx_xcalloc(n * SLX_FR_COUNT, sizeof(double)),
             .gw = slx_xcalloc(cells, sizeof(float)),
             .spent = slx_xcalloc(cells, sizeof(float)),
             .served = slx_xcalloc(cells, sizeof(float))};
    *r = (slx_fleet_risk){.futures = o->futures,
                          .quarters = c->quarters,
                          .seed = o->seed,
                          .second_source = unknown_spread()};
    slx_fleet_eval(c, &(slx_fleet_future){.orders = orders, .single = -1}, plan);
    double start_s = slx_now_s();
    slx_team_run(team, work, &j);
    r->seconds = slx_now_s() - start_s;
    compare_singles(&j, team, r);
    slx_team_run(team, summarise, &(summary){&j, r});
    for (int k = 0; k < SLX_FR_COUNT; k++) r->out[k] = spread(j.out + (size_t)k * n, o->futures);
    slx_team_close(team);
    free(j.out);
    free(j.gw);
    free(j.spent);
    free(j.served);
    free(plan);
    return r;
}

void slx_fleet_risk_free(slx_fleet_risk *r)
{
    free(r);
}
