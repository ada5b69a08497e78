/* chip_int.h - how a chip file becomes a chip, inside this layer.
 *
 *   text --chip_scan--> nodes --chip_check--> known, well formed, in range --chip_load (libcyaml)--> slx_chip
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

enum { SLX_CHIP_SECTIONS_MAX = 24, SLX_CHIP_KEYS_MAX = 192 };

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

/* ------------------------------------------------------------------ the text and its nodes (chip_scan.c) */

typedef enum { SLX_NODE_MAP, SLX_NODE_LIST, SLX_NODE_SCALAR } slx_chip_node_kind;

/* One value of the file, in the order of the file. */
typedef struct {
    slx_chip_node_kind kind;
    int parent;            /* index; -1 for the root */
    const char *path;      /* "hbm.gib", "isa.formats[2]", "" for the root */
    const char *name;      /* last part of path: "gib", "[2]" */
    const char *text;      /* of a scalar */
    bool plain;            /* scalar without quotes */
    int line, col;         /* of the value, from 1 */
    int key_line, key_col; /* of its key; of the value when it has none */
} slx_chip_node;

typedef struct {
    const char *path; /* for messages */
    const char *text; /* (len) UTF-8 without byte order mark; borrowed */
    size_t len;
    slx_arena arena; /* of the nodes and their strings */
    slx_chip_node *nodes;
    int n_nodes;
    slx_err *err;
} slx_chip_text;

/* Splits t->text into t->nodes (t->arena is the caller's to free). Refuses what is not YAML, and of YAML what a chip
 * file does not need: anchors, aliases, tags, several documents, keys given twice, deep or endless files. */
slx_status slx_chip_scan(slx_chip_text *t);
const slx_chip_node *slx_chip_node_at(const slx_chip_text *t,
                                      const char *path); /* NULL if absent */
/* Fails at a place of the text, with its line for the caret. */
slx_status slx_chip_fail(const slx_chip_text *t, int line, int col, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* ------------------------------------------------------------------ the checks */

bool slx_chip_is_null(const slx_chip_node *n); /* plain null or ~ */
bool slx_chip_is_library(const slx_chip_text *t);
/* Nodes against the table: unknown and missing keys, types, ranges, formats, sources. (chip_check.c) */
slx_status slx_chip_check(const slx_chip_text *t);
/* One value against its key. t->path may be any place. */
slx_status slx_chip_check_key(const slx_chip_text *t, const slx_chip_node *n, const slx_chip_key *k);
uint64_t slx_chip_hash_figures(slx_chip *c); /* (chip_load.c) */
/* Figures against each other. (chip_rules.c) */
slx_status slx_chip_check_rules(const slx_chip *c, const slx_chip_text *t);
/* The same of a published chip. (chip_part.c) */
slx_status slx_chip_check_part(const slx_chip *c, const slx_chip_text *t);
/* Fails at a key of the file; at its section when the key was left to its default. (chip_rules.c) */
slx_status slx_chip_fail_rule(const slx_chip_text *t, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
