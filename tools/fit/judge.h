/* judge.h - what both fits share: how far predictions lie from rows, and the band that holds nine of ten. */
#ifndef SLX_FIT_JUDGE_H
#define SLX_FIT_JUDGE_H

#include "validate/validate.h"

/* predicted / measured; NAN where there is no answer. */
double judge_ratio(const slx_chip *c, const slx_row *r);
/* mean |r-1| + mean |ln r| / 2 over the rows that are answered; INFINITY when none is. */
double judge_loss(const slx_chip *c, const slx_rows *rows);
/* The band outside of which the next value of measured/predicted lies with 5 % on each side, n being like it: ranks
 * among n + 1 (split conformal prediction). Sorts v; n = 0 gives 1, 1. */
void judge_band(double *v, int n, double out[2]);

#endif
