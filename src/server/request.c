/* request.c - see request.h. One row a parameter: where it is known, what it is, where its value goes. Messages of chat
 * and the input of responses become the template's messages in messages.c. */
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

static bool unsupported(srv_error *e, const char *param, const char *why)
{
    return srv_refuse(e, 400, "invalid_request_error", "unsupported_parameter", param,
                      "%s: not supported here%s%s", param, *why ? ": " : "", why);
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

/* ------------------------------------------------------------------ parameters that need a word of code */

static bool get_stop(srv_request *r, const json_t *v, srv_error *e)
{
    size_t n = json_is_string(v) ? 1 : json_array_size(v);
    if (!json_is_string(v) && !json_is_array(v))
        return srv_invalid(e, "stop", "stop: expected a string or a list of them");
    if (n > SLX_MAX_STOPS)
        return srv_invalid(e, "stop", "stop: found %zu strings, expected at most %d", n,
                           SLX_MAX_STOPS);
    for (size_t i = 0; i < n; i++) {
        const json_t *s = json_is_string(v) ? v : json_array_get(v, i);
        if (!json_is_string(s) || !json_string_length(s))
            return srv_invalid(e, "stop", "stop: expected strings that are not empty");
        r->stops[r->n_stops++] = (slx_str){json_string_value(s), json_string_length(s)};
    }
    return true;
}

static bool get_bias(srv_request *r, const json_t *v, uint32_t vocab, srv_error *e)
{
    const char *key;
    json_t *x;
    if (!json_is_object(v))
        return srv_invalid(e, "logit_bias", "logit_bias: expected an object of token: bias");
    if (json_object_size(v) > SLX_MAX_BIAS)
        return srv_invalid(e, "logit_bias", "logit_bias: found %zu tokens, expected at most %d",
                           json_object_size(v), SLX_MAX_BIAS);
    r->bias = slx_xcalloc(json_object_size(v) + 1, sizeof *r->bias);
    json_object_foreach((json_t *)(uintptr_t)v, key, x)
    {
        int64_t id;
        double add = json_number_value(x);
        if (!slx_parse_i64(key, 0, (int64_t)vocab - 1, &id))
            return srv_invalid(e, "logit_bias",
                               "logit_bias: found token \"%.40s\", expected 0 to %u", key,
                               vocab - 1);
        if (!json_is_number(x) || !(add >= -100 && add <= 100))
            return srv_invalid(e, "logit_bias",
                               "logit_bias of token %.40s: expected a number from -100 to 100",
                               key);
        r->bias[r->n_bias++] = (slx_logit_bias){(uint32_t)id, (float)add};
    }
    return true;
}

static bool get_stream_options(srv_request *r, const json_t *v, srv_error *e)
{
    const char *key;
    json_t *x;
    if (!json_is_object(v))
        return srv_invalid(e, "stream_options", "stream_options: expected an object");
    json_object_foreach((json_t *)(uintptr_t)v, key, x)
    {
        if (!strcmp(key, "include_usage") && json_is_boolean(x))
            r->include_usage = json_is_true(x);
        else if (strcmp(key, "include_obfuscation") || !json_is_false(x))
            return srv_invalid(e, "stream_options",
                               "stream_options: found %.60s, expected include_usage: true or false",
                               key);
    }
    return true;
}

/* {"type":"json_schema", "json_schema":{name, schema, strict}}; responses have it flat. */
static bool get_format(srv_request *r, const json_t *v, const char *param, srv_error *e)
{
    const char *type = json_string_value(json_object_get(v, "type"));
    if (!type) return srv_invalid(e, param, "%s: expected an object with a type", param);
    if (!strcmp(type, "text")) return true;
    if (!strcmp(type, "json_object")) {
        r->format = SRV_FORMAT_JSON;
        return true;
    }
    if (strcmp(type, "json_schema"))
        return srv_invalid(e, param,
                           "%s: found type %.60s, expected text, json_object or json_schema", param,
                           type);
    const json_t *s = r->api == SRV_RESPONSES ? v : json_object_get(v, "json_schema");
    r->schema = json_object_get(s, "schema");
    r->schema_name = json_string_value(json_object_get(s, "name"));
    if (!json_is_object(r->schema) || !r->schema_name)
        return srv_invalid(e, param, "%s: expected a json_schema with name and schema", param);
    r->format = SRV_FORMAT_SCHEMA;
    return true;
}

static bool get_text(srv_request *r, const json_t *v, srv_error *e)
{
    const char *key;
    json_t *x;
    if (!json_is_object(v)) return srv_invalid(e, "text", "text: expected an object");
    json_object_foreach((json_t *)(uintptr_t)v, key, x)
    {
        if (strcmp(key, "format")) return unsupported(e, "text", "only text.format is");
        if (!get_format(r, x, "text.format", e)) return false;
    }
    return true;
}

/* Completions say how many alternatives, chat says whether and then how many. */
static bool get_logprobs(srv_request *r, const json_t *v, srv_error *e)
{
    if (r->api == SRV_CHAT) {
        if (!json_is_boolean(v))
            return srv_invalid(e, "logprobs", "logprobs: expected true or false");
        r->logprobs = json_is_true(v);
        return true;
    }
    if (!json_is_integer(v) || json_integer_value(v) < 0 ||
        json_integer_value(v) > SLX_MAX_LOGPROBS)
        return srv_invalid(e, "logprobs", "logprobs: expected a whole number from 0 to %d",
                           SLX_MAX_LOGPROBS);
    r->logprobs = true;
    r->n_top = (uint32_t)json_integer_value(v);
    return true;
}

static bool get_prompt(srv_request *r, json_t *v, srv_error *e)
{
    bool tokens = json_is_array(v) && json_is_integer(json_array_get(v, 0));
    if (json_is_string(v) || tokens)
        r->prompts = json_pack("[O]", v);
    else if (json_is_array(v) && json_array_size(v))
        r->prompts = json_incref(v);
    else
        return srv_invalid(e, "prompt",
                           "prompt: expected text, a list of tokens, or a list of those");
    if (json_array_size(r->prompts) > SRV_MAX_CHOICES)
        return srv_invalid(e, "prompt", "prompt: found %zu prompts, expected at most %d",
                           json_array_size(r->prompts), SRV_MAX_CHOICES);
    for (size_t i = 0; i < json_array_size(r->prompts); i++) {
        const json_t *p = json_array_get(r->prompts, i);
        if (json_is_string(p)) continue;
        for (size_t k = 0; k < json_array_size(p); k++) {
            const json_t *id = json_array_get(p, k);
            if (!json_is_integer(id) || json_integer_value(id) < 0 ||
                json_integer_value(id) > UINT32_MAX)
                return srv_invalid(e, "prompt",
                                   "prompt: expected whole numbers in a list of tokens");
        }
        if (!json_array_size(p))
            return srv_invalid(e, "prompt", "prompt: found neither text nor tokens");
    }
    return true;
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
    CODE,   /* get_parameter */
    ONLY,   /* supported only with the value `why` names: false, or a word */
    NEVER   /* refused by name */
} kind;

typedef struct {
    const char *name;
    int apis;
    kind kind;
    size_t at;
    double low, high;
    const char *why;
} parameter;

#define AT(m) offsetof(srv_request, m)
static const parameter parameters[] = {
    {"model", ALL, STRING, AT(model), 0, 0, ""},
    {"messages", CHAT, CODE, 0, 0, 0, ""},
    {"input", RESP, CODE, 0, 0, 0, ""},
    {"instructions", RESP, CODE, 0, 0, 0, ""},
    {"prompt", COMP, CODE, 0, 0, 0, ""},
    {"stream", ALL, FLAG, AT(stream), 0, 0, ""},
    {"stream_options", ALL, CODE, 0, 0, 0, ""},
    {"n", TEXT_APIS, COUNT, AT(n), 1, SRV_MAX_CHOICES, ""},
    {"max_tokens", TEXT_APIS, COUNT, AT(max_new), 1, 1 << 24, ""},
    {"max_completion_tokens", CHAT, COUNT, AT(max_new), 1, 1 << 24, ""},
    {"max_output_tokens", RESP, COUNT, AT(max_new), 1, 1 << 24, ""},
    {"temperature", ALL, REAL, AT(sampling.temperature), 0, 100, ""},
    {"top_p", ALL, REAL, AT(sampling.top_p), 0, 1, ""},
    {"top_k", ALL, COUNT, AT(sampling.top_k), 0, 1024, ""},
    {"min_p", ALL, REAL, AT(sampling.min_p), 0, 1, ""},
    {"seed", ALL, SEED, AT(sampling.seed), 0, 0, ""},
    {"stop", TEXT_APIS, CODE, 0, 0, 0, ""},
    {"logit_bias", TEXT_APIS, CODE, 0, 0, 0, ""},
    {"frequency_penalty", TEXT_APIS, REAL, AT(frequency), -2, 2, ""},
    {"presence_penalty", TEXT_APIS, REAL, AT(presence), -2, 2, ""},
    {"logprobs", TEXT_APIS, CODE, 0, 0, 0, ""},
    {"top_logprobs", CHAT, COUNT, AT(n_top), 0, SLX_MAX_LOGPROBS, ""},
    {"response_format", CHAT, CODE, 0, 0, 0, ""},
    {"text", RESP, CODE, 0, 0, 0, ""},
    {"tools", CHAT | RESP, CODE, 0, 0, 0, ""},
    {"tool_choice", CHAT | RESP, CODE, 0, 0, 0, ""},
    {"parallel_tool_calls", CHAT | RESP, CODE, 0, 0, 0, ""},
    {"reasoning_effort", CHAT, CODE, 0, 0, 0, ""},
    {"chat_template_kwargs", CHAT, CODE, 0, 0, 0, ""},
    {"user", ALL, LABEL, 0, 0, 0, ""},
    {"safety_identifier", CHAT | RESP, LABEL, 0, 0, 0, ""},
    {"service_tier", CHAT | RESP, ONLY, 0, 0, 0, "auto"},
    {"truncation", RESP, ONLY, 0, 0, 0, "disabled"},
    {"store", CHAT | RESP, ONLY, 0, 0, 0, "false"},
    {"background", RESP, ONLY, 0, 0, 0, "false"},
    {"echo", COMP, ONLY, 0, 0, 0, "false"},
    {"metadata", CHAT | RESP, NEVER, 0, 0, 0, "nothing is stored"},
    {"best_of", COMP, NEVER, 0, 0, 0, "ask for n and choose"},
    {"suffix", COMP, NEVER, 0, 0, 0, "the model continues a text, it does not fill one"},
    {"functions", CHAT, NEVER, 0, 0, 0, "replaced by tools"},
    {"function_call", CHAT, NEVER, 0, 0, 0, "replaced by tool_choice"},
    {"modalities", CHAT, NEVER, 0, 0, 0, "text in, text out"},
    {"audio", CHAT, NEVER, 0, 0, 0, "text in, text out"},
    {"prediction", CHAT, NEVER, 0, 0, 0, ""},
    {"web_search_options", CHAT, NEVER, 0, 0, 0, "there is no way out of this server"},
    {"verbosity", CHAT, NEVER, 0, 0, 0, ""},
    {"prompt_cache_key", CHAT | RESP, NEVER, 0, 0, 0,
     "the prefix cache finds what is common by itself"},
    {"previous_response_id", RESP, NEVER, 0, 0, 0,
     "nothing is stored: send the conversation as input"},
    {"conversation", RESP, NEVER, 0, 0, 0, "nothing is stored: send the conversation as input"},
    {"reasoning", RESP, NEVER, 0, 0, 0, ""},
    {"include", RESP, NEVER, 0, 0, 0, ""},
    {"max_tool_calls", RESP, NEVER, 0, 0, 0, "there are no built-in tools"},
    {"top_logprobs", RESP, NEVER, 0, 0, 0, "chat completions have it"},
    {"prompt", RESP, NEVER, 0, 0, 0, "nothing is stored: there are no prompt templates"},
};

static const parameter *find(const char *name, srv_api api)
{
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        if ((parameters[i].apis & (int)api) && !strcmp(parameters[i].name, name))
            return &parameters[i];
    return NULL;
}

static bool get_parameter(srv_request *r, const parameter *p, json_t *v, uint32_t vocab,
                          srv_error *e)
{
    static const char *const later[] = {"messages",
                                        "input",
                                        "instructions",
                                        "tools",
                                        "tool_choice",
                                        "reasoning_effort",
                                        "chat_template_kwargs"};
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        if (!strcmp(p->name, later[i])) return true; /* messages.c */
    if (!strcmp(p->name, "stop")) return get_stop(r, v, e);
    if (!strcmp(p->name, "logit_bias")) return get_bias(r, v, vocab, e);
    if (!strcmp(p->name, "stream_options")) return get_stream_options(r, v, e);
    if (!strcmp(p->name, "logprobs")) return get_logprobs(r, v, e);
    if (!strcmp(p->name, "response_format")) return get_format(r, v, "response_format", e);
    if (!strcmp(p->name, "text")) return get_text(r, v, e);
    if (!strcmp(p->name, "prompt")) return get_prompt(r, v, e);
    if (!strcmp(p->name, "parallel_tool_calls")) {
        if (!json_is_boolean(v))
            return srv_invalid(e, p->name, "%s: expected true or false", p->name);
        r->one_call = json_is_false(v);
        return true;
    }
    SLX_BUG("parameter %s", p->name);
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
        if (!strcmp(p->why, "false")
                ? json_is_false(v)
                : json_is_string(v) && (!strcmp(json_string_value(v), p->why) ||
                                        !strcmp(json_string_value(v), "default")))
            return true;
        return srv_refuse(e, 400, "invalid_request_error", "unsupported_parameter", p->name,
                          "%s: only %s is supported here", p->name, p->why);
    case NEVER: return unsupported(e, p->name, p->why);
    case CODE: return get_parameter(r, p, v, vocab, e);
    }
    return true;
}

static bool check(srv_request *r, srv_error *e)
{
    uint64_t choices = r->n * (r->prompts ? json_array_size(r->prompts) : 1);
    const char *needed = r->api == SRV_CHAT        ? "messages"
                         : r->api == SRV_RESPONSES ? "input"
                                                   : "prompt";
    if (!json_object_get(r->body, needed) || json_is_null(json_object_get(r->body, needed)))
        return srv_refuse(e, 400, "invalid_request_error", "missing_required_parameter", needed,
                          "%s: missing", needed);
    if (choices > SRV_MAX_CHOICES)
        return srv_invalid(e, "n", "n: %llu answers in all, expected at most %d",
                           (unsigned long long)choices, SRV_MAX_CHOICES);
    if (r->api == SRV_CHAT && r->n_top && !r->logprobs)
        return srv_invalid(e, "top_logprobs", "top_logprobs: needs logprobs: true");
    if (r->include_usage && !r->stream)
        return srv_invalid(e, "stream_options", "stream_options: needs stream: true");
    if (!(r->sampling.top_p > 0))
        return srv_invalid(e, "top_p", "top_p: expected a number above 0");
    if (r->format != SRV_FORMAT_TEXT && r->tools && r->tool_choice != SRV_TOOLS_NONE)
        return srv_invalid(e, "tools",
                           "tools: together with a JSON response format: not supported here");
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
            ok = srv_refuse(e, 400, "invalid_request_error", "unknown_parameter", NULL,
                            "found the unknown parameter \"%.60s\"", key);
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
    if (r->body) json_decref(r->body);
    free(r->bias);
    memset(r, 0, sizeof *r);
}
