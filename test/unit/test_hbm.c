/* Memory command by command: the queue against times worked out by hand and against a checker
 * that knows only the rules; the checker against traces that break one rule by one clock. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hbm_traffic.h"

static slx_chip *load(slx_hbmq_params *p, const char *name)
{
    slx_err err = {0};
    slx_chip *c;
    if (slx_chip_load(&c, name, &err) != SLX_OK) fail_msg("%s", err.msg);
    if (slx_hbmq_params_get(p, c, &err) != SLX_OK) fail_msg("%s", err.msg);
    return c;
}

/* ------------------------------------------------------------------ by hand */

/* silex-1: 8 Gb/s a pin are 2 GHz; 2048 bits over 64 pseudo-channels are 32, 8 transfers 32 bytes
 * in 2 clocks; 14 ns are 28 clocks. */
static void parameters(void **state)
{
    (void)state;
    slx_hbmq_params p;
    slx_chip *c = load(&p, "silex-1");
    assert_true(p.clk_ghz == 2);
    assert_int_equal(p.bytes, 32);
    assert_int_equal(p.columns, 32);
    assert_int_equal(p.burst, 2);
    assert_int_equal(p.trcd, 28);
    assert_int_equal(p.tcl, 28);
    assert_int_equal(p.trc, 94);    /* 33 + 14 ns */
    assert_int_equal(p.tccd_s, 2);
    assert_int_equal(p.tccd_l, 4);
    assert_int_equal(p.spread, 2);
    assert_int_equal(p.trefi, 7800);
    assert_int_equal(p.trtw, 18);   /* 28 + 2 + 2 - 14 */
    slx_err err = {0};
    c->hbm.row_bytes = 16;
    assert_int_equal(slx_hbmq_params_get(&p, c, &err), SLX_EINPUT);
    c->hbm.row_bytes = 1024, c->hbm.banks = 4096;
    assert_int_equal(slx_hbmq_params_get(&p, c, &err), SLX_EINPUT);
    slx_chip_free(c);
}

static uint64_t serve(const slx_hbmq_params *p, const uint64_t *n, uint32_t count, bool write,
                      uint64_t at, uint64_t then)
{
    slx_hbmq *q = slx_hbmq_new(p);
    slx_hbmq_push(q, n[0], write, 0, at);
    if (then) slx_hbmq_drain(q);
    for (uint32_t i = 1; i < count; i++) slx_hbmq_push(q, n[i], write, 0, then ? then : at);
    uint64_t end = slx_hbmq_drain(q);
    slx_hbmq_free(q);
    return end;
}

static void latency(void **state)
{
    (void)state;
    slx_hbmq_params p;
    slx_chip *c = load(&p, "silex-1");
    p.trefi = 0;
    /* idle, closed row: tRCD + tCL + burst = 28 + 28 + 2; a write: 28 + 14 + 2 */
    assert_int_equal(serve(&p, (uint64_t[]){5}, 1, false, 0, 0), 58);
    assert_int_equal(serve(&p, (uint64_t[]){5}, 1, false, 1000, 0), 1058);
    assert_int_equal(serve(&p, (uint64_t[]){5}, 1, true, 0, 0), 44);
    /* open row: tCL + burst; another row of the bank: tRP + tRCD + tCL + burst. 2 groups, 32
     * columns and 2 pairs of groups and 4 banks: the next row of bank 0 begins at burst 512. */
    assert_int_equal(serve(&p, (uint64_t[]){0, 2}, 2, false, 0, 500), 530);
    assert_int_equal(serve(&p, (uint64_t[]){0, 512}, 2, false, 0, 500), 586);
    /* at once: the second row of a bank waits for tRAS + tRP, then as from idle: 66 + 28 + 58 */
    assert_int_equal(serve(&p, (uint64_t[]){0, 512}, 2, false, 0, 0), 152);
    /* neighbours lie in two groups: ACT at 0 and 4 (tRRD_S), RD at 28 and 32: ends 62 */
    assert_int_equal(serve(&p, (uint64_t[]){0, 1}, 2, false, 0, 0), 62);
    /* two of one row, one group: tCCD_L: 28 + 4 + 28 + 2 */
    assert_int_equal(serve(&p, (uint64_t[]){0, 2}, 2, false, 0, 0), 62);
    /* another bank of the group: ACT at 8 (tRRD_L) */
    assert_int_equal(serve(&p, (uint64_t[]){0, 128}, 2, false, 0, 0), 66);
    slx_chip_free(c);
}

/* One read after one write to the open row: write 28, its data ends at 28 + 14 + 2 = 44; the same group
 * waits for 44 + tWTR_L = 60, ends at 60 + 28 + 2. And write after read: 28 + tRTW 18 + 14 + 2. */
static void turns(void **state)
{
    (void)state;
    slx_hbmq_params p;
    slx_chip *c = load(&p, "silex-1");
    p.trefi = 0;
    for (int w = 0; w < 2; w++) {
        slx_hbmq *q = slx_hbmq_new(&p);
        slx_hbmq_push(q, 0, w, 0, 0);
        slx_hbmq_push(q, 2, !w, 0, 0);
        assert_int_equal(slx_hbmq_drain(q), w ? 90 : 62);
        slx_hbmq_free(q);
    }
    slx_chip_free(c);
}

/* ------------------------------------------------------------------ streams */

static uint64_t stream(const slx_hbmq_params *p, uint64_t n, bool write)
{
    slx_hbmq_check *k = slx_hbmq_check_new(p);
    slx_hbmq *q = slx_hbmq_new(p);
    slx_hbmq_trace(q, slx_hbmq_check_command, k);
    for (uint64_t i = 0; i < n; i++) slx_hbmq_push(q, i, write, 0, 0);
    uint64_t end = slx_hbmq_drain(q);
    slx_hbmq_check_end(k, end);
    assert_int_equal(slx_hbmq_check_broken(k, SLX_N_HBMQ_RULES), 0);
    slx_hbmq_free(q);
    slx_hbmq_check_free(k);
    return end;
}

static void bandwidth(void **state)
{
    (void)state;
    static const char *const chips[] = {"silex-1", "silex-1e", "silex-mini", "silex-one", "silex-sram"};
    for (int i = 0; i < 5; i++) {
        slx_hbmq_params p;
        slx_chip *c = load(&p, chips[i]);
        for (int write = 0; write < 2; write++) {
            uint64_t n = 50000, end = stream(&p, n, write);
            assert_true(end >= n * p.burst);            /* never above the peak */
            assert_true(n * p.burst >= end * 9 / 10);
        }
        slx_chip_free(c);
    }
}

/* ------------------------------------------------------------------ the closed form */

static void closed_form(void **state)
{
    (void)state;
    static const char *const chips[] = {"silex-1", "silex-1e", "silex-mini"};
    static const uint32_t streams[] = {1, 8, 16};
    for (int i = 0; i < 3; i++) {
        slx_hbmq_params p;
        slx_chip *c = load(&p, chips[i]);
        for (int k = 0; k < 3; k++) {
            double law = slx_hbmq_stream_share(&p, streams[k], 256 / p.bytes, 0);
            assert_true(fabs(law / traffic_share(&p, streams[k], 256 / p.bytes, 0, 10000) - 1) < 0.02);
        }
        slx_chip_free(c);
    }
}

/* By hand, silex-1 with figures changed. One bank for all: a row of 32 bursts takes 28 + 31 * 4 + 10 + 28 = 190
 * clocks when it is read, 28 + 31 * 4 + 14 + 2 + 32 + 28 = 228 when it is written, and not 64. 8 streams, a set of
 * banks each, and activates of 64 clocks: 128 for the 64 bursts of a row of two banks, one slot in 487.5 / 64 of them
 * refresh's. 32 streams of 32 bursts: the queue holds 4 requests, of the 4 streams of a set and of the next one;
 * 28 + 15 * 4 + 10 + 28 = 126 clocks a request of either, 164 when written. */
static void closed_form_limits(void **state)
{
    (void)state;
    slx_hbmq_params p;
    slx_chip *c = load(&p, "silex-1");
    assert_true(fabs(slx_hbmq_stream_law(&p, 32, 32, false) - 1) < 1e-12);
    assert_true(fabs(slx_hbmq_stream_law(&p, 32, 32, true) - 64 / (164 / 2.0)) < 1e-12);
    p.tfaw = 256;
    assert_true(fabs(slx_hbmq_stream_law(&p, 8, 8, false) - (1 - 64 / 487.5)) < 1e-12);
    p.trefi = 0, p.banks = p.groups = p.spread = 1;
    assert_true(fabs(slx_hbmq_stream_law(&p, 1, 8, false) - 64.0 / 190) < 1e-12);
    assert_true(fabs(slx_hbmq_stream_law(&p, 1, 8, true) - 64.0 / 228) < 1e-12);
    slx_chip_free(c);
}

/* ------------------------------------------------------------------ mixed traffic */

static void mixed(void **state)
{
    (void)state;
    static const char *const chips[] = {"silex-1", "silex-1e", "silex-mini"};
    uint64_t commands = 0, hash = 0;
    for (int i = 0; i < 4; i++) { /* the last again as the first */
        slx_hbmq_params p;
        slx_chip *c = load(&p, chips[i % 3]);
        traffic t = {.hashing = i % 3 == 0};
        uint32_t n = i % 3 ? 200000 : 150000;
        slx_hbmq_stats s = traffic_run(&t, &p, 5 + (uint64_t)i % 3, n);
        assert_int_equal(traffic_complain(&t, n), 0);
        commands += slx_hbmq_check_commands(t.check);
        assert_in_range(s.passed_max, 1, p.pass_max);
        assert_true((uint64_t)n * p.burst <= s.end);
        assert_true(s.commands[SLX_HBMQ_RD] + s.commands[SLX_HBMQ_WR] == n);
        if (i == 0) hash = slx_hash_get(&t.hash);
        if (i == 3) assert_true(hash == slx_hash_get(&t.hash));
        slx_hbmq_check_free(t.check);
        slx_chip_free(c);
    }
    assert_in_range(commands, 1000000, UINT32_MAX);
}

/* ------------------------------------------------------------------ does the checker see? */

static const slx_hbmq_params small = {
    .clk_ghz = 1, .bytes = 32, .banks = 16, .groups = 4, .columns = 32, .spread = 2, .burst = 2, .tcl = 10,
    .tcwl = 6, .trcd = 9, .trp = 8, .tras = 30, .trc = 45, .trtp = 5, .twr = 12, .tccd_s = 3, .tccd_l = 5,
    .trrd_s = 3, .trrd_l = 6, .tfaw = 40, .trtw = 8, .twtr_s = 4, .twtr_l = 9, .trfcpb = 100, .late = 8,
    .queue = 64, .pass_max = 128};

#define A(t, b) {.at = t, .bank = b, .op = SLX_HBMQ_ACT}
#define P(t, b) {.at = t, .bank = b, .op = SLX_HBMQ_PRE}
#define F(t, b) {.at = t, .bank = b, .op = SLX_HBMQ_REF}
#define R(t, b) {.at = t, .bank = b, .op = SLX_HBMQ_RD}
#define W(t, b) {.at = t, .bank = b, .op = SLX_HBMQ_WR}

/* The last command of each is just allowed; a clock earlier it breaks this rule and no other. Banks 0 and 4 are of one
 * group. */
static const struct {
    slx_hbmq_rule rule;
    uint32_t n, trtw;
    slx_hbmq_command c[5];
} edges[] = {
    {SLX_HBMQ_RULE_RCD, 2, 0, {A(0, 0), R(9, 0)}},
    {SLX_HBMQ_RULE_RCD, 2, 0, {A(0, 0), W(9, 0)}},
    {SLX_HBMQ_RULE_RP, 3, 0, {A(0, 0), P(100, 0), A(108, 0)}},
    {SLX_HBMQ_RULE_RP, 3, 0, {A(0, 0), P(100, 0), F(108, 0)}},
    {SLX_HBMQ_RULE_RAS, 2, 0, {A(0, 0), P(30, 0)}},
    {SLX_HBMQ_RULE_RC, 3, 0, {A(0, 0), P(30, 0), A(45, 0)}},
    {SLX_HBMQ_RULE_RTP, 3, 0, {A(0, 0), R(50, 0), P(55, 0)}},
    {SLX_HBMQ_RULE_TWR, 3, 0, {A(0, 0), W(50, 0), P(70, 0)}},
    {SLX_HBMQ_RULE_CCD_S, 4, 0, {A(0, 0), A(20, 1), R(50, 0), R(53, 1)}},
    {SLX_HBMQ_RULE_CCD_S, 4, 0, {A(0, 0), A(20, 1), W(50, 0), W(53, 1)}},
    {SLX_HBMQ_RULE_CCD_L, 4, 0, {A(0, 0), A(20, 4), R(50, 0), R(55, 4)}},
    {SLX_HBMQ_RULE_CCD_L, 4, 0, {A(0, 0), A(20, 4), W(50, 0), W(55, 4)}},
    {SLX_HBMQ_RULE_RRD_S, 2, 0, {A(0, 0), A(3, 1)}},
    {SLX_HBMQ_RULE_RRD_S, 2, 0, {A(0, 0), F(3, 1)}},
    {SLX_HBMQ_RULE_RRD_L, 2, 0, {A(0, 0), A(6, 4)}},
    {SLX_HBMQ_RULE_FAW, 5, 0, {A(0, 0), A(10, 1), A(20, 2), F(30, 3), A(40, 5)}},
    {SLX_HBMQ_RULE_RTW, 4, 0, {A(0, 0), A(10, 1), R(50, 0), W(58, 1)}},
    {SLX_HBMQ_RULE_WTR_S, 4, 0, {A(0, 0), A(10, 1), W(50, 0), R(62, 1)}},
    {SLX_HBMQ_RULE_WTR_L, 4, 0, {A(0, 0), A(10, 4), W(50, 0), R(67, 4)}},
    {SLX_HBMQ_RULE_RFC, 2, 0, {F(0, 0), A(100, 0)}},
    {SLX_HBMQ_RULE_DATA, 4, 2, {A(0, 0), A(10, 1), R(50, 0), W(56, 1)}},
    {SLX_HBMQ_RULE_BUS, 3, 0, {A(0, 0), P(40, 0), A(41, 1)}},
    {SLX_HBMQ_RULE_ORDER, 4, 0, {A(0, 0), A(10, 1), P(40, 0), R(40, 1)}},
};

static void one_clock(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        slx_hbmq_params p = small;
        if (edges[i].trtw) p.trtw = edges[i].trtw;
        for (int early = 0; early < 2; early++) {
            slx_hbmq_check *k = slx_hbmq_check_new(&p);
            for (uint32_t j = 0; j < edges[i].n; j++) {
                slx_hbmq_command c = edges[i].c[j];
                if (early && j + 1 == edges[i].n) c.at--;
                slx_hbmq_check_command(k, &c);
            }
            for (int r = 0; r < SLX_N_HBMQ_RULES; r++) {
                uint64_t want = early && r == (int)edges[i].rule, got = slx_hbmq_check_broken(k, (slx_hbmq_rule)r);
                if (got != want)
                    fail_msg("edge %zu, early %d: %s broken %d times", i, early, slx_hbmq_rule_name((slx_hbmq_rule)r),
                             (int)got);
            }
            slx_hbmq_check_free(k);
        }
    }
}

typedef struct {
    slx_hbmq_command *c;
    uint32_t n, room;
} tape;

static void tape_keep(void *arg, const slx_hbmq_command *c)
{
    tape *t = arg;
    if (t->n < t->room) t->c[t->n++] = *c;
}

static uint64_t replay(const slx_hbmq_params *p, const tape *t)
{
    slx_hbmq_check *k = slx_hbmq_check_new(p);
    for (uint32_t i = 0; i < t->n; i++) slx_hbmq_check_command(k, &t->c[i]);
    uint64_t n = slx_hbmq_check_broken(k, SLX_N_HBMQ_RULES);
    slx_hbmq_check_free(k);
    return n;
}

/* A legal trace of the queue with one command left out, sent twice or changed. */
static void seeded(void **state)
{
    (void)state;
    slx_hbmq_params p;
    slx_chip *chip = load(&p, "silex-1");
    tape t = {.c = slx_xcalloc(4001, sizeof *t.c), .room = 4000};
    slx_hbmq *q = slx_hbmq_new(&p);
    slx_hbmq_trace(q, tape_keep, &t);
    slx_rng r = {3};
    for (int i = 0; i < 3000; i++) slx_hbmq_push(q, slx_rng_below(&r, 2048), slx_rng_below(&r, 3) == 0, 0, 0);
    slx_hbmq_drain(q);
    assert_int_equal(t.n, 4000);
    assert_int_equal(replay(&p, &t), 0);
    int seeds = 0;
    for (int i = 0; i < 600; i++) {
        uint32_t at = slx_rng_below(&r, 3000), what = slx_rng_below(&r, 6);
        slx_hbmq_command was = t.c[at];
        bool col = was.op == SLX_HBMQ_RD || was.op == SLX_HBMQ_WR;
        if (what == 0 && (was.op == SLX_HBMQ_ACT || was.op == SLX_HBMQ_PRE || was.op == SLX_HBMQ_REF)) {
            /* left out: the bank is in the other state, a later round begins too early */
            memmove(t.c + at, t.c + at + 1, (--t.n - at) * sizeof *t.c);
            bool used = was.op == SLX_HBMQ_REF;
            for (uint32_t j = at; j < t.n; j++) used |= t.c[j].bank == was.bank;
            if (used && was.op != SLX_HBMQ_REF) assert_true(replay(&p, &t) > 0), seeds++;
            memmove(t.c + at + 1, t.c + at, (t.n++ - at) * sizeof *t.c);
        } else if (what == 1) { /* sent twice */
            memmove(t.c + at + 1, t.c + at, (t.n++ - at) * sizeof *t.c);
            assert_true(replay(&p, &t) > 0), seeds++;
            memmove(t.c + at, t.c + at + 1, (--t.n - at) * sizeof *t.c);
        } else if (what == 2 && (col || was.op == SLX_HBMQ_ACT)) {
            /* an activate of a row nobody reads is no offence: only columns */
            t.c[at].row += col;
            if (col) assert_true(replay(&p, &t) > 0), seeds++;
        } else if (what == 3 && col) {
            t.c[at].column = p.columns;
            assert_true(replay(&p, &t) > 0), seeds++;
        } else if (what == 4) {
            t.c[at].bank = p.banks;
            assert_true(replay(&p, &t) > 0), seeds++;
        } else if (what == 5 && at) {
            t.c[at].at = t.c[at - 1].at - 1; /* before its predecessor */
            assert_true(replay(&p, &t) > 0), seeds++;
        }
        t.c[at] = was;
        assert_int_equal(t.n, 4000);
    }
    assert_in_range(seeds, 200, 600);
    assert_int_equal(replay(&p, &t), 0);
    /* a refresh left out is found when its bank's next one should come, and the other way round */
    uint32_t n = 0;
    for (uint32_t i = 0; i < t.n; i++)
        if (t.c[i].op != SLX_HBMQ_REF) t.c[n++] = t.c[i];
    assert_true(t.n - n > p.late);
    t.n = n;
    assert_true(replay(&p, &t) > 0);
    free(t.c);
    slx_hbmq_free(q);
    slx_chip_free(chip);
}

/* A queue that believes one figure to be a clock shorter is found out under mixed traffic. */
static void wrong_belief(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        slx_hbmq_rule rule;
    } figures[] = {
#define X(m, r) {offsetof(slx_hbmq_params, m), SLX_HBMQ_RULE_##r}
        X(trcd, RCD), X(trp, RP), X(tras, RAS), X(trtp, RTP), X(twr, TWR), X(tccd_l, CCD_L), X(tccd_s, CCD_S),
        X(trrd_s, RRD_S), X(trrd_l, RRD_L), X(tfaw, FAW), X(trtw, RTW), X(twtr_s, WTR_S), X(twtr_l, WTR_L),
        X(trfcpb, RFC), X(trc, RC),
#undef X
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        slx_hbmq_params p = small, wrong;
        p.trefi = 4000;
        wrong = p;
        uint32_t *v = (uint32_t *)((char *)&wrong + figures[i].at);
        *v -= 1;
        slx_hbmq_check *k = slx_hbmq_check_new(&p);
        slx_hbmq *q = slx_hbmq_new(&wrong);
        slx_hbmq_trace(q, slx_hbmq_check_command, k);
        slx_rng r = {9};
        for (int j = 0; j < 8000; j++) {
            uint64_t n = j / 1000 % 2 ? (uint64_t)j : slx_rng_below(&r, 1 << 14);
            slx_hbmq_push(q, n, slx_rng_below(&r, 3) == 0, 0, 0);
        }
        slx_hbmq_drain(q);
        if (!slx_hbmq_check_broken(k, figures[i].rule)) fail_msg("%s not found", slx_hbmq_rule_name(figures[i].rule));
        slx_hbmq_free(q);
        slx_hbmq_check_free(k);
    }
}

static void refresh_rules(void **state)
{
    (void)state;
    slx_hbmq_params p = small;
    p.trefi = 16000; /* one every 1000 clocks; 8 may be late */
    for (int late = 0; late < 2; late++) {
        slx_hbmq_check *k = slx_hbmq_check_new(&p);
        slx_hbmq_command c = F(8999, 3);
        c.at += (uint64_t)late; /* the ninth is due at 9000 */
        slx_hbmq_check_command(k, &c);
        assert_int_equal(slx_hbmq_check_broken(k, SLX_HBMQ_RULE_REFI), late);
        c.at += 300;
        slx_hbmq_check_command(k, &c); /* the same bank, before the others */
        assert_int_equal(slx_hbmq_check_broken(k, SLX_HBMQ_RULE_ROUND), 1);
        slx_hbmq_check_free(k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters),    cmocka_unit_test(latency),   cmocka_unit_test(turns),
        cmocka_unit_test(bandwidth),     cmocka_unit_test(mixed),     cmocka_unit_test(one_clock),
        cmocka_unit_test(closed_form),   cmocka_unit_test(closed_form_limits),
        cmocka_unit_test(refresh_rules), cmocka_unit_test(seeded),    cmocka_unit_test(wrong_belief),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
