/* query_mlperf.c - load mlperf: a scenario of MLPerf Inference as the load that it is, with its data set's lengths.
 *
 *   offline                all queries are there: load max
 *   server, interactive    requests arrive at random and 99 of 100 must keep the limits: the most requests at which a
 *                          token takes no longer than the limit on average, less a margin for the slowest
 *
 * Lengths and limits: data/mlperf.csv. A submission runs its maker's own software: TensorRT-LLM, or vLLM on others.
 */
#include <stdlib.h>
#include <string.h>

#include "validate/query_int.h"

/* The 99th percentile of a token's time over its mean under arrivals at random: assumed. */
static const double slowest = 1.25;

typedef struct {
    double isl, osl, server_ms, interactive_ms;
} benchmark;

/* The row of that model; false when there is none. */
static bool find(benchmark *out, const char *model, slx_err *err)
{
    char path[1024];
    slx_buf text = {0};
    bool found = false;
    if (slx_find_file(path, "data", "mlperf.csv", NULL, err) || slx_read_file(&text, path, err)) return false;
    for (char *p = text.ptr; p && *p && !found; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
        size_t n = strcspn(p, ",\n");
        if (*p == '#' || n != strlen(model) || strncmp(p, model, n) != 0) continue;
        double *to[] = {&out->isl, &out->osl, &out->server_ms, &out->interactive_ms};
        char *at = p + n;
        for (int i = 0; i < 4 && *at == ','; i++) *to[i] = strtod(at + 1, &at);
        found = true;
    }
    slx_buf_free(&text);
    return found;
}

bool slx_query_mlperf(slx_question *q, slx_served *s)
{
    static const char *const scenarios[] = {"offline", "server", "interactive", NULL};
    int scenario = 0;
    benchmark b = {0};
    slx_err err;
    if (!slx_field_choice(q, json_object_get(q->o, "load"), "scenario", true, scenarios, &scenario)) return false;
    if (!find(&b, s->on.model->name, &err) && (!s->isl || !s->osl))
        return slx_cannot(q, "%.60s: no benchmark of MLPerf Inference in data/mlperf.csv", s->on.model->name);
    if (!s->isl) s->isl = (uint64_t)b.isl;
    if (!s->osl) s->osl = (uint64_t)b.osl;
    if (!s->framework)
        s->framework = q->chip->family && !strncmp(q->chip->family, "nvidia", 6) ? "TensorRT-LLM" : "vLLM";
    double limit_ms = scenario == 1 ? b.server_ms : scenario == 2 ? b.interactive_ms : 0;
    s->load = limit_ms > 0 ? "interactivity" : "max";
    if (limit_ms > 0) s->tok_s_user = 1e3 * slowest / limit_ms;
    s->submitted = true;
    return true;
}
