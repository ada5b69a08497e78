/* cli_bench.c - silex bench: host speed as llama-bench prints it, beside what this host's memory can give.
 *
 * Decoding reads every weight once a token, so the host's read bandwidth bounds it, but for what a large cache keeps
 * from token to token. The bound is measured in the same minute, by a plain sum over memory with as many threads.
 */
#include "cli/cli.h"
#include "cli/engine_options.h"
#include "cli/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const char *threads;
    int64_t prompt, gen, repeat;
    bool json;
    cli_engine_values engine;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"threads", 't', CLI_TEXT, "N,N,...", AT(threads), 0, 0, NULL,
     "numbers of threads, one after another; 0 = all CPUs"},
    {"n-prompt", 'p', CLI_COUNT, "N", AT(prompt), 0, 1 << 20, NULL,
     "tokens of the prompt test; 0 leaves it out"},
    {"n-gen", 'n', CLI_COUNT, "N", AT(gen), 0, 1 << 20, NULL,
     "tokens of the generation test; 0 leaves it out"},
    {"repeat", 'r', CLI_COUNT, "N", AT(repeat), 1, 1000, NULL, "runs of each test"},
    CLI_ENGINE_ROWS(values),
    {"json", 0, CLI_FLAG, NULL, AT(json), 0, 0, NULL, "one JSON object"},
    {0},
};
static const values defaults = {
    .threads = "0", .prompt = 512, .gen = 128, .repeat = 5, .engine = CLI_ENGINE_DEFAULTS};

/* AHEAD_BYTES: two pages of 4 KiB, as far as one thread's outstanding reads need to be asked for. */
enum { AHEAD_BYTES = 8192, MOST_THREADS = 16, MEMORY_BYTES = 256 << 20, PASSES = 5 };

/* ------------------------------------------------------------------ the host's memory */

typedef struct {
    const uint64_t *p;
    size_t n;
    uint64_t sums[1024][8]; /* a cache line a thread */
} reading;

static void read_share(void *arg, int i, int n)
{
    reading *r = arg;
    const uint64_t *p = r->p + r->n / (size_t)n * (size_t)i, *end = p + r->n / (size_t)n;
    uint64_t s[8] = {0};
    for (; p + 8 <= end; p += 8) {
        __builtin_prefetch((const char *)p + AHEAD_BYTES);
        for (int k = 0; k < 8; k++) s[k] += p[k];
    }
    memcpy(r->sums[i], s, sizeof s);
}

/* Bytes a second, the best of a few passes. */
static double read_bandwidth(int threads)
{
    uint64_t *p = slx_aalloc(MEMORY_BYTES), total = 0;
    reading *r = slx_xcalloc(1, sizeof *r);
    slx_team *t = slx_team_open(threads);
    double best = 0;
    memset(p, 1, MEMORY_BYTES); /* pages of zeros would all be one page */
    *r = (reading){.p = p, .n = MEMORY_BYTES / sizeof *p};
    for (int i = 0; i < PASSES; i++) {
        double start = slx_now_s();
        slx_team_run(t, read_share, r);
        double rate = MEMORY_BYTES / (slx_now_s() - start);
        if (rate > best) best = rate;
        for (int k = 0; k < threads; k++) total += r->sums[k][0];
    }
    SLX_ASSERT(total != 0);
    slx_team_close(t);
    slx_afree(p, MEMORY_BYTES);
    free(r);
    return best;
}

/* What one token of the generation test reads on average: every weight once, of the embedding one row unless the
 * head uses the same table, and the KV pages so far. */
static double token_bytes(const slx_engine *e, int64_t gen)
{
    const slx_program *p = slx_engine_program(e);
    const slx_model *m = slx_engine_model(e);
    const slx_program_info *in = &p->info;
    double weights = 0;
    for (uint32_t i = 0; i < p->n_weights; i++) {
        const slx_weight *w = &p->weights[i];
        bool only_embeds = !m->hp.tied && !strcmp(w->tensor, m->tok_embd->name);
        double bytes = (double)w->bytes * (w->shard_rows || w->shard_k ? slx_program_chips(in) : 1);
        weights += only_embeds ? bytes / w->n_pad : bytes;
    }
    double position =
        (double)in->n_layers * in->n_kv_heads * slx_program_chips(in) * (double)in->page_stride / SLX_MAX_CHUNK;
    return weights + position * (double)gen / 2;
}

/* ------------------------------------------------------------------ runs */

typedef struct {
    int threads;
    slx_bench_result r[2];
    double token_bytes, bandwidth;
} row;

static slx_status measure(const values *v, const char *model, row *x, slx_err *err)
{
    slx_engine_options opt;
    slx_engine *e = NULL;
    SLX_TRY(cli_engine_get(&v->engine, model, &opt, err));
    opt.threads = x->threads;
    slx_status st = slx_engine_open(&e, &opt, err);
    if (st == SLX_OK)
        st =
            slx_bench_run(e, (uint32_t)v->prompt, (uint32_t)v->gen, (uint32_t)v->repeat, x->r, err);
    if (st == SLX_OK) {
        x->token_bytes = token_bytes(e, v->gen);
        x->bandwidth = read_bandwidth(x->threads);
    }
    slx_engine_close(e);
    return st;
}

static void print_head(void)
{
    printf("| model | chip | machine | threads | test | tok/s |\n|---|---|---|--:|--:|--:|\n");
}

static void print_row(const values *v, const char *model, const row *x)
{
    int64_t n[2] = {v->prompt, v->gen};
    const char *base = strrchr(model, '/');
    for (int i = 0; i < 2; i++)
        if (n[i])
            printf("| %s | %s | %s | %d | %s%lld | %.2f \xc2\xb1 %.2f |\n", base ? base + 1 : model,
                   v->engine.chip, cli_machines[v->engine.machine], x->threads, x->r[i].test,
                   (long long)n[i], x->r[i].tok_s, x->r[i].tok_s_stddev);
    fflush(stdout);
}

static void print_memory(const values *v, const row *x)
{
    char a[32], b[32];
    if (!v->gen) return;
    printf(
        "%d thread%s: a token reads %s; this host reads %s/s, so %.0f tok/s from memory; reached "
        "%.0f %%\n",
        x->threads, x->threads == 1 ? "" : "s", cli_short(a, x->token_bytes, "B"),
        cli_short(b, x->bandwidth, "B"), x->bandwidth / x->token_bytes,
        100 * x->r[1].tok_s * x->token_bytes / x->bandwidth);
}

/* A share above 100 % is no miracle on a host whose cache holds a good part of the model. */
static void print_cache(const row *x)
{
    char a[32];
    double cache = (double)sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (cache * 2 > x->token_bytes)
        printf("This host's cache of %s may keep part of the weights from token to token.\n",
               cli_short(a, cache, "B"));
}

static void row_json(const values *v, const row *x, json_t *results)
{
    int64_t n[2] = {v->prompt, v->gen};
    for (int i = 0; i < 2; i++) {
        char test[32];
        if (!n[i]) continue;
        snprintf(test, sizeof test, "%s%lld", x->r[i].test, (long long)n[i]);
        json_t *j = json_pack("{s:s, s:i, s:f, s:f}", "test", test, "threads", x->threads, "tok_s",
                              x->r[i].tok_s, "tok_s_stddev", x->r[i].tok_s_stddev);
        if (i == 1) {
            json_object_set_new(j, "read_bytes_per_token", json_real(x->token_bytes));
            json_object_set_new(j, "host_read_bytes_s", json_real(x->bandwidth));
        }
        json_array_append_new(results, j);
    }
}

/* "1,2,0" */
static slx_status parse_threads(const char *text, row *rows, int *n, slx_err *err)
{
    char copy[128];
    const char *place = "silex bench: --threads",
               *expected = "numbers of 0 to 1024, at most 16, as in 1,2";
    if (strlen(text) >= sizeof copy)
        return slx_fail(err, SLX_EINPUT, place, 0, 0, "found a long list, expected %s", expected);
    memcpy(copy, text, strlen(text) + 1);
    *n = 0;
    for (char *at = copy, *next; at; at = next) {
        int64_t value;
        if ((next = strchr(at, ','))) *next++ = 0;
        if (*n == MOST_THREADS || !slx_parse_i64(at, 0, 1024, &value))
            return slx_fail(err, SLX_EINPUT, place, 0, 0, "found \"%s\", expected %s", text,
                            expected);
        rows[(*n)++].threads = value ? (int)value : slx_host_threads();
    }
    return SLX_OK;
}

static slx_status run(const void *p, cli_args args, slx_err *err)
{
    const values *v = p;
    row rows[MOST_THREADS] = {0};
    int n = 0;
    SLX_TRY(parse_threads(v->threads, rows, &n, err));
    if (!v->prompt && !v->gen)
        return slx_fail(err, SLX_EINPUT, "silex bench", 0, 0,
                        "found 0 for both -p and -n, expected a test to run");
    slx_catch_interrupt();
    slx_status st = SLX_OK;
    json_t *results = json_array();
    for (int i = 0; i < n && st == SLX_OK; i++) {
        st = measure(v, args.v[0], &rows[i], err);
        if (st == SLX_OK && !v->json && !i) print_head();
        if (st == SLX_OK && !v->json) print_row(v, args.v[0], &rows[i]);
        if (st == SLX_OK) row_json(v, &rows[i], results);
    }
    if (st == SLX_OK && v->json)
        cli_json_print(json_pack("{s:O}", "results", results));
    else if (st == SLX_OK)
        for (int i = 0; i < n; i++) print_memory(v, &rows[i]);
    if (st == SLX_OK && !v->json && v->gen) print_cache(&rows[0]);
    json_decref(results);
    return st;
}

const cli_verb cli_verb_bench = {
    "bench",
    "MODEL",
    1,
    1,
    "host speed: a prompt of 512 tokens, then 128 tokens one at a time",
    "Mean and standard deviation of the runs. The last lines set decoding beside the read "
    "bandwidth of this host,\n"
    "measured by a plain sum over 256 MB with as many threads.\n",
    options,
    &defaults,
    sizeof defaults,
    run};
