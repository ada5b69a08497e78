/* cli_fleet_html.c - silex fleet --html: one page a planner can pass on: the fleet by quarter, money, power, suppliers,
 * risk, what moves it, and where every input is from.
 */
#include "cli/cli_fleet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "report/report.h"

/* The page and what its tables borrow until it is written. */
typedef struct {
    const cli_fleet *f;
    slx_buf *page;
    slx_arena arena;
} sheet;

static const char *amount(sheet *s, double v)
{
    char text[32];
    cli_fleet_amount(text, v);
    return slx_strdup(&s->arena, text);
}

/* ------------------------------------------------------------------ tables */

enum { COLUMNS = 10 };

typedef struct {
    int columns, n, cap;
    const char **cell;
} grid;

static const char **row_of(sheet *s, grid *g)
{
    if (g->n == g->cap) {
        int cap = g->cap ? 2 * g->cap : 32;
        const char **cell = slx_new(&s->arena, const char *, cap * g->columns);
        if (g->n) memcpy(cell, g->cell, sizeof *cell * (size_t)(g->n * g->columns));
        g->cell = cell;
        g->cap = cap;
    }
    return g->cell + g->columns * g->n++;
}

static void put_grid(sheet *s, const grid *g, const char *const *head, const bool *number)
{
    slx_html_add_table(s->page, &(slx_html_table){g->columns, g->n, head, number, g->cell});
}

static void figures(sheet *s)
{
    static const char *const head[] = {"figure", "published", "ours",        "error",
                                       "unit",   "reading",   "free inputs", "source"};
    static const bool number[] = {false, true, true, true, false, false, false, false};
    const slx_fleet_case *c = s->f->c;
    grid g = {.columns = 8};
    for (int i = 0; i < c->n_figures; i++) {
        const slx_fleet_public *p = &c->figure[i];
        const slx_fleet_answer *a = &s->f->answer[i];
        const char **r = row_of(s, &g);
        slx_buf free_in = {0};
        for (int k = 0; k < a->n_free; k++)
            slx_buf_addf(&free_in, "%s%s", k ? ", " : "", c->in[a->free_in[k]].path);
        r[0] = p->name;
        r[1] = amount(s, p->published);
        r[2] = amount(s, a->ours);
        r[3] = slx_sprintf(&s->arena, "%+.1f %%", 100 * a->error);
        r[4] = slx_fleet_output_unit(p->of);
        r[5] = p->variant < 0 ? "the case" : c->variant[p->variant].name;
        r[6] = free_in.len ? slx_strdup(&s->arena, free_in.ptr) : "none";
        r[7] = p->source;
        slx_buf_free(&free_in);
    }
    if (!g.n) return;
    slx_html_heading(s->page, "Published figures beside ours");
    put_grid(s, &g, head, number);
}

static void sources(sheet *s)
{
    static const char *const head[] = {"input", "low", "mid", "high", "unit", "free", "source"};
    static const bool number[] = {false, true, true, true, false, false, false};
    const slx_fleet_case *c = s->f->c;
    grid g = {.columns = 7};
    for (int i = 0; i < c->n_in; i++) {
        const slx_fleet_input *in = &c->in[i];
        if (!in->given) continue;
        const char **r = row_of(s, &g);
        r[0] = in->path;
        r[1] = amount(s, in->low);
        r[2] = amount(s, in->mid);
        r[3] = amount(s, in->high);
        r[4] = in->series ? slx_sprintf(&s->arena, "x series, %s", slx_fleet_unit(in))
                          : slx_fleet_unit(in);
        r[5] = in->free ? "free" : "";
        r[6] = in->source;
    }
    slx_html_heading(s->page, "Inputs and their sources");
    put_grid(s, &g, head, number);
}

static void deployment(sheet *s)
{
    static const char *const head[] = {
        "quarter",  "racks delivered", "racks in service", "hall power, MW", "energy, GWh",
        "invested", "running cost",    "depreciation",     "book value",     "tokens served"};
    static const bool number[] = {false, true, true, true, true, true, true, true, true, true};
    const slx_fleet_case *c = s->f->c;
    grid g = {.columns = COLUMNS};
    for (int q = 0; q < c->quarters; q++) {
        const slx_fleet_total *t = &s->f->run->total[q];
        double delivered = 0, racks = 0;
        char name[16];
        for (int i = 0; i < c->n_options; i++) {
            delivered += s->f->run->cell[i][q].delivered;
            racks += s->f->run->cell[i][q].racks;
        }
        const char **r = row_of(s, &g);
        r[0] = slx_strdup(&s->arena, slx_fleet_quarter(name, c, q));
        r[1] = amount(s, delivered);
        r[2] = amount(s, racks);
        r[3] = amount(s, t->facility_w / 1e6);
        r[4] = amount(s, t->energy_j / 3.6e12);
        r[5] = amount(s, slx_fleet_capex(t));
        r[6] = amount(s, slx_fleet_opex(t));
        r[7] = amount(s, t->depreciation_usd);
        r[8] = amount(s, t->book_usd);
        r[9] = amount(s, t->tokens_served);
    }
    slx_html_heading(s->page, "Quarter by quarter");
    put_grid(s, &g, head, number);
}

static void own(sheet *s)
{
    static const char *const head[] = {
        "model",           "chip",       "tokens/s a user", "tokens/s a chip",    "chips",
        "their power, MW", "chips, USD", "USD a year",      "USD/Mtoken, all in", "limited by"};
    static const bool number[] = {false, false, true, true, true, true, true, true, true, false};
    grid g = {.columns = COLUMNS};
    if (!s->f->own) return;
    for (int i = 0; i < s->f->own->n; i++) {
        const slx_fleet_own_row *o = &s->f->own->row[i];
        const char **r = row_of(s, &g);
        r[0] = o->model;
        r[1] = o->chip;
        if (isnan(o->tok_s_chip)) {
            r[9] = o->why;
            continue;
        }
        r[2] = amount(s, o->tok_s_user);
        r[3] = amount(s, o->tok_s_chip);
        r[4] = amount(s, o->chips);
        r[5] = amount(s, o->mw);
        r[6] =
            slx_sprintf(&s->arena, "%s%s", amount(s, o->capex_usd.mid), o->priced ? "" : " (cost)");
        r[7] = amount(s, o->usd_year.mid);
        r[8] = amount(s, o->usd_mtok.mid);
        r[9] = slx_sprintf(&s->arena, "%s (%s)", o->bound_by, o->timed_by);
    }
    slx_html_heading(s->page, "The same demand on chips of today");
    slx_html_paragraph(s->page, "At %g ms a token, with throughput that silex computes.",
                       s->f->c->in[s->f->c->own + SLX_F_OWN_tpot_ms].mid);
    put_grid(s, &g, head, number);
}

static void plan(sheet *s)
{
    static const char *const head[] = {"limit", "quarters", "one more of", "is worth, USD"};
    static const bool number[] = {false, false, false, true};
    const slx_fleet_case *c = s->f->c;
    const slx_fleet_plan *p = s->f->plan;
    grid g = {.columns = 4};
    if (!p) return;
    slx_html_heading(s->page, "The plan and what binds it");
    slx_html_paragraph(s->page, "%s USD, within %.2f %% of the cheapest plan there is.",
                       amount(s, p->cost_usd), 100 * p->gap);
    for (int i = 0; i < c->n_options; i++)
        if (!isnan(p->cheaper[i]))
            slx_html_paragraph(s->page,
                               p->cheaper[i] < 0.0005
                                   ? "Nothing from %s: not worth its development."
                                   : "Nothing from %s: its racks would have to cost %.1f %% less.",
                               c->option[i].name, 100 * p->cheaper[i]);
    for (int i = 0; i < p->n_binding; i++) {
        const slx_fleet_limit *l = &p->binding[i];
        char name[96], first[16], last[16];
        const char **r = row_of(s, &g);
        r[0] = slx_strdup(&s->arena, slx_fleet_limit_name(name, c, l));
        r[1] = slx_sprintf(&s->arena, "%s to %s", slx_fleet_quarter(first, c, l->first),
                           slx_fleet_quarter(last, c, l->last));
        r[2] = slx_fleet_limit_unit(c, l);
        r[3] = amount(s, l->price_usd);
    }
    if (g.n) put_grid(s, &g, head, number);
}

static void contracts(sheet *s)
{
    static const char *const head[] = {"contract",
                                       "unit",
                                       "due",
                                       "taken",
                                       "paid for the rest, USD",
                                       "GW delivered",
                                       "warrants vested, USD",
                                       "invested by the supplier, USD"};
    static const bool number[] = {false, false, true, true, true, true, true, true};
    const slx_fleet_case *c = s->f->c;
    grid g = {.columns = 8};
    char last[16];
    for (int k = 0; k < c->n_contracts; k++) {
        const slx_fleet_contract_cell *x = &s->f->run->contract[k][c->quarters - 1];
        const slx_fleet_input *in = c->in + c->contract[k].base;
        const char **r = row_of(s, &g);
        r[0] = c->contract[k].name;
        r[5] = amount(s, x->gw);
        if (in[SLX_F_CONTRACT_warrant_shares].given) r[6] = amount(s, x->warrants_usd);
        if (in[SLX_F_CONTRACT_invest_usd].given) r[7] = amount(s, x->investment_usd);
        if (!in[SLX_F_CONTRACT_commit].given) continue;
        r[1] = in[SLX_F_CONTRACT_commit].unit == SLX_FLEET_GW ? "GW" : "USD";
        r[2] = amount(s, x->due);
        r[3] = amount(s, x->taken);
        r[4] = amount(s, x->shortfall_usd);
    }
    if (!g.n) return;
    slx_html_heading(s->page, "Contracts");
    slx_html_paragraph(
        s->page,
        "By %s, all since the start. Warrants are shares of the supplier and make its "
        "racks cheaper; what a supplier invests is paid for with shares of the buyer.",
        slx_fleet_quarter(last, c, c->quarters - 1));
    put_grid(s, &g, head, number);
}

static void put_reading(sheet *s, grid *g, const cli_fleet *of, const char *name, const char *about)
{
    const char **r = row_of(s, g);
    char mix[CLI_FLEET_MIX];
    double nre = 0;
    r[0] = name;
    r[7] = about;
    if (of->why[0]) {
        r[6] = slx_sprintf(&s->arena, "no plan: %s", of->why);
        return;
    }
    for (int q = 0; q < of->c->quarters; q++) nre += of->run->total[q].nre_usd;
    r[1] = amount(s, of->run->out[SLX_FO_cost_usd]);
    if (of->risk)
        r[2] = slx_sprintf(&s->arena, "%s (%s to %s)", amount(s, of->risk->out[SLX_FR_COST].mean),
                           amount(s, of->risk->out[SLX_FR_COST].p[0]),
                           amount(s, of->risk->out[SLX_FR_COST].p[4]));
    if (of->risk) r[3] = amount(s, of->risk->out[SLX_FR_LATE].mean);
    r[4] = amount(s, of->run->out[SLX_FO_capex_usd]);
    r[5] = amount(s, nre);
    r[6] = slx_strdup(&s->arena, cli_fleet_mix(mix, of->c, of->run, NULL));
}

static void readings(sheet *s)
{
    static const char *const head[] = {
        "reading",       "cost, USD",        "with risk, 5 to 95 %",   "GW years late",
        "invested, USD", "development, USD", "in service at the most", "about"};
    static const bool number[] = {false, true, true, true, true, true, false, false};
    const cli_fleet *f = s->f;
    grid g = {.columns = 8};
    if (!f->n_readings) return;
    put_reading(s, &g, f, f->c->name, f->c->about);
    for (int i = 0; i < f->n_readings; i++)
        put_reading(s, &g, &f->reading[i], f->c->variant[i].name, f->c->variant[i].about);
    slx_html_heading(s->page, "Readings side by side");
    put_grid(s, &g, head, number);
}

static void changes(sheet *s)
{
    static const char *const head[] = {"input", "its end", "value", "plan, GW at the most",
                                       "cost against the plan, USD"};
    static const bool number[] = {false, false, true, false, true};
    const cli_fleet *f = s->f;
    grid g = {.columns = 5};
    char mix[CLI_FLEET_MIX], text[32];
    if (!f->changes) return;
    for (int i = 0; i < f->changes->n; i++) {
        const slx_fleet_change *x = &f->changes->change[i];
        const char **r = row_of(s, &g);
        r[0] = f->c->in[x->in].path;
        r[1] = x->high ? "high" : "low";
        r[2] =
            slx_sprintf(&s->arena, "%s%s", f->c->in[x->in].series ? "x " : "", amount(s, x->value));
        r[3] = slx_strdup(&s->arena, x->feasible ? cli_fleet_mix(mix, f->c, NULL, x->gw) : x->why);
        if (x->feasible)
            r[4] = slx_strdup(&s->arena, cli_fleet_signed(text, x->cost_usd - f->plan->cost_usd));
    }
    slx_html_heading(s->page, "What changes the plan");
    slx_html_paragraph(s->page, "%d of %d ends of bands, each alone, with the plan chosen again.",
                       f->changes->n, f->changes->tried);
    if (g.n) put_grid(s, &g, head, number);
}

/* ------------------------------------------------------------------ charts */

static double year_at(const slx_fleet_case *c, int q)
{
    return c->start_year + (c->start_quarter - 1 + q + 0.5) / 4;
}

typedef double of_quarter(const cli_fleet *f, int i, int q);

static double option_gw(const cli_fleet *f, int i, int q)
{
    return f->run->cell[i][q].facility_w / 1e9;
}

static double site_gw(const cli_fleet *f, int i, int q)
{
    return f->run->total[q].site_w[i] / 1e9;
}

static double money(const cli_fleet *f, int i, int q)
{
    const slx_fleet_total *t = &f->run->total[q];
    return (i == 0 ? slx_fleet_capex(t) : i == 1 ? slx_fleet_opex(t) : t->depreciation_usd) / 1e9;
}

static slx_chart_series series(sheet *s, const char *name, of_quarter *of, int i)
{
    const slx_fleet_case *c = s->f->c;
    slx_chart_point *p = slx_new(&s->arena, slx_chart_point, c->quarters);
    for (int q = 0; q < c->quarters; q++)
        p[q] = (slx_chart_point){.x = year_at(c, q), .y = of(s->f, i, q), .low = NAN, .high = NAN};
    return (slx_chart_series){.name = name, .n = c->quarters, .p = p};
}

static void lines(sheet *s, const char *title, const char *y, of_quarter *of, int n,
                  const char *const *names)
{
    slx_chart_series *all = slx_new(&s->arena, slx_chart_series, n);
    for (int i = 0; i < n; i++) all[i] = series(s, names[i], of, i);
    slx_chart_lines(s->page, &(slx_chart){.title = title,
                                          .x_label = "year",
                                          .y_label = y,
                                          .y_from_0 = true,
                                          .n = n,
                                          .series = all});
}

static void over_time(sheet *s)
{
    static const char *const monies[] = {"invested", "running cost", "depreciation"};
    const slx_fleet_case *c = s->f->c;
    const char *options[SLX_FLEET_OPTIONS], *sites[SLX_FLEET_SITES];
    slx_chart_row mix[SLX_FLEET_OPTIONS];
    for (int i = 0; i < c->n_options; i++) {
        options[i] = c->option[i].name;
        mix[i] = (slx_chart_row){.name = c->option[i].name,
                                 .value = s->f->run->option_out[i][SLX_FO_gw],
                                 .low = NAN,
                                 .high = NAN};
    }
    for (int i = 0; i < c->n_sites; i++) sites[i] = c->site[i].name;
    slx_html_heading(s->page, "Deployment, power and money");
    slx_html_charts_begin(s->page);
    lines(s, "In service by option", "GW of hall power", option_gw, c->n_options, options);
    lines(s, "Power by site", "GW", site_gw, c->n_sites, sites);
    lines(s, "Money a quarter", "G USD", money, 3, monies);
    slx_chart_bars(s->page, &(slx_chart_rows){.title = "Suppliers' mix",
                                              .x_label = "GW at the most",
                                              .n = c->n_options,
                                              .row = mix});
    slx_html_charts_end(s->page);
}

/* "h100.tok_s" of "options.h100.tok_s": a chart has little room. */
static const char *short_name(const char *path)
{
    const char *dot = strchr(path, '.');
    return dot && strchr(dot + 1, '.') ? dot + 1 : path;
}

static void tornado(sheet *s, const char *title, const char *unit, const slx_fleet_answer *a)
{
    const slx_fleet_case *c = s->f->c;
    slx_chart_swing rows[SLX_FLEET_MOVERS];
    for (int i = 0; i < a->n_movers; i++) {
        const slx_fleet_input *in = &c->in[a->mover[i].in];
        rows[i] = (slx_chart_swing){short_name(in->path), a->mover[i].at_low, a->mover[i].at_high,
                                    amount(s, a->mover[i].low), amount(s, a->mover[i].high)};
    }
    if (a->n_movers)
        slx_chart_tornado(
            s->page,
            &(slx_chart_swings){
                .title = title, .x_label = unit, .base = a->ours, .n = a->n_movers, .row = rows});
}

static void sensitivity(sheet *s)
{
    const slx_fleet_case *c = s->f->c;
    slx_html_heading(s->page, "What moves it");
    slx_html_paragraph(s->page,
                       "Each input alone at its low and its high, the others in the middle.");
    slx_html_charts_begin(s->page);
    tornado(s, slx_sprintf(&s->arena, "Cost of the fleet%s", cli_fleet_priced(c)), "USD",
            &s->f->cost);
    for (int i = 0; i < c->n_figures && i < 5; i++)
        tornado(s, c->figure[i].name, slx_fleet_output_unit(c->figure[i].of), &s->f->answer[i]);
    slx_html_charts_end(s->page);
}

static void fan(sheet *s, const char *title, const char *y, const slx_fleet_spread *of,
                double scale)
{
    static const char *const q_names[SLX_FLEET_PERCENTILES] = {"5 %", "25 %", "half", "75 %",
                                                               "95 %"};
    const slx_fleet_case *c = s->f->c;
    double *xs = slx_new(&s->arena, double, c->quarters),
           *ys = slx_new(&s->arena, double, c->quarters *SLX_FLEET_PERCENTILES);
    if (isnan(of[0].mean)) return;
    for (int q = 0; q < c->quarters; q++) {
        xs[q] = year_at(c, q);
        for (int p = 0; p < SLX_FLEET_PERCENTILES; p++)
            ys[p * c->quarters + q] = of[q].p[p] * scale;
    }
    slx_chart_fan(s->page, &(slx_chart_quantiles){.title = title,
                                                  .x_label = "year",
                                                  .y_label = y,
                                                  .y_from_0 = true,
                                                  .n = c->quarters,
                                                  .n_q = SLX_FLEET_PERCENTILES,
                                                  .x = xs,
                                                  .y = ys,
                                                  .q_name = q_names});
}

static void risk(sheet *s)
{
    const slx_fleet_case *c = s->f->c;
    const slx_fleet_risk *r = s->f->risk;
    slx_chart_row rows[SLX_FLEET_OPTIONS + 1];
    if (!r) return;
    slx_html_heading(s->page, "Risk");
    slx_html_paragraph(s->page,
                       "%d futures, seed %llu: every input drawn from its band, with slips, "
                       "respins and outages. Cost of the "
                       "fleet %s USD on average, %s to %s in nine of ten.",
                       r->futures, (unsigned long long)r->seed, amount(s, r->out[SLX_FR_COST].mean),
                       amount(s, r->out[SLX_FR_COST].p[0]), amount(s, r->out[SLX_FR_COST].p[4]));
    slx_html_charts_begin(s->page);
    fan(s, "In service", "GW of hall power", r->gw, 1);
    fan(s, "Spent since the start", "G USD", r->spent, 1e-9);
    fan(s, "Tokens served of those asked for", "share", r->served, 1);
    if (r->n_single) {
        rows[0] = (slx_chart_row){.name = "the mix",
                                  .value = r->mix_cost,
                                  .low = r->out[SLX_FR_COST].p[0],
                                  .high = r->out[SLX_FR_COST].p[4]};
        for (int i = 0; i < r->n_single; i++)
            rows[i + 1] = (slx_chart_row){
                .name = slx_sprintf(&s->arena, "all from %s", c->option[r->single[i].option].name),
                .value = r->single[i].cost.mean,
                .low = r->single[i].cost.p[0],
                .high = r->single[i].cost.p[4]};
        slx_chart_bars(s->page, &(slx_chart_rows){.title = "Cost with one supplier",
                                                  .x_label = "USD, 5 to 95 %",
                                                  .n = r->n_single + 1,
                                                  .row = rows});
    }
    slx_html_charts_end(s->page);
    if (!isnan(r->second_source.mean))
        slx_html_paragraph(
            s->page,
            "More than one supplier is worth %s USD (%s to %s in nine of ten futures) "
            "against the best single one.",
            amount(s, r->second_source.mean), amount(s, r->second_source.p[0]),
            amount(s, r->second_source.p[4]));
}

slx_status cli_fleet_html(const cli_fleet *f, const char *path, slx_err *err)
{
    const slx_fleet_case *c = f->c;
    slx_buf page = {0};
    sheet s = {.f = f, .page = &page};
    char first[16], last[16], subtitle[160];
    slx_arena_init(&s.arena);
    snprintf(subtitle, sizeof subtitle, "%.60s, %s to %s", c->name, slx_fleet_quarter(first, c, 0),
             slx_fleet_quarter(last, c, c->quarters - 1));
    slx_html_begin(&page, c->title, subtitle);
    if (*c->about) slx_html_paragraph(&page, "%s", c->about);
    figures(&s);
    over_time(&s);
    own(&s);
    plan(&s);
    changes(&s);
    contracts(&s);
    readings(&s);
    risk(&s);
    sensitivity(&s);
    deployment(&s);
    sources(&s);
    slx_html_end(&page);
    slx_status st = slx_write_file(path, page.ptr, page.len, err);
    slx_buf_free(&page);
    slx_arena_deinit(&s.arena);
    return st;
}
