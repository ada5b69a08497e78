/* template_parse.c - statements of a chat template, tokens to tree; expressions are template_expr.c's. */
#include "model/template_parse.h"

static tpl_node *body(tpl_parse *p, const char *const *ends, uint32_t open);

/* Reads a body up to {% end %}. */
static tpl_node *body_to(tpl_parse *p, const char *end, uint32_t open) {
    const char *const ends[] = {end, NULL};
    tpl_node *n = body(p, ends, open);
    p->pos++;
    tpl_want_block_end(p);
    return n;
}

/* What a loop or set assigns to: names, and tuples of them. */
static tpl_node *target(tpl_parse *p, bool members) {
    tpl_deeper(p);
    tpl_node *list = tpl_node_new(p, TPL_E_TUPLE, tpl_peek(p)->off);
    bool is_tuple = false;
    for (;;) {
        if (list->n_kid) {
            if (!tpl_skip_op(p, ',')) break;
            is_tuple = true;
            if (tpl_is_op(p, ')') || tpl_is_op(p, '=') || tpl_is_word(p, "in")) break;
        }
        if (tpl_skip_op(p, '(')) {
            tpl_add_kid(p, list, target(p, false));
            tpl_want_op(p, ')', "')'");
            continue;
        }
        uint32_t off = tpl_peek(p)->off;
        tpl_node *n = tpl_node_new(p, TPL_E_NAME, off);
        n->name = tpl_want_name(p, "a name to assign to");
        static const char *const words[] = {"true", "false", "none", "True", "False", "None", "not", "in", "if"};
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (slx_str_is(n->name, words[i])) tpl_syntax(p, off, "found '%s', expected a name to assign to", words[i]);
        if (members && !list->n_kid && tpl_skip_op(p, '.')) {
            tpl_node *attr = tpl_node_new(p, TPL_E_ATTR, off);
            attr->a = n;
            attr->name = tpl_want_name(p, "the name of a namespace's member");
            p->nest--;
            return attr;
        }
        tpl_add_kid(p, list, n);
    }
    p->nest--;
    return is_tuple ? list : list->kid[0];
}

static tpl_node *if_tag(tpl_parse *p, uint32_t off) {
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    tpl_node *n = tpl_node_new(p, TPL_S_IF, off);
    for (;;) {
        tpl_add_kid(p, n, tpl_tuple(p, false, false));
        tpl_want_block_end(p);
        tpl_add_kid(p, n, body(p, ends, off));
        if (tpl_skip_word(p, "elif")) continue;
        if (tpl_skip_word(p, "else")) {
            tpl_want_block_end(p);
            n->c = body_to(p, "endif", off);
        } else {
            p->pos++;
            tpl_want_block_end(p);
        }
        return n;
    }
}

static tpl_node *for_tag(tpl_parse *p, uint32_t off) {
    static const char *const ends[] = {"else", "endfor", NULL};
    tpl_node *n = tpl_node_new(p, TPL_S_FOR, off);
    n->a = target(p, false);
    if (!tpl_skip_word(p, "in")) tpl_unexpected(p, "'in'");
    n->b = tpl_tuple(p, false, false);
    if (tpl_skip_word(p, "if")) n->test = tpl_expression(p);
    if (tpl_is_word(p, "recursive")) tpl_unexpected(p, "%} (recursive loops are not supported)");
    tpl_want_block_end(p);
    p->loops++;
    n->c = body(p, ends, off);
    p->loops--;
    tpl_node *otherwise = NULL;
    if (tpl_skip_word(p, "else")) {
        tpl_want_block_end(p);
        otherwise = body_to(p, "endfor", off);
    } else {
        p->pos++;
        tpl_want_block_end(p);
    }
    tpl_add_kid(p, n, otherwise);
    return n;
}

/* A block's filters: {% set x | trim %}, {% filter upper | trim %}; NULL when there are none. */
static tpl_node *block_filters(tpl_parse *p, bool first) {
    tpl_node *n = NULL;
    if (first) n = tpl_filter_of(p, NULL);
    while (tpl_skip_op(p, '|')) n = tpl_filter_of(p, n);
    return n;
}

static tpl_node *set_tag(tpl_parse *p, uint32_t off) {
    tpl_node *to = target(p, true);
    tpl_node *n;
    if (tpl_skip_op(p, '=')) {
        n = tpl_node_new(p, TPL_S_SET, off);
        n->a = to;
        n->b = tpl_tuple(p, true, false);
        tpl_want_block_end(p);
        return n;
    }
    n = tpl_node_new(p, TPL_S_SET_BLOCK, off);
    n->a = to;
    n->b = block_filters(p, false);
    if (tpl_peek(p)->kind != TPL_T_BLOCK_END) tpl_unexpected(p, "'=' or %}");
    p->pos++;
    n->c = body_to(p, "endset", off);
    return n;
}

/* (a, b=1) of a macro: names, and a default or NULL for each. */
static void parameters(tpl_parse *p, tpl_node *n) {
    tpl_want_op(p, '(', "'(' and the parameters");
    bool defaults = false;
    while (!tpl_skip_op(p, ')')) {
        if (n->n_names) {
            tpl_want_op(p, ',', "',' or ')' in the parameters");
            if (tpl_skip_op(p, ')')) break;
        }
        uint32_t off = tpl_peek(p)->off;
        slx_str name = tpl_want_name(p, "the name of a parameter");
        tpl_node *value = tpl_skip_op(p, '=') ? tpl_expression(p) : NULL;
        if (value) defaults = true;
        else if (defaults) tpl_syntax(p, off, "found a parameter without default after one with a default");
        tpl_add_named(p, n, name, value);
    }
}

static tpl_node *statement(tpl_parse *p) {
    const tpl_token *t = tpl_peek(p);
    uint32_t off = t->off;
    slx_str w = tpl_want_name(p, "the name of a tag");
    tpl_node *n;
    if (slx_str_is(w, "if")) return if_tag(p, off);
    if (slx_str_is(w, "for")) return for_tag(p, off);
    if (slx_str_is(w, "set")) return set_tag(p, off);
    if (slx_str_is(w, "break") || slx_str_is(w, "continue")) {
        if (!p->loops) tpl_syntax(p, off, "found '%s' outside of a loop", w.ptr[0] == 'b' ? "break" : "continue");
        tpl_want_block_end(p);
        return tpl_node_new(p, w.ptr[0] == 'b' ? TPL_S_BREAK : TPL_S_CONTINUE, off);
    }
    if (slx_str_is(w, "generation")) { /* marks what a model trains on: nothing to do here */
        tpl_want_block_end(p);
        return body_to(p, "endgeneration", off);
    }
    int loops = p->loops;
    if (slx_str_is(w, "with")) {
        n = tpl_node_new(p, TPL_S_WITH, off);
        while (tpl_peek(p)->kind != TPL_T_BLOCK_END) {
            if (n->n_kid) tpl_want_op(p, ',', "',' or %}");
            tpl_add_kid(p, n, target(p, false));
            tpl_want_op(p, '=', "'='");
            tpl_add_kid(p, n, tpl_expression(p));
        }
        p->pos++;
        n->c = body_to(p, "endwith", off);
        return n;
    }
    if (slx_str_is(w, "filter")) {
        n = tpl_node_new(p, TPL_S_FILTER, off);
        n->b = block_filters(p, true);
        tpl_want_block_end(p);
        n->c = body_to(p, "endfilter", off);
        return n;
    }
    uint8_t uses = p->uses;
    p->loops = 0;
    p->uses = 0;
    if (slx_str_is(w, "macro")) {
        n = tpl_node_new(p, TPL_S_MACRO, off);
        n->name = tpl_want_name(p, "the macro's name");
        parameters(p, n);
        tpl_want_block_end(p);
        n->c = body_to(p, "endmacro", off);
    } else if (slx_str_is(w, "call")) {
        n = tpl_node_new(p, TPL_S_CALL, off);
        if (tpl_is_op(p, '(')) parameters(p, n);
        n->b = tpl_unary(p, true);
        if (n->b->kind != TPL_E_CALL) tpl_syntax(p, off, "found an expression after 'call', expected a call");
        tpl_want_block_end(p);
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
    tpl_deeper(p);
    tpl_node *list = tpl_node_new(p, TPL_S_BODY, tpl_peek(p)->off);
    for (;;) {
        const tpl_token *t = tpl_next(p);
        if (t->kind == TPL_T_END) {
            if (ends) tpl_syntax(p, open, "found no %s for this tag", ends[ends[1] ? (ends[2] ? 2 : 1) : 0]);
            break;
        }
        if (t->kind == TPL_T_DATA) {
            tpl_node *n = tpl_node_new(p, TPL_S_TEXT, t->off);
            n->value = tpl_text_value(p, t->text);
            tpl_add_kid(p, list, n);
        } else if (t->kind == TPL_T_VAR_BEGIN) {
            tpl_node *n = tpl_node_new(p, TPL_S_PRINT, t->off);
            n->a = tpl_tuple(p, true, false);
            if (tpl_peek(p)->kind != TPL_T_VAR_END) tpl_unexpected(p, "an operator or }}");
            p->pos++;
            tpl_add_kid(p, list, n);
        } else {
            bool end = false;
            for (int i = 0; ends && ends[i]; i++) end |= tpl_is_word(p, ends[i]);
            if (end) break;
            tpl_add_kid(p, list, statement(p));
        }
    }
    p->nest--;
    return list;
}

const tpl_node *tpl_parse_tokens(tpl_parse *p) {
    return body(p, NULL, 0);
}
