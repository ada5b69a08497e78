/* fuzz_tokenizer.c - any bytes as text under every pre-tokenizer. The vocabulary has all 256 bytes, so what goes in
 * must come out; control tokens must come only from literals without a user mark.
 *
 *   input: u8 family, u8 from, u8 to (marks, in 256ths of the text), text
 */
#include "gguf_make.h"
#include "model/model_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const pres[] = {"gpt-2",       "smollm", "llama-bpe", "qwen2",
                                   "qwen35",      "gpt-4o", "tekken",    "deepseek-coder",
                                   "deepseek-v3", "falcon", "default"};
enum { FAMILIES = sizeof pres / sizeof *pres };

static void require(bool ok)
{
    if (!ok) abort();
}

static slx_model *open_family(int f)
{
    slx_gm gm = {0}, renamed = {0};
    slx_buf bytes = {0};
    slx_gguf *g;
    slx_model *m;
    slx_gm_tokenizer(&gm, SLX_GM_MIN_VOCAB);
    /* The maker writes gpt-2; the value is replaced by cutting the keys in two around it. */
    slx_buf key = {0};
    slx_gm_str_to(&key, "tokenizer.ggml.pre", 18);
    char *at = memmem(gm.kv.ptr, gm.kv.len, key.ptr, key.len);
    size_t before = (size_t)(at - gm.kv.ptr), after = before + key.len + 4 + 8 + 5;
    slx_buf_add(&renamed.kv, gm.kv.ptr, before);
    slx_buf_add(&renamed.kv, gm.kv.ptr + after, gm.kv.len - after);
    renamed.n_kv = gm.n_kv - 1;
    slx_gm_str(&renamed, "tokenizer.ggml.pre", pres[f]);
    slx_gm_free(&gm);
    slx_buf_free(&key);
    slx_gm_finish(&renamed, &bytes);
    require(slx_gguf_parse(&g, bytes.ptr, bytes.len, "family", NULL) == SLX_OK);
    require(slx_model_from_gguf(&m, g, true, NULL) == SLX_OK);
    return m; /* it and its bytes live as long as the process */
}

static bool is_control_id(const slx_buf *ids, size_t i, uint32_t *id)
{
    memcpy(id, ids->ptr + 4 * i, 4);
    return *id < SLX_GM_FIRST_BYTE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static slx_model *opened[FAMILIES];
    if (size < 3) return 0;
    int f = data[0] % FAMILIES;
    if (!opened[f]) opened[f] = open_family(f);
    const slx_tokenizer *t = opened[f]->tok;
    slx_rendered r = {0};
    slx_buf ids = {0}, out = {0}, stream = {0};
    slx_utf8_stream s = {0};
    slx_err err;
    size_t n = size - 3, from = n * data[1] / 256, to = n * data[2] / 256;
    slx_buf_add(&r.text, data + 3, n);
    for (size_t i = 0; i < n; i++) slx_buf_addc(&r.user, i >= from && i < to);
    memset(&err, 0, sizeof err);
    slx_status status = slx_tokenize_rendered(t, &r, &ids, &err);
    require(status == SLX_OK ||
            (status == SLX_EINPUT && err.msg[0] && !slx_utf8_valid(r.text.ptr, n)));
    if (status == SLX_OK) {
        for (size_t i = 0; i < ids.len / 4; i++) {
            uint32_t id;
            size_t at = out.len;
            bool control = is_control_id(&ids, i, &id);
            require(id < slx_tok_vocab(t) && control == slx_tok_is_control(t, id));
            slx_detokenize(t, id, true, &out);
            slx_utf8_stream_add(&s, out.ptr + at, out.len - at, &stream);
            if (control) require(from >= to || out.len <= from || at >= to);
        }
        slx_utf8_stream_end(&s, &stream);
        require(out.len == n && (n == 0 || !memcmp(out.ptr, r.text.ptr, n)));
        require(stream.len == n && (n == 0 || !memcmp(stream.ptr, r.text.ptr, n)));
    }
    slx_buf_free(&r.text);
    slx_buf_free(&r.user);
    slx_buf_free(&ids);
    slx_buf_free(&out);
    slx_buf_free(&stream);
    return 0;
}
