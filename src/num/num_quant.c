/* num_quant.c - float rows to MXINT8 and back (chip.md 4.3).
 *
 * Invariant: the largest magnitude alone decides the scale, by integer arithmetic on its bits:
 * E = (amax + 0x00010000) >> 23 is its exponent, one up where 127.5 steps would be reached. Hence
 * |q| <= 127, and max |q| >= 64 unless the block is below the smallest scale.
 */
#include "num/num_impl.h"

#include <string.h>

static uint32_t amax_bits(const float *x, uint32_t n)
{
    uint32_t m = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t b = slx_f32_bits(x[i]) & 0x7fffffff;
        m = b > m ? b : m;
    }
    return m;
}

bool slx_quantise_mxint8(const float *x, uint32_t n, int8_t *q, uint8_t *s)
{
    uint32_t e = (amax_bits(x, n) + 0x00010000) >> 23;
    if (e > SLX_SCALE_MAX) return false; /* infinities and NaN end here too */
    if (e < SLX_SCALE_MIN) {
        memset(q, 0, n);
        *s = 127;
        return true;
    }
    float up = slx_scale_pow2(133 - (int)e);
    for (uint32_t i = 0; i < n; i++) q[i] = (int8_t)slx_rne_int(x[i] * up);
    *s = (uint8_t)e;
    return true;
}

bool slx_quantise_row(const float *x, uint32_t n, int8_t *q, uint8_t *s)
{
    for (uint32_t i = 0; i < n; i += 32, q += 32, s++) {
        uint32_t len = n - i < 32 ? n - i : 32;
        if (!slx_quantise_mxint8(x + i, len, q, s)) return false;
        memset(q + len, 0, 32 - len);
    }
    return true;
}

float slx_mxint8_value(int8_t q, uint8_t s) { return s && q ? (float)q * slx_scale_step(s) : 0; }

bool slx_import_mxint8(const float *x, uint32_t n, int8_t *q, uint8_t *s)
{
    if (!slx_quantise_mxint8(x, n, q, s)) return false;
    bool any = false;
    for (uint32_t i = 0; i < n; i++) any = any || q[i];
    if (!any) *s = 0;
    return true;
}
