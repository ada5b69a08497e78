/* plan.c - decides formats, tilings and places for one model on one chip; prints them.
 *
 * Rules, not a search: a class of matrices (q of all layers, ...) keeps the file's blocks where the chip has the
 * format, else becomes MXINT8; slices are 32 output rows; everything else follows from the chip's sizes.
 */
#include "compile/plan_map.h"
#include "compile/tmpl_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const mat_names[] = {
#define X(n, t) t,
    SLX_MATS(X)
#undef X
};
const char *slx_mat_name(slx_mat_id id)
{
    return mat_names[id];
}

/* ------------------------------------------------------------------ formats */

static const slx_tensor *layer_mat(const slx_model *m, slx_mat_id id, uint32_t layer)
{
    const slx_layer_weights *w = &m->layers[layer];
    switch (id) {
    case SLX_MAT_Q: return w->wq;
    case SLX_MAT_K: return w->wk;
    case SLX_MAT_V: return w->wv;
    case SLX_MAT_O: return w->wo;
    case SLX_MAT_GATE: return w->w_gate ? w->w_gate : w->w_up; /* none: planned like up, with no slices */
    case SLX_MAT_UP: return w->w_up;
    case SLX_MAT_DOWN: return w->w_down;
    default: return m->output;
    }
}

static uint32_t native_fmt(uint32_t type)
{
    switch (type) {
    case SLX_T_Q4_1: return SLX_FMT_q4sm;
    case SLX_T_Q4_0: return SLX_FMT_q4s;
    case SLX_T_Q8_0: return SLX_FMT_q8s;
    case SLX_T_MXFP4: return SLX_FMT_mxfp4;
    default: return 0;
    }
}

/* Format for tensors of one type (mixed: several types in the class). */
static uint32_t choose_fmt(const slx_chip *c, uint32_t type, bool mixed, const char **why)
{
    uint32_t f = native_fmt(type);
    bool has = c->isa.formats[f == SLX_FMT_q8s     ? SLX_CF_Q8S
                              : f == SLX_FMT_mxfp4 ? SLX_CF_MXFP4
                                                   : SLX_CF_Q4S];
    if (mixed)
        *why = "layers differ in type";
    else if (!f)
        *why = "the file's type has no native format";
    else if (!has)
        *why = f == SLX_FMT_q8s     ? "the chip has no Q8S"
               : f == SLX_FMT_mxfp4 ? "the chip has no MXFP4"
                                    : "the chip has no Q4S";
    else {
        *why = "blocks of the file as they are";
        return f;
    }
    return SLX_FMT_mxint8;
}

static void plan_mats(slx_plan *p)
{
    const slx_hparams *hp = &p->model->hp;
    for (int i = 0; i < SLX_N_MATS; i++) {
        slx_mat_plan *m = &p->mat[i];
        uint32_t type = layer_mat(p->model, (slx_mat_id)i, 0)->type;
        bool mixed = false;
        for (uint32_t l = 1; l < hp->n_layers; l++)
            mixed |= layer_mat(p->model, (slx_mat_id)i, l)->type != type;
        m->fmt = choose_fmt(p->chip, type, mixed, &m->why);
        slx_plan_shard_mat(p, (slx_mat_id)i, m);
        m->ns = 32;
        m->n_pad = (uint32_t)up(m->n, m->ns);
        m->slices = m->n_pad / m->ns;
        m->kblk = (m->k + 31) / 32;
        if (hp->gpt && i == SLX_MAT_GATE) m->slices = 0;
    }
    p->embd_fmt = choose_fmt(p->chip, p->model->tok_embd->type, false, &p->embd_why);
}

/* Turns the tiles of v's and k's slices so that the busiest tile of the q, k, v phase has as little as possible. */
static void plan_rot(slx_plan *p)
{
    uint32_t t = p->tiles, *load = slx_xcalloc(t, sizeof *load);
    for (int i = SLX_MAT_Q; i <= SLX_MAT_V; i++) {
        slx_mat_plan *m = &p->mat[i];
        uint64_t best = UINT64_MAX;
        for (uint32_t rot = 0; rot < (i == SLX_MAT_Q ? 1 : t); rot++) {
            uint64_t sum = 0, worst = 0;
            for (uint32_t k = 0; k < t; k++) {
                uint64_t v = (k + rot) % t,
                         n = load[k] + (v + 1) * m->slices / t - v * m->slices / t;
                if (n > worst) worst = n;
                sum += n * n;
            }
            uint64_t score = worst << 40 | (sum & ((UINT64_C(1) << 40) - 1));
            if (score < best) {
                best = score;
                m->rot = rot;
            }
        }
        for (uint32_t k = 0; k < t; k++) {
            uint64_t v = (k + m->rot) % t;
            load[k] += (uint32_t)((v + 1) * m->slices / t - v * m->slices / t);
        }
    }
    free(load);
}

/* ------------------------------------------------------------------ places in HBM */

/* Planes of a [n_pad][kblk] matrix; returns all bytes. */
static uint64_t planes(uint32_t fmt, uint64_t n_pad, uint64_t kblk, uint64_t *off_scale,
                       uint64_t *off_m)
{
    uint64_t codes = n_pad * kblk * slx_fmt_code_bytes(fmt),
             scales = n_pad * kblk * slx_fmt_scale_bytes(fmt);
    *off_scale = up(codes, 4096);
    *off_m = fmt == SLX_FMT_q4sm ? *off_scale + up(scales, 4096) : 0;
    return (*off_m ? *off_m : *off_scale) + up(scales, 4096);
}

uint32_t slx_compile_ways(const slx_chip *c)
{
    uint32_t n = c->hbm.stacks;
    return c->rom.mib > 0 || n < 2 || n > SLX_MAX_WAYS || c->grid.enabled < 2 * n ? 0 : n;
}

static void plan_ways(slx_plan *p)
{
    const slx_chip *c = p->chip;
    uint32_t ways = slx_compile_ways(c);
    if (!ways) return;
    p->grid_x = c->grid.x;
    for (int i = 0; i < SLX_MAT_HEAD; i++) {
        p->mat[i].ways = ways;
        p->mat[i].grain = c->hbm.interleave_bytes;
    }
}

static uint64_t weights_bytes(slx_plan *p, uint64_t base)
{
    const slx_hparams *hp = &p->model->hp;
    uint64_t at = 0;
    p->off_attn_norm = at;
    at = up(at + norm_bytes(hp->gpt, hp->d_model), 64);
    p->off_ffn_norm = at;
    at = up(at + norm_bytes(hp->gpt, hp->d_model), 64);
    p->off_o_bias = at;
    if (hp->gpt) at = up(at + 4ull * hp->d_model, 64);
    p->off_up_bias = at;
    if (hp->gpt) at = up(at + 4ull * hp->d_ff, 64);
    p->off_down_bias = at;
    if (hp->gpt) at = up(at + 4ull * hp->d_model, 64);
    p->off_qkv_bias = at;
    if (hp->qkv_bias) at += 4ull * hp->head_dim * (p->heads + 2ull * p->kv_heads);
    p->off_qk_norm = at;
    if (hp->qk_norm) at = up(at + 8ull * hp->head_dim, 64);
    uint64_t round = 64; /* of the stacks: way 0 begins at stack 0 in every layer */
    for (int i = 0; i < SLX_MAT_HEAD; i++) {
        slx_mat_plan *m = &p->mat[i];
        if (m->ways > 1) round = (uint64_t)m->ways * m->grain;
        m->off_w = up(base + at, round) - base;
        m->slice_bytes = slx_spm_slice_bytes(m);
        slx_slices l = {m->slices, m->slice_bytes, m->ways, m->grain};
        at = m->off_w + slx_slices_bytes(&l);
    }
    p->layer_stride = up(at, round);
    at = p->layer_stride * hp->n_layers + p->off_attn_norm + norm_bytes(hp->gpt, hp->d_model);
    p->pos_addr = base + up(at, 64);
    if (hp->gpt) at = up(at, 64) + 4ull * hp->d_model * hp->context;
    at = up(at, 4096);
    p->embd_addr = base + at;
    p->embd_bytes =
        planes(p->embd_fmt, p->vocab_pad, p->kblk_d, &p->embd_off_scale, &p->embd_off_m);
    slx_mat_plan *h = &p->mat[SLX_MAT_HEAD];
    if (p->in_rom) { /* in slices like the others, beside the rows that the embedding takes */
        h->off_w = at + p->embd_bytes;
        h->slice_bytes = slx_spm_slice_bytes(h);
        p->head_bytes = h->slice_bytes * h->slices;
        return h->off_w + p->head_bytes;
    }
    if (hp->tied) {
        h->off_w = at;
        p->head_bytes = p->embd_bytes;
        p->head_off_scale = p->embd_off_scale;
        p->head_off_m = p->embd_off_m;
        return at + p->embd_bytes;
    }
    at += p->embd_bytes;
    h->off_w = at;
    p->head_bytes = planes(h->fmt, h->n_pad, h->kblk, &p->head_off_scale, &p->head_off_m);
    return at + p->head_bytes;
}

static uint64_t take(uint64_t *at, uint64_t bytes)
{
    uint64_t a = *at;
    *at = up(a + bytes, 64);
    return a;
}

static uint64_t exchange_bytes(slx_plan *p, uint64_t base)
{
    const slx_hparams *hp = &p->model->hp;
    uint64_t at = base, r = p->rows_pad;
    const slx_mat_plan *m = p->mat;
    p->x_stride = row_bytes(hp->d_model);
    p->x = take(&at, r * p->x_stride);
    p->a1c = take(&at, r * p->kblk_d * 32);
    p->a1s = take(&at, r * p->kblk_d);
    p->off_k = 4ull * m[SLX_MAT_Q].n_pad;
    p->off_v = p->off_k + 4ull * m[SLX_MAT_K].n_pad;
    p->qkv_stride = p->off_v + 4ull * m[SLX_MAT_V].n_pad;
    p->qkv = take(&at, r * p->qkv_stride);
    p->qc = take(&at, r * p->heads * p->hdp);
    p->qs = take(&at, r * p->heads * p->hdp / 32);
    p->attn_out_stride = 4ull * p->attn_cols;
    p->attn_out = p->heads_quantised ? 0 : take(&at, r * p->attn_out_stride);
    p->a2c = take(&at, r * p->kblk_a * 32);
    p->a2s = take(&at, r * p->kblk_a);
    p->y = take(&at, r * p->y_stride);
    p->a4c = take(&at, r * p->ld_ff * 32);
    p->a4s = take(&at, r * p->ld_ff);
    /* a part may keep an item's rows of state at the last number */
    uint64_t states = p->desc.max_states ? p->desc.max_states + (uint64_t)p->attn.item_rows : 0;
    p->states = take(&at, states * p->group * (4ull * hp->head_dim + 8));
    return at - base;
}

static void max_to(uint32_t *a, uint32_t b)
{
    if (b > *a) *a = b;
}

/* Bytes between regions: the end of one is never the base of the next, whatever reads beside it. */
enum { GUARD = 4096 };

static const double gib = 1073741824.0;

static double hbm_bytes(const slx_chip *c)
{
    return c->hbm.stacks * c->hbm.gib * gib;
}

/* Pages for which the chip's HBM has room, when all regions together end at `need`. */
static uint64_t pages_that_fit(const slx_plan *p, uint64_t need)
{
    uint64_t a_page = p->page_stride * p->kv_heads * p->model->hp.n_layers;
    double room = hbm_bytes(p->chip) - (double)(need - p->region[SLX_REGION_KV].bytes);
    return room >= (double)a_page ? ((uint64_t)room & ~UINT64_C(4095)) / a_page : 0;
}

/* Refuses what ends beyond the chip's HBM: by how much. What would fit is added by room.c. */
static slx_status check_hbm(slx_plan *p, uint64_t need, slx_err *err)
{
    const slx_chip *c = p->chip;
    double have = hbm_bytes(c);
    if ((double)need <= have) return SLX_OK;
    uint64_t kv = p->region[SLX_REGION_KV].bytes, fit = pages_that_fit(p, need);
    char pages[96] = "";
    if (fit)
        snprintf(pages, sizeof pages, "max_pages %llu (now %u) would fit", (unsigned long long)fit,
                 p->opt.max_pages);
    else
        snprintf(pages, sizeof pages, "no page fits beside the rest");
    p->too_large = true;
    return slx_fail(err, SLX_EUNSUPPORTED, c->path, 0, 0,
                    "%s needs %.3f GiB of HBM (weights %.3f, KV pages %.3f), the chip has %.3f, "
                    "%.3f too little; %s",
                    p->model->name, (double)need / gib,
                    p->in_rom ? 0 : (double)p->region[SLX_REGION_WEIGHTS].bytes / gib,
                    (double)kv / gib, have / gib, ((double)need - have) / gib, pages);
}

static slx_status check_rom(slx_plan *p, slx_err *err)
{
    const slx_chip *c = p->chip;
    const double mib = 1048576.0, need = (double)p->region[SLX_REGION_WEIGHTS].bytes / mib;
    if (!p->in_rom || need <= c->rom.mib) return SLX_OK;
    p->too_large = true;
    return slx_fail(err, SLX_EUNSUPPORTED, c->path, 0, 0,
                    "%s has %.3f MiB of weights, the chip holds %.3f in its %s, %.3f too little", p->model->name,
                    need, c->rom.mib, c->rom.writable ? "weight SRAM" : "ROM", need - c->rom.mib);
}

/* Of the descriptor's region. What it has for split items takes whole turns of the memory's addresses, so that pages
 * lie as they would without it. */
static uint64_t desc_bytes(const slx_plan *p, uint32_t whole_items)
{
    const slx_chip *c = p->chip;
    slx_desc_layout whole = p->desc;
    whole.max_items = whole_items;
    whole.max_merges = 0;
    slx_desc_layout_init(&whole, p->tiles);
    uint64_t turn = (uint64_t)c->hbm.stacks * c->hbm.channels * c->hbm.pch * c->hbm.interleave_bytes;
    return whole.bytes + up(p->desc.bytes - whole.bytes, turn && turn % 4096 == 0 ? turn : 4096);
}

static slx_status plan_hbm(slx_plan *p, slx_err *err)
{
    const slx_hparams *hp = &p->model->hp;
    const slx_chip *c = p->chip;
    p->rows_pad = 0;
    const uint32_t mrs[] = {p->lin_qkv.mr, p->lin_o.mr, p->lin_down.mr,
                            p->gateup.mr,  p->embed.mr, p->rows.mr,
                            p->rowq.mr,    p->rope.mr,  p->attn.item_rows};
    for (size_t i = 0; i < sizeof mrs / sizeof mrs[0]; i++) max_to(&p->rows_pad, mrs[i]);
    p->rows_pad += p->opt.max_rows;
    p->page_stride = 264ull * p->hdp;
    p->kv_head_stride = p->page_stride * p->opt.max_pages;
    p->kv_layer_stride = p->kv_head_stride * p->kv_heads;
    if (p->kv_head_stride >> 31)
        p->brief.rows = 0; /* its stores go from head to head in such steps */
    uint64_t items =
        (uint64_t)p->kv_heads * (p->opt.max_rows / p->attn.item_rows + p->opt.max_seqs);
    if (p->page_stride * p->opt.max_pages > UINT32_MAX)
        return slx_fail(err, SLX_EUNSUPPORTED, c->path, 0, 0,
                        "max_pages is %u: the index of a V scale (page * %llu) must stay below "
                        "2^32, expected at most %llu",
                        p->opt.max_pages, (unsigned long long)p->page_stride,
                        (unsigned long long)(UINT32_MAX / p->page_stride));
    if (items > 1u << 20)
        return slx_fail(
            err, SLX_EUNSUPPORTED, c->path, 0, 0,
            "max_rows %u and max_seqs %u give %llu attention items a step, expected at most %u",
            p->opt.max_rows, p->opt.max_seqs, (unsigned long long)items, 1u << 20);
    p->desc = (slx_desc_layout){.max_rows = p->opt.max_rows,
                                .max_samples = p->opt.max_samples,
                                .max_seqs = p->opt.max_seqs,
                                .max_pages = p->opt.max_pages,
                                .max_items = (uint32_t)items,
                                .item_rows = p->attn.item_rows};
    slx_plan_attn_split(p);
    slx_desc_layout_init(&p->desc, p->tiles);
    if (p->desc.bytes >= 1u << 25)
        return slx_fail(err, SLX_EUNSUPPORTED, c->path, 0, 0,
                        "the step descriptor takes %u bytes, expected below %u", p->desc.bytes,
                        1u << 25);
    uint64_t at = 4096, bytes[SLX_N_REGION_KINDS];
    /* slack behind the tables: a row tile or a page list may be read past its end, never used */
    uint64_t slack = 4ull * up(p->max_chunks, SLX_GROUP_CHUNKS) + 8ull * p->rows_pad;
    for (int k = 0; k < SLX_N_REGION_KINDS; k++) {
        uint64_t rom = SLX_ROM_BASE, *end = p->in_rom && k == SLX_REGION_WEIGHTS ? &rom : &at;
        switch (k) {
        case SLX_REGION_WEIGHTS: bytes[k] = weights_bytes(p, *end); break;
        case SLX_REGION_ROPE: bytes[k] = 4ull * p->opt.max_context * (hp->n_rot ? hp->n_rot : 1); break;
        case SLX_REGION_DESC: bytes[k] = desc_bytes(p, (uint32_t)items) + slack; break;
        case SLX_REGION_KV: bytes[k] = p->kv_layer_stride * hp->n_layers; break;
        case SLX_REGION_EXCHANGE: bytes[k] = exchange_bytes(p, at); break;
        default: bytes[k] = 4ull * p->vocab_pad * (p->opt.max_samples + p->head.mr); break;
        }
        slx_region *r = &p->region[k];
        snprintf(r->name, sizeof r->name, "%s", slx_region_kind_name((slx_region_kind)k));
        r->kind = (uint32_t)k;
        r->base = *end;
        r->bytes = up(bytes[k], 4096);
        *end += r->bytes + GUARD;
    }
    p->hbm_end = at;
    SLX_TRY(check_rom(p, err));
    return check_hbm(p, at, err);
}

/* ------------------------------------------------------------------ limits of this compiler, refused by name */

static slx_status check_model(const slx_plan *p, slx_err *err)
{
    const slx_hparams *hp = &p->model->hp;
    const slx_chip *c = p->chip;
#define NO(...) return slx_fail(err, SLX_EUNSUPPORTED, p->model->path, 0, 0, __VA_ARGS__)
    if (hp->n_heads % hp->n_kv_heads)
        NO("%u heads over %u KV heads, expected a multiple", hp->n_heads, hp->n_kv_heads);
    if (hp->head_dim % 16 || hp->head_dim > 4096)
        NO("head size is %u, expected a multiple of 16", hp->head_dim);
    if (hp->n_rot % 16 || hp->n_rot > hp->head_dim)
        NO("%u rotated dimensions of a head, expected a multiple of 16 and at most %u", hp->n_rot,
           hp->head_dim);
    if (hp->gpt && hp->d_ff % 32) /* a bias would reach the padding of the last block */
        NO("feed-forward length is %u, expected a multiple of 32 in architecture %s", hp->d_ff, hp->arch);
    if (hp->gpt && hp->d_model % 16)
        NO("embedding length is %u, expected a multiple of 16 in architecture %s", hp->d_model, hp->arch);
    if (p->heads > 4095 || p->group > 255)
        NO("%u query heads a KV head, expected at most 255", p->group);
    if ((uint64_t)p->kv_heads * hp->head_dim > 16368)
        NO("%u KV heads of %u a chip, expected at most 16368 columns", p->kv_heads, hp->head_dim);
    const uint32_t wide[] = {hp->d_model, hp->d_ff, hp->n_heads * hp->head_dim};
    const char *const name[] = {"embedding", "feed-forward", "attention"};
    for (int i = 0; i < 3; i++)
        if (wide[i] > 4095 * 32)
            NO("%s length is %u, expected at most %d", name[i], wide[i], 4095 * 32);
#undef NO
#define NO(...) return slx_fail(err, SLX_EUNSUPPORTED, c->path, 0, 0, __VA_ARGS__)
    if (!c->isa.formats[SLX_CF_MXINT8] || !c->isa.formats[SLX_CF_F32])
        NO("isa.formats has no %s: activations need MXINT8 and F32",
           c->isa.formats[SLX_CF_MXINT8] ? "F32" : "MXINT8");
    if (c->hbm.align_bytes > 1)
        NO("hbm.hbm_align is %u: programs address single bytes of HBM, expected 1",
           c->hbm.align_bytes);
    if (c->tile.tokens < TK_END)
        NO("tile.tokens is %u, programs use %d", c->tile.tokens, TK_END - 1);
    if (c->tile.registers < SLX_N_REGS)
        NO("tile.registers is %u, programs use %d", c->tile.registers, SLX_N_REGS);
    if (c->isa.max_m < p->group)
        NO("isa.max_m is %u, expected at least the %u query heads of a KV head", c->isa.max_m,
           p->group);
#undef NO
    return SLX_OK;
}

static slx_status resolve_options(slx_plan *p, const slx_compile_options *opt, slx_err *err)
{
    slx_compile_options o = opt ? *opt : (slx_compile_options){0};
    const slx_hparams *hp = &p->model->hp;
    if (!o.max_rows) o.max_rows = p->tiles >= 8 ? 512 : 64 * p->tiles;
    if (!o.tp) o.tp = 1;
    if (!o.max_samples) o.max_samples = 16;
    if (!o.max_seqs) o.max_seqs = 16;
    if (!o.max_context) o.max_context = hp->context;
    p->max_chunks = (o.max_context + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK;
    if (!o.max_pages) o.max_pages = p->max_chunks + (o.spare_pages ? o.spare_pages : 16);
    struct {
        const char *name;
        uint32_t v, max;
    } lim[] = {{"max_rows", o.max_rows, 65536},
               {"max_samples", o.max_samples, 65536},
               {"max_seqs", o.max_seqs, 65536},
               {"max_context", o.max_context, 1u << 24},
               {"max_pages", o.max_pages, 1u << 24}};
    for (size_t i = 0; i < sizeof lim / sizeof lim[0]; i++)
        if (lim[i].v > lim[i].max)
            return slx_fail(err, SLX_EINPUT, "", 0, 0, "%s is %u, expected at most %u", lim[i].name,
                            lim[i].v, lim[i].max);
    p->opt = o;
    return SLX_OK;
}

slx_status slx_plan_make(slx_plan *p, const slx_model *m, const slx_chip *c,
                         const slx_compile_options *opt, slx_err *err)
{
    const slx_hparams *hp = &m->hp;
    *p = (slx_plan){.model = m,
                    .chip = c,
                    .tiles = c->grid.enabled,
                    .spm_bytes = c->tile.spm_kib * 1024,
                    .acc_cells = c->tile.acc_kib * 256,
                    .max_m = c->isa.max_m,
                    .in_rom = c->rom.mib > 0};
    SLX_TRY(resolve_options(p, opt, err));
    p->rows_cap = (p->opt.max_rows + p->tiles - 1) / p->tiles;
    p->hdp = (uint32_t)up(hp->head_dim, 32);
    p->group = hp->n_heads / hp->n_kv_heads;
    p->kblk_d = (hp->d_model + 31) / 32;
    SLX_TRY(slx_plan_shard(p, err));
    p->heads_quantised = hp->head_dim % 32 == 0;
    SLX_TRY(check_model(p, err));
    plan_mats(p);
    plan_ways(p);
    SLX_TRY(slx_plan_spm(p, err));
    plan_rot(p);
    slx_status st = plan_hbm(p, err);
    if (st == SLX_OK || (opt && opt->max_pages)) return st;
    /* pages nobody asked for make room, as long as one is left */
    uint64_t fit = pages_that_fit(p, p->hbm_end);
    if (p->hbm_end == 0 || fit == 0 || fit >= p->opt.max_pages) return st;
    p->opt.max_pages = (uint32_t)fit;
    if (err) *err = (slx_err){0};
    SLX_TRY(slx_plan_spm(p, err));
    return plan_hbm(p, err);
}

/* ------------------------------------------------------------------ --dump plan */

static void print_row(FILE *out, const char *name, uint32_t rows, uint64_t end, const slx_plan *p)
{
    fprintf(out, "  %-10s %5u rows a tile, scratchpad up to %llu of %u\n", name, rows,
            (unsigned long long)end, p->spm_bytes);
}

static void print_product(FILE *out, const char *name, uint32_t rows, uint32_t groups, uint64_t end,
                          const slx_plan *p)
{
    print_row(out, name, rows, end, p);
    if (groups)
        fprintf(out, "             brought together by %u group%s of tiles\n", groups, groups > 1 ? "s" : "");
}

void slx_plan_print(const slx_plan *p, FILE *out)
{
    fprintf(out,
            "plan of %s on %s: %u tiles, %u rows and %u samples a step, context %u, %u pages\n",
            p->model->name, p->chip->name, p->tiles, p->opt.max_rows, p->opt.max_samples,
            p->opt.max_context, p->opt.max_pages);
    if (p->chips > 1)
        fprintf(out, "%u chips, each %u of %u heads, %u of %u KV heads; o: %s, down: %s\n",
                p->chips, p->heads, p->model->hp.n_heads, p->kv_heads, p->model->hp.n_kv_heads,
                p->sum_o ? "parts summed" : "gathered", p->sum_down ? "parts summed" : "gathered");
    fprintf(out, "matrices   rows x K        slices tiles  pieces G format  because\n");
    for (int i = 0; i < SLX_N_MATS; i++) {
        const slx_mat_plan *m = &p->mat[i];
        fprintf(out, "  %-6s %6u x %-6u %8u %5u %7u %d %-7s %s\n", mat_names[i], m->n, m->k,
                m->slices, m->slices < p->tiles ? m->slices : p->tiles, m->pieces, 1 << m->log2g,
                slx_fn_name(SLX_FL_FMT, m->fmt), m->why);
    }
    fprintf(out, "  %-6s %6u x %-6u %35s %s\n", "embd", p->model->hp.vocab, p->model->hp.d_model,
            slx_fn_name(SLX_FL_FMT, p->embd_fmt), p->embd_why);
    if (p->in_rom)
        fprintf(out, "scratchpad: no ring of weights, the tensor engines read weights in place\n");
    else
        fprintf(out, "scratchpad: weights pass through %u slots of %u bytes\n", p->slots, p->slot);
    if (p->grid_x)
        fprintf(out, "weights of a slice in one of %u stacks, %u bytes of it in each round of addresses\n",
                p->mat[SLX_MAT_Q].ways, p->mat[SLX_MAT_Q].grain);
    print_row(out, "embed", p->embed.mr, p->embed.end, p);
    print_product(out, "q, k, v", p->lin_qkv.mr, p->lin_qkv.groups, p->lin_qkv.end, p);
    print_row(out, "rope", p->rope.mr, p->rope.end, p);
    print_row(out, "attention", p->attn.item_rows, p->attn.end, p);
    if (!p->heads_quantised) print_row(out, "rowq", p->rowq.mr, p->rowq.end, p);
    print_product(out, "o", p->lin_o.mr, p->lin_o.groups, p->lin_o.end, p);
    print_row(out, "rows", p->rows.mr, p->rows.end, p);
    print_product(out, "gateup", p->gateup.mr, p->gateup.groups, p->gateup.end, p);
    print_product(out, "down", p->lin_down.mr, p->lin_down.groups, p->lin_down.end, p);
    print_row(out, "head", p->head.mr, p->head.end, p);
    if (p->brief.rows) {
        print_row(out, "short step", p->brief.rows, p->brief.end, p);
        if (!p->in_rom)
            fprintf(out, "  weights of a layer in a short step: %s\n",
                    p->brief.resident ? "each slice in a place of its own, loaded ahead"
                                      : "through the slots");
    }
    fprintf(out, "  attention has %u page buffer%s\n", p->attn.buffers,
            p->attn.buffers > 1 ? "s" : "");
    if (p->desc.max_merges)
        fprintf(out, "  its items may be split: %u merges, %u states of a row, %u buffers for them\n",
                p->desc.max_merges, p->desc.max_states, p->merge_buffers);
    else
        fprintf(out, "  its items stay whole: %s\n",
                p->tiles == 1        ? "the chip has one tile"
                : p->max_chunks == 1 ? "none has more than one chunk"
                                     : "there is no room for states of their parts");
    for (int i = 0; i < SLX_N_REGION_KINDS; i++)
        fprintf(out, "region %-10s 0x%010llx %12llu bytes\n", p->region[i].name,
                (unsigned long long)p->region[i].base, (unsigned long long)p->region[i].bytes);
    fprintf(out, "a layer's weights: %llu bytes; a KV page: %llu bytes\n",
            (unsigned long long)p->layer_stride, (unsigned long long)p->page_stride);
}
