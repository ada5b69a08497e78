/* template_cursor.c - where the parser of a template stands: errors with their place, tokens, new nodes. */
#include "model/template_parse.h"

#include <stdarg.h>
#include <string.h>

slx_status tpl_place(const slx_template *t, slx_err *err, uint32_t off, const char *msg) {
    int line = 1, col = 1;
    size_t bol = 0;
    for (size_t i = 0; i < off && i < t->len; i++) {
        col += ((unsigned char)t->text[i] & 0xc0) != 0x80;
        if (t->text[i] == '\n') {
            line++;
            col = 1;
            bol = i + 1;
        }
    }
    slx_status s = slx_fail(err, SLX_EINPUT, t->name, line, col, "%s", msg);
    if (err) {
        size_t n = 0;
        while (bol + n < t->len && t->text[bol + n] != '\n' && n + 1 < sizeof err->source) n++;
        memcpy(err->source, t->text + bol, n);
        err->source[n] = 0;
    }
    return s;
}

_Noreturn void tpl_syntax(tpl_parse *p, uint32_t off, const char *fmt, ...) {
    char msg[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    tpl_place(p->t, p->err, off, msg);
    longjmp(p->jmp, 1);
}

const tpl_token *tpl_peek(const tpl_parse *p) { return &p->tok[p->pos]; }

const tpl_token *tpl_next(tpl_parse *p) {
    const tpl_token *t = &p->tok[p->pos];
    if (t->kind != TPL_T_END) p->pos++;
    return t;
}

bool tpl_is_op(const tpl_parse *p, int op) { return tpl_peek(p)->kind == TPL_T_OP && tpl_peek(p)->op == op; }

bool tpl_is_word(const tpl_parse *p, const char *w) {
    return tpl_peek(p)->kind == TPL_T_NAME && slx_str_is(tpl_peek(p)->text, w);
}

bool tpl_skip_op(tpl_parse *p, int op) {
    if (!tpl_is_op(p, op)) return false;
    p->pos++;
    return true;
}

bool tpl_skip_word(tpl_parse *p, const char *w) {
    if (!tpl_is_word(p, w)) return false;
    p->pos++;
    return true;
}

_Noreturn void tpl_unexpected(tpl_parse *p, const char *expected) {
    const tpl_token *t = tpl_peek(p);
    char found[96];
    static const char *const two[] = {"==", "!=", "<=", ">=", "**", "//"};
    switch (t->kind) {
    case TPL_T_END: snprintf(found, sizeof found, "the end of the template"); break;
    case TPL_T_DATA: snprintf(found, sizeof found, "text"); break;
    case TPL_T_VAR_BEGIN: snprintf(found, sizeof found, "{{"); break;
    case TPL_T_VAR_END: snprintf(found, sizeof found, "}}"); break;
    case TPL_T_BLOCK_BEGIN: snprintf(found, sizeof found, "{%%"); break;
    case TPL_T_BLOCK_END: snprintf(found, sizeof found, "%%}"); break;
    case TPL_T_NAME:
        snprintf(found, sizeof found, "'%.*s'", (int)(t->text.len < 60 ? t->text.len : 60), t->text.ptr);
        break;
    case TPL_T_STRING: snprintf(found, sizeof found, "a string"); break;
    case TPL_T_INT:
    case TPL_T_FLOAT: snprintf(found, sizeof found, "a number"); break;
    case TPL_T_OP:
        if (t->op >= TPL_EQ) snprintf(found, sizeof found, "'%s'", two[t->op - TPL_EQ]);
        else snprintf(found, sizeof found, "'%c'", t->op);
        break;
    }
    tpl_syntax(p, t->off, "found %s, expected %s", found, expected);
}

void tpl_want_op(tpl_parse *p, int op, const char *expected) {
    if (!tpl_skip_op(p, op)) tpl_unexpected(p, expected);
}

void tpl_want_block_end(tpl_parse *p) {
    if (tpl_peek(p)->kind != TPL_T_BLOCK_END) tpl_unexpected(p, "%} of this tag");
    p->pos++;
}

slx_str tpl_want_name(tpl_parse *p, const char *expected) {
    if (tpl_peek(p)->kind != TPL_T_NAME) tpl_unexpected(p, expected);
    return tpl_next(p)->text;
}

tpl_node *tpl_node_new(tpl_parse *p, tpl_node_kind kind, uint32_t off) {
    tpl_node *n = slx_new(p->arena, tpl_node, 1);
    n->kind = kind;
    n->off = off;
    return n;
}

/* Room for one more after n used ones: doubles at every power of two. */
void *tpl_grown(tpl_parse *p, void *old, size_t n, size_t size) {
    if (n & (n - 1)) return old;
    void *v = slx_push(p->arena, size * (n ? 2 * n : 1), 16);
    if (n) memcpy(v, old, n * size);
    return v;
}

void tpl_add_kid(tpl_parse *p, tpl_node *n, tpl_node *kid) {
    n->kid = tpl_grown(p, n->kid, n->n_kid, sizeof *n->kid);
    n->kid[n->n_kid++] = kid;
}

void tpl_add_named(tpl_parse *p, tpl_node *n, slx_str name, tpl_node *kid) {
    n->names = tpl_grown(p, n->names, n->n_names, sizeof *n->names);
    n->kw = tpl_grown(p, n->kw, n->n_names, sizeof *n->kw);
    n->names[n->n_names] = name;
    n->kw[n->n_names++] = kid;
}

tpl_node *tpl_constant(tpl_parse *p, uint32_t off, tpl_value v) {
    tpl_node *n = tpl_node_new(p, TPL_E_CONST, off);
    n->value = v;
    return n;
}

tpl_value tpl_text_value(tpl_parse *p, slx_str text) {
    tpl_str *s = slx_new(p->arena, tpl_str, 1);
    s->p = text.ptr;
    s->n = text.len;
    return (tpl_value){.kind = TPL_STR, .u.s = s};
}

void tpl_deeper(tpl_parse *p) {
    if (++p->nest > TPL_MAX_NEST) tpl_syntax(p, tpl_peek(p)->off, "found more than %d levels of nesting", TPL_MAX_NEST);
}
