/* rng.c - splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
 * 2014). */
#include "base/base.h"

uint64_t slx_rng_u64(slx_rng *r)
{
    uint64_t z = r->s += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

uint32_t slx_rng_below(slx_rng *r, uint32_t n)
{
    SLX_ASSERT(n > 0);
    return (uint32_t)((slx_rng_u64(r) >> 32) * n >> 32);
}

double slx_rng_f64(slx_rng *r)
{
    return (double)(slx_rng_u64(r) >> 11) * 0x1p-53;
}
