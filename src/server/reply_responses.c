/* reply_responses.c - the shapes of /v1/responses: a message of one text part, calls of functions, or both, whole or as
 * their sequence of events:
 *
 *   created, in_progress
 *   a message: output_item.added, content_part.added, output_text.delta ..., output_text.done, content_part.done,
 *              output_item.done
 *   a call:    output_item.added, function_call_arguments.delta ..., function_call_arguments.done, output_item.done
 *   completed
 *
 * Without tools the message begins at once; with them when there is text that is no part of a call.
 */
#include "server/server_int.h"

#include <string.h>

/* Entries first to end of the log probabilities, where they are wanted; they gather in the choice. */
static json_t *logprobs_from(const srv_choice *c, size_t first, size_t end)
{
    const json_t *all = json_object_get(c->logprobs, "content");
    json_t *list = json_array();
    for (size_t i = first; i < end && i < json_array_size(all); i++)
        json_array_append(list, json_array_get(all, i));
    return list;
}

/* How many entries are of the text: those behind it are of calls. */
static size_t text_logprobs(const srv_choice *c)
{
    return c->ended && !c->calls ? SIZE_MAX
                                 : srv_logprobs_begun(c, c->ended ? c->text.len : c->sent);
}

static json_t *part(const srv_choice *c, const char *text, size_t len)
{
    return json_pack("{s:s, s:o, s:[], s:o}", "type", "output_text", "text",
                     json_stringn_nocheck(text, len), "annotations", "logprobs",
                     logprobs_from(c, 0, len ? text_logprobs(c) : 0));
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

/* A parameter as the client gave it, or what holds without. Takes otherwise. */
static void echo(json_t *j, const srv_request *r, const char *name, json_t *otherwise)
{
    if (srv_given(r->body, name)) {
        json_object_set(j, name, json_object_get(r->body, name));
        json_decref(otherwise);
    } else {
        json_object_set_new(j, name, otherwise);
    }
}

static json_t *reasoning(const srv_request *r)
{
    const json_t *asked = json_object_get(r->body, "reasoning"),
                 *effort = json_object_get(asked, "effort");
    return json_pack("{s:O?, s:n}", "effort", json_is_string(effort) ? effort : NULL, "summary");
}

static json_t *text_form(const srv_request *r)
{
    json_t *j = json_pack("{s:{s:s}, s:s}", "format", "type", "text", "verbosity", "medium"),
           *form = json_object_get(json_object_get(r->body, "text"), "format");
    if (json_is_object(form)) json_object_set(j, "format", form);
    return j;
}

/* The response object around what there is of the output. */
static json_t *response(const srv_exchange *x, const char *status, json_t *output)
{
    const srv_request *r = &x->req;
    json_t *j = json_pack("{s:s, s:s, s:I, s:s, s:b, s:n, s:n}", "id", x->reply_id, "object",
                          "response", "created_at", (json_int_t)x->created, "status", status,
                          "background", 0, "error", "incomplete_details");
    echo(j, r, "instructions", json_null());
    json_object_set_new(j, "max_output_tokens",
                        r->max_new ? json_integer(r->max_new) : json_null());
    json_object_set_new(j, "max_tool_calls", json_null());
    json_object_set_new(j, "model", json_string(x->s->model_name));
    json_object_set_new(j, "output", output);
    json_object_set_new(j, "parallel_tool_calls", json_boolean(!r->one_call));
    json_object_set_new(j, "previous_response_id", json_null());
    echo(j, r, "prompt_cache_key", json_null());
    echo(j, r, "prompt_cache_retention", json_null());
    json_object_set_new(j, "reasoning", reasoning(r));
    echo(j, r, "safety_identifier", json_null());
    json_object_set_new(j, "service_tier", json_string("default"));
    json_object_set_new(j, "store", json_false());
    json_object_set_new(j, "temperature", json_real((double)r->sampling.temperature));
    json_object_set_new(j, "text", text_form(r));
    echo(j, r, "tool_choice", json_string("auto"));
    echo(j, r, "tools", json_array());
    json_object_set_new(j, "top_logprobs", json_integer(r->n_top));
    json_object_set_new(j, "top_p", json_real((double)r->sampling.top_p));
    json_object_set_new(j, "truncation", json_string("disabled"));
    json_object_set_new(j, "usage", json_null());
    echo(j, r, "user", json_null());
    echo(j, r, "metadata", json_object());
    return j;
}

static void event(srv_exchange *x, const char *type, json_t *j)
{
    json_object_set_new(j, "type", json_string(type));
    json_object_set_new(j, "sequence_number", json_integer(x->sequence++));
    srv_reply_event(x, type, j);
}

/* ------------------------------------------------------------------ the message */

static const char *message_status(const srv_choice *c)
{
    return c->end == SLX_END_LENGTH && !c->calls ? "incomplete" : "completed";
}

static void open_message(srv_choice *c)
{
    srv_exchange *x = c->x;
    char id[64];
    if (c->message != SRV_NO_MESSAGE) return;
    c->message = SRV_MESSAGE_OPEN;
    item_id(x, id);
    event(x, "response.output_item.added",
          json_pack("{s:i, s:o}", "output_index", 0, "item",
                    message(x, "in_progress", json_array())));
    event(x, "response.content_part.added",
          json_pack("{s:s, s:i, s:i, s:o}", "item_id", id, "output_index", 0, "content_index", 0,
                    "part", part(c, "", 0)));
}

/* All of its text has gone out. */
static void close_message(srv_choice *c)
{
    srv_exchange *x = c->x;
    const char *text = c->text.len ? c->text.ptr : "";
    char id[64];
    if (c->message != SRV_MESSAGE_OPEN) return;
    c->message = SRV_MESSAGE_DONE;
    item_id(x, id);
    event(x, "response.output_text.done",
          json_pack("{s:s, s:i, s:i, s:o, s:o}", "item_id", id, "output_index", 0, "content_index",
                    0, "text", json_stringn_nocheck(text, c->sent), "logprobs",
                    logprobs_from(c, 0, text_logprobs(c))));
    event(x, "response.content_part.done",
          json_pack("{s:s, s:i, s:i, s:o}", "item_id", id, "output_index", 0, "content_index", 0,
                    "part", part(c, text, c->sent)));
    event(x, "response.output_item.done",
          json_pack("{s:i, s:o}", "output_index", 0, "item",
                    message(x, message_status(c), json_pack("[o]", part(c, text, c->sent)))));
}

void srv_responses_begin(srv_exchange *x)
{
    event(x, "response.created",
          json_pack("{s:o}", "response", response(x, "in_progress", json_array())));
    event(x, "response.in_progress",
          json_pack("{s:o}", "response", response(x, "in_progress", json_array())));
    if (!x->req.tools) open_message(&x->choices[0]);
}

void srv_responses_delta(srv_choice *c, const char *text, size_t len)
{
    char id[64];
    size_t end = text_logprobs(c), all = json_array_size(json_object_get(c->logprobs, "content"));
    if (end > all) end = all;
    if (c->message == SRV_MESSAGE_DONE || (!len && (end <= c->logprobs_sent || !c->sent))) return;
    open_message(c);
    item_id(c->x, id);
    event(c->x, "response.output_text.delta",
          json_pack("{s:s, s:i, s:i, s:o, s:o}", "item_id", id, "output_index", 0, "content_index",
                    0, "delta", json_stringn_nocheck(text, len), "logprobs",
                    logprobs_from(c, c->logprobs_sent, end)));
    c->logprobs_sent = end;
}

/* ------------------------------------------------------------------ calls */

/* Call i as an item of the output; arguments NULL: as far as they are known. */
static json_t *call_item(const srv_choice *c, uint32_t i, const char *status, const char *arguments)
{
    const json_t *call = json_array_get(c->calls, i), *f = json_object_get(call, "function"),
                 *id = json_object_get(call, "id");
    char item[64];
    snprintf(item, sizeof item, "fc_%.48s", strchr(json_string_value(id), '_') + 1);
    return json_pack("{s:s, s:s, s:O, s:O, s:o, s:s}", "type", "function_call", "id", item,
                     "call_id", id, "name", json_object_get(f, "name"), "arguments",
                     arguments ? json_string(arguments)
                               : json_incref(json_object_get(f, "arguments")),
                     "status", status);
}

static const char *call_status(const srv_choice *c, uint32_t i)
{
    return c->call_cut && i + 1 == json_array_size(c->calls) ? "incomplete" : "completed";
}

/* The text comes before them, where there is any. */
static int index_of_call(const srv_choice *c, uint32_t i)
{
    return (int)i + (c->message != SRV_NO_MESSAGE);
}

void srv_responses_call(srv_choice *c, uint32_t i)
{
    close_message(c);
    event(c->x, "response.output_item.added",
          json_pack("{s:i, s:o}", "output_index", index_of_call(c, i), "item",
                    call_item(c, i, "in_progress", "")));
}

void srv_responses_arguments(srv_choice *c, uint32_t i, const char *text, size_t len)
{
    json_t *item = call_item(c, i, "in_progress", "");
    event(c->x, "response.function_call_arguments.delta",
          json_pack("{s:O, s:i, s:s%}", "item_id", json_object_get(item, "id"), "output_index",
                    index_of_call(c, i), "delta", text, len));
    json_decref(item);
}

void srv_responses_call_done(srv_choice *c, uint32_t i)
{
    json_t *item = call_item(c, i, call_status(c, i), NULL);
    event(c->x, "response.function_call_arguments.done",
          json_pack("{s:O, s:i, s:O, s:O}", "item_id", json_object_get(item, "id"), "output_index",
                    index_of_call(c, i), "arguments", json_object_get(item, "arguments"), "name",
                    json_object_get(item, "name")));
    event(c->x, "response.output_item.done",
          json_pack("{s:i, s:o}", "output_index", index_of_call(c, i), "item", item));
}

/* ------------------------------------------------------------------ the end */

/* The output as it is in the end: a message, or calls. */
static json_t *output(srv_exchange *x)
{
    const srv_choice *c = &x->choices[0];
    json_t *list = json_array();
    if (c->text.len || !c->calls)
        json_array_append_new(
            list, message(x, message_status(c),
                          json_pack("[o]", part(c, c->text.len ? c->text.ptr : "", c->text.len))));
    for (uint32_t i = 0; i < json_array_size(c->calls); i++)
        json_array_append_new(list, call_item(c, i, call_status(c, i), NULL));
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
    if (!c->calls) open_message(c); /* an answer without text is a message too */
    close_message(c);
    srv_reply_send_calls(c);
    bool cut = c->end == SLX_END_LENGTH;
    event(x, cut ? "response.incomplete" : "response.completed",
          json_pack("{s:o}", "response", complete(x, list)));
}
