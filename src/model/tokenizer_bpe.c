/* tokenizer_bpe.c - byte-level BPE (tokenizer.ggml.model = gpt2).
 *
 * A pre-token is a string of bytes; each byte is one symbol, and the pair of neighbours with the lowest rank merges
 * first. Strings of the vocabulary write a byte as a printable character (the byte map); text is never mapped, only the
 * 256 symbols are looked up once. Bytes without a token are dropped, as the models' own tokenizers do.
 */
#include "model/tokenizer_int.h"

#include <stdlib.h>

#define MATCH_LIMIT    50000000u
#define HEAP_LIMIT_KIB (64u * 1024u)

/* Code point of a byte: itself when printable, else from U+0100 on in order. */
static void byte_chars(uint32_t cp[256])
{
    uint32_t next = 0x100;
    for (uint32_t b = 0; b < 256; b++)
        cp[b] = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174 ? b : next++;
}

/* ------------------------------------------------------------------ merges */

static uint32_t pair_hash(uint32_t a, uint32_t b)
{
    uint64_t h = ((uint64_t)a << 32 | b) * 0x9e3779b97f4a7c15ull;
    return (uint32_t)(h >> 32);
}

static slx_pair_slot *pair_slot(const slx_tokenizer *t, uint32_t a, uint32_t b)
{
    uint32_t i = pair_hash(a, b) & t->pairs_mask;
    while (t->pairs[i].left != SLX_NO_SYM && (t->pairs[i].left != a || t->pairs[i].right != b))
        i = (i + 1) & t->pairs_mask;
    return &t->pairs[i];
}

static bool pair_rank(const slx_encoder *e, const slx_node *a, const slx_node *b, uint32_t *rank,
                      uint32_t *result)
{
    const slx_pair_slot *s = pair_slot(e->t, a->sym, b->sym);
    if (a->sym == SLX_NO_SYM || s->left == SLX_NO_SYM) return false;
    *rank = s->rank;
    *result = s->result;
    return true;
}

/* The symbol of s, added when new; s is copied then unless it is borrowed from the file. */
static uint32_t intern(slx_tokenizer *t, slx_str s, bool borrowed)
{
    uint32_t sym = slx_sym_find(t, s);
    if (sym != SLX_NO_SYM) return sym;
    if (!borrowed) {
        char *copy = slx_push(&t->arena, s.len, 1);
        memcpy(copy, s.ptr, s.len);
        s.ptr = copy;
    }
    slx_sym_add(t, s);
    return t->n_syms - 1;
}

static slx_status load_merges(slx_tokenizer *t, const slx_gguf *g, slx_err *err)
{
    const char *key = "tokenizer.ggml.merges";
    const slx_gguf_value *v = slx_gguf_get(g, key);
    if (!v || v->vtype != SLX_V_ARR || v->etype != SLX_V_STR)
        return slx_fail(err, SLX_EINPUT, t->path, 0, 0,
                        "key '%s': %s, expected an array of strings", key,
                        v ? "found another type" : "not found");
    if (v->n > 1u << 24)
        return slx_fail(err, SLX_EINPUT, t->path, 0, 0,
                        "key '%s': found %llu merges, expected up to %u", key,
                        (unsigned long long)v->n, 1u << 24);
    uint32_t cap = 16;
    while (cap < 2 * v->n) cap *= 2;
    t->pairs = slx_xmalloc(slx_mul_size(cap, sizeof *t->pairs));
    t->pairs_mask = cap - 1;
    memset(t->pairs, 0xff, cap * sizeof *t->pairs);

    slx_str s;
    slx_buf both = {0};
    uint64_t i = 0;
    const uint8_t *at = NULL;
    while (slx_gguf_next_str(v, &i, &at, &s)) {
        const char *gap = s.len > 2 ? memchr(s.ptr + 1, ' ', s.len - 2) : NULL;
        if (!gap) {
            char text[360];
            slx_buf_free(&both);
            return slx_fail(err, SLX_EINPUT, t->path, 0, 0,
                            "key '%s': found '%s' at %llu, expected two parts", key,
                            slx_printable(text, s), (unsigned long long)(i - 1));
        }
        slx_str a = {s.ptr, (size_t)(gap - s.ptr)}, b = {gap + 1, s.len - a.len - 1};
        uint32_t left = intern(t, a, true), right = intern(t, b, true);
        both.len = 0;
        slx_buf_add(&both, a.ptr, a.len);
        slx_buf_add(&both, b.ptr, b.len);
        uint32_t result = intern(t, (slx_str){both.ptr, both.len}, false);
        slx_pair_slot *slot = pair_slot(t, left, right);
        if (slot->left == SLX_NO_SYM)
            *slot = (slx_pair_slot){left, right, (uint32_t)(i - 1), result};
    }
    slx_buf_free(&both);
    return SLX_OK;
}

slx_status slx_bpe_open(slx_tokenizer *t, const slx_gguf *g, slx_err *err)
{
    slx_str pre = slx_str_c("default");
    const slx_gguf_value *v = slx_gguf_get(g, "tokenizer.ggml.pre");
    uint32_t cp[256];
    if (v && !slx_gguf_str(g, "tokenizer.ggml.pre", &pre))
        return slx_fail(err, SLX_EINPUT, t->path, 0, 0,
                        "key 'tokenizer.ggml.pre': found type %s, expected string",
                        slx_gguf_vtype_name(v->vtype));
    SLX_TRY(slx_pretokenizer_open(t, pre, err));
    SLX_TRY(load_merges(t, g, err));
    byte_chars(cp);
    for (uint32_t b = 0; b < 256; b++) {
        char text[4];
        t->byte_sym[b] = slx_sym_find(t, (slx_str){text, (size_t)slx_utf8_put(text, cp[b])});
    }
    return SLX_OK;
}

/* ------------------------------------------------------------------ text to tokens */

/* The token that a whole pre-token is, or SLX_NO_SYM. */
static uint32_t whole(slx_encoder *e, const char *p, size_t n)
{
    uint32_t cp[256];
    byte_chars(cp);
    e->scratch.len = 0;
    for (size_t i = 0; i < n; i++) {
        char text[4];
        slx_buf_add(&e->scratch, text, (size_t)slx_utf8_put(text, cp[(unsigned char)p[i]]));
    }
    uint32_t sym = slx_sym_find(e->t, (slx_str){e->scratch.ptr, e->scratch.len});
    return slx_tok_plain(e->t, sym) ? sym : SLX_NO_SYM;
}

static void encode_pretoken(slx_encoder *e, const char *p, size_t n)
{
    const slx_tokenizer *t = e->t;
    if (t->ignore_merges && n < 512) {
        uint32_t sym = whole(e, p, n);
        if (sym != SLX_NO_SYM) {
            slx_tok_emit(e, sym);
            return;
        }
    }
    e->n_nodes = 0;
    for (size_t i = 0; i < n; i++)
        slx_node_add(e, (uint32_t)i, 1, t->byte_sym[(unsigned char)p[i]]);
    slx_merge(e, pair_rank);
    for (int32_t i = 0; i >= 0; i = e->nodes[i].next) {
        const slx_node *a = &e->nodes[i];
        if (slx_tok_plain(t, a->sym)) {
            slx_tok_emit(e, a->sym);
            continue;
        }
        for (uint32_t j = 0; j < a->len; j++) {
            uint32_t sym = t->byte_sym[(unsigned char)p[a->off + j]];
            if (slx_tok_plain(t, sym)) slx_tok_emit(e, sym);
        }
    }
}

/* The next match at or after `from`; false at the end. A match that the compiled code gives up on (its stack is small)
 * is tried again by the interpreter. */
static slx_status next_match(slx_encoder *e, int pass, const char *p, size_t n, size_t from,
                             bool *found, size_t *beg, size_t *end)
{
    const pcre2_code *c = e->t->pass[pass];
    if (!e->match) {
        e->match = pcre2_match_data_create(1, NULL);
        e->limits = pcre2_match_context_create(NULL);
        SLX_ASSERT(e->match && e->limits);
        pcre2_set_match_limit(e->limits, MATCH_LIMIT);
        pcre2_set_heap_limit(e->limits, HEAP_LIMIT_KIB);
    }
    int rc = pcre2_match(c, (PCRE2_SPTR)p, n, from, PCRE2_NO_UTF_CHECK, e->match, e->limits);
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
        rc = pcre2_match(c, (PCRE2_SPTR)p, n, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, e->match,
                         e->limits);
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
        return slx_fail(e->err, SLX_EINPUT, "", 0, 0,
                        "the text holds a run too long for the model's pre-tokenizer "
                        "(PCRE2 error %d after byte %zu of %zu)",
                        rc, from, n);
    *found = rc >= 0;
    if (*found) {
        const PCRE2_SIZE *o = pcre2_get_ovector_pointer(e->match);
        *beg = o[0];
        *end = o[1];
        SLX_ASSERT(*end > *beg);
    }
    return SLX_OK;
}

/* Applies expression `pass` to a piece; each match and each gap goes on to the next one. */
static slx_status split(slx_encoder *e, int pass, const char *p, size_t n)
{
    if (n == 0) return SLX_OK;
    if (pass == e->t->n_passes) {
        e->pretoken(e, p, n);
        return SLX_OK;
    }
    size_t at = 0;
    while (at < n) {
        bool found;
        size_t beg = n, end = n;
        SLX_TRY(next_match(e, pass, p, n, at, &found, &beg, &end));
        SLX_TRY(split(e, pass + 1, p + at, beg - at));
        SLX_TRY(split(e, pass + 1, p + beg, end - beg));
        at = end;
    }
    return SLX_OK;
}

slx_status slx_pretokenize(slx_encoder *e, const char *text, size_t len)
{
    return split(e, 0, text, len);
}

slx_status slx_bpe_encode(slx_encoder *e, const char *text, size_t len)
{
    e->pretoken = encode_pretoken;
    return slx_pretokenize(e, text, len);
}

/* ------------------------------------------------------------------ tokens to text */

void slx_bpe_decode(const slx_tokenizer *t, uint32_t id, slx_buf *out)
{
    slx_str s = t->syms[id];
    const char *p = s.ptr, *end = s.ptr + s.len;
    uint32_t cp[256], byte_of[0x144];
    byte_chars(cp);
    memset(byte_of, 0xff, sizeof byte_of);
    for (uint32_t b = 0; b < 256; b++) byte_of[cp[b]] = b;
    while (p < end) {
        uint32_t c;
        int n = slx_utf8_get(p, end, &c);
        if (n > 0 && c < 0x144 && byte_of[c] < 256) {
            slx_buf_addc(out, (char)byte_of[c]);
        } else {
            n = n > 0 ? n : 1;
            slx_buf_add(out, p, (size_t)n);
        }
        p += n;
    }
}
