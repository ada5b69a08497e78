/* ledger.c - usage to disk before an answer ends for its client, without holding up the engine: one thread takes what
 * has ended meanwhile and writes it in one transaction.
 *
 * When the database cannot be written the answers end for their clients all the same, their usage waits here and is
 * tried again every second, and new requests are refused until it is written: nobody gets what is not counted.
 */
#include "server/server_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 4096 }; /* records of one transaction */

struct srv_ledger {
    srv_server *s;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    srv_exchange *first, *last; /* ended, in order; chained by next */
    bool quit, failing;
    char why[768];
};

static srv_usage usage_of(const srv_exchange *x)
{
    static const char *const names[] = {
        [SRV_CHAT] = "chat", [SRV_COMPLETIONS] = "completions", [SRV_RESPONSES] = "responses"};
    static const char *const ends[] = {[SLX_END_STOP] = "stop",
                                       [SLX_END_LENGTH] = "length",
                                       [SLX_END_CANCELLED] = "cancelled",
                                       [SLX_END_FAULT] = "fault"};
    const slx_job_usage *u = &x->usage;
    srv_usage r = {.who = x->who,
                   .endpoint = names[x->req.api],
                   .model = x->s->model_name,
                   .end = ends[x->choices[x->n_choices - 1].end],
                   .at = (int64_t)time(NULL),
                   .prompt = u->prompt_tokens,
                   .cached = u->cached_tokens,
                   .made = u->new_tokens,
                   .joules = u->chip_known ? u->chip_j : -1,
                   .usd = u->chip_known ? srv_usd(x) : -1,
                   .chip_s = u->chip_known ? u->chip_share_s : -1,
                   .host_s = u->total_s};
    snprintf(r.request, sizeof r.request, "%s", x->id);
    return r;
}

/* The client's last bytes; then the exchange is let go. What it may have spent is no longer held by then, so that who
 * asks again at once finds his tokens counted once. */
static void finish(srv_exchange *x)
{
    srv_limits_release(x->s->limits, &x->who, x->reserved_tokens);
    pthread_mutex_lock(&x->lock);
    if (!x->gone) srv_reply_finish(x);
    x->done = true;
    srv_exchange_wake(x);
    pthread_mutex_unlock(&x->lock);
    srv_exchange_drop(x);
}

static bool write_all(srv_ledger *l, const srv_usage *u, size_t n)
{
    slx_err err;
    if (!l->s->store || !n) return true;
    slx_status st = srv_store_add_usage(l->s->store, u, n, &err);
    pthread_mutex_lock(&l->lock);
    bool before = l->failing;
    l->failing = st != SLX_OK;
    if (st != SLX_OK) snprintf(l->why, sizeof l->why, "%s", err.msg);
    pthread_mutex_unlock(&l->lock);
    if (st != SLX_OK && !before)
        srv_log("error", "ledger", "{s:s, s:I}", "why", err.msg, "records_waiting", (json_int_t)n);
    if (st == SLX_OK && before) srv_log("info", "ledger", "{s:s}", "state", "writing again");
    return st == SLX_OK;
}

static void *run(void *arg)
{
    srv_ledger *l = arg;
    srv_usage *rows = slx_xcalloc(MOST, sizeof *rows); /* the first n_rows are not on disk yet */
    size_t n_rows = 0;
    for (;;) {
        srv_exchange *ended[MOST];
        size_t n = 0;
        pthread_mutex_lock(&l->lock);
        if (!l->first && !l->quit && n_rows) {
            struct timespec t;
            clock_gettime(CLOCK_REALTIME, &t);
            t.tv_sec++;
            pthread_cond_timedwait(&l->wake, &l->lock, &t);
        }
        while (!l->first && !l->quit && !n_rows) pthread_cond_wait(&l->wake, &l->lock);
        bool quit = l->quit && !l->first;
        while (l->first && n_rows + n < MOST) {
            ended[n++] = l->first;
            l->first = l->first->next;
        }
        if (!l->first) l->last = NULL;
        pthread_mutex_unlock(&l->lock);
        for (size_t i = 0; i < n; i++) rows[n_rows + i] = usage_of(ended[i]);
        n_rows += n;
        if (write_all(l, rows, n_rows)) n_rows = 0;
        for (size_t i = 0; i < n; i++) finish(ended[i]);
        if (n_rows == MOST)
            nanosleep(&(struct timespec){.tv_sec = 1},
                      NULL); /* full: the next ones wait for the disk */
        if (quit) break;
    }
    if (n_rows)
        srv_log("error", "ledger", "{s:s, s:I}", "state", "usage lost", "records",
                (json_int_t)n_rows);
    free(rows);
    return NULL;
}

srv_ledger *srv_ledger_open(srv_server *s)
{
    srv_ledger *l = slx_xcalloc(1, sizeof *l);
    l->s = s;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, NULL);
    if (pthread_create(&l->thread, NULL, run, l)) SLX_BUG("cannot start the ledger's thread");
    return l;
}

void srv_ledger_stop(srv_ledger *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->quit = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
}

void srv_ledger_free(srv_ledger *l)
{
    if (!l) return;
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->wake);
    free(l);
}

void srv_ledger_finish(srv_ledger *l, srv_exchange *x)
{
    pthread_mutex_lock(&l->lock);
    x->next = NULL;
    *(l->last ? &l->last->next : &l->first) = x;
    l->last = x;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
}

bool srv_ledger_healthy(srv_ledger *l, char *why, size_t n)
{
    pthread_mutex_lock(&l->lock);
    bool ok = !l->failing;
    if (!ok) snprintf(why, n, "%s", l->why);
    pthread_mutex_unlock(&l->lock);
    return ok;
}
