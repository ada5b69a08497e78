/* compare_text.c - the tables of silex compare: the answer first, then a table a question, then what is missing and
 * why. A cell is mid and, in brackets, low and high where the answer turns on it. */
#include "cli/compare.h"
#include "cli/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void put(cli_table *t, int row, int column, slx_band v, bool band)
{
    char low[32], mid[32], high[32];
    if (isnan(v.mid))
        cli_table_set(t, row, column, "-");
    else if (!band || v.low == v.high)
        cli_table_set(t, row, column, "%s", cli_digits(mid, v.mid));
    else
        cli_table_set(t, row, column, "%s (%s-%s)", cli_digits(mid, v.mid), cli_digits(low, v.low),
                      cli_digits(high, v.high));
}

static slx_band ms(slx_band s)
{
    return (slx_band){s.low * 1e3, s.mid * 1e3, s.high * 1e3};
}

static slx_band exact(double v)
{
    return (slx_band){v, v, v};
}

/* ------------------------------------------------------------------ order */

typedef struct {
    const compare_row *row;
    double key; /* smallest first; NAN last */
    int at;
} sorted;

static int by_key(const void *a_, const void *b_)
{
    const sorted *a = a_, *b = b_;
    if (isnan(a->key) != isnan(b->key)) return isnan(a->key) ? 1 : -1;
    if (!isnan(a->key) && a->key != b->key) return a->key < b->key ? -1 : 1;
    return a->at - b->at;
}

/* ------------------------------------------------------------------ the answer */

static const compare_row *least(const compare_row *rows, int n,
                                double (*key)(const compare_row *, int), int target)
{
    const compare_row *best = NULL;
    for (int i = 0; i < n; i++) {
        double v = key(&rows[i], target);
        if (!isnan(v) && (!best || v < key(best, target))) best = &rows[i];
    }
    return best;
}

static double tpot_of(const compare_row *r, int target)
{
    (void)target;
    return r->point.why ? NAN : r->point.pass.seconds.mid;
}

static double usd_of(const compare_row *r, int target)
{
    return r->target[target].why ? NAN : r->target[target].usd_per_mtok.mid;
}

static double joules_of(const compare_row *r, int target)
{
    return r->target[target].why ? NAN : r->target[target].j_per_token.mid;
}

static void print_answer(const compare_ask *ask, const compare_row *rows, int n)
{
    char a[32], b[32], d[32];
    const compare_row *fast = least(rows, n, tpot_of, 0);
    printf(" %s   prompt %u, context %u; weights of %d bits, KV cache of %d\n", ask->model->name,
           ask->prompt, ask->context, ask->weight_bits, ask->kv_bits);
    if (!fast) return;
    printf(" fastest     %s: %s tokens/s for one user at batch %u on %u chip%s\n", fast->chip->name,
           cli_digits(a, fast->point.tok_s_user.mid), fast->point.batch, fast->point.tp,
           fast->point.tp > 1 ? "s" : "");
    for (int t = 0; t < ask->n_targets; t++) {
        const compare_row *cheap = least(rows, n, usd_of, t), *lean = least(rows, n, joules_of, t);
        if (!cheap && !lean) continue;
        printf(" at %s ms   ", cli_digits(d, ask->target_s[t] * 1e3));
        if (cheap)
            printf("cheapest %s: $%s a million tokens%s", cheap->chip->name,
                   cli_digits(a, usd_of(cheap, t)), lean ? "; " : "");
        if (lean)
            printf("fewest joules %s: %s a token", lean->chip->name,
                   cli_digits(b, joules_of(lean, t)));
        putchar('\n');
    }
}

/* ------------------------------------------------------------------ tables */

enum { CHIPS, TTFT, TPOT, USER, JOULES, DOLLARS, BASIS, WATTS, FORMATS, HOW, BOUND, POINT_COLUMNS };

static void print_point_table(const compare_ask *ask, const compare_row *rows, const sorted *order,
                              int n)
{
    static const char *const head[] = {"chips",      "TTFT, ms", "ms a token",
                                       "tok/s/user", "J/token",  "$/Mtoken", "of a chip's",
                                       "W a chip",   "weights, KV", "timed by", "limited by"};
    slx_arena arena;
    slx_arena_init(&arena);
    cli_table t = {
        .arena = &arena,
        .columns = POINT_COLUMNS,
        .left = {[BASIS] = true, [FORMATS] = true, [HOW] = true, [BOUND] = true}};
    int h = cli_table_add(&t, "chip");
    (void)rows;
    for (int c = 0; c < POINT_COLUMNS; c++) cli_table_set(&t, h, c, "%s", head[c]);
    int shown = 0;
    for (int i = 0; i < n; i++) {
        const compare_row *r = order[i].row;
        if (!compare_predicted(r)) continue;
        int row = cli_table_add(&t, r->chip->name);
        cli_table_set(&t, row, CHIPS, "%u", r->point.tp);
        put(&t, row, TTFT, r->ttft_why ? exact(NAN) : ms(r->prefill.seconds), false);
        put(&t, row, TPOT, ms(r->point.pass.seconds), true);
        put(&t, row, USER, r->point.tok_s_user, false);
        put(&t, row, JOULES, r->point.j_per_token, true);
        put(&t, row, DOLLARS, r->point.usd_per_mtok, true);
        cli_table_set(&t, row, BASIS, "%s", slx_price_basis_name(r->cost.basis));
        cli_table_set(&t, row, FORMATS, "%s, %s", r->weights, r->kv_cache);
        put(&t, row, WATTS, exact(r->point.pass.power_w), false);
        cli_table_set(&t, row, HOW, "%s", r->point.pass.timed_by);
        cli_table_set(&t, row, BOUND, "%s", r->point.pass.bound_by);
        shown++;
    }
    if (shown) {
        printf("\nat batch %u\n", ask->batch);
        cli_table_print(&t, stdout);
    }
    slx_arena_deinit(&arena);
}

enum { T_CHIPS, T_BATCH, T_TPOT, T_USER, T_CHIP, T_JOULES, T_DOLLARS, T_BOUND, TARGET_COLUMNS };

static void print_target_table(const compare_ask *ask, const sorted *order, int n, int target)
{
    static const char *const head[] = {"chips",      "batch",   "ms a token", "tok/s/user",
                                       "tok/s/chip", "J/token", "$/Mtoken",   "limited by"};
    char text[32];
    slx_arena arena;
    slx_arena_init(&arena);
    cli_table t = {.arena = &arena, .columns = TARGET_COLUMNS, .left = {[T_BOUND] = true}};
    int h = cli_table_add(&t, "chip"), shown = 0;
    for (int c = 0; c < TARGET_COLUMNS; c++) cli_table_set(&t, h, c, "%s", head[c]);
    for (int i = 0; i < n; i++) {
        const compare_point *p = &order[i].row->target[target];
        if (p->why) continue;
        int row = cli_table_add(&t, order[i].row->chip->name);
        cli_table_set(&t, row, T_CHIPS, "%u", p->tp);
        cli_table_set(&t, row, T_BATCH, "%u", p->batch);
        put(&t, row, T_TPOT, ms(p->pass.seconds), false);
        put(&t, row, T_USER, p->tok_s_user, false);
        put(&t, row, T_CHIP, p->tok_s_chip, true);
        put(&t, row, T_JOULES, p->j_per_token, true);
        put(&t, row, T_DOLLARS, p->usd_per_mtok, true);
        cli_table_set(&t, row, T_BOUND, "%s", p->pass.bound_by);
        shown++;
    }
    printf("\nat most %s ms a token: the batch, up to %u, and the chips with most tokens a chip\n",
           cli_digits(text, ask->target_s[target] * 1e3), ask->max_batch);
    if (shown)
        cli_table_print(&t, stdout);
    else
        printf("none\n");
    slx_buf capped = {0};
    for (int i = 0; i < n; i++)
        if (compare_capped(&order[i].row->target[target], ask, target))
            slx_buf_addf(&capped, "%s%s", capped.len ? ", " : "", order[i].row->chip->name);
    if (capped.len) printf("held back by the largest batch tried, not by the time (--max-batch): %s\n", capped.ptr);
    slx_buf_free(&capped);
    slx_arena_deinit(&arena);
}

/* A line a chip and reason. */
static void print_missing(const compare_ask *ask, const compare_row *rows, int n)
{
    int width = 0, said = 0;
    char text[32];
    for (int i = 0; i < n; i++)
        if ((int)strlen(rows[i].chip->name) > width) width = (int)strlen(rows[i].chip->name);
#define SAY(...)                                                                                   \
    (printf(said++ ? "" : "\nnot told\n"), printf(" %-*s  ", width, c->name), printf(__VA_ARGS__), \
     putchar('\n'))
    for (int i = 0; i < n; i++) {
        const compare_row *r = &rows[i];
        const slx_chip *c = r->chip;
        if (r->point.why) SAY("%s", r->point.why);
        if (r->ttft_why && !r->point.why) SAY("TTFT: %s", r->ttft_why);
        if (!r->point.why && r->point.usd_why) SAY("$: %s", r->point.usd_why);
        if (!r->point.why && r->point.j_why) SAY("J: %s", r->point.j_why);
        for (int t = 0; t < ask->n_targets; t++)
            if (r->target[t].why && (!r->point.why || strcmp(r->target[t].why, r->point.why) != 0))
                SAY("at %s ms: %s", cli_digits(text, ask->target_s[t] * 1e3), r->target[t].why);
    }
#undef SAY
}

/* Chips that do not store weights in about the size that was asked for: ours have no 16 bits, others no 4. */
static void print_other_sizes(const compare_ask *ask, const compare_row *rows, int n)
{
    for (int i = 0; i < n; i++) {
        const compare_row *r = &rows[i];
        char bits[32];
        if (r->point.why || !(fabs(r->weight_bits / ask->weight_bits - 1) > 0.25)) continue;
        printf("\n%s has no weights of %d bits: %s, %s bits each with their scales\n", r->chip->name, ask->weight_bits,
               r->weights, cli_digits(bits, r->weight_bits));
    }
}

/* One line for all chips with the same list. */
static void print_inferred(const compare_row *rows, int n)
{
    bool *said = slx_xcalloc((size_t)n + 1, sizeof *said);
    bool any = false;
    for (int i = 0; i < n; i++) {
        const compare_row *r = &rows[i];
        if (said[i] || !r->n_inferred || r->point.why) continue;
        printf("%s",
               any ? "\n " : "\nnot published, and taken from the chip's family for its times\n ");
        for (int k = 0; k < r->n_inferred; k++) printf("%s%s", k ? ", " : "", r->inferred[k]);
        for (int k = i; k < n; k++) {
            bool same = rows[k].n_inferred == r->n_inferred && !rows[k].point.why &&
                        !memcmp(rows[k].inferred, r->inferred, sizeof r->inferred);
            if (same) printf("%s%s", k == i ? ": " : ", ", rows[k].chip->name);
            said[k] |= same;
        }
        any = true;
    }
    if (any) putchar('\n');
    free(said);
}

void compare_print(const compare_ask *ask, const compare_row *rows, int n)
{
    sorted *order = slx_xcalloc((size_t)n + 1, sizeof *order);
    print_answer(ask, rows, n);
    for (int i = 0; i < n; i++) order[i] = (sorted){&rows[i], tpot_of(&rows[i], 0), i};
    qsort(order, (size_t)n, sizeof *order, by_key);
    print_point_table(ask, rows, order, n);
    for (int t = 0; t < ask->n_targets; t++) {
        for (int i = 0; i < n; i++) {
            double usd = usd_of(&rows[i], t),
                   user = rows[i].target[t].why ? NAN : rows[i].target[t].tok_s_chip.mid;
            order[i] = (sorted){&rows[i], isnan(usd) ? isnan(user) ? NAN : 1e9 - user : usd, i};
        }
        qsort(order, (size_t)n, sizeof *order, by_key);
        print_target_table(ask, order, n, t);
    }
    print_missing(ask, rows, n);
    print_inferred(rows, n);
    print_other_sizes(ask, rows, n);
    printf("\nIn brackets low and high. Timed by library: the kernels of a pass as one graph, without the "
           "time of a server around it.\nSources and charts: --html FILE; docs/compare.md.\n");
    free(order);
}
