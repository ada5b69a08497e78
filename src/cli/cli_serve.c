/* cli_serve.c - silex serve: an OpenAI-compatible server and a page on the simulated chip. */
#include "cli/cli.h"
#include "cli/engine_options.h"
#include "server/server.h"
#include "server/store.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *host, *cert, *key, *db, *name, *template;
    int64_t port, slots, pages, chunk, queue, drain, timeout;
    bool no_auth, no_cache, no_x_silex, quiet;
    cli_engine_values engine;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"host", 0, CLI_TEXT, "ADDRESS", AT(host), 0, 0, NULL, "address to listen at"},
    {"port", 0, CLI_COUNT, "N", AT(port), 0, 65535, NULL,
     "port; 0 = any free one, said in the first line"},
    {"cert", 0, CLI_TEXT, "FILE", AT(cert), 0, 0, NULL, "certificate for TLS (PEM)"},
    {"key", 0, CLI_TEXT, "FILE", AT(key), 0, 0, NULL, "its private key (PEM)"},
    {"db", 0, CLI_TEXT, "FILE", AT(db), 0, 0, NULL,
     "keys and usage; when not given, silex/server.db in XDG_STATE_HOME or ~/.local/state"},
    {"no-auth", 0, CLI_FLAG, NULL, AT(no_auth), 0, 0, NULL,
     "no keys and no ledger; only at a loopback address"},
    {"model-name", 0, CLI_TEXT, "NAME", AT(name), 0, 0, NULL,
     "what clients call the model; when not given, the file's name"},
    {"chat-template", 0, CLI_TEXT, "FILE", AT(template), 0, 0, NULL,
     "a Jinja chat template in place of the model's own"},
    {"slots", 0, CLI_COUNT, "N", AT(slots), 1, 512, NULL, "answers computed together"},
    {"kv-pages", 0, CLI_COUNT, "N", AT(pages), 0, 1 << 24, NULL,
     "KV pages of 128 positions; 0 = one sequence of full length and 8 for each slot"},
    {"prefill-chunk", 0, CLI_COUNT, "N", AT(chunk), 1, 1 << 20, NULL,
     "prompt rows of a step while others get tokens; no effect on any bit"},
    {"queue", 0, CLI_COUNT, "N", AT(queue), 0, 1 << 20, NULL,
     "answers that may wait; more are refused with 429"},
    {"drain", 0, CLI_COUNT, "SECONDS", AT(drain), 0, 86400, NULL,
     "how long SIGTERM waits for answers under way"},
    {"timeout", 0, CLI_COUNT, "SECONDS", AT(timeout), 1, 86400, NULL,
     "a connection without progress is closed"},
    {"no-prefix-cache", 0, CLI_FLAG, NULL, AT(no_cache), 0, 0, NULL,
     "compute every prompt whole; no effect on any bit"},
    {"no-x-silex", 0, CLI_FLAG, NULL, AT(no_x_silex), 0, 0, NULL,
     "without x_silex, what each answer would have taken on the chip"},
    {"quiet", 0, CLI_FLAG, NULL, AT(quiet), 0, 0, NULL, "no log line for each request"},
    CLI_THREADS_ROW(values),
    CLI_ENGINE_ROWS(values),
    {0},
};
static const values defaults = {.host = "127.0.0.1",
                                .port = 8080,
                                .slots = 32,
                                .chunk = 64,
                                .queue = 128,
                                .drain = 30,
                                .timeout = 60,
                                .engine = CLI_ENGINE_DEFAULTS};

static void ready(void *arg, uint16_t port)
{
    const values *v = arg;
    bool six = strchr(v->host, ':') != NULL;
    printf("http%s://%s%s%s:%u/\n", v->cert ? "s" : "", six ? "[" : "", v->host, six ? "]" : "",
           port);
    fflush(stdout);
}

/* Room for every slot's conversation beside one of full length. */
static slx_status open_engine(const values *v, const char *model, slx_engine **e, slx_err *err)
{
    slx_engine_options opt;
    SLX_TRY(cli_engine_get(&v->engine, model, &opt, err));
    opt.template_path = v->template;
    opt.compile.max_seqs = opt.compile.max_samples = (uint32_t)v->slots;
    opt.compile.max_pages = (uint32_t)v->pages;
    opt.compile.spare_pages = 8 * (uint32_t)v->slots;
    return slx_engine_open(e, &opt, err);
}

static slx_status run(const void *p, cli_args args, slx_err *err)
{
    const values *v = p;
    char path[1024];
    slx_engine *e = NULL;
    if (v->no_auth && v->db)
        return slx_fail(err, SLX_EINPUT, "--no-auth", 0, 0,
                        "found together with --db, expected only one");
    srv_store_default_path(path);
    slx_server_options o = {.host = v->host,
                            .port = (uint16_t)v->port,
                            .cert = v->cert,
                            .key = v->key,
                            .db = v->no_auth ? NULL
                                  : v->db    ? v->db
                                             : path,
                            .model_name = v->name,
                            .slots = (uint32_t)v->slots,
                            .chunk = (uint32_t)v->chunk,
                            .queue = (uint32_t)v->queue,
                            .drain_s = (uint32_t)v->drain,
                            .timeout_s = (uint32_t)v->timeout,
                            .no_prefix_cache = v->no_cache,
                            .no_x_silex = v->no_x_silex,
                            .quiet = v->quiet};
    /* It lives long and times steps only while its table of them fills: what they freed goes back (main.c keeps it). */
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    slx_status st = open_engine(v, args.v[0], &e, err);
    if (st == SLX_OK) st = slx_server_run(e, &o, ready, (void *)(uintptr_t)v, err);
    slx_engine_close(e);
    return st;
}

const cli_verb cli_verb_serve = {"serve",
                                 "MODEL",
                                 1,
                                 1,
                                 "an OpenAI-compatible server and a page on the simulated chip",
                                 "Prints its address when it is ready. Clients need a key, which "
                                 "silex keys add makes. SIGTERM finishes the\n"
                                 "answers under way, then ends. docs/serving.md says more.\n",
                                 options,
                                 &defaults,
                                 sizeof defaults,
                                 run};
