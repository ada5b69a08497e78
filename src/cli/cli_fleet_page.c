/* cli_fleet_page.c - silex fleet --html: one page a planner can pass on: the fleet by quarter, purchases, money, power,
 * suppliers, risk, what moves it, and where every input is from.
 */
#include "cli/cli_fleet.h"

#include <math.h>

#include "report/report.h"

/* The page, and what its tables borrow until it is written. */
typedef struct {
    const cli_fleet *f;
    slx_buf *page;
    slx_arena arena;
} sheet;

static cli_grid new_grid(sheet *s)
{
    return (cli_grid){.arena = &s->arena};
}

static const char *amount(sheet *s, double v)
{
    char text[32];
    return slx_strdup(&s->arena, cli_fleet_amount(text, v));
}

static const char *quarter(sheet *s, int q)
{
    char text[16];
    return slx_strdup(&s->arena, slx_fleet_quarter(text, s->f->c, q));
}

/* ------------------------------------------------------------------ figures and inputs */

static const char *free_inputs(sheet *s, const slx_fleet_answer *a)
{
    const char *all = "";
    for (int k = 0; k < a->n_free; k++)
        all = slx_sprintf(&s->arena, "%s%s%s", all, k ? ", " : "", s->f->c->in[a->free_in[k]].path);
    return a->n_free ? all : "none";
}

static void figures(sheet *s)
{
    const slx_fleet_case *c = s->f->c;
    cli_grid g = new_grid(s);
    for (int i = 0; i < c->n_figures; i++) {
        const slx_fleet_public *p = &c->figure[i];
        const slx_fleet_answer *a = &s->f->answer[i];
        cli_grid_row(&g);
        cli_grid_text(&g, "figure", p->name);
        cli_fleet_put(&g, "published", true, p->published);
        cli_fleet_put(&g, "ours", true, a->ours);
        cli_grid_number(&g, "error", slx_sprintf(&s->arena, "%+.1f %%", 100 * a->error));
        cli_grid_text(&g, "unit", cli_fleet_output_unit(p->of));
        cli_grid_text(&g, "reading", p->variant < 0 ? "the case" : c->variant[p->variant].name);
        cli_grid_text(&g, "free inputs", free_inputs(s, a));
        cli_grid_text(&g, "source", p->source);
    }
    if (!g.rows) return;
    slx_html_heading(s->page, "Published figures beside ours");
    cli_grid_page(&g, s->page);
}

static void sources(sheet *s)
{
    const slx_fleet_case *c = s->f->c;
    cli_grid g = new_grid(s);
    for (int i = 0; i < c->n_in; i++) {
        const slx_fleet_input *in = &c->in[i];
        if (!in->given) continue;
        cli_grid_row(&g);
        cli_grid_text(&g, "input", in->path);
        cli_fleet_put(&g, "low", true, in->low);
        cli_fleet_put(&g, "mid", true, in->mid);
        cli_fleet_put(&g, "high", true, in->high);
        cli_grid_text(
            &g, "unit",
            slx_sprintf(&s->arena, "%s%s", in->series ? "x series, " : "", slx_fleet_unit(in)));
        cli_grid_text(&g, "free", in->free ? "free" : "");
        cli_grid_text(&g, "source", in->source);
    }
    slx_html_heading(s->page, "Inputs and their sources");
    cli_grid_page(&g, s->page);
}

/* ------------------------------------------------------------------ the fleet */

static void outputs(sheet *s)
{
    cli_grid g = new_grid(s);
    for (int o = 0; o < SLX_FO_COUNT; o++) {
        slx_fleet_output of = (slx_fleet_output)o;
        if (isnan(s->f->run->out[o])) continue;
        cli_grid_row(&g);
        cli_grid_text(&g, "output", slx_fleet_output_name(of));
        cli_fleet_put(&g, "value", true, s->f->run->out[o]);
        cli_grid_text(&g, "unit", cli_fleet_output_unit(of));
        cli_grid_text(&g, "what it is", slx_fleet_output_doc(of));
    }
    slx_html_heading(s->page, "The fleet in all");
    cli_grid_page(&g, s->page);
}

static void deployment(sheet *s)
{
    const slx_fleet_case *c = s->f->c;
    cli_grid g = new_grid(s);
    for (int q = 0; q < c->quarters; q++) {
        const slx_fleet_total *t = &s->f->run->total[q];
        double delivered = 0, racks = 0;
        for (int i = 0; i < c->n_options; i++) {
            delivered += s->f->run->cell[i][q].delivered;
            racks += s->f->run->cell[i][q].racks;
        }
        cli_grid_row(&g);
        cli_grid_text(&g, "quarter", quarter(s, q));
        cli_fleet_put(&g, "racks delivered", true, delivered);
        cli_fleet_put(&g, "racks in service", true, racks);
        cli_fleet_put(&g, "hall power, MW", true, t->facility_w / 1e6);
        cli_fleet_put(&g, "energy, GWh", true, t->energy_j / 3.6e12);
        cli_fleet_put(&g, "invested, USD", true, slx_fleet_capex(t));
        cli_fleet_put(&g, "running cost, USD", true, slx_fleet_opex(t));
        cli_fleet_put(&g, "depreciation, USD", true, t->depreciation_usd);
        cli_fleet_put(&g, "book value, USD", true, t->book_usd);
        cli_fleet_put(&g, "tokens served", c->demand != SLX_FLEET_NONE, t->tokens_served);
    }
    slx_html_heading(s->page, "Quarter by quarter");
    cli_grid_page(&g, s->page);
}

static void purchases(sheet *s)
{
    const slx_fleet_case *c = s->f->c;
    cli_grid g = new_grid(s), years = new_grid(s);
    const char *racks[SLX_FLEET_OPTIONS], *usd[SLX_FLEET_OPTIONS];
    char name[CLI_FLEET_OPTION];
    for (int i = 0; i < c->n_options; i++) {
        racks[i] = slx_sprintf(&s->arena, "%s, racks", cli_fleet_option(name, c, i));
        usd[i] = slx_sprintf(&s->arena, "%s, USD", cli_fleet_option(name, c, i));
    }
    for (int q = 0; q < c->quarters; q++) {
        double all = 0;
        cli_grid_row(&g);
        cli_grid_text(&g, "quarter", quarter(s, q));
        for (int i = 0; i < c->n_options; i++) {
            double n = s->f->run->cell[i][q].delivered, paid = cli_fleet_bought_usd(s->f, i, q);
            cli_fleet_put(&g, racks[i], n > 0, n);
            cli_fleet_put(&g, usd[i], n > 0, paid);
            all += paid;
        }
        cli_fleet_put(&g, "all, USD", all > 0, all);
    }
    cli_fleet_bought(&years, &s->f, &(const char *){NULL}, 1);
    if (!years.rows) return;
    slx_html_heading(s->page, "Purchases");
    slx_html_paragraph(
        s->page,
        "Racks by the quarter in which they are delivered and paid for, with chips and network; "
        "spares, development and halls come beside it.");
    cli_grid_page(&years, s->page);
    slx_html_details_begin(s->page, "By quarter");
    cli_grid_page(&g, s->page);
    slx_html_details_end(s->page);
}

static void own(sheet *s)
{
    cli_grid g = new_grid(s);
    if (!s->f->own) return;
    cli_fleet_own(&g, s->f);
    slx_html_heading(s->page, "The same demand on chips of today");
    slx_html_paragraph(
        s->page,
        "At %g ms a token, with throughput that silex computes: weights of %g bits and "
        "caches of %g on every chip.",
        s->f->c->in[s->f->c->own + SLX_F_OWN_tpot_ms].mid,
        s->f->c->in[s->f->c->own + SLX_F_OWN_weight_bits].mid,
        s->f->c->in[s->f->c->own + SLX_F_OWN_kv_bits].mid);
    cli_grid_page(&g, s->page);
}

/* ------------------------------------------------------------------ the plan */

static bool delivers(const cli_fleet *f, int option)
{
    for (int q = 0; q < f->c->quarters; q++)
        if (f->run->cell[option][q].delivered > 0) return true;
    return false;
}

static void plan(sheet *s)
{
    const slx_fleet_case *c = s->f->c;
    const slx_fleet_plan *p = s->f->plan;
    cli_grid g = new_grid(s);
    if (!p) return;
    slx_html_heading(s->page, "The plan and what binds it");
    slx_html_paragraph(s->page, "%s USD, within %.2f %% of the cheapest plan there is.",
                       amount(s, p->cost_usd), 100 * p->gap);
    slx_html_paragraph(s->page, "With %s USD that it does not choose%s%s%s, the fleet costs %s.",
                       amount(s, p->unchosen_usd), p->shortage_usd > 0 ? ", less " : "",
                       p->shortage_usd > 0 ? amount(s, p->shortage_usd) : "",
                       p->shortage_usd > 0 ? " for tokens not served, which nobody pays" : "",
                       amount(s, s->f->run->out[SLX_FO_cost_usd]));
    for (int i = 0; i < c->n_options; i++) {
        char why[CLI_FLEET_UNUSED];
        if (c->option[i].deploy == SLX_FLEET_CHOOSE && !delivers(s->f, i))
            slx_html_paragraph(s->page, "Nothing from %s: %s.", c->option[i].name,
                               cli_fleet_unused(why, p, i));
    }
    for (int i = 0; i < p->n_binding; i++) {
        const slx_fleet_limit *l = &p->binding[i];
        char name[96];
        cli_grid_row(&g);
        cli_grid_text(&g, "limit", slx_fleet_limit_name(name, c, l));
        cli_grid_text(
            &g, "quarters",
            slx_sprintf(&s->arena, "%s to %s", quarter(s, l->first), quarter(s, l->last)));
        cli_grid_text(&g, "one in each of", slx_fleet_limit_unit(c, l));
        cli_fleet_put(&g, "is worth up to, USD", true, l->price_usd);
    }
    cli_grid_page(&g, s->page);
}

static void changes(sheet *s)
{
    const cli_fleet *f = s->f;
    cli_grid g = new_grid(s);
    char mix[CLI_FLEET_MIX], text[32];
    if (!f->changes) return;
    for (int i = 0; i < f->changes->n; i++) {
        const slx_fleet_change *x = &f->changes->change[i];
        cli_fleet_signed(text, x->cost_usd - f->plan->cost_usd);
        cli_grid_row(&g);
        cli_grid_text(&g, "input", f->c->in[x->in].path);
        cli_grid_text(&g, "its end", x->high ? "high" : "low");
        cli_grid_number(&g, "value",
                        slx_sprintf(&s->arena, "%s%s", f->c->in[x->in].series ? "x " : "",
                                    amount(s, x->value)));
        cli_grid_number(&g, "cost against the plan, USD", x->feasible ? text : "no plan");
        cli_grid_text(&g, "plan, in service at the most",
                      x->feasible ? cli_fleet_mix(mix, f->c, NULL, x->gw) : x->why);
    }
    slx_html_heading(s->page, "What changes the plan");
    slx_html_paragraph(s->page, "%d of %d ends of bands, each alone, with the plan chosen again.",
                       f->changes->n, f->changes->tried);
    cli_grid_page(&g, s->page);
}

static void contracts(sheet *s)
{
    const slx_fleet_case *c = s->f->c;
    cli_grid g = new_grid(s);
    for (int k = 0; k < c->n_contracts; k++) {
        const slx_fleet_contract_cell *x = &s->f->run->contract[k][c->quarters - 1];
        const slx_fleet_input *in = c->in + c->contract[k].base;
        bool due = in[SLX_F_CONTRACT_commit].given;
        bool gw = in[SLX_F_CONTRACT_commit].unit == SLX_FLEET_GW;
        cli_grid_row(&g);
        cli_grid_text(&g, "contract", c->contract[k].name);
        cli_grid_text(&g, "in", !due ? NULL : gw ? "GW" : "USD");
        cli_fleet_put(&g, "due", due, x->due);
        cli_fleet_put(&g, "taken", due, x->taken);
        cli_fleet_put(&g, "paid for the rest, USD", due, x->shortfall_usd);
        cli_fleet_put(&g, "GW delivered", true, x->gw);
        cli_fleet_put(&g, "warrants vested, USD", in[SLX_F_CONTRACT_warrant_shares].given,
                      x->warrants_usd);
        cli_fleet_put(&g, "invested by the supplier, USD", in[SLX_F_CONTRACT_invest_usd].given,
                      x->investment_usd);
    }
    if (!g.rows) return;
    slx_html_heading(s->page, "Contracts");
    slx_html_paragraph(s->page,
                       "By %s, all since the start. Warrants are shares of the supplier and make "
                       "its racks cheaper; what "
                       "a supplier invests is paid for with shares of the buyer.",
                       quarter(s, c->quarters - 1));
    cli_grid_page(&g, s->page);
}

static void readings(sheet *s)
{
    cli_grid g = new_grid(s);
    cli_fleet_readings(&g, s->f);
    if (!g.rows) return;
    slx_html_heading(s->page, "Readings side by side");
    cli_grid_page(&g, s->page);
}

/* ------------------------------------------------------------------ charts */

static void over_time(sheet *s)
{
    slx_html_heading(s->page, "Deployment, power and money");
    cli_fleet_charts(s->page, s->f);
}

static void risk(sheet *s)
{
    const slx_fleet_risk *r = s->f->risk;
    if (!r) return;
    const slx_fleet_spread *cost = &r->out[SLX_FR_COST], *second = &r->second_source;
    slx_html_heading(s->page, "Risk");
    slx_html_paragraph(s->page,
                       "%d futures, seed %llu: every input drawn from its band, with slips, "
                       "respins and outages. Cost of "
                       "the fleet%s: %s USD on average, %s to %s in nine of ten.",
                       r->futures, (unsigned long long)r->seed, cli_fleet_priced(s->f->c),
                       amount(s, cost->mean), amount(s, cost->p[0]), amount(s, cost->p[4]));
    cli_fleet_risk_charts(s->page, s->f);
    if (!isnan(second->mean))
        slx_html_paragraph(s->page,
                           "More than one supplier is worth %s USD (%s to %s in nine of ten "
                           "futures) against the best "
                           "single one.",
                           amount(s, second->mean), amount(s, second->p[0]),
                           amount(s, second->p[4]));
}

static void sensitivity(sheet *s)
{
    slx_html_heading(s->page, "What moves it");
    slx_html_paragraph(s->page,
                       "Each input alone at its low and its high, the others in the middle.");
    cli_fleet_mover_charts(s->page, s->f);
}

slx_status cli_fleet_page(const cli_fleet *f, const char *path, slx_err *err)
{
    static void (*const parts[])(sheet *) = {figures,     over_time,  purchases, outputs,  own,
                                             plan,        changes,    contracts, readings, risk,
                                             sensitivity, deployment, sources};
    const slx_fleet_case *c = f->c;
    slx_buf page = {0};
    sheet s = {.f = f, .page = &page};
    slx_arena_init(&s.arena);
    slx_html_begin(&page, c->title,
                   slx_sprintf(&s.arena, "%s%s%s, %s to %s", c->name, *f->changed ? " with " : "",
                               f->changed, quarter(&s, 0), quarter(&s, c->quarters - 1)));
    if (*c->about) slx_html_paragraph(&page, "%s", c->about);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) parts[i](&s);
    slx_html_end(&page);
    slx_status st = slx_write_file(path, page.ptr, page.len, err);
    slx_buf_free(&page);
    slx_arena_deinit(&s.arena);
    return st;
}
