/* yaml.h - the text of a YAML file as a flat list of nodes, each with its place, for files that people write: chips,
 * cases. What passes the scan holds no anchor, alias, tag, second document or repeated key, and no path stands twice.
 */
#ifndef SLX_BASE_YAML_H
#define SLX_BASE_YAML_H

#include "base/base.h"

typedef enum { SLX_YAML_MAP, SLX_YAML_LIST, SLX_YAML_SCALAR } slx_yaml_kind;

/* One value of the file, in the order of the file: a node stands after its parent. */
typedef struct {
    slx_yaml_kind kind;
    int parent;            /* index; -1 for the root */
    const char *path;      /* "hbm.gib", "isa.formats[2]", "" for the root */
    const char *name;      /* last part of path: "gib", "[2]" */
    const char *text;      /* of a scalar */
    bool plain;            /* scalar without quotes */
    int line, col;         /* of the value, from 1 */
    int key_line, key_col; /* of its key; of the value when it has none */
} slx_yaml_node;

enum { SLX_YAML_DEPTH_MAX = 8, SLX_YAML_NODES_MAX = 4096 };

typedef struct {
    const char *path; /* for messages */
    const char *what; /* what the file is, for messages: "chip" */
    int depth;        /* mappings and lists that may be open at once, at most SLX_YAML_DEPTH_MAX */
    const char *text; /* (len) UTF-8 without byte order mark; borrowed */
    size_t len;
    slx_arena arena; /* of the nodes and their strings */
    slx_yaml_node *nodes;
    int n_nodes;
    slx_err *err;
} slx_yaml;

/* Splits t->text into t->nodes (t->arena is the caller's to free). Refuses what is not YAML, and of YAML what our files
 * do not need: anchors, aliases, tags, several documents, keys given twice, deep or endless files. */
slx_status slx_yaml_scan(slx_yaml *t);
const slx_yaml_node *slx_yaml_at(const slx_yaml *t, const char *path); /* NULL if absent */
/* Fails at a place of the text, with its line for the caret. */
slx_status slx_yaml_fail(const slx_yaml *t, int line, int col, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

bool slx_yaml_is_null(const slx_yaml_node *n); /* plain null or ~ */
/* One line of text of least to most bytes; nothing that moves a terminal's cursor. */
bool slx_yaml_is_line(const slx_yaml_node *n, size_t least, size_t most);
/* What stands in the file: 12, "fast", a list. Long text is cut. */
const char *slx_yaml_found(char out[96], const slx_yaml_node *n);
/* "PATH: found X, expected Y" at the node. */
slx_status slx_yaml_fail_found(const slx_yaml *t, const slx_yaml_node *n, const char *expected);
/* "PATH: unknown key (did you mean X?), expected one of names" at the node. */
slx_status slx_yaml_unknown(const slx_yaml *t, const slx_yaml_node *n, const char *const *names, int n_names);

#endif
