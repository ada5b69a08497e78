/* small.c - answers that need no engine: models, tokens of a text, whether the server is ready, figures, the page. */
#include "server/http_int.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "run/chat.h"
#include "server/page.h"

static json_t *model_json(const srv_server *s)
{
    return json_pack("{s:s, s:s, s:I, s:s, s:I, s:s}", "id", s->model_name, "object", "model",
                     "created", (json_int_t)s->started, "owned_by", "silex", "context_length",
                     (json_int_t)s->context, "chip", s->chip_name);
}

/* Only what is known, and a model that this key may ask. */
static bool of_this_model(const srv_exchange *x, json_t *body, const char *const *known,
                          srv_error *e)
{
    const char *key;
    json_t *v;
    json_object_foreach(body, key, v)
    {
        bool ok = false;
        for (size_t i = 0; known[i]; i++) ok |= !strcmp(key, known[i]);
        if (!ok) return srv_unknown(e, key);
    }
    const json_t *model = json_object_get(body, "model");
    if (model && !json_is_null(model) && !json_is_string(model))
        return srv_invalid(e, "model", "model: expected a string");
    return srv_check_model(x, json_string_value(model), e);
}

enum MHD_Result srv_tokenize(srv_exchange *x)
{
    srv_error e;
    json_t *body;
    slx_buf ids = {0};
    slx_err err = {0};
    slx_status st;
    static const char *const known[] = {"prompt", "messages", "model", NULL};
    if (!srv_json_object(&body, x->in.len ? x->in.ptr : "", x->in.len, &e))
        return srv_send_error(x, &e);
    const json_t *prompt = json_object_get(body, "prompt"),
                 *messages = json_object_get(body, "messages");
    bool ok = json_is_string(prompt) != json_is_array(messages);
    if (!ok) srv_invalid(&e, NULL, "expected either prompt (text) or messages");
    ok = ok && of_this_model(x, body, known, &e);
    if (!ok) {
        json_decref(body);
        return srv_send_error(x, &e);
    }
    if (messages) {
        char *vars = json_dumps(body, JSON_COMPACT);
        st = slx_chat_tokens(x->s->model, vars, strlen(vars), &ids, &err);
        free(vars);
    } else {
        st = slx_text_tokens(x->s->model, json_string_value(prompt), json_string_length(prompt),
                             &ids, &err);
    }
    json_decref(body);
    json_t *tokens = json_array();
    for (size_t i = 0; i < ids.len / 4; i++)
        json_array_append_new(tokens, json_integer(((const uint32_t *)(const void *)ids.ptr)[i]));
    slx_buf_free(&ids);
    if (st != SLX_OK) {
        json_decref(tokens);
        srv_invalid(&e, messages ? "messages" : "prompt", "%s", err.msg);
        return srv_send_error(x, &e);
    }
    return srv_send_json(x,
                         json_pack("{s:I, s:I, s:o}", "count", (json_int_t)json_array_size(tokens),
                                   "max_model_len", (json_int_t)x->s->context, "tokens", tokens));
}

enum MHD_Result srv_detokenize(srv_exchange *x)
{
    srv_error e;
    json_t *body;
    slx_err err = {0};
    slx_buf text = {0};
    if (!srv_json_object(&body, x->in.len ? x->in.ptr : "", x->in.len, &e))
        return srv_send_error(x, &e);
    static const char *const known[] = {"tokens", "model", NULL};
    if (!of_this_model(x, body, known, &e)) {
        json_decref(body);
        return srv_send_error(x, &e);
    }
    const json_t *tokens = json_object_get(body, "tokens");
    size_t n = json_array_size(tokens);
    uint32_t *ids = slx_xcalloc(n + 1, sizeof *ids);
    bool ok = json_is_array(tokens);
    for (size_t i = 0; i < n && ok; i++) {
        const json_t *id = json_array_get(tokens, i);
        ok = json_is_integer(id) && json_integer_value(id) >= 0 &&
             json_integer_value(id) < UINT32_MAX;
        ids[i] = (uint32_t)json_integer_value(id);
    }
    if (!ok)
        srv_invalid(&e, "tokens", "tokens: expected a list of whole numbers");
    else if (slx_tokens_text(x->s->model, ids, n, true, &text, &err) != SLX_OK)
        ok = srv_invalid(&e, "tokens", "%s", err.msg);
    free(ids);
    json_decref(body);
    json_t *s = json_stringn_nocheck(text.len ? text.ptr : "", text.len);
    slx_buf_free(&text);
    if (ok) return srv_send_json(x, json_pack("{s:o}", "prompt", s));
    json_decref(s);
    return srv_send_error(x, &e);
}

enum MHD_Result srv_ready(srv_exchange *x)
{
    char why[512];
    srv_error e;
    if (atomic_load(&x->s->draining)) {
        srv_refuse(&e, 503, "server_error", "server_stopping", NULL, "the server stops");
        return srv_send_error(x, &e);
    }
    if (!srv_ledger_healthy(x->s->ledger, why, sizeof why)) {
        srv_refuse(&e, 503, "server_error", "ledger_unavailable", NULL,
                   "usage cannot be written"); /* no path to strangers */
        return srv_send_error(x, &e);
    }
    return srv_send_json(x, json_pack("{s:s}", "status", "ready"));
}

enum MHD_Result srv_metrics_page(srv_exchange *x)
{
    slx_sched_stats st;
    srv_worker_stats(x->s->worker, &st);
    srv_metrics_print(x->s->metrics, &st, x->s->usd_per_s, x->s->model_name, &x->out);
    x->status = 200;
    return srv_send_out(x, "text/plain; version=0.0.4; charset=utf-8", NULL, NULL);
}

enum MHD_Result srv_page(srv_exchange *x)
{
    srv_page_file f;
    if (!srv_page_find(x->path, &f)) SLX_BUG("a page that is gone");
    struct MHD_Response *r =
        MHD_create_response_from_buffer(f.size, (void *)(uintptr_t)f.bytes, MHD_RESPMEM_PERSISTENT);
    srv_add_headers(r, x, f.type);
    MHD_add_response_header(r, "Content-Security-Policy", srv_page_policy);
    MHD_add_response_header(r, "Referrer-Policy", "no-referrer");
    x->status = 200;
    enum MHD_Result ok = MHD_queue_response(x->mhd, 200, r);
    MHD_destroy_response(r);
    return ok;
}

enum MHD_Result srv_models(srv_exchange *x)
{
    bool any = srv_lists_model(x->who.models, x->s->model_name);
    json_t *list = any ? json_pack("[o]", model_json(x->s)) : json_array();
    return srv_send_json(x, json_pack("{s:s, s:o}", "object", "list", "data", list));
}

enum MHD_Result srv_model(srv_exchange *x)
{
    srv_error e;
    if (!srv_check_model(x, x->path + strlen("/v1/models/"), &e)) return srv_send_error(x, &e);
    return srv_send_json(x, model_json(x->s));
}
