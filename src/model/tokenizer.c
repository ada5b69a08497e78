/* tokenizer.c - opens a vocabulary, cuts special tokens out of a text, and turns ids back into bytes.
 *
 * Invariant that protects a server: an id of a control token comes only from a literal match in text that may hold
 * control tokens; neither merges nor whole pre-tokens can make one (slx_tok_plain).
 */
#include "model/tokenizer_int.h"

#include <stdlib.h>

#define MAX_TOKENS     (1u << 24)
#define MAX_TEXT_BYTES (1u << 30)

#define FAIL(t, status, ...) slx_fail(err, (status), (t)->path, 0, 0, __VA_ARGS__)

/* ------------------------------------------------------------------ symbols */

static uint64_t text_hash(slx_str s)
{
    uint64_t h = s.len * 0x9e3779b97f4a7c15ull, w;
    const char *p = s.ptr;
    size_t n = s.len;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&w, p, 8);
        h = (h ^ w) * 0xff51afd7ed558ccdull;
        h ^= h >> 32;
    }
    w = 0;
    memcpy(&w, p, n);
    h = (h ^ w) * 0xff51afd7ed558ccdull;
    h = (h ^ h >> 32) * 0xc4ceb9fe1a85ec53ull;
    return h ^ h >> 29;
}

static slx_sym_slot *sym_slot(const slx_tokenizer *t, slx_str s, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & t->by_text_mask, tag = (uint32_t)(hash >> 32);
    while (t->by_text[i].sym &&
           (t->by_text[i].tag != tag || !slx_str_eq(t->syms[t->by_text[i].sym - 1], s)))
        i = (i + 1) & t->by_text_mask;
    return &t->by_text[i];
}

uint32_t slx_sym_find(const slx_tokenizer *t, slx_str s)
{
    return sym_slot(t, s, text_hash(s))->sym - 1; /* 0 - 1 == SLX_NO_SYM */
}

void slx_sym_reserve(slx_tokenizer *t, uint32_t n)
{
    if (n <= t->cap_syms) return;
    uint32_t cap = 64;
    while (cap < n) cap *= 2;
    t->syms = slx_xrealloc(t->syms, cap * sizeof *t->syms);
    t->cap_syms = cap;
    free(t->by_text);
    t->by_text = slx_xcalloc(2 * (size_t)cap, sizeof *t->by_text);
    t->by_text_mask = 2 * cap - 1;
    for (uint32_t i = 0; i < t->n_syms; i++) {
        uint64_t hash = text_hash(t->syms[i]);
        slx_sym_slot *slot = sym_slot(t, t->syms[i], hash);
        if (!slot->sym) *slot = (slx_sym_slot){i + 1, (uint32_t)(hash >> 32)};
    }
}

void slx_sym_add(slx_tokenizer *t, slx_str s)
{
    slx_sym_reserve(t, t->n_syms + 1);
    t->syms[t->n_syms++] = s;
    uint64_t hash = text_hash(s);
    slx_sym_slot *slot = sym_slot(t, s, hash);
    if (!slot->sym) *slot = (slx_sym_slot){t->n_syms, (uint32_t)(hash >> 32)};
}

bool slx_tok_plain(const slx_tokenizer *t, uint32_t sym)
{
    return sym < t->n_tokens && t->types[sym] != SLX_TOK_CONTROL &&
           t->types[sym] != SLX_TOK_UNKNOWN;
}

/* ------------------------------------------------------------------ opening */

static slx_status load_tokens(slx_tokenizer *t, const slx_gguf *g, slx_err *err)
{
    const char *key = "tokenizer.ggml.tokens";
    const slx_gguf_value *v = slx_gguf_get(g, key),
                         *types = slx_gguf_get(g, "tokenizer.ggml.token_type");
    if (!v || v->vtype != SLX_V_ARR || v->etype != SLX_V_STR)
        return FAIL(t, SLX_EINPUT, "key '%s': %s, expected an array of strings", key,
                    v ? "found another type" : "not found");
    if (v->n == 0 || v->n > MAX_TOKENS)
        return FAIL(t, SLX_EINPUT, "key '%s': found %llu tokens, expected 1 to %u", key,
                    (unsigned long long)v->n, MAX_TOKENS);
    if (types && (types->vtype != SLX_V_ARR || types->n != v->n))
        return FAIL(
            t, SLX_EINPUT,
            "key 'tokenizer.ggml.token_type': found %llu values, expected one for each of %llu "
            "tokens",
            (unsigned long long)types->n, (unsigned long long)v->n);
    slx_sym_reserve(t, (uint32_t)v->n + (uint32_t)v->n / 16 + 256);
    t->types = slx_new(&t->arena, uint8_t, v->n);
    t->eog = slx_new(&t->arena, uint8_t, v->n);
    slx_str s;
    uint64_t i = 0;
    const uint8_t *at = NULL;
    while (slx_gguf_next_str(v, &i, &at, &s)) {
        int64_t type = SLX_TOK_NORMAL;
        if (types && (!slx_gguf_int_at(types, i - 1, &type) || type < 0 || type > SLX_TOK_BYTE))
            return FAIL(
                t, SLX_EINPUT,
                "key 'tokenizer.ggml.token_type': found a wrong value at %llu, expected 1 to 6",
                (unsigned long long)(i - 1));
        t->types[i - 1] = (uint8_t)type;
        slx_sym_add(t, s);
    }
    t->n_tokens = (uint32_t)v->n;
    return SLX_OK;
}

static int longer_first(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x > y ? -1 : x < y;
}

static bool is_literal(const slx_tokenizer *t, uint32_t id)
{
    return t->types[id] == SLX_TOK_CONTROL || t->types[id] == SLX_TOK_USER ||
           t->types[id] == SLX_TOK_UNKNOWN;
}

static void index_literals(slx_tokenizer *t)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n_tokens; i++) n += is_literal(t, i) && t->syms[i].len;
    t->literal_lens = slx_new(&t->arena, uint32_t, n + 1);
    n = 0;
    for (uint32_t i = 0; i < t->n_tokens; i++) {
        if (!is_literal(t, i) || t->syms[i].len == 0 || t->syms[i].len > MAX_TEXT_BYTES) continue;
        t->first_byte[(unsigned char)t->syms[i].ptr[0]] = true;
        t->literal_lens[n++] = (uint32_t)t->syms[i].len;
    }
    qsort(t->literal_lens, n, sizeof *t->literal_lens, longer_first);
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || t->literal_lens[i] != t->literal_lens[i - 1])
            t->literal_lens[t->n_literal_lens++] = t->literal_lens[i];
}

/* An id key that may be absent (-1). */
static slx_status load_id(slx_tokenizer *t, const slx_gguf *g, const char *name, int64_t *out,
                          slx_err *err)
{
    char key[80];
    uint32_t id;
    *out = -1;
    snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", name);
    if (!slx_gguf_get(g, key)) return SLX_OK;
    SLX_TRY(slx_gguf_u32(g, key, &id, err));
    if (id == UINT32_MAX) return SLX_OK; /* how some writers say none */
    if (id >= t->n_tokens)
        return FAIL(t, SLX_EINPUT, "key '%s': found %u, expected less than the %u tokens", key, id,
                    t->n_tokens);
    *out = id;
    return SLX_OK;
}

static slx_status load_specials(slx_tokenizer *t, const slx_gguf *g, slx_err *err)
{
    static const char *const ends[] = {"<|im_end|>", "<|eot_id|>", "<|end|>",      "<end_of_turn>",
                                       "<|return|>", "<|call|>",   "<|endoftext|>"};
    int64_t eot, eom;
    SLX_TRY(load_id(t, g, "bos", &t->bos, err));
    SLX_TRY(load_id(t, g, "eos", &t->eos, err));
    SLX_TRY(load_id(t, g, "eot", &eot, err));
    SLX_TRY(load_id(t, g, "eom", &eom, err));
    SLX_TRY(load_id(t, g, "unknown", &t->unk, err));
    if (t->eos >= 0) t->eog[t->eos] = 1;
    if (eot >= 0) t->eog[eot] = 1;
    if (eom >= 0) t->eog[eom] = 1;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        uint32_t id = slx_sym_find(t, slx_str_c(ends[i]));
        if (id < t->n_tokens) t->eog[id] = 1;
    }
    t->add_bos = t->spm && t->bos >= 0;
    if (slx_gguf_get(g, "tokenizer.ggml.add_bos_token"))
        SLX_TRY(slx_gguf_bool(g, "tokenizer.ggml.add_bos_token", &t->add_bos, err));
    if (t->add_bos && t->bos < 0)
        return FAIL(
            t, SLX_EINPUT,
            "key 'tokenizer.ggml.bos_token_id': not found, expected as add_bos_token is true");
    return SLX_OK;
}

static slx_status load(slx_tokenizer *t, const slx_gguf *g, slx_err *err)
{
    SLX_TRY(load_tokens(t, g, err));
    SLX_TRY(load_specials(t, g, err));
    index_literals(t);
    return t->spm ? slx_spm_open(t, g, err) : slx_bpe_open(t, g, err);
}

slx_status slx_tokenizer_open(slx_tokenizer **out, const slx_gguf *g, slx_err *err)
{
    slx_str model;
    const slx_gguf_value *v = slx_gguf_get(g, "tokenizer.ggml.model");
    *out = NULL;
    if (!v) return SLX_OK;
    if (!slx_gguf_str(g, "tokenizer.ggml.model", &model))
        return slx_fail(err, SLX_EINPUT, slx_gguf_path(g), 0, 0,
                        "key 'tokenizer.ggml.model': found type %s, expected string",
                        slx_gguf_vtype_name(v->vtype));
    if (slx_str_is(model, "none") || slx_str_is(model, "no_vocab")) return SLX_OK;
    if (!slx_str_is(model, "gpt2") && !slx_str_is(model, "llama")) {
        char text[360];
        return slx_fail(err, SLX_EUNSUPPORTED, slx_gguf_path(g), 0, 0,
                        "key 'tokenizer.ggml.model': found '%s', expected gpt2 or llama",
                        slx_printable(text, model));
    }
    slx_tokenizer *t = slx_xcalloc(1, sizeof *t);
    slx_arena_init(&t->arena);
    t->path = slx_gguf_path(g);
    t->spm = slx_str_is(model, "llama");
    slx_status s = load(t, g, err);
    if (s != SLX_OK) {
        slx_tokenizer_close(t);
        t = NULL;
    }
    *out = t;
    return s;
}

void slx_tokenizer_close(slx_tokenizer *t)
{
    if (!t) return;
    for (int i = 0; i < t->n_passes; i++) pcre2_code_free(t->pass[i]);
    free(t->syms);
    free(t->by_text);
    free(t->pairs);
    slx_arena_deinit(&t->arena);
    free(t);
}

/* ------------------------------------------------------------------ literal tokens */

typedef struct {
    uint32_t off, len, id;
} literal;

typedef struct {
    literal *p;
    size_t n, cap;
} literals;

static void add_literal(literals *l, literal x)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        l->p = slx_xrealloc(l->p, slx_mul_size(l->cap, sizeof *l->p));
    }
    l->p[l->n++] = x;
}

static int by_len_then_off(const void *a, const void *b)
{
    const literal *x = a, *y = b;
    if (x->len != y->len) return x->len > y->len ? -1 : 1;
    return x->off < y->off ? -1 : x->off > y->off;
}

static int by_off(const void *a, const void *b)
{
    const literal *x = a, *y = b;
    return x->off < y->off ? -1 : x->off > y->off;
}

/* Whether a token may be read at [off, off+len): control tokens only where asked for and nothing came from the user. */
static bool may_read(const slx_tokenizer *t, uint32_t id, bool special, const char *user,
                     uint32_t off, uint32_t len)
{
    if (t->types[id] == SLX_TOK_USER) return true;
    return special && is_literal(t, id) && !(user && memchr(user + off, 1, len));
}

/* The longest tokens take their places first, each from the left, in what is still free; then in order of place. */
static void find_literals(const slx_tokenizer *t, const char *text, uint32_t len, bool special,
                          const char *user, literals *out)
{
    literals all = {0};
    for (uint32_t off = 0; off < len; off++) {
        if (!t->first_byte[(unsigned char)text[off]]) continue;
        for (uint32_t k = 0; k < t->n_literal_lens; k++) {
            uint32_t n = t->literal_lens[k];
            if (n > len - off) continue;
            uint32_t id = slx_sym_find(t, (slx_str){text + off, n});
            if (id < t->n_tokens && is_literal(t, id) && may_read(t, id, special, user, off, n))
                add_literal(&all, (literal){off, n, id});
        }
    }
    if (all.n == 0) return;
    qsort(all.p, all.n, sizeof *all.p, by_len_then_off);
    char *taken = slx_xcalloc(len, 1);
    for (size_t i = 0; i < all.n; i++) {
        literal l = all.p[i];
        /* What was placed before is at least as long, so an overlap shows at one of the ends. */
        if (taken[l.off] || taken[l.off + l.len - 1]) continue;
        memset(taken + l.off, 1, l.len);
        add_literal(out, l);
    }
    free(taken);
    free(all.p);
    qsort(out->p, out->n, sizeof *out->p, by_off);
}

/* ------------------------------------------------------------------ text to tokens */

void slx_tok_emit(slx_encoder *e, uint32_t id)
{
    slx_buf_add(e->ids, &id, sizeof id);
}

static slx_status encode_raw(slx_encoder *e, const char *text, size_t len, bool first,
                             int64_t after)
{
    e->text = text;
    if (len == 0) return SLX_OK;
    return e->t->spm ? slx_spm_encode(e, text, len, first, after) : slx_bpe_encode(e, text, len);
}

static slx_status encode(slx_encoder *e, const char *text, size_t len, const literals *lits)
{
    size_t at = 0;
    int64_t after = -1;
    for (size_t i = 0; i < lits->n; i++) {
        literal l = lits->p[i];
        SLX_TRY(encode_raw(e, text + at, l.off - at, at == 0, after));
        slx_tok_emit(e, l.id);
        after = l.id;
        at = l.off + l.len;
    }
    return encode_raw(e, text + at, len - at, at == 0, after);
}

void slx_encoder_deinit(slx_encoder *e)
{
    free(e->nodes);
    free(e->heap);
    slx_buf_free(&e->scratch);
    pcre2_match_data_free(e->match);
    pcre2_match_context_free(e->limits);
}

static slx_status tokenize(const slx_tokenizer *t, const char *text, size_t len, bool special,
                           const char *user, slx_buf *ids, slx_err *err)
{
    slx_encoder e = {.t = t, .ids = ids, .err = err};
    literals lits = {0};
    if (len > MAX_TEXT_BYTES)
        return slx_fail(err, SLX_EINPUT, "", 0, 0, "found a text of %zu bytes, expected up to %u",
                        len, MAX_TEXT_BYTES);
    if (len == 0) return SLX_OK;
    if (!slx_utf8_valid(text, len)) {
        const char *p = text;
        uint32_t cp;
        for (int n; (n = slx_utf8_get(p, text + len, &cp)) > 0; p += n) {}
        return slx_fail(err, SLX_EINPUT, "", 0, 0,
                        "the text is not UTF-8: found byte 0x%02X at %zu", (unsigned char)*p,
                        (size_t)(p - text));
    }
    find_literals(t, text, (uint32_t)len, special, user, &lits);
    slx_status s = encode(&e, text, len, &lits);
    free(lits.p);
    slx_encoder_deinit(&e);
    return s;
}

slx_status slx_tokenize(const slx_tokenizer *t, const char *text, size_t len, bool special,
                        slx_buf *ids, slx_err *err)
{
    return tokenize(t, text, len, special, NULL, ids, err);
}

slx_status slx_tokenize_rendered(const slx_tokenizer *t, const slx_rendered *r, slx_buf *ids,
                                 slx_err *err)
{
    SLX_ASSERT(r->text.len == r->user.len);
    return tokenize(t, r->text.ptr, r->text.len, true, r->user.ptr, ids, err);
}

/* ------------------------------------------------------------------ about tokens */

uint32_t slx_tok_vocab(const slx_tokenizer *t)
{
    return t->n_tokens;
}

slx_str slx_tok_piece(const slx_tokenizer *t, uint32_t id)
{
    SLX_ASSERT(id < t->n_tokens);
    return t->syms[id];
}

bool slx_tok_is_control(const slx_tokenizer *t, uint32_t id)
{
    return id < t->n_tokens && (t->types[id] == SLX_TOK_CONTROL || t->types[id] == SLX_TOK_UNKNOWN);
}

bool slx_tok_is_eog(const slx_tokenizer *t, uint32_t id)
{
    return id < t->n_tokens && t->eog[id];
}
int64_t slx_tok_bos(const slx_tokenizer *t)
{
    return t->bos;
}
int64_t slx_tok_eos(const slx_tokenizer *t)
{
    return t->eos;
}
bool slx_tok_add_bos(const slx_tokenizer *t)
{
    return t->add_bos;
}

void slx_detokenize(const slx_tokenizer *t, uint32_t id, bool special, slx_buf *out)
{
    if (id >= t->n_tokens) return;
    if (slx_tok_is_control(t, id) && !special) return;
    if (is_literal(t, id))
        slx_buf_add(out, t->syms[id].ptr, t->syms[id].len); /* written as it is, never mapped */
    else if (t->spm)
        slx_spm_decode(t, id, out);
    else
        slx_bpe_decode(t, id, out);
}
