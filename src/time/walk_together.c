/* walk_together.c - tiles that go the same way through the program, walked at once.
 *
 *   one walker    pc, loops, calls of all its tiles; a register is a number for all, or differs: slx_tm_walk.each
 *   part          where a branch, a loop or a call asks for what differs: the tiles that go the other way become a
 *                 walker of their own, walked to the end of the epoch after this one
 *   meet          walkers that leave a BAR to the same place, in the same rounds of the same loops, become one
 *
 *        0 1 2 3 4 5 6 7              a walker stands in slx_tm_walk.w at its first tile's place,
 *        |     \                      so places never collide, and those that part are walked in rising order
 *        0 1 2  3 4 5 6 7
 *
 * A tile's hashes are polynomials of what it did, one number after another, so what many tiles do alike is kept once,
 * as the polynomial that their hashes are still to be put through, and hashes do not depend on who walked with whom.
 * The field is that of 2^61 - 1. */
#include "time/time_int.h"

#include <string.h>

/* ------------------------------------------------------------------ hashes */

__extension__ typedef unsigned __int128 wide;
static const uint64_t prime = (UINT64_C(1) << 61) - 1, base = UINT64_C(0x1e3779b97f4a7c15);

/* a * b + c, each below 2^61 but c, which may be any. */
static uint64_t times_plus(uint64_t a, uint64_t b, uint64_t c)
{
    wide p = (wide)a * b + c;
    uint64_t s = ((uint64_t)p & prime) + (uint64_t)(p >> 61);
    return s >= prime ? s - prime : s;
}

void slx_tm_hash_all(slx_tm_walker *w, const uint64_t x[SLX_TM_HASHES])
{
    for (int i = 0; i < SLX_TM_HASHES; i++) w->plus[i] = times_plus(w->plus[i], base, x[i]);
    w->times = times_plus(w->times, base, 0);
}

void slx_tm_hash_one(slx_tm_walk *k, uint32_t t, const uint64_t x[SLX_TM_HASHES])
{
    uint64_t *h = k->history[t].hash;
    for (int i = 0; i < SLX_TM_HASHES; i++) h[i] = times_plus(h[i], base, x[i]);
}

void slx_tm_settle(slx_tm_walk *k, slx_tm_walker *w)
{
    if (w->times == 1) return; /* nothing since */
    SLX_TM_EACH(k, w, t) {
        uint64_t *h = k->history[t].hash;
        for (int i = 0; i < SLX_TM_HASHES; i++) h[i] = times_plus(h[i], w->times, w->plus[i]);
    }
    w->times = 1;
    memset(w->plus, 0, sizeof w->plus);
}

/* ------------------------------------------------------------------ registers */

/* No tile of another walker stands between those of w. */
static bool dense(const slx_tm_walker *w)
{
    return w->last - w->id + 1 == w->n;
}

void slx_tm_set_each(slx_tm_walk *k, slx_tm_walker *w, uint64_t reg)
{
    const uint64_t *each = k->each + reg * k->n;
    uint64_t differ = 0, first = each[w->id];
    if (dense(w))
        for (uint32_t t = w->id; t <= w->last; t++) differ |= each[t] ^ first;
    else
        SLX_TM_EACH(k, w, t) differ |= each[t] ^ first;
    w->varied |= 1u << reg;
    if (!differ) slx_tm_set_reg(w, reg, first);
}

/* The operand's register for tile t is at [t * *step]. */
static const uint64_t *operand(const slx_tm_walk *k, const slx_tm_walker *w, unsigned reg, uint32_t *step)
{
    *step = w->varied >> reg & 1;
    return *step ? k->each + (size_t)reg * k->n : w->r + reg;
}

/* out[i] := (ca + a[i]) fn (cb + b[i]) for n tiles; an operand that is the same for all has a step of 0. out may be a
 * or b. */
__attribute__((always_inline)) static inline void sums(unsigned fn, uint32_t n, uint64_t *out,
                                                       const uint64_t *a, uint32_t sa, uint64_t ca,
                                                       const uint64_t *b, uint32_t sb, uint64_t cb)
{
    const uint64_t a0 = ca + *a, b0 = cb + *b; /* of all, where the step is 0 */
    if (fn == SLX_ALUFN_add) {
#pragma GCC ivdep
        for (uint32_t i = 0; i < n; i++) out[i] = (sa ? ca + a[i] : a0) + (sb ? cb + b[i] : b0);
    } else {
#pragma GCC ivdep
        for (uint32_t i = 0; i < n; i++) out[i] = (sa ? ca + a[i] : a0) * (sb ? cb + b[i] : b0);
    }
}

bool slx_tm_alu_each(slx_tm_walk *k, slx_tm_walker *w, const slx_tm_code *c)
{
    uint32_t sa, sb, sd;
    uint64_t *out = k->each + c->v[0] * k->n;
    const uint64_t *a = operand(k, w, c->reg[1], &sa), *b = operand(k, w, c->reg[2], &sb),
                   *d = operand(k, w, c->reg[3], &sd);
    bool plain = dense(w) && (c->f0 == SLX_ALUFN_add || c->f0 == SLX_ALUFN_mul); /* the most frequent */
    if (plain && sa && sb)
        sums(c->f0, w->n, out + w->id, a + w->id, 1, c->v[1], b + w->id, 1, c->v[2]);
    else if (plain && sa)
        sums(c->f0, w->n, out + w->id, a + w->id, 1, c->v[1], b, 0, c->v[2]);
    else if (plain)
        sums(c->f0, w->n, out + w->id, a, 0, c->v[1], b + w->id, 1, c->v[2]);
    else
        SLX_TM_EACH(k, w, t) {
            uint64_t x = c->v[1] + a[t * sa], y = c->v[2] + b[t * sb], z = c->v[3] + d[t * sd];
            if (!slx_alu(c->f0, x, y, z, out + t)) return false;
        }
    slx_tm_set_each(k, w, c->v[0]);
    return true;
}

/* ------------------------------------------------------------------ part and meet */

/* Tiles in rising order, one after another. */
static void append(slx_tm_walk *k, slx_tm_walker *w, uint32_t t)
{
    if (w->n++) k->next[w->last] = t;
    w->last = t;
}

/* Registers that the tiles of w do not differ in after all. */
static void settle_registers(slx_tm_walk *k, slx_tm_walker *w)
{
    for (uint32_t reg = 1; reg < SLX_N_REGS; reg++)
        if (w->varied >> reg & 1) slx_tm_set_each(k, w, reg);
}

/* Everything of a walker but its tiles and its place. */
static void copy_walker(slx_tm_walker *to, const slx_tm_walker *from, uint32_t id)
{
    slx_buf recs = to->recs, idx = to->idx;
    *to = *from;
    to->recs = recs, to->idx = idx;
    to->id = id, to->n = 0;
}

void slx_tm_part(slx_tm_walk *k, slx_tm_walker *w)
{
    uint64_t key = k->key[w->id];
    uint32_t n = w->n, t = w->id;
    slx_tm_walker *other = NULL;
    for (uint32_t i = 0, u = t; i < n && !other; i++, u = k->next[u])
        if (k->key[u] != key) other = &k->w[u], copy_walker(other, w, u);
    if (!other) return;
    slx_tm_settle(k, w);
    other->times = 1;
    memset(other->plus, 0, sizeof other->plus);
    w->n = 0;
    for (uint32_t i = 0, next; i < n; i++, t = next) {
        next = k->next[t];
        append(k, k->key[t] == key ? w : other, t);
    }
    settle_registers(k, w);
    settle_registers(k, other);
}

static bool same_place(const slx_tm_walker *a, const slx_tm_walker *b)
{
    return a->pc == b->pc && a->depth == b->depth && a->calls == b->calls && a->layer == b->layer && a->ctl == b->ctl &&
           a->cast == b->cast && a->rep.entered == b->rep.entered && a->rep.barred == b->rep.barred &&
           !memcmp(a->ret, b->ret, a->calls * sizeof *a->ret) &&
           !memcmp(a->loop, b->loop, a->depth * sizeof *a->loop);
}

/* Registers of w that differ in a walker of w's tiles and b's. */
static void spread(slx_tm_walk *k, slx_tm_walker *w, uint32_t varied)
{
    for (uint32_t reg = 1; reg < SLX_N_REGS; reg++) {
        if (!(varied >> reg & 1) || w->varied >> reg & 1) continue;
        uint64_t *each = k->each + (size_t)reg * k->n;
        SLX_TM_EACH(k, w, t) each[t] = w->r[reg];
    }
}

/* b's tiles come to a, which has a lower place. */
static void join(slx_tm_walk *k, slx_tm_walker *a, slx_tm_walker *b)
{
    uint32_t varied = a->varied | b->varied;
    for (uint32_t reg = 1; reg < SLX_N_REGS; reg++)
        if (a->r[reg] != b->r[reg]) varied |= 1u << reg;
    slx_tm_settle(k, a);
    slx_tm_settle(k, b);
    spread(k, a, varied);
    spread(k, b, varied);
    a->varied = varied;
    a->rep.order |= b->rep.order;
    a->rep.other |= b->rep.other;
    uint32_t i = a->id, j = b->id, left = a->n, right = b->n;
    if (a->last < j) { /* the most frequent */
        k->next[a->last] = j;
        a->last = b->last, a->n += right;
        b->n = 0;
        return;
    }
    a->n = b->n = 0;
    while (left || right) {
        uint32_t t = right && (!left || j < i) ? j : i;
        if (t == j && right)
            j = k->next[j], right--;
        else
            i = k->next[i], left--;
        append(k, a, t);
    }
}

void slx_tm_meet(slx_tm_walk *k)
{
    for (uint32_t i = 0; i < k->n; i++) {
        slx_tm_walker *a = &k->w[i];
        if (!a->n || a->halted || a->at_bar) continue;
        for (uint32_t j = i + 1; j < k->n; j++) {
            slx_tm_walker *b = &k->w[j];
            if (b->n && !b->halted && !b->at_bar && same_place(a, b)) join(k, a, b);
        }
    }
}
