/* case_set.c - a case changed after it was read, and how its inputs are called. */
#include "fleet/fleet_int.h"

#include <stdlib.h>
#include <string.h>

/* Names what is near it among the figures that the case gives: first in the same block, then anywhere. */
static slx_status unknown_figure(const slx_fleet_case *c, const char *place, const char *path,
                                 slx_err *err)
{
    const char *dot = strrchr(path, '.'), *near;
    size_t block = dot ? (size_t)(dot + 1 - path) : 0; /* with its dot */
    const char **names = slx_xmalloc(sizeof *names * (size_t)c->n_in);
    slx_buf hint = {0};
    int n = 0;
    for (int i = 0; i < c->n_in; i++)
        if (block && c->in[i].given && !strncmp(c->in[i].path, path, block))
            names[n++] = c->in[i].path + block;
    near = slx_nearest(path + block, names, n);
    for (int i = 0; i < n && !near && path[block]; i++) /* "tok" of tok_s */
        if (!strncmp(names[i], path + block, strlen(path + block))) near = names[i];
    if (near) {
        slx_buf_addf(&hint, " (did you mean %.*s%s?)", (int)block, path, near);
    } else if (n) {
        slx_buf_addf(&hint, "; %.*s has", (int)block - 1, path);
        for (int i = 0; i < n; i++) slx_buf_addf(&hint, "%s %s", i ? "," : "", names[i]);
    } else {
        for (int i = 0; i < c->n_in; i++)
            if (c->in[i].given) names[n++] = c->in[i].path;
        if ((near = slx_nearest(path, names, n))) slx_buf_addf(&hint, " (did you mean %s?)", near);
    }
    slx_fail(err, SLX_EINPUT, place, 0, 0,
             "found unknown figure %s%s; silex fleet --keys lists them", path,
             hint.len ? hint.ptr : "");
    slx_buf_free(&hint);
    free(names);
    return SLX_EINPUT;
}

slx_status slx_fleet_set(slx_fleet_case *c, const char *assignment, slx_err *err)
{
    char place[160], path[128], unit[32];
    const char *eq = strchr(assignment, '=');
    snprintf(place, sizeof place, "--set %.100s", assignment);
    if (!eq || eq == assignment || (size_t)(eq - assignment) >= sizeof path)
        return slx_fail(err, SLX_EINPUT, place, 0, 0,
                        "found no KEY=VALUE, expected a figure of the case and a number");
    snprintf(path, sizeof path, "%.*s", (int)(eq - assignment), assignment);
    for (int i = 0; i < c->n_in; i++) {
        slx_fleet_input *in = &c->in[i];
        const slx_fleet_key_info *k = &slx_fleet_keys[in->key];
        double v, least = in->series ? 0 : k->least, most = in->series ? 100 : k->most;
        if (strcmp(in->path, path)) continue;
        if (!slx_parse_f64(eq + 1, least, most, &v))
            return slx_fail(
                err, SLX_EINPUT, place, 0, 0, "found \"%.40s\", expected %s%s between %g and %g",
                eq + 1, in->series ? "a factor on the series" : "a number in ",
                in->series ? "" : slx_fleet_unit_name(unit, in->key, in->unit), least, most);
        in->low = in->mid = in->high = v;
        in->given = true;
        in->source = "--set";
        return SLX_OK;
    }
    return unknown_figure(c, place, path, err);
}

slx_status slx_fleet_use_variant(slx_fleet_case *c, const char *name, slx_err *err)
{
    slx_buf b = {0};
    if (!name || !*name) return SLX_OK;
    for (int i = 0; i < c->n_variants; i++) {
        const slx_fleet_variant *v = &c->variant[i];
        slx_buf_addf(&b, "%s%s", i ? ", " : "", v->name);
        if (strcmp(v->name, name)) continue;
        for (int k = 0; k < v->n; k++) c->in[v->at[k]] = v->in[k];
        slx_buf_free(&b);
        return SLX_OK;
    }
    slx_fail(err, SLX_EINPUT, "--variant", 0, 0,
             "found \"%s\", expected one of the case's variants: %s", name,
             b.len ? b.ptr : "it has none");
    slx_buf_free(&b);
    return SLX_EINPUT;
}

const char *slx_fleet_unit(const slx_fleet_input *in)
{
    /* Only these have a choice; their names outlive the call as parts of the table would not. */
    static const char *const plan[] = {"GW/quarter", "USD/quarter", "chips/quarter",
                                       "racks/quarter"};
    static const char *const pool[] = {"wafers/quarter", "GiB/quarter",   "mm2/quarter",
                                       "chips/quarter",  "racks/quarter", "substrates/quarter"};
    static const char *const sales[] = {"USD/Mtoken", "USD/GW/year"};
    static const char *const shortfall[] = {"USD/GW", "USD/USD"};
    if (in->key == SLX_F_OPTION_plan) return plan[in->unit];
    if (in->key == SLX_F_POOL_capacity) return pool[in->unit];
    if (in->key == SLX_F_SALES_price) return sales[in->unit];
    if (in->key == SLX_F_CONTRACT_commit) return plan[in->unit];
    if (in->key == SLX_F_CONTRACT_shortfall_usd) return shortfall[in->unit];
    return slx_fleet_keys[in->key].unit;
}

const char *slx_fleet_quarter(char out[16], const slx_fleet_case *c, int q)
{
    int at = c->start_quarter - 1 + q;
    snprintf(out, 16, "%d-Q%d", c->start_year + at / 4, at % 4 + 1);
    return out;
}
