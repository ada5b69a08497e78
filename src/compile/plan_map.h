/* plan_map.h - how many bytes of scratchpad the phases take, and where their areas lie: plan_map.c, for plan_spm.c that
 * chooses. A map is laid out from byte `at` on, for row tiles of mr rows; what comes back is the first byte behind it. */
#ifndef SLX_PLAN_MAP_H
#define SLX_PLAN_MAP_H

#include "compile/plan.h"

/* Bytes of a slice's largest piece, of a whole slice with all its pieces below. */
uint64_t slx_spm_tile_bytes(const slx_mat_plan *m, uint32_t pieces);
/* What a budget of plan_spm.c bounds: a slot of weights, or where those lie in ROM, a row of activations held at once. */
uint64_t slx_spm_held_bytes(const slx_plan *p, const slx_mat_plan *m, uint32_t pieces);
/* floor(log2 v), v > 0; ceil(a / b). */
unsigned slx_spm_log2u(uint32_t v);
uint32_t slx_spm_up_div(uint32_t a, uint32_t b);
/* Cells of the accumulators one row takes. */
uint64_t slx_spm_cells_a_row(const slx_mat_plan *m);
/* Blocks of A's rows that are held at once. */
uint32_t slx_spm_held_blocks(const slx_mat_plan *m, bool whole);
/* Row tiles of a step of max_rows; groups: as many as groups of equal height need, a power of two. */
uint32_t slx_spm_row_tiles(const slx_plan *p, uint32_t mr, bool groups);
/* Groups of tiles that share rows: weights in ROM lie with the tile that owns the slice, all rows must come to it. */
uint32_t slx_spm_groups_of(const slx_plan *p, bool whole, uint32_t mr);
/* kp: blocks held of a row. */
uint64_t slx_spm_map_linear(const slx_plan *p, slx_map_linear *o, uint64_t at, uint32_t kp, const slx_mat_plan *m, uint32_t mr);
uint64_t slx_spm_map_gateup(const slx_plan *p, slx_map_gateup *o, uint64_t at, uint32_t kp, uint32_t mr);
uint64_t slx_spm_map_head(const slx_plan *p, slx_map_head *o, uint64_t at, uint32_t kp, const slx_mat_plan *m, uint32_t mr);
uint64_t slx_spm_map_embed(const slx_plan *p, slx_map_embed *o, uint64_t at, uint32_t mr);
uint64_t slx_spm_map_rows(slx_map_rows *o, uint64_t at, uint64_t d, bool norm, bool layer, uint32_t mr);
/* kv: KV heads whose codes are held at once. */
uint64_t slx_spm_map_rope(const slx_plan *p, slx_map_rope *o, uint64_t at, uint32_t kv, uint32_t mr);
uint64_t slx_spm_map_attn(const slx_plan *p, slx_map_attn *o, uint64_t at, uint32_t pages, uint32_t rows);
/* Of a long step, a phase of its own; of a short one, where states come to the places of attention's pages, which have been read
 * on all tiles: false where they have no room. */
uint64_t slx_spm_map_merge(const slx_plan *p, slx_map_merge *o, uint64_t at, uint32_t rows, uint32_t buffers);
bool slx_spm_map_merge_short(const slx_plan *p, slx_map_merge *o, const slx_map_attn *a, uint32_t buffers);
uint64_t slx_spm_slice_bytes(const slx_mat_plan *m);
/* Everything apart from everything else: what one phase pushes to other tiles must not meet what they still read. */
uint64_t slx_spm_map_short(const slx_plan *p, slx_map_short *o, uint64_t at, uint32_t rows, uint32_t buffers, bool resident);

#endif
