/* template_eval.c - walks the tree of a chat template: names and scopes, statements, macros, loops.
 *
 * Scopes form a chain: top level, then one for each loop turn, macro call, block of set, filter, call and with. A name
 * is looked up along the chain of where the code stands, then in the variables, then among the functions; set writes
 * into the innermost scope. So a set inside a loop is forgotten at the end of the turn, as in Jinja: namespace() is the
 * way out.
 */
#include "model/template_int.h"

#include <string.h>

typedef enum { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } flow;

static tpl_value eval(tpl_run *r, tpl_scope *sc, const tpl_node *n);
static flow exec(tpl_run *r, tpl_scope *sc, const tpl_node *n);

/* ------------------------------------------------------------------ scopes */

static tpl_scope *scope_new(tpl_run *r, tpl_scope *up) {
    tpl_scope *s = tpl_alloc(r, sizeof *s);
    s->up = up;
    return s;
}

static void scope_set(tpl_run *r, tpl_scope *s, slx_str name, tpl_value v) {
    tpl_cost(r, s->n);
    for (size_t i = 0; i < s->n; i++)
        if (slx_str_eq(s->names[i], name)) {
            s->values[i] = v;
            return;
        }
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 4;
        slx_str *names = tpl_alloc(r, cap * sizeof *names);
        tpl_value *values = tpl_alloc(r, cap * sizeof *values);
        if (s->n) {
            memcpy(names, s->names, s->n * sizeof *names);
            memcpy(values, s->values, s->n * sizeof *values);
        }
        s->names = names;
        s->values = values;
        s->cap = cap;
    }
    s->names[s->n] = name;
    s->values[s->n++] = v;
}

static void scope_set_c(tpl_run *r, tpl_scope *s, const char *name, tpl_value v) {
    scope_set(r, s, slx_str_c(name), v);
}

static tpl_value lookup(tpl_run *r, const tpl_scope *s, slx_str name) {
    for (; s; s = s->up) {
        tpl_cost(r, s->n);
        for (size_t i = 0; i < s->n; i++)
            if (slx_str_eq(s->names[i], name)) return s->values[i];
    }
    const struct tpl_function *f = tpl_function_find(name);
    if (f) return (tpl_value){.kind = TPL_FUNCTION, .u.fn = f};
    return tpl_undefined(r, name.ptr, name.len);
}

_Noreturn void tpl_undefined_error(tpl_run *r, tpl_value v) {
    const tpl_str *s = v.u.s;
    tpl_error(r, "found '%.*s', which is undefined", (int)(s->n < 120 ? s->n : 120), s->p);
}

/* ------------------------------------------------------------------ attributes and items */

/* What the value has no such thing named name: remembered in the undefined value for messages. */
static tpl_value no_such(tpl_run *r, tpl_value v, const char *p, size_t n) {
    char text[200];
    int k = snprintf(text, sizeof text, "%s.%.*s", tpl_type(v), (int)(n < 100 ? n : 100), p);
    char *copy = tpl_alloc(r, (size_t)k);
    memcpy(copy, text, (size_t)k);
    return tpl_undefined(r, copy, (size_t)k);
}

static tpl_value loop_attr(tpl_run *r, tpl_loop *l, slx_str name) {
    int64_t i = (int64_t)l->i, n = (int64_t)l->items->n;
    if (slx_str_is(name, "index")) return tpl_int(i + 1);
    if (slx_str_is(name, "index0")) return tpl_int(i);
    if (slx_str_is(name, "first")) return tpl_bool(i == 0);
    if (slx_str_is(name, "last")) return tpl_bool(i + 1 == n);
    if (slx_str_is(name, "length")) return tpl_int(n);
    if (slx_str_is(name, "revindex")) return tpl_int(n - i);
    if (slx_str_is(name, "revindex0")) return tpl_int(n - i - 1);
    if (slx_str_is(name, "depth")) return tpl_int(1);
    if (slx_str_is(name, "depth0")) return tpl_int(0);
    if (slx_str_is(name, "previtem")) return i > 0 ? l->items->v[i - 1] : tpl_undefined(r, "loop.previtem", 13);
    if (slx_str_is(name, "nextitem")) return i + 1 < n ? l->items->v[i + 1] : tpl_undefined(r, "loop.nextitem", 13);
    return no_such(r, (tpl_value){.kind = TPL_LOOP, .u.loop = l}, name.ptr, name.len);
}

tpl_value tpl_attr(tpl_run *r, tpl_value v, slx_str name) {
    tpl_value out;
    if (v.kind == TPL_UNDEFINED) tpl_undefined_error(r, v);
    if (v.kind == TPL_LOOP && !tpl_method_find(r, v, name, &out)) return loop_attr(r, v.u.loop, name);
    if (v.kind == TPL_NAMESPACE || !tpl_method_find(r, v, name, &out)) {
        const tpl_value *got = NULL;
        if (v.kind == TPL_DICT || v.kind == TPL_NAMESPACE) got = tpl_dict_find_c(r, v.u.d, name);
        if (v.kind == TPL_MACRO && slx_str_is(name, "name"))
            return tpl_string(r, v.u.macro->def->name.ptr, NULL, v.u.macro->def->name.len);
        return got ? *got : no_such(r, v, name.ptr, name.len);
    }
    return out;
}

static bool sequence(tpl_value v) {
    return v.kind == TPL_STR || (v.kind == TPL_LIST && v.u.l->form <= TPL_F_RANGE);
}

tpl_value tpl_item(tpl_run *r, tpl_value v, tpl_value key) {
    if (v.kind == TPL_UNDEFINED) tpl_undefined_error(r, v);
    int64_t i;
    if (sequence(v) && tpl_as_int(key, &i)) {
        size_t n;
        tpl_length(v, &n);
        if (v.kind == TPL_STR) tpl_cost(r, v.u.s->n);
        if (i < 0) i += (int64_t)n;
        if (i >= 0 && i < (int64_t)n) {
            if (v.kind == TPL_LIST) return v.u.l->v[i];
            size_t from = tpl_cp_offset(v.u.s, (size_t)i);
            uint32_t cp;
            return tpl_part(r, v.u.s, from, from + tpl_char(v.u.s->p + from, v.u.s->n - from, &cp));
        }
    } else if (v.kind == TPL_DICT) {
        const tpl_value *got = tpl_dict_find(r, v.u.d, key);
        if (got) return *got;
    }
    tpl_value out;
    if (key.kind == TPL_STR && v.kind != TPL_NAMESPACE &&
        tpl_method_find(r, v, (slx_str){key.u.s->p, key.u.s->n}, &out))
        return out;
    if (key.kind == TPL_STR && (v.kind == TPL_NAMESPACE || v.kind == TPL_LOOP))
        return tpl_attr(r, v, (slx_str){key.u.s->p, key.u.s->n});
    const tpl_str *s = tpl_to_str(r, key);
    return no_such(r, v, s->p, s->n);
}

static tpl_value slice(tpl_run *r, tpl_value v, const tpl_value part[3]) {
    if (v.kind == TPL_UNDEFINED) tpl_undefined_error(r, v);
    if (!sequence(v)) tpl_error(r, "found a slice of %s, expected a sequence", tpl_type(v));
    int64_t at[3] = {0, 0, 1};
    bool given[3];
    for (int k = 0; k < 3; k++) {
        given[k] = part[k].kind != TPL_MISSING && part[k].kind != TPL_NONE;
        if (given[k] && !tpl_as_int(part[k], &at[k]))
            tpl_error(r, "found %s in a slice, expected int or none", tpl_type(part[k]));
    }
    int64_t step = at[2], n;
    if (!step) tpl_error(r, "found a slice with step 0");
    size_t len;
    tpl_length(v, &len);
    n = (int64_t)len;
    int64_t lo = step > 0 ? 0 : -1, hi = step > 0 ? n : n - 1; /* where a bound may lie */
    for (int k = 0; k < 2; k++) {
        if (!given[k]) at[k] = (k == 0) == (step > 0) ? lo : hi;
        else {
            if (at[k] < 0) at[k] += n;
            at[k] = at[k] < lo ? lo : at[k] > hi ? hi : at[k];
        }
    }
    if (step > n) step = n + 1;
    if (step < -n) step = -n - 1;
    if (v.kind == TPL_LIST) {
        tpl_value out = tpl_list_new(r, v.u.l->form == TPL_F_TUPLE ? TPL_F_TUPLE : TPL_F_LIST, 0);
        for (int64_t i = at[0]; step > 0 ? i < at[1] : i > at[1]; i += step) tpl_list_add(r, out.u.l, v.u.l->v[i]);
        return out;
    }
    const tpl_str *s = v.u.s;
    tpl_cost(r, s->n);
    if (step == 1) {
        size_t from = tpl_cp_offset(s, (size_t)at[0]);
        size_t to = at[1] > at[0] ? tpl_cp_offset(s, (size_t)at[1]) : from;
        return tpl_part(r, s, from, to);
    }
    const tpl_list *chars = tpl_items(r, v);
    tpl_sink out;
    tpl_sink_init(r, &out, 32);
    for (int64_t i = at[0]; step > 0 ? i < at[1] : i > at[1]; i += step) tpl_put_str(r, &out, chars->v[i].u.s);
    return tpl_sink_value(r, &out);
}

/* ------------------------------------------------------------------ expressions */

static tpl_argv arguments(tpl_run *r, tpl_scope *sc, const tpl_node *n) {
    tpl_argv a = {.n_pos = n->n_kid, .kw_names = n->names, .n_kw = n->n_names};
    tpl_value *pos = n->n_kid ? tpl_alloc(r, n->n_kid * sizeof *pos) : NULL;
    tpl_value *kw = n->n_names ? tpl_alloc(r, n->n_names * sizeof *kw) : NULL;
    for (size_t i = 0; i < n->n_kid; i++) pos[i] = eval(r, sc, n->kid[i]);
    for (size_t i = 0; i < n->n_names; i++) kw[i] = eval(r, sc, n->kw[i]);
    a.pos = pos;
    a.kw = kw;
    return a;
}

static tpl_value eval_compare(tpl_run *r, tpl_scope *sc, const tpl_node *n) {
    tpl_value a = eval(r, sc, n->a);
    for (size_t i = 0; i < n->n_kid; i++) {
        tpl_value b = eval(r, sc, n->kid[i]);
        r->at = n;
        if (!tpl_compare(r, n->ops[i], a, b)) return tpl_bool(false);
        a = b;
    }
    return tpl_bool(true);
}

static tpl_value eval_list(tpl_run *r, tpl_scope *sc, const tpl_node *n) {
    tpl_value v = tpl_list_new(r, n->kind == TPL_E_LIST ? TPL_F_LIST : TPL_F_TUPLE, n->n_kid);
    for (size_t i = 0; i < n->n_kid; i++) tpl_list_add(r, v.u.l, eval(r, sc, n->kid[i]));
    return v;
}

static tpl_value eval_dict(tpl_run *r, tpl_scope *sc, const tpl_node *n) {
    tpl_value v = tpl_dict_new(r, n->n_kid / 2);
    for (size_t i = 0; i < n->n_kid; i += 2) {
        tpl_value key = eval(r, sc, n->kid[i]);
        tpl_value item = eval(r, sc, n->kid[i + 1]);
        r->at = n;
        tpl_dict_put(r, v.u.d, key, item);
    }
    return v;
}

static tpl_value eval_slice(tpl_run *r, tpl_scope *sc, const tpl_node *n) {
    tpl_value of = eval(r, sc, n->a), part[3];
    for (int k = 0; k < 3; k++) part[k] = n->kid[k] ? eval(r, sc, n->kid[k]) : (tpl_value){.kind = TPL_MISSING};
    r->at = n;
    return slice(r, of, part);
}

static tpl_value eval_sign(tpl_run *r, tpl_scope *sc, const tpl_node *n) {
    tpl_value v = eval(r, sc, n->a);
    int64_t i;
    r->at = n;
    if (v.kind == TPL_UNDEFINED) tpl_undefined_error(r, v);
    if (!tpl_is_number(v)) tpl_error(r, "found %s after a sign, expected a number", tpl_type(v));
    bool neg = n->kind == TPL_E_NEG;
    if (v.kind == TPL_FLOAT) return tpl_float(neg ? -v.u.f : v.u.f);
    tpl_as_int(v, &i);
    if (neg && __builtin_sub_overflow((int64_t)0, i, &i)) tpl_error(r, "found an integer of more than 64 bits");
    return tpl_int(i);
}

static tpl_value eval_concat(tpl_run *r, tpl_scope *sc, const tpl_node *n) {
    tpl_sink s;
    tpl_sink_init(r, &s, 64);
    for (size_t i = 0; i < n->n_kid; i++) tpl_put_str(r, &s, tpl_to_str(r, eval(r, sc, n->kid[i])));
    return tpl_sink_value(r, &s);
}

static tpl_value eval_filter(tpl_run *r, tpl_scope *sc, const tpl_node *n, tpl_value v) {
    if (n->a) v = eval(r, sc, n->a);
    tpl_argv a = arguments(r, sc, n);
    r->at = n;
    return tpl_filter(r, n->name, v, &a);
}

static tpl_value eval_node(tpl_run *r, tpl_scope *sc, const tpl_node *n) {
    tpl_value v, w;
    switch (n->kind) {
    case TPL_E_CONST: return n->value;
    case TPL_E_NAME: return lookup(r, sc, n->name);
    case TPL_E_LIST:
    case TPL_E_TUPLE: return eval_list(r, sc, n);
    case TPL_E_DICT: return eval_dict(r, sc, n);
    case TPL_E_ATTR:
        v = eval(r, sc, n->a);
        r->at = n;
        return tpl_attr(r, v, n->name);
    case TPL_E_ITEM:
        v = eval(r, sc, n->a);
        w = eval(r, sc, n->b);
        r->at = n;
        return tpl_item(r, v, w);
    case TPL_E_SLICE: return eval_slice(r, sc, n);
    case TPL_E_CALL: {
        v = eval(r, sc, n->a);
        tpl_argv a = arguments(r, sc, n);
        r->at = n;
        return tpl_call(r, v, &a);
    }
    case TPL_E_FILTER: return eval_filter(r, sc, n, tpl_none());
    case TPL_E_TEST: {
        v = eval(r, sc, n->a);
        tpl_argv a = arguments(r, sc, n);
        r->at = n;
        return tpl_bool(tpl_test(r, n->name, v, &a) != (n->op == 1));
    }
    case TPL_E_NOT: return tpl_bool(!tpl_truth(eval(r, sc, n->a)));
    case TPL_E_NEG:
    case TPL_E_POS: return eval_sign(r, sc, n);
    case TPL_E_BIN:
        v = eval(r, sc, n->a);
        w = eval(r, sc, n->b);
        r->at = n;
        return tpl_arithmetic(r, n->op, v, w);
    case TPL_E_AND:
        v = eval(r, sc, n->a);
        return tpl_truth(v) ? eval(r, sc, n->b) : v;
    case TPL_E_OR:
        v = eval(r, sc, n->a);
        return tpl_truth(v) ? v : eval(r, sc, n->b);
    case TPL_E_COND:
        if (tpl_truth(eval(r, sc, n->a))) return eval(r, sc, n->b);
        return n->c ? eval(r, sc, n->c) : tpl_undefined(r, "the missing else", 16);
    case TPL_E_COMPARE: return eval_compare(r, sc, n);
    case TPL_E_CONCAT: return eval_concat(r, sc, n);
    default: SLX_BUG("node %d is no expression", (int)n->kind);
    }
}

static tpl_value eval(tpl_run *r, tpl_scope *sc, const tpl_node *n) {
    r->at = n;
    tpl_enter(r);
    tpl_cost(r, 1);
    tpl_value v = eval_node(r, sc, n);
    tpl_leave(r);
    return v;
}

/* ------------------------------------------------------------------ calls */

/* Runs a body into a text of its own. */
static tpl_value capture(tpl_run *r, tpl_scope *sc, const tpl_node *body, flow *f) {
    tpl_sink s, *old = r->out;
    tpl_sink_init(r, &s, 256);
    r->out = &s;
    flow got = exec(r, sc, body);
    if (f) *f = got;
    r->out = old;
    return tpl_sink_value(r, &s);
}

static tpl_value call_macro(tpl_run *r, const tpl_macro *m, const tpl_argv *a) {
    const tpl_node *d = m->def;
    tpl_scope *sc = scope_new(r, m->scope);
    tpl_value rest = tpl_list_new(r, TPL_F_TUPLE, 0), extra = tpl_dict_new(r, 0), caller = {.kind = TPL_MISSING};
    if (a->n_pos > d->n_names && !(d->op & TPL_USES_VARARGS))
        tpl_error(r, "found %zu arguments, expected at most %zu for macro '%.*s'", a->n_pos, d->n_names,
                  (int)d->name.len, d->name.ptr);
    for (size_t i = d->n_names; i < a->n_pos; i++) tpl_list_add(r, rest.u.l, a->pos[i]);
    bool *given = tpl_alloc(r, d->n_names + 1);
    for (size_t i = 0; i < d->n_names && i < a->n_pos; i++) {
        scope_set(r, sc, d->names[i], a->pos[i]);
        given[i] = true;
    }
    for (size_t k = 0; k < a->n_kw; k++) {
        size_t i = 0;
        while (i < d->n_names && !slx_str_eq(d->names[i], a->kw_names[k])) i++;
        if (i < d->n_names) {
            if (given[i])
                tpl_error(r, "found two values for '%.*s' of macro '%.*s'", (int)a->kw_names[k].len,
                          a->kw_names[k].ptr, (int)d->name.len, d->name.ptr);
            scope_set(r, sc, d->names[i], a->kw[k]);
            given[i] = true;
        } else if (slx_str_is(a->kw_names[k], "caller") && (d->op & TPL_USES_CALLER)) {
            caller = a->kw[k];
        } else {
            if (!(d->op & TPL_USES_KWARGS))
                tpl_error(r, "found the argument '%.*s', which macro '%.*s' does not take", (int)a->kw_names[k].len,
                          a->kw_names[k].ptr, (int)d->name.len, d->name.ptr);
            tpl_dict_put(r, extra.u.d, tpl_string(r, a->kw_names[k].ptr, NULL, a->kw_names[k].len), a->kw[k]);
        }
    }
    for (size_t i = 0; i < d->n_names; i++) {
        if (given[i]) continue;
        scope_set(r, sc, d->names[i], tpl_undefined(r, d->names[i].ptr, d->names[i].len));
        if (d->kw[i]) scope_set(r, sc, d->names[i], eval(r, sc, d->kw[i]));
    }
    scope_set_c(r, sc, "varargs", rest);
    scope_set_c(r, sc, "kwargs", extra);
    if (caller.kind != TPL_MISSING) scope_set_c(r, sc, "caller", caller);
    return capture(r, sc, d->c, NULL);
}

tpl_value tpl_call(tpl_run *r, tpl_value f, const tpl_argv *a) {
    switch (f.kind) {
    case TPL_FUNCTION: return f.u.fn->fn(r, a);
    case TPL_MACRO: return call_macro(r, f.u.macro, a);
    case TPL_METHOD:
        if (!f.u.method->fn)
            tpl_error(r, "found the method '%s' of %s, which is not supported here", f.u.method->name,
                      tpl_type(f.u.method->self));
        return f.u.method->fn(r, f.u.method->self, a);
    case TPL_UNDEFINED: tpl_undefined_error(r, f);
    default: tpl_error(r, "found a call of %s, expected a function", tpl_type(f));
    }
}

/* ------------------------------------------------------------------ statements */

static void assign(tpl_run *r, tpl_scope *sc, const tpl_node *to, tpl_value v) {
    r->at = to;
    if (to->kind == TPL_E_NAME) {
        scope_set(r, sc, to->name, v);
    } else if (to->kind == TPL_E_ATTR) {
        tpl_value ns = lookup(r, sc, to->a->name);
        if (ns.kind != TPL_NAMESPACE)
            tpl_error(r, "found %s, expected a namespace to set '%.*s' of", tpl_type(ns), (int)to->name.len,
                      to->name.ptr);
        tpl_dict_put(r, ns.u.d, tpl_string(r, to->name.ptr, NULL, to->name.len), v);
    } else {
        const tpl_list *l = tpl_items(r, v);
        if (l->n != to->n_kid) tpl_error(r, "found %zu values, expected %zu to unpack", l->n, to->n_kid);
        for (size_t i = 0; i < to->n_kid; i++) assign(r, sc, to->kid[i], l->v[i]);
    }
}

static flow exec_for(tpl_run *r, tpl_scope *sc, const tpl_node *n) {
    tpl_value over = eval(r, sc, n->b);
    r->at = n->b;
    const tpl_list *given = tpl_items(r, over);
    /* A copy: the body may append to the list. */
    tpl_list *l = tpl_list_new(r, TPL_F_LIST, given->n).u.l;
    for (size_t i = 0; i < given->n; i++) {
        if (n->test) {
            tpl_scope *in = scope_new(r, sc);
            assign(r, in, n->a, given->v[i]);
            if (!tpl_truth(eval(r, in, n->test))) continue;
        }
        tpl_list_add(r, l, given->v[i]);
    }
    tpl_loop *loop = tpl_alloc(r, sizeof *loop);
    loop->items = l;
    for (size_t i = 0; i < l->n; i++) {
        loop->i = i;
        tpl_scope *in = scope_new(r, sc);
        scope_set_c(r, in, "loop", (tpl_value){.kind = TPL_LOOP, .u.loop = loop});
        assign(r, in, n->a, l->v[i]);
        if (exec(r, in, n->c) == FLOW_BREAK) break;
    }
    return l->n == 0 && n->kid[0] ? exec(r, sc, n->kid[0]) : FLOW_ON;
}

static tpl_value block_filters(tpl_run *r, tpl_scope *sc, const tpl_node *f, tpl_value v) {
    if (!f) return v;
    if (f->a) v = block_filters(r, sc, f->a, v);
    tpl_argv a = arguments(r, sc, f);
    r->at = f;
    return tpl_filter(r, f->name, v, &a);
}

static void exec_call(tpl_run *r, tpl_scope *sc, const tpl_node *n) {
    tpl_macro *m = tpl_alloc(r, sizeof *m);
    *m = (tpl_macro){n, sc};
    tpl_value f = eval(r, sc, n->b->a);
    tpl_argv a = arguments(r, sc, n->b);
    slx_str *names = tpl_alloc(r, (a.n_kw + 1) * sizeof *names);
    tpl_value *kw = tpl_alloc(r, (a.n_kw + 1) * sizeof *kw);
    for (size_t i = 0; i < a.n_kw; i++) {
        names[i] = a.kw_names[i];
        kw[i] = a.kw[i];
    }
    names[a.n_kw] = slx_str_c("caller");
    kw[a.n_kw++] = (tpl_value){.kind = TPL_MACRO, .u.macro = m};
    a.kw_names = names;
    a.kw = kw;
    r->at = n->b;
    tpl_put_str(r, r->out, tpl_to_str(r, tpl_call(r, f, &a)));
}

static flow exec_node(tpl_run *r, tpl_scope *sc, const tpl_node *n) {
    flow f = FLOW_ON;
    switch (n->kind) {
    case TPL_S_TEXT: tpl_put_str(r, r->out, n->value.u.s); return FLOW_ON;
    case TPL_S_PRINT: {
        tpl_value v = eval(r, sc, n->a);
        r->at = n->a;
        if (v.kind == TPL_STR) tpl_put_str(r, r->out, v.u.s);
        else if (v.kind != TPL_UNDEFINED) tpl_repr(r, r->out, v);
        return FLOW_ON;
    }
    case TPL_S_BODY:
        for (size_t i = 0; i < n->n_kid && f == FLOW_ON; i++) f = exec(r, sc, n->kid[i]);
        return f;
    case TPL_S_IF:
        for (size_t i = 0; i < n->n_kid; i += 2)
            if (tpl_truth(eval(r, sc, n->kid[i]))) return exec(r, sc, n->kid[i + 1]);
        return n->c ? exec(r, sc, n->c) : FLOW_ON;
    case TPL_S_FOR: return exec_for(r, sc, n);
    case TPL_S_SET: assign(r, sc, n->a, eval(r, sc, n->b)); return FLOW_ON;
    case TPL_S_SET_BLOCK: {
        tpl_value v = capture(r, scope_new(r, sc), n->c, &f);
        assign(r, sc, n->a, block_filters(r, sc, n->b, v));
        return f;
    }
    case TPL_S_FILTER: {
        tpl_value v = capture(r, scope_new(r, sc), n->c, &f);
        tpl_put_str(r, r->out, tpl_to_str(r, block_filters(r, sc, n->b, v)));
        return f;
    }
    case TPL_S_MACRO: {
        tpl_macro *m = tpl_alloc(r, sizeof *m);
        *m = (tpl_macro){n, sc};
        scope_set(r, sc, n->name, (tpl_value){.kind = TPL_MACRO, .u.macro = m});
        return FLOW_ON;
    }
    case TPL_S_CALL: exec_call(r, sc, n); return FLOW_ON;
    case TPL_S_WITH: {
        tpl_scope *in = scope_new(r, sc);
        for (size_t i = 0; i < n->n_kid; i += 2) assign(r, in, n->kid[i], eval(r, sc, n->kid[i + 1]));
        return exec(r, in, n->c);
    }
    case TPL_S_BREAK: return FLOW_BREAK;
    case TPL_S_CONTINUE: return FLOW_CONTINUE;
    default: SLX_BUG("node %d is no statement", (int)n->kind);
    }
}

static flow exec(tpl_run *r, tpl_scope *sc, const tpl_node *n) {
    r->at = n;
    tpl_enter(r);
    tpl_cost(r, 1);
    flow f = exec_node(r, sc, n);
    tpl_leave(r);
    return f;
}

void tpl_run_body(tpl_run *r, tpl_value vars) {
    tpl_scope *top = scope_new(r, NULL);
    size_t n = vars.u.d->n; /* keys of one JSON object: each is new */
    top->names = tpl_alloc(r, n * sizeof *top->names);
    top->values = vars.u.d->v;
    top->n = top->cap = n;
    for (size_t i = 0; i < n; i++) top->names[i] = (slx_str){vars.u.d->k[i].u.s->p, vars.u.d->k[i].u.s->n};
    exec(r, top, r->t->body);
}
