/* value.c - the domain of register values: interval, alignment, "the same on all tiles", "register of the loop's head
 * plus a constant".
 *
 * Transfer functions are exact on constants; on intervals they never lose a value: what may wrap becomes the whole
 * range. */
#include "verify/verify_int.h"

static unsigned ctz(uint64_t v)
{
    return v ? (unsigned)__builtin_ctzll(v) : 64;
}
static unsigned min_u(unsigned a, unsigned b)
{
    return a < b ? a : b;
}
static unsigned max_u(unsigned a, unsigned b)
{
    return a > b ? a : b;
}
static uint64_t min_64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}
static uint64_t max_64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t slx_mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ (b + UINT64_C(0x9e3779b97f4a7c15) + (a << 6) + (a >> 2)));
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return x ? x : 1;
}

slx_val slx_val_range(uint64_t lo, uint64_t hi, unsigned tz)
{
    if (lo == hi) return slx_val_const(lo);
    return (slx_val){.lo = lo, .hi = hi, .tz = (uint8_t)min_u(tz, 63)};
}

slx_val slx_val_any(unsigned tz)
{
    if (tz >= 64) return slx_val_const(0);
    return slx_val_range(0, UINT64_MAX << tz, tz);
}

uint64_t slx_val_uid(const slx_val *v)
{
    return slx_val_is_const(v) ? slx_mix(UINT64_C(0xc0), v->lo) : v->uid;
}

slx_val slx_val_join(slx_val a, slx_val b)
{
    slx_val v = slx_val_range(min_64(a.lo, b.lo), max_64(a.hi, b.hi), min_u(a.tz, b.tz));
    uint64_t ua = slx_val_uid(&a);
    if (ua == slx_val_uid(&b)) v.uid = ua;
    if (a.sym == b.sym && a.add == b.add) v.sym = a.sym, v.add = a.add;
    v.chip = a.chip || b.chip;
    return v;
}

bool slx_val_same(const slx_val *a, const slx_val *b)
{
    return a->lo == b->lo && a->hi == b->hi && a->tz == b->tz && a->chip == b->chip &&
           slx_val_uid(a) == slx_val_uid(b);
}

bool slx_val_within(const slx_val *a, const slx_val *b)
{
    uint64_t ub = slx_val_uid(b);
    return a->lo >= b->lo && a->hi <= b->hi && a->tz >= b->tz && a->chip <= b->chip &&
           (!ub || ub == slx_val_uid(a));
}

slx_val slx_val_widen(slx_val old, slx_val now)
{
    slx_val v = now;
    if (now.lo < old.lo) v.lo = 0;
    if (now.hi > old.hi)
        v.hi = now.hi <= UINT16_MAX ? UINT16_MAX : now.hi <= UINT32_MAX ? UINT32_MAX : UINT64_MAX;
    if (now.tz < old.tz && now.tz < 64) v.tz = now.tz >= 6 ? 6 : now.tz >= 2 ? 2 : 0;
    v.hi &= UINT64_MAX << (v.tz < 64 ? v.tz : 0);
    if (v.hi < now.hi) v.hi = now.hi;
    return v;
}

slx_val slx_val_addc(slx_val a, uint64_t c)
{
    if (!c) return a;
    unsigned tz = min_u(a.tz, ctz(c));
    bool wraps_lo = a.lo + c < c, wraps_hi = a.hi + c < c;
    slx_val v = wraps_lo == wraps_hi ? slx_val_range(a.lo + c, a.hi + c, tz) : slx_val_any(tz);
    v.uid = a.uid || slx_val_is_const(&a) ? slx_mix(slx_mix('+', slx_val_uid(&a)), c) : 0;
    v.sym = a.sym;
    v.add = a.sym ? a.add + c : 0;
    v.chip = a.chip;
    return v;
}

slx_val slx_val_mul(slx_val a, slx_val b)
{
    unsigned tz = min_u(a.tz + b.tz, 64);
    uint64_t lo, hi;
    if (__builtin_mul_overflow(a.hi, b.hi, &hi)) {
        if (slx_val_is_const(&a) && slx_val_is_const(&b)) return slx_val_const(a.lo * b.lo);
        return slx_val_any(tz);
    }
    lo = a.lo * b.lo;
    return slx_val_range(lo, hi, tz);
}

/* All ones from bit 0 up to the highest bit of v. */
static uint64_t ones(uint64_t v)
{
    return v ? UINT64_MAX >> __builtin_clzll(v) : 0;
}

static slx_val and_mask(slx_val a, uint64_t m)
{
    unsigned k = ctz(m);
    /* a run of ones up to above a: clears low bits only, hence rounds down */
    if (m && a.hi <= ones(m) && (m | ((UINT64_C(1) << k) - 1)) == ones(m))
        return slx_val_range(a.lo & m, a.hi & m, max_u(a.tz, k));
    /* 2^k - 1: exact where the bits above do not change */
    if (m && m == ones(m) && m < UINT64_MAX && (a.lo & ~m) == (a.hi & ~m))
        return slx_val_range(a.lo & m, a.hi & m, a.tz);
    return slx_val_range(0, min_64(a.hi, m), max_u(a.tz, k));
}

static slx_val shifted(bool left, slx_val a, slx_val b)
{
    if (slx_val_is_const(&b)) b = slx_val_const(b.lo & 63);
    if (b.hi >= 64) return slx_val_any(0);
    if (left) {
        unsigned tz = min_u(a.tz + (unsigned)b.lo, 64);
        if (slx_val_is_const(&a) && slx_val_is_const(&b)) return slx_val_const(a.lo << b.lo);
        if (a.hi << b.hi >> b.hi != a.hi) return slx_val_any(tz);
        return slx_val_range(a.lo << b.lo, a.hi << b.hi, tz);
    }
    unsigned tz = a.tz >= 64 ? 64 : slx_val_is_const(&b) && a.tz > b.lo ? a.tz - (unsigned)b.lo : 0;
    return slx_val_range(a.lo >> b.hi, a.hi >> b.lo, tz);
}

static slx_val divided(bool quotient, slx_val a, slx_val b)
{
    uint64_t d = max_64(b.lo, 1); /* division by 0 is a fault: no value comes of it */
    if (!b.hi) return slx_val_any(0);
    if (quotient) {
        unsigned tz = 0;
        if (slx_val_is_const(&b) && (b.lo & (b.lo - 1)) == 0 && a.tz > b.tz) tz = a.tz - b.tz;
        return slx_val_range(a.lo / b.hi, a.hi / d, tz);
    }
    if (a.hi < d) return a;
    if (slx_val_is_const(&b) && a.lo / b.lo == a.hi / b.lo)
        return slx_val_range(a.lo % b.lo, a.hi % b.lo, min_u(a.tz, b.tz));
    return slx_val_range(0, min_64(a.hi, b.hi - 1), min_u(a.tz, b.tz));
}

static slx_val truth(int known)
{
    return known < 0 ? slx_val_range(0, 1, 0) : slx_val_const((uint64_t)known);
}

static slx_val alu(unsigned fn, slx_val a, slx_val b, slx_val d)
{
    switch (fn) {
    case SLX_ALUFN_add: {
        uint64_t lo = a.lo + b.lo, hi = a.hi + b.hi;
        bool wlo = lo < a.lo, whi = hi < a.hi;
        return wlo == whi ? slx_val_range(lo, hi, min_u(a.tz, b.tz))
                          : slx_val_any(min_u(a.tz, b.tz));
    }
    case SLX_ALUFN_sub: {
        bool wlo = a.lo < b.hi, whi = a.hi < b.lo;
        return wlo == whi ? slx_val_range(a.lo - b.hi, a.hi - b.lo, min_u(a.tz, b.tz))
                          : slx_val_any(min_u(a.tz, b.tz));
    }
    case SLX_ALUFN_mul: return slx_val_mul(a, b);
    case SLX_ALUFN_shl: return shifted(true, a, b);
    case SLX_ALUFN_shr: return shifted(false, a, b);
    case SLX_ALUFN_and:
        if (slx_val_is_const(&a) && slx_val_is_const(&b)) return slx_val_const(a.lo & b.lo);
        if (slx_val_is_const(&b)) return and_mask(a, b.lo);
        if (slx_val_is_const(&a)) return and_mask(b, a.lo);
        return slx_val_range(0, min_64(a.hi, b.hi), max_u(a.tz, b.tz));
    case SLX_ALUFN_or:
        if (slx_val_is_const(&a) && slx_val_is_const(&b)) return slx_val_const(a.lo | b.lo);
        return slx_val_range(max_64(a.lo, b.lo), ones(a.hi | b.hi), min_u(a.tz, b.tz));
    case SLX_ALUFN_xor:
        if (slx_val_is_const(&a) && slx_val_is_const(&b)) return slx_val_const(a.lo ^ b.lo);
        return slx_val_range(0, ones(a.hi | b.hi), min_u(a.tz, b.tz));
    case SLX_ALUFN_min:
        if (a.hi <= b.lo) return a;
        if (b.hi <= a.lo) return b;
        return slx_val_range(min_64(a.lo, b.lo), min_64(a.hi, b.hi), min_u(a.tz, b.tz));
    case SLX_ALUFN_max:
        if (a.lo >= b.hi) return a;
        if (b.lo >= a.hi) return b;
        return slx_val_range(max_64(a.lo, b.lo), max_64(a.hi, b.hi), min_u(a.tz, b.tz));
    case SLX_ALUFN_divu: return divided(true, a, b);
    case SLX_ALUFN_remu: return divided(false, a, b);
    case SLX_ALUFN_ltu: return truth(slx_val_cond(SLX_COND_ltu, a, b));
    case SLX_ALUFN_eq: return truth(slx_val_cond(SLX_COND_eq, a, b));
    case SLX_ALUFN_sel:
        if (d.lo) return a;
        if (!d.hi) return b;
        return slx_val_join(a, b);
    }
    SLX_BUG("ALU function %u", fn);
}

slx_val slx_val_alu(unsigned fn, slx_val a, slx_val b, slx_val d)
{
    if (fn == SLX_ALUFN_add && slx_val_is_const(&b)) return slx_val_addc(a, b.lo);
    if (fn == SLX_ALUFN_add && slx_val_is_const(&a)) return slx_val_addc(b, a.lo);
    if (fn == SLX_ALUFN_sub && slx_val_is_const(&b)) return slx_val_addc(a, 0 - b.lo);
    slx_val v = alu(fn, a, b, d);
    uint64_t ua = slx_val_uid(&a), ub = slx_val_uid(&b), ud = slx_val_uid(&d);
    v.uid = ua && ub && ud ? slx_mix(slx_mix(slx_mix(fn + 1, ua), ub), ud) : 0;
    v.sym = 0;
    v.add = 0;
    v.chip = a.chip || b.chip || d.chip;
    return v;
}

slx_val slx_val_up64(slx_val a)
{
    if (a.hi > UINT64_MAX - 63) return slx_val_any(6);
    return slx_val_range((a.lo + 63) & ~UINT64_C(63), (a.hi + 63) & ~UINT64_C(63), max_u(a.tz, 6));
}

static slx_val bits(slx_val v, unsigned at, unsigned n)
{
    uint64_t mask = (UINT64_C(1) << n) - 1, lo = v.lo >> at, hi = v.hi >> at;
    unsigned tz = v.tz >= 64 ? 64 : v.tz > at ? v.tz - at : 0;
    if (lo >> n == hi >> n) return slx_val_range(lo & mask, hi & mask, tz);
    return slx_val_range(0, mask, tz);
}

slx_val slx_val_pair_x(slx_val v)
{
    return bits(v, 0, 12);
}
slx_val slx_val_pair_y(slx_val v)
{
    return bits(v, 12, 19);
}
slx_val slx_val_stride(slx_val v, int i)
{
    return bits(v, 10u * (unsigned)i, 10);
}

int slx_val_cond(unsigned cond, slx_val a, slx_val b)
{
    switch (cond) {
    case SLX_COND_eq:
        if (slx_val_is_const(&a) && slx_val_is_const(&b)) return a.lo == b.lo;
        return a.hi < b.lo || b.hi < a.lo ? 0 : -1;
    case SLX_COND_ltu: return a.hi < b.lo ? 1 : a.lo >= b.hi ? 0 : -1;
    case SLX_COND_ne:
    case SLX_COND_geu: {
        int no = slx_val_cond(cond == SLX_COND_ne ? SLX_COND_eq : SLX_COND_ltu, a, b);
        return no < 0 ? -1 : !no;
    }
    }
    SLX_BUG("BR condition %u", cond);
}

bool slx_val_refine(slx_val *r, unsigned cond, const slx_val *b)
{
    uint64_t lo = r->lo, hi = r->hi;
    switch (cond) {
    case SLX_COND_eq:
        if (b->lo > lo) lo = b->lo;
        if (b->hi < hi) hi = b->hi;
        break;
    case SLX_COND_ne:
        if (slx_val_is_const(b) && b->lo == lo) lo++;
        if (slx_val_is_const(b) && b->lo == hi) hi--;
        break;
    case SLX_COND_ltu:
        if (!b->hi) return false;
        if (b->hi - 1 < hi) hi = b->hi - 1;
        break;
    default:
        if (b->lo > lo) lo = b->lo;
    }
    if (lo > hi) return false;
    slx_val v = slx_val_range(lo, hi, r->tz);
    v.uid = r->uid;
    v.sym = r->sym;
    v.add = r->add;
    v.chip = r->chip;
    *r = v;
    return true;
}
