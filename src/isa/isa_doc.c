/* isa_doc.c - the instruction table as Markdown: docs/isa.md. Everything in it comes from isa.def and the lists. */
#include "isa/isa_int.h"

#include <string.h>

static const char *const kinds[] = {
    [SLX_K_NONE] = "",      [SLX_K_RD] = "rd",       [SLX_K_VAL] = "value", [SLX_K_IMM] = "imm",
    [SLX_K_RAW] = "word",   [SLX_K_SPM] = "[spm]",   [SLX_K_HBM] = "[hbm]", [SLX_K_ACC] = "acc",
    [SLX_K_PAIR] = "(x,y)", [SLX_K_STR] = "<d,a,b>", [SLX_K_F32] = "fp32",  [SLX_K_TOK] = "token",
    [SLX_K_GRP] = "group",  [SLX_K_PC] = "pc",
};

static void flag_names(const slx_op_info *o, unsigned op, slx_buf *out)
{
    if (op == SLX_OP_MM)
        slx_buf_addf(out, "INIT %d, ROM %d, BT %d, log2 G %d..%d", SLX_F_INIT, SLX_F_ROM, SLX_F_BT,
                     1 << SLX_F_LOG2G_SHIFT, SLX_F_LOG2G);
    else if (op == SLX_OP_LDS)
        slx_buf_addf(out, "UNI %d", SLX_F_UNI);
    else if (op == SLX_OP_VCVT)
        slx_buf_addf(out, "COL %d, ROW %d", SLX_F_COL, SLX_F_ROW);
    else
        SLX_ASSERT(!o->flags); /* a flag without a name here */
}

static void engine_table(slx_engine_id e, const char *what, slx_buf *out)
{
    slx_buf_addf(out, "\n## %s: %s\n\n", slx_engine_names[e], what);
    slx_buf_adds(out, "| code | name | f0 | f1 | flags | A | B | C | D | E | F | meaning | cost |\n"
                      "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (unsigned op = 0; op < 256; op++) {
        const slx_op_info *o = &slx_ops[op];
        if (!o->name || o->engine != e) continue;
        if (o->reserved) {
            slx_buf_addf(out,
                         "| 0x%02x | %s | | | | | | | | | | reserved, refused by name: %s | |\n",
                         op, o->name, o->doc);
            continue;
        }
        slx_buf_addf(out, "| 0x%02x | %s | %s | %s | ", op, o->name, slx_fn_list_name(o->f0),
                     slx_fn_list_name(o->f1));
        flag_names(o, op, out);
        for (int k = 0; k < SLX_N_OPERANDS; k++) slx_buf_addf(out, " | %s", kinds[o->kind[k]]);
        slx_buf_addf(out, " | %s | %s |\n", o->doc, o->cost);
    }
}

static void function_table(slx_buf *out)
{
    slx_buf_adds(
        out,
        "\n## Function codes\n\nf0 and f1 hold a code of the list the instruction names. GROUP: 0 "
        "= this tile "
        "alone, else 1 + number of the group. COUNT: at least 1.\n\n| list | codes |\n|---|---|\n");
#define ROW(list)                                                                                  \
    slx_buf_adds(out, "| " #list " | ");                                                           \
    for (unsigned c = 0, n = 0; c < 256; c++)                                                      \
        if (slx_fn_name(SLX_FL_##list, c))                                                         \
            slx_buf_addf(out, "%s%u %s", n++ ? ", " : "", c, slx_fn_name(SLX_FL_##list, c));       \
    slx_buf_adds(out, " |\n");
    SLX_FN_LISTS(ROW)
#undef ROW
    slx_buf_adds(out, "\nReserved, refused by name: formats mxfp6, mxfp8, i8s and bf16 in "
                      "MM and VCVT, mxfp4 but for weights; gelu and log2 "
                      "of VUN; layer of VNRM; scatter of VGAT; max of RED.\n");
}

void slx_isa_doc(slx_buf *out)
{
    unsigned built = 0, reserved = 0;
    for (unsigned op = 0; op < 256; op++) {
        built += slx_ops[op].name && !slx_ops[op].reserved;
        reserved += slx_ops[op].reserved;
    }
    slx_buf_adds(out, "# The instruction table\n\n"
                      "Written by `make gen` from `src/isa/isa.def`; do not edit. What the "
                      "operands mean and how data lies in "
                      "memory: [isa-semantics.md](isa-semantics.md). What values come out: "
                      "[numerics.md](numerics.md).\n\n");
    slx_buf_addf(out, "%u instructions of 256 bits, and %u reserved codes.\n\n", built, reserved);
    slx_buf_adds(
        out, "## Encoding\n\n"
             "Eight little-endian 32-bit words.\n\n"
             "```\n"
             "        31       24 23       16 15        8 7         0\n"
             "  w0   |   flags   |    f1     |    f0     |    op     |\n"
             "  w1   |   post1   |   post0   |   wait1   |   wait0   |   tokens 1..63, 0 = none\n"
             "  w2..w7                operands A..F\n"
             "\n"
             "  operand   0 | unsigned immediate, bits 30:0\n"
             "            1 | register, bits 30:26 | signed immediate, bits 25:0      value = "
             "register + immediate, 64 bit\n"
             "```\n\n"
             "| operand | word | text |\n|---|---|---|\n"
             "| value | any operand | `5`, `0x4000`, `r5`, `r5-12` |\n"
             "| [spm], [hbm] | operand: a byte address | `[0x4000]`, `[r8+0x18000]` |\n"
             "| acc | operand: index of an accumulator cell | `acc0`, `acc[r5+32]` |\n"
             "| (x,y) | operand: x in bits 11:0 of the value, y in bits 30:12 | `(3,32)`, "
             "`(r5,32)`, `{r5+0x123}` |\n"
             "| <d,a,b> | operand: three strides of 10 bits in 64 bytes, d lowest | `<4,0,8>`, "
             "`{r5}` |\n"
             "| fp32 | operand: the low 32 bits of the value | `1e-05`, `0x3727c5ac`, `r5` |\n"
             "| rd | index of the register written, 1..31 | `r5` |\n"
             "| imm | immediate only | `5` |\n"
             "| word | all 32 bits are data | `LI r5, 0x123456789` takes two |\n"
             "| token, group, pc | plain number | `t3`, `g0` or the group's name, a label |\n\n"
             "An unused operand, and an unused bit, is zero: anything else is illegal.\n");
    static const char *const what[SLX_N_ENGINES] = {
        [SLX_ENG_CTL] = "scalars, loops, dispatch",
        [SLX_ENG_LDQ] = "loads from HBM",
        [SLX_ENG_STQ] = "stores, moves between tiles, barriers",
        [SLX_ENG_TEN] = "dot products and accumulators",
        [SLX_ENG_VEC] = "rows of fp32",
        [SLX_ENG_NET] = "between chips",
    };
    for (int e = 0; e < SLX_N_ENGINES; e++) engine_table((slx_engine_id)e, what[e], out);
    function_table(out);
}
