/* hbm.c - memory and network of the timing machine: who is served when.
 *
 *   tile t at (t mod x, t / x); stack s at the left (even s) or right edge, spread over the rows
 *   address a -> stack (a / interleave) mod stacks
 *             -> pseudo-channel (a / interleave / stacks) mod (channels * pch)
 *   so granule g = a / interleave lies in pseudo-channel g mod (stacks * channels * pch) of all
 *
 * Modelled: every pseudo-channel is a server busy for whole 64-byte units at its share of the
 * pins, less what a queue full of streams loses to rows and refresh (hbm_rate.c);
 * requests are served in the order they start, so tiles that read the same bytes at once wait
 * for each other. A transfer ends after start + access latency + max(bytes / tile's link,
 * service) + hops. A tile's link takes one transfer's bytes after another, each direction. A
 * partly written unit is read first: twice the time. Between memory and tiles lies the mesh (mesh.c).
 *
 * Not modelled: order within a pseudo-channel by row or bank, turns between reading and writing. */
#include "time/hbm_queue.h"
#include "time/time_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t distance(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

uint32_t slx_tm_hops(const slx_chip *c, uint32_t a, uint32_t b)
{
    uint32_t x = c->grid.x;
    return distance(a % x, b % x) + distance(a / x, b / x);
}

uint32_t slx_tm_diameter(const slx_chip *c, uint32_t first, uint32_t count)
{
    uint32_t x = c->grid.x, last = first + count - 1;
    if (!count) return 0;
    uint32_t rows = last / x - first / x;
    return rows + (rows ? x - 1 : last - first);
}

static uint32_t stack_hops(const slx_chip *c, uint32_t tile, uint32_t stack)
{
    if (c->noc.entries) return slx_tm_entry_hops(c, tile, stack);
    uint32_t left = (c->hbm.stacks + 1) / 2, side = stack % 2,
             n = side ? c->hbm.stacks - left : left;
    uint32_t row = (2 * (stack / 2) + 1) * c->grid.y / (2 * n), x = side ? c->grid.x - 1 : 0;
    return distance(tile % c->grid.x, x) + distance(tile / c->grid.x, row) + 1;
}

/* What is left of the pins' rate when the queue of a pseudo-channel is full of streams. */
static double stream_share(const slx_chip *c, const slx_hbmq_params *p)
{
    uint32_t request = c->hbm.interleave_bytes > p->bytes ? c->hbm.interleave_bytes / p->bytes : 1;
    return slx_hbmq_stream_share(p, p->queue > request ? p->queue / request : 1, request, 0);
}

static slx_tm_pch *new_table(const slx_tm_mem *m)
{
    slx_tm_pch *t = slx_xcalloc(m->stacks, sizeof *t);
    t->at = slx_xcalloc(m->all, sizeof *t->at);
    for (uint32_t s = 1; s < m->stacks; s++) t[s].at = t->at + s * m->npch;
    return t;
}

static void reset_table(slx_tm_pch *t, const slx_tm_mem *m)
{
    memset(t->at, 0, m->all * sizeof *t->at);
    for (uint32_t s = 0; s < m->stacks; s++) t[s] = (slx_tm_pch){.at = t[s].at};
}

static void free_table(slx_tm_pch *t)
{
    if (t) free(t->at);
    free(t);
}

slx_status slx_tm_mem_init(slx_tm_mem *m, const slx_chip *c, uint32_t n_tiles, slx_err *err)
{
    slx_hbmq_params p;
    SLX_TRY(slx_hbmq_params_get(&p, c, err));
    double clk_ns = c->grid.clock_ghz;
    *m = (slx_tm_mem){.chip = c,
                      .n_tiles = n_tiles,
                      .stacks = c->hbm.stacks,
                      .npch = c->hbm.channels * c->hbm.pch};
    m->all = (uint64_t)m->stacks * m->npch;
    while ((UINT32_C(1) << m->shift) < c->hbm.interleave_bytes) m->shift++;
    double bytes_ns = c->hbm.bits * c->hbm.gbps_pin / 8 / m->npch; /* of one pseudo-channel */
    m->unit_ticks = (uint64_t)ceil(64 / bytes_ns / stream_share(c, &p) * clk_ns * SLX_TM_TICKS);
    m->latency_ticks = (uint64_t)ceil((c->hbm.trcd_ns + c->hbm.latency_ns) * clk_ns * SLX_TM_TICKS);
    m->start_ticks = (uint64_t)ceil(c->tile.dma_cycles * SLX_TM_TICKS);
    m->link_ticks = SLX_TM_TICKS / c->noc.link_bytes_clk;
    m->hop_ticks = (uint64_t)ceil(c->noc.hop_clk * SLX_TM_TICKS);
    m->hops = slx_xcalloc((size_t)n_tiles * m->stacks, sizeof *m->hops);
    m->far = slx_xcalloc(n_tiles, sizeof *m->far);
    m->mean = slx_xcalloc(n_tiles, sizeof *m->mean);
    m->own = slx_xcalloc(n_tiles, sizeof *m->own);
    m->of_class = slx_xcalloc(n_tiles, sizeof *m->of_class);
    m->class_stack = slx_xcalloc((size_t)n_tiles * m->stacks, sizeof *m->class_stack);
    m->pch_free = new_table(m);
    m->pch_all = new_table(m);
    m->load = slx_xcalloc(m->all, sizeof *m->load);
    m->loaded = slx_xcalloc(m->stacks, sizeof *m->loaded);
    m->place = slx_xcalloc(m->all, sizeof *m->place);
    for (uint32_t i = 0; i < m->all; i++) m->place[i] = i % m->stacks * m->npch + i / m->stacks;
    m->link_in = slx_xcalloc(n_tiles, sizeof *m->link_in);
    m->link_out = slx_xcalloc(n_tiles, sizeof *m->link_out);
    for (uint32_t t = 0; t < n_tiles; t++) {
        for (uint32_t s = 0; s < m->stacks; s++) {
            uint16_t h = (uint16_t)stack_hops(c, t, s);
            m->hops[t * m->stacks + s] = h;
            if (h > m->far[t]) m->far[t] = h;
            m->mean[t] += (double)h / m->stacks;
            if (h < m->hops[t * m->stacks + m->own[t]]) m->own[t] = (uint16_t)s;
        }
        uint16_t h = m->hops[t * m->stacks + m->own[t]];
        if (h > m->own_far) m->own_far = h;
    }
    slx_tm_mesh_init(m, c);
    return SLX_OK;
}

void slx_tm_mem_reset(slx_tm_mem *m)
{
    slx_tm_mesh_reset(m);
    reset_table(m->pch_free, m);
    reset_table(m->pch_all, m);
    m->parts.len = 0;
    memset(m->link_in, 0, m->n_tiles * sizeof *m->link_in);
    memset(m->link_out, 0, m->n_tiles * sizeof *m->link_out);
}

void slx_tm_mem_deinit(slx_tm_mem *m)
{
    free(m->hops);
    free(m->far);
    free(m->mean);
    free(m->own);
    free(m->of_class);
    free(m->class_stack);
    slx_buf_free(&m->parts);
    slx_tm_mesh_deinit(m);
    free_table(m->pch_free);
    free_table(m->pch_all);
    free(m->load);
    free(m->loaded);
    free(m->place);
    free(m->link_in);
    free(m->link_out);
}

uint64_t slx_tm_units(uint64_t addr, uint64_t bytes, bool write)
{
    if (!bytes) return 0;
    uint64_t first = addr / 64, last = (addr + bytes - 1) / 64, n = last - first + 1;
    if (!write) return n;
    uint64_t head = addr % 64 != 0, tail = (addr + bytes) % 64 != 0;
    return n + (n == 1 ? (head || tail) : head + tail);
}

/* ------------------------------------------------------------------ pseudo-channels */

typedef struct {
    slx_tm_mem *m;
    slx_tm_pch *pch;  /* what is booked: pch_free or pch_all */
    uint64_t at, end; /* ticks: requests come, last byte is there */
    slx_tm_pch *too;  /* booked as well, with an end of its own; NULL = nothing */
    uint64_t too_end;
    uint64_t units;   /* of one copy */
    uint32_t weight;  /* copies that read the very same units */
    bool write;
    bool loaded;      /* m->load is what the rows ask for already */
} booking;

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

/* `ticks` in each of the n pseudo-channels of a stack from `first`, number 0 behind the last: the latest of them. */
static uint64_t book_stack(const slx_tm_mem *m, slx_tm_pch *t, uint64_t first, uint64_t n, uint64_t ticks, uint64_t at)
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
        uint64_t got = book_stack(m, t + stack, pch, (n - k - 1) / m->stacks + 1, ticks, at);
        end = got > end ? got : end;
        if (++stack == m->stacks) stack = 0, pch = pch + 1 < m->npch ? pch + 1 : 0;
    }
    return end;
}

/* n granules, no more than there are pseudo-channels, the first in pseudo-channel `first`; `ticks` in each. */
static void book_run(booking *b, uint64_t first, uint64_t n, uint64_t ticks)
{
    b->end = book_table(b->m, b->pch, first, n, ticks, b->at, b->end);
    if (b->too) b->too_end = book_table(b->m, b->too, first, n, ticks, b->at, b->too_end);
}

/* What the other tiles of a class ask for: `units` between two addresses, evenly. */
static void book_span(booking *b, uint64_t lo, uint64_t hi, uint64_t units)
{
    slx_tm_mem *m = b->m;
    uint64_t g = lo >> m->shift, n = (hi >> m->shift) - g + 1;
    if (n > m->all) n = m->all;
    book_run(b, g % m->all, n, units * m->unit_ticks / n);
}

/* One row; pch: the pseudo-channel of its first byte. */
static void book_row(booking *b, uint64_t addr, uint64_t bytes, uint64_t pch)
{
    slx_tm_mem *m = b->m;
    uint64_t mask = (UINT64_C(1) << m->shift) - 1, end = addr + bytes, g = addr >> m->shift, last = end >> m->shift;
    uint64_t tick = b->weight * m->unit_ticks;
    if (g == last || addr & mask) {
        uint64_t stop = (addr | mask) + 1 < end ? (addr | mask) + 1 : end,
                 units = slx_tm_units(addr, stop - addr, b->write);
        book_run(b, pch, 1, units * tick);
        b->units += units;
        if (stop == end) return;
        g++, pch = pch + 1 < m->all ? pch + 1 : 0;
    }
    uint64_t n = last - g, units = (mask + 1) / 64; /* whole granules */
    b->units += n * units;
    if (n >= m->all) {
        book_run(b, 0, m->all, n / m->all * units * tick);
        n %= m->all;
    }
    book_run(b, pch, n, units * tick);
    if (end & mask) {
        pch = pch + n < m->all ? pch + n : pch + n - m->all;
        units = slx_tm_units(last << m->shift, end & mask, b->write);
        book_run(b, pch, 1, units * tick);
        b->units += units;
    }
}

enum { MANY_ROWS = 64, MANY_GRANULES = 8 /* of a row */ };

/* One of many rows, its first byte in pseudo-channel pch: its units are only summed up. */
static void load_row(booking *b, uint64_t addr, uint64_t bytes, uint64_t pch)
{
    const slx_tm_mem *m = b->m;
    const uint32_t *place = m->place;
    uint32_t *load = m->load;
    uint64_t mask = (UINT64_C(1) << m->shift) - 1, end = addr + bytes, all = m->all;
    if (addr & mask) {
        uint64_t stop = (addr | mask) + 1 < end ? (addr | mask) + 1 : end, units = slx_tm_units(addr, stop - addr, b->write);
        load[place[pch]] += (uint32_t)units;
        b->units += units;
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
static void load_slice(booking *b, const slx_tm_rec *r, uint64_t pch)
{
    slx_tm_mem *m = b->m;
    uint64_t units = slx_tm_units(r->addr, r->bytes, b->write), stack = pch % m->stacks, at = pch / m->stacks;
    uint32_t *load = m->load + stack * m->npch, rounds = r->rows / m->npch;
    for (uint32_t i = 0; i < m->npch; i++) load[i] = (uint32_t)(rounds * units);
    for (uint32_t i = r->rows % m->npch; i; i--, at++) load[at < m->npch ? at : at - m->npch] += (uint32_t)units;
    b->units += r->rows * units;
}

/* Rows of a granule or less, each `step` pseudo-channels in the order of addresses after the one before. */
static void load_even(booking *b, const slx_tm_rec *r, uint64_t pch, uint64_t step)
{
    slx_tm_mem *m = b->m;
    uint32_t units = (uint32_t)slx_tm_units(r->addr, r->bytes, b->write);
    for (uint32_t i = r->rows; i; i--) {
        m->load[m->place[pch]] += units;
        pch = pch + step < m->all ? pch + step : pch + step - m->all;
    }
    b->units += (uint64_t)r->rows * units;
}

static void load_rows(booking *b, const slx_tm_rec *r, const uint32_t *idx)
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
static void book_many(booking *b, const slx_tm_rec *r, const uint32_t *idx)
{
    uint64_t tick = b->weight * b->m->unit_ticks;
    SLX_ASSERT(tick <= UINT32_MAX);
    if (!b->loaded) load_rows(b, r, idx);
    b->end = book_load(b->m, b->pch, (uint32_t)tick, b->at, b->end);
    if (b->too) b->too_end = book_load(b->m, b->too, (uint32_t)tick, b->at, b->too_end);
}

static void book_rows(booking *b, const slx_tm_rec *r, const uint32_t *idx)
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

/* The same of slices: where[stack] of the units in that stack's pseudo-channels, evenly. */
static void book_stacks(booking *b, const double *where, uint64_t units)
{
    slx_tm_mem *m = b->m;
    double each = (double)(units * m->unit_ticks) / m->npch;
    for (uint32_t s = 0; s < m->stacks; s++) {
        if (each * where[s] < 1) continue;
        uint64_t got = book_stack(m, b->pch + s, 0, m->npch, (uint64_t)(each * where[s]), b->at);
        b->end = got > b->end ? got : b->end;
    }
}

/* What `others` more tiles of a class ask for. */
typedef struct {
    slx_tm_rec r;
    const uint32_t *idx;
    uint64_t lo, hi, units; /* r.delta: between these addresses, of one tile */
    uint32_t others, tile;  /* tile: that stands for them; UINT32_MAX: of a multicast */
    bool loaded;            /* as booking.loaded */
} crowd;

static crowd crowd_of(const slx_tm_rec *r, const uint32_t *idx, uint64_t units, uint32_t others, uint32_t tile)
{
    crowd c = {.r = *r, .idx = idx, .units = units, .others = others, .tile = tile};
    uint64_t first = r->addr + (r->indexed && r->rows ? idx[0] * r->stride : 0);
    uint64_t last = first + (uint64_t)r->delta;
    uint64_t reach = r->indexed || !r->rows ? r->bytes : (r->rows - 1) * r->stride + r->bytes;
    c.lo = first < last ? first : last;
    c.hi = (first > last ? first : last) + reach;
    return c;
}

static void book_crowd(booking *b, const crowd *c)
{
    uint32_t stack = slx_tm_slice_stack(b->m, &c->r);
    if (c->r.delta && stack != SLX_TM_STACKS && c->tile != UINT32_MAX) {
        book_stacks(b, b->m->class_stack + c->tile * b->m->stacks, c->units * c->others);
    } else if (c->r.delta) {
        book_span(b, c->lo, c->hi, c->units * c->others);
    } else {
        b->weight = c->others;
        b->loaded = c->loaded;
        book_rows(b, &c->r, c->idx);
    }
    uint64_t passed = slx_tm_mesh_book_any(b->m, b->write, (double)c->r.link_bytes * c->others,
                                           c->tile, stack, b->pch == b->m->pch_all, b->at);
    if (passed > b->end) b->end = passed;
}

/* ------------------------------------------------------------------ tiles of a class that come later */

/* The tiles of a class are spread over the time from its first to its last. What the others ask for goes into
 * pch_free in PARTS, when so many of them have come: the first tile's next transfers stand behind those, and not
 * behind all. */
enum { PARTS = 4 };

typedef struct {
    uint64_t at;
    crowd c;
} part;

static void part_push(slx_tm_mem *m, const part *p)
{
    slx_buf_add(&m->parts, p, sizeof *p);
    part *h = (part *)(void *)m->parts.ptr;
    size_t i = m->parts.len / sizeof *h - 1;
    for (; i && p->at < h[(i - 1) / 2].at; i = (i - 1) / 2) h[i] = h[(i - 1) / 2];
    h[i] = *p;
}

static part part_pop(slx_tm_mem *m)
{
    part *h = (part *)(void *)m->parts.ptr, top = h[0];
    m->parts.len -= sizeof *h;
    size_t n = m->parts.len / sizeof *h, i = 0;
    part p = h[n];
    for (size_t c; (c = 2 * i + 1) < n; i = c) {
        if (c + 1 < n && h[c + 1].at < h[c].at) c++;
        if (p.at <= h[c].at) break;
        h[i] = h[c];
    }
    if (n) h[i] = p;
    return top;
}

/* Those that came before tick `at`. */
static void parts_book(slx_tm_mem *m, uint64_t at)
{
    while (m->parts.len && ((part *)(void *)m->parts.ptr)->at <= at) {
        part p = part_pop(m);
        booking b = {
            .m = m, .pch = m->pch_free, .at = p.at, .end = p.at, .weight = 1, .write = p.c.r.write};
        book_crowd(&b, &p.c);
    }
}

static void parts_later(slx_tm_mem *m, const crowd *c, uint64_t at, uint64_t late)
{
    uint32_t left = c->others;
    bool once =
        late < PARTS * SLX_TM_TICKS || (c->r.indexed && !c->r.delta); /* indices do not last */
    if (once) {
        booking b = {
            .m = m, .pch = m->pch_free, .at = at, .end = at, .weight = 1, .write = c->r.write};
        book_crowd(&b, c);
        return;
    }
    for (uint32_t k = 1; k <= PARTS; k++) {
        part p = {.at = at + late * k / PARTS, .c = *c};
        p.c.others = left / (PARTS + 1 - k);
        left -= p.c.others;
        p.c.idx = NULL, p.c.loaded = false;
        if (p.c.others) part_push(m, &p);
    }
}

/* A multicast passes a cut once: as the bytes of one tile, which may be any. */
static uint64_t through_mesh(slx_tm_mem *m, const slx_tm_rec *r, uint32_t tile, uint32_t stack, bool all, uint64_t at)
{
    double bytes = (double)r->link_bytes;
    return tile == UINT32_MAX ? slx_tm_mesh_book_any(m, r->write, bytes, tile, stack, all, at)
                              : slx_tm_mesh_book(m, r->write, bytes, tile, stack, all, at);
}

/* Hops of a transfer; of a class the most. */
static uint32_t hops_of(const slx_tm_mem *m, uint32_t tile, uint32_t stack, uint32_t copies, uint32_t far_hops)
{
    if (tile == UINT32_MAX || stack == SLX_TM_STACKS) return far_hops;
    if (copies == 1) return m->hops[tile * m->stacks + stack];
    return stack == m->own[tile] ? m->own_far : far_hops;
}

uint64_t slx_tm_transfer(slx_tm_mem *m, const slx_tm_rec *r, const uint32_t *idx, uint32_t first,
                         uint32_t count, uint32_t far_hops, uint32_t copies, uint64_t start,
                         uint64_t late, uint64_t *startup, uint64_t *least, uint64_t *tail)
{
    uint32_t tile = count == 1 ? first : UINT32_MAX, stack = slx_tm_stack_of(m, r);
    uint64_t t0 = start * SLX_TM_TICKS, hops = hops_of(m, tile, stack, copies, far_hops) * m->hop_ticks;
    uint64_t at = t0 + m->start_ticks + (r->write ? 0 : m->latency_ticks);
    uint64_t after = hops + (r->write ? m->latency_ticks : 0);
    booking b = {.m = m, .pch = m->pch_free, .at = at, .end = at, .weight = 1, .write = r->write};
    if (m->folded) {
        parts_book(m, at);
        b.too = m->pch_all, b.too_end = at;
    }
    book_rows(&b, r, idx);
    uint64_t *link = r->write ? m->link_out : m->link_in, end = b.end;
    uint64_t ticks = (uint64_t)ceil((double)r->link_bytes * m->link_ticks);
    uint64_t linked = 0, taken = ticks;
    if (count > 1 && copies > 1) { /* a multicast of the whole class, to as many groups as the chip has of this size */
        taken = (uint64_t)((double)ticks * copies * count / m->n_tiles + 0.5);
        first = 0, count = m->n_tiles;
    }
    for (uint32_t t = first; t < first + count; t++) {
        link[t] = (link[t] > at ? link[t] : at) + taken;
        if (link[t] > linked) linked = link[t];
    }
    if (count == 1 || copies == 1) end = linked > end ? linked : end;
    *startup = (m->start_ticks + m->latency_ticks + hops + SLX_TM_TICKS - 1) / SLX_TM_TICKS;
    uint64_t passed = through_mesh(m, r, tile, stack, false, at);
    if (passed > end) end = passed;
    uint64_t bytes_ticks = b.units * m->unit_ticks / m->all;
    *least = (m->start_ticks + m->latency_ticks + hops +
              (ticks > bytes_ticks ? ticks : bytes_ticks) + SLX_TM_TICKS - 1) /
             SLX_TM_TICKS;
    *tail = 0;
    if (m->folded) {
        booking all = {.m = m, .pch = m->pch_all, .at = at, .end = b.too_end, .weight = 1, .write = r->write};
        through_mesh(m, r, tile, stack, true, at);
        if (copies > 1) {
            crowd c = crowd_of(r, idx, b.units, copies - 1, tile);
            c.loaded = true;
            book_crowd(&all, &c);
            parts_later(m, &c, at, late * SLX_TM_TICKS);
        }
        uint64_t last = count > 1 && linked > all.end ? linked : all.end;
        *tail = (last + after + SLX_TM_TICKS - 1) / SLX_TM_TICKS;
    }
    return (end + after + SLX_TM_TICKS - 1) / SLX_TM_TICKS;
}

uint64_t slx_tm_move(slx_tm_mem *m, const slx_tm_rec *r, uint32_t tile, uint32_t first,
                     uint32_t count, uint32_t copies, uint64_t start, uint64_t *startup)
{
    uint32_t hops = 0;
    uint64_t at = start * SLX_TM_TICKS + m->start_ticks,
             ticks = (uint64_t)ceil((double)r->link_bytes * m->link_ticks);
    uint64_t begin = at > m->link_out[tile] ? at : m->link_out[tile], end = begin + ticks;
    for (uint32_t i = first; i < first + count; i++) {
        uint32_t h = slx_tm_hops(m->chip, tile, i);
        if (h > hops) hops = h;
        if (i == tile) continue;
        m->link_in[i] = (m->link_in[i] > begin ? m->link_in[i] : begin) + ticks * copies;
        if (m->link_in[i] > end) end = m->link_in[i];
    }
    m->link_out[tile] = begin + ticks;
    *startup = (m->start_ticks + hops * m->hop_ticks + SLX_TM_TICKS - 1) / SLX_TM_TICKS;
    return (end + hops * m->hop_ticks + SLX_TM_TICKS - 1) / SLX_TM_TICKS;
}
