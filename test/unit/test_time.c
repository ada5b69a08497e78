/* The timing machine's engines, queues, tokens and barriers against figures worked out by hand from a chip's
 * numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "time_small.h"

static void test_single(void **state)
{
    small *s = *state;
    static const struct {
        const char *text;
        unsigned op;
        uint64_t cycles;
    } cases[] = {
        /* one granule: 24 + 54 + 4 * 4 + 6 */
        {"LD [0], [w], 256, 1, 0, 0", SLX_OP_LD, 100},
        /* 16 granules in 16 pseudo-channels, 64 clocks of link: 24 + 54 + 64 + 6 */
        {"LD [0], [w], 4096, 1, 0, 0", SLX_OP_LD, 148},
        /* the same bytes in 16 rows */
        {"LD [0], [w], 256, 16, 256, 256", SLX_OP_LD, 148},
        /* 16 rows of 64 bytes in one pseudo-channel: 24 + 54 + 16 * 4 + 6 */
        {"LD [0], [w], 64, 16, 4096, 64", SLX_OP_LD, 148},
        /* 64 bytes across two units: 8 clocks */
        {"LD [0], [w+32], 64, 1, 0, 0", SLX_OP_LD, 92},
        /* 128 rows there; across two units each */
        {"LD [0], [w], 64, 128, 4096, 64", SLX_OP_LD, 24 + 54 + 128 * 4 + 6},
        {"LD [0], [w+32], 64, 128, 4096, 64", SLX_OP_LD, 24 + 54 + 128 * 8 + 6},
        {"LD [0], [w], 0, 1, 0, 0", SLX_OP_LD, 1},
        /* write: 24 + 16 + 54 + 6 */
        {"ST [x], [0], 256, 1, 0, 0", SLX_OP_ST, 100},
        /* half a unit is read first: 24 + 2 * 4 + 54 + 6 */
        {"ST [x], [0], 32, 1, 0, 0", SLX_OP_ST, 92},
        /* three indices, 256 bytes apart: 24 + 54 + 4 + 6 */
        {"STS.u32 [0], 3\nSTS.u32 [4], 9\nSTS.u32 [8], 4\nLDX [64], [w], [0], 3, 64, 256",
         SLX_OP_LDX, 88},
        /* 24 + 1*1*(1 + 1) + 32 - 1 */
        {"MM.mxint8.mxint8 acc0, [0], [64], [128], (2,4), (1,1) INIT", SLX_OP_MM, 57},
        /* 24 + 8 * 2 * (3 + 1) + 32 - 8 */
        {"MM.mxint8.mxint8 acc0, [0], [4096], [8192], (32,32), (3,3) INIT", SLX_OP_MM, 112},
        /* a quarter of the rate, four segments: 24 + 1 * 2 * (16 * 4 + 4) + 31 */
        {"MM.q4s.mxint8 acc0, [0], [4096], [8192], (1,32), (16,16) INIT G=4", SLX_OP_MM, 191},
        /* 8 + 3 */
        {"AADD acc0, acc64, acc128, 40", SLX_OP_AADD, 11},
        {"AADD acc0, acc0, acc0, 0", SLX_OP_AADD, 1},
        {"AOUT.fp32 [0], acc0, (2,4), 16, 0.0", SLX_OP_AOUT, 9},
        /* 12 + 2, 12 + 3 * 4, 12 + 128 / 8, 12 + 4 + 5 */
        {"VUN.fill [0], (1,32), <0,0,0>, 0.5", SLX_OP_VUN, 14},
        {"VCVT.mxint8.f32 [0], [1024], [2048], (2,32), <0,0,0>", SLX_OP_VCVT, 24},
        {"VSMX [0], [1024], [2048], [4096], (1,128), 0 H=1", SLX_OP_VSMX, 28},
        {"VRED.sum [0], [1024], (1,64), <0,0,0>", SLX_OP_VRED, 21},
        /* 2 columns of x: 12 + 14 * 1 */
        {"VBIN.div.full [0], [64], [128], (1,2), <0,0,0>", SLX_OP_VBIN, 26},
        /* two hops: 24 + 2 + 6 */
        {"MOV [0], 3, [128], 128, 1, (0,0)", SLX_OP_MOV, 32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(s, cases[i].op == SLX_OP_MOV ? 4 : 1, cases[i].text);
        const slx_time_event *e = find(s, 0, cases[i].op, 0);
        if (e->finish - e->start != cases[i].cycles)
            fail_msg("%s: %llu cycles, expected %llu", cases[i].text,
                     (unsigned long long)(e->finish - e->start),
                     (unsigned long long)cases[i].cycles);
        if (cases[i].op != SLX_OP_LDX) {
            assert_int_equal(e->start, 5);
            if (cases[i].op != SLX_OP_MOV) assert_int_equal(s->r.cycles, 5 + cases[i].cycles);
        }
    }
}

static void test_scratchpad_width(void **state)
{
    small *s = *state;
    s->c->tile.spm_banks = 1;
    s->c->tile.bank_bytes_clk = 1; /* 2 * 128 bytes read, 128 written, one a clock */
    run(s, 1, "VBIN.add.full [0], [1024], [2048], (1,32), <0,0,0>");
    assert_int_equal(finish_of(s, 0, SLX_OP_VBIN, 0), 5 + 384);
    /* 8192 sums alone: 3 * 32768 bytes at 64 a clock; a load of 64 KiB alone: 24 + 54 clocks, then 1024; both: the
     * load has what the sums leave, nothing. At 1024 a clock there is room for both */
    static const char sums[] = "VBIN.add.full [0], [65536], [131072], (16,512), <0,0,0>\n",
                      load[] = "LD [196608], [w], 65536, 1, 0, 0\n";
    char both[256];
    snprintf(both, sizeof both, "%s%s", sums, load);
    s->c->noc.link_bytes_clk = 4096, s->c->noc.hop_clk = 0;
    s->c->tile.bank_bytes_clk = 64;
    run(s, 1, sums);
    assert_int_equal(finish_of(s, 0, SLX_OP_VBIN, 0), 5 + 1536);
    run(s, 1, load);
    assert_int_equal(finish_of(s, 0, SLX_OP_LD, 0), 5 + 24 + 54 + 1024);
    run(s, 1, both);
    assert_int_equal(finish_of(s, 0, SLX_OP_VBIN, 0), 5 + 1536);
    assert_in_range(finish_of(s, 0, SLX_OP_LD, 0), 5 + 1536 + 1024, 5 + 1536 + 1024 + 1);
    assert_int_equal(s->r.cycles, finish_of(s, 0, SLX_OP_LD, 0));
    s->c->tile.spm_banks = 16;
    run(s, 1, both);
    assert_int_equal(finish_of(s, 0, SLX_OP_LD, 0), 6 + 24 + 54 + 256);
}

static void test_contention(void **state)
{
    small *s = *state;
    s->c->noc.link_bytes_clk = 4096;
    s->c->noc.hop_clk = 0;
    /* 64 KiB at 256 bytes a clock = 256 clocks; each tile its own */
    static const char own[] = "ALU.mul r5, r1, 0x10000\nLI r6, 0x1000000\nALU.add r5, r5, r6\nLD "
                              "[0], [r5], 65536, 1, 0, 0";
    static const int tiles[] = {1, 2, 4};
    for (int i = 0; i < 3; i++) {
        run(s, tiles[i], own);
        assert_int_equal(s->r.cycles, 5 + 3 + 24 + 54 + 256 * tiles[i]);
        assert_int_equal(s->r.roofline_hbm, 256 * tiles[i]);
        assert_int_equal(s->r.bound_by, SLX_TIME_WEIGHTS);
    }
    /* the same 256 bytes for all: one pseudo-channel, 16 clocks each */
    run(s, 4, "LD [0], [w], 256, 1, 0, 0");
    for (uint32_t t = 0; t < 4; t++)
        assert_int_equal(finish_of(s, t, SLX_OP_LD, 0), 5 + 24 + 54 + 16 * (t + 1));
    /* refreshes hide behind the other banks; with one bank and a queue of 32 requests, an opening serves 2 of 4 bursts
     * and takes 7 + 7 * 4 + 3 + 7 = 45 clocks where the pins need 16; the queue says so too, its first bursts apart */
    s->c->hbm.trefi_us = 3.9;
    run(s, 1, own);
    assert_int_equal(s->r.cycles, 5 + 3 + 24 + 54 + 256);
    s->c->hbm.trefi_us = 0;
    s->c->hbm.banks = s->c->hbm.bank_groups = 1;
    run(s, 1, own);
    assert_in_range(s->r.cycles, 5 + 3 + 24 + 54 + 256 * 45 / 16, 5 + 3 + 24 + 54 + 256 * 45 / 16 + 3);
}

static void test_in_flight(void **state)
{
    small *s = *state;
    /* 8 loads of 256 bytes from 8 pseudo-channels: one after another, or four at a time a clock
     * apart */
    static const char text[] = "LI r6, 0x1000000\nLOOP 8, end, r5\nLD [0], [r6], 256, 1, 0, "
                               "0\nALU.add r6, r6, 256\nend:\nSYS.nop";
    s->c->tile.queue_depth = 16;
    s->c->tile.dma_in_flight = 1;
    run(s, 1, text);
    assert_int_equal(finish_of(s, 0, SLX_OP_LD, 7), 5 + 2 + 8 * 100);
    s->c->tile.dma_in_flight = 4;
    run(s, 1, text);
    /* the fifth starts when the first ends, at 107; it and those behind it are dispatched long
     * before */
    assert_int_equal(finish_of(s, 0, SLX_OP_LD, 0), 107);
    assert_int_equal(start_of(s, 0, SLX_OP_LD, 1), 9);
    assert_int_equal(start_of(s, 0, SLX_OP_LD, 4), 107);
    assert_int_equal(finish_of(s, 0, SLX_OP_LD, 4), 207);
}

static void test_queue_depth(void **state)
{
    small *s = *state;
    /* eight times 9 clocks on TEN, then VEC */
    static const char text[] =
        "LOOP 8, end, r5\nAADD acc0, acc0, acc16, 16\nend:\nVUN.fill [0], (1,32), <0,0,0>, 0.5";
    s->c->tile.queue_depth = 16;
    run(s, 1, text);
    assert_int_equal(finish_of(s, 0, SLX_OP_AADD, 7), 6 + 8 * 9);
    assert_int_equal(start_of(s, 0, SLX_OP_VUN, 0), 10 + 4);
    /* one place: the last AADD enters when the one before it starts, at 6 + 6 * 9; VEC's is the
     * next clock */
    s->c->tile.queue_depth = 1;
    run(s, 1, text);
    assert_int_equal(finish_of(s, 0, SLX_OP_AADD, 7), 6 + 8 * 9);
    assert_int_equal(start_of(s, 0, SLX_OP_VUN, 0), 60 + 2 + 4);
}

static void test_tokens(void **state)
{
    small *s = *state;
    run(s, 1, "LD [0], [w], 256, 1, 0, 0  post=t1\n"
             "MM.mxint8.mxint8 acc0, [0], [64], [128], (2,4), (1,1) INIT  wait=t1 post=t2\n"
             "VUN.fill [4096], (1,32), <0,0,0>, 0.5  wait=t2");
    assert_int_equal(start_of(s, 0, SLX_OP_MM, 0), 105);
    assert_int_equal(start_of(s, 0, SLX_OP_VUN, 0), 162);
    assert_int_equal(s->r.cycles, 176);
    assert_int_equal(s->r.engine[SLX_ENG_TEN].token, 105 - 6);
    assert_int_equal(s->r.engine[SLX_ENG_VEC].token, 162 - 7);
    assert_int_equal(s->r.engine[SLX_ENG_TEN].busy, 57);
    /* the critical path: dispatch 5; start-up 24 + 54 + 6; 16 of bytes; 57; 14 */
    assert_int_equal(s->r.bound[SLX_TIME_CONTROL], 5);
    assert_int_equal(s->r.bound[SLX_TIME_STARTUP], 84);
    assert_int_equal(s->r.bound[SLX_TIME_WEIGHTS], 16);
    assert_int_equal(s->r.bound[SLX_TIME_TENSOR], 57);
    assert_int_equal(s->r.bound[SLX_TIME_VECTOR], 14);
    assert_int_equal(s->r.bound_by, SLX_TIME_STARTUP);
    /* VEC posts every 13 clocks, TEN takes every 192: the 18th post waits for the third take, as
     * a counter holds 15 */
    s->c->tile.queue_depth = 32;
    run(s, 1, "LOOP 18, end, r5\n"
             "VUN.fill [65536], (1,16), <0,0,0>, 0.5  post=t1\n"
             "MM.mxint8.mxint8 acc0, [0], [16384], [32768], (32,32), (8,8) INIT  wait=t1\n"
             "end: SYS.nop");
    assert_int_equal(start_of(s, 0, SLX_OP_MM, 0), 6 + 13);
    assert_int_equal(finish_of(s, 0, SLX_OP_VUN, 16), 6 + 17 * 13);
    assert_int_equal(finish_of(s, 0, SLX_OP_VUN, 17), 6 + 13 + 2 * 192);
    /* initial credit, and LDS that waits: 4 more clocks before the next dispatch */
    run(s, 1, "TOK t3, 2\n"
             "VUN.fill [0], (1,32), <0,0,0>, 0.0  wait=t3 post=t1\n"
             "LDS.u32 r4, [0], 9  wait=t1\n"
             "AADD acc0, acc0, acc0, 16");
    assert_int_equal(finish_of(s, 0, SLX_OP_VUN, 0), 6 + 14);
    assert_int_equal(start_of(s, 0, SLX_OP_AADD, 0), 20 + 1 + 4 + 1 + 4);
}

static void test_barrier(void **state)
{
    small *s = *state;
    run(s, 4, "BAR g0  post=t1\nLD [0], [w], 0, 0, 0, 0  wait=t1");
    for (uint32_t t = 0; t < 4; t++) {
        assert_int_equal(finish_of(s, t, SLX_OP_BAR, 0), 5 + 2 * 3);
        assert_int_equal(start_of(s, t, SLX_OP_LD, 0), 11);
    }
    assert_int_equal(s->r.bound[SLX_TIME_BARRIERS], 6);
    /* tile 2 comes late: its vector work is in everybody's path */
    run(s, 4, "BR.ne r1, 2, on\nVUN.fill [0], (1,320), <0,0,0>, 0.5\n"
        "VUN.fill [0], (1,320), <0,0,0>, 0.5  post=t2\nBAR g0  wait=t2 post=t1\nBR.eq r1, 2, end\n"
        "on: BAR g0  post=t1\nend: LD [0], [w], 0, 0, 0, 0  wait=t1");
    for (uint32_t t = 0; t < 4; t++)
        assert_int_equal(finish_of(s, t, SLX_OP_BAR, 0), 6 + 2 * 32 + 6);
    assert_int_equal(s->r.bound[SLX_TIME_VECTOR], 64);
    /* a store is visible before its tile's BAR starts, and no queue ever jams on it */
    run(s, 4, "ST [x], [0], 256, 1, 0, 0\nBAR g0  post=t1\nLD [0], [w], 0, 0, 0, 0  wait=t1");
    assert_true(start_of(s, 0, SLX_OP_BAR, 0) >= finish_of(s, 0, SLX_OP_ST, 0));
}

/* Tile 0 hands everybody the same 4 KiB: read once, 64 clocks of everybody's link, as far as the
 * farthest tile. */
static void test_multicast(void **state)
{
    small *s = *state;
    run(s, 4, "BR.ne r1, 0, on\nLD [0], [w], 4096, 1, 0, 0  to=g0\nBR.eq r1, 0, end\n"
             "on: LD [8192], [w+8192], 4096, 1, 0, 0\nend: SYS.nop");
    assert_int_equal(finish_of(s, 0, SLX_OP_LD, 0), 6 + 24 + 54 + 64 + 3 * 3);
    /* their own loads start in the same clock and come second over their links; 3, 1 and 2 hops */
    static const uint64_t hops[] = {0, 3, 1, 2};
    for (uint32_t t = 1; t < 4; t++)
        assert_int_equal(finish_of(s, t, SLX_OP_LD, 0), 6 + 24 + 54 + 2 * 64 + 3 * hops[t]);
    assert_int_equal(s->r.hbm_read_bytes, 4 * 4096);
    assert_int_equal(s->r.spm_write_bytes, 7 * 4096);
}

static void test_refusals(void **state)
{
    small *s = *state;
    slx_chip *c = s->c;
    c->ten.rate.q4s = 0;
    static const struct {
        const char *text;
        slx_status st;
        const char *says;
    } cases[] = {
        {"LD [0], [0x10], 64, 1, 0, 0", SLX_EFAULT, "outside"},
        {"ALU.divu r4, r1, r0", SLX_EFAULT, "division"},
        {"STS.u32 [0], 7\nLDS.u32 r4, [0], 6", SLX_EFAULT, "limit"},
        {"VUN.fill [0], (1,32), <0,0,0>, 0.5  wait=t1", SLX_EFAULT, "waits for ever"},
        {"MM.q4s.mxint8 acc0, [0], [4096], [8192], (2,32), (3,3) INIT", SLX_EUNSUPPORTED, "format"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int fold = 0; fold < 2; fold++) {
            slx_err err = {0};
            slx_program p;
            slx_time_result r;
            char text[2048];
            int n = snprintf(text, sizeof text, small_head, 1, 1);
            snprintf(text + n, sizeof text - (size_t)n, "%s\nSYS.halt\n", cases[i].text);
            assemble(&p, text);
            assert_int_equal(
                slx_time_step(&p, c, NULL, &(slx_time_options){.folded = fold}, &r, &err),
                cases[i].st);
            if (!strstr(err.msg, cases[i].says))
                fail_msg("\"%s\" does not say \"%s\"", err.msg, cases[i].says);
            if (p.info.n_tiles == 1 && !i) {
                p.info.n_tiles = 5;
                assert_int_equal(slx_time_step(&p, c, NULL, &(slx_time_options){0}, &r, &err),
                                 SLX_EINPUT);
            }
            slx_program_free(&p);
        }
}

static void test_trace(void **state)
{
    small *s = *state;
    slx_err err = {0};
    slx_chip *c = s->c;
    slx_program p;
    char text[1024], *json = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&json, &len);
    snprintf(text, sizeof text, small_head, 1, 1);
    strcat(text, ".span tmpl=0 count=1 name=\"a\\\"b\"\nLD [0], [w], 256, 1, 0, 0\nSYS.halt\n");
    assemble(&p, text);
    slx_time_trace t;
    slx_time_result r;
    slx_time_trace_begin(&t, f, &p);
    slx_time_options opt = {.event = slx_time_trace_event, .event_arg = &t};
    assert_int_equal(slx_time_step(&p, c, NULL, &opt, &r, &err), SLX_OK);
    assert_int_equal(slx_time_trace_end(&t, "memory", &err), SLX_OK);
    fclose(f);
    /* 5 clocks of 1 GHz, then 100 */
    if (!strstr(
            json,
            "\"name\":\"LD "
            "a_b\",\"ts\":0.0050,\"dur\":0.1000,\"args\":{\"pc\":0,\"start\":5,\"finish\":105}}"))
        fail_msg("%s", json);
    free(json);
    slx_time_result_free(&r);
    slx_program_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SMALL_TEST(test_single),
        SMALL_TEST(test_scratchpad_width),
        SMALL_TEST(test_contention),
        SMALL_TEST(test_in_flight),
        SMALL_TEST(test_queue_depth),
        SMALL_TEST(test_tokens),
        SMALL_TEST(test_barrier),
        SMALL_TEST(test_multicast),
        SMALL_TEST(test_refusals),
        SMALL_TEST(test_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
