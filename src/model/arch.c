/* arch.c - what the keys and tensors of a container mean: hyperparameters and weights, checked, for each architecture.
 *
 * Everything about an architecture is one row of `archs`; docs/adding-a-model.md walks through adding one. The rule of
 * this file: what is not understood is refused by name. A tensor without a role, a key that changes the arithmetic, a
 * storage type without kernels: each would give fluent nonsense if it were passed over.
 */
#include "model/model_int.h"

#include <math.h>
#include <stdlib.h>

#define MAX_COUNT  ((uint32_t)SLX_MAX_COUNT)
#define MAX_LAYERS ((uint32_t)SLX_MAX_LAYERS)

const char slx_matmul_types[] = "F32, F16, BF16, Q4_0, Q4_1, Q8_0, MXFP4";
bool slx_type_for_matmul(uint32_t type)
{
    return type == SLX_T_F32 || type == SLX_T_F16 || type == SLX_T_BF16 || type == SLX_T_Q4_0 ||
           type == SLX_T_Q4_1 || type == SLX_T_Q8_0 || type == SLX_T_MXFP4;
}

static bool type_for_vector(uint32_t type)
{
    return type == SLX_T_F32 || type == SLX_T_F16 || type == SLX_T_BF16;
}

typedef struct {
    const char *name; /* general.architecture and the prefix of its keys */
    slx_rope_style rope_style;
    bool qkv_bias, qk_norm, gpt;
} arch;

static const arch archs[] = {
    {"llama", SLX_ROPE_INTERLEAVED, false, false, false},
    {"qwen2", SLX_ROPE_HALF, true, false, false},
    {"qwen3", SLX_ROPE_HALF, false, true, false},
    {"gpt2", SLX_ROPE_HALF, true, false, true},
};
enum { N_ARCHS = sizeof archs / sizeof *archs };

/* Keys that change the arithmetic when present with another value than this one; all numbers. */
static const struct {
    const char *suffix, *what;
    double neutral;
} plain_only[] = {
    {"expert_count", "a mixture of experts", 0},
    {"attn_logit_softcapping", "soft-capped attention", 0},
    {"final_logit_softcapping", "soft-capped logits", 0},
    {"attention.clamp_kqv", "clamped attention", 0},
    {"attention.max_alibi_bias", "ALiBi", 0},
    {"attention.q_lora_rank", "latent attention", 0},
    {"attention.kv_lora_rank", "latent attention", 0},
    {"attention.scale", "another attention scale", 0},
    {"embedding_scale", "scaled embeddings", 1},
    {"residual_scale", "scaled residuals", 1},
    {"logit_scale", "scaled logits", 1},
};

typedef struct {
    slx_model *m;
    const slx_gguf *g;
    const arch *a;
    slx_err *err;
    uint8_t *has_role; /* [tensor count] */
    char key[128];
} loader;

#define FAIL(l, status, ...) slx_fail((l)->err, (status), slx_gguf_path((l)->g), 0, 0, __VA_ARGS__)

/* ------------------------------------------------------------------ keys */

/* The full key of "{arch}.suffix"; lives until the next call. */
static const char *key(loader *l, const char *suffix)
{
    snprintf(l->key, sizeof l->key, "%s.%s", l->a->name, suffix);
    return l->key;
}

static bool has(loader *l, const char *suffix)
{
    return slx_gguf_get(l->g, key(l, suffix)) != NULL;
}

/* A count between 1 and max; with fallback != 0 the key may be absent. */
static slx_status count(loader *l, const char *suffix, uint32_t fallback, uint32_t max,
                        uint32_t *out)
{
    *out = fallback;
    if (fallback == 0 || has(l, suffix)) SLX_TRY(slx_gguf_u32(l->g, key(l, suffix), out, l->err));
    if (*out < 1 || *out > max)
        return FAIL(l, SLX_EINPUT, "key '%s': found %u, expected 1 to %u", key(l, suffix), *out,
                    max);
    return SLX_OK;
}

static slx_status number(loader *l, const char *suffix, double lo, double hi, float *io)
{
    SLX_TRY(slx_gguf_f32(l->g, key(l, suffix), io, l->err));
    if (!(*io >= lo && *io <= hi))
        return FAIL(l, SLX_EINPUT, "key '%s': found %g, expected %g to %g", key(l, suffix),
                    (double)*io, lo, hi);
    return SLX_OK;
}

static slx_status check_plain(loader *l)
{
    for (size_t i = 0; i < sizeof plain_only / sizeof *plain_only; i++) {
        const slx_gguf_value *v = slx_gguf_get(l->g, key(l, plain_only[i].suffix));
        double x;
        if (!v) continue;
        if (v->vtype == SLX_V_F32 || v->vtype == SLX_V_F64) {
            float f;
            SLX_TRY(slx_gguf_f32(l->g, l->key, &f, l->err));
            x = (double)f;
        } else {
            uint32_t u;
            SLX_TRY(slx_gguf_u32(l->g, l->key, &u, l->err));
            x = u;
        }
        if (x != plain_only[i].neutral)
            return FAIL(l, SLX_EUNSUPPORTED,
                        "key '%s': found %g, which asks for %s; not supported for architecture %s",
                        l->key, x, plain_only[i].what, l->a->name);
    }
    return SLX_OK;
}

static slx_status load_hparams(loader *l)
{
    slx_hparams *hp = &l->m->hp;
    uint32_t value_length, window;
    hp->arch = l->a->name;
    hp->rope_style = l->a->rope_style;
    hp->qkv_bias = l->a->qkv_bias;
    hp->qk_norm = l->a->qk_norm;
    hp->gpt = l->a->gpt;
    SLX_TRY(check_plain(l));
    SLX_TRY(count(l, "block_count", 0, MAX_LAYERS, &hp->n_layers));
    SLX_TRY(count(l, "context_length", 0, MAX_COUNT, &hp->context));
    SLX_TRY(count(l, "embedding_length", 0, MAX_COUNT, &hp->d_model));
    SLX_TRY(count(l, "feed_forward_length", 0, MAX_COUNT, &hp->d_ff));
    SLX_TRY(count(l, "attention.head_count", 0, MAX_COUNT, &hp->n_heads));
    SLX_TRY(count(l, "attention.head_count_kv", hp->n_heads, MAX_COUNT, &hp->n_kv_heads));
    if (hp->n_heads % hp->n_kv_heads)
        return FAIL(l, SLX_EINPUT, "key '%s': found %u, expected a divisor of the %u heads",
                    key(l, "attention.head_count_kv"), hp->n_kv_heads, hp->n_heads);
    if (!has(l, "attention.key_length") && hp->d_model % hp->n_heads)
        return FAIL(l, SLX_EINPUT,
                    "key '%s': found %u, expected a divisor of the embedding length %u",
                    key(l, "attention.head_count"), hp->n_heads, hp->d_model);
    SLX_TRY(count(l, "attention.key_length", hp->d_model / hp->n_heads, MAX_COUNT, &hp->head_dim));
    SLX_TRY(count(l, "attention.value_length", hp->head_dim, MAX_COUNT, &value_length));
    if (value_length != hp->head_dim)
        return FAIL(l, SLX_EUNSUPPORTED, "key '%s': found %u, expected the key length %u",
                    key(l, "attention.value_length"), value_length, hp->head_dim);
    if (hp->head_dim % 2)
        return FAIL(l, SLX_EINPUT,
                    "key '%s': found a head of %u dimensions, expected an even number",
                    key(l, has(l, "attention.key_length") ? "attention.key_length"
                                                          : "attention.head_count"),
                    hp->head_dim);
    SLX_TRY(number(l, hp->gpt ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", 0, 1,
                   &hp->rms_eps));
    hp->rope_base = 10000.0f;
    if (hp->gpt) return SLX_OK; /* nothing turns */
    SLX_TRY(count(l, "rope.dimension_count", hp->head_dim, MAX_COUNT, &hp->n_rot));
    if (hp->n_rot % 2 || hp->n_rot > hp->head_dim)
        return FAIL(l, SLX_EINPUT,
                    "key '%s': found %u, expected an even number up to the head's %u dimensions",
                    key(l, "rope.dimension_count"), hp->n_rot, hp->head_dim);
    if (has(l, "rope.freq_base")) SLX_TRY(number(l, "rope.freq_base", 1e-6, 1e30, &hp->rope_base));
    if (has(l, "attention.sliding_window")) {
        SLX_TRY(slx_gguf_u32(l->g, key(l, "attention.sliding_window"), &window, l->err));
        if (window && window < hp->context)
            return FAIL(l, SLX_EUNSUPPORTED,
                        "key '%s': found %u, below the context of %u; sliding windows are not "
                        "supported for architecture %s",
                        l->key, window, hp->context, l->a->name);
    }
    return SLX_OK;
}

/* ------------------------------------------------------------------ tensors */

static void dims_text(char out[96], uint32_t n, const uint64_t *ne)
{
    int at = snprintf(out, 96, "[");
    for (uint32_t i = 0; i < n; i++)
        at += snprintf(out + at, (size_t)(96 - at), "%s%llu", i ? ", " : "",
                       (unsigned long long)ne[i]);
    snprintf(out + at, (size_t)(96 - at), "]");
}

/* Rows of q, k or v (0, 1, 2) of a tensor that holds all three, as a tensor of their own. */
static const slx_tensor *part_of(loader *l, const slx_tensor *all, const char *name, int which)
{
    const slx_hparams *hp = &l->m->hp;
    uint64_t q = (uint64_t)hp->n_heads * hp->head_dim, kv = (uint64_t)hp->n_kv_heads * hp->head_dim;
    uint64_t first = which == 0 ? 0 : which == 1 ? q : q + kv, n = which == 0 ? q : kv;
    bool matrix = all->n_dims == 2;
    uint64_t unit = matrix ? all->row_bytes : all->ne[0] ? all->bytes / all->ne[0] : 0;
    if (all->ne[matrix] != q + 2 * kv) return NULL;
    slx_tensor *t = &l->m->parts[l->m->n_parts++];
    *t = *all;
    t->name = slx_strdup(&l->m->arena, name);
    t->ne[matrix] = n;
    t->data += first * unit;
    t->bytes = n * unit;
    if (!matrix) t->row_bytes = t->bytes;
    l->has_role[all - slx_gguf_tensor(l->g, 0)] = 1;
    return t;
}

/* A tensor by its name, or out of "blk.0.attn_qkv.weight" where the file has that in place of three. NULL: neither. */
static const slx_tensor *find(loader *l, const char *name)
{
    static const char *const parts[3] = {".attn_q.", ".attn_k.", ".attn_v."};
    const slx_tensor *t = slx_gguf_find(l->g, name);
    for (int i = 0; !t && l->a->gpt && i < 3; i++) {
        const char *at = strstr(name, parts[i]);
        char all[80];
        if (!at) continue;
        snprintf(all, sizeof all, "%.*s.attn_qkv.%s", (int)(at - name), name, at + strlen(parts[i]));
        const slx_tensor *whole = slx_gguf_find(l->g, all);
        return whole ? part_of(l, whole, name, i) : NULL;
    }
    if (t) l->has_role[t - slx_gguf_tensor(l->g, 0)] = 1;
    return t;
}

/* A tensor that must be there with this shape; n1 == 0 asks for a vector: a norm's weight or a bias. */
static slx_status take(void *arg, const char *name, uint64_t n0, uint64_t n1,
                       const slx_tensor **out)
{
    loader *l = arg;
    const slx_tensor *t = find(l, name);
    uint64_t want[2] = {n0, n1};
    uint32_t n_dims = n1 ? 2 : 1;
    if (!t)
        return FAIL(l, SLX_EINPUT, "tensor '%s': not found, expected in architecture %s", name,
                    l->a->name);
    if (t->n_dims != n_dims || t->ne[0] != n0 || (n1 && t->ne[1] != n1)) {
        char found[96], expected[96];
        dims_text(found, t->n_dims, t->ne);
        dims_text(expected, n_dims, want);
        return FAIL(l, SLX_EINPUT, "tensor '%s': found shape %s, expected %s", name, found,
                    expected);
    }
    if (!(n1 ? slx_type_for_matmul(t->type) : type_for_vector(t->type)))
        return FAIL(l, SLX_EUNSUPPORTED, "tensor '%s': found type %s, expected one of %s", name,
                    slx_tensor_type_name(t->type),
                    n1 ? slx_matmul_types : "F32, F16, BF16");
    *out = t;
    return SLX_OK;
}

slx_status slx_arch_weights(slx_model *m, slx_weight_fn *get, void *arg)
{
    const slx_hparams *hp = &m->hp;
    uint64_t d = hp->d_model, ff = hp->d_ff, q = (uint64_t)hp->n_heads * hp->head_dim,
             kv = (uint64_t)hp->n_kv_heads * hp->head_dim;
    SLX_TRY(get(arg, "token_embd.weight", d, hp->vocab, &m->tok_embd));
    SLX_TRY(get(arg, "output_norm.weight", d, 0, &m->output_norm));
    if (hp->gpt) {
        SLX_TRY(get(arg, "output_norm.bias", d, 0, &m->output_norm_b));
        SLX_TRY(get(arg, "position_embd.weight", d, hp->context, &m->pos_embd));
    }
    m->output = m->tok_embd;
    if (!hp->tied) SLX_TRY(get(arg, "output.weight", d, hp->vocab, &m->output));
    m->layers = slx_new(&m->arena, slx_layer_weights, hp->n_layers);
    for (uint32_t i = 0; i < hp->n_layers; i++) {
        slx_layer_weights *w = &m->layers[i];
        const bool always = true, bias = hp->qkv_bias, norm = hp->qk_norm, gpt = hp->gpt;
        const struct {
            bool wanted;
            const char *part;
            uint64_t n0, n1;
            const slx_tensor **out;
        } row[] = {
            {always, "attn_norm.weight", d, 0, &w->attn_norm},
            {always, "attn_q.weight", d, q, &w->wq},
            {always, "attn_k.weight", d, kv, &w->wk},
            {always, "attn_v.weight", d, kv, &w->wv},
            {bias, "attn_q.bias", q, 0, &w->bq},
            {bias, "attn_k.bias", kv, 0, &w->bk},
            {bias, "attn_v.bias", kv, 0, &w->bv},
            {norm, "attn_q_norm.weight", hp->head_dim, 0, &w->q_norm},
            {norm, "attn_k_norm.weight", hp->head_dim, 0, &w->k_norm},
            {always, "attn_output.weight", q, d, &w->wo},
            {always, "ffn_norm.weight", d, 0, &w->ffn_norm},
            {!gpt, "ffn_gate.weight", d, ff, &w->w_gate},
            {always, "ffn_up.weight", d, ff, &w->w_up},
            {always, "ffn_down.weight", ff, d, &w->w_down},
            {gpt, "attn_norm.bias", d, 0, &w->attn_norm_b},
            {gpt, "attn_output.bias", d, 0, &w->bo},
            {gpt, "ffn_norm.bias", d, 0, &w->ffn_norm_b},
            {gpt, "ffn_up.bias", ff, 0, &w->b_up},
            {gpt, "ffn_down.bias", d, 0, &w->b_down},
        };
        for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
            char name[64];
            if (!row[k].wanted) continue;
            snprintf(name, sizeof name, "blk.%u.%s", i, row[k].part);
            SLX_TRY(get(arg, name, row[k].n0, row[k].n1, row[k].out));
        }
    }
    return SLX_OK;
}

/* What the tensors themselves say: the vocabulary's size, and whether the head has a matrix of its own. */
static slx_status load_vocab(loader *l)
{
    slx_hparams *hp = &l->m->hp;
    const slx_tensor *e = slx_gguf_find(l->g, "token_embd.weight");
    uint64_t vocab = e && e->n_dims == 2 ? e->ne[1] : 1;
    if (vocab > MAX_COUNT)
        return FAIL(l, SLX_EINPUT, "tensor 'token_embd.weight': found %llu rows, expected up to %u",
                    (unsigned long long)vocab, MAX_COUNT);
    hp->vocab = (uint32_t)vocab;
    hp->tied = !slx_gguf_find(l->g, "output.weight");
    return SLX_OK;
}

static slx_status load_weights(loader *l)
{
    const slx_hparams *hp = &l->m->hp;
    SLX_TRY(load_vocab(l));
    /* Every layer brings nine tensors, so this bound also keeps the table in proportion to the file. */
    if ((uint64_t)slx_gguf_tensor_count(l->g) < 9 * (uint64_t)hp->n_layers)
        return FAIL(l, SLX_EINPUT, "found %d tensors, expected at least %u for %u layers",
                    slx_gguf_tensor_count(l->g), 9 * hp->n_layers, hp->n_layers);
    if (hp->gpt) l->m->parts = slx_new(&l->m->arena, slx_tensor, 6 * (size_t)hp->n_layers);
    SLX_TRY(slx_arch_weights(l->m, take, l));
    if (!has(l, "vocab_size")) return SLX_OK;
    uint32_t said;
    SLX_TRY(slx_gguf_u32(l->g, key(l, "vocab_size"), &said, l->err));
    if (said != hp->vocab)
        return FAIL(l, SLX_EINPUT, "key '%s': found %u, expected the %u rows of token_embd.weight",
                    l->key, said, hp->vocab);
    return SLX_OK;
}

/* Linear scaling divides the position, which is the same as dividing every frequency: it becomes rope_freqs. */
static slx_status load_rope(loader *l)
{
    slx_model *m = l->m;
    uint32_t half = m->hp.n_rot / 2;
    float factor = 1;
    slx_str type;
    if (slx_gguf_find(l->g, "rope_freqs.weight")) {
        SLX_TRY(take(l, "rope_freqs.weight", half, 0, &m->rope_freqs));
        if (m->rope_freqs->type != SLX_T_F32)
            return FAIL(l, SLX_EUNSUPPORTED,
                        "tensor 'rope_freqs.weight': found type %s, expected F32",
                        slx_tensor_type_name(m->rope_freqs->type));
        for (uint32_t i = 0; i < half; i++) {
            float x = slx_le_f32(m->rope_freqs->data + 4 * (size_t)i);
            if (!(x > 0 && isfinite(x)))
                return FAIL(
                    l, SLX_EINPUT,
                    "tensor 'rope_freqs.weight': found %g at %u, expected a finite number above 0",
                    (double)x, i);
        }
    }
    if (has(l, "rope.scaling.type")) {
        if (!slx_gguf_str(l->g, l->key, &type))
            return FAIL(l, SLX_EINPUT, "key '%s': found type %s, expected a string", l->key,
                        slx_gguf_vtype_name(slx_gguf_get(l->g, l->key)->vtype));
        if (slx_str_is(type, "linear")) {
            SLX_TRY(number(l, "rope.scaling.factor", 1e-3, 1e6, &factor));
        } else if (!slx_str_is(type, "none")) {
            char text[360];
            return FAIL(l, SLX_EUNSUPPORTED, "key '%s': found '%s', expected none or linear",
                        key(l, "rope.scaling.type"), slx_printable(text, type));
        }
    } else if (has(l, "rope.scale_linear")) {
        SLX_TRY(number(l, "rope.scale_linear", 1e-3, 1e6, &factor));
    }
    if (factor == 1.0f) return SLX_OK;

    slx_tensor *t = slx_new(&m->arena, slx_tensor, 1);
    float *f = slx_new(&m->arena, float, half);
    for (uint32_t i = 0; i < half; i++)
        f[i] = factor * (m->rope_freqs ? slx_le_f32(m->rope_freqs->data + 4 * (size_t)i) : 1.0f);
    *t = (slx_tensor){"rope_freqs (linear)", SLX_T_F32,   1,          {half, 1, 1, 1},
                      (const uint8_t *)f,    4ull * half, 4ull * half};
    m->rope_freqs = t;
    return SLX_OK;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

static slx_status check_roles(loader *l)
{
    for (int i = 0; i < slx_gguf_tensor_count(l->g); i++) {
        const slx_tensor *t = slx_gguf_tensor(l->g, i);
        char text[360];
        if (l->has_role[i]) continue;
        slx_printable(text, slx_str_c(t->name));
        return FAIL(l, SLX_EUNSUPPORTED, "tensor '%s': %s architecture %s", text,
                    ends_with(t->name, ".bias") ? "biases are not supported for"
                    : strstr(t->name, "_exps") || strstr(t->name, "gate_inp")
                        ? "experts are not supported for"
                        : "has no role known in",
                    l->a->name);
    }
    return SLX_OK;
}

/* ------------------------------------------------------------------ the whole */

static slx_status find_arch(loader *l)
{
    slx_str name;
    char text[360];
    char known[128] = "";
    uint32_t shards = 1;
    if (!slx_gguf_str(l->g, "general.architecture", &name))
        return FAIL(l, SLX_EINPUT, "key 'general.architecture': not found, expected a string");
    for (int i = 0; i < N_ARCHS; i++) {
        size_t at = strlen(known);
        snprintf(known + at, sizeof known - at, "%s%s", i == 0 ? "" : i + 1 < N_ARCHS ? ", " : " or ",
                 archs[i].name);
        if (slx_str_is(name, archs[i].name)) l->a = &archs[i];
    }
    if (!l->a)
        return FAIL(l, SLX_EUNSUPPORTED, "key 'general.architecture': found '%s', expected %s",
                    slx_printable(text, name), known);
    if (slx_gguf_get(l->g, "split.count"))
        SLX_TRY(slx_gguf_u32(l->g, "split.count", &shards, l->err));
    if (shards > 1)
        return FAIL(l, SLX_EUNSUPPORTED,
                    "key 'split.count': found one of %u parts of a model, expected a whole model",
                    shards);
    return SLX_OK;
}

slx_status slx_arch_load(slx_model *m, slx_err *err)
{
    loader l = {.m = m, .g = m->gguf, .err = err};
    int n = slx_gguf_tensor_count(m->gguf);
    SLX_TRY(find_arch(&l));
    if (n == 0) return FAIL(&l, SLX_EINPUT, "found no tensors, expected a model with weights");
    SLX_TRY(load_hparams(&l));
    l.has_role = slx_new(&m->arena, uint8_t, n);
    SLX_TRY(load_weights(&l));
    SLX_TRY(load_rope(&l));
    return check_roles(&l);
}
