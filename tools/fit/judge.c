/* judge.c - see judge.h. */
#include <math.h>
#include <stdlib.h>

#include "judge.h"

double judge_ratio(const slx_chip *c, const slx_row *r)
{
    slx_guess g;
    slx_err err;
    return slx_ask_answer(c, &r->ask, &g, &err) == SLX_OK ? g.value / r->measured : NAN;
}

double judge_loss(const slx_chip *c, const slx_rows *rows)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < rows->n; i++) {
        double r = judge_ratio(c, &rows->row[i]);
        if (r > 0) sum += fabs(r - 1) + fabs(log(r)) / 2, n++;
    }
    return n ? sum / n : INFINITY;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

void judge_band(double *v, int n, double out[2])
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    int rank = (int)fmax(0, floor(0.05 * (n + 1)) - 1);
    out[0] = n ? fmin(1, v[rank]) : 1;
    out[1] = n ? fmax(1, v[n - 1 - rank]) : 1;
}
