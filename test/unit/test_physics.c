/* test_physics.c - figures of a whole chip against each other and silicon: what is refused, and where; what only
 * gets a warning; that nothing which exists or is a sensible what-if is caught.
 *
 * Expected words are worked out by hand from the rule beside each: none is copied from a message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "chip/chip_int.h"
#include "chip/silicon.h"

static slx_chip *chip(const char *name)
{
    slx_chip *c;
    slx_err e;
    if (slx_chip_load_any(&c, name, &e)) fail_msg("%s: %s", name, e.msg);
    return c;
}

/* Sets every KEY=VALUE of a list with blanks between them. */
static void set_all(slx_chip *c, const char *list)
{
    char one[100];
    slx_err e;
    for (int n; sscanf(list, "%99s%n", one, &n) == 1; list += n)
        if (slx_chip_set_text(c, one, &e)) fail_msg("%s: %s", one, e.msg);
}

static const struct {
    const char *chip, *set, *key, *words;
} refused[] = {
    /* 0.16 W/mm2, half of it leakage, at 0.55 of 0.75 V: 0.0587 W/mm2 of 923 mm2 are 54 W */
    {"silex-1", "package.tdp_w=1", "package.tdp_w", "expected at least 54.1"},
    {"silex-1", "energy.leak_w_mm2=9", "energy.leak_w_mm2", "at most 3"},
    /* 2048 pins of 13 Gb/s are 3,328 GB/s */
    {"silex-1", "hbm.gbps_pin=32", "hbm.gbps_pin", "at most 3.33 of HBM4"},
    {"silex-1e", "hbm.gbps_pin=10", "hbm.gbps_pin", "1024 bits at 9.8 Gb/s"},
    {"silex-1", "package.memory=HBM2", "package.memory", "of HBM2: 1024 bits at 2.4 Gb/s"},
    {"silex-1", "package.memory=LPDDR5X", "package.memory", "of LPDDR5X"},
    {"silex-1", "package.memory=SRAM", "package.memory", "with SRAM"},
    {"silex-1", "hbm.gib=100", "hbm.gib", "at most 64 of HBM4"},
    {"silex-etched", "hbm.gbps_pin=2.5", "hbm.gbps_pin", "1.2 GHz"},
    {"silex-1", "process.vdd=3", "process.vdd", "between 0.4 and 1.1"},
    {"silex-1", "process.node=N16", "process.node", "between 1.8 and 12"},
    {"silex-1", "area.sram_mib_mm2=300", "area.sram_mib_mm2", "and 35"},
    {"silex-1", "grid.clock_ghz=10", "grid.clock_ghz", "at most 5.5"},
    /* 215 transistors a square micrometre: 4 um2 have room for 860 */
    {"silex-1", "area.int8_mac_um2=4", "area.int8_mac_um2", "860 transistors"},
    {"silex-1", "area.int8_mac_um2=100000", "area.int8_mac_um2", "expected between 1000 and 200000"},
    /* 100 fJ x 0.47 of N3P x 5 */
    {"silex-1", "energy.w8a8_fj=300", "energy.w8a8_fj", "and 235"},
    {"silex-1", "energy.w4a8_fj=2500", "energy.w4a8_fj", "energy.w8a8_fj 45"},
    {"silex-1", "energy.fp32_add_pj=0.7", "energy.fp32_add_pj", "energy.fp32_fma_pj 0.6"},
    {"silex-1", "area.fma_lane_um2=100", "area.fma_lane_um2", "an adder is a part"},
    {"silex-1", "energy.hbm_pj_b=0.05", "energy.hbm_pj_b", "HBM4"},
    {"silex-1", "energy.hbm_pj_b=1000", "energy.hbm_pj_b", "and 20:"}, /* 4 pJ x 5 */
    {"silex-1", "energy.sram_rd_pj_b=0.9 energy.hbm_pj_b=0.85", "energy.sram_rd_pj_b", "between 0.011 and 0.275"},
    {"silex-1", "energy.serdes_pj_b=0", "energy.serdes_pj_b", "between 0.9 and 22.5"},
    {"silex-1", "area.hbm_phy_mm2=900", "area.hbm_phy_mm2", "and 100:"},
    {"silex-1", "area.sram_overhead=50", "area.sram_overhead", "8.75"},
    {"silex-1", "noc.entries=23", "noc.entries", "at most the 22 tiles"},
    {"silex-1", "noc.mm_per_hop=99", "noc.mm_per_hop", "1188 x 1089 mm"},
    {"silex-1", "noc.mm_per_hop=0.1", "noc.mm_per_hop", "half the side of a tile"},
    {"silex-1", "tile.spm_kib=262144", "tile.spm_kib", "fits a wafer of 300 mm"},
    {"silex-1", "net.ports=1024", "net.ports", "an I/O die"},
    {"silex-etched", "rom.mib=1048576", "rom.mib", "fits a wafer of 300 mm"},
    {"silex-1", "process.reticle_mm2=900", "process.reticle_mm2", "26 x 33 mm"},
    {"h100", "package.tdp_w=30", "package.tdp_w", "half of the least"},
    {"h100", "part.sram_mib=100000", "part.sram_mib", "transistors_b = 80"},
    /* 50,033 MiB x 8 bits x 6 transistors = 2,518 billion */
    {"h100", "part.cache_mib=50000", "part.cache_mib", "2.52e+03 billion"},
    /* 33 + 3600 MiB x 8 / 35 Mib/mm2 of N5 = 830 mm2, and 183 billion transistors */
    {"h100", "part.transistors_b=null part.cache_mib=3600", "part.cache_mib", "830 mm2 at 35"},
    /* 900,000 GB/s x 8 / 2 x 3.5 pJ = 12,600 W */
    {"h100", "part.links_gbs=900000", "part.links_gbs", "12600 W"},
    {"h100", "part.int8_tops=5", "part.int8_tops", "fp32_tflops 67"},
    {"h100", "part.price_usd=1", "part.price_usd", "bill of materials"},
    {"h100", "part.clock_ghz=9", "part.clock_ghz", "at most 5.5"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        slx_chip *c = chip(refused[i].chip);
        slx_err e = {0};
        set_all(c, refused[i].set);
        if (slx_chip_check_physics(c, &e) != SLX_EINPUT) fail_msg("%s %s is taken", refused[i].chip, refused[i].set);
        char place[100];
        snprintf(place, sizeof place, "--set %s=", refused[i].key);
        if (strncmp(e.file, place, strlen(place)) != 0 || !strstr(e.msg, refused[i].key) || !strstr(e.msg, "found") ||
            !strstr(e.msg, "expected") || !strstr(e.msg, refused[i].words) || !strstr(e.msg, refused[i].chip))
            fail_msg("%s: %s: %s, expected %s", refused[i].set, e.file, e.msg, refused[i].words);
        slx_chip_free(c);
    }
}

/* In a file: at the line of the key. */
static void test_place_in_a_file(void **state)
{
    (void)state;
    static const char *const edits[][3] = {{"chips/silex-1.yaml", "tdp_w: 800", "tdp_w: 40"},
                                           {"chips/silex-1.yaml", "gbps_pin: 8.0", "gbps_pin: 32"},
                                           {"chips/silex-1.yaml", "mm_per_hop: 2.3", "mm_per_hop: 23"},
                                           {"chips/h100.yaml", "tdp_w: 700", "tdp_w: 30"},
                                           {"chips/h100.yaml", "price_usd: 28000", "price_usd: 100"}};
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        slx_buf text, b = {0};
        slx_chip *c;
        slx_err e = {0};
        assert_int_equal(slx_read_file(&text, edits[i][0], &e), SLX_OK);
        const char *at = strstr(text.ptr, edits[i][1]);
        assert_non_null(at);
        slx_buf_add(&b, text.ptr, (size_t)(at - text.ptr));
        slx_buf_adds(&b, edits[i][2]);
        slx_buf_adds(&b, at + strlen(edits[i][1]));
        int line = 1;
        for (const char *p = text.ptr; p < at; p++) line += *p == '\n';
        assert_int_equal(slx_chip_parse(&c, b.ptr, b.len, "mine.yaml", &e), SLX_OK);
        assert_int_equal(slx_chip_check_physics(c, &e), SLX_EINPUT);
        assert_string_equal(e.file, "mine.yaml");
        if (e.line != line) fail_msg("%s: line %d, not %d: %s", edits[i][2], e.line, line, e.msg);
        slx_chip_free(c);
        slx_buf_free(&b);
        slx_buf_free(&text);
    }
}

/* What one would like to know, in any order of its keys. Every file of chips/ is loaded by test_chip. */
static void test_what_ifs(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        {"silex-1", "hbm.gbps_pin=9.2 package.volume=1e6"},
        {"silex-1", "hbm.gbps_pin=13"},
        {"silex-1", "package.memory=HBM3E hbm.bits=1024 hbm.gbps_pin=9.8"},
        {"silex-1", "hbm.gbps_pin=9.8 package.memory=HBM3E hbm.bits=1024"},
        {"silex-1", "hbm.gib=48 hbm.stacks=8 noc.entries=16"},
        {"silex-1", "package.tdp_w=400"},
        {"silex-1", "package.tdp_w=60"},
        {"silex-1", "noc.entries=0"},
        {"silex-1", "tile.spm_banks=2"},
        {"silex-1", "tile.spm_kib=8192"}, /* over the reticle: a warning */
        {"silex-1", "grid.clock_ghz=2 net.ports=32"},
        {"silex-1", "process.node=N2"},
        {"silex-etched", "rom.mib=8138"},
        {"h100", "part.mem_tbs=4"},
        {"h100", "package.tdp_w=350 part.price_usd=5000"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        slx_chip *c = chip(good[i][0]);
        slx_err e = {0};
        set_all(c, good[i][1]);
        if (slx_chip_check_physics(c, &e)) fail_msg("%s %s: %s", good[i][0], good[i][1], e.msg);
        slx_chip_free(c);
    }
}

/* Every figure at both ends of its range: taken, or refused in words. */
static void test_extremes(void **state)
{
    (void)state;
    static const char *const names[] = {"silex-1", "silex-etched", "silex-mini", "h100", "mi300x", "wse-3"};
    int refusals = 0, all = 0;
    for (int i = 0; i < 6; i++) {
        slx_chip *c = chip(names[i]);
        for (int k = 0; k < slx_chip_n_keys; k++)
            for (int end = 0; end < 2; end++) {
                const slx_chip_key *key = &slx_chip_keys[k];
                slx_chip other = *c; /* borrows everything but the figure */
                slx_err e = {0};
                if (key->type == SLX_CK_TEXT || !slx_chip_has_key(c, key->path)) continue;
                slx_chip_set_value(&other, key, end ? key->most : key->least);
                all++;
                if (slx_chip_check_physics(&other, &e) == SLX_OK) continue;
                refusals++;
                if (!strstr(e.msg, "found") || !strstr(e.msg, "expected") || strcmp(e.file, c->path) != 0)
                    fail_msg("%s %s: %s", names[i], key->path, e.msg);
            }
        slx_chip_free(c);
    }
    assert_true(all > 500 && refusals > 100);
}

/* A die over the reticle and a low rated power: said, not refused; what no scanner prints has no price. */
static void test_warnings(void **state)
{
    (void)state;
    static const struct {
        const char *chip, *set;
        int n;
        const char *words;
        bool priced;
    } cases[] = {
        {"silex-1", "package.volume=1e6", 0, "", true},
        {"silex-1", "package.tdp_w=400", 1, "rated for 400 W", true},
        {"silex-1", "process.reticle_mm2=100", 1, "over the reticle of 100 mm2", false},
        {"silex-etched", "rom.mib=8138 package.tdp_w=400", 1, "over the reticle of 858 mm2", false},
        {"silex-1", "process.reticle_mm2=700 package.tdp_w=100", 2, "over the reticle", false},
        {"h100", "package.tdp_w=400", 0, "", true},
    };
    slx_constants *k;
    slx_err e;
    assert_int_equal(slx_constants_load(&k, &e), SLX_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[SLX_CHIP_WARNINGS][200];
        slx_chip *c = chip(cases[i].chip);
        slx_area a;
        slx_power p;
        slx_cost q;
        set_all(c, cases[i].set);
        assert_int_equal(slx_chip_check_physics(c, &e), SLX_OK);
        assert_int_equal(slx_chip_get_area(&a, c, k, &e), SLX_OK);
        assert_int_equal(slx_chip_get_power(&p, c, &a, k, &e), SLX_OK);
        assert_int_equal(slx_chip_get_cost(&q, c, &a, &p, k, &e), SLX_OK);
        assert_int_equal(slx_chip_get_warnings(text, c, &a, &p), cases[i].n);
        if (cases[i].n && !strstr(text[0], cases[i].words)) fail_msg("%s: %s", cases[i].set, text[0]);
        assert_int_equal(isnan(q.die.yield.mid), !cases[i].priced);
        assert_int_equal(isnan(q.unit_usd.total.mid), !cases[i].priced);
        assert_int_equal(isnan(q.hour_usd.total.mid), !cases[i].priced);
        if (!cases[i].priced) assert_non_null(strstr(q.hour_usd.missing, "does not fit the reticle"));
        slx_chip_free(c);
    }
    slx_constants_free(k);
}

/* The small chips have a price, too: one stack of HBM2 of 4 GiB at 11 $ is 44 $. */
static void test_small_chips(void **state)
{
    (void)state;
    static const char *const names[] = {"silex-mini", "silex-one"};
    static const double memory_usd[] = {4 * 11, 1 * 8};
    slx_constants *k;
    slx_err e;
    assert_int_equal(slx_constants_load(&k, &e), SLX_OK);
    for (int i = 0; i < 2; i++) {
        slx_chip *c = chip(names[i]);
        slx_area a;
        slx_power p;
        slx_cost q;
        assert_int_equal(slx_chip_get_area(&a, c, k, &e), SLX_OK);
        assert_int_equal(slx_chip_get_power(&p, c, &a, k, &e), SLX_OK);
        assert_int_equal(slx_chip_get_cost(&q, c, &a, &p, k, &e), SLX_OK);
        assert_true(q.hour_usd.total.mid > 0 && q.unit_usd.total.mid > q.bom_usd.total.mid);
        double found = 0;
        for (int r = 0; r < q.bom_usd.n; r++)
            if (!strcmp(q.bom_usd.row[r].name, "memory")) found = q.bom_usd.row[r].v.mid;
        assert_true(fabs(found - memory_usd[i]) < 1e-9);
        slx_chip_free(c);
    }
    slx_constants_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_place_in_a_file), cmocka_unit_test(test_what_ifs),
        cmocka_unit_test(test_extremes), cmocka_unit_test(test_warnings), cmocka_unit_test(test_small_chips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
