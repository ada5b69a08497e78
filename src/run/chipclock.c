/* chipclock.c - see chipclock.h. */
#include "run/chipclock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "isa/step.h"

struct slx_chip_clock {
    slx_memo *memo;   /* the thread's until ready */
    double usd_per_s; /* negative = not known */
    atomic_bool ready, failed, quit;
    bool running;
    pthread_t thread;
};

slx_status slx_chip_step_time(slx_time_result *out, const slx_program *p, const slx_chip *c,
                              uint32_t n, uint32_t positions, slx_busy *busy, slx_err *err)
{
    uint8_t *desc = slx_xcalloc(1, p->info.desc.bytes + 1u);
    slx_status st = slx_step_build_alike(&p->info, desc, n, 1, positions, 1, err);
    if (st == SLX_OK)
        st = slx_time_step(p, c, desc,
                           &(slx_time_options){.folded = true,
                                               .event = busy ? slx_busy_event : NULL,
                                               .event_arg = busy},
                           out, err);
    free(desc);
    return st;
}

static bool go_on(void *arg)
{
    slx_chip_clock *k = arg;
    return !atomic_load(&k->quit);
}

static void *run(void *arg)
{
    slx_chip_clock *k = arg;
    bool done;
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 10); /* of this thread alone */
    if (slx_memo_fill(k->memo, go_on, k, &done, NULL) != SLX_OK)
        atomic_store(&k->failed, true);
    else if (done)
        atomic_store(&k->ready, true);
    return NULL;
}

slx_chip_clock *slx_chip_clock_open(const slx_program *p, const slx_chip *c)
{
    slx_chip_clock *k = slx_xcalloc(1, sizeof *k);
    slx_band usd;
    /* a token a second: a million tokens are a million seconds */
    slx_estimate second = {.tpot_s = 1, .batch = 1, .chips = slx_program_chips(&p->info)};
    k->usd_per_s = slx_estimate_usd_per_mtok(&usd, &second, c) ? usd.mid * 1e-6 : -1;
    if (slx_memo_open(&k->memo, p, c, &(slx_memo_options){.coarse = true}, NULL) != SLX_OK) {
        atomic_store(&k->failed, true);
        return k;
    }
    if (pthread_create(&k->thread, NULL, run, k)) SLX_BUG("cannot start the chip clock's thread");
    k->running = true;
    return k;
}

void slx_chip_clock_close(slx_chip_clock *k)
{
    if (!k) return;
    atomic_store(&k->quit, true);
    if (k->running) pthread_join(k->thread, NULL);
    slx_memo_close(k->memo);
    free(k);
}

void slx_chip_clock_wait(slx_chip_clock *k)
{
    while (!atomic_load(&k->ready) && !atomic_load(&k->failed)) usleep(1000);
}

bool slx_chip_clock_usd_per_s(const slx_chip_clock *k, double *usd)
{
    *usd = k->usd_per_s;
    return k->usd_per_s >= 0;
}

bool slx_chip_clock_at(void *arg, const slx_memo_seq *seq, uint32_t n, double *seconds,
                       double *joules)
{
    slx_chip_clock *k = arg;
    slx_memo_cost cost;
    if (!atomic_load(&k->ready) || slx_memo_step(k->memo, seq, n, &cost, NULL) != SLX_OK)
        return false;
    *seconds = cost.seconds;
    *joules = cost.energy_j;
    return true;
}
