/* predict_int.h - a pass as a list of kernels, and what times one. Of this layer alone. */
#ifndef SLX_PREDICT_INT_H
#define SLX_PREDICT_INT_H

#include "predict/predict.h"

#include <math.h>

/* ------------------------------------------------------------------ a pass as kernels */

typedef enum {
    SLX_KERNEL_GEMM,       /* C[m,n] = A[m,k] B[k,n], `groups` of them in one launch */
    SLX_KERNEL_ATTENTION,
    SLX_KERNEL_ROWS,       /* something done to each of rows x cols values */
    SLX_KERNEL_COLLECTIVE,
} slx_kernel_kind;

/* What one chip of a group launches. */
typedef struct {
    const char *name;      /* an operator of validation.md, or one beside them; static */
    slx_kernel_kind kind;
    double count;          /* how many times in the pass */
    /* gemm */
    uint32_t m, n, k;
    double groups;         /* matrices of n x k, each with m rows of its own; 1 = a plain product */
    const char *dtype;
    /* attention */
    bool decode;
    uint32_t batch, q_heads, kv_heads, head_dim, q_len, context;
    const char *kv_dtype;
    /* rows */
    double bytes;          /* read and written; of a collective: of the whole buffer */
    uint32_t rows, cols;
    /* collective */
    const char *op;        /* all_reduce .. */
    uint32_t chips;
} slx_kernel;

enum { SLX_PLAN_KERNELS = 64 };
typedef struct {
    int n;
    slx_kernel k[SLX_PLAN_KERNELS];
} slx_plan;

/* f->dtype and the like have their defaults after this; refuses what is contradictory. */
slx_status slx_forward_check(slx_forward *f, slx_err *err);
/* f checked. The kernels of one chip, in the order of a layer. */
void slx_plan_pass(slx_plan *out, const slx_forward *f);
/* Work of a kernel and the bytes that it must move through memory. */
double slx_kernel_flops(const slx_kernel *k);
double slx_kernel_bytes(const slx_kernel *k);

/* Bytes of one value of a named format; 0 = no such format. weight: as a weight, else as an activation. */
double slx_dtype_bytes(const char *dtype, bool weight);

/* ------------------------------------------------------------------ time of a kernel */

typedef struct {
    double seconds;
    const char *bound_by;  /* "memory", "compute", "launch", "links"; static */
} slx_kernel_cost;

slx_status slx_kernel_time(const slx_chip *c, const slx_kernel *k, slx_kernel_cost *out, slx_err *err);

/* ------------------------------------------------------------------ chips with programs */

typedef struct slx_programs slx_programs; /* those compiled so far */
slx_programs *slx_programs_new(void);
void slx_programs_free(slx_programs *p);
slx_status slx_programs_pass(slx_programs *p, const slx_chip *c, const slx_forward *f, slx_forward_cost *out,
                             slx_err *err);

/* Sorts the parts, names the largest as what the pass is bound by unless it is named already. */
void slx_forward_close(slx_forward_cost *out);
void slx_forward_part(slx_forward_cost *out, const char *name, double seconds);

#endif
