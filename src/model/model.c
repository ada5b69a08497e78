/* model.c - opens a model: container, architecture, tokenizer, chat template, in this order; closes it as a whole. A
 * model known by its shapes alone goes to shapes.c.
 *
 * Invariant: a model that was handed out is complete and checked; on any error nothing stays allocated or mapped.
 */
#include "model/model_int.h"

#include <stdlib.h>

const slx_tensor *slx_model_tensor(const slx_model *m, const char *name)
{
    for (uint32_t i = 0; i < m->n_parts; i++)
        if (!strcmp(m->parts[i].name, name)) return &m->parts[i];
    return m->gguf ? slx_gguf_find(m->gguf, name) : NULL;
}

static slx_status load_template(slx_model *m, slx_err *err)
{
    slx_str text;
    char name[300];
    slx_template *chat;
    const char *path = slx_gguf_path(m->gguf);
    const slx_gguf_value *v = slx_gguf_get(m->gguf, "tokenizer.chat_template");
    if (!v) return SLX_OK;
    if (!slx_gguf_str(m->gguf, "tokenizer.chat_template", &text))
        return slx_fail(err, SLX_EINPUT, path, 0, 0,
                        "key 'tokenizer.chat_template': found type %s, expected string",
                        slx_gguf_vtype_name(v->vtype));
    snprintf(name, sizeof name, "%s: tokenizer.chat_template", path);
    SLX_TRY(slx_template_parse(&chat, &m->arena, name, text.ptr, text.len, err));
    m->chat = chat;
    return SLX_OK;
}

static slx_status load(slx_model *m, bool vocab_only, slx_err *err)
{
    slx_tokenizer *tok;
    if (!vocab_only) SLX_TRY(slx_arch_load(m, err));
    SLX_TRY(slx_tokenizer_open(&tok, m->gguf, err));
    m->tok = tok;
    if (vocab_only && !tok)
        return slx_fail(err, SLX_EINPUT, slx_gguf_path(m->gguf), 0, 0,
                        "key 'tokenizer.ggml.model': not found, expected a file with a vocabulary");
    if (!vocab_only && tok && slx_tok_vocab(tok) != m->hp.vocab)
        return slx_fail(err, SLX_EINPUT, slx_gguf_path(m->gguf), 0, 0,
                        "key 'tokenizer.ggml.tokens': found %u tokens, expected the %u rows of "
                        "token_embd.weight",
                        slx_tok_vocab(tok), m->hp.vocab);
    return load_template(m, err);
}

/* Names are printed on terminals: no control characters. */
static bool printable(slx_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 32 || s.ptr[i] == 127) return false;
    return s.len && slx_utf8_valid(s.ptr, s.len);
}

static void set_name(slx_model *m)
{
    slx_str s;
    if (slx_gguf_str(m->gguf, "general.name", &s) && printable(s)) {
        int n = (int)(s.len < 255 ? s.len : 255);
        while (!slx_utf8_valid(s.ptr, (size_t)n)) n--; /* not in the middle of a character */
        m->name = slx_sprintf(&m->arena, "%.*s", n, s.ptr);
        return;
    }
    const char *slash = strrchr(m->path, '/');
    m->name = slash ? slash + 1 : m->path;
}

slx_status slx_model_from_gguf(slx_model **out, slx_gguf *g, bool vocab_only, slx_err *err)
{
    slx_model *m = slx_xcalloc(1, sizeof *m);
    uint64_t header_bytes;
    slx_hash h;
    slx_arena_init(&m->arena);
    m->gguf = g;
    snprintf(m->path, sizeof m->path, "%s", slx_gguf_path(g));
    const uint8_t *bytes = slx_gguf_bytes(g, &header_bytes, &m->file_bytes);
    slx_hash_init(&h);
    slx_hash_add(&h, bytes, (size_t)header_bytes);
    slx_hash_add(&h, &m->file_bytes, sizeof m->file_bytes);
    m->hash = slx_hash_get(&h);
    set_name(m);
    slx_status s = load(m, vocab_only, err);
    if (s != SLX_OK) {
        slx_model_close(m);
        m = NULL;
    }
    *out = m;
    return s;
}

static slx_status refuse_shapes(const char *path, slx_err *err)
{
    return slx_fail(err, SLX_EUNSUPPORTED, path, 0, 0,
                    "this model has shapes only: found a config, expected a model file with weights "
                    "and vocabulary (GGUF)");
}

slx_status slx_model_need_values(const slx_model *m, slx_err *err)
{
    return m->shapes_only ? refuse_shapes(m->path, err) : SLX_OK;
}

slx_status slx_model_open_as(slx_model **out, const char *path, const char *weight_type,
                             slx_err *err)
{
    char found[1024];
    bool config;
    slx_gguf *g;
    *out = NULL;
    SLX_TRY(slx_model_find(found, path, &config, err));
    if (config) return slx_shapes_open(out, found, weight_type, err);
    SLX_TRY(slx_gguf_open(&g, found, err));
    if (weight_type) {
        slx_gguf_close(g);
        return slx_fail(err, SLX_EINPUT, path, 0, 0,
                        "found weights of their own types, expected a model known by its shapes to "
                        "make them %s",
                        weight_type);
    }
    return slx_model_from_gguf(out, g, false, err);
}

slx_status slx_model_open(slx_model **out, const char *path, slx_err *err)
{
    return slx_model_open_as(out, path, NULL, err);
}

slx_status slx_model_open_vocab(slx_model **out, const char *path, slx_err *err)
{
    char found[1024];
    bool config;
    slx_gguf *g;
    *out = NULL;
    SLX_TRY(slx_model_find(found, path, &config, err));
    if (config) return refuse_shapes(found, err);
    SLX_TRY(slx_gguf_open(&g, found, err));
    return slx_model_from_gguf(out, g, true, err);
}

void slx_model_close(slx_model *m)
{
    if (!m) return;
    slx_tokenizer_close((slx_tokenizer *)m->tok);
    slx_gguf_close(m->gguf);
    slx_arena_deinit(&m->arena);
    free(m);
}

void slx_model_release(const slx_model *m, const slx_tensor *t)
{
    if (m->shapes_only) return;
    const slx_map *map = slx_gguf_map(m->gguf);
    if (map->ptr && t->data >= map->ptr && t->data < map->ptr + map->size)
        slx_map_release(map, t->data, t->bytes);
}
