/* tmpl_share.c - which rows and which slices of a matrix phase are a tile's.
 *
 * Without groups (groups <= 1) every tile takes all rows, mr at a time, and slices floor(t*S/T) .. floor((t+1)*S/T)-1.
 *
 * With groups a step of more than mr rows is cut both ways. Its rows make n = 2, 4, 8, .. row tiles of equal height,
 * the fewest that are no higher than mr; the chip's tiles make min(n, groups) groups, of which each takes as many row
 * tiles, and within a group slices are shared as the chip shares them without. So every tile reads the activations of
 * its group alone, and the weights are read as often as before: once a row tile.
 *
 * All counts follow from the rows of the step, which only the descriptor knows. A min that changes nothing tells the
 * verifier a bound that it cannot see.
 */
#include "compile/tmpl_int.h"

enum { LG = 14, G, K, GROUP, ALL }; /* scratch until the loop over row tiles begins */
_Static_assert((int)ALL <= (int)R_SHARE_TMP, "registers");

/* Most row tiles of a step. */
static uint64_t tiles_max(const e_share *s)
{
    uint64_t n = 1;
    while (n * s->mr < s->row_cap) n *= 2;
    return n;
}

bool e_share_ok(const e_share *s)
{
    return s->groups <= 1 || (s->groups <= s->tiles && s->tiles % s->groups == 0 &&
                              (s->groups & (s->groups - 1)) == 0 && s->mr && s->row_cap);
}

/* R_HEIGHT, R_GROUP_TILES and R_FIRST_ROWS, and in r_count how many row tiles the tile has. */
static void share_out(em *e, const e_share *s, unsigned r_count)
{
    uint64_t most = tiles_max(s);
    e_li(e, LG, 0);
    for (uint64_t rows = s->mr; rows < s->row_cap; rows *= 2) {
        e_alu(e, SLX_ALUFN_ltu, G, IMM(rows), REG(R_ROWS));
        e_alu(e, SLX_ALUFN_add, LG, REG(LG), REG(G));
    }
    /* height := ceil(rows / n) */
    e_alu(e, SLX_ALUFN_shl, ALL, IMM(1), REG(LG));
    e_alu(e, SLX_ALUFN_add, R_HEIGHT, REG(R_ROWS), REG(ALL));
    e_alu(e, SLX_ALUFN_sub, R_HEIGHT, REG(R_HEIGHT), IMM(1));
    e_alu(e, SLX_ALUFN_shr, R_HEIGHT, REG(R_HEIGHT), REG(LG));
    e_alu(e, SLX_ALUFN_max, R_HEIGHT, REG(R_HEIGHT), IMM(1));
    e_alu(e, SLX_ALUFN_min, R_HEIGHT, REG(R_HEIGHT), IMM(s->mr));
    /* of the n row tiles the last may be empty */
    e_alu(e, SLX_ALUFN_add, ALL, REG(R_ROWS), REG(R_HEIGHT));
    e_alu(e, SLX_ALUFN_sub, ALL, REG(ALL), IMM(1));
    e_alu(e, SLX_ALUFN_divu, ALL, REG(ALL), REG(R_HEIGHT));
    e_alu(e, SLX_ALUFN_min, ALL, REG(ALL), IMM(most));
    /* K row tiles to a group */
    unsigned log2_groups = 0;
    while (UINT64_C(2) << log2_groups <= s->groups) log2_groups++;
    e_alu(e, SLX_ALUFN_min, G, REG(LG), IMM(log2_groups));
    e_alu(e, SLX_ALUFN_shr, R_GROUP_TILES, IMM(s->tiles), REG(G));
    e_alu(e, SLX_ALUFN_sub, K, REG(LG), REG(G));
    e_alu(e, SLX_ALUFN_min, K, REG(K), REG(LG));
    e_alu(e, SLX_ALUFN_shl, K, IMM(1), REG(K));
    e_alu(e, SLX_ALUFN_divu, GROUP, REG(SLX_R_TILE), REG(R_GROUP_TILES));
    e_alu(e, SLX_ALUFN_mul, R_FIRST_ROWS, REG(GROUP), REG(K));
    e_alu(e, SLX_ALUFN_min, R_FIRST_ROWS, REG(R_FIRST_ROWS), REG(ALL));
    e_alu(e, SLX_ALUFN_sub, r_count, REG(ALL), REG(R_FIRST_ROWS));
    e_alu(e, SLX_ALUFN_min, r_count, REG(r_count), REG(K));
}

void e_share_rows(em *e, const e_share *s, unsigned r_count)
{
    if (s->groups > 1)
        share_out(e, s, r_count);
    else
        e_tiles(e, r_count, R_ROWS, s->mr);
}

void e_share_row_tile(em *e, const e_share *s, unsigned ri, unsigned r_at, unsigned r_m)
{
    if (s->groups <= 1) {
        e_row_tile(e, ri, R_ROWS, s->mr, r_at, r_m);
        return;
    }
    e_alu(e, SLX_ALUFN_add, r_at, REG(ri), REG(R_FIRST_ROWS));
    e_alu(e, SLX_ALUFN_mul, r_at, REG(r_at), REG(R_HEIGHT));
    e_alu(e, SLX_ALUFN_min, r_at, REG(r_at), IMM(s->row_cap - 1));
    e_alu(e, SLX_ALUFN_sub, r_m, REG(R_ROWS), REG(r_at));
    e_alu(e, SLX_ALUFN_min, r_m, REG(r_m), REG(R_HEIGHT));
}

void e_share_slices(em *e, const e_share *s, unsigned r_first, unsigned r_count, unsigned r_tmp, uint64_t slices,
                    uint64_t rot)
{
    if (s->groups <= 1) {
        e_slices(e, r_first, r_count, r_tmp, slices, s->tiles, rot);
        return;
    }
    uint64_t least = s->tiles / s->groups;
    e_addc(e, r_tmp, SLX_R_TILE, rot);
    e_alu(e, SLX_ALUFN_remu, r_tmp, REG(rot ? r_tmp : (unsigned)SLX_R_TILE), REG(R_GROUP_TILES));
    e_mulc(e, r_tmp, r_tmp, slices);
    e_alu(e, SLX_ALUFN_divu, r_first, REG(r_tmp), REG(R_GROUP_TILES));
    e_addc(e, r_tmp, r_tmp, slices);
    e_alu(e, SLX_ALUFN_divu, r_tmp, REG(r_tmp), REG(R_GROUP_TILES));
    e_alu(e, SLX_ALUFN_sub, r_count, REG(r_tmp), REG(r_first));
    e_alu(e, SLX_ALUFN_min, r_count, REG(r_count), IMM((slices + least - 1) / least));
    e_alu(e, SLX_ALUFN_min, r_first, REG(r_first), IMM(slices - 1));
}

void e_share_slice(em *e, const e_share *s, unsigned rd, unsigned r_first, unsigned r_i, uint64_t slices)
{
    e_alu(e, SLX_ALUFN_add, rd, REG(r_first), REG(r_i));
    if (s->groups > 1) e_alu(e, SLX_ALUFN_min, rd, REG(rd), IMM(slices - 1));
}
