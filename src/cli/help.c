/* help.c - what --help prints and the reference page, both from the tables that the parser reads. */
#include "cli/cli.h"

#include <string.h>

/* "-n, --max-tokens N" */
static void left_side(const cli_option *o, char *out, size_t cap)
{
    char letter[8] = "    ";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(out, cap, "%s--%s%s%s", letter, o->name, o->arg ? " " : "", o->arg ? o->arg : "");
}

/* The value an option starts from, or "" where that is nothing to speak of. */
static void default_text(const cli_verb *v, const cli_option *o, char *out, size_t cap)
{
    const char *at = (const char *)v->defaults + o->at;
    int64_t count;
    double real;
    int choice;
    const char *text;
    *out = 0;
    switch (o->kind) {
    case CLI_COUNT:
        memcpy(&count, at, sizeof count);
        if (count > 0) snprintf(out, cap, "%lld", (long long)count);
        break;
    case CLI_REAL:
        memcpy(&real, at, sizeof real);
        snprintf(out, cap, "%g", real);
        break;
    case CLI_CHOICE:
        memcpy(&choice, at, sizeof choice);
        if (choice >= 0) snprintf(out, cap, "%s", o->choices[choice]);
        break;
    case CLI_TEXT:
        memcpy(&text, at, sizeof text);
        if (text) snprintf(out, cap, "%s", text);
        break;
    default: break;
    }
}

void cli_help_verb(const cli_verb *v, FILE *out)
{
    fprintf(out, "silex %s%s%s [options]\n\n%s\n", v->name, *v->args ? " " : "", v->args,
            v->summary);
    if (*v->more) fprintf(out, "\n%s", v->more);
    fprintf(out, "\nOptions:\n");
    for (const cli_option *o = v->options; o->name; o++) {
        char left[80], start[80];
        left_side(o, left, sizeof left);
        default_text(v, o, start, sizeof start);
        fprintf(out, "  %-30s %s%s%s%s\n", left, o->help, *start ? " [" : "", start,
                *start ? "]" : "");
    }
    fprintf(out, "  %-30s %s\n", "-h, --help", "this text");
}

void cli_help_all(const cli_verb *const *verbs, FILE *out)
{
    fprintf(out, "silex VERB [options]\n\nA chip is a file, a model is a file; one compiler makes "
                 "the chip's program of "
                 "them and an exact machine runs it.\n\nVerbs:\n");
    for (int i = 0; verbs[i]; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", verbs[i]->name, verbs[i]->args);
        fprintf(out, "  %-26s %s\n", left, verbs[i]->summary);
    }
    fprintf(out, "  %-26s %s\n", "help [VERB]",
            "this text, or that of a verb; --markdown: the reference page");
    fprintf(out, "  %-26s %s\n", "version", "the version");
    fprintf(
        out,
        "\nEach verb has --help. Results go to standard output, progress and errors to standard "
        "error.\n"
        "Exit codes: 0 done, 2 wrong input, 3 the simulated program faulted, 130 interrupted.\n");
}

/* A help line in a table cell. */
static void cell(const char *s, FILE *out)
{
    for (; *s; s++) fprintf(out, *s == '|' ? "\\|" : "%c", *s);
}

void cli_help_markdown(const cli_verb *const *verbs, FILE *out)
{
    fprintf(out, "# silex: every verb and option\n\n"
                 "This page is made from the tables in `src/cli/` by `make gen`; `silex VERB "
                 "--help` prints the same.\n"
                 "Results go to standard output, progress and errors to standard error; `--json` "
                 "prints one JSON object\n"
                 "instead of text. Exit codes: 0 done, 2 wrong input, 3 the simulated program "
                 "faulted, 130 interrupted.\n");
    for (int i = 0; verbs[i]; i++) {
        const cli_verb *v = verbs[i];
        fprintf(out, "\n## silex %s%s%s\n\n%s\n", v->name, *v->args ? " " : "", v->args,
                v->summary);
        if (*v->more) fprintf(out, "\n```\n%s```\n", v->more);
        if (!v->options->name) continue;
        fprintf(out, "\n| option | what | without it |\n|---|---|---|\n");
        for (const cli_option *o = v->options; o->name; o++) {
            char start[80];
            default_text(v, o, start, sizeof start);
            fprintf(out, "| `");
            if (o->letter) fprintf(out, "-%c`, `", o->letter);
            fprintf(out, "--%s", o->name);
            if (o->arg) {
                fputc(' ', out);
                cell(o->arg, out);
            }
            fprintf(out, "` | ");
            cell(o->help, out);
            fprintf(out, " | %s |\n", start);
        }
    }
}
