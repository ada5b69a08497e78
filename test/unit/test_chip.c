/* test_chip.c - chip files: what is read, what is refused and with which words, what follows from the figures.
 *
 * Peaks of the shipped chips are checked against the figures printed in the chip's design (2.1: 12.6 POPS and so on),
 * those of the chip below against products worked out by hand. Places in messages are counted in the text below.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <dirent.h>
#include <string.h>

#include "chip/chip_int.h"

/* clang-format off */
static const char good[] =
    /*  1 */ "name: t\n"
    /*  2 */ "process: {node: N7, reticle_mm2: 800, vdd: 0.8}\n"
    /*  3 */ "grid: {x: 2, y: 2, enabled: 3, clock_ghz: 1}\n"
    /*  4 */ "tile: {spm_kib: 64, spm_banks: 8, bank_bytes_clk: 32, acc_kib: 8,\n"
    /*  5 */ "  queue_depth: 4, tokens: 60, token_max: 255, registers: 32}\n"
    /*  6 */ "ten:\n"
    /*  7 */ "  m: 2\n"
    /*  8 */ "  n: 16\n"
    /*  9 */ "  k: 32\n"
    /* 10 */ "  rate: {w8a8: 1, q4s: 0.25}\n"
    /* 11 */ "  c0: 8\n"
    /* 12 */ "  swap: 1\n"
    /* 13 */ "hbm:\n"
    /* 14 */ "  gbps_pin: 2.5\n"
    /* 15 */ "  stacks: 2\n"
    /* 16 */ "  bits: 256\n"
    /* 17 */ "  gib: 0.5\n"
    /* 18 */ "  channels: 4\n"
    /* 19 */ "  pch: 2\n"
    /* 20 */ "  trcd_ns: 14\n"
    /* 21 */ "  trp_ns: 13\n"
    /* 22 */ "  tras_ns: 33\n"
    /* 23 */ "  trefi_us: 3.9\n"
    /* 24 */ "  trfcpb_ns: 200\n"
    /* 25 */ "vec: {lanes: 4, c2: 9, smx_per_clk: 0, div_cycles: 28}\n"
    /* 26 */ "noc: {link_bytes_clk: 32, hop_clk: 1, mm_per_hop: 1.5}\n"
    /* 27 */ "isa: {formats: [MXINT8, Q4S, F32], max_m: 32}\n"
    /* 28 */ "energy: {w4a8_fj: 25, w8a8_fj: 45, fp32_add_pj: 0.3, fp32_fma_pj: 0.6,\n"
    /* 29 */ "  sram_rd_pj_b: 0.07, sram_wr_pj_b: 0.08, noc_pj_b_mm: 0.06,\n"
    /* 30 */ "  noc_pj_b_router: 0.05, hbm_pj_b: 4.0, leak_w_mm2: 0.16}\n"
    /* 31 */ "area: {int8_mac_um2: 70, fp32_add_um2: 105, fma_lane_um2: 600,\n"
    /* 32 */ "  sram_mib_mm2: 31.8, sram_overhead: 1.75, hbm_phy_mm2: 20}\n"
    /* 33 */ "sources:\n"
    /* 34 */ "  - {key: hbm, pm: 0.5, from: a guess}\n"
    /* 35 */ "  - {key: hbm.gib, pm: 0, from: data sheet}\n";
/* clang-format on */

/* `good` with the one place that reads `find` replaced; the caller frees it. */
static char *edited(const char *find, const char *put)
{
    const char *at = strstr(good, find);
    assert_non_null(at);
    assert_null(strstr(at + 1, find));
    slx_buf b = {0};
    slx_buf_add(&b, good, (size_t)(at - good));
    slx_buf_adds(&b, put);
    slx_buf_adds(&b, at + strlen(find));
    return b.ptr;
}

static slx_chip *parse_ok(const char *text)
{
    slx_chip *c;
    slx_err err = {0};
    if (slx_chip_parse(&c, text, strlen(text), "t.yaml", &err)) {
        slx_err_print(&err, stderr);
        fail();
    }
    return c;
}

/* ------------------------------------------------------------------ what is read */

static void test_values(void **state)
{
    (void)state;
    slx_chip *c = parse_ok(good);
    assert_string_equal(c->name, "t");
    assert_string_equal(c->path, "t.yaml");
    assert_string_equal(c->process.node, "N7");
    assert_true(c->process.reticle_mm2 == 800 && c->process.vdd_v == 0.8);
    assert_true(c->grid.x == 2 && c->grid.y == 2 && c->grid.enabled == 3 && c->grid.clock_ghz == 1);
    assert_true(c->tile.spm_kib == 64 && c->tile.spm_banks == 8 && c->tile.bank_bytes_clk == 32);
    assert_true(c->tile.acc_kib == 8 && c->tile.queue_depth == 4 && c->tile.tokens == 60);
    assert_true(c->tile.token_max == 255 && c->tile.registers == 32);
    assert_true(c->ten.m == 2 && c->ten.n == 16 && c->ten.k == 32 && c->ten.c0_cycles == 8 &&
                c->ten.swap_cycles == 1);
    assert_true(c->ten.rate.w8a8 == 1 && c->ten.rate.q4s == 0.25 && c->ten.rate.w4a8 == 0);
    assert_true(c->ten.rate.q8s == 0 && c->ten.rate.bf16 == 0);
    assert_true(c->vec.lanes == 4 && c->vec.c2_cycles == 9 && c->vec.smx_per_clk == 0 &&
                c->vec.div_cycles == 28);
    assert_true(c->hbm.stacks == 2 && c->hbm.bits == 256 && c->hbm.channels == 4 &&
                c->hbm.pch == 2);
    assert_true(c->hbm.gbps_pin == 2.5 && c->hbm.gib == 0.5 && c->hbm.align_bytes == 1);
    assert_true(c->hbm.trcd_ns == 14 && c->hbm.trp_ns == 13 && c->hbm.tras_ns == 33);
    assert_true(c->hbm.trefi_us == 3.9 && c->hbm.trfcpb_ns == 200);
    assert_true(c->noc.link_bytes_clk == 32 && c->noc.hop_clk == 1 && c->noc.mm_per_hop == 1.5);
    assert_true(c->net.ports == 0 && c->rom.mib == 0 && c->isa.max_m == 32);
    for (int f = 0; f < SLX_CF_COUNT; f++)
        assert_int_equal(c->isa.formats[f],
                         f == SLX_CF_MXINT8 || f == SLX_CF_Q4S || f == SLX_CF_F32);
    assert_true(c->energy.w4a8_fj == 25 && c->energy.hbm_pj_b == 4 && c->energy.leak_w_mm2 == 0.16);
    assert_true(c->energy.serdes_pj_b == 0 && c->area.int8_mac_um2 == 70 &&
                c->area.hbm_phy_mm2 == 20);
    assert_int_equal(c->n_sources, 2);
    assert_string_equal(slx_chip_get_source(c, "hbm.gib")->from, "data sheet");
    assert_string_equal(slx_chip_get_source(c, "hbm.bits")->from, "a guess");
    assert_true(slx_chip_get_source(c, "hbm.bits")->pm == 0.5);
    assert_null(slx_chip_get_source(c, "grid.x"));
    assert_null(slx_chip_get_source(c, "hbmx"));
    slx_chip_free(c);
    slx_chip_free(NULL);
}

/* 2 rows x 16 columns x 32 deep x 2 operations x 3 tiles x 1 GHz = 6.144 T; 2 x 256 bit x 2.5 Gb/s = 160 GB/s. */
static void test_peaks_by_hand(void **state)
{
    (void)state;
    slx_chip *c = parse_ok(good);
    slx_chip_peaks p = slx_chip_get_peaks(c);
    assert_true(p.w8a8_ops == 6.144e12 && p.q4s_ops == 1.536e12);
    assert_true(p.w4a8_ops == 0 && p.q8s_ops == 0 && p.bf16_ops == 0 && p.balance_w4a8 == 0);
    assert_true(p.hbm_bytes_s == 160e9 && p.hbm_bytes == 1073741824.0);
    assert_true(p.spm_bytes == 3 * 65536.0 && p.acc_bytes == 3 * 8192.0);
    assert_true(p.rom_bytes == 0 && p.net_bytes_s == 0 && fabs(p.balance_w8a8 - 38.4) < 1e-9);
    slx_chip_free(c);
}

/* The same figures in other clothes. */
static void test_other_forms(void **state)
{
    (void)state;
    static const struct {
        const char *find, *put;
    } same[] = {
        {"name: t\n", "\xef\xbb\xbfname: t\n"},                       /* byte order mark */
        {"name: t\n", "%YAML 1.2\n---\nname: \"other\" # comment\n"}, /* names do not count */
        {"clock_ghz: 1}", "clock_ghz: 1.000e0}"},
        {"clock_ghz: 1}", "clock_ghz: +1.}"},
        {"  gib: 0.5\n", "  gib: .5\n  hbm_align: 1\n"}, /* a default, spelled out */
        {"[MXINT8, Q4S, F32]", "[F32, MXINT8, \"Q4S\"]"},
        {"q4s: 0.25}", "q4s: 0.25, bf16: 0, q8s: -0.0}"},
        {"  c0: 8\n  swap: 1\n", "  swap: 1\r\n  c0: 8\r\n"},
        {"from: a guess", "from: 'another\n    guess'"},
    };
    slx_chip *want = parse_ok(good);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char *text = edited(same[i].find, same[i].put);
        slx_chip *c = parse_ok(text);
        assert_true(c->hash == want->hash);
        slx_chip_free(c);
        free(text);
    }
    slx_chip_free(want);
}

/* Every figure, moved a little, moves the hash. */
static void test_hash_sees_every_figure(void **state)
{
    (void)state;
    slx_chip *want = parse_ok(good);
    int moved = 0;
    for (int i = 0; i < slx_chip_n_keys; i++) {
        const slx_chip_key *k = &slx_chip_keys[i];
        const char *at = NULL;
        char find[64], put[96];
        snprintf(find, sizeof find, "%s: ", k->key);
        for (const char *p = good; (p = strstr(p, find)); p++)
            if (p > good && (p[-1] == ' ' || p[-1] == '{')) at = p;
        if (k->type == SLX_CK_TEXT || !at || !strcmp(k->key, "registers")) continue;
        if (!strcmp(k->section, "part")) continue; /* of other chips */
        size_t n = strcspn(at, ",}\n");
        double v = slx_chip_key_value(want, k);
        double to = k->type == SLX_CK_POW2    ? v * 2
                    : k->type == SLX_CK_COUNT ? v + 1
                                              : v * 1.0009765625 + 0.0009765625;
        if (!strcmp(k->key, "spm_banks")) to = 16;
        if (!strcmp(k->key, "max_m")) to = 31;
        snprintf(find, sizeof find, "%.*s", (int)n, at);
        snprintf(put, sizeof put, "%s: %.17g", k->key, to);
        if (strstr(strstr(good, find) + 1, find))
            continue; /* two keys that read alike: x and y do not */
        char *text = edited(find, put);
        slx_chip *c = parse_ok(text);
        assert_true(slx_chip_key_value(c, k) == to);
        if (c->hash == want->hash) fail_msg("%s does not enter the hash", k->path);
        moved++;
        slx_chip_free(c);
        free(text);
    }
    assert_true(moved > 45);
    char *text = edited("Q4S, F32]", "Q4S, F32, MXFP6]");
    slx_chip *c = parse_ok(text);
    assert_true(c->hash != want->hash);
    slx_chip_free(c);
    free(text);
    slx_chip_free(want);
}

/* ------------------------------------------------------------------ what is refused */

static const struct {
    const char *find, *put;
    int line, col;
    const char *msg; /* whole; "..." at its end: the start */
} bad[] = {
    /* types and ranges */
    {"2.5", "fast", 14, 13,
     "hbm.gbps_pin: found \"fast\", expected a number in Gb/s between 0.1 and 32"},
    {"2.5", "-2.5", 14, 13,
     "hbm.gbps_pin: found -2.5, expected a number in Gb/s between 0.1 and 32"},
    {"2.5", "0", 14, 13, "hbm.gbps_pin: found 0, expected a number in Gb/s between 0.1 and 32"},
    {"2.5", "32.01", 14, 13,
     "hbm.gbps_pin: found 32.01, expected a number in Gb/s between 0.1 and 32"},
    {"2.5", ".nan", 14, 13,
     "hbm.gbps_pin: found \".nan\", expected a number in Gb/s between 0.1 and 32"},
    {"2.5", "nan", 14, 13,
     "hbm.gbps_pin: found \"nan\", expected a number in Gb/s between 0.1 and 32"},
    {"2.5", "-.inf", 14, 13,
     "hbm.gbps_pin: found \"-.inf\", expected a number in Gb/s between 0.1 and 32"},
    {"2.5", "1e999", 14, 13,
     "hbm.gbps_pin: found 1e999, expected a number in Gb/s between 0.1 and 32"},
    {"2.5", "0x2", 14, 13,
     "hbm.gbps_pin: found \"0x2\", expected a number in Gb/s between 0.1 and 32"},
    {"2.5", "\"2.5\"", 14, 13,
     "hbm.gbps_pin: found \"2.5\" in quotes, expected a number in Gb/s between 0.1 and 32"},
    {"2.5", "", 14, 12,
     "hbm.gbps_pin: found nothing, expected a number in Gb/s between 0.1 and 32"},
    {"2.5", "[2.5]", 14, 13,
     "hbm.gbps_pin: found a list, expected a number in Gb/s between 0.1 and 32"},
    {"2.5", "{a: 1}", 14, 13,
     "hbm.gbps_pin: found a mapping, expected a number in Gb/s between 0.1 and 32"},
    {"2.5", "2,5", 14, 13,
     "hbm.gbps_pin: found \"2,5\", expected a number in Gb/s between 0.1 and 32"},
    {"stacks: 2", "stacks: 2.0", 15, 11,
     "hbm.stacks: found 2.0, expected a whole number between 1 and 64"},
    {"stacks: 2", "stacks: 010", 15, 11,
     "hbm.stacks: found 010, expected a whole number between 1 and 64"},
    {"stacks: 2", "stacks: 0x2", 15, 11,
     "hbm.stacks: found \"0x2\", expected a whole number between 1 and 64"},
    {"stacks: 2", "stacks: -2", 15, 11,
     "hbm.stacks: found -2, expected a whole number between 1 and 64"},
    {"stacks: 2", "stacks: 99999999999999999999", 15, 11,
     "hbm.stacks: found 99999999999999999999, expected a whole number between 1 and 64"},
    {"spm_kib: 64", "spm_kib: 4294967360", 4, 17,
     "tile.spm_kib: found 4294967360, expected a whole number in KiB between 1 and 262144"},
    {"bits: 256", "bits: 255", 16, 9,
     "hbm.bits: found 255, expected a power of two in bits between 8 and 65536"},
    {"tokens: 60", "tokens: 65", 5, 27,
     "tile.tokens: found 65, expected a whole number between 2 and 64"},
    {"token_max: 255", "token_max: 14", 5, 42,
     "tile.token_max: found 14, expected a whole number between 15 and 65535"},
    {"registers: 32", "registers: 31", 5, 58, "tile.registers: found 31, expected 32"},
    {"max_m: 32", "max_m: 4096", 27, 43,
     "isa.max_m: found 4096, expected a whole number between 1 and 4095"},
    {"name: t", "name: ../t", 1, 7,
     "name: found \"../t\", expected letters and digits with single - _ . between them"},
    {"name: t", "name: ~", 1, 7, "name: found \"~\", expected a text of 1 to 64 characters"},
    {"name: t", "name: \"a\\nb\"", 1, 7,
     "name: found \"a\nb\", expected a text of 1 to 64 characters"},
    {"node: N7", "node: ''", 2, 17,
     "process.node: found \"\", expected a text of 1 to 64 characters"},
    {"hbm:\n", "hbm: 3\nx:\n", 13, 6, "hbm: found 3, expected a mapping of keys and values"},
    /* keys */
    {"gbps_pin: ", "gpbs_pin: ", 14, 3,
     "hbm.gpbs_pin: unknown key (did you mean gbps_pin?), expected one of stacks, ..."},
    {"w8a8: 1,", "w8b8: 1,", 10, 10,
     "ten.rate.w8b8: unknown key (did you mean w8a8?), expected one of w4a8, w8a8, q4s, q8s, bf16"},
    {"noc: {", "nox: {", 26, 1,
     "nox: unknown key (did you mean noc?), expected one of name, runs, family, process, ..."},
    {"isa: {formats", "isa: {format", 27, 7,
     "isa.format: unknown key (did you mean formats?), expected one of max_m, formats"},
    {"name: t\n", "name: t\n<<: 1\n", 2, 1, "<<: unknown key, expected one of name, ..."},
    {"name: t\n", "name: t\nhbm.gib: 1\n", 2, 1,
     "found a key with . or [ or ] in it, expected a name"},
    {"  pch: 2\n", "  pch: 2\n  gib: 2\n", 20, 3, "hbm.gib: found a second time, first on line 17"},
    {"area: {", "hbm: {", 31, 1, "hbm: found a second time, first on line 13"},
    {"  pch: 2\n", "", 13, 1, "hbm.pch: missing, expected a power of two between 1 and 16"},
    {"w8a8: 1, ", "", 10, 3, "ten.rate.w8a8: missing, expected a number between 0.001 and 16"},
    {"  rate: {w8a8: 1, q4s: 0.25}\n", "", 6, 1,
     "ten.rate: missing, expected a section of this name ..."},
    {"noc: {link_bytes_clk: 32, hop_clk: 1, mm_per_hop: 1.5}\n", "", 1, 1,
     "noc: missing, expected a section of this name ..."},
    {"name: t\n", "", 1, 1, "name: missing, expected a text of 1 to 64 characters"},
    {"formats: [MXINT8, Q4S, F32], ", "", 27, 1,
     "isa.formats: missing, expected a list of number formats"},
    /* formats */
    {"Q4S, F32]", "Q4X, F32]", 27, 25,
     "isa.formats[1]: found \"Q4X\", expected one of MXINT8, MXFP4, MXFP6, MXFP8, Q4S, Q8S, I8S, "
     "BF16, F32; did you "
     "mean Q4S?"},
    {"Q4S, F32]", "Q4S, [F32]]", 27, 30,
     "isa.formats[2]: found a list, expected one of MXINT8, ..."},
    {"Q4S, F32]", "Q4S, F32, Q4S]", 27, 35, "isa.formats[3]: found Q4S a second time"},
    {"[MXINT8, Q4S, F32]", "MXINT8", 27, 16,
     "isa.formats: found \"MXINT8\", expected a list of number formats"},
    {"[MXINT8, Q4S, F32]", "[Q4S, F32]", 27, 16,
     "isa.formats: MXINT8 is missing, every chip needs it for its activations and KV"},
    {"[MXINT8, Q4S, F32]", "[MXINT8, Q4S]", 27, 16,
     "isa.formats: F32 is missing, every chip needs it for its scratchpad"},
    {"[MXINT8, Q4S, F32]", "[]", 27, 16, "isa.formats: MXINT8 is missing, ..."},
    {"[MXINT8, Q4S, F32]", "[MXINT8, F32]", 10, 24,
     "ten.rate.q4s: found a rate of 0.25, expected 0 or Q4S in isa.formats"},
    {"q4s: 0.25}", "q4s: 0.25, q8s: 0.5}", 10, 35,
     "ten.rate.q8s: found a rate of 0.5, expected 0 or Q8S in isa.formats"},
    {"q4s: 0.25}", "q4s: 0}", 10, 24,
     "ten.rate.q4s: found no rate, expected one above 0 for Q4S of isa.formats"},
    {"Q4S, F32]", "Q4S, F32, MXFP4]", 10, 9,
     "ten.rate.w4a8: found no rate, expected one above 0 for MXFP4 of isa.formats"},
    {"q4s: 0.25}", "q4s: 0.25, bf16: 1}", 10, 36,
     "ten.rate.bf16: found a rate of 1, expected 0 or BF16 in isa.formats"},
    /* figures against each other */
    {"enabled: 3", "enabled: 5", 3, 29, "grid.enabled: found 5, expected at most x*y = 4 tiles"},
    {"spm_banks: 8", "spm_banks: 7", 4, 32,
     "tile.spm_banks: found 7, expected banks that divide 64 KiB into equal parts of whole 32-byte "
     "words"},
    {"acc_kib: 8,", "acc_kib: 3,", 4, 64,
     "tile.acc_kib: found 3 KiB, expected at least 4 for isa.max_m = 32 rows of 32 columns"},
    {"max_m: 32", "max_m: 65", 4, 64,
     "tile.acc_kib: found 8 KiB, expected at least 9 for isa.max_m = 65 rows of 32 columns"},
    {"channels: 4", "channels: 256", 16, 9,
     "hbm.bits: found 256 bits, expected at least one for each of channels*pch = 512"},
    {"tras_ns: 33", "tras_ns: 13", 22, 12,
     "hbm.tras_ns: found 13 ns, expected at least trcd_ns = 14"},
    {"trefi_us: 3.9", "trefi_us: 0.2", 24, 14,
     "hbm.trfcpb_ns: found 200 ns, expected less than trefi_us = 0.2 us"},
    {"area: {", "rom: {mib: 6}\narea: {", 31, 6,
     "rom.bytes_clk: found 0, expected a port above 0 for the ROM of rom.mib"},
    {"area: {", "rom: {bytes_clk: 6}\narea: {", 31, 18,
     "rom.bytes_clk: found 6, expected 0 without a ROM (rom.mib is 0)"},
    {"area: {", "net: {ports: 2}\narea: {", 31, 6,
     "net.gbps: found 0, expected more than 0 for 2 ports"},
    /* sources */
    {"key: hbm.gib", "key: hbm.gb", 35, 11,
     "sources[1].key: found \"hbm.gb\", expected a key or section of chip files; did you mean "
     "hbm.gib?"},
    {"key: hbm.gib", "key: hbm", 35, 11,
     "sources[1].key: found hbm a second time, first on line 34"},
    {"pm: 0.5", "pm: -1", 34, 20,
     "sources[0].pm: found -1, expected a relative uncertainty between 0 and 10"},
    {"pm: 0.5", "pm: 20%", 34, 20,
     "sources[0].pm: found \"20%\", expected a relative uncertainty between 0 and 10"},
    {", from: a guess", "", 34, 5, "sources[0]: from is missing, expected key, pm and from"},
    {"from: a guess", "from: ''", 34, 31,
     "sources[0].from: found \"\", expected one line of text of 1 to 1000 characters"},
    {"from: a guess", "form: a guess, from: x", 34, 25,
     "sources[0].form: unknown key (did you mean from?), expected one of key, pm, from"},
    {"{key: hbm, pm: 0.5, from: a guess}", "hbm", 34, 5,
     "sources[0]: found \"hbm\", expected a mapping of key, pm, from"},
    /* YAML that is none, or too much of it */
    {"clock_ghz: 1}", "clock_ghz: 1", 4, 5, "not YAML: ..."},
    {"  m: 2\n", "\tm: 2\n", 7, 1, "not YAML: ..."},
    {"name: t", "name: \x01", 1, 7, "not YAML: control characters are not allowed"},
    {"2.5", "&a 2.5", 14, 13, "found an anchor or alias, expected the value itself"},
    {"2.5", "*a", 14, 13, "found an anchor or alias, expected the value itself"},
    {"2.5", "!!float 2.5", 14, 13, "found a tag (!), expected the value alone"},
    {"2.5", "[[[[2.5]]]]", 14, 15, "nested deeper than a chip file ever is"},
    {"name: t\n", "name: t\n---\n", 2, 1, "found a second document, expected one a file"},
    {"name: t\n", "[a]: t\n", 1, 1, "found a list or mapping as a key, expected a name"},
    {"name: t", "? \n: t", 1, 2, "found a key of 0 bytes, expected 1 to 63"},
    {"name: t", "name: \"a\\0\"", 1, 7,
     "name: found a value of 2 bytes with a NUL, expected at most 1000"},
};

/* The line of the text the message is about, for the caret. */
static void check_source_line(const char *text, const slx_err *e)
{
    for (int i = 1; i < e->line; i++) text = strchr(text, '\n') + 1;
    size_t n = strcspn(text, "\r\n");
    assert_int_equal(strlen(e->source), n);
    assert_memory_equal(e->source, text, n);
}

static void test_refused(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *text = edited(bad[i].find, bad[i].put);
        slx_chip *c = (slx_chip *)&bad;
        slx_err e = {0};
        slx_status s = slx_chip_parse(&c, text, strlen(text), "mine.yaml", &e);
        size_t n = strlen(bad[i].msg);
        bool start = n > 3 && !strcmp(bad[i].msg + n - 3, "...");
        bool same = start ? !strncmp(e.msg, bad[i].msg, n - 3) : !strcmp(e.msg, bad[i].msg);
        if (s != SLX_EINPUT || c || !same || e.line != bad[i].line || e.col != bad[i].col)
            wrong++, print_error("%s -> %s\n  status %d at %d:%d: %s\n  expected %d:%d: %s\n",
                                 bad[i].find, bad[i].put, s, e.line, e.col, e.msg, bad[i].line,
                                 bad[i].col, bad[i].msg);
        else
            check_source_line(text, &e);
        assert_string_equal(e.file, "mine.yaml");
        assert_int_equal(slx_chip_parse(&c, text, strlen(text), "mine.yaml", NULL), s);
        free(text);
    }
    assert_int_equal(wrong, 0);
}

/* ------------------------------------------------------------------ every key */

enum { KEYS_MOST = SLX_CHIP_KEYS_MAX };

/* A chip as text, every key of a chip with programs on a line of its own, one of them with another value, or none; *at:
 * its line, or that of its section when it has none. */
static char *every_key(const slx_chip *c, int changed, const char *value, int *at)
{
    slx_buf b = {0};
    const char *sections[SLX_CHIP_SECTIONS_MAX];
    int n = slx_chip_sections(sections), line = 1;
    for (int s = -1; s < n; s++) {
        const char *section = s < 0 ? "" : sections[s];
        if (!slx_chip_section_fits(section, SLX_RUNS_PROGRAM) || !strncmp(section, "part", 4)) continue;
        const char *dot = strchr(section, '.');
        int head = line;
        if (*section) {
            slx_buf_addf(&b, "%s%s:\n", dot ? "  " : "", dot ? dot + 1 : section);
            line++;
        }
        for (int k = 0; k < slx_chip_n_keys; k++) {
            const slx_chip_key *key = &slx_chip_keys[k];
            if (strcmp(key->section, section) != 0 || !strcmp(key->path, "runs")) continue;
            if (k == changed) *at = value ? line : head;
            if (k == changed && !value) continue;
            const char *words = key->type == SLX_CK_TEXT ? *(const char *const *)((const char *)c + key->offset) : "x";
            if (k != changed && (!words || !*words)) continue;
            slx_buf_addf(&b, "%s%s: ", dot ? "    " : *section ? "  " : "", key->key);
            if (k == changed)
                slx_buf_adds(&b, value);
            else if (key->type == SLX_CK_TEXT)
                slx_buf_adds(&b, words);
            else
                slx_buf_addf(&b, "%.10g", slx_chip_key_value(c, key));
            slx_buf_adds(&b, "\n");
            line++;
        }
        if (strcmp(section, "isa") != 0) continue;
        slx_buf_adds(&b, "  formats: [MXINT8, MXFP4, MXFP8, Q4S, Q8S, BF16, F32]\n");
        line++;
    }
    return b.ptr;
}

/* Missing, empty, negative, zero, absurd and no number at all: refused at the key's line, by its name, with what is
 * expected. */
static void test_every_key(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *base, *c;
    assert_int_equal(slx_chip_load(&base, "silex-1", &err), SLX_OK);
    int at = 0, keys = 0;
    char *text = every_key(base, -1, NULL, &at);
    if (slx_chip_parse(&c, text, strlen(text), "all.yaml", &err)) fail_msg("%d: %s", err.line, err.msg);
    assert_true(c->hash == base->hash);
    slx_chip_free(c);
    free(text);
    for (int k = 0; k < slx_chip_n_keys; k++) {
        const slx_chip_key *key = &slx_chip_keys[k];
        if (!slx_chip_section_fits(key->section, SLX_RUNS_PROGRAM) || !strncmp(key->section, "part", 4)) continue;
        if (!strcmp(key->path, "runs")) continue;
        static const char *const values[] = {NULL, "", "-1", "0", "1e30", "-1e-30", ".nan", "1e999", "[1, 2]", "soon"};
        keys++;
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            bool number = key->type != SLX_CK_TEXT, optional = !(key->dflt == SLX_CHIP_REQUIRED);
            if (!values[v] && optional) continue;
            if (!number && v != 0 && v != 1 && v != 8) continue; /* a text may look like a number */
            if (values[v] && !strcmp(values[v], "0") && key->least <= 0) continue;
            text = every_key(base, k, values[v], &at);
            slx_status st = slx_chip_parse(&c, text, strlen(text), "all.yaml", &err);
            if (st != SLX_EINPUT) fail_msg("%s: \"%s\" is taken", key->path, values[v] ? values[v] : "(missing)");
            if (err.line != at || !strstr(err.msg, key->key) || !strstr(err.msg, "expected"))
                fail_msg("%s: %s: line %d, not %d: %s", key->path, values[v] ? values[v] : "(missing)", err.line, at,
                         err.msg);
            assert_string_equal(err.file, "all.yaml");
            free(text);
        }
    }
    assert_in_range(keys, 100, KEYS_MOST);
    slx_chip_free(base);
}

/* Pairs that contradict each other, each legal alone: by --set, on a chip that has all. */
static void test_contradictions(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"grid.enabled=133", "x*y"},           {"tile.spm_banks=7", "divide"},
        {"tile.acc_kib=1", "isa.max_m"},       {"dvfs.min_vdd=0.75", "process.vdd"},
        {"dvfs.vth=0.6", "min_vdd"},           {"energy.hbm_pj_b=0", "expected"},
        {"hbm.tras_ns=1", "trcd_ns"},          {"hbm.bank_groups=32", "banks"},
        {"hbm.tcl_ns=50", "latency_ns"},       {"hbm.tcwl_ns=41", "latency_ns"},
        {"hbm.trfcpb_ns=3900", "trefi_us"},    {"rom.mib=5", "rom.bytes_clk"},
        {"rom.bytes_clk=5", "rom.mib"},        {"rom.writable=1", "rom.mib"},
        {"net.gbps=0", "ports"},               {"ten.rate.q4s=0", "Q4S"},
        {"ten.rate.w4a8=0", "MXFP4"},          {"isa.max_m=4095", "acc_kib"},
    };
    slx_chip *c;
    slx_err err = {0};
    assert_int_equal(slx_chip_load(&c, "silex-1", &err), SLX_OK);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        slx_status st = slx_chip_set_text(c, pairs[i][0], &err);
        if (st != SLX_EINPUT) fail_msg("%s is taken", pairs[i][0]);
        if (!strstr(err.msg, pairs[i][1])) fail_msg("%s: %s", pairs[i][0], err.msg);
    }
    slx_chip_free(c);
}

/* What a user sees, to the letter. */
static void test_printed(void **state)
{
    (void)state;
    char *text = edited("2.5", "fast"), *out = NULL;
    size_t len = 0;
    slx_chip *c;
    slx_err e;
    assert_int_equal(slx_chip_parse(&c, text, strlen(text), "chips/mine.yaml", &e), SLX_EINPUT);
    FILE *f = open_memstream(&out, &len);
    slx_err_print(&e, f);
    fclose(f);
    assert_string_equal(out, "chips/mine.yaml:14: hbm.gbps_pin: found \"fast\", "
                             "expected a number in Gb/s between 0.1 and 32\n"
                             "   14 |   gbps_pin: fast\n"
                             "      |             ^\n");
    free(out);
    free(text);
}

/* ------------------------------------------------------------------ hostile text */

static void refuse(const char *text, size_t len, const char *msg)
{
    slx_chip *c;
    slx_err e = {0};
    assert_int_equal(slx_chip_parse(&c, text, len, "x.yaml", &e), SLX_EINPUT);
    assert_null(c);
    if (!strstr(e.msg, msg)) fail_msg("found: %s, expected: %s", e.msg, msg);
}

static void test_hostile(void **state)
{
    (void)state;
    refuse("", 0, "found an empty file");
    refuse("# only a comment\n", 17, "found an empty file");
    refuse("7\n", 2, "found 7, expected a chip");
    refuse("[]\n", 3, "found a list, expected a chip");
    refuse("{}\n", 3, "name: missing");
    refuse("\xff\xfen\0", 4, "not UTF-8");
    refuse("name: t\0", 8, "not YAML");
    slx_buf b = {0};
    for (int i = 0; i < 200000; i++) slx_buf_addc(&b, '[');
    refuse(b.ptr, b.len, "nested deeper");
    b.len = 0;
    slx_buf_adds(&b, "a: &a [x, x, x, x, x, x, x, x, x]\n");
    for (char k = 'b'; k < 'z'; k++)
        slx_buf_addf(&b, "%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c]\n", k, k, k - 1, k - 1, k - 1,
                     k - 1, k - 1, k - 1);
    refuse(b.ptr, b.len, "found an anchor or alias");
    b.len = 0;
    for (int i = 0; i < 20000; i++) slx_buf_addf(&b, "k%d: 1\n", i);
    refuse(b.ptr, b.len, "more than 4096 values");
    b.len = 0;
    slx_buf_adds(&b, "name: ");
    while (b.len < 100000) slx_buf_addc(&b, 'x');
    slx_buf_addc(&b, '\n');
    refuse(b.ptr, b.len, "found a value of 99994 bytes, expected at most 1000");
    slx_buf_adds(&b, "#");
    while (b.len <= 1 << 20) slx_buf_addc(&b, 'x');
    refuse(b.ptr, b.len, "found 1048577 bytes, expected a chip file of at most 1048576");
    slx_buf_free(&b);
}

/* A file cut anywhere is refused, except behind its last figure. */
static void test_cut_short(void **state)
{
    (void)state;
    size_t n = strlen(good), last = (size_t)(strstr(good, "sources:") - good);
    for (size_t i = 0; i < n; i++) {
        char *text =
            malloc(i + 1); /* exactly its size: a read beyond it is seen by the sanitizer */
        memcpy(text, good, i);
        slx_chip *c;
        slx_err e = {0};
        slx_status s = slx_chip_parse(&c, text, i, "cut.yaml", &e);
        if (i < last - 1) assert_int_equal(s, SLX_EINPUT);
        assert_true(s ? !c && e.msg[0] : c != NULL);
        slx_chip_free(c);
        free(text);
    }
}

/* ------------------------------------------------------------------ the shipped chips */

static slx_chip *load_ok(const char *name)
{
    slx_chip *c;
    slx_err err = {0};
    if (slx_chip_load(&c, name, &err)) {
        slx_err_print(&err, stderr);
        fail();
    }
    return c;
}

/* v is what a text that says `shown`, with its last digit worth `unit`, calls it. */
static void assert_shown(double v, double shown, double unit)
{
    if (!(fabs(v - shown) <= unit / 2)) fail_msg("%g is not %g", v, shown);
}

static void test_silex_1(void **state)
{
    (void)state;
    slx_chip *c = load_ok("silex-1");
    slx_chip_peaks p = slx_chip_get_peaks(c);
    assert_int_equal(c->grid.enabled, 128);
    assert_shown(p.w4a8_ops, 12.6e15, 0.1e15);
    assert_shown(p.w8a8_ops, 6.3e15, 0.1e15);
    assert_shown(p.bf16_ops, 0.39e15, 0.01e15);
    assert_true(p.q4s_ops == p.w8a8_ops / 4 && p.q8s_ops == p.w8a8_ops / 4);
    assert_shown(p.hbm_bytes_s, 12.3e12, 0.1e12);
    assert_true(p.hbm_bytes == 216 * 1073741824.0);
    assert_true(p.spm_bytes == 256 * 1048576.0 && p.acc_bytes == 32 * 1048576.0);
    assert_shown(p.net_bytes_s, 1.6e12, 0.1e12);
    slx_chip_free(c);
}

static void test_shipped(void **state)
{
    (void)state;
    slx_chip *mini = load_ok("silex-mini"), *one = load_ok("chips/silex-one.yaml");
    assert_string_equal(mini->name, "silex-mini");
    assert_true(mini->grid.enabled == 4 && mini->tile.spm_kib == 128 && mini->tile.acc_kib == 16);
    assert_true(mini->isa.max_m == 32 && mini->tile.queue_depth == 4);
    assert_true(mini->isa.formats[SLX_CF_Q4S] && mini->isa.formats[SLX_CF_Q8S] &&
                mini->isa.formats[SLX_CF_BF16]);
    assert_string_equal(one->path, "chips/silex-one.yaml");
    assert_true(one->ten.m * one->ten.n * one->ten.k == 512 && one->tile.acc_kib * 256 == 2048);
    assert_true(one->tile.spm_kib == 64 && one->tile.spm_banks == 8 && one->vec.lanes == 4 &&
                one->isa.max_m == 32);
    assert_true(!one->isa.formats[SLX_CF_Q4S] && !one->isa.formats[SLX_CF_Q8S] &&
                one->isa.formats[SLX_CF_MXFP4]);
    assert_true(slx_chip_get_peaks(one).hbm_bytes_s == 32e9); /* 256 bits a clock of 1 GHz */
    assert_true(mini->hash != one->hash);
    slx_chip_free(mini);
    slx_chip_free(one);
}

static void test_every_figure_has_a_source(void **state)
{
    (void)state;
    DIR *dir = opendir("chips");
    int n = 0;
    assert_non_null(dir);
    for (struct dirent *f; (f = readdir(dir));) {
        if (!strstr(f->d_name, ".yaml")) continue;
        char name[300];
        snprintf(name, sizeof name, "chips/%s", f->d_name);
        n++;
        slx_chip *c;
        slx_err e;
        if (slx_chip_load_any(&c, name, &e)) fail_msg("%s: %s", name, e.msg);
        for (int i = 0; i < slx_chip_n_keys; i++) {
            const slx_chip_key *k = &slx_chip_keys[i];
            if (!strcmp(k->path, "name")) continue;
            if (c->library && !c->key_line[i]) continue;
            if (!strcmp(k->path, "runs") || !strcmp(k->path, "family")) continue;
            if (k->dflt != SLX_CHIP_REQUIRED &&
                (k->type == SLX_CK_TEXT || isnan(k->dflt) ? !c->key_line[i]
                                                          : slx_chip_key_value(c, k) == k->dflt))
                continue;
            if (!slx_chip_get_source(c, k->path)) fail_msg("%s: %s has no source", name, k->path);
        }
        if (!c->library) assert_non_null(slx_chip_get_source(c, "isa.formats"));
        /* A chip is found by its file's name. */
        assert_true(!strncmp(name + 6, c->name, strlen(c->name)) &&
                    !strcmp(name + 6 + strlen(c->name), ".yaml"));
        slx_chip_free(c);
    }
    closedir(dir);
    assert_true(n >= 45);
}

static void test_not_found(void **state)
{
    (void)state;
    slx_chip *c = (slx_chip *)&bad;
    slx_err e;
    assert_int_equal(slx_chip_load(&c, "silex-onw", &e), SLX_EINPUT);
    assert_null(c);
    assert_non_null(strstr(e.msg, "did you mean silex-one?"));
    assert_int_equal(slx_chip_load(&c, "no/such.yaml", &e), SLX_EINPUT);
    assert_int_equal(slx_chip_load(&c, "/dev/zero", &e), SLX_EINPUT);
    assert_int_equal(slx_chip_load(&c, "", &e), SLX_EINPUT);
}

/* ------------------------------------------------------------------ the reference page */

static void test_keys_page(void **state)
{
    (void)state;
    char *keys = NULL;
    size_t len = 0;
    slx_buf page;
    slx_err e;
    FILE *f = open_memstream(&keys, &len);
    slx_chip_print_keys(f);
    fclose(f);
    int lines = 0;
    for (const char *p = keys; (p = strchr(p, '\n')); p++) lines++;
    assert_int_equal(lines, 1 + slx_chip_n_keys + 1 +
                                3); /* headings, keys, isa.formats, parts of a source */
    assert_int_equal(slx_read_file(&page, "docs/chip-format.md", &e), SLX_OK);
    if (!strstr(page.ptr, keys)) fail_msg("docs/chip-format.md is old: make gen");
    slx_buf_free(&page);
    free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_peaks_by_hand),
        cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_hash_sees_every_figure),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_printed),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_silex_1),
        cmocka_unit_test(test_shipped),
        cmocka_unit_test(test_every_figure_has_a_source),
        cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_keys_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
