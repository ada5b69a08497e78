/* memory.c - kinds of memory a package may have, and the most that each has been specified, sold or announced with.
 *
 * Rates and sizes: JEDEC JESD235 (HBM2, HBM2E), JESD238 (HBM3), JESD270-4 (HBM4), JESD250 (GDDR6), JESD79-5 (DDR5),
 * JESD209-5 (LPDDR5, LPDDR5X); beyond these, makers sell HBM2E at 3.6, HBM3E at 9.8 and LPDDR5X at 10.7 Gb/s and
 * announce HBM4 of 13 and GDDR6 of 24. Sizes: a stack of the most and largest dies of its standard; for GDDR6 a device
 * of 32 Gb, for DDR5 the modules of a channel, for LPDDR5 a package.
 */
#include "chip/chip_int.h"

#include <string.h>

static const slx_chip_memory kinds[] = {
    {"HBM2", 1024, 2.4, 24},  {"HBM2E", 1024, 3.6, 24}, {"HBM3", 1024, 6.4, 64},   {"HBM3E", 1024, 9.8, 64},
    {"HBM4", 2048, 13.0, 64}, {"GDDR6", 32, 24.0, 4},   {"LPDDR5", 64, 6.4, 64},   {"LPDDR5X", 64, 10.7, 64},
    {"DDR5", 64, 8.8, 1024},  {"", 2048, 20.0, 1024}, /* whatever it may be */
};

const slx_chip_memory *slx_chip_memory_of(const char *kind)
{
    const slx_chip_memory *m = kinds;
    while (*m->kind && strcmp(m->kind, kind)) m++;
    return m;
}
