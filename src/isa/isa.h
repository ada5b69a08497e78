/* isa.h - the instruction set as C: opcodes, function codes, 256-bit words, encode, decode, assemble, print.
 *
 *   w0 = op[7:0] f0[15:8] f1[23:16] flags[31:24]      w1 = wait0 wait1 post0 post1 (8 bits each, 0 = none, 1..63)
 *   w2..w7 = operands A..F
 *   operand (unless isa.def says RD, RAW, IMM, PC, TOK, GRP: those are plain words):
 *     bit 31 = 0: unsigned immediate, bits 30:0          bit 31 = 1: register [30:26] + signed immediate [25:0]
 *
 * Words of a program are little-endian in files and in HBM. Reserved bits and unused operands are zero: anything else
 * is illegal. Everything below comes from isa.def and from the function lists here; nothing is declared twice.
 */
#ifndef SLX_ISA_H
#define SLX_ISA_H

#include "base/base.h"

enum { SLX_INSN_WORDS = 8, SLX_INSN_BYTES = 32, SLX_N_OPERANDS = 6 };
typedef struct { uint32_t w[SLX_INSN_WORDS]; } slx_insn;

/* Limits of the architecture (a chip file may only lower them). */
enum {
    SLX_N_REGS = 32,       /* r0 reads 0 and is never written */
    SLX_N_TOKENS = 64,     /* ids 1..63 */
    SLX_MAX_LOOP_DEPTH = 6,
    SLX_MAX_CALL_DEPTH = 8,
    SLX_MAX_LOOP_COUNT = 1 << 24,
    SLX_MAX_CHUNK = 128,   /* positions of a KV page = columns of VSMX */
    SLX_GROUP_CHUNKS = 16, /* chunks folded into one attention group */
    SLX_MAX_CANDIDATES = 1024,
    SLX_MAX_CHIPS = 8      /* that run one program together */
};
/* At entry: r1 = tile, r2 = chip rank, r3 = HBM address of the step descriptor, the rest 0. */
enum { SLX_R_TILE = 1, SLX_R_RANK = 2, SLX_R_DESC = 3 };

/* flags */
enum {
    SLX_F_INIT = 1, SLX_F_ROM = 2, SLX_F_BT = 4,    /* MM */
    SLX_F_LOG2G = 0x30, SLX_F_LOG2G_SHIFT = 4,      /* MM: log2 of segments, 0..3 */
    SLX_F_UNI = 1,                                  /* LDS: same value on all tiles */
    SLX_F_COL = 1, SLX_F_ROW = 2                    /* VCVT */
};

typedef enum { SLX_ENG_CTL, SLX_ENG_LDQ, SLX_ENG_STQ, SLX_ENG_TEN, SLX_ENG_VEC, SLX_ENG_NET, SLX_N_ENGINES } slx_engine_id;
extern const char *const slx_engine_names[SLX_N_ENGINES]; /* "CTL" .. */

/* Function-code lists: X(code, name). */
#define SLX_FN_SYSFN(X) X(0, nop) X(1, halt) X(2, stamp) X(3, trap)
#define SLX_FN_ALUFN(X)                                                                            \
    X(0, add) X(1, sub) X(2, mul) X(3, shl) X(4, shr) X(5, and) X(6, or) X(7, xor) X(8, min)       \
    X(9, max) X(10, divu) X(11, remu) X(12, ltu) X(13, eq) X(14, sel)
#define SLX_FN_WIDTH(X) X(0, u8) X(1, u16) X(2, u32) X(3, u64)
#define SLX_FN_COND(X) X(0, eq) X(1, ne) X(2, ltu) X(3, geu)
/* Number formats of matrices. Q4S: code-8, fp16 d. Q4SM: code, fp16 d and m. */
#define SLX_FN_FMT(X)                                                                              \
    X(1, mxint8) X(2, mxfp4) X(3, mxfp6) X(4, mxfp8) X(5, q4s) X(6, q4sm) X(7, q8s) X(8, i8s)      \
    X(9, bf16) X(10, f32)
#define SLX_FN_OUTFMT(X) X(0, fp32) X(1, bf16)
#define SLX_FN_BINFN(X) X(0, add) X(1, sub) X(2, mul) X(3, div) X(4, max) X(5, min)
#define SLX_FN_BCAST(X) X(0, full) X(1, row) X(2, col) X(3, scalar)
#define SLX_FN_UNFN(X)                                                                             \
    X(0, copy) X(1, neg) X(2, abs) X(3, sqrt) X(4, rcp) X(5, exp) X(6, exp2) X(7, log2)            \
    X(8, sigmoid) X(9, silu) X(10, gelu) X(11, tanh) X(12, ceil) X(13, fill)
#define SLX_FN_REDFN(X) X(0, sum) X(1, sumsq) X(2, max) X(3, amax) X(4, argmax)
#define SLX_FN_NRMFN(X) X(0, rms) X(1, layer)
#define SLX_FN_ROTFN(X) X(0, half) X(1, interleaved)
#define SLX_FN_SELFN(X) X(0, range) X(1, bitmask)
#define SLX_FN_MRGFN(X) X(0, empty) X(1, merge) X(2, final)
#define SLX_FN_TRNFN(X) X(1, b1) X(2, b2) X(4, b4)
#define SLX_FN_GATFN(X) X(0, gather) X(1, scatter)
#define SLX_FN_COMFN(X) X(0, sum) X(1, max)
#define SLX_FN_LISTS(L)                                                                            \
    L(SYSFN) L(ALUFN) L(WIDTH) L(COND) L(FMT) L(OUTFMT) L(BINFN) L(BCAST) L(UNFN) L(REDFN) L(NRMFN) \
    L(ROTFN) L(SELFN) L(MRGFN) L(TRNFN) L(GATFN) L(COMFN)

/* Enumerators SLX_ALUFN_add, SLX_FMT_q4sm, ... */
#define SLX_SYSFN_ENUM(c, n) SLX_SYSFN_##n = c,
#define SLX_ALUFN_ENUM(c, n) SLX_ALUFN_##n = c,
#define SLX_WIDTH_ENUM(c, n) SLX_WIDTH_##n = c,
#define SLX_COND_ENUM(c, n) SLX_COND_##n = c,
#define SLX_FMT_ENUM(c, n) SLX_FMT_##n = c,
#define SLX_OUTFMT_ENUM(c, n) SLX_OUTFMT_##n = c,
#define SLX_BINFN_ENUM(c, n) SLX_BINFN_##n = c,
#define SLX_BCAST_ENUM(c, n) SLX_BCAST_##n = c,
#define SLX_UNFN_ENUM(c, n) SLX_UNFN_##n = c,
#define SLX_REDFN_ENUM(c, n) SLX_REDFN_##n = c,
#define SLX_NRMFN_ENUM(c, n) SLX_NRMFN_##n = c,
#define SLX_ROTFN_ENUM(c, n) SLX_ROTFN_##n = c,
#define SLX_SELFN_ENUM(c, n) SLX_SELFN_##n = c,
#define SLX_MRGFN_ENUM(c, n) SLX_MRGFN_##n = c,
#define SLX_TRNFN_ENUM(c, n) SLX_TRNFN_##n = c,
#define SLX_GATFN_ENUM(c, n) SLX_GATFN_##n = c,
#define SLX_COMFN_ENUM(c, n) SLX_COMFN_##n = c,
#define SLX_ENUM_LIST(list) enum { SLX_FN_##list(SLX_##list##_ENUM) };
SLX_FN_LISTS(SLX_ENUM_LIST)

typedef enum {
#define OP(code, name, engine, cost, f0, f1, flags, a, b, c, d, e, f, doc) SLX_OP_##name = code,
#define RSV(code, name, engine, doc) SLX_OP_##name = code,
#include "isa/isa.def"
#undef OP
#undef RSV
} slx_opcode;

/* Operand kinds of isa.def. */
typedef enum {
    SLX_K_NONE, SLX_K_RD, SLX_K_VAL, SLX_K_IMM, SLX_K_RAW, SLX_K_SPM, SLX_K_HBM, SLX_K_ACC, SLX_K_PAIR, SLX_K_STR,
    SLX_K_F32, SLX_K_TOK, SLX_K_GRP, SLX_K_PC
} slx_operand_kind;

/* What f0/f1 hold: a list above, or a plain number. */
typedef enum {
    SLX_FL_NONE,
#define SLX_FL_ENUM(list) SLX_FL_##list,
    SLX_FN_LISTS(SLX_FL_ENUM)
    SLX_FL_GROUP, /* multicast: 0 = this tile alone, else 1 + number of the group */
    SLX_FL_COUNT  /* a count >= 1 */
} slx_fn_list;

typedef struct {
    const char *name;      /* NULL: no such opcode */
    slx_engine_id engine;
    const char *cost;      /* timing class */
    bool reserved;         /* refused by name */
    slx_fn_list f0, f1;
    uint8_t flags;         /* bits it knows */
    slx_operand_kind kind[SLX_N_OPERANDS];
    const char *doc;
} slx_op_info;
extern const slx_op_info slx_ops[256];

const char *slx_fn_name(slx_fn_list list, unsigned code); /* NULL when there is no such code */
int slx_fn_code(slx_fn_list list, const char *name, size_t len); /* -1 when unknown */

/* Operand packing. slx_opnd_imm and _reg SLX_BUG when the value does not fit. */
static inline uint32_t slx_opnd_imm(uint64_t v) { SLX_ASSERT(v < (UINT64_C(1) << 31)); return (uint32_t)v; }
static inline uint32_t slx_opnd_reg(unsigned r, int64_t add) {
    SLX_ASSERT(r < SLX_N_REGS && add >= -(1 << 25) && add < (1 << 25));
    return UINT32_C(1) << 31 | r << 26 | ((uint32_t)add & 0x3ffffff);
}
static inline bool slx_opnd_is_reg(uint32_t w) { return w >> 31; }
static inline unsigned slx_opnd_regno(uint32_t w) { return w >> 26 & 31; }
static inline int64_t slx_opnd_add(uint32_t w) { return (int32_t)(w << 6) >> 6; }
/* Value of an operand word given the registers (64-bit, wrapping). */
static inline uint64_t slx_opnd_value(uint32_t w, const uint64_t *regs) {
    return w >> 31 ? regs[w >> 26 & 31] + (uint64_t)slx_opnd_add(w) : w;
}
static inline uint32_t slx_pair(uint32_t x, uint32_t y) { return x | y << 12; }
static inline uint32_t slx_pair_x(uint64_t v) { return (uint32_t)v & 0xfff; }
static inline uint32_t slx_pair_y(uint64_t v) { return (uint32_t)(v >> 12) & 0x7ffff; }

static inline unsigned slx_insn_op(const slx_insn *i) { return i->w[0] & 255; }
static inline unsigned slx_insn_f0(const slx_insn *i) { return i->w[0] >> 8 & 255; }
static inline unsigned slx_insn_f1(const slx_insn *i) { return i->w[0] >> 16 & 255; }
static inline unsigned slx_insn_flags(const slx_insn *i) { return i->w[0] >> 24; }
/* k = 0, 1: waits; 2, 3: posts. */
static inline unsigned slx_insn_tok(const slx_insn *i, int k) { return i->w[1] >> (8 * k) & 255; }

/* The instruction table as Markdown: docs/isa.md, written by tools/isagen. */
void slx_isa_doc(slx_buf *out);

/* What ALU and BR compute, for every machine that walks a program's control flow. 64 bits, wrapping; shifts by the low
 * six bits. *out is the result of ALU; false = division by zero. */
static inline bool slx_alu(unsigned fn, uint64_t a, uint64_t b, uint64_t d, uint64_t *out)
{
    switch (fn) {
    case SLX_ALUFN_add: *out = a + b; return true;
    case SLX_ALUFN_sub: *out = a - b; return true;
    case SLX_ALUFN_mul: *out = a * b; return true;
    case SLX_ALUFN_shl: *out = a << (b & 63); return true;
    case SLX_ALUFN_shr: *out = a >> (b & 63); return true;
    case SLX_ALUFN_and: *out = a & b; return true;
    case SLX_ALUFN_or: *out = a | b; return true;
    case SLX_ALUFN_xor: *out = a ^ b; return true;
    case SLX_ALUFN_min: *out = a < b ? a : b; return true;
    case SLX_ALUFN_max: *out = a > b ? a : b; return true;
    case SLX_ALUFN_divu: *out = b ? a / b : 0; return b;
    case SLX_ALUFN_remu: *out = b ? a % b : 0; return b;
    case SLX_ALUFN_ltu: *out = a < b; return true;
    case SLX_ALUFN_eq: *out = a == b; return true;
    case SLX_ALUFN_sel: *out = d ? a : b; return true;
    }
    SLX_BUG("ALU function %u", fn);
}

static inline bool slx_br_taken(unsigned cond, uint64_t a, uint64_t b)
{
    switch (cond) {
    case SLX_COND_eq: return a == b;
    case SLX_COND_ne: return a != b;
    case SLX_COND_ltu: return a < b;
    case SLX_COND_geu: return a >= b;
    }
    SLX_BUG("BR condition %u", cond);
}

/* Structure of one instruction by itself: opcode, functions, flags, operands unused = 0, registers, immediates, tokens.
 * NULL when legal, else a sentence in buf naming the field, what was found and what was expected. */
const char *slx_insn_check(const slx_insn *i, char buf[256]);

/* One instruction as text, "MM   acc0, ...  INIT G=4  wait=t3 post=t4"; reads back through slx_asm. */
void slx_insn_print(const slx_insn *i, slx_buf *out);

/* Bytes a tile of B takes in SPM or HBM: codes [n][kblk], then each scale plane at the next multiple of 64.
 * Returns 0 for a format without blocks. off_scale and off_m (0 when absent) are byte offsets of the planes; total is
 * rounded up to 64. */
size_t slx_btile_bytes(unsigned fmt, uint32_t n, uint32_t kblk, size_t *off_scale, size_t *off_m);
/* Code bytes of one block of 32: 32 for 8-bit, 16 for 4-bit formats; scale bytes a block (1 or 2). 0 = no such format. */
unsigned slx_fmt_code_bytes(unsigned fmt);
unsigned slx_fmt_scale_bytes(unsigned fmt);

#endif
