/* tmpl_lmhead.c - the output head: logits of the sampled rows, weights in planes that the embedding may share, or in
 * slices in ROM.
 */
#include "compile/tmpl_mat.h"

/* Rows of a PLANES matrix: blocks of piece p of ns rows, plane by plane, as a B tile in the next slot. */
static void load_planes(em *e, const mat *m, unsigned fmt, uint64_t p)
{
    uint64_t kp = mat_piece_blocks(m, p), c = mat_cut(m, p), cb = slx_fmt_code_bytes(fmt),
             sb = slx_fmt_scale_bytes(fmt);
    size_t off_s = 0, off_m = 0;
    if (slx_btile_bytes(fmt, (uint32_t)m->ns, (uint32_t)kp, &off_s, &off_m) == 0) {
        e->ok = false;
        return;
    }
    struct {
        unsigned r;
        uint64_t at, unit;
    } plane[3] = {{WA, 0, cb}, {WS, off_s, sb}, {WM, off_m, sb}};
    int n = off_m ? 3 : 2;
    mat_next_slot(e, m);
    for (int i = 0; i < n; i++)
        e_ld(e, regi(e, R_WBUF, (int64_t)(m->ring + plane[i].at)),
             regi(e, plane[i].r, (int64_t)(c * plane[i].unit)), IMM(kp * plane[i].unit), IMM(m->ns),
             m->kblk * plane[i].unit, kp * plane[i].unit,
             tok(i == 0 ? TK_WFREE : 0, 0, i == n - 1 ? TK_WREADY : 0, 0));
}

/* Blocks of piece i of the rows whose numbers stand at spm_idx. */
static void load_sampled(em *e, const mat *m, const uint64_t *p, uint64_t i)
{
    uint64_t kp = mat_piece_blocks(m, i), c = mat_cut(m, i);
    e_ldx(e, IMM(m->spm_a), addr_c(e, p[SLX_LMHEAD_a_codes] + c * 32), IMM(p[SLX_LMHEAD_spm_idx]),
          REG(M), kp * 32, m->kblk * 32, WAIT(TK_AFREE));
    e_ldx(e, IMM(m->spm_as), addr_c(e, p[SLX_LMHEAD_a_scales] + c), IMM(p[SLX_LMHEAD_spm_idx]),
          REG(M), kp, m->kblk, POST(TK_AREADY));
}

/* Row tiles of samples; the loop is left open. */
static size_t sampled_tiles(em *e, const mat *m, const uint64_t *p)
{
    e_tiles(e, TILES, R_SAMPLES, m->mr);
    e_slices(e, FIRST, NSL, TMP, p[SLX_LMHEAD_slices], p[SLX_LMHEAD_tiles], 0, 0);
    put(e, SLX_OP_ALU, SLX_ALUFN_sel, 0, 0, NOTOK, TILES, REG(TILES), IMM(0), REG(NSL), 0, 0);
    size_t rows = e_loop(e, REG(TILES), RI);
    e_row_tile(e, RI, R_SAMPLES, m->mr, AT, M);
    e_alu(e, SLX_ALUFN_shl, TMP, REG(AT), IMM(2));
    e_alu(e, SLX_ALUFN_add, TMP, REG(TMP), REG(SLX_R_DESC));
    e_alu(e, SLX_ALUFN_shl, OUT, REG(M), IMM(2));
    e_ld(e, IMM(p[SLX_LMHEAD_spm_idx]), regi(e, TMP, (int64_t)p[SLX_LMHEAD_off_sample]), REG(OUT),
         IMM(1), 0, 0, NOTOK);
    if (m->pieces == 1) {
        load_sampled(e, m, p, 0);
        e_join(e, SLX_ENG_TEN, WAIT(TK_AREADY));
    }
    return rows;
}

/* All sampled rows from the rows that every tile has. The slices' weights may be on their way before. */
static size_t sampled_pushed(em *e, const mat *m, const uint64_t *p)
{
    e_alu(e, SLX_ALUFN_min, M, REG(R_SAMPLES), IMM(m->mr));
    e_alu(e, SLX_ALUFN_min, AC, REG(R_ROWS), IMM(m->push));
    e_slices(e, FIRST, NSL, TMP, p[SLX_LMHEAD_slices], p[SLX_LMHEAD_tiles], 0, 0);
    put(e, SLX_OP_ALU, SLX_ALUFN_sel, 0, 0, NOTOK, NSL, REG(NSL), IMM(0), REG(M), 0, 0);
    e_join(e, SLX_ENG_TEN, POST(TK_TV));
    put(e, SLX_OP_VGAT, SLX_GATFN_gather, 0, 0, WAIT(TK_TV), IMM(m->spm_a),
        IMM(p[SLX_LMHEAD_a_codes]), IMM(p[SLX_LMHEAD_spm_idx]), REG(M), IMM(m->kblk * 32), REG(AC));
    put(e, SLX_OP_VGAT, SLX_GATFN_gather, 0, 0, POST(TK_VT), IMM(m->spm_as),
        IMM(p[SLX_LMHEAD_a_scales]), IMM(p[SLX_LMHEAD_spm_idx]), REG(M), IMM(m->kblk), REG(AC));
    e_join(e, SLX_ENG_TEN, WAIT(TK_VT));
    e_li(e, AT, 0);
    if (p[SLX_LMHEAD_ready]) /* what the last layer's prefetch of a next one has posted */
        e_join(e, SLX_ENG_TEN,
               WAITPOST((unsigned)p[SLX_LMHEAD_ready], (unsigned)p[SLX_LMHEAD_ready] + 1));
    return 0;
}

/* Logits of the sampled rows: slot s takes row sample_row[s]. */
void tmpl_lmhead(em *e, const uint64_t *p)
{
    mat m = {.kblk = p[SLX_LMHEAD_kblk],
             .log2g = p[SLX_LMHEAD_log2g],
             .pieces = p[SLX_LMHEAD_pieces],
             .ns = p[SLX_LMHEAD_ns],
             .mr = p[SLX_LMHEAD_mr],
             .spm_a = p[SLX_LMHEAD_spm_a],
             .spm_as = p[SLX_LMHEAD_spm_as],
             .ring = p[SLX_LMHEAD_ring],
             .slot = p[SLX_LMHEAD_slot],
             .slots = p[SLX_LMHEAD_slots],
             .a_ld = p[SLX_LMHEAD_kblk],
             .meet = p[SLX_LMHEAD_meet],
             .chips = p[SLX_LMHEAD_chips],
             .spm_y = p[SLX_LMHEAD_spm_y],
             .y_step = p[SLX_LMHEAD_y_step],
             .push = p[SLX_LMHEAD_push]};
    unsigned fmt = (unsigned)p[SLX_LMHEAD_fmt];
    if (!mat_init(e, &m)) return;
    mat_first_y(e, &m);
    uint64_t cb = m.kblk * slx_fmt_code_bytes(fmt), sb = m.kblk * slx_fmt_scale_bytes(fmt);
    size_t rows = m.push ? sampled_pushed(e, &m, p) : sampled_tiles(e, &m, p);
    size_t slices = e_loop(e, REG(NSL), SL);
    e_alu(e, SLX_ALUFN_add, SLICE, REG(FIRST), REG(SL));
    if (m.rom) {
        e_at_row(e, WA, SLICE, p[SLX_LMHEAD_w], mat_slice_bytes(e, &m, fmt, m.pieces));
    } else {
        unsigned s = SLICE;
        if (p[SLX_LMHEAD_turns]) {
            e_mulc(e, TMP, SLICE, m.chips);
            e_alu(e, SLX_ALUFN_add, TMP, REG(TMP), REG(SLX_R_RANK));
            s = TMP;
        }
        e_at_row(e, WA, s, p[SLX_LMHEAD_w], m.ns * cb);
        e_at_row(e, WS, s, p[SLX_LMHEAD_w] + p[SLX_LMHEAD_off_scale], m.ns * sb);
        if (p[SLX_LMHEAD_off_m])
            e_at_row(e, WM, s, p[SLX_LMHEAD_w] + p[SLX_LMHEAD_off_m], m.ns * sb);
    }
    for (uint64_t i = 0; i < m.pieces; i++) {
        if (!m.rom) load_planes(e, &m, fmt, i);
        if (!m.whole_a) load_sampled(e, &m, p, i);
        mat_mul_piece(e, &m, fmt, WA, i);
    }
    mat_add_pieces(e, &m);
    mat_put_rows(e, &m, p[SLX_LMHEAD_logits], p[SLX_LMHEAD_logits_stride]);
    e_loop_end(e, slices);
    mat_row_tiles_end(e, &m, rows);
}
