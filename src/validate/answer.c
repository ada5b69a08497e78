/* answer.c - one question about a kernel to one guess. */
#include "validate/validate.h"

#include <math.h>

static slx_status kernel(const slx_chip *c, const slx_ask *a, slx_lib_time *t, slx_lib_dtype *d,
                         slx_err *err)
{
    *d = SLX_LIB_BF16;
    switch (a->kind) {
    case SLX_ASK_GEMM: *d = a->gemm.dtype; return slx_lib_gemm(c, &a->gemm, t, err);
    case SLX_ASK_OP: *d = a->op.dtype; return slx_lib_op(c, &a->op, t, err);
    case SLX_ASK_ATTENTION: return slx_lib_attention(c, &a->attention, t, err);
    case SLX_ASK_COLLECTIVE: return slx_lib_collective(c, &a->collective, t, err);
    default: break;
    }
    SLX_BUG("kind %d", (int)a->kind);
}

/* Of a model, seconds; false when it is a question about a kernel. */
static bool of_model(const slx_chip *c, const slx_ask *a, slx_band *s, slx_status *st, slx_err *err)
{
    slx_forward_cost pass = {0};
    slx_static_cost batch = {0};
    slx_serving_cost run = {0};
    switch (a->kind) {
    case SLX_ASK_LAYER: *st = slx_predict_layer(a->predictor, c, &a->layer, s, err); return true;
    case SLX_ASK_PASS:
        *st = slx_predict_pass(a->predictor, c, &a->pass, &pass, err);
        *s = pass.seconds;
        return true;
    case SLX_ASK_STATIC:
        *st = slx_predict_static(a->predictor, c, &a->batch, &batch, err);
        *s = batch.batch_s;
        return true;
    case SLX_ASK_SERVING:
        *st = slx_predict_serving(a->predictor, c, &a->serving.of, &run, err);
        *s = a->serving.ttft ? run.ttft_s : run.tpot_s;
        return true;
    default: return false;
    }
}

static const double most_ms = 3.2e13;

slx_status slx_ask_answer(const slx_chip *c, const slx_ask *a, slx_guess *out, slx_err *err)
{
    slx_lib_time t;
    slx_lib_watts w;
    slx_lib_dtype d;
    slx_band s;
    slx_status st;
    bool model = of_model(c, a, &s, &st, err);
    SLX_TRY(model ? st : kernel(c, a, &t, &d, err));
    if (model) {
        *out = (slx_guess){s.mid * 1e3, s.low * 1e3, s.high * 1e3};
    } else if (a->power) {
        SLX_TRY(slx_lib_power(c, &t, d, &w, err));
        *out = (slx_guess){w.watts, w.low_w, w.high_w};
    } else {
        *out = (slx_guess){t.seconds * 1e3, t.low_s * 1e3, t.high_s * 1e3};
    }
    if (out->value > most_ms)
        return slx_fail(err, SLX_EUNSUPPORTED, c->name, 0, 0,
                        "%.3g ms is longer than a thousand years: no such kernel is launched",
                        out->value);
    if (out->value > 0 && isfinite(out->value) && isfinite(out->high)) return SLX_OK;
    return slx_fail(err, SLX_EUNSUPPORTED, c->name, 0, 0, "nothing to time: %s",
                    a->kind == SLX_ASK_COLLECTIVE ? "one chip has nobody to talk to"
                                                  : "beyond what a number holds");
}

static const char *const op_names[] = {"softmax", "layernorm", "gelu", "elementwise"};
static const char *const coll_names[] = {"all_reduce", "all_gather", "reduce_scatter", "alltoall",
                                         "send_recv"};
static const char *const impl_names[] = {"nccl", "graph", "eager"};

void slx_ask_print(char out[160], const slx_ask *a)
{
    const slx_lib_attention_query *t = &a->attention;
    switch (a->kind) {
    case SLX_ASK_GEMM:
        snprintf(out, 160, "m %llu, n %llu, k %llu, %s", (unsigned long long)a->gemm.m,
                 (unsigned long long)a->gemm.n, (unsigned long long)a->gemm.k,
                 slx_lib_dtype_name(a->gemm.dtype));
        break;
    case SLX_ASK_OP:
        snprintf(out, 160, "%s, %llu rows, %llu columns", op_names[a->op.op],
                 (unsigned long long)a->op.rows, (unsigned long long)a->op.cols);
        break;
    case SLX_ASK_ATTENTION:
        snprintf(out, 160, "batch %llu, %llu new of %llu, heads %llu/%llu of %llu, KV %s",
                 (unsigned long long)t->batch, (unsigned long long)t->q_len,
                 (unsigned long long)t->context, (unsigned long long)t->q_heads,
                 (unsigned long long)t->kv_heads, (unsigned long long)t->head_dim,
                 slx_lib_dtype_name(t->kv_dtype));
        break;
    case SLX_ASK_COLLECTIVE:
        snprintf(out, 160, "%s (%s), %u chips, %.0f bytes", coll_names[a->collective.op],
                 impl_names[a->collective.impl], a->collective.n_chips, a->collective.bytes);
        break;
    case SLX_ASK_LAYER:
        snprintf(out, 160, "%s %s, %u tokens, tp %u", a->layer.model->name, a->layer.op,
                 a->layer.tokens, a->layer.tp);
        break;
    case SLX_ASK_PASS:
        snprintf(out, 160, "%s %s, batch %u, %u new of %u, tp %u%s", a->pass.model->name,
                 a->pass.decode ? "decode" : "prefill", a->pass.batch, a->pass.q_len,
                 a->pass.context, a->pass.tp, a->pass.power_cap_w > 0 ? ", capped" : "");
        break;
    case SLX_ASK_SERVING: {
        const slx_serving_ask *s = &a->serving.of;
        snprintf(out, 160, "%s, %.0f requests of %u in, %u out, tp %u, attention dp %u, ep %u, %s", s->on.model->name,
                 s->concurrency, s->isl, s->osl, s->on.tp, s->on.attention_dp, s->on.moe_ep, s->framework);
        break;
    }
    case SLX_ASK_STATIC:
        snprintf(out, 160, "%s, batch %u, %u in, %u out, tp %u, %s", a->batch.on.model->name,
                 a->batch.batch, a->batch.isl, a->batch.osl, a->batch.on.tp, a->batch.framework);
        break;
    }
}
