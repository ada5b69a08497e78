/* tmpl_linear.c - products whose rows are stored as they come, up to three matrices of the same input; tmpl_mat.c has
 * the loops.
 */
#include "compile/tmpl_mat.h"

/* M rows of slice SLICE out of the accumulators: row k to the tile that has row k of the step, at `out` and the slice's
 * columns. Row k is on tile ceil((k + 1) T / M) - 1; the min changes nothing, it tells the verifier. */
static void push_out(em *e, const mat *m, uint64_t out, uint64_t tiles)
{
    unsigned ready, free;
    uint64_t y_row = 4 * m->ns;
    mat_make_rows(e, m, &ready, &free);
    e_at_row(e, OUT, SLICE, out, y_row);
    e_join(e, SLX_ENG_STQ, WAIT(ready));
    size_t rows = e_loop(e, REG(M), RI);
    e_addc(e, AC, RI, 1);
    e_mulc(e, AC, AC, tiles);
    e_alu(e, SLX_ALUFN_sub, AC, REG(AC), IMM(1));
    e_alu(e, SLX_ALUFN_divu, AC, REG(AC), REG(M));
    e_alu(e, SLX_ALUFN_min, AC, REG(AC), IMM(tiles - 1));
    if (m->meet) {
        e_mulc(e, AS, RI, y_row);
        e_alu(e, SLX_ALUFN_add, AS, REG(AS), REG(Y));
    } else {
        e_at_row(e, AS, RI, m->spm_y, y_row);
    }
    e_mov(e, REG(AS), false, REG(AC), REG(OUT), IMM(y_row), IMM(1), NOTOK);
    e_loop_end(e, rows);
    e_join(e, SLX_ENG_STQ, POST(free));
}

void tmpl_linear(em *e, const uint64_t *p)
{
    mat m = {.kblk = p[SLX_LINEAR_kblk],
             .log2g = p[SLX_LINEAR_log2g],
             .pieces = p[SLX_LINEAR_pieces],
             .ns = p[SLX_LINEAR_ns],
             .mr = p[SLX_LINEAR_mr],
             .spm_a = p[SLX_LINEAR_spm_a],
             .spm_as = p[SLX_LINEAR_spm_as],
             .ring = p[SLX_LINEAR_ring],
             .slot = p[SLX_LINEAR_slot],
             .slots = p[SLX_LINEAR_slots],
             .a_ld = p[SLX_LINEAR_a_ld],
             .meet = p[SLX_LINEAR_meet],
             .chips = p[SLX_LINEAR_chips],
             .spm_y = p[SLX_LINEAR_spm_y],
             .y_step = p[SLX_LINEAR_y_step],
             .push = p[SLX_LINEAR_push],
             .ready = p[SLX_LINEAR_ready],
             .whole = p[SLX_LINEAR_whole],
             .ways = p[SLX_LINEAR_ways],
             .grain = p[SLX_LINEAR_grain],
             .share = {.tiles = p[SLX_LINEAR_tiles],
                       .grid_x = p[SLX_LINEAR_grid_x],
                       .groups = p[SLX_LINEAR_groups],
                       .row_cap = p[SLX_LINEAR_row_cap]}};
    if (m.push && m.meet == MEET_GATHER) e->ok = false; /* gathered rows are pushed nowhere */
    if (!mat_init(e, &m)) return;
    mat_first_y(e, &m);
    size_t rows =
        mat_row_tiles(e, &m, p[SLX_LINEAR_a_codes], p[SLX_LINEAR_a_scales], SLX_LINEAR_PARTS,
                  p + SLX_LINEAR_slices, p + SLX_LINEAR_rot);
    for (int k = 0; k < SLX_LINEAR_PARTS; k++) {
        unsigned fmt = (unsigned)p[SLX_LINEAR_fmt + k];
        if (p[SLX_LINEAR_slices + k] == 0) continue;
        size_t slices =
            mat_slices_of(e, &m, p[SLX_LINEAR_slices + k], p[SLX_LINEAR_rot + k]);
        mat_slice_addr(e, &m, WA, R_W, p[SLX_LINEAR_slices + k], mat_slice_bytes(e, &m, fmt, m.pieces),
                       p[SLX_LINEAR_off_w + k]);
        mat_mul_slice(e, &m, fmt, WA, p[SLX_LINEAR_home + k]);
        if (m.push)
            push_out(e, &m, p[SLX_LINEAR_out + k], p[SLX_LINEAR_tiles]);
        else
            mat_put_rows(e, &m, p[SLX_LINEAR_out + k], p[SLX_LINEAR_out_stride]);
        e_loop_end(e, slices);
    }
    mat_row_tiles_end(e, &m, rows);
}
