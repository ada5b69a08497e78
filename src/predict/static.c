/* static.c - one batch from start to end: a prefill, then osl - 1 decode steps over a growing context.
 *
 * step(context) is close to a straight line between a few contexts: five of them, and Simpson's rule over each pair of
 * intervals. A serving framework slows passes and adds to every step what its scheduler and sampler take on the host: a
 * part that is fixed and a part for each sequence (data/frameworks.csv). Sequences whose keys and values do not fit the
 * memory together run in waves, one after the other.
 */
#include "predict/predict_int.h"

#include <string.h>

enum { POINTS = 5 };

typedef struct {
    slx_predictor *p;
    const slx_chip *c;
    const slx_static_ask *a;
    slx_framework fw;
    uint32_t batch; /* of a part of a wave: as many parts as groups of chips in a pipeline */
    double parts;
    slx_err *err;
} job;

static void add(slx_band *to, slx_band v, double times)
{
    to->low += times * v.low, to->mid += times * v.mid, to->high += times * v.high;
}

static slx_band times(slx_band v, double k)
{
    return (slx_band){k * v.low, k * v.mid, k * v.high};
}

static slx_forward step(const job *j, bool decode, uint32_t context)
{
    const slx_static_ask *a = j->a;
    return slx_placed_pass(&a->on, &j->fw,
                           (slx_forward){.decode = decode,
                                         .batch = j->batch,
                                         .context = context,
                                         .power_cap_w = a->power_cap_w,
                                         .software = a->software});
}

/* All steps from context isl + 1 to isl + osl - 1, seconds and joules. */
static slx_status decode(const job *j, slx_band *seconds, slx_band *joules)
{
    static const double simpson[POINTS] = {1 / 12.0, 4 / 12.0, 2 / 12.0, 4 / 12.0, 1 / 12.0};
    double n = j->a->osl - 1, made = slx_placed_step_tokens(&j->a->on);
    for (int i = 0; i < POINTS; i++) {
        slx_forward f = step(j, true, j->a->isl + 1 + (uint32_t)((n - 1) * i / (POINTS - 1) + 0.5));
        slx_forward_cost cost;
        SLX_TRY(slx_predict_pass(j->p, j->c, &f, &cost, j->err));
        add(seconds, cost.seconds, n / made * simpson[i]);
        add(joules, cost.joules, n / made * simpson[i]);
    }
    return SLX_OK;
}

/* Sequences that the memory holds to their last token, beside the weights; the whole batch where that is not known. */
static slx_status together(const job *j, double *out)
{
    slx_forward f = step(j, true, j->a->isl + j->a->osl);
    slx_predict_memory m;
    f.batch = 1;
    SLX_TRY(slx_predict_fits(j->c, &f, &m, j->err));
    *out = j->a->batch;
    if (isnan(m.usable) || !j->c->library) return SLX_OK;
    double all = j->c->part.mem_gib * 1073741824.0, left = m.usable - m.weights;
    if (m.weights > all)
        return slx_fail(j->err, SLX_EUNSUPPORTED, j->a->on.model->name, 0, 0,
                        "needs %.1f GB of weights on each of %.0f chips, %s has %.1f GB",
                        m.weights / 1e9, slx_placed_chips(&j->a->on), j->c->name, all / 1e9);
    double groups = j->a->on.attention_dp ? j->a->on.attention_dp : 1;
    *out = fmin(*out, fmax(1, floor(left / m.kv) * groups));
    return SLX_OK;
}

/* One wave. In a pipeline every group works on a part of it: a step of all takes a pass of a part, which the last
 * part of the prompts follows by its share. Joules grow with the passes, and are those of idle chips while the host
 * works. */
static slx_status wave(const job *j, slx_static_cost *out)
{
    slx_forward_cost prompt;
    slx_forward f = step(j, false, j->a->isl);
    slx_band all = {0}, passes = {0};
    double host = (j->fw.step_us + j->batch * j->parts * j->fw.seq_us) * 1e-6,
           tokens = j->a->osl - 1, steps = tokens / slx_placed_step_tokens(&j->a->on);
    SLX_TRY(slx_predict_pass(j->p, j->c, &f, &prompt, j->err));
    out->ttft_s = (slx_band){host, host, host};
    add(&out->ttft_s, prompt.seconds, slx_slow_prompt(&j->fw) * (2 - 1 / j->parts));
    out->joules = times(prompt.joules, j->parts);
    out->timed_by = prompt.timed_by;
    slx_band joules = {0};
    if (steps > 0) SLX_TRY(decode(j, &passes, &joules));
    add(&out->joules, joules, j->parts);
    double waited = (1 + steps) * host * slx_idle_watts(j->c) * slx_placed_chips(&j->a->on);
    out->joules = times(out->joules, j->fw.slow);
    add(&out->joules, (slx_band){waited, waited, waited}, 1);
    add(&all, passes, j->fw.slow);
    add(&all, (slx_band){host, host, host}, steps);
    if (steps > 0) out->tpot_s = times(all, 1 / tokens);
    out->batch_s = out->ttft_s;
    add(&out->batch_s, all, 1);
    return SLX_OK;
}

slx_status slx_predict_static(slx_predictor *p, const slx_chip *c, const slx_static_ask *a,
                              slx_static_cost *out, slx_err *err)
{
    job j = {p, c, a, {.slow = 1}, a->batch, 1, err};
    double most;
    *out = (slx_static_cost){0};
    if (!a->batch || !a->isl || !a->osl || a->isl > 1u << 28 || a->osl > 1u << 28)
        return slx_fail(err, SLX_EINPUT, a->on.model->name, 0, 0,
                        "%u sequences of %u and %u tokens, expected 1 of 1 and 1 at least",
                        a->batch, a->isl, a->osl);
    if (a->given)
        j.fw = *a->given;
    else if (a->framework)
        SLX_TRY(slx_framework_find(&j.fw, a->framework, c->library ? c->family : NULL, err));
    SLX_TRY(together(&j, &most));
    double waves = ceil(a->batch / most);
    j.parts = fmin(a->on.pp ? a->on.pp : 1, ceil(a->batch / waves));
    j.batch = (uint32_t)ceil(a->batch / waves / j.parts);
    SLX_TRY(wave(&j, out));
    add(&out->ttft_s, out->batch_s, (waves - 1) / 2);
    out->batch_s = times(out->batch_s, waves);
    out->joules = times(out->joules, waves);
    slx_framework_widen(&j.fw, &out->ttft_s);
    slx_framework_widen(&j.fw, &out->tpot_s);
    slx_framework_widen(&j.fw, &out->batch_s);
    out->power_w = out->joules.mid / out->batch_s.mid / slx_placed_chips(&a->on);
    return SLX_OK;
}
