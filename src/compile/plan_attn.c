/* plan_attn.c - attention items of the host's making (isa/step_share.h): what one takes of a tile, about, by the
 * formulas of docs/timing.md for the instructions of tmpl_attn.c and tmpl_merge.c, one after another, no queues; how
 * finely items may be split, and where merges of their parts have their areas.
 */
#include "compile/plan_map.h"

#include <math.h>

/* Shortest items that the host may split: more than two groups. Below, a step gains little, and the table of steps
 * (time/memo.h) follows lengths that are split here and whole there less well. */
enum { LEAST_CHUNKS = 2 * SLX_GROUP_CHUNKS + 1 };

static double up_div(double a, double b)
{
    return ceil(a / b);
}

/* MM of m rows, n columns, blocks of 32, then AOUT of what it made. */
static double product_clk(const slx_chip *c, double m, double n, double blocks)
{
    double rate = slx_chip_ten_rate(c, SLX_FMT_mxint8), passes = up_div(m, c->ten.m);
    double pass = blocks * 32 / c->ten.k / (rate > 0 ? rate : 1) + c->ten.cg_cycles;
    double mm = passes * up_div(n, c->ten.n) * pass;
    double lanes = c->ten.out_lanes ? c->ten.out_lanes : c->ten.n;
    return c->ten.c0_cycles + mm + fmax(0, c->ten.swap_cycles - passes) + c->ten.c1_cycles + up_div(m * n, lanes);
}

/* Clocks of the engines for one chunk of an item of so many rows: scores, softmax, quantised, times V. They wait for
 * one another, but the merge runs beside the next chunk's scores. */
static double chunk_clk(const slx_plan *p, double rows)
{
    const slx_chip *c = p->chip;
    double m = rows * p->group, n = m * SLX_MAX_CHUNK, lanes = c->vec.lanes;
    double softmax = c->vec.smx_per_clk > 0 ? up_div(n, c->vec.smx_per_clk) : 11 * up_div(n, lanes);
    double quantise = 4 * up_div(n, lanes);
    return product_clk(c, m, SLX_MAX_CHUNK, p->hdp / 32.0) + 2 * c->vec.c2_cycles + softmax + quantise +
           product_clk(c, m, p->model->hp.head_dim, SLX_MAX_CHUNK / 32.0);
}

/* Clocks of a state of so many rows: through the link, or merged. */
static double state_clk(const slx_plan *p, double rows)
{
    const slx_chip *c = p->chip;
    double m = rows * p->group, cells = m * p->model->hp.head_dim;
    double merge = c->vec.c2_cycles + 2 * up_div(cells, c->vec.lanes) + 22 * up_div(m, c->vec.lanes) + 1;
    return fmax(merge, 4 * cells / c->noc.link_bytes_clk);
}

static uint32_t picoseconds(const slx_plan *p, double clk)
{
    double ps = ceil(clk * 1e3 / p->chip->grid.clock_ghz);
    return ps < 0 ? 0 : ps < UINT32_MAX ? (uint32_t)ps : UINT32_MAX;
}

/* Buffers of states for steps of both kinds: the most that fit, up to 8; 0: none. */
static uint32_t merge_buffers(slx_plan *p)
{
    uint64_t at = p->ring + (uint64_t)p->slot * p->slots;
    for (uint32_t n = 8; n; n /= 2)
        if (slx_spm_map_merge(p, &p->merge, at, p->attn.item_rows, n) <= p->spm_bytes &&
            (!p->brief.rows || slx_spm_map_merge_short(p, &p->brief.merge, &p->brief.attn, n)))
            return n;
    return 0;
}

/* Parts: enough for a few on every tile. States: 64 rows a tile, but no more than one step has, all chunks of the
 * pool's pages or groups of them for all rows, and no more than a 64th of the memory holds. */
void slx_plan_attn_split(slx_plan *p)
{
    uint64_t rows = p->opt.max_rows > SLX_GROUP_CHUNKS ? p->opt.max_rows / SLX_GROUP_CHUNKS : 1;
    uint64_t pool = (uint64_t)p->opt.max_pages * p->kv_heads * rows, states = 64ull * p->tiles;
    double memory = slx_chip_get_peaks(p->chip).hbm_bytes / 64 / (p->group * (4.0 * p->model->hp.head_dim + 8));
    if (memory < (double)states) states = (uint64_t)memory;
    p->merge_buffers = p->tiles > 1 && p->max_chunks > 1 && states ? merge_buffers(p) : 0;
    if (!p->merge_buffers) return;
    p->desc.max_merges = p->desc.max_items < 2 * p->tiles ? p->desc.max_items : 2 * p->tiles;
    p->desc.max_states = (uint32_t)(states < pool ? states : pool);
    p->desc.max_items += 2 * p->tiles;
}

/* Of a layer, what a short step loads while attention is under way (emit.c, short_layer). */
static double weights_beside(const slx_plan *p)
{
    const slx_mat_plan *o = &p->mat[SLX_MAT_O], *up_ = &p->mat[SLX_MAT_UP];
    if (!p->brief.resident) return 0;
    return (double)o->slices * (double)o->slice_bytes + (double)up_->slices * (double)up_->slice_bytes;
}

void slx_plan_attn_times(const slx_plan *p, slx_program_info *out)
{
    const slx_chip *c = p->chip;
    double one = chunk_clk(p, 1), most = p->attn.item_rows;
    double row = most > 1 ? (chunk_clk(p, most) - one) / (most - 1) : 0;
    double latency_clk = c->tile.dma_cycles + (c->hbm.trcd_ns + c->hbm.latency_ns) * c->grid.clock_ghz;
    double cells = (double)p->group * p->model->hp.head_dim;
    double final_clk = 2 * c->vec.c2_cycles + (c->vec.div_cycles + 3) * up_div(cells, c->vec.lanes);
    double bytes_clk = slx_chip_get_peaks(c).hbm_bytes_s / (c->grid.clock_ghz * 1e9);
    double mesh_clk = 4.0 * (c->grid.x < c->grid.y ? c->grid.x : c->grid.y) * c->noc.link_bytes_clk;
    double page = (2.0 * SLX_MAX_CHUNK + 8) * p->hdp;
    /* the item, its queries, its first page; the last chunk behind its page; a division, quantising, the store */
    out->attn_item_ps = picoseconds(p, 4 * latency_clk + one + final_clk);
    out->attn_page_ps = picoseconds(p, page / c->noc.link_bytes_clk);
    out->attn_row_base_ps = picoseconds(p, one - row);
    out->attn_row_ps = picoseconds(p, row);
    out->attn_shared_page_ps = picoseconds(p, page / (p->tiles > 1 ? fmin(bytes_clk, mesh_clk) : bytes_clk));
    /* the stores before the barrier, the barrier, the first load behind it, the same end */
    out->attn_merge_ps = picoseconds(p, 4 * latency_clk + (c->grid.x + c->grid.y) * c->noc.hop_clk + final_clk);
    double state = state_clk(p, 1), state_row = most > 1 ? (state_clk(p, most) - state) / (most - 1) : state;
    out->attn_state_ps = picoseconds(p, state - state_row);
    out->attn_state_row_ps = picoseconds(p, state_row);
    out->attn_beside_ps = picoseconds(p, weights_beside(p) / bytes_clk);
    out->short_rows = p->brief.rows;
    out->attn_split_chunks = LEAST_CHUNKS;
}
