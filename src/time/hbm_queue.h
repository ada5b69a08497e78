/* hbm_queue.h - memory command by command: what hbm_rate.c is held against, and asks where it has no closed form.
 *
 *   requests --> queue --> ACT PRE REFpb (row commands) --> bank    one row and one column command a clock
 *                          RD WR         (column commands) --> data bus
 *
 * A pseudo-channel has banks in groups, each with one open row. Time is in whole clocks of the
 * memory, four transfers of a pin each; a duration of the chip file is rounded up to clocks.
 *
 *   slx_hbmq_params p;
 *   slx_hbmq_params_get(&p, chip, &err);
 *   slx_hbmq *q = slx_hbmq_new(&p);
 *   slx_hbmq_push(q, burst, write, tag, at_clk) ...
 *   end_clk = slx_hbmq_drain(q);
 *   slx_hbmq_free(q);
 *
 * hbm_check.c sees only commands and parameters and knows nothing of the queue. */
#ifndef SLX_HBM_QUEUE_H
#define SLX_HBM_QUEUE_H

#include "chip/chip.h"

/* ------------------------------------------------------------------ parameters */

/* Of one pseudo-channel; durations in clocks. */
typedef struct {
    double clk_ghz;
    uint32_t bytes;                         /* of a burst */
    uint32_t banks, groups, columns;        /* bank b is of group b % groups; columns: bursts of a row */
    uint32_t spread;                        /* groups that neighbouring bursts lie in */
    uint32_t burst, tcl, tcwl;              /* data: at + tcl (tcwl) until burst later */
    uint32_t trcd, trp, tras, trc;          /* of a bank */
    uint32_t trtp, twr;                     /* RD, end of written data to PRE */
    uint32_t tccd_s, tccd_l, trrd_s, trrd_l; /* between groups, within one */
    uint32_t tfaw;                          /* any five ACT or REFpb take longer */
    uint32_t trtw, twtr_s, twtr_l;          /* RD to WR; end of written data to RD */
    uint32_t trfcpb;
    uint64_t trefi;                         /* every bank is refreshed once in it, on average; 0: never */
    uint32_t late;                          /* refreshes that may be due and not yet done */
    uint32_t queue, pass_max;               /* bursts waiting; younger ones that may be served before one */
} slx_hbmq_params;

/* Refuses a chip whose burst is longer than a row, or whose refreshes leave no time. */
slx_status slx_hbmq_params_get(slx_hbmq_params *p, const slx_chip *c, slx_err *err);

/* ------------------------------------------------------------------ commands */

#define SLX_HBMQ_OPS(X) X(ACT) X(PRE) X(REF) X(RD) X(WR)
typedef enum {
#define X(n) SLX_HBMQ_##n,
    SLX_HBMQ_OPS(X)
#undef X
    SLX_N_HBMQ_OPS
} slx_hbmq_op;

typedef struct {
    uint64_t at;        /* clock */
    uint64_t row, tag;  /* row: ACT, RD, WR; tag: of the request, RD and WR */
    uint32_t bank, column;
    slx_hbmq_op op;
} slx_hbmq_command;

/* Place of burst `n` of a pseudo-channel's own addresses: group (low part), column, group (high part), bank, row. */
void slx_hbmq_place(const slx_hbmq_params *p, uint64_t n, slx_hbmq_command *out);

/* ------------------------------------------------------------------ one pseudo-channel */

typedef struct {
    uint64_t commands[SLX_N_HBMQ_OPS];
    uint64_t end;               /* clock after the last byte */
    uint64_t wait_sum, wait_max; /* clocks from push to the last byte of a burst */
    uint32_t passed_max;        /* most younger bursts served before one */
    uint64_t forced;            /* refreshes that made a burst wait because none could be put off further */
} slx_hbmq_stats;

typedef struct slx_hbmq slx_hbmq;
slx_hbmq *slx_hbmq_new(const slx_hbmq_params *p);
void slx_hbmq_free(slx_hbmq *q); /* NULL is fine */
/* Every command in order of time; of two in one clock the row command first where the other needs it. */
void slx_hbmq_trace(slx_hbmq *q, void (*f)(void *arg, const slx_hbmq_command *c), void *arg);
/* Burst `n` comes at clock `at`, or when the queue has room again. `at` never falls. */
void slx_hbmq_push(slx_hbmq *q, uint64_t n, bool write, uint64_t tag, uint64_t at);
/* Serves all that wait; the clock after the last byte. */
uint64_t slx_hbmq_drain(slx_hbmq *q);
slx_hbmq_stats slx_hbmq_get_stats(const slx_hbmq *q);

/* ------------------------------------------------------------------ what streams reach: hbm_rate.c */

/* Share of the pins' rate that `streams` reach together which each ask for `request` neighbouring bursts at a time;
 * writes: share of the bursts. Above 0, at most 1. A closed form where one is exact enough, else the queue's own rate over
 * some thousand bursts. */
double slx_hbmq_stream_share(const slx_hbmq_params *p, uint32_t streams, uint32_t request, double writes);
/* The closed form alone, of streams that all read or all write. */
double slx_hbmq_stream_law(const slx_hbmq_params *p, double streams, uint32_t request, bool write);

/* ------------------------------------------------------------------ all of them */

/* The memory of a chip, all pseudo-channels of all stacks, behind its address map. */
typedef struct {
    slx_hbmq_params p;
    uint64_t all;         /* pseudo-channels */
    uint32_t shift;       /* log2 of the interleave */
    slx_hbmq **q;         /* [all]: granule g = address >> shift lies in g % all */
} slx_hbmq_memory;

slx_status slx_hbmq_memory_init(slx_hbmq_memory *m, const slx_chip *c, slx_err *err);
void slx_hbmq_memory_deinit(slx_hbmq_memory *m);
/* All bursts that [addr, addr+bytes) touches, at clock `at`. */
void slx_hbmq_memory_access(slx_hbmq_memory *m, uint64_t addr, uint64_t bytes, bool write, uint64_t at);
uint64_t slx_hbmq_memory_drain(slx_hbmq_memory *m);

/* ------------------------------------------------------------------ checker: hbm_check.c */

#define SLX_HBMQ_RULES(X)                                                                          \
    X(ORDER, "commands in order of time")                                                          \
    X(BUS, "one row and one column command a clock")                                               \
    X(STATE, "bank open for RD, WR and PRE, closed for ACT and REF")                               \
    X(ROW, "RD and WR to the open row, a column it has, a bank there is")                          \
    X(RCD, "tRCD") X(RP, "tRP") X(RAS, "tRAS") X(RC, "tRC") X(RTP, "tRTP") X(TWR, "tWR")           \
    X(CCD_S, "tCCD_S") X(CCD_L, "tCCD_L") X(RRD_S, "tRRD_S") X(RRD_L, "tRRD_L") X(FAW, "tFAW")     \
    X(RTW, "tRTW") X(WTR_S, "tWTR_S") X(WTR_L, "tWTR_L") X(RFC, "tRFCpb")                          \
    X(DATA, "one burst at a time on the data bus")                                                 \
    X(REFI, "no more refreshes late than allowed")                                                 \
    X(ROUND, "every bank refreshed before one is again")
typedef enum {
#define X(n, t) SLX_HBMQ_RULE_##n,
    SLX_HBMQ_RULES(X)
#undef X
    SLX_N_HBMQ_RULES
} slx_hbmq_rule;
const char *slx_hbmq_rule_name(slx_hbmq_rule r);

typedef struct slx_hbmq_check slx_hbmq_check;
slx_hbmq_check *slx_hbmq_check_new(const slx_hbmq_params *p);
void slx_hbmq_check_free(slx_hbmq_check *k); /* NULL is fine */
void slx_hbmq_check_command(void *k, const slx_hbmq_command *c); /* as slx_hbmq_trace's function */
/* The trace ends at clock `at`. */
void slx_hbmq_check_end(slx_hbmq_check *k, uint64_t at);
/* How often a rule was broken; all rules: SLX_N_HBMQ_RULES. */
uint64_t slx_hbmq_check_broken(const slx_hbmq_check *k, slx_hbmq_rule r);
uint64_t slx_hbmq_check_commands(const slx_hbmq_check *k);

#endif
