/* utf8_stream.c - text for a reader out of tokens that may end inside a character.
 *
 * Invariant: what was emitted is valid UTF-8; hold has at most 3 bytes, a proper prefix of some valid sequence. Bytes
 * that can never become one are emitted as U+FFFD, one for each longest such prefix, as Unicode recommends.
 */
#include "model/model.h"

#include <string.h>

/* Bytes of the sequence that starts with b, 0 if none does; the range of its second byte. */
static int sequence(unsigned char b, unsigned char *lo, unsigned char *hi)
{
    *lo = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : 0x80;
    *hi = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : 0xbf;
    return b < 0x80 ? 1 : b < 0xc2 ? 0 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : b < 0xf5 ? 4 : 0;
}

static void add_byte(slx_utf8_stream *s, char c, slx_buf *out)
{
    unsigned char lo, hi, b = (unsigned char)c;
    if (s->n) {
        int want = sequence((unsigned char)s->hold[0], &lo, &hi);
        if (s->n > 1) lo = 0x80, hi = 0xbf;
        if (b >= lo && b <= hi) {
            s->hold[s->n++] = c;
            if (s->n == want) {
                slx_buf_add(out, s->hold, (size_t)s->n);
                s->n = 0;
            }
            return;
        }
        slx_utf8_stream_end(s, out);
    }
    int want = sequence(b, &lo, &hi);
    if (want == 1)
        slx_buf_addc(out, c);
    else if (want == 0)
        slx_buf_adds(out, "\xef\xbf\xbd");
    else
        s->hold[s->n++] = c;
}

void slx_utf8_stream_add(slx_utf8_stream *s, const char *p, size_t n, slx_buf *out)
{
    for (size_t i = 0; i < n; i++) add_byte(s, p[i], out);
}

void slx_utf8_stream_end(slx_utf8_stream *s, slx_buf *out)
{
    if (s->n) slx_buf_adds(out, "\xef\xbf\xbd");
    s->n = 0;
}
