/* bench.c - host speed in the form llama-bench uses: pp (a prompt in one go) and tg (tokens one at a time). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run/run_int.h"

static void statistics(const double *x, uint32_t n, double *mean, double *dev)
{
    double sum = 0, sq = 0;
    for (uint32_t i = 0; i < n; i++) sum += x[i];
    *mean = sum / n;
    for (uint32_t i = 0; i < n; i++) sq += (x[i] - *mean) * (x[i] - *mean);
    *dev = n > 1 ? sqrt(sq / (n - 1)) : 0;
}

static slx_status once(slx_engine *e, const uint32_t *tokens, uint32_t n, bool one_by_one, double *tok_s,
                       slx_err *err)
{
    slx_seq *s = slx_seq_new(e);
    const float *logits;
    slx_status st = SLX_OK;
    double start = slx_now_s();
    if (one_by_one)
        for (uint32_t i = 0; i < n && st == SLX_OK; i++)
            st = slx_seq_prefill(s, &tokens[i], 1, 1, &logits, err);
    else
        st = slx_seq_prefill(s, tokens, n, 0, &logits, err);
    *tok_s = n / (slx_now_s() - start);
    slx_seq_free(s);
    if (st == SLX_OK && slx_interrupted()) st = slx_fail(err, SLX_EINTERRUPTED, "bench", 0, 0, "interrupted");
    return st;
}

slx_status slx_bench_run(slx_engine *e, uint32_t n_prompt, uint32_t n_gen, uint32_t repeat,
                         slx_bench_result out[2], slx_err *err)
{
    uint32_t most = n_prompt > n_gen ? n_prompt : n_gen;
    uint32_t *tokens = slx_xmalloc((most + 1) * sizeof *tokens);
    double *rate = slx_xmalloc((repeat + 1) * sizeof *rate), warm;
    slx_rng rng = {1};
    slx_status st = SLX_OK;
    for (uint32_t i = 0; i <= most; i++) tokens[i] = slx_rng_below(&rng, e->prog.info.vocab);
    for (int t = 0; t < 2 && st == SLX_OK; t++) {
        uint32_t n = t ? n_gen : n_prompt;
        memset(&out[t], 0, sizeof out[t]);
        out[t].test = t ? "tg" : "pp";
        if (!n) continue;
        st = once(e, tokens, t && n > 16 ? 16 : n, t, &warm, err);
        for (uint32_t i = 0; i < repeat && st == SLX_OK; i++) st = once(e, tokens, n, t, &rate[i], err);
        if (st == SLX_OK) statistics(rate, repeat, &out[t].tok_s, &out[t].tok_s_stddev);
    }
    free(tokens);
    free(rate);
    return st;
}
