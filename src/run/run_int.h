/* run_int.h - inside run: what an engine and a sequence hold. */
#ifndef SLX_RUN_INT_H
#define SLX_RUN_INT_H

#include "run/run.h"

struct slx_engine {
    slx_chip *chip;
    slx_model *model;
    slx_program prog;
    bool have_prog;
    slx_machine *machine;
    slx_machine_kind kind;
    uint32_t *free_pages; /* stack of page numbers */
    uint32_t *page_users; /* sequences, and the prefix cache, that hold a page; 0 = free */
    uint32_t n_free;
    uint64_t batch; /* number of the batch looked at last */
    double load_s;
};

struct slx_seq {
    slx_engine *e;
    uint32_t length;
    uint64_t batch; /* the engine's, when this sequence was in one last */
    uint32_t *pages, n_pages, cap_pages;
    slx_hash hash;
};

/* Natural logarithm of the sum of exp(logit): what a logit minus this is, is a log probability. In double precision, on
 * the host: a measurement, not a value of the chip. */
double slx_log_sum(const float *logits, uint32_t vocab);

/* Pages held by several: full pages are never written again, so who holds one may share it. Drop gives a page back to
 * the pool with its last holder. */
void slx_page_hold(slx_engine *e, uint32_t page);
void slx_page_drop(slx_engine *e, uint32_t page);
/* A new sequence starts behind n full pages that hold its first n * SLX_MAX_CHUNK positions. */
void slx_seq_adopt(slx_seq *s, const uint32_t *pages, uint32_t n);

#endif
