/* template_expr.c - expressions of a chat template, tokens to tree.
 *
 * One function a level of precedence, loosest first:
 *   x if c else y < or < and < not < comparison, in, is < + - < ~ < * / // % < ** < unary - + < filter, . [] ()
 * which is Jinja's order, not Python's ('~' binds tighter than '+'; '-1|abs' filters -1).
 */
#include "model/template_parse.h"

#include <string.h>

static tpl_node *or_level(tpl_parse *p);
static tpl_node *postfix(tpl_parse *p, tpl_node *n);
static tpl_node *primary(tpl_parse *p);

/* Arguments behind an opening parenthesis that has been taken. */
static void arguments(tpl_parse *p, tpl_node *n) {
    while (!tpl_skip_op(p, ')')) {
        if (n->n_kid + n->n_names) {
            tpl_want_op(p, ',', "',' or ')' in the arguments");
            if (tpl_skip_op(p, ')')) break;
        }
        if (tpl_is_op(p, '*') || tpl_is_op(p, TPL_POW)) tpl_unexpected(p, "an argument (* and ** are not supported)");
        const tpl_token *t = tpl_peek(p);
        if (t->kind == TPL_T_NAME && p->tok[p->pos + 1].kind == TPL_T_OP && p->tok[p->pos + 1].op == '=') {
            p->pos += 2;
            tpl_add_named(p, n, t->text, tpl_expression(p));
        } else {
            if (n->n_names) tpl_unexpected(p, "a keyword argument after keyword arguments");
            tpl_add_kid(p, n, tpl_expression(p));
        }
    }
}

/* A tuple without parentheses, or one expression. close: a ')' may end it and nothing at all is legal. */
tpl_node *tpl_tuple(tpl_parse *p, bool with_cond, bool close) {
    uint32_t off = tpl_peek(p)->off;
    tpl_node *list = tpl_node_new(p, TPL_E_TUPLE, off);
    bool is_tuple = false;
    for (;;) {
        if (list->n_kid && !tpl_skip_op(p, ',')) break;
        is_tuple = list->n_kid > 0;
        tpl_token_kind k = tpl_peek(p)->kind;
        if (k == TPL_T_VAR_END || k == TPL_T_BLOCK_END || tpl_is_op(p, ')')) break;
        tpl_add_kid(p, list, with_cond ? tpl_expression(p) : or_level(p));
    }
    if (!list->n_kid && !close) tpl_unexpected(p, "an expression");
    return list->n_kid == 1 && !is_tuple ? list->kid[0] : list;
}

static tpl_node *primary(tpl_parse *p) {
    const tpl_token *t = tpl_peek(p);
    switch (t->kind) {
    case TPL_T_NAME: {
        p->pos++;
        if (slx_str_is(t->text, "true") || slx_str_is(t->text, "True"))
            return tpl_constant(p, t->off, (tpl_value){.kind = TPL_BOOL, .u.b = true});
        if (slx_str_is(t->text, "false") || slx_str_is(t->text, "False"))
            return tpl_constant(p, t->off, (tpl_value){.kind = TPL_BOOL});
        if (slx_str_is(t->text, "none") || slx_str_is(t->text, "None"))
            return tpl_constant(p, t->off, (tpl_value){.kind = TPL_NONE});
        tpl_node *n = tpl_node_new(p, TPL_E_NAME, t->off);
        n->name = t->text;
        if (slx_str_is(n->name, "varargs")) p->uses |= TPL_USES_VARARGS;
        if (slx_str_is(n->name, "kwargs")) p->uses |= TPL_USES_KWARGS;
        if (slx_str_is(n->name, "caller")) p->uses |= TPL_USES_CALLER;
        return n;
    }
    case TPL_T_STRING: {
        slx_str text = tpl_next(p)->text;
        while (tpl_peek(p)->kind == TPL_T_STRING) { /* neighbours are one string */
            slx_str more = tpl_next(p)->text;
            if (text.len + more.len > TPL_MAX_TEXT) tpl_syntax(p, t->off, "found a string that is too long");
            char *both = slx_push(p->arena, text.len + more.len + 1, 1);
            memcpy(both, text.ptr, text.len);
            memcpy(both + text.len, more.ptr, more.len);
            text = (slx_str){both, text.len + more.len};
        }
        return tpl_constant(p, t->off, tpl_text_value(p, text));
    }
    case TPL_T_INT: p->pos++; return tpl_constant(p, t->off, (tpl_value){.kind = TPL_INT, .u.i = t->i});
    case TPL_T_FLOAT: p->pos++; return tpl_constant(p, t->off, (tpl_value){.kind = TPL_FLOAT, .u.f = t->f});
    default: break;
    }
    if (tpl_skip_op(p, '(')) {
        tpl_node *n = tpl_tuple(p, true, true);
        tpl_want_op(p, ')', "')'");
        return n;
    }
    if (tpl_skip_op(p, '[')) {
        tpl_node *n = tpl_node_new(p, TPL_E_LIST, t->off);
        while (!tpl_skip_op(p, ']')) {
            if (n->n_kid) {
                tpl_want_op(p, ',', "',' or ']' in the list");
                if (tpl_skip_op(p, ']')) break;
            }
            tpl_add_kid(p, n, tpl_expression(p));
        }
        return n;
    }
    if (tpl_skip_op(p, '{')) {
        tpl_node *n = tpl_node_new(p, TPL_E_DICT, t->off);
        while (!tpl_skip_op(p, '}')) {
            if (n->n_kid) {
                tpl_want_op(p, ',', "',' or '}' in the dictionary");
                if (tpl_skip_op(p, '}')) break;
            }
            tpl_add_kid(p, n, tpl_expression(p));
            tpl_want_op(p, ':', "':' after the key");
            tpl_add_kid(p, n, tpl_expression(p));
        }
        return n;
    }
    tpl_unexpected(p, "an expression");
}

static tpl_node *subscript(tpl_parse *p, tpl_node *of, uint32_t off) {
    tpl_node *part[3] = {NULL, NULL, NULL};
    int k = 0;
    bool slice = false;
    for (;;) {
        if (tpl_is_op(p, ':')) {
            if (k == 2) tpl_unexpected(p, "']'");
            p->pos++;
            slice = true;
            k++;
        } else if (tpl_is_op(p, ']')) {
            break;
        } else {
            if (part[k]) tpl_unexpected(p, "':' or ']'");
            part[k] = tpl_expression(p);
            if (tpl_is_op(p, ',')) tpl_unexpected(p, "']' (an index of several parts is not supported)");
        }
    }
    if (!slice && !part[0]) tpl_unexpected(p, "an index");
    p->pos++;
    tpl_node *n = tpl_node_new(p, slice ? TPL_E_SLICE : TPL_E_ITEM, off);
    n->a = of;
    if (slice)
        for (k = 0; k < 3; k++) tpl_add_kid(p, n, part[k]);
    else n->b = part[0];
    return n;
}

static tpl_node *call(tpl_parse *p, tpl_node *f, uint32_t off) {
    tpl_node *n = tpl_node_new(p, TPL_E_CALL, off);
    n->a = f;
    arguments(p, n);
    return n;
}

static tpl_node *postfix(tpl_parse *p, tpl_node *n) {
    for (;;) {
        uint32_t off = tpl_peek(p)->off;
        if (tpl_skip_op(p, '.')) {
            if (tpl_peek(p)->kind == TPL_T_INT) {
                tpl_node *item = tpl_node_new(p, TPL_E_ITEM, off);
                item->a = n;
                item->b = primary(p);
                n = item;
            } else {
                tpl_node *attr = tpl_node_new(p, TPL_E_ATTR, off);
                attr->a = n;
                attr->name = tpl_want_name(p, "a name or number after '.'");
                n = attr;
            }
        } else if (tpl_skip_op(p, '[')) {
            n = subscript(p, n, off);
        } else if (tpl_skip_op(p, '(')) {
            n = call(p, n, off);
        } else {
            return n;
        }
    }
}

/* A name, possibly with dots, as filters and tests have. */
static slx_str dotted(tpl_parse *p, const char *expected) {
    slx_str name = tpl_want_name(p, expected);
    while (tpl_is_op(p, '.')) {
        p->pos++;
        slx_str more = tpl_want_name(p, "a name after '.'");
        name.len = (size_t)(more.ptr + more.len - name.ptr);
    }
    return name;
}

tpl_node *tpl_filter_of(tpl_parse *p, tpl_node *of) {
    tpl_node *n = tpl_node_new(p, TPL_E_FILTER, tpl_peek(p)->off);
    n->a = of;
    n->name = dotted(p, "the name of a filter");
    if (tpl_skip_op(p, '(')) arguments(p, n);
    return n;
}

static tpl_node *is_test(tpl_parse *p, tpl_node *of) {
    tpl_node *n = tpl_node_new(p, TPL_E_TEST, tpl_peek(p)->off);
    n->a = of;
    n->op = tpl_skip_word(p, "not");
    n->name = dotted(p, "the name of a test");
    const tpl_token *t = tpl_peek(p);
    if (tpl_skip_op(p, '(')) {
        arguments(p, n);
    } else if (t->kind == TPL_T_STRING || t->kind == TPL_T_INT || t->kind == TPL_T_FLOAT || tpl_is_op(p, '[') ||
               tpl_is_op(p, '{') ||
               (t->kind == TPL_T_NAME && !tpl_is_word(p, "else") && !tpl_is_word(p, "or") && !tpl_is_word(p, "and"))) {
        if (tpl_is_word(p, "is")) tpl_unexpected(p, "no second 'is'");
        /* a word after a test that takes nothing ("x is string if y") belongs to what follows */
        if (!tpl_is_word(p, "if") && !tpl_is_word(p, "in") && !tpl_is_word(p, "not"))
            tpl_add_kid(p, n, postfix(p, primary(p)));
    }
    return n;
}

static tpl_node *filters(tpl_parse *p, tpl_node *n) {
    for (;;) {
        uint32_t off = tpl_peek(p)->off;
        if (tpl_skip_op(p, '|')) n = tpl_filter_of(p, n);
        else if (tpl_skip_word(p, "is")) n = is_test(p, n);
        else if (tpl_skip_op(p, '(')) n = call(p, n, off);
        else return n;
    }
}

tpl_node *tpl_unary(tpl_parse *p, bool with_filter) {
    tpl_deeper(p);
    tpl_node *n;
    uint32_t off = tpl_peek(p)->off;
    if (tpl_is_op(p, '-') || tpl_is_op(p, '+')) {
        n = tpl_node_new(p, tpl_is_op(p, '-') ? TPL_E_NEG : TPL_E_POS, off);
        p->pos++;
        n->a = tpl_unary(p, false);
    } else {
        n = primary(p);
    }
    n = postfix(p, n);
    if (with_filter) n = filters(p, n);
    p->nest--;
    return n;
}

static tpl_node *binary(tpl_parse *p, tpl_node_kind kind, int op, uint32_t off, tpl_node *a, tpl_node *b) {
    tpl_node *n = tpl_node_new(p, kind, off);
    n->op = (uint8_t)op;
    n->a = a;
    n->b = b;
    return n;
}

static tpl_node *power(tpl_parse *p) {
    tpl_node *n = tpl_unary(p, true);
    for (;;) {
        uint32_t off = tpl_peek(p)->off;
        if (!tpl_skip_op(p, TPL_POW)) return n;
        n = binary(p, TPL_E_BIN, TPL_POW, off, n, tpl_unary(p, true));
    }
}

static tpl_node *product(tpl_parse *p) {
    tpl_node *n = power(p);
    for (;;) {
        const tpl_token *t = tpl_peek(p);
        if (!tpl_is_op(p, '*') && !tpl_is_op(p, '/') && !tpl_is_op(p, '%') && !tpl_is_op(p, TPL_FLOORDIV)) return n;
        p->pos++;
        n = binary(p, TPL_E_BIN, t->op, t->off, n, power(p));
    }
}

static tpl_node *concat(tpl_parse *p) {
    tpl_node *n = product(p);
    if (!tpl_is_op(p, '~')) return n;
    tpl_node *all = tpl_node_new(p, TPL_E_CONCAT, tpl_peek(p)->off);
    tpl_add_kid(p, all, n);
    while (tpl_skip_op(p, '~')) tpl_add_kid(p, all, product(p));
    return all;
}

static tpl_node *sum(tpl_parse *p) {
    tpl_node *n = concat(p);
    for (;;) {
        const tpl_token *t = tpl_peek(p);
        if (!tpl_is_op(p, '+') && !tpl_is_op(p, '-')) return n;
        p->pos++;
        n = binary(p, TPL_E_BIN, t->op, t->off, n, concat(p));
    }
}

static tpl_node *comparison(tpl_parse *p) {
    tpl_node *first = sum(p), *n = NULL;
    for (;;) {
        const tpl_token *t = tpl_peek(p);
        int op = 0;
        if (t->kind == TPL_T_OP && (t->op == TPL_EQ || t->op == TPL_NE || t->op == TPL_LE || t->op == TPL_GE ||
                                    t->op == '<' || t->op == '>'))
            op = t->op;
        else if (tpl_is_word(p, "in")) op = TPL_IN;
        else if (tpl_is_word(p, "not") && p->tok[p->pos + 1].kind == TPL_T_NAME &&
                 slx_str_is(p->tok[p->pos + 1].text, "in"))
            op = TPL_NOT_IN;
        if (!op) return n ? n : first;
        p->pos += op == TPL_NOT_IN ? 2 : 1;
        if (!n) {
            n = tpl_node_new(p, TPL_E_COMPARE, t->off);
            n->a = first;
        }
        n->ops = tpl_grown(p, n->ops, n->n_kid, 1);
        n->ops[n->n_kid] = (uint8_t)op;
        tpl_add_kid(p, n, sum(p));
    }
}

static tpl_node *not_level(tpl_parse *p) {
    uint32_t off = tpl_peek(p)->off;
    if (!tpl_skip_word(p, "not")) return comparison(p);
    tpl_deeper(p);
    tpl_node *n = tpl_node_new(p, TPL_E_NOT, off);
    n->a = not_level(p);
    p->nest--;
    return n;
}

static tpl_node *and_level(tpl_parse *p) {
    tpl_node *n = not_level(p);
    for (;;) {
        uint32_t off = tpl_peek(p)->off;
        if (!tpl_skip_word(p, "and")) return n;
        n = binary(p, TPL_E_AND, 0, off, n, not_level(p));
    }
}

static tpl_node *or_level(tpl_parse *p) {
    tpl_deeper(p);
    tpl_node *n = and_level(p);
    for (;;) {
        uint32_t off = tpl_peek(p)->off;
        if (!tpl_skip_word(p, "or")) break;
        n = binary(p, TPL_E_OR, 0, off, n, and_level(p));
    }
    p->nest--;
    return n;
}

tpl_node *tpl_expression(tpl_parse *p) {
    tpl_node *n = or_level(p);
    for (;;) {
        uint32_t off = tpl_peek(p)->off;
        if (!tpl_skip_word(p, "if")) return n;
        tpl_deeper(p);
        tpl_node *cond = tpl_node_new(p, TPL_E_COND, off);
        cond->b = n;
        cond->a = or_level(p);
        if (tpl_skip_word(p, "else")) cond->c = tpl_expression(p);
        n = cond;
        p->nest--;
    }
}
