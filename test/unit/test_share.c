/* test_share.c - rows and slices of a matrix phase among tiles: every row meets every slice on exactly one tile,
 * whatever the rows of a step; no tile takes more rows at once than it has room for; and
 * what the tiles of a group bring together is each row once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "compile/tmpl_int.h"

enum { COUNT = 22, NSL = 12, FIRST = 11, TMP = 17, RI = 21, AT = 22, M = 23, SLICE = 15, SL = 14 };
enum { KBLK = 3, LD = 5, CODES = 1 << 20, SCALES = 1 << 22, SPM = 4096, SPM_S = 1 << 16 };

typedef struct {
    uint64_t r[32];
    slx_insn loads[8];
    uint64_t load[8][6]; /* operands of the loads met on the way */
    int n_loads;
} regs;

static uint64_t operand(const regs *m, uint32_t w)
{
    return slx_opnd_is_reg(w) ? m->r[slx_opnd_regno(w)] + (uint64_t)slx_opnd_add(w) : w;
}

static uint64_t alu(unsigned fn, uint64_t a, uint64_t b, uint64_t d)
{
    switch (fn) {
    case SLX_ALUFN_add: return a + b;
    case SLX_ALUFN_sub: return a - b;
    case SLX_ALUFN_mul: return a * b;
    case SLX_ALUFN_shl: return a << (b & 63);
    case SLX_ALUFN_shr: return a >> (b & 63);
    case SLX_ALUFN_min: return a < b ? a : b;
    case SLX_ALUFN_ltu: return a < b;
    case SLX_ALUFN_divu: assert_true(b != 0); return a / b;
    case SLX_ALUFN_remu: assert_true(b != 0); return a % b;
    case SLX_ALUFN_sel: return d ? a : b;
    }
    fail_msg("ALU function %u", fn);
    return 0;
}

/* LI, ALU, BR.ne and BR.eq as the ISA says; LD is written down, what else there is for its tokens passed over. */
static void run(regs *m, const slx_buf *code)
{
    for (size_t i = 0; i < code->len / sizeof(slx_insn); i++) {
        slx_insn in;
        memcpy(&in, code->ptr + i * sizeof in, sizeof in);
        switch (slx_insn_op(&in)) {
        case SLX_OP_LI: m->r[in.w[2]] = in.w[3] | (uint64_t)in.w[4] << 32; break;
        case SLX_OP_ALU:
            m->r[in.w[2]] = alu(slx_insn_f0(&in), operand(m, in.w[3]), operand(m, in.w[4]), operand(m, in.w[5]));
            break;
        case SLX_OP_BR:
            assert_true(slx_insn_f0(&in) == SLX_COND_ne || slx_insn_f0(&in) == SLX_COND_eq);
            if ((operand(m, in.w[2]) == operand(m, in.w[3])) == (slx_insn_f0(&in) == SLX_COND_eq))
                i = in.w[4] - 1;
            break;
        case SLX_OP_LD:
            if (operand(m, in.w[5]) == 0) break; /* no rows: a join */
            assert_true(m->n_loads < 8);
            for (int k = 0; k < 6; k++) m->load[m->n_loads][k] = operand(m, in.w[2 + k]);
            m->loads[m->n_loads++] = in;
            break;
        case SLX_OP_AADD:
        case SLX_OP_BAR: break;
        default: fail_msg("opcode %u", slx_insn_op(&in));
        }
    }
}

enum { ROWS, TILE, LOAD, SLICES, ONE, PARTS };
typedef struct {
    slx_buf part[PARTS];
} code;

static void expand(code *c, const e_share *s, uint64_t slices, uint64_t rot)
{
    assert_true(e_share_ok(s));
    *c = (code){0};
    for (int i = 0; i < PARTS; i++) {
        em e = {.out = &c->part[i], .ok = true};
        e_share_a a = {CODES, SCALES, LD, KBLK, SPM, SPM_S};
        switch (i) {
        case ROWS: e_share_rows(&e, s, COUNT); break;
        case TILE: e_share_row_tile(&e, s, RI, AT, M); break;
        case LOAD:
            if (s->groups) e_share_load(&e, s, AT, M, &a);
            break;
        case SLICES: e_share_slices(&e, s, FIRST, NSL, TMP, slices, rot, M); break;
        default: e_share_slice(&e, s, SLICE, FIRST, NSL, SL, slices);
        }
        assert_true(e.ok);
    }
}

static void drop(code *c)
{
    for (int i = 0; i < PARTS; i++) slx_buf_free(&c->part[i]);
}

/* One load of codes and one of scales: some rows of the row tile, to tiles of one group. here[tile][row]
 * counts the rows that come to a tile's scratchpad. */
static void one_load(const e_share *s, const regs *m, uint64_t tile, uint64_t at, uint64_t height, uint8_t *here)
{
    assert_int_equal(m->n_loads, 2);
    const uint64_t *c = m->load[0], *sc = m->load[1];
    uint64_t row = (c[1] - CODES) / (LD * 32), n = c[3], group = slx_insn_f1(&m->loads[0]) - 1, parts = 1;
    while (group >= 2 * parts - 1) parts *= 2;
    uint64_t share = s->tiles / parts, first = (group - (parts - 1)) * share;
    assert_true(parts <= s->groups && tile >= first && tile < first + share);
    assert_int_equal(slx_insn_f1(&m->loads[1]), group + 1);
    assert_true(row >= at && row + n <= at + height && n <= slx_share_slack(s->tiles, s->groups, s->mr));
    const uint64_t want[2][6] = {
        {SPM + (row - at) * KBLK * 32, CODES + row * LD * 32, KBLK * 32, n, LD * 32, KBLK * 32},
        {SPM_S + (row - at) * KBLK, SCALES + row * LD, KBLK, n, LD, KBLK}};
    for (int k = 0; k < 6; k++) {
        assert_int_equal(c[k], want[0][k]);
        assert_int_equal(sc[k], want[1][k]);
    }
    for (uint64_t t = first; t < first + share; t++)
        for (uint64_t r = row; r < row + n; r++) here[t * s->row_cap + r]++;
}

/* How often each slice meets each row (hits [rows][slices]), on tiles that have just this row tile. */
static void one_step(const e_share *s, const code *c, uint64_t rows, uint64_t slices, uint8_t *hits, uint8_t *here)
{
    regs *m = slx_xcalloc(s->tiles, sizeof *m);
    uint64_t most = 0;
    for (uint64_t t = 0; t < s->tiles; t++) {
        m[t].r[SLX_R_TILE] = t, m[t].r[R_ROWS] = rows;
        run(&m[t], &c->part[ROWS]);
        if (s->groups && t) assert_int_equal(m[t].r[COUNT], m[0].r[COUNT]); /* all meet the same barriers */
        if (m[t].r[COUNT] > most) most = m[t].r[COUNT];
        m[t].r[30] = m[t].r[COUNT];
    }
    for (uint64_t i = 0; i < most; i++) {
        memset(here, 0, s->tiles * s->row_cap);
        for (uint64_t t = 0; t < s->tiles; t++) {
            if (i >= m[t].r[30]) continue;
            m[t].r[RI] = i, m[t].n_loads = 0;
            run(&m[t], &c->part[TILE]);
            uint64_t at = m[t].r[AT], height = m[t].r[M];
            assert_true(height <= s->mr && at + height <= rows);
            run(&m[t], &c->part[LOAD]);
            if (m[t].n_loads) one_load(s, &m[t], t, at, height, here);
        }
        for (uint64_t t = 0; t < s->tiles; t++) {
            if (i >= m[t].r[30]) continue;
            uint64_t at = m[t].r[AT], height = m[t].r[M];
            for (uint64_t r = 0; r < rows && s->groups; r++)
                assert_int_equal(here[t * s->row_cap + r], r >= at && r < at + height);
            run(&m[t], &c->part[SLICES]);
            uint64_t k = m[t].r[NSL];
            for (uint64_t j = 0; j < k; j++) {
                m[t].r[SL] = j;
                run(&m[t], &c->part[ONE]);
                assert_true(m[t].r[SLICE] < slices);
                for (uint64_t row = at; row < at + height; row++) hits[row * slices + m[t].r[SLICE]]++;
            }
        }
    }
    free(m);
}

static void check(const e_share *s, uint64_t slices, uint64_t rot)
{
    code c;
    expand(&c, s, slices, rot);
    uint8_t *here = slx_xcalloc(s->tiles, s->row_cap);
    for (uint64_t rows = 0; rows <= s->row_cap; rows += rows < 40 ? 1 : 29) {
        uint8_t *hits = slx_xcalloc(rows * slices + 1, 1);
        one_step(s, &c, rows, slices, hits, here);
        for (uint64_t i = 0; i < rows * slices; i++)
            if (hits[i] != 1)
                fail_msg("%d tiles, %d groups, mr %d: %d of %d rows, slice %d of %d: %d times", (int)s->tiles,
                         (int)s->groups, (int)s->mr, (int)(i / slices), (int)rows, (int)(i % slices), (int)slices,
                         hits[i]);
        free(hits);
    }
    free(here);
    drop(&c);
}

static void test_every_row_meets_every_slice(void **state)
{
    (void)state;
    static const uint64_t tiles[][2] = {{1, 1}, {2, 2}, {4, 4}, {6, 2}, {12, 4}, {32, 8}},
                          mr[] = {1, 2, 16, 131}, slices[] = {1, 3, 18, 40}, caps[] = {1, 5, 64, 300};
    for (size_t t = 0; t < 6; t++)
        for (size_t h = 0; h < 4; h++)
            for (size_t n = 0; n < 4; n++)
                for (size_t k = 0; k < 4; k++)
                    for (uint64_t groups = 0; groups <= tiles[t][1]; groups = groups ? 2 * groups : 1) {
                        e_share s = {tiles[t][0], groups, mr[h], caps[k], (t + n) % 3 * 2};
                        check(&s, slices[n], (n * 5) % tiles[t][0]);
                    }
}

/* 512 rows in row tiles of 64 on 32 tiles: eight groups, each a row tile and all slices among its four tiles. Tile 13
 * is the second of group 3: it brings rows 208 .. 223 to tiles 12 .. 15, group 7 + 3 of the program. */
static void test_by_hand(void **state)
{
    (void)state;
    e_share s = {32, 8, 64, 512, 0};
    code c;
    regs m = {.r = {[SLX_R_TILE] = 13, [R_ROWS] = 512}};
    expand(&c, &s, 40, 0);
    run(&m, &c.part[ROWS]);
    assert_int_equal(m.r[COUNT], 1);
    run(&m, &c.part[TILE]);
    assert_int_equal(m.r[AT], 3 * 64);
    assert_int_equal(m.r[M], 64);
    run(&m, &c.part[LOAD]);
    assert_int_equal(m.n_loads, 2);
    assert_int_equal(slx_insn_f1(&m.loads[0]), 1 + 7 + 3);
    assert_int_equal(m.load[0][0], SPM + 16 * KBLK * 32);
    assert_int_equal(m.load[0][1], CODES + 208 * LD * 32);
    assert_int_equal(m.load[0][3], 16);
    run(&m, &c.part[SLICES]);
    assert_int_equal(m.r[NSL], 10); /* 1, 5, 9 .. 37, from number 13 * 10 * 5 / 8 mod 10 on */
    for (uint64_t i = 0; i < 10; i++) {
        m.r[SL] = i;
        run(&m, &c.part[ONE]);
        assert_int_equal(m.r[SLICE], 1 + 4 * ((i + 1) % 10));
    }
    drop(&c);
}

/* One group: slice t goes to tile number t by place, the tiles in the left half of the chip row by row, then those of
 * the right half from the last to the first. */
static void check_places(uint64_t tiles, uint64_t groups, uint64_t grid_x)
{
    code c;
    uint64_t place = 0;
    e_share s = {tiles, groups, 8, 8, grid_x};
    expand(&c, &s, tiles, 0);
    for (int right = 0; right < 2; right++)
        for (uint64_t i = 0; i < tiles; i++) {
            uint64_t t = right ? tiles - 1 - i : i;
            if ((t % grid_x >= (grid_x + 1) / 2) != right) continue;
            regs m = {.r = {[SLX_R_TILE] = t, [R_ROWS] = 8}};
            run(&m, &c.part[ROWS]);
            m.r[RI] = 0;
            run(&m, &c.part[TILE]);
            run(&m, &c.part[SLICES]);
            assert_int_equal(m.r[NSL], 1);
            run(&m, &c.part[ONE]);
            assert_int_equal(m.r[SLICE], place);
            place++;
        }
    assert_int_equal(place, tiles);
    drop(&c);
}

static void test_places(void **state)
{
    (void)state;
    check_places(128, 0, 12); /* silex-1 */
    check_places(128, 1, 12);
    check_places(128, 8, 12); /* of few rows: one group */
    check_places(30, 0, 7);
    check_places(5, 0, 1);
}

static void test_refused(void **state)
{
    (void)state;
    static const e_share bad[] = {{6, 4, 8, 64, 0}, {4, 8, 8, 64, 0}, {12, 3, 8, 64, 0},
                                  {4, 2, 0, 64, 0}, {4, 2, 8, 0, 0},  {128, 64, 8, 64, 0},
                                  {4, 2, 8, UINT64_MAX, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(e_share_ok(&bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_meets_every_slice),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
