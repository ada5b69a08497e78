/* count.c - what one step does, by engine: the program's control flow walked without weights or values. Only copies out
 * of the descriptor move data, since nothing else reaches a register. */
#include "func/func_int.h"

#include <string.h>

slx_status slx_func_count(const slx_program *p, const uint8_t *desc, slx_step_counts *out, slx_err *err)
{
    slx_strict s;
    slx_fault fault;
    memset(out, 0, sizeof *out);
    slx_strict_init(&s, p, NULL, 0);
    s.values = false;
    s.counts = out;
    int d = slx_hbm_kind(&s.hbm, SLX_REGION_DESC);
    if (d >= 0) {
        slx_hbm_alloc(&s.hbm, (uint32_t)d);
        memcpy(s.hbm.mem[d], desc, p->info.desc.bytes);
    }
    slx_status st = slx_strict_step(&s, 1, &fault);
    slx_strict_deinit(&s);
    if (st != SLX_OK)
        return slx_fail(err, st, p->info.model_name, 0, 0, "tile %u, pc %u: %s: %s", fault.tile, fault.pc,
                        slx_fault_text(fault.cause), fault.detail);
    return SLX_OK;
}
