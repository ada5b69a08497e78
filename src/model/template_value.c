/* template_value.c - values of chat templates: making, asking, comparing, printing, as Python does. */
#include "model/template_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ sinks */

void tpl_sink_init(tpl_run *r, tpl_sink *s, size_t cap) {
    *s = (tpl_sink){0};
    if (cap > TPL_MAX_OUT) tpl_error(r, "found a string of more than %zu bytes", TPL_MAX_OUT);
    s->cap = cap < 32 ? 32 : cap;
    s->p = tpl_alloc(r, s->cap);
    s->m = tpl_alloc(r, s->cap);
}

static void reserve(tpl_run *r, tpl_sink *s, size_t more) {
    if (more > TPL_MAX_OUT || s->n + more > TPL_MAX_OUT)
        tpl_error(r, "found a string of more than %zu bytes", TPL_MAX_OUT);
    tpl_cost(r, more);
    if (s->n + more <= s->cap) return;
    size_t cap = s->cap * 2 > s->n + more ? s->cap * 2 : s->n + more;
    char *p = tpl_alloc(r, cap);
    uint8_t *m = tpl_alloc(r, cap);
    memcpy(p, s->p, s->n);
    memcpy(m, s->m, s->n);
    s->p = p;
    s->m = m;
    s->cap = cap;
}

void tpl_put(tpl_run *r, tpl_sink *s, const char *p, size_t n, bool mark) {
    if (!n) return;
    reserve(r, s, n);
    memcpy(s->p + s->n, p, n);
    memset(s->m + s->n, mark, n);
    s->marked |= mark;
    s->n += n;
}

void tpl_puts(tpl_run *r, tpl_sink *s, const char *text) { tpl_put(r, s, text, strlen(text), false); }

void tpl_put_part(tpl_run *r, tpl_sink *s, const tpl_str *str, size_t from, size_t to) {
    size_t n = to - from;
    if (!n) return;
    reserve(r, s, n);
    memcpy(s->p + s->n, str->p + from, n);
    if (str->m) {
        memcpy(s->m + s->n, str->m + from, n);
        s->marked = true;
    } else {
        memset(s->m + s->n, 0, n);
    }
    s->n += n;
}

void tpl_put_str(tpl_run *r, tpl_sink *s, const tpl_str *str) { tpl_put_part(r, s, str, 0, str->n); }

void tpl_put_cp(tpl_run *r, tpl_sink *s, uint32_t cp, bool mark) {
    char b[4];
    tpl_put(r, s, b, (size_t)slx_utf8_put(b, cp), mark);
}

tpl_value tpl_sink_value(tpl_run *r, const tpl_sink *s) { return tpl_string(r, s->p, s->marked ? s->m : NULL, s->n); }

/* ------------------------------------------------------------------ making */

tpl_value tpl_undefined(tpl_run *r, const char *p, size_t n) {
    tpl_value v = tpl_string(r, p, NULL, n);
    v.kind = TPL_UNDEFINED;
    return v;
}

tpl_value tpl_none(void) { return (tpl_value){.kind = TPL_NONE}; }
tpl_value tpl_bool(bool b) { return (tpl_value){.kind = TPL_BOOL, .u.b = b}; }
tpl_value tpl_int(int64_t i) { return (tpl_value){.kind = TPL_INT, .u.i = i}; }
tpl_value tpl_float(double f) { return (tpl_value){.kind = TPL_FLOAT, .u.f = f}; }

tpl_value tpl_string(tpl_run *r, const char *p, const uint8_t *m, size_t n) {
    tpl_str *s = tpl_alloc(r, sizeof *s);
    *s = (tpl_str){p ? p : "", m, n};
    return (tpl_value){.kind = TPL_STR, .u.s = s};
}

tpl_value tpl_string_c(tpl_run *r, const char *text) { return tpl_string(r, text, NULL, strlen(text)); }

tpl_value tpl_part(tpl_run *r, const tpl_str *s, size_t from, size_t to) {
    return tpl_string(r, s->p + from, s->m ? s->m + from : NULL, to - from);
}

tpl_value tpl_list_new(tpl_run *r, tpl_form form, size_t cap) {
    tpl_list *l = tpl_alloc(r, sizeof *l);
    l->form = form;
    l->cap = cap;
    if (cap) l->v = tpl_alloc(r, slx_mul_size(cap, sizeof *l->v));
    return (tpl_value){.kind = TPL_LIST, .u.l = l};
}

void tpl_list_add(tpl_run *r, tpl_list *l, tpl_value v) {
    tpl_cost(r, 1);
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 4;
        tpl_value *p = tpl_alloc(r, slx_mul_size(cap, sizeof *p));
        if (l->n) memcpy(p, l->v, l->n * sizeof *p);
        l->v = p;
        l->cap = cap;
    }
    l->v[l->n++] = v;
}

tpl_value tpl_pair(tpl_run *r, tpl_value a, tpl_value b) {
    tpl_value v = tpl_list_new(r, TPL_F_TUPLE, 2);
    tpl_list_add(r, v.u.l, a);
    tpl_list_add(r, v.u.l, b);
    return v;
}

tpl_value tpl_dict_new(tpl_run *r, size_t cap) {
    tpl_dict *d = tpl_alloc(r, sizeof *d);
    d->cap = cap;
    if (cap) {
        d->k = tpl_alloc(r, slx_mul_size(cap, sizeof *d->k));
        d->v = tpl_alloc(r, slx_mul_size(cap, sizeof *d->v));
    }
    return (tpl_value){.kind = TPL_DICT, .u.d = d};
}

static bool hashable(tpl_value key) {
    if (key.kind == TPL_DICT || key.kind == TPL_NAMESPACE) return false;
    if (key.kind != TPL_LIST) return true;
    if (key.u.l->form != TPL_F_TUPLE) return false;
    for (size_t i = 0; i < key.u.l->n; i++)
        if (key.u.l->v[i].kind == TPL_LIST || key.u.l->v[i].kind == TPL_DICT) return false;
    return true;
}

const tpl_value *tpl_dict_find(tpl_run *r, const tpl_dict *d, tpl_value key) {
    tpl_cost(r, d->n);
    for (size_t i = 0; i < d->n; i++)
        if (tpl_equal(r, d->k[i], key)) return &d->v[i];
    return NULL;
}

const tpl_value *tpl_dict_find_c(tpl_run *r, const tpl_dict *d, slx_str key) {
    tpl_cost(r, d->n);
    for (size_t i = 0; i < d->n; i++)
        if (d->k[i].kind == TPL_STR && d->k[i].u.s->n == key.len && !memcmp(d->k[i].u.s->p, key.ptr, key.len))
            return &d->v[i];
    return NULL;
}

void tpl_dict_append(tpl_run *r, tpl_dict *d, tpl_value key, tpl_value v) {
    tpl_cost(r, 1);
    if (d->n == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 4;
        tpl_value *k = tpl_alloc(r, slx_mul_size(cap, sizeof *k)), *w = tpl_alloc(r, slx_mul_size(cap, sizeof *w));
        if (d->n) {
            memcpy(k, d->k, d->n * sizeof *k);
            memcpy(w, d->v, d->n * sizeof *w);
        }
        d->k = k;
        d->v = w;
        d->cap = cap;
    }
    d->k[d->n] = key;
    d->v[d->n++] = v;
}

void tpl_dict_put(tpl_run *r, tpl_dict *d, tpl_value key, tpl_value v) {
    if (!hashable(key)) tpl_error(r, "found a key of type %s, expected one that can be hashed", tpl_type(key));
    const tpl_value *old = tpl_dict_find(r, d, key);
    if (old) d->v[old - d->v] = v;
    else tpl_dict_append(r, d, key, v);
}

void tpl_dict_remove(tpl_dict *d, size_t i) {
    d->n--;
    memmove(d->k + i, d->k + i + 1, (d->n - i) * sizeof *d->k);
    memmove(d->v + i, d->v + i + 1, (d->n - i) * sizeof *d->v);
}

/* ------------------------------------------------------------------ asking */

const char *tpl_type(tpl_value v) {
    static const char *const forms[] = {"list",        "tuple",      "range",    "dict_keys",
                                        "dict_values", "dict_items", "generator"};
    switch (v.kind) {
    case TPL_MISSING: return "nothing";
    case TPL_UNDEFINED: return "Undefined";
    case TPL_NONE: return "NoneType";
    case TPL_BOOL: return "bool";
    case TPL_INT: return "int";
    case TPL_FLOAT: return "float";
    case TPL_STR: return "str";
    case TPL_LIST: return forms[v.u.l->form];
    case TPL_DICT: return "dict";
    case TPL_NAMESPACE: return "Namespace";
    case TPL_MACRO: return "Macro";
    case TPL_FUNCTION: return "function";
    case TPL_METHOD: return "method";
    case TPL_LOOP: return "LoopContext";
    }
    return "?";
}

bool tpl_truth(tpl_value v) {
    switch (v.kind) {
    case TPL_MISSING:
    case TPL_UNDEFINED:
    case TPL_NONE: return false;
    case TPL_BOOL: return v.u.b;
    case TPL_INT: return v.u.i != 0;
    case TPL_FLOAT: return v.u.f != 0;
    case TPL_STR: return v.u.s->n > 0;
    case TPL_LIST: return v.u.l->form == TPL_F_GENERATOR || v.u.l->n > 0;
    case TPL_DICT: return v.u.d->n > 0;
    default: return true;
    }
}

bool tpl_is_number(tpl_value v) { return v.kind == TPL_BOOL || v.kind == TPL_INT || v.kind == TPL_FLOAT; }

double tpl_as_float(tpl_value v) {
    return v.kind == TPL_FLOAT ? v.u.f : v.kind == TPL_INT ? (double)v.u.i : (double)v.u.b;
}

bool tpl_as_int(tpl_value v, int64_t *out) {
    if (v.kind != TPL_BOOL && v.kind != TPL_INT) return false;
    *out = v.kind == TPL_INT ? v.u.i : v.u.b;
    return true;
}

bool tpl_length(tpl_value v, size_t *n) {
    switch (v.kind) {
    case TPL_UNDEFINED: *n = 0; return true;
    case TPL_STR: *n = tpl_cp_count(v.u.s->p, v.u.s->n); return true;
    case TPL_LIST: *n = v.u.l->n; return v.u.l->form != TPL_F_GENERATOR;
    case TPL_DICT: *n = v.u.d->n; return true;
    case TPL_LOOP: *n = v.u.loop->items->n; return true;
    default: return false;
    }
}

tpl_list *tpl_items(tpl_run *r, tpl_value v) {
    switch (v.kind) {
    case TPL_UNDEFINED: return tpl_list_new(r, TPL_F_LIST, 0).u.l;
    case TPL_LIST:
        if (v.u.l->form == TPL_F_GENERATOR) {
            if (v.u.l->spent) return tpl_list_new(r, TPL_F_LIST, 0).u.l;
            v.u.l->spent = true;
        }
        return v.u.l;
    case TPL_STR: {
        tpl_list *l = tpl_list_new(r, TPL_F_LIST, 0).u.l;
        uint32_t cp;
        for (size_t i = 0, k; i < v.u.s->n; i += k) {
            k = tpl_char(v.u.s->p + i, v.u.s->n - i, &cp);
            tpl_list_add(r, l, tpl_part(r, v.u.s, i, i + k));
        }
        return l;
    }
    case TPL_DICT: {
        tpl_list *l = tpl_list_new(r, TPL_F_LIST, v.u.d->n).u.l;
        for (size_t i = 0; i < v.u.d->n; i++) tpl_list_add(r, l, v.u.d->k[i]);
        return l;
    }
    default: tpl_error(r, "found %s, expected something to iterate over", tpl_type(v));
    }
}

static bool equal_lists(tpl_run *r, const tpl_list *a, const tpl_list *b) {
    if (a == b) return true;
    bool set_like = a->form == TPL_F_KEYS || a->form == TPL_F_ITEMS;
    if (a->form != b->form || a->form == TPL_F_GENERATOR || a->form == TPL_F_VALUES || a->n != b->n) return false;
    tpl_enter(r);
    bool same = true;
    for (size_t i = 0; same && i < a->n; i++) {
        if (!set_like) {
            same = tpl_equal(r, a->v[i], b->v[i]);
            continue;
        }
        same = false;
        for (size_t k = 0; !same && k < b->n; k++) same = tpl_equal(r, a->v[i], b->v[k]);
    }
    tpl_leave(r);
    return same;
}

static bool equal_dicts(tpl_run *r, const tpl_dict *a, const tpl_dict *b) {
    if (a == b) return true;
    if (a->n != b->n) return false;
    tpl_enter(r);
    bool same = true;
    for (size_t i = 0; same && i < a->n; i++) {
        const tpl_value *v = tpl_dict_find(r, b, a->k[i]);
        same = v && tpl_equal(r, a->v[i], *v);
    }
    tpl_leave(r);
    return same;
}

bool tpl_equal(tpl_run *r, tpl_value a, tpl_value b) {
    tpl_cost(r, 1);
    if (tpl_is_number(a) && tpl_is_number(b)) {
        int64_t i, k;
        if (tpl_as_int(a, &i) && tpl_as_int(b, &k)) return i == k;
        return tpl_as_float(a) == tpl_as_float(b);
    }
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case TPL_UNDEFINED:
    case TPL_NONE: return true;
    case TPL_STR:
        if (a.u.s->n != b.u.s->n) return false;
        tpl_cost(r, a.u.s->n);
        return a.u.s->n == 0 || memcmp(a.u.s->p, b.u.s->p, a.u.s->n) == 0;
    case TPL_LIST: return equal_lists(r, a.u.l, b.u.l);
    case TPL_DICT: return equal_dicts(r, a.u.d, b.u.d);
    case TPL_NAMESPACE: return a.u.d == b.u.d;
    case TPL_MACRO: return a.u.macro == b.u.macro;
    case TPL_FUNCTION: return a.u.fn == b.u.fn;
    case TPL_METHOD: return a.u.method == b.u.method;
    case TPL_LOOP: return a.u.loop == b.u.loop;
    default: return false;
    }
}

int tpl_order(tpl_run *r, tpl_value a, tpl_value b) {
    tpl_cost(r, 1);
    if (tpl_is_number(a) && tpl_is_number(b)) {
        int64_t i, k;
        if (tpl_as_int(a, &i) && tpl_as_int(b, &k)) return (i > k) - (i < k);
        double x = tpl_as_float(a), y = tpl_as_float(b);
        return (x > y) - (x < y);
    }
    if (a.kind == TPL_STR && b.kind == TPL_STR) { /* UTF-8 sorts as code points do */
        size_t n = a.u.s->n < b.u.s->n ? a.u.s->n : b.u.s->n;
        tpl_cost(r, n);
        int c = n ? memcmp(a.u.s->p, b.u.s->p, n) : 0;
        return c ? c : (a.u.s->n > b.u.s->n) - (a.u.s->n < b.u.s->n);
    }
    if (a.kind == TPL_LIST && b.kind == TPL_LIST && a.u.l->form == b.u.l->form && a.u.l->form <= TPL_F_TUPLE) {
        const tpl_list *x = a.u.l, *y = b.u.l;
        tpl_enter(r);
        int c = 0;
        for (size_t i = 0; !c && i < x->n && i < y->n; i++)
            if (!tpl_equal(r, x->v[i], y->v[i])) c = tpl_order(r, x->v[i], y->v[i]);
        tpl_leave(r);
        return c ? c : (x->n > y->n) - (x->n < y->n);
    }
    if (a.kind == TPL_UNDEFINED || b.kind == TPL_UNDEFINED) {
        const tpl_str *s = a.kind == TPL_UNDEFINED ? a.u.s : b.u.s;
        tpl_error(r, "found an order of '%.*s', which is undefined", (int)(s->n < 80 ? s->n : 80), s->p);
    }
    tpl_error(r, "found an order of %s and %s, which have none", tpl_type(a), tpl_type(b));
}

bool tpl_contains(tpl_run *r, tpl_value box, tpl_value v) {
    if (box.kind == TPL_STR) {
        if (v.kind != TPL_STR) tpl_error(r, "found %s 'in' a string, expected a string", tpl_type(v));
        return tpl_find(r, box.u.s, v.u.s, 0) != SIZE_MAX;
    }
    if (box.kind == TPL_DICT) {
        if (!hashable(v)) tpl_error(r, "found %s as a key, expected one that can be hashed", tpl_type(v));
        return tpl_dict_find(r, box.u.d, v) != NULL;
    }
    const tpl_list *l = tpl_items(r, box);
    for (size_t i = 0; i < l->n; i++)
        if (tpl_equal(r, l->v[i], v)) return true;
    return false;
}

/* ------------------------------------------------------------------ printing */

void tpl_float_text(char out[40], double f) {
    if (isnan(f) || isinf(f)) {
        strcpy(out, isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
        return;
    }
    char e[40];
    int digits = 1;
    do snprintf(e, sizeof e, "%.*e", digits - 1, f);
    while (strtod(e, NULL) != f && ++digits <= 17);
    int exp10 = atoi(strchr(e, 'e') + 1);
    if (exp10 < -4 || exp10 >= 16) { /* d.ddde-05, as Python writes it */
        char *x = strchr(e, 'e');
        snprintf(out, 40, "%.*s%c%c%02d", (int)(x - e), e, 'e', exp10 < 0 ? '-' : '+', abs(exp10));
        return;
    }
    int after = digits - 1 - exp10;
    snprintf(out, 40, "%.*f", after < 1 ? 1 : after, f);
}

/* Python prints a code point as itself, or \x, \u, \U. Unassigned ones are not told apart here. */
static bool printable(uint32_t cp) {
    if (cp < 0x20 || (cp >= 0x7f && cp < 0xa1) || cp == 0xad) return false;
    if (cp != ' ' && tpl_is_space(cp)) return false;
    return !((cp >= 0x200b && cp <= 0x200f) || (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2060 && cp <= 0x206f) ||
             cp == 0xfeff || (cp >= 0xe000 && cp <= 0xf8ff) || (cp >= 0xfff0 && cp <= 0xfffb) || cp >= 0xe0000);
}

static void repr_str(tpl_run *r, tpl_sink *s, const tpl_str *t) {
    bool single = t->n && memchr(t->p, '\'', t->n), twice = t->n && memchr(t->p, '"', t->n);
    char q = single && !twice ? '"' : '\'';
    tpl_put(r, s, &q, 1, false);
    for (size_t i = 0, k; i < t->n; i += k) {
        uint32_t cp;
        k = tpl_char(t->p + i, t->n - i, &cp);
        bool mark = t->m && t->m[i];
        char b[16];
        if (cp == '\\' || cp == (uint32_t)q) snprintf(b, sizeof b, "\\%c", (char)cp);
        else if (cp == '\n') strcpy(b, "\\n");
        else if (cp == '\r') strcpy(b, "\\r");
        else if (cp == '\t') strcpy(b, "\\t");
        else if (printable(cp)) {
            tpl_put_part(r, s, t, i, i + k);
            continue;
        } else if (cp < 0x100) snprintf(b, sizeof b, "\\x%02x", cp);
        else if (cp < 0x10000) snprintf(b, sizeof b, "\\u%04x", cp);
        else snprintf(b, sizeof b, "\\U%08x", cp);
        tpl_put(r, s, b, strlen(b), mark);
    }
    tpl_put(r, s, &q, 1, false);
}

static void repr_list(tpl_run *r, tpl_sink *s, const tpl_list *l) {
    static const char *const open[] = {"[", "(", "", "dict_keys([", "dict_values([", "dict_items([", ""};
    static const char *const close[] = {"]", ")", "", "])", "])", "])", ""};
    if (l->form == TPL_F_GENERATOR) {
        tpl_puts(r, s, "<generator object>");
        return;
    }
    if (l->form == TPL_F_RANGE) {
        char b[80];
        snprintf(b, sizeof b, "range(%lld, %lld", (long long)l->start, (long long)l->stop);
        tpl_puts(r, s, b);
        if (l->step != 1) {
            snprintf(b, sizeof b, ", %lld", (long long)l->step);
            tpl_puts(r, s, b);
        }
        tpl_puts(r, s, ")");
        return;
    }
    tpl_puts(r, s, open[l->form]);
    for (size_t i = 0; i < l->n; i++) {
        if (i) tpl_puts(r, s, ", ");
        tpl_repr(r, s, l->v[i]);
    }
    if (l->form == TPL_F_TUPLE && l->n == 1) tpl_puts(r, s, ",");
    tpl_puts(r, s, close[l->form]);
}

void tpl_repr(tpl_run *r, tpl_sink *s, tpl_value v) {
    char b[40];
    tpl_cost(r, 1);
    tpl_enter(r);
    switch (v.kind) {
    case TPL_STR: repr_str(r, s, v.u.s); break;
    case TPL_LIST: repr_list(r, s, v.u.l); break;
    case TPL_NAMESPACE: tpl_puts(r, s, "<Namespace "); /* fall through */
    case TPL_DICT:
        tpl_puts(r, s, "{");
        for (size_t i = 0; i < v.u.d->n; i++) {
            if (i) tpl_puts(r, s, ", ");
            tpl_repr(r, s, v.u.d->k[i]);
            tpl_puts(r, s, ": ");
            tpl_repr(r, s, v.u.d->v[i]);
        }
        tpl_puts(r, s, v.kind == TPL_DICT ? "}" : "}>");
        break;
    case TPL_UNDEFINED: tpl_puts(r, s, "Undefined"); break;
    case TPL_NONE: tpl_puts(r, s, "None"); break;
    case TPL_BOOL: tpl_puts(r, s, v.u.b ? "True" : "False"); break;
    case TPL_INT:
        snprintf(b, sizeof b, "%lld", (long long)v.u.i);
        tpl_puts(r, s, b);
        break;
    case TPL_FLOAT:
        tpl_float_text(b, v.u.f);
        tpl_puts(r, s, b);
        break;
    case TPL_MACRO:
        tpl_puts(r, s, "<Macro '");
        tpl_put(r, s, v.u.macro->def->name.ptr, v.u.macro->def->name.len, false);
        tpl_puts(r, s, "'>");
        break;
    case TPL_LOOP:
        snprintf(b, sizeof b, "<LoopContext %zu/%zu>", v.u.loop->i + 1, v.u.loop->items->n);
        tpl_puts(r, s, b);
        break;
    default:
        tpl_puts(r, s, "<");
        tpl_puts(r, s, tpl_type(v));
        tpl_puts(r, s, ">");
        break;
    }
    tpl_leave(r);
}

const tpl_str *tpl_to_str(tpl_run *r, tpl_value v) {
    if (v.kind == TPL_STR) return v.u.s;
    if (v.kind == TPL_UNDEFINED || v.kind == TPL_MISSING) return tpl_string(r, "", NULL, 0).u.s;
    tpl_sink s;
    tpl_sink_init(r, &s, 32);
    tpl_repr(r, &s, v);
    return tpl_sink_value(r, &s).u.s;
}
