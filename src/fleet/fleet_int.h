/* fleet_int.h - how a case file becomes a case, inside this layer.
 *
 *   text --slx_yaml_scan--> nodes --case.c--> structure, names --case_input.c--> inputs --case_rules.c--> a case
 *                                    |                               ^
 *                                    '--case_figures.c--> variants --'  published figures
 *
 * Errors come in the order of the file; what is missing or contradicts comes after.
 */
#ifndef SLX_FLEET_INT_H
#define SLX_FLEET_INT_H

#include <math.h>

#include "base/yaml.h"
#include "fleet/fleet.h"

slx_fleet_key slx_fleet_first_key(slx_fleet_section s);
int slx_fleet_key_count(slx_fleet_section s);
/* Name of the k-th unit. */
const char *slx_fleet_unit_name(char out[32], slx_fleet_key key, int unit);
bool slx_fleet_is_flow(slx_fleet_key key);

typedef struct {
    slx_yaml *t; /* without nodes: the case was changed by a call, and t->path names what by */
    slx_fleet_case *c;
    const char
        *within; /* "variants.NAME.": the part of the file that is looked at; "" = all of it */
} slx_fleet_reader;

/* First child of a node, and the next one of the same parent; NULL at the end. */
const slx_yaml_node *slx_fleet_child(const slx_yaml *t, const slx_yaml_node *up);
const slx_yaml_node *slx_fleet_next(const slx_yaml *t, const slx_yaml_node *n);
/* A child by its name; NULL when there is none or up is no mapping. */
const slx_yaml_node *slx_fleet_part(const slx_yaml *t, const slx_yaml_node *up, const char *name);
/* A child's line of text, "" when absent. */
slx_status slx_fleet_read_text(const slx_fleet_reader *r, const slx_yaml_node *up, const char *name,
                               bool needed, const char **out);
slx_status slx_fleet_read_variant(const slx_fleet_reader *r, const slx_yaml_node *up);
slx_status slx_fleet_read_figure(const slx_fleet_reader *r, const slx_yaml_node *up);
/* One figure: a mapping of low, mid, high or by_year or by_quarter, unit, source. in->path, key are set. */
slx_status slx_fleet_read_input(const slx_fleet_reader *r, const slx_yaml_node *n,
                                slx_fleet_input *in);
/* Inputs against each other. */
slx_status slx_fleet_check(const slx_fleet_reader *r);
/* And as each variant has them. */
slx_status slx_fleet_check_variants(const slx_fleet_reader *r);
/* Fails at the place of an input, or of its block when it is not given. */
slx_status slx_fleet_fail(const slx_fleet_reader *r, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ------------------------------------------------------------------ money.c */

enum { SLX_FLEET_LIFE_MAX = 4 * 60 }; /* quarters of the longest life, a hall's */

/* Of one rack, USD. Once: with chips and network; its spares. Then of each quarter in service; of a rented rack the rent
 * alone. */
typedef struct {
    double rack_usd, chips_usd, spares_usd; /* chips_usd: part of rack_usd */
    double repair_usd, maintenance_usd, energy_usd, lease_usd, rent_usd, energy_kwh;
} slx_fleet_rack_costs;

/* price: of racks and chips in its quarter, against the first. */
slx_fleet_rack_costs slx_fleet_cost_of_rack(const slx_fleet_case *c, const double *v, int option,
                                            double price);
double slx_fleet_price(const slx_fleet_case *c, const double *v, int option, int q);
double slx_fleet_running_usd(const slx_fleet_rack_costs *m);
/* Depreciation, its hall's too, and running cost of a rack for a quarter, at the prices of the first. */
double slx_fleet_quarter_usd(const slx_fleet_case *c, const double *v, int option);
/* W of hall power of a rack, cooling included. */
double slx_fleet_hall_w(const slx_fleet_case *c, const double *v, int option);
double slx_fleet_grown(double rate, int q);
int slx_fleet_quarters_of(double years);

static inline bool slx_fleet_has(const slx_fleet_case *c, int in)
{
    return c->in[in].given;
}

#endif
