/* scalar.c - what ALU and BR compute, for every machine that walks a program's control flow. 64 bits, wrapping; shifts
 * by the low six bits. */
#include "isa/isa.h"

bool slx_alu(unsigned fn, uint64_t a, uint64_t b, uint64_t d, uint64_t *out)
{
    switch (fn) {
    case SLX_ALUFN_add: *out = a + b; return true;
    case SLX_ALUFN_sub: *out = a - b; return true;
    case SLX_ALUFN_mul: *out = a * b; return true;
    case SLX_ALUFN_shl: *out = a << (b & 63); return true;
    case SLX_ALUFN_shr: *out = a >> (b & 63); return true;
    case SLX_ALUFN_and: *out = a & b; return true;
    case SLX_ALUFN_or: *out = a | b; return true;
    case SLX_ALUFN_xor: *out = a ^ b; return true;
    case SLX_ALUFN_min: *out = a < b ? a : b; return true;
    case SLX_ALUFN_max: *out = a > b ? a : b; return true;
    case SLX_ALUFN_divu: *out = b ? a / b : 0; return b;
    case SLX_ALUFN_remu: *out = b ? a % b : 0; return b;
    case SLX_ALUFN_ltu: *out = a < b; return true;
    case SLX_ALUFN_eq: *out = a == b; return true;
    case SLX_ALUFN_sel: *out = d ? a : b; return true;
    }
    SLX_BUG("ALU function %u", fn);
}

bool slx_br_taken(unsigned cond, uint64_t a, uint64_t b)
{
    switch (cond) {
    case SLX_COND_eq: return a == b;
    case SLX_COND_ne: return a != b;
    case SLX_COND_ltu: return a < b;
    case SLX_COND_geu: return a >= b;
    }
    SLX_BUG("BR condition %u", cond);
}
