/* The timing machine folded against itself tile by tile: tiles that go the same way are walked at once, part where
 * control flow asks for what differs, and meet behind barriers. What they add up must not show it. */
#include "chip/chip.h"
#include "isa/program.h"
#include "time/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { TILES = 32, WORDS = 16 /* of the descriptor, a tile */ };

/* Tile t loads its line of the descriptor: how often it goes round a loop, how many accumulators it adds, where in its
 * line it finds how often it goes round another behind the barrier. Odd rounds fill 64 values, tiles of 20 and more
 * take another way behind the barrier. Tile t stores 4 (t mod 3) + 60 bytes at 64 t: one or two units of memory. */
static const char text[] =
    ".info chip_name=\"silex-1\" n_tiles=32 spm_bytes=131072 acc_cells=4096 max_m=32 token_max=15\n"
    ".desc max_rows=256 max_samples=1 max_seqs=1 max_pages=1 max_items=1 item_rows=1\n"
    ".region name=\"d\" kind=descriptor base=0x1000 bytes=0x2000\n"
    ".region name=\"x\" kind=exchange base=0x2000000 bytes=0x1000000\n"
    ".group name=\"ALL\" first=0 count=32\n"
    "ALU.mul r4, r1, 64\nALU.add r4, r4, r3\nLD [0], [r4], 64, 1, 0, 0  post=t1\n"
    "LDS.u32 r5, [0], 9  wait=t1\nLDS.u32 r6, [4], 999\n"
    "LDS.u32 r10, [8], 60\nLDS.u32 r11, [r10], 9\n"
    "LOOP r5, rounds, r7\nALU.and r8, r7, 1\nBR.eq r8, 0, even\nVUN.fill [128], (1,64), <0,0,0>, 0.5\n"
    "even: AADD acc0, acc0, acc0, 16\n"
    "rounds: AADD acc0, acc0, acc0, r6\nBAR g0\n"
    "LOOP r11, again, r0\nVUN.fill [256], (2,64), <0,0,0>, 0.5\nagain: BR.ltu r1, 20, low\n"
    "AADD acc0, acc0, acc0, 32\n"
    "low: ALU.remu r12, r1, 3\nALU.mul r12, r12, 4\nALU.add r12, r12, 60\nALU.mul r13, r1, 64\nLI r14, 0x2000000\n"
    "ALU.add r13, r13, r14\nST [r13], [0], r12, 1, 0, 0\nBAR g0\nSYS.halt\n";

static void make_descriptor(uint32_t line[TILES][WORDS])
{
    for (uint32_t t = 0; t < TILES; t++) {
        line[t][0] = 7 * t % 5;
        line[t][1] = 16 + 512 * (t % 2);
        line[t][2] = 4 * (3 + t % 4);
        line[t][3 + t % 4] = 1 + t / 16;
    }
}

static void test_tiles_part_and_meet(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c;
    slx_program p;
    slx_time_result r[2];
    static uint32_t line[4 * TILES][WORDS]; /* as long as its region */
    uint32_t fills = 0, adds = 0, classes = 0;
    uint64_t bytes = 0;
    make_descriptor(line);
    assert_int_equal(slx_chip_load(&c, "silex-1", &err), SLX_OK);
    if (slx_asm(&p, text, strlen(text), "test", &err) != SLX_OK) fail_msg("%d: %s: %s", err.line, err.msg, err.source);
    assert_true(p.info.desc.bytes >= TILES * sizeof *line && p.info.desc.bytes <= sizeof line);
    for (uint32_t t = 0; t < TILES; t++) {
        bool known = false;
        for (uint32_t u = 0; u < t; u++) /* the same rounds, sums, rounds again, way and store; the load's way apart */
            known |= t % 5 == u % 5 && t % 2 == u % 2 && t / 16 == u / 16 && (t < 20) == (u < 20) && t % 3 == u % 3;
        classes += !known;
        fills += line[t][0] / 2 + 1 + t / 16;
        adds += line[t][0] + 1 + (t >= 20);
        bytes += 60 + 4 * (t % 3);
    }
    for (int fold = 0; fold < 2; fold++) {
        if (slx_time_step(&p, c, (const uint8_t *)line, &(slx_time_options){.folded = fold}, &r[fold], &err) != SLX_OK)
            fail_msg("%s", err.msg);
        assert_int_equal(r[fold].engine[SLX_ENG_VEC].insns, fills);
        assert_int_equal(r[fold].engine[SLX_ENG_TEN].insns, adds);
        assert_int_equal(r[fold].hbm_write_bytes, bytes);
        assert_int_equal(r[fold].hbm_read_bytes, TILES * 64);
    }
    assert_int_equal(r[1].n_classes, classes);
    assert_int_equal(r[0].cycles, r[1].cycles); /* no class is large enough for one tile to stand for it */
    assert_int_equal(r[0].energy_fj, r[1].energy_fj);
    assert_memory_equal(r[0].wire_fj, r[1].wire_fj, sizeof r[0].wire_fj);
    assert_memory_equal(r[0].layer_fj, r[1].layer_fj, r[0].n_layers * sizeof *r[0].layer_fj);
    for (int e = 0; e < SLX_N_ENGINES; e++) {
        assert_int_equal(r[0].engine[e].insns, r[1].engine[e].insns);
        assert_int_equal(r[0].engine[e].energy_fj, r[1].engine[e].energy_fj);
    }
    assert_int_equal(r[0].spm_read_bytes, r[1].spm_read_bytes);
    assert_int_equal(r[0].spm_write_bytes, r[1].spm_write_bytes);
    for (int i = 0; i < 2; i++) slx_time_result_free(&r[i]);
    slx_program_free(&p);
    slx_chip_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tiles_part_and_meet)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
