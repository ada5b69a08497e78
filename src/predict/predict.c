/* predict.c - one pass of a model on a chip: by its program, or by the sum of its library's kernels. */
#include "predict/predict_int.h"

#include <stdlib.h>
#include <string.h>

struct slx_predictor {
    slx_programs *programs;
};

void slx_predictor_open(slx_predictor **out)
{
    slx_predictor *p = slx_xcalloc(1, sizeof *p);
    p->programs = slx_programs_new();
    *out = p;
}

void slx_predictor_close(slx_predictor *p)
{
    if (!p) return;
    slx_programs_free(p->programs);
    free(p);
}

/* ------------------------------------------------------------------ parts */

/* Adds to the part of that name; the last place is "other". */
void slx_forward_part(slx_forward_cost *out, const char *name, double seconds)
{
    int i = 0;
    while (i < out->n_parts && strcmp(out->part[i].name, name) != 0) i++;
    if (i == SLX_FORWARD_PARTS) {
        i--;
        snprintf(out->part[i].name, sizeof out->part[i].name, "other");
    } else if (i == out->n_parts) {
        out->n_parts++;
        snprintf(out->part[i].name, sizeof out->part[i].name, "%s", name);
        out->part[i].seconds = 0;
    }
    out->part[i].seconds += seconds;
}

void slx_forward_close(slx_forward_cost *out)
{
    for (int i = 1; i < out->n_parts; i++) /* by insertion: equal ones keep their order */
        for (int j = i; j > 0 && out->part[j].seconds > out->part[j - 1].seconds; j--) {
            __typeof__(out->part[0]) t = out->part[j];
            out->part[j] = out->part[j - 1];
            out->part[j - 1] = t;
        }
    if (!*out->bound_by && out->n_parts)
        snprintf(out->bound_by, sizeof out->bound_by, "%s", out->part[0].name);
}

/* ------------------------------------------------------------------ library chips */

/* Between idle and the chip's limit: a chip whose power no one measured may be anywhere there. */
static void set_power(const slx_chip *c, const slx_forward *f, slx_forward_cost *out)
{
    double tdp = c->package.tdp_w > 0 ? c->package.tdp_w : NAN, s = out->seconds.mid;
    if (f->power_cap_w > 0 && f->power_cap_w < tdp) tdp = f->power_cap_w;
    out->power_w = 0.7 * tdp;
    out->joules = (slx_band){0.4 * tdp * s * f->tp, 0.7 * tdp * s * f->tp, tdp * s * f->tp};
}

static slx_status by_library(const slx_chip *c, const slx_forward *f, slx_forward_cost *out,
                             slx_err *err)
{
    slx_plan plan;
    const char *bound = "";
    double longest = 0;
    slx_plan_pass(&plan, f);
    *out = (slx_forward_cost){.timed_by = "library"};
    for (int i = 0; i < plan.n; i++) {
        const slx_kernel *k = &plan.k[i];
        slx_kernel_cost cost;
        SLX_TRY(slx_kernel_time(c, k, &cost, err));
        double t = k->count * cost.seconds;
        out->seconds.mid += t;
        out->flops += k->count * slx_kernel_flops(k) * f->tp;
        out->bytes += k->count * slx_kernel_bytes(k) * f->tp;
        slx_forward_part(out, k->name, t);
        if (t > longest) longest = t, bound = cost.bound_by;
    }
    slx_forward_close(out);
    snprintf(out->bound_by, sizeof out->bound_by, "%s (%s)", out->part[0].name, bound);
    out->seconds.low = 0.7 * out->seconds.mid, out->seconds.high = 1.4 * out->seconds.mid;
    set_power(c, f, out);
    return SLX_OK;
}

slx_status slx_predict_pass(slx_predictor *p, const slx_chip *c, const slx_forward *f,
                            slx_forward_cost *out, slx_err *err)
{
    slx_forward checked = *f;
    SLX_TRY(slx_forward_check(&checked, err));
    if (c->library) return by_library(c, &checked, out, err);
    checked.dtype = f->dtype;
    return slx_programs_pass(p->programs, c, &checked, out, err);
}

/* ------------------------------------------------------------------ memory */

slx_status slx_predict_fits(const slx_chip *c, const slx_forward *f, slx_predict_memory *out,
                            slx_err *err)
{
    slx_forward g = *f;
    SLX_TRY(slx_forward_check(&g, err));
    const slx_shape *s = g.model;
    double tables = (double)s->d_model * s->vocab * (s->tied ? 1 : 2);
    double matrices = slx_shape_weights(s) - tables;
    double heads = s->kv_rank ? 1 : fmax((double)s->n_kv_heads / g.tp, 1) / s->n_kv_heads;
    double share = s->n_layers ? (double)s->n_window_layers / s->n_layers : 0;
    double seen = s->window && s->window < g.context ? s->window : g.context;
    out->weights = (matrices * slx_dtype_bytes(g.dtype, true) + 2 * tables) / g.tp;
    out->kv = slx_shape_kv_values(s) * heads * g.batch * slx_dtype_bytes(g.kv_dtype, true) *
              (share * seen + (1 - share) * g.context);
    double gib = c->library ? 0.9 * c->part.mem_gib : c->hbm.stacks * c->hbm.gib;
    out->usable = gib * 1073741824.0;
    return SLX_OK;
}
