/* yaml.c - see yaml.h.
 *
 * libcyaml fills structures but forgets where their values stood, and it trusts its input more than a stranger's file
 * deserves. So libyaml's events are walked here first: every limit below is reached before memory or time is, and
 * what passes holds no anchor, alias, tag, second document or repeated key.
 *
 *   hbm:            nodes[1]  MAP     "hbm"
 *     gib: 36       nodes[2]  SCALAR  "hbm.gib"   text "36", line 2, col 8
 */
#include "base/yaml.h"

#include <stdarg.h>
#include <string.h>
#include <yaml.h>

enum {
    TEXT_BYTES_MAX = 1 << 20,
    KEY_BYTES_MAX = 63,
    SCALAR_BYTES_MAX = 1000,
};

/* A mapping or list whose end has not come. */
typedef struct {
    int node;
    int items;       /* of a list */
    const char *key; /* of a mapping: read, its value not yet */
    int key_line, key_col;
} open_node;

typedef struct {
    slx_yaml *t;
    int cap;
    open_node stack[SLX_YAML_DEPTH_MAX];
    int depth;
    int documents;
} scan;

static void line_of(const slx_yaml *t, int line, const char **beg, size_t *len)
{
    const char *p = t->text, *end = t->text + t->len;
    for (int i = 1; i < line && p < end; i++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        p = nl ? nl + 1 : end;
    }
    const char *nl = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
    *beg = p;
    *len = (size_t)((nl ? nl : end) - p);
    if (*len && p[*len - 1] == '\r') --*len;
}

slx_status slx_yaml_fail(const slx_yaml *t, int line, int col, const char *fmt, ...)
{
    char msg[sizeof t->err->msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    slx_fail(t->err, SLX_EINPUT, t->path, line, col, "%s", msg);
    if (t->err && line > 0) {
        const char *beg;
        size_t len;
        line_of(t, line, &beg, &len);
        if (len >= sizeof t->err->source) { /* cut between characters */
            len = sizeof t->err->source - 1;
            while (len && ((unsigned char)beg[len] & 0xc0) == 0x80) len--;
        }
        if (len) memcpy(t->err->source, beg, len);
        t->err->source[len] = 0;
    }
    return SLX_EINPUT;
}

static slx_status fail_at(const scan *s, yaml_mark_t m, const char *what)
{
    return slx_yaml_fail(s->t, (int)m.line + 1, (int)m.column + 1, "%s", what);
}

/* libyaml gives a place to what its scanner and parser refuse, and only a byte offset to what its reader does. */
static slx_status fail_parser(const scan *s, const yaml_parser_t *p)
{
    const char *problem = p->problem ? p->problem : "unknown reason";
    if (p->error != YAML_READER_ERROR) {
        yaml_mark_t m = p->problem_mark;
        return slx_yaml_fail(s->t, (int)m.line + 1, (int)m.column + 1, "not YAML: %s%s%s",
                             p->context ? p->context : "", p->context ? ": " : "", problem);
    }
    int line = 1, col = 1;
    for (size_t i = 0; i < p->problem_offset && i < s->t->len; i++, col++)
        if (s->t->text[i] == '\n') {
            line++;
            col = 0;
        }
    return slx_yaml_fail(s->t, line, col, "not YAML: %s", problem);
}

/* Appends a node whose path follows from what is open; a mapping's pending key is used up. */
static slx_status add_node(scan *s, slx_yaml_kind kind, yaml_mark_t mark)
{
    slx_yaml *t = s->t;
    if (t->n_nodes == SLX_YAML_NODES_MAX) {
        return slx_yaml_fail(t, (int)mark.line + 1, (int)mark.column + 1,
                             "more than %d values, far beyond any %s", SLX_YAML_NODES_MAX, t->what);
    }
    if (t->n_nodes == s->cap) { /* the arena keeps the old array: twice the last at most */
        int cap = s->cap ? 2 * s->cap : 256;
        slx_yaml_node *n = slx_new(&t->arena, slx_yaml_node, cap);
        if (t->n_nodes) memcpy(n, t->nodes, (size_t)t->n_nodes * sizeof *n);
        t->nodes = n;
        s->cap = cap;
    }
    slx_yaml_node *n = &t->nodes[t->n_nodes++];
    *n = (slx_yaml_node){.kind = kind,
                         .parent = -1,
                         .path = "",
                         .name = "",
                         .text = "",
                         .line = (int)mark.line + 1,
                         .col = (int)mark.column + 1};
    n->key_line = n->line;
    n->key_col = n->col;
    if (!s->depth) return SLX_OK;
    open_node *o = &s->stack[s->depth - 1];
    const slx_yaml_node *up = &t->nodes[o->node];
    n->parent = o->node;
    if (up->kind == SLX_YAML_LIST) {
        n->name = slx_sprintf(&t->arena, "[%d]", o->items++);
        n->path = slx_sprintf(&t->arena, "%s%s", up->path, n->name);
    } else {
        n->name = o->key;
        n->path = *up->path ? slx_sprintf(&t->arena, "%s.%s", up->path, o->key) : o->key;
        n->key_line = o->key_line;
        n->key_col = o->key_col;
        o->key = NULL;
    }
    return SLX_OK;
}

static slx_status open_one(scan *s, slx_yaml_kind kind, yaml_mark_t mark)
{
    if (s->depth == s->t->depth)
        return slx_yaml_fail(s->t, (int)mark.line + 1, (int)mark.column + 1,
                             "nested deeper than a %s file ever is", s->t->what);
    SLX_TRY(add_node(s, kind, mark));
    s->stack[s->depth++] = (open_node){.node = s->t->n_nodes - 1};
    return SLX_OK;
}

static slx_status take_key(scan *s, open_node *o, const char *text, size_t len, yaml_mark_t mark)
{
    slx_yaml *t = s->t;
    const char *up = t->nodes[o->node].path;
    int line = (int)mark.line + 1, col = (int)mark.column + 1;
    if (!len || len > KEY_BYTES_MAX || memchr(text, 0, len))
        return slx_yaml_fail(t, line, col, "%s%sfound a key of %zu bytes, expected 1 to %d", up,
                             *up ? ": " : "", len, KEY_BYTES_MAX);
    if (text[strcspn(text, ".[]")]) /* paths are made of these */
        return slx_yaml_fail(t, line, col,
                             "%s%sfound a key with . or [ or ] in it, expected a name", up,
                             *up ? ": " : "");
    for (int i = o->node + 1; i < t->n_nodes; i++)
        if (t->nodes[i].parent == o->node && !strcmp(t->nodes[i].name, text))
            return slx_yaml_fail(t, line, col, "%s: found a second time, first on line %d",
                                 t->nodes[i].path, t->nodes[i].key_line);
    o->key = slx_strdup(&t->arena, text);
    o->key_line = line;
    o->key_col = col;
    return SLX_OK;
}

static slx_status take_scalar(scan *s, const yaml_event_t *e)
{
    const char *text = (const char *)e->data.scalar.value; /* libyaml ends it with a NUL */
    size_t len = e->data.scalar.length;
    open_node *o = s->depth ? &s->stack[s->depth - 1] : NULL;
    if (o && s->t->nodes[o->node].kind == SLX_YAML_MAP && !o->key)
        return take_key(s, o, text, len, e->start_mark);
    SLX_TRY(add_node(s, SLX_YAML_SCALAR, e->start_mark));
    slx_yaml_node *n = &s->t->nodes[s->t->n_nodes - 1];
    if (len > SCALAR_BYTES_MAX || memchr(text, 0, len))
        return slx_yaml_fail(s->t, n->line, n->col,
                             "%s: found a value of %zu bytes%s, expected at most %d", n->path, len,
                             memchr(text, 0, len) ? " with a NUL" : "", SCALAR_BYTES_MAX);
    n->text = slx_strdup(&s->t->arena, text);
    n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return SLX_OK;
}

/* Anchors make small files large, tags change what a value is: neither has a use here. */
static slx_status refuse_extras(const scan *s, const yaml_event_t *e)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
        break;
    case YAML_ALIAS_EVENT: anchor = e->data.alias.anchor; break;
    default: break;
    }
    if (anchor)
        return fail_at(s, e->start_mark, "found an anchor or alias, expected the value itself");
    if (tag) return fail_at(s, e->start_mark, "found a tag (!), expected the value alone");
    return SLX_OK;
}

static slx_status take_event(scan *s, const yaml_event_t *e)
{
    SLX_TRY(refuse_extras(s, e));
    const open_node *o = s->depth ? &s->stack[s->depth - 1] : NULL;
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (s->documents++)
            return fail_at(s, e->start_mark, "found a second document, expected one a file");
        return SLX_OK;
    case YAML_SCALAR_EVENT: return take_scalar(s, e);
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        if (o && s->t->nodes[o->node].kind == SLX_YAML_MAP && !o->key)
            return fail_at(s, e->start_mark, "found a list or mapping as a key, expected a name");
        return open_one(s, e->type == YAML_MAPPING_START_EVENT ? SLX_YAML_MAP : SLX_YAML_LIST,
                        e->start_mark);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT: s->depth--; return SLX_OK;
    default: return SLX_OK;
    }
}

static slx_status scan_events(scan *s, yaml_parser_t *p)
{
    for (bool end = false; !end;) {
        yaml_event_t e;
        if (!yaml_parser_parse(p, &e)) return fail_parser(s, p);
        slx_status st = take_event(s, &e);
        end = e.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
        if (st) return st;
    }
    return SLX_OK;
}

slx_status slx_yaml_scan(slx_yaml *t)
{
    if (t->len > TEXT_BYTES_MAX)
        return slx_fail(t->err, SLX_EINPUT, t->path, 0, 0,
                        "found %zu bytes, expected a %s file of at most %d", t->len, t->what,
                        TEXT_BYTES_MAX);
    if (!slx_utf8_valid(t->text, t->len))
        return slx_fail(t->err, SLX_EINPUT, t->path, 0, 0,
                        "found bytes that are not UTF-8, expected a %s file", t->what);
    yaml_parser_t p;
    if (!yaml_parser_initialize(&p))
        return slx_fail(t->err, SLX_ENOMEM, t->path, 0, 0, "no memory for the YAML parser");
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, (const unsigned char *)t->text, t->len);
    scan s = {.t = t};
    slx_status st = scan_events(&s, &p);
    yaml_parser_delete(&p);
    if (!st && !t->n_nodes)
        st = slx_fail(t->err, SLX_EINPUT, t->path, 0, 0, "found an empty file, expected a %s",
                      t->what);
    return st;
}

const slx_yaml_node *slx_yaml_at(const slx_yaml *t, const char *path)
{
    for (int i = 0; i < t->n_nodes; i++)
        if (!strcmp(t->nodes[i].path, path)) return &t->nodes[i];
    return NULL;
}

/* ------------------------------------------------------------------ what a node says */

bool slx_yaml_is_null(const slx_yaml_node *n)
{
    return n->kind == SLX_YAML_SCALAR && n->plain &&
           (!strcmp(n->text, "null") || !strcmp(n->text, "~"));
}

/* What stands in the file: 12, "fast", a list. Long text is cut. */
const char *slx_yaml_found(char out[96], const slx_yaml_node *n)
{
    enum { SHOWN = 48 };
    size_t len = strlen(n->text), cut = len < SHOWN ? len : SHOWN;
    while (cut && cut < len && ((unsigned char)n->text[cut] & 0xc0) == 0x80) cut--;
    if (n->kind == SLX_YAML_MAP) return "a mapping";
    if (n->kind == SLX_YAML_LIST) return "a list";
    if (!len && n->plain) return "nothing";
    bool number = n->plain && !n->text[strspn(n->text, "0123456789+-.eE")];
    const char *quote = number ? "" : "\"";
    snprintf(out, 96, "%s%.*s%s%s%s", quote, (int)cut, n->text, cut < len ? "..." : "", quote,
             len && !n->plain && !n->text[strspn(n->text, "0123456789.")] ? " in quotes" : "");
    return out;
}

slx_status slx_yaml_fail_found(const slx_yaml *t, const slx_yaml_node *n, const char *expected)
{
    char f[96];
    return slx_yaml_fail(t, n->line, n->col, "%s: found %s, expected %s", n->path,
                         slx_yaml_found(f, n), expected);
}

/* One line of text; nothing that moves a terminal's cursor. */
bool slx_yaml_is_line(const slx_yaml_node *n, size_t least, size_t most)
{
    size_t len = strlen(n->text);
    if (n->kind != SLX_YAML_SCALAR || len < least || len > most) return false;
    if (n->plain && (!strcmp(n->text, "~") || !strcmp(n->text, "null"))) return false;
    for (const char *p = n->text, *end = p + len; p < end;) {
        uint32_t cp;
        int step = slx_utf8_get(p, end, &cp);
        if (!step || cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) return false;
        p += step;
    }
    return true;
}

slx_status slx_yaml_unknown(const slx_yaml *t, const slx_yaml_node *n, const char *const *names,
                            int n_names)
{
    slx_buf b = {0};
    for (int i = 0; i < n_names; i++) slx_buf_addf(&b, "%s%s", i ? ", " : "", names[i]);
    const char *near = slx_nearest(n->name, names, n_names);
    slx_status s = slx_yaml_fail(
        t, n->key_line, n->key_col, "%s: unknown key%s%s%s, expected one of %s", n->path,
        near ? " (did you mean " : "", near ? near : "", near ? "?)" : "", b.ptr);
    slx_buf_free(&b);
    return s;
}
