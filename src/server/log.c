/* log.c - structured log: one line of JSON an event, on stderr, with the id of the request. No key, no text of a
 * user. */
#include "server/server_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static void write_line(const char *level, const char *event, json_t *more)
{
    struct timespec now;
    struct tm t;
    char when[40];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &t);
    size_t n = strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &t);
    snprintf(when + n, sizeof when - n, ".%03ldZ", now.tv_nsec / 1000000);
    json_t *line = json_pack("{s:s, s:s, s:s}", "time", when, "level", level, "event", event);
    if (more) json_object_update(line, more);
    char *text = json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER);
    if (text) fprintf(stderr, "%s\n", text); /* one call: lines of several threads do not mix */
    free(text);
    json_decref(line);
    if (more) json_decref(more);
}

void srv_log(const char *level, const char *event, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    json_t *more = fmt ? json_vpack_ex(NULL, 0, fmt, ap) : NULL;
    va_end(ap);
    write_line(level, event, more);
}

void srv_log_exchange(const srv_exchange *x, const char *end)
{
    const slx_job_usage *u = &x->usage;
    json_t *j =
        json_pack("{s:s, s:s, s:s, s:i, s:s, s:f}", "id", x->id, "method", x->method, "path",
                  x->path, "status", x->status, "end", end, "ms", (slx_now_s() - x->arrived) * 1e3);
    if (x->known && x->who.name[0]) {
        json_object_set_new(j, "key", json_string(x->who.name));
        json_object_set_new(j, "user", json_string(x->who.user));
    }
    if (x->counted) {
        json_object_set_new(j, "prompt_tokens", json_integer(u->prompt_tokens));
        json_object_set_new(j, "cached_tokens", json_integer(u->cached_tokens));
        json_object_set_new(j, "completion_tokens", json_integer(u->new_tokens));
        json_object_set_new(j, "queue_ms", json_real(u->queue_s * 1e3));
        json_object_set_new(j, "ttft_ms", json_real(u->first_token_s * 1e3));
        if (u->preemptions) json_object_set_new(j, "preemptions", json_integer(u->preemptions));
    }
    write_line(x->status >= 500 ? "error" : "info", "request", j);
}

void srv_random_hex(char *out, size_t bytes)
{
    uint8_t raw[32];
    if (bytes > sizeof raw || getrandom(raw, bytes, 0) != (ssize_t)bytes)
        SLX_BUG("random bytes: %s", strerror(errno));
    for (size_t i = 0; i < bytes; i++) snprintf(out + 2 * i, 3, "%02x", raw[i]);
}
