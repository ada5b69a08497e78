/* reply_calls.c - calls of tools in what a client gets back: found in a whole answer, or followed while it is written.
 *
 * A call is followed only where a grammar holds it to its form: what has gone out as part of a call cannot become text
 * again. Other calls are known as such at the end of the answer, and go out then. An answer that was cut in the middle
 * of a call has what there is of it, whole and in streams alike.
 */
#include "server/server_int.h"

#include <string.h>

static bool is_followed(const srv_choice *c)
{
    const srv_request *r = &c->x->req;
    bool alike = c->x->s->tool_form == SLX_TOOLS_BARE && r->format != SRV_FORMAT_TEXT;
    return c->grammar && r->tools && !alike; /* alike: a call and a JSON answer begin so */
}

/* ------------------------------------------------------------------ streams: a call's name, then its arguments */

static void send_chunk(srv_choice *c, json_t *call)
{
    srv_reply_event(c->x, NULL,
                    srv_reply_choice(c, json_pack("{s:[o]}", "tool_calls", call), NULL));
}

static void tell_begin(srv_choice *c, uint32_t i)
{
    const json_t *call = json_array_get(c->calls, i), *f = json_object_get(call, "function");
    c->calls_told = i + 1;
    if (c->x->req.api == SRV_RESPONSES) {
        srv_responses_call(c, i);
        return;
    }
    send_chunk(c, json_pack("{s:i, s:O, s:s, s:{s:O, s:s}}", "index", (int)i, "id",
                            json_object_get(call, "id"), "type", "function", "function", "name",
                            json_object_get(f, "name"), "arguments", ""));
}

static void tell_arguments(srv_choice *c, uint32_t i, const char *text, size_t len)
{
    if (c->x->req.api == SRV_RESPONSES)
        srv_responses_arguments(c, i, text, len);
    else
        send_chunk(
            c, json_pack("{s:i, s:{s:s%}}", "index", (int)i, "function", "arguments", text, len));
}

static void tell_end(srv_choice *c, uint32_t i)
{
    if (c->x->req.api == SRV_RESPONSES) srv_responses_call_done(c, i);
}

void srv_reply_send_calls(srv_choice *c)
{
    for (uint32_t i = c->calls_told; i < json_array_size(c->calls); i++) {
        const json_t *f = json_object_get(json_array_get(c->calls, i), "function"),
                     *arguments = json_object_get(f, "arguments");
        tell_begin(c, i);
        tell_arguments(c, i, json_string_value(arguments), json_string_length(arguments));
        tell_end(c, i);
    }
}

/* ------------------------------------------------------------------ c->calls, piece by piece */

/* Takes name. */
static void begin_call(srv_choice *c, json_t *name)
{
    char id[48], hex[25];
    srv_random_hex(hex, 12);
    snprintf(id, sizeof id, "call_%s", hex);
    if (!c->calls) c->calls = json_array();
    json_array_append_new(c->calls,
                          json_pack("{s:s, s:s, s:{s:o, s:s}}", "id", id, "type", "function",
                                    "function", "name", name, "arguments", ""));
    c->arguments.len = 0;
    c->call_open = true;
}

/* What has come of its arguments is all of them. */
static void end_call(srv_choice *c)
{
    size_t last = json_array_size(c->calls) - 1;
    json_t *f = json_object_get(json_array_get(c->calls, last), "function");
    json_object_set_new(
        f, "arguments",
        json_stringn_nocheck(c->arguments.len ? c->arguments.ptr : "", c->arguments.len));
    c->call_open = false;
}

/* inside: more of its arguments may come. */
static void add_piece(srv_choice *c, const slx_tool_piece *p, bool inside, bool tell)
{
    if (p->begins) {
        begin_call(c, json_loadb(p->text, p->len, JSON_DECODE_ANY, NULL));
        if (tell) tell_begin(c, (uint32_t)json_array_size(c->calls) - 1);
        return;
    }
    uint32_t i = (uint32_t)json_array_size(c->calls) - 1;
    slx_buf_add(&c->arguments, p->text, p->len);
    if (tell) tell_arguments(c, i, p->text, p->len);
    if (inside) return;
    end_call(c);
    if (tell) tell_end(c, i);
}

void srv_reply_follow(srv_choice *c)
{
    slx_tool_piece p;
    const char *text = c->text.len ? c->text.ptr : "";
    slx_tool_form form = c->x->s->tool_form;
    if (!is_followed(c)) return;
    if (!c->follow.begun) c->follow.at = slx_tools_content(form, text, c->text.len);
    while (slx_tools_follow(&c->follow, form, text, c->text.len, &p))
        add_piece(c, &p, c->follow.inside, c->x->req.stream);
}

/* ------------------------------------------------------------------ the end of an answer */

static void cut_call(srv_choice *c, bool tell)
{
    if (!c->call_open) return;
    c->call_cut = true;
    end_call(c);
    if (tell) tell_end(c, (uint32_t)json_array_size(c->calls) - 1);
}

static void end_followed(srv_choice *c)
{
    slx_tool_form form = c->x->s->tool_form;
    size_t content;
    srv_reply_follow(c); /* what was held back to the end */
    cut_call(c, c->x->req.stream);
    const char *text = c->text.len ? c->text.ptr : "";
    if (c->calls || c->x->req.tool_choice == SRV_TOOLS_REQUIRED ||
        slx_tools_begun(form, text, c->text.len, &content))
        c->text.len = slx_tools_content(form, text, c->text.len);
}

/* Whole calls of an answer that nothing held to a form. */
static bool parse_calls(srv_choice *c)
{
    slx_buf found = {0};
    size_t content;
    if (!slx_tools_parse(c->x->s->tool_form, c->text.len ? c->text.ptr : "", c->text.len, &found,
                         &content))
        return false;
    json_t *list = json_loadb(found.ptr, found.len, 0, NULL);
    slx_buf_free(&found);
    for (size_t i = 0; i < json_array_size(list) && !(i && c->x->req.one_call); i++) {
        const json_t *f = json_array_get(list, i), *arguments = json_object_get(f, "arguments");
        begin_call(c, json_incref(json_object_get(f, "name")));
        slx_buf_add(&c->arguments, json_string_value(arguments), json_string_length(arguments));
        end_call(c);
    }
    json_decref(list);
    c->text.len = content;
    return true;
}

/* What there is of calls in an answer that was cut. */
static void parse_begun(srv_choice *c)
{
    slx_tool_form form = c->x->s->tool_form;
    slx_tool_piece p;
    size_t content;
    const char *text = c->text.len ? c->text.ptr : "";
    if (!slx_tools_begun(form, text, c->text.len, &content)) return;
    slx_tool_stream s = {.at = content};
    while (slx_tools_follow(&s, form, text, c->text.len, &p)) {
        if (s.begun > 1 && c->x->req.one_call) break;
        add_piece(c, &p, s.inside, false);
    }
    cut_call(c, false);
    c->text.len = content;
}

void srv_reply_calls(srv_choice *c)
{
    if (!c->x->req.tools) return;
    if (is_followed(c))
        end_followed(c);
    else if (!parse_calls(c) && (c->end == SLX_END_LENGTH || c->stopped))
        parse_begun(c);
}
