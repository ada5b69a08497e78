/* exec_net.c - NET: RED and GAT, the joint events of the same tile on all chips of a program.
 *
 *   RED   dst[k] := sum of src[k] over the chips, as a tree by rank      GAT   row i of chip r -> dst[i][r]
 *
 * All sources are read before anything is written, so dst may be src. Values meet nowhere else: whatever a chip knows
 * of another came through here. */
#include "func/func_int.h"

#include <stdlib.h>
#include <string.h>

float slx_red_sum(const float *x, uint32_t n)
{
    if (n == 1) return x[0];
    return slx_red_sum(x, n / 2) + slx_red_sum(x + n / 2, n - n / 2);
}

/* Bytes a chip brings, and of each of them how many places there are at the destination. */
static uint64_t own_bytes(const slx_operands *o)
{
    return o->op == SLX_OP_RED ? o->v[2] * 4 : o->v[2] * o->v[3];
}

/* Source (NULL = fault) and, when asked for, destination of one chip. */
static uint8_t *side(slx_strict *s, slx_tile *t, const slx_operands *o, bool dst)
{
    bool red = o->op == SLX_OP_RED;
    uint64_t bytes = own_bytes(o), chips = slx_program_chips(&s->prog->info);
    unsigned align = red ? 4 : 1;
    if (o->v[2] > s->prog->info.spm_bytes || (!red && o->v[3] > s->prog->info.spm_bytes)) {
        slx_fault_set(s, SLX_FAULT_ADDRESS, "more bytes than the scratchpad has");
        return NULL;
    }
    if (!dst) return slx_spm_read(s, t, o->v[1], 1, bytes, bytes, align);
    bytes *= red ? 1 : chips;
    return slx_spm_write(s, t, o->v[0], 1, bytes, bytes, align);
}

static void count(slx_strict *s, const slx_operands *o)
{
    uint64_t own = own_bytes(o);
    if (!s->counts) return;
    s->counts->net_bytes += own;
    s->counts->spm_read_bytes += own;
    s->counts->spm_write_bytes +=
        own * (o->op == SLX_OP_RED ? 1 : slx_program_chips(&s->prog->info));
}

bool slx_exec_net_count(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    if (!own_bytes(o)) return true;
    if (!side(s, t, o, false) || !side(s, t, o, true)) return false;
    count(s, o);
    return true;
}

static bool reduce(slx_strict *chips, uint32_t n, const uint8_t *const *src, uint8_t *out,
                   uint64_t values)
{
    SLX_ASSERT(n <= SLX_MAX_CHIPS);
    for (uint64_t k = 0; k < values; k++) {
        float x[SLX_MAX_CHIPS], y;
        for (uint32_t c = 0; c < n; c++) x[c] = ((const float *)(const void *)src[c])[k];
        y = slx_red_sum(x, n);
        if (!slx_f32_finite(y))
            return slx_fault_set(&chips[0], SLX_FAULT_NONFINITE, "value %llu",
                                 (unsigned long long)k);
        memcpy(out + 4 * k, &y, 4);
    }
    return true;
}

/* The same instruction, of the same size. */
static bool same_event(slx_strict *chips, uint32_t n, const slx_operands *o)
{
    bool gat = o[0].op == SLX_OP_GAT;
    for (uint32_t c = 1; c < n; c++)
        if (o[c].in != o[0].in || o[c].v[2] != o[0].v[2] || (gat && o[c].v[3] != o[0].v[3]))
            return slx_fault_set(&chips[0], SLX_FAULT_ORDER,
                                 "chip %u is at pc %u with %llu, chip 0 here with %llu", c,
                                 (unsigned)(o[c].in - chips[0].prog->insns),
                                 (unsigned long long)o[c].v[2], (unsigned long long)o[0].v[2]);
    return true;
}

bool slx_exec_net(slx_strict *chips, uint32_t n, uint32_t tile, const slx_operands *o)
{
    const uint8_t *src[SLX_MAX_CHIPS];
    bool red = o[0].op == SLX_OP_RED, ok = true;
    uint64_t own = own_bytes(&o[0]), all = red ? own : own * n, row = o[0].v[2];
    if (!same_event(chips, n, o)) return false;
    if (!own) return true;
    for (uint32_t c = 0; c < n; c++) {
        src[c] = side(&chips[c], &chips[c].tiles[tile], &o[c], false);
        if (!src[c]) return false;
    }
    uint8_t *out = slx_xmalloc(all);
    if (red)
        ok = reduce(chips, n, src, out, row);
    else
        for (uint64_t i = 0; i < o[0].v[3]; i++)
            for (uint32_t c = 0; c < n; c++) memcpy(out + (i * n + c) * row, src[c] + i * row, row);
    for (uint32_t c = 0; c < n && ok; c++) {
        uint8_t *dst = side(&chips[c], &chips[c].tiles[tile], &o[c], true);
        ok = dst != NULL;
        if (ok) memcpy(dst, out, all);
        count(&chips[c], &o[c]);
    }
    free(out);
    return ok;
}

void slx_net_wrote(slx_strict *s, uint32_t tile, const slx_operands *o)
{
    uint64_t own = own_bytes(o);
    s->out_dst = o->v[0];
    s->out_bytes = own * (o->op == SLX_OP_RED ? 1 : slx_program_chips(&s->prog->info));
    s->out_ptr = s->tiles[tile].spm + s->out_dst;
}
