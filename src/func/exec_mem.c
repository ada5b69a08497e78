/* exec_mem.c - LDQ and STQ: copies between HBM and scratchpads, by rows or by index. */
#include "func/func_int.h"

#include <stdlib.h>
#include <string.h>

/* Stands for a region that has no image (count.c): not NULL, never dereferenced. */
static uint8_t *t_none(void)
{
    static uint8_t none;
    return &none;
}

static bool in_range(uint64_t addr, uint64_t rows, uint64_t bytes, uint64_t stride, uint64_t size,
                     uint64_t *last)
{
    if (!rows || !bytes) return true;
    if (rows > UINT32_MAX || bytes > size || stride > UINT64_MAX / rows) return false;
    uint64_t span = (rows - 1) * stride;
    if (addr > size || span > size - addr || bytes > size - addr - span) return false;
    *last = addr + span + bytes;
    return true;
}

static uint8_t *spm_check(slx_strict *s, slx_tile *t, uint64_t addr, uint64_t rows, uint64_t bytes,
                          uint64_t stride, unsigned align, uint64_t *last)
{
    uint32_t size = s->prog->info.spm_bytes;
    *last = addr;
    if (!in_range(addr, rows, bytes, stride, size, last)) {
        slx_fault_set(s, SLX_FAULT_ADDRESS,
                      "SPM 0x%llx, %llu rows of %llu bytes, stride %llu: the scratchpad has 0x%x",
                      (unsigned long long)addr, (unsigned long long)rows, (unsigned long long)bytes,
                      (unsigned long long)stride, size);
        return NULL;
    }
    if (rows && bytes && (addr % align || (rows > 1 && stride % align))) {
        slx_fault_set(s, SLX_FAULT_ADDRESS, "SPM 0x%llx, stride %llu: not a multiple of %u",
                      (unsigned long long)addr, (unsigned long long)stride, align);
        return NULL;
    }
    return t->spm + (rows && bytes ? addr : 0);
}

uint8_t *slx_spm_read(slx_strict *s, slx_tile *t, uint64_t addr, uint64_t rows, uint64_t bytes,
                      uint64_t stride, unsigned align)
{
    uint64_t last;
    uint8_t *p = spm_check(s, t, addr, rows, bytes, stride, align, &last);
    if (!p) return NULL;
    if (!bytes) return p;
    if (stride == bytes) bytes *= rows, rows = rows ? 1 : 0;
    for (uint64_t r = 0; r < rows; r++) {
        const uint8_t *w = t->spm_written + addr + r * stride;
        const uint8_t *hole = memchr(w, 0, bytes);
        if (hole) {
            slx_fault_set(s, SLX_FAULT_UNWRITTEN, "SPM 0x%llx", (unsigned long long)(hole - t->spm_written));
            return NULL;
        }
    }
    return p;
}

uint8_t *slx_spm_write(slx_strict *s, slx_tile *t, uint64_t addr, uint64_t rows, uint64_t bytes,
                       uint64_t stride, unsigned align)
{
    uint64_t last;
    uint8_t *p = spm_check(s, t, addr, rows, bytes, stride, align, &last);
    if (!p) return NULL;
    if (!bytes) return p;
    if (stride == bytes) bytes *= rows, rows = rows ? 1 : 0;
    for (uint64_t r = 0; r < rows; r++) memset(t->spm_written + addr + r * stride, 1, bytes);
    if (last > t->spm_high) t->spm_high = (uint32_t)last;
    return p;
}

/* Host address of [addr, addr+bytes) of HBM inside one region; NULL = fault. Regions without image (count.c) give a
 * non-NULL pointer that must not be used. */
static uint8_t *hbm_at(slx_strict *s, uint64_t addr, uint64_t bytes, bool write, int region)
{
    if (region < 0) region = slx_hbm_region(&s->hbm, addr, bytes);
    const slx_region *r = region < 0 ? NULL : &s->prog->regions[region];
    if (!r || addr < r->base || addr - r->base > r->bytes || bytes > r->bytes - (addr - r->base)) {
        slx_fault_set(s, SLX_FAULT_ADDRESS, "HBM 0x%llx, %llu bytes: %s", (unsigned long long)addr,
                      (unsigned long long)bytes, r ? r->name : "in no region");
        return NULL;
    }
    if (write && !s->hbm.writable[region]) {
        slx_fault_set(s, SLX_FAULT_ADDRESS, "HBM 0x%llx: region %s is read-only", (unsigned long long)addr,
                      r->name);
        return NULL;
    }
    uint8_t *mem = s->hbm.mem[region];
    return mem ? mem + (addr - r->base) : t_none();
}

const uint8_t *slx_rom_read(slx_strict *s, uint64_t addr, uint64_t bytes)
{
    if (!bytes) return t_none();
    if (addr >= SLX_ROM_BASE && addr % 64 == 0) return hbm_at(s, addr, bytes, false, -1);
    slx_fault_set(s, SLX_FAULT_ADDRESS, "ROM 0x%llx: %s", (unsigned long long)addr,
                  addr % 64 ? "not a multiple of 64" : "an address of HBM");
    return NULL;
}

/* Tiles that receive: this one, or all of a multicast group (f1 = group number + 1). */
static bool receivers(slx_strict *s, const slx_tile *t, unsigned f1, uint32_t *first, uint32_t *count)
{
    *first = t->id;
    *count = 1;
    if (!f1) return true;
    if (f1 > s->prog->n_groups) return slx_fault_set(s, SLX_FAULT_ADDRESS, "no group %u", f1 - 1);
    *first = s->prog->groups[f1 - 1].first;
    *count = s->prog->groups[f1 - 1].count;
    return true;
}

static bool load(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint64_t dst = o->v[0], src = o->v[1], bytes = o->v[2], rows = o->v[3], ss = o->v[4], ds = o->v[5];
    uint32_t first, count;
    if (!rows || !bytes) return true;
    if (!receivers(s, t, o->f1, &first, &count)) return false;
    for (uint32_t i = 0; i < count; i++) {
        slx_tile *to = &s->tiles[first + i];
        uint8_t *d = slx_spm_write(s, to, dst, rows, bytes, ds, 1);
        if (!d) return false;
        for (uint64_t r = 0; r < rows; r++) {
            const uint8_t *p = hbm_at(s, src + r * ss, bytes, false, -1);
            if (!p) return false;
            if (p != t_none()) memcpy(d + r * ds, p, bytes);
        }
    }
    if (s->counts) {
        s->counts->hbm_read_bytes += rows * bytes;
        s->counts->spm_write_bytes += rows * bytes * count;
    }
    s->out_dst = dst;
    s->out_bytes =
        rows == 1 || ds == bytes ? rows * bytes : bytes; /* hashed: the first row of a strided copy */
    s->out_ptr = t->spm + dst;
    return true;
}

static bool store(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint64_t dst = o->v[0], src = o->v[1], bytes = o->v[2], rows = o->v[3], ss = o->v[4], ds = o->v[5];
    if (!rows || !bytes) return true;
    const uint8_t *p = slx_spm_read(s, t, src, rows, bytes, ss, 1);
    if (!p) return false;
    for (uint64_t r = 0; r < rows; r++) {
        uint8_t *d = hbm_at(s, dst + r * ds, bytes, true, -1);
        if (!d) return false;
        if (s->values) memcpy(d, p + r * ss, bytes);
        if (!r) s->out_ptr = d;
    }
    if (s->counts) {
        s->counts->hbm_write_bytes += rows * bytes;
        s->counts->spm_read_bytes += rows * bytes;
    }
    s->out_dst = dst;
    s->out_bytes = rows == 1 || ds == bytes ? rows * bytes : bytes;
    return true;
}

static bool indexed(slx_strict *s, slx_tile *t, const slx_operands *o, bool is_load)
{
    uint64_t spm = is_load ? o->v[0] : o->v[1], base = is_load ? o->v[1] : o->v[0];
    uint64_t idx = o->v[2], count = o->v[3], bytes = o->v[4], stride = o->v[5];
    if (!count || !bytes) return true;
    const uint8_t *ip = slx_spm_read(s, t, idx, 1, count * 4, count * 4, 4);
    if (!ip) return false;
    int region = slx_hbm_region(&s->hbm, base, 1);
    if (region < 0)
        return slx_fault_set(s, SLX_FAULT_ADDRESS, "HBM 0x%llx: in no region", (unsigned long long)base);
    uint8_t *rows = is_load ? slx_spm_write(s, t, spm, 1, count * bytes, count * bytes, 1)
                            : slx_spm_read(s, t, spm, 1, count * bytes, count * bytes, 1);
    if (!rows) return false;
    uint64_t moved = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t k;
        memcpy(&k, ip + 4 * i, 4);
        if (k == UINT32_MAX) {
            if (is_load) memset(rows + i * bytes, 0, bytes);
            continue;
        }
        for (uint64_t j = 0; !is_load && j < i; j++)
            if (!memcmp(ip + 4 * j, &k, 4))
                return slx_fault_set(s, SLX_FAULT_REPEATED, "index %u stands twice", k);
        uint8_t *h = hbm_at(s, base + (uint64_t)k * stride, bytes, !is_load, region);
        if (!h) return false;
        moved += bytes;
        if (h == t_none() || !s->values) continue;
        if (is_load)
            memcpy(rows + i * bytes, h, bytes);
        else
            memcpy(h, rows + i * bytes, bytes);
    }
    if (s->counts) {
        *(is_load ? &s->counts->hbm_read_bytes : &s->counts->hbm_write_bytes) += moved;
        *(is_load ? &s->counts->spm_write_bytes : &s->counts->spm_read_bytes) += moved;
    }
    s->out_dst = is_load ? spm : base;
    s->out_bytes = is_load ? count * bytes : 0;
    s->out_ptr = rows;
    return true;
}

static bool move(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint64_t src = o->v[0], dst = o->v[2], bytes = o->v[3], rows = o->v[4];
    uint64_t ss = slx_pair_x(o->v[5]) * 64ull, ds = slx_pair_y(o->v[5]) * 64ull;
    uint32_t first, count;
    if (!rows || !bytes) return true;
    uint64_t all = rows;
    if (!ss && !ds) rows = 1; /* the same bytes to the same place, up to 2^31 times */
    const uint8_t *p = slx_spm_read(s, t, src, rows, bytes, ss, 1);
    if (!p || !receivers(s, t, o->f1, &first, &count)) return false;
    if (!o->f1) {
        if (o->v[1] >= s->prog->info.n_tiles)
            return slx_fault_set(s, SLX_FAULT_ADDRESS, "no tile %llu", (unsigned long long)o->v[1]);
        first = (uint32_t)o->v[1];
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *d = slx_spm_write(s, &s->tiles[first + i], dst, rows, bytes, ds, 1);
        if (!d) return false;
        for (uint64_t r = 0; r < rows; r++) memmove(d + r * ds, p + r * ss, bytes);
    }
    if (s->counts) {
        s->counts->spm_read_bytes += all * bytes;
        s->counts->spm_write_bytes += all * bytes * count;
    }
    s->out_dst = dst;
    s->out_bytes = bytes;
    s->out_ptr = s->tiles[first].spm + dst;
    return true;
}

bool slx_exec_mem(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    switch (o->op) {
    case SLX_OP_LD: return load(s, t, o);
    case SLX_OP_LDX: return indexed(s, t, o, true);
    case SLX_OP_ST: return store(s, t, o);
    case SLX_OP_STX: return indexed(s, t, o, false);
    case SLX_OP_MOV: return move(s, t, o);
    }
    SLX_BUG("memory opcode 0x%02x", o->op);
}
