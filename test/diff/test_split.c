/* test_split.c - an attention item computed in parts by several tiles gives the bits of the item computed whole:
 * whatever the parts, on strict in program order and in another legal one, and on fast.
 *
 * Pages hold random keys and values, so that one step tells of any context. The same step runs whole on strict, then
 * with its items cut by chance: into parts of whole groups or of any chunks, given to any tiles, merged on any. */
#include "compile/compile.h"
#include "func/func.h"
#include "gguf_make.h"
#include "isa/step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

enum { CHUNKS = 34, MAX_SEQS = 6, MAX_ROWS = 48 };

typedef struct {
    slx_chip *chip;
    slx_model *model;
    slx_program prog;
    slx_machine *m[3]; /* strict, strict in another order, fast */
    char path[64];
    uint32_t pages[MAX_SEQS][CHUNKS], vocab;
} rig;

static void rig_open(rig *r, struct slx_test_model_spec s, const char *chip, uint32_t tp)
{
    slx_err err = {0};
    slx_compile_options o = {.max_rows = MAX_ROWS, .max_samples = MAX_SEQS, .max_seqs = MAX_SEQS, .tp = tp,
                             .max_pages = MAX_SEQS * CHUNKS};
    s.context = CHUNKS * SLX_MAX_CHUNK;
    snprintf(r->path, sizeof r->path, "/tmp/slx-split-%d.gguf", (int)getpid());
    assert_true(slx_test_write_model(r->path, &s));
    if (slx_chip_load(&r->chip, chip, &err) != SLX_OK || slx_model_open(&r->model, r->path, &err) != SLX_OK ||
        slx_compile(&r->prog, r->model, r->chip, &o, NULL, NULL, &err) != SLX_OK)
        fail_msg("%s", err.msg);
    for (int k = 0; k < 3; k++) {
        slx_machine_options mo = {.kind = k < 2 ? SLX_MACHINE_STRICT : SLX_MACHINE_FAST, .threads = 2,
                                  .shuffle = k == 1 ? 77 : 0};
        if (slx_machine_open(&r->m[k], &r->prog, r->chip, r->model, &mo, &err) != SLX_OK) fail_msg("%s", err.msg);
    }
    uint32_t fused, spans;
    const char *why;
    slx_machine_fusion(r->m[2], &fused, &spans, &why);
    if (why) fail_msg("%s", why);
    slx_rng g = {3};
    uint32_t page[MAX_SEQS * CHUNKS], n = 0;
    for (uint32_t i = 0; i < MAX_SEQS * CHUNKS; i++) page[i] = i;
    for (uint32_t i = MAX_SEQS * CHUNKS - 1; i; i--) { /* in no order */
        uint32_t k = slx_rng_below(&g, i + 1), was = page[i];
        page[i] = page[k], page[k] = was;
    }
    for (uint32_t q = 0; q < MAX_SEQS; q++)
        for (uint32_t i = 0; i < CHUNKS; i++) r->pages[q][i] = page[n++];
    r->vocab = r->model->hp.vocab;
}

static void rig_close(rig *r)
{
    for (int k = 0; k < 3; k++) slx_machine_close(r->m[k]);
    slx_program_free(&r->prog);
    slx_model_close(r->model);
    slx_chip_free(r->chip);
    unlink(r->path);
}

static uint32_t region_of(const rig *r, uint32_t kind)
{
    for (uint32_t i = 0; i < r->prog.n_regions; i++)
        if (r->prog.regions[i].kind == kind) return i;
    fail_msg("no region");
    return 0;
}

/* Keys and values by chance in every page of every chip, the same in each machine. */
static void fill_pages(const rig *r, slx_machine *m)
{
    const slx_program_info *in = &r->prog.info;
    uint32_t region = region_of(r, SLX_REGION_KV);
    for (uint32_t chip = 0; chip < slx_program_chips(in); chip++) {
        slx_rng g = {11 + chip};
        uint8_t *at = (uint8_t *)(uintptr_t)slx_machine_region(m, chip, region);
        assert_non_null(at);
        uint64_t pages = (uint64_t)in->n_layers * in->n_kv_heads * in->desc.max_pages, d = in->head_dim_pad;
        for (uint64_t i = 0; i < pages; i++, at += in->page_stride)
            for (uint64_t b = 0; b < 264 * d; b++) {
                bool scale = (b >= 128 * d && b < 132 * d) || b >= 260 * d;
                at[b] = scale ? (uint8_t)(118 + slx_rng_below(&g, 10)) : (uint8_t)((int)slx_rng_below(&g, 255) - 127);
            }
    }
}

/* ------------------------------------------------------------------ steps */

typedef struct {
    uint32_t rows, before;
} seq;

static void build(const rig *r, const slx_program_info *info, uint8_t *desc, const seq *q, uint32_t n)
{
    slx_step_seq s[MAX_SEQS];
    uint32_t tokens[MAX_ROWS];
    slx_err err = {0};
    for (uint32_t i = 0; i < MAX_ROWS; i++) tokens[i] = i * 7 % r->vocab;
    for (uint32_t i = 0; i < n; i++) s[i] = (slx_step_seq){tokens, q[i].rows, q[i].before, 1, r->pages[i], CHUNKS};
    if (slx_step_build(info, desc, s, n, &err) != SLX_OK) fail_msg("%s", err.msg);
}

typedef struct {
    slx_status st;
    uint64_t logits, kv;
} result;

/* A step with a ready descriptor from the pages of fill_pages. */
static result run(const rig *r, int k, const uint8_t *desc, uint32_t samples)
{
    result x;
    slx_fault fault = {0};
    slx_err err = {0};
    uint32_t all[MAX_SEQS * CHUNKS];
    slx_hash h;
    for (uint32_t i = 0; i < MAX_SEQS * CHUNKS; i++) all[i] = i;
    fill_pages(r, r->m[k]);
    memcpy(slx_machine_desc(r->m[k]), desc, r->prog.info.desc.bytes);
    x.st = slx_machine_step(r->m[k], &fault, &err);
    if (x.st != SLX_OK) print_error("machine %d: tile %u pc %u: %s\n", k, fault.tile, fault.pc, fault.detail);
    slx_hash_init(&h);
    for (uint32_t i = 0; i < samples; i++) slx_hash_add(&h, slx_machine_logits(r->m[k], i), r->vocab * 4ull);
    x.logits = slx_hash_get(&h);
    x.kv = slx_machine_kv_hash(r->m[k], all, MAX_SEQS * CHUNKS);
    return x;
}

/* Pages exist in a machine from its first step on. */
static void warm_up(const rig *r)
{
    slx_fault fault;
    slx_err err;
    for (int k = 0; k < 3; k++) {
        build(r, &r->prog.info, slx_machine_desc(r->m[k]), &(seq){1, 0}, 1);
        assert_int_equal(slx_machine_step(r->m[k], &fault, &err), SLX_OK);
    }
}

/* ------------------------------------------------------------------ cut by chance */

static uint32_t get(const uint8_t *d, uint32_t off, uint64_t i)
{
    uint32_t v;
    memcpy(&v, d + off + 4 * i, 4);
    return v;
}

static void put(uint8_t *d, uint32_t off, uint64_t i, uint32_t v)
{
    memcpy(d + off + 4 * i, &v, 4);
}

/* n things to tiles in runs of any lengths, in order. */
static void deal(uint8_t *d, uint32_t off, uint32_t tiles, uint32_t n, slx_rng *g)
{
    uint32_t at = 0;
    for (uint32_t t = 0; t < tiles; t++) {
        uint32_t most = (n - at) * 2 / (tiles - t), mine = t + 1 == tiles ? n - at : slx_rng_below(g, most + 1);
        put(d, off, 2 * t, at);
        put(d, off, 2 * t + 1, mine);
        at += mine;
    }
}

/* The items of a whole descriptor, split: of `of` chances one leaves an item whole. Returns how many are split. */
static uint32_t cut(const rig *r, uint8_t *d, uint32_t of, slx_rng *g)
{
    const slx_desc_layout *l = &r->prog.info.desc;
    uint32_t tiles = r->prog.info.n_tiles, n = 0, items = 0, merges = 0, slot = 0;
    for (uint32_t t = 0; t < tiles; t++) n += get(d, l->off_span, 2 * t + 1);
    uint8_t *was = slx_xmalloc(n * 32ull);
    memcpy(was, d + l->off_item, n * 32ull);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t w[8], parts[CHUNKS], n_parts = 0;
        memcpy(w, was + 32 * i, 32);
        uint32_t each = slx_rng_below(g, 2) ? 16 : 1, states = (w[4] + each - 1) / each, base = w[3], chunks = w[4];
        bool split = slx_rng_below(g, of) && slot + states * w[1] <= l->max_states && merges < l->max_merges;
        for (uint32_t at = 0; split && at < chunks;) {
            uint32_t left = (chunks - at + each - 1) / each, mine = each * (1 + slx_rng_below(g, left));
            if (slx_rng_below(g, 2)) mine = each;
            parts[n_parts++] = mine = mine < chunks - at ? mine : chunks - at;
            at += mine;
        }
        if (!split || items + n_parts + n - i > l->max_items) {
            memcpy(d + l->off_item + 32 * items++, w, 32);
            continue;
        }
        const uint32_t merge[8] = {w[0], w[1], w[2], base, chunks, states, each == 1 ? 16 : 1, slot};
        memcpy(d + l->off_merge + 32 * merges++, merge, 32);
        for (uint32_t k = 0, at = 0; k < n_parts; at += parts[k++]) {
            const uint32_t part[8] = {w[0], w[1], w[2], base + at, parts[k], at, each, slot};
            memcpy(d + l->off_item + 32 * items++, part, 32);
            slot += (parts[k] + each - 1) / each * w[1];
        }
    }
    put(d, l->off_header, 3, merges);
    deal(d, l->off_span, tiles, items, g);
    deal(d, l->off_merge_span, tiles, merges, g);
    free(was);
    return merges;
}

/* ------------------------------------------------------------------ cases */

static bool same(const char *what, result a, result b)
{
    if (a.st == SLX_OK && b.st == SLX_OK && a.logits == b.logits && a.kv == b.kv) return true;
    print_error("%s: %s\n", what, b.st ? "does not run" : a.logits != b.logits ? "logits differ" : "pages differ");
    return false;
}

/* fast runs its kernels, and not strict in their place: these write nothing between the phases. */
static bool is_fused(const rig *r)
{
    const uint8_t *x = slx_machine_region(r->m[2], 0, region_of(r, SLX_REGION_EXCHANGE));
    for (uint64_t i = 0; x && i < r->prog.regions[region_of(r, SLX_REGION_EXCHANGE)].bytes; i++)
        if (x[i]) return false;
    return true;
}

/* The step whole, as slx_step_build splits it where merging costs nothing, and cut by chance. */
static void check(const rig *r, const seq *q, uint32_t n, uint32_t cuts, slx_rng *g)
{
    const slx_desc_layout *l = &r->prog.info.desc;
    uint8_t *d = slx_xmalloc(l->bytes), *one = slx_xmalloc(l->bytes);
    slx_program_info whole = r->prog.info, fine = r->prog.info;
    static const char *const name[] = {"strict", "strict in another order", "fast"};
    bool ok = true;
    whole.desc.max_merges = 0;
    fine.attn_merge_ps = fine.attn_state_ps = fine.attn_state_row_ps = fine.attn_beside_ps = 0;
    fine.attn_shared_page_ps = fine.attn_item_ps = 0;
    fine.attn_split_chunks = 0;
    build(r, &whole, one, q, n);
    assert_int_equal(get(one, l->off_header, 3), 0);
    result want = run(r, 0, one, n);
    ok &= same("fast, whole", want, run(r, 2, one, n));
    for (uint32_t c = 0; c <= cuts; c++) {
        uint32_t merges;
        if (c) {
            memcpy(d, one, l->bytes);
            merges = cut(r, d, c == 1 ? 1000 : 4, g);
        } else {
            build(r, &fine, d, q, n);
            merges = get(d, l->off_header, 3);
        }
        for (int k = 0; k < 3; k++) ok &= same(name[k], want, run(r, k, d, n));
        if (q[0].before >= SLX_MAX_CHUNK && !merges && (c ? c == 1 : n == 1)) {
            print_error("nothing is split\n");
            ok = false;
        }
    }
    if (!is_fused(r)) {
        print_error("fast ran another machine's way\n");
        ok = false;
    }
    for (uint32_t i = 0; i < n && !ok; i++) print_error("  sequence %u: %u rows behind %u\n", i, q[i].rows,
                                                        q[i].before);
    free(d);
    free(one);
    assert_true(ok);
}

static const struct slx_test_model_spec small = {.n_layers = 2, .d_model = 64, .d_ff = 64, .n_heads = 4,
                                                 .n_kv_heads = 2,
                                                 .head_dim = 32, .vocab = 50, .seed = 1},
                                        odd = {.n_layers = 2, .d_model = 80, .d_ff = 112, .n_heads = 6, .n_kv_heads = 2,
                                               .head_dim = 48, .n_rot = 16, .vocab = 45, .tied = true, .seed = 2};

/* One row at every number of chunks round a group, then batches of unlike lengths, then pieces of prompts. */
static void contexts(struct slx_test_model_spec s, const char *chip, uint32_t tp, uint32_t cuts)
{
    static const uint32_t chunks[] = {33, 32, 17, 16, 15, 2, 1};
    static const seq mixed[][MAX_SEQS] = {{{1, 4200}, {1, 5}, {1, 2047}, {1, 2048}, {1, 128}, {1, 127}},
                                          {{3, 2046}, {1, 4300}, {2, 126}},
                                          {{40, 4100}, {1, 1900}},
                                          {{20, 2040}, {20, 100}, {1, 4350}}};
    rig r = {0};
    slx_rng g = {5};
    rig_open(&r, s, chip, tp);
    warm_up(&r);
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        check(&r, &(seq){1, chunks[i] * SLX_MAX_CHUNK - 1 - (uint32_t)(i % 3) * 60}, 1, cuts, &g);
    for (size_t i = 0; i < sizeof mixed / sizeof *mixed; i++) {
        uint32_t n = 0;
        while (n < MAX_SEQS && mixed[i][n].rows) n++;
        check(&r, mixed[i], n, cuts, &g);
    }
    rig_close(&r);
}

static void test_mini(void **state)
{
    (void)state;
    contexts(small, "silex-mini", 1, 3);
}

static void test_unquantised_heads(void **state)
{
    (void)state;
    contexts(odd, "silex-mini", 1, 3);
}

static void test_many_tiles(void **state)
{
    (void)state;
    contexts(small, "silex-1", 1, 1);
}

static void test_two_chips(void **state)
{
    (void)state;
    contexts(small, "silex-1", 2, 1);
}

/* Chips that gather their heads: no matrix is a whole node of the tree on each. */
static void test_gathering_chips(void **state)
{
    (void)state;
    struct slx_test_model_spec s = small;
    s.d_model = 96, s.d_ff = 96, s.n_heads = 6, s.head_dim = 48; /* 9 blocks for o, 3 for down: no halves */
    contexts(s, "silex-1", 2, 1);
}

static void test_weights_in_place(void **state)
{
    (void)state;
    contexts(small, "silex-etched", 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mini),        cmocka_unit_test(test_unquantised_heads),
                                       cmocka_unit_test(test_many_tiles),  cmocka_unit_test(test_two_chips),
                                       cmocka_unit_test(test_gathering_chips), cmocka_unit_test(test_weights_in_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
