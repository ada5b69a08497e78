/* graph.h - the model as named operations on whole tensors; rows and lengths stay symbolic.
 *
 * One list in order of execution, layers unrolled by index. The compiler's schedule follows it, golden interprets it.
 */
#ifndef SLX_GRAPH_H
#define SLX_GRAPH_H

#include "model/model.h"

/* op, text, what it computes (t rows at once). */
#define SLX_GRAPH_OPS(X)                                                                           \
    X(EMBED, "embed", "x = rows of the table, dequantised")                                        \
    X(POSITION, "position", "x = x + row of the table at the token's position")                    \
    X(NORM, "norm", "y = rmsnorm(x) * w, quantised to MXINT8")                                     \
    X(LAYER_NORM, "layer_norm", "y = layernorm(x) * w + b, quantised to MXINT8")                   \
    X(LINEAR, "linear", "y = A W^T by the segment tree")                                           \
    X(BIAS, "bias", "y = y + b, b the same in every row")                                          \
    X(HEAD_NORM, "head_norm", "y = rmsnorm(y) * w, head by head")                                  \
    X(ROPE, "rope", "rotated; MXINT8 (k: into the cache)")                                         \
    X(STORE_V, "store_v", "MXINT8, one scale a position and head, into the cache")                 \
    X(ATTENTION, "attention", "softmax(q k) v in chunks of 128, groups of 16; MXINT8")             \
    X(ADD, "add", "x = x + y")                                                                     \
    X(SILU_MUL, "silu_mul", "y = silu(gate) * up, quantised to MXINT8")                            \
    X(GELU, "gelu", "y = gelu(up), quantised to MXINT8")
typedef enum {
#define X(n, t, d) SLX_GO_##n,
    SLX_GRAPH_OPS(X)
#undef X
    SLX_N_GRAPH_OPS
} slx_graph_opcode;

/* Values by name; one of each at a time. */
#define SLX_GRAPH_VALUES(X)                                                                        \
    X(NONE, "-") X(X, "x") X(A, "a") X(Q, "q") X(K, "k") X(V, "v") X(O, "o") X(Y, "y") X(GATE, "gate") X(UP, "up") \
    X(H, "h") X(LOGITS, "logits")
typedef enum {
#define X(n, t) SLX_GV_##n,
    SLX_GRAPH_VALUES(X)
#undef X
    SLX_N_GRAPH_VALUES
} slx_graph_value;

typedef struct {
    slx_graph_opcode op;
    slx_graph_value out, in, in2, in3;
    uint32_t layer;          /* UINT32_MAX outside the layers */
    uint32_t n, k;           /* columns of out, of in */
    const slx_tensor *w, *b; /* or NULL; b: the bias of a layer norm */
} slx_graph_op;

typedef struct {
    uint32_t n_ops;
    slx_graph_op *ops;
} slx_graph;

/* Lives in the arena; borrows the model's tensors. */
void slx_graph_build(slx_graph *g, slx_arena *a, const slx_model *m);
void slx_graph_print(const slx_graph *g, const slx_model *m, FILE *out);

#endif
