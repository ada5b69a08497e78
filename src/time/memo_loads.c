/* memo_loads.c - what every tile of a short step loads of weights while others are still at attention: seen in steps
 * that are simulated with every tile.
 *
 * Some loads come as soon as the queue is through with the tile's pages, others wait until its attention has ended:
 * those that a tile with items never began before. */
#include "time/memo_int.h"
#include "time/time_int.h"

#include <stdlib.h>

typedef slx_memo_watch watch;
typedef slx_memo_watched_load load;

/* Loads that a tile with items begins before it is through with them. early: [n_insns]. */
static void find_early(const watch *w, bool *early)
{
    const load *all = (const load *)(const void *)w->loads.ptr;
    for (size_t i = 0; i < w->loads.len / sizeof *all; i++) {
        const load *l = all + i;
        if (l->pc > w->behind && l->start < w->tile[l->tile].items_end) early[l->pc] = true;
    }
}

/* Bytes of loads i and before it, of the same tile and of pages or of others, that are under way when i begins. */
static double under_way(const watch *w, const slx_memo_attention *k, size_t i)
{
    enum { BACK = 4096 }; /* records of all tiles */
    const load *all = (const load *)(const void *)w->loads.ptr, *l = all + i;
    double page = k->page_bytes / k->layers, sum = 0;
    bool is_page = l->pc <= w->behind;
    for (size_t j = i + 1; j-- > 0 && i - j < BACK;) {
        const load *o = all + j;
        if (o->tile != l->tile || (o->pc <= w->behind) != is_page || o->finish <= l->start) continue;
        if (!is_page || (double)o->bytes > page / 2) sum += (double)o->bytes;
    }
    return sum;
}

/* Each tile's loads of one step, where they are more than those of the step before. */
static void add_up(const watch *w, slx_memo_attention *k, const slx_tm_mem *mem, const bool *early)
{
    const load *all = (const load *)(const void *)w->loads.ptr;
    slx_memo_weights *sum = slx_xcalloc(k->tiles, sizeof *sum);
    double *link = slx_xcalloc(k->tiles, sizeof *link);
    for (size_t i = 0; i < w->loads.len / sizeof *all; i++) {
        const load *l = all + i;
        if (l->pc <= w->behind) {
            double pages = l->start >= w->begin ? under_way(w, k, i) * k->layers / k->page_bytes : 0;
            if (pages > k->page_window) k->page_window = pages;
        }
        if (l->pc <= w->behind || l->start >= w->end) continue;
        slx_memo_weights *to = &sum[l->tile];
        double ticks = (double)l->bytes * mem->link_ticks, at = (double)l->start * SLX_TM_TICKS;
        for (int c = 2; c < 4; c++) {
            const slx_tm_cut *cut = &mem->cut[c];
            if (!cut->share || cut->share[l->tile] <= 0) continue;
            double share = cut->share[l->tile], passes = l->stack == SLX_TIME_STACKS ? share : cut->from[l->stack];
            to->lane_bytes += (double)l->bytes * passes / share;
        }
        to->bytes += (double)l->bytes;
        double window = under_way(w, k, i);
        if (window > to->window_bytes) to->window_bytes = window;
        if (!early[l->pc]) {
            to->gated_s += ticks;
            continue;
        }
        link[l->tile] = (link[l->tile] > at ? link[l->tile] : at) + ticks;
        if (link[l->tile] - at > to->queued_s) to->queued_s = link[l->tile] - at;
        to->link_s += ticks;
    }
    double tick_s = k->tick_s * k->layers;
    for (uint32_t t = 0; t < k->tiles; t++) {
        if (sum[t].bytes <= k->weights[t].bytes) continue;
        k->weights[t] = sum[t];
        k->weights[t].link_s *= tick_s, k->weights[t].gated_s *= tick_s, k->weights[t].queued_s *= tick_s;
    }
    free(sum);
    free(link);
}

/* As many sequences as a short step has, the first half of them long or the other. */
static slx_status look(slx_memo_lab *lab, slx_memo_attention *k, const slx_tm_mem *mem, bool first, bool *early,
                       slx_err *err)
{
    enum { PAGES = 48 };
    const slx_program_info *in = &lab->p->info;
    uint32_t n = least(least(in->desc.max_seqs, in->desc.max_pages), lab->short_rows), half = (n + 1) / 2;
    uint32_t pages = least(PAGES, least((in->desc.max_pages - (n - half)) / half, in->max_context / SLX_MAX_CHUNK));
    slx_memo_seq *seq = slx_xcalloc(n, sizeof *seq);
    for (uint32_t i = 0; i < n; i++)
        seq[i] = (slx_memo_seq){
            .rows = 1, .samples = 1, .before = (i < half) == first && pages ? pages * SLX_MAX_CHUNK - 1 : 0};
    watch w;
    slx_status st = slx_memo_watch_run(&w, lab, seq, n, false, err);
    if (st == SLX_OK) {
        find_early(&w, early);
        add_up(&w, k, mem, early);
        for (uint32_t t = 0; t < k->tiles; t++) { /* of a long item: how far ahead of its end */
            const slx_memo_watched *o = &w.tile[t];
            double ahead_clk = (double)(o->items_end - o->last_load);
            if (o->pages >= pages && o->items_end) k->lead_s = ahead_clk * SLX_TM_TICKS * k->tick_s * k->layers;
        }
        slx_memo_watch_items(&w, k, true, seq, n);
        slx_memo_watch_free(&w);
    }
    free(seq);
    return st;
}

slx_status slx_memo_loads_measure(slx_memo_lab *lab, slx_memo_attention *k, slx_err *err)
{
    slx_tm_mem mem;
    SLX_TRY(slx_tm_mem_init(&mem, lab->c, k->tiles, err));
    bool *early = slx_xcalloc(lab->p->n_insns + (size_t)1, sizeof *early);
    slx_status st = SLX_OK;
    for (int first = 0; first < 2 && st == SLX_OK; first++) st = look(lab, k, &mem, first, early, err);
    free(early);
    slx_tm_mem_deinit(&mem);
    return st;
}
