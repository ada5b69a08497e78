/* cli_fleet_words.c - numbers and phrases of a fleet as people read them, the same in text and on a page. */
#include "cli/cli_fleet.h"

#include <math.h>
#include <string.h>

#include "cli/cli.h"

const char *cli_fleet_amount(char out[32], double v)
{
    if (isnan(v)) {
        snprintf(out, 32, "not known");
    } else if (v <= -999.5) { /* prefixes are of amounts above 0 */
        char text[32];
        snprintf(out, 32, "-%.30s", cli_fleet_amount(text, -v));
    } else if (v < 999.5) {
        snprintf(out, 32, "%.3g", v);
    } else {
        cli_short(out, v, "");
        out[strlen(out) - (out[strlen(out) - 1] == ' ')] = 0;
    }
    return out;
}

const char *cli_fleet_signed(char out[32], double v)
{
    char text[32];
    snprintf(out, 32, "%s%.30s", isnan(v) ? "" : v < 0 ? "-" : "+", cli_fleet_amount(text, fabs(v)));
    return out;
}

const char *cli_fleet_mix(char out[CLI_FLEET_MIX], const slx_fleet_case *c, const slx_fleet_run *r,
                          const double *gw)
{
    size_t n = 0;
    char text[32];
    out[0] = 0;
    for (int i = 0; i < c->n_options; i++) {
        double v = gw ? gw[i] : r->option_out[i][SLX_FO_gw];
        if (v * 1e9 < 0.5) continue; /* half a watt: what is left of sums */
        n += (size_t)snprintf(out + n, CLI_FLEET_MIX - n, "%s%.64s %s", n ? ", " : "",
                              c->option[i].name, cli_short(text, v * 1e9, "W"));
    }
    if (!n) snprintf(out, CLI_FLEET_MIX, "nothing");
    return out;
}

/* Does the case give this price, and not 0 all over? */
static bool has_price(const slx_fleet_case *c, int key)
{
    const slx_fleet_input *in = c->in + c->limits + key;
    return c->limits != SLX_FLEET_NONE && in->given && in->high > 0;
}

const char *cli_fleet_priced(const slx_fleet_case *c)
{
    bool late = has_price(c, SLX_F_LIMITS_late_usd_gw_year);
    bool missed = c->demand != SLX_FLEET_NONE && has_price(c, SLX_F_LIMITS_shortage_usd_mtok);
    for (int i = 0; i < c->n_options; i++) /* there is no plan to be behind of */
        late &= c->option[i].deploy != SLX_FLEET_DEMAND;
    return late && missed ? ", what is late and what is not served at its price"
           : late         ? ", what is late at its price"
           : missed       ? ", what is not served at its price"
                          : "";
}
