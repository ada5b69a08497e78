/* isa.c - the tables that follow from isa.def and the function lists, and the structure of one instruction.
 *
 * Invariant: an instruction that passes slx_insn_check has a text form that reads back to the same eight words.
 */
#include "isa/isa_int.h"

#include <stdarg.h>
#include <string.h>

const char *const slx_engine_names[SLX_N_ENGINES] = {"CTL", "LDQ", "STQ", "TEN", "VEC", "NET"};

const slx_op_info slx_ops[256] = {
/* clang-format off */
#define OP(code, opname, eng, cst, l0, l1, fl, a, b, c, d, e, f, text)                             \
    [code] = {#opname, SLX_ENG_##eng, #cst, false, SLX_FL_##l0, SLX_FL_##l1, fl,                   \
              {SLX_K_##a, SLX_K_##b, SLX_K_##c, SLX_K_##d, SLX_K_##e, SLX_K_##f}, text},
#define RSV(code, opname, eng, text)                                                               \
    [code] = {.name = #opname, .engine = SLX_ENG_##eng, .cost = "", .reserved = true, .doc = text},
#include "isa/isa.def"
#undef OP
#undef RSV
    /* clang-format on */
};

/* ------------------------------------------------------------------ function names */

#define FN_NAME(code, name) [code] = #name,
#define FN_TABLE(list)      static const char *const names_##list[] = {SLX_FN_##list(FN_NAME)};
SLX_FN_LISTS(FN_TABLE)

static const struct {
    const char *const *names;
    unsigned n;
    const char *list;
} fn_lists[] = {
#define FN_LIST(list)                                                                              \
    [SLX_FL_##list] = {names_##list, sizeof names_##list / sizeof *names_##list, #list},
    SLX_FN_LISTS(FN_LIST)};

static bool has_names(slx_fn_list list)
{
    return (size_t)list < sizeof fn_lists / sizeof *fn_lists && fn_lists[list].names;
}

const char *slx_fn_name(slx_fn_list list, unsigned code)
{
    return has_names(list) && code < fn_lists[list].n ? fn_lists[list].names[code] : NULL;
}

int slx_fn_code(slx_fn_list list, const char *name, size_t len)
{
    for (unsigned c = 0; has_names(list) && c < fn_lists[list].n; c++) {
        const char *s = fn_lists[list].names[c];
        if (s && strlen(s) == len && !memcmp(s, name, len)) return (int)c;
    }
    return -1;
}

const char *slx_fn_list_name(slx_fn_list list)
{
    if (has_names(list)) return fn_lists[list].list;
    return list == SLX_FL_GROUP ? "GROUP" : list == SLX_FL_COUNT ? "COUNT" : "";
}

int slx_op_find(const char *name, size_t len)
{
    for (int op = 0; op < 256; op++) {
        const char *s = slx_ops[op].name;
        if (!s || strlen(s) != len) continue;
        size_t i = 0;
        while (i < len && (name[i] == s[i] || name[i] == (s[i] | 32))) i++;
        if (i == len) return op;
    }
    return -1;
}

/* ------------------------------------------------------------------ which operands an instruction uses */

unsigned slx_insn_uses(const slx_insn *i)
{
    unsigned op = slx_insn_op(i), f0 = slx_insn_f0(i), uses = 0;
    for (int k = 0; k < SLX_N_OPERANDS; k++)
        uses |= (unsigned)(slx_ops[op].kind[k] != SLX_K_NONE) << k;
    enum { A = 1, B = 2, C = 4, D = 8, E = 16 };
    switch (op) {
    case SLX_OP_SYS: return f0 == SLX_SYSFN_trap ? A | B : f0 == SLX_SYSFN_stamp ? A : 0;
    case SLX_OP_ALU: return f0 == SLX_ALUFN_sel ? uses : uses & ~(unsigned)D;
    case SLX_OP_VUN: return uses & ~(unsigned)(f0 == SLX_UNFN_fill ? B : E);
    case SLX_OP_VMRG: return f0 == SLX_MRGFN_merge ? uses : uses & ~(unsigned)(C | D);
    case SLX_OP_VCVT:
        if (f0 == SLX_FMT_f32) return uses & ~(unsigned)B;
        return slx_insn_flags(i) & SLX_F_COL ? uses : uses & ~(unsigned)D;
    case SLX_OP_MOV: return slx_insn_f1(i) ? uses & ~(unsigned)B : uses;
    default: return uses;
    }
}

/* ------------------------------------------------------------------ structure of one instruction */

static const char *say(char buf[256], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static const char *say(char buf[256], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(buf, 256, fmt, ap);
    va_end(ap);
    return buf;
}

static bool reserved_fmt(unsigned fmt)
{
    return fmt == SLX_FMT_mxfp6 || fmt == SLX_FMT_mxfp8 ||
           fmt == SLX_FMT_i8s || fmt == SLX_FMT_bf16;
}

/* Functions that have their code and wait for their definition. */
static bool reserved_fn(unsigned op, int which, unsigned code)
{
    switch (op) {
    case SLX_OP_MM: return reserved_fmt(code) || (which == 1 && code == SLX_FMT_mxfp4);
    case SLX_OP_VCVT: return reserved_fmt(code) || (which == 0 && code == SLX_FMT_mxfp4);
    case SLX_OP_VUN: return which == 0 && code == SLX_UNFN_log2;
    case SLX_OP_VGAT: return which == 0 && code == SLX_GATFN_scatter;
    case SLX_OP_RED: return which == 0 && code == SLX_COMFN_max;
    default: return false;
    }
}

static const char *check_fn(unsigned op, int which, slx_fn_list list, unsigned code, char buf[256])
{
    const char *op_name = slx_ops[op].name;
    if (list == SLX_FL_NONE)
        return code ? say(buf, "%s: f%d is %u, expected 0: the instruction has no such function",
                          op_name, which, code)
                    : NULL;
    if (list == SLX_FL_GROUP) return NULL;
    if (list == SLX_FL_COUNT)
        return code ? NULL
                    : say(buf, "%s: f%d is 0, expected a count of at least 1", op_name, which);
    const char *name = slx_fn_name(list, code);
    if (!name)
        return say(buf, "%s: f%d is %u, expected a code of %s", op_name, which, code,
                   fn_lists[list].list);
    if (reserved_fn(op, which, code))
        return say(buf, "%s: f%d = %s is reserved: not supported by this version", op_name, which,
                   name);
    return NULL;
}

static const char *check_operand(unsigned op, int k, uint32_t w, char buf[256])
{
    const char *name = slx_ops[op].name;
    char letter = (char)('A' + k);
    switch (slx_ops[op].kind[k]) {
    case SLX_K_NONE:
        if (w) return say(buf, "%s: operand %c is 0x%x, expected 0: it is unused", name, letter, w);
        return NULL;
    case SLX_K_RD:
        if (w < 1 || w >= SLX_N_REGS)
            return say(buf, "%s: operand %c writes register %u, expected 1..%d", name, letter, w,
                       SLX_N_REGS - 1);
        return NULL;
    case SLX_K_TOK:
        if (w < 1 || w >= SLX_N_TOKENS)
            return say(buf, "%s: operand %c is token %u, expected 1..%d", name, letter, w,
                       SLX_N_TOKENS - 1);
        return NULL;
    case SLX_K_IMM:
    case SLX_K_PC:
    case SLX_K_GRP:
        if (slx_opnd_is_reg(w))
            return say(buf, "%s: operand %c is a register (0x%x), expected an immediate", name,
                       letter, w);
        return NULL;
    case SLX_K_STR:
        if (w >> 30 == 1)
            return say(buf,
                       "%s: operand %c is 0x%x, expected three 10-bit strides: bit 30 is reserved",
                       name, letter, w);
        return NULL;
    case SLX_K_VAL:
    case SLX_K_RAW:
    case SLX_K_SPM:
    case SLX_K_HBM:
    case SLX_K_ACC:
    case SLX_K_PAIR:
    case SLX_K_F32: return NULL;
    }
    return NULL;
}

static const char *check_tokens(const slx_insn *i, const char *name, char buf[256])
{
    static const char *const what[4] = {"wait0", "wait1", "post0", "post1"};
    for (int k = 0; k < 4; k++)
        if (slx_insn_tok(i, k) >= SLX_N_TOKENS)
            return say(buf, "%s: %s is token %u, expected 1..%d, or 0 for none", name, what[k],
                       slx_insn_tok(i, k), SLX_N_TOKENS - 1);
    for (int k = 0; k < 4; k += 2)
        if (slx_insn_tok(i, k) && slx_insn_tok(i, k) == slx_insn_tok(i, k + 1))
            return say(buf, "%s: %s and %s are both token %u, expected two different ones", name,
                       what[k], what[k + 1], slx_insn_tok(i, k));
    return NULL;
}

static const char *check_mm(unsigned f0, unsigned f1, unsigned flags, char buf[256])
{
    if (f0 == SLX_FMT_f32 || f1 != SLX_FMT_mxint8)
        return say(buf,
                   "MM: no product of A in %s and B in %s, expected A in mxint8, B in mxint8, q4s, "
                   "q4sm or q8s",
                   slx_fn_name(SLX_FL_FMT, f1), slx_fn_name(SLX_FL_FMT, f0));
    unsigned g = 1u << ((flags & SLX_F_LOG2G) >> SLX_F_LOG2G_SHIFT);
    if (g > 1 && !(flags & SLX_F_INIT))
        return say(buf, "MM: G=%u without INIT, expected G=1: a chain goes on", g);
    if (!(flags & SLX_F_BT)) return NULL;
    if (f0 != SLX_FMT_mxint8)
        return say(buf, "MM: BT with B in %s, expected mxint8", slx_fn_name(SLX_FL_FMT, f0));
    if (g > 1) return say(buf, "MM: BT with G=%u, expected G=1", g);
    if (flags & SLX_F_ROM) return say(buf, "MM: BT and ROM together, expected one of them");
    return NULL;
}

static const char *check_vcvt(unsigned f0, unsigned f1, unsigned flags, char buf[256])
{
    bool quantise = f0 == SLX_FMT_mxint8 && f1 == SLX_FMT_f32;
    bool dequantise = f0 == SLX_FMT_f32 && f1 != SLX_FMT_f32;
    if (!quantise && !dequantise)
        return say(buf,
                   "VCVT: no conversion of %s to %s, expected f32 to mxint8, or mxint8, q4s, q4sm "
                   "or q8s to f32",
                   slx_fn_name(SLX_FL_FMT, f1), slx_fn_name(SLX_FL_FMT, f0));
    if (dequantise && flags)
        return say(buf, "VCVT: flags 0x%x, expected none: COL and ROW belong to f32 to mxint8",
                   flags);
    return NULL;
}

const char *slx_insn_check(const slx_insn *i, char buf[256])
{
    unsigned op = slx_insn_op(i), f0 = slx_insn_f0(i), f1 = slx_insn_f1(i),
             flags = slx_insn_flags(i);
    const slx_op_info *info = &slx_ops[op];
    if (!info->name) return say(buf, "opcode 0x%02x: there is no such instruction", op);
    if (info->reserved)
        return say(buf, "opcode 0x%02x: %s is reserved: not supported by this version", op,
                   info->name);
    const char *bad = check_fn(op, 0, info->f0, f0, buf);
    if (!bad) bad = check_fn(op, 1, info->f1, f1, buf);
    if (bad) return bad;
    if (flags & ~(unsigned)info->flags)
        return say(buf, "%s: flags 0x%02x, expected only bits of 0x%02x", info->name, flags,
                   info->flags);
    bad = check_tokens(i, info->name, buf);
    for (int k = 0; k < SLX_N_OPERANDS && !bad; k++) bad = check_operand(op, k, i->w[2 + k], buf);
    if (bad) return bad;
    if (op == SLX_OP_MM) bad = check_mm(f0, f1, flags, buf);
    if (op == SLX_OP_VCVT) bad = check_vcvt(f0, f1, flags, buf);
    uint32_t chips = op == SLX_OP_RED ? i->w[5] : op == SLX_OP_GAT ? i->w[6] : 0;
    if (chips)
        bad = say(buf,
                  "%s: group %u of chips, expected 0, all chips: others are not supported by this "
                  "version",
                  info->name, chips);
    if (op == SLX_OP_LOOP && i->w[4] >= SLX_N_REGS)
        bad = say(buf, "LOOP: operand C is register %u, expected 0 (none) or 1..%d", i->w[4],
                  SLX_N_REGS - 1);
    if (bad) return bad;
    unsigned uses = slx_insn_uses(i);
    for (int k = 0; k < SLX_N_OPERANDS; k++)
        if (!(uses >> k & 1) && i->w[2 + k])
            return say(buf, "%s: operand %c is 0x%x, expected 0: it is unused with this function",
                       info->name, 'A' + k, i->w[2 + k]);
    return NULL;
}

/* ------------------------------------------------------------------ sizes of formats */

unsigned slx_fmt_code_bytes(unsigned fmt)
{
    switch (fmt) {
    case SLX_FMT_mxint8:
    case SLX_FMT_q8s: return 32;
    case SLX_FMT_mxfp4:
    case SLX_FMT_q4s:
    case SLX_FMT_q4sm: return 16;
    default: return 0;
    }
}

unsigned slx_fmt_scale_bytes(unsigned fmt)
{
    if (!slx_fmt_code_bytes(fmt)) return 0;
    return fmt == SLX_FMT_mxint8 || fmt == SLX_FMT_mxfp4 ? 1 : 2;
}

size_t slx_btile_bytes(unsigned fmt, uint32_t n, uint32_t kblk, size_t *off_scale, size_t *off_m)
{
    size_t blocks = slx_mul_size(n, kblk);
    size_t scale_at = slx_align64(slx_mul_size(blocks, slx_fmt_code_bytes(fmt)));
    size_t end = slx_align64(scale_at + slx_mul_size(blocks, slx_fmt_scale_bytes(fmt)));
    size_t m_at = fmt == SLX_FMT_q4sm ? end : 0;
    if (m_at) end = slx_align64(m_at + slx_mul_size(blocks, 2));
    if (off_scale) *off_scale = slx_fmt_code_bytes(fmt) ? scale_at : 0;
    if (off_m) *off_m = m_at;
    return slx_fmt_code_bytes(fmt) ? end : 0;
}
