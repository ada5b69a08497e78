/* cli_silicon.h - area, power, yield and cost of chips, for silex chip. */
#ifndef SLX_CLI_SILICON_H
#define SLX_CLI_SILICON_H

#include "chip/silicon.h"
#include "cli/json.h"
#include "cli/table.h"

typedef struct {
    slx_area area;
    slx_power power;
    slx_cost cost;
    slx_pass pass;
} cli_silicon;

slx_status cli_silicon_get(cli_silicon *out, const slx_chip *c, const slx_constants *k,
                           slx_err *err);
/* The same with constants of its own, for verbs that need no more than warnings. */
slx_status cli_silicon_load(cli_silicon *out, const slx_chip *c, slx_err *err);
/* Warnings of slx_chip_get_warnings, a line each that begins with `head`. */
void cli_silicon_print_warnings(const slx_chip *c, const cli_silicon *s, const char *head);
json_t *cli_silicon_warnings(const slx_chip *c, const cli_silicon *s);
/* Rows of every chip, one column each, after what the table holds. */
void cli_silicon_rows(cli_table *t, slx_chip *const *chips, const cli_silicon *s, int n);
/* Adds the figures of one chip to its object. */
void cli_silicon_json(json_t *j, const slx_chip *c, const cli_silicon *s);

#endif
