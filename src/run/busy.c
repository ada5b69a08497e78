/* busy.c - see busy.h. */
#include "run/busy.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    uint32_t tile, copies;
    uint8_t engine;
    uint64_t start, finish;
} work;

struct slx_busy {
    uint32_t layers, tiles;
    work *at;
    size_t n, cap;
    uint64_t *starts; /* [layers + 2] where each part begins; UINT64_MAX: not seen */
    uint64_t behind;  /* all work of the last layer has ended */
};

slx_busy *slx_busy_new(uint32_t layers, uint32_t tiles)
{
    slx_busy *b = slx_xcalloc(1, sizeof *b);
    *b = (slx_busy){.layers = layers, .tiles = tiles};
    b->starts = slx_xcalloc(layers + 2, sizeof *b->starts);
    for (uint32_t i = 1; i < layers + 2; i++) b->starts[i] = UINT64_MAX;
    return b;
}

void slx_busy_free(slx_busy *b)
{
    if (!b) return;
    free(b->at);
    free(b->starts);
    free(b);
}

void slx_busy_event(void *busy, const slx_time_event *e)
{
    slx_busy *b = busy;
    if (e->op == SLX_OP_BAR) return;
    if (b->n == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 4096;
        b->at = slx_xrealloc(b->at, b->cap * sizeof *b->at);
    }
    b->at[b->n++] = (work){e->tile, e->copies, e->engine, e->start, e->finish};
    if ((uint32_t)(e->layer + 1) == b->layers && e->finish > b->behind) b->behind = e->finish;
    bool computes = e->engine == SLX_ENG_TEN || e->engine == SLX_ENG_VEC;
    if (!computes || e->layer < 0 || (uint32_t)e->layer >= b->layers) return;
    uint64_t *start = &b->starts[1 + e->layer];
    if (e->start < *start) *start = e->start;
}

/* Outside the layers nothing says whether it is before or behind them: behind is what begins when all work of the last
 * one has ended. Parts that were not seen are empty, and last until the next one. */
static void end_starts(slx_busy *b, uint64_t cycles)
{
    b->starts[b->layers + 1] = b->behind < cycles ? b->behind : cycles;
    for (uint32_t i = b->layers + 1; i-- > 1;)
        if (b->starts[i] > b->starts[i + 1]) b->starts[i] = b->starts[i + 1];
}

/* Adds what of start..finish lies in each part to sum[part * stride]. */
static void spread(const slx_busy *b, const work *w, uint64_t start, uint64_t finish,
                   uint64_t cycles, uint64_t *sum)
{
    for (uint32_t i = 0; i < b->layers + 2; i++) {
        uint64_t from = b->starts[i], to = i == b->layers + 1 ? cycles : b->starts[i + 1];
        if (start > from) from = start;
        if (finish < to) to = finish;
        if (to > from) sum[i] += (to - from) * w->copies;
    }
}

static int by_tile_and_start(const void *a, const void *b)
{
    const work *x = a, *y = b;
    if (x->tile != y->tile) return x->tile < y->tile ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

/* Cycles in which an engine of the set (a bit each) works, tile after tile: what overlaps counts once. */
static void sum_of(const slx_busy *b, unsigned engines, uint64_t cycles, uint64_t *sum)
{
    uint64_t end = 0;
    const work *before = NULL;
    memset(sum, 0, (b->layers + 2) * sizeof *sum);
    for (const work *w = b->at; w < b->at + b->n; w++) {
        if (!(engines >> w->engine & 1)) continue;
        if (!before || before->tile != w->tile) end = 0;
        before = w;
        uint64_t from = w->start > end ? w->start : end;
        if (w->finish <= from) continue;
        spread(b, w, from, w->finish, cycles, sum);
        end = w->finish;
    }
}

void slx_busy_share(slx_busy *b, uint64_t cycles, slx_busy_span *out)
{
    uint32_t n = b->layers + 2;
    uint64_t *sum = slx_xcalloc(n, sizeof *sum);
    memset(out, 0, n * sizeof *out);
    end_starts(b, cycles);
    if (b->n) qsort(b->at, b->n, sizeof *b->at, by_tile_and_start);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t to = i + 1 < n ? b->starts[i + 1] : cycles;
        out[i].cycles = to - b->starts[i];
    }
    for (int k = 0; k <= SLX_N_ENGINES; k++) {
        bool tiles = k == SLX_N_ENGINES;
        sum_of(b, tiles ? ~(1u << SLX_ENG_CTL) : 1u << k, cycles, sum);
        for (uint32_t i = 0; i < n; i++)
            *(tiles ? &out[i].tiles : &out[i].engine[k]) =
                out[i].cycles ? (double)sum[i] / ((double)out[i].cycles * b->tiles) : 0;
    }
    free(sum);
}
