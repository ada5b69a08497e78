/* cli_fleet.c - silex fleet: years of deployment, supply and money, in text. */
#include "cli/cli_fleet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"

typedef struct {
    cli_list set;
    const char *variant;
    bool json, keys;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"set", 0, CLI_LIST, "KEY=VALUE", AT(set), 0, 0, NULL,
     "one figure changed, as options.h100.tok_s=25; of a series, a factor; may be repeated"},
    {"variant", 0, CLI_TEXT, "NAME", AT(variant), 0, 0, NULL,
     "another reading of the case, as it names them"},
    {"keys", 0, CLI_FLAG, NULL, AT(keys), 0, 0, NULL, "the reference of every figure of a case"},
    {"json", 0, CLI_FLAG, NULL, AT(json), 0, 0, NULL, "one JSON object"},
    {0},
};
static const values defaults = {0};

/* ------------------------------------------------------------------ figures */

/* Three digits, and a prefix from a thousand on. */
static const char *amount(char out[32], double v)
{
    if (isnan(v)) return "not known";
    if (fabs(v) < 999.5) {
        snprintf(out, 32, "%.3g", v);
        return out;
    }
    cli_short(out, v, "");
    out[strlen(out) - (out[strlen(out) - 1] == ' ')] = 0;
    return out;
}

static void print_movers(const slx_fleet_case *c, const slx_fleet_answer *a, int most)
{
    char t[4][32];
    for (int i = 0; i < a->n_movers && i < most; i++) {
        const slx_fleet_mover *m = &a->mover[i];
        const slx_fleet_input *in = &c->in[m->in];
        printf("    %-34s %s..%s gives %s..%s%s\n", in->path, amount(t[0], in->low),
               amount(t[1], in->high), amount(t[2], m->at_low), amount(t[3], m->at_high),
               in->free ? "  (free)" : "");
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
               amount(public, p->published), amount(ours, a->ours), 100 * a->error,
               slx_fleet_output_unit(p->of), p->variant < 0 ? "" : ", ",
               p->variant < 0 ? "" : c->variant[p->variant].name,
               fabs(a->error) <= p->within ? "" : "  beyond what is claimed");
        print_movers(c, a, 4);
    }
}

/* ------------------------------------------------------------------ years */

enum { YEARS = CLI_TABLE_COLUMNS };

static int year_of(const slx_fleet_case *c, int q)
{
    return (c->start_quarter - 1 + q) / 4;
}

typedef double of_quarter(const slx_fleet_run *r, int option, int q);
static double q_racks(const slx_fleet_run *r, int i, int q)
{
    return r->cell[i][q].racks;
}
static double q_capacity(const slx_fleet_run *r, int i, int q)
{
    return (void)i, r->total[q].capacity_tok_s;
}
static double q_need(const slx_fleet_run *r, int i, int q)
{
    return (void)i, r->total[q].need_tok_s;
}
static double q_gw(const slx_fleet_run *r, int i, int q)
{
    return (void)i, r->total[q].facility_w;
}
static double q_energy(const slx_fleet_run *r, int i, int q)
{
    return (void)i, r->total[q].energy_j / 3.6e3;
}
static double q_capex(const slx_fleet_run *r, int i, int q)
{
    return (void)i, slx_fleet_capex(&r->total[q]);
}
static double q_opex(const slx_fleet_run *r, int i, int q)
{
    return (void)i, slx_fleet_opex(&r->total[q]);
}
static double q_worn(const slx_fleet_run *r, int i, int q)
{
    return (void)i, r->total[q].depreciation_usd;
}
static double q_served(const slx_fleet_run *r, int i, int q)
{
    return (void)i, r->total[q].tokens_served;
}

static const struct {
    const char *name, *unit;
    bool flow; /* a year's sum, else what it is at the year's end */
    of_quarter *of;
} rows[] = {
    {"tokens needed at the peak", "/s", false, q_need},
    {"tokens the fleet can write", "/s", false, q_capacity},
    {"tokens served", "", true, q_served},
    {"hall power", "W", false, q_gw},
    {"energy", "Wh", true, q_energy},
    {"invested", "USD", true, q_capex},
    {"running cost", "USD", true, q_opex},
    {"depreciation", "USD", true, q_worn},
};

static void put_years(cli_table *t, const cli_fleet *f, const char *label, const char *unit,
                      bool flow, of_quarter *of, int option, double factor)
{
    const slx_fleet_case *c = f->c;
    double v[YEARS] = {0};
    bool any = false;
    for (int q = 0; q < c->quarters; q++) {
        int y = year_of(c, q);
        if (y >= YEARS) break;
        v[y] = (flow ? v[y] : 0) + factor * of(f->run, option, q);
        any |= v[y] > 0;
    }
    if (!any) return;
    int row = cli_table_row_at(t, label);
    for (int y = 0; y < t->columns; y++) {
        char text[32];
        cli_table_set(t, row, y, "%s", v[y] > 0 ? cli_short(text, v[y], unit) : "-");
    }
}

static void print_years(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    slx_arena arena;
    slx_arena_init(&arena);
    int years = year_of(c, c->quarters - 1) + 1;
    cli_table t = {.arena = &arena, .columns = years < YEARS ? years : YEARS};
    int head = cli_table_heading(&t, "by year");
    for (int y = 0; y < t.columns; y++) cli_table_set(&t, head, y, "%d", c->start_year + y);
    for (int i = 0; i < c->n_options; i++) {
        char label[96];
        snprintf(label, sizeof label, "  %.60s, chips in service", c->option[i].name);
        put_years(&t, f, label, "", false, q_racks, i,
                  c->in[c->option[i].base + SLX_F_OPTION_chips_rack].mid);
    }
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        char label[96];
        snprintf(label, sizeof label, "  %s", rows[r].name);
        put_years(&t, f, label, rows[r].unit, rows[r].flow, rows[r].of, 0, 1);
    }
    printf("\n");
    cli_table_print(&t, stdout);
    if (years > YEARS) printf("  ... %d more years in --json\n", years - YEARS);
    slx_arena_deinit(&arena);
}

static void print_outputs(const cli_fleet *f)
{
    printf("\nthe fleet\n");
    for (int o = 0; o < SLX_FO_COUNT; o++) {
        char text[32];
        if (!isnan(f->run->out[o]))
            printf("  %-24s %10s %s\n", slx_fleet_output_name((slx_fleet_output)o),
                   amount(text, f->run->out[o]), slx_fleet_output_unit((slx_fleet_output)o));
    }
}

void cli_fleet_text(const cli_fleet *f)
{
    const slx_fleet_case *c = f->c;
    char first[16], last[16];
    printf("%s: %s\n%s to %s, %d quarters. %s\n", c->name, c->title, slx_fleet_quarter(first, c, 0),
           slx_fleet_quarter(last, c, c->quarters - 1), c->quarters, c->about);
    print_figures(f);
    print_years(f);
    print_outputs(f);
    printf("\nChips, watts and dollars balance in each quarter. Inputs, bands and sources: --json, "
           "or the case file.\n");
}

/* ------------------------------------------------------------------ the verb */

static slx_status compute(cli_fleet *f, slx_err *err)
{
    (void)err;
    f->run = slx_xcalloc(1, sizeof *f->run);
    slx_fleet_eval(f->c, &(slx_fleet_future){.single = -1}, f->run);
    for (int i = 0; i < f->c->n_figures; i++)
        SLX_TRY(slx_fleet_answer_figure(f->c, i, NULL, &f->answer[i]));
    return SLX_OK;
}

static slx_status load(cli_fleet *f, const char *name, const values *v, slx_err *err)
{
    SLX_TRY(slx_fleet_load(&f->c, name, err));
    SLX_TRY(slx_fleet_use_variant(f->c, v->variant, err));
    for (int i = 0; i < v->set.n; i++) SLX_TRY(slx_fleet_set(f->c, v->set.v[i], err));
    return compute(f, err);
}

static void drop(cli_fleet *f)
{
    free(f->run);
    slx_fleet_free(f->c);
}

static slx_status run(const void *p, cli_args args, slx_err *err)
{
    const values *v = p;
    cli_fleet f = {0};
    if (v->keys) {
        slx_fleet_print_keys(stdout);
        return SLX_OK;
    }
    if (!args.n)
        return slx_fail(err, SLX_EINPUT, "silex fleet", 0, 0,
                        "found no case, expected CASE; see silex fleet --help");
    slx_status s = load(&f, args.v[0], v, err);
    if (!s && v->json)
        cli_json_print(cli_fleet_json(&f));
    else if (!s)
        cli_fleet_text(&f);
    drop(&f);
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
