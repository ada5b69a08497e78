/* reply_calls.c - calls of tools in what a client gets back: found in a whole answer, or followed while it is written.
 *
 * A call is followed only where a grammar holds it to its form: what has gone out as part of a call cannot become text
 * again. Other calls are known as such at the end of the answer, and go out then.
 */
#include "server/server_int.h"

#include <string.h>

/* ------------------------------------------------------------------ whole */

static json_t *new_id(void)
{
    char id[48], hex[25];
    srv_random_hex(hex, 12);
    snprintf(id, sizeof id, "call_%s", hex);
    return json_string(id);
}

/* The id under which a stream has begun the call, or a new one. */
static json_t *id_of(const srv_choice *c, size_t i)
{
    json_t *id = json_array_get(c->call_ids, i);
    return id ? json_incref(id) : new_id();
}

void srv_reply_calls(srv_choice *c)
{
    slx_buf found = {0};
    size_t content;
    const srv_exchange *x = c->x;
    if (!x->req.tools) return;
    if (x->req.stream) srv_reply_follow(c); /* what was held back to the end */
    bool any = slx_tools_parse(x->s->tool_form, c->text.len ? c->text.ptr : "", c->text.len, &found,
                               &content);
    if (!any) {
        if (c->follow.begun)
            c->text.len = c->content; /* cut in the middle of a call that has gone out */
        return;
    }
    json_t *list = json_loadb(found.ptr, found.len, 0, NULL);
    slx_buf_free(&found);
    c->calls = json_array();
    for (size_t i = 0; i < json_array_size(list) && !(i && x->req.one_call); i++) {
        const json_t *f = json_array_get(list, i);
        json_array_append_new(c->calls,
                              json_pack("{s:o, s:s, s:{s:O, s:O}}", "id", id_of(c, i), "type",
                                        "function", "function", "name", json_object_get(f, "name"),
                                        "arguments", json_object_get(f, "arguments")));
    }
    json_decref(list);
    c->text.len = content;
}

/* ------------------------------------------------------------------ streams: a call's name, then its arguments */

static void send_name(srv_choice *c, size_t i, json_t *id, json_t *name)
{
    srv_reply_event(c->x, NULL,
                    srv_reply_choice(c,
                                     json_pack("{s:[{s:i, s:O, s:s, s:{s:O, s:s}}]}", "tool_calls",
                                               "index", (int)i, "id", id, "type", "function",
                                               "function", "name", name, "arguments", ""),
                                     NULL));
}

static void send_arguments(srv_choice *c, size_t i, const char *text, size_t len)
{
    srv_reply_event(c->x, NULL,
                    srv_reply_choice(c,
                                     json_pack("{s:[{s:i, s:{s:s%}}]}", "tool_calls", "index",
                                               (int)i, "function", "arguments", text, len),
                                     NULL));
}

void srv_reply_send_calls(srv_choice *c)
{
    for (size_t i = c->follow.begun; i < json_array_size(c->calls); i++) {
        json_t *call = json_array_get(c->calls, i), *f = json_object_get(call, "function"),
               *arguments = json_object_get(f, "arguments");
        send_name(c, i, json_object_get(call, "id"), json_object_get(f, "name"));
        send_arguments(c, i, json_string_value(arguments), json_string_length(arguments));
    }
}

bool srv_reply_follow(srv_choice *c)
{
    slx_tool_piece p;
    const char *text = c->text.len ? c->text.ptr : "";
    const srv_request *r = &c->x->req;
    slx_tool_form form = c->x->s->tool_form;
    if (r->api != SRV_CHAT || !c->grammar || !r->tools) return false;
    /* a call and a JSON answer begin alike */
    if (form == SLX_TOOLS_BARE && r->format != SRV_FORMAT_TEXT) return false;
    if (!c->follow.begun) c->follow.at = c->content = slx_tools_content(form, text, c->text.len);
    while (slx_tools_follow(&c->follow, form, text, c->text.len, &p)) {
        size_t i = c->follow.begun - 1;
        if (p.begins) {
            json_t *id = new_id(), *name = json_loadb(p.text, p.len, JSON_DECODE_ANY, NULL);
            if (!c->call_ids) c->call_ids = json_array();
            json_array_append_new(c->call_ids, id);
            send_name(c, i, id, name);
            json_decref(name);
        } else {
            send_arguments(c, i, p.text, p.len);
        }
    }
    return c->follow.begun > 0;
}
