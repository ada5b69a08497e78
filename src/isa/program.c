/* program.c - a program in memory: its life, what follows from its numbers, and what must hold of every program.
 *
 * Invariant: slx_program_check passes for whatever slx_program_parse and slx_asm return, so later layers may index
 * regions, entries and spans without looking again.
 */
#include "isa/isa_int.h"

#include <stdlib.h>
#include <string.h>

void slx_program_init(slx_program *p)
{
    *p = (slx_program){0};
    slx_arena_init(&p->arena);
}

void slx_program_free(slx_program *p)
{
    slx_arena_deinit(&p->arena);
    slx_program_init(p);
}

uint32_t slx_program_short_rows(const slx_program *p)
{
    for (uint32_t i = 0; i < p->n_spans; i++)
        if (!strcmp(p->spans[i].name, "branch")) return (uint32_t)p->spans[i].param[0];
    return 0;
}

const slx_region *slx_program_region(const slx_program *p, slx_region_kind kind)
{
    for (uint32_t i = 0; i < p->n_regions; i++)
        if (p->regions[i].kind == (uint32_t)kind) return &p->regions[i];
    return NULL;
}

/* ------------------------------------------------------------------ numbers */

uint32_t slx_tree_cut(uint32_t kblk, uint32_t pieces, uint32_t node)
{
    SLX_ASSERT(pieces && !(pieces & (pieces - 1)) && node <= pieces);
    if (node == pieces) return kblk;
    uint32_t lo = 0, hi = kblk;
    while (pieces > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        pieces /= 2;
        if (node >= pieces) {
            lo = mid;
            node -= pieces;
        } else {
            hi = mid;
        }
    }
    return lo;
}

uint64_t slx_slices_at(const slx_slices *l, uint64_t s)
{
    if (l->ways < 2) return s * l->bytes;
    /* slice s stands at floor(s * ways / n) of the ways, and is number floor((s * ways mod n) / ways) there */
    uint64_t way = s * l->ways / l->n, row = s * l->ways % l->n / l->ways;
    uint64_t left = 2 * way, right = 2ull * l->ways - 1 - left; /* its stack, as edges and rows are counted */
    return row * l->ways * l->bytes + (left < right ? left : right) * l->grain;
}

uint64_t slx_slices_bytes(const slx_slices *l)
{
    return l->ways < 2 ? l->n * l->bytes : (l->n + l->ways - 1) / l->ways * l->ways * l->bytes;
}

uint64_t slx_piece_bytes(unsigned fmt, uint32_t ns, uint32_t blocks, uint32_t ways, uint32_t grain)
{
    uint64_t bytes = slx_btile_bytes(fmt, ns, blocks, NULL, NULL);
    return ways < 2 ? bytes : (bytes + grain - 1) / grain * grain;
}

uint32_t slx_tree_segments(uint32_t kblk)
{
    uint32_t g = 8;
    while (g > 1 && kblk / g < 4) g /= 2;
    return g;
}

slx_kv_place slx_program_kv_head(const slx_program_info *i, uint32_t head)
{
    uint32_t unit = i->kv_unit ? i->kv_unit : 1, n = slx_program_chips(i);
    return (slx_kv_place){head / unit % n, head / unit / n * unit + head % unit};
}

uint64_t slx_desc_place(slx_desc_layout *l, uint32_t n_tiles)
{
    uint64_t at = 0, rows = l->max_rows;
    struct {
        uint32_t *off;
        uint64_t bytes;
    } part[] = {
        {&l->off_header, 64},
        {&l->off_token, rows * 4},
        {&l->off_position, rows * 4},
        {&l->off_kcode, rows * 4},
        {&l->off_kscale, rows * 4},
        {&l->off_vscale, rows * 4},
        {&l->off_lim, rows * 8},
        {&l->off_sample, (uint64_t)l->max_samples * 4},
        {&l->off_pages, (uint64_t)l->max_pages * 4},
        {&l->off_span, (uint64_t)n_tiles * 8},
        {&l->off_item, (uint64_t)l->max_items * 32},
        {&l->off_merge_span, l->max_merges ? (uint64_t)n_tiles * 8 : 0},
        {&l->off_merge, (uint64_t)l->max_merges * 32},
    };
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        *part[i].off = (uint32_t)at;
        at += slx_align64(part[i].bytes);
    }
    l->bytes = (uint32_t)at;
    return at;
}

void slx_desc_layout_init(slx_desc_layout *l, uint32_t n_tiles)
{
    uint64_t bytes = slx_desc_place(l, n_tiles);
    SLX_ASSERT(bytes <= UINT32_MAX);
}

/* ------------------------------------------------------------------ what must hold */

#define BAD(...) slx_fail(err, SLX_EINPUT, place, 0, 0, __VA_ARGS__)

/* Names go to terminals and back through the assembler: readable UTF-8, and zeros behind the end. */
static bool name_ok(const char *s, size_t size, bool may_be_empty)
{
    const char *nul = memchr(s, 0, size);
    if (!nul || (nul == s && !may_be_empty)) return false;
    for (const char *p = nul; p < s + size; p++)
        if (*p) return false;
    for (const char *p = s; p < nul; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) return false;
    return slx_utf8_valid(s, (size_t)(nul - s));
}

static slx_status check_info(const slx_program *p, const char *place, slx_err *err)
{
    const slx_program_info *in = &p->info;
    if (!name_ok(in->chip_name, sizeof in->chip_name, true) ||
        !name_ok(in->model_name, sizeof in->model_name, true))
        return BAD("info: the name of the chip or the model is not printable text that ends inside "
                   "its field");
    if (in->n_tiles < 1 || in->n_tiles > 65536)
        return BAD("info: n_tiles is %u, expected 1..65536", in->n_tiles);
    if (in->n_chips > SLX_MAX_CHIPS)
        return BAD("info: n_chips is %u, expected at most %d", in->n_chips, SLX_MAX_CHIPS);
    slx_desc_layout want = in->desc, none = {0};
    if (!memcmp(&want, &none, sizeof none)) return SLX_OK;
    if (slx_desc_place(&want, in->n_tiles) > UINT32_MAX)
        return BAD("desc: its capacities need more than 4 GiB, expected less");
    if (memcmp(&want, &in->desc, sizeof want))
        return BAD("desc: offsets do not follow from the capacities (bytes is %u, expected %u)",
                   in->desc.bytes, want.bytes);
    const slx_region *r = slx_program_region(p, SLX_REGION_DESC);
    if (r && r->bytes < in->desc.bytes)
        return BAD("region %s has %llu bytes, expected at least the descriptor's %u", r->name,
                   (unsigned long long)r->bytes, in->desc.bytes);
    return SLX_OK;
}

static int by_base(const void *a, const void *b)
{
    const slx_region *x = *(const slx_region *const *)a, *y = *(const slx_region *const *)b;
    return x->base < y->base ? -1 : x->base > y->base;
}

static slx_status check_regions(const slx_program *p, const char *place, slx_err *err)
{
    enum { MOST = 4096 };
    if (p->n_regions > MOST) return BAD("%u regions, expected at most %d", p->n_regions, MOST);
    for (uint32_t i = 0; i < p->n_regions; i++) {
        const slx_region *r = &p->regions[i];
        if (!name_ok(r->name, sizeof r->name, false))
            return BAD("region %u: the name is not 1 to %zu bytes of printable text", i,
                       sizeof r->name - 1);
        if (r->kind >= SLX_N_REGION_KINDS)
            return BAD("region %s: kind %u, expected 0..%d", r->name, r->kind,
                       SLX_N_REGION_KINDS - 1);
        if (r->base % 4096)
            return BAD("region %s: base 0x%llx, expected a multiple of 4096", r->name,
                       (unsigned long long)r->base);
        if (r->bytes > UINT64_MAX - r->base)
            return BAD("region %s: base 0x%llx + 0x%llx bytes is past the end of the address space",
                       r->name, (unsigned long long)r->base, (unsigned long long)r->bytes);
    }
    const slx_region *order[MOST];
    for (uint32_t i = 0; i < p->n_regions; i++) order[i] = &p->regions[i];
    if (p->n_regions) qsort(order, p->n_regions, sizeof *order, by_base);
    /* empty regions overlap nothing, but keep the end of what came before */
    const slx_region *last = NULL;
    for (uint32_t i = 0; i < p->n_regions; i++) {
        if (!order[i]->bytes) continue;
        if (last && order[i]->base < last->base + last->bytes)
            return BAD("region %s at 0x%llx overlaps region %s, which ends at 0x%llx",
                       order[i]->name, (unsigned long long)order[i]->base, last->name,
                       (unsigned long long)(last->base + last->bytes));
        last = order[i];
    }
    return SLX_OK;
}

static slx_status check_groups(const slx_program *p, const char *place, slx_err *err)
{
    for (uint32_t i = 0; i < p->n_groups; i++) {
        const struct slx_group *g = &p->groups[i];
        if (!name_ok(g->name, sizeof g->name, false))
            return BAD("group %u: the name is not 1 to %zu bytes of printable text", i,
                       sizeof g->name - 1);
        if (!g->count || g->count > p->info.n_tiles || g->first > p->info.n_tiles - g->count)
            return BAD("group %s: tiles %u.. (%u of them), expected some of 0..%u", g->name,
                       g->first, g->count, p->info.n_tiles - 1);
        if (i == 0 && g->count != p->info.n_tiles)
            return BAD("group 0 (%s) has %u tiles, expected all %u", g->name, g->count,
                       p->info.n_tiles);
    }
    return SLX_OK;
}

static slx_status check_code(const slx_program *p, const char *place, slx_err *err)
{
    char buf[256];
    if (!p->n_insns) return BAD("no instructions, expected at least one");
    for (uint32_t pc = 0; pc < p->n_insns; pc++)
        if (slx_insn_check(&p->insns[pc], buf)) return BAD("instruction %u: %s", pc, buf);
    if (p->entry_step >= p->n_insns)
        return BAD("entry of the step is %u, expected less than the %u instructions", p->entry_step,
                   p->n_insns);
    for (uint32_t i = 0; i < p->n_functions; i++)
        if (p->functions[i] >= p->n_insns)
            return BAD("entry of function %u is %u, expected less than the %u instructions", i,
                       p->functions[i], p->n_insns);
    return SLX_OK;
}

static slx_status check_weight(const slx_program *p, const slx_weight *w, const char *place,
                               slx_err *err)
{
    if (w->layout >= SLX_N_LAYOUTS)
        return BAD("weight %s: layout %u, expected 0..%d", w->tensor, w->layout, SLX_N_LAYOUTS - 1);
    if (!slx_fn_name(SLX_FL_FMT, w->fmt))
        return BAD("weight %s: format %u, expected a code of FMT", w->tensor, w->fmt);
    if (w->n > w->n_pad)
        return BAD("weight %s: %u rows in n_pad = %u, expected room for all", w->tensor, w->n,
                   w->n_pad);
    if (w->layout != SLX_LAYOUT_VECTOR && w->k > (uint64_t)w->kblk * 32)
        return BAD("weight %s: %u columns in %u blocks of 32, expected room for all", w->tensor,
                   w->k, w->kblk);
    if (w->shard_k > 1)
        return BAD("weight %s: shard_k is %u, expected 0 or 1", w->tensor, w->shard_k);
    if (w->layout == SLX_LAYOUT_SLICES) {
        if (!w->ns || w->n_pad % w->ns)
            return BAD("weight %s: n_pad = %u is no multiple of ns = %u", w->tensor, w->n_pad,
                       w->ns);
        if (w->pieces != 1 && w->pieces != 2 && w->pieces != 4 && w->pieces != 8)
            return BAD("weight %s: %u pieces of K, expected 1, 2, 4 or 8", w->tensor, w->pieces);
        if (w->ways > 1 && (!w->grain || w->grain % 64 || w->ways > SLX_MAX_WAYS))
            return BAD("weight %s: %u ways in steps of %u bytes, expected at most %d and a multiple of 64",
                       w->tensor, w->ways, w->grain, SLX_MAX_WAYS);
    }
    for (uint32_t i = 0; i < p->n_regions; i++) {
        const slx_region *r = &p->regions[i];
        if (r->kind == SLX_REGION_WEIGHTS && w->addr >= r->base && w->bytes <= r->bytes &&
            w->addr - r->base <= r->bytes - w->bytes)
            return SLX_OK;
    }
    return BAD("weight %s: 0x%llx + 0x%llx bytes is in no weights region", w->tensor,
               (unsigned long long)w->addr, (unsigned long long)w->bytes);
}

static slx_status check_span(const slx_program *p, uint32_t i, const char *place, slx_err *err)
{
    const slx_span *s = &p->spans[i];
    if (!name_ok(s->name, sizeof s->name, true))
        return BAD("span %u: the name is not printable text", i);
    if (s->count > p->n_insns || s->pc > p->n_insns - s->count)
        return BAD("span %u (%s): instructions %u.. (%u of them), expected some of the %u", i,
                   s->name, s->pc, s->count, p->n_insns);
    if (s->n_param > SLX_SPAN_PARAMS)
        return BAD("span %u (%s): %u parameters, expected at most %d", i, s->name, s->n_param,
                   SLX_SPAN_PARAMS);
    for (uint32_t k = s->n_param; k < SLX_SPAN_PARAMS; k++)
        if (s->param[k])
            return BAD("span %u (%s): parameter %u is set, expected %u of them", i, s->name, k,
                       s->n_param);
    return SLX_OK;
}

slx_status slx_program_check(const slx_program *p, const char *place, slx_err *err)
{
    SLX_TRY(check_regions(p, place, err));
    SLX_TRY(check_info(p, place, err));
    SLX_TRY(check_groups(p, place, err));
    SLX_TRY(check_code(p, place, err));
    for (uint32_t i = 0; i < p->n_weights; i++) {
        if (!name_ok(p->weights[i].tensor, sizeof p->weights[i].tensor, false))
            return BAD("weight %u: the tensor's name is not 1 to %zu bytes of printable text", i,
                       sizeof p->weights[i].tensor - 1);
        SLX_TRY(check_weight(p, &p->weights[i], place, err));
    }
    for (uint32_t i = 0; i < p->n_spans; i++) SLX_TRY(check_span(p, i, place, err));
    return SLX_OK;
}
