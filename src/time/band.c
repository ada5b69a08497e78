/* band.c - how far a step's time and energy may be off, as the sources of the chip file allow for its figures.
 *
 * Figures err independently, so their effects add in quadrature. The clock and the memory's rate are tried at both
 * ends, each in a run of the same step. The others are latencies, most of them hidden: all of them together at one end,
 * then at the other, which is more than in quadrature; only where that moves the step by more than a tenth is each
 * tried alone.
 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "time/time.h"

typedef struct {
    const char *key;
    size_t at; /* in slx_chip */
} figure;

#define F(key, member)                                                                                                 \
    {                                                                                                                  \
        key, offsetof(slx_chip, member)                                                                                \
    }
static const figure rates[] = {F("grid.clock_ghz", grid.clock_ghz), F("hbm.gbps_pin", hbm.gbps_pin)};
static const figure latencies[] = {
    F("tile.dispatch_clk", tile.dispatch_cycles), F("tile.lds_clk", tile.lds_cycles),
    F("tile.dma_clk", tile.dma_cycles),           F("ten.c0", ten.c0_cycles),
    F("ten.c1", ten.c1_cycles),                   F("ten.cg", ten.cg_cycles),
    F("ten.swap", ten.swap_cycles),               F("vec.c2", vec.c2_cycles),
    F("vec.div_cycles", vec.div_cycles),          F("hbm.trcd_ns", hbm.trcd_ns),
    F("hbm.latency_ns", hbm.latency_ns),          F("hbm.trfcpb_ns", hbm.trfcpb_ns),
    F("net.alpha_ns", net.alpha_ns),              F("net.switch_ns", net.switch_ns),
    F("noc.hop_clk", noc.hop_clk)};
#undef F
enum { N_RATES = sizeof rates / sizeof *rates, N_LATENCIES = sizeof latencies / sizeof *latencies };

static const double matters = 0.1; /* of the step */

static double pm_of(const slx_chip *c, const char *key)
{
    const struct slx_chip_source *s = slx_chip_get_source(c, key);
    return s ? fmin(s->pm, 0.9) : 0;
}

typedef struct {
    const slx_program *p;
    const slx_chip *c;
    const uint8_t *desc;
    const slx_time_options *how;
    double seconds, up, down; /* up, down: squares of what is longer and shorter, s2 */
    slx_err *err;
} bands;

/* Seconds that the step takes more with n figures at their ends: sign 1 = larger. */
static slx_status with(const bands *b, const figure *f, int n, int sign, double *more)
{
    slx_chip other = *b->c; /* borrows everything but the figures */
    slx_time_result r;
    for (int i = 0; i < n; i++) {
        double *value = (double *)(void *)((char *)&other + f[i].at);
        *value *= 1 + sign * pm_of(b->c, f[i].key);
    }
    SLX_TRY(slx_time_step(b->p, &other, b->desc, b->how, &r, b->err));
    *more = r.seconds - b->seconds;
    slx_time_result_free(&r);
    return SLX_OK;
}

/* n figures that err together, at both ends. *most: the larger change. */
static slx_status both_ends(const bands *b, const figure *f, int n, double *longer, double *shorter)
{
    *longer = *shorter = 0;
    bool any = false;
    for (int i = 0; i < n; i++) any |= pm_of(b->c, f[i].key) > 0;
    for (int sign = -1; sign <= 1 && any; sign += 2) {
        double more;
        SLX_TRY(with(b, f, n, sign, &more));
        *longer = fmax(*longer, more), *shorter = fmax(*shorter, -more);
    }
    return SLX_OK;
}

static void add(bands *b, double longer, double shorter)
{
    b->up += longer * longer, b->down += shorter * shorter;
}

static slx_status each(bands *b, const figure *f, int n)
{
    for (int i = 0; i < n; i++) {
        double longer, shorter;
        SLX_TRY(both_ends(b, &f[i], 1, &longer, &shorter));
        add(b, longer, shorter);
    }
    return SLX_OK;
}

slx_status slx_time_get_band(const slx_program *p, const slx_chip *c, const uint8_t *desc, const slx_time_options *how,
                             const slx_time_result *r, double *low_s, double *high_s, slx_err *err)
{
    slx_time_options quick = *how; /* only differences count */
    bands b = {p, c, desc, &quick, 0, 0, 0, err};
    double longer, shorter;
    quick.by_classes = how->folded;
    SLX_TRY(with(&b, NULL, 0, 1, &b.seconds));
    SLX_TRY(each(&b, rates, N_RATES));
    SLX_TRY(both_ends(&b, latencies, N_LATENCIES, &longer, &shorter));
    if (fmax(longer, shorter) > matters * b.seconds)
        SLX_TRY(each(&b, latencies, N_LATENCIES));
    else
        add(&b, longer, shorter);
    *low_s = r->seconds - sqrt(b.down), *high_s = r->seconds + sqrt(b.up);
    return SLX_OK;
}

void slx_time_shares_band(const slx_chip *c, const double bound_s[SLX_N_TIME_BOUNDS], double *low_s, double *high_s)
{
    const double attention = bound_s[SLX_TIME_ATTENTION]; /* memory or engines: told as either */
    const struct {
        const char *key;
        double seconds;
        bool rate;
    } of[] = {{"grid.clock_ghz",
               bound_s[SLX_TIME_BARRIERS] + bound_s[SLX_TIME_TENSOR] + bound_s[SLX_TIME_VECTOR] +
                   bound_s[SLX_TIME_CONTROL] + attention,
               true},
              {"hbm.gbps_pin", bound_s[SLX_TIME_WEIGHTS] + bound_s[SLX_TIME_EXCHANGE] + attention, true},
              {"hbm.latency_ns", bound_s[SLX_TIME_STARTUP], false},
              {"net.alpha_ns", bound_s[SLX_TIME_COLLECTIVES], false}};
    double sum = 0, up = 0, down = 0;
    for (int i = 0; i < SLX_N_TIME_BOUNDS; i++) sum += bound_s[i];
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        double pm = pm_of(c, of[i].key), s = of[i].seconds;
        double longer = of[i].rate ? s * pm / (1 - pm) : s * pm, shorter = of[i].rate ? s * pm / (1 + pm) : s * pm;
        up += longer * longer, down += shorter * shorter;
    }
    *low_s = sum - sqrt(down), *high_s = sum + sqrt(up);
}

double slx_time_joules_off(const slx_chip *c, const double joules[SLX_N_TIME_WIRES])
{
    static const char *const key[SLX_N_TIME_WIRES] = {
        [SLX_TIME_WIRE_MAC] = "energy.w8a8_fj",     [SLX_TIME_WIRE_SUM] = "energy.fp32_add_pj",
        [SLX_TIME_WIRE_VEC] = "energy.fp32_fma_pj", [SLX_TIME_WIRE_SRAM] = "energy.sram_rd_pj_b",
        [SLX_TIME_WIRE_NOC] = "energy.noc_pj_b_mm", [SLX_TIME_WIRE_HBM] = "energy.hbm_pj_b",
        [SLX_TIME_WIRE_NET] = "energy.serdes_pj_b", [SLX_TIME_WIRE_IO] = "energy.serdes_pj_b",
        [SLX_TIME_WIRE_LEAK] = "energy.leak_w_mm2", [SLX_TIME_WIRE_ROM] = "energy.rom_pj_b"};
    double sum = 0;
    for (int w = 0; w < SLX_N_TIME_WIRES; w++) {
        double off = pm_of(c, key[w]) * joules[w];
        sum += off * off;
    }
    return sqrt(sum);
}
