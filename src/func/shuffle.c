/* shuffle.c - a step of strict in another legal order, drawn from a seed: the hardware's freedom, tried out.
 *
 * CTL of every tile resolves operands and puts instructions into the queue of their engine; an engine's oldest may run
 * when its wait tokens are there and its posts have room; a BAR runs when it is the oldest of STQ on all its tiles, a
 * RED or GAT when it is the oldest of NET on its tile of every chip. Of all that may happen next one is picked. Memory
 * and values must come out as in program order.
 *
 *   tile 0  CTL -> [LDQ ....] [STQ ..BAR] [TEN .] [VEC ...]      actor = (chip, tile, engine), CTL one of them
 *   tile 1  CTL -> ...
 */
#include "func/func_int.h"

#include <stdlib.h>

enum { DEPTH = 8 };

typedef struct {
    slx_operands o;
    uint32_t pc;
    uint64_t index;
} queued;

typedef struct {
    queued q[DEPTH];
    uint32_t head, n;
} queue;

typedef struct {
    slx_strict *s; /* the chip of the actor, one of chips */
    slx_strict *chips;
    uint32_t n_chips, tiles;
    queue (*q)[SLX_N_ENGINES]; /* [chips][tiles] */
    slx_rng rng;
} shuffler;

typedef enum { BLOCKED, DONE, FAULTED } outcome;

static queue *queue_of(shuffler *h, uint32_t chip, uint32_t tile, slx_engine_id engine)
{
    return &h->q[chip * h->tiles + tile][engine];
}

static bool may_start(const slx_strict *s, const slx_tile *t, const slx_insn *in)
{
    for (int k = 0; k < 4; k++) {
        unsigned id = slx_insn_tok(in, k);
        if (!id) continue;
        if (k < 2 ? !t->tok[id] : t->tok[id] >= s->prog->info.token_max) return false;
    }
    return true;
}

static void take(slx_tile *t, const slx_insn *in)
{
    for (int k = 0; k < 2; k++)
        if (slx_insn_tok(in, k)) t->tok[slx_insn_tok(in, k)]--;
}

static void give(slx_tile *t, const slx_insn *in)
{
    for (int k = 2; k < 4; k++)
        if (slx_insn_tok(in, k)) t->tok[slx_insn_tok(in, k)]++;
}

static outcome fault_at(slx_strict *s, const slx_tile *t, uint32_t pc, uint64_t index)
{
    slx_strict_locate(s, t, pc, index);
    return FAULTED;
}

/* CTL's next: runs it, or hands it to its engine. */
static outcome control(shuffler *h, slx_tile *t)
{
    slx_strict *s = h->s;
    if (t->halted) return BLOCKED;
    uint32_t pc = t->pc;
    uint64_t index = t->index;
    const slx_insn *in = &s->prog->insns[pc];
    slx_engine_id engine = slx_ops[slx_insn_op(in)].engine;
    slx_operands o;
    slx_strict_resolve(t, in, &o);
    if (engine == SLX_ENG_CTL) {
        if (!may_start(s, t, in)) return BLOCKED;
        take(t, in);
        if (!slx_strict_execute(s, t, &o)) return fault_at(s, t, pc, index);
        give(t, in);
        t->index++;
        slx_strict_report(s, t, pc, index);
        return DONE;
    }
    queue *q = queue_of(h, h->s->rank, t->id, engine);
    if (q->n == DEPTH) return BLOCKED;
    q->q[(q->head + q->n++) % DEPTH] = (queued){o, pc, index};
    t->index++;
    return slx_strict_advance(s, t) ? DONE : fault_at(s, t, pc, index);
}

static queued *oldest(shuffler *h, uint32_t tile, slx_engine_id engine)
{
    queue *q = queue_of(h, h->s->rank, tile, engine);
    return q->n ? &q->q[q->head] : NULL;
}

static void pop(shuffler *h, uint32_t tile, slx_engine_id engine)
{
    queue *q = queue_of(h, h->s->rank, tile, engine);
    q->head = (q->head + 1) % DEPTH;
    q->n--;
}

/* The joint event, once it is the oldest of STQ on every tile of its group. */
static outcome barrier(shuffler *h, uint32_t group)
{
    slx_strict *s = h->s;
    if (group >= s->prog->n_groups) return BLOCKED;
    uint32_t first = s->prog->groups[group].first, n = s->prog->groups[group].count;
    for (uint32_t i = first; i < first + n; i++) {
        const queued *e = oldest(h, i, SLX_ENG_STQ);
        if (!e || e->o.op != SLX_OP_BAR || e->o.in->w[2] != group ||
            !may_start(s, &s->tiles[i], e->o.in))
            return BLOCKED;
    }
    for (uint32_t i = first; i < first + n; i++) {
        const queued *e = oldest(h, i, SLX_ENG_STQ);
        take(&s->tiles[i], e->o.in);
        give(&s->tiles[i], e->o.in);
        s->out_bytes = 0;
        slx_strict_report(s, &s->tiles[i], e->pc, e->index);
        pop(h, i, SLX_ENG_STQ);
    }
    return DONE;
}

/* The joint event of a tile on all chips. */
static outcome meeting(shuffler *h, uint32_t tile)
{
    slx_operands o[SLX_MAX_CHIPS];
    queue *q[SLX_MAX_CHIPS] = {0};
    for (uint32_t c = 0; c < h->n_chips; c++) {
        q[c] = queue_of(h, c, tile, SLX_ENG_NET);
        if (!q[c]->n) return BLOCKED;
        o[c] = q[c]->q[q[c]->head].o;
        if (!may_start(&h->chips[c], &h->chips[c].tiles[tile], o[c].in)) return BLOCKED;
    }
    const queued *first = &q[0]->q[q[0]->head];
    for (uint32_t c = 0; c < h->n_chips; c++) take(&h->chips[c].tiles[tile], o[c].in);
    if (!slx_exec_net(h->chips, h->n_chips, tile, o))
        return fault_at(&h->chips[0], &h->chips[0].tiles[tile], first->pc, first->index);
    for (uint32_t c = 0; c < h->n_chips; c++) {
        const queued *e = &q[c]->q[q[c]->head];
        give(&h->chips[c].tiles[tile], o[c].in);
        slx_net_wrote(&h->chips[c], tile, &o[c]);
        slx_strict_report(&h->chips[c], &h->chips[c].tiles[tile], e->pc, e->index);
        q[c]->head = (q[c]->head + 1) % DEPTH;
        q[c]->n--;
    }
    return DONE;
}

static outcome engine_step(shuffler *h, slx_tile *t, slx_engine_id engine)
{
    slx_strict *s = h->s;
    const queued *e = oldest(h, t->id, engine);
    if (!e) return BLOCKED;
    if (e->o.op == SLX_OP_BAR) return barrier(h, e->o.in->w[2]);
    if (engine == SLX_ENG_NET) return meeting(h, t->id);
    if (!may_start(s, t, e->o.in)) return BLOCKED;
    take(t, e->o.in);
    if (!slx_strict_execute(s, t, &e->o)) return fault_at(s, t, e->pc, e->index);
    give(t, e->o.in);
    slx_strict_report(s, t, e->pc, e->index);
    pop(h, t->id, engine);
    return DONE;
}

/* One event: actors are tried from a random one on, so every one that can go may be the next. */
static outcome any(shuffler *h)
{
    uint32_t a_chip = h->tiles * SLX_N_ENGINES, actors = h->n_chips * a_chip,
             first = slx_rng_below(&h->rng, actors);
    for (uint32_t i = 0; i < actors; i++) {
        uint32_t a = (first + i) % actors;
        slx_engine_id engine = (slx_engine_id)(a % SLX_N_ENGINES);
        h->s = &h->chips[a / a_chip];
        slx_tile *t = &h->s->tiles[a % a_chip / SLX_N_ENGINES];
        outcome r = engine == SLX_ENG_CTL ? control(h, t) : engine_step(h, t, engine);
        if (r != BLOCKED) return r;
    }
    return BLOCKED;
}

/* The first tile of h->s with work left, NULL when all is done; pc and index of its oldest instruction. */
static const slx_tile *unfinished(shuffler *h, uint32_t *pc, uint64_t *index)
{
    for (uint32_t i = 0; i < h->tiles; i++) {
        const slx_tile *t = &h->s->tiles[i];
        for (int e = 0; e < SLX_N_ENGINES; e++) {
            const queued *o = oldest(h, i, (slx_engine_id)e);
            if (o) {
                *pc = o->pc;
                *index = o->index;
                return t;
            }
        }
        *pc = t->pc;
        *index = t->index;
        if (!t->halted) return t;
    }
    return NULL;
}

slx_status slx_strict_shuffled(slx_strict *chips, uint32_t n)
{
    shuffler h = {.chips = chips,
                  .n_chips = n,
                  .tiles = chips[0].prog->info.n_tiles,
                  .rng = {chips[0].shuffle}};
    h.q = slx_xcalloc((size_t)n * h.tiles, sizeof *h.q);
    outcome r;
    do r = any(&h);
    while (r == DONE);
    uint32_t pc;
    uint64_t index;
    const slx_tile *t = NULL;
    for (uint32_t c = 0; c < n && r == BLOCKED && !t; c++) {
        h.s = &chips[c];
        t = unfinished(&h, &pc, &index);
    }
    if (t) {
        slx_fault_set(h.s, SLX_FAULT_ORDER, "nothing can go on");
        slx_strict_locate(h.s, t, pc, index);
    }
    free(h.q);
    return t || r == FAULTED ? SLX_EFAULT : SLX_OK;
}
