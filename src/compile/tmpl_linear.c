/* tmpl_linear.c - matrix phases: linear, gate and up with silu, output head. Output rows in slices of ns; which slices
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
#include "compile/tmpl_int.h"

/* TILES and WM are R_GROUP_TILES and R_HEIGHT where tiles share rows: then the count of row tiles is in AT when the
 * loop over them begins, and no weights have a place of their own. */
enum { FIRST = 11, NSL, TILES, SL, SLICE, WA, TMP, WS, WM = 20, RI, AT, M, AC, AS, OUT, CELLS, Y };
_Static_assert((int)Y < (int)R_FIRST_ROWS && (int)TILES == (int)R_GROUP_TILES && (int)WM == (int)R_HEIGHT,
               "registers");

/* slx_meet of plan.h, as templates know it. */
enum { MEET_GATHER = 2 };

/* What the three templates have in common. */
typedef struct {
    uint64_t kblk, log2g, pieces, ns, mr, spm_a, spm_as, ring, slot, slots, push, ready;
    uint64_t a_ld, meet, chips, spm_y, y_step; /* Y: the output buffer in use where chips meet */
    uint64_t whole;
    e_share share; /* its mr is set by mat_init */
    unsigned log2p;
    bool rom, whole_a; /* whole_a: all blocks of A's rows are in the scratchpad, not one piece */
} mat;

/* A token of prefetched weights; the one behind it says that their place is free. */
static bool is_ready(uint64_t token)
{
    return token >= TK_QKVR && token <= TK_DOWNR && (token - TK_QKVR) % 2 == 0;
}

static bool mat_init(em *e, mat *m)
{
    m->log2p = 0;
    m->rom = m->slots == 0;
    m->whole_a = m->push || m->whole || m->pieces == 1;
    m->share.mr = m->mr;
    while (m->log2p < 3 && (UINT64_C(1) << m->log2p) < m->pieces) m->log2p++;
    if (m->pieces != UINT64_C(1) << m->log2p || m->log2p > m->log2g || m->log2g > 3 || m->mr == 0 ||
        m->ns == 0 || m->ns > 4096 || m->kblk == 0 || m->kblk > 4095 || m->a_ld < m->kblk ||
        m->whole > 1 || !e_share_ok(&m->share) || (m->share.groups && (!m->whole_a || m->push)) ||
        m->meet > 2 || (m->meet && (m->chips < 2 || m->y_step % 64)) || (m->ready && !is_ready(m->ready))) {
        e->ok = false;
        return false;
    }
    return true;
}

static uint32_t cut(const mat *m, uint64_t p)
{
    return slx_tree_cut((uint32_t)m->kblk, (uint32_t)m->pieces, (uint32_t)p);
}
static uint32_t piece_blocks(const mat *m, uint64_t p)
{
    return cut(m, p + 1) - cut(m, p);
}
static uint64_t cells_at(const mat *m, uint64_t p)
{
    return p * m->mr * m->ns;
}

/* Bytes of a slice of SLICES layout up to piece p; p == pieces: all of it. 0 and not ok for a format without blocks. */
static uint64_t slice_bytes(em *e, const mat *m, unsigned fmt, uint64_t p)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < p; i++) {
        size_t off_s, off_m,
            n = slx_btile_bytes(fmt, (uint32_t)m->ns, piece_blocks(m, i), &off_s, &off_m);
        if (n == 0) e->ok = false;
        sum += n;
    }
    return sum;
}
static uint64_t piece_bytes(em *e, const mat *m, unsigned fmt, uint64_t p)
{
    return slice_bytes(e, m, fmt, p + 1) - slice_bytes(e, m, fmt, p);
}

/* The next slot; the min changes nothing, it tells the verifier. */
static void next_slot(em *e, const mat *m)
{
    e_addc(e, R_WBUF, R_WBUF, m->slot);
    e_alu(e, SLX_ALUFN_remu, R_WBUF, REG(R_WBUF), IMM(m->slot * m->slots));
    e_alu(e, SLX_ALUFN_min, R_WBUF, REG(R_WBUF), IMM(m->slot * (m->slots - 1)));
}

/* Piece p of a SLICES slice whose first byte is at register r_addr -> the next slot. */
static void load_piece(em *e, const mat *m, unsigned fmt, unsigned r_addr, uint64_t p)
{
    if (m->rom) return;
    next_slot(e, m);
    e_ld(e, regi(e, R_WBUF, (int64_t)m->ring), regi(e, r_addr, (int64_t)slice_bytes(e, m, fmt, p)),
         IMM(piece_bytes(e, m, fmt, p)), IMM(1), 0, 0, WAITPOST(TK_WFREE, TK_WREADY));
}

/* rd := base + row register * stride */
static void at_row(em *e, unsigned rd, unsigned row, uint64_t base, uint64_t stride)
{
    e_mulc(e, rd, row, stride);
    e_addc(e, rd, rd, base);
}

/* Blocks of piece p, or all, of M rows of A; AC and AS hold the addresses of the first row. */
static void load_a(em *e, const mat *m, uint64_t p)
{
    uint64_t kp = m->whole_a ? m->kblk : piece_blocks(m, p), c = m->whole_a ? 0 : cut(m, p);
    e_ld(e, IMM(m->spm_a), regi(e, AC, (int64_t)c * 32), IMM(kp * 32), REG(M), m->a_ld * 32,
         kp * 32, WAIT(TK_AFREE));
    e_ld(e, IMM(m->spm_as), regi(e, AS, (int64_t)c), IMM(kp), REG(M), m->a_ld, kp, POST(TK_AREADY));
}

/* The weights are in the ring's slot, in their own place at register WM (ready), or in ROM in the slice at register
 * r_addr. */
static void mul_piece(em *e, const mat *m, unsigned fmt, unsigned r_addr, uint64_t p)
{
    uint64_t kp = piece_blocks(m, p), c = m->whole_a ? cut(m, p) : 0;
    uint32_t b = m->rom     ? regi(e, r_addr, (int64_t)slice_bytes(e, m, fmt, p))
                 : m->ready ? regi(e, WM, (int64_t)slice_bytes(e, m, fmt, p))
                            : regi(e, R_WBUF, (int64_t)m->ring);
    unsigned w[2] = {0, 0}, f[2] = {0, 0}, n = 0;
    if (!m->rom && !m->ready) w[n] = TK_WREADY, f[n++] = TK_WFREE;
    if (!m->whole_a) w[n] = TK_AREADY, f[n++] = TK_AFREE;
    e_mm(e, fmt, m->rom ? SLX_F_ROM : 0, (unsigned)m->log2g - m->log2p, cells_at(m, p),
         m->spm_a + c * 32, m->spm_as + c, b, pair_r(e, M, m->ns),
         pair_c(e, kp, m->whole_a ? m->kblk : kp), tok(w[0], w[1], f[0], f[1]));
}

/* Upper levels of the tree. */
static void add_pieces(em *e, const mat *m)
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

static void first_y(em *e, const mat *m)
{
    if (m->meet) e_li(e, Y, m->spm_y);
}

/* M rows out of the accumulators, and through the other chips where they meet. Returns where they are then; STQ finds
 * them there by *ready, and gives the buffer back by *free. */
static uint32_t make_rows(em *e, const mat *m, unsigned *ready, unsigned *free)
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

/* M rows of slice SLICE to their columns of the rows from `out` on, `stride` apart. */
static void put_rows(em *e, const mat *m, uint64_t out, uint64_t stride)
{
    unsigned ready, free;
    uint64_t row = out_row(m);
    uint32_t from = make_rows(e, m, &ready, &free);
    at_row(e, OUT, AT, out, stride);
    e_mulc(e, TMP, SLICE, row);
    e_alu(e, SLX_ALUFN_add, OUT, REG(OUT), REG(TMP));
    e_st(e, REG(OUT), from, IMM(row), REG(M), row, stride, WAITPOST(ready, free));
}

/* One slice of a SLICES matrix times A -> cells 0 ..; r_addr: its first byte; home: the place of the tile's first
 * slice. */
static void mul_slice(em *e, const mat *m, unsigned fmt, unsigned r_addr, uint64_t home)
{
    if (m->ready) at_row(e, WM, SL, home, slice_bytes(e, m, fmt, m->pieces));
    for (uint64_t i = 0; i < m->pieces; i++) {
        if (!m->ready) load_piece(e, m, fmt, r_addr, i);
        if (!m->whole_a) load_a(e, m, i);
        mul_piece(e, m, fmt, r_addr, i);
    }
    add_pieces(e, m);
}

/* Row tile RI of the step: its rows AT .. AT+M-1, and A where it is held whole. A tile that has none of the slices of
 * slices[i] (rot[i]), n matrices, has no row tiles. */
static size_t row_tiles(em *e, const mat *m, uint64_t a_codes, uint64_t a_scales, int n,
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
    at_row(e, AC, AT, a_codes, m->a_ld * 32);
    at_row(e, AS, AT, a_scales, m->a_ld);
    if (m->whole_a) {
        load_a(e, m, 0);
        e_join(e, SLX_ENG_TEN, WAIT(TK_AREADY));
    }
    return rows;
}

static void row_tiles_end(em *e, const mat *m, size_t rows)
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

/* LOOP over this tile's slices: SL counts, SLICE is the number among all. */
static size_t slices_of(em *e, const mat *m, uint64_t slices, uint64_t rot)
{
    e_share_slices(e, &m->share, FIRST, NSL, TMP, slices, rot, M);
    size_t at = e_loop(e, REG(NSL), SL);
    e_share_slice(e, &m->share, SLICE, FIRST, SL, slices);
    return at;
}

/* rd := slice register * bytes + r9 + off */
static void slice_addr(em *e, unsigned rd, uint64_t bytes, uint64_t off)
{
    e_mulc(e, rd, SLICE, bytes);
    e_alu(e, SLX_ALUFN_add, rd, REG(rd), REG(R_W));
    e_addc(e, rd, rd, off);
}

/* M rows of slice SLICE out of the accumulators: row k to the tile that has row k of the step, at `out` and the slice's
 * columns. Row k is on tile ceil((k + 1) T / M) - 1; the min changes nothing, it tells the verifier. */
static void push_out(em *e, const mat *m, uint64_t out, uint64_t tiles)
{
    unsigned ready, free;
    uint64_t y_row = 4 * m->ns;
    make_rows(e, m, &ready, &free);
    at_row(e, OUT, SLICE, out, y_row);
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
        at_row(e, AS, RI, m->spm_y, y_row);
    }
    e_mov(e, REG(AS), false, REG(AC), REG(OUT), IMM(y_row), IMM(1), NOTOK);
    e_loop_end(e, rows);
    e_join(e, SLX_ENG_STQ, POST(free));
}

/* Block SLICE of every row of the next operation's input, and its scale, to all tiles. */
static void push_block(em *e, const uint64_t *p)
{
    uint64_t ok = p[SLX_GATEUP_out_kblk];
    e_join(e, SLX_ENG_STQ, WAIT(TK_OUT));
    size_t rows = e_loop(e, REG(M), RI);
    at_row(e, OUT, RI, p[SLX_GATEUP_out_codes], ok * 32);
    e_mulc(e, TMP, SLICE, 32);
    e_alu(e, SLX_ALUFN_add, OUT, REG(OUT), REG(TMP));
    at_row(e, AC, RI, p[SLX_GATEUP_spm_q], 32);
    e_mov(e, REG(AC), true, 0, REG(OUT), IMM(32), IMM(1), NOTOK);
    at_row(e, OUT, RI, p[SLX_GATEUP_out_scales], ok);
    e_alu(e, SLX_ALUFN_add, OUT, REG(OUT), REG(SLICE));
    e_mov(e, regi(e, RI, (int64_t)p[SLX_GATEUP_spm_qs]), true, 0, REG(OUT), IMM(1), IMM(1), NOTOK);
    e_loop_end(e, rows);
    e_join(e, SLX_ENG_STQ, POST(TK_OFREE));
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
             .share = {.tiles = p[SLX_LINEAR_tiles],
                       .groups = p[SLX_LINEAR_groups],
                       .row_cap = p[SLX_LINEAR_row_cap]}};
    if (m.push && m.meet == MEET_GATHER) e->ok = false; /* gathered rows are pushed nowhere */
    if (!mat_init(e, &m)) return;
    first_y(e, &m);
    size_t rows =
        row_tiles(e, &m, p[SLX_LINEAR_a_codes], p[SLX_LINEAR_a_scales], SLX_LINEAR_PARTS,
                  p + SLX_LINEAR_slices, p + SLX_LINEAR_rot);
    for (int k = 0; k < SLX_LINEAR_PARTS; k++) {
        unsigned fmt = (unsigned)p[SLX_LINEAR_fmt + k];
        if (p[SLX_LINEAR_slices + k] == 0) continue;
        size_t slices =
            slices_of(e, &m, p[SLX_LINEAR_slices + k], p[SLX_LINEAR_rot + k]);
        slice_addr(e, WA, slice_bytes(e, &m, fmt, m.pieces), p[SLX_LINEAR_off_w + k]);
        mul_slice(e, &m, fmt, WA, p[SLX_LINEAR_home + k]);
        if (m.push)
            push_out(e, &m, p[SLX_LINEAR_out + k], p[SLX_LINEAR_tiles]);
        else
            put_rows(e, &m, p[SLX_LINEAR_out + k], p[SLX_LINEAR_out_stride]);
        e_loop_end(e, slices);
    }
    row_tiles_end(e, &m, rows);
}

/* A load of more bytes is cut: long ones would fill the memory's queues for long. */
enum { CHUNK = 38912 };

/* Equal parts in whole units of 64 bytes; one where there are none of a good size. */
static uint64_t chunks_of(uint64_t bytes)
{
    uint64_t least = (bytes + CHUNK - 1) / CHUNK;
    for (uint64_t n = least; n < 2 * least; n++)
        if (bytes % (64 * n) == 0) return n;
    return 1;
}

void tmpl_prefetch(em *e, const uint64_t *p)
{
    enum { BASE = RI, LIVE = AT };
    mat m = {.kblk = p[SLX_PREFETCH_kblk],
             .pieces = p[SLX_PREFETCH_pieces],
             .log2g = 3,
             .a_ld = p[SLX_PREFETCH_kblk],
             .ns = p[SLX_PREFETCH_ns],
             .mr = 1,
             .slots = 1,
             .ready = p[SLX_PREFETCH_ready]};
    if (!mat_init(e, &m) || !m.ready || p[SLX_PREFETCH_n_layers] == 0) {
        e->ok = false;
        return;
    }
    if (p[SLX_PREFETCH_next]) { /* behind the last layer the address is the last layer's, and nothing is loaded */
        e_addc(e, BASE, R_LAYER, 1);
        e_alu(e, SLX_ALUFN_ltu, LIVE, REG(BASE), IMM(p[SLX_PREFETCH_n_layers]));
        e_alu(e, SLX_ALUFN_min, BASE, REG(BASE), IMM(p[SLX_PREFETCH_n_layers] - 1));
        at_row(e, BASE, BASE, p[SLX_PREFETCH_weights], p[SLX_PREFETCH_layer_stride]);
    }
    e_join(e, SLX_ENG_LDQ, WAIT((unsigned)m.ready + 1));
    for (int k = 0; k < SLX_LINEAR_PARTS; k++) {
        if (p[SLX_PREFETCH_slices + k] == 0) continue;
        uint64_t bytes = slice_bytes(e, &m, (unsigned)p[SLX_PREFETCH_fmt + k], m.pieces),
                 chunks = chunks_of(bytes);
        e_slices(e, FIRST, NSL, TMP, p[SLX_PREFETCH_slices + k], p[SLX_PREFETCH_tiles],
                 p[SLX_PREFETCH_rot + k]);
        if (p[SLX_PREFETCH_next]) e_alu(e, SLX_ALUFN_mul, NSL, REG(NSL), REG(LIVE));
        /* AS: first chunk of this tile, so that all chunks of a slice are asked for at any time, and all
         * channels of the memory with them */
        e_mulc(e, AS, SLX_R_TILE, chunks);
        e_alu(e, SLX_ALUFN_divu, AS, REG(AS), IMM(p[SLX_PREFETCH_tiles]));
        size_t slices = e_loop(e, REG(NSL), SL);
        e_alu(e, SLX_ALUFN_add, SLICE, REG(FIRST), REG(SL));
        e_mulc(e, WA, SLICE, bytes);
        e_alu(e, SLX_ALUFN_add, WA, REG(WA),
              REG(p[SLX_PREFETCH_next] ? (unsigned)BASE : (unsigned)R_W));
        e_addc(e, WA, WA, p[SLX_PREFETCH_off_w + k]);
        at_row(e, WM, SL, p[SLX_PREFETCH_home + k], bytes);
        for (uint64_t n = 0; n < chunks; n++) { /* the tiles' turns begin with different chunks */
            e_addc(e, CELLS, AS, n);
            e_alu(e, SLX_ALUFN_remu, CELLS, REG(CELLS), IMM(chunks));
            e_mulc(e, CELLS, CELLS, bytes / chunks);
            e_alu(e, SLX_ALUFN_add, AC, REG(WA), REG(CELLS));
            e_alu(e, SLX_ALUFN_add, OUT, REG(WM), REG(CELLS));
            e_ld(e, REG(OUT), REG(AC), IMM(bytes / chunks), IMM(1), 0, 0,
                 WAITPOST(TK_PACE, TK_PACE));
        }
        e_loop_end(e, slices);
    }
    e_join(e, SLX_ENG_LDQ, POST((unsigned)m.ready));
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
    at_row(e, OUT, AT, p[SLX_GATEUP_out_codes], ok * 32);
    e_mulc(e, TMP, SLICE, 32 * part);
    e_alu(e, SLX_ALUFN_add, OUT, REG(OUT), REG(TMP));
    e_st(e, REG(OUT), IMM(q), IMM(32 * part), REG(M), 32 * part, ok * 32,
         WAIT(gather ? TK_MET : TK_OUT));
    at_row(e, OUT, AT, p[SLX_GATEUP_out_scales], ok);
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
             .share = {.tiles = p[SLX_GATEUP_tiles],
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
    size_t rows = row_tiles(e, &m, p[SLX_GATEUP_a_codes], p[SLX_GATEUP_a_scales], 1,
                            p + SLX_GATEUP_slices, &no_rot);
    const bool gelu = p[SLX_GATEUP_gelu];
    const int first = gelu; /* of gate, up */
    const uint64_t ready1 = p[SLX_GATEUP_ready1];
    if (gelu && m.push) e->ok = false;
    if (!m.ready != !ready1 || (ready1 && !is_ready(ready1))) e->ok = false;
    if (ready1) e_join(e, SLX_ENG_TEN, WAIT((unsigned)ready1));
    size_t slices = slices_of(e, &m, p[SLX_GATEUP_slices], 0);
    if (gelu) { /* the slice's biases */
        e_mulc(e, TMP, SLICE, 128);
        e_alu(e, SLX_ALUFN_add, TMP, REG(TMP), REG(R_W));
        e_addc(e, TMP, TMP, p[SLX_GATEUP_off_bias]);
        e_ld(e, IMM(p[SLX_GATEUP_spm_bias]), REG(TMP), IMM(128), IMM(1), 0, 0,
             WAITPOST(TK_BFREE, TK_IN));
    }
    for (int h = first; h < 2; h++) {
        slice_addr(e, addr[h], slice_bytes(e, &m, fmt[h], m.pieces), off[h]);
        mul_slice(e, &m, fmt[h], addr[h], p[SLX_GATEUP_home + h]);
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
    row_tiles_end(e, &m, rows);
}

/* Rows of a PLANES matrix: blocks of piece p of ns rows, plane by plane, as a B tile in the next slot. */
static void load_planes(em *e, const mat *m, unsigned fmt, uint64_t p)
{
    uint64_t kp = piece_blocks(m, p), c = cut(m, p), cb = slx_fmt_code_bytes(fmt),
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
    next_slot(e, m);
    for (int i = 0; i < n; i++)
        e_ld(e, regi(e, R_WBUF, (int64_t)(m->ring + plane[i].at)),
             regi(e, plane[i].r, (int64_t)(c * plane[i].unit)), IMM(kp * plane[i].unit), IMM(m->ns),
             m->kblk * plane[i].unit, kp * plane[i].unit,
             tok(i == 0 ? TK_WFREE : 0, 0, i == n - 1 ? TK_WREADY : 0, 0));
}

/* rd := slice * bytes + addr */
static void slice_at(em *e, unsigned rd, unsigned slice, uint64_t bytes, uint64_t addr)
{
    e_mulc(e, rd, slice, bytes);
    e_addc(e, rd, rd, addr);
}

/* Blocks of piece i of the rows whose numbers stand at spm_idx. */
static void load_sampled(em *e, const mat *m, const uint64_t *p, uint64_t i)
{
    uint64_t kp = piece_blocks(m, i), c = cut(m, i);
    e_ldx(e, IMM(m->spm_a), addr_c(e, p[SLX_LMHEAD_a_codes] + c * 32), IMM(p[SLX_LMHEAD_spm_idx]),
          REG(M), kp * 32, m->kblk * 32, WAIT(TK_AFREE));
    e_ldx(e, IMM(m->spm_as), addr_c(e, p[SLX_LMHEAD_a_scales] + c), IMM(p[SLX_LMHEAD_spm_idx]),
          REG(M), kp, m->kblk, POST(TK_AREADY));
}

/* Row tiles of samples; the loop is left open. */
static size_t sampled_tiles(em *e, const mat *m, const uint64_t *p)
{
    e_tiles(e, TILES, R_SAMPLES, m->mr);
    e_slices(e, FIRST, NSL, TMP, p[SLX_LMHEAD_slices], p[SLX_LMHEAD_tiles], 0);
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
    e_slices(e, FIRST, NSL, TMP, p[SLX_LMHEAD_slices], p[SLX_LMHEAD_tiles], 0);
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
    first_y(e, &m);
    uint64_t cb = m.kblk * slx_fmt_code_bytes(fmt), sb = m.kblk * slx_fmt_scale_bytes(fmt);
    size_t rows = m.push ? sampled_pushed(e, &m, p) : sampled_tiles(e, &m, p);
    size_t slices = e_loop(e, REG(NSL), SL);
    e_alu(e, SLX_ALUFN_add, SLICE, REG(FIRST), REG(SL));
    if (m.rom) {
        slice_at(e, WA, SLICE, slice_bytes(e, &m, fmt, m.pieces), p[SLX_LMHEAD_w]);
    } else {
        unsigned s = SLICE;
        if (p[SLX_LMHEAD_turns]) {
            e_mulc(e, TMP, SLICE, m.chips);
            e_alu(e, SLX_ALUFN_add, TMP, REG(TMP), REG(SLX_R_RANK));
            s = TMP;
        }
        slice_at(e, WA, s, m.ns * cb, p[SLX_LMHEAD_w]);
        slice_at(e, WS, s, m.ns * sb, p[SLX_LMHEAD_w] + p[SLX_LMHEAD_off_scale]);
        if (p[SLX_LMHEAD_off_m])
            slice_at(e, WM, s, m.ns * sb, p[SLX_LMHEAD_w] + p[SLX_LMHEAD_off_m]);
    }
    for (uint64_t i = 0; i < m.pieces; i++) {
        if (!m.rom) load_planes(e, &m, fmt, i);
        if (!m.whole_a) load_sampled(e, &m, p, i);
        mul_piece(e, &m, fmt, WA, i);
    }
    add_pieces(e, &m);
    put_rows(e, &m, p[SLX_LMHEAD_logits], p[SLX_LMHEAD_logits_stride]);
    e_loop_end(e, slices);
    row_tiles_end(e, &m, rows);
}
