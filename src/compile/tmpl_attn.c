/* tmpl_attn.c - rope with the append to the KV pages, and attention over them.
 *
 *   page of one KV head, d = head_dim padded to 32:
 *     0        K codes [128][d]          128*d  K scales [128][d/32]
 *     132*d    V codes [128][d]          260*d  V scales [128] in a field of 4*d          264*d bytes
 *   queries, in HBM: codes [row][head][d], scales [row][head][d/32]
 *
 * Attention works through its tile's items: rows x the G query heads of one KV head, M = rows*G states (m, l, o); per
 * chunk scores, softmax, P*V, merged in order into the group's T, groups into S. An item may be a part of one, whose
 * other chunks other tiles have: its groups' states are stored, and merged by MERGE (tmpl_merge.c). A group is then as
 * many chunks as the part says: the state of a chunk alone is merged into an empty T too, which changes no bit of it
 * (its o has no -0: sums of products from +0 on).
 */
#include "compile/tmpl_int.h"

/* Of rows AT .. AT+M-1: the index tables, and with the first of them the rotations. Uses registers 15 and 16. */
static void load_tables(em *e, unsigned r_at, unsigned r_m, uint64_t idx, uint64_t idx_stride,
                        const uint64_t off[4], uint64_t n_rot, uint64_t rope, uint64_t spm_tab,
                        uint32_t first)
{
    enum { AT4 = 15, BYTES };
    e_alu(e, SLX_ALUFN_shl, AT4, REG(r_at), IMM(2));
    e_alu(e, SLX_ALUFN_add, AT4, REG(AT4), REG(SLX_R_DESC));
    e_alu(e, SLX_ALUFN_shl, BYTES, REG(r_m), IMM(2));
    for (uint64_t k = 0; k < 4; k++)
        e_ld(e, IMM(idx + k * idx_stride), regi(e, AT4, (int64_t)off[k]), REG(BYTES), IMM(1), 0, 0,
             k ? NOTOK : first);
    if (n_rot)
        e_ldx(e, IMM(spm_tab), addr_c(e, rope), IMM(idx), REG(r_m), n_rot * 4, n_rot * 4, NOTOK);
}

/* Words of an item (program.h). */
enum {
    ITEM_ROW0 = 0, ITEM_ROWS = 4, ITEM_HEAD = 8, ITEM_PAGE = 12, ITEM_CHUNKS = 16,
    ITEM_FIRST = 20, ITEM_EACH = 24, ITEM_SLOT = 28
};

/* Where a descriptor has items and lists of pages, and where one of each lies in the scratchpad. */
typedef struct {
    uint64_t off_item, off_pages, max_items, max_list, max_chunks, spm_item, spm_pages;
} item_tables;

/* Item r_item and its pages for CTL, which waits for them. Uses registers 15, 20 and 21. */
static void load_item(em *e, const item_tables *t, unsigned r_item)
{
    enum { T0 = 15, PAGEAT = 20, CHUNKS };
    /* the min changes nothing, it tells the verifier */
    e_alu(e, SLX_ALUFN_min, T0, REG(r_item), IMM(t->max_items - 1));
    e_alu(e, SLX_ALUFN_shl, T0, REG(T0), IMM(5));
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(SLX_R_DESC));
    e_ld(e, IMM(t->spm_item), regi(e, T0, (int64_t)t->off_item), IMM(32), IMM(1), 0, 0,
         WAITPOST(TK_SEEN, TK_ITEM));
    e_lds(e, PAGEAT, t->spm_item + ITEM_PAGE, t->max_list, false, WAIT(TK_ITEM));
    e_lds(e, CHUNKS, t->spm_item + ITEM_CHUNKS, t->max_chunks, false, POST(TK_SEEN));
    e_alu(e, SLX_ALUFN_shl, T0, REG(PAGEAT), IMM(2));
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(SLX_R_DESC));
    e_alu(e, SLX_ALUFN_shl, CHUNKS, REG(CHUNKS), IMM(2));
    e_ld(e, IMM(t->spm_pages), regi(e, T0, (int64_t)t->off_pages), REG(CHUNKS), IMM(1), 0, 0,
         WAITPOST(TK_SEEN, TK_ITEM));
    e_lds(e, CHUNKS, t->spm_item + ITEM_CHUNKS, t->max_chunks, false, WAITPOST(TK_ITEM, TK_SEEN));
}

/* CTL waits for all of it; other engines read it behind what waits for EMBED's loads, which come later. */
void tmpl_tables(em *e, const uint64_t *p)
{
    enum { FIRST = 12, AT, M, T0 };
    const uint64_t off[4] = {p[SLX_TABLES_off_position], p[SLX_TABLES_off_kcode],
                             p[SLX_TABLES_off_kscale], p[SLX_TABLES_off_vscale]};
    if (p[SLX_TABLES_push] == 0) {
        e->ok = false;
        return;
    }
    e_own_row(e, p[SLX_TABLES_push], AT, M);
    load_tables(e, AT, M, p[SLX_TABLES_spm_idx], p[SLX_TABLES_idx_stride], off, p[SLX_TABLES_n_rot],
                p[SLX_TABLES_rope], p[SLX_TABLES_spm_tab], NOTOK);
    e_alu(e, SLX_ALUFN_shl, T0, REG(R_SAMPLES), IMM(2));
    e_ld(e, IMM(p[SLX_TABLES_spm_sample]), regi(e, SLX_R_DESC, (int64_t)p[SLX_TABLES_off_sample]),
         REG(T0), IMM(1), 0, 0, NOTOK);
    uint64_t item = p[SLX_TABLES_spm_item];
    const item_tables it = {p[SLX_TABLES_off_item],   p[SLX_TABLES_off_pages],
                            p[SLX_TABLES_max_items],  p[SLX_TABLES_max_list],
                            p[SLX_TABLES_max_chunks], item,
                            p[SLX_TABLES_spm_pages]};
    e_alu(e, SLX_ALUFN_shl, T0, REG(SLX_R_TILE), IMM(3));
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(SLX_R_DESC));
    e_ld(e, IMM(item + SLX_SPAN_AT), regi(e, T0, (int64_t)p[SLX_TABLES_off_span]), IMM(8), IMM(1),
         0, 0, WAITPOST(TK_SEEN, TK_ITEM));
    e_lds(e, FIRST, item + SLX_SPAN_AT, it.max_items, false, WAIT(TK_ITEM));
    e_lds(e, T0, item + SLX_SPAN_AT + 4, it.max_items, false, POST(TK_SEEN));
    e_alu(e, SLX_ALUFN_min, T0, REG(T0), IMM(1));
    size_t any = e_loop(e, REG(T0), 0);
    load_item(e, &it, FIRST);
    e_loop_end(e, any);
    const e_merges m = {p[SLX_TABLES_off_merge_span], p[SLX_TABLES_off_merge], p[SLX_TABLES_max_merges],
                        p[SLX_TABLES_max_chunks], p[SLX_TABLES_spm_header], p[SLX_TABLES_spm_merge]};
    if (m.max) {
        size_t none = e_merges_skip(e, &m);
        e_merges_load(e, &m);
        e_skip_end(e, none);
    }
}

/* Keys, which lie at k_at, and values of M rows to their pages, head after head. */
static void append_heads(em *e, const uint64_t *p, unsigned M, uint64_t k_at)
{
    enum { T0 = 15, B, H = 20 };
    uint64_t kvh = p[SLX_ROPE_kv_heads], hd = p[SLX_ROPE_hd], hdp = p[SLX_ROPE_hdp], nb = hdp / 32;
    uint64_t idx = p[SLX_ROPE_spm_idx], is = p[SLX_ROPE_idx_stride], kr = 4 * hd * kvh;
    size_t hl = e_loop(e, IMM(kvh), H);
    e_mulc(e, T0, H, 4 * hd);
    e_mulc(e, B, H, p[SLX_ROPE_kv_head_stride]);
    e_alu(e, SLX_ALUFN_add, B, REG(B), REG(R_KV));
    e_quant(e, 0, p[SLX_ROPE_spm_kc], p[SLX_ROPE_spm_ks], regi(e, T0, (int64_t)k_at), 0,
            pair_r(e, M, hd), kr, WAIT(TK_OFREE));
    e_quant(e, SLX_F_ROW, p[SLX_ROPE_spm_vc], p[SLX_ROPE_spm_vs],
            regi(e, T0, (int64_t)p[SLX_ROPE_spm_v]), 0, pair_r(e, M, hd), kr, POST(TK_OUT));
    e_stx(e, REG(B), IMM(p[SLX_ROPE_spm_kc]), IMM(idx + is), REG(M), hdp, hdp, WAIT(TK_OUT));
    e_stx(e, regi(e, B, (int64_t)(128 * hdp)), IMM(p[SLX_ROPE_spm_ks]), IMM(idx + 2 * is), REG(M),
          nb, nb, NOTOK);
    e_stx(e, regi(e, B, (int64_t)(132 * hdp)), IMM(p[SLX_ROPE_spm_vc]), IMM(idx + is), REG(M), hdp,
          hdp, NOTOK);
    e_stx(e, regi(e, B, (int64_t)(260 * hdp)), IMM(p[SLX_ROPE_spm_vs]), IMM(idx + 3 * is), REG(M),
          1, 1, POST(TK_OFREE));
    e_loop_end(e, hl);
}

/* The same of one row, all heads at once: its places are a stride apart. MK is kv_heads, or 0 where there is no row. */
static void append_row(em *e, const uint64_t *p, unsigned M, unsigned MK)
{
    enum { AT = 20, T0 = 15 };
    uint64_t hd = p[SLX_ROPE_hd], hdp = p[SLX_ROPE_hdp], nb = hdp / 32, pages = p[SLX_ROPE_pages];
    uint64_t idx = p[SLX_ROPE_spm_idx], is = p[SLX_ROPE_idx_stride],
             head = p[SLX_ROPE_kv_head_stride];
    const uint64_t page[3] = {264, 8448, 264 * hdp}; /* units of codes, K scales, V scales */
    if (pages == 0) {
        e->ok = false;
        return;
    }
    for (unsigned k = 0; k < 3; k++) e_li(e, AT + k, 0);
    size_t none =
        e_skip(e, SLX_COND_eq, REG(M), IMM(0)); /* the tables were loaded for rows alone */
    for (unsigned k = 0; k < 3; k++)
        e_lds(e, AT + k, idx + (k + 1) * is, (pages - 1) * page[k] + SLX_MAX_CHUNK - 1, false,
              NOTOK);
    e_skip_end(e, none);
    e_quant(e, 0, p[SLX_ROPE_spm_kc], p[SLX_ROPE_spm_ks], IMM(p[SLX_ROPE_spm_r]), 0,
            pair_r(e, MK, hd), 0, NOTOK);
    e_quant(e, SLX_F_ROW, p[SLX_ROPE_spm_vc], p[SLX_ROPE_spm_vs], IMM(p[SLX_ROPE_spm_v]), 0,
            pair_r(e, MK, hd), 0, POST(TK_OUT));
    const struct {
        uint64_t at, unit, spm, off;
    } part[4] = {{AT, hdp, p[SLX_ROPE_spm_kc], 0},
                 {AT + 1, nb, p[SLX_ROPE_spm_ks], 128 * hdp},
                 {AT, hdp, p[SLX_ROPE_spm_vc], 132 * hdp},
                 {AT + 2, 1, p[SLX_ROPE_spm_vs], 260 * hdp}};
    for (int k = 0; k < 4; k++) {
        e_mulc(e, T0, (unsigned)part[k].at, part[k].unit);
        e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(R_KV));
        e_st(e, regi(e, T0, (int64_t)part[k].off), IMM(part[k].spm), IMM(part[k].unit), REG(MK),
             part[k].unit, head, k ? NOTOK : WAIT(TK_OUT));
    }
}

void tmpl_rope(em *e, const uint64_t *p)
{
    enum { N = 11, I, AT, M, T0, B, MQ, MK, H = 20, ANY };
    uint64_t heads = p[SLX_ROPE_heads], kvh = p[SLX_ROPE_kv_heads], hd = p[SLX_ROPE_hd],
             hdp = p[SLX_ROPE_hdp];
    uint64_t n_rot = p[SLX_ROPE_n_rot], stride = p[SLX_ROPE_qkv_stride], nb = hdp / 32,
             mr = p[SLX_ROPE_mr];
    uint64_t idx = p[SLX_ROPE_spm_idx], is = p[SLX_ROPE_idx_stride], kr = 4 * hd * kvh,
             qr = 4 * hd * heads;
    const uint64_t tables[4] = {p[SLX_ROPE_off_position], p[SLX_ROPE_off_kcode],
                                p[SLX_ROPE_off_kscale], p[SLX_ROPE_off_vscale]};
    const uint64_t push = p[SLX_ROPE_push];
    size_t loop = 0;
    if ((n_rot == 0 && !p[SLX_ROPE_bias]) || (n_rot == 0 && push))
        e->ok = false; /* nothing would take the token of the loads */
    if (!e->ok || hd % 16 || n_rot % 16 || n_rot > hd || hdp % 32 || mr == 0 || mr * heads > 4095 ||
        p[SLX_ROPE_rows_cap] == 0) {
        e->ok = false;
        return;
    }
    if (!push) e_tiles(e, N, R_MYROWS, mr);
    if (p[SLX_ROPE_bias] || p[SLX_ROPE_norm]) /* a tile without rows needs none of it */
        e_alu(e, SLX_ALUFN_min, ANY, REG(R_MYROWS), IMM(1));
    if (p[SLX_ROPE_bias]) {
        e_addc(e, T0, R_W, p[SLX_ROPE_off_bias]);
        e_ld(e, IMM(p[SLX_ROPE_spm_bias]), REG(T0), IMM(qr + 2 * kr), REG(ANY), 0, 0,
             push && !p[SLX_ROPE_norm] ? POST(TK_IN) : NOTOK);
    }
    if (p[SLX_ROPE_norm]) {
        e_addc(e, T0, R_W, p[SLX_ROPE_off_norm]);
        e_ld(e, IMM(p[SLX_ROPE_spm_norm]), REG(T0), IMM(8 * hd), REG(ANY), 0, 0,
             push ? POST(TK_IN) : NOTOK);
    }
    if (push) { /* tables and products are there */
        e_own_row(e, push, AT, M);
    } else {
        loop = e_loop(e, REG(N), I);
        e_row_tile(e, I, R_MYROWS, mr, AT, M);
        e_alu(e, SLX_ALUFN_add, AT, REG(AT), REG(R_ROW0));
        load_tables(e, AT, M, idx, is, tables, n_rot, p[SLX_ROPE_rope], p[SLX_ROPE_spm_tab],
                    WAIT(TK_ROUND));
        e_at_row(e, T0, AT, p[SLX_ROPE_qkv], stride);
        e_ld(e, IMM(p[SLX_ROPE_spm_q]), REG(T0), IMM(qr), REG(M), stride, qr, NOTOK);
        e_ld(e, IMM(p[SLX_ROPE_spm_k]), regi(e, T0, (int64_t)p[SLX_ROPE_off_k]), IMM(kr), REG(M),
             stride, kr, NOTOK);
        e_ld(e, IMM(p[SLX_ROPE_spm_v]), regi(e, T0, (int64_t)p[SLX_ROPE_off_v]), IMM(kr), REG(M),
             stride, kr, POST(TK_IN));
    }
    e_mulc(e, MQ, M, heads);
    e_mulc(e, MK, M, kvh);
    unsigned fn = p[SLX_ROPE_style] ? SLX_ROTFN_half : SLX_ROTFN_interleaved;
    /* of whichever comes first */
    uint32_t in = push && !p[SLX_ROPE_bias] && !p[SLX_ROPE_norm] ? NOTOK : WAIT(TK_IN);
    if (p[SLX_ROPE_bias]) {
        const uint64_t part[3] = {p[SLX_ROPE_spm_q], p[SLX_ROPE_spm_k], p[SLX_ROPE_spm_v]},
                       from[3] = {0, qr, qr + kr};
        for (int i = 0; i < 3; i++, in = NOTOK)
            put(e, SLX_OP_VBIN, SLX_BINFN_add, SLX_BCAST_row, 0, in, IMM(part[i]), IMM(part[i]),
                IMM(p[SLX_ROPE_spm_bias] + from[i]), pair_r(e, M, (i ? kr : qr) / 4), 0, 0);
    }
    if (p[SLX_ROPE_norm]) {
        e_nrm(e, p[SLX_ROPE_spm_q], p[SLX_ROPE_spm_q], p[SLX_ROPE_spm_norm],
              (uint32_t)p[SLX_ROPE_eps], pair_r(e, MQ, hd), in);
        e_nrm(e, p[SLX_ROPE_spm_k], p[SLX_ROPE_spm_k], p[SLX_ROPE_spm_norm] + 4 * hd,
              (uint32_t)p[SLX_ROPE_eps], pair_r(e, MK, hd), NOTOK);
        in = NOTOK;
    }
    /* keys and values first, so that the last store of the tile is a plain one; without a rotation both are ready (and
       then there are biases, which took the token) */
    uint64_t k_at = n_rot ? p[SLX_ROPE_spm_r] : p[SLX_ROPE_spm_k];
    if (n_rot)
        put(e, SLX_OP_VROT, fn, 0, 0, in, IMM(p[SLX_ROPE_spm_r]), IMM(p[SLX_ROPE_spm_k]),
            IMM(p[SLX_ROPE_spm_tab]), pair_r(e, MK, hd), pair_c(e, kvh, n_rot), 0);
    if (push)
        append_row(e, p, M, MK);
    else
        append_heads(e, p, M, k_at);
    if (n_rot)
        put(e, SLX_OP_VROT, fn, 0, 0, NOTOK, IMM(p[SLX_ROPE_spm_r]), IMM(p[SLX_ROPE_spm_q]),
            IMM(p[SLX_ROPE_spm_tab]), pair_r(e, MQ, hd), pair_c(e, heads, n_rot), 0);
    e_quant(e, 0, p[SLX_ROPE_spm_qc], p[SLX_ROPE_spm_qs],
            IMM(n_rot ? p[SLX_ROPE_spm_r] : p[SLX_ROPE_spm_q]), 0, pair_r(e, MQ, hd), 0,
            POST(TK_OUT));
    e_at_row(e, T0, AT, p[SLX_ROPE_q_codes], heads * hdp);
    e_st(e, REG(T0), IMM(p[SLX_ROPE_spm_qc]), IMM(heads * hdp), REG(M), heads * hdp, heads * hdp,
         WAIT(TK_OUT));
    e_at_row(e, T0, AT, p[SLX_ROPE_q_scales], heads * nb);
    e_st(e, REG(T0), IMM(p[SLX_ROPE_spm_qs]), IMM(heads * nb), REG(M), heads * nb, heads * nb,
         push ? NOTOK : POST(TK_ROUND));
    if (!push) e_loop_end(e, loop);
}

/* Registers: the item's first number and 1; its group, rows and side; at, bytes and n are scratch. */
typedef struct {
    unsigned slot, group, rows, side, at, bytes, n;
} state_at;

/* A record of the state's rows: o, and behind it (m, l). VEC goes on when the state before it is stored, whose place it
 * takes next. */
static void store_state(em *e, const uint64_t *p, uint64_t g, const state_at *r)
{
    uint64_t max = p[SLX_ATTENTION_max_states], hd = p[SLX_ATTENTION_hd], o = 4 * g * hd, ml = 8 * g;
    e_join(e, SLX_ENG_VEC, POST(TK_OUT));
    e_alu(e, SLX_ALUFN_mul, r->n, REG(r->group), REG(r->rows));
    e_alu(e, SLX_ALUFN_add, r->n, REG(r->n), regi(e, r->slot, -1));
    /* what is beyond has no room */
    e_alu(e, SLX_ALUFN_min, r->n, REG(r->n), IMM(max - 1));
    e_at_row(e, r->at, r->n, p[SLX_ATTENTION_states], o + ml);
    e_mulc(e, r->bytes, r->rows, o);
    e_st(e, REG(r->at), regi(e, r->side, (int64_t)p[SLX_ATTENTION_spm_ot]), REG(r->bytes), IMM(1), 0, 0, WAIT(TK_OUT));
    e_alu(e, SLX_ALUFN_add, r->at, REG(r->at), REG(r->bytes));
    e_mulc(e, r->bytes, r->rows, ml);
    e_st(e, REG(r->at), regi(e, r->side, (int64_t)p[SLX_ATTENTION_spm_stt]), REG(r->bytes), IMM(1), 0, 0,
         POST(TK_TFREE));
    e_join(e, SLX_ENG_VEC, WAIT(TK_TFREE));
}

void tmpl_attention(em *e, const uint64_t *p)
{
    enum {
        SLOT = 11, /* of a part, the number of its first state and 1; else 0 */
        FIRST,
        COUNT,
        I,
        T0,
        ROW0,
        ROWS,
        KVHEAD,
        PAGEAT = 20,
        CHUNK0 = PAGEAT, /* of the sequence, when the list of pages is on its way */
        CHUNKS,
        M,
        KV,
        EACH,
        G,
        C0,
        TSIDE, /* where this group's T is, behind the first */
        C,
        CHUNK,
        T1,
        PAGE = T1
    };
    _Static_assert((int)T1 == (int)R_PAIR, "T1 and PAGE are only used where no pair is built");
    _Static_assert((int)ROW0 == (int)R_HEAD_ROW0 && (int)ROWS == (int)R_HEAD_ROWS && (int)KVHEAD == (int)R_HEAD_KV &&
                       (int)M == (int)R_HEAD_M,
                   "an item of e_heads_out");
    uint64_t heads = p[SLX_ATTENTION_heads], kvh = p[SLX_ATTENTION_kv_heads],
             hd = p[SLX_ATTENTION_hd];
    uint64_t hdp = p[SLX_ATTENTION_hdp], nb = hdp / 32, page = p[SLX_ATTENTION_spm_page],
             step = p[SLX_ATTENTION_page_step];
    if (kvh == 0 || heads % kvh || heads / kvh > 255 || hd % 16 || hdp % 32 || hd > hdp ||
        hdp > 4096) {
        e->ok = false;
        return;
    }
    uint64_t g = heads / kvh, item = p[SLX_ATTENTION_spm_item], t = p[SLX_ATTENTION_spm_t],
             pp = p[SLX_ATTENTION_spm_p];
    uint64_t most_states = p[SLX_ATTENTION_max_states], most_each = most_states ? SLX_GROUP_CHUNKS : 0; /* no parts */
    uint64_t push = p[SLX_ATTENTION_push], buffers = p[SLX_ATTENTION_buffers];
    unsigned pfree = push ? TK_SFREE : buffers > 1 ? TK_PFREE : TK_AFREE, pready = pfree + 1;
    _Static_assert(TK_SFREE + 1 == TK_SREADY && TK_PFREE + 1 == TK_PREADY &&
                       TK_AFREE + 1 == TK_AREADY,
                   "pairs");
    if (p[SLX_ATTENTION_max_chunks] == 0 || buffers == 0 || buffers & (buffers - 1) || buffers > 64 ||
        (!push && buffers > 2)) {
        e->ok = false;
        return;
    }
    uint64_t span = push ? item + SLX_SPAN_AT : item;
    if (!push) {
        e_alu(e, SLX_ALUFN_shl, T0, REG(SLX_R_TILE), IMM(3));
        e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(SLX_R_DESC));
        e_ld(e, IMM(item), regi(e, T0, (int64_t)p[SLX_ATTENTION_off_span]), IMM(8), IMM(1), 0, 0,
             WAITPOST(TK_SEEN, TK_ITEM));
    }
    e_lds(e, FIRST, span, p[SLX_ATTENTION_max_items], false, push ? NOTOK : WAIT(TK_ITEM));
    e_lds(e, COUNT, span + 4, p[SLX_ATTENTION_max_items], false, push ? NOTOK : POST(TK_SEEN));
    if (push) e_join(e, SLX_ENG_LDQ, WAIT(TK_BAR)); /* the barrier before: SLX_TO_LDQ_LATER */
    const item_tables it = {p[SLX_ATTENTION_off_item],   p[SLX_ATTENTION_off_pages],
                            p[SLX_ATTENTION_max_items],  p[SLX_ATTENTION_max_list],
                            p[SLX_ATTENTION_max_chunks], item,
                            p[SLX_ATTENTION_spm_pages]};
    size_t items = e_loop(e, REG(COUNT), I);
    e_alu(e, SLX_ALUFN_add, T0, REG(FIRST), REG(I));
    if (push) { /* TABLES brought the first */
        size_t one = e_skip(e, SLX_COND_eq, REG(COUNT), IMM(1));
        load_item(e, &it, T0);
        e_skip_end(e, one);
    } else {
        e_alu(e, SLX_ALUFN_min, T0, REG(T0), IMM(p[SLX_ATTENTION_max_items] - 1));
        e_alu(e, SLX_ALUFN_shl, T0, REG(T0), IMM(5));
        e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(SLX_R_DESC));
        e_ld(e, IMM(item), regi(e, T0, (int64_t)p[SLX_ATTENTION_off_item]), IMM(32), IMM(1), 0, 0,
             WAITPOST(TK_SEEN, TK_ITEM));
    }
    e_lds(e, ROW0, item + ITEM_ROW0, p[SLX_ATTENTION_max_rows] - 1, false, push ? NOTOK : WAIT(TK_ITEM));
    e_lds(e, ROWS, item + ITEM_ROWS, p[SLX_ATTENTION_item_rows], false, NOTOK);
    e_lds(e, KVHEAD, item + ITEM_HEAD, kvh - 1, false, NOTOK);
    e_lds(e, PAGEAT, item + ITEM_PAGE, p[SLX_ATTENTION_max_list], false, NOTOK);
    e_lds(e, CHUNKS, item + ITEM_CHUNKS, p[SLX_ATTENTION_max_chunks], false, push ? NOTOK : POST(TK_SEEN));
    e_mulc(e, M, ROWS, g);
    /* inputs of the item */
    e_at_row(e, T0, ROW0, p[SLX_ATTENTION_q_codes], heads * hdp);
    e_mulc(e, T1, KVHEAD, g * hdp);
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(T1));
    e_ld(e, IMM(p[SLX_ATTENTION_spm_q]), REG(T0), IMM(g * hdp), REG(ROWS), heads * hdp, g * hdp,
         WAIT(TK_ROUND));
    e_at_row(e, T0, ROW0, p[SLX_ATTENTION_q_scales], heads * nb);
    e_mulc(e, T1, KVHEAD, g * nb);
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(T1));
    e_ld(e, IMM(p[SLX_ATTENTION_spm_qs]), REG(T0), IMM(g * nb), REG(ROWS), heads * nb, g * nb,
         NOTOK);
    e_alu(e, SLX_ALUFN_shl, T0, REG(ROW0), IMM(3));
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(SLX_R_DESC));
    e_alu(e, SLX_ALUFN_shl, T1, REG(ROWS), IMM(3));
    e_ld(e, IMM(p[SLX_ATTENTION_spm_lim]), regi(e, T0, (int64_t)p[SLX_ATTENTION_off_lim]), REG(T1),
         IMM(1), 0, 0, push ? POST(TK_IN) : NOTOK);
    if (!push) {
        e_alu(e, SLX_ALUFN_shl, T0, REG(PAGEAT), IMM(2));
        e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(SLX_R_DESC));
        e_alu(e, SLX_ALUFN_shl, T1, REG(CHUNKS), IMM(2));
        e_ld(e, IMM(p[SLX_ATTENTION_spm_pages]), regi(e, T0, (int64_t)p[SLX_ATTENTION_off_pages]),
             REG(T1), IMM(1), 0, 0, POST(TK_IN));
    }
    e_mulc(e, KV, KVHEAD, p[SLX_ATTENTION_kv_head_stride]);
    e_alu(e, SLX_ALUFN_add, KV, REG(KV), REG(R_KV));
    e_lds(e, CHUNK0, item + ITEM_FIRST, p[SLX_ATTENTION_max_chunks] - 1, false, NOTOK);
    e_lds(e, EACH, item + ITEM_EACH, most_each, false, NOTOK);
    e_lds(e, SLOT, item + ITEM_SLOT, most_states ? most_states - 1 : 0, false, NOTOK);
    e_alu(e, SLX_ALUFN_add, SLOT, REG(SLOT), IMM(1));
    e_alu(e, SLX_ALUFN_min, T0, REG(EACH), IMM(1));
    e_alu(e, SLX_ALUFN_mul, SLOT, REG(SLOT), REG(T0));
    e_alu(e, SLX_ALUFN_sub, EACH, REG(EACH), IMM(1)); /* of a whole item a group's */
    e_alu(e, SLX_ALUFN_and, EACH, REG(EACH), IMM(SLX_GROUP_CHUNKS - 1));
    e_alu(e, SLX_ALUFN_add, EACH, REG(EACH), IMM(1));
    uint64_t stt = p[SLX_ATTENTION_spm_stt], ot = p[SLX_ATTENTION_spm_ot], side = p[SLX_ATTENTION_spm_sts] - stt;
    if (p[SLX_ATTENTION_spm_sts] < stt || p[SLX_ATTENTION_spm_os] - ot != side) e->ok = false;
    uint32_t s = IMM(p[SLX_ATTENTION_spm_sts]), so = IMM(p[SLX_ATTENTION_spm_os]);
    uint32_t tt = regi(e, TSIDE, (int64_t)stt), to = regi(e, TSIDE, (int64_t)ot);
    uint32_t c2 = IMM(p[SLX_ATTENTION_spm_st2]), co = IMM(p[SLX_ATTENTION_spm_o2]);
    put(e, SLX_OP_VMRG, SLX_MRGFN_empty, 0, 0, WAIT(TK_IN), s, so, 0, 0, pair_r(e, M, hd), 0);
    e_alu(e, SLX_ALUFN_add, T0, REG(CHUNKS), REG(EACH));
    e_alu(e, SLX_ALUFN_sub, T0, REG(T0), IMM(1));
    e_alu(e, SLX_ALUFN_divu, T0, REG(T0), REG(EACH));
    size_t groups = e_loop(e, REG(T0), G);
    e_alu(e, SLX_ALUFN_min, T0, REG(SLOT), IMM(1));
    e_alu(e, SLX_ALUFN_and, TSIDE, REG(G), REG(T0)); /* S is not used where T is stored */
    e_mulc(e, TSIDE, TSIDE, side);
    e_alu(e, SLX_ALUFN_mul, C0, REG(G), REG(EACH));
    e_alu(e, SLX_ALUFN_sub, T0, REG(CHUNKS), REG(C0));
    e_alu(e, SLX_ALUFN_min, T0, REG(T0), REG(EACH));
    put(e, SLX_OP_VMRG, SLX_MRGFN_empty, 0, 0, NOTOK, tt, to, 0, 0, pair_r(e, M, hd), 0);
    size_t chunks = e_loop(e, REG(T0), C);
    e_alu(e, SLX_ALUFN_add, CHUNK, REG(C0), REG(C));
    /* the min changes nothing, it tells the verifier */
    e_alu(e, SLX_ALUFN_min, CHUNK, REG(CHUNK), IMM(p[SLX_ATTENTION_max_chunks] - 1));
    e_alu(e, SLX_ALUFN_and, PAGE, REG(CHUNK), IMM(buffers - 1));
    e_mulc(e, PAGE, PAGE, step);
    e_alu(e, SLX_ALUFN_shl, T0, REG(CHUNK), IMM(2));
    if (push) { /* LDX would wait for the loads before it: here all buffers fill at once */
        put(e, SLX_OP_LDS, SLX_WIDTH_u32, 0, 0, NOTOK, T0,
            regi(e, T0, (int64_t)p[SLX_ATTENTION_spm_pages]), IMM(p[SLX_ATTENTION_max_list] - 1), 0,
            0, 0);
        e_mulc(e, T0, T0, p[SLX_ATTENTION_page_stride]);
        e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(KV));
        e_ld(e, regi(e, PAGE, (int64_t)page), REG(T0), IMM(264 * hdp), IMM(1), 0, 0,
             WAITPOST(pfree, pready));
    } else {
        e_ldx(e, regi(e, PAGE, (int64_t)page), REG(KV),
              regi(e, T0, (int64_t)p[SLX_ATTENTION_spm_pages]), IMM(1), 264 * hdp,
              p[SLX_ATTENTION_page_stride], WAITPOST(pfree, pready));
    }
    e_mm(e, SLX_FMT_mxint8, 0, 0, 0, p[SLX_ATTENTION_spm_q], p[SLX_ATTENTION_spm_qs],
         regi(e, PAGE, (int64_t)page), pair_r(e, M, SLX_MAX_CHUNK), pair_c(e, nb, nb),
         WAIT(pready));
    e_aout(e, t, pair_r(e, M, SLX_MAX_CHUNK), 4 * SLX_MAX_CHUNK,
           (uint32_t)p[SLX_ATTENTION_scale_bits], POST(TK_TV));
    e_alu(e, SLX_ALUFN_add, T0, REG(CHUNK), REG(CHUNK0));
    e_alu(e, SLX_ALUFN_shl, T0, REG(T0), IMM(7));
    put(e, SLX_OP_VSMX, 0, (unsigned)g, 0, WAIT(TK_TV), IMM(pp), c2, IMM(t),
        IMM(p[SLX_ATTENTION_spm_lim]), pair_r(e, M, SLX_MAX_CHUNK), REG(T0));
    /* p * V scale, quantised over positions */
    put(e, SLX_OP_VCVT, SLX_FMT_mxint8, SLX_FMT_f32, SLX_F_COL, POST(TK_VT),
        IMM(p[SLX_ATTENTION_spm_pc]), IMM(p[SLX_ATTENTION_spm_ps]), IMM(pp),
        regi(e, PAGE, (int64_t)(page + 260 * hdp)), pair_r(e, M, SLX_MAX_CHUNK), 0);
    e_mm(e, SLX_FMT_mxint8, SLX_F_BT, 0, 0, p[SLX_ATTENTION_spm_pc], p[SLX_ATTENTION_spm_ps],
         regi(e, PAGE, (int64_t)(page + 132 * hdp)), pair_r(e, M, hd),
         pair_c(e, SLX_MAX_CHUNK / 32, nb), WAITPOST(TK_VT, pfree));
    e_aout(e, p[SLX_ATTENTION_spm_o2], pair_r(e, M, hd), 4 * hd, 0, POST(TK_TV));
    put(e, SLX_OP_VMRG, SLX_MRGFN_merge, 0, 0, WAIT(TK_TV), tt, to, c2, co, pair_r(e, M, hd), 0);
    e_loop_end(e, chunks);
    /* T into S or, of a part, to memory */
    e_alu(e, SLX_ALUFN_min, T0, REG(SLOT), IMM(1));
    e_alu(e, SLX_ALUFN_sub, T1, IMM(1), REG(T0));
    e_alu(e, SLX_ALUFN_mul, T1, REG(T1), REG(M));
    put(e, SLX_OP_VMRG, SLX_MRGFN_merge, 0, 0, NOTOK, s, so, tt, to, pair_r(e, T1, hd), 0);
    if (most_states) {
        size_t whole = e_skip(e, SLX_COND_eq, REG(SLOT), IMM(0));
        store_state(e, p, g, &(state_at){SLOT, G, ROWS, TSIDE, .at = T1, .bytes = C0, .n = CHUNK});
        e_skip_end(e, whole);
    }
    e_loop_end(e, groups);
    size_t part = e_skip(e, SLX_COND_ne, REG(SLOT), IMM(0));
    const e_heads end = {heads,
                         kvh,
                         hd,
                         p[SLX_ATTENTION_spm_sts],
                         p[SLX_ATTENTION_spm_os],
                         p[SLX_ATTENTION_spm_oc],
                         p[SLX_ATTENTION_spm_ocs],
                         p[SLX_ATTENTION_spm_goc],
                         p[SLX_ATTENTION_spm_gocs],
                         p[SLX_ATTENTION_out_codes],
                         p[SLX_ATTENTION_out_scales],
                         p[SLX_ATTENTION_out],
                         p[SLX_ATTENTION_chips],
                         p[SLX_ATTENTION_out_cols],
                         push};
    e_heads_out(e, &end);
    e_skip_end(e, part);
    e_join(e, SLX_ENG_STQ, POST(TK_ROUND));
    e_loop_end(e, items);
}
