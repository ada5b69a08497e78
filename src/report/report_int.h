/* report_int.h - axes and frames of charts, inside this layer.
 *
 *   0 ------------------------------ WIDTH
 *   |        top                        |
 *   | y label, |  plot: x.at(v), y.at(v) |
 *   |  ticks   |_________________________|
 *   |             ticks, x label         |
 */
#ifndef SLX_REPORT_INT_H
#define SLX_REPORT_INT_H

#include "report/report.h"

#include <math.h>

enum { WIDTH = 560, TICKS_MAX = 16, COLOURS = 8, DASHES = 4 };

typedef struct {
    double low, high; /* of the values shown; NAN until one was seen */
    bool log;
    bool whole;       /* ticks at whole numbers alone */
    double from, to; /* ends of the axis, and where they lie in the drawing */
    double at_from, at_to;
    int n;
    double tick[TICKS_MAX];
} slx_axis;

void slx_axis_see(slx_axis *a, double v); /* skips NAN, infinities, and what a logarithm has not */
bool slx_axis_shows(const slx_axis *a, double v);
/* Rounds the ends to ticks; false when nothing was seen. */
bool slx_axis_fit(slx_axis *a, double at_from, double at_to);
double slx_axis_at(const slx_axis *a, double v);

/* "0.05", "20", "3k", "1.2M": for ticks and titles. */
const char *slx_chart_number(char out[32], double v);

void slx_chart_open(slx_buf *page, const char *title);               /* <figure> and its caption */
void slx_chart_empty(slx_buf *page, const char *why);                /* instead of a drawing */
void slx_chart_svg(slx_buf *page, const char *title, double height); /* <svg> */
void slx_chart_close(slx_buf *page, const char *note);               /* note may be NULL */
/* Grid, ticks and label of the axis at the bottom, or at the left. */
void slx_chart_x_axis(slx_buf *page, const slx_axis *x, double top, double bottom,
                      const char *label);
void slx_chart_y_axis(slx_buf *page, const slx_axis *y, double left, double right,
                      const char *label);
/* <text>, escaped. anchor: "start", "middle", "end". */
void slx_chart_text(slx_buf *page, double x, double y, const char *anchor, const char *text);
void slx_chart_title(slx_buf *page, const char *text); /* <title>, escaped */

#endif
