/* cli_fleet_words.c - numbers and phrases of a fleet as people read them, the same in text and on a page. */
#include "cli/cli_fleet.h"

#include <math.h>
#include <string.h>
#include <strings.h>

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
    snprintf(out, 32, "%s%.30s",
             isnan(v) ? ""
             : v < 0  ? "-"
                      : "+",
             cli_fleet_amount(text, fabs(v)));
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

const char *cli_fleet_option(char out[CLI_FLEET_OPTION], const slx_fleet_case *c, int option)
{
    const slx_fleet_option *o = &c->option[option];
    if (strcasecmp(o->supplier, o->name))
        snprintf(out, CLI_FLEET_OPTION, "%.38s (%.36s)", o->name, o->supplier);
    else
        snprintf(out, CLI_FLEET_OPTION, "%.78s", o->name);
    return out;
}

const char *cli_fleet_unused(char out[CLI_FLEET_UNUSED], const slx_fleet_plan *p, int option)
{
    double cheaper = p->cheaper[option];
    if (isnan(cheaper))
        snprintf(out, CLI_FLEET_UNUSED, "cannot deliver in time, or in lots so large");
    else if (cheaper < 0.0005)
        snprintf(out, CLI_FLEET_UNUSED, "not worth its development");
    else
        snprintf(out, CLI_FLEET_UNUSED, "would be bought if its racks cost %.1f %% less",
                 100 * cheaper);
    return out;
}

int cli_fleet_option_named(const slx_fleet_case *c, const char *name)
{
    int i = c->n_options;
    while (i-- && strcmp(c->option[i].name, name)) {}
    return i;
}

const char *cli_fleet_output_unit(slx_fleet_output o)
{
    const char *unit = slx_fleet_output_unit(o);
    return strcmp(unit, "1") ? unit : "share";
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
    bool untrained = c->research != SLX_FLEET_NONE && has_price(c, SLX_F_LIMITS_untrained_usd_flop);
    static const char *const words[] = {
        "",
        " with what is late at its price",
        " with what is not served at its price",
        " with what is late or not served at its price",
        " with what is not trained at its price",
        " with what is late or not trained at its price",
        " with what is not served or not trained at its price",
        " with what is late, not served or not trained at its price"};
    return words[late + 2 * missed + 4 * untrained];
}
