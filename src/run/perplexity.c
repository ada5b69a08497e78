/* perplexity.c - quality of the chip's numerics on a text, by llama.cpp's rule.
 *
 * The text's tokens are cut into windows of ctx; what does not fill a window is left out. In each window the logits at
 * positions ctx/2 .. ctx-2 score the tokens that follow them. Natural logarithms, in double precision, on the host:
 * this is a measurement, not a value of the chip. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run/run_int.h"

static slx_status window(slx_engine *e, const uint32_t *tokens, uint32_t ctx, slx_perplexity *out,
                         slx_hash *h, slx_err *err)
{
    slx_seq *s = slx_seq_new(e);
    uint32_t first = ctx / 2, at = 0, rows = e->prog.info.desc.max_rows,
             samples = e->prog.info.desc.max_samples;
    slx_status st = SLX_OK;
    while (at < ctx - 1 && st == SLX_OK && !slx_interrupted()) {
        uint32_t n, want;
        if (at < first) {
            n = first - at < rows ? first - at : rows;
            want = 0;
        } else {
            n = ctx - 1 - at < rows ? ctx - 1 - at : rows;
            if (n > samples) n = samples;
            want = n;
        }
        slx_batch_entry b = {.seq = s, .tokens = tokens + at, .n = n, .n_logits = want};
        st = slx_engine_step(e, &b, 1, err);
        for (uint32_t k = 0; k < want && st == SLX_OK; k++) {
            const float *row = b.logits + (size_t)k * e->prog.info.vocab_pad;
            double lp = row[tokens[at + k + 1]] - slx_log_sum(row, e->prog.info.vocab);
            out->nll -= lp;
            out->tokens++;
            slx_buf_add(&out->logprobs, &lp, sizeof lp);
            slx_hash_add(h, row, e->prog.info.vocab * sizeof *row);
        }
        at += n;
    }
    slx_seq_free(s);
    return st;
}

slx_status slx_perplexity_run(slx_engine *e, const uint32_t *tokens, uint32_t n, uint32_t ctx,
                              slx_perplexity *out, slx_err *err)
{
    memset(out, 0, sizeof *out);
    if (ctx < 4 || ctx > e->prog.info.max_context)
        return slx_fail(err, SLX_EINPUT, "--ctx", 0, 0, "found %u, expected 4 to %u", ctx,
                        e->prog.info.max_context);
    bool bos = slx_tok_add_bos(e->model->tok) && slx_tok_bos(e->model->tok) >= 0;
    if (n < ctx)
        return slx_fail(err, SLX_EINPUT, "text", 0, 0, "found %u tokens, expected at least one window of %u",
                        n, ctx);
    uint32_t *w = slx_xmalloc(ctx * sizeof *w);
    slx_hash h;
    slx_progress bar;
    slx_status st = SLX_OK;
    slx_hash_init(&h);
    slx_progress_start(&bar, "perplexity");
    for (uint32_t at = 0; at + ctx <= n && st == SLX_OK; at += ctx) {
        memcpy(w, tokens + at, ctx * sizeof *w);
        if (bos) w[0] = (uint32_t)slx_tok_bos(e->model->tok);
        st = window(e, w, ctx, out, &h, err);
        if (st == SLX_OK && slx_interrupted())
            st = slx_fail(err, SLX_EINTERRUPTED, "perplexity", 0, 0, "interrupted");
        slx_progress_at(&bar, (double)(at + ctx) / n);
    }
    slx_progress_end(&bar);
    free(w);
    if (st != SLX_OK) {
        slx_buf_free(&out->logprobs);
        return st;
    }
    out->nll /= (double)out->tokens;
    out->perplexity = exp(out->nll);
    out->hash = slx_hash_get(&h);
    return SLX_OK;
}
