/* What the boundaries of the mesh let through, against figures worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "time_small.h"

/* 128 tiles of silex-1 read 64 KiB each: memory alone would take 8 MiB / 8192 = 1024 clocks. 66 tiles stand in the left
 * six columns and get half of it from the right: 66 * 32 KiB through 11 links of 128 bytes are 1536 clocks. With one
 * entry a stack its one link is the limit: 8 MiB / (6 * 128). */
static void test_mesh(void **state)
{
    small *s = *state;
    static const char own[] = "ALU.mul r5, r1, 0x10000\nLI r6, 0x1000000\nALU.add r5, r5, r6\nLD "
                              "[0], [r5], 65536, 1, 0, 0";
    static const uint32_t entries[] = {0, 22, 1};
    static const uint64_t clocks[] = {1024, 1536, 10923};
    small_chip(s, "silex-1");
    for (int i = 0; i < 3; i++) {
        s->c->noc.entries = entries[i];
        run(s, 128, own);
        uint64_t start = 5 + 3 + 24 + 81; /* dispatch, ALU, DMA, 54 ns; then the bytes and up to 22 hops */
        assert_in_range(s->r.cycles, start + clocks[i], start + clocks[i] + clocks[i] / 50 + 22 * 3);
    }
    /* eleven tiles, 64 KiB each, 512 clocks of a tile's link: of a column, six rows behind the cut and 5 / 11 of the
     * entries before it, all through one link: 6 * 5 / 11 * 512 = 1396; of a row, a link each */
    static const char some[] = "ALU.ltu r7, r7, 1\nALU.mul r5, r1, 0x10000\nLI r6, 0x1000000\nALU.add r5, r5, r6\n"
                               "LD [0], [r5], 65536, r7, 0, 0",
                      *const which[] = {"ALU.remu r7, r1, 12\n", "ALU.divu r7, r1, 11\n"};
    static const uint64_t through[] = {1396, 512};
    s->c->noc.entries = 22;
    for (int i = 0; i < 2; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s", which[i], some);
        run(s, 128, text);
        uint64_t start = 5 + 5 + 24 + 81;
        assert_in_range(s->r.cycles, start + through[i], start + through[i] + through[i] / 50 + 22 * 3);
    }
}

/* The 66 tiles in the left six columns of silex-1 read 16 KiB each, 64 granules of one stack: at first the stack at
 * the left edge nearest to their row, then the one at the right. Nothing passes the middle then, and the 24 tiles of
 * four rows take what a stack gives, 24 * 16 KiB at 8192 / 6 bytes a clock = 288; or all of it does, 66 * 16 KiB
 * through 11 links of 128 bytes = 768. */
static void test_mesh_one_stack(void **state)
{
    small *s = *state;
    static const char body[] = "ALU.remu r8, r1, 12\nALU.ltu r8, r8, 6\nALU.mul r8, r8, 64\n"
                               "ALU.divu r6, r1, 48\nALU.mul r6, r6, 512\nALU.mul r5, r1, 98304\n"
                               "ALU.add r5, r5, r6\nLI r6, 0x%x\nALU.add r5, r5, r6\n"
                               "LD [0], [r5], 256, r8, 1536, 256";
    static const uint64_t clocks[] = {288, 768};
    small_chip(s, "silex-1");
    for (int right = 0; right < 2; right++) {
        char text[512];
        snprintf(text, sizeof text, body, 0x1000200 + 256 * right); /* granule 65538 is of stack 0 */
        run(s, 128, text);
        uint64_t start = 5 + 9 + 24 + 81;
        assert_in_range(s->r.cycles, start + clocks[right], start + clocks[right] + clocks[right] / 50 + 22 * 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SMALL_TEST(test_mesh),
        SMALL_TEST(test_mesh_one_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
