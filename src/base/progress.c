/* progress.c - a progress line for people, and Ctrl-C.
 *
 * Nothing is drawn when stderr is not a terminal, nor in the first two seconds: short work should
 * leave no trace.
 */
#include "base/base.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { BAR_CELLS = 30 };
static const double QUIET_S = 2.0, REDRAW_S = 0.1;

void slx_progress_start(slx_progress *p, const char *what)
{
    *p = (slx_progress){.what = what, .start_s = slx_now_s()};
    if (!isatty(STDERR_FILENO)) p->what = NULL;
}

void slx_progress_at(slx_progress *p, double done)
{
    if (!p->what) return;
    double now_s = slx_now_s();
    if (now_s - p->start_s < QUIET_S || now_s - p->last_s < REDRAW_S) return;
    if (!(done > 0)) done = 0;
    if (done > 1) done = 1;
    char bar[BAR_CELLS + 1];
    int full = (int)(done * BAR_CELLS);
    memset(bar, '#', (size_t)full);
    memset(bar + full, '.', (size_t)(BAR_CELLS - full));
    bar[BAR_CELLS] = 0;
    fprintf(stderr, "\r%s [%s] %3.0f %%", p->what, bar, done * 100);
    if (done > 0.01) fprintf(stderr, ", %.0f s left ", (now_s - p->start_s) * (1 - done) / done);
    fputs("\033[K", stderr);
    fflush(stderr);
    p->last_s = now_s;
    p->shown = true;
}

void slx_progress_end(slx_progress *p)
{
    if (p->shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    *p = (slx_progress){0};
}

/* The one thing a signal handler can do is set a flag, and a flag a handler can reach is a
 * global. */
static atomic_bool interrupted;

static void on_interrupt(int sig)
{
    (void)sig;
    atomic_store(&interrupted, true);
}

void slx_catch_interrupt(void)
{
    /* SA_RESETHAND: a second Ctrl-C ends the process at once. No SA_RESTART: a read that waits must
     * return. */
    struct sigaction sa = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
}

bool slx_interrupted(void)
{
    return atomic_load_explicit(&interrupted, memory_order_relaxed);
}
