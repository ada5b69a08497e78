/* utf8.c - one code point in, one code point out, by the table of well-formed sequences of the
 * Unicode standard (3-7):
 *
 *   00..7F                  |  E1..EC  80..BF 80..BF  |  F0      90..BF 80..BF 80..BF
 *   C2..DF  80..BF          |  ED      80..9F 80..BF  |  F1..F3  80..BF 80..BF 80..BF
 *   E0      A0..BF 80..BF   |  EE..EF  80..BF 80..BF  |  F4      80..8F 80..BF 80..BF
 *
 * so overlong forms, surrogates and anything above 10FFFF are malformed.
 */
#include "base/base.h"

int slx_utf8_get(const char *s, const char *end, uint32_t *cp)
{
    const uint8_t *p = (const uint8_t *)s;
    ptrdiff_t left = end - s;
    if (left <= 0) return 0;
    uint8_t c = p[0];
    if (c < 0x80) {
        *cp = c;
        return 1;
    }
    if (c < 0xC2 || c > 0xF4) return 0;
    int n = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (left < n) return 0;
    uint8_t lo = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    uint8_t hi = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < lo || p[1] > hi) return 0;
    uint32_t v = c & (0x7Fu >> n);
    v = v << 6 | (p[1] & 0x3Fu);
    for (int i = 2; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0;
        v = v << 6 | (p[i] & 0x3Fu);
    }
    *cp = v;
    return n;
}

int slx_utf8_put(char out[4], uint32_t cp)
{
    if (cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF)) cp = 0xFFFD;
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    int n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (int i = n - 1; i > 0; i--, cp >>= 6) out[i] = (char)(0x80 | (cp & 0x3F));
    out[0] = (char)((0xF00u >> n & 0xFF) | cp); /* C0, E0, F0 */
    return n;
}

bool slx_utf8_valid(const char *p, size_t n)
{
    uint32_t cp;
    for (const char *end = p + n; p < end;) {
        int len = slx_utf8_get(p, end, &cp);
        if (!len) return false;
        p += len;
    }
    return true;
}
