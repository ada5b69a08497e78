/* func.h - machines that run a program for its values.
 *
 *   strict  the oracle: every instruction, every tile, byte-accurate SPM and ACC, scalar definitions of num
 *   fast    the same program through fused host kernels, each proved by expanding its template again to the
 *           program's own words; where a word differs it runs the instructions one by one, as strict does
 *
 * Both keep the same observable state: regions KV and LOGITS. A machine never knows a cycle.
 */
#ifndef SLX_FUNC_H
#define SLX_FUNC_H

#include "chip/chip.h"
#include "isa/program.h"
#include "model/model.h"
#include "num/num.h"

typedef struct slx_machine slx_machine;

#define SLX_FAULTS(X)                                                                                        \
    X(NONE, "none")                                                                                          \
    X(NONFINITE, "a result is NaN or infinite") X(SCALE, "scale out of range")                               \
        X(EXP2, "exp2 argument out of range") X(LIMIT, "LDS value above its limit")                          \
            X(ADDRESS, "address outside its space or region") X(REPEATED, "STX index repeated")              \
                X(DIVIDE, "division by zero") X(COUNT, "LOOP count above 2^24")                              \
                    X(TRAP, "TRAP") /* diagnostics of strict: an illegal program */                          \
        X(UNWRITTEN, "scratchpad read before it was written")                                                \
            X(ORDER, "not a legal program order (token or BAR)")
typedef enum {
#define X(n, t) SLX_FAULT_##n,
    SLX_FAULTS(X)
#undef X
} slx_fault_cause;
const char *slx_fault_text(slx_fault_cause c);

typedef struct {
    slx_fault_cause cause;
    uint32_t chip, tile, pc; /* chip: rank, 0 in a program of one */
    uint64_t index;   /* dynamic instruction count of the tile */
    char detail[256]; /* disassembly and the offending value */
} slx_fault;

typedef enum { SLX_MACHINE_FAST, SLX_MACHINE_STRICT } slx_machine_kind;

typedef struct {
    slx_machine_kind kind;
    int threads;                                    /* fast: 0 = all the host has */
    const slx_kern *kern;                           /* fast: NULL = slx_kern_get() */
    bool unfused;                                   /* fast: never fuse (tests) */
    void (*retire)(void *arg, const slx_retire *r); /* strict: called for every instruction when not NULL */
    void *retire_arg;
    uint64_t shuffle; /* strict: not 0 = seed of another legal order, which must give the same memory */
} slx_machine_options;

/* Lays out HBM and packs weights (fast releases the map's pages it has packed). The program must have passed slx_verify
 * on the chip; program, chip and model outlive the machine. */
slx_status slx_machine_open(slx_machine **out, const slx_program *p, const slx_chip *c, const slx_model *m,
                            const slx_machine_options *opt, slx_err *err);
void slx_machine_close(slx_machine *m);

uint8_t *slx_machine_desc(slx_machine *m); /* the DESC region; write it (slx_step_build), then step */
/* One step. SLX_EFAULT fills *fault: the first in strict's order. After a fault the values are undefined. */
slx_status slx_machine_step(slx_machine *m, slx_fault *fault, slx_err *err);
/* A region's bytes on the chip of a rank, as the last step left them; NULL while all of them are zero. Weights only in a
 * strict machine. */
const uint8_t *slx_machine_region(const slx_machine *m, uint32_t chip, uint32_t region);
const float *slx_machine_logits(const slx_machine *m,
                                uint32_t slot); /* [vocab_pad], valid until the next step */
/* Bytes of one KV page of (layer, KV head of the model): 264*head_dim_pad, read-only view for tests and hashes. */
const uint8_t *slx_machine_page(const slx_machine *m, uint32_t layer, uint32_t kv_head, uint32_t page);
uint64_t slx_machine_kv_hash(const slx_machine *m, const uint32_t *pages,
                             uint32_t n_pages); /* over layers, heads, pages */
/* Spans fused / all spans; reason of the first that is not (NULL when all are). */
void slx_machine_fusion(const slx_machine *m, uint32_t *fused, uint32_t *spans, const char **why);

/* What one step does on one chip (all chips of a program do the same), counted by walking control flow only (no
 * values): per engine, over all tiles. */
typedef struct {
    uint64_t insns[SLX_N_ENGINES], macs, hbm_read_bytes, hbm_write_bytes, spm_read_bytes, spm_write_bytes;
    uint64_t net_bytes; /* that the chip brings to RED and GAT */
} slx_step_counts;
slx_status slx_func_count(const slx_program *p, const uint8_t *desc, slx_step_counts *out, slx_err *err);

#endif
