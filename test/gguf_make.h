/* gguf_make.h - builds GGUF files for tests: any keys and tensors, and whole random models of the Llama shape.
 *
 *   struct slx_test_model_spec s = {.n_layers = 2, .d_model = 64, .d_ff = 96, .n_heads = 4, .n_kv_heads = 2,
 *                                   .vocab = 300, .t_ffn = SLX_T_Q4_1, .tokenizer = true, .seed = 7};
 *   slx_test_write_model("/tmp/m.gguf", &s);
 *
 * Values are drawn from slx_rng (splitmix64), so a spec gives the same file on every host. Matrices are N(0, 1/K): their
 * outputs keep the scale of their inputs through any number of layers; norm weights are 1 +- 0.1. The encoders here are
 * written apart from the library's decoders. Everything is static inline: include it, link libsilex.
 */
#ifndef SLX_TEST_GGUF_MAKE_H
#define SLX_TEST_GGUF_MAKE_H

#include "model/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ container */

/* Zero-initialise; kv, table and data grow as keys and tensors are added; slx_gm_finish joins and frees them. */
typedef struct {
    slx_buf kv, table, data;
    uint64_t n_kv, n_tensors;
    uint32_t version; /* 0 = 3 */
    uint32_t
        align; /* of the data; 0 = 32. Write the key general.alignment yourself when it is another */
} slx_gm;

static inline void slx_gm_u32_to(slx_buf *b, uint32_t x)
{
    uint8_t p[4] = {(uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16), (uint8_t)(x >> 24)};
    slx_buf_add(b, p, 4);
}

static inline void slx_gm_u64_to(slx_buf *b, uint64_t x)
{
    slx_gm_u32_to(b, (uint32_t)x);
    slx_gm_u32_to(b, (uint32_t)(x >> 32));
}

static inline void slx_gm_f32_to(slx_buf *b, float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    slx_gm_u32_to(b, u);
}

static inline void slx_gm_str_to(slx_buf *b, const char *s, size_t n)
{
    slx_gm_u64_to(b, n);
    if (n) slx_buf_add(b, s, n);
}

/* The key and the type of a value; the caller appends the value itself to m->kv. */
static inline void slx_gm_key(slx_gm *m, const char *key, uint32_t vtype)
{
    slx_gm_str_to(&m->kv, key, strlen(key));
    slx_gm_u32_to(&m->kv, vtype);
    m->n_kv++;
}

static inline void slx_gm_u32(slx_gm *m, const char *key, uint32_t x)
{
    slx_gm_key(m, key, 4);
    slx_gm_u32_to(&m->kv, x);
}

static inline void slx_gm_f32(slx_gm *m, const char *key, float x)
{
    slx_gm_key(m, key, 6);
    slx_gm_f32_to(&m->kv, x);
}

static inline void slx_gm_bool(slx_gm *m, const char *key, bool x)
{
    slx_gm_key(m, key, 7);
    slx_buf_addc(&m->kv, x ? 1 : 0);
}

static inline void slx_gm_str(slx_gm *m, const char *key, const char *s)
{
    slx_gm_key(m, key, 8);
    slx_gm_str_to(&m->kv, s, strlen(s));
}

/* An array; the caller appends n values of type etype to m->kv. */
static inline void slx_gm_array(slx_gm *m, const char *key, uint32_t etype, uint64_t n)
{
    slx_gm_key(m, key, 9);
    slx_gm_u32_to(&m->kv, etype);
    slx_gm_u64_to(&m->kv, n);
}

static inline void slx_gm_strs(slx_gm *m, const char *key, const char *const *s, uint64_t n)
{
    slx_gm_array(m, key, 8, n);
    for (uint64_t i = 0; i < n; i++) slx_gm_str_to(&m->kv, s[i], strlen(s[i]));
}

static inline void slx_gm_pad(slx_buf *b, size_t align)
{
    while (b->len % align) slx_buf_addc(b, 0);
}

/* A line of the tensor table alone: for files that lie. */
static inline void slx_gm_entry(slx_gm *m, const char *name, uint32_t n_dims, const uint64_t *ne,
                                uint32_t type, uint64_t offset)
{
    slx_gm_str_to(&m->table, name, strlen(name));
    slx_gm_u32_to(&m->table, n_dims);
    for (uint32_t i = 0; i < n_dims; i++) slx_gm_u64_to(&m->table, ne[i]);
    slx_gm_u32_to(&m->table, type);
    slx_gm_u64_to(&m->table, offset);
    m->n_tensors++;
}

/* A tensor with its data; ne1 == 0 gives a vector. */
static inline void slx_gm_tensor(slx_gm *m, const char *name, uint64_t ne0, uint64_t ne1,
                                 uint32_t type, const void *data, size_t bytes)
{
    uint64_t ne[2] = {ne0, ne1};
    slx_gm_pad(&m->data, m->align ? m->align : 32);
    slx_gm_entry(m, name, ne1 ? 2 : 1, ne, type, m->data.len);
    slx_buf_add(&m->data, data, bytes);
}

static inline void slx_gm_free(slx_gm *m)
{
    slx_buf_free(&m->kv);
    slx_buf_free(&m->table);
    slx_buf_free(&m->data);
    *m = (slx_gm){0};
}

/* Appends the file to out (empty before) and frees m. */
static inline void slx_gm_finish(slx_gm *m, slx_buf *out)
{
    slx_buf_add(out, "GGUF", 4);
    slx_gm_u32_to(out, m->version ? m->version : 3);
    slx_gm_u64_to(out, m->n_tensors);
    slx_gm_u64_to(out, m->n_kv);
    if (m->kv.len) slx_buf_add(out, m->kv.ptr, m->kv.len);
    if (m->table.len) slx_buf_add(out, m->table.ptr, m->table.len);
    if (m->n_tensors) slx_gm_pad(out, m->align ? m->align : 32);
    if (m->data.len) slx_buf_add(out, m->data.ptr, m->data.len);
    slx_gm_free(m);
}

/* ------------------------------------------------------------------ numbers */

/* f32 to binary16, round to nearest even; |x| beyond the range becomes infinity. */
static inline uint16_t slx_gm_f16(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    uint16_t sign = (uint16_t)(u >> 16 & 0x8000u);
    float a = fabsf(x);
    if (a >= 65520.0f) return (uint16_t)(sign | 0x7c00u);
    if (a < 0x1p-14f)
        return (uint16_t)(sign | (uint16_t)lrintf(a * 0x1p24f)); /* 1024 carries into the normals */
    u &= 0x7fffffffu;
    u += 0xfffu + (u >> 13 & 1u);
    return (uint16_t)(sign | ((u >> 13) - (112u << 10)));
}

static inline uint16_t slx_gm_bf16(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

static inline void slx_gm_u16_to(slx_buf *b, uint16_t x)
{
    slx_buf_addc(b, (char)x);
    slx_buf_addc(b, (char)(x >> 8));
}

static inline int slx_gm_clamp(float x, int lo, int hi)
{
    long q = lrintf(x);
    return (int)(q < lo ? lo : q > hi ? hi : q);
}

/* 32 values as one block of Q4_0, Q4_1, Q8_0 or MXFP4. The stored half-precision scale is the largest one's; the codes are
 * taken with the unrounded scale, as quantisers do. */
static inline void slx_gm_block(slx_buf *b, uint32_t type, const float *x)
{
    float amax = 0, peak = 0, lo = x[0], hi = x[0];
    int q[32];
    for (int i = 0; i < 32; i++) {
        if (fabsf(x[i]) > amax) amax = fabsf(x[i]), peak = x[i];
        lo = fminf(lo, x[i]);
        hi = fmaxf(hi, x[i]);
    }
    float d = type == SLX_T_Q4_0 ? peak / -8 : type == SLX_T_Q4_1 ? (hi - lo) / 15 : amax / 127;
    float inv = d != 0 ? 1 / d : 0;
    if (type == SLX_T_MXFP4) { /* scale: the largest is below 8 elements of 1; nearest element, ties to the lower */
        static const float e2m1[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
        int e = 127;
        while (amax > 0 && amax / ldexpf(1, e - 127) > 6) e++;
        while (amax > 0 && amax / ldexpf(1, e - 127) <= 3) e--;
        slx_buf_addc(b, (char)e);
        for (int i = 0; i < 32; i++) {
            float v = fabsf(x[i]) / ldexpf(1, e - 127);
            q[i] = 0;
            for (int k = 1; k < 8; k++)
                if (fabsf(v - e2m1[k]) < fabsf(v - e2m1[q[i]])) q[i] = k;
            if (x[i] < 0) q[i] |= 8;
        }
        for (int i = 0; i < 16; i++) slx_buf_addc(b, (char)(q[i] | q[i + 16] << 4));
        return;
    }
    slx_gm_u16_to(b, slx_gm_f16(d));
    if (type == SLX_T_Q8_0) {
        for (int i = 0; i < 32; i++) slx_buf_addc(b, (char)slx_gm_clamp(x[i] * inv, -127, 127));
        return;
    }
    if (type == SLX_T_Q4_1) slx_gm_u16_to(b, slx_gm_f16(lo));
    for (int i = 0; i < 32; i++)
        q[i] = type == SLX_T_Q4_0 ? slx_gm_clamp(x[i] * inv + 8, 0, 15)
                                  : slx_gm_clamp((x[i] - lo) * inv, 0, 15);
    for (int i = 0; i < 16; i++) slx_buf_addc(b, (char)(q[i] | q[i + 16] << 4));
}

/* n values of a row in storage type `type` (F32, F16, BF16, Q4_0, Q4_1, Q8_0, MXFP4; blocks: n a multiple of 32). */
static inline void slx_gm_encode(slx_buf *b, uint32_t type, const float *x, size_t n)
{
    for (size_t i = 0; i < n;) {
        if (type == SLX_T_F32)
            slx_gm_f32_to(b, x[i++]);
        else if (type == SLX_T_F16)
            slx_gm_u16_to(b, slx_gm_f16(x[i++]));
        else if (type == SLX_T_BF16)
            slx_gm_u16_to(b, slx_gm_bf16(x[i++]));
        else {
            SLX_ASSERT(n % 32 == 0);
            slx_gm_block(b, type, x + i);
            i += 32;
        }
    }
}

/* Standard normal: the sum of twelve uniforms, exact in double and so equal on every host (no libm). */
static inline float slx_gm_normal(slx_rng *r)
{
    double s = -6;
    for (int i = 0; i < 12; i++) s += slx_rng_f64(r);
    return (float)s;
}

/* A random matrix [k, n] of N(0, 1/k) times gain. */
static inline void slx_gm_matrix(slx_gm *m, const char *name, uint32_t k, uint32_t n, uint32_t type,
                                 float gain, slx_rng *r)
{
    slx_buf b = {0};
    float *row = slx_xmalloc(k * sizeof *row), scale = gain / sqrtf((float)k);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < k; j++) row[j] = slx_gm_normal(r) * scale;
        slx_gm_encode(&b, type, row, k);
    }
    slx_gm_tensor(m, name, k, n, type, b.ptr, b.len);
    free(row);
    slx_buf_free(&b);
}

/* A vector of N(0, 1) times scale. */
static inline void slx_gm_bias(slx_gm *m, const char *name, uint32_t n, float scale, slx_rng *r)
{
    slx_buf b = {0};
    for (uint32_t j = 0; j < n; j++) slx_gm_f32_to(&b, scale * slx_gm_normal(r));
    slx_gm_tensor(m, name, n, 0, SLX_T_F32, b.ptr, b.len);
    slx_buf_free(&b);
}

static inline void slx_gm_norm(slx_gm *m, const char *name, uint32_t n, uint32_t type, slx_rng *r)
{
    slx_buf b = {0};
    float *x = slx_xmalloc(n * sizeof *x);
    for (uint32_t j = 0; j < n; j++) x[j] = 1.0f + 0.1f * slx_gm_normal(r);
    slx_gm_encode(&b, type, x, n);
    slx_gm_tensor(m, name, n, 0, type, b.ptr, b.len);
    free(x);
    slx_buf_free(&b);
}

/* ------------------------------------------------------------------ a tokenizer */

/* Unicode character of a byte in byte-level BPE, as UTF-8 and NUL: printable ones stand for themselves, the other 68
 * follow from U+0100 on. */
static inline void slx_gm_byte_char(uint32_t byte, char out[5])
{
    uint32_t cp = 0x100;
    for (uint32_t b = 0; b <= byte; b++) {
        bool self = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        if (b == byte)
            cp = self ? b : cp;
        else if (!self)
            cp++;
    }
    out[slx_utf8_put(out, cp)] = 0;
}

static const char slx_gm_chatml[] =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>' + "
    "'\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/* Ids: 0 <|endoftext|>, 1 <|im_start|> (bos), 2 <|im_end|> (eos), 3..258 the bytes in order, then 14 merged tokens,
 * then unused fillers up to vocab. Needs vocab >= 273. Pre-tokenizer gpt-2. */
enum { SLX_GM_FIRST_BYTE = 3, SLX_GM_FIRST_MERGED = 259, SLX_GM_MIN_VOCAB = 273 };

static inline void slx_gm_tokenizer(slx_gm *m, uint32_t vocab)
{
    static const char *const control[3] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
    /* "\304\240" is U+0120, the space. Each right after what it is made of. */
    static const char *const merges[14] = {"t h", "th e", "\304\240 the", "\304\240 t", "a n", "an d",
                                           "\304\240 and", "\304\240 a", "i n", "in g", "e r", "o n",
                                           "r e", "l l"};
    char text[32];
    SLX_ASSERT(vocab >= SLX_GM_MIN_VOCAB);
    slx_gm_str(m, "tokenizer.ggml.model", "gpt2");
    slx_gm_str(m, "tokenizer.ggml.pre", "gpt-2");
    slx_gm_array(m, "tokenizer.ggml.tokens", 8, vocab);
    for (uint32_t i = 0; i < vocab; i++) {
        if (i < SLX_GM_FIRST_BYTE) {
            snprintf(text, sizeof text, "%s", control[i]);
        } else if (i < SLX_GM_FIRST_MERGED) {
            slx_gm_byte_char(i - SLX_GM_FIRST_BYTE, text);
        } else if (i < SLX_GM_MIN_VOCAB) {
            const char *pair = merges[i - SLX_GM_FIRST_MERGED], *gap = strchr(pair, ' ');
            snprintf(text, sizeof text, "%.*s%s", (int)(gap - pair), pair, gap + 1);
        } else {
            snprintf(text, sizeof text, "<unused%u>", i);
        }
        slx_gm_str_to(&m->kv, text, strlen(text));
    }
    slx_gm_array(m, "tokenizer.ggml.token_type", 5, vocab);
    for (uint32_t i = 0; i < vocab; i++)
        slx_gm_u32_to(&m->kv, i < SLX_GM_FIRST_BYTE ? 3 : i < SLX_GM_MIN_VOCAB ? 1 : 5);
    slx_gm_strs(m, "tokenizer.ggml.merges", merges, 14);
    slx_gm_u32(m, "tokenizer.ggml.bos_token_id", 1);
    slx_gm_u32(m, "tokenizer.ggml.eos_token_id", 2);
    slx_gm_bool(m, "tokenizer.ggml.add_bos_token", false);
    slx_gm_str(m, "tokenizer.chat_template", slx_gm_chatml);
}

/* ------------------------------------------------------------------ a model */

/* Zero means the default in brackets; types default to F32, as its number is 0. d_model of a block type, and every K it
 * is used with (d_ff for down, n_heads*head_dim for o), must be a multiple of 32. */
struct slx_test_model_spec {
    uint32_t n_layers, d_model, d_ff, n_heads; /* [1, 64, 2*d_model, 1] */
    uint32_t n_kv_heads;                       /* [n_heads] */
    uint32_t head_dim;                         /* [d_model / n_heads] */
    uint32_t n_rot;                            /* [head_dim] */
    uint32_t vocab, context;                   /* [288, 256] */
    float eps, rope_base;                      /* [1e-5, 10000] */
    bool tied, tokenizer; /* no output.weight; a tokenizer and a ChatML template */
    bool rope_freqs;      /* a rope_freqs.weight with divisors 1..8 */
    float rope_linear;    /* rope.scaling.type linear with this factor [none] */
    const char *arch;     /* qwen2: biases of q, k, v; qwen3: norms of q and k; gpt2 [llama] */
    uint32_t t_embd, t_output, t_qkv, t_o, t_gate_up, t_down, t_norm; /* slx_tensor_type */
    uint64_t seed;
};

static inline struct slx_test_model_spec slx_test_model_filled(struct slx_test_model_spec s)
{
#define SLX_GM_DEFAULT(f, x) s.f = s.f ? s.f : (x)
    SLX_GM_DEFAULT(n_layers, 1);
    SLX_GM_DEFAULT(d_model, 64);
    SLX_GM_DEFAULT(d_ff, 2 * s.d_model);
    SLX_GM_DEFAULT(n_heads, 1);
    SLX_GM_DEFAULT(n_kv_heads, s.n_heads);
    SLX_GM_DEFAULT(head_dim, s.d_model / s.n_heads);
    SLX_GM_DEFAULT(n_rot, s.head_dim);
    SLX_GM_DEFAULT(vocab, 288);
    SLX_GM_DEFAULT(context, 256);
#undef SLX_GM_DEFAULT
    if (!s.arch) s.arch = "llama";
    if (s.eps == 0) s.eps = 1e-5f;
    if (s.rope_base == 0) s.rope_base = 10000.0f;
    return s;
}

/* Keys and tensors of the spec, for callers that change something before slx_gm_finish. */
static inline void slx_test_model_parts(slx_gm *m, const struct slx_test_model_spec *spec)
{
    struct slx_test_model_spec s = slx_test_model_filled(*spec);
    slx_rng r = {s.seed};
    uint32_t q = s.n_heads * s.head_dim, kv = s.n_kv_heads * s.head_dim;
    char name[64];
#define SLX_GM_KEY(part) (snprintf(name, sizeof name, "%s." part, s.arch), name)
    slx_gm_str(m, "general.architecture", s.arch);
    slx_gm_str(m, "general.name", "random");
    slx_gm_u32(m, SLX_GM_KEY("block_count"), s.n_layers);
    slx_gm_u32(m, SLX_GM_KEY("context_length"), s.context);
    slx_gm_u32(m, SLX_GM_KEY("embedding_length"), s.d_model);
    slx_gm_u32(m, SLX_GM_KEY("feed_forward_length"), s.d_ff);
    slx_gm_u32(m, SLX_GM_KEY("attention.head_count"), s.n_heads);
    slx_gm_u32(m, SLX_GM_KEY("attention.head_count_kv"), s.n_kv_heads);
    slx_gm_u32(m, SLX_GM_KEY("attention.key_length"), s.head_dim);
    slx_gm_u32(m, SLX_GM_KEY("attention.value_length"), s.head_dim);
    bool gpt = !strcmp(s.arch, "gpt2");
    if (!gpt) {
        slx_gm_u32(m, SLX_GM_KEY("rope.dimension_count"), s.n_rot);
        slx_gm_f32(m, SLX_GM_KEY("rope.freq_base"), s.rope_base);
        slx_gm_f32(m, SLX_GM_KEY("attention.layer_norm_rms_epsilon"), s.eps);
    } else {
        slx_gm_f32(m, SLX_GM_KEY("attention.layer_norm_epsilon"), s.eps);
    }
    slx_gm_u32(m, SLX_GM_KEY("vocab_size"), s.vocab);
    if (s.rope_linear != 0) {
        slx_gm_str(m, SLX_GM_KEY("rope.scaling.type"), "linear");
        slx_gm_f32(m, SLX_GM_KEY("rope.scaling.factor"), s.rope_linear);
    }
#undef SLX_GM_KEY
    if (s.tokenizer) slx_gm_tokenizer(m, s.vocab);

    /* Embedding rows of unit variance; an output gain of 4 spreads the logits, so that greedy tokens are not ties. */
    slx_gm_matrix(m, "token_embd.weight", s.d_model, s.vocab, s.t_embd,
                  s.tied ? 4.0f : sqrtf((float)s.d_model), &r);
    slx_gm_norm(m, "output_norm.weight", s.d_model, s.t_norm, &r);
    if (gpt) {
        slx_gm_bias(m, "output_norm.bias", s.d_model, 0.25f, &r);
        slx_gm_matrix(m, "position_embd.weight", s.d_model, s.context, SLX_T_F32, sqrtf((float)s.d_model) / 4, &r);
    }
    if (!s.tied) slx_gm_matrix(m, "output.weight", s.d_model, s.vocab, s.t_output, 4.0f, &r);
    if (s.rope_freqs) {
        slx_buf b = {0};
        for (uint32_t i = 0; i < s.n_rot / 2; i++)
            slx_gm_f32_to(&b, 1.0f + 7.0f * (float)slx_rng_f64(&r));
        slx_gm_tensor(m, "rope_freqs.weight", s.n_rot / 2, 0, SLX_T_F32, b.ptr, b.len);
        slx_buf_free(&b);
    }
    for (uint32_t i = 0; i < s.n_layers; i++) {
#define SLX_GM_NAME(part) (snprintf(name, sizeof name, "blk.%u." part ".weight", i), name)
        slx_gm_norm(m, SLX_GM_NAME("attn_norm"), s.d_model, s.t_norm, &r);
        if (gpt) {
            slx_gm_matrix(m, SLX_GM_NAME("attn_qkv"), s.d_model, q + 2 * kv, s.t_qkv, 1, &r);
        } else {
            slx_gm_matrix(m, SLX_GM_NAME("attn_q"), s.d_model, q, s.t_qkv, 1, &r);
            slx_gm_matrix(m, SLX_GM_NAME("attn_k"), s.d_model, kv, s.t_qkv, 1, &r);
            slx_gm_matrix(m, SLX_GM_NAME("attn_v"), s.d_model, kv, s.t_qkv, 1, &r);
        }
        slx_gm_matrix(m, SLX_GM_NAME("attn_output"), q, s.d_model, s.t_o, 1, &r);
        slx_gm_norm(m, SLX_GM_NAME("ffn_norm"), s.d_model, s.t_norm, &r);
        if (!gpt) slx_gm_matrix(m, SLX_GM_NAME("ffn_gate"), s.d_model, s.d_ff, s.t_gate_up, 1, &r);
        slx_gm_matrix(m, SLX_GM_NAME("ffn_up"), s.d_model, s.d_ff, s.t_gate_up, 1, &r);
        slx_gm_matrix(m, SLX_GM_NAME("ffn_down"), s.d_ff, s.d_model, s.t_down, 1, &r);
        if (!strcmp(s.arch, "qwen3")) {
            slx_gm_norm(m, SLX_GM_NAME("attn_q_norm"), s.head_dim, s.t_norm, &r);
            slx_gm_norm(m, SLX_GM_NAME("attn_k_norm"), s.head_dim, s.t_norm, &r);
        }
#undef SLX_GM_NAME
#define SLX_GM_NAME(part) (snprintf(name, sizeof name, "blk.%u." part ".bias", i), name)
        if (!strcmp(s.arch, "qwen2")) {
            slx_gm_bias(m, SLX_GM_NAME("attn_q"), q, 1, &r);
            slx_gm_bias(m, SLX_GM_NAME("attn_k"), kv, 1, &r);
            slx_gm_bias(m, SLX_GM_NAME("attn_v"), kv, 0.5f, &r);
        }
        if (gpt) {
            slx_gm_bias(m, SLX_GM_NAME("attn_norm"), s.d_model, 0.25f, &r);
            slx_gm_bias(m, SLX_GM_NAME("attn_qkv"), q + 2 * kv, 0.5f, &r);
            slx_gm_bias(m, SLX_GM_NAME("attn_output"), s.d_model, 0.5f, &r);
            slx_gm_bias(m, SLX_GM_NAME("ffn_norm"), s.d_model, 0.25f, &r);
            slx_gm_bias(m, SLX_GM_NAME("ffn_up"), s.d_ff, 0.5f, &r);
            slx_gm_bias(m, SLX_GM_NAME("ffn_down"), s.d_model, 0.5f, &r);
        }
#undef SLX_GM_NAME
    }
}

/* The file in memory; free with slx_buf_free. */
static inline void slx_test_make_model(slx_buf *out, const struct slx_test_model_spec *spec)
{
    slx_gm m = {0};
    slx_test_model_parts(&m, spec);
    slx_gm_finish(&m, out);
}

/* true when the file was written. */
static inline bool slx_test_write_model(const char *path, const struct slx_test_model_spec *spec)
{
    slx_buf b = {0};
    slx_test_make_model(&b, spec);
    slx_status s = slx_write_file(path, b.ptr, b.len, NULL);
    slx_buf_free(&b);
    return s == SLX_OK;
}

#endif
