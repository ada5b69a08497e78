/* cli_exec.c - silex exec: a program without a model, one step on strict, and what it left in memory.
 *
 * For programs written by hand. HBM starts with zeros; --show prints regions afterwards:
 *   --show out            values up to the last that is not zero, as hex bytes
 *   --show out:f32        the same as numbers          formats: hex, u8, i8, u32, f32
 *   --show out:f32:2x4    two rows of four values
 *   --rank 1              of the chip of rank 1, in a program of several
 */
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/program_in.h"
#include "func/func.h"
#include "verify/verify.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *chip;
    cli_list show;
    int64_t rank;
    bool trace, json;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"chip", 0, CLI_TEXT, "CHIP", AT(chip), 0, 0, NULL,
     "chip: a name in chips/ or a file; without it the one the program was made for"},
    {"show", 's', CLI_LIST, "REGION[:FORMAT[:RxC]]", AT(show), 0, 0, NULL,
     "print a region afterwards; may be repeated"},
    {"rank", 0, CLI_COUNT, "R", AT(rank), 0, SLX_MAX_CHIPS - 1, NULL,
     "chip whose memory --show prints, in a program of several [0]"},
    {"trace", 0, CLI_FLAG, NULL, AT(trace), 0, 0, NULL,
     "every instruction as it retires, on standard error"},
    {"json", 0, CLI_FLAG, NULL, AT(json), 0, 0, NULL, "one JSON object"},
    {0},
};
static const values defaults = {0};

/* ------------------------------------------------------------------ what to show */

typedef enum { HEX, U8, I8, U32, F32, N_FORMATS } format;
static const char *const format_names[N_FORMATS] = {"hex", "u8", "i8", "u32", "f32"};
static const unsigned format_bytes[N_FORMATS] = {1, 1, 1, 4, 4},
                      per_line[N_FORMATS] = {16, 16, 16, 8, 8};

typedef struct {
    uint32_t region;
    format f;
    int64_t rows, columns; /* rows 0: as many as are not zero */
} view;

static slx_status refuse(const char *spec, slx_err *err, const char *what, const char *expected)
{
    char place[300];
    snprintf(place, sizeof place, "silex exec: --show %.200s", spec);
    return slx_fail(err, SLX_EINPUT, place, 0, 0, "found %s, expected %s", what, expected);
}

static slx_status find_region(const slx_program *p, const char *spec, const char *name, view *w,
                              slx_err *err)
{
    slx_buf names = {0};
    char what[100];
    for (w->region = 0; w->region < p->n_regions; w->region++) {
        if (!strcmp(p->regions[w->region].name, name)) return SLX_OK;
        slx_buf_addf(&names, "%s%s", w->region ? ", " : "", p->regions[w->region].name);
    }
    snprintf(what, sizeof what, "region \"%.60s\"", name);
    refuse(spec, err, what, names.len ? names.ptr : "a program with regions");
    slx_buf_free(&names);
    return SLX_EINPUT;
}

static slx_status view_parse(const slx_program *p, const char *spec, view *w, slx_err *err)
{
    char text[128], *fmt, *dims = NULL, *x = NULL;
    if (strlen(spec) >= sizeof text)
        return refuse("", err, "a very long text", "REGION[:FORMAT[:RxC]]");
    memcpy(text, spec, strlen(spec) + 1);
    if ((fmt = strchr(text, ':'))) *fmt++ = 0;
    if (fmt && (dims = strchr(fmt, ':'))) *dims++ = 0;
    if (dims && (x = strchr(dims, 'x'))) *x++ = 0;
    SLX_TRY(find_region(p, spec, text, w, err));
    w->f = HEX;
    while (fmt && w->f < N_FORMATS && strcmp(fmt, format_names[w->f])) w->f++;
    if (w->f == N_FORMATS) return refuse(spec, err, "an unknown format", "hex, u8, i8, u32 or f32");
    w->rows = 0;
    w->columns = per_line[w->f];
    if (!dims) return SLX_OK;
    if (!x || !slx_parse_i64(dims, 1, 1 << 20, &w->rows) ||
        !slx_parse_i64(x, 1, 1 << 20, &w->columns))
        return refuse(spec, err, "an unknown shape", "rows and columns as in 2x4");
    if ((uint64_t)(w->rows * w->columns) > p->regions[w->region].bytes / format_bytes[w->f])
        return refuse(spec, err, "more values than the region holds", "a smaller shape");
    return SLX_OK;
}

/* ------------------------------------------------------------------ printing */

static json_t *value_at(const uint8_t *p, format f)
{
    uint32_t u = 0;
    float x;
    memcpy(&u, p, format_bytes[f]);
    memcpy(&x, &u, sizeof x);
    return f == F32 ? json_real((double)x) : f == I8 ? json_integer((int8_t)u) : json_integer(u);
}

static void print_value(const uint8_t *p, format f)
{
    uint32_t u = 0;
    float x;
    memcpy(&u, p, format_bytes[f]);
    memcpy(&x, &u, sizeof x);
    switch (f) {
    case HEX: printf(" %02x", u); break;
    case U8: printf(" %3u", u); break;
    case I8: printf(" %4d", (int8_t)u); break;
    case U32: printf(" %10u", u); break;
    default: printf(" %12.9g", (double)x); break;
    }
}

static uint64_t count_values(const view *w, const slx_region *r, const uint8_t *mem)
{
    if (w->rows) return (uint64_t)(w->rows * w->columns);
    uint64_t n = mem ? r->bytes : 0;
    while (n && !mem[n - 1]) n--;
    return (n + format_bytes[w->f] - 1) / format_bytes[w->f];
}

static void print_view(const view *w, const slx_region *r, const uint8_t *mem)
{
    uint64_t n = count_values(w, r, mem);
    printf("%s (%s, 0x%llx, %llu bytes)%s\n", r->name,
           slx_region_kind_name((slx_region_kind)r->kind), (unsigned long long)r->base,
           (unsigned long long)r->bytes,
           w->rows ? ""
           : n     ? ", zeros to the end left out"
                   : ": only zeros");
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = i * format_bytes[w->f];
        if (i % (uint64_t)w->columns == 0) printf("  %6llx:", (unsigned long long)at);
        print_value(mem + at, w->f);
        if ((i + 1) % (uint64_t)w->columns == 0 || i + 1 == n) putchar('\n');
    }
}

static json_t *view_json(const view *w, const slx_region *r, const uint8_t *mem)
{
    uint64_t n = count_values(w, r, mem);
    json_t *v = json_array();
    for (uint64_t i = 0; i < n; i++)
        json_array_append_new(v, value_at(mem + i * format_bytes[w->f], w->f));
    return json_pack("{s:s, s:s, s:o}", "region", r->name, "format", format_names[w->f], "values",
                     v);
}

/* ------------------------------------------------------------------ running */

typedef struct {
    const slx_program *p;
    bool print;
    uint64_t count;
} tracer;

static void retired(void *arg, const slx_retire *r)
{
    tracer *t = arg;
    t->count++;
    if (!t->print) return;
    slx_buf text = {0};
    slx_insn_print(&t->p->insns[r->pc], &text);
    if (slx_program_chips(&t->p->info) > 1) fprintf(stderr, "chip %u ", r->chip);
    fprintf(stderr, "tile %u pc %-5u %-70s", r->tile, r->pc, text.ptr);
    if (r->bytes)
        fprintf(stderr, " wrote %llu at 0x%llx, hash %016llx", (unsigned long long)r->bytes,
                (unsigned long long)r->dst, (unsigned long long)r->hash);
    fputc('\n', stderr);
    slx_buf_free(&text);
}

static slx_status step(const values *v, const slx_program *p, const slx_chip *c, const view *views,
                       slx_err *err)
{
    tracer t = {.p = p, .print = v->trace};
    slx_machine_options opt = {.kind = SLX_MACHINE_STRICT, .retire = retired, .retire_arg = &t};
    slx_machine *m;
    slx_fault fault;
    char n[32];
    SLX_TRY(slx_machine_open(&m, p, c, NULL, &opt, err));
    slx_status st = slx_machine_step(m, &fault, err);
    json_t *shown = json_array();
    for (int i = 0; i < v->show.n && st == SLX_OK; i++) {
        const slx_region *r = &p->regions[views[i].region];
        const uint8_t *mem = slx_machine_region(m, (uint32_t)v->rank, views[i].region);
        if (v->json)
            json_array_append_new(shown, view_json(&views[i], r, mem));
        else
            print_view(&views[i], r, mem);
    }
    if (st == SLX_OK && v->json)
        cli_json_print(json_pack("{s:s, s:I, s:O}", "chip", c->name, "retired", (json_int_t)t.count,
                                 "regions", shown));
    if (st == SLX_OK && !v->json)
        fprintf(stderr, "%s instructions on %s\n", cli_commas(n, t.count), c->name);
    json_decref(shown);
    slx_machine_close(m);
    return st;
}

static slx_status run(const void *values_, cli_args args, slx_err *err)
{
    const values *v = values_;
    slx_program p;
    slx_chip *c = NULL;
    view views[CLI_LIST_MAX];
    SLX_TRY(cli_program_any(&p, args.v[0], err));
    slx_status st = slx_chip_load(&c, cli_program_chip(&p, v->chip), err);
    if (st == SLX_OK) st = slx_verify(&p, c, args.v[0], err);
    if (st == SLX_OK && p.n_weights)
        st = slx_fail(err, SLX_EINPUT, args.v[0], 0, 0,
                      "found weights of model %s, expected a program without; silex run MODEL "
                      "--program runs it",
                      p.info.model_name);
    if (st == SLX_OK && v->rank >= slx_program_chips(&p.info))
        st = slx_fail(err, SLX_EINPUT, args.v[0], 0, 0,
                      "found --rank %lld of a program of %u chips, expected less",
                      (long long)v->rank, slx_program_chips(&p.info));
    for (int i = 0; i < v->show.n && st == SLX_OK; i++)
        st = view_parse(&p, v->show.v[i], &views[i], err);
    if (st == SLX_OK) st = step(v, &p, c, views, err);
    if (st == SLX_EFAULT) { /* the machine calls the program by its model, and there is none */
        slx_err fault = *err;
        slx_fail(err, st, args.v[0], 0, 0, "%s", fault.msg);
    }
    slx_chip_free(c);
    slx_program_free(&p);
    return st;
}

const cli_verb cli_verb_exec = {
    "exec",
    "P.s|P.slx",
    1,
    1,
    "runs a program that needs no model, and shows what it left in memory",
    "silex exec examples/hello.s --show out:f32:2x4\n"
    "Formats of --show: hex, u8, i8, u32, f32; RxC is rows and columns. HBM starts with zeros. The "
    "program is verified\n"
    "first and runs on the strict machine.\n",
    options,
    &defaults,
    sizeof defaults,
    run};
