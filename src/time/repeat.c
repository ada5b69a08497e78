/* repeat.c - layers that do what the layer before did, at other addresses, need not be walked.
 *
 *   probe    layers 0, 1, 2, n-2, n-1 are walked
 *   holds    layers 1, 2 and n-2 did the same work (records, what control flow saw, tokens; addresses apart), and in
 *            layer 2 nothing that steers control flow or sizes depends on what differs from layer to layer
 *   then     layer 2 stands for layers 2..n-3
 *   times    from the first BAR of layer 1 to that of n-2 pass those of one layer; from that of 0 to that of n-1
 *            too, if layer 0 ends and n-1 begins like layer 1 (fold.c)
 *
 * Why that is enough: layer 2 starts from the scratchpad that layer 1 left, and left it as it was, since both wrote the
 * same. So by induction every later layer does the same again, as long as what differs at its start reaches addresses
 * only. That is followed register by register through layer 2:
 *
 *   order   grows or falls with the layer's number. It may steer: what it decides switches once at most, and is the
 *           same in layers 2 and n-2. Of == only with the number itself, against one of the layers walked or none.
 *   other   differs in another way (a buffer taken in turn, a running address). It may not steer.
 *
 * Any doubt, and every layer is walked. */
#include "time/time_int.h"

#include <string.h>

void slx_tm_repeat_see(slx_tm_walk *k, slx_tm_walker *w, uint32_t t, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t x[SLX_TM_HASHES] = {0};
    x[SLX_TM_WORK] = slx_tm_mix(slx_tm_mix(slx_tm_mix(0, a), b), c);
    slx_tm_settle(k, w);
    slx_tm_hash_one(k, t, x);
}

void slx_tm_repeat_enter(slx_tm_walk *k, slx_tm_walker *w)
{
    if (!k->repeat.first) k->repeat.first = w->loop[0].first;
    if (k->repeat.first != w->loop[0].first || w->rep.entered) k->repeat.odd = true;
    w->rep.entered = true, w->rep.barred = false;
}

/* Layers looked at, as places in slx_tm_history. */
enum { FIRST, SECOND, THIRD, LAST_BUT_ONE, LAST };

static unsigned place_of(const slx_tm_walk *k, uint64_t layer)
{
    return layer < FIRST + 3 ? (unsigned)layer : layer + 1 == k->repeat.n ? LAST : LAST_BUT_ONE;
}

/* What w's tiles have done since the layer `layer` began, or since its first BAR: to that BAR, and to the layer's
 * end. */
static void keep_work(slx_tm_walk *k, slx_tm_walker *w, uint64_t layer, bool start)
{
    unsigned place = place_of(k, layer);
    slx_tm_settle(k, w);
    SLX_TM_EACH(k, w, t) {
        slx_tm_history *h = &k->history[t];
        (start ? h->starts : h->rests)[place] = h->hash[SLX_TM_WORK];
        h->hash[SLX_TM_WORK] = 0;
    }
}

/* A register where layer 1 begins: it is kept; where layer 2 does: does it differ from that? */
static bool compare_reg(slx_tm_walk *k, const slx_tm_walker *w, uint32_t reg, bool keep)
{
    uint64_t *before = k->before + (size_t)reg * k->n, differ = 0;
    SLX_TM_EACH(k, w, t) {
        uint64_t v = slx_tm_reg(k, w, reg, t);
        if (keep)
            before[t] = v;
        else
            differ |= before[t] ^ v;
    }
    return differ;
}

void slx_tm_repeat_bar(slx_tm_walk *k, slx_tm_walker *w)
{
    if (!w->rep.barred && w->layer) keep_work(k, w, w->layer - 1u, true);
    w->rep.barred = true;
}

void slx_tm_repeat_next(slx_tm_walk *k, slx_tm_walker *w)
{
    slx_tm_loop *f = &w->loop[0];
    w->rep.barred = false;
    if (k->repeat.probing) {
        keep_work(k, w, f->i - 1, false);
        for (uint32_t i = 1; i < SLX_N_REGS && (f->i == 1 || f->i == 2); i++)
            if (compare_reg(k, w, i, f->i == 1) && i != f->rd) w->rep.other |= 1u << i;
        if (f->rd) w->rep.order = 1u << f->rd;
    }
    if (f->i == k->repeat.from) f->i = k->repeat.to;
}

static bool in_region(const slx_region *r, uint64_t addr)
{
    return r && addr >= r->base && addr - r->base < r->bytes;
}

static void set_reg(slx_tm_walker *w, uint32_t rd, bool order, bool other)
{
    w->rep.order = (w->rep.order & ~(1u << rd)) | (uint32_t)order << rd;
    w->rep.other = (w->rep.other & ~(1u << rd)) | (uint32_t)other << rd;
}

static void check_alu(slx_tm_walker *w, const slx_insn *in, uint64_t rd, unsigned order,
                      unsigned other)
{
    unsigned f = slx_insn_f0(in);
    bool mixes = f == SLX_ALUFN_and || f == SLX_ALUFN_or || f == SLX_ALUFN_xor ||
                 f == SLX_ALUFN_remu || f == SLX_ALUFN_eq;
    bool bad = other || (order && (mixes || (order & (order - 1))));
    set_reg(w, (uint32_t)rd, order && !bad, bad);
}

/* == of the layer's number itself with a number that no layer left out has. */
static bool harmless_equal(const slx_tm_walk *k, const slx_tm_walker *w, const slx_insn *in,
                           const uint64_t *v, unsigned order)
{
    int i = order == 1 ? 0 : order == 2 ? 1 : -1;
    if (i < 0 || v[i] != w->loop[0].i || (in->w[2 + i] >> 26 & 31) != w->loop[0].rd) return false;
    uint64_t with = v[1 - i];
    return with <= 2 || with + 2 >= k->repeat.n;
}

/* The instruction of one tile, whose operands are v. */
static void check_tile(slx_tm_walk *k, slx_tm_walker *w, const slx_tm_code *o, const slx_insn *in,
                       const uint64_t v[SLX_N_OPERANDS])
{
    unsigned order = 0, other = 0, place = 0; /* by operand */
    for (unsigned i = 0; i < SLX_N_OPERANDS; i++) {
        order |= (w->rep.order >> o->reg[i] & 1) << i;
        other |= (w->rep.other >> o->reg[i] & 1) << i;
        place |= (~o->sizes >> i & 1u) << i;
    }
    unsigned any = order | other;
    bool bad = false;
    switch (o->op) {
    case SLX_OP_LI: set_reg(w, (uint32_t)v[0], false, false); break;
    case SLX_OP_ALU: check_alu(w, in, v[0], order, other); break;
    case SLX_OP_LDS: bad = any, set_reg(w, (uint32_t)v[0], false, false); break;
    case SLX_OP_STS:
    case SLX_OP_SYS: bad = any; break;
    case SLX_OP_LOOP:
        bad = other;
        if (v[2]) set_reg(w, (uint32_t)v[2], false, false);
        break;
    case SLX_OP_BR:
        bad = other || (order & (order - 1));
        if (order && (slx_insn_f0(in) == SLX_COND_eq || slx_insn_f0(in) == SLX_COND_ne))
            bad |= !harmless_equal(k, w, in, v, order);
        break;
    case SLX_OP_LD: bad = (other & ~place) || (any && in_region(k->desc_region, v[1])); break;
    case SLX_OP_LDX:
        bad = (other & ~place) || any >> 2 & 1 || (any && in_region(k->desc_region, v[1]));
        break;
    case SLX_OP_STX: bad = (other & ~place) || any >> 2 & 1; break;
    case SLX_OP_MOV: {
        uint64_t last = v[4] ? v[4] - 1 : 0;
        bad =
            (any & ~place) || (any && (slx_tm_seen(k, v[0], last * slx_pair_y(v[5]) * 64 + v[3]) ||
                                       slx_tm_seen(k, v[2], last * slx_pair_x(v[5]) * 64 + v[3])));
        break;
    }
    case SLX_OP_GAT:
        bad = (other & ~place) || (any && (slx_tm_seen(k, v[1], v[2] * v[3]) ||
                                           slx_tm_seen(k, v[0], v[2] * v[3] * k->net.chips)));
        break;
    default: bad = other & ~place;
    }
    if (bad) k->repeat.odd = true;
}

void slx_tm_repeat_check(slx_tm_walk *k, slx_tm_walker *w, const slx_tm_code *o, const slx_insn *in,
                         const uint64_t v[SLX_N_OPERANDS])
{
    uint32_t order = w->rep.order, other = w->rep.other;
    uint64_t own[SLX_N_OPERANDS];
    if (!(w->varied & o->regs) || !((order | other) & o->regs)) {
        check_tile(k, w, o, in, v);
        return;
    }
    SLX_TM_EACH(k, w, t) {
        for (unsigned i = 0; i < SLX_N_OPERANDS; i++) own[i] = o->v[i] + slx_tm_reg(k, w, o->reg[i], t);
        w->rep.order = order, w->rep.other = other;
        check_tile(k, w, o, in, own);
    }
}

bool slx_tm_repeat_holds(const slx_tm_walk *k)
{
    if (k->repeat.odd || !k->repeat.first) return false;
    for (uint32_t i = 0; i < k->n; i++) {
        const slx_tm_history *h = &k->history[i];
        if (k->w[i].n && !k->w[i].rep.entered) return false;
        for (unsigned l = THIRD; l <= LAST_BUT_ONE; l++)
            if (h->starts[l] != h->starts[SECOND] || h->rests[l] != h->rests[SECOND]) return false;
    }
    return true;
}

bool slx_tm_repeat_ends_alike(const slx_tm_walk *k)
{
    for (uint32_t i = 0; i < k->n; i++) {
        const slx_tm_history *h = &k->history[i];
        if (h->rests[FIRST] != h->rests[SECOND] || h->starts[LAST] != h->starts[SECOND]) return false;
    }
    return true;
}
