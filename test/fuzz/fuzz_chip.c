/* fuzz_chip.c - any bytes as a chip file: refused with a message that has a place, or a chip that keeps its ranges. */
#include <string.h>

#include "chip/chip.h"

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
    SLX_ASSERT(c->grid.enabled >= 1 && c->grid.enabled <= c->grid.x * c->grid.y);
    SLX_ASSERT(c->hbm.gbps_pin >= 0.1 && c->hbm.gbps_pin <= 32);
    SLX_ASSERT(c->tile.registers == 32 && c->tile.tokens <= 64 && c->isa.formats[SLX_CF_MXINT8]);
    SLX_ASSERT(slx_chip_get_peaks(c).balance_w8a8 > 0);
    SLX_ASSERT(!slx_chip_parse(&again, (const char *)data, size, "fuzz.yaml", NULL) &&
               again->hash == c->hash);
    slx_chip_free(again);
    slx_chip_free(c);
    return 0;
}
