/* fast runs the program: programs changed on purpose, in a word, or in a span's parameters with all the words that
 * follow from them, give the same values or the same FAULT on both machines. On tiny models. */
#include "change.h"

typedef struct {
    change_case c;
    slx_chip *chip;
    slx_model *model;
    slx_program prog;
    change_result before;
} rig;

static void rig_open(rig *r, const bits_model *bm)
{
    slx_err err = {0};
    slx_compile_options o = {
        .max_rows = 32, .max_samples = 4, .max_seqs = 2, .max_pages = 2, .max_context = 256};
    const char *path = bits_write(bm, 400);
    if (slx_chip_load(&r->chip, bm->chip, &err) != SLX_OK ||
        slx_model_open(&r->model, path, &err) != SLX_OK ||
        slx_compile(&r->prog, r->model, r->chip, &o, NULL, NULL, &err) != SLX_OK)
        fail_msg("%s: %s", bm->name, err.msg);
    r->c = (change_case){.model = r->model, .chip = r->chip, .prompt = 9, .decode = true};
    r->before = change_run(&r->prog, &r->c, SLX_MACHINE_STRICT);
    change_result fast = change_run(&r->prog, &r->c, SLX_MACHINE_FAST);
    assert_int_equal(r->before.status, SLX_OK);
    assert_true(fast.fused);
    assert_true(fast.logits == r->before.logits && fast.kv == r->before.kv);
}

static void rig_close(rig *r)
{
    slx_program_free(&r->prog);
    slx_model_close(r->model);
    slx_chip_free(r->chip);
    unlink(bits_path());
}

static const bits_model *named(const char *name)
{
    for (int i = 0; i < BITS_N_MODELS; i++)
        if (!strcmp(bits_models[i].name, name)) return &bits_models[i];
    fail_msg("no model %s", name);
    return NULL;
}

/* 200 changed words that verify; most must run to their end, and many must change the answer. */
static void test_words(void **state)
{
    (void)state;
    rig r;
    change_counts n = {0};
    slx_rng rng = {1};
    uint32_t bad = 0;
    rig_open(&r, named("gqa8-two"));
    while (n.verified - n.illegal < 200 && n.tried < 20000)
        bad += !change_word(&r.prog, &rng, &r.c, &r.before, &n);
    rig_close(&r);
    print_message("%u tried, %u verified, %u ran, %u faulted, %u illegal, %u differed\n", n.tried,
                  n.verified, n.ran, n.faulted, n.illegal, n.differed);
    assert_int_equal(bad, 0);
    assert_int_equal(n.fused, 0);
    assert_true(n.ran >= 60 && n.differed >= 30);
}

/* Every parameter of every span, with whole heads and with heads that are quantised as rows. */
static void every_parameter(const char *name, uint64_t seed)
{
    rig r;
    change_counts n = {0};
    slx_rng rng = {seed};
    uint32_t bad = 0;
    rig_open(&r, named(name));
    for (uint32_t i = 0; i < r.prog.n_spans; i++)
        for (uint32_t j = 0; j < r.prog.spans[i].n_param; j++)
            bad += !change_param(&r.prog, i, j,
                                 change_value(r.prog.spans[i].param[j], &r.prog.spans[i], &rng),
                                 &r.c, &r.before, &n);
    rig_close(&r);
    print_message(
        "%s: %u tried, %u verified, %u ran, %u faulted, %u illegal, %u differed, %u fused\n", name,
        n.tried, n.verified, n.ran, n.faulted, n.illegal, n.differed, n.fused);
    assert_int_equal(bad, 0);
    assert_true(n.ran >= 50 && n.differed >= 20);
}

static void test_parameters(void **state)
{
    (void)state;
    every_parameter("gqa3-q8_0", 1);
    every_parameter("mqa-hd48-rot16", 2);
    every_parameter("hd128", 3); /* short steps too */
}

/* What short steps load before the loop comes from where the prologue says that weights begin. */
static void test_first_loads(void **state)
{
    (void)state;
    rig r;
    change_counts n = {0};
    rig_open(&r, named("hd128"));
    const slx_span *first = &r.prog.spans[0];
    assert_int_equal(first->tmpl, SLX_TMPL_PROLOGUE);
    uint64_t at = first->param[SLX_PROLOGUE_weights];
    assert_true(change_param(&r.prog, 0, SLX_PROLOGUE_weights, at / 2, &r.c, &r.before, &n));
    assert_true(change_param(&r.prog, 0, SLX_PROLOGUE_weights, at + 4096, &r.c, &r.before, &n));
    rig_close(&r);
    assert_true(n.verified > 0);
    assert_int_equal(n.fused, 0);
}

/* k's weights for q, wherever they are loaded or multiplied. */
static bool keys_for_queries(const slx_program *p, const rig *r, change_counts *n)
{
    change_copy k;
    const char *what = "";
    change_init(&k, p);
    for (uint32_t i = 0; i < p->n_spans; i++) {
        slx_span *s = &k.spans[i];
        if (s->tmpl == SLX_TMPL_LINEAR && !strcmp(s->name, "qkv"))
            s->param[SLX_LINEAR_off_w] = s->param[SLX_LINEAR_off_w1];
        if (s->tmpl == SLX_TMPL_PREFETCH && !strcmp(s->name, "load qkv"))
            s->param[SLX_PREFETCH_off_w] = s->param[SLX_PREFETCH_off_w1];
    }
    bool ok = change_expand(&k) && change_agree(&k.p, &r->c, &r->before, n, &what);
    if (!ok) print_error("k's weights for q: %s\n", what);
    change_free(&k);
    return ok;
}

/* A change that the kernels understand stays fused: eps, the score scale, the rope style, k's weights for q. */
static void test_still_fused(void **state)
{
    (void)state;
    rig r;
    rig_open(&r, named("hd128"));
    const slx_program *p = &r.prog;
    change_counts n = {0};
    uint32_t changes = 0;
    for (uint32_t i = 0; i < p->n_spans; i++) {
        const slx_span *s = &p->spans[i];
        if (change_twin(p, i) < i) continue; /* both are changed at once */
        if (s->tmpl == SLX_TMPL_EMBED)       /* eps of 0.1 */
            changes++, assert_true(change_param_of(p, i, SLX_EMBED_eps, 0x3dcccccd, true, &r.c,
                                                   &r.before, &n));
        if (s->tmpl == SLX_TMPL_ROWS)
            changes++, assert_true(change_param_of(p, i, SLX_ROWS_eps, 0x3dcccccd, true, &r.c,
                                                   &r.before, &n));
        if (s->tmpl == SLX_TMPL_ATTENTION) { /* 0.5, and as it is */
            changes += 2;
            assert_true(change_param_of(p, i, SLX_ATTENTION_scale_bits, 0x3f000000, true, &r.c,
                                        &r.before, &n));
            assert_true(
                change_param_of(p, i, SLX_ATTENTION_scale_bits, 0, true, &r.c, &r.before, &n));
        }
        if (s->tmpl == SLX_TMPL_ROPE)
            changes++, assert_true(change_param_of(p, i, SLX_ROPE_style, !s->param[SLX_ROPE_style],
                                                   true, &r.c, &r.before, &n));
    }
    changes++;
    assert_true(keys_for_queries(p, &r, &n));
    rig_close(&r);
    assert_int_equal(n.verified, changes);
    assert_int_equal(n.fused, changes);
    assert_int_equal(n.differed, changes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_first_loads),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_still_fused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
