/* physics.c - figures of a whole chip against silicon: its process, its memory, its area, its power, its price.
 *
 *   refused    what contradicts itself or no silicon does: a die larger than a wafer, a stack faster than its kind of
 *              memory, a rated power below what the chip leaks
 *   a warning  what may be worth a what-if though nobody builds it so: a die over the reticle, a rated power below
 *              what full rate draws
 *
 * Rules hold between several keys, so they wait until the last --set. The error stands at the key that was set, else
 * at the line of the figure that is most likely wrong. Bounds are physical or come from data/; each says which.
 */
#include <string.h>

#include "chip/silicon_int.h"

#define CONST(name) slx_constants_at(k, SLX_S_##name)

/* Fails at the first of the keys (the list ends with NULL) that was changed by --set, else at the first. */
#define FAIL(keys, ...) return slx_chip_fail_key(c, blame(c, (const char *const[])keys), err, __VA_ARGS__)
#define KEYS(...)       {__VA_ARGS__, NULL}

static const char *blame(const slx_chip *c, const char *const *keys)
{
    for (int i = 0; keys[i]; i++)
        if (c->key_line && c->key_line[slx_chip_find_key(keys[i]) - slx_chip_keys] < 0) return keys[i];
    return keys[0];
}

/* Supplies of logic from N16 to N2 lie at 0.65 to 0.85 V (ASAP7: 0.7); below the first figure SRAM of these nodes loses
 * its bits, above the second their thin gate oxides wear out. Estimates with room to spare. */
static const double least_vdd = 0.4, most_vdd = 1.1;

/* The fastest clock of a processor on sale with large memories on the die: IBM Telum II, 5.5 GHz, Hot Chips 2024. */
static const double most_ghz = 5.5;

/* The field of a scanner, 26 mm x 33 mm. */
static const double most_reticle_mm2 = 858;

/* Figures of real chips lie within this factor of those of a paper or a table. */
static const double spread = 5;

/* Transistors of a multiplier of 8 x 8 bits with its adder: 64 gates and 56 full adders are about 2,000; half of that
 * is too few for any, and a hundred times too many for one. */
static const double least_mac_transistors = 1000, most_mac_transistors = 200000;

/* A cell of SRAM. */
static const double cell_transistors = 6;

/* ------------------------------------------------------------------ chips that run our programs */

static slx_status check_process(const slx_chip *c, const slx_constants *k, slx_err *err)
{
    const char *node = c->process.node;
    slx_band sram, logic;
    if (c->process.vdd_v < least_vdd || c->process.vdd_v > most_vdd)
        FAIL(KEYS("process.vdd"), "found %g V, expected between %g and %g: what logic from N16 to N2 runs at",
             c->process.vdd_v, least_vdd, most_vdd);
    if (c->grid.clock_ghz > most_ghz)
        FAIL(KEYS("grid.clock_ghz"), "found %g GHz, expected at most %g: the fastest processor on sale",
             c->grid.clock_ghz, most_ghz);
    SLX_TRY(slx_constants_need(&sram, k, "sram_density", node, c, "process.node", err));
    SLX_TRY(slx_constants_need(&logic, k, "logic_density", node, c, "process.node", err));
    double mib = c->area.sram_mib_mm2, mac = c->area.int8_mac_um2 * logic.mid;
    if (mib > sram.high || mib < sram.low / spread)
        FAIL(KEYS("area.sram_mib_mm2", "process.node"),
             "found SRAM of %g Mib/mm2 in %s, expected between %.3g and %g (sram_density of data/silicon.csv)", mib,
             node, sram.low / spread, sram.high);
    if (mac < least_mac_transistors || mac > most_mac_transistors)
        FAIL(KEYS("area.int8_mac_um2", "process.node"),
             "found %g um2 in %s, room for %.3g transistors; expected between %g and %g for an int8 multiply-add",
             c->area.int8_mac_um2, node, mac, least_mac_transistors, most_mac_transistors);
    return SLX_OK;
}

/* Coefficients against a table: Jouppi et al. ISCA 2021, table 2, at 7 nm, scaled to the node (int8 multiply 70 and add
 * 30 fJ; fp32 add 0.38, multiply 1.31 pJ; 8 KiB of SRAM 7.5 pJ an access of 64 bits); or rows of data/silicon.csv. */
static slx_status check_coefficients(const slx_chip *c, const slx_constants *k, slx_err *err)
{
    const char *kind = c->package.memory, *node = c->process.node;
    bool ports = c->net.ports > 0;
    slx_band scale, bit, phy;
    SLX_TRY(slx_constants_need(&scale, k, "energy_scale", node, c, "process.node", err));
    if (!slx_constants_of(k, "memory_pj_b", kind, &bit)) bit = band_exact(NAN); /* of a kind that has no row */
    if (!slx_constants_of(k, "memory_phy_mm2", kind, &phy)) phy = band_exact(NAN);
    const struct {
        const char *key, *other, *of; /* key, and what else the usual value goes with */
        double found, usual;
    } table[] = {
        {"energy.w8a8_fj", "process.node", node, c->energy.w8a8_fj, 100 * scale.mid},
        {"energy.fp32_add_pj", "process.node", node, c->energy.fp32_add_pj, 0.38 * scale.mid},
        {"energy.fp32_fma_pj", "process.node", node, c->energy.fp32_fma_pj, 1.69 * scale.mid},
        {"energy.sram_rd_pj_b", "process.node", node, c->energy.sram_rd_pj_b, 7.5 / 64 * scale.mid},
        {"energy.sram_wr_pj_b", "process.node", node, c->energy.sram_wr_pj_b, 7.5 / 64 * scale.mid},
        {"energy.hbm_pj_b", "package.memory", kind, c->energy.hbm_pj_b, bit.mid},
        {"energy.serdes_pj_b", "net.ports", "links", ports ? c->energy.serdes_pj_b : NAN, CONST(serdes_pj_b).mid},
        {"area.hbm_phy_mm2", "package.memory", kind, c->area.hbm_phy_mm2 > 0 ? c->area.hbm_phy_mm2 : NAN, phy.mid},
        {"area.sram_overhead", "area.sram_overhead", "scratchpads", c->area.sram_overhead, CONST(sram_overhead).mid},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        double low = table[i].usual / spread, high = table[i].usual * spread;
        if (table[i].found < low || table[i].found > high)
            FAIL(KEYS(table[i].key, table[i].other),
                 "found %s %g with %s, expected between %.3g and %.3g: within a factor of %g of what others have",
                 table[i].key, table[i].found, table[i].of, low, high, spread);
    }
    return SLX_OK;
}

/* What does more costs no less. */
static slx_status check_order(const slx_chip *c, slx_err *err)
{
    bool outside = !slx_chip_sram_memory(c);
    const struct {
        const char *less, *more, *unit, *why;
        double a, b;
        bool holds;
    } pairs[] = {
        {"energy.w4a8_fj", "energy.w8a8_fj", "fJ", "a narrower weight costs no more", c->energy.w4a8_fj,
         c->energy.w8a8_fj, true},
        {"energy.fp32_add_pj", "energy.fp32_fma_pj", "pJ", "an addition is a part of it", c->energy.fp32_add_pj,
         c->energy.fp32_fma_pj, true},
        {"area.fp32_add_um2", "area.fma_lane_um2", "um2", "an adder is a part of it", c->area.fp32_add_um2,
         c->area.fma_lane_um2, true},
        {"energy.sram_rd_pj_b", "energy.hbm_pj_b", "pJ/bit", "memory outside the die is farther away",
         c->energy.sram_rd_pj_b, c->energy.hbm_pj_b, outside},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i].holds && pairs[i].a > pairs[i].b)
            FAIL(KEYS(pairs[i].less, pairs[i].more), "found %s %g above %s %g %s, expected at most as much: %s",
                 pairs[i].less, pairs[i].a, pairs[i].more, pairs[i].b, pairs[i].unit, pairs[i].why);
    return SLX_OK;
}

static slx_status check_stacks(const slx_chip *c, slx_err *err)
{
    const slx_chip_memory *m = slx_chip_memory_of(c->package.memory);
    double tbs = c->hbm.bits * c->hbm.gbps_pin / 8e3, most = m->bits * m->pin_gbps / 8e3;
    const char *kind = *m->kind ? m->kind : "any memory";
    if (slx_chip_sram_memory(c)) {
        if (c->hbm.gbps_pin > 2 * c->grid.clock_ghz)
            FAIL(KEYS("hbm.gbps_pin", "grid.clock_ghz", "package.memory"),
                 "found %g Gb/s from a bit of SRAM on a die of %g GHz, expected at most two a clock", c->hbm.gbps_pin,
                 c->grid.clock_ghz);
        return SLX_OK;
    }
    if (tbs > most)
        FAIL(KEYS("hbm.gbps_pin", "hbm.bits", "package.memory"),
             "found %u bits at %g Gb/s in a stack, %.3g TB/s; expected at most %.3g of %s: %g bits at %g Gb/s",
             c->hbm.bits, c->hbm.gbps_pin, tbs, most, kind, m->bits, m->pin_gbps);
    if (c->hbm.gib > m->gib)
        FAIL(KEYS("hbm.gib", "package.memory"), "found %g GiB in a stack, expected at most %g of %s", c->hbm.gib,
             m->gib, kind);
    return SLX_OK;
}

static slx_status check_mesh(const slx_chip *c, const slx_area *a, slx_err *err)
{
    double tiles = (double)c->grid.x * c->grid.y, mm = c->noc.mm_per_hop;
    double dies = a->die.total.high * a->dies, tile = sqrt(a->spared_mm2.low * a->dies / tiles);
    if (c->noc.entries > ceil(tiles / c->hbm.stacks))
        FAIL(KEYS("noc.entries", "hbm.stacks", "grid.x", "grid.y"),
             "found %u, expected at most the %.0f tiles that a stack has of %u x %u", c->noc.entries,
             ceil(tiles / c->hbm.stacks), c->grid.x, c->grid.y);
    if (tiles > 1 && tiles * mm * mm > 2 * dies)
        FAIL(KEYS("noc.mm_per_hop", "grid.x", "grid.y"),
             "found %g mm between tiles, a mesh of %.0f x %.0f mm; expected no more than twice the %.0f mm2 that the "
             "compute dies have",
             mm, c->grid.x * mm, c->grid.y * mm, dies);
    if (tiles > 1 && mm < tile / 2)
        FAIL(KEYS("noc.mm_per_hop", "grid.x", "grid.y"), "found %g mm from tile to tile, expected at least "
             "half the side of a tile, %.2g mm", mm, tile);
    return SLX_OK;
}

/* The key that makes the largest block of a die what it is. */
static const char *largest(const slx_sheet *s)
{
    static const char *const keys[][2] = {{"multiply-adds", "area.int8_mac_um2"},
                                          {"fp32 adders", "area.fp32_add_um2"},
                                          {"scaling of Q4S, Q8S", "area.fma_lane_um2"},
                                          {"scratchpads", "tile.spm_kib"},
                                          {"weight SRAM", "rom.mib"},
                                          {"weight ROM", "rom.mib"},
                                          {"accumulators", "tile.acc_kib"},
                                          {"vector engines, softmax", "vec.lanes"},
                                          {"network on chip", "noc.link_bytes_clk"},
                                          {"memory on the die", "hbm.gib"},
                                          {"memory PHYs, controllers", "area.hbm_phy_mm2"},
                                          {"links to other chips", "net.ports"},
                                          {"die to die", "package.d2d_tbs"}};
    int most = 0;
    for (int i = 1; i < s->n; i++)
        if (s->row[i].v.mid > s->row[most].v.mid) most = i;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(keys[i][0], s->row[most].name)) return keys[i][1];
    return "grid.x";
}

static slx_status check_die(const slx_chip *c, const slx_sheet *s, const char *what, const slx_constants *k,
                            slx_err *err)
{
    double mm2 = s->total.mid, wafer = CONST(wafer_mm).mid;
    if (!s->n || slx_gross_dies(mm2, wafer, CONST(edge_mm).mid, CONST(scribe_mm).mid) >= 1) return SLX_OK;
    const char *key = largest(s);
    FAIL(KEYS(key, "grid.x", "grid.y", "package.memory"),
         "found %s of %.0f mm2 by it, expected one that fits a wafer of %g mm", what, mm2, wafer);
}

static slx_status check_power(const slx_chip *c, const slx_area *a, slx_err *err)
{
    double leak = c->energy.leak_w_mm2 * c->dvfs.leak_share, mm2 = a->silicon_mm2.mid, tdp = c->package.tdp_w;
    if (c->dvfs.min_vdd_v > 0) leak *= c->dvfs.min_vdd_v / c->process.vdd_v;
    if (c->energy.leak_w_mm2 > slx_chip_most_w_mm2)
        FAIL(KEYS("energy.leak_w_mm2"), "found %g W/mm2 without any work, expected at most %g, what cooling takes away",
             c->energy.leak_w_mm2, slx_chip_most_w_mm2);
    if (tdp > 0 && tdp < leak * mm2)
        FAIL(KEYS("package.tdp_w", "energy.leak_w_mm2"),
             "found a rated power of %g W, expected at least %.3g: what %.0f mm2 of silicon leak at the lowest voltage "
             "with all clocks stopped",
             tdp, leak * mm2, mm2);
    return SLX_OK;
}

static slx_status check_program_chip(const slx_chip *c, const slx_constants *k, slx_err *err)
{
    slx_area a;
    SLX_TRY(check_process(c, k, err));
    SLX_TRY(check_coefficients(c, k, err));
    SLX_TRY(check_order(c, err));
    SLX_TRY(check_stacks(c, err));
    SLX_TRY(slx_chip_get_area(&a, c, k, err));
    SLX_TRY(check_die(c, &a.die, "a compute die", k, err));
    SLX_TRY(check_die(c, &a.io, "an I/O die", k, err));
    SLX_TRY(check_mesh(c, &a, err));
    return check_power(c, &a, err);
}

/* ------------------------------------------------------------------ published chips */

/* Memory on the die takes transistors and room. */
static slx_status check_memories(const slx_chip *c, const slx_constants *k, slx_err *err)
{
    double own = isnan(c->part.sram_mib) ? 0 : c->part.sram_mib;
    double cache = isnan(c->part.cache_mib) ? 0 : c->part.cache_mib;
    double mib = own + cache, cells_b = mib * 8 * 1048576 * cell_transistors * 1e-9;
    double die = isnan(c->part.die_mm2) ? c->process.reticle_mm2 : c->part.die_mm2;
    double mm2 = die * c->package.compute_dies;
    const char *key = cache > own ? "part.cache_mib" : "part.sram_mib";
    slx_band density;
    if (c->package.io_dies) mm2 += c->package.io_dies * c->part.io_die_mm2;
    if (cells_b > c->part.transistors_b)
        FAIL(KEYS(key, "part.cache_mib", "part.sram_mib", "part.transistors_b"),
             "found memories of %g MiB on the die, %.3g billion transistors of cells alone; expected at most "
             "transistors_b = %g",
             mib, cells_b, c->part.transistors_b);
    if (!slx_constants_of(k, "sram_density", c->process.node, &density)) return SLX_OK;
    if (mm2 > 0 && mib * 8 / density.high > mm2)
        FAIL(KEYS(key, "part.cache_mib", "part.sram_mib", "part.die_mm2", "process.node"),
             "found memories of %g MiB on the die, %.0f mm2 at %g Mib/mm2 of %s; expected to fit its %.0f mm2", mib,
             mib * 8 / density.high, density.high, c->process.node, mm2);
    return SLX_OK;
}

static double row_low(const slx_sheet *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->row[i].name, name)) return s->row[i].v.low;
    return 0;
}

/* A rated power is not far below what the chip's own rates draw, a price not below its parts. */
static slx_status check_part_sheets(const slx_chip *c, const slx_constants *k, slx_err *err)
{
    slx_area a;
    slx_power p;
    slx_cost q;
    SLX_TRY(slx_chip_get_area(&a, c, k, err));
    SLX_TRY(slx_chip_get_power(&p, c, &a, k, err));
    SLX_TRY(slx_chip_get_cost(&q, c, &a, &p, k, err));
    double tdp = c->package.tdp_w, half = p.tdp_w.low / 2, links = row_low(&p.decode, "links to other chips");
    if (tdp > 0 && links > tdp / 2)
        FAIL(KEYS("part.links_gbs", "package.tdp_w"),
             "found links of %g GB/s, which draw %.0f W; expected at most half of package.tdp_w = %g",
             c->part.links_gbs, links, tdp);
    if (isnan(half)) half = row_low(&p.decode, "memory");
    if (tdp > 0 && tdp < half)
        FAIL(KEYS("package.tdp_w", "part.mem_tbs", "part.bf16_tflops"),
             "found a rated power of %g W, expected at least %.0f: half of the least that its peaks draw (silex chip)",
             tdp, half);
    if (c->part.price_usd < q.bom_usd.total.low)
        FAIL(KEYS("part.price_usd"),
             "found %g, expected at least %.0f: the low end of its bill of materials (silex chip)",
             c->part.price_usd, q.bom_usd.total.low);
    return SLX_OK;
}

static slx_status check_published_chip(const slx_chip *c, const slx_constants *k, slx_err *err)
{
    if (c->part.clock_ghz > most_ghz)
        FAIL(KEYS("part.clock_ghz"), "found %g GHz, expected at most %g: the fastest processor on sale",
             c->part.clock_ghz, most_ghz);
    if (c->part.int8_tops > 0 && c->part.int8_tops < c->part.fp32_tflops)
        FAIL(KEYS("part.int8_tops", "part.fp32_tflops"),
             "found int8_tops %g below fp32_tflops %g, expected at least as much, or 0: a unit that multiplies fp32 "
             "multiplies int8",
             c->part.int8_tops, c->part.fp32_tflops);
    SLX_TRY(check_memories(c, k, err));
    return check_part_sheets(c, k, err);
}

/* ------------------------------------------------------------------ all */

slx_status slx_chip_check_physics(const slx_chip *c, slx_err *err)
{
    slx_constants *k;
    if (c->process.reticle_mm2 > most_reticle_mm2)
        FAIL(KEYS("process.reticle_mm2"), "found %g mm2, expected at most %g: the field of a scanner, 26 x 33 mm",
             c->process.reticle_mm2, most_reticle_mm2);
    SLX_TRY(slx_constants_load(&k, err));
    slx_status s = c->library ? check_published_chip(c, k, err) : check_program_chip(c, k, err);
    slx_constants_free(k);
    return s;
}

int slx_chip_get_warnings(char out[SLX_CHIP_WARNINGS][200], const slx_chip *c, const slx_area *a, const slx_power *p)
{
    int n = 0;
    double reticle = c->process.reticle_mm2, full = p->tdp_w.mid;
    if (c->library) return 0;
    if (a->die.total.mid > reticle || a->io.total.mid > reticle)
        snprintf(out[n++], 200,
                 "%s die of %.0f mm2 is over the reticle of %g mm2: no scanner prints it, and it has no price",
                 a->die.total.mid > reticle ? "the compute" : "the I/O",
                 a->die.total.mid > reticle ? a->die.total.mid : a->io.total.mid, reticle);
    if (c->package.tdp_w > 0 && c->package.tdp_w < full)
        snprintf(out[n++], 200, "rated for %g W, full rate draws %.0f W: steps that draw as much run slower",
                 c->package.tdp_w, full);
    return n;
}
