/* query_text.c - questions about text: token ids of a vocabulary, the prompt of a chat template. */
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "validate/query_int.h"

static bool tokens(slx_question *q, const slx_tokenizer *t, const json_t *text, bool special)
{
    slx_buf ids = {0};
    slx_err err;
    if (slx_tokenize(t, json_string_value(text), json_string_length(text), special, &ids, &err)) {
        slx_buf_free(&ids);
        return slx_cannot(q, "text: %s", err.msg);
    }
    q->value = json_array();
    for (size_t i = 0; i < ids.len / sizeof(uint32_t); i++)
        json_array_append_new(q->value, json_integer(((const uint32_t *)(const void *)ids.ptr)[i]));
    q->unit = "ids";
    slx_buf_free(&ids);
    return true;
}

bool slx_query_tokenize(slx_question *q)
{
    const char *vocab = NULL, *text = NULL;
    slx_model *m;
    slx_err err;
    if (!slx_field_text(q, q->o, "vocab", true, &vocab) ||
        !slx_field_text(q, q->o, "text", true, &text))
        return false;
    if (slx_model_open_vocab(&m, vocab, &err))
        return slx_cannot(q, "vocab %.200s: %s", vocab, err.msg);
    bool ok = tokens(q, m->tok, json_object_get(q->o, "text"),
                     json_is_true(json_object_get(q->o, "special")));
    slx_model_close(m);
    return ok;
}

/* The variables a template sees: the question's own words, and those of kwargs. */
static char *variables(const json_t *o)
{
    static const char *const names[] = {"messages", "add_generation_prompt", "bos_token",
                                        "eos_token", "tools"};
    json_t *vars = json_object();
    json_object_set_new(vars, "tools", json_null());
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object_get(o, names[i]))
            json_object_set(vars, names[i], json_object_get(o, names[i]));
    if (json_is_object(json_object_get(o, "kwargs")))
        json_object_update(vars, json_object_get(o, "kwargs"));
    char *text = json_dumps(vars, JSON_COMPACT);
    json_decref(vars);
    return text;
}

static bool render(slx_question *q, const slx_template *t, const char *now)
{
    slx_rendered r = {0};
    slx_err err;
    char *vars = variables(q->o);
    slx_status st = slx_template_render(t, vars, strlen(vars), now, &r, &err);
    free(vars);
    if (st == SLX_OK) q->value = json_stringn(r.text.len ? r.text.ptr : "", r.text.len);
    slx_rendered_free(&r);
    q->unit = "text";
    if (st) return slx_fails(q, "%s", err.msg);
    return q->value || slx_cannot(q, "the prompt is no UTF-8");
}

bool slx_query_template(slx_question *q)
{
    const char *path = NULL, *now = NULL;
    const json_t *messages = json_object_get(q->o, "messages");
    slx_template *t;
    slx_arena a;
    slx_buf text;
    slx_err err;
    if (!slx_field_text(q, q->o, "template", true, &path) ||
        !slx_field_text(q, q->o, "now", false, &now))
        return false;
    if (!json_is_array(messages)) return slx_malformed(q, "field messages: expected a list");
    if (!strcmp(path, "-"))
        return slx_cannot(q, "template: found -, expected a file"); /* the questions come there */
    if (slx_read_file(&text, path, &err))
        return slx_cannot(q, "template %.200s: %s", path, err.msg);
    slx_arena_init(&a);
    bool ok = slx_template_parse(&t, &a, path, text.len ? text.ptr : "", text.len, &err) == SLX_OK
                  ? render(q, t, now)
                  : slx_fails(q, "%s", err.msg);
    slx_arena_deinit(&a);
    slx_buf_free(&text);
    return ok;
}
