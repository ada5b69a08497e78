/* json.h - how verbs print their one JSON object. Only files that print JSON include jansson. */
#ifndef SLX_CLI_JSON_H
#define SLX_CLI_JSON_H

#include "base/base.h"
#include "run/estimate.h"

#include <jansson.h>

/* Prints one line on standard output and drops the reference. */
void cli_json_print(json_t *j);
/* Text of a file may hold anything: what is not UTF-8 becomes U+FFFD. */
json_t *cli_json_str(const char *p, size_t n);
json_t *cli_json_hash(uint64_t hash); /* 16 hex digits */
/* Six digits: the last ones of a double depend on the host's mathematics. */
json_t *cli_json_number(double v);
/* "name": null, "name_why": why */
void cli_json_absent(json_t *o, const char *name, const char *why);
/* usd_per_mtok with its band, or null and why. */
void cli_json_usd(json_t *o, const slx_estimate *e, const slx_chip *c);

#endif
