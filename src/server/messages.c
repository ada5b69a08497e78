/* messages.c - a conversation as the API has it, to the variables a chat template reads.
 *
 *   chat       messages [{role, content: text or [{type: text}], tool_calls, tool_call_id}]
 *   responses  input: text, or items {role, content: text or [{type: input_text | output_text}]}, function_call,
 *              function_call_output; instructions become the system message
 *
 * Arguments of tool calls come as JSON in a string and go to the template as the object, as templates expect. Only what
 * is text passes; everything else is refused by name.
 */
#include "server/request_int.h"

#include <string.h>

/* ------------------------------------------------------------------ content */

static bool text_part(const char *type)
{
    return !strcmp(type, "text") || !strcmp(type, "input_text") || !strcmp(type, "output_text");
}

/* Text, or parts of text joined; NULL with e filled. */
static json_t *get_content(const json_t *v, const char *place, srv_error *e)
{
    if (json_is_string(v)) return json_incref((json_t *)(uintptr_t)v);
    slx_buf text = {0};
    if (!json_is_array(v)) {
        srv_invalid(e, "messages", "%s: expected content of text", place);
        return NULL;
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *part = json_array_get(v, i), *t = json_object_get(part, "text");
        const char *type = json_string_value(json_object_get(part, "type"));
        static const char *const known[] = {"type", "text", "annotations", "logprobs", NULL};
        if (type && text_part(type) && !srv_only_keys(part, known, "messages", place, e)) {
            slx_buf_free(&text);
            return NULL;
        }
        if (!type || !text_part(type) || !json_is_string(t)) {
            srv_refuse(e, 400, "invalid_request_error", "unsupported_value", "messages",
                       "%s: found a part of type %.40s, expected text only", place,
                       type ? type : "(none)");
            slx_buf_free(&text);
            return NULL;
        }
        slx_buf_add(&text, json_string_value(t), json_string_length(t));
    }
    json_t *s = json_stringn_nocheck(text.len ? text.ptr : "", text.len);
    slx_buf_free(&text);
    return s;
}

/* {"id","type":"function","function":{"name","arguments":"{..}"}} with the arguments as an object. */
static json_t *get_call(const char *id, const char *name, const json_t *arguments, srv_error *e)
{
    json_t *args = NULL;
    if (json_is_string(arguments))
        args = json_loadb(json_string_value(arguments), json_string_length(arguments),
                          JSON_DECODE_ANY, NULL);
    if (!name || !json_is_object(args)) {
        json_decref(args);
        srv_invalid(
            e, "messages",
            "found a tool call without a name, or whose arguments are no JSON object in a string");
        return NULL;
    }
    json_t *call = json_pack("{s:s, s:{s:s, s:o}}", "type", "function", "function", "name", name,
                             "arguments", args);
    if (call && id) json_object_set_new(call, "id", json_string(id));
    return call;
}

static bool get_calls(json_t *out, const json_t *calls, srv_error *e)
{
    json_t *list = json_array();
    json_object_set_new(out, "tool_calls", list);
    if (!json_is_array(calls)) return srv_invalid(e, "messages", "tool_calls: expected a list");
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *c = json_array_get(calls, i), *f = json_object_get(c, "function");
        json_t *call = get_call(json_string_value(json_object_get(c, "id")),
                                json_string_value(json_object_get(f, "name")),
                                json_object_get(f, "arguments"), e);
        if (!call) return false;
        json_array_append_new(list, call);
    }
    return true;
}

/* ------------------------------------------------------------------ messages */

static const char *role_of(const json_t *m)
{
    static const char *const known[] = {"system", "user", "assistant", "tool"};
    const char *role = json_string_value(json_object_get(m, "role"));
    if (role && !strcmp(role, "developer")) return "system";
    for (size_t i = 0; role && i < sizeof known / sizeof *known; i++)
        if (!strcmp(role, known[i])) return known[i];
    return NULL;
}

static bool copy_text(json_t *out, const json_t *m, const char *key, const char *place,
                      srv_error *e)
{
    json_t *v = json_object_get(m, key);
    if (!v || json_is_null(v)) return true;
    if (!json_is_string(v)) return srv_invalid(e, "messages", "%s.%s: expected text", place, key);
    json_object_set(out, key, v);
    return true;
}

/* Does the message have a call of this id? Neither having one is the same too. */
static bool has_call(const json_t *message, const char *id)
{
    const json_t *calls = json_object_get(message, "tool_calls");
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const char *other = json_string_value(json_object_get(json_array_get(calls, i), "id"));
        if (id && other ? !strcmp(id, other) : !id && !other) return true;
    }
    return false;
}

/* Does m name, under key, a call of the messages before it? next: only tool messages may stand between. */
static bool answers_call(const json_t *list, const json_t *m, const char *key, bool next)
{
    const char *id = json_string_value(json_object_get(m, key));
    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *before = json_array_get(list, i);
        if (has_call(before, id)) return true;
        if (next && strcmp(json_string_value(json_object_get(before, "role")), "tool"))
            return false;
    }
    return false;
}

static bool get_message(json_t *list, const json_t *m, size_t at, srv_error *e)
{
    static const char *const known[] = {"role",         "content",     "name", "tool_calls",
                                        "tool_call_id", "refusal",     "type", "id",
                                        "status",       "annotations", NULL};
    char place[64];
    const char *role = role_of(m);
    snprintf(place, sizeof place, "messages[%zu]", at);
    if (!json_is_object(m)) return srv_invalid(e, "messages", "%s: expected an object", place);
    if (!role)
        return srv_invalid(e, "messages",
                           "%s: expected a role: system, developer, user, assistant or tool",
                           place);
    if (!srv_only_keys(m, known, "messages", place, e)) return false;
    if (!strcmp(role, "tool") && !answers_call(list, m, "tool_call_id", true))
        return srv_invalid(
            e, "messages",
            "%s: a tool message answers a call, by its tool_call_id, of the assistant "
            "message before it: found none",
            place);
    json_t *out = json_pack("{s:s}", "role", role);
    json_array_append_new(list, out);
    const json_t *content = json_object_get(m, "content"),
                 *calls = json_object_get(m, "tool_calls");
    if (json_is_null(calls) || (json_is_array(calls) && !json_array_size(calls))) calls = NULL;
    if (calls && strcmp(role, "assistant"))
        return srv_invalid(e, "messages", "%s: tool_calls of a %s", place, role);
    if (calls && (!content || json_is_null(content))) {
        json_object_set_new(out, "content", json_string("")); /* templates add it to text */
    } else {
        json_t *text = get_content(content, place, e);
        if (!text) return false;
        json_object_set_new(out, "content", text);
    }
    return copy_text(out, m, "name", place, e) && copy_text(out, m, "tool_call_id", place, e) &&
           (!calls || get_calls(out, calls, e));
}

/* One item of a responses input. */
static bool get_item(json_t *list, const json_t *item, size_t at, srv_error *e)
{
    const char *type = json_string_value(json_object_get(item, "type"));
    if (!type || !strcmp(type, "message")) return get_message(list, item, at, e);
    static const char *const call_keys[] = {"type",      "id",     "call_id", "name",
                                            "arguments", "status", NULL},
                             *const output_keys[] = {"type",   "id",     "call_id",
                                                     "output", "status", NULL};
    const char *id = json_string_value(json_object_get(item, "call_id"));
    char place[64];
    snprintf(place, sizeof place, "input[%zu]", at);
    if (!strcmp(type, "function_call")) {
        if (!srv_only_keys(item, call_keys, "input", place, e)) return false;
        json_t *call = get_call(id, json_string_value(json_object_get(item, "name")),
                                json_object_get(item, "arguments"), e);
        if (!call) return false;
        json_t *calls =
            json_object_get(json_array_get(list, json_array_size(list) - 1), "tool_calls");
        if (calls) /* calls behind one another are of one message */
            json_array_append_new(calls, call);
        else
            json_array_append_new(list, json_pack("{s:s, s:s, s:[o]}", "role", "assistant",
                                                  "content", "", "tool_calls", call));
        return true;
    }
    if (!strcmp(type, "function_call_output")) {
        if (!srv_only_keys(item, output_keys, "input", place, e)) return false;
        if (!answers_call(list, item, "call_id", false))
            return srv_invalid(e, "input", "%s: no function_call before it has its call_id", place);
        json_t *text = get_content(json_object_get(item, "output"), place, e);
        if (!text) return false;
        json_t *out = json_pack("{s:s, s:o}", "role", "tool", "content", text);
        if (id) json_object_set_new(out, "tool_call_id", json_string(id));
        json_array_append_new(list, out);
        return true;
    }
    return srv_refuse(e, 400, "invalid_request_error", "unsupported_value", "input",
                      "%s: found an item of type %.40s, expected message, function_call or "
                      "function_call_output",
                      place, type);
}

/* ------------------------------------------------------------------ tools */

/* Chat nests a function's fields, responses have them beside the type. */
static bool get_tools(srv_request *r, json_t *tools, srv_error *e)
{
    static const char *const outer[] = {"type", "function", NULL},
                             *const inner[] = {"name", "description", "parameters", "strict", NULL},
                             *const flat[] = {"type",       "name",   "description",
                                              "parameters", "strict", NULL};
    json_t *list = json_array();
    json_object_set_new(r->vars, "tools", list);
    r->functions = json_array();
    if (!json_is_array(tools)) return srv_invalid(e, "tools", "tools: expected a list");
    for (size_t i = 0; i < json_array_size(tools); i++) {
        json_t *t = json_array_get(tools, i),
               *f = r->api == SRV_CHAT ? json_object_get(t, "function") : t;
        const char *type = json_string_value(json_object_get(t, "type")),
                   *name = json_string_value(json_object_get(f, "name"));
        char place[64];
        snprintf(place, sizeof place, "tools[%zu]", i);
        if (!type || strcmp(type, "function"))
            return srv_refuse(e, 400, "invalid_request_error", "unsupported_value", "tools",
                              "%s: found type %.40s, expected function", place,
                              type ? type : "(none)");
        if ((f != t && !srv_only_keys(t, outer, "tools", place, e)) ||
            !srv_only_keys(f, f == t ? flat : inner, "tools", place, e))
            return false;
        if (!name || !*name)
            return srv_invalid(e, "tools", "tools[%zu]: expected a function with a name", i);
        for (size_t k = 0; k < json_array_size(list); k++) {
            const json_t *other = json_object_get(json_array_get(list, k), "function");
            if (!strcmp(name, json_string_value(json_object_get(other, "name"))))
                return srv_invalid(e, "tools", "tools: found two functions with the name %.60s",
                                   name);
        }
        json_t *fn = json_pack("{s:s}", "name", name);
        const json_t *what = json_object_get(f, "description"),
                     *args = json_object_get(f, "parameters");
        if (args && !json_is_null(args) && !json_is_object(args)) {
            json_decref(fn);
            return srv_invalid(e, "tools", "tools[%zu]: parameters: expected a JSON schema", i);
        }
        json_object_set_new(fn, "description",
                            json_string(json_is_string(what) ? json_string_value(what) : ""));
        json_object_set_new(fn, "parameters",
                            json_is_object(args)
                                ? json_deep_copy(args)
                                : json_pack("{s:s, s:{}}", "type", "object", "properties"));
        json_array_append_new(list, json_pack("{s:s, s:o}", "type", "function", "function", fn));
        json_t *same = json_copy(fn), *strict = json_object_get(f, "strict");
        if (strict) json_object_set(same, "strict", strict);
        r->strict |= json_is_true(strict);
        json_array_append_new(r->functions, json_pack("{s:o}", "function", same));
    }
    if (json_array_size(list))
        r->tools = list;
    else
        json_object_del(r->vars, "tools");
    r->tool_choice = r->tools ? SRV_TOOLS_AUTO : SRV_TOOLS_NONE;
    return true;
}

/* The name in a {"type": "function", ..}; chat nests it. */
static const char *named(const srv_request *r, const json_t *v)
{
    const char *type = json_string_value(json_object_get(v, "type"));
    const json_t *f = r->api == SRV_CHAT ? json_object_get(v, "function") : v;
    return type && !strcmp(type, "function") ? json_string_value(json_object_get(f, "name")) : NULL;
}

static bool among(const json_t *tools, const char *name)
{
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *f = json_object_get(json_array_get(tools, i), "function");
        if (!strcmp(name, json_string_value(json_object_get(f, "name")))) return true;
    }
    return false;
}

/* Takes the tools out of list that are not among the allowed ones. */
static void keep_allowed(const srv_request *r, json_t *list, const json_t *allowed)
{
    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *f = json_object_get(json_array_get(list, i), "function");
        bool ok = false;
        for (size_t k = 0; k < json_array_size(allowed); k++)
            ok |= !strcmp(json_string_value(json_object_get(f, "name")),
                          named(r, json_array_get(allowed, k)));
        if (!ok) json_array_remove(list, i);
    }
}

/* {"type": "allowed_tools", mode, tools}: the model sees only those. */
static bool get_allowed(srv_request *r, const json_t *v, srv_error *e)
{
    const json_t *a = r->api == SRV_CHAT ? json_object_get(v, "allowed_tools") : v,
                 *tools = json_object_get(a, "tools");
    const char *mode = json_string_value(json_object_get(a, "mode"));
    bool ok =
        mode && (!strcmp(mode, "auto") || !strcmp(mode, "required")) && json_array_size(tools);
    for (size_t i = 0; i < json_array_size(tools) && ok; i++) {
        const char *name = named(r, json_array_get(tools, i));
        ok = name && among(r->tools, name);
    }
    if (!ok)
        return srv_invalid(
            e, "tool_choice",
            "tool_choice: allowed_tools: expected mode auto or required, and functions "
            "that are among the tools");
    keep_allowed(r, r->tools, tools);
    keep_allowed(r, r->functions, tools);
    if (!strcmp(mode, "required")) r->tool_choice = SRV_TOOLS_REQUIRED;
    return true;
}

static bool get_tool_choice(srv_request *r, const json_t *v, srv_error *e)
{
    const char *word = json_string_value(v), *type = json_string_value(json_object_get(v, "type"));
    if (word && !strcmp(word, "none")) {
        r->tool_choice = SRV_TOOLS_NONE;
        return true;
    }
    if (word && !strcmp(word, "auto")) return true;
    if (!r->tools)
        return srv_invalid(e, "tool_choice", "tool_choice: there are no tools to choose from");
    if (type && !strcmp(type, "allowed_tools")) return get_allowed(r, v, e);
    r->tool_choice = SRV_TOOLS_REQUIRED;
    if (word && !strcmp(word, "required")) return true;
    r->tool_name = named(r, v);
    if (r->tool_name && among(r->tools, r->tool_name)) return true;
    return srv_invalid(
        e, "tool_choice",
        "tool_choice: expected none, auto, required, allowed_tools, or a function that is "
        "among the tools");
}

/* ------------------------------------------------------------------ effort */

/* A word of the model's own: the template says what it means. A summary of reasoning is never there. */
static bool get_effort(srv_request *r, const json_t *v, const char *param, srv_error *e)
{
    if (!v || json_is_null(v)) return true;
    if (!json_is_string(v)) return srv_invalid(e, param, "%s: expected a word", param);
    json_object_set(r->vars, "reasoning_effort", (json_t *)(uintptr_t)v);
    return true;
}

static bool get_reasoning(srv_request *r, json_t *v, srv_error *e)
{
    const char *key;
    json_t *x;
    if (!v || json_is_null(v)) return true;
    if (!json_is_object(v)) return srv_invalid(e, "reasoning", "reasoning: expected an object");
    json_object_foreach(v, key, x)
    {
        const char *word = json_string_value(x);
        bool none = json_is_null(x) || (word && !strcmp(word, "auto"));
        if (strcmp(key, "effort") &&
            !(none && (!strcmp(key, "summary") || !strcmp(key, "generate_summary"))))
            return srv_refuse(e, 400, "invalid_request_error", "unsupported_parameter", "reasoning",
                              "reasoning.%.60s: not supported here; reasoning.effort is", key);
    }
    return get_effort(r, json_object_get(v, "effort"), "reasoning.effort", e);
}

/* ------------------------------------------------------------------ all */

static bool keyword_arguments(srv_request *r, json_t *kwargs, srv_error *e)
{
    static const char *const ours[] = {"messages", "tools", "add_generation_prompt", "bos_token",
                                       "eos_token"};
    const char *key;
    json_t *v;
    if (!json_is_object(kwargs))
        return srv_invalid(e, "chat_template_kwargs", "chat_template_kwargs: expected an object");
    json_object_foreach(kwargs, key, v)
    {
        size_t n = strlen(key);
        bool taken =
            n >= 6 && !strcmp(key + n - 6, "_token"); /* would count as the model's own text */
        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) taken |= !strcmp(key, ours[i]);
        if (taken)
            return srv_invalid(e, "chat_template_kwargs",
                               "chat_template_kwargs: %.60s is not for the client to set", key);
        json_object_set(r->vars, key, v);
    }
    return true;
}

/* Chat has it beside tools only; a response says what would hold. */
static bool needs_tools(const srv_request *r, const char *param, srv_error *e)
{
    return !srv_given(r->body, param) ||
           srv_invalid(e, param, "%s: there are no tools; it stands beside tools only", param);
}

bool srv_get_messages(srv_request *r, srv_error *e)
{
    json_t *body = r->body, *list = json_array(), *tools = json_object_get(body, "tools"),
           *choice = json_object_get(body, "tool_choice"),
           *kwargs = json_object_get(body, "chat_template_kwargs"),
           *first = json_object_get(body, "instructions"),
           *in = json_object_get(body, r->api == SRV_CHAT ? "messages" : "input");
    r->vars = json_object();
    json_object_set_new(r->vars, "messages", list);
    if (!in || json_is_null(in)) return true; /* request.c says that it is missing */
    if (first && !json_is_null(first)) {
        if (!json_is_string(first))
            return srv_invalid(e, "instructions", "instructions: expected text");
        json_array_append_new(list, json_pack("{s:s, s:O}", "role", "system", "content", first));
    }
    if (r->api == SRV_RESPONSES && json_is_string(in)) {
        json_array_append_new(list, json_pack("{s:s, s:O}", "role", "user", "content", in));
    } else {
        if (!json_is_array(in) || !json_array_size(in))
            return srv_invalid(e, r->api == SRV_CHAT ? "messages" : "input",
                               "%s: expected a list that is not empty",
                               r->api == SRV_CHAT ? "messages" : "input");
        for (size_t i = 0; i < json_array_size(in); i++)
            if (!(r->api == SRV_CHAT ? get_message : get_item)(list, json_array_get(in, i), i, e))
                return false;
    }
    if (tools && !json_is_null(tools) && !get_tools(r, tools, e)) return false;
    if (!r->tools && r->api == SRV_CHAT &&
        (!needs_tools(r, "tool_choice", e) || !needs_tools(r, "parallel_tool_calls", e)))
        return false;
    if (choice && !json_is_null(choice) && !get_tool_choice(r, choice, e)) return false;
    if (r->tool_choice == SRV_TOOLS_NONE) {
        json_object_del(r->vars, "tools");
        r->tools = NULL;
        r->strict = false;
    }
    if (!get_effort(r, json_object_get(body, "reasoning_effort"), "reasoning_effort", e) ||
        !get_reasoning(r, json_object_get(body, "reasoning"), e))
        return false;
    return !kwargs || json_is_null(kwargs) || keyword_arguments(r, kwargs, e);
}
