/* answer.c - see answer.h. */
#include "run/answer.h"

#include <string.h>

/* First place in text where a stop string begins; text.len when there is none. */
static size_t find_stop(const slx_answer *a)
{
    size_t first = a->held.len;
    for (uint32_t i = 0; i < a->n_stops; i++) {
        const char *p =
            a->held.len ? memmem(a->held.ptr, a->held.len, a->stops[i].ptr, a->stops[i].len) : NULL;
        if (p && (size_t)(p - a->held.ptr) < first) first = (size_t)(p - a->held.ptr);
    }
    return first;
}

/* Length of the longest end of what is held that begins a stop string. */
static size_t may_become_stop(const slx_answer *a)
{
    size_t most = 0;
    for (uint32_t i = 0; i < a->n_stops; i++) {
        size_t n = a->stops[i].len - 1;
        if (n > a->held.len) n = a->held.len;
        for (; n > most; n--)
            if (!memcmp(a->held.ptr + a->held.len - n, a->stops[i].ptr, n)) most = n;
    }
    return most;
}

static void give(slx_answer *a, size_t n, slx_buf *out)
{
    if (n) slx_buf_add(out, a->held.ptr, n);
    if (n) memmove(a->held.ptr, a->held.ptr + n, a->held.len - n);
    a->held.len -= n;
}

bool slx_answer_add(slx_answer *a, uint32_t token, slx_buf *out)
{
    slx_buf bytes = {0};
    slx_detokenize(a->tok, token, a->shows && a->shown == token, &bytes);
    if (bytes.len) slx_utf8_stream_add(&a->utf8, bytes.ptr, bytes.len, &a->held);
    slx_buf_free(&bytes);
    size_t stop = find_stop(a);
    bool stopped = stop < a->held.len;
    give(a, stopped ? stop : a->held.len - may_become_stop(a), out);
    return stopped;
}

void slx_answer_end(slx_answer *a, slx_buf *out)
{
    slx_utf8_stream_end(&a->utf8, &a->held);
    give(a, a->held.len, out);
}

size_t slx_answer_held(const slx_answer *a)
{
    return a->held.len + (size_t)a->utf8.n;
}

void slx_answer_free(slx_answer *a)
{
    slx_buf_free(&a->held);
}
