/* memo_watch.c - attention of one layer of a simulated step, tile by tile, as it went. */
#include "time/memo_int.h"

#include <stdlib.h>

static bool in_attention(const slx_memo_lab *l, uint32_t pc)
{
    for (uint32_t s = 0; s < l->p->n_spans; s++)
        if (l->attends[s] && pc - l->p->spans[s].pc < l->p->spans[s].count) return true;
    return false;
}

static void see(void *arg, const slx_time_event *e)
{
    slx_memo_watch *w = arg;
    slx_memo_watched *t = &w->tile[e->tile];
    if (e->layer != w->layer) return;
    if (in_attention(w->lab, e->pc)) {
        if (e->pc > w->behind) w->behind = e->pc;
        if (e->start < w->begin) w->begin = e->start;
        if (e->finish > w->end) w->end = e->finish;
        if (e->op == SLX_OP_VSMX) {
            if (!t->pages++) t->first_page = e->finish;
            t->last_page = e->finish;
        }
        if (t->pages && e->engine == SLX_ENG_VEC) t->items_end = e->finish;
        if (e->engine == SLX_ENG_LDQ && e->bytes) t->last_load = e->start;
    }
    if (e->engine == SLX_ENG_LDQ && e->bytes) {
        slx_memo_watched_load one = {e->tile, e->pc, e->stack, e->start, e->finish, e->bytes};
        slx_buf_add(&w->loads, &one, sizeof one);
    }
}

slx_status slx_memo_watch_run(slx_memo_watch *w, slx_memo_lab *l, const slx_memo_seq *seq, uint32_t n, bool folded,
                              slx_err *err)
{
    slx_time_result r;
    *w = (slx_memo_watch){.lab = l, .layer = l->p->info.n_layers > 1, .begin = UINT64_MAX};
    w->tile = slx_xcalloc(l->p->info.n_tiles, sizeof *w->tile);
    slx_status st =
        slx_memo_run(l, seq, n, (slx_time_options){.folded = folded, .event = see, .event_arg = w}, &r, err);
    if (st != SLX_OK) {
        slx_memo_watch_free(w);
        return st;
    }
    slx_time_result_free(&r);
    l->points++;
    return SLX_OK;
}

void slx_memo_watch_free(slx_memo_watch *w)
{
    slx_buf_free(&w->loads);
    free(w->tile);
}
