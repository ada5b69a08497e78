/* exec_vec.c - VEC: fp32 rows, quantisation, attention chunks, selection. Every value comes from num's definitions.
 *
 * fp32 matrices lie in rows of C values; the row stride is the instruction's field in units of 64 bytes, or,
 * where the field is 0, the row's bytes rounded up to 64. MX code planes have rows of ld blocks of 32
 * bytes, scale planes [R][ld]. */
#include "func/func_int.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    uint32_t d, a, b;
} strides; /* raw 10-bit fields */

/* IEEE square root (one instruction, correctly rounded). */
static float root(float x)
{
    return __builtin_sqrtf(x);
}

/* 2^(code - 133), the value of one step of an MXINT8 element; exact, subnormal below code 7. */
static float step_of(uint8_t code)
{
    return code >= 7 ? slx_f32_from((uint32_t)(code - 6) << 23) : slx_f32_from(UINT32_C(1) << (code + 16));
}

static float ceiling(float x)
{
    if (x >= 8388608.0f || x <= -8388608.0f) return x; /* already an integer */
    float n = slx_rne_int(x);
    return (n < x ? n + 1.0f : n) + 0.0f;
}

static strides fields(uint64_t v)
{
    return (strides){v & 1023, v >> 10 & 1023, v >> 20 & 1023};
}
static uint64_t row64(uint64_t bytes)
{
    return (bytes + 63) & ~63ull;
}
static uint64_t stride_f32(uint32_t field, uint32_t cols)
{
    return field ? field * 64ull : row64(cols * 4ull);
}

static const float *in_rows(slx_strict *s, slx_tile *t, uint64_t addr, uint32_t rows, uint32_t cols,
                            uint64_t stride)
{
    if (s->counts) s->counts->spm_read_bytes += (uint64_t)rows * cols * 4;
    return (const float *)(const void *)slx_spm_read(s, t, addr, rows, cols * 4ull, stride, 4);
}

static float *out_rows(slx_strict *s, slx_tile *t, uint64_t addr, uint32_t rows, uint32_t cols,
                       uint64_t stride)
{
    if (s->counts) s->counts->spm_write_bytes += (uint64_t)rows * cols * 4;
    float *p = (float *)(void *)slx_spm_write(s, t, addr, rows, cols * 4ull, stride, 4);
    s->out_dst = addr;
    s->out_bytes = rows == 1 || stride == cols * 4ull ? (uint64_t)rows * cols * 4 : cols * 4ull;
    s->out_ptr = p;
    return p;
}

static const float *row_of(const float *p, uint64_t r, uint64_t stride)
{
    return (const float *)(const void *)((const uint8_t *)p + r * stride);
}
static float *row_to(float *p, uint64_t r, uint64_t stride)
{
    return (float *)(void *)((uint8_t *)p + r * stride);
}

static bool finite_or_fault(slx_strict *s, float v, uint32_t r, uint32_t c)
{
    return slx_f32_finite(v) || slx_fault_set(s, SLX_FAULT_NONFINITE, "row %u, column %u", r, c);
}

static bool binary(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t rows = slx_pair_x(o->v[3]), cols = slx_pair_y(o->v[3]);
    strides f = fields(o->v[4]);
    uint64_t sd = stride_f32(f.d, cols), sa = stride_f32(f.a, cols), sb = stride_f32(f.b, cols);
    uint32_t brows = o->f1 == SLX_BCAST_full ? rows : 1, bcols = cols;
    if (!rows || !cols) return true;
    if (o->f1 == SLX_BCAST_col) bcols = rows;
    if (o->f1 == SLX_BCAST_scalar) bcols = 1;
    const float *a = in_rows(s, t, o->v[1], rows, cols, sa);
    const float *b = a ? in_rows(s, t, o->v[2], brows, bcols, sb) : NULL;
    float *d = b ? out_rows(s, t, o->v[0], rows, cols, sd) : NULL;
    if (!d) return false;
    for (uint32_t r = 0; s->values && r < rows; r++)
        for (uint32_t c = 0; c < cols; c++) {
            float x = row_of(a, r, sa)[c], y, v;
            switch (o->f1) {
            case SLX_BCAST_full: y = row_of(b, r, sb)[c]; break;
            case SLX_BCAST_row: y = b[c]; break;
            case SLX_BCAST_col: y = b[r]; break;
            default: y = b[0];
            }
            switch (o->f0) {
            case SLX_BINFN_add: v = x + y; break;
            case SLX_BINFN_sub: v = x - y; break;
            case SLX_BINFN_mul: v = x * y; break;
            case SLX_BINFN_div:
                if (y == 0) return slx_fault_set(s, SLX_FAULT_DIVIDE, "row %u, column %u", r, c);
                v = x / y;
                break;
            case SLX_BINFN_max: v = (x >= y ? x : y) + 0.0f; break;
            default: v = (x <= y ? x : y) + 0.0f;
            }
            if (!finite_or_fault(s, v, r, c)) return false;
            row_to(d, r, sd)[c] = v;
        }
    return true;
}

static bool multiply_add(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t rows = slx_pair_x(o->v[4]), cols = slx_pair_y(o->v[4]);
    uint64_t st = row64(cols * 4ull);
    if (!rows || !cols) return true;
    const float *a = in_rows(s, t, o->v[1], rows, cols, st),
                *b = a ? in_rows(s, t, o->v[2], rows, cols, st) : NULL;
    const float *c = b ? in_rows(s, t, o->v[3], rows, cols, st) : NULL;
    float *d = c ? out_rows(s, t, o->v[0], rows, cols, st) : NULL;
    if (!d) return false;
    for (uint32_t r = 0; s->values && r < rows; r++)
        for (uint32_t i = 0; i < cols; i++) {
            float v = slx_fma(row_of(a, r, st)[i], row_of(b, r, st)[i], row_of(c, r, st)[i]);
            if (!finite_or_fault(s, v, r, i)) return false;
            row_to(d, r, st)[i] = v;
        }
    return true;
}

static bool unary(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t rows = slx_pair_x(o->v[2]), cols = slx_pair_y(o->v[2]);
    strides f = fields(o->v[3]);
    uint64_t sd = stride_f32(f.d, cols), sa = stride_f32(f.a, cols);
    if (!rows || !cols) return true;
    bool fill = o->f0 == SLX_UNFN_fill;
    float e = slx_f32_from((uint32_t)o->v[4]);
    const float *a = fill ? NULL : in_rows(s, t, o->v[1], rows, cols, sa);
    float *d = fill || a ? out_rows(s, t, o->v[0], rows, cols, sd) : NULL;
    if (!d) return false;
    for (uint32_t r = 0; s->values && r < rows; r++)
        for (uint32_t c = 0; c < cols; c++) {
            float x = fill ? e : row_of(a, r, sa)[c], v = x;
            bool ok = true;
            switch (o->f0) {
            case SLX_UNFN_copy:
            case SLX_UNFN_fill: break;
            case SLX_UNFN_neg: v = -x; break;
            case SLX_UNFN_abs: v = slx_f32_from(slx_f32_bits(x) & 0x7fffffff); break;
            case SLX_UNFN_sqrt: ok = x >= 0, v = ok ? root(x) : 0; break;
            case SLX_UNFN_rcp: ok = x != 0, v = ok ? 1.0f / x : 0; break;
            case SLX_UNFN_exp: ok = slx_exp(x, &v); break;
            case SLX_UNFN_exp2: ok = slx_exp2(x, &v); break;
            case SLX_UNFN_sigmoid: ok = slx_sigmoid(x, &v); break;
            case SLX_UNFN_silu: ok = slx_silu(x, &v); break;
            case SLX_UNFN_gelu: ok = slx_gelu(x, &v); break;
            case SLX_UNFN_tanh: ok = slx_tanh(x, &v); break;
            case SLX_UNFN_ceil: v = ceiling(x); break;
            default: SLX_BUG("VUN function %u", o->f0);
            }
            if (!ok)
                return slx_fault_set(s, o->f0 == SLX_UNFN_rcp ? SLX_FAULT_DIVIDE : SLX_FAULT_EXP2,
                                     "row %u, column %u", r, c);
            if (!finite_or_fault(s, v, r, c)) return false;
            row_to(d, r, sd)[c] = v;
        }
    return true;
}

static bool reduce(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t rows = slx_pair_x(o->v[2]), cols = slx_pair_y(o->v[2]);
    uint64_t sa = stride_f32(fields(o->v[3]).a, cols);
    if (!rows || !cols) return true;
    const float *a = in_rows(s, t, o->v[1], rows, cols, sa);
    float *d = a ? out_rows(s, t, o->v[0], 1, rows, rows * 4ull) : NULL;
    if (!d) return false;
    for (uint32_t r = 0; s->values && r < rows; r++) {
        const float *x = row_of(a, r, sa);
        bool ok = true;
        switch (o->f0) {
        case SLX_REDFN_sum: ok = slx_row_sum(x, cols, &d[r]); break;
        case SLX_REDFN_sumsq: ok = slx_row_sumsq(x, cols, &d[r]); break;
        case SLX_REDFN_max: d[r] = slx_row_max(x, cols); break;
        case SLX_REDFN_amax: d[r] = slx_row_amax(x, cols); break;
        default: {
            uint32_t i = slx_row_argmax(x, cols);
            memcpy(&d[r], &i, 4);
        }
        }
        if (!ok) return slx_fault_set(s, SLX_FAULT_NONFINITE, "row %u", r);
    }
    return true;
}

static bool norm(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t rows = slx_pair_x(o->v[4]), cols = slx_pair_y(o->v[4]);
    strides f = fields(o->v[5]);
    uint64_t sd = stride_f32(f.d, cols), sa = stride_f32(f.a, cols);
    if (!rows || !cols) return true;
    const float *a = in_rows(s, t, o->v[1], rows, cols, sa),
                *w = a ? in_rows(s, t, o->v[2], 1, cols, cols * 4ull) : NULL;
    float *d = w ? out_rows(s, t, o->v[0], rows, cols, sd) : NULL;
    if (!d) return false;
    bool layer = o->f0 == SLX_NRMFN_layer;
    float eps = slx_f32_from((uint32_t)o->v[3]);
    for (uint32_t r = 0; s->values && r < rows; r++) {
        const float *x = row_of(a, r, sa);
        float *y = row_to(d, r, sd);
        if (!(layer ? slx_layernorm(x, w, eps, cols, y) : slx_rmsnorm(x, w, eps, cols, y)))
            return slx_fault_set(s, SLX_FAULT_NONFINITE, "row %u", r);
    }
    return true;
}

static bool rotate(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t rows = slx_pair_x(o->v[3]), cols = slx_pair_y(o->v[3]);
    uint32_t h = slx_pair_x(o->v[4]), n_rot = slx_pair_y(o->v[4]);
    strides f = fields(o->v[5]);
    uint64_t sd = stride_f32(f.d, cols), sa = stride_f32(f.a, cols);
    if (!rows || !cols) return true;
    if (!h || n_rot > cols || n_rot % 2)
        return slx_fault_set(s, SLX_FAULT_ADDRESS, "(H, n_rot) = (%u, %u) with %u columns", h, n_rot, cols);
    uint32_t table_rows = (rows + h - 1) / h;
    const float *a = in_rows(s, t, o->v[1], rows, cols, sa);
    const float *tab = a ? in_rows(s, t, o->v[2], 1, table_rows * n_rot, 0) : NULL;
    float *d = tab ? out_rows(s, t, o->v[0], rows, cols, sd) : NULL;
    if (!d) return false;
    for (uint32_t r = 0; s->values && r < rows; r++)
        if (!slx_rope_row(row_of(a, r, sa), tab + (size_t)(r / h) * n_rot, cols, n_rot,
                          o->f0 == SLX_ROTFN_interleaved, row_to(d, r, sd)))
            return slx_fault_set(s, SLX_FAULT_NONFINITE, "row %u", r);
    return true;
}

static bool quantise(slx_strict *s, slx_tile *t, const slx_operands *o, uint32_t rows, uint32_t cols,
                     strides f)
{
    uint32_t nb = (cols + 31) / 32, ld = f.d ? f.d : nb;
    bool row = o->flags & SLX_F_ROW, col = o->flags & SLX_F_COL;
    uint64_t sa = stride_f32(f.a, cols);
    const float *a = in_rows(s, t, o->v[2], rows, cols, sa);
    const uint8_t *cs = a && col ? slx_spm_read(s, t, o->v[3], 1, cols, 0, 1) : NULL;
    if (!a || (col && !cs)) return false;
    int8_t *q = (int8_t *)slx_spm_write(s, t, o->v[0], rows, nb * 32ull, ld * 32ull, 32);
    uint8_t *qs = q ? slx_spm_write(s, t, o->v[1], rows, row ? 1 : nb, row ? 1 : ld, 1) : NULL;
    if (!qs) return false;
    float *x = slx_xmalloc(cols * sizeof *x);
    for (uint32_t r = 0; s->values && r < rows; r++) {
        const float *src = row_of(a, r, sa);
        bool ok = true;
        for (uint32_t c = 0; c < cols; c++) {
            float v = src[c];
            if (col) v = v * step_of(cs[c]);
            ok = ok && slx_f32_finite(v);
            x[c] = v;
        }
        int8_t *qr = q + (size_t)r * ld * 32;
        if (row) {
            memset(qr + cols, 0, nb * 32 - cols);
            ok = ok && slx_quantise_mxint8(x, cols, qr, qs + r);
        } else {
            ok = ok && slx_quantise_row(x, cols, qr, qs + (size_t)r * ld);
        }
        if (!ok) {
            free(x);
            return slx_fault_set(s, SLX_FAULT_SCALE, "row %u", r);
        }
    }
    free(x);
    s->out_dst = o->v[0];
    s->out_bytes = nb * 32ull;
    s->out_ptr = q;
    return true;
}

static bool dequantise(slx_strict *s, slx_tile *t, const slx_operands *o, uint32_t rows, uint32_t cols,
                       strides f)
{
    uint32_t nb = (cols + 31) / 32, ld = f.a ? f.a : nb;
    unsigned cb = slx_fmt_code_bytes(o->f1), sb = slx_fmt_scale_bytes(o->f1);
    uint64_t sd = stride_f32(f.d, cols), plane = row64((uint64_t)rows * ld * sb);
    const uint8_t *q = slx_spm_read(s, t, o->v[2], rows, (uint64_t)nb * cb, (uint64_t)ld * cb, 16);
    const uint8_t *qs =
        q ? slx_spm_read(s, t, o->v[3], rows, (uint64_t)nb * sb, (uint64_t)ld * sb, sb) : NULL;
    const uint8_t *qm = NULL;
    if (qs && o->f1 == SLX_FMT_q4sm &&
        !(qm = slx_spm_read(s, t, o->v[3] + plane, rows, nb * 2ull, ld * 2ull, 2)))
        return false;
    float *d = qs ? out_rows(s, t, o->v[0], rows, cols, sd) : NULL;
    if (!d) return false;
    for (uint32_t r = 0; s->values && r < rows; r++)
        if (!slx_block_values(o->f1, q + (size_t)r * ld * cb, qs + (size_t)r * ld * sb,
                              qm ? qm + r * ld * 2ull : NULL, cols, row_to(d, r, sd)))
            return slx_fault_set(s, SLX_FAULT_NONFINITE, "row %u", r);
    return true;
}

static bool convert(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t rows = slx_pair_x(o->v[4]), cols = slx_pair_y(o->v[4]);
    if (!rows || !cols) return true;
    return o->f0 == SLX_FMT_f32 ? dequantise(s, t, o, rows, cols, fields(o->v[5]))
                                : quantise(s, t, o, rows, cols, fields(o->v[5]));
}

static bool admit(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t rows = slx_pair_x(o->v[3]), cols = slx_pair_y(o->v[3]), words = (cols + 31) / 32;
    strides f = fields(o->v[5]);
    uint64_t sd = stride_f32(f.d, cols), sa = stride_f32(f.a, cols);
    bool range = o->f0 == SLX_SELFN_range;
    if (!rows || !cols) return true;
    const float *a = in_rows(s, t, o->v[1], rows, cols, sa);
    const uint8_t *lim =
        a ? slx_spm_read(s, t, o->v[2], 1, (uint64_t)rows * (range ? 8 : words * 4), 0, 4) : NULL;
    float *d = lim ? out_rows(s, t, o->v[0], rows, cols, sd) : NULL;
    if (!d) return false;
    for (uint32_t r = 0; s->values && r < rows; r++)
        for (uint32_t c = 0; c < cols; c++) {
            uint32_t w[2];
            bool in;
            if (range) {
                memcpy(w, lim + r * 8ull, 8);
                in = c >= w[0] && c < w[1];
            } else {
                memcpy(w, lim + ((uint64_t)r * words + c / 32) * 4, 4);
                in = w[0] >> (c % 32) & 1;
            }
            float v = in ? row_of(a, r, sa)[c] : slx_f32_from((uint32_t)o->v[4]);
            if (!finite_or_fault(s, v, r, c)) return false;
            row_to(d, r, sd)[c] = v;
        }
    return true;
}

static bool softmax(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t rows = slx_pair_x(o->v[4]), cols = slx_pair_y(o->v[4]);
    uint64_t st = row64(cols * 4ull), pos = o->v[5];
    if (!rows || !cols) return true;
    if (cols > SLX_MAX_CHUNK)
        return slx_fault_set(s, SLX_FAULT_ADDRESS, "%u columns, at most %d", cols, SLX_MAX_CHUNK);
    uint32_t entries = (rows + o->f1 - 1) / o->f1;
    const float *x = in_rows(s, t, o->v[2], rows, cols, st);
    const uint8_t *lim = x ? slx_spm_read(s, t, o->v[3], 1, entries * 8ull, 0, 4) : NULL;
    float *p = lim ? out_rows(s, t, o->v[0], rows, cols, st) : NULL;
    uint8_t *state = p ? slx_spm_write(s, t, o->v[1], 1, rows * 8ull, 0, 4) : NULL;
    if (!state) return false;
    for (uint32_t r = 0; s->values && r < rows; r++) {
        uint32_t w[2];
        slx_attn_state a;
        memcpy(w, lim + r / o->f1 * 8ull, 8);
        uint32_t lo = w[0] <= pos ? 0 : w[0] - pos < cols ? (uint32_t)(w[0] - pos) : cols;
        uint32_t hi = w[1] <= pos ? 0 : w[1] - pos < cols ? (uint32_t)(w[1] - pos) : cols;
        if (!slx_softmax_chunk(row_of(x, r, st), cols, lo, hi, row_to(p, r, st), &a))
            return slx_fault_set(s, SLX_FAULT_EXP2, "row %u", r);
        memcpy(state + r * 8ull, &a, 8);
    }
    return true;
}

static bool merge(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t rows = slx_pair_x(o->v[4]), d = slx_pair_y(o->v[4]);
    uint64_t st = row64(d * 4ull);
    if (!rows || !d) return true;
    bool empty = o->f0 == SLX_MRGFN_empty, two = o->f0 == SLX_MRGFN_merge;
    if (!empty &&
        (!slx_spm_read(s, t, o->v[0], 1, rows * 8ull, 0, 4) || !in_rows(s, t, o->v[1], rows, d, st)))
        return false;
    const uint8_t *s2 = two ? slx_spm_read(s, t, o->v[2], 1, rows * 8ull, 0, 4) : NULL;
    const float *o2 = two && s2 ? in_rows(s, t, o->v[3], rows, d, st) : NULL;
    if (two && !o2) return false;
    uint8_t *s1 = slx_spm_write(s, t, o->v[0], 1, rows * 8ull, 0, 4);
    float *o1 = s1 ? out_rows(s, t, o->v[1], rows, d, st) : NULL;
    if (!o1) return false;
    for (uint32_t r = 0; s->values && r < rows; r++) {
        slx_attn_state a, b;
        bool ok = true;
        memcpy(&a, s1 + r * 8ull, 8);
        if (two) memcpy(&b, s2 + r * 8ull, 8);
        if (empty)
            slx_attn_empty(&a, row_to(o1, r, st), d);
        else if (two)
            ok = slx_attn_merge(&a, row_to(o1, r, st), &b, row_of(o2, r, st), d);
        else
            ok = slx_attn_final(&a, row_to(o1, r, st), d);
        if (!ok) return slx_fault_set(s, SLX_FAULT_NONFINITE, "row %u", r);
        memcpy(s1 + r * 8ull, &a, 8);
    }
    return true;
}

static bool top_k(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t rows = slx_pair_x(o->v[3]), cols = slx_pair_y(o->v[3]), k = (uint32_t)o->v[4];
    uint64_t sa = row64(cols * 4ull), sk = row64(k * 4ull);
    if (!rows || !cols || !k) return true;
    if (o->v[4] > SLX_MAX_CANDIDATES)
        return slx_fault_set(s, SLX_FAULT_ADDRESS, "k = %llu, at most %d", (unsigned long long)o->v[4],
                             SLX_MAX_CANDIDATES);
    const float *a = in_rows(s, t, o->v[2], rows, cols, sa);
    uint8_t *idx = a ? slx_spm_write(s, t, o->v[1], rows, k * 4ull, sk, 4) : NULL;
    float *val = idx ? out_rows(s, t, o->v[0], rows, k, sk) : NULL;
    if (!val) return false;
    for (uint32_t r = 0; s->values && r < rows; r++)
        slx_topk(row_of(a, r, sa), cols, k, (uint32_t)o->v[5], row_to(val, r, sk),
                 (uint32_t *)(void *)(idx + r * sk));
    return true;
}

static bool sample(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t rows = slx_pair_x(o->v[4]), n = slx_pair_y(o->v[4]);
    uint64_t st = row64(n * 4ull);
    if (!rows || !n) return true;
    if (n > SLX_MAX_CANDIDATES)
        return slx_fault_set(s, SLX_FAULT_ADDRESS, "%u candidates, at most %d", n, SLX_MAX_CANDIDATES);
    const float *val = in_rows(s, t, o->v[1], rows, n, st);
    const uint8_t *idx = val ? slx_spm_read(s, t, o->v[2], rows, n * 4ull, st, 4) : NULL;
    const uint8_t *par = idx ? slx_spm_read(s, t, o->v[3], 1, rows * 32ull, 0, 4) : NULL;
    uint8_t *out = par ? slx_spm_write(s, t, o->v[0], 1, rows * 4ull, 0, 4) : NULL;
    if (!out) return false;
    for (uint32_t r = 0; s->values && r < rows; r++) {
        struct {
            uint64_t seed;
            uint32_t stream, position, top_k;
            float c, top_p, min_p;
        } w;
        uint32_t chosen;
        memcpy(&w, par + r * 32ull, 32);
        slx_sample_params p = {w.seed, w.stream, w.position, w.top_k, w.c, w.top_p, w.min_p};
        if (!slx_sample(row_of(val, r, st), n, &p, &chosen))
            return slx_fault_set(s, SLX_FAULT_EXP2, "row %u", r);
        memcpy(out + r * 4ull, idx + r * st + chosen * 4ull, 4);
    }
    return true;
}

static bool transpose(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint32_t rows = slx_pair_x(o->v[2]), cols = slx_pair_y(o->v[2]);
    unsigned e = o->f0;
    uint64_t sa = row64((uint64_t)cols * e), sd = row64((uint64_t)rows * e);
    if (!rows || !cols) return true;
    const uint8_t *a = slx_spm_read(s, t, o->v[1], rows, (uint64_t)cols * e, sa, e);
    uint8_t *d = a ? slx_spm_write(s, t, o->v[0], cols, (uint64_t)rows * e, sd, e) : NULL;
    if (!d) return false;
    for (uint32_t r = 0; s->values && r < rows; r++)
        for (uint32_t c = 0; c < cols; c++)
            memcpy(d + c * sd + (uint64_t)r * e, a + r * sa + (uint64_t)c * e, e);
    return true;
}

static bool gather(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    uint64_t count = o->v[3], bytes = o->v[4], rows = o->v[5];
    if (!count || !bytes) return true;
    const uint8_t *idx = slx_spm_read(s, t, o->v[2], 1, count * 4, 0, 4);
    uint8_t *d = idx ? slx_spm_write(s, t, o->v[0], 1, count * bytes, 0, 1) : NULL;
    if (!d) return false;
    for (uint64_t i = 0; s->values && i < count; i++) {
        uint32_t k;
        memcpy(&k, idx + 4 * i, 4);
        if (k >= rows)
            return slx_fault_set(s, SLX_FAULT_ADDRESS, "row %u of %llu", k, (unsigned long long)rows);
        const uint8_t *a = slx_spm_read(s, t, o->v[1] + k * bytes, 1, bytes, 0, 1);
        if (!a) return false;
        memmove(d + i * bytes, a, bytes);
    }
    return true;
}

bool slx_exec_vec(slx_strict *s, slx_tile *t, const slx_operands *o)
{
    switch (o->op) {
    case SLX_OP_VBIN: return binary(s, t, o);
    case SLX_OP_VFMA: return multiply_add(s, t, o);
    case SLX_OP_VUN: return unary(s, t, o);
    case SLX_OP_VRED: return reduce(s, t, o);
    case SLX_OP_VNRM: return norm(s, t, o);
    case SLX_OP_VROT: return rotate(s, t, o);
    case SLX_OP_VCVT: return convert(s, t, o);
    case SLX_OP_VSEL: return admit(s, t, o);
    case SLX_OP_VSMX: return softmax(s, t, o);
    case SLX_OP_VMRG: return merge(s, t, o);
    case SLX_OP_VTOPK: return top_k(s, t, o);
    case SLX_OP_VSAMP: return sample(s, t, o);
    case SLX_OP_VTRN: return transpose(s, t, o);
    case SLX_OP_VGAT: return gather(s, t, o);
    }
    SLX_BUG("VEC opcode 0x%02x", o->op);
}
