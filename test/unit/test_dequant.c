/* test_dequant.c - slx_dequant bit for bit against vectors of another implementation (gguf-py), and by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"

static size_t base64(uint8_t *out, const char *s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int have = 0;
    size_t n = 0;
    for (; *s && *s != '='; s++) {
        bits = bits << 6 | (uint32_t)(strchr(digits, *s) - digits);
        have += 6;
        if (have >= 8) out[n++] = (uint8_t)(bits >> (have -= 8));
    }
    return n;
}

static void vectors(void **state)
{
    (void)state;
    FILE *f = fopen("test/vectors/quant/dequant_cases.jsonl", "r");
    assert_non_null(f);
    char *line = NULL;
    size_t cap = 0;
    int cases = 0;
    while (getline(&line, &cap, f) > 0) {
        json_error_t e;
        json_t *o = json_loads(line, 0, &e);
        assert_non_null(o);
        uint32_t type = (uint32_t)json_integer_value(json_object_get(o, "ggml_type")), elems, bytes;
        assert_true(slx_tensor_type_info(type, &elems, &bytes));
        assert_string_equal(slx_tensor_type_name(type),
                            json_string_value(json_object_get(o, "type")));
        assert_int_equal(elems, json_integer_value(json_object_get(o, "block_elems")));
        assert_int_equal(bytes, json_integer_value(json_object_get(o, "block_bytes")));
        const char *raw64 = json_string_value(json_object_get(o, "raw_b64"));
        const char *want64 = json_string_value(json_object_get(o, "f32_le_b64"));
        uint8_t *raw = malloc(strlen(raw64) + 1), *want = malloc(strlen(want64) + 1);
        size_t n = base64(want, want64) / 4;
        assert_int_equal(base64(raw, raw64), n / elems * bytes);
        float *got = malloc(n * sizeof *got);
        assert_true(slx_dequant(type, raw, got, n));
        for (size_t i = 0; i < n; i++)
            if (memcmp(got + i, want + 4 * i, 4))
                fail_msg("case %d, %s, element %zu: %a", cases, slx_tensor_type_name(type), i,
                         (double)got[i]);
        free(raw);
        free(want);
        free(got);
        json_decref(o);
        cases++;
    }
    free(line);
    fclose(f);
    assert_int_equal(cases, 96);
}

/* All 65536 half-precision values against the definition of binary16. */
static void half(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        int e = (int)(h >> 10 & 31), m = (int)(h & 1023);
        double v = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
        if (h & 0x8000) v = -v;
        float got = slx_f16_to_f32((uint16_t)h);
        if (isnan(v))
            assert_true(isnan(got));
        else
            assert_true((double)got == v && !signbit(got) == !(h & 0x8000));
    }
}

/* Both ends of MXFP4's scale, which the vectors leave out: code 2 is the element 1.0, so y = 2^(e-127). */
static void mxfp4_ends(void **state)
{
    (void)state;
    float y[32];
    for (int e = 0; e < 256; e++) {
        uint8_t block[17] = {(uint8_t)e};
        memset(block + 1, 0x22, 16);
        assert_true(slx_dequant(SLX_T_MXFP4, block, y, 32));
        for (int i = 0; i < 32; i++)
            if (e == 255)
                assert_true(isnan(y[i]));
            else
                assert_true((double)y[i] == ldexp(1, e - 127));
    }
}

static void types_without_floats(void **state)
{
    (void)state;
    float y[256];
    uint8_t block[512] = {0};
    uint32_t elems, bytes;
    assert_false(slx_dequant(SLX_T_Q8_K, block, y, 256));
    assert_false(slx_dequant(SLX_T_I32, block, y, 1));
    assert_false(slx_dequant(SLX_T_IQ2_XXS, block, y, 256));
    assert_false(slx_dequant(4, block, y, 32));
    assert_false(slx_tensor_type_info(4, &elems, &bytes));
    assert_null(slx_tensor_type_name(1000));
}

/* A count that ends inside a block writes exactly that many values. */
static void part_of_a_block(void **state)
{
    (void)state;
    uint8_t block[68] = {0, 0x3c};
    for (int i = 0; i < 32; i++) block[2 + i] = (uint8_t)i, block[36 + i] = (uint8_t)(100 + i);
    block[35] = 0x3c;
    float y[40];
    for (int i = 0; i < 40; i++) y[i] = -1;
    assert_true(slx_dequant(SLX_T_Q8_0, block, y, 35));
    assert_true(y[31] == 31 && y[32] == 100 && y[34] == 102 && y[35] == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),         cmocka_unit_test(half),
        cmocka_unit_test(mxfp4_ends),      cmocka_unit_test(types_without_floats),
        cmocka_unit_test(part_of_a_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
