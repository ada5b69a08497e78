/* Steps of compiled models, timed: against the functional machine's counts, against bounds no chip can beat, against
 * themselves folded and with narrow queues; and what a user is told of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "compile/compile.h"
#include "func/func.h"
#include "isa/step_share.h"
#include "run/estimate.h"
#include "time/time.h"
#include "gguf_make.h"
#include "time_sums.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const char *name;
    struct slx_test_model_spec spec;
    uint32_t tp;
} shape;
static const shape shapes[] = {
    {"small",
     {.n_layers = 2,
      .d_model = 64,
      .d_ff = 96,
      .n_heads = 4,
      .n_kv_heads = 2,
      .vocab = 300,
      .seed = 7},
     1},
    {"wide",
     {.n_layers = 3,
      .d_model = 576,
      .d_ff = 1536,
      .n_heads = 9,
      .n_kv_heads = 3,
      .vocab = 1024,
      .context = 512,
      .seed = 8},
     1},
    {"odd",
     {.n_layers = 2,
      .d_model = 416,
      .d_ff = 704,
      .n_heads = 13,
      .n_kv_heads = 13,
      .vocab = 500,
      .context = 300,
      .seed = 9},
     1},
    {"deep",
     {.n_layers = 13,
      .d_model = 128,
      .d_ff = 320,
      .n_heads = 4,
      .n_kv_heads = 2,
      .vocab = 300,
      .context = 300,
      .seed = 10},
     1},
    {"shared",
     {.n_layers = 2,
      .d_model = 512,
      .d_ff = 1536,
      .n_heads = 8,
      .n_kv_heads = 8,
      .vocab = 600,
      .context = 300,
      .seed = 11},
     4},
};
static const char *const chips[] = {"silex-1", "silex-mini", "silex-one"};
/* sequences, new rows of each, positions before */
static const uint32_t steps[][3] = {{1, 1, 20}, {8, 1, 140}, {1, 40, 0}, {3, 20, 100}};

static void describe(const slx_program *p, uint8_t *desc, const uint32_t step[3])
{
    slx_err err = {0};
    uint32_t tokens[64] = {0}, pages[64], n_pages = (step[1] + step[2] + 127) / 128;
    slx_step_seq seq[16];
    for (uint32_t i = 0; i < 64; i++) pages[i] = i;
    for (uint32_t i = 0; i < step[0]; i++)
        seq[i] = (slx_step_seq){tokens, step[1], step[2], 1, pages + i * n_pages, n_pages};
    memset(desc, 0, p->info.desc.bytes);
    if (slx_step_build(&p->info, desc, seq, step[0], &err) != SLX_OK) fail_msg("%s", err.msg);
}

/* Everything that must hold of a step whatever the chip. */
static void invariants(const slx_program *p, const uint8_t *desc, const slx_time_result *r,
                       const char *what)
{
    slx_err err = {0};
    slx_step_counts n;
    uint64_t parts[2] = {0};
    if (slx_func_count(p, desc, &n, &err) != SLX_OK) fail_msg("%s", err.msg);
    assert_int_equal(r->macs, n.macs);
    assert_int_equal(r->hbm_read_bytes, n.hbm_read_bytes);
    assert_int_equal(r->hbm_write_bytes, n.hbm_write_bytes);
    for (int e = 0; e < SLX_N_ENGINES; e++) assert_int_equal(r->engine[e].insns, n.insns[e]);
    for (uint32_t s = 0; s < r->n_spans; s++) parts[0] += r->spans[s].cycles;
    for (int b = 0; b < SLX_N_TIME_BOUNDS; b++) parts[1] += r->bound[b];
    assert_int_equal(parts[0], r->cycles);
    assert_int_equal(parts[1], r->cycles);
    check_splits(r);
    /* most of a step passes in its layers, which share that time alike */
    assert_true(r->layer_static_fj[0] < r->static_fj / 2 && r->static_fj > 0);
    for (uint32_t l = 2; l < r->n_layers; l++)
        assert_true(fabs((double)r->layer_static_fj[l] - (double)r->layer_static_fj[1]) <= 1);
    if (r->cycles < r->roofline_cycles)
        fail_msg("%s: %llu cycles beat the roofline", what, (unsigned long long)r->cycles);
    /* layers do equal work, but that the last brings nothing for a next; addresses change hops and units a little */
    for (uint32_t l = 2; l < r->n_layers; l++) {
        double off = (double)r->layer_fj[l] / (double)r->layer_fj[1] - 1;
        assert_true(off < 0.05 && off > (l + 1 < r->n_layers ? -0.05 : -0.5));
    }
}

static void test_steps(void **state)
{
    (void)state;
    char path[] = "/tmp/slx_time_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    uint32_t folded = 0, classes = 0;
    for (size_t m = 0; m < sizeof shapes / sizeof *shapes; m++) {
        slx_err err = {0};
        slx_model *model;
        struct slx_test_model_spec spec = shapes[m].spec;
        assert_true(slx_test_write_model(path, &spec));
        if (slx_model_open(&model, path, &err) != SLX_OK) fail_msg("%s", err.msg);
        for (size_t k = 0; k < sizeof chips / sizeof *chips; k++) {
            slx_chip *c;
            slx_program p;
            if (slx_chip_load(&c, chips[k], &err) != SLX_OK) fail_msg("%s", err.msg);
            if (shapes[m].tp > 1 && !c->net.ports) {
                slx_chip_free(c);
                continue;
            }
            slx_compile_options opt = {.max_rows = 64, .max_pages = 64, .tp = shapes[m].tp};
            if (slx_compile(&p, model, c, &opt, NULL, NULL, &err) != SLX_OK)
                fail_msg("%s", err.msg);
            uint8_t *desc = slx_xcalloc(1, p.info.desc.bytes);
            for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
                char what[64];
                slx_time_result full, fold, again;
                snprintf(what, sizeof what, "%s on %s, step %zu", shapes[m].name, chips[k], s);
                describe(&p, desc, steps[s]);
                if (slx_time_step(&p, c, desc, &(slx_time_options){0}, &full, &err) != SLX_OK)
                    fail_msg("%s: %s", what, err.msg);
                if (slx_time_step(&p, c, desc, &(slx_time_options){.folded = true}, &fold, &err) !=
                    SLX_OK)
                    fail_msg("%s: %s", what, err.msg);
                if (slx_time_step(&p, c, desc, &(slx_time_options){0}, &again, &err) != SLX_OK)
                    fail_msg("%s: %s", what, err.msg);
                assert_int_equal(full.cycles, again.cycles);
                assert_int_equal(full.energy_fj, again.energy_fj);
                assert_memory_equal(full.bound, again.bound, sizeof full.bound);
                assert_memory_equal(full.engine, again.engine, sizeof full.engine);
                invariants(&p, desc, &full, what);
                invariants(&p, desc, &fold, what);
                assert_memory_equal(full.wire_fj, fold.wire_fj,
                                    SLX_TIME_WIRE_IO * sizeof full.wire_fj[0]);
                bool layers = shapes[m].spec.n_layers >= 10, tiles = shapes[m].tp >= 4 && fold.n_tiles >= 16;
                folded += layers || tiles;
                assert_int_equal(full.tiles_simulated, full.n_tiles);
                assert_int_equal(full.layers_simulated, shapes[m].spec.n_layers);
                assert_true(fold.tiles_simulated == fold.n_tiles ||
                            (tiles && fold.tiles_simulated <= fold.n_tiles / 2));
                classes += fold.tiles_simulated < fold.n_tiles;
                assert_int_equal(fold.layers_simulated, layers ? 2 : shapes[m].spec.n_layers);
                if (!layers && !tiles) assert_int_equal(fold.cycles, full.cycles);
                double off = (double)fold.cycles / (double)full.cycles - 1;
                uint64_t read = 0;
                for (int g = 0; g < SLX_N_REGION_KINDS; g++) read += full.region_read_bytes[g];
                assert_int_equal(read, full.hbm_read_bytes);
                /* whatever the depth of queues and the transfers under way: it ends, with the
                 * same counts */
                slx_chip narrow = *c;
                narrow.tile.queue_depth = narrow.tile.dma_in_flight = 1;
                slx_time_result thin;
                if (slx_time_step(&p, &narrow, desc, &(slx_time_options){0}, &thin, &err) != SLX_OK)
                    fail_msg("%s: %s", what, err.msg);
                invariants(&p, desc, &thin, what);
                assert_true(thin.cycles > full.cycles * 0.95);
                slx_time_result_free(&thin);
                if (getenv("SLX_TEST_VERBOSE"))
                    printf("%-28s full %8llu folded %+.2f %% tiles %u of %u, %s\n", what,
                           (unsigned long long)full.cycles, 100 * off, fold.tiles_simulated, fold.n_tiles,
                           slx_time_bound_name(full.bound_by));
                if (fabs(off) > 0.03) fail_msg("%s: folded %+.2f %% off", what, 100 * off);
                slx_time_result_free(&full);
                slx_time_result_free(&fold);
                slx_time_result_free(&again);
            }
            free(desc);
            slx_program_free(&p);
            slx_chip_free(c);
        }
        slx_model_close(model);
    }
    unlink(path);
    assert_true(folded >= 10 && classes >= 2);
}

/* Rows of each sequence of a step and positions before, of one row behind a long context up to pieces of prompts. */
static const slx_share_seq split[][3] = {{{1, 4200}}, {{1, 4300}, {1, 4224}, {1, 100}}, {{40, 4100}, {1, 4250}}};

/* Steps that split attention items: bytes, products and instructions are the functional machine's, on one chip and on
 * two, which sum or gather. */
static void test_split_items(void **state)
{
    (void)state;
    enum { PAGES = 34 };
    static const struct {
        const char *chip;
        uint32_t head_dim, tp;
    } cases[] = {{"silex-mini", 32, 1}, {"silex-1", 32, 1}, {"silex-1", 48, 1}, {"silex-1", 32, 2}, {"silex-1", 48, 2}};
    char path[] = "/tmp/slx_time_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        slx_err err = {0};
        slx_model *model;
        slx_chip *c;
        slx_program p;
        struct slx_test_model_spec spec = {.n_layers = 2, .d_model = 96, .d_ff = 96, .n_heads = 6, .n_kv_heads = 2,
                                           .head_dim = cases[i].head_dim, .vocab = 50, .context = PAGES * SLX_MAX_CHUNK,
                                           .seed = 12};
        assert_true(slx_test_write_model(path, &spec));
        slx_compile_options opt = {.max_rows = 64, .max_pages = 3 * PAGES, .tp = cases[i].tp};
        if (slx_model_open(&model, path, &err) != SLX_OK || slx_chip_load(&c, cases[i].chip, &err) != SLX_OK ||
            slx_compile(&p, model, c, &opt, NULL, NULL, &err) != SLX_OK)
            fail_msg("%s", err.msg);
        slx_program_info fine = p.info; /* as if merging took no time: it splits what it may */
        fine.attn_merge_ps = fine.attn_state_ps = fine.attn_state_row_ps = fine.attn_beside_ps = 0;
        fine.attn_shared_page_ps = fine.attn_item_ps = 0;
        uint8_t *desc = slx_xcalloc(1, p.info.desc.bytes);
        uint32_t tokens[64] = {0}, pages[3][PAGES];
        for (uint32_t k = 0; k < 3 * PAGES; k++) pages[k / PAGES][k % PAGES] = k;
        for (size_t s = 0; s < sizeof split / sizeof *split; s++) {
            char what[64];
            slx_step_seq seq[3];
            uint32_t n = 0, merges;
            snprintf(what, sizeof what, "case %zu, step %zu", i, s);
            for (; n < 3 && split[s][n].rows; n++)
                seq[n] = (slx_step_seq){tokens, split[s][n].rows, split[s][n].before, 1, pages[n], PAGES};
            if (slx_step_build(&fine, desc, seq, n, &err) != SLX_OK) fail_msg("%s: %s", what, err.msg);
            memcpy(&merges, desc + p.info.desc.off_header + 12, 4);
            bool enough = s == 2 && p.info.n_tiles <= 4; /* items for so few tiles */
            if (!merges != enough) fail_msg("%s: %u items are split", what, merges);
            if (enough) continue;
            for (int folded = 0; folded < 2; folded++) {
                slx_time_result r;
                if (slx_time_step(&p, c, desc, &(slx_time_options){.folded = folded}, &r, &err) != SLX_OK)
                    fail_msg("%s: %s", what, err.msg);
                invariants(&p, desc, &r, what);
                slx_time_result_free(&r);
            }
        }
        free(desc);
        slx_program_free(&p);
        slx_chip_free(c);
        slx_model_close(model);
    }
    unlink(path);
}

static void test_estimate(void **state)
{
    (void)state;
    char path[] = "/tmp/slx_time_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    slx_err err = {0};
    slx_model *model;
    slx_chip *c;
    slx_program p;
    slx_estimate e, two;
    struct slx_test_model_spec spec = shapes[0].spec;
    assert_true(slx_test_write_model(path, &spec));
    assert_int_equal(slx_model_open(&model, path, &err), SLX_OK);
    assert_int_equal(slx_chip_load(&c, "silex-mini", &err), SLX_OK);
    slx_compile_options opt = {.max_rows = 64, .max_pages = 64};
    assert_int_equal(slx_compile(&p, model, c, &opt, NULL, NULL, &err), SLX_OK);
    /* 100 tokens in chunks of 40: 40, 40, 20 */
    slx_estimate_options o = {
        .prompt = 100, .chunk = 40, .context = 100, .batch = 4, .bands = true};
    assert_int_equal(slx_estimate_run(&p, c, &o, &e, &err), SLX_OK);
    assert_int_equal(e.prefill_steps, 3);
    double sum = 0;
    static const uint32_t chunks[3][3] = {{1, 40, 0}, {1, 40, 40}, {1, 20, 80}};
    uint8_t *desc = slx_xcalloc(1, p.info.desc.bytes);
    for (int i = 0; i < 3; i++) {
        uint32_t tokens[64] = {0}, pages[1] = {0};
        slx_step_seq seq = {tokens, chunks[i][1], chunks[i][2], i == 2, pages, 1};
        slx_time_result r;
        assert_int_equal(slx_step_build(&p.info, desc, &seq, 1, &err), SLX_OK);
        assert_int_equal(slx_time_step(&p, c, desc, &(slx_time_options){0}, &r, &err), SLX_OK);
        sum += r.seconds;
        slx_time_result_free(&r);
    }
    assert_true(fabs(e.ttft_s / sum - 1) < 1e-12);
    assert_true(fabs(e.energy_j_per_token * 4 / ((double)e.decode.energy_fj * 1e-15) - 1) < 1e-12);
    assert_true(e.tpot_low_s < e.tpot_s && e.tpot_s < e.tpot_high_s);
    assert_true(e.energy_low_j < e.energy_j_per_token && e.energy_j_per_token < e.energy_high_j);
    /* more sequences: more time a step, less energy a token */
    o.batch = 8, o.prompt = 0, o.bands = false;
    assert_int_equal(slx_estimate_run(&p, c, &o, &two, &err), SLX_OK);
    assert_true(two.tpot_s > e.tpot_s && two.energy_j_per_token < e.energy_j_per_token);
    assert_true(two.tpot_high_s == 0);
    slx_estimate_free(&two);
    slx_estimate_free(&e);
    o.batch = 17;
    assert_int_equal(slx_estimate_run(&p, c, &o, &two, &err), SLX_EINPUT);
    o.batch = 1, o.context = p.info.max_context;
    assert_int_equal(slx_estimate_run(&p, c, &o, &two, &err), SLX_EINPUT);
    free(desc);
    slx_program_free(&p);
    slx_chip_free(c);
    slx_model_close(model);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_split_items),
        cmocka_unit_test(test_estimate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
