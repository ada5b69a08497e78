/* case.c - a case file's structure: sections and names. Its figures are case_input.c's, variants and published figures
 * case_figures.c's.
 */
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

slx_status slx_fleet_fail(const slx_fleet_reader *r, const char *path, const char *fmt, ...)
{
    char msg[512], up[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    const slx_yaml *t = r->t;
    if (!t->n_nodes) return slx_fail(t->err, SLX_EINPUT, t->path, 0, 0, "%s: %s", path, msg);
    snprintf(up, sizeof up, "%s%s", r->within, path);
    const slx_yaml_node *n = slx_yaml_at(t, up);
    for (char *dot; !n && (dot = strrchr(up, '.')); n = slx_yaml_at(t, up)) *dot = 0;
    if (!n) n = &t->nodes[0];
    return slx_yaml_fail(t, n->key_line, n->key_col, "%s%s: %s", r->within, path, msg);
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
    return slx_yaml_unknown(b->r->t, n, names, count);
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

const slx_yaml_node *slx_fleet_part(const slx_yaml *t, const slx_yaml_node *up, const char *name)
{
    const slx_yaml_node *n = up->kind == SLX_YAML_MAP ? slx_fleet_child(t, up) : NULL;
    while (n && strcmp(n->name, name)) n = slx_fleet_next(t, n);
    return n;
}

/* A line of text, "" when absent. */
slx_status slx_fleet_read_text(const slx_fleet_reader *r, const slx_yaml_node *up, const char *name,
                               bool needed, const char **out)
{
    const slx_yaml_node *n = slx_fleet_part(r->t, up, name);
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
    const slx_yaml_node *n = slx_fleet_part(r->t, up, name);
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
static const char *const contract_texts[] = {"options", NULL};
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

/* A list of names of blocks, each once; out has room for all of them. */
static slx_status read_blocks_of(const slx_fleet_reader *r, const slx_yaml_node *list,
                                 const slx_fleet_block *b, int n_blocks, const char *what, int *out,
                                 int *n_out)
{
    char expected[64];
    snprintf(expected, sizeof expected, "a list of %s", what);
    if (list->kind != SLX_YAML_LIST) return slx_yaml_fail_found(r->t, list, expected);
    for (const slx_yaml_node *n = slx_fleet_child(r->t, list); n; n = slx_fleet_next(r->t, n)) {
        int p = n->kind == SLX_YAML_SCALAR ? block_named(b, n_blocks, n->text) : -1;
        if (p < 0) return fail_name(r, n, b, n_blocks, what);
        for (int i = 0; i < *n_out; i++)
            if (out[i] == p)
                return slx_yaml_fail(r->t, n->line, n->col, "%s: found %s a second time",
                                     list->path, n->text);
        out[(*n_out)++] = p;
    }
    return SLX_OK;
}

/* A chip is a file of chips/ or a path. n: where it is named. */
static slx_status check_chip(const slx_fleet_reader *r, const slx_yaml_node *n)
{
    static const char *const suffixes[] = {".yaml", NULL};
    char path[1024];
    slx_err why = {0};
    if (!slx_find_file(path, "chips", n->text, suffixes, &why)) return SLX_OK;
    return slx_yaml_fail(r->t, n->line, n->col, "%s: found %s: %s", n->path, n->text, why.msg);
}

static slx_status read_option(const slx_fleet_reader *r, const slx_yaml_node *n)
{
    slx_fleet_case *c = r->c;
    slx_fleet_option *o = &c->option[c->n_options++];
    int deploy, route;
    *o = (slx_fleet_option){.name = slx_strdup(&c->arena, n->name), .line = n->key_line};
    o->base = add_block(c, SLX_FS_OPTION, slx_strdup(&c->arena, n->path));
    SLX_TRY(read_block(&(block){r, SLX_FS_OPTION, o->base, option_texts}, n));
    SLX_TRY(slx_fleet_read_text(r, n, "supplier", true, &o->supplier));
    SLX_TRY(slx_fleet_read_text(r, n, "chip", false, &o->chip));
    if (o->chip[0]) SLX_TRY(check_chip(r, slx_fleet_part(r->t, n, "chip")));
    SLX_TRY(read_choice(r, n, "deploy", deploys, -1, &deploy));
    SLX_TRY(read_choice(r, n, "route", routes, SLX_FLEET_BUY, &route));
    if (deploy < 0)
        return slx_yaml_fail(r->t, n->key_line, n->key_col,
                             "%s.deploy: missing, expected demand, plan or choose", n->path);
    o->deploy = (slx_fleet_deploy)deploy;
    o->route = (slx_fleet_route)route;
    const slx_yaml_node *site = slx_fleet_part(r->t, n, "site");
    if (site) {
        o->site = site->kind == SLX_YAML_SCALAR ? block_named(c->site, c->n_sites, site->text) : -1;
        if (o->site < 0) return fail_name(r, site, c->site, c->n_sites, "sites");
    } else if (c->n_sites != 1) {
        return slx_yaml_fail(r->t, n->key_line, n->key_col,
                             "%s.site: missing, expected one of the case's sites", n->path);
    }
    const slx_yaml_node *from = slx_fleet_part(r->t, n, "from");
    return from ? read_blocks_of(r, from, c->pool, c->n_pools, "pools", o->pools, &o->n_pools)
                : SLX_OK;
}

static slx_status read_contract(const slx_fleet_reader *r, const slx_yaml_node *n)
{
    slx_fleet_case *c = r->c;
    slx_fleet_contract *a = &c->contract[c->n_contracts++];
    slx_fleet_block options[SLX_FLEET_OPTIONS];
    *a = (slx_fleet_contract){.name = slx_strdup(&c->arena, n->name)};
    a->base = add_block(c, SLX_FS_CONTRACT, slx_strdup(&c->arena, n->path));
    SLX_TRY(read_block(&(block){r, SLX_FS_CONTRACT, a->base, contract_texts}, n));
    for (int i = 0; i < c->n_options; i++) options[i] = (slx_fleet_block){c->option[i].name, 0};
    const slx_yaml_node *list = slx_fleet_part(r->t, n, "options");
    if (!list || list->kind != SLX_YAML_LIST || !slx_fleet_child(r->t, list))
        return slx_yaml_fail(r->t, n->key_line, n->key_col,
                             "%s.options: missing, expected a list of the options it is about",
                             n->path);
    return read_blocks_of(r, list, options, c->n_options, "options", a->options, &a->n_options);
}

/* A list of names. */
static slx_status read_names(const slx_fleet_reader *r, const slx_yaml_node *up, const char *name,
                             const char *out[SLX_FLEET_OWN_CHIPS], int *n_out)
{
    const slx_yaml_node *list = slx_fleet_part(r->t, up, name);
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
    SLX_TRY(read_names(r, up, "chips", c->own_chip, &c->n_own_chips));
    const slx_yaml_node *list = slx_fleet_part(r->t, up, "chips");
    for (const slx_yaml_node *n = slx_fleet_child(r->t, list); n; n = slx_fleet_next(r->t, n))
        SLX_TRY(check_chip(r, n));
    return SLX_OK;
}

/* ------------------------------------------------------------------ the file */

static slx_status read_start(const slx_fleet_reader *r)
{
    const slx_yaml_node *root = &r->t->nodes[0], *n = slx_fleet_part(r->t, root, "start"),
                        *q = slx_fleet_part(r->t, root, "quarters");
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
    const slx_yaml_node *up = slx_fleet_part(r->t, &r->t->nodes[0], name);
    if (!up) return SLX_OK;
    SLX_TRY(check_names(r, up, most));
    for (const slx_yaml_node *n = slx_fleet_child(r->t, up); n; n = slx_fleet_next(r->t, n))
        SLX_TRY(read(r, n));
    return SLX_OK;
}

static slx_status read_one(const slx_fleet_reader *r, slx_fleet_section s, int *base)
{
    const slx_yaml_node *up = slx_fleet_part(r->t, &r->t->nodes[0], slx_fleet_section_names[s]);
    if (!up) return SLX_OK;
    *base = add_block(r->c, s, slx_fleet_section_names[s]);
    return read_block(&(block){r, s, *base, no_texts}, up);
}

static slx_status read_case(const slx_fleet_reader *r)
{
    static const char *const tops[] = {"name",      "title",  "about",    "start",    "quarters",
                                       "renewal",   "demand", "options",  "sites",    "pools",
                                       "contracts", "money",  "limits",   "research", "sales",
                                       "training",  "own",    "variants", "figures"};
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
        if (k == TOPS) return slx_yaml_unknown(t, n, tops, TOPS);
    }
    SLX_TRY(slx_fleet_read_text(r, root, "name", true, &c->name));
    SLX_TRY(slx_fleet_read_text(r, root, "title", true, &c->title));
    SLX_TRY(slx_fleet_read_text(r, root, "about", false, &c->about));
    SLX_TRY(read_start(r));
    SLX_TRY(read_choice(r, root, "renewal", renewals, 0, &rolling));
    c->rolling = rolling == 1;
    const slx_yaml_node *sites = slx_fleet_part(t, root, "sites"),
                        *pools = slx_fleet_part(t, root, "pools"),
                        *own = slx_fleet_part(t, root, "own");
    if (!sites || !slx_fleet_part(t, root, "options"))
        return slx_yaml_fail(t, 1, 1, "%s: missing, expected a mapping of names",
                             sites ? "options" : "sites");
    SLX_TRY(read_one(r, SLX_FS_DEMAND, &c->demand));
    SLX_TRY(read_one(r, SLX_FS_MONEY, &c->money));
    SLX_TRY(read_one(r, SLX_FS_LIMITS, &c->limits));
    SLX_TRY(read_one(r, SLX_FS_RESEARCH, &c->research));
    SLX_TRY(read_one(r, SLX_FS_SALES, &c->sales));
    SLX_TRY(read_one(r, SLX_FS_TRAINING, &c->training));
    SLX_TRY(read_blocks(r, sites, SLX_FS_SITE, c->site, &c->n_sites, SLX_FLEET_SITES));
    if (pools) SLX_TRY(read_blocks(r, pools, SLX_FS_POOL, c->pool, &c->n_pools, SLX_FLEET_POOLS));
    SLX_TRY(read_many(r, "options", SLX_FLEET_OPTIONS, read_option));
    SLX_TRY(read_many(r, "contracts", SLX_FLEET_CONTRACTS, read_contract));
    if (own) SLX_TRY(read_own(r, own));
    if (!c->n_options) return slx_fleet_fail(r, "options", "found none, expected at least one");
    SLX_TRY(read_many(r, "variants", SLX_FLEET_VARIANTS, slx_fleet_read_variant));
    SLX_TRY(read_many(r, "figures", SLX_FLEET_FIGURES, slx_fleet_read_figure));
    SLX_TRY(slx_fleet_check(r));
    return slx_fleet_check_variants(r);
}

slx_status slx_fleet_parse(slx_fleet_case **out, const char *text, size_t len, const char *path,
                           slx_err *err)
{
    enum { INPUTS = SLX_F_COUNT * (SLX_FLEET_OPTIONS + 4) };
    slx_err unwanted;
    slx_fleet_case *c = slx_xcalloc(1, sizeof *c);
    slx_arena_init(&c->arena);
    c->path = slx_strdup(&c->arena, path);
    c->demand = c->money = c->limits = c->research = c->sales = c->training = c->own =
        SLX_FLEET_NONE;
    c->in = slx_new(&c->arena, slx_fleet_input, INPUTS);
    slx_yaml t = {.path = path,
                  .what = "case",
                  .depth = 7,
                  .text = text,
                  .len = len,
                  .err = err ? err : &unwanted};
    slx_arena_init(&t.arena);
    slx_status s = slx_yaml_scan(&t);
    if (!s) s = read_case(&(slx_fleet_reader){&t, c, ""});
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
