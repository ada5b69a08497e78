/* fleet.h - years of deployment: demand to chips, racks, power, halls and money, quarter by quarter.
 *
 *   cases/NAME.yaml --load--> slx_fleet_case --inputs' mid, or a future's draw--> slx_fleet_eval --> slx_fleet_run
 *                                  |                                                  ^
 *                                  '--> slx_fleet_plan (MILP): deliveries of the options that are to be chosen
 *
 * A case is a flat list of inputs (low, mid, high, unit, source) and the structure that refers to them by index; so a
 * sensitivity, a --set and a random future are all nothing but another array of values.
 * Invariants: every run balances chips, watts and dollars in every quarter, or aborts. An input that is not given has
 * its default or is NAN; a quarter is a quarter of a year of 365.25 days.
 */
#ifndef SLX_FLEET_H
#define SLX_FLEET_H

#include "base/base.h"

enum {
    SLX_FLEET_QUARTERS = 80,
    SLX_FLEET_OPTIONS = 16,
    SLX_FLEET_SITES = 8,
    SLX_FLEET_POOLS = 12,
    SLX_FLEET_CONTRACTS = 8,
    SLX_FLEET_VARIANTS = 12,
    SLX_FLEET_FIGURES = 32,
    SLX_FLEET_OWN_CHIPS = 12,
};

/* ------------------------------------------------------------------ what a case holds */

typedef enum {
    SLX_FS_DEMAND,
    SLX_FS_OPTION,
    SLX_FS_SITE,
    SLX_FS_POOL,
    SLX_FS_CONTRACT,
    SLX_FS_MONEY,
    SLX_FS_LIMITS,
    SLX_FS_RESEARCH,
    SLX_FS_SALES,
    SLX_FS_TRAINING,
    SLX_FS_OWN,
    SLX_FS_COUNT
} slx_fleet_section;

typedef enum {
#define K(section, key, ...) SLX_F_##section##_##key,
#include "fleet/fleet_keys.def"
    SLX_F_COUNT
} slx_fleet_key;

typedef enum {
#define OUT(name, ...) SLX_FO_##name,
#include "fleet/fleet_outputs.def"
    SLX_FO_COUNT
} slx_fleet_output;

/* What a key of a case file is. */
typedef struct {
    slx_fleet_section section;
    const char *name, *unit; /* unit: "a|b" leaves a choice */
    double least, most;
    double dflt; /* NAN: not known; INFINITY: must be given */
    const char *doc;
} slx_fleet_key_info;
extern const slx_fleet_key_info slx_fleet_keys[SLX_F_COUNT];
extern const char *const slx_fleet_section_names[SLX_FS_COUNT]; /* as in the file: "options" */

typedef struct {
    slx_fleet_key key;
    const char *path;      /* "options.h100.tok_s" */
    double low, mid, high; /* of a series: a factor on all of it, 1 in the middle */
    const double *series;  /* [quarters], or NULL */
    int unit;              /* which of the key's units */
    const char *source;
    bool given;
    bool free; /* no source fixes it: chosen within its band */
    int line;
} slx_fleet_input;

typedef enum { SLX_FLEET_DEMAND, SLX_FLEET_PLAN, SLX_FLEET_CHOOSE } slx_fleet_deploy;
typedef enum {
    SLX_FLEET_BUY,
    SLX_FLEET_MAKE,
    SLX_FLEET_PARTNER,
    SLX_FLEET_ACQUIRE,
    SLX_FLEET_RENT
} slx_fleet_route;
/* Units of a plan, and of a pool, in the order of fleet_keys.def. */
enum {
    SLX_FLEET_GW,
    SLX_FLEET_USD,
    SLX_FLEET_CHIPS,
    SLX_FLEET_RACKS
};                                                  /* the first two: of a contract too */
enum { SLX_FLEET_USD_MTOK, SLX_FLEET_USD_GW_YEAR }; /* of sales */
enum {
    SLX_POOL_WAFERS,
    SLX_POOL_GIB,
    SLX_POOL_MM2,
    SLX_POOL_CHIPS,
    SLX_POOL_RACKS,
    SLX_POOL_SUBSTRATES
};

typedef struct {
    const char *name, *supplier, *chip; /* chip: "" = no chip file */
    slx_fleet_deploy deploy;
    slx_fleet_route route;
    int site;
    int pools[SLX_FLEET_POOLS], n_pools;
    int base, line; /* inputs of it: in[base + SLX_F_OPTION_..] */
} slx_fleet_option;

typedef struct {
    const char *name;
    int base;
} slx_fleet_block; /* a site or a pool */

/* What was agreed with a supplier about the deliveries of some options. */
typedef struct {
    const char *name;
    int options[SLX_FLEET_OPTIONS], n_options;
    int base;
} slx_fleet_contract;

/* Inputs that another reading of the same case replaces. */
typedef struct {
    const char *name, *about;
    slx_fleet_input *in; /* whole inputs, with `at` the index each replaces */
    int *at, n;
} slx_fleet_variant;

/* A figure others published, and which output of which variant answers it. */
typedef struct {
    const char *name, *source;
    slx_fleet_output of;
    int option;  /* -1 = the whole fleet */
    int variant; /* -1 = the case itself */
    double published;
    double within; /* relative error that is claimed */
} slx_fleet_public;

typedef struct {
    slx_arena arena;
    const char *path, *name, *title, *about;
    int start_year, start_quarter; /* 2026, 1..4 */
    int quarters;
    bool rolling; /* worn racks are replaced a little every quarter, not a purchase at a time */
    slx_fleet_input *in;
    int n_in;
    int demand, money, limits, research, sales, training,
        own; /* as base of an option; demand .. are -1 when there is none */
    slx_fleet_option option[SLX_FLEET_OPTIONS];
    slx_fleet_block site[SLX_FLEET_SITES], pool[SLX_FLEET_POOLS];
    slx_fleet_contract contract[SLX_FLEET_CONTRACTS];
    slx_fleet_variant variant[SLX_FLEET_VARIANTS];
    slx_fleet_public figure[SLX_FLEET_FIGURES];
    int n_options, n_sites, n_pools, n_contracts, n_variants, n_figures;
    const char *own_model[SLX_FLEET_OWN_CHIPS], *own_chip[SLX_FLEET_OWN_CHIPS];
    int n_own_models, n_own_chips;
} slx_fleet_case;

enum { SLX_FLEET_NONE = -1000 }; /* base of a section that is not there */

/* A name in cases/ or a path; "-" is standard input. The case is the caller's to free. */
slx_status slx_fleet_load(slx_fleet_case **out, const char *name, slx_err *err);
slx_status slx_fleet_parse(slx_fleet_case **out, const char *text, size_t len, const char *path,
                           slx_err *err);
void slx_fleet_free(slx_fleet_case *c); /* NULL is fine */
/* "options.h100.tok_s=25": exactly that; of a series, a factor on it. */
slx_status slx_fleet_set(slx_fleet_case *c, const char *assignment, slx_err *err);
/* What the figures must be to each other, after one or more of the above; what: names them in the message. */
slx_status slx_fleet_recheck(slx_fleet_case *c, const char *what, slx_err *err);
/* Makes the case its variant; "" or NULL: nothing. */
slx_status slx_fleet_use_variant(slx_fleet_case *c, const char *name, slx_err *err);
const char *slx_fleet_unit(const slx_fleet_input *in);
const char *slx_fleet_output_name(slx_fleet_output o);
const char *slx_fleet_output_unit(slx_fleet_output o);
const char *slx_fleet_output_doc(slx_fleet_output o);
bool slx_fleet_output_each(slx_fleet_output o);   /* also of one option */
bool slx_fleet_section_many(slx_fleet_section s); /* blocks with names: options, sites .. */
/* "2026-Q3" */
const char *slx_fleet_quarter(char out[16], const slx_fleet_case *c, int q);

/* ------------------------------------------------------------------ one future */

/* Deliveries of options that are to be chosen, in racks. */
typedef struct {
    double racks[SLX_FLEET_OPTIONS][SLX_FLEET_QUARTERS];
} slx_fleet_orders;

/* What chance adds to the inputs. */
typedef struct {
    int slip[SLX_FLEET_OPTIONS]; /* quarters */
    bool respin[SLX_FLEET_OPTIONS];
    bool option_out[SLX_FLEET_OPTIONS][SLX_FLEET_QUARTERS];
    bool pool_out[SLX_FLEET_POOLS][SLX_FLEET_QUARTERS];
} slx_fleet_events;

typedef struct {
    const double *v;                /* [n_in]; NULL = every input's mid */
    const slx_fleet_orders *orders; /* NULL = none */
    const slx_fleet_events *events; /* NULL = all as planned: slip's mid, no outage, no respin */
    int single; /* this option takes what all were to deliver; -1 = as the case says */
} slx_fleet_future;

/* One option in one quarter; racks unless said otherwise. */
typedef struct {
    double ordered, delivered, renewed, retired, waiting,
        backlog;                 /* waiting: delivered, no power yet */
    double racks;                /* in service at the end */
    double training_racks, sold; /* of those in service, and of those delivered */
    double failed_chips, spare_chips;
    double facility_w, capex_usd;
} slx_fleet_cell;

typedef struct {
    double need_tok_s,
        capacity_tok_s; /* at the peak, reserve included; of racks that do not train */
    double need_flop_s, training_flop_s;
    double tokens_asked, tokens_served, tokens_sold, gw_sold;
    double it_w, facility_w, energy_j;
    double racks_usd, spares_usd, halls_usd, nre_usd; /* capex */
    double energy_usd, maintenance_usd, repair_usd, lease_usd, rent_usd, shortfall_usd,
        goods_usd; /* opex; goods: racks that are sold on */
    double sales_usd;
    double warrants_usd, investment_usd; /* from suppliers, for deliveries */
    double depreciation_usd, book_usd;   /* book: at the end */
    double pool[SLX_FLEET_POOLS];        /* taken of each */
    double site_w[SLX_FLEET_SITES];
} slx_fleet_total;

/* One contract in one quarter, all since the start; due and taken in the unit of its commitment. */
typedef struct {
    double due, taken, gw; /* gw: delivered */
    double short_paid;     /* of what was due, paid for and not taken */
    double vested_gw;      /* deliveries whose equity has vested */
    double shortfall_usd, warrants_usd, investment_usd;
} slx_fleet_contract_cell;

typedef struct {
    slx_fleet_contract_cell contract[SLX_FLEET_CONTRACTS][SLX_FLEET_QUARTERS];
    slx_fleet_cell cell[SLX_FLEET_OPTIONS][SLX_FLEET_QUARTERS];
    slx_fleet_total total[SLX_FLEET_QUARTERS];
    double out[SLX_FO_COUNT];                           /* NAN = the case does not say */
    double option_out[SLX_FLEET_OPTIONS][SLX_FO_COUNT]; /* NAN also for what is not `each` */
} slx_fleet_run;

void slx_fleet_eval(const slx_fleet_case *c, const slx_fleet_future *f, slx_fleet_run *r);
double slx_fleet_capex(const slx_fleet_total *t);
double slx_fleet_opex(const slx_fleet_total *t);
/* Value of an input in a quarter: v as in slx_fleet_future, not NULL. */
double slx_fleet_at(const slx_fleet_case *c, const double *v, int in, int q);
/* GW of deliveries whose equity has vested: all at all_gw, in whole steps; step_gw 0: in proportion. */
double slx_fleet_vested(double gw, double all_gw, double step_gw);
/* Worth of all warrants of a contract; contract: values from its base on. */
double slx_fleet_warrants_usd(const double *contract);
/* Racks delivered in the first `q + 1` quarters by an option with deploy: plan. */
double slx_fleet_planned(const slx_fleet_case *c, const double *v, int option, int q);
double slx_fleet_rack_usd(const slx_fleet_case *c, const double *v, int option, int q);
double slx_fleet_need_tok_s(const slx_fleet_case *c, const double *v, int q);
double slx_fleet_need_flop_s(const slx_fleet_case *c, const double *v, int q);
/* Tokens written a second by what reads tokens_in for every tokens_out it writes; the rates are of each alone. */
double slx_fleet_both_tok_s(double write_tok_s, double read_tok_s, double tokens_in,
                            double tokens_out);
/* Of a rack that does nothing else, reading included; 0 where the case does not say: it cannot. */
double slx_fleet_rack_tok_s(const slx_fleet_case *c, const double *v, int option);
double slx_fleet_rack_flop_s(const slx_fleet_case *c, const double *v, int option);
/* Share of a quarter's deliveries that is kept, not sold on. */
double slx_fleet_kept(const slx_fleet_case *c, const double *v, int option, int q);
/* Racks of the start that are not worn out in a quarter, where renewal is by cohort. */
double slx_fleet_base_left(const slx_fleet_case *c, const double *v, int option, int q);
/* First quarter in which an option can deliver, without a slip. */
int slx_fleet_ready(const slx_fleet_case *c, const double *v, int option);
/* What a delivered rack takes of a pool in a quarter. */
double slx_fleet_pool_use(const slx_fleet_case *c, const double *v, int option, int pool, int q);

/* ------------------------------------------------------------------ public figures, sensitivity */

enum { SLX_FLEET_MOVERS = 8 };

/* An input that moves an output when it alone goes to its low and to its high. */
typedef struct {
    int in;
    double low, high; /* of the input, in the variant it was tried in */
    bool free;
    double at_low, at_high;
} slx_fleet_mover;

typedef struct {
    double ours, error; /* relative; NAN without a published figure */
    int n_movers;
    slx_fleet_mover mover[SLX_FLEET_MOVERS]; /* the strongest first */
    int n_free;
    int free_in[SLX_FLEET_MOVERS]; /* free inputs that move it */
} slx_fleet_answer;

/* Answers published figure i, in its variant. c is unchanged. */
slx_status slx_fleet_answer_figure(slx_fleet_case *c, int i, const slx_fleet_orders *orders,
                                   slx_fleet_answer *a);
/* What a run is behind its plan, in GW years, and what that, tokens not served and research not done cost, discounted,
 * USD: limits.late_usd_gw_year, shortage_usd_mtok, untrained_usd_flop. late is NAN where orders follow the demand:
 * then there is no plan. */
double slx_fleet_penalty(const slx_fleet_case *c, const double *v, const slx_fleet_run *plan,
                         const slx_fleet_run *r, double *late_gw_years);
/* Movers of any output of the case as it stands; of the whole fleet's cost_usd with the penalty. */
void slx_fleet_movers(const slx_fleet_case *c, const slx_fleet_orders *orders, slx_fleet_output o,
                      int option, slx_fleet_answer *a);

#endif
