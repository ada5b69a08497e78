/* options.c - argv to values by a verb's table.
 *
 *   --name VALUE   --name=VALUE   -n VALUE   -nVALUE   --flag   --   (what follows is no option)
 *
 * "-" alone is a positional argument: standard input. An option given twice counts as given last, except a LIST.
 * Every message has the verb and the option as its place.
 */
#include "cli/cli.h"

#include <string.h>

enum { PLACE = 128, NAMES = 64 };

static const cli_option *by_letter(const cli_verb *v, char c)
{
    for (const cli_option *o = v->options; o->name; o++)
        if (o->letter == c) return o;
    return NULL;
}

static const cli_option *by_name(const cli_verb *v, const char *name, size_t len)
{
    for (const cli_option *o = v->options; o->name; o++)
        if (strlen(o->name) == len && !memcmp(o->name, name, len)) return o;
    return NULL;
}

static slx_status unknown(const cli_verb *v, const char *found, size_t len, slx_err *err)
{
    char place[PLACE], name[PLACE];
    const char *names[NAMES];
    int n = 0;
    for (const cli_option *o = v->options; o->name && n < NAMES - 1; o++) names[n++] = o->name;
    names[n++] = "help";
    snprintf(place, sizeof place, "silex %s", v->name);
    snprintf(name, sizeof name, "%.*s", (int)(len < 100 ? len : 100), found);
    const char *near = strncmp(name, "--", 2) ? NULL : slx_nearest(name + 2, names, n);
    return slx_fail(err, SLX_EINPUT, place, 0, 0,
                    "found unknown option %s%s%s; silex %s --help lists them", name,
                    near ? ", did you mean --" : "", near ? near : "", v->name);
}

/* Puts one value where its option wants it. shown: the option as it was typed. */
static slx_status store(const cli_verb *v, const cli_option *o, const char *shown,
                        const char *value, void *values, slx_err *err)
{
    char *at = (char *)values + o->at, place[PLACE];
    slx_buf names = {0};
    int64_t count;
    double real;
    snprintf(place, sizeof place, "silex %.30s: %.64s", v->name, shown);
    switch (o->kind) {
    case CLI_FLAG: memcpy(at, &(bool){true}, sizeof(bool)); return SLX_OK;
    case CLI_TEXT: memcpy(at, &value, sizeof value); return SLX_OK;
    case CLI_LIST: {
        cli_list *l = (void *)at;
        if (l->n == CLI_LIST_MAX)
            return slx_fail(err, SLX_EINPUT, place, 0, 0, "found more than %d of them",
                            CLI_LIST_MAX);
        l->v[l->n++] = value;
        return SLX_OK;
    }
    case CLI_COUNT:
        if (!slx_parse_i64(value, (int64_t)o->least, (int64_t)o->most, &count))
            return slx_fail(err, SLX_EINPUT, place, 0, 0,
                            "found \"%s\", expected a whole number from %.0f to %.0f", value,
                            o->least, o->most);
        memcpy(at, &count, sizeof count);
        return SLX_OK;
    case CLI_REAL:
        if (!slx_parse_f64(value, o->least, o->most, &real))
            return slx_fail(err, SLX_EINPUT, place, 0, 0,
                            "found \"%s\", expected a number from %g to %g", value, o->least,
                            o->most);
        memcpy(at, &real, sizeof real);
        return SLX_OK;
    case CLI_CHOICE:
        for (int i = 0; o->choices[i]; i++)
            if (!strcmp(o->choices[i], value)) {
                memcpy(at, &i, sizeof i);
                return SLX_OK;
            }
        for (int i = 0; o->choices[i]; i++)
            slx_buf_addf(&names, "%s%s",
                         !i                  ? ""
                         : o->choices[i + 1] ? ", "
                                             : " or ",
                         o->choices[i]);
        slx_fail(err, SLX_EINPUT, place, 0, 0, "found \"%s\", expected %s", value, names.ptr);
        slx_buf_free(&names);
        return SLX_EINPUT;
    }
    SLX_BUG("option kind %d", (int)o->kind);
}

static slx_status no_value(const cli_verb *v, const cli_option *o, const char *shown, slx_err *err)
{
    char place[PLACE];
    snprintf(place, sizeof place, "silex %.30s: %.64s", v->name, shown);
    return slx_fail(err, SLX_EINPUT, place, 0, 0, "found no value, expected %s", o->arg);
}

/* --name, --name=VALUE or --name VALUE; *i moves over a value of its own. */
static slx_status long_option(const cli_verb *v, int argc, char **argv, int *i, void *values,
                              slx_err *err)
{
    const char *arg = argv[*i], *eq = strchr(arg, '=');
    size_t len = eq ? (size_t)(eq - arg) : strlen(arg);
    const cli_option *o = by_name(v, arg + 2, len - 2);
    char shown[PLACE];
    if (!o) return unknown(v, arg, len, err);
    snprintf(shown, sizeof shown, "--%.60s", o->name);
    if (o->kind == CLI_FLAG) {
        char place[PLACE];
        snprintf(place, sizeof place, "silex %.30s: %.64s", v->name, shown);
        if (eq)
            return slx_fail(err, SLX_EINPUT, place, 0, 0, "found the value \"%s\", expected none",
                            eq + 1);
        return store(v, o, shown, "", values, err);
    }
    if (eq) return store(v, o, shown, eq + 1, values, err);
    if (*i + 1 >= argc) return no_value(v, o, shown, err);
    return store(v, o, shown, argv[++*i], values, err);
}

static slx_status short_option(const cli_verb *v, int argc, char **argv, int *i, void *values,
                               slx_err *err)
{
    const char *arg = argv[*i], shown[] = {'-', arg[1], 0};
    const cli_option *o = by_letter(v, arg[1]);
    if (!o || (o->kind == CLI_FLAG && arg[2])) return unknown(v, arg, strlen(arg), err);
    if (o->kind == CLI_FLAG) return store(v, o, shown, "", values, err);
    if (arg[2]) return store(v, o, shown, arg + 2, values, err);
    if (*i + 1 >= argc) return no_value(v, o, shown, err);
    return store(v, o, shown, argv[++*i], values, err);
}

slx_status cli_parse(const cli_verb *v, int argc, char **argv, void *values, cli_args *args,
                     bool *help, slx_err *err)
{
    int n = 0;
    bool only_args = false;
    char place[PLACE];
    *help = false;
    for (int i = 0; i < argc; i++) {
        if (!only_args && !strcmp(argv[i], "--")) {
            only_args = true;
        } else if (!only_args && (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))) {
            *help = true;
            return SLX_OK;
        } else if (!only_args && !strncmp(argv[i], "--", 2)) {
            SLX_TRY(long_option(v, argc, argv, &i, values, err));
        } else if (!only_args && argv[i][0] == '-' && argv[i][1]) {
            SLX_TRY(short_option(v, argc, argv, &i, values, err));
        } else {
            argv[n++] = argv[i];
        }
    }
    *args = (cli_args){(const char *const *)argv, n};
    snprintf(place, sizeof place, "silex %s", v->name);
    if (n < v->least_args)
        return slx_fail(err, SLX_EINPUT, place, 0, 0,
                        "found %d argument%s, expected %s; see silex %s --help", n,
                        n == 1 ? "" : "s", v->args, v->name);
    if (n > v->most_args)
        return slx_fail(err, SLX_EINPUT, place, 0, 0,
                        "found \"%s\" too, expected only %s; see silex %s --help",
                        argv[v->most_args], *v->args ? v->args : "options", v->name);
    for (int i = 0; i < n; i++)
        if (!argv[i][0])
            return slx_fail(err, SLX_EINPUT, place, 0, 0, "found an empty %s", v->args);
    return SLX_OK;
}
