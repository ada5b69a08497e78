/* plan_spm.c - scratchpad and accumulators: how large a slot of weights, how many pieces of the contraction, how many
 * rows a tile of rows, and where everything lies.
 *
 * Each phase has a function that lays out its areas for `mr` rows and gives the first byte behind them. The
 * slot is found by trying: half the scratchpad, then smaller; the choice that leaves the largest row tiles wins.
 * Weights in ROM need none: what is tried is then the bytes of a row of activations held at once.
 */
#include "compile/plan.h"
#include "compile/tmpl_int.h"

#include <math.h>

/* Of the ring: while one is multiplied the next comes. */
enum { SLOTS = 2 };

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

static uint64_t tile_bytes(const slx_mat_plan *m, uint32_t pieces)
{
    size_t s, mm;
    return slx_btile_bytes(m->fmt, m->ns, piece_blocks_max(m, pieces), &s, &mm);
}

/* What a budget bounds: see the top. */
static uint64_t held_bytes(const slx_plan *p, const slx_mat_plan *m, uint32_t pieces)
{
    return p->in_rom ? 33ull * piece_blocks_max(m, pieces) : tile_bytes(m, pieces);
}

static unsigned log2u(uint32_t v)
{
    unsigned n = 0;
    while (v >> (n + 1)) n++;
    return n;
}

/* Cells of the accumulators one row takes. */
static uint64_t cells_a_row(const slx_mat_plan *m)
{
    return (uint64_t)(m->pieces + m->log2g - log2u(m->pieces)) * m->ns;
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
static uint32_t held_blocks(const slx_mat_plan *m, bool whole)
{
    return whole ? m->kblk : piece_blocks_max(m, m->pieces);
}

static uint32_t up_div(uint32_t a, uint32_t b)
{
    return (a + b - 1) / b;
}

/* Row tiles of a step of max_rows. */
static uint32_t row_tiles(const slx_plan *p, uint32_t mr, bool groups)
{
    uint32_t n = (p->opt.max_rows + mr - 1) / mr;
    return groups ? 1u << log2u(2 * n - 1) : n;
}

/* Groups of tiles that share rows: weights in ROM lie with the tile that owns the slice, all rows must come to it. */
static uint32_t groups_of(const slx_plan *p, bool whole, uint32_t mr)
{
    if (!whole || p->tiles == 1) return 0;
    uint32_t n = row_tiles(p, mr, true), most = p->in_rom ? 1 : p->tiles & (~p->tiles + 1);
    if (most >= SLX_SHARE_GROUPS) most = SLX_SHARE_GROUPS / 2;
    return n < most ? n : most;
}

/* Rows of A, with what bounds of addresses need behind them. */
static uint64_t a_rows(const slx_plan *p, uint32_t mr, uint32_t groups)
{
    return mr + slx_share_slack(p->tiles, groups, mr);
}

/* kp: blocks held of a row. */
static uint64_t map_linear(const slx_plan *p, slx_map_linear *o, uint64_t at, uint32_t kp,
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

static uint64_t map_gateup(const slx_plan *p, slx_map_gateup *o, uint64_t at, uint32_t kp,
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

static uint64_t map_head(const slx_plan *p, slx_map_head *o, uint64_t at, uint32_t kp,
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

static uint64_t map_embed(const slx_plan *p, slx_map_embed *o, uint64_t at, uint32_t mr)
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

static uint64_t map_rows(slx_map_rows *o, uint64_t at, uint64_t d, bool norm, bool layer, uint32_t mr)
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
static uint64_t map_rope(const slx_plan *p, slx_map_rope *o, uint64_t at, uint32_t kv, uint32_t mr)
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

static uint64_t map_attn(const slx_plan *p, slx_map_attn *o, uint64_t at, uint32_t pages,
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
    o->stt = area(&b, 8 * m);
    o->ot = area(&b, m * hd * 4);
    o->sts = area(&b, 8 * m);
    o->os = area(&b, m * hd * 4);
    o->oc = area(&b, p->heads_quantised ? m * hd : 0);
    o->ocs = area(&b, p->heads_quantised ? m * hd / 32 : 0);
    uint64_t chips = gathered(p, p->sum_o);
    o->goc = area(&b, chips * m * hd * (p->heads_quantised ? 1 : 4));
    o->gocs = area(&b, p->heads_quantised ? chips * m * hd / 32 : 0);
    return o->end = b.at;
}

/* ------------------------------------------------------------------ short steps */

/* Most slices of a matrix that one tile has. */
static uint64_t slices_a_tile(const slx_plan *p, const slx_mat_plan *m)
{
    return (m->slices + p->tiles - 1) / p->tiles;
}

static uint64_t slice_bytes(const slx_mat_plan *m)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m->pieces; i++) {
        size_t s, mm;
        uint32_t n = slx_tree_cut(m->kblk, m->pieces, i + 1) - slx_tree_cut(m->kblk, m->pieces, i);
        sum += slx_btile_bytes(m->fmt, m->ns, n, &s, &mm);
    }
    return sum;
}

/* Everything apart from everything else: what one phase pushes to other tiles must not meet what they still read. */
static uint64_t map_short(const slx_plan *p, slx_map_short *o, uint64_t at, uint32_t rows,
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
        map_attn(p, &o->attn, b.at, buffers, rows < p->attn.item_rows ? rows : p->attn.item_rows);
    b.at = map_rope(p, &o->rope, b.at, p->kv_heads, 1);
    b.at = map_embed(p, &o->embed, b.at, 1);
    o->a = area(&b, rows * kblk_a * 32);
    o->as = area(&b, rows * kblk_a);
    o->a4 = area(&b, (uint64_t)rows * p->kblk_ff * 32);
    o->a4s = area(&b, (uint64_t)rows * p->kblk_ff);
    o->y = area(&b, 128ull * p->kblk_d);
    o->norm_ffn = area(&b, 4ull * hp->d_model);
    o->norm_attn = area(&b, 4ull * hp->d_model);
    b.at = map_linear(p, &o->lin, b.at, 0, &m[SLX_MAT_O], rows); /* down is alike, q needs less */
    b.at = map_gateup(p, &o->gateup, b.at, 0, rows);
    b.at = map_head(p, &o->head, b.at, p->kblk_d, &m[SLX_MAT_HEAD], samples);
    for (int i = 0; i < SLX_MAT_HEAD; i++)
        o->home[i] = resident ? area(&b, slices_a_tile(p, &m[i]) * slice_bytes(&m[i])) : 0;
    return o->end = b.at;
}

/* Rows of a short step and buffers of pages, the best first: buffers hide the memory's latency behind each other, rows
 * beyond some gain little, since their own products and copies then take what the exchange through memory took. */
static const struct {
    uint32_t rows, buffers;
} shorts[] = {{32, 8}, {16, 8}, {8, 8}, {32, 4}, {16, 4}, {8, 4},
              {32, 2}, {16, 2}, {8, 2}, {4, 2},  {2, 2},  {1, 1}};

static void plan_short(slx_plan *p, uint64_t at)
{
    uint64_t cells = 1;
    for (int i = 0; i < SLX_N_MATS; i++)
        if (cells_a_row(&p->mat[i]) > cells) cells = cells_a_row(&p->mat[i]);
    p->brief.rows = 0;
    bool gathers = p->chips > 1 && !(p->sum_o && p->sum_down);
    if (gathers || p->model->hp.gpt || !p->heads_quantised || p->opt.max_samples > p->max_m ||
        p->opt.max_samples * cells > p->acc_cells)
        return;
    for (int resident = !p->in_rom; resident >= 0; resident--)
        for (size_t i = 0; i < sizeof shorts / sizeof shorts[0]; i++) {
            uint32_t r = shorts[i].rows, b = shorts[i].buffers;
            if (r > p->tiles || r > p->opt.max_rows || r > p->max_m || r * cells > p->acc_cells)
                continue;
            if (map_short(p, &p->brief, at, r, b, resident) <= p->spm_bytes) return;
        }
    p->brief.rows = 0;
}

/* ------------------------------------------------------------------ fitting */

/* The phase that did not fit, with what it needs at least. */
typedef struct {
    const char *phase, *what;
    uint64_t need, have;
} misfit;

static uint32_t min_u64(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

/* dst := largest MR <= cap for which expr(MR), a map's end, fits; the map stays as laid out for it. None: leaves
 * lay_out with what one row needs. */
#define FIT(dst, name, cap, expr)                                                                  \
    do {                                                                                           \
        uint32_t MR = 1, lo_ = 0, hi_ = (cap);                                                     \
        uint64_t need_ = (expr);                                                                   \
        while (lo_ < hi_) {                                                                        \
            MR = lo_ + (hi_ - lo_ + 1) / 2;                                                        \
            if ((expr) <= p->spm_bytes)                                                            \
                lo_ = MR;                                                                          \
            else                                                                                   \
                hi_ = MR - 1;                                                                      \
        }                                                                                          \
        if (!fits(bad, lo_, name, "bytes of scratchpad", need_, p->spm_bytes)) return 0;           \
        (dst) = MR = lo_;                                                                          \
        (void)(expr);                                                                              \
    } while (0)

static bool fits(misfit *bad, uint32_t mr, const char *phase, const char *what, uint64_t need,
                 uint64_t have)
{
    if (mr) return true;
    *bad = (misfit){phase, what, need, have};
    return false;
}

/* ------------------------------------------------------------------ row tiles of products */

/* Matrices id .. id+n-1, which read the same rows. linear NULL: gate and up. */
typedef struct {
    const char *name;
    slx_mat_id id;
    int n;
    slx_map_linear *linear;
} phase;

static uint64_t map_phase(slx_plan *p, const phase *f, uint64_t at, bool whole, uint32_t mr)
{
    uint32_t kp = held_blocks(&p->mat[f->id], whole), groups = groups_of(p, whole, mr);
    if (!f->linear) {
        p->gateup.whole = whole, p->gateup.groups = groups;
        return map_gateup(p, &p->gateup, at, kp, mr);
    }
    f->linear->whole = whole, f->linear->groups = groups;
    return map_linear(p, f->linear, at, kp, &p->mat[f->id], mr);
}

/* What a phase takes of a step of max_rows rows with row tiles of mr, about, in clocks: the loads of activations, then
 * those of weights or the products, whichever takes longer. Sets *least to what the weights read once, or the products
 * evenly shared, would take alone. Only for comparing choices: no chip's latencies are in it. */
static double phase_clk(const slx_plan *p, const phase *f, bool whole, uint32_t mr, double *least)
{
    const slx_chip *c = p->chip;
    const slx_mat_plan *m = &p->mat[f->id];
    /* what the memory brings, or what crosses the middle of the mesh, where half of all bytes pass */
    double bytes_clk = fmin(slx_chip_get_peaks(c).hbm_bytes_s / (c->grid.clock_ghz * 1e9),
                            4.0 * (c->grid.x < c->grid.y ? c->grid.x : c->grid.y) * c->noc.link_bytes_clk);
    uint32_t rows = p->opt.max_rows, groups = groups_of(p, whole, mr),
             n = row_tiles(p, mr, groups > 1), share = groups ? p->tiles / groups : p->tiles,
             height = groups > 1 ? (rows + n - 1) / n : mr;
    /* passes of the tensor engine over the rows that come to a tile */
    uint32_t over = groups > 1 ? n / groups * up_div(height, c->ten.m)
                               : rows / mr * up_div(mr, c->ten.m) + up_div(rows % mr, c->ten.m);
    uint64_t slices = 0, most = 0; /* of a tile */
    double weights = 0, products = 0, even = 0, tiles = groups ? (double)n / groups : n;
    for (int i = 0; i < f->n; i++) {
        double rate = slx_chip_ten_rate(c, m[i].fmt);
        double pass = ceil((double)m[i].ns / c->ten.n) * m[i].kblk * 32 / c->ten.k / (rate > 0 ? rate : 1);
        slices += m[i].slices;
        if (!p->in_rom) weights += (double)m[i].slices * (double)slice_bytes(&m[i]);
        most += up_div(m[i].slices, share);
        products += up_div(m[i].slices, share) * (over * pass + tiles * c->ten.c0_cycles);
        even += (double)m[i].slices / p->tiles * rows / c->ten.m * pass;
    }
    /* rows into each tile, and all that tiles bring */
    double row = 33.0 * m->kblk, link = c->noc.link_bytes_clk, a;
    if (groups)
        a = height * tiles * row / link;
    else if (whole)
        a = rows * row * fmax(fmin((double)p->tiles, (double)slices) / bytes_clk, 1 / link);
    else
        a = rows * row * fmax((double)slices / bytes_clk, (double)most / link);
    *least = fmax(weights / bytes_clk, even);
    return a + fmax(weights * n / bytes_clk, products);
}

/* Rows of a row tile, what is held of a row, and groups of tiles for one phase: of what fits, the choice that takes the
 * least time. Returns the share of that time nothing could save; 0 = does not fit. */
static double lay_product(slx_plan *p, const phase *f, uint64_t at, misfit *bad)
{
    const slx_mat_plan *m = &p->mat[f->id];
    uint32_t all_rows = min_u64(p->max_m, p->opt.max_rows), best_mr = 0;
    uint32_t cap = min_u64(all_rows, p->acc_cells / cells_a_row(m));
    double best = INFINITY, least = 0, floor_clk = 0;
    bool best_whole = false;
    if (!fits(bad, cap, f->name, "accumulator cells", cells_a_row(m), p->acc_cells)) return 0;
    for (int whole = m->pieces == 1; whole < 2; whole++)
        for (uint32_t most = cap; most; most /= 2) {
            uint32_t lo = 0, hi = most;
            while (lo < hi) {
                uint32_t mr = lo + (hi - lo + 1) / 2;
                if (map_phase(p, f, at, whole, mr) <= p->spm_bytes)
                    lo = mr;
                else
                    hi = mr - 1;
            }
            if (groups_of(p, whole, lo ? lo : 1) > 1) lo = 1u << log2u(lo); /* heights are halves of one another */
            double clk = lo ? phase_clk(p, f, whole, lo, &least) : INFINITY;
            if (clk < best) {
                best = clk, floor_clk = least;
                best_mr = lo, best_whole = whole;
            }
        }
    if (!fits(bad, best_mr, f->name, "bytes of scratchpad", map_phase(p, f, at, false, 1),
              p->spm_bytes))
        return 0;
    map_phase(p, f, at, best_whole, best_mr);
    return floor_clk / best;
}

/* Fewest pieces that hold at most `budget`; 0 = not even with all. A node of the tree needs a block at least. */
static uint32_t pieces_for(const slx_plan *p, const slx_mat_plan *m, uint64_t budget)
{
    for (uint32_t n = 1; n <= 1u << m->log2g; n *= 2)
        if (held_bytes(p, m, n) <= budget) return n;
    return 0;
}

/* Lays everything out with slots of at most `budget` bytes. Returns a score, 0 = does not fit. */
static double lay_out(slx_plan *p, uint64_t budget, misfit *bad)
{
    slx_mat_plan *m = p->mat;
    const slx_hparams *hp = &p->model->hp;
    uint64_t slot = 0;
    const char *what = p->in_rom ? "bytes of scratchpad" : "slots of scratchpad";
    for (int i = 0; i < SLX_N_MATS; i++) {
        m[i].pieces = pieces_for(p, &m[i], budget);
        if (!fits(bad, m[i].pieces, slx_mat_name((slx_mat_id)i), what,
                  SLOTS * held_bytes(p, &m[i], 1u << m[i].log2g), SLOTS * budget))
            return 0;
    }
    /* q, k, v are one phase and share one map, as do gate and up */
    for (int i = SLX_MAT_Q; i <= SLX_MAT_V; i++)
        for (int j = SLX_MAT_Q; j <= SLX_MAT_V; j++)
            if (m[j].pieces > m[i].pieces) m[i].pieces = m[j].pieces;
    uint32_t gu = m[SLX_MAT_GATE].pieces > m[SLX_MAT_UP].pieces ? m[SLX_MAT_GATE].pieces
                                                                : m[SLX_MAT_UP].pieces;
    m[SLX_MAT_GATE].pieces = m[SLX_MAT_UP].pieces = gu;
    for (int i = 0; i < SLX_N_MATS; i++)
        if (tile_bytes(&m[i], m[i].pieces) > slot) slot = tile_bytes(&m[i], m[i].pieces);
    p->slot = p->in_rom ? 0 : (uint32_t)up(slot, 64);
    p->slots = p->in_rom ? 0 : SLOTS;
    p->ring = 64;
    uint64_t at = p->ring + (uint64_t)p->slot * p->slots, have = p->spm_bytes;
    double score = 0;
    const phase phases[] = {{"q, k, v", SLX_MAT_Q, 3, &p->lin_qkv},
                            {"o", SLX_MAT_O, 1, &p->lin_o},
                            {"down", SLX_MAT_DOWN, 1, &p->lin_down},
                            {"gate and up", SLX_MAT_GATE, 2, NULL}};
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        double share = lay_product(p, &phases[i], at, bad);
        if (share <= 0) return 0;
        score += share;
    }
    uint32_t mr, cap, kp;
    const slx_mat_plan *h = &m[SLX_MAT_HEAD];
    kp = held_blocks(h, false);
    cap = min_u64(min_u64(p->max_m, p->opt.max_samples), p->acc_cells / cells_a_row(h));
    if (!fits(bad, cap, "head", "accumulator cells", cells_a_row(h), p->acc_cells)) return 0;
    FIT(mr, "head", cap, map_head(p, &p->head, at, kp, h, MR));

    cap = min_u64(p->rows_cap, 4095);
    FIT(mr, "embed", cap, map_embed(p, &p->embed, at, MR));
    FIT(mr, "rows", cap, map_rows(&p->rows, at, hp->d_model, true, hp->gpt, MR));
    score += (double)mr / cap;
    FIT(mr, "rowq", cap, map_rows(&p->rowq, at, p->attn_cols, false, false, MR));
    cap = min_u64(p->rows_cap, 4095 / p->heads);
    FIT(mr, "rope", cap, map_rope(p, &p->rope, at, 1, MR));
    score += (double)mr / p->rows_cap;

    /* items: enough of them for every tile in a step of max_rows; two page buffers unless they cost half the rows */
    uint64_t wide =
        p->group * (uint64_t)(hp->head_dim > SLX_MAX_CHUNK ? hp->head_dim : SLX_MAX_CHUNK);
    uint32_t want = (uint32_t)(((uint64_t)p->opt.max_rows * p->kv_heads + p->tiles - 1) / p->tiles),
             one, two;
    cap = min_u64(p->max_m / p->group, p->acc_cells / wide);
    if (!fits(bad, cap, "attention", "accumulator cells or rows of a product", wide, p->acc_cells))
        return 0;
    cap = min_u64(min_u64(cap, want), p->opt.max_rows);
    FIT(one, "attention", cap, map_attn(p, &p->attn, at, 1, MR));
    for (two = cap; two && map_attn(p, &p->attn, at, 2, two) > have;) two--;
    if (two * 2 < one) map_attn(p, &p->attn, at, 1, one);
    score += (double)p->attn.item_rows / cap;
    plan_short(p, at);
    if (p->brief.rows) score += 1 + p->brief.resident + p->brief.rows / 32.0;
    return score;
}

slx_status slx_plan_spm(slx_plan *p, slx_err *err)
{
    misfit bad = {0}, first = {0};
    double best = 0;
    uint64_t best_budget = 0;
    for (uint64_t budget = p->spm_bytes / 2; budget >= 256; budget -= budget / 8 + 1) {
        double s = lay_out(p, budget, &bad);
        if (s > best) {
            best = s;
            best_budget = budget;
        } else if (s <= 0 && (!first.phase || bad.need < first.need)) {
            first = bad;
        }
    }
    if (best <= 0)
        return slx_fail(err, SLX_EUNSUPPORTED, p->chip->path, 0, 0,
                        "%s of %s needs at least %llu %s, the chip has %llu; a smaller model, "
                        "fewer rows a step or a "
                        "larger tile.spm_kib or tile.acc_kib would fit",
                        first.phase, p->model->name, (unsigned long long)first.need, first.what,
                        (unsigned long long)first.have);
    lay_out(p, best_budget, &bad);
    return SLX_OK;
}
