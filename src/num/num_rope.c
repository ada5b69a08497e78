/* num_rope.c - tables of cos and sin for rotary positions, correctly rounded to fp32.
 *
 * Everything is computed from IEEE double +, -, *, / alone, in pairs (hi, lo) of doubles that carry
 * about 104 bits, so that no library and no host can change a bit:
 *
 *   f_i     = exp(-(i / (n_rot/2)) * ln(base)) / divisor_i    once a pair of columns
 *   theta   = pos * f_i
 *   theta   - k * pi/2 = r, |r| <= pi/4                       pi/2 in four doubles
 *   cos, sin of r by their series, turned by k, rounded once
 *
 * slx_rope_table computes the same numbers cheaply: cos and sin of an anchor (every 64th position)
 * and of 0..63 steps, rounded to double, and one complex product an entry. That product carries a
 * proved bound on its error; where the bound leaves two floats possible (about one entry in
 * millions), the entry is computed the long way. So the table equals its rows by construction.
 */
#include "num/num_impl.h"

#include <string.h>

/* ------------------------------------------------------------------ pairs of doubles */

typedef struct { double hi, lo; } dd; /* the value hi + lo, |lo| <= ulp(hi)/2 */

static dd two_sum(double a, double b)
{
    double s = a + b, t = s - a;
    return (dd){s, (a - (s - t)) + (b - t)};
}

static dd fast_two_sum(double a, double b) /* |a| >= |b| or a == 0 */
{
    double s = a + b;
    return (dd){s, b - (s - a)};
}

/* a * b exactly, by halves of 26 bits: the same bits as with an fma instruction. */
static dd two_prod(double a, double b)
{
    double p = a * b, ta = 0x8000001p0 * a, tb = 0x8000001p0 * b;
    double ah = ta - (ta - a), al = a - ah, bh = tb - (tb - b), bl = b - bh;
    return (dd){p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

static dd dd_add(dd a, dd b)
{
    dd s = two_sum(a.hi, b.hi), t = two_sum(a.lo, b.lo);
    s = fast_two_sum(s.hi, s.lo + t.hi);
    return fast_two_sum(s.hi, s.lo + t.lo);
}

static dd dd_neg(dd a) { return (dd){-a.hi, -a.lo}; }

static dd dd_mul(dd a, dd b)
{
    dd p = two_prod(a.hi, b.hi);
    return fast_two_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}

static dd dd_mul_d(dd a, double b)
{
    dd p = two_prod(a.hi, b);
    return fast_two_sum(p.hi, p.lo + a.lo * b);
}

static dd dd_div(dd a, dd b)
{
    double q1 = a.hi / b.hi;
    dd r = dd_add(a, dd_neg(dd_mul_d(b, q1)));
    double q2 = r.hi / b.hi;
    r = dd_add(r, dd_neg(dd_mul_d(b, q2)));
    return dd_add(fast_two_sum(q1, q2), (dd){r.hi / b.hi, 0});
}

static dd dd_d(double a) { return (dd){a, 0}; }

/* ------------------------------------------------------------------ ln, exp, cos and sin */

static const dd ln2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};

/* x > 0 finite: x = m * 2^k, ln m = 2 atanh((m-1)/(m+1)). */
static dd dd_ln(double x)
{
    union { double d; uint64_t u; } v = {x};
    int k = 0;
    if (v.u >> 52 == 0) { /* subnormal */
        v.d *= 0x1p54;
        k = -54;
    }
    k += (int)(v.u >> 52) - 1023;
    v.u = (v.u & UINT64_C(0xfffffffffffff)) | UINT64_C(1023) << 52;
    if (v.d > 0x1.6a09e667f3bcdp0) { /* into [sqrt(1/2), sqrt(2)] */
        v.d *= 0.5;
        k++;
    }
    dd s = dd_div(dd_d(v.d - 1), two_sum(v.d, 1)), z = dd_mul(s, s), sum = dd_d(0);
    for (int n = 45; n >= 1; n -= 2) /* s^2 < 0.03: terms to 2^-110 */
        sum = dd_add(dd_mul(sum, z), dd_div(dd_d(1), dd_d(n)));
    sum = dd_mul(sum, s);
    return dd_add(dd_mul_d(ln2, k), (dd){2 * sum.hi, 2 * sum.lo});
}

static double nearest(double x) /* |x| < 2^51 */
{
    double r = x + 0x1.8p52;
    return r - 0x1.8p52;
}

/* -700 < x < 700. */
static dd dd_exp(dd x)
{
    double n = nearest(x.hi * 0x1.71547652b82fep0);
    dd r = dd_add(x, dd_neg(dd_mul_d(ln2, n))), sum = dd_d(1);
    for (int i = 27; i >= 1; i--) sum = dd_add(dd_d(1), dd_div(dd_mul(sum, r), dd_d(i)));
    union { uint64_t u; double d; } p = {.u = (uint64_t)(1023 + (int)n) << 52};
    return (dd){sum.hi * p.d, sum.lo * p.d};
}

/* 1/n!, n = 2..27, in pairs: coefficients of the series below. */
enum { TERMS = 28 };
typedef struct { dd inv_fact[TERMS]; } series;

static series series_make(void)
{
    series s;
    dd f = dd_d(1);
    s.inv_fact[0] = s.inv_fact[1] = f;
    for (int n = 2; n < TERMS; n++) s.inv_fact[n] = f = dd_div(f, dd_d(n));
    return s;
}

typedef struct { dd c, s; } turn;

/* cos and sin of x, |x| < 2^50. */
static turn dd_turn(const series *k, dd x)
{
    static const double half_pi[4] = {0x1.921fb54442d18p0, 0x1.1a62633145c07p-54,
                                      -0x1.f1976b7ed8fbcp-110, 0x1.4cf98e804177dp-164};
    double q = nearest(x.hi * 0x1.45f306dc9c883p-1);
    if (q != 0)
        for (int i = 0; i < 4; i++) x = dd_add(x, dd_neg(two_prod(q, half_pi[i])));
    dd z = dd_neg(dd_mul(x, x)), c = dd_d(0), s = dd_d(0);
    for (int n = TERMS - 2; n >= 0; n -= 2) {
        c = dd_add(dd_mul(c, z), k->inv_fact[n]);
        s = dd_add(dd_mul(s, z), k->inv_fact[n + 1]);
    }
    s = dd_mul(s, x);
    switch ((int64_t)q & 3) {
    case 1: return (turn){dd_neg(s), c};
    case 2: return (turn){dd_neg(c), dd_neg(s)};
    case 3: return (turn){s, dd_neg(c)};
    default: return (turn){c, s};
    }
}

/* Once to fp32, to nearest: rounded to odd first, so that hi alone cannot hide a tie. */
static float dd_round(dd x)
{
    union { double d; uint64_t u; } v = {x.hi};
    if (x.lo != 0 && !(v.u & 1)) v.u += (x.lo > 0) == (x.hi > 0) ? 1 : UINT64_MAX;
    return (float)v.d;
}

/* ------------------------------------------------------------------ rows and tables */

/* Step of angle of pair i. */
static dd frequency(dd ln_base, uint32_t i, uint32_t half, const float *divisors)
{
    dd f = dd_exp(dd_div(dd_mul_d(ln_base, -(double)i), dd_d(half)));
    return divisors ? dd_div(f, dd_d(divisors[i])) : f;
}

static dd angle(uint64_t pos, dd f)
{
    dd p = fast_two_sum((double)(pos >> 32) * 0x1p32, (double)(uint32_t)pos);
    return dd_mul(p, f);
}

static void entry(const series *k, uint64_t pos, dd f, float *out)
{
    turn t = dd_turn(k, angle(pos, f));
    out[0] = dd_round(t.c);
    out[1] = dd_round(t.s);
}

void slx_rope_table_row(uint64_t pos, double base, uint32_t n_rot, const float *divisors, float *out)
{
    series k = series_make();
    dd ln_base = dd_ln(base);
    for (uint32_t i = 0; i < n_rot / 2; i++)
        entry(&k, pos, frequency(ln_base, i, n_rot / 2, divisors), out + (size_t)2 * i);
}

enum { STEPS = 64 };

/* a*b + c*d of doubles that are rounded pairs. Exact terms would differ from a and the rest by a
 * relative 2^-53 each, the products and the sum by as much again: less than 2^-50 of
 * |a*b| + |c*d| in all. true when both ends of that interval round to the same float. */
static bool product_sum(double ab, double cd, float *out)
{
    double sum = ab + cd;
    double err = 0x1p-50 * (__builtin_fabs(ab) + __builtin_fabs(cd));
    float lo = (float)(sum - err), hi = (float)(sum + err);
    *out = lo;
    return lo == hi;
}

void slx_rope_table(uint64_t first, uint32_t count, double base, uint32_t n_rot,
                    const float *divisors, float *out)
{
    series k = series_make();
    dd ln_base = dd_ln(base);
    for (uint32_t i = 0; i < n_rot / 2; i++) {
        dd f = frequency(ln_base, i, n_rot / 2, divisors);
        double sc[STEPS], ss[STEPS];
        uint32_t known = count < STEPS ? count : STEPS;
        for (uint32_t j = 0; j < known; j++) {
            turn t = dd_turn(&k, angle(j, f));
            sc[j] = t.c.hi;
            ss[j] = t.s.hi;
        }
        for (uint32_t p = 0; p < count; p += STEPS) {
            turn at = dd_turn(&k, angle(first + p, f));
            uint32_t len = count - p < STEPS ? count - p : STEPS;
            for (uint32_t j = 0; j < len; j++) {
                float *cs = out + (size_t)(p + j) * n_rot + (size_t)2 * i;
                double c = at.c.hi, s = at.s.hi;
                bool sure = product_sum(c * sc[j], -(s * ss[j]), &cs[0]);
                sure &= product_sum(s * sc[j], c * ss[j], &cs[1]);
                if (!sure) entry(&k, first + p + j, f, cs);
            }
        }
    }
}
