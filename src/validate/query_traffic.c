/* query_traffic.c - questions about a server whose requests arrive over time: a rate, stages of rates, a trace. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "validate/query_int.h"

enum { REQUESTS_MAX = 200000, RATE_REQUESTS = 1000 };

typedef struct {
    slx_request *r;
    int n, cap;
    slx_rng rng; /* of arrivals: the same for every question */
} requests;

static bool add(slx_question *q, requests *to, slx_request r)
{
    if (to->n == REQUESTS_MAX) return slx_cannot(q, "more than %d requests", REQUESTS_MAX);
    if (to->n == to->cap) {
        to->cap = to->cap ? 2 * to->cap : 256;
        to->r = slx_xrealloc(to->r, (size_t)to->cap * sizeof *to->r);
    }
    to->r[to->n++] = r;
    return true;
}

/* Seconds to the next arrival. */
static double gap(requests *to, double rate, bool poisson)
{
    return poisson ? -log(1 - slx_rng_f64(&to->rng)) / rate : 1 / rate;
}

static bool of_rate(slx_question *q, const json_t *load, const slx_served *s, requests *to)
{
    double rate = 0, t = 0;
    uint64_t n = RATE_REQUESTS;
    if (!slx_field_real(q, load, "req_s", true, &rate) ||
        !slx_field_count(q, load, "requests", 1, false, &n))
        return false;
    if (!s->isl || !s->osl)
        return slx_malformed(q, "field isl, osl: missing, expected integers >= 1");
    if (!(rate > 0)) return slx_malformed(q, "field req_s: found 0, expected a number above 0");
    for (uint64_t i = 0; i < n; i++, t += gap(to, rate, true))
        if (!add(q, to, (slx_request){t, (uint32_t)s->isl, (uint32_t)s->osl, 0})) return false;
    return true;
}

/* What every request of the stages is: isl and osl, or a system prompt that the prefix cache has once it was used. */
static bool one_request(slx_question *q, const json_t *load, const slx_served *s, slx_request *r,
                        uint64_t *prompts)
{
    const json_t *shared = json_object_get(load, "shared_prefix");
    uint64_t system = 0, question = 0, out = 0;
    *prompts = 0;
    if (json_is_object(shared)) {
        if (!slx_field_count(q, shared, "system_prompt_len", 0, true, &system) ||
            !slx_field_count(q, shared, "question_len", 1, true, &question) ||
            !slx_field_count(q, shared, "output_len", 1, true, &out) ||
            !slx_field_count(q, shared, "num_unique_system_prompts", 1, false, prompts))
            return false;
        if (system + question > 1u << 28 || out > 1u << 28)
            return slx_cannot(q, "prompts or answers over 2^28 tokens");
    }
    uint64_t isl = question ? system + question : s->isl, osl = out ? out : s->osl;
    if (!isl || !osl) return slx_malformed(q, "field isl, osl: missing, expected integers >= 1");
    *r =
        (slx_request){0, (uint32_t)isl, (uint32_t)osl, (uint32_t)(system < isl ? system : isl - 1)};
    return true;
}

static bool of_stages(slx_question *q, const json_t *load, const slx_served *s, requests *to)
{
    static const char *const arrivals[] = {"constant", "poisson", NULL};
    const json_t *stages = json_object_get(load, "stages");
    int poisson = 0;
    uint64_t prompts;
    slx_request r = {0};
    double start = 0;
    if (!json_is_array(stages) || !json_array_size(stages))
        return slx_malformed(q, "field stages: expected a list of [requests a second, seconds]");
    if (!slx_field_choice(q, load, "arrivals", false, arrivals, &poisson) ||
        !one_request(q, load, s, &r, &prompts))
        return false;
    for (size_t i = 0; i < json_array_size(stages); i++) {
        const json_t *stage = json_array_get(stages, i);
        double rate = json_number_value(json_array_get(stage, 0)),
               seconds = json_number_value(json_array_get(stage, 1));
        if (!(rate > 0 && rate < 1e9 && seconds > 0 && seconds < 1e9))
            return slx_malformed(q, "field stages: expected numbers above 0 in stage %zu", i + 1);
        for (double t = 0; t < seconds; t += gap(to, rate, poisson)) {
            slx_request one = r;
            one.arrival_s = start + t;
            if ((uint64_t)to->n < prompts) one.cached = 0;
            if (!add(q, to, one)) return false;
        }
        start += seconds;
    }
    return true;
}

/* A closed loop: enough requests for the 99th percentile, of lengths up to a fifth around their means (an assumption):
 * answers of one length would all end together. */
static bool of_loop(slx_question *q, const slx_served *s, requests *to)
{
    double n = fmin(REQUESTS_MAX, fmax(300, 4 * (double)s->n));
    for (int i = 0; i < (int)n; i++) {
        double in = 0.8 + 0.4 * slx_rng_f64(&to->rng), out = 0.8 + 0.4 * slx_rng_f64(&to->rng);
        slx_request r = {0, (uint32_t)ceil(in * (double)s->isl),
                         (uint32_t)ceil(out * (double)s->osl), 0};
        if (!add(q, to, r)) return false;
    }
    return true;
}

static int by_arrival(const void *a, const void *b)
{
    double x = ((const slx_request *)a)->arrival_s, y = ((const slx_request *)b)->arrival_s;
    return x < y ? -1 : x > y;
}

static bool of_trace(slx_question *q, const json_t *load, requests *to)
{
    static const char *const names[] = {"arrival_s", "isl", "osl"};
    const json_t *list[3];
    size_t n = 0;
    for (int i = 0; i < 3; i++) {
        list[i] = json_object_get(load, names[i]);
        if (!json_is_array(list[i]) || (i && json_array_size(list[i]) != n) ||
            !json_array_size(list[i]))
            return slx_malformed(q, "field %s: expected a list as long as arrival_s", names[i]);
        n = json_array_size(list[i]);
    }
    for (size_t i = 0; i < n; i++) {
        double v[3];
        for (int k = 0; k < 3; k++) {
            const json_t *x = json_array_get(list[k], i);
            v[k] = json_number_value(x);
            if (!json_is_number(x) || !(v[k] >= (k ? 1 : 0)) || v[k] > 1 << 28)
                return slx_malformed(q, "field %s: entry %zu is no number from %d to 2^28",
                                     names[k], i + 1, k > 0);
        }
        if (!add(q, to, (slx_request){v[0], (uint32_t)v[1], (uint32_t)v[2], 0})) return false;
    }
    qsort(to->r, (size_t)to->n, sizeof *to->r, by_arrival);
    return true;
}

/* ------------------------------------------------------------------ the run */

/* The question without what does not change the run. */
static char *key_of(const json_t *o)
{
    json_t *copy = json_copy((json_t *)o);
    json_object_del(copy, "id");
    json_object_del(copy, "ask");
    char *text = json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(copy);
    return text;
}

/* A server near its limit answers in time or not at all by a few percent of its steps, which nobody predicts so well:
 * the band is at least as wide as three runs are apart, of which the middle one is told. */
static const double stretches[3] = {0.88, 1, 1.14};

/* Of a closed loop, whose mean is told otherwise, the middle run alone. */
static bool simulate(slx_question *q, slx_predictor *p, const slx_served *s, requests *to)
{
    const json_t *load = json_object_get(q->o, "load");
    slx_err err;
    bool ok = !strcmp(s->load, "rate")          ? of_rate(q, load, s, to)
              : !strcmp(s->load, "stages")      ? of_stages(q, load, s, to)
              : !strcmp(s->load, "concurrency") ? of_loop(q, s, to)
                                                : of_trace(q, load, to);
    if (!ok) return false;
    char open
        [80]; /* a framework has a row of its own for requests over time: its steps overlap the host */
    snprintf(open, sizeof open, "%.60s-traffic", s->framework ? s->framework : "");
    slx_traffic_ask a = {.on = s->on,
                         .replicas = (uint32_t)s->replicas,
                         .max_seqs = (uint32_t)s->max_seqs,
                         .max_step_tokens = (uint32_t)s->max_step_tokens,
                         .kv_tokens = s->kv_tokens,
                         .concurrency = !strcmp(s->load, "concurrency") ? (double)s->n : 0,
                         .request = to->r,
                         .n = to->n,
                         .framework = s->framework ? open : NULL};
    int first = a.concurrency > 0 ? 1 : 0, last = a.concurrency > 0 ? 1 : 2;
    for (int i = first; i <= last; i++) {
        a.stretch = stretches[i];
        slx_status st = slx_predict_traffic(p, q->chip, &a, &q->memo->cost[i], &err);
        if (st == SLX_EUNSUPPORTED && s->framework) { /* not known: as the one that is */
            a.framework = "vLLM-traffic";
            st = slx_predict_traffic(p, q->chip, &a, &q->memo->cost[i], &err);
        }
        if (st) return slx_cannot(q, "%s", err.msg);
    }
    snprintf(q->memo->framework, sizeof q->memo->framework, "%s", a.framework ? a.framework : "");
    q->memo->total_tok = 0;
    for (int i = 0; i < to->n; i++) q->memo->total_tok += (double)to->r[i].isl + to->r[i].osl;
    return true;
}

/* What runs of servers scatter beyond their passes: data/measured/llmservingsim, vllm_h100_blis (docs/validate.md). */
static slx_band around(const slx_question *q, const double v[3], bool waiting)
{
    const slx_traffic_cost *c = &q->memo->cost[1];
    double low = fmin(c->band_low, waiting ? 0.5 : 0.7),
           high = fmax(c->band_high, waiting ? 2 : 1.4);
    double mid = v[1], least = fmin(v[0], v[2]), most = fmax(v[0], v[2]);
    return (slx_band){fmin(least, low * mid), mid, fmax(most, high * mid)};
}

static bool told(slx_question *q, const double v[3], bool waiting, double scale, const char *unit)
{
    return slx_query_told(q, around(q, v, waiting), scale, unit);
}

static double at(const slx_spread *s, double quantile)
{
    return quantile > 0.97   ? s->p99
           : quantile > 0.92 ? s->p95
           : quantile > 0.7  ? s->p90
           : quantile > 0    ? s->p50
                             : s->mean;
}

static bool pick_time(slx_question *q, const char *ask, const char *what, double quantile)
{
    bool ttft = !strcmp(what, "ttft"), e2e = !strcmp(what, "e2e"), itl = !strcmp(what, "itl");
    double v[3];
    if (!ttft && !e2e && !itl && strcmp(what, "tpot") != 0)
        return slx_cannot(q, "ask %.40s: not modelled", ask);
    if (itl && quantile > 0.5)
        return slx_cannot(q, "ask %.40s: gaps between tokens are known by their mean", ask);
    for (int i = 0; i < 3; i++) {
        const slx_traffic_cost *c = &q->memo->cost[i];
        v[i] = at(ttft ? &c->ttft_s : e2e ? &c->e2e_s : &c->tpot_s, quantile);
    }
    return told(q, v, ttft, 1e3, "ms");
}

static bool pick(slx_question *q, const slx_served *s, const char *ask)
{
    static const char *const names[] = {"output_tok_s", "total_tok_s", "output_tok_s_per_chip",
                                        "tok_s_per_chip", "chip_power_mean"},
                             *const units[] = {"tok/s", "tok/s", "tok/s/chip", "tok/s/chip", "W"};
    double chips = slx_served_chips(s), quantile = 0, v[3];
    char what[8];
    if (slx_query_quantile(ask, what, &quantile)) return pick_time(q, ask, what, quantile);
    for (int k = 0; k < 5; k++) {
        if (strcmp(ask, names[k]) != 0) continue;
        for (int i = 0; i < 3; i++) {
            const slx_traffic_cost *c = &q->memo->cost[i];
            double all = q->memo->total_tok / c->seconds;
            const double of[] = {c->output_tok_s, all, c->output_tok_s / chips, all / chips,
                                 c->power_w};
            v[i] = of[k];
        }
        return told(q, v, false, 1, units[k]);
    }
    double watts[3];
    for (int i = 0; i < 3; i++)
        v[i] = q->memo->total_tok / q->memo->cost[i].seconds, watts[i] = q->memo->cost[i].power_w;
    if (!strcmp(ask, "usd_per_mtok")) return slx_query_usd(q, chips, around(q, v, false));
    if (!strcmp(ask, "tok_s_per_mw")) return slx_query_per_mw(q, chips, around(q, v, false));
    if (!strcmp(ask, "system_power")) return slx_query_system_power(q, chips, around(q, watts, false));
    return slx_cannot(q, "ask %.40s: not modelled", ask);
}

/* The runs that q asks about, in q->memo; those of the last question where it asks about the same. */
static bool remember(slx_question *q, slx_predictor *p, const slx_served *s)
{
    char *key = key_of(q->o);
    if (!key) return slx_cannot(q, "not predicted");
    if (q->memo->key && !strcmp(key, q->memo->key)) return free(key), true;
    requests to = {.rng = {.s = 1}};
    free(q->memo->key);
    q->memo->key = NULL;
    bool ok = simulate(q, p, s, &to);
    free(to.r);
    if (!ok) return free(key), false;
    q->memo->key = key;
    return true;
}

bool slx_query_traffic(slx_question *q, slx_predictor *p, const slx_served *s, const char *ask)
{
    if (!remember(q, p, s)) return false;
    slx_query_served_by(q, p, s->framework, q->memo->framework);
    return pick(q, s, ask);
}

bool slx_query_spread(slx_question *q, slx_predictor *p, const slx_served *s, const char *what, double quantile,
                      double *over_mean)
{
    if (!remember(q, p, s)) return false;
    const slx_traffic_cost *c = &q->memo->cost[1];
    const slx_spread *of = !strcmp(what, "ttft") ? &c->ttft_s : !strcmp(what, "e2e") ? &c->e2e_s : &c->tpot_s;
    *over_mean = at(of, quantile) / of->mean;
    return true;
}
