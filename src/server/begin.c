/* begin.c - from a body to answers under way: the request, its prompts as tokens, the form an answer must have, room in
 * the key's limits and in the queue; then the worker has it, and the connection waits without a thread.
 */
#include "server/http_int.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "run/chat.h"

enum { BLOCK = 16 << 10 };

bool srv_lists_model(const char *models, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = models; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && !memcmp(p, name, n)) return true;
    return !*models;
}

bool srv_check_model(const srv_exchange *x, const char *name, srv_error *e)
{
    bool served = !name || !strcmp(name, x->s->model_name);
    if (served && srv_lists_model(x->who.models, x->s->model_name)) return true;
    return srv_refuse(
        e, 404, "invalid_request_error", "model_not_found", "model",
        "the model \"%.100s\" is not served here, or not to this key; /v1/models lists what is",
        name ? name : x->s->model_name);
}

static bool add_prompt(srv_exchange *x, slx_buf *ids, const json_t *prompt, srv_error *e)
{
    slx_err err = {0};
    slx_status st = SLX_OK;
    const srv_request *r = &x->req;
    if (r->vars) {
        char *vars = json_dumps(r->vars, JSON_COMPACT);
        st = slx_chat_tokens(x->s->model, vars, strlen(vars), ids, &err);
        free(vars);
    } else if (json_is_string(prompt)) {
        st = slx_text_tokens(x->s->model, json_string_value(prompt), json_string_length(prompt),
                             ids, &err);
    } else {
        for (size_t i = 0; i < json_array_size(prompt); i++) {
            uint32_t id = (uint32_t)json_integer_value(json_array_get(prompt, i));
            if (id >= slx_tok_vocab(x->s->model->tok))
                return srv_invalid(e, "prompt", "prompt: found token %u, expected one below %u", id,
                                   slx_tok_vocab(x->s->model->tok));
            slx_buf_add(ids, &id, sizeof id);
        }
    }
    if (st != SLX_OK) return srv_invalid(e, r->vars ? "messages" : "prompt", "%s", err.msg);
    size_t n = ids->len / 4;
    if (!n) return srv_invalid(e, "prompt", "the prompt is empty");
    if (n > x->s->context)
        return srv_refuse(
            e, 400, "invalid_request_error", "context_length_exceeded",
            r->vars ? "messages" : "prompt",
            "found a prompt of %zu tokens; the context holds %u, prompt and answer together", n,
            x->s->context);
    return true;
}

/* Calls are held to their functions where one must come, where a function is strict, or beside JSON. */
static bool holds_calls(const srv_request *r)
{
    return r->tools &&
           (r->tool_choice == SRV_TOOLS_REQUIRED || r->strict || r->format != SRV_FORMAT_TEXT);
}

/* The form the answer must have: JSON, JSON of a schema, calls of tools. */
static bool add_grammar(srv_choice *c, srv_error *e)
{
    const srv_server *s = c->x->s;
    const srv_request *r = &c->x->req;
    bool required = r->tool_choice == SRV_TOOLS_REQUIRED;
    const char *param = r->format == SRV_FORMAT_TEXT || required ? "tools"
                        : r->api == SRV_RESPONSES                ? "text.format"
                                                                 : "response_format";
    slx_err err = {0};
    if (r->tools && s->tool_form == SLX_TOOLS_NONE)
        return srv_refuse(
            e, 400, "invalid_request_error", "unsupported_parameter", "tools",
            "tools: the chat template of %s has no tools, or writes calls in a form not known here",
            s->model_name);
    slx_form form = {.json = r->format != SRV_FORMAT_TEXT && !required,
                     .frame = &slx_tool_frames[s->tool_form],
                     .only = r->tool_name,
                     .many = required ? r->many_calls : !r->one_call,
                     .text = !required && r->format == SRV_FORMAT_TEXT};
    if (!form.json && !holds_calls(r)) return true;
    char *schema = form.json && r->schema ? json_dumps(r->schema, JSON_COMPACT) : NULL,
         *tools = holds_calls(r) ? json_dumps(r->functions, JSON_COMPACT) : NULL;
    form.schema = schema;
    form.schema_len = schema ? strlen(schema) : 0;
    form.tools = tools;
    form.tools_len = tools ? strlen(tools) : 0;
    slx_status st = slx_grammar_open(&c->grammar, s->tokens, &form, &err);
    free(schema);
    free(tools);
    return st == SLX_OK || srv_refuse(e, 400, "invalid_request_error", "unsupported_value", param,
                                      "%s: %s", param, err.msg);
}

/* Whatever a client sets for the template must be read there: false, null and "none" change nothing where it is not. */
static bool check_variables(const srv_exchange *x, srv_error *e)
{
    static const char *const always[] = {"messages", "tools"};
    const slx_model *m = x->s->model;
    slx_str text = m->chat ? slx_template_text(m->chat) : slx_str_c("");
    const char *key;
    json_t *v;
    json_object_foreach(x->req.vars, key, v)
    {
        const char *word = json_string_value(v);
        bool ok = json_is_null(v) || json_is_false(v) || (word && !strcmp(word, "none")) ||
                  memmem(text.ptr, text.len, key, strlen(key));
        for (size_t i = 0; i < sizeof always / sizeof *always; i++) ok |= !strcmp(key, always[i]);
        if (!ok)
            return srv_refuse(e, 400, "invalid_request_error", "unsupported_parameter",
                              strcmp(key, "reasoning_effort") ? "chat_template_kwargs"
                              : x->req.api == SRV_RESPONSES   ? "reasoning"
                                                              : key,
                              "%.60s: the chat template of %s does not read it", key,
                              x->s->model_name);
    }
    return true;
}

static bool make_choices(srv_exchange *x, srv_error *e)
{
    const srv_request *r = &x->req;
    uint32_t prompts = r->prompts ? (uint32_t)json_array_size(r->prompts) : 1;
    x->n_choices = prompts * r->n;
    x->choices = slx_xcalloc(x->n_choices, sizeof *x->choices);
    for (uint32_t i = 0; i < x->n_choices; i++) {
        srv_choice *c = &x->choices[i];
        const slx_buf *same = i % r->n ? &x->choices[i - 1].prompt : NULL;
        c->x = x;
        c->index = i;
        c->answer = (slx_answer){.tok = x->s->model->tok, .stops = r->stops, .n_stops = r->n_stops};
        c->answer.shows = r->tools && x->s->tool_marker >= 0;
        c->answer.shown = (uint32_t)x->s->tool_marker;
        c->logprobs = srv_logprobs_new(r);
        if (!add_grammar(c, e)) return false;
        if (same)
            slx_buf_add(&c->prompt, same->ptr, same->len);
        else if (!add_prompt(x, &c->prompt,
                             r->prompts ? json_array_get(r->prompts, i / r->n) : NULL, e))
            return false;
    }
    return true;
}

/* What the client calls the most tokens of an answer. */
static const char *max_name(const srv_request *r)
{
    return r->api == SRV_RESPONSES                       ? "max_output_tokens"
           : srv_given(r->body, "max_completion_tokens") ? "max_completion_tokens"
                                                         : "max_tokens";
}

/* Every answer's length: as asked for, which the context must hold, or to its end. */
static bool set_lengths(srv_exchange *x, srv_error *e)
{
    const srv_request *r = &x->req;
    bool asked = r->max_new != 0;
    uint32_t new = asked ? r->max_new : r->min_new;
    for (uint32_t i = 0; i < x->n_choices; i++) {
        srv_choice *c = &x->choices[i];
        uint32_t n = (uint32_t)(c->prompt.len / 4), room = x->s->context + 1 - n;
        if (new > room && (asked ? srv_given(r->body, max_name(r)) : true))
            return srv_refuse(
                e, 400, "invalid_request_error", "context_length_exceeded",
                asked ? max_name(r) : "min_tokens",
                "found a prompt of %u tokens and %u for the answer; the context holds "
                "%u, prompt and answer together: the answer may have %u",
                n, new, x->s->context, room);
        c->max_new = asked && r->max_new < room ? r->max_new : room;
    }
    return true;
}

/* Tokens of all prompts, one for each answer, and the most the answers may have beside them. */
static uint64_t sum_prompts(const srv_exchange *x)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < x->n_choices; i++) sum += x->choices[i].prompt.len / 4;
    return sum;
}

static uint64_t sum_lengths(const srv_exchange *x)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < x->n_choices; i++) sum += x->choices[i].max_new;
    return sum;
}

/* Without a length asked for an answer is as long as the quota lets it be, and ends with "length" there. */
static void fit_lengths(srv_exchange *x, uint64_t tokens)
{
    uint64_t each = (tokens - sum_prompts(x)) / x->n_choices;
    for (uint32_t i = 0; i < x->n_choices; i++)
        if (x->choices[i].max_new > each) x->choices[i].max_new = (uint32_t)each;
}

/* Is there room in the key's quota of today? What can never fit is a mistake (400), what may fit later is not (429). */
static bool hold_quota(srv_exchange *x, srv_error *e, double *retry_s)
{
    srv_server *s = x->s;
    const srv_request *r = &x->req;
    uint64_t spent = 0, most = sum_prompts(x) + sum_lengths(x),
             least = r->max_new
                         ? most
                         : sum_prompts(x) + (uint64_t)x->n_choices * (r->min_new ? r->min_new : 1);
    unsigned long long day = x->who.day_tokens;
    slx_err err;
    if (!s->store || !day) return true;
    if (least > day)
        return srv_refuse(e, 400, "invalid_request_error", "quota_too_small", max_name(r),
                          "this request takes %llu tokens%s; this key's quota is %llu a day",
                          (unsigned long long)least,
                          r->max_new ? ", as long as it may be" : " or more", day);
    if (srv_limits_reserve(s->limits, s->store, &x->who, least, most, &spent, &x->reserved_tokens,
                           &err) != SLX_OK)
        return srv_refuse(e, 503, "server_error", "ledger_unavailable", NULL,
                          "usage cannot be read now: %s", err.msg);
    if (x->reserved_tokens) {
        fit_lengths(x, x->reserved_tokens);
        return true;
    }
    /* what others hold is given back when they end; what is spent, at midnight */
    *retry_s = spent + least <= day ? 5 : (double)(86400 - time(NULL) % 86400);
    return srv_refuse(
        e, 429, "insufficient_quota", "insufficient_quota", NULL,
        "this key's quota is %llu tokens a day (UTC); %llu are spent, others may be held "
        "by answers under way, and this request may take %llu",
        day, (unsigned long long)spent, (unsigned long long)least);
}

/* Is there room for it: in the key's limits, in the queue? */
static bool admit(srv_exchange *x, srv_error *e, double *retry_s)
{
    srv_server *s = x->s;
    char why[512];
    slx_sched_stats st;
    if (!srv_ledger_healthy(s->ledger, why, sizeof why))
        return *retry_s = 5,
               srv_refuse(e, 503, "server_error", "ledger_unavailable", NULL,
                          "usage cannot be written now, so nothing new is begun: %s", why);
    srv_worker_stats(s->worker, &st);
    uint32_t places = st.slots + s->opt->queue;
    if (x->n_choices > places)
        return srv_invalid(e, x->req.n > 1 ? "n" : "prompt",
                           "found %u answers in one request; this server has places for %u at once",
                           x->n_choices, places);
    if (!hold_quota(x, e, retry_s)) return false;
    uint32_t before = atomic_fetch_add(&s->answers, x->n_choices);
    if (before + x->n_choices > places) {
        atomic_fetch_sub(&s->answers, x->n_choices);
        srv_limits_release(s->limits, &x->who, x->reserved_tokens);
        /* as long as an answer took lately, for each full batch before it */
        *retry_s = 1 + before / (st.slots ? st.slots : 1);
        return srv_refuse(e, 429, "rate_limit_error", "queue_full", NULL,
                          "%u answers are waiting or under way, more are not taken now", before);
    }
    return true;
}

static ssize_t read_stream(void *arg, uint64_t pos, char *buf, size_t max)
{
    srv_exchange *x = arg;
    ssize_t n = 0;
    (void)pos;
    pthread_mutex_lock(&x->lock);
    size_t left = x->out.len - x->out_at;
    if (left) {
        n = (ssize_t)(left < max ? left : max);
        memcpy(buf, x->out.ptr + x->out_at, (size_t)n);
        x->out_at += (size_t)n;
        if (x->out_at == x->out.len) x->out.len = x->out_at = 0;
    } else if (x->done || x->gone) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        x->suspended = true;
        MHD_suspend_connection(x->mhd);
    }
    pthread_mutex_unlock(&x->lock);
    return n;
}

static enum MHD_Result queue_stream(srv_exchange *x)
{
    struct MHD_Response *r =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, x, NULL);
    if (!r) return MHD_NO;
    srv_add_headers(r, x, "text/event-stream; charset=utf-8");
    MHD_add_response_header(r, "X-Accel-Buffering", "no");
    enum MHD_Result ok = MHD_queue_response(x->mhd, MHD_HTTP_OK, r);
    MHD_destroy_response(r);
    return ok;
}

enum MHD_Result srv_begin_answer(srv_exchange *x, srv_api api)
{
    static const char *const prefix[] = {
        [SRV_CHAT] = "chatcmpl-", [SRV_COMPLETIONS] = "cmpl-", [SRV_RESPONSES] = "resp_"};
    srv_error e;
    double retry_s = 0;
    const char *body = x->in.len ? x->in.ptr : "";
    snprintf(x->reply_id, sizeof x->reply_id, "%s%s", prefix[api], x->id + 4);
    if (atomic_load(&x->s->draining)) {
        srv_refuse(&e, 503, "server_error", "server_stopping", NULL,
                   "the server stops and takes nothing new");
        return srv_send_error_after(x, &e, 5);
    }
    if (!srv_limits_request(x->s->limits, &x->who, &retry_s)) {
        srv_refuse(&e, 429, "rate_limit_error", "rate_limit_exceeded", NULL,
                   "this key may ask %u times a minute", x->who.per_minute);
        return srv_send_error_after(x, &e, retry_s);
    }
    if (!srv_request_parse(&x->req, api, body, x->in.len, slx_tok_vocab(x->s->model->tok), &e))
        return srv_send_error(x, &e);
    slx_buf_free(&x->in);
    if (!x->req.seeded) {
        char hex[17];
        srv_random_hex(hex, 8);
        x->req.sampling.seed = strtoull(hex, NULL, 16);
    }
    if (!srv_check_model(x, x->req.model, &e) || !check_variables(x, &e) || !make_choices(x, &e) ||
        !set_lengths(x, &e) || !admit(x, &e, &retry_s))
        return srv_send_error_after(x, &e, retry_s);
    x->submitted = true;
    enum MHD_Result ok = MHD_YES;
    pthread_mutex_lock(&x->lock);
    if (x->req.stream) {
        x->status = 200;
        srv_reply_begin(x);
    } else {
        x->suspended = true;
        MHD_suspend_connection(x->mhd);
    }
    pthread_mutex_unlock(&x->lock);
    /* not under x->lock: libmicrohttpd locks the response, and under that lock calls read_stream, which takes ours */
    if (x->req.stream) ok = queue_stream(x);
    srv_worker_submit(x->s->worker, x);
    return ok;
}
