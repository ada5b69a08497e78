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
#include "time/hbm_book.h"
#include "time/hbm_queue.h"

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

/* ------------------------------------------------------------------ transfers */

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
    slx_tm_booking b = {.m = m, .pch = m->pch_free, .at = at, .end = at, .weight = 1, .write = r->write};
    if (m->folded) {
        slx_tm_crowd_come(m, at);
        b.too = m->pch_all, b.too_end = at;
    }
    slx_tm_book_rows(&b, r, idx);
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
        slx_tm_booking all = {.m = m, .pch = m->pch_all, .at = at, .end = b.too_end, .weight = 1, .write = r->write};
        through_mesh(m, r, tile, stack, true, at);
        if (copies > 1) {
            slx_tm_crowd c = slx_tm_crowd_of(r, idx, b.units, copies - 1, tile);
            c.loaded = true;
            slx_tm_crowd_book(&all, &c);
            slx_tm_crowd_later(m, &c, at, late * SLX_TM_TICKS);
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
