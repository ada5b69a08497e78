/* test_step_share.c - items shared out to tiles: each once, in order; alike ones by number; others nearly as evenly as
 * any runs of them could be, which a search over all runs finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "isa/step_share.h"

enum { MAX_TILES = 200, MAX_SEQS = 24 };

static const slx_share_cut whole = {.pages_log2 = SLX_SHARE_WHOLE};

static slx_program_info header(uint32_t tiles, uint32_t heads, uint32_t item_rows)
{
    return (slx_program_info){.n_tiles = tiles, .n_kv_heads = heads, .desc = {.item_rows = item_rows},
                              .attn_item_ps = 300000, .attn_page_ps = 176000, .attn_row_base_ps = 150000,
                              .attn_row_ps = 30000};
}

static void test_pieces(void **state)
{
    (void)state;
    slx_program_info in = header(4, 2, 4);
    assert_int_equal(slx_share_pieces(&in, 1), 1);
    assert_int_equal(slx_share_pieces(&in, 4), 1);
    assert_int_equal(slx_share_pieces(&in, 9), 3);
    slx_share_seq q = {9, 126};
    slx_share_piece p = slx_share_piece_at(&in, &q, 0); /* rows 126 .. 129 */
    assert_true(p.first == 0 && p.rows == 4 && p.chunks == 2);
    p = slx_share_piece_at(&in, &q, 2); /* row 134 */
    assert_true(p.first == 8 && p.rows == 1 && p.chunks == 2);
    q = (slx_share_seq){1, 127};
    p = slx_share_piece_at(&in, &q, 0);
    assert_true(p.chunks == 1);
    q.rows = 2;
    p = slx_share_piece_at(&in, &q, 0);
    assert_true(p.chunks == 2);
    /* a page takes its link longer than one row's work, and less than four rows' */
    assert_int_equal(slx_share_item_ps(&in, 1, 10), 300000 + 10 * (150000 + 30000));
    in.attn_page_ps = 500000;
    assert_int_equal(slx_share_item_ps(&in, 1, 10), 300000 + 10 * 500000);
}

/* By number, as if no item had any work: also where the header says nothing of it. */
static void test_alike(void **state)
{
    (void)state;
    uint32_t bound[MAX_TILES + 1], before[MAX_TILES + 1];
    for (uint32_t tiles = 1; tiles <= MAX_TILES; tiles += tiles < 12 ? 1 : 17)
        for (uint32_t heads = 1; heads <= 9; heads += 2)
            for (uint32_t n = 1; n <= MAX_SEQS; n++)
                for (int known = 0; known < 2; known++) {
                    slx_program_info in = header(tiles, heads, 8);
                    if (!known) in.attn_item_ps = in.attn_page_ps = in.attn_row_base_ps = in.attn_row_ps = 0;
                    slx_share_seq q[MAX_SEQS];
                    for (uint32_t i = 0; i < n; i++) q[i] = (slx_share_seq){1, known ? 1999 : 77 * i};
                    slx_share_out(&in, &whole, q, n, bound, before);
                    uint64_t items = n * heads;
                    for (uint32_t t = 0; t <= tiles; t++) assert_int_equal(bound[t], t * items / tiles);
                }
}

/* The least that the busiest tile can have: no tile over `most`, found by halving. */
static uint64_t optimum(const uint64_t *work, uint32_t items, uint32_t tiles)
{
    uint64_t lo = 0, hi = 0;
    for (uint32_t i = 0; i < items; i++) {
        lo = work[i] > lo ? work[i] : lo;
        hi += work[i];
    }
    while (lo < hi) {
        uint64_t most = lo + (hi - lo) / 2, sum = 0;
        uint32_t used = 1;
        for (uint32_t i = 0; i < items; i++) {
            if (sum + work[i] > most) used++, sum = 0;
            sum += work[i];
        }
        if (used <= tiles)
            hi = most;
        else
            lo = most + 1;
    }
    return lo;
}

static uint64_t drawn(uint64_t *x, uint64_t n)
{
    *x = *x * 6364136223846793005u + 1442695040888963407u;
    return (*x >> 33) % n;
}

static void test_uneven(void **state)
{
    (void)state;
    uint64_t x = 7, work[MAX_SEQS * 64];
    double off = 0, by_number = 0;
    enum { DRAWS = 2000 };
    for (int k = 0; k < DRAWS; k++) {
        uint32_t bound[MAX_TILES + 1], before[MAX_TILES + 1];
        uint32_t tiles = 1 + (uint32_t)drawn(&x, MAX_TILES), n = 1 + (uint32_t)drawn(&x, MAX_SEQS);
        slx_program_info in = header(tiles, 1 + (uint32_t)drawn(&x, 8), 8);
        slx_share_seq q[MAX_SEQS];
        uint32_t items = 0;
        uint64_t largest = 0, busiest = 0, busiest_number = 0;
        uint32_t chunks[MAX_SEQS * 64], so_far = 0;
        for (uint32_t i = 0; i < n; i++) {
            q[i].rows = 1 + (uint32_t)drawn(&x, k % 3 ? 1 : 60);
            q[i].before = (uint32_t)drawn(&x, k % 2 ? 30000 : 1 + 30000 / (i + 1));
            for (uint32_t h = 0; h < in.n_kv_heads; h++)
                for (uint32_t j = 0; j < slx_share_pieces(&in, q[i].rows); j++) {
                    slx_share_piece p = slx_share_piece_at(&in, &q[i], j);
                    work[items] = slx_share_item_ps(&in, p.rows, p.chunks);
                    chunks[items] = p.chunks;
                    largest = work[items] > largest ? work[items] : largest;
                    items++;
                }
        }
        slx_share_out(&in, &whole, q, n, bound, before);
        assert_true(bound[0] == 0 && bound[tiles] == items);
        for (uint32_t t = 0; t < tiles; t++) {
            uint64_t sum = 0, number = 0;
            assert_true(bound[t] <= bound[t + 1]);
            assert_int_equal(before[t], so_far);
            for (uint32_t i = bound[t]; i < bound[t + 1]; i++) sum += work[i], so_far += chunks[i];
            for (uint64_t i = (uint64_t)t * items / tiles; i < (t + 1ull) * items / tiles; i++) number += work[i];
            busiest = sum > busiest ? sum : busiest;
            busiest_number = number > busiest_number ? number : busiest_number;
        }
        assert_int_equal(before[tiles], so_far);
        uint64_t best = optimum(work, items, tiles);
        assert_true(busiest >= best && busiest <= best + largest);
        off += (double)busiest / best / DRAWS;
        by_number += (double)busiest_number / best / DRAWS;
    }
    print_message("the busiest tile has %.3f times the least possible; shared by number %.3f\n", off, by_number);
    assert_true(off < 1.1 && off < by_number);
}

/* ------------------------------------------------------------------ parts */

/* Merging takes 2 pages' time and a tenth of one a state. */
static slx_program_info splits(uint32_t tiles, uint32_t heads)
{
    slx_program_info in = header(tiles, heads, 8);
    in.desc.max_items = 4096, in.desc.max_merges = 256, in.desc.max_states = 16384;
    in.attn_merge_ps = 360000, in.attn_state_row_ps = 18000, in.attn_shared_page_ps = 1000;
    return in;
}

/* Chunks of the busiest tile; every item and part is there once. */
static uint32_t busiest(const slx_program_info *in, const slx_share_cut *cut, const slx_share_seq *q, uint32_t n)
{
    uint32_t bound[MAX_TILES + 1], before[MAX_TILES + 1], most = 0, items = 0, chunks = 0;
    slx_share_out(in, cut, q, n, bound, before);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < slx_share_pieces(in, q[i].rows); j++) {
            slx_share_piece p = slx_share_piece_at(in, &q[i], j);
            uint32_t part = slx_share_part(in, cut, &p);
            assert_true(part >= p.chunks || (part && !(part & (part - 1))));
            items += in->n_kv_heads * (part >= p.chunks ? 1 : (p.chunks + part - 1) / part);
            chunks += in->n_kv_heads * p.chunks;
        }
    assert_int_equal(bound[in->n_tiles], items);
    assert_int_equal(before[in->n_tiles], chunks);
    for (uint32_t t = 0; t < in->n_tiles; t++) {
        assert_true(bound[t] <= bound[t + 1] && before[t] <= before[t + 1]);
        most = before[t + 1] - before[t] > most ? before[t + 1] - before[t] : most;
    }
    return most;
}

static void test_split(void **state)
{
    (void)state;
    slx_program_info in = splits(128, 8);
    slx_share_seq far = {1, 30000}, near = {1, 300}, prompt = {64, 30000};
    slx_share_cut cut = slx_share_choose(&in, &near, 1);
    assert_int_equal(cut.pages_log2, SLX_SHARE_WHOLE); /* 3 pages: merging takes longer */
    assert_true(cut.merge_ps == 0 && busiest(&in, &cut, &near, 1) == 3);
    cut = slx_share_choose(&in, &far, 1);
    assert_true(cut.pages_log2 < SLX_SHARE_WHOLE && cut.merge_ps > in.attn_merge_ps);
    assert_true(busiest(&in, &whole, &far, 1) == 235 && busiest(&in, &cut, &far, 1) <= 32);
    /* rows of a piece take longer each chunk: its parts are shorter, never below a chunk */
    cut = slx_share_choose(&in, &prompt, 1);
    assert_true(cut.pages_log2 < SLX_SHARE_WHOLE && busiest(&in, &cut, &prompt, 1) < 235);
    const slx_share_piece one = {0, 1, 235}, eight = {0, 8, 235};
    assert_true(slx_share_part(&in, &cut, &one) > slx_share_part(&in, &cut, &eight));
    assert_int_equal(slx_share_part(&in, &(slx_share_cut){.pages_log2 = 0}, &eight), 1);
    assert_int_equal(slx_share_each(8), 1);
    assert_int_equal(slx_share_each(16), 16);
    /* as many as tiles, all alike: there is nothing to gain */
    slx_share_seq many[16];
    for (int i = 0; i < 16; i++) many[i] = far;
    assert_int_equal(slx_share_choose(&in, many, 16).pages_log2, SLX_SHARE_WHOLE);
    /* memory is busy anyway */
    in.attn_shared_page_ps = 22500;
    assert_int_equal(slx_share_choose(&in, &far, 1).pages_log2, SLX_SHARE_WHOLE);
}

/* What does not fit the descriptor is not chosen: then coarser parts, or none. */
static void test_room(void **state)
{
    (void)state;
    const slx_share_seq far = {1, 30000};
    slx_program_info in = splits(128, 8);
    uint32_t fine = slx_share_choose(&in, &far, 1).pages_log2;
    in.desc.max_states = 8 * 15; /* of groups, not of chunks */
    slx_share_cut cut = slx_share_choose(&in, &far, 1);
    assert_true(cut.pages_log2 >= 4 && cut.pages_log2 >= fine && cut.pages_log2 < SLX_SHARE_WHOLE);
    in.desc.max_states--;
    assert_int_equal(slx_share_choose(&in, &far, 1).pages_log2, SLX_SHARE_WHOLE);
    in = splits(128, 8), in.desc.max_merges = 7;
    assert_int_equal(slx_share_choose(&in, &far, 1).pages_log2, SLX_SHARE_WHOLE);
    in = splits(128, 8), in.desc.max_items = 8;
    assert_int_equal(slx_share_choose(&in, &far, 1).pages_log2, SLX_SHARE_WHOLE);
    in = splits(128, 8), in.desc.max_merges = 0;
    assert_int_equal(slx_share_choose(&in, &far, 1).pages_log2, SLX_SHARE_WHOLE);
}

/* Weights that tiles without work load beside attention must come after it where all have work. */
static void test_beside(void **state)
{
    (void)state;
    const slx_share_seq far = {1, 2000};
    slx_program_info in = splits(128, 8);
    assert_true(slx_share_choose(&in, &far, 1).pages_log2 < SLX_SHARE_WHOLE);
    in.attn_beside_ps = 4000000;
    assert_true(slx_share_choose(&in, &far, 1).pages_log2 < SLX_SHARE_WHOLE); /* a long step has no such loads */
    in.short_rows = 8;
    assert_int_equal(slx_share_choose(&in, &far, 1).pages_log2, SLX_SHARE_WHOLE);
}

/* Down the columns of a grid whose last row is not full. */
static void test_order(void **state)
{
    (void)state;
    slx_program_info in = {.n_tiles = 8, .grid_x = 3};
    const uint32_t want[8] = {0, 3, 6, 1, 4, 7, 2, 5};
    uint32_t order[8];
    slx_share_order(&in, order);
    assert_memory_equal(order, want, sizeof want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces), cmocka_unit_test(test_alike),
                                       cmocka_unit_test(test_uneven), cmocka_unit_test(test_split),
                                       cmocka_unit_test(test_room),   cmocka_unit_test(test_beside),
                                       cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
