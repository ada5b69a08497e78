/* query_ids.c - ids of the questions so far, by their hash: each is unique in its file. */
#include <stdlib.h>
#include <string.h>

#include "validate/query_int.h"

static slx_query_id *place_of(const slx_query_ids *s, uint64_t hash)
{
    size_t i = hash & (s->cap - 1);
    while (s->id[i].line && s->id[i].hash != hash) i = (i + 1) & (s->cap - 1);
    return &s->id[i];
}

static void grow(slx_query_ids *s)
{
    slx_query_ids more = {.cap = s->cap ? 2 * s->cap : 1024, .n = s->n};
    more.id = slx_xcalloc(more.cap, sizeof *more.id);
    for (size_t i = 0; i < s->cap; i++)
        if (s->id[i].line) *place_of(&more, s->id[i].hash) = s->id[i];
    free(s->id);
    *s = more;
}

int slx_query_ids_add(slx_query_ids *s, const char *id, int line)
{
    if (2 * s->n >= s->cap) grow(s);
    uint64_t hash = slx_hash_of(id, strlen(id));
    slx_query_id *p = place_of(s, hash);
    if (p->line) return p->line;
    *p = (slx_query_id){hash, line};
    s->n++;
    return line;
}
