/* lib_gemm.c - a GEMM of a vendor's library: the shortest of what it might launch.
 *
 * Numbers that a chip does not multiply (slx_lib_widens) are stored so and widened in the kernel: weights alone are
 * narrow, activations and products have 16 bits. That is what serving engines do: vLLM's Marlin kernels run FP8 weights
 * on Ampere and NVFP4 ones on Ampere to Hopper so.
 *
 * For a tile of tm x tn and k split over s units, with F, B, U the chip's peak, memory rate and units:
 *
 *   kc    = k/s rounded up to step_k     ctas = ceil(m/tm) ceil(n/tn) s          waves = ceil(ctas/U)
 *   unit  = max(2 tm tn kc / (F/U e_mac), operands / unit_gbs, kc/64 step)       one tile
 *   comp  = waves (unit + fill)
 *   hbm   = operands that miss the cache / min(B e_hbm, min(ctas, U) unit_gbs)   few units cannot fill the memory
 *   l2    = (ctas x operands of a tile + result) / l2_tbs
 *   store = result / min(B e_store, min(ctas, U) unit_gbs)                       units end together: nothing hides it
 *   t     = (comp^p + hbm^p + l2^p)^(1/p) + store + [s > 1] (red + 2 s m n 4 bytes / (unit_gbs U))
 *   T     = t0 + (t^8 + (2mnk / (F f_thr))^8)^(1/8)       or with `floor`  ((t0 + t/10)^6 + t^6)^(1/6)
 *
 * Without e_store results are written while other tiles compute: a part of hbm (at e_hbm) and of unit, at unit_gbs, or
 * the whole tile at store_gbs.
 *
 * The least T over all tiles and splits; of a library that goes by m and n, of the tile it takes for these (`choice`).
 * What a replay leaves in the cache: x = working set / (c_res cache), hits = 1/(1 + x^16); weights come in several
 * copies, one a replay. The activations, always the same, may stay where weights do not: a_res in place of c_res.
 * Activations that come in 16 bits add the pass that quantises them; with scales for blocks of 128 x 128 the host's
 * launches are a floor: (T^12 + host^12)^(1/12). Units: see lib_int.h.
 */
#include <string.h>

#include "time/lib_int.h"

typedef struct {
    const slx_lib *lib;
    slx_lib_format f;
    double m, n, k, a_bytes, w_bytes; /* of an element */
    double flop_us, unit_bytes_us, hbm_bytes_us, store_bytes_us, l2_bytes_us; /* store: 0 = with the reads */
    double reads, writes; /* bytes from and to memory */
    double throttle_us;
} job;

typedef struct {
    double us, tm, tn, s, ctas;
    double comp, hbm, l2, mac, wait; /* terms, for bound_by */
} launch;

static const double out_bytes = 2, partial_bytes = 4;

/* How sharply: operands that pass again and again drive each other out all at once when they are too many. */
static const double hit_power = 16;

static double hit(double bytes, double cache)
{
    double x = bytes / cache;
    return cache > 0 ? 1 / (1 + pow(x, hit_power)) : 0;
}

static void cached(job *j)
{
    const slx_lib *l = j->lib;
    double cache = l->fig.cache_mib * 1048576, any = l->n.gemm[j->f].c_res * cache,
           acts = l->n.gemm[j->f].a_res * cache;
    double a = j->m * j->k * j->a_bytes, w = j->n * j->k * j->w_bytes, c = j->m * j->n * out_bytes;
    double kept = hit(a + c + w, any);
    j->reads = w * (1 - hit(a + c + l->n.facts.copies * w, any)) + a * (1 - fmax(kept, hit(a + c + w, acts)));
    j->writes = c * (1 - kept);
}

static job start(const slx_chip *c, const slx_lib_gemm_query *q)
{
    const slx_lib *l = &c->lib;
    bool widened = slx_lib_widens(c, q->dtype);
    slx_lib_format f = widened ? SLX_LIB_WO : slx_lib_dtype_format(q->dtype);
    job j = {.lib = l,
             .f = f,
             .m = (double)q->m,
             .n = (double)q->n,
             .k = (double)q->k,
             .a_bytes = widened ? slx_lib_act_bytes(SLX_LIB_BF16) : slx_lib_act_bytes(q->dtype),
             .w_bytes = slx_lib_weight_bytes(q->dtype)};
    j.flop_us = slx_lib_tflops(c, q->dtype) * slx_per_tbs;
    j.unit_bytes_us = l->n.gemm[f].unit_gbs * slx_per_gbs;
    j.hbm_bytes_us = l->fig.mem_tbs * slx_per_tbs * l->n.gemm[f].e_hbm;
    j.store_bytes_us = l->fig.mem_tbs * slx_per_tbs * l->n.gemm[f].e_store;
    j.l2_bytes_us = l->n.gemm[f].l2_tbs * slx_per_tbs;
    j.throttle_us = 2 * j.m * j.n * j.k / (j.flop_us * l->n.gemm[f].f_thr);
    cached(&j);
    return j;
}

/* What one of s units gets of k, in whole steps. */
static double part_of_k(const job *j, double s)
{
    double step = j->lib->n.tiles[j->f].step_k;
    return step * slx_ceil_div(j->k / s, step);
}

/* One candidate; leaves best alone when it is no better. */
static void try_launch(const job *j, double tm, double tn, double s, launch *best)
{
    const slx_lib *l = j->lib;
    double units = l->fig.units, kc = part_of_k(j, s), rows = fmin(tm, j->m), cols = fmin(tn, j->n);
    double ctas = slx_ceil_div(j->m, tm) * slx_ceil_div(j->n, tn) * s,
           waves = slx_ceil_div(ctas, units);
    double mac = 2 * tm * tn * kc / (j->flop_us / units * l->n.gemm[j->f].e_mac);
    double load = kc * (rows * j->a_bytes + cols * j->w_bytes),
           wait = kc / 64 * l->n.gemm[j->f].step_us;
    double unit = fmax(fmax(mac, wait), load / j->unit_bytes_us);
    launch t = {.tm = tm, .tn = tn, .s = s, .ctas = ctas, .mac = mac, .wait = wait};
    double ask = fmin(ctas, units) * j->unit_bytes_us, store = 0;
    t.comp = waves * (unit + l->n.gemm[j->f].fill_us);
    t.hbm = j->reads / fmin(j->hbm_bytes_us, ask);
    if (j->store_bytes_us > 0) {
        store = j->writes / fmin(j->store_bytes_us, ask);
    } else {
        double unit_store = l->n.gemm[j->f].store_gbs * slx_per_gbs;
        t.comp += unit_store > 0 ? waves * tm * tn * out_bytes / unit_store
                                 : waves * rows * cols * out_bytes / j->unit_bytes_us;
        t.hbm += j->writes / fmin(j->hbm_bytes_us, ask);
    }
    t.l2 = (ctas * load + j->m * j->n * out_bytes) / j->l2_bytes_us;
    double more = store;
    if (s > 1)
        more += l->n.gemm[j->f].red_us +
                2 * s * j->m * j->n * partial_bytes / (j->unit_bytes_us * units);
    if (fmax(t.comp, fmax(t.hbm, t.l2)) + more >= best->us) return;
    t.us = slx_lib_norm(t.comp, t.hbm, t.l2, l->n.gemm[j->f].p) + more;
    if (t.us < best->us) *best = t;
}

/* A tile much larger than the matrix is not launched; nor one whose accumulators do not fit, or odd shapes. */
static bool tile_fits(const job *j, double tm, double tn)
{
    double side = j->lib->n.tiles[j->f].side;
    if (tm * tn > j->lib->n.tiles[j->f].area) return false;
    if (fmod(tm, side) != 0 && fmod(tn, side) != 0 && tm > 32 && tn > 32) return false;
    return (tm < 2 * j->m || tm <= 16) && (tn < 2 * j->n || tn <= 32);
}

static bool split_fits(const job *j, double tm, double tn, double s)
{
    if (s == 1) return true;
    double kc = part_of_k(j, s), ctas = slx_ceil_div(j->m, tm) * slx_ceil_div(j->n, tn) * s;
    return ctas <= 2 * j->lib->fig.units && kc >= 128 && kc * (s - 1) < j->k;
}

static void try_gemv(const job *j, launch *best)
{
    double units = j->lib->fig.units;
    double hbm = (j->reads + j->writes) / fmin(j->hbm_bytes_us, units * j->unit_bytes_us);
    double wait = j->k / 512 * j->lib->n.gemm[j->f].step_us;
    if (hbm + wait >= best->us) return;
    *best = (launch){.us = hbm + wait, .s = 1, .hbm = hbm, .wait = wait};
}

static void try_splits(const job *j, double tm, double tn, launch *best)
{
    static const double splits[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};
    int n = j->lib->n.tiles[j->f].split > 0 ? 10 : 1;
    for (int i = 0; i < n; i++)
        if (split_fits(j, tm, tn, splits[i])) try_launch(j, tm, tn, splits[i], best);
}

static launch fastest(const job *j)
{
    const slx_lib *l = j->lib;
    launch best = {.us = INFINITY};
    for (int i = 0; i < l->tile[j->f].n_choices; i++) {
        slx_lib_choice c = l->tile[j->f].choice[i];
        if (j->m > c.m || j->n > c.n) continue;
        try_splits(j, c.rows, c.cols, &best);
        return best;
    }
    if (j->m == 1 && l->n.facts.gemv > 0) try_gemv(j, &best);
    for (int r = 0; r < l->tile[j->f].n_rows; r++)
        for (int c = 0; c < l->tile[j->f].n_cols; c++) {
            double tm = l->tile[j->f].rows[r], tn = l->tile[j->f].cols[c];
            if (tile_fits(j, tm, tn)) try_splits(j, tm, tn, &best);
        }
    if (isinf(best.us)) /* no tile of the list suits */
        try_launch(j, l->tile[j->f].rows[0], l->tile[j->f].cols[0], 1, &best);
    return best;
}

/* Whether the measured products of that format hold a pass that quantises the activations. */
static bool quantises(const job *j)
{
    return j->f == SLX_LIB_8 || j->f == SLX_LIB_4 || j->f == SLX_LIB_BLOCK;
}

/* The launch of the product. Where the pass that quantises is another kernel's, it is none shorter than that of a
 * product in 16 bits: which part of a measured sum is whose launch cannot be told. */
static double launch_us(const job *j, bool quantised)
{
    const slx_lib *l = j->lib;
    double own = l->n.gemm[j->f].t0_us;
    return quantised && quantises(j) ? fmax(own, fmin(own + l->n.gemm[j->f].q_us, l->n.gemm[SLX_LIB_16].t0_us)) : own;
}

/* The pass that quantises, beside its launch. */
static double quantise_us(const job *j)
{
    const slx_lib *l = j->lib;
    double bytes = l->n.tiles[j->f].q_passes * j->m * j->k;
    return fmax(slx_ceil_div(j->m, l->fig.units) * l->n.gemm[j->f].q_row_us,
                bytes / (l->n.gemm[j->f].q_tbs * slx_per_tbs));
}

/* What the host needs to launch a product with scales for blocks: its kernels are launched one by one, outside a graph.
 * With few rows the operands change places, and fewer kernels are launched; see lib_keys.def for the rest. */
static const double few_rows = 32, aligned_rows = 4, block_k = 128, block_n = 64;

/* How sharply the host's time and the chip's take over from one another. */
static const double host_power = 12;

static double host_launch(const job *j)
{
    const slx_lib *l = j->lib;
    double most = l->n.gemm[j->f].host_us, few = l->n.gemm[j->f].host_few_us;
    bool ragged = fmod(j->k, block_k) > 0 || fmod(j->n, block_n) > 0;
    if (ragged && l->n.gemm[j->f].host_ragged_us > 0) return l->n.gemm[j->f].host_ragged_us;
    if (j->m < few_rows) return few > 0 ? few : most;
    return most + (fmod(j->m, aligned_rows) > 0 ? l->n.gemm[j->f].host_odd_us : 0);
}

static const char *bound_of(const job *j, const launch *b, double start_us, double quantise)
{
    double most = fmax(b->comp, fmax(b->hbm, fmax(b->l2, j->throttle_us)));
    if (start_us > fmax(most, quantise)) return "launch";
    if (quantise > most) return "quantisation";
    if (most == b->hbm) return "memory";
    if (most == b->l2) return "cache";
    if (most == j->throttle_us && most > b->comp) return "power";
    return b->wait > b->mac ? "latency" : "compute";
}

/* A format that nobody says a chip has or lacks may be multiplied at four times the rate of 16 bits, as 4 bits are
 * where there are units for them. */
static const double untold_low = 0.25;

slx_status slx_lib_gemm(const slx_chip *c, const slx_lib_gemm_query *q, slx_lib_time *out,
                        slx_err *err)
{
    SLX_TRY(slx_lib_wants_library(c, err));
    SLX_ASSERT(q->m && q->n && q->k);
    job j = start(c, q);
    launch b = fastest(&j);
    double t0 = launch_us(&j, q->quantised), start_q = 0, work_q = 0, us = b.us;
    if (quantises(&j) && !q->quantised) start_q = c->lib.n.gemm[j.f].q_us, work_q = quantise_us(&j);
    us = slx_lib_norm(us, j.throttle_us, 0, 8);
    if (c->lib.n.facts.floor > 0)
        us = slx_lib_norm(t0 + 0.1 * us, us, 0, 6);
    else
        us += t0;
    *out = (slx_lib_time){.flops = 2 * j.m * j.n * j.k,
                          .bytes = j.reads + j.writes,
                          .bound_by = bound_of(&j, &b, t0 + start_q, work_q),
                          .tile_m = (uint32_t)b.tm,
                          .tile_n = (uint32_t)b.tn,
                          .split = (uint32_t)b.s,
                          .ctas = (uint32_t)fmin(b.ctas, UINT32_MAX)};
    us += start_q + work_q;
    double host = q->quantised ? 0 : host_launch(&j); /* a pass is a graph */
    if (host > us) out->bound_by = "launch";
    if (host > 0) us = slx_lib_norm(us, host, 0, host_power);
    slx_lib_answer(out, c, us, SLX_LIB_OWN_GEMM + (int)j.f);
    out->widened = slx_lib_widens(c, q->dtype);
    if (out->widened && slx_lib_format_untold(c, q->dtype)) out->low_s *= untold_low;
    return SLX_OK;
}
