/* text.c - the text a verb is given, and numbers as people read them. */
#include "cli/cli.h"

#include <math.h>
#include <string.h>

slx_status cli_text_get(const char *text, const char *file, slx_buf *out, slx_err *err)
{
    *out = (slx_buf){0};
    if (text && file)
        return slx_fail(err, SLX_EINPUT, "-p, -f", 0, 0,
                        "found both, expected one text: -p TEXT or -f FILE");
    if (!text && !file)
        return slx_fail(err, SLX_EINPUT, "-p, -f", 0, 0,
                        "found no text, expected -p TEXT or -f FILE (- is standard input)");
    const char *place = text ? "-p" : !strcmp(file, "-") ? "standard input" : file;
    if (text)
        slx_buf_add(out, text, strlen(text));
    else
        SLX_TRY(slx_read_file(out, file, err));
    if (!out->len) {
        slx_buf_free(out);
        return slx_fail(err, SLX_EINPUT, place, 0, 0,
                        "found an empty text, expected at least one character");
    }
    const char *end = out->ptr + out->len, *p = out->ptr;
    uint32_t cp;
    int n, line = 1;
    for (; p < end && (n = slx_utf8_get(p, end, &cp)); p += n) line += *p == '\n';
    if (p < end) {
        unsigned byte = (unsigned char)*p;
        size_t at = (size_t)(p - out->ptr);
        slx_buf_free(out);
        return slx_fail(err, SLX_EINPUT, place, line, 0,
                        "found byte 0x%02x at offset %zu, expected UTF-8 text", byte, at);
    }
    return SLX_OK;
}

const char *cli_commas(char out[32], uint64_t v)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)v), at = 0;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}

const char *cli_short(char out[32], double v, const char *unit)
{
    static const char *const prefix[] = {"", "k", "M", "G", "T", "P", "E", "Z", "Y"};
    static const char *const small[] = {"", "m", "u", "n", "p", "f"};
    int i = 0;
    if (v > 0 && v < 0.9995) {
        while (v < 0.9995 && i < 5) {
            v *= 1000;
            i++;
        }
        snprintf(out, 32,
                 v < 9.995   ? "%.2f %s%s"
                 : v < 99.95 ? "%.1f %s%s"
                             : "%.0f %s%s",
                 v, small[i], unit);
        return out;
    }
    while (v >= 999.5 && i < 8) {
        v /= 1000;
        i++;
    }
    bool whole = !i && v == floor(v); /* a count: in full */
    snprintf(out, 32,
             v < 9.995 && !whole   ? "%.2f %s%s"
             : v < 99.95 && !whole ? "%.1f %s%s"
                                   : "%.0f %s%s",
             v, prefix[i], unit);
    return out;
}

const char *cli_rate(char out[32], double v)
{
    if (v >= 999.5 && v < 1e18) return cli_commas(out, (uint64_t)llround(v));
    snprintf(out, 32, "%.4g", v);
    return out;
}

const char *cli_digits(char out[32], double v)
{
    int decimals = v < 0.0995 ? 4 : v < 0.995 ? 3 : v < 9.95 ? 2 : v < 99.5 ? 1 : 0;
    snprintf(out, 32, "%.*f", v == floor(v) ? 0 : decimals, v);
    return out;
}

bool cli_published_key(const char *missing)
{
    return !strncmp(missing, "part.", 5) || !strcmp(missing, "process.node");
}

const char *cli_missing(char out[128], const char *missing)
{
    if (missing && strchr(missing, ':'))
        snprintf(out, 128, "%s", missing);
    else if (missing && !cli_published_key(missing))
        snprintf(out, 128, "%s is not given", missing);
    else
        snprintf(out, 128, "not published: %s", missing ? missing : "what it depends on");
    return out;
}

const char *cli_hex(char out[20], uint64_t v)
{
    snprintf(out, 20, "%016llx", (unsigned long long)v);
    return out;
}

const char *cli_hex_groups(char out[24], uint64_t v)
{
    snprintf(out, 24, "%04x %04x %04x %04x", (unsigned)(v >> 48), (unsigned)(v >> 32 & 0xffff),
             (unsigned)(v >> 16 & 0xffff), (unsigned)(v & 0xffff));
    return out;
}
