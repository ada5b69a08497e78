/* The compiler's plans, templates and step descriptors. Expectations are worked out here: capacities from the chip,
 * token balance by walking, descriptors by hand. */
#include "compile/compile.h"
#include "compile/plan.h"
#include "compile/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ------------------------------------------------------------------ a model by its shape alone */

typedef struct {
    slx_model m;
    slx_tensor t[16];
    slx_layer_weights *layers;
} shape;

static const slx_tensor *tensor(shape *s, int i, const char *name, uint32_t type, uint32_t k,
                                uint32_t n)
{
    s->t[i] =
        (slx_tensor){.name = name, .type = type, .n_dims = n ? 2 : 1, .ne = {k, n ? n : 1, 1, 1}};
    return &s->t[i];
}

static void shape_make(shape *s, slx_hparams hp, uint32_t type)
{
    uint32_t q = hp.n_heads * hp.head_dim, kv = hp.n_kv_heads * hp.head_dim;
    memset(s, 0, sizeof *s);
    s->m.hp = hp;
    s->m.name = "shape";
    s->m.tok_embd = tensor(s, 0, "token_embd.weight", type, hp.d_model, hp.vocab);
    s->m.output_norm = tensor(s, 1, "output_norm.weight", SLX_T_F32, hp.d_model, 0);
    s->m.output =
        hp.tied ? s->m.tok_embd : tensor(s, 2, "output.weight", type, hp.d_model, hp.vocab);
    slx_layer_weights w = {
        .attn_norm = tensor(s, 3, "attn_norm", SLX_T_F32, hp.d_model, 0),
        .wq = tensor(s, 4, "q", type, hp.d_model, q),
        .wk = tensor(s, 5, "k", type, hp.d_model, kv),
        .wv = tensor(s, 6, "v", type, hp.d_model, kv),
        .wo = tensor(s, 7, "o", type, q, hp.d_model),
        .ffn_norm = tensor(s, 8, "ffn_norm", SLX_T_F32, hp.d_model, 0),
        .w_gate = tensor(s, 9, "gate", type, hp.d_model, hp.d_ff),
        .w_up = tensor(s, 10, "up", type, hp.d_model, hp.d_ff),
        .w_down = tensor(s, 11, "down", type, hp.d_ff, hp.d_model),
    };
    s->layers = slx_xcalloc(hp.n_layers, sizeof *s->layers);
    for (uint32_t i = 0; i < hp.n_layers; i++) s->layers[i] = w;
    s->m.layers = s->layers;
}

static const slx_hparams smollm = {.arch = "llama",
                                   .n_layers = 30,
                                   .d_model = 576,
                                   .d_ff = 1536,
                                   .n_heads = 9,
                                   .n_kv_heads = 3,
                                   .head_dim = 64,
                                   .n_rot = 64,
                                   .vocab = 49152,
                                   .context = 8192,
                                   .rms_eps = 1e-5f,
                                   .rope_base = 100000,
                                   .tied = true};
static const slx_hparams llama8b = {.arch = "llama",
                                    .n_layers = 32,
                                    .d_model = 4096,
                                    .d_ff = 14336,
                                    .n_heads = 32,
                                    .n_kv_heads = 8,
                                    .head_dim = 128,
                                    .n_rot = 128,
                                    .vocab = 128256,
                                    .context = 8192,
                                    .rms_eps = 1e-5f,
                                    .rope_base = 500000};
static const slx_hparams odd = {.arch = "llama",
                                .n_layers = 2,
                                .d_model = 80,
                                .d_ff = 112,
                                .n_heads = 6,
                                .n_kv_heads = 2,
                                .head_dim = 48,
                                .n_rot = 16,
                                .vocab = 300,
                                .context = 700,
                                .rms_eps = 1e-6f,
                                .rope_base = 10000};
static const slx_hparams one_head = {.arch = "llama",
                                     .n_layers = 1,
                                     .d_model = 32,
                                     .d_ff = 32,
                                     .n_heads = 1,
                                     .n_kv_heads = 1,
                                     .head_dim = 32,
                                     .n_rot = 32,
                                     .vocab = 33,
                                     .context = 100,
                                     .rms_eps = 1e-6f,
                                     .rope_base = 10000,
                                     .tied = true};

static void load(slx_chip **c, const char *name)
{
    slx_err err = {0};
    if (slx_chip_load(c, name, &err) != SLX_OK) fail_msg("%s: %s", name, err.msg);
}

/* ------------------------------------------------------------------ programs */

/* Tokens by program order: counters constant at every pc, loop bodies and the whole program balanced, one posting and
 * one waiting engine an id. */
static void check_tokens(const slx_program *p)
{
    int count[SLX_N_TOKENS] = {0}, at_entry[SLX_MAX_LOOP_DEPTH][SLX_N_TOKENS],
        credit[SLX_N_TOKENS] = {0};
    int poster[SLX_N_TOKENS], waiter[SLX_N_TOKENS];
    uint32_t end[SLX_MAX_LOOP_DEPTH];
    int depth = 0;
    for (int i = 0; i < SLX_N_TOKENS; i++) poster[i] = waiter[i] = -1;
    for (uint32_t pc = 0; pc < p->n_insns; pc++) {
        while (depth && end[depth - 1] == pc) {
            depth--;
            assert_memory_equal(count, at_entry[depth], sizeof count);
        }
        const slx_insn *in = &p->insns[pc];
        int engine = (int)slx_ops[slx_insn_op(in)].engine;
        if (slx_insn_op(in) == SLX_OP_TOK) {
            count[in->w[2]] += (int)in->w[3];
            credit[in->w[2]] = count[in->w[2]];
        }
        for (int k = 0; k < 4; k++) {
            unsigned t = slx_insn_tok(in, k);
            if (!t) continue;
            int *who = k < 2 ? waiter : poster;
            if (who[t] < 0) who[t] = engine;
            if (who[t] != engine) fail_msg("pc %u: token %u has two engines", pc, t);
            count[t] += k < 2 ? -1 : 1;
            if (count[t] < 0) fail_msg("pc %u: token %u below zero", pc, t);
            assert_true(count[t] <= (int)p->info.token_max);
        }
        if (slx_insn_op(in) == SLX_OP_LOOP) {
            assert_true(depth < SLX_MAX_LOOP_DEPTH);
            assert_true(in->w[3] > 0);
            end[depth] = pc + 1 + in->w[3];
            if (depth) assert_true(end[depth] <= end[depth - 1]);
            memcpy(at_entry[depth++], count, sizeof count);
        }
    }
    assert_int_equal(depth, 0);
    assert_memory_equal(count, credit, sizeof count);
    for (int i = 0; i < SLX_N_TOKENS; i++) assert_true((poster[i] < 0) == (waiter[i] < 0));
}

static void check_program(const slx_program *p)
{
    char why[256];
    for (uint32_t pc = 0; pc < p->n_insns; pc++) {
        const char *bad = slx_insn_check(&p->insns[pc], why);
        if (bad) fail_msg("pc %u: %s", pc, bad);
    }
    uint32_t pc = 0;
    for (uint32_t i = 0; i < p->n_spans; i++) {
        const slx_span *s = &p->spans[i];
        assert_int_equal(s->pc, pc);
        assert_int_equal(s->n_param, slx_template_n_params(s->tmpl));
        slx_buf again = {0};
        assert_true(slx_template_expand(s->tmpl, s->param, s->pc, &again));
        assert_int_equal(again.len, s->count * sizeof(slx_insn));
        assert_memory_equal(again.ptr, &p->insns[s->pc], again.len);
        slx_buf_free(&again);
        pc += s->count;
    }
    assert_int_equal(pc, p->n_insns);
    check_tokens(p);
    const slx_region *w = slx_program_region(p, SLX_REGION_WEIGHTS);
    bool in_rom = w->base >= SLX_ROM_BASE; /* then the others begin at the bottom of HBM */
    for (uint32_t i = in_rom; i + 1 < p->n_regions; i++)
        assert_true(p->regions[i].base + p->regions[i].bytes <= p->regions[i + 1].base);
    for (uint32_t i = 0; i < p->n_weights; i++) {
        assert_true(p->weights[i].addr >= w->base);
        assert_true(p->weights[i].addr + p->weights[i].bytes <= w->base + w->bytes);
        for (uint32_t j = 0; i < 12 && j < i; j++) /* a layer's worth: they do not overlap */
            assert_true(p->weights[j].addr + p->weights[j].bytes <= p->weights[i].addr);
    }
}

static void compile_on(const char *chip, const slx_hparams *hp, uint32_t type)
{
    slx_chip *c;
    shape s;
    slx_err err = {0};
    slx_program p;
    load(&c, chip);
    shape_make(&s, *hp, type);
    if (slx_compile(&p, &s.m, c, NULL, NULL, NULL, &err) != SLX_OK)
        fail_msg("%s: %s", chip, err.msg);
    check_program(&p);
    slx_buf file = {0};
    slx_program_serialise(&p, &file);
    slx_program back;
    if (slx_program_parse(&back, file.ptr, file.len, "back", &err) != SLX_OK)
        fail_msg("%s: %s", chip, err.msg);
    assert_int_equal(back.n_insns, p.n_insns);
    slx_program_free(&back);
    slx_buf_free(&file);
    slx_program_free(&p);
    free(s.layers);
    slx_chip_free(c);
}

static const char *const chips[] = {"silex-1", "silex-mini", "silex-one"};

/* Weights in place: every product reads ROM, nothing waits for a weight buffer; all loads of a step from the WEIGHTS
 * region are norms and the embedding. Capacities and refusals by name. */
static void test_weights_in_place(void **state)
{
    (void)state;
    static const char *const resident[] = {"silex-etched", "silex-sram"};
    for (int i = 0; i < 2; i++) {
        compile_on(resident[i], &smollm, SLX_T_Q4_1);
        compile_on(resident[i], &odd, SLX_T_F16);
        compile_on(resident[i], &one_head, SLX_T_Q8_0);
    }
    slx_chip *c;
    shape s;
    slx_err err = {0};
    slx_program p;
    load(&c, "silex-etched");
    shape_make(&s, smollm, SLX_T_Q4_1);
    assert_int_equal(slx_compile(&p, &s.m, c, NULL, NULL, NULL, &err), SLX_OK);
    uint32_t products = 0, attention = 0;
    for (uint32_t i = 0; i < p.n_insns; i++) {
        if (slx_insn_op(&p.insns[i]) != SLX_OP_MM) continue;
        bool rom = slx_insn_flags(&p.insns[i]) & SLX_F_ROM;
        products += rom;
        attention += !rom;
    }
    /* q k v o gate up down head, every weight in one piece; once for short steps, once for others */
    assert_int_equal(products, 16);
    assert_int_equal(attention, 4);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < p.n_weights; i++)
        if (p.weights[i].layout == SLX_LAYOUT_SLICES) bytes += p.weights[i].bytes;
    /* 30 layers of 3.54 M weights and a head of 28.3 M, each in 20 bytes for 32 */
    assert_int_equal(
        bytes, (30ull * (2 * 576 * 576 + 2 * 192 * 576 + 3 * 1536 * 576) + 49152 * 576) / 32 * 20);
    slx_program_free(&p);
    free(s.layers);

    shape_make(&s, llama8b, SLX_T_Q4_0);
    /* without a wish, as many pages as the memory has room for: one more is refused by that number */
    slx_compile_options one_more = {0};
    char most[64];
    assert_int_equal(slx_compile(&p, &s.m, c, NULL, NULL, NULL, &err), SLX_OK);
    assert_in_range(p.info.desc.max_pages, 1, 79); /* 64 for the context and 16 more do not fit */
    snprintf(most, sizeof most, "max_pages %u (now %u)", p.info.desc.max_pages,
             p.info.desc.max_pages + 1);
    one_more.max_pages = p.info.desc.max_pages + 1;
    slx_program_free(&p);
    assert_int_equal(slx_compile(&p, &s.m, c, &one_more, NULL, NULL, &err), SLX_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, most));
    slx_compile_options few = {.max_pages = 20, .max_rows = 128};
    if (slx_compile(&p, &s.m, c, &few, NULL, NULL, &err) != SLX_OK) fail_msg("%s", err.msg);
    check_program(&p);
    slx_program_free(&p);
    c->rom.mib = 4000;
    assert_int_equal(slx_compile(&p, &s.m, c, &few, NULL, NULL, &err), SLX_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "MiB of weights, the chip holds 4000.000 in its ROM"));
    c->rom.writable = 1;
    assert_int_equal(slx_compile(&p, &s.m, c, &few, NULL, NULL, &err), SLX_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "in its weight SRAM"));
    free(s.layers);
    slx_chip_free(c);
}

static void test_default_model(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) compile_on(chips[i], &smollm, SLX_T_Q4_1);
}

static void test_other_shapes(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        compile_on(chips[i], &odd, SLX_T_F16);
        compile_on(chips[i], &one_head, SLX_T_Q8_0);
    }
    compile_on("silex-1", &llama8b, SLX_T_Q4_0);
}

static void test_refusals(void **state)
{
    (void)state;
    slx_chip *c;
    shape s;
    slx_err err = {0};
    slx_program p;
    load(&c, "silex-one");
    slx_hparams hp = smollm;
    hp.head_dim = 40;
    hp.n_rot = 32;
    shape_make(&s, hp, SLX_T_F32);
    assert_int_equal(slx_compile(&p, &s.m, c, NULL, NULL, NULL, &err), SLX_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "40"));
    free(s.layers);
    shape_make(&s, llama8b, SLX_T_F16);
    assert_int_equal(slx_compile(&p, &s.m, c, NULL, NULL, NULL, &err), SLX_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "needs"));
    free(s.layers);
    shape_make(&s, smollm, SLX_T_F16);
    slx_compile_options opt = {.max_pages = 100000};
    assert_int_equal(slx_compile(&p, &s.m, c, &opt, NULL, NULL, &err), SLX_EUNSUPPORTED);
    assert_int_equal(slx_compile(&p, &s.m, c, NULL, "plans", NULL, &err), SLX_EINPUT);
    free(s.layers);
    slx_chip_free(c);
}

/* Formats by class: native on silex-1; the reason otherwise. */
static void test_formats(void **state)
{
    (void)state;
    slx_chip *one, *big;
    shape s;
    slx_err err = {0};
    slx_plan p;
    load(&one, "silex-one");
    load(&big, "silex-1");
    slx_hparams hp = smollm;
    hp.n_layers = 2;
    shape_make(&s, hp, SLX_T_Q4_1);
    assert_int_equal(slx_plan_make(&p, &s.m, big, NULL, &err), SLX_OK);
    assert_int_equal(p.mat[SLX_MAT_DOWN].fmt, SLX_FMT_q4sm);
    assert_int_equal(p.embd_fmt, SLX_FMT_q4sm);
    /* K = 576: 18 blocks, 4 segments; K = 1536: 48 blocks, 8 (chip.md 4.2) */
    assert_int_equal(p.mat[SLX_MAT_Q].log2g, 2);
    assert_int_equal(p.mat[SLX_MAT_DOWN].log2g, 3);
    slx_tensor other = s.t[11];
    other.type = SLX_T_Q8_0;
    s.layers[1].w_down = &other;
    assert_int_equal(slx_plan_make(&p, &s.m, big, NULL, &err), SLX_OK);
    assert_int_equal(p.mat[SLX_MAT_DOWN].fmt, SLX_FMT_mxint8);
    assert_string_equal(p.mat[SLX_MAT_DOWN].why, "layers differ in type");
    assert_int_equal(slx_plan_make(&p, &s.m, one, NULL, &err), SLX_OK);
    assert_int_equal(p.mat[SLX_MAT_Q].fmt, SLX_FMT_mxint8);
    assert_string_equal(p.mat[SLX_MAT_Q].why, "the chip has no Q4S");
    free(s.layers);
    slx_chip_free(one);
    slx_chip_free(big);
}

/* test/golden/compile.STAGE: what --dump prints for a small model on silex-mini, read through by hand once. */
static void test_dumps(void **state)
{
    (void)state;
    slx_chip *c;
    shape s;
    load(&c, "silex-mini");
    slx_hparams hp = odd;
    hp.n_layers = 1;
    shape_make(&s, hp, SLX_T_Q8_0);
    for (int i = 0; slx_compile_dumps[i]; i++) {
        char name[64], *text = NULL;
        size_t len = 0;
        slx_err err = {0};
        slx_program p;
        slx_buf want = {0};
        FILE *out = open_memstream(&text, &len);
        assert_int_equal(slx_compile(&p, &s.m, c, NULL, slx_compile_dumps[i], out, &err), SLX_OK);
        fclose(out);
        slx_program_free(&p);
        assert_true(len > 0);
        snprintf(name, sizeof name, "test/golden/compile.%s", slx_compile_dumps[i]);
        if (strcmp(slx_compile_dumps[i], "program")) {
            if (slx_read_file(&want, name, &err) != SLX_OK) fail_msg("%s: %s", name, err.msg);
            if (want.len != len || memcmp(want.ptr, text, len))
                fail_msg("%s differs, found:\n%s", name, text);
        }
        slx_buf_free(&want);
        free(text);
    }
    free(s.layers);
    slx_chip_free(c);
}

/* Where tiles share the rows of a step, groups times the height of a row tile take a whole one; one tile alone takes
 * the most its accumulators hold, on silex-one 2048 cells over (1 + 2 levels) * 32 columns. Nothing lies outside the
 * scratchpad. */
static void test_row_tiles(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        slx_chip *c;
        shape s;
        slx_err err = {0};
        slx_plan p;
        load(&c, chips[i]);
        shape_make(&s, smollm, SLX_T_Q4_1);
        assert_int_equal(slx_plan_make(&p, &s.m, c, NULL, &err), SLX_OK);
        if (c->grid.enabled == 1) { /* nobody to share with: as many rows as the scratchpad takes */
            assert_int_equal(p.lin_qkv.mr, 21);
            assert_int_equal(p.lin_o.mr, 21);
            assert_true(p.lin_qkv.groups == 0 && p.gateup.groups == 0);
        } else { /* a full step: one row tile a group */
            assert_true(p.lin_qkv.groups > 1 && c->grid.enabled % p.lin_qkv.groups == 0);
            assert_true(p.lin_qkv.groups * p.lin_qkv.mr >= p.opt.max_rows || p.lin_qkv.groups == c->grid.enabled);
        }
        assert_int_equal(p.head.mr, 16);
        const uint64_t ends[] = {p.lin_qkv.end, p.lin_o.end, p.lin_down.end, p.gateup.end,
                                 p.head.end,    p.embed.end, p.rows.end,     p.rope.end,
                                 p.attn.end,    p.rowq.end};
        for (size_t k = 0; k < sizeof ends / sizeof ends[0]; k++) {
            assert_true(ends[k] > p.ring + (uint64_t)p.slot * p.slots);
            assert_true(ends[k] <= c->tile.spm_kib * 1024);
        }
        free(s.layers);
        slx_chip_free(c);
    }
}

/* ------------------------------------------------------------------ step descriptor */

static uint32_t get(const uint8_t *d, uint32_t off, uint32_t i)
{
    uint32_t v;
    memcpy(&v, d + off + 4 * i, 4);
    return v;
}

/* Two sequences on 4 tiles, 2 KV heads, items of 4 rows: 6 rows from position 126 on pages 5, 2; one row at 0 on
 * page 3. */
static void test_step(void **state)
{
    (void)state;
    slx_program_info in = {
        .n_tiles = 4, .n_kv_heads = 2, .head_dim_pad = 64, .vocab = 100, .max_context = 1000};
    in.desc = (slx_desc_layout){.max_rows = 16,
                                .max_samples = 4,
                                .max_seqs = 2,
                                .max_pages = 8,
                                .max_items = 16,
                                .item_rows = 4};
    slx_desc_layout_init(&in.desc, 4);
    const slx_desc_layout *l = &in.desc;
    uint8_t *d = slx_xmalloc(l->bytes);
    const uint32_t ta[6] = {10, 11, 12, 13, 14, 15}, tb[1] = {99}, pa[2] = {5, 2}, pb[1] = {3};
    slx_step_seq seqs[2] = {{ta, 6, 126, 2, pa, 2}, {tb, 1, 0, 1, pb, 1}};
    slx_err err = {0};
    assert_int_equal(slx_step_build(&in, d, seqs, 2, &err), SLX_OK);
    assert_int_equal(get(d, l->off_header, 0), 7);
    assert_int_equal(get(d, l->off_header, 1), 3);
    assert_int_equal(get(d, l->off_header, 2), 3);
    const uint32_t pos[7] = {126, 127, 128, 129, 130, 131, 0}, page[7] = {5, 5, 2, 2, 2, 2, 3},
                   off[7] = {126, 127, 0, 1, 2, 3, 0}, tok[7] = {10, 11, 12, 13, 14, 15, 99};
    for (uint32_t i = 0; i < 7; i++) {
        assert_int_equal(get(d, l->off_token, i), tok[i]);
        assert_int_equal(get(d, l->off_position, i), pos[i]);
        assert_int_equal(get(d, l->off_kcode, i), page[i] * 264 + off[i]);
        assert_int_equal(get(d, l->off_kscale, i), page[i] * 8448 + off[i]);
        assert_int_equal(get(d, l->off_vscale, i), page[i] * 264 * 64 + off[i]);
        assert_int_equal(get(d, l->off_lim, 2 * i), 0);
        assert_int_equal(get(d, l->off_lim, 2 * i + 1), pos[i] + 1);
    }
    const uint32_t sample[3] = {4, 5, 6}, list[3] = {5, 2, 3};
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(get(d, l->off_sample, i), sample[i]);
        assert_int_equal(get(d, l->off_pages, i), list[i]);
    }
    /* row0, rows, head, first page of the list, chunks: rows 0..3 reach position 129, rows 4..5 131 */
    const uint32_t item[6][5] = {{0, 4, 0, 0, 2}, {4, 2, 0, 0, 2}, {0, 4, 1, 0, 2},
                                 {4, 2, 1, 0, 2}, {6, 1, 0, 2, 1}, {6, 1, 1, 2, 1}};
    for (uint32_t i = 0; i < 6; i++)
        for (uint32_t k = 0; k < 5; k++)
            assert_int_equal(get(d, l->off_item, 8 * i + k), item[i][k]);
    const uint32_t span[4][2] = {{0, 1}, {1, 2}, {3, 1}, {4, 2}};
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t k = 0; k < 2; k++)
            assert_int_equal(get(d, l->off_span, 2 * i + k), span[i][k]);

    seqs[0].n_pages = 1;
    assert_int_equal(slx_step_build(&in, d, seqs, 2, &err), SLX_EINPUT);
    seqs[0].n_pages = 2;
    seqs[0].pos0 = 997;
    assert_int_equal(slx_step_build(&in, d, seqs, 2, &err), SLX_EINPUT);
    seqs[0].pos0 = 126;
    const uint32_t wild[1] = {100};
    seqs[1].tokens = wild;
    assert_int_equal(slx_step_build(&in, d, seqs, 2, &err), SLX_EINPUT);
    free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_model), cmocka_unit_test(test_other_shapes),
        cmocka_unit_test(test_refusals),      cmocka_unit_test(test_weights_in_place),
        cmocka_unit_test(test_formats),       cmocka_unit_test(test_row_tiles),
        cmocka_unit_test(test_dumps),         cmocka_unit_test(test_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
