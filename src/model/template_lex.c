/* template_lex.c - text of a chat template to tokens.
 *
 *   data {%- if x -%} data {{ y }} data {# comment #} data {% raw %} {{ as is }} {% endraw %}
 *
 * Whitespace follows Jinja with trim_blocks and lstrip_blocks: the first newline after a block or comment goes, blanks
 * from the line's beginning to a block or comment go; '-' takes all whitespace on its side, '+' keeps what the two
 * options would take. Inside brackets the ends of a tag are ordinary characters: {{ {'a': {}} }} ends where it should.
 */
#include "model/template_int.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    tpl_parse *p;
    const char *s;
    size_t n, i;
    bool line_start; /* the last tag ended with a newline, or none was yet */
} lexer;

static tpl_token *emit(tpl_parse *p, tpl_token_kind kind, size_t off) {
    if (p->n_tok == p->cap_tok) {
        size_t cap = p->cap_tok ? p->cap_tok * 2 : 256;
        tpl_token *t = slx_new(&p->scratch, tpl_token, cap);
        if (p->n_tok) memcpy(t, p->tok, p->n_tok * sizeof *t);
        p->tok = t;
        p->cap_tok = cap;
    }
    tpl_token *t = &p->tok[p->n_tok++];
    t->kind = kind;
    t->off = (uint32_t)off;
    return t;
}

static size_t skip_space(const lexer *l, size_t i) {
    while (i < l->n) {
        uint32_t cp;
        size_t k = tpl_char(l->s + i, l->n - i, &cp);
        if (!tpl_is_space(cp)) break;
        i += k;
    }
    return i;
}

static bool at(const lexer *l, size_t i, const char *text) {
    size_t k = strlen(text);
    return l->n - i >= k && memcmp(l->s + i, text, k) == 0;
}

/* Length of s[from, to) without whitespace at its end. */
static size_t rstrip(const char *s, size_t from, size_t to) {
    while (to > from) {
        size_t k = to - 1;
        while (k > from && ((unsigned char)s[k] & 0xc0) == 0x80) k--;
        uint32_t cp;
        tpl_char(s + k, to - k, &cp);
        if (!tpl_is_space(cp)) break;
        to = k;
    }
    return to;
}

/* Text in front of a tag, after the tag's sign and the options have taken their part. */
static void data(lexer *l, size_t from, size_t to, char sign, bool variable) {
    if (sign == '-') {
        to = rstrip(l->s, from, to);
    } else if (sign != '+' && !variable) {
        size_t bol = to;
        while (bol > from && l->s[bol - 1] != '\n') bol--;
        if ((bol > from || l->line_start) && rstrip(l->s, bol, to) == bol) to = bol;
    }
    if (to > from) emit(l->p, TPL_T_DATA, from)->text = (slx_str){l->s + from, to - from};
}

/* Whitespace after a tag that ended at l->i. */
static void after_tag(lexer *l, char sign, bool variable) {
    if (sign == '-') l->i = skip_space(l, l->i);
    else if (sign != '+' && !variable && l->i < l->n && l->s[l->i] == '\n') l->i++;
    l->line_start = l->s[l->i - 1] == '\n';
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Resolves the escapes of a Python string literal's inside. */
static slx_str unescape(lexer *l, size_t from, size_t to) {
    char *out = slx_push(l->p->arena, to - from + 1, 1);
    size_t n = 0, i = from;
    while (i < to) {
        char c = l->s[i++];
        if (c != '\\' || i >= to) {
            out[n++] = c;
            continue;
        }
        size_t start = i - 1;
        c = l->s[i++];
        static const char plain[] = "n\nt\tr\r\\\\'\'\"\"a\ab\bf\fv\v";
        const char *hit = NULL;
        for (const char *q = plain; *q; q += 2)
            if (*q == c) hit = q + 1;
        if (hit) {
            out[n++] = *hit;
        } else if (c == '\n') {
            continue;
        } else if (c >= '0' && c <= '7') {
            uint32_t cp = (uint32_t)(c - '0');
            for (int k = 1; k < 3 && i < to && l->s[i] >= '0' && l->s[i] <= '7'; k++)
                cp = cp * 8 + (uint32_t)(l->s[i++] - '0');
            n += (size_t)slx_utf8_put(out + n, cp);
        } else if (c == 'x' || c == 'u' || c == 'U') {
            int digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
            uint32_t cp = 0;
            for (int k = 0; k < digits; k++) {
                int h = i < to ? hex_value(l->s[i]) : -1;
                if (h < 0)
                    tpl_syntax(l->p, (uint32_t)start, "found \\%c with fewer than %d hexadecimal digits", c, digits);
                cp = cp << 4 | (uint32_t)h;
                i++;
            }
            if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
                tpl_syntax(l->p, (uint32_t)start, "found \\%c with %x, expected a code point", c, (unsigned)cp);
            n += (size_t)slx_utf8_put(out + n, cp);
        } else {
            out[n++] = '\\';
            out[n++] = c;
        }
    }
    return (slx_str){out, n};
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c) || (unsigned char)c >= 0x80;
}

/* Digits with single underscores between them, from i on. */
static size_t digits(const lexer *l, size_t i) {
    while (i < l->n && (is_digit(l->s[i]) || (l->s[i] == '_' && i + 1 < l->n && is_digit(l->s[i + 1])))) i++;
    return i;
}

static void number(lexer *l) {
    size_t from = l->i, to;
    bool after_dot = from > 0 && l->s[from - 1] == '.', real = false;
    int base = 10;
    char kind = l->s[from] == '0' && from + 1 < l->n ? (char)(l->s[from + 1] | 32) : 0;
    if (kind == 'x' || kind == 'o' || kind == 'b') {
        base = kind == 'x' ? 16 : kind == 'o' ? 8 : 2;
        to = from + 2;
        while (to < l->n && (l->s[to] == '_' || (hex_value(l->s[to]) >= 0 && hex_value(l->s[to]) < base))) to++;
    } else {
        to = digits(l, from);
        if (!after_dot) {
            if (to + 1 < l->n && l->s[to] == '.' && is_digit(l->s[to + 1])) {
                to = digits(l, to + 1);
                real = true;
            }
            if (to < l->n && (l->s[to] | 32) == 'e') {
                size_t e = to + 1;
                if (e < l->n && (l->s[e] == '+' || l->s[e] == '-')) e++;
                if (e < l->n && is_digit(l->s[e])) {
                    to = digits(l, e);
                    real = true;
                }
            }
        }
    }
    char buf[400];
    size_t n = 0;
    for (size_t i = base == 10 ? from : from + 2; i < to; i++) {
        if (l->s[i] == '_') continue;
        if (n + 1 == sizeof buf) tpl_syntax(l->p, (uint32_t)from, "found a number of more than %zu digits", n);
        buf[n++] = l->s[i];
    }
    buf[n] = 0;
    if (real) {
        emit(l->p, TPL_T_FLOAT, from)->f = strtod(buf, NULL);
    } else {
        uint64_t v = 0;
        for (size_t i = 0; i < n; i++)
            if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
                __builtin_add_overflow(v, (uint64_t)hex_value(buf[i]), &v) || v > INT64_MAX)
                tpl_syntax(l->p, (uint32_t)from, "found the integer %.60s, expected at most 64 bits", buf);
        if (!n) tpl_syntax(l->p, (uint32_t)from, "found a number without digits");
        emit(l->p, TPL_T_INT, from)->i = (int64_t)v;
    }
    l->i = to;
}

static void quoted(lexer *l) {
    size_t from = l->i + 1, i = from;
    char q = l->s[l->i];
    while (i < l->n && l->s[i] != q) i += l->s[i] == '\\' ? 2 : 1;
    if (i >= l->n) tpl_syntax(l->p, (uint32_t)l->i, "found a string without its closing %c", q);
    emit(l->p, TPL_T_STRING, l->i)->text = unescape(l, from, i);
    l->i = i + 1;
}

static void operator(lexer *l) {
    static const struct { const char *text; uint8_t op; } two[] = {
        {"==", TPL_EQ}, {"!=", TPL_NE}, {"<=", TPL_LE}, {">=", TPL_GE}, {"**", TPL_POW}, {"//", TPL_FLOORDIV},
    };
    for (size_t k = 0; k < sizeof two / sizeof *two; k++)
        if (at(l, l->i, two[k].text)) {
            emit(l->p, TPL_T_OP, l->i)->op = two[k].op;
            l->i += 2;
            return;
        }
    char c = l->s[l->i];
    if (c < 0x20 || c > 0x7e || !strchr("+-*/%~<>=()[]{}.,:|;", c))
        tpl_syntax(l->p, (uint32_t)l->i, "found character 0x%02x, expected an expression", (unsigned char)c);
    emit(l->p, TPL_T_OP, l->i)->op = (uint8_t)c;
    l->i++;
}

/* Tokens of one tag, from behind its opening to behind its end. */
static void tag(lexer *l, bool variable, size_t open) {
    char stack[TPL_MAX_NEST];
    int depth = 0;
    const char *end = variable ? "}}" : "%}";
    for (;;) {
        l->i = skip_space(l, l->i);
        if (l->i >= l->n)
            tpl_syntax(l->p, (uint32_t)open, "found the end of the template, expected %s of this tag", end);
        char c = l->s[l->i];
        if (depth == 0) {
            bool sign = (c == '-' || (c == '+' && !variable)) && at(l, l->i + 1, end);
            if (sign || at(l, l->i, end)) {
                emit(l->p, variable ? TPL_T_VAR_END : TPL_T_BLOCK_END, l->i);
                l->i += sign ? 3 : 2;
                after_tag(l, sign ? c : 0, variable);
                return;
            }
        }
        if (is_digit(c)) {
            number(l);
        } else if (is_name(c)) {
            size_t from = l->i;
            while (l->i < l->n && is_name(l->s[l->i])) l->i++;
            emit(l->p, TPL_T_NAME, from)->text = (slx_str){l->s + from, l->i - from};
        } else if (c == '\'' || c == '"') {
            quoted(l);
        } else {
            if (c == '(' || c == '[' || c == '{') {
                if (depth == TPL_MAX_NEST) tpl_syntax(l->p, (uint32_t)l->i, "found more than %d open brackets", depth);
                stack[depth++] = c == '(' ? ')' : c == '[' ? ']' : '}';
            } else if (c == ')' || c == ']' || c == '}') {
                if (depth == 0) tpl_syntax(l->p, (uint32_t)l->i, "found %c without its opening bracket", c);
                if (stack[--depth] != c)
                    tpl_syntax(l->p, (uint32_t)l->i, "found %c, expected %c", c, stack[depth]);
            }
            operator(l);
        }
    }
}

/* {% raw %} at `in` (behind the sign)? Sets l->i behind the tag. */
static bool raw_begin(lexer *l, size_t in) {
    size_t i = skip_space(l, in);
    if (!at(l, i, "raw")) return false;
    i = skip_space(l, i + 3);
    bool minus = i < l->n && l->s[i] == '-';
    if (!at(l, i + minus, "%}")) return false;
    l->i = i + minus + 2;
    if (minus) l->i = skip_space(l, l->i);
    l->line_start = l->s[l->i - 1] == '\n';
    return true;
}

static void raw_text(lexer *l, size_t open) {
    size_t from = l->i;
    for (size_t q = from; q + 1 < l->n; q++) {
        if (!at(l, q, "{%")) continue;
        size_t i = q + 2;
        char sign = i < l->n && (l->s[i] == '-' || l->s[i] == '+') ? l->s[i] : 0;
        i = skip_space(l, i + (sign != 0));
        if (i > l->n || !at(l, i, "endraw")) continue;
        i = skip_space(l, i + 6);
        char end = i < l->n && (l->s[i] == '-' || l->s[i] == '+') ? l->s[i] : 0;
        if (!at(l, i + (end != 0), "%}")) continue;
        data(l, from, q, sign, false);
        l->i = i + (end != 0) + 2;
        after_tag(l, end, false);
        return;
    }
    tpl_syntax(l->p, (uint32_t)open, "found {%% raw %%} without {%% endraw %%}");
}

static void comment(lexer *l, size_t open) {
    for (size_t q = l->i; q + 1 < l->n; q++) {
        char sign = (l->s[q] == '-' || l->s[q] == '+') && at(l, q + 1, "#}") ? l->s[q] : 0;
        if (!sign && !at(l, q, "#}")) continue;
        l->i = q + (sign != 0) + 2;
        after_tag(l, sign, false);
        return;
    }
    tpl_syntax(l->p, (uint32_t)open, "found a comment without its closing #}");
}

void tpl_lex(tpl_parse *p) {
    lexer l = {.p = p, .s = p->t->text, .n = p->t->len, .line_start = true};
    while (l.i < l.n) {
        size_t q = l.i;
        while (q + 1 < l.n && !(l.s[q] == '{' && (l.s[q + 1] == '{' || l.s[q + 1] == '%' || l.s[q + 1] == '#'))) q++;
        if (q + 1 >= l.n) {
            emit(p, TPL_T_DATA, l.i)->text = (slx_str){l.s + l.i, l.n - l.i};
            break;
        }
        char kind = l.s[q + 1];
        size_t in = q + 2;
        char sign = in < l.n && (l.s[in] == '-' || l.s[in] == '+') ? l.s[in] : 0;
        in += sign != 0;
        data(&l, l.i, q, sign, kind == '{');
        l.i = in;
        if (kind == '#') {
            comment(&l, q);
        } else if (kind == '%' && raw_begin(&l, in)) {
            raw_text(&l, q);
        } else {
            emit(p, kind == '{' ? TPL_T_VAR_BEGIN : TPL_T_BLOCK_BEGIN, q);
            tag(&l, kind == '{', q);
        }
    }
    emit(p, TPL_T_END, l.n);
}
