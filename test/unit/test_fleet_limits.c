/* test_fleet_limits.c - limits of a plan: what they cost, checked by moving them; which are not kept; which clash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "fleet/broken.h"
#include "fleet/fleet.h"
#include "fleet/plan.h"
#include "fleet/risk.h"

#define NEAR(a, b) assert_true(fabs((double)(a) - (double)(b)) <= 1e-9 * fabs((double)(b)))

/* Racks of 8 chips, 10 kW and 50,000 dollars; what a case says of them is in between. */
#define RACK                                                                                       \
    "    chips_rack: {mid: 8, unit: chips/rack, source: x}\n"                                      \
    "    rack_kw: {mid: 10, unit: kW/rack, source: x}\n"
#define HALL                                                                                       \
    "sites:\n  hall:\n    pue: {mid: 1, unit: \"1\", source: x}\n"                                 \
    "    power_usd_kwh: {mid: 0.1, unit: USD/kWh, source: x}\n"

static slx_fleet_plan *solve(const slx_fleet_case *c)
{
    slx_milp_limits l = {.gap = 0, .seconds = 20};
    slx_fleet_plan *p = slx_fleet_plan_new();
    slx_err e;
    if (slx_fleet_plan_solve(c, &l, p, &e)) {
        slx_err_print(&e, stderr);
        fail();
    }
    return p;
}

static double cost_with(slx_fleet_case *c, const char *set)
{
    assert_false(slx_fleet_set(c, set, NULL));
    slx_fleet_plan *p = solve(c);
    double cost = p->cost_usd;
    slx_fleet_plan_free(p);
    return cost;
}

static const slx_fleet_limit *limit_of(const slx_fleet_plan *p, slx_fleet_limit_kind kind)
{
    for (int i = 0; i < p->n_binding; i++)
        if (p->binding[i].kind == kind) return &p->binding[i];
    fail();
    return NULL;
}

/* 100 MW in each of eight quarters of racks that last two, 3,000 of them from the cheaper supplier: both limits bind
 * again and again, and a unit in each quarter is worth what solving again with a hundredth less, or more, saves. */
static void test_price_is_of_all_quarters(void **state)
{
    static const char text[] = "name: price\ntitle: price\nstart: 2026-Q1\nquarters: 8\n"
                               "money:\n  discount_year: {mid: 0.1, unit: 1/year, source: x}\n"
                               "limits:\n  target_gw: {mid: 0.1, unit: GW, source: x}\n" HALL
                               "    hall_usd_w: {mid: 5, unit: USD/W, source: x}\n"
                               "options:\n  a:\n    supplier: A\n    deploy: choose\n" RACK
                               "    rack_usd: {mid: 50000, unit: USD/rack, source: x}\n"
                               "    life_years: {mid: 0.5, unit: years, source: x}\n"
                               "    supply: {mid: 3000, unit: racks/quarter, source: x}\n"
                               "  b:\n    supplier: B\n    deploy: choose\n" RACK
                               "    rack_usd: {mid: 70000, unit: USD/rack, source: x}\n"
                               "    life_years: {mid: 0.5, unit: years, source: x}\n";
    (void)state;
    slx_fleet_case *c = parse(text);
    slx_fleet_plan *p = solve(c);
    const slx_fleet_limit *target = limit_of(p, SLX_FL_TARGET),
                          *supply = limit_of(p, SLX_FL_SUPPLY);
    assert_true(target->quarters > 1 && supply->quarters > 1);
    double less = p->cost_usd - cost_with(c, "limits.target_gw=0.099");
    assert_true(fabs(less / (0.001 * target->price_usd) - 1) < 1e-3);
    assert_false(slx_fleet_set(c, "limits.target_gw=0.1", NULL));
    double more = p->cost_usd - cost_with(c, "options.a.supply=3030");
    assert_true(more > 0 && fabs(more / (30 * supply->price_usd) - 1) < 1e-3);
    slx_fleet_plan_free(p);
    slx_fleet_free(c);
}

/* The plan, and what it does not choose: racks of the start cost upkeep, tokens not served a price that nobody pays. */
static void test_cost_of_plan_and_run(void **state)
{
    static const char text[] =
        "name: parts\ntitle: parts\nstart: 2026-Q1\nquarters: 4\n"
        "demand:\n  queries_day: {mid: 864000, unit: queries/day, source: x}\n"
        "  tokens_out: {mid: 100, unit: tokens/query, source: x}\n"
        "money:\n  maintenance_year: {mid: 0.04, unit: 1/year, source: x}\n"
        "limits:\n  shortage_usd_mtok: {mid: 100000, unit: USD/Mtoken, source: x}\n" HALL
        "options:\n  a:\n    supplier: A\n    deploy: choose\n" RACK
        "    tok_s: {mid: 1, unit: tokens/s/chip, source: x}\n"
        "    rack_usd: {mid: 50000, unit: USD/rack, source: x}\n"
        "    base_racks: {mid: 25, unit: racks, source: x}\n"
        "    lead_quarters: {mid: 2, unit: quarters, source: x}\n"
        "    life_years: {mid: 5, unit: years, source: x}\n";
    slx_fleet_run *r = calloc(1, sizeof *r);
    (void)state;
    slx_fleet_case *c = parse(text);
    slx_fleet_plan *p = solve(c);
    slx_fleet_eval(c, &(slx_fleet_future){.orders = &p->orders, .single = -1}, r);
    NEAR(p->cost_usd - p->shortage_usd + p->unchosen_usd, r->out[SLX_FO_cost_usd]);
    /* 25 racks of ages around 0 that last 20 quarters: 1 % of 50,000 and 10 kW at 0.1 a kWh, four quarters */
    NEAR(p->unchosen_usd, 4 * 25 * (0.01 * 50000 + 10 * 2191.5 * 0.1));
    /* 800 of 1,000 tokens/s are missing for two quarters, until the first delivery */
    NEAR(p->short_tokens, 2 * 800 * 365.25 / 4 * 86400);
    NEAR(p->shortage_usd, p->short_tokens / 1e6 * 100000);
    slx_fleet_plan_free(p);
    slx_fleet_free(c);
    free(r);
}

/* Plans that are given: 1 MW in each of two quarters, from one supplier after the other. */
static const char given[] = "name: given\ntitle: given\nstart: 2026-Q1\nquarters: 2\n"
                            "money:\n  budget: {mid: 4.0e+6, unit: USD/quarter, source: x}\n"
                            "limits:\n  target_gw: {mid: 0.002, unit: GW, source: x}\n"
                            "  supplier_share: {mid: 0.6, unit: \"1\", source: x}\n" HALL
                            "options:\n  a:\n    supplier: A\n    deploy: plan\n" RACK
                            "    plan: {by_quarter: [100, 0], unit: racks/quarter, source: x}\n"
                            "    flop_s: {mid: 1.0e+12, unit: FLOP/s/chip, source: x}\n"
                            "    rack_usd: {mid: 50000, unit: USD/rack, source: x}\n"
                            "    life_years: {mid: 5, unit: years, source: x}\n"
                            "  b:\n    supplier: B\n    deploy: plan\n" RACK
                            "    plan: {by_quarter: [0, 100], unit: racks/quarter, source: x}\n"
                            "    rack_usd: {mid: 50000, unit: USD/rack, source: x}\n"
                            "    life_years: {mid: 5, unit: years, source: x}\n";

static void test_limits_not_kept_are_told(void **state)
{
    slx_fleet_broken b[SLX_FLEET_LIMITS];
    slx_fleet_run *r = calloc(1, sizeof *r);
    (void)state;
    slx_fleet_case *c = parse(given);
    slx_fleet_eval(c, &(slx_fleet_future){.single = -1}, r);
    assert_int_equal(slx_fleet_broken_limits(c, r, b), 3);
    assert_int_equal(b[0].l.kind, SLX_FL_TARGET); /* 1 of 2 MW, in the first quarter alone */
    assert_int_equal(b[0].l.quarters, 1);
    NEAR(b[0].found, 0.001);
    NEAR(b[0].limit, 0.002);
    assert_int_equal(b[1].l.kind, SLX_FL_BUDGET); /* 5 M a quarter */
    assert_int_equal(b[1].l.quarters, 2);
    NEAR(b[1].found, 5e6);
    NEAR(b[1].limit, 4e6);
    assert_int_equal(b[2].l.kind, SLX_FL_SHARE); /* all of it from A, then half */
    assert_int_equal(b[2].l.of, 0);
    assert_int_equal(b[2].l.quarters, 1);
    NEAR(b[2].found, 1);
    assert_false(slx_fleet_set(c, "limits.target_gw=0.001", NULL));
    assert_false(slx_fleet_set(c, "money.budget=5000000", NULL));
    assert_false(slx_fleet_set(c, "limits.supplier_share=1", NULL));
    assert_int_equal(slx_fleet_broken_limits(c, r, b), 0);
    slx_fleet_free(c);
    free(r);
}

/* b cannot train: alone it is no supplier of this fleet, unless what is not trained has a price. 40 racks of a train in
 * each quarter: 40 x 8e12 FLOP/s x 7,889,400 s. */
static void test_single_that_cannot_train(void **state)
{
    slx_buf b = {0};
    (void)state;
    slx_buf_addf(&b, "%sresearch:\n  flop: {mid: 2.524608e+21, unit: FLOP/quarter, source: x}\n",
                 given);
    slx_fleet_case *c = parse(b.ptr);
    slx_fleet_risk_options o = {.futures = 10, .seed = 1, .threads = 1};
    slx_fleet_risk *r = slx_fleet_risk_run(c, NULL, &o);
    assert_int_equal(r->n_single, 1);
    assert_int_equal(r->single[0].option, 0);
    NEAR(r->single[0].trained, 1);
    assert_int_equal(r->n_refused, 1);
    assert_int_equal(r->refused[0].option, 1);
    assert_true(r->refused[0].trained == 0);
    slx_fleet_risk_free(r);
    assert_false(slx_fleet_set(c, "limits.untrained_usd_flop=1e-18", NULL));
    r = slx_fleet_risk_run(c, NULL, &o);
    assert_int_equal(r->n_single, 2);
    assert_int_equal(r->n_refused, 0);
    assert_true(fabs(r->single[0].against.mean) < 1e-3);
    assert_true(fabs(r->single[1].against.mean / (1e-18 * 2 * 2.524608e21) - 1) < 1e-6);
    slx_fleet_risk_free(r);
    slx_fleet_free(c);
    slx_buf_free(&b);
}

/* 1 of 2 MW in the first quarter, 3.6 of 10 in the second: one is the smallest clash, the other sets the most. */
static void test_clash_and_most(void **state)
{
    static const char text[] =
        "name: clash\ntitle: clash\nstart: 2026-Q1\nquarters: 2\n"
        "limits:\n  target_gw: {by_quarter: [0.002, 0.01], unit: GW, source: x}\n" HALL
        "    gw: {by_quarter: [0.001, 0.0036], unit: GW, source: x}\n"
        "options:\n  a:\n    supplier: A\n    deploy: choose\n" RACK
        "    rack_usd: {mid: 50000, unit: USD/rack, source: x}\n"
        "    life_years: {mid: 5, unit: years, source: x}\n";
    slx_milp_limits l = {.gap = 0, .seconds = 10};
    slx_fleet_plan *p = slx_fleet_plan_new();
    slx_err e;
    (void)state;
    slx_fleet_case *c = parse(text);
    assert_int_equal(slx_fleet_plan_solve(c, &l, p, &e), SLX_EINPUT);
    const char *most = strstr(e.msg, "At most 36.0 % of what must be served can be, because of ");
    assert_non_null(most);
    assert_non_null(strstr(most, "power of site hall in 2026-Q2 (0.0036 GW)"));
    assert_non_null(strstr(most, "power that must be in service in 2026-Q2 (0.01 GW)"));
    const char *first = strstr(e.msg, "power of site hall in 2026-Q1 (0.001 GW)");
    assert_true(first && first < most);
    slx_fleet_plan_free(p);
    slx_fleet_free(c);
}

/* A rack takes 8 x 1.25 x 2 = 20 substrates of 1,000 a quarter: 50 racks. */
static void test_substrates(void **state)
{
    static const char text[] =
        "name: pool\ntitle: pool\nstart: 2026-Q1\nquarters: 2\n"
        "pools:\n  abf:\n    capacity: {mid: 1000, unit: substrates/quarter, source: x}\n"
        "limits:\n  target_gw: {by_quarter: [0, 0.001], unit: GW, source: x}\n" HALL
        "options:\n  a:\n    supplier: A\n    deploy: choose\n    from: [abf]\n" RACK
        "    substrates_chip: {mid: 2, unit: substrates/chip, source: x}\n"
        "    spares: {mid: 0.25, unit: \"1\", source: x}\n"
        "    rack_usd: {mid: 50000, unit: USD/rack, source: x}\n"
        "    life_years: {mid: 5, unit: years, source: x}\n";
    (void)state;
    slx_fleet_case *c = parse(text);
    slx_fleet_plan *p = solve(c);
    NEAR(p->orders.racks[0][1],
         50); /* 1,000 / (8 x 1.25 x 2), so half of the 100 come a quarter early */
    NEAR(p->orders.racks[0][0], 50);
    assert_string_equal(slx_fleet_unit(&c->in[c->pool[0].base + SLX_F_POOL_capacity]),
                        "substrates/quarter");
    assert_string_equal(slx_fleet_limit_unit(c, limit_of(p, SLX_FL_POOL)), "substrate");
    slx_fleet_plan_free(p);
    slx_fleet_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_price_is_of_all_quarters),
        cmocka_unit_test(test_cost_of_plan_and_run),
        cmocka_unit_test(test_limits_not_kept_are_told),
        cmocka_unit_test(test_single_that_cannot_train),
        cmocka_unit_test(test_clash_and_most),
        cmocka_unit_test(test_substrates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
