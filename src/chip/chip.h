/* chip.h - a chip is a file: read it, check it, and answer what follows from it (peaks, capacities).
 * No other layer reads YAML of chips; nothing about a chip is compiled in. */
#ifndef SLX_CHIP_H
#define SLX_CHIP_H

#include "base/base.h"
#include "chip/library.h"

/* Number formats a chip may declare in isa.formats. */
#define SLX_CHIP_FORMATS(X) X(MXINT8) X(MXFP4) X(MXFP6) X(MXFP8) X(Q4S) X(Q8S) X(I8S) X(BF16) X(F32)
typedef enum {
#define X(n) SLX_CF_##n,
    SLX_CHIP_FORMATS(X)
#undef X
    SLX_CF_COUNT
} slx_chip_format;

typedef struct slx_chip_s {
    char path[1024];
    const char *name, *runs;
    bool library; /* runs a vendor's library and none of our programs: process, package, part and lib are filled */
    struct { const char *node; double reticle_mm2, vdd_v; } process;
    struct { uint32_t x, y, enabled; double clock_ghz; } grid;   /* tiles = enabled */
    struct { uint32_t points; double min_vdd_v, vth_v, alpha, leak_share; } dvfs; /* min_vdd_v 0 = one voltage */
    struct {
        uint32_t spm_kib, spm_banks, bank_bytes_clk, acc_kib, queue_depth, tokens, token_max, registers,
            dma_in_flight;
        double dispatch_cycles, lds_cycles, dma_cycles;
    } tile;
    struct {
        uint32_t m, n, k;                                        /* MACs a clock of INT8: m*n*k */
        uint32_t out_lanes;                                      /* 0 = n */
        struct { double w4a8, w8a8, q4s, q8s, bf16; } rate;      /* relative to m*n*k; 0 = absent */
        double c0_cycles, swap_cycles, c1_cycles, cg_cycles;
    } ten;
    struct { uint32_t lanes; double c2_cycles, smx_per_clk, div_cycles; } vec;
    struct {
        uint32_t stacks, bits, channels, pch, align_bytes, banks, row_bytes, interleave_bytes;
        uint32_t bank_groups, burst, refresh_late, queue, pass_max;
        double gbps_pin, gib, trcd_ns, trp_ns, tras_ns, trefi_us, trfcpb_ns, latency_ns; /* gib: per stack */
        double tcl_ns, tcwl_ns, tccd_s_ns, tccd_l_ns, trrd_s_ns, trrd_l_ns, tfaw_ns, trtp_ns, twr_ns, twtr_s_ns,
            twtr_l_ns, turn_ns;
    } hbm;
    struct { uint32_t entries; double link_bytes_clk, hop_clk, mm_per_hop; } noc;
    struct { uint32_t ports; double gbps, alpha_ns, switch_ns; } net;   /* ports 0 = no scale-up network */
    struct { double mib, bytes_clk; uint32_t writable; } rom;   /* writable: SRAM in place of a mask ROM */
    struct { bool formats[SLX_CF_COUNT]; uint32_t max_m; } isa;
    struct { double w4a8_fj, w8a8_fj, fp32_add_pj, fp32_fma_pj, sram_rd_pj_b, sram_wr_pj_b, rom_pj_b,
                    noc_pj_b_mm, noc_pj_b_router, hbm_pj_b, d2d_pj_b, serdes_pj_b, leak_w_mm2; } energy;
    struct { double int8_mac_um2, fp32_add_um2, fma_lane_um2, sram_mib_mm2, sram_overhead, hbm_phy_mm2; } area;
    struct {                                                         /* of reports; "" and 0 = not given */
        const char *type, *memory, *io_node;
        uint32_t compute_dies, io_dies;
        double d2d_tbs, tdp_w, volume;
    } package;
    struct {                                                         /* published figures; NAN = not published */
        double units, units_drawn, simt, clock_ghz, unit_flop_clk, bf16_tflops, fp8_tflops, int8_tops, fp4_tflops,
            fp32_tflops, vec_lanes, sram_mib, cache_mib, mem_gib, mem_usable_gib, mem_tbs, stacks, links_gbs, domain,
            die_mm2, io_die_mm2, transistors_b, price_usd, bom_usd, logic_usd;
        const char *only_model; /* "" = any */
    } part;
    const char *family, *software, *also, *tile_rows[SLX_LIB_FORMATS], *tile_cols[SLX_LIB_FORMATS],
        *tile_choice[SLX_LIB_FORMATS],
        *bands[SLX_LIB_OWN_COUNT]; /* by section; "" = one band for all sizes */
    slx_lib_numbers given;                                           /* as the file gives them; NAN = not there */
    slx_lib lib;                                                     /* of a library chip: ready for time/lib.h */
    struct slx_chip_s *of_family;                                    /* its family's file; NULL on other chips */
    int *key_line; /* (rows of the table of keys) where the file gives each; 0 = left out, -1 = by slx_chip_set */
    int n_sources;
    struct slx_chip_source { const char *key, *from; double pm; } *sources; /* pm = relative uncertainty */
    uint64_t hash;      /* of every figure and format above (not of names, comments or sources) */
    slx_arena arena;
} slx_chip;

/* name: a path, "-" for standard input, or a bare name looked up in chips/ (".yaml" added). Refuses unknown keys,
 * missing keys, values out of their range, and contradictions, each with file, line, column and key. *out is NULL after
 * a failure; else slx_chip_free it. */
slx_status slx_chip_load(slx_chip **out, const char *name, slx_err *err);
/* Figures of the whole chip against its process, memory, area, power and price, with the constants of data/ (physics.c).
 * slx_chip_load and _load_any ask it; who changes figures asks it again after the last change. */
slx_status slx_chip_check_physics(const slx_chip *c, slx_err *err);
/* As slx_chip_load, and published chips that run none of our programs (c->library), which it refuses. */
slx_status slx_chip_load_any(slx_chip **out, const char *name, slx_err *err);
/* Either kind from text, which is not kept. path is what messages and c->path call it. */
slx_status slx_chip_parse(slx_chip **out, const char *text, size_t len, const char *path, slx_err *err);
/* One figure of a loaded chip changed, "hbm.gbps_pin" to "9.2": a what-if. Every check of a file's text holds; errors
 * name --set as their place. slx_chip_check_physics is the caller's, after the last. On failure c is as it was. The
 * source of the key stays, and with it its uncertainty. */
slx_status slx_chip_set(slx_chip *c, const char *key, const char *value, slx_err *err);
/* Whether there is such a key ("hbm.gbps_pin") and chips that run as c does have it. */
bool slx_chip_has_key(const slx_chip *c, const char *key);
/* The same from "hbm.gbps_pin=9.2". */
slx_status slx_chip_set_text(slx_chip *c, const char *text, slx_err *err);
void slx_chip_free(slx_chip *c); /* NULL is fine */

/* What somebody tells of a chip without a file: NAN or 0 = not told. link_gbs: one direction. fp8_tflops, int8_tops,
 * fp4_tflops: SLX_NO_FORMAT = the chip multiplies no such numbers. */
#define SLX_NO_FORMAT (-1.0)
typedef struct {
    const char *name, *family;
    double units, clock_ghz, bf16_tflops, fp8_tflops, int8_tops, fp4_tflops, mem_tbs, mem_gib, cache_mib, tdp_w, link_gbs;
} slx_chip_figures;
/* What chips/ and families/ say of a format's peak (0 = none, NAN = not published), as such a figure. */
double slx_chip_format_figure(double peak);
/* A library chip of these figures and its family's numbers; a family without a file becomes the generic one. Figures
 * that contradict each other are taken as they are. */
slx_status slx_chip_from_figures(slx_chip **out, const slx_chip_figures *f, slx_err *err);
/* The chip `like` as if nobody had measured it: the figures that slx_chip_figures holds, and numbers of a family or of
 * another chip (a name in families/ or chips/), whose own are then taken for its family's. For judging forecasts. */
slx_status slx_chip_unmeasured(slx_chip **out, const slx_chip *like, const char *numbers, slx_err *err);
/* Chips that fast links join: as published; else, or where it is one chip, a server's usual 8 (assumed). */
double slx_chip_domain(const slx_chip *c);
/* The chip c under other software for whole passes: its kernels, and the section `pass` and facts.unfused of that family
 * (a name in families/). *out NULL where c's own family is no file. */
slx_status slx_chip_with_passes(slx_chip **out, const slx_chip *c, const char *family, slx_err *err);
/* Works out c->lib again after c->given, c->part or a fact changed; for what-ifs and fits. */
void slx_chip_complete_library(slx_chip *c);
/* Where a figure comes from: the entry of its key ("hbm.gib"), else of its section ("hbm"), else NULL. Borrowed. */
const struct slx_chip_source *slx_chip_get_source(const slx_chip *c, const char *key);
/* Figure i of the chip, in the order of the reference; false past the last. Figures that the file leaves out, and that are
 * not published, are passed over: *i moves on to the one found. */
typedef struct {
    const char *key, *unit, *what; /* static */
    const char *text;              /* of a key that is a text; else NULL */
    double value;
    const struct slx_chip_source *from; /* NULL = none given */
} slx_chip_fig;
bool slx_chip_next_figure(const slx_chip *c, int *i, slx_chip_fig *out);
/* Fails with the chip's file, the line of the key where it has one, "key: " and the rest: for layers that find out later
 * that a figure is no good to them. */
slx_status slx_chip_fail_key(const slx_chip *c, const char *key, slx_err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
const char *slx_chip_format_name(slx_chip_format f);

/* What the file implies. Zero where a rate is absent, NAN where it is not published. */
typedef struct {
    double w4a8_ops, w8a8_ops, q4s_ops, q8s_ops, bf16_ops; /* operations a second, 2 a MAC */
    double hbm_bytes_s, hbm_bytes;
    double spm_bytes, acc_bytes, rom_bytes, net_bytes_s;
    double balance_w4a8, balance_w8a8;               /* operations a byte of HBM */
} slx_chip_peaks;
slx_chip_peaks slx_chip_get_peaks(const slx_chip *c);

/* Products of weights in format `fmt` (SLX_FMT_* of the ISA) a clock of a tile, relative to ten.m * ten.n * ten.k; 0: none. */
double slx_chip_ten_rate(const slx_chip *c, unsigned fmt);

/* The memory of section hbm, or of a published chip's mem_gib and mem_tbs, lies on the die. */
bool slx_chip_sram_memory(const slx_chip *c);

/* Reference of every key for docs and `silex chip --keys`: a line of headings, then one line a key. */
void slx_chip_print_keys(FILE *out);

#endif
