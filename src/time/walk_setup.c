/* walk_setup.c - what a walk stands on: the program decoded as control flow and costs see it, and its walkers where the
 * program begins. */
#include "time/time_int.h"

#include <stdlib.h>
#include <string.h>

static void decode(slx_tm_walk *k, uint32_t pc)
{
    const slx_insn *in = &k->prog->insns[pc];
    const slx_op_info *info = &slx_ops[slx_insn_op(in)];
    slx_tm_code *c = &k->code[pc];
    slx_tm_op *o = &k->op[pc];
    *c = (slx_tm_code){.op = (uint8_t)slx_insn_op(in), .f0 = (uint8_t)slx_insn_f0(in)};
    o->rec = (slx_tm_rec){.pc = pc,
                          .span = k->span_of[pc],
                          .op = c->op,
                          .engine = (uint8_t)info->engine,
                          .bound = SLX_TIME_CONTROL,
                          .busy = 1};
    for (int i = 0; i < 4; i++) o->rec.tok[i] = (uint8_t)slx_insn_tok(in, i);
    for (int i = 0; i < SLX_N_OPERANDS; i++) {
        uint32_t word = in->w[2 + i];
        c->v[i] = word;
        switch (info->kind[i]) {
        case SLX_K_VAL:
        case SLX_K_PAIR:
        case SLX_K_STR:
        case SLX_K_F32:
            c->sizes |= (uint8_t)(1u << i);
            if (info->kind[i] == SLX_K_F32) c->floats |= (uint8_t)(1u << i);
            break;
        case SLX_K_SPM:
        case SLX_K_HBM:
        case SLX_K_ACC: break;
        default: continue;
        }
        if (!(word >> 31)) continue;
        c->v[i] = (uint64_t)slx_opnd_add(word);
        c->reg[i] = (uint8_t)(word >> 26 & 31);
        c->regs |= 1u << c->reg[i];
        if (c->sizes >> i & 1) c->size_regs |= 1u << c->reg[i];
        o->changing |= (uint8_t)(1u << i);
    }
    o->changing &= c->sizes;
    c->records = in->w[1] /* tokens */ || c->op == SLX_OP_LDS || c->op == SLX_OP_STS || c->op == SLX_OP_TOK;
    c->quiet = info->engine == SLX_ENG_CTL && !c->records && c->op != SLX_OP_SYS;
}

static size_t shadow_bytes(const slx_tm_walk *k)
{
    return (k->prog->info.spm_bytes / SLX_TM_CHUNK + (size_t)1) * k->n * SLX_TM_CHUNK;
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
                       .n = p->info.n_tiles};
    slx_tm_cost_init(&k->cost, c);
    slx_tm_net_init(&k->net, c, p);
    k->fetch_fj = (uint64_t)(8 * SLX_INSN_BYTES * k->cost.fj_rd + 0.5);
    k->w = slx_xcalloc(k->n, sizeof *k->w);
    k->spms = slx_lazy_alloc(shadow_bytes(k));
    k->history = slx_xcalloc(k->n, sizeof *k->history);
    k->in_stack = slx_xcalloc((size_t)k->n * mem->stacks, sizeof *k->in_stack);
    k->next = slx_xcalloc(k->n, sizeof *k->next);
    k->each = slx_xcalloc((size_t)SLX_N_REGS * k->n, sizeof *k->each);
    k->before = slx_xcalloc((size_t)SLX_N_REGS * k->n, sizeof *k->before);
    k->key = slx_xcalloc(k->n, sizeof *k->key);
    k->arrived = slx_xcalloc(p->n_groups + 1u, sizeof *k->arrived);
    k->span_of = slx_xcalloc(p->n_insns + 1u, sizeof *k->span_of);
    k->attention = slx_xcalloc(p->n_spans + 1u, sizeof *k->attention);
    for (uint32_t i = 0; i < p->n_insns; i++) k->span_of[i] = (uint16_t)p->n_spans;
    for (uint32_t s = 0; s < p->n_spans; s++)
        for (uint32_t i = p->spans[s].pc; i < p->n_insns && i - p->spans[s].pc < p->spans[s].count;
             i++) {
            k->span_of[i] = (uint16_t)s;
            unsigned op = slx_insn_op(&p->insns[i]);
            if (op == SLX_OP_VSMX || op == SLX_OP_VMRG) k->attention[s] = true;
        }
    k->shown = slx_xcalloc(p->info.spm_bytes / SLX_TM_GRAIN / 64 + 1u, sizeof *k->shown);
    k->code = slx_xcalloc(p->n_insns + 1u, sizeof *k->code);
    k->op = slx_xcalloc(p->n_insns + 1u, sizeof *k->op);
    k->fetched[0] = slx_xcalloc(2 * (size_t)p->n_insns + 1, sizeof *k->fetched[0]);
    k->fetched[1] = k->fetched[0] + p->n_insns;
    for (uint32_t i = 0; i < p->n_insns; i++) decode(k, i);
    slx_tm_walk_reset(k, false);
}

void slx_tm_walk_deinit(slx_tm_walk *k)
{
    for (uint32_t i = 0; i < k->n; i++) {
        slx_buf_free(&k->w[i].recs);
        slx_buf_free(&k->w[i].idx);
    }
    slx_lazy_free(k->spms, shadow_bytes(k));
    slx_buf_free(&k->moving);
    free(k->w);
    free(k->history);
    free(k->in_stack);
    free(k->next);
    free(k->each);
    free(k->before);
    free(k->key);
    free(k->arrived);
    free(k->shown);
    free(k->code);
    free(k->op);
    free(k->fetched[0]);
    free(k->span_of);
    free(k->attention);
}

void slx_tm_walk_reset(slx_tm_walk *k, bool together)
{
    memset(k->history, 0, k->n * sizeof *k->history);
    memset(k->in_stack, 0, (size_t)k->n * k->mem->stacks * sizeof *k->in_stack);
    for (uint32_t i = 0; i < k->n; i++) {
        slx_tm_walker *w = &k->w[i], old = *w;
        *w = (slx_tm_walker){.id = i,
                             .last = i,
                             .n = 1,
                             .pc = k->prog->entry_step,
                             .times = 1,
                             .recs = old.recs,
                             .idx = old.idx,
                             .absent = old.absent,
                             .silent = old.silent};
        w->recs.len = w->idx.len = 0;
        w->r[SLX_R_TILE] = i;
        w->r[SLX_R_RANK] = k->rank;
        if (k->desc_region) w->r[SLX_R_DESC] = k->desc_region->base;
    }
    k->together = together;
    if (together) slx_tm_meet(k);
}
