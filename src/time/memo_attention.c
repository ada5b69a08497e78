/* memo_attention.c - what attention takes, from the lengths alone.
 *
 *   items     sequence x KV head x piece of item_rows rows, in the step's order; a tile does a run of them, one after
 *             another, as isa/step_share.h shares them out
 *   alone     item_s(rows) + pages * page_s(rows) seconds an item; u: a tile's sum of them, without the start of its
 *             first item, during which no tile asks for anything
 *   together  a tile asks for its p pages evenly over its u seconds. Those still at work ask a way that they share for
 *             D = sum of p / u * seconds a page keeps the way busy; where D > 1 they take D times as long
 *
 *                                                     u
 *             attention =  start + max of tiles   integral  max(1, D of its lane, largest D of what all share) du
 *                                                     0
 *
 *             but not the seconds of items whose page takes longer alone than with all tiles together (full_s): of many
 *             rows, they compute while it comes
 *
 * A tile without items, or through with them, loads weights in a short step: what of them passes its lane asks for it
 * like pages.
 *
 * All share memory, at the rate of streams, and the links between the columns of the mesh (mesh.c), which a tile reads
 * through one way or the other. A lane is what the tiles of one column share above or below the cut between the rows: a
 * link of their own. item_s and page_s are measured on the program itself (memo.c). The integral is taken in BINS
 * stretches of u; a tile that ends in one counts for its share of it.
 *
 * Beside attention, keys and values are stored. Of a row that is a byte of a unit and more (its V scale), at the same
 * pseudo-channel for all rows of a page: they wait for one another, where they are more than the rows' other work
 * hides. */
#include "time/memo_int.h"
#include "time/time_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 8, FOUR = 4 };

/* Four floats at once, on every host that the compilers know. */
typedef float four __attribute__((vector_size(FOUR * sizeof(float))));
typedef int32_t four_bits __attribute__((vector_size(FOUR * sizeof(float))));

static inline four four_at(const float *x)
{
    four v;
    memcpy(&v, x, sizeof v);
    return v;
}

static uint32_t whole(uint32_t n)
{
    return (n + FOUR - 1) / FOUR * FOUR;
}

/* Where tiles ask for so many pages through each lane: seconds that the way is busy which all share and is busiest. */
static float shared(const slx_memo_attention *k, const float *pages)
{
    four sum = {0}, there = {0};
    for (uint32_t l = 0, n = k->lanes; l < n; l += FOUR) {
        four x = four_at(pages + l);
        sum += x, there += x * four_at(k->is_right + l);
    }
    float all = sum[0] + sum[1] + sum[2] + sum[3], right = there[0] + there[1] + there[2] + there[3];
    float most = all * (float)k->page_memory_s,
          way[2] = {right * (float)k->page_cut_s[0], (all - right) * (float)k->page_cut_s[1]};
    for (int i = 0; i < 2; i++) most = way[i] > most ? way[i] : most;
    return most;
}

/* Seconds of a page while all tiles ask for one after another. */
static double full(const slx_memo_attention *k)
{
    float *on = k->on;
    memset(on, 0, k->lanes * sizeof *on);
    for (uint32_t t = 0; t < k->tiles; t++) on[k->lane[t]] += 1;
    double s = shared(k, on);
    for (uint32_t l = 0; l < k->lanes; l++) s = fmax(s, on[l] * k->lane_s[l]);
    return s;
}

/* Bytes of a layer's weights that a short step loads while attention is under way (emit.c, short_layer): those of the
 * output and of up. *near: each tile's from the stack near it. */
static double weights_bytes(const slx_program *p, bool *near)
{
    double sum = 0;
    for (uint32_t i = 0; i < p->n_weights; i++) {
        const slx_weight *w = &p->weights[i];
        if (strncmp(w->tensor, "blk.0.", 6) || w->layout != SLX_LAYOUT_SLICES) continue;
        if (!strstr(w->tensor, "attn_output") && !strstr(w->tensor, "ffn_up")) continue;
        sum += (double)w->bytes;
        *near = w->ways > 1;
    }
    return sum;
}

slx_status slx_memo_attention_init(slx_memo_attention *k, const slx_program *p, const slx_chip *c, slx_err *err)
{
    const slx_program_info *in = &p->info;
    slx_tm_mem mem;
    *k = (slx_memo_attention){
        .info = in, .tiles = in->n_tiles, .heads = in->n_kv_heads, .item_rows = in->desc.item_rows, .sizes = 1};
    SLX_TRY(slx_tm_mem_init(&mem, c, in->n_tiles, err));
    while (k->sizes < SLX_MEMO_SIZES && UINT32_C(1) << (k->sizes - 1) < k->item_rows) k->sizes++;
    uint32_t columns = k->columns = mem.cut[2].share ? mem.cut[2].n : 1;
    k->lanes = whole(2 * columns), k->padded = whole(k->tiles);
    k->ends = slx_xcalloc((3 * BINS + 3) * (size_t)k->lanes, sizeof *k->ends);
    k->part = k->ends + BINS * k->lanes, k->loaded = k->part + BINS * k->lanes;
    k->on = k->loaded + BINS * k->lanes;
    k->lane_s = k->on + k->lanes, k->is_right = k->lane_s + k->lanes;
    k->page_n = slx_xcalloc(7 * (size_t)k->padded, sizeof *k->page_n);
    k->busy_s = k->page_n + k->padded;
    k->more_s = k->busy_s + k->padded, k->stiff_s = k->more_s + k->padded;
    k->rate = k->stiff_s + k->padded, k->into = k->rate + k->padded, k->crossing = k->into + k->padded;
    k->lane = slx_xcalloc(2 * (size_t)k->padded, sizeof *k->lane);
    k->at = k->lane + k->padded;
    k->bound = slx_xcalloc(2 * (k->tiles + (size_t)1), sizeof *k->bound);
    k->before = k->bound + k->tiles + 1;
    k->seq = slx_xcalloc(in->desc.max_seqs + (size_t)1, sizeof *k->seq);
    bool near = false;
    double tick_s = 1 / (c->grid.clock_ghz * 1e9 * SLX_TM_TICKS), layers = in->n_layers;
    /* codes and scales of keys and values: tmpl_attn.c */
    double page_bytes = layers * (2.0 * SLX_MAX_CHUNK + 8) * in->head_dim_pad;
    /* a V scale is a byte of a unit, which is read first; all rows of a page have it in the same pseudo-channel */
    k->append_row_s = layers * in->n_kv_heads * 2 * (double)mem.unit_ticks * tick_s;
    k->append_free = SLX_MAX_CHUNK;
    k->page_memory_s = page_bytes / 64 * (double)mem.unit_ticks / (double)mem.all * tick_s;
    double page_link_s = page_bytes * mem.link_ticks * tick_s;
    k->weights_s = weights_bytes(p, &near) * layers / k->tiles * mem.link_ticks * tick_s;
    for (uint32_t t = 0; t < k->tiles; t++) {
        bool up = mem.cut[3].share && mem.cut[3].share[t] > 0;
        k->lane[t] = (int32_t)(t % columns + (up ? columns : 0));
        for (int i = 0; i < 4; i++)
            if (mem.cut[i].share && mem.cut[i].share[t] > 0)
                k->page_cut_s[i] = page_bytes * mem.cut[i].share[t] * mem.cut[i].ticks * tick_s;
        const slx_tm_cut *cut = &mem.cut[up ? 3 : 2];
        if (cut->share && cut->share[t] > 0)
            k->crossing[t] = (float)((near ? cut->from[mem.own[t]] : cut->share[t]) / cut->share[t] / page_link_s);
        k->lane_s[k->lane[t]] = (float)k->page_cut_s[up ? 3 : 2];
        k->is_right[k->lane[t]] = mem.cut[0].share && mem.cut[0].share[t] > 0;
    }
    k->full_s = full(k);
    slx_tm_mem_deinit(&mem);
    return SLX_OK;
}

void slx_memo_attention_deinit(slx_memo_attention *k)
{
    free(k->ends);
    free(k->page_n);
    free(k->lane);
    free(k->bound);
    free(k->seq);
}

uint32_t slx_memo_attention_rows(const slx_memo_attention *k, uint32_t i)
{
    return UINT32_C(1) << i < k->item_rows ? UINT32_C(1) << i : k->item_rows;
}

/* Of items of so many rows, between the sizes that are known. */
static slx_memo_alone of_rows(const slx_memo_attention *k, bool is_short, uint32_t rows)
{
    const slx_memo_alone *known = k->alone[is_short];
    if (rows <= 1) return known[0];
    uint32_t i = 31u - (uint32_t)__builtin_clz(rows), low = UINT32_C(1) << i;
    if (i + 1 >= k->sizes) return known[k->sizes - 1];
    const slx_memo_alone *a = known + i, *b = a + 1;
    double share = (double)(rows - low) / (slx_memo_attention_rows(k, i + 1) - low);
    return (slx_memo_alone){a->item_s + (b->item_s - a->item_s) * share, a->page_s + (b->page_s - a->page_s) * share,
                            a->page_j + (b->page_j - a->page_j) * share};
}

/* So many items alike, one after another: each has pages, and takes more_s longer than its pages take items of one row;
 * of its seconds stiff_s do not dilate. */
typedef struct {
    uint32_t items;
    double pages, more_s, stiff_s;
} run;

static run run_of(const slx_memo_attention *k, bool is_short, uint32_t items, uint32_t rows, uint64_t end,
                  slx_memo_load *out)
{
    run r = {.items = items, .pages = slx_memo_pages(end)};
    slx_memo_alone a = of_rows(k, is_short, rows), one = k->alone[is_short][0];
    r.more_s = a.item_s - one.item_s + r.pages * (a.page_s - one.page_s);
    r.stiff_s = a.page_s < k->full_s ? 0 : a.item_s + r.pages * a.page_s;
    out->joules += items * r.pages * a.page_j;
    return r;
}

/* Where tile after tile of the items gets its own. */
typedef struct {
    uint32_t tile, items; /* tiles that have theirs; items so far */
    run all, given;       /* sums of all items so far, and of those tiles' */
} dealer;

static void run_add(run *to, const run *r, double items)
{
    to->more_s += items * r->more_s, to->stiff_s += items * r->stiff_s;
}

static void deal(const slx_memo_attention *k, dealer *d, const run *r)
{
    uint32_t first = d->items, t = d->tile;
    for (d->items += r->items; t < k->tiles && k->bound[t + 1] <= d->items; t++) {
        run to = d->all;
        run_add(&to, r, k->bound[t + 1] - first);
        k->more_s[t] = (float)(to.more_s - d->given.more_s);
        k->stiff_s[t] = (float)(to.stiff_s - d->given.stiff_s);
        d->given = to;
    }
    d->tile = t;
    run_add(&d->all, r, r->items);
}

/* Tile t has the items from bound[t] up to bound[t + 1] - 1. */
static void bounds(slx_memo_attention *k, const slx_memo_seq *seq, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) k->seq[i] = (slx_share_seq){seq[i].rows, seq[i].before};
    slx_share_out(k->info, k->seq, n, k->bound, k->before);
}

/* Pages of every tile, and its seconds beyond those of items of one row. */
static void share_out(slx_memo_attention *k, bool is_short, const slx_memo_seq *seq, uint32_t n, slx_memo_load *out)
{
    uint32_t rows = 0;
    dealer d = {0};
    for (uint32_t i = 0; i < n; i++) rows += seq[i].rows;
    bounds(k, seq, n);
    for (uint32_t t = 0; t < k->tiles; t++) k->page_n[t] = (float)(k->before[t + 1] - k->before[t]);
    if (rows == n) { /* a row each */
        memset(k->more_s, 0, 2 * (size_t)k->padded * sizeof *k->more_s);
        out->joules = k->before[k->tiles] * k->alone[is_short][0].page_j;
        return;
    }
    for (const slx_memo_seq *s = seq; s < seq + n; s++) {
        uint32_t pieces = slx_memo_pieces(k->item_rows, s->rows);
        if (pieces == 1) {
            run r = run_of(k, is_short, k->heads, s->rows, (uint64_t)s->before + s->rows, out);
            deal(k, &d, &r);
            continue;
        }
        for (uint32_t i = 0; i < k->heads * pieces; i++) { /* head after head, each in pieces */
            uint32_t first = i % pieces * k->item_rows, most = s->rows - first;
            uint32_t each = most < k->item_rows ? most : k->item_rows;
            run r = run_of(k, is_short, 1, each, (uint64_t)s->before + first + each, out);
            deal(k, &d, &r);
        }
    }
}

/* n: a multiple of FOUR; none is negative. */
static float largest(const float *x, uint32_t n)
{
    four most = {0};
    for (uint32_t i = 0; i < n; i += FOUR) {
        four v = four_at(x + i);
        four_bits more = v > most;
        most = (four)(((four_bits)v & more) | ((four_bits)most & ~more));
    }
    float a = most[0] > most[1] ? most[0] : most[1], b = most[2] > most[3] ? most[2] : most[3];
    return a > b ? a : b;
}

/* Seconds alone of every tile, but for the start of its first item; the longest. */
static float alone(const slx_memo_attention *k, bool is_short)
{
    const uint32_t *bound = k->bound;
    const float *pages = k->page_n, *more = k->more_s;
    const slx_memo_alone *one = k->alone[is_short];
    float *restrict busy = k->busy_s, item_s = (float)one->item_s, page_s = (float)one->page_s;
    for (uint32_t t = 0, n = k->tiles; t < n; t++) {
        float later = (float)((int32_t)bound[t + 1] - (int32_t)bound[t]) - 1;
        later = later > 0 ? later : 0;
        float all = later * item_s + pages[t] * page_s + more[t];
        busy[t] = all > 0 ? all : 0; /* where larger items were measured as shorter ones */
    }
    return largest(busy, k->padded);
}

/* Of each stretch: pages a second that tiles ending in it ask for through each lane, whole and by their share of it. */
static void stretches(const slx_memo_attention *k, float scale)
{
    const float *pages = k->page_n, *busy = k->busy_s;
    float *restrict rate = k->rate, *restrict into = k->into, *ends = k->ends, *part = k->part;
    const int32_t *lane = k->lane;
    int32_t *restrict at = k->at;
    float lanes = (float)k->lanes;
    memset(ends, 0, BINS * (size_t)k->lanes * sizeof *ends);
    memset(part, 0, BINS * (size_t)k->lanes * sizeof *part);
    for (uint32_t t = 0, n = k->padded; t < n; t++) {
        float x = busy[t] * scale, b = (float)(int32_t)x; /* all of this at 4 tiles an instruction */
        b = b < BINS - 1 ? b : BINS - 1;
        rate[t] = pages[t] / (busy[t] + 1e-30f);
        into[t] = x - b;
        at[t] = lane[t] + (int32_t)(b * lanes);
    }
    for (uint32_t t = 0, n = k->tiles; t < n; t++) {
        ends[at[t]] += rate[t];
        part[at[t]] += rate[t] * into[t];
    }
}

/* Weights that tiles load through each lane, in each stretch, when they have no items left: in pages a second. They go
 * in no order with the pages, but take the links of the mesh from them. */
static void loads(const slx_memo_attention *k, float scale)
{
    float lasts = (float)k->weights_s * scale;
    memset(k->loaded, 0, BINS * (size_t)k->lanes * sizeof *k->loaded);
    for (uint32_t t = 0; t < k->tiles; t++) {
        if (k->crossing[t] <= 0) continue;
        float from = k->busy_s[t] * scale, to = from + lasts < BINS ? from + lasts : BINS;
        for (uint32_t b = (uint32_t)from; (float)b < to; b++) {
            float begin = from > (float)b ? from : (float)b, end = to < (float)(b + 1) ? to : (float)(b + 1);
            k->loaded[b * k->lanes + (uint32_t)k->lane[t]] += k->crossing[t] * (end - begin);
        }
    }
}

/* Ends and parts become by how much a stretch lasts longer, and all of those before it. */
static void dilate(const slx_memo_attention *k, bool is_short)
{
    uint32_t lanes = k->lanes;
    float *restrict on = k->on;
    const float *page_s = k->lane_s;
    memset(on, 0, lanes * sizeof *on);
    for (uint32_t b = BINS; b-- > 0;) {
        float *restrict p = k->part + b * lanes, *restrict e = k->ends + b * lanes;
        for (uint32_t l = 0; l < lanes; l++) p[l] += on[l], on[l] += e[l];
        float all = shared(k, p);
        all = all > 1 ? all : 1;
        const float *w = k->loaded + b * lanes;
        for (uint32_t l = 0; l < lanes && is_short; l++) p[l] += w[l];
        for (uint32_t l = 0; l < lanes; l++) {
            float d = p[l] * page_s[l];
            e[l] = (d > all ? d : all) - 1;
        }
    }
    memset(on, 0, lanes * sizeof *on);
    for (uint32_t b = 0; b < BINS; b++) {
        float *restrict p = k->part + b * lanes, *restrict e = k->ends + b * lanes;
        for (uint32_t l = 0; l < lanes; l++) p[l] = on[l], on[l] += e[l];
    }
}

/* Seconds together of the tile that is last. */
static float together(const slx_memo_attention *k, float scale)
{
    const float *ends = k->ends, *part = k->part, *into = k->into, *busy = k->busy_s, *stiff = k->stiff_s;
    const int32_t *at = k->at;
    float *restrict s = k->rate, each = 1 / scale;
    for (uint32_t t = 0, n = k->tiles; t < n; t++) s[t] = part[at[t]] + into[t] * ends[at[t]];
    for (uint32_t t = 0, n = k->padded; t < n; t++) {
        float soft = 1 - stiff[t] / (busy[t] + 1e-30f);
        s[t] = busy[t] + (soft > 0 ? soft : 0) * s[t] * each;
    }
    return largest(s, k->padded);
}

/* Pages of the lane that has most. */
static float lane_pages(const slx_memo_attention *k)
{
    float *restrict on = k->on;
    memset(on, 0, k->lanes * sizeof *on);
    for (uint32_t t = 0; t < k->tiles; t += k->columns) { /* a row of the grid */
        const float *pages = k->page_n + t;
        float *restrict to = on + k->lane[t];
        for (uint32_t i = 0, n = least(k->columns, k->tiles - t); i < n; i++) to[i] += pages[i];
    }
    return largest(on, k->lanes);
}

uint32_t slx_memo_attention_page_rows(const slx_memo_seq *seq, uint32_t n)
{
    uint32_t most = 1;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t rows = seq[i].rows, first = SLX_MAX_CHUNK - seq[i].before % SLX_MAX_CHUNK;
        if (rows <= most) continue;
        if (rows > first) rows = rows - first > first ? rows - first : first;
        if (rows > SLX_MAX_CHUNK) rows = SLX_MAX_CHUNK;
        most = rows > most ? rows : most;
    }
    return most;
}

slx_memo_load slx_memo_attention_of(slx_memo_attention *k, bool is_short, const slx_memo_seq *seq, uint32_t n)
{
    slx_memo_load out = {0};
    share_out(k, is_short, seq, n, &out);
    float busy = alone(k, is_short);
    out.seconds = k->alone[is_short][0].item_s;
    if (busy > 0) {
        float scale = BINS / busy;
        stretches(k, scale);
        if (is_short) loads(k, scale);
        dilate(k, is_short);
        out.seconds += together(k, scale);
    }
    out.pages = lane_pages(k);
    double crowd = slx_memo_attention_page_rows(seq, n) - k->append_free;
    out.append_s = is_short || crowd < 0 ? 0 : crowd * k->append_row_s;
    return out;
}
