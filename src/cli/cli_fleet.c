/* cli_fleet.c - silex fleet: years of deployment, supply and money: what is computed, and which way it is told. */
#include "cli/cli_fleet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct {
    cli_list set;
    const char *variant, *html, *diff;
    double gap_percent, seconds;
    int64_t futures, seed, threads;
    bool own, json, keys, variants, changes;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"set", 0, CLI_LIST, "KEY=VALUE", AT(set), 0, 0, NULL,
     "one figure changed, as options.h100.tok_s=25; of a series, a factor; may be repeated"},
    {"variant", 0, CLI_TEXT, "NAME", AT(variant), 0, 0, NULL,
     "another reading of the case, as it names them"},
    {"gap", 0, CLI_REAL, "PERCENT", AT(gap_percent), 0, 100, NULL,
     "how far from the cheapest plan is near enough, where suppliers are chosen"},
    {"seconds", 0, CLI_REAL, "S", AT(seconds), 0.1, 86400, NULL, "most time for the plan"},
    {"variants", 0, CLI_FLAG, NULL, AT(variants), 0, 0, NULL,
     "every reading of the case beside it, each with its own plan and, with --futures, its risk; "
     "part of a page"},
    {"changes", 0, CLI_FLAG, NULL, AT(changes), 0, 0, NULL,
     "what would make the plan another: it is chosen again at both ends of every band"},
    {"own", 0, CLI_FLAG, NULL, AT(own), 0, 0, NULL,
     "the demand served by the case's own: chips and models, with the throughput that silex "
     "computes"},
    {"futures", 0, CLI_COUNT, "N", AT(futures), 0, SLX_FLEET_FUTURES_MAX, NULL,
     "risk: so many futures, each with inputs from their bands, slips, respins and outages (0)"},
    {"seed", 0, CLI_COUNT, "N", AT(seed), 0, 9e15, NULL,
     "of the futures: the same seed gives the same bytes"},
    {"threads", 't', CLI_COUNT, "N", AT(threads), 0, 1024, NULL,
     "of the futures; 0 = all CPUs; no effect on any byte"},
    {"keys", 0, CLI_FLAG, NULL, AT(keys), 0, 0, NULL, "the reference of every figure of a case"},
    {"html", 0, CLI_TEXT, "FILE", AT(html), 0, 0, NULL,
     "a page with charts as well; its risk takes 20000 futures unless told otherwise"},
    {"diff", 0, CLI_TEXT, "CASE", AT(diff), 0, 0, NULL,
     "another case beside this one, with the same options"},
    {"json", 0, CLI_FLAG, NULL, AT(json), 0, 0, NULL, "one JSON object"},
    {0},
};
static const values defaults = {.gap_percent = 0.4, .seconds = 60, .futures = -1, .seed = 1};

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

/* Plan, run and risk of a case. */
static slx_status compute_run(cli_fleet *f, const values *v, const slx_milp_limits *l, slx_err *err)
{
    f->run = slx_xcalloc(1, sizeof *f->run);
    if (slx_fleet_must_plan(f->c)) {
        f->plan = slx_fleet_plan_new();
        SLX_TRY(slx_fleet_plan_solve(f->c, l, f->plan, err));
    }
    const slx_fleet_orders *orders = f->plan ? &f->plan->orders : NULL;
    slx_fleet_eval(f->c, &(slx_fleet_future){.orders = orders, .single = -1}, f->run);
    if (v->futures)
        f->risk = slx_fleet_risk_run(f->c, orders,
                                     &(slx_fleet_risk_options){.futures = (int)v->futures,
                                                               .seed = (uint64_t)v->seed,
                                                               .threads = (int)v->threads});
    return SLX_OK;
}

/* The file, with the changes that the call asks for. */
static slx_status load_case(cli_fleet *f, const char *name, const values *v, const char *variant,
                            slx_err *err)
{
    SLX_TRY(slx_fleet_load(&f->c, name, err));
    SLX_TRY(slx_fleet_use_variant(f->c, variant, err));
    for (int i = 0; i < v->set.n; i++) SLX_TRY(slx_fleet_set(f->c, v->set.v[i], err));
    return v->set.n ? slx_fleet_recheck(f->c, "--set", err) : SLX_OK;
}

/* Limits of a reading may clash where the case has a plan: then it says so, and the others go on. */
static slx_status compute_readings(cli_fleet *f, const char *name, const values *v,
                                   const slx_milp_limits *l, slx_err *err)
{
    f->reading = slx_xcalloc((size_t)f->c->n_variants + 1, sizeof *f->reading);
    for (int i = 0; i < f->c->n_variants; i++) {
        cli_fleet *x = &f->reading[f->n_readings++];
        slx_err e = {0};
        SLX_TRY(load_case(x, name, v, f->c->variant[i].name, err));
        slx_status s = compute_run(x, v, l, &e);
        if (s) snprintf(x->why, sizeof x->why, "%.300s", e.msg);
    }
    return SLX_OK;
}

static slx_status compute(cli_fleet *f, const char *name, const values *v, slx_err *err)
{
    slx_milp_limits l = {.gap = v->gap_percent / 100, .seconds = v->seconds};
    SLX_TRY(load_case(f, name, v, v->variant, err));
    if (v->changes && !slx_fleet_must_plan(f->c))
        return slx_fail(
            err, SLX_EINPUT, "--changes", 0, 0,
            "found a case without deploy: choose, expected one in which there is a choice");
    SLX_TRY(compute_run(f, v, &l, err));
    slx_fleet_movers(f->c, f->plan ? &f->plan->orders : NULL, SLX_FO_cost_usd, -1, &f->cost);
    for (int i = 0; i < f->c->n_figures; i++) SLX_TRY(answer(f, i, &l, err));
    if (v->own) SLX_TRY(slx_fleet_own_run(f->c, &f->own, err));
    if (v->variants) SLX_TRY(compute_readings(f, name, v, &l, err));
    if (v->changes) f->changes = slx_fleet_changes_run(f->c, f->run, &l);
    return SLX_OK;
}

static void drop(cli_fleet *f)
{
    for (int i = 0; i < f->n_readings; i++) drop(&f->reading[i]);
    free(f->reading);
    slx_fleet_changes_free(f->changes);
    free(f->run);
    slx_fleet_plan_free(f->plan);
    slx_fleet_risk_free(f->risk);
    slx_fleet_own_free(f->own);
    slx_fleet_free(f->c);
}

static slx_status run(const void *p, cli_args args, slx_err *err)
{
    values v = *(const values *)p;
    cli_fleet f = {0}, other = {0};
    if (v.keys) {
        if (v.json)
            cli_json_print(cli_fleet_keys_json());
        else
            cli_fleet_keys_text();
        return SLX_OK;
    }
    if (!args.n)
        return slx_fail(err, SLX_EINPUT, "silex fleet", 0, 0,
                        "found no case, expected CASE; see silex fleet --help");
    if (v.json && v.html && !strcmp(v.html, "-"))
        return slx_fail(err, SLX_EINPUT, "silex fleet: --html", 0, 0,
                        "found - together with --json, expected a file");
    if (v.html && v.diff)
        return slx_fail(err, SLX_EINPUT, "silex fleet: --html", 0, 0,
                        "found --diff beside it, expected one case");
    if (v.diff && (v.variants || v.changes))
        return slx_fail(err, SLX_EINPUT, "silex fleet: --diff", 0, 0,
                        "found --%s beside it, expected one case for that",
                        v.variants ? "variants" : "changes");
    if (v.html && strcmp(args.v[0], "-"))
        v.variants = true; /* standard input cannot be read again */
    if (v.variants && !strcmp(args.v[0], "-"))
        return slx_fail(err, SLX_EINPUT, "silex fleet: --variants", 0, 0,
                        "found standard input, expected a file: it is read once for each");
    if (v.variants && v.variant)
        return slx_fail(err, SLX_EINPUT, "silex fleet: --variants", 0, 0,
                        "found --variant %s beside it, expected one of the two", v.variant);
    if (v.html && v.futures < 0) v.futures = 20000;
    if (v.futures < 0) v.futures = 0;
    slx_status s = compute(&f, args.v[0], &v, err);
    if (!s && v.diff) s = compute(&other, v.diff, &v, err);
    if (!s && v.html) s = cli_fleet_html(&f, v.html, err);
    if (!s && v.json)
        cli_json_print(v.diff ? cli_fleet_diff_json(&f, &other) : cli_fleet_json(&f));
    else if (!s && v.diff)
        cli_fleet_diff_text(&f, &other);
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
