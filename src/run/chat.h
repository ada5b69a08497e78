/* chat.h - what a server knows of a model's prompts: messages to tokens, text to tokens and back. */
#ifndef SLX_RUN_CHAT_H
#define SLX_RUN_CHAT_H

#include "run/run.h"

/* vars: the text of a JSON object with "messages", and whatever else the template is to see ("tools", keyword
 * arguments). Set here unless they are there: bos_token, eos_token, add_generation_prompt true, tools null. User text
 * cannot make control tokens. Refuses a model without a template. */
slx_status slx_chat_tokens(const slx_model *m, const char *vars, size_t len, slx_buf *ids, slx_err *err);

/* Text as a completion's prompt: BOS where the model wants it, no control tokens from the text. */
slx_status slx_text_tokens(const slx_model *m, const char *text, size_t len, slx_buf *ids, slx_err *err);

/* Ids as text; control tokens as they are written when special. Refuses ids outside the vocabulary. */
slx_status slx_tokens_text(const slx_model *m, const uint32_t *ids, size_t n, bool special, slx_buf *out, slx_err *err);

#endif
