/* grammar_text.c - see grammar_build.h: strings of a pattern or a format.
 *
 *   pattern --parse--> tree of sets, sequences, alternatives, repetitions --emit, from the back--> nodes
 *
 * Understood is the part of ECMA-262's expressions that JSON schemas use: characters, sets, \d \w \s, groups, |, and
 * the quantifiers; ^ and $ at the ends of alternatives. Characters come as JSON writes them in a string, so a quote or
 * a new line of the pattern is its escape. The whole string matches: what JSON Schema would let stand around a pattern
 * without ^ and $ does not come. Look-around, back references and \b are refused.
 */
#include "run/grammar_build.h"

#include <stdlib.h>
#include <string.h>

enum {
    MOST_RANGES = 64,
    MOST_TREE = 4096,
    MOST_REPEAT = 1024,
    MOST_DEPTH = 100,
    LAST_CHAR = 0x10ffff
};

typedef struct {
    uint32_t low, high;
} chars;

typedef struct {
    chars at[MOST_RANGES];
    uint32_t n;
} char_set;

typedef enum { EMPTY, SET, SEQUENCE, EITHER, REPEAT } tree_kind;

typedef struct {
    tree_kind kind;
    uint32_t a, b;   /* trees; SET: index into sets; REPEAT: of a */
    int least, most; /* REPEAT; most negative: no end */
} tree;

typedef struct {
    gr_builder *b;
    const char *start, *p, *end;
    tree *at;
    uint32_t n;
    char_set *sets;
    uint32_t n_sets, cap_sets;
    int depth;
    bool failed;
} parser;

/* ------------------------------------------------------------------ sets of characters */

static uint32_t refuse(parser *r, const char *what)
{
    char text[200];
    snprintf(text, sizeof text, "\"%.100s\" at byte %d: %s", r->start, (int)(r->p - r->start),
             what);
    r->failed = true;
    return gr_fail(r->b, "pattern %s", text);
}

static void add_range(parser *r, char_set *s, uint32_t low, uint32_t high)
{
    if (s->n == MOST_RANGES)
        refuse(r, "a set of too many parts");
    else if (low <= high)
        s->at[s->n++] = (chars){low, high};
}

static int by_low(const void *a, const void *b)
{
    const chars *x = a, *y = b;
    return (x->low > y->low) - (x->low < y->low);
}

/* In order, without overlaps. */
static void tidy(char_set *s)
{
    uint32_t n = 0;
    if (!s->n) return;
    qsort(s->at, s->n, sizeof *s->at, by_low);
    for (uint32_t i = 1; i < s->n; i++) {
        if (s->at[i].low > s->at[n].high + 1)
            s->at[++n] = s->at[i];
        else if (s->at[i].high > s->at[n].high)
            s->at[n].high = s->at[i].high;
    }
    s->n = n + 1;
}

static char_set inverse(parser *r, char_set s)
{
    char_set out = {.n = 0};
    uint32_t from = 0;
    tidy(&s);
    for (uint32_t i = 0; i < s.n; i++) {
        if (s.at[i].low > from) add_range(r, &out, from, s.at[i].low - 1);
        from = s.at[i].high + 1;
    }
    add_range(r, &out, from, LAST_CHAR);
    return out;
}

/* What ECMA-262 counts as space beside ASCII's. */
static void add_wide_spaces(parser *r, char_set *s)
{
    static const chars rows[] = {{0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
                                 {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f},
                                 {0x3000, 0x3000}, {0xfeff, 0xfeff}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        add_range(r, s, rows[i].low, rows[i].high);
}

/* \d \w \s and their capitals, which mean all others; false: c is none of them. out: s is of what must not come. */
static bool add_class(parser *r, char_set *s, char c, bool out)
{
    char_set own = {.n = 0};
    switch (c | 0x20) {
    case 'w':
        add_range(r, &own, 'a', 'z');
        add_range(r, &own, 'A', 'Z');
        add_range(r, &own, '_', '_'); /* and digits */
        /* fall through */
    case 'd': add_range(r, &own, '0', '9'); break;
    case 's':
        add_range(r, &own, ' ', ' ');
        add_range(r, &own, '\t', '\r');
        break;
    default: return false;
    }
    /* every checker agrees on ASCII's: others do not come, neither as spaces nor as what is none */
    if (c == 'S' || (c == 's' && out)) add_wide_spaces(r, &own);
    if (!(c & 0x20)) own = inverse(r, own);
    for (uint32_t i = 0; i < own.n; i++) add_range(r, s, own.at[i].low, own.at[i].high);
    return true;
}

static uint32_t hex(parser *r, int digits)
{
    uint32_t x = 0;
    for (int i = 0; i < digits; i++, r->p++) {
        char c = r->p < r->end ? *r->p : 0;
        int d = c >= '0' && c <= '9'                     ? c - '0'
                : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                         : -1;
        if (d < 0) return refuse(r, "expected hexadecimal digits");
        x = x * 16 + (uint32_t)d;
    }
    return x;
}

/* One character behind a backslash. */
static uint32_t escaped(parser *r)
{
    static const char names[] = "ntrfv0", values[] = "\n\t\r\f\v";
    char c = r->p < r->end ? *r->p : 0;
    const char *name = c ? strchr(names, c) : NULL;
    if (c && strchr("^$\\.*+?()[]{}|/-\"'#&%,:;<>=@`~! _", c))
        return r->p++, (uint32_t)(unsigned char)c;
    if (name) return r->p++, (uint32_t)(unsigned char)values[name - names];
    if (c == 'x') return r->p++, hex(r, 2);
    if (c == 'u') {
        r->p++;
        uint32_t x = hex(r, 4);
        return x >= 0xd800 && x < 0xe000 ? refuse(r, "half of a character") : x;
    }
    return refuse(r, "this escape is not supported");
}

static uint32_t character(parser *r)
{
    uint32_t c;
    int n = slx_utf8_get(r->p, r->end, &c);
    if (!n) return refuse(r, "no character");
    r->p += n;
    return c;
}

/* Behind [ and to its ]. */
static char_set bracket(parser *r)
{
    char_set s = {.n = 0};
    bool all_others = r->p < r->end && *r->p == '^';
    r->p += all_others;
    while (!r->failed && r->p < r->end && *r->p != ']') {
        bool escape = *r->p == '\\';
        r->p += escape;
        if (escape && r->p < r->end && add_class(r, &s, *r->p, all_others)) {
            r->p++;
            continue;
        }
        uint32_t low = escape ? escaped(r) : character(r), high = low;
        if (r->p + 1 < r->end && *r->p == '-' && r->p[1] != ']') {
            r->p++;
            if (*r->p == '\\') {
                r->p++;
                high = escaped(r);
            } else {
                high = character(r);
            }
            if (high < low) refuse(r, "a range that ends before it begins");
        }
        add_range(r, &s, low, high);
    }
    if (r->p == r->end)
        refuse(r, "expected ]");
    else
        r->p++;
    return all_others ? inverse(r, s) : s;
}

/* ------------------------------------------------------------------ parse */

static uint32_t add(parser *r, tree t)
{
    if (r->n == MOST_TREE) return refuse(r, "too long");
    r->at[r->n] = t;
    return r->n++;
}

static uint32_t set_tree(parser *r, char_set s)
{
    tidy(&s);
    if (r->n_sets == r->cap_sets) {
        r->cap_sets = r->cap_sets ? 2 * r->cap_sets : 16;
        r->sets = slx_xrealloc(r->sets, r->cap_sets * sizeof *r->sets);
    }
    r->sets[r->n_sets] = s;
    return add(r, (tree){.kind = SET, .a = r->n_sets++});
}

static uint32_t alternatives(parser *r);

static uint32_t group(parser *r)
{
    if (r->p + 1 < r->end && *r->p == '?') {
        if (r->p[1] != ':') return refuse(r, "look-around and named groups are not supported");
        r->p += 2;
    }
    if (++r->depth > MOST_DEPTH) return refuse(r, "too deep");
    uint32_t x = alternatives(r);
    r->depth--;
    if (r->failed) return 0;
    if (r->p == r->end || *r->p != ')') return refuse(r, "expected )");
    r->p++;
    return x;
}

static uint32_t atom(parser *r)
{
    char_set s = {.n = 0};
    char c = *r->p;
    if (strchr("*+?{", c)) return refuse(r, "nothing to repeat");
    if (c == '^' || c == '$')
        return refuse(r, "^ and $ are supported at the ends only, outside groups");
    if (c == '(') return r->p++, group(r);
    if (c == '[') {
        r->p++;
        s = bracket(r);
    } else if (c == '.') {
        r->p++;
        add_range(r, &s, '\n', '\n');
        add_range(r, &s, '\r', '\r');
        add_range(r, &s, 0x2028, 0x2029);
        s = inverse(r, s);
    } else if (c == '\\') {
        r->p++;
        if (r->p < r->end && add_class(r, &s, *r->p, false)) {
            r->p++;
        } else {
            uint32_t x = escaped(r);
            add_range(r, &s, x, x);
        }
    } else {
        uint32_t x = character(r);
        add_range(r, &s, x, x);
    }
    return r->failed ? 0 : set_tree(r, s);
}

static bool number(parser *r, int *out)
{
    const char *from = r->p;
    *out = 0;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9' && *out <= MOST_REPEAT)
        *out = *out * 10 + *r->p++ - '0';
    return r->p > from && *out <= MOST_REPEAT;
}

/* What follows an atom: nothing, or how often it comes. */
static uint32_t quantified(parser *r, uint32_t x)
{
    int least = 1, most = 1;
    char c = r->p < r->end ? *r->p : 0;
    if (r->failed || !c || !strchr("*+?{", c)) return x;
    r->p++;
    least = c == '+';
    most = c == '?' ? 1 : -1;
    if (c == '{') {
        if (!number(r, &least)) return refuse(r, "expected {n}, {n,} or {n,m} of at most 1024");
        most = least;
        if (r->p < r->end && *r->p == ',') {
            r->p++;
            most = -1;
            if (r->p < r->end && *r->p != '}' && (!number(r, &most) || most < least))
                return refuse(r, "expected {n}, {n,} or {n,m} of at most 1024");
        }
        if (r->p == r->end || *r->p++ != '}') return refuse(r, "expected }");
    }
    if (r->p < r->end && *r->p == '?')
        r->p++; /* which match is found first does not change what matches */
    return add(r, (tree){.kind = REPEAT, .a = x, .least = least, .most = most});
}

static bool at_end(const parser *r)
{
    return r->p == r->end || *r->p == '|' || *r->p == ')';
}

static uint32_t sequence(parser *r)
{
    uint32_t x = add(r, (tree){.kind = EMPTY});
    bool top = !r->depth; /* there ^ and $ say what holds anyway */
    if (top && r->p < r->end && *r->p == '^') r->p++;
    while (!r->failed && !at_end(r)) {
        if (top && *r->p == '$' && (r->p + 1 == r->end || r->p[1] == '|')) {
            r->p++;
            break;
        }
        uint32_t one = quantified(r, atom(r));
        if (!r->failed) x = add(r, (tree){.kind = SEQUENCE, .a = x, .b = one});
    }
    return x;
}

static uint32_t alternatives(parser *r)
{
    uint32_t x = sequence(r);
    while (!r->failed && r->p < r->end && *r->p == '|') {
        r->p++;
        uint32_t y = sequence(r);
        x = add(r, (tree){.kind = EITHER, .a = x, .b = y});
    }
    return x;
}

/* ------------------------------------------------------------------ emit */

static void branch(gr_builder *b, uint32_t *x, uint32_t one)
{
    *x = *x == SLX_GR_NONE ? one : gr_either(b, *x, one);
}

/* Characters below 128 of a range, as a JSON string holds them. */
static void emit_plain(gr_builder *b, uint32_t low, uint32_t high, uint32_t next, uint32_t *x)
{
    slx_gr_set as_is = {0};
    bool any = false;
    for (uint32_t c = low; c <= high; c++) {
        char escape[8];
        if (c >= 0x20 && c != '"' && c != '\\') {
            as_is.in[c / 64] |= (uint64_t)1 << c % 64;
            any = true;
            continue;
        }
        const char *short_one = c == '"'    ? "\\\""
                                : c == '\\' ? "\\\\"
                                : c == '\n' ? "\\n"
                                : c == '\t' ? "\\t"
                                : c == '\r' ? "\\r"
                                            : NULL;
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
        branch(b, x, gr_text(b, short_one ? short_one : escape, next));
    }
    if (any) branch(b, x, gr_set_node(b, as_is, next));
}

/* Characters low..high of the same length n in UTF-8, that differ in their last k bytes only in whole ranges. */
static void emit_utf8(gr_builder *b, uint32_t low, uint32_t high, int n, uint32_t next, uint32_t *x)
{
    for (int k = 1; k < n; k++) { /* cut where the last k bytes do not run through all of theirs */
        uint32_t mask = ((uint32_t)1 << 6 * k) - 1;
        if ((low & ~mask) == (high & ~mask)) continue;
        if (low & mask) {
            emit_utf8(b, low, low | mask, n, next, x);
            emit_utf8(b, (low | mask) + 1, high, n, next, x);
            return;
        }
        if ((high & mask) != mask) {
            emit_utf8(b, low, (high & ~mask) - 1, n, next, x);
            emit_utf8(b, high & ~mask, high, n, next, x);
            return;
        }
    }
    char from[4], to[4];
    slx_utf8_put(from, low);
    slx_utf8_put(to, high);
    uint32_t at = next;
    for (int i = n; i-- > 0;)
        at = gr_set_node(b, gr_range((unsigned char)from[i], (unsigned char)to[i]), at);
    branch(b, x, at);
}

static uint32_t emit_set(gr_builder *b, const char_set *s, uint32_t next)
{
    /* by length in UTF-8, without halves of surrogate pairs */
    static const struct {
        uint32_t low, high;
        int bytes;
    } parts[] = {
        {0x80, 0x7ff, 2}, {0x800, 0xd7ff, 3}, {0xe000, 0xffff, 3}, {0x10000, LAST_CHAR, 4}};
    uint32_t x = SLX_GR_NONE;
    for (uint32_t i = 0; i < s->n && !b->failed; i++) {
        chars r = s->at[i];
        if (r.low < 0x80) emit_plain(b, r.low, r.high < 0x7f ? r.high : 0x7f, next, &x);
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
            uint32_t low = r.low > parts[k].low ? r.low : parts[k].low,
                     high = r.high < parts[k].high ? r.high : parts[k].high;
            if (low <= high) emit_utf8(b, low, high, parts[k].bytes, next, &x);
        }
    }
    return x == SLX_GR_NONE ? gr_fail(b, "pattern: a set without characters%s", "") : x;
}

static uint32_t emit(parser *r, uint32_t at, uint32_t next)
{
    gr_builder *b = r->b;
    const tree *t = &r->at[at];
    if (b->failed) return next;
    switch (t->kind) {
    case EMPTY: return next;
    case SET: return emit_set(b, &r->sets[t->a], next);
    case SEQUENCE: /* the first parts lie deepest: lists are long */
        for (; r->at[at].kind == SEQUENCE; at = r->at[at].a) next = emit(r, r->at[at].b, next);
        return emit(r, at, next);
    case EITHER: {
        uint32_t x = emit(r, t->a, next);
        return gr_either(b, x, emit(r, t->b, next));
    }
    case REPEAT: {
        uint32_t x = next;
        if (t->most < 0) {
            uint32_t loop = gr_loop(b, next);
            x = gr_close_loop(b, loop, emit(r, t->a, loop));
        }
        for (int i = t->most; i > t->least && !b->failed; i--)
            x = gr_either(b, emit(r, t->a, x), next);
        for (int i = 0; i < t->least && !b->failed; i++) x = emit(r, t->a, x);
        return x;
    }
    }
    return next;
}

uint32_t gr_pattern(gr_builder *b, const char *pattern, uint32_t next)
{
    parser r = {.b = b, .start = pattern, .p = pattern, .end = pattern + strlen(pattern)};
    r.at = slx_xcalloc(MOST_TREE, sizeof *r.at);
    uint32_t x = alternatives(&r), first = 0;
    if (!r.failed && r.p < r.end) refuse(&r, "found ) without (");
    if (!r.failed) first = gr_text(b, "\"", emit(&r, x, gr_text(b, "\"", next)));
    free(r.at);
    free(r.sets);
    return first;
}

/* ------------------------------------------------------------------ formats */

#define DAY31   "(0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])"
#define DAY30   "(0[469]|11)-(0[1-9]|[12]\\d|30)"
#define DATE    "[1-9]\\d{3}-(" DAY31 "|" DAY30 "|02-(0[1-9]|1\\d|2[0-8]))"
#define TIME    "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)"
#define DAYS    "\\d{1,4}D"
#define MONTHS  "\\d{1,4}M(" DAYS ")?"
#define YEARS   "\\d{1,4}Y(" MONTHS ")?"
#define SECONDS "\\d{1,4}S"
#define MINUTES "\\d{1,4}M(" SECONDS ")?"
#define CLOCK   "T(\\d{1,4}H(" MINUTES ")?|" MINUTES "|" SECONDS ")"
#define LABEL   "[A-Za-z0-9]{1,20}(-[A-Za-z0-9]{1,20}){0,2}"
#define BYTE    "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
#define WORD    "[A-Za-z0-9_+]{1,20}"
#define HOST    "(" LABEL "\\.){1,3}[A-Za-z]{2,20}"
#define HEX     "[0-9a-f]"

uint32_t gr_format(gr_builder *b, const char *format, uint32_t next)
{
    /* RFC 3339 (dates without leap days, its appendix A for durations), RFC 5321, 1123, 2673, 4291 (no ::), 4122, 3986;
     * of each a part that every checker takes */
    static const struct {
        const char *name, *pattern;
    } rows[] = {
        {"date", DATE},
        {"time", TIME},
        {"date-time", DATE "T" TIME},
        {"duration", "P((" DAYS "|" MONTHS "|" YEARS ")(" CLOCK ")?|" CLOCK "|\\d{1,4}W)"},
        {"email", WORD "(\\." WORD "){0,2}@" HOST},
        {"hostname", "(" LABEL "\\.){0,2}[A-Za-z]{2,20}"},
        {"ipv4", BYTE "(\\." BYTE "){3}"},
        {"ipv6", "(" HEX "{1,4}:){7}" HEX "{1,4}"},
        {"uuid", HEX "{8}-" HEX "{4}-" HEX "{4}-" HEX "{4}-" HEX "{12}"},
        {"uri", "https?://" HOST "(/[A-Za-z0-9._~-]{1,60}){0,6}/?(\\?[A-Za-z0-9._~=&-]{1,120})?"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(format, rows[i].name)) return gr_pattern(b, rows[i].pattern, next);
    return gr_fail(b, "format \"%.60s\" is not supported here", format);
}
