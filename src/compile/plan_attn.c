/* plan_attn.c - what an attention item takes of a tile, about: for the host, which shares items out by it
 * (isa/step_share.h). The formulas of docs/timing.md for the instructions of tmpl_attn.c, one after another; no
 * queues. */
#include "compile/plan.h"

#include <math.h>

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

static uint32_t picoseconds(const slx_plan *p, double clk)
{
    double ps = ceil(clk * 1e3 / p->chip->grid.clock_ghz);
    return ps < 0 ? 0 : ps < UINT32_MAX ? (uint32_t)ps : UINT32_MAX;
}

void slx_plan_attn_times(const slx_plan *p, slx_program_info *out)
{
    const slx_chip *c = p->chip;
    double one = chunk_clk(p, 1), most = p->attn.item_rows;
    double row = most > 1 ? (chunk_clk(p, most) - one) / (most - 1) : 0;
    double latency_clk = c->tile.dma_cycles + (c->hbm.trcd_ns + c->hbm.latency_ns) * c->grid.clock_ghz;
    /* the item, then its queries and pages; at the end a division and quantising */
    double cells = (double)p->group * p->model->hp.head_dim;
    double final_clk = 2 * c->vec.c2_cycles + (c->vec.div_cycles + 3) * up_div(cells, c->vec.lanes);
    out->attn_item_ps = picoseconds(p, 2 * latency_clk + final_clk);
    out->attn_page_ps = picoseconds(p, (2.0 * SLX_MAX_CHUNK + 8) * p->hdp / c->noc.link_bytes_clk);
    out->attn_row_base_ps = picoseconds(p, one - row);
    out->attn_row_ps = picoseconds(p, row);
}
