/* test_silicon.c - area, power, yield and cost: against the design's own figures, sums worked out by hand, closed
 * forms, and public figures of chips on sale.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "chip/silicon.h"

static slx_constants *constants(void)
{
    slx_constants *k;
    slx_err e;
    if (slx_constants_load(&k, &e)) {
        slx_err_print(&e, stderr);
        fail();
    }
    return k;
}

static slx_chip *chip(const char *name)
{
    slx_chip *c;
    slx_err e;
    if (slx_chip_load_any(&c, name, &e)) {
        slx_err_print(&e, stderr);
        fail();
    }
    return c;
}

static double row(const slx_sheet *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->row[i].name, name)) return s->row[i].v.mid;
    fail_msg("no row %s", name);
    return 0;
}

static void near(double found, double expected, double relative)
{
    if (!(fabs(found / expected - 1) <= relative))
        fail_msg("found %g, expected %g within %g %%", found, expected, relative * 100);
}

/* (1 + A d0 / alpha)^-alpha */
static double perfect(double mm2, double d0, double alpha)
{
    return pow(1 + mm2 / 100 * d0 / alpha, -alpha);
}

/* ------------------------------------------------------------------ the design's own figures (2.1) */

static void test_silex_1_area(void **state)
{
    (void)state;
    slx_constants *k = constants();
    slx_chip *c = chip("silex-1");
    slx_area a;
    slx_err e;
    assert_int_equal(slx_chip_get_area(&a, c, k, &e), SLX_OK);
    near(row(&a.die, "multiply-adds"), 151, 0.01);
    near(row(&a.die, "scratchpads"), 116, 0.01);
    near(row(&a.die, "accumulators"), 21, 0.02);
    near(row(&a.die, "vector engines, softmax"), 59, 0.02);
    near(row(&a.die, "control, DMA, queues"), 33, 0.01);
    near(row(&a.die, "memory PHYs, controllers"), 120, 0.001);
    near(row(&a.die, "die to die"), 20, 0.001);
    near(row(&a.die, "network on chip"), 70, 0.01);
    near(row(&a.die, "white space, power grid"), 95, 0.05);
    near(a.die.total.mid, 720, 0.05);
    assert_true(a.die.total.high < c->process.reticle_mm2 * 1.1 && a.die.total.mid < 858);
    near(a.io.total.mid, 150, 0.25);
    near(a.silicon_mm2.mid, a.die.total.mid + a.io.total.mid, 1e-12);
    slx_chip_free(c);
    slx_constants_free(k);
}

static void test_silex_1_power(void **state)
{
    (void)state;
    slx_constants *k = constants();
    slx_chip *c = chip("silex-1");
    slx_area a;
    slx_power p;
    slx_err e;
    assert_int_equal(slx_chip_get_area(&a, c, k, &e), SLX_OK);
    assert_int_equal(slx_chip_get_power(&p, c, &a, k, &e), SLX_OK);
    near(row(&p.decode, "memory"), 393, 0.01);
    near(row(&p.decode, "network on chip"), 67, 0.01);
    near(row(&p.decode, "scratchpads"), 15, 0.03);
    near(p.decode.total.mid, 675, 0.07);
    near(row(&p.prefill, "multiply-adds"), 157, 0.01);
    near(row(&p.prefill, "operands"), 70, 0.03);
    near(row(&p.prefill, "fp32 adders"), 59, 0.01);
    near(row(&p.prefill, "vector engines, softmax"), 30, 0.03);
    near(row(&p.prefill, "memory"), 100, 0.03);
    near(row(&p.prefill, "network on chip"), 40, 0.03);
    near(p.prefill.total.mid, 636, 0.07);
    assert_true(p.tdp_w.mid <= c->package.tdp_w);
    assert_true(p.tdp_w.mid == fmax(p.decode.total.mid, p.prefill.total.mid));
    slx_chip_free(c);
    slx_constants_free(k);
}

/* 2.3: a die of 800 mm2, 200 to 250 W, 83 TB/s beside the tensor engines; other memories, other chips. */
static void test_variants(void **state)
{
    (void)state;
    static const char *const names[] = {"silex-sram", "silex-etched"};
    slx_constants *k = constants();
    slx_area a;
    slx_power p;
    slx_cost q;
    slx_err e;
    double weights[2], good[2];
    for (int i = 0; i < 2; i++) {
        slx_chip *c = chip(names[i]);
        assert_int_equal(slx_chip_get_area(&a, c, k, &e), SLX_OK);
        assert_int_equal(slx_chip_get_power(&p, c, &a, k, &e), SLX_OK);
        assert_int_equal(slx_chip_get_cost(&q, c, &a, &p, k, &e), SLX_OK);
        near(a.die.total.mid, 800, 0.02);
        assert_true(p.tdp_w.mid >= 200 && p.tdp_w.mid <= 250);
        near(c->grid.enabled * c->grid.clock_ghz * 1e9 * c->rom.bytes_clk, 83e12, 0.01);
        near(c->hbm.stacks * c->hbm.gib * 1024, 256, 1e-12);
        near(row(&a.die, "memory on the die"), 256 * 8 / 31.8 * 1.75, 1e-9);
        weights[i] = c->rom.mib * 1048576 * 8 / 4.25;
        good[i] = q.die.yield.mid;
        assert_true((q.new_model_usd.mid > 0) == (i == 1));
        for (int r = 0; r < q.bom_usd.n; r++)
            assert_string_not_equal(q.bom_usd.row[r].name, "memory");
        slx_chip_free(c);
    }
    assert_true(weights[1] > 8.03e9 && weights[1] > 5 * weights[0]);
    near(good[1], perfect(801, 0.09, 10), 0.01); /* no tile stands in for another's weights */
    assert_true(good[0] > good[1] + 0.2);
    slx_chip *c = chip("silex-1e");
    near(slx_chip_get_peaks(c).hbm_bytes_s, 7.1e12, 0.01);
    slx_chip_free(c);
    slx_constants_free(k);
}

/* 2.3: 51 us and 1.7 mJ from ROM, 136 mJ from HBM; about 4,000 tokens of KV cache; equal energy at a batch near 300 */
static void test_pass(void **state)
{
    (void)state;
    slx_constants *k = constants();
    slx_chip *h = chip("silex-1"), *r = chip("silex-etched"), *s = chip("silex-sram");
    slx_pass hbm, rom, sram;
    slx_err e;
    assert_int_equal(slx_chip_get_pass(&hbm, h, k, &e), SLX_OK);
    assert_int_equal(slx_chip_get_pass(&rom, r, k, &e), SLX_OK);
    assert_int_equal(slx_chip_get_pass(&sram, s, k, &e), SLX_OK);
    near(rom.us, 51, 0.01);
    near(rom.mj.mid, 1.7, 0.01);
    near(hbm.mj.mid, 136, 0.01);
    near(hbm.us, 380, 0.1); /* 2.1: 0.38 ms with the KV cache and the output layer */
    near(rom.kv_tokens, 4000, 0.02);
    assert_true(rom.chips == 1 && hbm.chips == 1 && sram.chips == 6 && rom.rows == 4);
    near(hbm.mj.mid / (rom.mj.mid / rom.rows), 300, 0.1);
    slx_chip_free(h);
    slx_chip_free(r);
    slx_chip_free(s);
    slx_constants_free(k);
}

static void test_totals(void **state)
{
    (void)state;
    static const char *const names[] = {"silex-1", "silex-mini", "silex-one"};
    slx_constants *k = constants();
    for (int i = 0; i < 3; i++) {
        slx_chip *c = chip(names[i]);
        slx_area a;
        slx_power p;
        slx_err e;
        double sum = 0, up = 0;
        assert_int_equal(slx_chip_get_area(&a, c, k, &e), SLX_OK);
        assert_int_equal(slx_chip_get_power(&p, c, &a, k, &e), SLX_OK);
        for (int r = 0; r < a.die.n; r++) {
            slx_band v = a.die.row[r].v;
            assert_true(0 < v.low && v.low <= v.mid && v.mid <= v.high);
            sum += v.mid;
            up += (v.high - v.mid) * (v.high - v.mid);
        }
        near(a.die.total.mid, sum, 1e-12);
        near(a.die.total.high, sum + sqrt(up), 1e-12);
        assert_true(a.spared_mm2.mid < a.die.total.mid);
        slx_chip_free(c);
    }
    slx_constants_free(k);
}

/* ------------------------------------------------------------------ yield */

static void test_gross_dies(void **state)
{
    (void)state;
    /* pi 300 (300 / 3200 - 1 / 40); sheets that reach public figures count 64 and 63 dies of 800 and 814 mm2 */
    near(slx_gross_dies(800, 300, 0, 0), 64.795, 1e-4);
    assert_int_equal((int)slx_gross_dies(800, 300, 0, 0), 64);
    assert_int_equal((int)slx_gross_dies(814, 300, 0, 0), 63);
    /* a wafer picture of dies of about 840 mm2 shows 50 to 60 */
    double n = slx_gross_dies(840, 300, 3, 0.1);
    assert_true(n > 50 && n < 60);
    assert_true(slx_gross_dies(100000, 300, 3, 0.1) == 0);
}

static void test_yield(void **state)
{
    (void)state;
    /* worked sheets: 800, 814 and 840 mm2 at 0.09 defects and alpha 10 give 0.499, 0.493, 0.482 */
    near(slx_die_yield(800, 0, 0, 0, 0.09, 10), 0.499, 0.002);
    near(slx_die_yield(814, 500, 144, 0, 0.09, 10), 0.493, 0.002);
    near(slx_die_yield(840, 0, 0, 0, 0.09, 10), 0.482, 0.002);
    /* two parts, one spare: good when not both are bad, 2 L(rest + a) - L(rest + 2a) with the closed form L */
    for (double alpha = 3; alpha <= 10; alpha += 3.5)
        near(slx_die_yield(600, 400, 2, 1, 0.1, alpha),
             2 * perfect(200 + 200, 0.1, alpha) - perfect(200 + 400, 0.1, alpha), 1e-5);
    /* three parts, two spares: all but all three bad */
    near(slx_die_yield(600, 300, 3, 2, 0.1, 10),
         3 * perfect(300 + 100, 0.1, 10) - 3 * perfect(300 + 200, 0.1, 10) +
             perfect(300 + 300, 0.1, 10),
         1e-5);
    /* no clustering: exp(-0.5 * 0.4) (1 - p^2), p = 1 - exp(-0.5 * 0.3) */
    near(slx_die_yield(100, 60, 2, 1, 0.5, 1e6), 0.802846, 1e-3);
    /* as many spares as parts: only the rest must be good */
    near(slx_die_yield(700, 500, 10, 10, 0.1, 3), perfect(200, 0.1, 3), 1e-5);
    double last = 0;
    for (int s = 0; s <= 6; s++) { /* a spare never hurts */
        double y = slx_die_yield(748, 400, 132, s, 0.09, 10);
        assert_true(y > last && y < 1);
        last = y;
    }
}

/* ------------------------------------------------------------------ chips on sale */

/* The same table against published area, power and bills: bars of 30 %. */
static void test_published(void **state)
{
    (void)state;
    static const char *const names[] = {"h100", "b200", "maia-200", "tpu-v4i"};
    slx_constants *k = constants();
    for (int i = 0; i < 4; i++) {
        slx_chip *c = chip(names[i]);
        slx_area a;
        slx_power p;
        slx_cost q;
        slx_err e;
        assert_int_equal(slx_chip_get_area(&a, c, k, &e), SLX_OK);
        assert_int_equal(slx_chip_get_power(&p, c, &a, k, &e), SLX_OK);
        assert_int_equal(slx_chip_get_cost(&q, c, &a, &p, k, &e), SLX_OK);
        /* Maia 200's area is not published: ours is that of 140 billion transistors, and nothing to compare it with */
        if (i == 2)
            near(row(&a.die, "from the transistor count"), 140e3 / 215 / 0.83, 1e-9);
        else
            near(a.die.total.mid, c->part.die_mm2, 0.3);
        near(p.tdp_w.mid, c->package.tdp_w, 0.3);
        if (!isnan(c->part.bom_usd)) {
            slx_band b = q.bom_usd.total;
            assert_true(b.low <= c->part.bom_usd && c->part.bom_usd <= b.high);
            assert_true(b.low >= 0.65 * b.mid && b.high <= 1.35 * b.mid);
        }
        if (i == 1) {
            double logic = row(&q.bom_usd, "compute dies");
            assert_true(logic >= 720 && logic <= 1200);
            near(logic, 2 * q.die.usd.mid, 1e-12);
        }
        slx_chip_free(c);
    }
    slx_constants_free(k);
}

static void test_cost_by_hand(void **state)
{
    (void)state;
    slx_constants *k = constants();
    slx_chip *c = chip("h100");
    slx_area a;
    slx_power p;
    slx_cost q;
    slx_err e;
    assert_int_equal(slx_chip_get_area(&a, c, k, &e), SLX_OK);
    assert_int_equal(slx_chip_get_power(&p, c, &a, k, &e), SLX_OK);
    assert_int_equal(slx_chip_get_cost(&q, c, &a, &p, k, &e), SLX_OK);
    /* 294 mm, (sqrt(814) + 0.1)^2 = 819.7 mm2: 82.8 - 22.8 = 60.0 dies of a 16,000 $ wafer */
    near(q.die.gross_dies.mid, 60.0, 0.002);
    near(q.die.usd.mid, 16000 / 60.0 / q.die.yield.mid, 0.002);
    near(row(&q.bom_usd, "memory"), 80 * 12.5, 1e-9);
    near(row(&q.bom_usd, "package"), (814 + 5 * 121) * 1.15 * 0.42, 1e-6);
    double good = row(&q.bom_usd, "compute dies") + 1000 + (814 + 5 * 121) * 1.15 * 0.42;
    near(row(&q.bom_usd, "spoilt in assembly"), good * (1 / pow(0.986, 6) - 1), 1e-6);
    near(q.bom_usd.total.mid, good / pow(0.986, 6) + 480, 1e-6);
    near(row(&q.unit_usd, "development"), 500e6 / 500e3, 1e-9);
    near(row(&q.hour_usd, "chip"), 28000 / (4 * 0.6 * 8760), 1e-9);
    near(row(&q.hour_usd, "power"), 0.7 / 0.9025 * 1.12 * 0.08, 1e-9);
    near(row(&q.hour_usd, "building"), 14 * 700 / (15 * 0.6 * 8760), 1e-9);
    slx_chip_free(c);
    slx_constants_free(k);
}

static slx_cost cost_of(slx_chip *c, const slx_constants *k)
{
    slx_area a;
    slx_power p;
    slx_cost q;
    slx_err e;
    assert_int_equal(slx_chip_get_area(&a, c, k, &e), SLX_OK);
    assert_int_equal(slx_chip_get_power(&p, c, &a, k, &e), SLX_OK);
    assert_int_equal(slx_chip_get_cost(&q, c, &a, &p, k, &e), SLX_OK);
    return q;
}

/* A chip that is sold is charged at a price: where none is published, its bill times what its maker asks over the bills
 * of its other chips, so that a chip without a price is not taken for a cheap one. */
static void test_price_basis(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        slx_price_basis basis;
    } of[] = {{"h100", SLX_PRICE_PUBLISHED},   {"b200", SLX_PRICE_PUBLISHED},   {"b300", SLX_PRICE_ESTIMATED},
              {"l40s", SLX_PRICE_ESTIMATED},   {"mi325x", SLX_PRICE_ESTIMATED}, {"tpu-v4", SLX_PRICE_UNIT_COST},
              {"silex-1", SLX_PRICE_UNIT_COST}, {"b60", SLX_PRICE_UNIT_COST}};
    slx_constants *k = constants();
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        slx_chip *c = chip(of[i].name);
        slx_cost q = cost_of(c, k);
        if (q.basis != of[i].basis) fail_msg("%s: %s", of[i].name, slx_price_basis_name(q.basis));
        if (q.basis == SLX_PRICE_ESTIMATED) {
            slx_band r;
            assert_true(slx_constants_of(k, "price_over_bill", c->family[0] == 'a' ? "amd" : "nvidia", &r));
            near(q.chip_usd.mid, q.bom_usd.total.mid * r.mid, 1e-9);
            near(q.chip_usd.low, q.bom_usd.total.low * r.low, 1e-9);
            near(row(&q.hour_usd, "chip"), q.chip_usd.mid / (4 * 0.6 * 8760), 1e-9);
        }
        slx_chip_free(c);
    }
    /* the newer chip with more memory is not the cheaper one */
    slx_chip *old = chip("b200"), *new = chip("b300");
    assert_true(cost_of(new, k).chip_usd.mid > cost_of(old, k).chip_usd.mid);
    /* a street price is not known to a percent */
    slx_band street = cost_of(old, k).chip_usd;
    assert_true(street.high / street.mid > 1.1 && street.low / street.mid < 0.9);
    slx_chip_free(old), slx_chip_free(new);
    slx_constants_free(k);
}

/* The rows of price_over_bill follow from the chips that they name. */
static void test_price_over_bill(void **state)
{
    (void)state;
    static const char *const nvidia[] = {"a100", "h100", "h200", "b200"};
    slx_constants *k = constants();
    slx_band r;
    double logs = 0, low = INFINITY, high = 0;
    for (int i = 0; i < 4; i++) {
        slx_chip *c = chip(nvidia[i]);
        double over = c->part.price_usd / cost_of(c, k).bom_usd.total.mid;
        logs += log(over) / 4, low = fmin(low, over), high = fmax(high, over);
        slx_chip_free(c);
    }
    assert_true(slx_constants_of(k, "price_over_bill", "nvidia", &r));
    near(r.mid, exp(logs), 0.03), near(r.low, low, 0.03), near(r.high, high, 0.03);
    slx_chip *c = chip("mi300x");
    assert_true(slx_constants_of(k, "price_over_bill", "amd", &r));
    near(r.mid, c->part.price_usd / cost_of(c, k).bom_usd.total.mid, 0.03);
    slx_chip_free(c);
    slx_constants_free(k);
}

static void test_not_published(void **state)
{
    (void)state;
    slx_constants *k = constants();
    slx_chip *c = chip("maia-200");
    slx_area a;
    slx_power p;
    slx_cost q;
    slx_err e;
    assert_true(isnan(c->part.clock_ghz) && isnan(c->part.units));
    assert_true(isnan(slx_chip_get_peaks(c).w8a8_ops) == false);
    assert_int_equal(slx_chip_set(c, "part.transistors_b", "null", &e), SLX_OK);
    assert_int_equal(slx_chip_get_area(&a, c, k, &e), SLX_OK);
    assert_true(isnan(a.die.total.mid) && isnan(a.silicon_mm2.mid));
    assert_string_equal(a.die.missing, "part.clock_ghz");
    assert_int_equal(slx_chip_get_power(&p, c, &a, k, &e), SLX_OK);
    assert_true(isnan(p.tdp_w.mid));
    assert_int_equal(slx_chip_get_cost(&q, c, &a, &p, k, &e), SLX_OK);
    assert_true(isnan(q.bom_usd.total.mid) && isnan(q.unit_usd.total.mid));
    assert_non_null(q.bom_usd.missing);
    slx_chip *none;
    assert_int_equal(slx_chip_load(&none, "h100", &e), SLX_EINPUT); /* no program runs there */
    assert_null(none);
    assert_non_null(strstr(e.msg, "runs: found library"));
    slx_chip_free(c);
    slx_constants_free(k);
}

/* ------------------------------------------------------------------ what-ifs */

static void refuse_set(slx_chip *c, const char *key, const char *value, const char *words)
{
    slx_err e;
    slx_chip before = *c;
    assert_int_equal(slx_chip_set(c, key, value, &e), SLX_EINPUT);
    assert_true(!strncmp(e.file, "--set ", 6) && e.line == 0);
    if (!strstr(e.msg, words)) fail_msg("found %s, expected %s", e.msg, words);
    assert_memory_equal(&before.grid, &c->grid, sizeof c->grid);
    assert_memory_equal(&before.hbm, &c->hbm, sizeof c->hbm);
    assert_true(before.hash == c->hash);
}

static void test_set(void **state)
{
    (void)state;
    slx_chip *c = chip("silex-1"), *h = chip("h100");
    slx_err e;
    uint64_t hash = c->hash;
    refuse_set(c, "hbm.gbps_pin", "fast", "found \"fast\", expected a number in Gb/s");
    refuse_set(c, "hbm.gbps_pin", "-1", "expected a number");
    refuse_set(c, "hbm.gbps_pin", "0", "expected a number");
    refuse_set(c, "hbm.gbps_pin", "1e9", "expected a number");
    refuse_set(c, "hbm.gbps_pin", "null", "expected a number");
    refuse_set(c, "hbm.bits", "1000", "a power of two");
    refuse_set(c, "hbm.bits", "32", "channels*pch = 64");
    refuse_set(c, "grid.enabled", "133", "at most x*y = 132");
    refuse_set(c, "hbm.gbps_pim", "9", "did you mean hbm.gbps_pin?");
    refuse_set(c, "hbm", "9", "a section");
    refuse_set(c, "isa.formats", "[F32]", "a list");
    refuse_set(c, "name", "x", "cannot be changed");
    refuse_set(c, "part.units", "5", "runs programs");
    refuse_set(h, "hbm.gib", "5", "runs a vendor's library");
    refuse_set(h, "part.units", "145", "at most units_drawn = 144");
    refuse_set(h, "part.die_mm2", "859", "reticle");
    assert_int_equal(slx_chip_set(c, "hbm.gbps_pin", "9.2", &e), SLX_OK);
    assert_true(c->hbm.gbps_pin == 9.2 && c->hash != hash);
    assert_int_equal(slx_chip_set_text(c, "hbm.gbps_pin=8", &e), SLX_OK);
    assert_true(c->hash == hash);
    assert_int_equal(slx_chip_set_text(c, "package.memory=HBM3E", &e), SLX_OK);
    assert_string_equal(c->package.memory, "HBM3E");
    assert_int_equal(slx_chip_set_text(c, "hbm.gib", &e), SLX_EINPUT);
    assert_int_equal(slx_chip_set_text(c, "=4", &e), SLX_EINPUT);
    slx_chip_free(c);
    slx_chip_free(h);
}

/* ------------------------------------------------------------------ bad files of published chips */

static void refuse_part(const char *find, const char *put, const char *words)
{
    slx_buf text, b = {0};
    slx_err e;
    slx_chip *c;
    assert_int_equal(slx_read_file(&text, "chips/h100.yaml", &e), SLX_OK);
    const char *at = strstr(text.ptr, find);
    assert_non_null(at);
    slx_buf_add(&b, text.ptr, (size_t)(at - text.ptr));
    slx_buf_adds(&b, put);
    slx_buf_adds(&b, at + strlen(find));
    int line = 1;
    for (const char *p = text.ptr; p < at; p++) line += *p == '\n';
    assert_int_equal(slx_chip_parse(&c, b.ptr, b.len, "p.yaml", &e), SLX_EINPUT);
    if (!strstr(e.msg, words)) fail_msg("found %s, expected %s", e.msg, words);
    assert_int_equal(e.line, line);
    assert_string_equal(e.file, "p.yaml");
    slx_buf_free(&text);
    slx_buf_free(&b);
}

static void test_bad_parts(void **state)
{
    (void)state;
    refuse_part("units: 132", "units: 145", "at most units_drawn");
    refuse_part("units: 132", "units: 13.5", "a whole number");
    refuse_part("units_drawn: 144", "units_drawn: 1000000", "at most 10 times units = 132");
    refuse_part("clock_ghz: 1.83", "clock_ghz: -1", "a number in GHz");
    refuse_part("clock_ghz: 1.83", "clock_ghz: 0", "a number in GHz");
    refuse_part("clock_ghz: 1.83", "clock: 1.83", "unknown key");
    refuse_part("bf16_tflops: 989", "bf16_tflops: 1979",
                "132 x unit_flop_clk 4096 x clock_ghz 1.83");
    refuse_part("mem_tbs: 3.35", "mem_tbs: 4.8",
                "7.5 Gb/s from each of 1024 pins, expected at most 6.4 of HBM3");
    refuse_part("mem_gib: 80", "mem_usable_gib: 81\n  mem_gib: 80", "at most mem_gib = 80");
    refuse_part("units: 132", "only_model: m\n  units: 132", "ROM");
    refuse_part("domain: 8", "domain: 7.5", "a whole number");
    refuse_part("fp8_tflops: 1979", "fp8_tflops: 500", "at least bf16_tflops");
    refuse_part("stacks: 5", "stacks: 0", "expected more for a memory");
    refuse_part("mem_tbs: 3.35", "mem_tbs: 335", "Gb/s from each");
    refuse_part("die_mm2: 814", "die_mm2: 8140", "reticle");
    refuse_part("transistors_b: 80", "transistors_b: 8000", "million on a square millimetre");
    refuse_part("tdp_w: 700", "tdp_w: 70000", "W/mm2");
    refuse_part("logic_usd: 300", "logic_usd: 30000", "at most bom_usd");
    refuse_part("package:", "hbm: {stacks: 1}\npackage:", "runs a library");
    refuse_part("runs: library", "runs: vendor", "program, library or family");
}

/* Figures that load, and that only a report can refuse: at the line of their key. */
static void refuse_report(const char *find, const char *put, const char *words)
{
    slx_buf text, b = {0};
    slx_err e;
    slx_chip *c;
    slx_area a;
    slx_constants *k = constants();
    assert_int_equal(slx_read_file(&text, "chips/silex-1.yaml", &e), SLX_OK);
    const char *at = strstr(text.ptr, find);
    assert_non_null(at);
    slx_buf_add(&b, text.ptr, (size_t)(at - text.ptr));
    slx_buf_adds(&b, put);
    slx_buf_adds(&b, at + strlen(find));
    int line = 1;
    for (const char *p = text.ptr; p < at; p++) line += *p == '\n';
    assert_int_equal(slx_chip_parse(&c, b.ptr, b.len, "r.yaml", &e), SLX_OK);
    assert_int_equal(slx_chip_get_area(&a, c, k, &e), SLX_EINPUT);
    assert_string_equal(e.file, "r.yaml");
    assert_int_equal(e.line, line);
    if (!strstr(e.msg, words)) fail_msg("found %s, expected %s", e.msg, words);
    slx_chip_free(c);
    slx_buf_free(&text);
    slx_buf_free(&b);
    slx_constants_free(k);
}

static void test_bad_reports(void **state)
{
    (void)state;
    refuse_report("type: CoWoS-L", "type: COWOS", "expected one of CoWoS-S, CoWoS-L, organic");
    refuse_report("memory: HBM4", "memory: HBM5", "HBM3E, HBM4, LPDDR5X");
    refuse_report("compute_dies: 1", "compute_dies: 5", "132 drawn and 128 enabled tiles");
    refuse_report("io_node: N5", "io_node: 5nm", "N5");
}

/* Twice the dies, half of each; no volume of one's own; a die that no reticle prints. */
static void test_what_follows(void **state)
{
    (void)state;
    slx_constants *k = constants();
    slx_chip *c = chip("silex-1");
    slx_area one, two;
    slx_power p;
    slx_cost q;
    slx_err e;
    assert_int_equal(slx_chip_get_area(&one, c, k, &e), SLX_OK);
    assert_int_equal(slx_chip_set(c, "package.compute_dies", "2", &e), SLX_OK);
    assert_int_equal(slx_chip_get_area(&two, c, k, &e), SLX_OK);
    near(row(&two.die, "multiply-adds"), row(&one.die, "multiply-adds") / 2, 1e-12);
    near(row(&two.die, "memory PHYs, controllers"), 60, 1e-12);
    near(two.silicon_mm2.mid, 2 * two.die.total.mid + two.io.total.mid, 1e-12);
    assert_int_equal(slx_chip_set(c, "package.volume", "1e5", &e), SLX_OK);
    assert_int_equal(slx_chip_get_power(&p, c, &two, k, &e), SLX_OK);
    assert_int_equal(slx_chip_get_cost(&q, c, &two, &p, k, &e), SLX_OK);
    near(row(&q.unit_usd, "development"), 500e6 / 1e5, 1e-12);
    near(row(&q.unit_usd, "masks"), (40e6 + 25e6) / 1e5, 1e-12);
    near(q.die.tiles, 66, 1e-12);
    near(q.die.spares, 2, 1e-12);
    assert_int_equal(slx_chip_set(c, "package.compute_dies", "1", &e), SLX_OK);
    assert_int_equal(slx_chip_set(c, "tile.spm_kib", "8192", &e), SLX_OK);
    assert_int_equal(slx_chip_get_area(&one, c, k, &e), SLX_OK);
    assert_true(one.die.total.mid > one.reticle_mm2);
    slx_chip_free(c);
    slx_constants_free(k);
}

static void test_null(void **state)
{
    (void)state;
    static const char text[] = "name: p\nruns: library\nprocess: {node: N5}\n"
                               "part: {clock_ghz: ~, units: null, mem_gib: 3}\n";
    slx_chip *c;
    slx_err e;
    assert_int_equal(slx_chip_parse(&c, text, strlen(text), "p", &e), SLX_OK);
    assert_true(isnan(c->part.clock_ghz) && isnan(c->part.units) && c->part.mem_gib == 3);
    slx_chip_free(c);
    static const char bad[] = "name: p\nruns: library\nprocess: {node: null}\n";
    assert_int_equal(slx_chip_parse(&c, bad, strlen(bad), "p", &e), SLX_EINPUT);
}

/* Ten chips at 2 dollars an hour that make 1000 tokens a second: 20 dollars for 3.6 million. */
static void test_usd_per_mtok(void **state)
{
    (void)state;
    slx_band v = slx_usd_per_mtok((slx_band){1, 2, 4}, 10, (slx_band){500, 1000, 2000});
    near(v.mid, 20 / 3.6, 1e-12);
    near(v.low, 10 / 7.2, 1e-12);
    near(v.high, 40 / 1.8, 1e-12);
}

/* A constant that is set is what every later sum takes, and goes back. */
static void test_constants_set(void **state)
{
    (void)state;
    slx_constants *k = constants();
    int pue = -1, n = slx_constants_count(k);
    for (int i = 0; i < n; i++)
        if (!strcmp(slx_constants_name(k, i), "pue")) pue = i;
    assert_true(pue >= 0);
    assert_non_null(strstr(slx_constants_source(k, pue), "https://build.inc/"));
    assert_string_equal(slx_constants_unit(k, pue), "times");
    assert_null(slx_constants_rule(k, pue, 1));
    assert_string_equal(slx_constants_rule(k, pue, 0.99), "a multiple of at least 1");
    assert_string_equal(slx_constants_rule(k, pue, 0), "a number above 0");
    slx_band was = slx_constants_row(k, pue);
    near(was.mid, 1.12, 0);
    slx_chip *c = chip("silex-1");
    slx_area a;
    slx_power p;
    slx_cost one, two;
    slx_err e;
    assert_int_equal(slx_chip_get_area(&a, c, k, &e), SLX_OK);
    assert_int_equal(slx_chip_get_power(&p, c, &a, k, &e), SLX_OK);
    assert_int_equal(slx_chip_get_cost(&one, c, &a, &p, k, &e), SLX_OK);
    slx_constants_set(k, pue, (slx_band){2.24, 2.24, 2.24});
    assert_int_equal(slx_chip_get_cost(&two, c, &a, &p, k, &e), SLX_OK);
    near(row(&two.hour_usd, "power"), 2 * row(&one.hour_usd, "power"), 1e-12);
    near(row(&two.hour_usd, "chip"), row(&one.hour_usd, "chip"), 0);
    slx_chip_free(c);
    slx_constants_free(k);
}

/* Figures of a file one by one: none without a value, each with its source. */
static void test_next_figure(void **state)
{
    (void)state;
    slx_chip *c = chip("maia-200");
    slx_chip_fig f;
    bool node = false, clock = false, tdp = false;
    int n = 0;
    for (int i = 0; slx_chip_next_figure(c, &i, &f); i++, n++) {
        assert_non_null(f.from);
        node |= !strcmp(f.key, "process.node") && !strcmp(f.text, "N3P");
        clock |= !strcmp(f.key, "part.clock_ghz");
        tdp |= !strcmp(f.key, "package.tdp_w") && f.value == 750 && !f.text && !strcmp(f.unit, "W");
    }
    assert_true(node && tdp && !clock);
    assert_true(n > 10);
    slx_chip_free(c);
}

/* A what-if of the peak is not held against cores and clock; in a file it is (test_bad_parts). */
static void test_what_if_peak(void **state)
{
    (void)state;
    slx_chip *c = chip("h100");
    slx_err e;
    assert_int_equal(slx_chip_set(c, "part.clock_ghz", "1.5", &e), SLX_OK);
    assert_int_equal(slx_chip_set(c, "part.bf16_tflops", "811", &e), SLX_OK);
    assert_true(isnan(c->part.unit_flop_clk));
    slx_chip_free(c);
}

static slx_chip *parsed(const char *text)
{
    slx_chip *c;
    slx_err e;
    if (slx_chip_parse(&c, text, strlen(text), "p", &e)) fail_msg("%s", e.msg);
    return c;
}

static void refuse_text(const char *text, const char *words)
{
    slx_chip *c;
    slx_err e;
    assert_int_equal(slx_chip_parse(&c, text, strlen(text), "p", &e), SLX_EINPUT);
    if (!strstr(e.msg, words)) fail_msg("found %s, expected %s", e.msg, words);
}

/* Weights on the die, or wired into it. */
static void test_weights_on_the_die(void **state)
{
    (void)state;
    slx_pass pass;
    slx_err e;
    slx_constants *k = constants();
    slx_chip *c = parsed("name: p\nruns: library\npackage: {memory: SRAM}\n"
                         "part: {sram_mib: 1024, mem_gib: 1, mem_tbs: 80, stacks: 0}\n");
    assert_true(slx_chip_get_peaks(c).hbm_bytes == 1073741824.0);
    /* 8.03e9 weights of 4.25 bits are 3.97 GiB */
    assert_int_equal(slx_chip_get_pass(&pass, c, k, &e), SLX_OK);
    near(pass.chips, 4, 0);
    near(pass.us, 8.03e9 * 4.25 / 8 / 4 / 80e12 * 1e6, 1e-12);
    slx_chip_free(c);
    c = parsed("name: p\nruns: library\npackage: {memory: ROM}\npart: {only_model: llama}\n");
    assert_string_equal(c->part.only_model, "llama");
    assert_int_equal(slx_chip_get_pass(&pass, c, k, &e), SLX_OK);
    assert_true(isnan(pass.us) && isnan(pass.mj.mid));
    slx_chip_free(c);
    refuse_text("name: p\nruns: library\npackage: {memory: ROM}\n", "part.only_model");
    refuse_text(
        "name: p\nruns: library\npackage: {memory: SRAM}\npart: {mem_gib: 2, sram_mib: 1024}\n",
        "at most sram_mib = 1024 MiB");
    refuse_text("name: p\nruns: library\npackage: {memory: SRAM}\npart: {stacks: 1}\n",
                "expected 0");
    slx_constants_free(k);
}

/* Without a process, a die or the number of dies nothing that depends on them is a number. */
static void test_unpublished(void **state)
{
    (void)state;
    slx_constants *k = constants();
    static const struct {
        const char *text, *missing;
    } cases[] = {
        {"name: p\nruns: library\npart: {die_mm2: 500}\n", "process.node"},
        {"name: p\nruns: library\nprocess: {node: N5, reticle_mm2: 858}\npart: {transistors_b: "
         "400}\n",
         "package.compute_dies"},
        {"name: p\nruns: library\nprocess: {node: N5}\npackage: {io_dies: 2}\n"
         "part: {die_mm2: 100}\n",
         "part.clock_ghz"},
        {"name: p\nruns: library\nprocess: {node: N5}\npart: {die_mm2: 46225}\n", "part.clock_ghz"},
    };
    for (int i = 0; i < 4; i++) {
        slx_chip *c = parsed(cases[i].text);
        slx_area a;
        slx_power p;
        slx_cost q;
        slx_err e;
        assert_int_equal(slx_chip_get_area(&a, c, k, &e), SLX_OK);
        assert_int_equal(slx_chip_get_power(&p, c, &a, k, &e), SLX_OK);
        assert_int_equal(slx_chip_get_cost(&q, c, &a, &p, k, &e), SLX_OK);
        assert_string_equal(a.die.missing, cases[i].missing);
        assert_true(isnan(a.die.total.mid));
        assert_non_null(q.bom_usd.missing);
        assert_true(isnan(q.bom_usd.total.mid) && isnan(q.hour_usd.total.mid));
        assert_true(!isinf(q.die.usd.mid));
        slx_chip_free(c);
    }
    slx_constants_free(k);
}

/* ------------------------------------------------------------------ bad tables, bad names */

/* data/silicon.csv with one place replaced. */
static void refuse_table(const char *find, const char *put, int line, const char *words)
{
    slx_buf text[2], b = {0};
    slx_constants *k;
    slx_err e;
    assert_int_equal(slx_read_file(&text[0], "data/silicon.csv", &e), SLX_OK);
    assert_int_equal(slx_read_file(&text[1], "data/cost.csv", &e), SLX_OK);
    const char *at = strstr(text[0].ptr, find);
    assert_non_null(at);
    slx_buf_add(&b, text[0].ptr, (size_t)(at - text[0].ptr));
    slx_buf_adds(&b, put);
    slx_buf_adds(&b, at + strlen(find));
    if (!line)
        for (const char *p = text[0].ptr; p <= at + (*find == '\n'); p++)
            line += p == text[0].ptr || p[-1] == '\n';
    assert_int_equal(slx_constants_parse(&k, (const char *const[]){b.ptr, text[1].ptr},
                                         (const char *const[]){"a.csv", "b.csv"}, &e),
                     SLX_EINPUT);
    assert_null(k);
    assert_string_equal(e.file, "a.csv");
    if (!strstr(e.msg, words)) fail_msg("found %s, expected %s", e.msg, words);
    if (line > 0) assert_int_equal(e.line, line);
    slx_buf_free(&b);
    slx_buf_free(&text[0]);
    slx_buf_free(&text[1]);
}

static void test_bad_tables(void **state)
{
    (void)state;
    refuse_table("mgmt_mm2,20,35,50", "mgmt_mm2,20,35,30", 0, "low <= mid <= high");
    refuse_table("mgmt_mm2,20,35,50", "mgmt_mm2,-1,35,50", 0, "\"-1\" as low");
    refuse_table("mgmt_mm2,20,35,50", "mgmt_mm2,0,0,50", 0, "\"0\" as mid");
    refuse_table("mgmt_mm2,20,35,50", "mgmt_mm2,nan,35,50", 0, "\"nan\" as low");
    refuse_table("mgmt_mm2,20,35,50", "mgmt_mm2,20,x,50", 0, "\"x\" as mid");
    refuse_table("mgmt_mm2,20,35,50", "mgmt_mm3,20,35,50", 0, "did you mean mgmt_mm2?");
    refuse_table("\nmgmt_mm2,", "\nacc_overhead,", 0, "second time");
    refuse_table("\nmgmt_mm2,", "\n# mgmt_mm2,", -1, "mgmt_mm2: missing");
    refuse_table("mgmt_mm2,20,35,50,mm2,", "mgmt_mm2,20,35,50,mm2\n#", 0, "found 5 fields");
}

static void test_unknown_node(void **state)
{
    (void)state;
    slx_buf b;
    slx_err e;
    slx_chip *c;
    slx_area a;
    slx_constants *k = constants();
    assert_int_equal(slx_read_file(&b, "chips/silex-1.yaml", &e), SLX_OK);
    char *at = strstr(b.ptr, "node: N3P");
    memcpy(at, "node: N9X", 9);
    assert_int_equal(slx_chip_parse(&c, b.ptr, b.len, "x.yaml", &e), SLX_OK);
    assert_int_equal(slx_chip_get_area(&a, c, k, &e), SLX_EINPUT);
    int line = 1;
    for (const char *p = b.ptr; p < at; p++) line += *p == '\n';
    assert_int_equal(e.line, line);
    assert_string_equal(e.file, "x.yaml");
    assert_non_null(strstr(e.msg, "process.node: found \"N9X\", expected one of"));
    assert_non_null(strstr(e.msg, "N3P"));
    slx_chip_free(c);
    slx_buf_free(&b);
    slx_constants_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silex_1_area), cmocka_unit_test(test_silex_1_power),
        cmocka_unit_test(test_variants),     cmocka_unit_test(test_pass),
        cmocka_unit_test(test_totals),       cmocka_unit_test(test_gross_dies),
        cmocka_unit_test(test_yield),        cmocka_unit_test(test_published),
        cmocka_unit_test(test_price_basis), cmocka_unit_test(test_price_over_bill),
        cmocka_unit_test(test_cost_by_hand), cmocka_unit_test(test_not_published),
        cmocka_unit_test(test_set),          cmocka_unit_test(test_bad_parts),
        cmocka_unit_test(test_null),         cmocka_unit_test(test_weights_on_the_die),
        cmocka_unit_test(test_usd_per_mtok), cmocka_unit_test(test_constants_set),
        cmocka_unit_test(test_next_figure),  cmocka_unit_test(test_what_if_peak),
        cmocka_unit_test(test_unpublished),  cmocka_unit_test(test_bad_reports),
        cmocka_unit_test(test_what_follows), cmocka_unit_test(test_bad_tables),
        cmocka_unit_test(test_unknown_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
