/* cli_fleet.c - silex fleet: years of deployment, supply and money, in text. */
#include "cli/cli_fleet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"

typedef struct {
    cli_list set;
    const char *variant, *html, *diff;
    double gap_percent, seconds;
    int64_t futures, seed, threads;
    bool own, json, keys;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"set", 0, CLI_LIST, "KEY=VALUE", AT(set), 0, 0, NULL,
     "one figure changed, as options.h100.tok_s=25; of a series, a factor; may be repeated"},
    {"variant", 0, CLI_TEXT, "NAME", AT(variant), 0, 0, NULL,
     "another reading of the case, as it names them"},
    {"gap", 0, CLI_REAL, "PERCENT", AT(gap_percent), 0, 100, NULL,
     "how far from the cheapest plan is near enough, where suppliers are chosen (0.4)"},
    {"seconds", 0, CLI_REAL, "S", AT(seconds), 0.1, 86400, NULL, "most time for the plan (60)"},
    {"own", 0, CLI_FLAG, NULL, AT(own), 0, 0, NULL,
     "the demand served by the case's own: chips and models, with the throughput that silex "
     "computes"},
    {"futures", 0, CLI_COUNT, "N", AT(futures), 0, SLX_FLEET_FUTURES_MAX, NULL,
     "risk: so many futures, each with inputs from their bands, slips, respins and outages (0)"},
    {"seed", 0, CLI_COUNT, "N", AT(seed), 0, 9e15, NULL,
     "of the futures: the same seed gives the same bytes (1)"},
    {"threads", 't', CLI_COUNT, "N", AT(threads), 1, 1024, NULL, "for the futures (all CPUs)"},
    {"keys", 0, CLI_FLAG, NULL, AT(keys), 0, 0, NULL, "the reference of every figure of a case"},
    {"html", 0, CLI_TEXT, "FILE", AT(html), 0, 0, NULL,
     "a page with charts as well; its risk takes 20000 futures unless told otherwise"},
    {"diff", 0, CLI_TEXT, "CASE", AT(diff), 0, 0, NULL,
     "another case beside this one, with the same options"},
    {"json", 0, CLI_FLAG, NULL, AT(json), 0, 0, NULL, "one JSON object"},
    {0},
};
static const values defaults = {.gap_percent = 0.4, .seconds = 60, .futures = -1, .seed = 1};

/* ------------------------------------------------------------------ figures */

/* Three digits, and a prefix from a thousand on. */
static const char *amount(char out[32], double v)
{
    if (isnan(v)) return "not known";
    if (fabs(v) < 999.5) {
        snprintf(out, 32, "%.3g", v);
        return out;
    }
    cli_short(out, v, "");
    out[strlen(out) - (out[strlen(out) - 1] == ' ')] = 0;
    return out;
}

static const char *signed_amount(char out[32], double v)
{
    char text[32];
    snprintf(out, 32, "%c%.30s", v < 0 ? '-' : '+', amount(text, fabs(v)));
    return out;
}

static void print_movers(const slx_fleet_case *c, const slx_fleet_answer *a, int most)
{
    char t[4][32];
    for (int i = 0; i < a->n_movers && i < most; i++) {
        const slx_fleet_mover *m = &a->mover[i];
        const slx_fleet_input *in = &c->in[m->in];
        printf("    %-34s %s..%s gives %s..%s%s\n", in->path, amount(t[0], m->low),
               amount(t[1], m->high), amount(t[2], m->at_low), amount(t[3], m->at_high),
               m->free ? "  (free)" : "");
    }
}

static void print_figures(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    for (int i = 0; i < c->n_figures; i++) {
        const slx_fleet_public *p = &c->figure[i];
        const slx_fleet_answer *a = &f->answer[i];
        char ours[32], public[32];
        if (!i) printf("\npublished figures\n");
        printf("  %-30s published %8s  ours %8s  %+.1f %%  %s%s%s%s\n", p->name,
               amount(public, p->published), amount(ours, a->ours), 100 * a->error,
               slx_fleet_output_unit(p->of), p->variant < 0 ? "" : ", ",
               p->variant < 0 ? "" : c->variant[p->variant].name,
               fabs(a->error) <= p->within ? "" : "  beyond what is claimed");
        print_movers(c, a, 4);
    }
}

/* ------------------------------------------------------------------ the plan */

static void print_deliveries(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    for (int i = 0; i < c->n_options; i++) {
        const slx_fleet_option *o = &c->option[i];
        int lead = (int)c->in[o->base + SLX_F_OPTION_lead_quarters].mid, first = -1, last = -1;
        double racks = 0;
        char a[16], b[16], text[32], usd[32], ahead[48] = "";
        if (lead) snprintf(ahead, sizeof ahead, ", ordered %d quarters before", lead);
        if (o->deploy != SLX_FLEET_CHOOSE) continue;
        for (int q = 0; q < c->quarters; q++) {
            if (!(f->run->cell[i][q].delivered > 0)) continue;
            first = first < 0 ? q : first;
            last = q;
            racks += f->run->cell[i][q].delivered;
        }
        if (first < 0 && isnan(f->plan->cheaper[i]))
            printf("  %-20s nothing: cannot deliver in time\n", o->name);
        else if (first < 0 && f->plan->cheaper[i] < 0.0005)
            printf("  %-20s nothing: not worth its development\n", o->name);
        else if (first < 0)
            printf("  %-20s nothing: would be bought if its racks cost %.1f %% less\n", o->name,
                   100 * f->plan->cheaper[i]);
        else
            printf("  %-20s %s racks for %s USD, delivered %s to %s%s\n", o->name,
                   amount(text, racks), amount(usd, f->run->option_out[i][SLX_FO_capex_usd]),
                   slx_fleet_quarter(a, c, first), slx_fleet_quarter(b, c, last), ahead);
    }
}

static void print_plan(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    const slx_fleet_plan *p = f->plan;
    char cost[32], name[96], a[16], b[16];
    if (!p) return;
    printf(
        "\nplan: %s USD, within %.2f %% of the cheapest there is%s (%d columns, %d rows, %.1f s)\n",
        amount(cost, p->cost_usd), 100 * p->gap,
        p->state == SLX_MILP_TIME ? ", stopped by time" : "", p->columns, p->rows, p->seconds);
    print_deliveries(f);
    if (p->short_tokens > 0)
        printf("  not served: %s tokens, at their price\n", amount(cost, p->short_tokens));
    for (int i = 0; i < p->n_binding; i++) {
        const slx_fleet_limit *l = &p->binding[i];
        bool needed = l->kind <= SLX_FL_TRAINING;
        printf("  %s %s, %s", needed ? "set by" : "limited by", slx_fleet_limit_name(name, c, l),
               slx_fleet_quarter(a, c, l->first));
        if (l->last > l->first)
            printf(" to %s (%d quarters)", slx_fleet_quarter(b, c, l->last), l->quarters);
        printf(": one %s %s %s up to %s USD\n", slx_fleet_limit_unit(c, l),
               needed ? "less" : "more", "would save", amount(cost, l->price_usd));
    }
}

/* ------------------------------------------------------------------ contracts */

/* Of each: what was due and taken by the end, what was paid for the rest, and the equity it brought. */
static void print_contracts(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    char a[4][32], name[16];
    for (int k = 0; k < c->n_contracts; k++) {
        const slx_fleet_contract_cell *x = &f->run->contract[k][c->quarters - 1];
        const slx_fleet_input *in = c->in + c->contract[k].base;
        bool gw = in[SLX_F_CONTRACT_commit].unit == SLX_FLEET_GW;
        if (!k) printf("\ncontracts, by %s\n", slx_fleet_quarter(name, c, c->quarters - 1));
        printf("  %-12s ", c->contract[k].name);
        if (in[SLX_F_CONTRACT_commit].given)
            printf("%s %s taken of %s due, %s USD paid for the rest", amount(a[0], x->taken),
                   gw ? "GW" : "USD", amount(a[1], x->due), amount(a[2], x->shortfall_usd));
        else
            printf("%s GW taken", amount(a[0], x->gw));
        if (in[SLX_F_CONTRACT_warrant_shares].given)
            printf("; warrants worth %s USD vested", amount(a[3], x->warrants_usd));
        if (in[SLX_F_CONTRACT_invest_usd].given)
            printf("; %s USD invested by the supplier", amount(a[3], x->investment_usd));
        printf("\n");
    }
}

/* ------------------------------------------------------------------ years */

enum { YEARS = CLI_TABLE_COLUMNS };

static int year_of(const slx_fleet_case *c, int q)
{
    return (c->start_quarter - 1 + q) / 4;
}

typedef double of_quarter(const slx_fleet_run *r, int option, int q);
static double q_racks(const slx_fleet_run *r, int i, int q)
{
    return r->cell[i][q].racks;
}
static double q_capacity(const slx_fleet_run *r, int i, int q)
{
    return (void)i, r->total[q].capacity_tok_s;
}
static double q_need(const slx_fleet_run *r, int i, int q)
{
    return (void)i, r->total[q].need_tok_s;
}
static double q_gw(const slx_fleet_run *r, int i, int q)
{
    return (void)i, r->total[q].facility_w;
}
static double q_energy(const slx_fleet_run *r, int i, int q)
{
    return (void)i, r->total[q].energy_j / 3.6e3;
}
static double q_capex(const slx_fleet_run *r, int i, int q)
{
    return (void)i, slx_fleet_capex(&r->total[q]);
}
static double q_opex(const slx_fleet_run *r, int i, int q)
{
    return (void)i, slx_fleet_opex(&r->total[q]);
}
static double q_worn(const slx_fleet_run *r, int i, int q)
{
    return (void)i, r->total[q].depreciation_usd;
}
static double q_served(const slx_fleet_run *r, int i, int q)
{
    return (void)i, r->total[q].tokens_served;
}

static const struct {
    const char *name, *unit;
    bool flow; /* a year's sum, else what it is at the year's end */
    of_quarter *of;
} rows[] = {
    {"tokens needed at the peak", "/s", false, q_need},
    {"tokens the fleet can write", "/s", false, q_capacity},
    {"tokens served", "", true, q_served},
    {"hall power", "W", false, q_gw},
    {"energy", "Wh", true, q_energy},
    {"invested", "USD", true, q_capex},
    {"running cost", "USD", true, q_opex},
    {"depreciation", "USD", true, q_worn},
};

static void put_years(cli_table *t, const cli_fleet *f, const char *label, const char *unit,
                      bool flow, of_quarter *of, int option, double factor)
{
    const slx_fleet_case *c = f->c;
    double v[YEARS] = {0};
    bool any = false;
    for (int q = 0; q < c->quarters; q++) {
        int y = year_of(c, q);
        if (y >= YEARS) break;
        v[y] = (flow ? v[y] : 0) + factor * of(f->run, option, q);
        any |= v[y] > 0;
    }
    if (!any) return;
    int row = cli_table_row_at(t, label);
    for (int y = 0; y < t->columns; y++) {
        char text[32];
        cli_table_set(t, row, y, "%s", v[y] > 0 ? cli_short(text, v[y], unit) : "-");
    }
}

static void print_years(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    slx_arena arena;
    slx_arena_init(&arena);
    int years = year_of(c, c->quarters - 1) + 1;
    cli_table t = {.arena = &arena, .columns = years < YEARS ? years : YEARS};
    int head = cli_table_heading(&t, "by year");
    for (int y = 0; y < t.columns; y++) cli_table_set(&t, head, y, "%d", c->start_year + y);
    for (int i = 0; i < c->n_options; i++) {
        char label[96];
        snprintf(label, sizeof label, "  %.60s, chips in service", c->option[i].name);
        put_years(&t, f, label, "", false, q_racks, i,
                  c->in[c->option[i].base + SLX_F_OPTION_chips_rack].mid);
    }
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        char label[96];
        snprintf(label, sizeof label, "  %s", rows[r].name);
        put_years(&t, f, label, rows[r].unit, rows[r].flow, rows[r].of, 0, 1);
    }
    printf("\n");
    cli_table_print(&t, stdout);
    if (years > YEARS) printf("  ... %d more years in --json\n", years - YEARS);
    slx_arena_deinit(&arena);
}

static void print_outputs(const cli_fleet *f)
{
    printf("\nthe fleet\n");
    for (int o = 0; o < SLX_FO_COUNT; o++) {
        char text[32];
        if (!isnan(f->run->out[o]))
            printf("  %-24s %10s %s\n", slx_fleet_output_name((slx_fleet_output)o),
                   amount(text, f->run->out[o]), slx_fleet_output_unit((slx_fleet_output)o));
    }
}

/* ------------------------------------------------------------------ own throughput */

static void print_own(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    slx_arena arena;
    if (!f->own) return;
    slx_arena_init(&arena);
    cli_table t = {.arena = &arena, .columns = 9};
    static const char *const heads[] = {"tok/s/user", "batch x TP",     "tok/s/chip",
                                        "chips",      "of chips, MW",   "chips, USD",
                                        "USD a year", "$/Mtok, all in", "limited by"};
    char text[32];
    snprintf(text, sizeof text, "at %g ms a token", c->in[c->own + SLX_F_OWN_tpot_ms].mid);
    int head = cli_table_heading(&t, text);
    for (int k = 0; k < t.columns; k++) cli_table_set(&t, head, k, "%s", heads[k]);
    for (int i = 0; i < f->own->n; i++) {
        const slx_fleet_own_row *r = &f->own->row[i];
        char label[96];
        snprintf(label, sizeof label, "  %.40s on %.40s", r->model, r->chip);
        int row = cli_table_row_at(&t, label);
        if (isnan(r->tok_s_chip)) continue;
        cli_table_set(&t, row, 0, "%s", amount(text, r->tok_s_user));
        cli_table_set(&t, row, 1, "%u x %u", r->batch, r->tp);
        cli_table_set(&t, row, 2, "%s", amount(text, r->tok_s_chip));
        cli_table_set(&t, row, 3, "%s", amount(text, r->chips));
        cli_table_set(&t, row, 4, "%s", amount(text, r->mw));
        cli_table_set(&t, row, 5, "%s%s", amount(text, r->capex_usd.mid),
                      r->priced ? "" : " (cost)");
        cli_table_set(&t, row, 6, "%s", amount(text, r->usd_year.mid));
        cli_table_set(&t, row, 7, "%s", amount(text, r->usd_mtok.mid));
        cli_table_set(&t, row, 8, "%s, by %s", r->bound_by, r->timed_by);
    }
    printf("\nthe same demand with throughput computed here, instead of %s tokens/s a chip\n",
           amount(text, c->in[c->option[0].base + SLX_F_OPTION_tok_s].mid));
    cli_table_print(&t, stdout);
    for (int i = 0; i < f->own->n; i++)
        if (f->own->row[i].why[0])
            printf("  %s on %s: %s\n", f->own->row[i].model, f->own->row[i].chip,
                   f->own->row[i].why);
    slx_arena_deinit(&arena);
}

/* ------------------------------------------------------------------ risk */

static void print_risk(const cli_fleet *f)
{
    const slx_fleet_risk *r = f->risk;
    char t[6][32];
    if (!r) return;
    printf("\nrisk: %d futures, seed %llu (%.0f a second)\n", r->futures,
           (unsigned long long)r->seed, r->futures / fmax(r->seconds, 1e-9));
    printf("  %-16s %10s %10s %10s %10s\n", "", "mean", "5 %", "half", "95 %");
    for (int o = 0; o < SLX_FR_COUNT; o++) {
        const slx_fleet_spread *s = &r->out[o];
        if (!isnan(s->mean))
            printf("  %-16s %10s %10s %10s %10s  %s\n",
                   slx_fleet_risk_name((slx_fleet_risk_output)o), amount(t[0], s->mean),
                   amount(t[1], s->p[0]), amount(t[2], s->p[2]), amount(t[3], s->p[4]),
                   slx_fleet_risk_unit((slx_fleet_risk_output)o));
    }
    for (int i = 0; i < r->n_single; i++) {
        const slx_fleet_single *s = &r->single[i];
        printf("  all from %-12s costs %s USD (%s to %s), %s against the mix; %s GW years late\n",
               f->c->option[s->option].name, amount(t[0], s->cost.mean), amount(t[1], s->cost.p[0]),
               amount(t[2], s->cost.p[4]), signed_amount(t[3], s->cost.mean - r->mix_cost),
               amount(t[4], s->late.mean));
    }
    if (!isnan(r->second_source_usd))
        printf("  more than one supplier is worth %s USD against the best single one (mean of %d "
               "futures)\n",
               signed_amount(t[0], r->second_source_usd), r->single_futures);
}

void cli_fleet_text(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    char first[16], last[16], cost[32];
    printf("%s: %s\n%s to %s, %d quarters. %s\n", c->name, c->title, slx_fleet_quarter(first, c, 0),
           slx_fleet_quarter(last, c, c->quarters - 1), c->quarters, c->about);
    print_figures(f);
    print_own(f);
    print_plan(f);
    print_contracts(f);
    print_years(f);
    print_outputs(f);
    if (f->cost.n_movers)
        printf("\nwhat moves cost_usd, %s USD with what is late or not served at its price\n",
               amount(cost, f->cost.ours));
    print_movers(c, &f->cost, SLX_FLEET_MOVERS);
    print_risk(f);
    printf("\nChips, watts and dollars balance in each quarter. Inputs, bands and sources: --json, "
           "or the case file.\n");
}

/* ------------------------------------------------------------------ the verb */

/* Figures of a variant in which suppliers are chosen have a plan of their own. */
static slx_status answer(cli_fleet *f, int i, const slx_milp_limits *l, slx_err *err)
{
    slx_fleet_case *c = f->c;
    if (c->figure[i].variant < 0 || !f->plan)
        return slx_fleet_answer_figure(c, i, f->plan ? &f->plan->orders : NULL, &f->answer[i]);
    size_t bytes = sizeof *c->in * (size_t)c->n_in;
    slx_fleet_input *kept = slx_xmalloc(bytes);
    slx_fleet_plan *p = slx_fleet_plan_new();
    memcpy(kept, c->in, bytes);
    slx_status s = slx_fleet_use_variant(c, c->variant[c->figure[i].variant].name, err);
    if (!s) s = slx_fleet_plan_solve(c, l, p, err);
    memcpy(c->in, kept, bytes);
    if (!s) s = slx_fleet_answer_figure(c, i, &p->orders, &f->answer[i]);
    slx_fleet_plan_free(p);
    free(kept);
    return s;
}

static slx_status compute(cli_fleet *f, const values *v, slx_err *err)
{
    slx_milp_limits l = {.gap = v->gap_percent / 100, .seconds = v->seconds};
    f->run = slx_xcalloc(1, sizeof *f->run);
    if (slx_fleet_must_plan(f->c)) {
        f->plan = slx_fleet_plan_new();
        SLX_TRY(slx_fleet_plan_solve(f->c, &l, f->plan, err));
    }
    slx_fleet_eval(f->c,
                   &(slx_fleet_future){.orders = f->plan ? &f->plan->orders : NULL, .single = -1},
                   f->run);
    const slx_fleet_orders *orders = f->plan ? &f->plan->orders : NULL;
    slx_fleet_movers(f->c, orders, SLX_FO_cost_usd, -1, &f->cost);
    for (int i = 0; i < f->c->n_figures; i++) SLX_TRY(answer(f, i, &l, err));
    if (v->own) SLX_TRY(slx_fleet_own_run(f->c, &f->own, err));
    if (v->futures)
        f->risk = slx_fleet_risk_run(f->c, orders,
                                     &(slx_fleet_risk_options){.futures = (int)v->futures,
                                                               .seed = (uint64_t)v->seed,
                                                               .threads = (int)v->threads});
    return SLX_OK;
}

static slx_status load(cli_fleet *f, const char *name, const values *v, slx_err *err)
{
    SLX_TRY(slx_fleet_load(&f->c, name, err));
    SLX_TRY(slx_fleet_use_variant(f->c, v->variant, err));
    for (int i = 0; i < v->set.n; i++) SLX_TRY(slx_fleet_set(f->c, v->set.v[i], err));
    return compute(f, v, err);
}

static void drop(cli_fleet *f)
{
    free(f->run);
    slx_fleet_plan_free(f->plan);
    slx_fleet_risk_free(f->risk);
    slx_fleet_own_free(f->own);
    slx_fleet_free(f->c);
}

/* ------------------------------------------------------------------ two cases */

static void print_diff(const cli_fleet *a, const cli_fleet *b)
{
    slx_arena arena;
    char text[32];
    slx_arena_init(&arena);
    cli_table t = {.arena = &arena, .columns = 4};
    int head = cli_table_heading(&t, "the fleet");
    cli_table_set(&t, head, 0, "%s", a->c->name);
    cli_table_set(&t, head, 1, "%s", b->c->name);
    cli_table_set(&t, head, 2, "change");
    for (int o = 0; o < SLX_FO_COUNT; o++) {
        double x = a->run->out[o], y = b->run->out[o];
        char label[64];
        if (isnan(x) && isnan(y)) continue;
        snprintf(label, sizeof label, "  %s", slx_fleet_output_name((slx_fleet_output)o));
        int row = cli_table_row_at(&t, label);
        cli_table_set(&t, row, 0, "%s", amount(text, x));
        cli_table_set(&t, row, 1, "%s", amount(text, y));
        if (x > 0 && !isnan(y)) cli_table_set(&t, row, 2, "%+.1f %%", 100 * (y / x - 1));
        cli_table_set(&t, row, 3, "%s", slx_fleet_output_unit((slx_fleet_output)o));
    }
    cli_table_print(&t, stdout);
    int shown = 0;
    for (int i = 0; i < a->c->n_in; i++)
        for (int k = 0; k < b->c->n_in; k++) {
            const slx_fleet_input *x = &a->c->in[i], *y = &b->c->in[k];
            char from[32], to[32];
            if (strcmp(x->path, y->path) || x->mid == y->mid || (isnan(x->mid) && isnan(y->mid)))
                continue;
            if (!shown++) printf("\ninputs that differ\n");
            printf("  %-34s %10s %10s  %s\n", x->path, amount(from, x->mid), amount(to, y->mid),
                   slx_fleet_unit(x));
        }
}

static json_t *diff_json(const cli_fleet *a, const cli_fleet *b)
{
    return json_pack("{s:o,s:o}", "a", cli_fleet_json(a), "b", cli_fleet_json(b));
}

static slx_status run(const void *p, cli_args args, slx_err *err)
{
    values v = *(const values *)p;
    cli_fleet f = {0}, other = {0};
    if (v.keys) {
        slx_fleet_print_keys(stdout);
        return SLX_OK;
    }
    if (!args.n)
        return slx_fail(err, SLX_EINPUT, "silex fleet", 0, 0,
                        "found no case, expected CASE; see silex fleet --help");
    if (v.html && v.diff)
        return slx_fail(err, SLX_EINPUT, "silex fleet: --html", 0, 0,
                        "found --diff beside it, expected one case");
    if (v.html && v.futures < 0) v.futures = 20000;
    if (v.futures < 0) v.futures = 0;
    slx_status s = load(&f, args.v[0], &v, err);
    if (!s && v.diff) s = load(&other, v.diff, &v, err);
    if (!s && v.html) s = cli_fleet_html(&f, v.html, err);
    if (!s && v.json)
        cli_json_print(v.diff ? diff_json(&f, &other) : cli_fleet_json(&f));
    else if (!s && v.diff)
        print_diff(&f, &other);
    else if (!s && !(v.html && !strcmp(v.html, "-")))
        cli_fleet_text(&f);
    drop(&f);
    drop(&other);
    return s;
}

const cli_verb cli_verb_fleet = {
    "fleet",
    "CASE",
    0,
    1,
    "years of deployment: chips, racks, power, supply, money, risk, beside published figures",
    "A case is a name in cases/ or a file; - is standard input.\n",
    options,
    &defaults,
    sizeof defaults,
    run};
