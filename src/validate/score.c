/* score.c - the errors of a set: predicted/measured - 1, over all rows and by the size of the kernel. */
#include "validate/validate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double error(const slx_scored *s)
{
    return s->g.value / s->measured - 1;
}

static int by_error(const void *a, const void *b)
{
    double x = fabs(error(a)), y = fabs(error(b));
    return x < y ? -1 : x > y;
}

static bool inside(const slx_scored *s)
{
    return s->measured >= s->g.low && s->measured <= s->g.high;
}

/* Classes go by the measured time; by the predicted one where the row holds watts. */
static double time_of(const slx_chip *c, const slx_row *r, slx_err *err)
{
    slx_guess t;
    slx_ask a = r->ask;
    if (!a.power) return r->measured;
    a.power = false;
    return slx_ask_answer(c, &a, &t, err) == SLX_OK ? t.value : 0;
}

static void add_classes(slx_score *out, const slx_scored *s, int n)
{
    for (int k = 0; k < SLX_SCORE_CLASSES; k++) out->by[k].below = slx_lib_class_us[k] * 1e-3;
    for (int i = 0; i < n; i++) {
        int k = slx_lib_class(s[i].ms * 1e3);
        out->by[k].rows++;
        out->by[k].mape += fabs(error(&s[i]));
        out->by[k].bias += error(&s[i]);
        out->by[k].inside += inside(&s[i]);
    }
    for (int k = 0; k < SLX_SCORE_CLASSES; k++) {
        if (!out->by[k].rows) continue;
        out->by[k].mape /= out->by[k].rows;
        out->by[k].bias /= out->by[k].rows;
        out->by[k].inside /= out->by[k].rows;
    }
}

static void add_worst(slx_score *out, const slx_scored *s, int n)
{
    for (; out->n_worst < SLX_SCORE_WORST && out->n_worst < n; out->n_worst++) {
        const slx_scored *w = &s[n - 1 - out->n_worst];
        out->worst[out->n_worst].line = w->line;
        out->worst[out->n_worst].measured = w->measured;
        out->worst[out->n_worst].predicted = w->g.value;
        if (w->ask)
            slx_ask_print(out->worst[out->n_worst].what, w->ask);
        else
            snprintf(out->worst[out->n_worst].what, sizeof out->worst->what, "%.150s", w->id);
    }
}

void slx_score_values(slx_score *out, slx_scored *s, int n)
{
    out->answered = n;
    for (int i = 0; i < n; i++) {
        out->mape += fabs(error(&s[i])) / n;
        out->bias += error(&s[i]) / n;
        out->inside += inside(&s[i]) / (double)n;
    }
    if (!n) return;
    add_classes(out, s, n);
    qsort(s, (size_t)n, sizeof *s, by_error);
    out->median = fabs(error(&s[n / 2]));
    out->p90 = fabs(error(&s[(int)fmin(n - 1, floor(0.9 * n))]));
    add_worst(out, s, n);
}

void slx_score_rows(slx_score *out, const slx_rows *rows, const slx_chip *c)
{
    slx_scored *s = slx_xcalloc((size_t)rows->n + 1, sizeof *s);
    slx_err err = {0};
    int n = 0;
    *out = (slx_score){.rows = rows->n};
    for (int i = 0; i < rows->n; i++) {
        const slx_row *r = &rows->row[i];
        if (slx_ask_answer(c, &r->ask, &s[n].g, &err) != SLX_OK) {
            if (!*out->why)
                snprintf(out->why, sizeof out->why, "line %d: %.160s", r->line, err.msg);
            continue;
        }
        s[n].measured = r->measured, s[n].line = r->line, s[n].ask = &r->ask;
        s[n++].ms = time_of(c, r, &err);
    }
    slx_score_values(out, s, n);
    free(s);
}
