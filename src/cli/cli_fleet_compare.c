/* cli_fleet_compare.c - fleets side by side: two cases, the readings of one, and what makes its plan another. */
#include "cli/cli_fleet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"

/* ------------------------------------------------------------------ readings of one case */

static void put_reading(cli_table *t, const cli_fleet *f, const cli_fleet *of, const char *name)
{
    char text[32], mix[CLI_FLEET_MIX], label[96];
    snprintf(label, sizeof label, "  %.80s", name);
    int row = cli_table_row_at(t, label);
    if (of->why[0]) {
        cli_table_set(t, row, 0, "no plan");
        return;
    }
    double cost = of->run->out[SLX_FO_cost_usd], base = f->run->out[SLX_FO_cost_usd], nre = 0;
    for (int q = 0; q < of->c->quarters; q++) nre += of->run->total[q].nre_usd;
    cli_table_set(t, row, 0, "%s", cli_fleet_amount(text, cost));
    if (of != f) cli_table_set(t, row, 1, "%s", cli_fleet_signed(text, cost - base));
    if (of->risk) {
        const slx_fleet_spread *s = &of->risk->out[SLX_FR_COST];
        char low[32], high[32];
        cli_table_set(t, row, 2, "%s (%s..%s)", cli_fleet_amount(text, s->mean),
                      cli_fleet_amount(low, s->p[0]), cli_fleet_amount(high, s->p[4]));
        cli_table_set(t, row, 3, "%s", cli_fleet_amount(text, of->risk->out[SLX_FR_LATE].mean));
    }
    cli_table_set(t, row, 4, "%s", cli_fleet_amount(text, of->run->out[SLX_FO_capex_usd]));
    cli_table_set(t, row, 5, "%s", cli_fleet_amount(text, of->run->out[SLX_FO_opex_usd]));
    cli_table_set(t, row, 6, "%s", cli_fleet_amount(text, nre));
    cli_table_set(t, row, 7, "%s", cli_fleet_mix(mix, of->c, of->run, NULL));
}

void cli_fleet_readings_text(const cli_fleet *f)
{
    static const char *const heads[] = {
        "cost USD", "against it", "with risk (5..95 %)", "GW years late",
        "invested", "running",    "development",         "in service at the most"};
    slx_arena arena;
    if (!f->reading) return;
    slx_arena_init(&arena);
    cli_table t = {.arena = &arena, .columns = 8, .left = {[7] = true}};
    int head = cli_table_heading(&t, "readings of the case");
    for (int i = 0; i < t.columns; i++) cli_table_set(&t, head, i, "%s", heads[i]);
    put_reading(&t, f, f, f->c->name);
    for (int i = 0; i < f->n_readings; i++)
        put_reading(&t, f, &f->reading[i], f->c->variant[i].name);
    printf("\n");
    cli_table_print(&t, stdout);
    for (int i = 0; i < f->n_readings; i++)
        printf("  %s: %s%s%s\n", f->c->variant[i].name, f->c->variant[i].about,
               f->reading[i].why[0] ? "; " : "", f->reading[i].why);
    slx_arena_deinit(&arena);
}

enum { CHANGES_SHOWN = 16 };

void cli_fleet_changes_text(const cli_fleet *f)
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

/* ------------------------------------------------------------------ two cases */

void cli_fleet_diff_text(const cli_fleet *a, const cli_fleet *b)
{
    slx_arena arena;
    char text[32];
    slx_arena_init(&arena);
    cli_table t = {.arena = &arena, .columns = 4};
    int head = cli_table_heading(&t, "the fleet");
    cli_table_set(&t, head, 0, "%s", a->c->name);
    cli_table_set(&t, head, 1, "%s", b->c->name);
    cli_table_set(&t, head, 2, "change");
    for (int o = 0; o < SLX_FO_COUNT; o++) {
        double x = a->run->out[o], y = b->run->out[o];
        char label[64];
        if (isnan(x) && isnan(y)) continue;
        snprintf(label, sizeof label, "  %s", slx_fleet_output_name((slx_fleet_output)o));
        int row = cli_table_row_at(&t, label);
        cli_table_set(&t, row, 0, "%s", cli_fleet_amount(text, x));
        cli_table_set(&t, row, 1, "%s", cli_fleet_amount(text, y));
        if (x > 0 && !isnan(y)) cli_table_set(&t, row, 2, "%+.1f %%", 100 * (y / x - 1));
        cli_table_set(&t, row, 3, "%s", slx_fleet_output_unit((slx_fleet_output)o));
    }
    cli_table_print(&t, stdout);
    int shown = 0;
    for (int i = 0; i < a->c->n_in; i++)
        for (int k = 0; k < b->c->n_in; k++) {
            const slx_fleet_input *x = &a->c->in[i], *y = &b->c->in[k];
            char from[32], to[32];
            if (strcmp(x->path, y->path) || x->mid == y->mid || (isnan(x->mid) && isnan(y->mid)))
                continue;
            if (!shown++) printf("\ninputs that differ\n");
            printf("  %-34s %10s %10s  %s\n", x->path, cli_fleet_amount(from, x->mid),
                   cli_fleet_amount(to, y->mid), slx_fleet_unit(x));
        }
}

json_t *cli_fleet_diff_json(const cli_fleet *a, const cli_fleet *b)
{
    return json_pack("{s:o,s:o}", "a", cli_fleet_json(a), "b", cli_fleet_json(b));
}
