/* cli_fleet_charts.c - charts of a fleet's page: over the quarters, by supplier, what moves an output,
 * what chance does.
 */
#include "cli/cli_fleet.h"

#include <math.h>
#include <string.h>

#include "report/report.h"

static double year_at(const slx_fleet_case *c, int q)
{
    return c->start_year + (c->start_quarter - 1 + q + 0.5) / 4;
}

/* ------------------------------------------------------------------ over time */

static slx_chart_series series(slx_arena *arena, const char *name, const char *unit,
                               const cli_fleet *f, cli_fleet_quarter *of, int i)
{
    const slx_fleet_case *c = f->c;
    slx_chart_point *p = slx_new(arena, slx_chart_point, c->quarters);
    for (int q = 0; q < c->quarters; q++) {
        char when[16], amount[32];
        double y = of(f, i, q);
        const char *note = slx_sprintf(arena, "%s, %s: %s %s", name, slx_fleet_quarter(when, c, q),
                                       cli_fleet_amount(amount, y), unit);
        p[q] = (slx_chart_point){.x = year_at(c, q), .y = y, .low = NAN, .high = NAN, .note = note};
    }
    return (slx_chart_series){.name = name, .n = c->quarters, .p = p};
}

void cli_fleet_lines(slx_buf *page, const char *title, const char *unit, cli_fleet_quarter *of,
                     const cli_fleet *const *f, int fleets, int n, const char *const *name)
{
    slx_arena arena;
    slx_arena_init(&arena);
    slx_chart_series *all = slx_new(&arena, slx_chart_series, fleets * n);
    for (int k = 0; k < fleets * n; k++)
        all[k] = series(&arena, name[k], unit, f[k / n], of, k % n);
    slx_chart_lines(page, &(slx_chart){.title = title,
                                       .x_label = "year",
                                       .x_whole = true,
                                       .y_label = unit,
                                       .y_from_0 = true,
                                       .n = fleets * n,
                                       .series = all});
    slx_arena_deinit(&arena);
}

static double option_gw(const cli_fleet *f, int i, int q)
{
    return f->run->cell[i][q].facility_w / 1e9;
}

static double site_gw(const cli_fleet *f, int i, int q)
{
    return f->run->total[q].site_w[i] / 1e9;
}

static double bought(const cli_fleet *f, int i, int q)
{
    return cli_fleet_bought_usd(f, i, q) / 1e9;
}

static double money(const cli_fleet *f, int i, int q)
{
    const slx_fleet_total *t = &f->run->total[q];
    return (i == 0 ? slx_fleet_capex(t) : i == 1 ? slx_fleet_opex(t) : t->depreciation_usd) / 1e9;
}

void cli_fleet_charts(slx_buf *page, const cli_fleet *f)
{
    static const char *const monies[] = {"invested", "running cost", "depreciation"};
    const slx_fleet_case *c = f->c;
    const char *options[SLX_FLEET_OPTIONS], *sites[SLX_FLEET_SITES];
    char text[SLX_FLEET_OPTIONS][CLI_FLEET_OPTION];
    slx_chart_row mix[SLX_FLEET_OPTIONS];
    for (int i = 0; i < c->n_options; i++) {
        options[i] = cli_fleet_option(text[i], c, i);
        mix[i] = (slx_chart_row){.name = c->option[i].name,
                                 .value = f->run->option_out[i][SLX_FO_gw],
                                 .low = NAN,
                                 .high = NAN};
    }
    for (int i = 0; i < c->n_sites; i++) sites[i] = c->site[i].name;
    slx_html_charts_begin(page);
    cli_fleet_lines(page, "In service by option", "GW of hall power", option_gw, &f, 1,
                    c->n_options, options);
    cli_fleet_lines(page, "Racks bought a quarter", "G USD", bought, &f, 1, c->n_options, options);
    cli_fleet_lines(page, "Power by site", "GW", site_gw, &f, 1, c->n_sites, sites);
    cli_fleet_lines(page, "Money a quarter", "G USD", money, &f, 1, 3, monies);
    slx_chart_bars(page, &(slx_chart_rows){.title = "Suppliers' mix",
                                           .x_label = "GW at the most",
                                           .n = c->n_options,
                                           .row = mix});
    slx_html_charts_end(page);
}

/* ------------------------------------------------------------------ what moves an output */

/* "h100.tok_s" of "options.h100.tok_s": a chart has little room. */
static const char *short_name(const char *path)
{
    const char *dot = strchr(path, '.');
    return dot && strchr(dot + 1, '.') ? dot + 1 : path;
}

static void tornado(slx_buf *page, const slx_fleet_case *c, const char *title, const char *unit,
                    const slx_fleet_answer *a)
{
    slx_chart_swing rows[SLX_FLEET_MOVERS];
    char low[SLX_FLEET_MOVERS][32], high[SLX_FLEET_MOVERS][32];
    if (!a->n_movers) return;
    for (int i = 0; i < a->n_movers; i++) {
        const slx_fleet_mover *m = &a->mover[i];
        rows[i] = (slx_chart_swing){.name = short_name(c->in[m->in].path),
                                    .at_low = m->at_low,
                                    .at_high = m->at_high,
                                    .low_text = cli_fleet_amount(low[i], m->low),
                                    .high_text = cli_fleet_amount(high[i], m->high)};
    }
    slx_chart_tornado(
        page, &(slx_chart_swings){
                  .title = title, .x_label = unit, .base = a->ours, .n = a->n_movers, .row = rows});
}

void cli_fleet_mover_charts(slx_buf *page, const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    char title[128];
    snprintf(title, sizeof title, "Cost of the fleet%s", cli_fleet_priced(c));
    slx_html_charts_begin(page);
    tornado(page, c, title, "USD", &f->cost);
    for (int i = 0; i < c->n_figures; i++)
        tornado(page, c, c->figure[i].name, cli_fleet_output_unit(c->figure[i].of), &f->answer[i]);
    slx_html_charts_end(page);
}

/* ------------------------------------------------------------------ risk */

static void fan(slx_buf *page, const slx_fleet_case *c, const char *title, const char *unit,
                const slx_fleet_spread *of, double scale)
{
    static const char *const q_names[SLX_FLEET_PERCENTILES] = {"5 %", "25 %", "half", "75 %",
                                                               "95 %"};
    double xs[SLX_FLEET_QUARTERS], ys[SLX_FLEET_QUARTERS * SLX_FLEET_PERCENTILES];
    if (isnan(of[0].mean)) return;
    for (int q = 0; q < c->quarters; q++) {
        xs[q] = year_at(c, q);
        for (int p = 0; p < SLX_FLEET_PERCENTILES; p++)
            ys[p * c->quarters + q] = of[q].p[p] * scale;
    }
    slx_chart_fan(page, &(slx_chart_quantiles){.title = title,
                                               .x_label = "year",
                                               .x_whole = true,
                                               .y_label = unit,
                                               .y_from_0 = true,
                                               .n = c->quarters,
                                               .n_q = SLX_FLEET_PERCENTILES,
                                               .x = xs,
                                               .y = ys,
                                               .q_name = q_names});
}

static slx_chart_row band(const char *name, double mean, const slx_fleet_spread *s)
{
    return (slx_chart_row){
        .name = name, .value = mean, .low = s->p[0], .high = s->p[SLX_FLEET_PERCENTILES - 1]};
}

static void one_supplier(slx_buf *page, const cli_fleet *f)
{
    const slx_fleet_risk *r = f->risk;
    slx_chart_row rows[SLX_FLEET_OPTIONS + 1];
    char name[SLX_FLEET_OPTIONS][80];
    if (!r->n_single) return;
    rows[0] = band("the mix", r->mix_cost, &r->out[SLX_FR_COST]);
    for (int i = 0; i < r->n_single; i++) {
        snprintf(name[i], sizeof name[i], "all from %.64s", f->c->option[r->single[i].option].name);
        rows[i + 1] = band(name[i], r->single[i].cost.mean, &r->single[i].cost);
    }
    slx_chart_bars(page, &(slx_chart_rows){.title = "Cost with one supplier",
                                           .x_label = "USD, 5 to 95 %",
                                           .n = r->n_single + 1,
                                           .row = rows});
}

void cli_fleet_risk_charts(slx_buf *page, const cli_fleet *f)
{
    slx_html_charts_begin(page);
    fan(page, f->c, "In service", "GW of hall power", f->risk->gw, 1);
    fan(page, f->c, "Spent since the start", "G USD", f->risk->spent, 1e-9);
    fan(page, f->c, "Tokens served of those asked for", "share", f->risk->served, 1);
    one_supplier(page, f);
    slx_html_charts_end(page);
}
