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
#include "time/memo_int.h"

#include "isa/step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTHS = 27 }; /* of 2^i pages, so many that no 32-bit position is beyond */

typedef struct {
    bool known;
    uint32_t pages;
    slx_memo_load load; /* by the law */
    slx_memo_parts is;  /* joules: without those of pages */
} point;

/* Steps of one number of rows, longer and longer. */
typedef struct {
    uint32_t n;
    point p[LENGTHS];
} line;

/* What a number of rows takes beyond what lies straight between its neighbours. */
typedef struct {
    bool known;
    slx_memo_parts more;
} apart;

typedef enum { EQUAL, EVEN, ONE_LONG, PROMPT, N_SHAPES } shape;

struct slx_memo {
    slx_memo_lab lab;
    slx_memo_attention law;
    bool measured[2];        /* law's pages, of long and of short steps */
    slx_memo_axis axis;
    uint32_t most_decode;    /* rows of a step that only decodes */
    line **lines[N_SHAPES];  /* [rows] NULL: not asked for yet */
    apart *apart[2];         /* [rows] of pieces of prompts, of steps that decode */
    point *samples[2];       /* [max_samples + 1] of long and of short steps */
};

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
        m->lines[i] = slx_xcalloc(d->max_rows + (size_t)1, sizeof(line *));
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

/* ------------------------------------------------------------------ one step */

slx_status slx_memo_simulate(slx_memo *m, const slx_memo_seq *seq, uint32_t n, slx_memo_parts *out, slx_err *err)
{
    return slx_memo_try(&m->lab, seq, n, out, err);
}

static bool is_short(const slx_memo *m, uint32_t rows)
{
    return rows <= m->axis.short_rows;
}

/* Sequences that a prompt of so many rows is: one, where it fits a context. */
static uint32_t prompt_sequences(const slx_memo *m, uint32_t rows)
{
    return (rows + m->lab.p->info.max_context - 1) / m->lab.p->info.max_context;
}

/* Into seq, evenly; the last rows of each are sampled, as many as there are. Returns how many. */
static uint32_t prompt(const slx_memo *m, uint32_t rows, uint32_t before, uint32_t samples, slx_memo_seq *seq)
{
    uint32_t n = prompt_sequences(m, rows);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t each = (uint32_t)((i + UINT64_C(1)) * rows / n - (uint64_t)i * rows / n);
        seq[i] = (slx_memo_seq){.rows = each, .before = before, .samples = least(each, samples)};
        samples -= seq[i].samples;
    }
    return n;
}

/* Most rows of a prompt. */
static uint32_t most_rows(const slx_memo *m)
{
    uint32_t n = prompt_sequences(m, m->lab.p->info.desc.max_rows), pages = m->lab.p->info.desc.max_pages;
    return least(m->lab.p->info.desc.max_rows, (n > 1 && pages > n ? pages - n : pages) * SLX_MAX_CHUNK);
}

/* The law's measured figures, for long or short steps. */
static slx_status measure(slx_memo *m, bool small, slx_err *err)
{
    if (m->measured[small]) return SLX_OK;
    if (small) SLX_TRY(measure(m, false, err)); /* which it takes some from */
    SLX_TRY(slx_memo_alone_measure(&m->lab, &m->law, small, err));
    if (small) {
        SLX_TRY(slx_memo_loads_measure(&m->lab, &m->law, err));
        slx_memo_attention_loads(&m->law);
    }
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
static uint32_t turns(const slx_memo *m, shape s, uint32_t rows)
{
    return !m->axis.coarse && (s == EVEN || s == ONE_LONG) && rows > 2 ? 2 : 1;
}

/* Sequences of a point; returns how many. EVEN: lengths at multiples of the golden ratio, which lie evenly in every
 * stretch of the step. The longest is in the middle; turn 1: it is the first, of ONE_LONG with the second as long. */
static uint32_t sequences(const slx_memo *m, shape s, uint32_t rows, uint32_t pages, uint32_t turn, slx_memo_seq *seq)
{
    uint32_t most = (pages - 1) * SLX_MAX_CHUNK, middle = (rows - 1) / 2;
    if (s == PROMPT) return prompt(m, rows, most, 1, seq);
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
static uint32_t most_pages(const slx_memo *m, shape s, uint32_t rows)
{
    const slx_program_info *in = &m->lab.p->info;
    uint32_t n = prompt_sequences(m, rows), each = s == PROMPT ? (rows + n - 1) / n : 1, room = in->desc.max_pages;
    if (s == PROMPT) room /= n;
    if (s == EQUAL || s == EVEN) room /= rows;
    if (s == ONE_LONG) { /* the others have one */
        uint32_t longs = turns(m, s, rows);
        room = (room - (rows - longs)) / longs;
    }
    return 1 + least((in->max_context - each) / SLX_MAX_CHUNK, room - slx_memo_pages(each));
}

static slx_status line_get(slx_memo *m, shape s, uint32_t rows, line **out, slx_err *err)
{
    line *l = *out = m->lines[s][rows];
    if (l) return SLX_OK;
    SLX_TRY(measure(m, is_short(m, rows), err));
    l = *out = m->lines[s][rows] = slx_xcalloc(1, sizeof *l);
    slx_memo_seq *seq = slx_xcalloc(rows, sizeof *seq);
    uint32_t most = most_pages(m, s, rows), far = m->axis.coarse ? 4 : 2;
    if (s == PROMPT) far *= far;
    for (uint32_t pages = 1; l->n < LENGTHS; pages *= far) {
        point *p = &l->p[l->n++];
        p->pages = least(pages, most);
        for (uint32_t t = 0, of = turns(m, s, rows); t < of; t++) {
            uint32_t n = sequences(m, s, rows, p->pages, t, seq);
            slx_memo_load one = slx_memo_attention_of(&m->law, is_short(m, rows), seq, n);
            p->load.seconds += one.seconds / of, p->load.pages += one.pages / of;
            p->load.joules += one.joules / of, p->load.append_s += one.append_s / of;
        }
        if (p->pages == most) break;
    }
    free(seq);
    return SLX_OK;
}

static slx_status point_get(slx_memo *m, shape s, uint32_t rows, point *p, slx_err *err)
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

static double on_the_way(double low, double high, double share)
{
    return low + (high - low) * share;
}

static void mix(slx_memo_parts *a, const slx_memo_parts *b, double share)
{
    a->seconds = on_the_way(a->seconds, b->seconds, share);
    a->joules = on_the_way(a->joules, b->joules, share);
    a->watts = on_the_way(a->watts, b->watts, share);
}

/* The step of a line whose attention takes as long by the law as that of `load`, and the pages it has; rows are a
 * point. */
static slx_status line_at(slx_memo *m, shape s, uint32_t rows, const slx_memo_load *load,
                          slx_memo_parts *out, double *pages, slx_err *err)
{
    line *l;
    SLX_TRY(line_get(m, s, rows, &l, err));
    uint32_t i = 0;
    while (i + 2 < l->n && l->p[i + 1].load.seconds < load->seconds) i++;
    const point *p = &l->p[i], *q = p + 1;
    SLX_TRY(point_get(m, s, rows, &l->p[i], err));
    *out = p->is, *pages = p->load.pages;
    double more = load->seconds - p->load.seconds;
    if (more == 0) return SLX_OK;
    if (i + 1 == l->n || q->load.seconds <= p->load.seconds) {
        out->seconds += more;
        return SLX_OK;
    }
    SLX_TRY(point_get(m, s, rows, &l->p[i + 1], err));
    if (load->seconds > q->load.seconds) { /* beyond the last: by the law, as two points close together say little */
        *out = q->is, *pages = q->load.pages;
        out->seconds += load->seconds - q->load.seconds;
        return SLX_OK;
    }
    double share = more / (q->load.seconds - p->load.seconds);
    mix(out, &q->is, share);
    *pages = on_the_way(*pages, q->load.pages, share);
    return SLX_OK;
}

/* The same of a step that decodes: between the two shapes whose pages are next to the step's. */
static slx_status decode_at(slx_memo *m, uint32_t rows, const slx_memo_load *load,
                            slx_memo_parts *out, slx_err *err)
{
    slx_memo_parts less;
    double many, few;
    SLX_TRY(line_at(m, EQUAL, rows, load, out, &many, err));
    for (shape s = m->axis.coarse ? ONE_LONG : EVEN; s <= ONE_LONG && rows > 1 && many > load->pages; s++) {
        SLX_TRY(line_at(m, s, rows, load, &less, &few, err));
        if (few >= many) continue;
        mix(out, &less, fmin(1, (many - load->pages) / (many - few)));
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
    mix(out, &high, b->share);
    return SLX_OK;
}

/* Told by its shortest step. */
static slx_status apart_get(slx_memo *m, bool decode, uint32_t rows, const slx_memo_between *b, apart **out,
                            slx_err *err)
{
    apart *a = *out = &m->apart[decode][rows];
    shape s = decode ? EQUAL : PROMPT;
    line *l;
    slx_memo_parts straight;
    if (a->known) return SLX_OK;
    SLX_TRY(line_get(m, s, rows, &l, err));
    SLX_TRY(point_get(m, s, rows, &l->p[0], err));
    SLX_TRY(between_rows(m, decode, b, &l->p[0].load, &straight, err));
    a->more = l->p[0].is;
    parts_add(&a->more, &straight, -1);
    a->known = true;
    return SLX_OK;
}

static slx_status rows_at(slx_memo *m, bool decode, uint32_t rows, const slx_memo_load *load,
                          slx_memo_parts *out, slx_err *err)
{
    slx_memo_between b = slx_memo_rows_axis(&m->axis, decode, rows, decode ? m->most_decode : most_rows(m));
    apart *a;
    SLX_TRY(between_rows(m, decode, &b, load, out, err));
    if (b.low == b.high || m->axis.coarse) return SLX_OK;
    SLX_TRY(apart_get(m, decode, rows, &b, &a, err));
    parts_add(out, &a->more, 1);
    return SLX_OK;
}

/* ------------------------------------------------------------------ rows that are sampled */

/* Rows of the steps that are compared for it. */
static uint32_t sampled_rows(const slx_memo *m, bool small)
{
    const slx_desc_layout *d = &m->lab.p->info.desc;
    uint32_t rows = d->max_samples > m->axis.short_rows ? d->max_samples : m->axis.short_rows + 1;
    return small ? m->axis.short_rows : least(rows, d->max_rows);
}

static slx_status sample_point(slx_memo *m, bool small, uint32_t samples, const slx_memo_parts **out,
                               slx_err *err)
{
    point *p = &m->samples[small][samples];
    if (!p->known) {
        uint32_t rows = sampled_rows(m, small);
        slx_memo_seq *seq = slx_xcalloc(prompt_sequences(m, rows), sizeof *seq);
        slx_status st = slx_memo_simulate(m, seq, prompt(m, rows, 0, samples, seq), &p->is, err);
        free(seq);
        if (st != SLX_OK) return st;
        p->known = true;
        m->lab.points++;
    }
    *out = &p->is;
    return SLX_OK;
}

/* What a step with so many rows sampled takes beyond one with one of them. */
static slx_status samples_add(slx_memo *m, bool small, uint32_t samples, slx_memo_parts *to,
                              slx_err *err)
{
    const slx_memo_parts *one, *low, *high;
    if (samples == 1) return SLX_OK;
    uint32_t most = least(m->lab.p->info.desc.max_samples, sampled_rows(m, small));
    slx_memo_between b = slx_memo_samples_axis(&m->axis, samples, most);
    SLX_TRY(sample_point(m, small, 1, &one, err));
    SLX_TRY(sample_point(m, small, b.low, &low, err));
    slx_memo_parts s = *low;
    if (b.share > 0) {
        SLX_TRY(sample_point(m, small, b.high, &high, err));
        mix(&s, high, b.share);
    }
    to->seconds += s.seconds - one->seconds;
    to->joules += s.joules - one->joules;
    return SLX_OK;
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
    bool small = is_short(m, rows), decode = s.rows == s.samples && rows <= m->most_decode;
    slx_memo_parts at;
    SLX_TRY(measure(m, small, err));
    slx_memo_load load = slx_memo_attention_of(&m->law, small, seq, n);
    SLX_TRY(rows_at(m, decode, rows, &load, &at, err));
    if (!decode) SLX_TRY(samples_add(m, small, (uint32_t)s.samples, &at, err));
    at.seconds += load.append_s;
    *out = (slx_memo_cost){at.seconds, at.joules + load.joules + at.watts * at.seconds};
    return SLX_OK;
}

/* ------------------------------------------------------------------ all of it */

typedef struct {
    bool (*go_on)(void *arg);
    void *arg;
} asker;

static bool stop(const asker *a)
{
    return a->go_on && !a->go_on(a->arg);
}

static slx_status fill_line(slx_memo *m, shape s, uint32_t rows, const asker *a, bool *done, slx_err *err)
{
    line *l;
    SLX_TRY(line_get(m, s, rows, &l, err));
    for (uint32_t i = 0; *done && i < l->n; i++)
        if (stop(a))
            *done = false;
        else
            SLX_TRY(point_get(m, s, rows, &l->p[i], err));
    return SLX_OK;
}

static slx_status fill_lines(slx_memo *m, shape s, const asker *a, bool *done, slx_err *err)
{
    uint32_t most = s == PROMPT ? most_rows(m) : m->most_decode;
    for (uint32_t rows = 1; rows <= most && *done; rows++) {
        slx_memo_between b = slx_memo_rows_axis(&m->axis, s != PROMPT, rows, most);
        if (b.low != rows && b.high != rows) continue;
        if (stop(a))
            *done = false;
        else
            SLX_TRY(fill_line(m, s, rows, a, done, err));
    }
    return SLX_OK;
}

/* What numbers of rows between the lines take beyond them; those are known. */
static slx_status fill_apart(slx_memo *m, bool decode, const asker *a, bool *done, slx_err *err)
{
    apart *to;
    uint32_t most = decode ? m->most_decode : most_rows(m);
    for (uint32_t rows = 1; rows <= most && *done; rows++) {
        slx_memo_between b = slx_memo_rows_axis(&m->axis, decode, rows, most);
        if (b.low == rows || b.high == rows) continue;
        if (stop(a))
            *done = false;
        else
            SLX_TRY(apart_get(m, decode, rows, &b, &to, err));
    }
    return SLX_OK;
}

static slx_status fill_samples(slx_memo *m, bool small, const asker *a, bool *done, slx_err *err)
{
    const slx_memo_parts *p;
    uint32_t most = least(m->lab.p->info.desc.max_samples, sampled_rows(m, small));
    for (uint32_t n = 0; n <= most && *done; n++) {
        slx_memo_between b = slx_memo_samples_axis(&m->axis, n, most);
        if (b.low != n && b.high != n) continue;
        if (stop(a))
            *done = false;
        else
            SLX_TRY(sample_point(m, small, n, &p, err));
    }
    return SLX_OK;
}

slx_status slx_memo_fill(slx_memo *m, bool (*go_on)(void *arg), void *arg, bool *done, slx_err *err)
{
    const asker a = {go_on, arg};
    *done = true;
    for (int k = 0; k < N_SHAPES; k++)
        if (k != EVEN || !m->axis.coarse) SLX_TRY(fill_lines(m, (shape)k, &a, done, err));
    for (int decode = 0; decode < 2 && !m->axis.coarse; decode++) SLX_TRY(fill_apart(m, decode, &a, done, err));
    for (int small = 0; small < 2; small++)
        if (!small || m->axis.short_rows) SLX_TRY(fill_samples(m, small, &a, done, err));
    return SLX_OK;
}
