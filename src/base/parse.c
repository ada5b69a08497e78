/* parse.c - numbers typed by people, and the name they may have meant. */
#include "base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Decimal or 0x hexadecimal with an optional sign. Not strtoll: it takes blanks and reads 010 as
 * eight. */
bool slx_parse_i64(const char *s, int64_t lo, int64_t hi, int64_t *out)
{
    bool neg = *s == '-';
    if (*s == '-' || *s == '+') s++;
    unsigned base = 10;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    }
    if (!*s) return false;
    uint64_t v = 0;
    for (; *s; s++) {
        unsigned d = *s >= '0' && *s <= '9'   ? (unsigned)(*s - '0')
                     : *s >= 'a' && *s <= 'f' ? (unsigned)(*s - 'a') + 10
                     : *s >= 'A' && *s <= 'F' ? (unsigned)(*s - 'A') + 10
                                              : 99;
        if (d >= base) return false;
        if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)d, &v))
            return false;
    }
    if (v > (uint64_t)INT64_MAX + neg) return false;
    int64_t r = neg ? (int64_t)(0 - v) : (int64_t)v;
    if (r < lo || r > hi) return false;
    *out = r;
    return true;
}

bool slx_parse_f64(const char *s, double lo, double hi, double *out)
{
    /* no blanks, nan, inf or hexadecimal */
    if (!*s || s[strspn(s, "0123456789+-.eE")]) return false;
    char *end;
    double v = strtod(s, &end);
    if (end == s || *end || !isfinite(v) || v < lo || v > hi) return false;
    *out = v;
    return true;
}

static int fold(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

enum { NAME_MAX_LEN = 64 };

/* Edits (insert, delete, replace, swap neighbours; case is free) that turn a into b; both shorter
 * than NAME_MAX_LEN. Three rows of the usual table are enough: a swap looks back two rows. */
static int distance(const char *a, const char *b)
{
    int rows[3][NAME_MAX_LEN + 1], nb = (int)strlen(b);
    for (int j = 0; j <= nb; j++) rows[0][j] = j;
    int i = 1;
    for (; a[i - 1]; i++) {
        int *cur = rows[i % 3], *prev = rows[(i + 2) % 3], *prev2 = rows[(i + 1) % 3];
        cur[0] = i;
        for (int j = 1; j <= nb; j++) {
            bool same = fold(a[i - 1]) == fold(b[j - 1]);
            int best = prev[j - 1] + !same;
            if (prev[j] + 1 < best) best = prev[j] + 1;
            if (cur[j - 1] + 1 < best) best = cur[j - 1] + 1;
            bool swap = i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
                        fold(a[i - 2]) == fold(b[j - 1]);
            if (swap && prev2[j - 2] + 1 < best) best = prev2[j - 2] + 1;
            cur[j] = best;
        }
    }
    return rows[(i - 1) % 3][nb];
}

const char *slx_nearest(const char *s, const char *const *names, int n)
{
    size_t len = strlen(s);
    if (!len || len >= NAME_MAX_LEN) return NULL;
    int limit = ((int)len + 2) / 3; /* a third of the letters may be wrong, one at least */
    if (limit > (int)len - 1) limit = len > 1 ? (int)len - 1 : 0;
    const char *best = NULL;
    for (int i = 0; i < n; i++) {
        if (strlen(names[i]) >= NAME_MAX_LEN) continue;
        int d = distance(s, names[i]);
        if (d <= limit) {
            limit = d - 1;
            best = names[i];
        }
    }
    return best;
}
