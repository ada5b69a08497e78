/* tokenizer_int.h - what the tokenizer's files share.
 *
 *   text --> tokenizer.c: literal special tokens cut out --> raw fragments
 *            raw fragment --> tokenizer_bpe.c (pre-tokens by PCRE2, byte-mapped) or tokenizer_spm.c (whole)
 *                         --> tokenizer_merge.c (pairs by priority) --> ids
 *
 * A "symbol" is a string that can take part in a merge. Symbols 0..n_tokens-1 are the tokens; further ones are strings
 * that only the merge list knows.
 */
#ifndef SLX_MODEL_TOKENIZER_INT_H
#define SLX_MODEL_TOKENIZER_INT_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "model/model_int.h"

#define SLX_NO_SYM     UINT32_MAX
#define SLX_MAX_PASSES 5

/* Values of tokenizer.ggml.token_type. */
enum {
    SLX_TOK_NORMAL = 1,
    SLX_TOK_UNKNOWN,
    SLX_TOK_CONTROL,
    SLX_TOK_USER,
    SLX_TOK_UNUSED,
    SLX_TOK_BYTE
};

typedef struct {
    uint32_t sym,
        tag; /* sym + 1, 0 = empty; upper half of the hash, to spare most string comparisons */
} slx_sym_slot;

typedef struct {
    uint32_t left, right, rank, result; /* left == SLX_NO_SYM: empty */
} slx_pair_slot;

struct slx_tokenizer {
    const char *path; /* for messages; borrowed from the container */
    bool spm;
    uint32_t n_tokens, n_syms, cap_syms;
    slx_str *syms;  /* [n_syms] tokens first; borrowed from the container or in the arena */
    uint8_t *types; /* [n_tokens] */
    uint8_t *eog;   /* [n_tokens] */
    slx_sym_slot *by_text;
    uint32_t by_text_mask;

    bool first_byte[256];   /* of tokens that are cut out of the text as literals */
    uint32_t *literal_lens; /* their distinct lengths, longest first */
    uint32_t n_literal_lens;

    int64_t bos, eos;
    bool add_bos;

    slx_pair_slot *pairs; /* BPE */
    uint32_t pairs_mask;
    uint32_t byte_sym
        [256]; /* BPE: symbol of the byte's character; SPM: token <0xXX>; SLX_NO_SYM when absent */
    bool ignore_merges;
    pcre2_code *pass[SLX_MAX_PASSES];
    int n_passes;

    const float *scores;          /* SPM: [n_tokens], in the arena */
    bool space_prefix, eat_space; /* SPM */
    int64_t unk;

    slx_arena arena;
};

/* A piece of text that merges with its neighbours; len 0 = swallowed by the left one. */
typedef struct {
    uint32_t off, len, sym;
    int32_t prev, next; /* -1 = none */
} slx_node;

typedef struct {
    uint64_t
        priority; /* rank above, position below: the smallest goes first, the leftmost among equals */
    uint32_t left_len, right_len, result;
} slx_heap_item;

/* One call of slx_tokenize: all that is written to. */
typedef struct slx_encoder {
    const slx_tokenizer *t;
    slx_buf *ids;
    slx_err *err;
    const char *text; /* of the fragment, what nodes' off refers to */
    slx_node *nodes;
    size_t n_nodes, cap_nodes;
    slx_heap_item *heap;
    size_t n_heap, cap_heap;
    slx_buf scratch;
    void (*pretoken)(struct slx_encoder *e, const char *p, size_t n);
    pcre2_match_data *match;
    pcre2_match_context *limits;
} slx_encoder;

/* Priority (lower first) and symbol of two neighbours; false when they do not merge. */
typedef bool (*slx_pair_fn)(const slx_encoder *e, const slx_node *a, const slx_node *b,
                            uint32_t *rank, uint32_t *result);

uint32_t slx_sym_find(const slx_tokenizer *t, slx_str s); /* SLX_NO_SYM when absent */
void slx_sym_add(slx_tokenizer *t,
                 slx_str s); /* as symbol n_syms; the first of equal strings is found */
void slx_sym_reserve(slx_tokenizer *t, uint32_t n); /* room for n symbols in all */

slx_node *slx_node_add(slx_encoder *e, uint32_t off, uint32_t len, uint32_t sym);
void slx_merge(slx_encoder *e, slx_pair_fn pair); /* e->nodes until nothing merges; O(n log n) */
void slx_tok_emit(slx_encoder *e, uint32_t id);
bool slx_tok_plain(const slx_tokenizer *t, uint32_t sym); /* a token that plain text may become */

slx_status slx_bpe_open(slx_tokenizer *t, const slx_gguf *g, slx_err *err);
slx_status slx_bpe_encode(slx_encoder *e, const char *text, size_t len);
/* Cuts valid UTF-8 into pre-tokens and gives each to e->pretoken; their bytes joined are the text. */
slx_status slx_pretokenize(slx_encoder *e, const char *text, size_t len);
void slx_encoder_deinit(slx_encoder *e);
void slx_bpe_decode(const slx_tokenizer *t, uint32_t id, slx_buf *out);
slx_status slx_pretokenizer_open(slx_tokenizer *t, slx_str name, slx_err *err);

slx_status slx_spm_open(slx_tokenizer *t, const slx_gguf *g, slx_err *err);
/* first: at the start of the text; after: the special token before the fragment, or -1. */
slx_status slx_spm_encode(slx_encoder *e, const char *text, size_t len, bool first, int64_t after);
void slx_spm_decode(const slx_tokenizer *t, uint32_t id, slx_buf *out);

#endif
