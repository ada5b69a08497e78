/* cost.c - what one instruction takes by itself: cycles of its engine, bytes, multiply-adds,
 * energy. Memory and network are hbm.c's.
 *
 *   MM         c0 + ceil(ceil(M/m) * ceil(N/n) * (Kblk * 32/k / rate + G*cg))
 *                 + max(0, swap - ceil(M/m))
 *   MM ROM     the same, but no less than ceil(M/m) * bytes of the weights / rom.bytes_clk: they
 *              pass once for every m rows
 *   AADD AOUT  c1 + ceil(cells / out_lanes)
 *   V*         c2 + passes * ceil(R*C / lanes), reductions 5 more
 *   VSMX       c2 + R*C / smx_per_clk where the chip has the pipe
 *   all        no less than the bytes of the scratchpad over its width
 *
 * The weights held are exchanged once an MM: a decode step streams new weights through every
 * clock and could not keep up with memory otherwise. Passes are the design's own sequences of
 * operations (docs/numerics.md), so they stand here and not in the chip file. Energy of a pass
 * over n elements: n fused multiply-adds, whatever the operation; a division counts as eight. */
#include "time/time_int.h"

#include "chip/silicon.h"

#include <math.h>

typedef struct {
    double passes, flops; /* flops: what an element costs in fused multiply-adds */
} work;

void slx_tm_cost_init(slx_tm_cost *k, const slx_chip *c)
{
    *k = (slx_tm_cost){.chip = c,
                       .fj_w4a8 = c->energy.w4a8_fj,
                       .fj_w8a8 = c->energy.w8a8_fj,
                       .fj_add = c->energy.fp32_add_pj * 1e3,
                       .fj_fma = c->energy.fp32_fma_pj * 1e3,
                       .fj_rd = c->energy.sram_rd_pj_b * 1e3,
                       .fj_wr = c->energy.sram_wr_pj_b * 1e3,
                       .fj_hbm = c->energy.hbm_pj_b * 1e3,
                       .fj_rom = c->energy.rom_pj_b * 1e3,
                       .fj_serdes = c->energy.serdes_pj_b * 1e3,
                       .fj_wire = c->energy.noc_pj_b_mm * c->noc.mm_per_hop * 1e3,
                       .fj_router = c->energy.noc_pj_b_router * 1e3,
                       .spm_clk = (double)c->tile.spm_banks * c->tile.bank_bytes_clk};
}

slx_status slx_time_get_watts(slx_time_watts *out, const slx_chip *c, slx_err *err)
{
    slx_constants *k = NULL;
    slx_area area;
    SLX_TRY(slx_constants_load(&k, err));
    slx_status st = slx_chip_get_area(&area, c, k, err);
    slx_constants_free(k);
    if (st != SLX_OK) return st;
    if (isnan(area.silicon_mm2.mid))
        return slx_fail(err, SLX_EINPUT, c->path, 0, 0,
                        "found no %s, expected a figure: leakage goes by area",
                        area.die.missing ? area.die.missing : "area");
    double net_bits = 8 * slx_chip_get_peaks(c).net_bytes_s;
    double d2d_bits = 4e12 * c->package.d2d_tbs + (area.io_dies ? net_bits : 0);
    *out = (slx_time_watts){
        .leak = c->energy.leak_w_mm2 * area.silicon_mm2.mid,
        .io = (net_bits * c->energy.serdes_pj_b + d2d_bits * c->energy.d2d_pj_b) * 1e-12};
    return SLX_OK;
}

/* ------------------------------------------------------------------ TEN */

static uint64_t up_div(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b;
}

static const char *product(const slx_tm_cost *k, const slx_insn *in, const uint64_t *v,
                           slx_tm_work *w)
{
    const slx_chip *c = k->chip;
    uint64_t m = slx_pair_x(v[4]), n = slx_pair_y(v[4]), kblk = slx_pair_x(v[5]);
    unsigned fmt = slx_insn_f0(in), flags = slx_insn_flags(in),
             g = 1u << ((flags & SLX_F_LOG2G) >> SLX_F_LOG2G_SHIFT);
    bool bt = flags & SLX_F_BT, init = flags & SLX_F_INIT;
    double rate = slx_chip_ten_rate(c, fmt), mac = k->fj_w8a8, sum = k->fj_add;
    switch (fmt) {
    case SLX_FMT_mxfp4: mac = k->fj_w4a8; break;
    case SLX_FMT_q4s:
    case SLX_FMT_q4sm: mac = k->fj_w4a8, sum = k->fj_fma; break;
    case SLX_FMT_q8s: sum = k->fj_fma; break;
    }
    if (rate <= 0) return "the chip's tensor engine has no rate for this format";
    w->cycles = 1;
    if (!m || !n) return NULL;
    double mt = (double)up_div(m, c->ten.m), nt = (double)up_div(n, c->ten.n);
    double swap = c->ten.swap_cycles > mt ? c->ten.swap_cycles - mt : 0;
    double pass = (double)kblk * 32 / c->ten.k / rate + g * c->ten.cg_cycles, all = mt * nt * pass;
    unsigned cb = slx_fmt_code_bytes(fmt),
             sb = slx_fmt_scale_bytes(fmt) * (fmt == SLX_FMT_q4sm ? 2 : 1);
    double tile = (double)(n * kblk * (cb + sb));
    if (flags & SLX_F_ROM) {
        if (c->rom.bytes_clk <= 0) return "the chip has no weights beside its tensor engines";
        all = fmax(all, mt * tile / c->rom.bytes_clk);
        w->rom_fj = mt * tile * 8 * k->fj_rom;
    }
    w->cycles = (uint64_t)ceil(c->ten.c0_cycles + all + swap);
    w->macs = m * n * kblk * 32;
    w->ten_clk = (double)w->macs / ((double)c->ten.m * c->ten.n * c->ten.k * rate);
    w->spm_read = m * kblk * 33 + (bt                  ? 32 * kblk * n
                                   : flags & SLX_F_ROM ? 0
                                                       : n * kblk * (cb + sb));
    w->acc_bytes = m * n * (init ? 4u : 8u);
    w->mac_fj = (double)w->macs * mac;
    w->sum_fj = (double)(m * n) *
                ((double)kblk * sum * (fmt == SLX_FMT_q4sm ? 2 : 1) + (g - 1) * k->fj_add);
    return NULL;
}

static double out_lanes(const slx_chip *c)
{
    return c->ten.out_lanes ? c->ten.out_lanes : c->ten.n;
}

static void accumulators_add(const slx_tm_cost *k, const uint64_t *v, slx_tm_work *w)
{
    w->cycles = 1;
    if (!v[3]) return;
    w->cycles = (uint64_t)ceil(k->chip->ten.c1_cycles + ceil((double)v[3] / out_lanes(k->chip)));
    w->acc_bytes = v[3] * 12;
    w->sum_fj = (double)v[3] * k->fj_add;
}

static void accumulators_out(const slx_tm_cost *k, const slx_insn *in, const uint64_t *v,
                             slx_tm_work *w)
{
    uint64_t cells = (uint64_t)slx_pair_x(v[2]) * slx_pair_y(v[2]);
    w->cycles = 1;
    if (!cells) return;
    w->cycles = (uint64_t)ceil(k->chip->ten.c1_cycles + ceil((double)cells / out_lanes(k->chip)));
    w->acc_bytes = cells * 4;
    w->spm_write = cells * (slx_insn_f0(in) == SLX_OUTFMT_bf16 ? 2 : 4);
    w->sum_fj = v[4] ? (double)cells * k->fj_fma : 0;
}

/* ------------------------------------------------------------------ VEC */

static work unary(unsigned fn, double div)
{
    switch (fn) {
    case SLX_UNFN_sqrt:
    case SLX_UNFN_rcp: return (work){div, 8};
    case SLX_UNFN_exp: return (work){12, 11};
    case SLX_UNFN_exp2: return (work){9, 8};
    case SLX_UNFN_log2: return (work){11, 10};
    case SLX_UNFN_sigmoid:
    case SLX_UNFN_silu: return (work){14 + div, 21};
    case SLX_UNFN_tanh:
    case SLX_UNFN_gelu: return (work){18 + div, 25};
    case SLX_UNFN_copy:
    case SLX_UNFN_fill: return (work){1, 0};
    default: return (work){1, 1};
    }
}

static uint64_t blocks(uint64_t cols)
{
    return (cols + 31) / 32;
}

/* Bytes of codes and scales of R rows of C columns. */
static uint64_t coded(unsigned fmt, uint64_t rows, uint64_t cols)
{
    unsigned sb = slx_fmt_scale_bytes(fmt) * (fmt == SLX_FMT_q4sm ? 2 : 1);
    return rows * blocks(cols) * (slx_fmt_code_bytes(fmt) + sb);
}

/* Elements, work an element, cycles besides, bytes: of one vector instruction. */
typedef struct {
    uint64_t rows, cols, read, write;
    work each;
    double extra, rate; /* rate: elements a clock instead of the lanes */
} vec;

static void shape(vec *x, uint64_t pair)
{
    x->rows = slx_pair_x(pair), x->cols = slx_pair_y(pair);
}

static void vec_of(const slx_tm_cost *k, const slx_insn *in, const uint64_t *v, vec *x)
{
    const double div = k->chip->vec.div_cycles, lanes = k->chip->vec.lanes;
    unsigned f0 = slx_insn_f0(in), f1 = slx_insn_f1(in), flags = slx_insn_flags(in);
    uint64_t n;
    *x = (vec){.each = {1, 1}};
    switch (slx_insn_op(in)) {
    case SLX_OP_VBIN:
        shape(x, v[3]), n = x->rows * x->cols;
        if (f0 == SLX_BINFN_div) x->each = (work){div, 8};
        x->read = n * 4 + (f1 == SLX_BCAST_full  ? n
                           : f1 == SLX_BCAST_row ? x->cols
                           : f1 == SLX_BCAST_col ? x->rows
                                                 : 1) *
                              4;
        x->write = n * 4;
        break;
    case SLX_OP_VFMA:
        shape(x, v[4]), n = x->rows * x->cols;
        x->read = n * 12, x->write = n * 4;
        break;
    case SLX_OP_VUN:
        shape(x, v[2]), n = x->rows * x->cols;
        x->each = unary(f0, div);
        x->read = f0 == SLX_UNFN_fill ? 0 : n * 4, x->write = n * 4;
        break;
    case SLX_OP_VRED:
        shape(x, v[2]);
        x->extra = 5;
        x->read = x->rows * x->cols * 4, x->write = x->rows * 4;
        break;
    case SLX_OP_VNRM: /* squares, one root and one division a row, two products; layer: a sum and a difference more */
        shape(x, v[4]), n = x->rows * x->cols;
        x->each = f0 == SLX_NRMFN_layer ? (work){5, 5} : (work){3, 3};
        x->extra = (f0 == SLX_NRMFN_layer ? 10 : 5) + 2 * div * ceil((double)x->rows / lanes);
        x->read = n * 8 + x->cols * 4, x->write = n * 4;
        break;
    case SLX_OP_VROT: /* two products and two fma a pair of columns */
        shape(x, v[3]), n = x->rows * x->cols;
        x->each = (work){2, 2};
        x->read =
            n * 4 + x->rows / (slx_pair_x(v[4]) ? slx_pair_x(v[4]) : 1) * slx_pair_y(v[4]) * 4;
        x->write = n * 4;
        break;
    case SLX_OP_VCVT:
        shape(x, v[4]), n = x->rows * x->cols;
        if (f1 == SLX_FMT_f32) { /* largest, scale, round */
            bool col = flags & SLX_F_COL, row = flags & SLX_F_ROW;
            x->each = (work){3 + col, 2 + col};
            x->read = n * 4 + (col ? x->cols : 0);
            x->write = x->rows * (blocks(x->cols) * 32 + (row ? 1 : blocks(x->cols)));
        } else {
            x->each = f1 == SLX_FMT_q4sm ? (work){2, 2} : (work){1, 1};
            x->read = coded(f1, x->rows, x->cols), x->write = n * 4;
        }
        break;
    case SLX_OP_VSEL:
        shape(x, v[3]), n = x->rows * x->cols;
        x->read = n * 4 + (f0 == SLX_SELFN_range ? x->rows * 8 : x->rows * blocks(x->cols) * 4),
        x->write = n * 4;
        break;
    case SLX_OP_VSMX: /* largest, exp2 of the difference, sum */
        shape(x, v[4]), n = x->rows * x->cols;
        x->each = (work){11, 10};
        x->rate = k->chip->vec.smx_per_clk;
        x->read = n * 4 + x->rows * 8 / (f1 ? f1 : 1), x->write = n * 4 + x->rows * 8;
        break;
    case SLX_OP_VMRG: { /* weights of a row, then one product and one fma an element */
        shape(x, v[4]), n = x->rows * x->cols;
        double rows = ceil((double)x->rows / lanes);
        if (f0 == SLX_MRGFN_empty) {
            x->each = (work){1, 0}, x->write = n * 4 + x->rows * 8;
        } else if (f0 == SLX_MRGFN_merge) {
            x->each = (work){2, 2}, x->extra = 22 * rows;
            x->read = n * 8 + x->rows * 16, x->write = n * 4 + x->rows * 8;
        } else {
            x->each = (work){div, 8}, x->read = n * 4 + x->rows * 8, x->write = n * 4;
        }
        break;
    }
    case SLX_OP_VTOPK: { /* a sorted list of k beside the stream */
        shape(x, v[3]), n = x->rows * x->cols;
        double depth = ceil(log2((double)v[4] + 1));
        x->each = (work){1 + depth, 1 + depth};
        x->read = n * 4, x->write = x->rows * v[4] * 8;
        break;
    }
    case SLX_OP_VSAMP: /* prefix sums one after another */
        shape(x, v[4]), n = x->rows * x->cols;
        x->each = (work){9, 8}, x->extra = (double)n * 3;
        x->read = n * 8 + x->rows * 32, x->write = x->rows * 4;
        break;
    case SLX_OP_VTRN:
        shape(x, v[2]), n = x->rows * x->cols;
        x->each = (work){2, 0};
        x->read = x->write = n << f0;
        break;
    case SLX_OP_VGAT:
        x->rows = v[3], x->cols = (v[4] + 3) / 4;
        x->each = (work){1, 0};
        x->read = v[3] * (v[4] + 4), x->write = v[3] * v[4];
        break;
    }
}

static void vector(const slx_tm_cost *k, const slx_insn *in, const uint64_t *v, slx_tm_work *w)
{
    vec x;
    vec_of(k, in, v, &x);
    double n = (double)x.rows * (double)x.cols;
    w->cycles = 1;
    if (n == 0) return;
    double body = x.rate > 0 ? ceil(n / x.rate) : x.each.passes * ceil(n / k->chip->vec.lanes);
    w->cycles = (uint64_t)ceil(k->chip->vec.c2_cycles + body + x.extra);
    w->spm_read = x.read;
    w->spm_write = x.write;
    w->vec_fj = n * x.each.flops * k->fj_fma;
}

const char *slx_tm_cost_of(const slx_tm_cost *k, const slx_insn *in,
                           const uint64_t v[SLX_N_OPERANDS], slx_tm_work *w)
{
    *w = (slx_tm_work){.cycles = 1};
    const slx_op_info *op = &slx_ops[slx_insn_op(in)];
    const char *why = NULL;
    if (op->reserved || !op->name) return "reserved";
    switch (slx_insn_op(in)) {
    case SLX_OP_MM: why = product(k, in, v, w); break;
    case SLX_OP_AADD: accumulators_add(k, v, w); break;
    case SLX_OP_AOUT: accumulators_out(k, in, v, w); break;
    default:
        if (op->engine == SLX_ENG_VEC) vector(k, in, v, w);
    }
    uint64_t spm = (uint64_t)ceil((double)(w->spm_read + w->spm_write) / k->spm_clk);
    if (spm > w->cycles) w->cycles = spm;
    return why;
}
