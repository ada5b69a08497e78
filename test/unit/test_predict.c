/* test_predict.c - shapes of models, the kernels of a pass, and what they add up to. Expected values are sums done by
 * hand or published figures, each with its source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shapes.h"

/* ------------------------------------------------------------------ shapes */

/* Numbers of weights, in billions, that the publishers state for the models. */
static void test_published_sizes(void **state)
{
    static const struct {
        const char *name;
        double all, active, pm;
    } known[] = {
        {"llama-3.1-8b", 8.03, 8.03, 0.01},  /* model card: 8B; safetensors 8.03 B */
        {"llama-3.1-70b", 70.6, 70.6, 0.01}, /* 70.6 B */
        {"mixtral-8x7b", 46.7, 12.9, 0.01},  /* arXiv 2401.04088: 47B, 13B active */
        {"mixtral-8x22b", 141, 39, 0.01},    /* mistral.ai: 141B, 39B active */
        {"deepseek-v3", 671, 37, 0.02},      /* arXiv 2412.19437 */
        {"deepseek-v2", 236, 21, 0.02},      /* arXiv 2405.04434 */
        {"kimi-k2", 1026, 32.6, 0.03},       /* model card: 1T, 32B active */
        {"glm-5", 744, 40, 0.03},            /* its technical report: 744B, 40B active */
        {"qwen3-30b-a3b", 30.5, 3.3, 0.02},  /* model card */
        {"qwen3-235b-a22b", 235, 22, 0.02},  /* model card */
        {"gpt-oss-120b", 116.8, 5.7,
         0.01}, /* model card: 116.83 B, 5.13 B without the embedding's 0.58 B */
        {"gpt-oss-20b", 20.9, 4.19, 0.01},    /* model card: 20.91 B, 3.61 B and 0.58 B */
        {"gpt3-175b", 175, 175, 0.01},        /* arXiv 2005.14165 */
        {"bloom-176b", 176.2, 176.2, 0.01},   /* model card: 176,247,271,424 */
        {"opt-66b", 66, 66, 0.02},            /* arXiv 2205.01068 */
        {"gemma-2-27b", 27.2, 27.2, 0.01},    /* arXiv 2408.00118: 1.18 + 26.05 B */
        {"phi-2", 2.78, 2.78, 0.01},          /* model card: 2.7B; safetensors 2.78 B */
        {"yi-34b", 34.4, 34.4, 0.01},         /* model card: 34B; safetensors 34.4 B */
        {"glm-4.5", 355, 32, 0.06},           /* model card: 355B, 32B active */
        {"minimax-m2", 230, 11.2, 0.04},      /* model card: 230B, 10B active and 1.2 B of tables */
        {"dbrx", 132, 36, 0.02},              /* databricks.com: 132B, 36B active */
        {"qwen2-57b-a14b", 57.4, 14.2, 0.02}, /* model card: 57.41 B, 14B active */
        {"falcon-180b", 180, 180, 0.02},      /* arXiv 2311.16867 */
        {"falcon-40b", 41.3, 41.3, 0.02},     /* model card: 40B; safetensors 41.3 B */
        {"gpt-neox-20b", 20.6, 20.6, 0.01},   /* arXiv 2204.06745: 20.55 B */
        {"gemma-3-27b", 27, 27, 0.02},        /* arXiv 2503.19786: 1.416 + 25.6 B */
        {"gemma-3-12b", 11.8, 11.8, 0.02},    /* 1.012 + 10.76 B */
        {"gemma-3-4b", 3.88, 3.88, 0.02},     /* 0.675 + 3.209 B */
        {"gemma-3-1b", 1.0, 1.0, 0.02},       /* 0.302 + 0.698 B */
        {"phi-3-mini", 3.82, 3.82, 0.01},     /* arXiv 2404.14219: 3.8B */
        {"phi-3-medium", 13.96, 13.96, 0.01}, /* 14B */
        {"mistral-small-24b", 23.6, 23.6, 0.01}, /* model card: 24B; safetensors 23.6 B */
        {"qwen-7b", 7.72, 7.72, 0.01},           /* model card: 7.7B */
        {"qwen1.5-7b", 7.72, 7.72, 0.01},        /* safetensors 7.72 B */
        {"yi-6b", 6.06, 6.06, 0.01},             /* safetensors 6.06 B */
        {"gpt2", 0.124, 0.124, 0.02},            /* 124M */
        {"qwen-72b", 72, 72, 0.01},
        {"glm-4.5-air", 106, 13.2, 0.04},          /* model card: 106B, 12B active and 1.2 B of tables */
        {"qwen3-coder-480b-a35b", 480, 35, 0.02},  /* model card */
        {"mistral-nemo-12b", 12.25, 12.25, 0.01},  /* safetensors 12.2 B */
        {"codestral-22b", 22.2, 22.2, 0.01},       /* model card: 22.2B */
        {"phi-3.5-moe", 41.9, 6.6, 0.02},          /* model card: 16 x 3.8B; 42B, 6.6B active */
        {"command-r-plus", 104, 104, 0.01},        /* model card: 104B */
        {"qwen3-next-80b-a3b", 79.67, 3.87, 0.01}, /* safetensors 79.67 B; 3.87 B without idle experts */
        {"qwen3.5-397b-a17b", 397, 17, 0.03},      /* model card: 397B, 17B active */
        {"qwen3.5-9b", 9, 9, 0.05},                /* model card */
        {"llama-4-maverick", 400, 17, 0.02}, /* model card */
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        slx_shape *s = open_shape(known[i].name);
        near_to(slx_shape_weights(s), known[i].all * 1e9, known[i].pm);
        near_to(slx_shape_active_weights(s), known[i].active * 1e9, known[i].pm);
        slx_shape_free(s);
    }
}

static void test_kv_values(void **state)
{
    (void)state;
    slx_shape *s = open_shape("llama-3.1-8b");
    near_to(slx_shape_kv_values(s), 2.0 * 32 * 8 * 128, 1e-12);
    slx_shape_free(s);
    s = open_shape("deepseek-v3"); /* 61 layers of 512 + 64: 70,272 bytes in bf16 */
    near_to(slx_shape_kv_values(s), 61.0 * 576, 1e-12);
    slx_shape_free(s);
}

static void test_names_of_families(void **state)
{
    (void)state;
    slx_shape *s = parse_shape(
        "{\"model_type\":\"gpt2\",\"n_embd\":64,\"n_layer\":2,\"n_head\":4,\"vocab_size\":100}");
    assert_int_equal(s->d_ff, 256);
    assert_int_equal(s->mlp, SLX_MLP_PLAIN);
    assert_true(s->layer_norm && s->tied && !s->rope);
    slx_shape_free(s);
    s = parse_shape(
        "{\"text_config\":{\"hidden_size\":64,\"num_hidden_layers\":3,\"num_attention_heads\":4,"
        "\"intermediate_size\":96,\"vocab_size\":100}}");
    assert_int_equal(s->n_layers, 3);
    slx_shape_free(s);
    s = open_shape("gpt-oss-20b");
    assert_int_equal(s->window, 128);
    assert_int_equal(s->n_window_layers, 12);
    slx_shape_free(s);
    s = open_shape("deepseek-v3");
    assert_int_equal(s->n_moe_layers, 58);
    assert_int_equal(s->d_shared, 2048);
    slx_shape_free(s);
}

static void test_refusals(void **state)
{
    static const char *const bad[][2] = {
        {"[]", "not a JSON object"},
        {"{", "not a JSON object"},
        {"{\"hidden_size\":64}", "key 'num_attention_heads': not found"},
        {"{\"hidden_size\":-1}", "key 'hidden_size': found -1"},
        {"{\"hidden_size\":1e9}", "key 'hidden_size': found 1000000000.0"},
        {"{\"hidden_size\":64,\"num_attention_heads\":4,\"num_key_value_heads\":3}",
         "expected a divisor of the 4"},
        {"{\"hidden_size\":64,\"num_attention_heads\":4,\"num_hidden_layers\":1}",
         "key 'intermediate_size': not found"},
        {"{\"hidden_size\":64,\"num_attention_heads\":4,\"kv_lora_rank\":8}", "qk_rope_head_dim"},
        {"{\"hidden_size\":64,\"num_attention_heads\":4,\"num_hidden_layers\":1,\"num_experts\":4,"
         "\"num_experts_per_tok\":5,\"moe_intermediate_size\":8}",
         "at most the 4 experts"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        slx_shape *s;
        slx_err err = {0};
        assert_int_equal(slx_shape_parse(&s, bad[i][0], strlen(bad[i][0]), "test", &err),
                         SLX_EINPUT);
        assert_null(s);
        if (!strstr(err.msg, bad[i][1])) fail_msg("%s: %s", bad[i][0], err.msg);
    }
}

/* ------------------------------------------------------------------ kernels of a pass */

static double flops(const slx_plan *p)
{
    double sum = 0;
    for (int i = 0; i < p->n; i++)
        if (p->k[i].kind != SLX_KERNEL_ROWS) sum += p->k[i].count * slx_kernel_flops(&p->k[i]);
    return sum;
}

/* A token of a dense model takes two operations a weight (the embedding is only read), 4 a key, head and dimension. */
static void test_dense_work(void **state)
{
    (void)state;
    slx_shape *s = open_shape("llama-3.1-8b");
    slx_plan p = plan_of(s, (slx_forward){.decode = true, .batch = 8, .context = 1000});
    double each = 2 * (slx_shape_weights(s) - 128256.0 * 4096) + 4.0 * 32 * 128 * 1000 * 32;
    near_to(flops(&p), 8 * each, 1e-9);
    p = plan_of(s, (slx_forward){.batch = 2, .context = 100, .all_logits = true});
    double keys = 100 * 101 / 2; /* causal */
    near_to(flops(&p),
         200 * 2 * (slx_shape_weights(s) - 128256.0 * 4096) + 2 * keys * 4 * 32 * 128 * 32, 1e-9);
    /* Two chips do half of it each. */
    slx_plan two = plan_of(s, (slx_forward){.batch = 2, .context = 100, .all_logits = true, .tp = 2});
    near_to(flops(&two), flops(&p) / 2, 1e-9);
    assert_int_equal(kernel_of(&two, "qkv_proj")->n, 16 * 128 + 2 * 4 * 128);
    assert_int_equal(kernel_of(&two, "gate_up_proj")->n, 14336);
    near_to(kernel_of(&two, "all_reduce")->count, 65, 1e-12);
    near_to(kernel_of(&two, "all_reduce")->bytes, 200.0 * 4096 * 2, 1e-12);
    slx_shape_free(s);
}

/* One token picks top_k experts and reads no other; very many read them all. */
static void test_experts(void **state)
{
    (void)state;
    slx_shape *s = open_shape("mixtral-8x7b");
    slx_plan p = plan_of(s, (slx_forward){.decode = true, .batch = 1, .context = 10});
    near_to(kernel_of(&p, "gate_up_proj")->groups, 2, 1e-9);
    assert_int_equal(kernel_of(&p, "gate_up_proj")->m, 1);
    double each = 2 * (slx_shape_active_weights(s) - 32000.0 * 4096) + 4.0 * 32 * 128 * 10 * 32;
    near_to(flops(&p), each, 1e-9);
    p = plan_of(s, (slx_forward){.decode = true, .batch = 2, .context = 10});
    near_to(kernel_of(&p, "gate_up_proj")->groups, 8 * (1 - 0.75 * 0.75), 1e-9); /* 3.5 */
    p = plan_of(s, (slx_forward){.decode = true, .batch = 400, .context = 10});
    near_to(kernel_of(&p, "gate_up_proj")->groups, 8, 1e-9);
    assert_int_equal(kernel_of(&p, "gate_up_proj")->m, 100);
    slx_shape_free(s);
}

/* gpt-oss: half of the layers see 128 keys. */
static void test_windows(void **state)
{
    (void)state;
    slx_shape *s = open_shape("gpt-oss-20b");
    slx_plan p = plan_of(s, (slx_forward){.decode = true, .batch = 1, .context = 4096});
    double keys = 0;
    for (int i = 0; i < p.n; i++)
        if (p.k[i].kind == SLX_KERNEL_ATTENTION) keys += p.k[i].count * p.k[i].context;
    near_to(keys, 12 * 4096 + 12 * 128, 1e-12);
    slx_shape_free(s);
}

/* ------------------------------------------------------------------ passes */

static void test_passes(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c;
    slx_predictor *p;
    slx_shape *s = open_shape("llama-3.1-8b");
    slx_forward_cost one, eight;
    open_chip(&p, &c, "h100");
    assert_int_equal(slx_predict_pass(p, c,
                                      &(slx_forward){.model = s, .decode = true, .context = 1024},
                                      &one, &err),
                     SLX_OK);
    assert_string_equal(one.timed_by, "library");
    /* No pass is shorter than its weights take at the memory's peak, nor twice as long as that for one sequence. */
    double floor_s = (slx_shape_weights(s) - 128256.0 * 4096) * 2 / 3.35e12;
    assert_true(one.seconds.mid > floor_s && one.seconds.mid < 2 * floor_s);
    double sum = 0;
    for (int i = 0; i < one.n_parts; i++) sum += one.part[i].seconds;
    near_to(sum, one.seconds.mid, 1e-9);
    assert_int_equal(
        slx_predict_pass(p, c, &(slx_forward){.model = s, .decode = true, .context = 1024, .tp = 8},
                         &eight, &err),
        SLX_OK);
    assert_true(eight.seconds.mid < one.seconds.mid && eight.seconds.mid > one.seconds.mid / 8);

    slx_best b;
    assert_int_equal(slx_predict_best(p, c,
                                      &(slx_best_ask){.model = s, .context = 1024, .tpot_s = 0.02},
                                      &b, &err),
                     SLX_OK);
    assert_true(b.pass.seconds.mid <= 0.02);
    near_to(b.tok_s_chip, b.batch / b.pass.seconds.mid / b.tp, 1e-12);
    assert_int_equal(slx_predict_best(p, c,
                                      &(slx_best_ask){.model = s, .context = 1024, .tpot_s = 1e-6},
                                      &b, &err),
                     SLX_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "takes longer than"));
    slx_shape_free(s);
    s = open_shape("deepseek-v3"); /* 1.3 TB in bf16 */
    assert_int_equal(slx_predict_best(p, c, &(slx_best_ask){.model = s, .context = 1024}, &b, &err),
                     SLX_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "GB on each of 8 chips"));
    slx_chip_free(c);
    slx_shape_free(s);
    slx_predictor_close(p);
}

/* One operator of a layer is the library's own kernel of the shard's shape. */
static void test_layers(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c;
    slx_predictor *p;
    slx_shape *s = open_shape("llama-3.1-70b");
    slx_band t;
    slx_lib_time lib;
    open_chip(&p, &c, "h100");
    slx_layer_ask ask = {.model = s, .op = "gate_up_proj", .tokens = 64, .tp = 4};
    assert_int_equal(slx_predict_layer(p, c, &ask, &t, &err), SLX_OK);
    slx_lib_gemm_query q = {.m = 64, .n = 2 * 28672 / 4, .k = 8192, .dtype = SLX_LIB_BF16};
    assert_int_equal(slx_lib_gemm(c, &q, &lib, &err), SLX_OK);
    near_to(t.mid, lib.seconds, 1e-12);
    assert_true(t.low < t.mid && t.mid < t.high);
    ask.op = "o_proj"; /* 16 heads of 128 deep */
    assert_int_equal(slx_predict_layer(p, c, &ask, &t, &err), SLX_OK);
    q = (slx_lib_gemm_query){.m = 64, .n = 8192, .k = 16 * 128, .dtype = SLX_LIB_BF16};
    assert_int_equal(slx_lib_gemm(c, &q, &lib, &err), SLX_OK);
    near_to(t.mid, lib.seconds, 1e-12);
    ask.op = "mixer";
    assert_int_equal(slx_predict_layer(p, c, &ask, &t, &err), SLX_EUNSUPPORTED);
    ask = (slx_layer_ask){.model = s, .op = "norm", .tokens = 1, .tp = 1, .dtype = "q5"};
    assert_int_equal(slx_predict_layer(p, c, &ask, &t, &err), SLX_EINPUT);
    slx_chip_free(c);
    slx_shape_free(s);
    slx_predictor_close(p);
}

/* Plain frameworks: a decode step is never shorter than its launches, so more chips do not help where the host is the
 * limit; a power cap slows prompts and not tokens. */
static void test_software(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c;
    slx_predictor *p;
    slx_shape *s = open_shape("llama-2-70b");
    slx_forward_cost four, eight, cap, graph;
    open_chip(&p, &c, "h100");
    slx_forward f = {
        .model = s, .decode = true, .context = 1024, .tp = 4, .software = SLX_SOFTWARE_PLAIN};
    assert_int_equal(slx_predict_pass(p, c, &f, &four, &err), SLX_OK);
    f.tp = 8;
    assert_int_equal(slx_predict_pass(p, c, &f, &eight, &err), SLX_OK);
    near_to(four.seconds.mid, eight.seconds.mid, 1e-9);
    assert_string_equal(eight.part[0].name, "host launches");
    f.power_cap_w = 350;
    assert_int_equal(slx_predict_pass(p, c, &f, &cap, &err), SLX_OK);
    near_to(cap.seconds.mid, eight.seconds.mid, 1e-9);
    f.power_cap_w = 0, f.software = SLX_SOFTWARE_SERVING;
    assert_int_equal(slx_predict_pass(p, c, &f, &graph, &err), SLX_OK);
    assert_true(graph.seconds.mid < 0.5 * eight.seconds.mid);
    f = (slx_forward){.model = s, .context = 2048, .tp = 2};
    assert_int_equal(slx_predict_pass(p, c, &f, &four, &err), SLX_OK);
    f.power_cap_w = 350;
    assert_int_equal(slx_predict_pass(p, c, &f, &cap, &err), SLX_OK);
    double slower =
        cap.seconds.mid / four.seconds.mid; /* at most 2^0.38, and products are most of it */
    assert_true(slower > 1.15 && slower <= 1.3014);
    assert_true(cap.power_w <= 350);
    slx_chip_free(c);
    slx_shape_free(s);
    slx_predictor_close(p);
}

/* The operators of one GPT-3 layer on four A100, timed one by one, against the sums published with LLMCompass (ISCA
 * 2024, BSD-3-Clause): 66.7 ms for 8 prompts of 2048 tokens, 1.11 ms for a token of each at 3072. */
static void test_one_layer(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c;
    slx_predictor *p;
    slx_forward_cost prompt, token;
    slx_shape *s = parse_shape("{\"model_type\":\"gpt3\",\"hidden_size\":12288,\"num_hidden_layers\":1,"
                         "\"num_attention_heads\":96,\"vocab_size\":50257}");
    open_chip(&p, &c, "a100");
    slx_forward f = {
        .model = s, .batch = 8, .context = 2048, .tp = 4, .software = SLX_SOFTWARE_ALONE};
    assert_int_equal(slx_predict_pass(p, c, &f, &prompt, &err), SLX_OK);
    near_to(prompt.seconds.mid, 66.747e-3, 0.06);
    f.decode = true, f.context = 3072;
    assert_int_equal(slx_predict_pass(p, c, &f, &token, &err), SLX_OK);
    near_to(token.seconds.mid, 1.1109e-3, 0.12);
    slx_chip_free(c);
    slx_shape_free(s);
    slx_predictor_close(p);
}

/* ------------------------------------------------------------------ batches and servers */

/* A batch is its prefill and its steps: the sum over every context, step by step, is what Simpson's rule gives. */
static void test_static(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c;
    slx_predictor *p;
    slx_shape *s = open_shape("llama-3.1-8b");
    slx_static_cost r, fw;
    slx_forward_cost one;
    double sum = 0;
    open_chip(&p, &c, "a100");
    slx_static_ask ask = {.on = {.model = s, .tp = 1}, .batch = 16, .isl = 1000, .osl = 101};
    assert_int_equal(slx_predict_static(p, c, &ask, &r, &err), SLX_OK);
    for (uint32_t i = 1; i <= 100; i++) {
        slx_forward f = {.model = s, .decode = true, .batch = 16, .context = 1000 + i};
        assert_int_equal(slx_predict_pass(p, c, &f, &one, &err), SLX_OK);
        sum += one.seconds.mid;
    }
    near_to(r.tpot_s.mid * 100, sum, 0.01);
    slx_forward f = {.model = s, .batch = 16, .context = 1000};
    assert_int_equal(slx_predict_pass(p, c, &f, &one, &err), SLX_OK);
    near_to(r.ttft_s.mid, one.seconds.mid, 1e-12);
    near_to(r.batch_s.mid, r.ttft_s.mid + 100 * r.tpot_s.mid, 1e-9);
    near_to(r.power_w, r.joules.mid / r.batch_s.mid, 1e-9);
    slx_framework slower = {.slow = 1.5, .step_us = 2000, .seq_us = 50};
    ask.given = &slower;
    assert_int_equal(slx_predict_static(p, c, &ask, &fw, &err), SLX_OK);
    near_to(fw.tpot_s.mid, 1.5 * r.tpot_s.mid + 2000e-6 + 16 * 50e-6, 1e-9);
    /* Joules: those of the passes, stretched, and idle boards while the host works, 101 steps of 2.8 ms. */
    double idle = c->lib.n.draw[SLX_LIB_DRAW_GEMM].idle * c->lib.fig.tdp_w;
    near_to(fw.joules.mid, 1.5 * r.joules.mid + 101 * 2.8e-3 * idle, 1e-9);
    ask.given = NULL,
    ask.framework = "vllm 2024"; /* found whatever the punctuation; slower than none */
    assert_int_equal(slx_predict_static(p, c, &ask, &fw, &err), SLX_OK);
    assert_true(fw.tpot_s.mid > r.tpot_s.mid);
    ask.framework = "nobody's";
    assert_int_equal(slx_predict_static(p, c, &ask, &fw, &err), SLX_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "nobody's"));
    ask.framework = NULL, ask.osl = 0;
    assert_int_equal(slx_predict_static(p, c, &ask, &fw, &err), SLX_EINPUT);
    slx_chip_free(c);
    slx_shape_free(s);
    slx_predictor_close(p);
}

/* What does not fit the memory together runs in waves; weights that do not fit at all are refused. */
static void test_static_memory(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c;
    slx_predictor *p;
    slx_shape *s = open_shape("llama-2-7b");
    slx_static_cost wave, all;
    open_chip(&p, &c, "a100");
    /* 32 layers of 2 x 32 heads of 128 in 16 bits: 0.5 MiB a token. 4096 tokens of 40 sequences are
     * 86 GB; 80 GiB less a tenth less 13.5 GB of weights hold 29. So two waves of 20. */
    slx_static_ask ask = {.on = {.model = s, .tp = 1}, .batch = 20, .isl = 2048, .osl = 2048};
    assert_int_equal(slx_predict_static(p, c, &ask, &wave, &err), SLX_OK);
    ask.batch = 40;
    assert_int_equal(slx_predict_static(p, c, &ask, &all, &err), SLX_OK);
    near_to(all.batch_s.mid, 2 * wave.batch_s.mid, 1e-9);
    near_to(all.ttft_s.mid, wave.ttft_s.mid + wave.batch_s.mid / 2, 1e-9);
    near_to(all.tpot_s.mid, wave.tpot_s.mid, 1e-9);
    slx_shape *big = open_shape("gpt3-175b");
    ask.on.model = big;
    assert_int_equal(slx_predict_static(p, c, &ask, &all, &err), SLX_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "GB of weights"));
    slx_chip_free(c);
    slx_shape_free(s);
    slx_shape_free(big);
    slx_predictor_close(p);
}

static double seconds_of(slx_predictor *p, const slx_chip *c, const slx_forward *f)
{
    slx_err err = {0};
    slx_forward_cost cost;
    if (slx_predict_pass(p, c, f, &cost, &err)) fail_msg("%s", err.msg);
    return cost.seconds.mid;
}

/* What a framework's own kernels cost. */
static void test_shares(void **state)
{
    (void)state;
    slx_chip *c;
    slx_predictor *p;
    slx_shape *moe = open_shape("mixtral-8x7b"), *s = open_shape("llama-3.1-8b");
    open_chip(&p, &c, "h100");
    /* Sixteen copies of one sequence read two experts of eight a layer, sixteen others all but 8 (3/4)^16 = 0.08. */
    slx_forward f = {.model = moe, .decode = true, .batch = 16, .context = 128, .tp = 4};
    double apart = seconds_of(p, c, &f), one;
    f.alike = 1;
    double copies = seconds_of(p, c, &f);
    f.batch = 1;
    one = seconds_of(p, c, &f);
    double read = (7.92 - 2) * 3 * 4096 * 14336 * 32 * 2 / 4 /
                  3.35e12; /* experts not read, at the peak rate */
    assert_true(apart - copies > 0.9 * read && apart - copies < 1.5 * read);
    assert_true(copies < 1.25 * one);
    /* A tenth of the peak: products of a prefill take at least ten times what they must. */
    f = (slx_forward){.model = s, .batch = 1, .context = 4096, .mac_share = 0.1};
    double flops = 2 * 4096.0 * (slx_shape_weights(s) - 2 * 128256.0 * 4096);
    assert_true(seconds_of(p, c, &f) > flops / (0.1 * 989e12));
    /* 16 sequences of 32 heads: the limit of vLLM's paged attention, not above it. At 17 every query head
     * reads its own. */
    f = (slx_forward){.model = s, .decode = true, .batch = 16, .context = 8192};
    double fast = seconds_of(p, c, &f);
    f.kv_share = 0.5;
    near_to(seconds_of(p, c, &f), fast, 1e-12);
    f.batch = 17;
    double reads = 17.0 * 32 * 32 * 2 * 128 * 8192 * 2 / (0.5 * 3.35e12);
    assert_true(seconds_of(p, c, &f) > reads);
    slx_chip_free(c);
    slx_shape_free(s);
    slx_shape_free(moe);
    slx_predictor_close(p);
}

/* Eager norms and rotations are several launches; products one, whatever the framework. */
static void test_eager(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c;
    slx_predictor *p;
    slx_shape *s = open_shape("llama-3.1-8b"), *gpt = open_shape("gpt3-175b");
    slx_band eager, fused;
    open_chip(&p, &c, "h100");
    slx_layer_ask ask = {.model = s, .op = "norm", .tokens = 1, .tp = 1};
    assert_int_equal(slx_predict_layer(p, c, &ask, &fused, &err), SLX_OK);
    ask.software = SLX_SOFTWARE_EAGER;
    assert_int_equal(slx_predict_layer(p, c, &ask, &eager, &err), SLX_OK);
    assert_true(eager.mid > 5 * fused.mid && eager.low < eager.mid && eager.mid < eager.high);
    ask.model = gpt; /* layer norms are one kernel there too */
    assert_int_equal(slx_predict_layer(p, c, &ask, &eager, &err), SLX_OK);
    assert_true(eager.mid < 3 * fused.mid);
    ask.model = s, ask.op = "gate_proj", ask.tokens = 512;
    assert_int_equal(slx_predict_layer(p, c, &ask, &eager, &err), SLX_OK);
    ask.software = SLX_SOFTWARE_SERVING;
    assert_int_equal(slx_predict_layer(p, c, &ask, &fused, &err), SLX_OK);
    near_to(eager.mid, fused.mid, 0.02);
    slx_chip_free(c);
    assert_int_equal(slx_chip_load_any(&c, "b200", &err), SLX_OK); /* no such file: as served */
    assert_int_equal(slx_predict_layer(p, c, &ask, &fused, &err), SLX_OK);
    ask.software = SLX_SOFTWARE_EAGER;
    assert_int_equal(slx_predict_layer(p, c, &ask, &eager, &err), SLX_OK);
    near_to(eager.mid, fused.mid, 1e-12);
    slx_chip_free(c);
    slx_shape_free(s);
    slx_shape_free(gpt);
    slx_predictor_close(p);
}

/* Little's law: requests in flight = rate x time in the system. One request alone waits for nobody. What does not fit
 * the memory waits outside. */
static void test_serving(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c;
    slx_predictor *p;
    slx_shape *s = open_shape("llama-3.1-8b");
    slx_serving_cost r;
    slx_static_cost alone;
    open_chip(&p, &c, "h100");
    slx_serving_ask ask = {.on = {.model = s, .tp = 1}, .concurrency = 1, .isl = 1000, .osl = 201};
    slx_static_ask batch = {.on = {.model = s, .tp = 1}, .batch = 1, .isl = 1000, .osl = 201};
    assert_int_equal(slx_predict_serving(p, c, &ask, &r, &err), SLX_OK);
    assert_int_equal(slx_predict_static(p, c, &batch, &alone, &err), SLX_OK);
    near_to(r.tpot_s.mid, alone.tpot_s.mid, 0.01);
    for (double n = 1; n <= 4096; n *= 8) {
        ask.concurrency = n;
        assert_int_equal(slx_predict_serving(p, c, &ask, &r, &err), SLX_OK);
        near_to(r.output_tok_s.mid / 201 * r.e2e_s.mid, n, 1e-6);
        assert_true(r.running <= 1024 && r.running <= n);
    }
    double most = r.output_tok_s.mid;
    ask.concurrency = 0; /* offline */
    assert_int_equal(slx_predict_serving(p, c, &ask, &r, &err), SLX_OK);
    near_to(r.output_tok_s.mid, most, 1e-9);
    slx_shape_free(s);
    s = open_shape("llama-3.1-70b"); /* 141 GB on one chip of 80 */
    ask.on.model = s;
    assert_int_equal(slx_predict_serving(p, c, &ask, &r, &err), SLX_EUNSUPPORTED);
    slx_chip_free(c);
    slx_shape_free(s);
    slx_predictor_close(p);
}

/* A chip with programs: the same seconds as its own timing machine gives, here only that it answers and remembers. */
static void test_program(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c;
    slx_predictor *p;
    slx_shape *s = open_shape("smollm2-135m");
    slx_forward_cost a, b;
    open_chip(&p, &c, "silex-mini");
    slx_forward f = {.model = s, .decode = true, .context = 100, .batch = 2};
    if (slx_predict_pass(p, c, &f, &a, &err) != SLX_OK) fail_msg("%s", err.msg);
    assert_string_equal(a.timed_by, "program");
    double sum = 0;
    for (int i = 0; i < a.n_parts; i++) sum += a.part[i].seconds;
    near_to(sum, a.seconds.mid, 1e-6);
    assert_true(a.flops >= 2 * 2 * (slx_shape_weights(s)));
    assert_int_equal(slx_predict_pass(p, c, &f, &b, &err), SLX_OK);
    assert_memory_equal(&a, &b, sizeof a);
    f.tp = 2;
    assert_int_equal(slx_predict_pass(p, c, &f, &b, &err), SLX_EUNSUPPORTED);
    slx_chip_free(c);
    slx_shape_free(s);
    slx_predictor_close(p);
}

/* The band of a step comes from where its time goes: no end asks more of the memory than its own band allows, by runs
 * or by shares of the critical path, and shares are the wider. Joules likewise, by what they are spent on. */
static void test_program_bands(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c;
    slx_predictor *p;
    slx_shape *s = open_shape("llama-3.1-8b");
    slx_forward_cost runs, shares;
    open_chip(&p, &c, "silex-1");
    slx_forward f = {
        .model = s, .decode = true, .context = 100, .batch = 1, .dtype = "int4_wo", .bands = true};
    if (slx_predict_pass(p, c, &f, &runs, &err) != SLX_OK) fail_msg("%s", err.msg);
    f.bands = false;
    assert_int_equal(slx_predict_pass(p, c, &f, &shares, &err), SLX_OK);
    near_to(runs.seconds.mid, shares.seconds.mid, 1e-12);
    const struct slx_chip_source *pin = slx_chip_get_source(c, "hbm.gbps_pin"),
                                 *hbm = slx_chip_get_source(c, "energy.hbm_pj_b"),
                                 *clock = slx_chip_get_source(c, "grid.clock_ghz");
    double most = slx_chip_get_peaks(c).hbm_bytes_s * (1 + pin->pm);
    assert_true(runs.bytes / runs.seconds.low < most && shares.bytes / shares.seconds.low < most);
    assert_true(runs.seconds.low < runs.seconds.mid && runs.seconds.high > runs.seconds.mid);
    assert_true(shares.seconds.low <= runs.seconds.low);
    /* no longer than with all of it at the slow ends of both rates */
    assert_true(runs.seconds.high < runs.seconds.mid / (1 - pin->pm) / (1 - clock->pm));
    assert_true(runs.joules.high / runs.joules.mid > 1.05 && runs.joules.high / runs.joules.mid < 1 + hbm->pm);
    slx_chip_free(c);
    slx_shape_free(s);
    slx_predictor_close(p);
}

/* A program of four chips: the work of one, shared; weights enough that four memories read them sooner. */
static void test_program_of_chips(void **state)
{
    (void)state;
    slx_err err = {0};
    slx_chip *c;
    slx_predictor *p;
    slx_shape *s = open_shape("llama-3.1-8b");
    slx_forward_cost one, four;
    open_chip(&p, &c, "silex-1");
    slx_forward f = {.model = s, .decode = true, .context = 100, .batch = 2, .tp = 1};
    if (slx_predict_pass(p, c, &f, &one, &err) != SLX_OK) fail_msg("%s", err.msg);
    f.tp = 4;
    if (slx_predict_pass(p, c, &f, &four, &err) != SLX_OK) fail_msg("%s", err.msg);
    near_to(four.flops, one.flops, 1e-3);
    assert_true(four.seconds.mid < one.seconds.mid && four.joules.mid > one.joules.mid);
    near_to(four.power_w * 4 * four.seconds.mid, four.joules.mid, 1e-9);
    bool met = false;
    for (int i = 0; i < four.n_parts; i++) met |= !strcmp(four.part[i].name, "collectives");
    assert_true(met);
    f.tp = 16;
    assert_true(slx_predict_pass(p, c, &f, &four, &err) != SLX_OK);
    slx_chip_free(c);
    slx_shape_free(s);
    slx_predictor_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_sizes),
        cmocka_unit_test(test_kv_values),
        cmocka_unit_test(test_names_of_families),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_dense_work),
        cmocka_unit_test(test_experts),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_software),
        cmocka_unit_test(test_one_layer),
        cmocka_unit_test(test_static),
        cmocka_unit_test(test_static_memory),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_eager),
        cmocka_unit_test(test_serving),
        cmocka_unit_test(test_program),
        cmocka_unit_test(test_program_bands),
        cmocka_unit_test(test_program_of_chips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
