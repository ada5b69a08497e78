/* num.h - the numeric contract of chip.md section 4 as functions. Written down for people in docs/numerics.md.
 *
 * Two faces:
 *   1. definitions (num_*.c): scalar, readable, the meaning of every value-computing instruction. `strict` and the
 *      whole-tensor reference call these and nothing else.
 *   2. kernels (kern_*.c): struct slx_kern of function pointers that give the same bits faster. Tests compare every
 *      level the host has with the definitions, for equality.
 * No libm in the value path; -ffp-contract=off; fma only where written. NaN and infinity never come out of a function
 * that returns a fault: the caller raises it. Round to nearest even, subnormals kept.
 */
#ifndef SLX_NUM_H
#define SLX_NUM_H

#include "base/base.h"

/* ------------------------------------------------------------------ elementary (num_elem.c, num_func.c) */

static inline uint32_t slx_f32_bits(float x) { union { float f; uint32_t u; } v = {x}; return v.u; }
static inline float slx_f32_from(uint32_t b) { union { uint32_t u; float f; } v = {.u = b}; return v.f; }
static inline bool slx_f32_finite(float x) { return (slx_f32_bits(x) & 0x7f800000) != 0x7f800000; }
float slx_fma(float a, float b, float c);       /* correctly rounded a*b+c; hardware where there is, else exact emulation */
float slx_fp16_to_f32(uint16_t h);              /* exact, subnormals included */
uint16_t slx_f32_to_bf16(float x);              /* RNE; x finite */
float slx_bf16_to_f32(uint16_t b);
float slx_scale_pow2(int e);                    /* 2^e, -126 <= e <= 127 */

/* Functions of 4.4. false = FAULT (out of range, non-finite result). Stated ulp bounds are in docs/numerics.md. */
bool slx_exp2(float x, float *out);
bool slx_exp(float x, float *out);
bool slx_sigmoid(float x, float *out);
bool slx_silu(float x, float *out);
bool slx_tanh(float x, float *out);
bool slx_gelu(float x, float *out);             /* the tanh form: x * sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)) */
float slx_rne_int(float x);                     /* nearest integer, ties to even, exact for |x| < 2^31 */

/* ------------------------------------------------------------------ dot products (num_dot.c) */

/* Matrices of blocks of 32. Codes: 8-bit formats one byte an element, 4-bit low nibble = even element. */
typedef enum { /* same codes as SLX_FMT_* of the ISA */
    SLX_NF_MXINT8 = 1, SLX_NF_MXFP4 = 2, SLX_NF_Q4S = 5, SLX_NF_Q4SM = 6, SLX_NF_Q8S = 7
} slx_num_fmt;

/* acc cell of one output: tree of 2^log2g segments over blocks [0, kblk). a: int8 codes [32*kblk], as: E8M0 codes [kblk];
 * w: codes [kblk], ws: scale plane of the row (u8 for MX*, fp16 for Q*), wm: m plane of the row (Q4SM) or NULL.
 * chain_in: with log2g == 0 the chain starts from *chain_in instead of +0 when not NULL. */
float slx_dot(slx_num_fmt fmt, const int8_t *a, const uint8_t *as, const uint8_t *w, const void *ws, const uint16_t *wm,
              uint32_t kblk, unsigned log2g, const float *chain_in);
/* A block of MXFP4 as the block of MXINT8 with the same values: twice the element (E2M1: 0 .5 1 1.5 2 3 4 6 and negative)
 * as the integer, 2^(scale - 128) = 2^(scale + 5 - 133). So every product has the same integer and the same scale. */
uint8_t slx_mxfp4_block(const uint8_t codes[16], uint8_t scale, int8_t out[32]);
/* BT form: w is int8 [32*kblk] rows with stride bytes, column n; no scales of w. G = 1. */
float slx_dot_bt(const int8_t *a, const uint8_t *as, const int8_t *w, size_t row_stride, uint32_t kblk,
                 const float *chain_in);
/* S_b of a block is zero when either scale code is 0 (MX). */

/* ------------------------------------------------------------------ quantise (num_quant.c) */

/* 4.3. One block (or a row with one scale) of n <= 2^20 finite values -> codes and scale code. false = FAULT. */
bool slx_quantise_mxint8(const float *x, uint32_t n, int8_t *q, uint8_t *s);
/* Row of n values into ceil(n/32) blocks, codes padded with zeros. */
bool slx_quantise_row(const float *x, uint32_t n, int8_t *q, uint8_t *s);
/* Value of element code under scale code s (0 -> +0). */
float slx_mxint8_value(int8_t q, uint8_t s);
/* Weights at import: as slx_quantise_mxint8 but blocks of zeros get code 0. false = value out of the format's range. */
bool slx_import_mxint8(const float *x, uint32_t n, int8_t *q, uint8_t *s);

/* ------------------------------------------------------------------ rows (num_row.c) */

bool slx_row_sum(const float *x, uint32_t n, float *out);   /* 32 virtual lanes, 4.5 */
bool slx_row_sumsq(const float *x, uint32_t n, float *out);
float slx_row_max(const float *x, uint32_t n);              /* zero result is +0 */
float slx_row_amax(const float *x, uint32_t n);
uint32_t slx_row_argmax(const float *x, uint32_t n);        /* lowest index on ties, -0 = +0 */
/* y = (x*r)*w, r = 1/sqrt(fma(sumsq, 1/n, eps)); in place allowed. false = FAULT. */
bool slx_rmsnorm(const float *x, const float *w, float eps, uint32_t n, float *y);
/* y = (d*r)*w, d = x - RNE(sum * 1/n), r = 1/sqrt(fma(sumsq of d, 1/n, eps)); in place allowed. false = FAULT. */
bool slx_layernorm(const float *x, const float *w, float eps, uint32_t n, float *y);
/* Rotation of one head row: cs = {c,s} pairs [n_rot/2]; columns >= n_rot copied. half: pairs (i, i+n_rot/2). */
bool slx_rope_row(const float *x, const float *cs, uint32_t n, uint32_t n_rot, bool interleaved, float *y);
/* Table row of a position: out[n_rot/2]{c,s}, correctly rounded from double-double arithmetic without libm.
 * theta_i = pos * base^(-2i/n_rot) / (divisors ? divisors[i] : 1). */
void slx_rope_table_row(uint64_t pos, double base, uint32_t n_rot, const float *divisors, float *out);
/* The same for positions first..first+count-1, out [count][n_rot] floats; much cheaper than row by row. */
void slx_rope_table(uint64_t first, uint32_t count, double base, uint32_t n_rot, const float *divisors, float *out);

/* ------------------------------------------------------------------ attention (num_attn.c) */

typedef struct { float m, l; } slx_attn_state; /* empty: m = -2^30, l = +0 */
/* One row of VSMX: t[n] scores (n <= 128), columns [lo, hi) admitted (chunk-relative, clipped). p[n] out;
 * p == t allowed. */
bool slx_softmax_chunk(const float *t, uint32_t n, uint32_t lo, uint32_t hi, float *p, slx_attn_state *st);
void slx_attn_empty(slx_attn_state *st, float *o, uint32_t d);
bool slx_attn_merge(slx_attn_state *st, float *o, const slx_attn_state *st2, const float *o2, uint32_t d);
bool slx_attn_final(const slx_attn_state *st, float *o, uint32_t d);

/* ------------------------------------------------------------------ top-k, sampling (num_sample.c) */

/* k largest of n, larger first, equal by lower index, -0 = +0. idx = base + column. Missing: -FLT_MAX, 0xffffffff. */
void slx_topk(const float *x, uint32_t n, uint32_t k, uint32_t base, float *val, uint32_t *idx);
typedef struct {
    uint64_t seed;
    uint32_t stream, position, top_k; /* top_k 0 = all candidates; 1 = greedy */
    float c;                          /* log2(e)/temperature */
    float top_p, min_p;               /* 1 and 0 switch them off */
} slx_sample_params;
/* Draws from n <= 1024 candidates in slx_topk order. Returns the index into the candidates. */
bool slx_sample(const float *val, uint32_t n, const slx_sample_params *p, uint32_t *chosen);
void slx_philox4x32_10(const uint32_t key[2], const uint32_t ctr[4], uint32_t out[4]);

/* ------------------------------------------------------------------ constants of the compiler (IEEE double, rounded once) */
float slx_const_recip(uint32_t n);      /* 1/n */
float slx_const_attn_scale(uint32_t d); /* log2(e)/sqrt(d) */

/* ------------------------------------------------------------------ host kernels */

typedef enum { SLX_CPU_SCALAR, SLX_CPU_AVX2, SLX_CPU_AVX512, SLX_N_CPU } slx_cpu;
extern const char *const slx_cpu_names[SLX_N_CPU];

/* One level's row functions: same contracts as the definitions above, whole rows at a time. Filled scalar first, each
 * level overrides what it improves (kern.c). Functions returning bool report FAULT. */
typedef struct {
    slx_cpu level;
    bool (*quantise_row)(const float *x, uint32_t n, int8_t *q, uint8_t *s);
    bool (*quantise_one)(const float *x, uint32_t n, int8_t *q, uint8_t *s); /* slx_quantise_mxint8 */
    bool (*rmsnorm)(const float *x, const float *w, float eps, uint32_t n, float *y);
    bool (*rope_row)(const float *x, const float *cs, uint32_t n, uint32_t n_rot, bool interleaved, float *y);
    bool (*silu_mul)(const float *g, const float *u, uint32_t n, float *y);  /* RNE(silu(g) * u) */
    bool (*add)(const float *a, const float *b, uint32_t n, float *y);
    bool (*softmax_chunk)(const float *t, uint32_t n, uint32_t lo, uint32_t hi, float *p, slx_attn_state *st);
    bool (*attn_merge)(slx_attn_state *st, float *o, const slx_attn_state *st2, const float *o2, uint32_t d);
    bool (*attn_final)(const slx_attn_state *st, float *o, uint32_t d);
    /* scores of one query row against keys [0, n) of a page: t[j] = RNE(dot * c); k codes [n][32*nb], ks [n][nb] */
    void (*qk)(const int8_t *q, const uint8_t *qs, const int8_t *k, const uint8_t *ks, uint32_t n, uint32_t nb, float c,
               float *t);
    /* o[d] = sum over nblk blocks of 32 positions: p codes [32*nblk], ps [nblk], v codes [32*nblk][d] (d multiple of 32) */
    void (*pv)(const int8_t *p, const uint8_t *ps, const int8_t *v, uint32_t nblk, uint32_t d, float *o);
    /* x[c] = RNE(p[c] * 2^(sv[c]-133)), then quantise_row: VCVT COL */
    bool (*quantise_col)(const float *p, const uint8_t *sv, uint32_t n, int8_t *q, uint8_t *s);
    void (*topk1)(const float *x, uint32_t n, float *val, uint32_t *idx); /* k = 1 */
} slx_kern;

const slx_kern *slx_kern_get(void);           /* best of this host; SLX_CPU=scalar|avx2|avx512 lowers it */
const slx_kern *slx_kern_at(slx_cpu level);   /* NULL when the host lacks it */

#endif
