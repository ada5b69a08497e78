/* test_hbm_long.c - the queue of memory commands against the checker: ten million commands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hbm_traffic.h"

static void ten_million(void **state)
{
    (void)state;
    static const char *const chips[] = {"silex-1", "silex-1e", "silex-mini"};
    uint64_t commands = 0;
    for (int i = 0; i < 3; i++) {
        slx_err err = {0};
        slx_chip *c;
        slx_hbmq_params p;
        assert_int_equal(slx_chip_load(&c, chips[i], &err), SLX_OK);
        assert_int_equal(slx_hbmq_params_get(&p, c, &err), SLX_OK);
        traffic t = {0};
        uint32_t n = 2800000;
        slx_hbmq_stats s = traffic_run(&t, &p, 77 + (uint64_t)i, n);
        commands += slx_hbmq_check_commands(t.check);
        assert_int_equal(traffic_complain(&t, n), 0);
        assert_in_range(s.passed_max, 0, p.pass_max);
        slx_hbmq_check_free(t.check);
        slx_chip_free(c);
    }
    assert_in_range(commands, 10000000, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ten_million)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
