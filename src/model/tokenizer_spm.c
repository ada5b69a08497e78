/* tokenizer_spm.c - SentencePiece's BPE with scores (tokenizer.ggml.model = llama).
 *
 * A fragment is one run: blanks become U+2581, one is put in front where the model asks for it, code
 * points are the first pieces, and the pair whose joined text is the token of the highest score merges
 * first. Pieces that are no token end as byte tokens <0xXX>.
 */
#include "model/tokenizer_int.h"

#include <math.h>

static const char BLANK[] = "\xe2\x96\x81"; /* U+2581 */

static bool contains(slx_str s, const char *part)
{
    return s.len && memmem(s.ptr, s.len, part, strlen(part));
}

slx_status slx_spm_open(slx_tokenizer *t, const slx_gguf *g, slx_err *err)
{
    const char *key = "tokenizer.ggml.scores";
    const slx_gguf_value *v = slx_gguf_get(g, key);
    slx_str name;
    if (!v || v->vtype != SLX_V_ARR || v->etype != SLX_V_F32 || v->n != t->n_tokens)
        return slx_fail(err, SLX_EINPUT, t->path, 0, 0,
                        "key '%s': %s, expected one f32 for each of %u tokens", key,
                        v ? "found another type or length" : "not found", t->n_tokens);
    float *scores = slx_new(&t->arena, float, t->n_tokens);
    for (uint32_t i = 0; i < t->n_tokens; i++) {
        scores[i] = slx_le_f32(v->data + 4 * (size_t)i);
        if (isnan(scores[i]))
            return slx_fail(err, SLX_EINPUT, t->path, 0, 0,
                            "key '%s': found NaN at %u, expected a number", key, i);
    }
    t->scores = scores;
    for (uint32_t b = 0; b < 256; b++) {
        char text[8];
        snprintf(text, sizeof text, "<0x%02X>", b);
        uint32_t sym = slx_sym_find(t, slx_str_c(text));
        t->byte_sym[b] = sym != SLX_NO_SYM && t->types[sym] == SLX_TOK_BYTE ? sym : SLX_NO_SYM;
    }
    t->space_prefix = true;
    if (slx_gguf_get(g, "tokenizer.ggml.add_space_prefix"))
        SLX_TRY(slx_gguf_bool(g, "tokenizer.ggml.add_space_prefix", &t->space_prefix, err));
    /* The flag is in no key: Phi-3's special tokens eat the white space after them. */
    if (slx_gguf_str(g, "general.name", &name) || slx_gguf_str(g, "general.architecture", &name))
        t->eat_space = contains(name, "phi-3") || contains(name, "phi3") ||
                       contains(name, "Phi-3") || contains(name, "Phi3");
    return SLX_OK;
}

/* Scores as integers that order the other way round: the highest score gets the lowest rank. */
static uint32_t rank_of(float score)
{
    uint32_t u;
    score += 0.0f; /* -0 and 0 are one score */
    memcpy(&u, &score, 4);
    u = u >> 31 ? ~u : u | 0x80000000u;
    return ~u;
}

static bool joined(const slx_encoder *e, const slx_node *a, const slx_node *b, uint32_t *rank,
                   uint32_t *result)
{
    const slx_tokenizer *t = e->t;
    uint32_t sym = slx_sym_find(t, (slx_str){e->text + a->off, (size_t)a->len + b->len});
    if (!slx_tok_plain(t, sym) || t->types[sym] == SLX_TOK_BYTE) return false;
    *rank = rank_of(t->scores[sym]);
    *result = sym;
    return true;
}

static void emit_bytes(slx_encoder *e, const char *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t sym = e->t->byte_sym[(unsigned char)p[i]];
        if (sym != SLX_NO_SYM)
            slx_tok_emit(e, sym);
        else if (e->t->unk >= 0 && i == 0)
            slx_tok_emit(e, (uint32_t)e->t->unk);
    }
}

/* White space after a special token that the model ignores. */
static size_t eaten(const slx_tokenizer *t, const char *text, size_t len, int64_t after)
{
    static const char *const keeps[] = {"<unk>", "<s>", "<|endoftext|>"};
    size_t n = 0;
    if (!t->eat_space || after < 0) return 0;
    for (int i = 0; i < 3; i++)
        if (slx_str_is(t->syms[after], keeps[i])) return 0;
    while (n < len && (text[n] == ' ' || (text[n] >= 9 && text[n] <= 13))) n++;
    return n;
}

slx_status slx_spm_encode(slx_encoder *e, const char *text, size_t len, bool first, int64_t after)
{
    const slx_tokenizer *t = e->t;
    size_t skip = eaten(t, text, len, after);
    uint32_t cp;
    text += skip;
    len -= skip;
    if (len == 0) return SLX_OK;
    e->scratch.len = 0;
    if (t->space_prefix && (first || after >= 0)) slx_buf_adds(&e->scratch, BLANK);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == ' ')
            slx_buf_adds(&e->scratch, BLANK);
        else
            slx_buf_addc(&e->scratch, text[i]);
    }
    if (e->scratch.len > UINT32_MAX / 2)
        return slx_fail(e->err, SLX_EINPUT, "", 0, 0,
                        "found a run of %zu bytes, too long for the tokenizer", e->scratch.len);
    e->text = e->scratch.ptr;
    e->n_nodes = 0;
    const char *end = e->text + e->scratch.len;
    for (const char *p = e->text; p < end;) {
        int n = slx_utf8_get(p, end, &cp);
        uint32_t sym = slx_sym_find(t, (slx_str){p, (size_t)n});
        slx_node_add(e, (uint32_t)(p - e->text), (uint32_t)n, sym);
        p += n;
    }
    slx_merge(e, joined);
    for (int32_t i = 0; i >= 0; i = e->nodes[i].next) {
        const slx_node *a = &e->nodes[i];
        if (slx_tok_plain(t, a->sym) && t->types[a->sym] != SLX_TOK_BYTE)
            slx_tok_emit(e, a->sym);
        else
            emit_bytes(e, e->text + a->off, a->len);
    }
    return SLX_OK;
}

void slx_spm_decode(const slx_tokenizer *t, uint32_t id, slx_buf *out)
{
    slx_str s = t->syms[id];
    if (t->types[id] == SLX_TOK_BYTE && s.len == 6) {
        char hex[3] = {s.ptr[3], s.ptr[4], 0};
        unsigned b;
        if (sscanf(hex, "%2X", &b) == 1) {
            slx_buf_addc(out, (char)b);
            return;
        }
    }
    for (size_t i = 0; i < s.len;) {
        if (s.len - i >= 3 && !memcmp(s.ptr + i, BLANK, 3)) {
            slx_buf_addc(out, ' ');
            i += 3;
        } else {
            slx_buf_addc(out, s.ptr[i++]);
        }
    }
}
