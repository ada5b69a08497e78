/* fit.c - fits a chip's numbers of its vendor's library to one half of measured rows, and shows the error on the other.
 *
 *   fit DATA CHIP SECTION [--rounds N] [--rows N]        DATA: the folder of full sets (aiconfigurator/, llmcompass/)
 *
 * Prints the section for the chip's file with its band, and what the test half says. Only the fit half is ever looked
 * at before that. Nelder-Mead in log space from the numbers the chip has, with restarts; the loss is
 * mean |r-1| + mean |ln r| / 2, r = predicted/measured. The search sees a sample of the rows, the last rounds all.
 * Every number has bounds; one that ends at a bound says that its term should be dropped.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "chip/chip.h"
#include "validate/validate.h"

enum { PARAMS = 16, SETS = 4 };

typedef struct {
    const char *key;
    double *at; /* in the chip's given numbers */
    double low, high;
} param;

typedef struct {
    slx_chip *chip;
    param p[PARAMS];
    int n;
    slx_rows fit, all; /* sample, whole fit half */
} job;

/* ------------------------------------------------------------------ what is fitted */

#define P(section, key, low, high)                                                                 \
    {                                                                                              \
#key, offsetof(slx_lib_numbers, section.key), low, high                                    \
    }
typedef struct {
    const char *key;
    size_t at;
    double low, high;
} param_row;

typedef struct {
    const char *section, *prefix; /* names of its sets: prefix-CHIP */
    const char *suffix;
    param_row p[PARAMS];
} section_row;

static const section_row sections[] = {
    {"gemm",
     "gemm",
     "",
     {P(gemm[0], t0_us, 0.5, 60), P(gemm[0], fill_us, 0.02, 5), P(gemm[0], e_hbm, 0.4, 1),
      P(gemm[0], unit_gbs, 10, 600), P(gemm[0], step_us, 0.01, 1), P(gemm[0], red_us, 0.3, 40),
      P(gemm[0], f_thr, 0.3, 1), P(gemm[0], c_res, 0.02, 1.5), P(gemm[0], l2_tbs, 0.5, 60),
      P(gemm[0], p, 1.2, 8)}},
    {"gemm_8bit",
     "gemm",
     "-fp8",
     {P(gemm[1], t0_us, 0.5, 60), P(gemm[1], q_us, 0.1, 40), P(gemm[1], q_row_us, 0.005, 5),
      P(gemm[1], q_tbs, 0.2, 20), P(gemm[1], step_us, 0.01, 1), P(gemm[1], f_thr, 0.3, 1),
      P(gemm[1], fill_us, 0.02, 5), P(gemm[1], red_us, 0.3, 40), P(gemm[1], unit_gbs, 10, 600),
      P(gemm[1], e_hbm, 0.4, 1)}},
    {"gemm_int8",
     "gemm",
     "-int8",
     {P(gemm[1], q_us, 0.1, 40), P(gemm[1], q_row_us, 0.005, 5), P(gemm[1], q_tbs, 0.2, 20),
      P(gemm[1], step_us, 0.01, 1), P(gemm[1], f_thr, 0.3, 1), P(gemm[1], fill_us, 0.02, 5),
      P(gemm[1], red_us, 0.3, 40), P(gemm[1], unit_gbs, 10, 600), P(gemm[1], e_hbm, 0.4, 1)}},
    {"gemm_4bit",
     "gemm",
     "-nvfp4",
     {P(gemm[2], q_us, 0.1, 40), P(gemm[2], q_row_us, 0.005, 5), P(gemm[2], q_tbs, 0.2, 20),
      P(gemm[2], step_us, 0.005, 1), P(gemm[2], f_thr, 0.2, 1), P(gemm[2], fill_us, 0.02, 5),
      P(gemm[2], unit_gbs, 10, 600), P(gemm[2], e_hbm, 0.4, 1)}},
    {"gemm_wo",
     "gemm",
     "-int8-wo",
     {P(gemm[3], t0_us, 0.5, 60), P(gemm[3], fill_us, 0.02, 5), P(gemm[3], e_hbm, 0.3, 1),
      P(gemm[3], unit_gbs, 10, 600), P(gemm[3], step_us, 0.01, 2), P(gemm[3], red_us, 0.3, 40),
      P(gemm[3], f_thr, 0.1, 1), P(gemm[3], e_mac, 0.1, 1), P(gemm[3], p, 1.2, 8)}},
    {"decode",
     "decode",
     "",
     {P(decode, row_ns, 0.005, 5), P(decode, t0_us, 1, 60), P(decode, cta_us, 0.1, 10),
      P(decode, e_hbm, 0.4, 1), P(decode, unit_gbs, 10, 400), P(decode, l2_tbs, 0.5, 60),
      P(decode, comb_us, 0.05, 20), P(decode, c_res, 0.02, 1.5), P(decode, q_geps, 2, 400),
      P(decode, split_us, 0.005, 2), P(decode, blk_us, 0.005, 10)}},
    {"prefill",
     "prefill",
     "",
     {P(prefill, t0_us, 1, 60), P(prefill, cta_us, 0.05, 10), P(prefill, e_mac, 0.2, 1),
      P(prefill, exp_geps, 5, 400), P(prefill, e_hbm, 0.2, 1), P(prefill, kv_tbs, 0.3, 60),
      P(prefill, q8, 0.4, 2), P(prefill, f_thr, 0.3, 1), P(prefill, p, 1, 8),
      P(prefill, tail, 0.02, 3)}},
    {"nccl",
     "nccl",
     "",
     {P(nccl, t0_us, 1, 60), P(nccl, ll_us, 0.05, 10), P(nccl, mid_us, 0.02, 20),
      P(nccl, start_us, 0.5, 100), P(nccl, e_ll, 0.002, 1), P(nccl, e_mid, 0.02, 1),
      P(nccl, e_simple, 0.2, 1.2), P(nccl, e_pair, 0.3, 1.5), P(nccl, a2a_us, 0.2, 40),
      P(nccl, e_a2a, 0.1, 1.2)}},
    {"graph",
     "graph",
     "",
     {P(graph, t0_us, 1, 60), P(graph, e_one, 0.1, 2), P(graph, two_us, 0.2, 60),
      P(graph, e_two, 0.1, 2)}},
    {"eager", "eager", "", {P(graph, eager_us, 1, 200), P(graph, e_copy, 0.05, 2)}},
    {"op",
     "op",
     "",
     {P(op, e_hbm, 0.2, 1), P(op, e_soft, 0.2, 1), P(op, row_us, 0.001, 20), P(op, e_wide, 0.2, 1),
      P(op, soft_us, 1, 100), P(op, norm_us, 1, 100), P(op, act_us, 1, 100)}},
    {"draw",
     "power-gemm",
     "",
     {P(draw[0], cap, 0.5, 1.1), P(draw[0], idle, 0.05, 0.6), P(draw[0], mac, 0.01, 6),
      P(draw[0], mem, 0.01, 4), P(draw[0], active, 0.01, 2), P(draw[0], gap_us, 0.1, 200)}},
    {"draw_decode",
     "power-decode",
     "",
     {P(draw[1], cap, 0.5, 1.1), P(draw[1], idle, 0.05, 0.6), P(draw[1], mac, 0.01, 6),
      P(draw[1], mem, 0.01, 4), P(draw[1], active, 0.01, 2), P(draw[1], gap_us, 0.1, 200)}},
    {"draw_prefill",
     "power-prefill",
     "",
     {P(draw[2], cap, 0.5, 1.1), P(draw[2], idle, 0.05, 0.6), P(draw[2], mac, 0.01, 6),
      P(draw[2], mem, 0.01, 4), P(draw[2], active, 0.01, 2), P(draw[2], gap_us, 0.1, 200)}},
};

/* ------------------------------------------------------------------ loss */

static double ratio(const slx_chip *c, const slx_row *r)
{
    slx_guess g;
    slx_err err;
    return slx_ask_answer(c, &r->ask, &g, &err) == SLX_OK ? g.value / r->measured : NAN;
}

static double loss(const job *j, const slx_rows *rows)
{
    double sum = 0;
    int n = 0;
    slx_chip_complete_library(j->chip);
    for (int i = 0; i < rows->n; i++) {
        double r = ratio(j->chip, &rows->row[i]);
        if (!(r > 0)) continue;
        sum += fabs(r - 1) + fabs(log(r)) / 2;
        n++;
    }
    return n ? sum / n : INFINITY;
}

static void put(const job *j, const double *x)
{
    for (int i = 0; i < j->n; i++)
        *j->p[i].at = exp(fmin(log(j->p[i].high), fmax(log(j->p[i].low), x[i])));
}

static double at(const job *j, const slx_rows *rows, const double *x)
{
    put(j, x);
    return loss(j, rows);
}

/* ------------------------------------------------------------------ search */

typedef struct {
    double x[PARAMS], f;
} vertex;

static int by_loss(const void *a, const void *b)
{
    double x = ((const vertex *)a)->f, y = ((const vertex *)b)->f;
    return x < y ? -1 : x > y;
}

static vertex probe(const job *j, const slx_rows *rows, const double *mid, const double *worst,
                    double step)
{
    vertex v;
    for (int i = 0; i < j->n; i++) v.x[i] = mid[i] + step * (worst[i] - mid[i]);
    v.f = at(j, rows, v.x);
    return v;
}

static void search(const job *j, const slx_rows *rows, double *best, double spread, int rounds)
{
    vertex s[PARAMS + 1];
    int n = j->n;
    for (int k = 0; k <= n; k++) {
        memcpy(s[k].x, best, sizeof s[k].x);
        if (k) s[k].x[k - 1] += best[k - 1] + spread > log(j->p[k - 1].high) ? -spread : spread;
        s[k].f = at(j, rows, s[k].x);
    }
    for (int round = 0; round < rounds; round++) {
        qsort(s, (size_t)n + 1, sizeof *s, by_loss);
        if (s[n].f - s[0].f < 1e-6) break;
        double mid[PARAMS] = {0};
        for (int k = 0; k < n; k++)
            for (int i = 0; i < n; i++) mid[i] += s[k].x[i] / n;
        vertex r = probe(j, rows, mid, s[n].x, -1);
        if (r.f < s[0].f) {
            vertex e = probe(j, rows, mid, s[n].x, -2);
            s[n] = e.f < r.f ? e : r;
        } else if (r.f < s[n - 1].f) {
            s[n] = r;
        } else {
            vertex c = probe(j, rows, mid, r.f < s[n].f ? r.x : s[n].x, 0.5);
            if (c.f < fmin(r.f, s[n].f)) {
                s[n] = c;
            } else {
                for (int k = 1; k <= n; k++) {
                    for (int i = 0; i < n; i++)
                        s[k].x[i] = s[0].x[i] + 0.5 * (s[k].x[i] - s[0].x[i]);
                    s[k].f = at(j, rows, s[k].x);
                }
            }
        }
    }
    qsort(s, (size_t)n + 1, sizeof *s, by_loss);
    memcpy(best, s[0].x, sizeof s[0].x);
}

/* ------------------------------------------------------------------ report */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The band that holds all but 5 % on each side of measured/predicted. */
static void band(const job *j, const slx_rows *rows, double out[2])
{
    double *v = slx_xcalloc((size_t)rows->n + 1, sizeof *v);
    int n = 0;
    for (int i = 0; i < rows->n; i++) {
        double r = ratio(j->chip, &rows->row[i]);
        if (r > 0) v[n++] = 1 / r;
    }
    qsort(v, (size_t)n, sizeof *v, by_value);
    out[0] = n ? fmin(1, v[(int)(0.05 * n)]) : 1;
    out[1] = n ? fmax(1, v[(int)(0.95 * (n - 1))]) : 1;
    free(v);
}

static slx_status add_rows(slx_rows *to, const slx_set *s, const char *dir, slx_half half,
                           slx_err *err)
{
    slx_rows r;
    SLX_TRY(slx_rows_read(&r, s, dir, half, err));
    to->row = slx_xrealloc(to->row, (size_t)(to->n + r.n + 1) * sizeof *to->row);
    if (r.n) memcpy(to->row + to->n, r.row, (size_t)r.n * sizeof *r.row);
    to->n += r.n;
    slx_rows_free(&r);
    return SLX_OK;
}

/* The sets of a section and chip: one name for most; three operations for op, two widths for weight-only. */
static slx_status read_sets(slx_rows *out, const section_row *s, const char *chip, const char *dir,
                            slx_half half, slx_err *err)
{
    char name[4][64];
    int n = 1;
    snprintf(name[0], 64, "%s-%s%s", s->prefix, chip, s->suffix);
    if (!strcmp(s->section, "op")) {
        const char *ops[] = {"softmax", "layernorm", "gelu"};
        for (n = 0; n < 3; n++) snprintf(name[n], 64, "%s-%s", ops[n], chip);
    }
    if (!strcmp(s->section, "gemm_wo")) snprintf(name[n++], 64, "gemm-%s-int4-wo", chip);
    for (int i = 0; i < n; i++) {
        const slx_set *set = slx_set_find(name[i]);
        if (!set) return slx_fail(err, SLX_EINPUT, name[i], 0, 0, "no such set");
        SLX_TRY(add_rows(out, set, dir, half, err));
    }
    return SLX_OK;
}

static void sample(slx_rows *out, const slx_rows *in, int most)
{
    int step = in->n / most + 1;
    out->row = slx_xcalloc((size_t)(in->n / step + 1), sizeof *out->row);
    for (int i = 0; i < in->n; i += step) out->row[out->n++] = in->row[i];
}

static slx_status run(int argc, char **argv, slx_err *err)
{
    const section_row *s = NULL;
    int rounds = 400, most = 700;
    slx_rows test = {0};
    job j = {0};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (!strcmp(sections[i].section, argv[3])) s = &sections[i];
    if (!s) return slx_fail(err, SLX_EINPUT, argv[3], 0, 0, "no such section");
    const char *drop = "";
    for (int i = 4; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--rounds")) rounds = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "--rows")) most = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "--drop")) drop = argv[i + 1];
    }
    SLX_TRY(slx_chip_load_any(&j.chip, argv[2], err));
    SLX_TRY(read_sets(&j.all, s, argv[2], argv[1], SLX_HALF_FIT, err));
    SLX_TRY(read_sets(&test, s, argv[2], argv[1], SLX_HALF_TEST, err));
    sample(&j.fit, &j.all, most);
    double x[PARAMS];
    for (int i = 0; i < PARAMS && s->p[i].key; i++) {
        double *at_ = (double *)((char *)&j.chip->given + s->p[i].at),
               *done = (double *)((char *)&j.chip->lib.n + s->p[i].at);
        char word[40];
        snprintf(word, sizeof word, ",%s,", s->p[i].key);
        if (strstr(drop, word)) continue;
        j.p[j.n] = (param){s->p[i].key, at_, s->p[i].low, s->p[i].high};
        double v = isnan(*at_) ? *done : *at_; /* a time that is off is short, a rate fast */
        x[j.n++] = log(fmin(s->p[i].high, fmax(s->p[i].low, v)));
    }

    fprintf(stderr, "%s %s: %d rows, %d in the sample, start %.4f\n", argv[2], argv[3], j.all.n,
            j.fit.n, at(&j, &j.fit, x));
    for (int k = 0; k < 3; k++) {
        search(&j, &j.fit, x, k ? 0.15 : 0.4, rounds);
        fprintf(stderr, "  %.4f\n", at(&j, &j.fit, x));
    }
    search(&j, &j.all, x, 0.05, rounds / 4);
    at(&j, &j.all, x);
    double b[2];
    slx_score fit, t;
    for (int i = 0; i < j.n; i++) { /* as printed, so that the file says what is scored */
        char text[32];
        snprintf(text, sizeof text, "%.4g", *j.p[i].at);
        *j.p[i].at = strtod(text, NULL);
    }
    slx_chip_complete_library(j.chip);
    band(&j, &j.all, b);
    slx_score_rows(&fit, &j.all, j.chip);
    slx_score_rows(&t, &test, j.chip);
    printf("%s %s fit %.2f test %.2f median %.2f p90 %.2f bias %+.2f band %.3f %.3f:", argv[2],
           argv[3], 100 * fit.mape, 100 * t.mape, 100 * t.median, 100 * t.p90, 100 * t.bias, b[0],
           b[1]);
    for (int i = 0; i < j.n; i++) printf(" %s=%.4g", j.p[i].key, *j.p[i].at);
    printf("\n");
    slx_rows_free(&j.fit);
    slx_rows_free(&j.all);
    slx_rows_free(&test);
    slx_chip_free(j.chip);
    return SLX_OK;
}

int main(int argc, char **argv)
{
    slx_err err;
    if (argc < 4) {
        fprintf(stderr,
                "usage: fit DATA CHIP SECTION [--rounds N] [--rows N] [--drop ,key,key,]\n");
        return 2;
    }
    slx_status s = run(argc, argv, &err);
    if (s) slx_err_print(&err, stderr);
    return slx_exit_code(s);
}
