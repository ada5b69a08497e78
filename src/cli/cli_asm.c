/* cli_asm.c - silex asm and silex disasm: a program between its text and its file. */
#include "cli/cli.h"
#include "cli/program_in.h"

typedef struct {
    const char *output;
} values;

static const cli_option asm_options[] = {
    {"output", 'o', CLI_TEXT, "P.slx", offsetof(values, output), 0, 0, NULL,
     "the program file; - is standard output"},
    {0},
};
static const cli_option disasm_options[] = {
    {"output", 'o', CLI_TEXT, "P.s", offsetof(values, output), 0, 0, NULL,
     "a file instead of standard output"},
    {0},
};
static const values no_output = {0};

static slx_status assemble(const void *p, cli_args args, slx_err *err)
{
    const values *v = p;
    slx_program prog;
    if (!v->output)
        return slx_fail(err, SLX_EINPUT, "silex asm", 0, 0,
                        "found no -o P.slx, expected where the program goes");
    SLX_TRY(cli_program_text(&prog, args.v[0], err));
    slx_status st = slx_program_write(&prog, v->output, err);
    slx_program_free(&prog);
    return st;
}

static slx_status disassemble(const void *p, cli_args args, slx_err *err)
{
    const values *v = p;
    slx_program prog;
    slx_buf text = {0};
    SLX_TRY(slx_program_read(&prog, args.v[0], err));
    slx_disasm(&prog, &text);
    slx_status st = slx_write_file(v->output ? v->output : "-", text.ptr, text.len, err);
    slx_buf_free(&text);
    slx_program_free(&prog);
    return st;
}

const cli_verb cli_verb_asm = {
    "asm",
    "P.s",
    1,
    1,
    "text to program file; - is standard input",
    "The language: docs/isa-semantics.md. Whether the program is legal for a chip is the "
    "business of silex verify.\n",
    asm_options,
    &no_output,
    sizeof no_output,
    assemble};
const cli_verb cli_verb_disasm = {"disasm",
                                  "P.slx",
                                  1,
                                  1,
                                  "program file to text that asm reads back",
                                  "",
                                  disasm_options,
                                  &no_output,
                                  sizeof no_output,
                                  disassemble};
