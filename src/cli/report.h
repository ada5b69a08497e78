/* report.h - what a run tells afterwards, as text and as JSON: the same numbers. */
#ifndef SLX_CLI_REPORT_H
#define SLX_CLI_REPORT_H

#include "cli/cli.h"
#include "run/estimate.h"
#include "run/run.h"

typedef struct {
    slx_engine *engine;
    const char *machine;
    int threads;
    slx_generation gen;
    slx_buf ids; /* u32 */
    /* of one decode step right after the answer */
    bool counted;
    slx_step_counts token;
    /* of the same prompt and the decode step at the end of the answer, on the chip; the caller frees it when timed */
    uint32_t chunk;
    bool timed;
    slx_estimate chip;
    char no_time[768]; /* why not, else */
} cli_report;

/* Counts what the chip does for one more token of this sequence. */
slx_status cli_report_count(cli_report *r, const slx_seq *s, slx_err *err);
/* Times the prompt's steps and one decode step. A chip that cannot be timed leaves the reason. */
void cli_report_time(cli_report *r);
void cli_report_print(const cli_report *r, FILE *out);
void cli_report_json(const cli_report *r, const slx_buf *text); /* on standard output */

#endif
