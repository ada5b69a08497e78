/* test_grammar.c - what a schema lets through: documents written by hand, taken or refused byte by byte; masks against
 * trying every token; random walks under the mask, whose documents must be JSON of the schema; refusals by name.
 * Calls of tools as each form writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <unistd.h>

#include <jansson.h>

#include "gguf_make.h"
#include "run/grammar.h"
#include "run/tools.h"

enum { VOCAB = 288 };
static slx_model *model;
static slx_token_bytes *tokens;

static int open_model(void **state)
{
    (void)state;
    static const struct slx_test_model_spec spec = {.n_layers = 1,
                                                    .d_model = 32,
                                                    .d_ff = 32,
                                                    .n_heads = 1,
                                                    .n_kv_heads = 1,
                                                    .vocab = VOCAB,
                                                    .context = 64,
                                                    .tied = true,
                                                    .tokenizer = true,
                                                    .seed = 3};
    char path[] = "/tmp/silex-grammar-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0) return 1;
    close(fd);
    bool ok = slx_test_write_model(path, &spec) && slx_model_open(&model, path, NULL) == SLX_OK;
    unlink(path);
    if (ok) tokens = slx_token_bytes_open(model->tok);
    return !ok;
}

static int close_model(void **state)
{
    (void)state;
    slx_token_bytes_close(tokens);
    slx_model_close(model);
    return 0;
}

static slx_grammar *grammar(const char *schema)
{
    slx_grammar *g = NULL;
    slx_err err = {0};
    slx_status st =
        slx_grammar_open(&g, tokens, schema, schema ? strlen(schema) : 0, NULL, NULL, &err);
    if (st != SLX_OK) fail_msg("%s: %s", schema, err.msg);
    return g;
}

/* All tokens of a text taken, and may it end there? */
static bool takes(slx_grammar *g, const char *text)
{
    slx_buf ids = {0};
    assert_int_equal(slx_tokenize(model->tok, text, strlen(text), false, &ids, NULL), SLX_OK);
    bool ok = true;
    for (size_t i = 0; i < ids.len / 4 && ok; i++)
        ok = slx_grammar_take(g, ((const uint32_t *)(const void *)ids.ptr)[i]);
    slx_buf_free(&ids);
    return ok && slx_grammar_complete(g);
}

static bool accepts(const char *schema, const char *text)
{
    slx_grammar *g = grammar(schema);
    bool ok = takes(g, text);
    slx_grammar_close(g);
    return ok;
}

#define PERSON                                                                                     \
    "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{\"type\":"       \
    "\"integer\"},"                                                                                \
    "\"tags\":{\"type\":\"array\",\"items\":{\"enum\":[\"a\",\"ab\",1,null]},\"maxItems\":2}},"    \
    "\"required\":[\"name\",\"tags\"],\"additionalProperties\":false}"
#define TREE                                                                                       \
    "{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"number\"},\"kids\":{\"type\":"         \
    "\"array\",\"items\":{\"$ref\":\"#\"}}},\"required\":[\"v\"]}"

static void documents(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *text;
        bool ok;
    } rows[] = {
        {PERSON, "{\"name\":\"x\",\"tags\":[]}", true},
        {PERSON, "{\"name\": \"x\", \"age\": -12, \"tags\": [\"a\", \"ab\"]}", true},
        {PERSON, "{\n  \"name\": \"\\u00e9\\n\",\n  \"tags\": [1, null]\n}", true},
        {PERSON, "{\"name\":\"\xc3\xa9\xf0\x9f\x98\x80\",\"tags\":[1]}", true},
        {PERSON, "{\"name\":\"x\"}", false},                         /* a required one is missing */
        {PERSON, "{\"name\":\"x\",\"age\":1.5,\"tags\":[]}", false}, /* no integer */
        {PERSON, "{\"name\":\"x\",\"age\":01,\"tags\":[]}", false},
        {PERSON, "{\"name\":\"x\",\"tags\":[\"b\"]}", false},    /* not in the enum */
        {PERSON, "{\"name\":\"x\",\"tags\":[1,1,1]}", false},    /* more than maxItems */
        {PERSON, "{\"name\":\"x\",\"tags\":[],\"z\":1}", false}, /* not a property */
        {PERSON, "{\"name\":\"x\",\"tags\":[]}}", false},
        {PERSON, "{\"name\":\"x\",\"tags\":[]", false},
        {PERSON, "{\"name\":\"a\tb\",\"tags\":[]}", false},    /* a control character */
        {PERSON, "{\"name\":\"\\ud800\",\"tags\":[]}", false}, /* half of a pair */
        {PERSON, "{\"name\":\"\\x\",\"tags\":[]}", false},
        {TREE, "{\"v\":1,\"kids\":[{\"v\":-2.5e+10},{\"v\":0,\"kids\":[]}]}", true},
        {TREE, "{\"v\":1,\"kids\":[{}]}", false},
        {TREE, "{\"v\":1.}", false},
        {NULL, "{\"any\":[true,false,null,{\"x\":\"y\"},-0.5]}", true},
        {NULL, "[]", false},
        {NULL, "{}", true},
        {"{\"anyOf\":[{\"const\":\"yes\"},{\"type\":\"null\"}]}", "\"yes\"", true},
        {"{\"anyOf\":[{\"const\":\"yes\"},{\"type\":\"null\"}]}", "null", true},
        {"{\"anyOf\":[{\"const\":\"yes\"},{\"type\":\"null\"}]}", "\"no\"", false},
        {"{\"type\":[\"string\",\"null\"],\"maxLength\":2}", "\"ab\"", true},
        {"{\"type\":[\"string\",\"null\"],\"maxLength\":2}", "\"abc\"", false},
        {"{\"type\":[\"string\",\"null\"],\"maxLength\":2}", "null", true},
        {"{\"type\":\"string\",\"minLength\":2}", "\"\xc3\xa9\xc3\xa9\"",
         true}, /* characters, not bytes */
        {"{\"type\":\"string\",\"minLength\":2}", "\"\xc3\xa9\"", false},
        {"{\"type\":\"array\",\"minItems\":2,\"items\":{\"type\":\"boolean\"}}", "[true]", false},
        {"{\"type\":\"array\",\"minItems\":2,\"items\":{\"type\":\"boolean\"}}",
         "[true,false,true]", true},
        {"{\"type\":\"array\",\"minItems\":1,\"maxItems\":1}", "[]", false},
        {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}",
         "{\"a\":1,\"b\":2}", true},
        {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}", "{\"a\":\"1\"}",
         false},
        {"{\"type\":\"object\",\"additionalProperties\":false}", "{}", true},
        {"{\"type\":\"object\",\"additionalProperties\":false}", "{\"a\":1}", false},
        {"{\"$defs\":{\"n\":{\"type\":\"integer\"}},\"type\":\"object\",\"properties\":{\"x\":{\"$"
         "ref\":\"#/$defs/n\"}},"
         "\"required\":[\"x\"]}",
         "{\"x\":7}", true},
        {"{\"$defs\":{\"n\":{\"type\":\"integer\"}},\"type\":\"object\",\"properties\":{\"x\":{\"$"
         "ref\":\"#/$defs/n\"}},"
         "\"required\":[\"x\"]}",
         "{\"x\":null}", false},
        {"{\"type\":\"number\"}", "3E580", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (accepts(rows[i].schema, rows[i].text) != rows[i].ok)
            fail_msg("%s: %s: %s", rows[i].schema ? rows[i].schema : "any object", rows[i].text,
                     rows[i].ok ? "refused" : "taken");
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *says;
    } rows[] = {{"{\"type\":\"string\",\"pattern\":\"a\"}", "pattern"},
                {"{\"type\":\"integer\",\"minimum\":1}", "minimum"},
                {"{\"type\":\"string\",\"format\":\"date\"}", "format"},
                {"{\"oneOf\":[{}]}", "oneOf"},
                {"{\"not\":{}}", "not"},
                {"{\"type\":\"object\",\"properties\":{\"a\":{\"allOf\":[]}}}", "allOf"},
                {"{\"type\":\"array\",\"uniqueItems\":true}", "uniqueItems"},
                {"{\"type\":\"object\",\"required\":[\"x\"],\"properties\":{}}", "\"x\""},
                {"{\"type\":\"thing\"}", "thing"},
                {"{\"$ref\":\"http://x\"}", "$ref"},
                {"{\"$ref\":\"#/$defs/none\"}", "not found"},
                {"{\"$ref\":\"#\"}", "without end"},
                {"{\"anyOf\":[{\"type\":\"null\"},{\"$ref\":\"#\"}]}", "without end"},
                {"{\"type\":\"string\",\"maxLength\":100000}", "1024"},
                {"{\"type\":\"string\",\"minLength\":5,\"maxLength\":2}", "less"},
                {"{\"enum\":[]}", "empty"},
                {"[1]", "object"},
                {"{", "JSON"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        slx_grammar *g = NULL;
        slx_err err = {0};
        slx_status st =
            slx_grammar_open(&g, tokens, rows[i].schema, strlen(rows[i].schema), NULL, NULL, &err);
        if (st == SLX_OK || !strstr(err.msg, rows[i].says))
            fail_msg("%s: %d %s", rows[i].schema, st, err.msg);
        assert_null(g);
    }
}

/* At every place of a walk: a token is unmasked exactly when it can be taken. */
static void masks_are_exact(void **state)
{
    (void)state;
    static const char *const schemas[] = {PERSON, TREE, NULL,
                                          "{\"type\":[\"string\",\"integer\"],\"maxLength\":3}"};
    slx_rng r = {5};
    for (size_t s = 0; s < sizeof schemas / sizeof *schemas; s++) {
        uint32_t walk[24], n = 0;
        for (; n < 24; n++) {
            float logits[VOCAB] = {0};
            uint32_t open[VOCAB], n_open = 0;
            slx_grammar *here = grammar(schemas[s]);
            for (uint32_t i = 0; i < n; i++) assert_true(slx_grammar_take(here, walk[i]));
            if (!slx_grammar_mask(here, logits, VOCAB)) fail_msg("nothing may come");
            for (uint32_t id = 0; id < VOCAB; id++) {
                slx_grammar *probe = grammar(schemas[s]);
                for (uint32_t i = 0; i < n; i++) slx_grammar_take(probe, walk[i]);
                bool end = slx_tok_is_eog(model->tok, id),
                     nothing = slx_tok_is_control(model->tok, id) && !end;
                bool can =
                    end ? slx_grammar_complete(probe) : !nothing && slx_grammar_take(probe, id);
                if (can != (logits[id] == 0))
                    fail_msg("schema %zu, step %u, token %u: %d", s, n, id, can);
                slx_grammar_close(probe);
                if (can && !end) open[n_open++] = id;
            }
            slx_grammar_close(here);
            if (!n_open) break;
            walk[n] = open[slx_rng_below(&r, n_open)];
        }
    }
}

static bool is_person(const json_t *j)
{
    const json_t *name = json_object_get(j, "name"), *age = json_object_get(j, "age"),
                 *tags = json_object_get(j, "tags");
    bool ok = json_is_string(name) && json_is_array(tags) && json_array_size(tags) <= 2 &&
              (!age || json_is_integer(age)) && json_object_size(j) == 2u + (age != NULL);
    for (size_t i = 0; i < json_array_size(tags); i++) {
        const json_t *t = json_array_get(tags, i);
        const char *s = json_string_value(t);
        ok = ok && (json_is_null(t) || json_integer_value(t) == 1 ||
                    (s && (!strcmp(s, "a") || !strcmp(s, "ab"))));
    }
    return ok;
}

static bool is_tree(const json_t *j)
{
    const json_t *kids = json_object_get(j, "kids");
    bool ok = json_is_number(json_object_get(j, "v")) && json_object_size(j) == 1u + (kids != NULL);
    for (size_t i = 0; i < json_array_size(kids); i++) ok = ok && is_tree(json_array_get(kids, i));
    return ok;
}

/* Random draws under the mask, closing brackets preferred so that walks end; what ends is of the schema. */
static void walks_are_valid(void **state)
{
    (void)state;
    slx_rng r = {9};
    uint32_t ended = 0;
    for (uint32_t k = 0; k < 60; k++) {
        slx_grammar *g = grammar(k % 2 ? TREE : PERSON);
        slx_buf text = {0};
        while (!slx_grammar_over(g) && text.len < 3000) {
            float logits[VOCAB], best = -FLT_MAX;
            uint32_t token = 0;
            for (uint32_t id = 0; id < VOCAB; id++) logits[id] = (float)slx_rng_f64(&r);
            for (const char *p = "}]\""; *p; p++) {
                slx_buf ids = {0};
                slx_tokenize(model->tok, p, 1, false, &ids, NULL);
                logits[*(const uint32_t *)(const void *)ids.ptr] += text.len > 60 ? 5 : 0.2f;
                slx_buf_free(&ids);
            }
            assert_true(slx_grammar_mask(g, logits, VOCAB));
            for (uint32_t id = 0; id < VOCAB; id++)
                if (logits[id] > best) best = logits[token = id];
            if (slx_tok_is_eog(model->tok, token)) break;
            assert_true(slx_grammar_take(g, token));
            slx_detokenize(model->tok, token, false, &text);
        }
        if (slx_grammar_complete(g)) {
            json_error_t at;
            json_t *j = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &at);
            if (!j || !(k % 2 ? is_tree : is_person)(j))
                fail_msg("%s: %.*s", j ? "not of the schema" : at.text, (int)text.len, text.ptr);
            json_decref(j);
            ended++;
        }
        slx_buf_free(&text);
        slx_grammar_close(g);
    }
    assert_true(ended > 30);
}

/* ------------------------------------------------------------------ tools */

static void calls_are_forced_and_found(void **state)
{
    (void)state;
    static const char list[] =
        "[{\"function\":{\"name\":\"add\",\"parameters\":{\"type\":\"object\",\"properties\":{"
        "\"x\":"
        "{\"type\":\"integer\"}},\"required\":[\"x\"]}}},{\"function\":{\"name\":\"stop\"}}]";
    static const struct {
        slx_tool_form form;
        const char *text, *calls;
        bool forced;
        size_t content;
    } rows[] = {
        {SLX_TOOLS_TAGS, "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"x\":1}}\n</tool_call>",
         "[{\"name\":\"add\",\"arguments\":\"{\\\"x\\\":1}\"}]", true, 0},
        {SLX_TOOLS_TAGS,
         "Well. "
         "\n<tool_call>{\"name\":\"a\",\"arguments\":{}}</"
         "tool_call>\n<tool_call>{\"name\":\"b\",\"arguments\":{}}",
         "[{\"name\":\"a\",\"arguments\":\"{}\"},{\"name\":\"b\",\"arguments\":\"{}\"}]", false, 5},
        {SLX_TOOLS_TAGS, "<tool_call>nonsense</tool_call>", NULL, false, 0},
        {SLX_TOOLS_TAGS, "no call", NULL, false, 0},
        {SLX_TOOLS_BARE, "{\"name\": \"add\", \"parameters\": {\"x\":-3}}",
         "[{\"name\":\"add\",\"arguments\":\"{\\\"x\\\":-3}\"}]", true, 0},
        {SLX_TOOLS_BARE, "{\"name\": \"add\"}", NULL, false, 0},
        {SLX_TOOLS_LIST, "[TOOL_CALLS][{\"name\": \"add\", \"arguments\": {\"x\":0}}]",
         "[{\"name\":\"add\",\"arguments\":\"{\\\"x\\\":0}\"}]", true, 0},
        {SLX_TOOLS_LIST, "[TOOL_CALLS][]", NULL, false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        slx_buf out = {0};
        size_t content, len = strlen(rows[i].text);
        const slx_tool_frame *f = &slx_tool_frames[rows[i].form];
        bool found = slx_tools_parse(rows[i].form, rows[i].text, len, &out, &content);
        assert_int_equal(found, rows[i].calls != NULL);
        assert_int_equal(content, found ? rows[i].content : len);
        if (found) assert_string_equal(out.ptr, rows[i].calls);
        slx_buf_free(&out);
        slx_grammar *g = NULL;
        assert_int_equal(slx_grammar_open_calls(&g, tokens, list, strlen(list), "add", f->key,
                                                f->before, f->after, NULL),
                         SLX_OK);
        assert_int_equal(takes(g, rows[i].text), rows[i].forced);
        slx_grammar_close(g);
    }
    /* while a stream runs, what may become a tag waits */
    assert_int_equal(slx_tools_content(SLX_TOOLS_TAGS, "hi <tool", 8), 3);
    assert_int_equal(slx_tools_content(SLX_TOOLS_TAGS, "hi <tool!", 9), 9);
    assert_int_equal(slx_tools_content(SLX_TOOLS_TAGS, "a <tool_call>{", 14), 2);
    assert_int_equal(slx_tools_content(SLX_TOOLS_BARE, " {", 2), 0);
    assert_int_equal(slx_tools_content(SLX_TOOLS_BARE, "x{", 2), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents),
        cmocka_unit_test(refused),
        cmocka_unit_test(masks_are_exact),
        cmocka_unit_test(walks_are_valid),
        cmocka_unit_test(calls_are_forced_and_found),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
