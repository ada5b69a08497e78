/* test_fleet.c - cases and their arithmetic: a fleet worked out by hand, closed formulas, refusals and their places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "fleet/change.h"
#include "fleet/fleet.h"
#include "fleet/plan.h"
#include "fleet/risk.h"

/* Two kinds of racks. a follows the demand: 864,000 queries a day of 100 tokens, twice at the peak: 2,000 tokens/s;
 * a chip writes 10 at half use, a rack holds 4: 100 racks. b is a plan: 0.001 GW in 2026 (two quarters), then 0.002. */
static const char good[] =
    "name: hand\n"                                                 /* 1 */
    "title: worked out by hand\n"                                  /* 2 */
    "start: 2026-Q3\n"                                             /* 3 */
    "quarters: 6\n"                                                /* 4 */
    "demand:\n"                                                    /* 5 */
    "  queries_day: {mid: 864000, unit: queries/day, source: x}\n" /* 6 */
    "  tokens_out: {low: 50, mid: 100, high: 400, unit: tokens/query, free: true, source: x}\n"
    "  peak: {mid: 2, unit: \"1\", source: x}\n"                 /* 8 */
    "money:\n"                                                   /* 9 */
    "  maintenance_year: {mid: 0.04, unit: 1/year, source: x}\n" /* 10 */
    "sites:\n"                                                   /* 11 */
    "  hall:\n"                                                  /* 12 */
    "    pue: {mid: 1.25, unit: \"1\", source: x}\n"             /* 13 */
    "    power_usd_kwh: {mid: 0.1, unit: USD/kWh, source: x}\n"  /* 14 */
    "    hall_usd_w: {mid: 10, unit: USD/W, source: x}\n"        /* 15 */
    "    hall_life_years: {mid: 10, unit: years, source: x}\n"   /* 16 */
    "options:\n"                                                 /* 17 */
    "  a:\n"                                                     /* 18 */
    "    supplier: A\n"                                          /* 19 */
    "    deploy: demand\n"                                       /* 20 */
    "    tok_s: {mid: 10, unit: tokens/s/chip, source: x}\n"     /* 21 */
    "    use: {mid: 0.5, unit: \"1\", source: x}\n"              /* 22 */
    "    chips_rack: {mid: 4, unit: chips/rack, source: x}\n"    /* 23 */
    "    rack_kw: {mid: 8, unit: kW/rack, source: x}\n"          /* 24 */
    "    chip_usd: {mid: 1000, unit: USD/chip, source: x}\n"     /* 25 */
    "    rack_usd: {mid: 2000, unit: USD/rack, source: x}\n"     /* 26 */
    "    life_years: {mid: 1, unit: years, source: x}\n"         /* 27 */
    "    failure_year: {mid: 0.04, unit: 1/year, source: x}\n"   /* 28 */
    "    spares: {mid: 0.05, unit: \"1\", source: x}\n"          /* 29 */
    "  b:\n"                                                     /* 30 */
    "    supplier: B\n"                                          /* 31 */
    "    deploy: plan\n"                                         /* 32 */
    "    plan: {by_year: {2026: 0.001, 2027: 0.002}, unit: GW/quarter, source: x}\n"
    "    chips_rack: {mid: 8, unit: chips/rack, source: x}\n"        /* 34 */
    "    rack_kw: {mid: 10, unit: kW/rack, source: x}\n"             /* 35 */
    "    rack_usd: {mid: 50000, unit: USD/rack, source: x}\n"        /* 36 */
    "    life_years: {mid: 5, unit: years, source: x}\n"             /* 37 */
    "figures:\n"                                                     /* 38 */
    "  racks: {of: a.racks, public: 125, unit: racks, source: x}\n"; /* 39 */

#define NEAR(a, b) assert_true(fabs((double)(a) - (double)(b)) <= 1e-9 * fabs((double)(b)))

static void test_by_hand(void **state)
{
    (void)state;
    slx_fleet_case *c = parse(good);
    slx_fleet_run *r = eval(c);
    const slx_fleet_cell *a = r->cell[0], *b = r->cell[1];
    /* 864000 / 86400 * 100 * 2 = 2000 tokens/s; / (10 * 0.5 * 4) = 100 racks, replaced after four quarters */
    NEAR(r->total[0].need_tok_s, 2000);
    NEAR(a[0].delivered, 100);
    assert_true(a[1].delivered == 0 && a[3].delivered == 0);
    NEAR(a[4].retired, 100);
    NEAR(a[4].renewed, 100);
    NEAR(a[5].racks, 100);
    /* 1 GW of hall is 1e6 / (10 * 1.25) = 80,000 racks; 0.0005 GW a quarter in 2026 and in 2027 */
    for (int q = 0; q < 6; q++) NEAR(b[q].delivered, 40);
    NEAR(b[5].racks, 240);
    /* hall: 100 * 8 * 1.25 kW = 1 MW, and 0.5 MW more every quarter */
    NEAR(r->total[0].facility_w, 1.5e6);
    NEAR(r->total[5].facility_w, 4e6);
    NEAR(r->total[0].halls_usd, 15e6);
    NEAR(r->total[1].halls_usd, 5e6);
    /* racks: 100 * (4 * 1000 + 2000) + 40 * 50000; spares: 5 % of 400 chips at 1000 */
    NEAR(r->total[0].racks_usd, 600e3 + 2e6);
    NEAR(r->total[0].spares_usd, 20e3);
    /* 1 % of 400 chips a quarter, at 1000; 1 % of the price of racks in service */
    NEAR(a[0].failed_chips, 4);
    NEAR(r->total[0].repair_usd, 4000);
    NEAR(r->total[0].maintenance_usd, 26e3);
    /* 1.5 MW for 2191.5 hours at 0.1 */
    NEAR(r->total[0].energy_usd, 1500 * 2191.5 * 0.1);
    NEAR(r->total[0].energy_j, 1.5e6 * 2191.5 * 3600);
    /* straight line: a over 4 quarters, b over 20, halls over 40 */
    NEAR(r->total[0].depreciation_usd, 620e3 / 4 + 2e6 / 20 + 15e6 / 40);
    NEAR(r->total[0].book_usd, 620e3 * 3 / 4 + 2e6 * 19 / 20 + 15e6 * 39 / 40);
    NEAR(r->total[0].tokens_served, 864000. * 100 * 365.25 / 4);
    NEAR(r->out[SLX_FO_utilisation], 0.5);
    NEAR(r->option_out[1][SLX_FO_racks_gw], 80000);
    NEAR(r->option_out[1][SLX_FO_racks_usd_gw], 80000 * 50000.);
    assert_true(
        isnan(r->option_out[1][SLX_FO_chips_usd])); /* its chips have no price of their own */
    free(r);
    slx_fleet_free(c);
}

static double eval_need(const slx_fleet_case *c)
{
    slx_fleet_run *r = eval(c);
    double need = r->total[0].need_tok_s;
    free(r);
    return need;
}

static void test_rolling(void **state)
{
    (void)state;
    slx_fleet_case *c = parse(good);
    c->rolling = true;
    slx_fleet_run *r = eval(c);
    /* a quarter of 100 racks of 4 chips at 1000 in each of five quarters: 400 k a year */
    NEAR(r->option_out[0][SLX_FO_renewal_chips_usd_year], 400e3);
    NEAR(r->option_out[0][SLX_FO_chips_usd], 400e3);
    NEAR(r->cell[0][3].racks, 100);
    free(r);
    slx_fleet_free(c);
}

static void test_growth_is_a_year(void **state)
{
    (void)state;
    slx_fleet_case *c = parse(good);
    assert_false(slx_fleet_set(c, "demand.growth_year=1", NULL));
    slx_fleet_run *r = eval(c);
    NEAR(r->total[4].need_tok_s, 4000);
    NEAR(r->total[2].need_tok_s, 2000 * sqrt(2));
    assert_true(r->cell[0][4].racks >= 200);
    NEAR(r->out[SLX_FO_served], 1);
    free(r);
    slx_fleet_free(c);
}

static void test_limits_hold(void **state)
{
    (void)state;
    slx_buf b = {0};
    slx_buf_adds(&b, good);
    const char *site = strstr(b.ptr, "    pue:");
    slx_buf t = {0};
    slx_buf_add(&t, b.ptr, (size_t)(site - b.ptr));
    slx_buf_adds(&t, "    gw: {mid: 0.002, unit: GW, source: x}\n");
    slx_buf_adds(&t, site);
    slx_fleet_case *c = parse(t.ptr);
    slx_fleet_run *r = eval(c);
    /* 1 MW of a, then 0.5 MW of b a quarter: full after the second quarter, the rest waits in boxes */
    NEAR(r->total[1].facility_w, 2e6);
    NEAR(r->total[2].facility_w, 2e6);
    NEAR(r->cell[1][2].waiting, 40);
    NEAR(r->cell[1][5].waiting, 160);
    slx_fleet_free(c);
    free(r);
    slx_buf_free(&b);
    slx_buf_free(&t);
}

static void test_events(void **state)
{
    (void)state;
    slx_fleet_case *c = parse(good);
    slx_fleet_run *r = calloc(1, sizeof *r);
    slx_fleet_events *e = calloc(1, sizeof *e);
    e->slip[1] = 2;
    e->option_out[0][0] = e->option_out[0][1] = true;
    slx_fleet_eval(c, &(slx_fleet_future){.events = e, .single = -1}, r);
    assert_true(r->cell[1][1].racks == 0);
    NEAR(r->cell[1][2].racks, 40);
    assert_true(r->total[1].tokens_served == 0);
    NEAR(r->cell[0][2].racks, 100); /* the backlog comes as soon as the supplier delivers again */
    NEAR(r->out[SLX_FO_served], 4. / 6);
    /* all of it from b: a's share of the demand is not b's to serve, its plan is its own */
    slx_fleet_eval(c, &(slx_fleet_future){.single = 0}, r);
    NEAR(r->cell[0][0].racks, 100);
    assert_true(r->cell[1][5].racks == 0);
    free(e);
    free(r);
    slx_fleet_free(c);
}

static void test_answer(void **state)
{
    (void)state;
    slx_fleet_case *c = parse(good);
    slx_fleet_answer a;
    assert_false(slx_fleet_answer_figure(c, 0, NULL, &a));
    NEAR(a.ours, 100);
    NEAR(a.error, 100. / 125 - 1);
    assert_int_equal(a.n_movers, 1);
    assert_string_equal(c->in[a.mover[0].in].path, "demand.tokens_out");
    NEAR(a.mover[0].at_low, 50);
    NEAR(a.mover[0].at_high, 400);
    assert_int_equal(a.n_free, 1);
    slx_fleet_free(c);
}

/* What is refused: in the good case `from` becomes `to`; the place and what the message says. */
static const struct {
    const char *from, *to;
    int line, col;
    const char *says;
} bad[] = {
    {"  peak:", "  peek:", 8, 3,
     "demand.peek: unknown key (did you mean peak?), expected one of users"},
    {"deploy: demand", "deploy: demant", 20, 13,
     "options.a.deploy: found \"demant\", expected one of demand, plan, choose"},
    {"unit: tokens/s/chip", "unit: tokens/s", 21, 28,
     "options.a.tok_s.unit: found \"tokens/s\", expected tokens/s/chip"},
    {"unit: GW/quarter", "unit: GW", 33, 55,
     "expected one of GW/quarter USD/quarter chips/quarter racks/quarter"},
    {"mid: 1000,", "mid: -1000,", 25, 21,
     "options.a.chip_usd.mid: found -1000, expected a number in USD/chip between 0 and 1e+07"},
    {"low: 50, mid: 100", "low: 150, mid: 100", 7, 21,
     "demand.tokens_out: found 150, 100, 400, expected low <= mid <= high"},
    {"2027: 0.002", "2028: 0.002", 33, 35,
     "options.b.plan.by_year.2028: unknown year, expected 2026 to 2027"},
    {"2026: 0.001, ", "", 33, 12,
     "the year 2026 is missing, expected every year from 2026 to 2027"},
    {", source: x}\n  tokens_out", "}\n  tokens_out", 6, 3,
     "demand.queries_day: source is missing"},
    {"unit: queries/day, ", "", 6, 3, "demand.queries_day: unit is missing"},
    {"low: 50, ", "", 7, 3, "low is missing beside high"},
    {"rack_kw: {mid: 8,", "rack_kw: {low: 8, high: 9,", 24, 5,
     "found 0 of mid, by_year and by_quarter, expected exactly one"},
    {"    rack_kw: {mid: 8, unit: kW/rack, source: x}\n", "", 18, 3,
     "options.a.rack_kw: missing, expected a figure in kW/rack"},
    {"deploy: plan", "deploy: demand", 33, 5,
     "options.b.plan: found beside another deploy, expected deploy: plan"},
    {"  queries_day: {mid: 864000, unit: queries/day, source: x}\n", "", 5, 1,
     "demand.queries_day: missing, expected it or users"},
    {"start: 2026-Q3", "start: 2026-Q5", 3, 8,
     "start: found \"2026-Q5\", expected a quarter as 2026-Q3"},
    {"quarters: 6", "quarters: 600", 4, 11,
     "quarters: found 600, expected a whole number from 1 to 80"},
    {"of: a.racks", "of: a.rakcs", 39, 15,
     "figures.racks.of: found \"a.rakcs\", expected an output: chips"},
    {"of: a.racks", "of: z.racks", 39, 15, "expected an option of this case before the dot"},
    {"public: 125", "public: many", 39, 32,
     "figures.racks.public: found \"many\", expected a number above 0"},
    {"unit: racks,", "unit: chips,", 39, 43, "figures.racks.unit: found \"chips\", expected racks"},
    {"supplier: B", "supplier: B\n    site: moon", 32, 11,
     "options.b.site: found \"moon\", expected one of the sites of this case: hall"},
    {"supplier: B", "supplier: B\n    from: [x]", 32, 12,
     "expected one of the pools of this case: "},
    {"    chip_usd: {mid: 1000, unit: USD/chip, source: x}\n    rack_usd: {mid: 2000, unit: "
     "USD/rack, source: x}\n",
     "", 18, 3, "options.a.chip_usd: missing, expected a price of chips or racks"},
    {"use: {mid: 0.5,", "use: {by_year: {2026: 1, 2027: 1},", 22, 11,
     "found a series, expected one value"},
    {"figures:",
     "variants:\n  v:\n    about: y\n    options:\n      c:\n        lot: {mid: 1, unit: racks, "
     "source: x}\nfigures:",
     42, 7, "variants.v.options.c: no such figure in this case"},
    {"figures:", "contracts:\n  k:\n    options: [c]\nfigures:", 40, 15,
     "contracts.k.options[0]: found \"c\", expected one of the options of this case: a, b"},
    {"figures:",
     "contracts:\n  k:\n    options: [b]\n    commit: {mid: 1, unit: GW/quarter, source: "
     "x}\nfigures:",
     39, 3, "contracts.k.shortfall_usd: missing beside contracts.k.commit"},
    {"figures:",
     "contracts:\n  k:\n    options: [b]\n    commit: {mid: 1, unit: GW/quarter, source: x}\n"
     "    shortfall_usd: {mid: 1, unit: USD/USD, source: x}\nfigures:",
     42, 5, "contracts.k.shortfall_usd: found USD/USD beside a commitment in GW/quarter"},
    {"figures:",
     "contracts:\n  k:\n    options: [b]\n    invest_usd: {mid: 1, unit: USD, source: x}\nfigures:",
     39, 3,
     "contracts.k.equity_gw: missing, expected the deliveries with which all of it has vested"},
    {"figures:", "research:\n  flop: {mid: 1.0e+20, unit: FLOP/quarter, source: x}\nfigures:", 39,
     3, "research.flop: found no option with flop_s, expected one that can train"},
    {"figures:", "sales:\n  price: {mid: 1, unit: USD/GW/year, source: x}\nfigures:", 39, 3,
     "sales.price: found USD/GW/year beside a demand, expected USD/Mtoken"},
    {"supplier: B", "supplier: B\n    base_age_years: {mid: 6, unit: years, source: x}", 32, 5,
     "options.b.base_age_years: found a mean age of 6 years, expected at most life_years, 5"},
    {"supplier: B", "supplier: B\n    sell_share: {mid: 0.5, unit: \"1\", source: x}", 30, 3,
     "options.b.sell_usd: missing, expected what others pay for a rack"},
    {"figures:",
     "variants:\n  v:\n    about: y\n    options:\n      a:\n        share: {mid: 0.5, unit: "
     "\"1\", "
     "source: x}\nfigures:",
     41, 5, "variants.v.options: found shares of the demand that add up to 0.5"},
    {"name: hand\n", "", 1, 1, "name: missing, expected one line of text"},
    {"figures:", "figurs:", 38, 1, "figurs: unknown key (did you mean figures?)"},
};

static char *replaced(const char *from, const char *to)
{
    const char *at = strstr(good, from);
    assert_non_null(at);
    char *text = malloc(sizeof good + strlen(to));
    memcpy(text, good, (size_t)(at - good));
    strcpy(text + (at - good), to);
    strcat(text, at + strlen(from));
    return text;
}

static void test_bad_input(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        slx_fleet_case *c;
        slx_err e = {0};
        char *text = replaced(bad[i].from, bad[i].to);
        slx_status s = slx_fleet_parse(&c, text, strlen(text), "hand.yaml", &e);
        if (s != SLX_EINPUT || c || !strstr(e.msg, bad[i].says) || e.line != bad[i].line ||
            e.col != bad[i].col)
            fail_msg("%s -> %s: %d:%d %s", bad[i].from, bad[i].to, e.line, e.col, e.msg);
        free(text);
    }
}

static void test_set(void **state)
{
    (void)state;
    slx_fleet_case *c = parse(good);
    slx_err e;
    assert_false(slx_fleet_set(c, "options.a.tok_s=20", &e));
    assert_false(slx_fleet_set(c, "options.b.plan=0.5", &e)); /* of a series, a factor */
    slx_fleet_run *r = eval(c);
    NEAR(r->cell[0][0].racks, 50);
    NEAR(r->cell[1][0].racks, 20);
    assert_int_equal(slx_fleet_set(c, "options.a.tok=20", &e), SLX_EINPUT);
    assert_non_null(strstr(e.msg, "did you mean options.a.tok_s?"));
    assert_int_equal(slx_fleet_set(c, "options.a.tok_s=-1", &e), SLX_EINPUT);
    assert_non_null(strstr(e.msg, "expected a number in tokens/s/chip between 0.001 and 1e+09"));
    assert_int_equal(slx_fleet_set(c, "options.a.tok_s", &e), SLX_EINPUT);
    /* what contradicts the rest is refused as it would be in a file */
    assert_false(slx_fleet_recheck(c, "--set", &e));
    assert_false(slx_fleet_set(c, "options.a.share=0.5", &e));
    assert_int_equal(slx_fleet_recheck(c, "--set", &e), SLX_EINPUT);
    assert_string_equal(e.file, "--set");
    assert_non_null(strstr(e.msg, "shares of the demand that add up to 0.5"));
    free(r);
    slx_fleet_free(c);
}

/* Every case that is shipped loads, balances, and answers what it claims. */
static void test_cases(void **state)
{
    static const char *const names[] = {
        "bernstein-2023",     "ten-gigawatts",    "first-order-10g", "training-10000-gpus",
        "acquire-or-partner", "jalapeno-phase-1", "serve-and-train"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        slx_fleet_case *c;
        slx_err e;
        if (slx_fleet_load(&c, names[i], &e)) {
            slx_err_print(&e, stderr);
            fail();
        }
        assert_string_equal(c->name, names[i]);
        for (int k = 0; k < c->n_figures && !slx_fleet_must_plan(c); k++) {
            slx_fleet_answer a;
            assert_false(slx_fleet_answer_figure(c, k, NULL, &a));
            if (!(fabs(a.error) <= c->figure[k].within))
                fail_msg("%s, %s: %g, published %g", names[i], c->figure[k].name, a.ours,
                         c->figure[k].published);
            assert_true(a.n_movers > 0);
        }
        slx_fleet_free(c);
    }
}

/* What must be answered within 5 %, whatever a case claims for it. */
static void test_published_figures(void **state)
{
    static const struct {
        const char *of, *figure;
        double published;
    } bars[] = {
        {"bernstein-2023", "chips-up-front", 48.1e9},
        {"bernstein-2023", "chips-a-year", 16e9},
        {"ten-gigawatts", "ten-gigawatts-low", 350e9},
        {"ten-gigawatts", "ten-gigawatts-high", 500e9},
        {"ten-gigawatts", "usd-a-gigawatt-low", 35e9},
        {"ten-gigawatts", "usd-a-gigawatt-high", 50e9},
        {"ten-gigawatts", "accelerators", 4.5e6},
        {"jalapeno-phase-1", "phase-1", 18e9},
        {"jalapeno-phase-1", "usd-a-gigawatt", 13.85e9},
        {"first-order-10g", "gigawatts", 10 / 13.85},
        {"training-10000-gpus", "days", 14.8},
        {"training-10000-gpus", "energy", 1287},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bars / sizeof *bars; i++) {
        slx_fleet_case *c;
        slx_fleet_answer a;
        int k = 0;
        assert_false(slx_fleet_load(&c, bars[i].of, NULL));
        while (k < c->n_figures && strcmp(c->figure[k].name, bars[i].figure)) k++;
        assert_true(k < c->n_figures);
        assert_false(slx_fleet_answer_figure(c, k, NULL, &a));
        if (!(fabs(a.ours / bars[i].published - 1) <= 0.05))
            fail_msg("%s, %s: %g, published %g", bars[i].of, bars[i].figure, a.ours,
                     bars[i].published);
        for (int f = 0; f < a.n_free; f++) {
            const slx_fleet_input *in = &c->in[a.free_in[f]];
            assert_true(in->low < in->mid ||
                        in->mid < in->high); /* free within a band, not pinned */
        }
        slx_fleet_free(c);
    }
}

/* Futures are the same for any number of threads, and what they have in common is what the bands say. */
static void test_risk(void **state)
{
    enum { N = 20000 };
    (void)state;
    slx_fleet_case *c = parse(good);
    slx_fleet_risk_options o = {.futures = N, .seed = 5, .threads = 1};
    slx_fleet_risk *one = slx_fleet_risk_run(c, NULL, &o);
    o.threads = 3;
    slx_fleet_risk *three = slx_fleet_risk_run(c, NULL, &o);
    three->seconds = one->seconds;
    assert_memory_equal(one, three, sizeof *one);
    /* Only the tokens have a band: triangular from 50 over 100 to 400, and a's racks are one a token. Half of the draws
     * lie below t where (400 - t)^2 / (350 * 300) = 1/2; the mean is (50 + 100 + 400) / 3. In service: a at 10 kW a
     * rack and 0.5 MW of b. */
    double half = 400 - sqrt(350 * 300 / 2.), mean = 550. / 3, sigma = 350 * sqrt(1. / 18);
    assert_true(fabs((one->gw[0].p[2] * 1e6 - 500) / 10 - half) < 3);
    assert_true(fabs((one->gw[0].mean * 1e6 - 500) / 10 - mean) <
                4 * sigma / sqrt(N) + 0.5); /* racks are whole */
    assert_true(one->gw[0].p[0] < one->gw[0].p[2] && one->gw[0].p[2] < one->gw[0].p[4]);
    NEAR(one->out[SLX_FR_SERVED].mean, 1);
    assert_true(isnan(
        one->out[SLX_FR_LATE].mean)); /* orders follow the demand: there is no plan to be behind */
    o.seed = 6;
    slx_fleet_risk *other = slx_fleet_risk_run(c, NULL, &o);
    assert_true(other->gw[0].mean != one->gw[0].mean);
    slx_fleet_risk_free(one);
    slx_fleet_risk_free(three);
    slx_fleet_risk_free(other);
    slx_fleet_free(c);
}

/* An option that stops once in two quarters delivers nothing in half of the first quarters; a respin of chance 1/4
 * holds a chip back for a quarter in a quarter of the futures. */
static void test_chances(void **state)
{
    enum { N = 20000 };
    static const char text[] =
        "name: chance\ntitle: chance\nstart: 2026-Q1\nquarters: 4\n"
        "limits:\n  late_usd_gw_year: {mid: 1.0e+10, unit: USD/GW/year, source: x}\n"
        "sites:\n  hall:\n    pue: {mid: 1, unit: \"1\", source: x}\n"
        "    power_usd_kwh: {mid: 0, unit: USD/kWh, source: x}\n"
        "options:\n  a:\n    supplier: A\n    deploy: plan\n"
        "    plan: {by_quarter: [0, 0, 100, 0], unit: racks/quarter, source: x}\n"
        "    chips_rack: {mid: 8, unit: chips/rack, source: x}\n"
        "    rack_kw: {mid: 10, unit: kW/rack, source: x}\n"
        "    rack_usd: {mid: 50000, unit: USD/rack, source: x}\n"
        "    architecture_quarters: {mid: 2, unit: quarters, source: x}\n"
        "    respin_probability: {mid: 0.25, unit: \"1\", source: x}\n"
        "    respin_quarters: {mid: 1, unit: quarters, source: x}\n"
        "    respin_usd: {mid: 1000000, unit: USD, source: x}\n"
        "    life_years: {mid: 5, unit: years, source: x}\n"
        "  b:\n    supplier: B\n    deploy: plan\n"
        "    plan: {by_quarter: [100, 0, 0, 0], unit: racks/quarter, source: x}\n"
        "    chips_rack: {mid: 8, unit: chips/rack, source: x}\n"
        "    rack_kw: {mid: 10, unit: kW/rack, source: x}\n"
        "    rack_usd: {mid: 50000, unit: USD/rack, source: x}\n"
        "    outage_year: {mid: 2, unit: 1/year, source: x}\n"
        "    outage_quarters: {mid: 1, unit: quarters, source: x}\n"
        "    life_years: {mid: 5, unit: years, source: x}\n";
    (void)state;
    slx_fleet_case *c = parse(text);
    slx_fleet_risk *r =
        slx_fleet_risk_run(c, NULL, &(slx_fleet_risk_options){.futures = N, .seed = 1});
    double rough = 5 * 0.5 / sqrt(N);                      /* five standard errors of a chance */
    assert_true(fabs(r->gw[0].mean * 1e3 - 0.5) < rough);  /* b is 1 MW, there half of the time */
    assert_true(fabs(r->gw[1].mean * 1e3 - 0.75) < rough); /* it comes when it delivers again */
    assert_true(fabs(r->gw[2].mean * 1e3 - 0.875 - 0.75) < 2 * rough); /* a without a respin */
    assert_true(fabs(r->gw[3].mean * 1e3 - 0.9375 - 1) < rough); /* a with one, a quarter later */
    /* b late by 1/2 + 1/4 + 1/8 + 1/16 quarters of 1 MW, a by 1/4 of one */
    assert_true(fabs(r->out[SLX_FR_LATE].mean * 1e3 * 4 - 0.9375 - 0.25) < 5 * 1.2 / sqrt(N));
    assert_true(fabs(r->out[SLX_FR_CAPEX].mean - (9.6875e6 + 0.25e6)) < 5 * 1.5e6 / sqrt(N));
    assert_int_equal(r->n_single, 2);
    slx_fleet_risk_free(r);
    slx_fleet_free(c);
}

/* a is bought at 50,000; at its high of 80,000 b is, at 60,000; a target half as high again has no power. */
static void test_changes(void **state)
{
    static const char text[] =
        "name: change\ntitle: change\nstart: 2026-Q1\nquarters: 2\n"
        "limits:\n  target_gw: {by_quarter: [0.002, 0.002], low: 0.5, high: 1.5, unit: GW, source: "
        "x}\n"
        "sites:\n  hall:\n    pue: {mid: 1, unit: \"1\", source: x}\n"
        "    power_usd_kwh: {mid: 0.1, unit: USD/kWh, source: x}\n"
        "    gw: {mid: 0.002, unit: GW, source: x}\n"
        "options:\n  a:\n    supplier: A\n    deploy: choose\n"
        "    chips_rack: {mid: 8, unit: chips/rack, source: x}\n"
        "    rack_kw: {mid: 10, unit: kW/rack, source: x}\n"
        "    rack_usd: {low: 49000, mid: 50000, high: 80000, unit: USD/rack, source: x}\n"
        "    life_years: {mid: 5, unit: years, source: x}\n"
        "  b:\n    supplier: B\n    deploy: choose\n"
        "    chips_rack: {mid: 8, unit: chips/rack, source: x}\n"
        "    rack_kw: {mid: 10, unit: kW/rack, source: x}\n"
        "    rack_usd: {mid: 60000, unit: USD/rack, source: x}\n"
        "    life_years: {mid: 5, unit: years, source: x}\n";
    slx_milp_limits l = {.gap = 0, .seconds = 10};
    slx_fleet_plan *p = slx_fleet_plan_new();
    slx_fleet_run *r = calloc(1, sizeof *r);
    slx_err e;
    (void)state;
    slx_fleet_case *c = parse(text);
    assert_false(slx_fleet_plan_solve(c, &l, p, &e));
    slx_fleet_eval(c, &(slx_fleet_future){.orders = &p->orders, .single = -1}, r);
    NEAR(r->option_out[0][SLX_FO_gw], 0.002);
    slx_fleet_changes *x = slx_fleet_changes_run(c, r, &l);
    /* four ends; a little cheaper or half the target moves less than is worth telling */
    assert_int_equal(x->tried, 4);
    assert_int_equal(x->n, 1);
    assert_false(x->change[0].feasible);
    assert_non_null(strstr(x->change[0].why, "power of site hall"));
    assert_string_equal(c->in[x->change[0].in].path, "limits.target_gw");
    slx_fleet_changes_free(x);
    /* a hundred times as large, it is */
    assert_false(slx_fleet_set(c, "options.a.rack_kw=1000", &e));
    assert_false(slx_fleet_set(c, "options.b.rack_kw=1000", &e));
    assert_false(slx_fleet_set(c, "sites.hall.gw=100", &e));
    assert_false(slx_fleet_set(c, "limits.target_gw=100", &e));
    assert_false(slx_fleet_plan_solve(c, &l, p, &e));
    slx_fleet_eval(c, &(slx_fleet_future){.orders = &p->orders, .single = -1}, r);
    x = slx_fleet_changes_run(c, r, &l);
    assert_int_equal(x->n, 1);
    assert_string_equal(c->in[x->change[0].in].path, "options.a.rack_usd");
    assert_true(x->change[0].high && x->change[0].feasible && x->change[0].gw[0] == 0);
    NEAR(x->change[0].gw[1], 0.2);
    NEAR(x->change[0].moved_gw, 0.2);
    NEAR(c->in[x->change[0].in].mid, 50000); /* as it was */
    slx_fleet_changes_free(x);
    slx_fleet_plan_free(p);
    slx_fleet_free(c);
    free(r);
}

/* The good case with more sections at its end. */
static slx_fleet_case *parse_with(const char *more)
{
    slx_buf b = {0};
    slx_buf_adds(&b, good);
    slx_buf_adds(&b, more);
    slx_fleet_case *c = parse(b.ptr);
    slx_buf_free(&b);
    return c;
}

/* b delivers 0.0005 GW a quarter for 2 M; the contract wants 0.001 GW in each of the first two, due a quarter later. */
static void test_contracts(void **state)
{
    (void)state;
    slx_fleet_case *c = parse_with(
        "contracts:\n"
        "  k:\n    options: [b]\n"
        "    commit: {by_quarter: [0.001, 0.001, 0, 0, 0, 0], unit: GW/quarter, source: x}\n"
        "    shortfall_usd: {mid: 1.0e+9, unit: USD/GW, source: x}\n"
        "    grace_quarters: {mid: 1, unit: quarters, source: x}\n"
        "    equity_gw: {mid: 0.002, unit: GW, source: x}\n"
        "    equity_step_gw: {mid: 0.001, unit: GW, source: x}\n"
        "    warrant_shares: {mid: 1000, unit: shares, source: x}\n"
        "    share_usd: {mid: 100, unit: USD/share, source: x}\n"
        "    vest_share: {mid: 0.5, unit: \"1\", source: x}\n"
        "    invest_usd: {mid: 80000, unit: USD, source: x}\n"
        "  m:\n    options: [a, b]\n"
        "    commit: {by_quarter: [0, 0, 0, 0, 0, 2.0e+7], unit: USD/quarter, source: x}\n"
        "    shortfall_usd: {mid: 0.5, unit: USD/USD, source: x}\n");
    slx_fleet_run *r = eval(c);
    const slx_fleet_contract_cell *k = r->contract[0];
    /* taken 0.0005, 0.001, 0.0015 ..; due 0, 0.001, 0.002: half a MW is missing in the third quarter, paid for once */
    NEAR(k[1].taken, 0.001);
    assert_true(k[1].shortfall_usd == 0);
    NEAR(k[2].shortfall_usd, 0.0005 * 1e9);
    NEAR(k[5].shortfall_usd, 0.0005 * 1e9);
    NEAR(r->total[2].shortfall_usd, 5e5);
    /* steps with the second and the fourth quarter: half of 1000 shares at 100, half of them vest */
    assert_true(k[0].warrants_usd == 0);
    NEAR(r->total[1].warrants_usd, 25000);
    assert_true(r->total[2].warrants_usd == 0);
    NEAR(k[3].warrants_usd, 50000);
    NEAR(k[5].warrants_usd, 50000);
    NEAR(k[5].investment_usd, 80000);
    /* a: 620 k in the first and the fifth quarter; b: 2 M in each of six */
    NEAR(r->contract[1][5].taken, 2 * 620e3 + 6 * 2e6);
    NEAR(r->contract[1][5].shortfall_usd, 0.5 * (2e7 - 2 * 620e3 - 6 * 2e6));
    /* without the contracts it costs what they pay less what they bring; investment changes no cost */
    slx_fleet_case *plain = parse(good);
    slx_fleet_run *p = eval(plain);
    NEAR(r->out[SLX_FO_cost_usd],
         p->out[SLX_FO_cost_usd] + 5e5 + r->contract[1][5].shortfall_usd - 50000);
    assert_true(isnan(p->out[SLX_FO_warrants_usd]));
    free(p);
    free(r);
    slx_fleet_free(plain);
    slx_fleet_free(c);
}

/* a's racks train 1e12 FLOP/s each: ten of them for 1e13, beside the hundred that serve. */
static void test_training(void **state)
{
    static const char line[] = "    tok_s: {mid: 10, unit: tokens/s/chip, source: x}\n";
    slx_buf more = {0};
    (void)state;
    slx_buf_addf(&more, "%s    flop_s: {mid: 2.5e+11, unit: FLOP/s/chip, source: x}\n", line);
    char *text = replaced(line, more.ptr);
    slx_buf_free(&more);
    slx_buf_addf(&more, "%sresearch:\n  flop: {mid: 7.8894e+19, unit: FLOP/quarter, source: x}\n",
                 text); /* 1e13 x 7,889,400 s */
    slx_fleet_case *c = parse(more.ptr);
    slx_fleet_run *r = eval(c);
    NEAR(r->cell[0][0].racks, 110);
    NEAR(r->cell[0][0].training_racks, 10);
    assert_true(r->cell[1][0].training_racks == 0);
    NEAR(r->total[0].capacity_tok_s, 2000);
    NEAR(r->out[SLX_FO_trained], 1);
    assert_false(slx_fleet_set(c, "research.flop=7.8894e+21", NULL)); /* orders follow */
    slx_fleet_eval(c, &(slx_fleet_future){.single = -1}, r);
    NEAR(r->cell[0][0].racks, 1100);
    free(r);
    free(text);
    slx_buf_free(&more);
    slx_fleet_free(c);
}

/* The demand halves every year: in the fourth 2000 x 2^-3/4 of 2000 tokens/s are needed, and a fifth is sold. */
static void test_sales(void **state)
{
    (void)state;
    slx_fleet_case *c = parse_with("sales:\n  share: {mid: 0.2, unit: \"1\", source: x}\n"
                                   "  from_quarters: {mid: 2, unit: quarters, source: x}\n"
                                   "  sold: {mid: 0.5, unit: \"1\", source: x}\n"
                                   "  price: {mid: 3, unit: USD/Mtoken, source: x}\n");
    assert_false(slx_fleet_set(c, "demand.growth_year=-0.5", NULL));
    slx_fleet_run *r = eval(c);
    double quarter_s = 365.25 / 4 * 86400;
    assert_true(r->total[1].tokens_sold == 0); /* too early */
    NEAR(r->total[3].tokens_sold, 0.2 * 2000 * 0.5 * quarter_s);
    NEAR(r->total[3].sales_usd, 3e-6 * 0.2 * 2000 * 0.5 * quarter_s);
    assert_false(slx_fleet_set(c, "sales.share=0.9", NULL)); /* no more than is idle */
    slx_fleet_eval(c, &(slx_fleet_future){.single = -1}, r);
    NEAR(r->total[3].tokens_sold, (2000 - 2000 * pow(0.5, 0.75)) * 0.5 * quarter_s);
    /* of b's 40 racks a quarter, ten are sold on at 60,000 from the second on; they are never on the books */
    assert_false(slx_fleet_set(c, "options.b.sell_share=0.25", NULL));
    assert_false(slx_fleet_set(c, "options.b.sell_usd=60000", NULL));
    assert_false(slx_fleet_set(c, "options.b.sell_from_quarters=1", NULL));
    slx_fleet_eval(c, &(slx_fleet_future){.single = -1}, r);
    NEAR(r->cell[1][0].racks, 40);
    NEAR(r->cell[1][1].racks, 70);
    NEAR(r->total[1].racks_usd, 30 * 50000.);
    NEAR(r->total[1].goods_usd, 10 * 50000.);
    NEAR(r->total[1].sales_usd, 10 * 60000.);
    free(r);
    slx_fleet_free(c);
}

/* Batch work in the valley of the day: half of it at night leaves a peak of 0.5 x 2. */
static void test_batch(void **state)
{
    (void)state;
    slx_fleet_case *c = parse(good);
    assert_false(slx_fleet_set(c, "demand.batch_share=0.25", NULL));
    NEAR(eval_need(c), 1500);
    assert_false(slx_fleet_set(c, "demand.batch_share=0.6", NULL)); /* the day is flat: the mean */
    NEAR(eval_need(c), 1000);
    slx_fleet_free(c);
}

/* 80 racks of b that are 0 to 5 years old: four wear out a quarter; their halls stand. */
static void test_base(void **state)
{
    (void)state;
    slx_fleet_case *c = parse(good);
    assert_false(slx_fleet_set(c, "options.b.base_racks=80", NULL));
    assert_false(slx_fleet_set(c, "options.b.base_age_years=2.5", NULL));
    slx_fleet_run *r = eval(c);
    NEAR(r->cell[1][0].racks, 120);
    NEAR(r->cell[1][1].retired, 4);
    NEAR(r->cell[1][1].racks, 156);
    NEAR(r->total[0].facility_w, 2.5e6);
    NEAR(r->total[0].halls_usd, 15e6); /* 1.5 MW more than stands */
    NEAR(r->total[0].racks_usd, 600e3 + 2e6);
    NEAR(r->total[0].energy_usd, 2500 * 2191.5 * 0.1);
    assert_false(slx_fleet_set(c, "options.b.base_age_years=5", NULL)); /* all are worn out */
    slx_fleet_eval(c, &(slx_fleet_future){.single = -1}, r);
    NEAR(r->cell[1][0].racks, 40);
    free(r);
    slx_fleet_free(c);
}

/* One option, 2 MW wanted, a site of 1 MW: these two clash, the budget beside them does not. */
static void test_clash_is_named(void **state)
{
    static const char text[] = "name: clash\ntitle: clash\nstart: 2026-Q1\nquarters: 2\n"
                               "money:\n  budget: {mid: 1.0e+9, unit: USD/quarter, source: x}\n"
                               "limits:\n  target_gw: {mid: 0.002, unit: GW, source: x}\n"
                               "sites:\n  hall:\n    pue: {mid: 1, unit: \"1\", source: x}\n"
                               "    power_usd_kwh: {mid: 0.1, unit: USD/kWh, source: x}\n"
                               "    gw: {by_quarter: [0.002, 0.002], unit: GW, source: x}\n"
                               "options:\n  a:\n    supplier: A\n    deploy: choose\n"
                               "    chips_rack: {mid: 8, unit: chips/rack, source: x}\n"
                               "    rack_kw: {mid: 10, unit: kW/rack, source: x}\n"
                               "    rack_usd: {mid: 50000, unit: USD/rack, source: x}\n"
                               "    life_years: {mid: 5, unit: years, source: x}\n";
    slx_milp_limits l = {.gap = 0, .seconds = 10};
    slx_fleet_plan *p = slx_fleet_plan_new();
    slx_err e;
    (void)state;
    slx_fleet_case *c = parse(text);
    assert_false(slx_fleet_plan_solve(c, &l, p, &e));
    NEAR(p->orders.racks[0][0], 200); /* 2 MW of 10 kW */
    assert_true(p->orders.racks[0][1] == 0);
    /* bought at 50,000, 2 of 20 quarters worn, and 2 MW for two quarters at 0.1 a kWh */
    NEAR(p->cost_usd, 200 * 50000. * 2 / 20 + 2 * 2000 * 2191.5 * 0.1);
    assert_false(slx_fleet_set(c, "sites.hall.gw=0.5", &e));
    assert_int_equal(slx_fleet_plan_solve(c, &l, p, &e), SLX_EINPUT);
    assert_non_null(strstr(e.msg, "power that must be in service in 2026-Q1"));
    assert_non_null(strstr(e.msg, "power of site hall in 2026-Q1"));
    assert_null(strstr(e.msg, "budget"));
    assert_non_null(strstr(e.msg, "At most 50.0 % of what must be served can be"));
    slx_fleet_plan_free(p);
    slx_fleet_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_rolling),
        cmocka_unit_test(test_growth_is_a_year),
        cmocka_unit_test(test_limits_hold),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_published_figures),
        cmocka_unit_test(test_clash_is_named),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_contracts),
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_sales),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_risk),
        cmocka_unit_test(test_chances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
