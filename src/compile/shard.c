/* shard.c - how a model is divided over the chips that run it together, so that every bit is that of one chip.
 *
 * A chip has a share of the heads, of the feed-forward columns and of the vocabulary; x and its norms are on all of
 * them. What a product needs of other chips comes in one of two exact ways:
 *   sum     each chip has an equal node of the segment tree over the contraction, RED adds the nodes: the very
 *           additions of the tree's upper levels (numerics.md), in its order
 *   gather  where the tree has no such nodes (too few segments, blocks that do not divide): GAT brings the whole
 *           contraction to every chip, each makes a share of the rows, GAT brings these together
 * Rows are dealt out in turns (row 0 to chip 0, slice 1 to chip 1, ...) where pieces are gathered, so that one piece of
 * each chip is a contiguous piece of the whole; in runs where a node of the tree wants its own columns.
 *
 * A degree is legal when every chip has whole KV heads. */
#include "compile/plan.h"
#include "compile/tmpl_int.h"

static bool power_of_two(uint32_t n)
{
    return n && !(n & (n - 1));
}

static uint32_t largest_legal(const slx_hparams *hp)
{
    uint32_t p = SLX_MAX_CHIPS;
    while (hp->n_kv_heads % p) p /= 2;
    return p;
}

/* The tree over `cols` columns has a node of the same number of whole blocks for each chip. */
static bool has_nodes(uint32_t cols, uint32_t chips)
{
    return chips > 1 && cols % (32 * chips) == 0 && slx_tree_segments(cols / 32) >= chips;
}

/* Slices of 32 rows a chip has when they are dealt out in turns. */
static uint32_t turns(uint32_t rows, uint32_t chips)
{
    return (uint32_t)up((rows + 31) / 32, chips) / chips;
}

slx_status slx_plan_shard(slx_plan *p, slx_err *err)
{
    const slx_hparams *hp = &p->model->hp;
    const slx_chip *c = p->chip;
    uint32_t n = p->opt.tp, d = hp->d_model;
    p->chips = n;
    if (n > SLX_MAX_CHIPS || !power_of_two(n))
        return slx_fail(err, SLX_EINPUT, "", 0, 0,
                        "tensor parallelism of %u chips, expected 1, 2, 4 or 8: the largest tensor "
                        "parallelism of %s is %u", n, p->model->path, largest_legal(hp));
    if (hp->n_kv_heads % n)
        return slx_fail(err, SLX_EUNSUPPORTED, p->model->path, 0, 0,
                        "%u KV heads over %u chips, expected whole heads on each: the largest "
                        "tensor parallelism of this model is %u",
                        hp->n_kv_heads, n, largest_legal(hp));
    if (n > 1 && !c->net.ports)
        return slx_fail(err, SLX_EUNSUPPORTED, c->path, 0, 0,
                        "tensor parallelism of %u chips: the chip has no links to others "
                        "(net.ports is 0)",
                        n);
    uint32_t cols = hp->n_heads * hp->head_dim;
    p->heads = hp->n_heads / n;
    p->kv_heads = hp->n_kv_heads / n;
    p->sum_o = has_nodes(cols, n);
    p->sum_down = has_nodes(hp->d_ff, n);
    p->kv_unit = n == 1 || p->sum_o ? p->kv_heads : 1;
    p->attn_cols = p->sum_o ? cols / n : cols;
    p->kblk_a = (p->attn_cols + 31) / 32;
    p->ff_rows = n == 1 ? hp->d_ff : p->sum_down ? hp->d_ff / n : 32 * turns(hp->d_ff, n);
    p->kblk_ff = p->sum_down ? hp->d_ff / n / 32 : (hp->d_ff + 31) / 32;
    p->ld_ff = n == 1 || p->sum_down ? p->kblk_ff : turns(hp->d_ff, n) * n;
    p->vocab_pad = 32 * turns(hp->vocab, n) * n;
    bool both = n == 1 || (p->sum_o && p->sum_down);
    p->y_stride = 4ull * (both ? up(d, 32) : 32ull * turns(d, n) * n);
    return SLX_OK;
}

/* Rows, contraction and recipe of one matrix on a chip. */
void slx_plan_shard_mat(const slx_plan *p, slx_mat_id id, slx_mat_plan *m)
{
    const slx_hparams *hp = &p->model->hp;
    uint32_t n = p->chips, hd = hp->head_dim, d = hp->d_model;
    bool whole = n == 1, sum = id == SLX_MAT_O ? p->sum_o : p->sum_down;
    switch (id) {
    case SLX_MAT_Q:
    case SLX_MAT_K:
    case SLX_MAT_V: {
        uint32_t heads = id == SLX_MAT_Q ? p->group : 1; /* of one KV head */
        m->n = p->kv_heads * heads * hd;
        m->k = d;
        m->shard_rows = whole ? 0 : p->kv_unit * heads * hd;
        break;
    }
    case SLX_MAT_GATE:
    case SLX_MAT_UP:
        m->n = p->ff_rows;
        m->k = d;
        m->shard_rows = whole ? 0 : p->sum_down ? p->ff_rows : 32;
        break;
    case SLX_MAT_O:
    case SLX_MAT_DOWN:
        m->n = whole || sum ? d : 32 * turns(d, n);
        m->k = id == SLX_MAT_O ? p->attn_cols : sum ? hp->d_ff / n : hp->d_ff;
        m->shard_rows = whole || sum ? 0 : 32;
        m->shard_k = sum;
        m->meet = whole ? SLX_MEET_NONE : sum ? SLX_MEET_SUM : SLX_MEET_GATHER;
        break;
    default:
        m->n = whole ? hp->vocab : p->vocab_pad / n;
        m->k = d;
        m->shard_rows = whole ? 0 : 32;
        m->meet = whole ? SLX_MEET_NONE : SLX_MEET_GATHER;
    }
    /* segments of the whole contraction; a node has its share of them */
    uint32_t g = slx_tree_segments((m->k * (m->shard_k ? n : 1) + 31) / 32) / (m->shard_k ? n : 1);
    m->log2g = 0;
    while (2u << m->log2g <= g) m->log2g++;
}
