/* memo_share.c - which tile gets which pages of a step: attention shared out by isa/step_share.h, as descriptors are,
 * and what items of several rows take beside those of one. */
#include "time/memo_int.h"

#include <string.h>

/* Of items of so many rows, between the sizes that are known. */
static slx_memo_alone of_rows(const slx_memo_attention *k, bool is_short, uint32_t rows)
{
    const slx_memo_alone *known = k->alone[is_short];
    if (rows <= 1) return known[0];
    uint32_t i = 31u - (uint32_t)__builtin_clz(rows), low = UINT32_C(1) << i;
    if (i + 1 >= k->sizes) return known[k->sizes - 1];
    const slx_memo_alone *a = known + i, *b = a + 1;
    double share = (double)(rows - low) / (slx_memo_attention_rows(k, i + 1) - low);
    return (slx_memo_alone){a->item_s + (b->item_s - a->item_s) * share, a->page_s + (b->page_s - a->page_s) * share,
                            a->page_j + (b->page_j - a->page_j) * share};
}

/* So many items alike, one after another: each has pages, and takes more_s longer than its pages take items of one row;
 * of its seconds stiff_s do not dilate. */
typedef struct {
    uint32_t items;
    double pages, more_s, stiff_s;
} run;

static run run_of(const slx_memo_attention *k, bool is_short, uint32_t items, uint32_t rows, uint32_t pages,
                  slx_memo_load *out)
{
    run r = {.items = items, .pages = pages};
    slx_memo_alone a = of_rows(k, is_short, rows), one = k->alone[is_short][0];
    r.more_s = a.item_s - one.item_s + r.pages * (a.page_s - one.page_s);
    r.stiff_s = a.page_s < k->full_s ? 0 : a.item_s + r.pages * a.page_s;
    out->joules += items * r.pages * a.page_j;
    return r;
}

/* Where tile after tile of the items gets its own. */
typedef struct {
    uint32_t tile, items; /* tiles that have theirs; items so far */
    run all, given;       /* sums of all items so far, and of those tiles' */
} dealer;

static void run_add(run *to, const run *r, double items)
{
    to->more_s += items * r->more_s, to->stiff_s += items * r->stiff_s;
}

static void deal(const slx_memo_attention *k, dealer *d, const run *r)
{
    uint32_t first = d->items, t = d->tile;
    for (d->items += r->items; t < k->tiles && k->bound[t + 1] <= d->items; t++) {
        run to = d->all;
        run_add(&to, r, k->bound[t + 1] - first);
        k->more_s[k->order[t]] = (float)(to.more_s - d->given.more_s);
        k->stiff_s[k->order[t]] = (float)(to.stiff_s - d->given.stiff_s);
        d->given = to;
    }
    d->tile = t;
    run_add(&d->all, r, r->items);
}

/* Items and parts of every tile, and their pages. */
static void bounds(slx_memo_attention *k, const slx_memo_seq *seq, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) k->seq[i] = (slx_share_seq){seq[i].rows, seq[i].before};
    k->cut = slx_share_choose(k->info, k->seq, n);
    k->order = slx_share_out(k->info, &k->cut, k->seq, n, k->bound, k->before) ? k->down : k->across;
    float *restrict page_n = k->page_n, *restrict items_n = k->items_n;
    const uint32_t *before = k->before, *bound = k->bound, *order = k->order;
    if (order == k->across)
        for (uint32_t t = 0, of = k->tiles; t < of; t++) {
            page_n[t] = (float)(int32_t)(before[t + 1] - before[t]);
            items_n[t] = (float)(int32_t)(bound[t + 1] - bound[t]);
        }
    else
        for (uint32_t t = 0, of = k->tiles; t < of; t++) {
            page_n[order[t]] = (float)(before[t + 1] - before[t]);
            items_n[order[t]] = (float)(bound[t + 1] - bound[t]);
        }
}

/* So many heads of a piece: whole, or in parts. */
static void deal_piece(const slx_memo_attention *k, bool is_short, dealer *d, uint32_t heads, const slx_share_piece *p,
                       slx_memo_load *out)
{
    uint32_t part = slx_share_part(k->info, &k->cut, p), rest = p->chunks % part;
    if (part >= p->chunks) {
        run all = run_of(k, is_short, heads, p->rows, p->chunks, out);
        deal(k, d, &all);
        return;
    }
    for (uint32_t i = 0; i < heads; i++) {
        run full = run_of(k, is_short, p->chunks / part, p->rows, part, out);
        deal(k, d, &full);
        if (!rest) continue;
        run last = run_of(k, is_short, 1, p->rows, rest, out);
        deal(k, d, &last);
    }
}

/* Pages of every tile, and its seconds beyond those of items of one row. */
void slx_memo_share_out(slx_memo_attention *k, bool is_short, const slx_memo_seq *seq, uint32_t n, slx_memo_load *out)
{
    uint32_t rows = 0;
    dealer d = {0};
    for (uint32_t i = 0; i < n; i++) rows += seq[i].rows;
    bounds(k, seq, n);
    if (rows == n) { /* a row each */
        memset(k->more_s, 0, 2 * (size_t)k->padded * sizeof *k->more_s);
        out->joules = k->before[k->tiles] * k->alone[is_short][0].page_j;
        return;
    }
    for (const slx_share_seq *s = k->seq; s < k->seq + n; s++) {
        uint32_t pieces = slx_share_pieces(k->info, s->rows);
        for (uint32_t i = 0; i < (pieces > 1 ? k->heads * pieces : 1); i++) { /* head after head, each in pieces */
            slx_share_piece p = slx_share_piece_at(k->info, s, i % pieces);
            deal_piece(k, is_short, &d, pieces > 1 ? 1 : k->heads, &p, out);
        }
    }
}
