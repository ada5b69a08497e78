/* Weights as the ISA holds them against the file's values: blocks taken over keep them exactly, everything else is
 * MXINT8 of them. The reading of ISA blocks below is written from chip.md 4.1, apart from the importer. */
#include "compile/import.h"
#include "gguf_make.h"
#include "num/num.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

static char path[64];

static slx_model *open_model(uint32_t type)
{
    struct slx_test_model_spec s = {.d_model = 96,
                                    .d_ff = 64,
                                    .n_heads = 2,
                                    .head_dim = 48,
                                    .vocab = 40,
                                    .t_embd = type,
                                    .t_qkv = type,
                                    .t_gate_up = type,
                                    .seed = 11};
    slx_err err = {0};
    slx_model *m;
    snprintf(path, sizeof path, "/tmp/slx-import-%d.gguf", (int)getpid());
    assert_true(slx_test_write_model(path, &s));
    if (slx_model_open(&m, path, &err) != SLX_OK) fail_msg("%s", err.msg);
    return m;
}

static void done(slx_model *m)
{
    slx_model_close(m);
    unlink(path);
}

static double pow2(int e)
{
    return ldexp(1.0, e);
}

/* Element k of a row; fp16 planes where the format has them. */
static double value(uint32_t fmt, const uint8_t *codes, const void *scales, const uint16_t *mm,
                    uint32_t k)
{
    const uint16_t *d = scales;
    const uint8_t *s = scales;
    uint32_t b = k / 32;
    unsigned nib = k % 2 ? codes[k / 2] >> 4 : codes[k / 2] & 15u;
    switch (fmt) {
    case SLX_FMT_q4sm: return (double)slx_f16_to_f32(d[b]) * nib + (double)slx_f16_to_f32(mm[b]);
    case SLX_FMT_q4s: return (double)slx_f16_to_f32(d[b]) * ((double)nib - 8);
    case SLX_FMT_q8s: return (double)slx_f16_to_f32(d[b]) * (int8_t)codes[k];
    case SLX_FMT_mxfp4: {
        static const double e2m1[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
        return s[b] ? (nib & 8 ? -1 : 1) * e2m1[nib & 7] * pow2(s[b] - 127) : 0;
    }
    default: return s[b] ? (int8_t)codes[k] * pow2(s[b] - 133) : 0;
    }
}

static slx_weight weight(const slx_tensor *t, uint32_t fmt)
{
    slx_weight w = {
        .layout = SLX_LAYOUT_SLICES, .fmt = fmt, .k = (uint32_t)t->ne[0], .n = (uint32_t)t->ne[1]};
    snprintf(w.tensor, sizeof w.tensor, "%s", t->name);
    w.n_pad = (w.n + 31) / 32 * 32;
    w.kblk = (w.k + 31) / 32;
    w.ns = 32;
    w.pieces = 1;
    return w;
}

static void check_native(uint32_t type, uint32_t fmt)
{
    slx_model *m = open_model(type);
    const slx_tensor *t = m->layers[0].w_gate;
    slx_weight w = weight(t, fmt);
    slx_err err = {0};
    uint8_t codes[2 * 3 * 32];
    uint16_t scales[2 * 3], mm[2 * 3];
    float want[96];
    for (uint32_t r = 0; r + 1 < w.n; r += 2) {
        assert_int_equal(slx_import_rows(m, &w, SLX_ALONE, r, 2, codes, scales,
                                         fmt == SLX_FMT_q4sm ? mm : NULL, &err),
                         SLX_OK);
        for (uint32_t i = 0; i < 2; i++) {
            assert_true(slx_dequant(t->type, t->data + (r + i) * t->row_bytes, want, 96));
            for (uint32_t k = 0; k < 96; k++)
                assert_true(want[k] ==
                            (float)value(fmt, codes + i * 3 * slx_fmt_code_bytes(fmt),
                                         (const uint8_t *)scales + i * 3 * slx_fmt_scale_bytes(fmt),
                                         mm + i * 3, k));
        }
    }
    done(m);
}

static void test_native(void **state)
{
    (void)state;
    check_native(SLX_T_Q4_1, SLX_FMT_q4sm);
    check_native(SLX_T_Q4_0, SLX_FMT_q4s);
    check_native(SLX_T_Q8_0, SLX_FMT_q8s);
    check_native(SLX_T_MXFP4, SLX_FMT_mxfp4);
}

/* To MXINT8: at most half a step of the block's scale away, rows behind the last and columns behind K are zero. */
static void test_mxint8(void **state)
{
    (void)state;
    const uint32_t types[] = {SLX_T_F16, SLX_T_F32, SLX_T_BF16, SLX_T_Q4_1, SLX_T_Q8_0};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        slx_model *m = open_model(types[i]);
        const slx_tensor *t = m->tok_embd;
        slx_weight w = weight(t, SLX_FMT_mxint8);
        slx_err err = {0};
        uint8_t codes[96], scales[3];
        float want[96];
        for (uint32_t r = 0; r < w.n_pad; r++) {
            assert_int_equal(slx_import_rows(m, &w, SLX_ALONE, r, 1, codes, scales, NULL, &err),
                             SLX_OK);
            memset(want, 0, sizeof want);
            if (r < w.n) assert_true(slx_dequant(t->type, t->data + r * t->row_bytes, want, 96));
            for (uint32_t k = 0; k < 96; k++) {
                double step = scales[k / 32] ? pow2(scales[k / 32] - 133) : 0;
                assert_true(fabs(value(w.fmt, codes, scales, NULL, k) - (double)want[k]) <=
                            step / 2);
                if (r >= w.n) assert_true(codes[k] == 0 && scales[k / 32] == 0);
            }
        }
        done(m);
    }
}

/* Slices woven over stacks: a granule of 256 bytes is on stack (its number mod ways). A slice is on one stack from end
 * to end, stacks have as many slices but for one, neighbours are on one stack or on stacks that are neighbours round
 * the chip, and no two slices share a byte. */
static void test_woven(void **state)
{
    (void)state;
    static const uint32_t round6[] = {0, 2, 4, 5, 3, 1}; /* left edge down, right edge up */
    for (uint64_t n = 1; n < 70; n++) {
        slx_slices l = {n, 3 * 256, 6, 256};
        uint64_t all = slx_slices_bytes(&l), count[6] = {0}, before = 0;
        uint8_t *used = slx_xcalloc(all / 256, 1);
        for (uint64_t s = 0; s < n; s++) {
            uint64_t at = slx_slices_at(&l, s), stack = at / 256 % 6, turn = 0;
            while (round6[turn] != stack) turn++;
            assert_true(turn >= before && (s == 0 || n < 6 || turn <= before + 1));
            before = turn;
            count[stack]++;
            assert_int_equal(at % 256, 0);
            for (uint64_t i = 0; i < 3; i++) {
                assert_true(at + i * 6 * 256 + 256 <= all);
                assert_int_equal(used[at / 256 + i * 6]++, 0);
            }
        }
        for (int i = 0; i < 6; i++) assert_true(count[i] == n / 6 || count[i] == n / 6 + 1);
        free(used);
    }
}

/* A woven image holds the slices of one that is not, each piece padded to whole granules. */
static void test_woven_image(void **state)
{
    (void)state;
    slx_model *m = open_model(SLX_T_Q4_1);
    slx_weight w = weight(m->layers[0].wq, SLX_FMT_q4sm);
    slx_err err = {0};
    size_t os, om, part[2] = {slx_btile_bytes(w.fmt, 32, 1, &os, &om), slx_btile_bytes(w.fmt, 32, 2, &os, &om)};
    w.pieces = 2;
    uint32_t n = w.n_pad / 32;
    uint8_t *flat = slx_xcalloc(n, part[0] + part[1]);
    assert_int_equal(slx_import_image(m, &w, SLX_ALONE, flat, &err), SLX_OK);
    w.ways = 2, w.grain = 256;
    slx_slices l = {n, 768 + 1280, w.ways, w.grain}; /* 640 and 1280 bytes in whole granules */
    assert_int_equal(part[0], 640);
    assert_int_equal(part[1], 1280);
    uint8_t *woven = slx_xcalloc(slx_slices_bytes(&l), 1);
    assert_int_equal(slx_import_image(m, &w, SLX_ALONE, woven, &err), SLX_OK);
    for (uint32_t s = 0; s < n; s++)
        for (size_t i = 0; i < 1920; i++) {
            size_t at = i < 640 ? i : 768 + i - 640;
            assert_int_equal(woven[slx_slices_at(&l, s) + at / 256 * 512 + at % 256], flat[s * 1920 + i]);
        }
    free(flat);
    free(woven);
    done(m);
}

/* The image of a matrix in slices and pieces: block b of row r lies in the piece that holds b. */
static void test_image(void **state)
{
    (void)state;
    slx_model *m = open_model(SLX_T_Q4_1);
    const slx_tensor *t = m->layers[0].wq;
    slx_weight w = weight(t, SLX_FMT_q4sm);
    slx_err err = {0};
    w.pieces = 2; /* 3 blocks: cut at 1 */
    assert_int_equal(slx_tree_cut(3, 2, 1), 1);
    size_t os, om, first = slx_btile_bytes(w.fmt, 32, 1, &os, &om),
                   second = slx_btile_bytes(w.fmt, 32, 2, &os, &om);
    assert_int_equal(first, 32 * 16 + 64 + 64);
    assert_int_equal(second, 32 * 32 + 128 + 128);
    w.bytes = (first + second) * (w.n_pad / 32);
    uint8_t *image = slx_xmalloc(w.bytes);
    assert_int_equal(slx_import_image(m, &w, SLX_ALONE, image, &err), SLX_OK);
    float want[96];
    for (uint32_t r = 0; r < w.n; r++) {
        assert_true(slx_dequant(t->type, t->data + r * t->row_bytes, want, 96));
        const uint8_t *slice = image + r / 32 * (first + second);
        uint32_t i = r % 32;
        for (uint32_t k = 0; k < 96; k++) {
            const uint8_t *piece = k < 32 ? slice : slice + first;
            uint32_t nb = k < 32 ? 1 : 2, at = k < 32 ? k : k - 32;
            const uint16_t *d = (const uint16_t *)(const void *)(piece + 32 * nb * 16) + i * nb;
            const uint16_t *mm = (const uint16_t *)(const void *)(piece + 32 * nb * 18) + i * nb;
            assert_true(want[k] == (float)value(w.fmt, piece + i * nb * 16, d, mm, at));
        }
    }
    free(image);
    done(m);
}

/* What a chip of several has: runs and turns of rows (40 of them, 3 chips a turn of 8: rows 0-7 to chip 0, 8-15 to
 * chip 1, ..), columns (96, 3 chips: a block each), elements of a vector. */
static void test_shares(void **state)
{
    (void)state;
    slx_err err = {0};
    for (int native = 0; native < 2; native++) {
        slx_model *m = open_model(native ? SLX_T_Q8_0 : SLX_T_BF16);
        const slx_tensor *t = m->tok_embd;
        unsigned fmt = native ? SLX_FMT_q8s : SLX_FMT_mxint8;
        slx_weight whole = weight(t, fmt), turns = whole, cols = whole;
        uint8_t want[3 * 32], got[3 * 32];
        uint16_t ws[3], gs[3];
        size_t sb = slx_fmt_scale_bytes(fmt);
        assert_true(t->ne[0] == 96 && t->ne[1] == 40);
        turns.n = 16, turns.shard_rows = 8;
        cols.k = 32, cols.kblk = 1, cols.shard_k = 1;
        for (uint32_t rank = 0; rank < 3; rank++)
            for (uint32_t i = 0; i < 40; i++) {
                slx_rank at = {rank, 3};
                if (i < 32) { /* 16 rows, and padding */
                    uint32_t row = i < 16 ? (i / 8 * 3 + rank) * 8 + i % 8 : 40;
                    assert_int_equal(slx_import_rows(m, &turns, at, i, 1, got, gs, NULL, &err),
                                     SLX_OK);
                    memset(want, 0, sizeof want), memset(ws, 0, sizeof ws);
                    if (row < 40)
                        assert_int_equal(
                            slx_import_rows(m, &whole, SLX_ALONE, row, 1, want, ws, NULL, &err),
                            SLX_OK);
                    assert_memory_equal(got, want, sizeof got);
                    assert_memory_equal(gs, ws, 3 * sb);
                }
                assert_int_equal(slx_import_rows(m, &whole, SLX_ALONE, i, 1, want, ws, NULL, &err),
                                 SLX_OK);
                assert_int_equal(slx_import_rows(m, &cols, at, i, 1, got, gs, NULL, &err), SLX_OK);
                assert_memory_equal(got, want + 32 * rank, 32);
                assert_memory_equal(gs, (const uint8_t *)(const void *)ws + sb * rank, sb);
            }
        /* shares that are not the tensor's: a turn too few, a turn too many, columns of four chips */
        slx_weight bad[] = {turns, turns, cols};
        bad[0].n = 8, bad[1].n = 24;
        for (int b = 0; b < 3; b++)
            assert_int_equal(slx_import_rows(m, &bad[b], (slx_rank){0, b == 2 ? 4 : 3}, 0, 1, got,
                                             gs, NULL, &err),
                             SLX_EINPUT);
        slx_weight v = {
            .layout = SLX_LAYOUT_VECTOR, .fmt = SLX_FMT_f32, .n = 1, .k = 48, .shard_rows = 16};
        float all[96], part[48];
        const slx_tensor *norm = m->output_norm;
        snprintf(v.tensor, sizeof v.tensor, "%s", norm->name);
        assert_true(slx_dequant(norm->type, norm->data, all, 96));
        for (uint32_t rank = 0; rank < 2; rank++) {
            assert_int_equal(slx_import_vector(m, &v, (slx_rank){rank, 2}, part, &err), SLX_OK);
            for (uint32_t i = 0; i < 48; i++)
                assert_true(part[i] == all[(i / 16 * 2 + rank) * 16 + i % 16]);
        }
        done(m);
    }
}

static void test_errors(void **state)
{
    (void)state;
    slx_model *m = open_model(SLX_T_F16);
    slx_weight w = weight(m->tok_embd, SLX_FMT_q4s);
    slx_err err = {0};
    uint8_t codes[96];
    uint16_t scales[3];
    assert_int_equal(slx_import_rows(m, &w, SLX_ALONE, 0, 1, codes, scales, NULL, &err),
                     SLX_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "token_embd.weight"));
    w.fmt = SLX_FMT_mxint8;
    w.n = 41;
    assert_int_equal(slx_import_rows(m, &w, SLX_ALONE, 0, 1, codes, scales, NULL, &err),
                     SLX_EINPUT);
    w.n = 40;
    snprintf(w.tensor, sizeof w.tensor, "nothing");
    assert_int_equal(slx_import_rows(m, &w, SLX_ALONE, 0, 1, codes, scales, NULL, &err),
                     SLX_EINPUT);
    done(m);
}

/* An infinite weight is named by tensor and row. */
static void test_nonfinite(void **state)
{
    (void)state;
    struct slx_test_model_spec s = {.d_model = 64, .vocab = 40, .t_embd = SLX_T_F16, .seed = 3};
    slx_buf file = {0};
    slx_err err = {0};
    slx_model *m;
    slx_test_make_model(&file, &s);
    snprintf(path, sizeof path, "/tmp/slx-import-%d.gguf", (int)getpid());
    assert_int_equal(slx_write_file(path, file.ptr, file.len, NULL), SLX_OK);
    assert_int_equal(slx_model_open(&m, path, &err), SLX_OK);

    /* row 7, found by its content */
    const uint8_t *row = m->tok_embd->data + 7 * m->tok_embd->row_bytes;
    char *hit = memmem(file.ptr, file.len, row, 128);
    assert_non_null(hit);
    hit[2 * 5] = 0x00;
    hit[2 * 5 + 1] = 0x7c;
    slx_model_close(m);
    assert_int_equal(slx_write_file(path, file.ptr, file.len, NULL), SLX_OK);
    assert_int_equal(slx_model_open(&m, path, &err), SLX_OK);
    slx_weight w = weight(m->tok_embd, SLX_FMT_mxint8);
    uint8_t codes[40 * 64], scales[40 * 2];
    assert_int_equal(slx_import_rows(m, &w, SLX_ALONE, 0, 40, codes, scales, NULL, &err),
                     SLX_EINPUT);
    assert_non_null(strstr(err.msg, "row 7"));
    slx_buf_free(&file);
    done(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_native), cmocka_unit_test(test_mxint8),
        cmocka_unit_test(test_image), cmocka_unit_test(test_woven),
        cmocka_unit_test(test_woven_image),  cmocka_unit_test(test_errors),
        cmocka_unit_test(test_shares), cmocka_unit_test(test_nonfinite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
