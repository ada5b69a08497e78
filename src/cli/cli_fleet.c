/* cli_fleet.c - silex fleet: years of deployment, supply and money: what is computed, and which way it is told. */
#include "cli/cli_fleet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct {
    cli_list set;
    cli_list diff_set;
    const char *variant, *html, *diff, *diff_variant;
    double gap_percent, seconds;
    int64_t futures, seed, threads;
    bool own, json, keys, variants, changes;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"set", 0, CLI_LIST, "KEY=VALUE", AT(set), 0, 0, NULL,
     "one figure of CASE changed, as options.h100.tok_s=25; of a series, a factor; may be "
     "repeated"},
    {"variant", 0, CLI_TEXT, "NAME", AT(variant), 0, 0, NULL,
     "another reading of CASE, as it names them"},
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
     "another case beside this one, or the same once more; --set and --variant do not change it"},
    {"diff-set", 0, CLI_LIST, "KEY=VALUE", AT(diff_set), 0, 0, NULL,
     "one figure of the other case changed: a what-if beside its base; may be repeated"},
    {"diff-variant", 0, CLI_TEXT, "NAME", AT(diff_variant), 0, 0, NULL,
     "another reading of the other case"},
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

/* One of the two cases: its file and what the call changes in it. */
typedef struct {
    const char *name, *variant;
    const cli_list *set;
    bool other; /* the one of --diff: so are its options called */
} source;

/* Plan, run and risk of a case. */
static slx_status compute_run(cli_fleet *f, const values *v, const slx_milp_limits *l, slx_err *err)
{
    f->run = slx_xcalloc(1, sizeof *f->run);
    f->mid = slx_xcalloc((size_t)f->c->n_in, sizeof *f->mid);
    for (int i = 0; i < f->c->n_in; i++) f->mid[i] = f->c->in[i].mid;
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

/* "variant a100, demand.peak=2" */
static const char *changes_of(slx_arena *arena, const source *from)
{
    bool variant = from->variant && *from->variant;
    const char *all = variant ? slx_sprintf(arena, "variant %s", from->variant) : "";
    for (int i = 0; i < from->set->n; i++)
        all = slx_sprintf(arena, "%s%s%s", all, *all ? ", " : "", from->set->v[i]);
    return all;
}

static slx_status change(slx_fleet_case *c, const source *from, slx_err *err)
{
    SLX_TRY(slx_fleet_use_variant(c, from->variant, err));
    for (int i = 0; i < from->set->n; i++) SLX_TRY(slx_fleet_set(c, from->set->v[i], err));
    return from->set->n ? slx_fleet_recheck(c, "--set", err) : SLX_OK;
}

/* The file, with the changes that the call asks for. */
static slx_status load_case(cli_fleet *f, const source *from, slx_err *err)
{
    SLX_TRY(slx_fleet_load(&f->c, from->name, err));
    f->changed = changes_of(&f->c->arena, from);
    slx_status s = change(f->c, from, err);
    if (s && from->other &&
        !strncmp(err->file, "--", 2)) { /* of the other case: --diff-set, --diff-variant */
        char place[sizeof err->file];
        snprintf(place, sizeof place, "--diff-%.200s", err->file + 2);
        memcpy(err->file, place, sizeof place);
    }
    return s ? s : slx_fleet_fill_rates(f->c, err);
}

/* Limits of a reading may clash where the case has a plan: then it says so, and the others go on. */
static slx_status compute_readings(cli_fleet *f, const source *from, const values *v,
                                   const slx_milp_limits *l, slx_err *err)
{
    f->reading = slx_xcalloc((size_t)f->c->n_variants + 1, sizeof *f->reading);
    for (int i = 0; i < f->c->n_variants; i++) {
        cli_fleet *x = &f->reading[f->n_readings++];
        slx_err e = {0};
        source as = {.name = from->name, .variant = f->c->variant[i].name, .set = from->set};
        SLX_TRY(load_case(x, &as, err));
        slx_status s = compute_run(x, v, l, &e);
        if (s) snprintf(x->why, sizeof x->why, "%.300s", e.msg);
    }
    return SLX_OK;
}

static slx_status compute(cli_fleet *f, const source *from, const values *v, slx_err *err)
{
    slx_milp_limits l = {.gap = v->gap_percent / 100, .seconds = v->seconds};
    SLX_TRY(load_case(f, from, err));
    if (v->changes && !slx_fleet_must_plan(f->c))
        return slx_fail(
            err, SLX_EINPUT, "--changes", 0, 0,
            "found a case without deploy: choose, expected one in which there is a choice");
    SLX_TRY(compute_run(f, v, &l, err));
    slx_fleet_movers(f->c, f->plan ? &f->plan->orders : NULL, SLX_FO_cost_usd, -1, &f->cost);
    for (int i = 0; i < f->c->n_figures; i++) SLX_TRY(answer(f, i, &l, err));
    if (v->own) SLX_TRY(slx_fleet_own_run(f->c, &f->own, err));
    if (v->variants) SLX_TRY(compute_readings(f, from, v, &l, err));
    if (v->changes) f->changes = slx_fleet_changes_run(f->c, f->run, &l);
    return SLX_OK;
}

static void drop(cli_fleet *f)
{
    for (int i = 0; i < f->n_readings; i++) drop(&f->reading[i]);
    free(f->reading);
    slx_fleet_changes_free(f->changes);
    free(f->run);
    free(f->mid);
    slx_fleet_plan_free(f->plan);
    slx_fleet_risk_free(f->risk);
    slx_fleet_own_free(f->own);
    slx_fleet_free(f->c);
}

/* Options that contradict each other or the case's name. */
static slx_status check_call(const values *v, cli_args args, slx_err *err)
{
    bool input = args.n && !strcmp(args.v[0], "-");
    if (!args.n)
        return slx_fail(err, SLX_EINPUT, "silex fleet", 0, 0,
                        "found no case, expected CASE; see silex fleet --help");
    if (v->json && v->html && !strcmp(v->html, "-"))
        return slx_fail(err, SLX_EINPUT, "silex fleet: --html", 0, 0,
                        "found - together with --json, expected a file");
    if (v->diff && (v->variants || v->changes || v->own))
        return slx_fail(err, SLX_EINPUT, "silex fleet: --diff", 0, 0,
                        "found --%s beside it, expected one case for that",
                        v->variants  ? "variants"
                        : v->changes ? "changes"
                                     : "own");
    if (v->diff && input && !strcmp(v->diff, "-"))
        return slx_fail(err, SLX_EINPUT, "silex fleet: --diff", 0, 0,
                        "found standard input for both cases, expected a file: it is read once");
    if (!v->diff && (v->diff_set.n || v->diff_variant))
        return slx_fail(err, SLX_EINPUT,
                        v->diff_set.n ? "silex fleet: --diff-set" : "silex fleet: --diff-variant",
                        0, 0, "found no --diff beside it, expected --diff CASE");
    if (v->variants && input)
        return slx_fail(err, SLX_EINPUT, "silex fleet: --variants", 0, 0,
                        "found standard input, expected a file: it is read once for each");
    if (v->variants && v->variant)
        return slx_fail(err, SLX_EINPUT, "silex fleet: --variants", 0, 0,
                        "found --variant %s beside it, expected one of the two", v->variant);
    return SLX_OK;
}

static slx_status tell_one(const cli_fleet *f, const values *v, slx_err *err)
{
    if (v->html) SLX_TRY(cli_fleet_page(f, v->html, err));
    if (v->json)
        cli_json_print(cli_fleet_json(f));
    else if (!v->html || strcmp(v->html, "-"))
        cli_fleet_text(f);
    return SLX_OK;
}

static slx_status tell_two(const cli_fleet *a, const cli_fleet *b, const values *v, slx_err *err)
{
    if (v->html) SLX_TRY(cli_fleet_diff_page(a, b, v->html, err));
    if (v->json)
        cli_json_print(cli_fleet_diff_json(a, b));
    else if (!v->html || strcmp(v->html, "-"))
        cli_fleet_diff_text(a, b);
    return SLX_OK;
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
    SLX_TRY(check_call(&v, args, err));
    if (v.html && !v.diff && !v.variant && strcmp(args.v[0], "-"))
        v.variants = true; /* standard input cannot be read again */
    if (v.futures < 0) v.futures = v.html ? 20000 : 0;
    source one = {.name = args.v[0], .variant = v.variant, .set = &v.set};
    source two = {.name = v.diff, .variant = v.diff_variant, .set = &v.diff_set, .other = true};
    slx_status s = compute(&f, &one, &v, err);
    if (!s && v.diff) s = compute(&other, &two, &v, err);
    if (!s) s = v.diff ? tell_two(&f, &other, &v, err) : tell_one(&f, &v, err);
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
