/* test_placement.c - a model on the chips that serve it: attention in copies, experts on chips of their own, guessed
 * tokens, prompts read apart. Expected values are worked out by hand from predict.h's words, or hold for any chip. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shapes.h"

/* Two layers of 8 heads, 4 KV heads of 16; 8 experts of width 64 of which a token takes 2, shared width 32. */
static const char small[] =
    "{\"model_type\":\"qwen2_moe\",\"hidden_size\":128,\"intermediate_size\":256,\"num_hidden_layers\":2,"
    "\"num_attention_heads\":8,\"num_key_value_heads\":4,\"head_dim\":16,\"vocab_size\":1000,\"num_experts\":8,"
    "\"num_experts_per_tok\":2,\"moe_intermediate_size\":64,\"shared_expert_intermediate_size\":32}";

/* The expert product among those of the name: in groups. */
static const slx_kernel *expert(const slx_plan *p)
{
    for (int i = 0; i < p->n; i++)
        if (p->k[i].kind == SLX_KERNEL_GEMM && p->k[i].groups > 1 && !strcmp(p->k[i].name, "gate_up_proj"))
            return &p->k[i];
    fail_msg("no experts");
    return NULL;
}

/* 512 sequences on two groups of two chips: each group attends to 256 of them with half of the heads a chip. Experts:
 * four parts, two whole experts each, all of them asked by so many rows; 1024 picks, a quarter of them on a part, and
 * on the fullest of four sqrt(2 ln 4) deviations more. */
static void test_copies_of_attention(void **state)
{
    (void)state;
    slx_shape *s = parse_shape(small);
    slx_plan p = plan_of(s, (slx_forward){.decode = true, .batch = 512, .context = 100, .tp = 2, .attention_dp = 2,
                                          .moe_ep = 4, .dtype = "bf16", .moe_dtype = "fp8"});
    const slx_kernel *a = kernel_of(&p, "attention"), *e = expert(&p);
    assert_true(a->batch == 256 && a->q_heads == 4 && a->kv_heads == 2 && a->decode);
    assert_int_equal(kernel_of(&p, "qkv_proj")->m, 256);
    double most = 256 + sqrt(2 * log(4) * 1024 * 0.25 * 0.75);
    near_to(e->groups, 2, 1e-9);
    assert_int_equal(e->m, (uint32_t)ceil(most / 2));
    assert_true(e->n == 2 * 64 && e->k == 128 && !strcmp(e->dtype, "fp8") && e->count == 2);
    /* as many groups as picks of a token: all rows are gathered on all four chips, and summed as they are dealt out */
    const slx_kernel *to = kernel_of(&p, "all_gather"), *back = kernel_of(&p, "reduce_scatter");
    assert_true(to->chips == 4 && back->chips == 4 && to->count == 2);
    near_to(to->bytes, 512.0 * 128 * 2, 1e-12);
    /* sums over the two chips of a group: after the attention of two layers, and the embedding */
    assert_true(kernel_of(&p, "all_reduce")->count == 3 && kernel_of(&p, "all_reduce")->chips == 2);
    /* more groups than picks: rows go where they are wanted, and back */
    p = plan_of(s, (slx_forward){.decode = true, .batch = 512, .context = 100, .attention_dp = 4, .moe_ep = 4});
    to = kernel_of(&p, "all_to_all");
    assert_true(to->chips == 4 && to->count == 4);
    near_to(to->bytes, 128.0 * 2 * 128 * 2, 1e-12);
    slx_shape_free(s);
}

/* Experts in whole parts without copies of the attention: nothing is exchanged, sums are as before; a chip reads the
 * same bytes of experts (all of them are asked), in fewer and wider matrices. */
static void test_experts_apart(void **state)
{
    (void)state;
    slx_shape *s = parse_shape(small);
    slx_forward f = {.decode = true, .batch = 4096, .context = 100, .tp = 4};
    slx_plan shared = plan_of(s, f);
    f.moe_ep = 4;
    slx_plan apart = plan_of(s, f);
    near_to(expert(&shared)->groups * expert(&shared)->n, expert(&apart)->groups * expert(&apart)->n, 1e-9);
    near_to(expert(&apart)->groups, 2, 1e-9);
    assert_int_equal(expert(&shared)->n, 2 * 16);
    assert_true(kernel_of(&shared, "all_reduce")->count == kernel_of(&apart, "all_reduce")->count);
    slx_err err;
    f.model = s, f.moe_ep = 3;
    assert_int_equal(slx_forward_check(&f, &err), SLX_EUNSUPPORTED);
    slx_shape_free(s);
}

/* Bytes of a chip: matrices of the attention by tp, experts by all chips; keys and values of its own sequences alone.
 * */
static void test_memory(void **state)
{
    (void)state;
    slx_predictor *p;
    slx_chip *c;
    slx_shape *s = parse_shape(small);
    slx_predict_memory one, four;
    slx_err err;
    open_chip(&p, &c, "h100");
    slx_forward f = {.model = s, .decode = true, .batch = 8, .context = 1000};
    assert_int_equal(slx_predict_fits(c, &f, &one, &err), SLX_OK);
    f.attention_dp = 4, f.moe_ep = 4, f.moe_dtype = "fp8";
    assert_int_equal(slx_predict_fits(c, &f, &four, &err), SLX_OK);
    double experts = 2.0 * 8 * 3 * 64 * 128;
    near_to(one.weights - four.weights, experts * 2 - experts / 4, 1e-9);
    near_to(four.kv, one.kv / 4, 1e-9);
    slx_chip_free(c);
    slx_shape_free(s);
    slx_predictor_close(p);
}

/* A norm after an all-reduce is part of it while buffers are small; the first follows none. Alone on its chips, or
 * under plain software, each is a kernel. */
static void test_fused_norms(void **state)
{
    (void)state;
    slx_shape *s = open_shape("llama-3.1-8b");
    slx_forward f = {.decode = true, .batch = 8, .context = 100};
    slx_plan one = plan_of(s, f);
    f.tp = 2;
    slx_plan two = plan_of(s, f);
    f.batch = 1024; /* 8 MiB */
    slx_plan large = plan_of(s, f);
    f.batch = 8, f.software = SLX_SOFTWARE_PLAIN;
    slx_plan plain = plan_of(s, f);
    assert_true(kernel_of(&one, "norm")->count == 65 && kernel_of(&two, "norm")->count == 1);
    assert_true(kernel_of(&large, "norm")->count == 65 && kernel_of(&plain, "norm")->count == 65);
    slx_shape_free(s);
}

/* Three drafts, each right with 0.5: 1 + 1/2 + 1/4 + 1/8 tokens a step. A step takes longer than one without, and less
 * than as many steps as it makes tokens where it is bound by memory. */
static void test_drafts(void **state)
{
    (void)state;
    slx_predictor *p;
    slx_chip *c;
    slx_err err;
    slx_static_cost plain, guessed;
    slx_shape *s = open_shape("llama-3.1-8b");
    open_chip(&p, &c, "h100");
    slx_static_ask ask = {.on = {.model = s}, .batch = 2, .isl = 500, .osl = 301};
    assert_int_equal(slx_predict_static(p, c, &ask, &plain, &err), SLX_OK);
    ask.on.drafts = 3, ask.on.accept = 0.5;
    near_to(slx_placed_step_tokens(&ask.on), 1.875, 1e-12);
    assert_int_equal(slx_predict_static(p, c, &ask, &guessed, &err), SLX_OK);
    assert_true(guessed.tpot_s.mid < plain.tpot_s.mid && 1.875 * guessed.tpot_s.mid > plain.tpot_s.mid);
    near_to(guessed.ttft_s.mid, plain.ttft_s.mid, 1e-12);
    /* a check of four tokens is a decode step of four rows a sequence, whose attention reads the keys once */
    slx_plan pass = plan_of(s, (slx_forward){.decode = true, .batch = 2, .context = 500, .drafts = 3});
    const slx_kernel *a = kernel_of(&pass, "attention");
    assert_true(a->decode && a->q_heads == 4 * 32 && a->batch == 2 && a->count == 32 + 3);
    assert_int_equal(kernel_of(&pass, "gate_up_proj")->m, 8);
    slx_chip_free(c);
    slx_shape_free(s);
    slx_predictor_close(p);
}

/* With prompts read apart nothing interrupts the answers, Little's law holds, and readers that cannot follow are waited
 * for: the rate is theirs. */
static void test_prompts_apart(void **state)
{
    (void)state;
    slx_predictor *p;
    slx_chip *c;
    slx_err err;
    slx_serving_cost same, apart, more;
    slx_shape *s = open_shape("llama-3.1-8b");
    open_chip(&p, &c, "h200");
    slx_serving_ask ask = {.on = {.model = s}, .concurrency = 64, .isl = 4000, .osl = 200};
    assert_int_equal(slx_predict_serving(p, c, &ask, &same, &err), SLX_OK);
    ask.reader = ask.on, ask.readers = 4;
    assert_int_equal(slx_predict_serving(p, c, &ask, &apart, &err), SLX_OK);
    assert_true(apart.tpot_s.mid < same.tpot_s.mid && apart.output_tok_s.mid > same.output_tok_s.mid);
    near_to(apart.output_tok_s.mid / 200 * (apart.ttft_s.mid + 199 * apart.tpot_s.mid), 64, 0.01);
    ask.readers = 8;
    assert_int_equal(slx_predict_serving(p, c, &ask, &more, &err), SLX_OK);
    assert_true(more.ttft_s.mid < apart.ttft_s.mid && more.output_tok_s.mid >= apart.output_tok_s.mid);
    /* one reader, prompts of a hundred answers' length: it is always busy, and hands on what it can */
    ask.readers = 1, ask.isl = 30000, ask.osl = 11;
    assert_int_equal(slx_predict_serving(p, c, &ask, &apart, &err), SLX_OK);
    near_to(apart.output_tok_s.mid / 11 * (apart.ttft_s.mid + 10 * apart.tpot_s.mid), 64, 0.01);
    ask.readers = 2;
    assert_int_equal(slx_predict_serving(p, c, &ask, &more, &err), SLX_OK);
    near_to(more.output_tok_s.mid, 2 * apart.output_tok_s.mid, 0.05);
    ask.concurrency = 0;
    assert_int_equal(slx_predict_serving(p, c, &ask, &more, &err), SLX_EUNSUPPORTED);
    slx_chip_free(c);
    slx_shape_free(s);
    slx_predictor_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies_of_attention), cmocka_unit_test(test_experts_apart),
        cmocka_unit_test(test_memory),              cmocka_unit_test(test_drafts),
        cmocka_unit_test(test_prompts_apart),       cmocka_unit_test(test_fused_norms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
