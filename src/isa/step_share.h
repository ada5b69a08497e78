/* step_share.h - how a step's attention is shared out to the tiles: which items are split into parts, and runs of neighbouring
 * parts as even as their work allows. For who writes descriptors (step.c) and for who says what they take without one
 * (time/memo_attention.c).
 *
 *   slx_share_cut cut = slx_share_choose(info, seqs, n);
 *   slx_share_out(info, &cut, seqs, n, bound, before);
 */
#ifndef SLX_STEP_SHARE_H
#define SLX_STEP_SHARE_H

#include "isa/program.h"

/* New rows of a sequence in a step, behind so many old positions. */
typedef struct {
    uint32_t rows, before;
} slx_share_seq;

/* Attention items of a sequence's rows in a step, of one KV head: the rows in pieces of item_rows. Piece i has `rows` of them
 * from `first` on, and all chunks up to the last of these. */
typedef struct {
    uint32_t first, rows, chunks;
} slx_share_piece;
static inline uint32_t slx_share_pieces(const slx_program_info *info, uint32_t rows)
{
    uint32_t most = info->desc.item_rows;
    return rows <= most ? 1 : (uint32_t)(((uint64_t)rows + most - 1) / most);
}
static inline slx_share_piece slx_share_piece_at(const slx_program_info *info, const slx_share_seq *q, uint32_t i)
{
    uint32_t most = info->desc.item_rows, first = i * most, n = q->rows - first < most ? q->rows - first : most;
    uint64_t end = (uint64_t)q->before + first + n;
    return (slx_share_piece){first, n, (uint32_t)((end + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK)};
}

/* Picoseconds that so many chunks of rows keep a tile busy, and an item or part of one, about, by the figures of the program's
 * header; 1 where it has none. For comparing, no more. */
static inline uint64_t slx_share_chunk_ps(const slx_program_info *info, uint32_t rows)
{
    uint64_t work = info->attn_row_base_ps + (uint64_t)rows * info->attn_row_ps;
    return work > info->attn_page_ps ? work : info->attn_page_ps;
}
static inline uint64_t slx_share_item_ps(const slx_program_info *info, uint32_t rows, uint32_t chunks)
{
    uint64_t all = info->attn_item_ps + chunks * slx_share_chunk_ps(info, rows);
    return all ? all : 1;
}

/* How finely a step's items are split. A part of an item is 2^pages_log2 chunks of one row, of more rows the power of two
 * that takes no longer; shorter items stay whole. Of 16 chunks and more a part keeps the states of its groups, else of its
 * chunks. */
enum { SLX_SHARE_WHOLE = 32 };
typedef struct {
    uint32_t pages_log2; /* SLX_SHARE_WHOLE: no item is split */
    uint64_t merge_ps;   /* that merging adds to a step of one layer, about */
} slx_share_cut;

/* The cut whose attention takes the least time by the figures of the header: the busiest tile or the memory that all share, and
 * the merging. Whole where nothing is gained, where the program splits none, or where its descriptor has no room. */
slx_share_cut slx_share_choose(const slx_program_info *info, const slx_share_seq *seqs, uint32_t n);

/* Chunks of the parts of a piece but for the last; no fewer than it has: it is whole. Chunks of a state that they keep. */
uint32_t slx_share_part(const slx_program_info *info, const slx_share_cut *cut, const slx_share_piece *p);
static inline uint32_t slx_share_each(uint32_t part) { return part < SLX_GROUP_CHUNKS ? 1 : SLX_GROUP_CHUNKS; }

/* Tile order[t], t below info->n_tiles, gets the items and parts from bound[t] to bound[t + 1] - 1; before[t] are the chunks of those
 * before them (both [n_tiles + 1]). They are counted sequence by sequence, head by head, piece by piece, part by part. The line of them
 * all, each as long as its work, is cut into pieces of equal length; an item goes to the tile in whose piece its middle is. The line is
 * moved by half a mean item, so that of items alike t gets those from floor(t I / T) to floor((t + 1) I / T) - 1. No more items than tiles
 * are taken as alike: each has one to itself. true: they are so few, and so long, that order goes down the columns of the grid
 * (slx_share_order), or they would stand in some columns, whose links they share; else tiles stand in their own order. */
void slx_share_order(const slx_program_info *info, uint32_t *order);
bool slx_share_out(const slx_program_info *info, const slx_share_cut *cut, const slx_share_seq *seqs, uint32_t n,
                   uint32_t *bound, uint32_t *before);

#endif
