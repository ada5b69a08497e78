/* emit_header.c - what a program says besides its words: sizes, regions, groups of tiles, and the recipe that makes the
 * bytes of its weights.
 */
#include "compile/plan.h"
#include "compile/tmpl_int.h"

#include <string.h>

static slx_weight *add_weight(slx_program *out, const slx_tensor *t, uint32_t layout, uint32_t fmt,
                              uint64_t addr, uint64_t bytes)
{
    slx_weight *w = &out->weights[out->n_weights++];
    *w = (slx_weight){.layout = layout, .fmt = fmt, .addr = addr, .bytes = bytes};
    snprintf(w->tensor, sizeof w->tensor, "%s", t->name);
    w->k = (uint32_t)t->ne[0];
    w->n = t->n_dims > 1 ? (uint32_t)t->ne[1] : 1;
    w->n_pad = w->n;
    return w;
}

static void add_vector(slx_program *out, const slx_tensor *t, uint64_t addr)
{
    add_weight(out, t, SLX_LAYOUT_VECTOR, SLX_FMT_f32, addr,
               4 * t->ne[0] * (t->n_dims > 1 ? t->ne[1] : 1));
}

/* A norm's weight, and its bias behind it where it has one. */
static void add_norm(slx_program *out, const slx_tensor *w, const slx_tensor *b, uint64_t addr)
{
    add_vector(out, w, addr);
    if (b) add_vector(out, b, addr + row_bytes(w->ne[0]));
}

/* A bias of the rows of a matrix: a chip has that of its rows. */
static void add_bias(slx_program *out, const slx_tensor *t, const slx_mat_plan *m, uint64_t addr)
{
    slx_weight *w = add_weight(out, t, SLX_LAYOUT_VECTOR, SLX_FMT_f32, addr, 4ull * m->n);
    w->k = m->n;
    w->shard_rows = m->shard_rows;
}

static slx_weight *add_planes(slx_program *out, const slx_tensor *t, uint32_t fmt, uint32_t n_pad,
                              uint64_t addr, uint64_t bytes, uint64_t off_scale, uint64_t off_m)
{
    slx_weight *w = add_weight(out, t, SLX_LAYOUT_PLANES, fmt, addr, bytes);
    w->n_pad = n_pad;
    w->kblk = (w->k + 31) / 32;
    w->off_scale = off_scale;
    w->off_m = off_m;
    return w;
}

static void add_slices(slx_program *out, const slx_tensor *t, const slx_mat_plan *m, uint64_t base)
{
    slx_slices l = {m->slices, m->slice_bytes, m->ways, m->grain};
    slx_weight *w =
        add_weight(out, t, SLX_LAYOUT_SLICES, m->fmt, base + m->off_w, slx_slices_bytes(&l));
    w->ways = m->ways;
    w->grain = m->grain;
    w->n = m->n;
    w->k = m->k;
    w->n_pad = m->n_pad;
    w->kblk = m->kblk;
    w->ns = m->ns;
    w->pieces = m->pieces;
    w->shard_rows = m->shard_rows;
    w->shard_k = m->shard_k;
}

static void recipe(slx_program *out, const slx_plan *p)
{
    const slx_model *m = p->model;
    uint64_t base = p->region[SLX_REGION_WEIGHTS].base;
    out->weights = slx_new(&out->arena, slx_weight, m->hp.n_layers * (12u + SLX_MAT_HEAD) + 5);
    for (uint32_t l = 0; l < m->hp.n_layers; l++, base += p->layer_stride) {
        const slx_layer_weights *w = &m->layers[l];
        const slx_tensor *t[] = {w->wq, w->wk, w->wv, w->wo, w->w_gate, w->w_up, w->w_down};
        add_norm(out, w->attn_norm, w->attn_norm_b, base + p->off_attn_norm);
        add_norm(out, w->ffn_norm, w->ffn_norm_b, base + p->off_ffn_norm);
        if (m->hp.gpt) {
            add_vector(out, w->bo, base + p->off_o_bias);
            add_bias(out, w->b_up, &p->mat[SLX_MAT_UP], base + p->off_up_bias);
            add_vector(out, w->b_down, base + p->off_down_bias);
        }
        const uint64_t hd = 4ull * m->hp.head_dim, bias = base + p->off_qkv_bias;
        if (m->hp.qkv_bias) {
            add_bias(out, w->bq, &p->mat[SLX_MAT_Q], bias);
            add_bias(out, w->bk, &p->mat[SLX_MAT_K], bias + hd * p->heads);
            add_bias(out, w->bv, &p->mat[SLX_MAT_V], bias + hd * (p->heads + p->kv_heads));
        }
        if (m->hp.qk_norm) {
            add_vector(out, w->q_norm, base + p->off_qk_norm);
            add_vector(out, w->k_norm, base + p->off_qk_norm + hd);
        }
        for (int i = 0; i < SLX_MAT_HEAD; i++)
            if (t[i]) add_slices(out, t[i], &p->mat[i], base);
    }
    add_norm(out, m->output_norm, m->output_norm_b, base + p->off_attn_norm);
    if (m->pos_embd) add_vector(out, m->pos_embd, p->pos_addr);
    add_planes(out, m->tok_embd, p->embd_fmt, p->vocab_pad, p->embd_addr, p->embd_bytes,
               p->embd_off_scale, p->embd_off_m);
    if (p->in_rom) {
        add_slices(out, m->output, &p->mat[SLX_MAT_HEAD], p->region[SLX_REGION_WEIGHTS].base);
    } else if (!m->hp.tied) {
        const slx_mat_plan *h = &p->mat[SLX_MAT_HEAD];
        slx_weight *w = add_planes(out, m->output, h->fmt, h->n_pad,
                                   p->region[SLX_REGION_WEIGHTS].base + h->off_w, p->head_bytes,
                                   p->head_off_scale, p->head_off_m);
        w->n = h->n;
        w->shard_rows = h->shard_rows;
    }
}

/* A name in a field of the program file: whole characters of UTF-8. */
static void name_to(char *dst, size_t size, const char *src)
{
    snprintf(dst, size, "%s", src);
    size_t n = strlen(dst);
    while (n && !slx_utf8_valid(dst, n)) dst[--n] = 0;
}

static void info(slx_program *out, const slx_plan *p)
{
    const slx_hparams *hp = &p->model->hp;
    slx_program_info *i = &out->info;
    name_to(i->chip_name, sizeof i->chip_name, p->chip->name);
    name_to(i->model_name, sizeof i->model_name, p->model->name);
    i->chip_hash = p->chip->hash;
    i->model_hash = p->model->hash;
    i->n_tiles = p->tiles;
    i->grid_x = p->chip->grid.x;
    i->spm_bytes = p->spm_bytes;
    i->acc_cells = p->acc_cells;
    i->max_m = p->max_m;
    i->token_max = p->chip->tile.token_max;
    i->n_layers = hp->n_layers;
    i->d_model = hp->d_model;
    i->d_ff = hp->d_ff;
    i->n_heads = p->heads;
    i->n_kv_heads = p->kv_heads;
    i->n_chips = p->chips;
    i->kv_unit = p->kv_unit;
    i->head_dim = hp->head_dim;
    i->head_dim_pad = p->hdp;
    i->n_rot = hp->n_rot;
    i->vocab = hp->vocab;
    i->vocab_pad = p->vocab_pad;
    i->max_context = p->opt.max_context;
    i->rope_style = hp->rope_style;
    i->rope_base = hp->rope_base;
    i->desc = p->desc;
    i->page_stride = p->page_stride;
    i->kv_head_stride = p->kv_head_stride;
    i->kv_layer_stride = p->kv_layer_stride;
    slx_plan_attn_times(p, i);
}

/* ALL, and where tiles share rows its halves, quarters .., as tmpl_share.c numbers them. */
static void groups(slx_program *out, const slx_plan *p)
{
    const uint32_t of[] = {p->lin_qkv.groups, p->lin_o.groups, p->lin_down.groups, p->gateup.groups};
    uint32_t most = 1, n = 0;
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++)
        if (of[i] > most) most = of[i];
    out->groups = slx_new(&out->arena, struct slx_group, 2 * most - 1);
    for (uint32_t parts = 1; parts <= most; parts *= 2)
        for (uint32_t i = 0; i < parts; i++) {
            struct slx_group *g = &out->groups[n++];
            if (parts == 1)
                snprintf(g->name, sizeof g->name, "ALL");
            else
                snprintf(g->name, sizeof g->name, "part_%u_of_%u", (uint8_t)(i + 1), (uint8_t)parts);
            g->first = i * (p->tiles / parts);
            g->count = p->tiles / parts;
        }
    out->n_groups = n;
}

void slx_emit_header(slx_program *out, const slx_plan *p)
{
    info(out, p);
    out->n_regions = SLX_N_REGION_KINDS;
    out->regions = slx_new(&out->arena, slx_region, SLX_N_REGION_KINDS);
    memcpy(out->regions, p->region, sizeof p->region);
    groups(out, p);
    recipe(out, p);
}
