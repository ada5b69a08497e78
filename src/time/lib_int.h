/* lib_int.h - shared by the kernels of lib.h. All times here are microseconds; rates follow: GB/s = 1e3 bytes/us,
 * TB/s = 1e6 bytes/us, TFLOP/s = 1e6 FLOP/us. */
#ifndef SLX_TIME_LIB_INT_H
#define SLX_TIME_LIB_INT_H

#include <math.h>

#include "time/lib.h"

static const double slx_per_gbs = 1e3, slx_per_tbs = 1e6;

/* Refuses chips that run programs. */
slx_status slx_lib_wants_library(const slx_chip *c, slx_err *err);
/* Seconds and band from microseconds. own: the section, SLX_LIB_OWN_... */
void slx_lib_answer(slx_lib_time *out, const slx_chip *c, double us, int own);
/* (a^p + b^p + c^p)^(1/p) of what is >= 0. */
double slx_lib_norm(double a, double b, double c, double p);
double slx_ceil_div(double a, double b);

#endif
