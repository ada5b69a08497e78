/* fuzz_schema.c - any bytes as a JSON schema, a pattern, or a list of functions: refused in a message of text, or a
 * grammar whose nodes lead to nodes. The first byte chooses among them, and how calls are written. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "run/grammar_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const slx_gr *g)
{
    SLX_ASSERT(g->n_rules && g->n_nodes);
    for (uint32_t i = 0; i < g->n_rules; i++) SLX_ASSERT(g->rules[i] < g->n_nodes);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const slx_gr_node *n = &g->nodes[i];
        SLX_ASSERT(n->kind == SLX_GR_END || n->next < g->n_nodes);
        SLX_ASSERT(n->kind != SLX_GR_SET || n->arg < g->n_sets);
        SLX_ASSERT(n->kind != SLX_GR_SPLIT || n->arg < g->n_nodes);
        SLX_ASSERT(n->kind != SLX_GR_CALL || n->arg < g->n_rules);
    }
}

static void try(const slx_form *form)
{
    slx_gr g;
    slx_err err = {0};
    if (slx_gr_of_form(&g, form, &err) == SLX_OK) {
        check(&g);
        slx_gr_free(&g);
    } else {
        SLX_ASSERT(err.msg[0] && strnlen(err.msg, sizeof err.msg) < sizeof err.msg);
    }
}

/* The bytes as a pattern, where they are text. */
static void try_pattern(const char *p, size_t len)
{
    json_t *schema = json_pack("{s:s, s:s%}", "type", "string", "pattern", p, len);
    char *text = schema ? json_dumps(schema, JSON_COMPACT) : NULL;
    if (text) try(&(slx_form){.json = true, .schema = text, .schema_len = strlen(text)});
    free(text);
    json_decref(schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    const char *p = (const char *)data + 1;
    slx_form calls = {.tools = p, .tools_len = size - 1, .many = data[0] & 1};
    static const slx_tool_form forms[] = {SLX_TOOLS_TAGS, SLX_TOOLS_BARE, SLX_TOOLS_LIST};
    calls.frame = &slx_tool_frames[forms[data[0] / 8 % 3]];
    switch (data[0] % 8 / 2) {
    case 0: try(&(slx_form){.json = true, .schema = p, .schema_len = size - 1}); break;
    case 1: try_pattern(p, size - 1); break;
    case 2: calls.text = true; /* fall through */
    default: try(&calls);
    }
    return 0;
}
