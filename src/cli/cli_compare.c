/* cli_compare.c - silex compare: one model on many chips, ours timed by their programs, others by what their library
 * would launch. See compare.h. */
#include "cli/compare_int.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    cli_list set, tpot_ms;
    int64_t tp, batch, context, prompt, max_batch;
    int weights, kv;
    const char *html;
    bool no_target, json;
} values;

static const char *const weight_choices[] = {"16", "8", "4", NULL}, *const kv_choices[] = {
                                                                        "16", "8", NULL};

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"batch", 'b', CLI_COUNT, "N", AT(batch), 1, 4096, NULL,
     "sequences that decode together; default 1"},
    {"context", 'c', CLI_COUNT, "N", AT(context), 1, 1 << 24, NULL,
     "tokens of each sequence while it decodes; default 2048"},
    {"prompt", 'p', CLI_COUNT, "N", AT(prompt), 1, 1 << 24, NULL,
     "tokens of the prompt of TTFT; default 1024"},
    {"tpot-ms", 0, CLI_LIST, "MS", AT(tpot_ms), 0, 0, NULL,
     "also the best batch at this time a token; may be repeated; default 20"},
    {"no-target", 0, CLI_FLAG, NULL, AT(no_target), 0, 0, NULL,
     "without a time a token to look for a batch at"},
    {"tp", 0, CLI_COUNT, "N", AT(tp), 1, 1024, NULL,
     "chips that share every layer; default: the fewest that hold the model, the best at a target"},
    {"max-batch", 0, CLI_COUNT, "N", AT(max_batch), 1, 4096, NULL,
     "largest batch at a target; default 512"},
    {"weights", 'w', CLI_CHOICE, "BITS", AT(weights), 0, 0, weight_choices,
     "size of a weight: each chip takes the format it has of that size; default 8"},
    {"kv", 0, CLI_CHOICE, "BITS", AT(kv), 0, 0, kv_choices, "the same of the KV cache; default 8"},
    {"set", 0, CLI_LIST, "[CHIP:]KEY=VALUE", AT(set), 0, 0, NULL,
     "a figure changed: of one chip (h100:part.mem_tbs=4), of all that have it "
     "(package.tdp_w=500), or a cost (pue=1.3); "
     "may be repeated"},
    {"html", 0, CLI_TEXT, "FILE", AT(html), 0, 0, NULL,
     "also a report with charts and sources, one file; - is standard output, and nothing else "
     "then"},
    {"json", 0, CLI_FLAG, NULL, AT(json), 0, 0, NULL, "one JSON object"},
    {0},
};
static const values defaults = {
    .batch = 1, .context = 2048, .prompt = 1024, .max_batch = 512, .weights = 1, .kv = 1};

/* ------------------------------------------------------------------ --set */

/* "pue=1.3": a constant of the reports. *done tells whether it was one. */
static slx_status set_constant(slx_constants *k, const char *text, bool *done, slx_err *err)
{
    const char *eq = strchr(text, '=');
    double v;
    *done = false;
    for (int i = 0; eq && i < slx_constants_count(k); i++) {
        const char *name = slx_constants_name(k, i);
        if (strlen(name) != (size_t)(eq - text) || memcmp(name, text, (size_t)(eq - text)) != 0)
            continue;
        const char *rule = "a number above 0";
        if (slx_parse_f64(eq + 1, 1e-15, 1e15, &v)) rule = slx_constants_rule(k, i, v);
        if (rule) {
            char place[80];
            snprintf(place, sizeof place, "--set %.60s", text);
            return slx_fail(err, SLX_EINPUT, place, 0, 0, "%s: found \"%.40s\", expected %s", name,
                            eq + 1, rule);
        }
        slx_constants_set(k, i, (slx_band){v, v, v});
        *done = true;
    }
    return SLX_OK;
}

/* "part.mem_tbs=4": every chip that has the key; one that refuses the value ends the verb. */
static slx_status set_all(compare_row *rows, int n, const char *text, slx_err *err)
{
    char key[64];
    int set = 0;
    snprintf(key, sizeof key, "%.*s", (int)strcspn(text, "="), text);
    for (int i = 0; i < n; i++) {
        if (!slx_chip_has_key(rows[i].chip, key)) continue;
        SLX_TRY(slx_chip_set_text(rows[i].chip, text, err));
        set++;
    }
    return set || !n ? SLX_OK
                     : slx_chip_set_text(rows[0].chip, text, err); /* which says what is wrong */
}

/* "h100:part.mem_tbs=4": a colon before the equals sign names the chip. */
static slx_status set_one(compare_row *rows, int n, const char *text, slx_err *err)
{
    size_t key = strcspn(text, "=:");
    if (text[key] != ':') return set_all(rows, n, text, err);
    const char *names[COMPARE_CHIPS];
    char name[128];
    int found = 0;
    snprintf(name, sizeof name, "%.*s", (int)key, text);
    for (int i = 0; i < n; i++) {
        names[i] = rows[i].chip->name;
        if (strcmp(names[i], name) != 0) continue;
        SLX_TRY(slx_chip_set_text(rows[i].chip, text + key + 1, err));
        found++;
    }
    if (found) return SLX_OK;
    char place[80];
    const char *near = slx_nearest(name, names, n);
    snprintf(place, sizeof place, "--set %.60s", text);
    return slx_fail(err, SLX_EINPUT, place, 0, 0,
                    "found chip %.60s, expected one of those compared%s%s%s", name,
                    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static slx_status apply_sets(const values *v, slx_constants *k, compare_row *rows, int n,
                             slx_err *err)
{
    for (int s = 0; s < v->set.n; s++) {
        bool done;
        SLX_TRY(set_constant(k, v->set.v[s], &done, err));
        if (!done) SLX_TRY(set_one(rows, n, v->set.v[s], err));
    }
    for (int i = 0; i < n && v->set.n; i++) SLX_TRY(slx_chip_check_physics(rows[i].chip, err));
    return SLX_OK;
}

/* ------------------------------------------------------------------ chips */

/* Those named, or every file of chips/. *n counts what was opened, also after a failure. */
static slx_status open_chips(cli_args args, slx_arena *arena, compare_row *rows, int *n,
                             slx_err *err)
{
    static const char *const suffix[] = {".yaml", NULL};
    const char *all[COMPARE_CHIPS + 1];
    int names = args.n - 1;
    const char *const *name = args.v + 1;
    *n = 0;
    if (!names) {
        names = slx_find_names(arena, "chips", suffix, all, COMPARE_CHIPS + 1);
        name = all;
    }
    if (names > COMPARE_CHIPS)
        return slx_fail(err, SLX_EINPUT, "silex compare", 0, 0,
                        "found more than %d chips in chips/, expected CHIP...", COMPARE_CHIPS);
    for (*n = 0; *n < names; ++*n) SLX_TRY(slx_chip_load_any(&rows[*n].chip, name[*n], err));
    return SLX_OK;
}

static slx_status parse_targets(const values *v, compare_ask *ask, slx_err *err)
{
    ask->n_targets = 0;
    if (v->no_target && v->tpot_ms.n)
        return slx_fail(err, SLX_EINPUT, "silex compare: --no-target", 0, 0,
                        "found --tpot-ms beside it, expected one of them");
    for (int i = 0; i < v->tpot_ms.n; i++) {
        char place[100];
        snprintf(place, sizeof place, "silex compare: --tpot-ms");
        double ms;
        if (!slx_parse_f64(v->tpot_ms.v[i], 1e-3, 1e6, &ms))
            return slx_fail(err, SLX_EINPUT, place, 0, 0,
                            "found \"%.40s\", expected milliseconds from 0.001 to 1000000",
                            v->tpot_ms.v[i]);
        ask->target_s[ask->n_targets++] = ms * 1e-3;
    }
    if (!v->tpot_ms.n && !v->no_target) ask->target_s[ask->n_targets++] = 0.020;
    return SLX_OK;
}

/* ------------------------------------------------------------------ run */

static slx_status get(void *arg, const compare_ask *ask, int i, slx_err *err)
{
    compare_row *rows = arg;
    return compare_get(&rows[i], ask, err);
}

/* The fastest first, those not told last, by name. */
static int by_speed(const void *a_, const void *b_)
{
    const compare_row *a = a_, *b = b_;
    if (!a->point.why != !b->point.why) return a->point.why ? 1 : -1;
    double x = a->point.pass.seconds.mid, y = b->point.pass.seconds.mid;
    if (!a->point.why && x != y) return x < y ? -1 : 1;
    return strcmp(a->chip->name, b->chip->name);
}

static slx_status check_tp(const slx_shape *m, uint32_t tp, slx_err *err)
{
    if (!tp || (tp <= m->n_heads && m->n_heads % tp == 0)) return SLX_OK;
    return slx_fail(err, SLX_EINPUT, "silex compare: --tp", 0, 0,
                    "found %u, expected a divisor of the %u attention heads of %s, at most %u", tp,
                    m->n_heads, m->name, m->n_heads);
}

/* As `time` has it: a model is not asked for more than it was made for. */
static slx_status check_context(const slx_shape *m, const compare_ask *ask, slx_err *err)
{
    bool prompt = ask->prompt > ask->context;
    uint32_t most = prompt ? ask->prompt : ask->context;
    if (!m->context || most <= m->context) return SLX_OK;
    return slx_fail(err, SLX_EINPUT, prompt ? "silex compare: --prompt" : "silex compare: --context", 0, 0,
                    "found %u, expected at most %u, the tokens of context that %s was made for", most, m->context,
                    m->name);
}

static slx_status compare(const values *v, compare_ask *ask, compare_row *rows, int n, bool sort,
                          slx_err *err)
{
    compare_workers *w = compare_workers_open(ask);
    slx_status st = compare_each(w, rows, n, get, rows, "compare", err);
    if (st == SLX_OK && sort) qsort(rows, (size_t)n, sizeof *rows, by_speed);
    if (st == SLX_OK && v->html) st = compare_write_page(v->html, ask, w, rows, n, err);
    if (st == SLX_OK && v->json)
        compare_print_json(ask, rows, n);
    else if (st == SLX_OK && !(v->html && !strcmp(v->html, "-")))
        compare_print(ask, rows, n);
    compare_workers_close(w);
    return st;
}

static slx_status run(const void *values_, cli_args args, slx_err *err)
{
    static const int weight_bits[] = {16, 8, 4}, kv_bits[] = {16, 8};
    const values *v = values_;
    slx_arena arena;
    slx_shape *model = NULL;
    compare_row *rows = slx_xcalloc(COMPARE_CHIPS, sizeof *rows);
    compare_ask ask = {.arena = &arena,
                       .tp = (uint32_t)v->tp,
                       .batch = (uint32_t)v->batch,
                       .prompt = (uint32_t)v->prompt,
                       .context = (uint32_t)v->context,
                       .max_batch = (uint32_t)v->max_batch,
                       .weight_bits = weight_bits[v->weights],
                       .kv_bits = kv_bits[v->kv]};
    int n = 0;
    slx_arena_init(&arena);
    slx_catch_interrupt();
    slx_predictor_open(&ask.predictor);
    slx_status st = parse_targets(v, &ask, err);
    if (st == SLX_OK && v->json && v->html && !strcmp(v->html, "-"))
        st = slx_fail(err, SLX_EINPUT, "silex compare: --html", 0, 0,
                      "found - together with --json, expected a file");
    if (st == SLX_OK) st = slx_constants_load(&ask.constants, err);
    if (st == SLX_OK) st = slx_shape_open(&model, args.v[0], err);
    ask.model = model;
    if (st == SLX_OK) st = check_tp(model, ask.tp, err);
    if (st == SLX_OK) st = check_context(model, &ask, err);
    if (st == SLX_OK) st = open_chips(args, &arena, rows, &n, err);
    if (st == SLX_OK) st = apply_sets(v, ask.constants, rows, n, err);
    if (st == SLX_OK) st = compare(v, &ask, rows, n, args.n == 1, err);
    for (int i = 0; i < n; i++) slx_chip_free(rows[i].chip);
    slx_shape_free(model);
    slx_constants_free(ask.constants);
    slx_predictor_close(ask.predictor);
    slx_arena_deinit(&arena);
    free(rows);
    return st;
}

const cli_verb cli_verb_compare = {
    "compare",
    "MODEL [CHIP...]",
    1,
    COMPARE_CHIPS + 1,
    "one model on many chips: latency, tokens a second, joules and dollars, side by side",
    "MODEL is a config.json, its folder, a GGUF file or a name in data/models; without a CHIP "
    "every chip in chips/.\n"
    "Chips of ours are timed by their program, others by what their library would launch; "
    "docs/compare.md.\n",
    options,
    &defaults,
    sizeof defaults,
    run};
