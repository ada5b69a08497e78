/* estimate.c - see estimate.h. Sequences here have no tokens: timing never looks at one. */
#include "run/estimate.h"

#include "isa/step.h"

#include <stdlib.h>
#include <string.h>

void slx_estimate_free(slx_estimate *e)
{
    slx_time_result_free(&e->prefill);
    slx_time_result_free(&e->decode);
}

static slx_status prefill(const slx_program *p, const slx_chip *c, const slx_estimate_options *opt,
                          uint8_t *desc, slx_time_options *how, slx_estimate *out, slx_err *err)
{
    uint32_t chunk =
        opt->chunk && opt->chunk < p->info.desc.max_rows ? opt->chunk : p->info.desc.max_rows;
    for (uint32_t at = 0; at < opt->prompt; at += chunk) {
        uint32_t rows = opt->prompt - at < chunk ? opt->prompt - at : chunk;
        bool last = at + rows == opt->prompt;
        how->event = last && !opt->context ? opt->event : NULL;
        SLX_TRY(slx_step_build_alike(&p->info, desc, 1, rows, at, last, err));
        slx_time_result_free(&out->prefill);
        SLX_TRY(slx_time_step(p, c, desc, how, &out->prefill, err));
        out->ttft_s += out->prefill.seconds;
        out->prefill_j += (double)out->prefill.energy_fj * 1e-15 * out->chips;
        out->prefill_steps++;
        if (slx_interrupted()) return slx_fail(err, SLX_EINTERRUPTED, "", 0, 0, "interrupted");
    }
    return SLX_OK;
}

/* ------------------------------------------------------------------ bands */

static slx_status time_band(const slx_program *p, const slx_chip *c, const uint8_t *desc,
                            const slx_time_options *how, slx_estimate *out, slx_err *err)
{
    slx_time_options quiet = {.folded = how->folded, .watts = how->watts};
    return slx_time_get_band(p, c, desc, &quiet, &out->decode, &out->tpot_low_s, &out->tpot_high_s, err);
}

static void energy_band(const slx_chip *c, slx_estimate *out)
{
    double joules[SLX_N_TIME_WIRES];
    for (int w = 0; w < SLX_N_TIME_WIRES; w++)
        joules[w] = (double)out->decode.wire_fj[w] * 1e-15 * out->chips / out->batch;
    double off = slx_time_joules_off(c, joules);
    out->energy_low_j = out->energy_j_per_token - off;
    out->energy_high_j = out->energy_j_per_token + off;
}

/* ------------------------------------------------------------------ all of it */

static slx_status decode(const slx_program *p, const slx_chip *c, const slx_estimate_options *opt,
                         uint8_t *desc, slx_time_options *how, slx_estimate *out, slx_err *err)
{
    how->event = opt->event;
    SLX_TRY(slx_step_build_alike(&p->info, desc, out->batch, 1, opt->context, 1, err));
    SLX_TRY(slx_time_step(p, c, desc, how, &out->decode, err));
    out->tpot_s = out->decode.seconds;
    out->energy_j_per_token = (double)out->decode.energy_fj * 1e-15 * out->chips / out->batch;
    energy_band(c, out);
    return opt->bands ? time_band(p, c, desc, how, out, err) : SLX_OK;
}

slx_status slx_estimate_run(const slx_program *p, const slx_chip *c,
                            const slx_estimate_options *opt, slx_estimate *out, slx_err *err)
{
    memset(out, 0, sizeof *out);
    out->chips = slx_program_chips(&p->info);
    out->prompt = opt->prompt;
    out->context = opt->context;
    out->batch = opt->batch ? opt->batch : 1;
    slx_time_watts watts;
    SLX_TRY(slx_time_get_watts(&watts, c, err));
    slx_time_options how = {.folded = !opt->full, .event_arg = opt->event_arg, .watts = &watts};
    uint8_t *desc = slx_xcalloc(1, p->info.desc.bytes + 1u);
    slx_status st = prefill(p, c, opt, desc, &how, out, err);
    if (st == SLX_OK && opt->context) st = decode(p, c, opt, desc, &how, out, err);
    free(desc);
    if (st != SLX_OK) slx_estimate_free(out);
    return st;
}

bool slx_estimate_usd_per_mtok(slx_band *out, const slx_estimate *e, const slx_chip *c)
{
    slx_constants *k = NULL;
    slx_area area;
    slx_power power;
    slx_cost cost;
    if (e->tpot_s <= 0 || slx_constants_load(&k, NULL) != SLX_OK) return false;
    bool ok = slx_chip_get_area(&area, c, k, NULL) == SLX_OK &&
              slx_chip_get_power(&power, c, &area, k, NULL) == SLX_OK &&
              slx_chip_get_cost(&cost, c, &area, &power, k, NULL) == SLX_OK &&
              cost.hour_usd.total.mid > 0;
    slx_constants_free(k);
    if (!ok) return false;
    double low_s = e->tpot_low_s > 0 ? e->tpot_low_s : e->tpot_s;
    double high_s = e->tpot_high_s > 0 ? e->tpot_high_s : e->tpot_s;
    slx_band tok_s = {e->batch / high_s, e->batch / e->tpot_s, e->batch / low_s};
    *out = slx_usd_per_mtok(cost.hour_usd.total, e->chips, tok_s);
    return true;
}
