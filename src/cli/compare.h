/* compare.h - one model on many chips: what is asked, what is found, and the three ways to show it.
 *
 *   cli_compare.c    options, --set, the order of work     compare_rows.c   asks predict, adds dollars and joules
 *   compare_text.c   the tables                            compare_json.c   the JSON object
 *   compare_each.c   chips over threads
 *   compare_page.c   the HTML report: sweeps and charts    compare_swing.c  its tornado: one assumption at a time
 *
 * Every figure comes from src/predict and src/chip/silicon.h; nothing is modelled here. A figure that cannot be told is
 * NAN beside the reason.
 */
#ifndef SLX_CLI_COMPARE_H
#define SLX_CLI_COMPARE_H

#include "chip/silicon.h"
#include "cli/cli.h"
#include "predict/predict.h"

enum { COMPARE_CHIPS = 64, COMPARE_INFERRED = 4 };

/* What holds for all chips; of each thread one, with a predictor and an arena of its own. */
typedef struct {
    const slx_shape *model;
    slx_predictor *predictor;
    slx_constants *constants;
    slx_arena *arena;              /* of reasons */
    uint32_t tp;                   /* chips that share every layer; 0 = the fewest that hold the model */
    uint32_t batch, prompt, context, max_batch;
    int weight_bits, kv_bits;      /* 16, 8, 4; each chip in the format it has of that size */
    int n_targets;
    double target_s[CLI_LIST_MAX]; /* seconds a token */
} compare_ask;

/* Decoding at one batch. */
typedef struct {
    const char *why;       /* that nothing below can be told; NULL = it can */
    uint32_t tp, batch;
    slx_forward_cost pass; /* one step */
    slx_band tok_s_user, tok_s_chip;
    slx_band j_per_token, usd_per_mtok;
    const char *j_why, *usd_why; /* of NAN */
} compare_point;

typedef struct {
    slx_chip *chip;
    const char *dtype, *kv_dtype;  /* as predict names them */
    const char *weights, *kv_cache; /* as people call what is stored */
    double weight_bits;             /* that a weight takes there, scales included; NAN = as the file's types do */
    int n_inferred;                /* keys not published that timing took from the chip's family; static */
    const char *inferred[COMPARE_INFERRED];
    slx_cost cost;
    const char *usd_why;           /* an hour of the chip has no price; else NULL */
    const char *ttft_why;
    slx_forward_cost prefill;      /* one sequence of ask->prompt tokens; its joules those of all chips */
    compare_point point;           /* at ask->batch */
    compare_point target[CLI_LIST_MAX];
} compare_row;

/* Fills all but row->chip, which the caller owns. Fails only where the input is wrong or the user interrupts. */
slx_status compare_get(compare_row *row, const compare_ask *ask, slx_err *err);
/* Decoding at a batch on tp chips, dollars and joules included. */
slx_status compare_decode(compare_point *out, const compare_row *row, const compare_ask *ask, uint32_t tp, uint32_t batch,
                          slx_err *err);
/* What an hour of the chip costs, by the constants as they are now. */
slx_status compare_cost(slx_cost *out, const slx_chip *c, const slx_constants *k, slx_err *err);
bool compare_predicted(const compare_row *row);
/* Whether the point at a target has about the largest batch tried and time to spare: a larger one may do, too. */
bool compare_capped(const compare_point *p, const compare_ask *ask, int target);

void compare_print(const compare_ask *ask, const compare_row *rows, int n);
void compare_print_json(const compare_ask *ask, const compare_row *rows, int n);
struct compare_workers;
slx_status compare_write_page(const char *path, const compare_ask *ask, struct compare_workers *w, compare_row *rows, int n,
                              slx_err *err);

#endif
