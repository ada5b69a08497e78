/* tools.c - see tools.h. */
#include "run/tools.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

const slx_tool_frame slx_tool_frames[] = {
    [SLX_TOOLS_TAGS] = {"<tool_call>", "", "<tool_call>\n", "arguments", "\n</tool_call>", "\n",
                        ""},
    [SLX_TOOLS_BARE] = {"{", "", "", "parameters", "", NULL, ""},
    [SLX_TOOLS_LIST] = {"[TOOL_CALLS]", "[TOOL_CALLS][", "", "arguments", "", ", ", "]"},
};
static const char close_tag[] = "</tool_call>";

static bool holds(slx_str text, const char *what)
{
    return memmem(text.ptr, text.len, what, strlen(what)) != NULL;
}

slx_tool_form slx_tools_form_of(const slx_model *m)
{
    if (!m->chat) return SLX_TOOLS_NONE;
    slx_str t = slx_template_text(m->chat);
    if (!holds(t, "tools")) return SLX_TOOLS_NONE;
    if (holds(t, "<tool_call>") && holds(t, "</tool_call>")) return SLX_TOOLS_TAGS;
    if (holds(t, "[TOOL_CALLS]")) return SLX_TOOLS_LIST;
    if (holds(t, "<|start_header_id|>") && holds(t, "\"parameters\"")) return SLX_TOOLS_BARE;
    return SLX_TOOLS_NONE;
}

int64_t slx_tools_marker(slx_tool_form f, const slx_model *m)
{
    slx_buf ids = {0};
    int64_t id = -1;
    if (f != SLX_TOOLS_TAGS && f != SLX_TOOLS_LIST) return -1;
    const char *mark = slx_tool_frames[f].mark;
    if (slx_tokenize(m->tok, mark, strlen(mark), true, &ids, NULL) == SLX_OK && ids.len == 4) {
        id = *(const uint32_t *)(const void *)ids.ptr;
        if (!slx_tok_is_control(m->tok, (uint32_t)id)) id = -1;
    }
    slx_buf_free(&ids);
    return id;
}

static size_t skip_blank(const char *p, size_t at, size_t len)
{
    while (at < len && (p[at] == ' ' || p[at] == '\n' || p[at] == '\r' || p[at] == '\t')) at++;
    return at;
}

/* The first n bytes without the blanks at their end. */
static size_t without_blanks(const char *p, size_t n)
{
    while (n && skip_blank(p, n - 1, n) == n) n--;
    return n;
}

size_t slx_tools_content(slx_tool_form f, const char *text, size_t len)
{
    if (f == SLX_TOOLS_NONE) return len;
    if (f == SLX_TOOLS_BARE) { /* a call is the whole answer */
        size_t at = skip_blank(text, 0, len);
        return at == len || text[at] == '{' ? 0 : len;
    }
    const char *tag = slx_tool_frames[f].mark,
               *found = len ? memmem(text, len, tag, strlen(tag)) : NULL;
    if (found) return without_blanks(text, (size_t)(found - text));
    for (size_t n = strlen(tag) - 1; n > 0; n--) /* its beginning may stand at the end */
        if (n <= len && !memcmp(text + len - n, tag, n)) return without_blanks(text, len - n);
    return without_blanks(text, len);
}

/* Adds one call; false when j is none. */
static bool add_call(json_t *calls, const json_t *j, const char *key)
{
    const json_t *name = json_object_get(j, "name"), *args = json_object_get(j, key);
    if (!json_is_string(name) || !json_is_object(args)) return false;
    char *text = json_dumps(args, JSON_COMPACT);
    json_array_append_new(calls, json_pack("{s:O, s:s}", "name", name, "arguments", text));
    free(text);
    return true;
}

/* One after the other, blanks between them, up to the end of the text. */
static bool tags(json_t *calls, const char *p, size_t at, size_t len)
{
    const char *mark = slx_tool_frames[SLX_TOOLS_TAGS].mark;
    while (at < len) {
        if (len - at < strlen(mark) || memcmp(p + at, mark, strlen(mark))) return false;
        at += strlen(mark);
        const char *end = memmem(p + at, len - at, close_tag, sizeof close_tag - 1);
        size_t n =
            end ? (size_t)(end - p) - at : len - at; /* the turn may end before the tag is closed */
        json_t *j = json_loadb(p + at, n, JSON_REJECT_DUPLICATES, NULL);
        bool ok = add_call(calls, j, "arguments");
        json_decref(j);
        if (!ok) return false;
        at = skip_blank(p, at + n + (end ? sizeof close_tag - 1 : 0), len);
    }
    return json_array_size(calls) > 0;
}

static bool list(json_t *calls, const char *p, size_t len)
{
    json_t *j = json_loadb(p, len, JSON_REJECT_DUPLICATES, NULL);
    bool ok = json_array_size(j) > 0;
    for (size_t i = 0; i < json_array_size(j); i++)
        ok = ok && add_call(calls, json_array_get(j, i), "arguments");
    json_decref(j);
    return ok;
}

static bool bare(json_t *calls, const char *p, size_t len)
{
    json_t *j = json_loadb(p, len, JSON_REJECT_DUPLICATES, NULL);
    bool ok = add_call(calls, j, "parameters");
    json_decref(j);
    return ok;
}

bool slx_tools_parse(slx_tool_form f, const char *text, size_t len, slx_buf *out, size_t *content)
{
    size_t before = slx_tools_content(f, text, len), at = skip_blank(text, before, len);
    *content = len;
    if (f == SLX_TOOLS_NONE || at == len) return false;
    json_t *calls = json_array();
    size_t tag = strlen(slx_tool_frames[f].mark);
    bool ok = f == SLX_TOOLS_TAGS ? tags(calls, text, at, len)
              : f == SLX_TOOLS_BARE
                  ? bare(calls, text, len)
                  : len - at > tag && list(calls, text + at + tag, len - at - tag);
    if (ok) {
        char *t = json_dumps(calls, JSON_COMPACT);
        slx_buf_adds(out, t);
        free(t);
        *content = before;
    }
    json_decref(calls);
    return ok;
}

/* ------------------------------------------------------------------ while they are written */

/* Behind the closing quote of the JSON string that begins at `at`; 0 = it is not there yet. */
static size_t string_end(const char *p, size_t at, size_t len)
{
    for (size_t i = at + 1; i < len; i++) {
        if (p[i] == '\\')
            i++;
        else if (p[i] == '"')
            return i + 1;
    }
    return 0;
}

static const char opening[] = "{\"name\": ";

bool slx_tools_begun(slx_tool_form f, const char *text, size_t len, size_t *content)
{
    *content = len;
    if (f == SLX_TOOLS_NONE) return false;
    const char *mark = slx_tool_frames[f].mark;
    size_t before = slx_tools_content(f, text, len), at = skip_blank(text, before, len),
           n = strlen(mark), whole = sizeof opening - 1;
    if (len - at < n || memcmp(text + at, mark, n)) return false;
    if (f != SLX_TOOLS_BARE) at = skip_blank(text, at + n, len);
    if (f == SLX_TOOLS_LIST && at < len && text[at] == '[') at = skip_blank(text, at + 1, len);
    if (f == SLX_TOOLS_BARE && len - at < whole) return false; /* as JSON begins */
    if (memcmp(text + at, opening, len - at < whole ? len - at : whole)) return false;
    *content = before;
    return true;
}

/* {"name": NAME, "KEY": and nothing of it missing. */
static bool follow_name(slx_tool_stream *s, slx_tool_form f, const char *p, size_t len,
                        slx_tool_piece *out)
{
    char key[64];
    const char *found =
        len > s->at ? memmem(p + s->at, len - s->at, opening, sizeof opening - 1) : NULL;
    if (!found) return false;
    size_t name = (size_t)(found - p) + sizeof opening - 1,
           end = name < len ? string_end(p, name, len) : 0,
           n = (size_t)snprintf(key, sizeof key, ", \"%s\": ", slx_tool_frames[f].key);
    if (!end || len - end < n || memcmp(p + end, key, n)) return false;
    *out = (slx_tool_piece){true, p + name, end - name};
    *s = (slx_tool_stream){.at = end + n, .begun = s->begun + 1, .inside = true};
    return true;
}

/* Moves over one byte of the arguments; false behind their last one. */
static bool within(slx_tool_stream *s, char c)
{
    if (s->escaped) {
        s->escaped = false;
    } else if (s->in_string) {
        s->escaped = c == '\\';
        s->in_string = c != '"';
    } else if (c == '"') {
        s->in_string = true;
    } else if (c == '{' || c == '[') {
        s->depth++;
    } else if (c == '}' || c == ']') {
        s->depth--;
    }
    return s->depth > 0 || s->in_string;
}

bool slx_tools_follow(slx_tool_stream *s, slx_tool_form f, const char *text, size_t len,
                      slx_tool_piece *out)
{
    if (!s->inside) return follow_name(s, f, text, len, out);
    size_t from = s->at;
    while (s->at < len && s->inside) s->inside = within(s, text[s->at++]);
    *out = (slx_tool_piece){false, text + from, s->at - from};
    return s->at > from;
}
