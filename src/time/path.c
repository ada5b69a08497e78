/* path.c - the log of stretches: see path.h. */
#include "time/path.h"
#include "time/time.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST = 1 << 15 /* stretches that are never worth dropping: half a megabyte */ };

void slx_tm_paths_init(slx_tm_paths *p, uint32_t n_spans)
{
    *p = (slx_tm_paths){.used = SLX_PATH_FIRST, .enough = LEAST, .n_spans = n_spans};
    p->bound = slx_xcalloc(SLX_N_TIME_BOUNDS + (size_t)n_spans, sizeof *p->bound);
    p->span = p->bound + SLX_N_TIME_BOUNDS;
}

void slx_tm_paths_deinit(slx_tm_paths *p)
{
    free(p->s);
    free(p->moved);
    free(p->bound);
}

uint32_t slx_tm_stretch_new(slx_tm_paths *p, slx_tm_stretch s)
{
    if (p->used >= p->cap) {
        p->cap = p->cap ? 2 * p->cap : LEAST / 4;
        p->s = slx_xrealloc(p->s, p->cap * sizeof *p->s);
    }
    p->s[p->used] = s;
    return p->used++;
}

/* Cycles of the stretches from `at` back; returns where they end, START or BASE. */
static uint32_t sum_chain(const slx_tm_paths *p, uint32_t at, uint64_t *bound, uint64_t *span)
{
    for (; at >= SLX_PATH_FIRST; at = p->s[at].up) {
        bound[p->s[at].key & 255] += p->s[at].cycles;
        span[p->s[at].key >> 8] += p->s[at].cycles;
    }
    return at;
}

void slx_tm_paths_sum(const slx_tm_paths *p, const slx_tm_stamp *v, uint64_t *bound, uint64_t *span)
{
    bound[v->key & 255] += v->own;
    span[v->key >> 8] += v->own;
    if (sum_chain(p, v->at, bound, span) != SLX_PATH_BASE) return;
    for (uint32_t i = 0; i < SLX_N_TIME_BOUNDS; i++) bound[i] += p->bound[i];
    for (uint32_t i = 0; i < p->n_spans; i++) span[i] += p->span[i];
}

void slx_tm_paths_begin(slx_tm_paths *p)
{
    p->moved = slx_xcalloc(p->used, sizeof *p->moved);
}

/* Keeps what the kept ones come from. Returns where all chains that are not at START have run together; 0: nowhere. */
static uint32_t keep_chains(slx_tm_paths *p)
{
    uint32_t open = 0;
    for (uint32_t i = SLX_PATH_BASE; i < p->used; i++) open += p->moved[i];
    for (uint32_t i = p->used; i-- > SLX_PATH_FIRST;) {
        if (!p->moved[i]) continue;
        if (open == 1) return i;
        open--;
        uint32_t up = p->s[i].up;
        if (up == SLX_PATH_START || p->moved[up]) continue;
        p->moved[up] = 1;
        open++;
    }
    return 0;
}

/* The chain up to `at` becomes the base. */
static void rebase(slx_tm_paths *p, uint32_t at)
{
    uint64_t *sums = slx_xcalloc(SLX_N_TIME_BOUNDS + (size_t)p->n_spans, sizeof *sums);
    slx_tm_paths_sum(p, &(slx_tm_stamp){.at = at}, sums, sums + SLX_N_TIME_BOUNDS);
    free(p->bound);
    p->bound = sums;
    p->span = sums + SLX_N_TIME_BOUNDS;
}

void slx_tm_paths_sweep(slx_tm_paths *p)
{
    uint32_t base = keep_chains(p), used = SLX_PATH_FIRST;
    if (base) {
        rebase(p, base);
        memset(p->moved, 0, base * sizeof *p->moved);
        p->moved[base] = SLX_PATH_BASE;
    }
    p->moved[SLX_PATH_START] = SLX_PATH_START;
    p->moved[SLX_PATH_BASE] = SLX_PATH_BASE;
    for (uint32_t i = base ? base + 1 : SLX_PATH_FIRST; i < p->used; i++) {
        if (!p->moved[i]) continue;
        p->s[used] = p->s[i];
        p->s[used].up = p->moved[p->s[i].up];
        p->moved[i] = used++;
    }
    p->used = used;
    p->enough = used > LEAST / 2 ? 2 * used : LEAST;
}
