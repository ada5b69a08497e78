/* memo_lab.c - single steps simulated for the table: whatever it measures of a program comes from here. */
#include "time/memo_int.h"

#include "isa/step.h"

#include <stdlib.h>

/* Spans with a softmax in them. */
static bool *attention_spans(const slx_program *p)
{
    bool *out = slx_xcalloc(p->n_spans + (size_t)1, sizeof *out);
    for (uint32_t s = 0; s < p->n_spans; s++)
        for (uint32_t i = 0; i < p->spans[s].count; i++)
            if (slx_insn_op(&p->insns[p->spans[s].pc + i]) == SLX_OP_VSMX) out[s] = true;
    return out;
}

void slx_memo_lab_init(slx_memo_lab *l, const slx_program *p, const slx_chip *c, const slx_time_watts *watts)
{
    *l = (slx_memo_lab){.p = p, .c = c, .watts = *watts, .short_rows = slx_program_short_rows(p)};
    l->attends = attention_spans(p);
    l->without = p->info;
    l->without.desc.max_merges = l->without.grid_x = 0;
    l->desc = slx_xcalloc(1, p->info.desc.bytes + 1u);
}

void slx_memo_lab_deinit(slx_memo_lab *l)
{
    free(l->attends);
    free(l->desc);
}

/* So many of all pages, as a pool that has been in use gives them: one behind the other, sequences alike would meet
 * in the same pseudo-channels at the same time, or never. */
static void scatter(uint32_t *page, uint32_t n, uint32_t all)
{
    slx_rng r = {1};
    uint32_t *pool = slx_xcalloc(all, sizeof *pool);
    for (uint32_t i = 0; i < all; i++) pool[i] = i;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = i + slx_rng_below(&r, all - i);
        page[i] = pool[k], pool[k] = pool[i];
    }
    free(pool);
}

slx_status slx_memo_run(slx_memo_lab *l, const slx_memo_seq *seq, uint32_t n, slx_time_options opt,
                        slx_time_result *out, slx_err *err)
{
    const slx_program_info *in = l->whole ? &l->without : &l->p->info;
    uint64_t pages = 0;
    uint32_t rows = 0, at = 0;
    for (uint32_t i = 0; i < n; i++) {
        pages += slx_memo_pages((uint64_t)seq[i].before + seq[i].rows);
        if (seq[i].rows > rows) rows = seq[i].rows;
    }
    if (pages > in->desc.max_pages)
        return slx_fail(err, SLX_EINPUT, in->model_name, 0, 0, "found %llu pages of a step, expected at most %u",
                        (unsigned long long)pages, in->desc.max_pages);
    uint32_t *page = slx_xcalloc(pages + 1, sizeof *page), *tokens = slx_xcalloc(rows + (size_t)1, sizeof *tokens);
    slx_step_seq *step = slx_xcalloc(n, sizeof *step);
    scatter(page, (uint32_t)pages, in->desc.max_pages);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t each = slx_memo_pages((uint64_t)seq[i].before + seq[i].rows);
        step[i] = (slx_step_seq){.tokens = tokens,
                                 .n = seq[i].rows,
                                 .pos0 = seq[i].before,
                                 .n_samples = seq[i].samples,
                                 .pages = page + at,
                                 .n_pages = each};
        at += each;
    }
    opt.watts = &l->watts;
    slx_status st = slx_step_build(in, l->desc, step, n, err);
    if (st == SLX_OK) st = slx_time_step(l->p, l->c, l->desc, &opt, out, err);
    free(step);
    free(tokens);
    free(page);
    return st;
}

slx_status slx_memo_try(slx_memo_lab *l, const slx_memo_seq *seq, uint32_t n, slx_memo_parts *out, slx_err *err)
{
    slx_time_result r;
    SLX_TRY(slx_memo_run(l, seq, n, (slx_time_options){.folded = true}, &r, err));
    uint64_t attention = 0;
    for (uint32_t i = 0; i < l->p->n_spans; i++) attention += l->attends[i] ? r.spans[i].cycles : 0;
    *out = (slx_memo_parts){r.seconds, (double)(r.energy_fj - r.static_fj) * 1e-15,
                            (double)r.static_fj * 1e-15 / r.seconds,
                            r.cycles ? r.seconds * (double)attention / (double)r.cycles : 0};
    slx_time_result_free(&r);
    return SLX_OK;
}
