/* memo_alone.c - what the law of attention (memo_attention.c) needs of the program itself: an item alone, a page of it,
 * an item behind another, and how many rows one page takes before they wait for one another. From simulated steps, as
 * their tiles went (memo_watch.c) or by the difference of two. */
#include "time/memo_int.h"
#include "time/time_int.h"

#include <math.h>
#include <stdlib.h>

/* Clocks of a page; of an item until its first page is done; of what it takes beside its pages. */
typedef struct {
    double page_clk, start_clk, item_clk;
} quickest;

/* Of tiles that have so many pages and more; INFINITY: there is none. */
static quickest quickest_of(const slx_memo_watch *w, uint32_t tiles, uint32_t pages)
{
    quickest q = {INFINITY, INFINITY, INFINITY};
    for (uint32_t t = 0; t < tiles; t++) {
        const slx_memo_watched *o = &w->tile[t];
        if (o->pages < pages || o->pages < 2) continue;
        double each = (double)(o->last_page - o->first_page) / (o->pages - 1);
        q.page_clk = fmin(q.page_clk, each);
        q.start_clk = fmin(q.start_clk, (double)(o->first_page - w->begin));
        q.item_clk = fmin(q.item_clk, (double)(o->items_end - w->begin) - each * o->pages);
    }
    return q;
}

/* One sequence of so many rows behind many pages, and behind half of them. Others of one page beside it make the step
 * long, and leave a tile to each of its items; with many pages the others, and the weights that are loaded meanwhile,
 * have long ended. Of its tiles the one counts that is quickest: it shares no lane. */
static slx_status measure_size(slx_memo_lab *l, slx_memo_attention *k, bool small, uint32_t rows, slx_memo_alone *out,
                               bool *told, slx_err *err)
{
    enum { PAGES = 64 };
    const slx_program_info *in = &l->p->info;
    uint32_t room = small ? l->short_rows - rows : in->desc.max_rows - least(rows, in->desc.max_rows);
    uint32_t least_rows = !small && rows <= l->short_rows ? l->short_rows + 1 - rows : 0;
    uint32_t alone = in->n_tiles / in->n_kv_heads; /* sequences of which each item has a tile to itself */
    uint32_t others = least(least(in->desc.max_seqs, in->desc.max_pages) - 1, room);
    others = least(others, alone > 2 ? alone - 1 : 1);
    uint32_t beside = least_rows > others ? least_rows : others;
    uint32_t fit = least(in->desc.max_pages - others, in->max_context / SLX_MAX_CHUNK), first = slx_memo_pages(rows);
    uint32_t more = fit > first ? least(fit - first, PAGES) : 0, few = more / 2;
    *out = (slx_memo_alone){0};
    *told = more && beside <= room && (!beside || others); /* else no step can tell */
    if (!*told) return SLX_OK;
    slx_memo_seq *seq = slx_xcalloc(others + (size_t)1, sizeof *seq);
    slx_memo_parts a, b;
    slx_memo_watch w;
    for (uint32_t i = 1; i <= others; i++) seq[i].rows = i * beside / others - (i - 1) * beside / others;
    seq[0] = (slx_memo_seq){.rows = rows, .before = few * SLX_MAX_CHUNK};
    slx_status st = slx_memo_try(l, seq, others + 1, &a, err);
    seq[0].before = more * SLX_MAX_CHUNK;
    if (st == SLX_OK) st = slx_memo_try(l, seq, others + 1, &b, err);
    if (st == SLX_OK) st = slx_memo_watch_run(&w, l, seq, others + 1, true, err);
    free(seq);
    if (st != SLX_OK) return st;
    l->points += 2;
    quickest one = quickest_of(&w, in->n_tiles, more + first);
    slx_memo_watch_free(&w);
    *told = one.page_clk < INFINITY;
    if (!*told) return SLX_OK;
    double clk_s = k->tick_s * SLX_TM_TICKS * k->layers;
    if (rows == 1) k->start_s = one.start_clk * clk_s;
    out->page_s = one.page_clk * clk_s;
    out->item_s = fmax(0, one.item_clk * clk_s);
    out->page_j = fmax(0, (b.joules - a.joules) / ((more - few) * (double)in->n_kv_heads));
    return SLX_OK;
}

/* Tiles that have several items of one page each: what an item behind another takes beside its page, and the first of
 * several beyond an only one. */
void slx_memo_watch_items(const slx_memo_watch *w, slx_memo_attention *k, bool small, const slx_memo_seq *seq,
                          uint32_t n)
{
    slx_memo_load unused = {0};
    double clk_s = k->tick_s * SLX_TM_TICKS * k->layers, page_clk = k->alone[small][0].page_s / clk_s;
    double gap = 0, first = 0;
    uint32_t gaps = 0, several = 0;
    slx_memo_share_out(k, small, seq, n, &unused);
    for (uint32_t t = 0; t < k->tiles; t++) {
        const slx_memo_watched *o = &w->tile[t];
        uint32_t items = k->bound[t + 1] - k->bound[t];
        if (items < 2 || o->pages != items) continue;
        gap += (double)(o->last_page - o->first_page), gaps += items - 1;
        first += (double)(o->first_page - w->begin), several++;
    }
    if (!gaps) return;
    k->later_s[small] = fmax(0, gap / gaps - page_clk) * clk_s;
    k->first_s[small] = fmax(0, first / several * clk_s - k->start_s);
}

/* Several items of one page for each tile. */
static slx_status measure_later(slx_memo_lab *l, slx_memo_attention *k, slx_err *err)
{
    enum { ITEMS = 3 };
    const slx_program_info *in = &l->p->info;
    uint32_t n = (ITEMS * in->n_tiles + in->n_kv_heads - 1) / in->n_kv_heads;
    n = least(n, least(in->desc.max_rows, least(in->desc.max_seqs, in->desc.max_pages)));
    if (n <= l->short_rows || 8 * n * in->n_kv_heads < 9 * in->n_tiles) return SLX_OK; /* too few tiles have two */
    slx_memo_seq *seq = slx_xcalloc(n, sizeof *seq);
    for (uint32_t i = 0; i < n; i++) seq[i] = (slx_memo_seq){.rows = 1, .samples = 1};
    slx_memo_watch w;
    slx_status st = slx_memo_watch_run(&w, l, seq, n, true, err);
    if (st == SLX_OK) {
        slx_memo_watch_items(&w, k, false, seq, n);
        slx_memo_watch_free(&w);
    }
    free(seq);
    return st;
}

/* As many rows of one page, and spread over pages: what they wait for one another. */
static slx_status measure_append(slx_memo_lab *l, slx_memo_attention *k, slx_err *err)
{
    enum { EACH = 16 };
    const slx_program_info *in = &l->p->info;
    uint32_t n = least(least(in->desc.max_seqs, in->desc.max_pages), SLX_MAX_CHUNK / EACH), rows = n * EACH;
    if (rows <= l->short_rows || rows > in->desc.max_rows || rows > in->max_context || n < 2) return SLX_OK;
    slx_memo_seq one = {.rows = rows}, many[SLX_MAX_CHUNK / EACH];
    slx_memo_parts a = {0}, b = {0};
    for (uint32_t i = 0; i < n; i++) many[i] = (slx_memo_seq){.rows = EACH};
    SLX_TRY(slx_memo_try(l, &one, 1, &a, err));
    SLX_TRY(slx_memo_try(l, many, n, &b, err));
    l->points += 2;
    double wait = fmax(0, a.seconds - a.attention_s - b.seconds + b.attention_s);
    k->append_free = fmax(EACH, rows - wait / k->append_row_s);
    return SLX_OK;
}

slx_status slx_memo_alone_measure(slx_memo_lab *l, slx_memo_attention *k, bool small, slx_err *err)
{
    for (uint32_t i = 0; i < k->sizes; i++) {
        uint32_t rows = slx_memo_attention_rows(k, i);
        slx_memo_alone *to = &k->alone[small][i];
        bool told = rows <= l->p->info.desc.max_rows && (!small || rows <= l->short_rows);
        if (told) SLX_TRY(measure_size(l, k, small, rows, to, &told, err));
        if (!told && i) *to = to[-1];
        if (small) to->item_s = k->alone[0][i].item_s; /* there the loads of weights hide it */
    }
    k->later_s[small] = k->alone[small][0].item_s;
    if (small) return SLX_OK;
    SLX_TRY(measure_later(l, k, err));
    return measure_append(l, k, err);
}
