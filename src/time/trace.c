/* trace.c - events in the JSON that Perfetto and chrome://tracing read: one process a tile, one
 * thread an engine. */
#include "time/time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void slx_time_trace_begin(slx_time_trace *t, FILE *out, const slx_program *p, const slx_chip *c)
{
    *t = (slx_time_trace){
        .out = out, .clock_ghz = c->grid.clock_ghz, .named = slx_xcalloc(p->info.n_tiles + 1u, 1)};
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", out);
}

static void name_tile(slx_time_trace *t, uint32_t tile)
{
    fprintf(
        t->out,
        "%s\n{\"ph\":\"M\",\"pid\":%u,\"name\":\"process_name\",\"args\":{\"name\":\"tile %u\"}}",
        t->n ? "," : "", tile, tile);
    for (int e = 0; e < SLX_N_ENGINES; e++)
        fprintf(t->out,
                ",\n{\"ph\":\"M\",\"pid\":%u,\"tid\":%d,\"name\":\"thread_name\",\"args\":{"
                "\"name\":\"%s\"}}",
                tile, e, slx_engine_names[e]);
    t->named[tile] = 1;
    t->n++;
}

void slx_time_trace_event(void *trace, const slx_time_event *e)
{
    slx_time_trace *t = trace;
    double us = 1 / (t->clock_ghz * 1e3);
    char span[33] = "";
    for (size_t i = 0; i < 32 && e->span[i]; i++) /* names are free text */
        span[i] = e->span[i] == '"' || e->span[i] == '\\' || (unsigned char)e->span[i] < ' '
                      ? '_'
                      : e->span[i];
    if (!t->named[e->tile]) name_tile(t, e->tile);
    fprintf(t->out, ",\n{\"ph\":\"X\",\"pid\":%u,\"tid\":%u,\"name\":\"%s %s", e->tile, e->engine,
            slx_ops[e->op].name, span);
    if (e->layer >= 0) fprintf(t->out, " %d", e->layer);
    fprintf(t->out,
            "\",\"ts\":%.4f,\"dur\":%.4f,\"args\":{\"pc\":%u,\"start\":%llu,\"finish\":%llu}}",
            (double)e->start * us, (double)(e->finish - e->start) * us, e->pc,
            (unsigned long long)e->start, (unsigned long long)e->finish);
    t->n++;
}

slx_status slx_time_trace_end(slx_time_trace *t, const char *path, slx_err *err)
{
    fputs("\n]}\n", t->out);
    free(t->named);
    t->named = NULL;
    if (fflush(t->out) || ferror(t->out))
        return slx_fail(err, SLX_EIO, path, 0, 0, "cannot write: %s", strerror(errno));
    return SLX_OK;
}
