/* exec_ten.c - TEN: matrix products into the accumulators, sums of accumulators, accumulators out to the scratchpad. */
#include "func/func_int.h"

#include <string.h>

static float *acc_range(slx_strict *s, slx_tile *t, uint64_t first, uint64_t n, bool read)
{
    uint64_t cells = s->prog->info.acc_cells;
    if (first > cells || n > cells - first) {
        slx_fault_set(s, SLX_FAULT_ADDRESS, "ACC %llu, %llu cells: the tile has %llu",
                      (unsigned long long)first, (unsigned long long)n, (unsigned long long)cells);
        return NULL;
    }
    if (read && n) {
        const uint8_t *hole = memchr(t->acc_written + first, 0, n);
        if (hole) {
            slx_fault_set(s, SLX_FAULT_UNWRITTEN, "ACC %llu", (unsigned long long)(hole - t->acc_written));
            return NULL;
        }
    }
    return t->acc + first;
}

static void acc_mark(slx_tile *t, uint64_t first, uint64_t n, uint8_t written)
{
    if (!n) return;
    memset(t->acc_written + first, written, n);
    if (first + n > t->acc_high) t->acc_high = (uint32_t)(first + n);
}

static void retired(slx_strict *s, const slx_tile *t, uint64_t first, uint64_t n)
{
    s->out_dst = first;
    s->out_bytes = n * 4;
    s->out_ptr = t->acc + first;
}

static bool product(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t m = slx_pair_x(o->v[4]), n = slx_pair_y(o->v[4]);
    uint32_t kblk = slx_pair_x(o->v[5]), ld = slx_pair_y(o->v[5]);
    unsigned log2g = (o->flags & SLX_F_LOG2G) >> SLX_F_LOG2G_SHIFT, fmt = o->f0;
    bool init = o->flags & SLX_F_INIT, bt = o->flags & SLX_F_BT;
    if (!m || !n) return true;
    uint64_t cells = (uint64_t)m * n, ld_a = bt ? kblk : ld;
    float *acc = acc_range(s, t, o->v[0], cells * (1 + log2g), false);
    if (!acc || (!init && !acc_range(s, t, o->v[0], cells, true))) return false;
    const uint8_t *a = slx_spm_read(s, t, o->v[1], m, kblk * 32ull, ld_a * 32, 32);
    const uint8_t *as = slx_spm_read(s, t, o->v[2], m, kblk, ld_a, 1);
    if (!a || !as) return false;
    size_t off_scale = 0, off_m = 0;
    const uint8_t *b;
    if (o->flags & SLX_F_ROM) {
        slx_btile_bytes(fmt, n, kblk, &off_scale, &off_m);
        b = slx_rom_read(s, o->v[3], (off_m ? off_m : off_scale) +
                                         (uint64_t)n * kblk * slx_fmt_scale_bytes(fmt));
    } else if (bt) {
        b = slx_spm_read(s, t, o->v[3], 32ull * kblk, n, ld * 32ull, 32);
    } else {
        size_t total = slx_btile_bytes(fmt, n, kblk, &off_scale, &off_m);
        size_t planes = off_m ? off_m : off_scale, sb = slx_fmt_scale_bytes(fmt);
        SLX_ASSERT(total || !kblk);
        b = slx_spm_read(s, t, o->v[3], 1, (uint64_t)n * kblk * slx_fmt_code_bytes(fmt), 0, 64);
        if (b && !slx_spm_read(s, t, o->v[3] + off_scale, 1, (uint64_t)n * kblk * sb, 0, 1)) return false;
        if (b && !slx_spm_read(s, t, o->v[3] + planes, 1, (uint64_t)n * kblk * sb, 0, 1)) return false;
    }
    if (!b) return false;
    if (s->counts) {
        s->counts->macs += cells * kblk * 32;
        s->counts->spm_read_bytes +=
            (uint64_t)m * kblk * 33 +
            (bt                        ? 32ull * kblk * n
             : (o->flags & SLX_F_ROM) ? 0
                                       : (uint64_t)n * kblk *
                       (slx_fmt_code_bytes(fmt) + slx_fmt_scale_bytes(fmt) * (off_m ? 2u : 1u)));
    }
    size_t row_codes = (size_t)kblk * slx_fmt_code_bytes(fmt),
           row_scales = (size_t)kblk * slx_fmt_scale_bytes(fmt);
    for (uint32_t i = 0; s->values && i < m; i++) {
        const int8_t *ai = (const int8_t *)a + i * ld_a * 32;
        const uint8_t *asi = as + i * ld_a;
        for (uint32_t j = 0; j < n; j++) {
            float *c = &acc[(size_t)i * n + j];
            const float *chain = init ? NULL : c;
            float v =
                bt ? slx_dot_bt(ai, asi, (const int8_t *)b + j, ld * 32ull, kblk, chain)
                   : slx_dot((slx_num_fmt)fmt, ai, asi, b + j * row_codes, b + off_scale + j * row_scales,
                             off_m ? (const uint16_t *)(b + off_m + j * row_scales) : NULL, kblk, log2g,
                             chain);
            if (!slx_f32_finite(v))
                return slx_fault_set(s, SLX_FAULT_NONFINITE, "product of row %u, column %u", i, j);
            *c = v;
        }
    }
    acc_mark(t, o->v[0] + cells, cells * log2g, 0);
    acc_mark(t, o->v[0], cells, 1);
    retired(s, t, o->v[0], cells);
    return true;
}

static bool add(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint64_t n = o->v[3];
    if (!n) return true;
    float *d = acc_range(s, t, o->v[0], n, false);
    const float *a = d ? acc_range(s, t, o->v[1], n, true) : NULL,
                *b = a ? acc_range(s, t, o->v[2], n, true) : NULL;
    if (!b) return false;
    for (uint64_t i = 0; s->values && i < n; i++) {
        float v = a[i] + b[i];
        if (!slx_f32_finite(v))
            return slx_fault_set(s, SLX_FAULT_NONFINITE, "sum of cell %llu", (unsigned long long)i);
        d[i] = v;
    }
    acc_mark(t, o->v[0], n, 1);
    retired(s, t, o->v[0], n);
    return true;
}

static bool out(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t m = slx_pair_x(o->v[2]), n = slx_pair_y(o->v[2]);
    uint64_t ld = o->v[3];
    unsigned elem = o->f0 == SLX_OUTFMT_bf16 ? 2 : 4;
    float c = slx_f32_from((uint32_t)o->v[4]);
    if (!m || !n) return true;
    const float *acc = acc_range(s, t, o->v[1], (uint64_t)m * n, true);
    uint8_t *d = acc ? slx_spm_write(s, t, o->v[0], m, (uint64_t)n * elem, ld, elem) : NULL;
    if (!d) return false;
    if (s->counts) s->counts->spm_write_bytes += (uint64_t)m * n * elem;
    for (uint32_t i = 0; s->values && i < m; i++)
        for (uint32_t j = 0; j < n; j++) {
            float v = acc[(size_t)i * n + j];
            if (o->v[4]) v = v * c;
            if (!slx_f32_finite(v)) return slx_fault_set(s, SLX_FAULT_NONFINITE, "row %u, column %u", i, j);
            uint32_t bits = slx_f32_bits(v);
            uint16_t half = elem == 2 ? slx_f32_to_bf16(v) : 0;
            memcpy(d + i * ld + (uint64_t)j * elem, elem == 2 ? (const void *)&half : &bits, elem);
        }
    s->out_dst = o->v[0];
    s->out_bytes = m == 1 || ld == (uint64_t)n * elem ? (uint64_t)m * n * elem : (uint64_t)n * elem;
    s->out_ptr = d;
    return true;
}

bool slx_exec_ten(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    switch (o->op) {
    case SLX_OP_MM: return product(s, t, o);
    case SLX_OP_AADD: return add(s, t, o);
    case SLX_OP_AOUT: return out(s, t, o);
    }
    SLX_BUG("TEN opcode 0x%02x", o->op);
}
