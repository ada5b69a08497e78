/* power.c - watts of a chip at two points, from analytic rates.
 *
 *   decode    the memory at its peak; each weight it brings meets decode_batch rows
 *   prefill   the tensor engines at their fastest weight format, the memory at prefill_hbm_share of its peak
 *
 * Leakage and clock go with the area of all dies, links to other chips run at their rate in both points. The timing
 * machine counts the events of a real program; this is what a package and its cooling are designed for.
 */
#include <string.h>

#include "chip/silicon_int.h"

#define FIG(key)    slx_chip_figure(c, key)
#define CONST(name) slx_constants_at(k, SLX_S_##name)

static const double pj = 1e-12, fj = 1e-15;

/* Of a weight with its scales, in memory. */
static double bits_of_weight(const slx_chip *c)
{
    return c->ten.rate.w4a8 > 0 ? 4.25 : 8.25; /* one scale of 8 bits for 32 weights */
}

static slx_band mac_j(const slx_chip *c)
{
    return band_by(FIG(c->ten.rate.w4a8 > 0 ? "energy.w4a8_fj" : "energy.w8a8_fj"), fj);
}

static slx_band noc_j_bit(const slx_chip *c, const slx_constants *k)
{
    return band_by(band_add(band_mul(FIG("energy.noc_pj_b_mm"), CONST(noc_mm)),
                            band_mul(FIG("energy.noc_pj_b_router"), CONST(noc_hops))),
                   pj);
}

/* In both points. */
static void add_always(slx_sheet *s, const slx_chip *c, const slx_area *a)
{
    double net_bits = 8 * slx_chip_get_peaks(c).net_bytes_s;
    double d2d_bits = 4e12 * c->package.d2d_tbs + (a->io_dies ? net_bits : 0);
    slx_sheet_add(s, "leakage, clock", band_mul(FIG("energy.leak_w_mm2"), a->silicon_mm2));
    slx_sheet_add(s, "links to other chips", band_by(FIG("energy.serdes_pj_b"), net_bits * pj));
    slx_sheet_add(s, "die to die", band_by(FIG("energy.d2d_pj_b"), d2d_bits * pj));
}

static void add_decode(slx_sheet *s, const slx_chip *c, const slx_constants *k)
{
    slx_chip_peaks p = slx_chip_get_peaks(c);
    double tiles_clk = c->grid.enabled * c->grid.clock_ghz * 1e9;
    bool rom = c->rom.mib > 0;
    double rom_bits = 8 * tiles_clk * c->rom.bytes_clk, hbm_bits = 8 * p.hbm_bytes_s;
    double weights = (rom ? rom_bits : hbm_bits) / bits_of_weight(c);
    double most = (c->ten.rate.w4a8 > 0 ? p.w4a8_ops : p.w8a8_ops) / 2;
    slx_band macs = band_by(CONST(decode_batch), weights);
    macs = band(fmin(macs.low, most), fmin(macs.mid, most), fmin(macs.high, most));
    /* Beside a ROM the memory holds only the KV cache: it runs at the share it has in prefill. */
    slx_band share = rom ? CONST(prefill_hbm_share) : band_exact(1);
    slx_band bits = band_by(share, hbm_bits);
    slx_sheet_add(s, "memory", band_by(band_mul(FIG("energy.hbm_pj_b"), bits), pj));
    slx_sheet_add(s, c->rom.writable ? "weight SRAM" : "weight ROM",
                  band_by(FIG("energy.rom_pj_b"), rom_bits * pj));
    slx_sheet_add(s, "network on chip", band_mul(noc_j_bit(c, k), bits));
    slx_sheet_add(
        s, "scratchpads",
        band_by(band_mul(band_add(FIG("energy.sram_wr_pj_b"), FIG("energy.sram_rd_pj_b")), bits),
                pj));
    slx_sheet_add(s, "multiply-adds", band_mul(mac_j(c), macs));
    slx_sheet_add(s, "fp32 adders", band_mul(FIG("energy.fp32_add_pj"), band_by(macs, pj / 32)));
}

static void add_prefill(slx_sheet *s, const slx_chip *c, const slx_constants *k)
{
    slx_chip_peaks p = slx_chip_get_peaks(c);
    double tiles_clk = c->grid.enabled * c->grid.clock_ghz * 1e9;
    double rate = c->ten.rate.w4a8 > 0 ? c->ten.rate.w4a8 : c->ten.rate.w8a8;
    double macs = (double)c->ten.m * c->ten.n * c->ten.k * rate * tiles_clk;
    double hbm_bits = 8 * p.hbm_bytes_s;
    /* A clock reads m rows of k activation codes with their scales, and its columns' weights once for all the rows of a
     * tile of prefill_rows. */
    double held = CONST(prefill_rows).mid / c->ten.m;
    double in_bits = c->ten.m * c->ten.k * 8.25 +
                     c->ten.n * rate * c->ten.k * bits_of_weight(c) / (held > 1 ? held : 1);
    slx_band share = band_by(CONST(prefill_hbm_share), hbm_bits);
    slx_sheet_add(s, "multiply-adds", band_by(mac_j(c), macs));
    slx_sheet_add(s, "operands", band_by(FIG("energy.sram_rd_pj_b"), in_bits * tiles_clk * pj));
    slx_sheet_add(s, "fp32 adders", band_by(FIG("energy.fp32_add_pj"), macs / c->ten.k * pj));
    slx_band lanes = band_exact(c->vec.lanes);
    lanes = band_add(lanes, band_by(CONST(smx_fma), c->vec.smx_per_clk));
    slx_sheet_add(s, "vector engines, softmax",
                  band_mul(FIG("energy.fp32_fma_pj"), band_by(lanes, tiles_clk * pj)));
    slx_sheet_add(s, "memory", band_by(band_mul(FIG("energy.hbm_pj_b"), share), pj));
    slx_sheet_add(s, "network on chip",
                  band_mul(noc_j_bit(c, k), band_by(CONST(prefill_noc_share), hbm_bits)));
}

slx_status slx_chip_get_power(slx_power *out, const slx_chip *c, const slx_area *a,
                              const slx_constants *k, slx_err *err)
{
    *out = (slx_power){0};
    if (c->library) {
        SLX_TRY(slx_part_power(out, c, a, k, err));
    } else {
        add_decode(&out->decode, c, k);
        add_always(&out->decode, c, a);
        add_prefill(&out->prefill, c, k);
        add_always(&out->prefill, c, a);
        slx_sheet_sum(&out->decode, true);
        slx_sheet_sum(&out->prefill, true);
    }
    slx_band d = out->decode.total, p = out->prefill.total;
    out->tdp_w = d.mid > p.mid ? d : p;
    if (isnan(d.mid) || isnan(p.mid)) out->tdp_w = band_exact(NAN);
    return SLX_OK;
}
