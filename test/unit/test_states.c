/* test_states.c - layers with a state in place of keys and values, and what a framework adds to layers. Expected values
 * are worked out by hand from the sizes, or published. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shapes.h"

/* Eight layers, every fourth with full attention: 4 heads of 32, 2 of keys. States: 6 heads of 16 x 8, 2 of keys. */
static const char hybrid[] =
    "{\"model_type\":\"qwen3_next\",\"hidden_size\":128,\"intermediate_size\":256,\"num_hidden_layers\":8,"
    "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":32,\"vocab_size\":1000,"
    "\"linear_num_value_heads\":6,\"linear_num_key_heads\":2,\"linear_key_head_dim\":16,\"linear_value_head_dim\":8,"
    "\"linear_conv_kernel_dim\":4}";

static void test_sizes(void **state)
{
    (void)state;
    slx_shape *s = parse_shape(hybrid);
    assert_true(s->n_state_layers == 6 && s->n_layers == 8 && s->gated && s->qk_norm);
    near_to(slx_shape_kv_values(s), 2 * 2 * 2 * 32, 1e-12); /* two layers have keys and values of two heads */
    /* 6 x 16 x 8 numbers of 32 bits, and of 16 bits the last three of 6 x 8 + 2 x 2 x 16 columns */
    near_to(slx_shape_state_bytes(s), 6.0 * (4 * 6 * 16 * 8 + 2 * 3 * (48 + 64)), 1e-12);
    double full = 128 * 32 * (3 * 4 + 2 * 2.0), linear = 128 * (2.0 * 48 + 2 * 32 + 12) + 48 * 128;
    near_to(slx_shape_weights(s), 2 * full + 6 * linear + 8 * 3.0 * 128 * 256 + 2 * 128 * 1000.0, 1e-12);
    slx_shape_free(s);
}

/* A decode step reads and writes each state once, whatever the context; a prompt goes through it in chunks. */
static void test_kernels(void **state)
{
    (void)state;
    slx_shape *s = parse_shape(hybrid);
    slx_plan p = plan_of(s, (slx_forward){.decode = true, .batch = 5, .context = 1000, .tp = 2});
    const slx_kernel *k = kernel_of(&p, "state");
    assert_true(k->kind == SLX_KERNEL_ROWS && k->count == 6 && k->rows == 5 * 3 && k->cols == 16 * 8);
    near_to(slx_kernel_bytes(k), 5 * 3 * 16 * 8 * 4.0 * 2, 1e-12);
    assert_true(kernel_of(&p, "attention")->count == 2);
    slx_plan later = plan_of(s, (slx_forward){.decode = true, .batch = 5, .context = 64000, .tp = 2});
    near_to(slx_kernel_bytes(kernel_of(&later, "state")), slx_kernel_bytes(k), 1e-12);
    p = plan_of(s, (slx_forward){.batch = 1, .context = 512, .tp = 2});
    k = kernel_of(&p, "state");
    /* 2 x (64 (3 x 16 + 2 x 8) + 3 x 16 x 8) a token and head, rounded up to whole columns */
    double flops = 2 * (64 * 64.0 + 384) * 512 * 3;
    assert_true(k->kind == SLX_KERNEL_GEMM && slx_kernel_flops(k) >= flops && slx_kernel_flops(k) < 1.01 * flops);
    slx_shape_free(s);
}

/* Beyond its weights a sequence of any length takes its states; keys and values of two layers grow with it. */
static void test_memory(void **state)
{
    (void)state;
    slx_shape *s = parse_shape(hybrid);
    slx_chip *c;
    slx_predictor *p;
    slx_err err = {0};
    slx_predict_memory a, b;
    open_chip(&p, &c, "h100");
    slx_forward f = {.model = s, .decode = true, .batch = 3, .context = 1000};
    assert_int_equal(slx_predict_fits(c, &f, &a, &err), SLX_OK);
    f.context = 3000;
    assert_int_equal(slx_predict_fits(c, &f, &b, &err), SLX_OK);
    near_to(b.kv - a.kv, 3 * 2000 * 2.0 * 256, 1e-9);
    near_to(a.kv - (b.kv - a.kv) / 2, 3 * slx_shape_state_bytes(s), 1e-9);
    slx_chip_free(c);
    slx_predictor_close(p);
    slx_shape_free(s);
}

/* Nemotron-H's letters: five mixers, two of them attention, four MLPs behind them, one of these of experts. */
static void test_pattern(void **state)
{
    (void)state;
    static const char text[] =
        "{\"model_type\":\"nemotron_h\",\"hidden_size\":64,\"intermediate_size\":128,\"num_hidden_layers\":9,"
        "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":16,\"vocab_size\":100,\"mamba_num_heads\":4,"
        "\"mamba_head_dim\":8,\"ssm_state_size\":16,\"n_groups\":2,\"conv_kernel\":4,\"n_routed_experts\":4,"
        "\"num_experts_per_tok\":2,\"moe_intermediate_size\":32,\"hybrid_override_pattern\":\"%s\"}";
    char line[1024];
    slx_err err;
    snprintf(line, sizeof line, text, "M-M-*EM-*");
    slx_shape *s = parse_shape(line);
    assert_true(s->n_layers == 5 && s->n_state_layers == 3 && s->n_bare_layers == 1 && s->n_moe_layers == 1);
    slx_plan p = plan_of(s, (slx_forward){.decode = true, .batch = 1, .context = 10});
    assert_true(kernel_of(&p, "up_proj")->count == 3 && kernel_of(&p, "state")->count == 3);
    slx_shape_free(s);
    snprintf(line, sizeof line, text, "M-x");
    assert_int_equal(slx_shape_parse(&s, line, strlen(line), "test", &err), SLX_EINPUT);
    assert_non_null(strstr(err.msg, "found 'x', expected M, *, - and E"));
    snprintf(line, sizeof line, text, "M--");
    assert_int_equal(slx_shape_parse(&s, line, strlen(line), "test", &err), SLX_EINPUT);
    assert_non_null(strstr(err.msg, "found 1 of M and * and 2 of - and E"));
}

/* Kernels of the pass quantise for the products of engines; in plain frameworks that is part of each product. */
static void test_quantised(void **state)
{
    (void)state;
    slx_shape *s = open_shape("llama-3.1-8b");
    slx_plan p = plan_of(s, (slx_forward){.decode = true, .batch = 4, .context = 100, .dtype = "fp8"});
    assert_true(kernel_of(&p, "qkv_proj")->quantised && kernel_of(&p, "quantise")->cols == 32 * 128);
    assert_true(kernel_of(&p, "quantise")->count == 32);
    p = plan_of(s, (slx_forward){.decode = true, .batch = 4, .context = 100, .dtype = "fp8",
                                 .software = SLX_SOFTWARE_PLAIN});
    assert_false(kernel_of(&p, "qkv_proj")->quantised);
    slx_shape_free(s);
}

/* What a framework's layers take more is added as it says: layers of experts, and all where chips wait for another. */
static void test_framework_layers(void **state)
{
    (void)state;
    slx_shape *s = open_shape("deepseek-v3"); /* 61 layers, 58 of them of experts */
    slx_chip *c;
    slx_predictor *p;
    slx_err err = {0};
    slx_forward_cost a, b;
    open_chip(&p, &c, "h200");
    slx_forward f = {.model = s, .decode = true, .batch = 4, .context = 1000, .tp = 8, .dtype = "fp8"};
    assert_int_equal(slx_predict_pass(p, c, &f, &a, &err), SLX_OK);
    f.moe_us = 10, f.sync_us = 3;
    assert_int_equal(slx_predict_pass(p, c, &f, &b, &err), SLX_OK);
    near_to(b.seconds.mid - a.seconds.mid, (58 * 10 + 61 * 3) * 1e-6, 1e-6);
    near_to(b.power_w, a.power_w, 1e-9);
    f.moe_us = f.sync_us = 0, f.experts = 2;
    assert_int_equal(slx_predict_pass(p, c, &f, &b, &err), SLX_OK);
    assert_true(b.seconds.mid > a.seconds.mid && b.seconds.mid < 2 * a.seconds.mid);
    slx_chip_free(c);
    slx_predictor_close(p);
    slx_shape_free(s);
}

/* Experts in 4 bits are read in decode steps as fast as products in 16 bits read, in prompts as the library's products:
 * a layer of experts alone, whose first product is compared. */
static void test_experts_read(void **state)
{
    (void)state;
    slx_shape *s = parse_shape("{\"model_type\":\"qwen2_moe\",\"hidden_size\":1024,\"num_hidden_layers\":1,"
                               "\"num_attention_heads\":8,\"num_key_value_heads\":4,\"vocab_size\":1000,"
                               "\"num_experts\":8,\"num_experts_per_tok\":2,\"moe_intermediate_size\":512}");
    slx_chip *c;
    slx_predictor *p;
    slx_err err = {0};
    open_chip(&p, &c, "b200");
    double share = c->lib.n.gemm[SLX_LIB_4].e_hbm / c->lib.n.gemm[SLX_LIB_16].e_hbm;
    assert_true(share > 0.1 && share < 1);
    for (int decode = 0; decode < 2; decode++) {
        slx_forward f = {.model = s, .decode = decode, .batch = 4, .context = 128, .moe_dtype = "nvfp4"};
        slx_plan plan = plan_of(s, f);
        slx_lib_time t;
        slx_forward_cost cost;
        double found = 0;
        assert_int_equal(slx_kernel_time(c, kernel_of(&plan, "gate_up_proj"), &t, &err), SLX_OK);
        assert_int_equal(slx_predict_pass(p, c, &f, &cost, &err), SLX_OK);
        for (int i = 0; i < cost.n_parts; i++)
            if (!strncmp(cost.part[i].name, "gate_up_proj", 12)) found += cost.part[i].seconds;
        near_to(found, t.seconds * c->lib.n.pass.slow * (decode ? share : 1) + c->lib.n.pass.gap_us * 1e-6, 1e-9);
    }
    slx_chip_free(c);
    slx_predictor_close(p);
    slx_shape_free(s);
}

/* Frameworks under the names that are in use, handed on by others or not. */
static void test_names(void **state)
{
    (void)state;
    static const char *const same[][2] = {{"trtllm", "TensorRT-LLM"}, {"TRT-LLM", "TensorRT-LLM"},
                                          {"tensorrt_llm", "TensorRT-LLM"}, {"dynamo-trtllm", "TensorRT-LLM"},
                                          {"dynamo-vllm", "vLLM"}, {"sglang", "SGLang"}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        slx_framework a, b;
        slx_err err = {0};
        assert_int_equal(slx_framework_find(&a, same[i][0], "nvidia-hopper", &err), SLX_OK);
        assert_int_equal(slx_framework_find(&b, same[i][1], "nvidia-hopper", &err), SLX_OK);
        assert_true(a.slow == b.slow && a.seq_us == b.seq_us && a.band_high == b.band_high);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes),     cmocka_unit_test(test_kernels),
                                       cmocka_unit_test(test_memory),    cmocka_unit_test(test_pattern),
                                       cmocka_unit_test(test_quantised), cmocka_unit_test(test_framework_layers),
                                       cmocka_unit_test(test_experts_read),
                                       cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
