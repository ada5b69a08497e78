/* asm_text.c - characters of assembly text to words, numbers and expressions. See asm_int.h. */
#include "isa/asm_int.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}
static char at_or_nul(const slx_asm_state *s)
{
    return s->at < s->end ? *s->at : 0;
}

/* ------------------------------------------------------------------ errors */

slx_status slx_asm_fail(slx_asm_state *s, const char *at, const char *fmt, ...)
{
    char msg[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    slx_status st =
        slx_fail(s->err, SLX_EINPUT, s->name, s->line_no, (int)(at - s->line) + 1, "%s", msg);
    if (!s->err) return st;
    size_t n = 0, most = sizeof s->err->source - 1;
    while (n < most && s->line + n < s->end && s->line[n] != '\n') n++;
    memcpy(s->err->source, s->line, n);
    s->err->source[n] = 0;
    return st;
}

slx_str slx_asm_found(slx_asm_state *s, const char *at)
{
    static const char nothing[] = "the end of the line";
    size_t n = 0;
    while (at + n < s->end && is_word(at[n]) && n < 40) n++;
    if (!n && at < s->end && *at != '\n' && *at != '#') n = 1;
    return n ? (slx_str){at, n} : slx_str_c(nothing);
}

/* ------------------------------------------------------------------ words */

void slx_asm_blanks(slx_asm_state *s)
{
    while (s->at < s->end && is_blank(*s->at)) s->at++;
    if (at_or_nul(s) == '#')
        while (s->at < s->end && *s->at != '\n') s->at++;
}

bool slx_asm_line_over(slx_asm_state *s)
{
    slx_asm_blanks(s);
    return s->at == s->end || *s->at == '\n';
}

bool slx_asm_take(slx_asm_state *s, char c)
{
    slx_asm_blanks(s);
    if (s->at == s->end || *s->at != c) return false;
    s->at++;
    return true;
}

slx_status slx_asm_expect(slx_asm_state *s, char c, const char *where)
{
    if (slx_asm_take(s, c)) return SLX_OK;
    slx_str f = slx_asm_found(s, s->at);
    return slx_asm_fail(s, s->at, "found %.*s, expected '%c' %s", (int)f.len, f.ptr, c, where);
}

slx_str slx_asm_word(slx_asm_state *s)
{
    slx_asm_blanks(s);
    const char *from = s->at;
    if (is_digit(at_or_nul(s))) return (slx_str){from, 0};
    while (s->at < s->end && is_word(*s->at)) s->at++;
    return (slx_str){from, (size_t)(s->at - from)};
}

bool slx_asm_is_register(slx_str w, unsigned *r)
{
    if (w.len < 2 || w.len > 3 || w.ptr[0] != 'r' || !is_digit(w.ptr[1])) return false;
    unsigned v = (unsigned)(w.ptr[1] - '0');
    if (w.len == 3) {
        if (!is_digit(w.ptr[2]) || !v) return false;
        v = v * 10 + (unsigned)(w.ptr[2] - '0');
    }
    *r = v;
    return v < SLX_N_REGS;
}

/* ------------------------------------------------------------------ symbols */

const slx_asm_symbol *slx_asm_symbol_find(const slx_asm_state *s, slx_str name)
{
    const slx_asm_symbol *sym = (const slx_asm_symbol *)(const void *)s->symbols.ptr;
    for (size_t i = s->symbols.len / sizeof *sym; i-- > 0;)
        if (slx_str_eq(sym[i].name, name)) return &sym[i];
    return NULL;
}

slx_status slx_asm_define(slx_asm_state *s, slx_str name, uint64_t value, const char *at)
{
    unsigned r;
    if (slx_asm_is_register(name, &r))
        return slx_asm_fail(s, at, "found the register %.*s, expected a new name", (int)name.len,
                            name.ptr);
    if (slx_asm_symbol_find(s, name))
        return slx_asm_fail(s, at, "%.*s is defined already, expected a new name", (int)name.len,
                            name.ptr);
    slx_asm_symbol sym = {.name = name, .value = value};
    slx_buf_add(&s->symbols, &sym, sizeof sym);
    return SLX_OK;
}

/* ------------------------------------------------------------------ numbers */

static slx_status number(slx_asm_state *s, uint64_t *out)
{
    const char *from = s->at;
    unsigned base = 10;
    if (s->end - s->at > 2 && s->at[0] == '0' && (s->at[1] | 32) == 'x') {
        base = 16;
        s->at += 2;
    }
    const char *digits = s->at;
    uint64_t v = 0;
    for (; s->at < s->end; s->at++) {
        char c = *s->at, low = (char)(c | 32);
        unsigned d = is_digit(c)                ? (unsigned)(c - '0')
                     : low >= 'a' && low <= 'f' ? (unsigned)(low - 'a' + 10)
                                                : 99;
        if (d >= base) break;
        if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
            return slx_asm_fail(s, from, "found a number above 2^64-1, expected a smaller one");
    }
    if (s->at == digits || (s->at < s->end && is_word(*s->at))) {
        slx_str f = slx_asm_found(s, from);
        return slx_asm_fail(s, from, "found %.*s, expected a number", (int)f.len, f.ptr);
    }
    *out = v;
    return SLX_OK;
}

static slx_status sum(slx_asm_state *s, int depth, uint64_t *out);

static slx_status primary(slx_asm_state *s, int depth, uint64_t *out)
{
    enum { DEEPEST = 32 };
    slx_asm_blanks(s);
    const char *from = s->at;
    if (is_digit(at_or_nul(s))) return number(s, out);
    if (depth > DEEPEST)
        return slx_asm_fail(s, from, "found an expression nested deeper than %d", DEEPEST);
    if (slx_asm_take(s, '(')) {
        SLX_TRY(sum(s, depth + 1, out));
        return slx_asm_expect(s, ')', "after the expression");
    }
    if (slx_asm_take(s, '-')) {
        SLX_TRY(primary(s, depth + 1, out));
        *out = 0 - *out;
        return SLX_OK;
    }
    slx_str w = slx_asm_word(s);
    const slx_asm_symbol *sym = w.len ? slx_asm_symbol_find(s, w) : NULL;
    if (sym) {
        *out = sym->value;
        return SLX_OK;
    }
    slx_str f = slx_asm_found(s, from);
    return slx_asm_fail(s, from, "found %.*s, expected a number or a name of .equ", (int)f.len,
                        f.ptr);
}

static slx_status product(slx_asm_state *s, int depth, uint64_t *out)
{
    SLX_TRY(primary(s, depth, out));
    while (slx_asm_take(s, '*')) {
        uint64_t v;
        SLX_TRY(primary(s, depth, &v));
        *out *= v;
    }
    return SLX_OK;
}

static slx_status sum(slx_asm_state *s, int depth, uint64_t *out)
{
    SLX_TRY(product(s, depth, out));
    for (;;) {
        bool plus = slx_asm_take(s, '+');
        if (!plus && !slx_asm_take(s, '-')) return SLX_OK;
        uint64_t v;
        SLX_TRY(product(s, depth, &v));
        *out = plus ? *out + v : *out - v;
    }
}

slx_status slx_asm_expr(slx_asm_state *s, uint64_t *out)
{
    return sum(s, 0, out);
}

slx_status slx_asm_u32(slx_asm_state *s, uint64_t most, const char *what, uint32_t *out)
{
    slx_asm_blanks(s);
    const char *from = s->at;
    uint64_t v;
    SLX_TRY(slx_asm_expr(s, &v));
    if (v > most)
        return slx_asm_fail(s, from, "%s is %lld, expected 0..%llu", what, (long long)v,
                            (unsigned long long)most);
    *out = (uint32_t)v;
    return SLX_OK;
}

slx_status slx_asm_f32(slx_asm_state *s, uint32_t *bits)
{
    slx_asm_blanks(s);
    const char *from = s->at;
    if (s->end - s->at > 1 && s->at[0] == '0' && (s->at[1] | 32) == 'x')
        return slx_asm_u32(s, UINT32_MAX, "the bits of an fp32", bits);
    if (is_word(at_or_nul(s)) && !is_digit(at_or_nul(s))) /* a name holds bits */
        return slx_asm_u32(s, UINT32_MAX, "the bits of an fp32", bits);
    char text[64];
    size_t n = 0;
    while (s->at + n < s->end && n < sizeof text - 1) {
        char c = from[n], before = n ? (char)(from[n - 1] | 32) : 'e';
        if (!is_digit(c) && c != '.' && (c | 32) != 'e' &&
            !((c == '-' || c == '+') && before == 'e'))
            break;
        text[n++] = c;
    }
    text[n] = 0;
    char *stop;
    float x = strtof(text, &stop);
    if (!n || *stop || !isfinite(x)) {
        slx_str f = slx_asm_found(s, from);
        return slx_asm_fail(
            s, from,
            "found %.*s, expected a finite fp32 such as 1e-05, or its bits such as 0x3727c5ac",
            (int)(n ? n : f.len), n ? from : f.ptr);
    }
    s->at += n;
    memcpy(bits, &x, 4);
    return SLX_OK;
}

slx_status slx_asm_value(slx_asm_state *s, const char *what, uint32_t *w)
{
    slx_asm_blanks(s);
    const char *from = s->at;
    unsigned r;
    slx_str reg = slx_asm_word(s);
    if (!slx_asm_is_register(reg, &r)) {
        s->at = from;
        uint64_t v;
        SLX_TRY(slx_asm_expr(s, &v));
        if (v >> 31)
            return slx_asm_fail(s, from,
                                "%s is %lld, expected an immediate of 0..0x7fffffff, or a register",
                                what, (long long)v);
        *w = (uint32_t)v;
        return SLX_OK;
    }
    uint64_t add = 0;
    slx_asm_blanks(s);
    if (at_or_nul(s) == '+' || at_or_nul(s) == '-') {
        if (at_or_nul(s) == '+') s->at++;
        SLX_TRY(slx_asm_expr(s, &add));
    }
    int64_t v = (int64_t)add;
    if (v < -(1 << 25) || v >= 1 << 25)
        return slx_asm_fail(s, from, "%s adds %lld to a register, expected -0x2000000..0x1ffffff",
                            what, (long long)v);
    *w = slx_opnd_reg(r, v);
    return SLX_OK;
}
