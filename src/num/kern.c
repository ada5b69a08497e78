/* kern.c - the kernel table: which level this host has, filled once.
 *
 * A level starts as a copy of the one below and overrides what it improves. The processor's word
 * alone is not enough: the system must also save the wide registers (XCR0).
 */
#include "num/kern_impl.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

const char *const slx_cpu_names[SLX_N_CPU] = {"scalar", "avx2", "avx512"};

static struct {
    pthread_once_t once;
    slx_cpu best; /* of this host */
    slx_kern level[SLX_N_CPU];
} table = {.once = PTHREAD_ONCE_INIT};

#if defined(__x86_64__)
#include <cpuid.h>

static uint64_t xcr0(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static slx_cpu host_level(void)
{
    enum { XMM_YMM = 0x6, OPMASK_ZMM = 0xe0 };
    uint32_t a, b, c, d;
    uint32_t leaf1 = bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & leaf1) != leaf1) return SLX_CPU_SCALAR;
    uint64_t saved = xcr0();
    if ((saved & XMM_YMM) != XMM_YMM || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return SLX_CPU_SCALAR;
    if (!(b & bit_AVX2) || !(b & bit_BMI2)) return SLX_CPU_SCALAR;
    uint32_t wide = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if ((saved & OPMASK_ZMM) != OPMASK_ZMM || (b & wide) != wide || !(c & bit_AVX512VNNI))
        return SLX_CPU_AVX2;
    return SLX_CPU_AVX512;
}
#else
static slx_cpu host_level(void) { return SLX_CPU_SCALAR; }
#endif

static void fill(void)
{
    table.best = host_level();
    slx_kern_fill_scalar(&table.level[SLX_CPU_SCALAR]);
    table.level[SLX_CPU_AVX2] = table.level[SLX_CPU_SCALAR];
    slx_kern_fill_avx2(&table.level[SLX_CPU_AVX2]);
    table.level[SLX_CPU_AVX512] = table.level[SLX_CPU_AVX2];
    slx_kern_fill_avx512(&table.level[SLX_CPU_AVX512]);
}

const slx_kern *slx_kern_at(slx_cpu level)
{
    pthread_once(&table.once, fill);
    return level <= table.best ? &table.level[level] : NULL;
}

const slx_kern *slx_kern_get(void)
{
    pthread_once(&table.once, fill);
    slx_cpu level = table.best;
    const char *want = getenv("SLX_CPU");
    for (int i = 0; want && i < (int)table.best; i++)
        if (strcmp(want, slx_cpu_names[i]) == 0) level = (slx_cpu)i;
    return &table.level[level];
}
