/* test_model.c - a container as a model: hyperparameters and weights of random models (test/gguf_make.h), and every
 * reason to refuse one, with its words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "gguf_make.h"
#include "model/model_int.h"

typedef struct slx_test_model_spec spec;

static const spec small = {.n_layers = 2,
                           .d_model = 32,
                           .d_ff = 64,
                           .n_heads = 4,
                           .n_kv_heads = 2,
                           .vocab = 40,
                           .seed = 3};

static slx_model *from_bytes(const slx_buf *b, slx_err *err)
{
    slx_gguf *g;
    slx_model *m;
    memset(err, 0, sizeof *err);
    if (slx_gguf_parse(&g, b->ptr, b->len, "t.gguf", err) != SLX_OK) return NULL;
    slx_model_from_gguf(&m, g, false, err);
    return m;
}

/* ------------------------------------------------------------------ what is read */

static void open_file(void **state)
{
    (void)state;
    char path[] = "/tmp/silex-model-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    spec s = {.n_layers = 3,
              .d_model = 96,
              .d_ff = 160,
              .n_heads = 6,
              .n_kv_heads = 2,
              .head_dim = 32,
              .n_rot = 16,
              .vocab = 300,
              .context = 777,
              .eps = 0.25f,
              .rope_base = 12345,
              .tied = true,
              .tokenizer = true,
              .t_embd = SLX_T_Q8_0,
              .t_qkv = SLX_T_Q4_1,
              .t_o = SLX_T_Q4_0,
              .t_gate_up = SLX_T_F16,
              .t_down = SLX_T_BF16,
              .seed = 1};
    assert_true(slx_test_write_model(path, &s));
    slx_model *m;
    slx_err err;
    assert_int_equal(slx_model_open(&m, path, &err), SLX_OK);
    const slx_hparams *hp = &m->hp;
    assert_string_equal(hp->arch, "llama");
    assert_string_equal(m->name, "random");
    assert_string_equal(m->path, path);
    assert_true(hp->n_layers == 3 && hp->d_model == 96 && hp->d_ff == 160 && hp->n_heads == 6 &&
                hp->n_kv_heads == 2);
    assert_true(hp->head_dim == 32 && hp->n_rot == 16 && hp->vocab == 300 && hp->context == 777);
    assert_true(hp->rms_eps == 0.25f && hp->rope_base == 12345.0f && hp->tied);
    assert_int_equal(hp->rope_style, SLX_ROPE_INTERLEAVED);
    assert_ptr_equal(m->output, m->tok_embd);
    assert_null(m->rope_freqs);
    assert_non_null(m->chat);
    assert_int_equal(slx_tok_vocab(m->tok), 300);
    const slx_layer_weights *w = &m->layers[2];
    assert_string_equal(w->wq->name, "blk.2.attn_q.weight");
    assert_string_equal(w->wo->name, "blk.2.attn_output.weight");
    assert_true(w->wq->ne[0] == 96 && w->wq->ne[1] == 192 && w->wq->type == SLX_T_Q4_1);
    assert_true(w->wk->ne[1] == 64 && w->wv->ne[1] == 64 && w->wo->ne[0] == 192 &&
                w->wo->ne[1] == 96);
    assert_true(w->w_down->ne[0] == 160 && w->w_down->type == SLX_T_BF16 &&
                w->w_gate->type == SLX_T_F16);
    float before[96], after[96];
    assert_true(slx_dequant(w->wq->type, w->wq->data, before, 96));
    for (int i = 0; i < slx_gguf_tensor_count(m->gguf); i++)
        slx_model_release(m, slx_gguf_tensor(m->gguf, i));
    assert_true(slx_dequant(w->wq->type, w->wq->data, after,
                            96)); /* released pages come back from the file */
    assert_memory_equal(before, after, sizeof before);
    slx_model_close(m);
    unlink(path);
}

static void shapes(void **state)
{
    (void)state;
    static const spec specs[] = {
        {.d_model = 18, .d_ff = 7, .n_heads = 1, .vocab = 3},
        {.d_model = 30,
         .d_ff = 50,
         .n_heads = 5,
         .n_kv_heads = 1,
         .vocab = 17,
         .t_norm = SLX_T_F16,
         .tied = true},
        {.d_model = 64,
         .d_ff = 32,
         .n_heads = 7,
         .head_dim = 2,
         .vocab = 9,
         .t_qkv = SLX_T_Q8_0,
         .t_norm = SLX_T_BF16},
        {.d_model = 10,
         .d_ff = 10,
         .n_heads = 1,
         .n_rot = 4,
         .vocab = 5,
         .t_o = SLX_T_F16,
         .context = 1 << 20},
    };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        slx_buf b = {0};
        slx_err err;
        slx_test_make_model(&b, &specs[i]);
        slx_model *m = from_bytes(&b, &err);
        if (!m) fail_msg("%zu: %s", i, err.msg);
        assert_null(m->tok);
        assert_null(m->chat);
        slx_model_close(m);
        slx_buf_free(&b);
    }
}

/* The same seed draws the same weights whatever the storage: each must come back within its type's step. */
static void same_weights_in_every_type(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        double step; /* of the largest magnitude in a block of 32 */
    } kinds[] = {{SLX_T_F16, 0x1p-11},
                 {SLX_T_BF16, 0x1p-8},
                 {SLX_T_Q8_0, 0.51 / 127 + 0x1p-10},
                 {SLX_T_Q4_1, 2 * 0.51 / 15 + 0x1p-9},
                 {SLX_T_Q4_0, 1.02 / 8 + 0x1p-9}};
    spec s = small;
    s.t_norm = SLX_T_F32;
    slx_buf plain = {0};
    slx_err err;
    slx_test_make_model(&plain, &s);
    slx_model *f = from_bytes(&plain, &err);
    assert_non_null(f);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        slx_buf b = {0};
        uint32_t t = kinds[k].type;
        s.t_embd = s.t_output = s.t_qkv = s.t_o = s.t_gate_up = s.t_down = t;
        slx_test_make_model(&b, &s);
        slx_model *m = from_bytes(&b, &err);
        assert_non_null(m);
        float want[64], got[64];
        for (uint32_t row = 0; row < 32; row++) {
            const slx_tensor *a = f->layers[1].w_down, *q = m->layers[1].w_down;
            slx_dequant(SLX_T_F32, a->data + row * a->row_bytes, want, 64);
            slx_dequant(t, q->data + row * q->row_bytes, got, 64);
            for (int half = 0; half < 2; half++) {
                double big = 0;
                for (int i = 0; i < 32; i++) big = fmax(big, fabs((double)want[32 * half + i]));
                for (int i = 32 * half; i < 32 * half + 32; i++)
                    if (!(fabs((double)got[i] - (double)want[i]) <= big * kinds[k].step))
                        fail_msg("%s row %u, %d: %g for %g", slx_tensor_type_name(t), row, i,
                                 (double)got[i], (double)want[i]);
            }
        }
        slx_model_close(m);
        slx_buf_free(&b);
    }
    slx_model_close(f);
    slx_buf_free(&plain);
}

static void rope(void **state)
{
    (void)state;
    slx_buf b = {0}, c = {0};
    slx_err err;
    spec s = small;
    s.rope_freqs = true;
    slx_test_make_model(&b, &s);
    slx_model *m = from_bytes(&b, &err);
    assert_non_null(m);
    assert_int_equal(m->rope_freqs->ne[0], 4);
    s.rope_linear = 4;
    slx_test_make_model(&c, &s);
    slx_model *l = from_bytes(&c, &err);
    assert_non_null(l);
    for (int i = 0; i < 4; i++) {
        float plain = slx_le_f32(m->rope_freqs->data + 4 * i),
              linear = slx_le_f32(l->rope_freqs->data + 4 * i);
        assert_true(plain >= 1 && plain <= 8 && linear == 4 * plain);
    }
    slx_model_release(l, l->rope_freqs); /* made here, not in the file: nothing happens */
    slx_model_close(m);
    slx_model_close(l);
    slx_buf_free(&b);
    slx_buf_free(&c);
}

/* ------------------------------------------------------------------ what is refused */

static void refuse_bytes(slx_buf *b, slx_status status, const char *words)
{
    slx_err err;
    slx_model *m = from_bytes(b, &err);
    if (m) fail_msg("was accepted, expected: %s", words);
    if (err.code != status) fail_msg("status %d for '%s': %s", (int)err.code, words, err.msg);
    char all[512];
    snprintf(all, sizeof all, "%s", words);
    for (char *w = strtok(all, "|"); w; w = strtok(NULL, "|"))
        if (!strstr(err.msg, w)) fail_msg("'%s' is not in: %s", w, err.msg);
    slx_buf_free(b);
}

static void refuse(slx_gm *gm, slx_status status, const char *words)
{
    slx_buf b = {0};
    slx_gm_finish(gm, &b);
    refuse_bytes(&b, status, words);
}

/* Sets the 4 bytes of a u32 or f32 key. */
static void patch(const char *key, uint32_t value, slx_status status, const char *words)
{
    slx_buf b = {0};
    slx_test_make_model(&b, &small);
    char *at = memmem(b.ptr, b.len, key, strlen(key));
    assert_non_null(at);
    memcpy(at + strlen(key) + 4, &value, 4);
    refuse_bytes(&b, status, words);
}

static void bad_numbers(void **state)
{
    (void)state;
    static const char *const counts[] = {
        "llama.block_count",          "llama.context_length",       "llama.embedding_length",
        "llama.feed_forward_length",  "llama.attention.head_count", "llama.attention.head_count_kv",
        "llama.attention.key_length", "llama.rope.dimension_count"};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char words[200];
        slx_buf b = {0};
        snprintf(words, sizeof words, "key '%s': found 0, expected 1 to ", counts[i]);
        /* head_count's name is the start of another key, which the pattern with its length before it is not. */
        slx_test_make_model(&b, &small);
        slx_buf pat = {0};
        slx_gm_str_to(&pat, counts[i], strlen(counts[i]));
        char *at = memmem(b.ptr, b.len, pat.ptr, pat.len);
        assert_non_null(at);
        memset(at + pat.len + 4, 0, 4);
        slx_buf again = {0};
        slx_buf_add(&again, b.ptr, b.len);
        refuse_bytes(&b, SLX_EINPUT, words);
        uint32_t absurd = (1u << 24) + 2;
        at = memmem(again.ptr, again.len, pat.ptr, pat.len);
        memcpy(at + pat.len + 4, &absurd, 4);
        snprintf(words, sizeof words, "key '%s': found 16777218, expected 1 to ", counts[i]);
        refuse_bytes(&again, SLX_EINPUT, words);
        slx_buf_free(&pat);
    }
    patch("llama.block_count", 3, SLX_EINPUT, "expected at least 27 for 3 layers");
    patch("llama.block_count", 1, SLX_EUNSUPPORTED,
          "tensor 'blk.1.attn_norm.weight'|no role known in architecture llama");
    patch("llama.embedding_length", 64, SLX_EINPUT,
          "token_embd.weight|found shape [32, 40], expected [64, 40]");
    patch("llama.feed_forward_length", 32, SLX_EINPUT,
          "blk.0.ffn_gate.weight|found shape [32, 64], expected [32, 32]");
    patch("llama.attention.head_count_kv", 3, SLX_EINPUT,
          "head_count_kv|found 3|divisor of the 4 heads");
    patch("llama.attention.key_length", 7, SLX_EUNSUPPORTED,
          "value_length|found 8, expected the key length 7");
    patch("llama.rope.dimension_count", 5, SLX_EINPUT, "dimension_count|found 5|even");
    patch("llama.rope.dimension_count", 10, SLX_EINPUT, "dimension_count|found 10|8 dimensions");
    patch("llama.attention.layer_norm_rms_epsilon", 0x7fc00000, SLX_EINPUT,
          "rms_epsilon|found nan");
    patch("llama.attention.layer_norm_rms_epsilon", 0xb727c5ac, SLX_EINPUT,
          "rms_epsilon|found -1e-05");
    patch("llama.attention.layer_norm_rms_epsilon", 0x7f800000, SLX_EINPUT,
          "rms_epsilon|found inf");
    patch("llama.rope.freq_base", 0, SLX_EINPUT, "freq_base|found 0");
    patch("llama.vocab_size", 41, SLX_EINPUT, "vocab_size|found 41|40 rows");
}

/* One more key or tensor than a plain model has. */
static void with_key(const char *key, uint32_t vtype, uint32_t value, slx_status status,
                     const char *words)
{
    slx_gm gm = {0};
    slx_test_model_parts(&gm, &small);
    slx_gm_key(&gm, key, vtype);
    slx_gm_u32_to(&gm.kv, value);
    refuse(&gm, status, words);
}

static void with_tensor(const char *name, const char *words)
{
    slx_gm gm = {0};
    float x[32] = {0};
    slx_test_model_parts(&gm, &small);
    slx_gm_tensor(&gm, name, 32, 0, SLX_T_F32, x, sizeof x);
    refuse(&gm, SLX_EUNSUPPORTED, words);
}

static void unsupported(void **state)
{
    (void)state;
    slx_gm gm = {0};
    slx_gm_str(&gm, "general.architecture", "mamba");
    refuse(&gm, SLX_EUNSUPPORTED, "general.architecture|'mamba'|expected llama");
    slx_gm_u32(&gm, "general.name", 1);
    refuse(&gm, SLX_EINPUT, "general.architecture|not found");
    slx_gm_str(&gm, "general.architecture", "llama");
    refuse(&gm, SLX_EINPUT, "no tensors");

    with_key("llama.expert_count", 4, 8, SLX_EUNSUPPORTED,
             "llama.expert_count|found 8|mixture of experts");
    with_key("llama.final_logit_softcapping", 6, 0x41f00000, SLX_EUNSUPPORTED,
             "softcapping|found 30");
    with_key("llama.embedding_scale", 6, 0x41400000, SLX_EUNSUPPORTED, "embedding_scale|found 12");
    with_key("llama.attention.sliding_window", 4, 16, SLX_EUNSUPPORTED,
             "sliding_window|found 16|context of 256");
    with_key("llama.rope.scaling.type", 4, 1, SLX_EINPUT, "rope.scaling.type|type u32");
    with_key("split.count", 4, 3, SLX_EUNSUPPORTED, "split.count|3 parts");
    slx_test_model_parts(&gm, &small);
    slx_gm_str(&gm, "llama.rope.scaling.type", "yarn");
    refuse(&gm, SLX_EUNSUPPORTED, "rope.scaling.type|'yarn'|none or linear");
    slx_test_model_parts(&gm, &small);
    slx_gm_str(&gm, "llama.rope.scaling.type", "linear");
    refuse(&gm, SLX_EINPUT, "rope.scaling.factor|not found");

    with_tensor("blk.0.attn_q.bias", "tensor 'blk.0.attn_q.bias'|biases");
    with_tensor("blk.0.ffn_gate_inp.weight", "ffn_gate_inp|experts");
    with_tensor("blk.0.attn_q_norm.weight", "attn_q_norm|no role");
    with_tensor("blk.9.attn_q.weight", "blk.9.attn_q.weight|no role");
}

/* q, k and v in one tensor are three that lie one after another. */
static void parts_of_one(void **state)
{
    (void)state;
    slx_err err;
    slx_gm gm = {0};
    slx_buf b = {0};
    const spec s = {
        .arch = "gpt2", .n_layers = 2, .d_model = 32, .n_heads = 4, .vocab = 40, .t_qkv = SLX_T_F16, .seed = 3};
    slx_test_make_model(&b, &s);
    slx_model *m = from_bytes(&b, &err);
    assert_non_null(m);
    assert_true(m->hp.gpt && m->hp.qkv_bias && m->hp.n_rot == 0 && m->pos_embd->ne[1] == 256);
    for (uint32_t l = 0; l < 2; l++) {
        const slx_layer_weights *w = &m->layers[l];
        char name[64];
        snprintf(name, sizeof name, "blk.%u.attn_qkv.weight", l);
        const slx_tensor *all = slx_gguf_find(m->gguf, name);
        assert_true(w->wq->data == all->data && w->wk->data == all->data + 32 * 64);
        assert_true(w->wv->data == all->data + 2 * 32 * 64 && w->wv->ne[0] == 32 && w->wv->ne[1] == 32);
        assert_true(w->wv->bytes == 32 * 64 && w->bk->bytes == 32 * 4 && w->bv->data == w->bq->data + 2 * 32 * 4);
        assert_true(slx_model_tensor(m, w->wk->name) == w->wk && slx_model_tensor(m, name) == all);
        assert_null(w->w_gate);
    }
    slx_model_close(m);
    slx_buf_free(&b);
    spec narrow = s;
    narrow.n_kv_heads = 2; /* a key that gpt2 files do not have: the parts have other sizes then */
    slx_test_model_parts(&gm, &narrow);
    slx_gm_finish(&gm, &b);
    m = from_bytes(&b, &err);
    assert_non_null(m);
    assert_true(m->layers[0].wk->ne[1] == 16 && m->layers[0].wk->data == m->layers[0].wq->data + 32 * 64);
    slx_model_close(m);
    slx_buf_free(&b);
    slx_test_model_parts(&gm, &s);
    slx_gm_matrix(&gm, "blk.0.ffn_gate.weight", 32, 64, SLX_T_F32, 1, &(slx_rng){1});
    refuse(&gm, SLX_EUNSUPPORTED, "blk.0.ffn_gate.weight|no role");
}

static void bad_tensors(void **state)
{
    (void)state;
    static const char *const names[] = {
        "token_embd.weight",        "output_norm.weight",    "blk.0.attn_norm.weight",
        "blk.1.attn_q.weight",      "blk.0.attn_k.weight",   "blk.0.attn_v.weight",
        "blk.1.attn_output.weight", "blk.0.ffn_norm.weight", "blk.0.ffn_gate.weight",
        "blk.0.ffn_up.weight",      "blk.1.ffn_down.weight"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        slx_buf b = {0}, c = {0};
        char words[128];
        slx_test_make_model(&b, &small);
        slx_buf_add(&c, b.ptr, b.len);
        char *at = memmem(b.ptr, b.len, names[i], strlen(names[i]));
        assert_non_null(at);
        at[strlen(names[i]) - 1] = 'T';
        snprintf(words, sizeof words, "tensor '%s': not found", names[i]);
        refuse_bytes(&b, SLX_EINPUT, words);
        /* I32 has the size of F32, so only the meaning changes. The type stands after n_dims and the dimensions. */
        at = (char *)memmem(c.ptr, c.len, names[i], strlen(names[i])) + strlen(names[i]);
        uint32_t n_dims = slx_le32((const uint8_t *)at);
        at[4 + 8 * n_dims] = (char)SLX_T_I32;
        snprintf(words, sizeof words, "tensor '%s': found type I32, expected one of F32", names[i]);
        refuse_bytes(&c, SLX_EUNSUPPORTED, words);
    }
    /* Weights for two tokens more than the tokenizer has. */
    slx_gm gm = {0};
    spec s = small;
    s.vocab = SLX_GM_MIN_VOCAB + 2;
    slx_test_model_parts(&gm, &s);
    slx_gm_tokenizer(&gm, SLX_GM_MIN_VOCAB);
    refuse(&gm, SLX_EINPUT, "tokenizer.ggml.tokens|found 273 tokens|275 rows");
}

/* ------------------------------------------------------------------ damage */

/* Any single bit of the header: a model or one clear message. */
static void flip_any_bit(void **state)
{
    (void)state;
    slx_buf b = {0};
    spec s = {.n_layers = 1,
              .d_model = 4,
              .d_ff = 4,
              .n_heads = 2,
              .vocab = SLX_GM_MIN_VOCAB,
              .tokenizer = true};
    slx_test_make_model(&b, &s);
    slx_gguf *g;
    uint64_t header, all;
    assert_int_equal(slx_gguf_parse(&g, b.ptr, b.len, "t.gguf", NULL), SLX_OK);
    slx_gguf_bytes(g, &header, &all);
    slx_gguf_close(g);
    int refused = 0, step = 7; /* a prime: over 8 bits a byte every bit position comes up */
    for (size_t bit = 0; bit < 8 * header; bit += (size_t)step) {
        slx_err err;
        b.ptr[bit / 8] = (char)(b.ptr[bit / 8] ^ 1 << bit % 8);
        slx_model *m = from_bytes(&b, &err);
        if (!m) {
            refused++;
            assert_true(err.code == SLX_EINPUT || err.code == SLX_EUNSUPPORTED);
            assert_true(err.msg[0] != 0);
        }
        slx_model_close(m);
        b.ptr[bit / 8] = (char)(b.ptr[bit / 8] ^ 1 << bit % 8);
    }
    assert_true(refused > 1000);
    slx_buf_free(&b);
}

/* The digest sees the header and the size, not the weights. */
static void hash(void **state)
{
    (void)state;
    slx_buf b = {0};
    slx_err err;
    slx_test_make_model(&b, &small);
    slx_model *m = from_bytes(&b, &err);
    uint64_t first = m->hash;
    slx_model_close(m);
    b.ptr[b.len - 1] ^= 1;
    m = from_bytes(&b, &err);
    assert_true(m->hash == first);
    slx_model_close(m);
    char *at = memmem(b.ptr, b.len, "random", 6);
    *at = 'R';
    m = from_bytes(&b, &err);
    assert_true(m->hash != first);
    assert_string_equal(m->name, "Random");
    slx_model_close(m);
    *at = 27; /* an escape sequence does not get to the terminal: the file's name stands in */
    m = from_bytes(&b, &err);
    assert_string_equal(m->name, "t.gguf");
    slx_model_close(m);
    *at = 'r';
    slx_buf_addc(&b, 0);
    m = from_bytes(&b, &err);
    assert_true(m->hash != first);
    slx_model_close(m);
    slx_buf_free(&b);
}

/* The default model, where it has been fetched: the facts its publisher states. */
static void default_model(void **state)
{
    (void)state;
    slx_model *m;
    slx_err err;
    const char *path = "models/SmolLM2-135M-Instruct.Q4_1.gguf";
    if (access(path, R_OK)) {
        print_message("skipped: %s is not there (tools/fetch-model)\n", path);
        skip();
    }
    if (slx_model_open(&m, path, &err) != SLX_OK) fail_msg("%s", err.msg);
    const slx_hparams *hp = &m->hp;
    assert_true(hp->n_layers == 30 && hp->d_model == 576 && hp->d_ff == 1536 && hp->n_heads == 9);
    assert_true(hp->n_kv_heads == 3 && hp->head_dim == 64 && hp->n_rot == 64 && hp->vocab == 49152);
    assert_true(hp->context == 8192 && hp->rope_base == 100000.0f && hp->rms_eps == 1e-5f &&
                hp->tied);
    assert_int_equal(m->tok_embd->type, SLX_T_Q8_0);
    assert_int_equal(m->layers[29].w_down->type, SLX_T_Q4_1);
    assert_int_equal(slx_gguf_tensor_count(m->gguf), 272);
    assert_non_null(m->chat);
    slx_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_file),
        cmocka_unit_test(shapes),
        cmocka_unit_test(same_weights_in_every_type),
        cmocka_unit_test(rope),
        cmocka_unit_test(bad_numbers),
        cmocka_unit_test(unsupported),
        cmocka_unit_test(parts_of_one), cmocka_unit_test(bad_tensors),
        cmocka_unit_test(flip_any_bit),
        cmocka_unit_test(hash),
        cmocka_unit_test(default_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
