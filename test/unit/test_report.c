/* Pages and charts: where a value lands, what is escaped, what is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "report/report_int.h"

static void near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-9 * fmax(1, fabs(b)))) fail_msg("found %.12g, expected %.12g", a, b);
}

static int count(const char *s, const char *what)
{
    int n = 0;
    for (s = strstr(s, what); s; s = strstr(s + 1, what)) n++;
    return n;
}

static void has(const slx_buf *b, const char *what)
{
    if (!strstr(b->ptr, what)) fail_msg("\"%s\" is not in: %s", what, b->ptr);
}

/* ------------------------------------------------------------------ axes */

static void test_linear_axis(void **state)
{
    (void)state;
    slx_axis a = {.low = NAN, .high = NAN};
    assert_false(slx_axis_fit(&a, 0, 100));
    slx_axis_see(&a, 3);
    slx_axis_see(&a, NAN);
    slx_axis_see(&a, INFINITY);
    slx_axis_see(&a, 57);
    assert_true(slx_axis_fit(&a, 100, 700)); /* a sixth of 54 is 9: ticks of 10, from 0 to 60 */
    near(a.from, 0);
    near(a.to, 60);
    assert_int_equal(a.n, 7);
    near(a.tick[1], 10);
    near(slx_axis_at(&a, 15), 100 + 600 * 15 / 60.0);
    slx_axis years = {.low = NAN, .high = NAN, .whole = true};
    slx_axis_see(&years, 2020.375);
    slx_axis_see(&years, 2023.125);
    assert_true(slx_axis_fit(&years, 0, 1)); /* a sixth of 2.75 would be ticks of 0.5 */
    assert_int_equal(years.n, 5);
    for (int i = 0; i < 5; i++) near(years.tick[i], 2020 + i);
    slx_axis year = {.low = NAN, .high = NAN, .whole = true};
    slx_axis_see(&year, 2026.125);
    assert_true(slx_axis_fit(&year, 0, 1)); /* one quarter: a year on both sides */
    near(year.from, 2025);
    near(year.to, 2028);
    slx_axis one = {.low = NAN, .high = NAN};
    slx_axis_see(&one, 8);
    assert_true(slx_axis_fit(&one, 0, 1));
    assert_true(one.from < 8 && one.to > 8);
    slx_axis zero = {.low = NAN, .high = NAN};
    slx_axis_see(&zero, 0);
    assert_true(slx_axis_fit(&zero, 0, 1));
    assert_true(zero.from < 0 && zero.to > 0);
    slx_axis below = {.low = NAN, .high = NAN};
    slx_axis_see(&below, -0.031);
    slx_axis_see(&below, 0.01);
    assert_true(slx_axis_fit(&below, 0, 1)); /* a sixth of 0.041 is 0.0068: ticks of 0.01 */
    near(below.from, -0.04);
    near(below.to, 0.01);
}

static void test_log_axis(void **state)
{
    (void)state;
    slx_axis a = {.low = NAN, .high = NAN, .log = true};
    slx_axis_see(&a, 0);
    slx_axis_see(&a, -1);
    assert_false(slx_axis_fit(&a, 0, 100));
    slx_axis_see(&a, 3);
    slx_axis_see(&a, 40);
    assert_true(slx_axis_fit(&a, 0, 100));
    static const double ticks[] = {2, 5, 10, 20, 50};
    assert_int_equal(a.n, 5);
    for (int i = 0; i < 5; i++) near(a.tick[i], ticks[i]);
    near(slx_axis_at(&a, 2), 0);
    near(slx_axis_at(&a, 10), 100 * log(5) / log(25)); /* half of the way */
    near(slx_axis_at(&a, 50), 100);
    slx_axis wide = {.low = NAN, .high = NAN, .log = true};
    slx_axis_see(&wide, 1e-9);
    slx_axis_see(&wide, 3e17);
    assert_true(slx_axis_fit(&wide, 0, 100)); /* 26.7 decades: each fourth */
    assert_int_equal(wide.n, 7);
    near(wide.tick[1] / wide.tick[0], 1e4);
    slx_axis same = {.low = NAN, .high = NAN, .log = true};
    slx_axis_see(&same, 5);
    assert_true(slx_axis_fit(&same, 0, 100));
    assert_true(same.from < 5 && same.to > 5);
    for (double v = 1e-5; v < 1e6; v *= 1.37) { /* what was seen is never outside */
        slx_axis b = {.low = NAN, .high = NAN, .log = true};
        slx_axis_see(&b, v);
        slx_axis_see(&b, v * 7);
        assert_true(slx_axis_fit(&b, 0, 1));
        assert_true(b.from <= v * 1.0001 && b.to >= v * 6.999 && b.n >= 2);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    char t[32];
    assert_string_equal(slx_chart_number(t, 0), "0");
    assert_string_equal(slx_chart_number(t, 2029), "2029");
    assert_string_equal(slx_chart_number(t, 0.05), "0.05");
    assert_string_equal(slx_chart_number(t, 1234.5), "1.23k");
    assert_string_equal(slx_chart_number(t, 20000), "20k");
    assert_string_equal(slx_chart_number(t, -2.5e6), "-2.5M");
    assert_string_equal(slx_chart_number(t, 1e15), "1P");
}

/* ------------------------------------------------------------------ charts */

static const slx_chart_point rising[] = {{1, 10, NAN, NAN, NULL},
                                         {2, NAN, NAN, NAN, NULL},
                                         {3, 20, 15, 30, "<b>"},
                                         {4, 30, NAN, NAN, NULL}};
static const slx_chart_point none[] = {{1, NAN, NAN, NAN, NULL}};

static void test_lines(void **state)
{
    (void)state;
    slx_buf b = {0};
    slx_chart_series s[] = {{"a & b", 4, rising, false, 0, false},
                            {"empty", 1, none, false, 0, false},
                            {"like", 4, rising, true, 1, true}};
    slx_chart_lines(&b, &(slx_chart){
        .title = "T<", .x_label = "x", .y_label = "y", .note = "n", .y_from_0 = true, .n = 3, .series = s});
    has(&b, "<figcaption>T&lt;</figcaption>");
    has(&b, "a &amp; b");
    has(&b, "No figures: empty");
    has(&b, "<title>&lt;b&gt;</title>");
    /* y: 0 to 30 on 294 to 10; x: 1 to 4 on 66 to 540. A gap lifts the pen. */
    has(&b, "<path class=\"l c0 d0\" d=\"M66.0 199.3M382.0 104.7L540.0 10.0\"/>");
    has(&b, "M382.0 152.0V10.0"); /* the whisker of 15 to 30 */
    assert_int_equal(count(b.ptr, "<circle"), 6);
    assert_int_equal(count(b.ptr, "<li>"), 1);
    slx_buf_free(&b);
    slx_buf e = {0};
    slx_chart_lines(&e, &(slx_chart){
        .title = "T", .x_label = "x", .y_label = "y", .x_log = true, .y_log = true, .n = 1, .series = s + 1});
    has(&e, "No figure to show.");
    assert_null(strstr(e.ptr, "<svg"));
    slx_buf_free(&e);
}

static void test_bars(void **state)
{
    (void)state;
    static const slx_chart_row rows[] = {
        {"h100", NULL, 4, 3, 5},
        {"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
         "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
         NULL, 2, NAN, NAN},
        {"hc1", "not published", NAN, NAN, NAN}};
    slx_buf b = {0};
    slx_chart_bars(&b, &(slx_chart_rows){"T", "J", NULL, false, 3, rows});
    has(&b, "M164.0 10.0H464.8v14H164.0Z"); /* 4 of 0 to 5 on 164 to 540 */
    has(&b, ">not published<");
    has(&b, "\xc3\xa9..</text>");
    assert_true(slx_utf8_valid(b.ptr, b.len));
    slx_buf_free(&b);
}

static void test_tornado(void **state)
{
    (void)state;
    static const slx_chart_swing rows[] = {
        {"narrow", 0.9, 1.1, "1", "2"}, {"none", 1, 1, NULL, NULL}, {"wide", 0.5, 2.5, "a", "b"}};
    slx_buf b = {0};
    slx_chart_tornado(&b, &(slx_chart_swings){"T", "$", NULL, 1, 3, 0, rows});
    assert_true(strstr(b.ptr, ">wide<") < strstr(b.ptr, ">narrow<"));
    has(&b, "1 smaller or without effect are not shown.");
    assert_null(strstr(b.ptr, ">none<"));
    slx_buf_free(&b);
    slx_buf e = {0};
    slx_chart_tornado(&e, &(slx_chart_swings){"T", "$", NULL, NAN, 3, 0, rows});
    has(&e, "No figure to show.");
    slx_buf_free(&e);
}

static void test_fan(void **state)
{
    (void)state;
    static const double x[] = {2026, 2027, 2028}, y[] = {1, 2, 3, 2, 4, 6, 3, 6, 9};
    static const char *const q[] = {"5 %", "50 %", "95 %"};
    slx_buf b = {0};
    slx_chart_fan(&b, &(slx_chart_quantiles){
        .title = "T", .x_label = "year", .y_label = "GW", .y_from_0 = true,
        .n = 3, .n_q = 3, .x = x, .y = y, .q_name = q});
    /* 0 to 10 on 294 to 10 */
    has(&b, "M66.0 265.6L303.0 237.2L540.0 208.8L540.0 38.4L303.0 123.6L66.0 208.8Z");
    has(&b, "M66.0 237.2L303.0 180.4L540.0 123.6");
    has(&b, "Line: 50 %; shaded: 5 % to 95 %.");
    slx_buf_free(&b);
}

static void test_page(void **state)
{
    (void)state;
    static const char *const head[] = {"what", "figure"};
    static const char *const cell[] = {"a<b", "1",           "https://a.b/c?d=1&e: words",
                                       NULL,  "https://a.b", "javascript:x"};
    static const bool number[] = {false, true};
    slx_buf b = {0};
    slx_html_begin(&b, "A \"title\"", "sub");
    slx_html_paragraph(&b, "%d <tokens>", 3);
    slx_html_add_table(&b, &(slx_html_table){2, 3, head, number, cell});
    static const char *const wide[] = {"short", "1.2 (0.9 to 1.5)",
                                       "words enough to fill more than a line of a narrow column", "(2"};
    slx_html_add_table(&b, &(slx_html_table){2, 2, head, number, wide});
    slx_html_end(&b);
    has(&b, "<td class=\"t\">short</td><td class=\"n\">1.2 <span>(0.9 to 1.5)</span></td>");
    has(&b, "a narrow column</td><td class=\"n\">(2</td>");
    has(&b, "<title>A &quot;title&quot;</title>");
    has(&b, "<p>3 &lt;tokens&gt;</p>");
    has(&b, "<td>a&lt;b</td><td class=\"n\">1</td>");
    has(&b, "<a href=\"https://a.b/c?d=1&amp;e\">https://a.b/c?d=1&amp;e</a>: words</td><td "
            "class=\"n\"></td>");
    has(&b, "<td class=\"n\">javascript:x</td>");
    assert_null(strstr(b.ptr, "<script"));
    assert_int_equal(count(b.ptr, "src="), 0);
    slx_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_axis), cmocka_unit_test(test_log_axis),
        cmocka_unit_test(test_numbers),     cmocka_unit_test(test_lines),
        cmocka_unit_test(test_bars),        cmocka_unit_test(test_tornado),
        cmocka_unit_test(test_fan),         cmocka_unit_test(test_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
