/* cli_fleet.h - what the ways to print a case share: text, JSON, page, and two cases side by side.
 *
 *   cli_fleet.c  computes it      cli_fleet_text.c, _json.c, _page.c with _charts.c  tell it     _diff.c  tells two
 *   cli_fleet_tables.c, _years.c  fill tables for text and page alike           cli_fleet_words.c  numbers and phrases
 */
#ifndef SLX_CLI_FLEET_H
#define SLX_CLI_FLEET_H

#include "cli/grid.h"
#include "cli/json.h"
#include "fleet/change.h"
#include "fleet/broken.h"
#include "fleet/fleet.h"
#include "fleet/own.h"
#include "fleet/plan.h"
#include "fleet/risk.h"

/* Everything one call computes. What was not asked for is NULL. */
typedef struct cli_fleet {
    slx_fleet_case *c;
    double *mid; /* (c->n_in) the value of every input */
    const char
        *changed; /* by the call: "variant a100, demand.peak=2"; "" = the case as its file has it */
    slx_fleet_run *run;
    slx_fleet_plan *plan;
    slx_fleet_risk *risk;
    slx_fleet_own *own;
    slx_fleet_answer cost; /* what moves the cost of the fleet */
    slx_fleet_answer answer[SLX_FLEET_FIGURES];
    struct cli_fleet *
        reading; /* (n_readings) the case as each of its variants: case, run, plan and risk alone */
    int n_readings;
    slx_fleet_changes *changes;
    char why[320]; /* of a reading without a plan: which limits clash */
} cli_fleet;

/* ------------------------------------------------------------------ words */

/* Three digits, and a prefix from a thousand on; "not known" for NAN. */
const char *cli_fleet_amount(char out[32], double v);
const char *cli_fleet_signed(char out[32], double v);
/* "gpu 160 MW, partner 2.60 GW": hall power of each option at the most, in the run, or by gw (options) where that is not
 * NULL. */
enum { CLI_FLEET_MIX = SLX_FLEET_OPTIONS * 100 };
const char *cli_fleet_mix(char out[CLI_FLEET_MIX], const slx_fleet_case *c, const slx_fleet_run *r,
                          const double *gw);
/* What the risk's and the sensitivity's cost has in it beyond the run's: " with what is late at its price", or "". */
const char *cli_fleet_priced(const slx_fleet_case *c);
/* "gpu (Nvidia)", or its name alone */
enum { CLI_FLEET_OPTION = 80 };
const char *cli_fleet_option(char out[CLI_FLEET_OPTION], const slx_fleet_case *c, int option);
/* Why the plan buys nothing of an option. */
enum { CLI_FLEET_UNUSED = 80 };
const char *cli_fleet_unused(char out[CLI_FLEET_UNUSED], const slx_fleet_plan *p, int option);
int cli_fleet_option_named(const slx_fleet_case *c, const char *name); /* -1 = it has none */
/* What an output's number stands for: "USD", "share" of one, .. */
const char *cli_fleet_output_unit(slx_fleet_output o);

/* ------------------------------------------------------------------ tables for text and page */

/* An amount, or nothing. */
void cli_fleet_put(cli_grid *g, const char *head, bool told, double v);
void cli_fleet_put_spread(cli_grid *g, const char *head,
                          const slx_fleet_spread *s); /* NULL: nothing */
/* The case and its readings side by side; no row where they were not asked for. */
void cli_fleet_readings(cli_grid *g, const cli_fleet *f);
void cli_fleet_own(cli_grid *g, const cli_fleet *f);
/* USD for the racks that an option delivers in a quarter, those sold on too, without spares, halls and development. */
double cli_fleet_bought_usd(const cli_fleet *f, int option, int q);
/* By year, of n fleets beside each other: what is bought from whom; and all the rest. name: (n) how each is called, NULL
 * where there is one. Their years must meet. */
void cli_fleet_bought(cli_grid *g, const cli_fleet *const *f, const char *const *name, int n);
void cli_fleet_years(cli_grid *g, const cli_fleet *const *f, const char *const *name, int n);
/* Do the years of both fit into one table? */
bool cli_fleet_years_meet(const slx_fleet_case *a, const slx_fleet_case *b);

/* ------------------------------------------------------------------ ways to tell it */

/* The reference of every figure of a case. */
void cli_fleet_keys_text(void);
json_t *cli_fleet_keys_json(void);
void cli_fleet_text(const cli_fleet *f);
json_t *cli_fleet_json(const cli_fleet *f);
slx_status cli_fleet_page(const cli_fleet *f, const char *path, slx_err *err);
/* Two cases side by side, and the inputs that differ. */
void cli_fleet_diff_text(const cli_fleet *a, const cli_fleet *b);
json_t *cli_fleet_diff_json(const cli_fleet *a, const cli_fleet *b);
slx_status cli_fleet_diff_page(const cli_fleet *a, const cli_fleet *b, const char *path,
                               slx_err *err);

/* ------------------------------------------------------------------ charts of a page */

typedef double cli_fleet_quarter(const cli_fleet *f, int i, int q);
/* Lines over the quarters: of(f[k], i, q) of each i below n of each fleet. name: (fleets, n). */
void cli_fleet_lines(slx_buf *page, const char *title, const char *unit, cli_fleet_quarter *of,
                     const cli_fleet *const *f, int fleets, int n, const char *const *name);
void cli_fleet_charts(slx_buf *page,
                      const cli_fleet *f); /* deployment, power, money, purchases, mix */
void cli_fleet_risk_charts(slx_buf *page, const cli_fleet *f); /* fans, one supplier alone */
void cli_fleet_mover_charts(slx_buf *page,
                            const cli_fleet *f); /* tornados of the cost and of published figures */

#endif
