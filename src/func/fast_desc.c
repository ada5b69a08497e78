/* fast_desc.c - a step's descriptor, held to the form that slx_step_build gives it.
 *
 * The fused kernels share a step among threads as if rows were independent. They are, when no two
 * rows are appended to one place of the pages, every row's heads are attended exactly once, and
 * every index stays in its table. The instructions have a meaning without that too (order of the
 * stores, what an earlier step left behind): such a step is left to strict.
 * One pass over the descriptor; a step of one row looks at a handful of words.
 */
#include "func/fast_int.h"

#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Tokens and positions inside their tables; three indices that name one position of one page; no position twice. */
static bool rows_hold(const slx_fast_run *r)
{
    const slx_fast *f = r->f;
    const slx_program_info *in = &f->prog->info;
    const slx_desc_layout *d = &in->desc;
    for (uint32_t i = 0; i < r->rows; i++) {
        uint64_t code = slx_desc_u32(r->desc, d->off_kcode, i), page = code / SLX_PAGE_ROWS,
                 off = code % SLX_PAGE_ROWS;
        uint64_t k_scale = page * 8448 + off, v_scale = page * SLX_PAGE_ROWS * f->hdp + off;
        if (slx_desc_u32(r->desc, d->off_token, i) >= f->emb->n_pad ||
            slx_desc_u32(r->desc, d->off_position, i) >= in->max_context || page >= d->max_pages ||
            off >= SLX_MAX_CHUNK || code == UINT32_MAX || v_scale >= UINT32_MAX ||
            slx_desc_u32(r->desc, d->off_kscale, i) != k_scale ||
            slx_desc_u32(r->desc, d->off_vscale, i) != v_scale)
            return false;
        f->slots[i] = (uint32_t)code;
    }
    qsort(f->slots, r->rows, sizeof *f->slots, by_value);
    for (uint32_t i = 1; i < r->rows; i++)
        if (f->slots[i] == f->slots[i - 1]) return false;
    return true;
}

static bool samples_hold(const slx_fast_run *r)
{
    for (uint32_t i = 0; i < r->samples; i++)
        if (slx_desc_u32(r->desc, r->f->prog->info.desc.off_sample, i) >= r->rows) return false;
    return true;
}

/* KV head of the model that is number h of a chip: the way back from slx_program_kv_head. */
static uint32_t head_of_model(const slx_program_info *in, uint32_t chip, uint32_t h)
{
    uint32_t unit = in->kv_unit ? in->kv_unit : 1;
    return (h / unit * slx_program_chips(in) + chip) * unit + h % unit;
}

/* Reads item i of a chip and marks what it attends; false also where another item has a part of it. */
static bool read_item(const slx_fast_run *r, uint32_t chip, uint32_t i, slx_fast_item *it)
{
    const slx_fast *f = r->f;
    const slx_desc_layout *d = &f->prog->info.desc;
    uint32_t at = d->off_item + i * 32;
    *it = (slx_fast_item){slx_desc_u32(r->desc, at, 0), slx_desc_u32(r->desc, at, 1),
                          slx_desc_u32(r->desc, at, 2), slx_desc_u32(r->desc, at, 3),
                          slx_desc_u32(r->desc, at, 4)};
    if (it->rows > d->item_rows || it->row0 >= d->max_rows || it->rows > r->rows ||
        it->row0 > r->rows - it->rows || it->kv_head >= f->prog->info.n_kv_heads || it->page_at > d->max_pages ||
        it->chunks > d->max_pages - it->page_at ||
        it->chunks > f->s.attn->param[SLX_ATTENTION_max_chunks])
        return false;
    it->kv_head = head_of_model(&f->prog->info, chip, it->kv_head);
    for (uint32_t c = 0; c < it->chunks; c++)
        if (slx_desc_u32(r->desc, d->off_pages, it->page_at + c) >= d->max_pages) return false;
    for (uint32_t k = 0; k < it->rows; k++)
        if (f->covered[(size_t)(it->row0 + k) * f->kv_heads + it->kv_head]++) return false;
    return true;
}

static bool read_items(slx_fast_run *r)
{
    slx_fast *f = r->f;
    const slx_desc_layout *d = &f->prog->info.desc;
    uint64_t parts = (uint64_t)r->rows * f->kv_heads;
    memset(f->covered, 0, parts);
    r->items = f->items;
    for (uint32_t t = 0; t < f->prog->info.n_tiles; t++) {
        uint32_t first = slx_desc_u32(r->desc, d->off_span, 2 * t),
                 n = slx_desc_u32(r->desc, d->off_span, 2 * t + 1);
        if (first > d->max_items || n > d->max_items - first ||
            n > d->max_items - r->n_items / f->chips)
            return false;
        for (uint32_t i = 0; i < n * f->chips; i++) {
            slx_fast_item *it = &f->items[r->n_items++];
            if (!read_item(r, i % f->chips, first + i / f->chips, it)) return false;
            parts -= it->rows;
        }
    }
    return parts == 0;
}

bool slx_fast_desc(slx_fast_run *r)
{
    slx_fast *f = r->f;
    const slx_desc_layout *d = &f->prog->info.desc;
    r->desc = f->hbm->mem[slx_hbm_kind(f->hbm, SLX_REGION_DESC)];
    r->rows = slx_desc_u32(r->desc, d->off_header, 0);
    r->samples = slx_desc_u32(r->desc, d->off_header, 1);
    r->split_heads = r->rows <= SLX_FAST_SMALL_ROWS;
    return r->rows <= d->max_rows && r->samples <= d->max_samples && rows_hold(r) && samples_hold(r) &&
           read_items(r);
}
