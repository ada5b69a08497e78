/* compare_page.c - the HTML report of silex compare: answer, charts over batches, what moves it, sources. */
#include "cli/compare_int.h"
#include "isa/isa.h"
#include "report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCHES = 13 }; /* 1, 2, 4 .. 4096 */

/* One chip at every batch that its memory holds. */
typedef struct {
    int n;
    compare_point decode[BATCHES];
    slx_forward_cost
        prefill[BATCHES]; /* prompts of that many users at once; seconds.mid NAN = not told */
} sweep;

typedef struct {
    const compare_ask *ask;
    compare_row *rows;
    int n;
    sweep *at; /* (n) */
    slx_arena arena;
    slx_buf *page;
} report;

/* ------------------------------------------------------------------ the sweep */

static slx_status get_sweep(void *arg, const compare_ask *ask, int i, slx_err *err)
{
    report *r = arg;
    const compare_row *row = &r->rows[i];
    sweep *s = &r->at[i];
    if (!compare_predicted(row)) return SLX_OK;
    for (uint32_t batch = 1; batch <= ask->max_batch && s->n < BATCHES; batch *= 2) {
        compare_point *p = &s->decode[s->n];
        if (!compare_fits(row, ask, row->point.tp, batch)) break;
        SLX_TRY(compare_decode(p, row, ask, row->point.tp, batch, err));
        if (p->why) break;
        SLX_TRY(compare_prefill(&s->prefill[s->n], row, ask, row->point.tp, batch, err));
        s->n++;
        if (slx_interrupted()) return slx_fail(err, SLX_EINTERRUPTED, "", 0, 0, "interrupted");
    }
    return SLX_OK;
}

/* ------------------------------------------------------------------ charts over the batch */

/* What a chart shows of chip i at batch b: the point; NAN leaves it out. */
typedef slx_chart_point point_fn(const report *r, int i, int b);

static slx_chart_point banded(double x, slx_band y)
{
    return (slx_chart_point){.x = x, .y = y.mid, .low = y.low, .high = y.high};
}

static slx_band ms(slx_band s)
{
    return (slx_band){s.low * 1e3, s.mid * 1e3, s.high * 1e3};
}

static slx_chart_point tpot_at(const report *r, int i, int b)
{
    return banded(r->at[i].decode[b].batch, ms(r->at[i].decode[b].pass.seconds));
}

static slx_chart_point ttft_at(const report *r, int i, int b)
{
    return banded(r->at[i].decode[b].batch, ms(r->at[i].prefill[b].seconds));
}

static slx_chart_point joules_at(const report *r, int i, int b)
{
    return banded(r->at[i].decode[b].batch, r->at[i].decode[b].j_per_token);
}

/* Bands of both axes would hide the curves: the middle alone. */
static slx_chart_point dollars_at(const report *r, int i, int b)
{
    const compare_point *p = &r->at[i].decode[b];
    return (slx_chart_point){p->tok_s_user.mid, p->usd_per_mtok.mid, NAN, NAN, NULL};
}

static slx_chart_point chip_rate_at(const report *r, int i, int b)
{
    const compare_point *p = &r->at[i].decode[b];
    return (slx_chart_point){p->tok_s_user.mid, p->tok_s_chip.mid, NAN, NAN, NULL};
}

static void lines(report *r, point_fn *fn, const char *title, const char *x, const char *y,
                  const char *note)
{
    slx_chart_series *s = slx_new(&r->arena, slx_chart_series, r->n);
    for (int i = 0; i < r->n; i++) {
        slx_chart_point *p = slx_new(&r->arena, slx_chart_point, BATCHES);
        for (int b = 0; b < r->at[i].n; b++) {
            p[b] = fn(r, i, b);
            char px[32], py[32];
            p[b].note = slx_sprintf(&r->arena, "%s, batch %u: %s %s, %s %s", r->rows[i].chip->name,
                                    r->at[i].decode[b].batch, cli_digits(px, p[b].x), x,
                                    cli_digits(py, p[b].y), y);
        }
        s[i] = (slx_chart_series){
            .name = r->rows[i].chip->name, .n = r->at[i].n, .p = p, .look = i + 1};
    }
    slx_chart_lines(r->page, &(slx_chart){.title = title,
                                          .x_label = x,
                                          .y_label = y,
                                          .note = note,
                                          .x_log = true,
                                          .y_log = true,
                                          .n = r->n,
                                          .series = s});
}

/* ------------------------------------------------------------------ roofline */

/* Operations a second of products in the format that the row's weights have, and weights alone in 16 bits. */
static double peak_of(const compare_row *row)
{
    const slx_chip *c = row->chip;
    slx_chip_peaks p = slx_chip_get_peaks(c);
    if (!c->library) {
        unsigned fmt = !strcmp(row->weights, "Q4_0")   ? SLX_FMT_q4s
                       : !strcmp(row->weights, "Q8_0") ? SLX_FMT_q8s
                                                       : SLX_FMT_mxint8;
        return p.w8a8_ops / c->ten.rate.w8a8 * slx_chip_ten_rate(c, fmt);
    }
    if (!strcmp(row->dtype, "nvfp4")) return p.w4a8_ops;
    return !strcmp(row->dtype, "fp8") || !strcmp(row->dtype, "int8") ? p.w8a8_ops : p.bf16_ops;
}

/* Roofs as lines, what passes reach as marks in the same colour. */
static void roofline(report *r)
{
    slx_chart_series *s = slx_new(&r->arena, slx_chart_series, 2 * r->n);
    int n = 0;
    for (int i = 0; i < r->n; i++) {
        const slx_chip *c = r->rows[i].chip;
        double peak = peak_of(&r->rows[i]) / 1e12,
               tbs = slx_chip_get_peaks(c).hbm_bytes_s / 1e12;
        if (!r->at[i].n || !(peak > 0) || !(tbs > 0)) continue;
        slx_chart_point *roof = slx_new(&r->arena, slx_chart_point, 3),
                        *at = slx_new(&r->arena, slx_chart_point, BATCHES + 1);
        double ridge = peak / tbs, from = 1, to = 10000;
        roof[0] = (slx_chart_point){from, from * tbs, NAN, NAN, NULL};
        roof[1] = (slx_chart_point){ridge, peak, NAN, NAN, NULL};
        roof[2] = (slx_chart_point){ridge > to ? ridge : to, peak, NAN, NAN, NULL};
        int marks = 0;
        for (int b = 0; b < r->at[i].n; b++) {
            const slx_forward_cost *k = &r->at[i].decode[b].pass;
            at[marks++] =
                (slx_chart_point){k->flops / k->bytes,
                                  k->flops / k->seconds.mid / r->rows[i].point.tp / 1e12, NAN, NAN,
                                  slx_sprintf(&r->arena, "%s, decode at batch %u", c->name,
                                              r->at[i].decode[b].batch)};
        }
        const slx_forward_cost *k = &r->at[i].prefill[0];
        at[marks++] = (slx_chart_point){
            k->flops / k->bytes, k->flops / k->seconds.mid / r->rows[i].point.tp / 1e12, NAN, NAN,
            slx_sprintf(&r->arena, "%s, prefill of %u tokens", c->name, r->ask->prompt)};
        s[n++] = (slx_chart_series){.name = c->name, .n = 3, .p = roof, .look = i + 1};
        s[n++] = (slx_chart_series){.name = c->name,
                                    .n = marks,
                                    .p = at,
                                    .marks_only = true,
                                    .look = i + 1,
                                    .unnamed = true};
    }
    slx_chart_lines(r->page,
                    &(slx_chart){.title = "Roofline",
                                 .x_label = "operations a byte of memory",
                                 .y_label = "Tera-operations a second and chip",
                                 .note = "Lines: the peak of the format in use and the memory's. "
                                         "Marks: decode at batch 1, 2, 4 .. and the "
                                         "prefill of one prompt.",
                                 .x_log = true,
                                 .y_log = true,
                                 .n = n,
                                 .series = s});
}

/* ------------------------------------------------------------------ bars */

static int by_value(const void *a_, const void *b_)
{
    const slx_chart_row *a = a_, *b = b_;
    if (isnan(a->value) != isnan(b->value)) return isnan(a->value) ? 1 : -1;
    if (!isnan(a->value) && a->value != b->value) return a->value < b->value ? -1 : 1;
    return strcmp(a->name, b->name);
}

static void bars(report *r, const char *title, const char *unit, int target, bool dollars)
{
    slx_chart_row *row = slx_new(&r->arena, slx_chart_row, r->n);
    int n = 0;
    for (int i = 0; i < r->n; i++) {
        const compare_point *p = target < 0 ? &r->rows[i].point : &r->rows[i].target[target];
        if (!compare_predicted(&r->rows[i])) continue;
        slx_band v = p->why    ? (slx_band){NAN, NAN, NAN}
                     : dollars ? p->usd_per_mtok
                               : p->j_per_token;
        row[n++] = (slx_chart_row){r->rows[i].chip->name,
                                   p->why ? "no batch reaches this" : "not published", v.mid, v.low,
                                   v.high};
    }
    qsort(row, (size_t)n, sizeof *row, by_value);
    slx_chart_bars(r->page, &(slx_chart_rows){title, unit, NULL, true, n, row});
}

/* ------------------------------------------------------------------ tables */

static const char *figure(report *r, slx_band v, bool band)
{
    char low[32], mid[32], high[32];
    if (isnan(v.mid)) return "not published";
    if (!band || v.low == v.high) return slx_strdup(&r->arena, cli_digits(mid, v.mid));
    return slx_sprintf(&r->arena, "%s (%s-%s)", cli_digits(mid, v.mid), cli_digits(low, v.low),
                       cli_digits(high, v.high));
}

typedef enum {
    CHIP,
    CHIPS,
    BATCH,
    TTFT,
    TPOT,
    USER,
    RATE,
    JOULES,
    DOLLARS,
    BASIS,
    WATTS,
    FORMATS,
    HOW,
    BOUND,
    COLUMNS
} column;
static const struct {
    const char *name;
    bool number;
} columns[COLUMNS] = {{"chip", false},      {"chips", true},      {"batch", true},
                      {"TTFT, ms", true},   {"ms a token", true}, {"tok/s/user", true},
                      {"tok/s/chip", true}, {"J/token", true},    {"$/Mtoken", true},
                      {"of a chip's", false},
                      {"W a chip", true},   {"weights, KV", false},
                      {"timed by", false},  {"limited by", false}};

static const char *cell_of(report *r, const compare_row *row, const compare_point *p, column c)
{
    double watts = p->pass.power_w;
    switch (c) {
    case CHIP: return row->chip->name;
    case CHIPS: return slx_sprintf(&r->arena, "%u", p->tp);
    case BATCH: return slx_sprintf(&r->arena, "%u", p->batch);
    case TTFT: return row->ttft_why ? "not told" : figure(r, ms(row->prefill.seconds), true);
    case TPOT: return figure(r, ms(p->pass.seconds), true);
    case USER: return figure(r, p->tok_s_user, true);
    case RATE: return figure(r, p->tok_s_chip, true);
    case JOULES: return figure(r, p->j_per_token, true);
    case DOLLARS: return figure(r, p->usd_per_mtok, true);
    case BASIS: return slx_price_basis_name(row->cost.basis);
    case FORMATS: return slx_sprintf(&r->arena, "%s, %s", row->weights, row->kv_cache);
    case WATTS: return figure(r, (slx_band){watts, watts, watts}, false);
    case HOW: return p->pass.timed_by;
    case BOUND: return p->pass.bound_by;
    case COLUMNS: break;
    }
    return "";
}

/* Chips share a sequence at the batch asked: there tokens a chip say nothing new. A target has no prompt. */
static bool left_out(int c, int target)
{
    return target < 0 ? c == RATE : c == TTFT;
}

/* target -1: at the batch asked. */
static void point_table(report *r, int target)
{
    const char **cell = slx_new(&r->arena, const char *, COLUMNS * r->n), *head[COLUMNS];
    bool number[COLUMNS];
    int rows = 0, wide = 0, at = 0;
    for (int c = 0; c < COLUMNS; c++) {
        if (left_out(c, target)) continue;
        head[wide] = columns[c].name;
        number[wide++] = columns[c].number;
    }
    for (int i = 0; i < r->n; i++) {
        const compare_point *p = target < 0 ? &r->rows[i].point : &r->rows[i].target[target];
        if (p->why) continue;
        for (int c = 0; c < COLUMNS; c++)
            if (!left_out(c, target)) cell[at++] = cell_of(r, &r->rows[i], p, (column)c);
        rows++;
    }
    if (rows)
        slx_html_add_table(r->page, &(slx_html_table){wide, rows, head, number, cell});
    else
        slx_html_paragraph(r->page, "None.");
}

static void capped_note(report *r, int target)
{
    slx_buf names = {0};
    for (int i = 0; i < r->n; i++)
        if (compare_capped(&r->rows[i].target[target], r->ask, target))
            slx_buf_addf(&names, "%s%s", names.len ? ", " : "", r->rows[i].chip->name);
    if (names.len) slx_html_paragraph(r->page, "Held back by the largest batch tried, not by the time: %s.", names.ptr);
    slx_buf_free(&names);
}

static void missing_table(report *r)
{
    static const char *const head[] = {"chip", "what cannot be told, and why"};
    const char **cell = slx_new(&r->arena, const char *, (CLI_LIST_MAX + 5) * 2 * r->n);
    int rows = 0;
    for (int i = 0; i < r->n; i++) {
        const compare_row *row = &r->rows[i];
        const char *name = row->chip->name;
#define SAY(...) (cell[2 * rows] = name, cell[2 * rows++ + 1] = slx_sprintf(&r->arena, __VA_ARGS__))
        if (row->point.why) {
            SAY("%s", row->point.why);
            continue;
        }
        if (row->n_inferred) {
            slx_buf keys = {0};
            for (int k = 0; k < row->n_inferred; k++)
                slx_buf_addf(&keys, "%s%s", k ? ", " : "", row->inferred[k]);
            SAY("not published, and taken from the chip's family for its times: %s", keys.ptr);
            slx_buf_free(&keys);
        }
        if (row->ttft_why) SAY("TTFT: %s", row->ttft_why);
        if (row->point.usd_why) SAY("dollars: %s", row->point.usd_why);
        if (row->point.j_why) SAY("joules: %s", row->point.j_why);
        for (int t = 0; t < r->ask->n_targets; t++)
            if (row->target[t].why)
                SAY("at %.4g ms a token: %s", r->ask->target_s[t] * 1e3, row->target[t].why);
#undef SAY
    }
    if (!rows) return;
    slx_html_heading(r->page, "Not told");
    slx_html_add_table(r->page, &(slx_html_table){2, rows, head, NULL, cell});
}

static const char *within(report *r, double pm)
{
    return pm > 0 ? slx_sprintf(&r->arena, "%.3g %%", 100 * pm) : "";
}

static void chip_sources(report *r, const compare_row *row)
{
    static const char *const head[] = {"key", "value", "unit", "within", "source"};
    static const bool number[] = {false, true, false, true, false};
    slx_chip_fig f;
    int rows = 0, n = 0;
    char text[64];
    for (int i = 0; slx_chip_next_figure(row->chip, &i, &f); i++) n++;
    const char **cell = slx_new(&r->arena, const char *, 5 * n);
    for (int i = 0; slx_chip_next_figure(row->chip, &i, &f); i++) {
        const char **c = cell + 5 * rows++;
        snprintf(text, sizeof text, "%.6g", f.value);
        c[0] = f.key;
        c[1] = slx_strdup(&r->arena, f.text ? f.text : text);
        c[2] = f.unit;
        c[3] = f.from ? within(r, f.from->pm) : "";
        c[4] = f.from ? f.from->from : "";
    }
    slx_html_details_begin(r->page, slx_sprintf(&r->arena, "%s: weights %s, KV cache %s",
                                                row->chip->name, row->weights, row->kv_cache));
    slx_html_add_table(r->page, &(slx_html_table){5, rows, head, number, cell});
    slx_html_details_end(r->page);
}

static void cost_sources(report *r)
{
    static const char *const head[] = {"constant", "low", "mid", "high", "unit", "source"};
    static const bool number[] = {false, true, true, true, false, false};
    const slx_constants *k = r->ask->constants;
    int n = slx_constants_count(k);
    const char **cell = slx_new(&r->arena, const char *, 6 * n);
    for (int i = 0; i < n; i++) {
        const char **c = cell + 6 * i;
        slx_band v = slx_constants_row(k, i);
        c[0] = slx_constants_name(k, i);
        c[1] = slx_sprintf(&r->arena, "%.6g", v.low);
        c[2] = slx_sprintf(&r->arena, "%.6g", v.mid);
        c[3] = slx_sprintf(&r->arena, "%.6g", v.high);
        c[4] = slx_constants_unit(k, i);
        c[5] = slx_constants_source(k, i);
    }
    slx_html_details_begin(r->page, "Prices, yields and other constants");
    slx_html_add_table(r->page, &(slx_html_table){6, n, head, number, cell});
    slx_html_details_end(r->page);
}

/* ------------------------------------------------------------------ the page */

static void answer(report *r)
{
    const compare_row *fast = NULL, *cheap = NULL;
    int t = 0;
    for (int i = 0; i < r->n; i++) {
        const compare_row *row = &r->rows[i];
        if (!row->point.why &&
            (!fast || row->point.pass.seconds.mid < fast->point.pass.seconds.mid))
            fast = row;
        if (r->ask->n_targets && !row->target[t].why && !isnan(row->target[t].usd_per_mtok.mid) &&
            (!cheap || row->target[t].usd_per_mtok.mid < cheap->target[t].usd_per_mtok.mid))
            cheap = row;
    }
    if (!fast) {
        slx_html_paragraph(r->page, "No chip can be told for this model; the reasons are below.");
        return;
    }
    char a[32], b[32], c[32], d[32];
    slx_html_paragraph(
        r->page, "Fastest for one user: %s, %s tokens a second at batch %u (%s to %s).",
        fast->chip->name, cli_digits(a, fast->point.tok_s_user.mid), fast->point.batch,
        cli_digits(b, fast->point.tok_s_user.low), cli_digits(c, fast->point.tok_s_user.high));
    if (cheap)
        slx_html_paragraph(r->page,
                           "Cheapest at %s ms a token: %s, $%s a million tokens (%s to %s).",
                           cli_digits(d, r->ask->target_s[t] * 1e3), cheap->chip->name,
                           cli_digits(a, cheap->target[t].usd_per_mtok.mid),
                           cli_digits(b, cheap->target[t].usd_per_mtok.low),
                           cli_digits(c, cheap->target[t].usd_per_mtok.high));
}

static slx_status tornados(report *r, slx_err *err)
{
    const compare_row *own = NULL, *cheap = NULL;
    slx_html_heading(r->page, "What moves the answer most");
    slx_html_paragraph(r->page, "Each assumption alone goes to its low and its high value; batch "
                                "and chips stay. Figures of a chip "
                                "move within what its source allows, prices and yields within "
                                "data/cost.csv and data/silicon.csv.");
    for (int i = 0; i < r->n; i++) {
        compare_row *row = &r->rows[i];
        if (row->point.why) continue;
        if (!row->chip->library && !own) own = row;
        if (row->chip->library &&
            (!cheap || compare_answer(row, r->ask) < compare_answer(cheap, r->ask)))
            cheap = row;
    }
    slx_html_charts_begin(r->page);
    slx_status st = SLX_OK;
    const compare_row *two[] = {own, cheap};
    for (int i = 0; i < 2 && st == SLX_OK; i++)
        if (two[i]) st = compare_tornado(r->page, two[i], r->ask, err);
    slx_html_charts_end(r->page);
    return st;
}

static slx_status write_report(report *r, slx_err *err)
{
    const compare_ask *ask = r->ask;
    slx_buf *page = r->page;
    char text[200], d[32];
    snprintf(text, sizeof text, "%.80s on %d chips", ask->model->name, r->n);
    slx_html_begin(
        page, text,
        slx_sprintf(&r->arena,
                    "Weights of %d bits, KV cache of %d; prompt of %u tokens, context of %u.",
                    ask->weight_bits, ask->kv_bits, ask->prompt, ask->context));
    answer(r);
    slx_html_heading(page, slx_sprintf(&r->arena, "At batch %u", ask->batch));
    point_table(r, -1);
    for (int t = 0; t < ask->n_targets; t++) {
        slx_html_heading(page, slx_sprintf(&r->arena, "At most %s ms a token",
                                           cli_digits(d, ask->target_s[t] * 1e3)));
        slx_html_paragraph(
            page,
            "The batch, up to %u, and the number of chips with most tokens a second and chip.",
            ask->max_batch);
        point_table(r, t);
        capped_note(r, t);
    }
    slx_html_heading(page, "Charts");
    slx_html_paragraph(page, "Whiskers: low and high. A chip is shown at every batch that its "
                             "memory holds, on as many chips as in the "
                             "first table; pointing at a line brings it forward.");
    slx_html_charts_begin(page);
    lines(r, tpot_at, "Time a token", "batch", "ms a token", NULL);
    lines(r, ttft_at, "Time to first token", "batch", "ms",
          slx_sprintf(&r->arena, "Prompts of %u tokens that arrive together.", ask->prompt));
    lines(r, joules_at, "Energy", "batch", "J a token", NULL);
    lines(r, dollars_at, "Cost against interactivity", "tokens a second and user",
          "$ a million tokens", NULL);
    lines(r, chip_rate_at, "Throughput against interactivity", "tokens a second and user",
          "tokens a second and chip", NULL);
    roofline(r);
    int at = ask->n_targets ? 0 : -1;
    const char *where =
        at < 0 ? slx_sprintf(&r->arena, "at batch %u", ask->batch)
               : slx_sprintf(&r->arena, "at %s ms a token", cli_digits(d, ask->target_s[0] * 1e3));
    bars(r, slx_sprintf(&r->arena, "Cost %s", where), "$ a million tokens", at, true);
    bars(r, slx_sprintf(&r->arena, "Energy %s", where), "J a token", at, false);
    slx_html_charts_end(page);
    SLX_TRY(tornados(r, err));
    missing_table(r);
    slx_html_heading(page, "Sources");
    for (int i = 0; i < r->n; i++) chip_sources(r, &r->rows[i]);
    cost_sources(r);
    slx_html_end(page);
    return SLX_OK;
}

slx_status compare_write_page(const char *path, const compare_ask *ask, compare_workers *w,
                              compare_row *rows, int n, slx_err *err)
{
    slx_buf page = {0};
    report r = {.ask = ask, .rows = rows, .n = n, .page = &page};
    slx_arena_init(&r.arena);
    r.at = slx_xcalloc((size_t)n + 1, sizeof *r.at);
    slx_status st = compare_each(w, rows, n, get_sweep, &r, "charts", err);
    if (st == SLX_OK) st = write_report(&r, err);
    if (st == SLX_OK) st = slx_write_file(path, page.ptr, page.len, err);
    slx_buf_free(&page);
    slx_arena_deinit(&r.arena);
    free(r.at);
    return st;
}
