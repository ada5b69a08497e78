/* state.c - what is known of a tile at one place of its program: kept, copied, and joined where two ways meet. */
#include "verify/verify_int.h"

#include <stdlib.h>
#include <string.h>

size_t slx_vstate_bytes(const slx_verifier *v)
{
    return sizeof(slx_vstate) + v->n_bar * sizeof(uint64_t);
}

typedef struct {
    void *next;
} free_state;

slx_vstate *slx_vstate_new(slx_verifier *v)
{
    free_state *f = v->free_states;
    if (!f) return slx_xcalloc(1, slx_vstate_bytes(v));
    v->free_states = f->next;
    return (slx_vstate *)(void *)f;
}

void slx_vstate_drop(slx_verifier *v, slx_vstate *s)
{
    free_state *f = (free_state *)(void *)s;
    f->next = v->free_states;
    v->free_states = f;
}

slx_vstate *slx_vstate_copy(slx_verifier *v, const slx_vstate *s)
{
    slx_vstate *d = slx_vstate_new(v);
    memcpy(d, s, slx_vstate_bytes(v));
    return d;
}

void slx_verify_states_free(slx_verifier *v)
{
    while (v->free_states) {
        free_state *f = v->free_states;
        v->free_states = f->next;
        free(f);
    }
}

bool slx_vstate_same_tokens(slx_verifier *v, uint32_t pc, const slx_vstate *a, const slx_vstate *b,
                            const char *where_a, const char *where_b)
{
    if (!memcmp(a->tok, b->tok, sizeof a->tok)) return true;
    unsigned t = 1;
    while (a->tok[t] == b->tok[t]) t++;
    return slx_vfail(v, v->tile, pc, "token t%u is %u %s and %u %s", t, a->tok[t], where_a,
                     b->tok[t], where_b);
}

bool slx_vstate_join(slx_verifier *v, slx_vstate *to, const slx_vstate *from, uint32_t pc)
{
    if (!from->live) return true;
    if (!to->live) {
        memcpy(to, from, slx_vstate_bytes(v));
        return true;
    }
    if (!slx_vstate_same_tokens(v, pc, to, from, "on one way to here", "on the other"))
        return false;
    for (int i = 1; i < SLX_N_REGS; i++) /* most are as they were where the ways parted */
        if (memcmp(&to->r[i], &from->r[i], sizeof to->r[i])) to->r[i] = slx_val_join(to->r[i], from->r[i]);
    to->used |= from->used;
    to->tainted |= from->tainted;
    if (to->path != from->path) to->path = slx_mix(slx_mix('J', to->path), from->path);
    for (uint32_t i = 0; i < v->n_bar; i++)
        if (to->bar[i] != from->bar[i])
            to->bar[i] = slx_mix(slx_mix('J', to->bar[i]), from->bar[i]);
    return true;
}
