/* step.c - a pass under a serving engine that is named: its row of data/frameworks.csv on the engines of today. */
#include "predict/predict_int.h"

static void lengthen(slx_forward_cost *cost, double slow)
{
    cost->seconds = (slx_band){slow * cost->seconds.low, slow * cost->seconds.mid, slow * cost->seconds.high};
    cost->joules = (slx_band){slow * cost->joules.low, slow * cost->joules.mid, slow * cost->joules.high};
    for (int i = 0; i < cost->n_parts; i++) cost->part[i].seconds *= slow;
}

slx_status slx_predict_step(slx_predictor *p, const slx_chip *c, const slx_forward *f, const char *framework,
                            slx_forward_cost *out, slx_err *err)
{
    slx_framework fw;
    slx_forward g = *f;
    SLX_TRY(slx_framework_find(&fw, framework, c->library ? c->family : NULL, err));
    g.software = SLX_SOFTWARE_SERVING;
    g.mac_share = fw.mac_share, g.kv_share = fw.kv_share, g.norms_apart = fw.norms_apart > 0;
    SLX_TRY(slx_predict_pass(p, c, &g, out, err));
    lengthen(out, fw.slow);
    slx_framework_widen(&fw, &out->seconds);
    return SLX_OK;
}

bool slx_predict_knows(const char *framework)
{
    slx_framework unused;
    slx_err unwanted;
    return slx_framework_find(&unused, framework, NULL, &unwanted) == SLX_OK;
}
