/* test_tokenizer.c - token ids against those of the models' own tokenizers, the guard against control tokens in user
 * text, and bytes back out. Vocabularies under community licences are looked for in $SLX_SHARED (../shared). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>

#include "gguf_make.h"
#include "model/tokenizer_int.h"

#define VECTORS "test/vectors/tokenizer/"

static slx_model *open_vocab(const char *path)
{
    slx_model *m;
    slx_err err;
    memset(&err, 0, sizeof err);
    if (slx_model_open_vocab(&m, path, &err) != SLX_OK) fail_msg("%s: %s", path, err.msg);
    return m;
}

static slx_buf tokens(const slx_model *m, const char *text, size_t len, bool special)
{
    slx_buf ids = {0};
    slx_err err;
    memset(&err, 0, sizeof err);
    if (slx_tokenize(m->tok, text, len, special, &ids, &err) != SLX_OK) fail_msg("%s", err.msg);
    return ids;
}

/* The ids of text are those of want (blank-separated numbers). */
static void expect(const slx_model *m, const char *text, size_t len, bool special, const char *want)
{
    slx_buf ids = tokens(m, text, len, special), got = {0};
    slx_buf_adds(&got, "");
    for (size_t i = 0; i < ids.len / 4; i++) {
        uint32_t id;
        memcpy(&id, ids.ptr + 4 * i, 4);
        slx_buf_addf(&got, "%s%u", i ? " " : "", id);
    }
    const char *found = got.len ? got.ptr : "";
    if (strcmp(found, want))
        fail_msg("%s: '%.*s'\n   found %s\nexpected %s", m->path, (int)len, text, found, want);
    slx_buf_free(&got);
    slx_buf_free(&ids);
}

/* ------------------------------------------------------------------ vectors */

static void smollm2(void **state)
{
    (void)state;
    double t0 = slx_now_s();
    slx_model *m = open_vocab(VECTORS "smollm2-vocab.gguf");
    print_message("opened in %.1f ms\n", (slx_now_s() - t0) * 1e3);
    assert_null(m->layers);
    assert_int_equal(slx_tok_vocab(m->tok), 49152);
    FILE *f = fopen(VECTORS "smollm2_cases.jsonl", "r");
    assert_non_null(f);
    char *line = NULL;
    size_t cap = 0;
    int cases = 0;
    while (getline(&line, &cap, f) > 0) {
        json_t *o = json_loads(line, JSON_ALLOW_NUL, NULL), *id;
        assert_non_null(o);
        slx_buf want = {0};
        size_t i;
        slx_buf_adds(&want, "");
        json_array_foreach(json_object_get(o, "ids"), i, id)
            slx_buf_addf(&want, "%s%lld", i ? " " : "", (long long)json_integer_value(id));
        json_t *text = json_object_get(o, "text");
        expect(m, json_string_value(text), json_string_length(text), true,
               want.len ? want.ptr : "");
        json_t *piece;
        slx_buf ids = tokens(m, json_string_value(text), json_string_length(text), true);
        json_array_foreach(json_object_get(o, "tokens"), i, piece)
        {
            uint32_t x;
            memcpy(&x, ids.ptr + 4 * i, 4);
            assert_true(slx_str_is(slx_tok_piece(m->tok, x), json_string_value(piece)));
        }
        slx_buf_free(&ids);
        slx_buf_free(&want);
        json_decref(o);
        cases++;
    }
    assert_int_equal(cases, 77);
    free(line);
    fclose(f);
    slx_model_close(m);
}

/* NAME.inp holds texts, NAME.out one line of ids each. */
static void inp_out(const char *path)
{
    char name[1100];
    slx_buf in = {0}, out = {0};
    slx_model *m = open_vocab(path);
    snprintf(name, sizeof name, "%s.inp", path);
    assert_int_equal(slx_read_file(&in, name, NULL), SLX_OK);
    snprintf(name, sizeof name, "%s.out", path);
    assert_int_equal(slx_read_file(&out, name, NULL), SLX_OK);
    static const char gap[] = "\n__ggml_vocab_test__\n";
    char *text = in.ptr, *end = in.ptr + in.len, *want = out.ptr;
    int cases = 0;
    for (char *stop; text <= end; text = stop + sizeof gap - 1, cases++) {
        stop = memmem(text, (size_t)(end - text), gap, sizeof gap - 1);
        if (!stop) break; /* the file ends with a separator */
        char *line = strchr(want, '\n');
        assert_non_null(line);
        *line = 0;
        while (*want == ' ') want++;
        char *tail = line;
        while (tail > want && tail[-1] == ' ') *--tail = 0;
        expect(m, text, (size_t)(stop - text), true, want);
        want = line + 1;
    }
    assert_true(cases >= 46);
    slx_buf_free(&in);
    slx_buf_free(&out);
    slx_model_close(m);
}

static void gpt2(void **state)
{
    (void)state;
    inp_out(VECTORS "ggml-vocab-gpt-2.gguf");
}

static void note_length(slx_encoder *e, const char *p, size_t n)
{
    (void)p;
    slx_buf_addf(&e->scratch, "%s%zu", e->scratch.len ? " " : "", n);
}

/* Byte lengths of the pre-tokens of each text, under every pre-tokenizer there is. */
static void pretokenizers(void **state)
{
    (void)state;
    FILE *f = fopen(VECTORS "pretokenizer_cases.jsonl", "r");
    assert_non_null(f);
    char *line = NULL;
    size_t cap = 0;
    int cases = 0;
    slx_tokenizer *t = NULL;
    while (getline(&line, &cap, f) > 0) {
        json_t *o = json_loads(line, 0, NULL), *lengths;
        const char *pre;
        assert_non_null(o);
        json_t *text = json_object_get(o, "text");
        json_object_foreach(json_object_get(o, "lengths"), pre, lengths)
        {
            t = slx_xcalloc(1, sizeof *t);
            slx_arena_init(&t->arena);
            assert_int_equal(slx_pretokenizer_open(t, slx_str_c(pre), NULL), SLX_OK);
            slx_encoder e = {.t = t, .pretoken = note_length};
            assert_int_equal(slx_pretokenize(&e, json_string_value(text), json_string_length(text)),
                             SLX_OK);
            if (strcmp(e.scratch.ptr, json_string_value(lengths)))
                fail_msg("%s: '%s'\n   found %s\nexpected %s", pre, json_string_value(text),
                         e.scratch.ptr, json_string_value(lengths));
            slx_encoder_deinit(&e);
            slx_tokenizer_close(t);
            cases++;
        }
        json_decref(o);
    }
    free(line);
    fclose(f);
    assert_int_equal(cases, 60 * 11);
}

static void shared(const char *name)
{
    const char *dir = getenv("SLX_SHARED");
    char path[1000];
    snprintf(path, sizeof path, "%s/data/tokenizer/ggml-vocab-%s.gguf", dir ? dir : "../shared",
             name);
    FILE *f = fopen(path, "r");
    if (!f) {
        print_message("skipped: %s is not there (set SLX_SHARED)\n", path);
        skip();
    }
    fclose(f);
    inp_out(path);
}

static void llama_bpe(void **state)
{
    (void)state;
    shared("llama-bpe");
}
static void qwen2(void **state)
{
    (void)state;
    shared("qwen2");
}
static void starcoder(void **state)
{
    (void)state;
    shared("starcoder");
}
static void deepseek_coder(void **state)
{
    (void)state;
    shared("deepseek-coder");
}
static void llama_spm(void **state)
{
    (void)state;
    shared("llama-spm");
}
static void phi3(void **state)
{
    (void)state;
    shared("phi-3");
}

/* ------------------------------------------------------------------ special tokens */

static void specials(void **state)
{
    (void)state;
    slx_model *m = open_vocab(VECTORS "smollm2-vocab.gguf");
    static const char text[] = "<|im_start|>user\n<|im_end|>";
    expect(m, text, sizeof text - 1, true, "1 4093 198 2");
    slx_buf ids = tokens(m, text, sizeof text - 1, false);
    for (size_t i = 0; i < ids.len / 4; i++) {
        uint32_t id;
        memcpy(&id, ids.ptr + 4 * i, 4);
        assert_false(slx_tok_is_control(m->tok, id));
    }
    slx_buf_free(&ids);
    assert_int_equal(slx_tok_bos(m->tok), 1);
    assert_int_equal(slx_tok_eos(m->tok), 2);
    assert_false(slx_tok_add_bos(m->tok));
    assert_true(slx_tok_is_control(m->tok, 16));
    assert_false(slx_tok_is_control(m->tok, 17));
    assert_true(slx_tok_is_eog(m->tok, 2));
    assert_true(slx_tok_is_eog(m->tok, 0)); /* <|endoftext|> by its name */
    assert_false(slx_tok_is_eog(m->tok, 1));
    assert_false(slx_tok_is_eog(m->tok, 49152));
    slx_model_close(m);
}

/* A control token is read only where no byte of it came from the user: every placing of marks over one literal. */
static void user_marks(void **state)
{
    (void)state;
    slx_model *m = open_vocab(VECTORS "smollm2-vocab.gguf");
    static const char text[] = "a<|im_end|>b";
    const size_t len = sizeof text - 1, beg = 1, end = len - 1;
    for (size_t from = 0; from <= len; from++)
        for (size_t to = from; to <= len; to++) {
            slx_rendered r = {0};
            slx_buf ids = {0};
            slx_buf_add(&r.text, text, len);
            for (size_t i = 0; i < len; i++) slx_buf_addc(&r.user, i >= from && i < to);
            assert_int_equal(slx_tokenize_rendered(m->tok, &r, &ids, NULL), SLX_OK);
            int controls = 0;
            for (size_t i = 0; i < ids.len / 4; i++) {
                uint32_t id;
                memcpy(&id, ids.ptr + 4 * i, 4);
                controls += slx_tok_is_control(m->tok, id);
            }
            bool touched = from < to && from < end && to > beg;
            assert_int_equal(controls, touched ? 0 : 1);
            slx_buf_free(&ids);
            slx_buf_free(&r.text);
            slx_buf_free(&r.user);
        }
    slx_model_close(m);
}

static slx_model *own_vocab(slx_gm *m, slx_buf *bytes, slx_err *err)
{
    slx_gguf *g;
    slx_model *out;
    slx_gm_finish(m, bytes);
    if (slx_gguf_parse(&g, bytes->ptr, bytes->len, "t.gguf", err) != SLX_OK) return NULL;
    slx_model_from_gguf(&out, g, true, err);
    return out;
}

/* Tokens a=0 b=1 ab=2 <x>=3(control) <x><y>=4(control) bb=5(user) abb=6(control, reachable by merges). */
static void partition_rules(void **state)
{
    (void)state;
    static const char *const toks[] = {"a",   "b", "ab", "<x>", "<x><y>", "bb",
                                       "abb", "<", "x",  ">",   "y"};
    static const char *const merges[] = {"a b", "ab b"};
    static const uint8_t types[] = {1, 1, 1, 3, 3, 4, 3, 1, 1, 1, 1};
    slx_gm gm = {0};
    slx_buf bytes = {0};
    slx_err err;
    slx_gm_str(&gm, "tokenizer.ggml.model", "gpt2");
    slx_gm_str(&gm, "tokenizer.ggml.pre", "llama-bpe");
    slx_gm_strs(&gm, "tokenizer.ggml.tokens", toks, 11);
    slx_gm_array(&gm, "tokenizer.ggml.token_type", 0, 11);
    slx_buf_add(&gm.kv, types, 11);
    slx_gm_strs(&gm, "tokenizer.ggml.merges", merges, 2);
    slx_model *m = own_vocab(&gm, &bytes, &err);
    assert_non_null(m);
    expect(m, "<x><y><x>", 9, true, "4 3"); /* the longest takes its place first */
    expect(m, "<x>y", 4, true, "3 10");
    expect(m, "<x>y", 4, false, "7 8 9 10"); /* control tokens off: plain text */
    expect(m, "abba", 4, false, "0 5 0");    /* user-defined tokens are always cut out */
    expect(m, "bbb", 3, false, "5 1");       /* from the left */
    expect(m, "ab", 2, true, "2");
    expect(m, "abb", 3, true, "6");
    expect(m, "a?b", 3, true, "0 1"); /* a byte without a token is dropped */
    slx_model_close(m);
    slx_buf_free(&bytes);
}

/* Neither merges nor ignore_merges make a control token of plain text. */
static void no_control_by_merging(void **state)
{
    (void)state;
    static const char *const toks[] = {"a", "b", "ab"};
    static const char *const merges[] = {"a b"};
    static const uint8_t types[] = {1, 1, 3};
    static const char *const pres[] = {"gpt-2", "llama-bpe"};
    for (int i = 0; i < 2; i++) {
        slx_gm gm = {0};
        slx_buf bytes = {0};
        slx_err err;
        slx_gm_str(&gm, "tokenizer.ggml.model", "gpt2");
        slx_gm_str(&gm, "tokenizer.ggml.pre", pres[i]);
        slx_gm_strs(&gm, "tokenizer.ggml.tokens", toks, 3);
        slx_gm_array(&gm, "tokenizer.ggml.token_type", 0, 3);
        slx_buf_add(&gm.kv, types, 3);
        slx_gm_strs(&gm, "tokenizer.ggml.merges", merges, 1);
        slx_model *m = own_vocab(&gm, &bytes, &err);
        assert_non_null(m);
        expect(m, "ab", 2, false, "0 1");
        expect(m, "ab", 2, true, "2");
        slx_model_close(m);
        slx_buf_free(&bytes);
    }
}

/* ------------------------------------------------------------------ bytes back */

static void round_trip(void **state)
{
    (void)state;
    slx_gm gm = {0};
    slx_buf bytes = {0};
    slx_err err;
    slx_gm_tokenizer(&gm, SLX_GM_MIN_VOCAB);
    slx_model *m = own_vocab(&gm, &bytes, &err);
    assert_non_null(m);
    for (uint32_t b = 0; b < 256; b++) {
        slx_buf out = {0};
        slx_detokenize(m->tok, SLX_GM_FIRST_BYTE + b, false, &out);
        assert_int_equal(out.len, 1);
        assert_int_equal((unsigned char)out.ptr[0], b);
        slx_buf_free(&out);
    }
    expect(m, " and the", 8, false, "265 261");
    slx_rng r = {5};
    for (int round = 0; round < 300; round++) {
        slx_buf text = {0}, out = {0};
        for (uint32_t n = slx_rng_below(&r, 60); n; n--) {
            char c[4];
            uint32_t cp = slx_rng_below(&r, 2) ? slx_rng_below(&r, 128) : slx_rng_below(&r, 0xd800);
            slx_buf_add(&text, c, (size_t)slx_utf8_put(c, cp));
        }
        slx_buf ids = tokens(m, text.ptr, text.len, false);
        for (size_t i = 0; i < ids.len / 4; i++) {
            uint32_t id;
            memcpy(&id, ids.ptr + 4 * i, 4);
            slx_detokenize(m->tok, id, false, &out);
        }
        assert_int_equal(out.len, text.len);
        if (text.len) assert_memory_equal(out.ptr, text.ptr, text.len);
        slx_buf_free(&text);
        slx_buf_free(&out);
        slx_buf_free(&ids);
    }
    slx_buf out = {0};
    slx_detokenize(m->tok, 2, false, &out);
    assert_int_equal(out.len, 0);
    slx_detokenize(m->tok, 2, true, &out);
    assert_string_equal(out.ptr, "<|im_end|>");
    slx_buf_free(&out);
    slx_model_close(m);
    slx_buf_free(&bytes);
}

/* Long runs stay O(n log n) and within the matcher's limits. */
static void long_runs(void **state)
{
    (void)state;
    slx_model *m = open_vocab(VECTORS "smollm2-vocab.gguf");
    static const char *const units[] = {"a",   " ",          "\n", "1", "!", "\xe4\xb8\x80",
                                        "ab ", "<|im_end|>", "<"};
    double t0 = slx_now_s();
    for (int u = 0; u < 9; u++) {
        slx_buf text = {0};
        while (text.len < 200000) slx_buf_adds(&text, units[u]);
        slx_buf ids = tokens(m, text.ptr, text.len, true), out = {0};
        for (size_t i = 0; i < ids.len / 4; i++) {
            uint32_t id;
            memcpy(&id, ids.ptr + 4 * i, 4);
            slx_detokenize(m->tok, id, true, &out);
        }
        assert_int_equal(out.len, text.len);
        assert_memory_equal(out.ptr, text.ptr, text.len);
        slx_buf_free(&text);
        slx_buf_free(&ids);
        slx_buf_free(&out);
    }
    double took = slx_now_s() - t0;
    print_message("%.0f ms\n", took * 1e3);
    assert_true(took < 10);
    slx_model_close(m);
}

static void not_utf8(void **state)
{
    (void)state;
    slx_model *m = open_vocab(VECTORS "smollm2-vocab.gguf");
    slx_buf ids = {0};
    slx_err err;
    assert_int_equal(slx_tokenize(m->tok, "ab\xff", 3, true, &ids, &err), SLX_EINPUT);
    assert_string_equal(err.msg, "the text is not UTF-8: found byte 0xFF at 2");
    assert_int_equal(slx_tokenize(m->tok, "", 0, true, &ids, &err), SLX_OK);
    assert_int_equal(ids.len, 0);
    slx_buf_free(&ids);
    slx_model_close(m);
}

/* ------------------------------------------------------------------ streaming */

static void stream(const char *in, size_t n, size_t step, const char *want)
{
    slx_utf8_stream s = {0};
    slx_buf out = {0};
    for (size_t i = 0; i < n; i += step) {
        slx_utf8_stream_add(&s, in + i, n - i < step ? n - i : step, &out);
        assert_true(s.n <= 3);
        assert_true(out.len == 0 || slx_utf8_valid(out.ptr, out.len));
    }
    slx_utf8_stream_end(&s, &out);
    assert_int_equal(s.n, 0);
    assert_string_equal(out.len ? out.ptr : "", want);
    slx_buf_free(&out);
}

#define FFFD "\xef\xbf\xbd"
static void streaming(void **state)
{
    (void)state;
    /* in, want: the second group is table 3-8 and 3-11 of the Unicode standard's examples of maximal subparts. */
    static const char *const cases[][2] = {
        {"plain", "plain"},
        {"\xc3\x84 \xe4\xb8\x80 \xf0\x9f\xa6\x99", "\xc3\x84 \xe4\xb8\x80 \xf0\x9f\xa6\x99"},
        {"\xf0\x9f\xa6", FFFD},
        {"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A"},
        {"\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A"},
        {"\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B"},
        {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", FFFD FFFD FFFD FFFD "A"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step < 5; step++)
            stream(cases[i][0], strlen(cases[i][0]), step, cases[i][1]);

    slx_utf8_stream s = {0};
    slx_buf out = {0};
    slx_utf8_stream_add(&s, "a\xe4\xb8", 3, &out);
    assert_string_equal(out.ptr, "a"); /* emitted at once up to the open character */
    assert_int_equal(s.n, 2);
    slx_utf8_stream_add(&s, "\x80", 1, &out);
    assert_string_equal(out.ptr, "a\xe4\xb8\x80");
    slx_buf_free(&out);
}

/* ------------------------------------------------------------------ bad vocabularies */

static void refuse(slx_gm *gm, slx_status status, const char *words)
{
    slx_buf bytes = {0};
    slx_err err;
    memset(&err, 0, sizeof err);
    assert_null(own_vocab(gm, &bytes, &err));
    assert_int_equal(err.code, status);
    char all[512];
    snprintf(all, sizeof all, "%s", words);
    for (char *w = strtok(all, "|"); w; w = strtok(NULL, "|"))
        if (!strstr(err.msg, w)) fail_msg("'%s' is not in: %s", w, err.msg);
    slx_buf_free(&bytes);
}

static void begin(slx_gm *gm, const char *model)
{
    static const char *const toks[] = {"a", "b", "ab"};
    slx_gm_str(gm, "tokenizer.ggml.model", model);
    slx_gm_strs(gm, "tokenizer.ggml.tokens", toks, 3);
}

static void bad_vocabularies(void **state)
{
    (void)state;
    static const char *const good[] = {"a b"}, *const bad[] = {"ab"};
    slx_gm gm = {0};
    slx_gm_str(&gm, "general.architecture", "llama");
    refuse(&gm, SLX_EINPUT, "tokenizer.ggml.model|expected a file with a vocabulary");
    slx_gm_u32(&gm, "tokenizer.ggml.model", 1);
    refuse(&gm, SLX_EINPUT, "tokenizer.ggml.model|type u32");
    begin(&gm, "bert");
    refuse(&gm, SLX_EUNSUPPORTED, "'bert'|gpt2 or llama");
    slx_gm_str(&gm, "tokenizer.ggml.model", "gpt2");
    refuse(&gm, SLX_EINPUT, "tokenizer.ggml.tokens|not found");
    begin(&gm, "gpt2");
    refuse(&gm, SLX_EINPUT, "tokenizer.ggml.merges|not found");
    begin(&gm, "gpt2");
    slx_gm_strs(&gm, "tokenizer.ggml.merges", bad, 1);
    refuse(&gm, SLX_EINPUT, "tokenizer.ggml.merges|'ab' at 0|two parts");
    begin(&gm, "gpt2");
    slx_gm_strs(&gm, "tokenizer.ggml.merges", good, 1);
    slx_gm_str(&gm, "tokenizer.ggml.pre", "martian");
    refuse(&gm, SLX_EUNSUPPORTED, "tokenizer.ggml.pre|'martian'");
    begin(&gm, "gpt2");
    slx_gm_u32(&gm, "tokenizer.ggml.eos_token_id", 3);
    refuse(&gm, SLX_EINPUT, "eos_token_id|found 3|3 tokens");
    begin(&gm, "gpt2");
    slx_gm_bool(&gm, "tokenizer.ggml.add_bos_token", true);
    refuse(&gm, SLX_EINPUT, "bos_token_id|not found");
    begin(&gm, "gpt2");
    slx_gm_array(&gm, "tokenizer.ggml.token_type", 0, 2);
    slx_buf_add(&gm.kv, "\1\1", 2);
    refuse(&gm, SLX_EINPUT, "token_type|2 values|3 tokens");
    begin(&gm, "gpt2");
    slx_gm_array(&gm, "tokenizer.ggml.token_type", 0, 3);
    slx_buf_add(&gm.kv, "\1\7\1", 3);
    refuse(&gm, SLX_EINPUT, "token_type|wrong value at 1");
    begin(&gm, "llama");
    refuse(&gm, SLX_EINPUT, "tokenizer.ggml.scores|not found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smollm2),
        cmocka_unit_test(gpt2),
        cmocka_unit_test(pretokenizers),
        cmocka_unit_test(llama_bpe),
        cmocka_unit_test(qwen2),
        cmocka_unit_test(starcoder),
        cmocka_unit_test(deepseek_coder),
        cmocka_unit_test(llama_spm),
        cmocka_unit_test(phi3),
        cmocka_unit_test(specials),
        cmocka_unit_test(user_marks),
        cmocka_unit_test(partition_rules),
        cmocka_unit_test(no_control_by_merging),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(long_runs),
        cmocka_unit_test(not_utf8),
        cmocka_unit_test(streaming),
        cmocka_unit_test(bad_vocabularies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
