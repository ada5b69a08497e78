/* request_values.c - parameters whose value is more than a number or a word: lists, objects, forms of answers. */
#include "server/request_int.h"

#include <stdlib.h>
#include <string.h>

bool srv_get_stop(srv_request *r, const srv_value *p, srv_error *e)
{
    size_t n = json_is_string(p->v) ? 1 : json_array_size(p->v);
    if (!json_is_string(p->v) && !json_is_array(p->v))
        return srv_invalid(e, "stop", "stop: expected a string or a list of them");
    if (n > SLX_MAX_STOPS)
        return srv_invalid(e, "stop", "stop: found %zu strings, expected at most %d", n,
                           SLX_MAX_STOPS);
    for (size_t i = 0; i < n; i++) {
        const json_t *s = json_is_string(p->v) ? p->v : json_array_get(p->v, i);
        if (!json_is_string(s) || !json_string_length(s))
            return srv_invalid(e, "stop", "stop: expected strings that are not empty");
        r->stops[r->n_stops++] = (slx_str){json_string_value(s), json_string_length(s)};
    }
    return true;
}

bool srv_get_bias(srv_request *r, const srv_value *p, srv_error *e)
{
    const char *key;
    json_t *x;
    if (!json_is_object(p->v))
        return srv_invalid(e, "logit_bias", "logit_bias: expected an object of token: bias");
    if (json_object_size(p->v) > SLX_MAX_BIAS)
        return srv_invalid(e, "logit_bias", "logit_bias: found %zu tokens, expected at most %d",
                           json_object_size(p->v), SLX_MAX_BIAS);
    r->bias = slx_xcalloc(json_object_size(p->v) + 1, sizeof *r->bias);
    json_object_foreach(p->v, key, x)
    {
        int64_t id;
        double add = json_number_value(x);
        if (!slx_parse_i64(key, 0, (int64_t)p->vocab - 1, &id))
            return srv_invalid(e, "logit_bias",
                               "logit_bias: found token \"%.40s\", expected 0 to %u", key,
                               p->vocab - 1);
        if (!json_is_number(x) || !(add >= -100 && add <= 100))
            return srv_invalid(e, "logit_bias",
                               "logit_bias of token %.40s: expected a number from -100 to 100",
                               key);
        r->bias[r->n_bias++] = (slx_logit_bias){(uint32_t)id, (float)add};
    }
    return true;
}

bool srv_get_stream_options(srv_request *r, const srv_value *p, srv_error *e)
{
    const char *key;
    json_t *x;
    if (!json_is_object(p->v))
        return srv_invalid(e, "stream_options", "stream_options: expected an object");
    json_object_foreach(p->v, key, x)
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

/* The form of a JSON answer, under the name `param`: chat nests the schema, responses have it flat. */
static bool get_format(srv_request *r, json_t *v, const char *param, srv_error *e)
{
    const char *type = json_string_value(json_object_get(v, "type"));
    static const char *const plain[] = {"type", NULL},
                             *const nested[] = {"type", "json_schema", NULL},
                             *const schema[] = {"name", "schema", "strict", "description", NULL},
                             *const flat[] = {"type",   "name",        "schema",
                                              "strict", "description", NULL};
    bool is_schema = type && !strcmp(type, "json_schema"), is_flat = r->api == SRV_RESPONSES;
    if (!type) return srv_invalid(e, param, "%s: expected an object with a type", param);
    if (!srv_only_keys(v, !is_schema ? plain : is_flat ? flat : nested, param, param, e))
        return false;
    if (!strcmp(type, "text")) return true;
    if (!strcmp(type, "json_object")) {
        r->format = SRV_FORMAT_JSON;
        return true;
    }
    if (!is_schema)
        return srv_invalid(e, param,
                           "%s: found type %.60s, expected text, json_object or json_schema", param,
                           type);
    const json_t *s = is_flat ? v : json_object_get(v, "json_schema");
    if (!is_flat && !srv_only_keys(s, schema, param, "json_schema", e)) return false;
    r->schema = json_object_get(s, "schema");
    r->schema_name = json_string_value(json_object_get(s, "name"));
    if (!json_is_object(r->schema) || !r->schema_name)
        return srv_invalid(e, param, "%s: expected a json_schema with name and schema", param);
    r->format = SRV_FORMAT_SCHEMA;
    return true;
}

bool srv_get_response_format(srv_request *r, const srv_value *p, srv_error *e)
{
    return get_format(r, p->v, p->name, e);
}

bool srv_get_text(srv_request *r, const srv_value *p, srv_error *e)
{
    const char *key;
    json_t *x;
    if (!json_is_object(p->v)) return srv_invalid(e, "text", "text: expected an object");
    json_object_foreach(p->v, key, x)
    {
        const char *word = json_string_value(x);
        if (!strcmp(key, "verbosity") && (json_is_null(x) || (word && !strcmp(word, "medium"))))
            continue;
        if (strcmp(key, "format"))
            return srv_refuse(
                e, 400, "invalid_request_error", "unsupported_parameter", "text",
                "text.%.60s: not supported here; text.format is, and verbosity medium", key);
        if (!json_is_null(x) && !get_format(r, x, "text.format", e)) return false;
    }
    return true;
}

/* Completions say how many alternatives, chat says whether and then how many. */
bool srv_get_logprobs(srv_request *r, const srv_value *p, srv_error *e)
{
    if (r->api == SRV_CHAT) {
        if (!json_is_boolean(p->v))
            return srv_invalid(e, "logprobs", "logprobs: expected true or false");
        r->logprobs = json_is_true(p->v);
        return true;
    }
    if (!json_is_integer(p->v) || json_integer_value(p->v) < 0 ||
        json_integer_value(p->v) > SLX_MAX_LOGPROBS)
        return srv_invalid(e, "logprobs", "logprobs: expected a whole number from 0 to %d",
                           SLX_MAX_LOGPROBS);
    r->logprobs = true;
    r->n_top = (uint32_t)json_integer_value(p->v);
    return true;
}

bool srv_get_prompt(srv_request *r, const srv_value *p, srv_error *e)
{
    bool tokens = json_is_array(p->v) && json_is_integer(json_array_get(p->v, 0));
    if (json_is_string(p->v) || tokens)
        r->prompts = json_pack("[O]", p->v);
    else if (json_is_array(p->v) && json_array_size(p->v))
        r->prompts = json_incref(p->v);
    else
        return srv_invalid(e, "prompt",
                           "prompt: expected text, a list of tokens, or a list of those");
    if (json_array_size(r->prompts) > SRV_MAX_CHOICES)
        return srv_invalid(e, "prompt", "prompt: found %zu prompts, expected at most %d",
                           json_array_size(r->prompts), SRV_MAX_CHOICES);
    for (size_t i = 0; i < json_array_size(r->prompts); i++) {
        const json_t *one = json_array_get(r->prompts, i);
        if (json_is_string(one)) continue;
        for (size_t k = 0; k < json_array_size(one); k++) {
            const json_t *id = json_array_get(one, k);
            if (!json_is_integer(id) || json_integer_value(id) < 0 ||
                json_integer_value(id) > UINT32_MAX)
                return srv_invalid(e, "prompt",
                                   "prompt: expected whole numbers in a list of tokens");
        }
        if (!json_array_size(one))
            return srv_invalid(e, "prompt", "prompt: found neither text nor tokens");
    }
    return true;
}

bool srv_get_parallel(srv_request *r, const srv_value *p, srv_error *e)
{
    if (!json_is_boolean(p->v))
        return srv_invalid(e, p->name, "%s: expected true or false", p->name);
    r->one_call = json_is_false(p->v);
    r->many_calls = json_is_true(p->v);
    return true;
}

/* Labels for what OpenAI stores. Nothing is stored here, so they change nothing; responses give them back. */
bool srv_get_metadata(srv_request *r, const srv_value *p, srv_error *e)
{
    const char *key;
    json_t *x;
    (void)r;
    if (!json_is_object(p->v) || json_object_size(p->v) > 16)
        return srv_invalid(e, "metadata", "metadata: expected an object of at most 16 texts");
    json_object_foreach(p->v, key, x)
    {
        if (!json_is_string(x) || json_string_length(x) > 512 || strlen(key) > 64)
            return srv_invalid(
                e, "metadata",
                "metadata.%.64s: expected text of at most 512 bytes under a name of at most 64",
                key);
    }
    return true;
}

bool srv_get_modalities(srv_request *r, const srv_value *p, srv_error *e)
{
    const char *only = json_string_value(json_array_get(p->v, 0));
    (void)r;
    if (json_array_size(p->v) == 1 && only && !strcmp(only, "text")) return true;
    return srv_refuse(e, 400, "invalid_request_error", "unsupported_value", "modalities",
                      "modalities: expected [\"text\"]: text in, text out");
}

/* What a response also holds. There is no reasoning apart from the text, so encrypted reasoning is never there. */
bool srv_get_include(srv_request *r, const srv_value *p, srv_error *e)
{
    if (!json_is_array(p->v)) return srv_invalid(e, "include", "include: expected a list");
    for (size_t i = 0; i < json_array_size(p->v); i++) {
        const char *what = json_string_value(json_array_get(p->v, i));
        if (what && !strcmp(what, "message.output_text.logprobs"))
            r->logprobs = true;
        else if (!what || strcmp(what, "reasoning.encrypted_content"))
            return srv_refuse(e, 400, "invalid_request_error", "unsupported_value", "include",
                              "include: found %.60s, expected message.output_text.logprobs or "
                              "reasoning.encrypted_content",
                              what ? what : "(no text)");
    }
    return true;
}
