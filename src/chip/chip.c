/* chip.c - what a chip's figures imply, and where they come from. */
#include "chip/chip_int.h"
#include "isa/isa.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

double slx_chip_domain(const slx_chip *c)
{
    static const double usual = 8;
    return c->part.domain > 1 ? c->part.domain : usual;
}

static slx_chip_peaks part_peaks(const slx_chip *c)
{
    const double tera = 1e12, gib = 1073741824;
    double fp8 = c->part.fp8_tflops, int8 = c->part.int8_tops;
    slx_chip_peaks p = {
        .w4a8_ops = c->part.fp4_tflops * tera,
        .w8a8_ops = (isnan(fp8) || int8 > fp8 ? int8 : fp8) * tera,
        .bf16_ops = c->part.bf16_tflops * tera,
        .hbm_bytes_s = c->part.mem_tbs * tera,
        .hbm_bytes = c->part.mem_gib * gib,
        .spm_bytes = c->part.sram_mib * 1048576,
        .net_bytes_s = c->part.links_gbs * 0.5e9,
    };
    p.balance_w4a8 = p.w4a8_ops / p.hbm_bytes_s;
    p.balance_w8a8 = p.w8a8_ops / p.hbm_bytes_s;
    return p;
}

double slx_chip_ten_rate(const slx_chip *c, unsigned fmt)
{
    switch (fmt) {
    case SLX_FMT_mxfp4: return c->ten.rate.w4a8;
    case SLX_FMT_q4s:
    case SLX_FMT_q4sm: return c->ten.rate.q4s;
    case SLX_FMT_q8s: return c->ten.rate.q8s;
    default: return c->ten.rate.w8a8;
    }
}

slx_chip_peaks slx_chip_get_peaks(const slx_chip *c)
{
    if (c->library) return part_peaks(c);
    const double kib = 1024, mib = 1048576, gib = 1073741824;
    double tiles = c->grid.enabled;
    double base = 2.0 * c->ten.m * c->ten.n * c->ten.k * tiles * c->grid.clock_ghz * 1e9;
    slx_chip_peaks p = {
        .w4a8_ops = base * c->ten.rate.w4a8,
        .w8a8_ops = base * c->ten.rate.w8a8,
        .q4s_ops = base * c->ten.rate.q4s,
        .q8s_ops = base * c->ten.rate.q8s,
        .bf16_ops = base * c->ten.rate.bf16,
        .hbm_bytes_s = c->hbm.stacks * (double)c->hbm.bits * c->hbm.gbps_pin * 1e9 / 8,
        .hbm_bytes = c->hbm.stacks * c->hbm.gib * gib,
        .spm_bytes = tiles * c->tile.spm_kib * kib,
        .acc_bytes = tiles * c->tile.acc_kib * kib,
        .rom_bytes = c->rom.mib * mib,
        .net_bytes_s = c->net.ports * c->net.gbps * 1e9 / 8,
    };
    p.balance_w4a8 = p.w4a8_ops / p.hbm_bytes_s;
    p.balance_w8a8 = p.w8a8_ops / p.hbm_bytes_s;
    return p;
}

bool slx_chip_sram_memory(const slx_chip *c)
{
    return !strcmp(c->package.memory, "SRAM");
}

static const struct slx_chip_source *source_at(const slx_chip *c, const char *key, size_t len)
{
    for (int i = 0; i < c->n_sources; i++)
        if (strlen(c->sources[i].key) == len && !memcmp(c->sources[i].key, key, len))
            return &c->sources[i];
    return NULL;
}

const struct slx_chip_source *slx_chip_get_source(const slx_chip *c, const char *key)
{
    size_t len = strlen(key);
    for (;;) {
        const struct slx_chip_source *s = source_at(c, key, len);
        if (s) return s;
        while (len && key[len - 1] != '.') len--;
        if (!len) return NULL;
        len--;
    }
}

bool slx_chip_next_figure(const slx_chip *c, int *i, slx_chip_fig *out)
{
    for (; *i < slx_chip_n_keys; ++*i) {
        const slx_chip_key *k = &slx_chip_keys[*i];
        if (!c->key_line[*i] || !*k->section) continue;
        *out = (slx_chip_fig){.key = k->path, .unit = k->unit, .what = k->doc, .from = slx_chip_get_source(c, k->path)};
        if (k->type == SLX_CK_TEXT)
            out->text = *(const char *const *)((const char *)c + k->offset);
        else
            out->value = slx_chip_key_value(c, k);
        if (!isnan(out->value)) return true;
    }
    return false;
}

slx_status slx_chip_fail_key(const slx_chip *c, const char *key, slx_err *err, const char *fmt, ...)
{
    char msg[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    const slx_chip_key *k = slx_chip_find_key(key);
    int line = k && c->key_line ? c->key_line[k - slx_chip_keys] : 0;
    if (line >= 0) return slx_fail(err, SLX_EINPUT, c->path, line, 0, "%s: %s", key, msg);
    char place[160];
    if (k->type == SLX_CK_TEXT)
        snprintf(place, sizeof place, "--set %s=%.60s", key, *(const char *const *)((const char *)c + k->offset));
    else
        snprintf(place, sizeof place, "--set %s=%.10g", key, slx_chip_key_value(c, k));
    return slx_fail(err, SLX_EINPUT, place, 0, 0, "%s of %s: %s", key, c->name, msg);
}
