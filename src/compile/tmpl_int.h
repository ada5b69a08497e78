/* tmpl_int.h - what the schedule templates share: the token ids, the register names and one emitter a mnemonic.
 *
 * Tokens: one posting and one waiting engine an id for the whole program; a LOOP body leaves every counter as it was.
 *   id          poster -> waiter   credit   purpose
 *   TK_BAR      STQ -> LDQ         0        the phase before is over on every tile
 *   TK_WFREE    TEN -> LDQ         slots    a slot of the ring of weights is free
 *   TK_WREADY   LDQ -> TEN         0        ... is full
 *   TK_AFREE    TEN -> LDQ         1        the activation buffer (or the only page buffer) is free
 *   TK_AREADY   LDQ -> TEN         0        ... is full
 *   TK_PFREE    TEN -> LDQ         2        a page buffer is free
 *   TK_PREADY   LDQ -> TEN         0        ... is full
 *   TK_SFREE    TEN -> LDQ         buffers  ... of a short step
 *   TK_SREADY   LDQ -> TEN         0        ... is full
 *   TK_YFREE    STQ -> TEN         1        the output buffer is free
 *   TK_YREADY   TEN -> STQ         0        ... is full
 *   TK_IN       LDQ -> VEC         0        inputs of a row tile are in the scratchpad
 *   TK_OUT      VEC -> STQ         0        results of a row tile are in the scratchpad
 *   TK_ROUND    STQ -> LDQ         1        a row tile is stored, so all its buffers are free
 *   TK_OFREE    STQ -> VEC         1        the result buffer alone is free
 *   TK_TV       TEN -> VEC         0        an AOUT is there
 *   TK_VT       VEC -> TEN         0        probabilities are there
 *   TK_GFREE    VEC -> TEN         1        gate and up buffers are free
 *   TK_BFREE    VEC -> LDQ         1        the biases of a slice have been added
 *   TK_BART     STQ -> TEN         0        the phase before is over on every tile: for TEN
 *   TK_BARV     STQ -> VEC         0        ... for VEC
 *   TK_NFREE    VEC -> LDQ         2        a norm's weight has been used (short steps: two places)
 *   TK_NREADY   LDQ -> VEC         0        ... is there
 *   TK_QKVR ..  LDQ -> TEN         0        prefetched weights of q k v, o, gate, up, down are there
 *   TK_QKVF ..  TEN -> LDQ         1        ... have been used
 *   TK_PACE     LDQ -> LDQ         2        so many loads of prefetched weights are under way: what LDQ and STQ do between them finds
 *                                           no long queue at the memory
 *   TK_ITEM     LDQ -> CTL         0        a table for LDS is there
 *   TK_SEEN     CTL -> LDQ         1        LDS has read it
 *   TK_ZFREE    STQ -> TEN         2        an output buffer of a product that meets other chips is free (several chips)
 *   TK_ZREADY   TEN -> NET         0        ... is full
 *   TK_VNET     VEC -> NET         0        results that meet other chips are in the scratchpad
 *   TK_MET      NET -> STQ         0        all chips have met
 *   TK_CAST     LDQ -> STQ         0        this tile's part of a row tile is with all tiles of its group
 *                                           or the norm's weight is there, whether the tile has rows or not
 *   TK_TFREE    STQ -> VEC         1        a group's state of an attention item has been stored: two take turns
 *   TK_MFREE    VEC -> LDQ         buffers  a buffer for a stored state is free
 *   TK_MREADY   LDQ -> VEC         0        ... is full
 */
#ifndef SLX_TMPL_INT_H
#define SLX_TMPL_INT_H

#include "compile/template.h"

enum {
    TK_BAR = 1, TK_WFREE, TK_WREADY, TK_AFREE, TK_AREADY, TK_PFREE, TK_PREADY, TK_YFREE, TK_YREADY, TK_IN, TK_OUT,
    TK_ROUND, TK_OFREE, TK_TV, TK_VT, TK_GFREE, TK_ITEM, TK_SEEN,
    TK_BART, TK_BARV, TK_NFREE, TK_NREADY, TK_QKVR, TK_QKVF, TK_OR, TK_OF, TK_GATER, TK_GATEF, TK_UPR, TK_UPF,
    TK_DOWNR, TK_DOWNF, TK_PACE, TK_SFREE, TK_SREADY,
    TK_ZFREE, TK_ZREADY, TK_VNET, TK_MET, TK_BFREE, TK_CAST,
    TK_TFREE, TK_MFREE, TK_MREADY, TK_END
};
/* Ids with a credit of one; TK_PFREE, TK_NFREE and TK_PACE have two, TK_WFREE the slots of the ring. Programs of several chips
 * give TK_ZFREE two. */
#define TK_CREDITS                                                                                 \
    (UINT64_C(1) << TK_WFREE | UINT64_C(1) << TK_PFREE | UINT64_C(1) << TK_AFREE | UINT64_C(1) << TK_YFREE |                 \
     UINT64_C(1) << TK_ROUND | UINT64_C(1) << TK_OFREE | UINT64_C(1) << TK_GFREE |                 \
     UINT64_C(1) << TK_SEEN | UINT64_C(1) << TK_BFREE | UINT64_C(1) << TK_NFREE | UINT64_C(1) << TK_QKVF |                   \
     UINT64_C(1) << TK_OF | UINT64_C(1) << TK_GATEF | UINT64_C(1) << TK_UPF |                   \
     UINT64_C(1) << TK_DOWNF | UINT64_C(1) << TK_PACE | UINT64_C(1) << TK_SFREE |                  \
     UINT64_C(1) << TK_TFREE | UINT64_C(1) << TK_MFREE)
const char *slx_tmpl_token_name(unsigned id); /* "wfree"; NULL */

enum {
    R_ROWS = 4, R_SAMPLES, R_ROW0, R_MYROWS, R_LAYER, R_W, R_KV,
    R_WBUF = 19,
    R_GROUP_TILES = 13, R_HEIGHT = 20, R_FIRST_ROWS = 29, /* of e_share, in matrix phases of long steps */
    R_PAIR = 30, R_CONST = 31 /* scratch of pair_r and of constants over 31 bits: dead after the next instruction */
};

/* Output of one expansion. ok turns false for good when a value does not fit its field. */
typedef struct {
    slx_buf *out;
    size_t start;
    uint32_t pc0; /* of the first word */
    bool ok;
} em;

/* Operand words. */
uint32_t imm(em *e, uint64_t v);
uint32_t regi(em *e, unsigned r, int64_t add);
#define REG(r) regi(e, (r), 0)
#define IMM(v) imm(e, (v))
/* (x, y) with x in a register. */
uint32_t pair_r(em *e, unsigned rx, uint64_t y);
uint32_t pair_c(em *e, uint64_t x, uint64_t y);
/* A constant HBM address. */
uint32_t addr_c(em *e, uint64_t addr);
uint32_t strides(em *e, uint64_t d, uint64_t a, uint64_t b); /* bytes, multiples of 64; 0 = natural */

/* w1: waits and posts; 0 = none. */
static inline uint32_t tok(unsigned w0, unsigned w1, unsigned p0, unsigned p1) {
    return (uint32_t)w0 | (uint32_t)w1 << 8 | (uint32_t)p0 << 16 | (uint32_t)p1 << 24;
}
#define NOTOK 0u
#define WAIT(t) tok((t), 0, 0, 0)
#define POST(t) tok(0, 0, (t), 0)
#define WAITPOST(w, p) tok((w), 0, (p), 0)

void put(em *e, unsigned op, unsigned f0, unsigned f1, unsigned flags, uint32_t toks, uint32_t a, uint32_t b,
         uint32_t c, uint32_t d, uint32_t x, uint32_t y);

void e_li(em *e, unsigned rd, uint64_t v);
void e_alu(em *e, unsigned fn, unsigned rd, uint32_t a, uint32_t b);
void e_addc(em *e, unsigned rd, unsigned rs, uint64_t c); /* rd := rs + c */
void e_mulc(em *e, unsigned rd, unsigned rs, uint64_t c); /* rd := rs * c */
/* rd := base + row register * stride */
void e_at_row(em *e, unsigned rd, unsigned row, uint64_t base, uint64_t stride);
void e_lds(em *e, unsigned rd, uint64_t spm, uint64_t limit, bool uni, uint32_t toks);
/* Where `a cond b`, on behind the next `words` words. */
void e_br(em *e, unsigned cond, uint32_t a, uint32_t b, uint64_t words);
/* What is emitted up to e_skip_end is skipped where `a cond b`. */
size_t e_skip(em *e, unsigned cond, uint32_t a, uint32_t b);
void e_skip_end(em *e, size_t at);
size_t e_loop(em *e, uint32_t n, unsigned counter);
void e_loop_end(em *e, size_t at);
void e_ld(em *e, uint32_t dst, uint32_t src, uint32_t bytes, uint32_t rows, uint64_t sstride, uint64_t dstride, uint32_t toks);
void e_ldx(em *e, uint32_t dst, uint32_t base, uint32_t idx, uint32_t count, uint64_t bytes, uint64_t stride, uint32_t toks);
void e_st(em *e, uint32_t dst, uint32_t src, uint32_t bytes, uint32_t rows, uint64_t sstride, uint64_t dstride, uint32_t toks);
void e_stx(em *e, uint32_t base, uint32_t src, uint32_t idx, uint32_t count, uint64_t bytes, uint64_t stride, uint32_t toks);
/* To tile `tile` (operand), or with all to every tile; rows lie one behind the other. */
void e_mov(em *e, uint32_t src, bool all, uint32_t tile, uint32_t dst, uint32_t bytes, uint32_t rows, uint32_t toks);
void e_mm(em *e, unsigned fmt, unsigned flags, unsigned log2g, uint64_t acc, uint64_t a, uint64_t as, uint32_t b,
          uint32_t mn, uint32_t kld, uint32_t toks);
void e_aadd(em *e, uint64_t d, uint64_t a, uint64_t b, uint32_t n, uint32_t toks);
void e_aout(em *e, uint64_t dst, uint32_t mn, uint64_t stride, uint32_t c, uint32_t toks);
/* Quantise fp32 rows to MXINT8. */
void e_quant(em *e, unsigned flags, uint64_t q, uint64_t qs, uint32_t src, uint64_t src_scale, uint32_t rc,
             uint64_t src_stride, uint32_t toks);
/* RED and GAT among all chips. */
void e_red(em *e, uint32_t dst, uint32_t src, uint32_t n, uint32_t toks);
void e_gat(em *e, uint32_t dst, uint32_t src, uint64_t bytes, uint32_t rows, uint32_t toks);
void e_nrm(em *e, uint64_t d, uint64_t a, uint64_t w, uint32_t eps, uint32_t rc, uint32_t toks);
/* As e_nrm; layer: a layer norm of `cols` columns, whose bias lies behind w. */
void e_norm(em *e, bool layer, uint64_t d, uint64_t a, uint64_t w, uint64_t cols, uint32_t eps, uint32_t rc,
            uint32_t toks);

/* An instruction without work, for its tokens. */
void e_join(em *e, slx_engine_id engine, uint32_t toks);
/* A short step's row of this tile: r_at its number, r_m 1 or 0. */
void e_own_row(em *e, uint64_t push, unsigned r_at, unsigned r_m);

/* Row tile i (register ri) of `count` (register) rows in tiles of mr: r_at := i*mr, r_m := min(count - r_at, mr). */
void e_row_tile(em *e, unsigned ri, unsigned r_count, uint64_t mr, unsigned r_at, unsigned r_m);
/* rd := ceil(rs / mr) */
void e_tiles(em *e, unsigned rd, unsigned rs, uint64_t mr);
/* rd := number of this tile by place: down the left half of the chip, row by row, and up the right one. r_left and r_x are
 * scratch. */
void e_place(em *e, unsigned rd, unsigned r_left, unsigned r_x, uint64_t tiles, uint64_t grid_x);
/* First slice and number of slices of this tile, which is number t of `tiles`: floor(t*S/T) .. With grid_x, tiles in a row of
 * the chip, t is its number by place, and so slices fall to tiles as slx_slices lays them into the stacks; with 0 its number.
 * rot is added to t, modulo tiles. */
void e_slices(em *e, unsigned r_first, unsigned r_count, unsigned r_tmp, uint64_t slices, uint64_t tiles, uint64_t rot,
              uint64_t grid_x);

/* How a matrix phase is shared among tiles (tmpl_share.c). groups: most groups of tiles, a power of two that divides them; 0: every
 * tile for itself. mr: most rows of a row tile; row_cap: most rows of a step; grid_x: as in e_slices. */
typedef struct {
    uint64_t tiles, groups, mr, row_cap, grid_x;
} e_share;
bool e_share_ok(const e_share *s);
/* r_count := row tiles of this tile. With groups R_GROUP_TILES, R_HEIGHT and R_FIRST_ROWS are set for the functions below, until
 * the phase ends. */
void e_share_rows(em *e, const e_share *s, unsigned r_count);
/* Row tile ri of this tile's: its first row and its rows, of which there may be none with groups. */
void e_share_row_tile(em *e, const e_share *s, unsigned ri, unsigned r_at, unsigned r_m);
/* With groups: the row tile's activations to all tiles of the group, and TEN held back until they are there. r11 .. r18 but
 * R_GROUP_TILES and r24 .. r27 are scratch. */
typedef struct {
    uint64_t codes, scales, ld, kblk, spm, spm_s; /* in HBM, rows ld blocks apart; kblk of them to the scratchpad */
} e_share_a;
void e_share_load(em *e, const e_share *s, unsigned r_at, unsigned r_m, const e_share_a *a);
/* With groups: LDQ held back until no tile reads the row tile any more. */
void e_share_done(em *e);
/* First and number of this tile's slices, turned by rot, none where r_m is 0; rd := the
 * r_i-th of them. With groups r24 and r25 are theirs until the loop over them ends. */
void e_share_slices(em *e, const e_share *s, unsigned r_first, unsigned r_count, unsigned r_tmp, uint64_t slices, uint64_t rot,
                    unsigned r_m);
void e_share_slice(em *e, const e_share *s, unsigned rd, unsigned r_first, unsigned r_count, unsigned r_i, uint64_t slices);

static inline uint64_t up(uint64_t v, uint64_t a) { return (v + a - 1) / a * a; }
/* Bytes of a row of fp32 in the scratchpad, and of x and y in HBM. */
static inline uint64_t row_bytes(uint64_t cols) { return up(4 * cols, 64); }
/* Bytes of a norm's weight, and of its bias behind it. */
static inline uint64_t norm_bytes(bool layer, uint64_t cols) { return layer ? row_bytes(cols) + 4 * cols : 4 * cols; }

/* What becomes of an attention item's heads (tmpl_merge.c): divided, quantised, sent to all tiles or stored, together with those
 * of other chips where these meet. */
typedef struct {
    uint64_t heads, kv_heads, hd, sts, os, oc, ocs, goc, gocs, out_codes, out_scales, out, chips, out_cols, push;
} e_heads;
/* The item: its first row, rows, KV head, rows * heads a KV head. STQ stores last. r15, r21 to r24 and r30 are scratch. */
enum { R_HEAD_ROW0 = 16, R_HEAD_ROWS, R_HEAD_KV, R_HEAD_M = 22 };
void e_heads_out(em *e, const e_heads *h);

/* Where a descriptor has merges, and where the tile's span and one of its merges lie in the scratchpad. */
typedef struct {
    uint64_t off_span, off_merge, max, max_chunks, spm_header, spm_item;
} e_merges;
/* Skips what follows, up to e_skip_end, where the step has none. */
size_t e_merges_skip(em *e, const e_merges *m);
/* The tile's span and the first of its merges to the scratchpad. r11, r12 and r15 are scratch. */
void e_merges_load(em *e, const e_merges *m);

void tmpl_prologue(em *e, const uint64_t *p);
void tmpl_barrier(em *e, const uint64_t *p);
void tmpl_loop_begin(em *e, const uint64_t *p);
void tmpl_end(em *e, const uint64_t *p);
void tmpl_branch(em *e, const uint64_t *p);
void tmpl_jump(em *e, const uint64_t *p);
void tmpl_tables(em *e, const uint64_t *p);
void tmpl_prefetch(em *e, const uint64_t *p);
void tmpl_normld(em *e, const uint64_t *p);
void tmpl_embed(em *e, const uint64_t *p);
void tmpl_rows(em *e, const uint64_t *p);
void tmpl_rowq(em *e, const uint64_t *p);
void tmpl_linear(em *e, const uint64_t *p);
void tmpl_gateup(em *e, const uint64_t *p);
void tmpl_lmhead(em *e, const uint64_t *p);
void tmpl_rope(em *e, const uint64_t *p);
void tmpl_attention(em *e, const uint64_t *p);
void tmpl_merge(em *e, const uint64_t *p);

#endif
