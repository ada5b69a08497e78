/* html.c - the page around charts: head, style, text, tables. */
#include "report/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Colours: eight hues that people with colour-deficient sight tell apart, darker on light ground and lighter on dark.
 * Series beyond the eighth repeat them dashed. */
static const char style[] =
    ":root{color-scheme:light "
    "dark;--bg:#fff;--fg:#1b1f24;--dim:#5b6570;--line:#d8dde3;--panel:#f6f8fa;"
    "--k0:#0063a6;--k1:#b34700;--k2:#00724d;--k3:#a3367c;--k4:#8a6d00;--k5:#2b8cbe;--k6:#5b4bb5;--"
    "k7:#555}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e4e8ec;--dim:#9aa5b1;--line:#"
    "343b43;"
    "--panel:#1c2127;--k0:#6cb6ff;--k1:#ff9e64;--k2:#4fd1a1;--k3:#f28cc8;--k4:#e6c84b;--k5:#8fd3f4;"
    "--k6:#b3a6ff;--k7:#c0c4c8}}\n"
    "@media print{:root{color-scheme:light;--bg:#fff;--fg:#000;--dim:#444;--line:#ccc;--panel:#fff;"
    "--k0:#0063a6;--k1:#b34700;--k2:#00724d;--k3:#a3367c;--k4:#8a6d00;--k5:#2b8cbe;--k6:#5b4bb5;--"
    "k7:#555}"
    "figure,tr{break-inside:avoid}h2,h2+p{break-after:avoid}.charts{grid-template-columns:1fr "
    "1fr!important;gap:8px!important}main{max-width:none!important;padding:0!"
    "important}"
    ".wide{overflow:visible!important}table{font-size:9px!important}"
    "td:not(.n){overflow-wrap:anywhere!important}td.t{min-width:20ch!important}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\n"
    "main{max-width:1360px;margin:0 auto;padding:16px}h1{font-size:1.6em;margin:.4em 0 "
    "0;line-height:1.2}"
    "h2{font-size:1.15em;margin:1.8em 0 .4em}.sub{color:var(--dim);margin:.2em 0 1em}p{margin:.5em "
    "0;"
    "max-width:80ch;overflow-wrap:anywhere}a{color:var(--k0)}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px;font-variant-numeric:"
    "tabular-nums}"
    "th,td{padding:3px 8px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}"
    "th{color:var(--dim);font-weight:600;vertical-align:bottom}td.n,th.n{text-align:right}"
    "td.n{white-space:nowrap}td:not(.n){overflow-wrap:break-word}"
    "td.t{min-width:26ch;overflow-wrap:anywhere}"
    "td:first-child:not(.t),th:first-child{white-space:nowrap}"
    "@media print,(max-width:1300px){td.n span{display:block}}"
    "tr:hover td{background:var(--panel)}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,460px),1fr));gap:"
    "16px}"
    "figure{margin:0;padding:10px;background:var(--panel);border:1px solid "
    "var(--line);border-radius:6px;"
    "min-width:0}figcaption{font-weight:600;margin-bottom:4px}figure "
    "svg.chart{width:100%;height:auto;"
    "display:block}.note,.none{color:var(--dim);font-size:13px;margin:4px 0 0}\n"
    "svg text{font-size:13px;fill:var(--fg)}svg "
    "text.t{fill:var(--dim)}.g{stroke:var(--line);stroke-width:1}"
    ".a{stroke:var(--dim);stroke-width:1}.l{fill:none;stroke:var(--c);stroke-width:2;"
    "stroke-linejoin:round}.m{fill:var(--c);stroke:var(--panel);stroke-width:1}.w{fill:none;"
    "stroke:var(--c);stroke-width:1.2}.b{fill:var(--c)}.f{fill:var(--c);opacity:.22}"
    ".d1{stroke-dasharray:7 4}.d2{stroke-dasharray:2 3}.d3{stroke-dasharray:9 3 2 3}"
    ".whole{stroke:var(--fg);stroke-width:1.2}svg.chart:hover .s{opacity:.3}"
    "svg.chart .s:hover{opacity:1}svg.chart .s:hover .l{stroke-width:3}\n"
    "@media(max-width:560px){td.t{min-width:14ch}"
    "td:first-child:not(.t){white-space:normal}svg.chart text{font-size:15px}figure{padding:6px}}\n"
    "details{margin:6px 0}summary{cursor:pointer;font-weight:600}"
    "ul.legend{list-style:none;margin:4px 0 0;padding:0;display:flex;flex-wrap:wrap;gap:2px 14px;"
    "font-size:13px}ul.legend svg{width:26px;height:10px;margin-right:5px}\n";

void slx_html_text(slx_buf *page, const char *s)
{
    for (; *s; s++) {
        switch (*s) {
        case '<': slx_buf_adds(page, "&lt;"); break;
        case '>': slx_buf_adds(page, "&gt;"); break;
        case '&': slx_buf_adds(page, "&amp;"); break;
        case '"': slx_buf_adds(page, "&quot;"); break;
        default: slx_buf_addc(page, *s);
        }
    }
}

static void tagged(slx_buf *page, const char *open, const char *text, const char *close)
{
    slx_buf_adds(page, open);
    slx_html_text(page, text);
    slx_buf_adds(page, close);
}

void slx_html_begin(slx_buf *page, const char *title, const char *subtitle)
{
    slx_buf_adds(page, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                       "<link rel=\"icon\" href=\"data:,\">\n");
    tagged(page, "<title>", title, "</title>\n<style>\n");
    slx_buf_adds(page, style);
    for (int i = 0; i < 8; i++) slx_buf_addf(page, ".c%d{--c:var(--k%d)}", i, i);
    tagged(page, "\n</style>\n</head>\n<body>\n<main>\n<h1>", title, "</h1>\n");
    tagged(page, "<p class=\"sub\">", subtitle, "</p>\n");
}

void slx_html_end(slx_buf *page)
{
    slx_buf_adds(page, "</main>\n</body>\n</html>\n");
}

void slx_html_heading(slx_buf *page, const char *text)
{
    tagged(page, "<h2>", text, "</h2>\n");
}

void slx_html_paragraph(slx_buf *page, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    SLX_ASSERT(n >= 0 && n < (int)sizeof text);
    tagged(page, "<p>", text, "</p>\n");
}

void slx_html_details_begin(slx_buf *page, const char *summary)
{
    tagged(page, "<details>\n<summary>", summary, "</summary>\n");
}

void slx_html_details_end(slx_buf *page)
{
    slx_buf_adds(page, "</details>\n");
}

void slx_html_charts_begin(slx_buf *page)
{
    slx_buf_adds(page, "<div class=\"charts\">\n");
}

void slx_html_charts_end(slx_buf *page)
{
    slx_buf_adds(page, "</div>\n");
}

/* ------------------------------------------------------------------ tables */

static size_t address_length(const char *s)
{
    if (strncmp(s, "https://", 8) && strncmp(s, "http://", 7)) return 0;
    return strcspn(s, " ;,()<>\"'");
}

/* A number, and its band in brackets: on a line of its own where there is little room. */
static void add_number(slx_buf *page, const char *s)
{
    const char *band = s ? strchr(s, '(') : NULL;
    if (!s) return;
    if (!band || band == s) {
        slx_html_text(page, s);
        return;
    }
    slx_buf value = {0};
    slx_buf_add(&value, s, (size_t)(band - s));
    tagged(page, "", value.ptr, "<span>");
    tagged(page, "", band, "</span>");
    slx_buf_free(&value);
}

static void add_cell(slx_buf *page, const char *s)
{
    size_t n = s ? address_length(s) : 0;
    if (s && s[n] && n && s[n - 1] == ':') n--; /* "https://x: what it says" */
    if (n) {
        slx_buf link = {0};
        slx_buf_add(&link, s, n);
        tagged(page, "<a href=\"", link.ptr, "\">");
        tagged(page, "", link.ptr, "</a>");
        slx_buf_free(&link);
    }
    if (s) slx_html_text(page, s + n);
}

static bool number(const slx_html_table *t, int column)
{
    return t->number && t->number[column];
}

/* Has the column text that fills lines? */
static bool is_long(const slx_html_table *t, int column)
{
    enum { LONG = 30 };
    for (int r = 0; r < t->rows; r++) {
        const char *s = t->cell[r * t->columns + column];
        if (s && strlen(s) > LONG) return true;
    }
    return false;
}

void slx_html_add_table(slx_buf *page, const slx_html_table *t)
{
    bool *wraps = slx_xcalloc((size_t)t->columns, sizeof *wraps);
    for (int c = 0; c < t->columns; c++) wraps[c] = is_long(t, c);
    slx_buf_adds(page, "<div class=\"wide\"><table>\n<thead><tr>");
    for (int c = 0; c < t->columns; c++)
        tagged(page, number(t, c) ? "<th class=\"n\">" : "<th>", t->head[c], "</th>");
    slx_buf_adds(page, "</tr></thead>\n<tbody>\n");
    for (int r = 0; r < t->rows; r++) {
        slx_buf_adds(page, "<tr>");
        for (int c = 0; c < t->columns; c++) {
            const char *cell = t->cell[r * t->columns + c];
            if (number(t, c)) {
                slx_buf_adds(page, "<td class=\"n\">");
                add_number(page, cell);
            } else {
                slx_buf_adds(page, wraps[c] ? "<td class=\"t\">" : "<td>");
                add_cell(page, cell);
            }
            slx_buf_adds(page, "</td>");
        }
        slx_buf_adds(page, "</tr>\n");
    }
    slx_buf_adds(page, "</tbody>\n</table></div>\n");
    free(wraps);
}
