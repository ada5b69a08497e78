/* memo_alone.c - what the law of attention (memo_attention.c) needs of the program itself: an item alone, a page of it,
 * and how many rows one page takes before they wait for one another. Each is the difference of two simulated steps. */
#include "time/memo_int.h"

#include <math.h>
#include <stdlib.h>

/* One sequence of so many rows behind many pages and behind half of them: what a page adds. Others of one page beside
 * it make the step long, and keep the items of the one on neighbouring tiles, which share no lane, each a tile to
 * itself; with many pages the others, and the weights that are loaded meanwhile, have long ended. */
static slx_status measure_size(slx_memo *m, uint32_t short_rows, bool small, uint32_t rows, slx_memo_alone *out,
                               bool *told, uint32_t *simulated, slx_err *err)
{
    enum { PAGES = 64 };
    const slx_program_info *in = slx_memo_info(m);
    uint32_t room = small ? short_rows - rows : in->desc.max_rows - least(rows, in->desc.max_rows);
    uint32_t least_rows = !small && rows <= short_rows ? short_rows + 1 - rows : 0;
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
    for (uint32_t i = 1; i <= others; i++) seq[i].rows = i * beside / others - (i - 1) * beside / others;
    seq[0] = (slx_memo_seq){.rows = rows, .before = few * SLX_MAX_CHUNK};
    slx_status st = slx_memo_simulate(m, seq, others + 1, &a, err);
    seq[0].before = more * SLX_MAX_CHUNK;
    if (st == SLX_OK) st = slx_memo_simulate(m, seq, others + 1, &b, err);
    free(seq);
    if (st != SLX_OK) return st;
    *simulated += 2;
    out->page_s = fmax(0, (b.seconds - a.seconds) / (more - few));
    out->item_s = fmax(0, a.attention_s - (few + first) * out->page_s);
    out->page_j = fmax(0, (b.joules - a.joules) / ((more - few) * (double)in->n_kv_heads));
    return SLX_OK;
}

/* As many rows of one page, and spread over pages: what they wait for one another. */
static slx_status measure_append(slx_memo *m, slx_memo_attention *k, uint32_t short_rows, uint32_t *simulated,
                                 slx_err *err)
{
    enum { EACH = 16 };
    const slx_program_info *in = slx_memo_info(m);
    uint32_t n = least(least(in->desc.max_seqs, in->desc.max_pages), SLX_MAX_CHUNK / EACH), rows = n * EACH;
    if (rows <= short_rows || rows > in->desc.max_rows || rows > in->max_context || n < 2) return SLX_OK;
    slx_memo_seq one = {.rows = rows}, many[SLX_MAX_CHUNK / EACH];
    slx_memo_parts a = {0}, b = {0};
    for (uint32_t i = 0; i < n; i++) many[i] = (slx_memo_seq){.rows = EACH};
    SLX_TRY(slx_memo_simulate(m, &one, 1, &a, err));
    SLX_TRY(slx_memo_simulate(m, many, n, &b, err));
    *simulated += 2;
    double wait = fmax(0, a.seconds - a.attention_s - b.seconds + b.attention_s);
    k->append_free = fmax(EACH, rows - wait / k->append_row_s);
    return SLX_OK;
}

slx_status slx_memo_alone_measure(slx_memo *m, slx_memo_attention *k, uint32_t short_rows, bool small,
                                  uint32_t *simulated, slx_err *err)
{
    for (uint32_t i = 0; i < k->sizes; i++) {
        uint32_t rows = slx_memo_attention_rows(k, i);
        slx_memo_alone *to = &k->alone[small][i];
        bool told = rows <= slx_memo_info(m)->desc.max_rows && (!small || rows <= short_rows);
        if (told) SLX_TRY(measure_size(m, short_rows, small, rows, to, &told, simulated, err));
        if (!told && i) *to = to[-1];
        if (small) to->item_s = k->alone[0][i].item_s; /* there the loads of weights hide it */
    }
    return small ? SLX_OK : measure_append(m, k, short_rows, simulated, err);
}
