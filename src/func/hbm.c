/* hbm.c - the chip's HBM as host memory, one allocation a region, so that a region a machine never touches costs no
 * memory and an access that leaves its region is found by arithmetic alone. */
#include "func/func_int.h"

#include <stdlib.h>

void slx_hbm_init(slx_hbm *h, const slx_program *p)
{
    h->prog = p;
    h->mem = slx_xcalloc(p->n_regions + 1, sizeof *h->mem);
    h->writable = slx_xcalloc(p->n_regions + 1, sizeof *h->writable);
    for (uint32_t i = 0; i < p->n_regions; i++) {
        uint32_t k = p->regions[i].kind;
        h->writable[i] = k != SLX_REGION_WEIGHTS && k != SLX_REGION_ROPE && k != SLX_REGION_DESC;
    }
}

void slx_hbm_deinit(slx_hbm *h)
{
    if (!h->mem) return;
    for (uint32_t i = 0; i < h->prog->n_regions; i++)
        if (h->mem[i]) slx_lazy_free(h->mem[i], h->prog->regions[i].bytes);
    free(h->mem);
    free(h->writable);
    h->mem = NULL;
}

void slx_hbm_alloc(slx_hbm *h, uint32_t region)
{
    SLX_ASSERT(region < h->prog->n_regions);
    if (!h->mem[region]) h->mem[region] = slx_lazy_alloc(h->prog->regions[region].bytes);
}

int slx_hbm_region(const slx_hbm *h, uint64_t addr, uint64_t bytes)
{
    for (uint32_t i = 0; i < h->prog->n_regions; i++) {
        const slx_region *r = &h->prog->regions[i];
        if (addr >= r->base && addr - r->base <= r->bytes && bytes <= r->bytes - (addr - r->base))
            return (int)i;
    }
    return -1;
}

int slx_hbm_kind(const slx_hbm *h, slx_region_kind kind)
{
    for (uint32_t i = 0; i < h->prog->n_regions; i++)
        if (h->prog->regions[i].kind == (uint32_t)kind) return (int)i;
    return -1;
}
