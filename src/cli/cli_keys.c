/* cli_keys.c - silex keys: who may ask a server, and how much. Every change goes to the audit log too. */
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/table.h"
#include "server/store.h"

#include <pwd.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    const char *db, *team, *models;
    int64_t per_minute, day_tokens; /* -1 = not said */
    bool admin, json;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"team", 0, CLI_TEXT, "TEAM", AT(team), 0, 0, NULL, "add: the user's team"},
    {"models", 0, CLI_TEXT, "A,B", AT(models), 0, 0, NULL,
     "add, quota: models this key may ask; \"\" = all"},
    {"per-minute", 0, CLI_COUNT, "N", AT(per_minute), 0, 1000000, NULL,
     "add, quota: requests a minute; 0 = no limit"},
    {"day-tokens", 0, CLI_COUNT, "N", AT(day_tokens), 0, 1e15, NULL,
     "add, quota: tokens a day (UTC), prompt and answer; 0 = no limit"},
    {"admin", 0, CLI_FLAG, NULL, AT(admin), 0, 0, NULL,
     "add: this key sees in /live and on the page what every user does"},
    {"db", 0, CLI_TEXT, "FILE", AT(db), 0, 0, NULL,
     "the server's database; when not given, silex/server.db in XDG_STATE_HOME or ~/.local/state"},
    {"json", 0, CLI_FLAG, NULL, AT(json), 0, 0, NULL, "one JSON object"},
    {0},
};
static const values defaults = {.per_minute = -1, .day_tokens = -1};

static const char *operator(void)
{
    const struct passwd *me = getpwuid(getuid());
    return me ? me->pw_name : "unknown";
}

static slx_status copy(char *out, size_t n, const char *value, const char *place, slx_err *err)
{
    if (strlen(value) >= n)
        return slx_fail(err, SLX_EINPUT, place, 0, 0, "found %zu bytes, expected fewer than %zu",
                        strlen(value), n);
    if (!slx_utf8_valid(value, strlen(value)))
        return slx_fail(err, SLX_EINPUT, place, 0, 0, "found text that is not UTF-8");
    memcpy(out, value, strlen(value) + 1);
    return SLX_OK;
}

static slx_status set_limits(const values *v, srv_key *k, slx_err *err)
{
    if (v->models) SLX_TRY(copy(k->models, sizeof k->models, v->models, "--models", err));
    if (v->per_minute >= 0) k->per_minute = (uint32_t)v->per_minute;
    if (v->day_tokens >= 0) k->day_tokens = (uint64_t)v->day_tokens;
    return SLX_OK;
}

static slx_status audit(srv_store *s, const char *what, const srv_key *k, slx_err *err)
{
    char detail[512];
    snprintf(detail, sizeof detail, "user=%s team=%s models=%s per_minute=%u day_tokens=%llu%s",
             k->user, k->team, k->models, k->per_minute, (unsigned long long)k->day_tokens,
             k->admin ? " admin" : "");
    return srv_store_audit(s, operator(), what, k->name, detail, err);
}

/* ------------------------------------------------------------------ printing */

static void day(char out[24], int64_t at)
{
    time_t t = (time_t)at;
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(out, 24, "%Y-%m-%d", &tm);
}

static json_t *key_json(const srv_key *k)
{
    char made[24], gone[24];
    day(made, k->created);
    day(gone, k->revoked);
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:b, s:s, s:s?}", "name", k->name, "user",
                     k->user, "team", k->team, "models", k->models, "per_minute",
                     (json_int_t)k->per_minute, "day_tokens", (json_int_t)k->day_tokens, "admin",
                     k->admin, "created", made, "revoked", k->revoked ? gone : NULL);
}

typedef struct {
    bool json;
    json_t *list;
    uint32_t n;
} printer;

static void limit(char out[32], uint64_t n)
{
    if (n)
        cli_commas(out, n);
    else
        snprintf(out, 32, "no limit");
}

static void print_key(void *arg, const srv_key *k)
{
    printer *p = arg;
    char made[24], rate[32], quota[32];
    if (p->json) {
        json_array_append_new(p->list, key_json(k));
        return;
    }
    if (!p->n++)
        printf("%-14s%-18s%-14s%12s %18s  %-10s %s\n", "key", "user", "team", "per minute",
               "tokens a day", "since", "models");
    day(made, k->created);
    limit(rate, k->per_minute);
    limit(quota, k->day_tokens);
    printf("%-14s%-18s%-14s%12s %18s  %-10s %s%s\n", k->name, k->user, k->team, rate, quota, made,
           k->revoked     ? "revoked"
           : k->models[0] ? k->models
                          : "all",
           k->admin ? " (admin)" : "");
}

/* ------------------------------------------------------------------ what is asked for */

static slx_status add(srv_store *s, const values *v, const char *user, slx_err *err)
{
    srv_key k = {.admin = v->admin};
    char text[SRV_KEY_TEXT];
    SLX_TRY(copy(k.user, sizeof k.user, user, "USER", err));
    if (v->team) SLX_TRY(copy(k.team, sizeof k.team, v->team, "--team", err));
    SLX_TRY(set_limits(v, &k, err));
    SLX_TRY(srv_store_add_key(s, &k, text, err));
    SLX_TRY(audit(s, "key added", &k, err));
    if (v->json) {
        json_t *j = key_json(&k);
        json_object_set_new(j, "key", json_string(text));
        cli_json_print(j);
    } else {
        printf("%s\n", text);
        fprintf(stderr, "key %s of %s; it is shown this once and cannot be found again\n", k.name,
                k.user);
    }
    return SLX_OK;
}

static slx_status list(srv_store *s, const values *v, slx_err *err)
{
    printer p = {.json = v->json, .list = json_array()};
    slx_status st = srv_store_each_key(s, print_key, &p, err);
    if (st == SLX_OK && v->json) cli_json_print(json_pack("{s:O}", "keys", p.list));
    json_decref(p.list);
    return st;
}

static slx_status revoke_key(srv_store *s, const values *v, const char *name, slx_err *err)
{
    srv_key k;
    SLX_TRY(srv_store_revoke(s, name, err));
    SLX_TRY(srv_store_get_key(s, name, &k, err));
    SLX_TRY(audit(s, "key revoked", &k, err));
    if (v->json)
        cli_json_print(key_json(&k));
    else
        printf("key %s of %s is revoked\n", k.name, k.user);
    return SLX_OK;
}

static slx_status quota(srv_store *s, const values *v, const char *name, slx_err *err)
{
    srv_key k;
    char rate[32], tokens[32];
    SLX_TRY(srv_store_get_key(s, name, &k, err));
    if (v->models || v->per_minute >= 0 || v->day_tokens >= 0) {
        SLX_TRY(set_limits(v, &k, err));
        SLX_TRY(srv_store_set_limits(s, &k, err));
        SLX_TRY(audit(s, "quota changed", &k, err));
    }
    limit(rate, k.per_minute);
    limit(tokens, k.day_tokens);
    if (v->json)
        cli_json_print(key_json(&k));
    else
        printf("key %s of %s: %s requests a minute, %s tokens a day, models %s\n", k.name, k.user,
               rate, tokens, k.models[0] ? k.models : "all");
    return SLX_OK;
}

static slx_status run(const void *p, cli_args args, slx_err *err)
{
    const values *v = p;
    const char *what = args.v[0], *name = args.n > 1 ? args.v[1] : NULL;
    char path[1024];
    srv_store *s = NULL;
    static const char *const known[] = {"add", "list", "revoke", "quota"};
    if (v->admin && strcmp(what, "add"))
        return slx_fail(err, SLX_EINPUT, "silex keys: --admin", 0, 0,
                        "found it with %.40s, expected it with add", what);
    bool is_add = !strcmp(what, "add"), is_list = !strcmp(what, "list"), found = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) found |= !strcmp(what, known[i]);
    if (!found)
        return slx_fail(err, SLX_EINPUT, "silex keys", 0, 0,
                        "found \"%.40s\", expected add, list, revoke or quota", what);
    if (is_list != !name)
        return slx_fail(err, SLX_EINPUT, "silex keys", 0, 0,
                        is_list ? "found a name too, list takes none" : "expected %s %s", what,
                        is_add ? "USER" : "NAME, as silex keys list has it");
    srv_store_default_path(path);
    SLX_TRY(srv_store_open(&s, v->db ? v->db : path, is_add, err));
    slx_status st = is_add                    ? add(s, v, name, err)
                    : is_list                 ? list(s, v, err)
                    : !strcmp(what, "revoke") ? revoke_key(s, v, name, err)
                                              : quota(s, v, name, err);
    srv_store_close(s);
    return st;
}

const cli_verb cli_verb_keys = {"keys",
                                "add USER | list | revoke NAME | quota NAME",
                                1,
                                2,
                                "who may ask a server, and how much",
                                "add prints a new key, once: only its hash is kept. quota without "
                                "limits shows them. A running server sees changes\n"
                                "with the next request.\n",
                                options,
                                &defaults,
                                sizeof defaults,
                                run};
