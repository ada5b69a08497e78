/* tmpl_merge.c - what follows the chunks of an attention item: parts that several tiles made are merged in order, and
 * the heads go on their way.
 *
 * MERGE: the states that the parts of an item kept lie in HBM, in ascending order. A tile that merges reads them one
 * after another, several under way, and folds them as ATTENTION folds chunks: every `fold` of them into an empty T, the
 * Ts into S; with fold 1 they are Ts already. One of the two ways has no rows. All of it, its barrier too, is behind a
 * branch on the header's word, which all tiles read alike.
 */
#include "compile/tmpl_int.h"

enum { T0 = 15, ROW0 = R_HEAD_ROW0, ROWS = R_HEAD_ROWS, HEAD = R_HEAD_KV, M = R_HEAD_M, T1 = R_PAIR };

/* An item's rows of quantised heads to all tiles: part bytes of each row of codes, `row` bytes long. */
static void push_heads(em *e, const e_heads *h, uint64_t row, uint64_t part)
{
    enum { I = 21, COL, AT, FROM };
    e_join(e, SLX_ENG_STQ, WAIT(TK_OUT));
    size_t rows = e_loop(e, REG(ROWS), I);
    for (int k = 0; k < 2; k++) {
        uint64_t unit = k ? 32 : 1, from = k ? h->ocs : h->oc, to = k ? h->out_scales : h->out_codes;
        /* the min changes nothing, it tells the verifier */
        e_alu(e, SLX_ALUFN_add, AT, REG(ROW0), REG(I));
        e_alu(e, SLX_ALUFN_min, AT, REG(AT), IMM(h->push - 1));
        e_at_row(e, AT, AT, to, row / unit);
        e_mulc(e, COL, HEAD, part / unit);
        e_alu(e, SLX_ALUFN_add, AT, REG(AT), REG(COL));
        e_at_row(e, FROM, I, from, part / unit);
        e_mov(e, REG(FROM), true, 0, REG(AT), IMM(part / unit), IMM(1), NOTOK);
    }
    e_loop_end(e, rows);
}

/* Rows of the item from `from` to the buffer at `to`: part bytes each, `row` bytes apart. */
static void store_heads(em *e, uint64_t to, uint64_t from, uint64_t part, uint64_t row, uint32_t toks)
{
    e_at_row(e, T0, ROW0, to, row);
    e_mulc(e, T1, HEAD, part);
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(T1));
    e_st(e, REG(T0), IMM(from), IMM(part), REG(ROWS), part, row, toks);
}

void e_heads_out(em *e, const e_heads *h)
{
    /* the heads of this chip, or of all: KV head h of them is columns h*part of a row of the output */
    bool codes = h->out_codes != 0, gather = h->chips > 1;
    uint64_t chips = gather ? h->chips : 1, row = h->out_cols, own = h->heads / h->kv_heads * h->hd, part = own * chips;
    uint32_t made = gather ? POST(TK_VNET) : POST(TK_OUT), met = gather ? TK_MET : TK_OUT;
    if (row != chips * h->heads * h->hd || (h->push && (gather || !codes)) || (codes && h->hd % 32)) e->ok = false;
    put(e, SLX_OP_VMRG, SLX_MRGFN_final, 0, 0, codes ? NOTOK : made, IMM(h->sts), IMM(h->os), 0, 0,
        pair_r(e, M, h->hd), 0);
    if (!codes) {
        if (gather) e_gat(e, IMM(h->goc), IMM(h->os), 4 * own, REG(ROWS), WAITPOST(TK_VNET, TK_MET));
        store_heads(e, h->out, gather ? h->goc : h->os, 4 * part, 4 * row, WAIT(met));
        return;
    }
    e_quant(e, 0, h->oc, h->ocs, IMM(h->os), 0, pair_r(e, M, h->hd), 0, made);
    if (h->push) {
        push_heads(e, h, row, part);
        return;
    }
    if (gather) {
        e_gat(e, IMM(h->goc), IMM(h->oc), own, REG(ROWS), WAIT(TK_VNET));
        e_gat(e, IMM(h->gocs), IMM(h->ocs), own / 32, REG(ROWS), POST(TK_MET));
    }
    store_heads(e, h->out_codes, gather ? h->goc : h->oc, part, row, WAIT(met));
    store_heads(e, h->out_scales, gather ? h->gocs : h->ocs, part / 32, row / 32, NOTOK);
}

/* ------------------------------------------------------------------ merge */

/* Words of a merge (program.h). */
enum { AT_ROW0 = 0, AT_ROWS = 4, AT_HEAD = 8, AT_STATES = 20, AT_FOLD = 24, AT_SLOT = 28, AT_SPAN = 32 };
/* Registers beside those above, until the heads go. */
enum { FIRST = 11, COUNT, I, BUF, SLOT = 20, STATES, M_S, M_T, FOLD, G, AT, K, N };
_Static_assert((int)M_S == (int)M, "rows into S, until the heads go");

/* Merge r_item to the scratchpad, for CTL. */
static void load_merge(em *e, const e_merges *m, unsigned r_item)
{
    /* the min changes nothing, it tells the verifier */
    e_alu(e, SLX_ALUFN_min, T0, REG(r_item), IMM(m->max - 1));
    e_alu(e, SLX_ALUFN_shl, T0, REG(T0), IMM(5));
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(SLX_R_DESC));
    e_ld(e, IMM(m->spm_item), regi(e, T0, (int64_t)m->off_merge), IMM(32), IMM(1), 0, 0, WAITPOST(TK_SEEN, TK_ITEM));
    e_lds(e, T0, m->spm_item + AT_STATES, m->max_chunks, false, WAITPOST(TK_ITEM, TK_SEEN));
}

size_t e_merges_skip(em *e, const e_merges *m)
{
    e_lds(e, T0, m->spm_header + 12, m->max, true, NOTOK);
    return e_skip(e, SLX_COND_eq, REG(T0), IMM(0));
}

void e_merges_load(em *e, const e_merges *m)
{
    e_alu(e, SLX_ALUFN_shl, T0, REG(SLX_R_TILE), IMM(3));
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(SLX_R_DESC));
    e_ld(e, IMM(m->spm_item + AT_SPAN), regi(e, T0, (int64_t)m->off_span), IMM(8), IMM(1), 0, 0,
         WAITPOST(TK_SEEN, TK_ITEM));
    e_lds(e, FIRST, m->spm_item + AT_SPAN, m->max, false, WAIT(TK_ITEM));
    e_lds(e, COUNT, m->spm_item + AT_SPAN + 4, m->max, false, POST(TK_SEEN));
    e_alu(e, SLX_ALUFN_min, T0, REG(COUNT), IMM(1));
    size_t any = e_loop(e, REG(T0), 0);
    load_merge(e, m, FIRST);
    e_loop_end(e, any);
}

/* State number r_k of the item to its buffer, then merged: into T and into S, of which one has no rows. */
static void merge_state(em *e, const uint64_t *p, unsigned r_k, uint64_t g)
{
    uint64_t hd = p[SLX_MERGE_hd], o = 4 * g * hd, kept = p[SLX_MERGE_spm_kept];
    e_alu(e, SLX_ALUFN_mul, AT, REG(r_k), REG(ROWS));
    e_alu(e, SLX_ALUFN_add, AT, REG(AT), REG(SLOT));
    /* what is beyond has no room */
    e_alu(e, SLX_ALUFN_min, AT, REG(AT), IMM(p[SLX_MERGE_max_states] - 1));
    e_at_row(e, AT, AT, p[SLX_MERGE_states], o + 8 * g);
    e_alu(e, SLX_ALUFN_and, BUF, REG(r_k), IMM(p[SLX_MERGE_buffers] - 1));
    e_mulc(e, BUF, BUF, p[SLX_MERGE_step]);
    e_mulc(e, T0, ROWS, o + 8 * g);
    e_ld(e, regi(e, BUF, (int64_t)kept), REG(AT), REG(T0), IMM(1), 0, 0, WAITPOST(TK_MFREE, TK_MREADY));
    e_mulc(e, T0, ROWS, o);
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(BUF));
    uint32_t st = regi(e, T0, (int64_t)kept), from = regi(e, BUF, (int64_t)kept);
    put(e, SLX_OP_VMRG, SLX_MRGFN_merge, 0, 0, WAIT(TK_MREADY), IMM(p[SLX_MERGE_spm_stt]), IMM(p[SLX_MERGE_spm_ot]), st,
        from, pair_r(e, M_T, hd), 0);
    put(e, SLX_OP_VMRG, SLX_MRGFN_merge, 0, 0, POST(TK_MFREE), IMM(p[SLX_MERGE_spm_sts]), IMM(p[SLX_MERGE_spm_os]), st,
        from, pair_r(e, M_S, hd), 0);
}

/* The states of the item that is in the scratchpad, into S. */
static void merge_item(em *e, const uint64_t *p, uint64_t g)
{
    uint64_t item = p[SLX_MERGE_spm_item], hd = p[SLX_MERGE_hd];
    uint32_t s = IMM(p[SLX_MERGE_spm_sts]), so = IMM(p[SLX_MERGE_spm_os]);
    uint32_t tt = IMM(p[SLX_MERGE_spm_stt]), to = IMM(p[SLX_MERGE_spm_ot]);
    e_lds(e, ROW0, item + AT_ROW0, p[SLX_MERGE_max_rows] - 1, false, NOTOK);
    e_lds(e, ROWS, item + AT_ROWS, p[SLX_MERGE_item_rows], false, NOTOK);
    e_lds(e, HEAD, item + AT_HEAD, p[SLX_MERGE_kv_heads] - 1, false, NOTOK);
    e_lds(e, STATES, item + AT_STATES, p[SLX_MERGE_max_chunks], false, NOTOK);
    e_lds(e, FOLD, item + AT_FOLD, SLX_GROUP_CHUNKS, false, NOTOK);
    e_lds(e, SLOT, item + AT_SLOT, p[SLX_MERGE_max_states] - 1, false, NOTOK);
    e_alu(e, SLX_ALUFN_max, FOLD, REG(FOLD), IMM(1));
    e_mulc(e, M_S, ROWS, g);
    e_alu(e, SLX_ALUFN_ltu, T0, IMM(1), REG(FOLD));
    e_alu(e, SLX_ALUFN_mul, M_T, REG(M_S), REG(T0));
    e_alu(e, SLX_ALUFN_sub, T0, IMM(1), REG(T0));
    e_alu(e, SLX_ALUFN_mul, M_S, REG(M_S), REG(T0));
    /* S and the buffer of heads are free when the item before is stored */
    e_join(e, SLX_ENG_LDQ, WAITPOST(TK_ROUND, TK_IN));
    e_mulc(e, T0, ROWS, g);
    put(e, SLX_OP_VMRG, SLX_MRGFN_empty, 0, 0, WAIT(TK_IN), s, so, 0, 0, pair_r(e, T0, hd), 0);
    e_alu(e, SLX_ALUFN_add, T0, REG(STATES), REG(FOLD));
    e_alu(e, SLX_ALUFN_sub, T0, REG(T0), IMM(1));
    e_alu(e, SLX_ALUFN_divu, T0, REG(T0), REG(FOLD));
    size_t groups = e_loop(e, REG(T0), G);
    put(e, SLX_OP_VMRG, SLX_MRGFN_empty, 0, 0, NOTOK, tt, to, 0, 0, pair_r(e, M_T, hd), 0);
    e_alu(e, SLX_ALUFN_mul, AT, REG(G), REG(FOLD));
    e_alu(e, SLX_ALUFN_sub, T0, REG(STATES), REG(AT));
    e_alu(e, SLX_ALUFN_min, T0, REG(T0), REG(FOLD));
    size_t states = e_loop(e, REG(T0), K);
    e_alu(e, SLX_ALUFN_mul, N, REG(G), REG(FOLD));
    e_alu(e, SLX_ALUFN_add, N, REG(N), REG(K));
    merge_state(e, p, N, g);
    e_loop_end(e, states);
    put(e, SLX_OP_VMRG, SLX_MRGFN_merge, 0, 0, NOTOK, s, so, tt, to, pair_r(e, M_T, hd), 0);
    e_loop_end(e, groups);
}

static bool fits(const uint64_t *p)
{
    uint64_t b = p[SLX_MERGE_buffers], kvh = p[SLX_MERGE_kv_heads], heads = p[SLX_MERGE_heads], hd = p[SLX_MERGE_hd];
    return p[SLX_MERGE_max_merges] && p[SLX_MERGE_max_states] && p[SLX_MERGE_max_rows] && b && !(b & (b - 1)) &&
           b <= 64 && kvh && heads % kvh == 0 && heads / kvh <= 255 && hd && hd % 16 == 0 && hd <= 4096;
}

void tmpl_merge(em *e, const uint64_t *p)
{
    if (!fits(p)) {
        e->ok = false;
        return;
    }
    uint64_t g = p[SLX_MERGE_heads] / p[SLX_MERGE_kv_heads];
    const e_merges m = {p[SLX_MERGE_off_span],   p[SLX_MERGE_off_merge],  p[SLX_MERGE_max_merges],
                        p[SLX_MERGE_max_chunks], p[SLX_MERGE_spm_header], p[SLX_MERGE_spm_item]};
    size_t none = e_merges_skip(e, &m);
    if (!p[SLX_MERGE_push]) e_merges_load(e, &m); /* before the tile waits for the parts */
    e_lds(e, FIRST, m.spm_item + AT_SPAN, m.max, false, NOTOK);
    e_lds(e, COUNT, m.spm_item + AT_SPAN + 4, m.max, false, NOTOK);
    put(e, SLX_OP_BAR, 0, 0, 0, POST(TK_BAR), 0, 0, 0, 0, 0, 0);
    e_join(e, SLX_ENG_LDQ, WAIT(TK_BAR));
    size_t items = e_loop(e, REG(COUNT), I);
    e_alu(e, SLX_ALUFN_add, T0, REG(FIRST), REG(I));
    if (p[SLX_MERGE_push]) { /* of several the first has been written over, a layer ago */
        size_t one = e_skip(e, SLX_COND_eq, REG(COUNT), IMM(1));
        load_merge(e, &m, T0);
        e_skip_end(e, one);
    } else {
        size_t first = e_skip(e, SLX_COND_eq, REG(I), IMM(0));
        load_merge(e, &m, T0);
        e_skip_end(e, first);
    }
    merge_item(e, p, g);
    e_mulc(e, M, ROWS, g);
    const e_heads end = {p[SLX_MERGE_heads],   p[SLX_MERGE_kv_heads],  p[SLX_MERGE_hd],         p[SLX_MERGE_spm_sts],
                         p[SLX_MERGE_spm_os],  p[SLX_MERGE_spm_oc],    p[SLX_MERGE_spm_ocs],    p[SLX_MERGE_spm_goc],
                         p[SLX_MERGE_spm_gocs], p[SLX_MERGE_out_codes], p[SLX_MERGE_out_scales], p[SLX_MERGE_out],
                         p[SLX_MERGE_chips],   p[SLX_MERGE_out_cols],  p[SLX_MERGE_push]};
    e_heads_out(e, &end);
    e_join(e, SLX_ENG_STQ, POST(TK_ROUND));
    e_loop_end(e, items);
    e_skip_end(e, none);
}
