/* cli_time.c - silex time: what the chip would take for a model, from the program's own steps.
 * No value is computed. */
#include "cli/cli.h"
#include "cli/time_report.h"
#include "compile/compile.h"
#include "isa/step.h"
#include "run/estimate.h"
#include "time/memo.h"
#include "verify/verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    const char *chip, *program, *trace, *weights;
    int64_t batch, context, prompt, chunk, tp, memo;
    bool speed, full, no_bands, json;
    cli_list set;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"chip", 0, CLI_TEXT, "CHIP", AT(chip), 0, 0, NULL, "chip: a name in chips/ or a file"},
    {"set", 0, CLI_LIST, "KEY=VALUE", AT(set), 0, 0, NULL,
     "one figure of the chip changed, as hbm.gbps_pin=9.2; may be repeated"},
    {"program", 0, CLI_TEXT, "P.slx", AT(program), 0, 0, NULL,
     "time this program instead of compiling; it is verified first"},
    {"weights", 0, CLI_TEXT, "TYPE", AT(weights), 0, 0, NULL,
     "storage type of a model known by its shapes (config.json, data/models); Q4_0 if it names "
     "none"},
    {"batch", 'b', CLI_COUNT, "N", AT(batch), 1, 4096, NULL, "sequences that decode together"},
    {"context", 'c', CLI_COUNT, "N", AT(context), 0, 1 << 24, NULL,
     "tokens of each before the step that decodes; 0 = no decode step"},
    {"prefill", 'p', CLI_COUNT, "N", AT(prompt), 0, 1 << 24, NULL,
     "tokens of the prompt; 0 = no prefill"},
    {"prefill-chunk", 0, CLI_COUNT, "N", AT(chunk), 0, 1 << 20, NULL,
     "prompt rows of one step; 0 = as many as the program takes"},
    {"tp", 0, CLI_COUNT, "P", AT(tp), 1, 1024, NULL,
     "tensor parallelism: chips that run the model together, 1, 2, 4 or 8"},
    {"full", 0, CLI_FLAG, NULL, AT(full), 0, 0, NULL, "simulate every tile, not one of each class"},
    {"no-bands", 0, CLI_FLAG, NULL, AT(no_bands), 0, 0, NULL,
     "without the band of the time, which takes six runs more, or thirty-four"},
    {"speed", 0, CLI_FLAG, NULL, AT(speed), 0, 0, NULL,
     "how fast this host simulates the decode step: instructions a second, the step folded"},
    {"memo", 0, CLI_COUNT, "N", AT(memo), 1, 100000, NULL,
     "how far a table of steps (docs/timing.md) is from N random decode steps of up to --batch "
     "sequences of up to --context tokens"},
    {"trace", 0, CLI_TEXT, "FILE", AT(trace), 0, 0, NULL,
     "the decode step (else the last prefill step) for Perfetto or chrome://tracing; - is standard "
     "output"},
    {"json", 0, CLI_FLAG, NULL, AT(json), 0, 0, NULL, "one JSON object"},
    {0},
};
static const values defaults = {.batch = 1, .context = 512, .prompt = 512, .tp = 1};

/* ------------------------------------------------------------------ measured beside the step */

static slx_status try_memo(const values *v, const slx_program *p, const slx_chip *c,
                           time_memo *out, slx_err *err)
{
    slx_memo *m;
    *out = (time_memo){0};
    if (!v->memo) return SLX_OK;
    SLX_TRY(slx_memo_open(&m, p, c, NULL, err));
    slx_status st = slx_memo_measure(m, (uint32_t)v->memo, (uint32_t)v->batch, (uint32_t)v->context,
                                     1, &out->error, err);
    out->points = slx_memo_points(m);
    slx_memo_close(m);
    return st;
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static slx_status try_speed(const values *v, const slx_program *p, const slx_chip *c,
                            time_speed *out, slx_err *err)
{
    slx_chip once = *c; /* one clock: no search for the one that the rated power allows */
    slx_time_watts watts;
    *out = (time_speed){0};
    if (!v->speed) return SLX_OK;
    once.package.tdp_w = 0;
    SLX_TRY(slx_time_get_watts(&watts, c, err));
    uint8_t *desc = slx_xcalloc(1, p->info.desc.bytes + 1u);
    slx_status st =
        slx_step_build_alike(&p->info, desc, (uint32_t)v->batch, 1, (uint32_t)v->context, 1, err);
    for (int i = 0; i < 4 && st == SLX_OK; i++) {
        slx_time_result r;
        double start = cpu_s();
        st = slx_time_step(p, &once, desc, &(slx_time_options){.folded = i > 0, .watts = &watts},
                           &r, err);
        if (st != SLX_OK) break;
        double took = cpu_s() - start;
        if (!i)
            out->full_s = took, out->instructions = r.simulated;
        else if (i == 1 || took < out->folded_s)
            out->folded_s = took;
        slx_time_result_free(&r);
    }
    free(desc);
    return st;
}

/* ------------------------------------------------------------------ run */

/* A program large enough for what is asked. */
static slx_status get_program(const values *v, const char *path, const slx_chip *c, slx_program *p,
                              time_weights *weights, slx_err *err)
{
    *weights = (time_weights){0};
    if (v->program) {
        SLX_TRY(slx_program_read(p, v->program, err));
        slx_status st = slx_verify(p, c, v->program, err);
        if (st != SLX_OK) slx_program_free(p);
        return st;
    }
    slx_model *m;
    SLX_TRY(slx_model_open_as(&m, path, v->weights, err));
    slx_compile_options opt = {.tp = (uint32_t)v->tp, .look_around = true};
    const uint64_t pages = ((uint64_t)v->context / SLX_MAX_CHUNK + 1) * (uint64_t)v->batch;
    if (v->batch > 16) {
        opt.max_samples = opt.max_seqs = (uint32_t)v->batch;
        if (v->batch > 512) opt.max_rows = (uint32_t)v->batch;
        opt.max_pages = (uint32_t)(pages < 1 << 24 ? pages : 1 << 24);
    } else if (v->batch > 1) {
        uint64_t one = m->hp.context / SLX_MAX_CHUNK + 17;
        if (pages > one) opt.max_pages = (uint32_t)(pages < 1 << 24 ? pages : 1 << 24);
    }
    slx_status st = slx_compile(p, m, c, &opt, NULL, NULL, err);
    if (st == SLX_OK && p->info.desc.max_pages < pages && pages < 1 << 24) {
        slx_program_free(p); /* fewer than were wanted, as the memory has room for no more: then say so */
        opt.max_pages = (uint32_t)pages;
        st = slx_compile(p, m, c, &opt, NULL, NULL, err);
    }
    if (st == SLX_OK) time_weights_count(weights, p, m);
    slx_model_close(m);
    return st;
}

static slx_status estimate(const values *v, const slx_program *p, const slx_chip *c,
                           slx_estimate *e, slx_err *err)
{
    slx_estimate_options opt = {.prompt = (uint32_t)v->prompt,
                                .chunk = (uint32_t)v->chunk,
                                .context = (uint32_t)v->context,
                                .batch = (uint32_t)v->batch,
                                .full = v->full,
                                .bands = !v->no_bands};
    if (!v->trace) return slx_estimate_run(p, c, &opt, e, err);
    slx_time_trace t;
    bool out = !strcmp(v->trace, "-");
    FILE *f = out ? stdout : fopen(v->trace, "w");
    if (!f) return slx_fail(err, SLX_EIO, v->trace, 0, 0, "cannot write: %s", strerror(errno));
    slx_time_trace_begin(&t, f, p);
    opt.event = slx_time_trace_event;
    opt.event_arg = &t;
    slx_status st = slx_estimate_run(p, c, &opt, e, err);
    slx_status end = slx_time_trace_end(&t, v->trace, st == SLX_OK ? err : NULL);
    if (!out && fclose(f) && end == SLX_OK)
        end = slx_fail(st == SLX_OK ? err : NULL, SLX_EIO, v->trace, 0, 0, "cannot write: %s",
                       strerror(errno));
    if (st == SLX_OK && end != SLX_OK) slx_estimate_free(e);
    return st != SLX_OK ? st : end;
}

static slx_status run(const void *values_, cli_args args, slx_err *err)
{
    const values *v = values_;
    slx_chip *c = NULL;
    slx_program p;
    time_report r = {.program = &p};
    if (!v->prompt && !v->context)
        return slx_fail(err, SLX_EINPUT, "silex time", 0, 0,
                        "found 0 for both --prefill and --context, expected a step to time");
    if (v->trace && !strcmp(v->trace, "-") && v->json)
        return slx_fail(err, SLX_EINPUT, "silex time: --trace", 0, 0,
                        "found - together with --json, expected a file");
    slx_catch_interrupt();
    SLX_TRY(slx_chip_load(&c, v->chip ? v->chip : "silex-1", err));
    slx_status st = SLX_OK;
    for (int i = 0; i < v->set.n && st == SLX_OK; i++) st = slx_chip_set_text(c, v->set.v[i], err);
    if (st == SLX_OK && v->set.n) st = slx_chip_check_physics(c, err);
    r.chip = c;
    if (st == SLX_OK) st = cli_silicon_load(&r.silicon, c, err);
    if (st == SLX_OK) st = get_program(v, args.v[0], c, &p, &r.weights, err);
    if (st == SLX_OK) {
        st = estimate(v, &p, c, &r.e, err);
        if (st == SLX_OK) {
            st = try_memo(v, &p, c, &r.memo, err);
            if (st == SLX_OK) st = try_speed(v, &p, c, &r.speed, err);
            if (st == SLX_OK && v->json)
                time_report_json(&r);
            else if (st == SLX_OK && (!v->trace || strcmp(v->trace, "-") != 0))
                time_report_print(&r);
            slx_estimate_free(&r.e);
        }
        slx_program_free(&p);
    }
    slx_chip_free(c);
    return st;
}

const cli_verb cli_verb_time = {
    "time",
    "MODEL",
    1,
    1,
    "what the chip would take: time to first token, time and energy a token, and why",
    "Steps of the program that `run` executes, timed instruction by instruction; docs/timing.md "
    "says what is modelled.\n"
    "Bands follow from the uncertainties in the chip file's sources.\n",
    options,
    &defaults,
    sizeof defaults,
    run};
