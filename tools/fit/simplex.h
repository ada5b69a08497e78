/* simplex.h - the least value of a function of a few numbers, by Nelder and Mead's moving simplex. */
#ifndef SLX_FIT_SIMPLEX_H
#define SLX_FIT_SIMPLEX_H

enum { SIMPLEX_MAX = 16 };

/* Moves x (n <= SIMPLEX_MAX numbers) towards a least value of f(x, of). The first simplex has x and, for each number,
 * x moved by step[i]. At most `rounds` moves. */
void simplex_search(double (*f)(const double *x, void *of), void *of, int n, double *x,
                    const double *step, int rounds);

#endif
