/* http.c - HTTP through libmicrohttpd: routes, bodies, keys, limits, and streams that wait without a thread.
 *
 *   headers --> route, method, key, size   refused here, before a body is read
 *   body    --> request, tokens            refused here, before anything is queued
 *   worker  --> suspended until there is something to send
 *
 * A few threads serve all connections (epoll). A connection that waits for the engine is suspended; whoever has
 * bytes for it resumes it under x->lock, so a wake is never lost.
 */
#include "server/http_int.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    HEADERS_MAX = 32 << 10, /* of one connection, its small bodies included */
    CONNECTIONS = 4096,     /* or as many as there may be open files */
    OTHER_FILES = 64,       /* of them not for connections */
    HEADER_S =
        10, /* a connection that has not sent its headers waits at most so long for its next byte */
    THREADS = 2
};

/* ------------------------------------------------------------------ exchanges */

srv_exchange *srv_exchange_new(srv_server *s)
{
    srv_exchange *x = slx_xcalloc(1, sizeof *x);
    x->s = s;
    atomic_init(&x->holders, 1);
    pthread_mutex_init(&x->lock, NULL);
    memcpy(x->id, "req-", 4);
    srv_random_hex(x->id + 4, 10);
    x->arrived = slx_now_s();
    x->created = (int64_t)time(NULL);
    atomic_fetch_add(&s->exchanges, 1);
    return x;
}

void srv_exchange_drop(srv_exchange *x)
{
    if (atomic_fetch_sub(&x->holders, 1) > 1) return;
    for (uint32_t i = 0; i < x->n_choices; i++) {
        srv_choice *c = &x->choices[i];
        slx_buf_free(&c->prompt);
        slx_buf_free(&c->text);
        slx_answer_free(&c->answer);
        json_decref(c->logprobs);
        json_decref(c->calls);
        slx_buf_free(&c->arguments);
        slx_buf_free(&c->starts);
        slx_grammar_close(c->grammar);
    }
    free(x->choices);
    srv_request_free(&x->req);
    slx_buf_free(&x->in);
    slx_buf_free(&x->out);
    pthread_mutex_destroy(&x->lock);
    atomic_fetch_sub(&x->s->exchanges, 1);
    free(x);
}

void srv_exchange_wake(srv_exchange *x)
{
    if (!x->suspended) return;
    x->suspended = false;
    MHD_resume_connection(x->mhd);
}

/* ------------------------------------------------------------------ responses */

void srv_add_headers(struct MHD_Response *r, const srv_exchange *x, const char *type)
{
    MHD_add_response_header(r, "Content-Type", type);
    MHD_add_response_header(r, "X-Request-Id", x->id);
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(r, "Cache-Control", "no-store");
    if (atomic_load(&x->s->draining)) MHD_add_response_header(r, "Connection", "close");
}

/* Sends x->out whole. */
enum MHD_Result srv_send_out(srv_exchange *x, const char *type, const char *header,
                             const char *value)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        x->out.len, x->out.len ? x->out.ptr : "", MHD_RESPMEM_MUST_COPY);
    if (!r) return MHD_NO;
    srv_add_headers(r, x, type);
    if (header) MHD_add_response_header(r, header, value);
    enum MHD_Result ok = MHD_queue_response(x->mhd, (unsigned)x->status, r);
    MHD_destroy_response(r);
    return ok;
}

enum MHD_Result srv_send_json(srv_exchange *x, json_t *j)
{
    char *text = json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER);
    slx_buf_adds(&x->out, text);
    free(text);
    json_decref(j);
    x->status = 200;
    return srv_send_out(x, "application/json", NULL, NULL);
}

enum MHD_Result srv_send_error_after(srv_exchange *x, const srv_error *e, double retry_s)
{
    char after[24];
    srv_reply_error(x, e);
    if (e->status == 401) return srv_send_out(x, "application/json", "WWW-Authenticate", "Bearer");
    /* what follows on such a connection is not looked at: nobody knows where the next request begins */
    if (e->status == 413 || e->status == 415 || (e->code && !strcmp(e->code, "bad_request")))
        return srv_send_out(x, "application/json", "Connection", "close");
    if (retry_s <= 0) return srv_send_out(x, "application/json", NULL, NULL);
    snprintf(after, sizeof after, "%.0f", retry_s < 1 ? 1 : retry_s + 0.5);
    return srv_send_out(x, "application/json", "Retry-After", after);
}

enum MHD_Result srv_send_error(srv_exchange *x, const srv_error *e)
{
    return srv_send_error_after(x, e, 0);
}

/* ------------------------------------------------------------------ libmicrohttpd */

static enum MHD_Result answer(srv_exchange *x)
{
    switch ((srv_route)x->kind) {
    case SRV_AT_HEALTH: return srv_send_json(x, json_pack("{s:s}", "status", "ok"));
    case SRV_AT_READY: return srv_ready(x);
    case SRV_AT_METRICS: return srv_metrics_page(x);
    case SRV_AT_MODELS: return srv_models(x);
    case SRV_AT_MODEL: return srv_model(x);
    case SRV_AT_TOKENIZE: return srv_tokenize(x);
    case SRV_AT_DETOKENIZE: return srv_detokenize(x);
    case SRV_AT_LIVE: return srv_send_json(x, srv_live_json(x->s, &x->who));
    case SRV_AT_CHAT: return srv_begin_answer(x, SRV_CHAT);
    case SRV_AT_COMPLETIONS: return srv_begin_answer(x, SRV_COMPLETIONS);
    case SRV_AT_RESPONSES: return srv_begin_answer(x, SRV_RESPONSES);
    case SRV_AT_PAGE: return srv_page(x);
    }
    SLX_BUG("route %d", x->kind);
}

/* %XX of a path; not %00, which would end it. */
static size_t unescape(void *arg, struct MHD_Connection *mhd, char *p)
{
    char *out = p, *const start = p;
    (void)arg;
    (void)mhd;
    for (; *p; p++) {
        char hex[3] = {p[1], p[1] ? p[2] : 0, 0}, *end;
        unsigned long byte = *p == '%' ? strtoul(hex, &end, 16) : 0;
        bool pair =
            byte && hex[1] && isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1]);
        *out++ = pair ? (char)byte : *p;
        if (pair) p += 2;
    }
    *out = 0;
    return (size_t)(out - start);
}

static void set_timeout(struct MHD_Connection *mhd, unsigned seconds)
{
    MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **state,
                          enum MHD_ConnectionNotificationCode what)
{
    const srv_server *s = arg;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        set_timeout(mhd, s->opt->timeout_s < HEADER_S ? s->opt->timeout_s : HEADER_S);
        *state = srv_arrival_new(
            s->arrivals,
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    } else {
        srv_arrival_free(s->arrivals, *state);
    }
}

static srv_arrival *arrival_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* Called with the headers, then with each piece of the body, then without data; and again after a resume. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    srv_server *s = arg;
    srv_exchange *x = *state;
    srv_error e;
    if (!x) {
        x = *state = srv_exchange_new(s);
        x->mhd = mhd;
        set_timeout(mhd, s->opt->timeout_s);
        srv_arrival_headers(s->arrivals, arrival_of(mhd));
        x->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        snprintf(x->method, sizeof x->method, "%s", method);
        snprintf(x->path, sizeof x->path, "%s", url);
        for (char *p = x->path; *p; p++)
            if ((unsigned char)*p < 33 || (unsigned char)*p > 126) *p = '?'; /* for the log */
        if (!srv_gate(x, url, method, version, &e)) return srv_send_error(x, &e);
        return MHD_YES;
    }
    if (*size) {
        srv_arrival_body(s->arrivals, arrival_of(mhd), *size);
        if (x->in.len + *size > SRV_BODY_MAX) x->too_large = true;
        if (!x->too_large) slx_buf_add(&x->in, data, *size);
        *size = 0;
        return MHD_YES;
    }
    srv_arrival_whole(s->arrivals, arrival_of(mhd));
    if (x->too_large) {
        srv_refuse(&e, 413, "invalid_request_error", "too_large", NULL,
                   "found a body of more than %d bytes", SRV_BODY_MAX);
        return srv_send_error(x, &e);
    }
    if (x->submitted) { /* resumed: the answer is there, or nobody wants it any more */
        pthread_mutex_lock(&x->lock);
        bool gone = x->gone;
        pthread_mutex_unlock(&x->lock);
        return gone ? MHD_NO : srv_send_out(x, "application/json", NULL, NULL);
    }
    return answer(x);
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **state,
                         enum MHD_RequestTerminationCode why)
{
    srv_exchange *x = *state;
    srv_server *s = arg;
    srv_arrival_next(s->arrivals, arrival_of(mhd));
    if (!x) return;
    *state = NULL;
    pthread_mutex_lock(&x->lock);
    bool under_way = x->submitted && !x->done;
    bool left = x->gone || why != MHD_REQUEST_TERMINATED_COMPLETED_OK;
    x->gone = true;
    pthread_mutex_unlock(&x->lock);
    if (under_way) srv_worker_cancel(s->worker, x);
    srv_metrics_response(s->metrics, left ? 499 : x->status);
    bool quiet = x->kind == SRV_AT_HEALTH || x->kind == SRV_AT_READY || x->kind == SRV_AT_METRICS ||
                 x->kind == SRV_AT_LIVE || x->kind == SRV_AT_PAGE;
    if (!s->opt->quiet && (!quiet || x->status >= 400))
        srv_log_exchange(x, left ? "client left" : "sent");
    srv_exchange_drop(x);
}

static void on_message(void *arg, const char *fmt, va_list ap)
{
    srv_server *s = arg;
    char line[512];
    vsnprintf(line, sizeof line, fmt, ap);
    line[strcspn(line, "\n")] = 0;
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < 32 || (unsigned char)*p > 126)
            *p = '?'; /* may hold what a client sent */
    if (!pthread_equal(pthread_self(), s->opener) || s->listening)
        srv_log("debug", "http", "{s:s}", "what", line);
    else if (!s->why_not[0]) /* the first one is the cause */
        snprintf(s->why_not, sizeof s->why_not, "%.250s", line);
}

/* Connections are files: as many as the system gives this process, up to CONNECTIONS. */
static unsigned most_connections(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l)) return 512;
    rlim_t want = CONNECTIONS + OTHER_FILES;
    if (l.rlim_cur < want) {
        l.rlim_cur = want < l.rlim_max ? want : l.rlim_max;
        setrlimit(RLIMIT_NOFILE, &l);
        getrlimit(RLIMIT_NOFILE, &l);
    }
    if (l.rlim_cur >= want) return CONNECTIONS;
    return l.rlim_cur > 2 * OTHER_FILES ? (unsigned)l.rlim_cur - OTHER_FILES : OTHER_FILES;
}

static slx_status listen_at(const char *host, uint16_t port, int *fd, uint16_t *got, slx_err *err)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is4 = inet_pton(AF_INET, host, &v4.sin_addr) == 1,
         is6 = !is4 && inet_pton(AF_INET6, host, &v6.sin6_addr) == 1;
    if (!is4 && !is6)
        return slx_fail(err, SLX_EINPUT, "--host", 0, 0,
                        "found \"%.60s\", expected an address such as 127.0.0.1 or ::1", host);
    const struct sockaddr *at = is4 ? (const void *)&v4 : (const void *)&v6;
    socklen_t n = is4 ? sizeof v4 : sizeof v6;
    *fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return slx_fail(err, SLX_EIO, "--host", 0, 0, "cannot make a socket: %s", strerror(errno));
    setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(*fd, at, n) || listen(*fd, 512)) {
        int e = errno;
        close(*fd);
        return slx_fail(err, SLX_EIO, "--port", 0, 0, "cannot listen at %s port %u: %s", host, port,
                        strerror(e));
    }
    getsockname(*fd, is4 ? (void *)&v4 : (void *)&v6, &n);
    *got = ntohs(is4 ? v4.sin_port : v6.sin6_port);
    return SLX_OK;
}

struct MHD_Daemon *srv_http_open(srv_server *s, uint16_t *port, slx_err *err)
{
    const slx_server_options *o = s->opt;
    slx_buf cert = {0}, key = {0};
    int fd = -1;
    struct MHD_Daemon *d = NULL;
    s->opener = pthread_self();
    slx_status st = SLX_OK;
    if (!o->cert != !o->key)
        st = slx_fail(err, SLX_EINPUT, "--cert", 0, 0,
                      "found only one of --cert and --key, expected both");
    if (st == SLX_OK && o->cert) st = slx_read_file(&cert, o->cert, err);
    if (st == SLX_OK && o->key) st = slx_read_file(&key, o->key, err);
    if (st == SLX_OK) st = listen_at(o->host, o->port, &fd, port, err);
    if (st == SLX_OK) {
        struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, cert.ptr},
                                       {MHD_OPTION_HTTPS_MEM_KEY, 0, key.ptr},
                                       {MHD_OPTION_END, 0, NULL}},
                              none[] = {{MHD_OPTION_END, 0, NULL}};
        unsigned flags =
            MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
        d = MHD_start_daemon(
            flags | (o->cert ? MHD_USE_TLS : 0), 0, NULL, NULL, on_request, s,
            MHD_OPTION_EXTERNAL_LOGGER, on_message, s, MHD_OPTION_LISTEN_SOCKET, fd,
            MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_CONNECTION_TIMEOUT,
            (unsigned)o->timeout_s, MHD_OPTION_CONNECTION_LIMIT, most_connections(),
            MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_UNESCAPE_CALLBACK, unescape,
            NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MAX,
            MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS, MHD_OPTION_ARRAY, o->cert ? tls : none,
            MHD_OPTION_END);
        if (!d) {
            close(fd);
            slx_fail(err, o->cert ? SLX_EINPUT : SLX_EIO, o->cert ? o->cert : "--port", 0, 0,
                     "%s%s: %s",
                     o->cert ? "cannot serve with this certificate and the key "
                             : "the HTTP server does not start",
                     o->cert ? o->key : "", s->why_not);
        }
    }
    s->listening = d != NULL;
    slx_buf_free(&cert);
    slx_buf_free(&key);
    return d;
}

void srv_http_stop_accepting(struct MHD_Daemon *d)
{
    int fd = MHD_quiesce_daemon(d);
    if (fd >= 0) close(fd);
}

void srv_http_close(struct MHD_Daemon *d)
{
    if (d) MHD_stop_daemon(d);
}
