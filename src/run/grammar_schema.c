/* grammar_schema.c - a JSON schema as nodes of a grammar.
 *
 * Built from the back: every piece is given the node that follows it and returns its own first node, so a sequence is
 * pieces from last to first, and only loops are patched. A schema that is referred to, or stands twice, is a rule that
 * is called; rules are numbered when first met and built when the list comes to them, so recursion is natural. A rule
 * that can reach itself before any byte would never end: such a schema is refused.
 */
#include "run/grammar_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

enum {
    MOST_ITEMS = 256,
    MOST_CHARS = 1024,
    INDENT = 16,
    INTEGER_DIGITS = 16,
    EXPONENT_DIGITS = 2 /* never beyond a double */
};

/* Rules that every grammar may call. */
typedef enum { ANSWER, VALUE, OBJECT, ARRAY, STRING, CHAR, NUMBER, INTEGER, SPACE, N_FIXED } fixed;

typedef struct {
    slx_gr *g;
    const json_t *root;
    struct {
        const json_t *schema; /* whose rule this is; NULL for the fixed ones */
        const char *key;      /* a member: its name comes first */
        const json_t *root;   /* where its $ref count from */
    } * of;                   /* [n_rules] */
    uint32_t cap_of;
    slx_err *err;
    bool failed;
} builder;

static uint32_t fail(builder *b, const char *fmt, const char *what)
{
    if (!b->failed) slx_fail(b->err, SLX_EUNSUPPORTED, "schema", 0, 0, fmt, what);
    b->failed = true;
    return 0;
}

/* ------------------------------------------------------------------ nodes */

static uint32_t node(builder *b, slx_gr_kind kind, uint32_t next, uint32_t arg)
{
    slx_gr *g = b->g;
    if (g->n_nodes == SLX_GR_MOST_NODES) return fail(b, "the schema is too large%s", "");
    if (g->n_nodes == g->cap_nodes) {
        g->cap_nodes = g->cap_nodes ? 2 * g->cap_nodes : 256;
        g->nodes = slx_xrealloc(g->nodes, g->cap_nodes * sizeof *g->nodes);
    }
    g->nodes[g->n_nodes] = (slx_gr_node){kind, next, arg};
    return g->n_nodes++;
}

static uint32_t set_node(builder *b, slx_gr_set s, uint32_t next)
{
    slx_gr *g = b->g;
    uint32_t i = 0;
    while (i < g->n_sets && memcmp(&g->sets[i], &s, sizeof s)) i++;
    if (i == g->n_sets) {
        if (g->n_sets == g->cap_sets) {
            g->cap_sets = g->cap_sets ? 2 * g->cap_sets : 64;
            g->sets = slx_xrealloc(g->sets, g->cap_sets * sizeof *g->sets);
        }
        g->sets[g->n_sets++] = s;
    }
    return node(b, SLX_GR_SET, next, i);
}

static slx_gr_set range(unsigned low, unsigned high)
{
    slx_gr_set s = {0};
    for (unsigned c = low; c <= high; c++) s.in[c / 64] |= (uint64_t)1 << c % 64;
    return s;
}

static slx_gr_set any_of(const char *chars)
{
    slx_gr_set s = {0};
    for (; *chars; chars++)
        s.in[(unsigned char)*chars / 64] |= (uint64_t)1 << (unsigned char)*chars % 64;
    return s;
}

static uint32_t bytes(builder *b, const char *p, size_t n, uint32_t next)
{
    while (n--) next = set_node(b, range((unsigned char)p[n], (unsigned char)p[n]), next);
    return next;
}

static uint32_t text(builder *b, const char *p, uint32_t next)
{
    return bytes(b, p, strlen(p), next);
}

static uint32_t either(builder *b, uint32_t x, uint32_t y)
{
    return node(b, SLX_GR_SPLIT, x, y);
}

static uint32_t call(builder *b, uint32_t rule, uint32_t next)
{
    return node(b, SLX_GR_CALL, next, rule);
}

static uint32_t rule_of(builder *b, const json_t *schema, const char *key)
{
    slx_gr *g = b->g;
    for (uint32_t i = N_FIXED; i < g->n_rules; i++)
        if (b->of[i].schema == schema && b->of[i].key == key) return i;
    if (g->n_rules == g->cap_rules) {
        g->cap_rules = g->cap_rules ? 2 * g->cap_rules : 64;
        g->rules = slx_xrealloc(g->rules, g->cap_rules * sizeof *g->rules);
        b->of = slx_xrealloc(b->of, g->cap_rules * sizeof *b->of);
    }
    g->rules[g->n_rules] = SLX_GR_NONE;
    b->of[g->n_rules].schema = schema;
    b->of[g->n_rules].key = key;
    b->of[g->n_rules].root = b->root;
    return g->n_rules++;
}

/* ------------------------------------------------------------------ what every JSON has */

static uint32_t space(builder *b, uint32_t next)
{
    return call(b, SPACE, next);
}

static uint32_t space_rule(builder *b)
{
    uint32_t end = node(b, SLX_GR_END, 0, 0), indent = end;
    for (int i = 0; i < INDENT; i++) indent = either(b, set_node(b, any_of(" \t"), indent), end);
    return either(b, end, either(b, text(b, " ", end), text(b, "\n", indent)));
}

/* Continuation bytes of well-formed UTF-8, by the Unicode standard's table 3-7. */
static uint32_t char_rule(builder *b)
{
    uint32_t end = node(b, SLX_GR_END, 0, 0);
    slx_gr_set plain = range(0x20, 0x7f), tail = range(0x80, 0xbf),
               hex = any_of("0123456789abcdefABCDEF");
    plain.in['"' / 64] &= ~((uint64_t)1 << '"' % 64);
    plain.in['\\' / 64] &= ~((uint64_t)1 << '\\' % 64);
    uint32_t t1 = set_node(b, tail, end), t2 = set_node(b, tail, t1), t3 = set_node(b, tail, t2);
    uint32_t h2 = set_node(b, hex, set_node(b, hex, end)), h3 = set_node(b, hex, h2);
    /* \uXXXX but no half of a surrogate pair */
    uint32_t u = either(b, set_node(b, any_of("0123456789abcefABCEF"), h3),
                        set_node(b, any_of("dD"), set_node(b, any_of("01234567"), h2)));
    uint32_t escape = either(b, set_node(b, any_of("\"\\/bfnrt"), end), text(b, "u", u));
    uint32_t x = either(b, set_node(b, plain, end), text(b, "\\", escape));
    x = either(b, x, set_node(b, range(0xc2, 0xdf), t1));
    x = either(b, x, text(b, "\xe0", set_node(b, range(0xa0, 0xbf), t1)));
    x = either(b, x, set_node(b, range(0xe1, 0xec), t2));
    x = either(b, x, text(b, "\xed", set_node(b, range(0x80, 0x9f), t1)));
    x = either(b, x, set_node(b, range(0xee, 0xef), t2));
    x = either(b, x, text(b, "\xf0", set_node(b, range(0x90, 0xbf), t2)));
    x = either(b, x, set_node(b, range(0xf1, 0xf3), t3));
    return either(b, x, text(b, "\xf4", set_node(b, range(0x80, 0x8f), t2)));
}

/* As many more of `piece` as there may be: most more, or (most negative) without end. */
static uint32_t digits(builder *b, int least, int most, uint32_t next)
{
    uint32_t x = next;
    for (int i = most; i > 0; i--) {
        uint32_t one = set_node(b, range('0', '9'), x);
        x = i <= least ? one : either(b, one, next);
    }
    return x;
}

static uint32_t integer(builder *b, uint32_t next)
{
    uint32_t x = either(b, text(b, "0", next),
                        set_node(b, range('1', '9'), digits(b, 0, INTEGER_DIGITS - 1, next)));
    return either(b, x, text(b, "-", x));
}

static uint32_t number_rule(builder *b)
{
    uint32_t end = node(b, SLX_GR_END, 0, 0), power = digits(b, 1, EXPONENT_DIGITS, end);
    uint32_t exponent = either(
        b, end, set_node(b, any_of("eE"), either(b, power, set_node(b, any_of("+-"), power))));
    return integer(b, either(b, exponent, text(b, ".", digits(b, 1, INTEGER_DIGITS, exponent))));
}

/* Of the length least to most characters; most negative: no end. */
static uint32_t string_of(builder *b, int least, int most, uint32_t next)
{
    uint32_t close = text(b, "\"", next), x = close;
    if (most < 0) {
        uint32_t loop = node(b, SLX_GR_SPLIT, 0, close), one = call(b, CHAR, loop);
        if (b->failed) return 0;
        b->g->nodes[loop].next = one;
        x = loop;
        most = least;
        for (int i = 0; i < least; i++) x = call(b, CHAR, x);
    } else {
        for (int i = most; i > 0; i--) {
            uint32_t one = call(b, CHAR, x);
            x = i <= least ? one : either(b, one, close);
        }
    }
    return text(b, "\"", x);
}

/* [ items ] with at least and at most so many; most negative: no end. */
static uint32_t array_of(builder *b, uint32_t item, int least, int most, uint32_t next)
{
    uint32_t close = space(b, text(b, "]", next)), more = close;
    if (most == 0) return text(b, "[", close);
    if (most < 0) {
        uint32_t loop = node(b, SLX_GR_SPLIT, 0, close),
                 again = space(b, text(b, ",", space(b, call(b, item, loop))));
        if (b->failed) return 0;
        b->g->nodes[loop].next = again;
        more = loop;
        for (int i = 1; i < least; i++)
            more = space(b, text(b, ",", space(b, call(b, item, more))));
    } else {
        for (int i = most; i > 1; i--) {
            uint32_t one = space(b, text(b, ",", space(b, call(b, item, more))));
            more = i <= least ? one : either(b, one, close);
        }
    }
    uint32_t some = space(b, call(b, item, more));
    return text(b, "[", least > 0 ? some : either(b, some, close));
}

/* { "any": value, ... } */
static uint32_t free_object(builder *b, uint32_t value, uint32_t next)
{
    uint32_t close = space(b, text(b, "}", next)), loop = node(b, SLX_GR_SPLIT, 0, close);
    uint32_t member = call(b, STRING, space(b, text(b, ":", space(b, call(b, value, loop)))));
    uint32_t again = space(b, text(b, ",", space(b, member)));
    if (b->failed) return 0;
    b->g->nodes[loop].next = again;
    return text(b, "{", either(b, space(b, member), close));
}

static void fixed_rules(builder *b)
{
    uint32_t end = node(b, SLX_GR_END, 0, 0), *r;
    while (b->g->n_rules < N_FIXED) rule_of(b, NULL, "fixed");
    r = b->g->rules;
    r[SPACE] = space_rule(b);
    r[CHAR] = char_rule(b);
    r[STRING] = string_of(b, 0, -1, end);
    r[INTEGER] = integer(b, end);
    r[NUMBER] = number_rule(b);
    r[ARRAY] = array_of(b, VALUE, 0, -1, end);
    r[OBJECT] = free_object(b, VALUE, end);
    uint32_t words =
        either(b, text(b, "true", end), either(b, text(b, "false", end), text(b, "null", end)));
    r[VALUE] =
        either(b, call(b, OBJECT, end),
               either(b, call(b, ARRAY, end),
                      either(b, call(b, STRING, end), either(b, call(b, NUMBER, end), words))));
}

/* ------------------------------------------------------------------ schemas */

static const json_t *follow(builder *b, const char *ref)
{
    const json_t *at = b->root;
    if (strcmp(ref, "#") && strncmp(ref, "#/", 2))
        return fail(b, "$ref \"%.80s\": only # and #/... are supported", ref), NULL;
    for (const char *p = ref + 1; *p && at;) {
        char name[128];
        size_t n = strcspn(++p, "/");
        if (n >= sizeof name) return fail(b, "$ref \"%.80s\": too long", ref), NULL;
        memcpy(name, p, n);
        name[n] = 0;
        at = json_object_get(at, name);
        p += n;
    }
    if (!at) fail(b, "$ref \"%.80s\": not found", ref);
    return at;
}

/* Keywords that say nothing about what is valid. */
static bool annotation(const char *key)
{
    static const char *const names[] = {
        "title",    "description", "default",  "examples",  "example", "$schema",     "$id",
        "$comment", "deprecated",  "readOnly", "writeOnly", "$defs",   "definitions", "strict"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(key, names[i])) return true;
    return false;
}

/* Every keyword must be one that `known` (ended by NULL) lists. */
static bool only(builder *b, const json_t *schema, const char *const *known)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)schema, key, v)
    {
        bool ok = annotation(key);
        for (int i = 0; known[i]; i++) ok |= !strcmp(key, known[i]);
        if (!ok) return fail(b, "the keyword \"%.60s\" is not supported here", key), false;
    }
    return true;
}

static bool count_of(builder *b, const json_t *schema, const char *key, int most, int *out)
{
    const json_t *v = json_object_get(schema, key);
    if (!v) return true;
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > most) {
        if (!b->failed)
            slx_fail(b->err, SLX_EUNSUPPORTED, "schema", 0, 0,
                     "%s: expected a whole number from 0 to %d", key, most);
        b->failed = true;
        return false;
    }
    *out = (int)json_integer_value(v);
    return true;
}

static uint32_t literal(builder *b, const json_t *v, uint32_t next)
{
    char *t = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!t) return fail(b, "a value cannot be written%s", "");
    uint32_t x = text(b, t, next);
    free(t);
    return x;
}

static uint32_t enum_of(builder *b, const json_t *list, uint32_t next)
{
    uint32_t x = 0;
    if (!json_array_size(list)) return fail(b, "enum: expected a list that is not empty%s", "");
    for (size_t i = json_array_size(list); i-- > 0;) {
        uint32_t one = literal(b, json_array_get(list, i), next);
        x = i + 1 == json_array_size(list) ? one : either(b, one, x);
    }
    return x;
}

static bool is_required(const json_t *required, const char *key)
{
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (name && !strcmp(name, key)) return true;
    }
    return false;
}

/* Members in their order; what is not required may be left out, and the comma stands between those that are there:
 * `none` continues when no member came so far, `some` when one did. */
static uint32_t object_of(builder *b, const json_t *schema, uint32_t next)
{
    static const char *const known[] = {"type", "properties", "required", "additionalProperties",
                                        NULL};
    const json_t *p = json_object_get(schema, "properties"),
                 *required = json_object_get(schema, "required"),
                 *more = json_object_get(schema, "additionalProperties");
    if (!only(b, schema, known)) return 0;
    if ((p && !json_is_object(p)) || (required && !json_is_array(required)))
        return fail(b, "%s: not as JSON schema has it",
                    p && !json_is_object(p) ? "properties" : "required");
    size_t n = json_object_size(p);
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (!name || !json_object_get(p, name))
            return fail(b, "required: \"%.60s\" is not among the properties",
                        name ? name : "(no text)");
    }
    if (!n && json_is_false(more)) return text(b, "{", space(b, text(b, "}", next)));
    if (!n) return free_object(b, json_is_object(more) ? rule_of(b, more, NULL) : VALUE, next);
    const char **keys = slx_xcalloc(n, sizeof *keys), *key;
    json_t *v;
    size_t i = 0;
    json_object_foreach((json_t *)(uintptr_t)p, key, v) keys[i++] = key;
    uint32_t close = space(b, text(b, "}", next)), none = close, some = close;
    while (i-- > 0) {
        uint32_t member = rule_of(b, json_object_get(p, keys[i]), keys[i]);
        uint32_t first = space(b, call(b, member, some)),
                 later = space(b, text(b, ",", space(b, call(b, member, some))));
        bool must = is_required(required, keys[i]);
        none = must ? first : either(b, first, none);
        some = must ? later : either(b, later, some);
    }
    free(keys);
    return text(b, "{", none);
}

static uint32_t of_type(builder *b, const json_t *schema, const char *type, uint32_t next)
{
    static const char *const plain[] = {"type", NULL},
                             *const of_string[] = {"type", "minLength", "maxLength", NULL},
                             *const of_array[] = {"type", "items", "minItems", "maxItems", NULL};
    int least = 0, most = -1;
    if (!strcmp(type, "object")) return object_of(b, schema, next);
    if (!strcmp(type, "array")) {
        const json_t *items = json_object_get(schema, "items");
        if (!only(b, schema, of_array) || !count_of(b, schema, "minItems", MOST_ITEMS, &least) ||
            !count_of(b, schema, "maxItems", MOST_ITEMS, &most))
            return 0;
        if (most >= 0 && most < least) return fail(b, "maxItems is less than minItems%s", "");
        return array_of(b, json_is_object(items) ? rule_of(b, items, NULL) : VALUE, least, most,
                        next);
    }
    if (!strcmp(type, "string")) {
        if (!only(b, schema, of_string) || !count_of(b, schema, "minLength", MOST_CHARS, &least) ||
            !count_of(b, schema, "maxLength", MOST_CHARS, &most))
            return 0;
        if (most >= 0 && most < least) return fail(b, "maxLength is less than minLength%s", "");
        return string_of(b, least, most, next);
    }
    if (!only(b, schema, plain)) return 0;
    if (!strcmp(type, "integer")) return call(b, INTEGER, next);
    if (!strcmp(type, "number")) return call(b, NUMBER, next);
    if (!strcmp(type, "boolean")) return either(b, text(b, "true", next), text(b, "false", next));
    if (!strcmp(type, "null")) return text(b, "null", next);
    return fail(b, "type \"%.60s\" is not one of JSON", type);
}

/* Several types: keywords of one do not concern the others. */
static uint32_t of_types(builder *b, const json_t *schema, const json_t *types, uint32_t next)
{
    static const char *const with[][4] = {
        {"object", "properties", "required", "additionalProperties"},
        {"array", "items", "minItems", "maxItems"},
        {"string", "minLength", "maxLength", ""}};
    uint32_t x = 0;
    if (!json_array_size(types)) return fail(b, "type: expected a word or a list of them%s", "");
    for (size_t i = json_array_size(types); i-- > 0 && !b->failed;) {
        const char *type = json_string_value(json_array_get(types, i));
        json_t *own =
            json_copy((json_t *)(uintptr_t)schema); /* shallow: the schemas below stay the same */
        if (!type) {
            json_decref(own);
            return fail(b, "type: expected words%s", "");
        }
        for (size_t k = 0; k < 3; k++)
            for (size_t m = 1; m < 4 && strcmp(type, with[k][0]); m++)
                json_object_del(own, with[k][m]);
        uint32_t one = of_type(b, own, type, next);
        json_decref(own);
        x = i + 1 == json_array_size(types) ? one : either(b, one, x);
    }
    return x;
}

static uint32_t of_schema(builder *b, const json_t *s, uint32_t next)
{
    static const char *const refs[] = {"$ref", NULL}, *const enums[] = {"type", "enum", NULL},
                             *const consts[] = {"type", "const", NULL},
                             *const any[] = {"anyOf", NULL}, *const none[] = {NULL};
    if (b->failed) return 0;
    if (json_is_true(s)) return call(b, VALUE, next);
    if (!json_is_object(s)) return fail(b, "expected an object as schema%s", "");
    const json_t *ref = json_object_get(s, "$ref"), *list = json_object_get(s, "enum"),
                 *one = json_object_get(s, "const"), *of = json_object_get(s, "anyOf"),
                 *type = json_object_get(s, "type");
    if (json_is_string(ref)) {
        const json_t *to = only(b, s, refs) ? follow(b, json_string_value(ref)) : NULL;
        return to ? call(b, rule_of(b, to, NULL), next) : 0;
    }
    if (one) return only(b, s, consts) ? literal(b, one, next) : 0;
    if (list) return only(b, s, enums) ? enum_of(b, list, next) : 0;
    if (of) {
        uint32_t x = 0;
        if (!only(b, s, any)) return 0;
        if (!json_array_size(of)) return fail(b, "anyOf: expected a list that is not empty%s", "");
        for (size_t i = json_array_size(of); i-- > 0;) {
            uint32_t branch = call(b, rule_of(b, json_array_get(of, i), NULL), next);
            x = i + 1 == json_array_size(of) ? branch : either(b, branch, x);
        }
        return x;
    }
    if (json_is_string(type)) return of_type(b, s, json_string_value(type), next);
    if (json_is_array(type)) return of_types(b, s, type, next);
    if (json_object_get(s, "properties")) return object_of(b, s, next);
    return only(b, s, none) ? call(b, VALUE, next) : 0;
}

/* ------------------------------------------------------------------ endless recursion */

/* Rules that r may call before any byte, depth first; mark 1 = on the way, 2 = done. */
static bool ends(const slx_gr *g, uint32_t rule, uint8_t *mark);

static bool node_ends(const slx_gr *g, uint32_t at, uint8_t *mark)
{
    for (;;) { /* the last branch of a split goes on here: lists of alternatives are long */
        const slx_gr_node *n = &g->nodes[at];
        if (n->kind == SLX_GR_SPLIT) {
            if (!node_ends(g, n->next, mark)) return false;
            at = n->arg;
        } else if (n->kind == SLX_GR_CALL) {
            if (!ends(g, n->arg, mark)) return false;
            if (n->arg != SPACE) return true;
            at = n->next; /* SPACE alone may be empty */
        } else {
            return true;
        }
    }
}

static bool ends(const slx_gr *g, uint32_t rule, uint8_t *mark)
{
    if (mark[rule]) return mark[rule] == 2;
    mark[rule] = 1;
    bool ok = node_ends(g, g->rules[rule], mark);
    mark[rule] = 2;
    return ok;
}

/* ------------------------------------------------------------------ all of it */

static slx_status finish(builder *b)
{
    for (uint32_t i = N_FIXED; i < b->g->n_rules && !b->failed; i++) {
        uint32_t end = node(b, SLX_GR_END, 0, 0);
        const json_t *schema = b->of[i].schema;
        const char *key = b->of[i].key;
        b->root = b->of[i].root;
        uint32_t at = of_schema(b, schema, end);
        if (key) {
            json_t *name = json_string_nocheck(key);
            at = literal(b, name, space(b, text(b, ":", space(b, at))));
            json_decref(name);
        }
        b->g->rules[i] = at;
    }
    if (!b->failed) {
        uint8_t *mark = slx_xcalloc(b->g->n_rules, 1);
        for (uint32_t i = 0; i < b->g->n_rules && !b->failed; i++)
            if (!ends(b->g, i, mark)) fail(b, "a $ref leads back to itself without end%s", "");
        free(mark);
    }
    free(b->of);
    if (!b->failed) return SLX_OK;
    slx_gr_free(b->g);
    return b->err ? b->err->code : SLX_EUNSUPPORTED;
}

static slx_status parse(json_t **out, const char *p, size_t len, slx_err *err)
{
    json_error_t at;
    *out = json_loadb(p, len, JSON_REJECT_DUPLICATES, &at);
    return *out ? SLX_OK
                : slx_fail(err, SLX_EINPUT, "schema", at.line, at.column, "expected JSON: %s",
                           at.text);
}

slx_status slx_gr_of_schema(slx_gr *g, const char *schema, size_t len, const char *before,
                            const char *after, slx_err *err)
{
    json_t *s = NULL;
    slx_err own;
    memset(g, 0, sizeof *g);
    if (schema) SLX_TRY(parse(&s, schema, len, err));
    builder b = {.g = g, .root = s, .err = err ? err : &own};
    fixed_rules(&b);
    uint32_t end = text(&b, after ? after : "", node(&b, SLX_GR_END, 0, 0));
    uint32_t at = call(&b, s ? rule_of(&b, s, NULL) : (uint32_t)OBJECT, end);
    g->rules[ANSWER] = text(&b, before ? before : "", at);
    slx_status st = finish(&b);
    json_decref(s);
    return st;
}

slx_status slx_gr_of_calls(slx_gr *g, const char *tools, size_t len, const char *name,
                           const char *key, const char *before, const char *after, slx_err *err)
{
    json_t *list;
    slx_err own;
    memset(g, 0, sizeof *g);
    SLX_TRY(parse(&list, tools, len, err));
    builder b = {.g = g, .err = err ? err : &own};
    fixed_rules(&b);
    uint32_t end = text(&b, after ? after : "", node(&b, SLX_GR_END, 0, 0)), x = SLX_GR_NONE;
    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *f = json_object_get(json_array_get(list, i), "function"),
                     *fn = json_object_get(f, "name");
        if (!json_is_string(fn) || (name && strcmp(name, json_string_value(fn)))) continue;
        /* a $ref in the arguments' schema counts from that schema's own top */
        b.root = json_object_get(f, "parameters");
        uint32_t close = text(&b, "}", end), one = call(&b, rule_of(&b, b.root, NULL), close);
        one = text(&b, "\": ", one);
        one = text(&b, key, one);
        one = text(&b, "{\"name\": ", literal(&b, fn, text(&b, ", \"", one)));
        x = x == SLX_GR_NONE ? one : either(&b, one, x);
    }
    if (x == SLX_GR_NONE) fail(&b, "there is no function to call%s", "");
    if (!b.failed) g->rules[ANSWER] = text(&b, before ? before : "", x);
    slx_status st = finish(&b);
    json_decref(list);
    return st;
}

void slx_gr_free(slx_gr *g)
{
    free(g->nodes);
    free(g->sets);
    free(g->rules);
    memset(g, 0, sizeof *g);
}
