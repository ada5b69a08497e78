/* fuzz_gguf.c - any bytes as a model file: the container, every value and tensor byte of it, the model, the tokenizer.
 * What was accepted must be readable to its last byte; what was refused must say why. */
#include "gguf_make.h"
#include "model/model_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok) abort();
}

static uint64_t read_tensors(const slx_gguf *g)
{
    uint64_t sum = 0;
    float y[256];
    for (int i = 0; i < slx_gguf_tensor_count(g); i++) {
        const slx_tensor *t = slx_gguf_tensor(g, i);
        uint32_t elems, bytes;
        require(slx_gguf_find(g, t->name) == t && slx_tensor_type_info(t->type, &elems, &bytes));
        for (uint64_t j = 0; j < t->bytes; j++) sum += t->data[j];
        if (slx_dequant(t->type, t->data + t->bytes - bytes, y, elems)) sum += y[0] > 0;
    }
    return sum;
}

static void read_values(const slx_gguf *g)
{
    static const char *const keys[] = {"general.name",
                                       "general.architecture",
                                       "tokenizer.ggml.tokens",
                                       "tokenizer.ggml.merges",
                                       "llama.block_count",
                                       "x.a",
                                       "x.b",
                                       "x.c"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        const slx_gguf_value *v = slx_gguf_get(g, keys[k]);
        slx_str s;
        uint32_t u;
        float f;
        int64_t x;
        slx_gguf_u32(g, keys[k], &u, NULL);
        slx_gguf_f32(g, keys[k], &f, NULL);
        if (slx_gguf_str(g, keys[k], &s)) slx_hash_of(s.ptr, s.len);
        if (!v) continue;
        uint64_t i = 0;
        const uint8_t *at = NULL;
        if (v->vtype == SLX_V_ARR && v->etype == SLX_V_STR)
            while (slx_gguf_next_str(v, &i, &at, &s)) slx_hash_of(s.ptr, s.len);
        else
            for (i = 0; i < v->n; i++) slx_gguf_int_at(v, i, &x);
    }
}

static void use_model(slx_model *m)
{
    static const char text[] =
        "<|im_start|>user\nAll 12 of them: \xc3\x84pfel, \xe4\xb8\x80!  <x><|im_end|>";
    slx_buf ids = {0}, out = {0};
    slx_err err;
    slx_tokenize(m->tok, text, sizeof text - 1, true, &ids, &err);
    for (size_t i = 0; i < ids.len / 4; i++) {
        uint32_t id;
        memcpy(&id, ids.ptr + 4 * i, 4);
        require(id < slx_tok_vocab(m->tok));
        slx_detokenize(m->tok, id, true, &out);
    }
    slx_buf_free(&ids);
    slx_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int vocab_only = 0; vocab_only < 2; vocab_only++) {
        slx_gguf *g;
        slx_model *m;
        slx_err err;
        memset(&err, 0, sizeof err);
        if (slx_gguf_parse(&g, data, size, "fuzz.gguf", &err) != SLX_OK) {
            require(!g && err.msg[0]);
            return 0;
        }
        if (!vocab_only) {
            read_tensors(g);
            read_values(g);
        }
        if (slx_model_from_gguf(&m, g, vocab_only, &err) != SLX_OK) {
            require(!m && err.msg[0]);
            continue;
        }
        if (m->tok) use_model(m);
        slx_model_close(m);
    }
    return 0;
}
