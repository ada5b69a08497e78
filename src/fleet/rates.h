/* rates.h - what a chip does for a case: tokens a second read and written at the latency target of its section own, from
 * the timing machine or the kernel model of predict.
 */
#ifndef SLX_FLEET_RATES_H
#define SLX_FLEET_RATES_H

#include "chip/silicon.h"
#include "fleet/fleet.h"
#include "predict/predict.h"

typedef struct {
    char why[200]; /* why there is no throughput; "" = all known */
    char bound_by[48], timed_by[16];
    const char *weights, *kv_cache; /* number formats, as stored */
    uint32_t tp, batch;
    double tok_s_user;
    /* Of a chip. Each alone: written by sequences of own.context at the batch, read a prompt of demand.tokens_in at a time by
     * the same chips; NAN where the case says no tokens_in. tok_s: written, with what reading takes of its time. */
    slx_band write_tok_s, read_tok_s;
    double tok_s;
    double joules, power_w; /* a token written, its reading included; mean of a chip */
    slx_band usd_mtok;      /* of tokens written, reading included: chip, server, hall, power */
} slx_fleet_rates;

/* v: values of the case's inputs. SLX_OK with a reason in why where it cannot be told. */
slx_status slx_fleet_rates_of(slx_predictor *p, const slx_fleet_case *c, const double *v,
                              const slx_chip *chip, const slx_shape *model, slx_fleet_rates *out,
                              slx_err *err);

/* Options that name a chip and give no tok_s get both rates from here, with the first model of own; an input so made says in
 * its source how. Nothing where the case has no demand or no section own. */
slx_status slx_fleet_fill_rates(slx_fleet_case *c, slx_err *err);
/* Are the rates of an option left to slx_fleet_fill_rates? */
bool slx_fleet_rates_wanted(const slx_fleet_case *c, const slx_fleet_option *o);

#endif
