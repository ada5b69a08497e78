/* grammar_kind.c - see grammar_build.h: which values a schema can have, as far as type, enum and const tell. */
#include "run/grammar_build.h"

#include <math.h>
#include <string.h>

int gr_type_bit(const char *word)
{
    static const struct {
        const char *name;
        int bits;
    } rows[] = {{"object", GR_T_OBJECT},
                {"array", GR_T_ARRAY},
                {"string", GR_T_STRING},
                {"integer", GR_T_INTEGER},
                {"number", GR_T_INTEGER | GR_T_REAL},
                {"boolean", GR_T_BOOLEAN},
                {"null", GR_T_NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(word, rows[i].name)) return rows[i].bits;
    return 0;
}

int gr_value_bit(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT: return GR_T_OBJECT;
    case JSON_ARRAY: return GR_T_ARRAY;
    case JSON_STRING: return GR_T_STRING;
    case JSON_INTEGER: return GR_T_INTEGER;
    case JSON_REAL:
        return json_real_value(v) == floor(json_real_value(v)) ? GR_T_INTEGER : GR_T_REAL;
    case JSON_NULL: return GR_T_NULL;
    default: return GR_T_BOOLEAN;
    }
}

/* Of the keyword type: a word or a list of them. */
int gr_type_bits(const json_t *type)
{
    int bits = 0;
    if (json_is_string(type)) return gr_type_bit(json_string_value(type));
    for (size_t i = 0; i < json_array_size(type); i++) {
        const char *word = json_string_value(json_array_get(type, i));
        bits |= word ? gr_type_bit(word) : 0;
    }
    return json_is_array(type) ? bits : GR_T_ALL;
}

/* const and enum as a list, new; NULL: the schema does not list its values. */
json_t *gr_values_of(const json_t *s)
{
    json_t *one = json_object_get(s, "const"), *list = json_object_get(s, "enum");
    return one ? json_pack("[O]", one) : json_incref(list);
}

/* 1 and 1.0 are one number. */
static bool same(const json_t *x, const json_t *y)
{
    return json_equal(x, y) ||
           (json_is_number(x) && json_is_number(y) && json_number_value(x) == json_number_value(y));
}

bool gr_holds(const json_t *list, const json_t *v)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (same(json_array_get(list, i), v)) return true;
    return false;
}

/* Both list their values, and have none in common. */
static bool apart(const json_t *x, const json_t *y)
{
    json_t *a = gr_values_of(x), *b = gr_values_of(y);
    bool ok = json_is_array(a) && json_is_array(b);
    for (size_t i = 0; i < json_array_size(a) && ok; i++) ok = !gr_holds(b, json_array_get(a, i));
    json_decref(a);
    json_decref(b);
    return ok;
}

bool gr_is_required(const json_t *required, const char *key)
{
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (name && !strcmp(name, key)) return true;
    }
    return false;
}

static int bits_of(const json_t *s)
{
    json_t *values = gr_values_of(s);
    int bits = values ? 0 : GR_T_ALL;
    for (size_t i = 0; i < json_array_size(values); i++)
        bits |= gr_value_bit(json_array_get(values, i));
    json_decref(values);
    return bits & gr_type_bits(json_object_get(s, "type"));
}

/* No value is valid for both, as far as this can tell: other types, other values, or a member that both require has
 * other values. */
bool gr_disjoint(gr_builder *b, const json_t *x, const json_t *y)
{
    const char *key;
    json_t *v;
    for (int i = 0; i < 16 && json_object_get(x, "$ref"); i++)
        x = gr_follow(b, json_string_value(json_object_get(x, "$ref")));
    for (int i = 0; i < 16 && json_object_get(y, "$ref"); i++)
        y = gr_follow(b, json_string_value(json_object_get(y, "$ref")));
    if (!(bits_of(x) & bits_of(y)) || apart(x, y)) return true;
    if ((bits_of(x) | bits_of(y)) != GR_T_OBJECT) return false;
    json_t *theirs = json_object_get(y, "properties");
    json_object_foreach(json_object_get(x, "properties"), key, v)
    {
        if (gr_is_required(json_object_get(x, "required"), key) &&
            gr_is_required(json_object_get(y, "required"), key) &&
            apart(v, json_object_get(theirs, key)))
            return true;
    }
    return false;
}
