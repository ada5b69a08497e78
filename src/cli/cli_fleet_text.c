/* cli_fleet_text.c - silex fleet in text: figures, plan, contracts, years, what moves the cost, risk. */
#include "cli/cli_fleet.h"

#include <math.h>
#include <string.h>

#include "cli/cli.h"

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
               100 * a->error, cli_fleet_output_unit(p->of), p->variant < 0 ? "" : ", ",
               p->variant < 0 ? "" : c->variant[p->variant].name,
               fabs(a->error) <= p->within ? "" : "  beyond what is claimed");
        print_movers(c, a, 4);
    }
}

/* ------------------------------------------------------------------ the plan */

/* What an option that may be chosen delivers in all, or why it does not. */
static void print_delivery(const cli_fleet *f, int i)
{
    const slx_fleet_case *c = f->c;
    const slx_fleet_option *o = &c->option[i];
    int lead = (int)f->mid[o->base + SLX_F_OPTION_lead_quarters], first = -1, last = -1;
    double racks = 0, paid = 0;
    char a[16], b[16], text[32], usd[32], ahead[48] = "", why[CLI_FLEET_UNUSED];
    for (int q = 0; q < c->quarters; q++) {
        if (!(f->run->cell[i][q].delivered > 0)) continue;
        first = first < 0 ? q : first;
        last = q;
        racks += f->run->cell[i][q].delivered;
        paid += cli_fleet_bought_usd(f, i, q);
    }
    if (first < 0) {
        printf("  %-20s nothing: %s\n", o->name, cli_fleet_unused(why, f->plan, i));
        return;
    }
    if (lead) snprintf(ahead, sizeof ahead, ", ordered %d quarters before", lead);
    printf("  %-20s %s racks for %s USD, delivered %s to %s%s\n", o->name,
           cli_fleet_amount(text, racks), cli_fleet_amount(usd, paid),
           slx_fleet_quarter(a, c, first), slx_fleet_quarter(b, c, last), ahead);
}

/* The plan's cost and the fleet's differ by what the plan does not choose. */
static void print_cost_of_run(const cli_fleet *f)
{
    const slx_fleet_plan *p = f->plan;
    char a[4][32];
    printf("  cost_usd below: %s planned + %s that it does not choose (what is there or agreed)",
           cli_fleet_amount(a[0], p->cost_usd), cli_fleet_amount(a[1], p->unchosen_usd));
    if (p->shortage_usd > 0)
        printf(" - %s, the price of tokens not served", cli_fleet_amount(a[2], p->shortage_usd));
    printf(" = %s USD\n", cli_fleet_amount(a[3], f->run->out[SLX_FO_cost_usd]));
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
    print_cost_of_run(f);
    for (int i = 0; i < c->n_options; i++)
        if (c->option[i].deploy == SLX_FLEET_CHOOSE) print_delivery(f, i);
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
        printf(": one %s %s%s would save up to %s USD\n", slx_fleet_limit_unit(c, l),
               needed ? "less" : "more", l->quarters > 1 ? " in each" : "",
               cli_fleet_amount(cost, l->price_usd));
    }
}

/* ------------------------------------------------------------------ limits not kept */

static void print_broken(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    slx_fleet_broken b[SLX_FLEET_LIMITS];
    int n = slx_fleet_broken_limits(c, f->run, b);
    for (int i = 0; i < n; i++) {
        const slx_fleet_limit *l = &b[i].l;
        char name[96], a[4][32];
        if (!i) printf("\nlimits that are not kept\n");
        printf("  %s, %s to %s (%d quarters): at worst %s of %s %s in %s\n",
               slx_fleet_limit_name(name, c, l), slx_fleet_quarter(a[0], c, l->first),
               slx_fleet_quarter(a[1], c, l->last), l->quarters, cli_fleet_amount(a[2], b[i].found),
               cli_fleet_amount(a[3], b[i].limit),
               l->kind == SLX_FL_SHARE    ? "of the fleet's power"
               : l->kind == SLX_FL_DEMAND ? "tokens/s"
                                          : slx_fleet_limit_unit(c, l),
               slx_fleet_quarter(a[0], c, b[i].worst));
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

static void print_years(const cli_fleet *f)
{
    slx_arena arena;
    slx_arena_init(&arena);
    cli_grid bought = {.arena = &arena}, years = {.arena = &arena};
    cli_fleet_bought(&bought, &f, &(const char *){NULL}, 1);
    cli_fleet_years(&years, &f, &(const char *){NULL}, 1);
    cli_grid_print(&bought, "racks bought", stdout);
    cli_grid_print(&years, "by year", stdout);
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
                   cli_fleet_output_unit((slx_fleet_output)o));
    }
}

/* ------------------------------------------------------------------ readings, own throughput */

static void print_own(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    char text[32];
    slx_arena arena;
    if (!f->own) return;
    slx_arena_init(&arena);
    cli_grid g = {.arena = &arena};
    cli_fleet_own(&g, f);
    printf("\nthe same demand with throughput computed here, at %g ms a token, weights of %g bits and "
           "caches of %g, instead of %s tokens/s a chip",
           c->in[c->own + SLX_F_OWN_tpot_ms].mid, c->in[c->own + SLX_F_OWN_weight_bits].mid,
           c->in[c->own + SLX_F_OWN_kv_bits].mid,
           cli_fleet_amount(text, c->in[c->option[0].base + SLX_F_OPTION_tok_s].mid));
    cli_grid_print(&g, "model", stdout);
    slx_arena_deinit(&arena);
}

static void print_readings(const cli_fleet *f)
{
    slx_arena arena;
    slx_arena_init(&arena);
    cli_grid g = {.arena = &arena};
    cli_fleet_readings(&g, f);
    cli_grid_print(&g, "readings of the case", stdout);
    for (int i = 0; i < f->n_readings; i++)
        printf("  %s: %s%s%s\n", f->c->variant[i].name, f->c->variant[i].about,
               f->reading[i].why[0] ? "; " : "", f->reading[i].why);
    slx_arena_deinit(&arena);
}

enum { CHANGES_SHOWN = 16 };

static void print_changes(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    const slx_fleet_changes *all = f->changes;
    char t[3][32], mix[CLI_FLEET_MIX];
    if (!all) return;
    printf("\nwhat changes the plan: %d of %d ends of bands, each alone; as it is: %s\n", all->n,
           all->tried, cli_fleet_mix(mix, c, f->run, NULL));
    for (int i = 0; i < all->n && i < CHANGES_SHOWN; i++) {
        const slx_fleet_change *x = &all->change[i];
        printf("  %s at its %s, %s%s instead of %s: ", c->in[x->in].path, x->high ? "high" : "low",
               c->in[x->in].series ? "x " : "", cli_fleet_amount(t[0], x->value),
               cli_fleet_amount(t[1], c->in[x->in].mid));
        if (x->feasible)
            printf("%s; cost %s USD\n", cli_fleet_mix(mix, c, NULL, x->gw),
                   cli_fleet_signed(t[2], x->cost_usd - f->plan->cost_usd));
        else
            printf("no plan; %s\n", x->why);
    }
    if (all->n > CHANGES_SHOWN) printf("  ... %d more in --json\n", all->n - CHANGES_SHOWN);
}

/* ------------------------------------------------------------------ risk */

static void print_risk(const cli_fleet *f)
{
    const slx_fleet_risk *r = f->risk;
    const char *priced = cli_fleet_priced(f->c);
    char t[7][32];
    if (!r) return;
    printf("\nrisk: %d futures, seed %llu (%s a second)%s%s\n", r->futures,
           (unsigned long long)r->seed, cli_rate(t[0], r->futures / fmax(r->seconds, 1e-9)),
           *priced ? "; cost_usd is" : "", priced);
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
    for (int i = 0; i < r->n_refused; i++)
        printf("  all from %-12s refused: it would do %.3g %% of the training, and "
               "limits.untrained_usd_flop does not say what the rest costs\n",
               f->c->option[r->refused[i].option].name, 100 * r->refused[i].trained);
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
    printf("%s%s%s: %s\n%s to %s, %d quarters. %s\n", c->name, *f->changed ? " with " : "",
           f->changed, c->title, slx_fleet_quarter(first, c, 0),
           slx_fleet_quarter(last, c, c->quarters - 1), c->quarters, c->about);
    print_figures(f);
    print_own(f);
    print_plan(f);
    print_broken(f);
    print_contracts(f);
    print_years(f);
    print_outputs(f);
    if (f->cost.n_movers)
        printf("\nwhat moves cost_usd, %s USD%s\n", cli_fleet_amount(cost, f->cost.ours),
               cli_fleet_priced(c));
    print_movers(c, &f->cost, SLX_FLEET_MOVERS);
    print_risk(f);
    print_readings(f);
    print_changes(f);
    printf("\nChips, watts and dollars balance in each quarter. Inputs, bands and sources: --json, "
           "or the case file.\n");
}
