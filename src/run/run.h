/* run.h - a served model: chip, model, program and machine together; sequences over paged KV; prompts to tokens.
 *
 *   slx_engine       opened once; owns chip, model, program, machine and the page pool
 *   slx_seq          one sequence: its tokens so far, its pages, its logit digest
 *   slx_engine_step  any mix of sequences in one step of the machine (continuous batching)
 *
 * One engine is used by one thread at a time; its machine uses a team of its own.
 */
#ifndef SLX_RUN_H
#define SLX_RUN_H

#include "chip/chip.h"
#include "compile/compile.h"
#include "func/func.h"
#include "model/model.h"

/* ------------------------------------------------------------------ engine */

typedef struct {
    const char *model_path;   /* GGUF */
    const char *chip;         /* name or path; NULL = silex-1 */
    const char *program_path; /* run this .slx instead of compiling; NULL */
    const char *template_path; /* chat template in place of the model's own; NULL */
    slx_machine_kind kind;
    int threads;          /* 0 = all */
    const slx_kern *kern; /* NULL = best */
    bool unfused;
    slx_compile_options compile;
} slx_engine_options;

typedef struct slx_engine slx_engine;
slx_status slx_engine_open(slx_engine **out, const slx_engine_options *opt, slx_err *err);
void slx_engine_close(slx_engine *e);
const slx_model *slx_engine_model(const slx_engine *e);
const slx_chip *slx_engine_chip(const slx_engine *e);
const slx_program *slx_engine_program(const slx_engine *e);
slx_machine *slx_engine_machine(slx_engine *e);
uint32_t slx_engine_free_pages(const slx_engine *e);

/* ------------------------------------------------------------------ sequences */

typedef struct slx_seq slx_seq;
slx_seq *slx_seq_new(slx_engine *e);
void slx_seq_free(slx_seq *s);             /* gives its pages back */
uint32_t slx_seq_length(const slx_seq *s); /* positions in the KV pages */
/* Digest of the logit rows asked for, in order (vocab floats each). */
uint64_t slx_seq_hash(const slx_seq *s);
const uint32_t *slx_seq_pages(const slx_seq *s, uint32_t *n);

/* What one sequence does in one step: n new tokens; the last n_logits of them get logit rows. */
typedef struct {
    slx_seq *seq;
    const uint32_t *tokens;
    uint32_t n, n_logits;
    const float *logits; /* out: [n_logits][vocab_pad], valid until the next step; NULL when n_logits is 0 */
} slx_batch_entry;

/* One step. Refuses (SLX_EINPUT) what exceeds the program's rows, samples, sequences, context, or the free pages, and
 * a sequence that comes twice, and then changes nothing. Every logit row is added to its sequence's digest. */
slx_status slx_engine_step(slx_engine *e, slx_batch_entry *batch, uint32_t n, slx_err *err);

/* A prompt in chunks of at most `chunk` rows (0 = the program's maximum); logits of the last position as above. Looks at
 * slx_interrupted between chunks. */
slx_status slx_seq_prefill(slx_seq *s, const uint32_t *tokens, uint32_t n, uint32_t chunk,
                           const float **logits, slx_err *err);

/* ------------------------------------------------------------------ generation */

typedef struct {
    float temperature;  /* 0 = greedy */
    uint32_t top_k;     /* 0 = off */
    float top_p, min_p; /* 1, 0 = off */
    uint64_t seed;
} slx_sampling;

/* Draws one token from a logit row by the contract's sampling (num): candidates are the first 1,024 in order. */
slx_status slx_sample_token(const slx_engine *e, const float *logits, uint32_t position,
                            const slx_sampling *p, uint32_t *token, slx_err *err);

typedef struct {
    double load_s, first_token_s;       /* opening the engine; prompt to first token */
    double prefill_tok_s, decode_tok_s; /* to the first token; decode 0 when fewer than two tokens were made */
    uint32_t prompt_tokens, new_tokens;
    const char *finish_reason; /* "stop", "length", "interrupted" */
    uint64_t hash;
} slx_generation;

/* Prompt tokens in, text out by on_text as it comes (complete UTF-8), ids appended to *ids (slx_buf of u32; the end
 * token is not among them). Stops at an end-of-generation token, at max_new, at the context's end, or when
 * interrupted, which is a finish_reason and no error. */
slx_status slx_generate(slx_seq *s, const uint32_t *prompt, uint32_t n, uint32_t max_new, uint32_t chunk,
                        const slx_sampling *p, void (*on_text)(void *arg, const char *text, size_t len),
                        void *arg, slx_buf *ids, slx_generation *out, slx_err *err);

/* A user's text as the model's own template renders it, control tokens in the text neutralised; raw: as it is. */
slx_status slx_prompt_tokens(const slx_model *m, const char *text, size_t len, bool raw, slx_buf *ids,
                             slx_err *err);

/* ------------------------------------------------------------------ perplexity, bench */

typedef struct {
    uint64_t tokens;        /* scored */
    double nll, perplexity; /* mean natural negative log-likelihood */
    slx_buf logprobs;       /* doubles, of the scored tokens in order */
    uint64_t hash;
} slx_perplexity;
/* llama.cpp's rule: windows of ctx tokens, the second half of each scored (positions ctx/2 .. ctx-2 predict the
 * next), no BOS unless the model asks. */
slx_status slx_perplexity_run(slx_engine *e, const uint32_t *tokens, uint32_t n, uint32_t ctx,
                              slx_perplexity *out, slx_err *err);

typedef struct {
    const char *test;
    int threads;
    double tok_s, tok_s_stddev;
} slx_bench_result;
/* pp: a prompt of n_prompt tokens in one go; tg: n_gen tokens one at a time; repeated, mean and deviation. */
slx_status slx_bench_run(slx_engine *e, uint32_t n_prompt, uint32_t n_gen, uint32_t repeat,
                         slx_bench_result out[2], slx_err *err);

#endif
