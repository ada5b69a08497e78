/* test_hbm_long.c - the queue of memory commands against the checker: ten million commands; and against
 * the closed form for streams. */
#include <math.h>
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

/* Reads, writes, and half of each, against the queue. */
static void closed_form(void **state)
{
    (void)state;
    static const char *const chips[] = {"silex-1", "silex-1e", "silex-mini", "silex-one", "silex-sram"};
    static const uint32_t streams[] = {1, 2, 3, 5, 8, 12, 16};
    for (int i = 0; i < 5; i++) {
        slx_hbmq_params p;
        slx_chip *c;
        slx_err err = {0};
        assert_int_equal(slx_chip_load(&c, chips[i], &err), SLX_OK);
        assert_int_equal(slx_hbmq_params_get(&p, c, &err), SLX_OK);
        uint32_t granule = c->hbm.interleave_bytes > p.bytes ? c->hbm.interleave_bytes / p.bytes : 1;
        for (int k = 0; k < 7; k++)
            for (int w = 0; w < 3; w++)
                for (uint32_t size = 1; size <= 4; size *= 4) {
                    if (w == 2 && (streams[k] > 8 || i > 2)) continue;
                    double writes = w == 2 ? 0.5 : w;
                    double law = slx_hbmq_stream_share(&p, streams[k], size * granule, writes);
                    double real = traffic_share(&p, streams[k], size * granule, writes, 24000);
                    if (fabs(law / real - 1) > (w == 2 ? 0.04 : 0.02))
                        fail_msg("%s, %u streams of %u bursts, %g writes: form %.4f, queue %.4f", chips[i], streams[k],
                                 size * granule, writes, law, real);
                }
        slx_chip_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ten_million), cmocka_unit_test(closed_form)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
