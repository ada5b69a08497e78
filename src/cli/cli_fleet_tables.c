/* cli_fleet_tables.c - tables that stand in the text and on the page alike: readings of a case, throughput of our
 * own.
 */
#include "cli/cli_fleet.h"

#include <math.h>
#include <string.h>

#include "cli/cli.h"

void cli_fleet_put(cli_grid *g, const char *head, bool told, double v)
{
    char text[32];
    cli_grid_number(g, head, told ? cli_fleet_amount(text, v) : NULL);
}

void cli_fleet_put_spread(cli_grid *g, const char *head, const slx_fleet_spread *s)
{
    char text[120], mean[32], low[32], high[32];
    if (!s || isnan(s->mean)) {
        cli_grid_number(g, head, s ? "not known" : NULL);
        return;
    }
    snprintf(text, sizeof text, "%s (%s to %s)", cli_fleet_amount(mean, s->mean),
             cli_fleet_amount(low, s->p[0]),
             cli_fleet_amount(high, s->p[SLX_FLEET_PERCENTILES - 1]));
    cli_grid_number(g, head, text);
}

/* ------------------------------------------------------------------ readings */

/* base: the case itself. What a reading without a plan or without risk has not is left empty. */
static void put_reading(cli_grid *g, const cli_fleet *base, const cli_fleet *of, const char *name,
                        const char *about)
{
    const slx_fleet_run *r = of->run;
    char text[32], mix[CLI_FLEET_MIX];
    bool plan = !of->why[0], risk = plan && of->risk;
    double cost = r->out[SLX_FO_cost_usd], nre = 0;
    for (int q = 0; q < of->c->quarters; q++) nre += r->total[q].nre_usd;
    cli_grid_row(g);
    cli_grid_text(g, "reading", name);
    cli_grid_number(g, "cost, USD", plan ? cli_fleet_amount(text, cost) : "no plan");
    cli_fleet_signed(text, cost - base->run->out[SLX_FO_cost_usd]);
    cli_grid_number(g, "against the case", plan && of != base ? text : NULL);
    cli_fleet_put_spread(g, "with risk (5 to 95 %)", risk ? &of->risk->out[SLX_FR_COST] : NULL);
    cli_fleet_put(g, "GW years late", risk, risk ? of->risk->out[SLX_FR_LATE].mean : NAN);
    cli_fleet_put(g, "invested, USD", plan, r->out[SLX_FO_capex_usd]);
    cli_fleet_put(g, "running, USD", plan, r->out[SLX_FO_opex_usd]);
    cli_fleet_put(g, "development, USD", plan, nre);
    cli_grid_text(g, "in service at the most", plan ? cli_fleet_mix(mix, of->c, r, NULL) : NULL);
    cli_grid_note(g, "about", plan ? about : slx_sprintf(g->arena, "%s; %s", about, of->why));
}

void cli_fleet_readings(cli_grid *g, const cli_fleet *f)
{
    if (f->n_readings) put_reading(g, f, f, f->c->name, f->c->about);
    for (int i = 0; i < f->n_readings; i++)
        put_reading(g, f, &f->reading[i], f->c->variant[i].name, f->c->variant[i].about);
}

/* ------------------------------------------------------------------ throughput of our own */

static void put_own(cli_grid *g, const slx_fleet_own_row *r)
{
    char text[80];
    const slx_fleet_rates *x = &r->rates;
    bool told = !isnan(x->tok_s);
    cli_grid_row(g);
    cli_grid_text(g, "model", r->model);
    cli_grid_text(g, "on chip", r->chip);
    snprintf(text, sizeof text, "%s, %s", told ? x->weights : "", told ? x->kv_cache : "");
    cli_grid_text(g, "weights, cache", told ? text : "");
    cli_fleet_put(g, "tok/s a user", told, x->tok_s_user);
    snprintf(text, sizeof text, "%u x %u", x->batch, x->tp);
    cli_grid_number(g, "batch x chips", told ? text : NULL);
    cli_fleet_put(g, "a chip writes, tok/s", told, x->write_tok_s.mid);
    cli_fleet_put(g, "reads, tok/s", told && !isnan(x->read_tok_s.mid), x->read_tok_s.mid);
    cli_fleet_put(g, "chips", told, r->chips);
    cli_fleet_put(g, "their power, MW", told, r->mw);
    cli_fleet_amount(text, r->capex_usd.mid);
    if (r->basis != SLX_PRICE_PUBLISHED) strcat(text, r->basis == SLX_PRICE_ESTIMATED ? " (est.)" : " (cost)");
    cli_grid_number(g, "chips, USD", told ? text : NULL);
    cli_fleet_put(g, "USD a year", told, r->usd_year.mid);
    cli_fleet_put(g, "$/Mtok, all in", told, x->usd_mtok.mid);
    snprintf(text, sizeof text, "%s, by %s", x->bound_by, x->timed_by);
    cli_grid_text(g, "limited by", told ? text : r->why);
}

void cli_fleet_own(cli_grid *g, const cli_fleet *f)
{
    for (int i = 0; i < f->own->n; i++) put_own(g, &f->own->row[i]);
}
