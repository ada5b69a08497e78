/* time.h - runs a program for its cycles and its energy, never for its values.
 *
 *   slx_time_result r;
 *   slx_step_build(&p.info, desc, seqs, n, &err);
 *   slx_time_step(&p, chip, desc, &(slx_time_options){0}, &r, &err);
 *   ... r.seconds, r.energy_fj, r.bound_by ...
 *   slx_time_result_free(&r);
 *
 * The same program and the same step descriptor that func runs. Every figure comes from the chip
 * file; what is modelled and what is not stands in docs/timing.md and at the top of sim.c, hbm.c
 * and cost.c. The result depends on nothing else: not on the host, not on threads. / */
#ifndef SLX_TIME_H
#define SLX_TIME_H

#include "chip/chip.h"
#include "isa/program.h"

/* What the critical path of a step consists of: from the end back to the start through whatever
 * each instruction waited for. The parts sum to the step's cycles. */
#define SLX_TIME_BOUNDS(X)                                                                         \
    X(BARRIERS, "barriers")    /* the network's diameter at BAR; uneven tiles count as their work */ \
    X(COLLECTIVES, "collectives") /* RED and GAT: latency of messages and bytes between chips */ \
    X(WEIGHTS, "weights (HBM)") /* bytes of the weights region */                                   \
    X(ATTENTION, "attention")  /* bytes, products and vectors of the attention phase */            \
    X(EXCHANGE, "exchange (HBM)") /* activations, tables and the descriptor through memory */       \
    X(STARTUP, "start-up of transfers") /* DMA start, access latency, hops, where not hidden */    \
    X(TENSOR, "tensor")                                                                            \
    X(VECTOR, "vector")                                                                            \
    X(CONTROL, "control") /* issue, dispatch, scalar reads, full counters */
typedef enum {
#define X(n, t) SLX_TIME_##n,
    SLX_TIME_BOUNDS(X)
#undef X
    SLX_N_TIME_BOUNDS
} slx_time_bound;
const char *slx_time_bound_name(slx_time_bound b);

/* Where a joule goes. */
#define SLX_TIME_WIRES(X)                                                                          \
    X(MAC, "multiply-add")  /* integer products */                                                 \
    X(SUM, "fp32 sums")     /* of TEN: scales, chain, tree */                                      \
    X(VEC, "vector lanes")                                                                         \
    X(SRAM, "scratchpad")   /* and accumulators, and fetch of instructions */                      \
    X(ROM, "weights beside TEN") /* read from ROM, or from the SRAM in its place */                \
    X(NOC, "network on chip")                                                                      \
    X(HBM, "memory")                                                                               \
    X(NET, "collectives")   /* bytes sent to other chips, at the links' energy a bit */            \
    X(IO, "links and I/O die") /* by time, without what NET already counts */                                                       \
    X(LEAK, "leakage and clock") /* by time */
typedef enum {
#define X(n, t) SLX_TIME_WIRE_##n,
    SLX_TIME_WIRES(X)
#undef X
    SLX_N_TIME_WIRES
} slx_time_wire;
const char *slx_time_wire_name(slx_time_wire w);

typedef struct {
    uint64_t insns;
    uint64_t busy, token, empty; /* cycles over all tiles: running; waiting for a token; nothing in the queue */
    uint64_t energy_fj;
} slx_time_engine;

/* A stretch of the program, as the compiler named it. */
typedef struct {
    char name[32];
    uint64_t cycles;    /* of the critical path; all spans sum to the step's cycles */
    uint64_t energy_fj; /* of events */
    uint64_t static_fj; /* of what goes by time: its share of the step's cycles */
    bool in_layers;     /* inside the loop over layers, all of them together */
} slx_time_span;

/* How far steps were off that fold layers alone, and tiles too, against every tile and layer: the steps drawn for
 * docs/timing.md ("Folding"; build/test/diff/test_time_draw repeats it). */
#define SLX_TIME_FOLD_LAYERS_MEAN  0.0007
#define SLX_TIME_FOLD_LAYERS_WORST 0.015
#define SLX_TIME_FOLD_TILES_MEAN   0.0025
#define SLX_TIME_FOLD_TILES_WORST  0.025

/* Of one chip; a program of n_chips does all of this on each of them at the same time. */
typedef struct {
    uint64_t cycles;
    double seconds;
    double clock_ghz, vdd_v;  /* the step ran at; below those of the chip file when power_limited */
    double power_w;           /* mean of the step, everything included */
    bool power_limited;       /* at the file's clock it would have drawn more than package.tdp_w */
    double paused;            /* share of seconds in which the clock stands, as the slowest point drew too much still; else 0 */
    double unlimited_s;       /* its time at that clock */
    uint32_t n_chips, n_tiles, n_classes; /* classes of tiles with the same work */
    uint32_t tiles_simulated;    /* all, or one for each class */
    uint32_t layers_simulated;   /* all, or 2 or 4 where the others only repeat them */
    uint64_t simulated;          /* instructions that went through the queues */

    /* counts: equal to slx_func_count of the same step */
    uint64_t macs, hbm_read_bytes, hbm_write_bytes;
    uint64_t spm_read_bytes, spm_write_bytes; /* code and scale planes included, which func leaves out */
    uint64_t region_read_bytes[SLX_N_REGION_KINDS];
    uint64_t net_bytes; /* brought to RED and GAT, as slx_func_count counts them */
    uint64_t net_wire_bytes; /* sent for them */

    /* Integer femtojoules. energy_fj = sum of wire_fj = static_fj + events by engine = events + static by span = the same by
     * layer. static_fj: what goes by time (LEAK and IO), of no engine more than of another. */
    uint64_t energy_fj, static_fj;
    uint64_t wire_fj[SLX_N_TIME_WIRES];
    slx_time_engine engine[SLX_N_ENGINES];

    uint64_t bound[SLX_N_TIME_BOUNDS]; /* cycles; sum = cycles */
    slx_time_bound bound_by;
    uint64_t roofline_cycles; /* no schedule of this step on this chip is shorter */
    uint64_t roofline_hbm, roofline_ten, roofline_net;

    uint32_t n_spans; /* the program's spans and one more, for words outside all of them */
    slx_time_span *spans;
    uint32_t n_layers; /* [0]: outside the layers; [1 + l]: layer l */
    uint64_t *layer_fj, *layer_static_fj; /* of events; of what goes by time (one block with it) */
} slx_time_result;

enum { SLX_TIME_STACKS = UINT32_MAX / 2 };
/* One instruction's stay in its engine, for traces. */
typedef struct {
    uint32_t tile, pc;
    uint8_t op, engine;
    const char *span; /* borrowed from the program; "" outside spans */
    int32_t layer;    /* -1 outside the layers */
    uint64_t start, finish;
    uint64_t bytes;   /* of loads, stores and moves: through the tile's own link */
    uint32_t stack;   /* of loads and stores: that all their bytes lie in; SLX_TIME_STACKS: in several */
    uint32_t copies;  /* tiles that do the same at the same time, this one among them (a folded step shows one of a class) */
    double clock_ghz;
} slx_time_event;

/* What goes by time and not by events: leakage and clock of all dies, links to other chips at their
 * rate, as in the chip's power sheet. From the chip file and data/. */
typedef struct {
    double leak, io;
} slx_time_watts;
/* The chip at one of its voltages, 0 the lowest, dvfs.points - 1 (or more) that of the file; *watts is changed to go
 * with it. *out borrows from c. */
void slx_time_at_point(const slx_chip *c, uint32_t point, slx_chip *out, slx_time_watts *watts);
slx_status slx_time_get_watts(slx_time_watts *out, const slx_chip *c, slx_err *err);

typedef struct {
    uint32_t rank; /* of the chip that is simulated */
    /* Where layers repeat one another, two or four of them, the others from those (10 layers and more). On 4 chips and more one
     * tile of each class, memory loaded for all of them (16 tiles and more, no more than half of them left). */
    bool folded;
    /* And so on fewer chips: a few times as fast there, but some steps are up to 15 % off. For what one step differs from
     * another by, both folded so. */
    bool by_classes;
    /* NULL: none. Events are of every layer, from a run of their own. */
    void (*event)(void *arg, const slx_time_event *e);
    void *event_arg;
    const slx_time_watts *watts; /* NULL: slx_time_get_watts */
} slx_time_options;

/* desc: p->info.desc.bytes of them (may be NULL without a DESC region). The program must have
 * passed slx_verify for this chip's shape. Where the chip file has several voltages, the clock is lowered as far as
 * package.tdp_w asks. Refuses what the chip has no engine for; SLX_EFAULT
 * where the control flow itself faults (LDS above its limit, division by zero, an address in no
 * region). On SLX_OK the caller frees the result. */
slx_status slx_time_step(const slx_program *p, const slx_chip *c, const uint8_t *desc, const slx_time_options *opt,
                         slx_time_result *out, slx_err *err);
void slx_time_result_free(slx_time_result *r);

/* How far the seconds of r, that this step took, may be off within what the sources of the chip file allow: by runs of the
 * step with figures at both ends, 7 of them, or 35 where small figures matter (band.c). how: without events. */
slx_status slx_time_get_band(const slx_program *p, const slx_chip *c, const uint8_t *desc, const slx_time_options *how,
                             const slx_time_result *r, double *low_s, double *high_s, slx_err *err);
/* The same without a run, wider: what the critical path consists of, seconds of one or more steps, each part longer and
 * shorter by the figure that it goes by. */
void slx_time_shares_band(const slx_chip *c, const double bound_s[SLX_N_TIME_BOUNDS], double *low_s, double *high_s);
/* And of energy: joules more or less than the sum of these. */
double slx_time_joules_off(const slx_chip *c, const double joules[SLX_N_TIME_WIRES]);

/* Events as a trace that Perfetto and chrome://tracing open: a process a tile, a thread an engine, more of them where
 * transfers overlap. Microseconds. */
enum { SLX_TRACE_LANES = 256 }; /* as many as tile.dma_in_flight may be */
typedef struct {
    FILE *out;
    uint64_t n;
    uint8_t *named; /* [n_tiles] */
    uint64_t *ends; /* [n_tiles][engines][SLX_TRACE_LANES] cycle + 1 at which a thread is free; 0 = unused */
} slx_time_trace;
void slx_time_trace_begin(slx_time_trace *t, FILE *out, const slx_program *p);
void slx_time_trace_event(void *trace, const slx_time_event *e); /* as slx_time_options.event */
slx_status slx_time_trace_end(slx_time_trace *t, const char *path, slx_err *err);

#endif
