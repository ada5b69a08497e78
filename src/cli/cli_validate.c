/* cli_validate.c - silex validate: predictions beside measurements, or predictions alone for questions in a file. */
#include "cli/cli.h"
#include "cli/json.h"
#include "validate/validate.h"

#include <errno.h>
#include <math.h>
#include <string.h>

typedef struct {
    const char *queries, *judge, *data, *numbers;
    int half;
    int64_t worst;
    bool list, json, classes;
} values;

#define AT(m) offsetof(values, m)
static const char *const halves[] = {"fit", "test", "both", NULL};
static const cli_option options[] = {
    {"queries", 0, CLI_TEXT, "FILE", AT(queries), 0, 0, NULL,
     "answer its questions, one JSON object a line, instead; - is standard input"},
    {"judge", 0, CLI_TEXT, "FILE", AT(judge), 0, 0, NULL,
     "answer its questions, which carry a number `measured`, without it, and show the errors; - is standard input"},
    {"data", 0, CLI_TEXT, "DIR", AT(data), 0, 0, NULL,
     "folder of whole sets, in place of the copies in data/measured"},
    {"half", 0, CLI_CHOICE, "HALF", AT(half), 0, 0, halves,
     "rows the numbers were fitted on, the others, or both (fit, test, both); the copies hold test "
     "rows alone"},
    {"numbers", 0, CLI_TEXT, "NAME", AT(numbers), 0, 0, NULL,
     "predict from the chip's published figures alone, with numbers of another chip or a family"},
    {"worst", 0, CLI_COUNT, "N", AT(worst), 0, SLX_SCORE_WORST, NULL,
     "worst rows to show of each set"},
    {"classes", 0, CLI_FLAG, NULL, AT(classes), 0, 0, NULL, "errors by the kernel's time"},
    {"list", 0, CLI_FLAG, NULL, AT(list), 0, 0, NULL, "the names of the sets, nothing else"},
    {"json", 0, CLI_FLAG, NULL, AT(json), 0, 0, NULL, "one JSON object"},
    {0},
};
static const values defaults = {.half = SLX_HALF_TEST};

/* ------------------------------------------------------------------ text */

static const char *class_name(int k)
{
    static const char *const names[SLX_SCORE_CLASSES] = {"< 5 us",   "5-20 us", "20-100 us",
                                                         "0.1-1 ms", "1-10 ms", ">= 10 ms"};
    return names[k];
}

static void print_head(void)
{
    printf("%-26s %6s %6s %6s %6s %6s %6s %6s  %s\n", "set", "rows", "cover", "MAPE", "median",
           "p90", "bias", "inside", "numbers");
}

/* numbers: whose they are. */
static void print_score(const values *v, const char *name, const char *numbers, const char *unit, const slx_score *r)
{
    printf("%-26s %6d %5.1f%% %5.1f%% %5.1f%% %5.1f%% %+5.1f%% %5.1f%%  %s\n", name, r->rows,
           r->rows ? 100.0 * r->answered / r->rows : 0, 100 * r->mape, 100 * r->median,
           100 * r->p90, 100 * r->bias, 100 * r->inside, numbers);
    if (r->answered < r->rows)
        printf("    %d rows not answered; the first: %s\n", r->rows - r->answered, r->why);
    for (int k = 0; v->classes && k < SLX_SCORE_CLASSES; k++)
        if (r->by[k].rows)
            printf("    %-22s %6d        %5.1f%%               %+5.1f%% %5.1f%%\n", class_name(k),
                   r->by[k].rows, 100 * r->by[k].mape, 100 * r->by[k].bias, 100 * r->by[k].inside);
    for (int i = 0; i < r->n_worst && i < v->worst; i++)
        printf("    line %-5d %s: measured %.4g %s, predicted %.4g (%+.0f%%)\n", r->worst[i].line,
               r->worst[i].what, r->worst[i].measured, unit, r->worst[i].predicted,
               100 * (r->worst[i].predicted / r->worst[i].measured - 1));
}

/* ------------------------------------------------------------------ JSON */

static json_t *score_json(const values *v, const char *name, const slx_score *r)
{
    json_t *j = json_object(), *by = json_array(), *worst = json_array();
    json_object_set_new(j, "set", json_string(name));
    json_object_set_new(j, "rows", json_integer(r->rows));
    json_object_set_new(j, "answered", json_integer(r->answered));
    if (r->answered < r->rows)
        json_object_set_new(j, "first_not_answered_why", json_string(r->why));
    json_object_set_new(j, "mape", json_real(r->mape));
    json_object_set_new(j, "median_error", json_real(r->median));
    json_object_set_new(j, "p90_error", json_real(r->p90));
    json_object_set_new(j, "bias", json_real(r->bias));
    json_object_set_new(j, "inside_band", json_real(r->inside));
    for (int k = 0; k < SLX_SCORE_CLASSES; k++)
        if (r->by[k].rows)
            json_array_append_new(by,
                                  json_pack("{s:s, s:i, s:f, s:f, s:f}", "time", class_name(k),
                                            "rows", r->by[k].rows, "mape", r->by[k].mape, "bias",
                                            r->by[k].bias, "inside_band", r->by[k].inside));
    json_object_set_new(j, "by_time", by);
    for (int i = 0; i < r->n_worst && i < v->worst; i++)
        json_array_append_new(worst,
                              json_pack("{s:i, s:s, s:f, s:f}", "line", r->worst[i].line, "row",
                                        r->worst[i].what, "measured", r->worst[i].measured,
                                        "predicted", r->worst[i].predicted));
    json_object_set_new(j, "worst", worst);
    return j;
}

static json_t *set_json(const values *v, const slx_set *s, const slx_score *r)
{
    json_t *j = score_json(v, s->name, r);
    json_object_set_new(j, "file", json_string(s->file));
    json_object_set_new(j, "chip", json_string(s->chip));
    json_object_set_new(j, "unit", json_string(s->power ? "W" : "ms"));
    json_object_set_new(j, "fitted_on_other_half", json_boolean(s->fitted && !v->numbers));
    if (v->numbers) json_object_set_new(j, "numbers_of", json_string(v->numbers));
    return j;
}

/* ------------------------------------------------------------------ run */

/* The set's chip, as it is or as if nobody had measured it. */
static slx_status load(const values *v, const slx_set *s, slx_chip **out, slx_err *err)
{
    slx_chip *known;
    SLX_TRY(slx_chip_load_any(&known, s->chip, err));
    *out = known;
    if (!v->numbers) return SLX_OK;
    slx_status st = slx_chip_unmeasured(out, known, v->numbers, err);
    slx_chip_free(known);
    return st;
}

static slx_status score(const values *v, const slx_set *s, slx_score *out, slx_err *err)
{
    slx_chip *c;
    slx_rows rows;
    SLX_TRY(load(v, s, &c, err));
    slx_status st = slx_rows_read(&rows, s, v->data, (slx_half)v->half, err);
    if (st == SLX_OK) {
        slx_score_rows(out, &rows, c);
        slx_rows_free(&rows);
    }
    slx_chip_free(c);
    return st;
}

static slx_status check_names(cli_args args, slx_err *err)
{
    const char *names[256];
    int n = slx_n_sets();
    for (int i = 0; i < n && i < 256; i++) names[i] = slx_set_at(i)->name;
    for (int i = 0; i < args.n; i++) {
        if (slx_set_find(args.v[i])) continue;
        const char *near = slx_nearest(args.v[i], names, n);
        return slx_fail(err, SLX_EINPUT, "silex validate", 0, 0,
                        "found \"%s\", expected the name of a set (--list)%s%s%s", args.v[i],
                        near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    return SLX_OK;
}

static bool wanted(cli_args args, const char *name)
{
    for (int i = 0; i < args.n; i++)
        if (!strcmp(args.v[i], name)) return true;
    return !args.n;
}

static slx_status run_sets(const values *v, cli_args args, slx_err *err)
{
    json_t *sets = json_array();
    slx_status st = check_names(args, err);
    if (st == SLX_OK && !v->json && !v->list) print_head();
    for (int i = 0; i < slx_n_sets() && st == SLX_OK; i++) {
        const slx_set *s = slx_set_at(i);
        slx_score r;
        if (!wanted(args, s->name)) continue;
        if (v->list) puts(s->name);
        if (v->list) continue;
        st = score(v, s, &r, err);
        if (st == SLX_OK && v->json) json_array_append_new(sets, set_json(v, s, &r));
        const char *of = v->numbers ? v->numbers : s->fitted ? "fitted on the other half" : "not fitted on this set";
        if (st == SLX_OK && !v->json) print_score(v, s->name, of, s->power ? "W" : "ms", &r);
    }
    if (st == SLX_OK && v->json)
        cli_json_print(json_pack("{s:s, s:O}", "half", halves[v->half], "sets", sets));
    json_decref(sets);
    return st;
}

/* "-" is standard input. */
static slx_status open_lines(FILE **out, const char *path, slx_err *err)
{
    *out = !strcmp(path, "-") ? stdin : fopen(path, "r");
    return *out ? SLX_OK : slx_fail(err, SLX_EIO, path, 0, 0, "cannot read: %s", strerror(errno));
}

static slx_status run_judge(const values *v, slx_err *err)
{
    FILE *f;
    slx_judged j;
    json_t *sets = json_array();
    SLX_TRY(open_lines(&f, v->judge, err));
    slx_status st = slx_judge_run(&j, f, v->judge, err);
    if (f != stdin) fclose(f);
    if (st == SLX_OK && !v->json) print_head();
    for (int i = 0; st == SLX_OK && i < j.n; i++)
        if (v->json)
            json_array_append_new(sets, score_json(v, j.set[i].name, &j.set[i].score));
        else
            print_score(v, j.set[i].name, "as they are", "", &j.set[i].score);
    if (st == SLX_OK && v->json) cli_json_print(json_pack("{s:O}", "sets", sets));
    json_decref(sets);
    if (st == SLX_OK) slx_judged_free(&j);
    return st;
}

static slx_status run_queries(const char *path, slx_err *err)
{
    FILE *f;
    SLX_TRY(open_lines(&f, path, err));
    bool in = f == stdin;
    bool good = slx_queries_run(f, stdout);
    bool read_error = ferror(f);
    if (!in) fclose(f);
    if (read_error) return slx_fail(err, SLX_EIO, path, 0, 0, "cannot read to its end");
    if (!good && !ferror(stdout))
        return slx_fail(err, SLX_EINPUT, path, 0, 0,
                        "some lines were malformed; their answers say where and why");
    return SLX_OK;
}

static slx_status run(const void *values_, cli_args args, slx_err *err)
{
    const values *v = values_;
    if ((v->queries != NULL) + (v->judge != NULL) + (args.n > 0) > 1)
        return slx_fail(err, SLX_EINPUT, "silex validate", 0, 0,
                        "found more than one of a set, --queries and --judge, expected one of them");
    return v->queries ? run_queries(v->queries, err) : v->judge ? run_judge(v, err) : run_sets(v, args, err);
}

const cli_verb cli_verb_validate = {
    "validate",
    "[SET...]",
    0,
    64,
    "predicted against measured kernels of chips on sale, and predictions for questions in a file",
    "Every set: rows, share answered, mean, median and 90th percentile of |predicted/measured - "
    "1|, mean error, and\n"
    "the share of measurements inside the band that is meant to hold 90 %. Numbers of a chip are "
    "fitted on half of the\n"
    "rows; what is shown is the other half. With --numbers nothing of the set's chip but its published figures is "
    "used.\n"
    "docs/validate.md says how, and how questions are asked.\n",
    options,
    &defaults,
    sizeof defaults,
    run};
