/* kern_impl.h - what kern.c needs of the levels: each fills in what it improves. */
#ifndef SLX_KERN_IMPL_H
#define SLX_KERN_IMPL_H

#include "num/num_impl.h"

void slx_kern_fill_scalar(slx_kern *k);
void slx_kern_fill_avx2(slx_kern *k);
void slx_kern_fill_attn_avx2(slx_kern *k); /* called by the one above */
void slx_kern_fill_avx512(slx_kern *k);

/* qk and pv of slx_kern; the next level calls them for shapes it has no better way for. */
void slx_qk_avx2(const int8_t *q, const uint8_t *qs, const int8_t *k, const uint8_t *ks, uint32_t n,
                 uint32_t nb, float c, float *t);
void slx_pv_avx2(const int8_t *p, const uint8_t *ps, const int8_t *v, uint32_t nblk, uint32_t d,
                 float *o);

#endif
