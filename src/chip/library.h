/* library.h - what is known of a vendor's kernel library on a chip: numbers and facts that time/lib.h turns into times.
 *
 *   chips/h200.yaml      family: nvidia-hopper, part: .., gemm: {..}     numbers fitted on this chip's measurements
 *   families/....yaml    runs: family, part: .., tiles: .., gemm: {..}   facts of the library; numbers of a typical chip
 *        '--> slx_chip_library: the chip's own section where it has one, else the family's, scaled by published figures
 *
 * Two invariants. A section that a chip gives is whole: a key left out of it is a limit the chip does not show ("off"),
 * never the family's value. A figure that is not published (NAN in slx_chip.part) is inferred here from the family's
 * ratios, and only here: reports of the chip still say "not published".
 */
#ifndef SLX_CHIP_LIBRARY_H
#define SLX_CHIP_LIBRARY_H

#include <stdbool.h>

/* Operand formats with numbers and tiles of their own: 16-bit floats, 8-bit, 4-bit floats, 16-bit activations with
 * narrow integer weights, 8-bit with scales for blocks of 128 x 128. */
typedef enum { SLX_LIB_16, SLX_LIB_8, SLX_LIB_4, SLX_LIB_WO, SLX_LIB_BLOCK, SLX_LIB_FORMATS } slx_lib_format;

/* Kinds of kernels whose power differs: products and all others, decode attention, prefill attention. */
typedef enum {
    SLX_LIB_DRAW_GEMM,
    SLX_LIB_DRAW_DECODE,
    SLX_LIB_DRAW_PREFILL,
    SLX_LIB_DRAWS
} slx_lib_draw;

/* Sizes of kernels by their predicted time: below 5, 20, 100 us, 1 ms, 10 ms, and longer. The last is INFINITY. */
enum { SLX_LIB_CLASSES = 6 };
extern const double slx_lib_class_us[SLX_LIB_CLASSES];
int slx_lib_class(double us);

/* Sections with a band of their own. */
enum {
    SLX_LIB_OWN_GEMM = 0, /* + slx_lib_format */
    SLX_LIB_OWN_DECODE = SLX_LIB_FORMATS,
    SLX_LIB_OWN_PREFILL,
    SLX_LIB_OWN_NCCL,
    SLX_LIB_OWN_GRAPH,
    SLX_LIB_OWN_OP,
    SLX_LIB_OWN_DRAW, /* + slx_lib_draw */
    SLX_LIB_OWN_COUNT = SLX_LIB_OWN_DRAW + SLX_LIB_DRAWS
};

/* Numbers, at most ten a kind beside the band; lib_keys.def says what each is and which value switches it off. */
typedef struct {
    struct {
        double t0_us, fill_us, e_hbm, e_store, unit_gbs, store_gbs, step_us, red_us, f_thr, c_res, a_res, l2_tbs, p, e_mac;
        double q_us, q_row_us, q_tbs;
        double host_us, host_few_us, host_odd_us, host_ragged_us; /* of SLX_LIB_BLOCK alone */
        double band_low, band_high;
    } gemm[SLX_LIB_FORMATS];
    struct {
        double t0_us, cta_us, e_hbm, unit_gbs, l2_tbs, comb_us, c_res, q_geps, split_us, blk_us,
            row_ns, band_low, band_high;
    } decode;
    struct {
        double t0_us, cta_us, e_mac, exp_geps, e_hbm, kv_tbs, q8, f_thr, p, tail, band_low,
            band_high;
    } prefill;
    struct {
        double t0_us, ll_us, mid_us, start_us, e_ll, e_mid, e_simple, e_pair, a2a_us, e_a2a,
            band_low, band_high;
    } nccl;
    struct {
        double t0_us, e_one, two_us, e_two, eager_us, e_copy, most_mib, band_low, band_high;
    } graph;
    struct {
        double t0_us, e_hbm, e_soft, row_us, wide_cols, e_wide, soft_us, norm_us, act_us, band_low,
            band_high;
    } op;
    struct {
        double cap, idle, mac, mem, active, gap_us, heads, group, keys, band_low, band_high;
    } draw[SLX_LIB_DRAWS]; /* shares of the rated power */
    struct {
        double t0_us, norm_us, lat_us, e_norm, e_act, e_rope, e_add, c_res, l2_tbs, band_low, band_high;
    } rows;
    struct {
        double gap_us, host_us, host_prefill, seq_us, slow, sum_mb, sum_gbs, band_low, band_high;
    } pass;
    /* Facts of the library, key by key from the chip or its family. */
    struct {
        double area, side, split, step_k, q_passes;
    } tiles[SLX_LIB_FORMATS];
    struct {
        double gemv, floor, copies, pack_prefill, prefill_rows, prefill_keys, small_rows,
            decode_copy, one_group, unfused, graphs, eager, weight_bytes, alone_us, graph_batch;
    } facts;
} slx_lib_numbers;

enum { SLX_LIB_TILES = 24 };

/* The tile a library takes for products of at most m rows and n columns, where it goes by these alone. */
typedef struct {
    double m, n, rows, cols;
} slx_lib_choice;

/* Ready for use: every number set, sides of tiles parsed. */
typedef struct {
    slx_lib_numbers n;
    struct {
        int n_rows, n_cols;
        double rows[SLX_LIB_TILES], cols[SLX_LIB_TILES];
        int n_choices; /* the first that fits is taken; 0 = the fastest of rows x cols */
        slx_lib_choice choice[SLX_LIB_TILES];
    } tile[SLX_LIB_FORMATS];
    /* Published, or inferred from the family's ratios. Peaks of products: TFLOP/s in 16 bits, and in narrow formats; 0 =
     * it multiplies no such numbers, NAN = nor is it told or known of its family. link: GB/s, one direction. */
    struct {
        double units, clock_ghz, tflops, fp8_tflops, int8_tops, fp4_tflops, mem_tbs, mem_gib, cache_mib, link_gbs,
            tdp_w;
    } fig;
    bool inferred; /* a figure that times rest on was inferred */
    bool own[SLX_LIB_OWN_COUNT]; /* by section: numbers fitted on this chip (SLX_LIB_OWN_..) */
    double band[SLX_LIB_OWN_COUNT][SLX_LIB_CLASSES][2]; /* low, high: measured over predicted, below and above which 5 % lie */
    const char *software;    /* version the numbers hold for; "" = not said */
} slx_lib;

#endif
