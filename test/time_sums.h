/* time_sums.h - the splits of a timed step's energy. Fails the test that calls it. Include it after cmocka.h. */
#ifndef SLX_TEST_TIME_SUMS_H
#define SLX_TEST_TIME_SUMS_H

#include "time/time.h"

#include <math.h>

/* By wire, by engine, by span, by layer: each sums to the total; the last three with what goes by time. */
static inline void check_splits(const slx_time_result *r)
{
    uint64_t wires = 0, engines = r->static_fj, spans = 0, layers = 0;
    for (int w = 0; w < SLX_N_TIME_WIRES; w++) wires += r->wire_fj[w];
    for (int e = 0; e < SLX_N_ENGINES; e++) engines += r->engine[e].energy_fj;
    for (uint32_t s = 0; s < r->n_spans; s++) spans += r->spans[s].energy_fj + r->spans[s].static_fj;
    for (uint32_t l = 0; l < r->n_layers; l++) layers += r->layer_fj[l] + r->layer_static_fj[l];
    assert_int_equal(wires, r->energy_fj);
    assert_int_equal(engines, r->energy_fj);
    assert_int_equal(spans, r->energy_fj);
    assert_int_equal(layers, r->energy_fj);
    for (uint32_t s = 0; s < r->n_spans; s++) { /* as its time, within a femtojoule */
        double share = (double)r->static_fj * ((double)r->spans[s].cycles / (double)r->cycles);
        assert_true(fabs((double)r->spans[s].static_fj - share) <= 1 + 1e-12 * share);
    }
}

#endif
