/* generate.c - from a prompt to an answer: template, prefill, draw, detokenise, stop. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run/chat.h"
#include "run/run_int.h"

#include <jansson.h>

slx_status slx_prompt_tokens(const slx_model *m, const char *text, size_t len, bool raw,
                             slx_buf *ids, slx_err *err)
{
    if (m->tok && !slx_utf8_valid(text, len))
        return slx_fail(err, SLX_EINPUT, "prompt", 0, 0, "found text that is not UTF-8");
    if (raw || !m->chat) return slx_text_tokens(m, text, len, ids, err);
    json_t *vars = json_pack("{s:[{s:s, s:s%}]}", "messages", "role", "user", "content", text, len);
    if (!vars) return slx_fail(err, SLX_EINPUT, "prompt", 0, 0, "found text that JSON cannot hold");
    char *dump = json_dumps(vars, JSON_COMPACT);
    json_decref(vars);
    slx_status st = slx_chat_tokens(m, dump, strlen(dump), ids, err);
    free(dump);
    return st;
}

slx_status slx_sample_token(const slx_engine *e, const float *logits, uint32_t position,
                            const slx_sampling *p, uint32_t *token, slx_err *err)
{
    uint32_t vocab = e->prog.info.vocab;
    /* log2(e)/temperature; so cold that this is no fp32 number, only the best is left */
    double c = p->temperature > 0 ? 1.4426950408889634 / (double)p->temperature : INFINITY;
    if (p->top_k == 1 || c > FLT_MAX) {
        float v;
        slx_kern_get()->topk1(logits, vocab, &v, token);
        return SLX_OK;
    }
    float val[SLX_MAX_CANDIDATES];
    uint32_t idx[SLX_MAX_CANDIDATES], n = vocab < SLX_MAX_CANDIDATES ? vocab : SLX_MAX_CANDIDATES,
                                      chosen;
    slx_topk(logits, vocab, n, 0, val, idx);
    slx_sample_params sp = {.seed = p->seed,
                            .stream = 0,
                            .position = position,
                            .top_k = p->top_k,
                            .c = (float)c,
                            .top_p = p->top_p,
                            .min_p = p->min_p};
    if (!slx_sample(val, n, &sp, &chosen))
        return slx_fail(err, SLX_EFAULT, "sampling", 0, 0,
                        "a probability is out of range at temperature %g", (double)p->temperature);
    *token = idx[chosen];
    return SLX_OK;
}

typedef struct {
    const slx_tokenizer *tok;
    slx_utf8_stream utf8;
    void (*on_text)(void *arg, const char *text, size_t len);
    void *arg;
} writer;

static void write_token(writer *w, uint32_t token)
{
    slx_buf bytes = {0}, text = {0};
    slx_detokenize(w->tok, token, false, &bytes);
    if (bytes.len) slx_utf8_stream_add(&w->utf8, bytes.ptr, bytes.len, &text);
    if (text.len && w->on_text) w->on_text(w->arg, text.ptr, text.len);
    slx_buf_free(&bytes);
    slx_buf_free(&text);
}

static void write_end(writer *w)
{
    slx_buf text = {0};
    slx_utf8_stream_end(&w->utf8, &text);
    if (text.len && w->on_text) w->on_text(w->arg, text.ptr, text.len);
    slx_buf_free(&text);
}

/* Rows of a prompt's step when the caller leaves it open: all the program takes, but on strict, where that may be a
 * minute, so few that progress shows and Ctrl-C is heard. */
static uint32_t default_chunk(const slx_engine *e)
{
    return e->kind == SLX_MACHINE_STRICT ? 32 : 0;
}

static slx_status check_length(const slx_seq *s, uint32_t n, slx_err *err)
{
    uint32_t most = s->e->prog.info.max_context;
    if (n <= most - s->length) return SLX_OK;
    return slx_fail(err, SLX_EINPUT, "prompt", 0, 0,
                    "found %u tokens, expected at most %u: the program's context is %u", n,
                    most - s->length, most);
}

/* Draws and steps until something ends it; *first: when the first token was drawn. */
static slx_status decode(slx_seq *s, const float *logits, uint32_t max_new, const slx_sampling *p,
                         writer *w, slx_buf *ids, slx_generation *out, double *first, slx_err *err)
{
    slx_engine *e = s->e;
    for (;;) {
        uint32_t token;
        SLX_TRY(slx_sample_token(e, logits, s->length, p, &token, err));
        if (!out->new_tokens) *first = slx_now_s();
        if (w->tok && slx_tok_is_eog(w->tok, token)) {
            out->finish_reason = "stop";
            return SLX_OK;
        }
        slx_buf_add(ids, &token, sizeof token);
        out->new_tokens++;
        if (w->tok) write_token(w, token);
        if (slx_interrupted()) {
            out->finish_reason = "interrupted";
            return SLX_OK;
        }
        if (out->new_tokens == max_new || s->length == e->prog.info.max_context) return SLX_OK;
        slx_batch_entry b = {.seq = s, .tokens = &token, .n = 1, .n_logits = 1};
        SLX_TRY(slx_engine_step(e, &b, 1, err));
        logits = b.logits;
    }
}

slx_status slx_generate(slx_seq *s, const uint32_t *prompt, uint32_t n, uint32_t max_new,
                        uint32_t chunk, const slx_sampling *p,
                        void (*on_text)(void *arg, const char *text, size_t len), void *arg,
                        slx_buf *ids, slx_generation *out, slx_err *err)
{
    slx_engine *e = s->e;
    writer w = {.tok = e->model->tok, .on_text = on_text, .arg = arg};
    const float *logits = NULL;
    memset(out, 0, sizeof *out);
    SLX_TRY(check_length(s, n, err));
    double start = slx_now_s(), first = 0;
    uint32_t before = s->length;
    slx_status st = slx_seq_prefill(s, prompt, n, chunk ? chunk : default_chunk(e), &logits, err);
    out->finish_reason = "length";
    if (st == SLX_OK && max_new) st = decode(s, logits, max_new, p, &w, ids, out, &first, err);
    if (st == SLX_EINTERRUPTED) {
        out->finish_reason = "interrupted";
        st = SLX_OK;
    }
    write_end(&w);
    double end = slx_now_s();
    uint32_t done = s->length - before < n ? s->length - before : n; /* of the prompt */
    uint32_t stop = !strcmp(out->finish_reason, "stop");
    if (first == 0) first = end;
    out->load_s = e->load_s;
    out->prompt_tokens = n;
    out->first_token_s = first - start;
    out->prefill_tok_s = done / (first - start);
    /* the token that ends a turn is drawn too */
    if (out->new_tokens + stop > 1)
        out->decode_tok_s = (out->new_tokens + stop - 1) / (end - first);
    out->hash = slx_seq_hash(s);
    return st;
}
