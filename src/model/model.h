/* model.h - a model as the rest of Silex sees it: hyperparameters, named tensors borrowed from the file's map,
 * a tokenizer and a chat template. Formats plug in behind slx_model_open; architectures behind one table (arch.c).
 *
 *   file.gguf --> gguf.c (container: keys, tensors) --> arch.c (what they mean) --> slx_model
 *                     |--> tokenizer_*.c --> slx_tokenizer
 *                     '--> template.c    --> slx_template
 *   config.json --> config.c (hyperparameters) --> shapes.c (the same tensors, without data) --> slx_model
 */
#ifndef SLX_MODEL_H
#define SLX_MODEL_H

#include "base/base.h"

/* ------------------------------------------------------------------ tensors */

/* name, ggml id, elements a block, bytes a block, can be read as floats by slx_dequant. One row a storage type. Types
 * that are only sized here let a file's header be read, so that the model is refused with their name. */
#define SLX_TENSOR_TYPES(X)                                                                        \
    X(F32, 0, 1, 4, 1)    X(F16, 1, 1, 2, 1)     X(Q4_0, 2, 32, 18, 1)  X(Q4_1, 3, 32, 20, 1)      \
    X(Q5_0, 6, 32, 22, 1) X(Q5_1, 7, 32, 24, 1)  X(Q8_0, 8, 32, 34, 1)  X(Q8_1, 9, 32, 36, 0)      \
    X(Q2_K, 10, 256, 84, 1) X(Q3_K, 11, 256, 110, 1) X(Q4_K, 12, 256, 144, 1)                      \
    X(Q5_K, 13, 256, 176, 1) X(Q6_K, 14, 256, 210, 1) X(Q8_K, 15, 256, 292, 0)                     \
    X(IQ2_XXS, 16, 256, 66, 0) X(IQ2_XS, 17, 256, 74, 0) X(IQ3_XXS, 18, 256, 98, 0)                \
    X(IQ1_S, 19, 256, 50, 0) X(IQ4_NL, 20, 32, 18, 1) X(IQ3_S, 21, 256, 110, 0)                    \
    X(IQ2_S, 22, 256, 82, 0) X(IQ4_XS, 23, 256, 136, 1) X(I8, 24, 1, 1, 0) X(I16, 25, 1, 2, 0)     \
    X(I32, 26, 1, 4, 0)   X(I64, 27, 1, 8, 0)    X(F64, 28, 1, 8, 0)    X(IQ1_M, 29, 256, 56, 0)   \
    X(BF16, 30, 1, 2, 1)  X(TQ1_0, 34, 256, 54, 1) X(TQ2_0, 35, 256, 66, 1)                        \
    X(MXFP4, 39, 32, 17, 1) X(NVFP4, 40, 64, 36, 1)

typedef enum {
#define X(name, id, elems, bytes, deq) SLX_T_##name = id,
    SLX_TENSOR_TYPES(X)
#undef X
} slx_tensor_type;

const char *slx_tensor_type_name(uint32_t type); /* "Q4_1"; NULL when unknown to this table */
bool slx_tensor_type_info(uint32_t type, uint32_t *block_elems, uint32_t *block_bytes);

typedef struct {
    const char *name;
    uint32_t type;      /* slx_tensor_type */
    uint32_t n_dims;
    uint64_t ne[4];     /* ne[0] contiguous (K of a weight), ne[1] rows (N) */
    const uint8_t *data; /* borrowed from the model's map; NULL in a vocabulary-only view */
    uint64_t bytes, row_bytes;
} slx_tensor;

/* n elements starting at a block boundary -> float. formats.md section 2: f32, one rounding a written operation.
 * false when the type has no float reading. */
bool slx_dequant(uint32_t type, const void *src, float *dst, size_t n);
float slx_f16_to_f32(uint16_t h); /* exact */

/* ------------------------------------------------------------------ container (GGUF) */

typedef struct slx_gguf slx_gguf; /* parsed key-values and tensor table over a map; see gguf.c */

/* Types of a value as in the file: 0 u8 .. 12 f64. */
typedef struct {
    uint32_t vtype;       /* 8 string, 9 array */
    uint32_t etype;       /* of array */
    uint64_t n;           /* array length, else 1 */
    const uint8_t *data;  /* borrowed; for an array of strings the packed {u64 len, bytes} items */
} slx_gguf_value;

slx_status slx_gguf_open(slx_gguf **out, const char *path, slx_err *err);
/* Parses a buffer as a file (fuzzing, tests); borrows p for the life of the result. */
slx_status slx_gguf_parse(slx_gguf **out, const void *p, size_t n, const char *name, slx_err *err);
void slx_gguf_close(slx_gguf *g);
const slx_gguf_value *slx_gguf_get(const slx_gguf *g, const char *key);
slx_status slx_gguf_u32(const slx_gguf *g, const char *key, uint32_t *out, slx_err *err); /* any integer type */
slx_status slx_gguf_f32(const slx_gguf *g, const char *key, float *out, slx_err *err);
bool slx_gguf_str(const slx_gguf *g, const char *key, slx_str *out);
const char *slx_gguf_path(const slx_gguf *g);
int slx_gguf_tensor_count(const slx_gguf *g);
const slx_tensor *slx_gguf_tensor(const slx_gguf *g, int i);
const slx_tensor *slx_gguf_find(const slx_gguf *g, const char *name);

/* ------------------------------------------------------------------ architecture */

typedef enum { SLX_ROPE_INTERLEAVED, SLX_ROPE_HALF } slx_rope_style; /* GGML NORM; NEOX */

/* A dense decoder of the Llama, Qwen and GPT-2 families. Counts are per model; every count but n_rot is >= 1 after a
 * successful open. */
typedef struct {
    const char *arch;        /* "llama", "qwen2", "qwen3", "gpt2" */
    uint32_t n_layers, d_model, d_ff, n_heads, n_kv_heads, head_dim, n_rot, vocab, context;
    float rms_eps, rope_base; /* rms_eps: of layer norms too */
    slx_rope_style rope_style;
    bool tied;               /* output uses the embedding table */
    bool qkv_bias;           /* q, k and v have biases (Qwen2) */
    bool qk_norm;            /* RMSNorm of every head of q and k, before the rotation (Qwen3) */
    bool gpt;                /* GPT-2 and GPT-3: layer norms with biases, biases of every product of a layer, gelu and
                                no gate, learned positions and no rotation (n_rot 0) */
} slx_hparams;

/* Weights of one layer; borrowed. Shapes as [K] or [K, N] (K contiguous). */
typedef struct {
    const slx_tensor *attn_norm;              /* [d_model] */
    const slx_tensor *wq, *wk, *wv;           /* [d_model, n_heads*head_dim], [d_model, n_kv_heads*head_dim] x2 */
    const slx_tensor *wo;                     /* [n_heads*head_dim, d_model] */
    const slx_tensor *ffn_norm;               /* [d_model] */
    const slx_tensor *w_gate, *w_up, *w_down; /* [d_model, d_ff] x2, [d_ff, d_model]; gpt: no gate */
    const slx_tensor *bq, *bk, *bv;           /* [n_heads*head_dim], [n_kv_heads*head_dim] x2; NULL without qkv_bias */
    const slx_tensor *q_norm, *k_norm;        /* [head_dim]; NULL without qk_norm */
    const slx_tensor *attn_norm_b, *ffn_norm_b, *bo, *b_down; /* [d_model]; NULL without gpt */
    const slx_tensor *b_up;                   /* [d_ff]; NULL without gpt */
} slx_layer_weights;

typedef struct slx_tokenizer slx_tokenizer;
typedef struct slx_template slx_template;

typedef struct {
    char path[1024];
    const char *name;                /* general.name, else the file's base name */
    slx_hparams hp;
    const slx_tensor *tok_embd;      /* [d_model, vocab] */
    const slx_tensor *output_norm;   /* [d_model] */
    const slx_tensor *output_norm_b; /* [d_model]; NULL without gpt */
    const slx_tensor *pos_embd;      /* [d_model, context]; NULL without gpt */
    const slx_tensor *output;        /* [d_model, vocab]; == tok_embd when tied */
    const slx_tensor *rope_freqs;    /* [n_rot/2] F32 divisors of the angles, or NULL; holds linear scaling too */
    slx_layer_weights *layers;       /* [n_layers] */
    const slx_tokenizer *tok;        /* NULL when the file has none */
    const slx_template *chat;        /* NULL when the file has none */
    slx_tensor *parts;               /* q, k and v where the file has them in one tensor; looked up before the file's own */
    uint32_t n_parts;
    bool shapes_only;                /* of a config.json: every tensor but rope_freqs has data == NULL */
    slx_gguf *gguf;                  /* owns the map; NULL when shapes_only */
    uint64_t file_bytes;             /* shapes_only: what the tensors would take */
    uint64_t hash;                   /* slx_hash of the header bytes and the file size (not of the weights); shapes_only:
                                        of the config's bytes and the weights' type */
    slx_arena arena;
} slx_model;

/* Opens and checks everything: every tensor there, with the shape the hyperparameters ask for. Unsupported
 * architectures, tensor types, rope scalings, biases, experts are refused by name. path is a GGUF file, or a model known
 * by its shapes: a config.json as Hugging Face writes it, a folder with one, or the name of one in data/models. */
slx_status slx_model_open(slx_model **out, const char *path, slx_err *err);
/* As slx_model_open; weight_type is the storage type of a shapes-only model's matrices ("Q8_0"; norms are F32), NULL for
 * the config's own key "weight_type", else Q4_0. A GGUF file has its own types: there it must be NULL. */
slx_status slx_model_open_as(slx_model **out, const char *path, const char *weight_type, slx_err *err);
/* A config in memory; name is for messages and for the model. */
slx_status slx_model_parse_config(slx_model **out, const char *text, size_t n, const char *name,
                                  const char *weight_type, slx_err *err);
/* SLX_OK when weights have values; else the refusal that every user of values gives. */
slx_status slx_model_need_values(const slx_model *m, slx_err *err);
void slx_model_close(slx_model *m);
/* A weight by its name: of the file, or the part of one; NULL. */
const slx_tensor *slx_model_tensor(const slx_model *m, const char *name);
/* The file's pages of a weight are no longer needed (after packing). */
void slx_model_release(const slx_model *m, const slx_tensor *t);

/* Only the tokenizer and template of a file: works for vocabulary-only files. Same object, layers == NULL. */
slx_status slx_model_open_vocab(slx_model **out, const char *path, slx_err *err);

/* ------------------------------------------------------------------ tokenizer */

typedef struct {
    uint32_t id;
    slx_str text; /* the vocabulary's own text, byte-mapped for BPE; borrowed */
} slx_piece;

/* Tokens of text. special: literal control tokens in the text become their ids. Appends to *ids (slx_buf of uint32_t).
 * No BOS is added here. Text that is not UTF-8 or above 1 GiB is refused. */
slx_status slx_tokenize(const slx_tokenizer *t, const char *text, size_t len, bool special, slx_buf *ids,
                        slx_err *err);

/* A rendered prompt: text with a mark for each byte that came from the user. */
typedef struct {
    slx_buf text;
    slx_buf user; /* same length as text; 1 = user input: control tokens there are plain text */
} slx_rendered;
void slx_rendered_free(slx_rendered *r);
/* As slx_tokenize with specials on, except where r->user is set. */
slx_status slx_tokenize_rendered(const slx_tokenizer *t, const slx_rendered *r, slx_buf *ids, slx_err *err);

uint32_t slx_tok_vocab(const slx_tokenizer *t);
slx_str slx_tok_piece(const slx_tokenizer *t, uint32_t id);
bool slx_tok_is_control(const slx_tokenizer *t, uint32_t id);
bool slx_tok_is_eog(const slx_tokenizer *t, uint32_t id);
int64_t slx_tok_bos(const slx_tokenizer *t); /* -1 = none */
int64_t slx_tok_eos(const slx_tokenizer *t);
bool slx_tok_add_bos(const slx_tokenizer *t);
/* Bytes of a token as text (control tokens: nothing unless special). Appends to out. */
void slx_detokenize(const slx_tokenizer *t, uint32_t id, bool special, slx_buf *out);

/* Streaming: emits the longest prefix that ends at a complete UTF-8 sequence, holds at most 3 bytes. */
typedef struct { char hold[8]; int n; } slx_utf8_stream;
void slx_utf8_stream_add(slx_utf8_stream *s, const char *p, size_t n, slx_buf *out);
void slx_utf8_stream_end(slx_utf8_stream *s, slx_buf *out); /* the rest as U+FFFD */

/* ------------------------------------------------------------------ chat template (Jinja) */

/* Parses a template; name is for messages. Lives in the arena. */
slx_status slx_template_parse(slx_template **out, slx_arena *a, const char *name, const char *text, size_t len,
                              slx_err *err);
/* Renders with variables from a JSON object text (messages, add_generation_prompt, bos_token, eos_token, tools, and
 * whatever else). Strings (content and the like, not the role; not what is under *_token) are marked as user input and the
 * marks follow them through every operation. now_iso: fixed time for strftime_now, or NULL for the clock.
 * raise_exception and errors of the template come back as SLX_EINPUT. A variable that is absent is undefined, not none:
 * callers give "tools": null when there are none, as templates expect. */
slx_status slx_template_render(const slx_template *t, const char *vars_json, size_t len, const char *now_iso,
                               slx_rendered *out, slx_err *err);
slx_str slx_template_text(const slx_template *t); /* its source; borrowed */

#endif
