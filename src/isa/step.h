/* step.h - one step's descriptor: which rows of which sequences a step computes, written into the DESC region.
 *
 * Host side of program.h's descriptor. Any mix of prefill chunks and decode rows of several sequences is one step.
 */
#ifndef SLX_STEP_H
#define SLX_STEP_H

#include "isa/program.h"

/* Rows of one sequence in one step: n tokens at positions pos0 .. pos0+n-1. pages[i] is the page that holds positions
 * 128*i .. 128*i+127; n_pages covers pos0+n-1. Rows n-n_samples .. n-1 get logits, in slots counted over all sequences. */
typedef struct {
    const uint32_t *tokens;
    uint32_t n, pos0, n_samples;
    const uint32_t *pages;
    uint32_t n_pages;
} slx_step_seq;

/* Writes the descriptor (info->desc.bytes at desc). Refuses what does not fit the program's limits, names the limit. */
slx_status slx_step_build(const slx_program_info *info, uint8_t *desc, const slx_step_seq *seqs, uint32_t n_seqs,
                          slx_err *err);
/* A step of n sequences, each with `rows` new tokens behind `before` old ones, logits of the last n_samples rows of each.
 * Tokens are 0: for machines that look at no value. */
slx_status slx_step_build_alike(const slx_program_info *info, uint8_t *desc, uint32_t n, uint32_t rows, uint32_t before,
                                uint32_t n_samples, slx_err *err);

#endif
