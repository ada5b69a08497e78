/* simplex.c - Nelder and Mead, The Computer Journal 7 (1965), with their coefficients 1, 2, 1/2, 1/2. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simplex.h"

typedef struct {
    double x[SIMPLEX_MAX], f;
} vertex;

typedef struct {
    double (*f)(const double *, void *);
    void *of;
    int n;
    vertex at[SIMPLEX_MAX + 1];
} simplex;

static int by_value(const void *a, const void *b)
{
    double x = ((const vertex *)a)->f, y = ((const vertex *)b)->f;
    return x < y ? -1 : x > y;
}

/* mid + step (to - mid) */
static vertex probe(const simplex *s, const double *mid, const double *to, double step)
{
    vertex v = {0};
    for (int i = 0; i < s->n; i++) v.x[i] = mid[i] + step * (to[i] - mid[i]);
    v.f = s->f(v.x, s->of);
    return v;
}

static void shrink(simplex *s)
{
    for (int k = 1; k <= s->n; k++) s->at[k] = probe(s, s->at[0].x, s->at[k].x, 0.5);
}

/* Replaces the worst vertex, the last of a sorted simplex. */
static void move(simplex *s)
{
    int n = s->n;
    vertex *worst = &s->at[n];
    double mid[SIMPLEX_MAX] = {0};
    for (int k = 0; k < n; k++)
        for (int i = 0; i < n; i++) mid[i] += s->at[k].x[i] / n;
    vertex r = probe(s, mid, worst->x, -1);
    if (r.f < s->at[0].f) {
        vertex e = probe(s, mid, worst->x, -2);
        *worst = e.f < r.f ? e : r;
    } else if (r.f < s->at[n - 1].f) {
        *worst = r;
    } else {
        vertex c = probe(s, mid, r.f < worst->f ? r.x : worst->x, 0.5);
        if (c.f < fmin(r.f, worst->f))
            *worst = c;
        else
            shrink(s);
    }
}

void simplex_search(double (*f)(const double *x, void *of), void *of, int n, double *x,
                    const double *step, int rounds)
{
    simplex s = {.f = f, .of = of, .n = n};
    for (int k = 0; k <= n; k++) {
        memcpy(s.at[k].x, x, (size_t)n * sizeof *x);
        if (k) s.at[k].x[k - 1] += step[k - 1];
        s.at[k].f = f(s.at[k].x, of);
    }
    for (int round = 0; round <= rounds; round++) {
        qsort(s.at, (size_t)n + 1, sizeof *s.at, by_value);
        if (round == rounds || s.at[n].f - s.at[0].f < 1e-6) break;
        move(&s);
    }
    memcpy(x, s.at[0].x, (size_t)n * sizeof *x);
}
