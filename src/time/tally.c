/* tally.c - what a walk adds up: work, bytes and energy of every instruction, by engine, span, layer and wire.
 *
 * What an instruction takes whenever it comes (its fetch; its work, mostly what it was the last time) is only counted
 * where it stands in the program, and multiplied at the end of the walk or when its work changes. Only sums by layer,
 * and transfers, whose energy goes by address and tile, are added up at once. All in whole femtojoules, so the order
 * does not matter. */
#include "time/time_int.h"

#include <math.h>

static unsigned apart(const slx_tm_walk *k, const slx_tm_rec *r)
{
    return k->counted_apart && r->layer == k->counted_apart;
}

/* What one tile takes for an instruction's work. */
static uint64_t work_fj(const slx_tm_op *o)
{
    return o->mac_fj + o->sum_fj + o->vec_fj + o->sram_fj + o->rom_fj;
}

void slx_tm_tally_work(slx_tm_walk *k, const slx_tm_rec *r, slx_tm_op *o, uint32_t tiles)
{
    o->worked[apart(k, r)] += tiles;
    k->counts->layer_fj[r->layer] += tiles * work_fj(o);
}

void slx_tm_tally_settle(slx_tm_walk *k, slx_tm_op *o)
{
    const slx_tm_work *w = &o->work;
    for (int i = 0; i < 2; i++) {
        slx_tm_counts *n = &k->counts[i];
        uint64_t f = k->fetched[i][o->rec.pc], t = o->worked[i];
        if (!f && !t) continue;
        uint64_t all = work_fj(o);
        n->insns[o->rec.engine] += f;
        n->engine_fj[SLX_ENG_CTL] += f * k->fetch_fj;
        n->engine_fj[o->rec.engine] += t * all;
        n->span_fj[o->rec.span] += f * k->fetch_fj + t * all;
        n->macs += t * w->macs;
        n->ten_clk += (double)t * w->ten_clk;
        n->spm_read += t * w->spm_read;
        n->spm_write += t * w->spm_write;
        n->wire_fj[SLX_TIME_WIRE_MAC] += t * o->mac_fj;
        n->wire_fj[SLX_TIME_WIRE_SUM] += t * o->sum_fj;
        n->wire_fj[SLX_TIME_WIRE_VEC] += t * o->vec_fj;
        n->wire_fj[SLX_TIME_WIRE_SRAM] += t * o->sram_fj + f * k->fetch_fj;
        n->wire_fj[SLX_TIME_WIRE_ROM] += t * o->rom_fj;
        k->fetched[i][o->rec.pc] = o->worked[i] = 0;
    }
}

void slx_tm_tally_end(slx_tm_walk *k)
{
    for (uint32_t i = 0; i < k->prog->n_insns; i++) slx_tm_tally_settle(k, &k->op[i]);
}

/* ------------------------------------------------------------------ what moves */

/* Energy of one wire; the sums over wires go to sum_up. */
static uint64_t joules(slx_tm_counts *n, slx_time_wire wire, double fj)
{
    uint64_t e = (uint64_t)(int64_t)(fj + 0.5); /* far below 2^63 */
    n->wire_fj[wire] += e;
    return e;
}

static void sum_up(slx_tm_counts *n, const slx_tm_rec *r, uint64_t fj)
{
    n->engine_fj[r->engine] += fj;
    n->span_fj[r->span] += fj;
    n->layer_fj[r->layer] += fj;
}

/* 64-byte units of memory that a transfer touches. */
static uint64_t units_of(const slx_tm_rec *r, const uint32_t *idx)
{
    uint64_t units = 0;
    if (!r->indexed && (r->rows == 1 || r->stride == r->bytes))
        return slx_tm_units(r->addr, (uint64_t)r->rows * r->bytes, r->write);
    if (r->stride % 64 == 0) return r->rows * slx_tm_units(r->addr, r->bytes, r->write);
    for (uint64_t i = 0; i < r->rows; i++)
        units += slx_tm_units(r->addr + (r->indexed ? idx[i] : i) * r->stride, r->bytes, r->write);
    return units;
}

void slx_tm_tally_transfer(slx_tm_walk *k, const slx_tm_rec *r, const uint32_t *idx, uint32_t tile, uint32_t receivers,
                           uint32_t region)
{
    const slx_tm_cost *c = &k->cost;
    slx_tm_counts *n = &k->counts[apart(k, r)];
    uint64_t bytes = (uint64_t)r->rows * r->bytes, fj = 0;
    if (!bytes) return;
    /* A slice comes from one stack, other bytes from all alike; a multicast tree: one more hop a receiver. */
    uint32_t stack = slx_tm_slice_stack(k->mem, r);
    if (stack != SLX_TM_STACKS) k->in_stack[tile * k->mem->stacks + stack] += bytes;
    double hops = stack == SLX_TM_STACKS ? k->mem->mean[tile] : k->mem->hops[tile * k->mem->stacks + stack];
    double hop_bytes = (double)bytes * (hops + receivers - 1);
    fj += joules(n, SLX_TIME_WIRE_HBM, (double)units_of(r, idx) * 512 * c->fj_hbm);
    fj += joules(n, SLX_TIME_WIRE_NOC, hop_bytes * 8 * (c->fj_wire + c->fj_router));
    fj += joules(n, SLX_TIME_WIRE_SRAM, (double)bytes * receivers * 8 * (r->write ? c->fj_rd : c->fj_wr));
    sum_up(n, r, fj);
    if (r->write) {
        n->hbm_write += bytes, n->spm_read += bytes;
    } else {
        n->hbm_read += bytes, n->spm_write += bytes * receivers;
        n->region_read[region] += bytes;
    }
}

void slx_tm_tally_move(slx_tm_walk *k, const slx_tm_rec *r, uint32_t tile, uint32_t first, uint32_t receivers)
{
    const slx_tm_cost *c = &k->cost;
    slx_tm_counts *n = &k->counts[apart(k, r)];
    uint64_t bytes = r->link_bytes, fj = 0;
    if (!bytes) return;
    uint32_t hops = receivers == 1 ? slx_tm_hops(k->chip, tile, first) : receivers;
    fj += joules(n, SLX_TIME_WIRE_NOC, (double)bytes * 8 * hops * (c->fj_wire + c->fj_router));
    fj += joules(n, SLX_TIME_WIRE_SRAM, (double)bytes * 8 * (c->fj_rd + receivers * c->fj_wr));
    sum_up(n, r, fj);
    n->spm_read += bytes;
    n->spm_write += bytes * receivers;
}

/* A meeting: to the ports and from them, about as far as memory. */
void slx_tm_tally_meeting(slx_tm_walk *k, const slx_tm_rec *r, uint32_t tile, uint64_t got)
{
    const slx_tm_cost *c = &k->cost;
    slx_tm_counts *n = &k->counts[apart(k, r)];
    double wire = (double)r->link_bytes * 8;
    uint64_t fj = joules(n, SLX_TIME_WIRE_NET, wire * c->fj_serdes);
    fj += joules(n, SLX_TIME_WIRE_NOC, 2 * wire * k->mem->mean[tile] * (c->fj_wire + c->fj_router));
    fj += joules(n, SLX_TIME_WIRE_SRAM, (double)r->bytes * 8 * c->fj_rd + (double)got * 8 * c->fj_wr);
    if (r->op == SLX_OP_RED)
        fj += joules(n, SLX_TIME_WIRE_SUM, (double)(k->net.chips - 1) * (r->bytes / 4) * c->fj_add);
    sum_up(n, r, fj);
    n->net += r->bytes;
    n->net_wire += r->link_bytes;
    n->spm_read += r->bytes;
    n->spm_write += got;
}
