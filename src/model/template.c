/* template.c - the chat template's two public functions: parse once into an arena, render as often as wanted.
 *
 * A parsed template never changes, so threads may render it at the same time. A render owns one arena and one JSON
 * document; both go at its end, whichever way it ends.
 */
#include "model/template_int.h"

#include <jansson.h>
#include <stdarg.h>
#include <string.h>

/* Where tpl_syntax jumps to: false with the error filled in. */
static bool parse(tpl_parse *p) {
    if (setjmp(p->jmp)) return false;
    tpl_lex(p);
    p->t->body = tpl_parse_tokens(p);
    return true;
}

slx_status slx_template_parse(slx_template **out, slx_arena *a, const char *name, const char *text, size_t len,
                              slx_err *err) {
    *out = NULL;
    if (len > TPL_MAX_TEXT)
        return slx_fail(err, SLX_EINPUT, name, 0, 0, "found a template of %zu bytes, expected at most %zu", len,
                        TPL_MAX_TEXT);
    if (len && !slx_utf8_valid(text, len)) return slx_fail(err, SLX_EINPUT, name, 0, 0, "found text that is not UTF-8");
    slx_template *t = slx_new(a, slx_template, 1);
    t->name = slx_strdup(a, name);
    char *copy = slx_push(a, len + 1, 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n') continue;
        copy[n++] = text[i] == '\r' ? '\n' : text[i];
    }
    if (n && copy[n - 1] == '\n') n--;
    t->text = copy;
    t->len = n;
    tpl_parse p = {.t = t, .arena = a, .err = err};
    slx_arena_init(&p.scratch);
    bool ok = parse(&p);
    slx_arena_deinit(&p.scratch);
    if (!ok) return SLX_EINPUT;
    *out = t;
    return SLX_OK;
}

_Noreturn void tpl_error(tpl_run *r, const char *fmt, ...) {
    char msg[700];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    if (r->at) tpl_place(r->t, r->err, r->at->off, msg);
    else slx_fail(r->err, SLX_EINPUT, r->t->name, 0, 0, "%s", msg);
    longjmp(r->jmp, 1);
}

void tpl_cost(tpl_run *r, size_t n) {
    r->steps += n / 16 + (n > 0);
    if (r->steps > TPL_MAX_STEPS) tpl_error(r, "found more work than %u steps", TPL_MAX_STEPS);
}

void *tpl_alloc(tpl_run *r, size_t bytes) {
    if (bytes > TPL_MAX_MEM - r->mem_bytes) tpl_error(r, "found a need of more than %zu bytes of memory", TPL_MAX_MEM);
    r->mem_bytes += bytes;
    return slx_push(&r->arena, bytes ? bytes : 1, 8);
}

void tpl_enter(tpl_run *r) {
    if (++r->depth > TPL_MAX_DEPTH) tpl_error(r, "found more than %d levels of nesting", TPL_MAX_DEPTH);
}

void tpl_leave(tpl_run *r) { r->depth--; }

/* Where tpl_error jumps to: false with the error filled in. */
static bool run(tpl_run *r, tpl_sink *sink, const char *vars_json, size_t len) {
    if (setjmp(r->jmp)) return false;
    tpl_sink_init(r, sink, 1024);
    r->out = sink;
    tpl_run_body(r, tpl_read_vars(r, vars_json, len));
    return true;
}

slx_status slx_template_render(const slx_template *t, const char *vars_json, size_t len, const char *now_iso,
                               slx_rendered *out, slx_err *err) {
    tpl_run r = {.t = t, .err = err, .now_iso = now_iso};
    tpl_sink sink;
    slx_arena_init(&r.arena);
    bool ok = run(&r, &sink, vars_json, len);
    if (ok) {
        slx_buf_add(&out->text, sink.p, sink.n);
        slx_buf_add(&out->user, sink.m, sink.n);
    }
    if (r.json) json_decref(r.json);
    slx_arena_deinit(&r.arena);
    return ok ? SLX_OK : SLX_EINPUT;
}

slx_str slx_template_text(const slx_template *t) { return (slx_str){t->text, t->len}; }

void slx_rendered_free(slx_rendered *r) {
    slx_buf_free(&r->text);
    slx_buf_free(&r->user);
    *r = (slx_rendered){0};
}
