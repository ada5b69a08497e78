/* memo_fill.c - all points of the table at once. */
#include "time/memo_table.h"

typedef struct {
    bool (*go_on)(void *arg);
    void *arg;
} asker;

static bool stop(const asker *a)
{
    return a->go_on && !a->go_on(a->arg);
}

static slx_status fill_line(slx_memo *m, slx_memo_shape s, uint32_t rows, const asker *a, bool *done, slx_err *err)
{
    slx_memo_line *l;
    SLX_TRY(slx_memo_line_get(m, s, rows, &l, err));
    for (uint32_t i = 0; *done && i < l->n; i++)
        if (stop(a))
            *done = false;
        else
            SLX_TRY(slx_memo_point_get(m, s, rows, &l->p[i], err));
    return SLX_OK;
}

static slx_status fill_lines(slx_memo *m, slx_memo_shape s, const asker *a, bool *done, slx_err *err)
{
    uint32_t most = s == PROMPT ? slx_memo_most_rows(m) : m->most_decode;
    for (uint32_t rows = 1; rows <= most && *done; rows++) {
        slx_memo_between b = slx_memo_rows_axis(&m->axis, s != PROMPT, rows, most);
        if (b.low != rows && b.high != rows) continue;
        if (stop(a))
            *done = false;
        else
            SLX_TRY(fill_line(m, s, rows, a, done, err));
    }
    return SLX_OK;
}

/* What numbers of rows between the lines take beyond them; those are known. */
static slx_status fill_apart(slx_memo *m, bool decode, const asker *a, bool *done, slx_err *err)
{
    slx_memo_apart *to;
    uint32_t most = decode ? m->most_decode : slx_memo_most_rows(m);
    for (uint32_t rows = 1; rows <= most && *done; rows++) {
        slx_memo_between b = slx_memo_rows_axis(&m->axis, decode, rows, most);
        if (b.low == rows || b.high == rows) continue;
        if (stop(a))
            *done = false;
        else
            SLX_TRY(slx_memo_apart_get(m, decode, rows, &b, &to, err));
    }
    return SLX_OK;
}

static slx_status fill_samples(slx_memo *m, bool small, const asker *a, bool *done, slx_err *err)
{
    const slx_memo_parts *p;
    uint32_t most = least(m->lab.p->info.desc.max_samples, slx_memo_sampled_rows(m, small));
    for (uint32_t n = 0; n <= most && *done; n++) {
        slx_memo_between b = slx_memo_samples_axis(&m->axis, n, most);
        if (b.low != n && b.high != n) continue;
        if (stop(a))
            *done = false;
        else
            SLX_TRY(slx_memo_sample_point(m, small, n, &p, err));
    }
    return SLX_OK;
}

slx_status slx_memo_fill(slx_memo *m, bool (*go_on)(void *arg), void *arg, bool *done, slx_err *err)
{
    const asker a = {go_on, arg};
    *done = true;
    for (int k = 0; k < N_SHAPES; k++)
        if (k != EVEN || !m->axis.coarse) SLX_TRY(fill_lines(m, (slx_memo_shape)k, &a, done, err));
    for (int decode = 0; decode < 2 && !m->axis.coarse; decode++) SLX_TRY(fill_apart(m, decode, &a, done, err));
    for (int small = 0; small < 2; small++)
        if (!small || m->axis.short_rows) SLX_TRY(fill_samples(m, small, &a, done, err));
    return SLX_OK;
}
