/* draw.h - how one token is drawn from one row of logits when a request asks for more than a temperature.
 *
 *   row --bias, penalties--> row' --mask--> row'' --slx_sample_token--> token
 *    '--> natural log probabilities of the model itself, before any of that
 *
 * Bias and penalties are added in fp32, in the order: bias, then frequency * count + presence, over the tokens made so
 * far. A token that the grammar does not admit gets the lowest finite value, so it is never drawn.
 */
#ifndef SLX_RUN_DRAW_H
#define SLX_RUN_DRAW_H

#include "run/grammar.h"
#include "run/run.h"

enum { SLX_MAX_LOGPROBS = 20, SLX_MAX_BIAS = 1024 };

typedef struct {
    uint32_t token;
    float add;
} slx_logit_bias;

typedef struct {
    slx_sampling sampling;
    float frequency, presence; /* penalties; 0 = off */
    const slx_logit_bias *bias;
    uint32_t n_bias;
    uint32_t min_new; /* no end-of-generation token before so many tokens; not together with a grammar */
    const uint32_t *ends; /* those tokens, where min_new is asked for */
    uint32_t n_ends;
    slx_grammar *grammar; /* NULL = any token; moved on by every draw; the caller's, as long as the job */
    bool logprobs;
    uint32_t n_top; /* best alternatives wanted, at most SLX_MAX_LOGPROBS */
} slx_draw_options;

typedef struct {
    uint32_t token;
    bool end;  /* an end-of-generation token */
    bool last; /* nothing may follow it: the grammar is complete */
    double logprob;
    uint32_t n_top;
    struct {
        uint32_t token;
        double logprob;
    } top[SLX_MAX_LOGPROBS];
} slx_drawn;

/* made: the n tokens drawn so far (for penalties). scratch: [vocab_pad] floats. */
slx_status slx_draw(const slx_engine *e, const float *logits, uint32_t position, const slx_draw_options *opt,
                    const uint32_t *made, uint32_t n, float *scratch, slx_drawn *out, slx_err *err);

#endif
