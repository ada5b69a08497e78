/* estimate.c - see estimate.h. Sequences here have no tokens: timing never looks at one. */
#include "run/estimate.h"

#include "isa/step.h"

#include <math.h>
#include <stddef.h>
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

/* Figures of the chip file that times depend on. */
static const struct {
    const char *key;
    size_t at;
} timing[] = {
#define D(key, member)                                                                             \
    {                                                                                              \
        key, offsetof(slx_chip, member)                                                            \
    }
    D("grid.clock_ghz", grid.clock_ghz), D("tile.dispatch_clk", tile.dispatch_cycles),
    D("tile.lds_clk", tile.lds_cycles),  D("tile.dma_clk", tile.dma_cycles),
    D("ten.c0", ten.c0_cycles),          D("ten.c1", ten.c1_cycles),
    D("ten.cg", ten.cg_cycles),          D("ten.swap", ten.swap_cycles),
    D("vec.c2", vec.c2_cycles),          D("vec.div_cycles", vec.div_cycles),
    D("hbm.gbps_pin", hbm.gbps_pin),     D("hbm.trcd_ns", hbm.trcd_ns),
    D("hbm.latency_ns", hbm.latency_ns), D("hbm.trfcpb_ns", hbm.trfcpb_ns),
    D("net.alpha_ns", net.alpha_ns),     D("net.switch_ns", net.switch_ns),
    D("noc.hop_clk", noc.hop_clk),
#undef D
};

static double band_of(const slx_chip *c, const char *key)
{
    const struct slx_chip_source *s = slx_chip_get_source(c, key);
    return s ? s->pm < 0.9 ? s->pm : 0.9 : 0;
}

static slx_status time_band(const slx_program *p, const slx_chip *c, const uint8_t *desc,
                            const slx_time_options *how, slx_estimate *out, slx_err *err)
{
    double up = 0, down = 0;
    for (size_t i = 0; i < sizeof timing / sizeof *timing; i++) {
        double pm = band_of(c, timing[i].key), longer = 0, shorter = 0;
        if (out->chips == 1 && !strncmp(timing[i].key, "net.", 4)) continue;
        for (int sign = -1; sign <= 1 && pm > 0; sign += 2) {
            slx_chip other = *c; /* borrows everything but the figure */
            slx_time_options quiet = {.folded = how->folded, .watts = how->watts};
            slx_time_result r;
            double *figure = (double *)(void *)((char *)&other + timing[i].at);
            *figure *= 1 + sign * pm;
            SLX_TRY(slx_time_step(p, &other, desc, &quiet, &r, err));
            double d = r.seconds - out->tpot_s;
            longer = fmax(longer, d), shorter = fmax(shorter, -d);
            slx_time_result_free(&r);
        }
        up += longer * longer, down += shorter * shorter;
    }
    out->tpot_low_s = out->tpot_s - sqrt(down);
    out->tpot_high_s = out->tpot_s + sqrt(up);
    return SLX_OK;
}

static void energy_band(const slx_chip *c, slx_estimate *out)
{
    static const char *const key[SLX_N_TIME_WIRES] = {
        [SLX_TIME_WIRE_MAC] = "energy.w8a8_fj",     [SLX_TIME_WIRE_SUM] = "energy.fp32_add_pj",
        [SLX_TIME_WIRE_VEC] = "energy.fp32_fma_pj", [SLX_TIME_WIRE_SRAM] = "energy.sram_rd_pj_b",
        [SLX_TIME_WIRE_NOC] = "energy.noc_pj_b_mm", [SLX_TIME_WIRE_HBM] = "energy.hbm_pj_b",
        [SLX_TIME_WIRE_NET] = "energy.serdes_pj_b", [SLX_TIME_WIRE_IO] = "energy.serdes_pj_b",
        [SLX_TIME_WIRE_LEAK] = "energy.leak_w_mm2", [SLX_TIME_WIRE_ROM] = "energy.rom_pj_b"};
    double sum = 0;
    for (int w = 0; w < SLX_N_TIME_WIRES; w++) {
        double e =
            band_of(c, key[w]) * (double)out->decode.wire_fj[w] * 1e-15 * out->chips / out->batch;
        sum += e * e;
    }
    out->energy_low_j = out->energy_j_per_token - sqrt(sum);
    out->energy_high_j = out->energy_j_per_token + sqrt(sum);
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
