/* fuzz_chip.c - any bytes as a chip file: refused with a message that has a place, or a chip that keeps its ranges. */
#include <string.h>

#include "chip/silicon.h"

/* Any chip that loads has a report, or an error with its file as the place. */
static void report(const slx_chip *c)
{
    static slx_constants *k;
    slx_area a;
    slx_power p;
    slx_cost q;
    slx_err err = {0};
    if (!k) SLX_ASSERT(!slx_constants_load(&k, &err));
    slx_status s = slx_chip_get_area(&a, c, k, &err);
    if (!s) s = slx_chip_get_power(&p, c, &a, k, &err);
    if (!s) s = slx_chip_get_cost(&q, c, &a, &p, k, &err);
    SLX_ASSERT(!s || (err.msg[0] && !strcmp(err.file, "fuzz.yaml")));
    s = slx_chip_check_physics(c, &err);
    SLX_ASSERT(!s || (err.msg[0] && !strcmp(err.file, "fuzz.yaml")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slx_chip *c, *again;
    slx_err err = {0};
    slx_status s = slx_chip_parse(&c, (const char *)data, size, "fuzz.yaml", &err);
    if (s) {
        SLX_ASSERT(!c && err.code == s && err.msg[0] && !strcmp(err.file, "fuzz.yaml"));
        return 0;
    }
    if (!c->library) {
        SLX_ASSERT(c->grid.enabled >= 1 && c->grid.enabled <= c->grid.x * c->grid.y);
        SLX_ASSERT(c->hbm.gbps_pin >= 0.1 && c->hbm.gbps_pin <= 32);
        SLX_ASSERT(c->tile.registers == 32 && c->tile.tokens <= 64 &&
                   c->isa.formats[SLX_CF_MXINT8]);
        SLX_ASSERT(slx_chip_get_peaks(c).balance_w8a8 > 0);
    }
    report(c);
    SLX_ASSERT(!slx_chip_parse(&again, (const char *)data, size, "fuzz.yaml", NULL) &&
               again->hash == c->hash);
    slx_chip_free(again);
    slx_chip_free(c);
    return 0;
}
