/* sim_state.c - a simulation's beginning, its marks and its end: see sim.h. */
#include "time/sim.h"

#include <stdlib.h>
#include <string.h>

typedef slx_tm_stamp stamp;
typedef slx_tm_entry entry;
typedef slx_tm_engine engine;
typedef slx_tm_tile tile;
typedef slx_tm_request request;
typedef slx_tm_sim sim;

/* ------------------------------------------------------------------ beginning and end */

/* The least power of two that is no less than n. */
static uint32_t two_to(uint32_t n)
{
    uint32_t p = 1;
    while (p < n) p *= 2;
    return p;
}

void slx_tm_sim_init(sim *s, const slx_tm_sim_args *a)
{
    const slx_chip *c = a->chip;
    *s = (sim){.a = a,
               .n = a->n,
               .depth = c->tile.queue_depth,
               .flight = c->tile.dma_in_flight,
               .token_max = a->prog->info.token_max ? a->prog->info.token_max : c->tile.token_max,
               .dispatch = (uint64_t)(c->tile.dispatch_cycles + 0.5),
               .lds = (uint64_t)(c->tile.lds_cycles + 0.5),
               .hop = (uint64_t)(c->noc.hop_clk + 0.5)};
    s->slots = two_to(s->depth), s->flights = two_to(s->flight), s->takes = two_to(s->token_max);
    slx_arena_init(&s->arena);
    slx_tm_paths_init(&s->paths, a->prog->n_spans + 1);
    s->tiles = slx_new(&s->arena, tile, s->n);
    s->heap = slx_new(&s->arena, request, 3 * s->n + 1);
    s->net = a->walk->net;
    s->work = slx_new(&s->arena, uint32_t, s->n);
    s->arrived = slx_new(&s->arena, uint32_t, a->prog->n_groups + 1);
    s->members = slx_new(&s->arena, uint32_t, a->prog->n_groups + 1);
    s->sim_of = slx_new(&s->arena, uint32_t, a->walk->n);
    s->spm = slx_new(&s->arena, slx_tm_spm, s->n + 1);
    for (uint32_t i = 0; i <= s->n; i++) {
        s->spm[i].bytes_clk = (uint64_t)c->tile.spm_banks * c->tile.bank_bytes_clk;
        s->spm[i].common = i < s->n ? s->spm + s->n : NULL;
    }
    s->scratch = slx_new(&s->arena, stamp, 2);
    for (uint32_t k = 0; k < a->walk->n; k++) s->sim_of[k] = UINT32_MAX;
    const size_t ring = s->slots * sizeof(entry), stamps = s->slots * sizeof(stamp);
    s->queue_bytes = (size_t)s->n * SLX_N_ENGINES * (ring + 2 * stamps);
    char *at = s->queues = slx_lazy_alloc(s->queue_bytes);
    for (uint32_t i = 0; i < s->n; i++) {
        tile *t = &s->tiles[i];
        s->sim_of[a->tiles[i]] = i;
        t->now = slx_new(&s->arena, stamp, 1);
        for (unsigned k = 1; k < SLX_N_ENGINES; k++) {
            engine *e = &t->e[k];
            if (k == SLX_ENG_NET && s->net.chips < 2) continue;
            e->ring = (entry *)(void *)at, at += ring;
            e->disp = (stamp *)(void *)at, at += stamps;
            e->began = (stamp *)(void *)at, at += stamps;
            e->start = slx_new(&s->arena, stamp, 4);
            e->end = e->start + 1, e->free = e->start + 2, e->last = e->start + 3;
            e->flight = slx_new(&s->arena, stamp, s->flights);
        }
    }
    for (uint32_t g = 0; g < a->prog->n_groups; g++)
        for (uint32_t k = a->prog->groups[g].first;
             k < a->prog->groups[g].first + a->prog->groups[g].count; k++)
            if (k < a->walk->n && s->sim_of[k] != UINT32_MAX) s->members[g]++;
}

void slx_tm_sim_deinit(sim *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        for (unsigned k = 1; k < SLX_N_ENGINES; k++) {
            engine *e = &s->tiles[i].e[k];
            for (uint64_t q = e->head; q < e->tail; q++) free(e->ring[q & (s->slots - 1)].idx);
            free(e->cur.idx);
        }
    slx_tm_paths_deinit(&s->paths);
    slx_lazy_free(s->queues, s->queue_bytes);
    slx_arena_deinit(&s->arena);
}

/* ------------------------------------------------------------------ paths and marks */

/* The number of what came `n` before number q, 0 where nothing did. */
static uint64_t before(uint64_t q, uint64_t n)
{
    return q > n ? q - n : 0;
}

/* Every stamp whose path may still be asked for. */
static void each_stamp(sim *s, void (*fn)(slx_tm_paths *, stamp *))
{
    for (uint32_t i = 0; i < s->n; i++) {
        tile *t = &s->tiles[i];
        fn(&s->paths, t->now);
        for (unsigned k = 1; k < SLX_N_TOKENS; k++)
            for (uint64_t q = t->tok[k].taken; q < t->tok[k].posted; q++)
                fn(&s->paths, t->tok[k].posts + (q & (t->tok[k].cap - 1)));
        for (unsigned k = 1; k < SLX_N_ENGINES; k++) {
            engine *e = &t->e[k];
            if (!e->ring) continue;
            fn(&s->paths, e->start), fn(&s->paths, e->end), fn(&s->paths, e->free), fn(&s->paths, e->last);
            for (uint64_t q = before(e->transfers, s->flight); q < e->transfers; q++)
                fn(&s->paths, e->flight + (q & (s->flights - 1)));
            for (uint64_t q = e->head; q < e->tail; q++) fn(&s->paths, e->disp + (q & (s->slots - 1)));
            for (uint64_t q = before(e->head, s->depth); q < e->head; q++)
                fn(&s->paths, e->began + (q & (s->slots - 1)));
        }
    }
}

void slx_tm_sim_drop_paths(sim *s)
{
    slx_tm_paths_begin(&s->paths);
    each_stamp(s, slx_tm_paths_keep);
    slx_tm_paths_sweep(&s->paths);
    each_stamp(s, slx_tm_paths_move);
    free(s->paths.moved);
    s->paths.moved = NULL;
}

static void sum_engines(const sim *s, slx_time_engine out[SLX_N_ENGINES])
{
    for (uint32_t i = 0; i < s->n; i++)
        for (unsigned k = 0; k < SLX_N_ENGINES; k++) {
            const engine *e = &s->tiles[i].e[k];
            out[k].busy += e->busy * s->a->copies[i];
            out[k].token += e->token * s->a->copies[i];
            out[k].empty += e->empty * s->a->copies[i];
        }
}

/* The BAR at r->pc ends at `at`. */
void slx_tm_sim_mark(sim *s, const slx_tm_rec *r, const stamp *at)
{
    for (int i = 0; i < 2; i++) {
        slx_tm_mark *m = &s->a->mark[i];
        if (m->met || m->layer != r->layer || (m->pc && m->pc != r->pc)) continue;
        m->met = true;
        m->cycles = at->t;
        slx_tm_paths_sum(&s->paths, at, m->bound, m->span);
        sum_engines(s, m->engine);
        if (!i) s->a->mark[1].pc = r->pc;
    }
}

/* ------------------------------------------------------------------ results */

void slx_tm_sim_last_of_class(sim *s, const tile *t, stamp *at)
{
    if (at->last > at->t) slx_tm_sim_add(s, at, t->late_bound, t->late_span, at->last - at->t);
    at->last = at->t;
}

slx_status slx_tm_sim_stuck(const sim *s, slx_err *err)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const tile *t = &s->tiles[i];
        uint32_t pc = UINT32_MAX;
        if (t->have) pc = slx_tm_record(&s->a->walk->w[s->a->tiles[i]])->pc;
        for (unsigned k = 1; k < SLX_N_ENGINES; k++) {
            const engine *e = &t->e[k];
            if (e->state != SLX_TM_IDLE)
                pc = e->cur.r.pc;
            else if (e->head != e->tail)
                pc = e->ring[e->head & (s->slots - 1)].r.pc;
        }
        if (pc != UINT32_MAX)
            return slx_fail(err, SLX_EFAULT, s->a->prog->info.model_name, 0, 0,
                            "tile %u, pc %u: waits for ever", s->a->tiles[i], pc);
    }
    return SLX_OK;
}

void slx_tm_sim_results(sim *s, slx_time_result *out)
{
    stamp *end = s->scratch, *tile_end = s->scratch + 1;
    *end = (stamp){0};
    for (uint32_t i = 0; i < s->n; i++) {
        tile *t = &s->tiles[i];
        *tile_end = *t->now;
        for (unsigned k = 0; k < SLX_N_ENGINES; k++) {
            const engine *e = &t->e[k];
            if (e->last) slx_tm_stamp_later(tile_end, e->last);
        }
        slx_tm_sim_last_of_class(s, t, tile_end);
        slx_tm_stamp_later(end, tile_end);
    }
    sum_engines(s, out->engine);
    out->cycles = end->t;
    out->simulated = s->simulated;
    uint64_t *span = slx_xcalloc(out->n_spans, sizeof *span);
    slx_tm_paths_sum(&s->paths, end, out->bound, span);
    for (uint32_t i = 0; i < out->n_spans; i++) out->spans[i].cycles = span[i];
    free(span);
    for (int b = 0; b < SLX_N_TIME_BOUNDS; b++)
        if (out->bound[b] > out->bound[out->bound_by]) out->bound_by = (slx_time_bound)b;
}
