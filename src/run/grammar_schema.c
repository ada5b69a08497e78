/* grammar_schema.c - see grammar_build.h: the keywords of a JSON schema.
 *
 * A schema that is referred to, or stands twice, is a rule that is called; rules are numbered when first met and built
 * when the list comes to them, so recursion is natural. A rule that can reach itself before any byte would never end:
 * such a schema is refused.
 */
#include "run/grammar_build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ITEMS = 256, MOST_CHARS = 1024, MOST_ONE_OF = 64 };

static uint32_t of_schema(gr_builder *b, const json_t *s, uint32_t next);

/* ------------------------------------------------------------------ references, keywords */

/* ~1 and ~0 of a JSON pointer (RFC 6901), and %XX of the fragment it stands in. */
static void unescape(char *p)
{
    char *out = p;
    for (; *p; p++) {
        unsigned byte;
        if (*p == '%' && sscanf(p + 1, "%2x", &byte) == 1 && byte && p[1] && p[2]) {
            *out++ = (char)byte;
            p += 2;
        } else if (*p == '~' && (p[1] == '0' || p[1] == '1')) {
            *out++ = *++p == '1' ? '/' : '~';
        } else {
            *out++ = *p;
        }
    }
    *out = 0;
}

static const json_t *child(const json_t *at, const char *name)
{
    int64_t i;
    if (!json_is_array(at)) return json_object_get(at, name);
    return slx_parse_i64(name, 0, INT32_MAX, &i) ? json_array_get(at, (size_t)i) : NULL;
}

const json_t *gr_follow(gr_builder *b, const char *ref)
{
    const json_t *at = b->root;
    if (strcmp(ref, "#") && strncmp(ref, "#/", 2))
        return gr_fail(b, "$ref \"%.80s\": only # and #/... are supported", ref), NULL;
    for (const char *p = ref + 1; *p && at;) {
        char name[128];
        size_t n = strcspn(++p, "/");
        if (n >= sizeof name) return gr_fail(b, "$ref \"%.80s\": too long", ref), NULL;
        memcpy(name, p, n);
        name[n] = 0;
        unescape(name);
        at = child(at, name);
        p += n;
    }
    if (!at) gr_fail(b, "$ref \"%.80s\": not found", ref);
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
static bool only(gr_builder *b, const json_t *schema, const char *const *known)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)schema, key, v)
    {
        bool ok = annotation(key);
        for (int i = 0; known[i]; i++) ok |= !strcmp(key, known[i]);
        if (!ok) return gr_fail(b, "the keyword \"%.60s\" is not supported here", key), false;
    }
    return true;
}

static bool count_of(gr_builder *b, const json_t *schema, const char *key, int most, int *out)
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

uint32_t gr_literal(gr_builder *b, const json_t *v, uint32_t next)
{
    char *t = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!t) return gr_fail(b, "a value cannot be written%s", "");
    uint32_t x = gr_text(b, t, next);
    free(t);
    return x;
}

/* One alternative more; *x is SLX_GR_NONE before the first. */
static void branch(gr_builder *b, uint32_t *x, uint32_t one)
{
    *x = *x == SLX_GR_NONE ? one : gr_either(b, one, *x);
}

/* ------------------------------------------------------------------ one type */

/* Members in their order; what is not required may be left out, and the comma stands between those that are there:
 * `none` continues when no member came so far, `some` when one did. */
static uint32_t object_of(gr_builder *b, const json_t *schema, uint32_t next)
{
    static const char *const known[] = {"type", "properties", "required", "additionalProperties",
                                        NULL};
    const json_t *p = json_object_get(schema, "properties"),
                 *required = json_object_get(schema, "required"),
                 *more = json_object_get(schema, "additionalProperties");
    if (!only(b, schema, known)) return 0;
    if ((p && !json_is_object(p)) || (required && !json_is_array(required)))
        return gr_fail(b, "%s: not as JSON schema has it",
                       p && !json_is_object(p) ? "properties" : "required");
    size_t n = json_object_size(p);
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (!name || !json_object_get(p, name))
            return gr_fail(b, "required: \"%.60s\" is not among the properties",
                           name ? name : "(no text)");
    }
    if (json_array_size(required) > n)
        return gr_fail(b, "required: more names than there are properties%s", "");
    if (!n && json_is_false(more)) return gr_text(b, "{", gr_space(b, gr_text(b, "}", next)));
    if (!n)
        return gr_free_object(
            b, json_is_object(more) ? gr_rule_of(b, more, NULL) : (uint32_t)GR_VALUE, next);
    const char **keys = slx_xcalloc(n, sizeof *keys), *key;
    json_t *v;
    size_t i = 0;
    json_object_foreach((json_t *)(uintptr_t)p, key, v) keys[i++] = key;
    uint32_t close = gr_space(b, gr_text(b, "}", next)), none = close, some = close;
    while (i-- > 0 && !b->failed) {
        uint32_t member = gr_rule_of(b, json_object_get(p, keys[i]), keys[i]);
        uint32_t first = gr_space(b, gr_call(b, member, some)),
                 later = gr_space(b, gr_text(b, ",", gr_space(b, gr_call(b, member, some))));
        bool must = gr_is_required(required, keys[i]);
        none = must ? first : gr_either(b, first, none);
        some = must ? later : gr_either(b, later, some);
    }
    free(keys);
    return gr_text(b, "{", none);
}

static uint32_t array_of(gr_builder *b, const json_t *schema, uint32_t next)
{
    static const char *const known[] = {"type",     "items",    "prefixItems",
                                        "minItems", "maxItems", NULL};
    const json_t *items = json_object_get(schema, "items"),
                 *first = json_object_get(schema, "prefixItems");
    int least = 0, most = -1, n = (int)json_array_size(first);
    uint32_t rules[MOST_ITEMS];
    if (!only(b, schema, known) || !count_of(b, schema, "minItems", MOST_ITEMS, &least) ||
        !count_of(b, schema, "maxItems", MOST_ITEMS, &most))
        return 0;
    if (n > MOST_ITEMS || (first && !json_is_array(first)))
        return gr_fail(b, "prefixItems: expected a list of at most 256 schemas%s", "");
    if (json_is_array(items))
        return gr_fail(b, "items: expected a schema; prefixItems is a list of them%s", "");
    if (json_is_false(items) && (most < 0 || most > n)) most = n;
    if (most >= 0 && most < least) return gr_fail(b, "maxItems is less than minItems%s", "");
    for (int i = 0; i < n; i++) rules[i] = gr_rule_of(b, json_array_get(first, (size_t)i), NULL);
    return gr_array_of(b, rules, n,
                       json_is_object(items) ? gr_rule_of(b, items, NULL) : (uint32_t)GR_VALUE,
                       least, most, next);
}

/* A pattern, a format, or a length: two of them at once would have to hold together. */
static uint32_t string_of(gr_builder *b, const json_t *schema, uint32_t next)
{
    static const char *const lengths[] = {"type", "minLength", "maxLength", NULL},
                             *const patterns[] = {"type", "pattern", NULL},
                             *const formats[] = {"type", "format", NULL};
    const json_t *pattern = json_object_get(schema, "pattern"),
                 *format = json_object_get(schema, "format");
    int least = 0, most = -1;
    if (json_is_string(pattern))
        return only(b, schema, patterns) ? gr_pattern(b, json_string_value(pattern), next) : 0;
    if (json_is_string(format))
        return only(b, schema, formats) ? gr_format(b, json_string_value(format), next) : 0;
    if (!only(b, schema, lengths) || !count_of(b, schema, "minLength", MOST_CHARS, &least) ||
        !count_of(b, schema, "maxLength", MOST_CHARS, &most))
        return 0;
    if (most >= 0 && most < least) return gr_fail(b, "maxLength is less than minLength%s", "");
    return gr_string_of(b, least, most, next);
}

/* The keyword's number; as it is when there is none. */
static bool bound_of(gr_builder *b, const json_t *schema, const char *key, double *out)
{
    const json_t *v = json_object_get(schema, key);
    if (v && !json_is_number(v)) return gr_fail(b, "%s: expected a number", key), false;
    if (v) *out = json_number_value(v);
    return true;
}

static uint32_t number_of(gr_builder *b, const json_t *schema, bool whole, uint32_t next)
{
    static const char *const known[] = {
        "type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", NULL};
    gr_bounds at = {.low = -INFINITY, .high = INFINITY};
    double above = -INFINITY, below = INFINITY;
    if (!only(b, schema, known) || !bound_of(b, schema, "minimum", &at.low) ||
        !bound_of(b, schema, "maximum", &at.high) ||
        !bound_of(b, schema, "exclusiveMinimum", &above) ||
        !bound_of(b, schema, "exclusiveMaximum", &below))
        return 0;
    if (above >= at.low && above > -INFINITY) at.low = above, at.above = true;
    if (below <= at.high && below < INFINITY) at.high = below, at.below = true;
    if (at.low == -INFINITY && at.high == INFINITY)
        return gr_call(b, whole ? GR_INTEGER : GR_NUMBER, next);
    return whole ? gr_integer_between(b, at, next) : gr_number_between(b, at, next);
}

static uint32_t of_type(gr_builder *b, const json_t *schema, const char *type, uint32_t next)
{
    static const char *const plain[] = {"type", NULL};
    if (!strcmp(type, "object")) return object_of(b, schema, next);
    if (!strcmp(type, "array")) return array_of(b, schema, next);
    if (!strcmp(type, "string")) return string_of(b, schema, next);
    if (!strcmp(type, "integer")) return number_of(b, schema, true, next);
    if (!strcmp(type, "number")) return number_of(b, schema, false, next);
    if (!only(b, schema, plain)) return 0;
    if (!strcmp(type, "boolean"))
        return gr_either(b, gr_text(b, "true", next), gr_text(b, "false", next));
    if (!strcmp(type, "null")) return gr_text(b, "null", next);
    return gr_fail(b, "type \"%.60s\" is not one of JSON", type);
}

/* ------------------------------------------------------------------ several */

/* Several types: keywords of one do not concern the others. */
static uint32_t of_types(gr_builder *b, const json_t *schema, const json_t *types, uint32_t next)
{
    static const struct {
        int bits;
        const char *keys[6];
    } with[] = {
        {GR_T_OBJECT, {"properties", "required", "additionalProperties"}},
        {GR_T_ARRAY, {"items", "prefixItems", "minItems", "maxItems"}},
        {GR_T_STRING, {"minLength", "maxLength", "pattern", "format"}},
        {GR_T_INTEGER | GR_T_REAL, {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}}};
    uint32_t x = SLX_GR_NONE;
    if (!json_array_size(types)) return gr_fail(b, "type: expected a word or a list of them%s", "");
    for (size_t i = json_array_size(types); i-- > 0 && !b->failed;) {
        const char *type = json_string_value(json_array_get(types, i));
        if (!type) return gr_fail(b, "type: expected words%s", "");
        json_t *own =
            json_copy((json_t *)(uintptr_t)schema); /* shallow: the schemas below stay the same */
        for (size_t k = 0; k < sizeof with / sizeof *with; k++)
            for (int m = 0; m < 6 && with[k].keys[m] && !(gr_type_bit(type) & with[k].bits); m++)
                json_object_del(own, with[k].keys[m]);
        branch(b, &x, of_type(b, own, type, next));
        json_decref(own);
    }
    return x;
}

/* Values listed, of which those of another type are not valid. */
static uint32_t of_values(gr_builder *b, const json_t *s, uint32_t next)
{
    static const char *const known[] = {"type", "enum", "const", NULL};
    json_t *list = gr_values_of(s);
    const json_t *also = json_object_get(s, "const") ? json_object_get(s, "enum") : NULL;
    int bits = gr_type_bits(json_object_get(s, "type"));
    uint32_t x = SLX_GR_NONE;
    if (only(b, s, known) && (!json_is_array(list) || !json_array_size(list)))
        gr_fail(b, "enum: expected a list that is not empty%s", "");
    for (size_t i = json_array_size(list); i-- > 0 && !b->failed;) {
        const json_t *v = json_array_get(list, i);
        if ((gr_value_bit(v) & bits) && (!also || gr_holds(also, v)))
            branch(b, &x, gr_literal(b, v, next));
    }
    json_decref(list);
    if (b->failed) return 0;
    return x == SLX_GR_NONE ? gr_fail(b, "no value of enum or const is of the type%s", "") : x;
}

static uint32_t any_of(gr_builder *b, const json_t *list, const char *name, uint32_t next)
{
    uint32_t x = SLX_GR_NONE;
    if (!json_array_size(list)) return gr_fail(b, "%s: expected a list that is not empty", name);
    for (size_t i = json_array_size(list); i-- > 0;)
        branch(b, &x, gr_call(b, gr_rule_of(b, json_array_get(list, i), NULL), next));
    return x;
}

/* Exactly one of them: the same as any of them when no two can hold at once. */
static uint32_t one_of(gr_builder *b, const json_t *list, uint32_t next)
{
    if (json_array_size(list) > MOST_ONE_OF) return gr_fail(b, "oneOf: more than 64 schemas%s", "");
    for (size_t i = 0; i < json_array_size(list); i++)
        for (size_t k = 0; k < i && !b->failed; k++)
            if (!gr_disjoint(b, json_array_get(list, i), json_array_get(list, k)))
                return gr_fail(b, "oneOf: two of its schemas may hold at once%s", "");
    return b->failed ? 0 : any_of(b, list, "oneOf", next);
}

static uint32_t of_schema(gr_builder *b, const json_t *s, uint32_t next)
{
    static const char *const refs[] = {"$ref", NULL}, *const any[] = {"anyOf", NULL},
                             *const one[] = {"oneOf", "discriminator", NULL},
                             *const all[] = {"allOf", NULL}, *const none[] = {NULL};
    if (b->failed) return 0;
    if (json_is_true(s)) return gr_call(b, GR_VALUE, next);
    if (!json_is_object(s)) return gr_fail(b, "expected an object as schema%s", "");
    const json_t *ref = json_object_get(s, "$ref"), *type = json_object_get(s, "type"),
                 *of = json_object_get(s, "allOf");
    if (json_is_string(ref)) {
        const json_t *to = only(b, s, refs) ? gr_follow(b, json_string_value(ref)) : NULL;
        return to ? gr_call(b, gr_rule_of(b, to, NULL), next) : 0;
    }
    if (json_object_get(s, "const") || json_object_get(s, "enum")) return of_values(b, s, next);
    if (json_object_get(s, "anyOf"))
        return only(b, s, any) ? any_of(b, json_object_get(s, "anyOf"), "anyOf", next) : 0;
    if (json_object_get(s, "oneOf"))
        return only(b, s, one) ? one_of(b, json_object_get(s, "oneOf"), next) : 0;
    if (of) {
        if (!only(b, s, all)) return 0;
        if (json_array_size(of) != 1)
            return gr_fail(b, "allOf: only of one schema is supported%s", "");
        return gr_call(b, gr_rule_of(b, json_array_get(of, 0), NULL), next);
    }
    if (json_is_string(type)) return of_type(b, s, json_string_value(type), next);
    if (json_is_array(type)) return of_types(b, s, type, next);
    if (json_object_get(s, "properties")) return object_of(b, s, next);
    return only(b, s, none) ? gr_call(b, GR_VALUE, next) : 0;
}

/* ------------------------------------------------------------------ endless recursion */

typedef struct {
    const slx_gr *g;
    uint8_t *rule; /* 1 = on the way, 2 = done */
    uint8_t *node; /* seen: its first visit tells */
} search;

/* Does every way from this rule come to a byte or to its end, and not to a rule it is in? */
static bool ends(search *s, uint32_t rule)
{
    uint32_t *todo = NULL, n = 0, cap = 0;
    bool ok = true;
    if (s->rule[rule]) return s->rule[rule] == 2;
    s->rule[rule] = 1;
    for (uint32_t at = s->g->rules[rule];;) {
        const slx_gr_node *x = &s->g->nodes[at];
        uint32_t to[2], k = 0;
        if (!s->node[at]) {
            s->node[at] = 1;
            if (x->kind == SLX_GR_SPLIT) to[k++] = x->next, to[k++] = x->arg;
            if (x->kind == SLX_GR_CALL) ok = ends(s, x->arg);
            if (x->kind == SLX_GR_CALL && x->arg == GR_SPACE)
                to[k++] = x->next; /* it alone may be empty */
        }
        if (n + k > cap) todo = slx_xrealloc(todo, (cap = 2 * cap + 64) * sizeof *todo);
        while (k) todo[n++] = to[--k];
        if (!n || !ok) break;
        at = todo[--n];
    }
    free(todo);
    s->rule[rule] = 2;
    return ok;
}

/* ------------------------------------------------------------------ all rules */

static void build_rule(gr_builder *b, uint32_t i)
{
    const char *key = b->of[i].key;
    b->root = b->of[i].root;
    uint32_t at = of_schema(b, b->of[i].schema, gr_end(b));
    if (key) {
        json_t *name = json_string_nocheck(key);
        at = gr_literal(b, name, gr_space(b, gr_text(b, ":", gr_space(b, at))));
        json_decref(name);
    }
    b->g->rules[i] = at;
}

bool gr_build_rules(gr_builder *b)
{
    for (uint32_t i = GR_N_FIXED; i < b->g->n_rules && !b->failed; i++) build_rule(b, i);
    if (b->failed) return false;
    search s = {b->g, slx_xcalloc(b->g->n_rules, 1), slx_xcalloc(b->g->n_nodes, 1)};
    for (uint32_t i = 0; i < b->g->n_rules && !b->failed; i++)
        if (!ends(&s, i)) gr_fail(b, "a $ref leads back to itself without end%s", "");
    free(s.rule);
    free(s.node);
    return !b->failed;
}
