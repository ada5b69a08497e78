/* driver.c - from argv to a verb and back to an exit code.
 *
 * One place prints errors, one place sees that the results really left: a full disk behind standard output is an error
 * like any other, a closed pipe ends the process without a word, as the reader wanted.
 */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char version[] = "0.1.0";

static int end(slx_status st, const slx_err *err)
{
    if (st == SLX_OK && (fflush(stdout) || ferror(stdout))) {
        slx_err e;
        st = slx_fail(&e, SLX_EIO, "standard output", 0, 0, "cannot write: %s", strerror(errno));
        slx_err_print(&e, stderr);
        return slx_exit_code(st);
    }
    if (st != SLX_OK) {
        fflush(stdout);
        slx_err_print(err, stderr);
    }
    return slx_exit_code(st);
}

static const cli_verb *find(const cli_verb *const *verbs, const char *name)
{
    for (int i = 0; verbs[i]; i++)
        if (!strcmp(verbs[i]->name, name)) return verbs[i];
    return NULL;
}

static slx_status unknown(const cli_verb *const *verbs, const char *const *later, const char *name,
                          slx_err *err)
{
    const char *names[64];
    int n = 0;
    for (int i = 0; later[i]; i++)
        if (!strcmp(later[i], name))
            return slx_fail(err, SLX_EUNSUPPORTED, "silex", 0, 0,
                            "%s is not built yet; silex --help lists the verbs", name);
    for (; verbs[n]; n++) names[n] = verbs[n]->name;
    names[n++] = "help";
    const char *near = slx_nearest(name, names, n);
    return slx_fail(err, SLX_EINPUT, "silex", 0, 0,
                    "found unknown verb \"%s\"%s%s; silex --help lists them", name,
                    near ? ", did you mean " : "", near ? near : "");
}

static slx_status help(const cli_verb *const *verbs, const char *const *later, int argc,
                       char **argv, slx_err *err)
{
    if (argc > 1)
        return slx_fail(err, SLX_EINPUT, "silex help", 0, 0, "found %d arguments, expected a verb",
                        argc);
    if (!argc) {
        cli_help_all(verbs, stdout);
    } else if (!strcmp(argv[0], "--markdown")) {
        cli_help_markdown(verbs, stdout);
    } else {
        const cli_verb *v = find(verbs, argv[0]);
        if (!v) return unknown(verbs, later, argv[0], err);
        cli_help_verb(v, stdout);
    }
    return SLX_OK;
}

static slx_status run(const cli_verb *v, int argc, char **argv, slx_err *err)
{
    void *values = slx_xmalloc(v->bytes);
    cli_args args;
    bool want_help;
    memcpy(values, v->defaults, v->bytes);
    slx_status st = cli_parse(v, argc, argv, values, &args, &want_help, err);
    if (st == SLX_OK && want_help)
        cli_help_verb(v, stdout);
    else if (st == SLX_OK)
        st = v->run(values, args, err);
    free(values);
    return st;
}

int cli_main(const cli_verb *const *verbs, const char *const *later, int argc, char **argv)
{
    slx_err err = {0};
    /* whoever started us may ignore it: then a closed pipe would look like a full disk */
    signal(SIGPIPE, SIG_DFL);
    if (argc < 2) {
        cli_help_all(verbs, stderr);
        return slx_exit_code(SLX_EINPUT);
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        return end(help(verbs, later, 0, argv, &err), &err);
    if (!strcmp(name, "help")) return end(help(verbs, later, argc - 2, argv + 2, &err), &err);
    if (!strcmp(name, "version") || !strcmp(name, "--version")) {
        printf("silex %s\n", version);
        return end(SLX_OK, &err);
    }
    const cli_verb *v = find(verbs, name);
    if (!v) return end(unknown(verbs, later, name, &err), &err);
    return end(run(v, argc - 2, argv + 2, &err), &err);
}
