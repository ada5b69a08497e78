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
    if (slx_chip_load(&c, name, &e)) {
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
        cmocka_unit_test(test_totals),       cmocka_unit_test(test_bad_tables),
        cmocka_unit_test(test_unknown_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
