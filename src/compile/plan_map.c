/* plan_map.c - areas of the scratchpad, phase by phase. */
#include "compile/plan_map.h"
#include "compile/tmpl_int.h"

typedef struct {
    uint64_t at;
} bump;

static uint64_t area(bump *b, uint64_t bytes)
{
    uint64_t at = b->at;
    b->at = up(at + bytes, 64);
    return at;
}

static uint32_t piece_blocks_max(const slx_mat_plan *m, uint32_t pieces)
{
    uint32_t max = 0;
    for (uint32_t i = 0; i < pieces; i++) {
        uint32_t n = slx_tree_cut(m->kblk, pieces, i + 1) - slx_tree_cut(m->kblk, pieces, i);
        if (n > max) max = n;
    }
    return max;
}

uint64_t slx_spm_tile_bytes(const slx_mat_plan *m, uint32_t pieces)
{
    return slx_piece_bytes(m->fmt, m->ns, piece_blocks_max(m, pieces), m->ways, m->grain);
}

uint64_t slx_spm_held_bytes(const slx_plan *p, const slx_mat_plan *m, uint32_t pieces)
{
    return p->in_rom ? 33ull * piece_blocks_max(m, pieces) : slx_spm_tile_bytes(m, pieces);
}

unsigned slx_spm_log2u(uint32_t v)
{
    unsigned n = 0;
    while (v >> (n + 1)) n++;
    return n;
}

/* Cells of the accumulators one row takes. */
uint64_t slx_spm_cells_a_row(const slx_mat_plan *m)
{
    return (uint64_t)(m->pieces + m->log2g - slx_spm_log2u(m->pieces)) * m->ns;
}

/* ------------------------------------------------------------------ maps: areas of one phase for mr rows */

/* Output rows of a product: one buffer, or two where chips meet, each with room for all chips' rows behind it. */
static uint64_t map_y(const slx_plan *p, bump *b, const slx_mat_plan *m, uint32_t mr,
                      uint64_t *step)
{
    uint64_t y = (uint64_t)mr * m->ns * 4,
             all = m->meet == SLX_MEET_GATHER ? y * (1 + p->chips) : y;
    *step = m->meet == SLX_MEET_NONE ? 0 : up(all, 64);
    return area(b, *step ? 2 * *step : y);
}

/* Blocks of A's rows that are held at once. */
uint32_t slx_spm_held_blocks(const slx_mat_plan *m, bool whole)
{
    return whole ? m->kblk : piece_blocks_max(m, m->pieces);
}

uint32_t slx_spm_up_div(uint32_t a, uint32_t b)
{
    return (a + b - 1) / b;
}

/* Row tiles of a step of max_rows. */
uint32_t slx_spm_row_tiles(const slx_plan *p, uint32_t mr, bool groups)
{
    uint32_t n = (p->opt.max_rows + mr - 1) / mr;
    return groups ? 1u << slx_spm_log2u(2 * n - 1) : n;
}

/* Groups of tiles that share rows: weights in ROM lie with the tile that owns the slice, all rows must come to it. */
uint32_t slx_spm_groups_of(const slx_plan *p, bool whole, uint32_t mr)
{
    if (!whole || p->tiles == 1) return 0;
    uint32_t n = slx_spm_row_tiles(p, mr, true), most = p->in_rom ? 1 : p->tiles & (~p->tiles + 1);
    if (most >= SLX_SHARE_GROUPS) most = SLX_SHARE_GROUPS / 2;
    return n < most ? n : most;
}

/* Rows of A, with what bounds of addresses need behind them. */
static uint64_t a_rows(const slx_plan *p, uint32_t mr, uint32_t groups)
{
    return mr + slx_share_slack(p->tiles, groups, mr);
}

/* kp: blocks held of a row. */
uint64_t slx_spm_map_linear(const slx_plan *p, slx_map_linear *o, uint64_t at, uint32_t kp,
                           const slx_mat_plan *m, uint32_t mr)
{
    bump b = {at};
    o->mr = mr;
    o->a = area(&b, a_rows(p, mr, o->groups) * kp * 32);
    o->as = area(&b, a_rows(p, mr, o->groups) * kp);
    o->y = map_y(p, &b, m, mr, &o->y_step);
    return o->end = b.at;
}

/* Chips whose pieces come together where gate and up, or attention, are gathered; else 0. */
static uint64_t gathered(const slx_plan *p, bool sum)
{
    return p->chips > 1 && !sum ? p->chips : 0;
}

uint64_t slx_spm_map_gateup(const slx_plan *p, slx_map_gateup *o, uint64_t at, uint32_t kp,
                           uint32_t mr)
{
    bump b = {at};
    bool gelu = p->model->hp.gpt;
    o->mr = mr;
    o->a = area(&b, a_rows(p, mr, o->groups) * kp * 32);
    o->as = area(&b, a_rows(p, mr, o->groups) * kp);
    o->g = area(&b, gelu ? 0 : (uint64_t)mr * 128);
    o->u = area(&b, (uint64_t)mr * 128);
    o->q = area(&b, (uint64_t)mr * 32);
    o->qs = area(&b, mr);
    uint64_t chips = gathered(p, p->sum_down);
    o->gq = area(&b, chips * mr * 32);
    o->gqs = area(&b, chips * mr);
    o->b = area(&b, gelu ? 128 : 0);
    return o->end = b.at;
}

uint64_t slx_spm_map_head(const slx_plan *p, slx_map_head *o, uint64_t at, uint32_t kp,
                         const slx_mat_plan *m, uint32_t mr)
{
    bump b = {at};
    o->mr = mr;
    o->idx = area(&b, 4ull * mr);
    o->a = area(&b, (uint64_t)mr * kp * 32);
    o->as = area(&b, (uint64_t)mr * kp);
    o->y = map_y(p, &b, m, mr, &o->y_step);
    return o->end = b.at;
}

uint64_t slx_spm_map_embed(const slx_plan *p, slx_map_embed *o, uint64_t at, uint32_t mr)
{
    bump b = {at};
    uint64_t d = p->model->hp.d_model, kb = (uint64_t)mr * p->kblk_d;
    o->mr = mr;
    o->idx = area(&b, 4ull * mr);
    o->codes = area(&b, kb * slx_fmt_code_bytes(p->embd_fmt));
    o->scales = area(&b, 2 * up(kb * slx_fmt_scale_bytes(p->embd_fmt), 64)); /* d, and m of Q4SM */
    o->x = area(&b, mr * row_bytes(d));
    o->n = area(&b, mr * row_bytes(d));
    o->w = area(&b, norm_bytes(p->model->hp.gpt, d));
    o->q = area(&b, kb * 32);
    o->qs = area(&b, kb);
    o->pidx = area(&b, p->model->hp.gpt ? 4ull * mr : 0);
    o->pos = area(&b, p->model->hp.gpt ? 4ull * mr * d : 0);
    return o->end = b.at;
}

uint64_t slx_spm_map_rows(slx_map_rows *o, uint64_t at, uint64_t d, bool norm, bool layer, uint32_t mr)
{
    bump b = {at};
    uint64_t kb = (uint64_t)mr * ((d + 31) / 32);
    o->mr = mr;
    o->x = area(&b, mr * row_bytes(d));
    o->y = area(&b, norm ? mr * row_bytes(d) : 0);
    o->w = area(&b, norm ? norm_bytes(layer, d) : 0);
    o->q = area(&b, kb * 32);
    o->qs = area(&b, kb);
    o->b = area(&b, norm && layer ? 4 * d : 0);
    return o->end = b.at;
}

/* kv: KV heads whose codes are held at once. */
uint64_t slx_spm_map_rope(const slx_plan *p, slx_map_rope *o, uint64_t at, uint32_t kv, uint32_t mr)
{
    bump b = {at};
    const slx_hparams *hp = &p->model->hp;
    uint64_t qr = 4ull * hp->head_dim * p->heads * mr, kr = 4ull * hp->head_dim * p->kv_heads * mr;
    uint64_t qc = (uint64_t)mr * p->heads * p->hdp, kc = (uint64_t)kv * mr * p->hdp;
    o->mr = mr;
    o->idx_stride = up(4ull * mr, 64);
    o->idx = area(&b, 4 * o->idx_stride);
    o->tab = area(&b, 4ull * mr * hp->n_rot);
    o->q = area(&b, qr);
    o->k = area(&b, kr);
    o->v = area(&b, kr);
    o->r = area(&b, qr);
    o->qc = area(&b, qc);
    o->qs = area(&b, qc / 32);
    o->kc = area(&b, kc);
    o->ks = area(&b, kc / 32);
    o->vc = area(&b, kc);
    o->vs = area(&b, (uint64_t)kv * mr);
    o->b = area(&b, hp->qkv_bias ? 4ull * hp->head_dim * (p->heads + 2ull * p->kv_heads) : 0);
    o->nw = area(&b, hp->qk_norm ? 8ull * hp->head_dim : 0);
    return o->end = b.at;
}

/* Of m rows and heads. */
static slx_map_states map_states(const slx_plan *p, bump *b, uint64_t m)
{
    slx_map_states s;
    uint64_t cells = m * p->model->hp.head_dim, chips = gathered(p, p->sum_o);
    s.stt = area(b, 8 * m);
    s.ot = area(b, cells * 4);
    s.sts = area(b, 8 * m);
    s.os = area(b, cells * 4);
    s.oc = area(b, p->heads_quantised ? cells : 0);
    s.ocs = area(b, p->heads_quantised ? cells / 32 : 0);
    s.goc = area(b, chips * cells * (p->heads_quantised ? 1 : 4));
    s.gocs = area(b, p->heads_quantised ? chips * cells / 32 : 0);
    return s;
}

uint64_t slx_spm_map_attn(const slx_plan *p, slx_map_attn *o, uint64_t at, uint32_t pages,
                         uint32_t rows)
{
    bump b = {at};
    uint64_t hd = p->model->hp.head_dim, m = (uint64_t)rows * p->group;
    o->item_rows = rows;
    o->item = area(&b, 64);
    o->q = area(&b, m * p->hdp);
    o->qs = area(&b, m * p->hdp / 32);
    o->lim = area(&b, 8ull * rows);
    o->pages = area(&b, 4 * up(p->max_chunks, SLX_GROUP_CHUNKS));
    o->buffers = pages;
    o->page_step = 264ull * p->hdp;
    o->page = area(&b, 264ull * p->hdp * pages);
    o->t = area(&b, m * 4 * SLX_MAX_CHUNK);
    o->p = o->t; /* VSMX works in place */
    o->pc = area(&b, m * SLX_MAX_CHUNK);
    o->ps = area(&b, m * SLX_MAX_CHUNK / 32);
    o->st2 = area(&b, 8 * m);
    o->o2 = area(&b, m * hd * 4);
    o->s = map_states(p, &b, m);
    return o->end = b.at;
}

/* Bytes of a buffer for m kept states. */
static uint64_t kept_bytes(const slx_plan *p, uint64_t m)
{
    return up(m * (4ull * p->model->hp.head_dim + 8), 64);
}

uint64_t slx_spm_map_merge(const slx_plan *p, slx_map_merge *o, uint64_t at, uint32_t rows, uint32_t buffers)
{
    bump b = {at};
    uint64_t m = (uint64_t)rows * p->group;
    o->item = area(&b, 64);
    o->step = kept_bytes(p, m);
    o->kept = area(&b, o->step * buffers);
    o->s = map_states(p, &b, m);
    return o->end = b.at;
}

bool slx_spm_map_merge_short(const slx_plan *p, slx_map_merge *o, const slx_map_attn *a, uint32_t buffers)
{
    uint64_t item = o->item;
    *o = (slx_map_merge){.item = item, .s = a->s};
    o->s.goc = o->s.gocs = 0; /* nothing is gathered in short steps */
    o->kept = a->page;
    o->step = kept_bytes(p, (uint64_t)a->item_rows * p->group);
    return o->step * buffers <= a->page_step * a->buffers;
}

/* ------------------------------------------------------------------ short steps */

/* Most slices of a matrix that one tile has. */
static uint64_t slices_a_tile(const slx_plan *p, const slx_mat_plan *m)
{
    return (m->slices + p->tiles - 1) / p->tiles;
}

uint64_t slx_spm_slice_bytes(const slx_mat_plan *m)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m->pieces; i++) {
        uint32_t n = slx_tree_cut(m->kblk, m->pieces, i + 1) - slx_tree_cut(m->kblk, m->pieces, i);
        sum += slx_piece_bytes(m->fmt, m->ns, n, m->ways, m->grain);
    }
    return sum;
}

/* Everything apart from everything else: what one phase pushes to other tiles must not meet what they still read. */
uint64_t slx_spm_map_short(const slx_plan *p, slx_map_short *o, uint64_t at, uint32_t rows,
                          uint32_t buffers, bool resident)
{
    const slx_hparams *hp = &p->model->hp;
    const slx_mat_plan *m = p->mat;
    bump b = {at};
    uint32_t samples = p->opt.max_samples;
    uint64_t kblk_a = p->kblk_a > p->kblk_d ? p->kblk_a : p->kblk_d;
    o->rows = rows;
    o->resident = resident;
    o->sample = area(&b, 4ull * samples);
    /* what control flow reads comes first, so that little else can be taken for it */
    b.at =
        slx_spm_map_attn(p, &o->attn, b.at, buffers, rows < p->attn.item_rows ? rows : p->attn.item_rows);
    o->merge.item = area(&b, 64);
    b.at = slx_spm_map_rope(p, &o->rope, b.at, p->kv_heads, 1);
    b.at = slx_spm_map_embed(p, &o->embed, b.at, 1);
    o->a = area(&b, rows * kblk_a * 32);
    o->as = area(&b, rows * kblk_a);
    o->a4 = area(&b, (uint64_t)rows * p->kblk_ff * 32);
    o->a4s = area(&b, (uint64_t)rows * p->kblk_ff);
    o->y = area(&b, 128ull * p->kblk_d);
    o->norm_ffn = area(&b, 4ull * hp->d_model);
    o->norm_attn = area(&b, 4ull * hp->d_model);
    b.at = slx_spm_map_linear(p, &o->lin, b.at, 0, &m[SLX_MAT_O], rows); /* down is alike, q needs less */
    b.at = slx_spm_map_gateup(p, &o->gateup, b.at, 0, rows);
    b.at = slx_spm_map_head(p, &o->head, b.at, p->kblk_d, &m[SLX_MAT_HEAD], samples);
    for (int i = 0; i < SLX_MAT_HEAD; i++)
        o->home[i] = resident ? area(&b, slices_a_tile(p, &m[i]) * slx_spm_slice_bytes(&m[i])) : 0;
    return o->end = b.at;
}
