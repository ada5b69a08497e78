/* case.c - a case file's structure: sections, names, variants, public figures. Its figures are case_input.c's. */
#include "fleet/fleet_int.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ nodes */

const slx_yaml_node *slx_fleet_child(const slx_yaml *t, const slx_yaml_node *up)
{
    int parent = (int)(up - t->nodes);
    for (int i = parent + 1; i < t->n_nodes; i++)
        if (t->nodes[i].parent == parent) return &t->nodes[i];
    return NULL;
}

const slx_yaml_node *slx_fleet_next(const slx_yaml *t, const slx_yaml_node *n)
{
    for (int i = (int)(n - t->nodes) + 1; i < t->n_nodes && t->nodes[i].parent >= n->parent; i++)
        if (t->nodes[i].parent == n->parent) return &t->nodes[i];
    return NULL;
}

slx_status slx_fleet_unknown(const slx_yaml *t, const slx_yaml_node *n, const char *const *names,
                             int n_names)
{
    slx_buf b = {0};
    for (int i = 0; i < n_names; i++) slx_buf_addf(&b, "%s%s", i ? ", " : "", names[i]);
    const char *near = slx_nearest(n->name, names, n_names);
    slx_status s = slx_yaml_fail(
        t, n->key_line, n->key_col, "%s: unknown key%s%s%s, expected one of %s", n->path,
        near ? " (did you mean " : "", near ? near : "", near ? "?)" : "", b.ptr);
    slx_buf_free(&b);
    return s;
}

slx_status slx_fleet_fail(const slx_yaml *t, const char *path, const char *fmt, ...)
{
    char msg[512], up[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    snprintf(up, sizeof up, "%s", path);
    const slx_yaml_node *n = slx_yaml_at(t, up);
    for (char *dot; !n && (dot = strrchr(up, '.')); n = slx_yaml_at(t, up)) *dot = 0;
    if (!n) n = &t->nodes[0];
    return slx_yaml_fail(t, n->key_line, n->key_col, "%s: %s", path, msg);
}

/* ------------------------------------------------------------------ blocks of inputs */

/* Adds the inputs of one section under a path; returns its base. */
static int add_block(slx_fleet_case *c, slx_fleet_section s, const char *path)
{
    slx_fleet_key first = slx_fleet_first_key(s);
    int n = slx_fleet_key_count(s), base = c->n_in - (int)first;
    for (int i = 0; i < n; i++) {
        const slx_fleet_key_info *k = &slx_fleet_keys[first + i];
        slx_fleet_input *in = &c->in[c->n_in++];
        *in = (slx_fleet_input){.key = (slx_fleet_key)(first + i),
                                .path = slx_sprintf(&c->arena, "%s.%s", path, k->name),
                                .low = k->dflt,
                                .mid = k->dflt,
                                .high = k->dflt,
                                .source = "default"};
    }
    return base;
}

/* Reads the children of a section that are figures; others are left to `text`, which returns false for unknown ones. */
typedef struct {
    const slx_fleet_reader *r;
    slx_fleet_section section;
    int base;
    const char *const *texts; /* names that are no figures, ended by NULL */
} block;

static slx_status unknown_in_block(const block *b, const slx_yaml_node *n)
{
    const char *names[80];
    int count = 0;
    for (int i = 0; b->texts[i]; i++) names[count++] = b->texts[i];
    for (int k = 0; k < SLX_F_COUNT; k++)
        if (slx_fleet_keys[k].section == b->section) names[count++] = slx_fleet_keys[k].name;
    return slx_fleet_unknown(b->r->t, n, names, count);
}

static slx_status read_block(const block *b, const slx_yaml_node *up)
{
    const slx_fleet_reader *r = b->r;
    if (up->kind != SLX_YAML_MAP) return slx_yaml_fail_found(r->t, up, "a mapping of figures");
    for (const slx_yaml_node *n = slx_fleet_child(r->t, up); n; n = slx_fleet_next(r->t, n)) {
        int k = 0, text = 0;
        while (b->texts[text] && strcmp(b->texts[text], n->name)) text++;
        if (b->texts[text]) continue;
        while (k < SLX_F_COUNT &&
               (slx_fleet_keys[k].section != b->section || strcmp(slx_fleet_keys[k].name, n->name)))
            k++;
        if (k == SLX_F_COUNT) return unknown_in_block(b, n);
        SLX_TRY(slx_fleet_read_input(r, n, &r->c->in[b->base + k]));
    }
    return SLX_OK;
}

/* ------------------------------------------------------------------ words */

static const slx_yaml_node *part(const slx_yaml *t, const slx_yaml_node *up, const char *name)
{
    const slx_yaml_node *n = up->kind == SLX_YAML_MAP ? slx_fleet_child(t, up) : NULL;
    while (n && strcmp(n->name, name)) n = slx_fleet_next(t, n);
    return n;
}

/* A line of text, "" when absent. */
static slx_status read_text(const slx_fleet_reader *r, const slx_yaml_node *up, const char *name,
                            bool needed, const char **out)
{
    const slx_yaml_node *n = part(r->t, up, name);
    *out = "";
    if (!n)
        return needed ? slx_yaml_fail(r->t, up->key_line, up->key_col,
                                      "%s%s%s: missing, expected one line of text", up->path,
                                      *up->path ? "." : "", name)
                      : SLX_OK;
    if (!slx_yaml_is_line(n, 1, 600)) return slx_yaml_fail_found(r->t, n, "one line of text");
    *out = slx_strdup(&r->c->arena, n->text);
    return SLX_OK;
}

/* Index of the word among the choices; dflt when absent. */
static slx_status read_choice(const slx_fleet_reader *r, const slx_yaml_node *up, const char *name,
                              const char *const *choices, int dflt, int *out)
{
    const slx_yaml_node *n = part(r->t, up, name);
    slx_buf b = {0};
    *out = dflt;
    if (!n) return SLX_OK;
    for (int i = 0; choices[i]; i++) {
        if (n->kind == SLX_YAML_SCALAR && !strcmp(choices[i], n->text)) {
            *out = i;
            slx_buf_free(&b);
            return SLX_OK;
        }
        slx_buf_addf(&b, "%s%s", i ? ", " : "one of ", choices[i]);
    }
    slx_status s = slx_yaml_fail_found(r->t, n, b.ptr);
    slx_buf_free(&b);
    return s;
}

/* Index of a block by its name, -1 = none. */
static int block_named(const slx_fleet_block *b, int n, const char *name)
{
    while (n-- && strcmp(b[n].name, name)) {}
    return n;
}

static int option_named(const slx_fleet_case *c, const char *name, size_t len)
{
    int i = c->n_options;
    while (i-- && (strncmp(c->option[i].name, name, len) || c->option[i].name[len])) {}
    return i;
}

static slx_status fail_name(const slx_fleet_reader *r, const slx_yaml_node *n,
                            const slx_fleet_block *b, int n_blocks, const char *what)
{
    slx_buf s = {0};
    slx_buf_addf(&s, "one of the %s of this case: ", what);
    for (int i = 0; i < n_blocks; i++) slx_buf_addf(&s, "%s%s", i ? ", " : "", b[i].name);
    slx_status st = slx_yaml_fail_found(r->t, n, s.ptr);
    slx_buf_free(&s);
    return st;
}

/* ------------------------------------------------------------------ sections */

static const char *const no_texts[] = {NULL};
static const char *const option_texts[] = {"supplier", "chip", "site", "route",
                                           "deploy",   "from", NULL};
static const char *const own_texts[] = {"models", "chips", NULL};
static const char *const deploys[] = {"demand", "plan", "choose", NULL};
static const char *const routes[] = {"buy", "make", "partner", "acquire", "rent", NULL};

/* Names of a section of many: letters, digits, '-' and '_'. */
static slx_status check_names(const slx_fleet_reader *r, const slx_yaml_node *up, int most)
{
    static const char name_chars[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    int n_names = 0;
    if (up->kind != SLX_YAML_MAP) return slx_yaml_fail_found(r->t, up, "a mapping of names");
    for (const slx_yaml_node *n = slx_fleet_child(r->t, up); n; n = slx_fleet_next(r->t, n)) {
        if (n->name[strspn(n->name, name_chars)])
            return slx_yaml_fail(
                r->t, n->key_line, n->key_col,
                "%s: found a name with other characters, expected letters, digits, - and _",
                n->path);
        if (n_names++ == most)
            return slx_yaml_fail(r->t, n->key_line, n->key_col, "%s: more than %d of them", n->path,
                                 most);
    }
    return SLX_OK;
}

static slx_status read_blocks(const slx_fleet_reader *r, const slx_yaml_node *up,
                              slx_fleet_section s, slx_fleet_block *out, int *n_out, int most)
{
    SLX_TRY(check_names(r, up, most));
    for (const slx_yaml_node *n = slx_fleet_child(r->t, up); n; n = slx_fleet_next(r->t, n)) {
        slx_fleet_block *b = &out[(*n_out)++];
        *b = (slx_fleet_block){slx_strdup(&r->c->arena, n->name),
                               add_block(r->c, s, slx_strdup(&r->c->arena, n->path))};
        SLX_TRY(read_block(&(block){r, s, b->base, no_texts}, n));
    }
    return SLX_OK;
}

static slx_status read_pools_of(const slx_fleet_reader *r, const slx_yaml_node *up,
                                slx_fleet_option *o)
{
    const slx_fleet_case *c = r->c;
    const slx_yaml_node *list = part(r->t, up, "from");
    if (!list) return SLX_OK;
    if (list->kind != SLX_YAML_LIST) return slx_yaml_fail_found(r->t, list, "a list of pools");
    for (const slx_yaml_node *n = slx_fleet_child(r->t, list); n; n = slx_fleet_next(r->t, n)) {
        int p = n->kind == SLX_YAML_SCALAR ? block_named(c->pool, c->n_pools, n->text) : -1;
        if (p < 0) return fail_name(r, n, c->pool, c->n_pools, "pools");
        for (int i = 0; i < o->n_pools; i++)
            if (o->pools[i] == p)
                return slx_yaml_fail(r->t, n->line, n->col, "%s: found %s a second time",
                                     list->path, n->text);
        o->pools[o->n_pools++] = p;
    }
    return SLX_OK;
}

static slx_status read_option(const slx_fleet_reader *r, const slx_yaml_node *n)
{
    slx_fleet_case *c = r->c;
    slx_fleet_option *o = &c->option[c->n_options++];
    int deploy, route;
    *o = (slx_fleet_option){.name = slx_strdup(&c->arena, n->name), .line = n->key_line};
    o->base = add_block(c, SLX_FS_OPTION, slx_strdup(&c->arena, n->path));
    SLX_TRY(read_block(&(block){r, SLX_FS_OPTION, o->base, option_texts}, n));
    SLX_TRY(read_text(r, n, "supplier", true, &o->supplier));
    SLX_TRY(read_text(r, n, "chip", false, &o->chip));
    SLX_TRY(read_choice(r, n, "deploy", deploys, -1, &deploy));
    SLX_TRY(read_choice(r, n, "route", routes, SLX_FLEET_BUY, &route));
    if (deploy < 0)
        return slx_yaml_fail(r->t, n->key_line, n->key_col,
                             "%s.deploy: missing, expected demand, plan or choose", n->path);
    o->deploy = (slx_fleet_deploy)deploy;
    o->route = (slx_fleet_route)route;
    const slx_yaml_node *site = part(r->t, n, "site");
    if (site) {
        o->site = site->kind == SLX_YAML_SCALAR ? block_named(c->site, c->n_sites, site->text) : -1;
        if (o->site < 0) return fail_name(r, site, c->site, c->n_sites, "sites");
    } else if (c->n_sites != 1) {
        return slx_yaml_fail(r->t, n->key_line, n->key_col,
                             "%s.site: missing, expected one of the case's sites", n->path);
    }
    return read_pools_of(r, n, o);
}

/* A list of names. */
static slx_status read_names(const slx_fleet_reader *r, const slx_yaml_node *up, const char *name,
                             const char *out[SLX_FLEET_OWN_CHIPS], int *n_out)
{
    const slx_yaml_node *list = part(r->t, up, name);
    if (!list || list->kind != SLX_YAML_LIST || !slx_fleet_child(r->t, list))
        return slx_yaml_fail(r->t, up->key_line, up->key_col, "%s.%s: expected a list of names",
                             up->path, name);
    for (const slx_yaml_node *n = slx_fleet_child(r->t, list); n; n = slx_fleet_next(r->t, n)) {
        if (*n_out == SLX_FLEET_OWN_CHIPS)
            return slx_yaml_fail(r->t, n->line, n->col, "%s: more than %d", list->path,
                                 SLX_FLEET_OWN_CHIPS);
        if (!slx_yaml_is_line(n, 1, 200)) return slx_yaml_fail_found(r->t, n, "a name");
        out[(*n_out)++] = slx_strdup(&r->c->arena, n->text);
    }
    return SLX_OK;
}

static slx_status read_own(const slx_fleet_reader *r, const slx_yaml_node *up)
{
    slx_fleet_case *c = r->c;
    c->own = add_block(c, SLX_FS_OWN, "own");
    SLX_TRY(read_block(&(block){r, SLX_FS_OWN, c->own, own_texts}, up));
    SLX_TRY(read_names(r, up, "models", c->own_model, &c->n_own_models));
    return read_names(r, up, "chips", c->own_chip, &c->n_own_chips);
}

/* ------------------------------------------------------------------ variants */

/* variants.NAME: about, and any input of the case again under its own path. */
static slx_status read_variant(const slx_fleet_reader *r, const slx_yaml_node *up)
{
    slx_fleet_case *c = r->c;
    slx_fleet_variant *v = &c->variant[c->n_variants++];
    const slx_yaml *t = r->t;
    size_t skip = strlen(up->path) + 1;
    *v = (slx_fleet_variant){.name = slx_strdup(&c->arena, up->name)};
    SLX_TRY(read_text(r, up, "about", true, &v->about));
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
} outputs[SLX_FO_COUNT] = {
#define OUT(name, unit, each, doc) {#name, unit, each},
#include "fleet/fleet_outputs.def"
};

const char *slx_fleet_output_name(slx_fleet_output o)
{
    return outputs[o].name;
}

const char *slx_fleet_output_unit(slx_fleet_output o)
{
    return outputs[o].unit;
}

static slx_status read_of(const slx_fleet_reader *r, const slx_yaml_node *up, slx_fleet_public *p)
{
    const slx_yaml_node *n = part(r->t, up, "of");
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

static slx_status read_figure(const slx_fleet_reader *r, const slx_yaml_node *up)
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
        if (k == 6) return slx_fleet_unknown(t, n, names, 6);
    }
    SLX_TRY(read_of(r, up, p));
    SLX_TRY(read_text(r, up, "source", true, &p->source));
    const slx_yaml_node *pub = part(t, up, "public"), *unit = part(t, up, "unit"),
                        *var = part(t, up, "variant"), *within = part(t, up, "within");
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

/* ------------------------------------------------------------------ the file */

static slx_status read_start(const slx_fleet_reader *r)
{
    const slx_yaml_node *root = &r->t->nodes[0], *n = part(r->t, root, "start"),
                        *q = part(r->t, root, "quarters");
    int64_t quarters;
    int used = 0;
    if (!n || !q)
        return slx_yaml_fail(r->t, 1, 1, "%s: missing, expected %s", n ? "quarters" : "start",
                             n ? "a whole number of quarters" : "a quarter as 2026-Q3");
    if (n->kind != SLX_YAML_SCALAR ||
        sscanf(n->text, "%4d-Q%1d%n", &r->c->start_year, &r->c->start_quarter, &used) != 2 ||
        n->text[used] || strlen(n->text) != 7 || r->c->start_year < 1990 ||
        r->c->start_year > 2200 || r->c->start_quarter < 1 || r->c->start_quarter > 4)
        return slx_yaml_fail_found(r->t, n, "a quarter as 2026-Q3");
    if (q->kind != SLX_YAML_SCALAR || !q->plain ||
        !slx_parse_i64(q->text, 1, SLX_FLEET_QUARTERS, &quarters)) {
        char expected[64];
        snprintf(expected, sizeof expected, "a whole number from 1 to %d", SLX_FLEET_QUARTERS);
        return slx_yaml_fail_found(r->t, q, expected);
    }
    r->c->quarters = (int)quarters;
    return SLX_OK;
}

typedef slx_status many(const slx_fleet_reader *r, const slx_yaml_node *n);

static slx_status read_many(const slx_fleet_reader *r, const char *name, int most, many *read)
{
    const slx_yaml_node *up = part(r->t, &r->t->nodes[0], name);
    if (!up) return SLX_OK;
    SLX_TRY(check_names(r, up, most));
    for (const slx_yaml_node *n = slx_fleet_child(r->t, up); n; n = slx_fleet_next(r->t, n))
        SLX_TRY(read(r, n));
    return SLX_OK;
}

static slx_status read_one(const slx_fleet_reader *r, slx_fleet_section s, int *base)
{
    const slx_yaml_node *up = part(r->t, &r->t->nodes[0], slx_fleet_section_names[s]);
    if (!up) return SLX_OK;
    *base = add_block(r->c, s, slx_fleet_section_names[s]);
    return read_block(&(block){r, s, *base, no_texts}, up);
}

static slx_status read_case(const slx_fleet_reader *r)
{
    static const char *const tops[] = {
        "name",  "title", "about", "start",  "quarters", "renewal", "demand",   "options",
        "sites", "pools", "money", "limits", "training", "own",     "variants", "figures"};
    static const char *const renewals[] = {"cohort", "rolling", NULL};
    enum { TOPS = sizeof tops / sizeof *tops };
    const slx_yaml *t = r->t;
    const slx_yaml_node *root = &t->nodes[0];
    slx_fleet_case *c = r->c;
    int rolling;
    if (root->kind != SLX_YAML_MAP)
        return slx_yaml_fail_found(t, root, "a case: a mapping of sections");
    for (const slx_yaml_node *n = slx_fleet_child(t, root); n; n = slx_fleet_next(t, n)) {
        int k = 0;
        while (k < TOPS && strcmp(tops[k], n->name)) k++;
        if (k == TOPS) return slx_fleet_unknown(t, n, tops, TOPS);
    }
    SLX_TRY(read_text(r, root, "name", true, &c->name));
    SLX_TRY(read_text(r, root, "title", true, &c->title));
    SLX_TRY(read_text(r, root, "about", false, &c->about));
    SLX_TRY(read_start(r));
    SLX_TRY(read_choice(r, root, "renewal", renewals, 0, &rolling));
    c->rolling = rolling == 1;
    const slx_yaml_node *sites = part(t, root, "sites"), *pools = part(t, root, "pools"),
                        *own = part(t, root, "own");
    if (!sites || !part(t, root, "options"))
        return slx_yaml_fail(t, 1, 1, "%s: missing, expected a mapping of names",
                             sites ? "options" : "sites");
    SLX_TRY(read_one(r, SLX_FS_DEMAND, &c->demand));
    SLX_TRY(read_one(r, SLX_FS_MONEY, &c->money));
    SLX_TRY(read_one(r, SLX_FS_LIMITS, &c->limits));
    SLX_TRY(read_one(r, SLX_FS_TRAINING, &c->training));
    SLX_TRY(read_blocks(r, sites, SLX_FS_SITE, c->site, &c->n_sites, SLX_FLEET_SITES));
    if (pools) SLX_TRY(read_blocks(r, pools, SLX_FS_POOL, c->pool, &c->n_pools, SLX_FLEET_POOLS));
    SLX_TRY(read_many(r, "options", SLX_FLEET_OPTIONS, read_option));
    if (own) SLX_TRY(read_own(r, own));
    if (!c->n_options) return slx_fleet_fail(t, "options", "found none, expected at least one");
    SLX_TRY(read_many(r, "variants", SLX_FLEET_VARIANTS, read_variant));
    SLX_TRY(read_many(r, "figures", SLX_FLEET_FIGURES, read_figure));
    return slx_fleet_check(r);
}

slx_status slx_fleet_parse(slx_fleet_case **out, const char *text, size_t len, const char *path,
                           slx_err *err)
{
    enum { INPUTS = SLX_F_COUNT * (SLX_FLEET_OPTIONS + 4) };
    slx_err unwanted;
    slx_fleet_case *c = slx_xcalloc(1, sizeof *c);
    slx_arena_init(&c->arena);
    c->path = slx_strdup(&c->arena, path);
    c->demand = c->money = c->limits = c->training = c->own = SLX_FLEET_NONE;
    c->in = slx_new(&c->arena, slx_fleet_input, INPUTS);
    slx_yaml t = {.path = path,
                  .what = "case",
                  .depth = 7,
                  .text = text,
                  .len = len,
                  .err = err ? err : &unwanted};
    slx_arena_init(&t.arena);
    slx_status s = slx_yaml_scan(&t);
    if (!s) s = read_case(&(slx_fleet_reader){&t, c});
    slx_arena_deinit(&t.arena);
    if (s) {
        slx_fleet_free(c);
        c = NULL;
    }
    *out = c;
    return s;
}

slx_status slx_fleet_load(slx_fleet_case **out, const char *name, slx_err *err)
{
    static const char *const suffixes[] = {".yaml", NULL};
    char path[1024];
    slx_buf b = {0};
    *out = NULL;
    if (!strcmp(name, "-"))
        snprintf(path, sizeof path, "-");
    else
        SLX_TRY(slx_find_file(path, "cases", name, suffixes, err));
    slx_status s = slx_read_file(&b, path, err);
    if (!s)
        s = slx_fleet_parse(out, b.len ? b.ptr : "", b.len,
                            strcmp(path, "-") ? path : "standard input", err);
    slx_buf_free(&b);
    return s;
}

void slx_fleet_free(slx_fleet_case *c)
{
    if (!c) return;
    slx_arena a = c->arena;
    free(c);
    slx_arena_deinit(&a);
}

/* ------------------------------------------------------------------ changes */

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
            return slx_fail(err, SLX_EINPUT, place, 0, 0,
                            "found \"%.40s\", expected a %s between %g and %g", eq + 1,
                            in->series ? "factor on the series"
                                       : slx_fleet_unit_name(unit, in->key, in->unit),
                            least, most);
        in->low = in->mid = in->high = v;
        in->given = true;
        in->source = "--set";
        return SLX_OK;
    }
    const char **names = slx_xmalloc(sizeof *names * (size_t)c->n_in);
    for (int i = 0; i < c->n_in; i++) names[i] = c->in[i].path;
    const char *near = slx_nearest(path, names, c->n_in);
    slx_fail(err, SLX_EINPUT, place, 0, 0,
             "found unknown figure %s%s%s%s; silex fleet --keys lists them", path,
             near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
    free(names);
    return SLX_EINPUT;
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
    /* Only plans and capacities have a choice; their names outlive the call as parts of the table would not. */
    static const char *const plan[] = {"GW/quarter", "USD/quarter", "chips/quarter",
                                       "racks/quarter"};
    static const char *const pool[] = {"wafers/quarter", "GiB/quarter", "mm2/quarter",
                                       "chips/quarter", "racks/quarter"};
    if (in->key == SLX_F_OPTION_plan) return plan[in->unit];
    if (in->key == SLX_F_POOL_capacity) return pool[in->unit];
    return slx_fleet_keys[in->key].unit;
}

const char *slx_fleet_quarter(char out[16], const slx_fleet_case *c, int q)
{
    int at = c->start_quarter - 1 + q;
    snprintf(out, 16, "%d-Q%d", c->start_year + at / 4, at % 4 + 1);
    return out;
}

void slx_fleet_print_keys(FILE *out)
{
    for (int s = 0; s < SLX_FS_COUNT; s++) {
        fprintf(out, "%s%s%s\n", s ? "\n" : "", slx_fleet_section_names[s],
                s == SLX_FS_OPTION || s == SLX_FS_SITE || s == SLX_FS_POOL ? ".NAME" : "");
        for (int k = 0; k < SLX_F_COUNT; k++) {
            const slx_fleet_key_info *i = &slx_fleet_keys[k];
            char dflt[32] = "";
            if (i->section != (slx_fleet_section)s) continue;
            if (isfinite(i->dflt)) snprintf(dflt, sizeof dflt, ", %g if left out", i->dflt);
            fprintf(out, "  %-22s %s. %s%s\n", i->name, i->unit, i->doc,
                    isinf(i->dflt) ? ", required" : dflt);
        }
    }
    fprintf(out, "\nfigures.NAME.of (OPTION. before it where marked *)\n");
    for (int o = 0; o < SLX_FO_COUNT; o++)
        fprintf(out, "  %-22s %s%s\n", outputs[o].name, outputs[o].unit,
                outputs[o].each ? " *" : "");
}
