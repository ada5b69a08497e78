/* lib_op.c - row-wise kernels (softmax, norms, activations), and the power a board draws.
 *
 *   op:    t = max(bytes / (B e_hbm ..), rows of a unit x row)      T = t0 + t
 *          launched by a framework outside a graph, with launch L:  T = max(L, 0.82 L + t), as the kernel starts before
 *          the host has finished its call
 *   power: P = min(cap, rest + (mac u_f + mem u_b + active) t/(t + gap)) of the rated power, u = share of the peak
 *          rest = idle, of attention idle (kv heads / 8)^heads (query heads of a KV head)^group (keys / 1024)^keys: a
 *          meter averages over longer than a setting runs, so it shows kernels together with their neighbours, which
 *          are of like heads and lengths
 */
#include "time/lib_int.h"

/* Of its launch that a kernel waits for: fitted on an A100's layernorm and GELU. */
static const double eager_share = 0.82;

slx_status slx_lib_op(const slx_chip *c, const slx_lib_op_query *q, slx_lib_time *out, slx_err *err)
{
    SLX_TRY(slx_lib_wants_library(c, err));
    SLX_ASSERT(q->rows && q->cols);
    const slx_lib *l = &c->lib;
    double rows = (double)q->rows, n = rows * (double)q->cols;
    double moved = (q->reads > 0 ? q->reads : 1) + (q->writes > 0 ? q->writes : 1);
    bool sums = q->op == SLX_LIB_SOFTMAX || q->op == SLX_LIB_LAYERNORM;
    double bytes = n * moved * slx_lib_act_bytes(q->dtype), rate = l->n.op.e_hbm;
    if (q->op == SLX_LIB_SOFTMAX) rate *= l->n.op.e_soft;
    if (q->op == SLX_LIB_LAYERNORM && (double)q->cols > l->n.op.wide_cols) rate *= l->n.op.e_wide;
    double hbm = bytes / (l->fig.mem_tbs * slx_per_tbs * rate);
    double unit = sums ? slx_ceil_div(rows, l->fig.units) * l->n.op.row_us : 0;
    double t = slx_lib_norm(hbm, unit, 0, 4), launch = l->n.op.t0_us, us = launch + t;
    if (q->eager) {
        launch = q->op == SLX_LIB_SOFTMAX     ? l->n.op.soft_us
                 : q->op == SLX_LIB_LAYERNORM ? l->n.op.norm_us
                                              : l->n.op.act_us;
        us = fmax(launch, eager_share * launch + t);
        us = fmax(us, l->n.op.t0_us + t);
    }
    *out = (slx_lib_time){.flops = n * (sums ? 8 : 4),
                          .bytes = bytes,
                          .bound_by = launch > us / 2 ? "launch"
                                      : hbm >= unit   ? "memory"
                                                      : "latency"};
    slx_lib_answer(out, c, us, SLX_LIB_OWN_OP);
    return SLX_OK;
}

static const double usual_heads = 8, usual_keys = 1024;

slx_status slx_lib_power(const slx_chip *c, const slx_lib_time *t, slx_lib_dtype dtype,
                         slx_lib_watts *out, slx_err *err)
{
    SLX_TRY(slx_lib_wants_library(c, err));
    const slx_lib *l = &c->lib;
    double us = t->seconds * 1e6, f = slx_lib_tflops(c, dtype) * 1e12;
    double mac = us > 0 ? fmin(1, t->flops / (t->seconds * f)) : 0;
    double mem = us > 0 ? fmin(1, t->bytes / (t->seconds * l->fig.mem_tbs * 1e12)) : 0;
    double busy = us + l->n.draw[t->draw].gap_us > 0 ? us / (us + l->n.draw[t->draw].gap_us) : 0;
    double rest = l->n.draw[t->draw].idle;
    if (t->kv_heads > 0)
        rest *= pow(t->kv_heads / usual_heads, l->n.draw[t->draw].heads) * pow(t->group, l->n.draw[t->draw].group) *
                pow(t->keys / usual_keys, l->n.draw[t->draw].keys);
    double p =
        rest +
        (l->n.draw[t->draw].mac * mac + l->n.draw[t->draw].mem * mem + l->n.draw[t->draw].active) *
            busy;
    out->watts = l->fig.tdp_w * fmin(p, l->n.draw[t->draw].cap);
    const double *band = l->band[SLX_LIB_OWN_DRAW + (int)t->draw][slx_lib_class(us)];
    out->low_w = out->watts * band[0];
    out->high_w = out->watts * band[1];
    out->measured = l->own[SLX_LIB_OWN_DRAW + (int)t->draw];
    return SLX_OK;
}
