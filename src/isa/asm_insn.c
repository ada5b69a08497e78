/* asm_insn.c - one line of assembly to one instruction. The form is the one of print.c; see asm_int.h. */
#include "isa/asm_int.h"

#include <string.h>

static bool is(slx_str w, const char *s)
{
    return slx_str_is(w, s);
}

/* ------------------------------------------------------------------ mnemonic.f0.f1 */

static slx_status unknown_op(slx_asm_state *s, slx_str w, const char *at)
{
    const char *names[256];
    int n = 0;
    for (int op = 0; op < 256; op++)
        if (slx_ops[op].name && !slx_ops[op].reserved) names[n++] = slx_ops[op].name;
    char text[16] = "";
    for (size_t i = 0; i < w.len && i < sizeof text - 1; i++)
        text[i] = (char)(w.ptr[i] >= 'a' && w.ptr[i] <= 'z' ? w.ptr[i] - 32 : w.ptr[i]);
    const char *near = w.len < sizeof text ? slx_nearest(text, names, n) : NULL;
    slx_str f = slx_asm_found(s, at);
    return slx_asm_fail(s, at, "found %.*s, expected an instruction%s%s%s", (int)f.len, f.ptr,
                        near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
}

static slx_status function(slx_asm_state *s, const slx_op_info *op, slx_fn_list list,
                           unsigned *code)
{
    *code = 0;
    if (!slx_fn_list_name(list)[0] || list == SLX_FL_GROUP || list == SLX_FL_COUNT) return SLX_OK;
    const char *at = s->at;
    slx_str w = {at, 0};
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        w = slx_asm_word(s);
    }
    int c = slx_fn_code(list, w.ptr, w.len);
    if (c >= 0) {
        *code = (unsigned)c;
        return SLX_OK;
    }
    char all[200] = "", text[24] = "";
    const char *names[256];
    int n = 0;
    for (unsigned i = 0; i < 256; i++) {
        const char *name = slx_fn_name(list, i);
        if (!name) continue;
        names[n++] = name;
        size_t len = strlen(all);
        snprintf(all + len, sizeof all - len, "%s%s", len ? " " : "", name);
    }
    if (!w.len)
        return slx_asm_fail(s, at, "%s without a function, expected %s.NAME with one of: %s",
                            op->name, op->name, all);
    memcpy(text, w.ptr, w.len < sizeof text ? w.len : sizeof text - 1);
    const char *near = slx_nearest(text, names, n);
    return slx_asm_fail(s, w.ptr, "found %.*s, expected a function of %s: %s%s%s", (int)w.len,
                        w.ptr, op->name, all, near ? "; did you mean " : "", near ? near : "");
}

/* ------------------------------------------------------------------ operands */

static slx_status bracketed(slx_asm_state *s, char open, char close, const char *what, uint32_t *w)
{
    SLX_TRY(slx_asm_expect(s, open, "before the value"));
    SLX_TRY(slx_asm_value(s, what, w));
    return slx_asm_expect(s, close, "after the value");
}

static slx_status accumulator(slx_asm_state *s, uint32_t *w)
{
    slx_asm_blanks(s);
    const char *at = s->at;
    if (s->end - at >= 3 && !memcmp(at, "acc", 3)) {
        s->at += 3;
        if (s->at < s->end && *s->at == '[')
            return bracketed(s, '[', ']', "the accumulator cell", w);
        if (s->at < s->end && *s->at >= '0' && *s->at <= '9')
            return slx_asm_u32(s, INT32_MAX, "the accumulator cell", w);
    }
    slx_str f = slx_asm_found(s, at);
    return slx_asm_fail(s, at, "found %.*s, expected an accumulator such as acc0 or acc[r5]",
                        (int)f.len, f.ptr);
}

static slx_status braces(slx_asm_state *s, const char *what, uint32_t *w, bool *taken)
{
    slx_asm_blanks(s);
    *taken = s->at < s->end && *s->at == '{';
    return *taken ? bracketed(s, '{', '}', what, w) : SLX_OK;
}

static slx_status pair(slx_asm_state *s, uint32_t *w)
{
    bool taken;
    SLX_TRY(braces(s, "the pair", w, &taken));
    if (taken) return SLX_OK;
    SLX_TRY(slx_asm_expect(s, '(', "of a pair such as (3,32)"));
    slx_asm_blanks(s);
    const char *at = s->at;
    unsigned r;
    uint32_t x = 0, y;
    slx_str word = slx_asm_word(s);
    bool reg = slx_asm_is_register(word, &r);
    if (!reg) {
        s->at = at;
        SLX_TRY(slx_asm_u32(s, 4095, "the first of the pair", &x));
    }
    SLX_TRY(slx_asm_expect(s, ',', "between the two of a pair"));
    SLX_TRY(slx_asm_u32(s, reg ? 8191 : 0x7ffff, "the second of the pair", &y));
    *w = reg ? slx_opnd_reg(r, (int64_t)y * 4096) : slx_pair(x, y);
    return slx_asm_expect(s, ')', "after the pair");
}

static slx_status strides(slx_asm_state *s, uint32_t *w)
{
    bool taken;
    SLX_TRY(braces(s, "the strides", w, &taken));
    if (taken) return SLX_OK;
    uint32_t v[3];
    SLX_TRY(slx_asm_expect(s, '<', "of strides such as <4,0,8>"));
    for (int i = 0; i < 3; i++) {
        if (i) SLX_TRY(slx_asm_expect(s, ',', "between two strides"));
        SLX_TRY(slx_asm_u32(s, 1023, "the stride in 64 bytes", &v[i]));
    }
    *w = v[0] | v[1] << 10 | v[2] << 20;
    return slx_asm_expect(s, '>', "after the strides");
}

static slx_status f32(slx_asm_state *s, uint32_t *w)
{
    slx_asm_blanks(s);
    const char *at = s->at;
    unsigned r;
    slx_str word = slx_asm_word(s);
    s->at = at;
    if (slx_asm_is_register(word, &r)) return slx_asm_value(s, "the fp32", w);
    if (at < s->end && *at == '-')
        return slx_asm_fail(s, at,
                            "found a negative fp32, expected a register that holds its bits (LI)");
    SLX_TRY(slx_asm_f32(s, w));
    if (*w >> 31)
        return slx_asm_fail(
            s, at, "found bits of a negative fp32, expected a register that holds them (LI)");
    return SLX_OK;
}

static slx_status plain_register(slx_asm_state *s, unsigned lowest, uint32_t *w)
{
    slx_str word = slx_asm_word(s);
    unsigned r;
    if (slx_asm_is_register(word, &r) && r >= lowest) {
        *w = r;
        return SLX_OK;
    }
    slx_str f = slx_asm_found(s, word.ptr);
    return slx_asm_fail(s, word.ptr, "found %.*s, expected a register of r%u..r%d", (int)f.len,
                        f.ptr, lowest, SLX_N_REGS - 1);
}

static slx_status token(slx_asm_state *s, uint32_t *w)
{
    slx_str word = slx_asm_word(s);
    uint32_t v = 0;
    bool ok = word.len >= 2 && word.len <= 3 && word.ptr[0] == 't';
    for (size_t i = 1; ok && i < word.len; i++) {
        ok = word.ptr[i] >= '0' && word.ptr[i] <= '9';
        v = v * 10 + (uint32_t)(word.ptr[i] - '0');
    }
    if (ok && v >= 1 && v < SLX_N_TOKENS) {
        *w = v;
        return SLX_OK;
    }
    slx_str f = slx_asm_found(s, word.ptr);
    return slx_asm_fail(s, word.ptr, "found %.*s, expected a token of t1..t%d", (int)f.len, f.ptr,
                        SLX_N_TOKENS - 1);
}

/* gN, or the name of a group declared above. */
static slx_status group(slx_asm_state *s, uint32_t most, uint32_t *w)
{
    slx_str word = slx_asm_word(s);
    const struct slx_group *g = (const struct slx_group *)(const void *)s->groups.ptr;
    for (size_t i = 0; i < s->groups.len / sizeof *g; i++)
        if (is(word, g[i].name) && i <= most) {
            *w = (uint32_t)i;
            return SLX_OK;
        }
    uint64_t v = 0;
    bool ok = word.len >= 2 && word.len <= 11 && word.ptr[0] == 'g';
    for (size_t i = 1; ok && i < word.len; i++) {
        ok = word.ptr[i] >= '0' && word.ptr[i] <= '9';
        v = v * 10 + (uint64_t)(word.ptr[i] - '0');
    }
    if (ok && v <= most) {
        *w = (uint32_t)v;
        return SLX_OK;
    }
    slx_str f = slx_asm_found(s, word.ptr);
    return slx_asm_fail(s, word.ptr, "found %.*s, expected a .group above, or its number g0..g%u",
                        (int)f.len, f.ptr, most);
}

/* A label, or what it stands for. Never a name of .equ: labels have their own names. */
static slx_status place(slx_asm_state *s, slx_asm_fix what, uint32_t *w)
{
    slx_str word = slx_asm_word(s);
    if (!word.len) return slx_asm_u32(s, INT32_MAX, "the number of instructions", w);
    slx_asm_fixup_add(s, what, slx_asm_pc(s), word);
    *w = 0;
    return SLX_OK;
}

static slx_status operand(slx_asm_state *s, unsigned op, int k, uint32_t *w)
{
    switch (slx_ops[op].kind[k]) {
    case SLX_K_RD: return plain_register(s, 1, w);
    case SLX_K_SPM: return bracketed(s, '[', ']', "the SPM address", w);
    case SLX_K_HBM: return bracketed(s, '[', ']', "the HBM address", w);
    case SLX_K_ACC: return accumulator(s, w);
    case SLX_K_PAIR: return pair(s, w);
    case SLX_K_STR: return strides(s, w);
    case SLX_K_F32: return f32(s, w);
    case SLX_K_TOK: return token(s, w);
    case SLX_K_GRP: return group(s, INT32_MAX, w);
    case SLX_K_PC: return place(s, SLX_FIX_BR, w);
    case SLX_K_IMM:
        if (op == SLX_OP_LOOP && k == 1) return place(s, SLX_FIX_LOOP, w);
        if (op == SLX_OP_LOOP && k == 2) return plain_register(s, 0, w);
        return slx_asm_u32(s, INT32_MAX, "the immediate", w);
    default: return slx_asm_value(s, "the value", w);
    }
}

/* Text leaves out what is unused. Whether VCVT has D follows from COL behind it. */
static bool absent(slx_asm_state *s, const slx_insn *i, int k)
{
    if (slx_insn_op(i) == SLX_OP_LOOP && k == 2) {
        slx_asm_blanks(s);
        return s->at == s->end || *s->at != ',';
    }
    if (slx_insn_op(i) != SLX_OP_VCVT || k != 3 || slx_insn_f0(i) == SLX_FMT_f32) return false;
    const char *at = s->at;
    bool comma = slx_asm_take(s, ',');
    slx_asm_blanks(s);
    bool given = comma && s->at < s->end && *s->at == '[';
    s->at = at;
    return !given;
}

static slx_status operands(slx_asm_state *s, slx_insn *i, unsigned *given)
{
    unsigned op = slx_insn_op(i), uses = slx_insn_uses(i);
    if (op == SLX_OP_VCVT && slx_insn_f0(i) != SLX_FMT_f32) uses |= 8;
    if (op == SLX_OP_MOV) uses |= 2;
    *given = 0;
    for (int k = 0; k < SLX_N_OPERANDS; k++) {
        if (!(uses >> k & 1) || absent(s, i, k)) continue;
        if (*given) SLX_TRY(slx_asm_expect(s, ',', "before the next operand"));
        *given |= 1u << k;
        if (op == SLX_OP_LI && k == 1) {
            uint64_t v;
            SLX_TRY(slx_asm_expr(s, &v));
            i->w[3] = (uint32_t)v;
            i->w[4] = (uint32_t)(v >> 32);
            break;
        }
        if (op == SLX_OP_MOV && k == 1) { /* with a group there is no tile: [src], [dst] */
            slx_asm_blanks(s);
            if (s->at < s->end && *s->at == '[') {
                *given &= ~2u;
                SLX_TRY(operand(s, op, 2, &i->w[4]));
                *given |= 4;
                k = 2;
                continue;
            }
        }
        SLX_TRY(operand(s, op, k, &i->w[2 + k]));
    }
    return SLX_OK;
}

/* ------------------------------------------------------------------ flags and tokens */

static slx_status tokens(slx_asm_state *s, slx_insn *i, int first)
{
    for (int k = first; k < first + 2; k++) {
        slx_asm_blanks(s);
        const char *at = s->at;
        uint32_t t = 0;
        if (!is(slx_asm_word(s), "none")) {
            s->at = at;
            SLX_TRY(token(s, &t));
        }
        i->w[1] |= t << (8 * k);
        if (!slx_asm_take(s, ',')) break;
        if (k == first + 1)
            return slx_asm_fail(s, s->at - 1, "found a third token, expected at most two");
    }
    return SLX_OK;
}

static slx_status option(slx_asm_state *s, slx_insn *i, unsigned *seen)
{
    static const struct {
        const char *name;
        uint8_t op, flag;
    } flag[] = {
        {"INIT", SLX_OP_MM, SLX_F_INIT}, {"ROM", SLX_OP_MM, SLX_F_ROM},
        {"BT", SLX_OP_MM, SLX_F_BT},     {"UNI", SLX_OP_LDS, SLX_F_UNI},
        {"COL", SLX_OP_VCVT, SLX_F_COL}, {"ROW", SLX_OP_VCVT, SLX_F_ROW},
    };
    enum { WAIT = 64, POST = 128, G = 256, TO = 512, H = 1024 };
    unsigned op = slx_insn_op(i), bit = 0;
    slx_str w = slx_asm_word(s);
    for (unsigned k = 0; k < sizeof flag / sizeof *flag; k++)
        if (flag[k].op == op && is(w, flag[k].name)) {
            bit = 1u << k;
            i->w[0] |= (uint32_t)flag[k].flag << 24;
        }
    if (is(w, "wait")) bit = WAIT;
    if (is(w, "post")) bit = POST;
    if (is(w, "G") && op == SLX_OP_MM) bit = G;
    if (is(w, "to") && slx_ops[op].f1 == SLX_FL_GROUP) bit = TO;
    if (is(w, "H") && slx_ops[op].f1 == SLX_FL_COUNT) bit = H;
    if (!bit) {
        slx_str f = slx_asm_found(s, w.ptr);
        return slx_asm_fail(
            s, w.ptr, "found %.*s, expected an option of %s, wait=, post= or the end of the line",
            (int)f.len, f.ptr, slx_ops[op].name);
    }
    if (*seen & bit)
        return slx_asm_fail(s, w.ptr, "found %.*s twice, expected it once", (int)w.len, w.ptr);
    *seen |= bit;
    if (bit < WAIT) return SLX_OK;
    SLX_TRY(slx_asm_expect(s, '=', "after the option"));
    slx_asm_blanks(s);
    const char *at = s->at;
    uint32_t v = 0;
    switch (bit) {
    case WAIT: return tokens(s, i, 0);
    case POST: return tokens(s, i, 2);
    case TO:
        SLX_TRY(group(s, 254, &v));
        i->w[0] |= (v + 1) << 16;
        return SLX_OK;
    case H:
        SLX_TRY(slx_asm_u32(s, 255, "H", &v));
        i->w[0] |= v << 16;
        return SLX_OK;
    default:
        SLX_TRY(slx_asm_u32(s, 8, "G", &v));
        if (!v || v & (v - 1)) return slx_asm_fail(s, at, "G is %u, expected 1, 2, 4 or 8", v);
        i->w[0] |= (uint32_t)__builtin_ctz(v) << (24 + SLX_F_LOG2G_SHIFT);
        return SLX_OK;
    }
}

/* ------------------------------------------------------------------ the line */

slx_status slx_asm_insn(slx_asm_state *s)
{
    const char *at = s->at;
    slx_str w = slx_asm_word(s);
    int op = slx_op_find(w.ptr, w.len);
    if (op < 0) return unknown_op(s, w, at);
    const slx_op_info *info = &slx_ops[op];
    if (info->reserved)
        return slx_asm_fail(s, at, "%s is reserved: not supported by this version", info->name);
    unsigned f0, f1, given, seen = 0;
    SLX_TRY(function(s, info, info->f0, &f0));
    SLX_TRY(function(s, info, info->f1, &f1));
    slx_insn i = {{(uint32_t)op | f0 << 8 | f1 << 16}};
    SLX_TRY(operands(s, &i, &given));
    while (!slx_asm_line_over(s)) SLX_TRY(option(s, &i, &seen));
    if (slx_insn_op(&i) == SLX_OP_VCVT && slx_insn_flags(&i) & SLX_F_COL && !(given & 8))
        return slx_asm_fail(s, at,
                            "VCVT with COL and without D, expected [column scales] after [a]");
    if (op == SLX_OP_MOV && !(given & 2) && !slx_insn_f1(&i))
        return slx_asm_fail(s, at,
                            "MOV without a tile, expected MOV [src], tile, [dst] or to=GROUP");
    if (info->f1 == SLX_FL_COUNT && !slx_insn_f1(&i)) i.w[0] |= 1u << 16;
    char buf[256];
    if (slx_insn_check(&i, buf)) return slx_asm_fail(s, at, "%s", buf);
    slx_buf_add(&s->insns, &i, sizeof i);
    return SLX_OK;
}
