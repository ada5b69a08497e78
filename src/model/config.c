/* config.c - a Hugging Face style config.json as the hyperparameters a GGUF file of the same model would have.
 *
 * The only file here that sees JSON. The rule is that of arch.c: what is not understood is refused by name. Every key
 * is one of
 *   taken      read below, absent ones have the default of the architecture's class
 *   free       says nothing about the arithmetic (token ids, dropout, versions), or starts with '_'
 *   any other  refused, unless it is null or false and so asks for nothing
 */
#include "model/model_int.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

enum { MAX_BYTES = 1 << 20, MAX_HEAD_DIM = 1 << 16 };

typedef struct {
    const char *architecture, *model_type;
    const char *arch;         /* what GGUF calls it */
    slx_rope_style rope_style; /* of the GGUF file: llama's has the rows of q and k permuted */
    uint32_t default_window;  /* sliding window when the key is absent; 0 = none */
    bool window_switch;       /* sliding_window counts only where use_sliding_window is true */
    bool qkv_bias, qk_norm, gpt;
} family;

static const family families[] = {
    {"LlamaForCausalLM", "llama", "llama", SLX_ROPE_INTERLEAVED, 0, false, false, false, false},
    {"MistralForCausalLM", "mistral", "llama", SLX_ROPE_INTERLEAVED, 4096, false, false, false, false},
    {"Qwen2ForCausalLM", "qwen2", "qwen2", SLX_ROPE_HALF, 0, true, true, false, false},
    {"Qwen3ForCausalLM", "qwen3", "qwen3", SLX_ROPE_HALF, 0, true, false, true, false},
    {"GPT2LMHeadModel", "gpt2", "gpt2", SLX_ROPE_HALF, 0, false, true, false, true},
};
enum { N_FAMILIES = sizeof families / sizeof *families };

static const char *const taken_keys[] = {
    "architectures",       "model_type",        "hidden_size",
    "intermediate_size",   "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "head_dim",          "vocab_size",
    "rms_norm_eps",        "rope_theta",        "max_position_embeddings",
    "rope_scaling",        "rope_parameters",   "tie_word_embeddings",
    "attention_bias",      "mlp_bias",          "hidden_act",
    "sliding_window",      "use_sliding_window", "layer_types",
    "partial_rotary_factor", "quantization_config", "weight_type", NULL};
static const char *const gpt_keys[] = {
    "architectures",       "model_type",  "n_embd",
    "n_inner",             "n_layer",     "n_head",
    "n_positions",         "n_ctx",       "vocab_size",
    "layer_norm_epsilon",  "weight_type", "tie_word_embeddings",
    "activation_function", "scale_attn_weights", "quantization_config", NULL};
static const char *const free_keys[] = {"resid_pdrop",
                                        "embd_pdrop",
                                        "attn_pdrop",
                                        "summary_activation",
                                        "summary_first_dropout",
                                        "summary_proj_to_labels",
                                        "summary_type",
                                        "summary_use_proj",
                                        "task_specific_params","bos_token_id",
                                        "eos_token_id",
                                        "pad_token_id",
                                        "unk_token_id",
                                        "transformers_version",
                                        "torch_dtype",
                                        "dtype",
                                        "use_cache",
                                        "initializer_range",
                                        "attention_dropout",
                                        "hidden_dropout",
                                        "pretraining_tp",
                                        "auto_map",
                                        "max_window_layers",
                                        "is_llama_config",
                                        "transformers.js_config",
                                        "max_sequence_length",
                                        "output_attentions",
                                        "output_hidden_states",
                                        "return_dict",
                                        "unsloth_fixed",
                                        "unsloth_version",
                                        "generation_config",
                                        NULL};
static const char *const rope_keys[] = {"type",
                                        "rope_type",
                                        "rope_theta",
                                        "factor",
                                        "low_freq_factor",
                                        "high_freq_factor",
                                        "original_max_position_embeddings",
                                        "partial_rotary_factor",
                                        NULL};

typedef struct {
    const json_t *o;    /* the object that keys are read from */
    const char *inside; /* "" or "rope_scaling." */
    const char *path;
    slx_err *err;
} reader;

#define FAIL(r, status, ...) slx_fail((r)->err, (status), (r)->path, 0, 0, __VA_ARGS__)

/* ------------------------------------------------------------------ values */

/* A value for a message. */
static const char *shown(char out[64], const json_t *v)
{
    char *text =
        json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(7));
    if (text && strlen(text) < 60)
        snprintf(out, 64, "%s", text);
    else if (text)
        snprintf(out, 64, "%.56s...", text);
    else
        snprintf(out, 64, "a text that is not UTF-8");
    free(text);
    return out;
}

/* NULL when absent or null, which mean the same. */
static const json_t *get(const reader *r, const char *key)
{
    const json_t *v = json_object_get(r->o, key);
    return json_is_null(v) ? NULL : v;
}

static slx_status expected(const reader *r, const char *key, const json_t *v, const char *what)
{
    char text[64];
    return FAIL(r, SLX_EINPUT, "key '%s%s': %s%s, expected %s", r->inside, key,
                v ? "found " : "not found", v ? shown(text, v) : "", what);
}

/* A count between 1 and max; with fallback != 0 the key may be absent. */
static slx_status count(const reader *r, const char *key, uint32_t fallback, uint32_t max,
                        uint32_t *out)
{
    const json_t *v = get(r, key);
    char what[64];
    *out = fallback;
    if (!v && fallback) return SLX_OK;
    snprintf(what, sizeof what, "a whole number from 1 to %u", max);
    if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > max)
        return expected(r, key, v, what);
    *out = (uint32_t)json_integer_value(v);
    return SLX_OK;
}

/* fallback 0: required. */
static slx_status number(const reader *r, const char *key, double fallback, double lo, double hi,
                         double *out)
{
    const json_t *v = get(r, key);
    char what[64];
    *out = fallback;
    if (!v && fallback != 0) return SLX_OK;
    snprintf(what, sizeof what, "a number from %g to %g", lo, hi);
    if (!json_is_number(v)) return expected(r, key, v, what);
    *out = json_number_value(v);
    return *out >= lo && *out <= hi ? SLX_OK : expected(r, key, v, what);
}

static slx_status flag(const reader *r, const char *key, bool *out)
{
    const json_t *v = get(r, key);
    *out = json_is_true(v);
    return !v || json_is_boolean(v) ? SLX_OK : expected(r, key, v, "true or false");
}

static bool is_text(const json_t *v, const char *s)
{
    return json_is_string(v) &&
           slx_str_is((slx_str){json_string_value(v), json_string_length(v)}, s);
}

static bool listed(const char *const *keys, const char *key)
{
    while (*keys && strcmp(*keys, key)) keys++;
    return *keys != NULL;
}

static slx_status check_keys(const reader *r, const char *const *taken,
                             const char *const *free_list)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)r->o, key, v)
    {
        char name[360], text[64];
        if (key[0] == '_' || json_is_null(v) || json_is_false(v) || listed(taken, key)) continue;
        if (free_list && listed(free_list, key)) continue;
        return FAIL(r, SLX_EUNSUPPORTED,
                    "key '%s%s': found %s, which is not known here and may change the model; make "
                    "it null if it does not",
                    r->inside, slx_printable(name, slx_str_c(key)), shown(text, v));
    }
    return SLX_OK;
}

/* ------------------------------------------------------------------ architecture */

static slx_status find_family(const reader *r, const family **out)
{
    const json_t *list = get(r, "architectures"), *type = get(r, "model_type"), *name = NULL;
    const family *f = NULL;
    if (list) {
        if (!json_is_array(list) || json_array_size(list) != 1 ||
            !json_is_string(json_array_get(list, 0)))
            return expected(r, "architectures", list, "a list of one name");
        name = json_array_get(list, 0);
    }
    if (!name && !type)
        return expected(r, "architectures", NULL, "a list of one name, such as LlamaForCausalLM");
    for (int i = 0; i < N_FAMILIES && !f; i++)
        if (name ? is_text(name, families[i].architecture) : is_text(type, families[i].model_type))
            f = &families[i];
    char text[64], known[256] = "";
    for (int i = 0; i < N_FAMILIES; i++) {
        size_t at = strlen(known);
        snprintf(known + at, sizeof known - at, "%s%s",
                 i == 0               ? ""
                 : i + 1 < N_FAMILIES ? ", "
                                      : " or ",
                 name ? families[i].architecture : families[i].model_type);
    }
    if (!f)
        return FAIL(r, SLX_EUNSUPPORTED, "key '%s': found %s, expected %s",
                    name ? "architectures" : "model_type", shown(text, name ? name : type), known);
    if (type && !is_text(type, f->model_type))
        return FAIL(r, SLX_EINPUT, "key 'model_type': found %s, expected \"%s\" for %s",
                    shown(text, type), f->model_type, f->architecture);
    *out = f;
    return SLX_OK;
}

/* Keys that must ask for nothing. */
static slx_status check_plain(const reader *r)
{
    static const char *const biases[] = {"attention_bias", "mlp_bias"};
    char text[64];
    for (int i = 0; i < 2; i++) {
        bool on;
        SLX_TRY(flag(r, biases[i], &on));
        if (on)
            return FAIL(r, SLX_EUNSUPPORTED, "key '%s': found true: biases are not supported",
                        biases[i]);
    }
    const json_t *act = get(r, "hidden_act"), *kinds = get(r, "layer_types");
    if (act && !is_text(act, "silu"))
        return FAIL(r, SLX_EUNSUPPORTED, "key 'hidden_act': found %s, expected \"silu\"",
                    shown(text, act));
    if (kinds && !json_is_array(kinds))
        return expected(r, "layer_types", kinds, "a list of one name a layer");
    for (size_t i = 0; i < json_array_size(kinds); i++)
        if (!is_text(json_array_get(kinds, i), "full_attention"))
            return FAIL(r, SLX_EUNSUPPORTED,
                        "key 'layer_types': found %s at %zu, expected \"full_attention\"",
                        shown(text, json_array_get(kinds, i)), i);
    return SLX_OK;
}

static slx_status check_window(const reader *r, const family *f, const slx_hparams *hp)
{
    const json_t *v = json_object_get(r->o, "sliding_window");
    uint32_t window = f->default_window;
    bool on = false;
    if (f->window_switch) SLX_TRY(flag(r, "use_sliding_window", &on));
    if (json_is_null(v) || (f->window_switch && !on)) return SLX_OK;
    if (!v && !window) return SLX_OK;
    if (v) SLX_TRY(count(r, "sliding_window", 0, SLX_MAX_COUNT, &window));
    if (window >= hp->context) return SLX_OK;
    return FAIL(r, SLX_EUNSUPPORTED,
                "key 'sliding_window': %s %u, below the context of %u: sliding windows are not "
                "supported%s",
                v ? "found" : "not found, which means", window, hp->context,
                v ? "" : "; null says that there is none");
}

/* ------------------------------------------------------------------ rope */

/* The rotation's factor on the model's whole head. */
static slx_status whole_head(const reader *r)
{
    double part;
    SLX_TRY(number(r, "partial_rotary_factor", 1, 0, 1, &part));
    if (part == 1) return SLX_OK;
    return FAIL(r, SLX_EUNSUPPORTED, "key '%spartial_rotary_factor': found %g, expected 1",
                r->inside, part);
}

/* Divisors of the angles, stretched where the wavelength is long against the context of training. */
static slx_status llama3_divisors(const reader *r, slx_config *c, double factor)
{
    double low, high;
    uint32_t trained;
    SLX_TRY(number(r, "low_freq_factor", 0, 1e-3, 1e3, &low));
    SLX_TRY(number(r, "high_freq_factor", 0, 1e-3, 1e3, &high));
    SLX_TRY(count(r, "original_max_position_embeddings", 0, SLX_MAX_COUNT, &trained));
    if (high <= low)
        return FAIL(r, SLX_EINPUT,
                    "key '%shigh_freq_factor': found %g, expected more than low_freq_factor, %g",
                    r->inside, high, low);
    for (uint32_t i = 0; i < c->hp.n_rot / 2; i++) {
        double turn = pow((double)c->hp.rope_base, 2.0 * i / c->hp.n_rot),
               waves = trained / (2 * 3.14159265358979323846 * turn); /* in the trained context */
        double s = (waves - low) / (high - low);
        c->rope_freqs[i] = waves > high  ? 1.0f
                           : waves < low ? (float)factor
                                         : (float)(1 / ((1 - s) / factor + s));
    }
    return SLX_OK;
}

static slx_status scaling(const reader *r, slx_config *c, slx_arena *a)
{
    const json_t *type = get(r, "rope_type"), *old = get(r, "type");
    double factor;
    char text[64];
    if (type && old && !json_equal(type, old))
        return expected(r, "type", old, "what rope_type says, or nothing");
    if (!type) type = old;
    if (type && !json_is_string(type)) return expected(r, "rope_type", type, "a name");
    SLX_TRY(check_keys(r, rope_keys, NULL));
    SLX_TRY(whole_head(r));
    if (!type && get(r, "factor"))
        return expected(r, "rope_type", NULL, "default, linear or llama3");
    if (!type || is_text(type, "default")) return SLX_OK;
    bool llama3 = is_text(type, "llama3");
    if (!llama3 && !is_text(type, "linear"))
        return FAIL(r, SLX_EUNSUPPORTED,
                    "key '%srope_type': found %s, expected default, linear or llama3", r->inside,
                    shown(text, type));
    SLX_TRY(number(r, "factor", 0, 1e-3, 1e6, &factor));
    c->rope_freqs = slx_new(a, float, c->hp.n_rot / 2);
    if (llama3) return llama3_divisors(r, c, factor);
    for (uint32_t i = 0; i < c->hp.n_rot / 2; i++) c->rope_freqs[i] = (float)factor;
    return SLX_OK;
}

/* Either rope_theta and rope_scaling, or both in rope_parameters. */
static slx_status load_rope(const reader *r, slx_config *c, slx_arena *a)
{
    const json_t *old = get(r, "rope_scaling"), *new = get(r, "rope_parameters"),
                 *theta = get(r, "rope_theta");
    const char *key = new ? "rope_parameters" : "rope_scaling";
    reader in = {new ? new : old, new ? "rope_parameters." : "rope_scaling.", r->path, r->err};
    double base;
    if (old && new) return expected(r, "rope_scaling", old, "none beside rope_parameters");
    if (in.o && !json_is_object(in.o)) return expected(r, key, in.o, "an object or null");
    if (theta && in.o && get(&in, "rope_theta") && !json_equal(theta, get(&in, "rope_theta")))
        return expected(r, "rope_theta", theta, "what the key inside the scaling says");
    SLX_TRY(number(in.o && get(&in, "rope_theta") ? &in : r, "rope_theta", 10000, 1, 1e12, &base));
    c->hp.rope_base = (float)base;
    SLX_TRY(whole_head(r));
    return in.o ? scaling(&in, c, a) : SLX_OK;
}

/* ------------------------------------------------------------------ sizes and types */

static slx_status load_sizes(const reader *r, slx_hparams *hp)
{
    double eps;
    SLX_TRY(count(r, "num_hidden_layers", 0, SLX_MAX_LAYERS, &hp->n_layers));
    SLX_TRY(count(r, "hidden_size", 0, SLX_MAX_COUNT, &hp->d_model));
    SLX_TRY(count(r, "intermediate_size", 0, SLX_MAX_COUNT, &hp->d_ff));
    SLX_TRY(count(r, "num_attention_heads", 0, SLX_MAX_COUNT, &hp->n_heads));
    SLX_TRY(count(r, "num_key_value_heads", hp->n_heads, SLX_MAX_COUNT, &hp->n_kv_heads));
    SLX_TRY(count(r, "vocab_size", 0, SLX_MAX_COUNT, &hp->vocab));
    SLX_TRY(count(r, "max_position_embeddings", 0, SLX_MAX_COUNT, &hp->context));
    SLX_TRY(number(r, "rms_norm_eps", 0, 1e-30, 1, &eps));
    hp->rms_eps = (float)eps;
    if (hp->n_heads % hp->n_kv_heads)
        return FAIL(r, SLX_EINPUT,
                    "key 'num_key_value_heads': found %u, expected a divisor of the %u heads",
                    hp->n_kv_heads, hp->n_heads);
    if (!get(r, "head_dim") && hp->d_model % hp->n_heads)
        return FAIL(r, SLX_EINPUT,
                    "key 'num_attention_heads': found %u, expected a divisor of hidden_size %u, or "
                    "head_dim",
                    hp->n_heads, hp->d_model);
    SLX_TRY(count(r, "head_dim", hp->d_model / hp->n_heads, SLX_MAX_COUNT, &hp->head_dim));
    if (hp->head_dim % 2)
        return FAIL(r, SLX_EINPUT,
                    "key '%s': found a head of %u dimensions, expected an even number",
                    get(r, "head_dim") ? "head_dim" : "num_attention_heads", hp->head_dim);
    if (hp->head_dim > MAX_HEAD_DIM || (uint64_t)hp->n_heads * hp->head_dim > SLX_MAX_COUNT)
        return FAIL(r, SLX_EINPUT,
                    "key '%s': found %u heads of %u dimensions, expected up to %d a head and %d "
                    "together",
                    get(r, "head_dim") ? "head_dim" : "num_attention_heads", hp->n_heads,
                    hp->head_dim, MAX_HEAD_DIM, SLX_MAX_COUNT);
    hp->n_rot = hp->head_dim;
    return flag(r, "tie_word_embeddings", &hp->tied);
}

/* The sizes and the arithmetic of a GPT-2, under the names its publisher gave them. */
static slx_status load_gpt(const reader *r, slx_hparams *hp)
{
    double eps;
    char text[64];
    SLX_TRY(count(r, "n_layer", 0, SLX_MAX_LAYERS, &hp->n_layers));
    SLX_TRY(count(r, "n_embd", 0, SLX_MAX_COUNT / 4, &hp->d_model));
    SLX_TRY(count(r, "n_inner", 4 * hp->d_model, SLX_MAX_COUNT, &hp->d_ff));
    SLX_TRY(count(r, "n_head", 0, SLX_MAX_COUNT, &hp->n_heads));
    SLX_TRY(count(r, "vocab_size", 0, SLX_MAX_COUNT, &hp->vocab));
    SLX_TRY(count(r, "n_positions", 0, SLX_MAX_COUNT, &hp->context));
    SLX_TRY(number(r, "layer_norm_epsilon", 1e-5, 1e-30, 1, &eps));
    hp->rms_eps = (float)eps;
    hp->n_kv_heads = hp->n_heads;
    if (hp->d_model % hp->n_heads || hp->d_model / hp->n_heads % 2)
        return FAIL(r, SLX_EINPUT,
                    "key 'n_head': found %u, expected heads of an even number of dimensions: n_embd is %u",
                    hp->n_heads, hp->d_model);
    hp->head_dim = hp->d_model / hp->n_heads;
    hp->rope_base = 10000;
    const json_t *act = get(r, "activation_function"), *scaled = get(r, "scale_attn_weights");
    if (act && !is_text(act, "gelu_new"))
        return FAIL(r, SLX_EUNSUPPORTED, "key 'activation_function': found %s, expected \"gelu_new\"",
                    shown(text, act));
    if (scaled && !json_is_true(scaled)) return expected(r, "scale_attn_weights", scaled, "true");
    const json_t *ctx = get(r, "n_ctx"), *tied = get(r, "tie_word_embeddings");
    if (ctx && json_integer_value(ctx) != hp->context)
        return expected(r, "n_ctx", ctx, "what n_positions says");
    bool on = true;
    if (tied) SLX_TRY(flag(r, "tie_word_embeddings", &on));
    hp->tied = on;
    return SLX_OK;
}

static slx_status load_weight_type(const reader *r, slx_config *c, const char *said)
{
    const json_t *v = get(r, "weight_type"), *quant = get(r, "quantization_config");
    char text[360];
    if (v && !json_is_string(v)) return expected(r, "weight_type", v, slx_matmul_types);
    const char *name = said ? said : v ? json_string_value(v) : "Q4_0";
    if (quant && !said && !v)
        return FAIL(r, SLX_EUNSUPPORTED,
                    "key 'quantization_config': found a storage format that is not known here; say "
                    "the weights' type (%s)",
                    slx_matmul_types);
    for (uint32_t type = 0; type <= SLX_T_MXFP4; type++) {
        const char *known = slx_tensor_type_name(type);
        if (!known || strcmp(known, name) || !slx_type_for_matmul(type)) continue;
        c->weight_type = type;
        return SLX_OK;
    }
    return FAIL(r, SLX_EUNSUPPORTED, "%s: found '%s', expected one of %s",
                said ? "type of weights" : "key 'weight_type'",
                slx_printable(text, slx_str_c(name)), slx_matmul_types);
}

/* ------------------------------------------------------------------ the whole */

static slx_status load(const reader *r, slx_config *c, slx_arena *a, const char *weight_type)
{
    const family *f = NULL;
    SLX_TRY(find_family(r, &f));
    c->hp.arch = f->arch;
    c->hp.rope_style = f->rope_style;
    c->hp.qkv_bias = f->qkv_bias;
    c->hp.qk_norm = f->qk_norm;
    c->hp.gpt = f->gpt;
    if (f->gpt) {
        SLX_TRY(load_gpt(r, &c->hp));
        SLX_TRY(load_weight_type(r, c, weight_type));
        return check_keys(r, gpt_keys, free_keys);
    }
    SLX_TRY(load_sizes(r, &c->hp));
    SLX_TRY(check_plain(r));
    SLX_TRY(check_window(r, f, &c->hp));
    SLX_TRY(load_rope(r, c, a));
    SLX_TRY(load_weight_type(r, c, weight_type));
    return check_keys(r, taken_keys, free_keys);
}

slx_status slx_config_parse(slx_config *c, slx_arena *a, const char *text, size_t n,
                            const char *path, const char *weight_type, slx_err *err)
{
    json_error_t e;
    *c = (slx_config){0};
    if (n > MAX_BYTES)
        return slx_fail(err, SLX_EINPUT, path, 0, 0,
                        "found a config of %zu bytes, expected at most %d", n, MAX_BYTES);
    json_t *o = json_loadb(n ? text : "", n, JSON_REJECT_DUPLICATES, &e);
    if (!o) {
        char what[360];
        return slx_fail(err, SLX_EINPUT, path, e.line > 0 ? e.line : 0, e.column > 0 ? e.column : 0,
                        "not JSON: %s", slx_printable(what, slx_str_c(e.text)));
    }
    reader r = {o, "", path, err};
    slx_status st = json_is_object(o)
                        ? load(&r, c, a, weight_type)
                        : slx_fail(err, SLX_EINPUT, path, 0, 0, "found JSON, but no object");
    json_decref(o);
    return st;
}
