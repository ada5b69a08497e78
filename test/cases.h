/* cases.h - a case from its text, which must be one, and a run of it with every figure at its middle. */
#ifndef SLX_TEST_CASES_H
#define SLX_TEST_CASES_H

#include <stdlib.h>
#include <string.h>

#include "fleet/fleet.h"

static inline slx_fleet_case *parse(const char *text)
{
    slx_fleet_case *c;
    slx_err e;
    if (slx_fleet_parse(&c, text, strlen(text), "hand.yaml", &e)) {
        slx_err_print(&e, stderr);
        fail();
    }
    return c;
}

static inline slx_fleet_run *eval(const slx_fleet_case *c)
{
    slx_fleet_run *r = calloc(1, sizeof *r);
    slx_fleet_eval(c, &(slx_fleet_future){.single = -1}, r);
    return r;
}

#endif
