/* team.c - a fixed team of threads and the barrier its members meet at.
 *
 * A decoded token costs some hundred and fifty meetings a few tens of microseconds apart, and its
 * members never arrive at quite the same time: a sleep costs more than the difference, so waiting
 * means spinning. But a member that lost its CPU to another process is away for milliseconds, and
 * soon afterwards the system moves it to where it can run: behind the very member that spins for
 * it. So:
 *
 *   look --> spin at most SPIN_S, pausing --> announce oneself in `sleepers`, sleep on the futex
 *            '-- not at all when two members arrived on one CPU the last time (`crowded`)
 *
 * Measured on two CPUs, 50 us of work divided by two between meetings: alone 25 us a meeting, with
 * a busy process on one of the CPUs 51 us. Spinning 4 us at most: 43 and 56; 60 us without looking
 * at the CPUs: 26 and 107. A wake looks at `sleepers` first, so a meeting without sleepers makes no
 * system call and takes about 0.4 us.
 *
 * Why no wake is lost: the waiter raises `sleepers`, then the kernel compares the word with the
 * value it waits on; the waker changes the word, then reads `sleepers`. All four are sequentially
 * consistent, so at least one sees the other.
 *
 * None of this touches what fn computes: threads change the time, never a bit.
 *
 * Invariant: `round` counts meetings, `arrived` those present at the current one, `job` the calls
 * of slx_team_run, `busy` the workers still inside the current call. The last to arrive resets
 * `arrived` before it opens the round.
 */
#include "base/base.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Each on a cache line of its own: those who wait on one must not slow those who count on
 * another. */
typedef struct {
    _Alignas(64) _Atomic uint32_t word;
    _Atomic uint32_t sleepers;
} gate;

typedef struct {
    slx_team *team;
    int index;
    pthread_t thread;
} worker;

struct slx_team {
    gate round, job, busy;
    _Alignas(64) _Atomic uint32_t arrived;
    _Atomic bool doubled;              /* two arrivals of this round came from one CPU */
    _Atomic uint64_t cpus;             /* bit c: somebody arrived on CPU c this round */
    _Alignas(64) _Atomic bool crowded; /* `doubled` of the round before: do not spin */
    _Alignas(64) void (*fn)(void *arg, int i, int n); /* NULL tells the workers to end */
    void *arg;
    int n;
    int spins;       /* pauses that take SPIN_S on this host */
    bool few_cpus;   /* a 64-bit set holds them */
    worker *workers; /* n - 1 */
};

static const double SPIN_S = 30e-6;

static void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* A pause takes 10 cycles on one processor and 140 on the next, so it is measured, least of five
 * against interruptions. */
static int spins_per(double seconds)
{
    enum { TRIAL = 200 };
    double least_s = 1;
    for (int i = 0; i < 5; i++) {
        double start_s = slx_now_s();
        for (int k = 0; k < TRIAL; k++) pause_cpu();
        double took_s = slx_now_s() - start_s;
        if (took_s < least_s) least_s = took_s;
    }
    double spins = least_s > 0 ? seconds / least_s * TRIAL : TRIAL;
    return spins < 10 ? 10 : spins > 100000 ? 100000 : (int)spins;
}

/* Returns once the gate's word is no longer `value`. */
static void wait_while(gate *g, uint32_t value, int spins)
{
    for (int i = 0; i < spins; i++) {
        if (atomic_load_explicit(&g->word, memory_order_acquire) != value) return;
        pause_cpu();
    }
    atomic_fetch_add(&g->sleepers, 1);
    while (atomic_load(&g->word) == value)
        syscall(SYS_futex, &g->word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    atomic_fetch_sub(&g->sleepers, 1);
}

static void wake_all(gate *g)
{
    if (atomic_load(&g->sleepers))
        syscall(SYS_futex, &g->word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static int patience(const slx_team *t)
{
    return atomic_load_explicit(&t->crowded, memory_order_relaxed) ? 0 : t->spins;
}

static void note_cpu(slx_team *t)
{
    int cpu = t->few_cpus ? sched_getcpu() : -1;
    if (cpu < 0) return;
    uint64_t bit = UINT64_C(1) << (cpu & 63);
    if (atomic_fetch_or_explicit(&t->cpus, bit, memory_order_relaxed) & bit)
        atomic_store_explicit(&t->doubled, true, memory_order_relaxed);
}

void slx_team_meet(slx_team *t)
{
    if (t->n == 1) return;
    note_cpu(t);
    /* cannot move before we arrive */
    uint32_t round = atomic_load_explicit(&t->round.word, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&t->arrived, 1, memory_order_acq_rel) + 1 == (uint32_t)t->n) {
        atomic_store_explicit(&t->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&t->cpus, 0, memory_order_relaxed);
        bool doubled = atomic_exchange_explicit(&t->doubled, false, memory_order_relaxed);
        atomic_store_explicit(&t->crowded, doubled, memory_order_relaxed);
        atomic_fetch_add(&t->round.word, 1);
        wake_all(&t->round);
    } else {
        wait_while(&t->round, round, patience(t));
    }
}

static void *work(void *arg)
{
    const worker *w = arg;
    slx_team *t = w->team;
    for (uint32_t job = 0;; job++) {
        wait_while(&t->job, job, patience(t));
        if (!t->fn) return NULL;
        t->fn(t->arg, w->index, t->n);
        if (atomic_fetch_sub(&t->busy.word, 1) == 1) wake_all(&t->busy);
    }
}

/* Opens the job for the workers. */
static void start(slx_team *t, void (*fn)(void *, int, int), void *arg)
{
    t->fn = fn;
    t->arg = arg;
    atomic_store_explicit(&t->busy.word, (uint32_t)t->n - 1, memory_order_relaxed);
    atomic_fetch_add(&t->job.word, 1);
    wake_all(&t->job);
}

void slx_team_run(slx_team *t, void (*fn)(void *arg, int i, int n), void *arg)
{
    SLX_ASSERT(fn);
    if (t->n > 1) start(t, fn, arg);
    fn(arg, 0, t->n);
    for (uint32_t busy; t->n > 1 && (busy = atomic_load(&t->busy.word)) != 0;)
        wait_while(&t->busy, busy, patience(t));
}

slx_team *slx_team_open(int n)
{
    if (n < 1) n = 1;
    slx_team *t = slx_aalloc(sizeof *t);
    t->n = n;
    t->spins = n > 1 ? spins_per(SPIN_S) : 0;
    t->few_cpus = sysconf(_SC_NPROCESSORS_CONF) <= 64;
    t->workers = slx_xcalloc((size_t)n, sizeof *t->workers);
    /* Workers inherit the mask: Ctrl-C goes to the caller's thread, whose read it must cut short. */
    sigset_t user, before;
    sigemptyset(&user);
    sigaddset(&user, SIGINT);
    sigaddset(&user, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &user, &before);
    for (int i = 1; i < n; i++) {
        worker *w = &t->workers[i - 1];
        *w = (worker){.team = t, .index = i};
        /* a system limit: a smaller team gives the same results */
        if (pthread_create(&w->thread, NULL, work, w)) {
            t->n = i;
            break;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return t;
}

void slx_team_close(slx_team *t)
{
    if (!t) return;
    if (t->n > 1) start(t, NULL, NULL);
    for (int i = 0; i < t->n - 1; i++) pthread_join(t->workers[i].thread, NULL);
    free(t->workers);
    slx_afree(t, sizeof *t);
}

int slx_team_size(const slx_team *t)
{
    return t->n;
}
