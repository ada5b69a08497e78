/* predict.c - one pass of a model on a chip: by its program, or by the sum of its library's kernels. */
#include "predict/predict_int.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_STACKS = 128 };

struct slx_predictor {
    slx_programs *programs;
    int n_stacks;
    struct {
        uint64_t of; /* hash of the chip */
        slx_software software;
        slx_chip *chip; /* NULL: it has no other software */
    } stack[MAX_STACKS];
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
    for (int i = 0; i < p->n_stacks; i++) slx_chip_free(p->stack[i].chip);
    free(p);
}

/* ------------------------------------------------------------------ software */

/* Chips that no plain pass was measured on. What works value by value reaches a share of the memory's rate where units
 * are the limit: the same rate of a unit is more of it on a chip with less memory rate a unit, up to nearly all (RTX
 * 4090 and RTX PRO 6000 reach it, with two to four times fewer bytes a clock of a unit than A100). Below 1.5 times
 * nothing is changed. Bands: A100's numbers on H100, and H100's on A100, are 14 to 15 % off, twice what they are at
 * home. */
static const double most_share = 0.95, poorer = 1.5, unseen_low = 0.87, unseen_high = 1.15;

static void adapt(slx_chip *c)
{
    const slx_lib *l = &c->lib;
    const slx_chip *fam = c->of_family;
    double of_family = fam->part.mem_tbs / (fam->part.units * fam->part.clock_ghz);
    double more = of_family / (l->fig.mem_tbs / (l->fig.units * l->fig.clock_ghz));
    slx_lib_numbers *n = &c->lib.n;
    double *const share[] = {&n->rows.e_norm, &n->rows.e_act, &n->rows.e_rope, &n->rows.e_add};
    for (int i = 0; i < 4 && more > poorer; i++)
        if (*share[i] < most_share) *share[i] = fmin(most_share, *share[i] * more);
    for (int f = 0; f < SLX_LIB_FORMATS; f++)
        for (int k = 0; k < SLX_LIB_CLASSES; k++) {
            c->lib.band[SLX_LIB_OWN_GEMM + f][k][0] *= unseen_low;
            c->lib.band[SLX_LIB_OWN_GEMM + f][k][1] *= unseen_high;
        }
    n->rows.band_low *= unseen_low, n->rows.band_high *= unseen_high;
    n->pass.band_low *= unseen_low, n->pass.band_high *= unseen_high;
}

slx_status slx_predict_stack(slx_chip **out, const slx_chip *c, slx_software software, slx_err *err)
{
    char name[128], path[1024];
    *out = NULL;
    snprintf(name, sizeof name, "%.100s-%s", c->family ? c->family : "generic",
             software == SLX_SOFTWARE_EAGER ? "eager" : "plain");
    if (slx_find_file(path, "families", name, (const char *const[]){".yaml", NULL}, NULL) != SLX_OK) {
        if (software == SLX_SOFTWARE_EAGER || c->lib.n.facts.graphs > 0) return SLX_OK;
        return slx_chip_with_passes(out, c, "generic-plain", err);
    }
    slx_chip_figures f = {.name = c->name,
                          .family = name,
                          .units = c->part.units,
                          .clock_ghz = c->part.clock_ghz,
                          .bf16_tflops = c->part.bf16_tflops,
                          .fp8_tflops = slx_chip_format_figure(c->part.fp8_tflops),
                          .int8_tops = slx_chip_format_figure(c->part.int8_tops),
                          .fp4_tflops = slx_chip_format_figure(c->part.fp4_tflops),
                          .mem_tbs = c->part.mem_tbs,
                          .mem_gib = c->part.mem_gib,
                          .cache_mib = c->part.cache_mib,
                          .tdp_w = c->package.tdp_w,
                          .link_gbs = c->part.links_gbs / 2};
    SLX_TRY(slx_chip_from_figures(out, &f, err));
    if (software ==
        SLX_SOFTWARE_PLAIN) { /* what was measured on this chip holds before its family's */
        (*out)->given.rows = c->given.rows;
        (*out)->given.pass = c->given.pass;
    } else { /* products are the library's under any framework */
        memcpy((*out)->given.gemm, c->given.gemm, sizeof c->given.gemm);
    }
    slx_chip_complete_library(*out);
    bool measured = c->lib.own[SLX_LIB_OWN_GEMM] || !isnan(c->given.rows.t0_us);
    if (!measured && software == SLX_SOFTWARE_PLAIN && (*out)->of_family) adapt(*out);
    return SLX_OK;
}

slx_status slx_stack_get(slx_predictor *p, const slx_chip *c, slx_software software,
                         const slx_chip **out, slx_err *err)
{
    *out = c;
    if ((software != SLX_SOFTWARE_PLAIN && software != SLX_SOFTWARE_EAGER) || !c->library)
        return SLX_OK;
    int i = 0;
    while (i < p->n_stacks && (p->stack[i].of != c->hash || p->stack[i].software != software)) i++;
    if (i == p->n_stacks) {
        slx_chip *other;
        SLX_TRY(slx_predict_stack(&other, c, software, err));
        if (i == MAX_STACKS)
            slx_chip_free(p->stack[i = 0].chip);
        else
            p->n_stacks++;
        p->stack[i].of = c->hash;
        p->stack[i].software = software;
        p->stack[i].chip = other;
    }
    if (p->stack[i].chip) *out = p->stack[i].chip;
    return SLX_OK;
}

const char *slx_predict_software(slx_predictor *p, const slx_chip *c, slx_software software)
{
    slx_err unwanted;
    if (!c->library || slx_stack_get(p, c, software, &c, &unwanted)) return "";
    return c->lib.software;
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

slx_status slx_predict_pass(slx_predictor *p, const slx_chip *c, const slx_forward *f,
                            slx_forward_cost *out, slx_err *err)
{
    slx_forward checked = *f;
    SLX_TRY(slx_forward_check(&checked, err));
    if (c->library) {
        SLX_TRY(slx_stack_get(p, c, f->software, &c, err));
        return slx_library_pass(c, &checked, out, err);
    }
    if (checked.pp > 1)
        return slx_fail(err, SLX_EUNSUPPORTED, c->name, 0, 0,
                        "pipelines over %u groups of chips: programs are of one group", checked.pp);
    if (checked.attention_dp > 1 || checked.moe_ep > 1 || checked.drafts)
        return slx_fail(err, SLX_EUNSUPPORTED, c->name, 0, 0,
                        "copies of the attention, experts on chips of their own or drafts: "
                        "programs share every layer");
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
    double experts = (double)s->n_moe_layers * s->n_experts * s->d_expert * s->d_model *
                     (s->mlp == SLX_MLP_GATED ? 3 : 2);
    double matrices = slx_shape_weights(s) - tables - experts;
    double heads = s->kv_rank ? 1 : fmax((double)s->n_kv_heads / g.tp, 1) / s->n_kv_heads;
    double share = s->n_layers ? (double)s->n_window_layers / s->n_layers : 0;
    double seen = s->window && s->window < g.context ? s->window : g.context;
    double sequences = ceil((double)g.batch / g.attention_dp); /* of a group */
    double each = slx_dtype_bytes(g.dtype, true), each_kv = slx_dtype_bytes(g.kv_dtype, true);
    double of_tables = 2 * tables / g.tp;
    if (!c->library) { /* what the compiler stores: every chip has the whole embedding */
        each = slx_programs_weight_bytes(c, s, f->dtype);
        each_kv = slx_programs_kv_bytes();
        of_tables = each * s->d_model * s->vocab * (s->tied ? 1 : 1 + 1.0 / g.tp);
        matrices += slx_programs_padding(c, s, g.tp) * g.tp;
    }
    out->weights = (matrices * each / g.tp + of_tables) / g.pp +
                   experts * slx_dtype_bytes(g.moe_dtype, true) / g.tp / g.attention_dp / g.pp;
    out->kv = slx_shape_kv_values(s) * heads / g.pp * sequences * each_kv *
              (share * seen + (1 - share) * g.context);
    out->kv += slx_shape_state_bytes(s) / g.tp / g.pp * sequences;
    double left = isnan(c->part.mem_usable_gib) ? c->part.mem_gib : c->part.mem_usable_gib;
    double gib = c->library ? 0.9 * left : c->hbm.stacks * c->hbm.gib;
    out->usable = gib * 1073741824.0;
    return SLX_OK;
}
