/* main.c - the verbs of `silex`. Each is one file, cli_<verb>.c; to add one, write its file and its line here. */
#include "cli/cli.h"

#include <malloc.h>

static const cli_verb *const verbs[] = {
    &cli_verb_run,    &cli_verb_tokenize,   &cli_verb_template, &cli_verb_compile,
    &cli_verb_disasm, &cli_verb_asm,        &cli_verb_verify,   &cli_verb_exec,
    &cli_verb_bench,  &cli_verb_perplexity, &cli_verb_chip,     &cli_verb_time,
    &cli_verb_fleet,  &cli_verb_compare,
    &cli_verb_serve,  &cli_verb_keys,       &cli_verb_usage,
    &cli_verb_validate,
    NULL,
};

/* Planned, and refused by name until they are there. */
static const char *const later[] = {
    "chat", "doctor", "rtl", "cluster", "search", NULL,
};

int main(int argc, char **argv)
{
    /* What a timed step has freed is what the next one takes: kept, up to so much, and not given back in between. */
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
    return cli_main(verbs, later, argc, argv);
}
