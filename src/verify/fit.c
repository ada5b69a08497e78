/* fit.c - a program's header against the chip: made for it, no larger than it; regions, tables and recipe as large as
 * the code and the host will take them to be. slx_program_check has already held each by itself to its form. */
#include "verify/verify_int.h"

#include <stdlib.h>
#include <string.h>

#define BAD(...) slx_fail(err, SLX_EINPUT, file, 0, 0, __VA_ARGS__)
typedef unsigned long long ull;

/* A program written by hand may leave the hash out: then its figures alone decide. */
static slx_status made_for(const slx_program_info *in, const slx_chip *c, const char *file,
                           slx_err *err)
{
    bool other_name = in->chip_name[0] && strcmp(in->chip_name, c->name) != 0;
    if (in->chip_hash ? in->chip_hash == c->hash : !other_name) return SLX_OK;
    if (other_name) return BAD("compiled for chip %s, this is chip %s", in->chip_name, c->name);
    return BAD("compiled for another version of chip %s: its hash was %016llx, now it is %016llx",
               c->name, (ull)in->chip_hash, (ull)c->hash);
}

static slx_status sizes(const slx_program_info *in, const slx_chip *c, const char *file,
                        slx_err *err)
{
    const struct {
        const char *what;
        uint64_t found, least, most;
    } row[] = {
        {"tiles", in->n_tiles, 1, c->grid.enabled},
        {"bytes of scratchpad", in->spm_bytes, 0, (uint64_t)c->tile.spm_kib * 1024},
        {"accumulator cells", in->acc_cells, 0, (uint64_t)c->tile.acc_kib * 256},
        {"rows of an MM (max_m)", in->max_m, 0, c->isa.max_m},
        {"token_max", in->token_max, 1, c->tile.token_max < 255 ? c->tile.token_max : 255},
    };
    if (slx_program_chips(in) > 1 && !c->net.ports)
        return BAD("a program of %u chips: chip %s has no links to others (net.ports is 0)",
                   in->n_chips, c->name);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (row[i].found < row[i].least || row[i].found > row[i].most)
            return BAD("%s: the program has %llu, expected %llu..%llu on chip %s", row[i].what,
                       (ull)row[i].found, (ull)row[i].least, (ull)row[i].most, c->name);
    return SLX_OK;
}

/* At least `need` bytes in the first region of a kind; the machines index it by the header's figures */
static slx_status holds(const slx_program *p, slx_region_kind kind, uint64_t need, const char *what,
                        const char *file, slx_err *err)
{
    const slx_region *r = slx_program_region(p, kind);
    if (!need) return SLX_OK;
    if (!r)
        return BAD("found no %s region, expected one of %llu bytes for %s",
                   slx_region_kind_name(kind), (ull)need, what);
    if (r->bytes < need)
        return BAD("region %s has %llu bytes, expected at least %llu for %s", r->name,
                   (ull)r->bytes, (ull)need, what);
    return SLX_OK;
}

/* a * b * c, UINT64_MAX when it does not fit. */
static uint64_t product(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t v;
    if (__builtin_mul_overflow(a, b, &v) || __builtin_mul_overflow(v, c, &v)) return UINT64_MAX;
    return v;
}
static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static slx_status in_rom(const slx_region *r, const slx_chip *c, const char *file, slx_err *err)
{
    double end = (double)(r->base - SLX_ROM_BASE) + (double)r->bytes, have = c->rom.mib * 1048576.0;
    if (r->kind != SLX_REGION_WEIGHTS)
        return BAD("region %s is in ROM (0x%llx), expected it in HBM: its kind is %s", r->name,
                   (ull)r->base, slx_region_kind_name((slx_region_kind)r->kind));
    if (have <= 0)
        return BAD("region %s is in ROM (0x%llx): chip %s has none", r->name, (ull)r->base,
                   c->name);
    if (end > have)
        return BAD("region %s ends at 0x%llx: ROM of chip %s ends at 0x%llx", r->name,
                   (ull)(r->base + r->bytes), c->name, (ull)(SLX_ROM_BASE + (uint64_t)have));
    return SLX_OK;
}

static slx_status regions(const slx_program *p, const slx_chip *c, const char *file, slx_err *err)
{
    const slx_program_info *in = &p->info;
    double capacity = c->hbm.gib * c->hbm.stacks * 1073741824.0;
    for (uint32_t i = 0; i < p->n_regions; i++) {
        const slx_region *r = &p->regions[i];
        if (r->base >= SLX_ROM_BASE) {
            SLX_TRY(in_rom(r, c, file, err));
            continue;
        }
        if ((double)r->base + (double)r->bytes > capacity)
            return BAD("region %s ends at 0x%llx: HBM of chip %s ends at 0x%llx", r->name,
                       (ull)(r->base + r->bytes), c->name, (ull)capacity);
    }
    SLX_TRY(holds(p, SLX_REGION_DESC, in->desc.bytes, "the step descriptor", file, err));
    if (!in->n_layers) return SLX_OK;
    if (in->n_rot % 2 || in->vocab > in->vocab_pad || !in->n_kv_heads)
        return BAD(
            "info: n_rot %u, vocab %u in %u, KV heads %u: expected an even n_rot, vocab_pad of "
            "at least vocab, at least one head",
            in->n_rot, in->vocab, in->vocab_pad, in->n_kv_heads);
    if (in->page_stride != 264ull * in->head_dim_pad)
        return BAD("info: page_stride is %llu, expected 264 * head_dim_pad = %llu",
                   (ull)in->page_stride, 264ull * in->head_dim_pad);
    uint64_t kv = sum(product(in->n_layers - 1, in->kv_layer_stride, 1),
                      sum(product(in->n_kv_heads - 1, in->kv_head_stride, 1),
                          product(in->desc.max_pages, in->page_stride, 1)));
    SLX_TRY(holds(p, SLX_REGION_KV, kv, "the pages of all layers and heads", file, err));
    SLX_TRY(holds(p, SLX_REGION_LOGITS, product(in->desc.max_samples, in->vocab_pad, 4),
                  "the logits of every sample", file, err));
    return holds(p, SLX_REGION_ROPE, product(in->max_context, in->n_rot, 4),
                 "the rotary table of max_context positions", file, err);
}

/* ------------------------------------------------------------------ recipe */

/* Bytes the recipe's layout fills from addr on; 0 and *why when it is no layout. */
static uint64_t image_bytes(const slx_weight *w, const char **why)
{
    uint64_t cb = slx_fmt_code_bytes(w->fmt), sb = slx_fmt_scale_bytes(w->fmt);
    *why = NULL;
    if (w->layout == SLX_LAYOUT_VECTOR) {
        if (w->fmt != SLX_FMT_f32) *why = "a vector that is not f32";
        return product(w->n, w->k, 4);
    }
    if (!cb) {
        *why = "a format without blocks";
    } else if (!w->k || !w->n || w->kblk != (w->k - 1) / 32 + 1 || w->kblk > 4095) {
        *why = "kblk that is not ceil(k / 32) or is above 4095";
    } else if (w->n_pad > UINT32_C(1) << 30) {
        *why = "more than 2^30 rows";
    } else if (w->layout == SLX_LAYOUT_SLICES) {
        uint64_t slice = 0;
        for (uint32_t i = 0; i < w->pieces; i++) {
            uint32_t n =
                slx_tree_cut(w->kblk, w->pieces, i + 1) - slx_tree_cut(w->kblk, w->pieces, i);
            slice += slx_piece_bytes(w->fmt, w->ns, n, w->ways, w->grain);
        }
        uint64_t n = w->n_pad / w->ns, ways = w->ways < 2 ? 1 : w->ways;
        return product(slice, (n + ways - 1) / ways * ways, 1);
    } else {
        uint64_t blocks = (uint64_t)w->n_pad * w->kblk, end = blocks * cb,
                 has_m = w->fmt == SLX_FMT_q4sm;
        if (w->off_scale < end || (has_m ? w->off_m : 0) > UINT64_MAX / 2 ||
            w->off_scale > UINT64_MAX / 2)
            *why = "planes that overlap";
        end = w->off_scale + blocks * sb;
        if (has_m && w->off_m < end) *why = "planes that overlap";
        if (!has_m && w->off_m) *why = "an m plane its format does not have";
        return has_m ? w->off_m + blocks * 2 : end;
    }
    return 0;
}

static int by_addr(const void *a, const void *b)
{
    const slx_weight *x = *(const slx_weight *const *)a, *y = *(const slx_weight *const *)b;
    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static slx_status recipe(const slx_program *p, const char *file, slx_err *err)
{
    if (!p->n_weights) return SLX_OK;
    const slx_weight **order = slx_xcalloc(p->n_weights, sizeof *order);
    slx_status st = SLX_OK;
    for (uint32_t i = 0; i < p->n_weights && st == SLX_OK; i++) {
        const slx_weight *w = order[i] = &p->weights[i];
        const char *why;
        uint64_t need = image_bytes(w, &why);
        if (why)
            st = BAD("weight %s: %s", w->tensor, why);
        else if (need > w->bytes)
            st = BAD("weight %s: its layout fills %llu bytes, the recipe gives it %llu", w->tensor,
                     (ull)need, (ull)w->bytes);
    }
    if (st == SLX_OK) qsort(order, p->n_weights, sizeof *order, by_addr);
    for (uint32_t i = 1; i < p->n_weights && st == SLX_OK; i++)
        if (order[i]->addr - order[i - 1]->addr < order[i - 1]->bytes)
            st = BAD("weight %s at 0x%llx overlaps weight %s, which ends at 0x%llx",
                     order[i]->tensor, (ull)order[i]->addr, order[i - 1]->tensor,
                     (ull)(order[i - 1]->addr + order[i - 1]->bytes));
    free(order);
    return st;
}

slx_status slx_verify_fit(const slx_program *p, const slx_chip *c, const char *file, slx_err *err)
{
    SLX_TRY(slx_program_check(p, file, err));
    SLX_TRY(made_for(&p->info, c, file, err));
    SLX_TRY(sizes(&p->info, c, file, err));
    SLX_TRY(regions(p, c, file, err));
    return recipe(p, file, err);
}
