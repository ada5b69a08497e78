/* ctl.c - the CTL engine: registers, loops, branches, calls, scalar scratchpad access, initial credits. */
#include "func/func_int.h"

#include <string.h>

/* What a UNI read gives on one tile it must give on all. */
static bool uniform(slx_strict *s, slx_tile *t, uint64_t v)
{
    size_t at = t->n_uni++ * sizeof v;
    uint64_t first;
    if (at == s->uni.len) {
        slx_buf_add(&s->uni, &v, sizeof v);
        return true;
    }
    memcpy(&first, s->uni.ptr + at, sizeof first);
    return first == v || slx_fault_set(s, SLX_FAULT_ORDER, "UNI value %llu, another tile read %llu",
                                       (unsigned long long)v, (unsigned long long)first);
}

static void set_reg(slx_tile *t, uint64_t rd, uint64_t v)
{
    SLX_ASSERT(rd > 0 && rd < SLX_N_REGS);
    t->r[rd] = v;
}

/* After an instruction (or an empty loop) ended at pc - 1: close every loop body that ends here. */
static void close_loops(slx_tile *t)
{
    while (t->depth) {
        slx_loop_frame *f = &t->loop[t->depth - 1];
        if (t->pc != f->end) return;
        if (++f->i < f->n) {
            t->pc = f->first;
            if (f->rd) t->r[f->rd] = f->i;
            return;
        }
        t->depth--;
    }
}

bool slx_exec_ctl(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t next = t->pc + 1;
    switch (o->op) {
    case SLX_OP_SYS:
        if (o->f0 == SLX_SYSFN_halt) {
            t->halted = true;
            return true;
        }
        if (o->f0 == SLX_SYSFN_trap && o->v[0] != o->v[1])
            return slx_fault_set(s, SLX_FAULT_TRAP, "%llu differs from %llu", (unsigned long long)o->v[0],
                                 (unsigned long long)o->v[1]);
        break;
    case SLX_OP_LI: set_reg(t, o->v[0], o->v[1] | o->v[2] << 32); break;
    case SLX_OP_ALU: {
        uint64_t v = 0;
        if (!slx_alu(o->f0, o->v[1], o->v[2], o->v[3], &v))
            return slx_fault_set(s, SLX_FAULT_DIVIDE, "%llu divided by 0", (unsigned long long)o->v[1]);
        set_reg(t, o->v[0], v);
        break;
    }
    case SLX_OP_LDS: {
        unsigned n = 1u << o->f0;
        const uint8_t *p = slx_spm_read(s, t, o->v[1], 1, n, n, n);
        if (!p) return false;
        uint64_t v = 0;
        memcpy(&v, p, n);
        if (v > o->v[2])
            return slx_fault_set(s, SLX_FAULT_LIMIT, "value %llu, limit %llu", (unsigned long long)v,
                                 (unsigned long long)o->v[2]);
        if (o->flags & SLX_F_UNI && !uniform(s, t, v)) return false;
        t->lds = (t->lds ^ v) * UINT64_C(0x9e3779b97f4a7c15) + 1;
        set_reg(t, o->v[0], v);
        break;
    }
    case SLX_OP_STS: {
        unsigned n = 1u << o->f0;
        uint8_t *p = slx_spm_write(s, t, o->v[0], 1, n, n, n);
        if (!p) return false;
        memcpy(p, &o->v[1], n);
        break;
    }
    case SLX_OP_LOOP:
        if (o->v[0] > SLX_MAX_LOOP_COUNT)
            return slx_fault_set(s, SLX_FAULT_COUNT, "count %llu", (unsigned long long)o->v[0]);
        if (!o->v[0] || !o->v[1]) {
            next = t->pc + 1 + (uint32_t)o->v[1];
        } else {
            SLX_ASSERT(t->depth < SLX_MAX_LOOP_DEPTH);
            t->loop[t->depth++] = (slx_loop_frame){.first = next,
                                                   .end = next + (uint32_t)o->v[1],
                                                   .rd = (uint32_t)o->v[2],
                                                   .n = o->v[0],
                                                   .i = 0};
            if (o->v[2]) set_reg(t, o->v[2], 0);
        }
        break;
    case SLX_OP_BR:
        if (slx_br_taken(o->f0, o->v[0], o->v[1])) next = (uint32_t)o->v[2];
        break;
    case SLX_OP_CALL:
        SLX_ASSERT(t->calls < SLX_MAX_CALL_DEPTH && o->v[0] < s->prog->n_functions);
        t->ret[t->calls++] = next;
        next = s->prog->functions[o->v[0]];
        break;
    case SLX_OP_RET:
        SLX_ASSERT(t->calls);
        next = t->ret[--t->calls];
        break;
    case SLX_OP_TOK: t->tok[o->v[0]] = (uint8_t)o->v[1]; break;
    default: SLX_BUG("CTL opcode 0x%02x", o->op);
    }
    t->pc = next;
    close_loops(t);
    return true;
}
