/* plan_spm.c - scratchpad and accumulators: how large a slot of weights, how many pieces of the contraction, how many
 * rows a row tile. Where everything lies then is in plan_map.c.
 *
 * The slot is found by trying: half the scratchpad, then smaller; the choice wins whose phases together come nearest to
 * what they take at least, with a short step beside them. Weights in ROM need no slot: what is tried is then the bytes
 * of a row of activations held at once.
 */
#include "compile/plan_map.h"
#include "compile/tmpl_int.h"

#include <math.h>

/* Of the ring: while one is multiplied the next comes. */
enum { SLOTS = 2 };

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
        if (slx_spm_cells_a_row(&p->mat[i]) > cells) cells = slx_spm_cells_a_row(&p->mat[i]);
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
            if (slx_spm_map_short(p, &p->brief, at, r, b, resident) <= p->spm_bytes) return;
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
    uint32_t kp = slx_spm_held_blocks(&p->mat[f->id], whole), groups = slx_spm_groups_of(p, whole, mr);
    if (!f->linear) {
        p->gateup.whole = whole, p->gateup.groups = groups;
        return slx_spm_map_gateup(p, &p->gateup, at, kp, mr);
    }
    f->linear->whole = whole, f->linear->groups = groups;
    return slx_spm_map_linear(p, f->linear, at, kp, &p->mat[f->id], mr);
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
    uint32_t rows = p->opt.max_rows, groups = slx_spm_groups_of(p, whole, mr),
             n = slx_spm_row_tiles(p, mr, groups > 1), share = groups ? p->tiles / groups : p->tiles,
             height = groups > 1 ? (rows + n - 1) / n : mr;
    /* passes of the tensor engine over the rows that come to a tile */
    uint32_t over = groups > 1 ? n / groups * slx_spm_up_div(height, c->ten.m)
                               : rows / mr * slx_spm_up_div(mr, c->ten.m) + slx_spm_up_div(rows % mr, c->ten.m);
    uint64_t slices = 0, most = 0; /* of a tile */
    double weights = 0, products = 0, even = 0, tiles = groups ? (double)n / groups : n;
    for (int i = 0; i < f->n; i++) {
        double rate = slx_chip_ten_rate(c, m[i].fmt);
        double pass = ceil((double)m[i].ns / c->ten.n) * m[i].kblk * 32 / c->ten.k / (rate > 0 ? rate : 1);
        slices += m[i].slices;
        if (!p->in_rom) weights += (double)m[i].slices * (double)slx_spm_slice_bytes(&m[i]);
        most += slx_spm_up_div(m[i].slices, share);
        products += slx_spm_up_div(m[i].slices, share) * (over * pass + tiles * c->ten.c0_cycles);
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
    uint32_t cap = min_u64(all_rows, p->acc_cells / slx_spm_cells_a_row(m));
    double best = INFINITY, least = 0, floor_clk = 0;
    bool best_whole = false;
    if (!fits(bad, cap, f->name, "accumulator cells", slx_spm_cells_a_row(m), p->acc_cells)) return 0;
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
            if (lo && slx_spm_groups_of(p, whole, lo) > 1)
                lo = 1u << slx_spm_log2u(lo); /* heights are halves of one another */
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
        if (slx_spm_held_bytes(p, m, n) <= budget) return n;
    return 0;
}

/* Lays everything out with slots of at most `budget` bytes. Returns a score, 0 = does not fit. */
static double lay_out(slx_plan *p, uint64_t budget, misfit *bad)
{
    slx_mat_plan *m = p->mat;
    const slx_hparams *hp = &p->model->hp;
    uint64_t slot = 0;
    const char *what = p->in_rom ? "bytes of scratchpad" : "bytes of scratchpad for weights";
    for (int i = 0; i < SLX_N_MATS; i++) {
        m[i].pieces = pieces_for(p, &m[i], budget);
        if (!fits(bad, m[i].pieces, slx_mat_name((slx_mat_id)i), what,
                  SLOTS * slx_spm_held_bytes(p, &m[i], 1u << m[i].log2g), SLOTS * budget))
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
        if (slx_spm_tile_bytes(&m[i], m[i].pieces) > slot) slot = slx_spm_tile_bytes(&m[i], m[i].pieces);
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
    kp = slx_spm_held_blocks(h, false);
    cap = min_u64(min_u64(p->max_m, p->opt.max_samples), p->acc_cells / slx_spm_cells_a_row(h));
    if (!fits(bad, cap, "head", "accumulator cells", slx_spm_cells_a_row(h), p->acc_cells)) return 0;
    FIT(mr, "head", cap, slx_spm_map_head(p, &p->head, at, kp, h, MR));

    cap = min_u64(p->rows_cap, 4095);
    FIT(mr, "embed", cap, slx_spm_map_embed(p, &p->embed, at, MR));
    FIT(mr, "rows", cap, slx_spm_map_rows(&p->rows, at, hp->d_model, true, hp->gpt, MR));
    score += (double)mr / cap;
    FIT(mr, "rowq", cap, slx_spm_map_rows(&p->rowq, at, p->attn_cols, false, false, MR));
    cap = min_u64(p->rows_cap, 4095 / p->heads);
    FIT(mr, "rope", cap, slx_spm_map_rope(p, &p->rope, at, 1, MR));
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
    FIT(one, "attention", cap, slx_spm_map_attn(p, &p->attn, at, 1, MR));
    for (two = cap; two && slx_spm_map_attn(p, &p->attn, at, 2, two) > have;) two--;
    if (two * 2 < one) slx_spm_map_attn(p, &p->attn, at, 1, one);
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
