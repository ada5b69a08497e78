/* static.c - one batch from start to end: a prefill, then osl - 1 decode steps over a growing context.
 *
 * step(context) is close to a straight line between a few contexts: five of them, and Simpson's rule over each pair of
 * intervals. A serving framework slows passes and adds to every step what its scheduler and sampler take on the host: a
 * part that is fixed and a part for each sequence (data/frameworks.csv).
 */
#include "predict/predict_int.h"

#include <string.h>

enum { POINTS = 5 };

static void add(slx_band *to, slx_band v, double times)
{
    to->low += times * v.low, to->mid += times * v.mid, to->high += times * v.high;
}

static slx_forward step(const slx_static_ask *a, bool decode, uint32_t context)
{
    return (slx_forward){.model = a->model,
                         .decode = decode,
                         .batch = a->batch,
                         .context = context,
                         .tp = a->tp,
                         .dtype = a->dtype,
                         .kv_dtype = a->kv_dtype,
                         .power_cap_w = a->power_cap_w,
                         .software = a->software};
}

/* All steps from context isl + 1 to isl + osl - 1, seconds and joules. */
static slx_status decode(slx_predictor *p, const slx_chip *c, const slx_static_ask *a,
                         slx_band *seconds, slx_band *joules, slx_err *err)
{
    static const double simpson[POINTS] = {1 / 12.0, 4 / 12.0, 2 / 12.0, 4 / 12.0, 1 / 12.0};
    double n = a->osl - 1;
    for (int i = 0; i < POINTS; i++) {
        slx_forward f = step(a, true, a->isl + 1 + (uint32_t)((n - 1) * i / (POINTS - 1) + 0.5));
        slx_forward_cost cost;
        SLX_TRY(slx_predict_pass(p, c, &f, &cost, err));
        add(seconds, cost.seconds, n * simpson[i]);
        add(joules, cost.joules, n * simpson[i]);
    }
    return SLX_OK;
}

slx_status slx_predict_static(slx_predictor *p, const slx_chip *c, const slx_static_ask *a,
                              slx_static_cost *out, slx_err *err)
{
    slx_framework fw = {.slow = 1};
    slx_forward_cost prompt;
    *out = (slx_static_cost){0};
    if (!a->batch || !a->isl || !a->osl || a->isl > 1u << 28 || a->osl > 1u << 28)
        return slx_fail(err, SLX_EINPUT, a->model->name, 0, 0,
                        "%u sequences of %u and %u tokens, expected 1 of 1 and 1 at least",
                        a->batch, a->isl, a->osl);
    if (a->framework)
        SLX_TRY(slx_framework_find(&fw, a->framework, c->library ? c->family : NULL, err));
    slx_forward f = step(a, false, a->isl);
    SLX_TRY(slx_predict_pass(p, c, &f, &prompt, err));
    double host = (fw.step_us + a->batch * fw.seq_us) * 1e-6, steps = a->osl - 1;
    slx_band all = {0}, passes = {0};
    out->ttft_s = (slx_band){host, host, host};
    add(&out->ttft_s, prompt.seconds, fw.slow);
    out->joules = prompt.joules;
    out->timed_by = prompt.timed_by;
    if (steps > 0) SLX_TRY(decode(p, c, a, &passes, &out->joules, err));
    add(&all, passes, fw.slow);
    add(&all, (slx_band){host, host, host}, steps);
    if (steps > 0) out->tpot_s = (slx_band){all.low / steps, all.mid / steps, all.high / steps};
    out->batch_s = out->ttft_s;
    add(&out->batch_s, all, 1);
    slx_framework_widen(&fw, &out->ttft_s);
    slx_framework_widen(&fw, &out->tpot_s);
    slx_framework_widen(&fw, &out->batch_s);
    out->power_w = out->joules.mid / out->batch_s.mid / (a->tp ? a->tp : 1);
    return SLX_OK;
}
