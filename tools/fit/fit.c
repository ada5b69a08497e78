/* fit.c - fits a chip's numbers of its vendor's library to one half of measured rows, and shows the error on the other.
 *
 *   fit DATA CHIP[,CHIP...] SECTION [--numbers NAME [--judge CHIP,CHIP [--ratios FILE]]] [--rounds N] [--rows N]
 *       [--drop key,key]
 *
 * --ratios: measured over predicted of each row of the judged chips' fit halves, as "chip size ratio", is added to the
 * file; tools/fit/left-out makes bands of them.
 * --rounds 1 searches nothing: the errors and bands of the numbers as they are.
 *
 * DATA is the folder of full sets (aiconfigurator/, llmcompass/). Prints the section for the chip's file with its band,
 * and what the test half says. Only the fit half is ever looked at before that. Several chips share their numbers:
 * those of the family NAME, each chip known by its published figures alone (slx_chip_unmeasured). Chips of --judge are
 * only predicted with the result: what such numbers are worth for a chip that nobody measured.
 *
 * The search starts from the numbers there are, in log space, and sees a sample of the rows, its last rounds all of
 * them. The loss is mean |r-1| + mean |ln r| / 2, r = predicted/measured, a mean over the chips. Every number has
 * bounds; one that ends at a bound says that its term should be left out: --drop.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "chip/chip.h"
#include "judge.h"
#include "simplex.h"

enum { CHIPS = 8 };

/* ------------------------------------------------------------------ what is fitted */

/* A number with its bounds. kind: "gemm" and "draw" stand for all their sections. */
typedef struct {
    const char *kind, *key;
    size_t at; /* in slx_lib_numbers, of the kind's first section */
    double low, high;
} bound;

#define B(kind, member, key, low, high)                                                            \
    {                                                                                              \
#kind, #key, offsetof(slx_lib_numbers, member.key), low, high                              \
    }
static const bound bounds[] = {
    B(gemm, gemm[0], t0_us, 0.5, 60),     B(gemm, gemm[0], fill_us, 0.02, 5),
    B(gemm, gemm[0], e_hbm, 0.3, 1),      B(gemm, gemm[0], unit_gbs, 10, 600),
    B(gemm, gemm[0], e_store, 0.2, 20),  B(gemm, gemm[0], a_res, 0.05, 2),
    B(gemm, gemm[0], store_gbs, 0.5, 600),
    B(gemm, gemm[0], step_us, 0.005, 2),  B(gemm, gemm[0], red_us, 0.3, 40),
    B(gemm, gemm[0], f_thr, 0.1, 1),      B(gemm, gemm[0], c_res, 0.02, 1.5),
    B(gemm, gemm[0], l2_tbs, 0.5, 60),    B(gemm, gemm[0], p, 1.2, 8),
    B(gemm, gemm[0], e_mac, 0.1, 1),      B(gemm, gemm[0], q_us, 0.1, 40),
    B(gemm, gemm[0], q_row_us, 0.005, 5), B(gemm, gemm[0], q_tbs, 0.2, 20),
    B(gemm, gemm[0], host_us, 1, 1000),   B(gemm, gemm[0], host_few_us, 1, 1000),
    B(gemm, gemm[0], host_odd_us, 0.5, 100), B(gemm, gemm[0], host_ragged_us, 1, 1000),
    B(decode, decode, row_ns, 0.005, 5),  B(decode, decode, t0_us, 1, 60),
    B(decode, decode, cta_us, 0.1, 10),   B(decode, decode, e_hbm, 0.4, 1),
    B(decode, decode, unit_gbs, 10, 400), B(decode, decode, l2_tbs, 0.5, 60),
    B(decode, decode, comb_us, 0.05, 20), B(decode, decode, c_res, 0.02, 1.5),
    B(decode, decode, q_geps, 2, 400),    B(decode, decode, split_us, 0.005, 2),
    B(decode, decode, blk_us, 0.005, 10), B(prefill, prefill, t0_us, 1, 60),
    B(prefill, prefill, cta_us, 0.05, 10), B(prefill, prefill, e_mac, 0.2, 1),
    B(prefill, prefill, exp_geps, 5, 400), B(prefill, prefill, e_hbm, 0.2, 1),
    B(prefill, prefill, kv_tbs, 0.3, 60), B(prefill, prefill, q8, 0.4, 2),
    B(prefill, prefill, f_thr, 0.3, 1),   B(prefill, prefill, p, 1, 8),
    B(prefill, prefill, tail, 0.02, 3),   B(nccl, nccl, t0_us, 1, 60),
    B(nccl, nccl, ll_us, 0.05, 10),       B(nccl, nccl, mid_us, 0.02, 20),
    B(nccl, nccl, start_us, 0.5, 100),    B(nccl, nccl, e_ll, 0.002, 1),
    B(nccl, nccl, e_mid, 0.02, 1),        B(nccl, nccl, e_simple, 0.2, 1.2),
    B(nccl, nccl, e_pair, 0.3, 1.5),      B(nccl, nccl, a2a_us, 0.2, 40),
    B(nccl, nccl, e_a2a, 0.1, 1.2),       B(graph, graph, t0_us, 1, 60),
    B(graph, graph, e_one, 0.1, 2),       B(graph, graph, two_us, 0.2, 60),
    B(graph, graph, e_two, 0.1, 2),       B(graph, graph, eager_us, 1, 200),
    B(graph, graph, e_copy, 0.05, 2),     B(op, op, e_hbm, 0.2, 1),
    B(op, op, e_soft, 0.2, 1),            B(op, op, row_us, 0.001, 20),
    B(op, op, e_wide, 0.2, 1),            B(op, op, soft_us, 1, 100),
    B(op, op, norm_us, 1, 100),           B(op, op, act_us, 1, 100),
    B(draw, draw[0], cap, 0.5, 1.1),      B(draw, draw[0], idle, 0.05, 0.6),
    B(draw, draw[0], mac, 0.01, 6),       B(draw, draw[0], mem, 0.01, 4),
    B(draw, draw[0], active, 0.01, 4),    B(draw, draw[0], gap_us, 0.1, 5000),
    B(draw, draw[0], heads, -1, 1),       B(draw, draw[0], group, -1, 1),
    B(draw, draw[0], keys, -1, 1),
};
#undef B

/* A section, its sets ("gemm-%s-fp8", %s the chip) and the numbers fitted, in the order of the search. */
typedef struct {
    const char *section, *kind;
    int index; /* of the kind's sections */
    const char *sets, *keys;
} section;

static const section sections[] = {
    {"gemm", "gemm", 0, "gemm-%s", "t0_us fill_us e_hbm e_store unit_gbs step_us red_us f_thr c_res a_res l2_tbs p"},
    {"gemm_8bit", "gemm", 1, "gemm-%s-fp8",
     "t0_us q_us q_row_us q_tbs step_us f_thr fill_us red_us unit_gbs store_gbs l2_tbs e_hbm"},
    {"gemm_int8", "gemm", 1, "gemm-%s-int8", "q_us q_row_us q_tbs step_us f_thr fill_us red_us unit_gbs e_hbm"},
    {"gemm_4bit", "gemm", 2, "gemm-%s-nvfp4", "q_us q_row_us q_tbs step_us f_thr fill_us unit_gbs e_hbm"},
    {"gemm_block", "gemm", 4, "gemm-%s-fp8-block",
     "host_us host_few_us host_odd_us host_ragged_us step_us f_thr fill_us unit_gbs e_hbm q_tbs"},
    {"gemm_wo", "gemm", 3, "gemm-%s-int8-wo gemm-%s-int4-wo",
     "t0_us fill_us e_hbm unit_gbs step_us red_us f_thr e_mac p"},
    {"decode", "decode", 0, "decode-%s",
     "row_ns t0_us cta_us e_hbm unit_gbs l2_tbs comb_us c_res q_geps split_us blk_us"},
    {"prefill", "prefill", 0, "prefill-%s", "t0_us cta_us e_mac exp_geps e_hbm kv_tbs q8 f_thr p tail"},
    {"nccl", "nccl", 0, "nccl-%s", "t0_us ll_us mid_us start_us e_ll e_mid e_simple e_pair a2a_us e_a2a"},
    {"graph", "graph", 0, "graph-%s", "t0_us e_one two_us e_two"},
    {"eager", "graph", 0, "eager-%s", "eager_us e_copy"},
    {"op", "op", 0, "softmax-%s layernorm-%s gelu-%s", "e_hbm e_soft row_us e_wide soft_us norm_us act_us"},
    {"draw", "draw", 0, "power-gemm-%s", "cap idle mac mem active gap_us"},
    {"draw_decode", "draw", 1, "power-decode-%s", "cap idle mac mem active gap_us heads group"},
    {"draw_prefill", "draw", 2, "power-prefill-%s", "cap idle mac mem active gap_us heads group keys"},
};

static size_t stride(const char *kind)
{
    return !strcmp(kind, "gemm")   ? sizeof((slx_lib_numbers *)0)->gemm[0]
           : !strcmp(kind, "draw") ? sizeof((slx_lib_numbers *)0)->draw[0]
                                   : 0;
}

static const bound *bound_of(const char *kind, const char *key)
{
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        if (!strcmp(bounds[i].kind, kind) && !strcmp(bounds[i].key, key)) return &bounds[i];
    return NULL;
}

/* The next of words parted by spaces or commas; false at the end. */
static bool next_word(const char **text, char out[64])
{
    size_t n = strspn(*text, " ,");
    const char *word = *text + n;
    n = strcspn(word, " ,");
    snprintf(out, 64, "%.*s", (int)(n < 63 ? n : 63), word);
    *text = word + n;
    return n > 0;
}

static bool has_word(const char *text, const char *word)
{
    for (char w[64]; next_word(&text, w);)
        if (!strcmp(w, word)) return true;
    return false;
}

/* ------------------------------------------------------------------ the job */

typedef struct {
    char name[64];
    slx_chip *chip;
    slx_rows fit, sample, test;
} subject;

typedef struct {
    const section *s;
    subject of[CHIPS];
    int n_chips, n_fitted; /* the rest is judged */
    bool shared;           /* the numbers are those of a family */
    const bound *b[SIMPLEX_MAX];
    int n;
    bool sampled; /* the loss is that of the samples */
} job;

/* Where the number that a search moves lies: in the chip's own, or its family's where chips share them. */
static double *place(const job *j, int chip, const bound *b)
{
    slx_chip *c = j->of[chip].chip;
    slx_lib_numbers *given = j->shared ? &c->of_family->given : &c->given;
    return (double *)((char *)given + b->at + (size_t)j->s->index * stride(j->s->kind));
}

static double bounded(const bound *b, double v)
{
    return fmin(b->high, fmax(b->low, v));
}

/* The search moves logarithms; exponents, which may be negative, as they are. */
static double searched(const bound *b, double v)
{
    return b->low < 0 ? bounded(b, v) : log(bounded(b, v));
}

static double number_at(const bound *b, double x)
{
    return bounded(b, b->low < 0 ? x : exp(x));
}

static void put(const job *j, const double *x)
{
    for (int c = 0; c < j->n_chips; c++) {
        for (int i = 0; i < j->n; i++) *place(j, c, j->b[i]) = number_at(j->b[i], x[i]);
        slx_chip_complete_library(j->of[c].chip);
    }
}

static double loss(const double *x, void *of)
{
    const job *j = of;
    double sum = 0;
    put(j, x);
    for (int c = 0; c < j->n_fitted; c++) {
        sum += judge_loss(j->of[c].chip, j->sampled ? &j->of[c].sample : &j->of[c].fit);
    }
    return sum / j->n_fitted;
}

static void search(job *j, double *x, double spread, int rounds)
{
    double step[SIMPLEX_MAX];
    for (int i = 0; i < j->n; i++) {
        x[i] = searched(j->b[i], number_at(j->b[i], x[i]));
        step[i] = x[i] + spread > searched(j->b[i], j->b[i]->high) ? -spread : spread;
    }
    simplex_search(loss, j, j->n, x, step, rounds);
}

/* ------------------------------------------------------------------ rows */

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

/* The sets of a section and chip. sets: names parted by spaces, %s for the chip. */
static slx_status read_sets(slx_rows *out, const char *sets, const char *chip, const char *dir,
                            slx_half half, slx_err *err)
{
    for (char form[64], name[128]; next_word(&sets, form);) {
        const char *hole = strstr(form, "%s");
        snprintf(name, sizeof name, "%.*s%s%s", (int)(hole - form), form, chip, hole + 2);
        const slx_set *set = slx_set_find(name);
        if (!set) return slx_fail(err, SLX_EINPUT, name, 0, 0, "no such set");
        SLX_TRY(add_rows(out, set, dir, half, err));
    }
    return SLX_OK;
}

static void take_sample(slx_rows *out, const slx_rows *in, int most)
{
    int step = in->n / most + 1;
    out->row = slx_xcalloc((size_t)(in->n / step + 1), sizeof *out->row);
    for (int i = 0; i < in->n; i += step) out->row[out->n++] = in->row[i];
}

/* ------------------------------------------------------------------ report */

typedef struct {
    const char *dir, *chips, *section, *numbers, *judge, *drop, *ratios;
    int rounds, rows;
} options;

enum { FOLDS = 4 };
static const int few_rows = 500;

/* By the key of its half: a shape is in one fold. */
static int fold_of(const slx_row *r)
{
    return (int)(r->hash >> 1) & (FOLDS - 1);
}

/* Of the kernel, predicted; of a row about watts, too. */
static double time_us(const slx_chip *c, const slx_row *r)
{
    slx_ask a = r->ask;
    slx_guess g;
    slx_err err;
    a.power = false;
    return slx_ask_answer(c, &a, &g, &err) == SLX_OK ? g.value * 1e3 : 0;
}

/* Measured over predicted, and the size of the kernel (slx_lib_class). */
typedef struct {
    double ratio;
    int size;
} residual;

/* Appends those of the rows of one fold, or of all (fold < 0). */
static int add_residuals(const slx_chip *c, const slx_rows *rows, int fold, residual *v, int n)
{
    for (int i = 0; i < rows->n; i++) {
        const slx_row *row = &rows->row[i];
        if (fold >= 0 && fold_of(row) != fold) continue;
        double r = judge_ratio(c, row);
        if (r > 0) v[n++] = (residual){1 / r, slx_lib_class(time_us(c, row))};
    }
    return n;
}

/* Of a chip's fit half. With few rows numbers lie close to what they were fitted on: each fold of the rows is predicted
 * with numbers fitted to the others. Chips that share numbers are taken as they are. */
static int find_residuals(job *j, int chip, const double *x, const options *o, residual *v)
{
    subject *s = &j->of[chip];
    int n = 0;
    if (j->shared || s->fit.n > few_rows) return add_residuals(s->chip, &s->fit, -1, v, 0);
    slx_rows all = s->sample;
    s->sample = (slx_rows){.row = slx_xcalloc((size_t)s->fit.n + 1, sizeof *all.row)};
    j->sampled = true;
    for (int fold = 0; fold < FOLDS; fold++) {
        double y[SIMPLEX_MAX];
        memcpy(y, x, sizeof y);
        s->sample.n = 0;
        for (int i = 0; i < s->fit.n; i++)
            if (fold_of(&s->fit.row[i]) != fold) s->sample.row[s->sample.n++] = s->fit.row[i];
        if (s->sample.n && j->n) search(j, y, 0.15, o->rounds);
        put(j, y);
        n = add_residuals(s->chip, &s->fit, fold, v, n);
    }
    slx_rows_free(&s->sample);
    s->sample = all;
    put(j, x);
    return n;
}

/* A size with fewer rows than FEW takes the band of all: between the least and the largest of 19 lie 18 of 20 more.
 * With fewer than ENOUGH, which are often of few shapes, it takes the wider of its own and of all, each side. */
enum { FEW = 19, ENOUGH = 100 };

/* The band of the residuals of one size, of all sizes (size < 0); returns how many there are. */
static int band_of(const residual *v, int n, int size, double out[2])
{
    double *r = slx_xcalloc((size_t)n + 1, sizeof *r);
    int k = 0;
    for (int i = 0; i < n; i++)
        if (size < 0 || v[i].size == size) r[k++] = v[i].ratio;
    judge_band(r, k, out);
    free(r);
    return k;
}

/* For the key `bands`. */
static void print_bands(const residual *v, int n, const double all[2])
{
    printf("bands: \"");
    for (int k = 0; k < SLX_LIB_CLASSES; k++) {
        double b[2];
        int rows = band_of(v, n, k, b);
        if (rows < FEW) memcpy(b, all, sizeof b);
        if (rows < ENOUGH) b[0] = fmin(b[0], all[0]), b[1] = fmax(b[1], all[1]);
        printf("%s%.3g %.3g", k ? "  " : "", b[0], b[1]);
    }
    printf("\"\n");
}

static void report_chip(job *j, int chip, const double *x, const options *o)
{
    subject *s = &j->of[chip];
    slx_score fit, test;
    double b[2];
    residual *v = slx_xcalloc((size_t)s->fit.n + 1, sizeof *v);
    int n = find_residuals(j, chip, x, o, v);
    band_of(v, n, -1, b);
    slx_score_rows(&fit, &s->fit, s->chip);
    slx_score_rows(&test, &s->test, s->chip);
    printf("%s%s %s fit %.2f test %.2f median %.2f p90 %.2f bias %+.2f band %.3f %.3f\n",
           chip < j->n_fitted ? "" : "judged: ", s->name, j->s->section, 100 * fit.mape, 100 * test.mape,
           100 * test.median, 100 * test.p90, 100 * test.bias, b[0], b[1]);
    print_bands(v, n, b);
    free(v);
}

/* Appends a line for each row of the fit half: chip, size of the kernel (slx_lib_class), measured over predicted. */
static void write_ratios(const subject *s, FILE *f)
{
    for (int i = 0; i < s->fit.n; i++) {
        double r = judge_ratio(s->chip, &s->fit.row[i]);
        int size = slx_lib_class(time_us(s->chip, &s->fit.row[i]));
        if (r > 0) fprintf(f, "%s %d %.5g\n", s->name, size, 1 / r);
    }
}

static slx_status ratios(const job *j, const char *path, slx_err *err)
{
    FILE *f = *path ? fopen(path, "a") : NULL;
    if (!*path) return SLX_OK;
    if (!f) return slx_fail(err, SLX_EIO, path, 0, 0, "cannot be written");
    for (int c = j->n_fitted; c < j->n_chips; c++) write_ratios(&j->of[c], f);
    return fclose(f) ? slx_fail(err, SLX_EIO, path, 0, 0, "cannot be written") : SLX_OK;
}

static void report(job *j, double *x, const options *o)
{
    for (int i = 0; i < j->n; i++) { /* as printed, so that the file says what is scored */
        char text[32];
        snprintf(text, sizeof text, "%.4g", number_at(j->b[i], x[i]));
        x[i] = searched(j->b[i], strtod(text, NULL));
    }
    put(j, x);
    for (int c = 0; c < j->n_chips; c++) report_chip(j, c, x, o);
    printf("%s: {", j->s->section);
    for (int i = 0; i < j->n; i++)
        printf("%s%s: %.4g", i ? ", " : "", j->b[i]->key, *place(j, 0, j->b[i]));
    printf("}\n");
}

/* ------------------------------------------------------------------ the command */

static slx_status read_options(options *o, int argc, char **argv, slx_err *err)
{
    *o = (options){argv[1], argv[2], argv[3], NULL, "", "", "", 400, 700};
    const struct {
        const char *name;
        const char **text;
        int *count;
    } known[] = {{"--rounds", NULL, &o->rounds},
                 {"--rows", NULL, &o->rows},
                 {"--drop", &o->drop, NULL},
                 {"--judge", &o->judge, NULL},
                 {"--ratios", &o->ratios, NULL},
                 {"--numbers", &o->numbers, NULL}};
    int n_known = sizeof known / sizeof *known;
    for (int i = 4; i < argc; i += 2) {
        int k = 0;
        while (k < n_known && strcmp(argv[i], known[k].name) != 0) k++;
        if (k == n_known || i + 1 == argc)
            return slx_fail(err, SLX_EINPUT, argv[i], 0, 0,
                            "expected --numbers NAME, --judge CHIP, --ratios FILE, --rounds N, --rows N or "
                            "--drop key,key");
        if (known[k].text) *known[k].text = argv[i + 1];
        if (known[k].count && (*known[k].count = atoi(argv[i + 1])) < 1)
            return slx_fail(err, SLX_EINPUT, argv[i], 0, 0, "found %s, expected a count of at least 1",
                            argv[i + 1]);
    }
    return SLX_OK;
}

static slx_status open_chip(job *j, const options *o, const char *name, slx_err *err)
{
    if (j->n_chips == CHIPS)
        return slx_fail(err, SLX_EINPUT, name, 0, 0, "expected at most %d chips", CHIPS);
    subject *s = &j->of[j->n_chips++];
    slx_chip *known;
    snprintf(s->name, sizeof s->name, "%s", name);
    SLX_TRY(slx_chip_load_any(&known, name, err));
    s->chip = known;
    if (o->numbers) {
        s->chip = NULL;
        slx_status st = slx_chip_unmeasured(&s->chip, known, o->numbers, err);
        slx_chip_free(known);
        SLX_TRY(st);
    }
    SLX_TRY(read_sets(&s->fit, j->s->sets, name, o->dir, SLX_HALF_FIT, err));
    SLX_TRY(read_sets(&s->test, j->s->sets, name, o->dir, SLX_HALF_TEST, err));
    take_sample(&s->sample, &s->fit, o->rows);
    return SLX_OK;
}

static slx_status open_chips(job *j, const options *o, slx_err *err)
{
    const char *fitted = o->chips, *judged = o->judge;
    char w[64];
    while (next_word(&fitted, w)) SLX_TRY(open_chip(j, o, w, err));
    j->n_fitted = j->n_chips;
    j->shared = o->numbers != NULL;
    while (next_word(&judged, w)) SLX_TRY(open_chip(j, o, w, err));
    if (!j->n_fitted || (j->n_chips > 1 && !j->shared))
        return slx_fail(err, SLX_EINPUT, o->chips, 0, 0,
                        "expected one chip, or several with --numbers FAMILY");
    return SLX_OK;
}

/* The numbers to search, from those there are. A dropped one is off in the chip's section, as if left out. */
static slx_status start(job *j, const options *o, double *x, slx_err *err)
{
    char w[64];
    for (const char *list = o->drop; next_word(&list, w);)
        if (!has_word(j->s->keys, w))
            return slx_fail(err, SLX_EINPUT, "--drop", 0, 0, "found %s, expected some of: %s", w,
                            j->s->keys);
    for (const char *list = o->rounds > 1 ? j->s->keys : ""; next_word(&list, w);) {
        const bound *b = bound_of(j->s->kind, w);
        SLX_ASSERT(b && j->n < SIMPLEX_MAX);
        if (has_word(o->drop, w)) {
            for (int c = 0; c < j->n_chips; c++) *place(j, c, b) = NAN;
            continue;
        }
        const slx_lib_numbers *all = &j->of[0].chip->lib.n;
        double v = *place(j, 0, b);
        if (isnan(v))
            v = *(const double *)((const char *)all + b->at + (size_t)j->s->index * stride(j->s->kind));
        j->b[j->n] = b;
        x[j->n++] = searched(b, v); /* a time that is off is short, a rate fast */
    }
    return SLX_OK;
}

static slx_status run(job *j, const options *o, slx_err *err)
{
    double x[SIMPLEX_MAX];
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (!strcmp(sections[i].section, o->section)) j->s = &sections[i];
    if (!j->s) return slx_fail(err, SLX_EINPUT, o->section, 0, 0, "no such section");
    SLX_TRY(open_chips(j, o, err));
    SLX_TRY(start(j, o, x, err));
    j->sampled = true;
    fprintf(stderr, "%s %s: start %.4f\n", o->chips, o->section, loss(x, j));
    for (int k = 0; k < 3 && o->rounds > 1; k++) {
        search(j, x, k ? 0.15 : 0.4, o->rounds);
        fprintf(stderr, "  %.4f\n", loss(x, j));
    }
    j->sampled = false;
    if (o->rounds > 1) search(j, x, 0.05, o->rounds / 4);
    report(j, x, o);
    return ratios(j, o->ratios, err);
}

int main(int argc, char **argv)
{
    slx_err err;
    options o;
    static job j;
    if (argc < 4) {
        fprintf(stderr, "usage: fit DATA CHIP[,CHIP...] SECTION [--numbers NAME [--judge CHIP,CHIP "
                        "[--ratios FILE]]] [--rounds N] [--rows N] [--drop key,key]\n");
        return 2;
    }
    slx_status s = read_options(&o, argc, argv, &err);
    if (!s) s = run(&j, &o, &err);
    for (int c = 0; c < j.n_chips; c++) {
        slx_rows_free(&j.of[c].fit);
        slx_rows_free(&j.of[c].sample);
        slx_rows_free(&j.of[c].test);
        slx_chip_free(j.of[c].chip);
    }
    if (s) slx_err_print(&err, stderr);
    return slx_exit_code(s);
}
