/* grammar.c - see grammar.h: where an answer stands in its grammar, and which tokens may come.
 *
 * A place is a node that reads a byte, and the calls it is inside of: a chain of return nodes, each chain kept once, so
 * that two places are equal when their numbers are. The answer is at a set of places. A mask walks all tokens in the
 * order of their bytes, so what tokens have in common is walked once, and a beginning that fails is passed over with
 * all that begins so. Masks are kept by their set: inside a string the same one serves again and again.
 */
#include "run/grammar_int.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PLACES = 4096, MOST_STACKS = 1 << 22, MASKS = 256, BOTTOM = 0 };
enum { MOST_WORK = 1 << 28 }; /* places compared for one mask: a fraction of a second; usual is a hundredth */

/* ------------------------------------------------------------------ the bytes of tokens */

typedef struct {
    uint32_t id, at, len, common; /* common: bytes shared with the token before */
} token_row;

struct slx_token_bytes {
    token_row *row; /* in the order of their bytes */
    uint32_t n, vocab, n_ends, longest;
    uint32_t *ends;   /* end-of-generation tokens */
    uint32_t *row_of; /* by id; UINT32_MAX = none */
    slx_buf text;
};

static int by_bytes(const void *a, const void *b, void *text)
{
    const token_row *x = a, *y = b;
    int d = memcmp((char *)text + x->at, (char *)text + y->at, x->len < y->len ? x->len : y->len);
    return d ? d : (x->len > y->len) - (x->len < y->len);
}

slx_token_bytes *slx_token_bytes_open(const slx_tokenizer *t, int64_t shown)
{
    slx_token_bytes *b = slx_xcalloc(1, sizeof *b);
    b->vocab = slx_tok_vocab(t);
    b->row = slx_xcalloc(b->vocab, sizeof *b->row);
    b->ends = slx_xcalloc(b->vocab, sizeof *b->ends);
    b->row_of = slx_xcalloc(b->vocab, sizeof *b->row_of);
    for (uint32_t id = 0; id < b->vocab; id++) {
        size_t at = b->text.len;
        b->row_of[id] = UINT32_MAX;
        if (slx_tok_is_eog(t, id))
            b->ends[b->n_ends++] = id;
        else if (!slx_tok_is_control(t, id) || id == shown)
            slx_detokenize(t, id, true, &b->text);
        uint32_t len = (uint32_t)(b->text.len - at);
        if (len) b->row[b->n++] = (token_row){.id = id, .at = (uint32_t)at, .len = len};
        if (len > b->longest) b->longest = len;
    }
    qsort_r(b->row, b->n, sizeof *b->row, by_bytes, b->text.ptr);
    for (uint32_t i = 0; i < b->n; i++) {
        token_row *x = &b->row[i];
        b->row_of[x->id] = i;
        if (!i) continue;
        const token_row *y = &b->row[i - 1];
        while (x->common < x->len && x->common < y->len &&
               b->text.ptr[x->at + x->common] == b->text.ptr[y->at + x->common])
            x->common++;
    }
    return b;
}

void slx_token_bytes_close(slx_token_bytes *b)
{
    if (!b) return;
    slx_buf_free(&b->text);
    free(b->row);
    free(b->ends);
    free(b->row_of);
    free(b);
}

const uint32_t *slx_token_bytes_ends(const slx_token_bytes *b, uint32_t *n)
{
    *n = b->n_ends;
    return b->ends;
}

/* ------------------------------------------------------------------ places */

typedef struct {
    uint32_t node, stack;
} place;

typedef struct {
    place *at;
    uint32_t n, cap;
} place_list;

typedef struct {
    uint32_t back, below, next; /* node to go on at; the stack under it; hash chain */
} stack_row;

typedef struct {
    place *set;
    uint32_t n;
    bool complete;
    uint64_t hash;
    uint8_t *admits; /* a bit a token */
} mask_row;

struct slx_grammar {
    slx_gr g;
    const slx_token_bytes *bytes;
    stack_row *stacks;
    uint32_t n_stacks, cap_stacks, *buckets, n_buckets;
    place_list now, todo, path; /* path: sets along a token's bytes, one behind the other */
    uint32_t *level; /* where in path the set after so many bytes begins; [longest + 2] */
    bool complete;   /* the whole answer may end at `now` */
    bool broken;     /* more places, stacks or work than are sane: admits nothing */
    uint32_t work;   /* since the last mask */
    mask_row masks[MASKS];
    uint32_t n_masks;
};

static void push(place_list *l, place p)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        l->at = slx_xrealloc(l->at, l->cap * sizeof *l->at);
    }
    l->at[l->n++] = p;
}

static uint32_t bucket(const slx_grammar *g, uint32_t back, uint32_t below)
{
    return (back * 0x9e3779b1u ^ below * 0x85ebca77u) >> 7 & (g->n_buckets - 1);
}

static void grow_buckets(slx_grammar *g)
{
    g->n_buckets = g->n_buckets ? 4 * g->n_buckets : 1024;
    free(g->buckets);
    g->buckets = slx_xcalloc(g->n_buckets, sizeof *g->buckets);
    for (uint32_t i = 1; i < g->n_stacks; i++) {
        uint32_t *b = &g->buckets[bucket(g, g->stacks[i].back, g->stacks[i].below)];
        g->stacks[i].next = *b;
        *b = i;
    }
}

/* The one number of this stack; 0 is the empty one. */
static uint32_t stack_of(slx_grammar *g, uint32_t back, uint32_t below)
{
    for (uint32_t i = g->buckets[bucket(g, back, below)]; i; i = g->stacks[i].next)
        if (g->stacks[i].back == back && g->stacks[i].below == below) return i;
    if (g->n_stacks == MOST_STACKS) {
        g->broken = true;
        return BOTTOM;
    }
    if (g->n_stacks == g->cap_stacks) {
        g->cap_stacks *= 2;
        g->stacks = slx_xrealloc(g->stacks, g->cap_stacks * sizeof *g->stacks);
    }
    if (g->n_stacks > g->n_buckets) grow_buckets(g);
    uint32_t *b = &g->buckets[bucket(g, back, below)];
    g->stacks[g->n_stacks] = (stack_row){back, below, *b};
    *b = g->n_stacks;
    return g->n_stacks++;
}

/* Adds what p leads to without a byte: nodes that read one go to `out` from `first` on, each once. Returns whether the
 * answer may end here. */
static bool reach(slx_grammar *g, place p, place_list *out, uint32_t first)
{
    bool complete = false;
    g->todo.n = 0;
    push(&g->todo, p);
    for (uint32_t i = 0; i < g->todo.n && !g->broken; i++) {
        place q = g->todo.at[i];
        g->work += g->todo.n + (out->n - first);
        const slx_gr_node *n = &g->g.nodes[q.node];
        place next[2];
        uint32_t k = 0;
        switch (n->kind) {
        case SLX_GR_SET: {
            bool there = false;
            for (uint32_t m = first; m < out->n && !there; m++)
                there = out->at[m].node == q.node && out->at[m].stack == q.stack;
            if (!there) push(out, q);
            if (out->n - first > MOST_PLACES) g->broken = true;
            continue;
        }
        case SLX_GR_SPLIT:
            next[k++] = (place){n->next, q.stack};
            next[k++] = (place){n->arg, q.stack};
            break;
        case SLX_GR_CALL:
            next[k++] = (place){g->g.rules[n->arg], stack_of(g, n->next, q.stack)};
            break;
        case SLX_GR_END:
            if (q.stack == BOTTOM)
                complete = true;
            else
                next[k++] = (place){g->stacks[q.stack].back, g->stacks[q.stack].below};
            break;
        }
        for (uint32_t j = 0; j < k; j++) {
            bool seen = false;
            for (uint32_t m = 0; m < g->todo.n && !seen; m++)
                seen = g->todo.at[m].node == next[j].node && g->todo.at[m].stack == next[j].stack;
            if (!seen) push(&g->todo, next[j]);
        }
        if (g->todo.n > MOST_PLACES || g->work > MOST_WORK) g->broken = true;
    }
    return complete;
}

/* Of the set path[from .. to) the one after byte c, behind it in path. Complete when the answer may end there. */
static bool advance(slx_grammar *g, uint32_t from, uint32_t to, uint8_t c)
{
    bool complete = false;
    for (uint32_t i = from; i < to; i++) {
        place p = g->path.at[i];
        const slx_gr_node *n = &g->g.nodes[p.node];
        if (g->g.sets[n->arg].in[c / 64] >> c % 64 & 1)
            complete |= reach(g, (place){n->next, p.stack}, &g->path, to);
    }
    return complete;
}

/* ------------------------------------------------------------------ open, close */

slx_status slx_grammar_open(slx_grammar **out, const slx_token_bytes *bytes, const slx_form *form,
                            slx_err *err)
{
    slx_gr nodes;
    SLX_TRY(slx_gr_of_form(&nodes, form, err));
    slx_grammar *g = slx_xcalloc(1, sizeof *g);
    g->g = nodes;
    g->bytes = bytes;
    g->cap_stacks = 256;
    g->stacks = slx_xcalloc(g->cap_stacks, sizeof *g->stacks);
    g->n_stacks = 1; /* 0 is the empty one */
    g->level = slx_xcalloc(bytes->longest + 2, sizeof *g->level);
    grow_buckets(g);
    g->complete = reach(g, (place){g->g.rules[0], BOTTOM}, &g->now, 0);
    *out = g;
    return SLX_OK;
}

static void drop_masks(slx_grammar *g)
{
    for (uint32_t i = 0; i < g->n_masks; i++) {
        free(g->masks[i].set);
        free(g->masks[i].admits);
    }
    g->n_masks = 0;
}

void slx_grammar_close(slx_grammar *g)
{
    if (!g) return;
    drop_masks(g);
    slx_gr_free(&g->g);
    free(g->stacks);
    free(g->buckets);
    free(g->level);
    free(g->now.at);
    free(g->todo.at);
    free(g->path.at);
    free(g);
}

/* ------------------------------------------------------------------ masks */

static void start_path(slx_grammar *g)
{
    g->path.n = 0;
    for (uint32_t i = 0; i < g->now.n; i++) push(&g->path, g->now.at[i]);
    g->level[0] = 0;
    g->level[1] = g->path.n;
}

static void admit_all(slx_grammar *g, uint8_t *admits)
{
    const slx_token_bytes *b = g->bytes;
    uint32_t alive = 0,
             dead =
                 UINT32_MAX; /* bytes of the last path that lead somewhere; the byte it failed at */
    start_path(g);
    for (uint32_t i = 0; i < b->n; i++) {
        const token_row *t = &b->row[i];
        if (t->common > dead) continue;
        uint32_t at = t->common < alive ? t->common : alive;
        dead = UINT32_MAX;
        g->path.n = g->level[at + 1];
        for (; at < t->len; at++) {
            advance(g, g->level[at], g->level[at + 1], (uint8_t)b->text.ptr[t->at + at]);
            if (g->path.n == g->level[at + 1]) break;
            g->level[at + 2] = g->path.n;
        }
        alive = at;
        /* the last byte may also end the answer, with nothing to read behind it */
        if (at == t->len)
            admits[t->id / 8] |= (uint8_t)(1 << t->id % 8);
        else if (at + 1 == t->len &&
                 advance(g, g->level[at], g->level[at + 1], (uint8_t)b->text.ptr[t->at + at]))
            admits[t->id / 8] |= (uint8_t)(1 << t->id % 8);
        if (at < t->len) dead = at;
    }
}

static const mask_row *mask_here(slx_grammar *g)
{
    uint64_t hash = slx_hash_of(g->now.at, g->now.n * sizeof *g->now.at);
    size_t bytes = g->now.n * sizeof *g->now.at;
    for (uint32_t i = 0; i < g->n_masks; i++) {
        const mask_row *m = &g->masks[i];
        if (m->hash == hash && m->n == g->now.n && m->complete == g->complete &&
            !memcmp(m->set, g->now.at, bytes))
            return m;
    }
    if (g->n_masks == MASKS) drop_masks(g);
    g->work = 0;
    mask_row *m = &g->masks[g->n_masks++];
    *m = (mask_row){.n = g->now.n, .complete = g->complete, .hash = hash};
    m->set = slx_xmalloc(bytes + 1);
    memcpy(m->set, g->now.at, bytes);
    m->admits = slx_xcalloc(g->bytes->vocab / 8 + 1, 1);
    if (g->now.n) admit_all(g, m->admits);
    for (uint32_t i = 0; i < g->bytes->n_ends && g->complete; i++)
        m->admits[g->bytes->ends[i] / 8] |= (uint8_t)(1 << g->bytes->ends[i] % 8);
    return m;
}

bool slx_grammar_mask(slx_grammar *g, float *logits, uint32_t vocab)
{
    const mask_row *m = mask_here(g);
    bool any = false;
    if (g->broken) return false;
    for (uint32_t id = 0; id < vocab; id++) {
        if (id < g->bytes->vocab && (m->admits[id / 8] >> id % 8 & 1))
            any = true;
        else
            logits[id] = -FLT_MAX;
    }
    return any;
}

bool slx_grammar_take(slx_grammar *g, uint32_t token)
{
    const slx_token_bytes *b = g->bytes;
    uint32_t row = token < b->vocab ? b->row_of[token] : UINT32_MAX;
    bool complete = g->complete;
    if (row == UINT32_MAX) return complete; /* an end of generation */
    const token_row *t = &b->row[row];
    start_path(g);
    for (uint32_t at = 0; at < t->len; at++) {
        complete = advance(g, g->level[at], g->level[at + 1], (uint8_t)b->text.ptr[t->at + at]);
        if (g->path.n == g->level[at + 1] && !(complete && at + 1 == t->len)) return false;
        g->level[at + 2] = g->path.n;
    }
    g->now.n = 0;
    for (uint32_t i = g->level[t->len]; i < g->path.n; i++) push(&g->now, g->path.at[i]);
    g->complete = complete;
    return !g->broken;
}

bool slx_grammar_too_wide(const slx_grammar *g)
{
    return g->broken;
}

bool slx_grammar_complete(const slx_grammar *g)
{
    return g->complete;
}

bool slx_grammar_over(const slx_grammar *g)
{
    return g->complete && !g->now.n;
}
