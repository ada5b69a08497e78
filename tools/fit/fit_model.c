/* fit_model.c - fits what passes, layers and whole batches add to kernels, to one half of measured rows of models.
 *
 *   fit_model DATA SECTION CHIP[,CHIP..] [--rounds N] [--drop ,key,key,] [--near L]   DATA: made by tools/fit/rows
 *
 *   rows, gemm    layers-CHIP: norms, activations, sums; products. Of the family's NAME-plain where the set is.
 *                 eager-CHIP: modules-CHIP, for NAME-eager
 *   launch        eager-CHIP: what a product adds when it is launched alone
 *   pass          steps-CHIP, passes-CHIP: launches by the host, slow sums
 *   NAME-2024     batches-CHIP: a row of data/frameworks.csv
 *   NAME          serving-tpot-CHIP and serving-ttft-CHIP together: the same, of servers. Starts from the row that
 *                 holds for the chips, of NAME/FAMILY where they are of one family; --near draws the numbers back to
 *                 it, by L times the squared logarithms of how far they went. --rounds 0 only judges the row
 *
 * Prints the numbers with the error on both halves and the band; as fit.c, it never looks at the test half before that.
 * The loss is mean |r-1| + mean |ln r| / 2, r = predicted/measured. A number at its bound: leave its term out.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "chip/chip.h"
#include "judge.h"
#include "simplex.h"

enum { CHIPS = 16, RESTARTS = 3 };

typedef struct {
    const char *key;
    size_t at;               /* in slx_lib_numbers, or in slx_framework */
    double low, high, start; /* start 0 = what the chip has */
} param;

#define N(member, low, high)                                                                       \
    {                                                                                              \
#member, offsetof(slx_lib_numbers, member), low, high, 0                                   \
    }
#define F(member, low, high, start)                                                                \
    {                                                                                              \
#member, offsetof(slx_framework, member), low, high, start                                 \
    }
static const struct {
    const char *section, *sets[2]; /* prefixes of the names of its sets */
    param p[SIMPLEX_MAX];
} sections[] = {
    {"rows",
     {"layers", "modules"},
     {N(rows.t0_us, 0.02, 60), N(rows.norm_us, 0.02, 60), N(rows.lat_us, 0.001, 10), N(rows.e_norm, 0.05, 4),
      N(rows.e_act, 0.05, 4), N(rows.e_rope, 0.05, 4), N(rows.e_add, 0.05, 4),
      N(rows.c_res, 0.05, 2), N(rows.l2_tbs, 0.5, 60)}},
    {"gemm",
     {"layers", "modules"},
     {N(gemm[0].t0_us, 0.5, 60), N(gemm[0].fill_us, 0.02, 5), N(gemm[0].e_hbm, 0.4, 1),
      N(gemm[0].unit_gbs, 10, 600), N(gemm[0].step_us, 0.01, 1), N(gemm[0].red_us, 0.3, 40),
      N(gemm[0].f_thr, 0.3, 1), N(gemm[0].l2_tbs, 0.5, 60), N(gemm[0].p, 1.2, 8)}},
    {"launch", {"layers", "modules"}, {N(facts.alone_us, 0.01, 60)}},
    {"pass",
     {"steps", "passes"},
     {N(pass.host_us, 0.5, 500), N(pass.host_prefill, 0.2, 5), N(pass.seq_us, 0.5, 5000),
      N(pass.slow, 0.5, 4), N(pass.sum_mb, 0.5, 1e3), N(pass.sum_gbs, 5, 1e4)}},
    {"",
     {"batches", NULL},
     {F(slow, 0.9, 6, 1.1), F(step_us, 1, 2e5, 1000), F(seq_us, 0.1, 2e4, 30),
      F(mac_share, 0.005, 1, 0.5), F(kv_share, 0.02, 8, 1), F(alike, 0.001, 1, 0.2)}},
    {"*",
     {"serving-tpot", "serving-ttft"},
     {F(slow, 0.6, 1.5, 1), F(slow_prompt, 0.6, 1.5, 1), F(step_us, 1, 2e5, 300), F(seq_us, 0.1, 2e4, 10),
      F(front_us, 10, 1e6, 3e4), F(front_seq_us, 1, 1e4, 200), F(experts, 0.3, 5, 1), F(experts_prompt, 0.3, 8, 2),
      F(moe_us, 0.1, 300, 20), F(sync_us, 0.1, 100, 10)}}};
#undef N
#undef F
enum { N_SECTIONS = sizeof sections / sizeof *sections };

typedef struct {
    int n_chips, n;
    double near, from[SIMPLEX_MAX]; /* see --near; where the search began, as logarithms */
    slx_chip *chip[CHIPS];
    slx_rows fit[CHIPS], test[CHIPS];
    const param *p[SIMPLEX_MAX];
    slx_framework framework;
    bool of_framework, of_servers; /* of_servers: sets of times per token and to the first one, in turn */
} job;

/* ------------------------------------------------------------------ loss */

static void put(job *j, const double *x)
{
    for (int i = 0; i < j->n; i++) {
        double v = exp(fmin(log(j->p[i]->high), fmax(log(j->p[i]->low), x[i])));
        if (j->of_framework)
            *(double *)((char *)&j->framework + j->p[i]->at) = v;
        else
            for (int c = 0; c < j->n_chips; c++)
                *(double *)((char *)&j->chip[c]->given + j->p[i]->at) = v;
    }
    if (!j->of_framework)
        for (int c = 0; c < j->n_chips; c++) slx_chip_complete_library(j->chip[c]);
}

/* Each chip counts alike, however many rows it has. */
static double loss(const double *x, void *of)
{
    job *j = of;
    double all = 0;
    put(j, x);
    int n = 0;
    for (int c = 0; c < j->n_chips; c++)
        if (j->fit[c].n) all += judge_loss(j->chip[c], &j->fit[c]), n++;
    for (int i = 0; i < j->n; i++) all += n * j->near * (x[i] - j->from[i]) * (x[i] - j->from[i]);
    return n ? all / n : INFINITY;
}

/* ------------------------------------------------------------------ rows */

/* Whether a row tells something about the section. */
static bool of_section(const char *section, const slx_ask *a)
{
    bool product = a->kind == SLX_ASK_LAYER &&
                   (strstr(a->layer.op, "_proj") || !strcmp(a->layer.op, "lm_head"));
    if (!strcmp(section, "rows")) return !product;
    if (!strcmp(section, "gemm") || !strcmp(section, "launch")) return product;
    if (!strcmp(section, "pass")) return true;
    return !strcmp(a->kind == SLX_ASK_SERVING ? a->serving.of.framework : a->batch.framework, section);
}

/* Rows of one half, asked of the chip as it is: plain software is the chip that is given. */
static slx_status read_half(job *j, slx_rows *out, const char *section, const slx_set *set,
                            const char *dir, slx_half half, slx_err *err)
{
    int n = 0;
    SLX_TRY(slx_rows_read(out, set, dir, half, err));
    for (int i = 0; i < out->n; i++) {
        slx_ask *a = &out->row[i].ask;
        if (!of_section(section, a)) continue;
        if (a->kind == SLX_ASK_LAYER) a->layer.software = SLX_SOFTWARE_SERVING;
        if (a->kind == SLX_ASK_PASS) a->pass.software = SLX_SOFTWARE_SERVING;
        if (a->kind == SLX_ASK_STATIC) a->batch.given = &j->framework;
        if (a->kind == SLX_ASK_SERVING) a->serving.of.given = &j->framework;
        out->row[n++] = out->row[i];
    }
    out->n = n;
    return SLX_OK;
}

/* The first of the section's sets from `from` on that there is of the chip. */
static slx_status add_chip(job *j, int s, int from, const char *section, const char *name, const char *dir,
                           slx_err *err)
{
    const slx_set *set = NULL;
    int c = j->n_chips;
    char of[128];
    bool eager = !strncmp(name, "eager-", 6);
    if (eager) name += 6, from = 1;
    for (int i = from; i < 2 && !set && sections[s].sets[i]; i++) {
        snprintf(of, sizeof of, "%s-%s", sections[s].sets[i], name);
        set = slx_set_find(of);
    }
    if (!set) return slx_fail(err, SLX_EINPUT, of, 0, 0, "no such set");
    if (c == CHIPS) return slx_fail(err, SLX_EINPUT, name, 0, 0, "expected up to %d chips", CHIPS);
    SLX_TRY(slx_chip_load_any(&j->chip[c], name, err));
    j->n_chips++;
    if (!strcmp(set->only, "plain") || eager) {
        slx_chip *other;
        SLX_TRY(slx_predict_stack(&other, j->chip[c],
                                  eager ? SLX_SOFTWARE_EAGER : SLX_SOFTWARE_PLAIN, err));
        if (!other)
            return slx_fail(err, SLX_EINPUT, name, 0, 0, "its family has no file %s", set->only);
        slx_chip_free(j->chip[c]);
        j->chip[c] = other;
    }
    SLX_TRY(read_half(j, &j->fit[c], section, set, dir, SLX_HALF_FIT, err));
    return read_half(j, &j->test[c], section, set, dir, SLX_HALF_TEST, err);
}

/* ------------------------------------------------------------------ report */

/* measured/predicted below and above which 5 % of the fitted rows lie, of every step-th set from `first` on. */
static void band(const job *j, int first, int step, double out[2])
{
    int n = 0, cap = 1;
    for (int c = 0; c < j->n_chips; c++) cap += j->fit[c].n;
    double *v = slx_xcalloc((size_t)cap, sizeof *v);
    for (int c = first; c < j->n_chips; c += step)
        for (int i = 0; i < j->fit[c].n; i++) {
            double r = judge_ratio(j->chip[c], &j->fit[c].row[i]);
            if (r > 0) v[n++] = 1 / r;
        }
    judge_band(v, n, out);
    free(v);
}

static void report(job *j, const char *section)
{
    double b[2], first[2];
    int step = j->of_servers ? 2 : 1;
    band(j, 0, step, b);
    for (int c = 0; c < j->n_chips; c++) {
        slx_score fit, test;
        slx_score_rows(&fit, &j->fit[c], j->chip[c]);
        slx_score_rows(&test, &j->test[c], j->chip[c]);
        printf("%s %s: fit %.2f (%d rows), test %.2f median %.2f p90 %.2f bias %+.2f (%d rows)\n",
               j->chip[c]->name, section, 100 * fit.mape, fit.rows, 100 * test.mape,
               100 * test.median, 100 * test.p90, 100 * test.bias, test.rows);
    }
    printf("%s:", section);
    for (int i = 0; i < j->n; i++) {
        const double *at = (const double *)((j->of_framework ? (const char *)&j->framework
                                                             : (const char *)&j->chip[0]->given) +
                                            j->p[i]->at);
        printf(" %s=%.4g", j->p[i]->key, *at);
    }
    printf(" band_low=%.3f band_high=%.3f", b[0], b[1]);
    if (j->of_servers) {
        band(j, 1, 2, first);
        printf(" first_low=%.3f first_high=%.3f", first[0], first[1]);
    }
    printf("\n");
}

static void start_at(job *j, int s, const char *drop, double *x, double *step)
{
    for (const param *p = sections[s].p; p->key; p++) {
        char word[64];
        snprintf(word, sizeof word, ",%s,", p->key);
        if (strstr(drop, word)) continue;
        double v = p->start, of_row = *(const double *)((const char *)&j->framework + p->at);
        if (j->of_servers && of_row > 0) v = of_row;
        if (!j->of_framework) v = *(const double *)((const char *)&j->chip[0]->lib.n + p->at);
        x[j->n] = log(fmin(p->high, fmax(p->low, v)));
        j->from[j->n] = x[j->n];
        step[j->n] = x[j->n] + 0.4 > log(p->high) ? -0.4 : 0.4;
        j->p[j->n++] = p;
    }
}

/* The family of all chips; NULL where they are of several. */
static const char *one_family(const job *j)
{
    for (int c = 1; c < j->n_chips; c++)
        if (strcmp(j->chip[c]->family, j->chip[0]->family) != 0) return NULL;
    return j->chip[0]->family;
}

static slx_status run(int argc, char **argv, slx_err *err)
{
    job j = {.framework = {.slow = 1}};
    int s = 0, rounds = 300;
    double x[SIMPLEX_MAX], step[SIMPLEX_MAX];
    while (s < N_SECTIONS - 1 && strcmp(sections[s].section, argv[2]) != 0 &&
           !(strstr(argv[2], "-2024") && !*sections[s].section))
        s++;
    j.of_servers = s == N_SECTIONS - 1; /* none of the others: a framework of today */
    j.of_framework = !*sections[s].section || j.of_servers;
    const char *drop = "";
    for (int i = 4; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--rounds")) rounds = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "--drop")) drop = argv[i + 1];
        if (!strcmp(argv[i], "--near")) j.near = atof(argv[i + 1]);
    }
    for (char *name = strtok(argv[3], ","); name; name = strtok(NULL, ","))
        for (int i = 0; i <= j.of_servers; i++) SLX_TRY(add_chip(&j, s, i, argv[2], name, argv[1], err));
    if (j.of_servers) SLX_TRY(slx_framework_find(&j.framework, argv[2], one_family(&j), err));
    start_at(&j, s, drop, x, step);
    for (int k = 0; k < RESTARTS && rounds > 0; k++) {
        simplex_search(loss, &j, j.n, x, step, rounds);
        fprintf(stderr, "  %.4f\n", loss(x, &j));
        for (int i = 0; i < j.n; i++) step[i] = -step[i] / 2;
    }
    put(&j, x);
    report(&j, argv[2]);
    for (int c = 0; c < j.n_chips; c++) {
        slx_rows_free(&j.fit[c]);
        slx_rows_free(&j.test[c]);
        slx_chip_free(j.chip[c]);
    }
    return SLX_OK;
}

int main(int argc, char **argv)
{
    slx_err err;
    if (argc < 4) {
        fprintf(stderr, "usage: fit_model DATA SECTION CHIP[,CHIP..] [--rounds N] "
                        "[--drop ,key,key,] [--near L]\n");
        return 2;
    }
    slx_status s = run(argc, argv, &err);
    if (s) slx_err_print(&err, stderr);
    return slx_exit_code(s);
}
