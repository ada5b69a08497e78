/* hbm_traffic.h - a pseudo-channel under mixed traffic, watched: by the checker for its commands,
 * and here for what was served: every burst once, and to one place reads and writes in order. */
#ifndef HBM_TRAFFIC_H
#define HBM_TRAFFIC_H

#include "time/hbm_queue.h"

#include <stdlib.h>
#include <string.h>

enum { TRAFFIC_PLACES = 1 << 18 };

typedef struct {
    slx_hbmq_check *check;
    uint32_t *wrote, *read; /* [TRAFFIC_PLACES] newest tag served */
    uint32_t *place;        /* [tags] | 1 << 31 when written; all ones once served */
    uint64_t served, twice, out_of_order;
    slx_hash hash;
    bool hashing;
} traffic;

static void traffic_see(void *arg, const slx_hbmq_command *c)
{
    traffic *t = arg;
    slx_hbmq_check_command(t->check, c);
    if (t->hashing) slx_hash_add(&t->hash, (uint64_t[]){c->at, c->row, c->bank, c->op}, 32);
    if (c->op != SLX_HBMQ_RD && c->op != SLX_HBMQ_WR) return;
    uint32_t tag = (uint32_t)c->tag, at = t->place[tag] & ~(UINT32_C(1) << 31);
    if (t->place[tag] == UINT32_MAX) {
        t->twice++;
        return;
    }
    bool write = c->op == SLX_HBMQ_WR;
    t->twice += write != t->place[tag] >> 31; /* or not what was asked for */
    t->place[tag] = UINT32_MAX;
    t->served++;
    t->out_of_order += tag < t->wrote[at] || (write && tag < t->read[at]);
    uint32_t *last = write ? &t->wrote[at] : &t->read[at];
    if (*last < tag) *last = tag;
}

/* Tags begin at 1. Streams, random places, few places, bursts of writes, pauses; a new mix every
 * 4096 bursts. */
static slx_hbmq_stats traffic_run(traffic *t, const slx_hbmq_params *p, uint64_t seed, uint32_t n)
{
    t->check = slx_hbmq_check_new(p);
    t->wrote = slx_xcalloc(TRAFFIC_PLACES, sizeof *t->wrote);
    t->read = slx_xcalloc(TRAFFIC_PLACES, sizeof *t->read);
    t->place = slx_xcalloc((size_t)n + 1, sizeof *t->place);
    slx_hash_init(&t->hash);
    slx_hbmq *q = slx_hbmq_new(p);
    slx_hbmq_trace(q, traffic_see, t);
    slx_rng r = {seed};
    uint32_t kind = 0, writes = 0, at[8] = {0};
    uint64_t now = 0;
    for (uint32_t i = 1; i <= n; i++) {
        uint64_t x = slx_rng_u64(&r);
        if (i % 4096 == 1) {
            kind = x % 5, writes = (uint32_t[]){0, 10, 50, 90, 100}[x >> 8 & 3];
            for (int k = 0; k < 8; k++) at[k] = slx_rng_below(&r, TRAFFIC_PLACES);
        }
        uint32_t *s = &at[x >> 20 & (kind == 1 ? 7 : 0)], where;
        bool write = (x >> 32) % 100 < writes;
        if (kind < 2)
            where = (*s)++ % TRAFFIC_PLACES;
        else if (kind == 2)
            where = (uint32_t)(x >> 40) % TRAFFIC_PLACES;
        else if (kind == 3)
            where = (at[0] + (uint32_t)(x >> 40) % 64) % TRAFFIC_PLACES;
        else
            where = (at[x >> 40 & 3] + (uint32_t)(x >> 44) % 16 * 4096) % TRAFFIC_PLACES;
        uint64_t end = slx_hbmq_get_stats(q).end;
        if ((x & 1023) == 0) now = end + (x >> 50) % (x & 2048 ? 100 : 20000);
        t->place[i] = where | (uint32_t)write << 31;
        slx_hbmq_push(q, where, write, i, now);
    }
    slx_hbmq_check_end(t->check, slx_hbmq_drain(q));
    slx_hbmq_stats stats = slx_hbmq_get_stats(q);
    slx_hbmq_free(q);
    free(t->wrote);
    free(t->read);
    free(t->place);
    return stats;
}

/* 0 when nothing was wrong; else says what. */
static int traffic_complain(const traffic *t, uint64_t n)
{
    int bad = 0;
    for (int i = 0; i < SLX_N_HBMQ_RULES; i++) {
        uint64_t k = slx_hbmq_check_broken(t->check, (slx_hbmq_rule)i);
        if (k) printf("%s: broken %llu times\n", slx_hbmq_rule_name((slx_hbmq_rule)i), (unsigned long long)k);
        bad += k != 0;
    }
    if (t->served != n || t->twice || t->out_of_order)
        printf("served %llu of %llu, %llu wrongly, %llu out of order\n", (unsigned long long)t->served,
               (unsigned long long)n, (unsigned long long)t->twice, (unsigned long long)t->out_of_order);
    return bad + (t->served != n || t->twice || t->out_of_order);
}

/* Share of the pins that `streams` reach in the queue, evenly over the banks, in turn `request` bursts each. */
static double traffic_share(const slx_hbmq_params *p, uint32_t streams, uint32_t request, double writes, uint32_t bursts)
{
    uint64_t sets = p->banks / p->spread, row = (uint64_t)p->columns * p->spread, at[32], n = 0;
    slx_rng r = {11};
    slx_hbmq *q = slx_hbmq_new(p);
    for (uint64_t j = 0; j < streams; j++) at[j] = j * row * sets * 1000 + j * row * sets / streams / request * request;
    while (n < bursts)
        for (uint32_t j = 0; j < streams; j++) {
            bool write = slx_rng_below(&r, 1000) < writes * 1000;
            for (uint32_t b = 0; b < request; b++, n++) slx_hbmq_push(q, at[j]++, write, 0, 0);
        }
    double share = (double)(n * p->burst) / (double)slx_hbmq_drain(q);
    slx_hbmq_free(q);
    return share;
}

#endif
