/* prefix.c - see prefix.h. Entries lie in one array, buckets and free entries are chained by index; an entry knows its
 * parent by a serial number that is never used again, so the chain behind an evicted page is simply never found. */
#include "run/prefix.h"

#include <stdlib.h>
#include <string.h>

#include "run/run_int.h"

typedef struct {
    uint64_t serial, parent; /* 0 = none */
    uint64_t used; /* clock of the last use; of a chain, the front is never older than the back */
    uint32_t page, depth, next;
    uint32_t tokens[SLX_MAX_CHUNK];
} entry;

enum { NONE = UINT32_MAX };

struct slx_prefix {
    slx_engine *e;
    entry *at;
    uint32_t *bucket, n_buckets; /* a power of two */
    uint32_t n, free;
    uint64_t clock, serial;
};

slx_prefix *slx_prefix_open(slx_engine *e)
{
    slx_prefix *c = slx_xcalloc(1, sizeof *c);
    uint32_t pages = e->prog.info.desc.max_pages;
    c->e = e;
    c->n_buckets = 64;
    while (c->n_buckets < 2 * pages) c->n_buckets *= 2;
    c->bucket = slx_xcalloc(c->n_buckets, sizeof *c->bucket);
    c->at = slx_xcalloc(pages, sizeof *c->at);
    memset(c->bucket, 0xff, c->n_buckets * sizeof *c->bucket);
    c->free = NONE;
    return c;
}

void slx_prefix_close(slx_prefix *c)
{
    if (!c) return;
    slx_prefix_clear(c);
    free(c->bucket);
    free(c->at);
    free(c);
}

static uint32_t *bucket_of(slx_prefix *c, uint64_t parent, const uint32_t *tokens)
{
    slx_hash h;
    slx_hash_init(&h);
    slx_hash_add(&h, &parent, sizeof parent);
    slx_hash_add(&h, tokens, SLX_MAX_CHUNK * sizeof *tokens);
    return &c->bucket[slx_hash_get(&h) & (c->n_buckets - 1)];
}

static entry *find(slx_prefix *c, uint64_t parent, const uint32_t *tokens)
{
    for (uint32_t i = *bucket_of(c, parent, tokens); i != NONE; i = c->at[i].next)
        if (c->at[i].parent == parent && !memcmp(c->at[i].tokens, tokens, sizeof c->at[i].tokens))
            return &c->at[i];
    return NULL;
}

uint32_t slx_prefix_find(slx_prefix *c, const uint32_t *tokens, uint32_t n, uint32_t *out)
{
    uint64_t parent = 0;
    uint32_t found = 0;
    c->clock++;
    for (uint32_t i = 0; i + SLX_MAX_CHUNK <= n; i += SLX_MAX_CHUNK) {
        entry *x = find(c, parent, tokens + i);
        if (!x) break;
        x->used = c->clock;
        parent = x->serial;
        out[found++] = x->page;
    }
    return found;
}

void slx_prefix_add(slx_prefix *c, const uint32_t *tokens, uint32_t n, uint32_t page)
{
    uint64_t parent = 0;
    uint32_t last = n - SLX_MAX_CHUNK;
    c->clock++;
    for (uint32_t i = 0; i < last; i += SLX_MAX_CHUNK) {
        entry *x = find(c, parent, tokens + i);
        if (!x) return;
        x->used = c->clock;
        parent = x->serial;
    }
    if (find(c, parent, tokens + last)) return;
    uint32_t i = c->free;
    if (i != NONE)
        c->free = c->at[i].next;
    else
        i = c->n++;
    SLX_ASSERT(i < c->e->prog.info.desc.max_pages); /* an entry holds a page */
    uint32_t *b = bucket_of(c, parent, tokens + last);
    entry *x = &c->at[i];
    *x = (entry){.serial = ++c->serial,
                 .parent = parent,
                 .used = c->clock,
                 .page = page,
                 .depth = last / SLX_MAX_CHUNK,
                 .next = *b};
    memcpy(x->tokens, tokens + last, sizeof x->tokens);
    *b = i;
    slx_page_hold(c->e, page);
}

static void drop(slx_prefix *c, uint32_t i)
{
    entry *x = &c->at[i];
    uint32_t *b = bucket_of(c, x->parent, x->tokens);
    while (*b != i) b = &c->at[*b].next;
    *b = x->next;
    slx_page_drop(c->e, x->page);
    x->serial = 0;
    x->next = c->free;
    c->free = i;
}

/* Of equal age the deepest: a chain is given up from its end. */
bool slx_prefix_evict(slx_prefix *c)
{
    uint32_t best = NONE;
    for (uint32_t i = 0; i < c->n; i++) {
        const entry *x = &c->at[i], *y = best == NONE ? NULL : &c->at[best];
        if (!x->serial || c->e->page_users[x->page] != 1) continue;
        if (!y || x->used < y->used || (x->used == y->used && x->depth > y->depth)) best = i;
    }
    if (best == NONE) return false;
    drop(c, best);
    return true;
}

uint32_t slx_prefix_idle(const slx_prefix *c)
{
    uint32_t idle = 0;
    for (uint32_t i = 0; i < c->n; i++)
        idle += c->at[i].serial && c->e->page_users[c->at[i].page] == 1;
    return idle;
}

void slx_prefix_clear(slx_prefix *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        if (c->at[i].serial) drop(c, i);
}
