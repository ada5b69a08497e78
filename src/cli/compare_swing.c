/* compare_swing.c - one assumption at a time: how far the answer for a chip moves between its low and its high value.
 *
 * The answer is dollars a million tokens at the first target (else at the batch asked), with batch and chips held;
 * joules a token where a price is not published, milliseconds where power is not either.
 */
#include "cli/compare_int.h"
#include "report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 12, TRIAL_BATCH = 32 /* a step of a program is timed for every figure twice */ };

typedef enum { DOLLARS, JOULES, MILLISECONDS } answer_kind;
static const char *const answer_unit[] = {"$ a million tokens", "J a token", "ms a token"};

static const compare_point *point_of(const compare_row *row, const compare_ask *ask)
{
    return ask->n_targets && !row->target[0].why ? &row->target[0] : &row->point;
}

static answer_kind kind_of(const compare_point *p)
{
    return !isnan(p->usd_per_mtok.mid)  ? DOLLARS
           : !isnan(p->j_per_token.mid) ? JOULES
                                        : MILLISECONDS;
}

static double value_of(const compare_point *p, answer_kind kind)
{
    if (p->why) return NAN;
    return kind == DOLLARS  ? p->usd_per_mtok.mid
           : kind == JOULES ? p->j_per_token.mid
                            : p->pass.seconds.mid * 1e3;
}

double compare_answer(const compare_row *row, const compare_ask *ask)
{
    const compare_point *p = point_of(row, ask);
    double v = value_of(p, DOLLARS);
    return isnan(v) ? INFINITY : v;
}

typedef struct {
    compare_row row; /* a copy whose cost is computed anew */
    const compare_ask *ask;
    const compare_point *base;
    compare_point trial; /* of the row as it is, at the batch that trials take */
    answer_kind kind;
    slx_chart_swing *swing;
    int n, cap;
} tornado;

/* A value as its label has room for it: "80 M" from a million on. */
static const char *label(tornado *t, double v)
{
    char text[32];
    return slx_strdup(t->ask->arena, v >= 1e6 ? cli_short(text, v, "") : cli_digits(text, v));
}

static void add(tornado *t, const char *name, double at_low, double at_high, double low,
                double high)
{
    SLX_ASSERT(t->n < t->cap);
    t->swing[t->n++] = (slx_chart_swing){name, at_low, at_high, label(t, low), label(t, high)};
}

static slx_band by(slx_band v, double f)
{
    return (slx_band){v.low * f, v.mid * f, v.high * f};
}

/* With the constants and the chip as they are now. pass: the time may have changed, too, in proportion to a trial's. */
static slx_status again(tornado *t, bool pass, double *out, slx_err *err)
{
    compare_point p = *t->base, trial;
    SLX_TRY(compare_cost(&t->row.cost, t->row.chip, t->ask->constants, err));
    if (pass) {
        SLX_TRY(compare_decode(&trial, &t->row, t->ask, t->trial.tp, t->trial.batch, err));
        if (trial.why) return SLX_OK;
        p.pass.seconds = by(p.pass.seconds, trial.pass.seconds.mid / t->trial.pass.seconds.mid);
        p.pass.joules = by(p.pass.joules, trial.pass.joules.mid / t->trial.pass.joules.mid);
    }
    compare_set_rates(&p, &t->row);
    *out = value_of(&p, t->kind);
    return SLX_OK;
}

static slx_status swing_constants(tornado *t, slx_err *err)
{
    slx_constants *k = t->ask->constants;
    for (int i = 0; i < slx_constants_count(k); i++) {
        slx_band v = slx_constants_row(k, i);
        double end[2];
        if (v.low == v.high) continue;
        slx_status st = SLX_OK;
        for (int e = 0; e < 2 && st == SLX_OK; e++) {
            double to = e ? v.high : v.low > 0 ? v.low : v.mid * 1e-6;
            slx_constants_set(k, i, (slx_band){to, to, to});
            st = again(t, false, &end[e], err);
        }
        slx_constants_set(k, i, v);
        SLX_TRY(st);
        add(t, slx_constants_name(k, i), end[0], end[1], v.low, v.high);
    }
    return SLX_OK;
}

/* Whether a figure of a program chip may change what a step takes; of others every figure may. */
static bool moves_step(const tornado *t, const char *key)
{
    static const char *const cost_alone[] = {"area.", "process.", "package.", "net."};
    if (t->row.chip->library) return true;
    if (!strncmp(key, "energy.", 7)) return t->kind == JOULES;
    for (int i = 0; i < 4; i++)
        if (!strncmp(key, cost_alone[i], strlen(cost_alone[i]))) return false;
    return true;
}

static slx_status swing_figures(tornado *t, slx_err *err)
{
    slx_chip *c = t->row.chip;
    slx_chip_fig f;
    for (int i = 0; slx_chip_next_figure(c, &i, &f); i++) {
        double pm = f.from ? f.from->pm : 0, end[2] = {NAN, NAN};
        if (f.text || !(pm > 0) || !(f.value > 0)) continue;
        double to[2] = {f.value * (pm < 0.9 ? 1 - pm : 0.1), f.value * (1 + pm)};
        for (int e = 0; e < 2; e++) {
            char text[40];
            slx_chip saved = *c;
            snprintf(text, sizeof text, "%.9g", to[e]);
            if (slx_chip_set(c, f.key, text, NULL) != SLX_OK)
                continue; /* out of its range: that end stays unknown */
            slx_status st = again(t, moves_step(t, f.key), &end[e], err);
            saved.arena = c->arena;
            *c = saved;
            SLX_TRY(st);
        }
        add(t, f.key, end[0], end[1], to[0], to[1]);
        if (slx_interrupted()) return slx_fail(err, SLX_EINTERRUPTED, "", 0, 0, "interrupted");
    }
    return SLX_OK;
}

slx_status compare_tornado(slx_buf *page, const compare_row *row, const compare_ask *ask,
                           slx_err *err)
{
    const compare_point *base = point_of(row, ask);
    tornado t = {.row = *row,
                 .ask = ask,
                 .base = base,
                 .kind = kind_of(base),
                 .cap = slx_constants_count(ask->constants)};
    slx_chip_fig f;
    for (int i = 0; slx_chip_next_figure(row->chip, &i, &f); i++) t.cap++;
    t.swing = slx_xcalloc((size_t)t.cap + 1, sizeof *t.swing);
    uint32_t batch = !row->chip->library && base->batch > TRIAL_BATCH ? TRIAL_BATCH : base->batch;
    slx_status st = compare_decode(&t.trial, row, ask, base->tp, batch, err);
    if (st == SLX_OK && t.trial.why) t.trial = *base;
    if (st == SLX_OK) st = swing_constants(&t, err);
    if (st == SLX_OK) st = swing_figures(&t, err);
    if (st == SLX_OK) {
        char title[160], note[160] = "";
        if (batch != base->batch)
            snprintf(note, sizeof note, "Times move in proportion to those of batch %u.", batch);
        snprintf(title, sizeof title, "%.60s at batch %u on %u chip%s", row->chip->name,
                 base->batch, base->tp, base->tp > 1 ? "s" : "");
        slx_chart_tornado(page, &(slx_chart_swings){title, answer_unit[t.kind], *note ? note : NULL,
                                                    value_of(base, t.kind), t.n, ROWS, t.swing});
    }
    free(t.swing);
    return st;
}
