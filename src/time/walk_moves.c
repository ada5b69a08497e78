/* walk_moves.c - the instructions of a walk that move bytes: to and from memory, between tiles, between chips.
 *
 * Only bytes of the descriptor are really moved, and where they have gone is kept in `shown`; everything else is
 * checked, counted and recorded. */
#include "time/time_int.h"

#include <math.h>
#include <string.h>

slx_status slx_tm_fault(slx_tm_walk *k, const slx_tm_walker *w, slx_status st, const char *what,
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

bool slx_tm_in_spm(const slx_tm_walk *k, uint64_t addr, uint64_t bytes)
{
    uint64_t size = k->prog->info.spm_bytes;
    return addr <= size && bytes <= size - addr;
}

uint8_t *slx_tm_shadow(const slx_tm_walk *k, uint32_t t, uint64_t addr)
{
    return k->spms + (addr / SLX_TM_CHUNK * k->n + t) * SLX_TM_CHUNK + addr % SLX_TM_CHUNK;
}

/* Bytes from `addr` on, of so many, that lie together. */
static size_t in_chunk(uint64_t addr, uint64_t bytes)
{
    uint64_t left = SLX_TM_CHUNK - addr % SLX_TM_CHUNK;
    return (size_t)(bytes < left ? bytes : left);
}

static void shadow_write(const slx_tm_walk *k, uint32_t t, uint64_t to, const uint8_t *from, uint64_t bytes)
{
    for (size_t n; bytes; to += n, from += n, bytes -= n)
        memcpy(slx_tm_shadow(k, t, to), from, n = in_chunk(to, bytes));
}

/* Tile t's bytes to the end of a buffer. */
static void shadow_read(const slx_tm_walk *k, uint32_t t, uint64_t from, uint64_t bytes, slx_buf *to)
{
    for (size_t n; bytes; from += n, bytes -= n) slx_buf_add(to, slx_tm_shadow(k, t, from), n = in_chunk(from, bytes));
}

/* From tile t to tile u, which may be the same. */
static void shadow_copy(slx_tm_walk *k, uint32_t u, uint64_t to, uint32_t t, uint64_t from, uint64_t bytes)
{
    k->moving.len = 0;
    shadow_read(k, t, from, bytes, &k->moving);
    shadow_write(k, u, to, (const uint8_t *)k->moving.ptr, bytes);
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

bool slx_tm_seen(const slx_tm_walk *k, uint64_t addr, uint64_t bytes)
{
    uint64_t size = k->prog->info.spm_bytes;
    if (!bytes || addr >= size) return false;
    uint64_t end = addr + (bytes < size - addr ? bytes : size - addr);
    uint64_t first = addr / SLX_TM_GRAIN, last = (end - 1) / SLX_TM_GRAIN;
    for (uint64_t g = first; g <= last; g = (g | 63) + 1) {
        uint64_t upto = last - (g & ~UINT64_C(63)), bits = k->shown[g / 64] >> g % 64 << g % 64;
        if (upto < 63) bits &= (UINT64_C(2) << upto) - 1;
        if (bits) return true;
    }
    return false;
}

void slx_tm_show(slx_tm_walk *k, uint64_t to, uint64_t bytes)
{
    for (uint64_t g = to / SLX_TM_GRAIN; bytes && g <= (to + bytes - 1) / SLX_TM_GRAIN; g++)
        k->shown[g / 64] |= UINT64_C(1) << g % 64;
}

/* A row that a load brings to tile t of w: only bytes of the descriptor can ever be seen by control flow. */
static bool visible(slx_tm_walk *k, slx_tm_walker *w, uint32_t t, const slx_region *reg, uint64_t from,
                    uint64_t to, uint64_t bytes, bool load)
{
    if (bytes > reg->bytes || from - reg->base > reg->bytes - bytes) return false;
    if (!load || reg != k->desc_region) return true;
    if (!slx_tm_in_spm(k, to, bytes)) return false;
    shadow_write(k, t, to, k->desc + (from - reg->base), bytes);
    slx_tm_show(k, to, bytes);
    if (k->repeat.probing) slx_tm_repeat_see(k, w, t, to, bytes, from);
    return true;
}

/* Indices below this one have their rows of `bytes` in the region, when row 0 is at `first`. */
static uint64_t index_end(const slx_region *reg, uint64_t first, uint64_t bytes, uint64_t stride)
{
    uint64_t before = first - reg->base;
    if (bytes > reg->bytes || before > reg->bytes - bytes) return 0;
    return stride ? (reg->bytes - bytes - before) / stride + 1 : UINT32_MAX;
}

/* The indices of r that are none of ~0, of `rows` in tile t's scratchpad, to the end of w's list. false: one is too
 * high. */
static bool take_indices(const slx_tm_walk *k, slx_tm_walker *w, uint32_t t, uint64_t from, uint64_t rows, uint64_t end,
                         slx_tm_rec *r)
{
    uint32_t n = 0, high = 0;
    shadow_read(k, t, from, rows * 4, &w->idx);
    uint32_t *idx = (uint32_t *)(void *)w->idx.ptr + r->idx_at;
    for (uint64_t i = 0; i < rows; i++) high = idx[i] > high ? idx[i] : high;
    r->rows = (uint32_t)rows;
    if (high < end) return true; /* nearly always */
    for (uint64_t i = 0; i < rows; i++) {
        if (idx[i] == UINT32_MAX) continue;
        if (idx[i] >= end) return false;
        idx[n++] = idx[i];
    }
    w->idx.len = ((size_t)r->idx_at + n) * 4;
    r->rows = n;
    return true;
}

slx_status slx_tm_step_transfer(slx_tm_walk *k, slx_tm_walker *w, uint32_t t, const slx_insn *in, const uint64_t *v,
                                slx_tm_rec *r, slx_err *err)
{
    unsigned op = slx_insn_op(in);
    bool load = op == SLX_OP_LD || op == SLX_OP_LDX, indexed = op == SLX_OP_LDX || op == SLX_OP_STX;
    uint64_t spm = v[load ? 0 : 1], hbm = v[load ? 1 : 0], bytes = indexed ? v[4] : v[2],
             rows = v[3];
    uint64_t stride = indexed ? v[5] : v[load ? 4 : 5],
             spm_stride = indexed ? bytes : v[load ? 5 : 4];
    uint32_t first = t, count = 1;
    const uint32_t *idx = NULL;
    r->write = !load;
    if (!rows || !bytes) return SLX_OK;
    if (rows > UINT32_MAX || bytes > UINT32_MAX || (rows > 1 && stride > UINT64_MAX / rows))
        return slx_tm_fault(k, w, SLX_EFAULT, "address outside its space or region", err);
    if (op == SLX_OP_LD && !receivers(k, slx_insn_f1(in), &first, &count))
        return slx_tm_fault(k, w, SLX_EFAULT, "no such group", err);
    r->group = op == SLX_OP_LD ? slx_insn_f1(in) : 0;
    if (rows == 1) stride = bytes;
    const slx_region *reg = region_of(k->prog, hbm, indexed ? 1 : (rows - 1) * stride + bytes);
    if (!reg) return slx_tm_fault(k, w, SLX_EFAULT, "address outside its space or region", err);
    r->addr = hbm, r->stride = stride, r->bytes = (uint32_t)bytes, r->rows = (uint32_t)rows;
    if (indexed) {
        if (!slx_tm_in_spm(k, v[2], rows * 4) || v[2] % 4)
            return slx_tm_fault(k, w, SLX_EFAULT, "address outside its space or region", err);
        r->indexed = true;
        r->idx_at = (uint32_t)(w->idx.len / 4);
        uint64_t end = index_end(reg, hbm, bytes, stride);
        for (uint64_t i = 0; i < rows && load && reg == k->desc_region; i++) {
            uint32_t at;
            memcpy(&at, slx_tm_shadow(k, t, v[2] + 4 * i), 4);
            if (at == UINT32_MAX) continue;
            if (at >= end || !visible(k, w, t, reg, hbm + at * stride, spm + i * bytes, bytes, load))
                return slx_tm_fault(k, w, SLX_EFAULT, "address outside its space or region", err);
        }
        if (!take_indices(k, w, t, v[2], rows, end, r))
            return slx_tm_fault(k, w, SLX_EFAULT, "address outside its space or region", err);
        idx = (const uint32_t *)(const void *)w->idx.ptr + r->idx_at;
        if (r->rows == 1) r->addr += idx[0] * stride, r->stride = bytes, r->indexed = false;
    }
    for (uint32_t u = first; u < first + count && !indexed && load && reg == k->desc_region; u++)
        for (uint64_t i = 0; i < rows; i++)
            if (!visible(k, u == t ? w : &k->w[u], u, reg, hbm + i * stride, spm + i * spm_stride, bytes, true))
                return slx_tm_fault(k, w, SLX_EFAULT, "address outside its space or region", err);
    if (r->group && reg == k->desc_region) k->crossing = true;
    r->link_bytes = (uint64_t)r->rows * bytes;
    if (k->attention[r->span])
        r->bound = SLX_TIME_ATTENTION;
    else
        r->bound = reg->kind == SLX_REGION_WEIGHTS ? SLX_TIME_WEIGHTS : SLX_TIME_EXCHANGE;
    if (k->counts) slx_tm_tally_transfer(k, r, idx, t, count, reg->kind);
    if (indexed && (!k->keep || w->silent)) w->idx.len = (size_t)r->idx_at * 4;
    return SLX_OK;
}

slx_status slx_tm_step_move(slx_tm_walk *k, slx_tm_walker *w, uint32_t t, const slx_insn *in, const uint64_t *v,
                            slx_tm_rec *r, slx_err *err)
{
    uint64_t bytes = v[3], rows = v[4], ss = slx_pair_x(v[5]) * 64ull,
             ds = slx_pair_y(v[5]) * 64ull;
    uint32_t first = v[1] < k->n ? (uint32_t)v[1] : k->n, count = 1;
    if (!bytes || !rows) return SLX_OK;
    if (!receivers(k, slx_insn_f1(in), &first, &count))
        return slx_tm_fault(k, w, SLX_EFAULT, "no such tile or group", err);
    uint64_t size = k->prog->info.spm_bytes;
    uint64_t from = (rows - 1) * ss + bytes, to = (rows - 1) * ds + bytes;
    if (rows > size || bytes > size || !slx_tm_in_spm(k, v[0], from) || !slx_tm_in_spm(k, v[2], to))
        return slx_tm_fault(k, w, SLX_EFAULT, "address outside its space or region", err);
    if (slx_tm_seen(k, v[0], from) || slx_tm_seen(k, v[2], to)) {
        for (uint32_t u = first; u < first + count; u++) {
            if (u != t) k->crossing = true;
            for (uint64_t i = 0; i < rows && !k->w[u].absent; i++)
                shadow_copy(k, u, v[2] + i * ds, t, v[0] + i * ss, bytes);
        }
        slx_tm_show(k, v[2], to);
    }
    r->rows = (uint32_t)rows, r->bytes = (uint32_t)bytes, r->link_bytes = rows * bytes,
    r->write = true;
    r->bound = SLX_TIME_EXCHANGE;
    r->group = slx_insn_f1(in) ? slx_insn_f1(in) : 0;
    r->addr = first;
    if (k->counts) slx_tm_tally_move(k, r, t, first, count);
    return SLX_OK;
}

/* RED and GAT. The other chips' rows of a GAT are this one's: descriptors are alike on all. */
slx_status slx_tm_step_meeting(slx_tm_walk *k, slx_tm_walker *w, uint32_t t, const uint64_t *v, slx_tm_rec *r,
                               slx_err *err)
{
    bool sum = r->op == SLX_OP_RED;
    uint64_t rows = sum ? 1 : v[3], row = sum ? v[2] * 4 : v[2], size = k->prog->info.spm_bytes,
             chips = k->net.chips;
    r->bound = SLX_TIME_COLLECTIVES;
    if (!rows || !row) return SLX_OK;
    if (chips < 2 || !k->net.alpha_ticks)
        return slx_tm_fault(k, w, SLX_EUNSUPPORTED, "the chip has no links to others", err);
    uint64_t got = sum ? row : rows * row * chips;
    if (v[2] > size || rows > size || !slx_tm_in_spm(k, v[1], rows * row) || !slx_tm_in_spm(k, v[0], got))
        return slx_tm_fault(k, w, SLX_EFAULT, "address outside its space or region", err);
    bool seen = slx_tm_seen(k, v[1], rows * row) || slx_tm_seen(k, v[0], got);
    for (uint64_t i = 0; i < rows * chips && !sum && seen; i++)
        shadow_copy(k, t, v[0] + i * row, t, v[1] + i / chips * row, row);
    if (!sum && seen) slx_tm_show(k, v[0], got);
    slx_tm_meeting m = slx_tm_net_meeting(&k->net, sum, rows * row);
    r->rows = m.messages;
    r->bytes = (uint32_t)(rows * row);
    r->link_bytes = m.wire_bytes;
    r->busy = (uint32_t)ceil((double)(rows * row * chips) / k->cost.spm_clk);
    if (k->counts) slx_tm_tally_meeting(k, r, t, got);
    return SLX_OK;
}
