/* fuzz_case.c - any bytes as a case file: refused with a message that has a place, or a case whose runs balance. */
#include <stdlib.h>
#include <string.h>

#include "fleet/fleet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slx_fleet_case *c;
    slx_err err = {0};
    slx_status s = slx_fleet_parse(&c, (const char *)data, size, "fuzz.yaml", &err);
    if (s) {
        SLX_ASSERT(!c && err.code == s && err.msg[0] && !strcmp(err.file, "fuzz.yaml"));
        return 0;
    }
    SLX_ASSERT(c->n_options >= 1 && c->quarters >= 1 && c->quarters <= SLX_FLEET_QUARTERS);
    slx_fleet_run *r = slx_xcalloc(1, sizeof *r);
    slx_fleet_eval(c, &(slx_fleet_future){.single = -1}, r); /* aborts where it does not balance */
    for (int i = 0; i < c->n_figures && i < 2; i++) {
        slx_fleet_answer a;
        SLX_ASSERT(!slx_fleet_answer_figure(c, i, NULL, &a));
    }
    free(r);
    slx_fleet_free(c);
    return 0;
}
