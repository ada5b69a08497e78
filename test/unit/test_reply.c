/* test_reply.c - answers of every form and every end, without an engine: each is one JSON text or a stream of events
 * that all are, and nothing of it is kept. What is in them is judged by the clients of test/e2e. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "server/server_int.h"

static long
    blocks; /* of jansson's memory that are in use; a text that json_dumps made is freed behind its back */

static void *counted_malloc(size_t n)
{
    void *p = malloc(n);
    blocks += p != NULL;
    return p;
}

static void counted_free(void *p)
{
    blocks -= p != NULL;
    free(p);
}

typedef struct {
    srv_api api;
    bool stream, tools, usage, logprobs, no_x_silex;
    slx_end end;
} form;

static json_t *entries(srv_api api)
{
    return api == SRV_COMPLETIONS
               ? json_pack("{s:[s], s:[f], s:[n], s:[i]}", "tokens", "One", "token_logprobs", -0.5,
                           "top_logprobs", "text_offset", 0)
               : json_pack("{s:[{s:s, s:f, s:[], s:[]}], s:n}", "content", "token", "One",
                           "logprob", -0.5, "bytes", "top_logprobs", "refusal");
}

static json_t *call(void)
{
    return json_pack("[{s:s, s:s, s:{s:s, s:s}}]", "id", "call_1", "type", "function", "function",
                     "name", "count", "arguments", "{\"n\":1}");
}

/* What the worker does from the first token to the last, with two answers where the form has them. */
static srv_exchange *answered(srv_server *s, const form *f)
{
    srv_exchange *x = srv_exchange_new(s);
    x->req.api = f->api;
    x->req.n = f->api == SRV_RESPONSES ? 1 : 2;
    x->req.body = json_pack("{s:{s:s}}", "metadata", "of", "test");
    x->req.stream = f->stream;
    x->req.include_usage = f->usage;
    x->req.logprobs = f->logprobs;
    snprintf(x->reply_id, sizeof x->reply_id, "resp_0123456789");
    if (f->tools)
        x->req.tools =
            json_object_get(x->req.body, "metadata"); /* any: that there are some is asked */
    x->n_choices = x->req.n;
    x->choices = slx_xcalloc(x->n_choices, sizeof *x->choices);
    for (uint32_t i = 0; i < x->n_choices; i++) {
        srv_choice *c = &x->choices[i];
        c->x = x;
        c->index = i;
        if (f->logprobs) c->logprobs = entries(f->api);
    }
    if (f->stream) srv_reply_begin(x);
    for (uint32_t i = 0; i < x->n_choices; i++) {
        srv_choice *c = &x->choices[i];
        c->usage = (slx_job_usage){.prompt_tokens = 3, .new_tokens = 1};
        x->usage.new_tokens++;
        if (f->tools)
            c->calls = call();
        else
            slx_buf_adds(&c->text, "One");
        if (f->stream && !f->tools) srv_reply_delta(c);
        c->end = f->end;
        snprintf(c->fault, sizeof c->fault, "of a test");
        if (f->stream && i + 1 < x->n_choices) srv_reply_end_choice(c);
    }
    srv_reply_finish(x);
    return x;
}

/* Every event's data is JSON; the last line of chat and completions is [DONE]. How many texts of JSON. */
static int check_stream(char *text, srv_api api)
{
    int events = 0;
    bool done = false;
    for (char *next, *line = text; *line; line = next) {
        size_t n = strcspn(line, "\n");
        next = line + n + (line[n] == '\n');
        line[n] = 0;
        if (strncmp(line, "data: ", 6) != 0) continue;
        assert_false(done);
        done = !strcmp(line, "data: [DONE]");
        json_t *j = done ? json_null() : json_loads(line + 6, 0, NULL);
        assert_non_null(j);
        json_decref(j);
        events++;
    }
    assert_true(events > 2);
    assert_int_equal(done, api != SRV_RESPONSES);
    return events - done;
}

static void check_form(const form *f)
{
    slx_server_options o = {.no_x_silex = f->no_x_silex};
    srv_server *s = slx_xcalloc(1, sizeof *s);
    s->opt = &o;
    snprintf(s->model_name, sizeof s->model_name, "m");
    snprintf(s->chip_name, sizeof s->chip_name, "silex-1");
    long before = blocks, texts = 1;
    srv_exchange *x = answered(s, f);
    slx_buf_add(&x->out, "", 1);
    if (f->stream) {
        texts = check_stream(x->out.ptr, f->api);
    } else {
        bool fails = f->end == SLX_END_FAULT || f->end == SLX_END_CANCELLED;
        assert_int_equal(x->status, f->end == SLX_END_FAULT ? 500 : fails ? 503 : 200);
        json_t *j = json_loads(x->out.ptr, 0, NULL);
        assert_non_null(j);
        assert_int_equal(json_is_object(json_object_get(j, "error")), fails);
        assert_int_equal(json_is_object(json_object_get(j, "usage")), !fails);
        json_decref(j);
    }
    srv_exchange_drop(x);
    assert_int_equal(blocks, before + texts);
    free(s);
}

static void test_forms(void **state)
{
    (void)state;
    static const srv_api apis[] = {SRV_CHAT, SRV_COMPLETIONS, SRV_RESPONSES};
    json_set_alloc_funcs(counted_malloc, counted_free);
    static const slx_end ends[] = {SLX_END_STOP, SLX_END_LENGTH, SLX_END_CANCELLED, SLX_END_FAULT};
    for (int a = 0; a < 3; a++)
        for (int e = 0; e < 4; e++)
            for (int bits = 0; bits < 32; bits++) {
                form f = {.api = apis[a],
                          .end = ends[e],
                          .stream = bits & 1,
                          .tools = bits & 2 && apis[a] != SRV_COMPLETIONS,
                          .usage = bits & 4 && apis[a] != SRV_RESPONSES,
                          .logprobs = bits & 8,
                          .no_x_silex = bits & 16};
                check_form(&f);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
