/* step_share.c - the rules of step_share.h. In doubles where the line is cut: the same bits on every host, and what
 * they round away is no item. */
#include "isa/step_share.h"

#include <string.h>

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
 * merge that takes longest; chunks; rows; chunks of its longest item. */
typedef struct {
    uint64_t items, states, merges, work_ps, part_ps, merge_ps, chunks, rows;
    uint32_t longest;
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
    if (p->chunks > s->longest) s->longest = p->chunks;
    s->work_ps += (uint64_t)parts * info->attn_item_ps + p->chunks * chunk_ps;
    if (part_ps > s->part_ps) s->part_ps = part_ps;
}

/* Items of one row and of so many chunks, and more, are split. */
static uint64_t split_from(const slx_program_info *info, const slx_share_cut *cut)
{
    if (cut->pages_log2 >= SLX_SHARE_WHOLE) return UINT64_MAX;
    uint64_t more = (UINT64_C(1) << cut->pages_log2) + 1;
    return more > info->attn_split_chunks ? more : info->attn_split_chunks;
}

static inline uint32_t single_chunks(const slx_share_seq *q)
{
    return q->before / SLX_MAX_CHUNK + 1;
}

/* Of one row, and whole, by split_from. */
static inline bool is_single(const slx_share_seq *q, uint64_t split)
{
    return q->rows == 1 && single_chunks(q) < split;
}

/* Most steps are of sequences of a row each, whole: of them chunks, and those of the longest, say all. */
static sums sum_up(const slx_program_info *info, const slx_share_cut *cut, const slx_share_seq *seqs, uint32_t n)
{
    sums s = {0};
    uint64_t singles = 0, chunks = 0, heads = info->n_kv_heads, split = split_from(info, cut);
    uint32_t longest = 0, other = 0;
    for (uint32_t i = 0; i < n; i++) { /* of nothing else, mostly */
        uint32_t own = single_chunks(seqs + i);
        other |= seqs[i].rows ^ 1;
        chunks += own;
        longest = own > longest ? own : longest;
    }
    if (!other && longest < split)
        s.rows = singles = n; /* the loop below has nothing to do */
    else
        chunks = longest = 0;
    for (const slx_share_seq *q = seqs + singles; q < seqs + n; q++) {
        s.rows += q->rows;
        if (is_single(q, split)) {
            uint32_t own = single_chunks(q);
            singles++, chunks += own;
            longest = own > longest ? own : longest;
            continue;
        }
        for (uint32_t i = 0, pieces = slx_share_pieces(info, q->rows); i < pieces; i++) {
            slx_share_piece p = slx_share_piece_at(info, q, i);
            add_piece(&s, info, cut, &p);
        }
    }
    if (singles) {
        uint64_t part_ps = slx_share_item_ps(info, 1, longest);
        s.items += singles, s.chunks += chunks;
        s.work_ps += singles * info->attn_item_ps + chunks * slx_share_chunk_ps(info, 1);
        if (part_ps > s.part_ps) s.part_ps = part_ps;
        if (longest > s.longest) s.longest = longest;
    }
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
    if (s.longest < info->attn_split_chunks) return best; /* whatever the cut */
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
    double per_ps;                      /* tiles a ps of the line */
    bool alike;                         /* items are taken as alike */
    uint32_t *bound, *before;
} line;

/* Four tiles at once, on every host that the compilers know. */
enum { FOUR = 4 };
typedef double four __attribute__((vector_size(FOUR * sizeof(double))));
typedef int64_t four_bits __attribute__((vector_size(FOUR * sizeof(int64_t))));
typedef int32_t four_counts __attribute__((vector_size(FOUR * sizeof(int32_t))));

/* Tiles t, t + 1, .., so many of them, up to FOUR: the first item of each is the n-th of `items` alike, as t goes on by
 * `step` from `half`; below them all, or beyond, are other tiles' items. */
static inline __attribute__((always_inline)) void fill(const line *l, uint32_t t, uint32_t tiles, double half,
                                                       double step, uint32_t items, uint32_t chunks)
{
    const four next = {0, 1, 2, 3}, zero = {0};
    four n = ((int32_t)t + next) * step + half, most = zero + items;
    n = (four)((four_bits)n & (n > zero));
    four_bits below = n < most;
    n = (four)(((four_bits)n & below) | ((four_bits)most & ~below));
    four_counts i = __builtin_convertvector(n, four_counts);
    four_counts bound = i + (int32_t)l->items, before = i * (int32_t)chunks + (int32_t)l->pages;
    memcpy(l->bound + t, &bound, tiles * sizeof *l->bound);
    memcpy(l->before + t, &before, tiles * sizeof *l->before);
}

/* So many items alike. Item i of them has its middle at work + (i + 1/2) of its own; it goes before tile t if that is
 * no more than t parts of the line, less the shift. What rounding may take is far less than items leave between
 * them. Four tiles are filled at once, mostly: those behind the last are filled again by who comes next. */
static inline __attribute__((always_inline)) void place(line *l, uint32_t items, uint32_t chunks, uint64_t work_ps)
{
    const double late = 0.5 + 1e-9;
    double own = l->alike ? 1 : (double)(int64_t)work_ps, inverse = 1 / own;
    double half = late - (l->work + l->shift) * inverse, step = l->each * inverse;
    double end = ((items - late) * own + l->work + l->shift) * l->per_ps;
    uint32_t t = l->tile, last = end < l->tiles ? (uint32_t)(int32_t)end + 1 : l->tiles;
    for (; t < last && t + FOUR <= l->tiles + 1; t += FOUR) fill(l, t, FOUR, half, step, items, chunks);
    if (t < last) fill(l, t, last - t, half, step, items, chunks);
    l->tile = last;
    l->items += items;
    l->pages += items * chunks;
    l->work += own * items;
}

/* A piece's items of so many heads: whole, or head after head in parts. */
static void place_piece(line *l, const slx_program_info *info, const slx_share_cut *cut, const slx_share_piece *p,
                        uint32_t heads)
{
    uint32_t part = slx_share_part(info, cut, p);
    if (part >= p->chunks) {
        place(l, heads, p->chunks, slx_share_item_ps(info, p->rows, p->chunks));
        return;
    }
    uint32_t full = p->chunks / part, rest = p->chunks % part;
    uint64_t part_ps = slx_share_item_ps(info, p->rows, part), rest_ps = slx_share_item_ps(info, p->rows, rest);
    for (uint32_t i = 0; i < heads; i++) {
        place(l, full, part, part_ps);
        if (rest) place(l, 1, rest, rest_ps);
    }
}

static void place_seq(line *l, const slx_program_info *info, const slx_share_cut *cut, const slx_share_seq *q)
{
    uint32_t n = slx_share_pieces(info, q->rows), heads = info->n_kv_heads;
    for (uint32_t h = 0; h < (n > 1 ? heads : 1); h++) /* head after head, each in pieces */
        for (uint32_t i = 0; i < n; i++) {
            slx_share_piece p = slx_share_piece_at(info, q, i);
            place_piece(l, info, cut, &p, n > 1 ? 1 : heads);
        }
}

/* Sequences of one row each, whole, up to the first that is none; returns how many. */
static inline __attribute__((always_inline)) uint32_t singles_plain(line *l, const slx_program_info *info,
                                                                    uint64_t split, const slx_share_seq *seqs,
                                                                    uint32_t n)
{
    line at = *l; /* in registers */
    uint32_t i = 0;
    uint64_t item_ps = info->attn_item_ps, chunk_ps = slx_share_chunk_ps(info, 1);
    for (; i < n && is_single(seqs + i, split); i++) {
        uint32_t chunks = single_chunks(seqs + i);
        uint64_t work_ps = item_ps + chunks * chunk_ps;
        place(&at, info->n_kv_heads, chunks, work_ps ? work_ps : 1);
    }
    *l = at;
    return i;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint32_t singles_avx2(line *l, const slx_program_info *info, uint64_t split,
                                                             const slx_share_seq *seqs, uint32_t n)
{
    return singles_plain(l, info, split, seqs, n); /* the same roundings, four at once */
}
#endif

static uint32_t place_singles(line *l, const slx_program_info *info, uint64_t split, const slx_share_seq *seqs,
                              uint32_t n)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return singles_avx2(l, info, split, seqs, n);
#endif
    return singles_plain(l, info, split, seqs, n);
}

/* Columns of the widest grid that is looked at: on a wider one items go to tiles in their own order. Chunks of a mean
 * item whose loads are long enough to meet others'. */
enum { COLUMNS = 64, LONG_ITEM = 4 };

/* So few items, spread over the tiles as these are counted, would stand in some columns of the grid rather than in
 * all. */
static bool crowded(const slx_program_info *info, uint32_t items)
{
    uint32_t in[COLUMNS] = {0}, columns = info->grid_x, tiles = info->n_tiles, most = 0;
    if (columns < 2 || columns > COLUMNS || !items || 2 * items > tiles) return false;
    uint32_t far = tiles / items, left = tiles % items, way = far % columns, column = columns - 1, over = items - 1;
    for (uint32_t i = 0; i < items; i++) { /* the next one stands at ceil((i + 1) tiles / items) - 1 */
        over += left;
        bool one = over >= items;
        column += way + one;
        over -= one ? items : 0;
        column -= column >= columns ? columns : 0;
        uint32_t n = ++in[column];
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
    l.per_ps = work > 0 ? info->n_tiles / work : 0;
    l.shift = s.items ? work / (double)s.items / 2 : 0;
    bound[0] = before[0] = 0;
    uint64_t split = split_from(info, cut);
    for (uint32_t i = 0; i < n; i++) {
        i += place_singles(&l, info, split, seqs + i, n - i);
        if (i < n) place_seq(&l, info, cut, &seqs[i]);
    }
    for (; l.tile <= l.tiles; l.tile++) bound[l.tile] = l.items, before[l.tile] = l.pages;
    return s.chunks >= LONG_ITEM * s.items && crowded(info, (uint32_t)s.items);
}
