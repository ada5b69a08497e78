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
    }
    SLX_BUG("kind %d", (int)a->kind);
}

slx_status slx_ask_answer(const slx_chip *c, const slx_ask *a, slx_guess *out, slx_err *err)
{
    slx_lib_time t;
    slx_lib_watts w;
    slx_lib_dtype d;
    SLX_TRY(kernel(c, a, &t, &d, err));
    if (a->power) {
        SLX_TRY(slx_lib_power(c, &t, d, &w, err));
        *out = (slx_guess){w.watts, w.low_w, w.high_w};
    } else {
        *out = (slx_guess){t.seconds * 1e3, t.low_s * 1e3, t.high_s * 1e3};
    }
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
    }
}
