/* step_share.c - the rule of step_share.h. In doubles: the same bits on every host, and what they round away is no
 * item. */
#include "isa/step_share.h"

typedef struct {
    uint32_t tiles, tile, items, pages; /* tile: whose first item is sought; items and their chunks: placed so far */
    double each, shift, work;           /* a tile's part of the line; half a mean item; of the items placed; in ps */
    uint32_t *bound, *before;
} line;

/* So many items alike. Item i of them has its middle at work + (i + 1/2) of its own; it goes before tile t if that is
 * no more than t parts of the line, less the shift. What rounding may take is far less than items leave between
 * them. */
static inline void place(line *l, uint32_t items, uint32_t chunks, uint64_t work_ps)
{
    double own = (double)work_ps, inverse = 1 / own, half = 0.5 + 1e-9 - (l->work + l->shift) * inverse;
    double step = l->each * inverse, most = items;
    uint32_t *restrict bound = l->bound, *restrict before = l->before, t = l->tile;
    for (; t < l->tiles; t++) {
        double n = t * step + half;
        if (n >= most) break; /* and items of the next run, perhaps */
        uint32_t i = (uint32_t)(int32_t)(n < 0 ? 0 : n);
        bound[t] = l->items + i;
        before[t] = l->pages + i * chunks;
    }
    l->tile = t;
    l->items += items;
    l->pages += items * chunks;
    l->work += own * items;
}

static void place_seq(line *l, const slx_program_info *info, const slx_share_seq *q, bool alike)
{
    uint32_t n = slx_share_pieces(info, q->rows), heads = info->n_kv_heads;
    for (uint32_t i = 0; i < (n > 1 ? heads * n : 1); i++) {
        slx_share_piece p = slx_share_piece_at(info, q->rows, q->before, i % n);
        place(l, n > 1 ? 1 : heads, p.chunks, alike ? 1 : slx_share_item_ps(info, &p));
    }
}

void slx_share_out(const slx_program_info *info, const slx_share_seq *seqs, uint32_t n, uint32_t *bound,
                   uint32_t *before)
{
    uint64_t items = 0, work_ps = 0;
    for (const slx_share_seq *q = seqs; q < seqs + n; q++)
        for (uint32_t i = 0, pieces = slx_share_pieces(info, q->rows); i < pieces; i++, items++) {
            slx_share_piece p = slx_share_piece_at(info, q->rows, q->before, i);
            work_ps += slx_share_item_ps(info, &p);
        }
    items *= info->n_kv_heads;
    work_ps *= info->n_kv_heads;
    bool alike = items <= info->n_tiles; /* each has a tile to itself, and neighbours stand in different columns */
    if (alike) work_ps = items;
    line l = {.tiles = info->n_tiles, .tile = 1, .bound = bound, .before = before};
    l.each = (double)work_ps / info->n_tiles;
    l.shift = items ? (double)work_ps / (double)items / 2 : 0;
    bound[0] = before[0] = 0;
    for (uint32_t i = 0; i < n; i++) place_seq(&l, info, &seqs[i], alike);
    for (; l.tile <= l.tiles; l.tile++) bound[l.tile] = l.items, before[l.tile] = l.pages;
}
