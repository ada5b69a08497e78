/* walk.c - the program's control flow, tile by tile in program order, as records of what each
 * engine will do.
 *
 * Values reach control flow only through LDS and through indices, and both only ever hold bytes
 * of the descriptor: so each tile has a shadow scratchpad in which nothing but copies of the
 * descriptor and STS are real. Tiles run in the order of chip.md 3.2: each to its next BAR, then
 * all go on. Where only sums and hashes are asked for, those that go the same way are walked at once
 * (walk_together.c). One epoch is walked at a time, or a part of it where tiles do not steer each
 * other, so that a long step never stands in memory as a whole. Counters and energy are a matter of
 * what is done and not of when: they are added up here (tally.c). */
#include "time/time_int.h"

#include <string.h>

/* ------------------------------------------------------------------ records */

static inline uint64_t turn(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

/* A load for a group, where groups may be alike. */
static bool multicast(const slx_tm_walk *k, const slx_tm_rec *r)
{
    return k->groups_alike && r->op == SLX_OP_LD && r->group;
}

/* What a record does, addresses apart, as numbers for its tile's hashes. */
static void numbers(const slx_tm_walk *k, const slx_tm_walker *w, const slx_tm_rec *r, uint64_t out[SLX_TM_HASHES])
{
    uint64_t a = (uint64_t)r->pc << 32 | r->busy, b = (uint64_t)r->rows << 32 | r->bytes,
             c = (uint64_t)r->ctl << 32 | r->group;
    bool cast = multicast(k, r);
    if (cast || w->cast) /* the branch of its group is found some clocks earlier or later */
        c = r->group;
    if (cast) {
        a = (uint64_t)r->span << 32 | r->busy;
        c = UINT64_C(1) << 63 | k->prog->groups[r->group - 1].count;
    }
    uint64_t x = a * UINT64_C(0x9e3779b97f4a7c15) ^ turn(b * UINT64_C(0xc2b2ae3d27d4eb4f), 23) ^
                 turn(c * UINT64_C(0x165667b19e3779f9), 47);
    uint64_t y = turn(a * UINT64_C(0xff51afd7ed558ccd), 31) ^ b * UINT64_C(0xc4ceb9fe1a85ec53) ^
                 turn(c * UINT64_C(0x9fb21c651e98df25), 11) ^ r->link_bytes;
    out[0] = slx_tm_mix(0, x);
    out[1] = slx_tm_mix(0, y);
    out[SLX_TM_WORK] = slx_tm_mix(0, x ^ y ^ r->addr % 64 << 56 ^ (uint64_t)r->bound << 48);
}

static inline void emit(slx_tm_walk *k, slx_tm_walker *w, slx_tm_rec *r)
{
    r->ctl = w->ctl;
    w->ctl = 0;
    if (k->hashing) {
        uint64_t x[SLX_TM_HASHES];
        numbers(k, w, r, x);
        slx_tm_hash_all(w, x);
        w->cast = multicast(k, r);
    }
    if (!k->keep || w->silent) return;
    if (w->recs.cap - w->recs.len > sizeof *r) {
        memcpy(w->recs.ptr + w->recs.len, r, sizeof *r);
        w->recs.len += sizeof *r;
    } else {
        slx_buf_add(&w->recs, r, sizeof *r);
    }
}

/* Nothing that is hashed tells these records of two tiles of a walker apart. */
static bool alike(const slx_tm_rec *a, const slx_tm_rec *b)
{
    return a->busy == b->busy && a->rows == b->rows && a->bytes == b->bytes && a->group == b->group &&
           a->link_bytes == b->link_bytes && a->bound == b->bound && a->addr % 64 == b->addr % 64;
}

/* ------------------------------------------------------------------ CTL */

/* The layer loop is the outermost one that runs once a layer and meets barriers. */
static bool in_layers(const slx_tm_walk *k, const slx_tm_walker *w)
{
    if (w->loop[0].n != k->prog->info.n_layers) return false;
    return k->span_of[w->loop[0].first] != k->span_of[w->loop[0].end - 1];
}

static void enter_layer(const slx_tm_walk *k, slx_tm_walker *w, uint16_t layer)
{
    w->layer = layer;
    w->apart = k->counted_apart && layer == k->counted_apart;
}

/* w stands at the end of its innermost loop's body. */
static void close_loops(slx_tm_walk *k, slx_tm_walker *w)
{
    while (w->depth) {
        slx_tm_loop *f = &w->loop[w->depth - 1];
        if (w->pc != f->end) return;
        if (++f->i < f->n) {
            w->pc = f->first;
            if (w->depth == 1 && k->repeat.n && f->first == k->repeat.first) slx_tm_repeat_next(k, w);
            if (w->depth == 1 && w->layer) enter_layer(k, w, (uint16_t)(1 + f->i));
            if (f->rd) slx_tm_set_reg(w, f->rd, f->i);
            return;
        }
        if (--w->depth == 0) enter_layer(k, w, 0);
    }
}

static inline void go_on(slx_tm_walk *k, slx_tm_walker *w, uint32_t pc)
{
    w->pc = pc;
    if (w->depth && pc == w->loop[w->depth - 1].end) close_loops(k, w);
}

static inline uint64_t value(const slx_tm_walker *w, const slx_tm_code *c, unsigned i)
{
    return c->v[i] + w->r[c->reg[i]];
}

static inline void resolve(const slx_tm_walker *w, const slx_tm_code *c, uint64_t v[SLX_N_OPERANDS])
{
    for (unsigned i = 0; i < SLX_N_OPERANDS; i++) v[i] = value(w, c, i);
    for (unsigned i = 0; c->floats >> i; i++)
        if (c->floats >> i & 1) v[i] = (uint32_t)v[i];
}

/* The same of tile t. */
static void resolve_of(const slx_tm_walk *k, const slx_tm_walker *w, const slx_tm_code *c, uint32_t t,
                       uint64_t v[SLX_N_OPERANDS])
{
    for (unsigned i = 0; i < SLX_N_OPERANDS; i++) v[i] = c->v[i] + slx_tm_reg(k, w, c->reg[i], t);
    for (unsigned i = 0; c->floats >> i; i++)
        if (c->floats >> i & 1) v[i] = (uint32_t)v[i];
}

/* Some operand differs between the tiles of w. */
static inline bool differs(const slx_tm_walker *w, const slx_tm_code *c)
{
    return w->varied & c->regs;
}

/* Tiles that an instruction of control flow would send different ways part before it. */
static void part(slx_tm_walk *k, slx_tm_walker *w, const slx_tm_code *c)
{
    if (c->op != SLX_OP_BR && c->op != SLX_OP_LOOP) return; /* others take no registers, or go on with the next */
    SLX_TM_EACH(k, w, t) {
        uint64_t a = c->v[0] + slx_tm_reg(k, w, c->reg[0], t), b = c->v[1] + slx_tm_reg(k, w, c->reg[1], t);
        k->key[t] = c->op == SLX_OP_BR ? slx_br_taken(c->f0, a, b) : a;
    }
    slx_tm_part(k, w);
}

/* A scalar access of tile t: NULL, or the fault. *out: what was read. */
static const char *scalar_access(slx_tm_walk *k, slx_tm_walker *w, const slx_tm_code *o, uint32_t t, const uint64_t *v,
                                 uint64_t *out)
{
    unsigned n = 1u << (o->f0 & 3);
    bool load = o->op == SLX_OP_LDS;
    uint64_t at = v[load ? 1 : 0];
    if (!slx_tm_in_spm(k, at, n) || at % n) return "address outside its space or region";
    uint8_t *p = slx_tm_shadow(k, t, at);
    if (load) {
        *out = 0;
        memcpy(out, p, n);
        return *out > v[2] ? "LDS value above its limit" : NULL;
    }
    memcpy(p, &v[1], n);
    slx_tm_show(k, at, n);
    if (k->repeat.probing) slx_tm_repeat_see(k, w, t, at, n, v[1]);
    return NULL;
}

/* LDS, STS or SYS of every tile. */
static const char *step_each(slx_tm_walk *k, slx_tm_walker *w, const slx_tm_code *o)
{
    SLX_TM_EACH(k, w, t) {
        uint64_t v[SLX_N_OPERANDS], out;
        resolve_of(k, w, o, t, v);
        if (o->op == SLX_OP_SYS) {
            if (o->f0 == SLX_SYSFN_trap && v[0] != v[1]) return "TRAP";
            continue;
        }
        const char *fault = scalar_access(k, w, o, t, v, &out);
        if (fault) return fault;
        if (o->op == SLX_OP_LDS) k->each[o->v[0] * k->n + t] = out;
    }
    if (o->op == SLX_OP_LDS) slx_tm_set_each(k, w, o->v[0]);
    return NULL;
}

/* What a CTL instruction does to registers and memory; *next is where it goes. NULL, or the
 * fault. */
static const char *step_ctl(slx_tm_walk *k, slx_tm_walker *w, const slx_tm_code *o, const uint64_t *v,
                            uint32_t *next)
{
    unsigned f0 = o->f0;
    uint64_t out;
    switch (o->op) {
    case SLX_OP_SYS:
        if (f0 == SLX_SYSFN_halt) w->halted = true;
        return f0 == SLX_SYSFN_trap ? step_each(k, w, o) : NULL;
    case SLX_OP_LI: slx_tm_set_reg(w, v[0], v[1] | v[2] << 32); return NULL;
    case SLX_OP_ALU:
        if (differs(w, o)) return slx_tm_alu_each(k, w, o) ? NULL : "division by zero";
        if (!slx_alu(f0, v[1], v[2], v[3], &out)) return "division by zero";
        slx_tm_set_reg(w, v[0], out);
        return NULL;
    case SLX_OP_LDS:
    case SLX_OP_STS:
        if (w->n > 1) return step_each(k, w, o);
        const char *fault = scalar_access(k, w, o, w->id, v, &out);
        if (!fault && o->op == SLX_OP_LDS) slx_tm_set_reg(w, v[0], out);
        return fault;
    case SLX_OP_LOOP: {
        uint64_t n = differs(w, o) ? k->key[w->id] : v[0]; /* of those that have not parted */
        if (n > SLX_MAX_LOOP_COUNT) return "LOOP count above 2^24";
        if (!n || !v[1]) {
            *next += (uint32_t)v[1];
        } else {
            if (w->depth >= SLX_MAX_LOOP_DEPTH) return "LOOPs nested too deep";
            w->loop[w->depth++] = (slx_tm_loop){
                .first = *next, .end = *next + (uint32_t)v[1], .rd = (uint32_t)v[2], .n = n};
            if (v[2]) slx_tm_set_reg(w, v[2], 0);
            if (w->depth == 1 && in_layers(k, w)) {
                k->layers_from = w->loop[0].first, k->layers_to = w->loop[0].end;
                enter_layer(k, w, 1);
                if (k->repeat.n) slx_tm_repeat_enter(k, w);
            }
        }
        return NULL;
    }
    case SLX_OP_BR:
        if (differs(w, o) ? k->key[w->id] : slx_br_taken(f0, v[0], v[1])) *next = (uint32_t)v[2];
        return NULL;
    case SLX_OP_CALL:
        if (w->calls >= SLX_MAX_CALL_DEPTH || v[0] >= k->prog->n_functions)
            return "no such function";
        w->ret[w->calls++] = *next;
        *next = k->prog->functions[v[0]];
        return NULL;
    case SLX_OP_RET:
        if (!w->calls) return "RET without CALL";
        *next = w->ret[--w->calls];
        return NULL;
    }
    return NULL;
}

/* ------------------------------------------------------------------ one instruction */

/* What an instruction without transfer takes: mostly what it took when it came last. */
static const char *work_of(slx_tm_walk *k, slx_tm_op *o, const slx_insn *in, const uint64_t *v)
{
    bool same = o->known;
    for (unsigned i = 0; o->changing >> i && same; i++)
        if (o->changing >> i & 1) same = v[i] == o->last[i];
    if (same) return NULL;
    if (k->counts) slx_tm_tally_settle(k, o);
    o->known = false;
    const char *why = slx_tm_cost_of(&k->cost, in, v, &o->work);
    if (why) return why;
    const slx_tm_cost *c = &k->cost;
    double sram = (double)o->work.spm_read * 8 * c->fj_rd +
                  (double)o->work.spm_write * 8 * c->fj_wr +
                  (double)o->work.acc_bytes * 4 * (c->fj_rd + c->fj_wr);
    o->mac_fj = (uint64_t)(o->work.mac_fj + 0.5), o->sum_fj = (uint64_t)(o->work.sum_fj + 0.5);
    o->vec_fj = (uint64_t)(o->work.vec_fj + 0.5), o->sram_fj = (uint64_t)(sram + 0.5);
    o->rom_fj = (uint64_t)(o->work.rom_fj + 0.5);
    memcpy(o->last, v, sizeof o->last);
    o->known = true;
    return NULL;
}

/* What an engine does at the instruction that w is at, with operands v: by tile t, or where nothing moves by `tiles` of
 * them. */
static slx_status step_engine(slx_tm_walk *k, slx_tm_walker *w, uint32_t t, uint32_t tiles, const uint64_t *v,
                              slx_tm_rec *r, slx_err *err)
{
    const slx_program *p = k->prog;
    const slx_insn *in = &p->insns[w->pc];
    slx_tm_op *o = &k->op[w->pc];
    switch (r->op) {
    case SLX_OP_LD:
    case SLX_OP_LDX:
    case SLX_OP_ST:
    case SLX_OP_STX: return slx_tm_step_transfer(k, w, t, in, v, r, err);
    case SLX_OP_MOV: return slx_tm_step_move(k, w, t, in, v, r, err);
    case SLX_OP_RED:
    case SLX_OP_GAT: return slx_tm_step_meeting(k, w, t, v, r, err);
    case SLX_OP_BAR:
        if (v[0] >= p->n_groups) return slx_tm_fault(k, w, SLX_EFAULT, "no such group", err);
        r->group = (uint32_t)v[0] + 1;
        r->bound = SLX_TIME_BARRIERS;
        return SLX_OK;
    default: break;
    }
    const char *why = work_of(k, o, in, v);
    if (why) return slx_tm_fault(k, w, SLX_EUNSUPPORTED, why, err);
    if (o->work.cycles > UINT32_MAX) return slx_tm_fault(k, w, SLX_EUNSUPPORTED, "longer than 2^32 cycles", err);
    r->busy = (uint32_t)o->work.cycles;
    r->spm_bytes = (uint32_t)(o->work.spm_read + o->work.spm_write);
    r->bound = k->attention[r->span]      ? SLX_TIME_ATTENTION
               : r->engine == SLX_ENG_TEN ? SLX_TIME_TENSOR
                                          : SLX_TIME_VECTOR;
    if (k->counts) slx_tm_tally_work(k, r, o, tiles);
    return SLX_OK;
}

static bool moves_bytes(unsigned op)
{
    return op == SLX_OP_LD || op == SLX_OP_LDX || op == SLX_OP_ST || op == SLX_OP_STX || op == SLX_OP_MOV ||
           op == SLX_OP_RED || op == SLX_OP_GAT;
}

/* Moves no bytes, whatever the tile: an instruction for its tokens. v: of the first tile. */
static bool moves_nothing(const slx_tm_walker *w, const slx_tm_code *c, const uint64_t *v)
{
    unsigned at = c->op == SLX_OP_LD || c->op == SLX_OP_ST || c->op == SLX_OP_GAT ? 2 : 3; /* the sizes */
    if (w->varied & c->size_regs) return false;
    return c->op == SLX_OP_RED ? !v[2] : !v[at] || !v[at + 1];
}

/* Hashes tile t's record by itself. */
static void hash_tile(slx_tm_walk *k, const slx_tm_walker *w, uint32_t t, const slx_tm_rec *r)
{
    uint64_t x[SLX_TM_HASHES];
    numbers(k, w, r, x);
    slx_tm_hash_one(k, t, x);
}

/* One record of each tile of w; *r is that of the first. Where they are not alike they are hashed here, and *unlike is
 * true. */
static slx_status engine_each(slx_tm_walk *k, slx_tm_walker *w, const slx_tm_code *c, slx_tm_rec *r, bool *unlike,
                              slx_err *err)
{
    slx_tm_rec blank = *r;
    blank.ctl = w->ctl;
    SLX_TM_EACH(k, w, t) {
        slx_tm_rec own = blank;
        uint64_t v[SLX_N_OPERANDS];
        resolve_of(k, w, c, t, v);
        SLX_TRY(step_engine(k, w, t, 1, v, &own, err));
        if (t == w->id) *r = own;
        if (!*unlike && !alike(&own, r)) { /* those before were as the first */
            *unlike = true;
            slx_tm_settle(k, w);
            for (uint32_t u = w->id; u != t; u = k->next[u]) hash_tile(k, w, u, r);
        }
        if (*unlike) hash_tile(k, w, t, &own);
    }
    if (*unlike) w->ctl = 0, w->cast = multicast(k, r);
    return SLX_OK;
}

static slx_status step(slx_tm_walk *k, slx_tm_walker *w, slx_err *err)
{
    const slx_program *p = k->prog;
    if (w->pc >= p->n_insns) {
        w->pc = 0;
        return slx_tm_fault(k, w, SLX_EFAULT, "the stream does not end in a halt", err);
    }
    const slx_tm_code *c = &k->code[w->pc];
    uint32_t next = w->pc + 1;
    bool check = k->repeat.probing && w->layer == 3; /* layer 2 */
    bool each = differs(w, c), unlike = false;
    if (each) part(k, w, c);
    if (k->counts) {
        k->fetched[w->apart][w->pc] += w->n;
        k->counts->layer_fj[w->layer] += w->n * k->fetch_fj;
    }
    if (c->op == SLX_OP_ALU && c->quiet && !check && !each) { /* the most frequent: operands stay in host registers */
        uint64_t out;
        if (!slx_alu(c->f0, value(w, c, 1), value(w, c, 2), value(w, c, 3), &out))
            return slx_tm_fault(k, w, SLX_EFAULT, "division by zero", err);
        slx_tm_set_reg(w, c->v[0], out);
        w->ctl++;
        go_on(k, w, next);
        return SLX_OK;
    }
    uint64_t v[SLX_N_OPERANDS];
    resolve(w, c, v);
    if (check) slx_tm_repeat_check(k, w, c, &p->insns[w->pc], v);
    if (c->quiet) {
        const char *fault = step_ctl(k, w, c, v, &next);
        if (fault) return slx_tm_fault(k, w, SLX_EFAULT, fault, err);
        w->ctl++;
        go_on(k, w, next);
        return SLX_OK;
    }
    slx_tm_rec r = k->op[w->pc].rec;
    r.layer = w->layer;
    if (r.engine == SLX_ENG_CTL) {
        const char *fault = step_ctl(k, w, c, v, &next);
        if (fault) return slx_tm_fault(k, w, SLX_EFAULT, fault, err);
        if (r.op == SLX_OP_TOK) r.group = (uint32_t)v[0], r.rows = (uint32_t)v[1];
        if (w->halted || c->records)
            emit(k, w, &r);
        else
            w->ctl++;
        if (!w->halted) go_on(k, w, next);
        return SLX_OK;
    }
    if (w->n > 1 && (moves_bytes(r.op) ? !moves_nothing(w, c, v) : w->varied & c->size_regs))
        SLX_TRY(engine_each(k, w, c, &r, &unlike, err));
    else
        SLX_TRY(step_engine(k, w, w->id, w->n, v, &r, err));
    if (!unlike) emit(k, w, &r);
    if (r.op == SLX_OP_BAR) {
        w->at_bar = true, w->group = r.group - 1;
        if (k->repeat.probing) slx_tm_repeat_bar(k, w);
    }
    go_on(k, w, next);
    return SLX_OK;
}

/* ------------------------------------------------------------------ tiles */

/* One tile to its next BAR, or past it; no further than so many bytes of records. */
static slx_status walk_tile(slx_tm_walk *k, slx_tm_walker *w, size_t bytes, bool past_bars, slx_err *err)
{
    while (!w->halted && !w->at_bar && w->recs.len < bytes) {
        SLX_TRY(step(k, w, err));
        if (past_bars) w->at_bar = false;
    }
    return SLX_OK;
}

static bool in_group(const slx_tm_walk *k, const slx_tm_walker *w)
{
    const struct slx_group *g = &k->prog->groups[w->group];
    return w->id >= g->first && w->last - g->first < g->count;
}

/* Walkers at a BAR whose whole group has come go on; some has or had moved before: *moved. */
static slx_status pass_bars(slx_tm_walk *k, bool *moved, slx_err *err)
{
    uint32_t left = 0;
    memset(k->arrived, 0, k->prog->n_groups * sizeof *k->arrived);
    for (uint32_t i = 0; i < k->n; i++) {
        const slx_tm_walker *w = &k->w[i];
        if (!w->n || w->halted) continue;
        left++;
        if (w->at_bar && in_group(k, w)) k->arrived[w->group] += w->n;
    }
    for (uint32_t i = 0; i < k->n; i++) {
        slx_tm_walker *w = &k->w[i];
        if (!w->n || !w->at_bar || !in_group(k, w) || k->arrived[w->group] < k->prog->groups[w->group].count) continue;
        w->at_bar = false;
        *moved = true;
    }
    if (left && !*moved)
        return slx_fail(err, SLX_EFAULT, k->prog->info.model_name, 0, 0, "a BAR never completes");
    return SLX_OK;
}

slx_status slx_tm_walk_round(slx_tm_walk *k, bool *moved, slx_err *err)
{
    *moved = false;
    for (uint32_t i = 0; i < k->n; i++) {
        slx_tm_walker *w = &k->w[i];
        if (!w->n) continue;
        if (!w->halted && !w->at_bar) *moved = true;
        SLX_TRY(walk_tile(k, w, SIZE_MAX, false, err));
    }
    SLX_TRY(pass_bars(k, moved, err));
    if (k->together) slx_tm_meet(k);
    return SLX_OK;
}

slx_status slx_tm_walk_alone(slx_tm_walk *k, slx_tm_walker *w, slx_err *err)
{
    enum { RECORDS = 128 }; /* few enough to be in the host's caches when the simulation takes them */
    return walk_tile(k, w, RECORDS * sizeof(slx_tm_rec), true, err);
}
