/* compare_int.h - between the files of silex compare alone. */
#ifndef SLX_CLI_COMPARE_INT_H
#define SLX_CLI_COMPARE_INT_H

#include "cli/compare.h"

/* Whether the memory of tp chips holds weights and KV cache; true where that is not known. */
bool compare_fits(const compare_row *row, const compare_ask *ask, uint32_t tp, uint32_t batch);
/* Prompts of batch sequences at once; seconds.mid is NAN where that cannot be told. */
slx_status compare_prefill(slx_forward_cost *out, const compare_row *row, const compare_ask *ask, uint32_t tp, uint32_t batch,
                           slx_err *err);
/* Rates, joules and dollars of p from its pass and the row's cost. */
void compare_set_rates(compare_point *p, const compare_row *row);

/* Calls fn for every chip, the slow ones first, on as many threads as there are; ask is then the thread's own. The error is
 * that of the lowest i, and fn need not look at interrupts. */
typedef slx_status compare_fn(void *arg, const compare_ask *ask, int i, slx_err *err);
typedef struct compare_workers compare_workers;
compare_workers *compare_workers_open(const compare_ask *ask);
void compare_workers_close(compare_workers *w); /* NULL is fine; reasons in rows go with it */
slx_status compare_each(compare_workers *w, const compare_row *rows, int n, compare_fn *fn, void *arg, const char *what,
                        slx_err *err);

/* What the tornado of a row is about, in dollars; infinite where they are not known. */
double compare_answer(const compare_row *row, const compare_ask *ask);
slx_status compare_tornado(slx_buf *page, const compare_row *row, const compare_ask *ask, slx_err *err);

#endif
