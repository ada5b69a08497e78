/* template_parse.h - the parser of chat templates, in three files: template_cursor.c (tokens and nodes), template_expr.c
 * (expressions) and template_parse.c (statements, tpl_parse_tokens). Errors leave by tpl_syntax's longjmp; nodes live in
 * the template's arena.
 */
#ifndef SLX_TEMPLATE_PARSE_H
#define SLX_TEMPLATE_PARSE_H

#include "model/template_int.h"

/* tokens: the one the parser stands at; taking it; whether it is this operator or word; taking it if it is */
const tpl_token *tpl_peek(const tpl_parse *p);
const tpl_token *tpl_next(tpl_parse *p);
bool tpl_is_op(const tpl_parse *p, int op);
bool tpl_is_word(const tpl_parse *p, const char *w);
bool tpl_skip_op(tpl_parse *p, int op);
bool tpl_skip_word(tpl_parse *p, const char *w);
/* taking what must stand here; an error says what was expected */
void tpl_want_op(tpl_parse *p, int op, const char *expected);
void tpl_want_block_end(tpl_parse *p);
slx_str tpl_want_name(tpl_parse *p, const char *expected);
_Noreturn void tpl_unexpected(tpl_parse *p, const char *expected);
/* one level of nesting more, within TPL_MAX_NEST; who comes back takes it off p->nest */
void tpl_deeper(tpl_parse *p);

/* nodes; off is a place in the text */
tpl_node *tpl_node_new(tpl_parse *p, tpl_node_kind kind, uint32_t off);
tpl_node *tpl_constant(tpl_parse *p, uint32_t off, tpl_value v);
tpl_value tpl_text_value(tpl_parse *p, slx_str text);
void tpl_add_kid(tpl_parse *p, tpl_node *n, tpl_node *kid);
/* Room for one more after n used ones of `size` bytes, in the arena: old, or a copy of twice the room. */
void *tpl_grown(tpl_parse *p, void *old, size_t n, size_t size);
void tpl_add_named(tpl_parse *p, tpl_node *n, slx_str name, tpl_node *kid);

/* expressions */
tpl_node *tpl_expression(tpl_parse *p);
tpl_node *tpl_unary(tpl_parse *p, bool with_filter); /* from the level of signs on */
/* A tuple without parentheses, or one expression. close: a ')' may end it and nothing at all is legal. */
tpl_node *tpl_tuple(tpl_parse *p, bool with_cond, bool close);
/* The filter behind a '|' that has been taken; of NULL: of a block's text. */
tpl_node *tpl_filter_of(tpl_parse *p, tpl_node *of);

#endif
