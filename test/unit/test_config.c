/* test_config.c - models known by their shapes: the same model and program as a GGUF file of the same hyperparameters
 * gives, parameter counts as published, sizes worked out here, and every reason to refuse a config, with its words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compile/compile.h"
#include "func/func.h"
#include "gguf_make.h"
#include "model/model_int.h"
#include "run/run.h"
#include "verify/verify.h"

typedef struct slx_test_model_spec spec;

static slx_model *parse(const char *text, const char *type, slx_err *err)
{
    slx_model *m;
    memset(err, 0, sizeof *err);
    char *copy = slx_xmalloc(strlen(text) + 1); /* exactly as long as the text, for the sanitiser */
    memcpy(copy, text, strlen(text));
    slx_status st = slx_model_parse_config(&m, copy, strlen(text), "c.json", type, err);
    free(copy);
    assert_true((st == SLX_OK) == (m != NULL));
    return m;
}

static slx_model *parsed(const char *text, const char *type)
{
    slx_err err;
    slx_model *m = parse(text, type, &err);
    if (!m) fail_msg("%s: %s", err.file, err.msg);
    return m;
}

static slx_model *opened(const char *name)
{
    slx_err err = {0};
    slx_model *m;
    if (slx_model_open(&m, name, &err) != SLX_OK) fail_msg("%s: %s", err.file, err.msg);
    return m;
}

static slx_chip *chip(const char *name)
{
    slx_err err = {0};
    slx_chip *c;
    if (slx_chip_load(&c, name, &err) != SLX_OK) fail_msg("%s: %s", err.file, err.msg);
    return c;
}

static void compiled(slx_program *p, const slx_model *m, const slx_chip *c,
                     const slx_compile_options *o)
{
    slx_err err = {0};
    if (slx_compile(p, m, c, o, NULL, NULL, &err) != SLX_OK) fail_msg("%s: %s", err.file, err.msg);
}

/* ------------------------------------------------------------------ against the GGUF reader */

static void same_tensor(const slx_tensor *a, const slx_tensor *b, bool unnamed)
{
    assert_true(!a == !b);
    if (!a) return;
    if (!unnamed) assert_string_equal(a->name, b->name);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->n_dims, b->n_dims);
    for (uint32_t i = 0; i < a->n_dims; i++) assert_int_equal(a->ne[i], b->ne[i]);
    assert_int_equal(a->bytes, b->bytes);
    assert_int_equal(a->row_bytes, b->row_bytes);
}

static void same_program(slx_model *a, const slx_model *b, const char *chip_name)
{
    slx_chip *c = chip(chip_name);
    slx_program p, q;
    slx_buf x = {0}, y = {0};
    uint64_t hash = a->hash;
    const char *name = a->name;
    assert_true(hash != b->hash);
    a->hash = b->hash;
    a->name = b->name;
    compiled(&p, a, c, NULL);
    compiled(&q, b, c, NULL);
    a->hash = hash;
    a->name = name;
    slx_program_serialise(&p, &x);
    slx_program_serialise(&q, &y);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.ptr, y.ptr, x.len);
    slx_buf_free(&x);
    slx_buf_free(&y);
    slx_program_free(&p);
    slx_program_free(&q);
    slx_chip_free(c);
}

static void same_model(spec s, const char *config)
{
    char path[] = "/tmp/silex-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_true(slx_test_write_model(path, &s));
    slx_model *g = opened(path);
    unlink(path); /* the map stays */
    slx_model *m = parsed(config, NULL);
    assert_true(m->shapes_only && !m->gguf && !m->tok && !m->chat);
    assert_true(!g->shapes_only && slx_model_need_values(g, NULL) == SLX_OK);
    assert_string_equal(m->hp.arch, g->hp.arch);
    assert_true(m->hp.n_layers == g->hp.n_layers && m->hp.d_model == g->hp.d_model &&
                m->hp.d_ff == g->hp.d_ff && m->hp.n_heads == g->hp.n_heads &&
                m->hp.n_kv_heads == g->hp.n_kv_heads && m->hp.head_dim == g->hp.head_dim &&
                m->hp.n_rot == g->hp.n_rot && m->hp.vocab == g->hp.vocab &&
                m->hp.context == g->hp.context && m->hp.rms_eps == g->hp.rms_eps &&
                m->hp.rope_base == g->hp.rope_base && m->hp.rope_style == g->hp.rope_style &&
                m->hp.tied == g->hp.tied);
    same_tensor(m->tok_embd, g->tok_embd, false);
    same_tensor(m->output, g->output, false);
    assert_true((m->output == m->tok_embd) == g->hp.tied);
    same_tensor(m->output_norm, g->output_norm, false);
    same_tensor(m->rope_freqs, g->rope_freqs, true);
    for (uint32_t i = 0; m->rope_freqs && i < m->hp.n_rot / 2; i++)
        assert_true(slx_le_f32(m->rope_freqs->data + 4 * i) ==
                    slx_le_f32(g->rope_freqs->data + 4 * i));
    for (uint32_t i = 0; i < m->hp.n_layers; i++) {
        const slx_tensor *const *a = (const slx_tensor *const *)&m->layers[i],
                                *const *b = (const slx_tensor *const *)&g->layers[i];
        for (size_t k = 0; k < sizeof m->layers[i] / sizeof *a; k++) {
            assert_true(!a[k] == !b[k]);
            if (!a[k]) continue; /* the architecture has none */
            same_tensor(a[k], b[k], false);
            assert_null(a[k]->data);
        }
    }
    same_program(m, g, "silex-1");
    same_program(m, g, "silex-mini");
    slx_model_close(m);
    slx_model_close(g);
}

/* SmolLM2-135M with fewer layers and words: the rest is its own. */
static void like_gguf_smollm2(void **state)
{
    (void)state;
    same_model(
        (spec){.n_layers = 2,
               .d_model = 576,
               .d_ff = 1536,
               .n_heads = 9,
               .n_kv_heads = 3,
               .vocab = 320,
               .context = 8192,
               .eps = 1e-5f,
               .rope_base = 100000,
               .tied = true,
               .t_embd = SLX_T_Q4_0,
               .t_qkv = SLX_T_Q4_0,
               .t_o = SLX_T_Q4_0,
               .t_gate_up = SLX_T_Q4_0,
               .t_down = SLX_T_Q4_0,
               .t_output = SLX_T_Q4_0},
        "{\"architectures\":[\"LlamaForCausalLM\"],\"attention_bias\":false,"
        "\"attention_dropout\":0.0,\"bos_token_id\":0,\"eos_token_id\":0,"
        "\"hidden_act\":\"silu\",\"hidden_size\":576,\"initializer_range\":0.041666666666666664,"
        "\"intermediate_size\":1536,\"is_llama_config\":true,\"max_position_embeddings\":8192,"
        "\"mlp_bias\":false,\"model_type\":\"llama\",\"num_attention_heads\":9,"
        "\"num_hidden_layers\":2,\"num_key_value_heads\":3,\"pretraining_tp\":1,"
        "\"rms_norm_eps\":1e-05,\"rope_interleaved\":false,\"rope_scaling\":null,"
        "\"rope_theta\":100000,\"tie_word_embeddings\":true,\"torch_dtype\":\"bfloat16\","
        "\"transformers_version\":\"4.40.1\",\"use_cache\":true,\"vocab_size\":320}");
}

/* A head size of its own, untied, linear scaling, another type of weights; Mistral writes the same names. */
static void like_gguf_others(void **state)
{
    (void)state;
    same_model((spec){.n_layers = 3,
                      .d_model = 96,
                      .d_ff = 160,
                      .n_heads = 6,
                      .n_kv_heads = 2,
                      .head_dim = 32,
                      .vocab = 300,
                      .context = 777,
                      .eps = 0.25f,
                      .rope_base = 12345,
                      .rope_linear = 4,
                      .t_embd = SLX_T_Q8_0,
                      .t_qkv = SLX_T_Q8_0,
                      .t_o = SLX_T_Q8_0,
                      .t_gate_up = SLX_T_Q8_0,
                      .t_down = SLX_T_Q8_0,
                      .t_output = SLX_T_Q8_0},
               "{\"model_type\":\"mistral\",\"hidden_size\":96,\"intermediate_size\":160,"
               "\"num_hidden_layers\":3,\"num_attention_heads\":6,\"num_key_value_heads\":2,"
               "\"head_dim\":32,\"vocab_size\":300,\"max_position_embeddings\":777,"
               "\"rms_norm_eps\":0.25,\"sliding_window\":4096,\"weight_type\":\"Q8_0\","
               "\"rope_parameters\":{\"rope_type\":\"linear\",\"factor\":4,\"rope_theta\":12345}}");
    same_model((spec){.n_layers = 1,
                      .d_model = 64,
                      .n_heads = 2,
                      .t_embd = SLX_T_BF16,
                      .t_qkv = SLX_T_BF16,
                      .t_o = SLX_T_BF16,
                      .t_gate_up = SLX_T_BF16,
                      .t_down = SLX_T_BF16,
                      .t_output = SLX_T_BF16},
               "{\"model_type\":\"llama\",\"hidden_size\":64,\"intermediate_size\":128,"
               "\"num_hidden_layers\":1,\"num_attention_heads\":2,\"vocab_size\":288,"
               "\"max_position_embeddings\":256,\"rms_norm_eps\":1e-5,\"weight_type\":\"BF16\"}");
}

static void like_gguf_qwen(void **state)
{
    (void)state;
    same_model((spec){.arch = "qwen2", .n_layers = 2, .d_model = 64, .n_heads = 4, .n_kv_heads = 2},
               "{\"model_type\":\"qwen2\",\"hidden_size\":64,\"intermediate_size\":128,"
               "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
               "\"vocab_size\":288,\"max_position_embeddings\":256,\"rms_norm_eps\":1e-5,"
               "\"sliding_window\":16,\"use_sliding_window\":false,\"weight_type\":\"F32\"}");
    same_model((spec){.arch = "qwen3", .d_model = 64, .n_heads = 4, .head_dim = 32},
               "{\"architectures\":[\"Qwen3ForCausalLM\"],\"hidden_size\":64,"
               "\"intermediate_size\":128,\"num_hidden_layers\":1,\"num_attention_heads\":4,"
               "\"head_dim\":32,\"vocab_size\":288,\"max_position_embeddings\":256,"
               "\"rms_norm_eps\":1e-5,\"attention_bias\":false,\"weight_type\":\"F32\"}");
    same_model((spec){.arch = "gpt2", .n_layers = 2, .d_model = 64, .n_heads = 4, .tied = true},
               "{\"model_type\":\"gpt2\",\"n_embd\":64,\"n_inner\":128,\"n_layer\":2,\"n_head\":4,"
               "\"vocab_size\":288,\"n_positions\":256,\"n_ctx\":256,\"layer_norm_epsilon\":1e-5,"
               "\"activation_function\":\"gelu_new\",\"resid_pdrop\":0.1,\"weight_type\":\"F32\"}");
    slx_err err;
    assert_null(parse("{\"model_type\":\"qwen2\",\"hidden_size\":64,\"intermediate_size\":128,"
                      "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"vocab_size\":288,"
                      "\"max_position_embeddings\":256,\"rms_norm_eps\":1e-5,"
                      "\"sliding_window\":16,\"use_sliding_window\":true}",
                      NULL, &err));
    assert_non_null(strstr(err.msg, "'sliding_window': found 16, below the context of 256"));
}

/* ------------------------------------------------------------------ data/models */

/* Parameters as their publishers count them. */
static void published_counts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t parameters;
    } row[] = {
        {"llama-7b", 6738415616},
        {"llama-13b", 13015864320},
        {"llama-30b", 32528943616},
        {"llama-65b", 65285660672},
        {"llama-2-7b", 6738415616},
        {"llama-2-13b", 13015864320},
        {"llama-2-70b", 68976648192},
        {"llama-3-8b", 8030261248},
        {"llama-3-70b", 70553706496},
        {"llama-3.1-8b", 8030261248},
        {"llama-3.1-70b", 70553706496},
        {"llama-3.1-405b", 405853388800},
        {"llama-3.2-1b", 1235814400},
        {"llama-3.2-3b", 3212749824},
        {"llama-3.3-70b", 70553706496},
        {"smollm2-135m", 134515008},
        {"smollm2-360m", 361821120},
        {"smollm2-1.7b", 1711376384},
        {"tinyllama-1.1b", 1100048384},
        {"mistral-7b-v0.3", 7248023552},
        {"mistral-large-2407", 122610069504},
        {"gpt2", 124439808},
        {"gpt2-medium", 354823168},
        {"gpt2-large", 774030080},
        {"gpt2-xl", 1557611200},
        {"qwen2-0.5b", 494032768},
        {"qwen2-1.5b", 1543714304},
        {"qwen2-7b", 7615616512},
        {"qwen2-72b", 72706203648},
        {"qwen2.5-0.5b", 494032768},
        {"qwen2.5-1.5b", 1543714304},
        {"qwen2.5-3b", 3085938688},
        {"qwen2.5-7b", 7615616512},
        {"qwen2.5-14b", 14770033664},
        {"qwen2.5-32b", 32763876352},
        {"qwen2.5-72b", 72706203648},
        {"qwen3-0.6b", 596049920},
        {"qwen3-1.7b", 1720574976},
        {"qwen3-4b", 4022468096},
        {"qwen3-8b", 8190735360},
        {"qwen3-14b", 14768307200},
        {"qwen3-32b", 32762123264},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        slx_model *m = opened(row[i].name);
        uint64_t sum = m->tok_embd->ne[0] * m->tok_embd->ne[1] + m->output_norm->ne[0];
        if (!m->hp.tied) sum += m->output->ne[0] * m->output->ne[1];
        if (m->hp.gpt) sum += m->output_norm_b->ne[0] + m->pos_embd->ne[0] * m->pos_embd->ne[1];
        for (uint32_t l = 0; l < m->hp.n_layers; l++) {
            const slx_tensor *const *t = (const slx_tensor *const *)&m->layers[l];
            for (size_t k = 0; k < sizeof m->layers[l] / sizeof *t; k++)
                if (t[k]) sum += t[k]->ne[0] * t[k]->ne[1];
        }
        if (sum != row[i].parameters)
            fail_msg("%s: %llu parameters, published are %llu", row[i].name,
                     (unsigned long long)sum, (unsigned long long)row[i].parameters);
        assert_string_equal(m->name, row[i].name);
        assert_true(m->arena.used_bytes < 1 << 20);
        slx_model_close(m);
    }
}

/* Rows of a matrix up to as many slices of 32 for each of the six stacks. */
static uint64_t dealt(uint64_t rows)
{
    return (rows + 191) / 192 * 192;
}

/* Bytes of the recipe by hand. Q4_0 on this chip: 16 bytes of codes and 2 of scale for each 32 of K; a slice has 32
 * rows and whole grains of 256 bytes, and each of six stacks has as many; matrices begin where a round of the stacks
 * does, every 1536 bytes; norms 4 bytes a value; planes begin at multiples of 4096. */
static void hand_computed(const char *name, uint64_t d, uint64_t q, uint64_t kv, uint64_t ff,
                          uint64_t vocab, uint32_t layers)
{
    slx_model *m = opened(name);
    slx_chip *c = chip("silex-1");
    slx_program p;
    slx_err err = {0};
    double start = slx_now_s();
    compiled(&p, m, c, NULL);
    assert_int_equal(slx_verify(&p, c, name, &err), SLX_OK);
    assert_true(slx_now_s() - start < 20); /* a loop over layers, not their expansion */
    assert_int_equal(p.info.n_layers, layers);
    assert_true(p.arena.used_bytes < 4 << 20);
    const uint64_t part[9] = {4 * d,
                              4 * d,
                              dealt(q) * d / 32 * 18,
                              dealt(kv) * d / 32 * 18,
                              dealt(kv) * d / 32 * 18,
                              dealt(d) * q / 32 * 18,
                              dealt(ff) * d / 32 * 18,
                              dealt(ff) * d / 32 * 18,
                              dealt(d) * ff / 32 * 18};
    assert_int_equal(p.n_weights, 9 * layers + 3);
    uint64_t layer = 0, table = vocab * d / 32 * 18;
    for (int k = 0; k < 9; k++) layer += part[k];
    uint64_t start_q = p.weights[2].addr - p.weights[0].addr, gap = start_q - 8 * d; /* behind the norms */
    assert_true(p.weights[2].addr % 1536 == 0 && gap < 1536);
    layer = (layer + gap + 1535) / 1536 * 1536;
    for (uint32_t i = 0; i < 9 * layers; i++) {
        const slx_weight *w = &p.weights[i];
        assert_int_equal(w->bytes, part[i % 9]);
        assert_int_equal(w->addr, p.weights[0].addr + i / 9 * layer +
                                      (i % 9 ? p.weights[i % 9].addr - p.weights[0].addr : 0));
        if (i % 9 >= 2) assert_int_equal(w->fmt, SLX_FMT_q4s);
    }
    assert_int_equal(p.weights[9 * layers].bytes, 4 * d);
    for (uint32_t i = 9 * layers + 1; i < p.n_weights; i++) { /* table, head: planes round up */
        assert_true(p.weights[i].bytes >= table && p.weights[i].bytes < table + 8192);
        assert_int_equal(p.weights[i].n, vocab);
    }
    slx_program_free(&p);
    slx_chip_free(c);
    slx_model_close(m);
}

static void llama_3(void **state)
{
    (void)state;
    hand_computed("llama-3-8b", 4096, 4096, 1024, 14336, 128256, 32);
    hand_computed("llama-3-70b", 8192, 8192, 1024, 28672, 128256, 80);
}

/* Llama 3.1: base 5e5, 128 rotated dimensions, wavelength 2 pi 5e5^(i/64). Below 8192/4 (i <= 28) divisor 1, above 8192
 * (i >= 35) 8. At i = 32 the wavelength is 2 pi sqrt(5e5) = 4442.883, 1.843848 of them fill 8192, so that
 * s = 0.843848 / 3 = 0.281283 and the divisor is 1 / (0.718717 / 8 + 0.281283) = 2.694530. */
static void llama_31_rope(void **state)
{
    (void)state;
    slx_model *m = opened("llama-3.1-405b");
    assert_non_null(m->rope_freqs);
    assert_true(m->rope_freqs->type == SLX_T_F32 && m->rope_freqs->ne[0] == 64);
    for (uint32_t i = 0; i < 64; i++) {
        float x = slx_le_f32(m->rope_freqs->data + 4 * i);
        if (i <= 28) assert_true(x == 1.0f);
        if (i >= 35) assert_true(x == 8.0f);
        if (i > 28 && i < 35) assert_true(x > slx_le_f32(m->rope_freqs->data + 4 * i - 4) && x < 8);
        if (i == 32) assert_true(fabsf(x - 2.694530f) < 2e-6f);
    }
    slx_model_close(m);
    m = opened("llama-3-70b");
    assert_null(m->rope_freqs);
    slx_model_close(m);
}

/* ------------------------------------------------------------------ too large for the chip */

static slx_status try_compile(const slx_model *m, const slx_chip *c, uint32_t pages, slx_err *err)
{
    slx_program p;
    slx_compile_options o = {.max_pages = pages};
    slx_status st = slx_compile(&p, m, c, &o, NULL, NULL, err);
    if (st == SLX_OK) slx_program_free(&p);
    return st;
}

/* What the refusal says would fit does, and one page more does not. */
static void too_large(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_model *m = opened("llama-3.1-405b");
    slx_chip *c = chip("silex-1");
    /* a context of 131072 in pages of 128, and 16 more, do not fit; without a wish fewer do */
    const uint32_t wish = 131072 / 128 + 16;
    assert_int_equal(try_compile(m, c, 0, &err), SLX_OK);
    assert_int_equal(try_compile(m, c, wish, &err), SLX_EUNSUPPORTED);
    const char *pages = strstr(err.msg, "max_pages "), *gib = strstr(err.msg, "hbm.gib ");
    assert_true(strstr(err.msg, "too little") && pages && gib);
    uint32_t fits = (uint32_t)atoi(pages + 10);
    double stack = atof(gib + 8);
    assert_true(fits > 0 && stack > c->hbm.gib);
    assert_int_equal(try_compile(m, c, fits, &err), SLX_OK);
    assert_int_equal(try_compile(m, c, fits + 1, &err), SLX_EUNSUPPORTED);
    c->hbm.gib = stack;
    assert_int_equal(try_compile(m, c, wish, &err), SLX_OK);
    c->hbm.gib = stack - 1;
    assert_int_equal(try_compile(m, c, wish, &err), SLX_EUNSUPPORTED);
    slx_model_close(m);
    assert_int_equal(slx_model_open_as(&m, "llama-3.1-405b", "Q8_0", &err), SLX_OK);
    assert_int_equal(try_compile(m, c, 0, &err), SLX_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "no page fits beside the rest"));
    slx_model_close(m);
    slx_chip_free(c);
}

/* What a refusal advises, one piece at a time: it does fit. Returns how many pieces there were. */
static int follow(const char *msg, const char *model, const char *weights, const char *chip_name)
{
    char word[64], value[64];
    int n = 0;
    slx_err err = {0};
    const char *at = strstr(msg, "would fit: ");
    assert_non_null(at);
    for (at += 11; sscanf(at, "%63s %63[^,; ]", word, value) == 2; n++) {
        slx_model *m;
        bool weight = !strcmp(word, "--weights"), other = !strcmp(word, "--chip");
        slx_chip *c = chip(other ? value : chip_name);
        slx_compile_options o = {.tp = !strcmp(word, "--tp") ? (uint32_t)atoi(value) : 1};
        assert_int_equal(slx_model_open_as(&m, model, weight ? value : weights, &err), SLX_OK);
        if (!weight && !other && !o.tp) fail_msg("%s: no advice that is known", word);
        if (!strncmp(word, "hbm.", 4) || !strncmp(word, "rom.", 4)) {
            assert_int_equal(slx_chip_set(c, word, value, &err), SLX_OK);
            assert_int_equal(slx_chip_check_physics(c, &err), SLX_OK);
        }
        slx_program p;
        slx_status st = slx_compile(&p, m, c, &o, NULL, NULL, &err);
        if (st != SLX_OK) fail_msg("%s %s does not fit: %s", word, value, err.msg);
        slx_program_free(&p);
        slx_model_close(m);
        slx_chip_free(c);
        at += strcspn(at, ",;");
        if (*at != ',') return n + 1;
        at += 2;
    }
    return n;
}

static void advice_works(void **state)
{
    (void)state;
    static const struct {
        const char *model, *weights, *chip;
        bool look;
        int n; /* pieces of advice */
        const char *has, *has_not;
    } cases[] = {
        /* 8.1 GiB of 4.5 in ROM: half of it fits each of two dies; one die of 1,126 mm2 nobody prints */
        {"llama-3.1-8b", "Q8_0", "silex-etched", false, 1, "--tp 2; rom.mib 8138 (now 4608) would, too, but its die",
         "--weights"},
        {"llama-3.1-8b", "Q8_0", "silex-etched", true, 4, "over the reticle of 858", "--weights MXFP4"},
        {"llama-3.1-8b", "Q4_0", "silex-sram", false, 1, "--tp 8", "--tp 4"},
        /* 1,040 pages of 8 heads, 32 layers and 33,792 bytes are 8.4 GiB, beside 4.2 of weights */
        {"llama-3.1-8b", "Q4_0", "silex-mini", true, 4, "hbm.gib 13 (now 4)", "--tp"},
        {"llama-3.1-405b", "BF16", "silex-1", true, 2, "--weights Q4_0, --tp 2", "--chip"},
        /* an eighth is still 1 GiB */
        {"llama-3.1-8b", "Q8_0", "silex-sram", false, 0, "nothing tried would fit; rom.mib 8138", "--tp"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        slx_err err = {0};
        slx_program p;
        slx_model *m;
        slx_chip *c = chip(cases[i].chip);
        slx_compile_options o = {.look_around = cases[i].look};
        assert_int_equal(slx_model_open_as(&m, cases[i].model, cases[i].weights, &err), SLX_OK);
        assert_int_equal(slx_compile(&p, m, c, &o, NULL, NULL, &err), SLX_EUNSUPPORTED);
        if (!strstr(err.msg, cases[i].has) || strstr(err.msg, cases[i].has_not))
            fail_msg("%s on %s: %s", cases[i].model, cases[i].chip, err.msg);
        if (cases[i].n)
            assert_int_equal(follow(err.msg, cases[i].model, cases[i].weights, cases[i].chip), cases[i].n);
        slx_model_close(m);
        slx_chip_free(c);
    }
}

/* ------------------------------------------------------------------ no values */

static void needs_values(void **state)
{
    (void)state;
    slx_model *m = opened("smollm2-135m"), *none = m;
    slx_chip *c = chip("silex-mini");
    slx_program p;
    slx_machine *machine;
    slx_engine *e;
    uint32_t token = 1;
    float logits[1], vector[1];
    slx_compile_options o = {.max_context = 256};
    compiled(&p, m, c, &o);
#define SHAPES_ONLY(call)                                                                          \
    do {                                                                                           \
        slx_err err = {0};                                                                         \
        assert_int_equal((call), SLX_EUNSUPPORTED);                                                \
        assert_non_null(strstr(err.msg, "this model has shapes only"));                            \
        assert_non_null(strstr(err.file, "data/models/smollm2-135m.json"));                        \
    } while (0)
    for (int kind = SLX_MACHINE_FAST; kind <= SLX_MACHINE_STRICT; kind++) {
        slx_machine_options mo = {.kind = (slx_machine_kind)kind, .threads = 1};
        SHAPES_ONLY(slx_machine_open(&machine, &p, c, m, &mo, &err));
        slx_engine_options eo = {
            .model_path = "smollm2-135m", .chip = "silex-mini", .kind = (slx_machine_kind)kind};
        SHAPES_ONLY(slx_engine_open(&e, &eo, &err));
    }
    SHAPES_ONLY(slx_golden(m, &p, &token, 1, logits, &err));
    SHAPES_ONLY(slx_import_vector(m, &p.weights[0], SLX_ALONE, vector, &err));
    SHAPES_ONLY(slx_import_image(m, &p.weights[2], SLX_ALONE, (uint8_t *)vector, &err));
    SHAPES_ONLY(slx_model_open_vocab(&none, "smollm2-135m", &err));
    assert_null(none);
    slx_model_release(m, m->tok_embd);
    slx_program_free(&p);
    slx_chip_free(c);
    slx_model_close(m);
}

/* ------------------------------------------------------------------ where configs lie */

static const char tiny[] =
    "\n {\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":64,\"intermediate_size\":128,"
    "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"vocab_size\":100,"
    "\"max_position_embeddings\":512,\"rms_norm_eps\":1e-6}";

static void places(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_model *m, *again;
    char dir[] = "/tmp/silex-config-XXXXXX", folder[64], path[128];
    assert_non_null(mkdtemp(dir));
    snprintf(folder, sizeof folder, "%s/my-model", dir);
    snprintf(path, sizeof path, "%s/config.json", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(slx_model_open(&m, folder, &err), SLX_EINPUT);
    assert_non_null(strstr(err.msg, "folder without config.json"));
    assert_int_equal(slx_write_file(path, tiny, sizeof tiny - 1, NULL), SLX_OK);
    m = opened(folder);
    assert_string_equal(m->path, path);
    assert_string_equal(m->name, "my-model");
    assert_true(m->hp.n_kv_heads == 4 && m->hp.head_dim == 16 && !m->hp.tied &&
                m->hp.rope_base == 10000.0f && m->layers[1].w_up->type == SLX_T_Q4_0);
    assert_int_equal(m->file_bytes,
                     (2 * 100 * 64 + 2 * (4 * 64 * 64 + 3 * 64 * 128)) / 32 * 18 + 4 * 64 * 5);
    again = opened(path);
    assert_int_equal(again->hash, m->hash);
    slx_model_close(again);
    assert_int_equal(slx_model_open_as(&again, path, "Q8_0", &err), SLX_OK);
    assert_true(again->hash != m->hash && again->tok_embd->type == SLX_T_Q8_0);
    slx_model_close(again);
    slx_model_close(m);
    unlink(path);

    snprintf(path, sizeof path, "%s/no-ending", folder); /* known by its first character */
    assert_int_equal(slx_write_file(path, tiny, sizeof tiny - 1, NULL), SLX_OK);
    m = opened(path);
    assert_string_equal(m->name, "no-ending");
    slx_model_close(m);
    unlink(path);
    snprintf(path, sizeof path, "%s/empty.json", folder);
    assert_int_equal(slx_write_file(path, "", 0, NULL), SLX_OK);
    assert_int_equal(slx_model_open(&m, path, &err), SLX_EINPUT);
    assert_non_null(strstr(err.msg, "not JSON"));
    unlink(path);
    rmdir(folder);
    rmdir(dir);

    assert_int_equal(slx_model_open(&m, "llama-3-8c", &err), SLX_EINPUT);
    assert_non_null(strstr(err.msg, "did you mean llama-3-8b?"));
    assert_int_equal(slx_model_open(&m, "llama-3-8b.gguf", &err), SLX_EIO);
    assert_int_equal(slx_model_open(&m, "no/such", &err), SLX_EIO);
    char *longest = slx_xcalloc(1, 5001);
    memset(longest, 'x', 5000);
    assert_int_equal(slx_model_open(&m, longest, &err), SLX_EINPUT);
    free(longest);
}

static void gguf_keeps_its_types(void **state)
{
    (void)state;
    char path[] = "/tmp/silex-config-XXXXXX";
    int fd = mkstemp(path);
    slx_err err = {0};
    slx_model *m;
    assert_true(fd >= 0);
    close(fd);
    assert_true(slx_test_write_model(path, &(spec){.n_layers = 1}));
    assert_int_equal(slx_model_open_as(&m, path, "Q8_0", &err), SLX_EINPUT);
    assert_non_null(strstr(err.msg, "found weights of their own types"));
    assert_null(m);
    unlink(path);
}

/* ------------------------------------------------------------------ what is refused */

/* tiny with one key more or another value; v NULL leaves the key out. */
static slx_model *with(const char *key, const char *v, const char *type, slx_err *err)
{
    static const char *const base[][2] = {
        {"architectures", "[\"LlamaForCausalLM\"]"},
        {"model_type", "\"llama\""},
        {"hidden_size", "64"},
        {"intermediate_size", "128"},
        {"num_hidden_layers", "2"},
        {"num_attention_heads", "4"},
        {"num_key_value_heads", "2"},
        {"vocab_size", "100"},
        {"max_position_embeddings", "512"},
        {"rms_norm_eps", "1e-6"},
    };
    slx_buf b = {0};
    bool done = false;
    slx_buf_adds(&b, "{\"_source\": [1]");
    for (size_t i = 0; i < sizeof base / sizeof *base; i++) {
        bool here = !strcmp(base[i][0], key);
        done |= here;
        if (here && !v) continue;
        slx_buf_addf(&b, ",\"%s\":%s", base[i][0], here ? v : base[i][1]);
    }
    if (!done && v) slx_buf_addf(&b, ",\"%s\":%s", key, v);
    slx_buf_adds(&b, "}");
    slx_model *m = parse(b.ptr, type, err);
    slx_buf_free(&b);
    return m;
}

static void accepted(void **state)
{
    (void)state;
    static const char *const row[][2] = {
        {"none", NULL},
        {"model_type", NULL},
        {"architectures", NULL},
        {"architectures", "null"},
        {"num_key_value_heads", NULL},
        {"num_key_value_heads", "null"},
        {"head_dim", "48"},
        {"head_dim", "null"},
        {"hidden_act", "\"silu\""},
        {"attention_bias", "false"},
        {"tie_word_embeddings", "true"},
        {"sliding_window", "512"},
        {"sliding_window", "null"},
        {"layer_types", "[\"full_attention\",\"full_attention\"]"},
        {"partial_rotary_factor", "1.0"},
        {"rope_scaling", "{\"type\":\"default\"}"},
        {"rope_scaling", "{\"type\":\"linear\",\"rope_type\":\"linear\",\"factor\":2.5}"},
        {"rope_parameters", "{\"rope_theta\":5e5}"},
        {"rope_theta", "1000000"},
        {"quantization_config", "null"},
        {"qk_norm", "false"},
        {"num_experts", "null"},
        {"_anything", "7"},
        {"weight_type", "\"F16\""},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        slx_err err;
        slx_model *m = with(row[i][0], row[i][1], NULL, &err);
        if (!m) fail_msg("%s = %s: %s", row[i][0], row[i][1] ? row[i][1] : "absent", err.msg);
        slx_model_close(m);
    }
    slx_err err;
    slx_model *m = with("quantization_config", "{\"quant_method\":\"fp8\"}", "Q4_1", &err);
    assert_true(m && m->layers[0].wq->type == SLX_T_Q4_1);
    slx_model_close(m);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        slx_status status;
        const char *says;
    } row[] = {
        {"hidden_size", NULL, SLX_EINPUT, "key 'hidden_size': not found, expected a whole number"},
        {"hidden_size", "null", SLX_EINPUT, "key 'hidden_size': not found"},
        {"hidden_size", "0", SLX_EINPUT, "key 'hidden_size': found 0, expected"},
        {"hidden_size", "-64", SLX_EINPUT, "found -64, expected a whole number from 1 to 16777216"},
        {"hidden_size", "64.0", SLX_EINPUT, "found 64.0"},
        {"hidden_size", "\"64\"", SLX_EINPUT, "found \"64\""},
        {"hidden_size", "9223372036854775807", SLX_EINPUT, "found 9223372036854775807"},
        {"hidden_size", "99999999999999999999", SLX_EINPUT, "not JSON"},
        {"hidden_size", "80", SLX_EINPUT, "expected a multiple of 32 for weights of type Q4_0"},
        {"hidden_size", "66", SLX_EINPUT, "key 'num_attention_heads': found 4, expected a divisor"},
        {"intermediate_size", NULL, SLX_EINPUT, "'intermediate_size': not found"},
        {"intermediate_size", "[128]", SLX_EINPUT, "found [128]"},
        {"intermediate_size", "100", SLX_EINPUT,
         "tensor 'blk.0.ffn_down.weight': found rows of 100"},
        {"num_hidden_layers", NULL, SLX_EINPUT, "'num_hidden_layers': not found"},
        {"num_hidden_layers", "4097", SLX_EINPUT,
         "found 4097, expected a whole number from 1 to 4096"},
        {"num_attention_heads", NULL, SLX_EINPUT, "'num_attention_heads': not found"},
        {"num_attention_heads", "5", SLX_EINPUT,
         "'num_key_value_heads': found 2, expected a divisor"},
        {"num_key_value_heads", "3", SLX_EINPUT, "found 3, expected a divisor of the 4 heads"},
        {"num_key_value_heads", "8", SLX_EINPUT, "found 8, expected a divisor of the 4 heads"},
        {"head_dim", "15", SLX_EINPUT, "'head_dim': found a head of 15 dimensions"},
        {"head_dim", "0", SLX_EINPUT, "'head_dim': found 0"},
        {"head_dim", "8388608", SLX_EINPUT, "'head_dim': found 4 heads of 8388608"},
        {"vocab_size", NULL, SLX_EINPUT, "'vocab_size': not found"},
        {"max_position_embeddings", NULL, SLX_EINPUT, "'max_position_embeddings': not found"},
        {"max_position_embeddings", "1e9", SLX_EINPUT, "found 1e9, expected a whole number"},
        {"rms_norm_eps", NULL, SLX_EINPUT, "'rms_norm_eps': not found, expected a number"},
        {"rms_norm_eps", "0", SLX_EINPUT, "'rms_norm_eps': found 0"},
        {"rms_norm_eps", "-1e-5", SLX_EINPUT, "'rms_norm_eps': found -"},
        {"rope_theta", "0", SLX_EINPUT, "'rope_theta': found 0"},
        {"rope_theta", "1e300", SLX_EINPUT,
         "'rope_theta': found 1e300, expected a number from 1 to"},
        {"rope_theta", "true", SLX_EINPUT, "'rope_theta': found true"},
        {"tie_word_embeddings", "1", SLX_EINPUT, "found 1, expected true or false"},
        {"architectures", "[]", SLX_EINPUT, "found [], expected a list of one name"},
        {"architectures", "[\"OPTForCausalLM\"]", SLX_EUNSUPPORTED, "found \"OPTForCausalLM\""},
        {"architectures", "[\"MistralForCausalLM\"]", SLX_EINPUT, "'model_type': found \"llama\""},
        {"architectures", "[\"MixtralForCausalLM\"]", SLX_EUNSUPPORTED, "MixtralForCausalLM"},
        {"hidden_act", "\"gelu\"", SLX_EUNSUPPORTED, "'hidden_act': found \"gelu\""},
        {"attention_bias", "true", SLX_EUNSUPPORTED, "'attention_bias': found true: biases"},
        {"mlp_bias", "true", SLX_EUNSUPPORTED, "'mlp_bias': found true: biases"},
        {"sliding_window", "511", SLX_EUNSUPPORTED, "found 511, below the context of 512"},
        {"layer_types", "[\"full_attention\",\"sliding_attention\"]", SLX_EUNSUPPORTED, "at 1"},
        {"layer_types", "3", SLX_EINPUT, "'layer_types': found 3"},
        {"partial_rotary_factor", "0.5", SLX_EUNSUPPORTED, "found 0.5, expected 1"},
        {"quantization_config", "{\"quant_method\":\"fp8\"}", SLX_EUNSUPPORTED,
         "say the weights' type"},
        {"weight_type", "\"Q4_K\"", SLX_EUNSUPPORTED,
         "'weight_type': found 'Q4_K', expected one of"},
        {"weight_type", "4", SLX_EINPUT, "'weight_type': found 4"},
        {"num_local_experts", "8", SLX_EUNSUPPORTED,
         "'num_local_experts': found 8, which is not known"},
        {"a\\u001b[31m", "8", SLX_EUNSUPPORTED, "a\\x1B[31m"},
        {"rope_scaling", "7", SLX_EINPUT, "'rope_scaling': found 7, expected an object"},
        {"rope_scaling", "{\"type\":\"yarn\",\"factor\":4}", SLX_EUNSUPPORTED, "found \"yarn\""},
        {"rope_scaling", "{\"factor\":4}", SLX_EINPUT, "'rope_scaling.rope_type': not found"},
        {"rope_scaling", "{\"type\":\"linear\"}", SLX_EINPUT, "'rope_scaling.factor': not found"},
        {"rope_scaling", "{\"type\":\"linear\",\"factor\":0}", SLX_EINPUT,
         "'rope_scaling.factor': found 0"},
        {"rope_scaling", "{\"type\":\"linear\",\"rope_type\":\"llama3\",\"factor\":2}", SLX_EINPUT,
         "'rope_scaling.type': found \"linear\""},
        {"rope_scaling", "{\"type\":\"linear\",\"factor\":2,\"mscale\":1}", SLX_EUNSUPPORTED,
         "'rope_scaling.mscale': found 1"},
        {"rope_scaling",
         "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":4,"
         "\"original_max_position_embeddings\":8192}",
         SLX_EINPUT, "high_freq_factor': found 4, expected more than low_freq_factor"},
        {"rope_scaling", "{\"rope_type\":\"llama3\",\"factor\":8}", SLX_EINPUT,
         "'rope_scaling.low_freq_factor': not found"},
        {"rope_parameters", "{\"rope_type\":\"dynamic\"}", SLX_EUNSUPPORTED,
         "'rope_parameters.rope_type': found \"dynamic\""},
        {"rope_parameters", "{\"full_attention\":{}}", SLX_EUNSUPPORTED, "full_attention"},
        {"vocab_size", "100,\"vocab_size\":100", SLX_EINPUT, "duplicate"},
        {"vocab_size", "100}", SLX_EINPUT, "not JSON"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        slx_err err;
        slx_model *m = with(row[i].key, row[i].value, NULL, &err);
        const char *v = row[i].value ? row[i].value : "absent";
        if (m) fail_msg("%s = %s was accepted", row[i].key, v);
        if (err.code != row[i].status || !strstr(err.msg, row[i].says) ||
            strcmp(err.file, "c.json"))
            fail_msg("%s = %s: %s: status %d, %s", row[i].key, v, err.file, err.code, err.msg);
    }
}

static void refused_whole(void **state)
{
    (void)state;
    static const struct {
        const char *text, *type, *says;
    } row[] = {
        {"", NULL, "not JSON"},
        {"[]", NULL, "no object"},
        {"{", NULL, "not JSON"},
        {"{}", NULL, "key 'architectures': not found"},
        {"{\"model_type\": \"\xff\"}", NULL, "not JSON"},
        {"{\"model_type\":\"gpt2\",\"n_embd\":64,\"n_layer\":2,\"n_head\":3,\"vocab_size\":9,"
         "\"n_positions\":9}",
         NULL, "'n_head': found 3, expected heads of an even number"},
        {"{\"model_type\":\"gpt2\",\"n_embd\":64,\"n_layer\":2,\"n_head\":4,\"vocab_size\":9,"
         "\"n_positions\":9,\"activation_function\":\"relu\"}",
         NULL, "'activation_function': found \"relu\", expected \"gelu_new\""},
        {"{\"model_type\":\"gpt2\",\"n_embd\":64,\"n_layer\":2,\"n_head\":4,\"vocab_size\":9,"
         "\"n_positions\":9,\"n_ctx\":8}",
         NULL, "'n_ctx': found 8, expected what n_positions says"},
        {"{\"model_type\":\"gpt2\",\"n_embd\":64,\"n_layer\":2,\"n_head\":4,\"vocab_size\":9,"
         "\"n_positions\":9,\"scale_attn_by_inverse_layer_idx\":true}",
         NULL, "'scale_attn_by_inverse_layer_idx': found true"},
        {"{\"model_type\":\"gemma\"}", NULL, "found \"gemma\", expected llama, mistral, qwen2"},
        {"{\"architectures\":[\"GemmaForCausalLM\"]}", NULL, "expected LlamaForCausalLM, Mistral"},
        {tiny, "Q5_0", "found 'Q5_0', expected one of F32, F16"},
        {tiny, "q4_0", "found 'q4_0'"},
        {tiny, "", "found ''"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        slx_err err;
        assert_null(parse(row[i].text, row[i].type, &err));
        if (!strstr(err.msg, row[i].says)) fail_msg("%s: %s", row[i].text, err.msg);
    }
    slx_err err;
    char *deep = slx_xmalloc(100001);
    memset(deep, '[', 100000);
    deep[100000] = 0;
    assert_null(parse(deep, NULL, &err));
    free(deep);
    char *huge = slx_xcalloc(1, (1 << 20) + 2);
    memset(huge, ' ', (1 << 20) + 1);
    assert_null(parse(huge, NULL, &err));
    assert_non_null(strstr(err.msg, "found a config of 1048577 bytes"));
    free(huge);
    /* Mistral's own default is a window of 4096 */
    assert_null(parse("{\"model_type\":\"mistral\",\"hidden_size\":64,\"intermediate_size\":128,"
                      "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"vocab_size\":100,"
                      "\"max_position_embeddings\":8192,\"rms_norm_eps\":1e-6}",
                      NULL, &err));
    assert_non_null(strstr(err.msg, "'sliding_window': not found, which means 4096"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_gguf_smollm2),
        cmocka_unit_test(like_gguf_others),
        cmocka_unit_test(like_gguf_qwen),
        cmocka_unit_test(published_counts),
        cmocka_unit_test(llama_3),
        cmocka_unit_test(llama_31_rope),
        cmocka_unit_test(too_large),
        cmocka_unit_test(advice_works),
        cmocka_unit_test(needs_values),
        cmocka_unit_test(places),
        cmocka_unit_test(gguf_keeps_its_types),
        cmocka_unit_test(accepted),
        cmocka_unit_test(refused),
        cmocka_unit_test(refused_whole),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
