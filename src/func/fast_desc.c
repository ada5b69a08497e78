/* fast_desc.c - a step's descriptor, held to the form that slx_step_build gives it.
 *
 * The fused kernels share a step among threads as if rows were independent. They are, when no two
 * rows are appended to one place of the pages, every row's heads are attended exactly once, by one
 * item or by parts that are merged in their order, and every index stays in its table. A split item is
 * then computed whole: its bits are those of its parts. The instructions have a meaning without that too (order of the
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

/* The words of an item or merge (program.h); its KV head is the chip's. */
typedef struct {
    slx_fast_item it;
    uint32_t word[3]; /* the last three */
} entry;

static entry entry_at(const slx_fast_run *r, uint32_t off, uint32_t i)
{
    uint32_t at = off + i * 32, w[8];
    for (uint32_t k = 0; k < 8; k++) w[k] = slx_desc_u32(r->desc, at, k);
    return (entry){{w[0], w[1], w[2], w[3], w[4]}, {w[5], w[6], w[7]}};
}

/* Adds what e attends, whole, on every chip; false also where another item has a part of it. */
static bool add_item(slx_fast_run *r, const entry *e, uint64_t *parts)
{
    slx_fast *f = r->f;
    const slx_desc_layout *d = &f->prog->info.desc;
    const slx_fast_item *it = &e->it;
    if (it->rows > d->item_rows || it->row0 >= d->max_rows || it->rows > r->rows ||
        it->row0 > r->rows - it->rows || it->kv_head >= f->prog->info.n_kv_heads || it->page_at > d->max_pages ||
        it->chunks > d->max_pages - it->page_at ||
        it->chunks > f->s.attn->param[SLX_ATTENTION_max_chunks] ||
        r->n_items / f->chips >= d->max_items + d->max_merges)
        return false;
    for (uint32_t c = 0; c < it->chunks; c++)
        if (slx_desc_u32(r->desc, d->off_pages, it->page_at + c) >= d->max_pages) return false;
    for (uint32_t chip = 0; chip < f->chips; chip++) {
        slx_fast_item *to = &f->items[r->n_items++];
        *to = *it;
        to->kv_head = head_of_model(&f->prog->info, chip, it->kv_head);
        for (uint32_t k = 0; k < it->rows; k++)
            if (f->covered[(size_t)(it->row0 + k) * f->kv_heads + to->kv_head]++) return false;
        *parts -= it->rows;
    }
    return true;
}

/* Marks the entries of a table that tiles do, by their spans at `off`; *end: behind the last of them. false where a
 * span leaves the table or two have one entry. */
static bool mark(const slx_fast_run *r, uint32_t off, uint32_t most, uint8_t *used, uint32_t *end)
{
    *end = 0;
    memset(used, 0, most);
    for (uint32_t t = 0; t < r->f->prog->info.n_tiles; t++) {
        uint32_t first = slx_desc_u32(r->desc, off, 2 * t), n = slx_desc_u32(r->desc, off, 2 * t + 1);
        if (first > most || n > most - first) return false;
        for (uint32_t i = first; i < first + n; i++)
            if (used[i]++) return false;
        if (n && first + n > *end) *end = first + n;
    }
    return true;
}

/* Where the parts of split items have come to, in the order of the table: merge after merge, each from its first chunk
 * to its last, with one state after another, in numbers that no other merge has. */
typedef struct {
    const uint8_t *used;     /* merges that tiles do */
    uint32_t i, end;         /* the merge whose parts come next; behind the last */
    uint32_t chunks, states; /* of it, so far */
    uint64_t slot;           /* first number that no merge has taken */
    entry now;
} parts_walk;

/* The next merge, which is added as an item; *more false: there is none. */
static bool next_merge(slx_fast_run *r, parts_walk *w, uint64_t *parts, bool *more)
{
    const slx_desc_layout *d = &r->f->prog->info.desc;
    w->chunks = w->states = 0;
    while (w->i < w->end && !w->used[w->i]) w->i++;
    *more = w->i < w->end;
    if (!*more) return true;
    w->now = entry_at(r, d->off_merge, w->i++);
    const slx_fast_item *it = &w->now.it;
    const uint32_t states = w->now.word[0], fold = w->now.word[1], slot = w->now.word[2];
    uint32_t each = fold == 1 ? SLX_GROUP_CHUNKS : 1;
    if ((fold != 1 && fold != SLX_GROUP_CHUNKS) || !it->chunks || !it->rows || slot < w->slot ||
        states != (it->chunks + (uint64_t)each - 1) / each || slot + (uint64_t)states * it->rows > d->max_states)
        return false;
    w->slot = slot + (uint64_t)states * it->rows;
    return add_item(r, &w->now, parts);
}

/* Part e of a split item: the one that comes next. */
static bool read_part(slx_fast_run *r, parts_walk *w, const entry *e, uint64_t *parts)
{
    const slx_fast_item *it = &e->it, *all = &w->now.it;
    bool more = true;
    if (w->chunks == all->chunks && (!next_merge(r, w, parts, &more) || !more)) return false;
    uint32_t each = w->now.word[1] == 1 ? SLX_GROUP_CHUNKS : 1, first = w->chunks;
    if (it->row0 != all->row0 || it->rows != all->rows || it->kv_head != all->kv_head || e->word[0] != first ||
        e->word[1] != each || first % each || it->page_at != all->page_at + (uint64_t)first || !it->chunks ||
        it->chunks > all->chunks - first || e->word[2] != w->now.word[2] + (uint64_t)w->states * it->rows)
        return false;
    w->chunks += it->chunks;
    w->states += (it->chunks + each - 1) / each;
    return true;
}

/* A whole item; the machine reads the number of a state for it too. */
static bool is_whole(const slx_fast_run *r, const entry *e)
{
    uint32_t max = r->f->prog->info.desc.max_states;
    return e->word[0] == 0 && e->word[1] == 0 && e->word[2] <= (max ? max - 1 : 0);
}

static bool read_items(slx_fast_run *r)
{
    slx_fast *f = r->f;
    const slx_desc_layout *d = &f->prog->info.desc;
    uint64_t parts = (uint64_t)r->rows * f->kv_heads;
    uint32_t merges = f->s.merge ? slx_desc_u32(r->desc, d->off_header, 3) : 0, end;
    uint8_t *items = f->used, *merged = f->used + d->max_items;
    parts_walk w = {.used = merged};
    bool more;
    if (merges > d->max_merges) return false;
    memset(f->covered, 0, parts);
    r->items = f->items;
    if (!mark(r, d->off_span, d->max_items, items, &end)) return false;
    if (merges && !mark(r, d->off_merge_span, d->max_merges, merged, &w.end)) return false;
    for (uint32_t i = 0; i < end; i++) {
        if (!items[i]) continue;
        entry e = entry_at(r, d->off_item, i);
        if (is_whole(r, &e) ? !add_item(r, &e, &parts) : !merges || !read_part(r, &w, &e, &parts)) return false;
    }
    if (merges && (w.chunks != w.now.it.chunks || !next_merge(r, &w, &parts, &more) || more)) return false;
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
