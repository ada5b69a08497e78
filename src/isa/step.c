/* step.c - one step's descriptor from the rows its sequences want computed. Layout: program.h.
 *
 * Rows stand in the order of the sequences. A sequence's rows are cut into pieces of item_rows; each piece times each
 * KV head is one attention item over all chunks up to its last row. Long ones may be split into parts; items and parts
 * go to tiles in runs of about equal work (step_share.h): which tile does which, and in how many parts, changes no bit.
 */
#include "isa/step.h"

#include "isa/step_share.h"

#include <stdlib.h>
#include <string.h>

static void put32(uint8_t *base, uint64_t i, uint32_t v)
{
    uint8_t *p = base + 4 * i;
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

#define REFUSE(...) slx_fail(err, SLX_EINPUT, "", 0, 0, __VA_ARGS__)

static slx_status check_seq(const slx_program_info *in, const slx_step_seq *s, uint32_t i,
                            slx_err *err)
{
    uint64_t end = (uint64_t)s->pos0 + s->n;
    if (s->n == 0) return REFUSE("sequence %u has no rows in this step, expected at least one", i);
    if (s->n_samples > s->n)
        return REFUSE("sequence %u wants %u logit rows of %u rows", i, s->n_samples, s->n);
    if (end > in->max_context)
        return REFUSE("sequence %u reaches position %llu, the program's context is %u", i,
                      (unsigned long long)end - 1, in->max_context);
    if ((uint64_t)s->n_pages * SLX_MAX_CHUNK < end)
        return REFUSE("sequence %u has %u pages, expected %llu for position %llu", i, s->n_pages,
                      (unsigned long long)((end + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK),
                      (unsigned long long)end - 1);
    for (uint32_t k = 0; k < s->n_pages; k++)
        if (s->pages[k] >= in->desc.max_pages)
            return REFUSE("sequence %u uses page %u, the pool has %u", i, s->pages[k],
                          in->desc.max_pages);
    for (uint32_t k = 0; k < s->n; k++)
        if (s->tokens[k] >= in->vocab)
            return REFUSE("sequence %u has token %u, the vocabulary has %u", i, s->tokens[k],
                          in->vocab);
    return SLX_OK;
}

static slx_status check_total(const char *what, uint64_t found, uint32_t max, slx_err *err)
{
    if (found <= max) return SLX_OK;
    return REFUSE("the step has %llu %s, the program takes %u", (unsigned long long)found, what,
                  max);
}

/* Words of an item or merge. */
static void put_words(uint8_t *at, const uint32_t word[8])
{
    for (uint32_t k = 0; k < 8; k++) put32(at, k, word[k]);
}

/* What has been written of the attention table. */
typedef struct {
    const slx_program_info *info;
    slx_share_cut cut;
    uint8_t *desc;
    uint32_t items, merges, slots;
} tables;

/* One KV head of one piece: an item, or its parts and their merge. */
static void put_piece(tables *t, uint32_t row0, uint32_t head, uint32_t list, const slx_share_piece *p)
{
    const slx_desc_layout *l = &t->info->desc;
    uint32_t part = slx_share_part(t->info, &t->cut, p), each = slx_share_each(part), slot = t->slots;
    bool whole = part >= p->chunks;
    for (uint32_t first = 0; first < p->chunks; first += part) {
        uint32_t chunks = p->chunks - first < part ? p->chunks - first : part;
        put_words(t->desc + l->off_item + 32ull * t->items++,
                  (uint32_t[8]){row0 + p->first, p->rows, head, list + first, chunks, first, whole ? 0 : each,
                                whole ? 0 : slot});
        if (!whole) slot += (chunks + each - 1) / each * p->rows;
    }
    if (whole) return;
    put_words(t->desc + l->off_merge + 32ull * t->merges++,
              (uint32_t[8]){row0 + p->first, p->rows, head, list, p->chunks, (p->chunks + each - 1) / each,
                            each == 1 ? SLX_GROUP_CHUNKS : 1, t->slots});
    t->slots = slot;
}

/* Which items and which merges each tile does. */
static void put_spans(const tables *t, const slx_share_seq *seqs, uint32_t n)
{
    const slx_program_info *info = t->info;
    uint32_t tiles = info->n_tiles, *bound = slx_xcalloc(3 * (tiles + (size_t)1), sizeof *bound);
    uint32_t *before = bound + tiles + 1, *order = before + tiles + 1;
    bool spread = slx_share_out(info, &t->cut, seqs, n, bound, before);
    slx_share_order(info, order);
    for (uint32_t i = 0; i < tiles; i++) {
        uint32_t to = spread ? order[i] : i;
        put32(t->desc + info->desc.off_span, 2ull * to, bound[i]);
        put32(t->desc + info->desc.off_span, 2ull * to + 1, bound[i + 1] - bound[i]);
    }
    for (uint64_t i = 0; i < tiles && t->merges; i++) { /* merges over all columns too */
        uint32_t first = (uint32_t)(i * t->merges / tiles), end = (uint32_t)((i + 1) * t->merges / tiles);
        put32(t->desc + info->desc.off_merge_span, 2ull * order[i], first);
        put32(t->desc + info->desc.off_merge_span, 2ull * order[i] + 1, end - first);
    }
    free(bound);
}

slx_status slx_step_build(const slx_program_info *info, uint8_t *desc, const slx_step_seq *seqs,
                          uint32_t n_seqs, slx_err *err)
{
    const slx_desc_layout *l = &info->desc;
    uint64_t rows = 0, samples = 0, pages = 0, items = 0;
    SLX_TRY(check_total("sequences", n_seqs, l->max_seqs, err));
    for (uint32_t i = 0; i < n_seqs; i++) {
        const slx_step_seq *s = &seqs[i];
        SLX_TRY(check_seq(info, s, i, err));
        uint64_t used = ((uint64_t)s->pos0 + s->n + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK;
        rows += s->n;
        samples += s->n_samples;
        pages += used;
        items += (uint64_t)slx_share_pieces(info, s->n) * info->n_kv_heads;
    }
    SLX_TRY(check_total("rows", rows, l->max_rows, err));
    SLX_TRY(check_total("logit rows", samples, l->max_samples, err));
    SLX_TRY(check_total("pages", pages, l->max_pages, err));
    SLX_TRY(check_total("attention items", items, l->max_items, err));

    memset(desc, 0, l->bytes);
    put32(desc + l->off_header, 0, (uint32_t)rows);
    put32(desc + l->off_header, 1, (uint32_t)samples);
    put32(desc + l->off_header, 2, (uint32_t)pages);
    slx_share_seq *share = slx_xcalloc(n_seqs + (size_t)1, sizeof *share);
    for (uint32_t i = 0; i < n_seqs; i++) share[i] = (slx_share_seq){seqs[i].n, seqs[i].pos0};
    tables t = {.info = info, .cut = slx_share_choose(info, share, n_seqs), .desc = desc};
    uint32_t row = 0, slot = 0, list = 0, d = info->head_dim_pad;
    for (uint32_t i = 0; i < n_seqs; i++) {
        const slx_step_seq *s = &seqs[i];
        uint32_t row0 = row, used = (s->pos0 + s->n + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK;
        for (uint32_t k = 0; k < s->n; k++, row++) {
            uint32_t pos = s->pos0 + k, page = s->pages[pos / SLX_MAX_CHUNK],
                     off = pos % SLX_MAX_CHUNK;
            put32(desc + l->off_token, row, s->tokens[k]);
            put32(desc + l->off_position, row, pos);
            put32(desc + l->off_kcode, row, page * 264 + off);
            put32(desc + l->off_kscale, row, page * 8448 + off);
            put32(desc + l->off_vscale, row, page * 264 * d + off);
            put32(desc + l->off_lim, 2 * row + 1, pos + 1);
            if (k >= s->n - s->n_samples) put32(desc + l->off_sample, slot++, row);
        }
        for (uint32_t k = 0; k < used; k++) put32(desc + l->off_pages, list + k, s->pages[k]);
        /* one KV head after another: neighbouring items share pages */
        for (uint32_t h = 0; h < info->n_kv_heads; h++)
            for (uint32_t k = 0; k < slx_share_pieces(info, s->n); k++) {
                slx_share_piece p = slx_share_piece_at(info, &share[i], k);
                put_piece(&t, row0, h, list, &p);
            }
        list += used;
    }
    put32(desc + l->off_header, 3, t.merges);
    put_spans(&t, share, n_seqs);
    free(share);
    return SLX_OK;
}

slx_status slx_step_build_alike(const slx_program_info *info, uint8_t *desc, uint32_t n,
                                uint32_t rows, uint32_t before, uint32_t n_samples, slx_err *err)
{
    const slx_desc_layout *l = &info->desc;
    uint64_t end = (uint64_t)before + rows, each = (end + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK;
    if (end > info->max_context || rows > l->max_rows)
        return slx_fail(
            err, SLX_EINPUT, info->model_name, 0, 0,
            "%u new and %u old positions, expected at most %u in all and %u new ones a step", rows,
            before, info->max_context, l->max_rows);
    if (n > l->max_seqs || n * each > l->max_pages)
        return slx_fail(err, SLX_EINPUT, info->model_name, 0, 0,
                        "%u sequences of %llu pages, expected at most %u sequences and %u pages in "
                        "all",
                        n, (unsigned long long)each, l->max_seqs, l->max_pages);
    uint32_t *tokens = slx_xcalloc(rows, sizeof *tokens),
             *pages = slx_xcalloc((size_t)n * each + 1, sizeof *pages);
    slx_step_seq *seq = slx_xcalloc(n, sizeof *seq);
    for (uint32_t i = 0; i < n * each; i++) pages[i] = i;
    for (uint32_t i = 0; i < n; i++)
        seq[i] = (slx_step_seq){.tokens = tokens,
                                .n = rows,
                                .pos0 = before,
                                .n_samples = n_samples,
                                .pages = pages + i * each,
                                .n_pages = (uint32_t)each};
    slx_status st = slx_step_build(info, desc, seq, n, err);
    free(seq);
    free(pages);
    free(tokens);
    return st;
}
