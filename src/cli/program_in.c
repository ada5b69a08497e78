/* program_in.c - see program_in.h. */
#include "cli/program_in.h"

#include <string.h>

slx_status cli_program_text(slx_program *p, const char *path, slx_err *err)
{
    slx_buf text;
    SLX_TRY(slx_read_file(&text, path, err));
    const char *place = strcmp(path, "-") ? path : "standard input";
    slx_status st = slx_asm(p, text.len ? text.ptr : "", text.len, place, err);
    slx_buf_free(&text);
    return st;
}

slx_status cli_program_any(slx_program *p, const char *path, slx_err *err)
{
    size_t n = strlen(path);
    if (n >= 2 && !strcmp(path + n - 2, ".s")) return cli_program_text(p, path, err);
    return slx_program_read(p, path, err);
}

const char *cli_program_chip(const slx_program *p, const char *given)
{
    const char *own = p->info.chip_name;
    if (given) return given;
    /* a bare name only: a program file must not choose paths */
    return *own && !strchr(own, '/') && strcmp(own, "-") ? own : "silex-1";
}
