/* alloc.c - the malloc family without NULL, and large aligned memory.
 *
 * slx_aalloc is for weights and caches: from LARGE_BYTES on it maps whole 2 MiB pages, since a
 * weight stream through 4 KiB pages spends its time on address translation. Below, the C library's
 * aligned allocation does.
 */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base_int.h"

enum { ALIGN_BYTES = 64 };
static const size_t LARGE_BYTES = 4u << 20, HUGE_BYTES = 2u << 20;

void slx_out_of_memory(size_t bytes)
{
    fprintf(stderr, "silex: the system has no memory left: asked for %zu bytes\n", bytes);
    fflush(stderr);
    _exit(slx_exit_code(SLX_ENOMEM));
}

void *slx_xmalloc(size_t bytes)
{
    void *p = malloc(bytes ? bytes : 1);
    if (!p) slx_out_of_memory(bytes);
    return p;
}

void *slx_xcalloc(size_t n, size_t bytes)
{
    void *p = n && bytes ? calloc(n, bytes) : calloc(1, 1);
    if (!p) slx_out_of_memory(slx_mul_size(n, bytes));
    return p;
}

void *slx_xrealloc(void *p, size_t bytes)
{
    void *q = realloc(p, bytes ? bytes : 1);
    if (!q) slx_out_of_memory(bytes);
    return q;
}

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

void *slx_aalloc(size_t bytes)
{
    if (bytes > PTRDIFF_MAX / 2) slx_out_of_memory(bytes);
    if (bytes < LARGE_BYTES) {
        size_t n = round_up(bytes ? bytes : 1, ALIGN_BYTES);
        void *p = aligned_alloc(ALIGN_BYTES, n);
        if (!p) slx_out_of_memory(bytes);
        return memset(p, 0, n);
    }
    /* Map one huge page more than needed and give back what lies outside the aligned part. */
    size_t n = round_up(bytes, HUGE_BYTES), whole = n + HUGE_BYTES;
    char *p = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) slx_out_of_memory(bytes);
    size_t head = -(uintptr_t)p & (HUGE_BYTES - 1);
    if (head) munmap(p, head);
    if (whole - head - n) munmap(p + head + n, whole - head - n);
    /* advice: a system without huge pages goes on with small ones */
    madvise(p + head, n, MADV_HUGEPAGE);
    return p + head;
}

void slx_afree(void *p, size_t bytes)
{
    if (!p) return;
    if (bytes < LARGE_BYTES)
        free(p);
    else
        munmap(p, round_up(bytes, HUGE_BYTES));
}

void *slx_lazy_alloc(size_t bytes)
{
    if (bytes > PTRDIFF_MAX / 2) slx_out_of_memory(bytes);
    if (!bytes) bytes = 1;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) slx_out_of_memory(bytes);
    madvise(p, bytes, MADV_NOHUGEPAGE); /* a touched byte costs 4 KiB, not 2 MiB */
    return p;
}

void slx_lazy_free(void *p, size_t bytes)
{
    if (p) munmap(p, bytes ? bytes : 1);
}
