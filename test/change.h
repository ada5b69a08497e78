/* change.h - programs changed on purpose: strict and fast must go on to agree.
 *
 * Two kinds of changes. A changed word stands beside spans that no longer expand to it, so fast must notice and run the
 * instructions. A changed parameter comes with the words its template makes of it, so every span still proves itself:
 * the fused kernels must either mean the same as the words or be refused.
 */
#ifndef SLX_TEST_CHANGE_H
#define SLX_TEST_CHANGE_H

#include "bits.h"
#include "compile/template.h"
#include "verify/verify.h"

/* A program whose words and spans are its own; everything else is borrowed from the original. */
typedef struct {
    slx_program p;
    slx_span *spans;
    slx_buf words;
} change_copy;

static inline void change_free(change_copy *c)
{
    free(c->spans);
    slx_buf_free(&c->words);
}

static inline void change_init(change_copy *c, const slx_program *p)
{
    *c = (change_copy){.p = *p};
    c->spans = slx_xmalloc(p->n_spans * sizeof *c->spans);
    memcpy(c->spans, p->spans, p->n_spans * sizeof *c->spans);
    slx_buf_add(&c->words, p->insns, p->n_insns * sizeof *p->insns);
    c->p.spans = c->spans;
    c->p.insns = (slx_insn *)(void *)c->words.ptr;
}

/* Words anew from the spans' parameters; layer loops, the branch and the jump of short steps put right. false: a template
 * refuses. */
static inline bool change_expand(change_copy *c)
{
    for (int pass = 0; pass < 2; pass++) {
        slx_span *loop = NULL, *branch = NULL, *jump = NULL;
        c->words.len = 0;
        for (uint32_t i = 0; i < c->p.n_spans; i++) {
            slx_span *s = &c->spans[i];
            s->pc = (uint32_t)(c->words.len / sizeof(slx_insn));
            if (!slx_template_expand(s->tmpl, s->param, s->pc, &c->words)) return false;
            s->count = (uint32_t)(c->words.len / sizeof(slx_insn)) - s->pc;
            if (s->tmpl == SLX_TMPL_LOOP_BEGIN) loop = s;
            if (s->tmpl == SLX_TMPL_LMHEAD && !pass) {
                if (!loop) return false;
                loop->param[SLX_LOOP_BEGIN_body] = s->pc - loop->pc - 1;
                loop = NULL;
            }
            if (s->tmpl == SLX_TMPL_BRANCH) branch = s;
            if (s->tmpl == SLX_TMPL_JUMP) jump = s;
            if (s->tmpl == SLX_TMPL_JUMP && branch && !pass)
                branch->param[SLX_BRANCH_words] = s->pc + s->count - branch->pc - branch->count;
            if (s->tmpl == SLX_TMPL_END && jump && !pass)
                jump->param[SLX_JUMP_words] = s->pc - jump->pc - jump->count;
        }
    }
    c->p.insns = (slx_insn *)(void *)c->words.ptr;
    c->p.n_insns = (uint32_t)(c->words.len / sizeof(slx_insn));
    return true;
}

/* What a program does with a prompt and two more tokens of each of two sequences. */
typedef struct {
    slx_status status;
    slx_fault fault;
    uint64_t logits, kv;
    bool fused;
} change_result;

typedef struct {
    const slx_model *model;
    const slx_chip *chip;
    uint32_t prompt; /* rows of the first step */
    bool decode;     /* then a step of one row of each sequence */
    uint8_t *mark;       /* [n_insns] or NULL: strict marks the words it runs */
    const uint8_t *runs; /* such marks or NULL: words are changed among these alone */
} change_case;

static inline void change_mark(void *mark, const slx_retire *r)
{
    ((uint8_t *)mark)[r->pc] = 1;
}

static inline change_result change_run(const slx_program *p, const change_case *c,
                                       slx_machine_kind kind)
{
    change_result r = {0};
    slx_err err = {0};
    slx_machine *m = NULL;
    slx_machine_options o = {.kind = kind, .threads = 2};
    if (c->mark && kind == SLX_MACHINE_STRICT) o.retire = change_mark, o.retire_arg = c->mark;
    if (slx_machine_open(&m, p, c->chip, c->model, &o, &err) != SLX_OK) fail_msg("%s", err.msg);
    uint32_t fused, spans;
    const char *why;
    slx_machine_fusion(m, &fused, &spans, &why);
    r.fused = !why;
    const uint32_t pages[2] = {1, 0};
    uint32_t vocab = p->info.vocab, n = c->prompt, tokens[2][64];
    for (uint32_t i = 0; i < 64; i++)
        tokens[0][i] = (i * 7 + 3) % vocab, tokens[1][i] = (i * 5 + 1) % vocab;
    slx_hash h;
    slx_hash_init(&h);
    for (uint32_t step = 0; step < 1u + c->decode && r.status == SLX_OK; step++) {
        slx_step_seq s[2] = {{tokens[0] + (step ? n : 0), step ? 1 : n, step ? n : 0, 1, pages, 1},
                             {tokens[1] + step, 1, step, 1, pages + 1, 1}};
        if (slx_step_build(&p->info, slx_machine_desc(m), s, 2, &err) != SLX_OK)
            fail_msg("%s", err.msg);
        r.status = slx_machine_step(m, &r.fault, &err);
        for (uint32_t k = 0; k < 2; k++)
            slx_hash_add(&h, slx_machine_logits(m, k), p->info.vocab_pad * 4ull);
    }
    r.logits = slx_hash_get(&h);
    r.kv = slx_machine_kv_hash(m, pages, 2);
    slx_machine_close(m);
    return r;
}

typedef struct {
    uint32_t tried, verified, ran, faulted, illegal, differed, fused;
} change_counts;

/* Runs a changed program on both machines if it verifies; false with *what_fails set when they disagree. */
static inline bool change_agree(const slx_program *p, const change_case *c,
                                const change_result *before, change_counts *n, const char **what)
{
    n->tried++;
    if (slx_verify(p, c->chip, "changed", NULL) != SLX_OK) return true;
    n->verified++;
    change_result a = change_run(p, c, SLX_MACHINE_STRICT);
    /* strict's diagnostics name programs that are illegal in ways that are not proved beforehand */
    if (a.status == SLX_EFAULT &&
        (a.fault.cause == SLX_FAULT_UNWRITTEN || a.fault.cause == SLX_FAULT_ORDER)) {
        n->illegal++;
        return true;
    }
    change_result b = change_run(p, c, SLX_MACHINE_FAST);
    n->fused += b.fused;
    if (a.status != b.status) {
        *what =
            a.status == SLX_OK ? "fast faults, strict does not" : "strict faults, fast does not";
        return false;
    }
    if (a.status == SLX_EFAULT) {
        n->faulted++;
        *what = "faults differ";
        return a.fault.cause == b.fault.cause && a.fault.tile == b.fault.tile &&
               a.fault.pc == b.fault.pc && a.fault.index == b.fault.index;
    }
    n->ran++;
    n->differed += a.logits != before->logits || a.kv != before->kv;
    *what = a.logits != b.logits ? "logits differ" : "pages differ";
    return a.logits == b.logits && a.kv == b.kv;
}

/* A value near or far from v, of the kinds that matter: one off, a row, a block, a buffer's place, a float, nothing. */
static inline uint64_t change_value(uint64_t v, const slx_span *s, slx_rng *r)
{
    static const int64_t step[] = {1, -1, 4, -4, 16, -16, 32, -32, 64, -64, 128, -128, 4096, -4096};
    switch (slx_rng_below(r, 6)) {
    case 0: return v * 2;
    case 1: return v / 2;
    case 2: return slx_rng_below(r, 4);
    case 3: return s->param[slx_rng_below(r, s->n_param)];
    default: return v + (uint64_t)step[slx_rng_below(r, 14)];
    }
}

/* The span of the other way that has this one's name and template; i itself where there is none. */
static inline uint32_t change_twin(const slx_program *p, uint32_t i)
{
    for (uint32_t k = 0; k < p->n_spans; k++)
        if (k != i && p->spans[k].tmpl == p->spans[i].tmpl &&
            !strcmp(p->spans[k].name, p->spans[i].name))
            return k;
    return i;
}

/* Changes parameter j of span i to v (v as given), of its twin too if asked for, expands, compares. Prints and returns false
 * on disagreement. */
static inline bool change_param_of(const slx_program *p, uint32_t i, uint32_t j, uint64_t v,
                                   bool twin, const change_case *c, const change_result *before,
                                   change_counts *n)
{
    change_copy k;
    change_init(&k, p);
    uint64_t was = k.spans[i].param[j];
    const char *what = "";
    bool ok = true;
    k.spans[i].param[j] = v;
    if (twin) k.spans[change_twin(p, i)].param[j] = v;
    if (v != was && change_expand(&k)) ok = change_agree(&k.p, c, before, n, &what);
    if (!ok)
        print_error("span %s (%s), %s from %llu to %llu: %s\n", p->spans[i].name,
                    slx_template_name(p->spans[i].tmpl),
                    slx_template_param_name(p->spans[i].tmpl, j), (unsigned long long)was,
                    (unsigned long long)v, what);
    change_free(&k);
    return ok;
}

static inline bool change_param(const slx_program *p, uint32_t i, uint32_t j, uint64_t v,
                                const change_case *c, const change_result *before, change_counts *n)
{
    return change_param_of(p, i, j, v, false, c, before, n);
}

/* Changes one word: an operand's number, a flag, a function, a token. Numbers move by little, so that a changed count
 * does not make a step of hours. */
static inline bool change_word(const slx_program *p, slx_rng *r, const change_case *c,
                               const change_result *before, change_counts *n)
{
    static const int32_t step[] = {1, -1, 2, 4, 32, 64, -64, 128, -128, 1024, 1 << 12, -(1 << 12)};
    change_copy k;
    change_init(&k, p);
    uint32_t pc = slx_rng_below(r, p->n_insns), w = slx_rng_below(r, 8);
    while (c->runs && !c->runs[pc]) pc = slx_rng_below(r, p->n_insns);
    uint32_t *word = &k.p.insns[pc].w[w], was = *word, by = (uint32_t)step[slx_rng_below(r, 12)];
    if (w < 2)
        *word ^= UINT32_C(1) << slx_rng_below(r, 32);
    else if (!slx_rng_below(r, 4))
        *word ^=
            UINT32_C(1) << (slx_rng_below(r, 4) ? slx_rng_below(r, 13) : 26 + slx_rng_below(r, 5));
    else if (slx_opnd_is_reg(was))
        *word = (was & 0xfc000000) | ((was + by) & 0x3ffffff);
    else
        *word += by;
    const char *what = "";
    bool ok = change_agree(&k.p, c, before, n, &what);
    if (!ok) print_error("pc %u, word %u from 0x%08x to 0x%08x: %s\n", pc, w, was, *word, what);
    change_free(&k);
    return ok;
}

#endif
