/* grammar.h - answers that must be JSON of a given shape, or calls of functions: the form becomes a grammar over bytes,
 * and before every draw all tokens that cannot continue it are masked.
 *
 *   form  --grammar_build.h--> nodes: a byte of a set, a branch, a call of a rule, its end       (grammar_int.h)
 *   nodes --grammar.c--------> the set of places the answer may be at, moved on byte by byte; a mask a set, kept
 *
 * Sound, not complete: whatever comes out is valid for the schema; not everything valid can come out. Members of an object
 * come in the schema's order, and only those it names where it names any; numbers have at most 16 digits and no more than
 * their grammar says; between parts stands at most one blank, or a new line and some blanks. What a schema says and this
 * cannot promise is refused by name.
 */
#ifndef SLX_RUN_GRAMMAR_H
#define SLX_RUN_GRAMMAR_H

#include "run/run.h"
#include "run/tools.h"

/* The bytes of every token, in order; made once a model, shared by its grammars, read only. */
typedef struct slx_token_bytes slx_token_bytes;
/* shown: a control token that counts as its text (slx_tools_marker), -1 = none; the other ones never come. */
slx_token_bytes *slx_token_bytes_open(const slx_tokenizer *t, int64_t shown);
void slx_token_bytes_close(slx_token_bytes *b);
const uint32_t *slx_token_bytes_ends(const slx_token_bytes *b, uint32_t *n); /* the end-of-generation tokens */

/* One answer's grammar and where the answer stands in it. One thread at a time. */
typedef struct slx_grammar slx_grammar;

/* What an answer has to be. Where both json and calls are given, the answer is one of the two. */
typedef struct {
    bool json;          /* JSON: of the schema, or (NULL) any object */
    const char *schema; /* text of it */
    size_t schema_len;
    const char *tools; /* calls: a JSON list of {"function": {"name", "parameters", "strict"}}; NULL = none */
    size_t tools_len;
    const slx_tool_frame *frame;
    const char *only; /* the function that may be called; NULL = any of them */
    bool many;        /* several calls, where the frame has it */
    bool text;        /* not necessarily calls: text, and calls behind it */
} slx_form;

/* Borrows nothing but bytes. Refuses what a schema says and this cannot promise, by name; parameters that cannot be followed
 * are any object where the function is not strict. */
slx_status slx_grammar_open(slx_grammar **out, const slx_token_bytes *bytes, const slx_form *form, slx_err *err);
void slx_grammar_close(slx_grammar *g);

/* Gives every logit of a token that may not come now the lowest finite value: an end-of-generation token may come when
 * the answer is complete. False when no token is left. */
bool slx_grammar_mask(slx_grammar *g, float *logits, uint32_t vocab);
/* A token that the mask let pass; false when it did not. */
bool slx_grammar_take(slx_grammar *g, uint32_t token);
bool slx_grammar_too_wide(const slx_grammar *g); /* that was why: the answer may be at too many places at once */
bool slx_grammar_complete(const slx_grammar *g); /* may end here */
bool slx_grammar_over(const slx_grammar *g);     /* may only end here */

#endif
