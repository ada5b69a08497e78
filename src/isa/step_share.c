/* step_share.c - the rules of step_share.h. In doubles where the line is cut: the same bits on every host, and what
 * they round away is no item. */
#include "isa/step_share.h"

/* ------------------------------------------------------------------ how finely */

static uint32_t floor_log2(uint64_t v)
{
    return 63u - (uint32_t)__builtin_clzll(v | 1);
}

uint32_t slx_share_part(const slx_program_info *info, const slx_share_cut *cut, const slx_share_piece *p)
{
    if (cut->pages_log2 >= SLX_SHARE_WHOLE || p->chunks < info->attn_split_chunks) return p->chunks;
    if (p->rows <= 1) return UINT32_C(1) << cut->pages_log2;
    uint64_t one = slx_share_chunk_ps(info, 1) << cut->pages_log2, own = slx_share_chunk_ps(info, p->rows);
    return own ? UINT32_C(1) << floor_log2(one / own) : 1;
}

/* What a step is under a cut: items and parts, states of a row, merges; work of them all, of the largest part, of the
 * merge that takes longest; chunks; rows. */
typedef struct {
    uint64_t items, states, merges, work_ps, part_ps, merge_ps, chunks, rows;
} sums;

static void add_piece(sums *s, const slx_program_info *info, const slx_share_cut *cut, const slx_share_piece *p)
{
    uint32_t part = slx_share_part(info, cut, p), parts = 1, longest = p->chunks;
    if (part < p->chunks) {
        uint32_t each = slx_share_each(part), states = (p->chunks + each - 1) / each;
        uint64_t merge_ps = states * (info->attn_state_ps + (uint64_t)p->rows * info->attn_state_row_ps);
        parts = (p->chunks + part - 1) / part;
        longest = part;
        s->states += (uint64_t)states * p->rows;
        s->merges++;
        if (merge_ps > s->merge_ps) s->merge_ps = merge_ps;
    }
    uint64_t chunk_ps = slx_share_chunk_ps(info, p->rows), part_ps = slx_share_item_ps(info, p->rows, longest);
    s->items += parts;
    s->chunks += p->chunks;
    s->work_ps += (uint64_t)parts * info->attn_item_ps + p->chunks * chunk_ps;
    if (part_ps > s->part_ps) s->part_ps = part_ps;
}

static sums sum_up(const slx_program_info *info, const slx_share_cut *cut, const slx_share_seq *seqs, uint32_t n)
{
    sums s = {0};
    for (const slx_share_seq *q = seqs; q < seqs + n; q++) {
        s.rows += q->rows;
        for (uint32_t i = 0, pieces = slx_share_pieces(info, q->rows); i < pieces; i++) {
            slx_share_piece p = slx_share_piece_at(info, q, i);
            add_piece(&s, info, cut, &p);
        }
    }
    uint64_t heads = info->n_kv_heads;
    s.items *= heads, s.states *= heads, s.merges *= heads, s.work_ps *= heads, s.chunks *= heads;
    return s;
}

/* Loads of weights that tiles without work do while others attend. */
static uint64_t beside_ps(const slx_program_info *info, const sums *s)
{
    return s->rows <= info->short_rows ? info->attn_beside_ps : 0;
}

/* Picoseconds of merging: the tiles' barrier, the merges of a tile, and of the loads beside attention half, about,
 * which then come after it, as all tiles have work. */
static uint64_t merging_ps(const slx_program_info *info, const sums *s)
{
    if (!s->merges) return 0;
    return info->attn_merge_ps + (s->merges + info->n_tiles - 1) / info->n_tiles * s->merge_ps + beside_ps(info, s) / 2;
}

/* Picoseconds of attention: the largest part, or as many mean ones as the busiest tile has; all together read no faster
 * than memory and mesh let them, and weights come beside it. */
static uint64_t attention_ps(const slx_program_info *info, const sums *s)
{
    uint64_t turns = (s->items + info->n_tiles - 1) / info->n_tiles, even = turns * (s->work_ps / s->items),
             memory = s->chunks * info->attn_shared_page_ps + info->attn_item_ps,
             most = even > s->part_ps ? even : s->part_ps, beside = beside_ps(info, s);
    if (memory > most) most = memory;
    most += merging_ps(info, s);
    return most > beside ? most : beside;
}

static bool has_room(const slx_desc_layout *d, const sums *s)
{
    return s->items <= d->max_items && s->merges <= d->max_merges && s->states <= d->max_states;
}

slx_share_cut slx_share_choose(const slx_program_info *info, const slx_share_seq *seqs, uint32_t n)
{
    slx_share_cut best = {.pages_log2 = SLX_SHARE_WHOLE};
    uint64_t page = slx_share_chunk_ps(info, 1);
    if (!info->desc.max_merges || !page || !n) return best;
    sums s = sum_up(info, &best, seqs, n);
    uint64_t even = s.work_ps / info->n_tiles, memory = s.chunks * info->attn_shared_page_ps,
        least = attention_ps(info, &s);
    if (memory > even) even = memory;
    least -= least / 8; /* a cut gains that at least: these are estimates */
    if (least <= even + info->attn_merge_ps) return best;
    /* about a tile's part of the work each, or groups; of equals the last */
    uint32_t near = floor_log2(even / page), tried[] = {near + 1, near, 4, near ? near - 1 : 0};
    for (uint32_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        slx_share_cut cut = {.pages_log2 = tried[i]};
        if (cut.pages_log2 >= SLX_SHARE_WHOLE) continue;
        s = sum_up(info, &cut, seqs, n);
        uint64_t ps = attention_ps(info, &s);
        bool better = best.pages_log2 == SLX_SHARE_WHOLE ? ps < least : ps <= least;
        if (!better || !s.merges || !has_room(&info->desc, &s)) continue;
        cut.merge_ps = merging_ps(info, &s);
        best = cut;
        least = ps;
    }
    return best;
}

/* ------------------------------------------------------------------ to whom */

typedef struct {
    uint32_t tiles, tile, items, pages; /* tile: whose first item is sought; items and their chunks: placed so far */
    double each, shift, work;           /* a tile's part of the line; half a mean item; of the items placed; in ps */
    bool alike;                         /* items are taken as alike */
    uint32_t *bound, *before;
} line;

/* So many items alike. Item i of them has its middle at work + (i + 1/2) of its own; it goes before tile t if that is
 * no more than t parts of the line, less the shift. What rounding may take is far less than items leave between
 * them. */
static inline void place(line *l, uint32_t items, uint32_t chunks, uint64_t work_ps)
{
    double own = l->alike ? 1 : (double)work_ps, inverse = 1 / own, half = 0.5 + 1e-9 - (l->work + l->shift) * inverse;
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

static void place_seq(line *l, const slx_program_info *info, const slx_share_cut *cut, const slx_share_seq *q)
{
    uint32_t n = slx_share_pieces(info, q->rows), heads = info->n_kv_heads;
    for (uint32_t i = 0; i < heads * n; i++) { /* head after head, each in pieces, each in parts */
        slx_share_piece p = slx_share_piece_at(info, q, i % n);
        uint32_t part = slx_share_part(info, cut, &p), full = p.chunks / part, rest = p.chunks % part;
        if (part >= p.chunks && n == 1) { /* all heads alike */
            place(l, heads, p.chunks, slx_share_item_ps(info, p.rows, p.chunks));
            return;
        }
        if (full) place(l, full, part, slx_share_item_ps(info, p.rows, part));
        if (rest) place(l, 1, rest, slx_share_item_ps(info, p.rows, rest));
    }
}

enum { COLUMNS = 64, LONG_ITEM = 4 }; /* chunks of a mean item whose loads are long enough to meet others' */

/* So few items, spread over the tiles as these are counted, would stand in some columns of the grid rather than in
 * all. */
static bool crowded(const slx_program_info *info, uint32_t items)
{
    uint32_t in[COLUMNS] = {0}, columns = info->grid_x, tiles = info->n_tiles, most = 0;
    if (columns < 2 || columns > COLUMNS || 2 * items > tiles) return false;
    for (uint32_t i = 1; i <= items; i++) {
        uint32_t n = ++in[((i * tiles + items - 1) / items - 1) % columns];
        if (n > most) most = n;
    }
    return most > (items + columns - 1) / columns + 1;
}

void slx_share_order(const slx_program_info *info, uint32_t *order)
{
    uint32_t n = 0, columns = info->grid_x ? info->grid_x : info->n_tiles;
    for (uint32_t x = 0; x < columns; x++)
        for (uint32_t t = x; t < info->n_tiles; t += columns) order[n++] = t;
}

bool slx_share_out(const slx_program_info *info, const slx_share_cut *cut, const slx_share_seq *seqs, uint32_t n,
                   uint32_t *bound, uint32_t *before)
{
    sums s = sum_up(info, cut, seqs, n);
    line l = {.tiles = info->n_tiles, .tile = 1, .bound = bound, .before = before};
    l.alike = s.items <= info->n_tiles || !s.work_ps;
    double work = l.alike ? (double)s.items : (double)s.work_ps;
    l.each = work / info->n_tiles;
    l.shift = s.items ? work / (double)s.items / 2 : 0;
    bound[0] = before[0] = 0;
    for (uint32_t i = 0; i < n; i++) place_seq(&l, info, cut, &seqs[i]);
    for (; l.tile <= l.tiles; l.tile++) bound[l.tile] = l.items, before[l.tile] = l.pages;
    return s.chunks >= LONG_ITEM * s.items && crowded(info, (uint32_t)s.items);
}
