/* axis.c - where a value lies in a drawing, which values an axis names, and the frame of a chart. */
#include "report/report_int.h"

bool slx_axis_shows(const slx_axis *a, double v)
{
    return isfinite(v) && (!a->log || v > 0);
}

void slx_axis_see(slx_axis *a, double v)
{
    if (!slx_axis_shows(a, v)) return;
    if (!(v >= a->low)) a->low = v;
    if (!(v <= a->high)) a->high = v;
}

static void add_tick(slx_axis *a, double v)
{
    SLX_ASSERT(a->n < TICKS_MAX);
    a->tick[a->n++] = v;
}

/* 1, 2 or 5 times a power of ten: the least that is at least v, or the greatest at most v. */
static double nice(double v, bool above)
{
    static const double mantissa[] = {0.5, 1, 2, 5, 10, 20};
    double p = pow(10, floor(log10(v)));
    int i = 0;
    while (mantissa[i] * p < v * (1 - 1e-9)) i++;
    return above || mantissa[i] * p <= v * (1 + 1e-9) ? mantissa[i] * p : mantissa[i - 1] * p;
}

static void fit_linear(slx_axis *a)
{
    double span = a->high - a->low, most = fmax(fabs(a->low), fabs(a->high));
    if (!(span > most * 1e-9)) { /* one value: room on both sides of it */
        double room = most > 0 && !a->whole ? most / 2 : 1;
        a->low -= room;
        a->high += room;
        span = a->high - a->low;
    }
    double step = nice(span / 6, true);
    if (a->whole) step = fmax(step, 1);
    a->from = floor(a->low / step + 1e-9) * step;
    a->to = ceil(a->high / step - 1e-9) * step;
    int n = (int)((a->to - a->from) / step + 0.5);
    for (int i = 0; i <= n && a->n < TICKS_MAX; i++) add_tick(a, a->from + i * step);
}

static void fit_log(slx_axis *a)
{
    a->from = nice(a->low, false);
    a->to = nice(a->high, true);
    if (a->from >= a->to) {
        a->from /= 2;
        a->to *= 2;
    }
    double decades = log10(a->to / a->from);
    if (decades < 2.5) {
        for (double v = a->from; v < a->to * 1.001 && a->n < TICKS_MAX; v = nice(v * 1.01, true))
            add_tick(a, v);
        return;
    }
    int every = (int)ceil(decades / 7), first = (int)ceil(log10(a->from) - 1e-9);
    for (int k = first; k <= log10(a->to) + 1e-9; k += every) add_tick(a, pow(10, k));
}

bool slx_axis_fit(slx_axis *a, double at_from, double at_to)
{
    if (isnan(a->low) || isnan(a->high)) return false;
    a->at_from = at_from;
    a->at_to = at_to;
    a->n = 0;
    if (a->log)
        fit_log(a);
    else
        fit_linear(a);
    return true;
}

double slx_axis_at(const slx_axis *a, double v)
{
    double share =
        a->log ? log10(v / a->from) / log10(a->to / a->from) : (v - a->from) / (a->to - a->from);
    return a->at_from + share * (a->at_to - a->at_from);
}

const char *slx_chart_number(char out[32], double v)
{
    static const char prefix[] = " kMGTPE";
    int i = 0;
    double shown = v;
    if (fabs(v) < 9999.5 && v == floor(v)) { /* years, batches */
        snprintf(out, 32, "%.0f", v);
        return out;
    }
    for (; fabs(shown) >= 999.5 && i < 6; i++) shown /= 1000;
    if (fabs(shown) < 1e-12) shown = 0;
    snprintf(out, 32, "%.3g%.*s", shown, i > 0, prefix + i);
    return out;
}

/* ------------------------------------------------------------------ the frame */

void slx_chart_text(slx_buf *page, double x, double y, const char *anchor, const char *text)
{
    slx_buf_addf(page, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    slx_html_text(page, text);
    slx_buf_adds(page, "</text>\n");
}

void slx_chart_title(slx_buf *page, const char *text)
{
    slx_buf_adds(page, "<title>");
    slx_html_text(page, text);
    slx_buf_adds(page, "</title>");
}

void slx_chart_open(slx_buf *page, const char *title)
{
    slx_buf_adds(page, "<figure>\n<figcaption>");
    slx_html_text(page, title);
    slx_buf_adds(page, "</figcaption>\n");
}

void slx_chart_empty(slx_buf *page, const char *why)
{
    slx_buf_adds(page, "<p class=\"none\">");
    slx_html_text(page, why);
    slx_buf_adds(page, "</p>\n");
}

void slx_chart_svg(slx_buf *page, const char *title, double height)
{
    slx_buf_addf(page, "<svg class=\"chart\" viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"",
                 WIDTH, height);
    slx_html_text(page, title);
    slx_buf_adds(page, "\">\n");
}

void slx_chart_close(slx_buf *page, const char *note)
{
    if (note) {
        slx_buf_adds(page, "<p class=\"note\">");
        slx_html_text(page, note);
        slx_buf_adds(page, "</p>\n");
    }
    slx_buf_adds(page, "</figure>\n");
}

void slx_chart_x_axis(slx_buf *page, const slx_axis *x, double top, double bottom,
                      const char *label)
{
    char text[32];
    for (int i = 0; i < x->n; i++) {
        double at = slx_axis_at(x, x->tick[i]);
        slx_buf_addf(page, "<path class=\"g\" d=\"M%.1f %.1fV%.1f\"/>", at, top, bottom);
        slx_buf_addf(page,
                     "<text class=\"t\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
                     at, bottom + 16, slx_chart_number(text, x->tick[i]));
    }
    slx_buf_addf(page, "<path class=\"a\" d=\"M%.1f %.1fH%.1f\"/>\n", x->at_from, bottom, x->at_to);
    slx_chart_text(page, (x->at_from + x->at_to) / 2, bottom + 36, "middle", label);
}

void slx_chart_y_axis(slx_buf *page, const slx_axis *y, double left, double right,
                      const char *label)
{
    char text[32];
    for (int i = 0; i < y->n; i++) {
        double at = slx_axis_at(y, y->tick[i]);
        slx_buf_addf(page, "<path class=\"g\" d=\"M%.1f %.1fH%.1f\"/>", left, at, right);
        slx_buf_addf(page,
                     "<text class=\"t\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                     left - 6, at + 4, slx_chart_number(text, y->tick[i]));
    }
    slx_buf_addf(page, "<path class=\"a\" d=\"M%.1f %.1fV%.1f\"/>\n", left, y->at_from, y->at_to);
    slx_buf_addf(page, "<text transform=\"translate(13 %.1f) rotate(-90)\" text-anchor=\"middle\">",
                 (y->at_from + y->at_to) / 2);
    slx_html_text(page, label);
    slx_buf_adds(page, "</text>\n");
}
