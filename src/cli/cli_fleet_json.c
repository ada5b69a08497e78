/* cli_fleet_json.c - silex fleet --json: everything, by quarter, with every input's band and source. */
#include "cli/cli_fleet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static void put(json_t *j, const char *key, double v, const char *why)
{
    char text[32];
    if (!isfinite(v)) {
        cli_json_absent(j, key, why);
        return;
    }
    snprintf(text, sizeof text, "%.9g", v); /* what is left when sums are made in another order */
    json_object_set_new(j, key, json_real(strtod(text, NULL)));
}

static json_t *string(const char *s)
{
    return cli_json_str(s, strlen(s));
}

static json_t *movers(const slx_fleet_case *c, const slx_fleet_answer *a)
{
    json_t *list = json_array();
    for (int i = 0; i < a->n_movers; i++) {
        const slx_fleet_mover *m = &a->mover[i];
        json_t *j = json_object();
        json_object_set_new(j, "input", json_string(c->in[m->in].path));
        put(j, "low", m->low, "");
        put(j, "high", m->high, "");
        put(j, "at_low", m->at_low, "the output does not exist there");
        put(j, "at_high", m->at_high, "the output does not exist there");
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *figures(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    json_t *list = json_array();
    for (int i = 0; i < c->n_figures; i++) {
        const slx_fleet_public *p = &c->figure[i];
        const slx_fleet_answer *a = &f->answer[i];
        json_t *j = json_object(), *free_inputs = json_array();
        json_object_set_new(j, "name", json_string(p->name));
        json_object_set_new(j, "unit", json_string(slx_fleet_output_unit(p->of)));
        put(j, "public", p->published, "");
        put(j, "ours", a->ours, "the case does not say");
        put(j, "error", a->error, "the case does not say");
        put(j, "claimed_within", p->within, "");
        for (int k = 0; k < a->n_free; k++)
            json_array_append_new(free_inputs, json_string(c->in[a->free_in[k]].path));
        json_object_set_new(j, "free_inputs", free_inputs);
        json_object_set_new(
            j, "variant", p->variant < 0 ? json_null() : json_string(c->variant[p->variant].name));
        json_object_set_new(j, "source", string(p->source));
        json_object_set_new(j, "sensitivity", movers(c, a));
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *outputs(const double *out)
{
    json_t *j = json_object();
    for (int o = 0; o < SLX_FO_COUNT; o++)
        put(j, slx_fleet_output_name((slx_fleet_output)o), out[o],
            "the case does not say, or not of this");
    return j;
}

/* "fleet" and "options": what the run gives, of all and of each option. */
static void put_outputs(json_t *j, const cli_fleet *f)
{
    json_t *options = json_object();
    for (int i = 0; i < f->c->n_options; i++)
        json_object_set_new(options, f->c->option[i].name, outputs(f->run->option_out[i]));
    json_object_set_new(j, "fleet", outputs(f->run->out));
    json_object_set_new(j, "options", options);
}

static json_t *option_quarter(const cli_fleet *f, int i, int q)
{
    const slx_fleet_cell *x = &f->run->cell[i][q];
    json_t *j = json_object();
    double chips = f->mid[f->c->option[i].base + SLX_F_OPTION_chips_rack];
    put(j, "ordered_racks", x->ordered, "");
    put(j, "delivered_racks", x->delivered, "");
    put(j, "bought_usd", cli_fleet_bought_usd(f, i, q), "");
    put(j, "renewed_racks", x->renewed, "");
    put(j, "retired_racks", x->retired, "");
    put(j, "waiting_racks", x->waiting, "");
    put(j, "backlog_racks", x->backlog, "");
    put(j, "racks", x->racks, "");
    put(j, "training_racks", x->training_racks, "");
    put(j, "sold_racks", x->sold, "");
    put(j, "chips", x->racks * chips, "");
    put(j, "failed_chips", x->failed_chips, "");
    put(j, "spare_chips", x->spare_chips, "");
    put(j, "facility_w", x->facility_w, "");
    put(j, "capex_usd", x->capex_usd, "");
    return j;
}

static json_t *quarters(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    json_t *list = json_array();
    for (int q = 0; q < c->quarters; q++) {
        const slx_fleet_total *t = &f->run->total[q];
        const struct {
            const char *name;
            double v;
        } totals[] = {
            {"need_tok_s", t->need_tok_s},
            {"capacity_tok_s", t->capacity_tok_s},
            {"need_flop_s", t->need_flop_s},
            {"training_flop_s", t->training_flop_s},
            {"tokens_asked", t->tokens_asked},
            {"tokens_served", t->tokens_served},
            {"tokens_sold", t->tokens_sold},
            {"gw_sold", t->gw_sold},
            {"goods_usd", t->goods_usd},
            {"sales_usd", t->sales_usd},
            {"it_w", t->it_w},
            {"facility_w", t->facility_w},
            {"energy_j", t->energy_j},
            {"capex_usd", slx_fleet_capex(t)},
            {"racks_usd", t->racks_usd},
            {"spares_usd", t->spares_usd},
            {"halls_usd", t->halls_usd},
            {"nre_usd", t->nre_usd},
            {"opex_usd", slx_fleet_opex(t)},
            {"energy_usd", t->energy_usd},
            {"maintenance_usd", t->maintenance_usd},
            {"repair_usd", t->repair_usd},
            {"lease_usd", t->lease_usd},
            {"rent_usd", t->rent_usd},
            {"shortfall_usd", t->shortfall_usd},
            {"warrants_usd", t->warrants_usd},
            {"investment_usd", t->investment_usd},
            {"depreciation_usd", t->depreciation_usd},
            {"book_usd", t->book_usd},
        };
        char name[16];
        json_t *j = json_object(), *opts = json_object(), *pools = json_object(),
               *sites = json_object();
        json_object_set_new(j, "quarter", json_string(slx_fleet_quarter(name, c, q)));
        for (size_t i = 0; i < sizeof totals / sizeof *totals; i++)
            put(j, totals[i].name, totals[i].v, "");
        for (int i = 0; i < c->n_options; i++)
            json_object_set_new(opts, c->option[i].name, option_quarter(f, i, q));
        for (int i = 0; i < c->n_pools; i++) put(pools, c->pool[i].name, t->pool[i], "");
        for (int i = 0; i < c->n_sites; i++) put(sites, c->site[i].name, t->site_w[i], "");
        json_object_set_new(j, "options", opts);
        json_object_set_new(j, "pools_used", pools);
        json_object_set_new(j, "sites_w", sites);
        json_array_append_new(list, j);
    }
    return list;
}

/* Of each contract, all since the start by quarter. */
static json_t *contracts(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    json_t *all = json_object();
    for (int k = 0; k < c->n_contracts; k++) {
        const slx_fleet_contract *a = &c->contract[k];
        json_t *one = json_object(), *options = json_array(), *list = json_array();
        for (int i = 0; i < a->n_options; i++)
            json_array_append_new(options, json_string(c->option[a->options[i]].name));
        bool gw = c->in[a->base + SLX_F_CONTRACT_commit].unit == SLX_FLEET_GW;
        for (int q = 0; q < c->quarters; q++) {
            const slx_fleet_contract_cell *x = &f->run->contract[k][q];
            char name[16];
            json_t *j = json_object();
            json_object_set_new(j, "quarter", json_string(slx_fleet_quarter(name, c, q)));
            put(j, "due", x->due, "");
            put(j, "taken", x->taken, "");
            put(j, "gw_delivered", x->gw, "");
            put(j, "paid_for_and_not_taken", x->short_paid, "");
            put(j, "equity_vested_gw", x->vested_gw, "");
            put(j, "shortfall_usd", x->shortfall_usd, "");
            put(j, "warrants_usd", x->warrants_usd, "");
            put(j, "investment_usd", x->investment_usd, "");
            json_array_append_new(list, j);
        }
        json_object_set_new(one, "options", options);
        json_object_set_new(one, "unit", json_string(gw ? "GW" : "USD"));
        json_object_set_new(one, "quarters", list);
        json_object_set_new(all, a->name, one);
    }
    return all;
}

static json_t *inputs(const slx_fleet_case *c)
{
    json_t *list = json_array();
    for (int i = 0; i < c->n_in; i++) {
        const slx_fleet_input *in = &c->in[i];
        if (!in->given) continue;
        json_t *j = json_object();
        json_object_set_new(j, "name", json_string(in->path));
        json_object_set_new(j, "unit", json_string(slx_fleet_unit(in)));
        put(j, "low", in->low, "");
        put(j, "mid", in->mid, "");
        put(j, "high", in->high, "");
        if (in->series) {
            json_t *s = json_array();
            for (int q = 0; q < c->quarters; q++)
                json_array_append_new(s, json_real(in->series[q]));
            json_object_set_new(j, "by_quarter", s);
        }
        json_object_set_new(j, "free", json_boolean(in->free));
        json_object_set_new(j, "source", string(in->source));
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *limits(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    json_t *list = json_array();
    for (int i = 0; i < f->plan->n_binding; i++) {
        const slx_fleet_limit *l = &f->plan->binding[i];
        char name[96], q[16];
        json_t *j = json_object();
        json_object_set_new(j, "limit", json_string(slx_fleet_limit_name(name, c, l)));
        json_object_set_new(j, "unit", json_string(slx_fleet_limit_unit(c, l)));
        json_object_set_new(j, "first", json_string(slx_fleet_quarter(q, c, l->first)));
        json_object_set_new(j, "last", json_string(slx_fleet_quarter(q, c, l->last)));
        json_object_set_new(j, "quarters", json_integer(l->quarters));
        put(j, "usd_per_unit_in_each_quarter", l->price_usd, "");
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *broken(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    slx_fleet_broken b[SLX_FLEET_LIMITS];
    json_t *list = json_array();
    int n = slx_fleet_broken_limits(c, f->run, b);
    for (int i = 0; i < n; i++) {
        const slx_fleet_limit *l = &b[i].l;
        char name[96], q[16];
        json_t *j = json_object();
        json_object_set_new(j, "limit", json_string(slx_fleet_limit_name(name, c, l)));
        json_object_set_new(
            j, "unit", json_string(l->kind == SLX_FL_SHARE ? "1" : slx_fleet_limit_unit(c, l)));
        json_object_set_new(j, "first", json_string(slx_fleet_quarter(q, c, l->first)));
        json_object_set_new(j, "last", json_string(slx_fleet_quarter(q, c, l->last)));
        json_object_set_new(j, "quarters", json_integer(l->quarters));
        json_object_set_new(j, "worst", json_string(slx_fleet_quarter(q, c, b[i].worst)));
        put(j, "found", b[i].found, "");
        put(j, "expected", b[i].limit, "");
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *plan(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    const slx_fleet_plan *p = f->plan;
    json_t *j = json_object(), *unused = json_object();
    json_object_set_new(j, "optimal", json_boolean(p->state == SLX_MILP_OPTIMAL));
    put(j, "cost_usd", p->cost_usd, "");
    put(j, "bound_usd", p->bound_usd, "");
    put(j, "gap", p->gap, "");
    put(j, "unchosen_usd", p->unchosen_usd, "");
    put(j, "shortage_usd", p->shortage_usd, "");
    json_object_set_new(j, "columns", json_integer(p->columns));
    json_object_set_new(j, "rows", json_integer(p->rows));
    put(j, "unserved_tokens", p->short_tokens, "");
    json_object_set_new(j, "binding", limits(f));
    for (int i = 0; i < c->n_options; i++)
        if (!isnan(p->cheaper[i])) put(unused, c->option[i].name, p->cheaper[i], "");
    json_object_set_new(j, "price_cut_to_be_bought", unused);
    return j;
}

static json_t *spread(const slx_fleet_spread *s)
{
    json_t *j = json_object();
    put(j, "mean", s->mean, "the case does not say");
    for (int p = 0; p < SLX_FLEET_PERCENTILES && !isnan(s->mean); p++) {
        char key[16];
        snprintf(key, sizeof key, "p%.0f", slx_fleet_percentiles[p]);
        put(j, key, s->p[p], "");
    }
    return j;
}

static json_t *fan(const slx_fleet_case *c, const slx_fleet_spread *s)
{
    json_t *list = json_array();
    for (int q = 0; q < c->quarters; q++) {
        char name[16];
        json_t *j = spread(&s[q]);
        json_object_set_new(j, "quarter", json_string(slx_fleet_quarter(name, c, q)));
        json_array_append_new(list, j);
    }
    return list;
}

/* Nothing here depends on the host or its threads. */
static json_t *risk(const cli_fleet *f)
{
    const slx_fleet_risk *r = f->risk;
    json_t *j = json_object(), *out = json_object(), *single = json_array();
    json_object_set_new(j, "futures", json_integer(r->futures));
    json_object_set_new(j, "seed", json_integer((json_int_t)r->seed));
    for (int o = 0; o < SLX_FR_COUNT; o++)
        json_object_set_new(out, slx_fleet_risk_name((slx_fleet_risk_output)o), spread(&r->out[o]));
    json_object_set_new(j, "outputs", out);
    json_object_set_new(j, "gw", fan(f->c, r->gw));
    json_object_set_new(j, "spent_usd", fan(f->c, r->spent));
    json_object_set_new(j, "served", fan(f->c, r->served));
    for (int i = 0; i < r->n_single; i++) {
        json_t *s = json_object();
        json_object_set_new(s, "option", json_string(f->c->option[r->single[i].option].name));
        json_object_set_new(s, "cost_usd", spread(&r->single[i].cost));
        json_object_set_new(s, "late_gw_years", spread(&r->single[i].late));
        put(s, "trained", r->single[i].trained, "the case has no research");
        put(s, "against_mix_usd", r->single[i].against.mean, "");
        json_object_set_new(s, "against_mix", spread(&r->single[i].against));
        json_array_append_new(single, s);
    }
    json_object_set_new(j, "single_source", single);
    json_t *refused = json_array();
    for (int i = 0; i < r->n_refused; i++) {
        json_t *s = json_object();
        json_object_set_new(s, "option", json_string(f->c->option[r->refused[i].option].name));
        put(s, "trained", r->refused[i].trained, "");
        json_array_append_new(refused, s);
    }
    json_object_set_new(j, "single_source_refused", refused);
    put(j, "second_source_usd", r->second_source.mean,
        "there is one supplier, or orders follow the demand");
    json_object_set_new(j, "second_source", spread(&r->second_source));
    return j;
}

static void put_band(json_t *j, const char *key, slx_band v, const char *why)
{
    char name[64];
    put(j, key, v.mid, why);
    if (isnan(v.mid)) return;
    snprintf(name, sizeof name, "%s_low", key);
    put(j, name, v.low, why);
    snprintf(name, sizeof name, "%s_high", key);
    put(j, name, v.high, why);
}

static json_t *own_throughput(const cli_fleet *f)
{
    json_t *list = json_array();
    for (int i = 0; i < f->own->n; i++) {
        const slx_fleet_own_row *r = &f->own->row[i];
        const slx_fleet_rates *x = &r->rates;
        const char *why = r->why[0] ? r->why : "not published";
        json_t *j = json_object();
        json_object_set_new(j, "model", json_string(r->model));
        json_object_set_new(j, "chip", json_string(r->chip));
        put(j, "tpot_target_ms", f->c->in[f->c->own + SLX_F_OWN_tpot_ms].mid, "");
        put(j, "tok_s_user", x->tok_s_user, why);
        put(j, "tok_s_chip", x->write_tok_s.mid, why);
        put(j, "read_tok_s_chip", x->read_tok_s.mid, r->why[0] ? why : "the case has no tokens_in");
        put(j, "tok_s_chip_with_reading", x->tok_s, why);
        if (!isnan(x->tok_s)) {
            json_object_set_new(j, "weights", json_string(x->weights));
            json_object_set_new(j, "kv_cache", json_string(x->kv_cache));
            json_object_set_new(j, "tp", json_integer(x->tp));
            json_object_set_new(j, "batch", json_integer(x->batch));
            json_object_set_new(j, "bound_by", json_string(x->bound_by));
            json_object_set_new(j, "timed_by", json_string(x->timed_by));
        }
        put(j, "energy_j_per_token", x->joules, why);
        put(j, "chips", r->chips, why);
        put(j, "chips_mw", r->mw, why);
        json_object_set_new(j, "chip_price_published", json_boolean(r->basis == SLX_PRICE_PUBLISHED));
        json_object_set_new(j, "chip_usd_basis", json_string(slx_price_basis_name(r->basis)));
        put_band(j, "chip_usd", r->chip_usd, why);
        put_band(j, "chips_usd", r->capex_usd, why);
        put_band(j, "renewal_chips_usd_year", r->usd_year, why);
        put_band(j, "usd_per_mtok", x->usd_mtok, why);
        json_array_append_new(list, j);
    }
    return list;
}

/* A reading of the case: its outputs, plan and risk, without quarters and inputs. */
static json_t *reading(const cli_fleet *f, const char *name, const char *about)
{
    json_t *j = json_object();
    json_object_set_new(j, "variant", string(name));
    json_object_set_new(j, "about", string(about));
    if (f->why[0]) {
        json_object_set_new(j, "no_plan", string(f->why));
        return j;
    }
    put_outputs(j, f);
    if (f->plan) put(j, "plan_cost_usd", f->plan->cost_usd, "");
    if (f->plan) put(j, "plan_gap", f->plan->gap, "");
    if (f->risk) {
        json_object_set_new(j, "risk_cost_usd", spread(&f->risk->out[SLX_FR_COST]));
        json_object_set_new(j, "risk_late_gw_years", spread(&f->risk->out[SLX_FR_LATE]));
    }
    return j;
}

static json_t *readings(const cli_fleet *f)
{
    json_t *list = json_array();
    json_array_append_new(list, reading(f, "", f->c->about));
    for (int i = 0; i < f->n_readings; i++)
        json_array_append_new(
            list, reading(&f->reading[i], f->c->variant[i].name, f->c->variant[i].about));
    return list;
}

static json_t *changes(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    json_t *list = json_array();
    for (int i = 0; i < f->changes->n; i++) {
        const slx_fleet_change *x = &f->changes->change[i];
        json_t *j = json_object(), *gw = json_object();
        json_object_set_new(j, "input", json_string(c->in[x->in].path));
        json_object_set_new(j, "at", json_string(x->high ? "high" : "low"));
        put(j, "value", x->value, "");
        put(j, "cost_usd", x->feasible ? x->cost_usd : NAN, x->why);
        put(j, "moved_gw", x->feasible ? x->moved_gw : NAN, x->why);
        for (int o = 0; o < c->n_options && x->feasible; o++)
            put(gw, c->option[o].name, x->gw[o], "");
        json_object_set_new(j, "gw", gw);
        json_array_append_new(list, j);
    }
    return list;
}

json_t *cli_fleet_json(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    json_t *j = json_object();
    json_object_set_new(j, "case", string(c->name));
    json_object_set_new(j, "title", string(c->title));
    json_object_set_new(j, "file", string(c->path));
    json_object_set_new(j, "changed", string(f->changed));
    json_object_set_new(j, "figures", figures(f));
    put_outputs(j, f);
    if (f->plan) json_object_set_new(j, "plan", plan(f));
    json_object_set_new(j, "broken_limits", broken(f));
    if (f->own) json_object_set_new(j, "own_throughput", own_throughput(f));
    if (f->risk) json_object_set_new(j, "risk", risk(f));
    if (c->n_contracts) json_object_set_new(j, "contracts", contracts(f));
    if (f->reading) json_object_set_new(j, "variants", readings(f));
    if (f->changes) json_object_set_new(j, "changes", changes(f));
    json_object_set_new(j, "cost_moved_by", movers(c, &f->cost));
    json_object_set_new(j, "quarters", quarters(f));
    json_object_set_new(j, "inputs", inputs(c));
    return j;
}
