/* test_validate.c - measured rows, their scores against sums by hand, questions and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "validate/validate.h"

/* ------------------------------------------------------------------ questions */

static char *ask(const char *line, bool *good)
{
    slx_queries *q = slx_queries_open();
    slx_buf b = {0};
    *good = slx_queries_line(q, line, strlen(line), 3, &b);
    slx_queries_close(q);
    assert_true(b.len && b.ptr[b.len - 1] == '\n');
    return b.ptr;
}

static void expect(const char *line, bool well_formed, const char *part)
{
    bool good;
    char *a = ask(line, &good);
    if (good != well_formed || !strstr(a, part))
        fail_msg("%s\n answered %s expected %s", line, a, part);
    free(a);
}

/* value, low, high of an answer */
static slx_guess guess(const char *line, const char *unit)
{
    bool good;
    slx_guess g = {0};
    char *a = ask(line, &good), want[64];
    snprintf(want, sizeof want, "\"unit\":\"%s\"", unit);
    const char *v = strstr(a, "\"value\":"), *l = strstr(a, "\"low\":"),
               *h = strstr(a, "\"high\":");
    if (!good || !v || !l || !h || !strstr(a, want)) fail_msg("%s", a);
    g = (slx_guess){strtod(v + 8, NULL), strtod(l + 6, NULL), strtod(h + 7, NULL)};
    free(a);
    assert_true(0 < g.low && g.low <= g.value && g.value <= g.high);
    return g;
}

static void test_answers(void **state)
{
    (void)state;
    guess("{\"id\":\"a\",\"kind\":\"gemm\",\"chip\":\"h100\",\"m\":64,\"n\":6144,\"k\":4096,"
          "\"dtype\":\"bf16\",\"ask\":\"latency\"}",
          "ms");
    guess("{\"id\":\"a\",\"kind\":\"gemm\",\"chip\":\"h200\",\"m\":64,\"n\":6144,\"k\":4096,"
          "\"dtype\":\"bf16\",\"ask\":\"power\"}",
          "W");
    guess("{\"id\":\"a\",\"kind\":\"op\",\"chip\":\"a100\",\"op\":\"softmax\",\"rows\":4096,"
          "\"cols\":64,\"dtype\":\"fp16\"}",
          "ms");
    guess("{\"id\":\"a\",\"kind\":\"attention\",\"chip\":\"b200\",\"phase\":\"decode\",\"batch\":8,"
          "\"q_heads\":32,\"kv_heads\":8,"
          "\"head_dim\":128,\"q_len\":1,\"context\":4096,\"dtype\":\"bf16\",\"kv_dtype\":\"fp8\"}",
          "ms");
    guess("{\"id\":\"a\",\"kind\":\"collective\",\"chip\":\"b200\",\"op\":\"alltoall\",\"n_chips\":"
          "8,\"bytes\":1048576,\"impl\":\"nccl\"}",
          "ms");
    /* the same under its other name, unknown fields ignored */
    slx_guess x = guess("{\"id\":\"a\",\"kind\":\"allreduce\",\"chip\":\"b200\",\"n_chips\":8,"
                        "\"bytes\":65536,\"color\":1}",
                        "ms");
    slx_guess y = guess("{\"id\":\"a\",\"kind\":\"collective\",\"chip\":\"b200\",\"op\":\"all_"
                        "reduce\",\"n_chips\":8,\"bytes\":65536}",
                        "ms");
    assert_true(x.value == y.value);
    /* no power cap can help: a GEMM of 64 x 6144 x 4096 reads 50 MB, 15 us of an H100's memory */
    x = guess("{\"id\":\"a\",\"kind\":\"gemm\",\"chip\":\"h100\",\"m\":64,\"n\":6144,\"k\":4096,"
              "\"dtype\":\"bf16\"}",
              "ms");
    assert_true(x.value > 0.015 && x.value < 0.045);
}

static void test_chip_spec(void **state)
{
    (void)state;
    static const char form[] = "{\"id\":\"s\",\"kind\":\"gemm\",\"chip\":\"%s\",\"chip_spec\":{"
                               "\"family\":\"%s\",\"units\":132,\"clock_ghz\":1.83,"
                               "\"bf16_tflops\":989,\"mem_gb_s\":4800},\"m\":4096,\"n\":4096,\"k\":"
                               "4096,\"dtype\":\"bf16\"}";
    char line[600];
    /* a file of that name wins */
    snprintf(line, sizeof line, form, "b200", "nvidia-hopper");
    slx_guess b = guess(line, "ms");
    snprintf(line, sizeof line, form, "no-such", "nvidia-hopper");
    slx_guess s = guess(line, "ms");
    assert_true(b.value < s.value);
    /* an unknown family is no reason to refuse, but to be less sure */
    snprintf(line, sizeof line, form, "no-such", "of-tomorrow");
    slx_guess g = guess(line, "ms");
    assert_true(g.high / g.low > s.high / s.low);
    guess("{\"id\":\"s\",\"kind\":\"gemm\",\"chip\":\"bare\",\"chip_spec\":{},\"m\":1,\"n\":1,"
          "\"k\":1,\"dtype\":\"nvfp4\"}",
          "ms");
}

static void test_malformed(void **state)
{
    (void)state;
#define GEMM(m)                                                                                    \
    "{\"id\":\"x\",\"kind\":\"gemm\",\"chip\":\"h100\",\"m\":" m                                   \
    ",\"n\":8,\"k\":8,\"dtype\":\"bf16\"}"
    expect(GEMM("-1"), false,
           "{\"id\":\"x\",\"value\":null,\"why\":\"line 3: field m: found -1, expected an integer "
           ">= 1\"}");
    expect(GEMM("1.5"), false, "found 1.5, expected an integer");
    expect(GEMM("\"4\""), false, "found \\\"4\\\", expected an integer");
    expect(GEMM("1e300"), false, "an integer up to 1e15");
    expect("{\"id\":\"x\",\"kind\":\"gemm\",\"chip\":\"h100\",\"n\":8,\"k\":8,\"dtype\":\"bf16\"}",
           false, "field m: missing");
    expect("{\"kind\":\"gemm\"}", false,
           "{\"id\":null,\"value\":null,\"why\":\"line 3: field id: missing");
    expect("{\"id\":7,\"kind\":\"gemm\"}", false, "\"id\":null");
    expect("not json", false, "expected a JSON object");
    expect("[1]", false, "found a list, expected a JSON object");
    expect("{\"id\":\"x\",\"id\":\"y\"}", false, "expected a JSON object");
    expect("{\"id\":\"x\",\"kind\":\"attention\",\"chip\":\"h100\",\"phase\":\"prefill\",\"batch\":"
           "1,\"q_heads\":1,\"kv_heads\":1,\"head_dim\":64,"
           "\"q_len\":9,\"context\":8}",
           false, "expected at least q_len = 9");
    /* well formed, and no answer: not an error of the file */
    expect("{\"id\":\"x\",\"kind\":\"gemm\",\"chip\":\"h1000\",\"m\":1,\"n\":8,\"k\":8,\"dtype\":"
           "\"bf16\"}",
           true, "did you mean h100?");
    expect("{\"id\":\"x\",\"kind\":\"gemm\",\"chip\":\"silex-1\",\"m\":1,\"n\":8,\"k\":8,\"dtype\":"
           "\"bf16\"}",
           true, "null");
    expect("{\"id\":\"x\",\"kind\":\"gemm\",\"chip\":\"../"
           "a\",\"m\":1,\"n\":8,\"k\":8,\"dtype\":\"bf16\"}",
           true, "found a path");
    expect("{\"id\":\"x\",\"kind\":\"gemm\",\"chip\":\"h100\",\"m\":1,\"n\":8,\"k\":8,\"dtype\":"
           "\"fp3\"}",
           true, "found \\\"fp3\\\"");
    expect("{\"id\":\"x\",\"kind\":\"song\",\"chip\":\"h100\"}", true, "expected gemm, op");
    expect("{\"id\":\"x\",\"kind\":\"collective\",\"chip\":\"h100\",\"op\":\"all_reduce\",\"n_"
           "chips\":1,\"bytes\":8}",
           true, "nobody to talk to");
}

static void test_text(void **state)
{
    char path[] = "/tmp/silex-template-XXXXXX", line[700];
    int fd = mkstemp(path);
    static const char body[] = "{% if not messages %}{{ raise_exception('none') }}{% endif %}{{ "
                               "bos_token }}{{ messages[0].content }}|{{ x }}";
    (void)state;
    assert_true(fd >= 0 && write(fd, body, sizeof body - 1) == (ssize_t)sizeof body - 1);
    close(fd);
    snprintf(line, sizeof line,
             "{\"id\":\"t\",\"kind\":\"template\",\"template\":\"%s\",\"bos_token\":\"<s>\","
             "\"kwargs\":{\"x\":7},"
             "\"messages\":[{\"role\":\"user\",\"content\":\"a\\nb\"}]}",
             path);
    expect(line, true, "{\"id\":\"t\",\"value\":\"<s>a\\nb|7\",\"unit\":\"text\"}");
    snprintf(line, sizeof line,
             "{\"id\":\"t\",\"kind\":\"template\",\"template\":\"%s\",\"messages\":[]}", path);
    expect(line, true, "\"value\":null,\"error\":\"");
    unlink(path);
    expect("{\"id\":\"t\",\"kind\":\"template\",\"template\":\"/no/such\",\"messages\":[]}", true,
           "\"why\":\"template /no/such: ");
    /* "Hello world" in GPT-2's vocabulary: two tokens, 15496 and 995, as its authors publish */
    snprintf(line, sizeof line,
             "{\"id\":\"v\",\"kind\":\"tokenize\",\"vocab\":\"%s/test/vectors/tokenizer/"
             "ggml-vocab-gpt-2.gguf\",\"text\":\"Hello world\",\"special\":false}",
             SLX_SOURCE_DIR);
    expect(line, true, "{\"id\":\"v\",\"value\":[15496,995],\"unit\":\"ids\"}");
    expect("{\"id\":\"v\",\"kind\":\"tokenize\",\"vocab\":\"/no/such\",\"text\":\"a\"}", true,
           "null");
}

/* ------------------------------------------------------------------ rows and scores */

static void test_score_by_hand(void **state)
{
    (void)state;
    /* a chip that takes 1 us for everything small: launch alone */
    static const char text[] = "name: t\nruns: library\nprocess: {node: N5}\npart: {units: 1, "
                               "clock_ghz: 1, bf16_tflops: 1e6,\n"
                               "  mem_tbs: 1e5, cache_mib: 0, mem_gib: 1, links_gbs: 1e6}\ngemm: "
                               "{t0_us: 1, p: 1, band_low: 0.5, band_high: 1.5}\n";
    slx_chip *c;
    slx_err err;
    assert_int_equal(slx_chip_parse(&c, text, sizeof text - 1, "t", &err), SLX_OK);
    slx_row row[4] = {{.measured = 0.001, .line = 2},
                      {.measured = 0.002, .line = 3},
                      {.measured = 0.0008, .line = 4},
                      {.measured = 0.008, .line = 5}};
    for (int i = 0; i < 4; i++)
        row[i].ask = (slx_ask){.kind = SLX_ASK_GEMM, .gemm = {1, 1, 1, SLX_LIB_BF16}};
    slx_score s;
    slx_score_rows(&s, &(slx_rows){.row = row, .n = 4}, c);
    /* errors 0, -50 %, +25 %, -87.5 %; of 0.5 to 1.5 us the first and third */
    assert_true(s.rows == 4 && s.answered == 4);
    assert_true(fabs(s.mape - (0 + 0.5 + 0.25 + 0.875) / 4) < 1e-3 &&
                fabs(s.bias - (0 - 0.5 + 0.25 - 0.875) / 4) < 1e-3);
    assert_true(s.inside == 0.5 && fabs(s.p90 - 0.875) < 1e-3 && fabs(s.median - 0.5) < 1e-3);
    assert_true(s.by[0].rows == 3 && s.by[1].rows == 1 && fabs(s.by[1].mape - 0.875) < 1e-3);
    assert_true(s.n_worst == 4 && s.worst[0].line == 5 && s.worst[3].line == 2);
    slx_chip_free(c);
}

static void test_rows(void **state)
{
    (void)state;
    char dir[] = "/tmp/silex-rows-XXXXXX", path[256];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/aiconfigurator", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/aiconfigurator/nccl_h100_sxm.csv", dir);
    static const struct {
        const char *text, *why; /* NULL: one row of 512 bytes among four chips */
    } cases[] = {
        {"op_name,kernel_source,dtype,num_gpus,message_size,latency_ms\r\nall_gather,NCCL,half,4,"
         "256,0.5\r\n",
         NULL},
        {"op_name,kernel_source,dtype,num_gpus,message_size,latency_ms\nall_gather,NCCL,half,4,"
         "256\n",
         "found 5 fields, expected 6"},
        {"op_name,kernel_source,dtype,num_gpus,message_size,latency_ms\nall_gather,NCCL,half,4,256,"
         "-1\n",
         "latency_ms: found -1"},
        {"op_name,kernel_source,dtype,num_gpus,message_size,latency_ms\nbroadcast,NCCL,half,4,256,"
         "1\n",
         "op_name: found broadcast"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        slx_rows r;
        slx_err err;
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(cases[i].text, f);
        fclose(f);
        slx_status st = slx_rows_read(&r, slx_set_find("nccl-h100"), dir, SLX_HALF_BOTH, &err);
        assert_int_equal(st == SLX_OK, cases[i].why == NULL);
        if (cases[i].why && (!strstr(err.msg, cases[i].why) || err.line != 2))
            fail_msg("%d: %s", err.line, err.msg);
        if (st) continue;
        assert_true(r.n == 1 && r.row[0].measured == 0.5 && r.row[0].ask.collective.bytes == 512);
        assert_true(r.row[0].ask.collective.n_chips == 4 &&
                    r.row[0].ask.collective.op == SLX_LIB_ALL_GATHER);
        slx_rows_free(&r);
    }
    unlink(path);
    snprintf(path, sizeof path, "%s/aiconfigurator", dir);
    rmdir(path);
    rmdir(dir);
}

/* Chips as if nobody had measured them: numbers of another chip, or those that serve all. The latter (generic) were
 * fitted on the other half of the bf16 rows of A100 to L40S, of attention and NCCL, on none of B60's and none of 8
 * bits: for these alone they are forecasts. The band holds them all the same. */
static void test_unmeasured_bars(void **state)
{
    static const struct {
        const char *set, *numbers;
        double mape;
    } bars[] = {{"gemm-h100", "h200", 15},     {"gemm-h200", "h100", 15},    {"gemm-b200", "h200", 15},
                {"gemm-a100", "generic", 15},  {"gemm-l40s", "generic", 25}, {"gemm-b60", "intel-xe", 15},
                {"gemm-h100-fp8", "h200", 15}, {"nccl-h100", "h200", 15},    {"nccl-h200", "h100", 15},
                {"gemm-b60", "generic", 35},   {"gemm-h100", "generic", 15}, {"gemm-b200", "generic", 15},
                {"gemm-h100-fp8", "generic", 25}, {"gemm-b60-fp8", "generic", 30}, {"gemm-l40s-fp8", "generic", 33},
                {"gemm-b200-fp8", "generic", 35}, {"decode-a100", "generic", 27}, {"decode-b200", "generic", 30},
                {"prefill-h100", "generic", 20}, {"nccl-a100", "generic", 25}};
    (void)state;
    for (size_t i = 0; i < sizeof bars / sizeof *bars; i++) {
        const slx_set *s = slx_set_find(bars[i].set);
        slx_rows rows;
        slx_chip *known, *c;
        slx_err err;
        slx_score r;
        assert_int_equal(slx_chip_load_any(&known, s->chip, &err), SLX_OK);
        assert_int_equal(slx_chip_unmeasured(&c, known, bars[i].numbers, &err), SLX_OK);
        assert_int_equal(slx_rows_read(&rows, s, NULL, SLX_HALF_TEST, &err), SLX_OK);
        slx_score_rows(&r, &rows, c);
        if (r.answered < r.rows || 100 * r.mape > bars[i].mape || r.inside < 0.85)
            fail_msg("%s from %s: %.2f %%, expected at most %g, %.3f in the band", s->name, bars[i].numbers,
                     100 * r.mape, bars[i].mape, r.inside);
        slx_rows_free(&rows);
        slx_chip_free(known);
        slx_chip_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unmeasured_bars),
        cmocka_unit_test(test_answers),       cmocka_unit_test(test_chip_spec),
        cmocka_unit_test(test_malformed),     cmocka_unit_test(test_text),
        cmocka_unit_test(test_score_by_hand), cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
