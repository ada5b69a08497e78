/* live.c - what the page shows: the engine's batch, memory and latencies now, what the chip does now, and its last step
 * in its parts.
 *
 * That step is a decoding one like the last: as many sequences, as long. It is timed here and kept while the batch
 * stays alike, so a page that asks every second costs the engine nothing. When nothing runs the chip draws its static
 * power.
 */
#include "server/server_int.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    pthread_mutex_t lock;
    uint32_t n, positions; /* what `step` is of */
    json_t *step;
} chip_view;

static chip_view view = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A span's name without its layer: layers add up. */
static json_t *spans_json(const slx_time_result *r)
{
    json_t *j = json_object();
    for (uint32_t i = 0; i < r->n_spans; i++) {
        const char *name = r->spans[i].name[0] ? r->spans[i].name : "rest";
        json_int_t before = json_integer_value(json_object_get(j, name));
        json_object_set_new(j, name, json_integer(before + (json_int_t)r->spans[i].cycles));
    }
    return j;
}

static json_t *layers_json(const slx_time_result *r)
{
    json_t *j = json_array();
    for (uint32_t i = 1; i < r->n_layers; i++)
        json_array_append_new(j, json_real((double)(r->layer_fj[i] + r->layer_static_fj[i]) * 1e-15));
    return j;
}

static json_t *engines_json(const slx_time_result *r)
{
    json_t *j = json_object();
    double all = (double)r->cycles * r->n_tiles;
    for (int i = 0; i < SLX_N_ENGINES; i++)
        json_object_set_new(j, slx_engine_names[i],
                            json_pack("{s:f, s:f}", "busy", (double)r->engine[i].busy / all,
                                      "waiting", (double)r->engine[i].token / all));
    return j;
}

/* While each part of the step is computed: before the layers, each layer, behind them. */
static json_t *parts_json(slx_busy *b, const slx_time_result *r, uint32_t layers)
{
    slx_busy_span *spans = slx_xcalloc(layers + 2, sizeof *spans);
    json_t *list = json_array();
    slx_busy_share(b, r->cycles, spans);
    for (uint32_t i = 0; i < layers + 2; i++) {
        char name[24];
        json_t *engines = json_object();
        for (int k = 0; k < SLX_N_ENGINES; k++) /* CTL has no events */
            if (k != SLX_ENG_CTL)
                json_object_set_new(engines, slx_engine_names[k], json_real(spans[i].engine[k]));
        snprintf(name, sizeof name, "%u", i - 1);
        json_array_append_new(list, json_pack("{s:s, s:I, s:f, s:o}", "part",
                                              i == 0       ? "before"
                                              : i > layers ? "behind"
                                                           : name,
                                              "cycles", (json_int_t)spans[i].cycles, "tiles_busy",
                                              spans[i].tiles, "engines_busy", engines));
    }
    free(spans);
    return list;
}

static json_t *bounds_json(const slx_time_result *r)
{
    json_t *j = json_object();
    for (int i = 0; i < SLX_N_TIME_BOUNDS; i++)
        json_object_set_new(j, slx_time_bound_name((slx_time_bound)i),
                            json_real((double)r->bound[i] / (double)r->cycles));
    return j;
}

static json_t *step_json(const srv_server *s, uint32_t n, uint32_t positions)
{
    slx_time_result r;
    slx_err err;
    const slx_program *p = slx_engine_program(s->engine);
    uint32_t layers = p->info.n_layers;
    slx_busy *busy = slx_busy_new(layers, p->info.n_tiles);
    if (slx_chip_step_time(&r, p, slx_engine_chip(s->engine), n, positions, busy, &err) != SLX_OK) {
        slx_busy_free(busy);
        return json_pack("{s:s}", "why", err.msg);
    }
    double bytes = (double)(r.hbm_read_bytes + r.hbm_write_bytes),
           joules = (double)r.energy_fj * 1e-15;
    json_t *j = json_pack(
        "{s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:s, s:o, s:o, s:o, s:o}", "sequences", n, "positions",
        positions, "tiles", r.n_tiles, "step_s", r.seconds, "energy_j_per_token", joules / n,
        "watts", joules / r.seconds, "memory_bytes_per_s", bytes / r.seconds, "bound_by",
        slx_time_bound_name(r.bound_by), "engines", engines_json(&r), "phase_cycles",
        spans_json(&r), "layer_j", layers_json(&r), "limits", bounds_json(&r));
    json_object_set_new(j, "usd_per_mtok",
                        s->usd_per_s >= 0 ? json_real(s->usd_per_s * r.seconds / n * 1e6)
                                          : json_null());
    json_object_set_new(j, "parts", parts_json(busy, &r, layers));
    slx_busy_free(busy);
    slx_time_result_free(&r);
    return j;
}

/* A step like the last one: of as many sequences, as long, both rounded up so that it is timed rarely. */
static json_t *last_step_json(const srv_server *s, const slx_sched_stats *st)
{
    uint32_t n = 1, positions = 64;
    if (!st->last_sequences) return json_pack("{s:s}", "why", "no step has been made yet");
    while (n < st->last_sequences) n *= 2;
    if (n > st->slots) n = st->slots;
    while (positions < st->last_positions) positions *= 2;
    if (positions >= s->context) positions = s->context - 1;
    pthread_mutex_lock(&view.lock);
    if (!view.step || view.n != n || view.positions != positions) {
        json_decref(view.step);
        view.step = step_json(s, n, positions);
        view.n = n;
        view.positions = positions;
    }
    json_t *j = json_deep_copy(view.step);
    pthread_mutex_unlock(&view.lock);
    return j;
}

/* What the chip does now: a step like the last one after the other, or nothing but draw what goes by time. */
static json_t *now_json(const srv_server *s, const slx_sched_stats *st, const json_t *step)
{
    slx_time_watts idle;
    slx_err err;
    bool busy = st->running > 0 && json_object_get(step, "watts"),
         known = slx_time_get_watts(&idle, slx_engine_chip(s->engine), &err) == SLX_OK;
    json_t *j =
               json_pack("{s:b, s:f, s:f}", "busy", busy, "watts",
                         busy    ? json_real_value(json_object_get(step, "watts"))
                         : known ? idle.leak + idle.io
                                 : 0.0,
                         "memory_bytes_per_s",
                         busy ? json_real_value(json_object_get(step, "memory_bytes_per_s")) : 0.0),
           *engines = json_object();
    for (int i = 0; i < SLX_N_ENGINES; i++) {
        const json_t *of = json_object_get(json_object_get(step, "engines"), slx_engine_names[i]);
        json_object_set_new(engines, slx_engine_names[i],
                            json_real(busy ? json_real_value(json_object_get(of, "busy")) : 0));
    }
    json_object_set_new(j, "engines_busy", engines);
    if (!busy && !known) {
        json_object_set_new(j, "watts", json_null());
        json_object_set_new(j, "watts_why", json_string(err.msg));
    }
    return j;
}

static json_t *batch_json(const slx_sched_stats *st)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "running",
                     st->running, "waiting", st->waiting, "slots", st->slots, "pages", st->pages,
                     "pages_used", st->pages_used, "pages_cached", st->pages_cached, "steps",
                     (json_int_t)st->steps, "rows", (json_int_t)st->rows, "prompt_tokens",
                     (json_int_t)st->prompt_tokens, "cached_tokens", (json_int_t)st->cached_tokens,
                     "preemptions", (json_int_t)st->preemptions, "step_s", st->step_s, "own_s",
                     st->own_s);
}

json_t *srv_live_json(srv_server *s, const srv_key *who)
{
    slx_sched_stats st;
    srv_worker_stats(s->worker, &st);
    json_t *step = last_step_json(s, &st), *now = now_json(s, &st, step);
    bool all = !s->store || who->admin;
    return json_pack("{s:s, s:s, s:f, s:o, s:o, s:o, s:o, s:o, s:o}", "model", s->model_name,
                     "chip", s->chip_name, "now_s", slx_now_s(), "batch", batch_json(&st),
                     "latency", srv_metrics_json(s->metrics, &st, s->usd_per_s), "chip_now", now,
                     "chip_last_step", step, "total", srv_metrics_total_json(s->metrics), "users",
                     srv_metrics_users_json(s->metrics, all ? NULL : who->user));
}
