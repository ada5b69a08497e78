/* The fast machine where numbers or sizes are at their ends: it faults when and where strict does, and what a step that
 * faulted leaves in the pages harms nobody. Models of one head of 32, all fp32, their weights set by hand. */
#include "compile/compile.h"
#include "func/func.h"
#include "gguf_make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

enum { D = 32, VOCAB = 64, PAGE = 1 };

typedef struct {
    slx_chip *chip;
    slx_model *model;
    slx_program prog;
    slx_machine *m[2]; /* strict, fast */
    char path[64];
} rig;

/* Floats of the model before they are written, in the file's order: all tensors are multiples of 32 bytes. */
typedef struct {
    float embd[VOCAB][D], output_norm[D], attn_norm[D], q[D][D], k[D][D];
} head;

static void rig_open(rig *r, const struct slx_test_model_spec *s, const char *chip,
                     void (*set)(head *))
{
    slx_err err = {0};
    slx_gm gm = {0};
    slx_buf file = {0};
    slx_test_model_parts(&gm, s);
    if (set) set((head *)(void *)gm.data.ptr);
    slx_gm_finish(&gm, &file);
    snprintf(r->path, sizeof r->path, "/tmp/slx-edge-%d.gguf", (int)getpid());
    assert_int_equal(slx_write_file(r->path, file.ptr, file.len, &err), SLX_OK);
    slx_buf_free(&file);
    slx_compile_options o = {.max_rows = 16, .max_samples = 2, .max_seqs = 2, .max_pages = 2};
    if (slx_chip_load(&r->chip, chip, &err) != SLX_OK ||
        slx_model_open(&r->model, r->path, &err) != SLX_OK ||
        slx_compile(&r->prog, r->model, r->chip, &o, NULL, NULL, &err) != SLX_OK)
        fail_msg("%s", err.msg);
    for (int k = 0; k < 2; k++) {
        slx_machine_options mo = {.kind = k ? SLX_MACHINE_FAST : SLX_MACHINE_STRICT, .threads = 2};
        if (slx_machine_open(&r->m[k], &r->prog, r->chip, r->model, &mo, &err) != SLX_OK)
            fail_msg("%s", err.msg);
    }
}

static void rig_close(rig *r)
{
    for (int k = 0; k < 2; k++) slx_machine_close(r->m[k]);
    slx_program_free(&r->prog);
    slx_model_close(r->model);
    slx_chip_free(r->chip);
    unlink(r->path);
}

/* n tokens from position 0 on page 1; the status, which both machines must share with all that tells faults apart. */
static slx_status both(rig *r, const uint32_t *tokens, uint32_t n)
{
    static const uint32_t pages[1] = {PAGE};
    slx_fault f[2];
    slx_status st[2];
    slx_err err = {0};
    for (int k = 0; k < 2; k++) {
        slx_step_seq s = {tokens, n, 0, 1, pages, 1};
        assert_int_equal(slx_step_build(&r->prog.info, slx_machine_desc(r->m[k]), &s, 1, &err),
                         SLX_OK);
        st[k] = slx_machine_step(r->m[k], &f[k], &err);
    }
    assert_int_equal(st[1], st[0]);
    if (st[0] == SLX_OK) {
        assert_memory_equal(slx_machine_logits(r->m[1], 0), slx_machine_logits(r->m[0], 0),
                            r->prog.info.vocab_pad * 4);
    } else {
        assert_int_equal(f[1].cause, f[0].cause);
        assert_int_equal(f[1].pc, f[0].pc);
        assert_int_equal(f[1].index, f[0].index);
    }
    return st[0];
}

static const struct slx_test_model_spec one_head = {.d_model = D,
                                                    .d_ff = 32,
                                                    .n_heads = 1,
                                                    .vocab = VOCAB,
                                                    .context = 128,
                                                    .tied = true,
                                                    .seed = 9};

/* Token 0 makes a huge query and no key, token 1 the other way round, token 2 a key past the largest scale. */
static void huge(head *h)
{
    memset(h->embd, 0, sizeof h->embd);
    memset(h->q, 0, sizeof h->q);
    memset(h->k, 0, sizeof h->k);
    for (uint32_t i = 0; i < VOCAB; i++) h->embd[i][i % D] = 1;
    for (uint32_t i = 0; i < D; i++) {
        h->attn_norm[i] = 1;
        h->q[i][0] = 0x1p60f;
        h->k[i][1] = 0x1p60f;
        h->k[i][2] = 0x1.8p62f;
    }
}

/* A score that its row does not admit is a product all the same: MM makes it, and faults. */
static void test_excluded(void **state)
{
    (void)state;
    rig r;
    rig_open(&r, &one_head, "silex-mini", huge);
    static const uint32_t fine[3] = {3, 1, 4}, bad[2] = {0, 1},
                          many[12] = {3, 0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1};
    assert_int_equal(both(&r, fine, 3), SLX_OK);
    assert_int_equal(both(&r, bad, 2), SLX_EFAULT);
    assert_int_equal(both(&r, fine, 3), SLX_OK);
    assert_int_equal(both(&r, many, 12), SLX_EFAULT);
    rig_close(&r);
}

/* A key that does not fit MXINT8: the step faults and leaves no scale behind that only a fault could have made. */
static void test_after_fault(void **state)
{
    (void)state;
    rig r;
    rig_open(&r, &one_head, "silex-mini", huge);
    static const uint32_t bad[3] = {3, 4, 2}, fine[2] = {3, 0};
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(both(&r, bad, 3), SLX_EFAULT);
        const uint8_t *page = slx_machine_page(r.m[1], 0, 0, PAGE);
        for (uint32_t i = 0; i < 128; i++) {
            assert_true(page[128 * D + i] <= 190);
            assert_true(page[260 * D + i] <= 190);
        }
        assert_int_equal(both(&r, fine, 2), SLX_OK);
    }
    rig_close(&r);
}

/* A row of the embedding of more than 1,024 blocks. */
static void test_wide(void **state)
{
    (void)state;
    rig r;
    struct slx_test_model_spec s = {.d_model = 1025 * 32,
                                    .d_ff = 32,
                                    .n_heads = 1,
                                    .head_dim = 16,
                                    .vocab = 3,
                                    .context = 128,
                                    .tied = true,
                                    .t_embd = SLX_T_Q4_1,
                                    .t_qkv = SLX_T_Q4_1,
                                    .t_gate_up = SLX_T_Q4_1,
                                    .seed = 3};
    static const uint32_t t[2] = {2, 1};
    rig_open(&r, &s, "silex-1", NULL);
    assert_int_equal(both(&r, t, 2), SLX_OK);
    rig_close(&r);
}

/* A compiled program without its model has no weights to pack: its instructions run, on zeros. */
static void test_no_model(void **state)
{
    (void)state;
    rig r;
    rig_open(&r, &one_head, "silex-mini", NULL);
    for (int k = 0; k < 2; k++) {
        slx_machine_options mo = {.kind = k ? SLX_MACHINE_FAST : SLX_MACHINE_STRICT, .threads = 2};
        slx_machine_close(r.m[k]);
        assert_int_equal(slx_machine_open(&r.m[k], &r.prog, r.chip, NULL, &mo, NULL), SLX_OK);
    }
    static const uint32_t t[2] = {2, 1};
    assert_int_equal(both(&r, t, 2), SLX_OK);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_excluded),
                                       cmocka_unit_test(test_after_fault),
                                       cmocka_unit_test(test_wide),
                                       cmocka_unit_test(test_no_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
