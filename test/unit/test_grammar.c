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
    if (ok) tokens = slx_token_bytes_open(model->tok, -1);
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
    slx_form form = {.json = true, .schema = schema, .schema_len = schema ? strlen(schema) : 0};
    slx_status st = slx_grammar_open(&g, tokens, &form, &err);
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
        /* patterns: the whole string, characters and not bytes, quotes as their escapes */
        {"{\"type\":\"string\",\"pattern\":\"^a+b?$\"}", "\"aaab\"", true},
        {"{\"type\":\"string\",\"pattern\":\"^a+b?$\"}", "\"b\"", false},
        {"{\"type\":\"string\",\"pattern\":\"^a+b?$\"}", "\"aabb\"", false},
        {"{\"type\":\"string\",\"pattern\":\"x|y(z|w){2}\"}", "\"yzw\"", true},
        {"{\"type\":\"string\",\"pattern\":\"x|y(z|w){2}\"}", "\"yz\"", false},
        {"{\"type\":\"string\",\"pattern\":\"[^a-y]{2,}\"}", "\"z\xc3\xa9\xf0\x9f\x98\x80\"", true},
        {"{\"type\":\"string\",\"pattern\":\"[^a-y]{2,}\"}", "\"zy\"", false},
        {"{\"type\":\"string\",\"pattern\":\"[\\u00e0-\\u00ff]\"}", "\"\xc3\xa9\"", true},
        {"{\"type\":\"string\",\"pattern\":\"[\\u00e0-\\u00ff]\"}", "\"\xc3\x9f\"", false},
        {"{\"type\":\"string\",\"pattern\":\"\\\\d\\\\s\\\\w\\\\.\"}", "\"1 _.\"", true},
        {"{\"type\":\"string\",\"pattern\":\"\\\\d\\\\s\\\\w\\\\.\"}", "\"1 _x\"", false},
        {"{\"type\":\"string\",\"pattern\":\"\\\"|\\\\n\"}", "\"\\\"\"", true},
        {"{\"type\":\"string\",\"pattern\":\"\\\"|\\\\n\"}", "\"\\n\"", true},
        {"{\"type\":\"string\",\"pattern\":\"\\\"|\\\\n\"}", "\"n\"", false},
        {"{\"type\":\"string\",\"pattern\":\"(a?)*b\"}", "\"aab\"", true},
        {"{\"type\":\"string\",\"pattern\":\"\"}", "\"\"", true},
        {"{\"type\":\"string\",\"format\":\"date-time\"}", "\"2025-12-31T23:59:59.5Z\"", true},
        {"{\"type\":\"string\",\"format\":\"date\"}", "\"2025-02-29\"", false},
        {"{\"type\":\"string\",\"format\":\"ipv4\"}", "\"192.168.0.255\"", true},
        {"{\"type\":\"string\",\"format\":\"ipv4\"}", "\"192.168.0.256\"", false},
        {"{\"type\":\"string\",\"format\":\"uuid\"}", "\"123e4567-e89b-12d3-a456-426614174000\"",
         true},
        {"{\"type\":\"string\",\"format\":\"email\"}", "\"a.b@c-d.org\"", true},
        {"{\"type\":\"string\",\"format\":\"duration\"}", "\"P1Y2M3DT4H5M6S\"", true},
        {"{\"type\":\"string\",\"format\":\"duration\"}", "\"P1YT\"", false},
        {"{\"type\":\"array\",\"prefixItems\":[{\"type\":\"null\"},{\"const\":1}],\"items\":false,"
         "\"minItems\":2}",
         "[null,1]", true},
        {"{\"type\":\"array\",\"prefixItems\":[{\"type\":\"null\"},{\"const\":1}],\"items\":false,"
         "\"minItems\":2}",
         "[null]", false},
        {"{\"type\":\"array\",\"prefixItems\":[{\"type\":\"null\"}],\"items\":{\"const\":1}}",
         "[null,1,1]", true},
        {"{\"type\":\"array\",\"prefixItems\":[{\"type\":\"null\"}],\"items\":{\"const\":1}}",
         "[1]", false},
        {"{\"type\":[\"integer\",\"null\"],\"enum\":[1,\"a\",null]}", "null", true},
        {"{\"type\":[\"integer\",\"null\"],\"enum\":[1,\"a\",null]}", "\"a\"", false},
        {"{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "null", true},
        {"{\"allOf\":[{\"$ref\":\"#/$defs/a~1b\"}],\"$defs\":{\"a/b\":{\"type\":\"null\"}}}",
         "null", true},
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
    } rows[] = {{"{\"type\":\"integer\",\"multipleOf\":3}", "multipleOf"},
                {"{\"type\":\"string\",\"format\":\"regex\"}", "format"},
                {"{\"type\":\"string\",\"format\":\"date\",\"maxLength\":3}", "maxLength"},
                {"{\"type\":\"string\",\"pattern\":\"a(?=b)\"}", "look-around"},
                {"{\"type\":\"string\",\"pattern\":\"(a)\\\\1\"}", "escape"},
                {"{\"type\":\"string\",\"pattern\":\"a\\\\b\"}", "escape"},
                {"{\"type\":\"string\",\"pattern\":\"(a\"}", "expected )"},
                {"{\"type\":\"string\",\"pattern\":\"a)\"}", ") without ("},
                {"{\"type\":\"string\",\"pattern\":\"[a\"}", "expected ]"},
                {"{\"type\":\"string\",\"pattern\":\"*a\"}", "nothing to repeat"},
                {"{\"type\":\"string\",\"pattern\":\"(a^b)\"}", "ends only"},
                {"{\"type\":\"string\",\"pattern\":\"a{3,1}\"}", "{n,m}"},
                {"{\"type\":\"string\",\"pattern\":\"[]\"}", "without"},
                {"{\"type\":\"integer\",\"minimum\":5,\"maximum\":4}", "between"},
                {"{\"type\":\"integer\",\"minimum\":1e30}", "between"},
                {"{\"type\":\"integer\",\"minimum\":\"1\"}", "minimum"},
                {"{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]}", "oneOf"},
                {"{\"type\":\"integer\",\"enum\":[\"a\"]}", "of the type"},
                {"{\"allOf\":[{},{}]}", "allOf"},
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
        slx_form form = {
            .json = true, .schema = rows[i].schema, .schema_len = strlen(rows[i].schema)};
        slx_status st = slx_grammar_open(&g, tokens, &form, &err);
        if (st == SLX_OK || !strstr(err.msg, rows[i].says))
            fail_msg("%s: %d %s", rows[i].schema, st, err.msg);
        assert_null(g);
    }
}

/* Schemas made to be costly are refused, or built, at once. */
static void large_ones(void **state)
{
    (void)state;
    static const char *const piece[] = {"\"p%d\":{},", "\"p%d\",", "{\"const\":%d},"};
    static const char *const around[][2] = {{"{\"type\":\"object\",\"properties\":{", "\"z\":{}}}"},
                                            {"{\"enum\":[", "1]}"},
                                            {"{\"oneOf\":[", "{\"const\":-1}]}"}};
    for (int kind = 0; kind < 3; kind++) {
        slx_buf text = {0};
        slx_err err = {0};
        slx_grammar *g = NULL;
        slx_buf_adds(&text, around[kind][0]);
        for (int i = 0; i < 20000; i++) slx_buf_addf(&text, piece[kind], i);
        slx_buf_adds(&text, around[kind][1]);
        slx_form form = {.json = true, .schema = text.ptr, .schema_len = text.len};
        slx_status st = slx_grammar_open(&g, tokens, &form, &err);
        assert_true(kind == 1 ? st == SLX_OK : st == SLX_EUNSUPPORTED);
        slx_grammar_close(g);
        slx_buf_free(&text);
    }
}

/* Every number of a small range, taken exactly when it is within. */
static void ranges_are_exact(void **state)
{
    (void)state;
    slx_rng r = {11};
    for (int k = 0; k < 60; k++) {
        int low = (int)slx_rng_below(&r, 400) - 200, high = low + (int)slx_rng_below(&r, 300);
        bool above = k & 1, below = k & 2, whole = k & 4;
        double scale = whole ? 1 : k & 8 ? 10 : 100;
        char schema[200];
        snprintf(schema, sizeof schema, "{\"type\":\"%s\",\"%s\":%.10g,\"%s\":%.10g}",
                 whole ? "integer" : "number", above ? "exclusiveMinimum" : "minimum", low / scale,
                 below ? "exclusiveMaximum" : "maximum", high / scale);
        if (above && below && high - low < 2) continue;
        if ((above || below) && high == low) continue;
        for (int x = -520; x <= 520; x += 1 + (int)slx_rng_below(&r, 3)) {
            char text[32];
            snprintf(text, sizeof text, "%.*f", whole ? 0 : scale > 10 ? 2 : 1, x / scale);
            if (!strncmp(text, "-0", 2) && strspn(text, "-0.") == strlen(text))
                continue; /* a zero is plain */
            bool in = (above ? x > low : x >= low) && (below ? x < high : x <= high);
            if (accepts(schema, text) != in)
                fail_msg("%s: %s: %s", schema, text, in ? "refused" : "taken");
        }
    }
    assert_true(accepts("{\"type\":\"integer\",\"minimum\":0}", "123456789"));
    assert_false(accepts("{\"type\":\"integer\",\"minimum\":0}", "-1"));
    assert_false(accepts("{\"type\":\"integer\",\"minimum\":0}", "01"));
    assert_true(accepts("{\"type\":\"number\",\"exclusiveMinimum\":0,\"maximum\":1}", "0.0001"));
    assert_false(accepts("{\"type\":\"number\",\"exclusiveMinimum\":0,\"maximum\":1}", "0.0"));
    assert_false(accepts("{\"type\":\"number\",\"exclusiveMinimum\":0,\"maximum\":1}", "1.5"));
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
        slx_form form = {.tools = list,
                         .tools_len = strlen(list),
                         .frame = &slx_tool_frames[rows[i].form],
                         .only = "add"};
        bool found = slx_tools_parse(rows[i].form, rows[i].text, len, &out, &content);
        assert_int_equal(found, rows[i].calls != NULL);
        assert_int_equal(content, found ? rows[i].content : len);
        if (found) assert_string_equal(out.ptr, rows[i].calls);
        slx_buf_free(&out);
        slx_grammar *g = NULL;
        assert_int_equal(slx_grammar_open(&g, tokens, &form, NULL), SLX_OK);
        assert_int_equal(takes(g, rows[i].text), rows[i].forced);
        slx_grammar_close(g);
    }
    /* while a stream runs, what may become a tag waits */
    assert_int_equal(slx_tools_content(SLX_TOOLS_TAGS, "hi <tool", 8), 2);
    assert_int_equal(slx_tools_content(SLX_TOOLS_TAGS, "hi <tool!", 9), 9);
    assert_int_equal(slx_tools_content(SLX_TOOLS_TAGS, "a <tool_call>{", 14), 1);
    assert_int_equal(slx_tools_content(SLX_TOOLS_BARE, " {", 2), 0);
    assert_int_equal(slx_tools_content(SLX_TOOLS_BARE, "x{", 2), 2);
    /* what was cut in a call is a call, as far as one can tell */
    static const struct {
        slx_tool_form form;
        const char *text;
        int content; /* -1: no call */
    } cut[] = {
        {SLX_TOOLS_TAGS, "a \n<tool_call>", 1},
        {SLX_TOOLS_TAGS, "<tool_call>\n{\"na", 0},
        {SLX_TOOLS_TAGS, "<tool_call>{\"name\": \"x\", \"arg", 0},
        {SLX_TOOLS_TAGS, "<tool_call> is a tag", -1},
        {SLX_TOOLS_TAGS, "a <tool_ca", -1},
        {SLX_TOOLS_TAGS, "", -1},
        {SLX_TOOLS_LIST, "[TOOL_CALLS][{\"name\": \"f", 0},
        {SLX_TOOLS_LIST, "[TOOL_CALLS] 1", -1},
        {SLX_TOOLS_BARE, "{\"name\": \"f", 0},
        {SLX_TOOLS_BARE, "{\"na", -1},
        {SLX_TOOLS_NONE, "<tool_call>", -1},
    };
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        size_t content, len = strlen(cut[i].text);
        assert_int_equal(slx_tools_begun(cut[i].form, cut[i].text, len, &content),
                         cut[i].content >= 0);
        assert_int_equal(content, cut[i].content >= 0 ? (size_t)cut[i].content : len);
    }
}

/* The pieces of two calls, whatever the text was cut into. */
static void calls_are_followed(void **state)
{
    (void)state;
    static const char text[] =
        "So:\n<tool_call>\n{\"name\": \"a\\\"b\", \"arguments\": {\"x\": [1, {\"y\": \"}\\\"]\"}], "
        "\"z\":{}}}\n</tool_call>\n"
        "<tool_call>\n{\"name\": \"c\", \"arguments\": {}}\n</tool_call>";
    for (size_t step = 1; step < sizeof text; step++) {
        slx_tool_stream s = {0};
        slx_tool_piece p;
        slx_buf got = {0};
        for (size_t len = step;; len += step) {
            if (len > sizeof text - 1) len = sizeof text - 1;
            while (slx_tools_follow(&s, SLX_TOOLS_TAGS, text, len, &p)) {
                if (p.begins) slx_buf_adds(&got, "|");
                slx_buf_add(&got, p.text, p.len);
                if (p.begins) slx_buf_adds(&got, ":");
            }
            if (len == sizeof text - 1) break;
        }
        slx_buf_adds(&got, "");
        assert_string_equal(got.ptr,
                            "|\"a\\\"b\":{\"x\": [1, {\"y\": \"}\\\"]\"}], \"z\":{}}|\"c\":{}");
        slx_buf_free(&got);
    }
}

#define STRICT                                                                                     \
    "[{\"function\":{\"name\":\"add\",\"strict\":true,\"parameters\":{\"type\":\"object\","        \
    "\"properties\":{\"x\":"                                                                       \
    "{\"type\":\"integer\"}},\"required\":[\"x\"]}}},"                                             \
    "{\"function\":{\"name\":\"odd\",\"parameters\":{\"type\":\"object\",\"minProperties\":1}}}]"

/* Text and calls: where the mark comes, only calls may follow. */
static void text_before_calls(void **state)
{
    (void)state;
    static const struct {
        slx_tool_form form;
        bool many, json;
        const char *text;
        bool ok;
    } rows[] = {
        {SLX_TOOLS_TAGS, false, false, "", true},
        {SLX_TOOLS_TAGS, false, false, "2 < 3, <<tool_cal> and <tool", true},
        {SLX_TOOLS_TAGS, false, false,
         "Ok.<tool_call>\n{\"name\": \"add\", \"arguments\": {\"x\":1}}\n</tool_call>", true},
        {SLX_TOOLS_TAGS, false, false,
         "<<tool_call>\n{\"name\": \"add\", \"arguments\": {\"x\":1}}\n</tool_call>", true},
        {SLX_TOOLS_TAGS, false, false,
         "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"x\":\"1\"}}\n</tool_call>", false},
        {SLX_TOOLS_TAGS, false, false,
         "<tool_call>\n{\"name\": \"odd\", \"arguments\": {\"q\":[]}}\n</tool_call>", true},
        {SLX_TOOLS_TAGS, false, false, "<tool_call>nonsense", false},
        {SLX_TOOLS_TAGS, false, false, "a <tool_call>", false},
        {SLX_TOOLS_TAGS, true, false,
         "<tool_call>\n{\"name\": \"add\", \"arguments\": "
         "{\"x\":1}}\n</tool_call>\n<tool_call>\n{\"name\": \"add\", "
         "\"arguments\": {\"x\":2}}\n</tool_call>",
         true},
        {SLX_TOOLS_TAGS, false, false,
         "<tool_call>\n{\"name\": \"add\", \"arguments\": "
         "{\"x\":1}}\n</tool_call>\n<tool_call>\n{\"name\": \"add\", "
         "\"arguments\": {\"x\":2}}\n</tool_call>",
         false},
        {SLX_TOOLS_LIST, true, false,
         "So: [TOOL_CALLS][{\"name\": \"add\", \"arguments\": {\"x\":1}}, {\"name\": \"add\", "
         "\"arguments\": {\"x\":2}}]",
         true},
        {SLX_TOOLS_LIST, true, false, "[TOOL_CALLS][]", false},
        {SLX_TOOLS_BARE, false, false, " no { call", true},
        {SLX_TOOLS_BARE, false, false, " {\"name\": \"add\", \"parameters\": {\"x\":1}}", true},
        {SLX_TOOLS_BARE, false, false, "{ no call", false},
        {SLX_TOOLS_TAGS, false, true, "{\"any\":1}", true},
        {SLX_TOOLS_TAGS, false, true, "text", false},
        {SLX_TOOLS_TAGS, false, true,
         "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"x\":1}}\n</tool_call>", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        slx_form form = {.tools = STRICT,
                         .tools_len = strlen(STRICT),
                         .frame = &slx_tool_frames[rows[i].form],
                         .many = rows[i].many,
                         .json = rows[i].json,
                         .text = !rows[i].json};
        slx_grammar *g = NULL;
        assert_int_equal(slx_grammar_open(&g, tokens, &form, NULL), SLX_OK);
        if (takes(g, rows[i].text) != rows[i].ok)
            fail_msg("row %zu: %s: %s", i, rows[i].text, rows[i].ok ? "refused" : "taken");
        slx_grammar_close(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents),
        cmocka_unit_test(refused),
        cmocka_unit_test(large_ones),
        cmocka_unit_test(ranges_are_exact),
        cmocka_unit_test(masks_are_exact),
        cmocka_unit_test(walks_are_valid),
        cmocka_unit_test(calls_are_forced_and_found),
        cmocka_unit_test(text_before_calls),
        cmocka_unit_test(calls_are_followed),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
