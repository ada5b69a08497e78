/* library.c - a chip's numbers of its vendor's library, completed from its family: see library.h.
 *
 * A family's numbers are those of a typical chip, whose figures stand in the same file. They become another chip's by
 * the rule of their row in lib_keys.def: times of the units by the clock or by the size of a unit, rates of a unit by
 * its tensor rate, rates of the cache by units times clock; other shares and launches as they are.
 */
#include "chip/chip_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ rows of lib_keys.def */

typedef enum { AS_IS, CLOCK, CLOCK_RATE, UNIT, LOAD, STEP, CACHE, POWER, BAND, LEAST_LOAD, N_SCALES } scale_rule;

typedef struct {
    const char *section;
    size_t at; /* in slx_lib_numbers */
    double off;
    scale_rule scale;
} row;

static const row rows[] = {
#define K(...)
#define L(section, key, member, unit, least, most, off, scale, doc)                                \
    {section, offsetof(slx_lib_numbers, member), off, scale},
#include "chip/lib_keys.def"
#undef L
#undef K
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static double *number(slx_lib_numbers *n, const row *r)
{
    return (double *)((char *)n + r->at);
}

static double number_of(const slx_lib_numbers *n, const row *r)
{
    return *(const double *)((const char *)n + r->at);
}

static bool gives_section(const slx_lib_numbers *n, const char *section)
{
    for (int i = 0; i < N_ROWS; i++)
        if (!strcmp(rows[i].section, section) && !isnan(number_of(n, &rows[i]))) return true;
    return false;
}

static const char *const draw_sections[SLX_LIB_DRAWS] = {"draw", "draw_decode", "draw_prefill"};
static const char *const gemm_sections[SLX_LIB_FORMATS] = {"gemm", "gemm_8bit", "gemm_4bit",
                                                           "gemm_wo", "gemm_block"};

/* ------------------------------------------------------------------ figures */

typedef struct {
    double units, clock, f16, mem, cache, link, tdp, mem_gib;
} figures;

static figures published(const slx_chip *c)
{
    double f16 = c->part.bf16_tflops,
           f8 = c->part.fp8_tflops > 0 ? c->part.fp8_tflops : c->part.int8_tops;
    if (!(f16 > 0)) f16 = f8 > 0 ? f8 / 2 : NAN;
    return (figures){.units = c->part.units,
                     .clock = c->part.clock_ghz,
                     .f16 = f16,
                     .mem = c->part.mem_tbs > 0 ? c->part.mem_tbs : NAN,
                     .cache = c->part.cache_mib,
                     .link = c->part.links_gbs / 2,
                     .tdp = c->package.tdp_w > 0 ? c->package.tdp_w : NAN,
                     .mem_gib = c->part.mem_gib};
}

/* How many units, as a share of r's: by the peak, but where the memory was cut less than the peak, as in parts whose
 * units are slowed down and not left out, halfway between the two. */
static double units_size(figures f, figures r, double size)
{
    double mem = isnan(f.mem) ? 0 : fmin(1, f.mem / r.mem);
    return isnan(f.f16) ? size : fmax(size, sqrt(size * mem));
}

/* How far times may be off where a figure is inferred, as factors: nine of ten of the times of GEMMs that published
 * chips (chips/, 17 with all figures) have with a figure left out lie within, and of link rates and powers themselves.
 * Within a family units and clocks tell nothing that the peak does not. */
static const double doubt_peak = 4, doubt_mem = 2.5, doubt_units = 2.2, doubt_clock = 1.4, doubt_link = 3,
                    doubt_any_link = 5, doubt_power = 2.5;

static slx_chip_doubt doubts(figures f, bool of_all)
{
    double unknown = isnan(f.f16) ? log(doubt_peak) : 0;
    if (isnan(f.mem)) unknown = hypot(unknown, log(doubt_mem));
    if (of_all && isnan(f.units)) unknown = hypot(unknown, log(doubt_units));
    if (of_all && isnan(f.clock)) unknown = hypot(unknown, log(doubt_clock));
    return (slx_chip_doubt){.kernels = exp(unknown),
                            .links = !isnan(f.link) ? 1 : of_all ? doubt_any_link : doubt_link,
                            .power = isnan(f.tdp) ? doubt_power : 1};
}

/* Size against the typical chip r by the units; of no family, whose units may be of any size, half by the memory, or
 * half as the typical chip. */
static double size_of_units(figures f, figures r, bool of_all)
{
    double units = f.units * f.clock / (r.units * r.clock);
    return of_all ? sqrt(units * (isnan(f.mem) ? 1 : f.mem / r.mem)) : units;
}

/* What is not published, by the ratios of a typical chip r of the family. */
static figures infer(figures f, figures r, bool of_all)
{
    figures g = f;
    double size = !isnan(f.f16)                        ? f.f16 / r.f16
                  : !isnan(f.units) && !isnan(f.clock) ? size_of_units(f, r, of_all)
                  : !isnan(f.units)                    ? f.units / r.units
                  : !isnan(f.mem)                      ? f.mem / r.mem
                                                       : 1;
    if (isnan(g.f16)) g.f16 = r.f16 * size;
    if (isnan(g.mem)) g.mem = r.mem * size;
    if (isnan(g.clock)) g.clock = isnan(f.units) ? r.clock : r.clock * size * r.units / f.units;
    if (isnan(f.clock) && (g.clock > 3 * r.clock || g.clock < r.clock / 3)) g.clock = r.clock;
    if (isnan(g.units)) g.units = fmax(1, floor(r.units * units_size(f, r, size) * r.clock / g.clock + 0.5));
    if (isnan(g.cache)) g.cache = r.cache * fmin(1, size); /* a larger chip need not have more */
    if (isnan(g.link)) g.link = r.link;
    if (isnan(g.tdp)) g.tdp = r.tdp * size;
    if (isnan(g.mem_gib)) g.mem_gib = r.mem_gib * g.mem / r.mem;
    return g;
}

double slx_chip_format_figure(double peak)
{
    return peak == 0 ? SLX_NO_FORMAT : peak;
}

/* The peak in a narrow format: as published; else by the family's ratio to 16 bits, 0 where the family has none. NAN:
 * the family is `generic`, which has no chip to say. */
static double narrow_peak(double published_peak, double of_family, double f16, double family_f16)
{
    if (!isnan(published_peak)) return published_peak;
    return f16 * of_family / family_f16;
}

static void set_figures(slx_lib *lib, const slx_chip *c, const slx_chip *fam, figures g, figures r)
{
    double fp8 = narrow_peak(c->part.fp8_tflops, fam->part.fp8_tflops, g.f16, r.f16);
    double family_int8 = isnan(fam->part.int8_tops) ? fam->part.fp8_tflops : fam->part.int8_tops;
    lib->fig.fp8_tflops = fp8;
    lib->fig.int8_tops = narrow_peak(c->part.int8_tops, family_int8, g.f16, r.f16);
    lib->fig.fp4_tflops = narrow_peak(c->part.fp4_tflops, fam->part.fp4_tflops, g.f16, r.f16);
    lib->fig.units = g.units;
    lib->fig.clock_ghz = g.clock;
    lib->fig.mem_tbs = g.mem;
    lib->fig.mem_gib = g.mem_gib;
    lib->fig.cache_mib = g.cache;
    lib->fig.link_gbs = g.link;
    lib->fig.tdp_w = g.tdp;
    lib->fig.tflops = g.f16;
}

/* ------------------------------------------------------------------ numbers */

/* How the measured chips differ, each predicted from numbers fitted to the others (docs/library.md): the rate a unit
 * loads at goes by its tensor rate, yet no slower than a small unit's; the share of the peak that the rated power lets
 * through by watts a FLOP, with this exponent. */
static const double slow_unit = 1024, power_exponent = 0.3;

/* All units together load at least this many times what the memory gives: 1.4 (decode of A100 and H200) to 4.7 (GEMM of
 * H100) on the measured chips. It holds for chips of a family that are sold with most of their tensor rate cut off
 * (H20, MI308X); numbers of `generic` already go by units of every size. */
static const double least_load = 1.4;

static double unit_flop_clk(figures f)
{
    return f.f16 * 1e3 / f.units / f.clock;
}

static double unit_mem_clk(figures f)
{
    return f.mem / f.units / f.clock;
}

/* How unlike units are: 1 is a factor e in FLOP a clock or in memory bytes a clock. */
static double unit_distance(figures g, figures r)
{
    return hypot(log(unit_flop_clk(g) / unit_flop_clk(r)),
                 log(unit_mem_clk(g) / unit_mem_clk(r)));
}

/* The less alike units are, the wider the band: its logarithm, for each 1 of distance. A100 and B200 from numbers of
 * H200, 0.8 away, then keep nine measurements of ten. Numbers of `generic` were fitted to units of every size. */
static const double band_widens = 0.8;

static void scales(double s[N_SCALES], figures g, figures r, bool of_all)
{
    s[AS_IS] = 1;
    s[CLOCK] = r.clock / g.clock;
    s[CLOCK_RATE] = g.clock / r.clock;
    s[UNIT] = g.f16 / g.units / (r.f16 / r.units);
    s[LOAD] = g.clock * fmax(slow_unit, unit_flop_clk(g)) / (r.clock * fmax(slow_unit, unit_flop_clk(r)));
    s[LEAST_LOAD] = of_all ? 0 : least_load * g.mem * 1e3 / g.units;
    s[STEP] = sqrt(unit_flop_clk(r) / unit_flop_clk(g));
    s[CACHE] = g.units * g.clock / (r.units * r.clock);
    s[BAND] = of_all ? 1 : 1 + band_widens * unit_distance(g, r);
    s[POWER] = pow(g.tdp / g.f16 / (r.tdp / r.f16), power_exponent);
}

/* 0 in a file switches a limit off, as leaving it out of its section does. */
static double taken(const row *r, double v)
{
    return v == 0 && isinf(r->off) ? r->off : v;
}

/* Where the number lies that holds where this one is left out: 16-bit's of the formats, 8-bit's of what has scales for
 * blocks, the products' of the draws. */
static size_t first_of_kind(const row *r)
{
    size_t tiles = (SLX_LIB_BLOCK - SLX_LIB_8) * sizeof((slx_lib_numbers *)0)->tiles[0];
    if (!strcmp(r->section, "tiles_block")) return r->at - tiles;
    if (!strcmp(r->section, "gemm_block"))
        return r->at - (SLX_LIB_BLOCK - SLX_LIB_8) * sizeof((slx_lib_numbers *)0)->gemm[0];
    for (int f = 1; f < SLX_LIB_FORMATS; f++)
        if (!strcmp(r->section, gemm_sections[f]))
            return r->at - (size_t)f * sizeof((slx_lib_numbers *)0)->gemm[0];
    for (int i = 1; i < SLX_LIB_DRAWS; i++)
        if (!strcmp(r->section, draw_sections[i]))
            return r->at - (size_t)i * sizeof((slx_lib_numbers *)0)->draw[0];
    return r->at;
}

static double scaled(const row *r, double v, const double s[N_SCALES])
{
    return r->scale == POWER  ? fmin(1, v * s[POWER])
           : r->scale == BAND ? pow(v, s[BAND])
           : r->scale == LOAD ? fmax(v * s[LOAD], fmin(v, s[LEAST_LOAD]))
                              : v * s[r->scale];
}

static void complete_numbers(slx_lib *lib, const slx_chip *c, const slx_chip *fam,
                             const double s[N_SCALES])
{
    for (int i = 0; i < N_ROWS; i++) {
        const row *r = &rows[i];
        bool fact = !strncmp(r->section, "tiles", 5) || !strcmp(r->section, "facts");
        double own = number_of(&c->given, r), of = number_of(&fam->given, r), v;
        bool whole = !fact && gives_section(&c->given, r->section);
        if (!isnan(own))
            v = taken(r, own);
        else if (!whole && !isnan(of))
            v = taken(r, of > 0 ? scaled(r, of, s) : of);
        else if (first_of_kind(r) < r->at)
            v = *(const double *)((const char *)&lib->n + first_of_kind(r));
        else
            v = r->off;
        *number(&lib->n, r) = v;
    }
    for (int f = 0; f < SLX_LIB_FORMATS; f++)
        lib->own[SLX_LIB_OWN_GEMM + f] = gives_section(&c->given, gemm_sections[f]);
    static const char *const others[] = {"decode", "prefill", "nccl", "graph", "op"};
    for (int i = 0; i < 5; i++)
        lib->own[SLX_LIB_OWN_DECODE + i] = gives_section(&c->given, others[i]);
    for (int i = 0; i < SLX_LIB_DRAWS; i++)
        lib->own[SLX_LIB_OWN_DRAW + i] = gives_section(&c->given, draw_sections[i]);
}

/* "16 32 64": what is no number ends the list. */
static int sides(double out[SLX_LIB_TILES], const char *text)
{
    int n = 0;
    for (char *end; n < SLX_LIB_TILES; text = end) {
        double v = strtod(text, &end);
        if (end == text || !(v >= 1)) break;
        out[n++] = v;
    }
    return n;
}

/* A number at *text, which moves behind it; `none` where there is none, NAN where it is below 1. */
static double whole_at(const char **text, double none)
{
    if (!isdigit((unsigned char)**text)) return none;
    char *end;
    unsigned long v = strtoul(*text, &end, 10);
    *text = end;
    return v >= 1 ? (double)v : NAN;
}

static bool take_char(const char **text, char c)
{
    if (**text != c) return false;
    (*text)++;
    return true;
}

int slx_chip_choices_parse(const char *text, slx_lib_choice out[SLX_LIB_TILES])
{
    int n = 0;
    for (text += strspn(text, " "); *text; text += strspn(text, " "), n++) {
        slx_lib_choice c = {.m = whole_at(&text, INFINITY)};
        c.n = take_char(&text, '/') ? whole_at(&text, INFINITY) : INFINITY;
        bool ok = take_char(&text, ':');
        c.rows = whole_at(&text, NAN);
        ok = ok && take_char(&text, 'x');
        c.cols = whole_at(&text, NAN);
        if (!ok || n == SLX_LIB_TILES || isnan(c.m + c.n + c.rows + c.cols) || (*text && *text != ' ')) return -1;
        if (out) out[n] = c;
    }
    return n;
}

static const char *first_of(const char *a, const char *b, const char *d)
{
    return a && *a ? a : b && *b ? b : d;
}

static void complete_tiles(slx_lib *lib, const slx_chip *c, const slx_chip *fam)
{
    const char *rows16 = first_of(c->tile_rows[0], fam->tile_rows[0], "16 32 64 128 256");
    const char *cols16 = first_of(c->tile_cols[0], fam->tile_cols[0], "32 64 128 256");
    for (int f = 0; f < SLX_LIB_FORMATS; f++) {
        int as = f == SLX_LIB_BLOCK ? SLX_LIB_8 : f; /* of this format where its own are left out */
        const char *rows_as = first_of(c->tile_rows[as], fam->tile_rows[as], rows16),
                   *cols_as = first_of(c->tile_cols[as], fam->tile_cols[as], cols16);
        lib->tile[f].n_rows =
            sides(lib->tile[f].rows, first_of(c->tile_rows[f], fam->tile_rows[f], rows_as));
        lib->tile[f].n_cols =
            sides(lib->tile[f].cols, first_of(c->tile_cols[f], fam->tile_cols[f], cols_as));
        lib->tile[f].n_choices = slx_chip_choices_parse(first_of(c->tile_choice[f], fam->tile_choice[f], ""),
                                                        lib->tile[f].choice);
    }
}

void slx_chip_complete_library(slx_chip *c)
{
    const slx_chip *fam = c->of_family;
    double s[N_SCALES];
    bool of_all = !strcmp(fam->name, "generic");
    figures r = published(fam), f = published(c), g = infer(f, r, of_all);
    slx_chip_doubt doubt = doubts(f, of_all);
    c->lib.inferred = isnan(f.f16) || isnan(f.mem) || isnan(f.units) || isnan(f.clock);
    scales(s, g, r, of_all);
    set_figures(&c->lib, c, fam, g, r);
    complete_numbers(&c->lib, c, fam, s);
    slx_chip_complete_bands(&c->lib, c, fam, s[BAND], doubt);
    complete_tiles(&c->lib, c, fam);
    c->lib.software = first_of(c->software, fam->software, "");
}

/* ------------------------------------------------------------------ files */

slx_status slx_chip_load_family(slx_chip **out, const char *name, slx_err *err)
{
    char path[1024];
    slx_map m;
    SLX_TRY(slx_find_file(path, "families", name, (const char *const[]){".yaml", NULL}, err));
    SLX_TRY(slx_map_open(&m, path, err));
    slx_status s =
        slx_chip_parse_as(out, m.size ? (const char *)m.ptr : "", m.size, path, true, err);
    slx_map_close(&m);
    if (s) return s;
    figures f = published(*out);
    if (isnan(f.units + f.clock + f.f16 + f.mem + f.cache + f.link + f.tdp + f.mem_gib)) {
        s = slx_chip_fail_key(
            *out, "part", err,
            "expected units, clock_ghz, bf16_tflops, mem_gib, mem_tbs, cache_mib, links_gbs: the "
            "figures its numbers hold for");
        slx_chip_free(*out);
        *out = NULL;
    }
    return s;
}

slx_status slx_chip_join_family(slx_chip *c, const slx_yaml *t)
{
    slx_err why;
    const slx_yaml_node *at = slx_yaml_at(t, "family");
    slx_status s = slx_chip_load_family(&c->of_family, at ? c->family : "generic", &why);
    if (s && at && !*why.source && !why.line)
        return slx_yaml_fail(t, at->line, at->col, "family: %s: %s", c->family, why.msg);
    if (s) {
        *t->err = why;
        return s;
    }
    slx_chip_complete_library(c);
    return SLX_OK;
}

/* A band of a chip's own fit, to this power, holds about 90 % of the measurements of its next of kin: H100 and H200
 * from each other. */
static const double kin_band = 1.7;

/* A measured chip as if it were a family: every number set, its family's facts its own. */
static void become_family(slx_chip *c)
{
    const slx_chip *fam = c->of_family;
    const slx_lib *l = &c->lib;
    c->given = l->n;
    for (int i = 0; i < N_ROWS; i++)
        if (rows[i].scale == BAND)
            *number(&c->given, &rows[i]) = pow(number_of(&l->n, &rows[i]), kin_band);
    for (int i = 0; i < SLX_LIB_OWN_COUNT; i++) c->bands[i] = slx_chip_bands_wider(&c->arena, c->bands[i], kin_band);
    c->part.units = l->fig.units;
    c->part.clock_ghz = l->fig.clock_ghz;
    c->part.bf16_tflops = l->fig.tflops;
    c->part.fp8_tflops = l->fig.fp8_tflops;
    c->part.int8_tops = l->fig.int8_tops;
    c->part.fp4_tflops = l->fig.fp4_tflops;
    c->part.mem_tbs = l->fig.mem_tbs;
    c->part.mem_gib = l->fig.mem_gib;
    c->part.cache_mib = l->fig.cache_mib;
    c->part.links_gbs = 2 * l->fig.link_gbs;
    c->package.tdp_w = l->fig.tdp_w;
    for (int f = 0; f < SLX_LIB_FORMATS; f++) {
        c->tile_rows[f] = first_of(c->tile_rows[f], fam->tile_rows[f], NULL);
        c->tile_cols[f] = first_of(c->tile_cols[f], fam->tile_cols[f], NULL);
        c->tile_choice[f] = first_of(c->tile_choice[f], fam->tile_choice[f], NULL);
    }
    c->software = l->software;
}

static void take_format(double *to, double told)
{
    if (told > 0) *to = told;
    if (told < 0) *to = 0;
}

static void take_figures(slx_chip *c, const slx_chip_figures *f)
{
    const struct {
        double *to, v;
    } put[] = {{&c->part.units, f->units},
               {&c->part.clock_ghz, f->clock_ghz},
               {&c->part.bf16_tflops, f->bf16_tflops},
               {&c->part.mem_tbs, f->mem_tbs},
               {&c->part.mem_gib, f->mem_gib},
               {&c->part.cache_mib, f->cache_mib},
               {&c->part.links_gbs, 2 * f->link_gbs},
               {&c->package.tdp_w, f->tdp_w}};
    for (size_t i = 0; i < sizeof put / sizeof *put; i++)
        if (put[i].v > 0) *put[i].to = put[i].v;
    take_format(&c->part.fp8_tflops, f->fp8_tflops);
    take_format(&c->part.int8_tops, f->int8_tops);
    take_format(&c->part.fp4_tflops, f->fp4_tflops);
}

/* A chip of the generic family without a figure. */
static slx_status unnamed(slx_chip **out, const char *name, slx_err *err)
{
    static const char text[] = "name: unnamed\nruns: library\n";
    SLX_TRY(slx_chip_parse(out, text, sizeof text - 1, name, err));
    (*out)->name = slx_strdup(&(*out)->arena, name);
    return SLX_OK;
}

static void join(slx_chip *c, slx_chip *fam)
{
    slx_chip_free(c->of_family);
    c->of_family = fam;
    c->family = slx_strdup(&c->arena, fam->name);
}

/* A chip of figures in memory, complete: its hash tells it from others, as a file's does. */
static void complete(slx_chip *c)
{
    slx_chip_complete_library(c);
    c->hash = slx_chip_hash_figures(c) + slx_hash_of(c->family, strlen(c->family));
}

slx_status slx_chip_from_figures(slx_chip **out, const slx_chip_figures *f, slx_err *err)
{
    slx_chip *fam;
    SLX_TRY(slx_chip_choose_family(&fam, f, err));
    slx_status s = unnamed(out, f->name, err);
    if (s) {
        slx_chip_free(fam);
        return s;
    }
    join(*out, fam);
    take_figures(*out, f);
    complete(*out);
    return SLX_OK;
}

/* All that completing a chip reads of its file. The texts stay those of c: out->lib is complete before c may go. */
static void take_file(slx_chip *out, const slx_chip *c)
{
    out->part = c->part;
    out->package.tdp_w = c->package.tdp_w;
    out->given = c->given;
    memcpy(out->bands, c->bands, sizeof out->bands);
    memcpy(out->tile_rows, c->tile_rows, sizeof out->tile_rows);
    memcpy(out->tile_cols, c->tile_cols, sizeof out->tile_cols);
}

static void forget_texts(slx_chip *c)
{
    c->part.only_model = "";
    memset(c->bands, 0, sizeof c->bands);
    memset(c->tile_rows, 0, sizeof c->tile_rows);
    memset(c->tile_cols, 0, sizeof c->tile_cols);
}

slx_status slx_chip_with_passes(slx_chip **out, const slx_chip *c, const char *family, slx_err *err)
{
    slx_chip *fam, *passes;
    slx_err unwanted;
    *out = NULL;
    if (slx_chip_load_family(&fam, c->of_family->name, &unwanted)) return SLX_OK;
    slx_status s = slx_chip_load_family(&passes, family, err);
    if (s == SLX_OK && (s = unnamed(out, c->name, err))) slx_chip_free(passes);
    if (s) return slx_chip_free(fam), s;
    join(*out, fam);
    take_file(*out, c);
    (*out)->given.pass = passes->given.pass;
    (*out)->given.facts.unfused = passes->given.facts.unfused;
    (*out)->software = slx_strdup(&(*out)->arena, passes->software);
    slx_chip_free(passes);
    complete(*out);
    forget_texts(*out);
    return SLX_OK;
}

slx_status slx_chip_unmeasured(slx_chip **out, const slx_chip *like, const char *numbers,
                               slx_err *err)
{
    slx_chip *fam = NULL;
    slx_err why;
    figures g = published(like);
    if (slx_chip_load_family(&fam, numbers, &why)) {
        SLX_TRY(slx_chip_load_any(&fam, numbers, err));
        if (!fam->library) {
            slx_status s = slx_chip_fail_key(fam, "runs", err, "found program, expected library");
            slx_chip_free(fam);
            return s;
        }
        become_family(fam);
    }
    slx_status s = unnamed(out, like->name, err);
    if (s) {
        slx_chip_free(fam);
        return s;
    }
    join(*out, fam);
    slx_chip_figures f = {.units = g.units,
                          .clock_ghz = g.clock,
                          .bf16_tflops = g.f16,
                          .fp8_tflops = slx_chip_format_figure(like->part.fp8_tflops),
                          .int8_tops = slx_chip_format_figure(like->part.int8_tops),
                          .fp4_tflops = slx_chip_format_figure(like->part.fp4_tflops),
                          .mem_tbs = g.mem,
                          .mem_gib = g.mem_gib,
                          .cache_mib = g.cache,
                          .tdp_w = g.tdp,
                          .link_gbs = g.link};
    take_figures(*out, &f);
    complete(*out);
    return SLX_OK;
}
