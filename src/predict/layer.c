/* layer.c - one operator of one layer, as one of tp chips launches it: the answers to questions of kind "layer".
 *
 * A framework without fused kernels makes a norm or a rotation of several (facts.eager): each is launched, and reads
 * and writes what the one before left, some of it in 32 bits.
 */
#include "predict/predict_int.h"

#include <string.h>

/* Columns and depth of a product; false when the operator is none. */
static bool product(const slx_shape *s, const char *op, uint32_t tp, double *n, double *k)
{
    double hd = s->head_dim, q = ceil((double)s->n_heads / tp) * hd,
           kv = ceil((double)s->n_kv_heads / tp) * hd;
    double w = ceil((double)(s->d_ff ? s->d_ff : s->d_expert) / tp), d = s->d_model;
    const struct {
        const char *name;
        double n, k;
    } known[] = {{"qkv_proj", q + 2 * kv, d},
                 {"q_proj", q, d},
                 {"k_proj", kv, d},
                 {"v_proj", kv, d},
                 {"o_proj", d, q},
                 {"gate_up_proj", 2 * w, d},
                 {"gate_proj", w, d},
                 {"up_proj", w, d},
                 {"down_proj", d, w},
                 {"lm_head", ceil((double)s->vocab / tp), d}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(op, known[i].name)) return *n = known[i].n, *k = known[i].k, true;
    return false;
}

/* Columns, reads and writes of what is done value by value. */
static bool by_value(const slx_shape *s, const char *op, uint32_t tp, slx_kernel *out)
{
    double hd = s->head_dim, q = ceil((double)s->n_heads / tp) * hd,
           kv = ceil((double)s->n_kv_heads / tp) * hd;
    double w = ceil((double)(s->d_ff ? s->d_ff : s->d_expert) / tp), d = s->d_model;
    struct {
        const char *name;
        double cols, reads, writes;
    } known[] = {{"norm", d, 1, 1},      {"act", w, s->mlp == SLX_MLP_GATED ? 2 : 1, 1},
                 {"rope", q + kv, 1, 1}, {"add", d, 2, 1},
                 {"embedding", d, 1, 1}, {"qk_norm", q + kv, 1, 1}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(op, known[i].name)) {
            bool heads = !strcmp(op, "qk_norm"); /* a row a head, q and k in one launch */
            out->name = known[i].name;
            if (heads && (double)out->rows * (known[i].cols / hd) < UINT32_MAX)
                out->rows *= (uint32_t)(known[i].cols / hd), known[i].cols = hd;
            out->cols = (uint32_t)known[i].cols, out->reads = known[i].reads,
            out->writes = known[i].writes;
            return true;
        }
    return false;
}

typedef struct {
    const char *op, *as;  /* timed as: norm = over a row, add = value by value */
    double reads, writes; /* 16-bit values for each value of the operator */
    double of_rows;       /* 1 = a value for each row alone */
} part;

/* PyTorch's LlamaRMSNorm: widen, square, mean, add, rsqrt, scale, narrow, weight. Rotation of q, then of k: times cos,
 * minus half, join halves, times sin, sum. */
static const part parts[] = {
    {"norm", "add", 1, 2, 0},      {"norm", "add", 2, 2, 0},  {"norm", "norm", 2, 0, 0},
    {"norm", "add", 2, 2, 1},      {"norm", "add", 2, 2, 1},  {"norm", "add", 2, 2, 0},
    {"norm", "add", 2, 1, 0},      {"norm", "add", 1, 1, 0},  {"rope", "rope", 1, 1, 0},
    {"rope", "rope", 0.5, 0.5, 0}, {"rope", "rope", 1, 1, 0}, {"rope", "rope", 1, 1, 0},
    {"rope", "rope", 2, 1, 0},     {"act", "act", 1, 1, 0},
};

static slx_status add_parts(const slx_chip *c, const slx_kernel *k, slx_lib_time *t, slx_err *err)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const part *p = &parts[i];
        slx_kernel one = *k;
        slx_lib_time more;
        if (strcmp(p->op, k->name) != 0) continue;
        one.name = p->as, one.reads = p->reads, one.writes = p->writes;
        if (p->of_rows > 0) one.cols = 1;
        SLX_TRY(slx_kernel_time(c, &one, &more, err));
        t->seconds += more.seconds, t->low_s += more.low_s, t->high_s += more.high_s;
    }
    return SLX_OK;
}

/* A norm or rotation as the kernels that it is made of; false when the framework has one kernel for it. */
static bool unfused(const slx_chip *c, const slx_shape *s, slx_kernel *k, uint32_t tp,
                    slx_lib_time *t, slx_status *st, slx_err *err)
{
    bool norm = !strcmp(k->name, "norm"), rope = !strcmp(k->name, "rope");
    if (!(c->lib.n.facts.eager > 0) || (norm && s->layer_norm)) return false;
    if (!norm && !rope && strcmp(k->name, "act") != 0) return false;
    *t = (slx_lib_time){.bound_by = "launch"};
    uint32_t q = (s->n_heads + tp - 1) / tp * s->head_dim;
    slx_kernel of_k = *k;
    if (rope) of_k.cols = k->cols - q, k->cols = q;
    *st = add_parts(c, k, t, err);
    if (*st == SLX_OK && rope) *st = add_parts(c, &of_k, t, err);
    return true;
}

slx_status slx_predict_layer(slx_predictor *p, const slx_chip *c, const slx_layer_ask *ask,
                             slx_band *seconds, slx_err *err)
{
    slx_kernel k = {.count = 1,
                    .groups = 1,
                    .m = ask->tokens,
                    .rows = ask->tokens,
                    .dtype = ask->dtype ? ask->dtype : "bf16"};
    double n, depth;
    if (slx_dtype_bytes(k.dtype, true) <= 0)
        return slx_fail(err, SLX_EINPUT, "", 0, 0, "dtype: found '%.40s', expected a number format",
                        k.dtype);
    if (product(ask->model, ask->op, ask->tp, &n, &depth))
        k.kind = SLX_KERNEL_GEMM, k.name = ask->op, k.n = (uint32_t)n, k.k = (uint32_t)depth;
    else if (by_value(ask->model, ask->op, ask->tp, &k))
        k.kind = SLX_KERNEL_ROWS;
    else
        return slx_fail(err, SLX_EUNSUPPORTED, "", 0, 0, "op: found '%.40s', which is not modelled",
                        ask->op);
    bool empty = k.kind == SLX_KERNEL_GEMM ? !k.n || !k.k : !k.cols || !k.rows;
    if (empty || !ask->tokens)
        return slx_fail(err, SLX_EINPUT, ask->model->name, 0, 0,
                        "op %.40s: the model does not tell its sizes (vocab_size, "
                        "intermediate_size), or there are no tokens",
                        ask->op);
    slx_lib_time t;
    SLX_TRY(slx_stack_get(p, c, ask->software, &c, err));
    slx_status st;
    if (k.kind != SLX_KERNEL_ROWS || !unfused(c, ask->model, &k, ask->tp, &t, &st, err))
        st = slx_kernel_time(c, &k, &t, err);
    if (st) return st;
    if (c->lib.n.facts.eager > 0 && k.kind == SLX_KERNEL_GEMM) {
        double launch = c->lib.n.facts.alone_us * 1e-6;
        t.seconds += launch, t.low_s += launch, t.high_s += launch;
    }
    *seconds = (slx_band){t.low_s, t.seconds, t.high_s};
    return SLX_OK;
}
