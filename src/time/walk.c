/* walk.c - the program's control flow, tile by tile in program order, as records of what each
 * engine will do.
 *
 * Values reach control flow only through LDS and through indices, and both only ever hold bytes
 * of the descriptor: so each tile has a shadow scratchpad in which nothing but copies of the
 * descriptor and STS are real. Tiles run in the order of chip.md 3.2: each to its next BAR, then
 * all go on. One epoch is walked at a time, so that a long step never stands in memory as a
 * whole. Counters and energy are a matter of what is done and not of when: they are added up
 * here. */
#include "time/time_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ setting up */

static void decode(slx_tm_walk *k, uint32_t pc)
{
    const slx_insn *in = &k->prog->insns[pc];
    const slx_op_info *info = &slx_ops[slx_insn_op(in)];
    slx_tm_op *o = &k->op[pc];
    o->rec = (slx_tm_rec){.pc = pc,
                          .span = k->span_of[pc],
                          .op = (uint8_t)slx_insn_op(in),
                          .engine = (uint8_t)info->engine,
                          .bound = SLX_TIME_CONTROL,
                          .busy = 1};
    for (int i = 0; i < 4; i++) o->rec.tok[i] = (uint8_t)slx_insn_tok(in, i);
    for (int i = 0; i < SLX_N_OPERANDS; i++) {
        uint32_t word = in->w[2 + i];
        o->v[i] = word;
        switch (info->kind[i]) {
        case SLX_K_VAL:
        case SLX_K_PAIR:
        case SLX_K_STR:
        case SLX_K_F32:
            o->sizes |= (uint8_t)(1u << i);
            if (info->kind[i] == SLX_K_F32) o->floats |= (uint8_t)(1u << i);
            break;
        case SLX_K_SPM:
        case SLX_K_HBM:
        case SLX_K_ACC: break;
        default: continue;
        }
        if (!(word >> 31)) continue;
        o->v[i] = (uint64_t)slx_opnd_add(word);
        o->regs[o->n_regs].operand = (uint8_t)i;
        o->regs[o->n_regs++].reg = (uint8_t)(word >> 26 & 31);
    }
}

void slx_tm_walk_init(slx_tm_walk *k, const slx_program *p, const slx_chip *c, const uint8_t *desc,
                      uint32_t rank, const slx_tm_mem *mem)
{
    *k = (slx_tm_walk){.prog = p,
                       .chip = c,
                       .desc = desc,
                       .rank = rank,
                       .desc_region = desc ? slx_program_region(p, SLX_REGION_DESC) : NULL,
                       .mem = mem,
                       .n = p->info.n_tiles,
                       .low = UINT64_MAX};
    slx_tm_cost_init(&k->cost, c);
    slx_tm_net_init(&k->net, c, p);
    k->fetch_fj = (uint64_t)(8 * SLX_INSN_BYTES * k->cost.fj_rd + 0.5);
    k->w = slx_xcalloc(k->n, sizeof *k->w);
    for (uint32_t i = 0; i < k->n; i++) k->w[i].spm = slx_lazy_alloc(p->info.spm_bytes);
    k->span_of = slx_xcalloc(p->n_insns + 1u, sizeof *k->span_of);
    k->attention = slx_xcalloc(p->n_spans + 1u, sizeof *k->attention);
    for (uint32_t i = 0; i < p->n_insns; i++) k->span_of[i] = (uint16_t)p->n_spans;
    for (uint32_t s = 0; s < p->n_spans; s++)
        for (uint32_t i = p->spans[s].pc; i < p->n_insns && i - p->spans[s].pc < p->spans[s].count;
             i++) {
            k->span_of[i] = (uint16_t)s;
            if (slx_insn_op(&p->insns[i]) == SLX_OP_VSMX) k->attention[s] = true;
        }
    k->op = slx_xcalloc(p->n_insns + 1u, sizeof *k->op);
    for (uint32_t i = 0; i < p->n_insns; i++) decode(k, i);
    slx_tm_walk_reset(k);
}

void slx_tm_walk_deinit(slx_tm_walk *k)
{
    for (uint32_t i = 0; i < k->n; i++) {
        slx_lazy_free(k->w[i].spm, k->prog->info.spm_bytes);
        slx_buf_free(&k->w[i].recs);
        slx_buf_free(&k->w[i].idx);
    }
    free(k->w);
    free(k->op);
    free(k->span_of);
    free(k->attention);
}

void slx_tm_walk_reset(slx_tm_walk *k)
{
    for (uint32_t i = 0; i < k->n; i++) {
        slx_tm_walker *w = &k->w[i], old = *w;
        *w = (slx_tm_walker){.id = i,
                             .pc = k->prog->entry_step,
                             .spm = old.spm,
                             .recs = old.recs,
                             .idx = old.idx,
                             .absent = old.absent,
                             .silent = old.silent};
        w->recs.len = w->idx.len = 0;
        w->r[SLX_R_TILE] = i;
        w->r[SLX_R_RANK] = k->rank;
        if (k->desc_region) w->r[SLX_R_DESC] = k->desc_region->base;
    }
}

/* ------------------------------------------------------------------ counting */

static slx_tm_counts *counts_of(slx_tm_walk *k, const slx_tm_rec *r)
{
    return &k->counts[k->counted_apart && r->layer == k->counted_apart];
}

static void joules(slx_tm_walk *k, const slx_tm_rec *r, slx_time_wire wire, double fj)
{
    slx_tm_counts *n = counts_of(k, r);
    uint64_t e = (uint64_t)(fj + 0.5);
    n->wire_fj[wire] += e;
    n->engine_fj[r->engine] += e;
    n->span_fj[r->span] += e;
    n->layer_fj[r->layer] += e;
}

static void count_work(slx_tm_walk *k, const slx_tm_rec *r, const slx_tm_op *o)
{
    slx_tm_counts *n = counts_of(k, r);
    const slx_tm_work *w = &o->work;
    n->macs += w->macs;
    n->ten_clk += w->ten_clk;
    n->spm_read += w->spm_read;
    n->spm_write += w->spm_write;
    n->wire_fj[SLX_TIME_WIRE_MAC] += o->mac_fj;
    n->wire_fj[SLX_TIME_WIRE_SUM] += o->sum_fj;
    n->wire_fj[SLX_TIME_WIRE_VEC] += o->vec_fj;
    n->wire_fj[SLX_TIME_WIRE_SRAM] += o->sram_fj;
    uint64_t all = o->mac_fj + o->sum_fj + o->vec_fj + o->sram_fj;
    n->engine_fj[r->engine] += all;
    n->span_fj[r->span] += all;
    n->layer_fj[r->layer] += all;
}

/* Energy of what a transfer moves between memory, network and scratchpads. */
static void count_transfer(slx_tm_walk *k, const slx_tm_rec *r, const uint32_t *idx, uint32_t tile,
                           uint32_t receivers, uint32_t region)
{
    const slx_tm_cost *c = &k->cost;
    slx_tm_counts *n = counts_of(k, r);
    uint64_t bytes = (uint64_t)r->rows * r->bytes, units = 0;
    if (!bytes) return;
    bool whole = !r->indexed && (r->rows == 1 || r->stride == r->bytes);
    uint64_t rows = whole ? 1 : r->rows, each = whole ? bytes : r->bytes;
    for (uint64_t i = 0; i < rows; i++) {
        uint64_t a = r->addr + (r->indexed ? idx[i] : i) * r->stride;
        units += slx_tm_units(a, each, r->write);
    }
    /* Bytes come from all stacks alike; a multicast tree: one more hop a receiver. */
    double hop_bytes = (double)bytes * (k->mem->mean[tile] + receivers - 1);
    joules(k, r, SLX_TIME_WIRE_HBM, (double)units * 512 * c->fj_hbm);
    joules(k, r, SLX_TIME_WIRE_NOC, hop_bytes * 8 * (c->fj_wire + c->fj_router));
    joules(k, r, SLX_TIME_WIRE_SRAM,
           (double)bytes * receivers * 8 * (r->write ? c->fj_rd : c->fj_wr));
    if (r->write) {
        n->hbm_write += bytes, n->spm_read += bytes;
    } else {
        n->hbm_read += bytes, n->spm_write += bytes * receivers;
        n->region_read[region] += bytes;
    }
}

static void count_move(slx_tm_walk *k, const slx_tm_rec *r, uint32_t tile, uint32_t first,
                       uint32_t receivers)
{
    const slx_tm_cost *c = &k->cost;
    uint64_t bytes = r->link_bytes;
    if (!bytes) return;
    uint32_t hops = receivers == 1 ? slx_tm_hops(k->chip, tile, first) : receivers;
    joules(k, r, SLX_TIME_WIRE_NOC, (double)bytes * 8 * hops * (c->fj_wire + c->fj_router));
    joules(k, r, SLX_TIME_WIRE_SRAM, (double)bytes * 8 * (c->fj_rd + receivers * c->fj_wr));
    counts_of(k, r)->spm_read += bytes;
    counts_of(k, r)->spm_write += bytes * receivers;
}

/* A meeting: to the ports and from them, about as far as memory. */
static void count_meeting(slx_tm_walk *k, const slx_tm_rec *r, uint32_t tile, uint64_t got)
{
    const slx_tm_cost *c = &k->cost;
    slx_tm_counts *n = counts_of(k, r);
    double wire = (double)r->link_bytes * 8;
    joules(k, r, SLX_TIME_WIRE_NET, wire * c->fj_serdes);
    joules(k, r, SLX_TIME_WIRE_NOC, 2 * wire * k->mem->mean[tile] * (c->fj_wire + c->fj_router));
    joules(k, r, SLX_TIME_WIRE_SRAM, (double)r->bytes * 8 * c->fj_rd + (double)got * 8 * c->fj_wr);
    if (r->op == SLX_OP_RED)
        joules(k, r, SLX_TIME_WIRE_SUM, (double)(k->net.chips - 1) * (r->bytes / 4) * c->fj_add);
    n->net += r->bytes;
    n->net_wire += r->link_bytes;
    n->spm_read += r->bytes;
    n->spm_write += got;
}

/* ------------------------------------------------------------------ records */

static inline uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

static void emit(slx_tm_walk *k, slx_tm_walker *w, slx_tm_rec *r)
{
    r->ctl = w->ctl;
    w->ctl = 0;
    if (k->hashing || k->repeat.probing) {
        uint64_t a = (uint64_t)r->pc << 32 | r->busy, b = (uint64_t)r->rows << 32 | r->bytes,
                 c = (uint64_t)r->ctl << 32 | r->group;
        w->hash[0] = mix(mix(mix(w->hash[0], a), b), c);
        w->hash[1] = mix(mix(mix(w->hash[1], b ^ UINT64_C(0x85ebca6b)), c), a) + r->link_bytes;
        if (k->repeat.probing)
            slx_tm_repeat_see(w, a, b, c ^ r->addr % 64 << 56 ^ (uint64_t)r->bound << 48);
    }
    if (k->keep && !w->silent) slx_buf_add(&w->recs, r, sizeof *r);
}

static slx_status place(slx_tm_walk *k, const slx_tm_walker *w, slx_status st, const char *what,
                        slx_err *err)
{
    slx_buf text = {0};
    slx_insn_print(&k->prog->insns[w->pc], &text);
    slx_fail(err, st, k->prog->info.model_name, 0, 0, "tile %u, pc %u: %s; %s", w->id, w->pc, what,
             text.ptr ? text.ptr : "");
    slx_buf_free(&text);
    return st;
}

static const slx_region *region_of(const slx_program *p, uint64_t addr, uint64_t bytes)
{
    for (uint32_t i = 0; i < p->n_regions; i++) {
        const slx_region *r = &p->regions[i];
        if (addr >= r->base && addr - r->base <= r->bytes && bytes <= r->bytes - (addr - r->base))
            return r;
    }
    return NULL;
}

static uint8_t *spm_at(const slx_tm_walk *k, const slx_tm_walker *w, uint64_t addr, uint64_t bytes)
{
    uint64_t size = k->prog->info.spm_bytes;
    return addr <= size && bytes <= size - addr ? w->spm + addr : NULL;
}

/* Tiles that receive a multicast or a MOV. */
static bool receivers(const slx_tm_walk *k, unsigned f1, uint32_t *first, uint32_t *count)
{
    if (!f1) return *first < k->n;
    if (f1 > k->prog->n_groups) return false;
    *first = k->prog->groups[f1 - 1].first;
    *count = k->prog->groups[f1 - 1].count;
    return true;
}

/* Bytes that control flow may see from now on. */
static void show(slx_tm_walk *k, slx_tm_walker *w, uint64_t to, uint64_t bytes, uint64_t what)
{
    if (to < k->low) k->low = to;
    if (to + bytes > k->high) k->high = to + bytes;
    if (k->repeat.probing) slx_tm_repeat_see(w, to, bytes, what);
}

/* A row that a load brings: only bytes of the descriptor can ever be seen by control flow. */
static bool visible(slx_tm_walk *k, slx_tm_walker *w, const slx_region *reg, uint64_t from,
                    uint64_t to, uint64_t bytes, bool load)
{
    if (bytes > reg->bytes || from - reg->base > reg->bytes - bytes) return false;
    if (!load || reg != k->desc_region) return true;
    uint8_t *p = spm_at(k, w, to, bytes);
    if (!p) return false;
    memcpy(p, k->desc + (from - reg->base), bytes);
    show(k, w, to, bytes, from);
    return true;
}

static slx_status step_transfer(slx_tm_walk *k, slx_tm_walker *w, const slx_insn *in,
                                const uint64_t *v, slx_tm_rec *r, slx_err *err)
{
    unsigned op = slx_insn_op(in);
    bool load = op == SLX_OP_LD || op == SLX_OP_LDX, indexed = op == SLX_OP_LDX || op == SLX_OP_STX;
    uint64_t spm = v[load ? 0 : 1], hbm = v[load ? 1 : 0], bytes = indexed ? v[4] : v[2],
             rows = v[3];
    uint64_t stride = indexed ? v[5] : v[load ? 4 : 5],
             spm_stride = indexed ? bytes : v[load ? 5 : 4];
    uint32_t first = w->id, count = 1;
    const uint32_t *idx = NULL;
    r->write = !load;
    if (!rows || !bytes) return SLX_OK;
    if (rows > UINT32_MAX || bytes > UINT32_MAX || (rows > 1 && stride > UINT64_MAX / rows))
        return place(k, w, SLX_EFAULT, "address outside its space or region", err);
    if (op == SLX_OP_LD && !receivers(k, slx_insn_f1(in), &first, &count))
        return place(k, w, SLX_EFAULT, "no such group", err);
    r->group = op == SLX_OP_LD ? slx_insn_f1(in) : 0;
    if (rows == 1) stride = bytes;
    const slx_region *reg = region_of(k->prog, hbm, indexed ? 1 : (rows - 1) * stride + bytes);
    if (!reg) return place(k, w, SLX_EFAULT, "address outside its space or region", err);
    r->addr = hbm, r->stride = stride, r->bytes = (uint32_t)bytes, r->rows = (uint32_t)rows;
    if (indexed) {
        const uint8_t *ip = spm_at(k, w, v[2], rows * 4);
        if (!ip || v[2] % 4)
            return place(k, w, SLX_EFAULT, "address outside its space or region", err);
        r->indexed = true;
        r->idx_at = (uint32_t)(w->idx.len / 4);
        r->rows = 0;
        for (uint64_t i = 0; i < rows; i++) {
            uint32_t at;
            memcpy(&at, ip + 4 * i, 4);
            if (at == UINT32_MAX) continue;
            if (at * stride > reg->bytes ||
                !visible(k, w, reg, hbm + at * stride, spm + i * bytes, bytes, load))
                return place(k, w, SLX_EFAULT, "address outside its space or region", err);
            slx_buf_add(&w->idx, &at, 4);
            r->rows++;
        }
        idx = (const uint32_t *)(const void *)w->idx.ptr + r->idx_at;
        if (r->rows == 1) r->addr += idx[0] * stride, r->stride = bytes, r->indexed = false;
    }
    for (uint32_t t = first; t < first + count && !indexed && load && reg == k->desc_region; t++)
        for (uint64_t i = 0; i < rows; i++)
            if (!visible(k, &k->w[t], reg, hbm + i * stride, spm + i * spm_stride, bytes, true))
                return place(k, w, SLX_EFAULT, "address outside its space or region", err);
    if (r->group && reg == k->desc_region) k->crossing = true;
    r->link_bytes = (uint64_t)r->rows * bytes;
    if (k->attention[r->span])
        r->bound = SLX_TIME_ATTENTION;
    else
        r->bound = reg->kind == SLX_REGION_WEIGHTS ? SLX_TIME_WEIGHTS : SLX_TIME_EXCHANGE;
    if (k->counts) count_transfer(k, r, idx, w->id, count, reg->kind);
    if (indexed && (!k->keep || w->silent)) w->idx.len = (size_t)r->idx_at * 4;
    return SLX_OK;
}

static slx_status step_move(slx_tm_walk *k, slx_tm_walker *w, const slx_insn *in, const uint64_t *v,
                            slx_tm_rec *r, slx_err *err)
{
    uint64_t bytes = v[3], rows = v[4], ss = slx_pair_x(v[5]) * 64ull,
             ds = slx_pair_y(v[5]) * 64ull;
    uint32_t first = v[1] < k->n ? (uint32_t)v[1] : k->n, count = 1;
    if (!bytes || !rows) return SLX_OK;
    if (!receivers(k, slx_insn_f1(in), &first, &count))
        return place(k, w, SLX_EFAULT, "no such tile or group", err);
    uint64_t size = k->prog->info.spm_bytes;
    if (rows > size || bytes > size || !spm_at(k, w, v[0], (rows - 1) * ss + bytes) ||
        !spm_at(k, w, v[2], (rows - 1) * ds + bytes))
        return place(k, w, SLX_EFAULT, "address outside its space or region", err);
    bool seen = slx_tm_seen(k, v[0], (rows - 1) * ss + bytes) ||
                slx_tm_seen(k, v[2], (rows - 1) * ds + bytes);
    for (uint32_t t = first; t < first + count; t++) {
        if (t != w->id && seen) k->crossing = true;
        if (!k->w[t].absent && seen)
            for (uint64_t i = 0; i < rows; i++)
                memmove(k->w[t].spm + v[2] + i * ds, w->spm + v[0] + i * ss, bytes);
    }
    r->rows = (uint32_t)rows, r->bytes = (uint32_t)bytes, r->link_bytes = rows * bytes,
    r->write = true;
    r->bound = SLX_TIME_EXCHANGE;
    r->group = slx_insn_f1(in) ? slx_insn_f1(in) : 0;
    r->addr = first;
    if (k->counts) count_move(k, r, w->id, first, count);
    return SLX_OK;
}

/* RED and GAT. The other chips' rows of a GAT are this one's: descriptors are alike on all. */
static slx_status step_meeting(slx_tm_walk *k, slx_tm_walker *w, const uint64_t *v, slx_tm_rec *r,
                               slx_err *err)
{
    bool sum = r->op == SLX_OP_RED;
    uint64_t rows = sum ? 1 : v[3], row = sum ? v[2] * 4 : v[2], size = k->prog->info.spm_bytes,
             chips = k->net.chips;
    r->bound = SLX_TIME_COLLECTIVES;
    if (!rows || !row) return SLX_OK;
    if (chips < 2 || !k->net.alpha_ticks)
        return place(k, w, SLX_EUNSUPPORTED, "the chip has no links to others", err);
    uint64_t got = sum ? row : rows * row * chips;
    if (v[2] > size || rows > size || !spm_at(k, w, v[1], rows * row) || !spm_at(k, w, v[0], got))
        return place(k, w, SLX_EFAULT, "address outside its space or region", err);
    bool seen = slx_tm_seen(k, v[1], rows * row) || slx_tm_seen(k, v[0], got);
    for (uint64_t i = 0; i < rows * chips && !sum && seen; i++)
        memmove(w->spm + v[0] + i * row, w->spm + v[1] + i / chips * row, row);
    slx_tm_meeting m = slx_tm_net_meeting(&k->net, sum, rows * row);
    r->rows = m.messages;
    r->bytes = (uint32_t)(rows * row);
    r->link_bytes = m.wire_bytes;
    r->busy = (uint32_t)ceil((double)(rows * row * chips) / k->cost.spm_clk);
    if (k->counts) count_meeting(k, r, w->id, got);
    return SLX_OK;
}

/* ------------------------------------------------------------------ CTL */

/* The layer loop is the outermost one that runs once a layer and meets barriers. */
static bool in_layers(const slx_tm_walk *k, const slx_tm_walker *w)
{
    if (!w->depth || !k->prog->info.n_layers || w->loop[0].n != k->prog->info.n_layers)
        return false;
    return k->span_of[w->loop[0].first] != k->span_of[w->loop[0].end - 1];
}

static uint16_t layer_of(const slx_tm_walk *k, const slx_tm_walker *w)
{
    return in_layers(k, w) ? (uint16_t)(1 + w->loop[0].i) : 0;
}

static void close_loops(slx_tm_walk *k, slx_tm_walker *w)
{
    while (w->depth) {
        slx_tm_loop *f = &w->loop[w->depth - 1];
        if (w->pc != f->end) return;
        if (++f->i < f->n) {
            w->pc = f->first;
            if (w->depth == 1 && k->repeat.n && f->first == k->repeat.first)
                slx_tm_repeat_next(k, w);
            if (f->rd) w->r[f->rd] = f->i;
            return;
        }
        w->depth--;
    }
}

/* What a CTL instruction does to registers and memory; *next is where it goes. NULL, or the
 * fault. */
static const char *step_ctl(slx_tm_walk *k, slx_tm_walker *w, const slx_insn *in, const uint64_t *v,
                            uint32_t *next)
{
    unsigned f0 = slx_insn_f0(in), n = 1u << (f0 & 3);
    uint64_t out;
    uint8_t *p;
    switch (slx_insn_op(in)) {
    case SLX_OP_SYS:
        if (f0 == SLX_SYSFN_halt) w->halted = true;
        if (f0 == SLX_SYSFN_trap && v[0] != v[1]) return "TRAP";
        return NULL;
    case SLX_OP_LI: w->r[v[0]] = v[1] | v[2] << 32; return NULL;
    case SLX_OP_ALU:
        if (!slx_alu(f0, v[1], v[2], v[3], &out)) return "division by zero";
        w->r[v[0]] = out;
        return NULL;
    case SLX_OP_LDS:
        if (!(p = spm_at(k, w, v[1], n)) || v[1] % n) return "address outside its space or region";
        out = 0;
        memcpy(&out, p, n);
        if (out > v[2]) return "LDS value above its limit";
        w->r[v[0]] = out;
        return NULL;
    case SLX_OP_STS:
        if (!(p = spm_at(k, w, v[0], n)) || v[0] % n) return "address outside its space or region";
        memcpy(p, &v[1], n);
        show(k, w, v[0], n, v[1]);
        return NULL;
    case SLX_OP_LOOP:
        if (v[0] > SLX_MAX_LOOP_COUNT) return "LOOP count above 2^24";
        if (!v[0] || !v[1]) {
            *next += (uint32_t)v[1];
        } else {
            if (w->depth >= SLX_MAX_LOOP_DEPTH) return "LOOPs nested too deep";
            w->loop[w->depth++] = (slx_tm_loop){
                .first = *next, .end = *next + (uint32_t)v[1], .rd = (uint32_t)v[2], .n = v[0]};
            if (v[2]) w->r[v[2]] = 0;
            if (w->depth == 1 && k->repeat.n && in_layers(k, w)) slx_tm_repeat_enter(k, w);
        }
        return NULL;
    case SLX_OP_BR:
        if (slx_br_taken(f0, v[0], v[1])) *next = (uint32_t)v[2];
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

static void resolve(const slx_tm_walker *w, const slx_tm_op *o, uint64_t v[SLX_N_OPERANDS])
{
    memcpy(v, o->v, sizeof o->v);
    for (unsigned i = 0; i < o->n_regs; i++) v[o->regs[i].operand] += w->r[o->regs[i].reg];
    for (unsigned i = 0; o->floats >> i; i++)
        if (o->floats >> i & 1) v[i] = (uint32_t)v[i];
}

/* What an instruction without transfer takes: mostly what it took when it came last. */
static const char *work_of(slx_tm_walk *k, slx_tm_op *o, const slx_insn *in, const uint64_t *v)
{
    bool same = o->known;
    for (int i = 0; i < SLX_N_OPERANDS && same; i++)
        if (o->sizes >> i & 1) same = v[i] == o->last[i];
    if (same) return NULL;
    o->known = false;
    const char *why = slx_tm_cost_of(&k->cost, in, v, &o->work);
    if (why) return why;
    const slx_tm_cost *c = &k->cost;
    double sram = (double)o->work.spm_read * 8 * c->fj_rd +
                  (double)o->work.spm_write * 8 * c->fj_wr +
                  (double)o->work.acc_bytes * 4 * (c->fj_rd + c->fj_wr) + o->work.rom_fj;
    o->mac_fj = (uint64_t)(o->work.mac_fj + 0.5), o->sum_fj = (uint64_t)(o->work.sum_fj + 0.5);
    o->vec_fj = (uint64_t)(o->work.vec_fj + 0.5), o->sram_fj = (uint64_t)(sram + 0.5);
    memcpy(o->last, v, sizeof o->last);
    o->known = true;
    return NULL;
}

static void count_fetch(slx_tm_walk *k, const slx_tm_rec *r)
{
    slx_tm_counts *n = counts_of(k, r);
    n->insns[r->engine]++;
    n->wire_fj[SLX_TIME_WIRE_SRAM] += k->fetch_fj;
    n->engine_fj[SLX_ENG_CTL] += k->fetch_fj;
    n->span_fj[r->span] += k->fetch_fj;
    n->layer_fj[r->layer] += k->fetch_fj;
}

static slx_status step(slx_tm_walk *k, slx_tm_walker *w, slx_err *err)
{
    const slx_program *p = k->prog;
    if (w->pc >= p->n_insns) {
        w->pc = 0;
        return place(k, w, SLX_EFAULT, "the stream does not end in a halt", err);
    }
    const slx_insn *in = &p->insns[w->pc];
    slx_tm_op *o = &k->op[w->pc];
    uint64_t v[SLX_N_OPERANDS];
    slx_tm_rec r = o->rec;
    r.layer = layer_of(k, w);
    resolve(w, o, v);
    w->insns++;
    if (k->repeat.probing && r.layer == 3) slx_tm_repeat_check(k, w, in, v); /* layer 2 */
    if (k->counts) count_fetch(k, &r);
    if (r.engine == SLX_ENG_CTL) {
        uint32_t next = w->pc + 1;
        bool scalar = r.op == SLX_OP_LDS || r.op == SLX_OP_STS;
        const char *fault = step_ctl(k, w, in, v, &next);
        if (fault) return place(k, w, SLX_EFAULT, fault, err);
        if (r.op == SLX_OP_TOK) r.group = (uint32_t)v[0], r.rows = (uint32_t)v[1];
        if (scalar || r.op == SLX_OP_TOK || w->halted || in->w[1])
            emit(k, w, &r);
        else
            w->ctl++;
        if (w->halted) return SLX_OK;
        w->pc = next;
        close_loops(k, w);
        return SLX_OK;
    }
    slx_status st = SLX_OK;
    switch (r.op) {
    case SLX_OP_LD:
    case SLX_OP_LDX:
    case SLX_OP_ST:
    case SLX_OP_STX: st = step_transfer(k, w, in, v, &r, err); break;
    case SLX_OP_MOV: st = step_move(k, w, in, v, &r, err); break;
    case SLX_OP_RED:
    case SLX_OP_GAT: st = step_meeting(k, w, v, &r, err); break;
    case SLX_OP_BAR:
        if (v[0] >= p->n_groups) return place(k, w, SLX_EFAULT, "no such group", err);
        r.group = (uint32_t)v[0] + 1;
        r.bound = SLX_TIME_BARRIERS;
        break;
    default: {
        const char *why = work_of(k, o, in, v);
        if (why) return place(k, w, SLX_EUNSUPPORTED, why, err);
        if (o->work.cycles > UINT32_MAX)
            return place(k, w, SLX_EUNSUPPORTED, "longer than 2^32 cycles", err);
        r.busy = (uint32_t)o->work.cycles;
        r.bound = k->attention[r.span]      ? SLX_TIME_ATTENTION
                  : r.engine == SLX_ENG_TEN ? SLX_TIME_TENSOR
                                            : SLX_TIME_VECTOR;
        if (k->counts) count_work(k, &r, o);
    }
    }
    if (st != SLX_OK) return st;
    emit(k, w, &r);
    if (r.op == SLX_OP_BAR) w->at_bar = true, w->group = r.group - 1;
    w->pc++;
    close_loops(k, w);
    return SLX_OK;
}

/* ------------------------------------------------------------------ tiles */

static bool complete(const slx_tm_walk *k, uint32_t g)
{
    const struct slx_group *gr = &k->prog->groups[g];
    for (uint32_t i = gr->first; i < gr->first + gr->count; i++)
        if (!k->w[i].absent && (!k->w[i].at_bar || k->w[i].group != g)) return false;
    return true;
}

slx_status slx_tm_walk_round(slx_tm_walk *k, bool *moved, slx_err *err)
{
    uint32_t left = 0;
    *moved = false;
    for (uint32_t i = 0; i < k->n; i++) {
        slx_tm_walker *w = &k->w[i];
        if (w->absent) continue;
        if (!w->halted && !w->at_bar) *moved = true;
        while (!w->halted && !w->at_bar) SLX_TRY(step(k, w, err));
    }
    for (uint32_t i = 0; i < k->n; i++) {
        slx_tm_walker *w = &k->w[i];
        if (w->absent || w->halted) continue;
        left++;
        if (!w->at_bar || !complete(k, w->group)) continue;
        const struct slx_group *g = &k->prog->groups[w->group];
        for (uint32_t t = g->first; t < g->first + g->count; t++) k->w[t].at_bar = false;
        *moved = true;
    }
    if (left && !*moved)
        return slx_fail(err, SLX_EFAULT, k->prog->info.model_name, 0, 0, "a BAR never completes");
    return SLX_OK;
}
