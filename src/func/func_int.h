/* func_int.h - inside the functional machines: HBM by regions, tiles, and the instruction executors.
 *
 *   machine.c  opening, dispatch by kind            hbm.c    regions as host memory
 *   strict.c   order: tiles, tokens, BAR            ctl.c    CTL engine
 *   shuffle.c  the same step in another legal order
 *   values.c   codes back to fp32
 *   exec_mem.c LDQ and STQ                          exec_ten.c TEN     exec_vec.c VEC
 *   exec_net.c NET: the chips of a program together
 *   count.c    a step's counts, control flow only   fast*.c  fused kernels
 */
#ifndef SLX_FUNC_INT_H
#define SLX_FUNC_INT_H

#include "func/func.h"

/* ------------------------------------------------------------------ HBM */

/* Regions as separate host allocations, in the order of the program. Untouched memory costs nothing. */
typedef struct {
    const slx_program *prog;
    uint8_t **mem;  /* [n_regions]; NULL where the machine keeps no image */
    bool *writable; /* by the program */
} slx_hbm;

void slx_hbm_init(slx_hbm *h, const slx_program *p);
void slx_hbm_deinit(slx_hbm *h);
void slx_hbm_alloc(slx_hbm *h, uint32_t region); /* zeroed; nothing if already there */
/* Region index that holds all of [addr, addr+bytes), or -1. bytes may be 0. */
int slx_hbm_region(const slx_hbm *h, uint64_t addr, uint64_t bytes);
int slx_hbm_kind(const slx_hbm *h, slx_region_kind kind); /* first region of a kind, -1 */

/* ------------------------------------------------------------------ tiles */

typedef struct {
    uint32_t first, end, rd;
    uint64_t n, i;
} slx_loop_frame;

typedef struct {
    uint64_t r[SLX_N_REGS];
    uint32_t id, pc, depth, calls;
    slx_loop_frame loop[SLX_MAX_LOOP_DEPTH];
    uint32_t ret[SLX_MAX_CALL_DEPTH];
    uint8_t tok[SLX_N_TOKENS];
    bool halted, at_bar, at_net; /* at_net: at a RED or GAT, its waits taken */
    uint32_t bar_group;
    uint64_t lds; /* hash of what LDS has read in this step */
    uint64_t index;             /* instructions started in this step */
    size_t n_uni;               /* LDS with UNI ended in this step */
    uint8_t *spm, *spm_written; /* [spm_bytes], 1 = written in this step */
    float *acc;
    uint8_t *acc_written;        /* [acc_cells] */
    uint32_t spm_high, acc_high; /* bound of what was written: what the next step must clear */
} slx_tile;

/* One chip. The chips of a program are an array of these, in the order of their ranks. */
typedef struct {
    const slx_program *prog;
    const slx_chip *chip;
    uint32_t rank;
    slx_hbm hbm;
    slx_tile *tiles;
    slx_fault *fault;
    bool values;             /* false: control flow only (count.c) */
    slx_step_counts *counts; /* NULL = not counted */
    void (*retire)(void *arg, const slx_retire *r);
    void *retire_arg;
    uint64_t out_dst, out_bytes; /* what the running instruction wrote, for the retire record */
    const void *out_ptr;
    uint64_t shuffle; /* not 0: seed of another legal order */
    slx_buf uni; /* uint64_t values of this step's UNI reads, in order, as the first tile to come read them */
} slx_strict;

/* Operand values of one instruction, resolved. */
typedef struct {
    const slx_insn *in;
    unsigned op, f0, f1, flags;
    uint64_t v[SLX_N_OPERANDS];
} slx_operands;

/* Every executor: true, or false with *s->fault filled (cause and detail; place is added by strict.c). */
bool slx_fault_set(slx_strict *s, slx_fault_cause c, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool slx_exec_ctl(slx_strict *s, slx_tile *t, const slx_operands *o); /* moves t->pc */
bool slx_exec_mem(slx_strict *s, slx_tile *t, const slx_operands *o); /* LD LDX ST STX MOV */
bool slx_exec_ten(slx_strict *s, slx_tile *t, const slx_operands *o);
bool slx_exec_vec(slx_strict *s, slx_tile *t, const slx_operands *o);
/* RED or GAT of tile `tile` of all n chips: o[i] are chip i's operands. The fault goes to the first chip's place. */
bool slx_exec_net(slx_strict *chips, uint32_t n, uint32_t tile, const slx_operands *o);
/* What it wrote on one chip, for the retire record. */
void slx_net_wrote(slx_strict *s, uint32_t tile, const slx_operands *o);
/* The same for one chip's counts alone (values false). */
bool slx_exec_net_count(slx_strict *s, slx_tile *t, const slx_operands *o);
/* fp32 sum of n addends as RED adds them: a balanced binary tree by rank, halves cut at floor(n / 2), the lower on the
 * left. */
float slx_red_sum(const float *x, uint32_t n);

/* SPM access with every check; NULL = fault set. align in bytes. rows of bytes at stride are checked one by one;
 * the pointer is to the first. Reads demand that the bytes were written, writes mark them. */
uint8_t *slx_spm_read(slx_strict *s, slx_tile *t, uint64_t addr, uint64_t rows, uint64_t bytes,
                      uint64_t stride, unsigned align);
/* [addr, addr+bytes) of ROM, addr a multiple of 64; NULL = fault. */
const uint8_t *slx_rom_read(slx_strict *s, uint64_t addr, uint64_t bytes);
uint8_t *slx_spm_write(slx_strict *s, slx_tile *t, uint64_t addr, uint64_t rows, uint64_t bytes,
                       uint64_t stride, unsigned align);

/* One row of blocks as fp32: codes, scales (u8 or fp16), m (fp16, Q4SM only, else NULL). false = not finite. */
bool slx_block_values(unsigned fmt, const uint8_t *codes, const uint8_t *scales, const uint8_t *m,
                      uint32_t cols, float *out);

void slx_strict_init(slx_strict *s, const slx_program *p, const slx_chip *c, uint32_t rank);
void slx_strict_deinit(slx_strict *s);
slx_status slx_strict_load(slx_strict *s, const slx_model *m,
                           slx_err *err); /* weights and rope table into HBM */
/* One step of all n chips, or of one alone for its counts (values false, n 1). */
slx_status slx_strict_step(slx_strict *chips, uint32_t n, slx_fault *fault);

/* One instruction in its parts (strict.c), and the step in any other legal order (shuffle.c), after the reset. */
void slx_strict_resolve(const slx_tile *t, const slx_insn *in, slx_operands *o);
bool slx_strict_execute(slx_strict *s, slx_tile *t, const slx_operands *o);
bool slx_strict_is_net(const slx_strict *s, const slx_insn *in); /* RED or GAT that waits for the other chips */
bool slx_strict_advance(slx_strict *s, slx_tile *t); /* pc behind an instruction that is not CTL's */
void slx_strict_report(slx_strict *s, const slx_tile *t, uint32_t pc, uint64_t index);
void slx_strict_locate(slx_strict *s, const slx_tile *t, uint32_t pc, uint64_t index);
slx_status slx_strict_shuffled(slx_strict *chips, uint32_t n);

/* ------------------------------------------------------------------ fast */

typedef struct slx_fast slx_fast;
/* ranks: the program's chips; their HBM is shared. */
slx_status slx_fast_open(slx_fast **out, slx_strict *ranks, const slx_program *p, const slx_chip *c,
                         const slx_model *m, const slx_machine_options *opt, slx_err *err);
void slx_fast_close(slx_fast *f);
/* SLX_OK done; SLX_EFAULT the step faults (the caller reruns it by strict to name it); SLX_EUNSUPPORTED the step is not
 * for fused kernels: strict decides. In all three the step can be run again: its inputs are as they were. */
slx_status slx_fast_step(slx_fast *f);
/* NULL when the whole program runs fused; else why not, and the caller runs it instruction by instruction. */
const char *slx_fast_refusal(const slx_fast *f);
void slx_fast_counts(const slx_fast *f, uint32_t *fused, uint32_t *spans);

#endif
