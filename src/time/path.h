/* path.h - times that know what they consisted of.
 *
 * A stamp is a time and a chain of stretches that sum to it, each of one bound and one span: the path of what was
 * waited for. Stamps that come from one another share their chains, so a copy costs as much as a number; a stretch
 * that no stamp reaches any more is used again. Two times stand in a stamp: of the tile simulated and of the last of
 * its class. */
#ifndef SLX_TIME_PATH_H
#define SLX_TIME_PATH_H

#include "base/base.h"

#include <stdlib.h>

typedef struct {
    uint64_t cycles;
    uint32_t up, refs; /* up: what came before, 0 = nothing; of a free one the next free */
    uint32_t key;
} slx_tm_stretch;

typedef struct {
    slx_tm_stretch *s; /* [0] unused */
    uint32_t used, cap, free;
} slx_tm_paths;

typedef struct {
    uint64_t t, last; /* cycles; t = sum of the chain and of `own`, last >= t */
    uint32_t at;      /* newest shared stretch, 0 = time 0 */
    uint32_t key;     /* of the newest stretch, not shared yet: span << 8 | bound */
    uint64_t own;     /* its cycles */
} slx_tm_stamp;

static inline void slx_tm_paths_deinit(slx_tm_paths *p)
{
    free(p->s);
}

static inline void slx_tm_stamp_drop(slx_tm_paths *p, uint32_t i)
{
    while (i && --p->s[i].refs == 0) {
        uint32_t up = p->s[i].up;
        p->s[i].up = p->free;
        p->free = i;
        i = up;
    }
}

/* d := v. */
static inline void slx_tm_stamp_set(slx_tm_paths *p, slx_tm_stamp *d, const slx_tm_stamp *v)
{
    if (v->at) p->s[v->at].refs++;
    slx_tm_stamp_drop(p, d->at);
    *d = *v;
}

/* d := the later of d and v. */
static inline void slx_tm_stamp_later(slx_tm_paths *p, slx_tm_stamp *d, const slx_tm_stamp *v)
{
    uint64_t last = d->last > v->last ? d->last : v->last;
    if (v->t > d->t) slx_tm_stamp_set(p, d, v);
    d->last = last;
}

uint32_t slx_tm_stretch_new(slx_tm_paths *p);

static inline void slx_tm_stamp_add(slx_tm_paths *p, slx_tm_stamp *d, unsigned bound, uint32_t span, uint64_t cycles)
{
    uint32_t key = span << 8 | bound;
    d->t += cycles;
    d->last += cycles;
    if (!cycles) return;
    if (d->own && d->key != key) {
        uint32_t i = p->free;
        if (i)
            p->free = p->s[i].up;
        else
            i = slx_tm_stretch_new(p);
        p->s[i] = (slx_tm_stretch){.cycles = d->own, .up = d->at, .refs = 1, .key = d->key};
        d->at = i;
        d->own = 0;
    }
    d->key = key;
    d->own += cycles;
}

#endif
