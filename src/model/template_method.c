/* template_method.c - methods of str, list, dict and loop, and the functions a chat template may call.
 *
 * A method Python has but Silex lacks is in the table too, without a function: its name must hide a dictionary's key of
 * the same name, and a call must say what is missing.
 */
#include "model/template_int.h"

#include <string.h>
#include <time.h>

void tpl_bind(tpl_run *r, const char *what, const tpl_argv *a, const char *params, size_t min, tpl_value *out) {
    size_t n = 0;
    slx_str name[8];
    for (const char *p = params; *p;) {
        size_t len = strcspn(p, ",");
        SLX_ASSERT(n < 8);
        name[n] = (slx_str){p, len};
        out[n++] = (tpl_value){.kind = TPL_MISSING};
        p += len + (p[len] == ',');
    }
    if (a->n_pos > n) tpl_error(r, "%s: found %zu arguments, expected at most %zu", what, a->n_pos, n);
    for (size_t i = 0; i < a->n_pos; i++) out[i] = a->pos[i];
    for (size_t k = 0; k < a->n_kw; k++) {
        size_t i = 0;
        while (i < n && !slx_str_eq(name[i], a->kw_names[k])) i++;
        if (i == n)
            tpl_error(r, "%s: found the argument '%.*s', expected one of (%s)", what,
                      (int)(a->kw_names[k].len < 60 ? a->kw_names[k].len : 60), a->kw_names[k].ptr, params);
        if (out[i].kind != TPL_MISSING)
            tpl_error(r, "%s: found two values for '%.*s'", what, (int)name[i].len, name[i].ptr);
        out[i] = a->kw[k];
    }
    for (size_t i = 0; i < min; i++)
        if (out[i].kind == TPL_MISSING)
            tpl_error(r, "%s: found no argument '%.*s'", what, (int)name[i].len, name[i].ptr);
}

const tpl_str *tpl_want_str(tpl_run *r, const char *what, tpl_value v) {
    if (v.kind != TPL_STR) tpl_error(r, "%s: found %s, expected str", what, tpl_type(v));
    return v.u.s;
}

int64_t tpl_want_int(tpl_run *r, const char *what, tpl_value v) {
    int64_t i;
    if (!tpl_as_int(v, &i)) tpl_error(r, "%s: found %s, expected int", what, tpl_type(v));
    return i;
}

/* A str argument that may be left out or None. */
static const tpl_str *optional_str(tpl_run *r, const char *what, tpl_value v) {
    return v.kind == TPL_MISSING || v.kind == TPL_NONE ? NULL : tpl_want_str(r, what, v);
}

/* ------------------------------------------------------------------ str */

#define METHOD(name) static tpl_value name(tpl_run *r, tpl_value self, const tpl_argv *a)

static tpl_value split_by(tpl_run *r, const tpl_str *s, const tpl_argv *a, bool right) {
    tpl_value arg[2];
    tpl_bind(r, "split", a, "sep,maxsplit", 0, arg);
    int64_t max = arg[1].kind == TPL_MISSING ? -1 : tpl_want_int(r, "split", arg[1]);
    return tpl_split(r, s, optional_str(r, "split", arg[0]), max, right);
}
METHOD(str_split) { return split_by(r, self.u.s, a, false); }
METHOD(str_rsplit) { return split_by(r, self.u.s, a, true); }

static tpl_value strip_by(tpl_run *r, const tpl_str *s, const tpl_argv *a, bool left, bool right) {
    tpl_value arg[1];
    tpl_bind(r, "strip", a, "chars", 0, arg);
    return tpl_strip(r, s, optional_str(r, "strip", arg[0]), left, right);
}
METHOD(str_strip) { return strip_by(r, self.u.s, a, true, true); }
METHOD(str_lstrip) { return strip_by(r, self.u.s, a, true, false); }
METHOD(str_rstrip) { return strip_by(r, self.u.s, a, false, true); }

METHOD(str_splitlines) {
    tpl_value arg[1];
    tpl_bind(r, "splitlines", a, "keepends", 0, arg);
    return tpl_splitlines(r, self.u.s, tpl_truth(arg[0]));
}

/* The part of s that start and end (code points, as a slice) leave; false when start lies behind the end. */
static bool window(tpl_run *r, const tpl_str *s, tpl_value start, tpl_value end, size_t *from, size_t *to) {
    int64_t n = (int64_t)tpl_cp_count(s->p, s->n), i = 0, k = n;
    if (start.kind != TPL_MISSING && start.kind != TPL_NONE) i = tpl_want_int(r, "start", start);
    if (end.kind != TPL_MISSING && end.kind != TPL_NONE) k = tpl_want_int(r, "end", end);
    tpl_cost(r, s->n);
    if (i < 0) i = i + n < 0 ? 0 : i + n;
    if (k < 0) k = k + n < 0 ? 0 : k + n;
    if (k > n) k = n;
    if (i > k) return false;
    *from = tpl_cp_offset(s, (size_t)i);
    *to = tpl_cp_offset(s, (size_t)k);
    return true;
}

static bool affix(const tpl_str *s, size_t from, size_t to, const tpl_str *x, bool end) {
    return to - from >= x->n && memcmp(s->p + (end ? to - x->n : from), x->p, x->n) == 0;
}

static tpl_value with_affix(tpl_run *r, const tpl_str *s, const tpl_argv *a, bool end) {
    const char *what = end ? "endswith" : "startswith";
    tpl_value arg[3];
    tpl_bind(r, what, a, end ? "suffix,start,end" : "prefix,start,end", 1, arg);
    size_t from, to;
    if (!window(r, s, arg[1], arg[2], &from, &to)) return tpl_bool(false);
    if (arg[0].kind != TPL_LIST || arg[0].u.l->form != TPL_F_TUPLE)
        return tpl_bool(affix(s, from, to, tpl_want_str(r, what, arg[0]), end));
    bool hit = false;
    for (size_t i = 0; i < arg[0].u.l->n; i++)
        hit |= affix(s, from, to, tpl_want_str(r, what, arg[0].u.l->v[i]), end);
    return tpl_bool(hit);
}
METHOD(str_startswith) { return with_affix(r, self.u.s, a, false); }
METHOD(str_endswith) { return with_affix(r, self.u.s, a, true); }

METHOD(str_removeprefix) {
    tpl_value arg[1];
    tpl_bind(r, "removeprefix", a, "prefix", 1, arg);
    const tpl_str *s = self.u.s, *x = tpl_want_str(r, "removeprefix", arg[0]);
    return affix(s, 0, s->n, x, false) ? tpl_part(r, s, x->n, s->n) : self;
}
METHOD(str_removesuffix) {
    tpl_value arg[1];
    tpl_bind(r, "removesuffix", a, "suffix", 1, arg);
    const tpl_str *s = self.u.s, *x = tpl_want_str(r, "removesuffix", arg[0]);
    return affix(s, 0, s->n, x, true) ? tpl_part(r, s, 0, s->n - x->n) : self;
}
METHOD(str_replace) {
    tpl_value arg[3];
    tpl_bind(r, "replace", a, "old,new,count", 2, arg);
    int64_t count = arg[2].kind == TPL_MISSING ? -1 : tpl_want_int(r, "replace", arg[2]);
    return tpl_replace(r, self.u.s, tpl_want_str(r, "replace", arg[0]), tpl_want_str(r, "replace", arg[1]), count);
}

static tpl_value no_arguments(tpl_run *r, const char *what, const tpl_argv *a) {
    tpl_bind(r, what, a, "", 0, NULL);
    return tpl_none();
}
static tpl_value recase(tpl_run *r, const char *what, tpl_value self, const tpl_argv *a, tpl_case c) {
    no_arguments(r, what, a);
    return tpl_recase(r, self.u.s, c);
}
METHOD(str_upper) { return recase(r, "upper", self, a, TPL_UPPER); }
METHOD(str_lower) { return recase(r, "lower", self, a, TPL_LOWER); }
METHOD(str_title) { return recase(r, "title", self, a, TPL_TITLE); }
METHOD(str_capitalize) { return recase(r, "capitalize", self, a, TPL_CAPITALIZE); }

METHOD(str_find) {
    tpl_value arg[3];
    tpl_bind(r, "find", a, "sub,start,end", 1, arg);
    size_t from, to;
    const tpl_str *x = tpl_want_str(r, "find", arg[0]);
    if (!window(r, self.u.s, arg[1], arg[2], &from, &to)) return tpl_int(-1);
    tpl_str s = {self.u.s->p, NULL, to};
    size_t hit = tpl_find(r, &s, x, from);
    return tpl_int(hit == SIZE_MAX ? -1 : (int64_t)tpl_cp_count(s.p, hit));
}
METHOD(str_rfind) {
    tpl_value arg[1];
    tpl_bind(r, "rfind", a, "sub", 1, arg);
    const tpl_str *s = self.u.s, *x = tpl_want_str(r, "rfind", arg[0]);
    for (size_t i = x->n > s->n ? 0 : s->n - x->n + 1; i-- > 0;) {
        tpl_cost(r, 1);
        if (!memcmp(s->p + i, x->p, x->n)) return tpl_int((int64_t)tpl_cp_count(s->p, i));
    }
    return tpl_int(-1);
}
METHOD(str_count) {
    tpl_value arg[1];
    tpl_bind(r, "count", a, "sub", 1, arg);
    const tpl_str *s = self.u.s, *x = tpl_want_str(r, "count", arg[0]);
    int64_t n = 0;
    if (!x->n) return tpl_int((int64_t)tpl_cp_count(s->p, s->n) + 1);
    for (size_t i = 0, hit; (hit = tpl_find(r, s, x, i)) != SIZE_MAX; i = hit + x->n) n++;
    return tpl_int(n);
}
METHOD(str_join) {
    tpl_value arg[1];
    tpl_bind(r, "join", a, "iterable", 1, arg);
    return tpl_join(r, self.u.s, tpl_items(r, arg[0]), true);
}
METHOD(str_format) { return tpl_format_braces(r, self.u.s, a); }
METHOD(str_isdigit) {
    no_arguments(r, "isdigit", a);
    bool yes = self.u.s->n > 0;
    for (size_t i = 0; i < self.u.s->n; i++) yes &= self.u.s->p[i] >= '0' && self.u.s->p[i] <= '9';
    return tpl_bool(yes);
}
METHOD(str_isspace) {
    no_arguments(r, "isspace", a);
    return tpl_bool(self.u.s->n && tpl_strip(r, self.u.s, NULL, true, false).u.s->n == 0);
}
METHOD(str_partition) {
    tpl_value arg[1];
    tpl_bind(r, "partition", a, "sep", 1, arg);
    const tpl_str *s = self.u.s, *x = tpl_want_str(r, "partition", arg[0]);
    if (!x->n) tpl_error(r, "partition: found an empty separator");
    size_t hit = tpl_find(r, s, x, 0);
    if (hit == SIZE_MAX) hit = s->n;
    size_t after = hit == s->n ? s->n : hit + x->n;
    tpl_value v = tpl_list_new(r, TPL_F_TUPLE, 3);
    tpl_list_add(r, v.u.l, tpl_part(r, s, 0, hit));
    tpl_list_add(r, v.u.l, tpl_part(r, s, hit, after));
    tpl_list_add(r, v.u.l, tpl_part(r, s, after, s->n));
    return v;
}

/* ------------------------------------------------------------------ dict */

static tpl_value view(tpl_run *r, const tpl_dict *d, tpl_form form) {
    tpl_value v = tpl_list_new(r, form, d->n);
    for (size_t i = 0; i < d->n; i++)
        tpl_list_add(r, v.u.l, form == TPL_F_KEYS ? d->k[i] : form == TPL_F_VALUES ? d->v[i]
                                                                                   : tpl_pair(r, d->k[i], d->v[i]));
    return v;
}
METHOD(dict_items) { no_arguments(r, "items", a); return view(r, self.u.d, TPL_F_ITEMS); }
METHOD(dict_keys) { no_arguments(r, "keys", a); return view(r, self.u.d, TPL_F_KEYS); }
METHOD(dict_values) { no_arguments(r, "values", a); return view(r, self.u.d, TPL_F_VALUES); }

METHOD(dict_get) {
    tpl_value arg[2];
    tpl_bind(r, "get", a, "key,default", 1, arg);
    const tpl_value *v = tpl_dict_find(r, self.u.d, arg[0]);
    return v ? *v : arg[1].kind == TPL_MISSING ? tpl_none() : arg[1];
}
METHOD(dict_pop) {
    tpl_value arg[2];
    tpl_bind(r, "pop", a, "key,default", 1, arg);
    const tpl_value *v = tpl_dict_find(r, self.u.d, arg[0]);
    if (!v && arg[1].kind == TPL_MISSING) tpl_error(r, "pop: found no such key in the dictionary");
    if (!v) return arg[1];
    tpl_value out = *v;
    tpl_dict_remove(self.u.d, (size_t)(v - self.u.d->v));
    return out;
}
METHOD(dict_update) {
    for (size_t i = 0; i < a->n_pos; i++) {
        if (a->pos[i].kind != TPL_DICT) tpl_error(r, "update: found %s, expected dict", tpl_type(a->pos[i]));
        const tpl_dict *d = a->pos[i].u.d;
        for (size_t k = 0, n = d->n; k < n; k++) tpl_dict_put(r, self.u.d, d->k[k], d->v[k]);
    }
    for (size_t i = 0; i < a->n_kw; i++)
        tpl_dict_put(r, self.u.d, tpl_string(r, a->kw_names[i].ptr, NULL, a->kw_names[i].len), a->kw[i]);
    return tpl_none();
}
METHOD(dict_setdefault) {
    tpl_value arg[2];
    tpl_bind(r, "setdefault", a, "key,default", 1, arg);
    const tpl_value *v = tpl_dict_find(r, self.u.d, arg[0]);
    if (v) return *v;
    tpl_value d = arg[1].kind == TPL_MISSING ? tpl_none() : arg[1];
    tpl_dict_put(r, self.u.d, arg[0], d);
    return d;
}
METHOD(dict_copy) {
    no_arguments(r, "copy", a);
    tpl_value v = tpl_dict_new(r, self.u.d->n);
    for (size_t i = 0; i < self.u.d->n; i++) tpl_dict_append(r, v.u.d, self.u.d->k[i], self.u.d->v[i]);
    return v;
}

/* ------------------------------------------------------------------ list and loop */

METHOD(list_append) {
    tpl_value arg[1];
    tpl_bind(r, "append", a, "object", 1, arg);
    tpl_list_add(r, self.u.l, arg[0]);
    return tpl_none();
}
METHOD(list_extend) {
    tpl_value arg[1];
    tpl_bind(r, "extend", a, "iterable", 1, arg);
    const tpl_list *l = tpl_items(r, arg[0]);
    for (size_t i = 0, n = l->n; i < n; i++) tpl_list_add(r, self.u.l, l->v[i]);
    return tpl_none();
}
METHOD(list_insert) {
    tpl_value arg[2];
    tpl_bind(r, "insert", a, "index,object", 2, arg);
    tpl_list *l = self.u.l;
    int64_t n = (int64_t)l->n, i = tpl_want_int(r, "insert", arg[0]);
    i = i < 0 ? (i + n < 0 ? 0 : i + n) : i > n ? n : i;
    tpl_list_add(r, l, arg[1]);
    tpl_cost(r, l->n);
    memmove(l->v + i + 1, l->v + i, (size_t)(n - i) * sizeof *l->v);
    l->v[i] = arg[1];
    return tpl_none();
}
METHOD(list_pop) {
    tpl_value arg[1];
    tpl_bind(r, "pop", a, "index", 0, arg);
    tpl_list *l = self.u.l;
    int64_t n = (int64_t)l->n, i = arg[0].kind == TPL_MISSING ? -1 : tpl_want_int(r, "pop", arg[0]);
    if (i < 0) i += n;
    if (i < 0 || i >= n) tpl_error(r, "pop: found an index outside of the %zu items", l->n);
    tpl_value out = l->v[i];
    tpl_cost(r, l->n);
    memmove(l->v + i, l->v + i + 1, (size_t)(n - i - 1) * sizeof *l->v);
    l->n--;
    return out;
}
METHOD(list_index) {
    tpl_value arg[1];
    tpl_bind(r, "index", a, "value", 1, arg);
    for (size_t i = 0; i < self.u.l->n; i++)
        if (tpl_equal(r, self.u.l->v[i], arg[0])) return tpl_int((int64_t)i);
    tpl_error(r, "index: found no such value in the %s", tpl_type(self));
}
METHOD(list_count) {
    tpl_value arg[1];
    tpl_bind(r, "count", a, "value", 1, arg);
    int64_t n = 0;
    for (size_t i = 0; i < self.u.l->n; i++) n += tpl_equal(r, self.u.l->v[i], arg[0]);
    return tpl_int(n);
}
METHOD(loop_cycle) {
    if (!a->n_pos) tpl_error(r, "cycle: found no argument");
    return a->pos[self.u.loop->i % a->n_pos];
}

/* ------------------------------------------------------------------ tables */

typedef struct {
    const char *name;
    tpl_value (*fn)(tpl_run *r, tpl_value self, const tpl_argv *a);
} method_row;

static const method_row str_methods[] = {
    {"split", str_split}, {"rsplit", str_rsplit}, {"strip", str_strip}, {"lstrip", str_lstrip},
    {"rstrip", str_rstrip}, {"splitlines", str_splitlines}, {"startswith", str_startswith},
    {"endswith", str_endswith}, {"removeprefix", str_removeprefix}, {"removesuffix", str_removesuffix},
    {"replace", str_replace}, {"upper", str_upper}, {"lower", str_lower}, {"title", str_title},
    {"capitalize", str_capitalize}, {"find", str_find}, {"rfind", str_rfind}, {"count", str_count},
    {"join", str_join}, {"format", str_format}, {"isdigit", str_isdigit}, {"isspace", str_isspace},
    {"partition", str_partition}, {"casefold", NULL}, {"center", NULL}, {"encode", NULL}, {"expandtabs", NULL},
    {"format_map", NULL}, {"index", NULL}, {"isalnum", NULL}, {"isalpha", NULL}, {"isascii", NULL},
    {"isdecimal", NULL}, {"isidentifier", NULL}, {"islower", NULL}, {"isnumeric", NULL}, {"isprintable", NULL},
    {"istitle", NULL}, {"isupper", NULL}, {"ljust", NULL}, {"maketrans", NULL}, {"rindex", NULL}, {"rjust", NULL},
    {"rpartition", NULL}, {"swapcase", NULL}, {"translate", NULL}, {"zfill", NULL}, {NULL, NULL},
};
static const method_row dict_methods[] = {
    {"items", dict_items}, {"keys", dict_keys}, {"values", dict_values}, {"get", dict_get}, {"pop", dict_pop},
    {"update", dict_update}, {"setdefault", dict_setdefault}, {"copy", dict_copy}, {"clear", NULL},
    {"fromkeys", NULL}, {"popitem", NULL}, {NULL, NULL},
};
static const method_row list_methods[] = {
    {"append", list_append}, {"extend", list_extend}, {"insert", list_insert}, {"pop", list_pop},
    {"index", list_index}, {"count", list_count}, {"clear", NULL}, {"copy", NULL}, {"remove", NULL},
    {"reverse", NULL}, {"sort", NULL}, {NULL, NULL},
};
static const method_row tuple_methods[] = {{"index", list_index}, {"count", list_count}, {NULL, NULL}};
static const method_row loop_methods[] = {{"cycle", loop_cycle}, {"changed", NULL}, {NULL, NULL}};

bool tpl_method_find(tpl_run *r, tpl_value v, slx_str name, tpl_value *out) {
    const method_row *row = NULL;
    if (v.kind == TPL_STR) row = str_methods;
    else if (v.kind == TPL_DICT) row = dict_methods;
    else if (v.kind == TPL_LOOP) row = loop_methods;
    else if (v.kind == TPL_LIST && v.u.l->form == TPL_F_LIST) row = list_methods;
    else if (v.kind == TPL_LIST && (v.u.l->form == TPL_F_TUPLE || v.u.l->form == TPL_F_RANGE)) row = tuple_methods;
    for (; row && row->name; row++)
        if (slx_str_is(name, row->name)) {
            tpl_method *m = tpl_alloc(r, sizeof *m);
            *m = (tpl_method){v, row->name, row->fn};
            *out = (tpl_value){.kind = TPL_METHOD, .u.method = m};
            return true;
        }
    return false;
}

/* ------------------------------------------------------------------ functions */

static tpl_value fn_range(tpl_run *r, const tpl_argv *a) {
    tpl_value arg[3];
    tpl_bind(r, "range", a, "start,stop,step", 1, arg);
    int64_t v[3] = {0, 0, 1};
    for (int k = 0; k < 3; k++)
        if (arg[k].kind != TPL_MISSING) v[k] = tpl_want_int(r, "range", arg[k]);
    if (arg[1].kind == TPL_MISSING) {
        v[1] = v[0];
        v[0] = 0;
    }
    if (!v[2]) tpl_error(r, "range: found step 0");
    tpl_value out = tpl_list_new(r, TPL_F_RANGE, 0);
    out.u.l->start = v[0];
    out.u.l->stop = v[1];
    out.u.l->step = v[2];
    for (int64_t i = v[0]; v[2] > 0 ? i < v[1] : i > v[1];) {
        if (out.u.l->n == TPL_MAX_RANGE) tpl_error(r, "range: found more than %d numbers", TPL_MAX_RANGE);
        tpl_list_add(r, out.u.l, tpl_int(i));
        if (__builtin_add_overflow(i, v[2], &i)) break;
    }
    return out;
}

static tpl_value dict_of(tpl_run *r, const char *what, const tpl_argv *a) {
    if (a->n_pos > 1) tpl_error(r, "%s: found %zu arguments, expected at most 1", what, a->n_pos);
    tpl_value v = tpl_dict_new(r, a->n_kw);
    dict_update(r, v, a);
    return v;
}

static tpl_value fn_dict(tpl_run *r, const tpl_argv *a) { return dict_of(r, "dict", a); }

static tpl_value fn_namespace(tpl_run *r, const tpl_argv *a) {
    tpl_value v = dict_of(r, "namespace", a);
    v.kind = TPL_NAMESPACE;
    return v;
}

static tpl_value fn_raise_exception(tpl_run *r, const tpl_argv *a) {
    tpl_value arg[1];
    tpl_bind(r, "raise_exception", a, "message", 1, arg);
    const tpl_str *s = tpl_to_str(r, arg[0]);
    tpl_error(r, "the template says: %.*s", (int)(s->n < 600 ? s->n : 600), s->p);
}

static void now(tpl_run *r, struct tm *tm) {
    *tm = (struct tm){0};
    if (!r->now_iso) {
        time_t t = time(NULL);
        localtime_r(&t, tm);
        return;
    }
    int n = sscanf(r->now_iso, "%4d-%2d-%2d%*1[T ]%2d:%2d:%2d", &tm->tm_year, &tm->tm_mon, &tm->tm_mday, &tm->tm_hour,
                   &tm->tm_min, &tm->tm_sec);
    if (n < 3) tpl_error(r, "strftime_now: found the time '%.40s', expected YYYY-MM-DD HH:MM:SS", r->now_iso);
    tm->tm_year -= 1900;
    tm->tm_mon--;
    timegm(tm); /* the day of the week and of the year */
}

static tpl_value fn_strftime_now(tpl_run *r, const tpl_argv *a) {
    tpl_value arg[1];
    tpl_bind(r, "strftime_now", a, "format", 1, arg);
    const tpl_str *f = tpl_want_str(r, "strftime_now", arg[0]);
    struct tm tm;
    now(r, &tm);
    tpl_sink s;
    tpl_sink_init(r, &s, 64);
    for (size_t i = 0; i < f->n; i++) {
        if (f->p[i] != '%' || i + 1 == f->n) {
            tpl_put_part(r, &s, f, i, i + 1);
            continue;
        }
        bool minus = f->p[i + 1] == '-' && i + 2 < f->n;
        char c = f->p[i + 1 + minus], fmt[4] = {'%', '-', c, 0}, b[80];
        if (!minus) memcpy(fmt, (char[]){'%', c, 0}, 3);
        i += 1u + minus;
        if (c == '%') tpl_puts(r, &s, "%");
        else if (c == 'f') tpl_puts(r, &s, "000000");
        else if (c == 'z' || c == 'Z') continue; /* a time without zone */
        else if (!c || !strchr("aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyY", c))
            tpl_error(r, "strftime_now: found %%%c, which is not supported", c >= ' ' && c <= '~' ? c : '?');
        else if (strftime(b, sizeof b, fmt, &tm)) tpl_puts(r, &s, b);
    }
    return tpl_sink_value(r, &s);
}

const struct tpl_function *tpl_function_find(slx_str name) {
    static const struct tpl_function rows[] = {
        {"range", fn_range}, {"dict", fn_dict}, {"namespace", fn_namespace},
        {"raise_exception", fn_raise_exception}, {"strftime_now", fn_strftime_now},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (slx_str_is(name, rows[i].name)) return &rows[i];
    return NULL;
}
