/* Descriptors that slx_step_build never writes: strict defines what they mean, and fast gives the same values or the
 * same FAULT. One word of a good descriptor is changed at a time, every word of it. */
#include "compile/compile.h"
#include "func/func.h"
#include "gguf_make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

enum { ROWS_A = 9, ROWS_B = 3, SAMPLES = 2 };

typedef struct {
    slx_chip *chip;
    slx_model *model;
    slx_program prog;
    slx_machine *m[2]; /* strict, fast */
    char path[64];
} rig;

static void machines(rig *r)
{
    slx_err err = {0};
    for (int k = 0; k < 2; k++) {
        slx_machine_options o = {.kind = k ? SLX_MACHINE_FAST : SLX_MACHINE_STRICT, .threads = 2};
        if (slx_machine_open(&r->m[k], &r->prog, r->chip, r->model, &o, &err) != SLX_OK)
            fail_msg("%s", err.msg);
    }
    uint32_t fused, spans;
    const char *why;
    slx_machine_fusion(r->m[1], &fused, &spans, &why);
    if (why) fail_msg("%s", why);
}

static void rig_open(rig *r, uint32_t max_rows)
{
    struct slx_test_model_spec s = {.n_layers = 1,
                                    .d_model = 32,
                                    .d_ff = 32,
                                    .n_heads = 2,
                                    .n_kv_heads = 1,
                                    .head_dim = 32,
                                    .vocab = 40,
                                    .context = 300,
                                    .seed = 5};
    slx_err err = {0};
    slx_compile_options o = {
        .max_rows = max_rows, .max_samples = 3, .max_seqs = 2, .max_pages = 4, .max_context = 256};
    snprintf(r->path, sizeof r->path, "/tmp/slx-desc-%d.gguf", (int)getpid());
    assert_true(slx_test_write_model(r->path, &s));
    if (slx_chip_load(&r->chip, "silex-mini", &err) != SLX_OK ||
        slx_model_open(&r->model, r->path, &err) != SLX_OK ||
        slx_compile(&r->prog, r->model, r->chip, &o, NULL, NULL, &err) != SLX_OK)
        fail_msg("%s", err.msg);
    machines(r);
}

static void rig_close(rig *r)
{
    for (int k = 0; k < 2; k++) slx_machine_close(r->m[k]);
    slx_program_free(&r->prog);
    slx_model_close(r->model);
    slx_chip_free(r->chip);
    unlink(r->path);
}

/* Which step: large: of more rows than share their heads among threads; split: the first sequence reaches its second
 * page, and its items are in parts of one. */
typedef struct {
    bool large, split;
} step_kind;

/* Two sequences, of which only the first has as many rows as make a step a large one. */
static void build(const rig *r, slx_machine *m, step_kind k)
{
    static const uint32_t a[ROWS_A] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, b[ROWS_B] = {11, 12, 13};
    static const uint32_t pa[2] = {2, 1}, pb[1] = {0};
    slx_step_seq s[2] = {{a, k.large ? ROWS_A : 2, k.split ? 127 : 0, 1, pa, 2}, {b, ROWS_B, 0, 1, pb, 1}};
    slx_program_info in = r->prog.info;
    if (k.split) { /* merging costs nothing */
        in.attn_item_ps = in.attn_merge_ps = in.attn_state_ps = in.attn_state_row_ps = in.attn_shared_page_ps = 0;
        in.attn_beside_ps = in.attn_split_chunks = 0;
    }
    slx_err err = {0};
    if (slx_step_build(&in, slx_machine_desc(m), s, 2, &err) != SLX_OK)
        fail_msg("%s", err.msg);
}

typedef struct {
    slx_status st;
    slx_fault fault;
    uint64_t logits, kv;
} result;

/* A step from zeroed pages, so that what a word makes a step read from the past is the same for both. */
static result step(const rig *r, int k, step_kind what, uint32_t word, uint32_t value)
{
    result x = {0};
    slx_err err = {0};
    for (uint32_t i = 0; i < r->prog.n_regions; i++) {
        uint32_t kind = r->prog.regions[i].kind;
        uint8_t *mem = (uint8_t *)(uintptr_t)slx_machine_region(r->m[k], 0, i);
        if (mem && (kind == SLX_REGION_KV || kind == SLX_REGION_LOGITS || kind == SLX_REGION_EXCHANGE))
            memset(mem, 0, r->prog.regions[i].bytes);
    }
    build(r, r->m[k], what);
    if (word != UINT32_MAX) memcpy(slx_machine_desc(r->m[k]) + 4 * word, &value, 4);
    x.st = slx_machine_step(r->m[k], &x.fault, &err);
    static const uint32_t pages[4] = {0, 1, 2, 3};
    slx_hash h;
    slx_hash_init(&h);
    slx_hash_add(&h, slx_machine_logits(r->m[k], 0), 3 * r->prog.info.vocab_pad * 4ull);
    x.logits = slx_hash_get(&h);
    x.kv = slx_machine_kv_hash(r->m[k], pages, 4);
    return x;
}

static bool agree(const rig *r, step_kind what, uint32_t word, uint32_t value, uint32_t *faults)
{
    result a = step(r, 0, what, word, value), b = step(r, 1, what, word, value);
    *faults += a.st != SLX_OK;
    if (a.st == SLX_OK && b.st == SLX_OK && a.logits == b.logits && a.kv == b.kv) return true;
    if (a.st == SLX_EFAULT && b.st == SLX_EFAULT && a.fault.cause == b.fault.cause &&
        a.fault.tile == b.fault.tile && a.fault.pc == b.fault.pc && a.fault.index == b.fault.index)
        return true;
    print_error("%s%s step, byte %u of the descriptor is 0x%x: strict %s (%s), fast %s (%s), %s\n",
                what.large ? "large" : "small", what.split ? ", split" : "", word * 4, value, a.st ? "faults" : "runs",
                slx_fault_text(a.fault.cause), b.st ? "faults" : "runs",
                slx_fault_text(b.fault.cause), a.kv == b.kv ? "logits differ" : "pages differ");
    return false;
}

static void every_word(step_kind what)
{
    rig r;
    uint32_t bad = 0, faults = 0;
    rig_open(&r, 12);
    assert_true(agree(&r, what, UINT32_MAX, 0, &faults));
    build(&r, r.m[0], what);
    uint32_t n = r.prog.info.desc.bytes / 4, *was = slx_xmalloc(n * 4);
    memcpy(was, slx_machine_desc(r.m[0]), n * 4);
    assert_int_equal(was[r.prog.info.desc.off_header / 4 + 3] > 0, what.split); /* merges */
    for (uint32_t w = 0; w < n; w++) {
        uint32_t v = was[w];
        const uint32_t to[] = {v + 1, 0, 3, 264, v ^ 0x80000000, UINT32_MAX};
        for (size_t k = 0; k < sizeof to / sizeof *to; k++)
            if (to[k] != v) bad += !agree(&r, what, w, to[k], &faults);
    }
    free(was);
    rig_close(&r);
    print_message("%u words, %u faults\n", n, faults);
    assert_int_equal(bad, 0);
    assert_true(faults > 50);
}

static void test_small(void **state)
{
    (void)state;
    every_word((step_kind){0});
}

static void test_large(void **state)
{
    (void)state;
    every_word((step_kind){.large = true});
}

static void test_small_split(void **state)
{
    (void)state;
    every_word((step_kind){.split = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_small), cmocka_unit_test(test_large),
                                       cmocka_unit_test(test_small_split)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
