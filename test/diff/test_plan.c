/* test_plan.c - the supply plan against brute force: small random cases in which every possible set of orders is run
 * through the model itself, whose limits are read off the run, not off the program that Cbc solves. And large ones
 * against the clock and the bound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fleet/plan.h"

enum { CASES = 190, LOTS = 3 };

static double pick(slx_rng *r, double low, double high)
{
    return low + (high - low) * slx_rng_f64(r);
}

static void figure(slx_buf *b, const char *name, const char *unit, double v)
{
    slx_buf_addf(b, "    %s: {mid: %.9g, unit: \"%s\", source: random}\n", name, v, unit);
}

static void top_figure(slx_buf *b, const char *name, const char *unit, double v)
{
    slx_buf_addf(b, "  %s: {mid: %.9g, unit: \"%s\", source: random}\n", name, v, unit);
}

static void series(slx_buf *b, const char *indent, const char *name, const char *unit, int n,
                   slx_rng *r, double low, double high, double growth)
{
    double level = pick(r, low, high);
    slx_buf_addf(b, "%s%s: {by_quarter: [", indent, name);
    for (int q = 0; q < n; q++) {
        slx_buf_addf(b, "%s%.9g", q ? ", " : "", level);
        level *= 1 + growth * slx_rng_f64(r);
    }
    slx_buf_addf(b, "], unit: %s, source: random}\n", unit);
}

/* Contracts about the first options: what must be taken, in GW or dollars, and equity, in steps or in proportion. */
static void contracts(slx_buf *b, slx_rng *r, int options, int quarters, double size)
{
    int n = (int)slx_rng_below(r, (uint32_t)(options < 2 ? 2 : 3));
    if (n) slx_buf_adds(b, "contracts:\n");
    for (int k = 0; k < n; k++) {
        bool gw = slx_rng_below(r, 2), both = slx_rng_below(r, 2), steps = slx_rng_below(r, 2);
        double each = gw ? 2e-4 * size / quarters : 2e7 * size / quarters;
        slx_buf_addf(b, "  k%d:\n    options: [o%d]\n", k, k);
        if (both || k) {
            series(b, "    ", "commit", gw ? "GW/quarter" : "USD/quarter", quarters, r, 0, each,
                   0.2);
            figure(b, "shortfall_usd", gw ? "USD/GW" : "USD/USD",
                   gw ? pick(r, 0, 5e10) : pick(r, 0, 1));
            figure(b, "grace_quarters", "quarters", slx_rng_below(r, 2));
        }
        if (both || !k) {
            double step = pick(r, 5e-5, 2e-4) * size;
            figure(b, "equity_gw", "GW", 3 * step);
            figure(b, "equity_step_gw", "GW", steps ? step : 0);
            figure(b, "warrant_shares", "shares", 1e6);
            figure(b, "share_usd", "USD/share", pick(r, 0, 4) * size);
            figure(b, "vest_share", "1", pick(r, 0.3, 1));
            figure(b, "invest_usd", "USD", pick(r, 0, 4e7) * size);
        }
    }
}

/* Take or pay: so many dollars of each option by the end, or they are paid all the same. */
static void commitments(slx_buf *b, const double *usd, int options, int quarters)
{
    for (int i = 0, n = 0; i < options; i++) {
        if (!(usd[i] > 0)) continue;
        slx_buf_addf(b, "%s  k%d:\n    options: [o%d]\n    commit: {by_quarter: [",
                     n++ ? "" : "contracts:\n", i, i);
        for (int q = 0; q < quarters; q++)
            slx_buf_addf(b, "%s%.9g", q ? ", " : "", q + 1 < quarters ? 0 : usd[i]);
        slx_buf_adds(b, "], unit: USD/quarter, source: random}\n");
        figure(b, "shortfall_usd", "USD/USD", 1);
    }
}

/* A random case. size: 1 = small enough to enumerate; tight: limits that may clash; more: training, batch work, sales,
 * an installed base and contracts beside the limits. */
static void make(slx_buf *b, slx_rng *r, int options, int quarters, double size, bool tight,
                 bool more)
{
    double loose = tight ? 1 : 2.5, each = size * 1.6 / options, commit_usd[SLX_FLEET_CONTRACTS];
    slx_buf_addf(b, "name: random\ntitle: random\nstart: 2026-Q2\nquarters: %d\n", quarters);
    if (slx_rng_below(r, 3) == 0) slx_buf_adds(b, "renewal: rolling\n");
    slx_buf_adds(b, "demand:\n");
    top_figure(b, "queries_day", "queries/day", 86400 * size * pick(r, 0.5, 1));
    top_figure(b, "tokens_out", "tokens/query", 1000);
    top_figure(b, "growth_year", "1/year", pick(r, 0, quarters > 20 ? 0.3 : 1.5));
    bool trains = more && slx_rng_below(r, 3) == 0;
    if (more && slx_rng_below(r, 3) == 0) {
        top_figure(b, "peak", "1", 1.25);
        top_figure(b, "batch_share", "1", pick(r, 0, 0.4));
    }
    if (trains) { /* up to two racks' work */
        slx_buf_adds(b, "research:\n");
        series(b, "  ", "flop", "FLOP/quarter", quarters, r, 0, 1.2e22 * size, 0.1);
    }
    slx_buf_adds(b, "money:\n");
    top_figure(b, "discount_year", "1/year", pick(r, 0, 0.15));
    top_figure(b, "maintenance_year", "1/year", pick(r, 0, 0.1));
    series(b, "  ", "budget", "USD/quarter", quarters, r, 40e6 * size, 90e6 * loose * size, 0.1);
    slx_buf_adds(b, "limits:\n");
    top_figure(b, "supplier_share", "1", pick(r, 0.6, 1));
    top_figure(b, "share_from", "quarters", quarters / 2);
    double shortage = slx_rng_below(r, 2) ? pick(r, 0.5, 30) : NAN;
    if (!isnan(shortage)) top_figure(b, "shortage_usd_mtok", "USD/Mtoken", shortage);
    if (more && slx_rng_below(r, 3) == 0) {
        slx_buf_adds(b, "sales:\n");
        top_figure(b, "share", "1", pick(r, 0, 0.5));
        top_figure(b, "from_quarters", "quarters", slx_rng_below(r, 2));
        top_figure(b, "sold", "1", pick(r, 0.5, 1));
        top_figure(b, "price", "USD/Mtoken", isnan(shortage) ? pick(r, 1, 5) : shortage / 2);
    }
    slx_buf_adds(b, "sites:\n  hall:\n");
    figure(b, "pue", "1", pick(r, 1.05, 1.3));
    figure(b, "power_usd_kwh", "USD/kWh", pick(r, 0.03, 0.2));
    figure(b, "hall_usd_w", "USD/W", pick(r, 0, 15));
    series(b, "    ", "gw", "GW", quarters, r, 0.0015 * size, 0.003 * loose * size, 2. / quarters);
    slx_buf_adds(b, "pools:\n  fab:\n");
    series(b, "    ", "capacity", "wafers/quarter", quarters, r, 12 * size, 30 * loose * size, 0.4);
    slx_buf_adds(b, "options:\n");
    for (int i = 0; i < options; i++) {
        slx_buf_addf(b, "  o%d:\n    supplier: S%d\n    deploy: choose\n", i, i % 3 == 2 ? 0 : i);
        slx_buf_adds(b, slx_rng_below(r, 2) ? "    from: [fab]\n" : "");
        double lot = size > 1 ? 10 : 1 + slx_rng_below(r, 3);
        figure(b, "lot", "racks", lot);
        figure(b, "tok_s", "tokens/s/chip", pick(r, 10, 25));
        figure(b, "chips_rack", "chips/rack", 8);
        figure(b, "rack_kw", "kW/rack", pick(r, 20, 60));
        figure(b, "chip_usd", "USD/chip", pick(r, 1e5, 3e5));
        figure(b, "rack_usd", "USD/rack", pick(r, 0, 3e5));
        figure(b, "price_year", "1/year", pick(r, -0.3, 0.1));
        double life = pick(r, 0.5, 4);
        figure(b, "life_years", "years", life);
        if (trains) figure(b, "flop_s", "FLOP/s/chip", pick(r, 0.5e14, 1.5e14));
        if (more && slx_rng_below(r, 4) == 0) {
            figure(b, "base_racks", "racks", size * pick(r, 0, 2));
            figure(b, "base_age_years", "years", pick(r, 0, life));
        }
        if (more && slx_rng_below(r, 4) == 0) {
            figure(b, "sell_share", "1", pick(r, 0.01, 0.4));
            figure(b, "sell_from_quarters", "quarters", slx_rng_below(r, 2));
            figure(b, "sell_usd", "USD/rack", pick(r, 0, 2e6));
        }
        figure(b, "failure_year", "1/year", pick(r, 0, 0.1));
        figure(b, "spares", "1", pick(r, 0, 0.1));
        figure(b, "lead_quarters", "quarters", slx_rng_below(r, 2));
        figure(b, "good_dies_wafer", "dies/wafer", pick(r, 20, 60));
        figure(b, "yield_start", "1", pick(r, 0.5, 1));
        figure(b, "ramp_quarters", "quarters", slx_rng_below(r, 4));
        figure(b, "nre_usd", "USD", slx_rng_below(r, 2) ? pick(r, 0, 5e6) * size : 0);
        commit_usd[i] = slx_rng_below(r, 3) ? 0 : pick(r, 0, 2e7) * size;
        if (size > 1)
            series(b, "    ", "supply", "racks/quarter", quarters, r, 8 * each, 40 * each, 0.3);
        else
            figure(b, "supply", "racks/quarter", LOTS * lot + 0.5);
    }
    if (more)
        contracts(b, r, options, quarters, size);
    else
        commitments(b, commit_usd, options, quarters);
}

static slx_fleet_case *parse(const slx_buf *b)
{
    slx_fleet_case *c;
    slx_err e;
    if (slx_fleet_parse(&c, b->ptr, b->len, "random.yaml", &e)) {
        slx_err_print(&e, stderr);
        fail();
    }
    return c;
}

/* What a plan costs with its shortage, INFINITY where a limit is broken; all of it from the run. */
static double judged(const slx_fleet_case *c, const slx_fleet_run *r)
{
    int short_in = c->limits + SLX_F_LIMITS_shortage_usd_mtok;
    double rate = c->in[c->money + SLX_F_MONEY_discount_year].mid, discount = 1,
           cost = r->out[SLX_FO_cost_usd];
    double share = c->in[c->limits + SLX_F_LIMITS_supplier_share].mid,
           from = c->in[c->limits + SLX_F_LIMITS_share_from].mid, fund = 0;
    for (int q = 0; q < c->quarters; q++, discount /= sqrt(sqrt(1 + rate))) {
        const slx_fleet_total *t = &r->total[q];
        double all = 0;
        for (int i = 0; i < c->n_options; i++) {
            if (r->cell[i][q].backlog > 1e-7 || r->cell[i][q].waiting > 1e-7) return INFINITY;
            all += r->cell[i][q].facility_w;
        }
        for (int i = 0; i < c->n_options && q >= from; i++) {
            double one = 0;
            for (int k = 0; k < c->n_options; k++)
                if (!strcmp(c->option[k].supplier, c->option[i].supplier))
                    one += r->cell[k][q].facility_w;
            if (one > share * all * (1 + 1e-9) + 1e-3) return INFINITY;
        }
        double budget = c->in[c->money + SLX_F_MONEY_budget].series[q];
        fund += t->investment_usd - fmax(0, slx_fleet_capex(t) - budget);
        if (fund < -1e-9 * budget) return INFINITY;
        if (t->training_flop_s < t->need_flop_s * (1 - 1e-9)) return INFINITY;
        if (t->capacity_tok_s < t->need_tok_s * (1 - 1e-9)) {
            if (!c->in[short_in].given) return INFINITY;
            cost += discount * c->in[short_in].mid / 1e6 * (t->tokens_asked - t->tokens_served);
        }
    }
    return cost;
}

static double brute(const slx_fleet_case *c, slx_fleet_run *run)
{
    slx_fleet_orders *o = calloc(1, sizeof *o);
    int digits = c->n_options * c->quarters;
    double best = INFINITY;
    long all = 1;
    for (int d = 0; d < digits; d++) all *= LOTS + 1;
    for (long code = 0; code < all; code++) {
        long left = code;
        for (int d = 0; d < digits; d++, left /= LOTS + 1) {
            int i = d % c->n_options;
            o->racks[i][d / c->n_options] =
                (double)(left % (LOTS + 1)) * c->in[c->option[i].base + SLX_F_OPTION_lot].mid;
        }
        slx_fleet_eval(c, &(slx_fleet_future){.orders = o, .single = -1}, run);
        double cost = judged(c, run);
        if (cost < best) best = cost;
    }
    free(o);
    return best;
}

static void test_brute_force(void **state)
{
    (void)state;
    slx_rng r = {20260901};
    slx_fleet_run *run = calloc(1, sizeof *run);
    slx_fleet_plan *p = slx_fleet_plan_new();
    int feasible = 0, clashes = 0;
    for (int k = 0; k < CASES; k++) {
        static const int shape[][2] = {{2, 3}, {3, 2}, {2, 2}, {1, 5}};
        slx_buf b = {0};
        slx_err e = {0};
        make(&b, &r, shape[k % 4][0], shape[k % 4][1], 1, k % 2, k % 8 >= 2);
        slx_fleet_case *c = parse(&b);
        double best = brute(c, run);
        slx_status s = slx_fleet_plan_solve(c, &(slx_milp_limits){.gap = 0, .seconds = 60}, p, &e);
        if (s) {
            if (isfinite(best))
                fail_msg("case %d: brute force finds %g, the plan: %s\n%s", k, best, e.msg, b.ptr);
            assert_non_null(strstr(e.msg, "these limits cannot all hold: "));
            clashes++;
        } else {
            slx_fleet_eval(c, &(slx_fleet_future){.orders = &p->orders, .single = -1}, run);
            double ours = judged(c, run);
            if (!(fabs(ours - best) <= 1e-6 * fabs(best)))
                fail_msg("case %d: brute force %.9g, the plan %.9g\n%s", k, best, ours, b.ptr);
            assert_int_equal(p->state, SLX_MILP_OPTIMAL);
            feasible++;
        }
        slx_fleet_free(c);
        slx_buf_free(&b);
    }
    print_message("# %d cases with a plan, %d without\n", feasible, clashes);
    assert_true(feasible >= 100 && clashes >= 10);
    slx_fleet_plan_free(p);
    free(run);
}

/* Quarters x suppliers of the bar, and 40 quarters; all kinds of limits in each. Times are printed, docs/fleet.md has
 * them. */
static void large(int quarters, int options, bool more, int n)
{
    slx_rng r = {7};
    slx_fleet_plan *p = slx_fleet_plan_new();
    int solved = 0;
    for (int k = 0; k < n; k++) {
        slx_buf b = {0};
        slx_err e = {0};
        make(&b, &r, options, quarters, 100, false, more);
        slx_fleet_case *c = parse(&b);
        clock_t start = clock(); /* of this process: the machine may have more to do */
        if (!slx_fleet_plan_solve(c, &(slx_milp_limits){.gap = 0.004, .seconds = 300}, p, &e)) {
            double cpu_s = (double)(clock() - start) / CLOCKS_PER_SEC;
            assert_true(p->gap <= 0.005);
            assert_true(p->bound_usd <= p->cost_usd);
            solved++;
            print_message("# %d quarters, %d suppliers: %d columns, %d rows, gap %.2f %%, %.2f s "
                          "of one core\n",
                          quarters, options, p->columns, p->rows, 100 * p->gap, cpu_s);
        } else {
            print_message("# %d quarters: %s\n", quarters, e.msg);
        }
        slx_fleet_free(c);
        slx_buf_free(&b);
    }
    assert_true(solved >= 2);
    slx_fleet_plan_free(p);
}

static void test_large(void **state)
{
    (void)state;
    large(16, 8, false, 8);
}

/* Training, an installed base, sales and contracts as well. */
static void test_large_with_more(void **state)
{
    (void)state;
    large(16, 8, true, 3);
}

static void test_forty_quarters(void **state)
{
    (void)state;
    large(40, 8, false, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_brute_force), cmocka_unit_test(test_large),
        cmocka_unit_test(test_large_with_more), cmocka_unit_test(test_forty_quarters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
