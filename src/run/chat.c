/* chat.c - see chat.h. */
#include "run/chat.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static void set_absent(json_t *vars, const char *name, json_t *value)
{
    if (json_object_get(vars, name))
        json_decref(value);
    else
        json_object_set_new(vars, name, value);
}

static slx_status need_tokenizer(const slx_model *m, slx_err *err)
{
    if (m->tok) return SLX_OK;
    return slx_fail(err, SLX_EINPUT, m->path, 0, 0, "found no tokenizer in the model file");
}

static slx_status tokens_of(const slx_model *m, const char *vars, size_t len, slx_buf *ids,
                            slx_err *err)
{
    slx_rendered r = {0};
    slx_status st = slx_template_render(m->chat, vars, len, NULL, &r, err);
    if (st == SLX_OK) st = slx_tokenize_rendered(m->tok, &r, ids, err);
    slx_rendered_free(&r);
    return st;
}

slx_status slx_chat_tokens(const slx_model *m, const char *vars, size_t len, slx_buf *ids,
                           slx_err *err)
{
    SLX_TRY(need_tokenizer(m, err));
    if (!m->chat)
        return slx_fail(err, SLX_EUNSUPPORTED, m->path, 0, 0, "the model has no chat template");
    json_error_t at;
    json_t *v = json_loadb(vars, len, JSON_ALLOW_NUL, &at);
    if (!v)
        return slx_fail(err, SLX_EINPUT, "messages", at.line, at.column, "expected JSON: %s",
                        at.text);
    set_absent(v, "tools", json_null());
    set_absent(v, "add_generation_prompt", json_true());
    int64_t ends[2] = {slx_tok_bos(m->tok), slx_tok_eos(m->tok)};
    const char *names[2] = {"bos_token", "eos_token"};
    for (int i = 0; i < 2; i++) {
        slx_str s = ends[i] >= 0 ? slx_tok_piece(m->tok, (uint32_t)ends[i]) : slx_str_c("");
        set_absent(v, names[i], json_stringn_nocheck(s.ptr, s.len));
    }
    char *text = json_dumps(v, JSON_COMPACT);
    json_decref(v);
    slx_status st = tokens_of(m, text, strlen(text), ids, err);
    free(text);
    return st;
}

slx_status slx_text_tokens(const slx_model *m, const char *text, size_t len, slx_buf *ids,
                           slx_err *err)
{
    SLX_TRY(need_tokenizer(m, err));
    int64_t bos = slx_tok_bos(m->tok);
    uint32_t first = (uint32_t)bos;
    if (slx_tok_add_bos(m->tok) && bos >= 0) slx_buf_add(ids, &first, sizeof first);
    return slx_tokenize(m->tok, text, len, false, ids, err);
}

slx_status slx_tokens_text(const slx_model *m, const uint32_t *ids, size_t n, bool special,
                           slx_buf *out, slx_err *err)
{
    slx_utf8_stream whole = {0};
    SLX_TRY(need_tokenizer(m, err));
    for (size_t i = 0; i < n; i++) {
        if (ids[i] >= slx_tok_vocab(m->tok))
            return slx_fail(err, SLX_EINPUT, "tokens", 0, 0,
                            "found token %u, expected one below %u", ids[i], slx_tok_vocab(m->tok));
        slx_buf bytes = {0};
        slx_detokenize(m->tok, ids[i], special, &bytes);
        if (bytes.len) slx_utf8_stream_add(&whole, bytes.ptr, bytes.len, out);
        slx_buf_free(&bytes);
    }
    slx_utf8_stream_end(&whole, out);
    return SLX_OK;
}
