/* test_text.c - numbers as people read them: three digits where digits tell values apart, whole counts in full, and
 * what is not known is said to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/cli_fleet.h"

static void short_forms(void **state)
{
    static const struct {
        double v;
        const char *unit, *text;
    } cases[] = {{0, "B", "0 B"},         {7, "", "7 "},           {2.61, "J", "2.61 J"},  {2.04, "J", "2.04 J"},
                 {42.25, "J", "42.2 J"},  {999, "B", "999 B"},     {347.4, "W", "347 W"},  {1000, "B", "1.00 kB"},
                 {135e6, "", "135 M"},    {0.00026, "s", "260 us"}, {3.14e23, "", "314 Z"}, {999.6, "W", "1.00 kW"},
                 {0.9996, "s", "1.00 s"}, {1.5e-15, "J", "1.50 fJ"}};
    char out[32];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(cli_short(out, cases[i].v, cases[i].unit), cases[i].text);
}

static void rates(void **state)
{
    char out[32];
    (void)state;
    assert_string_equal(cli_rate(out, 10930.4), "10,930");
    assert_string_equal(cli_rate(out, 1234567), "1,234,567");
    assert_string_equal(cli_rate(out, 92.14), "92.14");
    assert_string_equal(cli_rate(out, 999.7), "1,000");
}

/* Every way to print an amount fills the caller's text, whatever was in it. */
static void amounts(void **state)
{
    static const struct {
        double v;
        const char *text, *with_sign;
    } cases[] = {{NAN, "not known", "not known"}, {0, "0", "+0"},           {0.0363, "0.0363", "+0.0363"},
                 {48.1e9, "48.1 G", "+48.1 G"},   {-2500, "-2.50 k", "-2.50 k"}, {-3.25, "-3.25", "-3.25"}};
    char out[32];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(out, 'x', sizeof out);
        assert_ptr_equal(cli_fleet_amount(out, cases[i].v), out);
        assert_string_equal(out, cases[i].text);
        memset(out, 'x', sizeof out);
        assert_ptr_equal(cli_fleet_signed(out, cases[i].v), out);
        assert_string_equal(out, cases[i].with_sign);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_forms),
        cmocka_unit_test(rates),
        cmocka_unit_test(amounts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
