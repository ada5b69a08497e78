/* tools.h - how a model writes calls of tools, as its chat template teaches it, and what is said in them.
 *
 *   TAGS   <tool_call>{"name": "f", "arguments": {..}}</tool_call> ...      Qwen, Hermes
 *   BARE   {"name": "f", "parameters": {..}}                                Llama 3
 *   LIST   [TOOL_CALLS][{"name": "f", "arguments": {..}}, ..]               Mistral
 *
 * What stands before the first call is content. A text that looks like a call and is none stays content, whole.
 */
#ifndef SLX_RUN_TOOLS_H
#define SLX_RUN_TOOLS_H

#include "run/run.h"

typedef enum { SLX_TOOLS_NONE, SLX_TOOLS_TAGS, SLX_TOOLS_BARE, SLX_TOOLS_LIST } slx_tool_form;

/* By the template's text; NONE: it has no tools, or a form not known here. */
slx_tool_form slx_tools_form_of(const slx_model *m);
/* How calls are written: open, then one or more of before {"name": NAME, KEY: ARGUMENTS} after, `between` between them,
 * then close. mark: with it calls begin, and no text has it. between NULL: one call is all. */
typedef struct {
    const char *mark, *open, *before, *key, *after, *between, *close;
} slx_tool_frame;
extern const slx_tool_frame slx_tool_frames[];

/* The token that marks calls, where it is a control token (to show in slx_answer); -1 = there is none. */
int64_t slx_tools_marker(slx_tool_form f, const slx_model *m);

/* Bytes of an answer so far that cannot belong to a call, nor to the blanks before one. */
size_t slx_tools_content(slx_tool_form f, const char *text, size_t len);
/* The calls of a whole answer, appended to out as JSON: [{"name": .., "arguments": "{..}"}]; *content: bytes before them.
 * False when there is none: then all of it is content. */
bool slx_tools_parse(slx_tool_form f, const char *text, size_t len, slx_buf *out, size_t *content);

/* Does a text that was cut short, and has no whole calls, end in a call that has begun? *content: bytes before its first
 * call; all of them when false. What has not gone far enough to tell stays content. */
bool slx_tools_begun(slx_tool_form f, const char *text, size_t len, size_t *content);

/* Calls while they are written, of an answer that a grammar holds to the frame (slx_form). All zero at first. */
typedef struct {
    size_t at;      /* bytes of the answer that are done with */
    uint32_t begun; /* calls whose name is known */
    bool inside;    /* of the arguments of the last one */
    int depth;
    bool in_string, escaped;
} slx_tool_stream;

typedef struct {
    bool begins;      /* a call: text is its name, as JSON; else: text is more of the last one's arguments */
    const char *text; /* of the answer */
    size_t len;
} slx_tool_piece;

/* The next piece that text[0..len) has; false when there is none yet. */
bool slx_tools_follow(slx_tool_stream *s, slx_tool_form f, const char *text, size_t len, slx_tool_piece *out);

#endif
