/* machine.c - the two machines behind one face. fast owns its kernels and shares HBM with a strict machine that is made
 * only when needed: for a program that is not fused throughout, and to name the fault of a step. */
#include "func/func_int.h"

#include <stdlib.h>
#include <string.h>

struct slx_machine {
    const slx_program *prog;
    const slx_chip *chip;
    const slx_model *model;
    slx_machine_options opt;
    uint32_t n_chips;
    slx_strict *ranks;    /* [n_chips] HBM lives here for both kinds; tiles' memory is untouched until used */
    bool strict_loaded;   /* weights are laid out */
    slx_fast *fast;       /* NULL for strict */
    int desc, kv, logits; /* region indices */
};

static slx_status find_regions(slx_machine *m, slx_err *err)
{
    static const slx_region_kind kinds[] = {SLX_REGION_DESC, SLX_REGION_KV, SLX_REGION_LOGITS};
    int *at[] = {&m->desc, &m->kv, &m->logits};
    for (int i = 0; i < 3; i++) {
        *at[i] = slx_hbm_kind(&m->ranks[0].hbm, kinds[i]);
        if (*at[i] < 0 && m->model)
            return slx_fail(err, SLX_EINPUT, m->prog->info.model_name, 0, 0,
                            "found no region of kind %s, expected one", slx_region_kind_name(kinds[i]));
        for (uint32_t c = 0; *at[i] >= 0 && c < m->n_chips; c++)
            slx_hbm_alloc(&m->ranks[c].hbm, (uint32_t)*at[i]);
    }
    return SLX_OK;
}

static slx_status load_strict(slx_machine *m, slx_err *err)
{
    if (m->strict_loaded) return SLX_OK;
    for (uint32_t c = 0; c < m->n_chips; c++)
        SLX_TRY(slx_strict_load(&m->ranks[c], m->model, err));
    m->strict_loaded = true;
    return SLX_OK;
}

slx_status slx_machine_open(slx_machine **out, const slx_program *p, const slx_chip *c,
                            const slx_model *model, const slx_machine_options *opt, slx_err *err)
{
    if (model) SLX_TRY(slx_model_need_values(model, err));
    slx_machine *m = slx_xcalloc(1, sizeof *m);
    m->prog = p;
    m->chip = c;
    m->model = model;
    m->opt = *opt;
    m->n_chips = slx_program_chips(&p->info);
    m->ranks = slx_xcalloc(m->n_chips, sizeof *m->ranks);
    for (uint32_t i = 0; i < m->n_chips; i++) {
        slx_strict_init(&m->ranks[i], p, c, i);
        m->ranks[i].retire = opt->retire;
        m->ranks[i].retire_arg = opt->retire_arg;
        m->ranks[i].shuffle = opt->shuffle;
    }
    slx_status st = find_regions(m, err);
    if (st == SLX_OK && opt->kind == SLX_MACHINE_FAST)
        st = slx_fast_open(&m->fast, m->ranks, p, c, model, opt, err);
    if (st == SLX_OK && (!m->fast || slx_fast_refusal(m->fast))) st = load_strict(m, err);
    if (st != SLX_OK) {
        slx_machine_close(m);
        return st;
    }
    *out = m;
    return SLX_OK;
}

void slx_machine_close(slx_machine *m)
{
    if (!m) return;
    slx_fast_close(m->fast);
    for (uint32_t i = 0; i < m->n_chips; i++) slx_strict_deinit(&m->ranks[i]);
    free(m->ranks);
    free(m);
}

uint8_t *slx_machine_desc(slx_machine *m)
{
    return m->ranks[0].hbm.mem[m->desc];
}

/* Every chip has its own copy of the descriptor. */
static void share_descriptor(slx_machine *m)
{
    for (uint32_t c = 1; m->desc >= 0 && c < m->n_chips; c++)
        memcpy(m->ranks[c].hbm.mem[m->desc], slx_machine_desc(m), m->prog->regions[m->desc].bytes);
}

slx_status slx_machine_step(slx_machine *m, slx_fault *fault, slx_err *err)
{
    memset(fault, 0, sizeof *fault);
    slx_status by_fast = SLX_EUNSUPPORTED;
    if (m->fast && !slx_fast_refusal(m->fast)) {
        by_fast = slx_fast_step(m->fast);
        if (by_fast == SLX_OK) return SLX_OK;
        /* the step overwrote none of its inputs: run it again, to name the fault or for what only strict decides */
        SLX_TRY(load_strict(m, err));
    }
    share_descriptor(m);
    slx_status st = slx_strict_step(m->ranks, m->n_chips, fault);
    if (st == SLX_OK && by_fast == SLX_EFAULT) SLX_BUG("fast faulted in a step that strict completes");
    char chip[24] = "";
    if (m->n_chips > 1) snprintf(chip, sizeof chip, "chip %u, ", fault->chip);
    if (st != SLX_OK)
        slx_fail(err, st, m->prog->info.model_name, 0, 0, "%stile %u, pc %u, instruction %llu: %s: %s",
                 chip, fault->tile, fault->pc, (unsigned long long)fault->index, slx_fault_text(fault->cause),
                 fault->detail);
    return st;
}

const uint8_t *slx_machine_region(const slx_machine *m, uint32_t chip, uint32_t region)
{
    SLX_ASSERT(chip < m->n_chips && region < m->prog->n_regions);
    return m->ranks[chip].hbm.mem[region];
}

const float *slx_machine_logits(const slx_machine *m, uint32_t slot)
{
    SLX_ASSERT(slot < m->prog->info.desc.max_samples);
    return (const float *)(const void *)m->ranks[0].hbm.mem[m->logits] + (size_t)slot * m->prog->info.vocab_pad;
}

const uint8_t *slx_machine_page(const slx_machine *m, uint32_t layer, uint32_t kv_head, uint32_t page)
{
    const slx_program_info *in = &m->prog->info;
    slx_kv_place at = slx_program_kv_head(in, kv_head);
    SLX_ASSERT(layer < in->n_layers && at.head < in->n_kv_heads && page < in->desc.max_pages);
    return m->ranks[at.chip].hbm.mem[m->kv] + layer * in->kv_layer_stride +
           at.head * in->kv_head_stride + page * in->page_stride;
}

uint64_t slx_machine_kv_hash(const slx_machine *m, const uint32_t *pages, uint32_t n_pages)
{
    slx_hash h;
    slx_hash_init(&h);
    for (uint32_t l = 0; l < m->prog->info.n_layers; l++)
        for (uint32_t k = 0; k < m->prog->info.n_kv_heads * m->n_chips; k++)
            for (uint32_t i = 0; i < n_pages; i++)
                slx_hash_add(&h, slx_machine_page(m, l, k, pages[i]), m->prog->info.page_stride);
    return slx_hash_get(&h);
}

void slx_machine_fusion(const slx_machine *m, uint32_t *fused, uint32_t *spans, const char **why)
{
    *fused = 0;
    *spans = m->prog->n_spans;
    *why = "this machine runs instruction by instruction";
    if (!m->fast) return;
    slx_fast_counts(m->fast, fused, spans);
    *why = slx_fast_refusal(m->fast);
}
