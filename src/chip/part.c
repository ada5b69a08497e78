/* part.c - area and power of a published chip, from what its maker tells.
 *
 *   area   tensor MACs = dense peak / clock; GPU cores or vector lanes; scratchpads, cache; memory PHYs; links;
 *          network. Where a figure of these is not published but the transistor count is, the area follows from that.
 *   power  decode: the memory at its peak. prefill: the BF16 peak (8-bit where there is none) as far as it is
 *          sustained, operands included. Leakage goes with the published die area, else with the computed one.
 *
 * The same rows of data/silicon.csv for every chip: none has a number of its own.
 */
#include <string.h>

#include "chip/silicon_int.h"

#define CONST(name) slx_constants_at(k, SLX_S_##name)

static const double um2 = 1e-6, pj = 1e-12;

/* Names the first of the figures a sum needs that is unknown. */
static void need(slx_sheet *s, double v, const char *key)
{
    if (isnan(v) && !s->missing) s->missing = key;
}

static void close_sheet(slx_sheet *s)
{
    if (s->missing)
        s->total = band_exact(NAN);
    else
        slx_sheet_sum(s, true);
}

/* ------------------------------------------------------------------ area */

typedef struct {
    double logic, sram; /* area relative to N7 */
} scale;

static slx_status scale_n7(scale *out, const slx_chip *c, const slx_constants *k, slx_err *err)
{
    slx_node n7, node;
    SLX_TRY(slx_node_scale(&n7, c, "process.node", "N7", k, err));
    SLX_TRY(slx_node_scale(&node, c, "process.node", c->process.node, k, err));
    *out = (scale){node.logic / n7.logic, node.sram / n7.sram};
    return SLX_OK;
}

static void add_macs(slx_sheet *s, const slx_chip *c, const slx_constants *k, scale to)
{
    double per_clk = 1e12 / 2 / (c->part.clock_ghz * 1e9) / c->package.compute_dies;
    double drawn = isnan(c->part.units_drawn) || isnan(c->part.units)
                       ? 1
                       : c->part.units_drawn / c->part.units;
    double fast8 = c->part.fp8_tflops > 0 ? c->part.fp8_tflops : c->part.int8_tops;
    double bf16 = c->part.bf16_tflops * per_clk * drawn, wide8 = fast8 * per_clk * drawn - 2 * bf16;
    need(s, c->part.clock_ghz, "part.clock_ghz");
    need(s, c->part.bf16_tflops, "part.bf16_tflops");
    slx_sheet_add(s, "multiply-adds", band_by(CONST(bf16_mac_um2), bf16 * to.logic * um2));
    if (wide8 > 0.01 * bf16) /* less is rounding of the peaks */
        slx_sheet_add(s, "8-bit multiply-adds",
                      band_by(CONST(int8_mac_um2), wide8 * to.logic * um2));
}

static void add_cores(slx_sheet *s, const slx_chip *c, const slx_constants *k, scale to)
{
    double dies = c->package.compute_dies;
    need(s, c->part.simt, "part.simt");
    if (c->part.simt > 0) {
        need(s, c->part.units_drawn, "part.units_drawn");
        slx_sheet_add(s, "GPU cores",
                      band_by(CONST(simt_core_mm2), c->part.units_drawn / dies * to.logic));
    } else {
        need(s, c->part.vec_lanes, "part.vec_lanes");
        slx_sheet_add(s, "vector lanes",
                      band_by(CONST(vec_lane_um2), c->part.vec_lanes / dies * to.logic * um2));
    }
}

static slx_status add_memory(slx_sheet *s, const slx_chip *c, const slx_constants *k, scale to,
                             slx_err *err)
{
    slx_band macro, phy = band_exact(0);
    double dies = c->package.compute_dies;
    need(s, c->part.sram_mib, "part.sram_mib");
    SLX_TRY(slx_constants_need(&macro, k, "sram_density", c->process.node, c, "process.node", err));
    slx_sheet_add(s, "scratchpads",
                  band_by(CONST(sram_overhead), 8 * c->part.sram_mib / dies / macro.mid));
    if (c->package.io_dies) return SLX_OK; /* the rest lies there */
    need(s, c->part.cache_mib, "part.cache_mib");
    need(s, c->part.stacks, "part.stacks");
    slx_sheet_add(
        s, "cache",
        band_div(band_exact(8 * c->part.cache_mib / dies * to.sram), CONST(cache_mib_mm2)));
    if (c->part.stacks > 0 && !*c->package.memory)
        need(s, NAN, "package.memory");
    else if (c->part.stacks > 0)
        SLX_TRY(slx_constants_need(&phy, k, "memory_phy_mm2", c->package.memory, c,
                                   "package.memory", err));
    slx_sheet_add(s, "memory PHYs, controllers", band_by(phy, c->part.stacks / dies));
    return SLX_OK;
}

static double row_mid(const slx_sheet *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->row[i].name, name)) return s->row[i].v.mid;
    return 0;
}

/* Of one die, from the number of transistors. */
static slx_status from_transistors(slx_sheet *s, const slx_chip *c, const slx_constants *k,
                                   slx_err *err)
{
    slx_band density;
    SLX_TRY(
        slx_constants_need(&density, k, "logic_density", c->process.node, c, "process.node", err));
    double b = c->part.transistors_b / c->package.compute_dies;
    *s = (slx_sheet){0};
    slx_sheet_add(s, "from the transistor count",
                  band_div(band_exact(b * 1000 / density.mid), CONST(transistor_use)));
    slx_sheet_sum(s, true);
    /* More than a reticle prints is several dies, and how many was not told. */
    if (c->process.reticle_mm2 > 0 && s->total.low > c->process.reticle_mm2) {
        s->missing = "package.compute_dies";
        s->total = band_exact(NAN);
    }
    return SLX_OK;
}

slx_status slx_part_area(slx_area *out, const slx_chip *c, const slx_constants *k, slx_err *err)
{
    slx_sheet *s = &out->die;
    scale to;
    double dies = c->package.compute_dies;
    SLX_TRY(scale_n7(&to, c, k, err));
    need(s, to.logic, "process.node");
    add_macs(s, c, k, to);
    add_cores(s, c, k, to);
    SLX_TRY(add_memory(s, c, k, to, err));
    for (int i = 0; i < s->n; i++)
        if (!strstr(s->row[i].name, "PHY") && !strstr(s->row[i].name, "cache"))
            out->spared_mm2 = band_add(out->spared_mm2, s->row[i].v);
    /* White space lies in the rows read off die photos; these two are sums of cells. */
    double cells = row_mid(s, "vector lanes") + row_mid(s, "scratchpads");
    slx_sheet_add(s, "white space, power grid", band_by(CONST(white_share), cells));
    if (!c->package.io_dies) {
        need(s, c->part.links_gbs, "part.links_gbs");
        slx_sheet_add(s, "links to other chips",
                      band_by(CONST(serdes_mm2_tbs), c->part.links_gbs / 1000 / dies));
    }
    slx_sheet_add(s, "die to die",
                  band_by(CONST(d2d_mm2_tbs), 2 * c->package.d2d_tbs / (dies > 1 ? dies : 2)));
    slx_sheet_add(s, "other", CONST(part_mgmt_mm2));
    slx_sheet_sum(s, true);
    slx_sheet_add(s, "network on chip", band_by(CONST(noc_share), s->total.mid));
    close_sheet(s);
    if (s->missing && *c->process.node && !isnan(c->part.transistors_b) && !c->package.io_dies)
        SLX_TRY(from_transistors(s, c, k, err));
    out->silicon_mm2 = band_by(s->total, dies);
    if (c->package.io_dies)
        out->silicon_mm2 =
            band_add(out->silicon_mm2, band_exact(c->package.io_dies * c->part.io_die_mm2));
    return SLX_OK;
}

/* ------------------------------------------------------------------ power */

static void add_always(slx_sheet *s, const slx_chip *c, const slx_area *a, const slx_constants *k)
{
    double mm2 = c->part.die_mm2 * c->package.compute_dies;
    if (c->package.io_dies) mm2 += c->package.io_dies * c->part.io_die_mm2;
    need(s, c->part.links_gbs, "part.links_gbs");
    if (isnan(mm2) && a->die.missing) need(s, NAN, a->die.missing);
    if (isnan(mm2) && isnan(a->silicon_mm2.mid)) need(s, NAN, "part.io_die_mm2");
    slx_sheet_add(s, "leakage, clock",
                  band_mul(CONST(leak_w_mm2), isnan(mm2) ? a->silicon_mm2 : band_exact(mm2)));
    slx_sheet_add(s, "links to other chips",
                  band_by(CONST(serdes_pj_b), c->part.links_gbs * 4e9 * pj));
    slx_sheet_add(s, "die to die", band_by(CONST(d2d_pj_b), c->package.d2d_tbs * 4e12 * pj));
    close_sheet(s);
}

slx_status slx_part_power(slx_power *out, const slx_chip *c, const slx_area *a,
                          const slx_constants *k, slx_err *err)
{
    slx_node node;
    slx_band e7, e, mem = band_exact(0);
    SLX_TRY(slx_node_scale(&node, c, "process.node", c->process.node, k, err));
    SLX_TRY(slx_constants_need(&e7, k, "energy_scale", "N7", c, "process.node", err));
    SLX_TRY(slx_constants_need(&e, k, "energy_scale", c->process.node, c, "process.node", err));
    slx_sheet *d = &out->decode, *p = &out->prefill;
    need(d, e.mid, "process.node");
    need(p, e.mid, "process.node");
    need(d, c->part.mem_tbs, "part.mem_tbs");
    need(p, c->part.mem_tbs, "part.mem_tbs");
    bool on_die = slx_chip_sram_memory(c);
    if (c->part.stacks != 0 || on_die) { /* unknown counts as there */
        if (!*c->package.memory) need(d, NAN, "package.memory");
        if (!*c->package.memory) need(p, NAN, "package.memory");
        if (*c->package.memory)
            SLX_TRY(slx_constants_need(&mem, k, "memory_pj_b", c->package.memory, c,
                                       "package.memory", err));
    }
    double bits = 8e12 * c->part.mem_tbs;
    /* A memory on the die lies beside the cores it feeds. */
    slx_band noc = band_by(CONST(noc_pj_b), on_die ? 0 : node.energy * bits * pj);
    slx_sheet_add(d, "memory", band_by(mem, bits * pj));
    slx_sheet_add(d, "network on chip", noc);
    bool bf16 = c->part.bf16_tflops > 0;
    double ops = bf16                     ? c->part.bf16_tflops
                 : c->part.fp8_tflops > 0 ? c->part.fp8_tflops
                                          : c->part.int8_tops;
    slx_band mac = band_mul(CONST(mac_bf16_pj), band_by(e, 1 / e7.mid));
    if (!bf16) mac = band_mul(mac, CONST(mac_8bit_share));
    need(p, ops, "part.bf16_tflops");
    slx_sheet_add(p, "multiply-adds",
                  band_by(band_mul(mac, CONST(sustained_share)), ops / 2 * 1e12 * pj));
    slx_sheet_add(p, "memory", band_by(band_mul(mem, CONST(prefill_hbm_share)), bits * pj));
    slx_sheet_add(p, "network on chip", band_mul(noc, CONST(prefill_noc_share)));
    add_always(d, c, a, k);
    add_always(p, c, a, k);
    return SLX_OK;
}
