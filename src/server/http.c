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
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server/page.h"

enum {
    BODY_MAX = 10 << 20,
    BODY_READ =
        64 << 20, /* read to its end and dropped, so that the client sees why it is refused */
    HEADERS_MAX = 32 << 10, /* of one connection, its small bodies included */
    CONNECTIONS = 4096,     /* or as many as there may be open files */
    OTHER_FILES = 64,       /* of them not for connections */
    HEADER_S =
        10, /* a connection that has not sent its headers waits at most so long for its next byte */
    THREADS = 2
};

typedef enum {
    HEALTH,
    READY,
    METRICS,
    MODELS,
    MODEL, /* /v1/models/NAME */
    TOKENIZE,
    DETOKENIZE,
    LIVE,
    CHAT,
    COMPLETIONS,
    RESPONSES,
    PAGE
} route;

static const struct {
    const char *path, *method;
    route to;
    bool open; /* answers without a key */
} routes[] = {
    {"/health", "GET", HEALTH, true},
    {"/ready", "GET", READY, true},
    {"/metrics", "GET", METRICS, false},
    {"/v1/models", "GET", MODELS, false},
    {"/tokenize", "POST", TOKENIZE, false},
    {"/detokenize", "POST", DETOKENIZE, false},
    {"/live", "GET", LIVE, false},
    {"/v1/chat/completions", "POST", CHAT, false},
    {"/v1/completions", "POST", COMPLETIONS, false},
    {"/v1/responses", "POST", RESPONSES, false},
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
        json_decref(c->call_ids);
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

/* ------------------------------------------------------------------ headers: before a body is read */

static const char *header(const srv_exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->mhd, MHD_HEADER_KIND, name);
}

/* Without keys only this machine may ask, and no page of another site through a browser: it has another name for us. */
static bool host_is_local(const srv_exchange *x)
{
    static const char *const local[] = {"localhost", "127.0.0.1", "[::1]"};
    const char *host = header(x, "Host");
    for (size_t i = 0; host && i < sizeof local / sizeof *local; i++) {
        size_t n = strlen(local[i]);
        if (!strncasecmp(host, local[i], n) && (!host[n] || host[n] == ':')) return true;
    }
    return !host;
}

static bool check_key(srv_exchange *x, srv_error *e)
{
    srv_server *s = x->s;
    const char *auth = header(x, "Authorization");
    slx_err err;
    if (!s->store) {
        if (!host_is_local(x))
            return srv_refuse(e, 403, "invalid_request_error", "forbidden", NULL,
                              "without keys this server answers to the names localhost, 127.0.0.1 "
                              "and [::1] only");
        return true;
    }
    if (!auth || strncasecmp(auth, "Bearer ", 7))
        return srv_refuse(e, 401, "invalid_request_error", "invalid_api_key", NULL,
                          "no key: send the header Authorization: Bearer KEY");
    switch (srv_store_find(s->store, auth + 7, strlen(auth + 7), &x->who, &err)) {
    case SRV_KEY_OK: x->known = true; return true;
    case SRV_KEY_REVOKED:
        return srv_refuse(e, 401, "invalid_request_error", "invalid_api_key", NULL,
                          "the key has been revoked");
    case SRV_KEY_UNKNOWN:
        return srv_refuse(e, 401, "invalid_request_error", "invalid_api_key", NULL,
                          "this key is not known here");
    default:
        srv_log("error", "keys", "{s:s, s:s}", "id", x->id, "why", err.msg);
        return srv_refuse(e, 503, "server_error", "keys_unavailable", NULL,
                          "keys cannot be looked up now");
    }
}

static bool find_route(srv_exchange *x, const char *url, const char *method, srv_error *e)
{
    const char *allowed = NULL;
    bool is_open = false;
    if (!strcmp(method, "HEAD")) method = "GET"; /* libmicrohttpd leaves the body out */
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (strcmp(url, routes[i].path)) continue;
        x->kind = (int)routes[i].to;
        allowed = routes[i].method;
        is_open = routes[i].open;
    }
    if (!allowed && !strncmp(url, "/v1/models/", 11)) {
        x->kind = MODEL;
        allowed = "GET";
    }
    srv_page_file file;
    if (!allowed && srv_page_find(url, &file)) {
        x->kind = PAGE;
        allowed = "GET";
        is_open = true;
    }
    /* who has no key learns nothing of what is here */
    if (!is_open && !check_key(x, e)) return false;
    if (!allowed)
        return srv_refuse(
            e, 404, "invalid_request_error", "unknown_url", NULL,
            "nothing at %.200s: chat/completions, completions, responses and models are served",
            url);
    return !strcmp(method, allowed) ||
           srv_refuse(e, 405, "invalid_request_error", "method_not_allowed", NULL, "%.80s takes %s",
                      url, allowed);
}

/* What the headers of one request hold that must not be there twice, or not at all. */
typedef struct {
    int lengths, codings, hosts, keys, types;
    bool bad_name, bad_coding;
} header_count;

/* RFC 9110: a name is of these characters; a blank before the colon has hidden headers from proxies. */
static bool is_token(const char *name)
{
    static const char other[] = "!#$%&'*+-.^_`|~";
    for (const char *p = name; *p; p++)
        if (!((*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') ||
              strchr(other, *p)))
            return false;
    return *name != 0;
}

static enum MHD_Result count_header(void *arg, enum MHD_ValueKind what, const char *name,
                                    const char *value)
{
    header_count *n = arg;
    (void)what;
    n->bad_name |= !is_token(name);
    n->lengths += !strcasecmp(name, "Content-Length");
    n->hosts += !strcasecmp(name, "Host");
    n->keys += !strcasecmp(name, "Authorization");
    n->types += !strcasecmp(name, "Content-Type");
    if (!strcasecmp(name, "Transfer-Encoding")) {
        n->codings++;
        n->bad_coding |= !value || strcasecmp(value, "chunked");
    }
    return MHD_YES;
}

/* Where two readers of one request could see two different ones: so requests are smuggled past a proxy. */
static bool check_framing(const srv_exchange *x, srv_error *e)
{
    header_count n = {0};
    const char *what = NULL;
    MHD_get_connection_values(x->mhd, MHD_HEADER_KIND, count_header, &n);
    if (n.bad_name) what = "a header whose name is none";
    if (n.lengths && n.codings) what = "both Content-Length and Transfer-Encoding";
    if (n.bad_coding) what = "a Transfer-Encoding other than chunked";
    if (n.lengths > 1 || n.codings > 1 || n.hosts > 1 || n.keys > 1 || n.types > 1)
        what = "Content-Length, Transfer-Encoding, Host, Authorization or Content-Type twice";
    return !what ||
           srv_refuse(e, 400, "invalid_request_error", "bad_request", NULL, "found %s", what);
}

static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    return type && !strncasecmp(type, json, sizeof json - 1) &&
           strchr("; \t", type[sizeof json - 1]);
}

static bool check_headers(srv_exchange *x, const char *url, const char *method, srv_error *e)
{
    const char *length = header(x, "Content-Length"), *type = header(x, "Content-Type");
    int64_t bytes = 0;
    if (!check_framing(x, e)) return false;
    if (length && !slx_parse_i64(length, 0, INT64_MAX, &bytes))
        return srv_refuse(e, 400, "invalid_request_error", "bad_request", NULL,
                          "Content-Length is no number");
    if (!find_route(x, url, method, e)) return false;
    if (bytes > BODY_READ)
        return srv_refuse(e, 413, "invalid_request_error", "too_large", NULL,
                          "found a body of %lld bytes, expected at most %d", (long long)bytes,
                          BODY_MAX);
    if (!strcmp(method, "POST") && !is_json(type))
        return srv_refuse(e, 415, "invalid_request_error", "unsupported_media_type", NULL,
                          "found Content-Type %.60s, expected application/json",
                          type ? type : "(none)");
    return true;
}

static enum MHD_Result answer(srv_exchange *x)
{
    switch ((route)x->kind) {
    case HEALTH: return srv_send_json(x, json_pack("{s:s}", "status", "ok"));
    case READY: return srv_ready(x);
    case METRICS: return srv_metrics_page(x);
    case MODELS: return srv_models(x);
    case MODEL: return srv_model(x);
    case TOKENIZE: return srv_tokenize(x);
    case DETOKENIZE: return srv_detokenize(x);
    case LIVE: return srv_send_json(x, srv_live_json(x->s));
    case CHAT: return srv_begin_answer(x, SRV_CHAT);
    case COMPLETIONS: return srv_begin_answer(x, SRV_COMPLETIONS);
    case RESPONSES: return srv_begin_answer(x, SRV_RESPONSES);
    case PAGE: return srv_page(x);
    }
    SLX_BUG("route %d", x->kind);
}

/* ------------------------------------------------------------------ libmicrohttpd */

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
    (void)state;
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        set_timeout(mhd, s->opt->timeout_s < HEADER_S ? s->opt->timeout_s : HEADER_S);
}

/* Called with the headers, then with each piece of the body, then without data; and again after a resume. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    srv_server *s = arg;
    srv_exchange *x = *state;
    srv_error e;
    (void)version;
    if (!x) {
        x = *state = srv_exchange_new(s);
        x->mhd = mhd;
        set_timeout(mhd, s->opt->timeout_s);
        x->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        snprintf(x->method, sizeof x->method, "%s", method);
        snprintf(x->path, sizeof x->path, "%s", url);
        for (char *p = x->path; *p; p++)
            if ((unsigned char)*p < 33 || (unsigned char)*p > 126) *p = '?'; /* for the log */
        if (!check_headers(x, url, method, &e)) return srv_send_error(x, &e);
        return MHD_YES;
    }
    if (*size) {
        if (x->in.len + *size > BODY_MAX) x->too_large = true;
        if (!x->too_large) slx_buf_add(&x->in, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (x->too_large) {
        srv_refuse(&e, 413, "invalid_request_error", "too_large", NULL,
                   "found a body of more than %d bytes", BODY_MAX);
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
    (void)mhd;
    if (!x) return;
    *state = NULL;
    pthread_mutex_lock(&x->lock);
    bool under_way = x->submitted && !x->done;
    bool left = x->gone || why != MHD_REQUEST_TERMINATED_COMPLETED_OK;
    x->gone = true;
    pthread_mutex_unlock(&x->lock);
    if (under_way) srv_worker_cancel(s->worker, x);
    srv_metrics_response(s->metrics, left ? 499 : x->status);
    bool quiet = x->kind == HEALTH || x->kind == READY || x->kind == METRICS || x->kind == LIVE ||
                 x->kind == PAGE;
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
    if (s->listening)
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
            MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS, MHD_OPTION_STRICT_FOR_CLIENT, 1,
            MHD_OPTION_ARRAY, o->cert ? tls : none, MHD_OPTION_END);
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
