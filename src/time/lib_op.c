/* lib_op.c - row-wise kernels (softmax, norms, activations), and the power a board draws.
 *
 *   op:    T = t0 + max(bytes / (B e_hbm), a unit's share / unit_gbs + rows of a unit x row, exponentials)
 *   power: P = min(cap, idle + (mac u_f + mem u_b + active) t/(t + gap)) of the rated power, u = share of the peak
 */
#include "time/lib_int.h"

slx_status slx_lib_op(const slx_chip *c, const slx_lib_op_query *q, slx_lib_time *out, slx_err *err)
{
    SLX_TRY(slx_lib_wants_library(c, err));
    SLX_ASSERT(q->rows && q->cols);
    const slx_lib *l = &c->lib;
    double rows = (double)q->rows, n = rows * (double)q->cols;
    double moved = (q->reads > 0 ? q->reads : 1) + (q->writes > 0 ? q->writes : 1);
    bool sums = q->op == SLX_LIB_SOFTMAX || q->op == SLX_LIB_LAYERNORM;
    double bytes = n * moved * slx_lib_act_bytes(q->dtype), units = l->fig.units;
    double hbm = bytes / (l->fig.mem_tbs * slx_per_tbs * l->n.op.e_hbm);
    double share = sums ? slx_ceil_div(rows, units) / rows : 1 / units; /* of the busiest unit */
    double unit = share * bytes / (l->n.op.unit_gbs * slx_per_gbs) +
                  (sums ? share * rows * l->n.op.row_us : 0);
    double us = l->n.op.t0_us + slx_lib_norm(hbm, unit, 0, 4);
    *out = (slx_lib_time){.flops = n * (sums ? 8 : 4),
                          .bytes = bytes,
                          .bound_by = l->n.op.t0_us > us / 2 ? "launch"
                                      : hbm >= unit          ? "memory"
                                                             : "latency"};
    slx_lib_answer(out, c, us, SLX_LIB_OWN_OP, l->n.op.band_low, l->n.op.band_high);
    return SLX_OK;
}

slx_status slx_lib_power(const slx_chip *c, const slx_lib_time *t, slx_lib_dtype dtype,
                         slx_lib_watts *out, slx_err *err)
{
    SLX_TRY(slx_lib_wants_library(c, err));
    const slx_lib *l = &c->lib;
    double us = t->seconds * 1e6, f = l->fig.tflops[slx_lib_dtype_format(dtype)] * 1e12;
    double mac = us > 0 ? fmin(1, t->flops / (t->seconds * f)) : 0;
    double mem = us > 0 ? fmin(1, t->bytes / (t->seconds * l->fig.mem_tbs * 1e12)) : 0;
    double busy = us + l->n.draw.gap_us > 0 ? us / (us + l->n.draw.gap_us) : 0;
    double p =
        l->n.draw.idle + (l->n.draw.mac * mac + l->n.draw.mem * mem + l->n.draw.active) * busy;
    out->watts = l->fig.tdp_w * fmin(p, l->n.draw.cap);
    out->low_w = out->watts * fmin(1, l->n.draw.band_low);
    out->high_w = out->watts * fmax(1, l->n.draw.band_high);
    out->measured = l->own[SLX_LIB_OWN_DRAW];
    return SLX_OK;
}
