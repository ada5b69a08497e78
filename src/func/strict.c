/* strict.c - the oracle: every tile runs its stream one instruction at a time in program order.
 *
 * Tile 0 runs to its next BAR, then tile 1, ...; a BAR ends when all its members have come. In that order a legal
 * program never meets an empty token or a full counter (chip.md 3.2), so neither is waited for: it is reported.
 * A program of several chips: chip 0 does so until each of its tiles has halted or stands at a RED or GAT (or at a BAR
 * with such a tile), then chip 1, ...; a RED or GAT of tile i ends when tile i of every chip has come to it.
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

void slx_strict_init(slx_strict *s, const slx_program *p, const slx_chip *c, uint32_t rank)
{
    memset(s, 0, sizeof *s);
    s->rank = rank;
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
            return slx_fail(err, SLX_EINPUT, p->info.model_name, 0, 0,
                            "weight %s at 0x%llx: in no region", w->tensor,
                            (unsigned long long)w->addr);
        SLX_TRY(slx_import_image(m, w, (slx_rank){s->rank, slx_program_chips(&p->info)},
                                 s->hbm.mem[r] + (w->addr - p->regions[r].base), err));
        slx_progress_at(&bar, (i + 1.0) / p->n_weights);
    }
    slx_progress_end(&bar);
    int rope = slx_hbm_kind(&s->hbm, SLX_REGION_ROPE);
    if (m && rope >= 0) slx_import_rope(p, m, (float *)(void *)s->hbm.mem[rope]);
    return SLX_OK;
}

static void tile_reset(slx_tile *t, const slx_program *p, uint32_t rank)
{
    memset(t->r, 0, sizeof t->r);
    memset(t->tok, 0, sizeof t->tok);
    memset(t->spm_written, 0, t->spm_high);
    memset(t->acc_written, 0, t->acc_high);
    t->spm_high = t->acc_high = 0;
    t->r[SLX_R_TILE] = t->id;
    t->r[SLX_R_RANK] = rank;
    for (uint32_t i = 0; i < p->n_regions; i++)
        if (p->regions[i].kind == SLX_REGION_DESC) t->r[SLX_R_DESC] = p->regions[i].base;
    t->pc = p->entry_step;
    t->depth = t->calls = 0;
    t->halted = t->at_bar = t->at_net = false;
    t->lds = 0;
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
            return slx_fault_set(s, SLX_FAULT_ORDER, "waits for t%u, which is 0 in program order",
                                 id);
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
            return slx_fault_set(s, SLX_FAULT_ORDER, "posts t%u, which stands at its maximum %u",
                                 id, s->prog->info.token_max);
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
    case SLX_ENG_NET: ok = slx_exec_net_count(s, t, o); break;
    default: SLX_BUG("engine %d", (int)engine);
    }
    return ok;
}

void slx_strict_report(slx_strict *s, const slx_tile *t, uint32_t pc, uint64_t index)
{
    const slx_insn *in = &s->prog->insns[pc];
    if (!s->retire) return;
    slx_retire r = {.index = index,
                    .chip = s->rank,
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
    s->fault->chip = s->rank;
    s->fault->tile = t->id;
    s->fault->pc = pc;
    s->fault->index = index;
    slx_buf text = {0};
    slx_insn_print(&s->prog->insns[pc], &text);
    size_t n = strlen(s->fault->detail);
    snprintf(s->fault->detail + n, sizeof s->fault->detail - n, "; %s", text.ptr ? text.ptr : "");
    slx_buf_free(&text);
}

bool slx_strict_is_net(const slx_strict *s, const slx_insn *in)
{
    return s->values && slx_ops[slx_insn_op(in)].engine == SLX_ENG_NET;
}

/* Runs one tile to its next joint event or its end. */
static bool run_tile(slx_strict *s, slx_tile *t)
{
    const slx_program *p = s->prog;
    while (!t->halted && !t->at_bar && !t->at_net) {
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
        if (ok && slx_strict_is_net(s, in)) {
            t->at_net = true;
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

/* Posts of a joint event that has ended; its tile goes on behind it. */
static bool pass(slx_strict *s, slx_tile *t)
{
    uint32_t pc = t->pc;
    t->at_bar = t->at_net = false;
    if (!give_posts(s, t, &s->prog->insns[pc]) || !slx_strict_advance(s, t)) {
        slx_strict_locate(s, t, pc, t->index);
        return false;
    }
    slx_strict_report(s, t, pc, t->index);
    t->index++;
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
        s->out_bytes = 0;
        if (!pass(s, &s->tiles[i])) return false;
    }
    *released = true;
    return true;
}

/* One chip as far as it goes by itself. */
static bool run_chip(slx_strict *s, bool *any)
{
    for (bool moved = true; moved; *any |= moved) {
        moved = false;
        for (uint32_t i = 0; i < s->prog->info.n_tiles; i++) {
            slx_tile *t = &s->tiles[i];
            if (!t->halted && !t->at_bar && !t->at_net) {
                if (!run_tile(s, t)) return false;
                moved = true;
            }
            bool released = false;
            if (t->at_bar && !release(s, t->bar_group, &released)) return false;
            moved |= released;
        }
    }
    return true;
}

/* The RED or GAT of tile i, if every chip has come to it. false: fault. */
static bool meet(slx_strict *chips, uint32_t n, uint32_t i, bool *met)
{
    slx_operands o[SLX_MAX_CHIPS] = {0};
    for (uint32_t c = 0; c < n; c++)
        if (!chips[c].tiles[i].at_net) return true;
    for (uint32_t c = 0; c < n; c++) {
        const slx_tile *t = &chips[c].tiles[i];
        slx_strict_resolve(t, &chips[c].prog->insns[t->pc], &o[c]);
    }
    if (!slx_exec_net(chips, n, i, o)) {
        slx_strict_locate(&chips[0], &chips[0].tiles[i], chips[0].tiles[i].pc,
                          chips[0].tiles[i].index);
        return false;
    }
    for (uint32_t c = 0; c < n; c++) {
        slx_net_wrote(&chips[c], i, &o[c]);
        if (!pass(&chips[c], &chips[c].tiles[i])) return false;
    }
    return *met = true;
}

/* The first tile that has not halted stands where it will stand for ever. */
static slx_status stuck(slx_strict *chips, uint32_t n)
{
    for (uint32_t c = 0; c < n; c++)
        for (uint32_t i = 0; i < chips[c].prog->info.n_tiles; i++) {
            slx_tile *t = &chips[c].tiles[i];
            if (t->halted) continue;
            if (t->at_bar)
                slx_fault_set(&chips[c], SLX_FAULT_ORDER, "BAR of group %u never completes",
                              t->bar_group);
            else
                slx_fault_set(&chips[c], SLX_FAULT_ORDER, "not every chip comes to it");
            slx_strict_locate(&chips[c], t, t->pc, t->index);
            return SLX_EFAULT;
        }
    return SLX_OK;
}

/* LDS must have read the same on every chip: a program that lets chips differ there is not one program. */
static slx_status same_reads(slx_strict *chips, uint32_t n)
{
    for (uint32_t c = 1; c < n; c++)
        for (uint32_t i = 0; i < chips[c].prog->info.n_tiles; i++) {
            const slx_tile *t = &chips[c].tiles[i];
            if (t->lds == chips[0].tiles[i].lds) continue;
            slx_fault_set(&chips[c], SLX_FAULT_ORDER, "LDS has read other values than on chip 0");
            slx_strict_locate(&chips[c], t, t->pc, t->index);
            return SLX_EFAULT;
        }
    return SLX_OK;
}

slx_status slx_strict_step(slx_strict *chips, uint32_t n, slx_fault *fault)
{
    uint32_t tiles = chips[0].prog->info.n_tiles;
    memset(fault, 0, sizeof *fault);
    for (uint32_t c = 0; c < n; c++) {
        chips[c].fault = fault;
        chips[c].uni.len = 0;
        for (uint32_t i = 0; i < tiles; i++) tile_reset(&chips[c].tiles[i], chips[c].prog, c);
    }
    if (chips[0].shuffle) {
        slx_status st = slx_strict_shuffled(chips, n);
        return st == SLX_OK ? same_reads(chips, n) : st;
    }
    for (bool any = true; any;) {
        any = false;
        for (uint32_t c = 0; c < n; c++)
            if (!run_chip(&chips[c], &any)) return SLX_EFAULT;
        for (uint32_t i = 0; i < tiles; i++)
            if (!meet(chips, n, i, &any)) return SLX_EFAULT;
    }
    slx_status st = stuck(chips, n);
    return st == SLX_OK ? same_reads(chips, n) : st;
}
