/* memo.c - the table behind memo.h.
 *
 *   a step of R rows in n sequences, S of the rows sampled, whose attention takes a seconds by the law of
 *   memo_attention.c
 *
 *     S = R     between E, V and O (R, a), by the pages      E: R sequences of one row each, all as long
 *                                                            V: their lengths spread evenly
 *                                                            O: one of them long, the others of one page
 *     else      P(R, a) + L(S) - L(1)                        P: one sequence of R rows, one of them sampled
 *                                                            L: one with S of them sampled (both: as few sequences
 *                                                               as their rows' positions allow)
 *
 * The law is asked of a point's own sequences as well; a line (E, V, O or P of one R) is straight between points of
 * neighbouring a and goes on behind the last as between the last two. What pages on a link do to weights that are
 * loaded through it at the same time the law does not know: so the lines differ in the pages of the link that has
 * most. An item and a page alone are measured on the program, of short and of long steps.
 *
 *   R, S      memo_axis.c; straight between its points. For R between them the fine table adds what the shortest step
 *             of R rows (E, P) takes beyond that. A coarse table has no line of evenly spread lengths
 *   lengths   1, 2, 4, 8, .. pages (P: 1, 4, 16, ..); coarse: 1, 4, 16, .. (P: 1, 16, ..); what fits ends them
 *
 * Energy: of events, the same sum, each page's as measured; what goes by time, by the seconds. */
#include "time/memo_table.h"

#include <stdlib.h>

const slx_program_info *slx_memo_info(const slx_memo *m)
{
    return &m->lab.p->info;
}

slx_status slx_memo_open(slx_memo **out, const slx_program *p, const slx_chip *c,
                         const slx_memo_options *opt, slx_err *err)
{
    slx_time_watts w;
    slx_memo_attention law;
    const slx_desc_layout *d = &p->info.desc;
    *out = NULL;
    if (opt && opt->watts)
        w = *opt->watts;
    else
        SLX_TRY(slx_time_get_watts(&w, c, err));
    SLX_TRY(slx_memo_attention_init(&law, p, c, err));
    slx_memo *m = slx_xcalloc(1, sizeof *m);
    *m = (slx_memo){.law = law};
    slx_memo_lab_init(&m->lab, p, c, &w);
    m->axis = (slx_memo_axis){.short_rows = m->lab.short_rows,
                              .tiles = p->info.n_tiles,
                              .heads = p->info.n_kv_heads,
                              .coarse = opt && opt->coarse};
    m->most_decode = least(least(d->max_seqs, d->max_rows), least(d->max_samples, d->max_pages));
    for (int i = 0; i < N_SHAPES; i++)
        m->lines[i] = slx_xcalloc(d->max_rows + (size_t)1, sizeof(slx_memo_line *));
    for (int i = 0; i < 2; i++) m->apart[i] = slx_xcalloc(d->max_rows + (size_t)1, sizeof *m->apart[i]);
    m->samples[0] = slx_xcalloc(2 * (d->max_samples + (size_t)1), sizeof *m->samples[0]);
    m->samples[1] = m->samples[0] + d->max_samples + 1;
    *out = m;
    return SLX_OK;
}

void slx_memo_close(slx_memo *m)
{
    if (!m) return;
    for (int k = 0; k < N_SHAPES; k++) {
        for (uint32_t i = 0; i <= m->lab.p->info.desc.max_rows; i++) free(m->lines[k][i]);
        free(m->lines[k]);
    }
    for (int i = 0; i < 2; i++) free(m->apart[i]);
    free(m->samples[0]);
    slx_memo_attention_deinit(&m->law);
    slx_memo_lab_deinit(&m->lab);
    free(m);
}

uint32_t slx_memo_points(const slx_memo *m)
{
    return m->lab.points;
}

slx_status slx_memo_simulate(slx_memo *m, const slx_memo_seq *seq, uint32_t n, slx_memo_parts *out, slx_err *err)
{
    return slx_memo_try(&m->lab, seq, n, out, err);
}

/* ------------------------------------------------------------------ any step */

typedef struct {
    uint64_t rows, samples, pages, items;
} sums;

static slx_status check(const slx_memo *m, const slx_memo_seq *seq, uint32_t n, sums *s, slx_err *err)
{
    const slx_program_info *in = &m->lab.p->info;
    const slx_desc_layout *d = &in->desc;
    *s = (sums){0};
    for (uint32_t i = 0; i < n; i++) {
        uint64_t end = (uint64_t)seq[i].rows + seq[i].before;
        if (!seq[i].rows || seq[i].samples > seq[i].rows || end > in->max_context)
            return slx_fail(err, SLX_EINPUT, in->model_name, 0, 0,
                            "sequence %u: found %u rows, %u of them sampled, behind %u tokens; expected at "
                            "least one row, no more samples than rows, and %u tokens at most",
                            i, seq[i].rows, seq[i].samples, seq[i].before, in->max_context);
        s->rows += seq[i].rows, s->samples += seq[i].samples, s->pages += slx_memo_pages(end);
        s->items += (uint64_t)slx_memo_pieces(d->item_rows, seq[i].rows) * in->n_kv_heads;
    }
    const struct {
        const char *what;
        uint64_t found;
        uint32_t most;
    } limit[] = {{"sequences", n, d->max_seqs},
                 {"rows", s->rows, d->max_rows},
                 {"sampled rows", s->samples, d->max_samples},
                 {"pages", s->pages, d->max_pages},
                 {"attention items", s->items, d->max_items}};
    for (size_t i = 0; i < sizeof limit / sizeof *limit; i++)
        if (limit[i].found > limit[i].most || !n)
            return slx_fail(err, SLX_EINPUT, in->model_name, 0, 0,
                            "found %llu %s of a step, expected %u to %u", (unsigned long long)limit[i].found,
                            limit[i].what, i < 2, limit[i].most);
    return SLX_OK;
}

slx_status slx_memo_step(slx_memo *m, const slx_memo_seq *seq, uint32_t n, slx_memo_cost *out,
                         slx_err *err)
{
    sums s;
    SLX_TRY(check(m, seq, n, &s, err));
    uint32_t rows = (uint32_t)s.rows;
    bool small = slx_memo_is_short(m, rows), decode = s.rows == s.samples && rows <= m->most_decode;
    slx_memo_parts at;
    SLX_TRY(slx_memo_law_ready(m, small, err));
    slx_memo_load load = slx_memo_attention_of(&m->law, small, seq, n);
    SLX_TRY(slx_memo_rows_at(m, decode, rows, &load, &at, err));
    if (!decode) SLX_TRY(slx_memo_samples_add(m, small, (uint32_t)s.samples, &at, err));
    at.seconds += load.append_s;
    *out = (slx_memo_cost){at.seconds, at.joules + load.joules + at.watts * at.seconds};
    return SLX_OK;
}
