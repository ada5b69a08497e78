/* test_verify.c - the verifier: every rule with a program that breaks it and its legal twin, the domain of values
 * against arithmetic, compiled programs, and random programs against the strict machine: what verify accepts must not
 * leave its memory or its order there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compile/compile.h"
#include "compile/template.h"
#include "func/func.h"
#include "gguf_make.h"
#include "verify/verify.h"
#include "verify/verify_int.h"

/* ------------------------------------------------------------------ one rule, two programs */

static const char head[] =
    ".info n_tiles=4 spm_bytes=0x10000 acc_cells=2048 max_m=32 token_max=15\n"
    ".region name=\"w\" kind=weights base=0x1000 bytes=0x10000\n"
    ".region name=\"desc\" kind=descriptor base=0x40000 bytes=0x1000\n"
    ".region name=\"kv\" kind=kv base=0x50000 bytes=0x10000\n"
    ".region name=\"x\" kind=exchange base=0x80000 bytes=0x10000\n"
    ".group name=\"ALL\" first=0 count=4\n"
    ".group name=\"LOW\" first=0 count=2\n"
    ".group name=\"HIGH\" first=2 count=2\n"
    ".group name=\"MID\" first=1 count=2\n";

static slx_chip *mini;

static int load_chip(void **state)
{
    slx_err err = {0};
    (void)state;
    return slx_chip_load(&mini, "silex-mini", &err) == SLX_OK ? 0 : -1;
}
static int free_chip(void **state)
{
    (void)state;
    slx_chip_free(mini);
    return 0;
}

static void assemble(slx_program *p, const char *body)
{
    slx_buf text = {0};
    slx_err err = {0};
    slx_buf_adds(&text, head);
    slx_buf_adds(&text, body);
    slx_status st = slx_asm(p, text.ptr, text.len, "test.s", &err);
    slx_buf_free(&text);
    if (st != SLX_OK) fail_msg("line %d: %s\n%s", err.line, err.msg, body);
}

static void accept(const char *body)
{
    slx_program p;
    slx_err err = {0};
    assemble(&p, body);
    if (slx_verify(&p, mini, "test.s", &err) != SLX_OK) fail_msg("refused: %s\n%s", err.msg, body);
    slx_program_free(&p);
}

static void refuse(const char *body, const char *want)
{
    slx_program p;
    slx_err err = {0};
    assemble(&p, body);
    if (slx_verify(&p, mini, "test.s", &err) == SLX_OK)
        fail_msg("accepted, want %s:\n%s", want, body);
    if (!strstr(err.msg, want)) fail_msg("said %s\nwant %s\n%s", err.msg, want, body);
    assert_non_null(strstr(err.msg, "pc "));
    assert_string_equal(err.file, "test.s");
    slx_program_free(&p);
}

#define HALT "SYS.halt\n"

static void test_message(void **state)
{
    (void)state;
    slx_program p;
    slx_err err = {0};
    assemble(&p, "ALU.mul r5, r1, 0x6000\nLD [r5], [r3], 64, 1, 0, 0\n" HALT);
    assert_int_equal(slx_verify(&p, mini, "bad.slx", &err), SLX_EINPUT);
    const char *line = "tile 3, pc 1: LD writes SPM 0x12000..0x1203f: the scratchpad ends at "
                       "0x10000\n     1   LD ";
    if (strncmp(err.msg, line, strlen(line))) fail_msg("%s", err.msg);
    assert_int_equal(slx_verify(&p, mini, NULL, NULL), SLX_EINPUT);
    slx_program_free(&p);
}

static void test_structure(void **state)
{
    (void)state;
    accept("LOOP 2, e, r5\n SYS.nop\ne: " HALT);
    refuse("LOOP 2, 0, r5\n" HALT, "over no instructions");
    refuse("LOOP 2, 3, r5\n SYS.nop\n" HALT, "the program has 3 instructions");
    refuse("LOOP 2, 2, r5\n LOOP 2, 2, r6\n SYS.nop\n SYS.nop\n" HALT, "behind the body around it");
    accept("LOOP 2, 6\nLOOP 2, 5\nLOOP 2, 4\nLOOP 2, 3\nLOOP 2, 2\nLOOP 2, 1\nSYS.nop\n" HALT);
    refuse("LOOP 2, 7\nLOOP 2, 6\nLOOP 2, 5\nLOOP 2, 4\nLOOP 2, 3\nLOOP 2, 2\nLOOP 2, "
           "1\nSYS.nop\n" HALT,
           "nested 7 deep");
    refuse("LOOP 2, e, r5\n ALU.add r5, r5, 1\ne: " HALT, "counter of the LOOP at pc 0");
    refuse("LOOP 2, e, r5\n LOOP 2, e, r5\n SYS.nop\ne: " HALT, "counter of the LOOP at pc 0");
    accept("LOOP 2, e, r5\n SYS.nop\ne: ALU.add r5, r5, 1\n" HALT);
    refuse("LOOP 0x1000001, e\n SYS.nop\ne: " HALT, "may be 16777217");
    accept("LOOP 0x1000000, e\n SYS.nop\ne: " HALT);
    /* branches */
    accept("BR.eq r1, 0, e\n SYS.nop\ne: " HALT);
    refuse("e: SYS.nop\nBR.eq r1, 0, e\n" HALT, "branch forward");
    refuse("BR.eq r1, 0, i\nLOOP 2, e\n SYS.nop\ni: SYS.nop\ne: " HALT, "same LOOP body");
    refuse("LOOP 2, e\n BR.eq r1, 0, o\n SYS.nop\ne: SYS.nop\no: " HALT, "same LOOP body");
    accept("LOOP 2, e\n BR.eq r1, 0, e\n SYS.nop\ne: " HALT);
    /* ends */
    refuse("SYS.nop\n", "runs past the last instruction");
    refuse("BR.eq r1, 3, e\n" HALT "e: SYS.nop\n", "tile 3, pc 2: runs past");
    refuse("LOOP 2, e\n SYS.halt\ne: " HALT, "SYS.halt inside the body");
    refuse("LOOP 2, e\n TOK t1, 1\ne: " HALT, "TOK inside the body");
    /* calls */
    accept("CALL 0\nCALL 0\n" HALT "f: BR.eq r1, 2, g\nRET\ng: RET\n.function f\n");
    refuse("CALL 1\n" HALT "f: RET\n.function f\n", "function 1: the program has 1");
    refuse("RET\n" HALT, "RET outside of a CALL");
    refuse("CALL 0\n" HALT "f: CALL 0\nRET\n.function f\n", "from inside itself");
    refuse("LOOP 2, e\n CALL 0\ne: " HALT "f: RET\n.function f\n", "CALL inside the body");
    /* the chip's formats and limits */
    accept("MM.q4s.mxint8 acc0, [0], [0x400], [0x800], (4,4), (1,1) INIT\n" HALT);
    accept("MM.mxint8.mxint8 acc0, [0], [0x400], [0x800], (32,4), (1,1) INIT\n" HALT);
    refuse("MM.mxint8.mxint8 acc0, [0], [0x400], [0x800], (33,4), (1,1) INIT\n" HALT,
           "max_m is 32");
}

/* A region of weights in ROM from 2^48 on, 4 KiB of 1 MiB; a tile of q4s with 4 rows of a block takes 72 bytes. */
static void test_rom(void **state)
{
    (void)state;
    static const char region[] =
        ".region name=\"r\" kind=weights base=0x1000000000000 bytes=0x1000\n";
    static const struct {
        const char *region, *address, *want;
    } cases[] = {
        {region, "0x1000000000000", NULL},
        {region, "0x1000000000f80", NULL},
        {region, "0x1000000000fc0", "MM reads ROM 0x1000000000fc0..0x1000000001007: region r is"},
        {region, "0x1000000000020", "MM reads ROM 0x1000000000020: not a multiple of 64"},
        {region, "0x1000000002000", "no region holds it"},
        {region, "0x1000", "MM reads ROM at 0x1000: ROM begins at 0x1000000000000"},
        {".region name=\"r\" kind=weights base=0x1000000000000 bytes=0x100000\n", "0x1000000000000",
         NULL},
        {".region name=\"r\" kind=weights base=0x1000000000000 bytes=0x100040\n", "0x1000000000000",
         "ROM of chip silex-mini ends at 0x1000000100000"},
        {".region name=\"r\" kind=kv base=0x1000000000000 bytes=0x1000\n", "0x1000000000000",
         "region r is in ROM (0x1000000000000), expected it in HBM: its kind is kv"},
    };
    slx_chip with = *mini;
    with.rom.mib = 1;
    with.rom.bytes_clk = 64;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        slx_program p;
        slx_err err = {0};
        char body[512];
        snprintf(
            body, sizeof body,
            "%sLI r5, %s\nMM.q4s.mxint8 acc0, [0], [0x400], [r5], (4,4), (1,1) INIT ROM\n" HALT,
            cases[i].region, cases[i].address);
        assemble(&p, body);
        slx_status st = slx_verify(&p, &with, "p", &err);
        if (!cases[i].want && st != SLX_OK) fail_msg("refused: %s\n%s", err.msg, body);
        if (cases[i].want && (st == SLX_OK || !strstr(err.msg, cases[i].want)))
            fail_msg("said %s\nwant %s\n%s", err.msg, cases[i].want, body);
        /* a chip without ROM refuses the region, or the instruction */
        assert_int_equal(slx_verify(&p, mini, "p", &err), SLX_EINPUT);
        assert_non_null(strstr(err.msg, "region r is in ROM"));
        slx_program_free(&p);
    }
    refuse("MM.q4s.mxint8 acc0, [0], [0x400], [0x800], (4,4), (1,1) INIT ROM\n" HALT,
           "MM from ROM: chip silex-mini has none");
    /* loads read it too, stores do not write it */
    const char *const load = "LI r5, 0x1000000000000\nLD [0], [r5], 64, 1, 0, 0\n" HALT,
                      *const store = "LI r5, 0x1000000000000\nST [r5], [0], 64, 1, 0, 0\n" HALT;
    for (int i = 0; i < 2; i++) {
        slx_program p;
        slx_err err = {0};
        char body[512];
        snprintf(body, sizeof body, "%s%s", region, i ? store : load);
        assemble(&p, body);
        assert_int_equal(slx_verify(&p, &with, "p", &err), i ? SLX_EINPUT : SLX_OK);
        if (i) assert_non_null(strstr(err.msg, "ST writes ROM"));
        slx_program_free(&p);
    }
}

static void test_chip(void **state)
{
    (void)state;
    slx_chip *one;
    slx_program p;
    slx_err err = {0};
    assert_int_equal(slx_chip_load(&one, "silex-one", &err), SLX_OK);
    assemble(&p, "MM.q4sm.mxint8 acc0, [0], [0x400], [0x800], (4,4), (1,1) INIT\n" HALT);
    assert_int_equal(slx_verify(&p, mini, "p", &err), SLX_OK);
    assert_int_equal(slx_verify(&p, one, "p", &err), SLX_EINPUT); /* 4 tiles */
    assert_non_null(strstr(err.msg, "tiles: the program has 4, expected 1..1"));
    p.info.n_tiles = 1;
    p.n_groups = 0;
    assert_int_equal(slx_verify(&p, one, "p", &err), SLX_EINPUT);
    assert_non_null(strstr(err.msg, "format q4sm: chip silex-one does not have it"));
    p.insns[0] = p.insns[1];
    assert_int_equal(slx_verify(&p, one, "p", &err), SLX_OK);

    const struct {
        uint32_t *field, bad;
        const char *want;
    } row[] = {{&p.info.spm_bytes, one->tile.spm_kib * 1024 + 1, "bytes of scratchpad"},
               {&p.info.acc_cells, one->tile.acc_kib * 256 + 1, "accumulator cells"},
               {&p.info.max_m, one->isa.max_m + 1, "max_m"},
               {&p.info.token_max, one->tile.token_max + 1, "token_max"},
               {&p.info.token_max, 0, "token_max"}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        uint32_t old = *row[i].field;
        *row[i].field = row[i].bad;
        assert_int_equal(slx_verify(&p, one, "p", &err), SLX_EINPUT);
        if (!strstr(err.msg, row[i].want)) fail_msg("%s", err.msg);
        *row[i].field = old;
    }
    p.info.chip_hash = one->hash + 1;
    snprintf(p.info.chip_name, sizeof p.info.chip_name, "silex-one");
    assert_int_equal(slx_verify(&p, one, "p", &err), SLX_EINPUT);
    assert_non_null(strstr(err.msg, "another version of chip silex-one"));
    p.info.chip_hash = one->hash;
    assert_int_equal(slx_verify(&p, one, "p", &err), SLX_OK);
    assert_int_equal(slx_verify(&p, mini, "p", &err), SLX_EINPUT);
    assert_non_null(strstr(err.msg, "compiled for chip silex-one, this is chip silex-mini"));
    uint64_t base = p.regions[3].base;
    p.regions[3].base = (uint64_t)(one->hbm.gib * one->hbm.stacks * 1073741824.0) - 4096;
    assert_int_equal(slx_verify(&p, one, "p", &err), SLX_EINPUT);
    assert_non_null(strstr(err.msg, "HBM of chip silex-one ends"));
    p.regions[3].base = base;
    slx_program_free(&p);
    slx_chip_free(one);
}

/* ------------------------------------------------------------------ bounds */

/* The last legal place of each access, and one step behind it. */
static void test_bounds(void **state)
{
    static const struct {
        const char *good, *bad, *want;
    } row[] = {
        {"LDS.u32 r5, [0xfffc], 9\n", "LDS.u32 r5, [0x10000], 9\n", "LDS reads SPM"},
        {"LDS.u32 r5, [0xfffc], 9\n", "LDS.u32 r5, [0xfffa], 9\n", "not a multiple of 4"},
        {"STS.u64 [0xfff8], r1\n", "STS.u64 [0xfffc], r1\n", "STS writes SPM 0xfffc..0x10003"},
        {"LD [0xfe00], [x], 64, 8, 64, 64\n", "LD [0xfe01], [x], 64, 8, 64, 64\n", "LD writes SPM"},
        {"LD [0], [x+0xfe00], 64, 8, 64, 64\n", "LD [0], [x+0xfe01], 64, 8, 64, 64\n",
         "region x is"},
        {"LD [0], [w], 64, 1, 0, 0\n", "LD [0], [0x11000], 64, 1, 0, 0\n", "no region holds it"},
        {"LD [0], [w], 64, 0, 0, 0\n",
         "LI r5, 0xffffffffffff\nLD [0], [w], 64, 0x7fffffff, 0, r5\n", "LD writes SPM from"},
        {"LD [0], [w], 64, 1, 0, 0 to=g3\n", "LD [0xffff], [w], 64, 1, 0, 0 to=g3\n",
         "LD writes SPM"},
        {"ST [kv], [0], 64, 2, 64, 128\n", "ST [w], [0], 64, 2, 64, 128\n",
         "region w is read-only (weights)"},
        {"ST [x], [0], 64, 2, 64, 128\n", "ST [r3], [0], 64, 2, 64, 128\n",
         "read-only (descriptor)"},
        {"ST [x], [0xff80], 64, 2, 64, 0\n", "ST [x], [0xff81], 64, 2, 64, 0\n", "ST reads SPM"},
        {"LDX [0xff00], [w], [0], 4, 64, 64\n", "LDX [0xff01], [w], [0], 4, 64, 64\n",
         "LDX writes SPM"},
        {"LDX [0], [w], [0xfff0], 4, 64, 64\n", "LDX [0], [w], [0xfff4], 4, 64, 64\n",
         "LDX reads SPM"},
        {"LDX [0], [w], [0], 4, 64, 64\n", "LDX [0], [0], [0], 4, 64, 64\n", "no region holds it"},
        {"STX [kv], [0], [0], 4, 64, 64\n", "STX [w], [0], [0], 4, 64, 64\n", "read-only"},
        {"LDX [0], [w], [0], 4, 64, 64\n",
         "LI r5, 0x4000000000000000\nLDX [0], [w], [0], r5, 64, 64\n", "LDX reads SPM"},
        {"MOV [0], r1, [0xff40], 64, 2, (1,2)\n", "MOV [0], r1, [0xff41], 64, 2, (1,2)\n",
         "MOV writes SPM"},
        {"MOV [0], 3, [0], 64, 2, (2,2)\n", "ALU.add r5, r1, 1\nMOV [0], r5, [0], 64, 2, (2,2)\n",
         "MOV to tile 4"},
        /* 4*16 cells and two scratch levels: 192 */
        {"MM.mxint8.mxint8 acc1856, [0], [0], [0], (4,16), (8,8) INIT G=4\n",
         "MM.mxint8.mxint8 acc1857, [0], [0], [0], (4,16), (8,8) INIT G=4\n",
         "192 cells from acc1857"},
        /* A: 3 rows of 64, 96 apart */
        {"MM.mxint8.mxint8 acc0, [0xff00], [0], [0], (3,4), (2,3) INIT\n",
         "MM.mxint8.mxint8 acc0, [0xff20], [0], [0], (3,4), (2,3) INIT\n",
         "MM reads SPM 0xff20..0x1001f"},
        {"MM.mxint8.mxint8 acc0, [0x20], [0], [0], (3,4), (2,3) INIT\n",
         "MM.mxint8.mxint8 acc0, [0x10], [0], [0], (3,4), (2,3) INIT\n", "multiple of 32"},
        {"MM.mxint8.mxint8 acc0, [0], [0xfff8], [0], (3,4), (2,3) INIT\n",
         "MM.mxint8.mxint8 acc0, [0], [0xfff9], [0], (3,4), (2,3) INIT\n", "MM reads SPM 0xfff9"},
        /* B: 4*2 blocks of 16 + 64-aligned 16 + 16 bytes of d and m: 128 | 64 | 16 */
        {"MM.q4sm.mxint8 acc0, [0], [0], [0xff00], (3,4), (2,3) INIT\n",
         "MM.q4sm.mxint8 acc0, [0], [0], [0xff40], (3,4), (2,3) INIT\n",
         "MM reads SPM 0xff40..0x1000f"},
        {"MM.q4s.mxint8 acc0, [0], [0], [0xff40], (3,4), (2,3) INIT\n",
         "MM.q4s.mxint8 acc0, [0], [0], [0xff20], (3,4), (2,3) INIT\n", "multiple of 64"},
        /* BT: 64 rows of 5 columns, 32 apart */
        {"MM.mxint8.mxint8 acc0, [0], [0], [0xf800], (3,5), (2,1) INIT BT\n",
         "MM.mxint8.mxint8 acc0, [0], [0], [0xf820], (3,5), (2,1) INIT BT\n",
         "MM reads SPM 0xf820..0x10004"},
        {"AADD acc1024, acc0, acc1024, 1024\n", "AADD acc0, acc1025, acc0, 1024\n",
         "AADD reads up to 1024"},
        {"AOUT.fp32 [0xffc0], acc0, (2,4), 48, 0.0\n", "AOUT.fp32 [0xffc4], acc0, (2,4), 48, 0.0\n",
         "AOUT writes"},
        {"AOUT.bf16 [0xffc2], acc0, (2,4), 48, 0.0\n", "AOUT.fp32 [0xff02], acc0, (2,4), 48, 0.0\n",
         "multiple of 4"},
        /* rows of 20 bytes start at multiples of 64 */
        {"VBIN.add.full [0xff80], [0], [0], (2,5), <0,0,0>\n",
         "VBIN.add.full [0xffc0], [0], [0], (2,5), <0,0,0>\n", "VBIN writes"},
        {"VBIN.add.full [0], [0], [0xff00], (2,5), <0,0,3>\n",
         "VBIN.add.full [0], [0], [0xff40], (2,5), <0,0,3>\n", "VBIN reads"},
        {"VBIN.add.col [0], [0], [0xfff8], (2,5), <0,0,0>\n",
         "VBIN.add.col [0], [0], [0xfffc], (2,5), <0,0,0>\n", "VBIN reads"},
        {"VFMA [0], [0], [0], [0xff80], (2,5)\n", "VFMA [0], [0], [0], [0xffc0], (2,5)\n",
         "VFMA reads"},
        {"VUN.fill [0], (1,16384), <0,0,0>, 0.0\n", "VUN.fill [4], (1,16384), <0,0,0>, 0.0\n",
         "VUN writes"},
        {"VRED.sum [0xffec], [0], (5,2), <0,0,0>\n", "VRED.sum [0xfff0], [0], (5,2), <0,0,0>\n",
         "VRED writes"},
        {"VNRM.rms [0], [0], [0xffec], 0.0, (2,5), <0,0,0>\n",
         "VNRM.rms [0], [0], [0xfff0], 0.0, (2,5), <0,0,0>\n", "VNRM reads"},
        /* 5 rows of H = 2: three table rows of 16 bytes */
        {"VROT.half [0], [0], [0xffd0], (5,8), (2,4), <0,0,0>\n",
         "VROT.half [0], [0], [0xffd4], (5,8), (2,4), <0,0,0>\n", "VROT reads"},
        {"VROT.half [0], [0], [0], (5,8), (2,8), <0,0,0>\n",
         "VROT.half [0], [0], [0], (5,8), (2,10), <0,0,0>\n", "VROT: (H, n_rot)"},
        {"VCVT.mxint8.f32 [0xffa0], [0], [0], (3,9), <0,0,0>\n",
         "VCVT.mxint8.f32 [0xffc0], [0], [0], (3,9), <0,0,0>\n", "VCVT writes"},
        {"VCVT.mxint8.f32 [0], [0xfffd], [0], (3,9), <0,0,0>\n",
         "VCVT.mxint8.f32 [0], [0xfffe], [0], (3,9), <0,0,0>\n", "VCVT writes"},
        {"VCVT.f32.q4sm [0], [0], [0xffbc], (2,9), <0,0,0>\n",
         "VCVT.f32.q4sm [0], [0], [0xffbe], (2,9), <0,0,0>\n", "VCVT reads"},
        {"VSEL.range [0], [0], [0xfff0], (2,5), 0.0, <0,0,0>\n",
         "VSEL.range [0], [0], [0xfff4], (2,5), 0.0, <0,0,0>\n", "VSEL reads"},
        {"VSMX [0], [0x400], [0], [0xfff0], (3,64), 0 H=2\n",
         "VSMX [0], [0x400], [0], [0xfff4], (3,64), 0 H=2\n", "VSMX reads"},
        {"VSMX [0], [0x400], [0], [0x800], (3,128), 0 H=2\n",
         "VSMX [0], [0x400], [0], [0x800], (3,129), 0 H=2\n", "VSMX of 129 columns"},
        {"VMRG.merge [0], [0x400], [0xfff0], [0x800], (2,8)\n",
         "VMRG.merge [0], [0x400], [0xfff4], [0x800], (2,8)\n", "VMRG reads"},
        {"VTOPK [0xffe0], [0], [0], (1,99), 8, 0\n", "VTOPK [0xffe4], [0], [0], (1,99), 8, 0\n",
         "VTOPK writes"},
        {"VTOPK [0], [0], [0], (1,9), 1024, 0\n", "VTOPK [0], [0], [0], (1,9), 1025, 0\n",
         "k up to 1025"},
        {"VSAMP [0], [0], [0], [0xffc0], (2,9)\n", "VSAMP [0], [0], [0], [0xffc4], (2,9)\n",
         "VSAMP reads"},
        {"VTRN.b1 [0xff43], [0], (61,3)\n", "VTRN.b1 [0xff44], [0], (61,3)\n", "VTRN writes"},
        {"VGAT.gather [0], [0xff00], [0], 2, 16, 16\n",
         "VGAT.gather [0], [0xff01], [0], 2, 16, 16\n", "VGAT reads"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s", row[i].good, HALT);
        accept(text);
        snprintf(text, sizeof text, "%s%s", row[i].bad, HALT);
        refuse(text, row[i].want);
    }
}

/* What is proved through registers: run-time values, loops, toggles, branches. */
static void test_values(void **state)
{
    (void)state;
    /* 0x10000 / 64 = 1024 rows */
    accept("LDS.u32 r5, [0], 1024\nLD [0], [x], 64, r5, 64, 64\n" HALT);
    refuse("LDS.u32 r5, [0], 1025\nLD [0], [x], 64, r5, 64, 64\n" HALT, "LD writes SPM");
    accept(
        "LDS.u8 r5, [0], 1000\nALU.mul r5, r5, 257\nLD [r5], [x], 1, 1, 0, 0\n" HALT); /* 255 * 257 = 0xffff */
    refuse("LDS.u8 r5, [0], 1000\nALU.mul r5, r5, 258\nLD [r5], [x], 1, 1, 0, 0\n" HALT,
           "LD writes");
    refuse("LDS.u32 r5, [0], 7\nALU.sub r6, 6, r5\nLD [r6], [x], 1, 1, 0, 0\n" HALT, "LD writes");
    accept("LDS.u32 r5, [0], 7\nALU.sub r6, 6, r5\nALU.min r6, r6, 6\nLD [r6], [x], 1, 1, 0, "
           "0\n" HALT);
    accept("LDS.u32 r5, [0], 7\nALU.sub r6, 7, r5\nLD [r6+0xfff8], [x], 1, 1, 0, 0\n" HALT);
    /* counters: 0..n-1 inside, n-1 behind */
    accept("LOOP 16, e, r5\n ALU.shl r6, r5, 12\n LD [r6], [x], 4096, 1, 0, 0\ne: " HALT);
    refuse("LOOP 17, e, r5\n ALU.shl r6, r5, 12\n LD [r6], [x], 4096, 1, 0, 0\ne: " HALT,
           "0x10fff");
    accept("LOOP 16, e, r5\n SYS.nop\ne: ALU.shl r6, r5, 12\nLD [r6], [x], 4096, 1, 0, 0\n" HALT);
    /* a register moved by a constant: exact inside and behind */
    accept("LOOP 16, e\n LD [r6], [x], 4096, 1, 0, 0\n ALU.add r6, r6, 4096\ne: LD [r6-4096], [x], "
           "4096, 1, 0, 0\n" HALT);
    refuse("LOOP 17, e\n LD [r6], [x], 4096, 1, 0, 0\n ALU.add r6, r6, 4096\ne: " HALT,
           "LD writes SPM");
    refuse("LOOP 16, e\n LD [r6], [x], 4096, 1, 0, 0\n ALU.add r6, r6, 4096\ne: LD [r6], [x], "
           "4096, 1, 0, 0\n" HALT,
           "pc 3: LD writes");
    accept(
        "LI r6, 0xf000\nLOOP 16, e\n LD [r6], [x], 4096, 1, 0, 0\n ALU.sub r6, r6, 4096\ne: " HALT);
    accept("LOOP 4, o\n LOOP 4, i\n  LD [r6], [x], 4096, 1, 0, 0\n  ALU.add r6, r6, 4096\ni: "
           "SYS.nop\no: " HALT);
    refuse("LOOP 4, o\n LOOP 5, i\n  LD [r6], [x], 4096, 1, 0, 0\n  ALU.add r6, r6, 4096\ni: "
           "SYS.nop\no: " HALT,
           "LD writes");
    refuse("LDS.u32 r9, [0], 5\nLOOP r9, e\n ALU.mul r6, r6, 3\n ALU.add r6, r6, 1\n LD [r6], [x], "
           "1, 1, 0, 0\ne: " HALT,
           "LD writes");
    accept("LOOP 9, e\n ALU.mul r6, r6, 3\n ALU.add r6, r6, 1\n ALU.and r6, r6, 0xffff\n LD [r6], "
           "[x], 1, 1, 0, 0\ne: " HALT);
    /* a toggle between two buffers */
    accept("LI r19, 0x4000\nLOOP 9, e\n ALU.sub r19, 0xc000, r19\n LD [r19], [x], 0x8000, 1, 0, "
           "0\ne: " HALT);
    refuse("LI r19, 0x4000\nLOOP 9, e\n ALU.sub r19, 0xc000, r19\n LD [r19], [x], 0x8001, 1, 0, "
           "0\ne: " HALT,
           "0x10000");
    /* alignment through masks and products */
    accept("LDS.u32 r5, [0], 999\nALU.and r5, r5, 0xffe0\nMM.mxint8.mxint8 acc0, [r5], [0], [0], "
           "(1,1), (1,1) INIT\n" HALT);
    refuse("LDS.u32 r5, [0], 999\nALU.and r5, r5, 0xfff0\nMM.mxint8.mxint8 acc0, [r5], [0], [0], "
           "(1,1), (1,1) INIT\n" HALT,
           "known as a multiple of 16");
    /* dead code is not looked at: other tiles, empty loops */
    accept("BR.ne r1, 7, e\n LD [0x20000], [0], 64, 1, 0, 0\ne: " HALT);
    accept("LOOP 0, e\n LD [0x20000], [0], 64, 1, 0, 0\ne: " HALT);
    refuse("BR.ne r1, 2, e\n LD [0x20000], [0], 64, 1, 0, 0\ne: " HALT, "tile 2, pc 1");
    /* branches narrow what they compare */
    accept("LDS.u32 r5, [0], 0x20000\nBR.geu r5, 0x10000, e\n LD [r5], [x], 1, 1, 0, 0\ne: " HALT);
    refuse("LDS.u32 r5, [0], 0x20000\nBR.geu r5, 0x10001, e\n LD [r5], [x], 1, 1, 0, 0\ne: " HALT,
           "LD writes");
    refuse("LDS.u32 r5, [0], 0x20000\nBR.geu r5, 0x10000, e\n SYS.nop\ne: LD [r5], [x], 1, 1, 0, "
           "0\n" HALT,
           "LD writes");
}

/* ------------------------------------------------------------------ tokens and barriers */

static void test_tokens(void **state)
{
    (void)state;
#define LDT(t)  "LD [0], [x], 64, 1, 0, 0 " t "\n"
#define VECT(t) "VUN.copy [0], [0], (1,1), <0,0,0> " t "\n"
    accept(LDT("post=t1") VECT("wait=t1") HALT);
    refuse(VECT("wait=t1") LDT("post=t1") HALT, "pc 0: waits for token t1, which is 0");
    accept("TOK t1, 1\n" VECT("wait=t1") LDT("post=t1") HALT);
    refuse("LOOP 2, e\n" LDT("post=t1") "e: " HALT,
           "token t1 is 0 before an iteration of the LOOP and 1 behind it");
    accept("LOOP 1, e\n" LDT("post=t1") "e: " VECT("wait=t1") HALT);
    accept("LOOP 0, e\n" LDT("post=t1") "e: " HALT);
    refuse("LDS.u32 r5, [0], 1\nLOOP r5, e\n" LDT("post=t1") "e: " HALT, "token t1");
    accept("LOOP 9, e\n" LDT("post=t1") VECT("wait=t1") "e: " HALT);
    /* the maximum is 15 */
    accept("TOK t1, 14\n" LDT("post=t1") VECT("wait=t1") HALT);
    refuse("TOK t1, 15\n" LDT("post=t1") VECT("wait=t1") HALT, "stands at its maximum 15");
    refuse("TOK t1, 16\n" HALT, "its maximum is 15");
    refuse(LDT("post=t1") "TOK t1, 1\n" VECT("wait=t1") HALT, "expected it once, in the prologue");
    refuse("TOK t1, 1\nTOK t1, 1\n" HALT, "expected it once");
    /* one engine on each side, over the whole program */
    refuse(LDT("post=t1") VECT("post=t1") HALT, "VEC posts token t1, but LDQ does so elsewhere");
    refuse("TOK t1, 2\n" LDT("wait=t1") VECT("wait=t1") HALT, "VEC waits for token t1, but LDQ");
    /* branches */
    accept("BR.eq r1, 0, e\n" LDT("post=t1") VECT("wait=t1") "e: " HALT);
    accept("BR.eq r1, 0, e\n" LDT("post=t1") "e: " HALT);
    refuse("LDS.u32 r5, [0], 9\nBR.eq r5, 0, e\n" LDT("post=t1") "e: " HALT,
           "pc 3: token t1 is 1 on one way to here and 0");
    accept("LDS.u32 r5, [0], 9\nBR.eq r5, 0, a\n" LDT("post=t1") "BR.eq 0, 0, e\na: " LDT(
        "post=t1") "e: " VECT("wait=t1") HALT);
    accept("CALL 0\nCALL 0\n" VECT("wait=t1") VECT("wait=t1") HALT
           "f: " LDT("post=t1") "RET\n.function f\n");
    refuse("CALL 0\n" VECT("wait=t1") VECT("wait=t1") HALT
           "f: " LDT("post=t1") "RET\n.function f\n",
           "pc 2: waits");
}

static void test_barriers(void **state)
{
    (void)state;
    accept("BAR ALL\nBAR ALL\n" HALT);
    refuse("BR.eq r1, 2, e\nBAR ALL\ne: " HALT, "not the sequence of barriers");
    refuse("LOOP r1, e\nBAR ALL\ne: " HALT,
           "tile 1, pc 1: not the sequence of barriers that tile 0 of group ALL meets");
    refuse("ALU.ltu r5, r1, 3\nALU.add r5, r5, 2\nLOOP r5, e\nBAR ALL\ne: " HALT,
           "tile 3, pc 2: not the sequence");
    accept("LOOP 3, e\nBAR ALL\ne: " HALT);
    accept("ALU.mul r5, r1, 0\nALU.add r5, r5, 3\nLOOP r5, e\nBAR ALL\ne: " HALT);
    accept("LDS.u32 r5, [0], 9 UNI\nLOOP r5, e\nBAR ALL\ne: " HALT);
    refuse("LDS.u32 r5, [0], 9\nLOOP r5, e\nBAR ALL\ne: " HALT, "may differ between tiles");
    accept("LDS.u32 r5, [0], 9 UNI\nALU.add r5, r5, 3\nALU.shr r5, r5, 1\nLOOP r5, e\nBAR "
           "ALL\ne: " HALT);
    refuse("LDS.u32 r5, [0], 9 UNI\nALU.add r5, r5, r1\nLOOP r5, e\nBAR ALL\ne: " HALT,
           "not the sequence");
    refuse("LDS.u32 r5, [0], 9 UNI\nLDS.u32 r6, [4], 9 UNI\nALU.sel r5, r5, r6, r1\nLOOP r5, "
           "e\nBAR ALL\ne: " HALT,
           "not the sequence");
    /* not the value of one tile's last iteration */
    refuse(
        "ALU.add r7, r1, 2\nLOOP r7, f\nLDS.u32 r5, [0], 9 UNI\nf: LOOP r5, e\nBAR ALL\ne: " HALT,
        "may differ");
    accept("LOOP 4, e\nLDS.u32 r5, [0], 9 UNI\nLOOP r5, e\nBAR ALL\ne: " HALT);
    refuse("LOOP 4, e\nLOOP r5, f\nBAR ALL\nf: LDS.u32 r5, [0], 9 UNI\ne: " HALT, "may differ");
    /* branches */
    accept("LDS.u32 r5, [0], 9 UNI\nBR.eq r5, 2, e\nBAR ALL\ne: BAR ALL\n" HALT);
    refuse("LDS.u32 r5, [0], 9\nBR.eq r5, 2, e\nBAR ALL\ne: " HALT, "may differ");
    accept("LDS.u32 r5, [0], 9\nBR.eq r5, 2, e\nSYS.nop\ne: BAR ALL\n" HALT);
    refuse("LDS.u32 r5, [0], 9\nBR.ne r5, 2, e\n" HALT "e: BAR ALL\n" HALT, "may differ");
    refuse("LDS.u32 r5, [0], 9\nCALL 0\n" HALT
           "f: BR.ne r5, 2, e\nRET\ne: BAR ALL\nRET\n.function f\n",
           "may differ");
    accept("LDS.u32 r5, [0], 9\nCALL 0\nBAR ALL\n" HALT
           "f: BR.ne r5, 2, e\nRET\ne: SYS.nop\nRET\n.function f\n");
    /* groups */
    accept("BR.geu r1, 2, h\nBAR LOW\nBR.eq 0, 0, e\nh: BAR HIGH\nBAR HIGH\ne: " HALT);
    refuse("BAR LOW\n" HALT,
           "tile 2, pc 0: BAR of group LOW (tiles 0..1), to which the tile does not belong");
    /* LOW = 0 1, MID = 1 2: tile 1 is in both and may take them in one order only */
    accept("BR.geu r1, 2, m\nBAR LOW\nm: BR.eq r1, 0, e\nBR.eq r1, 3, e\nBAR MID\ne: " HALT);
    refuse("BR.eq r1, 1, b\nBR.geu r1, 2, m\nBAR LOW\nBR.eq 0, 0, e\nm: BR.eq r1, 3, e\nBAR "
           "MID\nBR.eq 0, 0, e\n"
           "b: BAR MID\nBAR LOW\ne: " HALT,
           "not the sequence");
}

/* ------------------------------------------------------------------ values against arithmetic */

static uint64_t pick(slx_rng *r)
{
    uint64_t v = slx_rng_u64(r) >> slx_rng_below(r, 64);
    switch (slx_rng_below(r, 6)) {
    case 0: return 0 - v;
    case 1: return v & ~UINT64_C(63);
    case 2: return UINT64_C(1) << (v & 63);
    default: return v;
    }
}

static slx_val some(slx_rng *r, uint64_t member[4])
{
    unsigned tz = slx_rng_below(r, 3) ? 0 : slx_rng_below(r, 12);
    uint64_t lo = pick(r) >> tz, hi = slx_rng_below(r, 3) ? lo + (pick(r) & 0xffff) : pick(r) >> tz;
    if (hi < lo) hi = lo;
    if (hi > UINT64_MAX >> tz) hi = UINT64_MAX >> tz;
    uint64_t n = hi - lo;
    for (int i = 0; i < 4; i++) {
        uint64_t at = i == 0            ? 0
                      : i == 1          ? n
                      : n == UINT64_MAX ? slx_rng_u64(r)
                                        : slx_rng_u64(r) % (n + 1);
        member[i] = (lo + at) << tz;
    }
    return slx_val_range(lo << tz, hi << tz, tz);
}

static bool contains(const slx_val *v, uint64_t x)
{
    return x >= v->lo && x <= v->hi && (v->tz >= 64 ? x == 0 : x % (UINT64_C(1) << v->tz) == 0);
}

static uint64_t exact(unsigned fn, uint64_t a, uint64_t b, uint64_t d)
{
    switch (fn) {
    case SLX_ALUFN_add: return a + b;
    case SLX_ALUFN_sub: return a - b;
    case SLX_ALUFN_mul: return a * b;
    case SLX_ALUFN_shl: return a << (b & 63);
    case SLX_ALUFN_shr: return a >> (b & 63);
    case SLX_ALUFN_and: return a & b;
    case SLX_ALUFN_or: return a | b;
    case SLX_ALUFN_xor: return a ^ b;
    case SLX_ALUFN_min: return a < b ? a : b;
    case SLX_ALUFN_max: return a > b ? a : b;
    case SLX_ALUFN_divu: return a / b;
    case SLX_ALUFN_remu: return a % b;
    case SLX_ALUFN_ltu: return a < b;
    case SLX_ALUFN_eq: return a == b;
    default: return d ? a : b;
    }
}

static void test_domain(void **state)
{
    slx_rng r = {11};
    (void)state;
    for (int i = 0; i < 300000; i++) {
        uint64_t a[4], b[4], d[4];
        unsigned fn = slx_rng_below(&r, SLX_ALUFN_sel + 1);
        slx_val va = some(&r, a), vb = some(&r, b), vd = some(&r, d),
                v = slx_val_alu(fn, va, vb, vd);
        for (int k = 0; k < 16; k++) {
            uint64_t x = a[k & 3], y = b[k >> 2];
            if (!y && (fn == SLX_ALUFN_divu || fn == SLX_ALUFN_remu)) continue;
            uint64_t want = exact(fn, x, y, d[k & 3]);
            if (!contains(&v, want))
                fail_msg("%s(%llx, %llx) = %llx is not in %llx..%llx tz %u",
                         slx_fn_name(SLX_FL_ALUFN, fn), (unsigned long long)x,
                         (unsigned long long)y, (unsigned long long)want, (unsigned long long)v.lo,
                         (unsigned long long)v.hi, v.tz);
            for (unsigned c = 0; c < 4; c++) {
                int known = slx_val_cond(c, va, vb);
                bool holds = c == SLX_COND_eq    ? x == y
                             : c == SLX_COND_ne  ? x != y
                             : c == SLX_COND_ltu ? x < y
                                                 : x >= y;
                assert_true(known < 0 || known == holds);
            }
        }
        slx_val p = slx_val_pair_x(va), q = slx_val_pair_y(va), j = slx_val_join(va, vb),
                w = slx_val_widen(va, j);
        for (int k = 0; k < 4; k++) {
            assert_true(contains(&p, a[k] & 0xfff));
            assert_true(contains(&q, a[k] >> 12 & 0x7ffff));
            assert_true(contains(&j, a[k]) && contains(&j, b[k]));
            assert_true(contains(&w, a[k]) && contains(&w, b[k]));
        }
    }
}

/* ------------------------------------------------------------------ random programs against strict */

enum {
    AREA = 0x400
}; /* below: table of small numbers, scalars; from here on: finite fp32 everywhere */

typedef struct {
    slx_rng r;
    slx_insn *in;
    uint32_t n;
    bool calls;
} gen;

static uint32_t below(gen *g, uint32_t n)
{
    return slx_rng_below(&g->r, n);
}
static uint32_t reg(unsigned r)
{
    return slx_opnd_reg(r, 0);
}
static void put(gen *g, unsigned op, unsigned f0, unsigned f1, unsigned flags, uint32_t toks,
                uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f)
{
    g->in[g->n++] = (slx_insn){{op | f0 << 8 | f1 << 16 | flags << 24, toks, a, b, c, d, e, f}};
}
/* one of the registers that hold arbitrary numbers, or a constant */
static uint32_t operand(gen *g)
{
    if (below(g, 3)) return slx_opnd_reg(10 + below(g, 6), (int)below(g, 100) - 50);
    return below(g, 2) ? below(g, 9) : reg(below(g, 2));
}

/* rd := a multiple of 64 in [0, 64*2^k) of whatever a register holds */
static void address(gen *g, unsigned rd, unsigned k)
{
    put(g, SLX_OP_ALU, SLX_ALUFN_and, 0, 0, 0, rd, operand(g), ((1u << k) - 1) << 6, 0, 0, 0);
}

/* LDQ, VEC, STQ in turn: t1 full, t2 done, t3 free. rows <= 8 of 64 bytes. */
static void pipeline(gen *g)
{
    unsigned rows = 17;
    address(g, 16, 8); /* up to 0x3fc0 */
    put(g, SLX_OP_ALU, SLX_ALUFN_remu, 0, 0, 0, rows, operand(g), 9, 0, 0, 0);
    put(g, SLX_OP_ALU, SLX_ALUFN_add, 0, 0, 0, 18, reg(16), reg(19), 0, 0, 0); /* r19: base of x */
    put(g, SLX_OP_LD, 0, below(g, 3) ? 0 : 1, 0, 3 | 1 << 16, slx_opnd_reg(16, AREA), reg(18), 64,
        reg(rows), 64, 64);
    switch (below(g, 5)) {
    case 0:
        put(g, SLX_OP_VUN, SLX_UNFN_copy, 0, 0, 1 | 2 << 16, slx_opnd_reg(16, 0x8000),
            slx_opnd_reg(16, AREA), slx_opnd_reg(rows, 16 << 12), 0, 0, 0);
        break;
    case 1:
        put(g, SLX_OP_VBIN, SLX_BINFN_max, below(g, 4), 0, 1 | 2 << 16, slx_opnd_reg(16, 0x8000),
            slx_opnd_reg(16, AREA), slx_opnd_reg(16, 0x4800), slx_opnd_reg(rows, 16 << 12),
            2 | 1 << 10 | below(g, 3) << 20, 0);
        break;
    case 2:
        put(g, SLX_OP_VTRN, 4, 0, 0, 1 | 2 << 16, 0x8000, slx_opnd_reg(16, AREA),
            slx_opnd_reg(rows, 16 << 12), 0, 0, 0);
        break;
    case 3:
        put(g, SLX_OP_VRED, SLX_REDFN_max, 0, 0, 1 | 2 << 16, slx_opnd_reg(16, 0x9000),
            slx_opnd_reg(16, AREA), slx_opnd_reg(rows, 16 << 12), 0, 0, 0);
        break;
    default:
        put(g, SLX_OP_VCVT, SLX_FMT_mxint8, SLX_FMT_f32, 0, 1 | 2 << 16, 0xe000, 0xe400,
            slx_opnd_reg(16, AREA), 0, slx_opnd_reg(rows, 16 << 12), 0);
    }
    if (below(g, 2))
        put(g, SLX_OP_ST, 0, 0, 0, 2 | 3 << 16, reg(18), slx_opnd_reg(16, AREA), 64, reg(rows), 64,
            64);
    else
        put(g, SLX_OP_MOV, 0, below(g, 2), 0, 2 | 3 << 16, slx_opnd_reg(16, AREA), 0,
            slx_opnd_reg(16, 0x4800), 64, reg(rows), 1 | 1 << 12);
    if (slx_insn_f1(&g->in[g->n - 1]) == 0 && slx_insn_op(&g->in[g->n - 1]) == SLX_OP_MOV)
        g->in[g->n - 1].w[3] = reg(1);
}

static void statement(gen *g, unsigned depth, bool sync, unsigned budget)
{
    static const uint8_t fns[] = {SLX_ALUFN_add, SLX_ALUFN_sub, SLX_ALUFN_mul, SLX_ALUFN_and,
                                  SLX_ALUFN_or,  SLX_ALUFN_xor, SLX_ALUFN_min, SLX_ALUFN_max,
                                  SLX_ALUFN_ltu, SLX_ALUFN_eq,  SLX_ALUFN_sel};
    uint32_t rd = 10 + below(g, 6), at, n;
    switch (below(g, 10)) {
    case 0:
    case 1:
        n = fns[below(g, sizeof fns)];
        at = operand(g);
        rd = 10 + below(g, 6);
        put(g, SLX_OP_ALU, n, 0, 0, 0, rd, at, operand(g),
            n == SLX_ALUFN_sel ? reg(10 + below(g, 6)) : 0, 0, 0);
        break;
    case 2:
        put(g, SLX_OP_ALU, SLX_ALUFN_divu + below(g, 2), 0, 0, 0, rd, operand(g), 1 + below(g, 99),
            0, 0, 0);
        break;
    case 3: put(g, SLX_OP_LDS, SLX_WIDTH_u32, 0, 0, 0, rd, 4 * below(g, 60), 7, 0, 0, 0); break;
    case 4:
        put(g, SLX_OP_STS, SLX_WIDTH_u64, 0, 0, 0, 0x100 + 8 * below(g, 32), operand(g), 0, 0, 0,
            0);
        break;
    case 5:
        if (sync)
            put(g, SLX_OP_BAR, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        else
            pipeline(g);
        break;
    case 6:
        if (depth < 4 && budget) {
            bool fixed = below(g, 2);
            if (!fixed)
                put(g, SLX_OP_LDS, SLX_WIDTH_u32, 0, 0, 0, 27, 4 * below(g, 60), 7, 0, 0, 0);
            at = g->n;
            put(g, SLX_OP_LOOP, 0, 0, 0, 0, fixed ? below(g, 4) : reg(27), 0,
                below(g, 4) ? 20 + depth : 0, 0, 0, 0);
            for (n = 1 + below(g, 4); n; n--) statement(g, depth + 1, sync && fixed, budget - 1);
            put(g, SLX_OP_SYS, SLX_SYSFN_nop, 0, 0, 0, 0, 0, 0, 0, 0, 0);
            g->in[at].w[3] = g->n - at - 1;
        }
        break;
    case 7:
        if (budget) {
            at = g->n;
            n = below(g, 4);
            put(g, SLX_OP_BR, n, 0, 0, 0, operand(g), operand(g), 0, 0, 0, 0);
            for (n = 1 + below(g, 3); n; n--) statement(g, depth, false, budget - 1);
            g->in[at].w[4] = g->n;
        }
        break;
    case 8:
        if (!depth && g->calls && sync) {
            put(g, SLX_OP_CALL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
            break;
        }
        /* fall through */
    default: pipeline(g);
    }
}

static const struct {
    const char *name;
    slx_region_kind kind;
    uint64_t base, bytes;
} places[] = {{"w", SLX_REGION_WEIGHTS, 0x1000, 0x10000},
              {"desc", SLX_REGION_DESC, 0x40000, 0x1000},
              {"kv", SLX_REGION_KV, 0x50000, 0x10000},
              {"x", SLX_REGION_EXCHANGE, 0x80000, 0x8000},
              {"out", SLX_REGION_LOGITS, 0x90000, 0x1000}};

static void random_program(gen *g, slx_program *p)
{
    slx_program_init(p);
    p->info = (slx_program_info){.n_tiles = 2 + below(g, 3),
                                 .spm_bytes = 0x10000,
                                 .acc_cells = 256,
                                 .max_m = 32,
                                 .token_max = 2};
    p->info.desc = (slx_desc_layout){.max_rows = 8,
                                     .max_samples = 1,
                                     .max_seqs = 1,
                                     .max_pages = 4,
                                     .max_items = 4,
                                     .item_rows = 4};
    slx_desc_layout_init(&p->info.desc, p->info.n_tiles);
    p->n_regions = sizeof places / sizeof *places;
    p->regions = slx_new(&p->arena, slx_region, p->n_regions);
    for (uint32_t i = 0; i < p->n_regions; i++) {
        p->regions[i] =
            (slx_region){.kind = places[i].kind, .base = places[i].base, .bytes = places[i].bytes};
        snprintf(p->regions[i].name, sizeof p->regions[i].name, "%s", places[i].name);
    }
    p->n_groups = 1;
    p->groups = slx_new(&p->arena, struct slx_group, 1);
    snprintf(p->groups[0].name, sizeof p->groups[0].name, "ALL");
    p->groups[0].count = p->info.n_tiles;
    p->insns = g->in = slx_new(&p->arena, slx_insn, 8192);
    p->n_functions = 1;
    p->functions = slx_new(&p->arena, uint32_t, 1);
    g->n = 0;
    g->calls = below(g, 2);
    put(g, SLX_OP_TOK, 0, 0, 0, 0, 3, 1, 0, 0, 0, 0);
    put(g, SLX_OP_VUN, SLX_UNFN_fill, 0, 0, 0, 0, 0, slx_pair(1, 0x10000 / 4), 0, 0x3f000000, 0);
    put(g, SLX_OP_LD, 0, 0, 0, 0, 0, reg(SLX_R_DESC), 256, 1, 0, 0);
    put(g, SLX_OP_LI, 0, 0, 0, 0, 19, 0x80000, 0, 0, 0, 0);
    for (uint32_t n = 3 + below(g, 12); n; n--) statement(g, 0, true, 3);
    put(g, SLX_OP_SYS, SLX_SYSFN_halt, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    if (g->calls) {
        p->functions[0] = g->n;
        bool calls = g->calls;
        g->calls = false;
        for (uint32_t n = 1 + below(g, 3); n; n--) statement(g, 0, true, 2);
        put(g, SLX_OP_RET, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        g->calls = calls;
    }
    p->n_insns = g->n;
    assert_true(g->n < 8192);
}

static jmp_buf too_long;
static uint32_t retired;
static void count_retired(void *arg, const slx_retire *r)
{
    (void)arg;
    retired += 1 + (uint32_t)(r->bytes / 256);
    if (retired > 5000) longjmp(too_long, 1);
}

/* Runs one step; false when it did not end in time. */
static bool strict(const slx_program *p, uint64_t seed, slx_fault *fault)
{
    slx_machine *m = NULL;
    slx_err err = {0};
    slx_machine_options opt = {.kind = SLX_MACHINE_STRICT, .retire = count_retired};
    slx_rng r = {seed};
    memset(fault, 0, sizeof *fault);
    if (slx_machine_open(&m, p, mini, NULL, &opt, &err) != SLX_OK) fail_msg("%s", err.msg);
    slx_machine *volatile open = m;
    uint8_t *d = slx_machine_desc(m);
    for (int i = 0; i < 64; i++) d[4 * i] = (uint8_t)slx_rng_below(&r, 8);
    retired = 0;
    bool ended = !setjmp(too_long);
    if (ended) (void)slx_machine_step(open, fault, &err);
    slx_machine_close(open);
    return ended;
}

static void show(const slx_program *p, const char *what)
{
    slx_buf text = {0};
    slx_disasm(p, &text);
    fprintf(stderr, "%s\n%s\n", text.ptr, what);
    slx_buf_free(&text);
}

/* Legal by construction: all pass, and strict runs them. */
static void test_random_legal(void **state)
{
    gen g = {.r = {2024}};
    uint32_t ran = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        slx_program p;
        slx_err err = {0};
        slx_fault f;
        random_program(&g, &p);
        if (slx_verify(&p, mini, "random", &err) != SLX_OK) {
            show(&p, err.msg);
            fail_msg("program %d: %s", i, err.msg);
        }
        if (i % 4 == 0 && strict(&p, (uint64_t)i, &f)) {
            ran++;
            if (f.cause != SLX_FAULT_NONE) {
                show(&p, f.detail);
                fail_msg("program %d, pc %u: %s: %s", i, f.pc, slx_fault_text(f.cause), f.detail);
            }
        }
        slx_program_free(&p);
    }
    assert_true(ran > 100);
}

/* Millions of rows at stride 0: legal, and of no use but to take long. */
static bool long_copy(const slx_insn *in)
{
    return slx_insn_op(in) == SLX_OP_LD && !slx_opnd_is_reg(in->w[5]) && in->w[5] > 4096;
}

/* One word changed at random: never a crash, and what is still accepted stays inside memory and order. */
static void test_random_changed(void **state)
{
    gen g = {.r = {77}};
    uint32_t accepted = 0, refused = 0;
    (void)state;
    for (int i = 0; i < 250; i++) {
        slx_program p;
        random_program(&g, &p);
        for (int k = 0; k < 40; k++) {
            slx_err err = {0};
            slx_fault f;
            uint32_t pc = below(&g, p.n_insns), w = below(&g, 8);
            slx_insn old = p.insns[pc];
            switch (below(&g, 4)) {
            case 0: p.insns[pc].w[w] = (uint32_t)slx_rng_u64(&g.r); break;
            case 1: p.insns[pc].w[w] += below(&g, 129) - 64; break;
            case 2: p.insns[pc].w[w] = p.insns[below(&g, p.n_insns)].w[w]; break;
            default: p.insns[pc].w[w] ^= 1u << below(&g, 32);
            }
            if (slx_verify(&p, mini, "changed", &err) != SLX_OK) {
                refused++;
                assert_true(err.msg[0]);
            } else if (accepted++ % 4 == 0 && !long_copy(&p.insns[pc]) &&
                       strict(&p, (uint64_t)k, &f)) {
                unsigned op = slx_insn_op(&p.insns[f.pc]);
                bool by_index = op == SLX_OP_LDX || op == SLX_OP_STX || op == SLX_OP_VGAT;
                if (f.cause == SLX_FAULT_ORDER || f.cause == SLX_FAULT_COUNT ||
                    (f.cause == SLX_FAULT_ADDRESS && !by_index)) {
                    show(&p, f.detail);
                    fail_msg("accepted, but tile %u, pc %u (changed: %u): %s: %s", f.tile, f.pc, pc,
                             slx_fault_text(f.cause), f.detail);
                }
            }
            p.insns[pc] = old;
        }
        slx_program_free(&p);
    }
    assert_true(accepted > 500 && refused > 500);
}

/* ------------------------------------------------------------------ compiled programs */

static void test_compiled(void **state)
{
    static const char *const chips[] = {"silex-1", "silex-mini", "silex-one"};
    char path[] = "/tmp/slx_verify_XXXXXX";
    struct slx_test_model_spec spec = {.n_layers = 3,
                                       .d_model = 96,
                                       .d_ff = 160,
                                       .n_heads = 6,
                                       .n_kv_heads = 2,
                                       .vocab = 400,
                                       .t_qkv = SLX_T_Q4_1,
                                       .t_gate_up = SLX_T_Q8_0,
                                       .tokenizer = true,
                                       .seed = 5};
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    slx_test_write_model(path, &spec);
    slx_model *m;
    slx_err err = {0};
    if (slx_model_open(&m, path, &err) != SLX_OK) fail_msg("%s", err.msg);
    for (int i = 0; i < 3; i++) {
        slx_chip *c;
        slx_program p;
        assert_int_equal(slx_chip_load(&c, chips[i], &err), SLX_OK);
        if (slx_compile(&p, m, c, NULL, NULL, NULL, &err) != SLX_OK)
            fail_msg("%s: %s", chips[i], err.msg);
        double t0 = slx_now_s();
        if (slx_verify(&p, c, "p", &err) != SLX_OK) fail_msg("%s: %s", chips[i], err.msg);
        print_message("%s: %u instructions, %u tiles, %.1f ms\n", chips[i], p.n_insns,
                      p.info.n_tiles, (slx_now_s() - t0) * 1e3);
        /* inside the layer loop no wait and no post can go */
        uint32_t layers = 0;
        for (uint32_t s = 0; s < p.n_spans; s++)
            if (!strcmp(p.spans[s].name, "layers")) layers = p.spans[s].pc;
        assert_int_equal(slx_insn_op(&p.insns[layers]), SLX_OP_LOOP);
        for (uint32_t pc = layers + 1; pc < layers + 1 + p.insns[layers].w[3] && i; pc++)
            for (int k = 0; k < 4; k++) {
                uint32_t old = p.insns[pc].w[1];
                if (!slx_insn_tok(&p.insns[pc], k)) continue;
                p.insns[pc].w[1] &= ~(255u << (8 * k));
                assert_int_equal(slx_verify(&p, c, "p", &err), SLX_EINPUT);
                assert_non_null(strstr(err.msg, "token t"));
                p.insns[pc].w[1] = old;
            }
        /* recipe and tables */
        uint64_t bytes = p.weights[3].bytes;
        p.weights[3].bytes -= 64;
        assert_int_equal(slx_verify(&p, c, "p", &err), SLX_EINPUT);
        assert_non_null(strstr(err.msg, "its layout fills"));
        p.weights[3].bytes = bytes;
        uint64_t addr = p.weights[3].addr;
        p.weights[3].addr = p.weights[2].addr;
        assert_int_equal(slx_verify(&p, c, "p", &err), SLX_EINPUT);
        assert_non_null(strstr(err.msg, "overlaps weight"));
        p.weights[3].addr = addr;
        p.info.n_layers += 100;
        assert_int_equal(slx_verify(&p, c, "p", &err), SLX_EINPUT);
        assert_non_null(strstr(err.msg, "for the pages of all layers"));
        p.info.n_layers -= 100;
        p.info.vocab_pad *= 100;
        assert_int_equal(slx_verify(&p, c, "p", &err), SLX_EINPUT);
        assert_non_null(strstr(err.msg, "for the logits"));
        p.info.vocab_pad /= 100;
        assert_int_equal(slx_verify(&p, c, "p", &err), SLX_OK);
        slx_program_free(&p);
        slx_chip_free(c);
    }
    slx_model_close(m);
    unlink(path);
}

/* With `in` at pc the program is refused, for a reason that says `want`. */
static void refuse_word(slx_program *p, uint32_t pc, slx_insn in, const char *want)
{
    slx_err err = {0};
    slx_insn was = p->insns[pc];
    p->insns[pc] = in;
    if (slx_verify(p, mini, "p", &err) == SLX_OK) fail_msg("pc %u: accepted, want %s", pc, want);
    if (!strstr(err.msg, want)) fail_msg("pc %u: said %s\nwant %s", pc, err.msg, want);
    p->insns[pc] = was;
}

/* The last instruction of a span with this operation, function and immediate in word w. */
static uint32_t last_with(const slx_program *p, const slx_span *s, unsigned op, unsigned f0, int w, uint64_t imm)
{
    for (uint32_t pc = s->pc + s->count; pc-- > s->pc;) {
        const slx_insn *in = &p->insns[pc];
        if (slx_insn_op(in) == op && slx_insn_f0(in) == f0 && in->w[w] == imm) return pc;
    }
    fail_msg("%s: no such instruction", s->name);
    return 0;
}

/* No token and no bound of MERGE can go, nor its barrier, nor that all tiles read alike whether they merge. */
static void changed_merge(slx_program *p, const slx_span *s)
{
    uint64_t item = s->param[SLX_MERGE_spm_item], states = s->param[SLX_MERGE_max_states];
    const struct {
        uint64_t word; /* of a merge, in bytes */
        const char *want;
    } limits[] = {{4, "ends at"}, {8, " writes "}, {20, "LOOP count"}, {24, "LOOP count"}};
    for (uint32_t pc = s->pc; pc < s->pc + s->count; pc++)
        for (int k = 0; k < 4; k++) {
            slx_insn in = p->insns[pc];
            if (!slx_insn_tok(&in, k)) continue;
            in.w[1] &= ~(255u << (8 * k));
            refuse_word(p, pc, in, "token t");
        }
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        uint32_t pc = last_with(p, s, SLX_OP_LDS, SLX_WIDTH_u32, 3, item + limits[i].word);
        slx_insn in = p->insns[pc];
        in.w[4] = 0x7fffffff;
        refuse_word(p, pc, in, limits[i].want);
    }
    /* a state's number, and its buffer's */
    uint32_t at = last_with(p, s, SLX_OP_ALU, SLX_ALUFN_min, 4, states - 1);
    slx_insn in = p->insns[at];
    in.w[4] = (uint32_t)states * 100;
    refuse_word(p, at, in, "LD reads HBM");
    at = last_with(p, s, SLX_OP_ALU, SLX_ALUFN_and, 4, s->param[SLX_MERGE_buffers] - 1);
    in = p->insns[at];
    in.w[4] = 0xffff;
    refuse_word(p, at, in, "LD writes SPM");
    /* the word of the header that says how many merges a step has */
    at = last_with(p, s, SLX_OP_LDS, SLX_WIDTH_u32, 3, s->param[SLX_MERGE_spm_header] + 12);
    in = p->insns[at];
    in.w[0] &= ~((uint32_t)SLX_F_UNI << 24);
    refuse_word(p, at, in, "BAR under a LOOP or BR");
    at = last_with(p, s, SLX_OP_BAR, 0, 2, 0);
    refuse_word(p, at, (slx_insn){{SLX_OP_SYS}}, "token t");
}

static void test_merge(void **state)
{
    (void)state;
    char path[] = "/tmp/slx_verify_XXXXXX";
    struct slx_test_model_spec spec = {.n_layers = 2, .d_model = 96, .d_ff = 96, .n_heads = 6, .n_kv_heads = 2,
                                       .head_dim = 32, .vocab = 50, .context = 4352, .seed = 1};
    slx_err err = {0};
    slx_model *m;
    slx_program p;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_true(slx_test_write_model(path, &spec));
    slx_compile_options o = {.max_rows = 48, .max_samples = 4, .max_seqs = 4, .max_pages = 136};
    if (slx_model_open(&m, path, &err) != SLX_OK || slx_compile(&p, m, mini, &o, NULL, NULL, &err) != SLX_OK)
        fail_msg("%s", err.msg);
    uint32_t spans = 0; /* of short steps, and of long ones */
    for (uint32_t i = 0; i < p.n_spans; i++) {
        if (p.spans[i].tmpl != SLX_TMPL_MERGE) continue;
        changed_merge(&p, &p.spans[i]);
        spans++;
    }
    assert_int_equal(spans, 2);
    assert_int_equal(slx_verify(&p, mini, "p", &err), SLX_OK);
    slx_program_free(&p);
    slx_model_close(m);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message),        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_chip),           cmocka_unit_test(test_rom),
        cmocka_unit_test(test_bounds),         cmocka_unit_test(test_values),
        cmocka_unit_test(test_tokens),         cmocka_unit_test(test_barriers),
        cmocka_unit_test(test_domain),         cmocka_unit_test(test_random_legal),
        cmocka_unit_test(test_random_changed), cmocka_unit_test(test_compiled),
        cmocka_unit_test(test_merge),
    };
    return cmocka_run_group_tests(tests, load_chip, free_chip);
}
