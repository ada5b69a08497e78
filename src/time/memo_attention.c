/* memo_attention.c - what attention takes, from the lengths alone, once items are shared out (memo_share.c).
 *
 *   alone     pages * page_s(rows) + items behind one another * later_s seconds; u: a tile's sum of them, without the
 *             start of its first item, during which no tile asks for anything
 *   together  a tile asks for its p pages evenly over its u seconds. Those still at work ask a way that they share for
 *             D = sum of p / u * seconds a page keeps the way busy; where D > 1 their pages take D times as long
 *
 *                                                     u
 *             attention =  start + max of tiles   integral  max(1, D of its lane, largest D of what all share) du
 *                                                     0
 *
 *             but not the seconds between items, which no page fills, nor those of items whose page takes longer alone
 *             than with all tiles together (full_s): of many rows, they compute while it comes
 *
 * All share memory, at the rate of streams, and the links between the columns of the mesh (mesh.c), which a tile reads
 * through one way or the other. A lane is what the tiles of one column share above or below the cut between the rows:
 * a link of their own. What an item and a page take alone is measured on the program itself (memo_alone.c). The
 * integral is taken in BINS stretches of u; a tile that ends in one counts for its share of it.
 *
 * In a short step a tile without items, or through with its pages, loads weights meanwhile (memo_loads.c). Whoever asks
 * a busy way for so many bytes at a time gets a share of it in proportion to them: so a tile's weights count as pages
 * in the ratio of what it asks for at a time. The output of the last tile goes to all others, and waits for what their
 * links have still to bring them of weights.
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

static inline four larger(four a, four b)
{
    four_bits more = a > b;
    return (four)(((four_bits)a & more) | ((four_bits)b & ~more));
}

static uint32_t whole(uint32_t n)
{
    return (n + FOUR - 1) / FOUR * FOUR;
}

/* Where tiles ask for so many pages through each lane, and memory for `more`: seconds that the way is busy which all
 * share and is busiest. */
static float shared(const slx_memo_attention *k, const float *pages, float more)
{
    four sum = {0}, there = {0};
    for (uint32_t l = 0, n = k->lanes; l < n; l += FOUR) {
        four x = four_at(pages + l);
        sum += x, there += x * four_at(k->is_right + l);
    }
    float all = sum[0] + sum[1] + sum[2] + sum[3], right = there[0] + there[1] + there[2] + there[3];
    float most = (all + more) * (float)k->page_memory_s,
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
    double s = shared(k, on, 0);
    for (uint32_t l = 0; l < k->lanes; l++) s = fmax(s, on[l] * k->lane_s[l]);
    return s;
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
    k->ends = slx_xcalloc((3 * BINS + 7) * (size_t)k->lanes + BINS + 1, sizeof *k->ends);
    k->part = k->ends + BINS * k->lanes, k->loaded = k->part + BINS * k->lanes;
    k->asked = k->loaded + (BINS + 1) * k->lanes, k->on = k->asked + BINS + 1;
    k->lane_rate = k->on + 2 * k->lanes, k->lane_s = k->lane_rate + 2 * k->lanes, k->is_right = k->lane_s + k->lanes;
    k->page_n = slx_xcalloc(13 * (size_t)k->padded, sizeof *k->page_n);
    k->busy_s = k->page_n + k->padded;
    k->more_s = k->busy_s + k->padded, k->stiff_s = k->more_s + k->padded;
    k->rate = k->stiff_s + k->padded, k->into = k->rate + k->padded, k->load_s = k->into + k->padded;
    k->crossing = k->load_s + k->padded, k->asking = k->crossing + k->padded;
    k->link_s = k->asking + k->padded, k->gated_s = k->link_s + k->padded, k->queued_s = k->gated_s + k->padded;
    k->items_n = k->queued_s + k->padded;
    k->weights = slx_xcalloc(k->tiles, sizeof *k->weights);
    k->lane = slx_xcalloc(2 * (size_t)k->padded, sizeof *k->lane);
    k->at = k->lane + k->padded;
    k->bound = slx_xcalloc(4 * (k->tiles + (size_t)1), sizeof *k->bound);
    k->before = k->bound + k->tiles + 1, k->down = k->before + k->tiles + 1, k->across = k->down + k->tiles + 1;
    slx_share_order(in, k->down);
    for (uint32_t t = 0; t < k->tiles; t++) k->across[t] = t;
    k->seq = slx_xcalloc(in->desc.max_seqs + (size_t)1, sizeof *k->seq);
    double tick_s = k->tick_s = 1 / (c->grid.clock_ghz * 1e9 * SLX_TM_TICKS), layers = k->layers = in->n_layers;
    /* codes and scales of keys and values: tmpl_attn.c */
    double page_bytes = layers * (2.0 * SLX_MAX_CHUNK + 8) * in->head_dim_pad;
    /* a V scale is a byte of a unit, which is read first; all rows of a page have it in the same pseudo-channel */
    k->append_row_s = layers * in->n_kv_heads * 2 * (double)mem.unit_ticks * tick_s;
    k->append_free = SLX_MAX_CHUNK;
    k->page_memory_s = page_bytes / 64 * (double)mem.unit_ticks / (double)mem.all * tick_s;
    k->page_bytes = page_bytes;
    for (uint32_t t = 0; t < k->tiles; t++) {
        bool up = mem.cut[3].share && mem.cut[3].share[t] > 0;
        k->lane[t] = (int32_t)(t % columns + (up ? columns : 0));
        for (int i = 0; i < 4; i++)
            if (mem.cut[i].share && mem.cut[i].share[t] > 0)
                k->page_cut_s[i] = page_bytes * mem.cut[i].share[t] * mem.cut[i].ticks * tick_s;
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
    free(k->weights);
}

void slx_memo_attention_loads(slx_memo_attention *k)
{
    double tile = k->alone[1][0].page_s * k->page_window * k->page_bytes / k->layers;
    for (uint32_t t = 0; t < k->tiles; t++) {
        const slx_memo_weights *w = &k->weights[t];
        double pages = w->bytes * k->layers / k->page_bytes;
        k->link_s[t] = (float)w->link_s, k->queued_s[t] = (float)w->queued_s;
        k->gated_s[t] = w->gated_s > 0 ? (float)w->gated_s : -INFINITY;
        k->asking[t] = tile > 0 ? (float)(w->window_bytes / tile) : 0;
        k->load_s[t] = k->asking[t] > 0 ? (float)pages / k->asking[t] : 0;
        k->crossing[t] = w->bytes > 0 ? k->asking[t] * (float)(w->lane_bytes / w->bytes) : 0;
        k->lane_rate[k->lane[t]] += k->crossing[t];
        k->lane_rate[k->lanes + k->lane[t]] += k->crossing[t] * k->load_s[t];
        k->all_rate += k->asking[t], k->all_work += k->asking[t] * k->load_s[t];
    }
}

uint32_t slx_memo_attention_rows(const slx_memo_attention *k, uint32_t i)
{
    return UINT32_C(1) << i < k->item_rows ? UINT32_C(1) << i : k->item_rows;
}

/* n: a multiple of FOUR; none is negative. */
static float largest(const float *x, uint32_t n)
{
    four most = {0};
    for (uint32_t i = 0; i < n; i += FOUR) most = larger(four_at(x + i), most);
    float a = most[0] > most[1] ? most[0] : most[1], b = most[2] > most[3] ? most[2] : most[3];
    return a > b ? a : b;
}

/* Seconds alone of every tile, but for the start of its first item; the longest. */
static float alone(const slx_memo_attention *k, bool is_short)
{
    const float *restrict pages = k->page_n, *restrict items = k->items_n, *restrict more = k->more_s;
    float *restrict busy = k->busy_s, *restrict stiff = k->stiff_s, page_s = (float)k->alone[is_short][0].page_s;
    float later_s = (float)k->later_s[is_short], first_s = (float)k->first_s[is_short];
    for (uint32_t t = 0, n = k->padded; t < n; t++) {
        float later = items[t] - 1, behind = later * later_s + first_s;
        float gaps = later > 0 ? behind : 0, all = gaps + pages[t] * page_s + more[t];
        stiff[t] += gaps;
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

/* So many pages a second asked for from stretch `from` to stretch `to`: as differences, that are summed up later. */
static inline void ask(float *at, uint32_t step, float rate, float from, float to)
{
    for (int i = 0; i < 2; i++, rate = -rate) {
        float x = i ? to : from;
        if (x >= BINS) return;
        uint32_t b = (uint32_t)x;
        float whole_to = (float)(b + 1) - x;
        at[b * step] += rate * whole_to;
        at[(b + 1) * step] += rate * (1 - whole_to);
    }
}

/* Weights that tiles load when the queue is through with their pages, in each stretch: in pages a second. They take
 * memory and the links of the mesh from pages. Tiles without items load from the start, those of a lane together: what
 * all tiles do there, less those with items. */
static void loads(const slx_memo_attention *k, float scale)
{
    uint32_t lanes = k->lanes;
    float *restrict rate = k->on, *restrict work = k->on + lanes, all_rate = k->all_rate, all_work = k->all_work;
    memcpy(rate, k->lane_rate, 2 * (size_t)lanes * sizeof *rate);
    memset(k->loaded, 0, (BINS + 1) * ((size_t)lanes + 1) * sizeof *k->loaded);
    for (uint32_t t = 0; t < k->tiles; t++) {
        float through = k->crossing[t], all = k->asking[t], lasts = k->load_s[t];
        if (k->page_n[t] <= 0 || lasts <= 0) continue;
        rate[k->lane[t]] -= through, work[k->lane[t]] -= through * lasts;
        all_rate -= all, all_work -= all * lasts;
        float start = k->busy_s[t] - (float)k->lead_s, from = start > 0 ? start * scale : 0;
        if (through > 0) ask(k->loaded + k->lane[t], lanes, through, from, from + lasts * scale);
        ask(k->asked, 1, all, from, from + lasts * scale);
    }
    for (uint32_t l = 0; l < lanes; l++) /* what rounding leaves of no tiles is none */
        if (rate[l] > 1e-3f * k->lane_rate[l]) ask(k->loaded + l, lanes, rate[l], 0, work[l] / rate[l] * scale);
    if (all_rate > 1e-3f * k->all_rate) ask(k->asked, 1, all_rate, 0, all_work / all_rate * scale);
    for (uint32_t b = 1; b < BINS; b++) {
        float *restrict now = k->loaded + b * lanes;
        const float *before = now - lanes;
        for (uint32_t l = 0; l < lanes; l++) now[l] += before[l];
        k->asked[b] += k->asked[b - 1];
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
        float all = shared(k, p, is_short ? k->asked[b] : 0);
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

/* What the last tile's output waits for: it goes to all tiles, behind what their links have still to bring them. */
static float push_waits(const slx_memo_attention *k, float last)
{
    const float *end = k->rate, none[FOUR] = {0};
    four zero = four_at(none), lead = zero + (float)k->lead_s, most = zero;
    uint32_t who = 0;
    while (who + 1 < k->tiles && end[who] < last) who++;
    float link = k->link_s[who], gated = k->gated_s[who];
    k->link_s[who] = k->gated_s[who] = -INFINITY; /* its own do not count */
    for (uint32_t t = 0; t < k->padded; t += FOUR) {
        four e = four_at(end + t), free_at = larger(e - lead, zero) + four_at(k->link_s + t) - last;
        four queued = four_at(k->queued_s + t), own = e + four_at(k->gated_s + t) - last;
        most = larger(most, larger(-larger(-free_at, -queued), own));
    }
    k->link_s[who] = link, k->gated_s[who] = gated;
    float a = most[0] > most[1] ? most[0] : most[1], b = most[2] > most[3] ? most[2] : most[3];
    return a > b ? a : b;
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

/* Seconds of attention without merging, of items as they are shared out. */
static inline double law(const slx_memo_attention *k, bool is_short)
{
    float busy = alone(k, is_short);
    double start = k->alone[is_short][0].item_s;
    if (busy <= 0) return start;
    float scale = BINS / busy;
    stretches(k, scale);
    if (is_short) loads(k, scale);
    dilate(k, is_short);
    float last = together(k, scale);
    return start + last + (is_short && !k->cut.merge_ps ? push_waits(k, last) : 0);
}

#if defined(__x86_64__)
__attribute__((target("avx2"), flatten)) static double law_avx2(const slx_memo_attention *k, bool is_short)
{
    return law(k, is_short); /* the same roundings, eight at once */
}
#endif

static double law_of(const slx_memo_attention *k, bool is_short)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return law_avx2(k, is_short);
#endif
    return law(k, is_short);
}

slx_memo_load slx_memo_attention_of(slx_memo_attention *k, bool is_short, const slx_memo_seq *seq, uint32_t n)
{
    slx_memo_load out = {0};
    slx_memo_share_out(k, is_short, seq, n, &out);
    out.seconds = law_of(k, is_short) + (double)k->cut.merge_ps * 1e-12 * k->layers;
    out.pages = lane_pages(k);
    if (is_short) return out;
    double crowd = slx_memo_attention_page_rows(seq, n) - k->append_free;
    out.append_s = crowd < 0 ? 0 : crowd * k->append_row_s;
    return out;
}
