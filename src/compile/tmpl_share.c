/* tmpl_share.c - which rows and which slices of a matrix phase are a tile's, and how the rows come to it.
 *
 * groups 0: every tile takes all rows, mr at a time, brings them itself, and has slices floor(t*S/T) ..
 * floor((t+1)*S/T)-1.
 *
 * With groups a step of many rows is cut both ways. Its rows make n = 1, 2, 4, .. row tiles of equal height, the fewest
 * that are no higher than mr (with one group: as many of mr as there are); the chip's tiles make min(n, groups) groups,
 * each of which takes as many row tiles. One group shares slices as the chip does without; of several the tiles of a
 * group take them in turns, each beginning elsewhere, so that at any time all stacks of the memory are read by tiles
 * all over the chip. The rows of a row tile are brought by the tiles of the group together, each a part, which it
 * multicasts to all of them; a barrier says that all parts are there, and one at the end that nobody reads them any
 * more. So activations are read from memory once, and weights once a row tile.
 *
 * Multicast groups of the program: ALL, its halves, its quarters ..; group g of 2^l stands at 2^l - 1 + g.
 *
 * All counts follow from the rows of the step, which only the descriptor knows. A min that changes nothing tells the
 * verifier a bound that it cannot see.
 */
#include "compile/tmpl_int.h"

/* Scratch between e_share_rows and the loop over slices. */
enum { LG = 12, LGG = 14, OWN, N, FROM, TO, CODES = 24, SCALES, OUT, OUT_S };
/* Between e_share_slices and the end of that loop: slices from one to the next, and the one to begin with. */
enum { STEP = 24, BEGIN };

bool e_share_ok(const e_share *s)
{
    return !s->groups || (s->groups <= s->tiles && s->tiles % s->groups == 0 && s->groups < SLX_SHARE_GROUPS &&
                          (s->groups & (s->groups - 1)) == 0 && s->mr && s->row_cap && (s->mr | s->row_cap) >> 32 == 0);
}

static unsigned log2_of(uint64_t v)
{
    unsigned n = 0;
    while (v >> (n + 1)) n++;
    return n;
}

uint64_t slx_share_slack(uint64_t tiles, uint64_t groups, uint64_t mr)
{
    uint64_t share = groups ? tiles / groups : 0;
    return share ? (mr + share - 1) / share : 0;
}

/* One group: row tiles of mr rows. */
static void one_group(em *e, const e_share *s, unsigned r_count)
{
    e_li(e, R_HEIGHT, s->mr);
    e_li(e, R_GROUP_TILES, s->tiles);
    e_li(e, R_FIRST_ROWS, 0);
    e_tiles(e, r_count, R_ROWS, s->mr);
}

static void many_groups(em *e, const e_share *s, unsigned r_count)
{
    e_li(e, LG, 0);
    for (uint64_t rows = s->mr; rows < s->row_cap; rows *= 2) {
        e_alu(e, SLX_ALUFN_ltu, N, IMM(rows), REG(R_ROWS));
        e_alu(e, SLX_ALUFN_add, LG, REG(LG), REG(N));
    }
    /* height := ceil(rows / n) */
    e_alu(e, SLX_ALUFN_shl, N, IMM(1), REG(LG));
    e_alu(e, SLX_ALUFN_add, R_HEIGHT, REG(R_ROWS), REG(N));
    e_alu(e, SLX_ALUFN_sub, R_HEIGHT, REG(R_HEIGHT), IMM(1));
    e_alu(e, SLX_ALUFN_shr, R_HEIGHT, REG(R_HEIGHT), REG(LG));
    e_alu(e, SLX_ALUFN_min, R_HEIGHT, REG(R_HEIGHT), IMM(s->mr));
    e_alu(e, SLX_ALUFN_min, LGG, REG(LG), IMM(log2_of(s->groups)));
    e_alu(e, SLX_ALUFN_shr, R_GROUP_TILES, IMM(s->tiles), REG(LGG));
    e_alu(e, SLX_ALUFN_sub, r_count, REG(LG), REG(LGG));
    e_alu(e, SLX_ALUFN_min, r_count, REG(r_count), REG(LG));
    e_alu(e, SLX_ALUFN_shl, r_count, IMM(1), REG(r_count));
    e_alu(e, SLX_ALUFN_divu, R_FIRST_ROWS, REG(SLX_R_TILE), REG(R_GROUP_TILES));
    e_alu(e, SLX_ALUFN_mul, R_FIRST_ROWS, REG(R_FIRST_ROWS), REG(r_count));
}

void e_share_rows(em *e, const e_share *s, unsigned r_count)
{
    if (s->groups > 1)
        many_groups(e, s, r_count);
    else if (s->groups)
        one_group(e, s, r_count);
    else
        e_tiles(e, r_count, R_ROWS, s->mr);
}

void e_share_row_tile(em *e, const e_share *s, unsigned ri, unsigned r_at, unsigned r_m)
{
    if (!s->groups) {
        e_row_tile(e, ri, R_ROWS, s->mr, r_at, r_m);
        return;
    }
    e_alu(e, SLX_ALUFN_add, r_at, REG(ri), REG(R_FIRST_ROWS));
    e_alu(e, SLX_ALUFN_mul, r_at, REG(r_at), REG(R_HEIGHT));
    e_alu(e, SLX_ALUFN_min, r_at, REG(r_at), REG(R_ROWS));
    e_alu(e, SLX_ALUFN_sub, r_m, REG(R_ROWS), REG(r_at));
    e_alu(e, SLX_ALUFN_min, r_m, REG(r_m), REG(R_HEIGHT));
}

static void cast(em *e, uint64_t group, unsigned dst, unsigned src, uint64_t bytes, uint64_t stride)
{
    put(e, SLX_OP_LD, 0, (unsigned)group + 1, 0, NOTOK, REG(dst), REG(src), IMM(bytes), REG(N), IMM(stride),
        IMM(bytes));
}

void e_share_load(em *e, const e_share *s, unsigned r_at, unsigned r_m, const e_share_a *a)
{
    uint64_t most = slx_share_slack(s->tiles, s->groups, s->mr);
    /* part OWN of the group's tiles: rows FROM .. FROM+N-1 of the row tile */
    e_alu(e, SLX_ALUFN_remu, OWN, REG(SLX_R_TILE), REG(R_GROUP_TILES));
    e_alu(e, SLX_ALUFN_add, TO, REG(r_m), REG(R_GROUP_TILES));
    e_alu(e, SLX_ALUFN_sub, TO, REG(TO), IMM(1));
    e_alu(e, SLX_ALUFN_divu, TO, REG(TO), REG(R_GROUP_TILES));
    e_alu(e, SLX_ALUFN_min, TO, REG(TO), IMM(most));
    e_alu(e, SLX_ALUFN_mul, FROM, REG(OWN), REG(TO));
    e_alu(e, SLX_ALUFN_min, FROM, REG(FROM), REG(r_m));
    e_alu(e, SLX_ALUFN_sub, N, REG(r_m), REG(FROM));
    e_alu(e, SLX_ALUFN_min, N, REG(N), REG(TO));
    e_alu(e, SLX_ALUFN_min, FROM, REG(FROM), IMM(s->mr - 1));
    e_alu(e, SLX_ALUFN_add, TO, REG(r_at), REG(FROM));
    e_alu(e, SLX_ALUFN_min, TO, REG(TO), IMM(s->row_cap));
    e_at_row(e, CODES, TO, a->codes, a->ld * 32);
    e_at_row(e, SCALES, TO, a->scales, a->ld);
    e_at_row(e, OUT, FROM, a->spm, a->kblk * 32);
    e_at_row(e, OUT_S, FROM, a->spm_s, a->kblk);
    /* its group's number among the program's */
    e_alu(e, SLX_ALUFN_divu, TO, IMM(s->tiles), REG(R_GROUP_TILES));
    e_alu(e, SLX_ALUFN_divu, OWN, REG(SLX_R_TILE), REG(R_GROUP_TILES));
    e_alu(e, SLX_ALUFN_add, TO, REG(TO), REG(OWN));
    for (uint64_t g = 0; g < 2 * s->groups - 1; g++) {
        size_t skip = e_skip(e, SLX_COND_ne, REG(TO), IMM(g + 1));
        cast(e, g, OUT, CODES, a->kblk * 32, a->ld * 32);
        cast(e, g, OUT_S, SCALES, a->kblk, a->ld);
        e_skip_end(e, skip);
    }
    e_join(e, SLX_ENG_LDQ, POST(TK_CAST));
    put(e, SLX_OP_BAR, 0, 0, 0, WAITPOST(TK_CAST, TK_BART), 0, 0, 0, 0, 0, 0);
    e_join(e, SLX_ENG_TEN, WAIT(TK_BART));
}

void e_share_done(em *e)
{
    put(e, SLX_OP_BAR, 0, 0, 0, POST(TK_BAR), 0, 0, 0, 0, 0, 0);
    e_join(e, SLX_ENG_LDQ, WAIT(TK_BAR));
}

void e_share_slices(em *e, const e_share *s, unsigned r_first, unsigned r_count, unsigned r_tmp, uint64_t slices,
                    uint64_t rot, unsigned r_m)
{
    if (!s->groups) {
        e_slices(e, r_first, r_count, r_tmp, slices, s->tiles, rot, s->grid_x);
        return;
    }
    uint64_t least = s->tiles / s->groups;
    e_slices(e, r_first, r_count, r_tmp, slices, s->tiles, rot, s->grid_x);
    e_li(e, STEP, 1);
    e_li(e, BEGIN, 0);
    if (s->groups > 1) {
        size_t one = e_skip(e, SLX_COND_eq, REG(R_GROUP_TILES), IMM(s->tiles));
        e_addc(e, r_tmp, SLX_R_TILE, rot);
        e_alu(e, SLX_ALUFN_remu, r_first, REG(rot ? r_tmp : (unsigned)SLX_R_TILE), REG(R_GROUP_TILES));
        e_addc(e, r_count, R_GROUP_TILES, slices - 1);
        e_alu(e, SLX_ALUFN_sub, r_count, REG(r_count), REG(r_first));
        e_alu(e, SLX_ALUFN_divu, r_count, REG(r_count), REG(R_GROUP_TILES));
        e_alu(e, SLX_ALUFN_mul, BEGIN, REG(SLX_R_TILE), REG(r_count));
        /* 5/8 of them further than the tile before: neighbours read from stacks far apart, in a row, and in a column
         * of a chip 12 wide too, where 12 * 5/8 leaves a half */
        e_mulc(e, BEGIN, BEGIN, 5);
        e_alu(e, SLX_ALUFN_shr, BEGIN, REG(BEGIN), IMM(3));
        e_alu(e, SLX_ALUFN_add, STEP, REG(R_GROUP_TILES), IMM(0));
        e_skip_end(e, one);
    }
    e_alu(e, SLX_ALUFN_min, r_count, REG(r_count), IMM((slices + least - 1) / least));
    e_alu(e, SLX_ALUFN_min, r_first, REG(r_first), IMM(slices - 1));
    put(e, SLX_OP_ALU, SLX_ALUFN_sel, 0, 0, NOTOK, r_count, REG(r_count), IMM(0), REG(r_m), 0, 0);
}

void e_share_slice(em *e, const e_share *s, unsigned rd, unsigned r_first, unsigned r_count, unsigned r_i,
                   uint64_t slices)
{
    if (!s->groups) {
        e_alu(e, SLX_ALUFN_add, rd, REG(r_first), REG(r_i));
        return;
    }
    e_alu(e, SLX_ALUFN_add, rd, REG(r_i), REG(BEGIN));
    e_alu(e, SLX_ALUFN_remu, rd, REG(rd), REG(r_count));
    e_alu(e, SLX_ALUFN_mul, rd, REG(rd), REG(STEP));
    e_alu(e, SLX_ALUFN_add, rd, REG(rd), REG(r_first));
    e_alu(e, SLX_ALUFN_min, rd, REG(rd), IMM(slices - 1));
}
