/* tokenizer_merge.c - merges neighbouring pieces, best pair first, until none merges.
 *
 * Invariant: the heap holds every pair of living neighbours that merges, and perhaps pairs that are no more. A pair is
 * known by where it starts and how long its two sides are: if both still have those lengths, they are the same strings.
 */
#include "model/tokenizer_int.h"

#include <stdlib.h>

slx_node *slx_node_add(slx_encoder *e, uint32_t off, uint32_t len, uint32_t sym)
{
    if (e->n_nodes == e->cap_nodes) {
        e->cap_nodes = e->cap_nodes ? 2 * e->cap_nodes : 64;
        e->nodes = slx_xrealloc(e->nodes, slx_mul_size(e->cap_nodes, sizeof *e->nodes));
    }
    int32_t i = (int32_t)e->n_nodes++;
    e->nodes[i] = (slx_node){off, len, sym, i - 1, -1};
    if (i) e->nodes[i - 1].next = i;
    return &e->nodes[i];
}

static void push(slx_encoder *e, slx_heap_item item)
{
    if (e->n_heap == e->cap_heap) {
        e->cap_heap = e->cap_heap ? 2 * e->cap_heap : 64;
        e->heap = slx_xrealloc(e->heap, slx_mul_size(e->cap_heap, sizeof *e->heap));
    }
    size_t i = e->n_heap++;
    for (; i && e->heap[(i - 1) / 2].priority > item.priority; i = (i - 1) / 2)
        e->heap[i] = e->heap[(i - 1) / 2];
    e->heap[i] = item;
}

static slx_heap_item pop(slx_encoder *e)
{
    slx_heap_item top = e->heap[0], last = e->heap[--e->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < e->n_heap; i = child) {
        if (child + 1 < e->n_heap && e->heap[child + 1].priority < e->heap[child].priority) child++;
        if (last.priority <= e->heap[child].priority) break;
        e->heap[i] = e->heap[child];
    }
    e->heap[i] = last;
    return top;
}

/* Looks at the pair that starts at node i. */
static void offer(slx_encoder *e, int32_t i, slx_pair_fn pair)
{
    uint32_t rank, result;
    if (i < 0 || e->nodes[i].next < 0) return;
    const slx_node *a = &e->nodes[i], *b = &e->nodes[a->next];
    if (pair(e, a, b, &rank, &result))
        push(e, (slx_heap_item){(uint64_t)rank << 32 | (uint32_t)i, a->len, b->len, result});
}

void slx_merge(slx_encoder *e, slx_pair_fn pair)
{
    e->n_heap = 0;
    for (size_t i = 0; i + 1 < e->n_nodes; i++) offer(e, (int32_t)i, pair);
    while (e->n_heap) {
        slx_heap_item it = pop(e);
        int32_t i = (int32_t)(uint32_t)it.priority;
        slx_node *a = &e->nodes[i];
        if (a->len != it.left_len || a->next < 0) continue;
        slx_node *b = &e->nodes[a->next];
        if (b->len != it.right_len) continue;
        a->len += b->len;
        a->sym = it.result;
        b->len = 0;
        a->next = b->next;
        if (a->next >= 0) e->nodes[a->next].prev = i;
        offer(e, a->prev, pair);
        offer(e, i, pair);
    }
}
