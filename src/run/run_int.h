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

#endif
