/* chip_keys.c - the table of chip_keys.def as data, and its printed form. */
#include "chip/chip_int.h"

#include <string.h>

#define REQUIRED SLX_CHIP_REQUIRED
#define UNKNOWN  SLX_CHIP_UNKNOWN

/* The type column must agree with the member it fills; a slip does not compile. */
#define IS_COUNT(m) _Generic((m), uint32_t : 1, default : 0)
#define IS_POW2(m)  IS_COUNT(m)
#define IS_REAL(m)  _Generic((m), double : 1, default : 0)
#define IS_TEXT(m)  _Generic((m), const char * : 1, default : 0)
#define K(section, key, member, type, unit, least, most, dflt, doc)                                \
    _Static_assert(IS_##type(((slx_chip *)0)->member), "type of " section "." #key);
#include "chip/chip_keys.def"
#undef K

/* Sections are string literals, so "section.key" of the top section starts with the dot. */
#define K(section, key, member, type, unit, least, most, dflt, doc)                                \
    {section,                                                                                      \
     #key,                                                                                         \
     &section "." #key[sizeof(section) == 1],                                                      \
     offsetof(slx_chip, member),                                                                   \
     SLX_CK_##type,                                                                                \
     unit,                                                                                         \
     least,                                                                                        \
     most,                                                                                         \
     dflt,                                                                                         \
     doc},
const slx_chip_key slx_chip_keys[] = {
#include "chip/chip_keys.def"
};
#undef K

enum { N_KEYS = sizeof slx_chip_keys / sizeof *slx_chip_keys };
_Static_assert((int)N_KEYS <= (int)SLX_CHIP_KEYS_MAX, "SLX_CHIP_KEYS_MAX");
const int slx_chip_n_keys = N_KEYS;

static const char *const format_names[] = {
#define X(n) [SLX_CF_##n] = #n,
    SLX_CHIP_FORMATS(X)
#undef X
};

const char *slx_chip_format_name(slx_chip_format f)
{
    SLX_ASSERT((unsigned)f < SLX_CF_COUNT);
    return format_names[f];
}

int slx_chip_sections(const char *out[SLX_CHIP_SECTIONS_MAX])
{
    int n = 0;
    for (int i = 0; i < slx_chip_n_keys; i++) {
        const char *s = slx_chip_keys[i].section;
        if (!*s || (n && !strcmp(out[n - 1], s))) continue;
        SLX_ASSERT(n < SLX_CHIP_SECTIONS_MAX);
        out[n++] = s;
    }
    return n;
}

const slx_chip_key *slx_chip_find_key(const char *path)
{
    for (int i = 0; i < slx_chip_n_keys; i++)
        if (!strcmp(slx_chip_keys[i].path, path)) return &slx_chip_keys[i];
    return NULL;
}

bool slx_chip_is_section(const char *path)
{
    const char *s[SLX_CHIP_SECTIONS_MAX];
    for (int i = slx_chip_sections(s); i--;)
        if (!strcmp(s[i], path)) return true;
    return false;
}

double slx_chip_key_value(const slx_chip *c, const slx_chip_key *k)
{
    const char *p = (const char *)c + k->offset;
    SLX_ASSERT(k->type != SLX_CK_TEXT);
    return k->type == SLX_CK_REAL ? *(const double *)p : *(const uint32_t *)p;
}

void slx_chip_set_value(slx_chip *c, const slx_chip_key *k, double v)
{
    char *p = (char *)c + k->offset;
    SLX_ASSERT(k->type != SLX_CK_TEXT);
    if (k->type == SLX_CK_REAL)
        *(double *)p = v;
    else
        *(uint32_t *)p = (uint32_t)v;
}

void slx_chip_key_expected(char out[160], const slx_chip_key *k)
{
    static const char *const what[] = {[SLX_CK_COUNT] = "a whole number",
                                       [SLX_CK_POW2] = "a power of two",
                                       [SLX_CK_REAL] = "a number"};
    if (k->type == SLX_CK_TEXT)
        snprintf(out, 160, "a text of %g to %g characters", k->least, k->most);
    else if (k->least == k->most)
        snprintf(out, 160, "%.10g", k->least);
    else
        snprintf(out, 160, "%s%s%s between %.10g and %.10g", what[k->type], *k->unit ? " in " : "",
                 k->unit, k->least, k->most);
}

static void key_range(char out[64], const slx_chip_key *k)
{
    if (k->type == SLX_CK_TEXT)
        snprintf(out, 64, "text");
    else if (k->least == k->most)
        snprintf(out, 64, "%.10g", k->least);
    else
        snprintf(out, 64, "%.10g..%.10g%s", k->least, k->most,
                 k->type == SLX_CK_COUNT  ? ", whole"
                 : k->type == SLX_CK_POW2 ? ", power of 2"
                                          : "");
}

/* A list has no row in the table: its line is written where its section ends. */
static void print_formats(FILE *out)
{
    fprintf(out, "%-22s %-10s %-24s %-9s ", "isa.formats", "", "list", "required");
    for (int f = 0; f < SLX_CF_COUNT; f++) fprintf(out, "%s%s", f ? " " : "of ", format_names[f]);
    fputc('\n', out);
}

void slx_chip_print_keys(FILE *out)
{
    fprintf(out, "%-22s %-10s %-24s %-9s %s\n", "key", "unit", "range", "default", "what it is");
    for (int i = 0; i < slx_chip_n_keys; i++) {
        const slx_chip_key *k = &slx_chip_keys[i];
        char range[64], dflt[32] = "required";
        key_range(range, k);
        if (k->dflt != SLX_CHIP_REQUIRED)
            snprintf(dflt, sizeof dflt,
                     k->type == SLX_CK_TEXT ? "none"
                     : isnan(k->dflt)       ? "unknown"
                                            : "%.10g",
                     k->dflt);
        fprintf(out, "%-22s %-10s %-24s %-9s %s\n", k->path, k->unit, range, dflt, k->doc);
        if (!strcmp(k->path, "isa.max_m")) print_formats(out);
    }
    fprintf(out, "%-22s %-10s %-24s %-9s %s\n", "sources[].key", "", "text", "required",
            "a key above, or a section for all of its keys");
    fprintf(out, "%-22s %-10s %-24s %-9s %s\n", "sources[].pm", "", "0..10", "required",
            "uncertainty relative to the value: 0.25 = within a quarter");
    fprintf(out, "%-22s %-10s %-24s %-9s %s\n", "sources[].from", "", "text", "required",
            "where the figure comes from");
}
