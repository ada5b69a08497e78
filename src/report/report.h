/* report.h - pages people open in a browser: one self-contained HTML file of text, tables and charts.
 *
 *   slx_buf page = {0};
 *   slx_html_begin(&page, "Llama-3.1-8B on 20 chips", "batch 1, context 2048");
 *   slx_html_heading(&page, "Time per token");
 *   slx_chart_lines(&page, &chart);
 *   slx_html_end(&page);
 *   slx_write_file(path, page.ptr, page.len, &err);
 *
 * No script, no font, no file from elsewhere: style and SVG stand in the page, follow the reader's choice of light or
 * dark, fit a telephone and print in light colours. Every text given is escaped. The same input gives the same bytes on
 * every host: coordinates are printed to a tenth of a unit. A figure that is not known is NAN and leaves a gap; a chart
 * without any figure says so instead of showing empty axes.
 */
#ifndef SLX_REPORT_H
#define SLX_REPORT_H

#include "base/base.h"

/* ------------------------------------------------------------------ the page */

void slx_html_begin(slx_buf *page, const char *title, const char *subtitle);
void slx_html_end(slx_buf *page);
void slx_html_text(slx_buf *page, const char *s); /* escaped, where it stands */
void slx_html_heading(slx_buf *page, const char *text);
/* What is read only on demand: closed under its summary. */
void slx_html_details_begin(slx_buf *page, const char *summary);
void slx_html_details_end(slx_buf *page);
void slx_html_paragraph(slx_buf *page, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Charts between these two stand side by side where there is room. */
void slx_html_charts_begin(slx_buf *page);
void slx_html_charts_end(slx_buf *page);

/* cell: (rows, columns), row after row; NULL and "" are empty. number: (columns) set to the right; NULL = none. A cell that
 * starts with http:// or https:// becomes a link. Columns of long text wrap; of a number, "1.2 (0.9 to 1.5)", its band goes
 * to a line of its own where there is little room. */
typedef struct {
    int columns, rows;
    const char *const *head;
    const bool *number;
    const char *const *cell;
} slx_html_table;
void slx_html_add_table(slx_buf *page, const slx_html_table *t);

/* ------------------------------------------------------------------ charts */

/* low and high: the band of y, drawn as a whisker; NAN = none. note: shown when pointed at; NULL = its numbers. */
typedef struct {
    double x, y, low, high;
    const char *note;
} slx_chart_point;

typedef struct {
    const char *name;
    int n;
    const slx_chart_point *p; /* (n) in the order of x */
    bool marks_only;          /* points without a line between them */
    int look;                 /* number of its colour and dash, from 1; 0 = its place in the chart */
    bool unnamed;             /* not in the legend: it goes with another of the same look */
} slx_chart_series;

typedef struct {
    const char *title, *x_label, *y_label;
    const char *note;  /* a line under the chart; may be NULL */
    bool x_log, y_log; /* what is not above 0 is left out of a logarithmic axis */
    bool y_from_0;
    int n;
    const slx_chart_series *series; /* (n); series with nothing to show are named as such */
    bool x_whole;                   /* no ticks between whole numbers: years */
} slx_chart;
void slx_chart_lines(slx_buf *page, const slx_chart *c);

/* One row a value, with its band as a whisker: bars from 0, or marks on a logarithmic axis. Rows stand in the order
 * given; one that is NAN says why instead. */
typedef struct {
    const char *name, *why; /* why: of a value that is NAN; NULL = "not known" */
    double value, low, high;
} slx_chart_row;

typedef struct {
    const char *title, *x_label;
    const char *note; /* may be NULL */
    bool x_log;
    int n;
    const slx_chart_row *row; /* (n) */
} slx_chart_rows;
void slx_chart_bars(slx_buf *page, const slx_chart_rows *c);

/* Quantiles over x: bands between q[0] and q[n_q-1], q[1] and q[n_q-2] .., the middle one as a line. y: (n_q, n). */
typedef struct {
    const char *title, *x_label, *y_label;
    const char *note; /* may be NULL */
    bool y_log, y_from_0;
    int n, n_q; /* n_q odd */
    const double *x, *y;
    const char *const *q_name; /* (n_q) "5 %" .. */
    bool x_whole;              /* no ticks between whole numbers: years */
} slx_chart_quantiles;
void slx_chart_fan(slx_buf *page, const slx_chart_quantiles *f);

/* What the answer becomes when one assumption takes its low and its high value: the widest row first. */
typedef struct {
    const char *name;
    double at_low, at_high;           /* the answer; NAN = it has none there */
    const char *low_text, *high_text; /* the assumption's values; may be NULL */
} slx_chart_swing;

typedef struct {
    const char *title, *x_label;
    const char *note;           /* may be NULL */
    double base;                /* the answer when every assumption is in the middle */
    int n, most;                /* most: rows shown; the rest is counted below. 0 = all */
    const slx_chart_swing *row; /* (n) */
} slx_chart_swings;
void slx_chart_tornado(slx_buf *page, const slx_chart_swings *c);

#endif
