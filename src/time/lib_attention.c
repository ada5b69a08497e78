/* lib_attention.c - core attention of a vendor's library.
 *
 * Decode splits the context over units (s) and takes the best split; keys come in blocks of 128:
 *
 *   R    = ceil(q_heads/kv_heads / 64)    ctas = batch kv_heads R s     nb = ceil(context/128/s)
 *   per  = max(keys and values / unit_gbs, nb blk, 8-bit: their number / q_geps)
 *   comp = ceil(ctas/U) (cta + per)       hit = 1/(1 + (KV/(c_res cache))^6)
 *   hbm  = (KV (1-hit) + q + out) / min(B e_hbm, min(ctas,U) unit_gbs) + KV hit / l2_tbs
 *   T    = t0 + (comp^2.5 + hbm^2.5)^0.4 + [s > 1] (comb + s split + partial results)
 *             + [batch <= graph_batch] batch q_heads row
 *
 * Prefill works through tiles of prefill_rows queries; the causal mask leaves a tile the keys before it:
 *
 *   nq = ceil(rows/TQ)    blk = average blocks of TK keys of a tile    longest = blocks of the last
 *   b    = 4 TQ TK hd / (F e_mac / U) + TQ TK / exp_geps                    a block, 8-bit keys: times q8
 *   comp = one wave: longest b, else max(longest, ctas blk / U + tail blk) b;  + ceil(ctas/U) cta;  >= FLOPs/(F f_thr)
 *   T    = t0 + (comp^p + io^p)^(1/p) + new keys and values / kv_tbs
 */
#include "time/lib_int.h"

typedef struct {
    const slx_lib *l;
    double batch, qh, kvh, hd, n, context, kv_bytes;
    bool kv8;
} job;

static job start(const slx_chip *c, const slx_lib_attention_query *q)
{
    job j = {.l = &c->lib,
             .batch = (double)q->batch,
             .qh = (double)q->q_heads,
             .kvh = (double)q->kv_heads,
             .hd = (double)q->head_dim,
             .n = (double)q->q_len,
             .context = (double)q->context,
             .kv8 = slx_lib_act_bytes(q->kv_dtype) <= 1};
    j.kv_bytes = j.kv8 ? 1 : 2;
    return j;
}

/* ------------------------------------------------------------------ decode */

static const double block_keys = 128, packed_rows = 64;

typedef struct {
    double us, s, comp, hbm, ctas;
} split;

static split try_split(const job *j, double s, double miss, double hits)
{
    const slx_lib *l = j->l;
    double units = l->fig.units,
           ctas = j->batch * j->kvh * slx_ceil_div(j->qh / j->kvh, packed_rows) * s;
    double nb = slx_ceil_div(slx_ceil_div(j->context, block_keys), s),
           keys = fmin(block_keys * nb, j->context);
    double unit = l->n.decode.unit_gbs * slx_per_gbs;
    double per = fmax(2 * keys * j->hd * j->kv_bytes / unit, nb * l->n.decode.blk_us);
    if (j->kv8) per = fmax(per, 2 * keys * j->hd / (l->n.decode.q_geps * slx_per_gbs));
    double hbm = l->fig.mem_tbs * slx_per_tbs * l->n.decode.e_hbm;
    split t = {.s = s, .ctas = ctas};
    t.comp = slx_ceil_div(ctas, units) * (l->n.decode.cta_us + per);
    t.hbm = miss / fmin(hbm, fmin(ctas, units) * unit) + hits / (l->n.decode.l2_tbs * slx_per_tbs);
    t.us = slx_lib_norm(t.comp, t.hbm, 0, 2.5);
    if (s > 1)
        t.us += l->n.decode.comb_us + s * l->n.decode.split_us +
                4 * s * j->batch * j->qh * j->hd / (l->fig.mem_tbs * slx_per_tbs);
    return t;
}

static void decode(const slx_chip *c, const job *j, slx_lib_time *out)
{
    static const double splits[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128};
    const slx_lib *l = j->l;
    double kv = 2 * j->batch * j->kvh * j->hd * j->context * j->kv_bytes,
           io = 4 * j->batch * j->qh * j->hd;
    double cache = l->n.decode.c_res * l->fig.cache_mib * 1048576,
           x = cache > 0 ? kv / cache : INFINITY;
    double hit = 1 / (1 + x * x * x * x * x * x);
    double blocks = slx_ceil_div(j->context, block_keys);
    split best = {.us = INFINITY};
    int n_splits = l->n.facts.one_group > 0 && j->qh == j->kvh ? 1 : 14;
    for (int i = 0; i < n_splits && (i == 0 || splits[i] <= blocks); i++) {
        split t = try_split(j, splits[i], kv * (1 - hit) + io, kv * hit);
        if (t.us < best.us) best = t;
    }
    double us = l->n.decode.t0_us + best.us;
    if (l->n.facts.decode_copy > 0 && j->batch > 1 && j->kvh > 1 && j->qh > j->kvh)
        us += l->n.decode.comb_us;
    if (j->batch <= l->n.facts.graph_batch)
        us += l->n.decode.row_ns * 1e-3 * j->batch * j->qh * j->hd / 128;
    *out = (slx_lib_time){.draw = SLX_LIB_DRAW_DECODE,
                          .kv_heads = j->kvh,
                          .group = j->qh / j->kvh,
                          .keys = j->context,
                          .flops = 4 * j->batch * j->qh * j->hd * j->context,
                          .bytes = kv * (1 - hit) + io,
                          .split = (uint32_t)best.s,
                          .ctas = (uint32_t)fmin(best.ctas, UINT32_MAX),
                          .bound_by = l->n.decode.t0_us > us / 2 ? "launch"
                                      : best.hbm >= best.comp    ? "memory"
                                                                 : "latency"};
    slx_lib_answer(out, c, us, SLX_LIB_OWN_DECODE);
}

/* ------------------------------------------------------------------ prefill */

static void prefill(const slx_chip *c, const job *j, slx_lib_time *out)
{
    const slx_lib *l = j->l;
    bool pack = l->n.facts.pack_prefill > 0;
    double group = pack ? j->qh / j->kvh : 1, rows = j->n * group, past = j->context - j->n;
    double tq = rows <= l->n.facts.small_rows ? l->n.facts.small_rows : l->n.facts.prefill_rows;
    double tk = l->n.facts.prefill_keys, units = l->fig.units,
           f = l->fig.tflops * slx_per_tbs;
    double nq = slx_ceil_div(rows, tq), ctas = nq * j->batch * (pack ? j->kvh : j->qh);
    double blk = fmax(1, (fmin(j->n, tq / group * (nq + 1) / 2) + past) / tk),
           longest = fmax(1, j->context / tk);
    double b = 4 * tq * tk * j->hd / (f * l->n.prefill.e_mac / units) +
               tq * tk / (l->n.prefill.exp_geps * slx_per_gbs);
    if (j->kv8) b *= l->n.prefill.q8;
    double waves = slx_ceil_div(ctas, units);
    double comp = waves <= 1
                      ? longest * b
                      : fmax(longest * b, ctas * blk * b / units + l->n.prefill.tail * blk * b);
    double flops = 4 * j->batch * j->qh * j->hd * j->n * (past + (j->n + 1) / 2);
    double throttle = flops / (f * l->n.prefill.f_thr);
    comp = fmax(comp + waves * l->n.prefill.cta_us, throttle);
    double bytes = 4 * j->batch * j->hd * (j->n * j->qh + j->context * j->kvh);
    double io = bytes / (l->fig.mem_tbs * slx_per_tbs * l->n.prefill.e_hbm);
    double us = l->n.prefill.t0_us + slx_lib_norm(comp, io, 0, l->n.prefill.p) +
                2 * j->batch * j->kvh * j->hd * j->n * (2 + j->kv_bytes) /
                    (l->n.prefill.kv_tbs * slx_per_tbs);
    *out = (slx_lib_time){.draw = SLX_LIB_DRAW_PREFILL,
                          .kv_heads = j->kvh,
                          .group = j->qh / j->kvh,
                          .keys = j->context,
                          .flops = flops,
                          .bytes = bytes,
                          .tile_m = (uint32_t)tq,
                          .tile_n = (uint32_t)tk,
                          .ctas = (uint32_t)fmin(ctas, UINT32_MAX),
                          .bound_by = l->n.prefill.t0_us > us / 2 ? "launch"
                                      : io > comp                 ? "memory"
                                      : comp == throttle          ? "power"
                                                                  : "compute"};
    slx_lib_answer(out, c, us, SLX_LIB_OWN_PREFILL);
}

slx_status slx_lib_attention(const slx_chip *c, const slx_lib_attention_query *q, slx_lib_time *out,
                             slx_err *err)
{
    SLX_TRY(slx_lib_wants_library(c, err));
    SLX_ASSERT(q->batch && q->q_heads && q->kv_heads && q->head_dim && q->q_len &&
               q->context >= q->q_len);
    job j = start(c, q);
    if (q->decode || q->q_len == 1)
        decode(c, &j, out);
    else
        prefill(c, &j, out);
    if (!q->decode) out->draw = SLX_LIB_DRAW_PREFILL; /* of one token, too: its meter saw prompts beside it */
    return SLX_OK;
}
