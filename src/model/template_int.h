/* template_int.h - inside of the chat-template interpreter (a subset of Jinja with Python's semantics of values).
 *
 *   text --template_lex.c--> tokens --template_parse.h--> tpl_node tree (in the caller's arena, never changed again)
 *   tree + JSON variables --template_eval.c--> text and marks
 *        template_value.c  values: truth, equality, order, str, repr        template_json.c   JSON in and out
 *        template_string.c what Python's str can do, marks kept             template_method.c methods and functions
 *        template_filter.c filters and tests                               template_format.c  % and str.format
 *        template_op.c     operators
 *
 * Invariant of marks: a string is bytes plus, when any byte came from the user, one mark byte for each of its bytes.
 * Whoever makes a new string from an old one copies the marks with the bytes; text of the template has none.
 * Errors leave through longjmp: everything a render allocates lives in its arena, so nothing needs unwinding.
 */
#ifndef SLX_TEMPLATE_INT_H
#define SLX_TEMPLATE_INT_H

#include "model/model.h"

#include <setjmp.h>

/* Bounds that make a hostile template end with an error. */
#define TPL_MAX_TEXT ((size_t)1 << 20)     /* bytes of a template */
#define TPL_MAX_VARS ((size_t)32 << 20)    /* bytes of the variables' JSON */
#define TPL_MAX_OUT ((size_t)16 << 20)     /* bytes of any one string or output */
#define TPL_MAX_MEM ((size_t)256 << 20)    /* bytes a render may allocate in all */
#define TPL_MAX_STEPS 10000000u            /* evaluations, plus one for each 16 bytes or elements touched */
#define TPL_MAX_RANGE 100000               /* as Jinja's sandbox */
#define TPL_MAX_NEST 200                   /* nesting in the template's text */
#define TPL_MAX_DEPTH 1000                 /* evaluation inside evaluation, macros included */
#define TPL_MAX_VALUE_DEPTH 200            /* lists in lists */

/* ------------------------------------------------------------------ values */

typedef enum {
    TPL_MISSING, /* an argument not given; never seen by a template */
    TPL_UNDEFINED,
    TPL_NONE,
    TPL_BOOL,
    TPL_INT,
    TPL_FLOAT,
    TPL_STR,
    TPL_LIST, /* every ordered collection; tpl_form says which */
    TPL_DICT,
    TPL_NAMESPACE,
    TPL_MACRO,
    TPL_FUNCTION,
    TPL_METHOD, /* a method bound to its object */
    TPL_LOOP,
} tpl_kind;

/* What Python would call the collection: decides repr, indexing, len and truth. */
typedef enum {
    TPL_F_LIST,
    TPL_F_TUPLE,
    TPL_F_RANGE,
    TPL_F_KEYS,
    TPL_F_VALUES,
    TPL_F_ITEMS,
    TPL_F_GENERATOR, /* can be walked once; has no length */
} tpl_form;

typedef struct tpl_node tpl_node;
typedef struct tpl_run tpl_run;
typedef struct tpl_scope tpl_scope;
typedef struct tpl_list tpl_list;
typedef struct tpl_dict tpl_dict;
typedef struct tpl_macro tpl_macro;
typedef struct tpl_loop tpl_loop;
typedef struct tpl_method tpl_method;
typedef struct tpl_argv tpl_argv;

typedef struct {
    const char *p;    /* UTF-8, not terminated */
    const uint8_t *m; /* a mark for each byte, or NULL: nothing here came from the user */
    size_t n;
} tpl_str;

typedef struct {
    tpl_kind kind;
    union {
        bool b;
        int64_t i;
        double f;
        const tpl_str *s;
        tpl_list *l;
        tpl_dict *d; /* also of TPL_NAMESPACE */
        const tpl_macro *macro;
        tpl_loop *loop;
        const tpl_method *method;
        const struct tpl_function *fn;
        const tpl_str *what; /* TPL_UNDEFINED: the name or attribute that was looked for */
    } u;
} tpl_value;

struct tpl_list {
    tpl_value *v;
    size_t n, cap;
    tpl_form form;
    bool spent;                /* a generator that has been walked */
    int64_t start, stop, step; /* of a range, for its repr */
};

struct tpl_dict { /* in order of insertion */
    tpl_value *k, *v;
    size_t n, cap;
};

struct tpl_macro {
    const tpl_node *def;
    tpl_scope *scope; /* where it was defined */
};

struct tpl_loop {
    const tpl_list *items;
    size_t i;
};

struct tpl_argv {
    const tpl_value *pos;
    size_t n_pos;
    const slx_str *kw_names;
    const tpl_value *kw;
    size_t n_kw;
};

struct tpl_function {
    const char *name;
    tpl_value (*fn)(tpl_run *r, const tpl_argv *a);
};

struct tpl_method {
    tpl_value self;
    const char *name;
    tpl_value (*fn)(tpl_run *r, tpl_value self, const tpl_argv *a); /* NULL: Python has it, Silex does not */
};

/* ------------------------------------------------------------------ tree */

typedef enum {
    /* expressions: a, b, c are operands; kid[] lists */
    TPL_E_CONST, TPL_E_NAME, TPL_E_LIST, TPL_E_TUPLE, TPL_E_DICT /* kid: key, value, .. */,
    TPL_E_ATTR /* a.name */, TPL_E_ITEM /* a[b] */, TPL_E_SLICE /* a[kid0:kid1:kid2], NULL when absent */,
    TPL_E_CALL, TPL_E_FILTER /* a NULL: the block's text */, TPL_E_TEST /* op 1: is not */,
    TPL_E_NOT, TPL_E_NEG, TPL_E_POS, TPL_E_BIN /* op */, TPL_E_AND, TPL_E_OR,
    TPL_E_COND /* b if a else c */, TPL_E_COMPARE /* a, then kid[i] by ops[i] */, TPL_E_CONCAT,
    /* statements */
    TPL_S_TEXT, TPL_S_PRINT, TPL_S_BODY, TPL_S_IF /* kid: test, body, ..; c = else */,
    TPL_S_FOR /* target a in b if test; c = body; kid0 = else */, TPL_S_SET /* a = b */,
    TPL_S_SET_BLOCK /* a, filter b, body c */, TPL_S_MACRO /* kid: defaults; names; c = body */,
    TPL_S_CALL /* b = the call, kid and names of caller, c = body */, TPL_S_FILTER /* b, body c */,
    TPL_S_WITH /* kid: target, value, ..; c = body */, TPL_S_BREAK, TPL_S_CONTINUE,
} tpl_node_kind;

/* Operators of two or three characters; those of one are themselves. */
enum { TPL_EQ = 128, TPL_NE, TPL_LE, TPL_GE, TPL_POW, TPL_FLOORDIV, TPL_IN, TPL_NOT_IN };

/* In the op of a macro or call block: which of Jinja's special names its body holds. */
enum { TPL_USES_VARARGS = 1, TPL_USES_KWARGS = 2, TPL_USES_CALLER = 4 };

struct tpl_node {
    tpl_node_kind kind;
    uint8_t op;
    uint32_t off; /* byte of the template's text, for messages */
    slx_str name; /* of a name, attribute, filter, test, macro */
    tpl_node *a, *b, *c;
    tpl_node *test;  /* of a for loop */
    tpl_node **kid;  /* call, filter, test: positional arguments */
    size_t n_kid;
    tpl_node **kw;   /* keyword arguments, named by names */
    slx_str *names;
    size_t n_names;
    uint8_t *ops;    /* of a comparison */
    tpl_value value; /* of a constant or text */
};

struct slx_template {
    const char *name;
    const char *text; /* newlines made \n, one at the end dropped */
    size_t len;
    const tpl_node *body;
};

/* ------------------------------------------------------------------ tokens */

typedef enum {
    TPL_T_END, TPL_T_DATA, TPL_T_VAR_BEGIN, TPL_T_VAR_END, TPL_T_BLOCK_BEGIN, TPL_T_BLOCK_END,
    TPL_T_NAME, TPL_T_STRING, TPL_T_INT, TPL_T_FLOAT, TPL_T_OP,
} tpl_token_kind;

typedef struct {
    tpl_token_kind kind;
    uint8_t op;
    uint32_t off;
    slx_str text; /* data, name, string (escapes resolved) */
    int64_t i;
    double f;
} tpl_token;

typedef struct {
    slx_template *t;
    slx_arena *arena;  /* of the tree */
    slx_arena scratch; /* of the tokens */
    slx_err *err;
    jmp_buf jmp;
    tpl_token *tok;
    size_t n_tok, cap_tok;
    size_t pos;
    int nest, loops;
    uint8_t uses; /* TPL_USES_* of the macro being read */
} tpl_parse;

_Noreturn void tpl_syntax(tpl_parse *p, uint32_t off, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void tpl_lex(tpl_parse *p);                    /* t->text -> tok[], the last one TPL_T_END */
const tpl_node *tpl_parse_tokens(tpl_parse *p);
/* Fills err with the template's place of byte off. */
slx_status tpl_place(const slx_template *t, slx_err *err, uint32_t off, const char *msg);

/* ------------------------------------------------------------------ a render */

/* Text under construction. The marks are always there while building. */
typedef struct {
    char *p;
    uint8_t *m;
    size_t n, cap;
    bool marked; /* some mark is set */
} tpl_sink;

struct tpl_scope {
    tpl_scope *up;
    slx_str *names;
    tpl_value *values;
    size_t n, cap;
};

struct tpl_run {
    const slx_template *t;
    slx_arena arena;
    slx_err *err;
    jmp_buf jmp;
    const tpl_node *at; /* where an error would be reported */
    size_t mem_bytes;
    uint64_t steps;
    int depth;
    tpl_sink *out;
    const char *now_iso;
    void *json; /* json_t being read, freed by the render */
};

_Noreturn void tpl_error(tpl_run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *tpl_alloc(tpl_run *r, size_t bytes); /* zeroed, counted */
void tpl_cost(tpl_run *r, size_t n);       /* n bytes or elements were touched */
void tpl_enter(tpl_run *r);
void tpl_leave(tpl_run *r);

/* sinks */
void tpl_sink_init(tpl_run *r, tpl_sink *s, size_t cap);
void tpl_put(tpl_run *r, tpl_sink *s, const char *p, size_t n, bool mark);
void tpl_puts(tpl_run *r, tpl_sink *s, const char *text); /* unmarked */
void tpl_put_part(tpl_run *r, tpl_sink *s, const tpl_str *str, size_t from, size_t to);
void tpl_put_str(tpl_run *r, tpl_sink *s, const tpl_str *str);
void tpl_put_cp(tpl_run *r, tpl_sink *s, uint32_t cp, bool mark);
tpl_value tpl_sink_value(tpl_run *r, const tpl_sink *s);

/* making values */
tpl_value tpl_undefined(tpl_run *r, const char *p, size_t n);
tpl_value tpl_none(void);
tpl_value tpl_bool(bool b);
tpl_value tpl_int(int64_t i);
tpl_value tpl_float(double f);
tpl_value tpl_string(tpl_run *r, const char *p, const uint8_t *m, size_t n); /* borrows p and m */
tpl_value tpl_string_c(tpl_run *r, const char *text);                        /* borrows text */
tpl_value tpl_part(tpl_run *r, const tpl_str *s, size_t from, size_t to);    /* borrows s's bytes */
tpl_value tpl_list_new(tpl_run *r, tpl_form form, size_t cap);
void tpl_list_add(tpl_run *r, tpl_list *l, tpl_value v);
tpl_value tpl_pair(tpl_run *r, tpl_value a, tpl_value b); /* a tuple */
tpl_value tpl_dict_new(tpl_run *r, size_t cap);
const tpl_value *tpl_dict_find(tpl_run *r, const tpl_dict *d, tpl_value key);
const tpl_value *tpl_dict_find_c(tpl_run *r, const tpl_dict *d, slx_str key);
void tpl_dict_put(tpl_run *r, tpl_dict *d, tpl_value key, tpl_value v);
void tpl_dict_append(tpl_run *r, tpl_dict *d, tpl_value key, tpl_value v); /* key known to be new */
void tpl_dict_remove(tpl_dict *d, size_t i);

/* asking values */
const char *tpl_type(tpl_value v); /* Python's name of the type */
bool tpl_truth(tpl_value v);
bool tpl_equal(tpl_run *r, tpl_value a, tpl_value b);
int tpl_order(tpl_run *r, tpl_value a, tpl_value b); /* error when Python cannot order them */
bool tpl_is_number(tpl_value v);                     /* bool, int, float */
double tpl_as_float(tpl_value v);                    /* of a number */
bool tpl_as_int(tpl_value v, int64_t *out);          /* bool or int */
const tpl_str *tpl_to_str(tpl_run *r, tpl_value v);  /* Python's str() */
void tpl_repr(tpl_run *r, tpl_sink *s, tpl_value v);
void tpl_float_text(char out[40], double f);         /* Python's repr of a float */
tpl_list *tpl_items(tpl_run *r, tpl_value v);        /* walks an iterable: its items, not to be changed */
bool tpl_length(tpl_value v, size_t *n);             /* len(); false when it has none */
bool tpl_contains(tpl_run *r, tpl_value box, tpl_value v);

/* strings in code points */
bool tpl_is_space(uint32_t cp);
size_t tpl_char(const char *p, size_t n, uint32_t *cp); /* bytes of the first one, >= 1 for n > 0 */
size_t tpl_cp_count(const char *p, size_t n);
size_t tpl_cp_offset(const tpl_str *s, size_t cp); /* byte of code point cp, s->n past the end */
/* first occurrence in [from, n), SIZE_MAX when none */
size_t tpl_find(tpl_run *r, const tpl_str *s, const tpl_str *what, size_t from);
typedef enum { TPL_UPPER, TPL_LOWER, TPL_TITLE, TPL_CAPITALIZE } tpl_case;
tpl_value tpl_recase(tpl_run *r, const tpl_str *s, tpl_case c);
tpl_value tpl_strip(tpl_run *r, const tpl_str *s, const tpl_str *chars, bool left, bool right);
tpl_value tpl_replace(tpl_run *r, const tpl_str *s, const tpl_str *old, const tpl_str *with, int64_t count);
tpl_value tpl_split(tpl_run *r, const tpl_str *s, const tpl_str *sep, int64_t max, bool from_right);
tpl_value tpl_splitlines(tpl_run *r, const tpl_str *s, bool keep_ends);
tpl_value tpl_join(tpl_run *r, const tpl_str *sep, const tpl_list *l, bool only_strings);
tpl_value tpl_repeat(tpl_run *r, const tpl_str *s, int64_t n);
/* Python's int() and float() of a text; false when it is no number */
bool tpl_parse_int(tpl_run *r, const tpl_str *s, int base, int64_t *out);
bool tpl_parse_float(const tpl_str *s, double *out);

/* Runs the whole template into r->out. */
void tpl_run_body(tpl_run *r, tpl_value vars);

/* operators (template_op.c): op is a TPL_* token or its character */
tpl_value tpl_arithmetic(tpl_run *r, int op, tpl_value a, tpl_value b);
bool tpl_compare(tpl_run *r, int op, tpl_value a, tpl_value b);

/* attributes, items, calls (template_eval.c, template_method.c) */
_Noreturn void tpl_undefined_error(tpl_run *r, tpl_value v); /* v was never set: says its name */
tpl_value tpl_attr(tpl_run *r, tpl_value v, slx_str name);
tpl_value tpl_item(tpl_run *r, tpl_value v, tpl_value key);
tpl_value tpl_call(tpl_run *r, tpl_value f, const tpl_argv *a);
bool tpl_method_find(tpl_run *r, tpl_value v, slx_str name, tpl_value *out);
const struct tpl_function *tpl_function_find(slx_str name);
/* Spreads arguments over the parameters of "a,b,c": out[i] is TPL_MISSING when not given. */
void tpl_bind(tpl_run *r, const char *what, const tpl_argv *a, const char *params, size_t min, tpl_value *out);
const tpl_str *tpl_want_str(tpl_run *r, const char *what, tpl_value v);
int64_t tpl_want_int(tpl_run *r, const char *what, tpl_value v);

tpl_value tpl_filter(tpl_run *r, slx_str name, tpl_value v, const tpl_argv *a);
bool tpl_test(tpl_run *r, slx_str name, tpl_value v, const tpl_argv *a);

tpl_value tpl_format_percent(tpl_run *r, const tpl_str *fmt, tpl_value args);
tpl_value tpl_format_braces(tpl_run *r, const tpl_str *fmt, const tpl_argv *a);

tpl_value tpl_tojson(tpl_run *r, tpl_value v, const tpl_argv *a);
tpl_value tpl_from_json(tpl_run *r, const tpl_str *s);
/* Variables of a render: strings inside "messages" come marked. */
tpl_value tpl_read_vars(tpl_run *r, const char *json, size_t len);

#endif
