/* template_json.c - JSON into template values, user input marked, and out of them as Python's json.dumps writes.
 *
 * Marks: every string is user input, keys too, but what stands under a name that ends with _token (bos_token), which
 * the caller takes from the model. Exceptions are short identifiers, which can neither hold nor
 * close a control token by themselves: keys, variables that are one word (reasoning_effort), and what stands
 * under role, name and type, since templates build control tokens from those ('<|' + message.role + '|>').
 */
#include "model/template_int.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static bool is_identifier(const char *p, size_t n) {
    if (n > 64) return false;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
              c == '.'))
            return false;
    }
    return true;
}

static bool structural(const char *key) {
    return key && (!strcmp(key, "role") || !strcmp(key, "name") || !strcmp(key, "type"));
}

static bool ends_token(const char *key) {
    size_t n = strlen(key);
    return n >= 6 && !strcmp(key + n - 6, "_token");
}

static bool is_word(const json_t *j) {
    return json_is_string(j) && is_identifier(json_string_value(j), json_string_length(j));
}

static tpl_value string_in(tpl_run *r, const char *p, size_t n, bool user) {
    char *copy = tpl_alloc(r, n + 1);
    memcpy(copy, p, n);
    uint8_t *m = NULL;
    if (user && n) {
        m = tpl_alloc(r, n);
        memset(m, 1, n);
    }
    return tpl_string(r, copy, m, n);
}

/* key: the one this value stands under, NULL in a list. */
static tpl_value value_in(tpl_run *r, const json_t *j, const char *key, bool user) {
    switch (json_typeof(j)) {
    case JSON_STRING: {
        const char *p = json_string_value(j);
        size_t n = json_string_length(j);
        return string_in(r, p, n, user && !(structural(key) && is_identifier(p, n)));
    }
    case JSON_INTEGER: return tpl_int(json_integer_value(j));
    case JSON_REAL: return tpl_float(json_real_value(j));
    case JSON_TRUE: return tpl_bool(true);
    case JSON_FALSE: return tpl_bool(false);
    case JSON_NULL: return tpl_none();
    case JSON_ARRAY: {
        tpl_enter(r);
        tpl_value v = tpl_list_new(r, TPL_F_LIST, json_array_size(j));
        for (size_t i = 0; i < json_array_size(j); i++)
            tpl_list_add(r, v.u.l, value_in(r, json_array_get(j, i), NULL, user));
        tpl_leave(r);
        return v;
    }
    case JSON_OBJECT: {
        tpl_enter(r);
        tpl_value v = tpl_dict_new(r, json_object_size(j));
        void *it = json_object_iter((json_t *)(uintptr_t)j);
        for (; it; it = json_object_iter_next((json_t *)(uintptr_t)j, it)) { /* jansson keeps the order of insertion */
            const char *k = json_object_iter_key(it);
            size_t n = json_object_iter_key_len(it);
            tpl_value name = string_in(r, k, n, user && !is_identifier(k, n));
            tpl_dict_append(r, v.u.d, name, value_in(r, json_object_iter_value(it), k, user));
        }
        tpl_leave(r);
        return v;
    }
    }
    return tpl_none();
}

/* Parses into r->json, which the render frees also when an error leaves in between. */
static const json_t *parse(tpl_run *r, const char *p, size_t n, json_error_t *e) {
    if (r->json) json_decref(r->json);
    r->json = json_loadb(p, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, e);
    return r->json;
}

tpl_value tpl_read_vars(tpl_run *r, const char *json, size_t len) {
    json_error_t e;
    if (len > TPL_MAX_VARS) tpl_error(r, "found variables of %zu bytes, expected at most %zu", len, TPL_MAX_VARS);
    const json_t *j = parse(r, json, len, &e);
    if (!j) tpl_error(r, "the variables are not JSON: line %d: %s", e.line, e.text);
    if (!json_is_object(j)) tpl_error(r, "the variables are JSON, but found no object");
    tpl_value v = tpl_dict_new(r, json_object_size(j));
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)(uintptr_t)j, key, item)
        tpl_dict_append(r, v.u.d, string_in(r, key, strlen(key), false),
                        value_in(r, item, key, !ends_token(key) && !is_word(item)));
    return v;
}

tpl_value tpl_from_json(tpl_run *r, const tpl_str *s) {
    json_error_t e;
    bool user = false;
    for (size_t i = 0; s->m && i < s->n; i++) user |= s->m[i];
    const json_t *j = parse(r, s->p, s->n, &e);
    if (!j) tpl_error(r, "from_json: line %d: %s", e.line, e.text);
    tpl_cost(r, s->n * 4);
    return value_in(r, j, NULL, user);
}

/* ------------------------------------------------------------------ out */

typedef struct {
    tpl_run *r;
    tpl_sink *s;
    bool ascii, sort, lines;
    const tpl_str *indent; /* one level's text */
    const tpl_str *item_sep, *key_sep;
} writer;

static void string_out(writer *w, const tpl_str *t) {
    tpl_puts(w->r, w->s, "\"");
    size_t plain = 0;
    for (size_t i = 0, k; i < t->n; i += k) {
        uint32_t cp;
        k = tpl_char(t->p + i, t->n - i, &cp);
        char b[16];
        switch (cp) {
        case '"': strcpy(b, "\\\""); break;
        case '\\': strcpy(b, "\\\\"); break;
        case '\n': strcpy(b, "\\n"); break;
        case '\r': strcpy(b, "\\r"); break;
        case '\t': strcpy(b, "\\t"); break;
        case '\f': strcpy(b, "\\f"); break;
        case '\b': strcpy(b, "\\b"); break;
        default:
            if (cp >= 0x20 && (cp < 0x7f || !w->ascii)) continue;
            if (cp >= 0x10000)
                snprintf(b, sizeof b, "\\u%04x\\u%04x", 0xd800 + ((cp - 0x10000) >> 10), 0xdc00 + (cp & 0x3ff));
            else snprintf(b, sizeof b, "\\u%04x", cp);
        }
        tpl_put_part(w->r, w->s, t, plain, i);
        tpl_put(w->r, w->s, b, strlen(b), t->m && t->m[i]);
        plain = i + k;
    }
    tpl_put_part(w->r, w->s, t, plain, t->n);
    tpl_puts(w->r, w->s, "\"");
}

static void number_out(writer *w, tpl_value v) {
    char b[40];
    if (v.kind == TPL_FLOAT && (isnan(v.u.f) || isinf(v.u.f)))
        strcpy(b, isnan(v.u.f) ? "NaN" : v.u.f < 0 ? "-Infinity" : "Infinity");
    else if (v.kind == TPL_FLOAT) tpl_float_text(b, v.u.f);
    else if (v.kind == TPL_INT) snprintf(b, sizeof b, "%lld", (long long)v.u.i);
    else strcpy(b, v.kind == TPL_NONE ? "null" : v.u.b ? "true" : "false");
    tpl_puts(w->r, w->s, b);
}

static void line(writer *w, int level) {
    if (!w->lines) return;
    tpl_puts(w->r, w->s, "\n");
    for (int i = 0; i < level; i++) tpl_put_str(w->r, w->s, w->indent);
}

static bool is_scalar(tpl_value v) { return tpl_is_number(v) || v.kind == TPL_NONE; }

static void value_out(writer *w, tpl_value v, int level);

static void dict_out(writer *w, const tpl_dict *d, int level) {
    if (!d->n) {
        tpl_puts(w->r, w->s, "{}");
        return;
    }
    size_t *order = tpl_alloc(w->r, d->n * sizeof *order);
    for (size_t i = 0; i < d->n; i++) {
        size_t k = i;
        for (; w->sort && k > 0 && tpl_order(w->r, d->k[order[k - 1]], d->k[i]) > 0; k--) order[k] = order[k - 1];
        order[k] = i;
    }
    tpl_puts(w->r, w->s, "{");
    for (size_t i = 0; i < d->n; i++) {
        tpl_value key = d->k[order[i]];
        if (i) tpl_put_str(w->r, w->s, w->item_sep);
        line(w, level + 1);
        if (key.kind == TPL_STR) string_out(w, key.u.s);
        else if (is_scalar(key)) {
            tpl_puts(w->r, w->s, "\"");
            number_out(w, key);
            tpl_puts(w->r, w->s, "\"");
        } else tpl_error(w->r, "tojson: found a key of type %s", tpl_type(key));
        tpl_put_str(w->r, w->s, w->key_sep);
        value_out(w, d->v[order[i]], level + 1);
    }
    line(w, level);
    tpl_puts(w->r, w->s, "}");
}

static void value_out(writer *w, tpl_value v, int level) {
    tpl_cost(w->r, 1);
    tpl_enter(w->r);
    if (level > TPL_MAX_VALUE_DEPTH) tpl_error(w->r, "tojson: found more than %d levels", TPL_MAX_VALUE_DEPTH);
    if (v.kind == TPL_STR) {
        string_out(w, v.u.s);
    } else if (is_scalar(v)) {
        number_out(w, v);
    } else if (v.kind == TPL_DICT) {
        dict_out(w, v.u.d, level);
    } else if (v.kind == TPL_LIST && v.u.l->form <= TPL_F_TUPLE) {
        const tpl_list *l = v.u.l;
        tpl_puts(w->r, w->s, "[");
        for (size_t i = 0; i < l->n; i++) {
            if (i) tpl_put_str(w->r, w->s, w->item_sep);
            line(w, level + 1);
            value_out(w, l->v[i], level + 1);
        }
        if (l->n) line(w, level);
        tpl_puts(w->r, w->s, "]");
    } else {
        tpl_error(w->r, "tojson: found a value of type %s, expected one that JSON has", tpl_type(v));
    }
    tpl_leave(w->r);
}

tpl_value tpl_tojson(tpl_run *r, tpl_value v, const tpl_argv *a) {
    tpl_value arg[4];
    tpl_bind(r, "tojson", a, "ensure_ascii,indent,separators,sort_keys", 0, arg);
    tpl_sink s;
    tpl_sink_init(r, &s, 64);
    writer w = {.r = r, .s = &s, .ascii = tpl_truth(arg[0]), .sort = tpl_truth(arg[3])};
    w.lines = arg[1].kind != TPL_MISSING && arg[1].kind != TPL_NONE;
    if (w.lines && arg[1].kind == TPL_STR) {
        w.indent = arg[1].u.s;
    } else if (w.lines) {
        int64_t n = tpl_want_int(r, "tojson", arg[1]);
        w.indent = tpl_repeat(r, tpl_string_c(r, " ").u.s, n).u.s;
    }
    w.item_sep = tpl_string_c(r, w.lines ? "," : ", ").u.s;
    w.key_sep = tpl_string_c(r, ": ").u.s;
    if (arg[2].kind != TPL_MISSING && arg[2].kind != TPL_NONE) {
        const tpl_list *l = tpl_items(r, arg[2]);
        if (l->n != 2) tpl_error(r, "tojson: found %zu separators, expected 2", l->n);
        w.item_sep = tpl_want_str(r, "tojson", l->v[0]);
        w.key_sep = tpl_want_str(r, "tojson", l->v[1]);
    }
    value_out(&w, v, 0);
    return tpl_sink_value(r, &s);
}
