/* compare_each.c - chips over threads: see compare_int.h. Rows do not depend on each other, so the result does not
 * depend on how many threads there are. */
#include "cli/compare_int.h"

#include <stdatomic.h>
#include <stdlib.h>

struct compare_workers {
    slx_team *team;
    int threads;
    compare_ask *ask;  /* (threads) */
    slx_arena *arenas; /* (threads) */
};

compare_workers *compare_workers_open(const compare_ask *ask)
{
    compare_workers *w = slx_xcalloc(1, sizeof *w);
    w->threads = slx_host_threads();
    w->team = slx_team_open(w->threads);
    w->ask = slx_xcalloc((size_t)w->threads, sizeof *w->ask);
    w->arenas = slx_xcalloc((size_t)w->threads, sizeof *w->arenas);
    for (int i = 0; i < w->threads; i++) {
        w->ask[i] = *ask;
        slx_arena_init(&w->arenas[i]);
        w->ask[i].arena = &w->arenas[i];
        slx_predictor_open(&w->ask[i].predictor);
    }
    return w;
}

void compare_workers_close(compare_workers *w)
{
    if (!w) return;
    for (int i = 0; i < w->threads; i++) {
        slx_predictor_close(w->ask[i].predictor);
        slx_arena_deinit(&w->arenas[i]);
    }
    slx_team_close(w->team);
    free(w->ask);
    free(w->arenas);
    free(w);
}

typedef struct {
    compare_workers *w;
    const int *order; /* (n) */
    int n;
    compare_fn *fn;
    void *arg;
    atomic_int next, done;
    slx_progress bar;
    slx_status *status; /* (n) */
    slx_err *err;       /* (n) */
} round_;

static void work(void *arg, int thread, int threads)
{
    round_ *r = arg;
    (void)threads;
    for (int k; (k = atomic_fetch_add(&r->next, 1)) < r->n;) {
        int i = r->order[k];
        if (slx_interrupted())
            r->status[i] = slx_fail(&r->err[i], SLX_EINTERRUPTED, "", 0, 0, "interrupted");
        else
            r->status[i] = r->fn(r->arg, &r->w->ask[thread], i, &r->err[i]);
        int done = atomic_fetch_add(&r->done, 1) + 1;
        if (thread == 0) slx_progress_at(&r->bar, (double)done / r->n);
    }
}

slx_status compare_each(compare_workers *w, const compare_row *rows, int n, compare_fn *fn,
                        void *arg, const char *what, slx_err *err)
{
    int *order = slx_xcalloc((size_t)n + 1, sizeof *order), at = 0;
    round_ r = {.w = w, .order = order, .n = n, .fn = fn, .arg = arg};
    for (int i = 0; i < n; i++)
        if (!rows[i].chip->library)
            order[at++] = i; /* a program is compiled and timed; a library is a formula */
    for (int i = 0; i < n; i++)
        if (rows[i].chip->library) order[at++] = i;
    r.status = slx_xcalloc((size_t)n + 1, sizeof *r.status);
    r.err = slx_xcalloc((size_t)n + 1, sizeof *r.err);
    slx_progress_start(&r.bar, what);
    slx_team_run(w->team, work, &r);
    slx_progress_end(&r.bar);
    slx_status st = SLX_OK;
    for (int i = 0; i < n && st == SLX_OK; i++) {
        st = r.status[i];
        if (st != SLX_OK && err) *err = r.err[i];
    }
    free(order);
    free(r.status);
    free(r.err);
    return st;
}
