/* compile.h - model + chip -> program. The driver reads as its stages:
 *
 *   slx_model --graph.c--> slx_graph --plan.c--> slx_plan --emit.c + tmpl_*.c--> slx_program --verify--> done
 *                              |
 *                              '--golden.c--> values of whole tensors, the reference for every machine
 *
 * Every stage prints with --dump (graph, plan, schedule, program). Nothing here looks at weight values: the program
 * carries a recipe (slx_weight) that import.c turns into bytes.
 */
#ifndef SLX_COMPILE_H
#define SLX_COMPILE_H

#include "chip/chip.h"
#include "compile/import.h"
#include "isa/program.h"
#include "isa/step.h"
#include "model/model.h"

/* Capacities of a program; 0 = the default in brackets. */
typedef struct {
    uint32_t max_rows;     /* rows of one step [512, less where the chip is small] */
    uint32_t max_samples;  /* logit rows of one step [16] */
    uint32_t max_seqs;     /* [16] */
    uint32_t max_context;  /* positions of one sequence [the model's context] */
    uint32_t max_pages;    /* pages of 128 positions in the pool [enough for one sequence of max_context, and spare_pages;
                            * fewer, at least one, where the chip's memory has no room for them] */
    uint32_t spare_pages;  /* [16] */
    uint32_t tp;           /* chips that run it together: 1, 2, 4 or 8 [1] */
    bool look_around;      /* when it does not fit, other weights and other chips of chips/ are tried, too: a second or so */
} slx_compile_options;

/* Compiles, emits spans and recipe, verifies. *out is initialised; free with slx_program_free. Refuses by name what the
 * chip cannot do (formats, sizes: by how much, and what would fit). dump: stage name or NULL, printed to dump_out. */
slx_status slx_compile(slx_program *out, const slx_model *m, const slx_chip *c, const slx_compile_options *opt,
                       const char *dump, FILE *dump_out, slx_err *err);
extern const char *const slx_compile_dumps[]; /* NULL-terminated names */

/* Stacks over which the slices of each matrix are dealt out (slx_slices), to lie near their tiles; 0: one behind the other.
 * The memory must have several, and two tiles each. */
uint32_t slx_compile_ways(const slx_chip *c);

/* ------------------------------------------------------------------ golden: the model by whole tensors */

/* Logits of every position of one sequence, straight from the graph with num's definitions; no program, no tiles.
 * fmt choices (weights' formats) are those of p's recipe. logits [n][vocab]. */
slx_status slx_golden(const slx_model *m, const slx_program *p, const uint32_t *tokens, uint32_t n, float *logits,
                      slx_err *err);

#endif
