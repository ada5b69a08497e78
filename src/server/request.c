/* request.c - see request.h. One row a parameter: where it is known, what it is, where its value goes. Values that are
 * more than a number or a word are read in request_values.c; messages of chat and the input of responses become the
 * template's messages in messages.c. */
#include "server/request.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "server/request_int.h"

/* Whatever a client sent may stand in a message, cut where it was too long: what is no whole character becomes '?'. */
static void make_text(char *p)
{
    const char *end = p + strlen(p);
    while (p < end) {
        uint32_t cp;
        int n = slx_utf8_get(p, end, &cp);
        if (!n || cp < 32 || cp == 127) *p = '?';
        p += n ? n : 1;
    }
}

bool srv_refuse(srv_error *e, int status, const char *type, const char *code, const char *param,
                const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    *e = (srv_error){.status = status, .type = type, .code = code};
    if (param) snprintf(e->param, sizeof e->param, "%s", param);
    vsnprintf(e->message, sizeof e->message, fmt, ap);
    va_end(ap);
    make_text(e->param);
    make_text(e->message);
    return false;
}

bool srv_invalid(srv_error *e, const char *param, const char *fmt, ...)
{
    va_list ap;
    char msg[sizeof e->message];
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    return srv_refuse(e, 400, "invalid_request_error", "invalid_value", param, "%s", msg);
}

bool srv_unknown(srv_error *e, const char *name)
{
    return srv_refuse(e, 400, "invalid_request_error", "unknown_parameter", name,
                      "found the unknown parameter \"%.60s\"", name);
}

bool srv_given(const json_t *body, const char *name)
{
    const json_t *v = json_object_get(body, name);
    return v && !json_is_null(v);
}

bool srv_only_keys(const json_t *v, const char *const *known, const char *param, const char *place,
                   srv_error *e)
{
    const char *key;
    json_t *x;
    json_object_foreach((json_t *)(uintptr_t)v, key, x)
    {
        bool ok = json_is_null(x);
        for (size_t i = 0; known[i]; i++) ok |= !strcmp(key, known[i]);
        if (!ok)
            return srv_refuse(e, 400, "invalid_request_error", "unsupported_parameter", param,
                              "%s: %.60s: not supported here", place, key);
    }
    return true;
}

bool srv_json_object(json_t **out, const char *body, size_t len, srv_error *e)
{
    json_error_t at;
    *out = json_loadb(body, len, JSON_REJECT_DUPLICATES, &at);
    if (!*out)
        return srv_refuse(e, 400, "invalid_request_error", "invalid_json", NULL,
                          "the body is not JSON: line %d, column %d: %s", at.line, at.column,
                          at.text);
    if (json_is_object(*out)) return true;
    json_decref(*out);
    *out = NULL;
    return srv_refuse(e, 400, "invalid_request_error", "invalid_json", NULL,
                      "the body is JSON, but not an object");
}

/* ------------------------------------------------------------------ the table */

enum {
    CHAT = SRV_CHAT,
    COMP = SRV_COMPLETIONS,
    RESP = SRV_RESPONSES,
    TEXT_APIS = CHAT | COMP,
    ALL = CHAT | COMP | RESP
};
typedef enum {
    FLAG,   /* bool */
    REAL,   /* float, low..high */
    COUNT,  /* uint32_t, low..high */
    SEED,   /* any whole number */
    STRING, /* const char * */
    LABEL,  /* a string that changes nothing: who the client says it is */
    CODE,   /* get */
    LATER,  /* messages.c */
    ONLY,   /* supported only with the value `why` names: false, or a word (beside auto: default) */
    NEVER   /* refused by name */
} kind;

typedef struct {
    const char *name;
    int apis;
    kind kind;
    size_t at;
    double low, high;
    const char *why;
    bool (*get)(srv_request *r, const srv_value *p, srv_error *e);
} parameter;

#define AT(m)      .at = offsetof(srv_request, m)
#define FROM(x, y) .low = (x), .high = (y)
#define WHY(text)  .why = (text)
#define GET(fn)    .get = (fn)
static const parameter parameters[] = {
    {"model", ALL, STRING, AT(model)},
    {"messages", CHAT, LATER, WHY(NULL)},
    {"input", RESP, LATER, WHY(NULL)},
    {"instructions", RESP, LATER, WHY(NULL)},
    {"prompt", COMP, CODE, GET(srv_get_prompt)},
    {"stream", ALL, FLAG, AT(stream)},
    {"stream_options", ALL, CODE, GET(srv_get_stream_options)},
    {"n", TEXT_APIS, COUNT, AT(n), FROM(1, SRV_MAX_CHOICES)},
    {"best_of", COMP, COUNT, AT(best_of), FROM(1, SRV_MAX_CHOICES)},
    {"max_tokens", TEXT_APIS, COUNT, AT(max_new), FROM(1, 1 << 24)},
    {"max_completion_tokens", CHAT, COUNT, AT(max_new), FROM(1, 1 << 24)},
    {"max_output_tokens", RESP, COUNT, AT(max_new), FROM(1, 1 << 24)},
    {"min_tokens", ALL, COUNT, AT(min_new), FROM(0, 1 << 24)},
    {"ignore_eos", ALL, FLAG, AT(ignore_eos)},
    {"temperature", ALL, REAL, AT(sampling.temperature), FROM(0, 2)},
    {"top_p", ALL, REAL, AT(sampling.top_p), FROM(0, 1)},
    {"top_k", ALL, COUNT, AT(sampling.top_k), FROM(0, 1024)},
    {"min_p", ALL, REAL, AT(sampling.min_p), FROM(0, 1)},
    {"seed", ALL, SEED, AT(sampling.seed)},
    {"stop", TEXT_APIS, CODE, GET(srv_get_stop)},
    {"logit_bias", TEXT_APIS, CODE, GET(srv_get_bias)},
    {"frequency_penalty", TEXT_APIS, REAL, AT(frequency), FROM(-2, 2)},
    {"presence_penalty", TEXT_APIS, REAL, AT(presence), FROM(-2, 2)},
    {"logprobs", TEXT_APIS, CODE, GET(srv_get_logprobs)},
    {"top_logprobs", CHAT | RESP, COUNT, AT(n_top), FROM(0, SLX_MAX_LOGPROBS)},
    {"include", RESP, CODE, GET(srv_get_include)},
    {"response_format", CHAT, CODE, GET(srv_get_response_format)},
    {"text", RESP, CODE, GET(srv_get_text)},
    {"tools", CHAT | RESP, LATER, WHY(NULL)},
    {"tool_choice", CHAT | RESP, LATER, WHY(NULL)},
    {"parallel_tool_calls", CHAT | RESP, CODE, GET(srv_get_parallel)},
    {"reasoning_effort", CHAT, LATER, WHY(NULL)},
    {"reasoning", RESP, LATER, WHY(NULL)},
    {"chat_template_kwargs", CHAT | RESP, LATER, WHY(NULL)},
    {"user", ALL, LABEL, WHY(NULL)},
    {"safety_identifier", CHAT | RESP, LABEL, WHY(NULL)},
    /* the prefix cache finds what is common by itself */
    {"prompt_cache_key", CHAT | RESP, LABEL, WHY(NULL)},
    {"prompt_cache_retention", CHAT | RESP, LABEL, WHY(NULL)},
    {"metadata", CHAT | RESP, CODE, GET(srv_get_metadata)},
    {"modalities", CHAT, CODE, GET(srv_get_modalities)},
    {"verbosity", CHAT, ONLY, WHY("medium")},
    {"service_tier", CHAT | RESP, ONLY, WHY("auto")},
    {"truncation", RESP, ONLY, WHY("disabled")},
    {"store", CHAT | RESP, ONLY, WHY("false")},
    {"background", RESP, ONLY, WHY("false")},
    {"echo", COMP, ONLY, WHY("false")},
    {"suffix", COMP, NEVER, WHY("the model continues a text, it does not fill one")},
    {"functions", CHAT, NEVER, WHY("replaced by tools")},
    {"function_call", CHAT, NEVER, WHY("replaced by tool_choice")},
    {"audio", CHAT, NEVER, WHY("text in, text out")},
    {"prediction", CHAT, NEVER, WHY(NULL)},
    {"web_search_options", CHAT, NEVER, WHY("there is no way out of this server")},
    {"previous_response_id", RESP, NEVER, WHY("nothing is stored: send the conversation as input")},
    {"conversation", RESP, NEVER, WHY("nothing is stored: send the conversation as input")},
    {"max_tool_calls", RESP, NEVER, WHY("there are no built-in tools")},
    {"prompt", RESP, NEVER, WHY("nothing is stored: there are no prompt templates")},
};

static const parameter *find(const char *name, srv_api api)
{
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        if ((parameters[i].apis & (int)api) && !strcmp(parameters[i].name, name))
            return &parameters[i];
    return NULL;
}

static bool is_only(const parameter *p, const json_t *v)
{
    const char *word = json_string_value(v);
    if (!strcmp(p->why, "false")) return json_is_false(v);
    return word && (!strcmp(word, p->why) || (!strcmp(p->why, "auto") && !strcmp(word, "default")));
}

static bool store(srv_request *r, const parameter *p, json_t *v, uint32_t vocab, srv_error *e)
{
    char *at = (char *)r + p->at;
    double x = json_number_value(v);
    switch (p->kind) {
    case FLAG:
        if (!json_is_boolean(v))
            return srv_invalid(e, p->name, "%s: expected true or false", p->name);
        memcpy(at, &(bool){json_is_true(v)}, sizeof(bool));
        return true;
    case REAL:
        if (!json_is_number(v) || !(x >= p->low && x <= p->high))
            return srv_invalid(e, p->name, "%s: expected a number from %g to %g", p->name, p->low,
                               p->high);
        memcpy(at, &(float){(float)x}, sizeof(float));
        return true;
    case COUNT:
        if (!json_is_integer(v) || !(x >= p->low && x <= p->high))
            return srv_invalid(e, p->name, "%s: expected a whole number from %.0f to %.0f", p->name,
                               p->low, p->high);
        memcpy(at, &(uint32_t){(uint32_t)x}, sizeof(uint32_t));
        return true;
    case SEED:
        if (!json_is_integer(v))
            return srv_invalid(e, p->name, "%s: expected a whole number", p->name);
        r->sampling.seed = (uint64_t)json_integer_value(v);
        r->seeded = true;
        return true;
    case STRING:
    case LABEL:
        if (!json_is_string(v)) return srv_invalid(e, p->name, "%s: expected a string", p->name);
        if (p->kind == STRING)
            memcpy(at, &(const char *){json_string_value(v)}, sizeof(const char *));
        return true;
    case ONLY:
        if (is_only(p, v)) return true;
        return srv_refuse(e, 400, "invalid_request_error", "unsupported_parameter", p->name,
                          "%s: only %s is supported here", p->name, p->why);
    case NEVER:
        return srv_refuse(e, 400, "invalid_request_error", "unsupported_parameter", p->name,
                          "%s: not supported here%s%s", p->name, p->why ? ": " : "",
                          p->why ? p->why : "");
    case CODE: return p->get(r, &(srv_value){p->name, v, vocab}, e);
    case LATER: return true;
    }
    return true;
}

static bool check(srv_request *r, srv_error *e)
{
    uint64_t choices = r->n * (r->prompts ? json_array_size(r->prompts) : 1);
    const char *needed = r->api == SRV_CHAT        ? "messages"
                         : r->api == SRV_RESPONSES ? "input"
                                                   : "prompt";
    if (!srv_given(r->body, needed))
        return srv_refuse(e, 400, "invalid_request_error", "missing_required_parameter", needed,
                          "%s: missing", needed);
    if (srv_given(r->body, "max_tokens") && srv_given(r->body, "max_completion_tokens"))
        return srv_invalid(
            e, "max_tokens",
            "max_tokens and max_completion_tokens: found both, expected one of them");
    if (choices > SRV_MAX_CHOICES)
        return srv_invalid(e, "n", "n: %llu answers in all, expected at most %d",
                           (unsigned long long)choices, SRV_MAX_CHOICES);
    if (r->api == SRV_RESPONSES && r->n_top) r->logprobs = true;
    if (r->api == SRV_CHAT && r->n_top && !r->logprobs)
        return srv_invalid(e, "top_logprobs", "top_logprobs: needs logprobs: true");
    if (r->include_usage && !r->stream)
        return srv_invalid(e, "stream_options", "stream_options: needs stream: true");
    if (!(r->sampling.top_p > 0))
        return srv_invalid(e, "top_p", "top_p: expected a number above 0");
    if (r->best_of && r->best_of != r->n)
        return srv_refuse(e, 400, "invalid_request_error", "unsupported_value", "best_of",
                          "best_of: only the same as n is supported here: ask for n and choose");
    if (r->max_new && r->min_new > r->max_new)
        return srv_invalid(e, "min_tokens",
                           "min_tokens: found %u, expected at most the %u that may come",
                           r->min_new, r->max_new);
    if ((r->min_new || r->ignore_eos) &&
        (r->format != SRV_FORMAT_TEXT || r->tool_choice == SRV_TOOLS_REQUIRED || r->strict))
        return srv_invalid(e, r->min_new ? "min_tokens" : "ignore_eos",
                           "%s: an answer that must be JSON or a call ends where that ends",
                           r->min_new ? "min_tokens" : "ignore_eos");
    return true;
}

bool srv_request_parse(srv_request *r, srv_api api, const char *body, size_t len, uint32_t vocab,
                       srv_error *e)
{
    const char *key;
    json_t *v;
    memset(r, 0, sizeof *r);
    r->api = api;
    r->n = 1;
    r->sampling = (slx_sampling){.temperature = 1, .top_p = 1};
    if (!srv_json_object(&r->body, body, len, e)) return false;
    if (api == SRV_COMPLETIONS) r->max_new = 16; /* as OpenAI documents */
    bool ok = true;
    json_object_foreach(r->body, key, v)
    {
        const parameter *p = find(key, api);
        if (!p)
            ok = srv_unknown(e, key);
        else if (!json_is_null(v))
            ok = store(r, p, v, vocab, e);
        if (!ok) break;
    }
    ok = ok && (api == SRV_COMPLETIONS || srv_get_messages(r, e)) && check(r, e);
    if (!ok) srv_request_free(r);
    return ok;
}

void srv_request_free(srv_request *r)
{
    if (r->vars) json_decref(r->vars);
    if (r->prompts) json_decref(r->prompts);
    if (r->functions) json_decref(r->functions);
    if (r->body) json_decref(r->body);
    free(r->bias);
    memset(r, 0, sizeof *r);
}
