/* kernel.c - the time of one kernel on a chip that runs a vendor's library: launch, then the slower of arithmetic and
 * memory at a share of their peaks. */
#include "predict/predict_int.h"

#include <string.h>

static slx_status need(const slx_chip *c, const char *key, double value, slx_err *err)
{
    if (value > 0) return SLX_OK;
    return slx_fail(err, SLX_EUNSUPPORTED, c->path, 0, 0, "%s: %s", key,
                    isnan(value) ? "not published" : "0, the chip has none");
}

/* FLOP/s of products in a format: the next wider one's where it has none. */
static double peak(const slx_chip *c, const char *dtype)
{
    double bf16 = c->part.bf16_tflops, fp8 = c->part.fp8_tflops, fp4 = c->part.fp4_tflops;
    bool eight = !strncmp(dtype, "fp8", 3), four = strstr(dtype, "fp4") != NULL;
    if (!strcmp(dtype, "int8") && c->part.int8_tops > 0) return c->part.int8_tops * 1e12;
    if (four && fp4 > 0) return fp4 * 1e12;
    if ((eight || four) && fp8 > 0) return fp8 * 1e12;
    return bf16 * 1e12;
}

slx_status slx_kernel_time(const slx_chip *c, const slx_kernel *k, slx_kernel_cost *out,
                           slx_err *err)
{
    double launch = 2e-6, compute = 0, memory;
    if (k->kind == SLX_KERNEL_COLLECTIVE) {
        SLX_TRY(need(c, "part.links_gbs", c->part.links_gbs, err));
        double steps = !strcmp(k->op, "all_reduce") ? 2 : 1, n = k->chips;
        double wire = steps * (n - 1) / n * k->bytes / (c->part.links_gbs / 2 * 1e9 * 0.7);
        out->seconds = 10e-6 + wire;
        out->bound_by = "links";
        return SLX_OK;
    }
    SLX_TRY(need(c, "part.mem_tbs", c->part.mem_tbs, err));
    memory = slx_kernel_bytes(k) / (c->part.mem_tbs * 1e12 * 0.85);
    if (k->kind != SLX_KERNEL_ROWS) {
        SLX_TRY(need(c, "part.bf16_tflops", c->part.bf16_tflops, err));
        compute = slx_kernel_flops(k) / (peak(c, k->dtype) * 0.7);
    }
    out->seconds = launch + fmax(compute, memory);
    out->bound_by = compute > memory ? "compute" : memory > launch ? "memory" : "launch";
    return SLX_OK;
}
