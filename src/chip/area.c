/* area.c - square millimetres of a chip, block by block.
 *
 *   compute die = multiply-adds, adders, scratchpads, accumulators, vector engines, control of every drawn tile
 *               + network on chip + weight ROM + memory on the die + memory PHYs + die-to-die + links + management
 *               + white space
 *   I/O die     = links + die-to-die + management + white space
 *
 * Coefficients that a chip file has (area.*) hold for its own node. What it does not have comes from data/silicon.csv
 * for N3E and is scaled: logic by logic density, ROM by SRAM density. PHYs and management hardly shrink and are not.
 */
#include <string.h>

#include "chip/silicon_int.h"

#define FIG(key)    slx_chip_figure(c, key)
#define CONST(name) slx_constants_at(k, SLX_S_##name)
#define REFERENCE   "N3E"

static const double um2 = 1e-6; /* mm2 */

void slx_sheet_add(slx_sheet *s, const char *name, slx_band v)
{
    if (!(v.high > 0)) return;
    SLX_ASSERT(s->n < SLX_SHEET_ROWS);
    s->row[s->n].name = name;
    s->row[s->n++].v = v;
}

void slx_sheet_sum(slx_sheet *s, bool independent)
{
    double mid = 0, down = 0, up = 0;
    for (int i = 0; i < s->n; i++) {
        double l = s->row[i].v.mid - s->row[i].v.low, h = s->row[i].v.high - s->row[i].v.mid;
        mid += s->row[i].v.mid;
        down += independent ? l * l : l;
        up += independent ? h * h : h;
    }
    s->total =
        independent ? band(mid - sqrt(down), mid, mid + sqrt(up)) : band(mid - down, mid, mid + up);
}

slx_band slx_chip_figure(const slx_chip *c, const char *key)
{
    const slx_chip_key *k = slx_chip_find_key(key);
    const struct slx_chip_source *from = slx_chip_get_source(c, key);
    SLX_ASSERT(k);
    double v = slx_chip_key_value(c, k), pm = from ? from->pm : 0;
    return band(v * (pm < 0.9 ? 1 - pm : 0.1), v, v * (1 + pm));
}

static slx_status ratio(double *out, const char *family, const slx_chip *c, const char *key,
                        const char *node, const slx_constants *k, slx_err *err)
{
    slx_band to, from;
    SLX_TRY(slx_constants_need(&to, k, family, node, c, key, err));
    SLX_TRY(slx_constants_need(&from, k, family, REFERENCE, c, key, err));
    *out = to.mid / from.mid;
    return SLX_OK;
}

slx_status slx_node_scale(slx_node *out, const slx_chip *c, const char *key, const char *node,
                          const slx_constants *k, slx_err *err)
{
    double logic, sram;
    SLX_TRY(ratio(&logic, "logic_density", c, key, node, k, err));
    SLX_TRY(ratio(&sram, "sram_density", c, key, node, k, err));
    out->logic = 1 / logic;
    out->sram = 1 / sram;
    return ratio(&out->energy, "energy_scale", c, key, node, k, err);
}

/* ------------------------------------------------------------------ the compute die */

static void add_tensor(slx_sheet *s, const slx_chip *c, double tiles)
{
    double macs = (double)c->ten.m * c->ten.n * c->ten.k, mn = (double)c->ten.m * c->ten.n;
    double wide = c->ten.rate.w4a8 > c->ten.rate.w8a8 ? c->ten.rate.w4a8 : c->ten.rate.w8a8;
    double fma = c->ten.rate.q4s > c->ten.rate.q8s ? c->ten.rate.q4s : c->ten.rate.q8s;
    /* Every clock mn * wide sums over one block of K end in an fp32 add. A BF16 product takes such an adder, too: only
     * those beyond them cost area. */
    double sums = mn * wide, bf16 = macs * c->ten.rate.bf16;
    slx_sheet_add(s, "multiply-adds", band_by(FIG("area.int8_mac_um2"), macs * tiles * um2));
    slx_sheet_add(s, "fp32 adders",
                  band_by(FIG("area.fp32_add_um2"), (bf16 > sums ? bf16 : sums) * tiles * um2));
    slx_sheet_add(s, "scaling of Q4S, Q8S",
                  band_by(FIG("area.fma_lane_um2"), mn * fma * tiles * um2));
}

static void add_vector(slx_sheet *s, const slx_chip *c, const slx_constants *k, double tiles,
                       double logic)
{
    slx_band lanes = band_by(FIG("area.fma_lane_um2"), c->vec.lanes * um2);
    slx_band smx = band_by(CONST(smx_score_um2), c->vec.smx_per_clk * logic * um2);
    slx_band rest = band_by(CONST(vec_tile_mm2), c->vec.lanes * logic / CONST(vec_tile_lanes).mid);
    slx_sheet_add(s, "vector engines, softmax",
                  band_by(band_add(lanes, band_add(smx, rest)), tiles));
}

/* mm2 of a mebibyte with its wiring. */
static slx_band memory_mib(const slx_chip *c, slx_band overhead)
{
    return band_div(band_by(overhead, 8), FIG("area.sram_mib_mm2"));
}

static void add_memories(slx_sheet *s, const slx_chip *c, const slx_constants *k, double tiles)
{
    slx_band spm = memory_mib(c, FIG("area.sram_overhead"));
    slx_sheet_add(s, "scratchpads", band_by(spm, tiles * c->tile.spm_kib / 1024));
    double weights_mib = c->rom.writable ? c->rom.mib * tiles / c->grid.enabled : 0;
    slx_sheet_add(s, "weight SRAM", band_by(spm, weights_mib));
    slx_sheet_add(s, "accumulators",
                  band_by(memory_mib(c, CONST(acc_overhead)), tiles * c->tile.acc_kib / 1024));
}

/* What no spare tile replaces. A mask ROM is among it: a spare would need the weights of the tile it stands in for. */
static void add_shared(slx_sheet *s, const slx_chip *c, const slx_constants *k,
                       const slx_node *node)
{
    double dies = c->package.compute_dies, tiles = (double)c->grid.x * c->grid.y / dies;
    double links_tbs = 2 * c->net.ports * c->net.gbps / 8e3;
    double d2d_tbs = 2 * c->package.d2d_tbs / (dies > 1 ? dies : 2);
    if (c->package.io_dies) d2d_tbs += links_tbs / dies;
    slx_sheet_add(s, "network on chip",
                  band_by(CONST(noc_mm2_byte), tiles * c->noc.link_bytes_clk * node->logic));
    if (c->rom.mib > 0 && !c->rom.writable)
        slx_sheet_add(
            s, "weight ROM",
            band_by(band_div(band_exact(c->rom.mib), CONST(rom_mib_mm2)), 8 * node->sram / dies));
    if (slx_chip_sram_memory(c))
        slx_sheet_add(s, "memory on the die",
                      band_by(memory_mib(c, FIG("area.sram_overhead")),
                              c->hbm.stacks * c->hbm.gib * 1024 / dies));
    slx_sheet_add(s, "memory PHYs, controllers",
                  band_by(FIG("area.hbm_phy_mm2"), c->hbm.stacks / dies));
    slx_sheet_add(s, "die to die", band_by(CONST(d2d_mm2_tbs), d2d_tbs));
    if (!c->package.io_dies)
        slx_sheet_add(s, "links to other chips", band_by(CONST(serdes_mm2_tbs), links_tbs / dies));
    slx_sheet_add(s, "management, clocks, test", CONST(mgmt_mm2));
}

static void add_white(slx_sheet *s, const slx_constants *k)
{
    slx_sheet_sum(s, true);
    slx_sheet_add(s, "white space, power grid", band_by(CONST(white_share), s->total.mid));
    slx_sheet_sum(s, true);
}

/* ------------------------------------------------------------------ the chip */

static slx_status check_names(const slx_chip *c, const slx_constants *k, slx_err *err)
{
    uint32_t dies = c->package.compute_dies, tiles = c->grid.x * c->grid.y;
    slx_band b;
    if (!c->library && (tiles % dies || c->grid.enabled % dies))
        return slx_chip_fail_key(c, "package.compute_dies", err,
                                 "found %u, expected dies that share %u drawn and %u enabled tiles",
                                 dies, tiles, c->grid.enabled);
    if (*c->package.type)
        SLX_TRY(
            slx_constants_need(&b, k, "package_usd_mm2", c->package.type, c, "package.type", err));
    if (*c->package.memory && !slx_chip_sram_memory(c) && !*c->part.only_model)
        SLX_TRY(slx_constants_need(&b, k, "memory_usd_gib", c->package.memory, c, "package.memory",
                                   err));
    return SLX_OK;
}

slx_status slx_chip_get_area(slx_area *out, const slx_chip *c, const slx_constants *k, slx_err *err)
{
    slx_node node, io;
    const char *io_node = *c->package.io_node ? c->package.io_node : c->process.node;
    double tiles = (double)c->grid.x * c->grid.y / c->package.compute_dies;
    *out = (slx_area){.dies = c->package.compute_dies,
                      .io_dies = c->package.io_dies,
                      .reticle_mm2 = c->process.reticle_mm2};
    SLX_TRY(check_names(c, k, err));
    if (c->library) return slx_part_area(out, c, k, err);
    SLX_TRY(slx_node_scale(&node, c, "process.node", c->process.node, k, err));
    SLX_TRY(slx_node_scale(&io, c, "package.io_node", io_node, k, err));
    slx_sheet *die = &out->die;
    add_tensor(die, c, tiles);
    add_memories(die, c, k, tiles);
    add_vector(die, c, k, tiles, node.logic);
    slx_sheet_add(die, "control, DMA, queues", band_by(CONST(ctl_tile_mm2), tiles * node.logic));
    slx_sheet_sum(die, true);
    out->spared_mm2 = die->total;
    add_shared(die, c, k, &node);
    add_white(die, k);
    if (c->package.io_dies) {
        double links_tbs = 2 * c->net.ports * c->net.gbps / 8e3 / c->package.io_dies;
        slx_sheet_add(&out->io, "links to other chips", band_by(CONST(serdes_mm2_tbs), links_tbs));
        slx_sheet_add(&out->io, "die to die", band_by(CONST(d2d_mm2_tbs), links_tbs));
        slx_sheet_add(&out->io, "management, clocks, test", CONST(io_mgmt_mm2));
        add_white(&out->io, k);
    }
    out->silicon_mm2 =
        band_add(band_by(die->total, out->dies), band_by(out->io.total, out->io_dies));
    return SLX_OK;
}
