/* cli_time.c - silex time: what the chip would take for a model, from the program's own steps.
 * No value is computed. */
#include "cli/cli.h"
#include "cli/cli_silicon.h"
#include "cli/json.h"
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
    {"tp", 0, CLI_COUNT, "P", AT(tp), 1, SLX_MAX_CHIPS, NULL,
     "tensor parallelism: chips that run the model together, 1, 2, 4 or 8"},
    {"full", 0, CLI_FLAG, NULL, AT(full), 0, 0, NULL, "simulate every tile, not one of each class"},
    {"no-bands", 0, CLI_FLAG, NULL, AT(no_bands), 0, 0, NULL,
     "without the band of the time, which takes some twenty runs more"},
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

/* ------------------------------------------------------------------ text */

static double share(uint64_t part, uint64_t all)
{
    return all ? 100.0 * (double)part / (double)all : 0;
}

static void print_step(const char *what, const slx_chip *c, const slx_time_result *r)
{
    char a[32], b[32], d[32], w[32];
    printf("\n %s: %s cycles of %.4g GHz, %.3g x the roofline (%s); %s MAC, %sB read, %s\n", what,
           cli_commas(a, r->cycles), r->clock_ghz,
           r->roofline_cycles ? (double)r->cycles / (double)r->roofline_cycles : 0,
           r->roofline_cycles == r->roofline_hbm   ? "memory"
           : r->roofline_cycles == r->roofline_ten ? "tensor"
                                                   : "links",
           cli_short(b, (double)r->macs, ""), cli_short(d, (double)r->hbm_read_bytes, ""),
           cli_short(w, r->power_w, "W"));
    if (r->power_limited)
        printf("   power     limited to %.4g W: %.3g GHz at %.3g V, not %.3g at %.3g; %.3g x the "
               "time\n",
               c->package.tdp_w, r->clock_ghz, r->vdd_v, c->grid.clock_ghz, c->process.vdd_v,
               r->seconds / r->unlimited_s);
    if (r->paused > 0)
        printf("   power     that still draws more, at the slowest it has: the clock stands %.3g %% of the time\n",
               100 * r->paused);
    printf("   simulated %u of %u tiles, %u of %u layers\n", r->tiles_simulated, r->n_tiles, r->layers_simulated,
           r->n_layers - 1);
    printf("   time    ");
    for (int i = 0; i < SLX_N_TIME_BOUNDS; i++)
        if (share(r->bound[i], r->cycles) >= 0.05)
            printf("  %s %.1f %%", slx_time_bound_name((slx_time_bound)i),
                   share(r->bound[i], r->cycles));
    printf("\n   reads   ");
    for (int i = 0; i < SLX_N_REGION_KINDS; i++)
        if (r->region_read_bytes[i])
            printf("  %s %s", slx_region_kind_name((slx_region_kind)i),
                   cli_short(a, (double)r->region_read_bytes[i], "B"));
    if (r->net_bytes)
        printf("  other chips %s in %s sent", cli_short(a, (double)r->net_bytes, "B"),
               cli_short(b, (double)r->net_wire_bytes, "B"));
    printf("\n   energy  ");
    for (int i = 0; i < SLX_N_TIME_WIRES; i++)
        if (share(r->wire_fj[i], r->energy_fj) >= 0.05)
            printf("  %s %.1f %%", slx_time_wire_name((slx_time_wire)i),
                   share(r->wire_fj[i], r->energy_fj));
    printf("\n   engines ");
    for (int i = 0; i < SLX_N_ENGINES; i++)
        if (r->engine[i].insns)
            printf("  %s busy %.1f %%, token %.1f %%", slx_engine_names[i],
                   share(r->engine[i].busy, r->cycles * r->n_tiles),
                   share(r->engine[i].token, r->cycles * r->n_tiles));
    printf("\n   phases  ");
    for (uint32_t i = 0; i < r->n_spans; i++) /* a name may stand for several spans */
        if (share(r->spans[i].cycles, r->cycles) >= 1)
            printf("  %s %.1f %%", r->spans[i].name[0] ? r->spans[i].name : "(no span)",
                   share(r->spans[i].cycles, r->cycles));
    putchar('\n');
}

typedef struct {
    slx_memo_error error;
    uint32_t points;
} memo_report;

static slx_status try_memo(const values *v, const slx_program *p, const slx_chip *c,
                           memo_report *out, slx_err *err)
{
    slx_memo *m;
    *out = (memo_report){0};
    if (!v->memo) return SLX_OK;
    SLX_TRY(slx_memo_open(&m, p, c, NULL, err));
    slx_status st = slx_memo_measure(m, (uint32_t)v->memo, (uint32_t)v->batch, (uint32_t)v->context,
                                     1, &out->error, err);
    out->points = slx_memo_points(m);
    slx_memo_close(m);
    return st;
}

/* CPU seconds of the decode step with every tile and layer, instructions of it, and folded, best of three. */
typedef struct {
    double full_s, folded_s;
    uint64_t instructions;
} speed_report;

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static slx_status try_speed(const values *v, const slx_program *p, const slx_chip *c,
                            speed_report *out, slx_err *err)
{
    slx_chip once = *c; /* one clock: no search for the one that the rated power allows */
    slx_time_watts watts;
    *out = (speed_report){0};
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

static void print_speed(const speed_report *s)
{
    if (s->full_s > 0)
        printf(" host         %.3g M instructions/s through the queues of every tile (%.3g s of "
               "CPU a step); folded "
               "%.3g ms a step\n",
               (double)s->instructions / s->full_s * 1e-6, s->full_s, s->folded_s * 1e3);
}

static void print_memo(const memo_report *m)
{
    const slx_memo_error *e = &m->error;
    if (!e->tries) return;
    printf(" table        of %u points, %u random steps beside it: time off by %.2g %% (worst %.2g), "
           "energy by %.2g %% (worst %.2g); a look-up %.2g us\n",
           m->points, e->tries, 100 * e->mean, 100 * e->worst, 100 * e->energy_mean,
           100 * e->energy_worst, e->look_up_s * 1e6);
    if (e->mixed)
        printf("              %u of them with a piece of a prompt too: time off by %.2g %% (worst %.2g)\n",
               e->mixed, 100 * e->mixed_mean, 100 * e->mixed_worst);
}

static void print(const slx_program *p, const slx_chip *c, const slx_estimate *e, const cli_silicon *silicon)
{
    char a[32], b[32], d[32], why[128];
    slx_band usd;
    char many[16] = "", all[24] = "the chip";
    if (e->chips > 1) {
        snprintf(many, sizeof many, "%u x ", e->chips);
        snprintf(all, sizeof all, "the %u chips", e->chips);
    }
    printf("%s on %s%s, %u tiles%s\n", p->info.model_name, many, c->name, p->info.n_tiles,
           e->chips > 1 ? " each" : "");
    if (e->prefill_steps)
        printf(" first token  %s after %u tokens in %u step%s, %sJ; limited by %s\n",
               cli_short(a, e->ttft_s, "s"), e->prompt, e->prefill_steps,
               e->prefill_steps == 1 ? "" : "s", cli_short(b, e->prefill_j, ""),
               slx_time_bound_name(e->prefill.bound_by));
    if (e->tpot_s > 0) {
        printf(" each token   %s", cli_short(a, e->tpot_s, "s"));
        if (e->tpot_high_s > 0)
            printf(" (low %s, high %s)", cli_short(b, e->tpot_low_s, "s"),
                   cli_short(d, e->tpot_high_s, "s"));
        printf(" at %u tokens of context, batch %u: %s tok/s a user, %s %s\n", e->context,
               e->batch, cli_rate(a, 1 / e->tpot_s), cli_rate(b, e->batch / e->tpot_s), all);
        printf(" energy       %sJ a token", cli_short(a, e->energy_j_per_token, ""));
        printf(" (low %s, high %s); limited by %s\n", cli_short(b, e->energy_low_j, "J"),
               cli_short(d, e->energy_high_j, "J"), slx_time_bound_name(e->decode.bound_by));
        if (slx_estimate_usd_per_mtok(&usd, e, c))
            printf(" money        $%.3g per million tokens at this batch (low %.3g, high %.3g)\n",
                   usd.mid, usd.low, usd.high);
        else
            printf(" money        not told: %s\n", cli_missing(why, silicon->cost.hour_usd.missing));
    }
    cli_silicon_print_warnings(c, silicon, " warning      ");
    if (e->chips > 1) printf(" Figures of a step are of one chip; the others do the same.\n");
    uint64_t positions = (uint64_t)p->info.desc.max_pages * SLX_MAX_CHUNK;
    if (positions < p->info.max_context)
        printf(" KV pages     for %llu positions, all that the memory has room for; the model's context is %u\n",
               (unsigned long long)positions, p->info.max_context);
    if (e->prefill_steps)
        print_step(e->prefill_steps > 1 ? "last prefill step" : "prefill", c, &e->prefill);
    if (e->tpot_s > 0) print_step("decode", c, &e->decode);
}

/* ------------------------------------------------------------------ JSON */

static json_t *count(uint64_t v)
{
    return json_integer((json_int_t)v);
}

/* Sums to energy_fj: what goes by time is of no engine. */
static json_t *by_engine_json(const slx_time_result *r)
{
    json_t *j = json_object();
    for (int i = 0; i < SLX_N_ENGINES; i++)
        if (r->engine[i].energy_fj) json_object_set_new(j, slx_engine_names[i], count(r->engine[i].energy_fj));
    json_object_set_new(j, "by time", count(r->static_fj));
    return j;
}

static json_t *step_json(const slx_time_result *r)
{
    json_t *j = json_object(), *bound = json_object(), *wire = json_object(),
           *engines = json_object(), *spans = json_array(), *layers = json_array();
    json_object_set_new(j, "cycles", count(r->cycles));
    json_object_set_new(j, "seconds", json_real(r->seconds));
    json_object_set_new(j, "clock_ghz", json_real(r->clock_ghz));
    json_object_set_new(j, "vdd_v", json_real(r->vdd_v));
    json_object_set_new(j, "power_w", json_real(r->power_w));
    json_object_set_new(j, "power_limited", json_boolean(r->power_limited));
    json_object_set_new(j, "paused", json_real(r->paused));
    json_object_set_new(j, "bound_by", json_string(slx_time_bound_name(r->bound_by)));
    for (int i = 0; i < SLX_N_TIME_BOUNDS; i++)
        json_object_set_new(bound, slx_time_bound_name((slx_time_bound)i), count(r->bound[i]));
    json_object_set_new(j, "cycles_by_bound", bound);
    json_object_set_new(j, "roofline_cycles", count(r->roofline_cycles));
    json_object_set_new(j, "macs", count(r->macs));
    json_object_set_new(j, "hbm_read_bytes", count(r->hbm_read_bytes));
    json_object_set_new(j, "hbm_write_bytes", count(r->hbm_write_bytes));
    json_t *reads = json_object();
    for (int i = 0; i < SLX_N_REGION_KINDS; i++)
        json_object_set_new(reads, slx_region_kind_name((slx_region_kind)i),
                            count(r->region_read_bytes[i]));
    json_object_set_new(j, "hbm_read_bytes_by_region", reads);
    json_object_set_new(j, "net_bytes", count(r->net_bytes));
    json_object_set_new(j, "net_wire_bytes", count(r->net_wire_bytes));
    json_object_set_new(j, "energy_fj", count(r->energy_fj));
    json_object_set_new(j, "static_fj", count(r->static_fj));
    for (int i = 0; i < SLX_N_TIME_WIRES; i++)
        json_object_set_new(wire, slx_time_wire_name((slx_time_wire)i), count(r->wire_fj[i]));
    json_object_set_new(j, "energy_fj_by_wire", wire);
    for (int i = 0; i < SLX_N_ENGINES; i++) {
        const slx_time_engine *e = &r->engine[i];
        if (e->insns)
            json_object_set_new(engines, slx_engine_names[i],
                                json_pack("{s:I, s:I, s:I, s:I, s:I}", "instructions",
                                          (json_int_t)e->insns, "busy_cycles", (json_int_t)e->busy,
                                          "token_cycles", (json_int_t)e->token, "empty_cycles",
                                          (json_int_t)e->empty, "energy_fj",
                                          (json_int_t)e->energy_fj));
    }
    json_object_set_new(j, "engines", engines);
    json_object_set_new(j, "energy_fj_by_engine", by_engine_json(r));
    for (uint32_t i = 0; i < r->n_spans; i++) {
        const slx_time_span *x = &r->spans[i];
        json_t *s = json_pack("{s:I, s:I, s:I}", "cycles", (json_int_t)x->cycles, "energy_fj",
                              (json_int_t)(x->energy_fj + x->static_fj), "static_fj", (json_int_t)x->static_fj);
        json_object_set_new(s, "name",
                            cli_json_str(r->spans[i].name, strnlen(r->spans[i].name, 32)));
        json_array_append_new(spans, s);
    }
    json_object_set_new(j, "spans", spans);
    for (uint32_t i = 0; i < r->n_layers; i++)
        json_array_append_new(layers, count(r->layer_fj[i] + r->layer_static_fj[i]));
    json_object_set_new(j, "layer_energy_fj", layers);
    json_object_set_new(j, "tiles", count(r->n_tiles));
    json_object_set_new(j, "classes", count(r->n_classes));
    json_object_set_new(j, "tiles_simulated", count(r->tiles_simulated));
    json_object_set_new(j, "layers_simulated", count(r->layers_simulated));
    bool folded = r->tiles_simulated < r->n_tiles || r->layers_simulated + 1 < r->n_layers;
    json_object_set_new(j, "folded", json_boolean(folded));
    return j;
}

static void print_json(const slx_program *p, const slx_chip *c, const slx_estimate *e,
                       const cli_silicon *silicon, const memo_report *memo, const speed_report *speed)
{
    json_t *j = json_object();
    json_object_set_new(j, "model", cli_json_str(p->info.model_name, strlen(p->info.model_name)));
    json_object_set_new(j, "chip", json_string(c->name));
    json_object_set_new(j, "chips", count(e->chips));
    json_object_set_new(j, "warnings", cli_silicon_warnings(c, silicon));
    if (e->prefill_steps) {
        json_object_set_new(j, "prompt_tokens", count(e->prompt));
        json_object_set_new(j, "prefill_steps", count(e->prefill_steps));
        json_object_set_new(j, "ttft_s", json_real(e->ttft_s));
        json_object_set_new(j, "prefill_energy_j", json_real(e->prefill_j));
        json_object_set_new(j, "prefill", step_json(&e->prefill));
    }
    if (e->tpot_s > 0) {
        json_object_set_new(j, "batch", count(e->batch));
        json_object_set_new(j, "context", count(e->context));
        json_object_set_new(j, "tpot_s", json_real(e->tpot_s));
        if (e->tpot_high_s > 0) {
            json_object_set_new(j, "tpot_low_s", json_real(e->tpot_low_s));
            json_object_set_new(j, "tpot_high_s", json_real(e->tpot_high_s));
        }
        json_object_set_new(j, "energy_j_per_token", json_real(e->energy_j_per_token));
        json_object_set_new(j, "energy_low_j_per_token", json_real(e->energy_low_j));
        json_object_set_new(j, "energy_high_j_per_token", json_real(e->energy_high_j));
        json_object_set_new(j, "bound_by", json_string(slx_time_bound_name(e->decode.bound_by)));
        cli_json_usd(j, e, c);
        json_object_set_new(j, "decode", step_json(&e->decode));
    }
    if (speed->full_s > 0)
        json_object_set_new(j, "host",
                            json_pack("{s:I, s:f, s:f, s:f}", "instructions",
                                      (json_int_t)speed->instructions, "instructions_per_s",
                                      (double)speed->instructions / speed->full_s, "cpu_s",
                                      speed->full_s, "folded_cpu_s", speed->folded_s));
    const slx_memo_error *m = &memo->error;
    if (m->tries)
        json_object_set_new(j, "memo",
                            json_pack("{s:I, s:I, s:f, s:f, s:f, s:f, s:I, s:f, s:f}", "points",
                                      (json_int_t)memo->points, "steps", (json_int_t)m->tries,
                                      "time_error_mean", m->mean, "time_error_worst", m->worst,
                                      "energy_error_mean", m->energy_mean, "energy_error_worst",
                                      m->energy_worst, "mixed_steps", (json_int_t)m->mixed,
                                      "mixed_time_error_mean", m->mixed_mean,
                                      "mixed_time_error_worst", m->mixed_worst));
    cli_json_print(j);
}

/* ------------------------------------------------------------------ run */

/* A program large enough for what is asked. */
static slx_status get_program(const values *v, const char *path, const slx_chip *c, slx_program *p,
                              slx_err *err)
{
    if (v->program) {
        SLX_TRY(slx_program_read(p, v->program, err));
        slx_status st = slx_verify(p, c, v->program, err);
        if (st != SLX_OK) slx_program_free(p);
        return st;
    }
    slx_model *m;
    SLX_TRY(slx_model_open_as(&m, path, v->weights, err));
    slx_compile_options opt = {.tp = (uint32_t)v->tp};
    if (v->batch > 16) {
        uint64_t pages = ((uint64_t)v->context / SLX_MAX_CHUNK + 1) * (uint64_t)v->batch;
        opt.max_samples = opt.max_seqs = (uint32_t)v->batch;
        if (v->batch > 512) opt.max_rows = (uint32_t)v->batch;
        opt.max_pages = (uint32_t)(pages < 1 << 24 ? pages : 1 << 24);
    } else if (v->batch > 1) {
        uint64_t pages = ((uint64_t)v->context / SLX_MAX_CHUNK + 1) * (uint64_t)v->batch;
        uint64_t one = m->hp.context / SLX_MAX_CHUNK + 17;
        if (pages > one) opt.max_pages = (uint32_t)(pages < 1 << 24 ? pages : 1 << 24);
    }
    slx_status st = slx_compile(p, m, c, &opt, NULL, NULL, err);
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
    slx_estimate e;
    cli_silicon silicon;
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
    if (st == SLX_OK) st = cli_silicon_load(&silicon, c, err);
    if (st == SLX_OK) st = get_program(v, args.v[0], c, &p, err);
    if (st == SLX_OK) {
        memo_report memo;
        speed_report speed;
        st = estimate(v, &p, c, &e, err);
        if (st == SLX_OK) {
            st = try_memo(v, &p, c, &memo, err);
            if (st == SLX_OK) st = try_speed(v, &p, c, &speed, err);
            if (st == SLX_OK && v->json)
                print_json(&p, c, &e, &silicon, &memo, &speed);
            else if (st == SLX_OK && (!v->trace || strcmp(v->trace, "-") != 0))
                print(&p, c, &e, &silicon), print_memo(&memo), print_speed(&speed);
            slx_estimate_free(&e);
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
