/* cli.h - what the verbs of `silex` share: one table of options a verb, one parser, one way to print.
 *
 *   main.c      the table of verbs            options.c  argv --> a verb's values, by its table
 *   driver.c    picks the verb, ends the run  help.c     --help and the reference page, from the same tables
 *   cli_*.c     one verb a file               engine_options.c, text.c, report.c   what several verbs need
 *
 * A verb is a value: its table of options, the values they start from, and a function that gets the values filled in.
 * Results go to standard output, progress and errors to standard error; a verb that fails before its first result
 * has printed nothing there.
 */
#ifndef SLX_CLI_H
#define SLX_CLI_H

#include "base/base.h"

/* ------------------------------------------------------------------ options */

typedef enum { CLI_FLAG, CLI_TEXT, CLI_LIST, CLI_COUNT, CLI_REAL, CLI_CHOICE } cli_kind;

enum { CLI_LIST_MAX = 16 };
typedef struct {
    const char *v[CLI_LIST_MAX];
    int n;
} cli_list;

/* One row an option; a table ends with a row without a name. The value lies at `at` in the verb's own struct:
 * FLAG bool, TEXT const char *, LIST cli_list (may be repeated), COUNT int64_t, REAL double, CHOICE int (index). */
typedef struct {
    const char *name; /* without the dashes */
    char letter;      /* 0 = none */
    cli_kind kind;
    const char *arg; /* how help calls the value */
    size_t at;
    double least, most;
    const char *const *choices; /* ended by NULL */
    const char *help;
} cli_option;

typedef struct {
    const char *const *v;
    int n;
} cli_args;

typedef struct {
    const char *name, *args; /* "run", "MODEL" */
    int least_args, most_args;
    const char *summary; /* one line */
    const char *more;    /* what else --help says: lines, each ended; may be "" */
    const cli_option *options;
    const void *defaults; /* the values an option starts from */
    size_t bytes;         /* of them */
    slx_status (*run)(const void *values, cli_args args, slx_err *err);
} cli_verb;

/* Fills values (a copy of the defaults) from argv; positional arguments are moved to the front of argv. *help: --help was
 * there, and nothing else counts. */
slx_status cli_parse(const cli_verb *v, int argc, char **argv, void *values, cli_args *args,
                     bool *help, slx_err *err);

/* verbs: ended by NULL. later: names of verbs that are planned and refused by name, ended by NULL. */
int cli_main(const cli_verb *const *verbs, const char *const *later, int argc, char **argv);

void cli_help_verb(const cli_verb *v, FILE *out);
void cli_help_all(const cli_verb *const *verbs, FILE *out);
void cli_help_markdown(const cli_verb *const *verbs, FILE *out);

/* ------------------------------------------------------------------ verbs */

extern const cli_verb cli_verb_run, cli_verb_tokenize, cli_verb_template, cli_verb_compile,
    cli_verb_disasm, cli_verb_asm, cli_verb_verify, cli_verb_exec, cli_verb_bench,
    cli_verb_perplexity, cli_verb_chip, cli_verb_time, cli_verb_validate,
    cli_verb_fleet, cli_verb_compare;
extern const cli_verb cli_verb_serve, cli_verb_keys, cli_verb_usage;

/* ------------------------------------------------------------------ text in, reports out */

/* The one text a verb is given: -p TEXT or -f FILE ("-" = standard input). Refuses none, both, and what is not UTF-8.
 * The caller frees out. */
slx_status cli_text_get(const char *text, const char *file, slx_buf *out, slx_err *err);

/* 1234567 -> "1,234,567". */
const char *cli_commas(char out[32], uint64_t v);
/* 135000000 -> "135 M", 2.6 -> "2.60 ", 0.00026 -> "260 u", 7 -> "7 ": three digits and a decimal prefix, whole numbers
 * below a thousand in full; unit follows the space. */
const char *cli_short(char out[32], double v, const char *unit);
/* 10930.4 -> "10,930", 92.1 -> "92.1": four digits, large ones in full. */
const char *cli_rate(char out[32], double v);
/* 0.0421, 9.31, 57.2, 1204: three digits, whole numbers in full. */
const char *cli_digits(char out[32], double v);
/* Of a chip's key that a figure depends on and is unknown (NULL = which is not said): whether its maker would have to tell
 * it, rather than the file; and the reason in words. */
bool cli_published_key(const char *missing);
const char *cli_missing(char out[128], const char *missing);
/* 16 hex digits; grouped by four for people. */
const char *cli_hex(char out[20], uint64_t v);
const char *cli_hex_groups(char out[24], uint64_t v);

#endif
