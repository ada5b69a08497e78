/* mesh.c - the mesh between memory and tiles: what its cuts let through.
 *
 *   stacks stand at the left and right edge; the grid is shared out among them:
 *
 *      s0 | s1        a stack's bytes enter the mesh at noc.entries tiles, spread evenly over its share,
 *      s2 | s3        and go on from link to link, columns and rows alike
 *      s4 | s5
 *
 * Of what a tile reads, the bytes of stacks on the other side of a cut must pass it: a cut between two columns has a
 * link a row and direction, one between two rows a link a column. Bytes go along the row they enter in, then along the
 * column of their tile. Entries are spread over all rows, so the links between two columns carry equal shares and are
 * booked as one; a link between two rows carries what the tiles of its column read, and is booked by itself. Of the
 * boundaries between columns, and between rows, the one is modelled that is loaded most when all tiles read alike, in
 * both directions: servers busy for the bytes that pass. (All boundaries, each link: docs/timing.md.)
 * Bytes of one stack, as weights are, pass with the share of that stack's entries beyond the boundary; all others with
 * the mean of all stacks.
 * Injection: a stack gives no more than its entries' links carry.
 *
 * Without noc.entries a stack reaches every tile at its own rate. */
#include "time/time_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Share of a stack's entries in columns (rows) below `at`. */
static double below(const slx_chip *c, uint32_t stack, bool rows, uint32_t at)
{
    uint32_t left = (c->hbm.stacks + 1) / 2, side = stack % 2,
             n = side ? c->hbm.stacks - left : left;
    double low = 0, high = rows ? c->grid.y : c->grid.x;
    if (rows) {
        low = high * (stack / 2) / n;
        high = high * (stack / 2 + 1) / n;
    } else if (c->hbm.stacks > 1) {
        double half = high / 2;
        low = side ? half : 0;
        high = side ? high : half;
    }
    return fmin(fmax((at - low) / (high - low), 0), 1);
}

uint32_t slx_tm_entry_hops(const slx_chip *c, uint32_t tile, uint32_t stack)
{
    uint32_t x = tile % c->grid.x, y = tile / c->grid.x;
    double d = 1;
    for (uint32_t i = 0; i < c->grid.x; i++)
        d += (below(c, stack, false, i + 1) - below(c, stack, false, i)) * fabs((double)i - x);
    for (uint32_t i = 0; i < c->grid.y; i++)
        d += (below(c, stack, true, i + 1) - below(c, stack, true, i)) * fabs((double)i - y);
    return (uint32_t)(d + 0.5);
}

/* Mean over the stacks. */
static double all_below(const slx_chip *c, bool rows, uint32_t at)
{
    double sum = 0;
    for (uint32_t s = 0; s < c->hbm.stacks; s++) sum += below(c, s, rows, at);
    return sum / c->hbm.stacks;
}

static bool beyond(const slx_chip *c, uint32_t tile, bool rows, uint32_t at)
{
    return (rows ? tile / c->grid.x : tile % c->grid.x) >= at;
}

void slx_tm_mesh_init(slx_tm_mem *m, const slx_chip *c)
{
    if (!c->noc.entries) return;
    uint64_t most = (uint64_t)ceil(64.0 * m->npch * m->link_ticks / c->noc.entries);
    if (m->unit_ticks < most) m->unit_ticks = most;
    for (int rows = 0; rows < 2; rows++) {
        double worst = 0;
        uint32_t cut = 0, end = rows ? c->grid.y : c->grid.x, lanes = rows ? c->grid.x : c->grid.y;
        for (uint32_t at = 1; at < end; at++) {
            double there = all_below(c, rows, at), up = 0, down = 0;
            for (uint32_t t = 0; t < m->n_tiles; t++)
                if (beyond(c, t, rows, at))
                    up += there;
                else
                    down += 1 - there;
            if (fmax(up, down) > worst) worst = fmax(up, down), cut = at;
        }
        if (!cut) continue;
        double there = all_below(c, rows, cut);
        for (int way = 0; way < 2; way++) {
            slx_tm_cut *k = &m->cut[2 * rows + way];
            k->n = rows ? c->grid.x : 1;
            k->ticks = m->link_ticks / (rows ? 1 : lanes);
            k->share = slx_xcalloc(m->n_tiles, sizeof *k->share);
            k->from = slx_xcalloc(m->stacks, sizeof *k->from);
            k->mean = slx_xcalloc(k->n, sizeof *k->mean);
            k->free = slx_xcalloc(2 * (size_t)k->n, sizeof *k->free);
            k->all = k->free + k->n;
            for (uint32_t s = 0; s < m->stacks; s++) {
                double before = below(c, s, rows, cut);
                k->from[s] = way ? 1 - before : before;
            }
            for (uint32_t t = 0; t < m->n_tiles; t++) {
                if (beyond(c, t, rows, cut) == !way) k->share[t] = way ? 1 - there : there;
                k->mean[t % k->n] += k->share[t] / m->n_tiles;
            }
        }
    }
}

void slx_tm_mesh_reset(slx_tm_mem *m)
{
    for (int i = 0; i < 4; i++)
        if (m->cut[i].share) memset(m->cut[i].free, 0, 2 * (size_t)m->cut[i].n * sizeof *m->cut[i].free);
}

void slx_tm_mesh_deinit(slx_tm_mem *m)
{
    for (int i = 0; i < 4; i++) {
        free(m->cut[i].share);
        free(m->cut[i].from);
        free(m->cut[i].mean);
        free(m->cut[i].others[0]);
        free(m->cut[i].others[1]);
        free(m->cut[i].free);
    }
}

/* Bytes through a lane that come at tick `at`: when the last has passed. */
static uint64_t pass(uint64_t *busy, double ticks, uint64_t at)
{
    if (ticks <= 0) return at;
    *busy = (*busy > at ? *busy : at) + (uint64_t)(ticks + 0.5);
    return *busy;
}

uint32_t slx_tm_stack_of(const slx_tm_mem *m, const slx_tm_rec *r)
{
    uint64_t grain = UINT64_C(1) << m->shift, round = grain * m->stacks;
    bool row = (r->addr & (grain - 1)) + r->bytes <= grain && (!r->indexed || r->stride % round == 0);
    return row && (r->rows == 1 || r->stride % round == 0) ? slx_tm_stack(m, r->addr) : SLX_TM_STACKS;
}

uint64_t slx_tm_mesh_book(slx_tm_mem *m, bool write, double bytes, uint32_t tile, uint32_t stack, bool all,
                          uint64_t at)
{
    uint64_t end = at;
    for (int i = 0; i < 4; i++) {
        const slx_tm_cut *k = &m->cut[i], *by = write ? &m->cut[i ^ 1] : k; /* writes go the other way */
        if (!k->share) continue;
        uint32_t lane = tile % k->n;
        /* a tile that nothing passes to from all stacks stands before the cut */
        double share = stack == SLX_TM_STACKS || k->share[tile] <= 0 ? k->share[tile] : k->from[stack];
        uint64_t passed = pass(&(all ? by->all : by->free)[lane], bytes * k->ticks * share, at);
        if (passed > end) end = passed;
    }
    return end;
}

uint64_t slx_tm_mesh_book_any(slx_tm_mem *m, bool write, double bytes, uint32_t first, uint32_t stack, bool all,
                              uint64_t at)
{
    uint64_t end = at;
    bool stands = first != UINT32_MAX && m->of_class[first], single = stack != SLX_TM_STACKS;
    for (int i = 0; i < 4; i++) {
        const slx_tm_cut *k = &m->cut[i], *by = write ? &m->cut[i ^ 1] : k;
        if (!k->share) continue;
        const double *share = stands ? k->others[single] + first * k->n : k->mean;
        for (uint32_t lane = 0; lane < k->n; lane++) {
            uint64_t passed = pass(&(all ? by->all : by->free)[lane], bytes * k->ticks * share[lane], at);
            if (passed > end) end = passed;
        }
    }
    return end;
}

/* Share of a tile's bytes that passes a cut when they lie in stacks as in[stack] says. */
static double passing(const slx_tm_mem *m, const slx_tm_cut *k, uint32_t tile, const uint64_t *in)
{
    double sum = 0, all = 0;
    for (uint32_t s = 0; s < m->stacks; s++) sum += (double)in[s] * k->from[s], all += (double)in[s];
    return k->share[tile] <= 0 || all <= 0 ? k->share[tile] : sum / all;
}

void slx_tm_mesh_class(slx_tm_mem *m, const uint32_t *tiles, uint32_t n, const uint64_t *in_stack)
{
    uint32_t first = tiles[0];
    double *where = m->class_stack + first * m->stacks, all = 0;
    m->of_class[first] = n > 1;
    memset(where, 0, m->stacks * sizeof *where);
    for (uint32_t t = 1; t < n; t++)
        for (uint32_t s = 0; s < m->stacks; s++) where[s] += (double)in_stack[tiles[t] * m->stacks + s];
    for (uint32_t s = 0; s < m->stacks; s++) all += where[s];
    for (uint32_t s = 0; s < m->stacks && all > 0; s++) where[s] /= all;
    for (int i = 0; i < 4 && n > 1; i++) {
        slx_tm_cut *k = &m->cut[i];
        if (!k->share) continue;
        for (int single = 0; single < 2; single++) {
            if (!k->others[single]) k->others[single] = slx_xcalloc((size_t)m->n_tiles * k->n, sizeof *k->share);
            double *sum = k->others[single] + first * k->n;
            memset(sum, 0, k->n * sizeof *sum);
            for (uint32_t t = 1; t < n; t++) {
                const uint64_t *in = in_stack + tiles[t] * m->stacks;
                sum[tiles[t] % k->n] += (single ? passing(m, k, tiles[t], in) : k->share[tiles[t]]) / (n - 1);
            }
        }
    }
}
