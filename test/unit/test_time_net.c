/* Chips that meet, timed: one meeting by hand, counts and energy against the functional machine, other ranks, folding,
 * and what the parallel steps of a model are bound by. Chip: silex-mini (1 GHz) with four ports of 100 Gb/s: 50 bytes a
 * clock, and 1500 clocks a message. */
#include "compile/compile.h"
#include "func/func.h"
#include "gguf_make.h"
#include "time/time.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { ALPHA = 1500, BETA = 50 };

static slx_chip *chip_of(const char *name, uint32_t ports)
{
    slx_err err = {0};
    slx_chip *c;
    if (slx_chip_load(&c, name, &err) != SLX_OK) fail_msg("%s", err.msg);
    if (ports) {
        c->net.ports = ports;
        c->net.gbps = 100;
        c->net.alpha_ns = 900;
        c->net.switch_ns = 600;
        c->energy.serdes_pj_b = 4.5;
    }
    return c;
}

enum { MOST = 16 };
typedef struct {
    uint64_t start[MOST], finish[MOST];
    uint32_t n;
} events;

static void record(void *arg, const slx_time_event *e)
{
    events *v = arg;
    if (e->engine != SLX_ENG_NET || v->n == MOST) return;
    v->start[v->n] = e->start;
    v->finish[v->n++] = e->finish;
}

static void run(uint32_t chips, uint32_t tiles, const char *body, events *ev, slx_time_result *r)
{
    slx_err err = {0};
    slx_program p;
    slx_buf b = {0};
    slx_chip *c = chip_of("silex-mini", 4);
    slx_buf_addf(&b,
                 ".info n_tiles=%u spm_bytes=131072 acc_cells=64 max_m=1 token_max=3 n_chips=%u\n"
                 ".group name=\"ALL\" first=0 count=%u\n%s\nSYS.halt\n",
                 tiles, chips, tiles, body);
    if (slx_asm(&p, b.ptr, b.len, "test", &err) != SLX_OK) fail_msg("%s", err.msg);
    ev->n = 0;
    slx_time_options opt = {.event = record, .event_arg = ev};
    if (slx_time_step(&p, c, NULL, &opt, r, &err) != SLX_OK) fail_msg("%s", err.msg);
    slx_buf_free(&b);
    slx_program_free(&p);
    slx_chip_free(c);
}

/* Clocks of one meeting: messages, bytes through the ports, bytes through the scratchpad (its width is read from the
 * chip), rounded up once. */
static uint64_t clocks(double messages, double wire, double landed)
{
    slx_chip *c = chip_of("silex-mini", 0);
    double width = c->tile.spm_banks * c->tile.bank_bytes_clk;
    slx_chip_free(c);
    return (uint64_t)ceil(messages * ALPHA + ceil(wire / BETA * 256) / 256 + ceil(landed / width));
}

static void test_one(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t chips;
        double messages, wire, landed;
    } row[] = {
        {"RED.sum [0], [0], 16, ALL", 2, 1, 64, 128},
        {"RED.sum [0], [0], 16, ALL", 8, 1, 7 * 64, 8 * 64},
        /* 8192 bytes: one shot 1500 + 1147 against 3000 + 287; 32000: 1500 + 4480 against 3000 + 1120 */
        {"RED.sum [0], [0], 2048, ALL", 8, 1, 7 * 8192, 8 * 8192},
        {"RED.sum [0], [0], 8000, ALL", 8, 2, 2 * 7 * 32000 / 8.0, 8 * 32000},
        /* of two chips both ways send the same, so one message is sooner at any size */
        {"RED.sum [0], [0], 16000, ALL", 2, 1, 64000, 2 * 64000},
        {"GAT [32768], [0], 100, 7, ALL", 4, 1, 3 * 700, 4 * 700},
        {"GAT [65536], [0], 8000, 1, ALL", 8, 1, 7 * 8000, 8 * 8000},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        events ev;
        slx_time_result r;
        run(row[i].chips, 1, row[i].text, &ev, &r);
        assert_int_equal(ev.n, 1);
        assert_int_equal(ev.start[0], 5);
        uint64_t want = clocks(row[i].messages, row[i].wire, row[i].landed);
        if (ev.finish[0] - ev.start[0] != want)
            fail_msg("%s: %llu clocks, expected %llu", row[i].text,
                     (unsigned long long)(ev.finish[0] - ev.start[0]), (unsigned long long)want);
        assert_int_equal(r.net_wire_bytes, row[i].wire);
        assert_int_equal(r.cycles, 5 + want);
        assert_int_equal(r.bound_by, SLX_TIME_COLLECTIVES);
        assert_int_equal(r.bound[SLX_TIME_COLLECTIVES], want);
        assert_int_equal(r.wire_fj[SLX_TIME_WIRE_NET], row[i].wire * 8 * 4500);
        assert_int_equal(r.roofline_net, ceil(row[i].wire / BETA));
        slx_time_result_free(&r);
    }
}

/* Meetings are under way together; their bytes share the ports, and those of all tiles. */
static void test_together(void **state)
{
    (void)state;
    events ev;
    slx_time_result r;
    run(2, 4, "RED.sum [0], [0], 1000, ALL\nRED.sum [0], [0], 1000, ALL", &ev, &r);
    assert_int_equal(ev.n, 8);
    uint64_t last = 0;
    for (uint32_t i = 0; i < ev.n; i++) last = ev.finish[i] > last ? ev.finish[i] : last;
    /* eight times 4000 bytes one after another from clock 5 on, then a message and the last sum */
    assert_int_equal(last, 5 + clocks(1, 8 * 4000, 2 * 4000));
    slx_time_result_free(&r);
    /* a chain: each waits for the one before */
    run(2, 1,
        "RED.sum [0], [0], 16, ALL post=t1\nVUN.copy [0], [0], (1,16), <0,0,0> wait=t1 post=t2\n"
        "RED.sum [0], [0], 16, ALL wait=t2",
        &ev, &r);
    assert_true(ev.start[1] > ev.finish[0]);
    assert_true(r.bound[SLX_TIME_COLLECTIVES] == 2 * clocks(1, 64, 128));
    slx_time_result_free(&r);
}

static void test_refused(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_program p;
    slx_time_result r;
    const char *text = ".info n_tiles=1 spm_bytes=4096 token_max=3 n_chips=2\n"
                       ".group name=\"ALL\" count=1\nRED.sum [0], [0], 16, ALL\nSYS.halt\n";
    slx_chip *c = chip_of("silex-mini", 0);
    assert_int_equal(slx_asm(&p, text, strlen(text), "t", &err), SLX_OK);
    assert_int_equal(slx_time_step(&p, c, NULL, &(slx_time_options){0}, &r, &err),
                     SLX_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "the chip has no links to others"));
    slx_program_free(&p);
    slx_chip_free(c);
}

/* ------------------------------------------------------------------ models */

static uint64_t off(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* A prefill and a decode step of a model on tp chips: counts of the functional machine, exactly; parts that sum;
 * collectives folded within 3 %; every rank within 1 %. */
static void model_steps(const slx_model *m, const slx_chip *c, uint32_t tp, uint64_t *decode)
{
    slx_err err = {0};
    slx_program p;
    slx_compile_options opt = {.max_rows = 64, .max_pages = 64, .tp = tp};
    if (slx_compile(&p, m, c, &opt, NULL, NULL, &err) != SLX_OK) fail_msg("%s", err.msg);
    uint8_t *desc = slx_xcalloc(1, p.info.desc.bytes);
    for (int k = 0; k < 2; k++) {
        slx_time_result full, fold, other;
        slx_step_counts n;
        assert_int_equal(slx_step_build_alike(&p.info, desc, 1, k ? 1 : 40, k ? 100 : 0, 1, &err),
                         SLX_OK);
        slx_time_options full_o = {0}, fold_o = {.folded = true}, rank_o = {.rank = tp - 1};
        assert_int_equal(slx_time_step(&p, c, desc, &full_o, &full, &err), SLX_OK);
        assert_int_equal(slx_time_step(&p, c, desc, &fold_o, &fold, &err), SLX_OK);
        assert_int_equal(slx_time_step(&p, c, desc, &rank_o, &other, &err), SLX_OK);
        assert_int_equal(slx_func_count(&p, desc, &n, &err), SLX_OK);
        slx_time_result *r[] = {&full, &fold, &other};
        for (int i = 0; i < 3; i++) {
            uint64_t wires = 0, bounds = 0, engines = r[i]->static_fj;
            assert_int_equal(r[i]->n_chips, tp);
            assert_int_equal(r[i]->macs, n.macs);
            assert_int_equal(r[i]->hbm_read_bytes, n.hbm_read_bytes);
            assert_int_equal(r[i]->hbm_write_bytes, n.hbm_write_bytes);
            assert_int_equal(r[i]->net_bytes, n.net_bytes);
            assert_int_equal(r[i]->engine[SLX_ENG_NET].insns, n.insns[SLX_ENG_NET]);
            for (int w = 0; w < SLX_N_TIME_WIRES; w++) wires += r[i]->wire_fj[w];
            for (int b = 0; b < SLX_N_TIME_BOUNDS; b++) bounds += r[i]->bound[b];
            for (int e = 0; e < SLX_N_ENGINES; e++) engines += r[i]->engine[e].energy_fj;
            assert_int_equal(wires, r[i]->energy_fj);
            assert_int_equal(engines, r[i]->energy_fj);
            assert_int_equal(bounds, r[i]->cycles);
            assert_true(r[i]->cycles >= r[i]->roofline_cycles);
            assert_true(tp == 1 ? !n.net_bytes : r[i]->net_wire_bytes >= n.net_bytes);
        }
        /* how memory folds is test_time_steps' and test_time_draw's matter */
        uint64_t whole = full.bound[SLX_TIME_COLLECTIVES], part = fold.bound[SLX_TIME_COLLECTIVES];
        if (off(whole, part) * 100 > whole * 3)
            fail_msg("tp %u, step %d: collectives folded %llu, full %llu", tp, k,
                     (unsigned long long)part, (unsigned long long)whole);
        if (off(full.cycles, other.cycles) * 100 > full.cycles)
            fail_msg("tp %u, step %d: rank %u %llu, rank 0 %llu", tp, k, tp - 1,
                     (unsigned long long)other.cycles, (unsigned long long)full.cycles);
        *decode = full.cycles;
        for (int i = 0; i < 3; i++) slx_time_result_free(r[i]);
    }
    free(desc);
    slx_program_free(&p);
}

static void test_model(void **state)
{
    (void)state;
    char path[] = "/tmp/slx_time_net_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    /* tied: the head's slices lie elsewhere on each rank; sums and gathers */
    const struct slx_test_model_spec spec[] = {{.n_layers = 2,
                                                .d_model = 256,
                                                .d_ff = 1024,
                                                .n_heads = 8,
                                                .n_kv_heads = 8,
                                                .head_dim = 64,
                                                .vocab = 600,
                                                .tied = true,
                                                .t_embd = SLX_T_Q4_0,
                                                .t_qkv = SLX_T_Q4_0,
                                                .seed = 1},
                                               {.n_layers = 2,
                                                .d_model = 352,
                                                .d_ff = 416,
                                                .n_heads = 8,
                                                .n_kv_heads = 8,
                                                .head_dim = 32,
                                                .vocab = 70,
                                                .seed = 2}};
    for (int s = 0; s < 2; s++) {
        slx_err err = {0};
        slx_model *m;
        assert_true(slx_test_write_model(path, &spec[s]));
        if (slx_model_open(&m, path, &err) != SLX_OK) fail_msg("%s", err.msg);
        slx_chip *c[2] = {chip_of("silex-1", 0), chip_of("silex-mini", 4)};
        for (int k = 0; k < 2; k++) {
            uint64_t cycles;
            for (uint32_t tp = 1; tp <= 8; tp *= 2) model_steps(m, c[k], tp, &cycles);
            slx_chip_free(c[k]);
        }
        slx_model_close(m);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
