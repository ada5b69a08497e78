/* kern_impl.h - what kern.c needs of the levels: each fills in what it improves. */
#ifndef SLX_KERN_IMPL_H
#define SLX_KERN_IMPL_H

#include "num/num_impl.h"

void slx_kern_fill_scalar(slx_kern *k);
void slx_kern_fill_avx2(slx_kern *k);
void slx_kern_fill_attn_avx2(slx_kern *k); /* called by the one above */
void slx_kern_fill_avx512(slx_kern *k);

#endif
