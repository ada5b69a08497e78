/* hbm_class.c - what the tiles ask of the memory that a tile of their class stands for.
 *
 *   at once   slices of weights in the stacks that those of the others lie in over the whole step; other bytes evenly
 *             between the addresses of the first and the last tile; the very same bytes once more for each
 *   in time   in a few parts, spread from the first tile to the last */
#include "time/hbm_book.h"

/* What the other tiles of a class ask for: `units` between two addresses, evenly. */
static void book_span(slx_tm_booking *b, uint64_t lo, uint64_t hi, uint64_t units)
{
    slx_tm_mem *m = b->m;
    uint64_t g = lo >> m->shift, n = (hi >> m->shift) - g + 1;
    if (n > m->all) n = m->all;
    slx_tm_book_run(b, g % m->all, n, units * m->unit_ticks / n);
}

/* The same of slices: where[stack] of the units in that stack's pseudo-channels, evenly. */
static void book_stacks(slx_tm_booking *b, const double *where, uint64_t units)
{
    slx_tm_mem *m = b->m;
    double each = (double)(units * m->unit_ticks) / m->npch;
    for (uint32_t s = 0; s < m->stacks; s++) {
        if (each * where[s] < 1) continue;
        uint64_t got = slx_tm_book_stack(m, b->pch + s, 0, m->npch, (uint64_t)(each * where[s]), b->at);
        b->end = got > b->end ? got : b->end;
    }
}

slx_tm_crowd slx_tm_crowd_of(const slx_tm_rec *r, const uint32_t *idx, uint64_t units, uint32_t others, uint32_t tile)
{
    slx_tm_crowd c = {.r = *r, .idx = idx, .units = units, .others = others, .tile = tile};
    uint64_t first = r->addr + (r->indexed && r->rows ? idx[0] * r->stride : 0);
    uint64_t last = first + (uint64_t)r->delta;
    uint64_t reach = r->indexed || !r->rows ? r->bytes : (r->rows - 1) * r->stride + r->bytes;
    c.lo = first < last ? first : last;
    c.hi = (first > last ? first : last) + reach;
    return c;
}

void slx_tm_crowd_book(slx_tm_booking *b, const slx_tm_crowd *c)
{
    uint32_t stack = slx_tm_slice_stack(b->m, &c->r);
    if (c->r.delta && stack != SLX_TM_STACKS && c->tile != UINT32_MAX) {
        book_stacks(b, b->m->class_stack + c->tile * b->m->stacks, c->units * c->others);
    } else if (c->r.delta) {
        book_span(b, c->lo, c->hi, c->units * c->others);
    } else {
        b->weight = c->others;
        b->loaded = c->loaded;
        slx_tm_book_rows(b, &c->r, c->idx);
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
    slx_tm_crowd c;
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

void slx_tm_crowd_come(slx_tm_mem *m, uint64_t at)
{
    while (m->parts.len && ((part *)(void *)m->parts.ptr)->at <= at) {
        part p = part_pop(m);
        slx_tm_booking b = {
            .m = m, .pch = m->pch_free, .at = p.at, .end = p.at, .weight = 1, .write = p.c.r.write};
        slx_tm_crowd_book(&b, &p.c);
    }
}

void slx_tm_crowd_later(slx_tm_mem *m, const slx_tm_crowd *c, uint64_t at, uint64_t late)
{
    uint32_t left = c->others;
    bool once =
        late < PARTS * SLX_TM_TICKS || (c->r.indexed && !c->r.delta); /* indices do not last */
    if (once) {
        slx_tm_booking b = {
            .m = m, .pch = m->pch_free, .at = at, .end = at, .weight = 1, .write = c->r.write};
        slx_tm_crowd_book(&b, c);
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
