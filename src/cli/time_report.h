/* time_report.h - what silex time says: as text and as JSON, the same numbers. */
#ifndef SLX_CLI_TIME_REPORT_H
#define SLX_CLI_TIME_REPORT_H

#include "cli/cli_silicon.h"
#include "model/model.h"
#include "run/estimate.h"
#include "time/memo.h"

/* Matrices that the model stores as one type and the program keeps as one format. */
enum { TIME_WEIGHTS = 16 };
typedef struct {
    int n;
    struct time_weight {
        uint32_t type, fmt;     /* slx_tensor_type; SLX_FMT_* of the ISA */
        uint64_t values, bytes; /* of one chip; bytes in its memory, padding included */
    } row[TIME_WEIGHTS];
} time_weights;
/* m: the model p was compiled from. */
void time_weights_count(time_weights *out, const slx_program *p, const slx_model *m);

/* --memo: how far the table of steps is from steps it was not built from; error.tries 0 = not asked for. */
typedef struct {
    slx_memo_error error;
    uint32_t points;
} time_memo;

/* --speed: CPU seconds of the decode step with every tile and layer, instructions of it, and folded, best of three; 0 =
 * not asked for. */
typedef struct {
    double full_s, folded_s;
    uint64_t instructions;
} time_speed;

typedef struct {
    const slx_program *program;
    const slx_chip *chip;
    slx_estimate e;
    cli_silicon silicon;
    time_weights weights; /* n = 0: a program from a file, whose model is not known */
    time_memo memo;
    time_speed speed;
} time_report;

void time_report_print(const time_report *r);
void time_report_json(const time_report *r);

#endif
