/* lib.h - what one kernel of a vendor's library takes on a chip that does not run our programs.
 *
 *   slx_lib_time t;
 *   slx_lib_gemm_query q = {.m = 64, .n = 6144, .k = 4096, .dtype = SLX_LIB_BF16};
 *   SLX_TRY(slx_lib_gemm(chip, &q, &t, err));        t.seconds, t.low_s .. t.high_s, t.bound_by
 *
 * A kernel's time is the least over the candidates the library might launch (tile, split): the library's choice is
 * taken to be the best of what it has. Numbers and facts come from the chip's and its family's files (chip/library.h);
 * nothing here knows a chip's name. Times are those of a kernel replayed back to back in a graph. The band
 * holds 90 % of the measurements of the set that its numbers were fitted on, wider for a chip nobody measured.
 *
 * Only chips with `runs: library`; others are refused. No state, no allocation: threads may share a chip.
 */
#ifndef SLX_TIME_LIB_H
#define SLX_TIME_LIB_H

#include "chip/chip.h"

/* Number formats of operands, the one table of them: X(enumerator, name, bytes of an activation, of a weight,
 * chip/library.h's format, type of a GGUF file that our own chips store such weights in). Scales count: nvfp4 has one of 8
 * bits for 16 values, mxfp4 for 32, int4_wo a scale and a zero of 16 bits for 128. */
#define SLX_LIB_DTYPES(X)                                                                          \
    X(BF16, "bf16", 2, 2, SLX_LIB_16, "BF16")                                                      \
    X(FP16, "fp16", 2, 2, SLX_LIB_16, "F16")                                                       \
    X(FP8, "fp8", 1, 1, SLX_LIB_8, "Q8_0")                                                         \
    X(FP8_BLOCK, "fp8_block", 1, 1, SLX_LIB_BLOCK, "Q8_0")                                         \
    X(INT8, "int8", 1, 1, SLX_LIB_8, "Q8_0")                                                       \
    X(NVFP4, "nvfp4", 0.5625, 0.5625, SLX_LIB_4, "Q4_0")                                           \
    X(MXFP4, "mxfp4", 0.53125, 0.53125, SLX_LIB_4, "MXFP4")                                        \
    X(INT8_WO, "int8_wo", 2, 1, SLX_LIB_WO, "Q8_0")                                                \
    X(INT4_WO, "int4_wo", 2, 0.53125, SLX_LIB_WO, "Q4_0")
typedef enum {
#define X(id, name, a, w, format, stored) SLX_LIB_##id,
    SLX_LIB_DTYPES(X)
#undef X
        SLX_LIB_N_DTYPES
} slx_lib_dtype;
/* By its name or another word for it ("bfloat16", "fp4", "awq"), small letters or not. */
bool slx_lib_dtype_parse(const char *name, slx_lib_dtype *out);
extern const char slx_lib_dtype_list[]; /* all names, a blank before each, for messages */
const char *slx_lib_dtype_stored(slx_lib_dtype d); /* type of a GGUF file */
const char *slx_lib_dtype_name(slx_lib_dtype d);
slx_lib_format slx_lib_dtype_format(slx_lib_dtype d);
double slx_lib_act_bytes(slx_lib_dtype d);
double slx_lib_weight_bytes(slx_lib_dtype d);
/* Numbers that the chip does not multiply: they are widened to 16 bits in the kernel. */
bool slx_lib_widens(const slx_chip *c, slx_lib_dtype d);
/* Neither the chip's figures nor its family say whether it multiplies such numbers. */
bool slx_lib_format_untold(const slx_chip *c, slx_lib_dtype d);
/* The key of a published figure that the time of kernels rests on and that the chip's file does not know: "part.mem_tbs";
 * NULL when all are known, or the chip runs programs. d: of products. */
const char *slx_lib_unpublished(const slx_chip *c, slx_lib_dtype d);
/* Peak of products of such weights, TFLOP/s: of the format, or of 16 bits where weights alone are narrow. */
double slx_lib_tflops(const slx_chip *c, slx_lib_dtype d);

/* The answer to every question below. */
typedef struct {
    double seconds, low_s, high_s; /* low <= seconds <= high */
    double flops, bytes;           /* 2 a multiply-add; to and from memory, cache hits left out */
    const char *
        bound_by; /* compute, memory, cache, latency, launch, quantisation, link, power: the longest term; static */
    uint32_t tile_m, tile_n, split; /* of the candidate; 0 where there is none */
    uint32_t ctas;                  /* units of work; 0 = not a tiled kernel */
    slx_lib_draw draw;              /* whose power it draws */
    double kv_heads, group, keys;   /* of an attention: KV heads, query heads of each, keys of a sequence; else 0 */
    bool measured;                  /* the numbers were fitted on this chip */
    bool widened;                   /* of a product: slx_lib_widens */
} slx_lib_time;

/* C[m,n] = A[m,k] B[k,n], B the weights. Sizes >= 1. fp8, fp8_block, int8, nvfp4: A comes in 16 bits, its quantisation
 * is part of the time; or `quantised` by the kernel before, as in the passes of serving engines. */
typedef struct {
    uint64_t m, n, k;
    slx_lib_dtype dtype;
    bool quantised;
} slx_lib_gemm_query;
slx_status slx_lib_gemm(const slx_chip *c, const slx_lib_gemm_query *q, slx_lib_time *out,
                        slx_err *err);

/* Core attention of one layer, causal, no projections. context: keys of a sequence, the q_len new ones included. A
 * prefill of one token is a decode. kv_dtype counts by its bytes: 1 or 2. */
typedef struct {
    bool decode;
    uint64_t batch, q_heads, kv_heads, head_dim, q_len, context;
    slx_lib_dtype dtype, kv_dtype;
} slx_lib_attention_query;
slx_status slx_lib_attention(const slx_chip *c, const slx_lib_attention_query *q, slx_lib_time *out,
                             slx_err *err);

typedef enum {
    SLX_LIB_ALL_REDUCE,
    SLX_LIB_ALL_GATHER,
    SLX_LIB_REDUCE_SCATTER,
    SLX_LIB_ALL_TO_ALL,
    SLX_LIB_SEND_RECV
} slx_lib_coll;
typedef enum {
    SLX_LIB_NCCL,
    SLX_LIB_GRAPH,
    SLX_LIB_EAGER
} slx_lib_impl; /* graph, eager: a framework's own all-reduce */

/* n_chips (>= 1) of one node. bytes: the whole buffer, the output of an all-gather, the input of a reduce-scatter.
 * graph and eager are asked of all-reduce only; other operations answer as NCCL. */
typedef struct {
    slx_lib_coll op;
    slx_lib_impl impl;
    uint32_t n_chips;
    double bytes;
} slx_lib_collective_query;
slx_status slx_lib_collective(const slx_chip *c, const slx_lib_collective_query *q,
                              slx_lib_time *out, slx_err *err);

/* Row-wise kernels. `other`: reads and writes of cols elements a row with no sum over it: rope, residual add. */
typedef enum {
    SLX_LIB_SOFTMAX,
    SLX_LIB_LAYERNORM,
    SLX_LIB_GELU,
    SLX_LIB_ELEMENTWISE
} slx_lib_row_op;
typedef struct {
    slx_lib_row_op op;
    uint64_t rows, cols;
    double reads,
        writes; /* elements moved for each of rows x cols; 0 = 1. A gated activation reads 2, writes 1 */
    slx_lib_dtype dtype;
    bool eager; /* launched by a framework, outside a graph */
} slx_lib_op_query;
slx_status slx_lib_op(const slx_chip *c, const slx_lib_op_query *q, slx_lib_time *out,
                      slx_err *err);

/* Board power, W, while a kernel of this time is repeated for a second. */
typedef struct {
    double watts, low_w, high_w;
    bool measured;
} slx_lib_watts;
slx_status slx_lib_power(const slx_chip *c, const slx_lib_time *t, slx_lib_dtype dtype,
                         slx_lib_watts *out, slx_err *err);

#endif
