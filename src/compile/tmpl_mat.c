/* tmpl_mat.c - products: what linear, gate and up, and the output head share. Output rows in slices of ns; which slices
 * and rows are a tile's is in tmpl_share.c.
 *
 *   LOOP row tiles
 *     activations -> A                     whole; else for every slice, blocks of one piece at a time
 *     LOOP slices of each matrix
 *       weights, a piece a slot -> ring
 *       MM, AADD up the tree, AOUT, ST
 *
 * Where chips meet (meet): AOUT, RED or GAT, ST; two output buffers, so that one product is made while the one before
 * is under way between chips.
 * In a short step (push) A is there, MOVed by those who made it, and what comes out is MOVed on; weights with a place
 * of their own (ready) were loaded by PREFETCH.
 *
 * So a tile reads its activations once, and its weights once a row tile. Weights in ROM (slots 0) are not loaded: MM
 * names the address that the load would have.
 *
 * Piece p of the contraction is node p of the segment tree at depth log2(pieces): its MM has log2g - log2(pieces)
 * levels, AADD does the levels above, left + right. Cells: node p at p*mr*ns; MM uses the cells behind it as scratch,
 * which belong to nodes that come later.
 */
#include "compile/tmpl_mat.h"

bool mat_is_ready(uint64_t token)
{
    return token >= TK_QKVR && token <= TK_DOWNR && (token - TK_QKVR) % 2 == 0;
}

bool mat_init(em *e, mat *m)
{
    m->log2p = 0;
    m->rom = m->slots == 0;
    m->whole_a = m->push || m->whole || m->pieces == 1;
    m->share.mr = m->mr;
    while (m->log2p < 3 && (UINT64_C(1) << m->log2p) < m->pieces) m->log2p++;
    if (m->pieces != UINT64_C(1) << m->log2p || m->log2p > m->log2g || m->log2g > 3 || m->mr == 0 ||
        m->ns == 0 || m->ns > 4096 || m->kblk == 0 || m->kblk > 4095 || m->a_ld < m->kblk ||
        m->whole > 1 || m->ways > SLX_MAX_WAYS || (m->ways > 1 && (m->grain == 0 || m->grain % 64)) ||
        !e_share_ok(&m->share) || (m->share.groups && (!m->whole_a || m->push)) ||
        m->meet > 2 || (m->meet && (m->chips < 2 || m->y_step % 64)) || (m->ready && !mat_is_ready(m->ready))) {
        e->ok = false;
        return false;
    }
    return true;
}

uint32_t mat_cut(const mat *m, uint64_t p)
{
    return slx_tree_cut((uint32_t)m->kblk, (uint32_t)m->pieces, (uint32_t)p);
}

uint32_t mat_piece_blocks(const mat *m, uint64_t p)
{
    return mat_cut(m, p + 1) - mat_cut(m, p);
}

static uint64_t cells_at(const mat *m, uint64_t p)
{
    return p * m->mr * m->ns;
}

uint64_t mat_slice_bytes(em *e, const mat *m, unsigned fmt, uint64_t p)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < p; i++) {
        uint64_t n = slx_piece_bytes(fmt, (uint32_t)m->ns, mat_piece_blocks(m, i), (uint32_t)m->ways,
                                     (uint32_t)m->grain);
        if (n == 0) e->ok = false;
        sum += n;
    }
    return sum;
}

static uint64_t piece_bytes(em *e, const mat *m, unsigned fmt, uint64_t p)
{
    return mat_slice_bytes(e, m, fmt, p + 1) - mat_slice_bytes(e, m, fmt, p);
}

void mat_next_slot(em *e, const mat *m)
{
    e_addc(e, R_WBUF, R_WBUF, m->slot);
    e_alu(e, SLX_ALUFN_remu, R_WBUF, REG(R_WBUF), IMM(m->slot * m->slots));
    e_alu(e, SLX_ALUFN_min, R_WBUF, REG(R_WBUF), IMM(m->slot * (m->slots - 1)));
}

void mat_load(em *e, const mat *m, uint32_t dst, unsigned r_addr, uint64_t from, uint64_t bytes, uint32_t toks)
{
    if (m->ways < 2)
        e_ld(e, dst, regi(e, r_addr, (int64_t)from), IMM(bytes), IMM(1), 0, 0, toks);
    else
        e_ld(e, dst, regi(e, r_addr, (int64_t)(from * m->ways)), IMM(m->grain), IMM(bytes / m->grain),
             m->ways * m->grain, m->grain, toks);
}

/* Piece p of a SLICES slice whose first byte is at register r_addr -> the next slot. */
static void load_piece(em *e, const mat *m, unsigned fmt, unsigned r_addr, uint64_t p)
{
    if (m->rom) return;
    mat_next_slot(e, m);
    mat_load(e, m, regi(e, R_WBUF, (int64_t)m->ring), r_addr, mat_slice_bytes(e, m, fmt, p),
             piece_bytes(e, m, fmt, p), WAITPOST(TK_WFREE, TK_WREADY));
}

/* Blocks of piece p, or all, of M rows of A; AC and AS hold the addresses of the first row. */
static void load_a(em *e, const mat *m, uint64_t p)
{
    uint64_t kp = m->whole_a ? m->kblk : mat_piece_blocks(m, p), c = m->whole_a ? 0 : mat_cut(m, p);
    e_ld(e, IMM(m->spm_a), regi(e, AC, (int64_t)c * 32), IMM(kp * 32), REG(M), m->a_ld * 32,
         kp * 32, WAIT(TK_AFREE));
    e_ld(e, IMM(m->spm_as), regi(e, AS, (int64_t)c), IMM(kp), REG(M), m->a_ld, kp, POST(TK_AREADY));
}

void mat_mul_piece(em *e, const mat *m, unsigned fmt, unsigned r_addr, uint64_t p)
{
    uint64_t kp = mat_piece_blocks(m, p), c = m->whole_a ? mat_cut(m, p) : 0;
    uint32_t b = m->rom     ? regi(e, r_addr, (int64_t)mat_slice_bytes(e, m, fmt, p))
                 : m->ready ? regi(e, WM, (int64_t)mat_slice_bytes(e, m, fmt, p))
                            : regi(e, R_WBUF, (int64_t)m->ring);
    unsigned w[2] = {0, 0}, f[2] = {0, 0}, n = 0;
    if (!m->rom && !m->ready) w[n] = TK_WREADY, f[n++] = TK_WFREE;
    if (!m->whole_a) w[n] = TK_AREADY, f[n++] = TK_AFREE;
    e_mm(e, fmt, m->rom ? SLX_F_ROM : 0, (unsigned)m->log2g - m->log2p, cells_at(m, p),
         m->spm_a + c * 32, m->spm_as + c, b, pair_r(e, M, m->ns),
         pair_c(e, kp, m->whole_a ? m->kblk : kp), tok(w[0], w[1], f[0], f[1]));
}

void mat_add_pieces(em *e, const mat *m)
{
    if (m->pieces == 1) return;
    e_mulc(e, CELLS, M, m->ns);
    for (uint64_t step = 1; step < m->pieces; step *= 2)
        for (uint64_t i = 0; i < m->pieces; i += 2 * step)
            e_aadd(e, cells_at(m, i), cells_at(m, i), cells_at(m, i + step), REG(CELLS), NOTOK);
}

/* Bytes of an output row as it is stored. */
static uint64_t out_row(const mat *m)
{
    return 4 * m->ns * (m->meet == MEET_GATHER ? m->chips : 1);
}

void mat_first_y(em *e, const mat *m)
{
    if (m->meet) e_li(e, Y, m->spm_y);
}

uint32_t mat_make_rows(em *e, const mat *m, unsigned *ready, unsigned *free)
{
    uint64_t y_row = 4 * m->ns;
    *ready = m->meet ? TK_MET : TK_YREADY, *free = m->meet ? TK_ZFREE : TK_YFREE;
    if (m->meet == 0) {
        e_aout(e, m->spm_y, pair_r(e, M, m->ns), y_row, 0, WAITPOST(TK_YFREE, TK_YREADY));
        return IMM(m->spm_y);
    }
    e_alu(e, SLX_ALUFN_sub, Y, IMM(2 * m->spm_y + m->y_step), REG(Y));
    put(e, SLX_OP_AOUT, SLX_OUTFMT_fp32, 0, 0, WAITPOST(TK_ZFREE, TK_ZREADY), REG(Y), 0,
        pair_r(e, M, m->ns), IMM(y_row), 0, 0);
    if (m->meet == MEET_GATHER) {
        uint32_t all = regi(e, Y, (int64_t)(m->mr * y_row));
        e_gat(e, all, REG(Y), y_row, REG(M), WAITPOST(TK_ZREADY, TK_MET));
        return all;
    }
    e_mulc(e, CELLS, M, m->ns);
    e_red(e, REG(Y), REG(Y), REG(CELLS), WAITPOST(TK_ZREADY, TK_MET));
    return REG(Y);
}

void mat_put_rows(em *e, const mat *m, uint64_t out, uint64_t stride)
{
    unsigned ready, free;
    uint64_t row = out_row(m);
    uint32_t from = mat_make_rows(e, m, &ready, &free);
    e_at_row(e, OUT, AT, out, stride);
    e_mulc(e, TMP, SLICE, row);
    e_alu(e, SLX_ALUFN_add, OUT, REG(OUT), REG(TMP));
    e_st(e, REG(OUT), from, IMM(row), REG(M), row, stride, WAITPOST(ready, free));
}

void mat_mul_slice(em *e, const mat *m, unsigned fmt, unsigned r_addr, uint64_t home)
{
    if (m->ready) e_at_row(e, WM, SL, home, mat_slice_bytes(e, m, fmt, m->pieces));
    for (uint64_t i = 0; i < m->pieces; i++) {
        if (!m->ready) load_piece(e, m, fmt, r_addr, i);
        if (!m->whole_a) load_a(e, m, i);
        mat_mul_piece(e, m, fmt, r_addr, i);
    }
    mat_add_pieces(e, m);
}

size_t mat_row_tiles(em *e, const mat *m, uint64_t a_codes, uint64_t a_scales, int n,
                        const uint64_t *slices, const uint64_t *rot)
{
    if (m->push) { /* one tile of rows, A is there */
        e_alu(e, SLX_ALUFN_min, M, REG(R_ROWS), IMM(m->push));
        if (m->ready) e_join(e, SLX_ENG_TEN, WAIT((unsigned)m->ready));
        return 0;
    }
    bool shared = m->share.groups;
    unsigned count = shared ? AT : TILES;
    e_share_rows(e, &m->share, count);
    if (!shared) {
        e_li(e, AT, 0);
        for (int i = 0; i < n; i++) {
            if (slices[i] == 0) continue;
            e_share_slices(e, &m->share, FIRST, NSL, TMP, slices[i], rot[i], M);
            e_alu(e, SLX_ALUFN_add, AT, REG(AT), REG(NSL));
        }
        put(e, SLX_OP_ALU, SLX_ALUFN_sel, 0, 0, NOTOK, TILES, REG(TILES), IMM(0), REG(AT), 0, 0);
    }
    size_t rows = e_loop(e, REG(count), RI);
    e_share_row_tile(e, &m->share, RI, AT, M);
    if (shared) {
        e_share_load(e, &m->share, AT, M,
                     &(e_share_a){a_codes, a_scales, m->a_ld, m->kblk, m->spm_a, m->spm_as});
        return rows;
    }
    e_at_row(e, AC, AT, a_codes, m->a_ld * 32);
    e_at_row(e, AS, AT, a_scales, m->a_ld);
    if (m->whole_a) {
        load_a(e, m, 0);
        e_join(e, SLX_ENG_TEN, WAIT(TK_AREADY));
    }
    return rows;
}

void mat_row_tiles_end(em *e, const mat *m, size_t rows)
{
    if (m->push) {
        if (m->ready) e_join(e, SLX_ENG_TEN, POST((unsigned)m->ready + 1));
        return;
    }
    if (m->share.groups)
        e_share_done(e);
    else if (m->whole_a)
        e_join(e, SLX_ENG_TEN, POST(TK_AFREE));
    e_loop_end(e, rows);
}

size_t mat_slices_of(em *e, const mat *m, uint64_t slices, uint64_t rot)
{
    e_share_slices(e, &m->share, FIRST, NSL, TMP, slices, rot, M);
    size_t at = e_loop(e, REG(NSL), SL);
    e_share_slice(e, &m->share, SLICE, FIRST, NSL, SL, slices);
    return at;
}

void mat_slice_addr(em *e, const mat *m, unsigned rd, unsigned r_base, uint64_t slices, uint64_t bytes, uint64_t off)
{
    if (m->ways < 2) {
        e_mulc(e, rd, SLICE, bytes);
    } else { /* slx_slices_at */
        e_mulc(e, rd, SLICE, m->ways);
        e_alu(e, SLX_ALUFN_divu, TMP, REG(rd), IMM(slices));
        e_alu(e, SLX_ALUFN_remu, rd, REG(rd), IMM(slices));
        e_alu(e, SLX_ALUFN_divu, rd, REG(rd), IMM(m->ways));
        e_mulc(e, rd, rd, m->ways * bytes);
        e_mulc(e, TMP, TMP, 2);
        e_alu(e, SLX_ALUFN_sub, R_PAIR, IMM(2 * m->ways - 1), REG(TMP));
        e_alu(e, SLX_ALUFN_min, TMP, REG(TMP), REG(R_PAIR));
        e_mulc(e, TMP, TMP, m->grain);
        e_alu(e, SLX_ALUFN_add, rd, REG(rd), REG(TMP));
    }
    e_alu(e, SLX_ALUFN_add, rd, REG(rd), REG(r_base));
    e_addc(e, rd, rd, off);
}
