/* chart_rows.c - bars and tornados: one row a name. */
#include "report/report_int.h"

#include <stdlib.h>

enum { LEFT = 164, RIGHT = WIDTH - 20, TOP = 6, ROW = 22, SWING = 36, FOOT = 46, LABEL = 20 };

/* The start of a long name, cut between code points. */
static void row_label(slx_buf *page, double y, const char *name)
{
    char text[LABEL * 4 + 8];
    int n = 0, chars = 0;
    while (name[n] && chars < LABEL) {
        n++;
        while (((unsigned char)name[n] & 0xc0) == 0x80) n++;
        chars++;
    }
    if (n > LABEL * 4) n = LABEL * 4;
    snprintf(text, sizeof text, "%.*s%s", n, name, name[n] ? ".." : "");
    slx_chart_text(page, LEFT - 8, y, "end", text);
}

static void add_row(slx_buf *page, const slx_axis *x, const slx_chart_row *r, double top)
{
    char v[32], low[32], high[32], text[256];
    double middle = top + ROW / 2.0;
    bool band = slx_axis_shows(x, r->low) && slx_axis_shows(x, r->high) && r->high > r->low;
    row_label(page, middle + 4, r->name);
    if (!slx_axis_shows(x, r->value)) {
        slx_buf_addf(page, "<text class=\"t\" x=\"%d\" y=\"%.1f\">", LEFT + 6, middle + 4);
        slx_html_text(page, r->why ? r->why : "not known");
        slx_buf_adds(page, "</text>\n");
        return;
    }
    double at = slx_axis_at(x, r->value), from = x->log ? at : slx_axis_at(x, 0);
    slx_buf_adds(page, "<g class=\"s\">");
    if (band)
        snprintf(text, sizeof text, "%s: %s (%s to %s)", r->name, slx_chart_number(v, r->value),
                 slx_chart_number(low, r->low), slx_chart_number(high, r->high));
    else
        snprintf(text, sizeof text, "%s: %s", r->name, slx_chart_number(v, r->value));
    if (x->log)
        slx_buf_addf(page, "<circle class=\"m c0\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\">", at, middle);
    else
        slx_buf_addf(page, "<path class=\"b c0\" d=\"M%.1f %.1fH%.1fv%dH%.1fZ\">", from, top + 4,
                     at, ROW - 8, from);
    slx_chart_title(page, text);
    slx_buf_adds(page, x->log ? "</circle>" : "</path>");
    if (band)
        slx_buf_addf(page, "<path class=\"whole\" d=\"M%.1f %.1fH%.1fm0 -4v8M%.1f %.1fv8\"/>",
                     slx_axis_at(x, r->low), middle, slx_axis_at(x, r->high),
                     slx_axis_at(x, r->low), middle - 4);
    slx_buf_adds(page, "</g>\n");
}

void slx_chart_bars(slx_buf *page, const slx_chart_rows *c)
{
    slx_axis x = {.low = NAN, .high = NAN, .log = c->x_log};
    for (int i = 0; i < c->n; i++) {
        const slx_chart_row *r = &c->row[i];
        if (!slx_axis_shows(&x, r->value)) continue;
        slx_axis_see(&x, r->value);
        slx_axis_see(&x, r->low);
        slx_axis_see(&x, r->high);
    }
    if (!c->x_log && !isnan(x.low)) slx_axis_see(&x, 0);
    slx_chart_open(page, c->title);
    if (!slx_axis_fit(&x, LEFT, RIGHT)) {
        slx_chart_empty(page, "No figure to show.");
        slx_chart_close(page, c->note);
        return;
    }
    double bottom = TOP + ROW * c->n;
    slx_chart_svg(page, c->title, bottom + FOOT);
    slx_chart_x_axis(page, &x, TOP, bottom, c->x_label);
    for (int i = 0; i < c->n; i++) add_row(page, &x, &c->row[i], TOP + ROW * i);
    slx_buf_adds(page, "</svg>\n");
    slx_chart_close(page, c->note);
}

/* ------------------------------------------------------------------ tornado */

static double width(const slx_chart_swing *s, double base)
{
    double low = isfinite(s->at_low) ? fabs(s->at_low - base) : 0;
    double high = isfinite(s->at_high) ? fabs(s->at_high - base) : 0;
    return low + high;
}

typedef struct {
    const slx_chart_swing *s;
    double width;
    int at; /* given; so that equal widths keep their order */
} swing;

static int by_width(const void *a_, const void *b_)
{
    const swing *a = a_, *b = b_;
    if (a->width != b->width) return a->width < b->width ? 1 : -1;
    return a->at - b->at;
}

/* From the base to one end: the upper half of a row for the assumption's low value, the lower one for its high. */
static void add_end(slx_buf *page, const slx_axis *x, double base, double v, double top, int color)
{
    if (!slx_axis_shows(x, v)) return;
    double from = slx_axis_at(x, base);
    slx_buf_addf(page, "<path class=\"b c%d\" d=\"M%.1f %.1fH%.1fv%dH%.1fZ\"/>\n", color, from, top,
                 slx_axis_at(x, v), SWING / 2 - 4, from);
}

void slx_chart_tornado(slx_buf *page, const slx_chart_swings *c)
{
    slx_axis x = {.low = NAN, .high = NAN};
    swing *rows = slx_xcalloc((size_t)c->n + 1, sizeof *rows);
    for (int i = 0; i < c->n; i++) rows[i] = (swing){&c->row[i], width(&c->row[i], c->base), i};
    qsort(rows, (size_t)c->n, sizeof *rows, by_width);
    int n = c->most && c->most < c->n ? c->most : c->n;
    while (n && !(rows[n - 1].width > 0)) n--;
    slx_axis_see(&x, c->base);
    for (int i = 0; i < n; i++) {
        slx_axis_see(&x, rows[i].s->at_low);
        slx_axis_see(&x, rows[i].s->at_high);
    }
    slx_chart_open(page, c->title);
    if (!n || !isfinite(c->base) || !slx_axis_fit(&x, LEFT, RIGHT)) {
        slx_chart_empty(page, "No figure to show.");
        slx_chart_close(page, c->note);
        free(rows);
        return;
    }
    double bottom = TOP + SWING * n;
    slx_chart_svg(page, c->title, bottom + FOOT);
    slx_chart_x_axis(page, &x, TOP, bottom, c->x_label);
    for (int i = 0; i < n; i++) {
        const slx_chart_swing *s = rows[i].s;
        char low[32], high[32], text[256];
        double top = TOP + SWING * i;
        slx_buf_adds(page, "<g class=\"s\">");
        snprintf(text, sizeof text, "%.80s: %s to %s", s->name, slx_chart_number(low, s->at_low),
                 slx_chart_number(high, s->at_high));
        slx_chart_title(page, text);
        row_label(page, top + 14, s->name);
        if (s->low_text && s->high_text) {
            slx_buf_addf(page, "<text class=\"t\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
                         LEFT - 8, top + 28);
            slx_html_text(page, s->low_text);
            slx_buf_adds(page, " .. ");
            slx_html_text(page, s->high_text);
            slx_buf_adds(page, "</text>\n");
        }
        add_end(page, &x, c->base, s->at_low, top + 4, 0);
        add_end(page, &x, c->base, s->at_high, top + SWING / 2, 1);
        slx_buf_adds(page, "</g>\n");
    }
    slx_buf_addf(page, "<path class=\"whole\" d=\"M%.1f %dV%.1f\"/>\n</svg>\n",
                 slx_axis_at(&x, c->base), TOP, bottom);
    if (n < c->n) {
        char text[80];
        snprintf(text, sizeof text, "%d smaller or without effect are not shown.", c->n - n);
        slx_chart_empty(page, text);
    }
    slx_buf_adds(
        page,
        "<ul class=\"legend\"><li><svg viewBox=\"0 0 26 10\"><path class=\"b c0\" d=\"M0 "
        "1H26v8H0Z\"/></svg>"
        "the assumption at its low value</li><li><svg viewBox=\"0 0 26 10\"><path class=\"b c1\" "
        "d=\"M0 1H26v8H0Z\"/></svg>at its high value</li></ul>\n");
    slx_chart_close(page, c->note);
    free(rows);
}
