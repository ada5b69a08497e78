/* tmpl_rows.c - phases that work on whole rows of this tile: embed, rows (residual, norm, quantise), rowq.
 *
 * In a short step (push) a tile has one row or none, and codes go to all tiles. Else:
 * one row tile at a time, LDQ -> VEC -> STQ; TK_ROUND lets LDQ begin the next when all of it is stored. Row r of x and
 * y lies at r * row_bytes(d); codes [row][kblk][32] and scales [row][kblk] are tight.
 */
#include "compile/tmpl_int.h"

enum {
    N = 11,
    I,
    AT,
    M,
    T0,
    T1,
    T2,
    X
}; /* N row tiles, I index, AT first row (absolute), M rows of the tile */

/* The norm's weight; in a short step, where most tiles have no row, only for those that have one. */
static void load_norm(em *e, uint64_t spm, uint32_t addr, uint64_t bytes, bool mine, uint32_t toks)
{
    if (mine) e_alu(e, SLX_ALUFN_min, N, REG(R_MYROWS), IMM(1));
    e_ld(e, IMM(spm), addr, IMM(bytes), mine ? REG(N) : IMM(1), 0, 0, toks);
}

/* Holds BAR back until what was loaded for all rows is there, which posted TK_CAST: a tile without rows uses none, and
 * behind BAR it could land on what other tiles cast to this one in the next phase. */
static void rows_loaded(em *e)
{
    e_join(e, SLX_ENG_STQ, WAIT(TK_CAST));
}

static size_t row_loop(em *e, uint64_t mr)
{
    e_tiles(e, N, R_MYROWS, mr);
    size_t at = e_loop(e, REG(N), I);
    e_row_tile(e, I, R_MYROWS, mr, AT, M);
    e_alu(e, SLX_ALUFN_add, AT, REG(AT), REG(R_ROW0));
    return at;
}

/* rd := base + AT * stride */
static void row_addr(em *e, unsigned rd, uint64_t base, uint64_t stride)
{
    e_mulc(e, rd, AT, stride);
    e_addc(e, rd, rd, base);
}

/* Codes and scales of M rows to HBM. */
static void store_codes(em *e, uint64_t codes, uint64_t scales, uint64_t kblk, uint64_t spm_q,
                        uint64_t spm_qs, uint32_t first, uint32_t last)
{
    row_addr(e, T0, codes, kblk * 32);
    e_st(e, REG(T0), IMM(spm_q), IMM(kblk * 32), REG(M), kblk * 32, kblk * 32, first);
    row_addr(e, T0, scales, kblk);
    e_st(e, REG(T0), IMM(spm_qs), IMM(kblk), REG(M), kblk, kblk, last);
}

/* Codes and scales of this tile's row, AT, to all tiles. */
static void push_codes(em *e, uint64_t codes, uint64_t scales, uint64_t kblk, uint64_t spm_q,
                       uint64_t spm_qs, uint32_t first)
{
    row_addr(e, T0, codes, kblk * 32);
    e_mov(e, IMM(spm_q), true, 0, REG(T0), IMM(kblk * 32), REG(M), first);
    row_addr(e, T0, scales, kblk);
    e_mov(e, IMM(spm_qs), true, 0, REG(T0), IMM(kblk), REG(M), NOTOK);
}

void tmpl_normld(em *e, const uint64_t *p)
{
    e_addc(e, X, R_W, p[SLX_NORMLD_off_norm]);
    load_norm(e, p[SLX_NORMLD_spm_w], REG(X), 4 * p[SLX_NORMLD_d], true,
              WAITPOST(TK_NFREE, TK_NREADY));
}

void tmpl_embed(em *e, const uint64_t *p)
{
    unsigned fmt = (unsigned)p[SLX_EMBED_emb_fmt];
    uint64_t kblk = p[SLX_EMBED_kblk], d = p[SLX_EMBED_d];
    uint64_t cb = kblk * slx_fmt_code_bytes(fmt), sb = kblk * slx_fmt_scale_bytes(fmt);
    bool has_m = fmt == SLX_FMT_q4sm, layer = p[SLX_EMBED_layer];
    if (cb == 0 || p[SLX_EMBED_rows_cap] == 0 || (layer && d % 16)) {
        e->ok = false;
        return;
    }
    uint64_t push = p[SLX_EMBED_push];
    if (push && layer) e->ok = false;
    size_t loop = 0;
    e_li(e, X, p[SLX_EMBED_norm_w]);
    load_norm(e, p[SLX_EMBED_spm_w], REG(X), norm_bytes(layer, d), push != 0, push ? NOTOK : POST(TK_CAST));
    if (push)
        e_own_row(e, push, AT, M);
    else
        loop = row_loop(e, p[SLX_EMBED_mr]);
    e_alu(e, SLX_ALUFN_shl, T0, REG(AT), IMM(2));
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(SLX_R_DESC));
    e_alu(e, SLX_ALUFN_shl, T1, REG(M), IMM(2));
    e_ld(e, IMM(p[SLX_EMBED_spm_idx]), regi(e, T0, (int64_t)p[SLX_EMBED_off_token]), REG(T1),
         IMM(1), 0, 0, push ? NOTOK : WAIT(TK_ROUND));
    if (layer) {
        e_ld(e, IMM(p[SLX_EMBED_spm_pidx]), regi(e, T0, (int64_t)p[SLX_EMBED_off_position]),
             REG(T1), IMM(1), 0, 0, NOTOK);
        e_ldx(e, IMM(p[SLX_EMBED_spm_pos]), addr_c(e, p[SLX_EMBED_pos]), IMM(p[SLX_EMBED_spm_pidx]),
              REG(M), 4 * d, 4 * d, NOTOK);
    }
    e_ldx(e, IMM(p[SLX_EMBED_spm_codes]), addr_c(e, p[SLX_EMBED_emb_codes]),
          IMM(p[SLX_EMBED_spm_idx]), REG(M), cb, cb, NOTOK);
    e_ldx(e, IMM(p[SLX_EMBED_spm_scales]), addr_c(e, p[SLX_EMBED_emb_scales]),
          IMM(p[SLX_EMBED_spm_idx]), REG(M), sb, sb, has_m ? NOTOK : POST(TK_IN));
    if (has_m) { /* the m plane begins at the next 64 bytes after d [M][kblk] */
        e_mulc(e, T2, M, sb);
        e_addc(e, T2, T2, 63);
        e_alu(e, SLX_ALUFN_and, T2, REG(T2), IMM(0x7fffffc0));
        e_ldx(e, regi(e, T2, (int64_t)p[SLX_EMBED_spm_scales]), addr_c(e, p[SLX_EMBED_emb_m]),
              IMM(p[SLX_EMBED_spm_idx]), REG(M), sb, sb, POST(TK_IN));
    }
    put(e, SLX_OP_VCVT, SLX_FMT_f32, fmt, 0, WAIT(TK_IN), IMM(p[SLX_EMBED_spm_x]), 0,
        IMM(p[SLX_EMBED_spm_codes]), IMM(p[SLX_EMBED_spm_scales]), pair_r(e, M, d), 0);
    if (layer)
        put(e, SLX_OP_VBIN, SLX_BINFN_add, SLX_BCAST_full, 0, NOTOK, IMM(p[SLX_EMBED_spm_x]),
            IMM(p[SLX_EMBED_spm_x]), IMM(p[SLX_EMBED_spm_pos]), pair_r(e, M, d), 0, 0);
    e_norm(e, layer, p[SLX_EMBED_spm_n], p[SLX_EMBED_spm_x], p[SLX_EMBED_spm_w], d,
           (uint32_t)p[SLX_EMBED_eps], pair_r(e, M, d), NOTOK);
    e_quant(e, 0, p[SLX_EMBED_spm_q], p[SLX_EMBED_spm_qs], IMM(p[SLX_EMBED_spm_n]), 0,
            pair_r(e, M, d), 0, POST(TK_OUT));
    if (push) {
        push_codes(e, p[SLX_EMBED_a_codes], p[SLX_EMBED_a_scales], kblk, p[SLX_EMBED_spm_q],
                   p[SLX_EMBED_spm_qs], WAIT(TK_OUT));
        return;
    }
    row_addr(e, T0, p[SLX_EMBED_x], row_bytes(d));
    e_st(e, REG(T0), IMM(p[SLX_EMBED_spm_x]), IMM(4 * d), REG(M), row_bytes(d), row_bytes(d),
         WAIT(TK_OUT));
    store_codes(e, p[SLX_EMBED_a_codes], p[SLX_EMBED_a_scales], kblk, p[SLX_EMBED_spm_q],
                p[SLX_EMBED_spm_qs], NOTOK, POST(TK_ROUND));
    e_loop_end(e, loop);
    rows_loaded(e);
}

/* x += y, norm, quantise M rows. */
static void residual(em *e, const uint64_t *p, uint32_t add, uint32_t norm)
{
    uint64_t d = p[SLX_ROWS_d];
    bool layer = p[SLX_ROWS_layer];
    if (layer)
        put(e, SLX_OP_VBIN, SLX_BINFN_add, SLX_BCAST_row, 0, add, IMM(p[SLX_ROWS_spm_y]),
            IMM(p[SLX_ROWS_spm_y]), IMM(p[SLX_ROWS_spm_bias]), pair_r(e, M, d), 0, 0);
    put(e, SLX_OP_VBIN, SLX_BINFN_add, SLX_BCAST_full, 0, layer ? NOTOK : add,
        IMM(p[SLX_ROWS_spm_x]), IMM(p[SLX_ROWS_spm_x]), IMM(p[SLX_ROWS_spm_y]), pair_r(e, M, d), 0,
        0);
    e_norm(e, layer, p[SLX_ROWS_spm_y], p[SLX_ROWS_spm_x], p[SLX_ROWS_spm_w], d,
           (uint32_t)p[SLX_ROWS_eps], pair_r(e, M, d), norm);
    e_quant(e, 0, p[SLX_ROWS_spm_q], p[SLX_ROWS_spm_qs], IMM(p[SLX_ROWS_spm_y]), 0, pair_r(e, M, d),
            0, POST(TK_OUT));
}

void tmpl_rows(em *e, const uint64_t *p)
{
    uint64_t d = p[SLX_ROWS_d], kblk = (d + 31) / 32, xs = row_bytes(d);
    bool layer = p[SLX_ROWS_layer];
    if (p[SLX_ROWS_rows_cap] == 0 || (layer && p[SLX_ROWS_push])) {
        e->ok = false;
        return;
    }
    if (p[SLX_ROWS_push]) { /* x and y are there, the weight comes by NORMLD */
        e_own_row(e, p[SLX_ROWS_push], AT, M);
        residual(e, p, NOTOK, WAITPOST(TK_NREADY, TK_NFREE));
        push_codes(e, p[SLX_ROWS_a_codes], p[SLX_ROWS_a_scales], kblk, p[SLX_ROWS_spm_q],
                   p[SLX_ROWS_spm_qs], WAIT(TK_OUT));
        return;
    }
    e_addc(e, X, R_W, p[SLX_ROWS_off_norm]);
    load_norm(e, p[SLX_ROWS_spm_w], REG(X), norm_bytes(layer, d), false, layer ? NOTOK : POST(TK_CAST));
    if (layer) {
        e_addc(e, X, R_W, p[SLX_ROWS_off_bias]);
        e_ld(e, IMM(p[SLX_ROWS_spm_bias]), REG(X), IMM(4 * d), IMM(1), 0, 0, POST(TK_CAST));
    }
    size_t loop = row_loop(e, p[SLX_ROWS_mr]);
    row_addr(e, X, p[SLX_ROWS_x], xs);
    e_ld(e, IMM(p[SLX_ROWS_spm_x]), REG(X), IMM(4 * d), REG(M), xs, xs, WAIT(TK_ROUND));
    row_addr(e, T0, p[SLX_ROWS_y], p[SLX_ROWS_y_stride]);
    e_ld(e, IMM(p[SLX_ROWS_spm_y]), REG(T0), IMM(4 * d), REG(M), p[SLX_ROWS_y_stride], xs,
         POST(TK_IN));
    residual(e, p, WAIT(TK_IN), NOTOK);
    e_st(e, REG(X), IMM(p[SLX_ROWS_spm_x]), IMM(4 * d), REG(M), xs, xs, WAIT(TK_OUT));
    store_codes(e, p[SLX_ROWS_a_codes], p[SLX_ROWS_a_scales], kblk, p[SLX_ROWS_spm_q],
                p[SLX_ROWS_spm_qs], NOTOK, POST(TK_ROUND));
    e_loop_end(e, loop);
    rows_loaded(e);
}

void tmpl_rowq(em *e, const uint64_t *p)
{
    uint64_t cols = p[SLX_ROWQ_cols], kblk = (cols + 31) / 32;
    if (p[SLX_ROWQ_rows_cap] == 0) {
        e->ok = false;
        return;
    }
    size_t loop = row_loop(e, p[SLX_ROWQ_mr]);
    row_addr(e, T0, p[SLX_ROWQ_src], p[SLX_ROWQ_src_stride]);
    e_ld(e, IMM(p[SLX_ROWQ_spm_x]), REG(T0), IMM(4 * cols), REG(M), p[SLX_ROWQ_src_stride],
         row_bytes(cols), WAITPOST(TK_ROUND, TK_IN));
    e_quant(e, 0, p[SLX_ROWQ_spm_q], p[SLX_ROWQ_spm_qs], IMM(p[SLX_ROWQ_spm_x]), 0,
            pair_r(e, M, cols), 0, WAITPOST(TK_IN, TK_OUT));
    store_codes(e, p[SLX_ROWQ_a_codes], p[SLX_ROWQ_a_scales], kblk, p[SLX_ROWQ_spm_q],
                p[SLX_ROWQ_spm_qs], WAIT(TK_OUT), POST(TK_ROUND));
    e_loop_end(e, loop);
}
