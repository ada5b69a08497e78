/* chip_load.c - text to slx_chip: libcyaml fills the structure, by a schema made from the table of keys.
 *
 * Ownership: libcyaml allocates; everything is copied into the chip's own arena and libcyaml's data freed before
 * slx_chip_parse returns. A chip is one block and its arena.
 */
#include "chip/chip_int.h"

#include <cyaml/cyaml.h>
#include <stdlib.h>
#include <string.h>

/* What libcyaml fills. A list of names becomes bits, in SLX_CHIP_FORMATS order. */
typedef struct {
    slx_chip chip; /* first: offsets of the table are offsets here */
    uint32_t formats;
} loaded;

/* ------------------------------------------------------------------ schema */

enum { FIELDS = SLX_CHIP_KEYS_MAX + 2 * SLX_CHIP_SECTIONS_MAX + 4 };

/* Of one call: libcyaml wants arrays of fields ended by a zero entry, one array a section. */
typedef struct {
    cyaml_schema_field_t fields[FIELDS];
    int used;
    cyaml_strval_t formats[SLX_CF_COUNT];
    cyaml_schema_value_t source;
    cyaml_schema_value_t top;
} schema;

static const cyaml_schema_field_t source_fields[] = {
    CYAML_FIELD_STRING_PTR("key", CYAML_FLAG_POINTER, struct slx_chip_source, key, 0,
                           CYAML_UNLIMITED),
    CYAML_FIELD_STRING_PTR("from", CYAML_FLAG_POINTER, struct slx_chip_source, from, 0,
                           CYAML_UNLIMITED),
    CYAML_FIELD_FLOAT("pm", CYAML_FLAG_DEFAULT, struct slx_chip_source, pm),
    CYAML_FIELD_END,
};

/* Offsets count from the top of `loaded` in every section, so a section's own offset is 0. */
static cyaml_schema_field_t key_field(const slx_chip_key *k)
{
    cyaml_schema_field_t f = {.key = k->key, .data_offset = (uint32_t)k->offset};
    f.value.flags = CYAML_FLAG_OPTIONAL; /* what must be there was looked for by slx_chip_check */
    switch (k->type) {
    case SLX_CK_TEXT:
        f.value.type = CYAML_STRING;
        f.value.flags |= CYAML_FLAG_POINTER;
        f.value.data_size = sizeof(char);
        f.value.string.max = CYAML_UNLIMITED;
        break;
    case SLX_CK_REAL:
        f.value.type = CYAML_FLOAT;
        f.value.data_size = sizeof(double);
        break;
    default: f.value.type = CYAML_UINT; f.value.data_size = sizeof(uint32_t);
    }
    return f;
}

static cyaml_schema_field_t *add_field(schema *s)
{
    SLX_ASSERT(s->used < FIELDS);
    return &s->fields[s->used++];
}

/* Fields of one section; the sections inside it were made before. */
static cyaml_schema_field_t *make_section(schema *s, const char *section, const char *const *names,
                                          cyaml_schema_field_t *const *made, int n)
{
    cyaml_schema_field_t *first = s->fields + s->used;
    size_t len = strlen(section);
    for (int i = 0; i < slx_chip_n_keys; i++)
        if (!strcmp(slx_chip_keys[i].section, section))
            *add_field(s) = key_field(&slx_chip_keys[i]);
    for (int i = 0; i < n; i++) {
        const char *name = names[i];
        if (len && (strncmp(name, section, len) || name[len] != '.')) continue;
        if (len) name += len + 1;
        if (strchr(name, '.')) continue;
        *add_field(s) = (cyaml_schema_field_t){.key = name,
                                               .value = {.type = CYAML_MAPPING,
                                                         .flags = CYAML_FLAG_OPTIONAL,
                                                         .data_size = sizeof(loaded),
                                                         .mapping.fields = made[i]}};
    }
    if (!strcmp(section, "isa"))
        *add_field(s) = (cyaml_schema_field_t){
            .key = "formats",
            .data_offset = offsetof(loaded, formats),
            .value = {.type = CYAML_FLAGS,
                      .flags = CYAML_FLAG_STRICT,
                      .data_size = sizeof(uint32_t),
                      .enumeration = {.strings = s->formats, .count = SLX_CF_COUNT}}};
    if (!len)
        *add_field(s) = (cyaml_schema_field_t){
            .key = "sources",
            .data_offset = offsetof(loaded, chip.sources),
            .count_offset = offsetof(loaded, chip.n_sources),
            .count_size = sizeof(int),
            .value = {.type = CYAML_SEQUENCE,
                      .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                      .data_size = sizeof(struct slx_chip_source),
                      .sequence = {.entry = &s->source, .max = CYAML_UNLIMITED}}};
    *add_field(s) = (cyaml_schema_field_t){.key = NULL};
    return first;
}

static void make_schema(schema *s)
{
    const char *names[SLX_CHIP_SECTIONS_MAX];
    cyaml_schema_field_t *made[SLX_CHIP_SECTIONS_MAX];
    *s = (schema){0};
    for (int f = 0; f < SLX_CF_COUNT; f++)
        s->formats[f] = (cyaml_strval_t){slx_chip_format_name(f), INT64_C(1) << f};
    s->source = (cyaml_schema_value_t){
        CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct slx_chip_source, source_fields)};
    int n = slx_chip_sections(names);
    for (int i = n; i--;)
        made[i] = make_section(s, names[i], names, made, n); /* a section after those inside it */
    s->top = (cyaml_schema_value_t){
        CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, loaded, make_section(s, "", names, made, n))};
}

/* ------------------------------------------------------------------ libcyaml */

/* Keeps the first complaint; only seen if libcyaml refuses what slx_chip_check let through. */
static void keep_log(cyaml_log_t level, void *ctx, const char *fmt, va_list ap)
{
    char *first = ctx;
    (void)level;
    if (!*first) vsnprintf(first, 256, fmt, ap);
}

/* A number libcyaml read must be the one the checks saw: they could part over a locale's decimal comma. */
static slx_status same_numbers(const slx_chip *c, const slx_yaml *t)
{
    for (int i = 0; i < slx_chip_n_keys; i++) {
        const slx_chip_key *k = &slx_chip_keys[i];
        const slx_yaml_node *n = k->type == SLX_CK_TEXT ? NULL : slx_yaml_at(t, k->path);
        double v;
        if (n && !slx_yaml_is_null(n) &&
            (!slx_parse_f64(n->text, k->least, k->most, &v) || v != slx_chip_key_value(c, k)))
            return slx_yaml_fail(t, n->line, n->col, "%s: found %s, read as %g", k->path, n->text,
                                 slx_chip_key_value(c, k));
    }
    return SLX_OK;
}

static void copy_texts(slx_chip *c)
{
    for (int i = 0; i < slx_chip_n_keys; i++) {
        if (slx_chip_keys[i].type != SLX_CK_TEXT) continue;
        const char **p = (const char **)((char *)c + slx_chip_keys[i].offset);
        *p = slx_strdup(&c->arena, *p ? *p : "");
    }
    const struct slx_chip_source *from = c->sources;
    c->sources = slx_new(&c->arena, struct slx_chip_source, c->n_sources);
    for (int i = 0; i < c->n_sources; i++)
        c->sources[i] = (struct slx_chip_source){slx_strdup(&c->arena, from[i].key),
                                                 slx_strdup(&c->arena, from[i].from), from[i].pm};
}

/* libcyaml has no word for "not published": in its copy of the text each null is a 0, and set_defaults puts back what
 * it was. */
static slx_status nulls_to_zero(slx_yaml *t)
{
    char *copy = NULL;
    for (int i = 0; i < t->n_nodes; i++) {
        const slx_yaml_node *n = &t->nodes[i];
        if (!slx_yaml_is_null(n)) continue;
        if (!copy) {
            copy = slx_push(&t->arena, t->len + 1, 1);
            memcpy(copy, t->text, t->len);
        }
        char *at = copy;
        size_t len = strlen(n->text);
        for (int line = 1; line < n->line; line++) at = strchr(at, '\n') + 1;
        at += n->col - 1;
        if (at + len > copy + t->len || memcmp(at, n->text, len))
            return slx_yaml_fail(t, n->line, n->col,
                                 "%s: found %s after other values, expected a line of its own",
                                 n->path, n->text);
        memset(at, ' ', len);
        at[len - 1] = '0';
    }
    if (copy) t->text = copy;
    return SLX_OK;
}

/* Fills c, whose arena is ready, from text that was checked. */
static slx_status fill(slx_chip *c, const slx_yaml *t)
{
    char complaint[256] = "";
    schema s;
    make_schema(&s);
    const cyaml_config_t config = {.log_fn = keep_log,
                                   .log_ctx = complaint,
                                   .mem_fn = cyaml_mem,
                                   .log_level = CYAML_LOG_ERROR,
                                   .flags = CYAML_CFG_NO_ALIAS};
    loaded *l = NULL;
    cyaml_err_t e = cyaml_load_data((const uint8_t *)t->text, t->len, &config, &s.top,
                                    (cyaml_data_t **)&l, NULL);
    if (e != CYAML_OK || !l) {
        complaint[strcspn(complaint, "\n")] = 0;
        return slx_fail(t->err, SLX_EINPUT, t->path, 0, 0, "not a chip: %s%s%s", cyaml_strerror(e),
                        *complaint ? ": " : "", complaint);
    }
    slx_arena arena = c->arena;
    *c = l->chip;
    c->arena = arena;
    copy_texts(c);
    for (int f = 0; f < SLX_CF_COUNT; f++) c->isa.formats[f] = l->formats >> f & 1;
    cyaml_free(&config, &s.top, l, 0);
    return same_numbers(c, t);
}

/* ------------------------------------------------------------------ after the load */

static void set_defaults(slx_chip *c, const slx_yaml *t)
{
    int *line = slx_new(&c->arena, int, slx_chip_n_keys);
    for (int i = 0; i < slx_chip_n_keys; i++) {
        const slx_chip_key *k = &slx_chip_keys[i];
        const slx_yaml_node *n = slx_yaml_at(t, k->path);
        line[i] = n ? n->line : 0;
        if (k->dflt != SLX_CHIP_REQUIRED && k->type != SLX_CK_TEXT && (!n || slx_yaml_is_null(n)))
            slx_chip_set_value(c, k, k->dflt);
    }
    c->key_line = line;
}

/* Key paths and values, both in fixed byte order: neither the order of keys, here or in the file, nor the host
 * enters. */
uint64_t slx_chip_hash_figures(slx_chip *c)
{
    uint64_t sum = 0; /* a sum of hashes: the order of rows does not matter */
    for (int i = 0; i < slx_chip_n_keys; i++) {
        const slx_chip_key *k = &slx_chip_keys[i];
        if (k->type == SLX_CK_TEXT) continue;
        double v = slx_chip_key_value(c, k) + 0.0; /* -0 becomes 0 */
        if (k->type == SLX_CK_REAL) slx_chip_set_value(c, k, v);
        if (v == k->dflt || isnan(v)) continue;
        uint64_t bits;
        unsigned char le[8];
        memcpy(&bits, &v, 8);
        for (int b = 0; b < 8; b++) le[b] = (unsigned char)(bits >> 8 * b);
        slx_hash h;
        slx_hash_init(&h);
        slx_hash_add(&h, k->path, strlen(k->path) + 1);
        slx_hash_add(&h, le, 8);
        sum += slx_hash_get(&h);
    }
    for (int f = 0; f < SLX_CF_COUNT; f++)
        if (c->isa.formats[f])
            sum += slx_hash_of(slx_chip_format_name(f), strlen(slx_chip_format_name(f)));
    return sum;
}

static slx_status build(slx_chip *c, slx_yaml *t)
{
    SLX_TRY(slx_yaml_scan(t));
    SLX_TRY(slx_chip_check(t));
    SLX_TRY(nulls_to_zero(t));
    SLX_TRY(fill(c, t));
    set_defaults(c, t);
    c->library = slx_chip_kind_of(t) != SLX_RUNS_PROGRAM;
    snprintf(c->path, sizeof c->path, "%s", t->path);
    c->hash = slx_chip_hash_figures(c);
    return slx_chip_check_rules(c, t);
}

/* The kind of file the caller wants, and a chip's family. */
static slx_status finish(slx_chip *c, const slx_yaml *t, bool family)
{
    slx_chip_kind kind = slx_chip_kind_of(t);
    const slx_yaml_node *at = slx_yaml_at(t, "runs");
    if (family != (kind == SLX_RUNS_FAMILY))
        return slx_yaml_fail(t, at ? at->line : 1, at ? at->col : 1, "runs: found %s, expected %s",
                             *c->runs ? c->runs : "program",
                             family ? "family" : "program or library: a family is no chip");
    return kind == SLX_RUNS_LIBRARY ? slx_chip_join_family(c, t) : SLX_OK;
}

slx_status slx_chip_parse(slx_chip **out, const char *text, size_t len, const char *path,
                          slx_err *err)
{
    return slx_chip_parse_as(out, text, len, path, false, err);
}

slx_status slx_chip_parse_as(slx_chip **out, const char *text, size_t len, const char *path,
                             bool family, slx_err *err)
{
    slx_chip *c = slx_xcalloc(1, sizeof *c);
    slx_err unwanted;
    slx_yaml t = {.path = path,
                  .what = "chip",
                  .depth =
                      4, /* root, sources, one source, its value; or root, ten, rate, its value */
                  .text = text,
                  .len = len,
                  .err = err ? err : &unwanted};
    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) { /* a byte order mark some editors leave */
        t.text += 3;
        t.len -= 3;
    }
    slx_arena_init(&t.arena);
    slx_arena_init(&c->arena);
    slx_status s = build(c, &t);
    if (s == SLX_OK) s = finish(c, &t, family);
    slx_arena_deinit(&t.arena);
    if (s) {
        slx_chip_free(c);
        c = NULL;
    }
    *out = c;
    return s;
}

/* By its name, "-" or a path; not yet against physics. */
static slx_status load_text(slx_chip **out, const char *name, slx_err *err)
{
    if (!strcmp(name, "-")) {
        slx_buf b;
        SLX_TRY(slx_read_file(&b, name, err));
        slx_status s = slx_chip_parse(out, b.len ? b.ptr : "", b.len, "standard input", err);
        slx_buf_free(&b);
        return s;
    }
    char path[1024];
    slx_map m;
    SLX_TRY(slx_find_file(path, "chips", name, (const char *const[]){".yaml", NULL}, err));
    SLX_TRY(slx_map_open(&m, path, err));
    slx_status s = slx_chip_parse(out, m.size ? (const char *)m.ptr : "", m.size, path, err);
    slx_map_close(&m);
    return s;
}

slx_status slx_chip_load_any(slx_chip **out, const char *name, slx_err *err)
{
    *out = NULL;
    SLX_TRY(load_text(out, name, err));
    slx_status s = slx_chip_check_physics(*out, err);
    if (s == SLX_OK) return SLX_OK;
    slx_chip_free(*out);
    *out = NULL;
    return s;
}

slx_status slx_chip_load(slx_chip **out, const char *name, slx_err *err)
{
    SLX_TRY(slx_chip_load_any(out, name, err));
    if (!(*out)->library) return SLX_OK;
    slx_status s =
        slx_chip_fail_key(*out, "runs", err,
                          "found library, expected a chip that runs programs: of %s only "
                          "published figures are known",
                          (*out)->name);
    slx_chip_free(*out);
    *out = NULL;
    return s;
}

void slx_chip_free(slx_chip *c)
{
    if (!c) return;
    slx_chip_free(c->of_family);
    slx_arena_deinit(&c->arena);
    free(c);
}
