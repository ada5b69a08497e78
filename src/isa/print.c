/* print.c - one instruction as text.
 *
 *   MNEMONIC.f0.f1 operands  FLAGS key=value  wait=t1,t2 post=t3,t4
 *   operand   5  0x4000  r5  r5+12  r5-0x40      a value: an immediate, or a register and what is added
 *             [value]                            an SPM or HBM byte address
 *             acc12  acc[r5+12]                  an accumulator cell
 *             (3,32)  (r5,32)  {r5+0x123}        a pair; a register that holds one
 *             <4,0,8>                            VEC strides of d, a, b in 64 bytes
 *             1e-05  0x3727c5ac                  an fp32 and its bits; an immediate cannot be negative
 *             t3  g0  17                         token, group, instruction
 *
 * Invariant: what is printed for a legal instruction assembles to the same words. An illegal one is printed as .word.
 */
#include "isa/isa_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void slx_print_number(uint64_t v, slx_buf *out)
{
    slx_buf_addf(out, v < 4096 ? "%llu" : "0x%llx", (unsigned long long)v);
}

void slx_print_f32(uint32_t bits, slx_buf *out)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    char s[40] = "";
    for (int digits = 6; isfinite(x) && digits <= 9; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, (double)x);
        float back = strtof(s, NULL);
        if (!memcmp(&back, &x, sizeof x)) break;
        s[0] = 0;
    }
    if (s[0])
        slx_buf_addf(out, "%s%s", s, strpbrk(s, ".e") ? "" : ".0");
    else
        slx_buf_addf(out, "0x%08x", bits);
}

static void print_hex(uint64_t v, slx_buf *out)
{
    slx_buf_addf(out, v ? "0x%llx" : "0", (unsigned long long)v);
}

static void print_with(uint32_t w, void (*number)(uint64_t, slx_buf *), slx_buf *out)
{
    if (!slx_opnd_is_reg(w)) {
        number(w, out);
        return;
    }
    int64_t add = slx_opnd_add(w);
    slx_buf_addf(out, "r%u", slx_opnd_regno(w));
    if (!add) return;
    slx_buf_addc(out, add < 0 ? '-' : '+');
    number((uint64_t)(add < 0 ? -add : add), out);
}

static void print_value(uint32_t w, slx_buf *out)
{
    print_with(w, slx_print_number, out);
}

static void print_wrapped(const char *open, uint32_t w, const char *close, slx_buf *out)
{
    slx_buf_adds(out, open);
    print_with(w, print_hex, out);
    slx_buf_adds(out, close);
}

static void print_pair(uint32_t w, slx_buf *out)
{
    if (!slx_opnd_is_reg(w)) {
        slx_buf_addf(out, "(%u,%u)", slx_pair_x(w), slx_pair_y(w));
        return;
    }
    int64_t add = slx_opnd_add(w);
    if (add >= 0 && add % 4096 == 0) /* a run-time x below y, the usual case */
        slx_buf_addf(out, "(r%u,%u)", slx_opnd_regno(w), (unsigned)(add / 4096));
    else
        print_wrapped("{", w, "}", out);
}

static void print_operand(const slx_insn *i, int k, const char *label, slx_buf *out)
{
    unsigned op = slx_insn_op(i);
    uint32_t w = i->w[2 + k];
    switch (slx_ops[op].kind[k]) {
    case SLX_K_RD: slx_buf_addf(out, "r%u", w); break;
    case SLX_K_SPM:
    case SLX_K_HBM: print_wrapped("[", w, "]", out); break;
    case SLX_K_ACC:
        if (slx_opnd_is_reg(w))
            print_wrapped("acc[", w, "]", out);
        else
            slx_buf_addf(out, "acc%u", w);
        break;
    case SLX_K_PAIR: print_pair(w, out); break;
    case SLX_K_STR:
        if (slx_opnd_is_reg(w))
            print_wrapped("{", w, "}", out);
        else
            slx_buf_addf(out, "<%u,%u,%u>", w & 1023, w >> 10 & 1023, w >> 20 & 1023);
        break;
    case SLX_K_F32:
        if (slx_opnd_is_reg(w))
            print_value(w, out);
        else
            slx_print_f32(w, out);
        break;
    case SLX_K_TOK: slx_buf_addf(out, "t%u", w); break;
    case SLX_K_GRP: slx_buf_addf(out, "g%u", w); break;
    case SLX_K_IMM:
        if (op == SLX_OP_LOOP && k == 2) {
            slx_buf_addf(out, "r%u", w);
            break;
        }
        if (op == SLX_OP_LOOP && label) {
            slx_buf_adds(out, label);
            break;
        }
        slx_print_number(w, out);
        break;
    case SLX_K_PC:
        if (label)
            slx_buf_adds(out, label);
        else
            slx_buf_addf(out, "%u", w);
        break;
    default: print_value(w, out); break;
    }
}

static void print_flags(const slx_insn *i, slx_buf *out)
{
    unsigned op = slx_insn_op(i), flags = slx_insn_flags(i), f1 = slx_insn_f1(i);
    if (op == SLX_OP_MM) {
        if (flags & SLX_F_INIT) slx_buf_adds(out, " INIT");
        if (flags & SLX_F_ROM) slx_buf_adds(out, " ROM");
        if (flags & SLX_F_BT) slx_buf_adds(out, " BT");
        if (flags & SLX_F_LOG2G)
            slx_buf_addf(out, " G=%u", 1u << ((flags & SLX_F_LOG2G) >> SLX_F_LOG2G_SHIFT));
    } else if (op == SLX_OP_LDS) {
        if (flags & SLX_F_UNI) slx_buf_adds(out, " UNI");
    } else if (op == SLX_OP_VCVT) {
        if (flags & SLX_F_COL) slx_buf_adds(out, " COL");
        if (flags & SLX_F_ROW) slx_buf_adds(out, " ROW");
    }
    if (slx_ops[op].f1 == SLX_FL_GROUP && f1) slx_buf_addf(out, " to=g%u", f1 - 1);
    if (slx_ops[op].f1 == SLX_FL_COUNT) slx_buf_addf(out, " H=%u", f1);
}

static void print_tokens(const slx_insn *i, slx_buf *out)
{
    for (int k = 0; k < 4; k += 2) {
        unsigned a = slx_insn_tok(i, k), b = slx_insn_tok(i, k + 1);
        if (!a && !b) continue;
        slx_buf_adds(out, k ? " post=" : " wait=");
        if (a)
            slx_buf_addf(out, "t%u", a);
        else
            slx_buf_adds(out, "none");
        if (b) slx_buf_addf(out, ",t%u", b);
    }
}

void slx_insn_print_at(const slx_insn *i, const char *label, slx_buf *out)
{
    char why[256];
    if (slx_insn_check(i, why)) {
        slx_buf_adds(out, ".word ");
        for (int k = 0; k < SLX_INSN_WORDS; k++)
            slx_buf_addf(out, "%s0x%x", k ? ", " : "", i->w[k]);
        return;
    }
    const slx_op_info *info = &slx_ops[slx_insn_op(i)];
    size_t start = out->len;
    slx_buf_adds(out, info->name);
    const char *f0 = slx_fn_name(info->f0, slx_insn_f0(i)),
               *f1 = slx_fn_name(info->f1, slx_insn_f1(i));
    if (f0) slx_buf_addf(out, ".%s", f0);
    if (f1) slx_buf_addf(out, ".%s", f1);
    unsigned uses = slx_insn_uses(i);
    size_t width = out->len - start;
    while (uses && width < 8) {
        slx_buf_addc(out, ' ');
        width++;
    }
    const char *sep = " ";
    for (int k = 0; k < SLX_N_OPERANDS; k++) {
        if (!(uses >> k & 1)) continue;
        if (slx_insn_op(i) == SLX_OP_LOOP && k == 2 && !i->w[4]) continue; /* no counter */
        slx_buf_adds(out, sep);
        sep = ", ";
        if (slx_insn_op(i) == SLX_OP_LI && k == 1) { /* two words, one number */
            slx_print_number(i->w[3] | (uint64_t)i->w[4] << 32, out);
            break;
        }
        print_operand(i, k, label, out);
    }
    print_flags(i, out);
    print_tokens(i, out);
}

void slx_insn_print(const slx_insn *i, slx_buf *out)
{
    slx_insn_print_at(i, NULL, out);
}
