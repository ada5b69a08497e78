/* memo_attention.c - what attention takes, from the lengths alone.
 *
 *   items     sequence x KV head x piece of item_rows rows, in the step's order; tile t does items t*I/T up to
 *             (t+1)*I/T - 1, as step.c shares them out, one after another
 *   alone     u = item_s + pages * page_s(rows) seconds an item, summed over a tile's items
 *   together  a tile asks for its p pages evenly over its u seconds. Those still at work ask a way that they share for
 *             D = sum of p / u * seconds a page keeps the way busy; where D > 1 they take D times as long
 *
 *                                       max u of lane
 *             attention =  max of lanes   integral    max(1, D of the lane, largest D of what all share) du
 *                                            0
 *
 * All share memory, at the rate of streams, and the links between the columns of the mesh (mesh.c), which a tile reads
 * through one way or the other. A lane is what the tiles of one column share above or below the cut between the rows: a
 * link of their own. item_s is four accesses one after another: the item, its list of pages, its rows, the result.
 * page_s is measured on the program itself (memo.c). The integral is taken in BINS stretches of u; a tile that ends in
 * one counts for its share of it. */
#include "time/memo_int.h"
#include "time/time_int.h"

#include <stdlib.h>
#include <string.h>

enum { BINS = 8 };

slx_status slx_memo_attention_init(slx_memo_attention *k, const slx_program *p, const slx_chip *c, slx_err *err)
{
    const slx_program_info *in = &p->info;
    slx_tm_mem mem;
    *k = (slx_memo_attention){
        .tiles = in->n_tiles, .heads = in->n_kv_heads, .item_rows = in->desc.item_rows, .sizes = 1};
    SLX_TRY(slx_tm_mem_init(&mem, c, in->n_tiles, err));
    while (k->sizes < SLX_MEMO_SIZES && UINT32_C(1) << (k->sizes - 1) < k->item_rows) k->sizes++;
    k->columns = mem.cut[2].share ? mem.cut[2].n : 1;
    k->lane = slx_xcalloc(k->tiles, sizeof *k->lane);
    k->right = slx_xcalloc(k->tiles, sizeof *k->right);
    size_t lanes = 2 * (size_t)k->columns;
    k->ends = slx_xcalloc((2 * BINS + 3) * lanes, sizeof *k->ends);
    k->part = k->ends + BINS * lanes;
    k->on = k->part + BINS * lanes, k->last = k->on + lanes, k->time = k->last + lanes;
    k->page_n = slx_xcalloc(2 * (size_t)k->tiles, sizeof *k->page_n);
    k->busy_s = k->page_n + k->tiles;
    double tick_s = 1 / (c->grid.clock_ghz * 1e9 * SLX_TM_TICKS), layers = in->n_layers;
    /* codes and scales of keys and values: tmpl_attn.c */
    double page_bytes = layers * (2.0 * SLX_MAX_CHUNK + 8) * in->head_dim_pad;
    k->item_s = layers * 4 * (double)(mem.start_ticks + mem.latency_ticks) * tick_s;
    k->page_memory_s = page_bytes / 64 * (double)mem.unit_ticks / (double)mem.all * tick_s;
    for (uint32_t t = 0; t < k->tiles; t++) {
        bool up = mem.cut[3].share && mem.cut[3].share[t] > 0;
        k->lane[t] = (uint16_t)(t % k->columns + (up ? k->columns : 0));
        k->right[t] = mem.cut[0].share && mem.cut[0].share[t] > 0;
        for (int i = 0; i < 4; i++)
            if (mem.cut[i].share && mem.cut[i].share[t] > 0)
                k->page_cut_s[i] = page_bytes * mem.cut[i].share[t] * mem.cut[i].ticks * tick_s;
    }
    slx_tm_mem_deinit(&mem);
    return SLX_OK;
}

void slx_memo_attention_deinit(slx_memo_attention *k)
{
    free(k->lane);
    free(k->right);
    free(k->ends);
    free(k->page_n);
}

uint32_t slx_memo_attention_rows(const slx_memo_attention *k, uint32_t i)
{
    return UINT32_C(1) << i < k->item_rows ? UINT32_C(1) << i : k->item_rows;
}

/* Of items of so many rows, between the sizes that are known. */
static double of_rows(const slx_memo_attention *k, const double *known, uint32_t rows)
{
    if (rows <= 1) return known[0];
    uint32_t i = 31u - (uint32_t)__builtin_clz(rows), low = UINT32_C(1) << i;
    if (i + 1 >= k->sizes) return known[k->sizes - 1];
    uint32_t high = slx_memo_attention_rows(k, i + 1);
    return known[i] + (known[i + 1] - known[i]) * (rows - low) / (high - low);
}

static uint32_t pieces_of(const slx_memo_attention *k, uint32_t rows)
{
    return rows <= k->item_rows ? 1 : (rows + k->item_rows - 1) / k->item_rows;
}

/* Items of a sequence: head after head, each in pieces. */
typedef struct {
    uint32_t left, pieces, piece; /* items; pieces of a head, which of them is next */
    double pages, busy_s, joules; /* of the next item */
} cursor;

static void next_piece(const slx_memo_attention *k, bool is_short, const slx_memo_seq *s, cursor *c)
{
    uint32_t first = c->piece * k->item_rows, rows = s->rows - first;
    if (rows > k->item_rows) rows = k->item_rows;
    c->pages = slx_memo_pages((uint64_t)s->before + first + rows);
    c->busy_s = k->item_s + c->pages * of_rows(k, k->page_s[is_short], rows);
    c->joules = c->pages * of_rows(k, k->page_j[is_short], rows);
}

static void next_sequence(const slx_memo_attention *k, bool is_short, const slx_memo_seq *s, cursor *c)
{
    c->pieces = pieces_of(k, s->rows);
    c->left = c->pieces * k->heads, c->piece = 0;
    next_piece(k, is_short, s, c);
}

/* The next items of sequence s, at most so many, into tile t: alike ones of several heads at once. Returns how many. */
static uint32_t take(const slx_memo_attention *k, bool is_short, const slx_memo_seq *s, cursor *c, uint32_t most,
                     uint32_t t, slx_memo_load *out)
{
    uint32_t n = c->pieces > 1 ? 1 : most < c->left ? most : c->left;
    k->page_n[t] += n * c->pages;
    k->busy_s[t] += n * c->busy_s;
    out->joules += n * c->joules;
    c->left -= n;
    if (c->pieces == 1) return n;
    if (++c->piece == c->pieces) c->piece = 0;
    next_piece(k, is_short, s, c);
    return n;
}

/* Pages and seconds of every tile. */
static void share_out(const slx_memo_attention *k, bool is_short, const slx_memo_seq *seq, uint32_t n,
                      slx_memo_load *out)
{
    uint32_t items = 0, over = 0;
    for (uint32_t i = 0; i < n; i++) items += pieces_of(k, seq[i].rows) * k->heads;
    memset(k->page_n, 0, 2 * (size_t)k->tiles * sizeof *k->page_n);
    uint32_t whole = items / k->tiles, rest = items % k->tiles;
    const slx_memo_seq *s = seq;
    cursor c;
    next_sequence(k, is_short, s, &c);
    for (uint32_t t = 0; t < k->tiles; t++) { /* up to (t + 1) * items / tiles */
        uint32_t mine = whole;
        over += rest;
        if (over >= k->tiles) over -= k->tiles, mine++;
        while (mine) {
            if (!c.left) next_sequence(k, is_short, ++s, &c);
            mine -= take(k, is_short, s, &c, mine, t, out);
        }
    }
}

/* Pages a second that are asked for: left and right of the cut between columns, and through each lane. */
typedef struct {
    double side[2];
    double *lane;
} rates;

/* Of what all share, the one that is asked for most; 1 where none is asked for more. */
static double asked(const slx_memo_attention *k, const double side[2])
{
    double most = 1, way[3] = {(side[0] + side[1]) * k->page_memory_s, side[1] * k->page_cut_s[0],
                               side[0] * k->page_cut_s[1]};
    for (int i = 0; i < 3; i++) most = way[i] > most ? way[i] : most;
    return most;
}

/* A stretch in every lane that is still at work. */
static void pass(const slx_memo_attention *k, double shared, const double *lane, int b)
{
    for (uint32_t l = 0; l < 2 * k->columns; l++) {
        double d = lane[l] * k->page_cut_s[l < k->columns ? 2 : 3], left = k->last[l] - b;
        left = left < 0 ? 0 : left > 1 ? 1 : left;
        k->time[l] += left * (d > shared ? d : shared);
    }
}

/* Of the tiles that end in each stretch: what they ask for, and the same by their share of it at work. */
static void stretches(const slx_memo_attention *k, double bins, rates ends[BINS], rates part[BINS])
{
    double busy = 0, pages = 0, each = 0, at_work = 0, x = 0;
    uint32_t b = 0, lanes = 2 * k->columns;
    memset(k->ends, 0, (2 * BINS + 3) * (size_t)lanes * sizeof *k->ends);
    for (uint32_t i = 0; i < BINS; i++)
        ends[i] = (rates){.lane = k->ends + i * lanes}, part[i] = (rates){.lane = k->part + i * lanes};
    for (uint32_t t = 0; t < k->tiles; t++) {
        if (k->page_n[t] <= 0) continue;
        if (k->busy_s[t] != busy || k->page_n[t] != pages) { /* heads of a sequence are alike */
            busy = k->busy_s[t], pages = k->page_n[t], each = pages / busy;
            x = busy * bins;
            b = x < BINS ? (uint32_t)x : BINS - 1;
            at_work = each * (x - b);
        }
        double *last = &k->last[k->lane[t]];
        *last = x > *last ? x : *last;
        ends[b].side[k->right[t]] += each, ends[b].lane[k->lane[t]] += each;
        part[b].side[k->right[t]] += at_work, part[b].lane[k->lane[t]] += at_work;
    }
}

slx_memo_load slx_memo_attention_of(const slx_memo_attention *k, bool is_short, const slx_memo_seq *seq, uint32_t n)
{
    rates ends[BINS], part[BINS], on = {.lane = k->on};
    double busy = 0, most = 0;
    slx_memo_load out = {0};
    share_out(k, is_short, seq, n, &out);
    for (uint32_t t = 0; t < k->tiles; t++) busy = k->busy_s[t] > busy ? k->busy_s[t] : busy;
    if (busy <= 0) return out;
    stretches(k, BINS / busy, ends, part);
    for (int b = BINS - 1; b >= 0; b--) {
        for (int i = 0; i < 2; i++) part[b].side[i] += on.side[i], on.side[i] += ends[b].side[i];
        for (uint32_t l = 0; l < 2 * k->columns; l++) part[b].lane[l] += on.lane[l], on.lane[l] += ends[b].lane[l];
        pass(k, asked(k, part[b].side), part[b].lane, b);
    }
    memset(k->on, 0, 2 * k->columns * sizeof *k->on);
    for (uint32_t t = 0; t < k->tiles; t++) k->on[k->lane[t]] += k->page_n[t];
    for (uint32_t l = 0; l < 2 * k->columns; l++) {
        most = k->time[l] > most ? k->time[l] : most;
        out.pages = k->on[l] > out.pages ? k->on[l] : out.pages;
    }
    out.seconds = most * busy / BINS;
    return out;
}
