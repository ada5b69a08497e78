/* predict_int.h - a pass as a list of kernels, and what times one. Of this layer alone. */
#ifndef SLX_PREDICT_INT_H
#define SLX_PREDICT_INT_H

#include "predict/predict.h"
#include "time/lib.h"

#include <math.h>

/* ------------------------------------------------------------------ a pass as kernels */

typedef enum {
    SLX_KERNEL_GEMM, /* C[m,n] = A[m,k] B[k,n], `groups` of them in one launch */
    SLX_KERNEL_ATTENTION,
    SLX_KERNEL_ROWS, /* something done to each of rows x cols values */
    SLX_KERNEL_COLLECTIVE,
} slx_kernel_kind;

/* What one chip of a group launches. */
typedef struct {
    const char *name; /* an operator of validation.md, or one beside them; static */
    slx_kernel_kind kind;
    double count; /* how many times in the pass */
    bool alone;   /* timed alone: see SLX_SOFTWARE_ALONE */
    /* gemm */
    uint32_t m, n, k;
    double groups; /* matrices of n x k, each with m rows of its own; 1 = a plain product */
    const char *dtype;
    bool weights; /* B are weights, else keys or values */
    bool quantised; /* the kernel before left A in the format of the product */
    bool of_experts; /* the framework's own kernel over experts */
    /* attention */
    bool decode;
    uint32_t batch, q_heads, kv_heads, head_dim, q_len, context;
    const char *kv_dtype;
    /* rows */
    uint32_t rows, cols;
    double reads, writes; /* of each value */
    /* collective */
    const char *op; /* all_reduce .. */
    uint32_t chips;
    double bytes; /* of the whole buffer */
} slx_kernel;

enum { SLX_PLAN_KERNELS = 64 };
typedef struct {
    int n;
    slx_kernel k[SLX_PLAN_KERNELS];
} slx_plan;

/* f->dtype and the like have their defaults after this; refuses what is contradictory. */
slx_status slx_forward_check(slx_forward *f, slx_err *err);
/* f checked. The kernels of one chip, in the order of a layer. unfused (facts.unfused): attention by
 * its scores, 1 = of every model, 2 = of those without rotary positions. */
void slx_plan_pass(slx_plan *out, const slx_forward *f, double unfused);
/* Columns of a state layer's first product. */
double slx_shape_state_columns(const slx_shape *s);
/* Work of a kernel and the bytes that it must move through memory. */
double slx_kernel_flops(const slx_kernel *k);
double slx_kernel_bytes(const slx_kernel *k);

/* Bytes of one value of a named format; 0 = no such format. weight: as a weight, else as an activation. */
double slx_dtype_bytes(const char *dtype, bool weight);

/* ------------------------------------------------------------------ time of a kernel */

/* A format that slx_dtype_bytes knows, as the library's. */
slx_lib_dtype slx_kernel_dtype(const char *name);

/* The network between nodes, of each chip: 200 Gb/s, assumed. */
static const double slx_network_bytes_s = 25e9;

/* t->seconds of one launch; t->bytes and flops are the library's own count. */
slx_status slx_kernel_time(const slx_chip *c, const slx_kernel *k, slx_lib_time *t, slx_err *err);

/* The chip under that software; c itself where its family has no such file. Lives as long as p. */
slx_status slx_stack_get(slx_predictor *p, const slx_chip *c, slx_software software,
                         const slx_chip **out, slx_err *err);
/* Time of a pass on c (already of the right stack) and its parts, largest first. */
slx_status slx_library_pass(const slx_chip *c, const slx_forward *f, slx_forward_cost *out,
                            slx_err *err);

/* Of a chip that waits; 0 where its power is not known. */
double slx_idle_watts(const slx_chip *c);
/* A pass of the placed model under a framework; sizes says which. (placement.c) */
slx_forward slx_placed_pass(const slx_placement *on, const slx_framework *fw, slx_forward sizes);
/* Tokens that a decode step makes of each sequence, on average. */
double slx_placed_step_tokens(const slx_placement *on);
/* Sequences of `context` keys whose keys and values a replica holds beside its weights, as a real number; INFINITY where the
 * memory is not published. SLX_EUNSUPPORTED when not even the weights fit. */
slx_status slx_placed_room(const slx_chip *c, const slx_placement *on, uint32_t context, double *seqs, slx_err *err);

/* Times that a prompt's pass takes under a framework. */
double slx_slow_prompt(const slx_framework *fw);
/* Runs scatter more than the passes they are made of. */
void slx_framework_widen(const slx_framework *fw, slx_band *b);
void slx_framework_widen_first(const slx_framework *fw, slx_band *b); /* of a server's time to first token */

/* ------------------------------------------------------------------ chips with programs */

typedef struct slx_programs slx_programs; /* those compiled so far */
slx_programs *slx_programs_new(void);
void slx_programs_free(slx_programs *p);
/* Bytes of a stored weight, scales included, as the compiler stores a model's matrices for products in `dtype` (NULL: as
 * the model says): the format the chip has, else MXINT8; of a value of the KV cache. Of a GGUF file, whose types are
 * not looked at, MXINT8. */
double slx_programs_weight_bytes(const slx_chip *c, const slx_shape *s, const char *dtype);
double slx_programs_kv_bytes(void);
/* Values of the layers' matrices that each of tp chips stores beyond its own: slices of 32 rows up to as many for every
 * stack, where the compiler deals them out over stacks. */
double slx_programs_padding(const slx_chip *c, const slx_shape *s, uint32_t tp);
slx_status slx_programs_pass(slx_programs *p, const slx_chip *c, const slx_forward *f,
                             slx_forward_cost *out, slx_err *err);

/* Sorts the parts, names the largest as what the pass is bound by unless it is named already. */
void slx_forward_close(slx_forward_cost *out);
void slx_forward_part(slx_forward_cost *out, const char *name, double seconds);

#endif
