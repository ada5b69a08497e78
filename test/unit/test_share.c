/* test_share.c - rows and slices of a matrix phase among tiles: every row meets every
 * slice on exactly one tile, whatever the rows of a step, and no tile takes more rows at once than it has room for.
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

typedef struct {
    uint64_t r[32];
} regs;

static uint64_t operand(const regs *m, uint32_t w)
{
    return slx_opnd_is_reg(w) ? m->r[slx_opnd_regno(w)] + (uint64_t)slx_opnd_add(w) : w;
}

/* LI and ALU alone, as the ISA says. */
static void run(regs *m, const slx_buf *code)
{
    for (size_t i = 0; i < code->len / sizeof(slx_insn); i++) {
        slx_insn in;
        memcpy(&in, code->ptr + i * sizeof in, sizeof in);
        if (slx_insn_op(&in) == SLX_OP_LI) {
            m->r[in.w[2]] = in.w[3] | (uint64_t)in.w[4] << 32;
            continue;
        }
        assert_int_equal(slx_insn_op(&in), SLX_OP_ALU);
        uint64_t a = operand(m, in.w[3]), b = operand(m, in.w[4]), v = 0;
        switch (slx_insn_f0(&in)) {
        case SLX_ALUFN_add: v = a + b; break;
        case SLX_ALUFN_sub: v = a - b; break;
        case SLX_ALUFN_mul: v = a * b; break;
        case SLX_ALUFN_shl: v = a << (b & 63); break;
        case SLX_ALUFN_shr: v = a >> (b & 63); break;
        case SLX_ALUFN_min: v = a < b ? a : b; break;
        case SLX_ALUFN_max: v = a > b ? a : b; break;
        case SLX_ALUFN_ltu: v = a < b; break;
        case SLX_ALUFN_divu:
            assert_true(b != 0);
            v = a / b;
            break;
        case SLX_ALUFN_remu:
            assert_true(b != 0);
            v = a % b;
            break;
        default: fail_msg("ALU function %u", slx_insn_f0(&in));
        }
        m->r[in.w[2]] = v;
    }
}

typedef struct {
    slx_buf rows, tile, slices, slice;
} code;

static void expand(slx_buf *out, const e_share *s, int part, uint64_t slices, uint64_t rot)
{
    em e = {.out = out, .ok = true};
    switch (part) {
    case 0: e_share_rows(&e, s, COUNT); break;
    case 1: e_share_row_tile(&e, s, RI, AT, M); break;
    case 2: e_share_slices(&e, s, FIRST, NSL, TMP, slices, rot); break;
    default: e_share_slice(&e, s, SLICE, FIRST, SL, slices);
    }
    assert_true(e.ok);
}

/* How often each slice meets each row; hits is [rows][slices]. */
static void one_tile(const e_share *s, const code *c, uint64_t tile, uint64_t rows, uint64_t slices,
                     uint8_t *hits)
{
    regs m = {.r = {[SLX_R_TILE] = tile, [R_ROWS] = rows}};
    run(&m, &c->rows);
    uint64_t n = m.r[COUNT];
    for (uint64_t i = 0; i < n; i++) {
        m.r[RI] = i;
        run(&m, &c->tile);
        uint64_t at = m.r[AT], height = m.r[M];
        assert_true(height <= s->mr && at + height <= rows);
        run(&m, &c->slices);
        uint64_t k = m.r[NSL];
        for (uint64_t j = 0; j < k; j++) {
            m.r[SL] = j;
            run(&m, &c->slice);
            assert_true(m.r[SLICE] < slices);
            for (uint64_t row = at; row < at + height; row++) hits[row * slices + m.r[SLICE]]++;
        }
    }
}

static void check(const e_share *s, uint64_t slices, uint64_t rot)
{
    code c = {{0}, {0}, {0}, {0}};
    assert_true(e_share_ok(s));
    expand(&c.rows, s, 0, slices, rot);
    expand(&c.tile, s, 1, slices, rot);
    expand(&c.slices, s, 2, slices, rot);
    expand(&c.slice, s, 3, slices, rot);
    for (uint64_t rows = 0; rows <= s->row_cap; rows += rows < 40 ? 1 : 29) {
        uint8_t *hits = slx_xcalloc(rows * slices + 1, 1);
        for (uint64_t t = 0; t < s->tiles; t++) one_tile(s, &c, t, rows, slices, hits);
        for (uint64_t i = 0; i < rows * slices; i++)
            if (hits[i] != 1)
                fail_msg("%d tiles, %d groups, mr %d: %d of %d rows, slice %d of %d: %d times", (int)s->tiles,
                         (int)s->groups, (int)s->mr, (int)(i / slices), (int)rows, (int)(i % slices), (int)slices,
                         hits[i]);
        free(hits);
    }
    slx_buf_free(&c.rows);
    slx_buf_free(&c.tile);
    slx_buf_free(&c.slices);
    slx_buf_free(&c.slice);
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
                    for (uint64_t groups = 1; groups <= tiles[t][1]; groups *= 2) {
                        e_share s = {tiles[t][0], groups, mr[h], caps[k]};
                        check(&s, slices[n], (n * 5) % tiles[t][0]);
                    }
}

/* 512 rows in row tiles of 64 on 32 tiles: eight groups, each a row tile and all slices among its four tiles. */
static void test_by_hand(void **state)
{
    (void)state;
    e_share s = {32, 8, 64, 512};
    code c = {{0}, {0}, {0}, {0}};
    regs m = {.r = {[SLX_R_TILE] = 13, [R_ROWS] = 512}};
    expand(&c.rows, &s, 0, 40, 0);
    expand(&c.tile, &s, 1, 40, 0);
    expand(&c.slices, &s, 2, 40, 0);
    run(&m, &c.rows);
    assert_int_equal(m.r[COUNT], 1);
    run(&m, &c.tile);
    assert_int_equal(m.r[AT], 3 * 64);
    assert_int_equal(m.r[M], 64);
    run(&m, &c.slices);
    assert_int_equal(m.r[FIRST], 10);
    assert_int_equal(m.r[NSL], 10);
    slx_buf_free(&c.rows);
    slx_buf_free(&c.tile);
    slx_buf_free(&c.slices);
}

static void test_refused(void **state)
{
    (void)state;
    static const e_share bad[] = {{6, 4, 8, 64}, {4, 8, 8, 64}, {12, 3, 8, 64}, {4, 2, 0, 64}, {4, 2, 8, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(e_share_ok(&bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_meets_every_slice),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
