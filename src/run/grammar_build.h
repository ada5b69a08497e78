/* grammar_build.h - building the nodes of a grammar (grammar_int.h), from the back: every piece is given the node that
 * follows it and returns its own first node, so a sequence is pieces from last to first, and only loops are patched.
 *
 *   grammar_build.c   nodes, rules, literal text
 *   grammar_json.c    what every JSON has: space, strings, numbers, arrays, objects
 *   grammar_text.c    strings of a pattern or a format
 *   grammar_range.c   numbers between two bounds
 *   grammar_kind.c    which values a schema can have at all
 *   grammar_schema.c  keywords of a JSON schema
 *   grammar_form.c    a whole answer: JSON, calls of functions, text before them
 *
 * After a failure every function returns some node; only builder.failed counts then.
 */
#ifndef SLX_RUN_GRAMMAR_BUILD_H
#define SLX_RUN_GRAMMAR_BUILD_H

#include "run/grammar_int.h"

#include <jansson.h>

enum { GR_INTEGER_DIGITS = 16 };

/* Rules that every grammar may call. */
typedef enum {
    GR_ANSWER,
    GR_VALUE,
    GR_OBJECT,
    GR_ARRAY,
    GR_STRING,
    GR_CHAR,
    GR_NUMBER,
    GR_INTEGER,
    GR_SPACE,
    GR_N_FIXED
} gr_fixed;

typedef struct {
    slx_gr *g;
    const json_t *root; /* where a $ref counts from */
    struct {
        const json_t *schema; /* whose rule this is; NULL for the fixed ones */
        const char *key;      /* a member: its name comes first */
        const json_t *root;
    } * of; /* [n_rules] */
    uint32_t cap_of;
    uint16_t recent[1024]; /* a set by its hash, + 1: looked for there only, so that many sets take no longer */
    slx_err *err;
    bool failed;
} gr_builder;

/* ------------------------------------------------------------------ grammar_build.c */

/* SLX_EUNSUPPORTED, the first time; fmt has one %s. */
uint32_t gr_fail(gr_builder *b, const char *fmt, const char *what);
uint32_t gr_node(gr_builder *b, slx_gr_kind kind, uint32_t next, uint32_t arg);
uint32_t gr_end(gr_builder *b);
uint32_t gr_set_node(gr_builder *b, slx_gr_set s, uint32_t next); /* one byte of s */
slx_gr_set gr_range(unsigned low, unsigned high);                     /* both counted in */
slx_gr_set gr_any_of(const char *chars);
uint32_t gr_text(gr_builder *b, const char *text, uint32_t next);
uint32_t gr_either(gr_builder *b, uint32_t x, uint32_t y);
uint32_t gr_call(gr_builder *b, uint32_t rule, uint32_t next);
/* A branch of which the first half, a loop back to it, is not built yet; gr_close_loop puts it in. */
uint32_t gr_loop(gr_builder *b, uint32_t next);
uint32_t gr_close_loop(gr_builder *b, uint32_t loop, uint32_t again); /* returns loop */
/* The rule of this schema; with a key the member "key": schema. Numbered when first met. */
uint32_t gr_rule_of(gr_builder *b, const json_t *schema, const char *key);

/* ------------------------------------------------------------------ grammar_json.c */

void gr_fixed_rules(gr_builder *b);
uint32_t gr_space(gr_builder *b, uint32_t next);
/* At least `least` and at most `most` digits. */
uint32_t gr_digits(gr_builder *b, int least, int most, uint32_t next);
/* In quotes, of least to most characters; most negative: no end. */
uint32_t gr_string_of(gr_builder *b, int least, int most, uint32_t next);
/* [ first[0], .., first[n_first - 1], item ... ], rules, of least to most elements in all; most negative: no end. */
uint32_t gr_array_of(gr_builder *b, const uint32_t *first, int n_first, uint32_t item, int least, int most,
                         uint32_t next);
uint32_t gr_free_object(gr_builder *b, uint32_t value, uint32_t next);

/* ------------------------------------------------------------------ grammar_kind.c */

/* Types as bits; 1.0 is an integer too. */
enum {
    GR_T_OBJECT = 1,
    GR_T_ARRAY = 2,
    GR_T_STRING = 4,
    GR_T_INTEGER = 8,
    GR_T_REAL = 16,
    GR_T_BOOLEAN = 32,
    GR_T_NULL = 64,
    GR_T_ALL = 127
};

int gr_type_bit(const char *word);       /* of a name; 0 = there is none such */
int gr_type_bits(const json_t *type);    /* of the keyword type: a name or a list of them; all when there is none */
int gr_value_bit(const json_t *v);
json_t *gr_values_of(const json_t *s);   /* const and enum as a list, new; NULL: the schema does not list its values */
bool gr_holds(const json_t *list, const json_t *v);
bool gr_is_required(const json_t *required, const char *key);
/* No value is valid for both, as far as this can tell. */
bool gr_disjoint(gr_builder *b, const json_t *x, const json_t *y);

/* ------------------------------------------------------------------ grammar_schema.c */

/* What a $ref names; NULL: b has failed. */
const json_t *gr_follow(gr_builder *b, const char *ref);

uint32_t gr_literal(gr_builder *b, const json_t *v, uint32_t next); /* the value as compact JSON */
/* Every rule that was numbered, and those they need; false: b has failed. */
bool gr_build_rules(gr_builder *b);

/* ------------------------------------------------------------------ grammar_text.c */

/* A string, in quotes, all of which the expression matches, as if it stood between ^ and $. */
uint32_t gr_pattern(gr_builder *b, const char *pattern, uint32_t next);
uint32_t gr_format(gr_builder *b, const char *format, uint32_t next);

/* ------------------------------------------------------------------ grammar_range.c */

typedef struct {
    double low, high; /* infinite = none */
    bool above, below; /* the bound itself is out */
} gr_bounds;

uint32_t gr_integer_between(gr_builder *b, gr_bounds at, uint32_t next);
uint32_t gr_number_between(gr_builder *b, gr_bounds at, uint32_t next);

#endif
