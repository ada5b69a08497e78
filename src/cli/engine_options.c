/* engine_options.c - see engine_options.h. */
#include "cli/engine_options.h"

#include <string.h>

const char *const cli_machines[] = {
    [SLX_MACHINE_FAST] = "fast", [SLX_MACHINE_STRICT] = "strict", NULL};
const char *const cli_cpus[] = {
    [SLX_CPU_SCALAR] = "scalar", [SLX_CPU_AVX2] = "avx2", [SLX_CPU_AVX512] = "avx512", NULL};

slx_status cli_engine_get(const cli_engine_values *v, const char *model, slx_engine_options *o,
                          slx_err *err)
{
    memset(o, 0, sizeof *o);
    o->model_path = model;
    o->chip = v->chip;
    o->program_path = v->program;
    o->kind = (slx_machine_kind)v->machine;
    o->threads = (int)v->threads;
    if (v->program && v->ctx)
        return slx_fail(
            err, SLX_EINPUT, "--ctx", 0, 0,
            "found %lld together with --program, expected only one: a program has its own context",
            (long long)v->ctx);
    if (v->program && v->tp > 1)
        return slx_fail(
            err, SLX_EINPUT, "--tp", 0, 0,
            "found %lld together with --program, expected only one: a program has its own chips",
            (long long)v->tp);
    o->compile.tp = (uint32_t)v->tp;
    o->compile.max_context = (uint32_t)v->ctx;
    if (v->cpu >= 0) {
        o->kern = slx_kern_at((slx_cpu)v->cpu);
        if (!o->kern)
            return slx_fail(err, SLX_EUNSUPPORTED, "--cpu", 0, 0,
                            "found %s, which this host does not have", cli_cpus[v->cpu]);
    }
    return SLX_OK;
}
