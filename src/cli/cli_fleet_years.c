/* cli_fleet_years.c - fleets by year: what is bought from whom, what is in service, tokens, power, money; of one
 * case, or of several beside each other.
 */
#include "cli/cli_fleet.h"

#include <math.h>
#include <string.h>

#include "cli/cli.h"

double cli_fleet_bought_usd(const cli_fleet *f, int option, int q)
{
    return f->run->cell[option][q].delivered * slx_fleet_rack_usd(f->c, f->mid, option, q);
}

/* ------------------------------------------------------------------ one quarter */

typedef double of_quarter(const cli_fleet *f, int option, int q);

static double racks_bought(const cli_fleet *f, int i, int q)
{
    return f->run->cell[i][q].delivered;
}
static double chips(const cli_fleet *f, int i, int q)
{
    return f->run->cell[i][q].racks * f->mid[f->c->option[i].base + SLX_F_OPTION_chips_rack];
}
static double capacity(const cli_fleet *f, int i, int q)
{
    return (void)i, f->run->total[q].capacity_tok_s;
}
static double need(const cli_fleet *f, int i, int q)
{
    return (void)i, f->run->total[q].need_tok_s;
}
static double served(const cli_fleet *f, int i, int q)
{
    return (void)i, f->run->total[q].tokens_served;
}
static double training(const cli_fleet *f, int i, int q)
{
    return (void)i, f->run->total[q].training_flop_s;
}
static double backlog(const cli_fleet *f, int i, int q)
{
    double racks = 0;
    for (i = 0; i < f->c->n_options; i++) racks += f->run->cell[i][q].backlog;
    return racks;
}
static double waiting(const cli_fleet *f, int i, int q)
{
    double racks = 0;
    for (i = 0; i < f->c->n_options; i++) racks += f->run->cell[i][q].waiting;
    return racks;
}
static double hall_w(const cli_fleet *f, int i, int q)
{
    return (void)i, f->run->total[q].facility_w;
}
static double energy_wh(const cli_fleet *f, int i, int q)
{
    return (void)i, f->run->total[q].energy_j / 3.6e3;
}
static double invested(const cli_fleet *f, int i, int q)
{
    return (void)i, slx_fleet_capex(&f->run->total[q]);
}
static double running(const cli_fleet *f, int i, int q)
{
    return (void)i, slx_fleet_opex(&f->run->total[q]);
}
static double worn(const cli_fleet *f, int i, int q)
{
    return (void)i, f->run->total[q].depreciation_usd;
}
static double sales(const cli_fleet *f, int i, int q)
{
    return (void)i, f->run->total[q].sales_usd;
}

/* ------------------------------------------------------------------ tables */

typedef struct {
    const char *name, *unit;
    bool each; /* of each option */
    bool flow; /* a year's sum, else what it is at the year's end */
    of_quarter *of;
} line;

static const line bought_lines[] = {
    {"racks", "", true, true, racks_bought},
    {"USD", "", true, true, cli_fleet_bought_usd},
};

static const line year_lines[] = {
    {"chips in service", "", true, false, chips},
    {"tokens needed at the peak", "/s", false, false, need},
    {"tokens the fleet can write", "/s", false, false, capacity},
    {"tokens served", "", false, true, served},
    {"training", "FLOP/s", false, false, training},
    {"racks ordered, not delivered", "", false, false, backlog},
    {"racks waiting for power", "", false, false, waiting},
    {"hall power, rented included", "W", false, false, hall_w},
    {"energy, without rented", "Wh", false, true, energy_wh},
    {"invested, USD", "", false, true, invested},
    {"running cost, USD", "", false, true, running},
    {"depreciation, USD", "", false, true, worn},
    {"sold to others, USD", "", false, true, sales},
};

enum { YEARS = SLX_FLEET_QUARTERS / 4 + 1 };

static int year_of(const slx_fleet_case *c, int q)
{
    return c->start_year + (c->start_quarter - 1 + q) / 4;
}

typedef struct {
    int first, n; /* years of all the fleets together */
    bool total;   /* with a column of the sum over the years */
} span;

static const char *value(char out[32], double v, const line *l)
{
    return *l->unit ? cli_short(out, v, l->unit) : cli_fleet_amount(out, v);
}

static void put_line(cli_grid *g, span s, const cli_fleet *f, const char *name, const line *l,
                     int option)
{
    double v[YEARS] = {0}, all = 0;
    char label[160], head[80], text[32];
    bool there[YEARS] = {0}, any = false;
    for (int q = 0; q < f->c->quarters; q++) {
        int y = year_of(f->c, q) - s.first;
        double x = l->of(f, option, q);
        v[y] = (l->flow ? v[y] : 0) + x;
        all += x;
        there[y] = true;
        any |= x > 0;
    }
    if (!any) return;
    if (l->each)
        snprintf(label, sizeof label, "%s, %s", cli_fleet_option(head, f->c, option), l->name);
    cli_grid_row(g);
    cli_grid_text(g, "", l->each ? label : l->name);
    cli_grid_text(g, "of", name);
    for (int y = 0; y < s.n; y++) {
        const char *year = slx_sprintf(g->arena, "%d", s.first + y);
        cli_grid_number(g, year,
                        !there[y]  ? NULL
                        : v[y] > 0 ? cli_short(text, v[y], l->unit)
                                   : "-");
    }
    if (s.total) cli_grid_number(g, "all", value(text, all, l));
}

/* Lines of what is not of one option: of each fleet in turn. Else of each option, those of one name together. */
static void put_lines(cli_grid *g, span s, const cli_fleet *const *f, const char *const *name,
                      int n, const line *l)
{
    for (int k = 0; k < n && !l->each; k++) put_line(g, s, f[k], name[k], l, -1);
    for (int k = 0; k < n && l->each; k++)
        for (int i = 0; i < f[k]->c->n_options; i++) {
            bool told = false; /* with an earlier fleet */
            for (int b = 0; b < k; b++)
                told |= cli_fleet_option_named(f[b]->c, f[k]->c->option[i].name) >= 0;
            for (int b = k; b < n && !told; b++) {
                int at = cli_fleet_option_named(f[b]->c, f[k]->c->option[i].name);
                if (at >= 0) put_line(g, s, f[b], name[b], l, at);
            }
        }
}

static span span_of(const cli_fleet *const *f, int n, bool total)
{
    int first = 9999, last = 0;
    for (int k = 0; k < n; k++) {
        int a = year_of(f[k]->c, 0), b = year_of(f[k]->c, f[k]->c->quarters - 1);
        first = a < first ? a : first;
        last = b > last ? b : last;
    }
    SLX_ASSERT(last - first < YEARS);
    return (span){first, last - first + 1, total};
}

bool cli_fleet_years_meet(const slx_fleet_case *a, const slx_fleet_case *b)
{
    int first = year_of(a, 0), last = year_of(a, a->quarters - 1);
    int start = year_of(b, 0), end = year_of(b, b->quarters - 1);
    return (last > end ? last : end) - (first < start ? first : start) < YEARS;
}

void cli_fleet_bought(cli_grid *g, const cli_fleet *const *f, const char *const *name, int n)
{
    for (size_t l = 0; l < sizeof bought_lines / sizeof *bought_lines; l++)
        put_lines(g, span_of(f, n, true), f, name, n, &bought_lines[l]);
}

void cli_fleet_years(cli_grid *g, const cli_fleet *const *f, const char *const *name, int n)
{
    for (size_t l = 0; l < sizeof year_lines / sizeof *year_lines; l++)
        put_lines(g, span_of(f, n, false), f, name, n, &year_lines[l]);
}
