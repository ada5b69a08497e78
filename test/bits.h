/* bits.h - what the tests of equal bits share: generated models, engines, a schedule of steps, one digest a sequence.
 *
 * Sequences are teacher-forced: their tokens are drawn beforehand, and logits are asked for on their last
 * BITS_SAMPLED positions, however the positions are cut into steps and whoever shares a step. So a sequence has one
 * digest of logits and one of KV pages, whatever the schedule, the machine, its level and its threads.
 */
#ifndef SLX_TEST_BITS_H
#define SLX_TEST_BITS_H

#include "gguf_make.h"
#include "run/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

enum { BITS_SAMPLED = 5, BITS_MAX_SEQS = 16 };

typedef struct {
    const char *name, *chip;
    struct slx_test_model_spec spec;
} bits_model;

typedef struct {
    const uint32_t *tokens;
    uint32_t n;
} bits_text;

typedef struct {
    uint64_t logits, kv;
} bits_digest;

/* How a machine is to run: all that must not change a bit. */
typedef struct {
    const char *chip;
    slx_machine_kind kind;
    const slx_kern *kern; /* NULL = best */
    int threads;
    bool unfused;
    uint32_t max_rows, tp;
} bits_how;

static inline const char *bits_path(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/slx-bits-%d.gguf", (int)getpid());
    return path;
}

/* Random tokens; the caller frees them. */
static inline uint32_t *bits_tokens(uint32_t n, uint32_t vocab, uint64_t seed)
{
    slx_rng r = {seed};
    uint32_t *t = slx_xmalloc(n * sizeof *t);
    for (uint32_t i = 0; i < n; i++) t[i] = slx_rng_below(&r, vocab);
    return t;
}

static inline slx_engine *bits_open(const char *path, const bits_how *how, uint32_t context,
                                    uint32_t pages)
{
    slx_err err = {0};
    slx_engine *e = NULL;
    slx_engine_options o = {.model_path = path,
                            .chip = how->chip,
                            .kind = how->kind,
                            .threads = how->threads,
                            .kern = how->kern,
                            .unfused = how->unfused,
                            .compile = {.max_rows = how->max_rows ? how->max_rows : 512,
                                        .max_samples = BITS_MAX_SEQS * BITS_SAMPLED,
                                        .max_seqs = BITS_MAX_SEQS,
                                        .max_context = context,
                                        .max_pages = pages,
                                        .tp = how->tp}};
    if (slx_engine_open(&e, &o, &err) != SLX_OK) fail_msg("%s: %s", path, err.msg);
    uint32_t fused, spans;
    const char *why;
    slx_machine_fusion(slx_engine_machine(e), &fused, &spans, &why);
    if (how->kind == SLX_MACHINE_FAST && !how->unfused && why)
        fail_msg("%s: not fused: %s", path, why);
    return e;
}

/* Rows of positions [at, at+n) of a text of `total` that want logits. */
static inline uint32_t bits_sampled(uint32_t at, uint32_t n, uint32_t total)
{
    uint32_t first = total > BITS_SAMPLED ? total - BITS_SAMPLED : 0;
    return at + n <= first ? 0 : at >= first ? n : at + n - first;
}

static inline bits_digest bits_digest_of(slx_engine *e, const slx_seq *s)
{
    uint32_t n;
    const uint32_t *pages = slx_seq_pages(s, &n);
    return (bits_digest){slx_seq_hash(s), slx_machine_kv_hash(slx_engine_machine(e), pages, n)};
}

/* Sequences one after another on one engine, each on pages of its own, text i in chunk[i] rows a step. */
static inline void bits_alone_each(const char *path, const bits_how *how, const bits_text *t,
                                   const uint32_t *chunk, uint32_t n, bits_digest *out)
{
    slx_err err = {0};
    slx_seq *s[BITS_MAX_SEQS];
    uint32_t pages = 0, longest = 0;
    for (uint32_t i = 0; i < n; i++) {
        pages += (t[i].n + 127) / 128;
        longest = t[i].n > longest ? t[i].n : longest;
    }
    slx_engine *e = bits_open(path, how, longest, pages);
    for (uint32_t i = 0; i < n; i++) {
        s[i] = slx_seq_new(e);
        for (uint32_t at = 0; at < t[i].n; at += chunk[i]) {
            uint32_t k = t[i].n - at < chunk[i] ? t[i].n - at : chunk[i];
            slx_batch_entry b = {.seq = s[i],
                                 .tokens = t[i].tokens + at,
                                 .n = k,
                                 .n_logits = bits_sampled(at, k, t[i].n)};
            if (slx_engine_step(e, &b, 1, &err) != SLX_OK) fail_msg("%s", err.msg);
        }
        out[i] = bits_digest_of(e, s[i]);
    }
    for (uint32_t i = 0; i < n; i++) slx_seq_free(s[i]);
    slx_engine_close(e);
}

static inline bits_digest bits_alone(const char *path, const bits_how *how, bits_text t,
                                     uint32_t chunk)
{
    bits_digest d;
    bits_alone_each(path, how, &t, &chunk, 1, &d);
    return d;
}

/* Sequences together: every step takes a random part of some of them, so that prefill and decode rows mix. */
static inline void bits_together(const char *path, const bits_how *how, const bits_text *t,
                                 uint32_t n, uint64_t seed, bits_digest *out)
{
    slx_err err = {0};
    slx_rng r = {seed};
    slx_seq *s[BITS_MAX_SEQS];
    uint32_t at[BITS_MAX_SEQS] = {0}, pages = 0, longest = 0, left = n;
    for (uint32_t i = 0; i < n; i++) {
        pages += (t[i].n + 127) / 128;
        longest = t[i].n > longest ? t[i].n : longest;
    }
    slx_engine *e = bits_open(path, how, longest, pages);
    uint32_t max_rows = slx_engine_program(e)->info.desc.max_rows;
    for (uint32_t i = 0; i < n; i++) s[i] = slx_seq_new(e);
    while (left) {
        slx_batch_entry b[BITS_MAX_SEQS];
        uint32_t who[BITS_MAX_SEQS], count = 0, rows = 0, first = slx_rng_below(&r, n);
        for (uint32_t k = 0; k < n; k++) {
            uint32_t i = (first + k) % n, rest = t[i].n - at[i];
            if (!rest || !slx_rng_below(&r, 5)) continue;
            uint32_t want = slx_rng_below(&r, 3) ? 1 : 1 + slx_rng_below(&r, 100);
            want = want < rest ? want : rest;
            want = want < max_rows - rows ? want : max_rows - rows;
            if (!want) break;
            b[count] = (slx_batch_entry){.seq = s[i],
                                         .tokens = t[i].tokens + at[i],
                                         .n = want,
                                         .n_logits = bits_sampled(at[i], want, t[i].n)};
            who[count++] = i;
            rows += want;
        }
        if (slx_engine_step(e, b, count, &err) != SLX_OK) fail_msg("%s", err.msg);
        for (uint32_t k = 0; k < count; k++) {
            at[who[k]] += b[k].n;
            left -= at[who[k]] == t[who[k]].n;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        out[i] = bits_digest_of(e, s[i]);
        slx_seq_free(s[i]);
    }
    slx_engine_close(e);
}

/* The digest of logits that the whole-tensor reference gives. */
static inline uint64_t bits_golden(const char *path, const char *chip, bits_text t)
{
    slx_err err = {0};
    bits_how how = {.chip = chip, .threads = 1, .unfused = true}; /* nothing is run */
    slx_engine *e = bits_open(path, &how, t.n, (t.n + 127) / 128);
    uint32_t vocab = slx_engine_program(e)->info.vocab, rows = bits_sampled(0, t.n, t.n);
    float *l = slx_xcalloc((size_t)t.n * vocab, sizeof *l);
    if (slx_golden(slx_engine_model(e), slx_engine_program(e), t.tokens, t.n, l, &err) != SLX_OK)
        fail_msg("%s", err.msg);
    uint64_t h = slx_hash_of(l + (size_t)(t.n - rows) * vocab, (size_t)rows * vocab * sizeof *l);
    free(l);
    slx_engine_close(e);
    return h;
}

#define BITS_EQUAL(got, want, ...)                                                                 \
    do {                                                                                           \
        bits_digest got_ = (got), want_ = (want);                                                  \
        if (got_.logits != want_.logits || got_.kv != want_.kv) {                                  \
            print_error("%s %s\n",                                                                 \
                        got_.logits != want_.logits ? "logits differ" : "logits are equal",        \
                        got_.kv != want_.kv ? "pages differ" : "pages are equal");                 \
            fail_msg(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

/* ------------------------------------------------------------------ the generated models */

#define BITS_TYPES(e, o, q, a, g, d)                                                               \
    .t_embd = SLX_T_##e, .t_output = SLX_T_##o, .t_qkv = SLX_T_##q, .t_o = SLX_T_##a,              \
    .t_gate_up = SLX_T_##g, .t_down = SLX_T_##d

/* Shapes: GQA 1 2 3 8, MQA, one head; head sizes 16 to 128; nothing a multiple of 32; odd numbers of blocks; odd
 * vocabularies; tied and not; every weight type, mixed; n_rot below the head size; both small chips and the large one.
 * silex-one has no formats with fp16 scales, so everything becomes MXINT8 there. */
static const bits_model bits_models[] = {
    {"gqa2-q4_1",
     "silex-1",
     {.n_layers = 2,
      .d_model = 64,
      .d_ff = 96,
      .n_heads = 4,
      .n_kv_heads = 2,
      .vocab = 70,
      BITS_TYPES(Q4_1, Q8_0, Q4_1, Q4_0, Q4_1, Q8_0),
      .seed = 101}},
    {"gqa2-mxfp4",
     "silex-1",
     {.n_layers = 2,
      .d_model = 96,
      .d_ff = 352,
      .n_heads = 4,
      .n_kv_heads = 2,
      .head_dim = 32,
      .vocab = 70,
      BITS_TYPES(MXFP4, MXFP4, MXFP4, MXFP4, MXFP4, MXFP4),
      .seed = 141}},
    {"gqa3-q8_0",
     "silex-mini",
     {.n_layers = 2,
      .d_model = 96,
      .d_ff = 160,
      .n_heads = 6,
      .n_kv_heads = 2,
      .vocab = 97,
      BITS_TYPES(Q8_0, Q8_0, Q8_0, Q8_0, Q8_0, Q8_0),
      .seed = 102}},
    {"gqa8-hd16",
     "silex-mini",
     {.d_model = 128,
      .d_ff = 64,
      .n_heads = 8,
      .n_kv_heads = 1,
      .vocab = 33,
      BITS_TYPES(F16, F16, F16, Q4_1, Q4_0, Q4_0),
      .tied = true,
      .seed = 103}},
    {"gqa8-two",
     "silex-mini",
     {.d_model = 64,
      .d_ff = 96,
      .n_heads = 16,
      .n_kv_heads = 2,
      .head_dim = 32,
      .vocab = 51,
      BITS_TYPES(BF16, Q4_0, Q4_0, Q4_0, Q8_0, Q4_1),
      .seed = 104}},
    {"mha-hd48",
     "silex-mini",
     {.n_layers = 2,
      .d_model = 80,
      .d_ff = 112,
      .n_heads = 3,
      .n_kv_heads = 3,
      .head_dim = 48,
      .vocab = 45,
      .tied = true,
      BITS_TYPES(F32, F32, F16, BF16, F32, F16),
      .seed = 105}},
    {"mqa-hd48-rot16",
     "silex-mini",
     {.d_model = 80,
      .d_ff = 112,
      .n_heads = 5,
      .n_kv_heads = 1,
      .head_dim = 48,
      .n_rot = 16,
      .vocab = 45,
      .rope_freqs = true,
      BITS_TYPES(F16, BF16, F16, F32, BF16, F32),
      .seed = 106}},
    {"one-head", "silex-mini", {.d_model = 32, .d_ff = 32, .vocab = 33, .tied = true, .seed = 107}},
    {"one-head-hd64",
     "silex-one",
     {.d_model = 64,
      .d_ff = 96,
      .vocab = 65,
      .tied = true,
      BITS_TYPES(Q4_1, F32, Q4_1, Q4_1, Q4_1, Q4_1),
      .seed = 108}},
    {"qwen2-gqa3",
     "silex-1",
     {.n_layers = 2,
      .arch = "qwen2",
      .d_model = 96,
      .d_ff = 160,
      .n_heads = 6,
      .n_kv_heads = 2,
      .vocab = 97,
      BITS_TYPES(Q8_0, Q8_0, Q4_0, Q8_0, Q4_1, Q8_0),
      .seed = 131}},
    {"qwen2-hd48",
     "silex-mini",
     {.arch = "qwen2",
      .d_model = 80,
      .d_ff = 112,
      .n_heads = 3,
      .n_kv_heads = 1,
      .head_dim = 48,
      .vocab = 45,
      .tied = true,
      BITS_TYPES(F32, F32, F16, BF16, F32, F16),
      .seed = 132}},
    {"qwen3-hd64",
     "silex-1",
     {.n_layers = 2,
      .arch = "qwen3",
      .d_model = 128,
      .d_ff = 192,
      .n_heads = 4,
      .n_kv_heads = 2,
      .head_dim = 64,
      .vocab = 129,
      .tied = true,
      BITS_TYPES(Q4_1, Q4_1, Q4_1, Q4_1, Q4_1, Q4_1),
      .seed = 133}},
    {"qwen3-hd16",
     "silex-one",
     {.arch = "qwen3",
      .d_model = 64,
      .d_ff = 96,
      .n_heads = 4,
      .n_kv_heads = 4,
      .vocab = 65,
      BITS_TYPES(Q8_0, F32, Q8_0, Q8_0, Q8_0, Q8_0),
      .seed = 134}},
    {"hd64-odd-blocks",
     "silex-1",
     {.d_model = 224,
      .d_ff = 352,
      .n_heads = 3,
      .n_kv_heads = 1,
      .head_dim = 64,
      .vocab = 129,
      BITS_TYPES(Q4_1, Q4_1, Q4_1, Q4_1, Q4_1, Q4_1),
      .seed = 109}},
    {"hd80",
     "silex-mini",
     {.d_model = 160,
      .d_ff = 224,
      .n_heads = 2,
      .n_kv_heads = 1,
      .head_dim = 80,
      .n_rot = 64,
      .vocab = 77,
      BITS_TYPES(Q8_0, Q4_1, Q4_0, Q4_0, Q4_1, Q8_0),
      .seed = 110}},
    {"hd128",
     "silex-mini",
     {.d_model = 128,
      .d_ff = 192,
      .n_heads = 2,
      .n_kv_heads = 2,
      .head_dim = 128,
      .vocab = 61,
      .tied = true,
      BITS_TYPES(Q4_0, F32, Q8_0, Q4_1, Q4_1, Q4_0),
      .seed = 111}},
    {"hd128-gqa4",
     "silex-mini",
     {.d_model = 96,
      .d_ff = 96,
      .n_heads = 4,
      .n_kv_heads = 1,
      .head_dim = 128,
      .n_rot = 96,
      .vocab = 39,
      BITS_TYPES(BF16, F16, BF16, BF16, F16, BF16),
      .seed = 112}},
    {"hd32-d50",
     "silex-mini",
     {.n_layers = 3,
      .d_model = 50,
      .d_ff = 66,
      .n_heads = 2,
      .n_kv_heads = 1,
      .head_dim = 32,
      .vocab = 31,
      BITS_TYPES(F16, F32, F16, F16, F32, BF16),
      .seed = 113}},
    {"d33-ff35",
     "silex-mini",
     {.d_model = 33,
      .d_ff = 35,
      .n_heads = 1,
      .n_kv_heads = 1,
      .head_dim = 16,
      .vocab = 7,
      .tied = true,
      .rope_linear = 4,
      .seed = 114}},
    {"d31",
     "silex-1",
     {.n_layers = 2,
      .d_model = 31,
      .d_ff = 97,
      .n_heads = 9,
      .n_kv_heads = 3,
      .head_dim = 16,
      .vocab = 101,
      BITS_TYPES(F16, F16, F32, F16, BF16, F16),
      .t_norm = SLX_T_F16,
      .seed = 115}},
    {"wide-ff",
     "silex-mini",
     {.d_model = 64,
      .d_ff = 2080,
      .n_heads = 2,
      .n_kv_heads = 1,
      .vocab = 40,
      BITS_TYPES(Q8_0, Q8_0, Q4_0, Q4_1, Q8_0, Q4_1),
      .seed = 116}},
    {"wide-d",
     "silex-mini",
     {.d_model = 1056,
      .d_ff = 96,
      .n_heads = 1,
      .n_kv_heads = 1,
      .head_dim = 64,
      .vocab = 35,
      BITS_TYPES(Q4_1, Q4_0, Q4_1, Q4_1, Q4_0, Q8_0),
      .seed = 117}},
    {"deep",
     "silex-1",
     {.n_layers = 7,
      .d_model = 32,
      .d_ff = 64,
      .n_heads = 2,
      .n_kv_heads = 2,
      .head_dim = 16,
      .vocab = 289,
      BITS_TYPES(Q4_0, Q4_0, Q4_0, Q4_0, Q4_0, Q4_0),
      .eps = 1e-6f,
      .rope_base = 500000,
      .seed = 118}},
    {"vocab-1",
     "silex-mini",
     {.d_model = 64, .d_ff = 64, .n_heads = 2, .n_kv_heads = 1, .vocab = 1, .seed = 119}},
    {"vocab-big",
     "silex-mini",
     {.d_model = 32,
      .d_ff = 32,
      .n_heads = 1,
      .n_kv_heads = 1,
      .vocab = 1999,
      BITS_TYPES(Q4_1, Q8_0, F32, F32, F32, F32),
      .seed = 120}},
    {"gqa5-hd64",
     "silex-one",
     {.d_model = 96,
      .d_ff = 160,
      .n_heads = 5,
      .n_kv_heads = 1,
      .head_dim = 64,
      .n_rot = 32,
      .vocab = 63,
      BITS_TYPES(Q8_0, Q4_1, Q4_0, F16, BF16, Q4_1),
      .seed = 121}},
    {"hd16-many",
     "silex-mini",
     {.d_model = 64,
      .d_ff = 32,
      .n_heads = 12,
      .n_kv_heads = 4,
      .head_dim = 16,
      .vocab = 47,
      BITS_TYPES(Q4_0, Q4_1, Q4_1, Q8_0, Q4_0, Q4_0),
      .seed = 122}},
    {"hd96",
     "silex-mini",
     {.d_model = 96,
      .d_ff = 128,
      .n_heads = 3,
      .n_kv_heads = 1,
      .head_dim = 96,
      .n_rot = 48,
      .vocab = 81,
      BITS_TYPES(Q4_1, Q4_1, Q8_0, Q4_1, Q8_0, Q4_1),
      .seed = 123}},
    {"hd256",
     "silex-mini",
     {.d_model = 64,
      .d_ff = 64,
      .n_heads = 1,
      .n_kv_heads = 1,
      .head_dim = 256,
      .vocab = 41,
      BITS_TYPES(Q4_1, Q4_1, Q4_1, Q4_1, Q4_1, Q4_1),
      .seed = 124}},
};
enum { BITS_N_MODELS = (int)(sizeof bits_models / sizeof bits_models[0]) };

/* Writes model i's file, of `context` positions. */
static inline const char *bits_write(const bits_model *m, uint32_t context)
{
    struct slx_test_model_spec s = m->spec;
    s.context = context;
    assert_true(slx_test_write_model(bits_path(), &s));
    return bits_path();
}

#endif
