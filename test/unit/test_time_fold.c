/* The timing machine folded against itself tile by tile: tiles that go the same way are walked at once, part where
 * control flow asks for what differs, and meet behind barriers; layers that repeat one another are left out. What they
 * add up must not show it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "time_small.h"

enum { TILES = 32, WORDS = 16 /* of the descriptor, a tile */ };

/* Tile t loads its line of the descriptor: how often it goes round a loop, how many accumulators it adds, where in its
 * line it finds how often it goes round another behind the barrier. Odd rounds fill 64 values, tiles of 20 and more
 * take another way behind the barrier. Tile t stores 4 (t mod 3) + 60 bytes at 64 t: one or two units of memory. */
static const char parting[] =
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
    assemble(&p, parting);
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

/* Tile 0 hands a table of the descriptor to 31 others, which loop as often as it says: a folded
 * run sees it too. */
static void test_multicast_steers(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c;
    slx_program p;
    slx_time_result r[2];
    uint8_t desc[4096] = {5};
    char text[2048];
    assert_int_equal(slx_chip_load(&c, "silex-1", &err), SLX_OK);
    snprintf(text, sizeof text, "%s",
             ".info chip_name=\"silex-1\" n_tiles=32 spm_bytes=131072 acc_cells=4096 max_m=32 "
             "token_max=15\n"
             ".desc max_rows=1 max_samples=1 max_seqs=1 max_pages=1 max_items=1 item_rows=1\n"
             ".region name=\"d\" kind=descriptor base=0x1000 bytes=4096\n"
             ".group name=\"ALL\" first=0 count=32\n"
             "BR.ne r1, 0, on\nLD [0], [r3], 64, 1, 0, 0  to=g0 post=t1\nBR.eq r1, 0, go\n"
             "on: LD [64], [r3], 0, 0, 0, 0  post=t1\n"
             "go: MOV [0], 1, [0], 0, 0, (0,0)  wait=t1\nBAR g0  post=t2\n"
             "LDS.u32 r4, [0], 9  wait=t2\n"
             "LOOP r4, end, r5\nVUN.fill [128], (1,64), <0,0,0>, 0.5\nend: SYS.halt\n");
    assemble(&p, text);
    for (int fold = 0; fold < 2; fold++) {
        if (slx_time_step(&p, c, desc, &(slx_time_options){.folded = fold}, &r[fold], &err) !=
            SLX_OK)
            fail_msg("%s", err.msg);
        assert_int_equal(r[fold].engine[SLX_ENG_VEC].insns, 32 * 5);
        assert_int_equal(r[fold].bound[SLX_TIME_VECTOR], 5 * 13);
    }
    assert_int_equal(r[1].n_classes, 2);
    assert_int_equal(r[0].cycles, r[1].cycles);
    slx_time_result_free(&r[0]);
    slx_time_result_free(&r[1]);
    slx_program_free(&p);
    slx_chip_free(c);
}

/* Which programs' layers may stand for one another: same counts whatever is left out, and nothing left out where a
 * layer differs that is not among those looked at. The body has 13 layers, an MM of 192 multiply-adds, and one more
 * where r6 says so. */
static void test_repeat(void **state)
{
    small *s = *state;
    static const char loop[] = "LI r7, 0\nLI r6, 0\nLOOP 13, end, r5\n.span tmpl=0 count=1 name=\"a\"\nSYS.nop\n%s\n"
                               "LOOP r6, one\nMM.mxint8.mxint8 acc0, [0], [64], [128], (2,3), (1,1) INIT\none:\n"
                               "MM.mxint8.mxint8 acc0, [0], [64], [128], (2,3), (1,1) INIT  post=t2\n%s"
                               ".span tmpl=0 count=1 name=\"b\"\nend: SYS.nop";
    static const char bar[] = "BAR g0  wait=t2 post=t1\nSYS.nop  wait=t1\n", no_bar[] = "SYS.nop";
    static const struct {
        const char *body;
        uint32_t layers, more; /* simulated; second MMs */
    } cases[] = {
        {"SYS.nop", 2, 0},
        {no_bar, 13, 0}, /* nothing says when a layer is over */
        {"ALU.mul r8, r5, 4096\nALU.add r8, r8, 0x1000000\nLD [0], [r8], 64, 1, 0, 0", 2, 0}, /* addresses */
        {"ALU.mul r8, r5, 32\nALU.add r8, r8, 0x1000000\nLD [0], [r8], 64, 1, 0, 0", 13, 0}, /* one unit or two */
        {"ALU.sub r7, 4096, r7\nVUN.fill [r7], (1,32), <0,0,0>, 0.5", 2, 0}, /* a buffer in turn */
        {"ALU.ltu r6, r5, 12", 4, 12},                                          /* the last is different */
        {"ALU.ltu r6, r5, 7", 13, 7},
        {"ALU.eq r6, r5, 6", 13, 1},
        {"ALU.and r6, r5, 3\nALU.eq r6, r6, 1", 13, 3}, /* 1, 5, 9 */
        {"LI r6, 1\nBR.ne r5, 6, on\nLI r6, 0\non: SYS.nop", 13, 12},
        {"LI r6, 1\nBR.ne r5, 12, on\nLI r6, 0\non: SYS.nop", 4, 12},
        {"ALU.add r7, r7, 1\nALU.ltu r6, r7, 9", 13, 8}, /* a number of its own */
        {"ALU.add r7, r7, 1\nSTS.u32 [0], r7\nLDS.u32 r6, [0], 99\nALU.ltu r6, r6, 9", 13, 8},
    };
    slx_chip *c = s->c;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        slx_err err = {0};
        slx_program p;
        slx_time_result r[2];
        char text[4096];
        int n = snprintf(text, sizeof text, small_head, 1, 1);
        n += snprintf(text + n, sizeof text - (size_t)n, loop, cases[i].body, cases[i].body == no_bar ? "" : bar);
        snprintf(text + n, sizeof text - (size_t)n, "\nSYS.halt\n");
        assemble(&p, text);
        p.info.n_layers = 13;
        for (int fold = 0; fold < 2; fold++)
            if (slx_time_step(&p, c, NULL, &(slx_time_options){.folded = fold}, &r[fold], &err) != SLX_OK)
                fail_msg("%s", err.msg);
        if (r[1].layers_simulated != cases[i].layers)
            fail_msg("\"%s\": %u layers", cases[i].body, r[1].layers_simulated);
        assert_int_equal(r[0].macs, 192 * (13 + cases[i].more));
        assert_int_equal(r[1].macs, r[0].macs);
        assert_int_equal(r[1].hbm_read_bytes, r[0].hbm_read_bytes);
        assert_int_equal(r[1].energy_fj - r[1].static_fj, r[0].energy_fj - r[0].static_fj);
        assert_memory_equal(r[1].layer_fj, r[0].layer_fj, 14 * sizeof r[0].layer_fj[0]);
        for (int e = 0; e < SLX_N_ENGINES; e++) assert_int_equal(r[1].engine[e].insns, r[0].engine[e].insns);
        if (fabs((double)r[1].cycles / (double)r[0].cycles - 1) >= 0.02)
            fail_msg("\"%s\": %llu cycles, %llu with all layers", cases[i].body, (unsigned long long)r[1].cycles,
                     (unsigned long long)r[0].cycles);
        slx_time_result_free(&r[0]);
        slx_time_result_free(&r[1]);
        slx_program_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiles_part_and_meet),
        cmocka_unit_test(test_multicast_steers),
        SMALL_TEST(test_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
