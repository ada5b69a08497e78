/* test_validate_models.c - questions about models, and questions that carry what was measured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "validate/validate.h"

static char *ask(const char *line, bool *good)
{
    slx_queries *q = slx_queries_open();
    slx_buf b = {0};
    *good = slx_queries_line(q, line, strlen(line), 3, &b);
    slx_queries_close(q);
    return b.ptr;
}

static double value(const char *line, const char *unit)
{
    bool good;
    char *a = ask(line, &good), want[64], *v = strstr(a, "\"value\":");
    snprintf(want, sizeof want, "\"unit\":\"%s\"", unit);
    if (!good || !v || !strstr(a, want)) fail_msg("%s\n answered %s", line, a);
    double x = strtod(v + 8, NULL);
    free(a);
    assert_true(x > 0);
    return x;
}

static void expect(const char *line, bool well_formed, const char *part)
{
    bool good;
    char *a = ask(line, &good);
    if (good != well_formed || !strstr(a, part)) fail_msg("%s\n answered %s", line, a);
    free(a);
}

#define STATIC                                                                                     \
    "{\"id\":\"s\",\"kind\":\"serving\",\"chip\":\"a100\",\"model\":\"meta-llama/"                 \
    "Meta-Llama-3-8B\",\"n_chips\":1,"                                                             \
    "\"precision\":\"fp16\",\"framework\":\"vLLM\",\"isl\":1024,\"osl\":512,\"load\":{\"type\":"   \
    "\"static\",\"batch\":16},\"ask\":"

static void test_questions(void **state)
{
    (void)state;
    /* Names as publishers write them, and shapes alone. */
    double by_name = value(
        "{\"id\":\"1\",\"kind\":\"layer\",\"chip\":\"h100\",\"model\":\"meta-llama/Llama-2-7b-hf\","
        "\"op\":\"o_proj\",\"tokens\":64,\"tp\":1,\"dtype\":\"fp16\"}",
        "ms");
    double by_config = value(
        "{\"id\":\"1\",\"kind\":\"layer\",\"chip\":\"h100\",\"model_config\":{\"hidden_size\":4096,"
        "\"intermediate_size\":11008,\"num_attention_heads\":32},\"op\":\"o_proj\",\"tokens\":64,"
        "\"dtype\":\"fp16\"}",
        "ms");
    assert_true(fabs(by_name / by_config - 1) < 1e-5);
    static const char *const names[] = {"gpt2",
                                        "llama3.1-8b",
                                        "mistralai/Mixtral-8x7B-v0.1",
                                        "bigscience/bloom",
                                        "deepseek-ai/DeepSeek-R1",
                                        "Qwen/Qwen2.5-7B-Instruct",
                                        "codellama/CodeLlama-34b-hf"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char line[256];
        snprintf(line, sizeof line,
                 "{\"id\":\"n\",\"kind\":\"layer\",\"chip\":\"h100\",\"model\":\"%s\",\"op\":"
                 "\"norm\",\"tokens\":1}",
                 names[i]);
        value(line, "ms");
    }
    value("{\"id\":\"2\",\"kind\":\"step\",\"chip\":\"h100\",\"model\":\"llama2-70b\",\"tp\":4,"
          "\"phase\":\"decode\","
          "\"batch\":8,\"q_len\":1,\"context\":600,\"dtype\":\"fp16\",\"power_cap_w\":350}",
          "ms");
    /* One batch: 16 x 512 tokens out in the time it takes, and twice as many more in. */
    double s = value(STATIC "\"batch_latency\"}", "s"),
           out = value(STATIC "\"output_tok_s\"}", "tok/s");
    double all = value(STATIC "\"total_tok_s\"}", "tok/s");
    assert_true(fabs(s * out / (16 * 512) - 1) < 1e-4 && fabs(all / out / 3 - 1) < 1e-4);
    value("{\"id\":\"3\",\"kind\":\"serving\",\"chip\":\"h200\",\"model\":\"openai/"
          "gpt-oss-120b\",\"n_chips\":2,"
          "\"precision\":\"fp4\",\"parallel\":{\"tp\":2},\"isl\":1024,\"osl\":1024,"
          "\"load\":{\"type\":\"concurrency\",\"n\":32},\"ask\":\"tpot_mean\"}",
          "ms");
    /* Requests of a batch that start together are alike: every percentile is the mean. */
    assert_true(value(STATIC "\"ttft_p99\"}", "ms") == value(STATIC "\"ttft_mean\"}", "ms"));
    expect("{\"id\":\"4\",\"kind\":\"serving\",\"chip\":\"a100\",\"model\":\"llama-3-8b\",\"isl\":"
           "8,\"osl\":8,"
           "\"load\":{\"type\":\"agent_replay\"},\"ask\":\"ttft_mean\"}",
           true, "load agent_replay: not modelled");
    expect("{\"id\":\"5\",\"kind\":\"serving\",\"chip\":\"a100\",\"model\":\"llama-3-8b\",\"isl\":"
           "8,\"osl\":8,"
           "\"ask\":\"ttft_mean\"}",
           false, "field load");
    expect("{\"id\":\"6\",\"kind\":\"layer\",\"chip\":\"a100\",\"model\":\"llama-2-7b\",\"op\":\"o_"
           "proj\",\"tokens\":0}",
           false, "field tokens: found 0, expected an integer >= 1");
    expect("{\"id\":\"7\",\"kind\":\"layer\",\"chip\":\"a100\",\"model\":\"nobody/"
           "knows-this\",\"op\":\"o_proj\",\"tokens\":1}",
           true, "\"value\":null");
    expect("{\"id\":\"8\",\"kind\":\"step\",\"chip\":\"a100\",\"model\":\"llama-2-7b\",\"phase\":"
           "\"decode\",\"batch\":1,"
           "\"q_len\":1,\"context\":8,\"tp\":64}",
           true, "cannot be split");
}

/* Questions that carry what was measured: scored by kind and ask or by their set, and answered as without it. */
static void test_judge(void **state)
{
    (void)state;
    static const char gemm[] = "\"kind\":\"gemm\",\"chip\":\"h100\",\"m\":64,\"n\":4096,\"k\":4096,\"dtype\":\"bf16\","
                               "\"ask\":\"latency\"";
    char text[2048], line[512];
    slx_buf b = {0};
    slx_judged j;
    slx_err err;
    slx_queries *q = slx_queries_open();
    snprintf(line, sizeof line, "{\"id\":\"a\",%s}", gemm);
    slx_queries_line(q, line, strlen(line), 1, &b);
    double v = strtod(strstr(b.ptr, "\"value\":") + 8, NULL);
    slx_queries_close(q);
    slx_buf_free(&b);
    snprintf(text, sizeof text,
             "{\"id\":\"a\",%s,\"measured\":%.9g}\n{\"id\":\"b\",%s,\"measured\":%.9g}\n\n"
             "{\"id\":\"c\",%s,\"set\":\"far\",\"measured\":%.9g}\n"
             "{\"id\":\"d\",\"kind\":\"gemm\",\"chip\":\"no-such\",\"m\":1,\"n\":1,\"k\":1,\"dtype\":\"bf16\","
             "\"ask\":\"latency\",\"set\":\"far\",\"measured\":1}\n",
             gemm, v, gemm, v / 1.5, gemm, v / 3);
    FILE *f = fmemopen(text, strlen(text), "r");
    assert_non_null(f);
    assert_int_equal(slx_judge_run(&j, f, "t", &err), SLX_OK);
    fclose(f);
    assert_int_equal(j.n, 2);
    assert_string_equal(j.set[0].name, "gemm latency");
    assert_true(j.set[0].score.rows == 2 && j.set[0].score.answered == 2);
    assert_true(fabs(j.set[0].score.mape - 0.25) < 1e-4 && j.set[0].score.inside == 0.5);
    assert_string_equal(j.set[0].score.worst[0].what, "b");
    assert_string_equal(j.set[1].name, "far");
    assert_true(j.set[1].score.rows == 2 && j.set[1].score.answered == 1);
    assert_non_null(strstr(j.set[1].score.why, "line 5: chip no-such"));
    assert_true(fabs(j.set[1].score.mape - 2) < 1e-4);
    slx_judged_free(&j);
    static const char *const bad[][2] = {{"{\"id\":\"a\"}\n", "field measured: found nothing, expected a number above"},
                                         {"{\"measured\":-1}\n", "field measured: found another value"},
                                         {"[1]\n", "a value, expected a JSON object"},
                                         {"{\n", "expected a JSON object"}};
    for (size_t i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "\n%s", bad[i][0]);
        f = fmemopen(text, strlen(text), "r");
        assert_int_equal(slx_judge_run(&j, f, "t", &err), SLX_EINPUT);
        fclose(f);
        assert_true(err.line == 2 && strstr(err.msg, bad[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_questions),
                                       cmocka_unit_test(test_judge)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
