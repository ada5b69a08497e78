/* gate.c - what a request must have before its body is read: one framing that all readers see alike, a key, a path of
 * ours and its method, a body of JSON that is not too large. Refused in this order: who has no key learns nothing.
 */
#include "server/http_int.h"

#include <string.h>
#include <strings.h>

#include "server/page.h"

static const struct {
    const char *path, *method;
    srv_route to;
    bool open; /* answers without a key */
} routes[] = {
    {"/health", "GET", SRV_AT_HEALTH, true},
    {"/ready", "GET", SRV_AT_READY, true},
    {"/metrics", "GET", SRV_AT_METRICS, false},
    {"/v1/models", "GET", SRV_AT_MODELS, false},
    {"/tokenize", "POST", SRV_AT_TOKENIZE, false},
    {"/detokenize", "POST", SRV_AT_DETOKENIZE, false},
    {"/live", "GET", SRV_AT_LIVE, false},
    {"/v1/chat/completions", "POST", SRV_AT_CHAT, false},
    {"/v1/completions", "POST", SRV_AT_COMPLETIONS, false},
    {"/v1/responses", "POST", SRV_AT_RESPONSES, false},
};

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
        x->kind = SRV_AT_MODEL;
        allowed = "GET";
    }
    srv_page_file file;
    if (!allowed && srv_page_find(url, &file)) {
        x->kind = SRV_AT_PAGE;
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
static bool check_framing(const srv_exchange *x, const char *version, srv_error *e)
{
    header_count n = {0};
    const char *what = NULL;
    MHD_get_connection_values(x->mhd, MHD_HEADER_KIND, count_header, &n);
    if (!n.hosts && !strcmp(version, MHD_HTTP_VERSION_1_1))
        what = "no Host, which HTTP/1.1 asks for";
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

bool srv_gate(srv_exchange *x, const char *url, const char *method, const char *version,
              srv_error *e)
{
    const char *length = header(x, "Content-Length"), *type = header(x, "Content-Type");
    int64_t bytes = 0;
    if (!check_framing(x, version, e)) return false;
    if (length && !slx_parse_i64(length, 0, INT64_MAX, &bytes))
        return srv_refuse(e, 400, "invalid_request_error", "bad_request", NULL,
                          "Content-Length is no number");
    if (!find_route(x, url, method, e)) return false;
    if (bytes > SRV_BODY_READ)
        return srv_refuse(e, 413, "invalid_request_error", "too_large", NULL,
                          "found a body of %lld bytes, expected at most %d", (long long)bytes,
                          SRV_BODY_MAX);
    if (!strcmp(method, "POST") && !is_json(type))
        return srv_refuse(e, 415, "invalid_request_error", "unsupported_media_type", NULL,
                          "found Content-Type %.60s, expected application/json",
                          type ? type : "(none)");
    return true;
}
