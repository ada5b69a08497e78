/* program_in.h - a program from the file a user names. */
#ifndef SLX_CLI_PROGRAM_IN_H
#define SLX_CLI_PROGRAM_IN_H

#include "isa/program.h"

/* Assembles a text file, "-" for standard input. */
slx_status cli_program_text(slx_program *p, const char *path, slx_err *err);
/* Text where the name ends in .s, else a program file. Errors as those two. */
slx_status cli_program_any(slx_program *p, const char *path, slx_err *err);
/* The chip a user gave, else the one the program names as its own, else the default chip. Borrowed from either. */
const char *cli_program_chip(const slx_program *p, const char *given);

#endif
