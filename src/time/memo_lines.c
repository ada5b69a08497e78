/* memo_lines.c - the lines of the table: steps of one number of rows, of four shapes, longer and longer; and what lies
 * between them (memo.c). */
#include "time/memo_table.h"

#include <math.h>
#include <stdlib.h>

bool slx_memo_is_short(const slx_memo *m, uint32_t rows)
{
    return rows <= m->axis.short_rows;
}

/* Sequences that a prompt of so many rows is: one, where it fits a context. */
uint32_t slx_memo_prompt_sequences(const slx_memo *m, uint32_t rows)
{
    return (rows + m->lab.p->info.max_context - 1) / m->lab.p->info.max_context;
}

/* Into seq, evenly; the last rows of each are sampled, as many as there are. Returns how many. */
uint32_t slx_memo_prompt(const slx_memo *m, uint32_t rows, uint32_t before, uint32_t samples, slx_memo_seq *seq)
{
    uint32_t n = slx_memo_prompt_sequences(m, rows);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t each = (uint32_t)((i + UINT64_C(1)) * rows / n - (uint64_t)i * rows / n);
        seq[i] = (slx_memo_seq){.rows = each, .before = before, .samples = least(each, samples)};
        samples -= seq[i].samples;
    }
    return n;
}

/* Most rows of a prompt. */
uint32_t slx_memo_most_rows(const slx_memo *m)
{
    uint32_t n = slx_memo_prompt_sequences(m, m->lab.p->info.desc.max_rows), pages = m->lab.p->info.desc.max_pages;
    return least(m->lab.p->info.desc.max_rows, (n > 1 && pages > n ? pages - n : pages) * SLX_MAX_CHUNK);
}

/* The law's measured figures, for long or short steps. */
slx_status slx_memo_law_ready(slx_memo *m, bool small, slx_err *err)
{
    if (m->measured[small]) return SLX_OK;
    if (small) SLX_TRY(slx_memo_law_ready(m, false, err)); /* which it takes some from */
    m->lab.whole = true; /* of whole items */
    m->law.info = &m->lab.without;
    slx_status st = slx_memo_alone_measure(&m->lab, &m->law, small, err);
    if (small && st == SLX_OK) st = slx_memo_loads_measure(&m->lab, &m->law, err);
    m->law.info = &m->lab.p->info;
    m->lab.whole = false;
    if (st != SLX_OK) return st;
    if (small) slx_memo_attention_loads(&m->law);
    m->measured[small] = true;
    return SLX_OK;
}

/* ------------------------------------------------------------------ lines */

static void parts_add(slx_memo_parts *to, const slx_memo_parts *more, double times)
{
    to->seconds += more->seconds * times;
    to->joules += more->joules * times;
    to->watts += more->watts * times;
}

/* Where on the tiles long sequences stand makes a few percent: a fine point of lengths that differ is the mean of two
 * steps. */
static uint32_t turns(const slx_memo *m, slx_memo_shape s, uint32_t rows)
{
    return !m->axis.coarse && (s == EVEN || s == ONE_LONG) && rows > 2 ? 2 : 1;
}

/* Sequences of a point; returns how many. EVEN: lengths at multiples of the golden ratio, which lie evenly in every
 * stretch of the step. The longest is in the middle; turn 1: it is the first, of ONE_LONG with the second as long. */
static uint32_t sequences(const slx_memo *m, slx_memo_shape s, uint32_t rows, uint32_t pages, uint32_t turn,
                          slx_memo_seq *seq)
{
    uint32_t most = (pages - 1) * SLX_MAX_CHUNK, middle = (rows - 1) / 2;
    if (s == PROMPT) return slx_memo_prompt(m, rows, most, 1, seq);
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t from = (i + turn * middle) % rows, before = 0;
        if (s == EVEN && from != middle)
            before = (uint32_t)(most * fmod(from * 0.6180339887, 1));
        else if (s == EQUAL || from == middle || (turn && i == 1))
            before = most;
        seq[i] = (slx_memo_seq){.rows = 1, .before = before, .samples = 1};
    }
    return rows;
}

/* Most pages of a point. */
static uint32_t most_pages(const slx_memo *m, slx_memo_shape s, uint32_t rows)
{
    const slx_program_info *in = &m->lab.p->info;
    uint32_t n = slx_memo_prompt_sequences(m, rows), each = s == PROMPT ? (rows + n - 1) / n : 1;
    uint32_t room = in->desc.max_pages;
    if (s == PROMPT) room /= n;
    if (s == EQUAL || s == EVEN) room /= rows;
    if (s == ONE_LONG) { /* the others have one */
        uint32_t longs = turns(m, s, rows);
        room = (room - (rows - longs)) / longs;
    }
    return 1 + least((in->max_context - each) / SLX_MAX_CHUNK, room - slx_memo_pages(each));
}

slx_status slx_memo_line_get(slx_memo *m, slx_memo_shape s, uint32_t rows, slx_memo_line **out, slx_err *err)
{
    slx_memo_line *l = *out = m->lines[s][rows];
    if (l) return SLX_OK;
    SLX_TRY(slx_memo_law_ready(m, slx_memo_is_short(m, rows), err));
    l = *out = m->lines[s][rows] = slx_xcalloc(1, sizeof *l);
    slx_memo_seq *seq = slx_xcalloc(rows, sizeof *seq);
    uint32_t most = most_pages(m, s, rows), far = m->axis.coarse ? 4 : 2;
    if (s == PROMPT) far *= far;
    for (uint32_t pages = 1; l->n < LENGTHS; pages *= far) {
        slx_memo_point *p = &l->p[l->n++];
        p->pages = least(pages, most);
        for (uint32_t t = 0, of = turns(m, s, rows); t < of; t++) {
            uint32_t n = sequences(m, s, rows, p->pages, t, seq);
            slx_memo_load one = slx_memo_attention_of(&m->law, slx_memo_is_short(m, rows), seq, n);
            p->load.seconds += one.seconds / of, p->load.pages += one.pages / of;
            p->load.joules += one.joules / of, p->load.append_s += one.append_s / of;
        }
        if (p->pages == most) break;
    }
    free(seq);
    return SLX_OK;
}

slx_status slx_memo_point_get(slx_memo *m, slx_memo_shape s, uint32_t rows, slx_memo_point *p, slx_err *err)
{
    if (p->known) return SLX_OK;
    slx_memo_seq *seq = slx_xcalloc(rows, sizeof *seq);
    slx_memo_parts sum = {0}, one;
    uint32_t of = turns(m, s, rows);
    slx_status st = SLX_OK;
    for (uint32_t t = 0; t < of && st == SLX_OK; t++) {
        uint32_t n = sequences(m, s, rows, p->pages, t, seq);
        st = slx_memo_simulate(m, seq, n, &one, err);
        if (st == SLX_OK) parts_add(&sum, &one, 1.0 / of);
    }
    free(seq);
    if (st != SLX_OK) return st;
    sum.joules -= p->load.joules;
    sum.seconds -= p->load.append_s;
    p->is = sum;
    p->known = true;
    m->lab.points += of;
    return SLX_OK;
}

/* The step of a line whose attention takes as long by the law as that of `load`, and the pages it has; rows are a
 * point. */
static slx_status line_at(slx_memo *m, slx_memo_shape s, uint32_t rows, const slx_memo_load *load,
                          slx_memo_parts *out, double *pages, slx_err *err)
{
    slx_memo_line *l;
    SLX_TRY(slx_memo_line_get(m, s, rows, &l, err));
    uint32_t i = 0;
    while (i + 2 < l->n && l->p[i + 1].load.seconds < load->seconds) i++;
    const slx_memo_point *p = &l->p[i], *q = p + 1;
    SLX_TRY(slx_memo_point_get(m, s, rows, &l->p[i], err));
    *out = p->is, *pages = p->load.pages;
    double more = load->seconds - p->load.seconds;
    if (more == 0) return SLX_OK;
    if (i + 1 == l->n || q->load.seconds <= p->load.seconds) {
        out->seconds += more;
        return SLX_OK;
    }
    SLX_TRY(slx_memo_point_get(m, s, rows, &l->p[i + 1], err));
    if (load->seconds > q->load.seconds) { /* beyond the last: by the law, as two points close together say little */
        *out = q->is, *pages = q->load.pages;
        out->seconds += load->seconds - q->load.seconds;
        return SLX_OK;
    }
    double share = more / (q->load.seconds - p->load.seconds);
    slx_memo_mix(out, &q->is, share);
    *pages = slx_memo_between_of(*pages, q->load.pages, share);
    return SLX_OK;
}

/* The same of a step that decodes: between the two shapes whose pages are next to the step's. */
static slx_status decode_at(slx_memo *m, uint32_t rows, const slx_memo_load *load,
                            slx_memo_parts *out, slx_err *err)
{
    slx_memo_parts less;
    double many, few;
    SLX_TRY(line_at(m, EQUAL, rows, load, out, &many, err));
    for (slx_memo_shape s = m->axis.coarse ? ONE_LONG : EVEN; s <= ONE_LONG && rows > 1 && many > load->pages; s++) {
        SLX_TRY(line_at(m, s, rows, load, &less, &few, err));
        if (few >= many) continue;
        slx_memo_mix(out, &less, fmin(1, (many - load->pages) / (many - few)));
        if (few <= load->pages) break;
        *out = less, many = few;
    }
    return SLX_OK;
}

static slx_status at_rows(slx_memo *m, bool decode, uint32_t rows, const slx_memo_load *load,
                          slx_memo_parts *out, slx_err *err)
{
    double pages;
    return decode ? decode_at(m, rows, load, out, err)
                  : line_at(m, PROMPT, rows, load, out, &pages, err);
}

/* Straight between two numbers of rows that have lines. */
static slx_status between_rows(slx_memo *m, bool decode, const slx_memo_between *b, const slx_memo_load *load,
                               slx_memo_parts *out, slx_err *err)
{
    slx_memo_parts high;
    SLX_TRY(at_rows(m, decode, b->low, load, out, err));
    if (b->share <= 0) return SLX_OK;
    SLX_TRY(at_rows(m, decode, b->high, load, &high, err));
    slx_memo_mix(out, &high, b->share);
    return SLX_OK;
}

/* Told by its shortest step. */
slx_status slx_memo_apart_get(slx_memo *m, bool decode, uint32_t rows, const slx_memo_between *b, slx_memo_apart **out,
                              slx_err *err)
{
    slx_memo_apart *a = *out = &m->apart[decode][rows];
    slx_memo_shape s = decode ? EQUAL : PROMPT;
    slx_memo_line *l;
    slx_memo_parts straight;
    if (a->known) return SLX_OK;
    SLX_TRY(slx_memo_line_get(m, s, rows, &l, err));
    SLX_TRY(slx_memo_point_get(m, s, rows, &l->p[0], err));
    SLX_TRY(between_rows(m, decode, b, &l->p[0].load, &straight, err));
    a->more = l->p[0].is;
    parts_add(&a->more, &straight, -1);
    a->known = true;
    return SLX_OK;
}

slx_status slx_memo_rows_at(slx_memo *m, bool decode, uint32_t rows, const slx_memo_load *load,
                            slx_memo_parts *out, slx_err *err)
{
    slx_memo_between b = slx_memo_rows_axis(&m->axis, decode, rows, decode ? m->most_decode : slx_memo_most_rows(m));
    slx_memo_apart *a;
    SLX_TRY(between_rows(m, decode, &b, load, out, err));
    if (b.low == b.high || m->axis.coarse) return SLX_OK;
    SLX_TRY(slx_memo_apart_get(m, decode, rows, &b, &a, err));
    parts_add(out, &a->more, 1);
    return SLX_OK;
}
