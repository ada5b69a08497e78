#include "num/kern_impl.h"

void slx_kern_fill_avx512(slx_kern *k) { k->level = SLX_CPU_AVX512; }
