/* memo_attention.c - what attention takes, from the lengths alone.
 *
 *   items     sequence x KV head x piece of item_rows rows, in the step's order; tile t does items t*I/T up to
 *             (t+1)*I/T - 1, as step.c shares them out, one after another
 *   alone     u = item_s + pages * page_s(rows) seconds an item, summed over a tile's items
 *   together  a tile asks for its p pages evenly over its u seconds. Those still at work ask a way that they share for
 *             D = sum of p / u * seconds a page keeps the way busy; where D > 1 all of them take D times as long
 *
 *                          max u
 *             attention =  integral  max(1, largest D of the ways) du
 *                            0
 *
 * Ways are memory, at the rate of streams, and the cuts of the mesh (mesh.c): a tile reads through one of the two
 * directions between the columns and one of those between the rows, by where it stands. item_s is four accesses one
 * after another: the item, its list of pages, its rows, the result. page_s is measured on the program itself (memo.c).
 * The integral is taken in BINS stretches of u; a tile that ends in one counts for its share of it. */
#include "time/memo_int.h"
#include "time/time_int.h"

#include <stdlib.h>
#include <string.h>

enum { BINS = 32 };

slx_status slx_memo_attention_init(slx_memo_attention *k, const slx_program *p, const slx_chip *c, slx_err *err)
{
    const slx_program_info *in = &p->info;
    slx_tm_mem mem;
    *k = (slx_memo_attention){
        .tiles = in->n_tiles, .heads = in->n_kv_heads, .item_rows = in->desc.item_rows, .sizes = 1};
    SLX_TRY(slx_tm_mem_init(&mem, c, in->n_tiles, err));
    while (k->sizes < SLX_MEMO_SIZES && UINT32_C(1) << (k->sizes - 1) < k->item_rows) k->sizes++;
    k->side = slx_xcalloc(k->tiles, 1);
    k->page_n = slx_xcalloc(2 * (size_t)k->tiles, sizeof *k->page_n);
    k->busy_s = k->page_n + k->tiles;
    double tick_s = 1 / (c->grid.clock_ghz * 1e9 * SLX_TM_TICKS), layers = in->n_layers;
    /* codes and scales of keys and values: tmpl_attn.c */
    double page_bytes = layers * (2.0 * SLX_MAX_CHUNK + 8) * in->head_dim_pad;
    k->item_s = layers * 4 * (double)(mem.start_ticks + mem.latency_ticks) * tick_s;
    k->page_memory_s = page_bytes / 64 * (double)mem.unit_ticks / (double)mem.all * tick_s;
    for (int i = 0; i < 4; i++)
        for (uint32_t t = 0; mem.cut[i].share && t < k->tiles; t++) {
            if (mem.cut[i].share[t] <= 0) continue;
            k->page_cut_s[i] = page_bytes * mem.cut[i].share[t] * mem.cut[i].ticks / mem.cut[i].n * tick_s;
            if (i % 2 == 0) k->side[t] |= i ? 2 : 1;
        }
    slx_tm_mem_deinit(&mem);
    return SLX_OK;
}

void slx_memo_attention_deinit(slx_memo_attention *k)
{
    free(k->side);
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
} cursor;

static void next_sequence(const slx_memo_attention *k, const slx_memo_seq *s, cursor *c)
{
    c->pieces = pieces_of(k, s->rows);
    c->left = c->pieces * k->heads, c->piece = 0;
}

/* The next items of sequence s, at most so many, into tile t: alike ones of several heads at once. Returns how many. */
static uint32_t take(const slx_memo_attention *k, bool is_short, const slx_memo_seq *s, cursor *c, uint32_t most,
                     uint32_t t, slx_memo_load *out)
{
    uint32_t first = c->piece * k->item_rows, rows = s->rows - first, n = c->pieces > 1 ? 1 : most;
    if (rows > k->item_rows) rows = k->item_rows;
    if (n > c->left) n = c->left;
    double each = slx_memo_pages((uint64_t)s->before + first + rows), pages = n * each;
    k->page_n[t] += pages;
    k->busy_s[t] += n * (k->item_s + each * of_rows(k, k->page_s[is_short], rows));
    out->pages += pages;
    out->joules += pages * of_rows(k, k->page_j[is_short], rows);
    c->left -= n;
    if (++c->piece == c->pieces) c->piece = 0;
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
    next_sequence(k, s, &c);
    for (uint32_t t = 0; t < k->tiles; t++) { /* up to (t + 1) * items / tiles */
        uint32_t mine = whole;
        over += rest;
        if (over >= k->tiles) over -= k->tiles, mine++;
        while (mine) {
            if (!c.left) next_sequence(k, ++s, &c);
            mine -= take(k, is_short, s, &c, mine, t, out);
        }
    }
}

/* What the way asked for most is asked for by tiles of the four sides. */
static double asked(const slx_memo_attention *k, const double side[4])
{
    double odd = side[1] + side[3], even = side[0] + side[2], high = side[2] + side[3], low = side[0] + side[1];
    const double way[5] = {(odd + even) * k->page_memory_s, odd * k->page_cut_s[0], even * k->page_cut_s[1],
                           high * k->page_cut_s[2], low * k->page_cut_s[3]};
    double most = 0;
    for (int i = 0; i < 5; i++) most = way[i] > most ? way[i] : most;
    return most;
}

slx_memo_load slx_memo_attention_of(const slx_memo_attention *k, bool is_short, const slx_memo_seq *seq, uint32_t n)
{
    /* pages a second of tiles that end in a stretch; the same by their share of it at work; of those beyond it */
    double ends[BINS][4] = {{0}}, part[BINS][4] = {{0}}, on[4] = {0};
    double most = 0;
    slx_memo_load out = {0};
    share_out(k, is_short, seq, n, &out);
    for (uint32_t t = 0; t < k->tiles; t++) most = k->busy_s[t] > most ? k->busy_s[t] : most;
    if (most <= 0) return out;
    double bins = BINS / most, busy = 0, pages = 0, each = 0, x = 0;
    int b = 0;
    for (uint32_t t = 0; t < k->tiles; t++) {
        if (k->page_n[t] <= 0) continue;
        if (k->busy_s[t] != busy || k->page_n[t] != pages) { /* heads of a sequence are alike */
            busy = k->busy_s[t], pages = k->page_n[t];
            x = busy * bins, each = pages / busy;
            b = x < BINS ? (int)x : BINS - 1;
        }
        ends[b][k->side[t]] += each;
        part[b][k->side[t]] += each * (x - b);
    }
    for (b = BINS - 1; b >= 0; b--) {
        double at_work[4];
        for (int i = 0; i < 4; i++) at_work[i] = on[i] + part[b][i], on[i] += ends[b][i];
        double d = asked(k, at_work);
        out.seconds += (d > 1 ? d : 1) * most / BINS;
    }
    return out;
}
