/* reply.c - what a client gets back: OpenAI's objects of chat and completions, whole or as server-sent events.
 * Everything here appends to x->out, with x->lock held. /v1/responses has a shape of its own: reply_responses.c.
 */
#include "server/server_int.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ pieces */

void srv_reply_json(srv_exchange *x, json_t *j)
{
    char *text = json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER);
    if (!text) SLX_BUG("a reply that is not JSON");
    slx_buf_adds(&x->out, text);
    free(text);
    json_decref(j);
}

void srv_reply_event(srv_exchange *x, const char *event, json_t *j)
{
    if (event) slx_buf_addf(&x->out, "event: %s\n", event);
    slx_buf_adds(&x->out, "data: ");
    srv_reply_json(x, j);
    slx_buf_adds(&x->out, "\n\n");
}

json_t *srv_error_json(const srv_error *e)
{
    return json_pack("{s:{s:s, s:s, s:s?, s:s?}}", "error", "message", e->message, "type", e->type,
                     "param", e->param[0] ? e->param : NULL, "code", e->code);
}

void srv_reply_error(srv_exchange *x, const srv_error *e)
{
    x->status = e->status;
    x->out.len = 0;
    srv_reply_json(x, srv_error_json(e));
}

const char *srv_finish_reason(const srv_choice *c)
{
    if (c->calls && !c->call_cut && c->end != SLX_END_LENGTH) return "tool_calls";
    switch (c->end) {
    case SLX_END_LENGTH: return "length";
    case SLX_END_CANCELLED: return "cancelled"; /* only where the server itself stops */
    default: return "stop";
    }
}

json_t *srv_usage_json(const srv_exchange *x)
{
    const slx_job_usage *u = &x->usage;
    /* one prompt, however many answers */
    uint32_t prompts = x->n_choices / x->req.n, prompt = 0, cached = 0, first = 0;
    for (uint32_t i = 0; i < prompts; i++, first += x->req.n) {
        prompt += x->choices[first].usage.prompt_tokens;
        cached += x->choices[first].usage.cached_tokens;
    }
    if (x->req.api == SRV_RESPONSES)
        return json_pack("{s:i, s:{s:i}, s:i, s:{s:i}, s:i}", "input_tokens", prompt,
                         "input_tokens_details", "cached_tokens", cached, "output_tokens",
                         u->new_tokens, "output_tokens_details", "reasoning_tokens", 0,
                         "total_tokens", prompt + u->new_tokens);
    return json_pack("{s:i, s:i, s:i, s:{s:i}}", "prompt_tokens", prompt, "completion_tokens",
                     u->new_tokens, "total_tokens", prompt + u->new_tokens, "prompt_tokens_details",
                     "cached_tokens", cached);
}

/* What the same steps would have taken on the chip, beside what they took here. */
json_t *srv_x_silex_json(const srv_exchange *x)
{
    const slx_job_usage *u = &x->usage;
    const srv_choice *c = &x->choices[0];
    json_t *j = json_pack("{s:s, s:f, s:f, s:f, s:i}", "chip", x->s->chip_name, "host_ttft_s",
                          u->first_token_s, "host_s", u->total_s, "host_queue_s", u->queue_s,
                          "preemptions", u->preemptions);
    static const char *const names[] = {"ttft_s", "tpot_s", "energy_j", "usd"};
    if (!u->chip_known) {
        for (int i = 0; i < 4; i++) {
            char why[32];
            snprintf(why, sizeof why, "%s_why", names[i]);
            json_object_set_new(j, names[i], json_null());
            json_object_set_new(
                j, why,
                json_string("the chip's steps are being timed; ask again in a few seconds"));
        }
        return j;
    }
    uint32_t made = c->usage.new_tokens;
    double usd = srv_usd(x);
    json_object_set_new(j, "ttft_s", json_real(c->usage.chip_first_s));
    if (made > 1) {
        json_object_set_new(j, "tpot_s",
                            json_real((c->usage.chip_last_s - c->usage.chip_first_s) / (made - 1)));
    } else {
        json_object_set_new(j, "tpot_s", json_null());
        json_object_set_new(j, "tpot_s_why", json_string("fewer than two tokens were made"));
    }
    json_object_set_new(j, "energy_j", json_real(u->chip_j));
    if (usd >= 0) {
        json_object_set_new(j, "usd", json_real(usd));
    } else {
        json_object_set_new(j, "usd", json_null());
        json_object_set_new(j, "usd_why",
                            json_string("the chip file does not say what the chip costs"));
    }
    return j;
}

double srv_usd(const srv_exchange *x)
{
    return x->s->usd_per_s >= 0 && x->usage.chip_known ? x->usage.chip_share_s * x->s->usd_per_s
                                                       : -1;
}

/* ------------------------------------------------------------------ log probabilities */

/* A token's text, and its bytes where they are no whole characters. */
static json_t *token_text(const srv_choice *c, uint32_t token, json_t **bytes)
{
    slx_buf raw = {0}, text = {0};
    slx_utf8_stream whole = {0};
    slx_detokenize(c->x->s->model->tok, token, true, &raw);
    if (raw.len) slx_utf8_stream_add(&whole, raw.ptr, raw.len, &text);
    slx_utf8_stream_end(&whole, &text);
    if (bytes) {
        *bytes = json_array();
        for (size_t i = 0; i < raw.len; i++)
            json_array_append_new(*bytes, json_integer((unsigned char)raw.ptr[i]));
    }
    json_t *s = json_stringn_nocheck(text.len ? text.ptr : "", text.len);
    slx_buf_free(&raw);
    slx_buf_free(&text);
    return s;
}

static json_t *chat_entry(const srv_choice *c, uint32_t token, double logprob)
{
    json_t *bytes, *text = token_text(c, token, &bytes);
    return json_pack("{s:o, s:f, s:o}", "token", text, "logprob", logprob, "bytes", bytes);
}

static void chat_logprob(srv_choice *c, const slx_drawn *t)
{
    json_t *e = chat_entry(c, t->token, t->logprob), *top = json_array();
    for (uint32_t i = 0; i < t->n_top; i++)
        json_array_append_new(top, chat_entry(c, t->top[i].token, t->top[i].logprob));
    json_object_set_new(e, "top_logprobs", top);
    json_array_append_new(json_object_get(c->logprobs, "content"), e);
}

static void text_logprob(srv_choice *c, const slx_drawn *t)
{
    json_t *text = token_text(c, t->token, NULL), *top = json_object();
    for (uint32_t i = 0; i < t->n_top; i++) {
        json_t *other = token_text(c, t->top[i].token, NULL);
        json_object_set_new_nocheck(top, json_string_value(other), json_real(t->top[i].logprob));
        json_decref(other);
    }
    json_array_append_new(json_object_get(c->logprobs, "text_offset"),
                          json_integer(c->text_offset));
    c->text_offset += (uint32_t)json_string_length(text);
    json_array_append_new(json_object_get(c->logprobs, "tokens"), text);
    json_array_append_new(json_object_get(c->logprobs, "token_logprobs"), json_real(t->logprob));
    json_array_append_new(json_object_get(c->logprobs, "top_logprobs"), top);
}

json_t *srv_logprobs_new(const srv_request *r)
{
    if (!r->logprobs) return NULL;
    if (r->api != SRV_COMPLETIONS) return json_pack("{s:[], s:n}", "content", "refusal");
    return json_pack("{s:[], s:[], s:[], s:[]}", "tokens", "token_logprobs", "top_logprobs",
                     "text_offset");
}

void srv_reply_logprob(srv_choice *c, const slx_drawn *t, size_t start)
{
    slx_buf_add(&c->starts, &start, sizeof start);
    (c->x->req.api == SRV_COMPLETIONS ? text_logprob : chat_logprob)(c, t);
}

static size_t gathered(const srv_choice *c)
{
    return c->starts.len / sizeof(size_t);
}

size_t srv_logprobs_begun(const srv_choice *c, size_t end)
{
    const size_t *start = (const size_t *)(const void *)c->starts.ptr;
    size_t n = 0;
    while (n < gathered(c) && start[n] < end) n++;
    return n;
}

void srv_reply_cut_logprobs(srv_choice *c)
{
    size_t keep = srv_logprobs_begun(c, c->text.len);
    const char *key;
    json_t *list;
    json_object_foreach(c->logprobs, key, list)
    {
        while (json_array_size(list) > keep) json_array_remove(list, json_array_size(list) - 1);
    }
    c->starts.len = keep * sizeof(size_t);
}

/* Entries that may go out: of tokens whose text has begun to; in the end all. */
static size_t logprobs_due(const srv_choice *c)
{
    return c->ended || !c->x->req.stream ? gathered(c) : srv_logprobs_begun(c, c->sent);
}

/* Those, and the others stay. */
static json_t *take_logprobs(srv_choice *c)
{
    size_t n = logprobs_due(c), left = gathered(c) - n;
    const char *key;
    json_t *from;
    if (!c->logprobs) return json_null();
    json_t *out = srv_logprobs_new(&c->x->req);
    json_object_foreach(c->logprobs, key, from)
    {
        json_t *to = json_object_get(out, key);
        for (size_t i = 0; i < n && json_is_array(from); i++) {
            json_array_append(to, json_array_get(from, 0));
            json_array_remove(from, 0);
        }
    }
    if (left) memmove(c->starts.ptr, c->starts.ptr + n * sizeof(size_t), left * sizeof(size_t));
    c->starts.len = left * sizeof(size_t);
    return out;
}

/* ------------------------------------------------------------------ streams */

static json_t *chunk(const srv_exchange *x)
{
    return json_pack("{s:s, s:s, s:I, s:s, s:s}", "id", x->reply_id, "object",
                     x->req.api == SRV_CHAT ? "chat.completion.chunk" : "text_completion",
                     "created", (json_int_t)x->created, "model", x->s->model_name,
                     "system_fingerprint", x->s->fingerprint);
}

/* Takes delta (chat) or text (completions). */
json_t *srv_reply_choice(srv_choice *c, json_t *body, const char *finish)
{
    const srv_exchange *x = c->x;
    json_t *j = chunk(x);
    json_object_set_new(j, "choices",
                        json_pack("[{s:i, s:o, s:o, s:s?}]", "index", c->index,
                                  x->req.api == SRV_CHAT ? "delta" : "text", body, "logprobs",
                                  take_logprobs(c), "finish_reason", finish));
    if (x->req.include_usage) json_object_set_new(j, "usage", json_null());
    return j;
}

void srv_reply_begin(srv_exchange *x)
{
    if (x->req.api == SRV_RESPONSES) srv_responses_begin(x);
    if (x->req.api != SRV_CHAT) return;
    for (uint32_t i = 0; i < x->n_choices; i++) {
        json_t *j = chunk(x);
        json_object_set_new(j, "choices",
                            json_pack("[{s:i, s:{s:s, s:s}, s:n, s:n}]", "index", i, "delta",
                                      "role", "assistant", "content", "", "logprobs",
                                      "finish_reason"));
        if (x->req.include_usage) json_object_set_new(j, "usage", json_null());
        srv_reply_event(x, NULL, j);
    }
}

/* Text that may go out now, and entries of log probabilities. */
static void send_text(srv_choice *c)
{
    srv_exchange *x = c->x;
    const char *text = c->text.len ? c->text.ptr : "";
    /* while it is written it may become a call; in the end srv_reply_calls has taken the calls out of it */
    size_t visible = x->req.tools && !c->ended
                         ? slx_tools_content(x->s->tool_form, text, c->text.len)
                         : c->text.len;
    size_t from = c->sent, len = visible > from ? visible - from : 0;
    c->sent += len;
    if (x->req.api == SRV_RESPONSES) {
        srv_responses_delta(c, text + from, len);
        return;
    }
    if (!len && !logprobs_due(c)) return;
    json_t *s = json_stringn_nocheck(text + from, len);
    srv_reply_event(
        x, NULL,
        srv_reply_choice(c, x->req.api == SRV_CHAT ? json_pack("{s:o}", "content", s) : s, NULL));
}

void srv_reply_delta(srv_choice *c)
{
    send_text(c);
    srv_reply_follow(c);
}

static json_t *fault_json(const srv_choice *c)
{
    srv_error e;
    if (c->end == SLX_END_CANCELLED)
        srv_refuse(&e, 503, "server_error", "server_stopping", NULL,
                   "the server stops; the answer is not complete");
    else
        srv_refuse(&e, 500, "server_error", "fault", NULL, "the simulated program faulted: %s",
                   c->fault);
    return srv_error_json(&e);
}

static bool failed(const srv_choice *c)
{
    return c->end == SLX_END_FAULT || c->end == SLX_END_CANCELLED;
}

/* The last one: why it ended. */
static json_t *end_chunk(srv_choice *c)
{
    srv_reply_send_calls(c);
    return srv_reply_choice(c, c->x->req.api == SRV_CHAT ? json_object() : json_string(""),
                            srv_finish_reason(c));
}

void srv_reply_end_choice(srv_choice *c)
{
    if (c->x->req.api == SRV_RESPONSES) return;
    srv_reply_event(c->x, NULL, failed(c) ? fault_json(c) : end_chunk(c));
    c->closed = true;
}

static void finish_stream(srv_exchange *x)
{
    for (uint32_t i = 0; i < x->n_choices; i++) {
        srv_choice *c = &x->choices[i];
        if (c->closed) continue;
        json_t *j = failed(c) ? fault_json(c) : end_chunk(c);
        if (!x->s->opt->no_x_silex && !x->req.include_usage && !failed(c))
            json_object_set_new(j, "x_silex", srv_x_silex_json(x));
        srv_reply_event(x, NULL, j);
    }
    if (x->req.include_usage) {
        json_t *j = chunk(x);
        json_object_set_new(j, "choices", json_array());
        json_object_set_new(j, "usage", srv_usage_json(x));
        if (!x->s->opt->no_x_silex) json_object_set_new(j, "x_silex", srv_x_silex_json(x));
        srv_reply_event(x, NULL, j);
    }
    slx_buf_adds(&x->out, "data: [DONE]\n\n");
}

/* ------------------------------------------------------------------ whole answers */

static json_t *whole_choice(srv_choice *c)
{
    json_t *text = json_stringn_nocheck(c->text.len ? c->text.ptr : "", c->text.len);
    if (c->x->req.api == SRV_CHAT) {
        json_t *message =
            json_pack("{s:s, s:o, s:n}", "role", "assistant", "content", text, "refusal");
        if (c->calls) json_object_set(message, "tool_calls", c->calls);
        if (c->calls && !c->text.len) json_object_set_new(message, "content", json_null());
        return json_pack("{s:i, s:o, s:o, s:s}", "index", c->index, "message", message, "logprobs",
                         take_logprobs(c), "finish_reason", srv_finish_reason(c));
    }
    return json_pack("{s:i, s:o, s:o, s:s}", "index", c->index, "text", text, "logprobs",
                     take_logprobs(c), "finish_reason", srv_finish_reason(c));
}

static void finish_whole(srv_exchange *x)
{
    json_t *choices = json_array(), *j = chunk(x);
    json_object_set_new(
        j, "object", json_string(x->req.api == SRV_CHAT ? "chat.completion" : "text_completion"));
    for (uint32_t i = 0; i < x->n_choices; i++)
        json_array_append_new(choices, whole_choice(&x->choices[i]));
    json_object_set_new(j, "choices", choices);
    json_object_set_new(j, "usage", srv_usage_json(x));
    if (!x->s->opt->no_x_silex) json_object_set_new(j, "x_silex", srv_x_silex_json(x));
    x->status = 200;
    srv_reply_json(x, j);
}

void srv_reply_finish(srv_exchange *x)
{
    for (uint32_t i = 0; i < x->n_choices && !x->req.stream; i++)
        if (failed(&x->choices[i])) {
            bool stops = x->choices[i].end == SLX_END_CANCELLED;
            x->status = stops ? 503 : 500;
            srv_reply_json(x, fault_json(&x->choices[i]));
            return;
        }
    if (x->req.api == SRV_RESPONSES)
        srv_responses_finish(x);
    else if (x->req.stream)
        finish_stream(x);
    else
        finish_whole(x);
}
