/* test_time_draw.c - steps of drawn programs, folded against every tile and layer simulated: cycles within 3 %, all
 * counts and energies by event equal.
 *
 *   build/test/diff/test_time_draw [SEED [N]]      another draw, of N steps; each is printed, the worst at the end */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compile/compile.h"
#include "time/time.h"

static uint64_t seed = 20261127;
static uint32_t n_steps = 12;

/* Decode steps of `seqs` sequences with a row each (piece: of one sequence with `rows`), behind `before` positions. */
typedef struct {
    const char *model, *chip;
    uint32_t chips, seqs, rows, before;
} draw;

static uint32_t between(slx_rng *r, uint32_t low, uint32_t high) /* evenly by the logarithm */
{
    double x = log(low) + (log(high + 1.0) - log(low)) * slx_rng_f64(r);
    uint32_t v = (uint32_t)exp(x);
    return v < low ? low : v > high ? high : v;
}

static draw draw_step(slx_rng *r)
{
    static const char *const models[] = {"llama-3-8b", "llama-2-7b", "llama-3.2-1b", "qwen3-0.6b", "qwen3-1.7b",
                                         "qwen3-4b",   "qwen3-8b",   "qwen3-14b",    "gpt2",       "gpt2-xl",
                                         "gpt3-2.7b",  "gpt3-6.7b",  "smollm2-135m", "smollm2-360m", "smollm2-1.7b"};
    static const char *const chips[] = {"silex-1", "silex-1", "silex-1e", "silex-mini", "silex-one", "silex-sram",
                                        "silex-etched"};
    enum { POSITIONS = 1 << 17 /* of all sequences: more, and the full run takes minutes */ };
    draw d = {.model = models[slx_rng_below(r, sizeof models / sizeof *models)],
              .chip = chips[slx_rng_below(r, sizeof chips / sizeof *chips)],
              .chips = 1u << slx_rng_below(r, 4)};
    if (slx_rng_below(r, 3)) {
        d.seqs = between(r, 1, 448), d.rows = 1;
        d.before = between(r, 40, 16384);
        if (d.before > POSITIONS / d.seqs) d.before = POSITIONS / d.seqs;
    } else {
        d.seqs = 1, d.rows = between(r, 16, 512);
        d.before = slx_rng_below(r, 2) ? 0 : between(r, 40, 4096);
    }
    return d;
}

/* false: this chip has no room for it, or the model does not divide so. */
static bool make_program(const draw *d, const slx_chip *c, slx_program *p)
{
    slx_err err = {0};
    slx_model *m;
    if (slx_model_open_as(&m, d->model, "Q4_0", &err) != SLX_OK) fail_msg("%s: %s", d->model, err.msg);
    uint32_t pages = (d->before + d->rows + 127) / 128 * d->seqs;
    slx_compile_options o = {.tp = d->chips,
                             .max_seqs = d->seqs,
                             .max_samples = d->seqs,
                             .max_rows = d->seqs * d->rows < 32 ? 32 : d->seqs * d->rows,
                             .max_pages = pages < 8 ? 8 : pages};
    bool fits = d->before + d->rows <= m->hp.context && slx_compile(p, m, c, &o, NULL, NULL, &err) == SLX_OK;
    slx_model_close(m);
    return fits;
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void equal_counts(const slx_time_result *a, const slx_time_result *b)
{
    assert_int_equal(a->macs, b->macs);
    assert_int_equal(a->hbm_read_bytes, b->hbm_read_bytes);
    assert_int_equal(a->hbm_write_bytes, b->hbm_write_bytes);
    assert_int_equal(a->spm_read_bytes, b->spm_read_bytes);
    assert_int_equal(a->spm_write_bytes, b->spm_write_bytes);
    assert_int_equal(a->net_wire_bytes, b->net_wire_bytes);
    assert_memory_equal(a->wire_fj, b->wire_fj, SLX_TIME_WIRE_IO * sizeof *a->wire_fj);
    assert_memory_equal(a->layer_fj, b->layer_fj, a->n_layers * sizeof *a->layer_fj);
    for (int e = 0; e < SLX_N_ENGINES; e++) assert_int_equal(a->engine[e].insns, b->engine[e].insns);
}

/* How far the folded step's cycles are from the full one's. */
static double compare(const draw *d, const slx_chip *c, const slx_program *p)
{
    slx_err err = {0};
    slx_time_result r[2];
    double took[2];
    slx_chip once = *c; /* one clock */
    once.package.tdp_w = 0;
    uint8_t *desc = slx_xcalloc(1, p->info.desc.bytes + 1u);
    if (slx_step_build_alike(&p->info, desc, d->seqs, d->rows, d->before, 1, &err) != SLX_OK) fail_msg("%s", err.msg);
    for (int fold = 0; fold < 2; fold++) {
        double start = cpu_s();
        if (slx_time_step(p, &once, desc, &(slx_time_options){.folded = fold}, &r[fold], &err) != SLX_OK)
            fail_msg("%s", err.msg);
        took[fold] = cpu_s() - start;
    }
    equal_counts(&r[0], &r[1]);
    double off = (double)r[1].cycles / (double)r[0].cycles - 1;
    printf("%+6.2f %%  %-12s %-12s x%u  %3u seqs of %3u rows behind %5u: %9llu cycles (%s), %u of %u tiles, %u of %u "
           "layers, %.0f of %.0f ms\n",
           100 * off, d->model, d->chip, d->chips, d->seqs, d->rows, d->before, (unsigned long long)r[0].cycles,
           slx_time_bound_name(r[0].bound_by), r[1].tiles_simulated, r[1].n_tiles, r[1].layers_simulated,
           r[1].n_layers - 1, 1e3 * took[1], 1e3 * took[0]);
    fflush(stdout);
    slx_time_result_free(&r[0]);
    slx_time_result_free(&r[1]);
    free(desc);
    return off;
}

/* false: there is no room for it. */
static bool try_step(const draw *d, double *off)
{
    slx_err err = {0};
    slx_chip *c;
    slx_program p;
    if (slx_chip_load(&c, d->chip, &err) != SLX_OK) fail_msg("%s", err.msg);
    bool fits = make_program(d, c, &p);
    if (fits) {
        *off = fabs(compare(d, c, &p));
        slx_program_free(&p);
    }
    slx_chip_free(c);
    return fits;
}

/* Steps that were 3 to 14.5 % off when one tile stood for its class on one chip too: memory and tensor engines full at
 * once, many tiles behind one stretch of memory, short steps. */
static void test_found(void **state)
{
    (void)state;
    static const draw found[] = {{"qwen3-8b", "silex-1e", 1, 448, 1, 300}, {"llama-2-7b", "silex-1", 1, 160, 1, 300},
                                 {"qwen3-8b", "silex-1", 1, 146, 1, 433},  {"smollm2-1.7b", "silex-1", 1, 122, 1, 1074},
                                 {"smollm2-1.7b", "silex-1", 1, 6, 1, 43}, {"qwen3-14b", "silex-1", 1, 14, 1, 600},
                                 {"llama-3-8b", "silex-1", 1, 1, 512, 0}};
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
        double off;
        assert_true(try_step(&found[i], &off));
        assert_true(off <= 0.03);
    }
}

static void test_drawn(void **state)
{
    (void)state;
    slx_rng rng = {seed};
    double worst = 0, sum = 0;
    for (uint32_t done = 0; done < n_steps;) {
        draw d = draw_step(&rng);
        double off;
        if (!try_step(&d, &off)) continue;
        worst = off > worst ? off : worst;
        sum += off;
        done++;
    }
    printf("%u steps: mean %.2f %%, worst %.2f %%\n", n_steps, 100 * sum / n_steps, 100 * worst);
    assert_true(worst <= 0.03);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_found), cmocka_unit_test(test_drawn)};
    if (argc > 1) seed = strtoull(argv[1], NULL, 10);
    if (argc > 2) n_steps = (uint32_t)strtoul(argv[2], NULL, 10);
    return n_steps ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
