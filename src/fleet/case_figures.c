/* case_figures.c - other readings of a case, and what others published: variants and figures of a case file. */
#include "fleet/fleet_int.h"

#include <string.h>

/* ------------------------------------------------------------------ variants */

/* variants.NAME: about, and any input of the case again under its own path. */
slx_status slx_fleet_read_variant(const slx_fleet_reader *r, const slx_yaml_node *up)
{
    slx_fleet_case *c = r->c;
    slx_fleet_variant *v = &c->variant[c->n_variants++];
    const slx_yaml *t = r->t;
    size_t skip = strlen(up->path) + 1;
    *v = (slx_fleet_variant){.name = slx_strdup(&c->arena, up->name)};
    SLX_TRY(slx_fleet_read_text(r, up, "about", true, &v->about));
    v->in = slx_new(&c->arena, slx_fleet_input, c->n_in);
    v->at = slx_new(&c->arena, int, c->n_in);
    for (const slx_yaml_node *n = up + 1; n < t->nodes + t->n_nodes; n++) {
        if (strncmp(n->path, up->path, skip - 1) || n->path[skip - 1] != '.') break;
        const char *path = n->path + skip;
        int at = 0;
        if (!strcmp(path, "about")) continue;
        while (at < c->n_in && strcmp(c->in[at].path, path)) at++;
        if (at < c->n_in) {
            slx_fleet_input *in = &v->in[v->n];
            *in = (slx_fleet_input){.key = c->in[at].key, .path = c->in[at].path};
            SLX_TRY(slx_fleet_read_input(r, n, in));
            v->at[v->n++] = at;
            while (n + 1 < t->nodes + t->n_nodes && !strncmp(n[1].path, up->path, skip - 1) &&
                   !strncmp(n[1].path + skip, path, strlen(path)) &&
                   strchr(".[", n[1].path[skip + strlen(path)]))
                n++;
            continue;
        }
        bool within = false; /* on the way to an input */
        for (int i = 0; i < c->n_in && !within; i++)
            within =
                !strncmp(c->in[i].path, path, strlen(path)) && c->in[i].path[strlen(path)] == '.';
        if (!within || n->kind != SLX_YAML_MAP)
            return slx_yaml_fail(
                t, n->key_line, n->key_col,
                "%s: no such figure in this case, expected one that it has, to replace it",
                n->path);
    }
    if (!v->n)
        return slx_yaml_fail(t, up->key_line, up->key_col,
                             "%s: replaces nothing, expected figures of the case", up->path);
    return SLX_OK;
}

/* ------------------------------------------------------------------ public figures */

static const struct {
    const char *name, *unit;
    bool each;
    const char *doc;
} outputs[SLX_FO_COUNT] = {
#define OUT(name, unit, each, doc) {#name, unit, each, doc},
#include "fleet/fleet_outputs.def"
};

const char *slx_fleet_output_name(slx_fleet_output o)
{
    return outputs[o].name;
}

bool slx_fleet_output_each(slx_fleet_output o)
{
    return outputs[o].each;
}

const char *slx_fleet_output_doc(slx_fleet_output o)
{
    return outputs[o].doc;
}

const char *slx_fleet_output_unit(slx_fleet_output o)
{
    return outputs[o].unit;
}

static int option_named(const slx_fleet_case *c, const char *name, size_t len)
{
    int i = c->n_options;
    while (i-- && (strncmp(c->option[i].name, name, len) || c->option[i].name[len])) {}
    return i;
}

static slx_status read_of(const slx_fleet_reader *r, const slx_yaml_node *up, slx_fleet_public *p)
{
    const slx_yaml_node *n = slx_fleet_part(r->t, up, "of");
    if (!n || n->kind != SLX_YAML_SCALAR)
        return slx_yaml_fail(r->t, up->key_line, up->key_col,
                             "%s.of: missing, expected an output as capex_usd, or OPTION.chips",
                             up->path);
    const char *dot = strchr(n->text, '.'), *name = dot ? dot + 1 : n->text;
    p->option = dot ? option_named(r->c, n->text, (size_t)(dot - n->text)) : -1;
    if (dot && p->option < 0)
        return slx_yaml_fail(r->t, n->line, n->col,
                             "%s: found \"%s\", expected an option of this case before the dot",
                             n->path, n->text);
    slx_buf b = {0};
    slx_buf_addf(&b, "an output: ");
    for (int o = 0; o < SLX_FO_COUNT; o++) {
        if (!strcmp(outputs[o].name, name) && (outputs[o].each || !dot)) {
            p->of = (slx_fleet_output)o;
            slx_buf_free(&b);
            return SLX_OK;
        }
        if (outputs[o].each || !dot) slx_buf_addf(&b, "%s%s", o ? ", " : "", outputs[o].name);
    }
    slx_status s = slx_yaml_fail_found(r->t, n, b.ptr);
    slx_buf_free(&b);
    return s;
}

slx_status slx_fleet_read_figure(const slx_fleet_reader *r, const slx_yaml_node *up)
{
    static const char *const names[] = {"of", "variant", "public", "unit", "source", "within"};
    slx_fleet_case *c = r->c;
    const slx_yaml *t = r->t;
    slx_fleet_public *p = &c->figure[c->n_figures++];
    *p = (slx_fleet_public){.name = slx_strdup(&c->arena, up->name), .variant = -1, .within = 0.05};
    if (up->kind != SLX_YAML_MAP)
        return slx_yaml_fail_found(t, up, "a mapping of of, public, unit, source");
    for (const slx_yaml_node *n = slx_fleet_child(t, up); n; n = slx_fleet_next(t, n)) {
        int k = 0;
        while (k < 6 && strcmp(names[k], n->name)) k++;
        if (k == 6) return slx_yaml_unknown(t, n, names, 6);
    }
    SLX_TRY(read_of(r, up, p));
    SLX_TRY(slx_fleet_read_text(r, up, "source", true, &p->source));
    const slx_yaml_node *pub = slx_fleet_part(t, up, "public"),
                        *unit = slx_fleet_part(t, up, "unit"),
                        *var = slx_fleet_part(t, up, "variant"),
                        *within = slx_fleet_part(t, up, "within");
    if (!pub || !unit)
        return slx_yaml_fail(t, up->key_line, up->key_col, "%s.%s: missing", up->path,
                             pub ? "unit" : "public");
    if (pub->kind != SLX_YAML_SCALAR || !slx_parse_f64(pub->text, 0, 1e18, &p->published) ||
        !(p->published > 0))
        return slx_yaml_fail_found(t, pub, "a number above 0");
    if (unit->kind != SLX_YAML_SCALAR || strcmp(unit->text, outputs[p->of].unit))
        return slx_yaml_fail_found(t, unit, outputs[p->of].unit);
    if (within &&
        (within->kind != SLX_YAML_SCALAR || !slx_parse_f64(within->text, 0, 10, &p->within)))
        return slx_yaml_fail_found(t, within, "a relative error between 0 and 10");
    if (!var) return SLX_OK;
    for (int i = 0; i < c->n_variants; i++)
        if (var->kind == SLX_YAML_SCALAR && !strcmp(c->variant[i].name, var->text)) p->variant = i;
    return p->variant < 0 ? slx_yaml_fail_found(t, var, "a variant of this case") : SLX_OK;
}
