/* cli_fleet_diff.c - two fleets side by side: totals, mix, purchases, years, figures, plan, risk, and the inputs
 * that differ; as text, as a page, as JSON. A case beside itself with one figure changed is a what-if.
 */
#include "cli/cli_fleet.h"

#include <math.h>
#include <string.h>

#include "report/report.h"

enum { A, B };

typedef struct {
    const cli_fleet *f[2];
    const char *name[2]; /* how the columns are called: told apart */
    slx_arena arena;
} pair;

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What tells them apart, at the least: the name, else the file, else what the call changed. */
static void name_both(pair *p)
{
    const cli_fleet *a = p->f[A], *b = p->f[B];
    bool names = strcmp(a->c->name, b->c->name) != 0, paths = strcmp(a->c->path, b->c->path) != 0;
    bool files = strcmp(file_name(a->c->path), file_name(b->c->path)) != 0;
    for (int k = 0; k < 2; k++) {
        const cli_fleet *f = p->f[k];
        const char *base = names   ? f->c->name
                           : files ? file_name(f->c->path)
                           : paths ? f->c->path
                                   : NULL;
        if (base)
            p->name[k] = base;
        else if (!strcmp(a->changed, b->changed))
            p->name[k] = k ? "the same" : f->c->name;
        else
            p->name[k] = *f->changed ? f->changed : "as its file";
    }
}

static cli_grid new_grid(pair *p)
{
    return (cli_grid){.arena = &p->arena};
}

/* A row with a value of each and by how much the second is more. */
static void put_row(cli_grid *g, pair *p, const char *label, const char *unit, double a, double b)
{
    char text[32];
    cli_grid_row(g);
    cli_grid_text(g, "", label);
    cli_fleet_put(g, p->name[A], true, a);
    cli_fleet_put(g, p->name[B], true, b);
    snprintf(text, sizeof text, "%+.1f %%", 100 * (b / a - 1));
    cli_grid_number(g, "change", a > 0 && isfinite(b) && a != b ? text : NULL);
    cli_grid_text(g, "unit", unit);
}

/* ------------------------------------------------------------------ tables */

static void totals(cli_grid *g, pair *p)
{
    for (int o = 0; o < SLX_FO_COUNT; o++) {
        slx_fleet_output of = (slx_fleet_output)o;
        double a = p->f[A]->run->out[o], b = p->f[B]->run->out[o];
        if (isnan(a) && isnan(b)) continue;
        put_row(g, p, slx_fleet_output_name(of), cli_fleet_output_unit(of), a, b);
    }
}

static double option_usd(const cli_fleet *f, int option)
{
    double usd = 0;
    for (int q = 0; q < f->c->quarters; q++) usd += cli_fleet_bought_usd(f, option, q);
    return usd;
}

/* One option of either, by its name; one that a case does not have is 0 there. */
static void mix_row(cli_grid *g, pair *p, const char *label, const char *name)
{
    double gw[2] = {0}, usd[2] = {0};
    for (int k = 0; k < 2; k++) {
        int i = cli_fleet_option_named(p->f[k]->c, name);
        if (i < 0) continue;
        gw[k] = p->f[k]->run->option_out[i][SLX_FO_gw];
        usd[k] = option_usd(p->f[k], i);
    }
    char text[CLI_FLEET_OPTION + 32];
    snprintf(text, sizeof text, "%s, in service", label);
    put_row(g, p, text, "GW", gw[A], gw[B]);
    snprintf(text, sizeof text, "%s, racks bought", label);
    put_row(g, p, text, "USD", usd[A], usd[B]);
}

static void mix(cli_grid *g, pair *p)
{
    for (int k = 0; k < 2; k++) {
        const slx_fleet_case *c = p->f[k]->c;
        for (int i = 0; i < c->n_options; i++) {
            char label[CLI_FLEET_OPTION];
            if (k && cli_fleet_option_named(p->f[A]->c, c->option[i].name) >= 0) continue;
            mix_row(g, p, cli_fleet_option(label, c, i), c->option[i].name);
        }
    }
}

static int figure_named(const slx_fleet_case *c, const char *name)
{
    int i = c->n_figures;
    while (i-- && strcmp(c->figure[i].name, name)) {}
    return i;
}

static void figure_row(cli_grid *g, pair *p, const slx_fleet_public *of)
{
    int at[2];
    for (int k = 0; k < 2; k++) at[k] = figure_named(p->f[k]->c, of->name);
    cli_grid_row(g);
    cli_grid_text(g, "", of->name);
    cli_fleet_put(g, "published", true, of->published);
    for (int k = 0; k < 2; k++)
        cli_fleet_put(g, p->name[k], at[k] >= 0, at[k] < 0 ? 0 : p->f[k]->answer[at[k]].ours);
    cli_grid_text(g, "unit", cli_fleet_output_unit(of->of));
}

static void figures(cli_grid *g, pair *p)
{
    for (int k = 0; k < 2; k++) {
        const slx_fleet_case *c = p->f[k]->c;
        for (int i = 0; i < c->n_figures; i++)
            if (!k || figure_named(p->f[A]->c, c->figure[i].name) < 0)
                figure_row(g, p, &c->figure[i]);
    }
}

/* The binding limit of this name: its price and its quarters; NULL where it does not bind, or nothing was chosen. */
static const char *limit_text(pair *p, int k, const char *name)
{
    const slx_fleet_plan *plan = p->f[k]->plan;
    const slx_fleet_case *c = p->f[k]->c;
    for (int i = 0; plan && i < plan->n_binding; i++) {
        const slx_fleet_limit *l = &plan->binding[i];
        char text[96], usd[32], first[16], last[16];
        if (strcmp(slx_fleet_limit_name(text, c, l), name)) continue;
        slx_fleet_quarter(first, c, l->first);
        slx_fleet_quarter(last, c, l->last);
        return slx_sprintf(&p->arena, "%s USD a %s, %s%s%s", cli_fleet_amount(usd, l->price_usd),
                           slx_fleet_limit_unit(c, l), first, l->last > l->first ? " to " : "",
                           l->last > l->first ? last : "");
    }
    return NULL;
}

static void plan_row(cli_grid *g, pair *p, const char *label, const char *a, const char *b)
{
    cli_grid_row(g);
    cli_grid_text(g, "", label);
    cli_grid_text(g, p->name[A], a ? a : "-");
    cli_grid_text(g, p->name[B], b ? b : "-");
}

static void plan(cli_grid *g, pair *p)
{
    char cost[2][64], usd[32], text[96];
    if (!p->f[A]->plan && !p->f[B]->plan) return;
    for (int k = 0; k < 2; k++) {
        const slx_fleet_plan *x = p->f[k]->plan;
        snprintf(cost[k], sizeof cost[k], "nothing is chosen");
        if (x)
            snprintf(cost[k], sizeof cost[k], "%s USD, within %.2f %%",
                     cli_fleet_amount(usd, x->cost_usd), 100 * x->gap);
    }
    plan_row(g, p, "cost", cost[A], cost[B]);
    for (int k = 0; k < 2; k++) {
        const slx_fleet_plan *x = p->f[k]->plan;
        for (int i = 0; x && i < x->n_binding; i++) {
            const char *name = slx_fleet_limit_name(text, p->f[k]->c, &x->binding[i]);
            if (k && limit_text(p, A, name)) continue;
            plan_row(g, p, name, limit_text(p, A, name), limit_text(p, B, name));
        }
    }
}

static void risk_row(cli_grid *g, pair *p, const char *label, const slx_fleet_spread *a,
                     const slx_fleet_spread *b, const char *unit)
{
    cli_grid_row(g);
    cli_grid_text(g, "", label);
    cli_fleet_put_spread(g, p->name[A], a);
    cli_fleet_put_spread(g, p->name[B], b);
    cli_grid_text(g, "unit", unit);
}

static const slx_fleet_spread *single_cost(const cli_fleet *f, const char *option)
{
    for (int i = 0; i < f->risk->n_single; i++)
        if (!strcmp(f->c->option[f->risk->single[i].option].name, option))
            return &f->risk->single[i].cost;
    return NULL;
}

static void risk(cli_grid *g, pair *p)
{
    const slx_fleet_risk *a = p->f[A]->risk, *b = p->f[B]->risk;
    if (!a || !b) return;
    for (int o = 0; o < SLX_FR_COUNT; o++) {
        slx_fleet_risk_output of = (slx_fleet_risk_output)o;
        if (isnan(a->out[o].mean) && isnan(b->out[o].mean)) continue;
        risk_row(g, p, slx_fleet_risk_name(of), &a->out[o], &b->out[o], slx_fleet_risk_unit(of));
    }
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < p->f[k]->risk->n_single; i++) {
            const char *name = p->f[k]->c->option[p->f[k]->risk->single[i].option].name;
            char label[96];
            if (k && single_cost(p->f[A], name)) continue;
            snprintf(label, sizeof label, "all from %.64s", name);
            risk_row(g, p, label, single_cost(p->f[A], name), single_cost(p->f[B], name), "USD");
        }
    if (!isnan(a->second_source.mean) || !isnan(b->second_source.mean))
        risk_row(g, p, "worth of a second source", &a->second_source, &b->second_source, "USD");
}

/* ------------------------------------------------------------------ inputs */

static const slx_fleet_input *given_named(const slx_fleet_case *c, const char *path)
{
    for (int i = 0; i < c->n_in; i++)
        if (c->in[i].given && !strcmp(c->in[i].path, path)) return &c->in[i];
    return NULL;
}

/* "20.5 (3.4 to 125)", and of a series its ends and the factor on it: "0 .. 12, x 1 (0.7 to 1.3)". */
static const char *input_text(pair *p, int k, const slx_fleet_input *in)
{
    char t[5][32];
    slx_arena *arena = &p->arena;
    if (!in) return NULL;
    const char *band = slx_strdup(arena, cli_fleet_amount(t[0], in->mid));
    if (in->low < in->high)
        band = slx_sprintf(arena, "%s (%s to %s)", band, cli_fleet_amount(t[1], in->low),
                           cli_fleet_amount(t[2], in->high));
    if (!in->series) return band;
    return slx_sprintf(arena, "%s .. %s%s%s", cli_fleet_amount(t[3], in->series[0]),
                       cli_fleet_amount(t[4], in->series[p->f[k]->c->quarters - 1]),
                       strcmp(band, "1") ? ", x " : "", strcmp(band, "1") ? band : "");
}

static bool same_input(pair *p, const slx_fleet_input *a, const slx_fleet_input *b)
{
    if (!a || !b) return a == b;
    if (a->low != b->low || a->mid != b->mid || a->high != b->high || a->unit != b->unit)
        return false;
    if (!a->series || !b->series) return !a->series && !b->series;
    if (p->f[A]->c->quarters != p->f[B]->c->quarters) return false;
    return !memcmp(a->series, b->series, sizeof *a->series * (size_t)p->f[A]->c->quarters);
}

static void input_row(cli_grid *g, pair *p, const char *path)
{
    const slx_fleet_input *in[2];
    for (int k = 0; k < 2; k++) in[k] = given_named(p->f[k]->c, path);
    if (same_input(p, in[A], in[B])) return;
    cli_grid_row(g);
    cli_grid_text(g, "", path);
    for (int k = 0; k < 2; k++)
        cli_grid_number(g, p->name[k], in[k] ? input_text(p, k, in[k]) : "-");
    const char *a = slx_fleet_unit(in[in[A] ? A : B]), *b = slx_fleet_unit(in[in[B] ? B : A]);
    cli_grid_text(g, "unit", strcmp(a, b) ? slx_sprintf(&p->arena, "%s and %s", a, b) : a);
}

static void inputs(cli_grid *g, pair *p)
{
    for (int k = 0; k < 2; k++) {
        const slx_fleet_case *c = p->f[k]->c;
        for (int i = 0; i < c->n_in; i++)
            if (c->in[i].given && (!k || !given_named(p->f[A]->c, c->in[i].path)))
                input_row(g, p, c->in[i].path);
    }
}

/* ------------------------------------------------------------------ all of it */

typedef void fill(cli_grid *g, pair *p);

static void bought(cli_grid *g, pair *p)
{
    cli_fleet_bought(g, p->f, p->name, 2);
}

static void years(cli_grid *g, pair *p)
{
    cli_fleet_years(g, p->f, p->name, 2);
}

static const struct {
    const char *title;
    fill *of;
    bool by_year; /* only where the years of both fit into one table */
} parts[] = {
    {"the fleet", totals, false},
    {"suppliers", mix, false},
    {"racks bought", bought, true},
    {"by year", years, true},
    {"published figures", figures, false},
    {"the plan", plan, false},
    {"risk, mean (5 to 95 %)", risk, false},
    {"inputs that differ", inputs, false},
};
enum { PARTS = sizeof parts / sizeof *parts };

static void open_pair(pair *p, const cli_fleet *a, const cli_fleet *b)
{
    *p = (pair){.f = {a, b}};
    slx_arena_init(&p->arena);
    name_both(p);
}

/* "the-case: its title, 2026-Q1 to 2031-Q4, with demand.peak=2" */
static const char *describe(pair *p, int k)
{
    const cli_fleet *f = p->f[k];
    char first[16], last[16];
    return slx_sprintf(&p->arena, "%s: %s (%s), %s to %s%s%s", p->name[k], f->c->title, f->c->path,
                       slx_fleet_quarter(first, f->c, 0),
                       slx_fleet_quarter(last, f->c, f->c->quarters - 1),
                       *f->changed ? ", with " : "", f->changed);
}

void cli_fleet_diff_text(const cli_fleet *a, const cli_fleet *b)
{
    pair p;
    open_pair(&p, a, b);
    bool meet = cli_fleet_years_meet(a->c, b->c);
    for (int k = 0; k < 2; k++) printf("%s\n", describe(&p, k));
    for (int i = 0; i < PARTS; i++) {
        cli_grid g = new_grid(&p);
        if (parts[i].by_year && !meet) continue;
        parts[i].of(&g, &p);
        cli_grid_print(&g, parts[i].title, stdout);
    }
    if (!meet)
        printf(
            "\nTheir years lie too far apart for one table; silex fleet CASE has them of each.\n");
    slx_arena_deinit(&p.arena);
}

json_t *cli_fleet_diff_json(const cli_fleet *a, const cli_fleet *b)
{
    return json_pack("{s:o,s:o}", "a", cli_fleet_json(a), "b", cli_fleet_json(b));
}

static double gw(const cli_fleet *f, int i, int q)
{
    return (void)i, f->run->total[q].facility_w / 1e9;
}

static double spent(const cli_fleet *f, int i, int q)
{
    const slx_fleet_total *t = &f->run->total[q];
    return (void)i, (slx_fleet_capex(t) + slx_fleet_opex(t)) / 1e9;
}

slx_status cli_fleet_diff_page(const cli_fleet *a, const cli_fleet *b, const char *path,
                               slx_err *err)
{
    slx_buf page = {0};
    pair p;
    open_pair(&p, a, b);
    bool meet = cli_fleet_years_meet(a->c, b->c);
    slx_html_begin(&page, "Two fleets side by side",
                   slx_sprintf(&p.arena, "%s and %s", p.name[A], p.name[B]));
    for (int k = 0; k < 2; k++) slx_html_paragraph(&page, "%s", describe(&p, k));
    slx_html_charts_begin(&page);
    cli_fleet_lines(&page, "In service", "GW of hall power", gw, p.f, 2, 1, p.name);
    cli_fleet_lines(&page, "Spent a quarter", "G USD", spent, p.f, 2, 1, p.name);
    slx_html_charts_end(&page);
    for (int i = 0; i < PARTS; i++) {
        cli_grid g = new_grid(&p);
        if (parts[i].by_year && !meet) continue;
        parts[i].of(&g, &p);
        if (!g.rows) continue;
        char title[64];
        snprintf(title, sizeof title, "%c%s", parts[i].title[0] - 'a' + 'A', parts[i].title + 1);
        slx_html_heading(&page, title);
        cli_grid_page(&g, &page);
    }
    slx_html_end(&page);
    slx_status st = slx_write_file(path, page.ptr, page.len, err);
    slx_buf_free(&page);
    slx_arena_deinit(&p.arena);
    return st;
}
