/* cli_fleet.h - what the three ways to print a case share: text, JSON, report. */
#ifndef SLX_CLI_FLEET_H
#define SLX_CLI_FLEET_H

#include "cli/json.h"
#include "fleet/fleet.h"
#include "fleet/own.h"
#include "fleet/plan.h"
#include "fleet/risk.h"

/* Everything one call computes. What was not asked for is NULL. */
typedef struct {
    slx_fleet_case *c;
    slx_fleet_run *run;
    slx_fleet_plan *plan;
    slx_fleet_risk *risk;
    slx_fleet_own *own;
    slx_fleet_answer cost; /* what moves the cost of the fleet */
    slx_fleet_answer answer[SLX_FLEET_FIGURES];
} cli_fleet;

void cli_fleet_text(const cli_fleet *f);
json_t *cli_fleet_json(const cli_fleet *f);
slx_status cli_fleet_html(const cli_fleet *f, const char *path, slx_err *err);

#endif
