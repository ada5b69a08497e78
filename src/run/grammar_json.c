/* grammar_json.c - see grammar_build.h: what every JSON has, whatever its schema. */
#include "run/grammar_build.h"

enum { INDENT = 16, EXPONENT_DIGITS = 2 /* never beyond a double */ };

uint32_t gr_space(gr_builder *b, uint32_t next)
{
    return gr_call(b, GR_SPACE, next);
}

static uint32_t space_rule(gr_builder *b)
{
    uint32_t end = gr_end(b), indent = end;
    for (int i = 0; i < INDENT; i++)
        indent = gr_either(b, gr_set_node(b, gr_any_of(" \t"), indent), end);
    return gr_either(b, end, gr_either(b, gr_text(b, " ", end), gr_text(b, "\n", indent)));
}

/* Continuation bytes of well-formed UTF-8, by the Unicode standard's table 3-7. */
static uint32_t char_rule(gr_builder *b)
{
    uint32_t end = gr_end(b);
    slx_gr_set plain = gr_range(0x20, 0x7f), tail = gr_range(0x80, 0xbf),
               hex = gr_any_of("0123456789abcdefABCDEF");
    plain.in['"' / 64] &= ~((uint64_t)1 << '"' % 64);
    plain.in['\\' / 64] &= ~((uint64_t)1 << '\\' % 64);
    uint32_t t1 = gr_set_node(b, tail, end), t2 = gr_set_node(b, tail, t1),
             t3 = gr_set_node(b, tail, t2);
    uint32_t h2 = gr_set_node(b, hex, gr_set_node(b, hex, end)), h3 = gr_set_node(b, hex, h2);
    /* \uXXXX but no half of a surrogate pair */
    uint32_t u =
        gr_either(b, gr_set_node(b, gr_any_of("0123456789abcefABCEF"), h3),
                  gr_set_node(b, gr_any_of("dD"), gr_set_node(b, gr_any_of("01234567"), h2)));
    uint32_t escape =
        gr_either(b, gr_set_node(b, gr_any_of("\"\\/bfnrt"), end), gr_text(b, "u", u));
    uint32_t x = gr_either(b, gr_set_node(b, plain, end), gr_text(b, "\\", escape));
    x = gr_either(b, x, gr_set_node(b, gr_range(0xc2, 0xdf), t1));
    x = gr_either(b, x, gr_text(b, "\xe0", gr_set_node(b, gr_range(0xa0, 0xbf), t1)));
    x = gr_either(b, x, gr_set_node(b, gr_range(0xe1, 0xec), t2));
    x = gr_either(b, x, gr_text(b, "\xed", gr_set_node(b, gr_range(0x80, 0x9f), t1)));
    x = gr_either(b, x, gr_set_node(b, gr_range(0xee, 0xef), t2));
    x = gr_either(b, x, gr_text(b, "\xf0", gr_set_node(b, gr_range(0x90, 0xbf), t2)));
    x = gr_either(b, x, gr_set_node(b, gr_range(0xf1, 0xf3), t3));
    return gr_either(b, x, gr_text(b, "\xf4", gr_set_node(b, gr_range(0x80, 0x8f), t2)));
}

/* As many more of `piece` as there may be: most more, or (most negative) without end. */
uint32_t gr_digits(gr_builder *b, int least, int most, uint32_t next)
{
    uint32_t x = next;
    for (int i = most; i > 0; i--) {
        uint32_t one = gr_set_node(b, gr_range('0', '9'), x);
        x = i <= least ? one : gr_either(b, one, next);
    }
    return x;
}

static uint32_t integer(gr_builder *b, uint32_t next)
{
    uint32_t x =
        gr_either(b, gr_text(b, "0", next),
                  gr_set_node(b, gr_range('1', '9'), gr_digits(b, 0, GR_INTEGER_DIGITS - 1, next)));
    return gr_either(b, x, gr_text(b, "-", x));
}

static uint32_t number_rule(gr_builder *b)
{
    uint32_t end = gr_end(b), power = gr_digits(b, 1, EXPONENT_DIGITS, end);
    uint32_t exponent =
        gr_either(b, end,
                  gr_set_node(b, gr_any_of("eE"),
                              gr_either(b, power, gr_set_node(b, gr_any_of("+-"), power))));
    return integer(
        b, gr_either(b, exponent, gr_text(b, ".", gr_digits(b, 1, GR_INTEGER_DIGITS, exponent))));
}

/* Of the length least to most characters; most negative: no end. */
uint32_t gr_string_of(gr_builder *b, int least, int most, uint32_t next)
{
    uint32_t close = gr_text(b, "\"", next), x = close;
    if (most < 0) {
        uint32_t loop = gr_loop(b, close);
        x = gr_close_loop(b, loop, gr_call(b, GR_CHAR, loop));
        for (int i = 0; i < least; i++) x = gr_call(b, GR_CHAR, x);
    } else {
        for (int i = most; i > 0; i--) {
            uint32_t one = gr_call(b, GR_CHAR, x);
            x = i <= least ? one : gr_either(b, one, close);
        }
    }
    return gr_text(b, "\"", x);
}

/* Another element, of this rule. */
static uint32_t another(gr_builder *b, uint32_t rule, uint32_t next)
{
    return gr_space(b, gr_text(b, ",", gr_space(b, gr_call(b, rule, next))));
}

uint32_t gr_array_of(gr_builder *b, const uint32_t *first, int n_first, uint32_t item, int least,
                     int most, uint32_t next)
{
    uint32_t close = gr_space(b, gr_text(b, "]", next)), x = close;
    int n = most; /* elements that are counted; without an end there is a loop behind them */
    if (most == 0) return gr_text(b, "[", close);
    if (most < 0) {
        uint32_t loop = gr_loop(b, close);
        x = gr_close_loop(b, loop, another(b, item, loop));
        n = least > n_first ? least : n_first;
        if (n < 1) n = 1;
    }
    for (int i = n; i > 1; i--) {
        uint32_t one = another(b, i - 1 < n_first ? first[i - 1] : item, x);
        x = i <= least ? one : gr_either(b, one, close);
    }
    uint32_t some = gr_space(b, gr_call(b, n_first ? first[0] : item, x));
    return gr_text(b, "[", least > 0 ? some : gr_either(b, some, close));
}

/* { "any": value, ... } */
uint32_t gr_free_object(gr_builder *b, uint32_t value, uint32_t next)
{
    uint32_t close = gr_space(b, gr_text(b, "}", next)), loop = gr_loop(b, close);
    uint32_t member =
        gr_call(b, GR_STRING, gr_space(b, gr_text(b, ":", gr_space(b, gr_call(b, value, loop)))));
    gr_close_loop(b, loop, gr_space(b, gr_text(b, ",", gr_space(b, member))));
    return gr_text(b, "{", gr_either(b, gr_space(b, member), close));
}

void gr_fixed_rules(gr_builder *b)
{
    uint32_t end = gr_end(b), *r;
    while (b->g->n_rules < GR_N_FIXED) gr_rule_of(b, NULL, "fixed");
    r = b->g->rules;
    r[GR_SPACE] = space_rule(b);
    r[GR_CHAR] = char_rule(b);
    r[GR_STRING] = gr_string_of(b, 0, -1, end);
    r[GR_INTEGER] = integer(b, end);
    r[GR_NUMBER] = number_rule(b);
    r[GR_ARRAY] = gr_array_of(b, NULL, 0, GR_VALUE, 0, -1, end);
    r[GR_OBJECT] = gr_free_object(b, GR_VALUE, end);
    uint32_t words = gr_either(b, gr_text(b, "true", end),
                               gr_either(b, gr_text(b, "false", end), gr_text(b, "null", end)));
    r[GR_VALUE] = gr_either(b, gr_call(b, GR_OBJECT, end),
                            gr_either(b, gr_call(b, GR_ARRAY, end),
                                      gr_either(b, gr_call(b, GR_STRING, end),
                                                gr_either(b, gr_call(b, GR_NUMBER, end), words))));
}
