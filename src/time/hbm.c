/* hbm.c - memory and network of the timing machine: who is served when.
 *
 *   tile t at (t mod x, t / x); stack s at the left (even s) or right edge, spread over the rows
 *   address a -> stack (a / interleave) mod stacks
 *             -> pseudo-channel (a / interleave / stacks) mod (channels * pch)
 *   so granule g = a / interleave lies in pseudo-channel g mod (stacks * channels * pch) of all
 *
 * Modelled: every pseudo-channel is a server busy for whole 64-byte units at its share of the
 * pins, less refresh, less what row changes cost where the banks are too few to hide them;
 * requests are served in the order they start, so tiles that read the same bytes at once wait
 * for each other. A transfer ends after start + access latency + max(bytes / tile's link,
 * service) + hops. A tile's link takes one transfer's bytes after another, each direction. A
 * partly written unit is read first: twice the time.
 *
 * Not modelled: order within a pseudo-channel by row or bank, turns between reading and writing,
 * links inside the mesh (a stack is taken to reach every tile at its own rate), conflicts of
 * scratchpad banks between engines. */
#include "time/time_int.h"

#include <math.h>
#include <stdlib.h>

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
    uint32_t left = (c->hbm.stacks + 1) / 2, side = stack % 2,
             n = side ? c->hbm.stacks - left : left;
    uint32_t row = (2 * (stack / 2) + 1) * c->grid.y / (2 * n), x = side ? c->grid.x - 1 : 0;
    return distance(tile % c->grid.x, x) + distance(tile / c->grid.x, row) + 1;
}

void slx_tm_mem_init(slx_tm_mem *m, const slx_chip *c, uint32_t n_tiles)
{
    double clk_ns = c->grid.clock_ghz;
    *m = (slx_tm_mem){.chip = c, .stacks = c->hbm.stacks, .npch = c->hbm.channels * c->hbm.pch};
    m->all = (uint64_t)m->stacks * m->npch;
    while ((UINT32_C(1) << m->shift) < c->hbm.interleave_bytes) m->shift++;
    double bytes_ns = c->hbm.bits * c->hbm.gbps_pin / 8 / m->npch; /* of one pseudo-channel */
    double refresh = c->hbm.trefi_us > 0 ? c->hbm.trfcpb_ns / (c->hbm.trefi_us * 1e3) : 0;
    double row_ns = c->hbm.row_bytes / bytes_ns,
           cycle_ns = (c->hbm.tras_ns + c->hbm.trp_ns) / c->hbm.banks;
    double slow = row_ns < cycle_ns ? cycle_ns / row_ns
                                    : 1; /* one bank alone would have to be this much faster */
    m->unit_ticks = (uint64_t)ceil(64 / bytes_ns * slow / (1 - refresh) * clk_ns * SLX_TM_TICKS);
    m->latency_ticks = (uint64_t)ceil((c->hbm.trcd_ns + c->hbm.latency_ns) * clk_ns * SLX_TM_TICKS);
    m->start_ticks = (uint64_t)ceil(c->tile.dma_cycles * SLX_TM_TICKS);
    m->link_ticks = SLX_TM_TICKS / c->noc.link_bytes_clk;
    m->hop_ticks = (uint64_t)ceil(c->noc.hop_clk * SLX_TM_TICKS);
    m->hops = slx_xcalloc((size_t)n_tiles * m->stacks, sizeof *m->hops);
    m->far = slx_xcalloc(n_tiles, sizeof *m->far);
    m->mean = slx_xcalloc(n_tiles, sizeof *m->mean);
    m->pch_free = slx_xcalloc(m->all, sizeof *m->pch_free);
    m->pch_all = slx_xcalloc(m->all, sizeof *m->pch_all);
    m->link_in = slx_xcalloc(n_tiles, sizeof *m->link_in);
    m->link_out = slx_xcalloc(n_tiles, sizeof *m->link_out);
    for (uint32_t t = 0; t < n_tiles; t++) {
        for (uint32_t s = 0; s < m->stacks; s++) {
            uint16_t h = (uint16_t)stack_hops(c, t, s);
            m->hops[t * m->stacks + s] = h;
            if (h > m->far[t]) m->far[t] = h;
            m->mean[t] += (double)h / m->stacks;
        }
    }
}

void slx_tm_mem_deinit(slx_tm_mem *m)
{
    free(m->hops);
    free(m->far);
    free(m->mean);
    free(m->pch_free);
    free(m->pch_all);
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
    uint64_t *pch;    /* what is booked: pch_free or pch_all */
    uint64_t at, end; /* ticks: requests come, last byte is there */
    uint64_t units;   /* of one copy */
    uint32_t weight;  /* copies that read the very same units */
    bool write;
} booking;

/* Granules g .. g+n-1, fewer than there are pseudo-channels, `ticks` in each. */
static void book_run(booking *b, uint64_t g, uint64_t n, uint64_t ticks)
{
    uint64_t all = b->m->all, at = b->at, end = b->end, *p = b->pch + g % all;
    for (uint64_t left = b->pch + all - p < (int64_t)n ? (uint64_t)(b->pch + all - p) : n; n;) {
        for (uint64_t i = 0; i < left; i++) {
            uint64_t t = (p[i] > at ? p[i] : at) + ticks;
            p[i] = t;
            end = t > end ? t : end;
        }
        n -= left, left = n, p = b->pch;
    }
    b->end = end;
}

static void book_units(booking *b, uint64_t granule, uint64_t units)
{
    book_run(b, granule, 1, units * b->weight * b->m->unit_ticks);
    b->units += units;
}

/* What the other tiles of a class ask for: `units` between two addresses, evenly. */
static void book_span(booking *b, uint64_t lo, uint64_t hi, uint64_t units)
{
    slx_tm_mem *m = b->m;
    uint64_t g = lo >> m->shift, n = (hi >> m->shift) - g + 1;
    if (n > m->all) n = m->all;
    book_run(b, g, n, units * m->unit_ticks / n);
}

static void book_row(booking *b, uint64_t addr, uint64_t bytes)
{
    slx_tm_mem *m = b->m;
    uint64_t step = UINT64_C(1) << m->shift, end = addr + bytes, g = addr >> m->shift;
    uint64_t last = end >> m->shift, units = step / 64, ticks = units * b->weight * m->unit_ticks;
    if (g == last || addr & (step - 1)) {
        uint64_t stop = (g + 1) << m->shift < end ? (g + 1) << m->shift : end;
        book_units(b, g, slx_tm_units(addr, stop - addr, b->write));
        if (stop == end) return;
        addr = stop, g++;
    }
    uint64_t n = last - g; /* whole ones */
    b->units += n * units;
    if (n >= m->all) book_run(b, 0, m->all, n / m->all * ticks);
    book_run(b, g + n / m->all * m->all, n % m->all, ticks);
    if (end & (step - 1))
        book_units(b, last, slx_tm_units(last << m->shift, end & (step - 1), b->write));
}

static void book_rows(booking *b, const slx_tm_rec *r, const uint32_t *idx)
{
    if (!r->indexed && (r->rows == 1 || r->stride == r->bytes)) {
        book_row(b, r->addr, (uint64_t)r->rows * r->bytes);
        return;
    }
    for (uint32_t i = 0; i < r->rows; i++)
        book_row(b, r->addr + (r->indexed ? idx[i] : i) * r->stride, r->bytes);
}

/* The other tiles of a class. */
static void book_others(booking *b, const slx_tm_rec *r, const uint32_t *idx, uint32_t others)
{
    uint64_t units = b->units * others;
    if (!r->delta) {
        b->weight = others;
        book_rows(b, r, idx);
        return;
    }
    uint64_t first = r->addr + (r->indexed && r->rows ? idx[0] * r->stride : 0);
    uint64_t last = first + (uint64_t)r->delta;
    uint64_t reach = r->indexed || !r->rows ? r->bytes : (r->rows - 1) * r->stride + r->bytes;
    book_span(b, first < last ? first : last, (first > last ? first : last) + reach, units);
}

uint64_t slx_tm_transfer(slx_tm_mem *m, const slx_tm_rec *r, const uint32_t *idx, uint32_t first,
                         uint32_t count, uint32_t far_hops, uint32_t copies, uint64_t start,
                         uint64_t *startup, uint64_t *tail)
{
    uint64_t t0 = start * SLX_TM_TICKS, hops = far_hops * m->hop_ticks;
    uint64_t at = t0 + m->start_ticks + (r->write ? 0 : m->latency_ticks);
    uint64_t after = hops + (r->write ? m->latency_ticks : 0);
    booking b = {.m = m, .pch = m->pch_free, .at = at, .end = at, .weight = 1, .write = r->write};
    book_rows(&b, r, idx);
    uint64_t *link = r->write ? m->link_out : m->link_in, end = b.end;
    uint64_t ticks = (uint64_t)ceil((double)r->link_bytes * m->link_ticks);
    for (uint32_t t = first; t < first + count; t++) {
        link[t] = (link[t] > at ? link[t] : at) + ticks;
        if (link[t] > end) end = link[t];
    }
    *startup = (m->start_ticks + m->latency_ticks + hops + SLX_TM_TICKS - 1) / SLX_TM_TICKS;
    *tail = 0;
    if (m->folded) {
        booking all = {
            .m = m, .pch = m->pch_all, .at = at, .end = at, .weight = 1, .write = r->write};
        book_rows(&all, r, idx);
        if (copies > 1) book_others(&all, r, idx, copies - 1);
        *tail = (all.end + after + SLX_TM_TICKS - 1) / SLX_TM_TICKS;
    }
    return (end + after + SLX_TM_TICKS - 1) / SLX_TM_TICKS;
}

uint64_t slx_tm_move(slx_tm_mem *m, const slx_tm_rec *r, uint32_t tile, uint32_t first,
                     uint32_t count, uint64_t start, uint64_t *startup)
{
    uint32_t hops = 0;
    uint64_t at = start * SLX_TM_TICKS + m->start_ticks,
             ticks = (uint64_t)ceil((double)r->link_bytes * m->link_ticks);
    uint64_t begin = at > m->link_out[tile] ? at : m->link_out[tile];
    for (uint32_t i = first; i < first + count; i++) {
        uint32_t h = slx_tm_hops(m->chip, tile, i);
        if (h > hops) hops = h;
        if (i != tile && m->link_in[i] > begin) begin = m->link_in[i];
    }
    for (uint32_t i = first; i < first + count; i++)
        if (i != tile) m->link_in[i] = begin + ticks;
    m->link_out[tile] = begin + ticks;
    *startup = (m->start_ticks + hops * m->hop_ticks + SLX_TM_TICKS - 1) / SLX_TM_TICKS;
    return (begin + ticks + hops * m->hop_ticks + SLX_TM_TICKS - 1) / SLX_TM_TICKS;
}
