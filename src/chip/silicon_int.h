/* silicon_int.h - arithmetic of bands, inside this layer. All quantities are positive, so ends go with ends. */
#ifndef SLX_SILICON_INT_H
#define SLX_SILICON_INT_H

#include <math.h>

#include "chip/chip_int.h"
#include "chip/silicon.h"

static inline slx_band band(double low, double mid, double high)
{
    return (slx_band){low, mid, high};
}
static inline slx_band band_exact(double v)
{
    return band(v, v, v);
}
static inline slx_band band_add(slx_band a, slx_band b)
{
    return band(a.low + b.low, a.mid + b.mid, a.high + b.high);
}
static inline slx_band band_mul(slx_band a, slx_band b)
{
    return band(a.low * b.low, a.mid * b.mid, a.high * b.high);
}
static inline slx_band band_by(slx_band a, double f)
{
    return band(a.low * f, a.mid * f, a.high * f);
}
/* A large divisor makes a small quotient. */
static inline slx_band band_div(slx_band a, slx_band b)
{
    return band(a.low / b.high, a.mid / b.mid, a.high / b.low);
}

/* A figure of the chip file with the uncertainty its source states. */
slx_band slx_chip_figure(const slx_chip *c, const char *key);
void slx_sheet_add(slx_sheet *s, const char *name, slx_band v); /* skips zero */
/* The total. independent: ends are added in quadrature; else low with low and high with high. */
void slx_sheet_sum(slx_sheet *s, bool independent);

/* From the reference node N3E to the chip's: area of logic, area of memory cells, energy of logic. */
typedef struct {
    double logic, sram, energy;
} slx_node;
slx_status slx_node_scale(slx_node *out, const slx_chip *c, const char *key, const char *node,
                          const slx_constants *k, slx_err *err);
/* The two of a published chip (part.c). out is cleared. */
slx_status slx_part_area(slx_area *out, const slx_chip *c, const slx_constants *k, slx_err *err);
slx_status slx_part_power(slx_power *out, const slx_chip *c, const slx_area *a,
                          const slx_constants *k, slx_err *err);
/* A row of a family, or an error at the chip's key that lists what there is. NAN where a published chip does not tell
 * the suffix. */
slx_status slx_constants_need(slx_band *out, const slx_constants *k, const char *family,
                              const char *suffix, const slx_chip *c, const char *key, slx_err *err);

slx_status slx_die_get(slx_die *out, const slx_chip *c, const slx_area *a, bool io,
                       const slx_constants *k, slx_err *err);

#endif
