/* cli_fleet_text.c - silex fleet in text: figures, plan, contracts, years, what moves the cost, risk. */
#include "cli/cli_fleet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"

/* ------------------------------------------------------------------ figures */

static void print_movers(const slx_fleet_case *c, const slx_fleet_answer *a, int most)
{
    char t[4][32];
    for (int i = 0; i < a->n_movers && i < most; i++) {
        const slx_fleet_mover *m = &a->mover[i];
        const slx_fleet_input *in = &c->in[m->in];
        printf("    %-34s %s..%s gives %s..%s%s\n", in->path, cli_fleet_amount(t[0], m->low),
               cli_fleet_amount(t[1], m->high), cli_fleet_amount(t[2], m->at_low),
               cli_fleet_amount(t[3], m->at_high), m->free ? "  (free)" : "");
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
               cli_fleet_amount(public, p->published), cli_fleet_amount(ours, a->ours),
               100 * a->error, slx_fleet_output_unit(p->of), p->variant < 0 ? "" : ", ",
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
            printf("  %-20s nothing: cannot deliver in time, or in lots so large\n", o->name);
        else if (first < 0 && f->plan->cheaper[i] < 0.0005)
            printf("  %-20s nothing: not worth its development\n", o->name);
        else if (first < 0)
            printf("  %-20s nothing: would be bought if its racks cost %.1f %% less\n", o->name,
                   100 * f->plan->cheaper[i]);
        else
            printf("  %-20s %s racks for %s USD, delivered %s to %s%s\n", o->name,
                   cli_fleet_amount(text, racks),
                   cli_fleet_amount(usd, f->run->option_out[i][SLX_FO_capex_usd]),
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
        cli_fleet_amount(cost, p->cost_usd), 100 * p->gap,
        p->state == SLX_MILP_TIME ? ", stopped by time" : "", p->columns, p->rows, p->seconds);
    print_deliveries(f);
    if (p->short_tokens > 0)
        printf("  not served: %s tokens, at their price\n",
               cli_fleet_amount(cost, p->short_tokens));
    for (int i = 0; i < p->n_binding; i++) {
        const slx_fleet_limit *l = &p->binding[i];
        bool needed = l->kind <= SLX_FL_TRAINING;
        printf("  %s %s, %s", needed ? "set by" : "limited by", slx_fleet_limit_name(name, c, l),
               slx_fleet_quarter(a, c, l->first));
        if (l->last > l->first)
            printf(" to %s (%d quarters)", slx_fleet_quarter(b, c, l->last), l->quarters);
        printf(": one %s %s %s up to %s USD\n", slx_fleet_limit_unit(c, l),
               needed ? "less" : "more", "would save", cli_fleet_amount(cost, l->price_usd));
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
            printf("%s %s taken of %s due, %s USD paid for the rest",
                   cli_fleet_amount(a[0], x->taken), gw ? "GW" : "USD",
                   cli_fleet_amount(a[1], x->due), cli_fleet_amount(a[2], x->shortfall_usd));
        else
            printf("%s GW taken", cli_fleet_amount(a[0], x->gw));
        if (in[SLX_F_CONTRACT_warrant_shares].given)
            printf("; warrants worth %s USD vested", cli_fleet_amount(a[3], x->warrants_usd));
        if (in[SLX_F_CONTRACT_invest_usd].given)
            printf("; %s USD invested by the supplier", cli_fleet_amount(a[3], x->investment_usd));
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
static double q_waiting(const slx_fleet_run *r, int i, int q)
{
    double racks = 0;
    for (i = 0; i < SLX_FLEET_OPTIONS; i++) racks += r->cell[i][q].waiting;
    return racks;
}
static double q_backlog(const slx_fleet_run *r, int i, int q)
{
    double racks = 0;
    for (i = 0; i < SLX_FLEET_OPTIONS; i++) racks += r->cell[i][q].backlog;
    return racks;
}
static double q_training(const slx_fleet_run *r, int i, int q)
{
    return (void)i, r->total[q].training_flop_s;
}
static double q_sales(const slx_fleet_run *r, int i, int q)
{
    return (void)i, r->total[q].sales_usd;
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
    {"training", "FLOP/s", false, q_training},
    {"racks ordered, not delivered", "", false, q_backlog},
    {"racks waiting for power", "", false, q_waiting},
    {"hall power", "W", false, q_gw},
    {"energy", "Wh", true, q_energy},
    {"invested", "USD", true, q_capex},
    {"running cost", "USD", true, q_opex},
    {"depreciation", "USD", true, q_worn},
    {"sold to others", "USD", true, q_sales},
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
                   cli_fleet_amount(text, f->run->out[o]),
                   slx_fleet_output_unit((slx_fleet_output)o));
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
        cli_table_set(&t, row, 0, "%s", cli_fleet_amount(text, r->tok_s_user));
        cli_table_set(&t, row, 1, "%u x %u", r->batch, r->tp);
        cli_table_set(&t, row, 2, "%s", cli_fleet_amount(text, r->tok_s_chip));
        cli_table_set(&t, row, 3, "%s", cli_fleet_amount(text, r->chips));
        cli_table_set(&t, row, 4, "%s", cli_fleet_amount(text, r->mw));
        cli_table_set(&t, row, 5, "%s%s", cli_fleet_amount(text, r->capex_usd.mid),
                      r->priced ? "" : " (cost)");
        cli_table_set(&t, row, 6, "%s", cli_fleet_amount(text, r->usd_year.mid));
        cli_table_set(&t, row, 7, "%s", cli_fleet_amount(text, r->usd_mtok.mid));
        cli_table_set(&t, row, 8, "%s, by %s", r->bound_by, r->timed_by);
    }
    printf("\nthe same demand with throughput computed here, instead of %s tokens/s a chip\n",
           cli_fleet_amount(text, c->in[c->option[0].base + SLX_F_OPTION_tok_s].mid));
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
    char t[7][32];
    if (!r) return;
    printf("\nrisk: %d futures, seed %llu (%.0f a second)\n", r->futures,
           (unsigned long long)r->seed, r->futures / fmax(r->seconds, 1e-9));
    printf("  %-16s %10s %10s %10s %10s\n", "", "mean", "5 %", "half", "95 %");
    for (int o = 0; o < SLX_FR_COUNT; o++) {
        const slx_fleet_spread *s = &r->out[o];
        if (!isnan(s->mean))
            printf("  %-16s %10s %10s %10s %10s  %s\n",
                   slx_fleet_risk_name((slx_fleet_risk_output)o), cli_fleet_amount(t[0], s->mean),
                   cli_fleet_amount(t[1], s->p[0]), cli_fleet_amount(t[2], s->p[2]),
                   cli_fleet_amount(t[3], s->p[4]), slx_fleet_risk_unit((slx_fleet_risk_output)o));
    }
    for (int i = 0; i < r->n_single; i++) {
        const slx_fleet_single *s = &r->single[i];
        printf("  all from %-12s costs %s USD (%s to %s), %s against the mix (%s to %s); %s GW "
               "years late\n",
               f->c->option[s->option].name, cli_fleet_amount(t[0], s->cost.mean),
               cli_fleet_amount(t[1], s->cost.p[0]), cli_fleet_amount(t[2], s->cost.p[4]),
               cli_fleet_signed(t[3], s->against.mean), cli_fleet_signed(t[4], s->against.p[0]),
               cli_fleet_signed(t[5], s->against.p[4]), cli_fleet_amount(t[6], s->late.mean));
    }
    if (!isnan(r->second_source.mean))
        printf(
            "  more than one supplier is worth %s USD (%s to %s in nine of ten) against the best "
            "single one, over %d futures\n",
            cli_fleet_signed(t[0], r->second_source.mean),
            cli_fleet_signed(t[1], r->second_source.p[0]),
            cli_fleet_signed(t[2], r->second_source.p[4]), r->single_futures);
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
        printf("\nwhat moves cost_usd, %s USD%s\n", cli_fleet_amount(cost, f->cost.ours),
               cli_fleet_priced(c));
    print_movers(c, &f->cost, SLX_FLEET_MOVERS);
    print_risk(f);
    cli_fleet_readings_text(f);
    cli_fleet_changes_text(f);
    printf("\nChips, watts and dollars balance in each quarter. Inputs, bands and sources: --json, "
           "or the case file.\n");
}
