/* sim.h - the state of a simulation: sim.c moves it on, sim_state.c makes it, looks at it and ends it. */
#ifndef SLX_TIME_SIM_H
#define SLX_TIME_SIM_H

#include "time/path.h"
#include "time/time_int.h"

typedef struct {
    slx_tm_rec r;
    uint32_t *idx; /* owned; NULL unless indexed */
} slx_tm_entry;

typedef enum { SLX_TM_IDLE, SLX_TM_REQUEST, SLX_TM_POSTING, SLX_TM_AT_BAR } slx_tm_engine_state;

typedef struct {
    slx_tm_entry *ring;         /* [slots] number q in slot q & (slots - 1), as all that follow */
    slx_tm_stamp *disp, *began; /* [slots] stamps: put into the queue; left it */
    uint64_t head, tail; /* started, dispatched */
    slx_tm_engine_state state;
    slx_tm_entry cur;
    slx_tm_stamp *start, *end; /* of cur */
    slx_tm_stamp *free;        /* the engine can start its next */
    slx_tm_stamp *last;        /* end of the one before cur */
    slx_tm_stamp *flight;      /* [flights] ends of the latest transfers */
    uint64_t transfers;
    uint64_t busy, token, empty;
} slx_tm_engine;

typedef struct {
    uint64_t posted, taken;
    uint32_t cap;
    slx_tm_stamp *posts;    /* [cap] of posts not yet taken */
    uint64_t *takes; /* [takes] cycles of the latest waits */
} slx_tm_token;

typedef struct {
    slx_tm_engine e[SLX_N_ENGINES];
    slx_tm_token tok[SLX_N_TOKENS];
    slx_tm_stamp *now; /* CTL */
    bool have, waited, done, queued; /* have: of the records taken, the last is not dispatched yet */
    uint32_t late_bound, late_span; /* folded: of the transfer the class waited longest for */
    uint64_t late;
} slx_tm_tile;

typedef struct {
    uint64_t t;
    uint32_t tile, engine;
} slx_tm_request;

typedef struct {
    const slx_tm_sim_args *a;
    slx_tm_tile *tiles;
    uint32_t n, depth, flight;
    slx_tm_paths paths;
    uint32_t token_max;
    uint32_t slots, flights, takes; /* depth, flight and token_max or a little more: powers of two */
    uint64_t dispatch, lds, hop;
    slx_tm_request *heap;
    uint32_t n_heap;
    uint32_t *work, n_work;
    uint32_t *arrived, *members; /* [n_groups] */
    slx_tm_net net;
    uint32_t *sim_of; /* [walk->n] tile -> index here, or UINT32_MAX */
    slx_tm_stamp *scratch;
    uint64_t simulated;
    slx_tm_spm *spm; /* [n + 1]; the last: what comes to all tiles */
    slx_arena arena;
    void *queues; /* all rings; touched as deep as they fill */
    size_t queue_bytes;
} slx_tm_sim;

static inline void slx_tm_sim_add(slx_tm_sim *s, slx_tm_stamp *d, unsigned bound, uint32_t span, uint64_t cycles)
{
    slx_tm_stamp_add(&s->paths, d, bound, span, cycles);
}

/* The record of a tile taken last; until its walker goes on. */
static inline slx_tm_rec *slx_tm_record(const slx_tm_walker *w)
{
    return (slx_tm_rec *)(void *)w->recs.ptr + w->taken - 1;
}

/* Queues empty, nothing booked, all at cycle 0. */
void slx_tm_sim_init(slx_tm_sim *s, const slx_tm_sim_args *a);
void slx_tm_sim_deinit(slx_tm_sim *s);
/* Stretches that no stamp in use reaches are dropped. */
void slx_tm_sim_drop_paths(slx_tm_sim *s);
/* The BAR of r ends at `at`: into s->a->mark, where it is one of those. */
void slx_tm_sim_mark(slx_tm_sim *s, const slx_tm_rec *r, const slx_tm_stamp *at);
/* A class is through when its last tile is. */
void slx_tm_sim_last_of_class(slx_tm_sim *s, const slx_tm_tile *t, slx_tm_stamp *at);
/* Nothing moves any more: SLX_EFAULT where somebody still waits. */
slx_status slx_tm_sim_stuck(const slx_tm_sim *s, slx_err *err);
/* Cycles, bounds, spans and engines of out, which is zeroed. */
void slx_tm_sim_results(slx_tm_sim *s, slx_time_result *out);

#endif
