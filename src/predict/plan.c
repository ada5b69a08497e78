/* plan.c - one pass of a model as the kernels that each of tp chips launches.
 *
 *   rows x [ norm  qkv  (rope)  attention  o  all-reduce  norm  gate_up act down  all-reduce ] x layers,  logits
 *
 * Heads, columns of the MLP and rows of the vocabulary are dealt over the chips (Megatron's way: two all-reduces a
 * layer); every chip has all rows. Sums after attention and MLP are fused into the next norm, as libraries do.
 *
 * Mixture of experts: each token picks top_k of E experts, every set equally likely. Of T tokens, an expert is then
 * missed with probability (1 - top_k/E)^T, so E (1 - (1 - top_k/E)^T) experts are read, and each has T top_k / (that)
 * rows on average. Copies of one sequence pick alike: T there counts none of them twice (f->alike). Experts are split
 * over the chips like a dense MLP, or lie whole on moe_ep parts of them. Of such parts the one with most picks is
 * waited for: of n picks that fall on ep parts evenly, the most on one are about n/ep + sqrt(2 ln ep) standard
 * deviations.
 *
 * Groups of tp chips with copies of the attention (attention_dp) deal the sequences: each has its share of the rows,
 * and before and after the experts every row goes to the chips of its experts and back. What is not attention or an
 * expert is done by each group for its own rows.
 *
 * Activations are quantised by a kernel of the graph, one for all products of the same rows. Under other software that
 * is part of each product, launched with it, as products alone are measured.
 *
 * Drafts (speculation): a decode step checks drafts + 1 tokens of each sequence in one pass, its attention packs them
 * like query heads, and each draft takes one more layer and logits, as heads for more tokens do that models bring.
 */
#include "predict/predict_int.h"

#include <string.h>

typedef struct {
    slx_plan *p;
    const slx_forward *f;
    const slx_shape *s;
    uint32_t batch, rows, groups; /* of one of `groups` with copies of the attention */
    double layers, moe_layers;    /* those of drafts among them */
    double states;                /* layers with a state in place of keys */
    double act_bytes; /* of an activation between kernels */
    bool unfused;     /* attention by its scores */
    bool quantised;   /* kernels of the pass quantise what products multiply, which leave it out then */
    slx_kernel none;
} planner;

static uint32_t shard(uint32_t n, uint32_t tp)
{
    return (n + tp - 1) / tp;
}

/* A count that only sizes a kernel: beyond what it can hold, the largest. */
static uint32_t held(double n)
{
    return n < 4294967295.0 ? (uint32_t)n : UINT32_MAX;
}

/* A kernel of no work is none: it is given back, and not in the plan. */
static slx_kernel *add(planner *l, slx_kernel k)
{
    if (k.count <= 0 || (k.kind == SLX_KERNEL_GEMM && !k.m)) return &l->none;
    if (l->p->n == SLX_PLAN_KERNELS) SLX_BUG("a pass of more than %d kernels", SLX_PLAN_KERNELS);
    k.alone = l->f->software == SLX_SOFTWARE_ALONE;
    l->p->k[l->p->n] = k;
    return &l->p->k[l->p->n++];
}

static slx_kernel *gemm(planner *l, const char *name, double count, double groups, uint32_t m,
                        uint32_t n, uint32_t k)
{
    return add(l, (slx_kernel){.name = name,
                        .kind = SLX_KERNEL_GEMM,
                        .count = count,
                        .m = m,
                        .n = n,
                        .k = k,
                        .groups = groups,
                        .weights = strcmp(name, "scores") && strcmp(name, "values"),
                        .quantised = l->quantised,
                        .dtype = l->f->dtype});
}

/* Each of rows x cols values read `reads` times and written `writes` times. */
static void each(planner *l, const char *name, double count, uint32_t rows, uint32_t cols,
                 double reads, double writes)
{
    if (count <= 0) return;
    add(l, (slx_kernel){.name = name,
                        .kind = SLX_KERNEL_ROWS,
                        .count = count,
                        .rows = rows,
                        .cols = cols,
                        .reads = reads,
                        .writes = writes});
}

/* Before products of m x k values, `groups` of them, in a format of 8 or 4 bits. */
static void quantise(planner *l, double count, double groups, uint32_t m, uint32_t k, const char *dtype)
{
    double bytes = slx_dtype_bytes(dtype, false);
    if (l->quantised && bytes < 2) each(l, "quantise", count, held(ceil(m * groups)), k, 1, bytes / 2);
}

static void collective(planner *l, const char *op, double count, uint32_t chips, double bytes)
{
    if (chips < 2 || count <= 0) return;
    add(l, (slx_kernel){.name = op,
                        .kind = SLX_KERNEL_COLLECTIVE,
                        .count = count,
                        .op = op,
                        .chips = chips,
                        .bytes = bytes});
}

/* ------------------------------------------------------------------ attention */

/* Without a fused kernel: every score is computed (the masked ones too), written, normalised, and read again. */
static void attend_by_scores(planner *l, double layers, uint32_t context, uint32_t q_heads,
                             uint32_t head_dim)
{
    double heads = (double)l->batch * q_heads;
    gemm(l, "scores", layers, heads, l->f->q_len, context, head_dim);
    each(l, "softmax", layers, held(heads * l->f->q_len), context, 1, 1);
    gemm(l, "values", layers, heads, l->f->q_len, head_dim, context);
}

static void attend(planner *l, double layers, uint32_t context, uint32_t q_heads, uint32_t kv_heads,
                   uint32_t head_dim)
{
    if (layers <= 0) return;
    if (l->unfused) {
        attend_by_scores(l, layers, context, q_heads, head_dim);
        return;
    }
    bool packed = l->f->decode; /* drafts beside the query heads */
    add(l, (slx_kernel){.name = "attention",
                        .kind = SLX_KERNEL_ATTENTION,
                        .count = layers,
                        .decode = (packed || l->f->q_len == 1) && context > 1,
                        .batch = l->batch,
                        .q_heads = packed ? q_heads * l->f->q_len : q_heads,
                        .kv_heads = kv_heads,
                        .head_dim = head_dim,
                        .q_len = packed ? 1 : l->f->q_len,
                        .context = context,
                        .dtype = l->f->dtype,
                        .kv_dtype = l->f->kv_dtype});
}

/* Latent attention. A decode step keeps to the latents (all heads read one key of kv_rank + rope_dim, and the matrices
 * that expand it are applied to q and to the result instead); a prefill expands them and attends head by head. */
static void latent_attention(planner *l)
{
    const slx_shape *s = l->s;
    uint32_t heads = shard(s->n_heads, l->f->tp), rows = l->rows;
    double layers = l->layers;
    bool absorbed = l->f->decode || l->f->q_len == 1;
    quantise(l, layers, 1, rows, s->d_model, l->f->dtype);
    gemm(l, "qkv_proj", layers, 1, rows, s->q_rank + s->kv_rank + s->rope_dim, s->d_model);
    if (s->q_rank) {
        each(l, "norm", layers, rows, s->q_rank, 1, 1);
        quantise(l, layers, 1, rows, s->q_rank, l->f->dtype);
        gemm(l, "q_proj", layers, 1, rows, heads * s->head_dim, s->q_rank);
    } else {
        gemm(l, "q_proj", layers, 1, rows, heads * s->head_dim, s->d_model);
    }
    each(l, "rope", layers, rows, heads * s->rope_dim, 1, 1);
    if (absorbed) {
        gemm(l, "kv_proj", layers, heads, rows, s->kv_rank, s->nope_dim);
        attend(l, layers, l->f->context, heads, 1, s->kv_rank + s->rope_dim);
        gemm(l, "kv_proj", layers, heads, rows, s->v_dim, s->kv_rank);
    } else {
        uint32_t keys = held((double)l->batch * l->f->context);
        gemm(l, "kv_proj", layers, 1, keys, heads * (s->nope_dim + s->v_dim), s->kv_rank);
        attend(l, layers, l->f->context, heads, heads, s->head_dim);
    }
    quantise(l, layers, 1, rows, heads * s->v_dim, l->f->dtype);
    gemm(l, "o_proj", layers, 1, rows, s->d_model, heads * s->v_dim);
}

static void attention(planner *l)
{
    const slx_shape *s = l->s;
    uint32_t tp = l->f->tp, rows = l->rows, hd = s->head_dim;
    double layers = l->layers - l->states;
    uint32_t q = shard(s->n_heads, tp), kv = shard(s->n_kv_heads, tp);
    uint32_t seen = s->window && s->window < l->f->context ? s->window : l->f->context;
    /* A prefill's rows see up to window keys before them and so, counted together, window + rows. */
    if (seen < l->f->context && l->f->q_len > 1) {
        uint64_t reach = (uint64_t)s->window + l->f->q_len;
        seen = reach < l->f->context ? (uint32_t)reach : l->f->context;
    }
    if (layers <= 0) return;
    uint32_t asked = s->gated ? 2 * q : q;
    quantise(l, layers, 1, rows, s->d_model, l->f->dtype);
    if (l->f->software == SLX_SOFTWARE_ALONE) {
        gemm(l, "q_proj", layers, 1, rows, asked * hd, s->d_model);
        gemm(l, "kv_proj", 2 * layers, 1, rows, kv * hd, s->d_model);
    } else {
        gemm(l, "qkv_proj", layers, 1, rows, (asked + 2 * kv) * hd, s->d_model);
    }
    if (s->qk_norm)
        each(l, "norm", layers, held((double)rows * (q + kv)), hd, 1, 1); /* a row a head */
    if (s->rope) each(l, "rope", layers, rows, (q + kv) * hd, 1, 1);
    attend(l, layers - s->n_window_layers, l->f->context, q, kv, hd);
    attend(l, s->n_window_layers, seen, q, kv, hd);
    if (s->gated) each(l, "gate", layers, rows, q * hd, 2, 1);
    quantise(l, layers, 1, rows, q * hd, l->f->dtype);
    gemm(l, "o_proj", layers, 1, rows, s->d_model, q * hd);
}

/* ------------------------------------------------------------------ states */

/* Tokens of a prompt that are worked on together, and multiply-adds of one of them and one head: keys against keys and
 * queries, and the triangular matrix of the rule applied to keys and values, within the chunk; queries, keys and values
 * against the state (arXiv 2412.06464, section 3.3, in its chunked form). */
static const double chunk = 64;

static double chunked_macs(const slx_shape *s)
{
    double k = s->state_key, v = s->state_value;
    return chunk * (3 * k + 2 * v) + 3 * k * v;
}

/* Layers with a state: one product for v, gate, q, k and two numbers a head; a short convolution; the rule; a gated
 * norm; the product out. A step of a token reads and writes its sequence's states; a prompt takes them in chunks. */
static void state_layers(planner *l)
{
    const slx_shape *s = l->s;
    uint32_t tp = l->f->tp, rows = l->rows, heads = shard(s->state_heads, tp);
    uint32_t values = heads * s->state_value, mixed = values + 2 * shard(s->state_key_heads, tp) * s->state_key;
    double layers = l->states, matrices = (double)l->batch * heads;
    if (layers <= 0) return;
    quantise(l, layers, 1, rows, s->d_model, l->f->dtype);
    gemm(l, "state_proj", layers, 1, rows, held(ceil(slx_shape_state_columns(s) / tp)), s->d_model);
    each(l, "convolution", layers, rows, mixed, l->f->q_len > 1 && !l->f->decode ? 1 : s->state_conv, 1);
    if (l->f->decode || l->f->q_len == 1) {
        double tokens = l->f->q_len; /* states after each draft are kept until it is known to be right */
        each(l, "state", layers, held(matrices), held((double)s->state_key * s->state_value), 2, 2 * tokens);
    } else {
        slx_kernel *k = gemm(l, "state", layers, matrices, l->f->q_len, s->state_value,
                             held(ceil(chunked_macs(s) / s->state_value)));
        k->dtype = "bf16", k->weights = false;
    }
    each(l, "norm", layers, rows, values, 2, 1);
    quantise(l, layers, 1, rows, values, l->f->dtype);
    gemm(l, "o_proj", layers, 1, rows, s->d_model, values);
}

/* ------------------------------------------------------------------ MLP */

typedef struct {
    double groups;     /* matrices, each with m rows */
    uint32_t m, w;     /* w: columns that a chip has */
    const char *dtype;
    bool experts;      /* the framework's own kernels */
} mlp_sizes;

static void mlp(planner *l, double layers, mlp_sizes z)
{
    uint32_t d = l->s->d_model;
    bool gated = l->s->mlp == SLX_MLP_GATED;
    if (layers <= 0 || !z.w) return;
    quantise(l, layers, z.groups, z.m, d, z.dtype);
    slx_kernel *up = gemm(l, gated ? "gate_up_proj" : "up_proj", layers, z.groups, z.m, gated ? 2 * z.w : z.w, d);
    up->dtype = z.dtype, up->of_experts = z.experts;
    each(l, "act", layers, held(ceil(z.m * z.groups)), z.w, gated ? 2 : 1, 1);
    quantise(l, layers, z.groups, z.m, z.w, z.dtype);
    slx_kernel *down = gemm(l, "down_proj", layers, z.groups, z.m, d, z.w);
    down->dtype = z.dtype, down->of_experts = z.experts;
}

/* Of n that fall on `parts` evenly by chance, each with likelihood p (of a part), what the fullest part has. */
static double fullest(double mean, double variance, double parts)
{
    return parts > 1 ? mean + sqrt(2 * log(parts) * variance) : mean;
}

/* Rows to the chips of their experts and back: each chip sends its own top_k times, or, where its group is met by most
 * experts anyway, every chip gathers all rows and the results are summed as they are dealt out again. */
static void exchange(planner *l, uint32_t chips, double all_rows)
{
    double wide = l->s->d_model * l->act_bytes, sent = all_rows / chips * l->s->top_k * wide;
    if (l->groups <= l->s->top_k) {
        collective(l, "all_gather", l->moe_layers, chips, all_rows * wide);
        collective(l, "reduce_scatter", l->moe_layers, chips, all_rows * wide);
    } else {
        collective(l, "all_to_all", 2 * l->moe_layers, chips, sent);
    }
}

static void experts(planner *l)
{
    const slx_shape *s = l->s;
    const slx_forward *f = l->f;
    double layers = l->moe_layers, all_rows = (double)f->batch * f->q_len;
    double own = f->q_len * (1 + (f->batch - 1) * (1 - f->alike)); /* rows not copies */
    if (layers <= 0) return;
    uint32_t chips = f->tp * f->attention_dp, ep = f->moe_ep;
    double asked = 1 - pow(1 - (double)s->top_k / s->n_experts, own), here = (double)s->n_experts / ep;
    double read = fmin(here, fullest(here * asked, here * asked * (1 - asked), ep));
    double picks = all_rows * s->top_k, part = 1.0 / ep;
    double most = fmin(picks, fullest(picks * part, picks * part * (1 - part), ep));
    gemm(l, "router", layers, 1, l->rows, s->n_experts, s->d_model);
    each(l, "route", layers, l->rows, s->n_experts, 2, 1);
    if (l->groups > 1) exchange(l, chips, all_rows);
    mlp(l, layers, (mlp_sizes){read, held(ceil(most / read)), shard(s->d_expert, chips / ep), f->moe_dtype, true});
    each(l, "combine", layers, l->rows, s->d_model, s->top_k, 1);
    mlp(l, layers, (mlp_sizes){1, l->rows, shard(s->d_shared, f->tp), f->dtype, false});
}

/* ------------------------------------------------------------------ the whole */

/* Serving engines of today norm what an all-reduce leaves in the same kernel, up to buffers of some MB: all norms but
 * the first follow one. */
static const double fused_bytes = 4 << 20;

void slx_plan_pass(slx_plan *out, const slx_forward *f, double unfused)
{
    const slx_shape *s = f->model;
    bool alone = f->software == SLX_SOFTWARE_ALONE;
    uint32_t batch = shard(f->batch, f->attention_dp), drafts = f->decode ? f->drafts : 0;
    planner l = {.p = out,
                 .f = f,
                 .s = s,
                 .batch = batch,
                 .rows = batch * f->q_len,
                 .groups = f->attention_dp,
                 .layers = s->n_layers + drafts,
                 .moe_layers = s->n_moe_layers ? s->n_moe_layers + drafts : 0,
                 .states = s->n_state_layers,
                 .act_bytes = 2,
                 .quantised = f->software == SLX_SOFTWARE_SERVING,
                 .unfused = alone || unfused == 1 || (unfused == 2 && !s->rope)};
    double buffer = (double)l.rows * s->d_model * l.act_bytes;
    double sums = s->parallel ? 1 : 2;
    *out = (slx_plan){0};
    if (!alone) each(&l, "embedding", 1, l.rows, s->d_model, 1, 1);
    bool fused = f->software == SLX_SOFTWARE_SERVING && !f->norms_apart && f->tp > 1 && buffer <= fused_bytes;
    double norms = sums * l.layers + !alone;
    each(&l, "norm", fused ? 1 : norms, l.rows, s->d_model, alone ? 1 : 2, alone ? 1 : 2);
    if (s->kv_rank)
        latent_attention(&l);
    else
        attention(&l);
    state_layers(&l);
    mlp(&l, l.layers - l.moe_layers - s->n_bare_layers, (mlp_sizes){1, l.rows, shard(s->d_ff, f->tp), f->dtype, false});
    experts(&l);
    double exchanged = f->attention_dp > 1 ? l.moe_layers : 0; /* summed on the way back from the experts */
    collective(&l, "all_reduce", sums * l.layers - exchanged + !alone, f->tp, buffer);
    if (alone) return;
    uint32_t wanted = f->all_logits || drafts ? l.rows : l.batch;
    quantise(&l, 1 + drafts, 1, wanted, s->d_model, f->dtype);
    gemm(&l, "lm_head", 1 + drafts, 1, wanted, shard(s->vocab, f->tp), s->d_model);
    collective(&l, "all_gather", 1 + drafts, f->tp, (double)wanted * s->vocab * l.act_bytes);
    if (f->pp > 1)
        add(&l, (slx_kernel){.name = "send_recv",
                             .kind = SLX_KERNEL_COLLECTIVE,
                             .count = f->pp - 1,
                             .op = "send_recv",
                             .chips = 2,
                             .bytes = buffer});
}

slx_status slx_forward_check(slx_forward *f, slx_err *err)
{
    const slx_shape *s = f->model;
    if (!f->batch) f->batch = 1;
    if (!f->tp) f->tp = 1;
    if (!f->pp) f->pp = 1;
    if (!f->dtype) f->dtype = "bf16";
    if (!f->kv_dtype) f->kv_dtype = "bf16";
    if (!f->attention_dp) f->attention_dp = 1;
    if (!f->moe_ep) f->moe_ep = 1;
    if (!f->moe_dtype) f->moe_dtype = f->dtype;
    /* Launches by the host, which rule such products alone, are hidden where a pass is a graph. */
    if (f->software == SLX_SOFTWARE_SERVING && !strcmp(f->dtype, "fp8_block")) f->dtype = "fp8";
    if (f->software == SLX_SOFTWARE_SERVING && !strcmp(f->moe_dtype, "fp8_block")) f->moe_dtype = "fp8";
    if (f->decode) f->q_len = 1 + f->drafts;
    if (f->decode && f->context < f->q_len) f->context = f->q_len;
    if (!f->context) f->context = f->q_len;
    if (!f->q_len) f->q_len = f->context;
    if (!s->n_layers || !s->vocab)
        return slx_fail(err, SLX_EINPUT, s->name, 0, 0, "key '%s': not found, expected for a pass",
                        s->n_layers ? "vocab_size" : "num_hidden_layers");
    if (!f->context || f->q_len > f->context)
        return slx_fail(err, SLX_EINPUT, s->name, 0, 0,
                        "%u new tokens in a context of %u, expected 1 to as many as the context",
                        f->q_len, f->context);
    if ((double)f->batch * f->context > 1e9 || f->tp > 1024)
        return slx_fail(err, SLX_EINPUT, s->name, 0, 0,
                        "%u sequences of %u keys on %u chips, expected up to 1e9 keys and 1024 "
                        "chips",
                        f->batch, f->context, f->tp);
    if (f->pp > s->n_layers)
        return slx_fail(err, SLX_EUNSUPPORTED, s->name, 0, 0,
                        "a model of %u layers cannot be split over %u groups of chips", s->n_layers,
                        f->pp);
    if (f->tp > s->n_heads)
        return slx_fail(err, SLX_EUNSUPPORTED, s->name, 0, 0,
                        "a model of %u heads cannot be split over %u chips", s->n_heads, f->tp);
    uint64_t chips = (uint64_t)f->tp * f->attention_dp;
    if (chips > 1024 || chips % f->moe_ep || (s->n_experts && f->moe_ep > s->n_experts))
        return slx_fail(err, SLX_EUNSUPPORTED, s->name, 0, 0,
                        "experts in %u parts on %llu chips, expected a divisor of them, no more than the "
                        "model's %u experts, and up to 1024 chips",
                        f->moe_ep, (unsigned long long)chips, s->n_experts);
    const char *const said[] = {f->dtype, f->kv_dtype, f->moe_dtype};
    static const char *const fields[] = {"dtype", "kv_dtype", "moe_dtype"};
    for (int i = 0; i < 3; i++)
        if (slx_dtype_bytes(said[i], true) <= 0)
            return slx_fail(err, SLX_EINPUT, s->name, 0, 0,
                            "%s: found '%.40s', expected one of%s", fields[i], said[i], slx_lib_dtype_list);
    return SLX_OK;
}

/* ------------------------------------------------------------------ work */

double slx_dtype_bytes(const char *dtype, bool weight)
{
    slx_lib_dtype d;
    if (!slx_lib_dtype_parse(dtype, &d)) return 0;
    return weight ? slx_lib_weight_bytes(d) : slx_lib_act_bytes(d);
}

/* Pairs of query and key: q_len queries, of which the first sees context - q_len + 1 keys. */
static double pairs(const slx_kernel *k)
{
    return k->q_len * (k->context - (k->q_len - 1) / 2.0);
}

double slx_kernel_flops(const slx_kernel *k)
{
    switch (k->kind) {
    case SLX_KERNEL_GEMM: return 2.0 * k->m * k->n * k->k * k->groups;
    case SLX_KERNEL_ATTENTION: return 4.0 * k->batch * k->q_heads * k->head_dim * pairs(k);
    case SLX_KERNEL_ROWS: return (double)k->rows * k->cols;
    case SLX_KERNEL_COLLECTIVE: return 0;
    }
    return 0;
}

double slx_kernel_bytes(const slx_kernel *k)
{
    switch (k->kind) {
    case SLX_KERNEL_GEMM:
        return k->groups *
               ((double)k->n * k->k * slx_dtype_bytes(k->dtype, true) +
                (double)k->m * k->k * slx_dtype_bytes(k->dtype, false) + 2.0 * k->m * k->n);
    case SLX_KERNEL_ATTENTION:
        return (double)k->batch * k->head_dim *
               (2.0 * k->kv_heads * k->context * slx_dtype_bytes(k->kv_dtype, true) +
                4.0 * k->q_heads * k->q_len);
    case SLX_KERNEL_ROWS: return 2.0 * k->rows * k->cols * (k->reads + k->writes);
    case SLX_KERNEL_COLLECTIVE: return k->bytes;
    }
    return 0;
}
