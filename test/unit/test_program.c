/* test_program.c - the program file, its text form, and the numbers that follow from a program.
 *
 * Offsets of the file form are counted by hand from the picture in program.h. Each damaged file is a good one with one
 * thing wrong and its hash made right again, so that it is the one check that must see it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "isa/program.h"

/* ------------------------------------------------------------------ a program with something in every field */

static void sample(slx_program *p)
{
    slx_program_init(p);
    slx_program_info *in = &p->info;
    *in = (slx_program_info){.chip_name = "silex-1",
                             .model_name = "a \"model\" \\ \xc3\xa9",
                             .chip_hash = 0xfedcba9876543210,
                             .model_hash = 1,
                             .n_tiles = 128,
                             .spm_bytes = 2 << 20,
                             .acc_cells = 65536,
                             .max_m = 256,
                             .token_max = 255,
                             .n_layers = 30,
                             .d_model = 576,
                             .d_ff = 1536,
                             .n_heads = 9,
                             .n_kv_heads = 3,
                             .head_dim = 64,
                             .head_dim_pad = 64,
                             .n_rot = 64,
                             .vocab = 49152,
                             .vocab_pad = 49152,
                             .max_context = 8192,
                             .rope_style = 1,
                             .rope_base = 100000.3f,
                             .page_stride = 264 * 64,
                             .kv_head_stride = 1 << 20,
                             .kv_layer_stride = 3 << 20,
                             .n_chips = 8,
                             .kv_unit = 3};
    in->desc = (slx_desc_layout){.max_rows = 100,
                                 .max_samples = 3,
                                 .max_seqs = 2,
                                 .max_pages = 40,
                                 .max_items = 7,
                                 .item_rows = 16};
    slx_desc_layout_init(&in->desc, in->n_tiles);

    static const struct {
        const char *name;
        slx_region_kind kind;
        uint64_t base, bytes;
    } regions[] = {
        {"weights", SLX_REGION_WEIGHTS, 0, 1 << 24},
        {"r5", SLX_REGION_ROPE, 1 << 24, 4096},
        {"two words", SLX_REGION_LOGITS, UINT64_C(1) << 40, 12345},
        {"descriptor", SLX_REGION_DESC, 1 << 25, 65536},
    };
    p->n_regions = 4;
    p->regions = slx_new(&p->arena, slx_region, p->n_regions);
    for (int i = 0; i < 4; i++) {
        p->regions[i] = (slx_region){
            .kind = regions[i].kind, .base = regions[i].base, .bytes = regions[i].bytes};
        strcpy(p->regions[i].name, regions[i].name);
    }
    p->n_groups = 2;
    p->groups = slx_new(&p->arena, struct slx_group, p->n_groups);
    p->groups[0] = (struct slx_group){"ALL", 0, 128};
    p->groups[1] = (struct slx_group){"fifteen letters", 5, 9};

    static const slx_insn code[] = {
        {{SLX_OP_SYS}},
        {{SLX_OP_LOOP, 0, 10, 3, 5}},
        {{SLX_OP_LOOP, 0, 0x90000000, 1}},
        {{SLX_OP_SYS}},
        {{SLX_OP_BR, 0, 0x94000000, 8, 5}},
        {{SLX_OP_SYS | SLX_SYSFN_halt << 8}},
        {{SLX_OP_LOOP, 0, 1, 1000}}, /* past the end: legal words, verify refuses it */
    };
    p->n_insns = 7;
    p->insns = slx_new(&p->arena, slx_insn, p->n_insns);
    memcpy(p->insns, code, sizeof code);
    p->entry_step = 1;
    p->n_functions = 2;
    p->functions = slx_new(&p->arena, uint32_t, 2);
    p->functions[0] = 3;
    p->functions[1] = 5;

    p->n_weights = 2;
    p->weights = slx_new(&p->arena, slx_weight, 2);
    p->weights[0] = (slx_weight){.tensor = "blk.0.attn_q.weight",
                                 .layout = SLX_LAYOUT_SLICES,
                                 .fmt = SLX_FMT_q4sm,
                                 .n = 576,
                                 .k = 576,
                                 .n_pad = 576,
                                 .kblk = 18,
                                 .ns = 32,
                                 .pieces = 4,
                                 .addr = 4096,
                                 .bytes = 18 * 11520,
                                 .shard_rows = 64,
                                 .shard_k = 1,
                                 .ways = 6,
                                 .grain = 256};
    p->weights[1] = (slx_weight){.tensor = "token_embd.weight",
                                 .layout = SLX_LAYOUT_PLANES,
                                 .fmt = SLX_FMT_q8s,
                                 .n = 100,
                                 .k = 570,
                                 .n_pad = 128,
                                 .kblk = 18,
                                 .addr = 1 << 20,
                                 .bytes = 1 << 20,
                                 .off_scale = 128 * 18 * 32,
                                 .off_m = 1};
    p->n_spans = 3;
    p->spans = slx_new(&p->arena, slx_span, 3);
    p->spans[0] = (slx_span){
        .tmpl = 4, .pc = 0, .count = 3, .n_param = 3, .param = {1, UINT64_MAX, 0}, .name = "qkv"};
    p->spans[1] = (slx_span){.tmpl = 5, .pc = 3, .count = 0, .name = ""};
    p->spans[2] =
        (slx_span){.tmpl = 6, .pc = 3, .count = 4, .n_param = SLX_SPAN_PARAMS, .name = "end"};
    for (uint64_t k = 0; k < SLX_SPAN_PARAMS; k++) p->spans[2].param[k] = k * k * k;
}

static void same(const slx_program *a, const slx_program *b)
{
    slx_buf x = {0}, y = {0};
    slx_program_serialise(a, &x);
    slx_program_serialise(b, &y);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.ptr, y.ptr, x.len);
    slx_buf_free(&x);
    slx_buf_free(&y);
}

/* ------------------------------------------------------------------ file form */

static void file_form(void **state)
{
    (void)state;
    slx_program p, q;
    slx_err err;
    slx_buf b = {0};
    sample(&p);
    slx_program_serialise(&p, &b);
    assert_memory_equal(b.ptr, "SILEXSLX\5\0\0\0\10\0\0\0", 16);
    assert_int_equal(b.len % 64, 0);
    uint64_t bytes;
    memcpy(&bytes, b.ptr + 16, 8);
    assert_int_equal(bytes, b.len);
    /* info starts behind header and table: 64 + 8*24 = 256; chip name, then the chip's hash */
    assert_string_equal(b.ptr + 256, "silex-1");
    assert_memory_equal(b.ptr + 256 + 64, "\x10\x32\x54\x76\x98\xba\xdc\xfe", 8);

    if (slx_program_parse(&q, b.ptr, b.len, "q.slx", &err)) slx_err_print(&err, stderr), fail();
    same(&p, &q);
    assert_memory_equal(&p.info, &q.info, sizeof p.info);
    assert_memory_equal(p.insns, q.insns, 7 * sizeof *p.insns);
    assert_memory_equal(p.weights, q.weights, 2 * sizeof *p.weights);
    assert_memory_equal(p.spans, q.spans, 3 * sizeof *p.spans);
    assert_memory_equal(p.groups, q.groups, 2 * sizeof *p.groups);
    assert_memory_equal(p.regions, q.regions, 4 * sizeof *p.regions);
    assert_int_equal(q.entry_step, 1);
    assert_int_equal(q.functions[1], 5);
    assert_ptr_equal(slx_program_region(&q, SLX_REGION_LOGITS), &q.regions[2]);
    assert_null(slx_program_region(&q, SLX_REGION_KV));
    assert_string_equal(slx_region_kind_name(SLX_REGION_EXCHANGE), "exchange");

    char hex[65], want[65];
    slx_sha256_hex(want, b.ptr, b.len);
    slx_program_sha256(&q, hex, &bytes);
    assert_string_equal(hex, want);
    assert_int_equal(bytes, b.len);
    slx_program_free(&q);

    char path[] = "/tmp/silex-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(slx_program_write(&p, path, &err), SLX_OK);
    assert_int_equal(slx_program_read(&q, path, &err), SLX_OK);
    same(&p, &q);
    slx_program_free(&q);
    unlink(path);
    assert_int_equal(slx_program_read(&q, path, &err), SLX_EIO);
    slx_program_free(&p);
    slx_buf_free(&b);
}

static void rehash(slx_buf *b)
{
    uint64_t bytes = b->len, hash = slx_hash_of(b->ptr + 32, b->len - 32);
    memcpy(b->ptr + 16, &bytes, 8);
    memcpy(b->ptr + 24, &hash, 8);
}

static void refused(const slx_buf *b, const char *part)
{
    slx_program q;
    slx_err err = {0};
    slx_status s = slx_program_parse(&q, b->ptr, b->len, "bad.slx", &err);
    if (!s || !strstr(err.msg, part))
        fail_msg("message \"%s\", expected \"%s\" in it", err.msg, part);
    assert_string_equal(err.file, "bad.slx");
    assert_null(q.insns);
}

static void damaged_files(void **state)
{
    (void)state;
    slx_program p;
    slx_buf b = {0};
    sample(&p);
    slx_program_serialise(&p, &b);

    for (size_t n = 0; n < b.len;
         n += n < 300 ? 1 : 61) { /* cut anywhere, with and without a matching header */
        slx_buf cut = {0};
        slx_buf_add(&cut, b.ptr, n);
        refused(&cut, n < 64 ? "not a Silex program" : "it is cut short");
        if (n >= 64) {
            rehash(&cut);
            refused(&cut, "expected");
        }
        slx_buf_free(&cut);
    }
    slx_rng r = {3};
    for (int k = 0; k < 2000; k++) { /* any bit: the hash sees it */
        size_t at = slx_rng_below(&r, (uint32_t)b.len);
        char bit = (char)(1 << slx_rng_below(&r, 8));
        b.ptr[at] ^= bit;
        refused(&b, "expected");
        b.ptr[at] ^= bit;
    }
    static const struct {
        size_t at;
        uint8_t value;
        const char *part;
    } wrong[] = {
        {0, 'X', "not a Silex program"},
        {8, 6, "version 6, expected 5"},
        {12, 9, "9 sections, expected 8"},
        {40, 1, "byte 40 is 0x01, expected 0"},
        {64, 2, "section 1 is of kind 2, expected 1 (info)"},
        {68, 2, "section info has"},
        {72, 1, "section info starts at 257, expected 256"},
        {80, 1, "section info has"},
        {256, 1, "printable text"},
        {256 + 7, 'x', NULL}, /* a longer name is a good name */
        {256 + 60, 'x', "printable text"},
    };
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        slx_buf c = {0};
        slx_buf_add(&c, b.ptr, b.len);
        c.ptr[wrong[k].at] = (char)wrong[k].value;
        rehash(&c);
        slx_program q;
        if (wrong[k].part)
            refused(&c, wrong[k].part);
        else if (slx_program_parse(&q, c.ptr, c.len, "x", NULL) == SLX_OK)
            slx_program_free(&q);
        else
            fail();
        slx_buf_free(&c);
    }
    slx_buf_addc(&b, 0);
    refused(&b, "something follows it");
    slx_buf_free(&b);
    slx_program_free(&p);
}

/* One field of a good program made wrong: what the structure check says. */
static void wrong_fields(void **state)
{
    (void)state;
#define WRONG(part, ...)                                                                           \
    do {                                                                                           \
        slx_program p;                                                                             \
        slx_buf b = {0};                                                                           \
        sample(&p);                                                                                \
        __VA_ARGS__;                                                                               \
        slx_program_serialise(&p, &b);                                                             \
        refused(&b, part);                                                                         \
        slx_buf_free(&b);                                                                          \
        slx_program_free(&p);                                                                      \
    } while (0)
    WRONG("n_tiles is 0", p.info.n_tiles = 0);
    WRONG("offsets do not follow", p.info.desc.off_lim += 64);
    WRONG("offsets do not follow", p.info.desc.max_rows = 117);
    WRONG("more than 4 GiB", p.info.desc.max_rows = UINT32_MAX);
    WRONG("region descriptor has 100 bytes", p.regions[3].bytes = 100);
    WRONG("region 1: the name", p.regions[1].name[0] = 0);
    WRONG("region 1: the name", p.regions[1].name[0] = 27);
    WRONG("kind 6, expected 0..5", p.regions[1].kind = 6);
    WRONG("expected a multiple of 4096", p.regions[2].base++);
    WRONG("past the end", p.regions[2].base = UINT64_MAX - 4095);
    WRONG("region r5 at 0x1000000 overlaps region weights, which ends at 0x1000001",
          p.regions[0].bytes++);
    WRONG("group 0 (ALL) has 127 tiles", p.groups[0].count--);
    WRONG("group fifteen letters", p.groups[1].first = 120);
    WRONG("group fifteen letters", p.groups[1].first = UINT32_MAX);
    WRONG("n_chips is 9, expected at most 8", p.info.n_chips = 9);
    WRONG("weight blk.0.attn_q.weight: shard_k is 2", p.weights[0].shard_k = 2);
    WRONG("no instructions", p.n_insns = 0, p.n_spans = 0);
    WRONG("instruction 3: opcode 0x3e: VBKT is reserved", p.insns[3].w[0] = 0x3e);
    WRONG("entry of the step is 7", p.entry_step = 7);
    WRONG("entry of function 1 is 7", p.functions[1] = 7);
    WRONG("weight 0: the tensor's name", p.weights[0].tensor[0] = 0);
    WRONG("layout 3", p.weights[0].layout = 3);
    WRONG("format 11", p.weights[0].fmt = 11);
    WRONG("n_pad = 576 is no multiple of ns = 33", p.weights[0].ns = 33);
    WRONG("n_pad = 576 is no multiple of ns = 0", p.weights[0].ns = 0);
    WRONG("3 pieces", p.weights[0].pieces = 3);
    WRONG("577 rows in n_pad = 576", p.weights[0].n = 577);
    WRONG("577 columns in 18 blocks", p.weights[0].k = 577);
    WRONG("in no weights region", p.weights[1].addr = 1 << 24);
    WRONG("in no weights region", p.weights[1].bytes = UINT64_MAX);
    WRONG("span 2 (end): instructions 3.. (5 of them)", p.spans[2].count = 5);
    WRONG("57 parameters", p.spans[2].n_param = SLX_SPAN_PARAMS + 1);
    WRONG("parameter 3 is set", p.spans[0].param[3] = 1);
}

/* ------------------------------------------------------------------ text form */

static void text_form(void **state)
{
    (void)state;
    slx_program p, q;
    slx_err err;
    slx_buf text = {0}, again = {0};
    sample(&p);
    slx_disasm(&p, &text);
    if (slx_asm(&q, text.ptr, text.len, "p.s", &err)) slx_err_print(&err, stderr), fail();
    same(&p, &q);
    slx_disasm(&q, &again);
    assert_string_equal(text.ptr, again.ptr);
    slx_program_free(&q);

    p.spans[1].pc = 2; /* still in order; then not */
    p.spans[0].pc = 1;
    for (int k = 0; k < 2; k++) {
        text.len = 0;
        slx_disasm(&p, &text);
        if (slx_asm(&q, text.ptr, text.len, "p.s", &err)) slx_err_print(&err, stderr), fail();
        same(&p, &q);
        slx_program_free(&q);
        p.spans[2].pc = 0;
    }
    slx_buf_free(&text);
    slx_buf_free(&again);
    slx_program_free(&p);

    const char *hand = ".info n_tiles=3\n.desc max_rows=100 max_samples=3 max_seqs=2 max_pages=40 "
                       "max_items=7 item_rows=16\n"
                       "SYS.halt";
    if (slx_asm(&q, hand, strlen(hand), "h.s", &err)) slx_err_print(&err, stderr), fail();
    slx_desc_layout want = {.max_rows = 100,
                            .max_samples = 3,
                            .max_seqs = 2,
                            .max_pages = 40,
                            .max_items = 7,
                            .item_rows = 16};
    slx_desc_layout_init(&want, 3);
    assert_memory_equal(&q.info.desc, &want, sizeof want);
    slx_program_free(&q);
    assert_int_equal(slx_asm(&q, "", 0, "e.s", &err), SLX_EINPUT);
    assert_int_equal(slx_asm(&q, NULL, 0, "e.s", NULL), SLX_EINPUT);
}

/* Pairs test/golden/NAME.s and NAME.dis: source written by hand, and its disassembly read through by hand once. */
static void golden(void **state)
{
    (void)state;
    static const char *const pair[][2] = {{"test/golden/annex_b.s", "test/golden/annex_b.dis"},
                                          {"test/golden/every.s", "test/golden/every.dis"},
                                          {"examples/hello.s", "test/golden/hello.dis"}};
    for (int k = 0; k < 3; k++) {
        slx_buf source, want, got = {0}, twice = {0};
        slx_err err;
        slx_program p, q;
        assert_int_equal(slx_read_file(&source, pair[k][0], &err), SLX_OK);
        assert_int_equal(slx_read_file(&want, pair[k][1], &err), SLX_OK);
        if (slx_asm(&p, source.ptr, source.len, pair[k][0], &err))
            slx_err_print(&err, stderr), fail();
        slx_disasm(&p, &got);
        assert_string_equal(got.ptr, want.ptr);
        if (slx_asm(&q, got.ptr, got.len, pair[k][1], &err)) slx_err_print(&err, stderr), fail();
        same(&p, &q);
        slx_disasm(&q, &twice);
        assert_string_equal(twice.ptr, want.ptr);
        slx_program_free(&p);
        slx_program_free(&q);
        slx_buf_free(&source);
        slx_buf_free(&want);
        slx_buf_free(&got);
        slx_buf_free(&twice);
    }
}

/* ------------------------------------------------------------------ numbers */

/* chip.md 4.2 said again, recursively: [lo, hi) halves at lo + floor((hi - lo) / 2). */
static void cuts(uint32_t lo, uint32_t hi, uint32_t g, uint32_t *out, uint32_t *n)
{
    if (g == 1) {
        out[(*n)++] = lo;
        return;
    }
    cuts(lo, lo + (hi - lo) / 2, g / 2, out, n);
    cuts(lo + (hi - lo) / 2, hi, g / 2, out, n);
}

static void tree(void **state)
{
    (void)state;
    for (uint32_t kblk = 0; kblk < 200; kblk++)
        for (uint32_t g = 1; g <= 8; g *= 2) {
            uint32_t want[8], n = 0;
            cuts(0, kblk, g, want, &n);
            for (uint32_t i = 0; i < g; i++) assert_int_equal(slx_tree_cut(kblk, g, i), want[i]);
            assert_int_equal(slx_tree_cut(kblk, g, g), kblk);
        }
    /* 18 blocks in 8: 9|9, 4|5|4|5, 2|2|2|3|2|2|2|3 */
    static const uint32_t eight[9] = {0, 2, 4, 6, 9, 11, 13, 15, 18};
    for (uint32_t i = 0; i <= 8; i++) assert_int_equal(slx_tree_cut(18, 8, i), eight[i]);
    assert_int_equal(slx_tree_segments(576 / 32), 4);
    assert_int_equal(slx_tree_segments(1024 / 32), 8);
    assert_int_equal(slx_tree_segments(31), 4);
    assert_int_equal(slx_tree_segments(8), 2);
    assert_int_equal(slx_tree_segments(7), 1);
    assert_int_equal(slx_tree_segments(1), 1);
    assert_int_equal(slx_tree_segments(100000), 8);
}

static void descriptor(void **state)
{
    (void)state;
    slx_desc_layout l = {
        .max_rows = 17, .max_samples = 1, .max_pages = 16, .max_items = 3, .item_rows = 4, .max_merges = 2};
    slx_desc_layout_init(&l, 9);
    assert_int_equal(l.off_header, 0);
    assert_int_equal(l.off_token, 64); /* 17 u32 = 68 -> 128 */
    assert_int_equal(l.off_position, 192);
    assert_int_equal(l.off_kcode, 320);
    assert_int_equal(l.off_kscale, 448);
    assert_int_equal(l.off_vscale, 576);
    assert_int_equal(l.off_lim, 704);    /* 17 pairs = 136 -> 192 */
    assert_int_equal(l.off_sample, 896); /* 4 -> 64 */
    assert_int_equal(l.off_pages, 960);  /* 16 u32 = 64 */
    assert_int_equal(l.off_span, 1024);  /* 9 pairs = 72 -> 128 */
    assert_int_equal(l.off_item, 1152);  /* 3 items = 96 -> 128 */
    assert_int_equal(l.off_merge_span, 1280); /* 9 pairs = 72 -> 128 */
    assert_int_equal(l.off_merge, 1408);      /* 2 items = 64 */
    assert_int_equal(l.bytes, 1472);
    l.max_merges = 0; /* items are never split */
    slx_desc_layout_init(&l, 9);
    assert_int_equal(l.bytes, 1280);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_form),    cmocka_unit_test(damaged_files),
        cmocka_unit_test(wrong_fields), cmocka_unit_test(text_form),
        cmocka_unit_test(golden),       cmocka_unit_test(tree),
        cmocka_unit_test(descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
