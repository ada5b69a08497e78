/* metrics.c - see metrics.h. */
#include "server/metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LAST = 512, MOST_BUCKETS = 20, STATUSES = 600, USERS = 65 };

static const struct {
    const char *name, *help;
    double le[MOST_BUCKETS]; /* ended by 0 */
} shape[SRV_N_DISTRIBUTIONS] = {
    [SRV_TTFT] = {"time_to_first_token_seconds",
                  "Time from request to first token.",
                  {.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 20,
                   40, 80}},
    [SRV_TPOT] = {"inter_token_latency_seconds",
                  "Time between two tokens of an answer.",
                  {.001, .0025, .005, .01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5,
                   5}},
    [SRV_E2E] = {"e2e_request_latency_seconds",
                 "Time from request to last token.",
                 {.1, .3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480}},
    [SRV_QUEUE] = {"request_queue_time_seconds",
                   "Time from request to admission.",
                   {.001, .01, .1, .3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 60, 120,
                    240}},
    [SRV_PROMPT] = {"request_prompt_tokens",
                    "Tokens of a prompt.",
                    {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000,
                     100000}},
    [SRV_MADE] = {"request_generation_tokens",
                  "Tokens of an answer.",
                  {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000,
                   100000}},
};
static const char *const ends[] = {[SLX_END_STOP] = "stop",
                                   [SLX_END_LENGTH] = "length",
                                   [SLX_END_CANCELLED] = "abort",
                                   [SLX_END_FAULT] = "error"};

typedef struct {
    uint64_t count, in[MOST_BUCKETS + 1];
    double sum, last[LAST];
    uint32_t n_last, at;
} distribution;

typedef struct {
    char name[64];
    uint64_t answers, tokens;
    double joules;
} user_row;

struct srv_metrics {
    pthread_mutex_t lock;
    distribution d[SRV_N_DISTRIBUTIONS];
    uint64_t ended[4], responses[STATUSES], made;
    user_row total, users[USERS]; /* the last is of all who found no row of their own */
    uint32_t n_users;
};

srv_metrics *srv_metrics_open(void)
{
    srv_metrics *m = slx_xcalloc(1, sizeof *m);
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

void srv_metrics_close(srv_metrics *m)
{
    if (m) pthread_mutex_destroy(&m->lock);
    free(m);
}

static void observe(distribution *d, const double *le, double x)
{
    int b = 0;
    while (b < MOST_BUCKETS && le[b] > 0 && x > le[b]) b++;
    d->in[b]++;
    d->count++;
    d->sum += x;
    d->last[d->at] = x;
    d->at = (d->at + 1) % LAST;
    if (d->n_last < LAST) d->n_last++;
}

void srv_metrics_observe(srv_metrics *m, srv_distribution which, double x)
{
    pthread_mutex_lock(&m->lock);
    observe(&m->d[which], shape[which].le, x);
    pthread_mutex_unlock(&m->lock);
}

static user_row *user_at(srv_metrics *m, const char *name)
{
    uint32_t i = 0;
    while (i < m->n_users && strcmp(m->users[i].name, name)) i++;
    if (i < m->n_users) return &m->users[i];
    if (m->n_users < USERS) m->n_users++;
    user_row *r = &m->users[m->n_users - 1];
    snprintf(r->name, sizeof r->name, "%s", m->n_users < USERS ? name : "others");
    return r;
}

void srv_metrics_token(srv_metrics *m)
{
    pthread_mutex_lock(&m->lock);
    m->made++;
    pthread_mutex_unlock(&m->lock);
}

static void add_answer(user_row *r, const slx_job_usage *u)
{
    r->answers++;
    r->tokens += u->prompt_tokens + u->new_tokens;
    r->joules += u->chip_known ? u->chip_j : 0;
}

void srv_metrics_answer(srv_metrics *m, const char *user, slx_end end, const slx_job_usage *u)
{
    pthread_mutex_lock(&m->lock);
    add_answer(user_at(m, user), u);
    add_answer(&m->total, u);
    m->ended[end]++;
    if (u->first_token_s > 0) observe(&m->d[SRV_TTFT], shape[SRV_TTFT].le, u->first_token_s);
    observe(&m->d[SRV_E2E], shape[SRV_E2E].le, u->total_s);
    observe(&m->d[SRV_QUEUE], shape[SRV_QUEUE].le, u->queue_s);
    observe(&m->d[SRV_PROMPT], shape[SRV_PROMPT].le, u->prompt_tokens);
    observe(&m->d[SRV_MADE], shape[SRV_MADE].le, u->new_tokens);
    pthread_mutex_unlock(&m->lock);
}

void srv_metrics_response(srv_metrics *m, int status)
{
    pthread_mutex_lock(&m->lock);
    if (status > 0 && status < STATUSES) m->responses[status]++;
    pthread_mutex_unlock(&m->lock);
}

/* ------------------------------------------------------------------ Prometheus */

static void head(slx_buf *out, const char *name, const char *type, const char *help)
{
    slx_buf_addf(out, "# HELP silex:%s %s\n# TYPE silex:%s %s\n", name, help, name, type);
}

static void one(slx_buf *out, const char *name, const char *type, const char *help,
                const char *model, double x)
{
    head(out, name, type, help);
    slx_buf_addf(out, "silex:%s{model_name=\"%s\"} %.12g\n", name, model, x);
}

static void print_distribution(slx_buf *out, const distribution *d, int which, const char *model)
{
    uint64_t below = 0;
    const char *name = shape[which].name;
    head(out, name, "histogram", shape[which].help);
    for (int b = 0; b < MOST_BUCKETS && shape[which].le[b] > 0; b++) {
        below += d->in[b];
        slx_buf_addf(out, "silex:%s_bucket{model_name=\"%s\",le=\"%g\"} %llu\n", name, model,
                     shape[which].le[b], (unsigned long long)below);
    }
    slx_buf_addf(out, "silex:%s_bucket{model_name=\"%s\",le=\"+Inf\"} %llu\n", name, model,
                 (unsigned long long)d->count);
    slx_buf_addf(out,
                 "silex:%s_sum{model_name=\"%s\"} %.12g\nsilex:%s_count{model_name=\"%s\"} %llu\n",
                 name, model, d->sum, name, model, (unsigned long long)d->count);
}

static uint64_t resident_bytes(void)
{
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return 0;
    if (fscanf(f, "%*u %llu", &pages) != 1) pages = 0;
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double usd_of(const slx_sched_stats *s, double usd_per_s)
{
    return usd_per_s >= 0 ? s->chip_s * usd_per_s : 0;
}

void srv_metrics_print(srv_metrics *m, const slx_sched_stats *s, double usd_per_s, const char *name,
                       slx_buf *out)
{
    /* a label's value: quotes and backslashes escaped */
    slx_buf model = {0};
    for (; *name; name++) {
        if (*name == '"' || *name == '\\') slx_buf_addc(&model, '\\');
        slx_buf_addc(&model, *name);
    }
    const char *n = model.len ? model.ptr : "";
    pthread_mutex_lock(&m->lock);
    one(out, "num_requests_running", "gauge", "Sequences in the batch.", n, s->running);
    one(out, "num_requests_waiting", "gauge", "Sequences that wait for a place.", n, s->waiting);
    one(out, "kv_cache_usage_perc", "gauge", "Share of KV pages in use by sequences, 0 to 1.", n,
        s->pages ? (double)s->pages_used / s->pages : 0);
    one(out, "kv_cache_cached_perc", "gauge",
        "Share of KV pages held by the prefix cache alone, 0 to 1.", n,
        s->pages ? (double)s->pages_cached / s->pages : 0);
    one(out, "num_preemptions_total", "counter",
        "Sequences that gave their pages back to be computed again.", n, (double)s->preemptions);
    one(out, "prompt_tokens_total", "counter", "Tokens of prompts.", n, (double)s->prompt_tokens);
    one(out, "generation_tokens_total", "counter", "Tokens made.", n, (double)m->made);
    one(out, "prefix_cache_queries_total", "counter",
        "Tokens of prompts looked up in the prefix cache.", n, (double)s->prompt_tokens);
    one(out, "prefix_cache_hits_total", "counter", "Tokens of prompts found in the prefix cache.",
        n, (double)s->cached_tokens);
    one(out, "engine_steps_total", "counter", "Steps of the machine.", n, (double)s->steps);
    one(out, "engine_step_seconds_total", "counter", "Time in steps of the machine.", n, s->step_s);
    one(out, "scheduler_seconds_total", "counter",
        "Time between steps: scheduling, drawing, writing.", n, s->own_s);
    one(out, "chip_seconds_total", "counter", "Time the steps would have taken on the chip.", n,
        s->chip_s);
    one(out, "chip_joules_total", "counter", "Energy the steps would have taken on the chip.", n,
        s->chip_j);
    one(out, "chip_usd_total", "counter", "Dollars the steps would have cost on the chip.", n,
        usd_of(s, usd_per_s));
    head(out, "request_success_total", "counter", "Answers by what ended them.");
    for (int i = 0; i < 4; i++)
        slx_buf_addf(out,
                     "silex:request_success_total{model_name=\"%s\",finished_reason=\"%s\"} %llu\n",
                     n, ends[i], (unsigned long long)m->ended[i]);
    head(out, "http_responses_total", "counter", "Responses by status.");
    for (int i = 0; i < STATUSES; i++)
        if (m->responses[i])
            slx_buf_addf(out, "silex:http_responses_total{status=\"%d\"} %llu\n", i,
                         (unsigned long long)m->responses[i]);
    for (int i = 0; i < SRV_N_DISTRIBUTIONS; i++) print_distribution(out, &m->d[i], i, n);
    pthread_mutex_unlock(&m->lock);
    slx_buf_addf(out,
                 "# HELP process_resident_memory_bytes Resident memory.\n"
                 "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %llu\n",
                 (unsigned long long)resident_bytes());
    slx_buf_free(&model);
}

/* ------------------------------------------------------------------ percentiles */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The smallest value that at least the share p of them does not exceed. */
static json_t *percentiles(const distribution *d)
{
    static const struct {
        const char *name;
        double p;
    } wanted[] = {{"p50", .5}, {"p90", .9}, {"p99", .99}};
    double v[LAST];
    json_t *j = json_object();
    memcpy(v, d->last, d->n_last * sizeof *v);
    qsort(v, d->n_last, sizeof *v, by_size);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        uint32_t at = (uint32_t)(wanted[i].p * d->n_last);
        if (at >= d->n_last && d->n_last) at = d->n_last - 1;
        json_object_set_new(j, wanted[i].name, d->n_last ? json_real(v[at]) : json_null());
    }
    json_object_set_new(j, "count", json_integer((json_int_t)d->count));
    return j;
}

json_t *srv_metrics_json(srv_metrics *m, const slx_sched_stats *s, double usd_per_s)
{
    pthread_mutex_lock(&m->lock);
    json_t *j =
        json_pack("{s:o, s:o, s:o, s:I, s:f, s:f, s:f}", "ttft_s", percentiles(&m->d[SRV_TTFT]),
                  "tpot_s", percentiles(&m->d[SRV_TPOT]), "e2e_s", percentiles(&m->d[SRV_E2E]),
                  "made_tokens", (json_int_t)m->made, "chip_s", s->chip_s, "chip_j", s->chip_j,
                  "chip_usd", usd_of(s, usd_per_s));
    pthread_mutex_unlock(&m->lock);
    return j;
}

static json_t *row_json(const user_row *r)
{
    return json_pack("{s:I, s:I, s:f}", "answers", (json_int_t)r->answers, "tokens",
                     (json_int_t)r->tokens, "energy_j", r->joules);
}

json_t *srv_metrics_users_json(srv_metrics *m, const char *only)
{
    json_t *list = json_array();
    pthread_mutex_lock(&m->lock);
    for (uint32_t i = 0; i < m->n_users; i++) {
        const user_row *r = &m->users[i];
        if (only && (strcmp(r->name, only) || i == USERS - 1)) continue; /* the last is of many */
        json_t *row = row_json(r);
        json_object_set_new(row, "user", json_string(r->name));
        json_array_append_new(list, row);
    }
    pthread_mutex_unlock(&m->lock);
    return list;
}

json_t *srv_metrics_total_json(srv_metrics *m)
{
    pthread_mutex_lock(&m->lock);
    json_t *j = row_json(&m->total);
    pthread_mutex_unlock(&m->lock);
    return j;
}
