/* grammar_form.c - see grammar_build.h: what a whole answer has to be.
 *
 *   json            the schema, or any object
 *   calls           open (before {"name": .., KEY: ..} after, between ..) close
 *   calls and text  text in which the frame's mark does not come, up to the mark; behind it calls
 */
#include "run/grammar_build.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TEXT = 512 << 10 };

static slx_gr_set all_but(slx_gr_set s)
{
    for (int i = 0; i < 4; i++) s.in[i] = ~s.in[i];
    return s;
}

static void take_out(slx_gr_set *s, unsigned char c)
{
    s->in[c / 64] &= ~((uint64_t)1 << c % 64);
}

/* ------------------------------------------------------------------ calls */

static bool can_follow(const json_t *schema)
{
    slx_gr g = {0};
    slx_err err;
    gr_builder b = {.g = &g, .root = schema, .err = &err};
    gr_fixed_rules(&b);
    uint32_t first = gr_call(&b, gr_rule_of(&b, schema, NULL), gr_end(&b));
    g.rules[GR_ANSWER] = first;
    bool ok = gr_build_rules(&b);
    free(b.of);
    slx_gr_free(&g);
    return ok;
}

/* {"name": NAME, KEY: ARGUMENTS} of one of the functions; SLX_GR_NONE when there is none. */
static uint32_t one_call(gr_builder *b, const json_t *list, const slx_form *f, uint32_t next)
{
    uint32_t x = SLX_GR_NONE, close = gr_text(b, "}", next);
    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *fn = json_object_get(json_array_get(list, i), "function"),
                     *name = json_object_get(fn, "name");
        if (!json_is_string(name) || (f->only && strcmp(f->only, json_string_value(name))))
            continue;
        /* a $ref in the arguments' schema counts from that schema's own top */
        b->root = json_object_get(fn, "parameters");
        bool free_form =
            !b->root || (!json_is_true(json_object_get(fn, "strict")) && !can_follow(b->root));
        uint32_t rule = free_form ? (uint32_t)GR_OBJECT : gr_rule_of(b, b->root, NULL);
        uint32_t one = gr_text(b, "\": ", gr_call(b, rule, close));
        one = gr_text(b, ", \"", gr_text(b, f->frame->key, one));
        one = gr_text(b, "{\"name\": ", gr_literal(b, name, one));
        x = x == SLX_GR_NONE ? one : gr_either(b, one, x);
    }
    return x;
}

static uint32_t calls(gr_builder *b, const json_t *list, const slx_form *f)
{
    const slx_tool_frame *t = f->frame;
    uint32_t close = gr_text(b, t->close, gr_end(b)), again = SLX_GR_NONE;
    bool loops = f->many && t->between;
    if (loops) close = again = gr_loop(b, close);
    uint32_t one = one_call(b, list, f, gr_text(b, t->after, close));
    if (one == SLX_GR_NONE) return gr_fail(b, "there is no function to call%s", "");
    one = gr_text(b, t->before, one);
    if (loops) gr_close_loop(b, again, gr_text(b, t->between, one));
    return gr_text(b, t->open, one);
}

/* ------------------------------------------------------------------ text, then calls */

/* The longest beginning of mark, not all of it, that mark[0..n) followed by c ends with. */
static size_t fall_back(const char *mark, size_t n, unsigned char c)
{
    for (size_t k = n + 1; k > 0; k--)
        if ((unsigned char)mark[k - 1] == c && !memcmp(mark, mark + n + 1 - k, k - 1)) return k;
    return 0;
}

/* Any text; where the mark comes in it (found byte by byte), what follows must be calls: they begin with the mark. */
static uint32_t text_to_mark(gr_builder *b, const char *mark, uint32_t with_mark)
{
    enum { MOST = 32 };
    uint32_t state[MOST], end = gr_end(b), rest = with_mark;
    size_t n = strlen(mark);
    SLX_ASSERT(n && n < MOST);
    for (size_t i = 0; i < n && !b->failed; i++)
        rest = b->g->nodes[rest].next;                         /* the mark's own bytes */
    for (size_t i = 0; i < n; i++) state[i] = gr_loop(b, end); /* it may end anywhere */
    for (size_t i = 0; i < n && !b->failed; i++) {
        slx_gr_set other = all_but((slx_gr_set){0});
        uint32_t x = gr_set_node(b, gr_range((unsigned char)mark[i], (unsigned char)mark[i]),
                                 i + 1 == n ? rest : state[i + 1]);
        take_out(&other, (unsigned char)mark[i]);
        for (size_t k = 0; k < n; k++) { /* bytes that leave a shorter beginning */
            unsigned char c = (unsigned char)mark[k];
            size_t to = fall_back(mark, i, c);
            if (!to || !(other.in[c / 64] >> c % 64 & 1)) continue;
            take_out(&other, c);
            x = gr_either(b, gr_set_node(b, gr_range(c, c), state[to]), x);
        }
        gr_close_loop(b, state[i], gr_either(b, x, gr_set_node(b, other, state[0])));
    }
    return b->failed ? 0 : state[0];
}

/* Where a call is the whole answer: a text that begins otherwise than the mark. */
static uint32_t text_or_calls(gr_builder *b, char mark, uint32_t with_mark)
{
    slx_gr_set blank = gr_any_of(" \t\r\n"), other = all_but(blank);
    uint32_t end = gr_end(b), any = gr_loop(b, end), start = gr_loop(b, end);
    take_out(&other, (unsigned char)mark);
    gr_close_loop(b, any, gr_set_node(b, all_but((slx_gr_set){0}), any));
    uint32_t x = gr_either(b, gr_set_node(b, blank, start), gr_set_node(b, other, any));
    return gr_close_loop(b, start, gr_either(b, x, with_mark));
}

/* ------------------------------------------------------------------ all of it */

static uint32_t answer(gr_builder *b, const slx_form *f, const json_t *schema, const json_t *tools)
{
    uint32_t x = SLX_GR_NONE;
    if (tools) {
        x = calls(b, tools, f);
        if (f->text && !b->failed)
            x = f->frame->mark[1] ? text_to_mark(b, f->frame->mark, x)
                                  : text_or_calls(b, f->frame->mark[0], x);
    }
    if (!f->json || b->failed) return x;
    b->root = schema;
    uint32_t json =
        gr_call(b, schema ? gr_rule_of(b, schema, NULL) : (uint32_t)GR_OBJECT, gr_end(b));
    return x == SLX_GR_NONE ? json : gr_either(b, json, x);
}

static slx_status parse(json_t **out, const char *what, const char *p, size_t len, slx_err *err)
{
    json_error_t at;
    if (!p) return SLX_OK;
    if (len > MOST_TEXT)
        return slx_fail(err, SLX_EUNSUPPORTED, what, 0, 0, "found %zu bytes, expected at most %d",
                        len, MOST_TEXT);
    *out = json_loadb(p, len, JSON_REJECT_DUPLICATES, &at);
    return *out ? SLX_OK
                : slx_fail(err, SLX_EINPUT, what, at.line, at.column, "expected JSON: %s", at.text);
}

slx_status slx_gr_of_form(slx_gr *g, const slx_form *f, slx_err *err)
{
    json_t *schema = NULL, *tools = NULL;
    slx_err own;
    memset(g, 0, sizeof *g);
    if (!err) err = &own;
    SLX_ASSERT(f->json || f->tools);
    slx_status st = parse(&schema, "schema", f->schema, f->schema_len, err);
    if (st == SLX_OK) st = parse(&tools, "tools", f->tools, f->tools_len, err);
    if (st == SLX_OK) {
        gr_builder b = {.g = g, .err = err};
        gr_fixed_rules(&b);
        uint32_t first = answer(&b, f, schema, tools); /* may move g->rules */
        g->rules[GR_ANSWER] = first;
        if (!gr_build_rules(&b)) {
            st = err->code;
            slx_gr_free(g);
        }
        free(b.of);
    }
    json_decref(schema);
    json_decref(tools);
    return st;
}

void slx_gr_free(slx_gr *g)
{
    free(g->nodes);
    free(g->sets);
    free(g->rules);
    memset(g, 0, sizeof *g);
}
