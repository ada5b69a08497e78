/* How a model is divided over chips: which products sum and which gather, what a chip has of each matrix, degrees that
 * are refused; and the bits of one small model. All shapes: test/diff/test_tp.c. */
#include "bits.h"

#include "compile/plan.h"

/* As much of a model as the compiler looks at. */
typedef struct {
    slx_model m;
    slx_layer_weights layer;
    slx_tensor t[12];
} shape;

static const slx_tensor *tensor(shape *s, int i, const char *name, uint32_t k, uint32_t n)
{
    s->t[i] =
        (slx_tensor){.name = name, .type = SLX_T_Q8_0, .n_dims = n ? 2 : 1, .ne = {k, n ? n : 1}};
    return &s->t[i];
}

static void shape_make(shape *s, uint32_t d, uint32_t ff, uint32_t heads, uint32_t kv, uint32_t hd)
{
    *s = (shape){.m = {.path = "m.gguf",
                       .name = "m",
                       .hp = {.arch = "llama",
                              .n_layers = 1,
                              .d_model = d,
                              .d_ff = ff,
                              .n_heads = heads,
                              .n_kv_heads = kv,
                              .head_dim = hd,
                              .n_rot = hd,
                              .vocab = 100,
                              .context = 256,
                              .rms_eps = 1e-5f,
                              .rope_base = 10000}}};
    s->layer = (slx_layer_weights){.attn_norm = tensor(s, 0, "an", d, 0),
                                   .ffn_norm = tensor(s, 1, "fn", d, 0),
                                   .wq = tensor(s, 2, "q", d, heads * hd),
                                   .wk = tensor(s, 3, "k", d, kv * hd),
                                   .wv = tensor(s, 4, "v", d, kv * hd),
                                   .wo = tensor(s, 5, "o", heads * hd, d),
                                   .w_gate = tensor(s, 6, "g", d, ff),
                                   .w_up = tensor(s, 7, "u", d, ff),
                                   .w_down = tensor(s, 8, "dn", ff, d)};
    s->m.layers = &s->layer;
    s->m.tok_embd = tensor(s, 9, "e", d, 100);
    s->m.output = tensor(s, 10, "out", d, 100);
    s->m.output_norm = tensor(s, 11, "on", d, 0);
}

static slx_chip *chip(const char *name)
{
    slx_chip *c;
    slx_err err;
    if (slx_chip_load(&c, name, &err) != SLX_OK) fail_msg("%s", err.msg);
    return c;
}

/* Sums where the tree over the contraction (blocks of 32) has equal nodes: blocks divide and segments are enough. */
static void ways(void **state)
{
    (void)state;
    static const struct {
        uint32_t d, ff, heads, hd; /* 8 KV heads */
        const char *o, *down;      /* at 2, 4, 8 */
    } row[] = {
        {352, 416, 8, 16, "ggg", "ggg"},   /* 4 blocks: one segment; 13: do not divide */
        {416, 1440, 8, 48, "sgg", "ggg"},  /* 12: two segments; 45 */
        {1440, 352, 16, 32, "ssg", "ggg"}, /* 16: four segments; 11 */
        {128, 2048, 16, 64, "sss", "sss"}, /* 32, 64: eight */
        {128, 1056, 8, 128, "sss", "ggg"}, /* 33 blocks have eight segments, of unequal size */
        {128, 2040, 8, 128, "sss", "ggg"}, /* the last block is not whole */
        {8192, 28672, 64, 128, "sss", "sss"},
    };
    slx_chip *c = chip("silex-1");
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        for (uint32_t k = 0, tp = 2; k < 3; k++, tp *= 2) {
            shape s;
            slx_plan p;
            slx_err err;
            slx_compile_options o = {.tp = tp, .max_rows = 16};
            shape_make(&s, row[i].d, row[i].ff, row[i].heads, 8, row[i].hd);
            if (slx_plan_make(&p, &s.m, c, &o, &err) != SLX_OK) fail_msg("%s", err.msg);
            if (p.sum_o != (row[i].o[k] == 's') || p.sum_down != (row[i].down[k] == 's'))
                fail_msg("row %zu, tp %u: o %d, down %d", i, tp, p.sum_o, p.sum_down);
            /* a chip's rows and columns, all chips' together at least the matrix */
            const slx_mat_plan *m = p.mat;
            assert_int_equal(m[SLX_MAT_Q].n * tp, row[i].heads * row[i].hd);
            assert_int_equal(m[SLX_MAT_V].n * tp, 8 * row[i].hd);
            assert_true(m[SLX_MAT_UP].n * tp >= row[i].ff &&
                        m[SLX_MAT_UP].n * tp < row[i].ff + 32 * tp);
            assert_int_equal(m[SLX_MAT_DOWN].k * (p.sum_down ? tp : 1), row[i].ff);
            assert_int_equal(m[SLX_MAT_O].k * (p.sum_o ? tp : 1), row[i].heads * row[i].hd);
            assert_true(p.sum_o ? m[SLX_MAT_O].n == row[i].d : m[SLX_MAT_O].n * tp >= row[i].d);
            /* segments of all chips are those of one */
            for (int j = SLX_MAT_Q; j <= SLX_MAT_HEAD; j++)
                assert_int_equal((m[j].shard_k ? tp : 1) << m[j].log2g,
                                 slx_tree_segments((m[j].k * (m[j].shard_k ? tp : 1) + 31) / 32));
        }
    slx_chip_free(c);
}

static void refused(uint32_t heads, uint32_t kv, uint32_t tp, const char *name, const char *want)
{
    shape s;
    slx_plan p;
    slx_err err = {0};
    slx_chip *c = chip(name);
    slx_compile_options o = {.tp = tp};
    shape_make(&s, 128, 256, heads, kv, 32);
    assert_true(slx_plan_make(&p, &s.m, c, &o, &err) != SLX_OK);
    if (!strstr(err.msg, want)) fail_msg("said: %s\nwant: %s", err.msg, want);
    slx_chip_free(c);
}

static void refusals(void **state)
{
    (void)state;
    refused(9, 3, 2, "silex-1", "3 KV heads over 2 chips");
    refused(9, 3, 2, "silex-1", "the largest tensor parallelism of this model is 1");
    refused(12, 12, 8, "silex-1", "the largest tensor parallelism of this model is 4");
    refused(8, 8, 3, "silex-1", "expected 1, 2, 4 or 8: the largest tensor parallelism of");
    refused(16, 16, 16, "silex-1", "expected 1, 2, 4 or 8");
    refused(8, 8, 2, "silex-mini", "no links to others");
}

/* Three ways in one model: o gathers, down sums, the tied head takes turns. */
static void bits(void **state)
{
    (void)state;
    const struct slx_test_model_spec spec = {.d_model = 96,
                                             .d_ff = 256,
                                             .n_heads = 8,
                                             .n_kv_heads = 4,
                                             .head_dim = 16,
                                             .vocab = 70,
                                             .tied = true,
                                             BITS_TYPES(Q4_1, Q4_1, Q4_1, Q4_0, Q4_1, Q8_0),
                                             .seed = 9};
    assert_true(slx_test_write_model(bits_path(), &spec));
    uint32_t *tokens = bits_tokens(20, 70, 9);
    bits_text t = {tokens, 20};
    bits_how how = {.chip = "silex-1", .kind = SLX_MACHINE_FAST, .threads = 1};
    bits_digest want = bits_alone(bits_path(), &how, t, 9);
    for (uint32_t tp = 2; tp <= 4; tp *= 2)
        for (int k = 0; k < 2; k++) {
            how.kind = k ? SLX_MACHINE_STRICT : SLX_MACHINE_FAST;
            how.tp = tp;
            BITS_EQUAL(bits_alone(bits_path(), &how, t, 9), want, "tp %u, machine %d", tp, k);
        }
    free(tokens);
    unlink(bits_path());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways),
        cmocka_unit_test(refusals),
        cmocka_unit_test(bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
