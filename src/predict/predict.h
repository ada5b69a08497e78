/* predict.h - what a model takes on any chip: one pass, and the best way to serve at a speed its users feel.
 *
 *   slx_shape *m;  slx_predictor *p;  slx_forward_cost cost;
 *   slx_shape_open(&m, "llama-3.1-8b", &err);
 *   slx_predictor_open(&p);
 *   slx_predict_pass(p, chip, &(slx_forward){.model = m, .batch = 8, .context = 2048, .decode = true}, &cost, &err);
 *   ... cost.seconds.mid, cost.bound_by, cost.timed_by ...
 *
 * A chip that runs our programs is timed by its program (compile, then the timing machine); any other by the sum of the
 * kernels that its vendor's library would launch (time/lib.h). Every answer says which.
 */
#ifndef SLX_PREDICT_H
#define SLX_PREDICT_H

#include "base/base.h"
#include "chip/chip.h"
#include "chip/silicon.h"

/* ------------------------------------------------------------------ the shapes of a model */

typedef enum { SLX_MLP_GATED, SLX_MLP_PLAIN } slx_mlp_kind; /* gate, up, down; or up, down */

/* What the time of a pass depends on: wider than slx_hparams, as no program is made of it. Counts of a whole model, not
 * of a shard. 0 = has none; n_layers and vocab may be 0 when parsed from text that does not tell. */
typedef struct {
    const char *name, *type; /* "llama-3.1-8b"; model_type of the config, "" where it gives none */
    const char *path;        /* that slx_model_open takes; NULL when parsed from text */
    const char *config;      /* the text it was parsed from; NULL for a GGUF file */
    uint32_t d_model, n_layers, vocab, context;
    uint32_t n_heads, n_kv_heads, head_dim;
    uint32_t d_ff; /* of a dense layer */
    slx_mlp_kind mlp;
    bool tied, layer_norm;            /* layer_norm: mean and variance, else RMS */
    bool rope, qk_norm, parallel;     /* parallel: attention and MLP share one norm and one sum */
    uint32_t window, n_window_layers; /* keys a windowed layer sees; how many layers are windowed */
    /* mixture of experts */
    uint32_t n_experts, top_k, d_expert, d_shared; /* d_shared: of all shared experts together */
    uint32_t n_moe_layers;
    /* latent attention (DeepSeek): q_rank 0 = q is projected directly */
    uint32_t kv_rank, q_rank, rope_dim, nope_dim, v_dim;
    /* Layers with a state of fixed size in place of keys and values (gated delta rule, Mamba-2): n_state_layers of the
     * n_layers, each with state_heads matrices of state_key x state_value; queries and keys of state_key_heads heads; a
     * convolution over the last state_conv tokens. */
    uint32_t n_state_layers, state_heads, state_key_heads, state_key, state_value, state_conv;
    uint32_t n_bare_layers;  /* layers of attention or state without an MLP */
    bool gated;              /* the result of an attention is multiplied by a gate, projected beside q */
    uint32_t n_draft_layers; /* that guess further tokens, beside the model's own */
    slx_arena arena;
} slx_shape;

/* name: a config.json, a folder with one, a GGUF file, or a name of data/models. */
slx_status slx_shape_open(slx_shape **out, const char *name, slx_err *err);
/* A config.json in memory with Hugging Face's names; only the sizes need be there. name is for messages. */
slx_status slx_shape_parse(slx_shape **out, const char *text, size_t n, const char *name,
                           slx_err *err);
void slx_shape_free(slx_shape *s); /* NULL is fine */
/* Numbers of the model in all, and those that one token uses (experts it is routed to). Embedding counted once. */
double slx_shape_weights(const slx_shape *s);
double slx_shape_active_weights(const slx_shape *s);
/* Numbers one token leaves in the KV cache, all layers; windows ignored. */
double slx_shape_kv_values(const slx_shape *s);
/* Bytes of a sequence's states, whatever its length, all layers: 32 bits a number, 16 of the convolution's. */
double slx_shape_state_bytes(const slx_shape *s);

/* ------------------------------------------------------------------ one pass */

/* What runs the kernels of a chip with `runs: library`. SERVING: an engine of today with whole passes as graphs, the
 * versions of the chip's family file. PLAIN: a framework that launches kernel by kernel, as most public step times were
 * measured (file NAME-plain of the family; where there is none, the chip's kernels and the passes of generic-plain, but
 * for chips whose frameworks compile whole passes, facts.graphs). ALONE: no pass at all, the operators of the layers
 * one by one, each with a launch of its own, as benches of operators time them: no embedding, no logits. EAGER: single
 * layers as modules of a framework that has no fused kernels for them (file NAME-eager; where there is none, SERVING). */
typedef enum {
    SLX_SOFTWARE_SERVING,
    SLX_SOFTWARE_PLAIN,
    SLX_SOFTWARE_ALONE,
    SLX_SOFTWARE_EAGER
} slx_software;
/* The chip under PLAIN or EAGER software, for fits and the predictor. NULL where its family has no such file. The caller's. */
slx_status slx_predict_stack(slx_chip **out, const slx_chip *c, slx_software software,
                             slx_err *err);

typedef struct {
    const slx_shape *model;
    bool decode;      /* one new token a sequence: q_len is then 1, whatever is said */
    uint32_t batch;   /* sequences; 0 = 1 */
    uint32_t q_len;   /* new tokens of each sequence; 0 = context */
    uint32_t context; /* keys of each sequence, the new ones included */
    uint32_t tp;      /* chips that share every layer; 0 = 1 */
    uint32_t
        pp; /* groups of chips that hold layers one after the other; 0 = 1. The pass goes through all */
    /* Library chips alone: attention_dp groups of tp chips hold copies of the attention and deal the sequences of the
     * batch; the experts lie on all of their chips, in moe_ep parts of whole experts. 0 = 1. */
    uint32_t attention_dp, moe_ep;
    uint32_t drafts; /* a decode step checks as many guessed tokens of each sequence beside the next; 0 = none */
    bool all_logits; /* of every row, else of the last row of each sequence */
    bool bands; /* program chips: the band by runs with figures at both ends (six and more), as silex time prints it; else by
                 * shares of the critical path, wider */
    const char *
        dtype; /* of weights and products, a name of SLX_LIB_DTYPES; NULL = bf16 */
    const char *moe_dtype; /* of experts; NULL = dtype */
    const char *kv_dtype; /* NULL = bf16 */
    double power_cap_w;   /* of each chip; 0 = none */
    slx_software software;
    /* Library chips alone. Under a framework that does not use the library's best kernels: of the peak that products
     * reach at most; and of the memory's rate, of reads of keys and values by each query head of its own, which is so
     * from 512 heads of all sequences on. 0 = no limit. */
    double mac_share, kv_share;
    double
        alike; /* 0 .. 1: 1 = the sequences of a batch are copies of one, and go to the same experts */
    double experts; /* products of experts take so many times what one product of the library would; 0 = 1 */
    double moe_us, sync_us; /* of each layer more: to sort rows by expert; to wait for the slowest of tp > 1 chips */
    bool norms_apart; /* of a framework that does not norm in the kernel of an all-reduce */
} slx_forward;

/* The formats of a chip for weights of 16, 8 or 4 bits and keys and values of 16 or 8: products in a format that it has,
 * else weights alone that small. dtype, kv_dtype: for slx_forward; weights, kv_cache: how they are stored: of a program
 * the file's own types, or those of a config in the size asked for where the chip has it, MXINT8 otherwise. */
typedef struct {
    const char *dtype, *kv_dtype, *weights, *kv_cache;
    double weight_bits; /* that a stored weight takes, scales included; NAN = as the file's own types do */
} slx_formats;
slx_formats slx_predict_formats(const slx_chip *c, const slx_shape *model, int weight_bits,
                                int kv_bits);

enum { SLX_FORWARD_PARTS = 24 };

typedef struct {
    slx_band seconds;    /* 90 % of measurements are believed to lie between low and high */
    slx_band joules;     /* of all chips; NAN where the chip's power is not known */
    double power_w;      /* mean, of one chip; NAN likewise */
    double flops, bytes; /* done and moved through memory, all chips */
    char bound_by[48]; /* what most of the time goes to: "weights (HBM)", "gate_up_proj (memory)" */
    const char *timed_by; /* "program" or "library" */
    int n_parts;          /* where the time goes, largest first; sums to seconds.mid */
    struct {
        char name[32];
        double seconds;
    } part[SLX_FORWARD_PARTS];
} slx_forward_cost;

/* Programs and times found so far: one thread at a time. Chips and models are known by their contents, and may go. */
typedef struct slx_predictor slx_predictor;
void slx_predictor_open(slx_predictor **out);
void slx_predictor_close(slx_predictor *p); /* NULL is fine */

/* Versions of the software that the kernels are taken to run under: the family's facts.software; "" = not said, or a chip
 * with programs. Lives as long as p and c. */
const char *slx_predict_software(slx_predictor *p, const slx_chip *c, slx_software software);

/* SLX_EUNSUPPORTED where it cannot be told, with the reason: figures not published, a model that the chip's compiler
 * refuses, parallel forms that are not modelled. Whether the model fits the memory is not asked: slx_predict_fits. */
slx_status slx_predict_pass(slx_predictor *p, const slx_chip *c, const slx_forward *f,
                            slx_forward_cost *out, slx_err *err);

/* ------------------------------------------------------------------ serving frameworks */

/* What a serving framework adds to passes: a row of data/frameworks.csv. A decode step takes slow times its pass, a
 * prompt slow_prompt times (0 = slow), and on the host step_us and seq_us for each of its sequences; front_us, and
 * front_seq_us for each request in the server, pass before a prompt is looked at. experts in decode steps, experts_prompt
 * in prompts (0 = 1); these and mac_share, kv_share, alike, moe_us, sync_us, norms_apart (0 or 1): as in slx_forward. */
typedef struct {
    double slow, slow_prompt, step_us, seq_us, front_us, front_seq_us, mac_share, kv_share, alike, experts,
        experts_prompt, moe_us, sync_us, norms_apart;
    double band_low, band_high;   /* of what is measured over what is predicted; 0 = nothing known */
    double first_low, first_high; /* the same of a server's time to first token; 0 = as the others */
    bool of_family; /* measured on chips of this family: the bands are those of whole runs, their passes in them */
} slx_framework;
/* By its name in data/frameworks.csv, punctuation and case aside: the row NAME/family of the chip (may be NULL), else
 * one of NAME and another family of its maker ("amd" of amd-cdna2), else NAME. */
slx_status slx_framework_find(slx_framework *out, const char *name, const char *family,
                              slx_err *err);

/* A pass as slx_predict_pass tells it, of a serving engine by its name in data/frameworks.csv: its slower products and
 * attention, its slower pass; not what its host adds between passes. SLX_EUNSUPPORTED when there is no such row. */
slx_status slx_predict_step(slx_predictor *p, const slx_chip *c, const slx_forward *f, const char *framework,
                            slx_forward_cost *out, slx_err *err);

/* Whether data/frameworks.csv has a row of that name, of any family. */
bool slx_predict_knows(const char *framework);

/* ------------------------------------------------------------------ where a model runs */

/* One replica of a model: pp stages, each of attention_dp groups of tp chips; 0 = 1. attention_dp, moe_ep, moe_dtype and
 * drafts as in slx_forward. accept: likelihood that a draft is right when those before it were. */
typedef struct {
    const slx_shape *model;
    uint32_t tp, pp, attention_dp, moe_ep, drafts;
    double accept;
    const char *dtype, *moe_dtype, *kv_dtype;
} slx_placement;
double slx_placed_chips(const slx_placement *on); /* of one replica */

/* ------------------------------------------------------------------ one batch from start to end */

/* A batch whose prompts of isl tokens start together and whose answers have osl tokens each: nothing joins it. */
typedef struct {
    slx_placement on; /* in a pipeline the batch goes through the stages in as many parts, one behind the other */
    uint32_t batch, isl, osl; /* >= 1 */
    double power_cap_w;
    slx_software software;
    const char
        *framework; /* a name of data/frameworks.csv: what it adds to a step; NULL = nothing */
    const slx_framework *given; /* in place of the named one, where not NULL */
} slx_static_ask;

typedef struct {
    slx_band ttft_s, tpot_s, batch_s; /* of the whole batch; tpot 0 where osl is 1 */
    slx_band joules;                  /* of all chips */
    double power_w;                   /* mean, of one chip */
    const char *timed_by;
} slx_static_cost;
slx_status slx_predict_static(slx_predictor *p, const slx_chip *c, const slx_static_ask *ask,
                              slx_static_cost *out, slx_err *err);

/* ------------------------------------------------------------------ a server in a steady state */

/* n requests always in flight on `replicas` of the model, each of isl tokens in and osl out (means). */
typedef struct {
    slx_placement on;   /* in a pipeline its requests go through the stages in as many parts */
    double concurrency; /* 0 = as many as the memory and max_seqs allow: offline */
    uint32_t isl, osl, replicas, max_seqs; /* max_seqs of a replica; 0 = 1024 */
    const char *framework;
    const slx_framework *given; /* in place of the named one, where not NULL */
    /* Prompts are read by `readers` replicas of another placement, which hand their keys and values on; 0 = by the same
     * chips. Not offline. */
    slx_placement reader;
    uint32_t readers;
} slx_serving_ask;

typedef struct {
    double running;                 /* requests in a step of a replica */
    slx_band ttft_s, tpot_s, e2e_s; /* means */
    slx_band output_tok_s;          /* of all chips */
    double power_w, peak_w;         /* of one chip: mean; in the more demanding of its passes */
    const char *timed_by;
} slx_serving_cost;
slx_status slx_predict_serving(slx_predictor *p, const slx_chip *c, const slx_serving_ask *ask,
                               slx_serving_cost *out, slx_err *err);

/* ------------------------------------------------------------------ a server under requests over time */

/* cached: tokens of the prompt that a prefix cache has. */
typedef struct {
    double arrival_s;
    uint32_t isl, osl, cached;
} slx_request;

/* Seconds since the first arrival. */
typedef struct {
    double arrival_s, first_s, last_s;
} slx_request_times;

typedef struct {
    slx_placement on;
    uint32_t replicas; /* 0 = 1; requests are dealt to replicas in turn */
    uint32_t max_seqs,
        max_step_tokens; /* of a replica: at once, and tokens of a step; 0 = 1024, 8192 */
    double kv_tokens;    /* that the memory of a replica holds; 0 = worked out */
    double stretch;      /* of all passes, for what-ifs: 1.1 = 10 % longer; 0 = 1 */
    double
        concurrency; /* requests always in flight, whatever their arrivals; 0 = they arrive when they say */
    const slx_request *request; /* in order of arrival */
    int n;                      /* >= 1 */
    const char *framework;
} slx_traffic_ask;

typedef struct {
    double mean, p50, p90, p95, p99;
} slx_spread;

typedef struct {
    slx_spread ttft_s, tpot_s, e2e_s; /* over requests; tpot of those of two tokens and more */
    double output_tok_s, seconds;     /* from the first arrival to the last token */
    double running;                   /* mean sequences of a replica */
    double power_w;                   /* mean, of one chip */
    double band_low, band_high;       /* of its passes and its framework, as factors */
    const char *timed_by;
} slx_traffic_cost;

/* The scheduler of a serving engine, step by step (traffic.c). The same requests give the same answer. */
slx_status slx_predict_traffic(slx_predictor *p, const slx_chip *c, const slx_traffic_ask *ask,
                               slx_traffic_cost *out, slx_err *err);

/* ------------------------------------------------------------------ memory */

/* Bytes that one of f->tp x f->pp chips must hold: weights and the KV cache of the batch, on a chip of ours in the formats
 * that its compiler stores; and what it has (NAN = not published).
 * Usable memory of a library chip is 0.9 of what its driver leaves, as serving frameworks reserve the rest by default. */
typedef struct {
    double weights, kv, usable;
} slx_predict_memory;
slx_status slx_predict_fits(const slx_chip *c, const slx_forward *f, slx_predict_memory *out,
                            slx_err *err);

/* One operator of one layer on one of tp chips: norm qkv_proj q_proj k_proj v_proj o_proj gate_up_proj gate_proj up_proj
 * down_proj act rope add lm_head. Library chips only. */
typedef struct {
    const slx_shape *model;
    const char *op;
    uint32_t tokens, tp; /* >= 1 */
    const char *dtype;   /* NULL = bf16 */
    slx_software software;
} slx_layer_ask;
slx_status slx_predict_layer(slx_predictor *p, const slx_chip *c, const slx_layer_ask *ask,
                             slx_band *seconds, slx_err *err);

/* ------------------------------------------------------------------ the best way to serve */

enum { SLX_BEST_MAX_BATCH = 512 };

typedef struct {
    const slx_shape *model;
    uint32_t context;   /* keys of each sequence while it decodes */
    double tpot_s;      /* no token may take longer; 0 = no target */
    uint32_t batch;     /* 0 = the best up to max_batch */
    uint32_t tp;        /* 0 = the best of 1, 2, 4, 8 */
    uint32_t max_tp;    /* of those; 0 = 8 */
    uint32_t max_batch; /* 0 = SLX_BEST_MAX_BATCH */
    const char *dtype, *kv_dtype;
} slx_best_ask;

typedef struct {
    uint32_t tp, batch;
    slx_forward_cost pass; /* one decode step */
    double tok_s_user, tok_s_chip;
    slx_band j_per_token; /* NAN where unknown */
    slx_band
        usd_per_mtok; /* chip, server, building, power (silicon.h); NAN where a price is not published */
    const char *usd_missing; /* the figure it depends on; NULL when known */
} slx_best;

/* Most tokens a second and chip among the batches and TP degrees that fit the memory and the target. SLX_EUNSUPPORTED
 * with the reason when none does ("needs 140.2 GB of weights, 8 chips hold .."). */
slx_status slx_predict_best(slx_predictor *p, const slx_chip *c, const slx_best_ask *ask,
                            slx_best *out, slx_err *err);

#endif
