/* chip_rules.c - figures of a chip that contradict each other.
 *
 * Each is legal alone; together they describe no machine, or one on which no program of the compiler could run.
 */
#include "chip/chip_int.h"

#include <string.h>

/* Block of MM's columns the compiler works in, and the accumulators a row of it needs: 1 + log2 of 8 segments. */
enum { COLUMNS = 32, CELLS_A_COLUMN = 4, CELLS_A_KIB = 256 };

/* Points at a key of the file; at its section when the key was left to its default. */
#define FAIL(path, ...) return slx_chip_fail_rule(t, path, __VA_ARGS__)

slx_status slx_chip_fail_rule(const slx_yaml *t, const char *path, const char *fmt, ...)
{
    char msg[512], up[64];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    const slx_yaml_node *n = slx_yaml_at(t, path);
    snprintf(up, sizeof up, "%s", path);
    while (!n) {
        char *dot = strrchr(up, '.');
        if (dot) *dot = 0;
        n = dot ? slx_yaml_at(t, up) : t->nodes;
    }
    return slx_yaml_fail(t, n->line, n->col, "%s: %s", path, msg);
}

static slx_status check_tiles(const slx_chip *c, const slx_yaml *t)
{
    if (c->grid.enabled > c->grid.x * c->grid.y)
        FAIL("grid.enabled", "found %u, expected at most x*y = %u tiles", c->grid.enabled,
             c->grid.x * c->grid.y);
    uint32_t bytes = c->tile.spm_kib * 1024;
    if (bytes % c->tile.spm_banks || bytes / c->tile.spm_banks % c->tile.bank_bytes_clk)
        FAIL("tile.spm_banks",
             "found %u, expected banks that divide %u KiB into equal parts of whole %u-byte words",
             c->tile.spm_banks, c->tile.spm_kib, c->tile.bank_bytes_clk);
    uint32_t rows = c->isa.max_m > CELLS_A_COLUMN ? c->isa.max_m : CELLS_A_COLUMN;
    if (c->tile.acc_kib * CELLS_A_KIB < rows * COLUMNS)
        FAIL("tile.acc_kib",
             "found %u KiB, expected at least %u for isa.max_m = %u rows of %d columns",
             c->tile.acc_kib, (rows * COLUMNS + CELLS_A_KIB - 1) / CELLS_A_KIB, c->isa.max_m,
             COLUMNS);
    return SLX_OK;
}

static slx_status check_voltages(const slx_chip *c, const slx_yaml *t)
{
    if (!(c->dvfs.min_vdd_v > 0)) return SLX_OK;
    if (c->dvfs.min_vdd_v >= c->process.vdd_v)
        FAIL("dvfs.min_vdd", "found %g V, expected less than process.vdd = %g", c->dvfs.min_vdd_v, c->process.vdd_v);
    if (c->dvfs.vth_v >= c->dvfs.min_vdd_v)
        FAIL("dvfs.vth", "found %g V, expected less than min_vdd = %g", c->dvfs.vth_v, c->dvfs.min_vdd_v);
    return SLX_OK;
}

static slx_status check_formats(const slx_chip *c, const slx_yaml *t)
{
    static const slx_chip_format needed[] = {SLX_CF_MXINT8, SLX_CF_F32};
    const bool *has = c->isa.formats;
    for (int i = 0; i < 2; i++)
        if (!has[needed[i]])
            FAIL("isa.formats", "%s is missing, every chip needs it for its %s",
                 slx_chip_format_name(needed[i]), i ? "scratchpad" : "activations and KV");
    const struct {
        slx_chip_format f;
        const char *path;
        double rate;
        bool both;
    } rates[] = {
        {SLX_CF_MXFP4, "ten.rate.w4a8", c->ten.rate.w4a8, true},
        {SLX_CF_Q4S, "ten.rate.q4s", c->ten.rate.q4s, true},
        {SLX_CF_Q8S, "ten.rate.q8s", c->ten.rate.q8s, true},
        {SLX_CF_BF16, "ten.rate.bf16", c->ten.rate.bf16, false}, /* BF16 may be for storage alone */
    };
    for (int i = 0; i < 4; i++) {
        const char *name = slx_chip_format_name(rates[i].f);
        if (rates[i].rate > 0 && !has[rates[i].f])
            FAIL(rates[i].path, "found a rate of %g, expected 0 or %s in isa.formats",
                 rates[i].rate, name);
        if (rates[i].both && !(rates[i].rate > 0) && has[rates[i].f])
            FAIL(rates[i].path, "found no rate, expected one above 0 for %s of isa.formats", name);
    }
    return SLX_OK;
}

static slx_status check_memories(const slx_chip *c, const slx_yaml *t)
{
    uint32_t pchs = c->hbm.channels * c->hbm.pch;
    if (pchs > c->hbm.bits)
        FAIL("hbm.bits", "found %u bits, expected at least one for each of channels*pch = %u",
             c->hbm.bits, pchs);
    if (c->hbm.tras_ns < c->hbm.trcd_ns)
        FAIL("hbm.tras_ns", "found %g ns, expected at least trcd_ns = %g", c->hbm.tras_ns,
             c->hbm.trcd_ns);
    if (c->hbm.banks % c->hbm.bank_groups)
        FAIL("hbm.bank_groups", "found %u, expected groups that divide %u banks evenly",
             c->hbm.bank_groups, c->hbm.banks);
    if (c->hbm.tcl_ns > c->hbm.latency_ns)
        FAIL("hbm.tcl_ns", "found %g ns, expected at most latency_ns = %g", c->hbm.tcl_ns,
             c->hbm.latency_ns);
    if (c->hbm.tcwl_ns > c->hbm.latency_ns)
        FAIL("hbm.tcwl_ns", "found %g ns, expected at most latency_ns = %g", c->hbm.tcwl_ns,
             c->hbm.latency_ns);
    if (c->hbm.trefi_us > 0 && c->hbm.trfcpb_ns >= c->hbm.trefi_us * 1000)
        FAIL("hbm.trfcpb_ns", "found %g ns, expected less than trefi_us = %g us", c->hbm.trfcpb_ns,
             c->hbm.trefi_us);
    if ((c->rom.mib > 0) != (c->rom.bytes_clk > 0))
        FAIL("rom.bytes_clk", "found %g, expected %s", c->rom.bytes_clk,
             c->rom.mib > 0 ? "a port above 0 for the ROM of rom.mib"
                            : "0 without a ROM (rom.mib is 0)");
    if (c->rom.writable && !(c->rom.mib > 0))
        FAIL("rom.writable", "found 1, expected 0 without a memory of weights (rom.mib is 0)");
    if (c->rom.mib > 0 && !(c->energy.rom_pj_b > 0))
        FAIL("energy.rom_pj_b", "found %g, expected more than 0 for the ROM of rom.mib", c->energy.rom_pj_b);
    if (c->net.ports > 0 && !(c->net.gbps > 0))
        FAIL("net.gbps", "found %g, expected more than 0 for %u ports", c->net.gbps, c->net.ports);
    return SLX_OK;
}

slx_status slx_chip_check_rules(const slx_chip *c, const slx_yaml *t)
{
    if (c->library) return slx_chip_check_part(c, t);
    SLX_TRY(check_tiles(c, t));
    SLX_TRY(check_voltages(c, t));
    SLX_TRY(check_formats(c, t));
    return check_memories(c, t);
}
