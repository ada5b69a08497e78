/* cli_compile.c - silex compile: model and chip to a program file; any stage printed on the way. */
#include "cli/cli.h"
#include "compile/compile.h"
#include "verify/verify.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *chip, *output, *dump, *weights;
    int64_t ctx, max_rows, max_samples, max_seqs, max_pages, tp;
} values;

#define AT(m) offsetof(values, m)
#define LIMIT(name, member, help)                                                                  \
    {                                                                                              \
        name, 0, CLI_COUNT, "N", AT(member), 0, 1 << 24, NULL, help                                \
    }
static const cli_option options[] = {
    {"output", 'o', CLI_TEXT, "P.slx", AT(output), 0, 0, NULL,
     "the program file; - is standard output"},
    {"chip", 0, CLI_TEXT, "CHIP", AT(chip), 0, 0, NULL, "chip: a name in chips/ or a file"},
    {"dump", 0, CLI_TEXT, "STAGE", AT(dump), 0, 0, NULL,
     "print a stage: graph, plan, schedule or program"},
    {"weights", 0, CLI_TEXT, "TYPE", AT(weights), 0, 0, NULL,
     "type of the weights of a model known by its shapes: Q4_0 when it does not say, Q8_0, BF16"},
    {"ctx", 'c', CLI_COUNT, "N", AT(ctx), 0, 1 << 24, NULL,
     "positions of one sequence; 0 = what the model was made for"},
    {"tp", 0, CLI_COUNT, "P", AT(tp), 1, 1024, NULL,
     "tensor parallelism: chips that run it together, 1, 2, 4 or 8; no effect on any bit"},
    LIMIT("max-rows", max_rows, "rows of one step; 0 = 512, less where the chip is small"),
    LIMIT("max-samples", max_samples, "logit rows of one step; 0 = 16"),
    LIMIT("max-seqs", max_seqs, "sequences of one step; 0 = 16"),
    LIMIT("max-pages", max_pages, "KV pages of 128 positions; 0 = one sequence and 16 more"),
    {0},
};
static const values defaults = {.chip = "silex-1", .tp = 1};

static slx_status check_stage(const char *dump, slx_err *err)
{
    int n = 0;
    for (; slx_compile_dumps[n]; n++)
        if (!dump || !strcmp(dump, slx_compile_dumps[n])) return SLX_OK;
    const char *near = slx_nearest(dump, slx_compile_dumps, n);
    return slx_fail(err, SLX_EINPUT, "silex compile: --dump", 0, 0,
                    "found \"%s\", expected graph, plan, schedule or program%s%s", dump,
                    near ? "; did you mean " : "", near ? near : "");
}

/* The dump goes out only when everything went well. */
static slx_status compile(const values *v, const slx_model *m, const slx_chip *c, slx_err *err)
{
    slx_compile_options opt = {.max_rows = (uint32_t)v->max_rows,
                               .max_samples = (uint32_t)v->max_samples,
                               .max_seqs = (uint32_t)v->max_seqs,
                               .max_context = (uint32_t)v->ctx,
                               .max_pages = (uint32_t)v->max_pages,
                               .tp = (uint32_t)v->tp,
                               .look_around = true};
    slx_program p;
    char *text = NULL;
    size_t len = 0;
    FILE *dump = v->dump ? open_memstream(&text, &len) : NULL;
    slx_status st = slx_compile(&p, m, c, &opt, v->dump, dump, err);
    if (dump) fclose(dump);
    if (st == SLX_OK) {
        if (v->output) st = slx_program_write(&p, v->output, err);
        if (st == SLX_OK && v->dump) fwrite(text, 1, len, stdout);
        char a[32], sha[65];
        uint64_t bytes;
        slx_program_sha256(&p, sha, &bytes);
        if (st == SLX_OK)
            fprintf(stderr, "%s for %s: %s instructions, %llu bytes, sha256 %s\n", m->name, c->name,
                    cli_commas(a, p.n_insns), (unsigned long long)bytes, sha);
        slx_program_free(&p);
    }
    free(text);
    return st;
}

static slx_status run(const void *p, cli_args args, slx_err *err)
{
    const values *v = p;
    slx_chip *c = NULL;
    slx_model *m = NULL;
    if (!v->output && !v->dump)
        return slx_fail(err, SLX_EINPUT, "silex compile", 0, 0,
                        "found neither -o P.slx nor --dump STAGE, expected one");
    if (v->output && v->dump && !strcmp(v->output, "-"))
        return slx_fail(err, SLX_EINPUT, "silex compile: -o", 0, 0,
                        "found - together with --dump, expected a file");
    SLX_TRY(check_stage(v->dump, err));
    slx_status st = slx_chip_load(&c, v->chip, err);
    if (st == SLX_OK) st = slx_model_open_as(&m, args.v[0], v->weights, err);
    if (st == SLX_OK) st = compile(v, m, c, err);
    if (m) slx_model_close(m);
    slx_chip_free(c);
    return st;
}

const cli_verb cli_verb_compile = {
    "compile",
    "MODEL",
    1,
    1,
    "makes the chip's program of a model; --dump prints the stages",
    "A program holds no weights: `silex run MODEL --program P.slx` finds them in the model file. MODEL may also be a\n"
    "config.json, a folder with one, or a name in data/models (llama-3-8b): shapes alone, to compile and to time.\n",
    options,
    &defaults,
    sizeof defaults,
    run};
