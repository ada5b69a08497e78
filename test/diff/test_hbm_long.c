/* test_hbm_long.c - the queue of memory commands against the checker: ten million commands; and against
 * what hbm_rate.c says of streams. */
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

/* Reads, writes and mixes against a longer run of the queue with other draws. */
static void streams_reach(void **state)
{
    (void)state;
    static const char *const chips[] = {"silex-1", "silex-1e", "silex-mini", "silex-one", "silex-sram"};
    static const uint32_t streams[] = {1, 3, 8, 16, 20, 24, 32};
    static const double writes[] = {0, 1, 0.5, 0.1};
    for (int i = 0; i < 5; i++) {
        slx_hbmq_params p;
        slx_chip *c;
        slx_err err = {0};
        assert_int_equal(slx_chip_load(&c, chips[i], &err), SLX_OK);
        assert_int_equal(slx_hbmq_params_get(&p, c, &err), SLX_OK);
        uint32_t granule = c->hbm.interleave_bytes > p.bytes ? c->hbm.interleave_bytes / p.bytes : 1;
        for (size_t k = 0; k < sizeof streams / sizeof *streams; k++)
            for (size_t w = 0; w < sizeof writes / sizeof *writes; w++)
                for (uint32_t size = 1; size <= 4; size *= 4) {
                    double form = slx_hbmq_stream_share(&p, streams[k], size * granule, writes[w]);
                    double real = traffic_share(&p, streams[k], size * granule, writes[w], 65536);
                    if (fabs(form / real - 1) > 0.02)
                        fail_msg("%s, %u streams of %u bursts, %g writes: %.4f, queue %.4f", chips[i], streams[k],
                                 size * granule, writes[w], form, real);
                }
        slx_chip_free(c);
    }
}

/* What the timing machine asks of each chip needs no run of the queue: a step would wait for it. */
static void steps_ask_the_law(void **state)
{
    (void)state;
    static const char *const chips[] = {"silex-1", "silex-1e", "silex-mini", "silex-one", "silex-sram", "silex-etched"};
    for (int i = 0; i < 6; i++) {
        slx_hbmq_params p;
        slx_chip *c;
        slx_err err = {0};
        assert_int_equal(slx_chip_load(&c, chips[i], &err), SLX_OK);
        assert_int_equal(slx_hbmq_params_get(&p, c, &err), SLX_OK);
        uint32_t request = c->hbm.interleave_bytes > p.bytes ? c->hbm.interleave_bytes / p.bytes : 1,
                 streams = p.queue > request ? p.queue / request : 1;
        assert_true(slx_hbmq_stream_share(&p, streams, request, 0) == slx_hbmq_stream_law(&p, streams, request, false));
        slx_chip_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ten_million), cmocka_unit_test(streams_reach),
                                       cmocka_unit_test(steps_ask_the_law)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
