/* graph.c - a dense decoder of the Llama, Qwen and GPT-2 families as a list of operations. */
#include "compile/graph.h"

static void add(slx_graph *g, slx_graph_opcode op, slx_graph_value out, slx_graph_value in,
                slx_graph_value in2, uint32_t layer, uint32_t n, uint32_t k, const slx_tensor *w)
{
    g->ops[g->n_ops++] = (slx_graph_op){
        .op = op, .out = out, .in = in, .in2 = in2, .layer = layer, .n = n, .k = k, .w = w};
}

void slx_graph_build(slx_graph *g, slx_arena *a, const slx_model *m)
{
    const slx_hparams *hp = &m->hp;
    uint32_t d = hp->d_model, q = hp->n_heads * hp->head_dim, kv = hp->n_kv_heads * hp->head_dim;
    enum { A_LAYER = 22, OUTSIDE = 4 };
    g->n_ops = 0;
    g->ops = slx_new(a, slx_graph_op, (size_t)hp->n_layers * A_LAYER + OUTSIDE);
    /* one or the other */
#define NORM(weight, bias)                                                                         \
    do {                                                                                           \
        if (hp->gpt)                                                                               \
            OP(LAYER_NORM, A, X, NONE, d, d, weight);                                              \
        else                                                                                       \
            OP(NORM, A, X, NONE, d, d, weight);                                                    \
        g->ops[g->n_ops - 1].b = bias;                                                             \
    } while (0)
#define OP(op, out, in, in2, n, k, w)                                                              \
    add(g, SLX_GO_##op, SLX_GV_##out, SLX_GV_##in, SLX_GV_##in2, l, n, k, w)
    uint32_t l = UINT32_MAX;
    OP(EMBED, X, NONE, NONE, d, d, m->tok_embd);
    if (hp->gpt) OP(POSITION, X, X, NONE, d, d, m->pos_embd);
    for (l = 0; l < hp->n_layers; l++) {
        const slx_layer_weights *w = &m->layers[l];
        NORM(w->attn_norm, w->attn_norm_b);
        OP(LINEAR, Q, A, NONE, q, d, w->wq);
        OP(LINEAR, K, A, NONE, kv, d, w->wk);
        OP(LINEAR, V, A, NONE, kv, d, w->wv);
        if (hp->qkv_bias) {
            OP(BIAS, Q, Q, NONE, q, q, w->bq);
            OP(BIAS, K, K, NONE, kv, kv, w->bk);
            OP(BIAS, V, V, NONE, kv, kv, w->bv);
        }
        if (hp->qk_norm) {
            OP(HEAD_NORM, Q, Q, NONE, q, q, w->q_norm);
            OP(HEAD_NORM, K, K, NONE, kv, kv, w->k_norm);
        }
        OP(ROPE, Q, Q, NONE, q, q, NULL);
        OP(ROPE, K, K, NONE, kv, kv, NULL);
        OP(STORE_V, V, V, NONE, kv, kv, NULL);
        OP(ATTENTION, O, Q, K, q, q, NULL);
        g->ops[g->n_ops - 1].in3 = SLX_GV_V;
        OP(LINEAR, Y, O, NONE, d, q, w->wo);
        if (hp->gpt) OP(BIAS, Y, Y, NONE, d, d, w->bo);
        OP(ADD, X, X, Y, d, d, NULL);
        NORM(w->ffn_norm, w->ffn_norm_b);
        if (!hp->gpt) OP(LINEAR, GATE, A, NONE, hp->d_ff, d, w->w_gate);
        OP(LINEAR, UP, A, NONE, hp->d_ff, d, w->w_up);
        if (hp->gpt) {
            OP(BIAS, UP, UP, NONE, hp->d_ff, hp->d_ff, w->b_up);
            OP(GELU, H, UP, NONE, hp->d_ff, hp->d_ff, NULL);
        } else {
            OP(SILU_MUL, H, GATE, UP, hp->d_ff, hp->d_ff, NULL);
        }
        OP(LINEAR, Y, H, NONE, d, hp->d_ff, w->w_down);
        if (hp->gpt) OP(BIAS, Y, Y, NONE, d, d, w->b_down);
        OP(ADD, X, X, Y, d, d, NULL);
    }
    l = UINT32_MAX;
    NORM(m->output_norm, m->output_norm_b);
    OP(LINEAR, LOGITS, A, NONE, hp->vocab, d, m->output);
#undef OP
#undef NORM
}

void slx_graph_print(const slx_graph *g, const slx_model *m, FILE *out)
{
    static const char *const ops[] = {
#define X(n, t, d) t,
        SLX_GRAPH_OPS(X)
#undef X
    };
    static const char *const values[] = {
#define X(n, t) t,
        SLX_GRAPH_VALUES(X)
#undef X
    };
    fprintf(out, "graph of %s: %u layers, %u heads over %u KV heads of %u; t = rows\n", m->name,
            m->hp.n_layers, m->hp.n_heads, m->hp.n_kv_heads, m->hp.head_dim);
    for (uint32_t i = 0; i < g->n_ops; i++) {
        const slx_graph_op *o = &g->ops[i];
        char where[16] = "-";
        if (o->layer != UINT32_MAX) snprintf(where, sizeof where, "%u", o->layer);
        fprintf(out, "%4u  layer %-3s %-7s[t][%u] = %s(%s", i, where, values[o->out], o->n,
                ops[o->op], values[o->in]);
        if (o->in2 != SLX_GV_NONE) fprintf(out, ", %s", values[o->in2]);
        if (o->in3 != SLX_GV_NONE) fprintf(out, ", %s", values[o->in3]);
        if (o->w) fprintf(out, ", %s %s", o->w->name, slx_tensor_type_name(o->w->type));
        fprintf(out, ")\n");
    }
}
