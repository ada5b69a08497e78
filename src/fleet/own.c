/* own.c - see own.h. */
#include "fleet/own.h"

#include <stdlib.h>
#include <string.h>

#include "fleet/fleet_int.h"

/* Of one call. */
typedef struct {
    const slx_fleet_case *c;
    int option; /* whose rack, use, life hold for every chip */
    slx_constants *constants;
    slx_predictor *predictor;
    double *v;
    slx_fleet_run *run;
} own;

static slx_band times(slx_band b, double f)
{
    return (slx_band){b.low * f, b.mid * f, b.high * f};
}

static slx_status price(const own *o, const slx_chip *chip, slx_fleet_own_row *r, slx_err *err)
{
    slx_area area;
    slx_power power;
    slx_cost cost;
    SLX_TRY(slx_chip_get_area(&area, chip, o->constants, err));
    SLX_TRY(slx_chip_get_power(&power, chip, &area, o->constants, err));
    SLX_TRY(slx_chip_get_cost(&cost, chip, &area, &power, o->constants, err));
    r->basis = cost.basis;
    r->chip_usd = cost.chip_usd;
    if (isnan(r->chip_usd.mid))
        snprintf(r->why, sizeof r->why, "price not published, %s depends on %s", slx_price_basis_name(cost.basis),
                 cost.hour_usd.missing ? cost.hour_usd.missing : "figures that are not");
    return SLX_OK;
}

/* The case with this chip's throughput and price. */
static void serve(const own *o, slx_fleet_own_row *r)
{
    const slx_fleet_case *c = o->c;
    const slx_fleet_option *opt = &c->option[o->option];
    for (int i = 0; i < c->n_in; i++) o->v[i] = c->in[i].mid;
    o->v[opt->base + SLX_F_OPTION_tok_s] = r->rates.write_tok_s.mid;
    if (!isnan(r->rates.read_tok_s.mid))
        o->v[opt->base + SLX_F_OPTION_read_tok_s] = r->rates.read_tok_s.mid;
    o->v[opt->base + SLX_F_OPTION_chip_usd] = 1; /* then dollars are chips */
    slx_fleet_eval(c, &(slx_fleet_future){.v = o->v, .single = -1}, o->run);
    r->chips = o->run->option_out[o->option][SLX_FO_chips];
    r->capex_usd = times(r->chip_usd, o->run->option_out[o->option][SLX_FO_chips_usd]);
    r->usd_year = times(r->chip_usd, o->run->option_out[o->option][SLX_FO_renewal_chips_usd_year]);
}

static slx_status one(const own *o, const char *name, const slx_shape *model, slx_fleet_own_row *r,
                      slx_err *err)
{
    const slx_fleet_case *c = o->c;
    slx_chip *chip;
    SLX_TRY(slx_chip_load_any(&chip, name, err));
    slx_status s = price(o, chip, r, err);
    for (int i = 0; i < c->n_in; i++) o->v[i] = c->in[i].mid;
    if (!s) s = slx_fleet_rates_of(o->predictor, c, o->v, chip, model, &r->rates, err);
    slx_chip_free(chip);
    SLX_TRY(s);
    if (r->rates.why[0]) {
        snprintf(r->why, sizeof r->why, "%s", r->rates.why);
        return SLX_OK;
    }
    serve(o, r);
    r->mw = r->chips * r->rates.power_w / 1e6 *
            o->v[c->site[c->option[o->option].site].base + SLX_F_SITE_pue];
    return SLX_OK;
}

static slx_status all(const own *o, slx_fleet_own *out, slx_err *err)
{
    const slx_fleet_case *c = o->c;
    slx_progress progress;
    slx_status s = SLX_OK;
    slx_progress_start(&progress, "throughput");
    for (int m = 0; m < c->n_own_models && !s; m++) {
        slx_shape *model;
        s = slx_shape_open(&model, c->own_model[m], err);
        for (int i = 0; i < c->n_own_chips && !s; i++) {
            slx_fleet_own_row *r = &out->row[out->n++];
            *r = (slx_fleet_own_row){.chip = c->own_chip[i],
                                     .model = c->own_model[m],
                                     .rates = {.tok_s = NAN},
                                     .chips = NAN,
                                     .mw = NAN,
                                     .chip_usd = {NAN, NAN, NAN},
                                     .capex_usd = {NAN, NAN, NAN},
                                     .usd_year = {NAN, NAN, NAN}};
            slx_progress_at(&progress, (double)(out->n - 1) / (c->n_own_models * c->n_own_chips));
            s = one(o, c->own_chip[i], model, r, err);
        }
        if (model) slx_shape_free(model);
    }
    slx_progress_end(&progress);
    return s;
}

slx_status slx_fleet_own_run(const slx_fleet_case *c, slx_fleet_own **out, slx_err *err)
{
    own o = {.c = c, .option = -1};
    slx_err unwanted;
    *out = NULL;
    for (int i = c->n_options; i--;)
        if (c->option[i].deploy == SLX_FLEET_DEMAND) o.option = i;
    if (c->own == SLX_FLEET_NONE || o.option < 0)
        return slx_fail(
            err, SLX_EINPUT, c->path, 0, 0,
            "own: missing, expected it with a model and chips, and an option with deploy: demand");
    if (!err) err = &unwanted;
    SLX_TRY(slx_constants_load(&o.constants, err));
    slx_predictor_open(&o.predictor);
    o.v = slx_xcalloc((size_t)c->n_in, sizeof *o.v);
    o.run = slx_xcalloc(1, sizeof *o.run);
    slx_fleet_own *w = slx_xcalloc(1, sizeof *w);
    w->row = slx_xcalloc((size_t)(c->n_own_models * c->n_own_chips), sizeof *w->row);
    slx_status s = all(&o, w, err);
    slx_constants_free(o.constants);
    slx_predictor_close(o.predictor);
    free(o.v);
    free(o.run);
    if (s) {
        slx_fleet_own_free(w);
        w = NULL;
    }
    *out = w;
    return s;
}

void slx_fleet_own_free(slx_fleet_own *o)
{
    if (!o) return;
    free(o->row);
    free(o);
}
