/* cli_run.c - silex run: the answer as it is drawn, then the report. */
#include "cli/cli.h"
#include "cli/engine_options.h"
#include "cli/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const char *prompt, *file;
    bool raw, json;
    int64_t max_tokens, top_k, seed, chunk;
    double temperature, top_p, min_p;
    cli_engine_values engine;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"prompt", 'p', CLI_TEXT, "TEXT", AT(prompt), 0, 0, NULL, "the question"},
    {"file", 'f', CLI_TEXT, "FILE", AT(file), 0, 0, NULL,
     "the question from a file; - is standard input"},
    {"raw", 0, CLI_FLAG, NULL, AT(raw), 0, 0, NULL, "the text as it is, no chat template"},
    {"max-tokens", 'n', CLI_COUNT, "N", AT(max_tokens), 1, 1 << 24, NULL, "new tokens at most"},
    {"temperature", 0, CLI_REAL, "T", AT(temperature), 0, 100, NULL, "0 is greedy"},
    {"top-k", 0, CLI_COUNT, "N", AT(top_k), 0, 1024, NULL,
     "draw among the N best; 0 = all candidates"},
    {"top-p", 0, CLI_REAL, "P", AT(top_p), 0, 1, NULL,
     "draw among the best that have P together; 1 = off"},
    {"min-p", 0, CLI_REAL, "P", AT(min_p), 0, 1, NULL,
     "draw among those at least P as likely as the best; 0 = off"},
    {"seed", 0, CLI_COUNT, "N", AT(seed), 0, 1e18, NULL,
     "of the draws; the same seed draws the same tokens"},
    CLI_THREADS_ROW(values),
    CLI_ENGINE_ROWS(values),
    {"prefill-chunk", 0, CLI_COUNT, "N", AT(chunk), 0, 1 << 20, NULL,
     "prompt rows of one step; 0 = as many as the program takes; no effect on any bit"},
    {"json", 0, CLI_FLAG, NULL, AT(json), 0, 0, NULL,
     "one JSON object instead of answer and report"},
    {0},
};
static const values defaults = {.max_tokens = 128, .top_p = 1, .engine = CLI_ENGINE_DEFAULTS};

/* Where the answer goes while it is made: standard output, and memory for --json. */
typedef struct {
    bool quiet, failed;
    int error;
    slx_buf text;
} answer;

static void on_text(void *arg, const char *text, size_t len)
{
    answer *a = arg;
    slx_buf_add(&a->text, text, len);
    if (a->quiet || a->failed) return;
    if (fwrite(text, 1, len, stdout) != len || fflush(stdout)) {
        a->failed = true;
        a->error = errno;
    }
}

static slx_status generate(const values *v, const slx_buf *text, slx_engine *e, cli_report *r,
                           answer *a, slx_err *err)
{
    slx_buf prompt = {0};
    slx_sampling draw = {.temperature = (float)v->temperature,
                         .top_k = (uint32_t)v->top_k,
                         .top_p = (float)v->top_p,
                         .min_p = (float)v->min_p,
                         .seed = (uint64_t)v->seed};
    slx_status st =
        slx_prompt_tokens(slx_engine_model(e), text->ptr, text->len, v->raw, &prompt, err);
    slx_seq *s = slx_seq_new(e);
    if (st == SLX_OK)
        st = slx_generate(s, (const uint32_t *)(const void *)prompt.ptr, (uint32_t)(prompt.len / 4),
                          (uint32_t)v->max_tokens, (uint32_t)v->chunk, &draw, on_text, a, &r->ids,
                          &r->gen, err);
    if (a->failed)
        st =
            slx_fail(err, SLX_EIO, "standard output", 0, 0, "cannot write: %s", strerror(a->error));
    if (st == SLX_OK) {
        r->engine = e;
        r->chunk = (uint32_t)v->chunk;
        st = cli_report_count(r, s, err);
        if (st == SLX_OK) cli_report_time(r);
    }
    slx_seq_free(s);
    slx_buf_free(&prompt);
    return st;
}

static slx_status run(const void *p, cli_args args, slx_err *err)
{
    const values *v = p;
    slx_engine_options opt;
    slx_buf text;
    slx_engine *e = NULL;
    cli_report r = {0};
    answer a = {.quiet = v->json};
    SLX_TRY(cli_text_get(v->prompt, v->file, &text, err));
    slx_catch_interrupt();
    slx_status st = cli_engine_get(&v->engine, args.v[0], &opt, err);
    if (st == SLX_OK) st = slx_engine_open(&e, &opt, err);
    r.machine = cli_machines[opt.kind];
    r.threads = opt.kind == SLX_MACHINE_STRICT ? 1 : opt.threads ? opt.threads : slx_host_threads();
    if (st == SLX_OK) st = generate(v, &text, e, &r, &a, err);
    if (a.text.len && !v->json && !a.failed) putchar('\n');
    if (st == SLX_OK && v->json) cli_report_json(&r, &a.text);
    if (st == SLX_OK && !v->json) {
        FILE *out = isatty(STDOUT_FILENO) ? stdout : stderr;
        fflush(stdout);
        cli_report_print(&r, out);
    }
    if (st == SLX_OK && !strcmp(r.gen.finish_reason, "interrupted"))
        st = slx_fail(err, SLX_EINTERRUPTED, "", 0, 0, "interrupted, the answer is not complete");
    if (r.timed) slx_estimate_free(&r.chip);
    slx_buf_free(&r.ids);
    slx_buf_free(&a.text);
    slx_buf_free(&text);
    slx_engine_close(e);
    return st;
}

const cli_verb cli_verb_run = {
    "run",
    "MODEL",
    1,
    1,
    "answers a prompt on the simulated chip, then reports",
    "The answer streams to standard output; the report follows there on a terminal, else on "
    "standard error.\n"
    "Without --raw the text becomes a user's message in the model's own chat template.\n",
    options,
    &defaults,
    sizeof defaults,
    run};
