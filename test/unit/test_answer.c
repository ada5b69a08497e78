/* test_answer.c - text of an answer as it is made: stop strings across tokens, what is held back, whole characters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "gguf_make.h"
#include "run/answer.h"

static slx_model *model;

static int open_model(void **state)
{
    (void)state;
    static const struct slx_test_model_spec spec = {.n_layers = 1,
                                                    .d_model = 32,
                                                    .d_ff = 32,
                                                    .n_heads = 1,
                                                    .n_kv_heads = 1,
                                                    .vocab = 288,
                                                    .context = 64,
                                                    .tied = true,
                                                    .tokenizer = true,
                                                    .seed = 3};
    char path[] = "/tmp/silex-answer-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0) return 1;
    close(fd);
    bool ok = slx_test_write_model(path, &spec) && slx_model_open(&model, path, NULL) == SLX_OK;
    unlink(path);
    return !ok;
}

static int close_model(void **state)
{
    (void)state;
    slx_model_close(model);
    return 0;
}

/* The answer to text given token by token (a token a byte where the vocabulary has no more). what comes out, and
 * whether a stop string ended it. */
static bool give(const char *text, size_t len, const char *const *stops, uint32_t n, slx_buf *out)
{
    slx_str s[SLX_MAX_STOPS];
    slx_buf ids = {0};
    for (uint32_t i = 0; i < n; i++) s[i] = slx_str_c(stops[i]);
    slx_answer a = {.tok = model->tok, .stops = s, .n_stops = n};
    bool stopped = false;
    assert_int_equal(slx_tokenize(model->tok, text, len, false, &ids, NULL), SLX_OK);
    for (size_t i = 0; i < ids.len / 4 && !stopped; i++)
        stopped = slx_answer_add(&a, ((const uint32_t *)(const void *)ids.ptr)[i], out);
    if (!stopped) slx_answer_end(&a, out);
    slx_answer_free(&a);
    slx_buf_free(&ids);
    return stopped;
}

static void check(const char *text, const char *const *stops, uint32_t n, const char *want,
                  bool stops_it)
{
    slx_buf out = {0};
    bool stopped = give(text, strlen(text), stops, n, &out);
    slx_buf_addc(&out, 0);
    assert_string_equal(out.ptr, want);
    assert_int_equal(stopped, stops_it);
    slx_buf_free(&out);
}

static void stop_strings(void **state)
{
    (void)state;
    check("hello world", NULL, 0, "hello world", false);
    check("hello world", (const char *[]){"wor"}, 1, "hello ", true);
    check("hello world", (const char *[]){"worx", "ld"}, 2, "hello wor", true);
    check("hello world", (const char *[]){"world!"}, 1, "hello world",
          false);                                         /* held back, then given */
    check("aaab", (const char *[]){"aab"}, 1, "a", true); /* begins anew inside itself */
    check("abababc", (const char *[]){"ababc"}, 1, "ab", true);
    check("x", (const char *[]){"x"}, 1, "", true);
    check("one two", (const char *[]){"two", "ne t"}, 2, "o",
          true); /* the first in the text, not in the list */
}

/* Nothing that may still become a stop string goes out early. */
static void held_back(void **state)
{
    (void)state;
    slx_str stop = slx_str_c("END");
    slx_answer a = {.tok = model->tok, .stops = &stop, .n_stops = 1};
    slx_buf ids = {0}, out = {0};
    assert_int_equal(slx_tokenize(model->tok, "xEN", 3, false, &ids, NULL), SLX_OK);
    for (size_t i = 0; i < ids.len / 4; i++)
        assert_false(slx_answer_add(&a, ((const uint32_t *)(const void *)ids.ptr)[i], &out));
    assert_int_equal(out.len, 1);
    assert_memory_equal(out.ptr, "x", 1);
    slx_answer_end(&a, &out);
    assert_memory_equal(out.ptr, "xEN", 3);
    slx_answer_free(&a);
    slx_buf_free(&ids);
    slx_buf_free(&out);
}

static void whole_characters(void **state)
{
    (void)state;
    const char *text = "a\xe2\x82\xac\xf0\x9f\x98\x80z"; /* a, euro sign, a face, z */
    slx_buf ids = {0}, out = {0};
    slx_answer a = {.tok = model->tok};
    assert_int_equal(slx_tokenize(model->tok, text, strlen(text), false, &ids, NULL), SLX_OK);
    for (size_t i = 0; i < ids.len / 4; i++) {
        slx_answer_add(&a, ((const uint32_t *)(const void *)ids.ptr)[i], &out);
        assert_true(slx_utf8_valid(out.ptr, out.len));
    }
    slx_answer_end(&a, &out);
    assert_int_equal(out.len, strlen(text));
    assert_memory_equal(out.ptr, text, out.len);
    slx_answer_free(&a);
    slx_buf_free(&ids);
    slx_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stop_strings),
        cmocka_unit_test(held_back),
        cmocka_unit_test(whole_characters),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
