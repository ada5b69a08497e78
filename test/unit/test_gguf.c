/* test_gguf.c - the GGUF container: what is read, what is refused and with which words, and that no damaged file does
 * harm. Files are built by test/gguf_make.h, which writes the format apart from the reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gguf_make.h"
#include "model/model_int.h"

/* ------------------------------------------------------------------ help */

/* Parses b from a block of exactly its size, so that ASan sees one byte too far. */
static slx_status parse(const slx_buf *b, slx_gguf **g, slx_err *err, uint8_t **copy)
{
    *copy = malloc(b->len ? b->len : 1);
    if (b->len) memcpy(*copy, b->ptr, b->len);
    return slx_gguf_parse(g, *copy, b->len, "t.gguf", err);
}

/* Finishes m, expects status and every part of `words` (separated by |) in the message. */
static void refuse_bytes(slx_buf *b, slx_status status, const char *words)
{
    slx_gguf *g;
    slx_err err;
    uint8_t *copy;
    memset(&err, 0, sizeof err);
    slx_status s = parse(b, &g, &err, &copy);
    if (s != status) fail_msg("status %d for '%s': %s", (int)s, words, err.msg);
    assert_null(g);
    assert_string_equal(err.file, "t.gguf");
    char all[512];
    snprintf(all, sizeof all, "%s", words);
    for (char *w = strtok(all, "|"); w; w = strtok(NULL, "|"))
        if (!strstr(err.msg, w)) fail_msg("'%s' is not in: %s", w, err.msg);
    free(copy);
    slx_buf_free(b);
}

static void refuse(slx_gm *m, slx_status status, const char *words)
{
    slx_buf b = {0};
    slx_gm_finish(m, &b);
    refuse_bytes(&b, status, words);
}

static void small_file(slx_gm *m)
{
    static const char *const names[3] = {"a", "", "ccc"};
    float x[40];
    for (int i = 0; i < 40; i++) x[i] = (float)i;
    slx_gm_str(m, "general.architecture", "llama");
    slx_gm_u32(m, "x.u32", 4000000000u);
    slx_gm_f32(m, "x.f32", 0.25f);
    slx_gm_bool(m, "x.bool", true);
    slx_gm_strs(m, "x.names", names, 3);
    slx_gm_array(m, "x.i16", 3, 2);
    slx_buf_add(&m->kv, "\xff\xff\x02\x01", 4);
    slx_gm_key(m, "x.u64", 10);
    slx_gm_u64_to(&m->kv, 1ull << 40);
    slx_gm_key(m, "x.i8", 1);
    slx_buf_addc(&m->kv, (char)-5);
    slx_gm_key(m, "x.f64", 12);
    slx_gm_u64_to(&m->kv, 0x3ff8000000000000ull);
    slx_gm_tensor(m, "first", 5, 2, SLX_T_F32, x, 40);
    slx_gm_tensor(m, "second", 3, 0, SLX_T_F32, x + 10, 12);
}

/* ------------------------------------------------------------------ what is read */

static void read_back(uint32_t version)
{
    slx_gm m = {.version = version};
    slx_buf b = {0};
    slx_gguf *g;
    slx_err err;
    uint8_t *copy;
    small_file(&m);
    slx_gm_finish(&m, &b);
    assert_int_equal(parse(&b, &g, &err, &copy), SLX_OK);

    uint32_t u = 0;
    float f = 0;
    bool yes = false;
    slx_str s;
    assert_true(slx_gguf_str(g, "general.architecture", &s) && slx_str_is(s, "llama"));
    assert_false(slx_gguf_str(g, "x.u32", &s));
    assert_int_equal(slx_gguf_u32(g, "x.u32", &u, &err), SLX_OK);
    assert_int_equal(u, 4000000000u);
    assert_int_equal(slx_gguf_f32(g, "x.f32", &f, &err), SLX_OK);
    assert_true(f == 0.25f);
    assert_int_equal(slx_gguf_f32(g, "x.f64", &f, &err), SLX_OK);
    assert_true(f == 1.5f);
    assert_int_equal(slx_gguf_bool(g, "x.bool", &yes, &err), SLX_OK);
    assert_true(yes);
    assert_null(slx_gguf_get(g, "x.none"));

    assert_int_equal(slx_gguf_u32(g, "x.none", &u, &err), SLX_EINPUT);
    assert_string_equal(err.msg, "key 'x.none': not found, expected an integer");
    assert_int_equal(slx_gguf_u32(g, "x.f32", &u, &err), SLX_EINPUT);
    assert_string_equal(err.msg, "key 'x.f32': found type f32, expected an integer");
    assert_int_equal(slx_gguf_u32(g, "x.i8", &u, &err), SLX_EINPUT);
    assert_string_equal(err.msg, "key 'x.i8': found -5, expected 0 to 4294967295");
    assert_int_equal(slx_gguf_u32(g, "x.u64", &u, &err), SLX_EINPUT);
    assert_int_equal(slx_gguf_u32(g, "x.i16", &u, &err), SLX_EINPUT);
    assert_string_equal(err.msg, "key 'x.i16': found type array, expected an integer");

    int64_t x = 0;
    const slx_gguf_value *v = slx_gguf_get(g, "x.i16");
    assert_true(v && v->n == 2 && slx_gguf_int_at(v, 0, &x) && x == -1);
    assert_true(slx_gguf_int_at(v, 1, &x) && x == 258);
    assert_false(slx_gguf_int_at(v, 2, &x));
    v = slx_gguf_get(g, "x.names");
    uint64_t i = 0;
    const uint8_t *at = NULL;
    assert_true(slx_gguf_next_str(v, &i, &at, &s) && slx_str_is(s, "a"));
    assert_true(slx_gguf_next_str(v, &i, &at, &s) && s.len == 0);
    assert_true(slx_gguf_next_str(v, &i, &at, &s) && slx_str_is(s, "ccc"));
    assert_false(slx_gguf_next_str(v, &i, &at, &s));

    assert_int_equal(slx_gguf_tensor_count(g), 2);
    const slx_tensor *t = slx_gguf_find(g, "second");
    assert_ptr_equal(t, slx_gguf_tensor(g, 1));
    assert_true(t->n_dims == 1 && t->ne[0] == 3 && t->ne[1] == 1 && t->bytes == 12);
    memcpy(&f, t->data + 8, 4);
    assert_true(f == 12.0f);
    t = slx_gguf_find(g, "first");
    assert_true(t->n_dims == 2 && t->ne[0] == 5 && t->ne[1] == 2 && t->bytes == 40 &&
                t->row_bytes == 20);
    assert_null(slx_gguf_find(g, "third"));
    slx_gguf_close(g);
    free(copy);
    slx_buf_free(&b);
}

static void read_v3(void **state)
{
    (void)state;
    read_back(3);
}
static void read_v2(void **state)
{
    (void)state;
    read_back(2);
}

/* Tens of thousands of keys and tensors: seconds would mean that lookups scan. */
static void many(void **state)
{
    (void)state;
    slx_gm m = {0};
    slx_buf b = {0};
    slx_gguf *g;
    uint8_t *copy, x[4] = {0};
    char name[32];
    for (uint32_t i = 0; i < 40000; i++) {
        snprintf(name, sizeof name, "k%u", i);
        slx_gm_u32(&m, name, i);
        slx_gm_tensor(&m, name, 1, 0, SLX_T_F32, x, 4);
    }
    slx_gm_finish(&m, &b);
    double t0 = slx_now_s();
    assert_int_equal(parse(&b, &g, NULL, &copy), SLX_OK);
    for (uint32_t i = 0; i < 40000; i += 7) {
        uint32_t u;
        snprintf(name, sizeof name, "k%u", i);
        assert_int_equal(slx_gguf_u32(g, name, &u, NULL), SLX_OK);
        assert_int_equal(u, i);
        assert_string_equal(slx_gguf_find(g, name)->name, name);
    }
    assert_true(slx_now_s() - t0 < 2.0);
    slx_gguf_close(g);
    free(copy);
    slx_buf_free(&b);
}

static void other_alignment(void **state)
{
    (void)state;
    slx_gm m = {.align = 256};
    slx_buf b = {0};
    slx_gguf *g;
    uint8_t *copy, x[4] = {1, 2, 3, 4};
    slx_gm_u32(&m, "general.alignment", 256);
    slx_gm_tensor(&m, "a", 4, 0, SLX_T_I8, x, 4);
    slx_gm_tensor(&m, "b", 4, 0, SLX_T_I8, x, 4);
    slx_gm_finish(&m, &b);
    assert_int_equal(parse(&b, &g, NULL, &copy), SLX_OK);
    assert_ptr_equal(slx_gguf_find(g, "a")->data, copy + 256);
    assert_ptr_equal(slx_gguf_find(g, "b")->data, copy + 512);
    slx_gguf_close(g);
    free(copy);
    slx_buf_free(&b);
}

/* ------------------------------------------------------------------ what is refused */

static void bad_start(void **state)
{
    (void)state;
    slx_buf b = {0};
    refuse_bytes(&b, SLX_EINPUT, "expected a GGUF file");
    slx_buf_add(&b, "GGML\3\0\0\0", 8);
    refuse_bytes(&b, SLX_EINPUT, "found 'GGML'|expected a GGUF file");
    slx_buf_add(&b, "GGUF\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24);
    refuse_bytes(&b, SLX_EUNSUPPORTED, "big-endian");
    slx_buf_add(&b, "GGUF\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24);
    refuse_bytes(&b, SLX_EUNSUPPORTED, "version 1|expected 2 or 3");
    slx_buf_add(&b, "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\x7f", 24);
    refuse_bytes(&b, SLX_EINPUT, "9223372036854775807 keys|24 bytes");
    slx_buf_add(&b, "GGUF\3\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0", 24);
    refuse_bytes(&b, SLX_EINPUT, "18446744073709551615 tensors");
}

static void bad_keys(void **state)
{
    (void)state;
    slx_gm m = {0};
    slx_gm_u32(&m, "twice", 1);
    slx_gm_u32(&m, "twice", 1);
    refuse(&m, SLX_EINPUT, "key 'twice'|found twice");
    slx_gm_u32(&m, "", 1);
    refuse(&m, SLX_EINPUT, "key at byte 24|length of 0");
    slx_gm_u32(&m, "bad\xff", 1);
    refuse(&m, SLX_EINPUT, "'bad\\xFF'|UTF-8");
    slx_gm_key(&m, "odd", 13);
    slx_gm_u64_to(&m.kv, 0);
    refuse(&m, SLX_EINPUT, "key 'odd'|value type 13|0 to 12");
    slx_gm_array(&m, "nested", 9, 0);
    refuse(&m, SLX_EUNSUPPORTED, "key 'nested'|element type 9");
    slx_gm_array(&m, "long", 12, 1ull << 61);
    refuse(&m, SLX_EINPUT, "key 'long'|2305843009213693952 f64 values");
    slx_gm_array(&m, "strs", 8, UINT64_MAX);
    slx_gm_u64_to(&m.kv, 3);
    refuse(&m, SLX_EINPUT, "strs|expected 3");
    slx_gm_key(&m, "str", 8);
    slx_gm_u64_to(&m.kv, UINT64_MAX);
    refuse(&m, SLX_EINPUT, "str at byte|expected 18446744073709551615");
    slx_gm_key(&m, "flag", 7);
    slx_buf_addc(&m.kv, 2);
    refuse(&m, SLX_EINPUT, "key 'flag'|bool of value 2");
    slx_gm_u32(&m, "general.alignment", 48);
    refuse(&m, SLX_EINPUT, "general.alignment|found 48|power of two");
    slx_gm_u32(&m, "general.alignment", 4);
    refuse(&m, SLX_EINPUT, "general.alignment|found 4|at least 8");
    slx_gm_str(&m, "general.alignment", "32");
    refuse(&m, SLX_EINPUT, "general.alignment|type string|expected u32");
}

static void one_entry(slx_gm *m, uint32_t n_dims, uint64_t ne0, uint64_t ne1, uint32_t type,
                      uint64_t offset)
{
    uint64_t ne[8] = {ne0, ne1, 1, 1, 1, 1, 1, 1};
    slx_gm_entry(m, "w", n_dims, ne, type, offset);
    slx_gm_pad(&m->data, 32);
    for (int i = 0; i < 64; i++) slx_buf_addc(&m->data, 0);
}

static void bad_tensors(void **state)
{
    (void)state;
    slx_gm m = {0};
    one_entry(&m, 0, 1, 1, SLX_T_F32, 0);
    refuse(&m, SLX_EINPUT, "tensor 'w'|0 dimensions|1 to 4");
    one_entry(&m, 5, 1, 1, SLX_T_F32, 0);
    refuse(&m, SLX_EINPUT, "tensor 'w'|5 dimensions");
    one_entry(&m, 2, 0, 1, SLX_T_F32, 0);
    refuse(&m, SLX_EINPUT, "tensor 'w'|[0, 1, 1, 1]|none zero");
    one_entry(&m, 2, 1ull << 32, 1ull << 32, SLX_T_F32, 0);
    refuse(&m, SLX_EINPUT, "tensor 'w'|below 2^64");
    one_entry(&m, 2, 1ull << 31, 1ull << 32, SLX_T_F32, 0);
    refuse(&m, SLX_EINPUT, "tensor 'w'|above 2^64 bytes");
    one_entry(&m, 1, 16, 1, 4, 0);
    refuse(&m, SLX_EUNSUPPORTED, "tensor 'w'|storage type 4");
    one_entry(&m, 1, 48, 1, SLX_T_Q4_0, 0);
    refuse(&m, SLX_EINPUT, "tensor 'w'|rows of 48|multiple of 32 for Q4_0");
    one_entry(&m, 1, 1, 1, SLX_T_F32, 8);
    refuse(&m, SLX_EINPUT, "tensor 'w'|offset 8|alignment 32");
    one_entry(&m, 1, 17, 1, SLX_T_F32, 0);
    refuse(&m, SLX_EINPUT, "tensor 'w'|68 bytes|only 64");
    one_entry(&m, 1, 1, 1, SLX_T_F32, UINT64_MAX - 31);
    refuse(&m, SLX_EINPUT, "tensor 'w'|offset 18446744073709551584");
    one_entry(&m, 1, 1, 1, SLX_T_F32, 0);
    one_entry(&m, 1, 1, 1, SLX_T_F32, 32);
    refuse(&m, SLX_EINPUT, "tensor 'w'|found twice");

    uint64_t ne[1] = {9};
    float x[9] = {0};
    slx_gm_tensor(&m, "a", 9, 0, SLX_T_F32, x, sizeof x);
    slx_gm_entry(&m, "b", 1, ne, SLX_T_F32, 32);
    slx_gm_pad(&m.data, 128);
    refuse(&m, SLX_EINPUT, "tensor 'b'|offset 32|inside tensor 'a'");
}

static void no_file(void **state)
{
    (void)state;
    slx_gguf *g;
    slx_err err;
    assert_int_equal(slx_gguf_open(&g, "test/none.gguf", &err), SLX_EIO);
    assert_null(g);
    assert_string_equal(err.file, "test/none.gguf");
}

/* ------------------------------------------------------------------ damage */

/* Reads everything that was promised to lie inside the bytes. */
static uint64_t touch(const slx_gguf *g)
{
    uint64_t sum = 0;
    for (int i = 0; i < slx_gguf_tensor_count(g); i++) {
        const slx_tensor *t = slx_gguf_tensor(g, i);
        for (uint64_t j = 0; j < t->bytes; j++) sum += t->data[j];
    }
    return sum;
}

static void cut_anywhere(void **state)
{
    (void)state;
    slx_gm m = {0};
    slx_buf b = {0};
    small_file(&m);
    slx_gm_finish(&m, &b);
    for (size_t n = 0; n < b.len; n++) {
        slx_buf part = {.ptr = b.ptr, .len = n, .cap = 0};
        slx_gguf *g;
        slx_err err;
        uint8_t *copy;
        memset(&err, 0, sizeof err);
        assert_int_equal(parse(&part, &g, &err, &copy),
                         SLX_EINPUT); /* the last tensor ends with the file */
        assert_true(err.msg[0] != 0);
        free(copy);
    }
    slx_buf_free(&b);
}

static void flip_any_bit(void **state)
{
    (void)state;
    slx_gm m = {0};
    slx_buf b = {0};
    int refused = 0;
    small_file(&m);
    slx_gm_finish(&m, &b);
    for (size_t bit = 0; bit < 8 * b.len; bit++) {
        slx_gguf *g;
        slx_err err;
        uint8_t *copy;
        b.ptr[bit / 8] = (char)(b.ptr[bit / 8] ^ 1 << bit % 8);
        if (parse(&b, &g, &err, &copy) == SLX_OK)
            touch(g);
        else
            refused++;
        slx_gguf_close(g);
        free(copy);
        b.ptr[bit / 8] = (char)(b.ptr[bit / 8] ^ 1 << bit % 8);
    }
    assert_true(refused > 500); /* most bits of lengths, counts, types and offsets matter */
    slx_buf_free(&b);
}

static void random_words(void **state)
{
    (void)state;
    slx_gm m = {0};
    slx_buf b = {0};
    slx_rng r = {99};
    static const uint64_t nasty[] = {0,          1,          0x7fffffff, 0x80000000,
                                     0xffffffff, 1ull << 32, 1ull << 62, UINT64_MAX};
    small_file(&m);
    slx_gm_finish(&m, &b);
    for (int round = 0; round < 4000; round++) {
        slx_buf c = {0};
        slx_gguf *g;
        uint8_t *copy;
        slx_buf_add(&c, b.ptr, b.len);
        for (int k = 0; k < 2; k++) {
            size_t at = 8 + slx_rng_below(&r, (uint32_t)c.len - 16);
            memcpy(c.ptr + at, &nasty[slx_rng_below(&r, 8)], slx_rng_below(&r, 2) ? 4 : 8);
        }
        if (parse(&c, &g, NULL, &copy) == SLX_OK) touch(g);
        slx_gguf_close(g);
        free(copy);
        slx_buf_free(&c);
    }
    slx_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_v3),      cmocka_unit_test(read_v2),
        cmocka_unit_test(many),         cmocka_unit_test(other_alignment),
        cmocka_unit_test(bad_start),    cmocka_unit_test(bad_keys),
        cmocka_unit_test(bad_tensors),  cmocka_unit_test(no_file),
        cmocka_unit_test(cut_anywhere), cmocka_unit_test(flip_any_bit),
        cmocka_unit_test(random_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
