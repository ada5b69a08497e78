/* kernel.c - the time of one kernel of a pass on a chip that runs a vendor's library: time/lib.h's questions. */
#include "predict/predict_int.h"

#include "time/lib.h"

#include <string.h>

slx_lib_dtype slx_kernel_dtype(const char *name)
{
    slx_lib_dtype d = SLX_LIB_BF16;
    if (!slx_lib_dtype_parse(name, &d)) SLX_BUG("dtype %s was not checked", name);
    return d;
}

/* Chips of few large units pad rows to the tile that fills a unit, where nobody measured them: a product of fewer rows
 * that took longer than one of more would say that they do not. */
static const double few_units = 32;

static slx_status padded(const slx_chip *c, slx_lib_gemm_query q, slx_lib_time *t, slx_err *err)
{
    SLX_TRY(slx_lib_gemm(c, &q, t, err));
    for (int i = 0; i < 8 && !t->measured && c->lib.fig.units <= few_units; i++) {
        slx_lib_time more;
        q.m *= 2;
        SLX_TRY(slx_lib_gemm(c, &q, &more, err));
        if (more.seconds >= t->seconds) continue;
        more.flops = t->flops, more.bytes = t->bytes;
        *t = more;
    }
    return SLX_OK;
}

/* `groups` products in one launch: their tiles share the chip as those of one product with as many columns would, and
 * each has rows of its own to read. Some frameworks keep weights wider than they multiply them. */
static slx_status gemm(const slx_chip *c, const slx_kernel *k, slx_lib_time *t, slx_err *err)
{
    slx_lib_gemm_query q = {
        .m = k->m, .n = (uint64_t)ceil(k->n * k->groups), .k = k->k, .dtype = slx_kernel_dtype(k->dtype),
        .quantised = k->quantised};
    SLX_TRY(padded(c, q, t, err));
    const slx_lib *l = &c->lib;
    slx_lib_format f = t->widened ? SLX_LIB_WO : slx_lib_dtype_format(q.dtype);
    double wide = k->weights ? l->n.facts.weight_bytes - slx_lib_weight_bytes(q.dtype) : 0,
           more = 0;
    if (k->groups > 1) more += (k->groups - 1) * k->m * (double)k->k * slx_lib_act_bytes(q.dtype);
    if (wide > 0) more += wide * (double)q.n * k->k;
    if (more <= 0) return SLX_OK;
    t->bytes += more;
    double least =
        t->bytes / (l->fig.mem_tbs * 1e12 * l->n.gemm[f].e_hbm) + l->n.gemm[f].t0_us * 1e-6;
    if (least > t->seconds) {
        t->low_s *= least / t->seconds, t->high_s *= least / t->seconds;
        t->seconds = least, t->bound_by = "memory";
    }
    return SLX_OK;
}

static slx_status attention(const slx_chip *c, const slx_kernel *k, slx_lib_time *t, slx_err *err)
{
    slx_lib_attention_query q = {.decode = k->decode,
                                 .batch = k->batch,
                                 .q_heads = k->q_heads,
                                 .kv_heads = k->kv_heads,
                                 .head_dim = k->head_dim,
                                 .q_len = k->q_len,
                                 .context = k->context,
                                 .dtype = SLX_LIB_BF16,
                                 .kv_dtype = slx_kernel_dtype(k->kv_dtype)};
    return slx_lib_attention(c, &q, t, err);
}

/* What is done row by row or value by value between products: launch, the row that the slowest unit passes over, and
 * the memory at the share that such a kernel reaches, or the cache:
 *   t0 [+ norm] + lat cols/1024 [not for sums] + bytes/e ((1 - hit)/B + hit/l2),  hit = 1/(1 + (bytes / kept)^4)  */
static slx_status rows(const slx_chip *c, const slx_kernel *k, slx_lib_time *t, slx_err *err)
{
    const slx_lib *l = &c->lib;
    bool sum = !strcmp(k->name, "add") || !strcmp(k->name, "combine");
    bool over_row =
        !strcmp(k->name, "norm") || !strcmp(k->name, "qk_norm") || !strcmp(k->name, "softmax");
    double e = over_row                  ? l->n.rows.e_norm
               : !strcmp(k->name, "act") ? l->n.rows.e_act
               : sum                     ? l->n.rows.e_add
                                         : l->n.rows.e_rope;
    slx_lib_op_query q = {.op = !strcmp(k->name, "softmax") ? SLX_LIB_SOFTMAX
                                : over_row                  ? SLX_LIB_LAYERNORM
                                : !strcmp(k->name, "act")   ? SLX_LIB_GELU
                                                            : SLX_LIB_ELEMENTWISE,
                          .rows = k->rows,
                          .cols = k->cols,
                          .reads = k->reads,
                          .writes = k->writes,
                          .dtype = SLX_LIB_BF16};
    SLX_TRY(slx_lib_op(c, &q, t, err));
    if (k->alone || !(l->n.rows.t0_us > 0)) return SLX_OK;
    double kept = l->n.rows.c_res * l->fig.cache_mib * 1048576,
           x = kept > 0 ? t->bytes / kept : INFINITY;
    double hit = 1 / (1 + x * x * x * x), hbm = l->fig.mem_tbs * 1e6, l2 = l->n.rows.l2_tbs * 1e6;
    /* A norm that adds what came before, too: the sum's bytes at the rate of sums. */
    double added = over_row ? fmax(0, k->reads + k->writes - 2) / (k->reads + k->writes) : 0;
    double moved = t->bytes * ((1 - added) / e + added / l->n.rows.e_add);
    double us = l->n.rows.t0_us + (over_row ? l->n.rows.norm_us : 0) + (sum ? 0 : l->n.rows.lat_us * k->cols / 1024) +
                moved * ((1 - hit) / hbm + hit / fmax(l2, hbm));
    t->seconds = us * 1e-6;
    t->low_s = t->seconds * l->n.rows.band_low, t->high_s = t->seconds * l->n.rows.band_high;
    return SLX_OK;
}

/* A framework's own all-reduce where it is the faster one: it is made for small buffers. */
static slx_status in_a_node(const slx_chip *c, slx_lib_collective_query q, slx_lib_time *t,
                            slx_err *err)
{
    SLX_TRY(slx_lib_collective(c, &q, t, err));
    if (q.op != SLX_LIB_ALL_REDUCE) return SLX_OK;
    slx_lib_time own;
    q.impl = SLX_LIB_GRAPH;
    SLX_TRY(slx_lib_collective(c, &q, &own, err));
    if (own.seconds < t->seconds) *t = own;
    return SLX_OK;
}

/* Chips beyond the domain of fast links sit in other nodes: an all-reduce is one in each node, a ring over the nodes of
 * what each chip then holds, and a gather; others send what is outside. The network is not told: 200 Gb/s a chip and
 * 15 us a message are assumed. Sixteen A100 in two nodes (the network rows of data/measured/vidur's source) take 0.7
 * times this for 2 KiB and 7 times for 49 MB: their eight chips shared some 100 Gb/s. */
static const double net_step_s = 15e-6, net_low = 0.5, net_high = 7;

static slx_status collective(const slx_chip *c, const slx_kernel *k, slx_lib_time *t, slx_err *err)
{
    slx_lib_collective_query q = {.op = !strcmp(k->op, "all_reduce")       ? SLX_LIB_ALL_REDUCE
                                        : !strcmp(k->op, "send_recv")      ? SLX_LIB_SEND_RECV
                                        : !strcmp(k->op, "all_to_all")     ? SLX_LIB_ALL_TO_ALL
                                        : !strcmp(k->op, "reduce_scatter") ? SLX_LIB_REDUCE_SCATTER
                                                                           : SLX_LIB_ALL_GATHER,
                                  .impl = SLX_LIB_NCCL,
                                  .n_chips = k->chips,
                                  .bytes = k->bytes};
    double domain = slx_chip_domain(c), nodes = ceil(k->chips / domain);
    if (!(nodes > 1)) return in_a_node(c, q, t, err);
    q.n_chips = (uint32_t)ceil(k->chips / nodes);
    if (q.n_chips > 1)
        SLX_TRY(in_a_node(c, q, t, err));
    else
        *t = (slx_lib_time){.bytes = k->bytes};
    double ways = q.op == SLX_LIB_ALL_REDUCE ? 2 : 1;
    double whole = q.op == SLX_LIB_ALL_TO_ALL ? k->bytes : k->bytes / q.n_chips; /* each sends a buffer of its own */
    double sent = ways * (nodes - 1) / nodes * whole;
    double more = sent / slx_network_bytes_s + ways * (nodes - 1) * net_step_s;
    t->seconds += more, t->low_s += net_low * more, t->high_s += net_high * more;
    t->bound_by = "link";
    return SLX_OK;
}

slx_status slx_kernel_time(const slx_chip *c, const slx_kernel *k, slx_lib_time *out, slx_err *err)
{
    switch (k->kind) {
    case SLX_KERNEL_GEMM: return gemm(c, k, out, err);
    case SLX_KERNEL_ATTENTION: return attention(c, k, out, err);
    case SLX_KERNEL_ROWS: return rows(c, k, out, err);
    case SLX_KERNEL_COLLECTIVE: return collective(c, k, out, err);
    }
    SLX_BUG("kernel of kind %d", (int)k->kind);
}
