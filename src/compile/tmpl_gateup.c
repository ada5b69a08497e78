/* tmpl_gateup.c - gate and up: their products, silu(gate) * up or gelu(up + bias), quantised for the next product. */
#include "compile/tmpl_mat.h"

/* Block SLICE of every row of the next operation's input, and its scale, to all tiles. */
static void push_block(em *e, const uint64_t *p)
{
    uint64_t ok = p[SLX_GATEUP_out_kblk];
    e_join(e, SLX_ENG_STQ, WAIT(TK_OUT));
    size_t rows = e_loop(e, REG(M), RI);
    e_at_row(e, OUT, RI, p[SLX_GATEUP_out_codes], ok * 32);
    e_mulc(e, TMP, SLICE, 32);
    e_alu(e, SLX_ALUFN_add, OUT, REG(OUT), REG(TMP));
    e_at_row(e, AC, RI, p[SLX_GATEUP_spm_q], 32);
    e_mov(e, REG(AC), true, 0, REG(OUT), IMM(32), IMM(1), NOTOK);
    e_at_row(e, OUT, RI, p[SLX_GATEUP_out_scales], ok);
    e_alu(e, SLX_ALUFN_add, OUT, REG(OUT), REG(SLICE));
    e_mov(e, regi(e, RI, (int64_t)p[SLX_GATEUP_spm_qs]), true, 0, REG(OUT), IMM(1), IMM(1), NOTOK);
    e_loop_end(e, rows);
    e_join(e, SLX_ENG_STQ, POST(TK_OFREE));
}

/* Block SLICE of M rows of the next operation's input, and its scale, to HBM; of all chips where they gather. */
static void put_block(em *e, const uint64_t *p, const mat *m)
{
    bool gather = m->chips > 1;
    uint64_t ok = p[SLX_GATEUP_out_kblk], part = gather ? m->chips : 1;
    uint64_t q = p[SLX_GATEUP_spm_q], qs = p[SLX_GATEUP_spm_qs];
    if (gather) {
        e_gat(e, IMM(p[SLX_GATEUP_spm_gq]), IMM(q), 32, REG(M), WAIT(TK_VNET));
        e_gat(e, IMM(p[SLX_GATEUP_spm_gqs]), IMM(qs), 1, REG(M), POST(TK_MET));
        q = p[SLX_GATEUP_spm_gq], qs = p[SLX_GATEUP_spm_gqs];
    }
    e_at_row(e, OUT, AT, p[SLX_GATEUP_out_codes], ok * 32);
    e_mulc(e, TMP, SLICE, 32 * part);
    e_alu(e, SLX_ALUFN_add, OUT, REG(OUT), REG(TMP));
    e_st(e, REG(OUT), IMM(q), IMM(32 * part), REG(M), 32 * part, ok * 32,
         WAIT(gather ? TK_MET : TK_OUT));
    e_at_row(e, OUT, AT, p[SLX_GATEUP_out_scales], ok);
    if (gather) {
        e_mulc(e, TMP, SLICE, part);
        e_alu(e, SLX_ALUFN_add, OUT, REG(OUT), REG(TMP));
    } else {
        e_alu(e, SLX_ALUFN_add, OUT, REG(OUT), REG(SLICE));
    }
    e_st(e, REG(OUT), IMM(qs), IMM(part), REG(M), part, ok, POST(TK_OFREE));
}

/* silu(gate) * up, quantised: 32 columns are one block of the next operation. */
void tmpl_gateup(em *e, const uint64_t *p)
{
    mat m = {.kblk = p[SLX_GATEUP_kblk],
             .log2g = p[SLX_GATEUP_log2g],
             .pieces = p[SLX_GATEUP_pieces],
             .ns = 32,
             .mr = p[SLX_GATEUP_mr],
             .spm_a = p[SLX_GATEUP_spm_a],
             .spm_as = p[SLX_GATEUP_spm_as],
             .ring = p[SLX_GATEUP_ring],
             .slot = p[SLX_GATEUP_slot],
             .slots = p[SLX_GATEUP_slots],
             .a_ld = p[SLX_GATEUP_kblk],
             .chips = p[SLX_GATEUP_chips],
             .push = p[SLX_GATEUP_push],
             .ready = p[SLX_GATEUP_ready],
             .whole = p[SLX_GATEUP_whole],
             .ways = p[SLX_GATEUP_ways],
             .grain = p[SLX_GATEUP_grain],
             .share = {.tiles = p[SLX_GATEUP_tiles],
                       .grid_x = p[SLX_GATEUP_grid_x],
                       .groups = p[SLX_GATEUP_groups],
                       .row_cap = p[SLX_GATEUP_row_cap]}};
    bool gather = m.chips > 1;
    if (m.push && gather) e->ok = false;
    const unsigned fmt[2] = {(unsigned)p[SLX_GATEUP_fmt_gate], (unsigned)p[SLX_GATEUP_fmt_up]};
    const uint64_t off[2] = {p[SLX_GATEUP_off_gate], p[SLX_GATEUP_off_up]};
    const uint64_t spm[2] = {p[SLX_GATEUP_spm_g], p[SLX_GATEUP_spm_u]};
    const unsigned addr[2] = {WA, WS};
    const uint64_t no_rot = 0;
    if (!mat_init(e, &m)) return;
    size_t rows = mat_row_tiles(e, &m, p[SLX_GATEUP_a_codes], p[SLX_GATEUP_a_scales], 1,
                            p + SLX_GATEUP_slices, &no_rot);
    const bool gelu = p[SLX_GATEUP_gelu];
    const int first = gelu; /* of gate, up */
    const uint64_t ready1 = p[SLX_GATEUP_ready1];
    if (gelu && m.push) e->ok = false;
    if (!m.ready != !ready1 || (ready1 && !mat_is_ready(ready1))) e->ok = false;
    if (ready1) e_join(e, SLX_ENG_TEN, WAIT((unsigned)ready1));
    size_t slices = mat_slices_of(e, &m, p[SLX_GATEUP_slices], 0);
    if (gelu) { /* the slice's biases */
        e_mulc(e, TMP, SLICE, 128);
        e_alu(e, SLX_ALUFN_add, TMP, REG(TMP), REG(R_W));
        e_addc(e, TMP, TMP, p[SLX_GATEUP_off_bias]);
        e_ld(e, IMM(p[SLX_GATEUP_spm_bias]), REG(TMP), IMM(128), IMM(1), 0, 0,
             WAITPOST(TK_BFREE, TK_IN));
    }
    for (int h = first; h < 2; h++) {
        mat_slice_addr(e, &m, addr[h], R_W, p[SLX_GATEUP_slices], mat_slice_bytes(e, &m, fmt[h], m.pieces), off[h]);
        mat_mul_slice(e, &m, fmt[h], addr[h], p[SLX_GATEUP_home + h]);
        e_aout(e, spm[h], pair_r(e, M, 32), 128, 0,
               tok(h == first ? TK_GFREE : 0, 0, h ? TK_TV : 0, 0));
    }
    uint32_t g = IMM(spm[first]), u = IMM(spm[1]);
    if (gelu) {
        put(e, SLX_OP_VBIN, SLX_BINFN_add, SLX_BCAST_row, 0, tok(TK_TV, TK_IN, TK_BFREE, 0), g, g,
            IMM(p[SLX_GATEUP_spm_bias]), pair_r(e, M, 32), 0, 0);
        put(e, SLX_OP_VUN, SLX_UNFN_gelu, 0, 0, NOTOK, g, g, pair_r(e, M, 32), 0, 0, 0);
    } else {
        put(e, SLX_OP_VUN, SLX_UNFN_silu, 0, 0, WAIT(TK_TV), g, g, pair_r(e, M, 32), 0, 0, 0);
        put(e, SLX_OP_VBIN, SLX_BINFN_mul, SLX_BCAST_full, 0, NOTOK, g, g, u, pair_r(e, M, 32), 0,
            0);
    }
    e_quant(e, 0, p[SLX_GATEUP_spm_q], p[SLX_GATEUP_spm_qs], g, 0, pair_r(e, M, 32), 0,
            tok(TK_OFREE, 0, gather ? TK_VNET : TK_OUT, TK_GFREE));
    if (m.push)
        push_block(e, p);
    else
        put_block(e, p, &m);
    e_loop_end(e, slices);
    if (ready1) e_join(e, SLX_ENG_TEN, POST((unsigned)ready1 + 1));
    mat_row_tiles_end(e, &m, rows);
}
