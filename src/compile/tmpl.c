/* tmpl.c - templates: the table, the emitters of tmpl_int.h, and the small templates (prologue, barrier, loop, end).
 *
 * An expansion is a pure function of (id, parameters): fast calls it again and compares words, so nothing here may look
 * at anything else.
 */
#include "compile/tmpl_int.h"

#include <string.h>

/* ------------------------------------------------------------------ table */

#define STRINGS_X(p) #p,
#define X(T)         static const char *const names_##T[] = {SLX_TP_##T(STRINGS_X)};
SLX_TEMPLATES(X)
#undef X

static const char *const tmpl_names[] = {"prologue", "barrier",   "branch", "jump",       "tables",
                                         "prefetch", "normld",    "embed",  "loop_begin", "linear",
                                         "rope",     "attention", "merge",  "rowq",   "rows",       "gateup",
                                         "lmhead",   "end"};
static const struct {
    uint32_t n;
    const char *const *names;
    void (*fn)(em *e, const uint64_t *p);
} tmpls[] = {
    {SLX_PROLOGUE_n_params, names_PROLOGUE, tmpl_prologue},
    {SLX_BARRIER_n_params, names_BARRIER, tmpl_barrier},
    {SLX_BRANCH_n_params, names_BRANCH, tmpl_branch},
    {SLX_JUMP_n_params, names_JUMP, tmpl_jump},
    {SLX_TABLES_n_params, names_TABLES, tmpl_tables},
    {SLX_PREFETCH_n_params, names_PREFETCH, tmpl_prefetch},
    {SLX_NORMLD_n_params, names_NORMLD, tmpl_normld},
    {SLX_EMBED_n_params, names_EMBED, tmpl_embed},
    {SLX_LOOP_BEGIN_n_params, names_LOOP_BEGIN, tmpl_loop_begin},
    {SLX_LINEAR_n_params, names_LINEAR, tmpl_linear},
    {SLX_ROPE_n_params, names_ROPE, tmpl_rope},
    {SLX_ATTENTION_n_params, names_ATTENTION, tmpl_attention},
    {SLX_MERGE_n_params, names_MERGE, tmpl_merge},
    {SLX_ROWQ_n_params, names_ROWQ, tmpl_rowq},
    {SLX_ROWS_n_params, names_ROWS, tmpl_rows},
    {SLX_GATEUP_n_params, names_GATEUP, tmpl_gateup},
    {SLX_LMHEAD_n_params, names_LMHEAD, tmpl_lmhead},
    {SLX_END_n_params, names_END, tmpl_end},
};
_Static_assert(sizeof tmpls / sizeof tmpls[0] == SLX_N_TEMPLATES, "one row a template");
_Static_assert(sizeof tmpl_names / sizeof tmpl_names[0] == SLX_N_TEMPLATES, "one name a template");
#define X(T)                                                                                       \
    _Static_assert((int)SLX_##T##_n_params <= (int)SLX_SPAN_PARAMS, "parameters fit a span");
SLX_TEMPLATES(X)
#undef X

const char *slx_template_name(uint32_t id)
{
    return id < SLX_N_TEMPLATES ? tmpl_names[id] : NULL;
}

uint32_t slx_template_n_params(uint32_t id)
{
    return id < SLX_N_TEMPLATES ? tmpls[id].n : 0;
}

const char *slx_template_param_name(uint32_t id, uint32_t i)
{
    return id < SLX_N_TEMPLATES && i < tmpls[id].n ? tmpls[id].names[i] : NULL;
}

bool slx_template_expand(uint32_t id, const uint64_t *param, uint32_t pc0, slx_buf *out)
{
    if (id >= SLX_N_TEMPLATES) return false;
    em e = {.out = out, .start = out->len, .pc0 = pc0, .ok = true};
    tmpls[id].fn(&e, param);
    if (!e.ok) out->len = e.start;
    return e.ok;
}

const char *slx_tmpl_token_name(unsigned id)
{
    static const char *const names[] = {
        NULL,     "bar",    "wfree", "wready", "afree",  "aready", "pfree", "pready", "yfree",
        "yready", "in",     "out",   "round",  "ofree",  "tv",     "vt",    "gfree",  "item",
        "seen",   "bart",   "barv",  "nfree",  "nready", "qkvr",   "qkvf",  "or",     "of",
        "gater",  "gatef",  "upr",   "upf",    "downr",  "downf",  "pace",  "sfree",  "sready",
        "zfree",  "zready", "vnet",  "met",    "bfree",  "cast",   "tfree",  "mfree", "mready"};
    _Static_assert(sizeof names / sizeof names[0] == TK_END, "one name a token");
    return id < TK_END ? names[id] : NULL;
}

/* ------------------------------------------------------------------ operands */

uint32_t imm(em *e, uint64_t v)
{
    if (v >> 31) {
        e->ok = false;
        return 0;
    }
    return (uint32_t)v;
}

uint32_t regi(em *e, unsigned r, int64_t add)
{
    if (add < -(1 << 25) || add >= 1 << 25) {
        e->ok = false;
        add = 0;
    }
    return slx_opnd_reg(r, add);
}

uint32_t pair_r(em *e, unsigned rx, uint64_t y)
{
    if (y <= 8191) return slx_opnd_reg(rx, (int64_t)(y << 12));
    e_alu(e, SLX_ALUFN_add, R_PAIR, REG(rx), imm(e, y << 12));
    return REG(R_PAIR);
}

uint32_t pair_c(em *e, uint64_t x, uint64_t y)
{
    if (x > 0xfff || y > 0x7ffff) e->ok = false;
    return imm(e, (x & 0xfff) | (y & 0x7ffff) << 12);
}

uint32_t addr_c(em *e, uint64_t addr)
{
    if (addr >> 31 == 0) return (uint32_t)addr;
    e_li(e, R_CONST, addr);
    return REG(R_CONST);
}

uint32_t strides(em *e, uint64_t d, uint64_t a, uint64_t b)
{
    if ((d | a | b) % 64 || d / 64 > 1023 || a / 64 > 1023 || b / 64 > 1023) e->ok = false;
    return imm(e, (d / 64 & 1023) | (a / 64 & 1023) << 10 | (b / 64 & 1023) << 20);
}

/* ------------------------------------------------------------------ one emitter a mnemonic */

void put(em *e, unsigned op, unsigned f0, unsigned f1, unsigned flags, uint32_t toks, uint32_t a,
         uint32_t b, uint32_t c, uint32_t d, uint32_t x, uint32_t y)
{
    if (f0 > 255 || f1 > 255) e->ok = false;
    slx_insn i = {{op | (f0 & 255) << 8 | (f1 & 255) << 16 | flags << 24, toks, a, b, c, d, x, y}};
    slx_buf_add(e->out, &i, sizeof i);
}

void e_li(em *e, unsigned rd, uint64_t v)
{
    put(e, SLX_OP_LI, 0, 0, 0, NOTOK, rd, (uint32_t)v, (uint32_t)(v >> 32), 0, 0, 0);
}

void e_alu(em *e, unsigned fn, unsigned rd, uint32_t a, uint32_t b)
{
    put(e, SLX_OP_ALU, fn, 0, 0, NOTOK, rd, a, b, 0, 0, 0);
}

void e_addc(em *e, unsigned rd, unsigned rs, uint64_t c)
{
    if (c == 0 && rd == rs) return;
    e_alu(e, SLX_ALUFN_add, rd, REG(rs), addr_c(e, c));
}

void e_mulc(em *e, unsigned rd, unsigned rs, uint64_t c)
{
    e_alu(e, SLX_ALUFN_mul, rd, REG(rs), addr_c(e, c));
}

void e_at_row(em *e, unsigned rd, unsigned row, uint64_t base, uint64_t stride)
{
    e_mulc(e, rd, row, stride);
    e_addc(e, rd, rd, base);
}

void e_lds(em *e, unsigned rd, uint64_t spm, uint64_t limit, bool uni, uint32_t toks)
{
    put(e, SLX_OP_LDS, SLX_WIDTH_u32, 0, uni ? SLX_F_UNI : 0, toks, rd, IMM(spm), IMM(limit), 0, 0,
        0);
}

size_t e_loop(em *e, uint32_t n, unsigned counter)
{
    size_t at = e->out->len;
    put(e, SLX_OP_LOOP, 0, 0, 0, NOTOK, n, 0, counter, 0, 0, 0);
    return at;
}

void e_loop_end(em *e, size_t at)
{
    uint32_t len = (uint32_t)((e->out->len - at) / sizeof(slx_insn)) - 1;
    slx_insn i;
    memcpy(&i, e->out->ptr + at, sizeof i);
    i.w[3] = len;
    memcpy(e->out->ptr + at, &i, sizeof i);
}

void e_ld(em *e, uint32_t dst, uint32_t src, uint32_t bytes, uint32_t rows, uint64_t sstride,
          uint64_t dstride, uint32_t toks)
{
    put(e, SLX_OP_LD, 0, 0, 0, toks, dst, src, bytes, rows, IMM(sstride), IMM(dstride));
}

void e_ldx(em *e, uint32_t dst, uint32_t base, uint32_t idx, uint32_t count, uint64_t bytes,
           uint64_t stride, uint32_t toks)
{
    put(e, SLX_OP_LDX, 0, 0, 0, toks, dst, base, idx, count, IMM(bytes), IMM(stride));
}

void e_st(em *e, uint32_t dst, uint32_t src, uint32_t bytes, uint32_t rows, uint64_t sstride,
          uint64_t dstride, uint32_t toks)
{
    put(e, SLX_OP_ST, 0, 0, 0, toks, dst, src, bytes, rows, IMM(sstride), IMM(dstride));
}

void e_stx(em *e, uint32_t base, uint32_t src, uint32_t idx, uint32_t count, uint64_t bytes,
           uint64_t stride, uint32_t toks)
{
    put(e, SLX_OP_STX, 0, 0, 0, toks, base, src, idx, count, IMM(bytes), IMM(stride));
}

void e_mov(em *e, uint32_t src, bool all, uint32_t tile, uint32_t dst, uint32_t bytes,
           uint32_t rows, uint32_t toks)
{
    put(e, SLX_OP_MOV, 0, all, 0, toks, src, all ? 0 : tile, dst, bytes, rows, 0);
}

void e_mm(em *e, unsigned fmt, unsigned flags, unsigned log2g, uint64_t acc, uint64_t a,
          uint64_t as, uint32_t b, uint32_t mn, uint32_t kld, uint32_t toks)
{
    if (log2g > 3) e->ok = false;
    put(e, SLX_OP_MM, fmt, SLX_FMT_mxint8, SLX_F_INIT | flags | (log2g & 3) << SLX_F_LOG2G_SHIFT,
        toks, IMM(acc), IMM(a), IMM(as), b, mn, kld);
}

void e_aadd(em *e, uint64_t d, uint64_t a, uint64_t b, uint32_t n, uint32_t toks)
{
    put(e, SLX_OP_AADD, 0, 0, 0, toks, IMM(d), IMM(a), IMM(b), n, 0, 0);
}

void e_aout(em *e, uint64_t dst, uint32_t mn, uint64_t stride, uint32_t c, uint32_t toks)
{
    put(e, SLX_OP_AOUT, SLX_OUTFMT_fp32, 0, 0, toks, IMM(dst), 0, mn, IMM(stride), IMM(c), 0);
}

void e_quant(em *e, unsigned flags, uint64_t q, uint64_t qs, uint32_t src, uint64_t src_scale,
             uint32_t rc, uint64_t src_stride, uint32_t toks)
{
    put(e, SLX_OP_VCVT, SLX_FMT_mxint8, SLX_FMT_f32, flags, toks, IMM(q), IMM(qs), src,
        IMM(src_scale), rc, strides(e, 0, src_stride, 0));
}

void e_red(em *e, uint32_t dst, uint32_t src, uint32_t n, uint32_t toks)
{
    put(e, SLX_OP_RED, SLX_COMFN_sum, 0, 0, toks, dst, src, n, 0, 0, 0);
}

void e_gat(em *e, uint32_t dst, uint32_t src, uint64_t bytes, uint32_t rows, uint32_t toks)
{
    put(e, SLX_OP_GAT, 0, 0, 0, toks, dst, src, IMM(bytes), rows, 0, 0);
}

void e_nrm(em *e, uint64_t d, uint64_t a, uint64_t w, uint32_t eps, uint32_t rc, uint32_t toks)
{
    put(e, SLX_OP_VNRM, SLX_NRMFN_rms, 0, 0, toks, IMM(d), IMM(a), IMM(w), IMM(eps), rc, 0);
}

void e_norm(em *e, bool layer, uint64_t d, uint64_t a, uint64_t w, uint64_t cols, uint32_t eps,
            uint32_t rc, uint32_t toks)
{
    if (!layer) {
        e_nrm(e, d, a, w, eps, rc, toks);
        return;
    }
    put(e, SLX_OP_VNRM, SLX_NRMFN_layer, 0, 0, toks, IMM(d), IMM(a), IMM(w), IMM(eps), rc, 0);
    put(e, SLX_OP_VBIN, SLX_BINFN_add, SLX_BCAST_row, 0, NOTOK, IMM(d), IMM(d),
        IMM(w + row_bytes(cols)), rc, 0, 0);
}

void e_join(em *e, slx_engine_id engine, uint32_t toks)
{
    switch (engine) {
    case SLX_ENG_LDQ: e_ld(e, 0, REG(SLX_R_DESC), 0, 0, 0, 0, toks); return;
    case SLX_ENG_STQ: e_mov(e, 0, true, 0, 0, 0, 0, toks); return;
    case SLX_ENG_TEN: e_aadd(e, 0, 0, 0, 0, toks); return;
    case SLX_ENG_VEC: put(e, SLX_OP_VUN, SLX_UNFN_copy, 0, 0, toks, 0, 0, 0, 0, 0, 0); return;
    default: e->ok = false;
    }
}

/* ------------------------------------------------------------------ common stretches of CTL code */

/* The mins change nothing, they tell the verifier. */
void e_own_row(em *e, uint64_t push, unsigned r_at, unsigned r_m)
{
    e_alu(e, SLX_ALUFN_min, r_at, REG(R_ROW0), IMM(push - 1));
    e_alu(e, SLX_ALUFN_min, r_m, REG(R_MYROWS), IMM(1));
}

void e_row_tile(em *e, unsigned ri, unsigned r_count, uint64_t mr, unsigned r_at, unsigned r_m)
{
    e_mulc(e, r_at, ri, mr);
    e_alu(e, SLX_ALUFN_sub, r_m, REG(r_count), REG(r_at));
    e_alu(e, SLX_ALUFN_min, r_m, REG(r_m), IMM(mr));
}

void e_tiles(em *e, unsigned rd, unsigned rs, uint64_t mr)
{
    e_addc(e, rd, rs, mr - 1);
    e_alu(e, SLX_ALUFN_divu, rd, REG(rd), IMM(mr));
}

/* Of the tiles before this one min(x, half) in its own row and half in each row above are in the left half. The min at
 * the end changes nothing, it tells the verifier. */
void e_place(em *e, unsigned rd, unsigned r_left, unsigned r_x, uint64_t tiles, uint64_t grid_x)
{
    uint64_t half = (grid_x + 1) / 2;
    e_alu(e, SLX_ALUFN_remu, r_x, REG(SLX_R_TILE), IMM(grid_x));
    e_alu(e, SLX_ALUFN_divu, r_left, REG(SLX_R_TILE), IMM(grid_x));
    e_mulc(e, r_left, r_left, half);
    e_alu(e, SLX_ALUFN_min, rd, REG(r_x), IMM(half));
    e_alu(e, SLX_ALUFN_add, r_left, REG(r_left), REG(rd));
    e_alu(e, SLX_ALUFN_sub, rd, IMM(tiles - 1), REG(SLX_R_TILE)); /* in the right half: all behind it, .. */
    e_alu(e, SLX_ALUFN_add, rd, REG(rd), REG(r_left));            /* .. and the left ones before it */
    e_alu(e, SLX_ALUFN_ltu, r_x, REG(r_x), IMM(half));
    put(e, SLX_OP_ALU, SLX_ALUFN_sel, 0, 0, NOTOK, rd, REG(r_left), REG(rd), REG(r_x), 0, 0);
    e_alu(e, SLX_ALUFN_min, rd, REG(rd), IMM(tiles - 1));
}

void e_slices(em *e, unsigned r_first, unsigned r_count, unsigned r_tmp, uint64_t slices,
              uint64_t tiles, uint64_t rot, uint64_t grid_x)
{
    unsigned t = SLX_R_TILE;
    if (grid_x) {
        e_place(e, r_tmp, r_first, r_count, tiles, grid_x);
        t = r_tmp;
    }
    if (rot) {
        e_addc(e, r_tmp, t, rot);
        e_alu(e, SLX_ALUFN_remu, r_tmp, REG(r_tmp), IMM(tiles));
        t = r_tmp;
    }
    e_mulc(e, r_tmp, t, slices);
    e_alu(e, SLX_ALUFN_divu, r_first, REG(r_tmp), IMM(tiles));
    e_addc(e, r_tmp, r_tmp, slices);
    e_alu(e, SLX_ALUFN_divu, r_tmp, REG(r_tmp), IMM(tiles));
    e_alu(e, SLX_ALUFN_sub, r_count, REG(r_tmp), REG(r_first));
}

/* ------------------------------------------------------------------ the small templates */

void tmpl_prologue(em *e, const uint64_t *p)
{
    for (unsigned t = 1; t < SLX_N_TOKENS; t++) {
        uint64_t credit = 1;
        if (t == TK_WFREE) credit = p[SLX_PROLOGUE_slots];
        if (t == TK_SFREE) credit = p[SLX_PROLOGUE_buffers];
        if (t == TK_MFREE) credit = p[SLX_PROLOGUE_merges];
        if (t == TK_PFREE || t == TK_ZFREE || t == TK_NFREE || t == TK_PACE) credit = 2;
        if (p[SLX_PROLOGUE_tok_credit_mask] >> t & 1 && credit)
            put(e, SLX_OP_TOK, 0, 0, 0, NOTOK, t, IMM(credit), 0, 0, 0, 0);
    }
    uint64_t head = p[SLX_PROLOGUE_spm_header];
    e_ld(e, IMM(head), REG(SLX_R_DESC), IMM(64), IMM(1), 0, 0, WAITPOST(TK_SEEN, TK_ITEM));
    e_lds(e, R_ROWS, head, p[SLX_PROLOGUE_max_rows], true, WAIT(TK_ITEM));
    e_lds(e, R_SAMPLES, head + 4, p[SLX_PROLOGUE_max_samples], true, POST(TK_SEEN));
    /* rows floor(t*R/T) .. floor((t+1)*R/T) - 1; the min changes nothing, it tells the verifier */
    e_alu(e, SLX_ALUFN_mul, R_MYROWS, REG(SLX_R_TILE), REG(R_ROWS));
    e_alu(e, SLX_ALUFN_divu, R_ROW0, REG(R_MYROWS), IMM(p[SLX_PROLOGUE_tiles]));
    e_alu(e, SLX_ALUFN_add, R_MYROWS, REG(R_MYROWS), REG(R_ROWS));
    e_alu(e, SLX_ALUFN_divu, R_MYROWS, REG(R_MYROWS), IMM(p[SLX_PROLOGUE_tiles]));
    e_alu(e, SLX_ALUFN_sub, R_MYROWS, REG(R_MYROWS), REG(R_ROW0));
    e_alu(e, SLX_ALUFN_min, R_MYROWS, REG(R_MYROWS), IMM(p[SLX_PROLOGUE_rows_cap]));
    e_li(e, R_W, p[SLX_PROLOGUE_weights]);
    e_li(e, R_KV, p[SLX_PROLOGUE_kv]);
    e_li(e, R_WBUF, 0);
}

/* BAR is the last of the phase in STQ; an instruction without work holds the engine that reads next back until every
 * tile has come to it. */
void tmpl_barrier(em *e, const uint64_t *p)
{
    static const unsigned token[] = {TK_BAR, TK_BART, TK_BARV, TK_BAR};
    static const slx_engine_id waits[] = {SLX_ENG_LDQ, SLX_ENG_TEN, SLX_ENG_VEC};
    uint64_t to = p[SLX_BARRIER_to];
    if (p[SLX_BARRIER_group] > 255 || to > SLX_TO_LDQ_LATER) {
        e->ok = false;
        return;
    }
    put(e, SLX_OP_BAR, 0, 0, 0, POST(token[to]), (uint32_t)p[SLX_BARRIER_group], 0, 0, 0, 0, 0);
    if (to != SLX_TO_LDQ_LATER) e_join(e, waits[to], WAIT(token[to]));
}

void e_br(em *e, unsigned cond, uint32_t a, uint32_t b, uint64_t words)
{
    uint64_t target = e->pc0 + (e->out->len - e->start) / sizeof(slx_insn) + 1 + words;
    put(e, SLX_OP_BR, cond, 0, 0, NOTOK, a, b, IMM(target), 0, 0, 0);
}

size_t e_skip(em *e, unsigned cond, uint32_t a, uint32_t b)
{
    size_t at = e->out->len;
    e_br(e, cond, a, b, 0);
    return at;
}

void e_skip_end(em *e, size_t at)
{
    slx_insn i;
    memcpy(&i, e->out->ptr + at, sizeof i);
    i.w[4] = e->pc0 + (uint32_t)((e->out->len - e->start) / sizeof i);
    memcpy(e->out->ptr + at, &i, sizeof i);
}

void tmpl_branch(em *e, const uint64_t *p)
{
    e_br(e, SLX_COND_geu, REG(R_ROWS), IMM(p[SLX_BRANCH_rows] + 1), p[SLX_BRANCH_words]);
}

void tmpl_jump(em *e, const uint64_t *p)
{
    e_br(e, SLX_COND_eq, IMM(0), IMM(0), p[SLX_JUMP_words]);
}

void tmpl_loop_begin(em *e, const uint64_t *p)
{
    put(e, SLX_OP_LOOP, 0, 0, 0, NOTOK, IMM(p[SLX_LOOP_BEGIN_n_layers]),
        IMM(p[SLX_LOOP_BEGIN_body]), R_LAYER, 0, 0, 0);
    e_mulc(e, R_W, R_LAYER, p[SLX_LOOP_BEGIN_layer_stride]);
    e_addc(e, R_W, R_W, p[SLX_LOOP_BEGIN_weights]);
    e_mulc(e, R_KV, R_LAYER, p[SLX_LOOP_BEGIN_kv_layer_stride]);
    e_addc(e, R_KV, R_KV, p[SLX_LOOP_BEGIN_kv]);
}

void tmpl_end(em *e, const uint64_t *p)
{
    if (p[SLX_END_zero]) e->ok = false;
    put(e, SLX_OP_SYS, SLX_SYSFN_halt, 0, 0, NOTOK, 0, 0, 0, 0, 0, 0);
}
