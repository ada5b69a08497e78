/* test_query_model.c - what must hold of every answer about a model, whatever the chip: order, rooflines, bands, units,
 * names as people write them, and lines that ask for nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "predict/predict.h"
#include "validate/validate.h"

static slx_queries *queries;

static int start(void **state)
{
    (void)state;
    queries = slx_queries_open();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    slx_queries_close(queries);
    return 0;
}

/* ------------------------------------------------------------------ asking */

static char *ask(const char *line, bool *good)
{
    slx_buf b = {0};
    *good = slx_queries_line(queries, line, strlen(line), 7, &b);
    return b.ptr;
}

/* The value, with its unit and low <= value <= high checked. */
static double value(const char *unit, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static double value(const char *unit, const char *fmt, ...)
{
    char line[2048], want[64];
    bool good;
    double v, low, high;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    char *a = ask(line, &good), *at = strstr(a, "\"value\":"), *lo = strstr(a, "\"low\":"),
         *hi = strstr(a, "\"high\":");
    snprintf(want, sizeof want, "\"unit\":\"%s\"", unit);
    if (!good || !at || !lo || !hi || !strstr(a, want)) fail_msg("%s\n answered %s", line, a);
    v = strtod(at + 8, NULL), low = strtod(lo + 6, NULL), high = strtod(hi + 7, NULL);
    if (!(v > 0 && low > 0 && low <= v && v <= high)) fail_msg("%s\n answered %s", line, a);
    free(a);
    return v;
}

static void expect(const char *line, bool well_formed, const char *part)
{
    bool good;
    char *a = ask(line, &good);
    if (good != well_formed || !strstr(a, part)) fail_msg("%s\n answered %s", line, a);
    free(a);
}

#define STEP                                                                                       \
    "{\"id\":\"s\",\"kind\":\"step\",\"chip\":\"%s\",\"model\":\"%s\",\"tp\":%u,\"phase\":\"%s\"," \
    "\"batch\":%u,\"q_len\":%u,\"context\":%u,\"dtype\":\"%s\",\"ask\":\"latency\"}"

/* NAN: the model does not fit the chips. */
static double step(const char *chip, const char *model, unsigned tp, bool decode, unsigned batch,
                   unsigned context, const char *dtype)
{
    char line[2048];
    bool good;
    snprintf(line, sizeof line, STEP, chip, model, tp, decode ? "decode" : "prefill", batch, decode ? 1 : context,
             context, dtype);
    char *a = ask(line, &good);
    bool fits = !strstr(a, "GB of weights and");
    free(a);
    if (!fits) return NAN;
    return value("ms", STEP, chip, model, tp, decode ? "decode" : "prefill", batch,
                 decode ? 1 : context, context, dtype);
}

static const char *const chips[] = {"a100",    "h100",     "h200",   "b200",
                                    "l40s",    "mi300x",   "mi355x", "tpu-v4",
                                    "tpu-v6e", "rtx-4090", "gaudi3", "trainium2"};
static const char *const models[] = {"llama-2-7b",   "llama-3-70b",  "qwen3-32b",   "qwen3-30b-a3b",
                                     "mixtral-8x7b", "gpt-oss-120b", "deepseek-v3", "gpt3-175b"};
enum { CHIPS = sizeof chips / sizeof *chips, MODELS = sizeof models / sizeof *models };

/* ------------------------------------------------------------------ order */

/* More sequences, longer contexts and longer prompts never take less time: 2 % are left for tiles that fit better. */
static void test_monotone(void **state)
{
    static const char *const dtypes[] = {"bf16", "fp8", "int4_wo"};
    int asked = 0, fit = 0;
    (void)state;
    for (int c = 0; c < CHIPS; c++)
        for (int m = 0; m < MODELS; m++)
            for (int d = 0; d < 3; d++) {
                double batch = 0, context = 0, prompt = 0;
                for (unsigned n = 1; n <= 512; n *= 4) {
                    double b = step(chips[c], models[m], 8, true, n, 1024, dtypes[d]);
                    double k = step(chips[c], models[m], 8, true, 16, 128 * n, dtypes[d]);
                    double p = step(chips[c], models[m], 8, false, 1, 16 * n, dtypes[d]);
                    if (b < 0.98 * batch || k < 0.98 * context || p < 0.98 * prompt)
                        fail_msg(
                            "%s %s %s at %u: batch %g after %g, context %g after %g, prompt %g "
                            "after %g",
                            chips[c], models[m], dtypes[d], n, b, batch, k, context, p, prompt);
                    asked++, fit += !isnan(b);
                    batch = isnan(b) ? batch : b, context = isnan(k) ? context : k, prompt = isnan(p) ? prompt : p;
                }
            }
    assert_true(fit > asked / 2 && fit < asked); /* 405 billions and 32 GiB chips are among them */
}

/* No step is shorter than its weights at the memory's rate, or its products at the peak; and the larger model of two
 * takes longer. */
static void test_rooflines(void **state)
{
    int larger = 0;
    (void)state;
    for (int c = 0; c < CHIPS; c++) {
        slx_chip *chip;
        slx_err err = {0};
        assert_int_equal(slx_chip_load_any(&chip, chips[c], &err), SLX_OK);
        for (int m = 0; m < MODELS; m++) {
            slx_shape *s;
            assert_int_equal(slx_shape_open(&s, models[m], &err), SLX_OK);
            double table = (double)s->vocab * s->d_model;
            double once = slx_shape_active_weights(s) - (s->tied ? 1 : 2) * table; /* a token */
            double bytes = 2 * once / 8 / (chip->lib.fig.mem_tbs * 1e12);
            double flops = 2 * once * 4096 / 8 / (chip->lib.fig.tflops * 1e12);
            double token = step(chips[c], models[m], 8, true, 1, 128, "bf16") / 1e3;
            double prompt = step(chips[c], models[m], 8, false, 1, 4096, "bf16") / 1e3;
            if (token < bytes || prompt < flops)
                fail_msg("%s %s: %g s a token, at least %g; %g s a prompt, at least %g", chips[c],
                         models[m], token, bytes, prompt, flops);
            slx_shape_free(s);
        }
        double small = step(chips[c], "llama-3-8b", 8, true, 8, 512, "int4_wo");
        double middle = step(chips[c], "llama-3-70b", 8, true, 8, 512, "int4_wo");
        double large = step(chips[c], "llama-3.1-405b", 8, true, 8, 512, "int4_wo");
        assert_true(small < middle && (isnan(large) || middle < large));
        larger += !isnan(large);
        slx_chip_free(chip);
    }
    assert_true(larger > CHIPS / 2);
}

/* More chips shorten a long prompt over fast links; over more than one node they help less. A pipeline adds a
 * little to a pass. */
static void test_chips_together(void **state)
{
    static const char *const linked[] = {"a100", "h100", "h200", "b200", "mi300x"};
    (void)state;
    for (int c = 0; c < 5; c++) {
        double one = INFINITY, node = 0, two = 0;
        for (unsigned tp = 1; tp <= 8; tp *= 2) {
            double t = step(linked[c], "llama-3-70b", tp, false, 1, 4096, "bf16");
            if (t > one)
                fail_msg("%s: %g ms on %u chips, %g on half of them", linked[c], t, tp, one);
            one = isnan(t) ? one : t;
        }
        node = step(linked[c], "llama-3-70b", 8, false, 1, 4096, "bf16");
        two = step(linked[c], "llama-3-70b", 16, false, 1, 4096, "bf16");
        assert_true(two > node / 2);
        double line = value("ms",
                            "{\"id\":\"p\",\"kind\":\"step\",\"chip\":\"%s\",\"model\":\"llama-3-"
                            "70b\",\"tp\":8,\"pp\":2,\"phase\":\"prefill\",\"batch\":1,\"q_len\":"
                            "4096,\"context\":4096,\"dtype\":\"bf16\"}",
                            linked[c]);
        assert_true(line > node && line < 1.1 * node);
    }
}

/* ------------------------------------------------------------------ whole batches */

#define BATCH                                                                                      \
    "{\"id\":\"b\",\"kind\":\"serving\",\"chip\":\"h100\",\"model\":\"llama-3-70b\",\"n_chips\":"  \
    "4,"                                                                                           \
    "\"precision\":\"%s\",\"parallel\":%s,\"framework\":\"vLLM\",\"isl\":512,\"osl\":%u,"          \
    "\"load\":{\"type\":\"static\",\"batch\":%u},\"ask\":\"%s\"}"

static void test_batches(void **state)
{
    static const char *const times[] = {"ttft_mean", "ttft_p50", "ttft_p99",
                                        "tpot_mean", "itl_p95",  "e2e_p90"};
    (void)state;
    double small = 0;
    for (unsigned n = 1; n <= 64; n *= 4) {
        double s = value("s", BATCH, "fp16", "{\"tp\":4}", 256, n, "batch_latency");
        double out = value("tok/s", BATCH, "fp16", "{\"tp\":4}", 256, n, "output_tok_s");
        double all = value("tok/s", BATCH, "fp16", "{\"tp\":4}", 256, n, "total_tok_s");
        double chip = value("tok/s/chip", BATCH, "fp16", "{\"tp\":4}", 256, n, "tok_s_per_chip");
        assert_true(s > small && fabs(s * out / (n * 256.0) - 1) < 1e-4);
        assert_true(fabs(all / out / 3 - 1) < 1e-4 && fabs(all / chip / 4 - 1) < 1e-4);
        small = s;
    }
    for (int i = 0; i < 6; i++) value("ms", BATCH, "FP8", "{\"tp\":2,\"pp\":2}", 256, 16, times[i]);
    value("W", BATCH, "fp16", "{\"tp\":4}", 256, 16, "chip_power_mean");
    value("USD/Mtok", BATCH, "fp16", "null", 256, 16, "usd_per_mtok");
    /* Halves of a model in a pipeline: slower than all chips on each layer, faster than one half of the chips twice. */
    double together = value("s", BATCH, "fp16", "{\"tp\":4}", 256, 16, "batch_latency");
    double line = value("s", BATCH, "fp16", "{\"tp\":2,\"pp\":2}", 256, 16, "batch_latency");
    assert_true(line > together && line < 4 * together);
    /* Two replicas of two share the batch. */
    double two = value("s", BATCH, "fp8", "{\"tp\":2,\"dp\":2}", 256, 16, "batch_latency");
    double half = value("s", BATCH, "fp8", "{\"tp\":2,\"dp\":1}", 256, 16, "batch_latency");
    assert_true(fabs(two / half - 1) < 1e-4); /* four chips, tp 2: two replicas, said or not */
}

/* ------------------------------------------------------------------ who runs what where */

#define PLACED                                                                                     \
    "{\"id\":\"p\",\"kind\":\"serving\",\"chip\":\"b200\",\"model\":\"%s\",\"framework\":"        \
    "\"SGLang\",\"isl\":1000,\"osl\":500,\"load\":{\"type\":\"concurrency\",\"n\":64},"            \
    "\"parallel\":%s%s,\"ask\":\"%s\"}"

static double placed(const char *model, const char *parallel, const char *more, const char *ask_for)
{
    return value(strstr(ask_for, "chip") ? "tok/s/chip" : "ms", PLACED, model, parallel, more, ask_for);
}

static void test_placements(void **state)
{
    (void)state;
    const char *moe = "deepseek-r1", *fp8 = ",\"precision\":\"fp8\"";
    double eight = placed(moe, "{\"tp\":8,\"moe_ep\":8}", fp8, "tpot_mean");
    /* tp written as moe_tp times moe_ep: the same eight chips, whether their number is told or not */
    assert_true(eight == placed(moe, "{\"tp\":64,\"moe_tp\":8,\"moe_ep\":8}", fp8, "tpot_mean"));
    assert_true(eight == placed(moe, "{\"tp\":64,\"moe_tp\":8,\"moe_ep\":8}", ",\"n_chips\":8,\"precision\":\"fp8\"",
                                "tpot_mean"));
    /* moe_ep written as their product: four chips that share each layer, whole experts on each of them */
    const char *fp4 = ",\"precision\":\"fp4\"", *product = "{\"tp\":4,\"attention_dp\":4,\"moe_tp\":1,\"moe_ep\":16}";
    assert_true(placed(moe, product, fp4, "tpot_mean") == placed(moe, "{\"tp\":4,\"moe_ep\":4}", fp4, "tpot_mean"));
    /* one form under three names; and experts on more chips than the attention say it without a name */
    double dep = placed(moe, "{\"dep\":8}", fp8, "tpot_mean");
    assert_true(dep == placed(moe, "{\"attention_dp\":8,\"moe_ep\":8}", fp8, "tpot_mean"));
    assert_true(dep == placed(moe, "{\"dp\":8,\"ep\":8}", fp8, "tpot_mean"));
    assert_true(dep == placed(moe, "{\"tp\":1,\"moe_ep\":8}", fp8, "tpot_mean"));
    assert_true(dep != eight);
    /* a dense model has no experts to share: replicas */
    double one = placed("llama-3.1-8b", "{\"dp\":4}", "", "tok_s_per_chip");
    assert_true(fabs(one / placed("llama-3.1-8b", "{\"tp\":1}", ",\"n_chips\":4", "tok_s_per_chip") - 1) < 1e-3);
    /* formats of products and of experts; of the name, where nothing else says one */
    double wide = placed(moe, "{\"tp\":8}", ",\"precision\":\"fp8\"", "tpot_mean");
    assert_true(placed(moe, "{\"tp\":8}", ",\"gemm_dtype\":\"fp8_block\",\"moe_dtype\":\"nvfp4\"", "tpot_mean") < wide);
    assert_true(placed("qwen3-32b", "{\"tp\":1}", fp8, "tpot_mean") ==
                placed("Qwen/Qwen3-32B-FP8", "{\"tp\":1}", "", "tpot_mean"));
    /* guessed tokens */
    assert_true(placed(moe, "{\"tp\":8}",
                       ",\"precision\":\"fp8\",\"engine\":{\"speculative\":{\"method\":\"mtp\",\"tokens\":2}}",
                       "tpot_mean") < wide);
    /* prompts read apart: chips of both count */
    const char *apart = "{\"mode\":\"disagg\",\"prefill\":{\"tp\":4,\"workers\":2},\"decode\":{\"tp\":8}}";
    assert_true(placed(moe, apart, fp8, "tpot_mean") < wide);
    placed(moe, apart, fp8, "ttft_mean");
    placed(moe, apart, fp8, "output_tok_s_per_chip");
    char line[1024];
    /* nobody says how many chips: as many as hold it */
    assert_true(placed("llama-3.1-405b", "null", fp8, "tpot_mean") ==
                placed("llama-3.1-405b", "{\"tp\":4}", ",\"n_chips\":4,\"precision\":\"fp8\"", "tpot_mean"));
    snprintf(line, sizeof line, PLACED, moe, "{\"mode\":\"disagg\",\"prefill\":{}}", "", "tpot_mean");
    expect(line, false, "line 7: field parallel: found no prefill or no decode");
    snprintf(line, sizeof line, PLACED, moe,
             "{\"mode\":\"disagg\",\"prefill\":{\"workers\":1000000,\"dp\":1000000},\"decode\":{\"tp\":8}}", "",
             "tpot_mean");
    expect(line, true, "workers times dp over");
    snprintf(line, sizeof line, PLACED, moe, "{\"tp\":4096}", "", "tpot_mean");
    expect(line, true, "over 1024");
    snprintf(line, sizeof line, PLACED, moe, "{\"mode\":\"both\"}", "", "tpot_mean");
    expect(line, false, "found 'both', expected agg or disagg");
    snprintf(line, sizeof line, PLACED, moe, "{\"tp\":8}", ",\"moe_dtype\":\"fp7\"", "tpot_mean");
    expect(line, true, "moe_dtype fp7 is not modelled");
    snprintf(line, sizeof line, PLACED, moe, "{\"tp\":8}", ",\"engine\":{\"speculative\":{}}", "tpot_mean");
    expect(line, false, "field tokens");
}

#define AT_SPEED                                                                                   \
    "{\"id\":\"s\",\"kind\":\"serving\",\"chip\":\"h200\",\"model\":\"llama-3.1-8b\",\"n_chips\":1,"        \
    "\"framework\":\"vLLM\",\"isl\":1000,\"osl\":500,\"load\":%s,\"ask\":\"%s\"}"

/* The speed asked for is reached, and hardly passed; faster users leave less for all. */
static void test_interactivity(void **state)
{
    (void)state;
    double more = 0;
    for (int speed = 160; speed >= 40; speed /= 2) {
        char load[128];
        snprintf(load, sizeof load, "{\"type\":\"interactivity\",\"tok_s_user\":%d}", speed);
        double tpot = value("ms", AT_SPEED, load, "tpot_mean"), all = value("tok/s", AT_SPEED, load, "output_tok_s");
        assert_true(tpot <= 1e3 / speed && tpot > 0.9e3 / speed && all > more);
        more = all;
    }
    const char *told = "{\"type\":\"interactivity\",\"tok_s_user\":50,\"concurrency\":64}";
    value("tok/s/chip", AT_SPEED, told, "tok_s_per_chip");
    char line[1024];
    snprintf(line, sizeof line, AT_SPEED, "{\"type\":\"interactivity\",\"tok_s_user\":5000}", "tpot_mean");
    expect(line, true, "one user alone has");
    snprintf(line, sizeof line, AT_SPEED, "{\"type\":\"interactivity\"}", "tpot_mean");
    expect(line, false, "field tok_s_user");
}

/* Quantiles of a closed loop are in order, and around the mean; the first token is never before its prompt is read. */
static void test_quantiles(void **state)
{
    (void)state;
    static const char *const what[] = {"ttft", "tpot", "e2e"};
    double alone = value("ms", AT_SPEED, "{\"type\":\"concurrency\",\"n\":1}", "ttft_mean");
    for (int i = 0; i < 3; i++) {
        double v[5];
        static const char *const at[] = {"mean", "p50", "p90", "p95", "p99"};
        for (int k = 0; k < 5; k++) {
            char ask_for[16];
            snprintf(ask_for, sizeof ask_for, "%s_%s", what[i], at[k]);
            v[k] = value("ms", AT_SPEED, "{\"type\":\"concurrency\",\"n\":64}", ask_for);
        }
        assert_true(v[1] <= v[2] && v[2] <= v[3] && v[3] <= v[4] && v[0] <= v[4]);
        assert_true(i > 0 || v[0] >= alone);
    }
    double before = 0; /* more requests never have their first tokens earlier */
    for (int n = 1; n <= 1024; n *= 4) {
        char load[64];
        snprintf(load, sizeof load, "{\"type\":\"concurrency\",\"n\":%d}", n);
        double first = value("ms", AT_SPEED, load, "ttft_mean");
        assert_true(first >= before);
        before = first;
    }
}

/* Watts and dollars count tokens in and out. All-in watts of a chip: published (query_cost.c says where). */
static void test_watts(void **state)
{
    (void)state;
    static const struct {
        const char *chip;
        double all_in_w;
    } known[] = {{"b200", 2170}, {"mi325x", 2180}, {"mi300x", 1790}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        static const char line[] =
            "{\"id\":\"w\",\"kind\":\"serving\",\"chip\":\"%s\",\"model\":\"llama-3.1-8b\",\"n_chips\":2,"
            "\"framework\":\"vLLM\",\"isl\":1000,\"osl\":500,\"load\":{\"type\":\"concurrency\",\"n\":32},"
            "\"ask\":\"%s\"}";
        double each = value("tok/s/chip", line, known[i].chip, "tok_s_per_chip");
        double mw = value("tok/s/MW", line, known[i].chip, "tok_s_per_mw");
        assert_true(fabs(each / mw * 1e6 / known[i].all_in_w - 1) < 0.04);
        double mean = value("W", line, known[i].chip, "chip_power_mean");
        double all = value("W", line, known[i].chip, "system_power");
        assert_true(mean <= value("W", line, known[i].chip, "chip_power_max") && all > 2 * mean);
    }
    double usd = value("USD/Mtok", AT_SPEED, "{\"type\":\"concurrency\",\"n\":64}", "usd_per_mtok");
    double rate = value("tok/s", AT_SPEED, "{\"type\":\"concurrency\",\"n\":64}", "total_tok_s");
    double hour = usd * rate * 3600 / 1e6;
    assert_true(hour > 1 && hour < 5); /* H200 is let for 2 to 4 dollars an hour */
}

/* A submission to MLPerf needs no lengths: its data set has them. Limits cost tokens, more chips make more: ten nodes
 * ten times as many, whatever their number; a question's own lengths hold. */
static void test_mlperf(void **state)
{
    (void)state;
    static const char line[] =
        "{\"id\":\"m\",\"kind\":\"serving\",\"chip\":\"b200\",\"model\":\"%s\",\"n_chips\":%d,"
        "\"precision\":\"fp4\"%s,"
        "\"load\":{\"type\":\"mlperf\",\"scenario\":\"%s\"},\"ask\":\"output_tok_s\"}";
    double all = value("tok/s", line, "llama2-70b", 8, "", "offline");
    double server = value("tok/s", line, "llama2-70b", 8, "", "server");
    assert_true(server <= all && value("tok/s", line, "llama2-70b", 8, "", "interactive") < server);
    assert_true(fabs(value("tok/s", line, "llama2-70b", 80, "", "offline") / all - 10) < 0.01);
    assert_true(value("tok/s", line, "llama2-70b", 8, ",\"isl\":3000", "offline") < 0.8 * all);
    char text[512];
    snprintf(text, sizeof text, line, "falcon-40b", 8, "", "offline");
    expect(text, true, "no benchmark of MLPerf Inference");
    snprintf(text, sizeof text, line, "llama2-70b", 8, "", "edge");
    expect(text, true, "expected one of offline, server, interactive");
}

/* ------------------------------------------------------------------ requests over time */

#define SERVER                                                                                     \
    "{\"id\":\"t\",\"kind\":\"serving\",\"chip\":\"h100\",\"model\":\"llama-3-8b\",\"n_chips\":1," \
    "\"precision\":\"bf16\",\"framework\":\"vLLM\",\"engine\":{\"max_num_seqs\":64,"               \
    "\"max_num_batched_tokens\":2048,\"kv_blocks\":8000,\"kv_block_tokens\":16},"                  \
    "\"isl\":500,\"osl\":100,\"load\":%s,\"ask\":\"%s\"}"

static void test_traffic(void **state)
{
    static const char *const loads[] = {
        "{\"type\":\"rate\",\"req_s\":4,\"requests\":200}",
        "{\"type\":\"stages\",\"stages\":[[4,25],[4,25]],\"arrivals\":\"poisson\"}",
        "{\"type\":\"stages\",\"stages\":[[4,50]],\"shared_prefix\":{\"num_unique_system_prompts\":"
        "3,"
        "\"num_users_per_system_prompt\":5,\"system_prompt_len\":100,\"question_len\":400,"
        "\"output_len\":100}}",
        "{\"type\":\"trace\",\"arrival_s\":[0,0.2,0.4,0.6],\"isl\":[500,400,600,500],"
        "\"osl\":[100,90,110,100]}"};
    static const char *const times[] = {"ttft_mean", "ttft_p99", "tpot_mean", "tpot_p90",
                                        "itl_mean",  "e2e_p50",  "e2e_p95"};
    (void)state;
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 7; k++) value("ms", SERVER, loads[i], times[k]);
        double out = value("tok/s", SERVER, loads[i], "output_tok_s");
        double all = value("tok/s", SERVER, loads[i], "total_tok_s");
        assert_true(fabs(all / out / 6 - 1) < 0.05); /* 500 in, 100 out */
        assert_true(value("ms", SERVER, loads[i], "ttft_p99") >=
                    value("ms", SERVER, loads[i], "ttft_p50"));
    }
    /* A system prompt that is cached is not read again. */
    assert_true(value("ms", SERVER, loads[2], "ttft_p50") <
                value("ms", SERVER, loads[1], "ttft_p50"));
    expect(
        "{\"id\":\"1\",\"kind\":\"serving\",\"chip\":\"h100\",\"model\":\"llama-3-8b\",\"load\":{"
        "\"type\":\"trace\",\"arrival_s\":[0,1],\"isl\":[5],\"osl\":[5,5]},\"ask\":\"ttft_mean\"}",
        false, "field isl: expected a list as long as arrival_s");
    expect(
        "{\"id\":\"2\",\"kind\":\"serving\",\"chip\":\"h100\",\"model\":\"llama-3-8b\",\"load\":{"
        "\"type\":\"stages\",\"stages\":[[0,5]]},\"isl\":5,\"osl\":5,\"ask\":\"ttft_mean\"}",
        false, "field stages: expected numbers above 0 in stage 1");
    expect(
        "{\"id\":\"3\",\"kind\":\"serving\",\"chip\":\"h100\",\"model\":\"llama-3-8b\",\"load\":{"
        "\"type\":\"rate\",\"req_s\":1e6,\"requests\":1000000},\"isl\":5,\"osl\":5,\"ask\":"
        "\"ttft_mean\"}",
        true, "more than 200000 requests");
}

/* ------------------------------------------------------------------ names */

static void test_names(void **state)
{
    static const char *const other[][2] = {{"NVIDIA H100 80GB HBM3", "h100"},
                                           {"h100_sxm", "h100"},
                                           {"H100-SXM5-80GB", "h100"},
                                           {"nvidia_h200", "h200"},
                                           {"AMD Instinct MI300X", "mi300x"},
                                           {"Google TPU v6e", "tpu-v6e"},
                                           {"tpuv4", "tpu-v4"},
                                           {"B200-SXM-180GB", "b200"},
                                           {"a100-sxm4-80gb", "a100"},
                                           {"RTXPRO6000", "rtx-pro-6000"},
                                           {"NVIDIA GeForce RTX 4090", "rtx-4090"},
                                           {"Intel Gaudi 3", "gaudi3"}};
    static const char *const same[][2] = {
        {"mistralai/Mixtral-8x7B-Instruct-v0.1", "mixtral-8x7b"},
        {"mistralai/Mixtral-8x22B-Instruct-v0.1", "mixtral-8x22b"},
        {"mistralai/Mistral-7B-v0.1", "mistral-7b-v0.1"},
        {"mistralai/Mistral-7B-Instruct-v0.3", "mistral-7b-v0.3"},
        {"Llama2 70B", "llama-2-70b"},
        {"llama2_70b", "llama-2-70b"},
        {"meta-llama/Meta-Llama-3-70B-Instruct", "llama-3-70b"},
        {"nvidia/Llama-3.3-70B-Instruct-FP4", "llama-3.3-70b"},
        {"GPT-3 175B", "gpt3-175b"},
        {"nvidia/DeepSeek-R1-0528-FP4-v2", "deepseek-r1"},
        {"deepseek-ai/DeepSeek-V3-0324", "deepseek-v3"},
        {"deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "llama-3.3-70b"},
        {"lmsys/vicuna-13b-v1.5", "llama-2-13b"},
        {"Qwen/Qwen3-30B-A3B-Instruct-2507", "qwen3-30b-a3b"},
        {"TinyLlama/TinyLlama-1.1B-Chat-v1.0", "tinyllama-1.1b"}};
    (void)state;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        assert_true(step(other[i][0], "llama-2-7b", 1, true, 1, 64, "bf16") ==
                    step(other[i][1], "llama-2-7b", 1, true, 1, 64, "bf16"));
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_true(step("b200", same[i][0], 16, true, 1, 64, "bf16") ==
                    step("b200", same[i][1], 16, true, 1, 64, "bf16"));
    /* Other parts are not taken for these. */
    expect("{\"id\":\"1\",\"kind\":\"gemm\",\"chip\":\"NVIDIA "
           "A100-SXM4-40GB\",\"m\":1,\"n\":1,\"k\":1,"
           "\"dtype\":\"bf16\"}",
           true, "no such name in chips");
    expect(
        "{\"id\":\"1\",\"kind\":\"gemm\",\"chip\":\"h100_pcie\",\"m\":1,\"n\":1,\"k\":1,\"dtype\":"
        "\"bf16\"}",
        true, "no such name in chips");
    /* Figures come after a file, whatever its spelling. */
    double file = step("h100", "llama-2-7b", 1, true, 1, 64, "bf16");
    double figures =
        value("ms", "{\"id\":\"c\",\"kind\":\"step\",\"chip\":\"H100 SXM\",\"chip_spec\":{"
                    "\"family\":\"nvidia-hopper\",\"mem_gb_s\":1},\"model\":\"llama-2-7b\","
                    "\"tp\":1,\"phase\":\"decode\",\"batch\":1,\"q_len\":1,\"context\":64,"
                    "\"dtype\":\"bf16\"}");
    assert_true(file == figures);
}

/* Chips known by their figures alone, one after the other in one file: each has its own answer. */
static void test_figures(void **state)
{
    static const char *const line =
        "{\"id\":\"f\",\"kind\":\"layer\",\"chip\":\"no-file\",\"chip_spec\":{\"family\":\"nvidia-"
        "ampere\","
        "\"units\":84,\"clock_ghz\":1.74,\"bf16_tflops\":%g,\"mem_gb_s\":%g,\"cache_mib\":6},"
        "\"model\":"
        "\"llama-2-7b\",\"op\":\"%s\",\"tokens\":%u,\"tp\":1,\"dtype\":\"fp16\"}";
    (void)state;
    double slow = value("ms", line, 150.0, 700.0, "gate_up_proj", 1u);
    double fast = value("ms", line, 150.0, 1400.0, "gate_up_proj", 1u);
    assert_true(slow > 1.7 * fast && slow < 2.1 * fast);
    assert_true(slow == value("ms", line, 150.0, 700.0, "gate_up_proj", 1u));
    double half = value("ms", line, 75.0, 700.0, "gate_up_proj", 4096u);
    double whole = value("ms", line, 150.0, 700.0, "gate_up_proj", 4096u);
    assert_true(half > 1.7 * whole && half < 2.2 * whole);
    /* A sum of 2048 x 4096 values moves 50 MB: with so little memory rate a unit it takes little more than that. */
    double sum = value("ms", line, 150.0, 700.0, "add", 2048u), least = 3 * 2048 * 4096 * 2 / 700e6;
    assert_true(sum > least && sum < 1.3 * least);
}

/* ------------------------------------------------------------------ not told, and what stands beside a value */

#define GEMM_ON(chip, dtype)                                                                       \
    "{\"id\":\"g\",\"kind\":\"gemm\",\"chip\":\"" chip                                            \
    "\",\"m\":64,\"n\":4096,\"k\":4096,\"dtype\":\"" dtype "\"}"
#define STEP_ON(chip, more)                                                                        \
    "{\"id\":\"s\",\"kind\":\"step\",\"chip\":\"" chip                                            \
    "\",\"phase\":\"decode\",\"batch\":1,\"context\":2048," more "}"

/* Of a chip with a file, what depends on a figure that is not published is not told; of one that a question describes
 * everything is. */
static void test_not_published(void **state)
{
    (void)state;
    expect(GEMM_ON("taalas-hc1", "bf16"), true, "null,\"why\":\"chip taalas-hc1: part.mem_tbs: not published");
    expect(GEMM_ON("graviton4", "bf16"), true, "part.bf16_tflops: not published");
    expect(GEMM_ON("graviton4", "fp8"), true, "part.bf16_tflops: not published");
    expect(GEMM_ON("gaudi3", "int8"), true, "part.int8_tops: not published");
    expect(STEP_ON("taalas-hc1", "\"model\":\"llama-3.1-8b\""), true, "weight memory are not published");
    expect(STEP_ON("taalas-hc1", "\"model\":\"llama-3.1-70b\""), true, "holds llama-3.1-8b alone");
    expect(STEP_ON("wse-3", "\"model\":\"llama-3.1-8b\""), true, "part.bf16_tflops: not published");
    expect(STEP_ON("trainium1", "\"model\":\"llama-3.1-8b\",\"tp\":2"), true, "part.links_gbs: not published");
    expect("{\"id\":\"c\",\"kind\":\"allreduce\",\"chip\":\"corsair\",\"n_chips\":4,\"bytes\":4096}", true,
           "part.links_gbs: not published");
    expect("{\"id\":\"w\",\"kind\":\"gemm\",\"chip\":\"corsair\",\"m\":8,\"n\":8,\"k\":8,\"dtype\":\"int8\","
           "\"ask\":\"power\"}",
           true, "package.tdp_w: not published");
    expect("{\"id\":\"v\",\"kind\":\"serving\",\"chip\":\"graviton4\",\"model\":\"llama-2-7b\",\"isl\":8,\"osl\":8,"
           "\"load\":{\"type\":\"static\",\"batch\":4},\"ask\":\"ttft_mean\"}",
           true, "part.bf16_tflops: not published");
    static const char *const asks[] = {"\"kind\":\"gemm\",\"m\":64,\"n\":4096,\"k\":4096,\"dtype\":\"nvfp4\"",
                                       "\"kind\":\"gemm\",\"m\":64,\"n\":4096,\"k\":4096,\"dtype\":\"int8\"",
                                       "\"kind\":\"allreduce\",\"n_chips\":4,\"bytes\":4096",
                                       "\"kind\":\"step\",\"model\":\"llama-3.1-70b\",\"phase\":\"decode\","
                                       "\"batch\":1,\"context\":64,\"tp\":2"};
    for (int i = 0; i < 4; i++)
        value("ms", "{\"id\":\"d\",\"chip\":\"bare\",\"chip_spec\":{\"bf16_tflops\":400},%s}", asks[i]);
}

/* Weights and keys that the memory does not hold are refused with both sizes: 405 billion numbers of 16 bits are
 * 811 GB, an H100 has 85.9. What a question does not tell of memory is not held against it. */
static void test_capacity(void **state)
{
    (void)state;
    expect(STEP_ON("h100", "\"model\":\"llama-3.1-405b\",\"dtype\":\"bf16\""), true, "needs 811.");
    expect(STEP_ON("h100", "\"model\":\"llama-3.1-405b\",\"dtype\":\"bf16\""), true, "h100 has 85.9 GB");
    expect(STEP_ON("h100", "\"model\":\"gpt-oss-120b\",\"dtype\":\"bf16\""), true, "GB of weights and");
    value("ms", STEP_ON("h100", "\"model\":\"llama-3.1-70b\",\"dtype\":\"bf16\",\"tp\":2"));
    expect("{\"id\":\"k\",\"kind\":\"step\",\"chip\":\"h100\",\"model\":\"llama-2-7b\",\"phase\":\"decode\","
           "\"batch\":64,\"context\":4096}",
           true, "GB of keys and values");
    value("ms", "{\"id\":\"k\",\"kind\":\"step\",\"chip\":\"x\",\"chip_spec\":{},\"model\":\"llama-3.1-405b\","
                "\"phase\":\"decode\",\"batch\":1,\"context\":64}");
}

/* The value of a step, its software, under a framework or none. */
static double step_under(const char *chip, const char *dtype, const char *framework, const char *software)
{
    char line[512];
    bool good;
    snprintf(line, sizeof line, STEP_ON("%s", "\"model\":\"llama-3.1-8b\",\"dtype\":\"%s\"%s%s%s"), chip, dtype,
             *framework ? ",\"framework\":\"" : "", framework, *framework ? "\"" : "");
    char *a = ask(line, &good), *said = strstr(a, "\"software\":\"");
    if (!said || !strstr(said, software) || !strstr(a, "\"timed_by\":\"library\""))
        fail_msg("%s\n answered %s", line, a);
    free(a);
    return value("ms", "%s", line);
}

/* One rule for all chips, and the answer says which software it took: in 16 bits the host's launches are waited for
 * everywhere, so chips whose memory differs by half take the same; narrow formats and named engines are graphs. */
static void test_software_told(void **state)
{
    static const char *const gpus[] = {"h100", "h200", "b200", "mi300x", "l40s"};
    (void)state;
    for (int i = 0; i < 5; i++) {
        double plain = step_under(gpus[i], "bf16", "", "PyTorch 2.0"), narrow = step_under(gpus[i], "int8", "", "");
        double engine = step_under(gpus[i], "bf16", "vLLM", "vLLM, kernels of ");
        if (!(plain > 1.2 * engine && engine > 0.8 * narrow))
            fail_msg("%s: %g plain, %g under an engine, %g in 8 bits", gpus[i], plain, engine, narrow);
        assert_true(step_under(gpus[i], "bf16", "transformers", "PyTorch 2.0") == plain);
    }
    assert_true(step_under("h100", "bf16", "", "PyTorch") == step_under("h200", "bf16", "", "PyTorch"));
    assert_true(step_under("h100", "bf16", "vLLM", "vLLM") > 1.2 * step_under("h200", "bf16", "vLLM", "vLLM"));
    double unknown = step_under("h100", "bf16", "zorkserve", "vLLM, kernels of ");
    assert_true(unknown == step_under("h100", "bf16", "vLLM", "vLLM, kernels of "));
    expect(STEP_ON("h100", "\"model\":\"llama-3.1-8b\",\"framework\":\"zorkserve\""), true,
           "\"note\":\"framework \\\"zorkserve\\\" is not known, taken for vLLM\"");
    expect(GEMM_ON("h100", "nvfp4"), true, "\"note\":\"h100 multiplies no nvfp4: weights alone are stored so");
    expect("{\"id\":\"z\",\"kind\":\"serving\",\"chip\":\"h100\",\"model\":\"llama-2-7b\",\"isl\":8,\"osl\":8,"
           "\"framework\":\"zorkserve\",\"load\":{\"type\":\"static\",\"batch\":4},\"ask\":\"ttft_mean\"}",
           true, "\"zorkserve\\\" is not known for this load, taken for vLLM");
    expect(STEP_ON("silex-1", "\"model\":\"smollm2-135m\""), true, "\"timed_by\":\"program\"");
}

/* An id that stood before is answered, and noted. */
static void test_ids(void **state)
{
    static const char line[] = GEMM_ON("h100", "bf16");
    slx_buf b = {0};
    slx_queries *q = slx_queries_open();
    (void)state;
    assert_true(slx_queries_line(q, line, sizeof line - 1, 1, &b));
    assert_null(strstr(b.ptr, "note"));
    assert_true(slx_queries_line(q, line, sizeof line - 1, 2, &b));
    assert_non_null(strstr(b.ptr, "\"note\":\"line 2: field id: found that of line 1 again"));
    assert_null(strstr(b.ptr, "null"));
    for (int i = 3; i < 3000; i++) { /* the table grows */
        char other[256];
        b.len = 0;
        snprintf(other, sizeof other, "{\"id\":\"%d\",\"kind\":\"song\",\"chip\":\"h100\"}", i);
        assert_true(slx_queries_line(q, other, strlen(other), i, &b));
    }
    slx_queries_close(q);
    slx_buf_free(&b);
}

/* ------------------------------------------------------------------ nonsense */

static void test_malformed(void **state)
{
    (void)state;
    expect("{\"id\":\"1\",\"kind\":\"step\"", false, "line 7: column");
    expect("[]", false, "found a list, expected a JSON object");
    expect("{\"id\":5,\"kind\":\"gemm\"}", false, "field id: found 5, expected a text");
    expect(
        "{\"id\":\"m\",\"kind\":\"attention\",\"chip\":\"h100\",\"phase\":\"decode\",\"batch\":1,"
        "\"q_heads\":8,\"kv_heads\":3,\"head_dim\":128,\"context\":8}",
        false, "field kv_heads: found 3, expected a divisor of q_heads = 8");
    expect("{\"id\":\"p\",\"kind\":\"allreduce\",\"chip\":\"h100\",\"n_chips\":8,\"bytes\":0}",
           false, "field bytes: found 0, expected a number >= 1");
    expect("{\"id\":\"b\",\"kind\":\"gemm\",\"chip\":\"h100\",\"m\":1e14,\"n\":1e14,\"k\":1e14,"
           "\"dtype\":\"bf16\"}",
           true, "longer than a thousand years");
    expect("{\"id\":\"h\",\"kind\":\"step\",\"chip\":\"h100\",\"model\":\"llama-2-7b\",\"phase\":"
           "\"prefill\",\"batch\":1,\"q_len\":100,\"context\":8}",
           false, "field context: found 8, expected at least q_len = 100");
    expect("{\"id\":\"i\",\"kind\":\"step\",\"chip\":\"h100\",\"model\":\"llama-2-7b\",\"phase\":"
           "\"decode\",\"batch\":100000000000,\"context\":8}",
           true, "over 1e9");
    expect(
        "{\"id\":\"j\",\"kind\":\"step\",\"chip\":\"h100\",\"model_config\":{\"hidden_size\":-5},"
        "\"phase\":\"decode\",\"batch\":1,\"context\":8}",
        true, "key 'hidden_size': found -5");
    expect(
        "{\"id\":\"u\",\"kind\":\"serving\",\"chip\":\"h100\",\"model\":\"llama-2-7b\",\"isl\":8,"
        "\"osl\":1,\"load\":{\"type\":\"static\",\"batch\":4},\"ask\":\"tpot_p50\"}",
        true, "an answer of one token has no second");
    expect("{\"id\":\"g\",\"kind\":\"serving\",\"chip\":\"h100\",\"model\":\"gpt3-175b\",\"n_chips\":1,\"isl\":8,"
           "\"osl\":8,\"load\":{\"type\":\"static\",\"batch\":4},\"ask\":\"ttft_mean\"}",
           true, "GB of weights");
    /* Configs that do not tell a size are no bug of ours; those that write it as 32.0 tell it. */
    expect(
        "{\"id\":\"v\",\"kind\":\"layer\",\"chip\":\"h100\",\"model_config\":{\"hidden_size\":7168,"
        "\"num_attention_heads\":56},\"op\":\"lm_head\",\"tokens\":16}",
        true, "op lm_head: the model does not tell its sizes");
    expect(
        "{\"id\":\"v\",\"kind\":\"layer\",\"chip\":\"h100\",\"model_config\":{\"hidden_size\":7168,"
        "\"num_attention_heads\":56},\"op\":\"act\",\"tokens\":16}",
        true, "op act: the model does not tell its sizes");
    value("ms", "{\"id\":\"v\",\"kind\":\"layer\",\"chip\":\"h100\",\"model_config\":{\"hidden_"
                "size\":7168.0,"
                "\"num_attention_heads\":56,\"num_key_value_heads\":null},\"op\":\"o_proj\","
                "\"tokens\":16}");
    /* Fields that are null are not there. */
    value("ms",
          "{\"id\":\"z\",\"kind\":\"step\",\"chip\":\"h100\",\"model\":\"llama-2-7b\",\"phase\":"
          "\"decode\",\"batch\":1,\"q_len\":null,\"context\":8,\"tp\":null,\"kv_dtype\":null}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_monotone),       cmocka_unit_test(test_rooflines),
        cmocka_unit_test(test_chips_together), cmocka_unit_test(test_batches),
        cmocka_unit_test(test_placements),     cmocka_unit_test(test_quantiles), cmocka_unit_test(test_watts),
        cmocka_unit_test(test_mlperf),
        cmocka_unit_test(test_interactivity),
        cmocka_unit_test(test_traffic),        cmocka_unit_test(test_names),
        cmocka_unit_test(test_figures),        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_not_published),  cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_software_told),  cmocka_unit_test(test_ids)};
    return cmocka_run_group_tests(tests, start, stop);
}
