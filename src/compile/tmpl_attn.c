/* tmpl_attn.c - rope with the append to the KV pages, and attention over them.
 *
 *   page of one KV head, d = head_dim padded to 32:
 *     0        K codes [128][d]          128*d  K scales [128][d/32]
 *     132*d    V codes [128][d]          260*d  V scales [128] in a field of 4*d          264*d bytes
 *   queries, in HBM: codes [row][head][d], scales [row][head][d/32]
 *
 * Attention works through its tile's items: rows x the G query heads of one KV head, M = rows*G states (m, l, o); per
 * chunk scores, softmax, P*V, merged in order into the group's T, groups into S.
 */
#include "compile/tmpl_int.h"

static void row_addr(em *e, unsigned rd, unsigned row, uint64_t base, uint64_t stride)
{
    e_mulc(e, rd, row, stride);
    e_addc(e, rd, rd, base);
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
    if (n_rot == 0 && !p[SLX_ROPE_bias]) e->ok = false; /* nothing would take the token of the loads */
    if (!e->ok || hd % 16 || n_rot % 16 || n_rot > hd || hdp % 32 || mr == 0 || mr * heads > 4095 ||
        p[SLX_ROPE_rows_cap] == 0) {
        e->ok = false;
        return;
    }
    e_tiles(e, N, R_MYROWS, mr);
    if (p[SLX_ROPE_bias] || p[SLX_ROPE_norm]) /* a tile without rows needs none of it */
        e_alu(e, SLX_ALUFN_min, ANY, REG(R_MYROWS), IMM(1));
    if (p[SLX_ROPE_bias]) {
        e_addc(e, T0, R_W, p[SLX_ROPE_off_bias]);
        e_ld(e, IMM(p[SLX_ROPE_spm_bias]), REG(T0), IMM(qr + 2 * kr), REG(ANY), 0, 0, NOTOK);
    }
    if (p[SLX_ROPE_norm]) {
        e_addc(e, T0, R_W, p[SLX_ROPE_off_norm]);
        e_ld(e, IMM(p[SLX_ROPE_spm_norm]), REG(T0), IMM(8 * hd), REG(ANY), 0, 0, NOTOK);
    }
    size_t loop = e_loop(e, REG(N), I);
    e_row_tile(e, I, R_MYROWS, mr, AT, M);
    e_alu(e, SLX_ALUFN_add, AT, REG(AT), REG(R_ROW0));
    e_alu(e, SLX_ALUFN_shl, T0, REG(AT), IMM(2));
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(SLX_R_DESC));
    e_alu(e, SLX_ALUFN_shl, B, REG(M), IMM(2));
    for (uint64_t k = 0; k < 4; k++)
        e_ld(e, IMM(idx + k * is), regi(e, T0, (int64_t)tables[k]), REG(B), IMM(1), 0, 0,
             k ? NOTOK : WAIT(TK_ROUND));
    if (n_rot)
        e_ldx(e, IMM(p[SLX_ROPE_spm_tab]), addr_c(e, p[SLX_ROPE_rope]), IMM(idx), REG(M), n_rot * 4,
              n_rot * 4, NOTOK);
    row_addr(e, T0, AT, p[SLX_ROPE_qkv], stride);
    e_ld(e, IMM(p[SLX_ROPE_spm_q]), REG(T0), IMM(qr), REG(M), stride, qr, NOTOK);
    e_ld(e, IMM(p[SLX_ROPE_spm_k]), regi(e, T0, (int64_t)p[SLX_ROPE_off_k]), IMM(kr), REG(M),
         stride, kr, NOTOK);
    e_ld(e, IMM(p[SLX_ROPE_spm_v]), regi(e, T0, (int64_t)p[SLX_ROPE_off_v]), IMM(kr), REG(M),
         stride, kr, POST(TK_IN));
    e_mulc(e, MQ, M, heads);
    e_mulc(e, MK, M, kvh);
    unsigned fn = p[SLX_ROPE_style] ? SLX_ROTFN_half : SLX_ROTFN_interleaved;
    uint32_t in = WAIT(TK_IN); /* of whichever comes first */
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
    size_t hl = e_loop(e, IMM(kvh), H);
    e_mulc(e, T0, H, 4 * hd);
    e_mulc(e, B, H, p[SLX_ROPE_kv_head_stride]);
    e_alu(e, SLX_ALUFN_add, B, REG(B), REG(R_KV));
    e_quant(e, 0, p[SLX_ROPE_spm_kc], p[SLX_ROPE_spm_ks], regi(e, T0, (int64_t)k_at),
            0, pair_r(e, M, hd), kr, WAIT(TK_OFREE));
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
    if (n_rot)
        put(e, SLX_OP_VROT, fn, 0, 0, NOTOK, IMM(p[SLX_ROPE_spm_r]), IMM(p[SLX_ROPE_spm_q]),
            IMM(p[SLX_ROPE_spm_tab]), pair_r(e, MQ, hd), pair_c(e, heads, n_rot), 0);
    e_quant(e, 0, p[SLX_ROPE_spm_qc], p[SLX_ROPE_spm_qs], IMM(n_rot ? p[SLX_ROPE_spm_r] : p[SLX_ROPE_spm_q]), 0,
            pair_r(e, MQ, hd), 0, POST(TK_OUT));
    row_addr(e, T0, AT, p[SLX_ROPE_q_codes], heads * hdp);
    e_st(e, REG(T0), IMM(p[SLX_ROPE_spm_qc]), IMM(heads * hdp), REG(M), heads * hdp, heads * hdp,
         WAIT(TK_OUT));
    row_addr(e, T0, AT, p[SLX_ROPE_q_scales], heads * nb);
    e_st(e, REG(T0), IMM(p[SLX_ROPE_spm_qs]), IMM(heads * nb), REG(M), heads * nb, heads * nb,
         POST(TK_ROUND));
    e_loop_end(e, loop);
}

void tmpl_attention(em *e, const uint64_t *p)
{
    enum {
        PAGE = 11,
        FIRST,
        COUNT,
        I,
        T0,
        ROW0,
        ROWS,
        KVHEAD,
        PAGEAT = 20,
        CHUNKS,
        M,
        KV,
        NG,
        G,
        C0,
        NC,
        C,
        CHUNK,
        T1
    };
    _Static_assert((int)T1 == (int)R_PAIR, "T1 is only used where no pair is built");
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
    unsigned pfree = step ? TK_PFREE : TK_AFREE, pready = step ? TK_PREADY : TK_AREADY;
    e_alu(e, SLX_ALUFN_shl, T0, REG(SLX_R_TILE), IMM(3));
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(SLX_R_DESC));
    e_ld(e, IMM(item), regi(e, T0, (int64_t)p[SLX_ATTENTION_off_span]), IMM(8), IMM(1), 0, 0,
         WAITPOST(TK_SEEN, TK_ITEM));
    e_lds(e, FIRST, item, p[SLX_ATTENTION_max_items], false, WAIT(TK_ITEM));
    e_lds(e, COUNT, item + 4, p[SLX_ATTENTION_max_items], false, POST(TK_SEEN));
    size_t items = e_loop(e, REG(COUNT), I);
    e_alu(e, SLX_ALUFN_add, T0, REG(FIRST), REG(I));
    e_alu(e, SLX_ALUFN_min, T0, REG(T0), IMM(p[SLX_ATTENTION_max_items] - 1));
    e_alu(e, SLX_ALUFN_shl, T0, REG(T0), IMM(5));
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(SLX_R_DESC));
    e_ld(e, IMM(item), regi(e, T0, (int64_t)p[SLX_ATTENTION_off_item]), IMM(32), IMM(1), 0, 0,
         WAITPOST(TK_SEEN, TK_ITEM));
    e_lds(e, ROW0, item, p[SLX_ATTENTION_max_rows] - 1, false, WAIT(TK_ITEM));
    e_lds(e, ROWS, item + 4, p[SLX_ATTENTION_item_rows], false, NOTOK);
    e_lds(e, KVHEAD, item + 8, kvh - 1, false, NOTOK);
    e_lds(e, PAGEAT, item + 12, p[SLX_ATTENTION_max_list], false, NOTOK);
    e_lds(e, CHUNKS, item + 16, p[SLX_ATTENTION_max_chunks], false, POST(TK_SEEN));
    e_mulc(e, M, ROWS, g);
    /* inputs of the item */
    row_addr(e, T0, ROW0, p[SLX_ATTENTION_q_codes], heads * hdp);
    e_mulc(e, T1, KVHEAD, g * hdp);
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(T1));
    e_ld(e, IMM(p[SLX_ATTENTION_spm_q]), REG(T0), IMM(g * hdp), REG(ROWS), heads * hdp, g * hdp,
         WAIT(TK_ROUND));
    row_addr(e, T0, ROW0, p[SLX_ATTENTION_q_scales], heads * nb);
    e_mulc(e, T1, KVHEAD, g * nb);
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(T1));
    e_ld(e, IMM(p[SLX_ATTENTION_spm_qs]), REG(T0), IMM(g * nb), REG(ROWS), heads * nb, g * nb,
         NOTOK);
    e_alu(e, SLX_ALUFN_shl, T0, REG(ROW0), IMM(3));
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(SLX_R_DESC));
    e_alu(e, SLX_ALUFN_shl, T1, REG(ROWS), IMM(3));
    e_ld(e, IMM(p[SLX_ATTENTION_spm_lim]), regi(e, T0, (int64_t)p[SLX_ATTENTION_off_lim]), REG(T1),
         IMM(1), 0, 0, NOTOK);
    e_alu(e, SLX_ALUFN_shl, T0, REG(PAGEAT), IMM(2));
    e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(SLX_R_DESC));
    e_alu(e, SLX_ALUFN_shl, T1, REG(CHUNKS), IMM(2));
    e_ld(e, IMM(p[SLX_ATTENTION_spm_pages]), regi(e, T0, (int64_t)p[SLX_ATTENTION_off_pages]),
         REG(T1), IMM(1), 0, 0, POST(TK_IN));
    e_mulc(e, KV, KVHEAD, p[SLX_ATTENTION_kv_head_stride]);
    e_alu(e, SLX_ALUFN_add, KV, REG(KV), REG(R_KV));
    uint32_t s = IMM(p[SLX_ATTENTION_spm_sts]), so = IMM(p[SLX_ATTENTION_spm_os]);
    uint32_t tt = IMM(p[SLX_ATTENTION_spm_stt]), to = IMM(p[SLX_ATTENTION_spm_ot]);
    uint32_t c2 = IMM(p[SLX_ATTENTION_spm_st2]), co = IMM(p[SLX_ATTENTION_spm_o2]);
    put(e, SLX_OP_VMRG, SLX_MRGFN_empty, 0, 0, WAIT(TK_IN), s, so, 0, 0, pair_r(e, M, hd), 0);
    e_tiles(e, NG, CHUNKS, SLX_GROUP_CHUNKS);
    size_t groups = e_loop(e, REG(NG), G);
    e_alu(e, SLX_ALUFN_shl, C0, REG(G), IMM(4));
    e_alu(e, SLX_ALUFN_sub, NC, REG(CHUNKS), REG(C0));
    e_alu(e, SLX_ALUFN_min, NC, REG(NC), IMM(SLX_GROUP_CHUNKS));
    put(e, SLX_OP_VMRG, SLX_MRGFN_empty, 0, 0, NOTOK, tt, to, 0, 0, pair_r(e, M, hd), 0);
    size_t chunks = e_loop(e, REG(NC), C);
    e_alu(e, SLX_ALUFN_add, CHUNK, REG(C0), REG(C));
    e_alu(e, SLX_ALUFN_and, PAGE, REG(CHUNK), IMM(1));
    e_mulc(e, PAGE, PAGE, step);
    e_alu(e, SLX_ALUFN_shl, T0, REG(CHUNK), IMM(2));
    e_ldx(e, regi(e, PAGE, (int64_t)page), REG(KV),
          regi(e, T0, (int64_t)p[SLX_ATTENTION_spm_pages]), IMM(1), 264 * hdp,
          p[SLX_ATTENTION_page_stride], WAITPOST(pfree, pready));
    e_mm(e, SLX_FMT_mxint8, 0, 0, 0, p[SLX_ATTENTION_spm_q], p[SLX_ATTENTION_spm_qs],
         regi(e, PAGE, (int64_t)page), pair_r(e, M, SLX_MAX_CHUNK), pair_c(e, nb, nb),
         WAIT(pready));
    e_aout(e, t, pair_r(e, M, SLX_MAX_CHUNK), 4 * SLX_MAX_CHUNK,
           (uint32_t)p[SLX_ATTENTION_scale_bits], POST(TK_TV));
    e_alu(e, SLX_ALUFN_shl, T0, REG(CHUNK), IMM(7));
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
    put(e, SLX_OP_VMRG, SLX_MRGFN_merge, 0, 0, NOTOK, s, so, tt, to, pair_r(e, M, hd), 0);
    e_loop_end(e, groups);
    /* the heads of this chip, or of all: KV head h of them is columns h*part of a row of the output */
    bool codes = p[SLX_ATTENTION_out_codes] != 0, gather = p[SLX_ATTENTION_chips] > 1;
    uint64_t chips = gather ? p[SLX_ATTENTION_chips] : 1, row = p[SLX_ATTENTION_out_cols],
             own = g * hd, part = own * chips;
    uint32_t made = gather ? POST(TK_VNET) : POST(TK_OUT), met = WAIT(gather ? TK_MET : TK_OUT);
    if (row != chips * heads * hd) e->ok = false;
    put(e, SLX_OP_VMRG, SLX_MRGFN_final, 0, 0, codes ? NOTOK : made, s, so, 0, 0, pair_r(e, M, hd),
        0);
    if (codes) {
        uint64_t oc = p[SLX_ATTENTION_spm_oc], ocs = p[SLX_ATTENTION_spm_ocs];
        if (hd % 32) e->ok = false;
        e_quant(e, 0, oc, ocs, so, 0, pair_r(e, M, hd), 0, made);
        if (gather) {
            e_gat(e, IMM(p[SLX_ATTENTION_spm_goc]), IMM(oc), own, REG(ROWS), WAIT(TK_VNET));
            e_gat(e, IMM(p[SLX_ATTENTION_spm_gocs]), IMM(ocs), own / 32, REG(ROWS), POST(TK_MET));
            oc = p[SLX_ATTENTION_spm_goc], ocs = p[SLX_ATTENTION_spm_gocs];
        }
        row_addr(e, T0, ROW0, p[SLX_ATTENTION_out_codes], row);
        e_mulc(e, T1, KVHEAD, part);
        e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(T1));
        e_st(e, REG(T0), IMM(oc), IMM(part), REG(ROWS), part, row, met);
        row_addr(e, T0, ROW0, p[SLX_ATTENTION_out_scales], row / 32);
        e_mulc(e, T1, KVHEAD, part / 32);
        e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(T1));
        e_st(e, REG(T0), IMM(ocs), IMM(part / 32), REG(ROWS), part / 32, row / 32, POST(TK_ROUND));
    } else {
        uint64_t from = p[SLX_ATTENTION_spm_os];
        if (gather) {
            from = p[SLX_ATTENTION_spm_goc];
            e_gat(e, IMM(from), so, 4 * own, REG(ROWS), WAITPOST(TK_VNET, TK_MET));
        }
        row_addr(e, T0, ROW0, p[SLX_ATTENTION_out], 4 * row);
        e_mulc(e, T1, KVHEAD, 4 * part);
        e_alu(e, SLX_ALUFN_add, T0, REG(T0), REG(T1));
        e_st(e, REG(T0), IMM(from), IMM(4 * part), REG(ROWS), 4 * part, 4 * row,
             tok(gather ? TK_MET : TK_OUT, 0, TK_ROUND, 0));
    }
    e_loop_end(e, items);
}
