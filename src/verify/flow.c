/* flow.c - the abstract run of one tile, from its entry to halt.
 *
 * Branches go forward inside one body and loops nest, so a body is run once from its first to its last instruction:
 * states that branch ahead wait at their target and join there. A LOOP whose count is not known to be 0 or 1 runs its
 * body from a state that covers every iteration; that state is found by repeating (bounds are not checked meanwhile)
 * and the body is run once more from it, checking. Registers that a body moves by a constant get the exact range.
 *
 * Tokens are numbers, not intervals: where two ways meet they must agree.
 *
 * Barriers are hashed in order: group, loops around with their counts, undecided branches in force. A count or a branch
 * around a BAR that is not constant must be uniform; its uid goes into the hash, so that tiles with equal hashes meet
 * equal sequences whatever the run-time values are. */
#include "verify/verify_int.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_STEPS = 1 << 24, /* over all tiles: some seconds */
    JOIN_ROUNDS = 3,     /* then bounds jump */
    MAX_ROUNDS = 24,
    NARROW_ROUNDS = 2
};

/* One straight stretch: a body, a function or the whole stream. */
typedef struct {
    uint32_t n, cap;
    struct waiting {
        uint32_t pc;
        slx_vstate *s;
    } * wait;        /* states that branched ahead */
    slx_vstate *ret; /* of a function: joined states of its RETs; NULL elsewhere */
    uint64_t path;   /* at its start, and again where all ways have met */
    bool tainted;
    bool split; /* a way has left by RET under an undecided branch */
} stretch;

static bool run(slx_verifier *v, slx_vstate *s, uint32_t pc, uint32_t end, stretch *t);

/* ------------------------------------------------------------------ operands, tokens, barriers */

static slx_val value_of(const slx_vstate *s, uint32_t w)
{
    if (!slx_opnd_is_reg(w)) return slx_val_const(w);
    return slx_val_addc(s->r[slx_opnd_regno(w)], (uint64_t)slx_opnd_add(w));
}

static void operands(const slx_vstate *s, const slx_insn *in, slx_val o[SLX_N_OPERANDS])
{
    const slx_op_info *info = &slx_ops[slx_insn_op(in)];
    if (slx_insn_op(in) == SLX_OP_ALU) { /* the most frequent */
        for (int i = 1; i < 4; i++) o[i] = value_of(s, in->w[2 + i]);
        return;
    }
    for (int i = 0; i < SLX_N_OPERANDS; i++) {
        switch (info->kind[i]) {
        case SLX_K_VAL:
        case SLX_K_SPM:
        case SLX_K_HBM:
        case SLX_K_ACC:
        case SLX_K_PAIR:
        case SLX_K_STR: o[i] = value_of(s, in->w[2 + i]); break;
        default: o[i] = slx_val_const(in->w[2 + i]);
        }
    }
}

/* Nobody asks for the operands of an engine's instruction while a loop's states are sought: its bounds are not checked
 * yet. RED and GAT are asked for what their sizes follow from. */
static bool asked_for(const slx_verifier *v, unsigned op)
{
    return v->checks || slx_ops[op].engine == SLX_ENG_CTL || slx_ops[op].engine == SLX_ENG_NET;
}

static bool take(slx_verifier *v, slx_vstate *s, uint32_t pc, const slx_insn *in)
{
    for (int i = 0; i < 2; i++) {
        unsigned t = slx_insn_tok(in, i);
        if (!t) continue;
        if (!s->tok[t])
            return slx_vfail(v, v->tile, pc, "waits for token t%u, which is 0 in program order", t);
        s->tok[t]--;
        s->used |= UINT64_C(1) << t;
    }
    return true;
}

static bool give(slx_verifier *v, slx_vstate *s, uint32_t pc, const slx_insn *in)
{
    for (int i = 2; i < 4; i++) {
        unsigned t = slx_insn_tok(in, i);
        if (!t) continue;
        if (s->tok[t] >= v->prog->info.token_max)
            return slx_vfail(v, v->tile, pc, "posts token t%u, which stands at its maximum %u", t,
                             v->prog->info.token_max);
        s->tok[t]++;
        s->used |= UINT64_C(1) << t;
    }
    return true;
}

static void log_barrier(slx_verifier *v, uint32_t slot, uint32_t pc, uint64_t hash)
{
    if (!v->log || !v->checks || slot != v->log_slot) return;
    if (v->log_n == v->log_cap) {
        v->log_cap = v->log_cap * 2 + 16;
        v->log = slx_xrealloc(v->log, v->log_cap * 2 * sizeof *v->log);
    }
    v->log[2 * v->log_n] = pc;
    v->log[2 * v->log_n++ + 1] = hash;
}

static bool barrier(slx_verifier *v, slx_vstate *s, uint32_t pc, const slx_insn *in)
{
    const struct slx_group *g = &v->prog->groups[in->w[2]];
    uint32_t slot = v->bar_slot[in->w[2]];
    if (v->tile < g->first || v->tile - g->first >= g->count)
        return slx_vfail(v, v->tile, pc,
                         "BAR of group %s (tiles %u..%u), to which the tile does not belong",
                         g->name, g->first, g->first + g->count - 1);
    if (s->tainted || v->lost)
        return slx_vfail(v, v->tile, pc,
                         "BAR under a LOOP or BR whose value may differ between tiles; expected a "
                         "constant or what follows from LDS ... UNI");
    uint64_t h = slx_mix(slx_mix(s->bar[slot], 'B'), s->path);
    if (v->bar_by_pc) h = slx_mix(slx_mix(h, pc), v->call);
    s->bar[slot] = h;
    log_barrier(v, slot, pc, h);
    return true;
}

/* ------------------------------------------------------------------ loops */

/* Register values at the head of a loop during its search, and what is known of its body. */
typedef struct {
    const slx_vstate *pre;
    slx_val count; /* lo..hi, hi >= 2 or lo = 0 */
    uint32_t sym;  /* of register 0 at this head */
    unsigned rd;
} loop;

static bool untouched(const loop *l, const slx_vstate *body, unsigned r)
{
    return body->r[r].sym == l->sym + r && body->r[r].add == 0;
}

/* a + c * [lo, hi], c signed; false when it may wrap. */
static bool advanced(slx_val a, uint64_t c, uint64_t lo, uint64_t hi, slx_val *out)
{
    bool down = c >> 63;
    uint64_t step = down ? 0 - c : c, far, near = 0;
    unsigned tz = (unsigned)__builtin_ctzll(step);
    if (__builtin_mul_overflow(step, hi, &far)) return false;
    near = step * lo;
    if (down ? far > a.lo : far > UINT64_MAX - a.hi) return false;
    *out = down ? slx_val_range(a.lo - far, a.hi - near, a.tz < tz ? a.tz : tz)
                : slx_val_range(a.lo + near, a.hi + far, a.tz < tz ? a.tz : tz);
    out->chip = a.chip;
    return true;
}

/* What register r may be at the head, if the body makes of the head's state what `body` says. */
static slx_val at_head(const loop *l, const slx_vstate *body, unsigned r)
{
    slx_val pre = l->pre->r[r], v;
    if (untouched(l, body, r)) return pre;
    if (body->r[r].sym == l->sym + r && advanced(pre, body->r[r].add, 0, l->count.hi - 1, &v))
        return v;
    return slx_val_join(pre, body->r[r]);
}

/* Register r behind the loop. */
static slx_val behind(const loop *l, const slx_vstate *body, unsigned r)
{
    slx_val pre = l->pre->r[r], v = body->r[r];
    if (untouched(l, body, r)) return pre;
    if (v.sym == l->sym + r) {
        slx_val exact;
        if (advanced(pre, v.add, l->count.lo, l->count.hi, &exact)) {
            if (slx_val_is_const(&l->count) && pre.sym) {
                exact.sym = pre.sym;
                exact.add = pre.add + v.add * l->count.lo;
            }
            return exact;
        }
    }
    uint32_t q = v.sym - l->sym; /* equal to another register of the head, plus a constant? */
    bool kept = v.sym && q < SLX_N_REGS && untouched(l, body, q);
    v.add = kept ? v.add + l->pre->r[q].add : 0;
    v.sym = kept ? l->pre->r[q].sym : 0;
    if (!v.sym) v.add = 0;
    /* the last iteration's value: which one that is may differ between tiles */
    if (v.uid != pre.uid) v.uid = 0;
    return l->count.lo ? v : slx_val_join(pre, v);
}

static void enter_head(slx_verifier *v, loop *l, slx_vstate *s, uint32_t pc)
{
    l->sym = v->next_sym;
    v->next_sym += SLX_N_REGS;
    for (unsigned r = 1; r < SLX_N_REGS; r++) {
        s->r[r].sym = l->sym + r;
        s->r[r].add = 0;
    }
    if (!l->rd) return;
    s->r[l->rd] = slx_val_range(0, l->count.hi - 1, 0);
    s->r[l->rd].uid = slx_mix(slx_mix('I', pc), v->call);
}

/* Runs the body from head; *out is the state at its end. */
static bool body_once(slx_verifier *v, loop *l, const slx_vstate *head, uint32_t pc, uint32_t len,
                      slx_vstate *out)
{
    memcpy(out, head, slx_vstate_bytes(v));
    enter_head(v, l, out, pc);
    stretch t = {.path = out->path, .tainted = out->tainted};
    if (!run(v, out, pc + 1, pc + 1 + len, &t)) return false;
    if (!out->live) return slx_vfail(v, v->tile, pc, "LOOP: no way reaches the end of its body");
    return slx_vstate_same_tokens(v, pc, l->pre, out, "before an iteration of the LOOP",
                                  "behind it");
}

/* Moves head up to what body asks for; true when it already covers that. */
static bool grow(const loop *l, slx_vstate *head, const slx_vstate *body, int round)
{
    bool stable = true;
    for (unsigned r = 1; r < SLX_N_REGS; r++) {
        if (r == l->rd) continue;
        slx_val want = at_head(l, body, r);
        if (slx_val_within(&want, &head->r[r])) continue;
        slx_val now = slx_val_join(head->r[r], want);
        head->r[r] = round < JOIN_ROUNDS ? now : slx_val_widen(head->r[r], now);
        stable = false;
    }
    return stable;
}

/* A smaller head that still covers what its body makes of it: undoes what jumps lost. */
static bool narrow(slx_verifier *v, loop *l, slx_vstate *head, slx_vstate *body, slx_vstate *tmp,
                   uint32_t pc, uint32_t len)
{
    for (int i = 0; i < NARROW_ROUNDS; i++) {
        bool smaller = false;
        memcpy(tmp, head, slx_vstate_bytes(v));
        for (unsigned r = 1; r < SLX_N_REGS; r++) {
            if (r == l->rd) continue;
            slx_val want = at_head(l, body, r);
            if (slx_val_same(&want, &tmp->r[r])) continue;
            tmp->r[r] = want;
            smaller = true;
        }
        if (!smaller) return true;
        slx_vstate *next = slx_vstate_new(v);
        bool ok = body_once(v, l, tmp, pc, len, next);
        bool holds = ok;
        for (unsigned r = 1; r < SLX_N_REGS && holds; r++) {
            slx_val want = at_head(l, next, r);
            holds = r == l->rd || slx_val_within(&want, &tmp->r[r]);
        }
        if (holds) {
            memcpy(head, tmp, slx_vstate_bytes(v));
            memcpy(body, next, slx_vstate_bytes(v));
        }
        slx_vstate_drop(v, next);
        if (!ok) return false;
        if (!holds) return true;
    }
    return true;
}

/* The general case: s becomes the state behind the LOOP. head, body, tmp are scratch. */
static bool fixpoint(slx_verifier *v, loop *l, slx_vstate *s, slx_vstate *head, slx_vstate *body,
                     slx_vstate *tmp, uint32_t pc, uint32_t len)
{
    bool checks = v->checks;
    uint64_t uid = slx_val_uid(&l->count);
    memcpy(head, s, slx_vstate_bytes(v));
    memset(head->bar, 0, v->n_bar * sizeof *head->bar);
    head->path = 1;
    head->tainted = s->tainted || !uid;
    v->checks = false;
    int round = 0;
    do {
        if (round == MAX_ROUNDS)
            return slx_vfail(v, v->tile, pc,
                             "LOOP: its registers reach no stable range in %d rounds", MAX_ROUNDS);
        if (!body_once(v, l, head, pc, len, body)) return false;
    } while (!grow(l, head, body, round++));
    if (round > JOIN_ROUNDS && !narrow(v, l, head, body, tmp, pc, len)) return false;
    v->checks = checks;
    if (checks && !body_once(v, l, head, pc, len, body)) return false;
    for (unsigned r = 1; r < SLX_N_REGS; r++)
        if (r != l->rd) tmp->r[r] = behind(l, body, r);
    if (l->rd) {
        slx_val last = slx_val_range(l->count.lo ? l->count.lo - 1 : 0, l->count.hi - 1, 0);
        tmp->r[l->rd] = l->count.lo ? last : slx_val_join(l->pre->r[l->rd], last);
    }
    memcpy(s->r + 1, tmp->r + 1, (SLX_N_REGS - 1) * sizeof *s->r);
    s->used |= body->used;
    for (uint32_t i = 0; i < v->n_bar; i++)
        if (body->bar[i]) {
            s->bar[i] = slx_mix(slx_mix(s->bar[i], s->path), slx_mix(uid, body->bar[i]));
            log_barrier(v, i, pc, s->bar[i]);
        }
    return true;
}

static bool loop_insn(slx_verifier *v, slx_vstate *s, uint32_t pc, const slx_insn *in)
{
    slx_val count = value_of(s, in->w[2]);
    uint32_t len = in->w[3];
    if (count.hi > SLX_MAX_LOOP_COUNT) {
        if (v->checks)
            return slx_vfail(v, v->tile, pc, "LOOP count may be %llu, expected at most %d",
                             (unsigned long long)count.hi, SLX_MAX_LOOP_COUNT);
        count = slx_val_range(count.lo < SLX_MAX_LOOP_COUNT ? count.lo : SLX_MAX_LOOP_COUNT,
                              SLX_MAX_LOOP_COUNT, 0);
    }
    if (!count.hi) return true;
    loop l = {.count = count, .rd = in->w[4]};
    if (slx_val_is_const(&count) && count.lo == 1) {
        if (l.rd) s->r[l.rd] = slx_val_const(0);
        stretch t = {.path = s->path, .tainted = s->tainted};
        return run(v, s, pc + 1, pc + 1 + len, &t);
    }
    slx_vstate *pre = slx_vstate_copy(v, s), *head = slx_vstate_new(v), *body = slx_vstate_new(v),
               *tmp = slx_vstate_copy(v, s);
    l.pre = pre;
    bool ok = fixpoint(v, &l, s, head, body, tmp, pc, len);
    slx_vstate_drop(v, pre);
    slx_vstate_drop(v, head);
    slx_vstate_drop(v, body);
    slx_vstate_drop(v, tmp);
    return ok;
}

/* ------------------------------------------------------------------ branches, calls */

static bool plain_reg(uint32_t w)
{
    return slx_opnd_is_reg(w) && slx_opnd_regno(w) && !slx_opnd_add(w);
}

/* Narrows the registers a condition compares. */
static void assume(slx_vstate *s, const slx_insn *in, unsigned cond)
{
    slx_val a = value_of(s, in->w[2]), b = value_of(s, in->w[3]);
    if (plain_reg(in->w[2]) && !slx_val_refine(&s->r[slx_opnd_regno(in->w[2])], cond, &b))
        s->live = false;
    if (!plain_reg(in->w[3])) return;
    slx_val *r = &s->r[slx_opnd_regno(in->w[3])];
    bool some = true;
    if (cond == SLX_COND_eq || cond == SLX_COND_ne) {
        some = slx_val_refine(r, cond, &a);
    } else if (cond == SLX_COND_ltu) { /* b > a */
        slx_val above = slx_val_const(a.lo + 1);
        some = a.lo < UINT64_MAX && slx_val_refine(r, SLX_COND_geu, &above);
    } else { /* b <= a */
        slx_val below = slx_val_const(a.hi + 1);
        some = a.hi == UINT64_MAX || slx_val_refine(r, SLX_COND_ltu, &below);
    }
    if (!some) s->live = false;
}

static void wait_at(slx_verifier *v, stretch *t, uint32_t pc, const slx_vstate *s)
{
    if (t->n == t->cap) {
        t->cap = t->cap * 2 + 8;
        t->wait = slx_xrealloc(t->wait, t->cap * sizeof *t->wait);
    }
    t->wait[t->n++] = (struct waiting){pc, slx_vstate_copy(v, s)};
}

static void branch(slx_verifier *v, slx_vstate *s, stretch *t, const slx_insn *in)
{
    static const unsigned opposite[] = {SLX_COND_ne, SLX_COND_eq, SLX_COND_geu, SLX_COND_ltu};
    unsigned cond = slx_insn_f0(in);
    slx_val a = value_of(s, in->w[2]), b = value_of(s, in->w[3]);
    int known = slx_val_cond(cond, a, b);
    if (!known) return;
    if (known > 0) {
        wait_at(v, t, in->w[4], s);
        s->live = false;
        return;
    }
    uint64_t ua = slx_val_uid(&a), ub = slx_val_uid(&b),
             path = ua && ub ? slx_mix(slx_mix(slx_mix(s->path, cond), ua), ub) : 0;
    slx_vstate *other = slx_vstate_copy(v, s);
    uint64_t old_path = s->path;
    bool old_tainted = s->tainted;
    if (path) {
        other->path = slx_mix(path, 1);
        s->path = slx_mix(path, 2);
    } else {
        other->tainted = s->tainted = true;
    }
    assume(other, in, cond);
    assume(s, in, opposite[cond]);
    if (!s->live || !other->live) { /* decided after all */
        s->path = other->path = old_path;
        s->tainted = other->tainted = old_tainted;
    }
    if (other->live) wait_at(v, t, in->w[4], other);
    slx_vstate_drop(v, other);
}

/* States that branched to pc join s; where no other is on its way the branches behind are over. */
static bool meet(slx_verifier *v, slx_vstate *s, stretch *t, uint32_t pc)
{
    uint32_t kept = 0;
    bool met = false, ok = true;
    for (uint32_t i = 0; i < t->n; i++) {
        if (t->wait[i].pc != pc) {
            t->wait[kept++] = t->wait[i];
            continue;
        }
        ok = ok && slx_vstate_join(v, s, t->wait[i].s, pc);
        slx_vstate_drop(v, t->wait[i].s);
        met = true;
    }
    t->n = kept;
    if (met && !kept && !t->split && !v->lost) {
        s->path = t->path;
        s->tainted = t->tainted;
    }
    return ok;
}

static bool call(slx_verifier *v, slx_vstate *s, uint32_t pc, uint32_t fn)
{
    for (uint32_t i = 0; i < v->calls; i++)
        if (v->call_fn[i] == fn)
            return slx_vfail(v, v->tile, pc, "CALL of function %u from inside itself", fn);
    if (v->calls == SLX_MAX_CALL_DEPTH)
        return slx_vfail(v, v->tile, pc, "CALL more than %d deep", SLX_MAX_CALL_DEPTH);
    uint64_t above = v->call;
    v->call_fn[v->calls++] = fn;
    v->call = slx_mix(above, pc + 1);
    stretch t = {.path = s->path, .tainted = s->tainted, .ret = slx_vstate_new(v)};
    t.ret->live = false;
    bool ok = run(v, s, v->prog->functions[fn], v->prog->n_insns, &t);
    if (ok) {
        memcpy(s, t.ret, slx_vstate_bytes(v));
        /* every way out of the function has met again here */
        if (s->live && !v->lost) {
            s->path = t.path;
            s->tainted = t.tainted;
        }
    }
    slx_vstate_drop(v, t.ret);
    v->calls--;
    v->call = above;
    return ok;
}

static bool leave(slx_verifier *v, slx_vstate *s, stretch *t, uint32_t pc)
{
    bool undecided = s->path != t->path || s->tainted != t->tainted;
    if (!t->ret) return slx_vfail(v, v->tile, pc, "RET outside of a CALL");
    if (undecided || t->n) t->split = true;
    bool ok = slx_vstate_join(v, t->ret, s, pc);
    s->live = false;
    return ok;
}

/* ------------------------------------------------------------------ one instruction */

static void halted(slx_verifier *v, slx_vstate *s, const stretch *t)
{
    if (s->path != 1 || s->tainted || t->n) v->lost = true;
    for (uint32_t i = 0; i < v->n_bar; i++)
        if (!v->end_bar[i])
            v->end_bar[i] = slx_mix('H', s->bar[i]);
        else if (v->end_bar[i] != slx_mix('H', s->bar[i]))
            v->end_bar[i] = slx_mix(v->end_bar[i], s->bar[i]);
    s->live = false;
}

static bool credit(slx_verifier *v, slx_vstate *s, uint32_t pc, const slx_insn *in)
{
    uint32_t t = in->w[2];
    if (s->used >> t & 1)
        return slx_vfail(v, v->tile, pc,
                         "TOK of token t%u, which was credited, waited for or posted before; "
                         "expected it once, in the prologue",
                         t);
    if (in->w[3] > v->prog->info.token_max)
        return slx_vfail(v, v->tile, pc, "TOK gives token t%u a credit of %u, its maximum is %u", t,
                         in->w[3], v->prog->info.token_max);
    s->tok[t] = (uint8_t)in->w[3];
    s->used |= UINT64_C(1) << t;
    return true;
}

/* In a program that meets other chips all of them go the same way: what decides it must not follow from the rank. */
static bool same_way(slx_verifier *v, uint32_t pc, const slx_val *a, const slx_val *b,
                     const char *what)
{
    if (!v->meets || (!a->chip && !b->chip)) return true;
    return slx_vfail(v, v->tile, pc,
                     "%s that follows from r2, the rank of the chip: the chips would not meet the "
                     "same RED and GAT",
                     what);
}

/* What LDS reads is the same on all chips, unless its address is not: strict holds them to it. */
static slx_val loaded(const slx_verifier *v, uint32_t pc, const slx_insn *in, const slx_val *at,
                      const slx_val *limit)
{
    unsigned bits = 8u << slx_insn_f0(in);
    uint64_t most = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
    slx_val r = slx_val_range(0, limit->hi < most ? limit->hi : most, 0);
    r.chip = at->chip;
    if (slx_insn_flags(in) & SLX_F_UNI) r.uid = slx_mix(slx_mix('U', pc), v->call);
    return r;
}

static bool step(slx_verifier *v, slx_vstate *s, uint32_t pc, stretch *t)
{
    const slx_insn *in = &v->prog->insns[pc];
    slx_val o[SLX_N_OPERANDS];
    if (asked_for(v, slx_insn_op(in))) operands(s, in, o);
    if (!take(v, s, pc, in)) return false;
    if (v->checks && !slx_verify_access(v, pc, o)) return false;
    switch (slx_insn_op(in)) {
    case SLX_OP_LI: s->r[in->w[2]] = slx_val_const(in->w[3] | (uint64_t)in->w[4] << 32); break;
    case SLX_OP_ALU: s->r[in->w[2]] = slx_val_alu(slx_insn_f0(in), o[1], o[2], o[3]); break;
    case SLX_OP_LDS: s->r[in->w[2]] = loaded(v, pc, in, &o[1], &o[2]); break;
    case SLX_OP_TOK:
        if (!credit(v, s, pc, in)) return false;
        break;
    case SLX_OP_BAR:
        if (!barrier(v, s, pc, in)) return false;
        break;
    case SLX_OP_RED:
        if (!same_way(v, pc, &o[2], &o[2], "RED of a number of values")) return false;
        break;
    case SLX_OP_GAT:
        if (!same_way(v, pc, &o[2], &o[3], "GAT of a size")) return false;
        break;
    }
    if (!give(v, s, pc, in)) return false;
    switch (slx_insn_op(in)) {
    case SLX_OP_LOOP:
        return same_way(v, pc, &o[0], &o[0], "LOOP with a count") && loop_insn(v, s, pc, in);
    case SLX_OP_BR:
        if (!same_way(v, pc, &o[0], &o[1], "BR with an operand")) return false;
        branch(v, s, t, in);
        return true;
    case SLX_OP_CALL: return call(v, s, pc, in->w[2]);
    case SLX_OP_RET: return leave(v, s, t, pc);
    case SLX_OP_SYS:
        if (slx_insn_f0(in) != SLX_SYSFN_halt) return true;
        halted(v, s, t);
        return true;
    }
    return true;
}

static uint32_t next_waiting(const stretch *t, uint32_t end)
{
    uint32_t pc = end;
    for (uint32_t i = 0; i < t->n; i++)
        if (t->wait[i].pc < pc) pc = t->wait[i].pc;
    return pc;
}

static bool run_stretch(slx_verifier *v, slx_vstate *s, uint32_t pc, uint32_t end, stretch *t)
{
    for (;;) {
        if (t->n && !meet(v, s, t, pc)) return false;
        if (pc == end) break;
        if (!s->live) {
            pc = next_waiting(t, end);
            if (!t->n) break;
            continue;
        }
        if (++v->steps > MAX_STEPS)
            return slx_vfail(
                v, v->tile, pc,
                "the proof needs more than %d steps: too many tiles, nested loops or calls",
                MAX_STEPS);
        const slx_insn *in = &v->prog->insns[pc];
        if (!step(v, s, pc, t)) return false;
        pc += slx_insn_op(in) == SLX_OP_LOOP ? 1 + in->w[3] : 1;
    }
    if (s->live && end == v->prog->n_insns)
        return slx_vfail(v, v->tile, end - 1, "runs past the last instruction, expected SYS.halt");
    return true;
}

static bool run(slx_verifier *v, slx_vstate *s, uint32_t pc, uint32_t end, stretch *t)
{
    bool ok = run_stretch(v, s, pc, end, t);
    for (uint32_t i = 0; i < t->n; i++) slx_vstate_drop(v, t->wait[i].s);
    free(t->wait);
    t->wait = NULL;
    return ok;
}

bool slx_verify_tile(slx_verifier *v, uint64_t *bar)
{
    slx_vstate *s = slx_vstate_new(v);
    memset(s, 0, slx_vstate_bytes(v));
    for (int i = 0; i < SLX_N_REGS; i++) s->r[i] = slx_val_const(0);
    s->r[SLX_R_TILE] = slx_val_const(v->tile);
    uint32_t chips = slx_program_chips(&v->prog->info);
    s->r[SLX_R_RANK] = slx_val_range(0, chips - 1, 0);
    s->r[SLX_R_RANK].uid = slx_mix('C', 0);
    s->r[SLX_R_RANK].chip = chips > 1;
    const slx_region *desc = slx_program_region(v->prog, SLX_REGION_DESC);
    for (uint32_t i = 0; i < v->prog->n_regions; i++) /* the last one, as machines do */
        if (v->prog->regions[i].kind == SLX_REGION_DESC) desc = &v->prog->regions[i];
    if (desc) s->r[SLX_R_DESC] = slx_val_const(desc->base);
    s->path = 1;
    s->live = true;
    v->checks = true;
    v->calls = 0;
    v->call = 0;
    v->lost = false;
    v->next_sym = 1;
    stretch t = {.path = 1};
    v->end_bar = bar;
    memset(bar, 0, v->n_bar * sizeof *bar);
    bool ok = run(v, s, v->prog->entry_step, v->prog->n_insns, &t);
    slx_vstate_drop(v, s);
    return ok;
}
