/* tmpl_mat.h - what the templates of products share: one matrix, or several that read the same rows, times row tiles.
 * Registers r11 .. r29 are theirs. */
#ifndef SLX_TMPL_MAT_H
#define SLX_TMPL_MAT_H

#include "compile/tmpl_int.h"

/* TILES and WM are R_GROUP_TILES and R_HEIGHT where tiles share rows: then the count of row tiles is in AT when the
 * loop over them begins, and no weights have a place of their own. */
enum { FIRST = 11, NSL, TILES, SL, SLICE, WA, TMP, WS, WM = 20, RI, AT, M, AC, AS, OUT, CELLS, Y };
_Static_assert((int)Y < (int)R_FIRST_ROWS && (int)TILES == (int)R_GROUP_TILES && (int)WM == (int)R_HEIGHT,
               "registers");

/* slx_meet of plan.h, as templates know it. */
enum { MEET_GATHER = 2 };

/* What these templates have in common. */
typedef struct {
    uint64_t kblk, log2g, pieces, ns, mr, spm_a, spm_as, ring, slot, slots, push, ready;
    uint64_t a_ld, meet, chips, spm_y, y_step; /* Y: the output buffer in use where chips meet */
    uint64_t whole, ways, grain;
    e_share share; /* its mr is set by mat_init */
    unsigned log2p;
    bool rom, whole_a; /* whole_a: all blocks of A's rows are in the scratchpad, not one piece */
} mat;

/* What parameters give of m is there: completes it, and checks that a program can be made of it; e->ok. */
bool mat_init(em *e, mat *m);
/* A token of prefetched weights; the one behind it says that their place is free. */
bool mat_is_ready(uint64_t token);
/* First block of piece p of the contraction; its blocks. */
uint32_t mat_cut(const mat *m, uint64_t p);
uint32_t mat_piece_blocks(const mat *m, uint64_t p);
/* Bytes of a slice of SLICES layout up to piece p; p == pieces: all of it. 0 and not ok for a format without blocks. */
uint64_t mat_slice_bytes(em *e, const mat *m, unsigned fmt, uint64_t p);
/* The next slot; the min changes nothing, it tells the verifier. */
void mat_next_slot(em *e, const mat *m);
/* The weights are in the ring's slot, in their own place at register WM (ready), or in ROM in the slice at register
 * r_addr. */
void mat_mul_piece(em *e, const mat *m, unsigned fmt, unsigned r_addr, uint64_t p);
/* Upper levels of the tree. */
void mat_add_pieces(em *e, const mat *m);
/* Where chips meet: Y at the first of its buffers. */
void mat_first_y(em *e, const mat *m);
/* M rows out of the accumulators, and through the other chips where they meet. Returns where they are then; STQ finds
 * them there by *ready, and gives the buffer back by *free. */
uint32_t mat_make_rows(em *e, const mat *m, unsigned *ready, unsigned *free);
/* M rows of slice SLICE to their columns of the rows from `out` on, `stride` apart. */
void mat_put_rows(em *e, const mat *m, uint64_t out, uint64_t stride);
/* One slice of a SLICES matrix times A -> cells 0 ..; r_addr: its first byte; home: the place of the tile's first
 * slice. */
void mat_mul_slice(em *e, const mat *m, unsigned fmt, unsigned r_addr, uint64_t home);
/* Row tile RI of the step: its rows AT .. AT+M-1, and A where it is held whole. A tile that has none of the slices of
 * slices[i] (rot[i]), n matrices, has no row tiles. */
size_t mat_row_tiles(em *e, const mat *m, uint64_t a_codes, uint64_t a_scales, int n, const uint64_t *slices,
                     const uint64_t *rot);
/* Ends the loop that mat_row_tiles left open. */
void mat_row_tiles_end(em *e, const mat *m, size_t rows);
/* LOOP over this tile's slices: SL counts, SLICE is the number among all. */
size_t mat_slices_of(em *e, const mat *m, uint64_t slices, uint64_t rot);
/* rd := where slice SLICE of a matrix of `slices` begins, each `bytes`, off behind the layer's base in register r_base. Uses TMP. */
void mat_slice_addr(em *e, const mat *m, unsigned rd, unsigned r_base, uint64_t slices, uint64_t bytes, uint64_t off);
/* Bytes of a slice from `from` on, whole grains where slices are woven, from the register's address to dst. */
void mat_load(em *e, const mat *m, uint32_t dst, unsigned r_addr, uint64_t from, uint64_t bytes, uint32_t toks);

#endif
