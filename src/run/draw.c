/* draw.c - see draw.h. */
#include "run/draw.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "run/run_int.h"

double slx_log_sum(const float *logits, uint32_t vocab)
{
    double top = logits[0], sum = 0;
    for (uint32_t i = 1; i < vocab; i++)
        if (logits[i] > top) top = logits[i];
    for (uint32_t i = 0; i < vocab; i++) sum += exp(logits[i] - top);
    return top + log(sum);
}

/* made is short beside the vocabulary: a count a token, by walking it. */
static void penalise(float *row, const slx_draw_options *o, const uint32_t *made, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) row[made[i]] -= o->frequency;
    for (uint32_t i = 0; i < n; i++) {
        bool first = true;
        for (uint32_t k = 0; k < i && first; k++) first = made[k] != made[i];
        if (first) row[made[i]] -= o->presence;
    }
}

static void get_logprobs(const float *logits, uint32_t vocab, uint32_t n_top, slx_drawn *out)
{
    double sum = slx_log_sum(logits, vocab);
    float val[SLX_MAX_LOGPROBS];
    uint32_t idx[SLX_MAX_LOGPROBS];
    if (n_top > vocab) n_top = vocab;
    out->logprob = logits[out->token] - sum;
    out->n_top = n_top;
    slx_topk(logits, vocab, n_top, 0, val, idx);
    for (uint32_t i = 0; i < n_top; i++) {
        out->top[i].token = idx[i];
        out->top[i].logprob = val[i] - sum;
    }
}

slx_status slx_draw(const slx_engine *e, const float *logits, uint32_t position,
                    const slx_draw_options *opt, const uint32_t *made, uint32_t n, float *scratch,
                    slx_drawn *out, slx_err *err)
{
    uint32_t vocab = e->prog.info.vocab;
    const float *row = logits;
    out->n_top = 0;
    bool no_end = n < opt->min_new;
    if (opt->frequency != 0 || opt->presence != 0 || opt->n_bias || opt->grammar || no_end) {
        memcpy(scratch, logits, e->prog.info.vocab_pad * sizeof *scratch);
        row = scratch;
        for (uint32_t i = 0; i < opt->n_bias; i++) scratch[opt->bias[i].token] += opt->bias[i].add;
        if (opt->frequency != 0 || opt->presence != 0) penalise(scratch, opt, made, n);
        for (uint32_t i = 0; i < opt->n_ends && no_end; i++) scratch[opt->ends[i]] = -FLT_MAX;
        if (opt->grammar && !slx_grammar_mask(opt->grammar, scratch, vocab))
            return slx_fail(err, SLX_EFAULT, "grammar", 0, 0, "%s",
                            slx_grammar_too_wide(opt->grammar)
                                ? "the required form leaves too many ways open to follow them all"
                                : "no token of the vocabulary continues the required form");
    }
    SLX_TRY(slx_sample_token(e, row, position, &opt->sampling, &out->token, err));
    if ((opt->grammar || no_end) &&
        row[out->token] == -FLT_MAX) { /* the last candidate, by a rounding at the end of the sum */
        float best;
        slx_kern_get()->topk1(row, vocab, &best, &out->token);
    }
    out->end = e->model->tok && slx_tok_is_eog(e->model->tok, out->token);
    out->last = false;
    if (opt->grammar && !out->end) {
        if (!slx_grammar_take(opt->grammar, out->token)) SLX_BUG("a masked token was drawn");
        out->last = slx_grammar_over(opt->grammar);
    }
    if (opt->logprobs) get_logprobs(logits, vocab, opt->n_top, out);
    return SLX_OK;
}
