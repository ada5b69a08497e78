/* serving.c - a server with continuous batching in its steady state, from the times of its passes.
 *
 *   tpot = step(n) + (n - 1) P / osl       every other request is prefilled once in osl steps
 *   ttft = front + step(n)/2 + P1 + wait   wait: another prompt is being read, M/D/1 at their load; and bursts
 *   rate = n / (ttft + (osl - 1) tpot)     closed loop
 *
 * P1 is the prefill of one prompt alone, P its share of a full one (prompts share a pass of some thousand rows).
 * Requests beyond what the memory holds wait outside and count as waiting. Nothing here knows of prefix caches or of
 * speculation. Bursts: requests of equal lengths end together and their followers start together. They find 0.07 of the
 * others' prompts before them (fitted with front_us on the runs that data/frameworks.csv names).
 */
#include "predict/predict_int.h"

enum { FULL_ROWS = 8192, MOST_SEQS = 1024 };

static const double burst = 0.07;

typedef struct {
    slx_predictor *p;
    const slx_chip *c;
    const slx_serving_ask *a;
    slx_framework fw;
    slx_err *err;
} server;

static slx_forward pass(const server *s, bool decode, uint32_t batch, uint32_t context)
{
    return (slx_forward){.model = s->a->model,
                         .decode = decode,
                         .batch = batch,
                         .context = context,
                         .tp = s->a->tp,
                         .pp = s->a->pp,
                         .dtype = s->a->dtype,
                         .kv_dtype = s->a->kv_dtype,
                         .mac_share = s->fw.mac_share,
                         .kv_share = s->fw.kv_share,
                         .alike = s->fw.alike};
}

/* Sequences whose KV cache fits beside the weights, at the mean context of their lives. */
static slx_status most_running(const server *s, uint32_t context, double *out)
{
    slx_forward f = pass(s, true, 1, context);
    slx_predict_memory m;
    SLX_TRY(slx_predict_fits(s->c, &f, &m, s->err));
    double most = s->a->max_seqs ? s->a->max_seqs : MOST_SEQS;
    *out = most;
    if (isnan(m.usable)) return SLX_OK;
    double left = m.usable - m.weights;
    if (left < m.kv)
        return slx_fail(s->err, SLX_EUNSUPPORTED, s->a->model->name, 0, 0,
                        "needs %.1f GB on each of %u chips and %.1f for a sequence, %s has %.1f GB",
                        m.weights / 1e9, s->a->tp ? s->a->tp : 1, m.kv / 1e9, s->c->name,
                        m.usable / 1e9);
    *out = fmin(most, floor(left / m.kv));
    return SLX_OK;
}

/* What the framework makes of a pass with that many sequences, seconds. */
static slx_band framed(const server *s, slx_band pass_s, double seqs)
{
    double host = (s->fw.step_us + seqs * s->fw.seq_us) * 1e-6;
    return (slx_band){host + s->fw.slow * pass_s.low, host + s->fw.slow * pass_s.mid,
                      host + s->fw.slow * pass_s.high};
}

typedef struct {
    slx_band step, alone,
        share; /* seconds of a decode step; of a prompt alone; of its share of a full prefill */
    double step_j, share_j;
    const char *timed_by;
} times;

static slx_status get_times(const server *s, double n, times *t)
{
    const slx_serving_ask *a = s->a;
    slx_forward_cost c;
    /* In a pipeline each group of chips has a part of the requests at a time: a step of all is a pass of a part. */
    double parts = fmin(a->pp ? a->pp : 1, fmax(1, n));
    slx_forward f = pass(s, true, (uint32_t)(n / parts + 0.5), a->isl + (a->osl + 1) / 2);
    SLX_TRY(slx_predict_pass(s->p, s->c, &f, &c, s->err));
    t->step = framed(s, c.seconds, n), t->step_j = parts * c.joules.mid, t->timed_by = c.timed_by;
    f = pass(s, false, 1, a->isl);
    SLX_TRY(slx_predict_pass(s->p, s->c, &f, &c, s->err));
    t->alone = framed(s, c.seconds, 1);
    uint32_t many = a->isl < FULL_ROWS ? FULL_ROWS / a->isl : 1;
    if (many > n) many = n < 1 ? 1 : (uint32_t)n;
    f = pass(s, false, many, a->isl);
    SLX_TRY(slx_predict_pass(s->p, s->c, &f, &c, s->err));
    slx_band all = framed(s, c.seconds, many);
    double each = 1 / (many * parts); /* prompts follow each other through the groups */
    t->share = (slx_band){all.low * each, all.mid * each, all.high * each};
    t->share_j = c.joules.mid / many;
    return SLX_OK;
}

typedef struct {
    double ttft, tpot, rate; /* seconds; requests a second of one replica */
} state;

/* n running, outside: waiting for a place. */
static state steady(double front, double step, double alone, double share, double n, double outside,
                    double osl)
{
    state s = {.tpot = step + (n - 1) * share / osl};
    double live = step / 2 + alone + (osl - 1) * s.tpot, load = fmin(0.95, n / live * share);
    double wait = front + load * share / (2 * (1 - load)) + burst * (n - 1) * share;
    s.rate = n / (live + wait);
    s.ttft = step / 2 + alone + wait + outside / s.rate;
    return s;
}

slx_status slx_predict_serving(slx_predictor *p, const slx_chip *c, const slx_serving_ask *a,
                               slx_serving_cost *out, slx_err *err)
{
    server s = {p, c, a, {.slow = 1}, err};
    double most, replicas = a->replicas ? a->replicas : 1;
    times t;
    *out = (slx_serving_cost){0};
    if (!a->isl || !a->osl || a->isl > 1u << 28 || a->osl > 1u << 28 || !(a->concurrency >= 0))
        return slx_fail(err, SLX_EINPUT, a->model->name, 0, 0,
                        "%u tokens in and %u out, expected at least 1 of each", a->isl, a->osl);
    if (a->framework)
        SLX_TRY(slx_framework_find(&s.fw, a->framework, c->library ? c->family : NULL, err));
    SLX_TRY(most_running(&s, a->isl + (a->osl + 1) / 2, &most));
    double asked = a->concurrency > 0 ? a->concurrency / replicas : most;
    double n = fmax(1, fmin(asked, most));
    SLX_TRY(get_times(&s, n, &t));
    state low =
        steady(s.fw.front_us * 1e-6, t.step.low, t.alone.low, t.share.low, n, asked - n, a->osl);
    state mid =
        steady(s.fw.front_us * 1e-6, t.step.mid, t.alone.mid, t.share.mid, n, asked - n, a->osl);
    state high =
        steady(s.fw.front_us * 1e-6, t.step.high, t.alone.high, t.share.high, n, asked - n, a->osl);
    if (asked < 1)
        low.rate *= asked, mid.rate *= asked, high.rate *= asked; /* some replicas stand idle */
    out->running = n;
    out->ttft_s = (slx_band){low.ttft, mid.ttft, high.ttft};
    out->tpot_s = (slx_band){low.tpot, mid.tpot, high.tpot};
    double more = a->osl - 1;
    out->e2e_s = (slx_band){low.ttft + more * low.tpot, mid.ttft + more * mid.tpot,
                            high.ttft + more * high.tpot};
    out->output_tok_s = (slx_band){replicas * high.rate * a->osl, replicas * mid.rate * a->osl,
                                   replicas * low.rate * a->osl};
    slx_framework_widen(&s.fw, &out->ttft_s);
    slx_framework_widen(&s.fw, &out->tpot_s);
    slx_framework_widen(&s.fw, &out->e2e_s);
    slx_framework_widen(&s.fw, &out->output_tok_s);
    out->power_w = mid.rate * (t.share_j + a->osl * t.step_j / n) /
                   ((double)(a->tp ? a->tp : 1) * (a->pp ? a->pp : 1));
    out->timed_by = t.timed_by;
    return SLX_OK;
}
