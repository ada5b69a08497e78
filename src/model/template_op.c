/* template_op.c - operators on values of a template, as Python has them: + - * / // % **, comparisons, in. */
#include "model/template_int.h"

#include <math.h>

static _Noreturn void operands(tpl_run *r, const char *op, tpl_value a, tpl_value b) {
    if (a.kind == TPL_UNDEFINED) tpl_undefined_error(r, a);
    if (b.kind == TPL_UNDEFINED) tpl_undefined_error(r, b);
    tpl_error(r, "found %s %s %s, which Python does not define", tpl_type(a), op, tpl_type(b));
}

static tpl_value concat_lists(tpl_run *r, const tpl_list *a, const tpl_list *b) {
    tpl_value v = tpl_list_new(r, a->form, a->n + b->n);
    for (size_t i = 0; i < a->n; i++) tpl_list_add(r, v.u.l, a->v[i]);
    for (size_t i = 0; i < b->n; i++) tpl_list_add(r, v.u.l, b->v[i]);
    return v;
}

static tpl_value concat_strings(tpl_run *r, const tpl_str *a, const tpl_str *b) {
    tpl_sink s;
    tpl_sink_init(r, &s, a->n + b->n);
    tpl_put_str(r, &s, a);
    tpl_put_str(r, &s, b);
    return tpl_sink_value(r, &s);
}

static tpl_value repeat(tpl_run *r, tpl_value v, int64_t n) {
    if (v.kind == TPL_STR) return tpl_repeat(r, v.u.s, n);
    tpl_value out = tpl_list_new(r, v.u.l->form, 0);
    const tpl_list *l = v.u.l;
    if (l->n)
        while (n-- > 0)
            for (size_t i = 0; i < l->n; i++) tpl_list_add(r, out.u.l, l->v[i]);
    return out;
}

static tpl_value power(tpl_run *r, tpl_value a, tpl_value b) {
    int64_t x, y, v = 1;
    if (tpl_as_int(a, &x) && tpl_as_int(b, &y) && y >= 0) {
        if (x == 0 || x == 1 || x == -1) return tpl_int(y == 0 ? 1 : x == -1 && y % 2 == 0 ? 1 : x);
        for (; y > 0; y--)
            if (__builtin_mul_overflow(v, x, &v)) tpl_error(r, "found an integer of more than 64 bits");
        return tpl_int(v);
    }
    double base = tpl_as_float(a), e = tpl_as_float(b);
    if (base == 0 && e < 0) tpl_error(r, "found 0 to a negative power");
    double f = pow(base, e);
    if ((isinf(f) && !isinf(base) && !isinf(e)) || (isnan(f) && !isnan(base) && !isnan(e)))
        tpl_error(r, "found a power that is not a finite number");
    return tpl_float(f);
}

static tpl_value divide(tpl_run *r, int op, tpl_value a, tpl_value b) {
    int64_t x, y;
    if (tpl_as_float(b) == 0) tpl_error(r, "found a division by zero");
    if (op != '/' && tpl_as_int(a, &x) && tpl_as_int(b, &y)) {
        if (y == -1) { /* INT64_MIN has no negative */
            if (op == '%') return tpl_int(0);
            if (__builtin_sub_overflow((int64_t)0, x, &x)) tpl_error(r, "found an integer of more than 64 bits");
            return tpl_int(x);
        }
        int64_t q = x / y, m = x % y;
        if (m && (m < 0) != (y < 0)) {
            q--;
            m += y;
        }
        return tpl_int(op == '%' ? m : q);
    }
    double f = tpl_as_float(a), g = tpl_as_float(b);
    if (op == '/') return tpl_float(f / g);
    double m = fmod(f, g);
    double q = (f - m) / g;
    if (m != 0 && (m < 0) != (g < 0)) {
        m += g;
        q -= 1;
    } else if (m == 0) {
        m = copysign(0, g);
    }
    if (op == '%') return tpl_float(m);
    double fl = floor(q);
    return tpl_float(q == 0 ? copysign(0, f / g) : q - fl > 0.5 ? fl + 1 : fl);
}

tpl_value tpl_arithmetic(tpl_run *r, int op, tpl_value a, tpl_value b) {
    static const char *const names[] = {"**", "//"};
    char one[2] = {(char)op, 0};
    const char *name = op == TPL_POW ? names[0] : op == TPL_FLOORDIV ? names[1] : one;
    int64_t x, y, z;
    if (op == '+' && a.kind == TPL_STR && b.kind == TPL_STR) return concat_strings(r, a.u.s, b.u.s);
    if (op == '+' && a.kind == TPL_LIST && b.kind == TPL_LIST && a.u.l->form == b.u.l->form &&
        a.u.l->form <= TPL_F_TUPLE)
        return concat_lists(r, a.u.l, b.u.l);
    if (op == '%' && a.kind == TPL_STR) return tpl_format_percent(r, a.u.s, b);
    if (op == '*') {
        bool seq_a = a.kind == TPL_STR || (a.kind == TPL_LIST && a.u.l->form <= TPL_F_TUPLE);
        bool seq_b = b.kind == TPL_STR || (b.kind == TPL_LIST && b.u.l->form <= TPL_F_TUPLE);
        if (seq_a && tpl_as_int(b, &y)) return repeat(r, a, y);
        if (seq_b && tpl_as_int(a, &x)) return repeat(r, b, x);
    }
    if (!tpl_is_number(a) || !tpl_is_number(b)) operands(r, name, a, b);
    if (op == TPL_POW) return power(r, a, b);
    if (op == '/' || op == '%' || op == TPL_FLOORDIV) return divide(r, op, a, b);
    if (tpl_as_int(a, &x) && tpl_as_int(b, &y)) {
        bool over = op == '+' ? __builtin_add_overflow(x, y, &z)
                  : op == '-' ? __builtin_sub_overflow(x, y, &z)
                              : __builtin_mul_overflow(x, y, &z);
        if (over) tpl_error(r, "found an integer of more than 64 bits");
        return tpl_int(z);
    }
    double f = tpl_as_float(a), g = tpl_as_float(b);
    return tpl_float(op == '+' ? f + g : op == '-' ? f - g : f * g);
}

bool tpl_compare(tpl_run *r, int op, tpl_value a, tpl_value b) {
    switch (op) {
    case TPL_EQ: return tpl_equal(r, a, b);
    case TPL_NE: return !tpl_equal(r, a, b);
    case TPL_IN: return tpl_contains(r, b, a);
    case TPL_NOT_IN: return !tpl_contains(r, b, a);
    default: break;
    }
    if (tpl_is_number(a) && tpl_is_number(b) && (isnan(tpl_as_float(a)) || isnan(tpl_as_float(b)))) return false;
    int c = tpl_order(r, a, b);
    return op == '<' ? c < 0 : op == '>' ? c > 0 : op == TPL_LE ? c <= 0 : c >= 0;
}
