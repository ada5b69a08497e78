/* import.c - tensors of the model file as the bytes the ISA reads.
 *
 *   GGUF block of 4 bits: 16 bytes, element i and i+16 in the nibbles of byte i
 *   ISA block of 4 bits:  16 bytes, element 2i and 2i+1 in the nibbles of byte i
 * Native blocks keep their codes and scales: their values are the file's values exactly. Everything else goes through
 * float and MXINT8.
 */
#include "compile/import.h"

#include "num/num.h"

#include <stdlib.h>
#include <string.h>

/* Row (of a vector: element) of the tensor that is number i of the chip's; the tensor may end before it. */
static uint64_t sharded(const slx_weight *w, slx_rank at, uint64_t i)
{
    if (!w->shard_rows) return i;
    return (i / w->shard_rows * at.chips + at.rank) * w->shard_rows + i % w->shard_rows;
}

/* Whether `found` is what chips with `own` rows each divide. */
static bool divides(const slx_weight *w, slx_rank at, uint64_t own, uint64_t found)
{
    uint64_t all = own * at.chips, round = (uint64_t)w->shard_rows * at.chips;
    return w->shard_rows ? found <= all && all - found < round : found == own;
}

static slx_status find(const slx_model *m, const slx_weight *w, slx_rank at, const slx_tensor **t,
                       slx_err *err)
{
    SLX_TRY(slx_model_need_values(m, err));
    *t = slx_model_tensor(m, w->tensor);
    if (!*t)
        return slx_fail(err, SLX_EINPUT, m->path, 0, 0,
                        "no tensor %s, which the program's recipe names", w->tensor);
    uint64_t rows = (*t)->n_dims > 1 ? (*t)->ne[1] : 1;
    bool vector = w->layout == SLX_LAYOUT_VECTOR;
    uint64_t k = w->k * (w->shard_k ? (uint64_t)at.chips : 1);
    if (vector ? rows != w->n || !divides(w, at, w->k, (*t)->ne[0])
               : (*t)->ne[0] != k || !divides(w, at, w->n, rows))
        return slx_fail(err, SLX_EINPUT, m->path, 0, 0,
                        "tensor %s is %llu x %llu, the program's recipe expects %u x %u", w->tensor,
                        (unsigned long long)(*t)->ne[0], (unsigned long long)rows, w->k, w->n);
    return SLX_OK;
}

static bool native(uint32_t type, uint32_t fmt)
{
    return (type == SLX_T_Q4_1 && fmt == SLX_FMT_q4sm) ||
           (type == SLX_T_Q4_0 && fmt == SLX_FMT_q4s) ||
           (type == SLX_T_Q8_0 && fmt == SLX_FMT_q8s) ||
           (type == SLX_T_MXFP4 && fmt == SLX_FMT_mxfp4);
}

static void nibbles(const uint8_t *qs, uint8_t *out)
{
    for (int i = 0; i < 8; i++) {
        uint8_t a = qs[2 * i], b = qs[2 * i + 1];
        out[i] = (uint8_t)((a & 15) | (b & 15) << 4);
        out[8 + i] = (uint8_t)(a >> 4 | (b & 0xf0));
    }
}

static uint16_t half_at(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}
static bool half_finite(uint16_t h)
{
    return (h & 0x7c00) != 0x7c00;
}

/* One row of MXFP4. A block without a value has scale code 0; else false when the code is outside [65, 190], where the
 * scale of every product is a normal number. */
static bool row_mxfp4(const uint8_t *src, uint32_t blocks, uint8_t *codes, uint8_t *scales)
{
    for (uint32_t b = 0; b < blocks; b++, src += 17, codes += 16) {
        uint8_t any = 0;
        nibbles(src + 1, codes);
        for (int i = 0; i < 16; i++) any |= codes[i] & 0x77;
        scales[b] = any ? src[0] : 0;
        if (any && (src[0] < 65 || src[0] > 190)) return false;
    }
    return true;
}

/* One row of native blocks; false when a scale is no number. */
static bool row_native(const slx_tensor *t, const uint8_t *src, uint32_t blocks, uint8_t *codes,
                       uint16_t *d, uint16_t *m)
{
    for (uint32_t b = 0; b < blocks; b++) {
        d[b] = half_at(src);
        bool ok = half_finite(d[b]);
        if (t->type == SLX_T_Q4_1) {
            m[b] = half_at(src + 2);
            ok = ok && half_finite(m[b]);
            nibbles(src + 4, codes + 16 * (size_t)b);
            src += 20;
        } else if (t->type == SLX_T_Q4_0) {
            nibbles(src + 2, codes + 16 * (size_t)b);
            src += 18;
        } else {
            memcpy(codes + 32 * (size_t)b, src + 2, 32);
            src += 34;
        }
        if (!ok) return false;
    }
    return true;
}

/* Columns k0 .. of a row; tmp: room for the tensor's, and a block more. */
static bool row_mxint8(const slx_tensor *t, const uint8_t *src, uint64_t k0, uint32_t k,
                       uint32_t kblk, uint8_t *codes, uint8_t *scales, float *tmp)
{
    if (!slx_dequant(t->type, src, tmp, (size_t)t->ne[0])) return false;
    tmp += k0;
    if (kblk * 32 > k) memset(tmp + k, 0, (kblk * 32 - k) * sizeof *tmp);
    for (uint32_t b = 0; b < kblk; b++)
        if (!slx_import_mxint8(tmp + 32 * (size_t)b, 32, (int8_t *)codes + 32 * (size_t)b,
                               scales + b))
            return false;
    return true;
}

slx_status slx_import_rows(const slx_model *m, const slx_weight *w, slx_rank at, uint32_t row0,
                           uint32_t n, uint8_t *codes, void *scales, uint16_t *mplane, slx_err *err)
{
    const slx_tensor *t;
    SLX_TRY(find(m, w, at, &t, err));
    size_t cb = (size_t)w->kblk * slx_fmt_code_bytes(w->fmt),
           sb = (size_t)w->kblk * slx_fmt_scale_bytes(w->fmt);
    bool as_is = native(t->type, w->fmt);
    if (!as_is && w->fmt != SLX_FMT_mxint8) {
        const char *type = slx_tensor_type_name(t->type);
        return slx_fail(err, SLX_EUNSUPPORTED, m->path, 0, 0,
                        "tensor %s is %s, it cannot become %s", w->tensor,
                        type ? type : "of an unknown type", slx_fn_name(SLX_FL_FMT, w->fmt));
    }
    float *tmp = as_is ? NULL : slx_xmalloc(((size_t)t->ne[0] + 32) * sizeof *tmp);
    uint64_t rows = t->n_dims > 1 ? t->ne[1] : 1, k0 = w->shard_k ? (uint64_t)at.rank * w->k : 0;
    uint64_t skip = as_is ? k0 / 32 * (t->row_bytes / ((t->ne[0] + 31) / 32)) : 0;
    slx_status st = SLX_OK;
    for (uint32_t i = 0; i < n && st == SLX_OK; i++) {
        uint64_t own = (uint64_t)row0 + i, r = own < w->n ? sharded(w, at, own) : rows;
        uint8_t *c = codes + i * cb, *s = (uint8_t *)scales + i * sb;
        uint16_t *mm = mplane ? mplane + (size_t)i * w->kblk : NULL;
        if (r >= rows) {
            memset(c, 0, cb);
            memset(s, 0, sb);
            if (mm) memset(mm, 0, w->kblk * sizeof *mm);
            continue;
        }
        const uint8_t *src = t->data + r * t->row_bytes;
        bool mx = w->fmt == SLX_FMT_mxfp4;
        bool ok = mx      ? row_mxfp4(src + skip, w->kblk, c, s)
                  : as_is ? row_native(t, src + skip, w->kblk, c, (uint16_t *)(void *)s, mm)
                          : row_mxint8(t, src, k0, w->k, w->kblk, c, s, tmp);
        if (!ok)
            st = slx_fail(err, SLX_EINPUT, m->path, 0, 0, "tensor %s, row %llu: a value is %s",
                          w->tensor, (unsigned long long)r,
                          mx      ? "out of the range of MXFP4 products"
                          : as_is ? "not finite"
                                  : "not finite or out of the range of MXINT8");
    }
    free(tmp);
    return st;
}

slx_status slx_import_vector(const slx_model *m, const slx_weight *w, slx_rank at, float *out,
                             slx_err *err)
{
    const slx_tensor *t;
    SLX_TRY(find(m, w, at, &t, err));
    size_t n = (size_t)w->n * w->k, cols = (size_t)t->ne[0];
    float *row = slx_xmalloc(cols * sizeof *row);
    bool ok = true;
    for (uint32_t r = 0; r < w->n && ok; r++) {
        ok = slx_dequant(t->type, t->data + r * t->row_bytes, row, cols);
        for (uint32_t i = 0; i < w->k && ok; i++) {
            uint64_t from = sharded(w, at, i);
            out[(size_t)r * w->k + i] = from < cols ? row[from] : 0;
        }
    }
    free(row);
    if (!ok) {
        const char *type = slx_tensor_type_name(t->type);
        return slx_fail(err, SLX_EUNSUPPORTED, m->path, 0, 0,
                        "tensor %s is %s, which has no reading as numbers", w->tensor,
                        type ? type : "of an unknown type");
    }
    for (size_t i = 0; i < n; i++)
        if (!slx_f32_finite(out[i]))
            return slx_fail(err, SLX_EINPUT, m->path, 0, 0, "tensor %s, element %zu: not finite",
                            w->tensor, i);
    return SLX_OK;
}

slx_weight slx_weight_whole(const slx_weight *w, const slx_tensor *t, uint32_t n_pad)
{
    slx_weight all = *w;
    all.k = (uint32_t)t->ne[0];
    all.n = t->n_dims > 1 ? (uint32_t)t->ne[1] : 1;
    all.n_pad = n_pad;
    all.kblk = (all.k + 31) / 32;
    all.shard_rows = all.shard_k = 0;
    return all;
}

/* ------------------------------------------------------------------ the image in HBM */

/* Columns [first, first+count) of a plane of rows, tight. */
static void copy_part(uint8_t *dst, const uint8_t *src, uint32_t rows, size_t row_bytes,
                      size_t first, size_t count)
{
    for (uint32_t r = 0; r < rows; r++) memcpy(dst + r * count, src + r * row_bytes + first, count);
}

/* A slice to where it lies in the matrix at `out`: whole, or a grain in each row of all ways. */
static void put_slice(uint8_t *out, const slx_slices *l, uint64_t s, const uint8_t *slice)
{
    uint64_t step = l->ways < 2 ? l->bytes : l->grain;
    out += slx_slices_at(l, s);
    for (uint64_t i = 0; i < l->bytes; i += step) memcpy(out + i * (l->ways < 2 ? 1 : l->ways), slice + i, step);
}

static slx_status image_slices(const slx_model *m, const slx_weight *w, slx_rank at, uint8_t *out,
                               slx_err *err)
{
    size_t c1 = slx_fmt_code_bytes(w->fmt), s1 = slx_fmt_scale_bytes(w->fmt), kblk = w->kblk;
    bool has_m = w->fmt == SLX_FMT_q4sm;
    uint8_t *codes = slx_xmalloc(w->ns * kblk * c1);
    uint16_t *scales = slx_xmalloc(w->ns * kblk * 2), *mm = slx_xmalloc(w->ns * kblk * 2);
    slx_slices l = {.n = w->n_pad / w->ns, .ways = w->ways, .grain = w->grain};
    for (uint32_t p = 0; p < w->pieces; p++)
        l.bytes += slx_piece_bytes(w->fmt, w->ns, slx_tree_cut(w->kblk, w->pieces, p + 1) -
                                                      slx_tree_cut(w->kblk, w->pieces, p), w->ways, w->grain);
    uint8_t *slice = slx_xcalloc(l.bytes, 1); /* what pads it stays zero */
    slx_status st = SLX_OK;
    for (uint32_t s = 0; s < l.n && st == SLX_OK; s++) {
        uint8_t *to = slice;
        st = slx_import_rows(m, w, at, s * w->ns, w->ns, codes, scales, has_m ? mm : NULL, err);
        for (uint32_t p = 0; p < w->pieces && st == SLX_OK; p++) {
            uint32_t lo = slx_tree_cut(w->kblk, w->pieces, p),
                     n = slx_tree_cut(w->kblk, w->pieces, p + 1) - lo;
            size_t off_s, off_m;
            slx_btile_bytes(w->fmt, w->ns, n, &off_s, &off_m);
            copy_part(to, codes, w->ns, kblk * c1, lo * c1, n * c1);
            copy_part(to + off_s, (const uint8_t *)scales, w->ns, kblk * s1, lo * s1, n * s1);
            if (has_m)
                copy_part(to + off_m, (const uint8_t *)mm, w->ns, kblk * 2, lo * 2ull, n * 2ull);
            to += slx_piece_bytes(w->fmt, w->ns, n, w->ways, w->grain);
        }
        if (st == SLX_OK) put_slice(out, &l, s, slice);
    }
    free(slice);
    free(codes);
    free(scales);
    free(mm);
    return st;
}

slx_status slx_import_image(const slx_model *m, const slx_weight *w, slx_rank at, uint8_t *out,
                            slx_err *err)
{
    switch (w->layout) {
    case SLX_LAYOUT_SLICES: return image_slices(m, w, at, out, err);
    case SLX_LAYOUT_PLANES:
        return slx_import_rows(m, w, at, 0, w->n_pad, out, out + w->off_scale,
                               w->off_m ? (uint16_t *)(void *)(out + w->off_m) : NULL, err);
    case SLX_LAYOUT_VECTOR: return slx_import_vector(m, w, at, (float *)(void *)out, err);
    }
    return slx_fail(err, SLX_EINPUT, m->path, 0, 0, "weight %s: layout %u is unknown", w->tensor,
                    w->layout);
}

void slx_import_rope(const slx_program *p, const slx_model *m, float *out)
{
    float *div = NULL;
    if (m->rope_freqs) {
        div = slx_xmalloc(p->info.n_rot / 2 * sizeof *div);
        if (!slx_dequant(m->rope_freqs->type, m->rope_freqs->data, div, p->info.n_rot / 2))
            SLX_BUG("rope_freqs type");
    }
    if (p->info.n_rot) slx_rope_table(0, p->info.max_context, (double)p->info.rope_base, p->info.n_rot, div, out);
    free(div);
}
