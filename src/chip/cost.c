/* cost.c - dollars of a chip: the bill of materials, one chip with its share of development, an hour of use.
 *
 *   bill   = good dies + memory + package, divided by the yield of assembly, + board and test
 *   unit   = bill + (masks + development) / volume
 *   hour   = (chip + server) / (life * utilisation) + building / (its life * utilisation) + power
 *
 * Prices move together, so low is the sum of all lows. A chip that is sold is charged at its price: the published one,
 * or its bill times what its maker asks over the bills of its other chips (price_over_bill). One of our own, or of a
 * maker who sells none, at its unit cost. Hours are hours of use; the power of idle ones is not counted.
 */
#include <string.h>

#include "chip/silicon_int.h"

#define CONST(name) slx_constants_at(k, SLX_S_##name)

static const double hours_year = 8760;

static void need(slx_sheet *s, const char *key)
{
    if (!s->missing) s->missing = key;
}

static void close_bill(slx_sheet *s)
{
    if (s->missing)
        s->total = band_exact(NAN);
    else
        slx_sheet_sum(s, false);
}

/* ------------------------------------------------------------------ the bill */

typedef struct {
    double gib, stacks;
    slx_band usd_gib, mm2;
} memory;

static slx_status find_memory(memory *m, slx_sheet *s, const slx_chip *c, const slx_constants *k,
                              slx_err *err)
{
    const char *kind = c->package.memory;
    *m = (memory){.gib = c->library ? c->part.mem_gib : c->hbm.stacks * c->hbm.gib,
                  .stacks = c->library ? c->part.stacks : c->hbm.stacks};
    if (slx_chip_sram_memory(c) || *c->part.only_model) m->gib = m->stacks = 0;
    if (isnan(m->stacks)) need(s, "part.stacks");
    if (isnan(m->gib)) need(s, "part.mem_gib");
    if (!(m->stacks > 0)) return SLX_OK;
    if (!*kind) {
        need(s, "package.memory");
        return SLX_OK;
    }
    SLX_TRY(slx_constants_need(&m->usd_gib, k, "memory_usd_gib", kind, c, "package.memory", err));
    return slx_constants_need(&m->mm2, k, "memory_mm2", kind, c, "package.memory", err);
}

/* What one attached part spoils costs all the others. Their prices have bands of their own. */
static slx_band assembly_loss(double good_usd, slx_band yield, double parts)
{
    return band(good_usd * (pow(yield.high, -parts) - 1), good_usd * (pow(yield.mid, -parts) - 1),
                good_usd * (pow(yield.low, -parts) - 1));
}

static slx_status add_bill(slx_cost *out, const slx_chip *c, const slx_constants *k, slx_err *err)
{
    slx_sheet *s = &out->bom_usd;
    slx_band per_mm2 = band_exact(0), attach = band_exact(1);
    memory m;
    if (isnan(out->die.mm2.mid)) need(s, c->library ? "part.die_mm2" : "area");
    if (out->die.over_reticle || out->io.over_reticle)
        need(s, "process.reticle_mm2: the die does not fit the reticle");
    if (isnan(out->die.usd.mid)) need(s, *c->process.node ? "part.die_mm2: no die fits a wafer" : "process.node");
    if (c->package.io_dies && isnan(out->io.usd.mid)) need(s, "part.io_die_mm2");
    SLX_TRY(find_memory(&m, s, c, k, err));
    if (!*c->package.type) {
        need(s, "package.type");
    } else {
        SLX_TRY(slx_constants_need(&per_mm2, k, "package_usd_mm2", c->package.type, c,
                                   "package.type", err));
        SLX_TRY(slx_constants_need(&attach, k, "attach_yield", c->package.type, c, "package.type",
                                   err));
    }
    double dies = c->package.compute_dies, io = c->package.io_dies;
    bool inside = m.mm2.mid >= 1; /* memory beside the package is not attached to it */
    slx_band mm2 = band_add(band_by(out->die.mm2, dies), band_by(out->io.mm2, io));
    mm2 = band_add(mm2, band_by(m.mm2, m.stacks));
    slx_sheet_add(s, "compute dies", band_by(out->die.usd, dies));
    slx_sheet_add(s, "I/O dies", band_by(out->io.usd, io));
    slx_sheet_add(s, "memory", band_by(m.usd_gib, m.gib));
    slx_sheet_add(s, "package", band_mul(mm2, band_mul(CONST(package_area), per_mm2)));
    slx_sheet_sum(s, false);
    slx_sheet_add(s, "spoilt in assembly",
                  assembly_loss(s->total.mid, attach, dies + io + (inside ? m.stacks : 0)));
    slx_sheet_add(s, "board, test", CONST(board_test_usd));
    close_bill(s);
    return SLX_OK;
}

/* ------------------------------------------------------------------ development, hours */

static slx_status add_unit(slx_cost *out, const slx_chip *c, const slx_constants *k, slx_err *err)
{
    slx_sheet *s = &out->unit_usd;
    slx_band masks, io = band_exact(0);
    SLX_TRY(slx_constants_need(&masks, k, "mask_set_usd", c->process.node, c, "process.node", err));
    if (c->package.io_dies)
        SLX_TRY(
            slx_constants_need(&io, k, "mask_set_usd", out->io.node, c, "package.io_node", err));
    out->volume = c->package.volume > 0 ? slx_chip_figure(c, "package.volume") : CONST(chips_made);
    if (c->rom.mib > 0 && !c->rom.writable) out->new_model_usd = band_mul(masks, CONST(rom_respin_share));
    s->missing = out->bom_usd.missing;
    slx_sheet_add(s, "bill of materials", out->bom_usd.total);
    slx_sheet_add(s, "masks", band_div(band_add(masks, io), out->volume));
    slx_sheet_add(s, "development", band_div(CONST(nre_usd), out->volume));
    close_bill(s);
    return SLX_OK;
}

const char *slx_price_basis_name(slx_price_basis b)
{
    return b == SLX_PRICE_PUBLISHED ? "price" : b == SLX_PRICE_ESTIMATED ? "estimated price" : "unit cost";
}

/* "nvidia" of family nvidia-hopper. */
static bool maker_asks(const slx_chip *c, const slx_constants *k, slx_band *over_bill)
{
    char maker[32];
    if (!c->library || !c->family || !strchr(c->family, '-')) return false;
    snprintf(maker, sizeof maker, "%.*s", (int)strcspn(c->family, "-"), c->family);
    return slx_constants_of(k, "price_over_bill", maker, over_bill);
}

/* *missing: the figure it depends on, where that is not known. */
static void set_price(slx_cost *out, const slx_chip *c, const slx_constants *k, const char **missing)
{
    slx_band over_bill;
    *missing = NULL;
    if (c->library && !isnan(c->part.price_usd)) {
        out->basis = SLX_PRICE_PUBLISHED, out->chip_usd = slx_chip_figure(c, "part.price_usd");
    } else if (maker_asks(c, k, &over_bill)) {
        out->basis = SLX_PRICE_ESTIMATED, out->chip_usd = band_mul(out->bom_usd.total, over_bill);
        *missing = out->bom_usd.missing;
    } else {
        out->basis = SLX_PRICE_UNIT_COST, out->chip_usd = out->unit_usd.total;
        *missing = out->unit_usd.missing;
    }
}

static void add_hour(slx_cost *out, const slx_chip *c, const slx_power *p, const slx_constants *k)
{
    slx_sheet *s = &out->hour_usd;
    set_price(out, c, k, &s->missing);
    slx_band watts = c->package.tdp_w > 0 ? slx_chip_figure(c, "package.tdp_w") : p->tdp_w;
    slx_band hours = band_by(band_mul(CONST(life_years), CONST(utilisation)), hours_year);
    slx_band dc_hours = band_by(band_mul(CONST(dc_life_years), CONST(utilisation)), hours_year);
    slx_band wall = band_mul(band_div(watts, CONST(supply_efficiency)), CONST(pue));
    if (isnan(watts.mid)) need(s, "package.tdp_w");
    slx_sheet_add(s, "chip", band_div(out->chip_usd, hours));
    slx_sheet_add(s, "server", band_div(CONST(server_usd), hours));
    slx_sheet_add(s, "building", band_div(band_mul(CONST(dc_usd_w), watts), dc_hours));
    slx_sheet_add(s, "power", band_by(band_mul(CONST(power_usd_kwh), wall), 1e-3));
    close_bill(s);
}

slx_band slx_usd_per_mtok(slx_band hour_usd, double chips, slx_band tok_s)
{
    return band_div(band_by(hour_usd, chips * 1e6 / 3600), tok_s);
}

slx_status slx_chip_get_cost(slx_cost *out, const slx_chip *c, const slx_area *a,
                             const slx_power *p, const slx_constants *k, slx_err *err)
{
    *out = (slx_cost){0};
    SLX_TRY(slx_die_get(&out->die, c, a, false, k, err));
    if (c->package.io_dies) SLX_TRY(slx_die_get(&out->io, c, a, true, k, err));
    SLX_TRY(add_bill(out, c, k, err));
    SLX_TRY(add_unit(out, c, k, err));
    add_hour(out, c, p, k);
    return SLX_OK;
}
