/* chart.c - lines and fans: values over x. */
#include "report/report_int.h"

#include <stdlib.h>

enum { HEIGHT = 340, LEFT = 66, RIGHT = WIDTH - 20, TOP = 10, BOTTOM = HEIGHT - 46 };

static void classes(slx_buf *page, const char *first, int i)
{
    slx_buf_addf(page, "class=\"%s c%d d%d\"", first, i % COLOURS, i / COLOURS % DASHES);
}

static int look(const slx_chart *c, int i)
{
    return c->series[i].look ? c->series[i].look - 1 : i;
}

static bool shown(const slx_axis *x, const slx_axis *y, const slx_chart_point *p)
{
    return slx_axis_shows(x, p->x) && slx_axis_shows(y, p->y);
}

static bool any_shown(const slx_axis *x, const slx_axis *y, const slx_chart_series *s)
{
    for (int i = 0; i < s->n; i++)
        if (shown(x, y, &s->p[i])) return true;
    return false;
}

/* ------------------------------------------------------------------ lines */

static void add_line(slx_buf *page, const slx_axis *x, const slx_axis *y, const slx_chart_series *s,
                     int color)
{
    bool pen = false;
    slx_buf_adds(page, "<path ");
    classes(page, "l", color);
    slx_buf_adds(page, " d=\"");
    for (int i = 0; i < s->n; i++) {
        bool here = shown(x, y, &s->p[i]);
        if (here)
            slx_buf_addf(page, "%c%.1f %.1f", pen ? 'L' : 'M', slx_axis_at(x, s->p[i].x),
                         slx_axis_at(y, s->p[i].y));
        pen = here;
    }
    slx_buf_adds(page, "\"/>\n");
}

static void add_mark(slx_buf *page, const slx_axis *x, const slx_axis *y, const slx_chart_series *s,
                     const slx_chart_point *p, int color)
{
    char a[32], b[32], text[256];
    double at = slx_axis_at(x, p->x);
    if (slx_axis_shows(y, p->low) && slx_axis_shows(y, p->high) && p->high > p->low)
        slx_buf_addf(page, "<path class=\"w c%d\" d=\"M%.1f %.1fV%.1f\"/>", color % COLOURS, at,
                     slx_axis_at(y, p->low), slx_axis_at(y, p->high));
    slx_buf_addf(page, "<circle class=\"m c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\">", color % COLOURS,
                 at, slx_axis_at(y, p->y), s->marks_only ? "4" : "3");
    snprintf(text, sizeof text, "%s: %s, %s", s->name, slx_chart_number(a, p->x),
             slx_chart_number(b, p->y));
    slx_chart_title(page, p->note ? p->note : text);
    slx_buf_adds(page, "</circle>\n");
}

static void add_legend(slx_buf *page, const slx_chart *c, const slx_axis *x, const slx_axis *y)
{
    slx_buf_adds(page, "<ul class=\"legend\">\n");
    for (int i = 0; i < c->n; i++) {
        if (c->series[i].unnamed || !any_shown(x, y, &c->series[i])) continue;
        slx_buf_addf(page, "<li><svg viewBox=\"0 0 26 10\" aria-hidden=\"true\">");
        if (c->series[i].marks_only) {
            slx_buf_addf(page, "<circle class=\"m c%d\" cx=\"13\" cy=\"5\" r=\"4\"/>", i % COLOURS);
        } else {
            slx_buf_adds(page, "<path ");
            classes(page, "l", look(c, i));
            slx_buf_adds(page, " d=\"M0 5H26\"/>");
        }
        slx_buf_adds(page, "</svg>");
        slx_html_text(page, c->series[i].name);
        slx_buf_adds(page, "</li>\n");
    }
    slx_buf_adds(page, "</ul>\n");
    int missing = 0;
    for (int i = 0; i < c->n; i++) {
        if (c->series[i].unnamed || any_shown(x, y, &c->series[i])) continue;
        slx_buf_adds(page, missing++ ? ", " : "<p class=\"none\">No figures: ");
        slx_html_text(page, c->series[i].name);
    }
    if (missing) slx_buf_adds(page, "</p>\n");
}

void slx_chart_lines(slx_buf *page, const slx_chart *c)
{
    slx_axis x = {.low = NAN, .high = NAN, .log = c->x_log, .whole = c->x_whole},
             y = {.low = NAN, .high = NAN, .log = c->y_log};
    for (int s = 0; s < c->n; s++)
        for (int i = 0; i < c->series[s].n; i++) {
            const slx_chart_point *p = &c->series[s].p[i];
            if (!shown(&x, &y, p)) continue;
            slx_axis_see(&x, p->x);
            slx_axis_see(&y, p->y);
            slx_axis_see(&y, p->low);
            slx_axis_see(&y, p->high);
        }
    if (c->y_from_0 && !c->y_log && !isnan(y.low)) slx_axis_see(&y, 0);
    slx_chart_open(page, c->title);
    if (!slx_axis_fit(&x, LEFT, RIGHT) || !slx_axis_fit(&y, BOTTOM, TOP)) {
        slx_chart_empty(page, "No figure to show.");
        slx_chart_close(page, c->note);
        return;
    }
    slx_chart_svg(page, c->title, HEIGHT);
    slx_chart_y_axis(page, &y, LEFT, RIGHT, c->y_label);
    slx_chart_x_axis(page, &x, TOP, BOTTOM, c->x_label);
    for (int i = 0; i < c->n; i++) {
        const slx_chart_series *s = &c->series[i];
        if (!any_shown(&x, &y, s)) continue;
        slx_buf_adds(page, "<g class=\"s\">");
        if (!s->marks_only) add_line(page, &x, &y, s, look(c, i));
        for (int k = 0; k < s->n; k++)
            if (shown(&x, &y, &s->p[k])) add_mark(page, &x, &y, s, &s->p[k], look(c, i));
        slx_buf_adds(page, "</g>\n");
    }
    slx_buf_adds(page, "</svg>\n");
    add_legend(page, c, &x, &y);
    slx_chart_close(page, c->note);
}

/* ------------------------------------------------------------------ fan */

/* Between two quantiles, over the stretch of x where both are known. */
static void add_band(slx_buf *page, const slx_chart_quantiles *f, const slx_axis *x,
                     const slx_axis *y, int low, int high)
{
    const double *a = f->y + (size_t)low * (size_t)f->n, *b = f->y + (size_t)high * (size_t)f->n;
    slx_buf_adds(page, "<path class=\"f c0\" d=\"");
    for (int i = 0; i < f->n;) {
        int end = i;
        while (end < f->n && slx_axis_shows(x, f->x[end]) && slx_axis_shows(y, a[end]) &&
               slx_axis_shows(y, b[end]))
            end++;
        for (int k = i; k < end; k++)
            slx_buf_addf(page, "%c%.1f %.1f", k == i ? 'M' : 'L', slx_axis_at(x, f->x[k]),
                         slx_axis_at(y, a[k]));
        for (int k = end; k-- > i;)
            slx_buf_addf(page, "L%.1f %.1f", slx_axis_at(x, f->x[k]), slx_axis_at(y, b[k]));
        if (end > i) slx_buf_addc(page, 'Z');
        i = end + 1;
    }
    slx_buf_adds(page, "\">");
    char text[128];
    snprintf(text, sizeof text, "%.40s to %.40s", f->q_name[low], f->q_name[high]);
    slx_chart_title(page, text);
    slx_buf_adds(page, "</path>\n");
}

void slx_chart_fan(slx_buf *page, const slx_chart_quantiles *f)
{
    slx_axis x = {.low = NAN, .high = NAN, .whole = f->x_whole},
             y = {.low = NAN, .high = NAN, .log = f->y_log};
    SLX_ASSERT(f->n_q % 2 == 1);
    for (int i = 0; i < f->n; i++)
        for (int q = 0; q < f->n_q; q++) {
            double v = f->y[q * f->n + i];
            if (!slx_axis_shows(&x, f->x[i]) || !slx_axis_shows(&y, v)) continue;
            slx_axis_see(&x, f->x[i]);
            slx_axis_see(&y, v);
        }
    if (f->y_from_0 && !f->y_log && !isnan(y.low)) slx_axis_see(&y, 0);
    slx_chart_open(page, f->title);
    if (!slx_axis_fit(&x, LEFT, RIGHT) || !slx_axis_fit(&y, BOTTOM, TOP)) {
        slx_chart_empty(page, "No figure to show.");
        slx_chart_close(page, f->note);
        return;
    }
    slx_chart_svg(page, f->title, HEIGHT);
    slx_chart_y_axis(page, &y, LEFT, RIGHT, f->y_label);
    slx_chart_x_axis(page, &x, TOP, BOTTOM, f->x_label);
    for (int q = 0; q < f->n_q / 2; q++) add_band(page, f, &x, &y, q, f->n_q - 1 - q);
    slx_chart_point *p = slx_xcalloc((size_t)f->n + 1, sizeof *p);
    for (int i = 0; i < f->n; i++)
        p[i] = (slx_chart_point){f->x[i], f->y[f->n_q / 2 * f->n + i], NAN, NAN, NULL};
    add_line(page, &x, &y, &(slx_chart_series){.n = f->n, .p = p}, 0);
    free(p);
    slx_buf_adds(page, "</svg>\n<p class=\"note\">Line: ");
    slx_html_text(page, f->q_name[f->n_q / 2]);
    for (int q = 0; q < f->n_q / 2; q++) {
        slx_buf_adds(page, q ? ", " : "; shaded: ");
        slx_html_text(page, f->q_name[q]);
        slx_buf_adds(page, " to ");
        slx_html_text(page, f->q_name[f->n_q - 1 - q]);
    }
    slx_buf_adds(page, ".</p>\n");
    slx_chart_close(page, f->note);
}
