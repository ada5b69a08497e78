/* band.c - how far measurements lie from what is predicted, by section of a vendor's library and by size of the kernel.
 *
 * A section says band_low and band_high, and may say `bands`: the two of each size, as small kernels scatter otherwise
 * than large ones. A family's band is widened for a chip whose units are unlike those of the family (library.c).
 */
#include <math.h>
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

const char *slx_chip_bands_wider(slx_arena *a, const char *text, double power)
{
    double b[SLX_LIB_CLASSES][2];
    slx_buf out = {0};
    if (!text || !*text || !slx_chip_bands_parse(text, b)) return text;
    for (int k = 0; k < SLX_LIB_CLASSES; k++)
        slx_buf_addf(&out, "%s%.6g %.6g", k ? " " : "", pow(b[k][0], power), pow(b[k][1], power));
    text = slx_strdup(a, out.ptr);
    slx_buf_free(&out);
    return text;
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

static double doubt_of(int own, slx_chip_doubt doubt)
{
    if (own >= SLX_LIB_OWN_DRAW) return doubt.power;
    return own == SLX_LIB_OWN_NCCL || own == SLX_LIB_OWN_GRAPH ? doubt.links : doubt.kernels;
}

/* Two reasons to be wrong that have nothing to do with each other: their logarithms add as squares do. */
static void add_doubt(double *low, double *high, double doubt)
{
    if (doubt <= 1 || (*low == 1 && *high == 1)) return; /* no band is known: none is told */
    *low = exp(-hypot(log(*low), log(doubt)));
    *high = exp(hypot(log(*high), log(doubt)));
}

void slx_chip_complete_bands(slx_lib *lib, const slx_chip *c, const slx_chip *fam, double widen, slx_chip_doubt doubt)
{
    for (int own = 0; own < SLX_LIB_OWN_COUNT; own++) {
        const char *text = lib->own[own] ? c->bands[own] : fam->bands[own];
        double low, high, power = lib->own[own] ? 1 : widen, off = lib->own[own] ? 1 : doubt_of(own, doubt);
        whole_band(&lib->n, own, &low, &high);
        bool by_size = text && *text && slx_chip_bands_parse(text, lib->band[own]);
        for (int k = 0; k < SLX_LIB_CLASSES; k++) {
            double *b = lib->band[own][k];
            b[0] = by_size ? pow(b[0], power) : fmin(low, 1);
            b[1] = by_size ? pow(b[1], power) : fmax(high, 1);
            add_doubt(&b[0], &b[1], off);
        }
    }
    add_doubt(&lib->n.rows.band_low, &lib->n.rows.band_high, doubt.kernels);
    add_doubt(&lib->n.pass.band_low, &lib->n.pass.band_high, doubt.kernels);
}
