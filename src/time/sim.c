/* sim.c - records through queues, engines and tokens: when each starts and ends.
 *
 *   CTL      an instruction a clock; dispatch_clk later it stands in its engine's queue; a full
 *            queue
 *            holds CTL until the engine starts its oldest; LDS takes lds_clk and its tokens, since
 *            registers need its value
 *   engines  in order, one at a time; LDQ and STQ begin the next transfer a clock later while fewer
 *            than dma_in_flight are under way (LDX waits for those before it, which may bring its
 *            indices); ends are in order
 *   tokens   a wait takes the oldest post; a post on a full counter waits for the wait that makes
 *            room
 *   NET      RED and GAT like transfers: the next begins while others are under way; booked on the chip's ports (net.c)
 *   scratchpad  engines of a tile that run at once share its banks (spm.c)
 *   BAR      when every earlier store of its tile is done; ends everywhere hop_clk * diameter after
 *            the last has come
 *
 * Engines of a tile meet only in tokens, so within a tile each instruction's times follow from
 * times already known, in any order of evaluation. Only memory and links are shared: a transfer
 * is booked when its start is the earliest of all tiles (a heap). What a booking causes starts
 * no earlier than it, so bookings happen in order of time.
 *
 * Every time is a stamp (path.h): cycles, and what they consisted of along the path of what was waited for, by bound
 * and by span. */
#include "time/sim.h"

#include <stdlib.h>
#include <string.h>

typedef slx_tm_stamp stamp;
typedef slx_tm_entry entry;
typedef slx_tm_engine engine;
typedef slx_tm_token token;
typedef slx_tm_tile tile;
typedef slx_tm_request request;
typedef slx_tm_sim sim;

/* ------------------------------------------------------------------ heap of transfers */

static bool sooner(const request *a, const request *b)
{
    if (a->t != b->t) return a->t < b->t;
    return a->tile != b->tile ? a->tile < b->tile : a->engine < b->engine;
}

static void heap_push(sim *s, request r)
{
    uint32_t i = s->n_heap++;
    for (; i && sooner(&r, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = r;
}

static request heap_pop(sim *s)
{
    request top = s->heap[0], r = s->heap[--s->n_heap];
    uint32_t i = 0;
    for (uint32_t c; (c = 2 * i + 1) < s->n_heap; i = c) {
        if (c + 1 < s->n_heap && sooner(&s->heap[c + 1], &s->heap[c])) c++;
        if (!sooner(&s->heap[c], &r)) break;
        s->heap[i] = s->heap[c];
    }
    s->heap[i] = r;
    return top;
}

static void wake(sim *s, uint32_t t)
{
    if (s->tiles[t].queued) return;
    s->tiles[t].queued = true;
    s->work[s->n_work++] = t;
}

/* ------------------------------------------------------------------ tokens */

static bool tokens_there(const tile *t, const slx_tm_rec *r)
{
    for (int i = 0; i < 2; i++)
        if (r->tok[i] && t->tok[r->tok[i]].posted == t->tok[r->tok[i]].taken) return false;
    return true;
}

/* at := no earlier than the posts; they are taken at that time. */
static void take_tokens(sim *s, tile *t, const slx_tm_rec *r, stamp *at)
{
    for (int i = 0; i < 2; i++) {
        token *k = &t->tok[r->tok[i]];
        if (r->tok[i]) slx_tm_stamp_later(at, k->posts + (k->taken & (k->cap - 1)));
    }
    for (int i = 0; i < 2; i++) {
        token *k = &t->tok[r->tok[i]];
        if (!r->tok[i]) continue;
        k->takes[k->taken & (s->takes - 1)] = at->t;
        k->taken++;
    }
}

/* A post needs a counter below its maximum; at := no earlier than the wait that makes room.
 * false: not known yet. */
static bool room(sim *s, tile *t, const slx_tm_rec *r, stamp *at)
{
    for (int i = 2; i < 4; i++) {
        token *k = &t->tok[r->tok[i]];
        if (r->tok[i] && k->posted - k->taken >= s->token_max) return false;
    }
    for (int i = 2; i < 4; i++) {
        token *k = &t->tok[r->tok[i]];
        if (!r->tok[i] || k->posted < s->token_max) continue;
        uint64_t open = k->takes[(k->posted - s->token_max) & (s->takes - 1)];
        if (open > at->t) slx_tm_sim_add(s, at, SLX_TIME_CONTROL, r->span, open - at->t);
    }
    return true;
}

static void post(sim *s, token *k, const stamp *at)
{
    if (k->posted - k->taken == k->cap) { /* the ring is full: twice the room */
        uint32_t cap = k->cap ? 2 * k->cap : 2;
        stamp *p = slx_new(&s->arena, stamp, cap);
        for (uint64_t i = k->taken; i < k->posted; i++) p[i & (cap - 1)] = k->posts[i & (k->cap - 1)];
        k->posts = p;
        k->cap = cap;
    }
    if (!k->takes) k->takes = slx_new(&s->arena, uint64_t, s->takes);
    k->posts[k->posted & (k->cap - 1)] = *at;
    k->posted++;
}

static void give_tokens(sim *s, tile *t, const slx_tm_rec *r, const stamp *at)
{
    for (int i = 2; i < 4; i++)
        if (r->tok[i]) post(s, &t->tok[r->tok[i]], at);
}

/* ------------------------------------------------------------------ CTL */

/* Indices of a record, valid until the walker goes on: it does so for every tile when one runs dry. */
static const uint32_t *indices(const slx_tm_walker *w, const slx_tm_rec *r)
{
    return (const uint32_t *)(const void *)w->idx.ptr + r->idx_at;
}

/* Takes the next record of a tile, if its stream has not ended. */
static slx_status next_record(sim *s, uint32_t i, slx_err *err)
{
    tile *t = &s->tiles[i];
    slx_tm_walker *w = &s->a->walk->w[s->a->tiles[i]], *l = &s->a->walk->w[s->a->last[i]];
    while (w->taken * sizeof(slx_tm_rec) == w->recs.len) {
        bool moved;
        w->recs.len = w->idx.len = w->taken = 0;
        if (l != w) l->recs.len = l->idx.len = 0;
        if (w->halted) return SLX_OK;
        if (!s->a->walk->apart) {
            SLX_TRY(slx_tm_walk_round(s->a->walk, &moved, err));
            continue;
        }
        SLX_TRY(slx_tm_walk_alone(s->a->walk, w, err));
        if (l != w) SLX_TRY(slx_tm_walk_alone(s->a->walk, l, err));
    }
    w->taken++;
    t->have = true;
    if (l == w) return SLX_OK;
    slx_tm_rec *r = slx_tm_record(w), *o = (slx_tm_rec *)(void *)l->recs.ptr + w->taken - 1;
    uint64_t first = r->addr, last = o->addr;
    if (r->indexed && r->rows) {
        first += *indices(w, r) * r->stride;
        last += *indices(l, o) * o->stride;
    }
    r->delta = (int64_t)(last - first);
    return SLX_OK;
}

static bool ctl_step(sim *s, uint32_t i, slx_err *err, slx_status *st)
{
    tile *t = &s->tiles[i];
    const slx_tm_walker *w = &s->a->walk->w[s->a->tiles[i]];
    if (t->done) return false;
    bool had = t->have;
    if (!had) {
        *st = next_record(s, i, err);
        if (*st != SLX_OK) return false;
        if (!t->have) {
            t->done = true;
            return true;
        }
    }
    const slx_tm_rec *r = slx_tm_record(w);
    if (!had) {
        slx_tm_sim_add(s, t->now, SLX_TIME_CONTROL, r->span, r->ctl);
        t->e[SLX_ENG_CTL].busy += r->ctl + 1u;
    }
    engine *ctl = &t->e[SLX_ENG_CTL];
    if (r->engine == SLX_ENG_CTL) {
        if (!t->waited) {
            if (!tokens_there(t, r)) return false;
            uint64_t was = t->now->t;
            take_tokens(s, t, r, t->now);
            ctl->token += t->now->t - was;
            slx_tm_sim_add(s, t->now, SLX_TIME_CONTROL, r->span, 1 + (r->op == SLX_OP_LDS ? s->lds : 0));
            t->waited = true;
        }
        if (!room(s, t, r, t->now)) return false;
        give_tokens(s, t, r, t->now);
        for (uint32_t k = 0; r->op == SLX_OP_TOK && k < r->rows; k++)
            post(s, &t->tok[r->group], t->now);
        t->waited = t->have = false;
        s->simulated += r->ctl + 1;
        return true;
    }
    engine *e = &t->e[r->engine];
    if (e->tail - e->head >= s->depth) return false;
    uint64_t at = e->tail & (s->slots - 1), was = t->now->t;
    if (e->tail >= s->depth) slx_tm_stamp_later(t->now, e->began + ((e->tail - s->depth) & (s->slots - 1)));
    ctl->empty += t->now->t - was;
    slx_tm_sim_add(s, t->now, SLX_TIME_CONTROL, r->span, 1);
    stamp *d = e->disp + at;
    *d = *t->now;
    slx_tm_sim_add(s, d, SLX_TIME_CONTROL, r->span, s->dispatch);
    e->ring[at] = (entry){.r = *r};
    if (r->indexed) {
        e->ring[at].idx = slx_xmalloc(r->rows * sizeof(uint32_t) + 1);
        memcpy(e->ring[at].idx, indices(w, r),
               r->rows * sizeof(uint32_t));
    }
    e->tail++;
    t->have = false;
    s->simulated += r->ctl + 1;
    return true;
}

/* ------------------------------------------------------------------ engines */

static bool moves(const slx_tm_rec *r)
{
    return r->engine == SLX_ENG_LDQ || r->engine == SLX_ENG_NET ||
           (r->engine == SLX_ENG_STQ && r->op != SLX_OP_BAR);
}

/* The current instruction is over at e->end: posts, and the engine is free. false: no room for a
 * post yet. */
static bool finish(sim *s, uint32_t i, engine *e)
{
    tile *t = &s->tiles[i];
    const slx_tm_rec *r = &e->cur.r;
    if (!room(s, t, r, e->end)) {
        e->state = SLX_TM_POSTING;
        return false;
    }
    give_tokens(s, t, r, e->end);
    uint64_t from = e->start->t > e->last->t ? e->start->t : e->last->t; /* transfers overlap */
    if (r->op == SLX_OP_BAR)
        e->token += e->end->t - from;
    else
        e->busy += e->end->t - from;
    if (moves(r)) {
        e->flight[e->transfers++ & (s->flights - 1)] = *e->end;
        *e->free = *e->start;
        slx_tm_sim_add(s, e->free, SLX_TIME_CONTROL, r->span, 1);
    } else {
        *e->free = *e->end;
    }
    *e->last = *e->end;
    e->state = SLX_TM_IDLE;
    if (s->a->opt->event) {
        const slx_program *p = s->a->prog;
        slx_time_event ev = {.tile = s->a->tiles[i],
                             .pc = r->pc,
                             .op = r->op,
                             .engine = r->engine,
                             .span = r->span < p->n_spans ? p->spans[r->span].name : "",
                             .layer = (int32_t)r->layer - 1,
                             .start = e->start->t,
                             .finish = e->end->t,
                             .bytes = moves(r) ? r->link_bytes : 0,
                             .stack = moves(r) && r->engine != SLX_ENG_NET && r->op != SLX_OP_MOV
                                          ? slx_tm_stack_of(s->a->mem, r)
                                          : SLX_TIME_STACKS,
                             .copies = s->a->copies[i],
                             .clock_ghz = s->a->chip->grid.clock_ghz};
        s->a->opt->event(s->a->opt->event_arg, &ev);
    }
    free(e->cur.idx);
    e->cur.idx = NULL;
    return true;
}

/* What comes to other tiles, in their scratchpads. It does not wait for them. */
static void receive(sim *s, uint32_t i, const slx_tm_rec *r, uint64_t from, uint64_t cycles)
{
    uint32_t first = (uint32_t)r->addr, count = r->op == SLX_OP_MOV;
    if (r->group && (r->op == SLX_OP_MOV || r->op == SLX_OP_LD))
        first = s->a->prog->groups[r->group - 1].first, count = s->a->prog->groups[r->group - 1].count;
    if (count > 1 && count == s->a->walk->n) { /* the sender among them, whose own are counted twice */
        slx_tm_spm_book(s->spm + s->n, from, cycles, r->link_bytes);
        return;
    }
    for (uint32_t t = first; t < first + count; t++)
        if (s->sim_of[t] != UINT32_MAX && s->sim_of[t] != i)
            slx_tm_spm_book(s->spm + s->sim_of[t], from, cycles, r->link_bytes);
}

/* The end of a transfer whose bytes pass from `start + startup` to `end`: when the banks have given or taken them. */
static uint64_t through_scratchpad(sim *s, uint32_t i, const slx_tm_rec *r, uint64_t start, uint64_t startup,
                                   uint64_t end)
{
    uint64_t width = s->spm[i].bytes_clk, from = start + startup < end ? start + startup : end,
             bytes = r->engine == SLX_ENG_NET ? r->busy * width : r->link_bytes;
    uint64_t cycles = end - from, least = (bytes + width - 1) / width;
    if (cycles < least) cycles = least;
    receive(s, i, r, from, cycles);
    return slx_tm_spm_book(s->spm + i, from, cycles, bytes);
}

/* A transfer whose turn has come. */
static void transfer(sim *s, uint32_t i, engine *e)
{
    const slx_tm_rec *r = &e->cur.r;
    uint64_t startup = 0, least = 0, tail = 0, end, start = e->start->t;
    if (!r->rows) {
        end = start + 1;
    } else if (r->engine == SLX_ENG_NET) {
        end = slx_tm_net_book(&s->net, r, s->a->copies[i], s->a->mem->folded, start,
                              &least, &tail);
    } else {
        uint32_t first = s->a->tiles[i], count = 1, far = s->a->far[i];
        if (r->group)
            first = s->a->prog->groups[r->group - 1].first,
            count = s->a->prog->groups[r->group - 1].count;
        else if (r->op == SLX_OP_MOV)
            first = (uint32_t)r->addr;
        for (uint32_t t = first; r->group && t < first + count; t++)
            if (s->a->mem->far[t] > far) far = s->a->mem->far[t];
        if (r->op == SLX_OP_MOV)
            end = slx_tm_move(s->a->mem, r, s->a->tiles[i], first, count, s->a->copies[i], start, &startup);
        else
            end = slx_tm_transfer(s->a->mem, r, e->cur.idx, first, count, far, s->a->copies[i],
                                  start, e->start->last - start, &startup, &least, &tail);
    }
    if (r->rows) end = through_scratchpad(s, i, r, start, startup, end);
    /* What is new since the transfer before: bytes first, then start-up that they did not hide. */
    uint64_t bytes = end - start > startup ? end - start - startup : 0;
    *e->end = *e->start;
    slx_tm_stamp_later(e->end, e->last);
    uint64_t rest = end > e->end->t ? end - e->end->t : 0;
    uint64_t moving = rest < bytes ? rest : bytes;
    slx_tm_sim_add(s, e->end, r->bound, r->span, moving);
    unsigned waiting = !r->rows                   ? SLX_TIME_CONTROL
                       : r->engine == SLX_ENG_NET ? r->bound
                                                  : SLX_TIME_STARTUP;
    slx_tm_sim_add(s, e->end, waiting, r->span, rest - moving);
    if (tail) { /* the last of the class: no earlier than all are served, nor than its own bytes take */
        tile *t = &s->tiles[i];
        uint64_t last = e->start->last + least;
        last = tail > last ? tail : last;
        last = e->last->last > last ? e->last->last : last;
        e->end->last = last > e->end->t ? last : e->end->t;
        if (e->end->last - e->end->t > t->late)
            t->late = e->end->last - e->end->t, t->late_bound = r->bound, t->late_span = r->span;
    }
    finish(s, i, e);
}

static void release(sim *s, const slx_tm_rec *r)
{
    uint32_t g = r->group - 1, span = r->span;
    const struct slx_group *gr = &s->a->prog->groups[g];
    stamp *at = s->scratch;
    *at = (stamp){0};
    for (uint32_t k = gr->first; k < gr->first + gr->count; k++)
        if (s->sim_of[k] != UINT32_MAX) slx_tm_stamp_later(at, s->tiles[s->sim_of[k]].e[SLX_ENG_STQ].start);
    slx_tm_sim_add(s, at, SLX_TIME_BARRIERS, span, s->hop * slx_tm_diameter(s->a->chip, gr->first, gr->count));
    if (s->a->mark) slx_tm_sim_mark(s, r, at);
    s->arrived[g] = 0;
    for (uint32_t k = gr->first; k < gr->first + gr->count; k++) {
        uint32_t i = s->sim_of[k];
        if (i == UINT32_MAX) continue;
        engine *e = &s->tiles[i].e[SLX_ENG_STQ];
        *e->end = *at;
        finish(s, i, e);
        wake(s, i);
    }
}

static bool engine_step(sim *s, uint32_t i, unsigned id)
{
    tile *t = &s->tiles[i];
    engine *e = &t->e[id];
    if (e->state == SLX_TM_POSTING) return finish(s, i, e);
    if (e->state != SLX_TM_IDLE || e->head == e->tail) return false;
    uint64_t at = e->head & (s->slots - 1);
    const slx_tm_rec *r = &e->ring[at].r;
    if (!tokens_there(t, r)) return false;
    stamp *d = e->disp + at, *start = e->start;
    *start = *e->free;
    if (moves(r) && e->transfers >= s->flight)
        slx_tm_stamp_later(start, e->flight + ((e->transfers - s->flight) & (s->flights - 1)));
    if (!moves(r) || r->op == SLX_OP_LDX) slx_tm_stamp_later(start, e->last);
    if (d->t > start->t) e->empty += d->t - start->t;
    slx_tm_stamp_later(start, d);
    uint64_t ready = start->t;
    take_tokens(s, t, r, start);
    e->token += start->t - ready;
    e->began[at] = *start;
    e->cur = e->ring[at];
    e->head++;
    r = &e->cur.r;
    if (moves(r)) {
        e->state = SLX_TM_REQUEST;
        heap_push(s, (request){start->t, i, id});
    } else if (r->op == SLX_OP_BAR) {
        e->state = SLX_TM_AT_BAR;
        slx_tm_sim_last_of_class(s, t, start);
        t->late = 0;
        if (++s->arrived[r->group - 1] == s->members[r->group - 1])
            release(s, &(slx_tm_rec){.pc = r->pc, .layer = r->layer, .group = r->group, .span = r->span});
    } else {
        uint64_t end = slx_tm_spm_book(s->spm + i, start->t, r->busy, r->spm_bytes);
        *e->end = *start;
        slx_tm_sim_add(s, e->end, r->bound, r->span, end - start->t);
        finish(s, i, e);
    }
    return true;
}

/* Everything of one tile that follows from what is known. */
static slx_status tile_run(sim *s, uint32_t i, slx_err *err)
{
    static const unsigned order[] = {SLX_ENG_LDQ, SLX_ENG_TEN, SLX_ENG_VEC, SLX_ENG_NET,
                                     SLX_ENG_STQ};
    slx_status st = SLX_OK;
    for (bool any = true; any && st == SLX_OK;) {
        any = false;
        while (ctl_step(s, i, err, &st)) any = true;
        for (unsigned k = 0; k < sizeof order / sizeof *order; k++)
            while (engine_step(s, i, order[k])) any = true;
    }
    return st;
}

/* ------------------------------------------------------------------ the step */

slx_status slx_tm_sim_run(const slx_tm_sim_args *a, slx_time_result *out, slx_err *err)
{
    sim s;
    slx_status st = SLX_OK;
    slx_tm_sim_init(&s, a);
    for (uint32_t i = s.n; i-- > 0;) wake(&s, i);
    while (st == SLX_OK && (s.n_work || s.n_heap)) {
        if (s.n_work) {
            uint32_t i = s.work[--s.n_work];
            s.tiles[i].queued = false;
            st = tile_run(&s, i, err);
            continue;
        }
        request r = heap_pop(&s);
        transfer(&s, r.tile, &s.tiles[r.tile].e[r.engine]);
        wake(&s, r.tile);
        if (s.paths.used > s.paths.enough) slx_tm_sim_drop_paths(&s);
    }
    if (st == SLX_OK) st = slx_tm_sim_stuck(&s, err);
    if (st == SLX_OK) slx_tm_sim_results(&s, out);
    slx_tm_sim_deinit(&s);
    return st;
}
