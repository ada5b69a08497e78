/* cli_template.c - silex template: the prompt a chat template makes of messages. */
#include "cli/cli.h"
#include "cli/json.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *file, *now;
    bool json;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"file", 'f', CLI_TEXT, "MESSAGES.json", AT(file), 0, 0, NULL,
     "a list of messages, or an object with messages and other variables; - is standard input"},
    {"now", 0, CLI_TEXT, "ISO", AT(now), 0, 0, NULL,
     "what a template that asks for the time is told, 2024-07-26T12:00:00"},
    {"json", 0, CLI_FLAG, NULL, AT(json), 0, 0, NULL,
     "one JSON object: prompt, and with a model its tokens"},
    {0},
};
static const values defaults = {0};

static void set_absent(json_t *vars, const char *name, json_t *value)
{
    if (json_object_get(vars, name))
        json_decref(value);
    else
        json_object_set_new(vars, name, value);
}

/* What every template may count on: tools (null when there are none), whether the answer is to begin, and the texts
 * of the tokens at both ends where a model says them. */
static slx_status get_variables(const char *file, const slx_tokenizer *tok, slx_buf *out,
                                slx_err *err)
{
    slx_buf text;
    json_error_t at;
    if (!file)
        return slx_fail(err, SLX_EINPUT, "-f", 0, 0,
                        "found no messages, expected -f MESSAGES.json (- is standard input)");
    const char *place = strcmp(file, "-") ? file : "standard input";
    SLX_TRY(slx_read_file(&text, file, err));
    json_t *vars = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &at);
    slx_buf_free(&text);
    if (!vars)
        return slx_fail(err, SLX_EINPUT, place, at.line, at.column, "expected JSON: %s", at.text);
    if (json_is_array(vars)) vars = json_pack("{s:o}", "messages", vars);
    if (!json_is_array(json_object_get(vars, "messages"))) {
        json_decref(vars);
        return slx_fail(err, SLX_EINPUT, place, 0, 0,
                        "expected a list of messages, or an object with the key \"messages\"");
    }
    set_absent(vars, "tools", json_null());
    set_absent(vars, "add_generation_prompt", json_true());
    int64_t ids[2] = {tok ? slx_tok_bos(tok) : -1, tok ? slx_tok_eos(tok) : -1};
    static const char *const names[2] = {"bos_token", "eos_token"};
    for (int i = 0; i < 2; i++) {
        if (ids[i] < 0) continue;
        slx_str s = slx_tok_piece(tok, (uint32_t)ids[i]);
        set_absent(vars, names[i], cli_json_str(s.ptr, s.len));
    }
    char *dump = json_dumps(vars, JSON_COMPACT);
    slx_buf_adds(out, dump);
    free(dump);
    json_decref(vars);
    return SLX_OK;
}

static slx_status print(const slx_rendered *r, const slx_tokenizer *tok, bool json, slx_err *err)
{
    slx_buf ids = {0};
    if (!json) {
        if (r->text.len) fwrite(r->text.ptr, 1, r->text.len, stdout);
        return SLX_OK;
    }
    if (tok) SLX_TRY(slx_tokenize_rendered(tok, r, &ids, err));
    json_t *j = json_object(), *tokens = json_array();
    json_object_set_new(j, "prompt", cli_json_str(r->text.ptr, r->text.len));
    for (size_t i = 0; i < ids.len / 4; i++)
        json_array_append_new(tokens, json_integer(((const uint32_t *)(const void *)ids.ptr)[i]));
    if (tok) {
        json_object_set_new(j, "tokens", tokens);
    } else {
        json_decref(tokens);
        cli_json_absent(j, "tokens", "a bare template has no vocabulary");
    }
    cli_json_print(j);
    slx_buf_free(&ids);
    return SLX_OK;
}

/* A model's template (in *m), or a file that is one. */
static slx_status get_template(const char *path, slx_arena *a, slx_model **m,
                               const slx_template **t, slx_err *err)
{
    size_t len = strlen(path);
    static const char *const bare[] = {".jinja", ".jinja2", ".j2"};
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(bare[i]);
        if (len < n || strcmp(path + len - n, bare[i])) continue;
        slx_buf text;
        slx_template *parsed;
        SLX_TRY(slx_read_file(&text, path, err));
        char *kept = slx_new(a, char, text.len + 1);
        memcpy(kept, text.ptr, text.len);
        slx_status st = slx_template_parse(&parsed, a, path, kept, text.len, err);
        slx_buf_free(&text);
        if (st == SLX_OK) *t = parsed;
        return st;
    }
    SLX_TRY(slx_model_open_vocab(m, path, err));
    if (!(*m)->chat)
        return slx_fail(
            err, SLX_EINPUT, path, 0, 0,
            "key 'tokenizer.chat_template': not found, expected a model with a template");
    *t = (*m)->chat;
    return SLX_OK;
}

static slx_status run(const void *p, cli_args args, slx_err *err)
{
    const values *v = p;
    slx_arena a;
    slx_model *m = NULL;
    const slx_template *t = NULL;
    slx_buf vars = {0};
    slx_rendered r = {0};
    slx_arena_init(&a);
    slx_status st = get_template(args.v[0], &a, &m, &t, err);
    const slx_tokenizer *tok = m ? m->tok : NULL;
    if (st == SLX_OK) st = get_variables(v->file, tok, &vars, err);
    if (st == SLX_OK) st = slx_template_render(t, vars.ptr, vars.len, v->now, &r, err);
    if (st == SLX_OK) st = print(&r, tok, v->json, err);
    slx_rendered_free(&r);
    slx_buf_free(&vars);
    if (m) slx_model_close(m);
    slx_arena_deinit(&a);
    return st;
}

const cli_verb cli_verb_template = {
    "template",
    "MODEL|FILE.jinja",
    1,
    1,
    "the prompt a chat template renders",
    "Prints the prompt exactly, without a line break of its own. What MESSAGES.json does not set: "
    "tools is null,\n"
    "add_generation_prompt is true, bos_token and eos_token are the model's.\n",
    options,
    &defaults,
    sizeof defaults,
    run};
