/* template_parse.c - tokens of a chat template to its tree.
 *
 * One function a level of precedence, loosest first:
 *   x if c else y < or < and < not < comparison, in, is < + - < ~ < * / // % < ** < unary - + < filter, . [] ()
 * which is Jinja's order, not Python's ('~' binds tighter than '+'; '-1|abs' filters -1).
 */
#include "model/template_int.h"

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

/* ------------------------------------------------------------------ tokens and nodes */

static const tpl_token *peek(const tpl_parse *p) { return &p->tok[p->pos]; }

static const tpl_token *next(tpl_parse *p) {
    const tpl_token *t = &p->tok[p->pos];
    if (t->kind != TPL_T_END) p->pos++;
    return t;
}

static bool is_op(const tpl_parse *p, int op) { return peek(p)->kind == TPL_T_OP && peek(p)->op == op; }

static bool is_word(const tpl_parse *p, const char *w) {
    return peek(p)->kind == TPL_T_NAME && slx_str_is(peek(p)->text, w);
}

static bool skip_op(tpl_parse *p, int op) {
    if (!is_op(p, op)) return false;
    p->pos++;
    return true;
}

static bool skip_word(tpl_parse *p, const char *w) {
    if (!is_word(p, w)) return false;
    p->pos++;
    return true;
}

static _Noreturn void unexpected(tpl_parse *p, const char *expected) {
    const tpl_token *t = peek(p);
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

static void want_op(tpl_parse *p, int op, const char *expected) {
    if (!skip_op(p, op)) unexpected(p, expected);
}

static void want_block_end(tpl_parse *p) {
    if (peek(p)->kind != TPL_T_BLOCK_END) unexpected(p, "%} of this tag");
    p->pos++;
}

static slx_str want_name(tpl_parse *p, const char *expected) {
    if (peek(p)->kind != TPL_T_NAME) unexpected(p, expected);
    return next(p)->text;
}

static tpl_node *node(tpl_parse *p, tpl_node_kind kind, uint32_t off) {
    tpl_node *n = slx_new(p->arena, tpl_node, 1);
    n->kind = kind;
    n->off = off;
    return n;
}

/* Room for one more after n used ones: doubles at every power of two. */
static void *grown(tpl_parse *p, void *old, size_t n, size_t size) {
    if (n & (n - 1)) return old;
    void *v = slx_push(p->arena, size * (n ? 2 * n : 1), 16);
    if (n) memcpy(v, old, n * size);
    return v;
}

static void add_kid(tpl_parse *p, tpl_node *n, tpl_node *kid) {
    n->kid = grown(p, n->kid, n->n_kid, sizeof *n->kid);
    n->kid[n->n_kid++] = kid;
}

static void add_named(tpl_parse *p, tpl_node *n, slx_str name, tpl_node *kid) {
    n->names = grown(p, n->names, n->n_names, sizeof *n->names);
    n->kw = grown(p, n->kw, n->n_names, sizeof *n->kw);
    n->names[n->n_names] = name;
    n->kw[n->n_names++] = kid;
}

static tpl_node *constant(tpl_parse *p, uint32_t off, tpl_value v) {
    tpl_node *n = node(p, TPL_E_CONST, off);
    n->value = v;
    return n;
}

static tpl_value text_value(tpl_parse *p, slx_str text) {
    tpl_str *s = slx_new(p->arena, tpl_str, 1);
    s->p = text.ptr;
    s->n = text.len;
    return (tpl_value){.kind = TPL_STR, .u.s = s};
}

static void enter(tpl_parse *p) {
    if (++p->nest > TPL_MAX_NEST) tpl_syntax(p, peek(p)->off, "found more than %d levels of nesting", TPL_MAX_NEST);
}

/* ------------------------------------------------------------------ expressions */

static tpl_node *expression(tpl_parse *p);
static tpl_node *or_level(tpl_parse *p);
static tpl_node *unary(tpl_parse *p, bool with_filter);
static tpl_node *postfix(tpl_parse *p, tpl_node *n);
static tpl_node *primary(tpl_parse *p);

/* Arguments behind an opening parenthesis that has been taken. */
static void arguments(tpl_parse *p, tpl_node *n) {
    while (!skip_op(p, ')')) {
        if (n->n_kid + n->n_names) {
            want_op(p, ',', "',' or ')' in the arguments");
            if (skip_op(p, ')')) break;
        }
        if (is_op(p, '*') || is_op(p, TPL_POW)) unexpected(p, "an argument (* and ** are not supported)");
        const tpl_token *t = peek(p);
        if (t->kind == TPL_T_NAME && p->tok[p->pos + 1].kind == TPL_T_OP && p->tok[p->pos + 1].op == '=') {
            p->pos += 2;
            add_named(p, n, t->text, expression(p));
        } else {
            if (n->n_names) unexpected(p, "a keyword argument after keyword arguments");
            add_kid(p, n, expression(p));
        }
    }
}

/* A tuple without parentheses, or one expression. close: a ')' may end it and nothing at all is legal. */
static tpl_node *tuple(tpl_parse *p, bool with_cond, bool close) {
    uint32_t off = peek(p)->off;
    tpl_node *list = node(p, TPL_E_TUPLE, off);
    bool is_tuple = false;
    for (;;) {
        if (list->n_kid && !skip_op(p, ',')) break;
        is_tuple = list->n_kid > 0;
        tpl_token_kind k = peek(p)->kind;
        if (k == TPL_T_VAR_END || k == TPL_T_BLOCK_END || is_op(p, ')')) break;
        add_kid(p, list, with_cond ? expression(p) : or_level(p));
    }
    if (!list->n_kid && !close) unexpected(p, "an expression");
    return list->n_kid == 1 && !is_tuple ? list->kid[0] : list;
}

static tpl_node *primary(tpl_parse *p) {
    const tpl_token *t = peek(p);
    switch (t->kind) {
    case TPL_T_NAME: {
        p->pos++;
        if (slx_str_is(t->text, "true") || slx_str_is(t->text, "True"))
            return constant(p, t->off, (tpl_value){.kind = TPL_BOOL, .u.b = true});
        if (slx_str_is(t->text, "false") || slx_str_is(t->text, "False"))
            return constant(p, t->off, (tpl_value){.kind = TPL_BOOL});
        if (slx_str_is(t->text, "none") || slx_str_is(t->text, "None"))
            return constant(p, t->off, (tpl_value){.kind = TPL_NONE});
        tpl_node *n = node(p, TPL_E_NAME, t->off);
        n->name = t->text;
        if (slx_str_is(n->name, "varargs")) p->uses |= TPL_USES_VARARGS;
        if (slx_str_is(n->name, "kwargs")) p->uses |= TPL_USES_KWARGS;
        if (slx_str_is(n->name, "caller")) p->uses |= TPL_USES_CALLER;
        return n;
    }
    case TPL_T_STRING: {
        slx_str text = next(p)->text;
        while (peek(p)->kind == TPL_T_STRING) { /* neighbours are one string */
            slx_str more = next(p)->text;
            if (text.len + more.len > TPL_MAX_TEXT) tpl_syntax(p, t->off, "found a string that is too long");
            char *both = slx_push(p->arena, text.len + more.len + 1, 1);
            memcpy(both, text.ptr, text.len);
            memcpy(both + text.len, more.ptr, more.len);
            text = (slx_str){both, text.len + more.len};
        }
        return constant(p, t->off, text_value(p, text));
    }
    case TPL_T_INT: p->pos++; return constant(p, t->off, (tpl_value){.kind = TPL_INT, .u.i = t->i});
    case TPL_T_FLOAT: p->pos++; return constant(p, t->off, (tpl_value){.kind = TPL_FLOAT, .u.f = t->f});
    default: break;
    }
    if (skip_op(p, '(')) {
        tpl_node *n = tuple(p, true, true);
        want_op(p, ')', "')'");
        return n;
    }
    if (skip_op(p, '[')) {
        tpl_node *n = node(p, TPL_E_LIST, t->off);
        while (!skip_op(p, ']')) {
            if (n->n_kid) {
                want_op(p, ',', "',' or ']' in the list");
                if (skip_op(p, ']')) break;
            }
            add_kid(p, n, expression(p));
        }
        return n;
    }
    if (skip_op(p, '{')) {
        tpl_node *n = node(p, TPL_E_DICT, t->off);
        while (!skip_op(p, '}')) {
            if (n->n_kid) {
                want_op(p, ',', "',' or '}' in the dictionary");
                if (skip_op(p, '}')) break;
            }
            add_kid(p, n, expression(p));
            want_op(p, ':', "':' after the key");
            add_kid(p, n, expression(p));
        }
        return n;
    }
    unexpected(p, "an expression");
}

static tpl_node *subscript(tpl_parse *p, tpl_node *of, uint32_t off) {
    tpl_node *part[3] = {NULL, NULL, NULL};
    int k = 0;
    bool slice = false;
    for (;;) {
        if (is_op(p, ':')) {
            if (k == 2) unexpected(p, "']'");
            p->pos++;
            slice = true;
            k++;
        } else if (is_op(p, ']')) {
            break;
        } else {
            if (part[k]) unexpected(p, "':' or ']'");
            part[k] = expression(p);
            if (is_op(p, ',')) unexpected(p, "']' (an index of several parts is not supported)");
        }
    }
    if (!slice && !part[0]) unexpected(p, "an index");
    p->pos++;
    tpl_node *n = node(p, slice ? TPL_E_SLICE : TPL_E_ITEM, off);
    n->a = of;
    if (slice)
        for (k = 0; k < 3; k++) add_kid(p, n, part[k]);
    else n->b = part[0];
    return n;
}

static tpl_node *call(tpl_parse *p, tpl_node *f, uint32_t off) {
    tpl_node *n = node(p, TPL_E_CALL, off);
    n->a = f;
    arguments(p, n);
    return n;
}

static tpl_node *postfix(tpl_parse *p, tpl_node *n) {
    for (;;) {
        uint32_t off = peek(p)->off;
        if (skip_op(p, '.')) {
            if (peek(p)->kind == TPL_T_INT) {
                tpl_node *item = node(p, TPL_E_ITEM, off);
                item->a = n;
                item->b = primary(p);
                n = item;
            } else {
                tpl_node *attr = node(p, TPL_E_ATTR, off);
                attr->a = n;
                attr->name = want_name(p, "a name or number after '.'");
                n = attr;
            }
        } else if (skip_op(p, '[')) {
            n = subscript(p, n, off);
        } else if (skip_op(p, '(')) {
            n = call(p, n, off);
        } else {
            return n;
        }
    }
}

/* A name, possibly with dots, as filters and tests have. */
static slx_str dotted(tpl_parse *p, const char *expected) {
    slx_str name = want_name(p, expected);
    while (is_op(p, '.')) {
        p->pos++;
        slx_str more = want_name(p, "a name after '.'");
        name.len = (size_t)(more.ptr + more.len - name.ptr);
    }
    return name;
}

static tpl_node *filter(tpl_parse *p, tpl_node *of) {
    tpl_node *n = node(p, TPL_E_FILTER, peek(p)->off);
    n->a = of;
    n->name = dotted(p, "the name of a filter");
    if (skip_op(p, '(')) arguments(p, n);
    return n;
}

static tpl_node *is_test(tpl_parse *p, tpl_node *of) {
    tpl_node *n = node(p, TPL_E_TEST, peek(p)->off);
    n->a = of;
    n->op = skip_word(p, "not");
    n->name = dotted(p, "the name of a test");
    const tpl_token *t = peek(p);
    if (skip_op(p, '(')) {
        arguments(p, n);
    } else if (t->kind == TPL_T_STRING || t->kind == TPL_T_INT || t->kind == TPL_T_FLOAT || is_op(p, '[') ||
               is_op(p, '{') ||
               (t->kind == TPL_T_NAME && !is_word(p, "else") && !is_word(p, "or") && !is_word(p, "and"))) {
        if (is_word(p, "is")) unexpected(p, "no second 'is'");
        /* a word after a test that takes nothing ("x is string if y") belongs to what follows */
        if (!is_word(p, "if") && !is_word(p, "in") && !is_word(p, "not")) add_kid(p, n, postfix(p, primary(p)));
    }
    return n;
}

static tpl_node *filters(tpl_parse *p, tpl_node *n) {
    for (;;) {
        uint32_t off = peek(p)->off;
        if (skip_op(p, '|')) n = filter(p, n);
        else if (skip_word(p, "is")) n = is_test(p, n);
        else if (skip_op(p, '(')) n = call(p, n, off);
        else return n;
    }
}

static tpl_node *unary(tpl_parse *p, bool with_filter) {
    enter(p);
    tpl_node *n;
    uint32_t off = peek(p)->off;
    if (is_op(p, '-') || is_op(p, '+')) {
        n = node(p, is_op(p, '-') ? TPL_E_NEG : TPL_E_POS, off);
        p->pos++;
        n->a = unary(p, false);
    } else {
        n = primary(p);
    }
    n = postfix(p, n);
    if (with_filter) n = filters(p, n);
    p->nest--;
    return n;
}

static tpl_node *binary(tpl_parse *p, tpl_node_kind kind, int op, uint32_t off, tpl_node *a, tpl_node *b) {
    tpl_node *n = node(p, kind, off);
    n->op = (uint8_t)op;
    n->a = a;
    n->b = b;
    return n;
}

static tpl_node *power(tpl_parse *p) {
    tpl_node *n = unary(p, true);
    for (;;) {
        uint32_t off = peek(p)->off;
        if (!skip_op(p, TPL_POW)) return n;
        n = binary(p, TPL_E_BIN, TPL_POW, off, n, unary(p, true));
    }
}

static tpl_node *product(tpl_parse *p) {
    tpl_node *n = power(p);
    for (;;) {
        const tpl_token *t = peek(p);
        if (!is_op(p, '*') && !is_op(p, '/') && !is_op(p, '%') && !is_op(p, TPL_FLOORDIV)) return n;
        p->pos++;
        n = binary(p, TPL_E_BIN, t->op, t->off, n, power(p));
    }
}

static tpl_node *concat(tpl_parse *p) {
    tpl_node *n = product(p);
    if (!is_op(p, '~')) return n;
    tpl_node *all = node(p, TPL_E_CONCAT, peek(p)->off);
    add_kid(p, all, n);
    while (skip_op(p, '~')) add_kid(p, all, product(p));
    return all;
}

static tpl_node *sum(tpl_parse *p) {
    tpl_node *n = concat(p);
    for (;;) {
        const tpl_token *t = peek(p);
        if (!is_op(p, '+') && !is_op(p, '-')) return n;
        p->pos++;
        n = binary(p, TPL_E_BIN, t->op, t->off, n, concat(p));
    }
}

static tpl_node *comparison(tpl_parse *p) {
    tpl_node *first = sum(p), *n = NULL;
    for (;;) {
        const tpl_token *t = peek(p);
        int op = 0;
        if (t->kind == TPL_T_OP && (t->op == TPL_EQ || t->op == TPL_NE || t->op == TPL_LE || t->op == TPL_GE ||
                                    t->op == '<' || t->op == '>'))
            op = t->op;
        else if (is_word(p, "in")) op = TPL_IN;
        else if (is_word(p, "not") && p->tok[p->pos + 1].kind == TPL_T_NAME &&
                 slx_str_is(p->tok[p->pos + 1].text, "in"))
            op = TPL_NOT_IN;
        if (!op) return n ? n : first;
        p->pos += op == TPL_NOT_IN ? 2 : 1;
        if (!n) {
            n = node(p, TPL_E_COMPARE, t->off);
            n->a = first;
        }
        n->ops = grown(p, n->ops, n->n_kid, 1);
        n->ops[n->n_kid] = (uint8_t)op;
        add_kid(p, n, sum(p));
    }
}

static tpl_node *not_level(tpl_parse *p) {
    uint32_t off = peek(p)->off;
    if (!skip_word(p, "not")) return comparison(p);
    enter(p);
    tpl_node *n = node(p, TPL_E_NOT, off);
    n->a = not_level(p);
    p->nest--;
    return n;
}

static tpl_node *and_level(tpl_parse *p) {
    tpl_node *n = not_level(p);
    for (;;) {
        uint32_t off = peek(p)->off;
        if (!skip_word(p, "and")) return n;
        n = binary(p, TPL_E_AND, 0, off, n, not_level(p));
    }
}

static tpl_node *or_level(tpl_parse *p) {
    enter(p);
    tpl_node *n = and_level(p);
    for (;;) {
        uint32_t off = peek(p)->off;
        if (!skip_word(p, "or")) break;
        n = binary(p, TPL_E_OR, 0, off, n, and_level(p));
    }
    p->nest--;
    return n;
}

static tpl_node *expression(tpl_parse *p) {
    tpl_node *n = or_level(p);
    for (;;) {
        uint32_t off = peek(p)->off;
        if (!skip_word(p, "if")) return n;
        enter(p);
        tpl_node *cond = node(p, TPL_E_COND, off);
        cond->b = n;
        cond->a = or_level(p);
        if (skip_word(p, "else")) cond->c = expression(p);
        n = cond;
        p->nest--;
    }
}

/* ------------------------------------------------------------------ statements */

static tpl_node *body(tpl_parse *p, const char *const *ends, uint32_t open);

/* Reads a body up to {% end %}. */
static tpl_node *body_to(tpl_parse *p, const char *end, uint32_t open) {
    const char *const ends[] = {end, NULL};
    tpl_node *n = body(p, ends, open);
    p->pos++;
    want_block_end(p);
    return n;
}

/* What a loop or set assigns to: names, and tuples of them. */
static tpl_node *target(tpl_parse *p, bool members) {
    enter(p);
    tpl_node *list = node(p, TPL_E_TUPLE, peek(p)->off);
    bool is_tuple = false;
    for (;;) {
        if (list->n_kid) {
            if (!skip_op(p, ',')) break;
            is_tuple = true;
            if (is_op(p, ')') || is_op(p, '=') || is_word(p, "in")) break;
        }
        if (skip_op(p, '(')) {
            add_kid(p, list, target(p, false));
            want_op(p, ')', "')'");
            continue;
        }
        uint32_t off = peek(p)->off;
        tpl_node *n = node(p, TPL_E_NAME, off);
        n->name = want_name(p, "a name to assign to");
        static const char *const words[] = {"true", "false", "none", "True", "False", "None", "not", "in", "if"};
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (slx_str_is(n->name, words[i])) tpl_syntax(p, off, "found '%s', expected a name to assign to", words[i]);
        if (members && !list->n_kid && skip_op(p, '.')) {
            tpl_node *attr = node(p, TPL_E_ATTR, off);
            attr->a = n;
            attr->name = want_name(p, "the name of a namespace's member");
            p->nest--;
            return attr;
        }
        add_kid(p, list, n);
    }
    p->nest--;
    return is_tuple ? list : list->kid[0];
}

static tpl_node *if_tag(tpl_parse *p, uint32_t off) {
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    tpl_node *n = node(p, TPL_S_IF, off);
    for (;;) {
        add_kid(p, n, tuple(p, false, false));
        want_block_end(p);
        add_kid(p, n, body(p, ends, off));
        if (skip_word(p, "elif")) continue;
        if (skip_word(p, "else")) {
            want_block_end(p);
            n->c = body_to(p, "endif", off);
        } else {
            p->pos++;
            want_block_end(p);
        }
        return n;
    }
}

static tpl_node *for_tag(tpl_parse *p, uint32_t off) {
    static const char *const ends[] = {"else", "endfor", NULL};
    tpl_node *n = node(p, TPL_S_FOR, off);
    n->a = target(p, false);
    if (!skip_word(p, "in")) unexpected(p, "'in'");
    n->b = tuple(p, false, false);
    if (skip_word(p, "if")) n->test = expression(p);
    if (is_word(p, "recursive")) unexpected(p, "%} (recursive loops are not supported)");
    want_block_end(p);
    p->loops++;
    n->c = body(p, ends, off);
    p->loops--;
    tpl_node *otherwise = NULL;
    if (skip_word(p, "else")) {
        want_block_end(p);
        otherwise = body_to(p, "endfor", off);
    } else {
        p->pos++;
        want_block_end(p);
    }
    add_kid(p, n, otherwise);
    return n;
}

/* A block's filters: {% set x | trim %}, {% filter upper | trim %}; NULL when there are none. */
static tpl_node *block_filters(tpl_parse *p, bool first) {
    tpl_node *n = NULL;
    if (first) n = filter(p, NULL);
    while (skip_op(p, '|')) n = filter(p, n);
    return n;
}

static tpl_node *set_tag(tpl_parse *p, uint32_t off) {
    tpl_node *to = target(p, true);
    tpl_node *n;
    if (skip_op(p, '=')) {
        n = node(p, TPL_S_SET, off);
        n->a = to;
        n->b = tuple(p, true, false);
        want_block_end(p);
        return n;
    }
    n = node(p, TPL_S_SET_BLOCK, off);
    n->a = to;
    n->b = block_filters(p, false);
    if (peek(p)->kind != TPL_T_BLOCK_END) unexpected(p, "'=' or %}");
    p->pos++;
    n->c = body_to(p, "endset", off);
    return n;
}

/* (a, b=1) of a macro: names, and a default or NULL for each. */
static void parameters(tpl_parse *p, tpl_node *n) {
    want_op(p, '(', "'(' and the parameters");
    bool defaults = false;
    while (!skip_op(p, ')')) {
        if (n->n_names) {
            want_op(p, ',', "',' or ')' in the parameters");
            if (skip_op(p, ')')) break;
        }
        uint32_t off = peek(p)->off;
        slx_str name = want_name(p, "the name of a parameter");
        tpl_node *value = skip_op(p, '=') ? expression(p) : NULL;
        if (value) defaults = true;
        else if (defaults) tpl_syntax(p, off, "found a parameter without default after one with a default");
        add_named(p, n, name, value);
    }
}

static tpl_node *statement(tpl_parse *p) {
    const tpl_token *t = peek(p);
    uint32_t off = t->off;
    slx_str w = want_name(p, "the name of a tag");
    tpl_node *n;
    if (slx_str_is(w, "if")) return if_tag(p, off);
    if (slx_str_is(w, "for")) return for_tag(p, off);
    if (slx_str_is(w, "set")) return set_tag(p, off);
    if (slx_str_is(w, "break") || slx_str_is(w, "continue")) {
        if (!p->loops) tpl_syntax(p, off, "found '%s' outside of a loop", w.ptr[0] == 'b' ? "break" : "continue");
        want_block_end(p);
        return node(p, w.ptr[0] == 'b' ? TPL_S_BREAK : TPL_S_CONTINUE, off);
    }
    if (slx_str_is(w, "generation")) { /* marks what a model trains on: nothing to do here */
        want_block_end(p);
        return body_to(p, "endgeneration", off);
    }
    int loops = p->loops;
    if (slx_str_is(w, "with")) {
        n = node(p, TPL_S_WITH, off);
        while (peek(p)->kind != TPL_T_BLOCK_END) {
            if (n->n_kid) want_op(p, ',', "',' or %}");
            add_kid(p, n, target(p, false));
            want_op(p, '=', "'='");
            add_kid(p, n, expression(p));
        }
        p->pos++;
        n->c = body_to(p, "endwith", off);
        return n;
    }
    if (slx_str_is(w, "filter")) {
        n = node(p, TPL_S_FILTER, off);
        n->b = block_filters(p, true);
        want_block_end(p);
        n->c = body_to(p, "endfilter", off);
        return n;
    }
    uint8_t uses = p->uses;
    p->loops = 0;
    p->uses = 0;
    if (slx_str_is(w, "macro")) {
        n = node(p, TPL_S_MACRO, off);
        n->name = want_name(p, "the macro's name");
        parameters(p, n);
        want_block_end(p);
        n->c = body_to(p, "endmacro", off);
    } else if (slx_str_is(w, "call")) {
        n = node(p, TPL_S_CALL, off);
        if (is_op(p, '(')) parameters(p, n);
        n->b = unary(p, true);
        if (n->b->kind != TPL_E_CALL) tpl_syntax(p, off, "found an expression after 'call', expected a call");
        want_block_end(p);
        n->c = body_to(p, "endcall", off);
    } else {
        tpl_syntax(p, off, "found the tag '%.*s', which is not supported here", (int)(w.len < 60 ? w.len : 60), w.ptr);
    }
    n->op = p->uses;
    p->uses = uses | (n->kind == TPL_S_CALL ? n->op : 0);
    p->loops = loops;
    return n;
}

static tpl_node *body(tpl_parse *p, const char *const *ends, uint32_t open) {
    enter(p);
    tpl_node *list = node(p, TPL_S_BODY, peek(p)->off);
    for (;;) {
        const tpl_token *t = next(p);
        if (t->kind == TPL_T_END) {
            if (ends) tpl_syntax(p, open, "found no %s for this tag", ends[ends[1] ? (ends[2] ? 2 : 1) : 0]);
            break;
        }
        if (t->kind == TPL_T_DATA) {
            tpl_node *n = node(p, TPL_S_TEXT, t->off);
            n->value = text_value(p, t->text);
            add_kid(p, list, n);
        } else if (t->kind == TPL_T_VAR_BEGIN) {
            tpl_node *n = node(p, TPL_S_PRINT, t->off);
            n->a = tuple(p, true, false);
            if (peek(p)->kind != TPL_T_VAR_END) unexpected(p, "an operator or }}");
            p->pos++;
            add_kid(p, list, n);
        } else {
            bool end = false;
            for (int i = 0; ends && ends[i]; i++) end |= is_word(p, ends[i]);
            if (end) break;
            add_kid(p, list, statement(p));
        }
    }
    p->nest--;
    return list;
}

const tpl_node *tpl_parse_tokens(tpl_parse *p) {
    return body(p, NULL, 0);
}
