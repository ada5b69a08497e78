/* compile.c - the driver: the stages in order, each of which prints what it made. */
#include "compile/graph.h"
#include "compile/plan.h"
#include "verify/verify.h"

#include <string.h>

const char *const slx_compile_dumps[] = {"graph", "plan", "schedule", "program", NULL};

static bool wants(const char *dump, const char *stage)
{
    return dump && strcmp(dump, stage) == 0;
}

static void dump_graph(const slx_model *m, FILE *out)
{
    slx_arena a;
    slx_arena_init(&a);
    slx_graph g;
    slx_graph_build(&g, &a, m);
    slx_graph_print(&g, m, out);
    slx_arena_deinit(&a);
}

static void dump_program(const slx_program *p, FILE *out)
{
    slx_buf text = {0};
    slx_disasm(p, &text);
    fwrite(text.ptr, 1, text.len, out);
    slx_buf_free(&text);
}

slx_status slx_compile(slx_program *out, const slx_model *m, const slx_chip *c,
                       const slx_compile_options *opt, const char *dump, FILE *dump_out,
                       slx_err *err)
{
    int n = 0;
    while (slx_compile_dumps[n] && dump && strcmp(dump, slx_compile_dumps[n])) n++;
    if (dump && !slx_compile_dumps[n])
        return slx_fail(err, SLX_EINPUT, "", 0, 0,
                        "--dump: found \"%s\", expected graph, plan, schedule or program", dump);
    if (!m->layers)
        return slx_fail(err, SLX_EINPUT, m->path, 0, 0,
                        "found a vocabulary without weights, expected a model");
    if (wants(dump, "graph")) dump_graph(m, dump_out);
    slx_plan plan;
    slx_status fits = slx_plan_make(&plan, m, c, opt, err);
    if (fits != SLX_OK && plan.too_large) slx_plan_advise(&plan, opt, err);
    if (fits != SLX_OK) return fits;
    if (wants(dump, "plan")) slx_plan_print(&plan, dump_out);
    SLX_TRY(slx_emit_program(out, &plan, err));
    if (wants(dump, "schedule")) slx_schedule_print(out, dump_out);
    if (wants(dump, "program")) dump_program(out, dump_out);
    /* behind the dumps: a program that does not pass can be looked at */
    slx_status legal = slx_verify(out, c, m->path, err);
    if (legal != SLX_OK) slx_program_free(out);
    return legal;
}
