/* layer.c - one operator of one layer, as one of tp chips launches it: the answers to questions of kind "layer". */
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
    const struct {
        const char *name;
        double cols, reads, writes;
    } known[] = {{"norm", d, 1, 1},      {"act", w, s->mlp == SLX_MLP_GATED ? 2 : 1, 1},
                 {"rope", q + kv, 1, 1}, {"add", d, 2, 1},
                 {"embedding", d, 1, 1}, {"qk_norm", q + kv, 1, 1}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(op, known[i].name)) {
            out->name = known[i].name;
            out->cols = (uint32_t)known[i].cols, out->reads = known[i].reads,
            out->writes = known[i].writes;
            return true;
        }
    return false;
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
    slx_lib_time t;
    SLX_TRY(slx_stack_get(p, c, ask->software, &c, err));
    SLX_TRY(slx_kernel_time(c, &k, &t, err));
    *seconds = (slx_band){t.low_s, t.seconds, t.high_s};
    return SLX_OK;
}
