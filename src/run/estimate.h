/* estimate.h - what a chip would take to serve a model: steps of the same program, timed.
 *
 *   prompt   prefill steps of at most `chunk` rows of one sequence, one after another  -> time to
 *            first token
 *   decode   one step, a new token for each of `batch` sequences of `context` tokens   -> time per
 *            token
 */
#ifndef SLX_RUN_ESTIMATE_H
#define SLX_RUN_ESTIMATE_H

#include "chip/silicon.h"
#include "time/time.h"

typedef struct {
    uint32_t prompt;  /* tokens of the prompt; 0 = no prefill */
    uint32_t chunk;   /* rows of a prefill step; 0 = as many as the program takes */
    uint32_t context; /* tokens of each sequence before the decode step; 0 = no decode */
    uint32_t batch;   /* sequences of the decode step; 0 = 1 */
    bool full;        /* every tile simulated, not one of each class */
    bool bands;       /* how far tpot_s may be off: six runs more, or thirty-four (time.h) */
    void (*event)(void *arg, const slx_time_event *e); /* of the decode step, or of the last prefill step */
    void *event_arg;
} slx_estimate_options;

/* Times and energies are of all chips of the program together; prefill and decode are one chip's. */
typedef struct {
    uint32_t chips, prompt, prefill_steps, context, batch;
    double ttft_s;             /* all prefill steps; 0 without */
    double prefill_j;
    slx_time_result prefill;   /* the last prefill step */
    double tpot_s;             /* 0 without a decode step */
    double energy_j_per_token; /* of the decode step, shared by its sequences */
    /* Within what the sources of the chip file allow for their figures, independent of each
     * other. */
    double tpot_low_s, tpot_high_s; /* 0 unless asked for */
    double energy_low_j, energy_high_j;
    slx_time_result decode;
} slx_estimate;

/* desc limits of the program hold: refuses (SLX_EINPUT) what does not fit them. The caller frees
 * on SLX_OK. */
slx_status slx_estimate_run(const slx_program *p, const slx_chip *c, const slx_estimate_options *opt, slx_estimate *out,
                            slx_err *err);
void slx_estimate_free(slx_estimate *e);

/* Dollars per million tokens when the chip decodes as estimated, hour after hour: what an hour of it costs (silicon.h)
 * over the tokens it makes in one. Costs err, and so does the time where its band was asked for: the ends take both.
 * false when the estimate has no decode step or the chip file does not say what the chip costs. */
bool slx_estimate_usd_per_mtok(slx_band *out, const slx_estimate *e, const slx_chip *c);

#endif
