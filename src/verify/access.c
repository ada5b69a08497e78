/* access.c - bounds of one instruction: every byte or cell it may touch, for all values its operands may have, as the
 * executors of the functional machine would touch them.
 *
 * An access is rows of bytes at a stride. It is inside when the last byte at the upper bounds of address, rows,
 * stride and bytes is inside; no rows or no bytes touch nothing. Index tables (LDX, STX, VGAT) hold run-time values:
 * the row an index names is checked when it runs, here only that the base lies in a region. */
#include "verify/verify_int.h"

#include <string.h>

typedef struct {
    slx_verifier *v;
    uint32_t pc;
    const char *name; /* mnemonic */
    unsigned f0, f1, flags;
    const slx_val *o;
} access;

#define FAIL(a, ...) slx_vfail((a)->v, (a)->v->tile, (a)->pc, __VA_ARGS__)
#define HEX(x)       ((unsigned long long)(x))

static slx_val k(uint64_t v)
{
    return slx_val_const(v);
}
/* Sizes do not wrap: what passes 2^64 is as large as can be, and no access of it fits. */
static slx_val mul(slx_val a, slx_val b)
{
    uint64_t hi;
    if (__builtin_mul_overflow(a.hi, b.hi, &hi)) return slx_val_range(0, UINT64_MAX, 0);
    return slx_val_mul(a, b);
}
static slx_val times(slx_val a, uint64_t c)
{
    return mul(a, k(c));
}

/* Last byte + 1 of the access at its upper bounds; false when it passes 2^64. */
static bool extent(const slx_val *addr, const slx_val *rows, const slx_val *bytes,
                   const slx_val *stride, uint64_t *end)
{
    uint64_t span = 0;
    if (rows->hi > UINT32_MAX) return false;
    if (rows->hi > 1 && __builtin_mul_overflow(rows->hi - 1, stride->hi, &span)) return false;
    return !__builtin_add_overflow(span, bytes->hi, &span) &&
           !__builtin_add_overflow(addr->hi, span, end);
}

static bool nothing(const slx_val *rows, const slx_val *bytes)
{
    return rows->hi == 0 || bytes->hi == 0;
}

static bool aligned(const access *a, const char *verb, const char *space, const slx_val *addr,
                    const slx_val *rows, const slx_val *stride, uint64_t align)
{
    if (addr->tz < 64 && (UINT64_C(1) << addr->tz) < align) {
        if (slx_val_is_const(addr))
            return FAIL(a, "%s %s %s 0x%llx: not a multiple of %llu", a->name, verb, space,
                        HEX(addr->lo), HEX(align));
        return FAIL(
            a, "%s %s %s at 0x%llx..0x%llx: known as a multiple of %llu, expected one of %llu",
            a->name, verb, space, HEX(addr->lo), HEX(addr->hi), HEX(1) << addr->tz, HEX(align));
    }
    if (rows->hi > 1 && stride->tz < 64 && (UINT64_C(1) << stride->tz) < align)
        return FAIL(a, "%s %s %s rows %llu bytes apart: expected a multiple of %llu", a->name, verb,
                    space, HEX(stride->hi), HEX(align));
    return true;
}

static bool spm(const access *a, bool write, slx_val addr, slx_val rows, slx_val bytes,
                slx_val stride, unsigned align)
{
    uint64_t end, size = a->v->prog->info.spm_bytes;
    const char *verb = write ? "writes" : "reads";
    if (nothing(&rows, &bytes)) return true;
    if (!extent(&addr, &rows, &bytes, &stride, &end))
        return FAIL(a,
                    "%s %s SPM from 0x%llx, up to %llu rows of %llu bytes, %llu apart: the "
                    "scratchpad ends at 0x%llx",
                    a->name, verb, HEX(addr.lo), HEX(rows.hi), HEX(bytes.hi), HEX(stride.hi),
                    HEX(size));
    if (end > size)
        return FAIL(a, "%s %s SPM 0x%llx..0x%llx: the scratchpad ends at 0x%llx", a->name, verb,
                    HEX(addr.lo), HEX(end - 1), HEX(size));
    return aligned(a, verb, "SPM", &addr, &rows, &stride, align);
}

static bool spm_in(const access *a, slx_val addr, slx_val rows, slx_val bytes, slx_val stride,
                   unsigned align)
{
    return spm(a, false, addr, rows, bytes, stride, align);
}
static bool spm_out(const access *a, slx_val addr, slx_val rows, slx_val bytes, slx_val stride,
                    unsigned align)
{
    return spm(a, true, addr, rows, bytes, stride, align);
}
/* n contiguous bytes */
static bool span_in(const access *a, slx_val addr, slx_val n, unsigned align)
{
    return spm(a, false, addr, k(1), n, k(0), align);
}
static bool span_out(const access *a, slx_val addr, slx_val n, unsigned align)
{
    return spm(a, true, addr, k(1), n, k(0), align);
}

static bool acc(const access *a, bool write, slx_val first, slx_val cells)
{
    uint64_t end, have = a->v->prog->info.acc_cells;
    if (__builtin_add_overflow(first.hi, cells.hi, &end) || end > have)
        return FAIL(a, "%s %s up to %llu cells from acc%llu: the tile has %llu", a->name,
                    write ? "writes" : "reads", HEX(cells.hi), HEX(first.hi), HEX(have));
    return true;
}

static bool writable(uint32_t kind)
{
    return kind == SLX_REGION_KV || kind == SLX_REGION_EXCHANGE || kind == SLX_REGION_LOGITS;
}

/* The region that holds addr.lo .. end-1 (end > addr.lo). */
static bool region(const access *a, bool write, const slx_val *addr, uint64_t end)
{
    const slx_program *p = a->v->prog;
    const char *verb = write ? "writes" : "reads",
               *space = addr->lo >= SLX_ROM_BASE ? "ROM" : "HBM";
    for (uint32_t i = 0; i < p->n_regions; i++) {
        const slx_region *r = &p->regions[i];
        if (addr->lo < r->base || addr->lo - r->base >= r->bytes) continue;
        if (end - r->base > r->bytes)
            return FAIL(a, "%s %s %s 0x%llx..0x%llx: region %s is 0x%llx..0x%llx", a->name, verb,
                        space, HEX(addr->lo), HEX(end - 1), r->name, HEX(r->base),
                        HEX(r->base + r->bytes - 1));
        if (write && !writable(r->kind))
            return FAIL(a, "%s writes %s 0x%llx..0x%llx: region %s is read-only (%s)", a->name,
                        space, HEX(addr->lo), HEX(end - 1), r->name,
                        slx_region_kind_name((slx_region_kind)r->kind));
        return true;
    }
    return FAIL(a, "%s %s %s 0x%llx..0x%llx: no region holds it", a->name, verb, space,
                HEX(addr->lo), HEX(end - 1));
}

static bool hbm(const access *a, bool write, slx_val addr, slx_val rows, slx_val bytes,
                slx_val stride)
{
    uint64_t end;
    const char *verb = write ? "writes" : "reads";
    if (nothing(&rows, &bytes)) return true;
    if (!extent(&addr, &rows, &bytes, &stride, &end))
        return FAIL(a,
                    "%s %s HBM from 0x%llx, up to %llu rows of %llu bytes, %llu apart: no region "
                    "holds it",
                    a->name, verb, HEX(addr.lo), HEX(rows.hi), HEX(bytes.hi), HEX(stride.hi));
    return region(a, write, &addr, end) &&
           aligned(a, verb, "HBM", &addr, &rows, &stride, a->v->chip->hbm.align_bytes);
}

/* ------------------------------------------------------------------ LDQ, STQ */

static bool group_known(const access *a)
{
    if (a->f1 <= a->v->prog->n_groups) return true;
    return FAIL(a, "%s: found group %u, expected less than %u", a->name, a->f1 - 1,
                a->v->prog->n_groups);
}

static bool copy(const access *a, bool load)
{
    const slx_val *o = a->o;
    if (load)
        return group_known(a) && spm_out(a, o[0], o[3], o[2], o[5], 1) &&
               hbm(a, false, o[1], o[3], o[2], o[4]);
    return spm_in(a, o[1], o[3], o[2], o[4], 1) && hbm(a, true, o[0], o[3], o[2], o[5]);
}

static bool indexed(const access *a, bool load)
{
    const slx_val *o = a->o;
    slx_val base = load ? o[1] : o[0], spm_at = load ? o[0] : o[1];
    if (nothing(&o[3], &o[4])) return true;
    if (!span_in(a, o[2], times(o[3], 4), 4) ||
        !spm(a, load, spm_at, k(1), mul(o[3], o[4]), k(0), 1))
        return false;
    if (base.hi == UINT64_MAX)
        return FAIL(a, "%s: its base in HBM is not known: no region holds it", a->name);
    return region(a, !load, &base, base.hi + 1) &&
           aligned(a, load ? "reads" : "writes", "HBM", &base, &o[3], &o[5],
                   a->v->chip->hbm.align_bytes);
}

static bool move(const access *a)
{
    const slx_val *o = a->o;
    slx_val ss = times(slx_val_pair_x(o[5]), 64), ds = times(slx_val_pair_y(o[5]), 64);
    if (nothing(&o[4], &o[3])) return true;
    if (!group_known(a)) return false;
    if (!a->f1 && o[1].hi >= a->v->prog->info.n_tiles)
        return FAIL(a, "MOV to tile %llu: the program has %u", HEX(o[1].hi),
                    a->v->prog->info.n_tiles);
    return spm_in(a, o[0], o[4], o[3], ss, 1) && spm_out(a, o[2], o[4], o[3], ds, 1);
}

/* ------------------------------------------------------------------ TEN */

/* n contiguous bytes of ROM */
static bool rom_in(const access *a, slx_val addr, slx_val n)
{
    uint64_t end;
    slx_val one = k(1), none = k(0);
    if (!n.hi) return true;
    if (addr.lo < SLX_ROM_BASE)
        return FAIL(a, "%s reads ROM at 0x%llx: ROM begins at 0x%llx", a->name, HEX(addr.lo),
                    HEX(SLX_ROM_BASE));
    if (!extent(&addr, &one, &n, &none, &end))
        return FAIL(a, "%s reads ROM from 0x%llx, %llu bytes: no region holds it", a->name,
                    HEX(addr.lo), HEX(n.hi));
    return region(a, false, &addr, end) && aligned(a, "reads", "ROM", &addr, &one, &none, 64);
}

static bool product(const access *a)
{
    const slx_val *o = a->o;
    slx_val m = slx_val_pair_x(o[4]), n = slx_val_pair_y(o[4]), kblk = slx_val_pair_x(o[5]),
            ld = slx_val_pair_y(o[5]);
    unsigned log2g = (a->flags & SLX_F_LOG2G) >> SLX_F_LOG2G_SHIFT;
    bool bt = a->flags & SLX_F_BT;
    if (nothing(&m, &n)) return true;
    if (m.hi > a->v->prog->info.max_m)
        return FAIL(a, "MM of up to %llu rows: the program's max_m is %u", HEX(m.hi),
                    a->v->prog->info.max_m);
    slx_val cells = mul(m, n), ld_a = bt ? kblk : ld;
    if (!acc(a, true, o[0], times(cells, 1 + log2g)) ||
        !spm_in(a, o[1], m, times(kblk, 32), times(ld_a, 32), 32) ||
        !spm_in(a, o[2], m, kblk, ld_a, 1))
        return false;
    if (bt) return spm_in(a, o[3], times(kblk, 32), n, times(ld, 32), 32);
    slx_val blocks = mul(n, kblk), codes = times(blocks, slx_fmt_code_bytes(a->f0)),
            scales = times(blocks, slx_fmt_scale_bytes(a->f0));
    /* planes at multiples of 64 behind each other; the last one ends with its last scale */
    slx_val before = slx_val_up64(codes);
    if (a->f0 == SLX_FMT_q4sm)
        before = slx_val_alu(SLX_ALUFN_add, before, slx_val_up64(scales), k(0));
    slx_val all = slx_val_alu(SLX_ALUFN_add, before, scales, k(0));
    if (!kblk.hi) all = k(0);
    return a->flags & SLX_F_ROM ? rom_in(a, o[3], all) : span_in(a, o[3], all, 64);
}

static bool add_cells(const access *a)
{
    const slx_val *o = a->o;
    return acc(a, true, o[0], o[3]) && acc(a, false, o[1], o[3]) && acc(a, false, o[2], o[3]);
}

static bool out_cells(const access *a)
{
    const slx_val *o = a->o;
    slx_val m = slx_val_pair_x(o[2]), n = slx_val_pair_y(o[2]);
    unsigned elem = a->f0 == SLX_OUTFMT_bf16 ? 2 : 4;
    if (nothing(&m, &n)) return true;
    return acc(a, false, o[1], mul(m, n)) && spm_out(a, o[0], m, times(n, elem), o[3], elem);
}

/* ------------------------------------------------------------------ VEC */

/* Row stride of an fp32 matrix: the field in 64 bytes, or the row's bytes rounded up to 64 where it is 0. */
static slx_val stride_of(slx_val field, slx_val cols)
{
    slx_val natural = slx_val_up64(times(cols, 4));
    if (field.hi == 0) return natural;
    slx_val given = times(field, 64);
    return field.lo ? given : slx_val_join(given, natural);
}

/* Row stride in blocks: the field, or the blocks of a row where it is 0. */
static slx_val blocks_of(slx_val field, slx_val nb)
{
    if (field.hi == 0) return nb;
    return field.lo ? field : slx_val_join(field, nb);
}

static bool rows_f32(const access *a, bool write, slx_val addr, slx_val rows, slx_val cols,
                     slx_val stride)
{
    return spm(a, write, addr, rows, times(cols, 4), stride, 4);
}

static bool binary(const access *a)
{
    const slx_val *o = a->o;
    slx_val rows = slx_val_pair_x(o[3]), cols = slx_val_pair_y(o[3]);
    slx_val brows = a->f1 == SLX_BCAST_full ? rows : k(1), bcols = cols;
    if (nothing(&rows, &cols)) return true;
    if (a->f1 == SLX_BCAST_col) bcols = rows;
    if (a->f1 == SLX_BCAST_scalar) bcols = k(1);
    return rows_f32(a, false, o[1], rows, cols, stride_of(slx_val_stride(o[4], 1), cols)) &&
           rows_f32(a, false, o[2], brows, bcols, stride_of(slx_val_stride(o[4], 2), cols)) &&
           rows_f32(a, true, o[0], rows, cols, stride_of(slx_val_stride(o[4], 0), cols));
}

static bool multiply_add(const access *a)
{
    const slx_val *o = a->o;
    slx_val rows = slx_val_pair_x(o[4]), cols = slx_val_pair_y(o[4]), st = stride_of(k(0), cols);
    if (nothing(&rows, &cols)) return true;
    for (int i = 1; i < 4; i++)
        if (!rows_f32(a, false, o[i], rows, cols, st)) return false;
    return rows_f32(a, true, o[0], rows, cols, st);
}

static bool unary(const access *a)
{
    const slx_val *o = a->o;
    slx_val rows = slx_val_pair_x(o[2]), cols = slx_val_pair_y(o[2]);
    if (nothing(&rows, &cols)) return true;
    return (a->f0 == SLX_UNFN_fill ||
            rows_f32(a, false, o[1], rows, cols, stride_of(slx_val_stride(o[3], 1), cols))) &&
           rows_f32(a, true, o[0], rows, cols, stride_of(slx_val_stride(o[3], 0), cols));
}

static bool reduce(const access *a)
{
    const slx_val *o = a->o;
    slx_val rows = slx_val_pair_x(o[2]), cols = slx_val_pair_y(o[2]);
    if (nothing(&rows, &cols)) return true;
    return rows_f32(a, false, o[1], rows, cols, stride_of(slx_val_stride(o[3], 1), cols)) &&
           span_out(a, o[0], times(rows, 4), 4);
}

static bool norm(const access *a)
{
    const slx_val *o = a->o;
    slx_val rows = slx_val_pair_x(o[4]), cols = slx_val_pair_y(o[4]);
    if (nothing(&rows, &cols)) return true;
    return rows_f32(a, false, o[1], rows, cols, stride_of(slx_val_stride(o[5], 1), cols)) &&
           span_in(a, o[2], times(cols, 4), 4) &&
           rows_f32(a, true, o[0], rows, cols, stride_of(slx_val_stride(o[5], 0), cols));
}

static bool rotate(const access *a)
{
    const slx_val *o = a->o;
    slx_val rows = slx_val_pair_x(o[3]), cols = slx_val_pair_y(o[3]), h = slx_val_pair_x(o[4]),
            n_rot = slx_val_pair_y(o[4]);
    if (nothing(&rows, &cols)) return true;
    if (!h.lo || n_rot.hi > cols.lo || !n_rot.tz)
        return FAIL(a,
                    "VROT: (H, n_rot) may be (%llu, %llu) with %llu columns, expected H >= 1 and "
                    "an even n_rot of at most the columns",
                    HEX(h.lo), HEX(n_rot.hi), HEX(cols.lo));
    slx_val table = slx_val_range((rows.lo + h.hi - 1) / h.hi, (rows.hi + h.lo - 1) / h.lo, 0);
    return rows_f32(a, false, o[1], rows, cols, stride_of(slx_val_stride(o[5], 1), cols)) &&
           span_in(a, o[2], times(mul(table, n_rot), 4), 4) &&
           rows_f32(a, true, o[0], rows, cols, stride_of(slx_val_stride(o[5], 0), cols));
}

static slx_val div32_up(slx_val cols)
{
    return slx_val_range((cols.lo + 31) / 32, (cols.hi + 31) / 32, 0);
}

static bool quantise(const access *a, slx_val rows, slx_val cols)
{
    const slx_val *o = a->o;
    slx_val nb = div32_up(cols), ld = blocks_of(slx_val_stride(o[5], 0), nb);
    bool row = a->flags & SLX_F_ROW;
    return rows_f32(a, false, o[2], rows, cols, stride_of(slx_val_stride(o[5], 1), cols)) &&
           (!(a->flags & SLX_F_COL) || span_in(a, o[3], cols, 1)) &&
           spm_out(a, o[0], rows, times(nb, 32), times(ld, 32), 32) &&
           spm_out(a, o[1], rows, row ? k(1) : nb, row ? k(1) : ld, 1);
}

static bool dequantise(const access *a, slx_val rows, slx_val cols)
{
    const slx_val *o = a->o;
    slx_val nb = div32_up(cols), ld = blocks_of(slx_val_stride(o[5], 1), nb);
    unsigned cb = slx_fmt_code_bytes(a->f1), sb = slx_fmt_scale_bytes(a->f1);
    if (!spm_in(a, o[2], rows, times(nb, cb), times(ld, cb), 16) ||
        !spm_in(a, o[3], rows, times(nb, sb), times(ld, sb), sb))
        return false;
    if (a->f1 == SLX_FMT_q4sm) {
        slx_val plane = slx_val_up64(times(mul(rows, ld), sb));
        slx_val at = slx_val_alu(SLX_ALUFN_add, o[3], plane, k(0));
        if (!spm_in(a, at, rows, times(nb, 2), times(ld, 2), 2)) return false;
    }
    return rows_f32(a, true, o[0], rows, cols, stride_of(slx_val_stride(o[5], 0), cols));
}

static bool convert(const access *a)
{
    slx_val rows = slx_val_pair_x(a->o[4]), cols = slx_val_pair_y(a->o[4]);
    if (nothing(&rows, &cols)) return true;
    return a->f0 == SLX_FMT_f32 ? dequantise(a, rows, cols) : quantise(a, rows, cols);
}

static bool admit(const access *a)
{
    const slx_val *o = a->o;
    slx_val rows = slx_val_pair_x(o[3]), cols = slx_val_pair_y(o[3]);
    slx_val limit = a->f0 == SLX_SELFN_range ? k(8) : times(div32_up(cols), 4);
    if (nothing(&rows, &cols)) return true;
    return rows_f32(a, false, o[1], rows, cols, stride_of(slx_val_stride(o[5], 1), cols)) &&
           span_in(a, o[2], mul(rows, limit), 4) &&
           rows_f32(a, true, o[0], rows, cols, stride_of(slx_val_stride(o[5], 0), cols));
}

static bool softmax(const access *a)
{
    const slx_val *o = a->o;
    slx_val rows = slx_val_pair_x(o[4]), cols = slx_val_pair_y(o[4]), st = stride_of(k(0), cols);
    if (nothing(&rows, &cols)) return true;
    if (cols.hi > SLX_MAX_CHUNK)
        return FAIL(a, "VSMX of %llu columns, expected at most %d", HEX(cols.hi), SLX_MAX_CHUNK);
    return rows_f32(a, false, o[2], rows, cols, st) &&
           span_in(a, o[3], k((rows.hi + a->f1 - 1) / a->f1 * 8), 4) &&
           rows_f32(a, true, o[0], rows, cols, st) && span_out(a, o[1], times(rows, 8), 4);
}

static bool merge(const access *a)
{
    const slx_val *o = a->o;
    slx_val rows = slx_val_pair_x(o[4]), d = slx_val_pair_y(o[4]), st = stride_of(k(0), d);
    if (nothing(&rows, &d)) return true;
    if (a->f0 == SLX_MRGFN_merge &&
        (!span_in(a, o[2], times(rows, 8), 4) || !rows_f32(a, false, o[3], rows, d, st)))
        return false;
    return span_out(a, o[0], times(rows, 8), 4) && rows_f32(a, true, o[1], rows, d, st);
}

static bool top_k(const access *a)
{
    const slx_val *o = a->o;
    slx_val rows = slx_val_pair_x(o[3]), cols = slx_val_pair_y(o[3]), st = stride_of(k(0), o[4]);
    if (nothing(&rows, &cols) || !o[4].hi) return true;
    if (o[4].hi > SLX_MAX_CANDIDATES)
        return FAIL(a, "VTOPK with k up to %llu, expected at most %d", HEX(o[4].hi),
                    SLX_MAX_CANDIDATES);
    return rows_f32(a, false, o[2], rows, cols, stride_of(k(0), cols)) &&
           rows_f32(a, true, o[1], rows, o[4], st) && rows_f32(a, true, o[0], rows, o[4], st);
}

static bool sample(const access *a)
{
    const slx_val *o = a->o;
    slx_val rows = slx_val_pair_x(o[4]), n = slx_val_pair_y(o[4]), st = stride_of(k(0), n);
    if (nothing(&rows, &n)) return true;
    if (n.hi > SLX_MAX_CANDIDATES)
        return FAIL(a, "VSAMP with up to %llu candidates, expected at most %d", HEX(n.hi),
                    SLX_MAX_CANDIDATES);
    return rows_f32(a, false, o[1], rows, n, st) && rows_f32(a, false, o[2], rows, n, st) &&
           span_in(a, o[3], times(rows, 32), 4) && span_out(a, o[0], times(rows, 4), 4);
}

static bool transpose(const access *a)
{
    const slx_val *o = a->o;
    slx_val rows = slx_val_pair_x(o[2]), cols = slx_val_pair_y(o[2]);
    if (nothing(&rows, &cols)) return true;
    slx_val in = times(cols, a->f0), out = times(rows, a->f0);
    return spm_in(a, o[1], rows, in, slx_val_up64(in), a->f0) &&
           spm_out(a, o[0], cols, out, slx_val_up64(out), a->f0);
}

static bool gather(const access *a)
{
    const slx_val *o = a->o;
    if (nothing(&o[3], &o[4])) return true;
    return span_in(a, o[2], times(o[3], 4), 4) && span_in(a, o[1], mul(o[5], o[4]), 1) &&
           span_out(a, o[0], mul(o[3], o[4]), 1);
}

/* ------------------------------------------------------------------ NET */

static bool reduction(const access *a)
{
    const slx_val *o = a->o;
    return span_in(a, o[1], times(o[2], 4), 4) && span_out(a, o[0], times(o[2], 4), 4);
}

static bool all_rows(const access *a)
{
    const slx_val *o = a->o;
    slx_val own = mul(o[2], o[3]);
    return span_in(a, o[1], own, 1) &&
           span_out(a, o[0], times(own, slx_program_chips(&a->v->prog->info)), 1);
}

bool slx_verify_access(slx_verifier *v, uint32_t pc, const slx_val o[SLX_N_OPERANDS])
{
    const slx_insn *in = &v->prog->insns[pc];
    unsigned op = slx_insn_op(in);
    access a = {v, pc, slx_ops[op].name, slx_insn_f0(in), slx_insn_f1(in), slx_insn_flags(in), o};
    switch (op) {
    case SLX_OP_LDS: return span_in(&a, o[1], k(UINT64_C(1) << a.f0), 1u << a.f0);
    case SLX_OP_STS: return span_out(&a, o[0], k(UINT64_C(1) << a.f0), 1u << a.f0);
    case SLX_OP_LD: return copy(&a, true);
    case SLX_OP_LDX: return indexed(&a, true);
    case SLX_OP_ST: return copy(&a, false);
    case SLX_OP_STX: return indexed(&a, false);
    case SLX_OP_MOV: return move(&a);
    case SLX_OP_MM: return product(&a);
    case SLX_OP_AADD: return add_cells(&a);
    case SLX_OP_AOUT: return out_cells(&a);
    case SLX_OP_VBIN: return binary(&a);
    case SLX_OP_VFMA: return multiply_add(&a);
    case SLX_OP_VUN: return unary(&a);
    case SLX_OP_VRED: return reduce(&a);
    case SLX_OP_VNRM: return norm(&a);
    case SLX_OP_VROT: return rotate(&a);
    case SLX_OP_VCVT: return convert(&a);
    case SLX_OP_VSEL: return admit(&a);
    case SLX_OP_VSMX: return softmax(&a);
    case SLX_OP_VMRG: return merge(&a);
    case SLX_OP_VTOPK: return top_k(&a);
    case SLX_OP_VSAMP: return sample(&a);
    case SLX_OP_VTRN: return transpose(&a);
    case SLX_OP_VGAT: return gather(&a);
    case SLX_OP_RED: return reduction(&a);
    case SLX_OP_GAT: return all_rows(&a);
    }
    return true;
}
