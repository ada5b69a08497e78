/* template_filter.c - filters (x | name) and tests (x is name) of the chat-template interpreter. */
#include "model/template_int.h"

#include <math.h>
#include <string.h>

#define FILTER(name) static tpl_value name(tpl_run *r, tpl_value v, const tpl_argv *a)

static bool given(tpl_value v) { return v.kind != TPL_MISSING && v.kind != TPL_NONE; }

/* The value's attribute: "a.b.0" or a number, as filters' attribute= has it. Undefined on the way is an error of
 * tpl_item, as in Jinja. */
static tpl_value attribute(tpl_run *r, tpl_value v, tpl_value path) {
    if (path.kind != TPL_STR) return tpl_item(r, v, path);
    const tpl_str *s = path.u.s;
    for (size_t i = 0; i <= s->n;) {
        size_t from = i;
        while (i < s->n && s->p[i] != '.') i++;
        tpl_value key = tpl_part(r, s, from, i);
        int64_t index;
        bool digits = i > from;
        for (size_t k = from; k < i; k++) digits &= s->p[k] >= '0' && s->p[k] <= '9';
        if (digits && tpl_parse_int(r, key.u.s, 10, &index)) key = tpl_int(index);
        v = tpl_item(r, v, key);
        i++;
    }
    return v;
}

static tpl_value generator(tpl_run *r) { return tpl_list_new(r, TPL_F_GENERATOR, 0); }

/* What sort, unique, min and max compare: the attribute, strings without case unless asked. */
static tpl_value sort_key(tpl_run *r, tpl_value v, tpl_value attr, bool case_sensitive) {
    if (given(attr)) v = attribute(r, v, attr);
    return v.kind == TPL_STR && !case_sensitive ? tpl_recase(r, v.u.s, TPL_LOWER) : v;
}

/* Stable merge of items[0, n) by keys[]; scratch of the same size. */
static void merge_sort(tpl_run *r, tpl_value *key, tpl_value *item, tpl_value *key2, tpl_value *item2, size_t n,
                       bool down) {
    if (n < 2) return;
    size_t h = n / 2, i = 0, k = h, o = 0;
    merge_sort(r, key, item, key2, item2, h, down);
    merge_sort(r, key + h, item + h, key2, item2, n - h, down);
    while (i < h || k < n) {
        int c = i == h ? 1 : k == n ? -1 : tpl_order(r, key[i], key[k]);
        bool left = i < h && (k == n || (down ? c >= 0 : c <= 0));
        size_t from = left ? i++ : k++;
        key2[o] = key[from];
        item2[o++] = item[from];
    }
    memcpy(key, key2, n * sizeof *key);
    memcpy(item, item2, n * sizeof *item);
}

static void sort_list(tpl_run *r, tpl_list *l, const tpl_list *keys, bool down) {
    if (l->n < 2) return;
    tpl_value *key2 = tpl_alloc(r, l->n * sizeof *key2), *item2 = tpl_alloc(r, l->n * sizeof *item2);
    merge_sort(r, keys->v, l->v, key2, item2, l->n, down);
}

/* ------------------------------------------------------------------ strings */

FILTER(f_trim) {
    tpl_value arg[1];
    tpl_bind(r, "trim", a, "chars", 0, arg);
    return tpl_strip(r, tpl_to_str(r, v), given(arg[0]) ? tpl_want_str(r, "trim", arg[0]) : NULL, true, true);
}
FILTER(f_string) {
    tpl_bind(r, "string", a, "", 0, NULL);
    if (v.kind == TPL_STR) return v;
    return (tpl_value){.kind = TPL_STR, .u.s = tpl_to_str(r, v)};
}
FILTER(f_lower) { return tpl_recase(r, f_string(r, v, a).u.s, TPL_LOWER); }
FILTER(f_upper) { return tpl_recase(r, f_string(r, v, a).u.s, TPL_UPPER); }
FILTER(f_capitalize) { return tpl_recase(r, f_string(r, v, a).u.s, TPL_CAPITALIZE); }

FILTER(f_title) { /* unlike str.title, a word begins only after blanks and -({[< */
    const tpl_str *s = f_string(r, v, a).u.s;
    tpl_sink out;
    tpl_sink_init(r, &out, s->n);
    for (size_t i = 0; i < s->n;) {
        size_t from = i;
        bool gap = false;
        for (size_t k; i < s->n; i += k) {
            uint32_t cp;
            k = tpl_char(s->p + i, s->n - i, &cp);
            bool sep = tpl_is_space(cp) || (cp < 0x80 && cp && strchr("-({[<", (int)cp));
            if (i == from) gap = sep;
            if (sep != gap) break;
        }
        tpl_str word = *tpl_part(r, s, from, i).u.s;
        tpl_put_str(r, &out, tpl_recase(r, &word, TPL_CAPITALIZE).u.s);
    }
    return tpl_sink_value(r, &out);
}
FILTER(f_replace) {
    tpl_value arg[3];
    tpl_bind(r, "replace", a, "old,new,count", 2, arg);
    int64_t count = given(arg[2]) ? tpl_want_int(r, "replace", arg[2]) : -1;
    return tpl_replace(r, tpl_to_str(r, v), tpl_to_str(r, arg[0]), tpl_to_str(r, arg[1]), count);
}
FILTER(f_indent) {
    tpl_value arg[3];
    tpl_bind(r, "indent", a, "width,first,blank", 0, arg);
    const tpl_str *text = tpl_want_str(r, "indent", v);
    const tpl_str *pad = arg[0].kind == TPL_STR ? arg[0].u.s : NULL;
    if (!pad)
        pad = tpl_repeat(r, tpl_string_c(r, " ").u.s,
                         arg[0].kind == TPL_MISSING ? 4 : tpl_want_int(r, "indent", arg[0])).u.s;
    tpl_sink in, out;
    tpl_sink_init(r, &in, 64);
    tpl_put_str(r, &in, text);
    tpl_puts(r, &in, "\n"); /* so that a newline at the end is not lost */
    const tpl_list *l = tpl_splitlines(r, tpl_sink_value(r, &in).u.s, false).u.l;
    tpl_sink_init(r, &out, in.n + 64);
    if (tpl_truth(arg[1])) tpl_put_str(r, &out, pad);
    for (size_t i = 0; i < l->n; i++) {
        if (i) tpl_puts(r, &out, "\n");
        if (i && (l->v[i].u.s->n || tpl_truth(arg[2]))) tpl_put_str(r, &out, pad);
        tpl_put_str(r, &out, l->v[i].u.s);
    }
    return tpl_sink_value(r, &out);
}
FILTER(f_format) {
    if (a->n_pos && a->n_kw) tpl_error(r, "format: found positional and keyword arguments at the same time");
    tpl_value args;
    if (a->n_kw) {
        args = tpl_dict_new(r, a->n_kw);
        for (size_t i = 0; i < a->n_kw; i++)
            tpl_dict_put(r, args.u.d, tpl_string(r, a->kw_names[i].ptr, NULL, a->kw_names[i].len), a->kw[i]);
    } else {
        args = tpl_list_new(r, TPL_F_TUPLE, a->n_pos);
        for (size_t i = 0; i < a->n_pos; i++) tpl_list_add(r, args.u.l, a->pos[i]);
    }
    return tpl_format_percent(r, tpl_to_str(r, v), args);
}

/* ------------------------------------------------------------------ numbers */

FILTER(f_int) {
    tpl_value arg[2];
    tpl_bind(r, "int", a, "default,base", 0, arg);
    tpl_value otherwise = arg[0].kind == TPL_MISSING ? tpl_int(0) : arg[0];
    int base = 10;
    if (arg[1].kind != TPL_MISSING) {
        int64_t b = tpl_want_int(r, "int", arg[1]);
        if (b < 2 || b > 36) tpl_error(r, "int: found base %lld, expected 2 to 36", (long long)b);
        base = (int)b;
    }
    int64_t i;
    double f;
    if (v.kind == TPL_UNDEFINED) tpl_error(r, "int: found an undefined value");
    if (tpl_as_int(v, &i)) return tpl_int(i);
    if (v.kind == TPL_STR && tpl_parse_int(r, v.u.s, base, &i)) return tpl_int(i);
    if (v.kind == TPL_FLOAT) f = v.u.f;
    else if (v.kind != TPL_STR || !tpl_parse_float(v.u.s, &f)) return otherwise;
    if (isnan(f) || isinf(f)) return otherwise;
    if (fabs(f) >= 9.2e18) tpl_error(r, "found an integer of more than 64 bits");
    return tpl_int((int64_t)f);
}
FILTER(f_float) {
    tpl_value arg[1];
    tpl_bind(r, "float", a, "default", 0, arg);
    double f;
    if (v.kind == TPL_UNDEFINED) tpl_error(r, "float: found an undefined value");
    if (tpl_is_number(v)) return tpl_float(tpl_as_float(v));
    if (v.kind == TPL_STR && tpl_parse_float(v.u.s, &f)) return tpl_float(f);
    return arg[0].kind == TPL_MISSING ? tpl_float(0) : arg[0];
}
FILTER(f_abs) {
    tpl_bind(r, "abs", a, "", 0, NULL);
    int64_t i;
    if (v.kind == TPL_FLOAT) return tpl_float(fabs(v.u.f));
    if (!tpl_as_int(v, &i)) tpl_error(r, "abs: found %s, expected a number", tpl_type(v));
    if (i == INT64_MIN) tpl_error(r, "found an integer of more than 64 bits");
    return tpl_int(i < 0 ? -i : i);
}
FILTER(f_round) {
    tpl_value arg[2];
    tpl_bind(r, "round", a, "precision,method", 0, arg);
    int64_t digits = arg[0].kind == TPL_MISSING ? 0 : tpl_want_int(r, "round", arg[0]);
    if (!tpl_is_number(v)) tpl_error(r, "round: found %s, expected a number", tpl_type(v));
    if (digits < 0 || digits > 15) tpl_error(r, "round: found precision %lld, expected 0 to 15", (long long)digits);
    double f = tpl_as_float(v), scale = pow(10, (double)digits);
    if (given(arg[1])) {
        const tpl_str *m = tpl_want_str(r, "round", arg[1]);
        slx_str name = {m->p, m->n};
        if (slx_str_is(name, "ceil")) return tpl_float(ceil(f * scale) / scale);
        if (slx_str_is(name, "floor")) return tpl_float(floor(f * scale) / scale);
        if (!slx_str_is(name, "common")) tpl_error(r, "round: found an unknown method");
    }
    if (v.kind != TPL_FLOAT) return v.kind == TPL_BOOL ? tpl_int(v.u.b) : v;
    char b[400]; /* the decimal nearest to the exact value, halves to even: what printf does */
    snprintf(b, sizeof b, "%.*f", (int)digits, f);
    tpl_str t = {b, NULL, strlen(b)};
    tpl_parse_float(&t, &f);
    return tpl_float(f);
}
FILTER(f_sum) {
    tpl_value arg[2];
    tpl_bind(r, "sum", a, "attribute,start", 0, arg);
    const tpl_list *l = tpl_items(r, v);
    tpl_value total = arg[1].kind == TPL_MISSING ? tpl_int(0) : arg[1];
    for (size_t i = 0; i < l->n; i++) {
        tpl_value x = given(arg[0]) ? attribute(r, l->v[i], arg[0]) : l->v[i];
        int64_t n, m;
        if (!tpl_is_number(x) || !tpl_is_number(total)) tpl_error(r, "sum: found %s, expected a number", tpl_type(x));
        if (tpl_as_int(total, &n) && tpl_as_int(x, &m)) {
            if (__builtin_add_overflow(n, m, &n)) tpl_error(r, "found an integer of more than 64 bits");
            total = tpl_int(n);
        } else {
            total = tpl_float(tpl_as_float(total) + tpl_as_float(x));
        }
    }
    return total;
}

/* ------------------------------------------------------------------ collections */

FILTER(f_length) {
    size_t n;
    tpl_bind(r, "length", a, "", 0, NULL);
    if (!tpl_length(v, &n)) tpl_error(r, "length: found %s, which has none", tpl_type(v));
    return tpl_int((int64_t)n);
}
FILTER(f_default) {
    tpl_value arg[2];
    tpl_bind(r, "default", a, "default_value,boolean", 0, arg);
    if (v.kind != TPL_UNDEFINED && !(tpl_truth(arg[1]) && !tpl_truth(v))) return v;
    return arg[0].kind == TPL_MISSING ? tpl_string_c(r, "") : arg[0];
}
FILTER(f_join) {
    tpl_value arg[2];
    tpl_bind(r, "join", a, "d,attribute", 0, arg);
    const tpl_str *sep = arg[0].kind == TPL_MISSING ? tpl_string_c(r, "").u.s : tpl_to_str(r, arg[0]);
    const tpl_list *l = tpl_items(r, v);
    if (given(arg[1])) {
        tpl_list *m = tpl_list_new(r, TPL_F_LIST, l->n).u.l;
        for (size_t i = 0; i < l->n; i++) tpl_list_add(r, m, attribute(r, l->v[i], arg[1]));
        l = m;
    }
    return tpl_join(r, sep, l, false);
}
static tpl_value copied(tpl_run *r, tpl_value v) {
    const tpl_list *l = tpl_items(r, v);
    tpl_value out = tpl_list_new(r, TPL_F_LIST, l->n);
    for (size_t i = 0; i < l->n; i++) tpl_list_add(r, out.u.l, l->v[i]);
    return out;
}
FILTER(f_list) {
    tpl_bind(r, "list", a, "", 0, NULL);
    return copied(r, v);
}
FILTER(f_items) {
    tpl_bind(r, "items", a, "", 0, NULL);
    tpl_value out = generator(r);
    if (v.kind == TPL_UNDEFINED) return out;
    if (v.kind != TPL_DICT) tpl_error(r, "items: found %s, expected dict", tpl_type(v));
    for (size_t i = 0; i < v.u.d->n; i++) tpl_list_add(r, out.u.l, tpl_pair(r, v.u.d->k[i], v.u.d->v[i]));
    return out;
}
FILTER(f_first) {
    tpl_bind(r, "first", a, "", 0, NULL);
    const tpl_list *l = tpl_items(r, v);
    return l->n ? l->v[0] : tpl_undefined(r, "the first of nothing", 20);
}
FILTER(f_last) {
    tpl_bind(r, "last", a, "", 0, NULL);
    if (v.kind == TPL_LIST && v.u.l->form == TPL_F_GENERATOR) tpl_error(r, "last: found a generator");
    const tpl_list *l = tpl_items(r, v);
    return l->n ? l->v[l->n - 1] : tpl_undefined(r, "the last of nothing", 19);
}
FILTER(f_reverse) {
    tpl_bind(r, "reverse", a, "", 0, NULL);
    const tpl_list *l = tpl_items(r, v);
    if (v.kind == TPL_STR) {
        tpl_sink out;
        tpl_sink_init(r, &out, v.u.s->n);
        for (size_t i = l->n; i-- > 0;) tpl_put_str(r, &out, l->v[i].u.s);
        return tpl_sink_value(r, &out);
    }
    bool walked = v.kind == TPL_LIST && v.u.l->form == TPL_F_GENERATOR; /* of those Jinja makes a list */
    tpl_value out = tpl_list_new(r, walked ? TPL_F_LIST : TPL_F_GENERATOR, l->n);
    for (size_t i = l->n; i-- > 0;) tpl_list_add(r, out.u.l, l->v[i]);
    return out;
}
FILTER(f_sort) {
    tpl_value arg[3];
    tpl_bind(r, "sort", a, "reverse,case_sensitive,attribute", 0, arg);
    tpl_value out = copied(r, v);
    tpl_list *keys = tpl_list_new(r, TPL_F_LIST, out.u.l->n).u.l;
    for (size_t i = 0; i < out.u.l->n; i++)
        tpl_list_add(r, keys, sort_key(r, out.u.l->v[i], arg[2], tpl_truth(arg[1])));
    sort_list(r, out.u.l, keys, tpl_truth(arg[0]));
    return out;
}
FILTER(f_dictsort) {
    tpl_value arg[3];
    tpl_bind(r, "dictsort", a, "case_sensitive,by,reverse", 0, arg);
    if (v.kind != TPL_DICT) tpl_error(r, "dictsort: found %s, expected dict", tpl_type(v));
    int by = 0;
    if (given(arg[1])) {
        const tpl_str *s = tpl_want_str(r, "dictsort", arg[1]);
        by = slx_str_is((slx_str){s->p, s->n}, "value");
        if (!by && !slx_str_is((slx_str){s->p, s->n}, "key"))
            tpl_error(r, "dictsort: found a 'by' other than 'key' and 'value'");
    }
    tpl_value out = tpl_list_new(r, TPL_F_LIST, v.u.d->n);
    tpl_list *keys = tpl_list_new(r, TPL_F_LIST, v.u.d->n).u.l;
    for (size_t i = 0; i < v.u.d->n; i++) {
        tpl_list_add(r, out.u.l, tpl_pair(r, v.u.d->k[i], v.u.d->v[i]));
        tpl_list_add(r, keys, sort_key(r, by ? v.u.d->v[i] : v.u.d->k[i], tpl_none(), tpl_truth(arg[0])));
    }
    sort_list(r, out.u.l, keys, tpl_truth(arg[2]));
    return out;
}
FILTER(f_unique) {
    tpl_value arg[2];
    tpl_bind(r, "unique", a, "case_sensitive,attribute", 0, arg);
    const tpl_list *l = tpl_items(r, v);
    tpl_value out = generator(r), seen = tpl_dict_new(r, 0);
    for (size_t i = 0; i < l->n; i++) {
        tpl_value k = sort_key(r, l->v[i], arg[1], tpl_truth(arg[0]));
        if (tpl_dict_find(r, seen.u.d, k)) continue;
        tpl_dict_put(r, seen.u.d, k, tpl_none());
        tpl_list_add(r, out.u.l, l->v[i]);
    }
    return out;
}
static tpl_value extreme(tpl_run *r, const char *what, tpl_value v, const tpl_argv *a, int sign) {
    tpl_value arg[2];
    tpl_bind(r, what, a, "case_sensitive,attribute", 0, arg);
    const tpl_list *l = tpl_items(r, v);
    if (!l->n) return tpl_undefined(r, "the extreme of nothing", 22);
    size_t best = 0;
    tpl_value best_key = sort_key(r, l->v[0], arg[1], tpl_truth(arg[0]));
    for (size_t i = 1; i < l->n; i++) {
        tpl_value k = sort_key(r, l->v[i], arg[1], tpl_truth(arg[0]));
        if (sign * tpl_order(r, k, best_key) <= 0) continue;
        best = i;
        best_key = k;
    }
    return l->v[best];
}
FILTER(f_min) { return extreme(r, "min", v, a, -1); }
FILTER(f_max) { return extreme(r, "max", v, a, 1); }

/* The arguments behind the first n positional ones. */
static tpl_argv rest(const tpl_argv *a, size_t n) {
    tpl_argv b = *a;
    b.pos += n;
    b.n_pos -= n;
    return b;
}

FILTER(f_map) {
    tpl_value out = generator(r);
    if (!tpl_truth(v)) return out; /* Jinja does not look at what is empty, none included */
    const tpl_list *l = tpl_items(r, v);
    if (!a->n_pos) {
        tpl_value arg[2];
        tpl_bind(r, "map", a, "attribute,default", 1, arg);
        for (size_t i = 0; i < l->n; i++) {
            tpl_value x = attribute(r, l->v[i], arg[0]);
            tpl_list_add(r, out.u.l, x.kind == TPL_UNDEFINED && arg[1].kind != TPL_MISSING ? arg[1] : x);
        }
        return out;
    }
    const tpl_str *name = tpl_want_str(r, "map", a->pos[0]);
    tpl_argv b = rest(a, 1);
    for (size_t i = 0; i < l->n; i++) tpl_list_add(r, out.u.l, tpl_filter(r, (slx_str){name->p, name->n}, l->v[i], &b));
    return out;
}

/* select, reject and their attr forms: keep the items whose test is `keep`. */
static tpl_value chosen(tpl_run *r, tpl_value v, const tpl_argv *a, bool by_attr, bool keep) {
    tpl_value out = generator(r);
    if (!tpl_truth(v)) return out; /* as in map */
    const tpl_list *l = tpl_items(r, v);
    if (by_attr && !a->n_pos) tpl_error(r, "selectattr: found no attribute");
    size_t n = by_attr;
    const tpl_str *name = a->n_pos > n ? tpl_want_str(r, "select", a->pos[n]) : NULL;
    tpl_argv b = name ? rest(a, n + 1) : (tpl_argv){0};
    for (size_t i = 0; i < l->n; i++) {
        tpl_value x = by_attr ? attribute(r, l->v[i], a->pos[0]) : l->v[i];
        bool yes = name ? tpl_test(r, (slx_str){name->p, name->n}, x, &b) : tpl_truth(x);
        if (yes == keep) tpl_list_add(r, out.u.l, l->v[i]);
    }
    return out;
}
FILTER(f_select) { return chosen(r, v, a, false, true); }
FILTER(f_reject) { return chosen(r, v, a, false, false); }
FILTER(f_selectattr) { return chosen(r, v, a, true, true); }
FILTER(f_rejectattr) { return chosen(r, v, a, true, false); }

FILTER(f_attr) {
    tpl_value arg[1];
    tpl_bind(r, "attr", a, "name", 1, arg);
    const tpl_str *s = tpl_to_str(r, arg[0]);
    tpl_value out;
    if (v.kind == TPL_NAMESPACE || v.kind == TPL_LOOP) return tpl_attr(r, v, (slx_str){s->p, s->n});
    if (tpl_method_find(r, v, (slx_str){s->p, s->n}, &out)) return out;
    return tpl_undefined(r, s->p, s->n); /* no items: attributes only */
}
FILTER(f_safe) {
    tpl_bind(r, "safe", a, "", 0, NULL);
    return f_string(r, v, a);
}
FILTER(f_tojson) { return tpl_tojson(r, v, a); }
FILTER(f_from_json) {
    tpl_bind(r, "from_json", a, "", 0, NULL);
    return tpl_from_json(r, tpl_want_str(r, "from_json", v));
}

tpl_value tpl_filter(tpl_run *r, slx_str name, tpl_value v, const tpl_argv *a) {
    static const struct {
        const char *name;
        tpl_value (*fn)(tpl_run *r, tpl_value v, const tpl_argv *a);
    } rows[] = {
        {"abs", f_abs}, {"attr", f_attr}, {"capitalize", f_capitalize}, {"count", f_length}, {"d", f_default},
        {"default", f_default}, {"dictsort", f_dictsort}, {"first", f_first}, {"float", f_float},
        {"format", f_format}, {"from_json", f_from_json}, {"indent", f_indent}, {"int", f_int}, {"items", f_items},
        {"join", f_join}, {"last", f_last}, {"length", f_length}, {"list", f_list}, {"lower", f_lower},
        {"map", f_map}, {"max", f_max}, {"min", f_min}, {"reject", f_reject}, {"rejectattr", f_rejectattr},
        {"replace", f_replace}, {"reverse", f_reverse}, {"round", f_round}, {"safe", f_safe}, {"select", f_select},
        {"selectattr", f_selectattr}, {"sort", f_sort}, {"string", f_string}, {"sum", f_sum}, {"title", f_title},
        {"tojson", f_tojson}, {"trim", f_trim}, {"unique", f_unique}, {"upper", f_upper},
    };
    tpl_cost(r, 1);
    tpl_enter(r);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!slx_str_is(name, rows[i].name)) continue;
        tpl_value out = rows[i].fn(r, v, a);
        tpl_leave(r);
        return out;
    }
    tpl_error(r, "found the filter '%.*s', which is not supported here", (int)(name.len < 60 ? name.len : 60),
              name.ptr);
}

/* ------------------------------------------------------------------ tests */

static bool is_iterable(tpl_value v) {
    return v.kind == TPL_STR || v.kind == TPL_LIST || v.kind == TPL_DICT || v.kind == TPL_UNDEFINED ||
           v.kind == TPL_LOOP;
}

static bool is_sequence(tpl_value v) {
    return v.kind == TPL_STR || v.kind == TPL_DICT || v.kind == TPL_UNDEFINED ||
           (v.kind == TPL_LIST && v.u.l->form <= TPL_F_RANGE);
}

static bool same_case(tpl_run *r, tpl_value v, tpl_case c) {
    const tpl_str *s = tpl_to_str(r, v);
    tpl_case other = c == TPL_UPPER ? TPL_LOWER : TPL_UPPER;
    tpl_value str = {.kind = TPL_STR, .u.s = s};
    return tpl_equal(r, tpl_recase(r, s, c), str) && !tpl_equal(r, tpl_recase(r, s, other), str);
}

/* v % by as Python has it, for by > 0; of other divisors only the zero is right. */
static double remainder_of(tpl_run *r, tpl_value v, int64_t by) {
    int64_t i;
    if (!tpl_is_number(v)) tpl_error(r, "test: found %s, expected a number", tpl_type(v));
    if (!by) tpl_error(r, "found a division by zero");
    double m = tpl_as_int(v, &i) ? (double)(by == -1 ? 0 : i % by) : fmod(v.u.f, (double)by);
    return m < 0 ? m + (double)by : m;
}

/* Tests of the value alone; -1: no such test. */
static int plain_test(tpl_run *r, slx_str name, tpl_value v) {
    if (slx_str_is(name, "defined")) return v.kind != TPL_UNDEFINED;
    if (slx_str_is(name, "undefined")) return v.kind == TPL_UNDEFINED;
    if (slx_str_is(name, "none")) return v.kind == TPL_NONE;
    if (slx_str_is(name, "string")) return v.kind == TPL_STR;
    if (slx_str_is(name, "mapping")) return v.kind == TPL_DICT;
    if (slx_str_is(name, "iterable")) return is_iterable(v);
    if (slx_str_is(name, "sequence")) return is_sequence(v);
    if (slx_str_is(name, "number")) return tpl_is_number(v);
    if (slx_str_is(name, "integer")) return v.kind == TPL_INT;
    if (slx_str_is(name, "float")) return v.kind == TPL_FLOAT;
    if (slx_str_is(name, "boolean")) return v.kind == TPL_BOOL;
    if (slx_str_is(name, "true")) return v.kind == TPL_BOOL && v.u.b;
    if (slx_str_is(name, "false")) return v.kind == TPL_BOOL && !v.u.b;
    if (slx_str_is(name, "callable"))
        return v.kind == TPL_MACRO || v.kind == TPL_FUNCTION || v.kind == TPL_METHOD || v.kind == TPL_UNDEFINED;
    if (slx_str_is(name, "odd")) return remainder_of(r, v, 2) == 1;
    if (slx_str_is(name, "even")) return remainder_of(r, v, 2) == 0;
    if (slx_str_is(name, "lower")) return same_case(r, v, TPL_LOWER);
    if (slx_str_is(name, "upper")) return same_case(r, v, TPL_UPPER);
    return -1;
}

static bool same_object(tpl_value a, tpl_value b) {
    if (a.kind != b.kind) return false;
    if (a.kind == TPL_LIST) return a.u.l == b.u.l;
    if (a.kind == TPL_DICT || a.kind == TPL_NAMESPACE) return a.u.d == b.u.d;
    if (a.kind == TPL_STR) return a.u.s == b.u.s;
    return a.kind == TPL_NONE || (a.kind == TPL_BOOL && a.u.b == b.u.b) || (a.kind == TPL_INT && a.u.i == b.u.i);
}

bool tpl_test(tpl_run *r, slx_str name, tpl_value v, const tpl_argv *a) {
    static const struct { const char *name; int op; } pairs[] = {
        {"eq", TPL_EQ}, {"equalto", TPL_EQ}, {"==", TPL_EQ}, {"ne", TPL_NE}, {"!=", TPL_NE}, {"lt", '<'},
        {"lessthan", '<'}, {"<", '<'}, {"gt", '>'}, {"greaterthan", '>'}, {">", '>'}, {"le", TPL_LE},
        {"<=", TPL_LE}, {"ge", TPL_GE}, {">=", TPL_GE}, {"in", TPL_IN}, {"sameas", 's'}, {"divisibleby", '%'},
    };
    int op = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (slx_str_is(name, pairs[i].name)) op = pairs[i].op;
    tpl_value arg[1];
    tpl_bind(r, "test", a, op ? "other" : "", op != 0, arg);
    switch (op) {
    case TPL_EQ: return tpl_equal(r, v, arg[0]);
    case TPL_NE: return !tpl_equal(r, v, arg[0]);
    case TPL_IN: return tpl_contains(r, arg[0], v);
    case '<': return tpl_order(r, v, arg[0]) < 0;
    case '>': return tpl_order(r, v, arg[0]) > 0;
    case TPL_LE: return tpl_order(r, v, arg[0]) <= 0;
    case TPL_GE: return tpl_order(r, v, arg[0]) >= 0;
    case 's': return same_object(v, arg[0]);
    case '%': return remainder_of(r, v, tpl_want_int(r, "divisibleby", arg[0])) == 0;
    default: break;
    }
    int yes = plain_test(r, name, v);
    if (yes < 0)
        tpl_error(r, "found the test '%.*s', which is not supported here", (int)(name.len < 60 ? name.len : 60),
                  name.ptr);
    return yes;
}
