/* test_fleet_rates.c - reading and writing, training's share of a fleet's money and energy, rates that are computed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "fleet/fleet.h"
#include "fleet/own.h"
#include "fleet/plan.h"

#define NEAR(a, b) assert_true(fabs((double)(a) - (double)(b)) <= 1e-9 * fabs((double)(b)))

/* 864,000 queries a day of 100 tokens, twice at the peak: 2,000 tokens/s; 4 chips a rack at half use. */
#define HEAD                                                                                       \
    "name: rates\ntitle: rates\nstart: 2026-Q1\nquarters: 4\n"                                     \
    "demand:\n  queries_day: {mid: 864000, unit: queries/day, source: x}\n"                        \
    "  tokens_out: {mid: 100, unit: tokens/query, source: x}\n"                                    \
    "  peak: {mid: 2, unit: \"1\", source: x}\n"
#define SITE                                                                                       \
    "sites:\n  hall:\n    pue: {mid: 1.25, unit: \"1\", source: x}\n"                              \
    "    power_usd_kwh: {mid: 0.1, unit: USD/kWh, source: x}\n"                                    \
    "    hall_usd_w: {mid: 10, unit: USD/W, source: x}\n"
#define RACK                                                                                       \
    "    use: {mid: 0.5, unit: \"1\", source: x}\n"                                                \
    "    chips_rack: {mid: 4, unit: chips/rack, source: x}\n"                                      \
    "    rack_kw: {mid: 8, unit: kW/rack, source: x}\n"                                            \
    "    chip_usd: {mid: 1000, unit: USD/chip, source: x}\n"                                       \
    "    life_years: {mid: 5, unit: years, source: x}\n"
#define WRITES "    tok_s: {mid: 10, unit: tokens/s/chip, source: x}\n"
#define READS  "    read_tok_s: {mid: 40, unit: tokens/s/chip, source: x}\n"
#define IN     "  tokens_in: {mid: 200, unit: tokens/query, source: x}\n"

/* A token takes 1/10 s to write and 2/40 s to read for: 100 racks become 150, by the run and by the plan. */
static void test_reading_takes_time(void **state)
{
    slx_milp_limits l = {.gap = 0, .seconds = 10};
    slx_fleet_plan *p = slx_fleet_plan_new();
    (void)state;
    slx_fleet_case *c =
        parse(HEAD SITE "options:\n  a:\n    supplier: A\n    deploy: demand\n" WRITES RACK);
    slx_fleet_run *r = eval(c);
    NEAR(r->cell[0][0].racks, 100);
    slx_fleet_free(c);
    free(r);
    c = parse(HEAD IN SITE
              "options:\n  a:\n    supplier: A\n    deploy: demand\n" WRITES READS RACK);
    r = eval(c);
    NEAR(r->cell[0][0].racks, 150);
    NEAR(r->out[SLX_FO_served], 1);
    slx_fleet_free(c);
    free(r);
    c = parse(HEAD IN SITE
              "limits:\n  share_from: {mid: 0, unit: quarters, source: x}\n"
              "options:\n  a:\n    supplier: A\n    deploy: choose\n" WRITES READS RACK);
    assert_false(slx_fleet_plan_solve(c, &l, p, NULL));
    NEAR(p->orders.racks[0][0], 150);
    slx_fleet_plan_free(p);
    slx_fleet_free(c);
}

/* Tokens read are an input that moves something, or are refused. */
static void test_reading_is_said_or_refused(void **state)
{
    static const struct {
        const char *text, *says;
        int line;
    } bad[] = {
        {HEAD IN SITE "options:\n  a:\n    supplier: A\n    deploy: demand\n" WRITES RACK,
         "options.a.read_tok_s: missing beside demand.tokens_in", 16},
        {HEAD SITE "options:\n  a:\n    supplier: A\n    deploy: demand\n" WRITES READS RACK,
         "demand.tokens_in: missing, expected it where an option has read_tok_s", 5},
        {HEAD SITE
         "options:\n  a:\n    supplier: A\n    chip: h10\n    deploy: demand\n" WRITES RACK,
         "options.a.chip: found h10: no such file, and no such name in chips; did you mean h100?",
         17},
        {HEAD SITE "options:\n  a:\n    supplier: A\n    chip: h100\n    deploy: demand\n" RACK,
         "options.a.tok_s: missing, expected it where an option has deploy: demand", 15},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        slx_fleet_case *c;
        slx_err e = {0};
        if (slx_fleet_parse(&c, bad[i].text, strlen(bad[i].text), "rates.yaml", &e) != SLX_EINPUT ||
            !strstr(e.msg, bad[i].says) || e.line != bad[i].line)
            fail_msg("%zu: %d: %s", i, e.line, e.msg);
    }
}

/* 10 of 110 racks train: an eleventh of money and energy is not the tokens'; sold tokens count in both. */
static void test_training_is_no_tokens_cost(void **state)
{
    (void)state;
    slx_fleet_case *c =
        parse(HEAD SITE "options:\n  a:\n    supplier: A\n    deploy: demand\n" WRITES
                        "    flop_s: {mid: 2.5e+11, unit: FLOP/s/chip, source: x}\n" RACK
                        "research:\n  flop: {mid: 7.8894e+19, unit: FLOP/quarter, source: x}\n");
    slx_fleet_run *r = eval(c);
    double tokens = 4 * 864000. * 100 * 365.25 / 4, energy = 4 * 110 * 10e3 * 2191.5 * 3600;
    /* a rack of 4,000 wears by 200 a quarter, its 100,000 of hall by 1/60, its energy costs 2,191.5 */
    double usd = 4 * 110 * (200 + 100000 / 60. + 10 * 2191.5 * 0.1);
    NEAR(r->out[SLX_FO_training_usd], usd / 11);
    NEAR(r->out[SLX_FO_training_j], energy / 11);
    NEAR(r->out[SLX_FO_usd_mtok], usd * 10 / 11 / tokens * 1e6);
    NEAR(r->out[SLX_FO_j_token], energy * 10 / 11 / tokens);
    free(r);
    slx_fleet_free(c);
    c = parse(HEAD SITE "options:\n  a:\n    supplier: A\n    deploy: demand\n" WRITES RACK
                        "sales:\n  share: {mid: 0.2, unit: \"1\", source: x}\n"
                        "  price: {mid: 3, unit: USD/Mtoken, source: x}\n");
    assert_false(slx_fleet_set(c, "demand.growth_year=-0.5", NULL));
    r = eval(c);
    double served = 0, sold = 0;
    for (int q = 0; q < 4; q++) {
        served += r->total[q].tokens_served;
        sold += r->total[q].tokens_sold;
    }
    assert_true(sold > 0);
    NEAR(r->out[SLX_FO_j_token], energy * 10 / 11 / (served + sold));
    assert_true(isnan(r->out[SLX_FO_training_usd]));
    free(r);
    slx_fleet_free(c);
}

/* Spending counts at the start of a quarter, what is left at the end of the last: four quarters after the first began.
 * Rented gigawatts are in no price a gigawatt. */
static void test_ends_and_gigawatts(void **state)
{
    (void)state;
    slx_fleet_case *c =
        parse("name: end\ntitle: end\nstart: 2026-Q1\nquarters: 4\n"
              "money:\n  discount_year: {mid: 0.25, unit: 1/year, source: x}\n" SITE
              "options:\n  a:\n    supplier: A\n    deploy: plan\n"
              "    plan: {by_quarter: [100, 0, 0, 0], unit: racks/quarter, source: x}\n" RACK
              "  r:\n    supplier: R\n    deploy: plan\n    route: rent\n"
              "    plan: {by_quarter: [100, 0, 0, 0], unit: racks/quarter, source: x}\n"
              "    rent_usd_gw_year: {mid: 0, unit: USD/GW/year, source: x}\n"
              "    chips_rack: {mid: 4, unit: chips/rack, source: x}\n"
              "    rack_kw: {mid: 8, unit: kW/rack, source: x}\n"
              "    life_years: {mid: 5, unit: years, source: x}\n");
    assert_false(slx_fleet_set(c, "sites.hall.power_usd_kwh=0", NULL));
    slx_fleet_run *r = eval(c);
    /* racks 400,000, 16 of 20 quarters left; halls of 1 MW 10 M, 56 of 60; a year at a quarter more */
    NEAR(r->out[SLX_FO_cost_usd], 400e3 + 10e6 - (400e3 * 16 / 20 + 10e6 * 56 / 60) / 1.25);
    NEAR(r->out[SLX_FO_gw], 0.002);
    NEAR(r->out[SLX_FO_racks_usd_gw], 400e3 / 0.001);
    NEAR(r->out[SLX_FO_halls_usd_gw], 10e9);
    assert_true(isnan(r->option_out[1][SLX_FO_racks_usd_gw]));
    free(r);
    slx_fleet_free(c);
}

/* An option that names a chip and no rates gets those of the kernel model, with bands, said in its source; formats of
 * the same size on every chip. */
static void test_rates_are_computed(void **state)
{
    (void)state;
    slx_fleet_case *c = parse(
        HEAD IN SITE "options:\n  a:\n    supplier: A\n    chip: h100\n    deploy: demand\n" RACK
                     "own:\n  models: [llama-3.1-8b]\n  chips: [h100]\n"
                     "  tpot_ms: {mid: 50, unit: ms, source: x}\n"
                     "  context: {mid: 1500, unit: tokens, source: x}\n");
    slx_err e = {0};
    assert_false(slx_fleet_fill_rates(c, &e));
    const slx_fleet_input *in = c->in + c->option[0].base + SLX_F_OPTION_tok_s,
                          *read = c->in + c->option[0].base + SLX_F_OPTION_read_tok_s;
    assert_non_null(
        strstr(in->source, "computed: llama-3.1-8b on h100 at 50 ms a token, fp8 weights"));
    assert_true(in->given && in->low < in->mid && in->mid < in->high);
    assert_true(read->given && read->mid > in->mid); /* prompts are read many tokens at once */
    slx_fleet_own *own;
    assert_false(slx_fleet_own_run(c, &own, &e));
    NEAR(own->row[0].rates.write_tok_s.mid, in->mid);
    NEAR(own->row[0].rates.tok_s, 1 / (1 / in->mid + 2 / read->mid));
    slx_fleet_run *r = eval(c);
    NEAR(own->row[0].chips, r->option_out[0][SLX_FO_chips]);
    double eight = own->row[0].rates.tok_s;
    slx_fleet_own_free(own);
    assert_false(slx_fleet_set(c, "own.weight_bits=16", NULL));
    assert_false(slx_fleet_set(c, "own.kv_bits=16", NULL));
    assert_false(slx_fleet_own_run(c, &own, &e));
    assert_string_equal(own->row[0].rates.weights, "bf16");
    assert_true(own->row[0].rates.tok_s < eight);
    slx_fleet_own_free(own);
    assert_false(slx_fleet_set(c, "own.weight_bits=7", NULL));
    assert_int_equal(slx_fleet_recheck(c, "--set", &e), SLX_EINPUT);
    assert_non_null(strstr(e.msg, "own.weight_bits: found 7, expected 16, 8 or 4"));
    free(r);
    slx_fleet_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading_takes_time),
        cmocka_unit_test(test_reading_is_said_or_refused),
        cmocka_unit_test(test_training_is_no_tokens_cost),
        cmocka_unit_test(test_ends_and_gigawatts),
        cmocka_unit_test(test_rates_are_computed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
