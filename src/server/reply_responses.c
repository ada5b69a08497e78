/* reply_responses.c - the shapes of /v1/responses: one output item, a message of one text part (or calls of functions),
 * whole or as its sequence of events:
 *
 *   created, in_progress, output_item.added, content_part.added, output_text.delta ..., output_text.done,
 *   content_part.done, output_item.done, completed
 */
#include "server/server_int.h"

#include <string.h>

/* Log probabilities of the whole answer, where they are wanted; they gather in the choice, deltas copy their part. */
static json_t *logprobs_from(const srv_choice *c, size_t first)
{
    const json_t *all = json_object_get(c->logprobs, "content");
    json_t *list = json_array();
    for (size_t i = first; i < json_array_size(all); i++)
        json_array_append(list, json_array_get(all, i));
    return list;
}

static json_t *part(const srv_choice *c, const char *text, size_t len)
{
    return json_pack("{s:s, s:o, s:[], s:o}", "type", "output_text", "text",
                     json_stringn_nocheck(text, len), "annotations", "logprobs",
                     logprobs_from(c, 0));
}

static void item_id(const srv_exchange *x, char out[64])
{
    snprintf(out, 64, "msg_%.40s", strchr(x->reply_id, '_') + 1);
}

static json_t *message(const srv_exchange *x, const char *status, json_t *content)
{
    char id[64];
    item_id(x, id);
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "id", id, "type", "message", "status", status,
                     "role", "assistant", "content", content);
}

/* The response object around what there is of the output. */
static json_t *response(const srv_exchange *x, const char *status, json_t *output)
{
    const srv_request *r = &x->req;
    json_t *j = json_pack(
        "{s:s, s:s, s:I, s:s, s:n, s:n, s:n, s:s, s:o, s:b, s:f, s:f, s:o, s:o, s:n, s:b, s:s}",
        "id", x->reply_id, "object", "response", "created_at", (json_int_t)x->created, "status",
        status, "error", "incomplete_details", "instructions", "model", x->s->model_name, "output",
        output, "parallel_tool_calls", !r->one_call, "temperature", (double)r->sampling.temperature,
        "top_p", (double)r->sampling.top_p, "tools", json_array(), "metadata", json_object(),
        "previous_response_id", "store", 0, "truncation", "disabled");
    json_t *tools = json_object_get(r->body, "tools"),
           *choice = json_object_get(r->body, "tool_choice"),
           *text = json_object_get(r->body, "text"),
           *metadata = json_object_get(r->body, "metadata");
    if (json_is_array(tools)) json_object_set(j, "tools", tools);
    json_object_set(j, "tool_choice", choice && !json_is_null(choice) ? choice : NULL);
    if (!json_object_get(j, "tool_choice"))
        json_object_set_new(j, "tool_choice", json_string("auto"));
    if (json_is_object(metadata)) json_object_set(j, "metadata", metadata);
    if (json_is_object(text))
        json_object_set(j, "text", text);
    else
        json_object_set_new(j, "text", json_pack("{s:{s:s}}", "format", "type", "text"));
    json_object_set_new(j, "max_output_tokens",
                        r->max_new ? json_integer(r->max_new) : json_null());
    json_object_set_new(j, "usage", json_null());
    return j;
}

static void event(srv_exchange *x, const char *type, json_t *j)
{
    json_object_set_new(j, "type", json_string(type));
    json_object_set_new(j, "sequence_number", json_integer(x->sequence++));
    srv_reply_event(x, type, j);
}

void srv_responses_begin(srv_exchange *x)
{
    event(x, "response.created",
          json_pack("{s:o}", "response", response(x, "in_progress", json_array())));
    event(x, "response.in_progress",
          json_pack("{s:o}", "response", response(x, "in_progress", json_array())));
    if (x->req.tools) return; /* what it will be is known at its end */
    event(x, "response.output_item.added",
          json_pack("{s:i, s:o}", "output_index", 0, "item",
                    message(x, "in_progress", json_array())));
    char id[64];
    item_id(x, id);
    event(x, "response.content_part.added",
          json_pack("{s:s, s:i, s:i, s:o}", "item_id", id, "output_index", 0, "content_index", 0,
                    "part", part(&x->choices[0], "", 0)));
}

void srv_responses_delta(srv_choice *c, const char *text, size_t len)
{
    char id[64];
    item_id(c->x, id);
    event(c->x, "response.output_text.delta",
          json_pack("{s:s, s:i, s:i, s:o, s:o}", "item_id", id, "output_index", 0, "content_index",
                    0, "delta", json_stringn_nocheck(text, len), "logprobs",
                    logprobs_from(c, c->logprobs_sent)));
    c->logprobs_sent = json_array_size(json_object_get(c->logprobs, "content"));
}

/* The output as it is in the end: a message, or calls. */
static json_t *output(srv_exchange *x)
{
    const srv_choice *c = &x->choices[0];
    json_t *list = json_array();
    bool text = c->text.len || !c->calls;
    if (text)
        json_array_append_new(
            list, message(x, c->end == SLX_END_LENGTH ? "incomplete" : "completed",
                          json_pack("[o]", part(c, c->text.len ? c->text.ptr : "", c->text.len))));
    for (size_t i = 0; i < json_array_size(c->calls); i++) {
        const json_t *call = json_array_get(c->calls, i), *f = json_object_get(call, "function");
        const char *id = json_string_value(json_object_get(call, "id"));
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type", "function_call", "id", id,
                            "call_id", id, "name", json_string_value(json_object_get(f, "name")),
                            "arguments", json_string_value(json_object_get(f, "arguments")),
                            "status", "completed"));
    }
    return list;
}

static json_t *complete(srv_exchange *x, json_t *list)
{
    const srv_choice *c = &x->choices[0];
    bool cut = c->end == SLX_END_LENGTH;
    json_t *j = response(x, cut ? "incomplete" : "completed", list);
    if (cut)
        json_object_set_new(j, "incomplete_details",
                            json_pack("{s:s}", "reason", "max_output_tokens"));
    json_object_set_new(j, "usage", srv_usage_json(x));
    if (!x->s->opt->no_x_silex) json_object_set_new(j, "x_silex", srv_x_silex_json(x));
    return j;
}

static void finish_text(srv_exchange *x)
{
    const srv_choice *c = &x->choices[0];
    const char *text = c->text.len ? c->text.ptr : "";
    char id[64];
    item_id(x, id);
    event(x, "response.output_text.done",
          json_pack("{s:s, s:i, s:i, s:o, s:o}", "item_id", id, "output_index", 0, "content_index",
                    0, "text", json_stringn_nocheck(text, c->text.len), "logprobs",
                    logprobs_from(c, 0)));
    event(x, "response.content_part.done",
          json_pack("{s:s, s:i, s:i, s:o}", "item_id", id, "output_index", 0, "content_index", 0,
                    "part", part(c, text, c->text.len)));
}

void srv_responses_finish(srv_exchange *x)
{
    srv_choice *c = &x->choices[0];
    json_t *list = output(x);
    if (!x->req.stream) {
        srv_reply_json(x, complete(x, list));
        x->status = 200;
        return;
    }
    if (c->end == SLX_END_FAULT || c->end == SLX_END_CANCELLED) {
        json_t *j = response(x, "failed", list);
        json_object_set_new(j, "error",
                            json_pack("{s:s, s:s}", "code", "server_error", "message",
                                      c->end == SLX_END_FAULT ? c->fault : "the server stops"));
        event(x, "response.failed", json_pack("{s:o}", "response", j));
        return;
    }
    if (!x->req.tools) finish_text(x);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);
        const char *arguments = json_string_value(json_object_get(item, "arguments"));
        if (x->req.tools)
            event(x, "response.output_item.added",
                  json_pack("{s:i, s:O}", "output_index", (int)i, "item", item));
        if (arguments) {
            const char *id = json_string_value(json_object_get(item, "id"));
            event(x, "response.function_call_arguments.delta",
                  json_pack("{s:s, s:i, s:s}", "item_id", id, "output_index", (int)i, "delta",
                            arguments));
            event(x, "response.function_call_arguments.done",
                  json_pack("{s:s, s:i, s:s, s:O}", "item_id", id, "output_index", (int)i,
                            "arguments", arguments, "name", json_object_get(item, "name")));
        }
        event(x, "response.output_item.done",
              json_pack("{s:i, s:O}", "output_index", (int)i, "item", item));
    }
    bool cut = c->end == SLX_END_LENGTH;
    event(x, cut ? "response.incomplete" : "response.completed",
          json_pack("{s:o}", "response", complete(x, list)));
}
