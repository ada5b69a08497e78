/* judge.c - questions that carry what was measured: answered without it, and scored.
 *
 * For measurements that the project may not carry, or that are no kernels: tools/fit/rows writes such files. The
 * measured value never reaches what answers: it is taken out of the line before.
 */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "validate/validate.h"

typedef struct {
    int set;
    slx_scored v;
    char *id;
} judged;

typedef struct {
    slx_judged *out;
    judged *row;
    int n, cap;
    slx_queries *queries;
    const char *path;
    slx_err *err;
} job;

static const char *text_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

static int set_of(slx_judged *j, const json_t *o)
{
    char name[80];
    if (*text_of(o, "set"))
        snprintf(name, sizeof name, "%.79s", text_of(o, "set"));
    else
        snprintf(name, sizeof name, "%.30s %.40s", text_of(o, "kind"), text_of(o, "ask"));
    int i = 0;
    while (i < j->n && strcmp(j->set[i].name, name) != 0) i++;
    if (i < j->n) return i;
    j->set = slx_xrealloc(j->set, (size_t)(j->n + 1) * sizeof *j->set);
    j->set[i] = (struct slx_judged_set){0};
    memcpy(j->set[i].name, name, sizeof name);
    j->n++;
    return i;
}

/* The answer to o, which holds no measured value; false where there is none, and the set says why. */
static bool ask(job *j, const json_t *o, int line, int set, slx_guess *g)
{
    slx_buf b = {0};
    char *text = json_dumps(o, JSON_COMPACT);
    slx_queries_line(j->queries, text, strlen(text), line, &b);
    json_t *a = json_loadb(b.ptr, b.len, 0, NULL);
    const json_t *v = json_object_get(a, "value");
    bool told = json_is_number(v);
    slx_score *s = &j->out->set[set].score;
    if (told)
        *g = (slx_guess){json_number_value(v), json_number_value(json_object_get(a, "low")),
                         json_number_value(json_object_get(a, "high"))};
    else if (!*s->why)
        snprintf(s->why, sizeof s->why, "line %d: %.160s", line, text_of(a, "why"));
    json_decref(a);
    free(text);
    slx_buf_free(&b);
    return told;
}

static slx_status one(job *j, const char *text, size_t len, int line)
{
    json_error_t e;
    json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    const json_t *m = json_object_get(o, "measured");
    double measured = json_number_value(m);
    slx_status st = SLX_OK;
    if (!json_is_object(o))
        st = slx_fail(j->err, SLX_EINPUT, j->path, line, 0, "%.200s, expected a JSON object", o ? "a value" : e.text);
    else if (!json_is_number(m) || !(measured > 0))
        st = slx_fail(j->err, SLX_EINPUT, j->path, line, 0, "field measured: found %s, expected a number above 0",
                      m ? "another value" : "nothing");
    if (st == SLX_OK) {
        int set = set_of(j->out, o);
        judged r = {.set = set, .v = {.measured = measured, .ms = measured, .line = line}};
        json_object_del(o, "measured");
        json_object_del(o, "set");
        j->out->set[set].score.rows++;
        if (ask(j, o, line, set, &r.v.g)) {
            if (j->n == j->cap) j->row = slx_xrealloc(j->row, (size_t)(j->cap = 2 * j->cap + 64) * sizeof *j->row);
            r.id = strdup(text_of(o, "id"));
            SLX_ASSERT(r.id);
            j->row[j->n++] = r;
        }
    }
    json_decref(o);
    return st;
}

static void score(job *j)
{
    slx_scored *v = slx_xcalloc((size_t)j->n + 1, sizeof *v);
    for (int s = 0; s < j->out->n; s++) {
        int n = 0;
        for (int i = 0; i < j->n; i++)
            if (j->row[i].set == s) v[n] = j->row[i].v, v[n++].id = j->row[i].id;
        slx_score_values(&j->out->set[s].score, v, n);
    }
    free(v);
}

slx_status slx_judge_run(slx_judged *out, FILE *in, const char *path, slx_err *err)
{
    job j = {.out = out, .queries = slx_queries_open(), .path = path, .err = err};
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    slx_status st = SLX_OK;
    *out = (slx_judged){0};
    for (int n = 1; st == SLX_OK && (len = getline(&line, &cap, in)) >= 0; n++) {
        while (len && (line[len - 1] == '\n' || line[len - 1] == '\r')) len--;
        if (len) st = one(&j, line, (size_t)len, n);
    }
    if (st == SLX_OK) score(&j);
    for (int i = 0; i < j.n; i++) free(j.row[i].id);
    free(j.row);
    free(line);
    slx_queries_close(j.queries);
    if (st) slx_judged_free(out);
    return st;
}

void slx_judged_free(slx_judged *j)
{
    free(j->set);
    *j = (slx_judged){0};
}
