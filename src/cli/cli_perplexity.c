/* cli_perplexity.c - silex perplexity: quality of the chip's numerics on a text. */
#include "cli/cli.h"
#include "cli/engine_options.h"
#include "cli/json.h"

typedef struct {
    const char *prompt, *file;
    bool per_token, json;
    cli_engine_values engine;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"file", 'f', CLI_TEXT, "FILE", AT(file), 0, 0, NULL, "the text; - is standard input"},
    {"prompt", 'p', CLI_TEXT, "TEXT", AT(prompt), 0, 0, NULL, "the text itself"},
    {"per-token", 0, CLI_FLAG, NULL, AT(per_token), 0, 0, NULL,
     "the log-probability of every scored token too"},
    CLI_THREADS_ROW(values),
    CLI_ENGINE_ROWS(values),
    {"json", 0, CLI_FLAG, NULL, AT(json), 0, 0, NULL, "one JSON object"},
    {0},
};
static const values defaults = {.engine = {.chip = "silex-1", .cpu = -1, .ctx = 512}};

enum { SAMPLES = 64 }; /* logit rows of a step: the head's weights are read once for all of them */

static void print(const values *v, const slx_perplexity *r)
{
    const double *lp = (const double *)(const void *)r->logprobs.ptr;
    char bits[24];
    if (v->json) {
        json_t *j = json_object(), *list = json_array();
        json_object_set_new(j, "tokens", json_integer((json_int_t)r->tokens));
        json_object_set_new(j, "perplexity", json_real(r->perplexity));
        json_object_set_new(j, "nll", json_real(r->nll));
        for (uint64_t i = 0; i < r->tokens && v->per_token; i++)
            json_array_append_new(list, json_real(lp[i]));
        if (v->per_token) json_object_set(j, "logprobs", list);
        json_object_set_new(j, "hash", cli_json_hash(r->hash));
        json_decref(list);
        cli_json_print(j);
        return;
    }
    for (uint64_t i = 0; i < r->tokens && v->per_token; i++) printf("%.9g\n", lp[i]);
    printf("perplexity %.4f, nll %.6f over %llu scored tokens, windows of %lld; bits %s\n",
           r->perplexity, r->nll, (unsigned long long)r->tokens, (long long)v->engine.ctx,
           cli_hex_groups(bits, r->hash));
}

static slx_status score(const values *v, slx_engine *e, const slx_buf *text, slx_err *err)
{
    const slx_model *m = slx_engine_model(e);
    slx_buf ids = {0};
    slx_perplexity r;
    if (!m->tok)
        return slx_fail(err, SLX_EINPUT, m->path, 0, 0, "found no tokenizer in the model file");
    slx_status st = slx_tokenize(m->tok, text->ptr, text->len, false, &ids, err);
    if (st == SLX_OK)
        st = slx_perplexity_run(e, (const uint32_t *)(const void *)ids.ptr, (uint32_t)(ids.len / 4),
                                (uint32_t)v->engine.ctx, &r, err);
    if (st == SLX_OK) {
        print(v, &r);
        slx_buf_free(&r.logprobs);
    }
    slx_buf_free(&ids);
    return st;
}

static slx_status run(const void *p, cli_args args, slx_err *err)
{
    const values *v = p;
    slx_engine_options opt;
    slx_buf text;
    slx_engine *e = NULL;
    cli_engine_values ev = v->engine;
    if (v->engine.ctx < 4)
        return slx_fail(err, SLX_EINPUT, "silex perplexity: --ctx", 0, 0,
                        "found %lld, expected at least 4", (long long)v->engine.ctx);
    if (ev.program)
        ev.ctx = 0; /* the program's own context must hold a window; that is seen later */
    SLX_TRY(cli_text_get(v->prompt, v->file, &text, err));
    slx_catch_interrupt();
    slx_status st = cli_engine_get(&ev, args.v[0], &opt, err);
    opt.compile.max_samples = SAMPLES;
    opt.compile.max_seqs = 1;
    if (st == SLX_OK) st = slx_engine_open(&e, &opt, err);
    if (st == SLX_OK) st = score(v, e, &text, err);
    slx_engine_close(e);
    slx_buf_free(&text);
    return st;
}

const cli_verb cli_verb_perplexity = {
    "perplexity",
    "MODEL",
    1,
    1,
    "quality of the chip's numerics on a text",
    "Windows of --ctx tokens; of each the second half is scored, by natural logarithms. Control "
    "tokens in the text are\n"
    "plain text; a begin-of-text token only where the model asks for one.\n",
    options,
    &defaults,
    sizeof defaults,
    run};
