/* cli_chip.c - silex chip: what chip files say and the peaks that follow, side by side. */
#include "chip/chip.h"
#include "cli/cli.h"
#include "cli/json.h"

#include <string.h>

typedef struct {
    bool keys, json;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"keys", 0, CLI_FLAG, NULL, AT(keys), 0, 0, NULL, "the reference of every key of a chip file"},
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
        else                                                                                       \
            snprintf(out, CELL, "-");                                                              \
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

static const struct {
    const char *name;
    cell_fn *cell;
} rows[] = {
    {"process", process},
    {"tiles", tiles},
    {"clock", clock_of},
    {"formats", formats},
    {"int8 multiply-adds a tile and clock", macs},
    {"fp32 lanes a tile", lanes},
    {"peak, 8-bit weights", w8a8},
    {"peak, MXFP4 weights", w4a8},
    {"peak, Q4S weights", q4s},
    {"peak, Q8S weights", q8s},
    {"peak, BF16", bf16},
    {"memory", hbm},
    {"memory bandwidth", hbm_rate},
    {"scratchpads", spm},
    {"accumulators", acc},
    {"weights in ROM", rom},
    {"scale-up network", net},
    {"balance, 8-bit weights", balance},
};

static int width(const char *s)
{
    return (int)strlen(s);
}

static void print_table(slx_chip *const *chips, int n)
{
    char cell[CELL];
    int label = 0, col[MOST_CHIPS] = {0}, n_rows = (int)(sizeof rows / sizeof *rows);
    slx_chip_peaks peaks[MOST_CHIPS];
    for (int i = 0; i < n; i++) {
        peaks[i] = slx_chip_get_peaks(chips[i]);
        col[i] = width(chips[i]->name);
    }
    for (int r = 0; r < n_rows; r++) {
        if (width(rows[r].name) > label) label = width(rows[r].name);
        for (int i = 0; i < n; i++) {
            rows[r].cell(cell, chips[i], &peaks[i]);
            if (width(cell) > col[i]) col[i] = width(cell);
        }
    }
    printf("%-*s", label, "");
    for (int i = 0; i < n; i++) printf("  %*s", col[i], chips[i]->name);
    for (int r = 0; r < n_rows; r++) {
        printf("\n%-*s", label, rows[r].name);
        for (int i = 0; i < n; i++) {
            rows[r].cell(cell, chips[i], &peaks[i]);
            printf("  %*s", col[i], cell);
        }
    }
    printf("\n\nPeaks follow from the file. Area, power, yield and cost come with later machines: "
           "not built yet.\n");
}

/* ------------------------------------------------------------------ JSON */

static json_t *chip_json(const slx_chip *c)
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
    static const char *const absent[] = {"area_mm2", "power_w", "yield", "usd"};
    json_t *j = json_object(), *list = json_array(), *peak = json_object();
    json_object_set_new(j, "name", cli_json_str(c->name, strlen(c->name)));
    json_object_set_new(j, "file", cli_json_str(c->path, strlen(c->path)));
    json_object_set_new(j, "tiles", json_integer(c->grid.enabled));
    json_object_set_new(j, "clock_ghz", json_real(c->grid.clock_ghz));
    for (int i = 0; i < SLX_CF_COUNT; i++)
        if (c->isa.formats[i])
            json_array_append_new(list, json_string(slx_chip_format_name((slx_chip_format)i)));
    json_object_set_new(j, "formats", list);
    for (size_t i = 0; i < sizeof peaks / sizeof *peaks; i++)
        json_object_set_new(peak, peaks[i].name, json_real(peaks[i].value));
    json_object_set_new(j, "peaks", peak);
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        cli_json_absent(j, absent[i], "not built yet");
    json_object_set_new(j, "hash", cli_json_hash(c->hash));
    return j;
}

static slx_status run(const void *p, cli_args args, slx_err *err)
{
    const values *v = p;
    slx_chip *chips[MOST_CHIPS] = {0};
    slx_status st = SLX_OK;
    if (v->keys) {
        if (args.n || v->json)
            return slx_fail(err, SLX_EINPUT, "silex chip: --keys", 0, 0,
                            "found more beside it, expected it alone");
        slx_chip_print_keys(stdout);
        return SLX_OK;
    }
    if (!args.n)
        return slx_fail(err, SLX_EINPUT, "silex chip", 0, 0,
                        "found no chip, expected CHIP...; see silex chip --help");
    for (int i = 0; i < args.n && st == SLX_OK; i++) st = slx_chip_load(&chips[i], args.v[i], err);
    if (st == SLX_OK && v->json) {
        json_t *list = json_array();
        for (int i = 0; i < args.n; i++) json_array_append_new(list, chip_json(chips[i]));
        cli_json_print(json_pack("{s:o}", "chips", list));
    } else if (st == SLX_OK) {
        print_table(chips, args.n);
    }
    for (int i = 0; i < args.n; i++) slx_chip_free(chips[i]);
    return st;
}

const cli_verb cli_verb_chip = {"chip",
                                "CHIP...",
                                0,
                                MOST_CHIPS,
                                "what chip files say and the peaks that follow, side by side",
                                "A chip is a name in chips/ or a file; - is standard input.\n",
                                options,
                                &defaults,
                                sizeof defaults,
                                run};
