/* verify.c - the proofs in order and their verdict: header, words, each tile, then barriers tile against tile.
 *
 * Deadlock freedom of barriers: on every tile the BARs of a group have one hash, so all its members meet the same
 * sequence. Groups that share no tile cannot hold each other up. Where groups do share tiles, the hash also holds the
 * pc: BARs are then ordered by loop iterations and pc in one way for all tiles, and the first unfinished one can
 * finish. */
#include "verify/verify_int.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool slx_vfail(slx_verifier *v, uint32_t tile, uint32_t pc, const char *fmt, ...)
{
    char why[512];
    slx_buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    slx_insn_print(&v->prog->insns[pc], &text);
    if (tile == UINT32_MAX)
        slx_fail(v->err, SLX_EINPUT, v->file, 0, 0, "pc %u: %s\n%6u   %s", pc, why, pc, text.ptr);
    else
        slx_fail(v->err, SLX_EINPUT, v->file, 0, 0, "tile %u, pc %u: %s\n%6u   %s", tile, pc, why,
                 pc, text.ptr);
    slx_buf_free(&text);
    return false;
}

/* Numbers the groups that BARs name and sees whether they share tiles. */
static void bar_groups(slx_verifier *v)
{
    const slx_program *p = v->prog;
    v->bar_slot = slx_xmalloc((p->n_groups + 1) * sizeof *v->bar_slot);
    for (uint32_t i = 0; i < p->n_groups; i++) v->bar_slot[i] = UINT32_MAX;
    for (uint32_t pc = 0; pc < p->n_insns; pc++) {
        if (slx_insn_op(&p->insns[pc]) != SLX_OP_BAR) continue;
        uint32_t *slot = &v->bar_slot[p->insns[pc].w[2]];
        if (*slot == UINT32_MAX) *slot = v->n_bar++;
    }
    uint8_t *taken = slx_xcalloc(p->info.n_tiles, 1);
    for (uint32_t i = 0; i < p->n_groups; i++)
        for (uint32_t k = 0; v->bar_slot[i] != UINT32_MAX && k < p->groups[i].count; k++)
            if (taken[p->groups[i].first + k]++) {
                v->bar_by_pc = true;
                taken[p->groups[i].first + k] = 1;
            }
    free(taken);
}

/* The barriers of slot as tile meets them: *n pairs (pc, hash). The tile has passed before. */
static uint64_t *bar_log(slx_verifier *v, uint32_t tile, uint32_t slot, uint64_t *bar, uint32_t *n)
{
    v->tile = tile;
    v->log_slot = slot;
    v->log_cap = 16;
    v->log_n = 0;
    v->log = slx_xmalloc(v->log_cap * 2 * sizeof *v->log);
    v->steps = 0;
    slx_verify_tile(v, bar);
    uint64_t *log = v->log;
    *n = v->log_n;
    v->log = NULL;
    return log;
}

/* Two tiles of a group whose hashes differ: names the first BAR (or LOOP of BARs) where they part. */
static void bars_differ(slx_verifier *v, uint32_t group, uint32_t a, uint32_t b)
{
    uint32_t na, nb, i = 0, slot = v->bar_slot[group];
    uint64_t *bar = slx_xcalloc(v->n_bar, sizeof *bar);
    uint64_t *la = bar_log(v, a, slot, bar, &na), *lb = bar_log(v, b, slot, bar, &nb);
    while (i < na && i < nb && !memcmp(la + 2 * i, lb + 2 * i, 2 * sizeof *la)) i++;
    const char *name = v->prog->groups[group].name;
    if (i < nb)
        slx_vfail(
            v, b, (uint32_t)lb[2 * i],
            "not the sequence of barriers that tile %u of group %s meets: its number, its LOOP "
            "counts or its branches differ",
            a, name);
    else if (i < na)
        slx_vfail(
            v, a, (uint32_t)la[2 * i],
            "not the sequence of barriers that tile %u of group %s meets: it has no such barrier",
            b, name);
    else
        slx_vfail(v, b, v->prog->entry_step,
                  "not the sequence of barriers that tile %u of group %s meets", a, name);
    free(bar);
    free(la);
    free(lb);
}

static bool barriers(slx_verifier *v, const uint64_t *bar)
{
    const slx_program *p = v->prog;
    for (uint32_t g = 0; g < p->n_groups; g++) {
        uint32_t slot = v->bar_slot[g], first = p->groups[g].first;
        if (slot == UINT32_MAX) continue;
        for (uint32_t t = first + 1; t < first + p->groups[g].count; t++)
            if (bar[(size_t)t * v->n_bar + slot] != bar[(size_t)first * v->n_bar + slot]) {
                bars_differ(v, g, first, t);
                return false;
            }
    }
    return true;
}

slx_status slx_verify(const slx_program *p, const slx_chip *c, const char *file, slx_err *err)
{
    slx_verifier v = {.prog = p, .chip = c, .file = file ? file : "", .err = err};
    SLX_TRY(slx_verify_fit(p, c, v.file, err));
    if (!slx_verify_code(&v)) return SLX_EINPUT;
    bar_groups(&v);
    uint64_t *bar = slx_xcalloc((size_t)p->info.n_tiles * (v.n_bar + 1), sizeof *bar);
    bool ok = true;
    for (v.tile = 0; v.tile < p->info.n_tiles && ok; v.tile++)
        ok = slx_verify_tile(&v, bar + (size_t)v.tile * v.n_bar);
    ok = ok && barriers(&v, bar);
    slx_verify_states_free(&v);
    free(v.bar_slot);
    free(bar);
    return ok ? SLX_OK : SLX_EINPUT;
}
