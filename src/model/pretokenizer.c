/* pretokenizer.c - how byte-level BPE cuts text into pre-tokens: a row a family, expressions one after another.
 *
 * The expressions are those of the models' own tokenizers. \s is written out as Unicode's White_Space: with UCP, PCRE2
 * would also match U+180E. Each expression must consume at least one character when it matches.
 */
#include "model/tokenizer_int.h"

/* clang-format off */
#define WS "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define S "[" WS "]"
#define NOT_S "[^" WS "]"
#define SPACES "|" S "+(?!" NOT_S ")|" S "+"
#define LINES "|" S "*[\\r\\n]+" SPACES

#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" WS "\\p{L}\\p{N}]+" SPACES
#define SHORT_I "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define LLAMA3(digits) \
    SHORT_I "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^" WS "\\p{L}\\p{N}]+[\\r\\n]*" LINES
#define QWEN35 \
    SHORT_I "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^" WS "\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" LINES
#define O200K_WORD(end) \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+" end \
    "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*" end
#define O200K(end, digits) O200K_WORD(end) "|" digits "| ?[^" WS "\\p{L}\\p{N}]+[\\r\\n/]*" LINES

/* clang-format on */

static const struct {
    const char *names; /* values of tokenizer.ggml.pre, separated and surrounded by blanks */
    bool ignore_merges; /* a pre-token that is a token is taken whole */
    const char *pass[SLX_MAX_PASSES];
} families[] = {
    {" gpt-2 mpt olmo jais ", false, {GPT2}},
    {" smollm starcoder refact command-r codeshell exaone ", false, {"\\p{N}", GPT2}},
    {" llama-bpe llama3 llama-v3 ", true, {LLAMA3("\\p{N}{1,3}")}},
    {" qwen2 deepseek-r1-qwen ", false, {LLAMA3("\\p{N}")}},
    {" qwen35 ", false, {QWEN35}},
    {" gpt-4o ", false, {O200K(SHORT_I "?", "\\p{N}{1,3}")}},
    {" tekken ", true, {O200K("", "\\p{N}")}},
    {" deepseek-coder ", false,
     {"[\\r\\n]", S "?\\p{L}+", S "?\\p{P}+", "[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+", "\\p{N}"}},
    {" deepseek-v3 ", false,
     {"\\p{N}{1,3}", "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+",
      "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
      "| ?[\\p{P}\\p{S}]+[\\r\\n]*" LINES}},
    {" falcon ", false, {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"}},
    {" default ", false, {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
};

static bool listed(const char *names, slx_str name)
{
    if (name.len == 0 || name.len > 40 || memchr(name.ptr, ' ', name.len) || memchr(name.ptr, 0, name.len))
        return false;
    char word[48];
    snprintf(word, sizeof word, " %.*s ", (int)name.len, name.ptr);
    return strstr(names, word) != NULL;
}

slx_status slx_pretokenizer_open(slx_tokenizer *t, slx_str name, slx_err *err)
{
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        if (!listed(families[f].names, name)) continue;
        t->ignore_merges = families[f].ignore_merges;
        for (int i = 0; i < SLX_MAX_PASSES && families[f].pass[i]; i++) {
            int code;
            PCRE2_SIZE at;
            pcre2_code *c = pcre2_compile((PCRE2_SPTR)families[f].pass[i], PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP,
                                          &code, &at, NULL);
            if (!c) SLX_BUG("pre-tokenizer %s, expression %d: PCRE2 error %d at %zu", families[f].names, i, code, at);
            pcre2_jit_compile(c, PCRE2_JIT_COMPLETE); /* without it the matcher interprets: slower, the same results */
            t->pass[t->n_passes++] = c;
        }
        return SLX_OK;
    }
    char text[360];
    return slx_fail(err, SLX_EUNSUPPORTED, t->path, 0, 0,
                    "key 'tokenizer.ggml.pre': found '%s', which is not a pre-tokenizer of this version",
                    slx_printable(text, name));
}
