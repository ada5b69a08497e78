/* hbm_book.c - which pseudo-channels the rows of a transfer lie in, and when those have served them.
 *
 * One transfer's requests all come at once, so only how many units it asks of each pseudo-channel counts: rows that go
 * round the stacks are booked stack by stack, many short ones are summed up first. */
#include "time/hbm_book.h"

#include <string.h>

/* `more` in each of n places, no earlier than `from`: the latest of them. */
__attribute__((always_inline)) static inline int64_t take_plain(int64_t *at, uint64_t n, int64_t from, int64_t more)
{
    int64_t latest = from;
    for (uint64_t i = 0; i < n; i++) {
        at[i] = (at[i] > from ? at[i] : from) + more;
        latest = at[i] > latest ? at[i] : latest;
    }
    return latest;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static int64_t take_avx2(int64_t *at, uint64_t n, int64_t from, int64_t more)
{
    return take_plain(at, n, from, more); /* the same integers, four at once */
}
#endif

static int64_t take(int64_t *at, uint64_t n, int64_t from, int64_t more)
{
#if defined(__x86_64__)
    if (n >= 16 && __builtin_cpu_supports("avx2")) return take_avx2(at, n, from, more);
#endif
    return take_plain(at, n, from, more);
}

uint64_t slx_tm_book_stack(const slx_tm_mem *m, slx_tm_pch *t, uint64_t first, uint64_t n, uint64_t ticks, uint64_t at)
{
    int64_t from = (int64_t)at - t->more, more = (int64_t)ticks;
    if (from < t->floor) from = t->floor;
    if (n == m->npch) {
        if (t->last < (int64_t)at) t->last = (int64_t)at;
        t->last += more;
        t->floor = from;
        t->more += more;
        return (uint64_t)t->last;
    }
    uint64_t left = m->npch - first < n ? m->npch - first : n;
    int64_t latest = take(t->at + first, left, from, more);
    if (n > left) {
        int64_t rest = take(t->at, n - left, from, more);
        latest = rest > latest ? rest : latest;
    }
    latest += t->more;
    if (latest > t->last) t->last = latest;
    return (uint64_t)latest;
}

/* The same of n pseudo-channels in the order of addresses from number `first`; the later of `end` and their ends. */
static uint64_t book_table(const slx_tm_mem *m, slx_tm_pch *t, uint64_t first, uint64_t n, uint64_t ticks, uint64_t at,
                           uint64_t end)
{
    uint32_t stack = (uint32_t)first % m->stacks, pch = (uint32_t)first / m->stacks;
    for (uint64_t k = 0; k < n && k < m->stacks; k++) { /* every stacks-th from the k-th lies in one stack */
        uint64_t got = slx_tm_book_stack(m, t + stack, pch, (n - k - 1) / m->stacks + 1, ticks, at);
        end = got > end ? got : end;
        if (++stack == m->stacks) stack = 0, pch = pch + 1 < m->npch ? pch + 1 : 0;
    }
    return end;
}

void slx_tm_book_run(slx_tm_booking *b, uint64_t first, uint64_t n, uint64_t ticks)
{
    b->end = book_table(b->m, b->pch, first, n, ticks, b->at, b->end);
    if (b->too) b->too_end = book_table(b->m, b->too, first, n, ticks, b->at, b->too_end);
}

/* One row; pch: the pseudo-channel of its first byte. */
static void book_row(slx_tm_booking *b, uint64_t addr, uint64_t bytes, uint64_t pch)
{
    slx_tm_mem *m = b->m;
    uint64_t mask = (UINT64_C(1) << m->shift) - 1, end = addr + bytes, g = addr >> m->shift, last = end >> m->shift;
    uint64_t tick = b->weight * m->unit_ticks;
    if (g == last || addr & mask) {
        uint64_t stop = (addr | mask) + 1 < end ? (addr | mask) + 1 : end,
                 units = slx_tm_units(addr, stop - addr, b->write);
        slx_tm_book_run(b, pch, 1, units * tick);
        b->units += units;
        if (stop == end) return;
        g++, pch = pch + 1 < m->all ? pch + 1 : 0;
    }
    uint64_t n = last - g, units = (mask + 1) / 64; /* whole granules */
    b->units += n * units;
    if (n >= m->all) {
        slx_tm_book_run(b, 0, m->all, n / m->all * units * tick);
        n %= m->all;
    }
    slx_tm_book_run(b, pch, n, units * tick);
    if (end & mask) {
        pch = pch + n < m->all ? pch + n : pch + n - m->all;
        units = slx_tm_units(last << m->shift, end & mask, b->write);
        slx_tm_book_run(b, pch, 1, units * tick);
        b->units += units;
    }
}

enum { MANY_ROWS = 64, MANY_GRANULES = 8 /* of a row */ };

/* One of many rows, its first byte in pseudo-channel pch: its units are only summed up. */
static void load_row(slx_tm_booking *b, uint64_t addr, uint64_t bytes, uint64_t pch)
{
    const slx_tm_mem *m = b->m;
    const uint32_t *place = m->place;
    uint32_t *load = m->load;
    uint64_t mask = (UINT64_C(1) << m->shift) - 1, end = addr + bytes, all = m->all;
    if (addr & mask) {
        uint64_t stop = (addr | mask) + 1 < end ? (addr | mask) + 1 : end;
        uint64_t part = slx_tm_units(addr, stop - addr, b->write);
        load[place[pch]] += (uint32_t)part;
        b->units += part;
        addr = stop;
        pch = pch + 1 < all ? pch + 1 : 0;
    }
    uint64_t whole = (end - addr) >> m->shift, units = (mask + 1) / 64;
    b->units += whole * units;
    for (uint64_t i = 0; i < whole; i++) {
        load[place[pch]] += (uint32_t)units;
        pch = pch + 1 < all ? pch + 1 : 0;
    }
    addr += whole << m->shift;
    if (addr == end) return;
    units = slx_tm_units(addr, end - addr, b->write);
    load[place[pch]] += (uint32_t)units;
    b->units += units;
}

/* Rows of a granule or less, each in the pseudo-channel of its stack that comes after that of the row before. */
static void load_slice(slx_tm_booking *b, const slx_tm_rec *r, uint64_t pch)
{
    slx_tm_mem *m = b->m;
    uint64_t units = slx_tm_units(r->addr, r->bytes, b->write), stack = pch % m->stacks, at = pch / m->stacks;
    uint32_t *load = m->load + stack * m->npch, rounds = r->rows / m->npch;
    for (uint32_t i = 0; i < m->npch; i++) load[i] = (uint32_t)(rounds * units);
    for (uint32_t i = r->rows % m->npch; i; i--, at++) load[at < m->npch ? at : at - m->npch] += (uint32_t)units;
    b->units += r->rows * units;
}

/* Rows of a granule or less, each `step` pseudo-channels in the order of addresses after the one before. */
static void load_even(slx_tm_booking *b, const slx_tm_rec *r, uint64_t pch, uint64_t step)
{
    slx_tm_mem *m = b->m;
    uint32_t units = (uint32_t)slx_tm_units(r->addr, r->bytes, b->write);
    for (uint32_t i = r->rows; i; i--) {
        m->load[m->place[pch]] += units;
        pch = pch + step < m->all ? pch + step : pch + step - m->all;
    }
    b->units += (uint64_t)r->rows * units;
}

static void load_rows(slx_tm_booking *b, const slx_tm_rec *r, const uint32_t *idx)
{
    slx_tm_mem *m = b->m;
    uint64_t granules = r->stride >> m->shift, step = granules % m->all, pch = (r->addr >> m->shift) % m->all;
    bool even = !r->indexed && granules << m->shift == r->stride; /* all rows begin alike in their granules */
    bool one = !(r->addr >> m->shift ^ (r->addr + r->bytes - 1) >> m->shift);
    memset(m->load, 0, m->all * sizeof *m->load);
    if (even && one && granules == m->stacks) {
        load_slice(b, r, pch);
    } else if (even && one) {
        load_even(b, r, pch, step);
    } else {
        for (uint32_t i = 0; i < r->rows; i++) {
            uint64_t addr = r->addr + (r->indexed ? idx[i] : i) * r->stride;
            load_row(b, addr, r->bytes, even ? pch : (addr >> m->shift) % m->all);
            pch = pch + step < m->all ? pch + step : pch + step - m->all;
        }
    }
    for (uint32_t s = 0; s < m->stacks; s++) {
        uint32_t any = 0;
        for (uint32_t i = 0; i < m->npch; i++) any |= m->load[s * m->npch + i];
        m->loaded[s] = any;
    }
}

/* load[i] times `tick` in each of n places that have any, no earlier than `from`: the latest of them. */
__attribute__((always_inline)) static inline int64_t load_plain(int64_t *at, const uint32_t *load, uint64_t n,
                                                                int64_t from, uint32_t tick)
{
    int64_t latest = INT64_MIN;
    for (uint64_t i = 0; i < n; i++) {
        int64_t v = (at[i] > from ? at[i] : from) + (int64_t)((uint64_t)load[i] * tick);
        at[i] = load[i] ? v : at[i];
        v = load[i] ? v : INT64_MIN;
        latest = v > latest ? v : latest;
    }
    return latest;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static int64_t load_avx2(int64_t *at, const uint32_t *load, uint64_t n, int64_t from,
                                                         uint32_t tick)
{
    return load_plain(at, load, n, from, tick);
}
#endif

/* m->load times `tick` in each pseudo-channel of a table; the later of `end` and their ends. */
static uint64_t book_load(const slx_tm_mem *m, slx_tm_pch *t, uint32_t tick, uint64_t at, uint64_t end)
{
    for (uint32_t s = 0; s < m->stacks; s++, t++) {
        if (!m->loaded[s]) continue;
        int64_t from = (int64_t)at - t->more, latest;
        if (from < t->floor) from = t->floor;
#if defined(__x86_64__)
        if (__builtin_cpu_supports("avx2"))
            latest = load_avx2(t->at, m->load + s * m->npch, m->npch, from, tick);
        else
#endif
            latest = load_plain(t->at, m->load + s * m->npch, m->npch, from, tick);
        latest += t->more;
        if (latest > t->last) t->last = latest;
        if ((uint64_t)latest > end) end = (uint64_t)latest;
    }
    return end;
}

/* Rows that are many and short: all of them come at once, so their order does not matter. */
static void book_many(slx_tm_booking *b, const slx_tm_rec *r, const uint32_t *idx)
{
    uint64_t tick = b->weight * b->m->unit_ticks;
    SLX_ASSERT(tick <= UINT32_MAX);
    if (!b->loaded) load_rows(b, r, idx);
    b->end = book_load(b->m, b->pch, (uint32_t)tick, b->at, b->end);
    if (b->too) b->too_end = book_load(b->m, b->too, (uint32_t)tick, b->at, b->too_end);
}

void slx_tm_book_rows(slx_tm_booking *b, const slx_tm_rec *r, const uint32_t *idx)
{
    const slx_tm_mem *m = b->m;
    uint64_t g = r->addr >> m->shift, pch = g % m->all;
    if (r->rows >= MANY_ROWS && (r->indexed || r->stride != r->bytes) && r->bytes >> m->shift < MANY_GRANULES) {
        book_many(b, r, idx);
    } else if (r->indexed) {
        for (uint32_t i = 0; i < r->rows; i++) {
            uint64_t addr = r->addr + idx[i] * r->stride;
            book_row(b, addr, r->bytes, (addr >> m->shift) % m->all);
        }
    } else if (r->rows == 1 || r->stride == r->bytes) {
        book_row(b, r->addr, (uint64_t)r->rows * r->bytes, pch);
    } else {
        uint64_t addr = r->addr, granules = r->stride >> m->shift, step = granules % m->all;
        for (uint32_t i = 0; i < r->rows; i++, addr += r->stride) {
            uint64_t more = i ? (addr >> m->shift) - g - granules : 0; /* 1 where what is left over makes one up */
            pch += i ? step + more : 0;
            if (pch >= m->all) pch -= m->all;
            g = addr >> m->shift;
            book_row(b, addr, r->bytes, pch);
        }
    }
}
