/* memo_samples.c - what a step takes for rows whose logits are wanted, beyond the first of them. */
#include "time/memo_table.h"

#include <stdlib.h>

/* Rows of the steps that are compared for it. */
uint32_t slx_memo_sampled_rows(const slx_memo *m, bool small)
{
    const slx_desc_layout *d = &m->lab.p->info.desc;
    uint32_t rows = d->max_samples > m->axis.short_rows ? d->max_samples : m->axis.short_rows + 1;
    return small ? m->axis.short_rows : least(rows, d->max_rows);
}

slx_status slx_memo_sample_point(slx_memo *m, bool small, uint32_t samples, const slx_memo_parts **out,
                                 slx_err *err)
{
    slx_memo_point *p = &m->samples[small][samples];
    if (!p->known) {
        uint32_t rows = slx_memo_sampled_rows(m, small);
        slx_memo_seq *seq = slx_xcalloc(slx_memo_prompt_sequences(m, rows), sizeof *seq);
        slx_status st = slx_memo_simulate(m, seq, slx_memo_prompt(m, rows, 0, samples, seq), &p->is, err);
        free(seq);
        if (st != SLX_OK) return st;
        p->known = true;
        m->lab.points++;
    }
    *out = &p->is;
    return SLX_OK;
}

/* What a step with so many rows sampled takes beyond one with one of them. */
slx_status slx_memo_samples_add(slx_memo *m, bool small, uint32_t samples, slx_memo_parts *to,
                                slx_err *err)
{
    const slx_memo_parts *one, *low, *high;
    if (samples == 1) return SLX_OK;
    uint32_t most = least(m->lab.p->info.desc.max_samples, slx_memo_sampled_rows(m, small));
    slx_memo_between b = slx_memo_samples_axis(&m->axis, samples, most);
    SLX_TRY(slx_memo_sample_point(m, small, 1, &one, err));
    SLX_TRY(slx_memo_sample_point(m, small, b.low, &low, err));
    slx_memo_parts s = *low;
    if (b.share > 0) {
        SLX_TRY(slx_memo_sample_point(m, small, b.high, &high, err));
        slx_memo_mix(&s, high, b.share);
    }
    to->seconds += s.seconds - one->seconds;
    to->joules += s.joules - one->joules;
    return SLX_OK;
}
