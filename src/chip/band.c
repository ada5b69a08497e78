/* band.c - how far measurements lie from what is predicted, by section of a vendor's library and by size of the kernel.
 *
 * A section says band_low and band_high, and may say `bands`: the two of each size, as small kernels scatter otherwise
 * than large ones. A family's band is widened for a chip whose units are unlike those of the family (library.c).
 */
#include <stdlib.h>
#include <string.h>

#include "chip/chip_int.h"

const double slx_lib_class_us[SLX_LIB_CLASSES] = {5, 20, 100, 1e3, 1e4, INFINITY};

int slx_lib_class(double us)
{
    int k = 0;
    while (k < SLX_LIB_CLASSES - 1 && us >= slx_lib_class_us[k]) k++;
    return k;
}

bool slx_chip_bands_parse(const char *text, double out[SLX_LIB_CLASSES][2])
{
    for (int i = 0; i < 2 * SLX_LIB_CLASSES; i++) {
        char *end;
        double v = strtod(text, &end);
        bool ok = end != text && (i % 2 ? v >= 1 && v <= 100 : v >= 0 && v <= 1);
        if (!ok) return false;
        if (out) out[i / 2][i % 2] = v;
        text = end;
    }
    return !text[strspn(text, " ")];
}

/* Of the section, wherever its numbers come from: low, high of all sizes, as completed. */
static void whole_band(const slx_lib_numbers *n, int own, double *low, double *high)
{
    *low = *high = 1;
    if (own < SLX_LIB_OWN_DECODE) *low = n->gemm[own].band_low, *high = n->gemm[own].band_high;
    if (own == SLX_LIB_OWN_DECODE) *low = n->decode.band_low, *high = n->decode.band_high;
    if (own == SLX_LIB_OWN_PREFILL) *low = n->prefill.band_low, *high = n->prefill.band_high;
    if (own == SLX_LIB_OWN_NCCL) *low = n->nccl.band_low, *high = n->nccl.band_high;
    if (own == SLX_LIB_OWN_GRAPH) *low = n->graph.band_low, *high = n->graph.band_high;
    if (own == SLX_LIB_OWN_OP) *low = n->op.band_low, *high = n->op.band_high;
    if (own >= SLX_LIB_OWN_DRAW)
        *low = n->draw[own - SLX_LIB_OWN_DRAW].band_low, *high = n->draw[own - SLX_LIB_OWN_DRAW].band_high;
}

void slx_chip_complete_bands(slx_lib *lib, const slx_chip *c, const slx_chip *fam, double widen)
{
    for (int own = 0; own < SLX_LIB_OWN_COUNT; own++) {
        const char *text = lib->own[own] ? c->bands[own] : fam->bands[own];
        double low, high, power = lib->own[own] ? 1 : widen;
        whole_band(&lib->n, own, &low, &high);
        bool by_size = text && *text && slx_chip_bands_parse(text, lib->band[own]);
        for (int k = 0; k < SLX_LIB_CLASSES; k++) {
            double *b = lib->band[own][k];
            b[0] = by_size ? pow(b[0], power) : fmin(low, 1);
            b[1] = by_size ? pow(b[1], power) : fmax(high, 1);
        }
    }
}
