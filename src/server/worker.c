/* worker.c - the one thread that uses the engine. HTTP threads put exchanges into its inbox; it submits their answers
 * to the scheduler, steps, and turns tokens into text for the client. Everything a scheduler calls back runs here.
 */
#include "server/server_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

typedef struct {
    srv_exchange **at;
    uint32_t n, cap;
} basket;

struct srv_worker {
    srv_server *s;
    slx_sched *sched;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    basket inbox, gone;    /* under lock; each holds its exchanges */
    bool quit, stopped;    /* stopped: its thread is gone */
    slx_sched_stats stats; /* under lock: as of the last step */
    srv_exchange *active;  /* this thread's: submitted and not ended */
    double looked_s;
};

enum { LOOK_MS = 200 };

static void put(basket *b, srv_exchange *x)
{
    if (b->n == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 16;
        b->at = slx_xrealloc(b->at, b->cap * sizeof *b->at);
    }
    b->at[b->n++] = x;
}

/* ------------------------------------------------------------------ answers, in the engine's thread */

static bool on_token(void *arg, const slx_drawn *t)
{
    srv_choice *c = arg;
    srv_exchange *x = c->x;
    slx_buf text = {0};
    double now = slx_now_s();
    srv_metrics_token(x->s->metrics);
    if (c->last_token > 0) srv_metrics_observe(x->s->metrics, SRV_TPOT, now - c->last_token);
    c->last_token = now;
    size_t start = c->text.len + slx_answer_held(&c->answer);
    c->stopped = slx_answer_add(&c->answer, t->token, &text);
    pthread_mutex_lock(&x->lock);
    if (c->logprobs) srv_reply_logprob(c, t, start);
    if (text.len) slx_buf_add(&c->text, text.ptr, text.len);
    if (c->stopped && c->logprobs) srv_reply_cut_logprobs(c);
    if (x->req.stream && !x->gone) {
        srv_reply_delta(c);
        srv_exchange_wake(x);
    }
    pthread_mutex_unlock(&x->lock);
    slx_buf_free(&text);
    return !c->stopped;
}

static void add_usage(slx_job_usage *sum, const slx_job_usage *u, bool first)
{
    if (first) {
        *sum = *u;
        return;
    }
    sum->prompt_tokens += u->prompt_tokens;
    sum->cached_tokens += u->cached_tokens;
    sum->new_tokens += u->new_tokens;
    sum->preemptions += u->preemptions;
    sum->chip_share_s += u->chip_share_s;
    sum->chip_j += u->chip_j;
    sum->chip_known &= u->chip_known;
    if (u->first_token_s < sum->first_token_s) sum->first_token_s = u->first_token_s;
    if (u->total_s > sum->total_s) sum->total_s = u->total_s;
}

static void leave_active(srv_worker *w, srv_exchange *x)
{
    *(x->prev ? &x->prev->next : &w->active) = x->next;
    if (x->next) x->next->prev = x->prev;
}

static void on_end(void *arg, slx_end end, const slx_job_usage *u, const slx_err *why)
{
    srv_choice *c = arg;
    srv_exchange *x = c->x;
    srv_server *s = x->s;
    slx_buf text = {0};
    if (!c->stopped) slx_answer_end(&c->answer, &text);
    pthread_mutex_lock(&x->lock);
    c->job = NULL;
    c->ended = true;
    c->end = end;
    c->usage = *u;
    if (why) snprintf(c->fault, sizeof c->fault, "%s", why->msg);
    if (text.len) slx_buf_add(&c->text, text.ptr, text.len);
    add_usage(&x->usage, u, !x->counted);
    x->counted = true;
    bool last = ++x->n_ended == x->n_choices;
    srv_reply_calls(c);
    if (x->req.stream && !x->gone) {
        srv_reply_delta(c);
        if (!last) srv_reply_end_choice(c);
        srv_exchange_wake(x);
    }
    pthread_mutex_unlock(&x->lock);
    slx_buf_free(&text);
    if (why) srv_log("error", "fault", "{s:s, s:s}", "id", x->id, "why", why->msg);
    srv_metrics_answer(s->metrics, x->who.user, end, u);
    atomic_fetch_sub(&s->answers, 1);
    if (!last) return;
    leave_active(s->worker, x);
    srv_ledger_finish(s->ledger, x); /* the hold goes with it */
}

/* ------------------------------------------------------------------ the thread */

static void submit(srv_worker *w, srv_exchange *x)
{
    const srv_request *r = &x->req;
    x->prev = NULL;
    x->next = w->active;
    if (w->active) w->active->prev = x;
    w->active = x;
    for (uint32_t i = 0; i < x->n_choices; i++) {
        srv_choice *c = &x->choices[i];
        uint32_t n = (uint32_t)(c->prompt.len / 4);
        slx_sampling sampling = r->sampling;
        sampling.seed += i; /* several answers to one prompt are to differ */
        slx_job_options o = {.draw = {.sampling = sampling,
                                      .frequency = r->frequency,
                                      .presence = r->presence,
                                      .bias = r->bias,
                                      .n_bias = r->n_bias,
                                      .min_new = r->ignore_eos ? UINT32_MAX : r->min_new,
                                      .grammar = c->grammar,
                                      .logprobs = r->logprobs,
                                      .n_top = r->n_top},
                             .max_new = c->max_new,
                             .user = (uint64_t)x->who.id,
                             .on_token = on_token,
                             .on_end = on_end,
                             .arg = c};
        slx_err err;
        o.draw.ends = slx_token_bytes_ends(w->s->tokens, &o.draw.n_ends);
        if (slx_sched_submit(w->sched, (const uint32_t *)(const void *)c->prompt.ptr, n, &o,
                             &c->job, &err) != SLX_OK)
            SLX_BUG("a prompt that http.c let pass: %s", err.msg);
        slx_buf_free(&c->prompt);
    }
}

static void cancel(srv_worker *w, srv_exchange *x)
{
    for (uint32_t i = 0; i < x->n_choices; i++)
        if (x->choices[i].job) slx_sched_cancel(w->sched, x->choices[i].job);
    srv_exchange_drop(x);
}

/* While a connection is suspended nobody else reads its socket: has the client closed it? */
static bool client_left(const srv_exchange *x)
{
    char byte;
    ssize_t n = recv(x->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static void look_for_leavers(srv_worker *w)
{
    double now = slx_now_s();
    if (now - w->looked_s < LOOK_MS * 1e-3) return;
    w->looked_s = now;
    for (srv_exchange *x = w->active, *next; x; x = next) {
        next = x->next;
        pthread_mutex_lock(&x->lock);
        bool left = x->suspended && !x->gone && client_left(x);
        if (left) x->gone = true;
        if (left) srv_exchange_wake(x); /* for the HTTP side to see it too */
        pthread_mutex_unlock(&x->lock);
        if (left) {
            atomic_fetch_add(&x->holders, 1);
            cancel(w, x);
        }
    }
}

/* Takes what has come; waits when there is nothing else to do. False at the end. */
static bool take(srv_worker *w, bool idle)
{
    pthread_mutex_lock(&w->lock);
    slx_sched_get_stats(
        w->sched, &w->stats); /* before a wait, so that nobody sees what has ended still running */
    while (idle && !w->quit && !w->inbox.n && !w->gone.n) pthread_cond_wait(&w->wake, &w->lock);
    basket in = w->inbox, gone = w->gone;
    bool quit = w->quit;
    w->inbox = w->gone = (basket){0};
    pthread_mutex_unlock(&w->lock);
    for (uint32_t i = 0; i < in.n; i++) submit(w, in.at[i]);
    for (uint32_t i = 0; i < gone.n; i++) cancel(w, gone.at[i]);
    free(in.at);
    free(gone.at);
    return !quit;
}

static void *run(void *arg)
{
    srv_worker *w = arg;
    bool idle = false;
    while (take(w, idle)) {
        idle = !slx_sched_step(w->sched);
        look_for_leavers(w);
    }
    slx_sched_close(w->sched);
    return NULL;
}

/* ------------------------------------------------------------------ from other threads */

srv_worker *srv_worker_open(srv_server *s)
{
    srv_worker *w = slx_xcalloc(1, sizeof *w);
    slx_sched_options o = {.chunk = s->opt->chunk,
                           .slots = s->opt->slots,
                           .pages = s->opt->pages,
                           .no_prefix_cache = s->opt->no_prefix_cache,
                           .clock = s->clock ? slx_chip_clock_at : NULL,
                           .clock_arg = s->clock};
    w->s = s;
    w->sched = slx_sched_open(s->engine, &o);
    s->context = slx_sched_context(w->sched);
    slx_sched_get_stats(w->sched, &w->stats);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    if (pthread_create(&w->thread, NULL, run, w)) SLX_BUG("cannot start the engine's thread");
    return w;
}

/* What came too late: its client is told so by the closed connection. */
static void turn_away(srv_exchange *x)
{
    pthread_mutex_lock(&x->lock);
    x->gone = x->done = true;
    srv_exchange_wake(x);
    pthread_mutex_unlock(&x->lock);
    srv_exchange_drop(x);
}

void srv_worker_stop(srv_worker *w)
{
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->quit = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_lock(&w->lock);
    w->stopped = true;
    basket in = w->inbox, gone = w->gone;
    w->inbox = w->gone = (basket){0};
    pthread_mutex_unlock(&w->lock);
    for (uint32_t i = 0; i < in.n; i++) turn_away(in.at[i]);
    for (uint32_t i = 0; i < gone.n; i++) srv_exchange_drop(gone.at[i]);
    free(in.at);
    free(gone.at);
}

void srv_worker_free(srv_worker *w)
{
    if (!w) return;
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    free(w);
}

static bool hand(srv_worker *w, basket *b, srv_exchange *x)
{
    atomic_fetch_add(&x->holders, 1);
    pthread_mutex_lock(&w->lock);
    bool taken = !w->stopped;
    if (taken) put(b, x);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    return taken;
}

void srv_worker_submit(srv_worker *w, srv_exchange *x)
{
    if (!hand(w, &w->inbox, x)) turn_away(x);
}

void srv_worker_cancel(srv_worker *w, srv_exchange *x)
{
    if (!hand(w, &w->gone, x)) srv_exchange_drop(x);
}

void srv_worker_stats(srv_worker *w, slx_sched_stats *out)
{
    pthread_mutex_lock(&w->lock);
    *out = w->stats;
    pthread_mutex_unlock(&w->lock);
}
