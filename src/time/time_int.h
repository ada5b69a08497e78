/* time_int.h - inside the timing machine.
 *
 *   descriptor --walk--> records of one epoch (BAR to BAR) --sim--> finish times
 *
 *   walk.c  control flow of every tile in program order -> records, counters, energy
 *   walk_setup.c its beginning; walk_together.c tiles that go the same way, walked at once
 *   repeat.c which layers do the same as the one before, so that they need not be walked
 *   walk_moves.c the instructions of it that move bytes
 *   tally.c what a walk adds up
 *   cost.c  one instruction's figures
 *   sim.c   records through queues, engines and tokens -> times; sim_state.c: its beginning, marks and end
 *   path.c  what those times consisted of
 *   hbm.c   memory and network; hbm_book.c: pseudo-channels, hbm_class.c: classes of tiles
 *   net.c   chips that meet
 *   fold.c  which tiles and layers are simulated, and what the others take
 *   time.c  the step, the result
 *   dvfs.c  the clock that the rated power allows
 *   trace.c events for Perfetto
 *
 * The walk never asks for a time and the simulation never changes what is walked. */
#ifndef SLX_TIME_INT_H
#define SLX_TIME_INT_H

#include "time/time.h"

/* ------------------------------------------------------------------ one instruction */

enum { SLX_TM_TICKS = 256 }; /* ticks of memory and links a clock */

/* An instruction that leaves CTL, or a scalar access. A transfer moves `rows` rows of `bytes`
 * from addr, addr + stride, ...; or to the addresses `base + idx[k] * stride`, with the indices
 * at idx_at of the tile's list. */
typedef struct {
    uint32_t pc;
    uint16_t span;   /* n_spans = outside */
    uint16_t layer;  /* 0 = outside, else 1 + layer */
    uint8_t op, engine, bound;
    bool indexed, write;
    uint8_t tok[4];
    uint32_t ctl;    /* instructions CTL spent since the record before */
    uint32_t busy;   /* cycles in the engine, without memory */
    uint32_t rows, bytes;
    uint32_t spm_bytes;  /* of the scratchpad; transfers: 0, it is link_bytes */
    uint64_t addr, stride;
    uint64_t link_bytes; /* through the tile's own link */
    uint32_t group;      /* BAR and multicast: group + 1; MOV: tile of destination */
    uint32_t idx_at;
    int64_t delta;       /* folded: step of addr from one tile of the class to the next */
} slx_tm_rec;

/* Counters of the whole step. */
typedef struct {
    uint64_t insns[SLX_N_ENGINES], engine_fj[SLX_N_ENGINES], wire_fj[SLX_N_TIME_WIRES];
    uint64_t macs, hbm_read, hbm_write, spm_read, spm_write, region_read[SLX_N_REGION_KINDS];
    uint64_t net, net_wire;
    uint64_t *span_fj, *layer_fj;
    double ten_clk; /* MAC clocks of TEN at full use, over all tiles */
} slx_tm_counts;

/* ------------------------------------------------------------------ places: hbm.c */

/* Links between two columns or rows of the mesh, one direction: mesh.c. Lanes of it are booked apart: all links
 * between two columns are one, between two rows each column's link is. */
typedef struct {
    uint32_t n;          /* lanes; tile t passes lane t % n */
    double ticks;        /* of a byte through one */
    double *share;       /* [tile] of what it reads from all stacks alike that passes; NULL = not modelled */
    double *from;        /* [stack] of what a tile beyond reads from it that passes; that of a tile before it does not */
    double *mean;        /* [lane] share of all tiles' bytes that passes here */
    double *others[2];   /* [tile][lane] the same of the others of the class that a tile stands for; [1]: of their slices;
                            NULL: none yet */
    uint64_t *free, *all; /* [lane] ticks; as pch_free, pch_all */
} slx_tm_cut;

/* When each pseudo-channel of a stack is free, in ticks: max(at[i], floor) + more. Whoever takes all of them alike changes
 * floor and more alone. */
typedef struct {
    int64_t *at, floor, more;
    int64_t last; /* the latest of all */
} slx_tm_pch;

typedef struct {
    const slx_chip *chip;
    uint32_t n_tiles, stacks, npch; /* npch: pseudo-channels of a stack */
    uint32_t shift;             /* log2 of the interleave */
    uint64_t all;               /* pseudo-channels of the chip */
    uint64_t unit_ticks;        /* of 64 bytes in one pseudo-channel */
    uint64_t latency_ticks;     /* of an access to idle memory */
    uint64_t start_ticks;       /* of a transfer */
    double link_ticks;          /* of a byte */
    uint64_t hop_ticks;
    uint16_t *hops;             /* [tile][stack] */
    uint16_t *far;              /* [tile] most hops to a stack */
    double *mean;               /* [tile] hops, mean of the stacks */
    uint16_t *own;              /* [tile] its own stack, the nearest */
    uint16_t own_far;           /* most hops of a tile to its own stack */
    bool folded;
    slx_tm_pch *pch_free;       /* [stacks] what the simulated tiles have booked */
    slx_tm_pch *pch_all;        /* the same with all tiles of their classes (folded) */
    uint32_t *load;             /* [stacks][npch] units that the last transfer of many rows asked of each */
    bool *loaded;               /* [stacks] of any */
    uint32_t *place;            /* [all] of what comes n-th in the order of addresses: its place in load */
    uint64_t *link_in, *link_out; /* [tile] ticks */
    slx_tm_cut cut[4];          /* columns: right, left; rows: down, up */
    bool *of_class;             /* [tile] stands for others, in cut[].others and class_stack */
    double *class_stack;        /* [tile][stack] where slices of the others lie; sum 1, or 0: they have none */
    slx_buf parts;              /* folded: transfers of tiles that come later: hbm_class.c */
} slx_tm_mem;

/* Refuses a chip whose memory has contradictory figures. */
slx_status slx_tm_mem_init(slx_tm_mem *m, const slx_chip *c, uint32_t n_tiles, slx_err *err);
/* As if nothing had been booked. */
void slx_tm_mem_reset(slx_tm_mem *m);
void slx_tm_mem_deinit(slx_tm_mem *m);
/* Cuts of the mesh; after unit_ticks and link_ticks are known. */
void slx_tm_mesh_init(slx_tm_mem *m, const slx_chip *c);
void slx_tm_mesh_reset(slx_tm_mem *m);
void slx_tm_mesh_deinit(slx_tm_mem *m);
/* Mean hops from the entries of a stack to a tile, one for the entry. */
uint32_t slx_tm_entry_hops(const slx_chip *c, uint32_t tile, uint32_t stack);
/* The stack that all bytes of a transfer lie in; SLX_TM_STACKS: in several, taken as all alike. */
enum { SLX_TM_STACKS = SLX_TIME_STACKS };
uint32_t slx_tm_stack_of(const slx_tm_mem *m, const slx_tm_rec *r);
/* The same of several rows, as slices of weights lie; one row, which may lie in another stack in the next layer, is taken as
 * all alike. */
static inline uint32_t slx_tm_slice_stack(const slx_tm_mem *m, const slx_tm_rec *r)
{
    return r->rows > 1 ? slx_tm_stack_of(m, r) : SLX_TM_STACKS;
}
/* Bytes between memory (stack: slx_tm_stack_of) and a tile that come to the cuts at tick `at`: when the last has passed.
 * all: of the class. */
uint64_t slx_tm_mesh_book(slx_tm_mem *m, bool write, double bytes, uint32_t tile, uint32_t stack, bool all, uint64_t at);
/* The same spread over the other tiles of the class that `first` stands for; UINT32_MAX: over all tiles. Where first moves a
 * slice, so do the others, from the stacks that theirs lie in over the whole step. */
uint64_t slx_tm_mesh_book_any(slx_tm_mem *m, bool write, double bytes, uint32_t first, uint32_t stack, bool all,
                              uint64_t at);
/* A class of n tiles, of which the first stands for the others. in_stack[tile][stack]: bytes of slices. */
void slx_tm_mesh_class(slx_tm_mem *m, const uint32_t *tiles, uint32_t n, const uint64_t *in_stack);
/* Hops between two tiles. */
uint32_t slx_tm_hops(const slx_chip *c, uint32_t a, uint32_t b);
/* Hops across the bounding box of a group of tiles. */
uint32_t slx_tm_diameter(const slx_chip *c, uint32_t first, uint32_t count);
/* 64-byte units that [addr, addr+bytes) touches; a partly written one counts twice (read,
 * modify, write). */
uint64_t slx_tm_units(uint64_t addr, uint64_t bytes, bool write);
/* Stack of an address. */
static inline uint32_t slx_tm_stack(const slx_tm_mem *m, uint64_t addr) {
    return (uint32_t)((addr >> m->shift) % m->stacks);
}
/* A transfer between memory and tile `first` (multicast: `count` tiles from there) that starts
 * at cycle `start`: books memory and link, returns the cycle of its end. copies: tiles of the
 * class, each with its own transfer (1 when not folded), spread over `late` cycles from this one, which is the first
 * and is served first. *startup: cycles of the end that no byte needed. *tail (folded, else 0):
 * the end when all of the class are served, had all started together. */
uint64_t slx_tm_transfer(slx_tm_mem *m, const slx_tm_rec *r, const uint32_t *idx, uint32_t first,
                         uint32_t count, uint32_t far_hops, uint32_t copies, uint64_t start, uint64_t late,
                         uint64_t *startup, uint64_t *least, uint64_t *tail);
/* A MOV: the link of every receiver takes it when it is free. copies: tiles of the class, which MOV at once; the end is the
 * last one's. */
uint64_t slx_tm_move(slx_tm_mem *m, const slx_tm_rec *r, uint32_t tile, uint32_t first, uint32_t count, uint32_t copies,
                     uint64_t start, uint64_t *startup);

/* ------------------------------------------------------------------ other chips: net.c */

typedef struct {
    uint32_t chips, tiles;
    double byte_ticks;        /* of a byte through all ports */
    uint64_t alpha_ticks;     /* of a message */
    uint64_t free;            /* ticks: what is booked */
} slx_tm_net;

/* Messages one after another, and bytes out of the chip, of a meeting to which a tile brings `bytes`. */
typedef struct { uint32_t messages; uint64_t wire_bytes; } slx_tm_meeting;

void slx_tm_net_init(slx_tm_net *n, const slx_chip *c, const slx_program *p);
slx_tm_meeting slx_tm_net_meeting(const slx_tm_net *n, bool sum, uint64_t bytes);
/* A RED or GAT (rows: its messages) that starts at cycle `start`: books the ports, returns the cycle of its end;
 * *least and *tail as slx_tm_transfer. */
uint64_t slx_tm_net_book(slx_tm_net *n, const slx_tm_rec *r, uint32_t copies, bool folded, uint64_t start,
                         uint64_t *least, uint64_t *tail);

/* ------------------------------------------------------------------ figures: cost.c */

typedef struct {
    const slx_chip *chip;
    double fj_w4a8, fj_w8a8, fj_add, fj_fma, fj_rd, fj_wr, fj_hbm, fj_rom, fj_serdes, fj_wire,
        fj_router; /* from fj_rd on: a bit; wire: a hop */
    double spm_clk; /* bytes of the scratchpad a clock */
} slx_tm_cost;

/* What one instruction takes, memory and network apart. */
typedef struct {
    uint64_t cycles, macs, spm_read, spm_write, acc_bytes;
    double ten_clk; /* MACs in clocks at the full rate of their format */
    double mac_fj, sum_fj, vec_fj, rom_fj;
} slx_tm_work;

void slx_tm_cost_init(slx_tm_cost *k, const slx_chip *c);
/* v: the operands' values. NULL, or the reason why this chip cannot do it. */
const char *slx_tm_cost_of(const slx_tm_cost *k, const slx_insn *in, const uint64_t v[SLX_N_OPERANDS], slx_tm_work *w);

/* ------------------------------------------------------------------ control flow: walk.c, walk_setup.c */

typedef struct {
    uint32_t first, end, rd;
    uint64_t n, i;
} slx_tm_loop;

/* Hashes of what a tile has done, in the field of 2^61 - 1: of its records without addresses, twice, and of its work in
 * the layer it is in, or in what of it comes behind its first BAR (repeat.c). */
enum { SLX_TM_HASHES = 3, SLX_TM_RECORDS = 2, SLX_TM_WORK = 2 };
typedef struct {
    uint64_t hash[SLX_TM_HASHES];
    uint64_t starts[5], rests[5]; /* of layers 0, 1, 2, n-2, n-1: to their first BAR, and from there on */
} slx_tm_history;

/* Tiles that go the same way: at the same instruction, in the same rounds of the same loops. What differs between them
 * are registers and scratchpads. A walk that keeps records has a walker for each tile; another begins with one for all,
 * from which tiles part where control flow asks for what differs (walk_together.c). */
typedef struct {
    uint64_t r[SLX_N_REGS];
    uint32_t varied;    /* registers that differ between its tiles, a bit each: they are in slx_tm_walk.each */
    uint32_t id, last, n; /* its first tile, which is also its place in slx_tm_walk.w, and its last; n = 0: nobody's */
    uint32_t pc, depth, calls;
    uint16_t layer;     /* 1 + the layer it is in, 0 = outside */
    bool apart;         /* which is k->counted_apart */
    slx_tm_loop loop[SLX_MAX_LOOP_DEPTH];
    uint32_t ret[SLX_MAX_CALL_DEPTH];
    bool halted, at_bar;
    bool absent, silent; /* folded: not walked; walked without records */
    uint32_t group, ctl;
    bool cast;          /* the record before was a multicast load */
    uint64_t times, plus[SLX_TM_HASHES]; /* what its tiles' hashes h still become: h * times + plus */
    slx_buf recs, idx;  /* slx_tm_rec, u32; the epochs not yet taken */
    size_t taken;       /* records */
    struct {            /* repeat.c */
        uint32_t order, other;     /* registers that differ between layers: with the layer's number; otherwise */
        bool entered, barred;      /* barred: met a BAR in its layer */
    } rep;
} slx_tm_walker;

/* Layers from..to - 1 are left out of a walk: what layer `from - 1` did stands for them. */
typedef struct {
    uint32_t n;         /* layers of the program; 0 = none is left out */
    uint32_t from, to;
    uint32_t first;     /* pc of the layer loop's body; 0 = not met yet */
    bool probing, odd;  /* being checked; not to be left out */
} slx_tm_repeat;

enum { SLX_TM_REPEAT_FROM = 10 }; /* fewer layers are always walked one by one */

/* An instruction as control flow sees it: apart from the rest, for the few that a tile is at to stay in the host's
 * first cache. */
typedef struct {
    uint64_t v[SLX_N_OPERANDS];  /* operands; of those with a register what is added to it */
    uint8_t reg[SLX_N_OPERANDS]; /* 0 = none: r0 reads 0 */
    uint8_t op, f0;
    uint8_t sizes, floats;       /* operands that are no address; that are fp32: a bit each */
    uint32_t regs, size_regs;    /* registers of operands; of sizes: a bit each */
    bool records, quiet;         /* of CTL: stands in the tile's records; does nothing that anybody else sees */
} slx_tm_code;

/* An instruction as far as it is the same whenever it comes, and what it last took. */
typedef struct {
    slx_tm_rec rec;
    uint8_t changing;           /* sizes that a register is added to */
    bool known;
    uint64_t last[SLX_N_OPERANDS];
    slx_tm_work work;
    uint64_t mac_fj, sum_fj, vec_fj, sram_fj, rom_fj; /* of work */
    uint64_t worked[2];         /* how often, not yet in counts[0] and [1]: tally.c */
} slx_tm_op;

typedef struct {
    const slx_program *prog;
    const slx_chip *chip;
    const uint8_t *desc;
    const slx_region *desc_region;
    slx_tm_cost cost;
    const slx_tm_mem *mem;  /* geometry */
    slx_tm_net net;         /* the same of other chips */
    uint32_t rank;
    slx_tm_walker *w;       /* [n] */
    uint32_t n;             /* tiles */
    uint8_t *spms;          /* [chunk][n][SLX_TM_CHUNK] shadow scratchpads: hold what was loaded from the descriptor */
    slx_buf moving;         /* bytes between two of them */
    slx_tm_history *history; /* [n]; behind what walkers still owe: slx_tm_settle */
    uint64_t *in_stack;     /* [n][stacks] bytes of slices (slx_tm_slice_stack): with counts */
    uint32_t *next;         /* [n] the next tile of the same walker, in rising order */
    uint64_t *each;         /* [SLX_N_REGS][n] registers that differ between the tiles of a walker */
    uint64_t *before;       /* [SLX_N_REGS][n] registers where layer 1 began: repeat.c */
    uint64_t *key;          /* [n] what tiles part by */
    uint32_t *arrived;      /* [n_groups] tiles at its BAR */
    slx_tm_code *code;      /* [n_insns] */
    slx_tm_op *op;          /* [n_insns] */
    uint64_t *fetched[2];   /* [n_insns] how often, not yet in counts[0] and [1]: tally.c */
    uint16_t *span_of;      /* [n_insns] */
    bool *attention;        /* [n_spans + 1] */
    uint64_t fetch_fj;      /* of one instruction */
    slx_tm_counts *counts;  /* [2]; NULL: not counted */
    bool keep, hashing;     /* store records; hash them */
    bool together;          /* walkers may have several tiles */
    bool groups_alike;      /* tiles at one place of each of their multicast groups may be a class */
    uint64_t *shown;        /* a bit for each 64 bytes of a scratchpad: of some tile, control flow may see them */
    bool crossing;          /* bytes came to a tile by another's instruction */
    bool apart;             /* none do: every tile can be walked by itself */
    slx_tm_repeat repeat;
    uint32_t layers_from, layers_to; /* pc of the layer loop's body, and behind it; 0, 0 = not met */
    uint32_t counted_apart; /* slx_tm_rec.layer whose counts go to counts[1]; 0 = none */
} slx_tm_walk;

static inline uint64_t slx_tm_mix(uint64_t h, uint64_t x) {
    h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

/* Instructions that move bytes: walk_moves.c. Each fills in the record of tile t, one of w's; SLX_EFAULT where it may
 * not be. */
slx_status slx_tm_step_transfer(slx_tm_walk *k, slx_tm_walker *w, uint32_t t, const slx_insn *in, const uint64_t *v,
                                slx_tm_rec *r, slx_err *err);
slx_status slx_tm_step_move(slx_tm_walk *k, slx_tm_walker *w, uint32_t t, const slx_insn *in, const uint64_t *v,
                            slx_tm_rec *r, slx_err *err);
slx_status slx_tm_step_meeting(slx_tm_walk *k, slx_tm_walker *w, uint32_t t, const uint64_t *v, slx_tm_rec *r,
                               slx_err *err);
/* st, said of the instruction w is at. */
slx_status slx_tm_fault(slx_tm_walk *k, const slx_tm_walker *w, slx_status st, const char *what, slx_err *err);
/* Does a scratchpad have these bytes? */
bool slx_tm_in_spm(const slx_tm_walk *k, uint64_t addr, uint64_t bytes);
/* A byte of a tile's shadow scratchpad, followed by the others of its chunk. Chunks at one address of all tiles lie
 * together: where all use the same few, few pages of the host are touched. */
enum { SLX_TM_CHUNK = 256 };
uint8_t *slx_tm_shadow(const slx_tm_walk *k, uint32_t t, uint64_t addr);
enum { SLX_TM_GRAIN = 64 /* bytes that control flow sees or not as a whole: slx_tm_walk.shown */ };
/* Bytes inside a scratchpad that control flow may see from now on. */
void slx_tm_show(slx_tm_walk *k, uint64_t to, uint64_t bytes);
/* May control flow see any of these scratchpad bytes? Those beyond its end are none. */
bool slx_tm_seen(const slx_tm_walk *k, uint64_t addr, uint64_t bytes);
void slx_tm_walk_init(slx_tm_walk *k, const slx_program *p, const slx_chip *c, const uint8_t *desc, uint32_t rank,
                      const slx_tm_mem *mem);
void slx_tm_walk_deinit(slx_tm_walk *k);
/* Back to the program's beginning. together: as few walkers as will do, none of which keeps records; else one a tile. */
void slx_tm_walk_reset(slx_tm_walk *k, bool together);
/* One epoch of every tile; *moved = false when all have halted. Walkers of several tiles take the instructions of an
 * epoch in another order than tile after tile: what they do is only right while k->crossing stays false. */
slx_status slx_tm_walk_round(slx_tm_walk *k, bool *moved, slx_err *err);
/* Some records of one tile, whatever the others do: after a walk of all in rounds that found no bytes crossing. */
slx_status slx_tm_walk_alone(slx_tm_walk *k, slx_tm_walker *w, slx_err *err);

/* ------------------------------------------------------------------ several tiles of a walker: walk_together.c */

/* Every tile t of w. */
#define SLX_TM_EACH(k, w, t)                                                                                          \
    for (uint32_t t = (w)->id, left_##t = (w)->n; left_##t; left_##t--, t = left_##t ? (k)->next[t] : t)

static inline uint64_t slx_tm_reg(const slx_tm_walk *k, const slx_tm_walker *w, unsigned reg, uint32_t t)
{
    return w->varied >> reg & 1 ? k->each[(size_t)reg * k->n + t] : w->r[reg];
}
static inline void slx_tm_set_reg(slx_tm_walker *w, uint64_t reg, uint64_t v)
{
    w->r[reg] = v;
    w->varied &= ~(1u << reg);
}
/* Register reg of w has got its values in k->each. */
void slx_tm_set_each(slx_tm_walk *k, slx_tm_walker *w, uint64_t reg);
/* An ALU instruction whose operands differ between tiles; false where one divides by zero. */
bool slx_tm_alu_each(slx_tm_walk *k, slx_tm_walker *w, const slx_tm_code *c);
/* Tiles whose key is not that of the first become a walker of their own at the same place, to be walked after w. */
void slx_tm_part(slx_tm_walk *k, slx_tm_walker *w);
/* Walkers at the same place become one. */
void slx_tm_meet(slx_tm_walk *k);
/* x[] into the hashes of all of w's tiles; of one of them, which is settled. */
void slx_tm_hash_all(slx_tm_walker *w, const uint64_t x[SLX_TM_HASHES]);
void slx_tm_hash_one(slx_tm_walk *k, uint32_t t, const uint64_t x[SLX_TM_HASHES]);
/* What w's tiles have done is in their histories. */
void slx_tm_settle(slx_tm_walk *k, slx_tm_walker *w);

/* ------------------------------------------------------------------ sums of a walk: tally.c */

/* Work of o, done by so many tiles as r says; k->fetched is counted by the walk itself. */
void slx_tm_tally_work(slx_tm_walk *k, const slx_tm_rec *r, slx_tm_op *o, uint32_t tiles);
/* Into k->counts what o has only been counted for: before its work changes; of all when the walk is over. */
void slx_tm_tally_settle(slx_tm_walk *k, slx_tm_op *o);
void slx_tm_tally_end(slx_tm_walk *k);
/* A load or store by `tile`, of which `receivers` tiles get the bytes (multicast), from a region of this kind; a MOV to
 * `receivers` tiles from `first`; a RED or GAT that brings `got` bytes into the scratchpad. */
void slx_tm_tally_transfer(slx_tm_walk *k, const slx_tm_rec *r, const uint32_t *idx, uint32_t tile, uint32_t receivers,
                           uint32_t region);
void slx_tm_tally_move(slx_tm_walk *k, const slx_tm_rec *r, uint32_t tile, uint32_t first, uint32_t receivers);
void slx_tm_tally_meeting(slx_tm_walk *k, const slx_tm_rec *r, uint32_t tile, uint64_t got);

/* ------------------------------------------------------------------ energy by time: by_time.c */

/* What r->seconds make of LEAK and IO, the total with them, and its share of spans and layers. r->wire_fj has the events;
 * may be called again for other seconds. */
void slx_tm_by_time(slx_time_result *r, const slx_time_watts *watts);

/* ------------------------------------------------------------------ equal layers: repeat.c */

/* w->loop[0] is the layer loop and has begun; is about to run layer w->loop[0].i, which may move on. */
void slx_tm_repeat_enter(slx_tm_walk *k, slx_tm_walker *w);
void slx_tm_repeat_next(slx_tm_walk *k, slx_tm_walker *w);
/* What tile t of w does in its layer besides its records: seen by control flow. */
void slx_tm_repeat_see(slx_tm_walk *k, slx_tm_walker *w, uint32_t t, uint64_t a, uint64_t b, uint64_t c);
/* One instruction of the layer that is to stand for others, before it is executed. */
void slx_tm_repeat_check(slx_tm_walk *k, slx_tm_walker *w, const slx_tm_code *o, const slx_insn *in,
                         const uint64_t v[SLX_N_OPERANDS]);
/* w's tiles are at a BAR. */
void slx_tm_repeat_bar(slx_tm_walk *k, slx_tm_walker *w);
/* After the probe: may layers be left out? */
bool slx_tm_repeat_holds(const slx_tm_walk *k);
/* And may layer 0 from its first BAR on, with layer n-1 up to its first, stand for them? */
bool slx_tm_repeat_ends_alike(const slx_tm_walk *k);

/* ------------------------------------------------------------------ scratchpad: spm.c */

enum { SLX_TM_SPM_CLOCKS = 64, SLX_TM_SPM_KEPT = 128, SLX_TM_SPM_BITS = 24 }; /* clocks of a window; windows */
typedef struct slx_tm_spm slx_tm_spm;
struct slx_tm_spm {
    uint64_t bytes_clk;               /* of all banks; a window's fit SLX_TM_SPM_BITS */
    uint64_t window[SLX_TM_SPM_KEPT]; /* number << SLX_TM_SPM_BITS | bytes taken */
    const slx_tm_spm *common;         /* what comes to all tiles at once, and is taken from each; NULL: nothing */
};
/* An instruction that runs from cycle `start` for so many cycles, which suffice for its bytes alone: when it has them all,
 * no earlier than that. */
uint64_t slx_tm_spm_book(slx_tm_spm *s, uint64_t start, uint64_t cycles, uint64_t bytes);

/* ------------------------------------------------------------------ queues and engines: sim.c */

/* A moment of a step: a layer's first BAR ends. What has been counted until then, bound and span summing to the cycle. */
typedef struct {
    uint32_t layer;  /* slx_tm_rec.layer */
    uint32_t pc;     /* of the BAR; 0 = any: the first that ends */
    bool met;
    uint64_t cycles;
    uint64_t bound[SLX_N_TIME_BOUNDS], *span; /* span[n_spans + 1], zeroed: the caller's */
    slx_time_engine engine[SLX_N_ENGINES];    /* busy, token, empty */
} slx_tm_mark;

typedef struct {
    const slx_program *prog;
    const slx_chip *chip;
    slx_tm_walk *walk;
    slx_tm_mem *mem;
    const uint32_t *tiles;   /* [n] walkers simulated */
    const uint32_t *copies;  /* [n] tiles each stands for */
    const uint32_t *last;    /* [n] last tile of its class (deltas); its own when copies is 1 */
    const uint32_t *far;     /* [n] most hops to a stack in its class */
    uint32_t n;
    const slx_time_options *opt;
    slx_tm_mark *mark;       /* [2] filled in; the second takes the BAR of the first; NULL = none */
} slx_tm_sim_args;

/* slx_time_step at the clock of c, opt->watts given: time.c. */
slx_status slx_tm_step(const slx_program *p, const slx_chip *c, const uint8_t *desc, const slx_time_options *opt,
                       slx_time_result *out, slx_err *err);

slx_status slx_tm_sim_run(const slx_tm_sim_args *a, slx_time_result *out, slx_err *err);

/* ------------------------------------------------------------------ what is simulated: fold.c */

/* Does a step of this program fold by tiles? */
bool slx_tm_fold_tiles(const slx_program *p, const slx_time_options *opt);

typedef struct {
    uint32_t all;  /* tiles of the program */
    uint32_t *of;  /* [all] the first tile of its class */
    uint32_t *tiles, *copies, *last, *far, n; /* of what is simulated: see slx_tm_sim_args */
} slx_tm_tiles;

/* Every tile by itself. */
void slx_tm_tiles_init(slx_tm_tiles *c, const slx_tm_mem *m);
void slx_tm_tiles_deinit(slx_tm_tiles *c);
/* How many classes of tiles do the same work; after a walk of all tiles that hashed it. */
uint32_t slx_tm_tiles_classes(slx_tm_tiles *c, const slx_tm_walk *w);
/* One tile of each class in a quarter of the mesh, where that leaves few enough; m gets to know what it stands for, w
 * which tiles it need not walk. */
void slx_tm_tiles_fold(slx_tm_tiles *c, slx_tm_walk *w, slx_tm_mem *m);
/* From the layers simulated to so many more: what lies between the marks once more for each of them. */
void slx_tm_fold_extend(slx_time_result *out, const slx_tm_mark m[2], uint32_t more);

#endif
