/* case_input.c - one figure of a case file, and the table of what figures there are.
 *
 *   tok_s: {low: 4, mid: 20.5, high: 163, unit: tokens/s/chip, free: true, source: "..."}
 *   plan:  {by_year: {2026: 0.5, 2027: 2}, low: 0.8, high: 1.1, unit: GW/quarter, source: "..."}
 *
 * Of a series low and high are factors on the whole of it.
 */
#include "fleet/fleet_int.h"

#include <string.h>

#define REQUIRED INFINITY
#define UNKNOWN  NAN
#define K(section, key, unit, least, most, dflt, doc)                                              \
    {SLX_FS_##section, #key, unit, least, most, dflt, doc},
const slx_fleet_key_info slx_fleet_keys[SLX_F_COUNT] = {
#include "fleet/fleet_keys.def"
};
#undef REQUIRED
#undef UNKNOWN

const char *const slx_fleet_section_names[SLX_FS_COUNT] = {
    "demand", "options",  "sites", "pools",    "contracts", "money",
    "limits", "research", "sales", "training", "own"};

bool slx_fleet_section_many(slx_fleet_section s)
{
    return s == SLX_FS_OPTION || s == SLX_FS_SITE || s == SLX_FS_POOL || s == SLX_FS_CONTRACT;
}

slx_fleet_key slx_fleet_first_key(slx_fleet_section s)
{
    int k = 0;
    while (slx_fleet_keys[k].section != s) k++;
    return (slx_fleet_key)k;
}

int slx_fleet_key_count(slx_fleet_section s)
{
    int n = 0;
    for (int k = 0; k < SLX_F_COUNT; k++) n += slx_fleet_keys[k].section == s;
    return n;
}

const char *slx_fleet_unit_name(char out[32], slx_fleet_key key, int unit)
{
    const char *s = slx_fleet_keys[key].unit;
    for (; unit; unit--) s = strchr(s, '|') + 1;
    snprintf(out, 32, "%.*s", (int)strcspn(s, "|"), s);
    return out;
}

bool slx_fleet_is_flow(slx_fleet_key key)
{
    return strstr(slx_fleet_keys[key].unit, "/quarter") != NULL;
}

/* Only these may change from quarter to quarter. */
static bool may_be_series(slx_fleet_key key)
{
    return slx_fleet_is_flow(key) || key == SLX_F_SITE_gw || key == SLX_F_LIMITS_target_gw;
}

static slx_status read_number(const slx_yaml *t, const slx_yaml_node *n, double least, double most,
                              const char *unit, double *out)
{
    char expected[128];
    if (n->kind == SLX_YAML_SCALAR && n->plain && slx_parse_f64(n->text, least, most, out))
        return SLX_OK;
    snprintf(expected, sizeof expected, "a number%s%s between %g and %g",
             strcmp(unit, "1") && *unit ? " in " : "", strcmp(unit, "1") ? unit : "", least, most);
    return slx_yaml_fail_found(t, n, expected);
}

static slx_status read_unit(const slx_yaml *t, const slx_yaml_node *n, slx_fleet_input *in)
{
    char name[32], expected[160];
    const char *bar = slx_fleet_keys[in->key].unit;
    int units = 1;
    for (; (bar = strchr(bar, '|')); bar++) units++;
    for (int u = 0; u < units && n->kind == SLX_YAML_SCALAR; u++)
        if (!strcmp(slx_fleet_unit_name(name, in->key, u), n->text)) {
            in->unit = u;
            return SLX_OK;
        }
    snprintf(expected, sizeof expected, "%s%s", units > 1 ? "one of " : "",
             slx_fleet_keys[in->key].unit);
    for (char *p = expected; (p = strchr(p, '|')); p++) *p = ' ';
    return slx_yaml_fail_found(t, n, expected);
}

static slx_status read_flag(const slx_yaml *t, const slx_yaml_node *n, bool *out)
{
    if (n->kind != SLX_YAML_SCALAR || (strcmp(n->text, "true") && strcmp(n->text, "false")))
        return slx_yaml_fail_found(t, n, "true or false");
    *out = n->text[0] == 't';
    return SLX_OK;
}

/* ------------------------------------------------------------------ series */

static slx_status read_quarters(const slx_fleet_reader *r, const slx_yaml_node *list,
                                slx_fleet_input *in, double *series)
{
    const slx_fleet_key_info *k = &slx_fleet_keys[in->key];
    char unit[32], expected[96];
    int q = 0;
    if (list->kind != SLX_YAML_LIST) return slx_yaml_fail_found(r->t, list, "a list of numbers");
    for (const slx_yaml_node *n = slx_fleet_child(r->t, list); n;
         n = slx_fleet_next(r->t, n), q++) {
        if (q == r->c->quarters)
            return slx_yaml_fail(r->t, n->line, n->col, "%s: more than the %d quarters of the case",
                                 list->path, r->c->quarters);
        SLX_TRY(read_number(r->t, n, k->least, k->most,
                            slx_fleet_unit_name(unit, in->key, in->unit), &series[q]));
    }
    if (q == r->c->quarters) return SLX_OK;
    snprintf(expected, sizeof expected, "one value for each of the %d quarters of the case",
             r->c->quarters);
    return slx_yaml_fail(r->t, list->line, list->col, "%s: found %d values, expected %s",
                         list->path, q, expected);
}

/* A flow's year is spread evenly over its quarters in the case; a level is reached at the year's end, in even steps. */
static slx_status read_years(const slx_fleet_reader *r, const slx_yaml_node *map,
                             slx_fleet_input *in, double *series)
{
    const slx_fleet_case *c = r->c;
    const slx_fleet_key_info *k = &slx_fleet_keys[in->key];
    int last = c->start_year + (c->start_quarter - 1 + c->quarters - 1) / 4;
    char unit[32];
    double before = 0;
    if (map->kind != SLX_YAML_MAP)
        return slx_yaml_fail_found(r->t, map, "a mapping of years to numbers");
    for (const slx_yaml_node *n = slx_fleet_child(r->t, map); n; n = slx_fleet_next(r->t, n)) {
        int64_t year;
        if (!slx_parse_i64(n->name, c->start_year, last, &year))
            return slx_yaml_fail(r->t, n->key_line, n->key_col,
                                 "%s: unknown year, expected %d to %d, the years of the case",
                                 n->path, c->start_year, last);
    }
    for (int year = c->start_year; year <= last; year++) {
        int from = (year - c->start_year) * 4 - (c->start_quarter - 1), to = from + 4;
        from = from < 0 ? 0 : from;
        to = to > c->quarters ? c->quarters : to;
        char name[16];
        double v = 0;
        snprintf(name, sizeof name, "%d", year);
        const slx_yaml_node *n = slx_fleet_child(r->t, map);
        while (n && strcmp(n->name, name)) n = slx_fleet_next(r->t, n);
        if (!n)
            return slx_yaml_fail(r->t, map->key_line, map->key_col,
                                 "%s: the year %d is missing, expected every year from %d to %d",
                                 map->path, year, c->start_year, last);
        SLX_TRY(read_number(r->t, n, k->least, k->most,
                            slx_fleet_unit_name(unit, in->key, in->unit), &v));
        for (int q = from; q < to; q++)
            series[q] = slx_fleet_is_flow(in->key)
                            ? v / (to - from)
                            : before + (v - before) * (q - from + 1) / (to - from);
        before = v;
    }
    return SLX_OK;
}

/* ------------------------------------------------------------------ one figure */

enum { P_LOW, P_MID, P_HIGH, P_YEAR, P_QUARTER, P_UNIT, P_SOURCE, P_FREE, PARTS };
static const char *const part_names[PARTS] = {"low",        "mid",  "high",   "by_year",
                                              "by_quarter", "unit", "source", "free"};

static slx_status find_parts(const slx_yaml *t, const slx_yaml_node *n,
                             const slx_yaml_node *part[PARTS])
{
    if (n->kind != SLX_YAML_MAP)
        return slx_yaml_fail_found(t, n, "a mapping of low, mid, high, unit and source");
    for (const slx_yaml_node *x = slx_fleet_child(t, n); x; x = slx_fleet_next(t, x)) {
        int p = 0;
        while (p < PARTS && strcmp(part_names[p], x->name)) p++;
        if (p == PARTS) return slx_yaml_unknown(t, x, part_names, PARTS);
        part[p] = x;
    }
    if (!part[P_UNIT] || !part[P_SOURCE])
        return slx_yaml_fail(t, n->key_line, n->key_col, "%s: %s is missing", n->path,
                             part[P_UNIT] ? "source" : "unit");
    int shapes = !!part[P_MID] + !!part[P_YEAR] + !!part[P_QUARTER];
    if (shapes != 1)
        return slx_yaml_fail(t, n->key_line, n->key_col,
                             "%s: found %d of mid, by_year and by_quarter, expected exactly one",
                             n->path, shapes);
    if (!part[P_LOW] != !part[P_HIGH])
        return slx_yaml_fail(t, n->key_line, n->key_col, "%s: %s is missing beside %s", n->path,
                             part[P_LOW] ? "high" : "low", part[P_LOW] ? "low" : "high");
    return SLX_OK;
}

static slx_status read_band(const slx_yaml *t, const slx_yaml_node *const part[PARTS],
                            slx_fleet_input *in)
{
    const slx_fleet_key_info *k = &slx_fleet_keys[in->key];
    bool series = !part[P_MID];
    char unit[32];
    slx_fleet_unit_name(unit, in->key, in->unit);
    double least = series ? 0 : k->least, most = series ? 100 : k->most;
    in->mid = 1;
    if (part[P_MID]) SLX_TRY(read_number(t, part[P_MID], least, most, unit, &in->mid));
    in->low = in->high = in->mid;
    if (!part[P_LOW]) return SLX_OK;
    SLX_TRY(read_number(t, part[P_LOW], least, most, series ? "" : unit, &in->low));
    SLX_TRY(read_number(t, part[P_HIGH], least, most, series ? "" : unit, &in->high));
    if (in->low > in->mid || in->mid > in->high)
        return slx_yaml_fail(t, part[P_LOW]->line, part[P_LOW]->col,
                             "%s: found %g, %g, %g, expected low <= mid <= high%s", in->path,
                             in->low, in->mid, in->high, series ? " (factors, mid is 1)" : "");
    return SLX_OK;
}

slx_status slx_fleet_read_input(const slx_fleet_reader *r, const slx_yaml_node *n,
                                slx_fleet_input *in)
{
    const slx_yaml_node *part[PARTS] = {0};
    const slx_yaml *t = r->t;
    SLX_TRY(find_parts(t, n, part));
    SLX_TRY(read_unit(t, part[P_UNIT], in));
    SLX_TRY(read_band(t, part, in));
    if (!slx_yaml_is_line(part[P_SOURCE], 1, 600))
        return slx_yaml_fail_found(t, part[P_SOURCE],
                                   "one line that says where the figure is from");
    in->source = slx_strdup(&r->c->arena, part[P_SOURCE]->text);
    if (part[P_FREE]) SLX_TRY(read_flag(t, part[P_FREE], &in->free));
    in->given = true;
    in->line = n->key_line;
    in->series = NULL;
    const slx_yaml_node *list = part[P_YEAR] ? part[P_YEAR] : part[P_QUARTER];
    if (!list) return SLX_OK;
    if (!may_be_series(in->key))
        return slx_yaml_fail(
            t, list->key_line, list->key_col,
            "%s: found a series, expected one value: only plans, capacities, budgets and "
            "levels of power change over time",
            n->path);
    double *series = slx_new(&r->c->arena, double, r->c->quarters);
    in->series = series;
    return part[P_YEAR] ? read_years(r, list, in, series) : read_quarters(r, list, in, series);
}
