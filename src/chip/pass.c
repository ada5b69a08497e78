/* pass.c - one reading of a model's weights: what divides chips by where weights live.
 *
 *   HBM   every token of a batch shares the reading, and the batch may be large: the memory holds its KV cache, too
 *   ROM   the reading is short and cheap, but serves ten.m rows at most, and the KV cache is small
 *
 * A bound by arithmetic, without start-up times and barriers; the timing machine has those.
 */
#include "chip/silicon_int.h"

#define CONST(name) slx_constants_at(k, SLX_S_##name)

slx_status slx_chip_get_pass(slx_pass *out, const slx_chip *c, const slx_constants *k, slx_err *err)
{
    slx_chip_peaks p = slx_chip_get_peaks(c);
    bool resident = !c->library && c->rom.mib > 0;
    double bits = CONST(pass_weights).mid * CONST(pass_bits).mid, bytes = bits / 8;
    double holds = resident ? p.rom_bytes : p.hbm_bytes;
    double rate =
        resident ? c->grid.enabled * c->grid.clock_ghz * 1e9 * c->rom.bytes_clk : p.hbm_bytes_s;
    slx_band pj_bit;
    if (!c->library)
        pj_bit = slx_chip_figure(c, resident ? "energy.rom_pj_b" : "energy.hbm_pj_b");
    else if (!*c->package.memory || *c->part.only_model)
        pj_bit = band_exact(NAN);
    else
        SLX_TRY(slx_constants_need(&pj_bit, k, "memory_pj_b", c->package.memory, c,
                                   "package.memory", err));
    out->chips = ceil(bytes / holds);
    out->us = bytes / out->chips / rate * 1e6;
    out->mj = band_by(pj_bit, bits * 1e-9);
    double left = out->chips * p.hbm_bytes - (resident ? 0 : bytes);
    out->kv_tokens = floor(left / CONST(pass_kv_bytes).mid);
    out->rows = resident ? c->ten.m : INFINITY;
    return SLX_OK;
}
