/* limits.c - what a key may do now: requests a minute (a bucket that fills steadily, so bursts up to a minute's worth
 * pass), and tokens of today's quota, counted as spent from the moment a request may spend them. In memory: a restart
 * forgets buckets, never what is spent.
 */
#include "server/server_int.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    int64_t key;
    double tokens, at; /* of the bucket, when */
    uint64_t reserved;
} entry;

struct srv_limits {
    pthread_mutex_t lock;
    entry *at;
    uint32_t n, cap;
};

srv_limits *srv_limits_open(void)
{
    srv_limits *l = slx_xcalloc(1, sizeof *l);
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void srv_limits_close(srv_limits *l)
{
    if (!l) return;
    pthread_mutex_destroy(&l->lock);
    free(l->at);
    free(l);
}

/* As many rows as keys that were ever used. */
static entry *find(srv_limits *l, const srv_key *k)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (l->at[i].key == k->id) return &l->at[i];
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 16;
        l->at = slx_xrealloc(l->at, l->cap * sizeof *l->at);
    }
    l->at[l->n] = (entry){.key = k->id, .tokens = k->per_minute, .at = slx_now_s()};
    return &l->at[l->n++];
}

bool srv_limits_request(srv_limits *l, const srv_key *k, double *retry_s)
{
    double per_s = k->per_minute / 60.0, now = slx_now_s();
    if (!k->per_minute) return true;
    pthread_mutex_lock(&l->lock);
    entry *e = find(l, k);
    e->tokens += (now - e->at) * per_s;
    e->at = now;
    if (e->tokens > k->per_minute) e->tokens = k->per_minute;
    bool ok = e->tokens >= 1;
    if (ok)
        e->tokens -= 1;
    else
        *retry_s = (1 - e->tokens) / per_s;
    pthread_mutex_unlock(&l->lock);
    return ok;
}

slx_status srv_limits_reserve(srv_limits *l, srv_store *store, const srv_key *k, uint64_t least,
                              uint64_t most, uint64_t *spent, uint64_t *held, slx_err *err)
{
    pthread_mutex_lock(&l->lock);
    entry *e = find(l, k);
    slx_status st = srv_store_spent(store, k->id, (int64_t)time(NULL), spent, err);
    uint64_t taken = *spent + e->reserved, left = taken < k->day_tokens ? k->day_tokens - taken : 0;
    *held = st != SLX_OK || left < least ? 0 : left < most ? left : most;
    e->reserved += *held;
    pthread_mutex_unlock(&l->lock);
    return st;
}

void srv_limits_release(srv_limits *l, const srv_key *k, uint64_t tokens)
{
    if (!tokens) return;
    pthread_mutex_lock(&l->lock);
    entry *e = find(l, k);
    e->reserved -= tokens < e->reserved ? tokens : e->reserved;
    pthread_mutex_unlock(&l->lock);
}
