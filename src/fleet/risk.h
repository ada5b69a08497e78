/* risk.h - many futures of one case: every input drawn from its band, and what chance adds: slips, respins, outages.
 *
 *   slx_fleet_risk *k = slx_fleet_risk_run(c, orders, &(slx_fleet_risk_options){.futures = 20000, .seed = 1});
 *
 * A plan stays what it was; orders that follow demand follow it in each future. Input i of future n is a triangular draw
 * from Philox's block (n, i) alone, so neither the number of threads nor of futures changes any future. Sums are made
 * in the order of the futures: the same seed gives the same bytes on every host.
 */
#ifndef SLX_FLEET_RISK_H
#define SLX_FLEET_RISK_H

#include "fleet/fleet.h"

enum { SLX_FLEET_FUTURES_MAX = 200000, SLX_FLEET_PERCENTILES = 5 };
extern const double slx_fleet_percentiles[SLX_FLEET_PERCENTILES]; /* 5, 25, 50, 75, 95 */

typedef struct {
    int futures;
    uint64_t seed;
    int threads; /* 0 = all of the host */
} slx_fleet_risk_options;

typedef enum {
    SLX_FR_COST,   /* USD: cost_usd and what is late, not served or not trained, at its price */
    SLX_FR_CAPEX,  /* USD */
    SLX_FR_LATE,   /* GW x years behind the plan of the mids */
    SLX_FR_SERVED, /* share of the tokens asked for; NAN without a demand */
    SLX_FR_MTOK,   /* USD/Mtoken; NAN without a demand */
    SLX_FR_COUNT
} slx_fleet_risk_output;

typedef struct {
    double mean, p[SLX_FLEET_PERCENTILES];
} slx_fleet_spread;

/* A supplier whose racks alone would do less of the training than the mix, where nothing says what that costs. */
typedef struct {
    int option;
    double trained; /* share of the training planned */
} slx_fleet_refused;

/* Everything from one supplier, in the first futures. */
typedef struct {
    int option;
    slx_fleet_spread cost, late;
    double trained; /* share of the training planned, without chance; NAN without research */
    slx_fleet_spread against; /* what it costs more than the mix, future by future, USD */
} slx_fleet_single;

typedef struct {
    int futures, quarters, single_futures;
    uint64_t seed;
    double seconds; /* for the futures alone */
    slx_fleet_spread out[SLX_FR_COUNT];
    slx_fleet_spread gw[SLX_FLEET_QUARTERS];    /* in service */
    slx_fleet_spread spent[SLX_FLEET_QUARTERS]; /* USD since the start */
    slx_fleet_spread served[SLX_FLEET_QUARTERS];
    int n_single; /* 0 where there is nothing to compare */
    slx_fleet_single single[SLX_FLEET_OPTIONS];
    int n_refused;
    slx_fleet_refused refused[SLX_FLEET_OPTIONS];
    double mix_cost; /* mean of the case itself over the same futures */
    /* USD by which the mix is better than the single supplier that is best on average, future by future; NAN without.
     * The same as the cost of single sourcing, at its best. */
    slx_fleet_spread second_source;
} slx_fleet_risk;

slx_fleet_risk *slx_fleet_risk_run(const slx_fleet_case *c, const slx_fleet_orders *orders,
                                   const slx_fleet_risk_options *o);
void slx_fleet_risk_free(slx_fleet_risk *r);
const char *slx_fleet_risk_name(slx_fleet_risk_output o);
const char *slx_fleet_risk_unit(slx_fleet_risk_output o);

#endif
