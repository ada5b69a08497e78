/* grammar.h - answers that must be JSON of a given shape: a schema becomes a grammar over bytes, and before every draw all
 * tokens that cannot continue it are masked.
 *
 *   schema --grammar_schema.c--> nodes: a byte of a set, a branch, a call of a rule, its end       (grammar_int.h)
 *   nodes  --grammar.c---------> the set of places the answer may be at, moved on byte by byte; a mask a set, kept
 *
 * Sound, not complete: whatever comes out is valid for the schema; not everything valid can come out. Members of an object
 * come in the schema's order, and only those it names where it names any; numbers have at most 16 digits and no more than
 * their grammar says; between parts stands at most one blank, or a new line and some blanks. What a schema says and this
 * cannot promise is refused by name.
 */
#ifndef SLX_RUN_GRAMMAR_H
#define SLX_RUN_GRAMMAR_H

#include "run/run.h"

/* The bytes of every token, in order; made once a model, shared by its grammars, read only. */
typedef struct slx_token_bytes slx_token_bytes;
slx_token_bytes *slx_token_bytes_open(const slx_tokenizer *t);
void slx_token_bytes_close(slx_token_bytes *b);

/* One answer's grammar and where the answer stands in it. One thread at a time. */
typedef struct slx_grammar slx_grammar;

/* schema: text of a JSON schema; NULL = any JSON object. before, after: literal text around it (may be NULL). bytes lives
 * longer. Refuses keywords that are not supported, by name. */
slx_status slx_grammar_open(slx_grammar **out, const slx_token_bytes *bytes, const char *schema, size_t len,
                            const char *before, const char *after, slx_err *err);
/* One of several functions is called: before, then of one of them {"name": NAME, KEY: ARGUMENTS}, then after. tools: a JSON
 * list of {"function": {"name", "parameters"}}; only: the name of the one that may be called, or NULL. */
slx_status slx_grammar_open_calls(slx_grammar **out, const slx_token_bytes *bytes, const char *tools, size_t len,
                                  const char *only, const char *key, const char *before, const char *after, slx_err *err);
void slx_grammar_close(slx_grammar *g);

/* Gives every logit of a token that may not come now the lowest finite value: an end-of-generation token may come when
 * the answer is complete. False when no token is left. */
bool slx_grammar_mask(slx_grammar *g, float *logits, uint32_t vocab);
/* A token that the mask let pass; false when it did not. */
bool slx_grammar_take(slx_grammar *g, uint32_t token);
bool slx_grammar_complete(const slx_grammar *g); /* may end here */
bool slx_grammar_over(const slx_grammar *g);     /* may only end here */

#endif
