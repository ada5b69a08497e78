/* placement.c - a model on the chips that serve it: its passes, how many tokens a step makes, what the memory holds. */
#include "predict/predict_int.h"

slx_forward slx_placed_pass(const slx_placement *on, const slx_framework *fw, slx_forward sizes)
{
    slx_forward f = sizes;
    f.model = on->model;
    f.tp = on->tp, f.pp = on->pp, f.attention_dp = on->attention_dp, f.moe_ep = on->moe_ep;
    f.drafts = on->drafts;
    f.dtype = on->dtype, f.moe_dtype = on->moe_dtype, f.kv_dtype = on->kv_dtype;
    f.mac_share = fw->mac_share, f.kv_share = fw->kv_share, f.alike = fw->alike;
    f.norms_apart = fw->norms_apart > 0;
    f.experts = f.decode ? fw->experts : fw->experts_prompt;
    f.moe_us = fw->moe_us, f.sync_us = fw->sync_us;
    return f;
}

double slx_idle_watts(const slx_chip *c)
{
    return c->library ? c->lib.n.draw[SLX_LIB_DRAW_GEMM].idle * c->lib.fig.tdp_w : 0;
}

static double at_least_one(uint32_t n)
{
    return n ? n : 1;
}

double slx_placed_chips(const slx_placement *on)
{
    return at_least_one(on->tp) * at_least_one(on->pp) * at_least_one(on->attention_dp);
}

/* A draft counts where it and all before it were right. */
double slx_placed_step_tokens(const slx_placement *on)
{
    double made = 1, right = 1;
    for (uint32_t i = 0; i < on->drafts; i++) made += right *= on->accept;
    return made;
}

slx_status slx_placed_room(const slx_chip *c, const slx_placement *on, uint32_t context, double *seqs, slx_err *err)
{
    static const slx_framework none = {.slow = 1};
    slx_forward f = slx_placed_pass(on, &none, (slx_forward){.decode = true, .batch = 1, .context = context});
    slx_predict_memory m;
    *seqs = INFINITY;
    SLX_TRY(slx_predict_fits(c, &f, &m, err));
    if (isnan(m.usable)) return SLX_OK;
    double left = m.usable - m.weights;
    *seqs = left / m.kv * at_least_one(on->attention_dp);
    if (left > 0) return SLX_OK;
    return slx_fail(err, SLX_EUNSUPPORTED, on->model->name, 0, 0,
                    "needs %.1f GB of weights on each of %.0f chips, %s has %.1f GB", m.weights / 1e9,
                    slx_placed_chips(on), c->name, m.usable / 1e9);
}
