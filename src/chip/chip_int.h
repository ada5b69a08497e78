/* chip_int.h - how a chip file becomes a chip, inside this layer.
 *
 *   text --yaml_scan--> nodes --chip_check--> known, well formed, in range --chip_load (libcyaml)--> slx_chip
 *                         |                                                                            |
 *                         +------------------- places for the messages of ------------------> chip_rules
 *
 * Invariant: libcyaml only sees text that chip_check let through, so its own messages, which know neither our key
 * paths nor our units, are never the ones a user reads.
 */
#ifndef SLX_CHIP_INT_H
#define SLX_CHIP_INT_H

#include <math.h>
#include <stdarg.h>

#include "base/yaml.h"
#include "chip/chip.h"

/* ------------------------------------------------------------------ the table (chip_keys.c) */

typedef enum { SLX_CK_COUNT, SLX_CK_POW2, SLX_CK_REAL, SLX_CK_TEXT } slx_chip_key_type;

typedef struct {
    const char *section, *key; /* section "" = top of the file */
    const char *path;          /* "section.key" */
    size_t offset;             /* of the member in slx_chip */
    slx_chip_key_type type;
    const char *unit;
    double least, most;
    double dflt; /* SLX_CHIP_REQUIRED, or the value of an absent key */
    const char *doc;
} slx_chip_key;

#define SLX_CHIP_REQUIRED (-1.0) /* no figure of a chip is negative */
#define SLX_CHIP_UNKNOWN  NAN    /* left out or null: not published */

enum { SLX_CHIP_SECTIONS_MAX = 48, SLX_CHIP_KEYS_MAX = 448 };

extern const slx_chip_key slx_chip_keys[];
extern const int slx_chip_n_keys;

/* Names of the sections in table order ("process" ... "ten.rate" ...), returns how many. */
int slx_chip_sections(const char *out[SLX_CHIP_SECTIONS_MAX]);
const slx_chip_key *slx_chip_find_key(const char *path); /* NULL if there is none */
bool slx_chip_is_section(const char *path);
/* A member of c as a number; not for TEXT. */
double slx_chip_key_value(const slx_chip *c, const slx_chip_key *k);
void slx_chip_set_value(slx_chip *c, const slx_chip_key *k, double v);
/* "a number in Gb/s between 0.1 and 32" */
void slx_chip_key_expected(char out[160], const slx_chip_key *k);

/* ------------------------------------------------------------------ kinds of memory (memory.c) */

/* Of one stack, or a device of GDDR6, a package of LPDDR5, a channel of DDR5. */
typedef struct {
    const char *kind;
    double bits, pin_gbps, gib; /* width; fastest pin; largest size */
} slx_chip_memory;
/* By a name of package.memory; where it names none that is known, bounds that hold for all, of kind "". */
const slx_chip_memory *slx_chip_memory_of(const char *kind);

/* ------------------------------------------------------------------ the checks */

/* What the file's `runs` says. */
typedef enum { SLX_RUNS_PROGRAM, SLX_RUNS_LIBRARY, SLX_RUNS_FAMILY } slx_chip_kind;
slx_chip_kind slx_chip_kind_of(const slx_yaml *t);
/* Whether a section of the table of keys belongs in a file of that kind. (chip_check.c) */
bool slx_chip_section_fits(const char *section, slx_chip_kind kind);
/* Reads the family's file and completes c->lib. (library.c) */
slx_status slx_chip_join_family(slx_chip *c, const slx_yaml *t);
/* A family by its name in families/, with every figure its numbers hold for. (library.c) */
slx_status slx_chip_load_family(slx_chip **out, const char *name, slx_err *err);
/* The family of a chip that is known by figures alone; generic where nothing fits. (family.c) */
slx_status slx_chip_choose_family(slx_chip **out, const slx_chip_figures *f, slx_err *err);
/* A list of a key `choice`: how many it holds, -1 when the text is no such list. out may be NULL. (library.c) */
int slx_chip_choices_parse(const char *text, slx_lib_choice out[SLX_LIB_TILES]);
/* Twelve numbers of a key `bands`, low and high by size; false when the text is no such list. out may be NULL. (band.c) */
bool slx_chip_bands_parse(const char *text, double out[SLX_LIB_CLASSES][2]);
/* Such a text with every bound to the power, in the arena; the text itself when it is no list. (band.c) */
const char *slx_chip_bands_wider(slx_arena *a, const char *text, double power);
/* Factors by which times of kernels, of collectives, and watts may be off as figures are inferred; 1 = none is. */
typedef struct {
    double kernels, links, power;
} slx_chip_doubt;
/* lib->band from the sections' bands; those of a family to the power `widen`, and as far again as the doubt. (band.c) */
void slx_chip_complete_bands(slx_lib *lib, const slx_chip *c, const slx_chip *fam, double widen, slx_chip_doubt doubt);
/* A chip from text; a family's file only when wanted. (chip_load.c) */
slx_status slx_chip_parse_as(slx_chip **out, const char *text, size_t len, const char *path, bool family, slx_err *err);
/* Nodes against the table: unknown and missing keys, types, ranges, formats, sources. (chip_check.c) */
slx_status slx_chip_check(const slx_yaml *t);
/* One value against its key. t->path may be any place. */
slx_status slx_chip_check_key(const slx_yaml *t, const slx_yaml_node *n, const slx_chip_key *k);
uint64_t slx_chip_hash_figures(slx_chip *c); /* (chip_load.c) */
/* Figures against each other. (chip_rules.c) */
slx_status slx_chip_check_rules(const slx_chip *c, const slx_yaml *t);
extern const double slx_chip_most_w_mm2; /* of a die: what no cooling takes away (chip_part.c) */
/* The same of a published chip. (chip_part.c) */
slx_status slx_chip_check_part(const slx_chip *c, const slx_yaml *t);
/* Fails at a key of the file; at its section when the key was left to its default. (chip_rules.c) */
slx_status slx_chip_fail_rule(const slx_yaml *t, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
