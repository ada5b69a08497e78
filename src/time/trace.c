/* trace.c - events in the JSON that Perfetto and chrome://tracing read: one process a tile, one thread an engine; of
 * engines with several transfers under way one a transfer, since what overlaps in a thread is drawn as nested. */
#include "time/time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void slx_time_trace_begin(slx_time_trace *t, FILE *out, const slx_program *p)
{
    *t = (slx_time_trace){.out = out, .named = slx_xcalloc(p->info.n_tiles + 1u, 1)};
    t->ends = slx_xcalloc((size_t)p->info.n_tiles * SLX_N_ENGINES * SLX_TRACE_LANES, sizeof *t->ends);
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", out);
}

static void name_tile(slx_time_trace *t, uint32_t tile)
{
    fprintf(
        t->out,
        "%s\n{\"ph\":\"M\",\"pid\":%u,\"name\":\"process_name\",\"args\":{\"name\":\"tile %u\"}}",
        t->n ? "," : "", tile, tile);
    t->named[tile] = 1;
    t->n++;
}

/* A thread of the engine that is free at the event's start. */
static uint32_t thread_of(slx_time_trace *t, const slx_time_event *e)
{
    uint64_t *end = t->ends + ((size_t)e->tile * SLX_N_ENGINES + e->engine) * SLX_TRACE_LANES;
    uint32_t lane = 0;
    while (lane + 1 < SLX_TRACE_LANES && end[lane] > e->start + 1) lane++;
    uint32_t tid = e->engine * SLX_TRACE_LANES + lane;
    if (!end[lane]) {
        fprintf(t->out,
                ",\n{\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"name\":\"thread_name\",\"args\":{\"name\":\"%s",
                e->tile, tid, slx_engine_names[e->engine]);
        if (lane) fprintf(t->out, " %u", lane + 1);
        fprintf(t->out,
                "\"}},\n{\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"name\":\"thread_sort_index\",\"args\":{"
                "\"sort_index\":%u}}",
                e->tile, tid, tid);
    }
    end[lane] = e->finish + 1;
    return tid;
}

void slx_time_trace_event(void *trace, const slx_time_event *e)
{
    slx_time_trace *t = trace;
    double us = 1 / (e->clock_ghz * 1e3);
    char span[33] = "";
    for (size_t i = 0; i < 32 && e->span[i]; i++) /* names are free text */
        span[i] = e->span[i] == '"' || e->span[i] == '\\' || (unsigned char)e->span[i] < ' '
                      ? '_'
                      : e->span[i];
    if (!t->named[e->tile]) name_tile(t, e->tile);
    uint32_t tid = thread_of(t, e);
    fprintf(t->out, ",\n{\"ph\":\"X\",\"pid\":%u,\"tid\":%u,\"name\":\"%s %s", e->tile, tid,
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
    free(t->ends);
    t->named = NULL;
    t->ends = NULL;
    if (fflush(t->out) || ferror(t->out))
        return slx_fail(err, SLX_EIO, path, 0, 0, "cannot write: %s", strerror(errno));
    return SLX_OK;
}
