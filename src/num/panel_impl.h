/* panel_impl.h - what the panel_*.c files share: the layouts, the tree of segments, the kernels.
 * Private to them.
 *
 * A panel (SLX_PANEL_ROWS = 16 output rows), for each block b of K one piece of the stream:
 *
 *   4-bit   | g0 | g1 | g2 | g3 |  d[16] fp16  | m[16] fp16 (Q4SM) |       288 or 320 bytes
 *   8-bit   | g0 | g1 | ... | g7 | d[16] fp16 (Q8S) or e[16] u8 (MXINT8) |  544 or 528 bytes
 *
 *   group g = 64 bytes = 16 rows x 4 bytes: row r, k = 4g..4g+3 at byte 4r..4r+3. One ymm is 8
 *   rows, one zmm 16: outputs lie across lanes, and 4 activation bytes broadcast to all lanes meet
 *   4 weights of every row.
 *   4-bit: low nibble k = 4g+i, high nibble k = 16+4g+i. 8-bit: the code as int8; at level AVX-512
 *   as uint8, plus 128.
 *   e: the weight's scale code minus 6 (0 stays 0), so that e << 23 is the float 2^(code-133).
 *
 * Prepared activations, in groups of slx_act_group rows (the last group has R <= that), each block:
 *
 *   | codes int8 [R][32] | sa[R] | asum[R] | nc0[R] | nc8[R] | nc128[R] |   R * SLX_ACT_BLOCK bytes
 *
 *   floats: sa = 2^(code-133), +0 for code 0; asum = sum(a) * sa; ncX = -(M + X*sum(a)) * sa, where
 *   M = 1.5 * 2^23. All exact.
 *
 * Why M: an integer |i| < 2^22 added to the bits of M is the float M + i. So with
 * J = sum(a * (w+X)) kept in an int32 that starts from those bits,
 * fma(float(J), sa, ncX) = sum(a * w) * sa exactly: conversion, offset of the codes and activation
 * scale in one instruction. |J| <= 32*127*255 < 2^20. The chain step of chip.md 4.2 is then
 * acc = fma(that, wd, acc): it rounds the same exact t_b * S_b.
 */
#ifndef SLX_PANEL_IMPL_H
#define SLX_PANEL_IMPL_H

#include "num/panel.h"

enum {
    SLX_ACT_BLOCK = 32 + 5 * 4, /* bytes of one row's block */
    SLX_ACT_SA = 0,
    SLX_ACT_SUM = 1,
    SLX_ACT_NC0 = 2,
    SLX_ACT_NC8 = 3,
    SLX_ACT_NC128 = 4,
    SLX_PANEL_MAX_LOG2G = 6,
    SLX_PANEL_MAX_SEG = 1 << SLX_PANEL_MAX_LOG2G,
    SLX_MAGIC_BITS = 0x4b400000, /* M */
    /* Weights are asked for this far ahead: past the page, where the hardware's own reading ahead
     * stops. */
    SLX_PREFETCH_BYTES = 8192,
    /* A block of an unpacked panel: 8 groups of codes as bytes, d[16] and m[16] as floats. */
    SLX_UNPACKED_BLOCK = 512 + 64 + 64
};
#define SLX_MAGIC 12582912.0f

typedef struct {
    uint32_t block_bytes;  /* of all 16 rows */
    uint32_t scale_offset; /* of d or e in the block */
    uint32_t m_offset;     /* 0: no m */
} slx_panel_shape;

static inline bool slx_panel_is4(slx_num_fmt f)
{
    return f == SLX_NF_Q4S || f == SLX_NF_Q4SM;
}
static inline slx_panel_shape slx_panel_shape_of(slx_num_fmt f)
{
    switch (f) {
    case SLX_NF_Q4S: return (slx_panel_shape){288, 256, 0};
    case SLX_NF_Q4SM: return (slx_panel_shape){320, 256, 288};
    case SLX_NF_Q8S: return (slx_panel_shape){544, 512, 0};
    case SLX_NF_MXINT8: return (slx_panel_shape){528, 512, 0};
    case SLX_NF_MXFP4: break; /* becomes MXINT8 (slx_mxfp4_block) */
    }
    SLX_BUG("format %d has no panels", (int)f);
}

/* Rows of a group of prepared activations. */
static inline uint32_t slx_act_group(slx_cpu level)
{
    return level == SLX_CPU_AVX512 ? 8 : 4;
}

/* Where row `row`'s group begins, how many rows it has, and the row's place in it. */
typedef struct {
    uint8_t *base;
    uint32_t rows, at;
} slx_act_place;
static inline slx_act_place slx_act_at(const slx_act *a, uint32_t row)
{
    uint32_t group = slx_act_group(a->level), first = row / group * group;
    uint32_t left = a->rows - first;
    return (slx_act_place){a->data + (size_t)first * a->kblk * SLX_ACT_BLOCK,
                           left < group ? left : group, row - first};
}

/* cut[s]..cut[s+1]: blocks of segment s, s < 1 << log2g (chip.md 4.2). */
void slx_panel_cuts(uint32_t kblk, unsigned log2g, uint32_t cut[SLX_PANEL_MAX_SEG + 1]);

/* A few rows against one panel, for the kernels of one level: the first row's place in its group.
 * */
typedef struct {
    const uint8_t *w, *w2;   /* panel, or unpacked panel; the next one for kernels of two */
    const uint8_t *a, *meta; /* block 0: codes and floats of the first row */
    uint32_t group_rows;
    slx_num_fmt fmt;
    unsigned log2g;
    const uint32_t *cut;
    float *out; /* 16 floats a row, ldo apart */
    size_t ldo;
} slx_panel_job;
typedef void slx_panel_kernel(const slx_panel_job *t);
/* Rows [first, a->rows) against t's panel, in pieces of n <= step rows of one group by
 * kernels[n-1]. out: row 0. */
void slx_panel_all_rows(slx_panel_job *t, const slx_act *a, uint32_t first,
                        slx_panel_kernel *const *kernels, uint32_t step, float *out);

typedef void slx_panel_mul_fn(const slx_panels *p, const slx_act *a, uint32_t first_panel,
                              uint32_t count, float *out, size_t ldo, void *scratch);
slx_panel_mul_fn slx_panel_mul_scalar, slx_panel_mul_avx2, slx_panel_mul_avx512;
bool slx_panel_has_avx_vnni(void); /* asks the processor */

#endif
