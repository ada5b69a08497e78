/* chipclock.c - see chipclock.h. */
#include "run/chipclock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST = 12 };

/* Values at points of a grid; at least one point in each direction, ascending. */
typedef struct {
    uint32_t n_x, n_y;
    double x[MOST], y[MOST];
    double seconds[MOST][MOST], joules[MOST][MOST];
} grid;

struct slx_chip_clock {
    const slx_program *prog;
    const slx_chip *chip;
    grid decode, prefill; /* x: sequences or rows; y: positions behind one */
    grid both;            /* x: sequences, y: rows, `behind` positions behind each of them */
    double behind;
    double usd_per_s; /* negative = not known */
    atomic_bool ready, failed, quit;
    pthread_t thread;
};

/* ------------------------------------------------------------------ timing the points */

slx_status slx_chip_step_time(slx_time_result *out, const slx_program *p, const slx_chip *c,
                              uint32_t n, uint32_t positions, uint32_t rows, uint32_t before,
                              slx_err *err)
{
    uint32_t each = positions / SLX_MAX_CHUNK + 1,
             prompt = (before + rows + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK;
    uint32_t *pages = slx_xcalloc((size_t)n * each + prompt + 1, sizeof *pages),
             *tokens = slx_xcalloc(rows + 1, sizeof *tokens);
    slx_step_seq *seq = slx_xcalloc(n + 1, sizeof *seq);
    uint8_t *desc = slx_xcalloc(1, p->info.desc.bytes + 1u);
    slx_time_options how = {.folded = true};
    for (uint32_t i = 0; i < n * each + prompt; i++)
        pages[i] = i % p->info.desc.max_pages; /* which ones does not count */
    for (uint32_t i = 0; i <= n; i++)
        seq[i] = (slx_step_seq){.tokens = tokens,
                                .n = i < n ? 1 : rows,
                                .pos0 = i < n ? positions : before,
                                .n_samples = 1,
                                .pages = pages + i * each,
                                .n_pages = i < n ? each : prompt};
    slx_status st = slx_step_build(&p->info, desc, seq, n + (rows > 0), err);
    if (st == SLX_OK) st = slx_time_step(p, c, desc, &how, out, err);
    free(desc);
    free(seq);
    free(tokens);
    free(pages);
    return st;
}

static void add_point(double *at, uint32_t *n, double x, double most)
{
    if (x > most) x = most;
    if (*n < MOST && (!*n || at[*n - 1] < x)) at[(*n)++] = x;
}

/* A step of n sequences at c positions beside r rows at p, into one point. */
static void time_point(slx_chip_clock *k, double n, double c, double r, double p, double *seconds,
                       double *joules)
{
    slx_time_result t;
    if (atomic_load(&k->quit) || atomic_load(&k->failed)) return;
    if (slx_chip_step_time(&t, k->prog, k->chip, (uint32_t)n, (uint32_t)c, (uint32_t)r, (uint32_t)p,
                           NULL) != SLX_OK) {
        atomic_store(&k->failed, true);
        return;
    }
    *seconds = t.seconds;
    *joules = (double)t.energy_fj * 1e-15;
    slx_time_result_free(&t);
}

static void fill(slx_chip_clock *k)
{
    grid *d = &k->decode, *p = &k->prefill, *b = &k->both;
    for (uint32_t i = 0; i < d->n_x; i++)
        for (uint32_t j = 0; j < d->n_y; j++)
            time_point(k, d->x[i], d->y[j], 0, 0, &d->seconds[i][j], &d->joules[i][j]);
    for (uint32_t i = 0; i < p->n_x; i++)
        for (uint32_t j = 0; j < p->n_y; j++)
            time_point(k, 0, 0, p->x[i], p->y[j], &p->seconds[i][j], &p->joules[i][j]);
    for (uint32_t i = 0; i < b->n_x; i++)
        for (uint32_t j = 0; j < b->n_y; j++)
            time_point(k, b->x[i], k->behind, b->y[j], k->behind, &b->seconds[i][j],
                       &b->joules[i][j]);
}

static void *run(void *arg)
{
    slx_chip_clock *k = arg;
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 10); /* of this thread alone */
    fill(k);
    if (!atomic_load(&k->failed) && !atomic_load(&k->quit)) atomic_store(&k->ready, true);
    return NULL;
}

/* ------------------------------------------------------------------ open */

/* Positions a sequence of a group of n may have: all of them together must have pages. */
static double most_positions(const slx_program *p, uint32_t n)
{
    uint32_t each = p->info.desc.max_pages / n * SLX_MAX_CHUNK;
    uint32_t most = each < p->info.max_context ? each : p->info.max_context;
    return most ? most - 1 : 0;
}

slx_chip_clock *slx_chip_clock_open(const slx_program *p, const slx_chip *c)
{
    slx_chip_clock *k = slx_xcalloc(1, sizeof *k);
    uint32_t slots = p->info.desc.max_seqs, rows = p->info.desc.max_rows;
    double longest = most_positions(p, slots), context = p->info.max_context - 1;
    slx_band usd;
    k->prog = p;
    k->chip = c;
    if (p->info.desc.max_samples < slots) slots = p->info.desc.max_samples;
    for (uint32_t n = 1; n < 2 * slots; n *= 2) add_point(k->decode.x, &k->decode.n_x, n, slots);
    add_point(k->decode.y, &k->decode.n_y, 0, longest);
    add_point(k->decode.y, &k->decode.n_y, 256, longest);
    add_point(k->decode.y, &k->decode.n_y, longest, longest);
    static const double some_rows[] = {1, 16, 64, 128, 256, 512, 1024, 2048};
    const double most = rows < context ? rows : context, turn = slx_program_short_rows(p);
    for (size_t i = 0; i < sizeof some_rows / sizeof *some_rows; i++) {
        /* from the turn on steps go another way */
        if (turn > 0 && (!i || some_rows[i - 1] < turn) && some_rows[i] >= turn) {
            add_point(k->prefill.x, &k->prefill.n_x, turn, most);
            add_point(k->prefill.x, &k->prefill.n_x, turn + 1, most);
        }
        add_point(k->prefill.x, &k->prefill.n_x, some_rows[i], most);
    }
    double before = context + 1 - k->prefill.x[k->prefill.n_x - 1];
    add_point(k->prefill.y, &k->prefill.n_y, 0, before);
    add_point(k->prefill.y, &k->prefill.n_y, 1024, before);
    add_point(k->prefill.y, &k->prefill.n_y, before, before);
    /* one sequence fewer than the most, and rows beside them */
    k->behind = longest < 256 ? longest : 256;
    double most_rows = rows - slots < before - k->behind ? rows - slots : before - k->behind;
    for (uint32_t n = 1; n < 2 * slots && slots > 1; n *= 4)
        add_point(k->both.x, &k->both.n_x, n, slots - 1);
    add_point(k->both.x, &k->both.n_x, slots - 1, slots - 1);
    static const double few_rows[] = {1, 16, 64, 256, 1024};
    for (size_t i = 0; i < sizeof few_rows / sizeof *few_rows && most_rows >= 1; i++)
        add_point(k->both.y, &k->both.n_y, few_rows[i], most_rows);
    /* a token a second: a million tokens are a million seconds */
    slx_estimate second = {.tpot_s = 1, .batch = 1, .chips = slx_program_chips(&p->info)};
    k->usd_per_s = slx_estimate_usd_per_mtok(&usd, &second, c) ? usd.mid * 1e-6 : -1;
    if (pthread_create(&k->thread, NULL, run, k)) SLX_BUG("cannot start the chip clock's thread");
    return k;
}

void slx_chip_clock_close(slx_chip_clock *k)
{
    if (!k) return;
    atomic_store(&k->quit, true);
    pthread_join(k->thread, NULL);
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

/* ------------------------------------------------------------------ between the points */

/* x lies between at[*i] and at[*i + 1], the share *f on the way; beyond the ends the last stretch goes on. */
static void place(const double *at, uint32_t n, double x, uint32_t *i, double *f)
{
    *i = 0;
    *f = 0;
    if (n < 2) return;
    while (*i + 2 < n && x > at[*i + 1]) (*i)++;
    *f = (x - at[*i]) / (at[*i + 1] - at[*i]);
}

static double between(double v[MOST][MOST], const grid *g, double x, double y)
{
    uint32_t i, j;
    double fx, fy;
    place(g->x, g->n_x, x, &i, &fx);
    place(g->y, g->n_y, y, &j, &fy);
    uint32_t i2 = i + (g->n_x > 1), j2 = j + (g->n_y > 1);
    double low = v[i][j] + (v[i][j2] - v[i][j]) * fy, high = v[i2][j] + (v[i2][j2] - v[i2][j]) * fy;
    return low + (high - low) * fx;
}

/* decode only: D; prompts only: P; both: B, moved by what D and P say of other lengths than B's. */
static double step(const slx_step_shape *s, const slx_chip_clock *k, double d[MOST][MOST],
                   double p[MOST][MOST], double b[MOST][MOST])
{
    double c = s->n_decode ? (double)s->decode_positions / s->n_decode : 0,
           before = s->n_prefill ? (double)s->prefill_positions / s->n_prefill : 0;
    if (!s->n_prefill) return between(d, &k->decode, s->n_decode, c);
    double prompt = between(p, &k->prefill, s->prefill_rows, before);
    if (!s->n_decode) return prompt;
    if (!k->both.n_x || !k->both.n_y) /* too small for a grid: one after the other */
        return prompt + between(d, &k->decode, s->n_decode, c);
    double both = between(b, &k->both, s->n_decode, s->prefill_rows);
    both += between(d, &k->decode, s->n_decode, c) - between(d, &k->decode, s->n_decode, k->behind);
    return both + prompt - between(p, &k->prefill, s->prefill_rows, k->behind);
}

bool slx_chip_clock_at(void *arg, const slx_step_shape *s, double *seconds, double *joules)
{
    slx_chip_clock *k = arg;
    if (!atomic_load(&k->ready)) return false;
    *seconds = step(s, k, k->decode.seconds, k->prefill.seconds, k->both.seconds);
    *joules = step(s, k, k->decode.joules, k->prefill.joules, k->both.joules);
    return true;
}
