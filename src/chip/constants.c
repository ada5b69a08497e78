/* constants.c - the tables of data/: one constant a line,
 *
 *   name,low,mid,high,unit,source: the rest of the line, commas and all
 *
 * Lines that are empty or start with # say nothing. Values are above 0 (low may be 0); of the unit "share" they are at
 * most 1, of the unit "times" at least 1.
 */
#include "chip/silicon_int.h"

#include <stdlib.h>
#include <string.h>

enum { FILES = 2, ROWS_MAX = 512, NAME_BYTES = 64 };
static const char *const files[FILES] = {"silicon.csv", "cost.csv"};

#define S(name) #name,
#define F(name)
static const char *const names[] = {
#include "chip/silicon_keys.def"
};
#undef S
#undef F
#define S(name)
#define F(name) #name,
static const char *const families[] = {
#include "chip/silicon_keys.def"
};
#undef S
#undef F
enum { N_NAMES = SLX_S_COUNT, N_FAMILIES = sizeof families / sizeof *families };

typedef struct {
    char name[NAME_BYTES], unit[NAME_BYTES];
    slx_band v;
    char *source;
} row;

struct slx_constants {
    slx_band at[SLX_S_COUNT];
    row rows[ROWS_MAX];
    int n;
    slx_arena arena; /* of the sources */
};

/* ------------------------------------------------------------------ reading */

typedef struct {
    slx_constants *k;
    const char *path;
    int line;
    const char *text; /* the line, not terminated */
    size_t len;
    slx_err *err;
} place;

__attribute__((format(printf, 2, 3))) static slx_status fail_row(const place *p, const char *fmt,
                                                                 ...)
{
    char msg[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    slx_fail(p->err, SLX_EINPUT, p->path, p->line, 1, "%s", msg);
    if (p->err && p->len < sizeof p->err->source) {
        memcpy(p->err->source, p->text, p->len);
        p->err->source[p->len] = 0;
    }
    return SLX_EINPUT;
}

static bool known_name(const char *name)
{
    const char *dot = strchr(name, '.');
    for (int i = 0; i < N_FAMILIES && dot; i++)
        if (!strncmp(families[i], name, (size_t)(dot - name)) && !families[i][dot - name])
            return dot[1];
    for (int i = 0; i < N_NAMES && !dot; i++)
        if (!strcmp(names[i], name)) return true;
    return false;
}

static const row *row_of(const slx_constants *k, const char *name)
{
    for (int i = 0; i < k->n; i++)
        if (!strcmp(k->rows[i].name, name)) return &k->rows[i];
    return NULL;
}

/* What is wrong with a value of this unit; NULL: nothing. */
static const char *unit_rule(const char *unit, double v)
{
    if (!strcmp(unit, "share") && v > 1) return "a share of at most 1";
    if (!strcmp(unit, "times") && v < 1) return "a multiple of at least 1";
    return NULL;
}

static slx_status add_row(const place *p, const char *name, const double v[3], const char *unit,
                          const char *source)
{
    slx_constants *k = p->k;
    if (!known_name(name)) {
        const char *near = slx_nearest(name, names, N_NAMES);
        return fail_row(p, "found %s, expected a constant of the reports%s%s%s", name,
                        near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
    }
    if (row_of(k, name)) return fail_row(p, "%s: found a second time", name);
    if (k->n == ROWS_MAX) return fail_row(p, "more than %d rows", ROWS_MAX);
    if (!(v[0] <= v[1] && v[1] <= v[2]))
        return fail_row(p, "%s: found %g, %g, %g, expected low <= mid <= high", name, v[0], v[1],
                        v[2]);
    for (int i = 0; i < 3; i++)
        if (unit_rule(unit, v[i]))
            return fail_row(p, "%s: found %g, expected %s", name, v[i], unit_rule(unit, v[i]));
    row *r = &k->rows[k->n++];
    snprintf(r->name, sizeof r->name, "%s", name);
    snprintf(r->unit, sizeof r->unit, "%s", unit);
    r->v = band(v[0], v[1], v[2]);
    r->source = slx_strdup(&k->arena, source);
    return SLX_OK;
}

/* name,low,mid,high,unit,source */
static slx_status read_row(const place *p)
{
    static const char *const what[] = {"low", "mid", "high"};
    char field[5][NAME_BYTES];
    double v[3];
    const char *s = p->text, *end = p->text + p->len;
    for (int f = 0; f < 5; f++) {
        const char *comma = memchr(s, ',', (size_t)(end - s));
        if (!comma)
            return fail_row(p, "found %d fields, expected name,low,mid,high,unit,source", f + 1);
        if (comma - s >= NAME_BYTES) return fail_row(p, "field %d is too long", f + 1);
        memcpy(field[f], s, (size_t)(comma - s));
        field[f][comma - s] = 0;
        s = comma + 1;
    }
    for (int i = 0; i < 3; i++)
        if (!slx_parse_f64(field[1 + i], 0, 1e15, &v[i]) || (i && !(v[i] > 0)))
            return fail_row(p, "%s: found \"%s\" as %s, expected a number %s 0", field[0],
                            field[1 + i], what[i], i ? "above" : "of at least");
    if (s == end) return fail_row(p, "%s: found no source, expected where it comes from", field[0]);
    char source[1024];
    bool quoted = *s == '"' && end - s > 1 && end[-1] == '"';
    snprintf(source, sizeof source, "%.*s", (int)(end - s) - 2 * quoted, s + quoted);
    return add_row(p, field[0], v, field[4], source);
}

static slx_status read_file(slx_constants *k, const char *text, const char *path, slx_err *err)
{
    place p = {.k = k, .path = path, .err = err};
    for (const char *s = text; *s; s += p.len + (s[p.len] == '\n')) {
        p.line++;
        p.text = s;
        p.len = strcspn(s, "\n");
        if (p.len && *s != '#') SLX_TRY(read_row(&p));
    }
    return SLX_OK;
}

slx_status slx_constants_parse(slx_constants **out, const char *const text[2],
                               const char *const path[2], slx_err *err)
{
    slx_constants *k = slx_xcalloc(1, sizeof *k);
    slx_status s = SLX_OK;
    slx_arena_init(&k->arena);
    for (int i = 0; i < FILES && s == SLX_OK; i++) s = read_file(k, text[i], path[i], err);
    for (int i = 0; i < N_NAMES && s == SLX_OK; i++) {
        const row *r = row_of(k, names[i]);
        if (r)
            k->at[i] = r->v;
        else
            s = slx_fail(err, SLX_EINPUT, path[0], 0, 0, "%s: missing here and in %s", names[i],
                         path[1]);
    }
    if (s) {
        slx_constants_free(k);
        k = NULL;
    }
    *out = k;
    return s;
}

slx_status slx_constants_load(slx_constants **out, slx_err *err)
{
    char path[FILES][1024];
    slx_buf text[FILES] = {{0}, {0}};
    slx_status s = SLX_OK;
    *out = NULL;
    for (int i = 0; i < FILES && s == SLX_OK; i++) {
        s = slx_find_file(path[i], "data", files[i], NULL, err);
        if (s == SLX_OK) s = slx_read_file(&text[i], path[i], err);
    }
    if (s == SLX_OK)
        s = slx_constants_parse(
            out,
            (const char *const[]){text[0].len ? text[0].ptr : "", text[1].len ? text[1].ptr : ""},
            (const char *const[]){path[0], path[1]}, err);
    for (int i = 0; i < FILES; i++) slx_buf_free(&text[i]);
    return s;
}

void slx_constants_free(slx_constants *k)
{
    if (!k) return;
    slx_arena_deinit(&k->arena);
    free(k);
}

/* ------------------------------------------------------------------ looking up */

slx_band slx_constants_at(const slx_constants *k, slx_constant c)
{
    SLX_ASSERT((unsigned)c < SLX_S_COUNT);
    return k->at[c];
}

bool slx_constants_of(const slx_constants *k, const char *family, const char *suffix, slx_band *out)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", family, suffix);
    const row *r = row_of(k, name);
    if (r) *out = r->v;
    return r;
}

int slx_constants_count(const slx_constants *k)
{
    return k->n;
}

const char *slx_constants_name(const slx_constants *k, int i)
{
    SLX_ASSERT(i >= 0 && i < k->n);
    return k->rows[i].name;
}

const char *slx_constants_unit(const slx_constants *k, int i)
{
    SLX_ASSERT(i >= 0 && i < k->n);
    return k->rows[i].unit;
}

const char *slx_constants_source(const slx_constants *k, int i)
{
    SLX_ASSERT(i >= 0 && i < k->n);
    return k->rows[i].source;
}

slx_band slx_constants_row(const slx_constants *k, int i)
{
    SLX_ASSERT(i >= 0 && i < k->n);
    return k->rows[i].v;
}

const char *slx_constants_rule(const slx_constants *k, int i, double v)
{
    SLX_ASSERT(i >= 0 && i < k->n);
    return v > 0 ? unit_rule(k->rows[i].unit, v) : "a number above 0";
}

void slx_constants_set(slx_constants *k, int i, slx_band v)
{
    SLX_ASSERT(i >= 0 && i < k->n);
    k->rows[i].v = v;
    for (int n = 0; n < N_NAMES; n++)
        if (!strcmp(names[n], k->rows[i].name)) k->at[n] = v;
}

slx_status slx_constants_need(slx_band *out, const slx_constants *k, const char *family,
                              const char *suffix, const slx_chip *c, const char *key, slx_err *err)
{
    if (slx_constants_of(k, family, suffix, out)) return SLX_OK;
    if (c->library && !*suffix) {
        *out = band_exact(NAN);
        return SLX_OK;
    }
    slx_buf b = {0};
    size_t len = strlen(family);
    for (int i = 0; i < k->n; i++)
        if (!strncmp(k->rows[i].name, family, len) && k->rows[i].name[len] == '.')
            slx_buf_addf(&b, "%s%s", b.len ? ", " : "", k->rows[i].name + len + 1);
    slx_status s =
        slx_chip_fail_key(c, key, err, "found \"%.40s\", expected one of %s (rows %s of data/)",
                          suffix, b.len ? b.ptr : "none", family);
    slx_buf_free(&b);
    return s;
}
