/* cli_verify.c - silex verify: is a program legal for a chip? */
#include "cli/cli.h"
#include "cli/program_in.h"
#include "verify/verify.h"

#include "cli/json.h"

typedef struct {
    const char *chip;
    bool json;
} values;

static const cli_option options[] = {
    {"chip", 0, CLI_TEXT, "CHIP", offsetof(values, chip), 0, 0, NULL,
     "chip: a name in chips/ or a file; without it the one the program was made for"},
    {"json", 0, CLI_FLAG, NULL, offsetof(values, json), 0, 0, NULL, "one JSON object"},
    {0},
};
static const values defaults = {0};

static slx_status run(const void *p, cli_args args, slx_err *err)
{
    const values *v = p;
    slx_program prog;
    slx_chip *c = NULL;
    char n[32];
    SLX_TRY(cli_program_any(&prog, args.v[0], err));
    slx_status st = slx_chip_load(&c, cli_program_chip(&prog, v->chip), err);
    if (st == SLX_OK) st = slx_verify(&prog, c, args.v[0], err);
    if (st == SLX_OK && v->json)
        cli_json_print(json_pack("{s:b, s:s, s:I, s:I}", "legal", 1, "chip", c->name,
                                 "instructions", (json_int_t)prog.n_insns, "tiles",
                                 (json_int_t)prog.info.n_tiles));
    else if (st == SLX_OK)
        printf("%s: legal on %s: structure, bounds, tokens and barriers of %s instructions on %u "
               "tile%s\n",
               args.v[0], c->name, cli_commas(n, prog.n_insns), prog.info.n_tiles,
               prog.info.n_tiles == 1 ? "" : "s");
    slx_chip_free(c);
    slx_program_free(&prog);
    return st;
}

const cli_verb cli_verb_verify = {
    "verify",
    "P.slx|P.s",
    1,
    1,
    "proves a program legal for a chip, or names the first instruction that is not",
    "Proved over every value the program may read: structure, bounds, tokens, barriers.\n",
    options,
    &defaults,
    sizeof defaults,
    run};
