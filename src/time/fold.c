/* fold.c - what of a step is simulated, and what the rest takes by that.
 *
 *   layers   that only repeat the one before (repeat.c): the first and the last are simulated, and each of the
 *            others takes what passes between their first BARs; if the first ends or the last begins unlike the
 *            others, the first two and the last two, and what passes between the first BARs of the middle ones
 *   tiles    with equal hashes in the same quarter of the mesh are a class; the first of each is simulated, its
 *            transfers booked for all of them: on the same bytes where first and last tile of the class read the
 *            same address, else spread evenly between what these two read. It keeps two times, of its first tile and
 *            of its last, with the others spread evenly between them; at a BAR they become one, the later
 *
 * Layers lose next to nothing (docs/timing.md). A class does: where memory is nearly full, the tile that is
 * simulated is served for all the others at once. On four chips and more that is small beside the meetings of the
 * chips; on one and two every tile is simulated, unless the options ask for classes there too. */
#include "time/time_int.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ tiles */

/* Fewer than FOLD_FROM tiles are always simulated one by one: that is quick, and small classes contend in ways a
 * pair of times per class does not show. So are classes of fewer than CLASS_FROM, and all tiles where more than one
 * in WORTH would be left. */
enum { FOLD_CHIPS = 4, FOLD_FROM = 16, CLASS_FROM = 3, WORTH = 2 };

bool slx_tm_fold_tiles(const slx_program *p, const slx_time_options *opt)
{
    bool chips = slx_program_chips(&p->info) >= FOLD_CHIPS || opt->by_classes;
    return opt->folded && chips && p->info.n_tiles >= FOLD_FROM;
}

static void every_tile(slx_tm_tiles *c, const slx_tm_mem *m)
{
    c->n = c->all;
    for (uint32_t i = 0; i < c->all; i++)
        c->of[i] = c->tiles[i] = c->last[i] = i, c->copies[i] = 1, c->far[i] = m->far[i];
}

void slx_tm_tiles_init(slx_tm_tiles *c, const slx_tm_mem *m)
{
    uint32_t n = c->all = m->n_tiles, *p = slx_xcalloc(5 * (size_t)n, sizeof *p);
    c->of = p, c->tiles = p + n, c->copies = p + 2 * n, c->last = p + 3 * n, c->far = p + 4 * n;
    every_tile(c, m);
}

void slx_tm_tiles_deinit(slx_tm_tiles *c)
{
    free(c->of);
}

/* Two tiles whose records are the same, addresses apart. */
static bool same_work(const slx_tm_walk *w, uint32_t a, uint32_t b)
{
    return !memcmp(w->history[a].hash, w->history[b].hash, SLX_TM_RECORDS * sizeof *w->history[a].hash);
}

/* Which cuts of the mesh a tile's bytes pass, a bit each: the quarter of the grid that it stands in. */
static unsigned quarter(const slx_tm_mem *m, uint32_t t)
{
    unsigned cuts = 0;
    for (unsigned i = 0; i < 4; i++)
        if (m->cut[i].share && m->cut[i].share[t] > 0) cuts |= 1u << i;
    return cuts;
}

/* Fills c->of: tiles of the same work, and with m in the same quarter. Returns how many classes there are. */
static uint32_t classify(slx_tm_tiles *c, const slx_tm_walk *w, const slx_tm_mem *m)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        uint32_t j = 0;
        while (j < i && !(c->of[j] == j && same_work(w, i, j) && (!m || quarter(m, i) == quarter(m, j)))) j++;
        c->of[i] = j;
        n += j == i;
    }
    return n;
}

uint32_t slx_tm_tiles_classes(slx_tm_tiles *c, const slx_tm_walk *w)
{
    return classify(c, w, NULL);
}

/* Classes of fewer than CLASS_FROM tiles fall apart into tiles: what few tiles do at once (heads attended to, rows of a
 * short step) contends by its very addresses, which no class knows. */
static void split(slx_tm_tiles *c)
{
    uint32_t *count = slx_xcalloc(c->all, sizeof *count);
    for (uint32_t i = 0; i < c->all; i++) count[c->of[i]]++;
    for (uint32_t i = 0; i < c->all; i++)
        if (count[c->of[i]] < CLASS_FROM) c->of[i] = i;
    free(count);
}

void slx_tm_tiles_fold(slx_tm_tiles *c, slx_tm_walk *w, slx_tm_mem *m)
{
    classify(c, w, m);
    split(c);
    uint32_t left = 0;
    for (uint32_t i = 0; i < c->all; i++) left += c->of[i] == i;
    if (left > c->all / WORTH) {
        every_tile(c, m);
        return;
    }
    uint32_t *members = slx_xcalloc(c->all, sizeof *members);
    c->n = 0;
    for (uint32_t i = 0; i < c->all; i++) {
        if (c->of[i] != i) continue;
        uint32_t n = 0, far = 0, last = i;
        for (uint32_t t = i; t < c->all; t++) {
            if (c->of[t] != i) continue;
            members[n++] = last = t;
            if (m->far[t] > far) far = m->far[t];
        }
        c->tiles[c->n] = i, c->copies[c->n] = n, c->last[c->n] = last, c->far[c->n++] = far;
        slx_tm_mesh_class(m, members, n, w->in_stack);
    }
    free(members);
    /* bytes from another tile may steer this one: then all are walked */
    for (uint32_t i = 0; i < w->n; i++) w->w[i].absent = !w->crossing, w->w[i].silent = true;
    for (uint32_t k = 0; k < c->n; k++) {
        slx_tm_walker *a = &w->w[c->tiles[k]], *b = &w->w[c->last[k]];
        a->absent = a->silent = b->absent = b->silent = false;
    }
}

/* ------------------------------------------------------------------ layers */

/* Each of the layers that were not simulated takes what passed between the two marks, one layer apart. */
static uint64_t extend(uint64_t simulated, uint64_t from, uint64_t to, uint32_t more)
{
    int64_t v = (int64_t)simulated + ((int64_t)to - (int64_t)from) * (int64_t)more;
    return v > 0 ? (uint64_t)v : 0;
}

void slx_tm_fold_extend(slx_time_result *out, const slx_tm_mark m[2], uint32_t more)
{
    uint64_t bounds = 0, spans = 0;
    uint32_t most = 0;
    out->cycles = extend(out->cycles, m[0].cycles, m[1].cycles, more);
    out->bound_by = (slx_time_bound)0;
    for (int b = 0; b < SLX_N_TIME_BOUNDS; b++) {
        bounds += out->bound[b] = extend(out->bound[b], m[0].bound[b], m[1].bound[b], more);
        if (out->bound[b] > out->bound[out->bound_by]) out->bound_by = (slx_time_bound)b;
    }
    for (int e = 0; e < SLX_N_ENGINES; e++) {
        slx_time_engine *x = &out->engine[e];
        const slx_time_engine *y = &m[0].engine[e], *z = &m[1].engine[e];
        x->busy = extend(x->busy, y->busy, z->busy, more);
        x->token = extend(x->token, y->token, z->token, more);
        x->empty = extend(x->empty, y->empty, z->empty, more);
    }
    for (uint32_t i = 0; i < out->n_spans; i++) {
        slx_time_span *x = &out->spans[i];
        spans += x->cycles = extend(x->cycles, m[0].span[i], m[1].span[i], more);
        if (x->cycles > out->spans[most].cycles) most = i;
    }
    /* a part that one layer has less of than nothing is none: the largest gives it back */
    out->bound[out->bound_by] += out->cycles - bounds;
    out->spans[most].cycles += out->cycles - spans;
    out->layers_simulated -= more;
}
