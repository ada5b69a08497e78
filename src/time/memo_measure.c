/* memo_measure.c - how far the table of steps is from steps it was not built from. */
#include "time/memo_int.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

typedef enum { EVEN, ONE_LONG, EQUAL, TWO_KINDS, N_SPREADS } spread;

/* Tokens before a sequence's row; the others of the step, `all` for those that are alike, know no more of it. */
static uint32_t length(slx_rng *r, spread s, bool first, uint32_t all, uint32_t most)
{
    switch (s) {
    case ONE_LONG: return first ? most - slx_rng_below(r, most / 4 + 1) : slx_rng_below(r, most / 16 + 1);
    case EQUAL: return all;
    case TWO_KINDS: {
        uint32_t off = slx_rng_below(r, most / 8 + 1);
        return slx_rng_below(r, 2) ? most - off : off;
    }
    default: return slx_rng_below(r, most + 1);
    }
}

/* 1 to `batch` sequences that decode into seq; returns how many. */
static uint32_t draw(const slx_memo *m, slx_rng *r, spread s, uint32_t batch, uint32_t context, slx_memo_seq *seq)
{
    const slx_program_info *in = slx_memo_info(m);
    uint32_t n = 1 + slx_rng_below(r, batch), most = in->desc.max_pages / n * SLX_MAX_CHUNK;
    if (most > in->max_context) most = in->max_context;
    most = most - 1 < context ? most - 1 : context;
    uint32_t all = slx_rng_below(r, most + 1), longest = slx_rng_below(r, n);
    for (uint32_t i = 0; i < n; i++)
        seq[i] = (slx_memo_seq){.rows = 1, .before = length(r, s, i == longest, all, most), .samples = 1};
    return n;
}

/* One step looked up and simulated: how far off. */
static slx_status compare(slx_memo *m, const slx_memo_seq *seq, uint32_t n, double *off, double *energy, slx_err *err)
{
    slx_memo_parts is;
    slx_memo_cost found;
    SLX_TRY(slx_memo_simulate(m, seq, n, &is, err));
    SLX_TRY(slx_memo_step(m, seq, n, &found, err));
    *off = fabs(found.seconds / is.seconds - 1);
    *energy = fabs(found.energy_j / (is.joules + is.watts * is.seconds) - 1);
    return SLX_OK;
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* CPU seconds of a look-up whose points are there. */
static double look_up_s(slx_memo *m, const slx_memo_seq *seq, uint32_t n)
{
    enum { CALLS = 200 };
    slx_memo_cost found;
    double start = cpu_s();
    for (int i = 0; i < CALLS; i++)
        if (slx_memo_step(m, seq, n, &found, NULL) != SLX_OK) return 0;
    return (cpu_s() - start) / CALLS;
}

/* A piece of a prompt behind the n sequences, where there is room: longer than 1 row, its last row sampled or not. */
static bool add_piece(const slx_memo *m, slx_rng *r, uint32_t context, slx_memo_seq *seq, uint32_t *n)
{
    const slx_program_info *in = slx_memo_info(m);
    uint32_t pages = in->desc.max_pages, rows = in->desc.max_rows;
    if (*n == in->desc.max_seqs || *n == in->desc.max_samples) --*n;
    for (uint32_t i = 0; i < *n; i++) pages -= slx_memo_pages(seq[i].before + UINT64_C(1));
    uint32_t most = pages * SLX_MAX_CHUNK < in->max_context ? pages * SLX_MAX_CHUNK : in->max_context;
    if (rows > *n + 256) rows = *n + 256;
    if (rows > *n + most) rows = *n + most;
    if (rows < *n + 2) return false;
    uint32_t new = 2 + slx_rng_below(r, rows - *n - 1), room = most - new < context ? most - new : context;
    seq[*n] = (slx_memo_seq){.rows = new, .before = slx_rng_below(r, room + 1), .samples = slx_rng_below(r, 2)};
    ++*n;
    return true;
}

slx_status slx_memo_measure(slx_memo *m, uint32_t tries, uint32_t batch, uint32_t context, uint64_t seed,
                            slx_memo_error *out, slx_err *err)
{
    slx_rng r = {seed};
    slx_memo_seq *seq = slx_xcalloc(batch + (size_t)1, sizeof *seq);
    slx_status st = SLX_OK;
    double off, energy;
    *out = (slx_memo_error){.tries = tries};
    for (uint32_t i = 0; i < tries && st == SLX_OK; i++) {
        uint32_t n = draw(m, &r, (spread)(i % N_SPREADS), batch, context, seq);
        st = compare(m, seq, n, &off, &energy, err);
        if (st != SLX_OK) break;
        out->look_up_s += look_up_s(m, seq, n) / tries;
        out->mean += off / tries, out->energy_mean += energy / tries;
        out->worst = fmax(out->worst, off), out->energy_worst = fmax(out->energy_worst, energy);
        if (i % 4 || !add_piece(m, &r, context, seq, &n)) continue;
        st = compare(m, seq, n, &off, &energy, err);
        out->mixed++;
        out->mixed_mean += off, out->mixed_worst = fmax(out->mixed_worst, off);
    }
    if (out->mixed) out->mixed_mean /= out->mixed;
    free(seq);
    return st;
}
