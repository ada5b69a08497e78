/* serving.c - a server with continuous batching in its steady state, from the times of its passes.
 *
 *   tpot = (step(n) + (n - 1) P made / osl) / made   every other request is prefilled once in osl / made steps
 *   ttft = front + step(n)/2 + P1 + wait             wait: another prompt is being read, M/D/1 at their load; bursts
 *   rate = n / (ttft + (osl - 1) tpot)               closed loop
 *
 * P1 is the prefill of one prompt alone, P its share of a full one (prompts share a pass of some thousand rows). made:
 * tokens of a step, 1 without drafts. Requests beyond what the memory holds wait outside and count as waiting. Nothing
 * here knows of prefix caches. Bursts: requests of equal lengths end together and their followers start together. They
 * find 0.07 of the others' prompts before them (fitted with front_us on the runs that data/frameworks.csv names). front
 * grows with the requests in the server.
 *
 * With prompts read by replicas of their own, R of them, and n_d requests answering:
 *
 *   tpot = step(n_d) / made      x = n_d / ((osl - 1) tpot) requests a second      load = x P / R < 1
 *   ttft = front + P1 + handing on + P load / (2 (1 - load)) + bursts of those that wait to be read
 *
 * n_d is where n_d + x ttft is what is in flight. Keys and values are handed on over the network of kernel.c.
 */
#include "predict/predict_int.h"

enum { FULL_ROWS = 8192, MOST_SEQS = 1024, BISECTIONS = 24 };

static const double burst = 0.07;

typedef struct {
    slx_predictor *p;
    const slx_chip *c;
    const slx_serving_ask *a;
    slx_framework fw;
    slx_err *err;
} server;

static double at_least_one(uint32_t n)
{
    return n ? n : 1;
}

/* Sequences whose KV cache fits beside the weights, at the mean context of their lives. */
static slx_status most_running(const server *s, uint32_t context, double *out)
{
    double room, most = at_least_one(s->a->on.attention_dp) * (s->a->max_seqs ? s->a->max_seqs : MOST_SEQS);
    SLX_TRY(slx_placed_room(s->c, &s->a->on, context, &room, s->err));
    if (room < 1)
        return slx_fail(s->err, SLX_EUNSUPPORTED, s->a->on.model->name, 0, 0,
                        "has no room for a sequence of %u keys beside its weights on each of %.0f chips of %s", context,
                        slx_placed_chips(&s->a->on), s->c->name);
    *out = fmin(most, floor(room));
    return SLX_OK;
}

/* What the framework makes of a pass with that many sequences, seconds. */
static slx_band framed(const server *s, slx_band pass_s, double seqs, bool prompts)
{
    double host = (s->fw.step_us + seqs * s->fw.seq_us) * 1e-6, slow = prompts ? slx_slow_prompt(&s->fw) : s->fw.slow;
    return (slx_band){host + slow * pass_s.low, host + slow * pass_s.mid, host + slow * pass_s.high};
}

typedef struct {
    slx_band step, alone,
        share; /* seconds of a decode step; of a prompt alone; of its share of a full prefill */
    double step_j, share_j, step_busy_s, share_busy_s; /* of a step, a prompt: joules of all chips, seconds of each */
    double peak_w;
    const char *timed_by;
} times;

/* In a pipeline each stage has a part of the requests at a time: a step of all is a pass of a part. */
static slx_status step_times(const server *s, double n, times *t)
{
    const slx_placement *on = &s->a->on;
    double parts = fmin(at_least_one(on->pp), fmax(1, n));
    slx_forward_cost c;
    slx_forward f = slx_placed_pass(on, &s->fw,
                                    (slx_forward){.decode = true,
                                                  .batch = (uint32_t)fmax(1, n / parts + 0.5),
                                                  .context = s->a->isl + (s->a->osl + 1) / 2});
    SLX_TRY(slx_predict_pass(s->p, s->c, &f, &c, s->err));
    t->step = framed(s, c.seconds, n, false), t->step_j = parts * c.joules.mid, t->timed_by = c.timed_by;
    t->step_busy_s = parts * c.seconds.mid / at_least_one(on->pp), t->peak_w = fmax(t->peak_w, c.power_w);
    return SLX_OK;
}

/* on: whose chips read the prompts, up to n of them at once. Of readers each group with a copy of the attention fills a
 * pass; where the same chips answer, the prompts of one group hold up all, as they meet at the experts. */
static slx_status prompt_times(const server *s, const slx_placement *on, double n, times *t)
{
    slx_forward_cost c;
    double parts = fmin(at_least_one(on->pp), fmax(1, n)), groups = at_least_one(on->attention_dp);
    slx_forward f =
        slx_placed_pass(on, &s->fw, (slx_forward){.batch = 1, .context = s->a->isl});
    SLX_TRY(slx_predict_pass(s->p, s->c, &f, &c, s->err));
    t->alone = framed(s, c.seconds, 1, true);
    double many = fmax(1, floor((double)FULL_ROWS / s->a->isl));
    f.batch = (uint32_t)fmax(1, floor(s->a->readers ? fmin(groups * many, n) : fmin(many, n / groups)));
    SLX_TRY(slx_predict_pass(s->p, s->c, &f, &c, s->err));
    slx_band all = framed(s, c.seconds, f.batch, true);
    double each = 1 / (f.batch * parts); /* prompts follow each other through the stages */
    t->share = (slx_band){all.low * each, all.mid * each, all.high * each};
    t->share_j = c.joules.mid / f.batch, t->share_busy_s = c.seconds.mid / f.batch / at_least_one(on->pp);
    t->peak_w = fmax(t->peak_w, c.power_w);
    return SLX_OK;
}

typedef struct {
    double ttft, tpot, rate; /* seconds; requests a second of one replica */
} state;

/* One end or the middle of the bands of t: -1, 0, 1. */
static double end_of(slx_band b, int end)
{
    return end < 0 ? b.low : end > 0 ? b.high : b.mid;
}

/* n running, outside: waiting for a place. */
static state steady(const server *s, const times *t, int end, double n, double outside)
{
    double step = end_of(t->step, end), alone = end_of(t->alone, end), share = end_of(t->share, end);
    double osl = s->a->osl, made = slx_placed_step_tokens(&s->a->on);
    double front = (s->fw.front_us + n * s->fw.front_seq_us) * 1e-6;
    state r = {.tpot = step / made + (n - 1) * share / osl};
    double live = step / 2 + alone + (osl - 1) * r.tpot, load = fmin(0.95, n / live * share);
    double queue = fmin(load / (2 * (1 - load)), (n - 1) / 2); /* the others, at most half of them first */
    double wait = front + (queue + burst * (n - 1)) * share;
    r.rate = n / (live + wait);
    r.ttft = step / 2 + alone + wait + outside / r.rate;
    return r;
}

/* ------------------------------------------------------------------ prompts read apart */

/* Seconds until the keys and values of a prompt are where it is answered. */
static double handing_on(const server *s)
{
    const slx_serving_ask *a = s->a;
    const char *kv = a->reader.kv_dtype ? a->reader.kv_dtype : "bf16";
    double bytes = slx_shape_kv_values(a->on.model) * a->isl * slx_dtype_bytes(kv, true) +
                   slx_shape_state_bytes(a->on.model);
    return bytes / slx_network_bytes_s / fmin(at_least_one(a->reader.tp), at_least_one(a->on.tp));
}

/* All requests that are in the server while n_d answer; *r what they see. INFINITY: prompts cannot be read so fast. */
static double in_flight(const server *s, const times *t, int end, double n_d, state *r)
{
    double osl = s->a->osl, readers = s->a->readers, replicas = at_least_one(s->a->replicas);
    double share = end_of(t->share, end), answer = fmax(1, osl - 1);
    r->tpot = end_of(t->step, end) / slx_placed_step_tokens(&s->a->on);
    r->rate = n_d / (answer * r->tpot) * replicas; /* of all replicas */
    double load = r->rate * share / readers;
    if (load >= 1) return INFINITY;
    double wait = share * load / (2 * (1 - load));
    double front = (s->fw.front_us + s->a->concurrency * s->fw.front_seq_us) * 1e-6;
    r->ttft = front + end_of(t->alone, end) + handing_on(s) + wait + burst * share * n_d * replicas / readers;
    return n_d * replicas + r->rate * r->ttft;
}

/* most: answering requests that a replica holds. The rest of those in flight wait to be read. */
static slx_status apart(const server *s, double most, int end, state *r, times *t)
{
    double low = 0, high = fmin(most, s->a->concurrency / at_least_one(s->a->replicas));
    for (int i = 0; i < BISECTIONS; i++) {
        double mid = i ? (low + high) / 2 : high;
        SLX_TRY(step_times(s, mid, t));
        if (in_flight(s, t, end, mid, r) > s->a->concurrency)
            high = mid;
        else if (i)
            low = mid;
        else
            break; /* all that the replicas hold answer */
        if (high - low < 1e-3 * high) break;
    }
    double inside = in_flight(s, t, end, low > 0 ? low : high, r);
    r->ttft += fmax(0, s->a->concurrency - inside) / r->rate;
    r->rate /= at_least_one(s->a->replicas);
    return SLX_OK;
}

/* ------------------------------------------------------------------ the whole */

static slx_status check(const slx_serving_ask *a, slx_err *err)
{
    if (!a->isl || !a->osl || a->isl > 1u << 28 || a->osl > 1u << 28 || !(a->concurrency >= 0))
        return slx_fail(err, SLX_EINPUT, a->on.model->name, 0, 0,
                        "%u tokens in and %u out, expected at least 1 of each", a->isl, a->osl);
    if (a->readers && !(a->concurrency > 0))
        return slx_fail(err, SLX_EUNSUPPORTED, a->on.model->name, 0, 0,
                        "prompts read by chips of their own without a number of requests in flight: not modelled");
    return SLX_OK;
}

/* Faster steps leave more to wait for where others are the limit: the ends of what is waited for may change places. */
static slx_band ordered(double a, double mid, double b)
{
    return (slx_band){fmin(mid, fmin(a, b)), mid, fmax(mid, fmax(a, b))};
}

slx_status slx_predict_serving(slx_predictor *p, const slx_chip *c, const slx_serving_ask *a,
                               slx_serving_cost *out, slx_err *err)
{
    server s = {p, c, a, {.slow = 1}, err};
    double most = 0, replicas = at_least_one(a->replicas);
    times t = {0};
    state end[3];
    *out = (slx_serving_cost){0};
    SLX_TRY(check(a, err));
    if (a->given)
        s.fw = *a->given;
    else if (a->framework)
        SLX_TRY(slx_framework_find(&s.fw, a->framework, c->library ? c->family : NULL, err));
    SLX_TRY(most_running(&s, a->isl + (a->osl + 1) / 2, &most));
    double asked = a->concurrency > 0 ? a->concurrency / replicas : most;
    double n = fmax(1, fmin(asked, most));
    SLX_TRY(prompt_times(&s, a->readers ? &a->reader : &a->on, n, &t));
    if (!a->readers) SLX_TRY(step_times(&s, n, &t));
    for (int i = 0; i < 3; i++)
        if (a->readers)
            SLX_TRY(apart(&s, most, i - 1, &end[i], &t));
        else
            end[i] = steady(&s, &t, i - 1, n, fmax(0, asked - n));
    state low = end[0], mid = end[1], high = end[2];
    if (asked < 1 && !a->readers)
        low.rate *= asked, mid.rate *= asked, high.rate *= asked; /* some replicas stand idle */
    out->running = a->readers ? mid.rate * fmax(1, a->osl - 1.0) * mid.tpot : n;
    double more = a->osl - 1, tokens = replicas * a->osl;
    out->ttft_s = ordered(low.ttft, mid.ttft, high.ttft);
    out->tpot_s = ordered(low.tpot, mid.tpot, high.tpot);
    out->e2e_s = ordered(low.ttft + more * low.tpot, mid.ttft + more * mid.tpot, high.ttft + more * high.tpot);
    out->output_tok_s = ordered(tokens * high.rate, tokens * mid.rate, tokens * low.rate);
    slx_framework_widen_first(&s.fw, &out->ttft_s);
    slx_framework_widen(&s.fw, &out->tpot_s);
    slx_framework_widen(&s.fw, &out->e2e_s);
    slx_framework_widen(&s.fw, &out->output_tok_s);
    double steps = a->osl / slx_placed_step_tokens(&a->on);
    double chips = replicas * slx_placed_chips(&a->on) + a->readers * slx_placed_chips(&a->reader);
    double each = steps / fmax(1, out->running); /* of a decode step, a request's */
    double busy = mid.rate * replicas / chips *
                  (t.share_busy_s * (a->readers ? slx_placed_chips(&a->reader) : slx_placed_chips(&a->on)) +
                   each * t.step_busy_s * slx_placed_chips(&a->on));
    out->power_w = mid.rate * replicas * (t.share_j + each * t.step_j) / chips + slx_idle_watts(c) * fmax(0, 1 - busy);
    out->peak_w = fmax(t.peak_w, out->power_w);
    out->timed_by = t.timed_by;
    return SLX_OK;
}
