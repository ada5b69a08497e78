/* library.c - a pass on a chip that runs a vendor's library: the kernels of plan.c, one after the other.
 *
 *   device = sum of count (slow kernel + gap + sums)   host = launches host_us [+ batch seq_us]   T = max(device, host)
 *
 * Where passes are graphs host is 0. A framework without graphs launches kernel by kernel: a pass is never shorter than
 * its launches. sums: all-reduces of large buffers over more than two chips take longer in plain frameworks than alone.
 * The kernels of a group follow each other, so parts sum to T.
 *
 * A power cap slows what is bound by arithmetic: clock ~ power^0.38 (prompts on H100 at half of the power take 1.30
 * times as long: data/measured, splitwise), and nothing else: token times of the same rows do not change.
 */
#include "predict/predict_int.h"

#include <string.h>

static const double cap_exponent = 0.38;

/* Heads of all sequences above which vLLM's paged attention of 2024 (v1) works head by head: each reads the keys and
 * values of its group again. From vllm/attention/ops/paged_attn.py of that year. */
static const double paged_heads = 512;

/* Kernels of a layer that plan.c leaves out as they take no time of their own on a device, but a launch each: models
 * with biases add them after the sums over chips, and add the residual apart. */
static double more_launches(const slx_shape *s)
{
    return s->layer_norm ? 2.0 * s->n_layers : 0;
}

static double host_seconds(const slx_chip *c, const slx_forward *f, const slx_plan *plan)
{
    const slx_lib *l = &c->lib;
    double launches = more_launches(f->model);
    if (!(l->n.pass.host_us > 0) || f->software == SLX_SOFTWARE_ALONE) return 0;
    for (int i = 0; i < plan->n; i++) launches += plan->k[i].count;
    double us = launches * l->n.pass.host_us;
    if (!f->decode && f->q_len > 1)
        us *= l->n.pass.host_prefill;
    else
        us += f->batch * l->n.pass.seq_us;
    return us * 1e-6;
}

/* What large sums take more, seconds of one. */
static double slow_sum(const slx_chip *c, const slx_kernel *k)
{
    const slx_lib *l = &c->lib;
    double over = k->bytes - l->n.pass.sum_mb * 1e6;
    if (k->kind != SLX_KERNEL_COLLECTIVE || k->chips <= 2 || !(over > 0)) return 0;
    return over / (l->n.pass.sum_gbs * 1e9);
}

/* A cap below the rated power slows arithmetic. */
static double capped(const slx_chip *c, const slx_forward *f, const slx_lib_time *t)
{
    double rated = c->lib.fig.tdp_w;
    if (!(f->power_cap_w > 0) || f->power_cap_w >= rated) return 1;
    bool arithmetic = !strcmp(t->bound_by, "compute") || !strcmp(t->bound_by, "power");
    return arithmetic ? pow(rated / f->power_cap_w, cap_exponent) : 1;
}

/* What a kernel cannot be shorter than under a framework whose own kernels are slower than the library's. */
static double slowest(const slx_chip *c, const slx_forward *f, const slx_kernel *k,
                      const slx_lib_time *t)
{
    const slx_lib *l = &c->lib;
    if (k->kind == SLX_KERNEL_GEMM && f->mac_share > 0) {
        return t->flops / (f->mac_share * slx_lib_tflops(c, slx_kernel_dtype(k->dtype)) * 1e12);
    }
    bool paged = k->kind == SLX_KERNEL_ATTENTION && k->decode && f->kv_share > 0;
    if (paged && (double)k->batch * k->q_heads > paged_heads) {
        double each = 2.0 * k->head_dim * k->context * slx_dtype_bytes(k->kv_dtype, true);
        return k->batch * k->q_heads * each / (f->kv_share * l->fig.mem_tbs * 1e12);
    }
    return 0;
}

/* What experts' products take, of what one product of the library takes. In decode steps their kernels read weights of
 * every size at the rate that products in 16 bits do: the library's own in 8 and 4 bits are slower at it. */
static double of_experts(const slx_chip *c, const slx_forward *f, const slx_kernel *k)
{
    const slx_lib *l = &c->lib;
    double factor = f->experts > 0 ? f->experts : 1;
    double own = l->n.gemm[slx_lib_dtype_format(slx_kernel_dtype(k->dtype))].e_hbm, wide = l->n.gemm[SLX_LIB_16].e_hbm;
    bool read = f->decode && f->software == SLX_SOFTWARE_SERVING && own > 0 && wide > 0;
    return read ? factor * fmin(1, own / wide) : factor;
}

typedef struct {
    double mid, low, high; /* of the device, us of each kind aside */
    double joules, joules_low, joules_high;
} sum;

static slx_status add_kernel(sum *s, const slx_chip *c, const slx_forward *f, const slx_kernel *k,
                             slx_forward_cost *out, slx_err *err)
{
    slx_lib_time t;
    slx_lib_watts w;
    slx_lib_dtype d = SLX_LIB_BF16;
    SLX_TRY(slx_kernel_time(c, k, &t, err));
    double least = slowest(c, f, k, &t);
    if (least > t.seconds) {
        t.low_s *= least / t.seconds, t.high_s *= least / t.seconds;
        t.seconds = least;
    }
    bool launched = k->alone && k->kind != SLX_KERNEL_ROWS && k->kind != SLX_KERNEL_COLLECTIVE;
    double gap = (launched   ? c->lib.n.facts.alone_us
                  : k->alone ? 0
                             : c->lib.n.pass.gap_us) *
                 1e-6,
           slow = (k->alone ? 1 : c->lib.n.pass.slow) * capped(c, f, &t), more = slow_sum(c, k);
    if (k->of_experts) slow *= of_experts(c, f, k);
    double each = fmax(0, t.seconds * slow + gap) + more, seconds = k->count * each;
    s->mid += seconds;
    s->low += k->count * (fmax(0, t.low_s * slow + gap) + more);
    s->high += k->count * (fmax(0, t.high_s * slow + gap) + more);
    out->flops += k->count * t.flops * f->tp * f->attention_dp;
    out->bytes += k->count * t.bytes * f->tp * f->attention_dp;
    if (k->kind == SLX_KERNEL_GEMM) d = slx_kernel_dtype(k->dtype);
    SLX_TRY(slx_lib_power(c, &t, d, &w, err));
    s->joules += seconds * w.watts, s->joules_low += seconds * w.low_w,
        s->joules_high += seconds * w.high_w;
    char name[sizeof out->part[0].name];
    snprintf(name, sizeof name, "%s (%s)", k->name, t.bound_by);
    slx_forward_part(out, name, seconds);
    return SLX_OK;
}

/* What a framework's layers take more, seconds: see slx_forward. */
static void add_framework(sum *s, const slx_forward *f, slx_forward_cost *out)
{
    double drafts = f->decode ? f->drafts : 0, moe = f->model->n_moe_layers;
    double sorted = (moe > 0 ? moe + drafts : 0) * f->moe_us * 1e-6;
    double waited = f->tp > 1 ? (f->model->n_layers + drafts) * f->sync_us * 1e-6 : 0;
    if (sorted > 0) slx_forward_part(out, "rows sorted by expert", sorted);
    if (waited > 0) slx_forward_part(out, "chips wait for each other", waited);
    double more = (s->mid + sorted + waited) / s->mid; /* at the watts of the other kernels */
    s->joules *= more, s->joules_low *= more, s->joules_high *= more;
    s->mid += sorted + waited, s->low += sorted + waited, s->high += sorted + waited;
}

slx_status slx_library_pass(const slx_chip *c, const slx_forward *f, slx_forward_cost *out,
                            slx_err *err)
{
    slx_plan plan;
    sum s = {0};
    double chips = (double)f->tp * f->attention_dp;
    slx_plan_pass(&plan, f, c->lib.n.facts.unfused);
    *out = (slx_forward_cost){.timed_by = "library"};
    for (int i = 0; i < plan.n; i++) SLX_TRY(add_kernel(&s, c, f, &plan.k[i], out, err));
    add_framework(&s, f, out);
    double wait = host_seconds(c, f, &plan) - s.mid;
    if (wait > 0)
        slx_forward_part(out, "host launches", wait);
    else
        wait = 0;
    slx_forward_close(out);
    double mid = s.mid + wait, known = c->lib.n.pass.band_low < 1 || c->lib.n.pass.band_high > 1;
    out->seconds.mid = mid;
    out->seconds.low = known ? mid * c->lib.n.pass.band_low : s.low + wait;
    out->seconds.high = known ? mid * c->lib.n.pass.band_high : s.high + wait;
    double idle = wait * c->lib.n.draw[SLX_LIB_DRAW_GEMM].idle * c->lib.fig.tdp_w;
    out->joules = (slx_band){(s.joules_low + idle) * chips, (s.joules + idle) * chips,
                             (s.joules_high + idle) * chips};
    out->power_w = (s.joules + idle) / mid;
    if (f->power_cap_w > 0 && out->power_w > f->power_cap_w) {
        out->power_w = f->power_cap_w;
        out->joules.mid = f->power_cap_w * mid * chips;
        out->joules.low = fmin(out->joules.low, out->joules.mid),
        out->joules.high = fmax(out->joules.high, out->joules.mid);
    }
    return SLX_OK;
}
