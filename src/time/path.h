/* path.h - times that know what they consisted of.
 *
 * A stamp is a time and a chain of stretches that sum to it, each of one bound and one span: the path of what was
 * waited for. Two times stand in a stamp: of the tile simulated and of the last of its class.
 *
 * Stretches stand in one log in the order they were made, each before all that came after it, so a copy of a stamp is a
 * copy of a few numbers. When the log is long, those that no stamp in use reaches are dropped; and where all chains have
 * run together, as they do behind a barrier, what they share is kept as sums alone:
 *
 *      base <-- 2 <-- 4 <-- 5 <-- stamp         after a while 4 is the base: a sum for each bound and each span
 *                     ^---- 7 <-- stamp
 */
#ifndef SLX_TIME_PATH_H
#define SLX_TIME_PATH_H

#include "base/base.h"

typedef struct {
    uint64_t cycles;
    uint32_t up;  /* what came before: SLX_PATH_START, SLX_PATH_BASE or a stretch made earlier */
    uint32_t key; /* span << 8 | bound */
} slx_tm_stretch;

enum { SLX_PATH_START /* time 0 */, SLX_PATH_BASE, SLX_PATH_FIRST };

typedef struct {
    slx_tm_stretch *s;    /* [cap]; those of SLX_PATH_FIRST..used - 1 are stretches */
    uint32_t used, cap;
    uint32_t enough;      /* so many, and it is time to drop some */
    uint32_t *moved;      /* [used] while stretches are dropped: 0, or 1 and more: kept, its new place */
    uint64_t *bound, *span; /* cycles of the base, by bound and by span */
    uint32_t n_spans;
} slx_tm_paths;

typedef struct {
    uint64_t t, last; /* cycles; t = sum of the chain and of `own`, last >= t */
    uint32_t at;      /* newest stretch of the log */
    uint32_t key;     /* of the newest of all, not in the log yet */
    uint64_t own;     /* its cycles */
} slx_tm_stamp;

/* Keys have spans below n_spans and bounds below SLX_N_TIME_BOUNDS. */
void slx_tm_paths_init(slx_tm_paths *p, uint32_t n_spans);
void slx_tm_paths_deinit(slx_tm_paths *p);
uint32_t slx_tm_stretch_new(slx_tm_paths *p, slx_tm_stretch s);

/* Adds the cycles of v's path to bound[SLX_N_TIME_BOUNDS] and span[n_spans]; they sum to v->t each. */
void slx_tm_paths_sum(const slx_tm_paths *p, const slx_tm_stamp *v, uint64_t *bound, uint64_t *span);

/* Dropping: begin, keep every stamp in use, sweep, then move each of those to where its stretches are now. */
void slx_tm_paths_begin(slx_tm_paths *p);
void slx_tm_paths_sweep(slx_tm_paths *p);
static inline void slx_tm_paths_keep(slx_tm_paths *p, slx_tm_stamp *v)
{
    p->moved[v->at] = 1;
}
static inline void slx_tm_paths_move(slx_tm_paths *p, slx_tm_stamp *v)
{
    v->at = p->moved[v->at];
}

/* d := the later of d and v. */
static inline void slx_tm_stamp_later(slx_tm_stamp *d, const slx_tm_stamp *v)
{
    uint64_t last = d->last > v->last ? d->last : v->last;
    if (v->t > d->t) *d = *v;
    d->last = last;
}

static inline void slx_tm_stamp_add(slx_tm_paths *p, slx_tm_stamp *d, unsigned bound, uint32_t span, uint64_t cycles)
{
    uint32_t key = span << 8 | bound;
    d->t += cycles;
    d->last += cycles;
    if (!cycles) return;
    if (d->own && d->key != key) {
        d->at = slx_tm_stretch_new(p, (slx_tm_stretch){.cycles = d->own, .up = d->at, .key = d->key});
        d->own = 0;
    }
    d->key = key;
    d->own += cycles;
}

#endif
