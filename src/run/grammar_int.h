/* grammar_int.h - nodes of a grammar, built by grammar_form.c (grammar_build.h), walked by grammar.c. */
#ifndef SLX_RUN_GRAMMAR_INT_H
#define SLX_RUN_GRAMMAR_INT_H

#include "run/grammar.h"

typedef enum { SLX_GR_SET, SLX_GR_SPLIT, SLX_GR_CALL, SLX_GR_END } slx_gr_kind;

enum { SLX_GR_NONE = 0x7fffffff, SLX_GR_MOST_NODES = 1 << 18, SLX_GR_MOST_RULES = 1 << 13 };

/* SET: one byte of set `arg`, then next. SPLIT: next or arg. CALL: rule arg, then next. END: where the rule was called. */
typedef struct {
    slx_gr_kind kind;
    uint32_t next, arg;
} slx_gr_node;

typedef struct {
    uint64_t in[4]; /* of 256 bytes */
} slx_gr_set;

typedef struct {
    slx_gr_node *nodes;
    uint32_t n_nodes, cap_nodes;
    slx_gr_set *sets;
    uint32_t n_sets, cap_sets;
    uint32_t *rules; /* first node of each */
    uint32_t n_rules, cap_rules;
} slx_gr;

/* Rule 0 is the answer. On failure nothing is to be freed. */
slx_status slx_gr_of_form(slx_gr *g, const slx_form *f, slx_err *err);
void slx_gr_free(slx_gr *g);

#endif
