/* cli_usage.c - silex usage: what users of a server spent, from its ledger. */
#include "cli/cli.h"
#include "cli/json.h"
#include "server/store.h"

#include <string.h>

typedef struct {
    const char *db, *by, *since, *until;
    bool json;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"by", 0, CLI_TEXT, "A,B", AT(by), 0, 0, NULL, "rows by user, team, model, day"},
    {"since", 0, CLI_TEXT, "DAY", AT(since), 0, 0, NULL, "from this day on, as 2026-01-31 (UTC)"},
    {"until", 0, CLI_TEXT, "DAY", AT(until), 0, 0, NULL, "to this day, counted in"},
    {"db", 0, CLI_TEXT, "FILE", AT(db), 0, 0, NULL,
     "the server's database; when not given, silex/server.db in XDG_STATE_HOME or ~/.local/state"},
    {"json", 0, CLI_FLAG, NULL, AT(json), 0, 0, NULL, "one JSON object"},
    {0},
};
static const values defaults = {.by = "user"};

typedef struct {
    bool json;
    json_t *rows;
    uint64_t unknown;
    uint32_t n;
} printer;

static void print_row(void *arg, const srv_usage_row *r)
{
    printer *p = arg;
    char name[160], prompt[32], cached[32], made[32], joules[32], requests[32];
    p->unknown += r->unknown;
    if (p->json) {
        json_array_append_new(p->rows,
                              json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:I}",
                                        "day", r->day, "user", r->user, "team", r->team, "model",
                                        r->model, "requests", (json_int_t)r->requests,
                                        "prompt_tokens", (json_int_t)r->prompt, "cached_tokens",
                                        (json_int_t)r->cached, "completion_tokens",
                                        (json_int_t)r->made, "energy_j", r->joules, "usd", r->usd,
                                        "requests_without_chip_time", (json_int_t)r->unknown));
        return;
    }
    if (!p->n++)
        printf("%-40s%10s%14s%14s%14s%12s%12s\n", "", "requests", "prompt", "of it cached",
               "completion", "energy", "$");
    int n = 0;
    const char *part[] = {r->day, r->user, r->team, r->model};
    name[0] = 0;
    for (int i = 0; i < 4; i++)
        if (part[i] && *part[i] && n < (int)sizeof name - 1)
            n += snprintf(name + n, sizeof name - (size_t)n, "%s%s", n ? "  " : "", part[i]);
    printf("%-40s%10s%14s%14s%14s%12s%12.3g\n", n ? name : "all", cli_commas(requests, r->requests),
           cli_commas(prompt, r->prompt), cli_commas(cached, r->cached), cli_commas(made, r->made),
           cli_short(joules, r->joules, "J"), r->usd);
}

static slx_status run(const void *p, cli_args args, slx_err *err)
{
    const values *v = p;
    char path[1024];
    srv_store *s = NULL;
    printer out = {.json = v->json, .rows = json_array()};
    (void)args;
    srv_store_default_path(path);
    SLX_TRY(srv_store_open(&s, v->db ? v->db : path, false, err));
    slx_status st = srv_store_each_usage(s, v->by, v->since, v->until, print_row, &out, err);
    if (st == SLX_OK && v->json) cli_json_print(json_pack("{s:O}", "usage", out.rows));
    if (st == SLX_OK && !v->json && !out.n) printf("no usage\n");
    if (st == SLX_OK && !v->json && out.unknown)
        printf("energy and $ are the simulated chip's; %llu requests ended before its steps were "
               "timed\n",
               (unsigned long long)out.unknown);
    json_decref(out.rows);
    srv_store_close(s);
    return st;
}

const cli_verb cli_verb_usage = {
    "usage",
    "",
    0,
    0,
    "what users of a server spent: tokens, joules and dollars of the simulated chip",
    "",
    options,
    &defaults,
    sizeof defaults,
    run};
