/* code.c - what follows from the words alone: every instruction known to the chip, bodies nested whole, targets inside
 * them, loop counters left alone, one posting and one waiting engine a token. Unreachable words are held to it too. */
#include "verify/verify_int.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    slx_verifier *v;
    const slx_program *p;
    uint32_t depth, loop[SLX_MAX_LOOP_DEPTH]; /* pcs of the LOOPs around the current one */
    uint32_t *inner; /* [n_insns] pc of the innermost LOOP around, UINT32_MAX = none */
    int poster[SLX_N_TOKENS], waiter[SLX_N_TOKENS];
} scan;

#define FAIL(s, pc, ...) slx_vfail((s)->v, UINT32_MAX, (pc), __VA_ARGS__)

static uint32_t body_end(const slx_program *p, uint32_t loop)
{
    return loop + 1 + p->insns[loop].w[3];
}

static int chip_format(unsigned fmt)
{
    switch (fmt) {
    case SLX_FMT_mxint8: return SLX_CF_MXINT8;
    case SLX_FMT_mxfp4: return SLX_CF_MXFP4;
    case SLX_FMT_mxfp6: return SLX_CF_MXFP6;
    case SLX_FMT_mxfp8: return SLX_CF_MXFP8;
    case SLX_FMT_q4s:
    case SLX_FMT_q4sm: return SLX_CF_Q4S;
    case SLX_FMT_q8s: return SLX_CF_Q8S;
    case SLX_FMT_i8s: return SLX_CF_I8S;
    case SLX_FMT_bf16: return SLX_CF_BF16;
    case SLX_FMT_f32: return SLX_CF_F32;
    }
    return -1;
}

static bool format_known(scan *s, uint32_t pc, unsigned fmt)
{
    int f = chip_format(fmt);
    if (f >= 0 && s->v->chip->isa.formats[f]) return true;
    const char *name = slx_fn_name(SLX_FL_FMT, fmt);
    return FAIL(s, pc, "format %s: chip %s does not have it (isa.formats)", name ? name : "unknown",
                s->v->chip->name);
}

static bool registers(scan *s, uint32_t pc, const slx_insn *in)
{
    const slx_op_info *info = &slx_ops[slx_insn_op(in)];
    uint32_t have = s->v->chip->tile.registers;
    for (int i = 0; i < SLX_N_OPERANDS; i++) {
        uint32_t w = in->w[2 + i], r = 0;
        switch (info->kind[i]) {
        case SLX_K_RD: r = w; break;
        case SLX_K_VAL:
        case SLX_K_SPM:
        case SLX_K_HBM:
        case SLX_K_ACC:
        case SLX_K_PAIR:
        case SLX_K_STR:
        case SLX_K_F32: r = slx_opnd_is_reg(w) ? slx_opnd_regno(w) : 0; break;
        default: break;
        }
        if (r >= have)
            return FAIL(s, pc, "register r%u: chip %s has r0..r%u", r, s->v->chip->name, have - 1);
    }
    return true;
}

static bool one_engine(scan *s, uint32_t pc, int *who, unsigned t, int engine, const char *verb)
{
    if (t >= s->v->chip->tile.tokens)
        return FAIL(s, pc, "token t%u: chip %s has t1..t%u", t, s->v->chip->name,
                    s->v->chip->tile.tokens - 1);
    if (who[t] < 0) who[t] = engine;
    if (who[t] == engine) return true;
    return FAIL(s, pc, "%s %s token t%u, but %s does so elsewhere: a token has one such engine",
                slx_engine_names[engine], verb, t, slx_engine_names[who[t]]);
}

static bool tokens(scan *s, uint32_t pc, const slx_insn *in)
{
    int engine = (int)slx_ops[slx_insn_op(in)].engine;
    for (int i = 0; i < 4; i++) {
        unsigned t = slx_insn_tok(in, i);
        if (t && !one_engine(s, pc, i < 2 ? s->waiter : s->poster, t, engine,
                             i < 2 ? "waits for" : "posts"))
            return false;
    }
    return true;
}

static bool counters(scan *s, uint32_t pc, const slx_insn *in)
{
    unsigned op = slx_insn_op(in), rd = 0;
    if (slx_ops[op].kind[0] == SLX_K_RD) rd = in->w[2];
    if (op == SLX_OP_LOOP) rd = in->w[4];
    for (uint32_t i = 0; rd && i < s->depth; i++)
        if (s->p->insns[s->loop[i]].w[4] == rd)
            return FAIL(s, pc, "writes r%u, the counter of the LOOP at pc %u around it", rd,
                        s->loop[i]);
    return true;
}

static bool loop(scan *s, uint32_t pc, const slx_insn *in)
{
    uint64_t len = in->w[3], end = pc + 1 + len;
    if (!len) return FAIL(s, pc, "LOOP over no instructions, expected at least one");
    if (in->w[4] >= s->v->chip->tile.registers)
        return FAIL(s, pc, "register r%u: chip %s has r0..r%u", in->w[4], s->v->chip->name,
                    s->v->chip->tile.registers - 1);
    if (end > s->p->n_insns)
        return FAIL(s, pc, "the body of LOOP ends at pc %llu, the program has %u instructions",
                    (unsigned long long)end, s->p->n_insns);
    if (s->depth && end > body_end(s->p, s->loop[s->depth - 1]))
        return FAIL(s, pc,
                    "the body of LOOP ends at pc %llu, behind the body around it (pc %u..%u)",
                    (unsigned long long)end, s->loop[s->depth - 1] + 1,
                    body_end(s->p, s->loop[s->depth - 1]) - 1);
    if (s->depth == SLX_MAX_LOOP_DEPTH)
        return FAIL(s, pc, "LOOP is nested %d deep, expected at most %d", SLX_MAX_LOOP_DEPTH + 1,
                    SLX_MAX_LOOP_DEPTH);
    s->loop[s->depth++] = pc;
    return true;
}

/* Needs inner[] of the whole stream. */
static bool target(scan *s, uint32_t pc, const slx_insn *in)
{
    uint32_t to = in->w[4], mine = s->inner[pc];
    uint32_t end = mine == UINT32_MAX ? s->p->n_insns : body_end(s->p, mine);
    if (to <= pc) return FAIL(s, pc, "BR to pc %u: expected a branch forward", to);
    if (mine == UINT32_MAX && to >= end)
        return FAIL(s, pc, "BR to pc %u: the program has %u instructions", to, end);
    if (to > end || (to < end && s->inner[to] != mine))
        return FAIL(s, pc, "BR to pc %u: expected a target in the same LOOP body", to);
    return true;
}

static bool top_only(scan *s, uint32_t pc, const slx_insn *in)
{
    unsigned op = slx_insn_op(in);
    bool halt = op == SLX_OP_SYS && slx_insn_f0(in) == SLX_SYSFN_halt;
    if (!halt && op != SLX_OP_CALL && op != SLX_OP_RET && op != SLX_OP_TOK) return true;
    return FAIL(s, pc, "%s inside the body of the LOOP at pc %u, expected outside of any body",
                halt ? "SYS.halt" : slx_ops[op].name, s->loop[s->depth - 1]);
}

/* RED, GAT */
static bool meeting(scan *s, uint32_t pc, const char *name)
{
    s->v->meets = true;
    if (slx_program_chips(&s->p->info) < 2)
        return FAIL(s, pc, "%s in a program of one chip, expected n_chips of at least 2", name);
    return true;
}

static bool one(scan *s, uint32_t pc)
{
    const slx_insn *in = &s->p->insns[pc];
    unsigned op = slx_insn_op(in);
    while (s->depth && body_end(s->p, s->loop[s->depth - 1]) == pc) s->depth--;
    s->inner[pc] = s->depth ? s->loop[s->depth - 1] : UINT32_MAX;
    if (!registers(s, pc, in) || !tokens(s, pc, in) || !counters(s, pc, in)) return false;
    if (s->depth && !top_only(s, pc, in)) return false;
    switch (op) {
    case SLX_OP_LOOP: return loop(s, pc, in);
    case SLX_OP_MM:
        if ((slx_insn_flags(in) & SLX_F_ROM) && s->v->chip->rom.mib <= 0)
            return FAIL(s, pc, "MM from ROM: chip %s has none", s->v->chip->name);
        return format_known(s, pc, slx_insn_f0(in)) && format_known(s, pc, slx_insn_f1(in));
    case SLX_OP_VCVT:
        return format_known(s, pc, slx_insn_f0(in)) && format_known(s, pc, slx_insn_f1(in));
    case SLX_OP_CALL:
        if (in->w[2] < s->p->n_functions) return true;
        return FAIL(s, pc, "CALL of function %u: the program has %u", in->w[2], s->p->n_functions);
    case SLX_OP_BAR:
        if (in->w[2] < s->p->n_groups) return true;
        return FAIL(s, pc, "BAR of group %u: the program has %u", in->w[2], s->p->n_groups);
    case SLX_OP_RED:
    case SLX_OP_GAT: return meeting(s, pc, slx_ops[op].name);
    case SLX_OP_TOK: return one_engine(s, pc, (int[SLX_N_TOKENS]){0}, in->w[2], 0, "credits");
    }
    return true;
}

bool slx_verify_code(slx_verifier *v)
{
    scan s = {.v = v, .p = v->prog};
    for (int i = 0; i < SLX_N_TOKENS; i++) s.poster[i] = s.waiter[i] = -1;
    s.inner = slx_xcalloc(v->prog->n_insns, sizeof *s.inner);
    bool ok = true;
    for (uint32_t pc = 0; pc < v->prog->n_insns && ok; pc++) ok = one(&s, pc);
    for (uint32_t pc = 0; pc < v->prog->n_insns && ok; pc++)
        if (slx_insn_op(&v->prog->insns[pc]) == SLX_OP_BR) ok = target(&s, pc, &v->prog->insns[pc]);
    if (ok && s.inner[v->prog->entry_step] != UINT32_MAX)
        ok = FAIL(&s, v->prog->entry_step, "the entry of the step is inside a LOOP body");
    for (uint32_t i = 0; i < v->prog->n_functions && ok; i++)
        if (s.inner[v->prog->functions[i]] != UINT32_MAX)
            ok = FAIL(&s, v->prog->functions[i], "the entry of function %u is inside a LOOP body",
                      i);
    free(s.inner);
    return ok;
}
