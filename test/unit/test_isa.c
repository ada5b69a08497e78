/* test_isa.c - the instruction table, the structure of one instruction, its text form, sizes of formats.
 *
 * Words are written out by hand from the encoding picture of docs/isa.md; sizes are worked out on paper.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "isa/program.h"

/* ------------------------------------------------------------------ help */

static const char *why(slx_insn i)
{
    static char buf[256];
    const char *bad = slx_insn_check(&i, buf);
    return bad ? bad : "";
}

#define LEGAL(...)         assert_string_equal(why((slx_insn){{__VA_ARGS__}}), "")
#define ILLEGAL(what, ...) assert_non_null(strstr(why((slx_insn){{__VA_ARGS__}}), what))

/* Assembles one line into its instruction; "" or the message. */
static const char *assemble(const char *text, slx_insn *out)
{
    static slx_err err;
    slx_buf b = {0};
    slx_buf_addf(&b,
                 ".info n_tiles=4\n.group name=\"ALL\" count=4\n.group name=\"LOW\" count=2\n%s\n",
                 text);
    slx_program p;
    slx_status s = slx_asm(&p, b.ptr, b.len, "t.s", &err);
    slx_buf_free(&b);
    if (s) return err.msg;
    *out = p.insns[0];
    slx_program_free(&p);
    return "";
}

static void expect_words(const char *text, const uint32_t w[8])
{
    slx_insn i;
    assert_string_equal(assemble(text, &i), "");
    for (int k = 0; k < 8; k++)
        if (i.w[k] != w[k])
            fail_msg("%s: word %d is 0x%08x, expected 0x%08x", text, k, i.w[k], w[k]);
    slx_buf b = {0};
    slx_insn_print(&i, &b);
    slx_insn again;
    assert_string_equal(assemble(b.ptr, &again), "");
    assert_memory_equal(&again, &i, sizeof i);
    slx_buf_free(&b);
}
#define WORDS(text, ...) expect_words(text, (const uint32_t[8]){__VA_ARGS__})

static void expect_error(const char *text, const char *part)
{
    slx_insn i;
    const char *msg = assemble(text, &i);
    if (!strstr(msg, part)) fail_msg("%s: message \"%s\", expected \"%s\" in it", text, msg, part);
}

/* ------------------------------------------------------------------ table */

static void table(void **state)
{
    (void)state;
    int built = 0, reserved = 0;
    for (int op = 0; op < 256; op++) {
        built += slx_ops[op].name && !slx_ops[op].reserved;
        reserved += slx_ops[op].reserved;
    }
    assert_int_equal(built + reserved, 38); /* chip.md section 5: 38 instructions */
    assert_int_equal(reserved, 3);          /* VBKT, A2A, PUT */
    assert_string_equal(slx_ops[0x20].name, "MM");
    assert_int_equal(slx_ops[0x20].engine, SLX_ENG_TEN);
    assert_int_equal(slx_ops[0x20].kind[5], SLX_K_PAIR);
    assert_string_equal(slx_ops[0x10].cost, "load");
    assert_string_equal(slx_engine_names[slx_ops[0x43].engine], "NET");
    assert_null(slx_ops[0].name);
    assert_string_equal(slx_fn_name(SLX_FL_ALUFN, 14), "sel");
    assert_null(slx_fn_name(SLX_FL_ALUFN, 15));
    assert_null(slx_fn_name(SLX_FL_FMT, 0));
    assert_null(slx_fn_name(SLX_FL_GROUP, 0));
    assert_int_equal(slx_fn_code(SLX_FL_FMT, "q4smx", 4), 6);
    assert_int_equal(slx_fn_code(SLX_FL_FMT, "q4smx", 5), -1);
}

static void table_on_paper(void **state)
{
    (void)state;
    slx_buf made = {0}, page = {0};
    slx_err err;
    slx_isa_doc(&made);
    assert_int_equal(slx_read_file(&page, "docs/isa.md", &err), SLX_OK);
    if (made.len != page.len || memcmp(made.ptr, page.ptr, made.len))
        fail_msg("docs/isa.md is old: run make gen");
    /* every instruction has its paragraph in the page written by hand */
    slx_buf_free(&page);
    assert_int_equal(slx_read_file(&page, "docs/isa-semantics.md", &err), SLX_OK);
    for (int op = 0; op < 256; op++) {
        if (!slx_ops[op].name) continue;
        char head[32];
        snprintf(head, sizeof head, "**%s**", slx_ops[op].name);
        if (!strstr(page.ptr, head)) fail_msg("docs/isa-semantics.md says nothing of %s", head);
    }
    slx_buf_free(&made);
    slx_buf_free(&page);
}

/* ------------------------------------------------------------------ structure */

static void structure(void **state)
{
    (void)state;
    LEGAL(0x00000001);                      /* SYS nop */
    LEGAL(0x00000101);                      /* SYS halt */
    ILLEGAL("operand A", 0x00000101, 0, 1); /* halt takes nothing */
    ILLEGAL("opcode 0x00: there is no such instruction", 0);
    ILLEGAL("there is no such instruction", 0xff);
    ILLEGAL("VBKT is reserved: not supported by this version", 0x3e);
    ILLEGAL("PUT is reserved", 0x43);
    LEGAL(0x00000040, 0, 0, 64, 16);
    ILLEGAL("RED: f0 = max is reserved", 0x00000140, 0, 0, 64, 16);
    ILLEGAL("RED: group 1 of chips, expected 0, all chips", 0x00000040, 0, 0, 64, 16, 1);
    ILLEGAL("GAT: group 7 of chips", 0x00000041, 0, 0, 64, 16, 1, 7);
    ILLEGAL("f0 is 4, expected a code of SYSFN", 0x00000401);
    ILLEGAL("f1 is 7", 0x00070101);
    ILLEGAL("flags 0x01", 0x01000001);
    LEGAL(0x00000002, 0, 31, 0xffffffff, 0xffffffff); /* LI r31, 2^64-1 */
    ILLEGAL("register 0, expected 1..31", 0x00000002, 0, 0);
    ILLEGAL("register 32", 0x00000002, 0, 32);
    LEGAL(0x00000003, 0, 1, 0x84000000, 7);          /* ALU.add r1, r1, 7 */
    ILLEGAL("operand D", 0x00000003, 0, 1, 2, 3, 4); /* only sel has a D */
    LEGAL(0x00000e03, 0, 1, 2, 3, 4);
    ILLEGAL("operand E", 0x00000e03, 0, 1, 2, 3, 4, 5);
    LEGAL(0x00000006, 0, 0x94000000, 3, 5); /* LOOP r5, 3, r5 */
    ILLEGAL("register 32", 0x00000006, 0, 1, 3, 32);
    ILLEGAL("expected an immediate", 0x00000006, 0, 1, 0x80000003, 5);
    LEGAL(0x0000000a, 0, 63, 1);
    ILLEGAL("token 64", 0x0000000a, 0, 64, 1);
    ILLEGAL("token 0", 0x0000000a, 0, 0, 1);
    LEGAL(0x00000001, 0x3f000201); /* waits 1 and 2, post1 = 63 */
    ILLEGAL("wait1 is token 64", 0x00000001, 0x00004000);
    ILLEGAL("wait0 and wait1 are both token 5", 0x00000001, 0x00000505);
    ILLEGAL("post0 and post1 are both token 5", 0x00000001, 0x05050000);
    LEGAL(0x00000001, 0x00050005);                    /* waits and posts one token */
    ILLEGAL("operand B is 0x1", 0x0000001b, 0, 0, 1); /* BAR has one operand */
    ILLEGAL("bit 30 is reserved", 0x00000031 - 1, 0, 0, 0, 0, 0, 0x40000000);
}

static void formats_and_functions(void **state)
{
    (void)state;
    static const uint8_t reserved[] = {3, 4, 8, 9};
    ILLEGAL("is reserved: not supported by this version", 0x01020120); /* activations of MXFP4 */
    ILLEGAL("is reserved: not supported by this version", 0x000a0236); /* quantising to it */
    for (size_t k = 0; k < sizeof reserved; k++) {
        ILLEGAL("is reserved: not supported by this version",
                0x01010020 | (uint32_t)reserved[k] << 8);
        ILLEGAL("is reserved: not supported by this version",
                0x01000120 | (uint32_t)reserved[k] << 16);
        ILLEGAL("is reserved: not supported by this version",
                0x000a0036 | (uint32_t)reserved[k] << 8);
        ILLEGAL("is reserved: not supported by this version",
                0x00000a36 | (uint32_t)reserved[k] << 16);
    }
    static const uint8_t weights[] = {1, 5, 6, 7};
    for (size_t k = 0; k < sizeof weights; k++) LEGAL(0x01010020 | (uint32_t)weights[k] << 8);
    ILLEGAL("no product", 0x01010a20);
    ILLEGAL("no product", 0x01050120);
    LEGAL(0x31010120); /* INIT, G=8 */
    ILLEGAL("G=2 without INIT", 0x10010120);
    LEGAL(0x05010120); /* INIT, BT */
    ILLEGAL("BT with B in q4s", 0x05010520);
    ILLEGAL("BT with G=4", 0x25010120);
    ILLEGAL("flags", 0x41010120);
    LEGAL(0x000a0136); /* VCVT f32 -> mxint8 */
    LEGAL(0x00060a36); /* q4sm -> f32 */
    ILLEGAL("no conversion of f32 to f32", 0x000a0a36);
    ILLEGAL("no conversion of f32 to q4s", 0x000a0536);
    ILLEGAL("no conversion of q4s to mxint8", 0x00050136);
    ILLEGAL("expected none", 0x01060a36);
    ILLEGAL("operand D", 0x000a0136, 0, 0, 0, 0, 64); /* D needs COL */
    LEGAL(0x010a0136, 0, 0, 0, 0, 64);
    ILLEGAL("operand B", 0x00010a36, 0, 0, 64); /* dequantise: A, C, D */
    ILLEGAL("log2 is reserved", 0x00000732);
    LEGAL(0x00000a32);
    LEGAL(0x00000134);
    ILLEGAL("scatter is reserved", 0x0000013d);
    LEGAL(0x00000132);
    ILLEGAL("operand E", 0x00000132, 0, 0, 0, 0, 0, 1); /* only fill has a value */
    ILLEGAL("operand B", 0x00000d32, 0, 0, 64);         /* fill reads nothing */
    ILLEGAL("expected a count of at least 1", 0x00000038);
    LEGAL(0x00030038);
    ILLEGAL("f0 is 3, expected a code of TRNFN", 0x0000033c);
    ILLEGAL("operand C", 0x00000039, 0, 0, 0, 64); /* VMRG empty */
    LEGAL(0x00000139, 0, 0, 0, 64, 128);
    ILLEGAL("operand B", 0x0001001a, 0, 0, 3); /* MOV to a group names no tile */
}

/* ------------------------------------------------------------------ text */

static void text_to_words(void **state)
{
    (void)state;
    WORDS("SYS.halt", 0x00000101);
    WORDS("SYS.stamp 7 post=t9", 0x00000201, 0x00090000, 7);
    WORDS("LI r5, 0x123456789abcdef0", 2, 0, 5, 0x9abcdef0, 0x12345678);
    WORDS("LI r5, -1", 2, 0, 5, 0xffffffff, 0xffffffff);
    WORDS("ALU.sub r9, r5-1, r21", 0x00000103, 0, 9, 0x97ffffff, 0xd4000000);
    WORDS("alu.sel r1, 2, 3, r4", 0x00000e03, 0, 1, 2, 3, 0x90000000);
    WORDS("LDS.u16 r9, [r8+0x18000], 4096 UNI", 0x01000104, 0, 9, 0xa0018000, 4096);
    WORDS("TOK t2, 2 # two free buffers", 0x0a, 0, 2, 2);
    WORDS("BAR ALL wait=t5,t6 post=t7", 0x1b, 0x00070605, 0);
    WORDS("BAR g1", 0x1b, 0, 1);
    WORDS("BAR g0 wait=none,t6", 0x1b, 0x00000600, 0);
    WORDS("LD [r8+0x4000], [r6], 544, 1, 0, 0 wait=t2 post=t1", 0x10, 0x00010002, 0xa0004000,
          0x98000000, 544, 1);
    WORDS("LD [0], [r6], 544, 1, 0, 0 to=LOW", 0x00020010, 0, 0, 0x98000000, 544, 1);
    WORDS("MOV [64], 3, [128], 32, r7, (2,36)", 0x1a, 0, 64, 3, 128, 32, 0x9c000000, 2 | 36 << 12);
    WORDS("MOV [64], [128], 32, 1, (0,0) to=ALL", 0x0001001a, 0, 64, 0, 128, 32, 1);
    /* chip.md, Annex B, in this assembler's spelling */
    WORDS("MM.q4sm.mxint8 acc0, [0x100], [0x200], [r8+0x400], (r4,32), (18,18) INIT G=4 wait=t1 "
          "post=t2",
          0x21010620, 0x00020001, 0, 0x100, 0x200, 0xa0000400, 0x90020000, 18 | 18 << 12);
    WORDS("MM.mxint8.mxint8 acc[r5+12], [0], [0], [0], {r4+1}, (1,1) BT", 0x04010120, 0, 0x9400000c,
          0, 0, 0, 0x90000001, 1 | 1 << 12);
    WORDS("AOUT.fp32 [0x300], acc4096, (4095,524287), 128, 0.0", 0x22, 0, 0x300, 4096, 0x7fffffff,
          128, 0);
    WORDS("VNRM.rms [0], [64], [128], 1e-05, (1,576), <9,9,0>", 0x34, 0, 0, 64, 128, 0x3727c5ac,
          1 | 576 << 12, 9 | 9 << 10);
    WORDS("VNRM.rms [0], [64], [128], 0x3727c5ac, (1,576), {r3}", 0x34, 0, 0, 64, 128, 0x3727c5ac,
          1 | 576 << 12, 0x8c000000);
    WORDS("VUN.fill [0], (1,32), <0,0,0>, r6", 0x00000d32, 0, 0, 0, 1 | 32 << 12, 0, 0x98000000);
    WORDS("VCVT.mxint8.f32 [0], [64], [128], [256], (1,128), <0,0,0> COL ROW", 0x030a0136, 0, 0, 64,
          128, 256, 1 | 128 << 12);
    WORDS("VCVT.f32.q8s [0], [64], [128], (1,128), <0,0,0>", 0x00070a36, 0, 0, 0, 64, 128,
          1 | 128 << 12);
    WORDS("VSMX [0], [64], [128], [192], (3,128), r9 H=3", 0x00030038, 0, 0, 64, 128, 192,
          3 | 128 << 12, 0xa4000000);
    WORDS("VMRG.final [0], [64], (1,64)", 0x00000239, 0, 0, 64, 0, 0, 1 | 64 << 12);
    WORDS("LOOP 10, over, r5\nSYS.nop\nover:", 6, 0, 10, 1, 5);
    WORDS("LOOP r4, 3", 6, 0, 0x90000000, 3, 0);
    WORDS("BR.ltu r5, 8, over\nSYS.nop\nover: SYS.halt", 0x00000207, 0, 0x94000000, 8, 2);
    WORDS(".equ N 4*(2+1)\nALU.add r1, r2+N-2, N*N", 3, 0, 1, 0x8800000a, 144);
    WORDS(".word 0x101, 0,0,0, 0,0,0,0", 0x101);
    WORDS("a: b: SYS.nop", 1);
}

static void text_errors(void **state)
{
    (void)state;
    expect_error("VBINN.add.full [0], [0], [0], (1,1), <0,0,0>", "did you mean VBIN?");
    expect_error("VBKT [0]", "VBKT is reserved: not supported by this version");
    expect_error("ALU r1, r2, r3",
                 "ALU without a function, expected ALU.NAME with one of: add sub");
    expect_error("ALU.ad r1, r2, r3", "found ad, expected a function of ALU");
    expect_error("VUN.log2 [0], [0], (1,1), <0,0,0>", "log2 is reserved");
    expect_error("ALU.add r0, r2, r3", "expected a register of r1..r31");
    expect_error("ALU.add r1, r32, r3", "found r32");
    expect_error("ALU.add r1, r2", "found the end of the line, expected ','");
    expect_error("ALU.add r1, r2, r3 r4", "found r4, expected an option of ALU");
    expect_error("ALU.add r1, 0x80000000, r3", "expected an immediate of 0..0x7fffffff");
    expect_error("ALU.add r1, -1, r3", "is -1, expected");
    expect_error("ALU.add r1, r2+0x2000000, r3", "adds 33554432 to a register");
    expect_error("LI r1, 0x10000000000000000", "above 2^64-1");
    expect_error("LI r1, 12ab", "found 12ab, expected a number");
    expect_error("LI r1, NAME", "found NAME, expected a number or a name of .equ");
    expect_error("BAR g0 wait=t64", "expected a token of t1..t63");
    expect_error("BAR g0 wait=t1,t2,t3", "third token");
    expect_error("BAR g0 wait=t1,t1", "both token 1");
    expect_error("BAR g0 wait=t1 wait=t2", "found wait twice");
    expect_error("BAR FOUR", "found FOUR, expected a .group above");
    expect_error("BR.eq 0, 0, there", "found the unknown label there");
    expect_error("a: SYS.nop\na: SYS.nop", "found a second label a");
    expect_error("a: LOOP 3, a\nSYS.nop", "found the earlier label a");
    expect_error("AOUT.fp32 [0], acc0, (4096,1), 0, 0.0",
                 "the first of the pair is 4096, expected 0..4095");
    expect_error("AOUT.fp32 [0], acc0, (r1,8192), 0, 0.0", "expected 0..8191");
    expect_error("AOUT.fp32 [0], acc0, (1,1), 0, -1.5",
                 "found a negative fp32, expected a register");
    expect_error("AOUT.fp32 [0], acc0, (1,1), 0, 0xbf800000", "negative fp32");
    expect_error("AOUT.fp32 [0], acc0, (1,1), 0, 1e99", "expected a finite fp32");
    expect_error("MM.q4s.mxint8 acc0, [0], [0], [0], (1,1), (1,1) INIT G=3",
                 "G is 3, expected 1, 2, 4 or 8");
    expect_error("VCVT.mxint8.f32 [0], [0], [0], (1,32), <0,0,0> COL", "COL and without D");
    expect_error("MOV [0], [0], 32, 1, (0,0)", "MOV without a tile");
    expect_error(".regoin name=\"x\"", "found .regoin");
    expect_error(".region nam=\"x\"", "did you mean name?");
    expect_error(".region name=\"x\" kind=stuff", "expected a kind: weights rope descriptor");
    expect_error(".region name=\"x", "text without end");
    expect_error(".equ r5 3", "found the register r5");
    expect_error(".equ A 3\n.equ A 4", "A is defined already");
    expect_error(".word 1, 2", "between the eight words");
    expect_error("\x01", "expected an instruction");
}

static void error_place(void **state)
{
    (void)state;
    const char *text = "SYS.nop\n  ALU.add  r1, r99, 3 # no\nSYS.halt\n";
    slx_program p;
    slx_err err;
    assert_int_equal(slx_asm(&p, text, strlen(text), "x.s", &err), SLX_EINPUT);
    assert_string_equal(err.file, "x.s");
    assert_int_equal(err.line, 2);
    assert_int_equal(err.col, 16);
    assert_string_equal(err.source, "  ALU.add  r1, r99, 3 # no");
}

/* Random words shaped by the table: every legal instruction reads back from its text, whatever its bits. */
static void text_of_anything(void **state)
{
    (void)state;
    slx_rng r = {7};
    int legal = 0, illegal = 0;
    slx_buf all = {0};
    enum { N = 20000 };
    slx_insn *kept = slx_xcalloc(N, sizeof *kept);
    static const uint32_t flags[] = {0, 1, 2, 3, 4, 5, 0x11, 0x21, 0x31};
    while (legal < N) {
        unsigned op = slx_rng_below(&r, 0x44);
        if (!slx_ops[op].name) continue;
        slx_insn i = {{op | slx_rng_below(&r, 16) << 8 | slx_rng_below(&r, 12) << 16 |
                       flags[slx_rng_below(&r, 9)] << 24}};
        if (!(slx_rng_u64(&r) & 3)) i.w[0] &= 0xff00ffff;
        for (int k = 0; k < 4; k++)
            if (slx_rng_u64(&r) & 1) i.w[1] |= slx_rng_below(&r, 64) << (8 * k);
        for (int k = 0; k < 6; k++) {
            uint32_t w = (uint32_t)slx_rng_u64(&r);
            switch (slx_rng_below(&r, 6)) {
            case 0: w = 0; break;
            case 1: w &= 31; break;
            case 2: w &= 0x3fffffff; break;
            case 3: w = w << 12 | 1u << 31; break;
            default: break;
            }
            bool none = slx_ops[op].kind[k] == SLX_K_NONE ||
                        (op == SLX_OP_ALU && k == 3 && (i.w[0] >> 8 & 255) != 14);
            if (slx_ops[op].kind[k] == SLX_K_PC || (op == SLX_OP_LOOP && k == 1)) w &= 0xff;
            if (op == SLX_OP_CALL) w &= 0x7fffffff;
            if (op >= SLX_OP_RED && slx_ops[op].kind[k] == SLX_K_GRP) w = 0;
            i.w[2 + k] = none ? 0 : w;
        }
        if (why(i)[0]) {
            illegal++;
            continue;
        }
        kept[legal++] = i;
        slx_insn_print(&i, &all);
        slx_buf_addc(&all, '\n');
    }
    assert_true(illegal > 100);
    slx_program p;
    slx_err err;
    slx_buf head = {0};
    slx_buf_adds(&head, ".info n_tiles=1\n");
    slx_buf_add(&head, all.ptr, all.len);
    if (slx_asm(&p, head.ptr, head.len, "t.s", &err)) {
        slx_err_print(&err, stderr);
        fail();
    }
    assert_int_equal(p.n_insns, N);
    unsigned seen[256] = {0};
    for (int k = 0; k < N; k++) {
        seen[slx_insn_op(&kept[k])]++;
        if (memcmp(&p.insns[k], &kept[k], sizeof *kept)) {
            slx_buf b = {0};
            slx_insn_print(&kept[k], &b);
            fail_msg("%s: does not read back", b.ptr);
        }
    }
    for (int op = 0; op < 256; op++)
        if (slx_ops[op].name && !slx_ops[op].reserved && !seen[op])
            fail_msg("no %s among them", slx_ops[op].name);
    slx_program_free(&p);
    slx_buf_free(&all);
    slx_buf_free(&head);
    free(kept);
}

/* ------------------------------------------------------------------ formats */

static void format_sizes(void **state)
{
    (void)state;
    size_t s, m;
    /* 32 rows of 18 blocks in Q4SM: 9216 code bytes, 1152 of d, 1152 of m: all multiples of 64 */
    assert_int_equal(slx_btile_bytes(SLX_FMT_q4sm, 32, 18, &s, &m), 11520);
    assert_int_equal(s, 9216);
    assert_int_equal(m, 10368);
    /* 3 rows of 1 block in MXINT8: 96 -> 128, then 3 scales -> 64 */
    assert_int_equal(slx_btile_bytes(SLX_FMT_mxint8, 3, 1, &s, &m), 192);
    assert_int_equal(s, 128);
    assert_int_equal(m, 0);
    /* 5 rows of 3 blocks: Q4S 240 -> 256, 30 -> 64; Q8S 480 -> 512, 30 -> 64; Q4SM one plane more */
    assert_int_equal(slx_btile_bytes(SLX_FMT_q4s, 5, 3, &s, &m), 320);
    assert_int_equal(slx_btile_bytes(SLX_FMT_q8s, 5, 3, &s, &m), 576);
    assert_int_equal(slx_btile_bytes(SLX_FMT_q4sm, 5, 3, &s, &m), 384);
    assert_int_equal(m, 320);
    assert_int_equal(slx_btile_bytes(SLX_FMT_f32, 5, 3, NULL, NULL), 0);
    /* 15 blocks of 16 bytes, rounded up to 64, and a scale a block, rounded up */
    assert_int_equal(slx_btile_bytes(SLX_FMT_mxfp4, 5, 3, NULL, NULL), 256 + 64);
    assert_int_equal(slx_btile_bytes(SLX_FMT_mxfp6, 5, 3, NULL, NULL), 0);
    assert_int_equal(slx_fmt_code_bytes(SLX_FMT_q4sm), 16);
    assert_int_equal(slx_fmt_scale_bytes(SLX_FMT_mxint8), 1);
    assert_int_equal(slx_fmt_scale_bytes(SLX_FMT_q8s), 2);
    assert_int_equal(slx_fmt_scale_bytes(SLX_FMT_bf16), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),         cmocka_unit_test(table_on_paper),
        cmocka_unit_test(structure),     cmocka_unit_test(formats_and_functions),
        cmocka_unit_test(text_to_words), cmocka_unit_test(text_errors),
        cmocka_unit_test(error_place),   cmocka_unit_test(text_of_anything),
        cmocka_unit_test(format_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
