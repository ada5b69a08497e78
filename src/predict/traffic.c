/* traffic.c - a server under requests that arrive over time: its scheduler, step by step, on the times of its passes.
 *
 *   waiting --(a place, memory for its prompt, room in the step)--> reading its prompt --> one token a step --> done
 *
 * Every step takes a token (with drafts: several) of each sequence that answers, then prompts in pieces until
 * max_step_tokens are in it, first come first served. Where the memory is full the youngest sequence goes back to the
 * queue and will read all again. Requests are dealt to replicas in turn, each simulated alone. Groups with copies of
 * the attention share a step evenly.
 *
 * A step's time: products of all its rows together, attention of the answers at their mean context, and attention of
 * each piece of a prompt; slowed and with the host's share as frameworks.csv says. Times of passes are taken at points
 * of a grid (rows and contexts in steps of 1.5) and straight lines between them.
 */
#include "predict/predict_int.h"

#include <stdlib.h>
#include <string.h>

enum { GRID = 40, WORK_MAX = 20000000, DEFAULT_SEQS = 1024, DEFAULT_STEP_TOKENS = 8192 };

/* ------------------------------------------------------------------ times of passes */

typedef struct {
    double rest, attention, joules; /* seconds; 0 = not asked yet (rest of a pass is never 0) */
} cost;

typedef struct {
    slx_predictor *p;
    const slx_chip *c;
    const slx_traffic_ask *a;
    slx_framework fw;
    const char *timed_by;
    double stretch, groups, made; /* groups: attention_dp; made: tokens of a sequence a step */
    double low, high;                            /* band of a pass, widest of those asked */
    cost decode[GRID][GRID], prompt[GRID][GRID]; /* by sequences or rows, by context */
    slx_err *err;
    slx_status st;
} passes;

static double grid_at(int i)
{
    return floor(pow(1.5, i) + 0.5);
}

/* The place of v on the grid: *share between *i and *i + 1. */
static void place(double v, int *i, double *share)
{
    int k = v > 1 ? (int)floor(log(v) / log(1.5)) : 0;
    while (k > 0 && grid_at(k) > v) k--;
    while (k < GRID - 2 && grid_at(k + 1) <= v) k++;
    *i = k < GRID - 2 ? k : GRID - 2;
    double a = grid_at(*i), b = grid_at(*i + 1);
    *share = b > a ? fmin(1, fmax(0, (v - a) / (b - a))) : 0;
}

static bool is_attention(const char *part)
{
    return !strncmp(part, "attention", 9) || !strncmp(part, "scores", 6) ||
           !strncmp(part, "softmax", 7) || !strncmp(part, "values", 6);
}

/* rows: sequences of a decode step, or rows of one prompt in each group with a copy of the attention. */
static const cost *point(passes *s, bool decode, int i, int k)
{
    cost *at = decode ? &s->decode[i][k] : &s->prompt[i][k];
    if (at->rest > 0 || s->st) return at;
    slx_forward_cost c;
    double context = grid_at(k), rows = decode ? grid_at(i) : fmin(grid_at(i), context);
    slx_forward f = slx_placed_pass(&s->a->on, &s->fw,
                                    (slx_forward){.decode = decode,
                                                  .batch = decode ? (uint32_t)rows : (uint32_t)s->groups,
                                                  .q_len = (uint32_t)rows,
                                                  .context = (uint32_t)context});
    s->st = slx_predict_pass(s->p, s->c, &f, &c, s->err);
    if (s->st) return at;
    for (int n = 0; n < c.n_parts; n++)
        if (is_attention(c.part[n].name)) at->attention += c.part[n].seconds;
    at->rest = c.seconds.mid - at->attention;
    at->joules = c.joules.mid;
    s->timed_by = c.timed_by;
    s->low = fmin(s->low, c.seconds.low / c.seconds.mid);
    s->high = fmax(s->high, c.seconds.high / c.seconds.mid);
    return at;
}

static cost between(passes *s, bool decode, double rows, double context)
{
    int i, k;
    double x, y;
    place(rows, &i, &x);
    place(context, &k, &y);
    cost sum = {0};
    for (int n = 0; n < 4; n++) {
        double w = (n & 1 ? x : 1 - x) * (n & 2 ? y : 1 - y);
        if (!(w > 0)) continue;
        const cost *at = point(s, decode, i + (n & 1), k + (n >> 1));
        sum.rest += w * at->rest, sum.attention += w * at->attention, sum.joules += w * at->joules;
    }
    return sum;
}

/* ------------------------------------------------------------------ requests in the server */

typedef struct {
    int of;      /* request */
    double read;   /* tokens of the prompt read, a cached prefix among them */
    double shared; /* the prefix: held once for all, and read from the cache of the chip by all but the first */
    double prompt, made;
    double piece; /* of the prompt in this step */
    double first_s;
} sequence;

typedef struct {
    passes *s;
    double now, kv_room, kv_used, max_seqs, max_step;
    sequence *run;
    int n_run;
    sequence *
        wait; /* n_wait from wait_from on; those put back go in front, where room was left for them */
    int n_wait, wait_from;
    double busy_s, joules, seconds_of_running, work;
} server;

/* Keys and values of a sequence's own: those of its last token come with the next step. */
static double held(const sequence *q)
{
    return q->read - q->shared + fmax(0, q->made - 1);
}

/* ------------------------------------------------------------------ one step */

/* Takes the youngest sequence out, to read its prompt and its answer again. */
static void preempt(server *v)
{
    sequence q = v->run[--v->n_run];
    v->kv_used -= held(&q);
    q.prompt += q.made, q.made = 0, q.read = q.shared = 0;
    v->wait[--v->wait_from] = q;
    v->n_wait++;
}

static bool answers(const sequence *q)
{
    return q->read >= q->prompt;
}

/* Which tokens the next step holds. */
static void schedule(server *v, double *answering, double *context, double *rows)
{
    const slx_request *r = v->s->a->request;
    *answering = *context = *rows = 0;
    for (bool full = true; full && v->n_run > 1;) { /* each that answers needs room for one more */
        double more = 0;
        for (int i = 0; i < v->n_run; i++) more += answers(&v->run[i]) ? v->s->made : 0;
        full = v->kv_used + more > v->kv_room;
        if (full) preempt(v);
    }
    double left = v->max_step;
    for (int i = 0; i < v->n_run; i++) {
        sequence *q = &v->run[i];
        q->piece = 0;
        if (answers(q)) *answering += 1, *context += held(q) + 1, left -= 1 + v->s->a->on.drafts;
    }
    for (int i = 0; i < v->n_run && left > 0; i++) {
        sequence *q = &v->run[i];
        if (answers(q)) continue;
        q->piece = fmin(q->prompt - q->read, left);
        left -= q->piece, *rows += q->piece;
    }
    while (v->n_wait && left > 0 && v->n_run < v->max_seqs) {
        sequence q = v->wait[v->wait_from];
        double cached = fmin(r[q.of].cached, q.prompt - 1);
        double taken = v->kv_used + *rows; /* by this step, too */
        if (v->n_run && taken + q.prompt - cached > v->kv_room) break;
        v->wait_from++, v->n_wait--;
        q.read = q.shared = cached;
        q.piece = fmin(q.prompt - q.read, left);
        left -= q.piece, *rows += q.piece;
        v->run[v->n_run++] = q;
    }
}

/* Seconds of the step and its joules. */
static double step_time(server *v, double answering, double context, double rows, double *joules)
{
    passes *s = v->s;
    double parts = fmin(s->a->on.pp ? s->a->on.pp : 1, fmax(1, answering + rows));
    double t = 0, slow = slx_slow_prompt(&s->fw);
    *joules = 0;
    if (answering > 0) {
        cost c = between(s, true, fmax(1, answering / parts), context / answering);
        t = s->fw.slow * (c.attention + (rows > 0 ? 0 : c.rest));
        *joules = s->fw.slow * c.joules * (rows > 0 ? c.attention / (c.attention + c.rest) : 1);
    }
    for (int i = 0; i < v->n_run; i++)
        if (v->run[i].piece > 0) {
            const sequence *q = &v->run[i];
            cost c = between(s, false, q->piece, q->read + q->piece);
            t += slow * c.attention / parts / s->groups;
            *joules += slow * c.joules * c.attention / (c.attention + c.rest);
        }
    if (rows > 0) {
        double all = (rows + answering * (1 + s->a->on.drafts)) / parts / s->groups;
        cost c = between(s, false, all, all);
        t += slow * c.rest;
        *joules += slow * c.joules * c.rest / (c.attention + c.rest);
    }
    *joules *= parts;
    return s->stretch * t + (s->fw.step_us + v->n_run * s->fw.seq_us) * 1e-6;
}

/* Tokens of the step are there; who is done leaves. */
static void finish(server *v, slx_request_times *out, int *left)
{
    const slx_request *r = v->s->a->request;
    int n = 0;
    for (int i = 0; i < v->n_run; i++) {
        sequence q = v->run[i];
        double tokens = answers(&q) ? v->s->made : 0;
        if (!tokens && q.piece > 0) {
            q.read += q.piece, v->kv_used += q.piece;
            tokens = answers(&q) ? 1 : 0;
        } else {
            v->kv_used += tokens;
        }
        if (tokens > 0) {
            q.made += tokens;
            if (!(q.first_s > 0)) q.first_s = v->now;
        }
        double made = q.prompt - r[q.of].isl + q.made;
        if (made < r[q.of].osl) {
            v->run[n++] = q;
            continue;
        }
        v->kv_used -= held(&q);
        out[q.of].first_s = q.first_s, out[q.of].last_s = v->now;
        *left -= 1;
    }
    v->n_run = n;
}

/* ------------------------------------------------------------------ one replica */

typedef struct {
    int *of; /* its requests, in order of arrival */
    int n;
} share;

/* How many are in the server or on their way: a closed loop keeps that many. */
static void arrive(server *v, const share *mine, int *next, int in_flight, slx_request_times *out)
{
    const slx_traffic_ask *a = v->s->a;
    double front = v->s->fw.front_us * 1e-6;
    while (*next < mine->n) {
        int k = mine->of[*next];
        if (a->concurrency > 0) {
            if (in_flight >= (int)ceil(a->concurrency / (a->replicas ? a->replicas : 1))) return;
            out[k].arrival_s = v->now; /* seen at once: the front is added when all is done */
        } else {
            if (a->request[k].arrival_s + front > v->now) return;
            out[k].arrival_s = a->request[k].arrival_s;
        }
        v->wait[v->wait_from + v->n_wait++] = (sequence){.of = k, .prompt = a->request[k].isl};
        (*next)++, in_flight++;
    }
}

static slx_status replica(server *v, const share *mine, slx_request_times *out)
{
    int next = 0, left = mine->n;
    double front = v->s->fw.front_us * 1e-6;
    v->now = v->kv_used = 0, v->n_run = v->n_wait = 0, v->wait_from = mine->n;
    while (left > 0) {
        double answering, context, rows, joules;
        v->work += 1 + v->n_run;
        if (v->work > WORK_MAX)
            return slx_fail(v->s->err, SLX_EUNSUPPORTED, v->s->a->on.model->name, 0, 0,
                            "more than %d tokens in all steps of the server", WORK_MAX);
        arrive(v, mine, &next, v->n_run + v->n_wait, out);
        if (!v->n_run && !v->n_wait) {
            v->now = fmax(v->now, v->s->a->request[mine->of[next]].arrival_s + front);
            continue;
        }
        schedule(v, &answering, &context, &rows);
        if (!(answering + rows > 0)) SLX_BUG("a step without tokens");
        double t = step_time(v, answering, context, rows, &joules);
        if (v->s->st) return v->s->st;
        v->now += t, v->busy_s += t, v->joules += joules, v->seconds_of_running += t * v->n_run;
        finish(v, out, &left);
    }
    return SLX_OK;
}

/* ------------------------------------------------------------------ the whole */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Sorts v. */
static slx_spread spread(double *v, int n)
{
    double sum = 0;
    qsort(v, (size_t)n, sizeof *v, by_value);
    for (int i = 0; i < n; i++) sum += v[i];
    if (!n) return (slx_spread){0};
    return (slx_spread){.mean = sum / n,
                        .p50 = v[(int)(0.5 * (n - 1) + 0.5)],
                        .p90 = v[(int)(0.9 * (n - 1) + 0.5)],
                        .p95 = v[(int)(0.95 * (n - 1) + 0.5)],
                        .p99 = v[(int)(0.99 * (n - 1) + 0.5)]};
}

/* What all requests had, from each one's times. A closed loop waits the front before each request is looked at. */
static void statistics(const slx_traffic_ask *a, const slx_request_times *t, double front,
                       slx_traffic_cost *out)
{
    double *v = slx_xcalloc((size_t)a->n + 1, sizeof *v), last = 0, tokens = 0;
    double first = a->concurrency > 0 ? 0 : a->request[0].arrival_s;
    double more = a->concurrency > 0 ? front : 0;
    int n = 0;
    for (int i = 0; i < a->n; i++) v[i] = t[i].first_s - t[i].arrival_s + more;
    out->ttft_s = spread(v, a->n);
    for (int i = 0; i < a->n; i++) v[i] = t[i].last_s - t[i].arrival_s + more;
    out->e2e_s = spread(v, a->n);
    for (int i = 0; i < a->n; i++) {
        if (a->request[i].osl > 1) v[n++] = (t[i].last_s - t[i].first_s) / (a->request[i].osl - 1);
        last = fmax(last, t[i].last_s), tokens += a->request[i].osl;
    }
    out->tpot_s = spread(v, n);
    out->seconds = last - first;
    out->output_tok_s = tokens / out->seconds;
    free(v);
}

static slx_status check(const slx_traffic_ask *a, slx_err *err)
{
    for (int i = 0; i < a->n; i++)
        if (!a->request[i].isl || !a->request[i].osl || !(a->request[i].arrival_s >= 0) ||
            (i && a->request[i].arrival_s < a->request[i - 1].arrival_s))
            return slx_fail(err, SLX_EINPUT, a->on.model->name, 0, 0,
                            "request %d: expected tokens in and out and arrivals in order", i);
    if (a->n > 0) return SLX_OK;
    return slx_fail(err, SLX_EINPUT, a->on.model->name, 0, 0, "found no requests");
}

/* Tokens whose keys and values a replica holds. */
static slx_status room(const slx_chip *c, const slx_traffic_ask *a, double *out, slx_err *err)
{
    enum { MANY = 4096 };
    *out = a->kv_tokens;
    if (a->kv_tokens > 0) return SLX_OK;
    SLX_TRY(slx_placed_room(c, &a->on, MANY, out, err));
    *out *= MANY;
    return SLX_OK;
}

slx_status slx_predict_traffic(slx_predictor *p, const slx_chip *c, const slx_traffic_ask *a,
                               slx_traffic_cost *out, slx_err *err)
{
    int replicas = a->replicas ? (int)a->replicas : 1;
    *out = (slx_traffic_cost){0};
    SLX_TRY(check(a, err));
    passes *s = slx_xcalloc(1, sizeof *s);
    s->p = p, s->c = c, s->a = a, s->err = err, s->low = s->high = 1, s->fw.slow = 1;
    s->stretch = a->stretch > 0 ? a->stretch : 1;
    s->groups = a->on.attention_dp ? a->on.attention_dp : 1;
    s->made = slx_placed_step_tokens(&a->on);
    server v = {.s = s,
                .max_seqs = s->groups * (a->max_seqs ? a->max_seqs : DEFAULT_SEQS),
                .max_step = s->groups * (a->max_step_tokens ? a->max_step_tokens : DEFAULT_STEP_TOKENS)};
    slx_status st = room(c, a, &v.kv_room, err);
    if (st == SLX_OK && a->framework)
        st = slx_framework_find(&s->fw, a->framework, c->library ? c->family : NULL, err);
    slx_request_times *t = slx_xcalloc((size_t)a->n, sizeof *t);
    share mine = {slx_xcalloc((size_t)a->n, sizeof(int)), 0};
    v.run = slx_xcalloc((size_t)a->n + 1, sizeof *v.run);
    v.wait = slx_xcalloc(2 * (size_t)a->n + 2, sizeof *v.wait);
    for (int r = 0; r < replicas && r < a->n && st == SLX_OK; r++) {
        mine.n = 0;
        for (int i = r; i < a->n; i += replicas) mine.of[mine.n++] = i;
        st = replica(&v, &mine, t);
    }
    if (st == SLX_OK) {
        statistics(a, t, s->fw.front_us * 1e-6, out);
        double chips = slx_placed_chips(&a->on) * replicas;
        out->running = v.seconds_of_running / out->seconds / replicas;
        out->power_w = v.joules / out->seconds / chips +
                       slx_idle_watts(c) * fmax(0, 1 - v.busy_s / replicas / out->seconds);
        out->timed_by = s->timed_by;
        out->band_low = s->fw.band_high > 0 ? fmin(s->low, s->fw.band_low) : s->low;
        out->band_high = s->fw.band_high > 0 ? fmax(s->high, s->fw.band_high) : s->high;
    }
    free(v.wait);
    free(v.run);
    free(mine.of);
    free(t);
    free(s);
    return st;
}
