/* arena.c - memory that is freed as a whole.
 *
 *   blocks --> [head | used | free ......]   newest; beg..end is its free part
 *                |
 *                '--> [head | used ......]   older ones are never allocated from again
 *
 * Invariant: every byte handed out is zero and stays where it is until slx_arena_deinit. A request
 * too large for the usual block gets a block of its own. Under AddressSanitizer every request does,
 * so that running over its end shows.
 */
#include "base/base.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/base_int.h"

struct slx_arena_block {
    slx_arena_block *next;
};

enum { BLOCK_MIN_BYTES = 16 << 10, BLOCK_MAX_BYTES = 1 << 20 };

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SEPARATE 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(SEPARATE)
#define SEPARATE 1
#endif
#ifndef SEPARATE
#define SEPARATE 0
#endif

void slx_arena_init(slx_arena *a)
{
    *a = (slx_arena){0};
}

void slx_arena_deinit(slx_arena *a)
{
    for (slx_arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    *a = (slx_arena){0};
}

size_t slx_mul_size(size_t a, size_t b)
{
    size_t r;
    if (__builtin_mul_overflow(a, b, &r)) SLX_BUG("size overflow: %zu * %zu", a, b);
    return r;
}

static char *align_up(char *p, size_t align)
{
    return p + (-(uintptr_t)p & (align - 1));
}

void *slx_push(slx_arena *a, size_t bytes, size_t align)
{
    SLX_ASSERT(align && !(align & (align - 1)));
    if (bytes > PTRDIFF_MAX / 2) slx_out_of_memory(bytes);
    size_t pad = -(uintptr_t)a->beg & (align - 1);
    size_t room = (size_t)(a->end - a->beg);
    if (SEPARATE || !a->blocks || pad > room || bytes > room - pad) {
        size_t need = sizeof(slx_arena_block) + align + bytes, size = need;
        if (!SEPARATE) {
            size_t usual = a->used_bytes < BLOCK_MIN_BYTES   ? BLOCK_MIN_BYTES
                           : a->used_bytes > BLOCK_MAX_BYTES ? BLOCK_MAX_BYTES
                                                             : a->used_bytes;
            if (size < usual) size = usual;
        }
        slx_arena_block *b = slx_xcalloc(1, size);
        char *beg = (char *)(b + 1), *end = (char *)b + size;
        /* keep the roomier rest for what comes */
        if (a->blocks && (size_t)(end - beg) - bytes < room) {
            b->next = a->blocks->next;
            a->blocks->next = b;
            a->used_bytes += bytes;
            return align_up(beg, align);
        }
        b->next = a->blocks;
        a->blocks = b;
        a->beg = beg;
        a->end = end;
        pad = -(uintptr_t)a->beg & (align - 1);
    }
    char *p = a->beg + pad;
    a->beg = p + bytes;
    a->used_bytes += pad + bytes;
    return p;
}

char *slx_strdup(slx_arena *a, const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(slx_push(a, n, 1), s, n);
}

char *slx_sprintf(slx_arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    SLX_ASSERT(n >= 0);
    char *p = slx_push(a, (size_t)n + 1, 1);
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}
