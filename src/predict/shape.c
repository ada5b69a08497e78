/* shape.c - the sizes of a model that its time depends on, from a config.json with Hugging Face's names.
 *
 * Every size has a list of names, as families call it differently. What a family does without saying so in its config
 * (two or three matrices in the MLP, the kind of norm) stands in one table. Keys that are not known say nothing here:
 * no program is made of a shape, so a model is never refused for them; the compiler refuses what it cannot do.
 *
 * Invariant: a shape that was returned has d_model, n_heads, n_kv_heads, head_dim >= 1 and no count above MAX_COUNT.
 */
#include "predict/predict_int.h"

#include "model/model.h"

#include <ctype.h>
#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 1 << 20, MAX_COUNT = 1 << 28 };

/* Of a model_type: how its MLP and norms look. Any other is gated, RMS, rotary. */
static const struct {
    const char *type;
    bool plain, layer_norm, no_rope, parallel;
} families[] = {
    {"gpt2", true, true, true, false},      {"gpt3", true, true, true, false},
    {"gpt_neo", true, true, true, false},   {"gpt_neox", true, true, false, true},
    {"gptj", true, true, false, true},      {"gpt_bigcode", true, true, true, false},
    {"opt", true, true, true, false},       {"bloom", true, true, true, false},
    {"mpt", true, true, true, false},       {"falcon", true, true, false, true},
    {"phi", true, true, false, true},       {"starcoder2", true, true, false, false},
    {"nemotron", true, true, false, false}, {"stablelm", false, true, false, false},
    {"nemotron_h", true, false, true, false},
    {"cohere", false, true, false, true},   {"cohere2", false, true, false, true},
};
enum { N_FAMILIES = sizeof families / sizeof *families };

typedef struct {
    const json_t *o;
    const char *path;
    slx_err *err;
} reader;

/* The first of the names that is there and not null; *name becomes it, or the first when none is. */
static const json_t *find(const reader *r, const char *const *names, const char **name)
{
    for (const char *const *n = names; *n; n++) {
        const json_t *v = json_object_get(r->o, *n);
        if (v && !json_is_null(v)) return *name = *n, v;
    }
    *name = names[0];
    return NULL;
}

/* A count; `fallback` where it is absent, SIZE_MAX there = required. */
static slx_status count(const reader *r, uint32_t *out, size_t fallback, const char *const *names)
{
    const char *name;
    const json_t *v = find(r, names, &name);
    if (!v && fallback != SIZE_MAX) return *out = (uint32_t)fallback, SLX_OK;
    if (!v)
        return slx_fail(r->err, SLX_EINPUT, r->path, 0, 0,
                        "key '%s': not found, expected a whole number from 1 to %d", name,
                        MAX_COUNT);
    double d = json_number_value(v); /* 32.0 is a count, too: tables write it so */
    if (json_is_number(v) && d == floor(d) && d >= 0 && d <= MAX_COUNT && (d > 0 || fallback == 0))
        return *out = (uint32_t)d, SLX_OK;
    char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
    slx_status st = slx_fail(r->err, SLX_EINPUT, r->path, 0, 0,
                             "key '%s': found %.60s, expected a whole number from %d to %d", name,
                             text ? text : "a text that is not UTF-8", fallback != 0, MAX_COUNT);
    free(text);
    return st;
}
#define COUNT(out, fallback, ...)                                                                  \
    SLX_TRY(count(r, (out), (fallback), (const char *const[]){__VA_ARGS__, NULL}))

static bool truth(const reader *r, const char *name, bool fallback)
{
    const json_t *v = json_object_get(r->o, name);
    return json_is_boolean(v) ? json_is_true(v) : fallback;
}

static bool is(const slx_shape *s, const char *type)
{
    return !strcmp(s->type, type);
}

/* ------------------------------------------------------------------ parts of a config */

static slx_status load_heads(const reader *r, slx_shape *s)
{
    COUNT(&s->n_heads, SIZE_MAX, "num_attention_heads", "n_head", "n_heads");
    uint32_t kv = s->n_heads;
    if (is(s, "falcon") && !truth(r, "new_decoder_architecture", false) &&
        truth(r, "multi_query", true))
        kv = 1;
    if (is(s, "gpt_bigcode") && truth(r, "multi_query", true)) kv = 1;
    COUNT(&s->n_kv_heads, kv, "num_key_value_heads", "num_kv_heads", "multi_query_group_num",
          "n_kv_heads");
    COUNT(&s->kv_rank, 0, "kv_lora_rank");
    COUNT(&s->q_rank, 0, "q_lora_rank");
    COUNT(&s->rope_dim, 0, "qk_rope_head_dim");
    COUNT(&s->nope_dim, 0, "qk_nope_head_dim");
    COUNT(&s->v_dim, 0, "v_head_dim");
    if (s->n_heads % s->n_kv_heads)
        return slx_fail(r->err, SLX_EINPUT, r->path, 0, 0,
                        "key 'num_key_value_heads': found %u, expected a divisor of the %u heads",
                        s->n_kv_heads, s->n_heads);
    if (s->kv_rank && (!s->rope_dim || !s->nope_dim || !s->v_dim))
        return slx_fail(r->err, SLX_EINPUT, r->path, 0, 0,
                        "key 'kv_lora_rank': found %u, expected qk_rope_head_dim, qk_nope_head_dim "
                        "and v_head_dim beside it",
                        s->kv_rank);
    uint32_t each = s->d_model / s->n_heads;
    COUNT(&s->head_dim, each ? each : 1, "head_dim", "kv_channels");
    if (s->kv_rank) s->head_dim = s->nope_dim + s->rope_dim;
    uint64_t wide = s->kv_rank ? (uint64_t)s->nope_dim + s->rope_dim + s->v_dim : s->head_dim;
    if (s->n_heads * wide > MAX_COUNT)
        return slx_fail(r->err, SLX_EINPUT, r->path, 0, 0,
                        "key 'head_dim': found %u heads of %llu, expected up to %d together",
                        s->n_heads, (unsigned long long)wide, MAX_COUNT);
    return SLX_OK;
}

/* Layers whose attention sees only a window of keys. */
static slx_status load_window(const reader *r, slx_shape *s)
{
    const json_t *kinds = json_object_get(r->o, "layer_types");
    COUNT(&s->window, 0, "sliding_window");
    if (!s->window || (strncmp(s->type, "qwen", 4) == 0 && !truth(r, "use_sliding_window", false)))
        return s->window = 0, SLX_OK;
    s->n_window_layers = s->n_layers;
    if (json_is_array(kinds)) {
        s->n_window_layers = 0;
        for (size_t i = 0; i < json_array_size(kinds) && i < s->n_layers; i++) {
            const char *k = json_string_value(json_array_get(kinds, i));
            s->n_window_layers += k && !strcmp(k, "sliding_attention");
        }
        return SLX_OK;
    }
    uint32_t pattern;
    COUNT(&pattern,
          is(s, "gemma2") || is(s, "gpt_oss") ? 2
          : strncmp(s->type, "gemma3", 6)     ? 1
                                              : 6,
          "sliding_window_pattern");
    if (pattern > 1)
        s->n_window_layers = s->n_layers - s->n_layers / pattern; /* every pattern-th sees all */
    return SLX_OK;
}

/* How many entries of a list are that word; -1: there is no list. */
static long listed(const reader *r, const char *name, const char *word)
{
    const json_t *list = json_object_get(r->o, name);
    long n = 0;
    if (!json_is_array(list)) return -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *k = json_string_value(json_array_get(list, i));
        n += k && !strcmp(k, word);
    }
    return n;
}

/* Nemotron-H: a letter a layer, M a state, * an attention, - an MLP, E experts. Here a layer is an attention or a state
 * with the MLP behind it. */
static slx_status load_pattern(const reader *r, slx_shape *s, const char *pattern)
{
    uint32_t of[4] = {0};
    for (const char *p = pattern; *p; p++) {
        const char *at = strchr("M*-E", *p);
        if (!at)
            return slx_fail(r->err, SLX_EINPUT, r->path, 0, 0,
                            "key 'hybrid_override_pattern': found '%c', expected M, *, - and E", *p);
        of[at - "M*-E"]++;
    }
    uint32_t mixers = of[0] + of[1], behind = of[2] + of[3];
    if (!mixers || behind > mixers)
        return slx_fail(r->err, SLX_EINPUT, r->path, 0, 0,
                        "key 'hybrid_override_pattern': found %u of M and * and %u of - and E, expected "
                        "no more of these",
                        mixers, behind);
    s->n_layers = mixers, s->n_state_layers = of[0], s->n_bare_layers = mixers - behind;
    s->n_moe_layers = of[3];
    return SLX_OK;
}

/* Layers with a state in place of keys. Qwen3-Next and Qwen3.5 (gated delta rule) have a full attention in every
 * full_attention_interval-th layer; Granite 4 and the like name theirs mamba. */
static slx_status load_states(const reader *r, slx_shape *s)
{
    uint32_t interval, layers;
    const char *pattern = json_string_value(json_object_get(r->o, "hybrid_override_pattern"));
    COUNT(&s->state_heads, 0, "linear_num_value_heads", "mamba_num_heads", "mamba_n_heads");
    if (!s->state_heads || !s->n_layers) return s->state_heads = 0, SLX_OK;
    COUNT(&s->state_key_heads, s->state_heads, "linear_num_key_heads", "n_groups", "mamba_n_groups");
    COUNT(&s->state_key, 128, "linear_key_head_dim", "ssm_state_size", "mamba_d_state");
    COUNT(&s->state_value, 128, "linear_value_head_dim", "mamba_head_dim", "mamba_d_head");
    COUNT(&s->state_conv, 4, "linear_conv_kernel_dim", "conv_kernel", "mamba_d_conv");
    COUNT(&interval, 4, "full_attention_interval");
    double of_keys = (double)s->state_key_heads * s->state_key, of_values = (double)s->state_heads * s->state_value;
    if (of_keys > MAX_COUNT || of_values > MAX_COUNT || of_values * s->state_key > 1e12)
        return slx_fail(r->err, SLX_EINPUT, r->path, 0, 0, "a state of %u x %u in %u heads, expected up to %d together",
                        s->state_key, s->state_value, s->state_heads, MAX_COUNT);
    long linear = listed(r, "layer_types", "linear_attention"), mamba = listed(r, "layer_types", "mamba");
    layers = s->n_layers - s->n_layers / interval;
    if (linear + mamba > 0) layers = (uint32_t)(linear + mamba);
    s->n_state_layers = layers < s->n_layers ? layers : s->n_layers;
    return pattern ? load_pattern(r, s, pattern) : SLX_OK;
}

static slx_status load_experts(const reader *r, slx_shape *s)
{
    uint32_t shared, first_dense, step;
    const json_t *only = json_object_get(r->o, "mlp_only_layers");
    COUNT(&s->n_experts, 0, "num_experts", "num_local_experts", "n_routed_experts",
          "moe_num_experts");
    if (s->n_experts < 2) return s->n_experts = 0, SLX_OK;
    COUNT(&s->top_k, is(s, "llama4_text") ? 1 : SIZE_MAX, "num_experts_per_tok", "moe_top_k",
          "experts_per_token", "num_experts_per_token");
    if (s->top_k > s->n_experts)
        return slx_fail(r->err, SLX_EINPUT, r->path, 0, 0,
                        "key 'num_experts_per_tok': found %u, expected at most the %u experts",
                        s->top_k, s->n_experts);
    COUNT(&s->d_expert, s->d_ff ? s->d_ff : SIZE_MAX, "moe_intermediate_size",
          "expert_hidden_size");
    COUNT(&shared, is(s, "llama4_text"), "n_shared_experts", "num_shared_experts");
    if ((uint64_t)shared * s->d_expert > MAX_COUNT)
        return slx_fail(r->err, SLX_EINPUT, r->path, 0, 0,
                        "key 'n_shared_experts': found %u of %u, expected up to %d together",
                        shared, s->d_expert, MAX_COUNT);
    COUNT(&s->d_shared, (size_t)shared * s->d_expert, "shared_expert_intermediate_size");
    COUNT(&first_dense, 0, "first_k_dense_replace");
    COUNT(&step, 1, "decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_freq");
    if (s->n_layers < first_dense) first_dense = s->n_layers;
    if (s->n_bare_layers || s->n_moe_layers) return SLX_OK; /* a pattern has told */
    s->n_moe_layers = (s->n_layers - first_dense) / step;
    if (json_is_array(only) && json_array_size(only) < s->n_moe_layers)
        s->n_moe_layers -= (uint32_t)json_array_size(only);
    if (is(s, "llama4_text")) COUNT(&s->d_ff, s->d_ff, "intermediate_size_mlp");
    return SLX_OK;
}

static slx_status load_mlp(const reader *r, slx_shape *s)
{
    size_t usual = s->mlp == SLX_MLP_PLAIN ? 4 * (size_t)s->d_model : 0;
    COUNT(&s->d_ff, usual, "intermediate_size", "ffn_hidden_size", "n_inner", "ffn_dim", "ffn_size",
          "d_ff");
    if (is(s, "qwen")) s->d_ff /= 2; /* the first Qwen counts gate and up together */
    SLX_TRY(load_experts(r, s));
    if (!s->d_ff && s->n_moe_layers < s->n_layers)
        return slx_fail(r->err, SLX_EINPUT, r->path, 0, 0,
                        "key 'intermediate_size': not found, expected a whole number from 1 to %d",
                        MAX_COUNT);
    return SLX_OK;
}

static slx_status load(const reader *r, slx_shape *s)
{
    const char *type = json_string_value(json_object_get(r->o, "model_type"));
    s->type = slx_strdup(&s->arena, type && strlen(type) < 64 ? type : "");
    s->rope = true;
    for (int i = 0; i < N_FAMILIES; i++)
        if (is(s, families[i].type)) {
            s->mlp = families[i].plain ? SLX_MLP_PLAIN : SLX_MLP_GATED;
            s->layer_norm = families[i].layer_norm;
            s->rope = !families[i].no_rope;
            s->parallel = families[i].parallel;
        }
    s->qk_norm = truth(r, "use_qk_norm", !strncmp(s->type, "qwen3", 5) || !strncmp(s->type, "gemma3", 6));
    s->gated = truth(r, "attn_output_gate", is(s, "qwen3_next") || !strncmp(s->type, "qwen3_5", 7));
    COUNT(&s->d_model, SIZE_MAX, "hidden_size", "n_embd", "n_embed", "d_model");
    COUNT(&s->n_layers, 0, "num_hidden_layers", "n_layer", "n_layers", "num_layers");
    COUNT(&s->vocab, 0, "vocab_size", "padded_vocab_size");
    COUNT(&s->context, 0, "max_position_embeddings", "n_positions", "seq_length", "max_seq_len");
    s->tied = truth(r, "tie_word_embeddings",
                    is(s, "gpt2") || is(s, "gpt3") || is(s, "opt") || is(s, "bloom") ||
                        !strncmp(s->type, "gemma", 5));
    COUNT(&s->n_draft_layers, 0, "num_nextn_predict_layers", "mtp_num_hidden_layers");
    SLX_TRY(load_heads(r, s));
    SLX_TRY(load_window(r, s));
    SLX_TRY(load_states(r, s));
    return load_mlp(r, s);
}

/* ------------------------------------------------------------------ the whole */

static slx_shape *new_shape(const char *name)
{
    slx_shape *s = slx_xcalloc(1, sizeof *s);
    slx_arena_init(&s->arena);
    const char *end = name + strlen(name), *at;
    if (end - name > 12 && !strcmp(end - 12, "/config.json")) end -= 12;
    if (end - name > 5 && !strncmp(end - 5, ".json", 5)) end -= 5;
    for (at = end; at > name && at[-1] != '/'; at--) {}
    s->name = slx_sprintf(&s->arena, "%.*s", (int)(end - at < 200 ? end - at : 200), at);
    s->type = "";
    return s;
}

void slx_shape_free(slx_shape *s)
{
    if (!s) return;
    slx_arena_deinit(&s->arena);
    free(s);
}

slx_status slx_shape_parse(slx_shape **out, const char *text, size_t n, const char *name,
                           slx_err *err)
{
    json_error_t e;
    *out = NULL;
    if (n > MAX_BYTES)
        return slx_fail(err, SLX_EINPUT, name, 0, 0,
                        "found a config of %zu bytes, expected at most %d", n, MAX_BYTES);
    json_t *o = json_loadb(n ? text : "", n, 0, &e);
    if (!json_is_object(o)) {
        json_decref(o);
        return slx_fail(err, SLX_EINPUT, name, !o && e.line > 0 ? e.line : 0,
                        !o && e.column > 0 ? e.column : 0, "not a JSON object");
    }
    static const char *const inner[] = {"text_config", "llm_config", "language_config"};
    reader r = {o, name, err};
    for (int i = 0; i < 3; i++)
        if (json_is_object(json_object_get(o, inner[i])) && !json_object_get(o, "hidden_size"))
            r.o = json_object_get(o, inner[i]);
    slx_shape *s = new_shape(name);
    slx_status st = load(&r, s);
    s->config = slx_sprintf(&s->arena, "%.*s", (int)n, text);
    json_decref(o);
    if (st == SLX_OK)
        *out = s;
    else
        slx_shape_free(s);
    return st;
}

static slx_status open_gguf(slx_shape **out, const char *path, slx_err *err)
{
    slx_model *m;
    SLX_TRY(slx_model_open(&m, path, err));
    const slx_hparams *h = &m->hp;
    slx_shape *s = new_shape(path);
    s->path = slx_strdup(&s->arena, path);
    s->type = "llama";
    s->d_model = h->d_model, s->n_layers = h->n_layers, s->vocab = h->vocab;
    s->context = h->context, s->n_heads = h->n_heads, s->n_kv_heads = h->n_kv_heads;
    s->head_dim = h->head_dim, s->d_ff = h->d_ff, s->tied = h->tied, s->rope = true;
    slx_model_close(m);
    *out = s;
    return SLX_OK;
}

slx_status slx_shape_open(slx_shape **out, const char *name, slx_err *err)
{
    static const char *const suffixes[] = {".json", NULL};
    char path[1024];
    slx_buf text = {0};
    *out = NULL;
    size_t len = strlen(name);
    if (len > 5 && !strcmp(name + len - 5, ".gguf")) return open_gguf(out, name, err);
    SLX_TRY(slx_find_file(path, "data/models", name, suffixes, err));
    SLX_TRY(slx_read_file(&text, path, err));
    slx_status st = slx_shape_parse(out, text.ptr, text.len, path, err);
    slx_buf_free(&text);
    if (st == SLX_OK) (*out)->path = slx_strdup(&(*out)->arena, path);
    return st;
}

/* ------------------------------------------------------------------ what follows from the sizes */

/* Columns of a state layer's first product: v, its gate, q, k, and two numbers a head. */
double slx_shape_state_columns(const slx_shape *s)
{
    return 2.0 * s->state_heads * s->state_value + 2.0 * s->state_key_heads * s->state_key + 2.0 * s->state_heads;
}

/* Matrices of attention in one layer. */
static double attention_weights(const slx_shape *s)
{
    double d = s->d_model, heads = s->n_heads;
    if (!s->kv_rank) return d * s->head_dim * ((s->gated ? 3 : 2) * heads + 2.0 * s->n_kv_heads);
    double q =
        s->q_rank ? d * s->q_rank + s->q_rank * heads * s->head_dim : d * heads * s->head_dim;
    return q + d * (s->kv_rank + s->rope_dim) + s->kv_rank * heads * (s->nope_dim + s->v_dim) +
           heads * s->v_dim * d;
}

/* All layers and tables, with `experts` of each mixture. */
static double weights(const slx_shape *s, double experts)
{
    double matrices = s->mlp == SLX_MLP_GATED ? 3 : 2, d = s->d_model;
    double moe = s->n_moe_layers, dense = s->n_layers - moe - s->n_bare_layers, states = s->n_state_layers;
    double of_state = d * (slx_shape_state_columns(s) + (double)s->state_heads * s->state_value);
    return (s->n_layers - states) * attention_weights(s) + states * of_state + dense * matrices * d * s->d_ff +
           moe * d * (matrices * (experts * s->d_expert + s->d_shared) + s->n_experts) +
           d * s->vocab * (s->tied ? 1 : 2);
}

double slx_shape_weights(const slx_shape *s)
{
    return weights(s, s->n_experts);
}

double slx_shape_active_weights(const slx_shape *s)
{
    return weights(s, s->top_k);
}

double slx_shape_kv_values(const slx_shape *s)
{
    double layer = s->kv_rank ? s->kv_rank + s->rope_dim : 2.0 * s->n_kv_heads * s->head_dim;
    return (s->n_layers - s->n_state_layers) * layer;
}

double slx_shape_state_bytes(const slx_shape *s)
{
    double state = 4.0 * s->state_heads * s->state_key * s->state_value;
    double mixed = (double)s->state_heads * s->state_value + 2.0 * s->state_key_heads * s->state_key;
    double tokens = s->state_conv > 1 ? s->state_conv - 1 : 0;
    return s->n_state_layers * (state + 2 * mixed * tokens);
}
