/* status.c - statuses, the one error record, and the end of the process on a bug in Silex.
 *
 * Invariant: an slx_err that came out of slx_fail is complete text; it borrows nothing, so it may
 * outlive whatever the message spoke of, and slx_fail may be given pieces of the very record it
 * fills.
 */
#include "base/base.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *slx_status_text(slx_status s)
{
    static const char *const text[] = {
#define X(name, words) [name] = words,
        SLX_STATUS_MAP(X)
#undef X
    };
    return (unsigned)s < sizeof text / sizeof *text ? text[s] : "unknown status";
}

int slx_exit_code(slx_status s)
{
    switch (s) {
    case SLX_OK: return 0;
    case SLX_EFAULT: return 3;
    case SLX_EINTERRUPTED: return 130;
    default: return 2;
    }
}

/* The end of a path says more than its start, so a long one loses its start. */
static void copy_tail(char *dst, size_t cap, const char *src)
{
    size_t n = strlen(src);
    if (n < cap) {
        memcpy(dst, src, n + 1);
    } else {
        memcpy(dst, "...", 3);
        memcpy(dst + 3, src + n - (cap - 4), cap - 3);
    }
}

slx_status slx_fail(slx_err *err, slx_status code, const char *file, int line, int col,
                    const char *fmt, ...)
{
    if (!err) return code;
    /* a copy: the arguments may point into *err */
    slx_err e = {.code = code, .line = line, .col = col};
    copy_tail(e.file, sizeof e.file, file ? file : "");
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e.msg, sizeof e.msg, fmt, ap);
    va_end(ap);
    *err = e;
    return code;
}

/* Text of a hostile file must not move the cursor or start a second line. */
static void print_clean(const char *s, FILE *out)
{
    for (; *s; s++) fputc((unsigned char)*s < 0x20 || *s == 0x7f ? ' ' : *s, out);
}

void slx_err_print(const slx_err *err, FILE *out)
{
    print_clean(err->file[0] ? err->file : "silex", out);
    if (err->line > 0) fprintf(out, ":%d", err->line);
    fputs(": ", out);
    print_clean(err->msg[0] ? err->msg : slx_status_text(err->code), out);
    fputc('\n', out);
    if (!err->source[0] || err->line <= 0) return;
    fprintf(out, "%5d | ", err->line);
    print_clean(err->source, out);
    fputc('\n', out);
    if (err->col > 0 && err->col <= (int)sizeof err->source)
        fprintf(out, "      | %*s^\n", err->col - 1, "");
}

void slx_bug(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    fflush(stdout);
    fprintf(stderr, "silex: this is a bug in Silex, not in your input (%s:%d): ", file, line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    abort();
}
