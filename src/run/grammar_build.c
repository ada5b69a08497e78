/* grammar_build.c - see grammar_build.h: nodes, rules, literal text. */
#include "run/grammar_build.h"

#include <string.h>

uint32_t gr_fail(gr_builder *b, const char *fmt, const char *what)
{
    if (!b->failed) slx_fail(b->err, SLX_EUNSUPPORTED, "schema", 0, 0, fmt, what);
    b->failed = true;
    return 0;
}

uint32_t gr_node(gr_builder *b, slx_gr_kind kind, uint32_t next, uint32_t arg)
{
    slx_gr *g = b->g;
    if (g->n_nodes == SLX_GR_MOST_NODES) return gr_fail(b, "the schema is too large%s", "");
    if (g->n_nodes == g->cap_nodes) {
        g->cap_nodes = g->cap_nodes ? 2 * g->cap_nodes : 256;
        g->nodes = slx_xrealloc(g->nodes, g->cap_nodes * sizeof *g->nodes);
    }
    g->nodes[g->n_nodes] = (slx_gr_node){kind, next, arg};
    return g->n_nodes++;
}

uint32_t gr_set_node(gr_builder *b, slx_gr_set s, uint32_t next)
{
    slx_gr *g = b->g;
    uint16_t *recent =
        &b->recent[slx_hash_of(&s, sizeof s) % (sizeof b->recent / sizeof *b->recent)];
    uint32_t i = *recent ? *recent - 1u : g->n_sets;
    if (i == g->n_sets || memcmp(&g->sets[i], &s, sizeof s)) {
        i = g->n_sets;
        if (i == UINT16_MAX) return gr_fail(b, "the schema is too large%s", "");
        if (g->n_sets == g->cap_sets) {
            g->cap_sets = g->cap_sets ? 2 * g->cap_sets : 64;
            g->sets = slx_xrealloc(g->sets, g->cap_sets * sizeof *g->sets);
        }
        g->sets[g->n_sets++] = s;
        *recent = (uint16_t)g->n_sets;
    }
    return gr_node(b, SLX_GR_SET, next, i);
}

slx_gr_set gr_range(unsigned low, unsigned high)
{
    slx_gr_set s = {0};
    for (unsigned c = low; c <= high; c++) s.in[c / 64] |= (uint64_t)1 << c % 64;
    return s;
}

slx_gr_set gr_any_of(const char *chars)
{
    slx_gr_set s = {0};
    for (; *chars; chars++)
        s.in[(unsigned char)*chars / 64] |= (uint64_t)1 << (unsigned char)*chars % 64;
    return s;
}

static uint32_t bytes(gr_builder *b, const char *p, size_t n, uint32_t next)
{
    while (n--) next = gr_set_node(b, gr_range((unsigned char)p[n], (unsigned char)p[n]), next);
    return next;
}

uint32_t gr_text(gr_builder *b, const char *p, uint32_t next)
{
    return bytes(b, p, strlen(p), next);
}

uint32_t gr_end(gr_builder *b)
{
    return gr_node(b, SLX_GR_END, 0, 0);
}

uint32_t gr_either(gr_builder *b, uint32_t x, uint32_t y)
{
    return gr_node(b, SLX_GR_SPLIT, x, y);
}

uint32_t gr_call(gr_builder *b, uint32_t rule, uint32_t next)
{
    return gr_node(b, SLX_GR_CALL, next, rule);
}

uint32_t gr_loop(gr_builder *b, uint32_t next)
{
    return gr_node(b, SLX_GR_SPLIT, 0, next);
}

uint32_t gr_close_loop(gr_builder *b, uint32_t loop, uint32_t again)
{
    if (!b->failed) b->g->nodes[loop].next = again;
    return loop;
}

uint32_t gr_rule_of(gr_builder *b, const json_t *schema, const char *key)
{
    slx_gr *g = b->g;
    for (uint32_t i = GR_N_FIXED; i < g->n_rules; i++)
        if (b->of[i].schema == schema && b->of[i].key == key) return i;
    if (g->n_rules == SLX_GR_MOST_RULES) return gr_fail(b, "the schema is too large%s", "");
    if (g->n_rules == g->cap_rules) {
        g->cap_rules = g->cap_rules ? 2 * g->cap_rules : 64;
        g->rules = slx_xrealloc(g->rules, g->cap_rules * sizeof *g->rules);
        b->of = slx_xrealloc(b->of, g->cap_rules * sizeof *b->of);
    }
    g->rules[g->n_rules] = SLX_GR_NONE;
    b->of[g->n_rules].schema = schema;
    b->of[g->n_rules].key = key;
    b->of[g->n_rules].root = b->root;
    return g->n_rules++;
}
