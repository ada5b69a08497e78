/* memo.c - the table behind memo.h.
 *
 *   decode    batch x longest x mean / longest           prefill    rows x tokens before
 *
 *   batch, rows   every one up to 16, then the ends of every stretch that the tensor engine does in as many passes
 *                 (17 and 32, 33 and 48, ..), every fourth stretch from the fifth on; the last short step and the one
 *                 behind it, which takes another way
 *   lengths       0, 1, 2, 3, 4, 6, 8, .. times 128; the longest that fits ends them
 *   mean          0, 1, 2, 3 and 4 quarters of the longest (0: the longest alone); the lengths follow a power law
 *
 * Linear between neighbours in every direction. A point is a folded step. */
#include "time/memo.h"

#include "isa/step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t key; /* 0: none */
    slx_memo_cost cost;
} point;

struct slx_memo {
    const slx_program *p;
    const slx_chip *c;
    slx_time_watts watts;
    uint32_t pass;       /* rows of a pass of the tensor engine */
    uint32_t short_rows; /* most rows of a short step, 0: there is none */
    uint8_t *desc;
    point *table;
    uint32_t n, cap; /* cap: a power of two, at most half full */
};

slx_status slx_memo_open(slx_memo **out, const slx_program *p, const slx_chip *c,
                         const slx_time_watts *watts, slx_err *err)
{
    slx_time_watts w;
    *out = NULL;
    if (watts)
        w = *watts;
    else
        SLX_TRY(slx_time_get_watts(&w, c, err));
    slx_memo *m = slx_xcalloc(1, sizeof *m);
    *m = (slx_memo){.p = p, .c = c, .watts = w, .pass = c->ten.m < 16 ? 16 : c->ten.m, .cap = 256};
    m->short_rows = slx_program_short_rows(p);
    m->desc = slx_xcalloc(1, p->info.desc.bytes + 1u);
    m->table = slx_xcalloc(m->cap, sizeof *m->table);
    *out = m;
    return SLX_OK;
}

void slx_memo_close(slx_memo *m)
{
    if (!m) return;
    free(m->desc);
    free(m->table);
    free(m);
}

uint32_t slx_memo_points(const slx_memo *m)
{
    return m->n;
}

/* ------------------------------------------------------------------ steps */

static uint32_t pages_of(uint64_t tokens)
{
    return (uint32_t)((tokens + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK);
}

/* n sequences with before[i] tokens and `rows` new ones each. */
static slx_status simulate(slx_memo *m, uint32_t n, const uint32_t *before, uint32_t rows,
                           slx_memo_cost *out, slx_err *err)
{
    uint64_t pages = 0;
    for (uint32_t i = 0; i < n; i++) pages += pages_of((uint64_t)before[i] + rows);
    if (pages > m->p->info.desc.max_pages)
        return slx_fail(err, SLX_EINPUT, m->p->info.model_name, 0, 0,
                        "found %llu pages of a step, expected at most %u",
                        (unsigned long long)pages, m->p->info.desc.max_pages);
    uint32_t *page = slx_xcalloc(pages + 1, sizeof *page),
             *tokens = slx_xcalloc(rows, sizeof *tokens), at = 0;
    slx_step_seq *seq = slx_xcalloc(n, sizeof *seq);
    for (uint32_t i = 0; i < pages; i++) page[i] = i;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t each = pages_of((uint64_t)before[i] + rows);
        seq[i] = (slx_step_seq){.tokens = tokens,
                                .n = rows,
                                .pos0 = before[i],
                                .n_samples = 1,
                                .pages = page + at,
                                .n_pages = each};
        at += each;
    }
    slx_time_result r;
    memset(m->desc, 0, m->p->info.desc.bytes);
    slx_status st = slx_step_build(&m->p->info, m->desc, seq, n, err);
    if (st == SLX_OK)
        st = slx_time_step(m->p, m->c, m->desc,
                           &(slx_time_options){.folded = true, .watts = &m->watts}, &r, err);
    if (st == SLX_OK) {
        *out = (slx_memo_cost){r.seconds, (double)r.energy_fj * 1e-15};
        slx_time_result_free(&r);
    }
    free(seq);
    free(tokens);
    free(page);
    return st;
}

/* Lengths that sum to about `sum` and reach `longest`: longest * u^(longest / mean - 1), u evenly over 0..1. All alike
 * when the longest is the mean, even from 0 when it is twice the mean, a few long ones above. Fewer tokens where the
 * pages would not fit. */
static void lengths(const slx_memo *m, uint32_t batch, double sum, double longest, uint32_t *before)
{
    double power = sum > 0 ? longest * batch / sum - 1 : 0, rest = 0;
    for (uint32_t i = 0; i + 1 < batch; i++) rest += pow((i + 0.5) / batch, power);
    double scale = rest > 0 ? (sum - longest) / rest : 0;
    for (uint64_t pages = UINT64_MAX;
         pages > m->p->info.desc.max_pages && (pages == UINT64_MAX || longest >= 1);
         scale *= 0.99, longest *= 0.99) {
        pages = 0;
        for (uint32_t i = 0; i < batch; i++) {
            double l = i + 1 < batch ? scale * pow((i + 0.5) / batch, power) : longest;
            before[i] = (uint32_t)fmin(l + 0.5, m->p->info.max_context - 1.0);
            pages += pages_of(before[i] + UINT64_C(1));
        }
    }
}

/* ------------------------------------------------------------------ table */

static point *place(point *table, uint32_t cap, uint64_t key)
{
    uint32_t i = (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (cap - 1);
    while (table[i].key && table[i].key != key) i = (i + 1) & (cap - 1);
    return &table[i];
}

static void insert(slx_memo *m, uint64_t key, const slx_memo_cost *cost)
{
    if (2 * ++m->n > m->cap) {
        point *t = slx_xcalloc(2 * (size_t)m->cap, sizeof *t);
        for (uint32_t i = 0; i < m->cap; i++)
            if (m->table[i].key) *place(t, 2 * m->cap, m->table[i].key) = m->table[i];
        free(m->table);
        m->table = t;
        m->cap *= 2;
    }
    *place(m->table, m->cap, key) = (point){key, *cost};
}

/* ------------------------------------------------------------------ points of an axis */

typedef struct {
    uint32_t low, high; /* neighbours, low <= x <= high */
    double share;       /* of high */
} between;

static between of(uint32_t low, uint32_t high, double x)
{
    if (x >= high) return (between){high, high, 0};
    return (between){low, high, (x - low) / (high - low)};
}

/* The next of 1, 2, 3, 4, 6, 8, 12, .. */
static uint32_t next_step(uint32_t n)
{
    return n < 3 ? n + 1 : n & (n - 1) ? n / 3 * 4 : n / 2 * 3;
}

static between steps_axis(const slx_memo *m, uint32_t n, uint32_t most)
{
    if (n <= m->pass) return of(n, n, n);
    uint32_t k = (n - 1) / m->pass, first = k < 4 ? k : k / 4 * 4, last = k < 4 ? k : first + 3;
    uint32_t high = (last + 1) * m->pass;
    return of(first * m->pass + 1, high > most ? most : high, n);
}

/* The same with the last short step and the step behind it, which takes another way: nothing lies between these two. */
static between rows_axis(const slx_memo *m, uint32_t n, uint32_t most)
{
    between b = steps_axis(m, n, most);
    uint32_t low = b.low, high = b.high;
    if (n <= m->short_rows && high > m->short_rows) high = m->short_rows;
    if (n > m->short_rows && low <= m->short_rows) low = m->short_rows + 1;
    return low == b.low && high == b.high ? b : of(low, high, n);
}

/* In chunks: 0, 1, 2, 3, 4, 6, 8, 12, .. */
static between length_axis(double x, uint32_t most)
{
    uint32_t low = 0, high = 1;
    while ((double)high * SLX_MAX_CHUNK < x) low = high, high = next_step(high);
    low *= SLX_MAX_CHUNK, high *= SLX_MAX_CHUNK;
    return of(low, high > most ? most : high, x);
}

/* ------------------------------------------------------------------ decode */

/* Longest sequence of a batch whose mean is `fill` of it, in whole pages; the position itself has room behind it. */
static uint32_t most_tokens(const slx_memo *m, uint32_t batch, double fill)
{
    uint64_t fit = (uint64_t)fmax(m->p->info.desc.max_pages / (batch * fill), 1), most = m->p->info.max_context - 1;
    return (uint32_t)(fit - 1 < most / SLX_MAX_CHUNK ? fit - 1 : most / SLX_MAX_CHUNK) * SLX_MAX_CHUNK;
}

/* Fill of a point: quarters / 4, but no less than the longest sequence alone makes. */
static double fill_of(uint32_t batch, uint32_t quarters)
{
    return fmax(quarters / 4.0, 1.0 / batch);
}

static slx_status decode_point(slx_memo *m, uint32_t batch, uint32_t longest, uint32_t quarters,
                               slx_memo_cost *out, slx_err *err)
{
    uint64_t key = 1 | (uint64_t)batch << 1 | (uint64_t)longest << 17 | (uint64_t)quarters << 48;
    const point *p = place(m->table, m->cap, key);
    if (p->key) {
        *out = p->cost;
        return SLX_OK;
    }
    uint32_t *before = slx_xcalloc(batch, sizeof *before);
    lengths(m, batch, (double)batch * longest * fill_of(batch, quarters), longest, before);
    slx_status st = simulate(m, batch, before, 1, out, err);
    free(before);
    if (st != SLX_OK) return st;
    insert(m, key, out);
    return SLX_OK;
}

static void mix(slx_memo_cost *a, const slx_memo_cost *b, double share)
{
    a->seconds += (b->seconds - a->seconds) * share;
    a->energy_j += (b->energy_j - a->energy_j) * share;
}

static slx_status decode_fill(slx_memo *m, uint32_t batch, uint32_t longest, double fill,
                              slx_memo_cost *out, slx_err *err)
{
    uint32_t low = longest && batch > 1 ? (uint32_t)fmin(4 * fill, 4) : 4;
    double from = fill_of(batch, low);
    slx_memo_cost b;
    SLX_TRY(decode_point(m, batch, longest, low, out, err));
    if (low == 4 || fill <= from) return SLX_OK;
    SLX_TRY(decode_point(m, batch, longest, low + 1, &b, err));
    mix(out, &b, (fill - from) / (fill_of(batch, low + 1) - from));
    return SLX_OK;
}

static slx_status decode_length(slx_memo *m, uint32_t batch, uint32_t longest, double fill,
                                slx_memo_cost *out, slx_err *err)
{
    uint32_t most = most_tokens(m, batch, fill);
    between l = length_axis(longest < most ? longest : most, most);
    slx_memo_cost b;
    SLX_TRY(decode_fill(m, batch, l.low, fill, out, err));
    if (l.share <= 0) return SLX_OK;
    SLX_TRY(decode_fill(m, batch, l.high, fill, &b, err));
    mix(out, &b, l.share);
    return SLX_OK;
}

slx_status slx_memo_decode(slx_memo *m, uint32_t batch, uint64_t sum, uint32_t longest,
                           slx_memo_cost *out, slx_err *err)
{
    const slx_program_info *in = &m->p->info;
    uint32_t most = in->desc.max_seqs < in->desc.max_rows ? in->desc.max_seqs : in->desc.max_rows;
    if (in->desc.max_samples < most) most = in->desc.max_samples;
    if (!batch || batch > most || longest >= in->max_context)
        return slx_fail(err, SLX_EINPUT, in->model_name, 0, 0,
                        "found %u sequences of up to %u tokens, expected 1 to %u of less than %u",
                        batch, longest, most, in->max_context);
    if (longest > sum || sum > (uint64_t)batch * longest)
        return slx_fail(
            err, SLX_EINPUT, in->model_name, 0, 0,
            "found a longest of %u and a sum of %llu tokens, expected the sum of %u sequences",
            longest, (unsigned long long)sum, batch);
    /* attention goes by whole pages: the longest decides, and all are taken to lie as far behind a page as it */
    uint32_t page = longest / SLX_MAX_CHUNK * SLX_MAX_CHUNK;
    double fill = longest ? (double)sum / batch / longest : 1;
    between b = rows_axis(m, batch, most);
    slx_memo_cost other;
    SLX_TRY(decode_length(m, b.low, page, fill, out, err));
    if (b.share <= 0) return SLX_OK;
    SLX_TRY(decode_length(m, b.high, page, fill, &other, err));
    mix(out, &other, b.share);
    return SLX_OK;
}

/* ------------------------------------------------------------------ prefill */

static slx_status prefill_point(slx_memo *m, uint32_t rows, uint32_t before, slx_memo_cost *out,
                                slx_err *err)
{
    uint64_t key = UINT64_C(1) << 63 | (uint64_t)rows << 32 | before;
    const point *p = place(m->table, m->cap, key);
    if (p->key) {
        *out = p->cost;
        return SLX_OK;
    }
    SLX_TRY(simulate(m, 1, &before, rows, out, err));
    insert(m, key, out);
    return SLX_OK;
}

static slx_status prefill_rows(slx_memo *m, const between *r, uint32_t before, slx_memo_cost *out,
                               slx_err *err)
{
    slx_memo_cost b;
    SLX_TRY(prefill_point(m, r->low, before, out, err));
    if (r->share <= 0) return SLX_OK;
    SLX_TRY(prefill_point(m, r->high, before, &b, err));
    mix(out, &b, r->share);
    return SLX_OK;
}

slx_status slx_memo_prefill(slx_memo *m, uint32_t rows, uint32_t before, slx_memo_cost *out,
                            slx_err *err)
{
    const slx_program_info *in = &m->p->info;
    if (!rows || rows > in->desc.max_rows || (uint64_t)rows + before > in->max_context)
        return slx_fail(
            err, SLX_EINPUT, in->model_name, 0, 0,
            "found %u new and %u old tokens, expected 1 to %u new ones and at most %u in all", rows,
            before, in->desc.max_rows, in->max_context);
    between r = rows_axis(m, rows, in->desc.max_rows);
    /* The rows of the upper point need room too. */
    uint32_t most = in->max_context - r.high;
    if (r.high + before > in->max_context) r = (between){rows, rows, 0}, most = before;
    between l = length_axis(before, most);
    slx_memo_cost b;
    SLX_TRY(prefill_rows(m, &r, l.low, out, err));
    if (l.share <= 0) return SLX_OK;
    SLX_TRY(prefill_rows(m, &r, l.high, &b, err));
    mix(out, &b, l.share);
    return SLX_OK;
}

/* ------------------------------------------------------------------ how far off */

slx_status slx_memo_measure(slx_memo *m, uint32_t tries, uint32_t batch, uint32_t context,
                            uint64_t seed, slx_memo_error *out, slx_err *err)
{
    slx_rng r = {seed};
    *out = (slx_memo_error){.tries = tries};
    for (uint32_t i = 0; i < tries; i++) {
        uint32_t n = 1 + slx_rng_below(&r, batch), longest = 0, most = most_tokens(m, n, 1);
        uint32_t *before = slx_xcalloc(n, sizeof *before);
        uint64_t sum = 0;
        if (most > context) most = context;
        for (uint32_t k = 0; k < n; k++) {
            before[k] = slx_rng_below(&r, most + 1);
            sum += before[k];
            if (before[k] > longest) longest = before[k];
        }
        slx_memo_cost real, found;
        slx_status st = simulate(m, n, before, 1, &real, err);
        free(before);
        if (st == SLX_OK) st = slx_memo_decode(m, n, sum, longest, &found, err);
        if (st != SLX_OK) return st;
        double off = fabs(found.seconds / real.seconds - 1),
               energy = fabs(found.energy_j / real.energy_j - 1);
        out->mean += off / tries, out->energy_mean += energy / tries;
        out->worst = fmax(out->worst, off), out->energy_worst = fmax(out->energy_worst, energy);
    }
    return SLX_OK;
}
