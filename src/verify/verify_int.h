/* verify_int.h - inside the verifier.
 *
 *   verify.c  order of the proofs, the verdict              fit.c     the program's header, regions and recipe on the chip
 *   code.c    what follows from the words alone: nesting,   value.c   the domain of register values
 *             targets, formats, one engine a token          flow.c    abstract run of one tile: loops, branches, tokens, BAR
 *   state.c   what is known at one place, joined            access.c  bounds of one instruction's accesses
 *
 * Invariant: every concrete value a register can have, over all values that LDS limits admit, lies in its slx_val.
 */
#ifndef SLX_VERIFY_INT_H
#define SLX_VERIFY_INT_H

#include "verify/verify.h"

/* ------------------------------------------------------------------ values */

/* lo <= value <= hi (unsigned), a multiple of 2^tz (64: zero). */
typedef struct {
    uint64_t lo, hi;
    uint64_t uid;  /* not 0: equal uids mean equal values on all tiles; constants have theirs by slx_val_uid */
    uint64_t add;  /* value = what register `sym` stood for at the head of its loop + add; sym 0 = nothing known */
    uint32_t sym;
    uint8_t tz;
    bool chip; /* may differ between the chips of a program: it follows from r2 */
} slx_val;

static inline slx_val slx_val_const(uint64_t v)
{
    return (slx_val){.lo = v, .hi = v, .tz = (uint8_t)(v ? __builtin_ctzll(v) : 64)};
}
slx_val slx_val_range(uint64_t lo, uint64_t hi, unsigned tz);
slx_val slx_val_any(unsigned tz);
static inline bool slx_val_is_const(const slx_val *v) { return v->lo == v->hi; }
uint64_t slx_val_uid(const slx_val *v); /* 0 = may differ between tiles */
slx_val slx_val_join(slx_val a, slx_val b);
/* r := the part of r where `r cond b` (SLX_COND_*) holds; false when there is none. */
bool slx_val_refine(slx_val *r, unsigned cond, const slx_val *b);
bool slx_val_same(const slx_val *a, const slx_val *b);   /* as sets of values; uid too, sym not */
bool slx_val_within(const slx_val *a, const slx_val *b); /* a is contained in b */
/* old grew to now: jumps to bounds from which few steps remain. */
slx_val slx_val_widen(slx_val old, slx_val now);
slx_val slx_val_addc(slx_val a, uint64_t c); /* wrapping */
slx_val slx_val_mul(slx_val a, slx_val b);
slx_val slx_val_alu(unsigned fn, slx_val a, slx_val b, slx_val d);
slx_val slx_val_up64(slx_val a); /* rounded up to a multiple of 64 */
/* x and y of an (x, y) operand; field i of a STR operand. */
slx_val slx_val_pair_x(slx_val v);
slx_val slx_val_pair_y(slx_val v);
slx_val slx_val_stride(slx_val v, int i);
/* 1 holds, 0 does not, -1 unknown. */
int slx_val_cond(unsigned cond, slx_val a, slx_val b);
uint64_t slx_mix(uint64_t a, uint64_t b); /* hash of two words, never 0 */

/* ------------------------------------------------------------------ one proof */

typedef struct {
    const slx_program *prog;
    const slx_chip *chip;
    const char *file;
    slx_err *err;
    uint32_t tile;
    uint64_t steps;          /* instructions run abstractly, over all tiles */
    bool checks;             /* bounds are checked in this pass (loop states are final) */
    uint64_t call;           /* which CALLs led here */
    uint32_t calls, call_fn[SLX_MAX_CALL_DEPTH];
    uint32_t next_sym;
    bool lost;               /* some path has halted inside a branch that was not decided */
    uint32_t *bar_slot;      /* [n_groups] slot of a group in slx_vstate.bar, UINT32_MAX = no BAR names it */
    uint32_t n_bar;          /* groups that BARs name */
    bool meets;              /* RED or GAT is among the instructions */
    bool bar_by_pc;          /* such groups share tiles: the same BAR means the same pc */
    uint64_t *end_bar;       /* [n_bar] of the ways that have halted; 0 = none yet */
    uint64_t *log;           /* NULL, or pairs (pc, hash) of the barriers of one slot */
    uint32_t log_slot, log_n, log_cap;
    void *free_states;       /* recycled */
} slx_verifier;

/* Registers and tokens of one tile at one pc. */
typedef struct {
    slx_val r[SLX_N_REGS];
    uint8_t tok[SLX_N_TOKENS];
    uint64_t used;           /* tokens already credited, waited for or posted */
    uint64_t path;           /* names the undecided branches in force, all on uniform values */
    bool tainted;            /* an undecided branch or loop count in force may differ between tiles */
    bool live;
    uint64_t bar[];          /* [n_bar] hash of the barriers met */
} slx_vstate;

/* Fills v->err with "tile T, pc P: ...", the instruction on the second line; tile UINT32_MAX: without tile. Always false. */
bool slx_vfail(slx_verifier *v, uint32_t tile, uint32_t pc, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

slx_status slx_verify_fit(const slx_program *p, const slx_chip *c, const char *file, slx_err *err);
bool slx_verify_code(slx_verifier *v);
/* Runs v->tile from its entry to halt; bar[n_bar] gets the hashes of its barriers. */
bool slx_verify_tile(slx_verifier *v, uint64_t *bar);

/* state.c: states of v's size; a dropped one is used again, until slx_verify_states_free. */
size_t slx_vstate_bytes(const slx_verifier *v);
slx_vstate *slx_vstate_new(slx_verifier *v); /* its values are anything */
slx_vstate *slx_vstate_copy(slx_verifier *v, const slx_vstate *s);
void slx_vstate_drop(slx_verifier *v, slx_vstate *s);
/* The tokens of two ways that meet at pc; where they differ v->err says so, each way by its name. */
bool slx_vstate_same_tokens(slx_verifier *v, uint32_t pc, const slx_vstate *a, const slx_vstate *b,
                            const char *where_a, const char *where_b);
/* to := what either may be; false where their tokens differ. */
bool slx_vstate_join(slx_verifier *v, slx_vstate *to, const slx_vstate *from, uint32_t pc);
void slx_verify_states_free(slx_verifier *v);

/* o: operand values of the instruction at pc. */
bool slx_verify_access(slx_verifier *v, uint32_t pc, const slx_val o[SLX_N_OPERANDS]);

#endif
