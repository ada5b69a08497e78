/* str.c - string views and the growing byte string.
 *
 * Invariant of slx_buf: ptr[len] is NUL whenever ptr is not NULL; cap counts that byte.
 */
#include "base/base.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/base_int.h"

slx_str slx_str_c(const char *s)
{
    return (slx_str){s, strlen(s)};
}

bool slx_str_eq(slx_str a, slx_str b)
{
    return a.len == b.len && (!a.len || !memcmp(a.ptr, b.ptr, a.len));
}

bool slx_str_is(slx_str a, const char *b)
{
    return slx_str_eq(a, slx_str_c(b));
}

/* Room for n more bytes and the NUL. */
static void reserve(slx_buf *b, size_t n)
{
    size_t need;
    if (__builtin_add_overflow(b->len, n, &need) || need >= PTRDIFF_MAX / 2) slx_out_of_memory(n);
    if (need++ < b->cap) return;
    size_t cap = b->cap < 64 ? 64 : b->cap * 2;
    if (cap < need) cap = need;
    b->ptr = slx_xrealloc(b->ptr, cap);
    b->cap = cap;
}

void slx_buf_add(slx_buf *b, const void *p, size_t n)
{
    reserve(b, n);
    if (n) memcpy(b->ptr + b->len, p, n);
    b->len += n;
    b->ptr[b->len] = 0;
}

void slx_buf_addc(slx_buf *b, char c)
{
    slx_buf_add(b, &c, 1);
}

void slx_buf_adds(slx_buf *b, const char *s)
{
    slx_buf_add(b, s, strlen(s));
}

void slx_buf_addf(slx_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    SLX_ASSERT(n >= 0);
    reserve(b, (size_t)n);
    va_start(ap, fmt);
    vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void slx_buf_free(slx_buf *b)
{
    free(b->ptr);
    *b = (slx_buf){0};
}
