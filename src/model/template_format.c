/* template_format.c - the two ways of Python to format: "%s of %d" % (a, b) and "{} of {n:.2f}".format(a, n=b). */
#include "model/template_int.h"

#include <math.h>
#include <string.h>

#define MAX_WIDTH 10000

typedef struct {
    bool left, center, zero, plus, blank;
    uint32_t fill;
    int width, precision; /* precision -1: not given */
    char type;
} spec;

static int number(const tpl_str *f, size_t *i) {
    int v = 0;
    while (*i < f->n && f->p[*i] >= '0' && f->p[*i] <= '9') {
        v = v * 10 + (f->p[*i] - '0');
        if (v > MAX_WIDTH) v = MAX_WIDTH;
        ++*i;
    }
    return v;
}

/* Writes text with its fill. sign_first: zeros go between the sign and the digits. */
static void pad(tpl_run *r, tpl_sink *out, const spec *p, const tpl_str *t, bool sign_first) {
    int n = (int)tpl_cp_count(t->p, t->n), more = p->width > n ? p->width - n : 0;
    int before = p->left ? 0 : p->center ? more / 2 : more;
    size_t from = 0;
    if (sign_first && t->n && (t->p[0] == '-' || t->p[0] == '+' || t->p[0] == ' ')) {
        tpl_put_part(r, out, t, 0, 1);
        from = 1;
    }
    for (int i = 0; i < before; i++) tpl_put_cp(r, out, p->fill, false);
    tpl_put_part(r, out, t, from, t->n);
    for (int i = before; i < more; i++) tpl_put_cp(r, out, p->fill, false);
}

static void put_number(tpl_run *r, tpl_sink *out, const spec *p, tpl_value v) {
    char b[512], fmt[16];
    int precision = p->precision < 0 ? 6 : p->precision > 100 ? 100 : p->precision;
    char sign[2] = {p->plus ? '+' : p->blank ? ' ' : 0, 0};
    if (strchr("dixXo", p->type)) {
        int64_t i;
        if (!tpl_as_int(v, &i)) {
            if (v.kind != TPL_FLOAT || !(fabs(v.u.f) < 9e18))
                tpl_error(r, "format: found %s for '%c', expected a number", tpl_type(v), p->type);
            i = (int64_t)v.u.f;
        }
        bool neg = i < 0 && p->type != 'd' && p->type != 'i';
        snprintf(fmt, sizeof fmt, "%%%s%s%s%c", neg ? "" : sign, neg ? "-" : "", "ll", p->type);
        if (neg) snprintf(fmt, sizeof fmt, "-%%ll%c", p->type);
        snprintf(b, sizeof b, fmt, neg ? -(long long)i : (long long)i);
    } else {
        if (!tpl_is_number(v)) tpl_error(r, "format: found %s for '%c', expected a number", tpl_type(v), p->type);
        double f = tpl_as_float(v);
        if (p->type == '%') f *= 100;
        snprintf(fmt, sizeof fmt, "%%%s.*%c", sign, p->type == '%' ? 'f' : p->type);
        snprintf(b, sizeof b, fmt, precision, f);
        if (p->type == '%') strcat(b, "%");
    }
    tpl_str t = {b, NULL, strlen(b)};
    pad(r, out, p, &t, p->zero);
}

static void put_text(tpl_run *r, tpl_sink *out, const spec *p, const tpl_str *t) {
    tpl_str cut = *t;
    if (p->precision >= 0) cut.n = tpl_cp_offset(t, (size_t)p->precision);
    pad(r, out, p, &cut, false);
}

static const tpl_str *repr_of(tpl_run *r, tpl_value v) {
    tpl_sink s;
    tpl_sink_init(r, &s, 32);
    tpl_repr(r, &s, v);
    return tpl_sink_value(r, &s).u.s;
}

tpl_value tpl_format_percent(tpl_run *r, const tpl_str *f, tpl_value args) {
    bool tuple = args.kind == TPL_LIST && args.u.l->form == TPL_F_TUPLE;
    size_t n = tuple ? args.u.l->n : 1, used = 0;
    tpl_sink out;
    tpl_sink_init(r, &out, f->n + 32);
    for (size_t i = 0; i < f->n;) {
        if (f->p[i] != '%') {
            size_t from = i;
            while (i < f->n && f->p[i] != '%') i++;
            tpl_put_part(r, &out, f, from, i);
            continue;
        }
        spec p = {.fill = ' ', .precision = -1};
        tpl_value v = {.kind = TPL_MISSING};
        if (++i < f->n && f->p[i] == '(') {
            size_t from = ++i;
            while (i < f->n && f->p[i] != ')') i++;
            if (args.kind != TPL_DICT) tpl_error(r, "format: found %%(name) and %s, expected dict", tpl_type(args));
            const tpl_value *got = tpl_dict_find_c(r, args.u.d, (slx_str){f->p + from, i - from});
            if (!got) tpl_error(r, "format: found a %%(name) that the dictionary does not have");
            v = *got;
            used = n;
            i += i < f->n;
        }
        for (; i < f->n && f->p[i] && strchr("-0+ #", f->p[i]); i++) {
            p.left |= f->p[i] == '-';
            p.zero |= f->p[i] == '0';
            p.plus |= f->p[i] == '+';
            p.blank |= f->p[i] == ' ';
        }
        p.width = number(f, &i);
        if (i < f->n && f->p[i] == '.') {
            i++;
            p.precision = number(f, &i);
        }
        if (i >= f->n) tpl_error(r, "format: found a text that ends inside of a %% conversion");
        p.type = f->p[i++];
        if (p.type == '%') {
            tpl_puts(r, &out, "%");
            continue;
        }
        if (!p.type || !strchr("srdixXoeEfFgGu", p.type))
            tpl_error(r, "format: found a conversion that is not supported");
        if (p.type == 'u') p.type = 'd';
        if (v.kind == TPL_MISSING) {
            if (used == n) tpl_error(r, "format: found too few values for the text");
            v = tuple ? args.u.l->v[used] : args;
            used++;
        }
        if (p.type == 's' || p.type == 'r') {
            put_text(r, &out, &p, p.type == 's' ? tpl_to_str(r, v) : repr_of(r, v));
            continue;
        }
        p.zero &= !p.left;
        if (p.zero) p.fill = '0';
        put_number(r, &out, &p, v);
    }
    /* Python minds values left over only of a tuple, a string or a number */
    bool container = args.kind == TPL_DICT || args.kind == TPL_UNDEFINED || (args.kind == TPL_LIST && !tuple);
    if (used < n && !container) tpl_error(r, "format: found more values than the text takes");
    return tpl_sink_value(r, &out);
}

/* ------------------------------------------------------------------ braces */

static bool align_of(char c, spec *p) {
    if (c != '<' && c != '>' && c != '^') return false;
    p->left = c == '<';
    p->center = c == '^';
    return true;
}

static void put_field(tpl_run *r, tpl_sink *out, const tpl_str *f, size_t i, size_t end, tpl_value v) {
    spec p = {.fill = ' ', .precision = -1};
    bool aligned = false;
    uint32_t cp = 0;
    if (i < end) {
        size_t k = tpl_char(f->p + i, end - i, &cp);
        if (i + k < end && align_of(f->p[i + k], &p)) {
            p.fill = cp;
            aligned = true;
            i += k + 1;
        } else if (align_of(f->p[i], &p)) {
            aligned = true;
            i++;
        }
    }
    if (i < end && (f->p[i] == '+' || f->p[i] == '-' || f->p[i] == ' ')) {
        p.plus = f->p[i] == '+';
        p.blank = f->p[i++] == ' ';
    }
    tpl_str cut = {f->p, NULL, end};
    if (i < end && f->p[i] == '0') {
        p.zero = !aligned;
        if (!aligned) p.fill = '0';
        i++;
    }
    p.width = number(&cut, &i);
    if (i < end && f->p[i] == '.') {
        i++;
        p.precision = number(&cut, &i);
    }
    if (i < end) p.type = f->p[i++];
    if (i < end || (p.type && !strchr("sdxXoeEfFgG%", p.type)))
        tpl_error(r, "format: found a format specification that is not supported");
    bool text = v.kind == TPL_STR || p.type == 's' || !tpl_is_number(v);
    if (text || (!p.type && (v.kind == TPL_BOOL || p.precision < 0))) {
        if (!text && !aligned) p.left = false;
        else if (!aligned) p.left = true;
        if (text && p.type && p.type != 's') tpl_error(r, "format: found %s for '%c'", tpl_type(v), p.type);
        pad(r, out, &p, text && p.precision >= 0 ? tpl_part(r, tpl_to_str(r, v), 0,
            tpl_cp_offset(tpl_to_str(r, v), (size_t)p.precision)).u.s : tpl_to_str(r, v), !text && p.zero);
        return;
    }
    if (!p.type) p.type = 'g';
    if (strchr("dxXo", p.type) && v.kind == TPL_FLOAT) tpl_error(r, "format: found float for '%c'", p.type);
    put_number(r, out, &p, v);
}

/* The value a field names: {}, {0}, {name}, then .attribute and [item]. */
static tpl_value field_value(tpl_run *r, const tpl_str *f, size_t i, size_t end, size_t *next_auto, const tpl_argv *a) {
    size_t from = i;
    while (i < end && f->p[i] != '.' && f->p[i] != '[') i++;
    tpl_value v = {.kind = TPL_MISSING};
    if (i == from) {
        if (*next_auto < a->n_pos) v = a->pos[*next_auto];
        ++*next_auto;
    } else if (f->p[from] >= '0' && f->p[from] <= '9') {
        size_t k = from;
        int index = number(f, &k);
        if (k == i && (size_t)index < a->n_pos) v = a->pos[index];
    } else {
        for (size_t k = 0; k < a->n_kw; k++)
            if (slx_str_eq(a->kw_names[k], (slx_str){f->p + from, i - from})) v = a->kw[k];
    }
    if (v.kind == TPL_MISSING) tpl_error(r, "format: found a field without a value for it");
    while (i < end) {
        bool item = f->p[i++] == '[';
        from = i;
        while (i < end && (item ? f->p[i] != ']' : f->p[i] != '.' && f->p[i] != '[')) i++;
        size_t k = from;
        int index = number(f, &k);
        if (!item) v = tpl_attr(r, v, (slx_str){f->p + from, i - from});
        else v = tpl_item(r, v, k == i && k > from ? tpl_int(index) : tpl_part(r, f, from, i));
        if (item) i += i < end;
    }
    return v;
}

tpl_value tpl_format_braces(tpl_run *r, const tpl_str *f, const tpl_argv *a) {
    tpl_sink out;
    tpl_sink_init(r, &out, f->n + 32);
    size_t next_auto = 0;
    for (size_t i = 0; i < f->n;) {
        char c = f->p[i];
        if (c != '{' && c != '}') {
            size_t from = i;
            while (i < f->n && f->p[i] != '{' && f->p[i] != '}') i++;
            tpl_put_part(r, &out, f, from, i);
            continue;
        }
        if (i + 1 < f->n && f->p[i + 1] == c) {
            tpl_put_part(r, &out, f, i, i + 1);
            i += 2;
            continue;
        }
        if (c == '}') tpl_error(r, "format: found a single '}'");
        size_t from = ++i, end;
        while (i < f->n && f->p[i] != '}' && f->p[i] != '{') i++;
        if (i >= f->n || f->p[i] == '{') tpl_error(r, "format: found '{' without '}', or one inside of a field");
        end = i++;
        size_t name_end = from;
        while (name_end < end && f->p[name_end] != ':' && f->p[name_end] != '!') name_end++;
        tpl_value v = field_value(r, f, from, name_end, &next_auto, a);
        size_t at = name_end;
        if (at < end && f->p[at] == '!') {
            if (at + 1 >= end || (f->p[at + 1] != 's' && f->p[at + 1] != 'r'))
                tpl_error(r, "format: found a conversion other than !s and !r");
            const tpl_str *t = f->p[at + 1] == 's' ? tpl_to_str(r, v) : repr_of(r, v);
            v = (tpl_value){.kind = TPL_STR, .u.s = t};
            at += 2;
        }
        if (at < end && f->p[at] != ':') tpl_error(r, "format: found no ':' after the field's name");
        put_field(r, &out, f, at < end ? at + 1 : end, end, v);
    }
    return tpl_sink_value(r, &out);
}
