/* step_share.h - how a step's attention items are shared out to the tiles: runs of neighbouring items, as even as their work
 * allows. For who writes descriptors (step.c) and for who says what they take without one (time/memo_attention.c).
 */
#ifndef SLX_STEP_SHARE_H
#define SLX_STEP_SHARE_H

#include "isa/program.h"

/* Attention items of a sequence's rows in a step, of one KV head: the rows in pieces of item_rows. Piece i has `rows` of them
 * from `first` on, and all chunks up to the last of these. before: old positions of the sequence. */
typedef struct {
    uint32_t first, rows, chunks;
} slx_share_piece;
static inline uint32_t slx_share_pieces(const slx_program_info *info, uint32_t rows)
{
    uint32_t most = info->desc.item_rows;
    return rows <= most ? 1 : (uint32_t)(((uint64_t)rows + most - 1) / most);
}
static inline slx_share_piece slx_share_piece_at(const slx_program_info *info, uint32_t rows, uint32_t before, uint32_t i)
{
    uint32_t most = info->desc.item_rows, first = i * most, n = rows - first < most ? rows - first : most;
    uint64_t end = (uint64_t)before + first + n;
    return (slx_share_piece){first, n, (uint32_t)((end + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK)};
}

/* Picoseconds that an item keeps its tile busy, about, by the figures of the program's header; 1 where it has none. For
 * comparing items, no more. */
static inline uint64_t slx_share_item_ps(const slx_program_info *info, const slx_share_piece *p)
{
    uint64_t work = info->attn_row_base_ps + (uint64_t)p->rows * info->attn_row_ps;
    uint64_t all = info->attn_item_ps + p->chunks * (work > info->attn_page_ps ? work : info->attn_page_ps);
    return all ? all : 1;
}

/* New rows of a sequence in a step, behind so many old positions. */
typedef struct {
    uint32_t rows, before;
} slx_share_seq;

/* Tile t of info->n_tiles gets the items from bound[t] to bound[t + 1] - 1; before[t] are the chunks of those before them (both
 * [n_tiles + 1]). Items are counted sequence by sequence, head by head, piece by piece. The line of all items, each as long as
 * its work, is cut into parts of equal length; an item goes to the tile in whose part its middle is. The line is moved by half a
 * mean item, so that of items alike tile t gets those from floor(t I / T) to floor((t + 1) I / T) - 1. No more items than tiles
 * are taken as alike: each has one to itself. */
void slx_share_out(const slx_program_info *info, const slx_share_seq *seqs, uint32_t n, uint32_t *bound, uint32_t *before);

#endif
