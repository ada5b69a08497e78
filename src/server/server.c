/* server.c - see server.h: opens the parts in order, waits for a signal, closes them in the other order. */
#include "server/server_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* The file's name without folder and ending. */
static void name_model(srv_server *s)
{
    const char *path = s->model->path, *base = strrchr(path, '/'), *dot;
    snprintf(s->model_name, sizeof s->model_name, "%.120s",
             s->opt->model_name ? s->opt->model_name
             : base             ? base + 1
                                : path);
    for (char *p = s->model_name; *p; p++)
        if ((unsigned char)*p < 33 || (unsigned char)*p > 126)
            *p = '-'; /* clients have to type it */
    dot = strrchr(s->model_name, '.');
    if (!s->opt->model_name && dot && !strcmp(dot, ".gguf")) s->model_name[dot - s->model_name] = 0;
}

static slx_status open_parts(srv_server *s, slx_err *err)
{
    const slx_server_options *o = s->opt;
    if (!s->model->tok)
        return slx_fail(err, SLX_EUNSUPPORTED, s->model->path, 0, 0,
                        "found no tokenizer in the model file: it cannot serve text");
    if (!o->db && !loopback(o->host))
        return slx_fail(
            err, SLX_EINPUT, "--no-auth", 0, 0,
            "found --host %s, expected a loopback address: elsewhere every request needs a key",
            o->host);
    if (o->db) SLX_TRY(srv_store_open(&s->store, o->db, false, err));
    name_model(s);
    snprintf(s->chip_name, sizeof s->chip_name, "%s", slx_engine_chip(s->engine)->name);
    snprintf(s->fingerprint, sizeof s->fingerprint, "fp_%016llx",
             (unsigned long long)s->model->hash);
    s->started = (int64_t)time(NULL);
    s->usd_per_s = -1;
    s->metrics = srv_metrics_open();
    s->limits = srv_limits_open();
    s->arrivals = srv_arrivals_open(o->timeout_s);
    if (!o->no_x_silex) {
        s->clock = slx_chip_clock_open(slx_engine_program(s->engine), slx_engine_chip(s->engine));
        slx_chip_clock_usd_per_s(s->clock, &s->usd_per_s);
    }
    s->tool_form = slx_tools_form_of(s->model);
    s->tool_marker = slx_tools_marker(s->tool_form, s->model);
    s->tokens = slx_token_bytes_open(s->model->tok, s->tool_marker);
    s->ledger = srv_ledger_open(s);
    s->worker = srv_worker_open(s);
    return SLX_OK;
}

/* Answers under way may end; after drain_s, or a second signal, they are cut. Meanwhile new connections are answered:
 * that the server is alive, that it is not ready, and that it takes nothing new. */
static void drain(srv_server *s, struct MHD_Daemon *d, const sigset_t *signals)
{
    double start = slx_now_s();
    atomic_store(&s->draining, true);
    srv_log("info", "draining", "{s:i}", "answers", (int)atomic_load(&s->answers));
    while (atomic_load(&s->answers) && slx_now_s() - start < s->opt->drain_s)
        if (sigtimedwait(signals, NULL, &(struct timespec){.tv_nsec = 50000000}) > 0) break;
    srv_http_stop_accepting(d);
}

static void close_parts(srv_server *s, struct MHD_Daemon *d)
{
    double start = slx_now_s();
    srv_worker_stop(s->worker); /* cuts what is left */
    srv_ledger_stop(s->ledger); /* and counts it */
    /* last bytes leave; a client that does not read them is not waited for */
    while (atomic_load(&s->exchanges) && slx_now_s() - start < 1)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    srv_http_close(
        d); /* until here its threads may ask for figures of the parts that have stopped */
    srv_worker_free(s->worker);
    srv_ledger_free(s->ledger);
    slx_chip_clock_close(s->clock);
    slx_token_bytes_close(s->tokens);
    srv_limits_close(s->limits);
    srv_arrivals_close(s->arrivals);
    srv_metrics_close(s->metrics);
    srv_store_close(s->store);
}

slx_status slx_server_run(slx_engine *e, const slx_server_options *opt,
                          void (*ready)(void *arg, uint16_t port), void *arg, slx_err *err)
{
    srv_server *s = slx_xcalloc(1, sizeof *s);
    struct MHD_Daemon *d = NULL;
    sigset_t signals, before;
    uint16_t port = 0;
    int got;
    s->opt = opt;
    s->engine = e;
    s->model = slx_engine_model(e);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of the ledger, not the end */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, &before); /* before threads start: all of them have it */
    slx_status st = open_parts(s, err);
    if (st == SLX_OK) {
        d = srv_http_open(s, &port, err);
        if (!d) st = err->code;
    }
    if (st == SLX_OK) {
        srv_log("info", "listening", "{s:s, s:i, s:s, s:s, s:b}", "host", opt->host, "port", port,
                "model", s->model_name, "chip", s->chip_name, "keys", opt->db != NULL);
        if (ready) ready(arg, port);
        while (sigwait(&signals, &got)) {}
        drain(s, d, &signals);
    }
    close_parts(s, d);
    if (st == SLX_OK) srv_log("info", "stopped", NULL);
    /* once it has served, a second signal on the way out changes nothing: it stays blocked until the process ends */
    if (st != SLX_OK) pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(s);
    return st;
}
