/* rates.c - see rates.h. */
#include "fleet/rates.h"

#include <stdlib.h>
#include <string.h>

#include "fleet/fleet_int.h"

static const slx_band unknown = {NAN, NAN, NAN};

/* tokens a second of `chips` together in so many seconds, a chip */
static slx_band per_chip(double tokens, slx_band s, double chips)
{
    return (slx_band){tokens / s.high / chips, tokens / s.mid / chips, tokens / s.low / chips};
}

/* What can be told of a chip and model but has a reason against it; other errors go on. */
static slx_status cannot(slx_status s, const slx_err *why, slx_fleet_rates *out, slx_err *err)
{
    if ((s != SLX_EUNSUPPORTED && s != SLX_EINPUT) || !why->msg[0]) {
        if (err) *err = *why;
        return s;
    }
    snprintf(out->why, sizeof out->why, "%.190s", why->msg);
    return SLX_OK;
}

/* A prompt read by the chips that write at the batch of best, and what both take together. */
static slx_status add_reading(slx_predictor *p, const slx_fleet_case *c, const double *v,
                              const slx_chip *chip, const slx_forward *prompt, slx_best *best,
                              slx_fleet_rates *out, slx_err *err)
{
    const double *d = v + c->demand;
    slx_forward_cost cost;
    slx_err why = {0};
    slx_status s = slx_predict_pass(p, chip, prompt, &cost, &why);
    if (s) return cannot(s, &why, out, err);
    double in = d[SLX_F_DEMAND_tokens_in] / d[SLX_F_DEMAND_tokens_out]; /* a token written */
    out->read_tok_s = per_chip(prompt->q_len, cost.seconds, best->tp);
    out->tok_s = slx_fleet_both_tok_s(best->tok_s_chip, out->read_tok_s.mid,
                                      d[SLX_F_DEMAND_tokens_in], d[SLX_F_DEMAND_tokens_out]);
    double writes = out->tok_s / best->tok_s_chip; /* share of the time */
    out->power_w = writes * best->pass.power_w + (1 - writes) * cost.power_w;
    out->joules += in * cost.joules.mid / prompt->q_len;
    out->usd_mtok = (slx_band){out->usd_mtok.low / writes, out->usd_mtok.mid / writes,
                               out->usd_mtok.high / writes};
    return SLX_OK;
}

slx_status slx_fleet_rates_of(slx_predictor *p, const slx_fleet_case *c, const double *v,
                              const slx_chip *chip, const slx_shape *model, slx_fleet_rates *out,
                              slx_err *err)
{
    const double *w = v + c->own;
    slx_formats f =
        slx_predict_formats(chip, model, (int)w[SLX_F_OWN_weight_bits], (int)w[SLX_F_OWN_kv_bits]);
    slx_best_ask ask = {.model = model,
                        .context = (uint32_t)w[SLX_F_OWN_context],
                        .tpot_s = w[SLX_F_OWN_tpot_ms] / 1e3,
                        .dtype = f.dtype,
                        .kv_dtype = f.kv_dtype};
    slx_best best;
    slx_err why = {0};
    *out = (slx_fleet_rates){.weights = f.weights,
                             .kv_cache = f.kv_cache,
                             .tok_s_user = NAN,
                             .write_tok_s = unknown,
                             .read_tok_s = unknown,
                             .tok_s = NAN,
                             .joules = NAN,
                             .power_w = NAN,
                             .usd_mtok = unknown};
    slx_status s = slx_predict_best(p, chip, &ask, &best, &why);
    if (s) return cannot(s, &why, out, err);
    out->tp = best.tp;
    out->batch = best.batch;
    out->tok_s_user = best.tok_s_user;
    out->write_tok_s = per_chip(best.batch, best.pass.seconds, best.tp);
    out->tok_s = best.tok_s_chip;
    out->joules = best.j_per_token.mid;
    out->power_w = best.pass.power_w;
    out->usd_mtok = best.usd_per_mtok;
    snprintf(out->bound_by, sizeof out->bound_by, "%s", best.pass.bound_by);
    snprintf(out->timed_by, sizeof out->timed_by, "%s", best.pass.timed_by);
    double in = c->demand == SLX_FLEET_NONE ? 0 : v[c->demand + SLX_F_DEMAND_tokens_in];
    uint32_t prompt_tokens = (uint32_t)fmax(1, in);
    if (!(in > 0)) return SLX_OK;
    slx_forward prompt = {.model = model,
                          .batch = 1,
                          .q_len = prompt_tokens,
                          .context = prompt_tokens,
                          .tp = best.tp,
                          .dtype = f.dtype,
                          .kv_dtype = f.kv_dtype};
    return add_reading(p, c, v, chip, &prompt, &best, out, err);
}

/* ------------------------------------------------------------------ inputs that are left to it */

bool slx_fleet_rates_wanted(const slx_fleet_case *c, const slx_fleet_option *o)
{
    return o->chip[0] && c->own != SLX_FLEET_NONE && c->demand != SLX_FLEET_NONE &&
           !slx_fleet_has(c, o->base + SLX_F_OPTION_tok_s);
}

static void set_input(slx_fleet_case *c, int in, slx_band b, const char *source)
{
    c->in[in].low = b.low;
    c->in[in].mid = b.mid;
    c->in[in].high = b.high;
    c->in[in].source = source;
    c->in[in].given = true;
}

static slx_status fill(slx_fleet_case *c, const slx_fleet_option *o, slx_predictor *p,
                       const slx_shape *model, const double *v, slx_err *err)
{
    slx_chip *chip;
    slx_fleet_rates r;
    SLX_TRY(slx_chip_load_any(&chip, o->chip, err));
    slx_status s = slx_fleet_rates_of(p, c, v, chip, model, &r, err);
    slx_chip_free(chip);
    SLX_TRY(s);
    if (r.why[0])
        return slx_fail(err, SLX_EINPUT, c->path, o->line, 0,
                        "options.%s.tok_s: missing, and of %s with %s it cannot be computed: %s",
                        o->name, o->chip, c->own_model[0], r.why);
    const char *source = slx_sprintf(
        &c->arena, "computed: %s on %s at %g ms a token, %s weights, %s cache, batch %u x %u chips",
        c->own_model[0], o->chip, v[c->own + SLX_F_OWN_tpot_ms], r.weights, r.kv_cache, r.batch,
        r.tp);
    set_input(c, o->base + SLX_F_OPTION_tok_s, r.write_tok_s, source);
    if (!isnan(r.read_tok_s.mid))
        set_input(c, o->base + SLX_F_OPTION_read_tok_s, r.read_tok_s, source);
    return SLX_OK;
}

slx_status slx_fleet_fill_rates(slx_fleet_case *c, slx_err *err)
{
    slx_status s = SLX_OK;
    slx_shape *model = NULL;
    slx_predictor *p = NULL;
    double *v = slx_xcalloc((size_t)c->n_in, sizeof *v);
    for (int i = 0; i < c->n_in; i++) v[i] = c->in[i].mid;
    for (int i = 0; i < c->n_options && !s; i++) {
        if (!slx_fleet_rates_wanted(c, &c->option[i])) continue;
        if (!model) s = slx_shape_open(&model, c->own_model[0], err);
        if (!p) slx_predictor_open(&p);
        if (!s) s = fill(c, &c->option[i], p, model, v, err);
    }
    if (model) slx_shape_free(model);
    slx_predictor_close(p);
    free(v);
    return s;
}
