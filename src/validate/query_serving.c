/* query_serving.c - questions about a server: one batch from start to end, a steady number of requests, requests over
 * time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "validate/query_int.h"

typedef slx_served serving;

/* Loads whose requests arrive at times of their own. */
static bool over_time(const char *load)
{
    return !strcmp(load, "rate") || !strcmp(load, "stages") || !strcmp(load, "trace");
}

static bool engine_fields(slx_question *q, const json_t *engine, serving *s)
{
    uint64_t blocks = 0, tokens = 16; /* of a block: vLLM's default */
    if (!json_is_object(engine)) return true;
    if (!slx_field_count(q, engine, "max_num_seqs", 1, false, &s->max_seqs) ||
        !slx_field_count(q, engine, "max_num_batched_tokens", 1, false, &s->max_step_tokens) ||
        !slx_field_count(q, engine, "kv_blocks", 1, false, &blocks) ||
        !slx_field_count(q, engine, "kv_block_tokens", 1, false, &tokens))
        return false;
    s->kv_tokens = (double)blocks * (double)tokens;
    return true;
}

static bool serving_fields(slx_question *q, serving *s)
{
    const json_t *load = json_object_get(q->o, "load"), *engine = json_object_get(q->o, "engine");
    if (!json_is_object(load))
        return slx_malformed(q, "field load: found %s, expected an object",
                             load ? "another value" : "nothing");
    if (!slx_field_text(q, load, "type", true, &s->load)) return false;
    bool mlperf = !strcmp(s->load, "mlperf"), lengths = !mlperf && !over_time(s->load);
    if (!slx_field_count(q, q->o, "isl", 1, lengths, &s->isl) ||
        !slx_field_count(q, q->o, "osl", 1, lengths, &s->osl) ||
        !slx_field_text(q, q->o, "framework", false, &s->framework) ||
        !slx_field_text(q, q->o, "precision", false, &s->precision) || !slx_query_placement(q, s))
        return false;
    if (mlperf && !slx_query_mlperf(q, s)) return false;
    bool fixed = !strcmp(s->load, "static"), closed = !strcmp(s->load, "concurrency");
    if (fixed && !slx_field_count(q, load, "batch", 1, true, &s->n)) return false;
    if (closed && !slx_field_count(q, load, "n", 1, true, &s->n)) return false;
    bool speed = !strcmp(s->load, "interactivity");
    if (speed && !mlperf && (!slx_field_real(q, load, "tok_s_user", true, &s->tok_s_user) ||
                  !slx_field_count(q, load, "concurrency", 1, false, &s->n)))
        return false;
    if (!fixed && !closed && !speed && strcmp(s->load, "max") != 0 && !over_time(s->load))
        return slx_cannot(q,
                          "load %.40s: not modelled, only static, concurrency, max, interactivity, mlperf, rate, "
                          "stages and trace",
                          s->load);
    if (!engine_fields(q, engine, s)) return false;
    uint64_t most = 1u << 28;
    if (s->isl > most || s->osl > most || s->n > most || s->max_seqs > most || s->max_step_tokens > most)
        return slx_cannot(q, "sizes over 2^28");
    return true;
}

/* What a run of requests is. Of whole batches, whose requests are alike, every percentile is the mean; of a steady load
 * the median is. */
typedef struct {
    slx_band ttft, tpot, e2e, out; /* seconds; output tokens a second of the whole system */
    double power, peak;            /* of a chip: mean, and in the most demanding pass */
} run_of;

bool slx_query_quantile(const char *ask, char what[8], double *q)
{
    static const char *const ends[] = {"_mean", "_p50", "_p90", "_p95", "_p99"};
    static const double of[] = {0, 0.5, 0.9, 0.95, 0.99};
    const char *cut = strrchr(ask, '_');
    if (!cut || cut - ask > 7) return false;
    snprintf(what, 8, "%.*s", (int)(cut - ask), ask);
    for (int i = 0; i < 5; i++)
        if (!strcmp(cut, ends[i])) return *q = of[i], true;
    return false;
}

double slx_served_chips(const slx_served *s)
{
    return slx_placed_chips(&s->on) * (double)s->replicas + slx_placed_chips(&s->reader) * (double)s->readers;
}

/* The answer to `ask`. */
static bool pick(slx_question *q, const serving *s, const char *ask, const run_of *r)
{
    double chips = slx_served_chips(s), more = 1 + (double)s->isl / (double)s->osl, at;
    slx_band watts = {0.7 * r->power, r->power, 1.3 * r->power}, peak = {0.7 * r->peak, r->peak, 1.3 * r->peak};
    slx_band tokens = {more * r->out.low, more * r->out.mid, more * r->out.high}; /* in and out */
    char what[8];
    const struct {
        const char *name;
        slx_band v;
        double scale;
        const char *unit;
    } known[] = {{"ttft", r->ttft, 1e3, "ms"},
                 {"tpot", r->tpot, 1e3, "ms"},
                 {"itl", r->tpot, 1e3, "ms"},
                 {"e2e", r->e2e, 1e3, "ms"},
                 {"batch_latency", r->e2e, 1, "s"},
                 {"output_tok_s", r->out, 1, "tok/s"},
                 {"total_tok_s", r->out, more, "tok/s"},
                 {"output_tok_s_per_chip", r->out, 1 / chips, "tok/s/chip"},
                 {"tok_s_per_chip", r->out, more / chips, "tok/s/chip"},
                 {"chip_power_mean", watts, 1, "W"},
                 {"chip_power_max", peak, 1, "W"}};
    bool timed = slx_query_quantile(ask, what, &at);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        bool is = i < 4 ? timed && !strcmp(what, known[i].name) : !strcmp(ask, known[i].name);
        if (!is) continue;
        if (i < 3 && i > 0 && s->osl < 2)
            return slx_cannot(q, "ask %.40s: an answer of one token has no second", ask);
        return slx_query_told(q, known[i].v, known[i].scale, known[i].unit);
    }
    if (!strcmp(ask, "usd_per_mtok")) return slx_query_usd(q, chips, tokens);
    if (!strcmp(ask, "tok_s_per_mw")) return slx_query_per_mw(q, chips, tokens);
    if (!strcmp(ask, "system_power")) return slx_query_system_power(q, chips, watts);
    return slx_cannot(q, "ask %.40s: not modelled", ask);
}

/* Measured runs scatter more than the passes they are made of. */
static slx_band wider(slx_band b, double low, double high)
{
    return (slx_band){fmin(b.low, low * b.mid), b.mid, fmax(b.high, high * b.mid)};
}

static slx_status static_load(slx_question *q, slx_predictor *p, const serving *s, const char *ask,
                              bool *answered, slx_err *err)
{
    char old[64];
    slx_static_cost c;
    slx_static_ask a = {.on = s->on,
                        .batch = (uint32_t)s->n,
                        .isl = (uint32_t)s->isl,
                        .osl = (uint32_t)s->osl,
                        .framework = s->framework};
    if (s->n > s->replicas) a.batch = (uint32_t)((s->n + s->replicas - 1) / s->replicas);
    snprintf(old, sizeof old, "%.40s-2024", s->framework ? s->framework : "");
    bool wide = strstr(s->on.dtype, "16") != NULL;
    if (s->framework && wide) a.framework = old; /* whole batches in 16 bits were measured with those versions */
    slx_status st = slx_predict_static(p, q->chip, &a, &c, err);
    if (st == SLX_EUNSUPPORTED && s->framework) { /* nothing known of it: as the one that most use */
        a.framework = wide ? "vLLM-2024" : "vLLM";
        st = slx_predict_static(p, q->chip, &a, &c, err);
    }
    if (st) return st;
    slx_query_served_by(q, p, s->framework, a.framework);
    double made = (double)s->n * (double)s->osl;
    slx_band out = {made / c.batch_s.high, made / c.batch_s.mid, made / c.batch_s.low};
    run_of r = {wider(c.ttft_s, 0.6, 1.7), wider(c.tpot_s, 0.84, 1.25),
                wider(c.batch_s, 0.82, 1.22), wider(out, 0.82, 1.22), c.power_w, c.power_w};
    *answered = pick(q, s, ask, &r);
    return SLX_OK;
}

/* A model that brings layers for guessing tokens may be served with them though nobody says so: runs of DeepSeek-R1
 * take down to this share of what they take without, and its and DeepSeek-V3's first tokens up to five times as long as
 * told. Prompts that are read apart wait for a place with their readers,
 * for the answering chips, and for the network: the scatter of 406 such runs (docs/validate.md), on which nothing was
 * fitted. */
static const double unsaid_drafts = 0.33, unsaid_first = 5, apart_low = 0.2, apart_high = 8;

/* How many workers of each kind there are is not in those records: their steps are told for the few that are left,
 * which answer more requests each. */
static const double apart_step = 0.4;

/* Offline, of the predicted: nine of ten of the 252 figures in NVIDIA's performance tables of TensorRT-LLM (version 1.0
 * to 1.2, Apache-2.0) lie between. */
static const double offline_low = 0.58, offline_high = 2.7;

/* Submissions to MLPerf, of the predicted: nine of ten of 150 results of v5.1 and v6.0 lie between
 * (docs/validate.md). */
static const double submitted_low = 0.5, submitted_high = 2;

/* The server at the most requests at which each user has tok_s_user tokens a second; *a->concurrency is set. */
static slx_status at_speed(slx_question *q, slx_predictor *p, double tok_s_user, slx_serving_ask *a,
                           slx_serving_cost *out, slx_err *err)
{
    enum { MOST = 1 << 16 };
    double fits = 0, over = 0;
    slx_serving_cost c;
    while (!(over > 0) || over - fits > 1 + fits / 64) {
        a->concurrency = !(over > 0) ? fmax(1, 2 * fits) : floor((fits + over) / 2);
        SLX_TRY(slx_predict_serving(p, q->chip, a, &c, err));
        bool good = c.tpot_s.mid * tok_s_user <= 1 && a->concurrency < MOST;
        if (good) *out = c, fits = a->concurrency;
        if (!good) over = a->concurrency;
        if (over > 0 && fits < 1)
            return slx_fail(err, SLX_EUNSUPPORTED, a->on.model->name, 0, 0,
                            "one user alone has %.4g tokens a second, asked are %.4g", 1 / c.tpot_s.mid, tok_s_user);
    }
    a->concurrency = fits;
    return SLX_OK;
}

static slx_status run_server(slx_question *q, slx_predictor *p, const serving *s, slx_serving_ask *a,
                             slx_serving_cost *out, slx_err *err)
{
    if (s->tok_s_user > 0 && !s->n) return at_speed(q, p, s->tok_s_user, a, out, err);
    return slx_predict_serving(p, q->chip, a, out, err);
}

static slx_band times(slx_band b, double k)
{
    return (slx_band){k * b.low, k * b.mid, k * b.high};
}

/* Far ends of a distribution scatter more than its mean. */
static const double tail_low = 0.6, tail_high = 1.8;

/* A quantile that is asked for, in place of the means of r. */
static bool spread(slx_question *q, slx_predictor *p, const serving *s, const char *ask, run_of *r)
{
    char what[8];
    double at = 0, k = 1;
    if (!slx_query_quantile(ask, what, &at) || !(at > 0)) return true;
    if (!strcmp(what, "itl") && at > 0.5)
        return slx_cannot(q, "ask %.40s: gaps between tokens are known by their mean", ask);
    if (!slx_query_spread(q, p, s, what, at, &k)) return false;
    slx_band *of = !strcmp(what, "ttft") ? &r->ttft : !strcmp(what, "e2e") ? &r->e2e : &r->tpot;
    *of = times(*of, k);
    if (at > 0.5) of->low *= tail_low, of->high *= tail_high;
    return true;
}

static slx_status steady_load(slx_question *q, slx_predictor *p, const serving *s, const char *ask,
                              bool *answered, slx_err *err)
{
    slx_serving_cost c;
    slx_serving_ask a = {.on = s->on,
                         .reader = s->reader,
                         .readers = (uint32_t)s->readers,
                         .concurrency = (double)s->n,
                         .isl = (uint32_t)s->isl,
                         .osl = (uint32_t)s->osl,
                         .replicas = (uint32_t)s->replicas,
                         .max_seqs = (uint32_t)s->max_seqs,
                         .framework = s->framework};
    if (!strstr(s->on.moe_dtype, "16")) a.on.kv_dtype = a.reader.kv_dtype = "fp8";
    slx_status st = run_server(q, p, s, &a, &c, err);
    if (st == SLX_EUNSUPPORTED && s->framework) {
        a.framework = "vLLM";
        st = run_server(q, p, s, &a, &c, err);
    }
    if (st) return st;
    slx_query_served_by(q, p, s->framework, a.framework);
    run_of r = {c.ttft_s, c.tpot_s, c.e2e_s, c.output_tok_s, c.power_w, c.peak_w};
    if (!s->readers && !strcmp(s->load, "concurrency") && !spread(q, p, s, ask, &r)) return SLX_OK;
    if (!strcmp(s->load, "max")) r.out = wider(r.out, offline_low, offline_high);
    if (s->submitted) r.out = wider(r.out, submitted_low, submitted_high);
    if (s->readers) r.ttft = wider(r.ttft, apart_low, apart_high), r.tpot = wider(r.tpot, apart_step, 1);
    if (s->on.model->n_draft_layers && !s->on.drafts) {
        r.ttft = wider(r.ttft, 1, unsaid_first);
        r.tpot = wider(r.tpot, unsaid_drafts, 1), r.e2e = wider(r.e2e, unsaid_drafts, 1);
        r.out = wider(r.out, 1, 1 / unsaid_drafts);
    }
    *answered = pick(q, s, ask, &r);
    return SLX_OK;
}

static bool serving_told(slx_question *q, const serving *s)
{
    return slx_query_told_model(q, s->on.model) && slx_query_told_products(q, s->on.dtype) &&
           (!s->on.model->n_experts || slx_query_told_products(q, s->on.moe_dtype)) &&
           (!(slx_placed_chips(&s->on) > 1) || slx_query_told_links(q));
}

bool slx_query_serving(slx_question *q, slx_predictor *p, slx_models *models)
{
    serving s = {0};
    slx_shape *own;
    slx_err err;
    const char *ask = NULL;
    bool answered = false;
    if (!slx_field_text(q, q->o, "ask", true, &ask)) return false;
    s.on.model = slx_query_shape(q, models, &own);
    if (!s.on.model) return false;
    if (!serving_fields(q, &s) || !serving_told(q, &s)) return slx_shape_free(own), false;
    if (s.readers && strcmp(s.load, "concurrency") != 0 && strcmp(s.load, "interactivity") != 0) {
        slx_shape_free(own);
        return slx_cannot(q, "load %.40s: prefill apart from decode is modelled under load concurrency alone",
                          s.load);
    }
    if (over_time(s.load)) {
        answered = slx_query_traffic(q, p, &s, ask);
        slx_shape_free(own);
        return answered;
    }
    slx_status st = !strcmp(s.load, "static") ? static_load(q, p, &s, ask, &answered, &err)
                                              : steady_load(q, p, &s, ask, &answered, &err);
    slx_shape_free(own);
    if (st) return slx_cannot(q, "%s", err.msg);
    return answered;
}
