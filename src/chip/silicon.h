/* silicon.h - what a chip takes to make: area, power, yield, cost, each with a band.
 *
 *   chip file --------.
 *   data/silicon.csv --+--> area --> power            slx_constants *k;  slx_area a;  slx_power p;
 *   data/cost.csv ----'      '---> yield --> cost     slx_constants_load(&k, err) ... slx_chip_get_area(&a, c, k, err)
 *
 * Invariants: a constant lives in data/ with its source, a figure of a chip in its file; nothing is compiled in. Every
 * answer is low, mid, high. Rows of area and power err independently, so their ends add in quadrature; prices move
 * together, so a bill's low is the sum of lows. What a published chip does not tell is NAN in all three, and the
 * sheet's `missing` names the key it depends on.
 */
#ifndef SLX_CHIP_SILICON_H
#define SLX_CHIP_SILICON_H

#include "chip/chip.h"

typedef struct {
    double low, mid, high;
} slx_band;

/* ------------------------------------------------------------------ constants */

/* The rows of data/silicon.csv and data/cost.csv; immutable, may be shared by threads. */
typedef struct slx_constants slx_constants;

#define S(name) SLX_S_##name,
#define F(name)
typedef enum {
#include "chip/silicon_keys.def"
    SLX_S_COUNT
} slx_constant;
#undef S
#undef F

/* Reads both files. Refuses unknown, missing and doubled rows, and bands that are not 0 <= low <= mid <= high, each
 * with file and line. */
slx_status slx_constants_load(slx_constants **out, slx_err *err);
/* The same from texts (neither is kept); the paths are for messages. */
slx_status slx_constants_parse(slx_constants **out, const char *const text[2],
                               const char *const path[2], slx_err *err);
void slx_constants_free(slx_constants *k); /* NULL is fine */
slx_band slx_constants_at(const slx_constants *k, slx_constant c);
/* "N5" of family "wafer_usd"; false if there is no such row. */
bool slx_constants_of(const slx_constants *k, const char *family, const char *suffix,
                      slx_band *out);

/* For what-ifs: rows in the order of the files, 0 to count - 1. */
int slx_constants_count(const slx_constants *k);
const char *slx_constants_name(const slx_constants *k, int i);
const char *slx_constants_unit(const slx_constants *k, int i);
const char *slx_constants_source(const slx_constants *k, int i);
slx_band slx_constants_row(const slx_constants *k, int i);
/* What a value of this row must be, where v is not; NULL where it is. */
const char *slx_constants_rule(const slx_constants *k, int i, double v);
/* Everything that is computed afterwards takes v for this row. */
void slx_constants_set(slx_constants *k, int i, slx_band v);

/* ------------------------------------------------------------------ sheets */

enum { SLX_SHEET_ROWS = 24 };

/* A list of parts and their total. Names are static. */
typedef struct {
    int n;
    struct {
        const char *name;
        slx_band v;
    } row[SLX_SHEET_ROWS];
    slx_band total;
    /* Key of a figure that is not published, on which the total depends; "key: reason" where it is given and in the way;
     * else NULL. */
    const char *missing;
} slx_sheet;

/* ------------------------------------------------------------------ area */

typedef struct {
    slx_sheet die;         /* blocks of one compute die, mm2 */
    slx_sheet io;          /* blocks of one I/O die; no rows if there is none */
    uint32_t dies, io_dies;
    slx_band silicon_mm2;  /* all dies */
    slx_band spared_mm2;   /* of a compute die: what spare tiles can stand in for */
    double reticle_mm2;
} slx_area;

/* From the chip's figures and coefficients. Fails when the chip's process node or another name has no row in data/. */
slx_status slx_chip_get_area(slx_area *out, const slx_chip *c, const slx_constants *k,
                             slx_err *err);

/* ------------------------------------------------------------------ power */

/* Watts at two points, from analytic rates. decode: the memory at its peak, decode_batch rows. prefill: the tensor
 * engines at their fastest rate, the memory at prefill_hbm_share. */
typedef struct {
    slx_sheet decode, prefill;
    slx_band tdp_w; /* the larger of the two; NAN when one is not known */
} slx_power;

slx_status slx_chip_get_power(slx_power *out, const slx_chip *c, const slx_area *a,
                              const slx_constants *k, slx_err *err);

/* ------------------------------------------------------------------ yield */

/* Of one kind of die. */
typedef struct {
    const char *node;
    slx_band mm2;        /* published where it is, else computed */
    slx_band gross_dies; /* on a wafer */
    slx_band perfect;    /* share without a defect */
    slx_band yield;      /* share that sells: spare tiles stand in for bad ones */
    slx_band good_dies;  /* on a wafer */
    slx_band usd;        /* of a good die */
    bool over_reticle;    /* larger than the process can print: no wafer, yield or price, all NAN */
    double tiles, spares; /* of a die; NAN = not published, then harvest_gain of data/cost.csv is used */
} slx_die;

/* N = pi d^2 / 4A - pi d / sqrt(2A), with d the wafer's diameter less its edge and A the die and a saw street. */
double slx_gross_dies(double die_mm2, double wafer_mm, double edge_mm, double scribe_mm);
/* Negative binomial: defects of density d0 (1/cm2) cluster as a gamma distribution of shape alpha. spared_mm2 of the die
 * are `tiles` equal parts, of which `spares` may be bad; the rest must have no defect. */
double slx_die_yield(double die_mm2, double spared_mm2, double tiles, double spares, double d0,
                     double alpha);

/* ------------------------------------------------------------------ cost */

/* What a buyer is charged for a chip. A chip of a maker whose prices are not known at all, or that is not sold, and one of
 * ours, is charged at its unit cost. */
typedef enum { SLX_PRICE_UNIT_COST, SLX_PRICE_PUBLISHED, SLX_PRICE_ESTIMATED } slx_price_basis;
const char *slx_price_basis_name(slx_price_basis b); /* "unit cost", "price", "estimated price" */

typedef struct {
    slx_die die, io;      /* io.node is NULL without I/O dies */
    slx_sheet bom_usd;    /* dies, memory, package, what assembly spoils, board and test */
    slx_sheet unit_usd;   /* the bill with its share of masks and development */
    slx_band volume;      /* that shares them */
    slx_price_basis basis;
    slx_band chip_usd;    /* on that basis; NAN = not known */
    slx_sheet hour_usd;   /* an hour of use: chip, server, building, power */
    slx_band new_model_usd; /* masks of other weights in a ROM; 0 without a ROM */
} slx_cost;

slx_status slx_chip_get_cost(slx_cost *out, const slx_chip *c, const slx_area *a,
                             const slx_power *p, const slx_constants *k, slx_err *err);

/* Dollars per million tokens of chips that stand at hour_usd each and make tok_s tokens a second together, hour after
 * hour: low is the cheapest hour at the highest rate. */
slx_band slx_usd_per_mtok(slx_band hour_usd, double chips, slx_band tok_s);

/* ------------------------------------------------------------------ one reading of a model's weights */

/* Of the model of data/silicon.csv (pass_*). NAN where the chip does not tell. */
typedef struct {
    double chips;     /* that hold the weights */
    double us;        /* to read them once, each chip its share */
    slx_band mj;      /* energy of that */
    double rows;      /* tokens that may share a reading; INFINITY = as many as there are */
    double kv_tokens; /* that fit beside the weights */
} slx_pass;

slx_status slx_chip_get_pass(slx_pass *out, const slx_chip *c, const slx_constants *k,
                             slx_err *err);

/* ------------------------------------------------------------------ warnings */

enum { SLX_CHIP_WARNINGS = 2 };

/* What nobody would build so, though it may be worth a what-if (slx_chip_check_physics refuses what contradicts itself):
 * one line each; returns how many. */
int slx_chip_get_warnings(char out[SLX_CHIP_WARNINGS][200], const slx_chip *c, const slx_area *a, const slx_power *p);

#endif
