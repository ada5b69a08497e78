/* The timing machine against figures worked out by hand from a chip's numbers, against the
 * functional machine's counts, against bounds no chip can beat, and against itself folded. Chip:
 * silex-mini without refresh, so that
 *      64 bytes of a pseudo-channel take 4 clocks, an access 14 + 40, the start of a transfer 24,
 *   a hop 3
 *      tile 0 has 2 hops to the stack, its link takes 64 bytes a clock; CTL dispatches the first
 *   instruction at 1 + 4 */
#include "chip/silicon.h"
#include "compile/compile.h"
#include "func/func.h"
#include "isa/step.h"
#include "run/estimate.h"
#include "time/memo_int.h"
#include "time/time.h"
#include "gguf_make.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* ------------------------------------------------------------------ small programs */

static slx_chip *mini(void)
{
    slx_err err = {0};
    slx_chip *c;
    if (slx_chip_load(&c, "silex-mini", &err) != SLX_OK) fail_msg("%s", err.msg);
    c->hbm.trefi_us = 0;
    assert_int_equal(c->tile.dma_cycles, 24);
    assert_int_equal(c->hbm.trcd_ns + c->hbm.latency_ns, 54);
    return c;
}

enum { MOST = 4096 };
typedef struct {
    slx_time_event e[MOST];
    uint32_t n;
} events;

static void record(void *arg, const slx_time_event *e)
{
    events *v = arg;
    if (v->n < MOST) v->e[v->n] = *e;
    v->n++;
}

static const char head[] = ".info chip_name=\"silex-mini\" n_tiles=%d spm_bytes=131072 "
                           "acc_cells=4096 max_m=32 token_max=%d\n"
                           ".region name=\"w\" kind=weights base=0x1000000 bytes=0x1000000\n"
                           ".region name=\"x\" kind=exchange base=0x2000000 bytes=0x1000000\n"
                           ".group name=\"ALL\" first=0 count=%d\n";

/* Runs a program of `tiles` tiles; events of all instructions that are not CTL's. */
static void run_text(const slx_chip *c, int tiles, int token_max, const char *body, events *ev,
                     slx_time_result *r)
{
    slx_err err = {0};
    slx_program p;
    char text[8192];
    int n = snprintf(text, sizeof text, head, tiles, token_max, tiles);
    snprintf(text + n, sizeof text - (size_t)n, "%s\nSYS.halt\n", body);
    if (slx_asm(&p, text, strlen(text), "test", &err) != SLX_OK)
        fail_msg("%d: %s: %s", err.line, err.msg, err.source);
    ev->n = 0;
    slx_time_options opt = {.event = record, .event_arg = ev};
    if (slx_time_step(&p, c, NULL, &opt, r, &err) != SLX_OK) fail_msg("%s", err.msg);
    slx_program_free(&p);
}

static const slx_time_event *find(const events *v, uint32_t tile, unsigned op, uint32_t nth)
{
    for (uint32_t i = 0; i < v->n && i < MOST; i++)
        if (v->e[i].tile == tile && v->e[i].op == op && nth-- == 0) return &v->e[i];
    fail_msg("no event of opcode 0x%02x on tile %u", op, tile);
    return NULL;
}

static void test_single(void **state)
{
    (void)state;
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
    slx_chip *c = mini();
    events *ev = slx_xcalloc(1, sizeof *ev);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        slx_time_result r;
        run_text(c, cases[i].op == SLX_OP_MOV ? 4 : 1, 15, cases[i].text, ev, &r);
        const slx_time_event *e = find(ev, 0, cases[i].op, 0);
        if (e->finish - e->start != cases[i].cycles)
            fail_msg("%s: %llu cycles, expected %llu", cases[i].text,
                     (unsigned long long)(e->finish - e->start),
                     (unsigned long long)cases[i].cycles);
        if (cases[i].op != SLX_OP_LDX) {
            assert_int_equal(e->start, 5);
            if (cases[i].op != SLX_OP_MOV) assert_int_equal(r.cycles, 5 + cases[i].cycles);
        }
        slx_time_result_free(&r);
    }
    free(ev);
    slx_chip_free(c);
}

static void test_scratchpad_width(void **state)
{
    (void)state;
    slx_chip *c = mini();
    events *ev = slx_xcalloc(1, sizeof *ev);
    slx_time_result r;
    c->tile.spm_banks = 1;
    c->tile.bank_bytes_clk = 1; /* 2 * 128 bytes read, 128 written, one a clock */
    run_text(c, 1, 15, "VBIN.add.full [0], [1024], [2048], (1,32), <0,0,0>", ev, &r);
    assert_int_equal(find(ev, 0, SLX_OP_VBIN, 0)->finish, 5 + 384);
    slx_time_result_free(&r);
    /* 8192 sums alone: 3 * 32768 bytes at 64 a clock; a load of 64 KiB alone: 24 + 54 clocks, then 1024; both: the
     * load has what the sums leave, nothing. At 1024 a clock there is room for both */
    static const char sums[] = "VBIN.add.full [0], [65536], [131072], (16,512), <0,0,0>\n",
                      load[] = "LD [196608], [w], 65536, 1, 0, 0\n";
    char both[256];
    snprintf(both, sizeof both, "%s%s", sums, load);
    c->noc.link_bytes_clk = 4096, c->noc.hop_clk = 0;
    c->tile.bank_bytes_clk = 64;
    run_text(c, 1, 15, sums, ev, &r);
    assert_int_equal(find(ev, 0, SLX_OP_VBIN, 0)->finish, 5 + 1536);
    slx_time_result_free(&r);
    run_text(c, 1, 15, load, ev, &r);
    assert_int_equal(find(ev, 0, SLX_OP_LD, 0)->finish, 5 + 24 + 54 + 1024);
    slx_time_result_free(&r);
    run_text(c, 1, 15, both, ev, &r);
    assert_int_equal(find(ev, 0, SLX_OP_VBIN, 0)->finish, 5 + 1536);
    assert_in_range(find(ev, 0, SLX_OP_LD, 0)->finish, 5 + 1536 + 1024, 5 + 1536 + 1024 + 1);
    assert_int_equal(r.cycles, find(ev, 0, SLX_OP_LD, 0)->finish);
    slx_time_result_free(&r);
    c->tile.spm_banks = 16;
    run_text(c, 1, 15, both, ev, &r);
    assert_int_equal(find(ev, 0, SLX_OP_LD, 0)->finish, 6 + 24 + 54 + 256);
    slx_time_result_free(&r);
    free(ev);
    slx_chip_free(c);
}

static void test_contention(void **state)
{
    (void)state;
    slx_chip *c = mini();
    events *ev = slx_xcalloc(1, sizeof *ev);
    slx_time_result r;
    c->noc.link_bytes_clk = 4096;
    c->noc.hop_clk = 0;
    /* 64 KiB at 256 bytes a clock = 256 clocks; each tile its own */
    static const char own[] = "ALU.mul r5, r1, 0x10000\nLI r6, 0x1000000\nALU.add r5, r5, r6\nLD "
                              "[0], [r5], 65536, 1, 0, 0";
    static const int tiles[] = {1, 2, 4};
    for (int i = 0; i < 3; i++) {
        run_text(c, tiles[i], 15, own, ev, &r);
        assert_int_equal(r.cycles, 5 + 3 + 24 + 54 + 256 * tiles[i]);
        assert_int_equal(r.roofline_hbm, 256 * tiles[i]);
        assert_int_equal(r.bound_by, SLX_TIME_WEIGHTS);
        slx_time_result_free(&r);
    }
    /* the same 256 bytes for all: one pseudo-channel, 16 clocks each */
    run_text(c, 4, 15, "LD [0], [w], 256, 1, 0, 0", ev, &r);
    for (uint32_t t = 0; t < 4; t++)
        assert_int_equal(find(ev, t, SLX_OP_LD, 0)->finish, 5 + 24 + 54 + 16 * (t + 1));
    slx_time_result_free(&r);
    /* refreshes hide behind the other banks; with one bank and a queue of 32 requests, an opening serves 2 of 4 bursts
     * and takes 7 + 7 * 4 + 3 + 7 = 45 clocks where the pins need 16; the queue says so too, its first bursts apart */
    c->hbm.trefi_us = 3.9;
    run_text(c, 1, 15, own, ev, &r);
    assert_int_equal(r.cycles, 5 + 3 + 24 + 54 + 256);
    slx_time_result_free(&r);
    c->hbm.trefi_us = 0;
    c->hbm.banks = c->hbm.bank_groups = 1;
    run_text(c, 1, 15, own, ev, &r);
    assert_in_range(r.cycles, 5 + 3 + 24 + 54 + 256 * 45 / 16, 5 + 3 + 24 + 54 + 256 * 45 / 16 + 3);
    slx_time_result_free(&r);
    free(ev);
    slx_chip_free(c);
}

static void test_in_flight(void **state)
{
    (void)state;
    slx_chip *c = mini();
    events *ev = slx_xcalloc(1, sizeof *ev);
    slx_time_result r;
    /* 8 loads of 256 bytes from 8 pseudo-channels: one after another, or four at a time a clock
     * apart */
    static const char text[] = "LI r6, 0x1000000\nLOOP 8, end, r5\nLD [0], [r6], 256, 1, 0, "
                               "0\nALU.add r6, r6, 256\nend:\nSYS.nop";
    c->tile.queue_depth = 16;
    c->tile.dma_in_flight = 1;
    run_text(c, 1, 15, text, ev, &r);
    assert_int_equal(find(ev, 0, SLX_OP_LD, 7)->finish, 5 + 2 + 8 * 100);
    slx_time_result_free(&r);
    c->tile.dma_in_flight = 4;
    run_text(c, 1, 15, text, ev, &r);
    /* the fifth starts when the first ends, at 107; it and those behind it are dispatched long
     * before */
    assert_int_equal(find(ev, 0, SLX_OP_LD, 0)->finish, 107);
    assert_int_equal(find(ev, 0, SLX_OP_LD, 1)->start, 9);
    assert_int_equal(find(ev, 0, SLX_OP_LD, 4)->start, 107);
    assert_int_equal(find(ev, 0, SLX_OP_LD, 4)->finish, 207);
    slx_time_result_free(&r);
    free(ev);
    slx_chip_free(c);
}

static void test_queue_depth(void **state)
{
    (void)state;
    slx_chip *c = mini();
    events *ev = slx_xcalloc(1, sizeof *ev);
    slx_time_result r;
    /* eight times 9 clocks on TEN, then VEC */
    static const char text[] =
        "LOOP 8, end, r5\nAADD acc0, acc0, acc16, 16\nend:\nVUN.fill [0], (1,32), <0,0,0>, 0.5";
    c->tile.queue_depth = 16;
    run_text(c, 1, 15, text, ev, &r);
    assert_int_equal(find(ev, 0, SLX_OP_AADD, 7)->finish, 6 + 8 * 9);
    assert_int_equal(find(ev, 0, SLX_OP_VUN, 0)->start, 10 + 4);
    slx_time_result_free(&r);
    /* one place: the last AADD enters when the one before it starts, at 6 + 6 * 9; VEC's is the
     * next clock */
    c->tile.queue_depth = 1;
    run_text(c, 1, 15, text, ev, &r);
    assert_int_equal(find(ev, 0, SLX_OP_AADD, 7)->finish, 6 + 8 * 9);
    assert_int_equal(find(ev, 0, SLX_OP_VUN, 0)->start, 60 + 2 + 4);
    slx_time_result_free(&r);
    free(ev);
    slx_chip_free(c);
}

static void test_tokens(void **state)
{
    (void)state;
    slx_chip *c = mini();
    events *ev = slx_xcalloc(1, sizeof *ev);
    slx_time_result r;
    run_text(c, 1, 15,
             "LD [0], [w], 256, 1, 0, 0  post=t1\n"
             "MM.mxint8.mxint8 acc0, [0], [64], [128], (2,4), (1,1) INIT  wait=t1 post=t2\n"
             "VUN.fill [4096], (1,32), <0,0,0>, 0.5  wait=t2",
             ev, &r);
    assert_int_equal(find(ev, 0, SLX_OP_MM, 0)->start, 105);
    assert_int_equal(find(ev, 0, SLX_OP_VUN, 0)->start, 162);
    assert_int_equal(r.cycles, 176);
    assert_int_equal(r.engine[SLX_ENG_TEN].token, 105 - 6);
    assert_int_equal(r.engine[SLX_ENG_VEC].token, 162 - 7);
    assert_int_equal(r.engine[SLX_ENG_TEN].busy, 57);
    /* the critical path: dispatch 5; start-up 24 + 54 + 6; 16 of bytes; 57; 14 */
    assert_int_equal(r.bound[SLX_TIME_CONTROL], 5);
    assert_int_equal(r.bound[SLX_TIME_STARTUP], 84);
    assert_int_equal(r.bound[SLX_TIME_WEIGHTS], 16);
    assert_int_equal(r.bound[SLX_TIME_TENSOR], 57);
    assert_int_equal(r.bound[SLX_TIME_VECTOR], 14);
    assert_int_equal(r.bound_by, SLX_TIME_STARTUP);
    slx_time_result_free(&r);
    /* VEC posts every 13 clocks, TEN takes every 192: the 18th post waits for the third take, as
     * a counter holds 15 */
    c->tile.queue_depth = 32;
    run_text(c, 1, 15,
             "LOOP 18, end, r5\n"
             "VUN.fill [65536], (1,16), <0,0,0>, 0.5  post=t1\n"
             "MM.mxint8.mxint8 acc0, [0], [16384], [32768], (32,32), (8,8) INIT  wait=t1\n"
             "end: SYS.nop",
             ev, &r);
    assert_int_equal(find(ev, 0, SLX_OP_MM, 0)->start, 6 + 13);
    assert_int_equal(find(ev, 0, SLX_OP_VUN, 16)->finish, 6 + 17 * 13);
    assert_int_equal(find(ev, 0, SLX_OP_VUN, 17)->finish, 6 + 13 + 2 * 192);
    slx_time_result_free(&r);
    /* initial credit, and LDS that waits: 4 more clocks before the next dispatch */
    run_text(c, 1, 15,
             "TOK t3, 2\n"
             "VUN.fill [0], (1,32), <0,0,0>, 0.0  wait=t3 post=t1\n"
             "LDS.u32 r4, [0], 9  wait=t1\n"
             "AADD acc0, acc0, acc0, 16",
             ev, &r);
    assert_int_equal(find(ev, 0, SLX_OP_VUN, 0)->finish, 6 + 14);
    assert_int_equal(find(ev, 0, SLX_OP_AADD, 0)->start, 20 + 1 + 4 + 1 + 4);
    slx_time_result_free(&r);
    free(ev);
    slx_chip_free(c);
}

static void test_barrier(void **state)
{
    (void)state;
    slx_chip *c = mini();
    events *ev = slx_xcalloc(1, sizeof *ev);
    slx_time_result r;
    run_text(c, 4, 15, "BAR g0  post=t1\nLD [0], [w], 0, 0, 0, 0  wait=t1", ev, &r);
    for (uint32_t t = 0; t < 4; t++) {
        assert_int_equal(find(ev, t, SLX_OP_BAR, 0)->finish, 5 + 2 * 3);
        assert_int_equal(find(ev, t, SLX_OP_LD, 0)->start, 11);
    }
    assert_int_equal(r.bound[SLX_TIME_BARRIERS], 6);
    slx_time_result_free(&r);
    /* tile 2 comes late: its vector work is in everybody's path */
    run_text(
        c, 4, 15,
        "BR.ne r1, 2, on\nVUN.fill [0], (1,320), <0,0,0>, 0.5\n"
        "VUN.fill [0], (1,320), <0,0,0>, 0.5  post=t2\nBAR g0  wait=t2 post=t1\nBR.eq r1, 2, end\n"
        "on: BAR g0  post=t1\nend: LD [0], [w], 0, 0, 0, 0  wait=t1",
        ev, &r);
    for (uint32_t t = 0; t < 4; t++)
        assert_int_equal(find(ev, t, SLX_OP_BAR, 0)->finish, 6 + 2 * 32 + 6);
    assert_int_equal(r.bound[SLX_TIME_VECTOR], 64);
    slx_time_result_free(&r);
    /* a store is visible before its tile's BAR starts, and no queue ever jams on it */
    run_text(c, 4, 15,
             "ST [x], [0], 256, 1, 0, 0\nBAR g0  post=t1\nLD [0], [w], 0, 0, 0, 0  wait=t1", ev,
             &r);
    assert_true(find(ev, 0, SLX_OP_BAR, 0)->start >= find(ev, 0, SLX_OP_ST, 0)->finish);
    slx_time_result_free(&r);
    free(ev);
    slx_chip_free(c);
}

/* Tile 0 hands everybody the same 4 KiB: read once, 64 clocks of everybody's link, as far as the
 * farthest tile. */
static void test_multicast(void **state)
{
    (void)state;
    slx_chip *c = mini();
    events *ev = slx_xcalloc(1, sizeof *ev);
    slx_time_result r;
    run_text(c, 4, 15,
             "BR.ne r1, 0, on\nLD [0], [w], 4096, 1, 0, 0  to=g0\nBR.eq r1, 0, end\n"
             "on: LD [8192], [w+8192], 4096, 1, 0, 0\nend: SYS.nop",
             ev, &r);
    assert_int_equal(find(ev, 0, SLX_OP_LD, 0)->finish, 6 + 24 + 54 + 64 + 3 * 3);
    /* their own loads start in the same clock and come second over their links; 3, 1 and 2 hops */
    static const uint64_t hops[] = {0, 3, 1, 2};
    for (uint32_t t = 1; t < 4; t++)
        assert_int_equal(find(ev, t, SLX_OP_LD, 0)->finish, 6 + 24 + 54 + 2 * 64 + 3 * hops[t]);
    assert_int_equal(r.hbm_read_bytes, 4 * 4096);
    assert_int_equal(r.spm_write_bytes, 7 * 4096);
    slx_time_result_free(&r);
    free(ev);
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
    if (slx_asm(&p, text, strlen(text), "test", &err) != SLX_OK)
        fail_msg("%d: %s: %s", err.line, err.msg, err.source);
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

/* By wire, by engine, by span, by layer: each sums to the total; the last three with what goes by time. */
static void check_splits(const slx_time_result *r)
{
    uint64_t wires = 0, engines = r->static_fj, spans = 0, layers = 0;
    for (int w = 0; w < SLX_N_TIME_WIRES; w++) wires += r->wire_fj[w];
    for (int e = 0; e < SLX_N_ENGINES; e++) engines += r->engine[e].energy_fj;
    for (uint32_t s = 0; s < r->n_spans; s++) spans += r->spans[s].energy_fj + r->spans[s].static_fj;
    for (uint32_t l = 0; l < r->n_layers; l++) layers += r->layer_fj[l] + r->layer_static_fj[l];
    assert_int_equal(wires, r->energy_fj);
    assert_int_equal(engines, r->energy_fj);
    assert_int_equal(spans, r->energy_fj);
    assert_int_equal(layers, r->energy_fj);
    for (uint32_t s = 0; s < r->n_spans; s++) { /* as its time, within a femtojoule */
        double share = (double)r->static_fj * ((double)r->spans[s].cycles / (double)r->cycles);
        assert_true(fabs((double)r->spans[s].static_fj - share) <= 1 + 1e-12 * share);
    }
}

/* Energy of single instructions from the coefficients of the file. */
static void test_energy(void **state)
{
    (void)state;
    slx_chip *c = mini();
    events *ev = slx_xcalloc(1, sizeof *ev);
    slx_time_result r;
    run_text(c, 1, 15, "LD [0], [w], 256, 1, 0, 0", ev, &r);
    assert_int_equal(r.wire_fj[SLX_TIME_WIRE_HBM], 256 * 8 * 4000);
    assert_int_equal(r.wire_fj[SLX_TIME_WIRE_NOC], 256 * 8 * 2 * (60 + 50)); /* two hops of 1 mm */
    assert_int_equal(r.wire_fj[SLX_TIME_WIRE_SRAM],
                     256 * 8 * 80 + 2 * 256 * 70); /* and two fetches */
    assert_int_equal(r.engine[SLX_ENG_LDQ].energy_fj, 256 * 8 * (4000 + 220 + 80));
    slx_time_result_free(&r);
    run_text(c, 1, 15, "MM.q8s.mxint8 acc0, [0], [4096], [8192], (2,32), (3,3) INIT", ev, &r);
    assert_int_equal(r.macs, 2 * 32 * 96);
    assert_int_equal(r.wire_fj[SLX_TIME_WIRE_MAC], 2 * 32 * 96 * 45);
    assert_int_equal(r.wire_fj[SLX_TIME_WIRE_SUM],
                     2 * 32 * 3 * 600); /* a fused multiply-add a block */
    assert_int_equal(r.spm_read_bytes, 2 * 3 * 33 + 32 * 3 * 34);
    slx_time_result_free(&r);
    /* by time: a watt is 10^6 fJ a clock of 1 GHz; the rest as in the chip's power sheet */
    slx_constants *k;
    slx_area area;
    slx_time_watts w;
    assert_int_equal(slx_constants_load(&k, NULL), SLX_OK);
    assert_int_equal(slx_chip_get_area(&area, c, k, NULL), SLX_OK);
    assert_int_equal(slx_time_get_watts(&w, c, NULL), SLX_OK);
    assert_true(fabs(w.leak - 0.16 * area.silicon_mm2.mid) < 1e-9);
    assert_true(w.io == 0);
    run_text(c, 1, 15, "VUN.fill [0], (1,32), <0,0,0>, 0.5", ev, &r);
    assert_true(fabs((double)r.wire_fj[SLX_TIME_WIRE_LEAK] - w.leak * 19e6) <= 1);
    slx_time_result_free(&r);
    slx_constants_free(k);
    free(ev);
    slx_chip_free(c);
}

/* Weights in ROM, 96 blocks of 34 bytes through a port of 24: 24 + 3264/24 + 31, the tensor engine alone would take
 * 24 + 2 * (12 + 1) + 31; once more for every four rows. They cost the ROM's energy and not the scratchpad's. */
static void test_rom(void **state)
{
    (void)state;
    slx_chip *c = mini();
    events *ev = slx_xcalloc(1, sizeof *ev);
    slx_time_result near, rom;
    c->rom.mib = 1, c->rom.bytes_clk = 24, c->energy.rom_pj_b = 0.05;
    run_text(c, 1, 15, "MM.q8s.mxint8 acc0, [0], [4096], [8192], (2,32), (3,3) INIT", ev, &near);
    run_text(c, 1, 15, "MM.q8s.mxint8 acc0, [0], [4096], [8192], (2,32), (3,3) INIT ROM", ev, &rom);
    assert_int_equal(near.cycles, 5 + 24 + 26 + 31);
    assert_int_equal(rom.cycles, 5 + 24 + 136 + 31);
    assert_int_equal(rom.spm_read_bytes, 2 * 3 * 33);
    assert_int_equal(rom.macs, near.macs);
    assert_int_equal(near.wire_fj[SLX_TIME_WIRE_SRAM] - rom.wire_fj[SLX_TIME_WIRE_SRAM], 3264 * 8 * 70);
    assert_int_equal(rom.wire_fj[SLX_TIME_WIRE_ROM], 3264 * 8 * 50);
    assert_int_equal(near.wire_fj[SLX_TIME_WIRE_ROM], 0);
    check_splits(&rom);
    slx_time_result_free(&near);
    slx_time_result_free(&rom);
    run_text(c, 1, 15, "MM.q8s.mxint8 acc0, [0], [4096], [8192], (8,32), (3,3) INIT ROM", ev, &rom);
    assert_int_equal(rom.cycles, 5 + 24 + 2 * 136 + 30);
    slx_time_result_free(&rom);
    free(ev);
    slx_chip_free(c);
}

static void test_refusals(void **state)
{
    (void)state;
    slx_chip *c = mini();
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
            int n = snprintf(text, sizeof text, head, 1, 15, 1);
            snprintf(text + n, sizeof text - (size_t)n, "%s\nSYS.halt\n", cases[i].text);
            if (slx_asm(&p, text, strlen(text), "test", &err) != SLX_OK)
                fail_msg("%s: %s", err.msg, err.source);
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
    slx_chip_free(c);
}

/* Point 0 of silex-1 by hand: 0.55 V; 1.5 (0.25^1.3 / 0.55) / (0.45^1.3 / 0.75) = 0.95265, in whole MHz 0.953 GHz;
 * (0.55 / 0.75)^2 = 0.53778 of an event; 0.5 * 0.73333 + 0.5 * 0.53778 * 0.953 / 1.5 = 0.53750 of leakage and clock.
 * Then a step under every rating: the fastest point that keeps it, and what that point gives. */
static void test_power_limit(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c, other;
    slx_program p;
    assert_int_equal(slx_chip_load(&c, "silex-1", &err), SLX_OK);
    slx_time_watts w = {.leak = 100, .io = 7};
    slx_time_at_point(c, 0, &other, &w);
    assert_true(other.grid.clock_ghz == 0.953);
    assert_true(fabs(other.energy.w8a8_fj / c->energy.w8a8_fj - 0.53778) < 1e-5);
    assert_true(fabs(w.leak - 53.750) < 1e-3 && w.io == 7);
    assert_true(other.energy.hbm_pj_b == c->energy.hbm_pj_b && other.energy.serdes_pj_b == c->energy.serdes_pj_b);
    slx_time_at_point(c, c->dvfs.points - 1, &other, &w);
    assert_true(other.grid.clock_ghz == c->grid.clock_ghz && fabs(w.leak - 53.750) < 1e-3);

    char text[4096];
    int n = snprintf(text, sizeof text, head, 1, 15, 1);
    snprintf(text + n, sizeof text - (size_t)n,
             "LOOP 40, end, r5\nLD [0], [w], 4096, 1, 0, 0\n"
             "MM.mxint8.mxint8 acc0, [8192], [16384], [32768], (32,32), (8,8) INIT\nend: SYS.halt\n");
    if (slx_asm(&p, text, strlen(text), "test", &err) != SLX_OK) fail_msg("%s: %s", err.msg, err.source);
    slx_time_watts watts = {.leak = 1, .io = 0.5};
    slx_time_result at[64], r;
    for (uint32_t i = 0; i < c->dvfs.points; i++) {
        slx_time_watts there = watts;
        slx_time_at_point(c, i, &other, &there);
        other.dvfs.min_vdd_v = 0;
        assert_int_equal(slx_time_step(&p, &other, NULL, &(slx_time_options){.watts = &there}, &at[i], &err), SLX_OK);
        assert_true(!i || at[i].power_w > at[i - 1].power_w);
        assert_true(!i || at[i].seconds < at[i - 1].seconds);
    }
    for (uint32_t i = 0; i < c->dvfs.points; i++)
        for (int above = !i; above < 2; above++) {
            c->package.tdp_w = at[i].power_w * (above ? 1.0001 : 0.9999);
            uint32_t want = above ? i : i - 1;
            assert_int_equal(slx_time_step(&p, c, NULL, &(slx_time_options){.watts = &watts}, &r, &err), SLX_OK);
            assert_true(r.seconds == at[want].seconds && r.clock_ghz == at[want].clock_ghz);
            assert_int_equal(r.energy_fj, at[want].energy_fj);
            assert_int_equal(r.power_limited, want < c->dvfs.points - 1);
            assert_true(r.unlimited_s == at[c->dvfs.points - 1].seconds);
            slx_time_result_free(&r);
        }
    /* Below the slowest point the clock stands: events take their joules, 0.5375 W of leakage and clock and 0.5 W of
     * links go on. Nothing is left for events where those alone are the limit. */
    double events_j = (double)(at[0].energy_fj - at[0].static_fj) * 1e-15, idle = 0.53750 + 0.5;
    for (int i = 1; i < 4; i++) {
        c->package.tdp_w = idle + (at[0].power_w - idle) * 0.25 * i;
        assert_int_equal(slx_time_step(&p, c, NULL, &(slx_time_options){.watts = &watts}, &r, &err), SLX_OK);
        assert_true(fabs(r.seconds / (events_j / (c->package.tdp_w - idle)) - 1) < 1e-4);
        assert_true(r.power_w <= c->package.tdp_w && r.power_w > c->package.tdp_w * 0.999999);
        assert_true(fabs(r.paused - (1 - 0.25 * i)) < 1e-4 && r.power_limited && r.cycles == at[0].cycles);
        check_splits(&r);
        slx_time_result_free(&r);
    }
    c->package.tdp_w = idle * 0.99;
    assert_int_equal(slx_time_step(&p, c, NULL, &(slx_time_options){.watts = &watts}, &r, &err), SLX_EINPUT);
    assert_non_null(strstr(err.msg, "package.tdp_w: found"));
    assert_non_null(strstr(err.msg, "without any work"));
    for (uint32_t i = 0; i < c->dvfs.points; i++) slx_time_result_free(&at[i]);
    slx_program_free(&p);
    slx_chip_free(c);
}

/* Which programs' layers may stand for one another: same counts whatever is left out, and nothing left out where a
 * layer differs that is not among those looked at. The body has 13 layers, an MM of 192 multiply-adds, and one more
 * where r6 says so. */
static void test_repeat(void **state)
{
    (void)state;
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
    slx_chip *c = mini();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        slx_err err = {0};
        slx_program p;
        slx_time_result r[2];
        char text[4096];
        int n = snprintf(text, sizeof text, head, 1, 15, 1);
        n += snprintf(text + n, sizeof text - (size_t)n, loop, cases[i].body, cases[i].body == no_bar ? "" : bar);
        snprintf(text + n, sizeof text - (size_t)n, "\nSYS.halt\n");
        if (slx_asm(&p, text, strlen(text), "test", &err) != SLX_OK)
            fail_msg("%d: %s: %s", err.line, err.msg, err.source);
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
    slx_chip_free(c);
}

/* ------------------------------------------------------------------ compiled steps */

typedef struct {
    const char *name;
    struct slx_test_model_spec spec;
    uint32_t tp;
} shape;
static const shape shapes[] = {
    {"small",
     {.n_layers = 2,
      .d_model = 64,
      .d_ff = 96,
      .n_heads = 4,
      .n_kv_heads = 2,
      .vocab = 300,
      .seed = 7},
     1},
    {"wide",
     {.n_layers = 3,
      .d_model = 576,
      .d_ff = 1536,
      .n_heads = 9,
      .n_kv_heads = 3,
      .vocab = 1024,
      .context = 512,
      .seed = 8},
     1},
    {"odd",
     {.n_layers = 2,
      .d_model = 416,
      .d_ff = 704,
      .n_heads = 13,
      .n_kv_heads = 13,
      .vocab = 500,
      .context = 300,
      .seed = 9},
     1},
    {"deep",
     {.n_layers = 13,
      .d_model = 128,
      .d_ff = 320,
      .n_heads = 4,
      .n_kv_heads = 2,
      .vocab = 300,
      .context = 300,
      .seed = 10},
     1},
    {"shared",
     {.n_layers = 2,
      .d_model = 512,
      .d_ff = 1536,
      .n_heads = 8,
      .n_kv_heads = 8,
      .vocab = 600,
      .context = 300,
      .seed = 11},
     4},
};
static const char *const chips[] = {"silex-1", "silex-mini", "silex-one"};
/* sequences, new rows of each, positions before */
static const uint32_t steps[][3] = {{1, 1, 20}, {8, 1, 140}, {1, 40, 0}, {3, 20, 100}};

static void describe(const slx_program *p, uint8_t *desc, const uint32_t step[3])
{
    slx_err err = {0};
    uint32_t tokens[64] = {0}, pages[64], n_pages = (step[1] + step[2] + 127) / 128;
    slx_step_seq seq[16];
    for (uint32_t i = 0; i < 64; i++) pages[i] = i;
    for (uint32_t i = 0; i < step[0]; i++)
        seq[i] = (slx_step_seq){tokens, step[1], step[2], 1, pages + i * n_pages, n_pages};
    memset(desc, 0, p->info.desc.bytes);
    if (slx_step_build(&p->info, desc, seq, step[0], &err) != SLX_OK) fail_msg("%s", err.msg);
}

/* Everything that must hold of a step whatever the chip. */
static void invariants(const slx_program *p, const uint8_t *desc, const slx_time_result *r,
                       const char *what)
{
    slx_err err = {0};
    slx_step_counts n;
    uint64_t parts[2] = {0};
    if (slx_func_count(p, desc, &n, &err) != SLX_OK) fail_msg("%s", err.msg);
    assert_int_equal(r->macs, n.macs);
    assert_int_equal(r->hbm_read_bytes, n.hbm_read_bytes);
    assert_int_equal(r->hbm_write_bytes, n.hbm_write_bytes);
    for (int e = 0; e < SLX_N_ENGINES; e++) assert_int_equal(r->engine[e].insns, n.insns[e]);
    for (uint32_t s = 0; s < r->n_spans; s++) parts[0] += r->spans[s].cycles;
    for (int b = 0; b < SLX_N_TIME_BOUNDS; b++) parts[1] += r->bound[b];
    assert_int_equal(parts[0], r->cycles);
    assert_int_equal(parts[1], r->cycles);
    check_splits(r);
    /* most of a step passes in its layers, which share that time alike */
    assert_true(r->layer_static_fj[0] < r->static_fj / 2 && r->static_fj > 0);
    for (uint32_t l = 2; l < r->n_layers; l++)
        assert_true(fabs((double)r->layer_static_fj[l] - (double)r->layer_static_fj[1]) <= 1);
    if (r->cycles < r->roofline_cycles)
        fail_msg("%s: %llu cycles beat the roofline", what, (unsigned long long)r->cycles);
    /* layers do equal work, but that the last brings nothing for a next; addresses change hops and units a little */
    for (uint32_t l = 2; l < r->n_layers; l++) {
        double off = (double)r->layer_fj[l] / (double)r->layer_fj[1] - 1;
        assert_true(off < 0.05 && off > (l + 1 < r->n_layers ? -0.05 : -0.5));
    }
}

static void test_steps(void **state)
{
    (void)state;
    char path[] = "/tmp/slx_time_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    uint32_t folded = 0, classes = 0;
    for (size_t m = 0; m < sizeof shapes / sizeof *shapes; m++) {
        slx_err err = {0};
        slx_model *model;
        struct slx_test_model_spec spec = shapes[m].spec;
        assert_true(slx_test_write_model(path, &spec));
        if (slx_model_open(&model, path, &err) != SLX_OK) fail_msg("%s", err.msg);
        for (size_t k = 0; k < sizeof chips / sizeof *chips; k++) {
            slx_chip *c;
            slx_program p;
            if (slx_chip_load(&c, chips[k], &err) != SLX_OK) fail_msg("%s", err.msg);
            if (shapes[m].tp > 1 && !c->net.ports) {
                slx_chip_free(c);
                continue;
            }
            slx_compile_options opt = {.max_rows = 64, .max_pages = 64, .tp = shapes[m].tp};
            if (slx_compile(&p, model, c, &opt, NULL, NULL, &err) != SLX_OK)
                fail_msg("%s", err.msg);
            uint8_t *desc = slx_xcalloc(1, p.info.desc.bytes);
            for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
                char what[64];
                slx_time_result full, fold, again;
                snprintf(what, sizeof what, "%s on %s, step %zu", shapes[m].name, chips[k], s);
                describe(&p, desc, steps[s]);
                if (slx_time_step(&p, c, desc, &(slx_time_options){0}, &full, &err) != SLX_OK)
                    fail_msg("%s: %s", what, err.msg);
                if (slx_time_step(&p, c, desc, &(slx_time_options){.folded = true}, &fold, &err) !=
                    SLX_OK)
                    fail_msg("%s: %s", what, err.msg);
                if (slx_time_step(&p, c, desc, &(slx_time_options){0}, &again, &err) != SLX_OK)
                    fail_msg("%s: %s", what, err.msg);
                assert_int_equal(full.cycles, again.cycles);
                assert_int_equal(full.energy_fj, again.energy_fj);
                assert_memory_equal(full.bound, again.bound, sizeof full.bound);
                assert_memory_equal(full.engine, again.engine, sizeof full.engine);
                invariants(&p, desc, &full, what);
                invariants(&p, desc, &fold, what);
                assert_memory_equal(full.wire_fj, fold.wire_fj,
                                    SLX_TIME_WIRE_IO * sizeof full.wire_fj[0]);
                bool layers = shapes[m].spec.n_layers >= 10, tiles = shapes[m].tp >= 4 && fold.n_tiles >= 16;
                folded += layers || tiles;
                assert_int_equal(full.tiles_simulated, full.n_tiles);
                assert_int_equal(full.layers_simulated, shapes[m].spec.n_layers);
                assert_true(fold.tiles_simulated == fold.n_tiles ||
                            (tiles && fold.tiles_simulated <= fold.n_tiles / 2));
                classes += fold.tiles_simulated < fold.n_tiles;
                assert_int_equal(fold.layers_simulated, layers ? 2 : shapes[m].spec.n_layers);
                if (!layers && !tiles) assert_int_equal(fold.cycles, full.cycles);
                double off = (double)fold.cycles / (double)full.cycles - 1;
                uint64_t read = 0;
                for (int g = 0; g < SLX_N_REGION_KINDS; g++) read += full.region_read_bytes[g];
                assert_int_equal(read, full.hbm_read_bytes);
                /* whatever the depth of queues and the transfers under way: it ends, with the
                 * same counts */
                slx_chip narrow = *c;
                narrow.tile.queue_depth = narrow.tile.dma_in_flight = 1;
                slx_time_result thin;
                if (slx_time_step(&p, &narrow, desc, &(slx_time_options){0}, &thin, &err) != SLX_OK)
                    fail_msg("%s: %s", what, err.msg);
                invariants(&p, desc, &thin, what);
                assert_true(thin.cycles > full.cycles * 0.95);
                slx_time_result_free(&thin);
                if (getenv("SLX_TEST_VERBOSE"))
                    printf("%-28s full %8llu folded %+.2f %% tiles %u of %u, %s\n", what,
                           (unsigned long long)full.cycles, 100 * off, fold.tiles_simulated, fold.n_tiles,
                           slx_time_bound_name(full.bound_by));
                if (fabs(off) > 0.03) fail_msg("%s: folded %+.2f %% off", what, 100 * off);
                slx_time_result_free(&full);
                slx_time_result_free(&fold);
                slx_time_result_free(&again);
            }
            free(desc);
            slx_program_free(&p);
            slx_chip_free(c);
        }
        slx_model_close(model);
    }
    unlink(path);
    assert_true(folded >= 10 && classes >= 2);
}

/* ------------------------------------------------------------------ estimates and traces */

static void test_estimate(void **state)
{
    (void)state;
    char path[] = "/tmp/slx_time_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    slx_err err = {0};
    slx_model *model;
    slx_chip *c;
    slx_program p;
    slx_estimate e, two;
    struct slx_test_model_spec spec = shapes[0].spec;
    assert_true(slx_test_write_model(path, &spec));
    assert_int_equal(slx_model_open(&model, path, &err), SLX_OK);
    assert_int_equal(slx_chip_load(&c, "silex-mini", &err), SLX_OK);
    slx_compile_options opt = {.max_rows = 64, .max_pages = 64};
    assert_int_equal(slx_compile(&p, model, c, &opt, NULL, NULL, &err), SLX_OK);
    /* 100 tokens in chunks of 40: 40, 40, 20 */
    slx_estimate_options o = {
        .prompt = 100, .chunk = 40, .context = 100, .batch = 4, .bands = true};
    assert_int_equal(slx_estimate_run(&p, c, &o, &e, &err), SLX_OK);
    assert_int_equal(e.prefill_steps, 3);
    double sum = 0;
    static const uint32_t chunks[3][3] = {{1, 40, 0}, {1, 40, 40}, {1, 20, 80}};
    uint8_t *desc = slx_xcalloc(1, p.info.desc.bytes);
    for (int i = 0; i < 3; i++) {
        uint32_t tokens[64] = {0}, pages[1] = {0};
        slx_step_seq seq = {tokens, chunks[i][1], chunks[i][2], i == 2, pages, 1};
        slx_time_result r;
        assert_int_equal(slx_step_build(&p.info, desc, &seq, 1, &err), SLX_OK);
        assert_int_equal(slx_time_step(&p, c, desc, &(slx_time_options){0}, &r, &err), SLX_OK);
        sum += r.seconds;
        slx_time_result_free(&r);
    }
    assert_true(fabs(e.ttft_s / sum - 1) < 1e-12);
    assert_true(fabs(e.energy_j_per_token * 4 / ((double)e.decode.energy_fj * 1e-15) - 1) < 1e-12);
    assert_true(e.tpot_low_s < e.tpot_s && e.tpot_s < e.tpot_high_s);
    assert_true(e.energy_low_j < e.energy_j_per_token && e.energy_j_per_token < e.energy_high_j);
    /* more sequences: more time a step, less energy a token */
    o.batch = 8, o.prompt = 0, o.bands = false;
    assert_int_equal(slx_estimate_run(&p, c, &o, &two, &err), SLX_OK);
    assert_true(two.tpot_s > e.tpot_s && two.energy_j_per_token < e.energy_j_per_token);
    assert_true(two.tpot_high_s == 0);
    slx_estimate_free(&two);
    slx_estimate_free(&e);
    o.batch = 17;
    assert_int_equal(slx_estimate_run(&p, c, &o, &two, &err), SLX_EINPUT);
    o.batch = 1, o.context = p.info.max_context;
    assert_int_equal(slx_estimate_run(&p, c, &o, &two, &err), SLX_EINPUT);
    free(desc);
    slx_program_free(&p);
    slx_chip_free(c);
    slx_model_close(model);
    unlink(path);
}

/* 128 tiles of silex-1 read 64 KiB each: memory alone would take 8 MiB / 8192 = 1024 clocks. 66 tiles stand in the left
 * six columns and get half of it from the right: 66 * 32 KiB through 11 links of 128 bytes are 1536 clocks. With one
 * entry a stack its one link is the limit: 8 MiB / (6 * 128). */
static void test_mesh(void **state)
{
    (void)state;
    static const char own[] = "ALU.mul r5, r1, 0x10000\nLI r6, 0x1000000\nALU.add r5, r5, r6\nLD "
                              "[0], [r5], 65536, 1, 0, 0";
    slx_err err = {0};
    slx_chip *c;
    events *ev = slx_xcalloc(1, sizeof *ev);
    slx_time_result r;
    static const uint32_t entries[] = {0, 22, 1};
    static const uint64_t clocks[] = {1024, 1536, 10923};
    assert_int_equal(slx_chip_load(&c, "silex-1", &err), SLX_OK);
    for (int i = 0; i < 3; i++) {
        c->noc.entries = entries[i];
        run_text(c, 128, 15, own, ev, &r);
        uint64_t start = 5 + 3 + 24 + 81; /* dispatch, ALU, DMA, 54 ns; then the bytes and up to 22 hops */
        assert_in_range(r.cycles, start + clocks[i], start + clocks[i] + clocks[i] / 50 + 22 * 3);
        slx_time_result_free(&r);
    }
    /* eleven tiles, 64 KiB each, 512 clocks of a tile's link: of a column, six rows behind the cut and 5 / 11 of the
     * entries before it, all through one link: 6 * 5 / 11 * 512 = 1396; of a row, a link each */
    static const char some[] = "ALU.ltu r7, r7, 1\nALU.mul r5, r1, 0x10000\nLI r6, 0x1000000\nALU.add r5, r5, r6\n"
                               "LD [0], [r5], 65536, r7, 0, 0",
                      *const which[] = {"ALU.remu r7, r1, 12\n", "ALU.divu r7, r1, 11\n"};
    static const uint64_t through[] = {1396, 512};
    c->noc.entries = 22;
    for (int i = 0; i < 2; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s", which[i], some);
        run_text(c, 128, 15, text, ev, &r);
        uint64_t start = 5 + 5 + 24 + 81;
        assert_in_range(r.cycles, start + through[i], start + through[i] + through[i] / 50 + 22 * 3);
        slx_time_result_free(&r);
    }
    free(ev);
    slx_chip_free(c);
}

/* The 66 tiles in the left six columns of silex-1 read 16 KiB each, 64 granules of one stack: at first the stack at
 * the left edge nearest to their row, then the one at the right. Nothing passes the middle then, and the 24 tiles of
 * four rows take what a stack gives, 24 * 16 KiB at 8192 / 6 bytes a clock = 288; or all of it does, 66 * 16 KiB
 * through 11 links of 128 bytes = 768. */
static void test_mesh_one_stack(void **state)
{
    (void)state;
    static const char body[] = "ALU.remu r8, r1, 12\nALU.ltu r8, r8, 6\nALU.mul r8, r8, 64\n"
                               "ALU.divu r6, r1, 48\nALU.mul r6, r6, 512\nALU.mul r5, r1, 98304\n"
                               "ALU.add r5, r5, r6\nLI r6, 0x%x\nALU.add r5, r5, r6\n"
                               "LD [0], [r5], 256, r8, 1536, 256";
    static const uint64_t clocks[] = {288, 768};
    slx_err err = {0};
    slx_chip *c;
    events *ev = slx_xcalloc(1, sizeof *ev);
    assert_int_equal(slx_chip_load(&c, "silex-1", &err), SLX_OK);
    for (int right = 0; right < 2; right++) {
        char text[512];
        slx_time_result r;
        snprintf(text, sizeof text, body, 0x1000200 + 256 * right); /* granule 65538 is of stack 0 */
        run_text(c, 128, 15, text, ev, &r);
        uint64_t start = 5 + 9 + 24 + 81;
        assert_in_range(r.cycles, start + clocks[right], start + clocks[right] + clocks[right] / 50 + 22 * 3);
        slx_time_result_free(&r);
    }
    free(ev);
    slx_chip_free(c);
}

static bool memo_no(void *arg)
{
    (void)arg;
    return false;
}

/* The table gives a point's step, whatever its pages, others' within 3 %, from as many simulations as it has points;
 * and refuses what the program has no room for. */
static void test_memo(void **state)
{
    (void)state;
    char path[] = "/tmp/slx_time_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    slx_err err = {0};
    slx_model *model;
    slx_chip *c;
    slx_program p;
    struct slx_test_model_spec spec = shapes[3].spec;
    assert_true(slx_test_write_model(path, &spec));
    assert_int_equal(slx_model_open(&model, path, &err), SLX_OK);
    assert_int_equal(slx_chip_load(&c, "silex-1", &err), SLX_OK);
    slx_compile_options opt = {.max_rows = 64, .max_pages = 64};
    assert_int_equal(slx_compile(&p, model, c, &opt, NULL, NULL, &err), SLX_OK);
    slx_memo *m;
    slx_memo_cost a, b;
    assert_int_equal(slx_memo_open(&m, &p, c, NULL, &err), SLX_OK);
    uint8_t *desc = slx_xcalloc(1, p.info.desc.bytes);
    static const uint32_t at[][2] = {{1, 0}, {1, 128}, {4, 128}, {8, 128}, {16, 0}};
    uint32_t points = 0;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        slx_time_result r;
        slx_memo_seq alike[16];
        for (uint32_t k = 0; k < at[i][0]; k++) alike[k] = (slx_memo_seq){.rows = 1, .before = at[i][1], .samples = 1};
        assert_int_equal(slx_step_build_alike(&p.info, desc, at[i][0], 1, at[i][1], 1, &err), SLX_OK);
        assert_int_equal(slx_time_step(&p, c, desc, &(slx_time_options){.folded = true}, &r, &err), SLX_OK);
        assert_int_equal(slx_memo_step(m, alike, at[i][0], &a, &err), SLX_OK);
        assert_true(fabs(a.seconds / r.seconds - 1) < 0.01); /* pages lie elsewhere */
        assert_true(fabs(a.energy_j / ((double)r.energy_fj * 1e-15) - 1) < 0.01);
        slx_time_result_free(&r);
        points = slx_memo_points(m);
        assert_int_equal(slx_memo_step(m, alike, at[i][0], &b, &err), SLX_OK);
        assert_true(a.seconds == b.seconds && a.energy_j == b.energy_j);
        assert_int_equal(slx_memo_points(m), points); /* asked again, nothing is simulated */
    }
    /* between two numbers of rows, both known: the shortest step of these rows is simulated, once */
    slx_memo_seq piece = {.rows = 40, .samples = 1};
    assert_int_equal(slx_memo_step(m, &piece, 1, &a, &err), SLX_OK);
    piece.rows = 33;
    assert_int_equal(slx_memo_step(m, &piece, 1, &b, &err), SLX_OK);
    assert_true(b.seconds < a.seconds);
    points = slx_memo_points(m);
    double low = b.seconds, high = a.seconds;
    piece.rows = 36;
    assert_int_equal(slx_memo_step(m, &piece, 1, &b, &err), SLX_OK);
    assert_true(low <= b.seconds && b.seconds <= high);
    assert_true(slx_memo_points(m) > points); /* and what its neighbours' lines lack, if its attention takes longer */
    slx_memo_parts is;
    assert_int_equal(slx_memo_simulate(m, &piece, 1, &is, &err), SLX_OK);
    assert_true(fabs(b.seconds / is.seconds - 1) < 1e-9);
    piece.before = 64;
    assert_int_equal(slx_memo_step(m, &piece, 1, &b, &err), SLX_OK);
    points = slx_memo_points(m);
    assert_int_equal(slx_memo_step(m, &piece, 1, &b, &err), SLX_OK);
    assert_int_equal(slx_memo_points(m), points);
    slx_memo_error e;
    assert_int_equal(slx_memo_measure(m, 120, 16, 250, 3, &e, &err), SLX_OK);
    if (getenv("SLX_TEST_VERBOSE"))
        printf("memo: %u points, mean %.2f %%, worst %.2f %%, energy worst %.2f %%, %u mixed worst %.2f %%\n",
               slx_memo_points(m), 100 * e.mean, 100 * e.worst, 100 * e.energy_worst, e.mixed, 100 * e.mixed_worst);
    assert_int_equal(e.tries, 120);
    assert_true(e.worst < 0.03 && e.energy_worst < 0.03 && e.mean > 0);
    assert_true(e.mixed > 20 && e.mixed_worst < 0.06);
    /* filled, no step simulates any more */
    bool done = false;
    assert_int_equal(slx_memo_fill(m, memo_no, NULL, &done, &err), SLX_OK);
    assert_false(done);
    assert_int_equal(slx_memo_fill(m, NULL, NULL, &done, &err), SLX_OK);
    assert_true(done);
    points = slx_memo_points(m);
    assert_int_equal(slx_memo_measure(m, 40, 16, 250, 4, &e, &err), SLX_OK);
    assert_int_equal(slx_memo_points(m), points);
    static const struct {
        slx_memo_seq seq[2];
        uint32_t n;
    } no[] = {{{{0, 0, 0}}, 0}, {{{0, 10, 0}}, 1},         {{{1, 300, 1}}, 1},         {{{1, 0, 2}}, 1},
              {{{65, 0, 1}}, 1}, {{{60, 0, 1}, {5, 0, 0}}, 2}, {{{1, UINT32_MAX, 1}}, 1}};
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_int_equal(slx_memo_step(m, no[i].seq, no[i].n, &a, &err), SLX_EINPUT);
    slx_memo_seq many[17];
    for (int i = 0; i < 17; i++) many[i] = (slx_memo_seq){.rows = 1, .before = 100, .samples = 1};
    assert_int_equal(slx_memo_step(m, many, 17, &a, &err), SLX_EINPUT);
    uint32_t pages = p.info.desc.max_pages;
    p.info.desc.max_pages = 8; /* fewer than sequences */
    assert_int_equal(slx_memo_step(m, many, 12, &a, &err), SLX_EINPUT);
    p.info.desc.max_pages = pages;
    slx_memo_close(m);
    /* more rows than one sequence has positions: points are of several, too */
    uint32_t context = p.info.max_context;
    p.info.max_context = 40;
    slx_memo_seq two[2] = {{.rows = 30, .samples = 1}, {.rows = 30, .before = 10}};
    assert_int_equal(slx_memo_open(&m, &p, c, NULL, &err), SLX_OK);
    assert_int_equal(slx_memo_step(m, two, 2, &a, &err), SLX_OK);
    static const uint32_t tokens[30], page[2] = {0, 1};
    const slx_step_seq both[2] = {{tokens, 30, 0, 1, page, 1}, {tokens, 30, 10, 0, page + 1, 1}};
    slx_time_result real;
    assert_int_equal(slx_step_build(&p.info, desc, both, 2, &err), SLX_OK);
    assert_int_equal(slx_time_step(&p, c, desc, &(slx_time_options){.folded = true}, &real, &err), SLX_OK);
    assert_true(fabs(a.seconds / real.seconds - 1) < 0.03);
    slx_time_result_free(&real);
    assert_int_equal(slx_memo_fill(m, NULL, NULL, &done, &err), SLX_OK);
    p.info.max_context = context;
    slx_memo_close(m);
    free(desc);
    slx_program_free(&p);
    slx_chip_free(c);
    slx_model_close(model);
    unlink(path);
}

static void test_trace(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c = mini();
    slx_program p;
    char text[1024], *json = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&json, &len);
    snprintf(text, sizeof text, head, 1, 15, 1);
    strcat(text, ".span tmpl=0 count=1 name=\"a\\\"b\"\nLD [0], [w], 256, 1, 0, 0\nSYS.halt\n");
    if (slx_asm(&p, text, strlen(text), "test", &err) != SLX_OK)
        fail_msg("%s: %s", err.msg, err.source);
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
    slx_chip_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single),
        cmocka_unit_test(test_scratchpad_width),
        cmocka_unit_test(test_contention),
        cmocka_unit_test(test_in_flight),
        cmocka_unit_test(test_queue_depth),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_barrier),
        cmocka_unit_test(test_energy),
        cmocka_unit_test(test_rom),
        cmocka_unit_test(test_multicast),
        cmocka_unit_test(test_multicast_steers),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_power_limit),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_estimate),
        cmocka_unit_test(test_mesh),
        cmocka_unit_test(test_mesh_one_stack),
        cmocka_unit_test(test_memo),
        cmocka_unit_test(test_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
