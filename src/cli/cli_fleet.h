/* cli_fleet.h - what the three ways to print a case share: text, JSON, report. */
#ifndef SLX_CLI_FLEET_H
#define SLX_CLI_FLEET_H

#include "cli/json.h"
#include "fleet/change.h"
#include "fleet/fleet.h"
#include "fleet/own.h"
#include "fleet/plan.h"
#include "fleet/risk.h"

/* Everything one call computes. What was not asked for is NULL. */
typedef struct cli_fleet {
    slx_fleet_case *c;
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

/* Three digits, and a prefix from a thousand on; "not known" for NAN. */
const char *cli_fleet_amount(char out[32], double v);
const char *cli_fleet_signed(char out[32], double v);
/* "gpu 160 MW, partner 2.60 GW": hall power of each option at the most, in the run, or by gw (options) where that is not
 * NULL. */
enum { CLI_FLEET_MIX = SLX_FLEET_OPTIONS * 100 };
const char *cli_fleet_mix(char out[CLI_FLEET_MIX], const slx_fleet_case *c, const slx_fleet_run *r,
                          const double *gw);
/* What the risk's and the sensitivity's cost has in it beyond the run's: ", what is late at its price", or "". */
const char *cli_fleet_priced(const slx_fleet_case *c);

/* The reference of every figure of a case. */
void cli_fleet_keys_text(void);
json_t *cli_fleet_keys_json(void);
void cli_fleet_text(const cli_fleet *f);
json_t *cli_fleet_json(const cli_fleet *f);
/* The case and its readings side by side; what would make its plan another, in words. */
void cli_fleet_readings_text(const cli_fleet *f);
void cli_fleet_changes_text(const cli_fleet *f);
/* Two cases side by side, and the inputs that differ. */
void cli_fleet_diff_text(const cli_fleet *a, const cli_fleet *b);
json_t *cli_fleet_diff_json(const cli_fleet *a, const cli_fleet *b);
slx_status cli_fleet_html(const cli_fleet *f, const char *path, slx_err *err);

#endif
