/* strict.c - the oracle: every tile runs its stream one instruction at a time in program order.
 *
 * Tile 0 runs to its next BAR, then tile 1, ...; a BAR ends when all its members have come. In that order a legal
 * program never meets an empty token or a full counter (chip.md 3.2), so neither is waited for: it is reported.
 * Each instruction: resolve operands, take waits, execute, post, hand a retire record to whoever listens. */
#include "func/func_int.h"

#include "compile/import.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool slx_fault_set(slx_strict *s, slx_fault_cause c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    s->fault->cause = c;
    vsnprintf(s->fault->detail, sizeof s->fault->detail, fmt, ap);
    va_end(ap);
    return false;
}

const char *slx_fault_text(slx_fault_cause c)
{
    static const char *const text[] = {
#define X(n, t) t,
        SLX_FAULTS(X)
#undef X
    };
    return text[c];
}

void slx_strict_init(slx_strict *s, const slx_program *p, const slx_chip *c)
{
    memset(s, 0, sizeof *s);
    s->prog = p;
    s->chip = c;
    s->values = true;
    slx_hbm_init(&s->hbm, p);
    s->tiles = slx_xcalloc(p->info.n_tiles, sizeof *s->tiles);
    for (uint32_t i = 0; i < p->info.n_tiles; i++) {
        slx_tile *t = &s->tiles[i];
        t->id = i;
        t->spm = slx_lazy_alloc(p->info.spm_bytes);
        t->spm_written = slx_lazy_alloc(p->info.spm_bytes);
        t->acc = slx_lazy_alloc(p->info.acc_cells * sizeof *t->acc);
        t->acc_written = slx_lazy_alloc(p->info.acc_cells);
    }
}

void slx_strict_deinit(slx_strict *s)
{
    if (!s->tiles) return;
    const slx_program_info *in = &s->prog->info;
    for (uint32_t i = 0; i < in->n_tiles; i++) {
        slx_lazy_free(s->tiles[i].spm, in->spm_bytes);
        slx_lazy_free(s->tiles[i].spm_written, in->spm_bytes);
        slx_lazy_free(s->tiles[i].acc, in->acc_cells * sizeof(float));
        slx_lazy_free(s->tiles[i].acc_written, in->acc_cells);
    }
    free(s->tiles);
    s->tiles = NULL;
    slx_buf_free(&s->uni);
    slx_hbm_deinit(&s->hbm);
}

slx_status slx_strict_load(slx_strict *s, const slx_model *m, slx_err *err)
{
    const slx_program *p = s->prog;
    for (uint32_t i = 0; i < p->n_regions; i++) slx_hbm_alloc(&s->hbm, i);
    slx_progress bar;
    slx_progress_start(&bar, "weights into HBM");
    for (uint32_t i = 0; m && i < p->n_weights; i++) {
        const slx_weight *w = &p->weights[i];
        int r = slx_hbm_region(&s->hbm, w->addr, w->bytes);
        if (r < 0)
            return slx_fail(err, SLX_EINPUT, p->info.model_name, 0, 0, "weight %s at 0x%llx: in no region",
                            w->tensor, (unsigned long long)w->addr);
        SLX_TRY(slx_import_image(m, w, s->hbm.mem[r] + (w->addr - p->regions[r].base), err));
        slx_progress_at(&bar, (i + 1.0) / p->n_weights);
    }
    slx_progress_end(&bar);
    int rope = slx_hbm_kind(&s->hbm, SLX_REGION_ROPE);
    if (m && rope >= 0) slx_import_rope(p, m, (float *)(void *)s->hbm.mem[rope]);
    return SLX_OK;
}

static void tile_reset(slx_tile *t, const slx_program *p)
{
    memset(t->r, 0, sizeof t->r);
    memset(t->tok, 0, sizeof t->tok);
    memset(t->spm_written, 0, t->spm_high);
    memset(t->acc_written, 0, t->acc_high);
    t->spm_high = t->acc_high = 0;
    t->r[SLX_R_TILE] = t->id;
    for (uint32_t i = 0; i < p->n_regions; i++)
        if (p->regions[i].kind == SLX_REGION_DESC) t->r[SLX_R_DESC] = p->regions[i].base;
    t->pc = p->entry_step;
    t->depth = t->calls = 0;
    t->halted = t->at_bar = false;
    t->index = 0;
    t->n_uni = 0;
}

/* Operand words as values: plain words for the kinds that are not resolved through registers. */
void slx_strict_resolve(const slx_tile *t, const slx_insn *in, slx_operands *o)
{
    const slx_op_info *info = &slx_ops[slx_insn_op(in)];
    o->in = in;
    o->op = slx_insn_op(in);
    o->f0 = slx_insn_f0(in);
    o->f1 = slx_insn_f1(in);
    o->flags = slx_insn_flags(in);
    for (int k = 0; k < SLX_N_OPERANDS; k++) {
        uint32_t w = in->w[2 + k];
        switch (info->kind[k]) {
        case SLX_K_VAL:
        case SLX_K_SPM:
        case SLX_K_HBM:
        case SLX_K_ACC:
        case SLX_K_PAIR:
        case SLX_K_STR:
        case SLX_K_F32:
            o->v[k] = slx_opnd_value(w, t->r);
            if (info->kind[k] == SLX_K_F32) o->v[k] &= 0xffffffff;
            break;
        default: o->v[k] = w;
        }
    }
}

static bool take_waits(slx_strict *s, slx_tile *t, const slx_insn *in)
{
    for (int k = 0; k < 2; k++) {
        unsigned id = slx_insn_tok(in, k);
        if (!id) continue;
        if (!t->tok[id])
            return slx_fault_set(s, SLX_FAULT_ORDER, "waits for t%u, which is 0 in program order", id);
        t->tok[id]--;
    }
    return true;
}

static bool give_posts(slx_strict *s, slx_tile *t, const slx_insn *in)
{
    for (int k = 2; k < 4; k++) {
        unsigned id = slx_insn_tok(in, k);
        if (!id) continue;
        if (t->tok[id] >= s->prog->info.token_max)
            return slx_fault_set(s, SLX_FAULT_ORDER, "posts t%u, which stands at its maximum %u", id,
                                 s->prog->info.token_max);
        t->tok[id]++;
    }
    return true;
}

bool slx_strict_execute(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    slx_engine_id engine = slx_ops[o->op].engine;
    s->out_bytes = s->out_dst = 0;
    s->out_ptr = NULL;
    bool ok;
    switch (engine) {
    case SLX_ENG_CTL: return slx_exec_ctl(s, t, o);
    case SLX_ENG_LDQ:
    case SLX_ENG_STQ: ok = slx_exec_mem(s, t, o); break;
    case SLX_ENG_TEN: ok = slx_exec_ten(s, t, o); break;
    case SLX_ENG_VEC: ok = slx_exec_vec(s, t, o); break;
    default: SLX_BUG("engine %d", (int)engine);
    }
    return ok;
}

void slx_strict_report(slx_strict *s, const slx_tile *t, uint32_t pc, uint64_t index)
{
    const slx_insn *in = &s->prog->insns[pc];
    if (!s->retire) return;
    slx_retire r = {.index = index,
                    .tile = t->id,
                    .pc = pc,
                    .op = (uint8_t)slx_insn_op(in),
                    .engine = (uint8_t)slx_ops[slx_insn_op(in)].engine,
                    .dst = s->out_dst,
                    .bytes = s->out_bytes};
    if (s->out_ptr && s->out_bytes) r.hash = slx_hash_of(s->out_ptr, s->out_bytes);
    s->retire(s->retire_arg, &r);
}

/* End of a LOOP body reached after a non-CTL instruction: CTL's own bookkeeping does it. */
bool slx_strict_advance(slx_strict *s, slx_tile *t)
{
    static const slx_insn nop = {{SLX_OP_SYS}};
    slx_operands o;
    slx_strict_resolve(t, &nop, &o);
    return slx_exec_ctl(s, t, &o);
}

void slx_strict_locate(slx_strict *s, const slx_tile *t, uint32_t pc, uint64_t index)
{
    s->fault->tile = t->id;
    s->fault->pc = pc;
    s->fault->index = index;
    slx_buf text = {0};
    slx_insn_print(&s->prog->insns[pc], &text);
    size_t n = strlen(s->fault->detail);
    snprintf(s->fault->detail + n, sizeof s->fault->detail - n, "; %s", text.ptr ? text.ptr : "");
    slx_buf_free(&text);
}

/* Runs one tile to its next BAR or its end. */
static bool run_tile(slx_strict *s, slx_tile *t)
{
    const slx_program *p = s->prog;
    while (!t->halted && !t->at_bar) {
        uint32_t pc = t->pc;
        SLX_ASSERT(pc < p->n_insns);
        const slx_insn *in = &p->insns[pc];
        slx_engine_id engine = slx_ops[slx_insn_op(in)].engine;
        bool ok = take_waits(s, t, in);
        if (ok && s->counts) s->counts->insns[engine]++;
        if (ok && slx_insn_op(in) == SLX_OP_BAR) {
            t->at_bar = true;
            t->bar_group = in->w[2];
            return true;
        }
        slx_operands o;
        slx_strict_resolve(t, in, &o);
        ok = ok && slx_strict_execute(s, t, &o) && give_posts(s, t, in);
        if (ok && engine != SLX_ENG_CTL) ok = slx_strict_advance(s, t);
        if (!ok) {
            slx_strict_locate(s, t, pc, t->index);
            return false;
        }
        slx_strict_report(s, t, pc, t->index);
        t->index++;
    }
    return true;
}

/* Ends the BAR of group g if every member has come. */
static bool release(slx_strict *s, uint32_t g, bool *released)
{
    const slx_program *p = s->prog;
    *released = false;
    if (g >= p->n_groups)
        return slx_fault_set(s, SLX_FAULT_ORDER, "BAR of group %u, which does not exist", g);
    uint32_t first = p->groups[g].first, n = p->groups[g].count;
    for (uint32_t i = first; i < first + n; i++)
        if (!s->tiles[i].at_bar || s->tiles[i].bar_group != g) return true;
    for (uint32_t i = first; i < first + n; i++) {
        slx_tile *t = &s->tiles[i];
        const slx_insn *in = &p->insns[t->pc];
        uint32_t pc = t->pc;
        t->at_bar = false;
        s->out_bytes = 0;
        if (!give_posts(s, t, in) || !slx_strict_advance(s, t)) {
            slx_strict_locate(s, t, pc, t->index);
            return false;
        }
        slx_strict_report(s, t, pc, t->index);
        t->index++;
    }
    *released = true;
    return true;
}

slx_status slx_strict_step(slx_strict *s, slx_fault *fault)
{
    const slx_program *p = s->prog;
    uint32_t n = p->info.n_tiles, halted = 0;
    s->fault = fault;
    memset(fault, 0, sizeof *fault);
    s->uni.len = 0;
    for (uint32_t i = 0; i < n; i++) tile_reset(&s->tiles[i], p);
    if (s->shuffle) return slx_strict_shuffled(s);
    while (halted < n) {
        bool moved = false;
        halted = 0;
        for (uint32_t i = 0; i < n; i++) {
            slx_tile *t = &s->tiles[i];
            if (!t->halted && !t->at_bar) {
                if (!run_tile(s, t)) return SLX_EFAULT;
                moved = true;
            }
            bool released = false;
            if (t->at_bar && !release(s, t->bar_group, &released)) return SLX_EFAULT;
            moved |= released;
            halted += t->halted;
        }
        if (!moved && halted < n) {
            slx_tile *t = NULL;
            for (uint32_t i = 0; i < n && !t; i++)
                if (!s->tiles[i].halted) t = &s->tiles[i];
            slx_fault_set(s, SLX_FAULT_ORDER, "BAR of group %u never completes", t->bar_group);
            slx_strict_locate(s, t, t->pc, t->index);
            return SLX_EFAULT;
        }
    }
    return SLX_OK;
}
