/* answer.h - tokens of an answer as the text a client gets, while it is made.
 *
 *   token --detokenise--> bytes --whole UTF-8--> text --stop strings held back--> out
 *
 * Invariant: everything given out, joined, is the answer's text up to (without) the first stop string; a part of a
 * character, and what may still become a stop string, waits inside.
 */
#ifndef SLX_RUN_ANSWER_H
#define SLX_RUN_ANSWER_H

#include "run/run.h"

enum { SLX_MAX_STOPS = 16 };

typedef struct {
    const slx_tokenizer *tok;
    const slx_str *stops; /* none empty; borrowed, as long as the answer lives */
    uint32_t n_stops;
    bool shows;    /* the control token `shown` counts as text here, as it is written */
    uint32_t shown;
    slx_utf8_stream utf8; /* from here on: inside */
    slx_buf held;
} slx_answer;

/* Appends to out what may go now; true when a stop string is complete: then nothing more is to be added. */
bool slx_answer_add(slx_answer *a, uint32_t token, slx_buf *out);
void slx_answer_end(slx_answer *a, slx_buf *out); /* the rest, of an answer that no stop string ended */
size_t slx_answer_held(const slx_answer *a); /* bytes that wait inside: where the next token's text begins */
void slx_answer_free(slx_answer *a);

#endif
