/* chip_check.c - a chip file's nodes against the table of keys.
 *
 * Errors come in the order of the file, so that a user mends it from the top; only then what is missing. Each says
 * key path, found, expected. What passes is text that libcyaml cannot misread: in particular no leading zeros, which
 * it would take for octal.
 */
#include "chip/chip_int.h"

#include <string.h>

#define PM_MOST 10.0

/* ------------------------------------------------------------------ words */

static slx_status expect_kind(const slx_yaml *t, const slx_yaml_node *n, slx_yaml_kind kind,
                              const char *expected)
{
    return n->kind == kind ? SLX_OK : slx_yaml_fail_found(t, n, expected);
}

/* Adds s when it is not the last one added. */
static void add_name(const char **names, int *n, const char *s)
{
    for (int i = 0; i < *n; i++)
        if (!strcmp(names[i], s)) return;
    names[(*n)++] = s;
}

/* Names that may stand in a section, nested sections and lists included. */
static int names_in(const char *section, const char *names[SLX_CHIP_KEYS_MAX])
{
    int n = 0;
    size_t len = strlen(section);
    for (int i = 0; i < slx_chip_n_keys; i++) {
        const slx_chip_key *k = &slx_chip_keys[i];
        if (!strcmp(k->section, section)) {
            add_name(names, &n, k->key);
        } else if (!len && !strchr(k->section, '.')) {
            add_name(names, &n, k->section);
        } else if (len && !strncmp(k->section, section, len) && k->section[len] == '.') {
            add_name(names, &n, k->section + len + 1);
        }
    }
    if (!strcmp(section, "isa")) add_name(names, &n, "formats");
    if (!len) add_name(names, &n, "sources");
    return n;
}

/* ------------------------------------------------------------------ values */

static bool parse_value(const slx_yaml_node *n, slx_chip_key_type type, double least, double most,
                        double *v)
{
    const char *s = n->text;
    if (n->kind != SLX_YAML_SCALAR || !n->plain) return false;
    if (type == SLX_CK_REAL) return slx_parse_f64(s, least, most, v);
    int64_t i;
    if (s[strspn(s, "0123456789")] || (s[0] == '0' && s[1])) return false;
    if (!slx_parse_i64(s, (int64_t)least, (int64_t)most, &i)) return false;
    *v = (double)i;
    return type != SLX_CK_POW2 || (i & (i - 1)) == 0;
}

/* Reports, files and tables carry the name. */
static bool good_name(const char *s)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    for (; strspn(s, first); s += strspn(s, "._-")) {
        s += strspn(s, first);
        if (!*s) return true;
    }
    return false;
}

slx_status slx_chip_check_key(const slx_yaml *t, const slx_yaml_node *n, const slx_chip_key *k)
{
    char expected[160];
    double v;
    slx_chip_key_expected(expected, k);
    if (isnan(k->dflt) && slx_yaml_is_null(n)) return SLX_OK;
    if (k->type == SLX_CK_TEXT) {
        if (!slx_yaml_is_line(n, (size_t)k->least, (size_t)k->most))
            return slx_yaml_fail_found(t, n, expected);
        if (!strcmp(k->path, "name") && !good_name(n->text))
            return slx_yaml_fail_found(t, n, "letters and digits with single - _ . between them");
        if (!strcmp(k->path, "family") && !good_name(n->text))
            return slx_yaml_fail_found(t, n, "a name in families/");
        bool choice = !strcmp(k->key, "choice");
        if (choice && slx_chip_choices_parse(n->text, NULL) < 0)
            return slx_yaml_fail_found(t, n, "at most 24 of M/N:ROWSxCOLS, M and N may be left out");
        if (!choice && !strncmp(k->path, "tiles", 5) && n->text[strspn(n->text, "0123456789 ")])
            return slx_yaml_fail_found(t, n, "whole numbers with blanks between them");
        if (!strcmp(k->key, "bands") && !slx_chip_bands_parse(n->text, NULL))
            return slx_yaml_fail_found(t, n, "twelve numbers, low 0..1 and high 1..100 in turn");
        if (!strcmp(k->path, "runs") && strcmp(n->text, "program") && strcmp(n->text, "library") &&
            strcmp(n->text, "family"))
            return slx_yaml_fail_found(t, n, "program, library or family");
        return SLX_OK;
    }
    return parse_value(n, k->type, k->least, k->most, &v) ? SLX_OK
                                                          : slx_yaml_fail_found(t, n, expected);
}

/* ------------------------------------------------------------------ formats, sources */

static slx_status check_format(const slx_yaml *t, const slx_yaml_node *n)
{
    const char *names[SLX_CF_COUNT];
    slx_buf b = {0};
    bool known = false;
    for (int f = 0; f < SLX_CF_COUNT; f++) {
        names[f] = slx_chip_format_name(f);
        known |= n->kind == SLX_YAML_SCALAR && !strcmp(n->text, names[f]);
        slx_buf_addf(&b, "%s%s", f ? ", " : "one of ", names[f]);
    }
    const char *near = known ? NULL : slx_nearest(n->text, names, SLX_CF_COUNT);
    if (near) slx_buf_addf(&b, "; did you mean %s?", near);
    slx_status s = known ? SLX_OK : slx_yaml_fail_found(t, n, b.ptr);
    slx_buf_free(&b);
    SLX_TRY(s);
    for (const slx_yaml_node *o = t->nodes; o < n; o++)
        if (o->parent == n->parent && !strcmp(o->text, n->text))
            return slx_yaml_fail(t, n->line, n->col, "%s: found %s a second time", n->path,
                                 n->text);
    return SLX_OK;
}

static slx_status check_source_key(const slx_yaml *t, const slx_yaml_node *n)
{
    const char *names[SLX_CHIP_KEYS_MAX + SLX_CHIP_SECTIONS_MAX];
    int n_names = slx_chip_sections(names);
    for (int i = 0; i < slx_chip_n_keys; i++) names[n_names++] = slx_chip_keys[i].path;
    names[n_names++] = "isa.formats";
    bool known = false;
    for (int i = 0; i < n_names && n->kind == SLX_YAML_SCALAR; i++)
        known |= !strcmp(names[i], n->text);
    if (!known) {
        char f[96];
        const char *near = n->kind == SLX_YAML_SCALAR ? slx_nearest(n->text, names, n_names) : NULL;
        return slx_yaml_fail(t, n->line, n->col,
                             "%s: found %s, expected a key or section of chip files%s%s%s", n->path,
                             slx_yaml_found(f, n), near ? "; did you mean " : "", near ? near : "",
                             near ? "?" : "");
    }
    for (const slx_yaml_node *o = t->nodes; o < n; o++)
        if (o->parent >= 0 && t->nodes[o->parent].parent == t->nodes[n->parent].parent &&
            !strcmp(o->name, "key") && !strcmp(o->text, n->text))
            return slx_yaml_fail(t, n->line, n->col, "%s: found %s a second time, first on line %d",
                                 n->path, n->text, o->line);
    return SLX_OK;
}

static slx_status check_source_part(const slx_yaml *t, const slx_yaml_node *n)
{
    static const char *const parts[] = {"key", "pm", "from"};
    double v;
    if (!strcmp(n->name, "key")) return check_source_key(t, n);
    if (!strcmp(n->name, "pm"))
        return parse_value(n, SLX_CK_REAL, 0, PM_MOST, &v)
                   ? SLX_OK
                   : slx_yaml_fail_found(t, n, "a relative uncertainty between 0 and 10");
    if (!strcmp(n->name, "from"))
        return slx_yaml_is_line(n, 1, 1000)
                   ? SLX_OK
                   : slx_yaml_fail_found(t, n, "one line of text of 1 to 1000 characters");
    return slx_yaml_unknown(t, n, parts, 3);
}

static slx_status check_source(const slx_yaml *t, const slx_yaml_node *n)
{
    static const char *const parts[] = {"key", "pm", "from"};
    SLX_TRY(expect_kind(t, n, SLX_YAML_MAP, "a mapping of key, pm, from"));
    for (int p = 0; p < 3; p++) {
        bool seen = false;
        for (const slx_yaml_node *o = n + 1; o < t->nodes + t->n_nodes && !seen; o++)
            seen = &t->nodes[o->parent] == n && !strcmp(o->name, parts[p]);
        if (!seen)
            return slx_yaml_fail(t, n->line, n->col, "%s: %s is missing, expected key, pm and from",
                                 n->path, parts[p]);
    }
    return SLX_OK;
}

/* ------------------------------------------------------------------ the whole file */

static slx_status check_node(const slx_yaml *t, const slx_yaml_node *n)
{
    if (n->parent < 0) return expect_kind(t, n, SLX_YAML_MAP, "a chip: a mapping of sections");
    const slx_yaml_node *up = &t->nodes[n->parent];
    const slx_chip_key *k = slx_chip_find_key(n->path);
    if (k) return slx_chip_check_key(t, n, k);
    if (slx_chip_is_section(n->path))
        return expect_kind(t, n, SLX_YAML_MAP, "a mapping of keys and values");
    if (!strcmp(n->path, "isa.formats"))
        return expect_kind(t, n, SLX_YAML_LIST, "a list of number formats");
    if (!strcmp(n->path, "sources")) return expect_kind(t, n, SLX_YAML_LIST, "a list of sources");
    if (!strcmp(up->path, "isa.formats")) return check_format(t, n);
    if (!strcmp(up->path, "sources")) return check_source(t, n);
    if (!strncmp(n->path, "sources[", 8)) return check_source_part(t, n);
    const char *names[SLX_CHIP_KEYS_MAX];
    return slx_yaml_unknown(t, n, names, names_in(up->path, names));
}

/* Where to say that something is missing from a section: at the section's name, or at the top of the file. */
static const slx_yaml_node *nearest_section(const slx_yaml *t, const char *section)
{
    const slx_yaml_node *n = *section ? slx_yaml_at(t, section) : NULL;
    if (!n && strchr(section, '.')) {
        char up[64];
        snprintf(up, sizeof up, "%.*s", (int)(strchr(section, '.') - section), section);
        n = slx_yaml_at(t, up);
    }
    return n ? n : t->nodes;
}

static slx_status fail_missing(const slx_yaml *t, const char *section, const char *path,
                               const char *expected)
{
    const slx_yaml_node *at = nearest_section(t, section);
    return slx_yaml_fail(t, at->key_line, at->key_col, "%s: missing, expected %s", path, expected);
}

slx_chip_kind slx_chip_kind_of(const slx_yaml *t)
{
    const slx_yaml_node *n = slx_yaml_at(t, "runs");
    return !n || !strcmp(n->text, "program") ? SLX_RUNS_PROGRAM
           : !strcmp(n->text, "family")      ? SLX_RUNS_FAMILY
                                             : SLX_RUNS_LIBRARY;
}

bool slx_chip_section_fits(const char *section, slx_chip_kind kind)
{
#define L(of, ...) || !strcmp(section, of)
#define K(...)
    bool numbers = false
#include "chip/lib_keys.def"
        ;
#undef K
#undef L
    if (numbers || !strcmp(section, "part")) return kind != SLX_RUNS_PROGRAM;
    if (!strcmp(section, "process")) return kind != SLX_RUNS_FAMILY;
    if (!strcmp(section, "package")) return true;
    return kind == SLX_RUNS_PROGRAM;
}

/* A published chip has no tiles of ours, and our chips no published figures. */
static slx_status check_kind(const slx_yaml *t)
{
    static const char *const expected[] = {
        [SLX_RUNS_PROGRAM] = "it beside runs: library alone",
        [SLX_RUNS_LIBRARY] = "process, package, part, numbers of the library and sources alone",
        [SLX_RUNS_FAMILY] = "package, part, numbers of the library and sources alone"};
    static const char *const what[] = {[SLX_RUNS_PROGRAM] = "chip that runs programs",
                                       [SLX_RUNS_LIBRARY] = "chip that runs a library",
                                       [SLX_RUNS_FAMILY] = "family of chips"};
    slx_chip_kind kind = slx_chip_kind_of(t);
    for (int i = 1; i < t->n_nodes; i++) {
        const slx_yaml_node *n = &t->nodes[i];
        if (n->parent != 0 || !strcmp(n->path, "sources")) continue;
        if (n->kind == SLX_YAML_SCALAR && (strcmp(n->path, "family") || kind == SLX_RUNS_LIBRARY))
            continue;
        if (n->kind == SLX_YAML_SCALAR || !slx_chip_section_fits(n->path, kind))
            return slx_yaml_fail(t, n->key_line, n->key_col, "%s: found in a %s, expected %s",
                                 n->path, what[kind], expected[kind]);
    }
    return SLX_OK;
}

static slx_status check_missing(const slx_yaml *t)
{
    char expected[160];
    slx_chip_kind kind = slx_chip_kind_of(t);
    SLX_TRY(check_kind(t));
    for (int i = 0; i < slx_chip_n_keys; i++) {
        const slx_chip_key *k = &slx_chip_keys[i];
        if (k->dflt != SLX_CHIP_REQUIRED || slx_yaml_at(t, k->path)) continue;
        if (kind != SLX_RUNS_PROGRAM && strcmp(k->path, "name") != 0) continue;
        if (*k->section && !slx_yaml_at(t, k->section))
            return fail_missing(t, k->section, k->section,
                                "a section of this name (silex chip --keys lists its keys)");
        slx_chip_key_expected(expected, k);
        return fail_missing(t, k->section, k->path, expected);
    }
    if (kind == SLX_RUNS_PROGRAM && !slx_yaml_at(t, "isa.formats"))
        return fail_missing(t, "isa", "isa.formats", "a list of number formats");
    return SLX_OK;
}

slx_status slx_chip_check(const slx_yaml *t)
{
    for (int i = 0; i < t->n_nodes; i++) SLX_TRY(check_node(t, &t->nodes[i]));
    return check_missing(t);
}
