/* cli_chip.c - silex chip: what chip files say and what follows: peaks, area, power, yield, cost, side by side. */
#include "chip/chip.h"
#include "cli/cli.h"
#include "cli/cli_silicon.h"

#include <math.h>
#include <string.h>

typedef struct {
    bool keys, json;
    cli_list set;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"keys", 0, CLI_FLAG, NULL, AT(keys), 0, 0, NULL, "the reference of every key of a chip file"},
    {"set", 0, CLI_LIST, "KEY=VALUE", AT(set), 0, 0, NULL,
     "one figure of every chip changed, as hbm.gbps_pin=9.2; may be repeated"},
    {"json", 0, CLI_FLAG, NULL, AT(json), 0, 0, NULL, "one JSON object"},
    {0},
};
static const values defaults = {0};

enum { MOST_CHIPS = 16, CELL = 64 };

/* ------------------------------------------------------------------ rows */

typedef void cell_fn(char out[CELL], const slx_chip *c, const slx_chip_peaks *p);

#define ROW(name, ...)                                                                             \
    static void name(char out[CELL], const slx_chip *c, const slx_chip_peaks *p)                   \
    {                                                                                              \
        (void)c, (void)p;                                                                          \
        snprintf(out, CELL, __VA_ARGS__);                                                          \
    }
static void scaled(char out[CELL], double v, const char *unit)
{
    char text[32];
    if (v > 0)
        snprintf(out, CELL, "%s", cli_short(text, v, unit));
    else if (isnan(v))
        snprintf(out, CELL, "not published");
    else
        snprintf(out, CELL, "-");
}
#define SCALED(name, value, unit)                                                                  \
    static void name(char out[CELL], const slx_chip *c, const slx_chip_peaks *p)                   \
    {                                                                                              \
        (void)c, (void)p;                                                                          \
        scaled(out, value, unit);                                                                  \
    }

static const char *binary(char out[32], double bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int i = 0;
    for (; bytes >= 1024 && i < 4; i++) bytes /= 1024;
    snprintf(out, 32, "%.4g %s", bytes, unit[i]);
    return out;
}
#define BINARY(name, value)                                                                        \
    static void name(char out[CELL], const slx_chip *c, const slx_chip_peaks *p)                   \
    {                                                                                              \
        char text[32];                                                                             \
        (void)c, (void)p;                                                                          \
        if ((value) > 0)                                                                           \
            snprintf(out, CELL, "%s", binary(text, value));                                        \
        else if (isnan(value))                                                                     \
            snprintf(out, CELL, "not published");                                                  \
        else                                                                                       \
            snprintf(out, CELL, "-");                                                              \
    }

static void none(char out[CELL], const slx_chip *c, const slx_chip_peaks *p)
{
    (void)c, (void)p;
    snprintf(out, CELL, "-");
}

ROW(process, "%.40s, %.3g V", c->process.node, c->process.vdd_v)
ROW(tiles, "%u of %u x %u", c->grid.enabled, c->grid.x, c->grid.y)
ROW(clock_of, "%.4g GHz", c->grid.clock_ghz)
ROW(macs, "%u x %u x %u", c->ten.m, c->ten.n, c->ten.k)
ROW(lanes, "%u", c->vec.lanes)
SCALED(w4a8, p->w4a8_ops, "OP/s")
SCALED(w8a8, p->w8a8_ops, "OP/s")
SCALED(q4s, p->q4s_ops, "OP/s")
SCALED(q8s, p->q8s_ops, "OP/s")
SCALED(bf16, p->bf16_ops, "FLOP/s")
BINARY(hbm, p->hbm_bytes)
SCALED(hbm_rate, p->hbm_bytes_s, "B/s")
BINARY(spm, p->spm_bytes)
BINARY(acc, p->acc_bytes)
BINARY(rom, p->rom_bytes)
SCALED(net, p->net_bytes_s, "B/s")
SCALED(balance, p->balance_w8a8, "OP/B")

static void formats(char out[CELL], const slx_chip *c, const slx_chip_peaks *p)
{
    size_t at = 0;
    (void)p;
    out[0] = 0;
    for (int i = 0; i < SLX_CF_COUNT && at < CELL - 12; i++)
        if (c->isa.formats[i])
            at += (size_t)snprintf(out + at, CELL - at, "%s%s", at ? " " : "",
                                   slx_chip_format_name((slx_chip_format)i));
}

static void part_units(char out[CELL], const slx_chip *c, const slx_chip_peaks *p)
{
    (void)p;
    if (isnan(c->part.units))
        snprintf(out, CELL, "not published");
    else if (isnan(c->part.units_drawn))
        snprintf(out, CELL, "%.0f", c->part.units);
    else
        snprintf(out, CELL, "%.0f of %.0f", c->part.units, c->part.units_drawn);
}

static void part_clock(char out[CELL], const slx_chip *c, const slx_chip_peaks *p)
{
    (void)p;
    if (isnan(c->part.clock_ghz))
        snprintf(out, CELL, "not published");
    else
        snprintf(out, CELL, "%.4g GHz", c->part.clock_ghz);
}

static void part_process(char out[CELL], const slx_chip *c, const slx_chip_peaks *p)
{
    (void)p;
    snprintf(out, CELL, "%.40s", c->process.node);
}

/* cell: of a chip that runs programs; part: of a published one, NULL = as the other, none = no such thing. */
static const struct {
    const char *name;
    cell_fn *cell, *part;
} rows[] = {
    {"process", process, part_process},
    {"tiles", tiles, part_units},
    {"clock", clock_of, part_clock},
    {"formats", formats, none},
    {"int8 multiply-adds a tile and clock", macs, none},
    {"fp32 lanes a tile", lanes, none},
    {"peak, 8-bit weights", w8a8, NULL},
    {"peak, MXFP4 weights", w4a8, NULL},
    {"peak, Q4S weights", q4s, NULL},
    {"peak, Q8S weights", q8s, NULL},
    {"peak, BF16", bf16, NULL},
    {"memory", hbm, NULL},
    {"memory bandwidth", hbm_rate, NULL},
    {"scratchpads", spm, NULL},
    {"accumulators", acc, NULL},
    {"weights in ROM", rom, NULL},
    {"scale-up network", net, NULL},
    {"balance, 8-bit weights", balance, NULL},
};

static void print_table(slx_chip *const *chips, const cli_silicon *silicon, int n)
{
    slx_arena arena;
    slx_arena_init(&arena);
    cli_table t = {.arena = &arena, .columns = n};
    int head = cli_table_row_at(&t, "");
    for (int i = 0; i < n; i++) cli_table_set(&t, head, i, "%s", chips[i]->name);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        int row = cli_table_row_at(&t, rows[r].name);
        for (int i = 0; i < n; i++) {
            char cell[CELL];
            slx_chip_peaks p = slx_chip_get_peaks(chips[i]);
            cell_fn *fn = chips[i]->library && rows[r].part ? rows[r].part : rows[r].cell;
            fn(cell, chips[i], &p);
            cli_table_set(&t, row, i, "%s", cell);
        }
    }
    cli_silicon_rows(&t, chips, silicon, n);
    cli_table_print(&t, stdout);
    for (int i = 0; i < n; i++) {
        char before[80];
        snprintf(before, sizeof before, "\nwarning: %.60s: ", chips[i]->name);
        cli_silicon_print_warnings(chips[i], &silicon[i], before);
    }
    printf("\nIn brackets low and high. Constants and their sources: data/; formulas: "
           "docs/cost.md.\n");
    slx_arena_deinit(&arena);
}

/* ------------------------------------------------------------------ JSON */

static json_t *chip_json(const slx_chip *c, const cli_silicon *silicon)
{
    slx_chip_peaks p = slx_chip_get_peaks(c);
    const struct {
        const char *name;
        double value;
    } peaks[] = {
        {"w4a8_ops", p.w4a8_ops},         {"w8a8_ops", p.w8a8_ops},
        {"q4s_ops", p.q4s_ops},           {"q8s_ops", p.q8s_ops},
        {"bf16_ops", p.bf16_ops},         {"hbm_bytes_s", p.hbm_bytes_s},
        {"hbm_bytes", p.hbm_bytes},       {"spm_bytes", p.spm_bytes},
        {"acc_bytes", p.acc_bytes},       {"rom_bytes", p.rom_bytes},
        {"net_bytes_s", p.net_bytes_s},   {"balance_w4a8", p.balance_w4a8},
        {"balance_w8a8", p.balance_w8a8},
    };
    json_t *j = json_object(), *list = json_array(), *peak = json_object();
    json_object_set_new(j, "name", cli_json_str(c->name, strlen(c->name)));
    json_object_set_new(j, "file", cli_json_str(c->path, strlen(c->path)));
    json_object_set_new(j, "runs", json_string(c->library ? "library" : "program"));
    double clock = c->library ? c->part.clock_ghz : c->grid.clock_ghz;
    double tiles = c->library ? c->part.units : c->grid.enabled;
    if (isnan(tiles))
        cli_json_absent(j, "tiles", "not published");
    else
        json_object_set_new(j, "tiles", json_integer((json_int_t)tiles));
    if (isnan(clock))
        cli_json_absent(j, "clock_ghz", "not published");
    else
        json_object_set_new(j, "clock_ghz", json_real(clock));
    for (int i = 0; i < SLX_CF_COUNT; i++)
        if (c->isa.formats[i])
            json_array_append_new(list, json_string(slx_chip_format_name((slx_chip_format)i)));
    json_object_set_new(j, "formats", list);
    for (size_t i = 0; i < sizeof peaks / sizeof *peaks; i++)
        if (isnan(peaks[i].value))
            cli_json_absent(peak, peaks[i].name, "not published");
        else
            json_object_set_new(peak, peaks[i].name, json_real(peaks[i].value));
    json_object_set_new(j, "peaks", peak);
    cli_silicon_json(j, c, silicon);
    json_object_set_new(j, "hash", cli_json_hash(c->hash));
    return j;
}

static slx_status run(const void *p, cli_args args, slx_err *err)
{
    const values *v = p;
    if (v->keys) {
        if (args.n || v->json || v->set.n)
            return slx_fail(err, SLX_EINPUT, "silex chip: --keys", 0, 0,
                            "found more beside it, expected it alone");
        slx_chip_print_keys(stdout);
        return SLX_OK;
    }
    if (!args.n)
        return slx_fail(err, SLX_EINPUT, "silex chip", 0, 0,
                        "found no chip, expected CHIP...; see silex chip --help");
    slx_chip *chips[MOST_CHIPS] = {0};
    cli_silicon silicon[MOST_CHIPS];
    slx_constants *k;
    slx_status st = slx_constants_load(&k, err);
    for (int i = 0; i < args.n && st == SLX_OK; i++) {
        st = slx_chip_load_any(&chips[i], args.v[i], err);
        for (int s = 0; s < v->set.n && st == SLX_OK; s++)
            st = slx_chip_set_text(chips[i], v->set.v[s], err);
        if (st == SLX_OK && v->set.n) st = slx_chip_check_physics(chips[i], err);
        if (st == SLX_OK) st = cli_silicon_get(&silicon[i], chips[i], k, err);
    }
    if (st == SLX_OK && v->json) {
        json_t *list = json_array();
        for (int i = 0; i < args.n; i++)
            json_array_append_new(list, chip_json(chips[i], &silicon[i]));
        cli_json_print(json_pack("{s:o}", "chips", list));
    } else if (st == SLX_OK) {
        print_table(chips, silicon, args.n);
    }
    for (int i = 0; i < args.n; i++) slx_chip_free(chips[i]);
    slx_constants_free(k);
    return st;
}

const cli_verb cli_verb_chip = {
    "chip",
    "CHIP...",
    0,
    MOST_CHIPS,
    "what chip files say and what follows: peaks, area, power, yield, cost, side by side",
    "A chip is a name in chips/ or a file; - is standard input.\n",
    options,
    &defaults,
    sizeof defaults,
    run};
